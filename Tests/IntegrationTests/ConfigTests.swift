import Foundation
import Glibc
import Testing

/// CONFIG against a server whose settings have something to act on.
@Suite struct ConfigTests {
    @Test func `a rewritten file survives a restart`() throws {
        let server = try ServerProcess("# mine\nmaxmemory 1gb\nrequirepass \"\"")
        chmod(server.configFile.path, 0o600)
        let client = try server.connect()
        #expect(
            try client.run(
                "CONFIG", "SET", "maxmemory", "200mb", "hz", "33", "maxmemory-policy",
                "allkeys-lru") == "OK")
        #expect(try client.run("CONFIG", "REWRITE") == "OK")
        let text = try String(contentsOf: server.configFile, encoding: .utf8)
        #expect(text.contains("# mine\nmaxmemory 200mb\n"))
        var status = stat()
        #expect(stat(server.configFile.path, &status) == 0 && status.st_mode & 0o777 == 0o600)

        try server.stop()
        try server.restart()
        let again = try server.connect()
        for (name, value) in [
            ("maxmemory", "209715200"), ("hz", "33"), ("maxmemory-policy", "allkeys-lru"),
        ] {
            #expect(try again.run("CONFIG", "GET", name) == .list([.text(name), .text(value)]))
        }
    }

    @Test func `another port takes over without dropping clients`() throws {
        let server = try ServerProcess()
        let client = try server.connect()
        let other = try ServerProcess.freePort()
        #expect(try client.run("CONFIG", "SET", "port", "\(other)") == "OK")
        #expect(try client.run("PING") == "PONG")
        #expect(try Client(port: other).run("PING") == "PONG")
        #expect(throws: Trouble.self) { try Client(port: server.port) }
        // The same port on other addresses.
        #expect(try client.run("CONFIG", "SET", "bind", "127.0.0.1 -::1") == "OK")
        #expect(try Client(port: other).run("PING") == "PONG")
        #expect(try client.run("CONFIG", "SET", "port", "0") == "OK")
        #expect(throws: Trouble.self) { try Client(port: other) }
        #expect(try client.run("PING") == "PONG")
    }

    @Test func `a taken port changes nothing`() throws {
        let (server, other) = (try ServerProcess(), try ServerProcess())
        let client = try server.connect()
        let failure = Answer.error(
            "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this "
                + "port. Check server logs.")
        let former = try client.run("CONFIG", "GET", "hz")
        #expect(try client.run("CONFIG", "SET", "hz", "77", "port", "\(other.port)") == failure)
        #expect(try client.run("CONFIG", "GET", "hz") == former)
        #expect(try server.connect().run("PING") == "PONG")
        #expect(
            try client.run("CONFIG", "SET", "bind", "192.0.2.254")
                == .error(
                    "ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to "
                        + "specified addresses."))
        #expect(try server.connect().run("PING") == "PONG")
    }

    @Test func `more clients than descriptors are refused`() throws {
        let server = try ServerProcess("maxclients 100", wrapper: ["prlimit", "--nofile=200:200"])
        let client = try server.connect()
        #expect(
            try client.run("CONFIG", "SET", "maxclients", "1000")
                == .error(
                    "ERR CONFIG SET failed (possibly related to argument 'maxclients') - The "
                        + "operating system is not able to handle the specified number of clients, "
                        + "try with 168"))
        #expect(try client.run("CONFIG", "GET", "maxclients") == ["maxclients", "100"])
        #expect(try client.run("CONFIG", "SET", "maxclients", "150") == "OK")
    }

    @Test func `fewer descriptors than clients are told at the start`() throws {
        let server = try ServerProcess("maxclients 1000", wrapper: ["prlimit", "--nofile=200:200"])
        #expect(server.output.contains("maxclients has been reduced to 168"))
        #expect(try server.connect().run("CONFIG", "GET", "maxclients") == ["maxclients", "168"])
    }

    @Test func `the folder can be changed where that is allowed`() throws {
        let server = try ServerProcess("enable-protected-configs local\nlogfile log")
        let folder = server.file("sub")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        let client = try server.connect()
        #expect(try client.run("CONFIG", "SET", "dir", folder.path) == "OK")
        let link = "/proc/\(server.process)/cwd"
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == folder.path)
        #expect(try client.run("CONFIG", "SET", "loglevel", "verbose") == "OK")
        _ = try server.connect()
        try wait("the log stays where it was") { server.log.contains("Accepted 127.0.0.1") }
    }

    @Test func `the folder is protected otherwise`() throws {
        let client = try ServerProcess()
        #expect(
            try client.connect().run("CONFIG", "SET", "dir", "/")
                == .error(
                    "ERR CONFIG SET failed (possibly related to argument 'dir') - can't set "
                        + "protected config"))
    }

    @Test func `the score of the process follows, and comes back`() throws {
        let server = try ServerProcess()
        let score = { () throws -> Int? in
            let text = try String(
                contentsOfFile: "/proc/\(server.process)/oom_score_adj", encoding: .utf8)
            return Int(text.trimmingCharacters(in: .newlines))
        }
        let former = try #require(try score())
        let client = try server.connect()
        let wanted = min(1000, former + 10)
        #expect(
            try client.run(
                "CONFIG", "SET", "oom-score-adj", "relative", "oom-score-adj-values", "10 20 30")
                == "OK")
        #expect(try score() == wanted)
        #expect(try client.run("CONFIG", "SET", "oom-score-adj", "no") == "OK")
        #expect(try score() == former)
    }
}

extension Answer: ExpressibleByArrayLiteral {
    init(arrayLiteral elements: Answer...) { self = .list(elements) }

    @Test(arguments: [false, true])
    func `what users sent is hidden from the log where that is asked for`(isHidden: Bool) throws {
        let server = try ServerProcess(
            "loglevel verbose\nhide-user-data-from-log \(isHidden ? "yes" : "no")\n"
                + "client-output-buffer-limit normal 100kb 0 0")
        for request in ["*1\r\n:secret\r\n", "secret \"\r\n", "*1\r\n$secret\r\n"] {
            let client = try server.connect()
            try client.run("CLIENT", "SETNAME", "secret")
            try client.send(Array(request.utf8))
            _ = try client.read()
        }
        let client = try server.connect()
        try client.run("CLIENT", "SETNAME", "secret")
        try client.run("SETRANGE", "k", "1000000", "x")
        #expect(throws: Client.Closed.self) { try client.run("GET", "k") }
        try server.stop()
        #expect(
            server.log.contains("Protocol error") && server.log.contains("output buffer limits"))
        #expect(server.log.contains("secret") == !isHidden, "\(server.log)")
    }

    @Test func `clients begin with the protocol of the settings`() throws {
        let server = try ServerProcess("client-default-resp 3\navailability-zone here")
        let client = try server.connect()
        #expect(try client.run("DEBUG", "nothing").text?.hasPrefix("ERR") == true)
        try client.run("HSET", "k", "f", "v")
        for _ in 0..<2 {
            try client.send(["HGETALL", "k"])
            #expect(try client.readMark() == "%")
            #expect(try client.run("RESET") == "RESET")
        }
        let hello = try client.run("HELLO", "2").elements
        #expect(hello.suffix(2) == ["availability_zone", "here"])
        let info = try client.run("INFO", "server").text ?? ""
        #expect(info.contains("\r\navailability_zone:here\r\n"))
        try client.send(["HGETALL", "k"])
        #expect(try client.readMark() == "*")
    }

    /// Legal values of a setting by what it is now; the server decides which it takes.
    private static func candidates(
        for name: String, now: String, _ random: inout SeededRandom
    ) -> [String] {
        let texts = ["a b", "x\"y'z\\", "é", "always", "local", "both", "none", "force", "no"]
        let lists = [
            "3600 1 300 100", "60 10000", "", "KEA", "Ex", "10 20 30", "0 0 0", "50 99.9",
            "normal 1gb 90mb 3 replica 5mb 1mb 9", "pubsub 0 0 0", "127.0.0.1", "* -::*", "99",
            "now nosave", "default", "5%", "notice", "debug", "warning", "yes", "clients",
        ]
        let numbers = (0..<12).map { _ in
            String((1 << random.below(40)) + random.below(1000) - 500)
        }
        return
            ((["yes", "no"] + (Int(now) == nil ? texts + lists : []) + numbers)
            .filter { $0 != now }).shuffled(using: &random)
    }

    /// What a server that is under test must keep, or what would end it.
    private static let kept: Set<String> = [
        "port", "dir", "requirepass", "loglevel", "maxclients", "maxmemory-clients",
        "client-query-buffer-limit",
        "proto-max-bulk-len", "bind", "daemonize", "protected-mode", "rdb-key-save-delay",
        "key-load-delay", "loading-process-events-interval-bytes",
    ]

    @Test func `every setting means the same after a restart`() throws {
        var random = SeededRandom.make()
        let server = try ServerProcess()
        var client = try server.connect()
        var changed: Set<String> = []
        func settings() throws -> [String: String] {
            guard case .list(let parts) = try client.run("CONFIG", "GET", "*") else { return [:] }
            let texts = parts.map { part in
                if case .text(let text) = part { text } else { "" }
            }
            return Dictionary(
                uniqueKeysWithValues: stride(from: 0, to: texts.count, by: 2).map {
                    (texts[$0], texts[$0 + 1])
                })
        }
        for _ in 0..<2 {
            for (name, now) in try settings() where !Self.kept.contains(name) {
                for value in Self.candidates(for: name, now: now, &random) {
                    guard try client.run("CONFIG", "SET", name, value) == "OK" else { continue }
                    changed.insert(name)
                    break
                }
            }
            let before = try settings()
            #expect(try client.run("CONFIG", "REWRITE") == "OK")
            try server.stop()
            try server.restart()
            client = try server.connect()
            let after = try settings()
            for (name, value) in before { #expect(after[name] == value, "\(name)") }
        }
        // What cannot be changed while the server runs, and what asks for what is not there.
        #expect(changed.count > 130, "\(changed.count)")
    }
}
