import Glibc
import Reactor

/// From settings to a serving process and back: each step in the order in which it must happen.
///
/// Lines of the log are those of Redis where tools wait for them. A trial goes the same way up to where
/// the data would be loaded, and leaves everything as it was: it takes no port and writes no file.
struct Startup {
    private var settings: Settings
    /// Program and arguments, for the title and for INFO.
    private let commandLine: [String]
    private let isTrial: Bool
    private let log = Log()
    private var service = ServiceManager()
    /// Whether the process takes no transparent huge pages, whatever the host's setting is.
    private var avoidsHugePages = false

    init(settings: Settings, commandLine: [String], isTrial: Bool = false) {
        self.settings = settings
        self.commandLine = commandLine
        self.isTrial = isTrial
    }

    /// Why the server does not start, in one line.
    enum Failure: Error {
        /// The settings ask for what cannot be; told on standard error.
        case badSetting(String)
        /// Told in the log.
        case refused(String)
    }

    /// Runs until the server is told to stop.
    ///
    /// - Returns: the exit status.
    mutating func run() throws(Failure) -> Int32 {
        do throws(Failure) {
            let server = try prepare()
            try load(server)
            server.beginReplication()
            if !server.lifecycle.shouldStop { tellReady() }
            try serve(server)
            finish(server)
            return server.lifecycle.exitStatus
        } catch {
            guard case .refused(let reason) = error else { throw error }
            log.warning(reason)
            return 1
        }
    }

    /// Finds out whether `run` would come to load the data, and be able to.
    mutating func check() throws(Failure) {
        precondition(isTrial)
        _ = try prepare()
    }

    /// All that a start can fail at, save for the data itself.
    private mutating func prepare() throws(Failure) -> Server {
        try prepareProcess()
        if !isTrial { announce() }
        let server = try makeServer()
        try loadUsers(server)
        try listen(server)
        writeProcessFile()
        if !isTrial { showProcess(server) }
        warnOfEnvironment()
        try findFiles(server)
        return server
    }

    // MARK: - The process

    /// Folder, log, terminal: what must stand before the first thread and the first line.
    private mutating func prepareProcess() throws(Failure) {
        log.follow(settings)
        if isTrial { log.level = max(log.level, .warning) }
        log.role = .child
        do throws(SystemError) {
            try Process.changeDirectory(settings.directory)
        } catch {
            throw .badSetting("Can't chdir to '\(settings.directory)': \(error.message)")
        }
        try openLog()
        avoidsHugePages = settings.disablesTransparentHugePages
        if isTrial { return }
        service = ServiceManager(settings.supervision, log)
        if settings.daemonizes && !service.isPresent {
            do throws(SystemError) {
                try Process.daemonize()
            } catch {
                throw .refused("Can't leave the terminal: \(error)")
            }
        }
        if settings.disablesTransparentHugePages {
            avoidsHugePages = Process.disableTransparentHugePages()
        }
    }

    private func openLog() throws(Failure) {
        if settings.syslogEnabled && !isTrial {
            log.openSystemLog(
                identity: settings.syslogIdentity, facility: settings.syslogFacility)
        }
        guard !settings.logFile.isEmpty else { return }
        let isAbsolute = settings.logFile.hasPrefix("/")
        let path = isAbsolute ? settings.logFile : settings.directory + "/" + settings.logFile
        do throws(SystemError) {
            if isTrial { return try File.checkWritable(path) }
            try log.open(path)
        } catch {
            throw .badSetting("Can't open the log file: \(FileTrouble(path, error).text)")
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
        log.role = .primary
        for name in SettingTable.unobeyed(in: settings) {
            log.warning("WARNING: '\(name)' is accepted, and not obeyed by this version.")
        }
    }

    // MARK: - The server

    private mutating func makeServer() throws(Failure) -> Server {
        guard let clients = DescriptorLimit.fit(clients: settings.maxClients, log) else {
            throw .refused("There is no room for a single client.")
        }
        settings.maxClients = clients
        if let problem = CommandTable.problem(
            in: settings.renamedCommands.map { ($0.name, $0.newName) },
            of: StandardCommands.all.map(\.name))
        {
            throw .badSetting(problem)
        }
        log.notice("monotonic clock: POSIX clock_gettime")
        let server: Server
        do throws(SystemError) {
            // Before the background thread, so that it inherits the blocked signals.
            let signals = try Signals()
            let background = try Background()
            server = Server(
                settings: settings, commands: StandardCommands.all, log: log,
                background: background)
            let network = try Network(signals: signals)
            try network.watch(background)
            server.network = network
        } catch {
            throw .refused("Can't set up the event loop: \(error)")
        }
        server.lifecycle.executable = Process.executablePath
        server.lifecycle.arguments = commandLine
        server.lifecycle.service = service
        do throws(SettingProblem) {
            try Server.setCollation(settings.localeCollate)
        } catch {
            throw .badSetting(error.reason)
        }
        server.installCrashHandlers()
        return server
    }

    /// Before anybody can connect.
    private func loadUsers(_ server: Server) throws(Failure) {
        do throws(UserLoadFailure) {
            try server.loadUsers()
        } catch {
            throw .refused(error.reason)
        }
    }

    private func listen(_ server: Server) throws(Failure) {
        guard let network = server.network else { return }
        do throws(Network.ListenFailure) {
            try network.listenTCP(settings, isTrial: isTrial)
        } catch {
            log.warning(error.logLine)
            throw .refused("Failed listening on port \(settings.port) (tcp), aborting.")
        }
        try listenUnix(network)
        guard !network.listeners.isEmpty || isTrial && settings.unixSocketPath != nil else {
            throw .refused("Configured to not listen anywhere, exiting.")
        }
    }

    private func listenUnix(_ network: Network) throws(Failure) {
        guard let path = settings.unixSocketPath else { return }
        do throws(SystemError) {
            if isTrial {
                try Socket.checkUnix(path: path, group: settings.unixSocketGroup)
            } else {
                try network.listenUnix(settings)
            }
        } catch {
            if error.operation.description == "getgrnam" {
                throw .refused(
                    "Failed opening Unix socket: there is no group "
                        + "'\(settings.unixSocketGroup ?? "")' ('unixsocketgroup')")
            }
            throw .refused("Failed opening Unix socket: \(FileTrouble(path, error).text)")
        }
    }

    /// Looks for what is to be loaded, and whether it can be continued.
    private func findFiles(_ server: Server) throws(Failure) {
        do throws(AppendOnlyError) {
            try server.findAppendOnlyFiles()
        } catch {
            throw .refused(error.text)
        }
        if !settings.appendOnly {
            do throws(DumpError) {
                try server.checkSnapshot()
            } catch {
                throw unloadable(server, error)
            }
        }
        guard !settings.savePoints.isEmpty else { return }
        do throws(SystemError) {
            try File.checkWritable(folder: ".")
        } catch {
            log.warning(
                "WARNING: no snapshot can be written into the folder \(FileTrouble(".", error).text), "
                    + "or switch snapshots off with 'save \"\"'")
        }
    }

    private func unloadable(_ server: Server, _ error: DumpError) -> Failure {
        log.warning("Terminating server after rdb file reading failure.")
        return .refused(server.fatalText(error))
    }

    private func load(_ server: Server) throws(Failure) {
        do throws(AppendOnlyError) {
            try server.adoptOldAppendOnlyFile()
            if settings.appendOnly {
                guard try server.loadAppendOnly(servesMeanwhile: true) else { return }
            }
        } catch {
            throw .refused(error.text)
        }
        if settings.appendOnly { return try append(server) }
        do throws(DumpError) {
            try server.loadSnapshot(adoptsHistory: true, servesMeanwhile: true)
        } catch {
            if case .interrupted = error { return }
            throw unloadable(server, error)
        }
    }

    private func append(_ server: Server) throws(Failure) {
        do throws(SystemError) {
            try server.beginAppending()
        } catch {
            throw .refused(
                "Can't begin to write the append only file: "
                    + FileTrouble(server.appendOnly.log.folder, error).text)
        }
    }

    private func serve(_ server: Server) throws(Failure) {
        do throws(SystemError) {
            try server.run()
        } catch {
            throw .refused("The event loop failed: \(error)")
        }
    }

    // MARK: - What is told

    private func showProcess(_ server: Server) {
        server.showTitle()
        server.adjustOutOfMemoryScore()
        showLogo()
        log.warning("Server initialized")
    }

    private func showLogo() {
        let mode = settings.clusterEnabled ? "cluster" : "standalone"
        let goesToTerminal =
            settings.logFile.isEmpty && !settings.syslogEnabled
            && Process.isTerminal(STDOUT_FILENO)
        guard settings.alwaysShowsLogo || goesToTerminal, settings.logFormat == .text else {
            return log.notice("Running mode=\(mode), port=\(settings.port).")
        }
        log.raw(Logo.text(mode: mode, port: settings.port, process: Process.processIdentifier))
    }

    private func warnOfEnvironment() {
        let warnings = HostWarnings(
            tcpBacklog: settings.tcpBacklog, avoidsHugePages: avoidsHugePages
        ) { path in
            guard let bytes = try? File.readWhole(path, limit: 100) else { return nil }
            return String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self)
        }
        for line in warnings.lines { log.warning(line) }
    }

    private func tellReady() {
        if settings.port != 0 { log.notice("Ready to accept connections tcp") }
        if let path = settings.unixSocketPath {
            log.notice("The server is now ready to accept connections at \(path)")
        }
        service.tellReady()
    }

    // MARK: - The process file, and the end

    /// Without `pidfile` there is none: another server may have the one that Redis takes then.
    private func writeProcessFile() {
        guard let path = settings.pidFile else {
            if settings.daemonizes && !isTrial {
                log.notice("No pid file is written, as 'pidfile' names none.")
            }
            return
        }
        do throws(SystemError) {
            if isTrial { return try File.checkWritable(path) }
            let file = try File(path, .create)
            try file.writeAll(Array("\(Process.processIdentifier)\n".utf8))
        } catch {
            log.warning("Failed to write the pid file \(FileTrouble(path, error).text)")
        }
    }

    private func finish(_ server: Server) {
        server.network?.closeListeners()
        if let path = settings.pidFile {
            log.notice("Removing the pid file.")
            File.removeIfPresent(path)
        }
        if let path = settings.unixSocketPath {
            log.notice("Removing the unix socket file.")
            File.removeIfPresent(path)
        }
        log.warning("Apus is now ready to exit, bye bye...")
    }
}
