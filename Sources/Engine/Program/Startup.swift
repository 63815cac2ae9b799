import Glibc
import Reactor

/// From settings to a serving process and back: each step in the order in which it must happen.
///
/// Lines of the log are those of Redis where tools wait for them.
struct Startup {
    private var settings: Settings
    /// Program and arguments, for the title and for INFO.
    private let commandLine: [String]
    private let log = Log()

    init(settings: Settings, commandLine: [String]) {
        self.settings = settings
        self.commandLine = commandLine
    }

    /// Runs until the server is told to stop.
    ///
    /// - Returns: the exit status.
    func run() -> Int32 {
        var startup = self
        do throws(StartFailure) {
            return try startup.start()
        } catch {
            log.warning(error.reason)
            return 1
        }
    }

    /// Why the server does not start, in one line.
    struct StartFailure: Error {
        let reason: String
    }

    private mutating func start() throws(StartFailure) -> Int32 {
        log.follow(settings)
        log.role = .child
        try prepareProcess()
        announce()
        let server = try makeServer()
        try listen(server)
        writeProcessFile()
        showLogo()
        log.warning("Server initialized")
        tellReady(server)
        do throws(SystemError) {
            try server.run()
        } catch {
            throw StartFailure(reason: "Unrecoverable error in the event loop: \(error)")
        }
        finish(server)
        return server.lifecycle.exitStatus
    }

    private mutating func prepareProcess() throws(StartFailure) {
        let isSupervised = false
        do throws(SystemError) {
            try Process.changeDirectory(settings.directory)
            if settings.daemonizes && !isSupervised { try Process.daemonize() }
        } catch {
            throw StartFailure(reason: "Can't become a daemon: \(error)")
        }
        try openLog()
    }

    private func openLog() throws(StartFailure) {
        guard !settings.logFile.isEmpty else { return }
        let isAbsolute = settings.logFile.hasPrefix("/")
        let path = isAbsolute ? settings.logFile : settings.directory + "/" + settings.logFile
        do throws(SystemError) {
            try log.open(path)
        } catch {
            throw StartFailure(reason: "Can't open the log file: \(error.message)")
        }
    }

    private func announce() {
        log.warning("oO0OoO0OoO0Oo Apus is starting oO0OoO0OoO0Oo")
        log.warning(
            "Apus version=\(Version.apus), redis_version=\(Version.redis), bits=\(Int.bitWidth), "
                + "pid=\(Process.processIdentifier), just started")
        if commandLine.count > 1 {
            log.warning("Configuration loaded")
        } else {
            log.warning(
                "Warning: no config file specified, using the default config. In order to specify "
                    + "a config file use \(commandLine[0]) /path/to/redis.conf")
        }
    }

    private func makeServer() throws(StartFailure) -> Server {
        log.role = .primary
        log.notice("monotonic clock: POSIX clock_gettime")
        do throws(SystemError) {
            let signals = try Signals()
            let background = try Background()
            let server = Server(
                settings: settings, commands: StandardCommands.all, log: log,
                background: background)
            let network = try Network(signals: signals)
            try network.watch(background)
            server.network = network
            server.lifecycle.executable = Process.executablePath
            server.lifecycle.arguments = commandLine
            return server
        } catch {
            throw StartFailure(reason: "Can't set up the event loop: \(error)")
        }
    }

    private func listen(_ server: Server) throws(StartFailure) {
        guard let network = server.network else { return }
        do throws(Network.ListenFailure) {
            try network.listenTCP(settings)
        } catch {
            log.warning(error.logLine)
            throw StartFailure(reason: "Failed listening on port \(settings.port) (tcp), aborting.")
        }
        do throws(SystemError) {
            try network.listenUnix(settings)
        } catch {
            throw StartFailure(reason: "Failed opening Unix socket: \(error)")
        }
        guard !network.listeners.isEmpty else {
            throw StartFailure(reason: "Configured to not listen anywhere, exiting.")
        }
    }

    private func writeProcessFile() {
        let standard = settings.daemonizes ? "/var/run/redis.pid" : nil
        guard let path = settings.pidFile ?? standard else { return }
        do throws(SystemError) {
            let file = try File(path, .create)
            try file.writeAll(Array("\(Process.processIdentifier)\n".utf8))
        } catch {
            log.warning("Failed to write PID file: \(error)")
        }
    }

    private func showLogo() {
        let mode = settings.clusterEnabled ? "cluster" : "standalone"
        let isTerminal = settings.logFile.isEmpty && Process.isTerminal(STDOUT_FILENO)
        guard settings.alwaysShowsLogo || (isTerminal && !settings.syslogEnabled) else {
            return log.notice("Running mode=\(mode), port=\(settings.port).")
        }
        log.raw(Logo.text(mode: mode, port: settings.port, process: Process.processIdentifier))
    }

    private func tellReady(_ server: Server) {
        if settings.port != 0 { log.notice("Ready to accept connections tcp") }
        if let path = settings.unixSocketPath {
            log.notice("The server is now ready to accept connections at \(path)")
        }
    }

    private func finish(_ server: Server) {
        if let path = settings.pidFile {
            log.notice("Removing the pid file.")
            try? File.remove(path)
        }
        if let path = settings.unixSocketPath {
            log.notice("Removing the unix socket file.")
            try? File.remove(path)
        }
        log.warning("Redis is now ready to exit, bye bye...")
    }
}

extension Network.ListenFailure {
    var logLine: String {
        "Warning: Could not create server TCP listening socket \(address):\(port): \(error)"
    }
}
