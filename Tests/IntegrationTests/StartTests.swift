import Foundation
import Glibc
import Testing

/// Starting, refusing to start, and ending.
@Suite struct StartTests {
    @Test func `serves, and ends on SIGTERM with status 0`() throws {
        let server = try ServerProcess("pidfile FOLDER/pid\nunixsocket FOLDER/socket")
        let pid = try String(contentsOf: server.file("pid"), encoding: .utf8)
        #expect(pid == "\(server.process)\n")
        #expect(try server.connect().run("PING") == "PONG")
        let marks = ["Apus is starting", "Configuration loaded", "Server initialized"]
        for mark in marks { #expect(server.output.contains(mark)) }

        #expect(try server.stop() == .exited(0))
        #expect(server.output.contains("Received SIGTERM scheduling shutdown..."))
        #expect(server.output.contains("User requested shutdown..."))
        #expect(server.output.contains("ready to exit, bye bye..."))
        for name in ["pid", "socket"] {
            #expect(!FileManager.default.fileExists(atPath: server.file(name).path))
        }
    }

    @Test func `shows its process number before it is ready, as the upstream suite expects`() throws
    {
        let server = try ServerProcess("always-show-logo yes")
        let logo = try #require(server.output.range(of: " PID: \(server.process)"))
        let ready = try #require(server.output.range(of: "Server initialized"))
        #expect(logo.upperBound < ready.lowerBound)
        #expect(server.output.components(separatedBy: "Ready to accept").count == 2)
    }

    @Test func `sends the replies of the turn before it ends`() throws {
        let server = try ServerProcess()
        let client = try server.connect()
        try client.send(Array("SET k v\r\nGET k\r\nSHUTDOWN\r\nSET k w\r\nGET k\r\n".utf8))
        #expect(try client.read() == "OK")
        #expect(try client.read() == "v")
        #expect(throws: Client.Closed.self) { try client.read() }
        #expect(try server.waitForEnd() == .exited(0))
    }

    @Test func `a second signal ends it at once`() throws {
        let server = try ServerProcess()
        // Stopped, it sees both signals in one turn.
        server.kill(SIGSTOP)
        server.kill(SIGTERM)
        server.kill(SIGINT)
        server.kill(SIGCONT)
        #expect(try server.waitForEnd() == .exited(1))
        #expect(server.output.contains("You insist... exiting now."))
    }

    @Test func `SIGHUP and SIGPIPE do not end it`() throws {
        let server = try ServerProcess()
        server.kill(SIGHUP)
        server.kill(SIGPIPE)
        #expect(try server.connect().run("PING") == "PONG")
    }

    @Test func `saves at the end where there are save points, or is told to`() throws {
        let server = try ServerProcess("save 60 1")
        try server.connect().run("SET", "k", "1")
        #expect(try server.stop() == .exited(0))
        #expect(server.output.contains("DB saved on disk"))
        try server.restart()
        let client = try server.connect()
        #expect(try client.run("INCR", "k") == 2)
        try client.send(["SHUTDOWN", "NOSAVE"])
        #expect(try server.waitForEnd() == .exited(0))
        try server.restart()
        #expect(try server.connect().run("GET", "k") == "1")
    }

    @Test func `runs as a daemon`() throws {
        let server = try ServerProcess(
            "daemonize yes\npidfile FOLDER/pid\nlogfile FOLDER/log\nset-proc-title no")
        let client = try server.connect()
        #expect(try client.run("PING") == "PONG")
        let status = try String(contentsOfFile: "/proc/\(server.process)/stat", encoding: .utf8)
        let fields = status.split(separator: " ")
        // Its own session and no terminal.
        #expect(fields[5] == "\(server.process)")
        #expect(fields[6] == "0")
        #expect(getpgid(server.process) != getpgid(0))
        try server.stop()
        #expect(!FileManager.default.fileExists(atPath: server.file("pid").path))
    }

    @Test func `a daemon without a pid file takes nobody else's`() throws {
        let folder = try ServerProcess.freshFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let port = try ServerProcess.freePort()
        let usual = "/var/run/redis.pid"
        let before = try? Data(contentsOf: URL(filePath: usual))
        let started = try ServerProcess.run(
            [
                ServerProcess.binary, "--daemonize", "yes", "--port", "\(port)", "--dir",
                folder.path, "--logfile", "log", "--save", "",
            ])
        #expect(started.ending == .exited(0))
        let log = folder.appending(path: "log")
        try wait("the daemon serves") { (try? Client(port: port).run("PING")) == "PONG" }
        #expect((try? Data(contentsOf: URL(filePath: usual))) == before)
        try Client(port: port).send(["SHUTDOWN", "NOSAVE"])
        try wait("the daemon ends") {
            try String(contentsOf: log, encoding: .utf8).contains("Apus is now ready to exit")
        }
        let text = try String(contentsOf: log, encoding: .utf8)
        #expect(text.contains("No pid file is written, as 'pidfile' names none."))
        #expect(!text.contains("Removing the pid file"))
    }

    @Test func `warns of what the host has set, as Redis does`() throws {
        let server = try ServerProcess("tcp-backlog 100000000")
        let mode = try String(contentsOfFile: "/proc/sys/vm/overcommit_memory", encoding: .utf8)
        let warns = server.log.contains("WARNING Memory overcommit must be enabled!")
        #expect(warns == (mode != "1\n"))
        #expect(
            server.log.contains("WARNING: The TCP backlog setting of 100000000 cannot be enforced"))
    }

    @Test func `an empty server is not called fragmented`() throws {
        let server = try ServerProcess()
        let info = "\(try server.connect().run("INFO", "memory"))"
        let line = try #require(info.components(separatedBy: "mem_fragmentation_ratio:").last)
        let ratio = try #require(Double(line.prefix { $0.isNumber || $0 == "." }))
        #expect(ratio > 0.8 && ratio < 1.5, "\(ratio)")
    }

    @Test(arguments: ["apus-check-aof", "apus-check-rdb"])
    func `the tools tell how they are used`(name: String) throws {
        let folder = try ServerProcess.freshFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let tool = folder.appending(path: name)
        try FileManager.default.createSymbolicLink(
            at: tool, withDestinationURL: URL(filePath: ServerProcess.binary))
        for option in ["--help", "-h"] {
            let finished = try ServerProcess.run([tool.path, option])
            #expect(finished.ending == .exited(0))
            #expect(finished.output.hasPrefix("Usage: "))
            #expect(finished.errors.isEmpty)
        }
        #expect(try ServerProcess.run([tool.path]).ending == .exited(1))
    }

    @Test func `shows a title`() throws {
        let server = try ServerProcess("proc-title-template \"apus {listen-addr} {port}\"")
        let shown = {
            try String(contentsOfFile: "/proc/\(server.process)/cmdline", encoding: .utf8)
        }
        #expect(try shown().hasPrefix("apus 127.0.0.1:\(server.port) \(server.port)\0"))
        let client = try server.connect()
        #expect(try client.run("CONFIG", "SET", "proc-title-template", "other {title}") == "OK")
        #expect(try shown().hasPrefix("other "))
    }

    // MARK: - Refusing

    @Test func `a taken port is named`() throws {
        let first = try ServerProcess()
        let second = try ServerProcess.run(
            [ServerProcess.binary, "--port", "\(first.port)", "--bind", "127.0.0.1"])
        #expect(second.ending == .exited(1))
        #expect(
            second.output.contains(
                "Could not create server TCP listening socket 127.0.0.1:\(first.port): bind: "
                    + "Address already in use"))
        #expect(second.output.contains("Failed listening on port \(first.port) (tcp), aborting."))
        #expect(try first.connect().run("PING") == "PONG")
    }

    @Test(arguments: [
        (["--nonsense", "1"], "Bad directive or wrong number of arguments"),
        (["--port", "66000"], "argument must be between 0 and 65535 inclusive"),
        (
            ["--logfile", "/nonexistent/log"],
            "Can't open the log file: '/nonexistent/log': No such file"
        ),
        (["--dir", "/nonexistent"], "No such file or directory"),
        (["--locale-collate", "xx_NOWHERE"], "Invalid locale name"),
    ])
    func `a bad configuration is fatal`(arguments: [String], reason: String) throws {
        let finished = try ServerProcess.run([ServerProcess.binary] + arguments)
        #expect(finished.ending == .exited(1))
        #expect(finished.errors.contains("*** FATAL CONFIG FILE ERROR (Apus "))
        #expect(finished.errors.contains(reason))
    }

    @Test func `a server that would listen nowhere does not start`() throws {
        let finished = try ServerProcess.run([ServerProcess.binary, "--port", "0"])
        #expect(finished.ending == .exited(1))
        #expect(finished.output.contains("Configured to not listen anywhere, exiting."))
    }

    @Test func `checks a configuration without starting`() throws {
        let folder = try ServerProcess.freshFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "a.conf")
        try Data("port 7000\nmaxmemory 100mb\n".utf8).write(to: file)
        let good = try ServerProcess.run([ServerProcess.binary, "--check-config", file.path])
        #expect(good.ending == .exited(0))
        try Data("port 7000\nmaxmemory plenty\n".utf8).write(to: file)
        let bad = try ServerProcess.run([ServerProcess.binary, "--check-config", file.path])
        #expect(bad.ending == .exited(1))
        #expect(bad.errors.contains("at line 2"))
    }

    @Test func `tells about itself`() throws {
        let version = try ServerProcess.run([ServerProcess.binary, "--version"])
        #expect(version.output.hasPrefix("Apus server v="))
        let help = try ServerProcess.run([ServerProcess.binary, "--help"])
        #expect(help.output.hasPrefix("Usage: "))
        let commands = try ServerProcess.run([ServerProcess.binary, "--list-commands"])
        for name in ["CONFIG", "GET", "SHUTDOWN"] { #expect(commands.output.contains(name)) }
        for finished in [version, help, commands] { #expect(finished.ending == .exited(0)) }
    }

    @Test func `reads its configuration from standard input`() throws {
        let finished = try ServerProcess.run(
            [ServerProcess.binary, "--check-config", "-"], input: "port plenty\n")
        #expect(finished.ending == .exited(1))
        #expect(finished.errors.contains("port plenty"))
    }

    /// What would serve wrongly or in the clear: a cluster, TLS, modules.
    @Test(arguments: [
        "cluster-enabled yes", "tls-port 6380", "tls-replication yes", "loadmodule /m.so",
    ])
    func `does not start with what it cannot do`(line: String) throws {
        let name = line.split(separator: " ")[0]
        for option in [[], ["--check-config"]] {
            let finished = try ServerProcess.run(
                [ServerProcess.binary] + option + ["-"], input: "port 0\n\(line)\n")
            #expect(finished.ending == .exited(1))
            #expect(finished.errors.contains("'\(name)'"), "\(finished.errors)")
        }
    }

    @Test func `warns of what it does not obey yet`() throws {
        let line = "busy-reply-threshold 100"
        let checked = try ServerProcess.run(
            [ServerProcess.binary, "--check-config", "-"], input: line)
        #expect(checked.ending == .exited(0))
        #expect(checked.output.contains("'busy-reply-threshold' is accepted, and not obeyed"))
        let server = try ServerProcess(line)
        let warning = "is accepted, and not obeyed by this version"
        #expect(server.log.contains("'busy-reply-threshold' \(warning)"))
        try server.connect().run("CONFIG", "SET", "cluster-node-timeout", "77")
        #expect(server.log.contains("'cluster-node-timeout' \(warning)"))
        #expect(server.log.components(separatedBy: warning).count == 3)
    }
}
