import Foundation
import Glibc

/// A real server in a process and a folder of its own, for one test: ours, or one to compare with.
///
///     let server = try ServerProcess("maxclients 10")
///     let client = try server.connect()
///     #expect(try client.run("PING") == "PONG")
///
/// Ended, by its process number, and cleaned up when the test lets go of it.
final class ServerProcess {
    /// Removed at the end; also the server's working folder.
    let folder: URL
    private(set) var port: Int
    private(set) var process: Int32 = 0
    private let program: String
    private var lines: [String]
    private let arguments: [String]
    private let environment: [String: String]
    /// A command in front of the server's, such as `prlimit`, which replaces itself by it.
    private let wrapper: [String]
    private var ending: Ending?

    enum Ending: Equatable {
        case exited(Int32)
        case signalled(Int32)
    }

    /// Starts a server and waits until it accepts connections.
    ///
    /// - Parameters:
    ///   - configuration: lines of its file, behind those of the harness. `FOLDER` stands for the
    ///     folder, `PORT` for the port.
    ///   - program: the server's path, if it is not ours.
    ///   - arguments: what follows the file on the command line.
    init(
        _ configuration: String = "", program: String = binary, arguments: [String] = [],
        environment: [String: String] = [:], wrapper: [String] = [], folder: URL? = nil
    ) throws {
        self.folder = try folder ?? Self.freshFolder()
        self.program = program
        self.lines = configuration.split(separator: "\n").map(String.init)
        self.arguments = arguments
        self.environment = environment
        self.wrapper = wrapper
        port = try Self.freePort()
        try writeConfiguration()
        try start()
    }

    deinit {
        if ending == nil { kill(SIGKILL) }
        if ending == nil, process > 0 { _ = try? waitForEnd() }
        try? FileManager.default.removeItem(at: folder)
    }

    // MARK: - Starting

    /// Starts it again, on the same port and file.
    ///
    /// - Parameter line: what its log says once it is far enough.
    func restart(waitingFor line: String = readyLine) throws {
        try start(retrying: false, waitingFor: line)
    }

    /// Takes other lines of configuration for the next start.
    func configure(_ configuration: String) throws {
        lines = configuration.split(separator: "\n").map(String.init)
        try writeConfiguration()
    }

    static let readyLine = "eady to accept connections"

    private func start(retrying: Bool = true, waitingFor line: String = readyLine) throws {
        for attempt in 1... {
            ending = nil
            process = try Self.spawn(
                wrapper + [program, configFile.path] + arguments, environment: environment,
                output: outputFile.path)
            if try waitUntilReady(line) { return }
            // Somebody took the port between our look and the server's.
            guard retrying, attempt < 10, output.contains("already in use") else {
                throw Trouble("the server did not start:\n\(output)\(log)")
            }
            port = try Self.freePort()
            try writeConfiguration()
        }
    }

    /// False if it ended instead.
    private func waitUntilReady(_ line: String) throws -> Bool {
        let isDaemon = lines.contains("daemonize yes")
        try wait("the server is ready") {
            if !isDaemon && hasEnded { return true }
            return log.contains(line)
        }
        if isDaemon, let text = try? String(contentsOf: file("pid"), encoding: .utf8) {
            var status: Int32 = 0
            waitpid(process, &status, 0)
            process = Int32(text.trimmingCharacters(in: .newlines)) ?? process
        }
        return log.contains(line)
    }

    private func writeConfiguration() throws {
        let own = ["port PORT", "bind 127.0.0.1", "dir FOLDER", "save \"\""]
        let text = (own + lines).joined(separator: "\n")
            .replacingOccurrences(of: "FOLDER", with: folder.path)
            .replacingOccurrences(of: "PORT", with: String(port))
        try Data((text + "\n").utf8).write(to: configFile)
    }

    // MARK: - Files

    func file(_ name: String) -> URL { folder.appending(path: name) }
    var configFile: URL { file("apus.conf") }
    private var outputFile: URL { file("output") }
    /// What it wrote to standard output and error since it was started last.
    var output: String { (try? String(contentsOf: outputFile, encoding: .utf8)) ?? "" }

    /// Its log, wherever the configuration puts it.
    var log: String {
        guard let line = lines.first(where: { $0.hasPrefix("logfile ") }) else { return output }
        let name = String(line.dropFirst("logfile ".count))
            .replacingOccurrences(of: "FOLDER", with: folder.path)
        let path = name.hasPrefix("/") ? URL(filePath: name) : file(name)
        return (try? String(contentsOf: path, encoding: .utf8)) ?? ""
    }

    // MARK: - Talking and ending

    func connect() throws -> Client { try Client(port: port) }

    func kill(_ signal: Int32) {
        precondition(process > 0)
        if ending == nil { Glibc.kill(process, signal) }
    }

    /// Ends it as an administrator does.
    @discardableResult
    func stop() throws -> Ending {
        kill(SIGTERM)
        return try waitForEnd()
    }

    /// How it ended; only for a direct child, which a daemon is not.
    @discardableResult
    func waitForEnd() throws -> Ending {
        try wait("the server ends") { hasEnded }
        return ending ?? .exited(0)
    }

    var hasEnded: Bool {
        if ending != nil { return true }
        var status: Int32 = 0
        let result = waitpid(process, &status, WNOHANG)
        if result == process {
            ending =
                status & 0x7F == 0
                ? .exited((status >> 8) & 0xFF) : .signalled(status & 0x7F)
        } else if result < 0, Glibc.kill(process, 0) != 0 {
            ending = .exited(0)  // A daemon: nobody's child, and gone.
        }
        return ending != nil
    }
}

// MARK: - Programs

extension ServerProcess {
    /// `APUS_BINARY`, or the one that was built beside these tests.
    static let binary: String = {
        if let path = ProcessInfo.processInfo.environment["APUS_BINARY"] { return path }
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        let folder = URL(filePath: tests ?? ".build/debug/x").deletingLastPathComponent()
        return folder.appending(path: "apus-server").path
    }()

    struct Finished {
        let ending: Ending
        let output: String
        let errors: String
    }

    /// Runs a program to its end, which must come `within` so many seconds.
    static func run(
        _ command: [String], input: String? = nil, environment: [String: String] = [:],
        within seconds: Int = patienceSeconds
    ) throws -> Finished {
        let folder = try freshFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = ["output", "errors", "input"].map { folder.appending(path: $0) }
        try Data((input ?? "").utf8).write(to: files[2])
        let process = try spawn(
            command, environment: environment, output: files[0].path, errors: files[1].path,
            input: files[2].path)
        var status: Int32 = 0
        do {
            try wait("\(command) ends", seconds: seconds) {
                waitpid(process, &status, WNOHANG) == process
            }
        } catch {
            _ = Glibc.kill(process, SIGKILL)
            waitpid(process, &status, 0)
            throw error
        }
        func text(_ file: URL) -> String { (try? String(contentsOf: file, encoding: .utf8)) ?? "" }
        return Finished(
            ending: status & 0x7F == 0
                ? .exited((status >> 8) & 0xFF) : .signalled(status & 0x7F),
            output: text(files[0]), errors: text(files[1]))
    }

    /// - Parameter errors: where standard error goes; beside the output if `nil`.
    static func spawn(
        _ command: [String], environment: [String: String], output: String,
        errors: String? = nil, input: String = "/dev/null"
    ) throws -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let writing = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, writing, 0o600)
        if let errors {
            posix_spawn_file_actions_addopen(&actions, 2, errors, writing, 0o600)
        } else {
            posix_spawn_file_actions_adddup2(&actions, 1, 2)
        }
        var variables = ProcessInfo.processInfo.environment
        variables.merge(environment) { $1 }
        var words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        var settings: [UnsafeMutablePointer<CChar>?] =
            variables.map { strdup("\($0)=\($1)") } + [nil]
        defer { for pointer in words + settings { free(pointer) } }
        var process: Int32 = 0
        var attributes = unblockingAttributes()
        defer { posix_spawnattr_destroy(&attributes) }
        let code = posix_spawnp(&process, command[0], &actions, &attributes, &words, &settings)
        guard code == 0 else { throw Trouble("\(command[0]): \(String(cString: strerror(code)))") }
        return process
    }

    /// The threads that run tests block most signals, SIGTERM too, and children inherit that.
    private static func unblockingAttributes() -> posix_spawnattr_t {
        var attributes = posix_spawnattr_t()
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_init(&attributes)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        return attributes
    }

    static func freshFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "apus-\(UUID().uuidString)").resolvingSymlinksInPath()
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    /// A port nobody listens on, at the moment.
    static func freePort() throws -> Int { try PortListener().port }
}

// MARK: - Waiting

struct Trouble: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

let patienceSeconds = 60

/// Looks again and again until something holds; a test fails that waits longer than that.
func wait(
    _ what: String, seconds: Int = patienceSeconds, until holds: () throws -> Bool
) throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while try !holds() {
        guard ContinuousClock.now < deadline else { throw Trouble("in vain: \(what)") }
        usleep(2000)
    }
}
