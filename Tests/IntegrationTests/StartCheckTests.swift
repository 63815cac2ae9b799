import Foundation
import Glibc
import Testing

/// `--check-config` comes to the conclusion that a start comes to, for the same reason, and leaves
/// everything as it was.
@Suite struct StartCheckTests {
    /// A configuration, what lies in its folder, and why a server does not start with it.
    struct Case: CustomTestStringConvertible, Sendable {
        let lines: String
        /// Files by name; nil is a folder.
        var files: [String: String?] = [:]
        /// Names that may only be read, or not even that.
        var permissions: [String: Int] = [:]
        /// In the order in which it is told.
        let reason: [String]

        var testDescription: String { lines }
    }

    private static let manifest = "file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\n"

    static let refusals: [Case] = [
        Case(lines: "user a +nonsense", reason: ["Error loading ACL rule '+nonsense'"]),
        Case(lines: "aclfile none.acl", reason: ["'FOLDER/none.acl': No such file", "Make what"]),
        Case(
            lines: "aclfile a.acl", files: ["a.acl": "user a on +nonsense\n"],
            reason: ["ACL errors", "a.acl:1"]),
        Case(lines: "port 0", reason: ["Configured to not listen anywhere"]),
        Case(lines: "bind 192.0.2.1", reason: ["(tcp), aborting."]),
        Case(lines: "bind -192.0.2.1", reason: ["Configured to not listen anywhere"]),
        Case(
            lines: "unixsocket FOLDER/none/socket",
            reason: ["Failed opening Unix socket: 'FOLDER/none/socket': No such file"]),
        Case(
            lines: "unixsocket \(String(repeating: "s", count: 108))",
            reason: ["Failed opening Unix socket", "File name too long. Name a shorter one"]),
        Case(
            lines: "unixsocket taken", files: ["taken": "text"],
            reason: ["Failed opening Unix socket: 'FOLDER/taken': Address already in use"]),
        Case(
            lines: "unixsocket socket\nunixsocketgroup nosuchgroup",
            reason: ["there is no group 'nosuchgroup'"]),
        Case(lines: "dir FOLDER/none", reason: ["No such file or directory"]),
        Case(
            lines: "logfile none/log",
            reason: ["Can't open the log file: 'FOLDER/none/log': No such file"]),
        Case(lines: "logfile sub", files: ["sub": nil], reason: ["Is a directory"]),
        Case(
            lines: "rename-command GET set",
            reason: ["rename-command GET set: Target command name already exists"]),
        Case(
            lines: "rename-command GET a\nrename-command SET A",
            reason: ["rename-command SET A: Target command name already exists"]),
        Case(lines: "locale-collate xx_NOWHERE", reason: ["Invalid locale name"]),
        Case(
            lines: "dbfilename d", files: ["d": "REDIS"],
            reason: ["Fatal error loading the DB: Unexpected EOF", "apus-check-rdb FOLDER/d"]),
        Case(
            lines: "dbfilename d", files: ["d": "nothing of the kind"],
            reason: ["Fatal error loading the DB: Wrong signature", "apus-check-rdb FOLDER/d"]),
        Case(
            lines: "dbfilename d", files: ["d": nil],
            reason: ["Fatal error loading the DB: ", "'FOLDER/d': Is a directory"]),
        Case(
            lines: "appendonly no",
            files: ["appendonlydir": nil, "appendonlydir/appendonly.aof.manifest": "file a\n"],
            reason: [
                "'FOLDER/appendonlydir/appendonly.aof.manifest' is broken", "Line 1, 'file a': ",
                "Invalid AOF manifest file format",
            ]),
        Case(
            lines: "appendonly yes",
            files: [
                "appendonlydir": nil, "appendonlydir/appendonly.aof.manifest": manifest,
                "appendonlydir/a.1.base.rdb": "",
            ],
            reason: ["can't open", "'FOLDER/appendonlydir/a.1.incr.aof': No such file"]),
        Case(
            lines: "appendonly yes", files: ["appendonlydir": ""],
            reason: ["Can't begin to write the append only file", "'FOLDER/appendonlydir'"]),
    ]

    static let forbidden: [Case] = [
        Case(
            lines: "dbfilename d", files: ["d": "REDIS0011"], permissions: ["d": 0],
            reason: ["Fatal error loading the DB: ", "'FOLDER/d': Permission denied. Let the user"]),
        Case(
            lines: "logfile log", files: ["log": ""], permissions: ["log": 0o444],
            reason: ["Can't open the log file: 'FOLDER/log': Permission denied. Let the user"]),
        Case(
            lines: "aclfile a.acl", files: ["a.acl": ""], permissions: ["a.acl": 0],
            reason: ["'FOLDER/a.acl': Permission denied"]),
        Case(
            lines: "unixsocket sub/socket", files: ["sub": nil], permissions: ["sub": 0o555],
            reason: ["Failed opening Unix socket: 'FOLDER/sub/socket': Permission denied"]),
        Case(
            lines: "appendonly yes", permissions: ["": 0o555],
            reason: ["Can't begin to write the append only file: 'FOLDER': Permission denied"]),
        Case(
            lines: "appendonly yes", files: ["appendonlydir": nil],
            permissions: ["appendonlydir": 0o555],
            reason: ["write the append only file: 'FOLDER/appendonlydir': Permission denied"]),
        Case(
            lines: "appendonly yes",
            files: [
                "appendonlydir": nil, "appendonlydir/appendonly.aof.manifest": manifest,
                "appendonlydir/a.1.base.rdb": "", "appendonlydir/a.1.incr.aof": "",
            ], permissions: ["appendonlydir/a.1.incr.aof": 0o444],
            reason: ["'FOLDER/appendonlydir/a.1.incr.aof': Permission denied"]),
    ]

    @Test(arguments: refusals)
    func `both refuse, and say the same`(_ wrong: Case) throws {
        try expectRefusals(wrong, wrapper: [])
    }

    @Test(.enabled(if: Unprivileged.isPossible, Unprivileged.absence), arguments: forbidden)
    func `both refuse what they may not use`(_ wrong: Case) throws {
        try expectRefusals(wrong, wrapper: Unprivileged.wrapper)
    }

    private func expectRefusals(_ wrong: Case, wrapper: [String]) throws {
        let folder = try ServerProcess.freshFolder()
        defer { try? remove(folder) }
        let configuration = try prepare(wrong, in: folder)
        let before = try names(in: folder)
        for option in [["--check-config"], []] {
            let finished = try ServerProcess.run(
                wrapper + [ServerProcess.binary] + option + ["-"], input: configuration)
            #expect(finished.ending == .exited(1), "\(option) \(finished.output)")
            let said = finished.output + finished.errors
            for part in wrong.reason {
                let wanted = part.replacingOccurrences(of: "FOLDER", with: folder.path)
                #expect(said.contains(wanted), "\(option) \(said)")
            }
            #expect(!said.contains("Configuration OK"))
            #expect(!said.contains(#"\n"#))
            if !option.isEmpty { #expect(try names(in: folder) == before) }
        }
    }

    /// - Returns: the configuration's text.
    private func prepare(_ wrong: Case, in folder: URL) throws -> String {
        for name in wrong.files.keys.sorted() {
            let place = folder.appending(path: name)
            if let text = wrong.files[name] ?? nil {
                try Data(text.utf8).write(to: place)
            } else {
                try FileManager.default.createDirectory(
                    at: place, withIntermediateDirectories: true)
            }
        }
        if geteuid() == 0 { try giveAway(folder) }
        for (name, mode) in wrong.permissions {
            chmod(folder.appending(path: name).path, mode_t(mode))
        }
        let text =
            "port \(try ServerProcess.freePort())\nbind 127.0.0.1\ndir FOLDER\n\(wrong.lines)\n"
        return text.replacingOccurrences(of: "FOLDER", with: folder.path)
    }

    /// Lets the other user own everything.
    private func giveAway(_ folder: URL) throws {
        for name in [""] + (try names(in: folder)) {
            chown(folder.appending(path: name).path, 65534, 65534)
        }
    }

    private func names(in folder: URL) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted()
    }

    private func remove(_ folder: URL) throws {
        for name in [""] + (try names(in: folder)) {
            let path = folder.appending(path: name).path
            if (try? FileManager.default.contentsOfDirectory(atPath: path)) != nil {
                chmod(path, 0o755)
            }
        }
        try FileManager.default.removeItem(at: folder)
    }

    // MARK: - What is no reason not to start

    @Test func `a configuration that serves passes beside the server, and touches nothing of it`()
        throws
    {
        let server = try ServerProcess(
            """
            unixsocket FOLDER/socket
            pidfile FOLDER/pid
            logfile FOLDER/log
            appendonly yes
            daemonize no
            """)
        try server.connect().run("SET", "k", "v")
        let before = try names(in: server.folder)
        let log = server.log
        let checked = try ServerProcess.run(
            [ServerProcess.binary, "--check-config", server.configFile.path])
        #expect(checked.ending == .exited(0), "\(checked.errors)")
        #expect(checked.output.hasSuffix("Configuration OK\n"))
        #expect(try names(in: server.folder) == before)
        #expect(server.log == log)
        #expect(
            try String(contentsOf: server.file("pid"), encoding: .utf8) == "\(server.process)\n")
        #expect(try server.connect().run("GET", "k") == "v")
    }

    @Test func `both take names that were given free before, and commands of other versions`()
        throws
    {
        let lines = """
            rename-command SET PUT
            rename-command GET SET
            rename-command EVAL ""
            rename-command FCALL EVAL
            """
        let checked = try ServerProcess.run(
            [ServerProcess.binary, "--check-config", "-"], input: lines)
        #expect(checked.ending == .exited(0), "\(checked.errors)")
        let server = try ServerProcess(lines)
        let client = try server.connect()
        #expect(try client.run("PUT", "k", "v") == "OK")
        #expect(try client.run("SET", "k") == "v")
    }

    @Test func `what nobody has made yet is made by the start, not by the check`() throws {
        let folder = try ServerProcess.freshFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let text = """
            dir \(folder.path)
            unixsocket socket
            pidfile pid
            logfile log
            appendonly yes
            daemonize yes
            """
        let checked = try ServerProcess.run(
            [ServerProcess.binary, "--check-config", "-"], input: text)
        #expect(checked.ending == .exited(0), "\(checked.errors)")
        #expect(try names(in: folder).isEmpty)
    }

    @Test(.enabled(if: Unprivileged.isPossible, Unprivileged.absence))
    func `both warn of a folder that takes no snapshots, and of a pid file that cannot be`() throws
    {
        let folder = try ServerProcess.freshFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        chmod(folder.path, 0o555)
        let lines = "dir \(folder.path)\npidfile FOLDER/pid\nsave 60 1\n"
            .replacingOccurrences(of: "FOLDER", with: folder.path)
        let warnings = [
            "no snapshot can be written into the folder '\(folder.path)': Permission denied. Let",
            "Failed to write the pid file '\(folder.path)/pid': Permission denied. Let",
        ]
        let checked = try ServerProcess.run(
            Unprivileged.wrapper + [ServerProcess.binary, "--check-config", "-"], input: lines)
        #expect(checked.ending == .exited(0), "\(checked.errors)")
        let server = try ServerProcess(
            "dir \(folder.path)\npidfile \(folder.path)/pid\nsave 60 1",
            wrapper: Unprivileged.wrapper)
        for warning in warnings {
            #expect(checked.output.contains(warning), "\(checked.output)")
            #expect(server.log.contains(warning), "\(server.log)")
        }
        let client = try server.connect()
        #expect("\(try client.run("SAVE"))".contains("ERR"))
        let saved = "Failed to write the snapshot '\(folder.path)/dump.rdb' by way of "
        #expect(server.log.contains(saved))
        #expect(server.log.contains("Permission denied. Let the user that the server runs as"))
        try client.run("BGSAVE")
        try wait("the child has complained") {
            server.log.components(separatedBy: saved).count == 3
        }
        #expect("\(try client.run("CONFIG", "SET", "appendonly", "yes"))".contains("ERR"))
        #expect(
            server.log.contains(
                "Can't create the folder of the AOF '\(folder.path)/appendonlydir': Permission"))
    }
}
