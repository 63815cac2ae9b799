import Foundation
import Testing

/// The append-only file of the real server: what was acknowledged is there after a crash, however the
/// disk behaves.
@Suite struct AppendOnlyFilesTests {
    /// Without syncs no write waits for one to end.
    private static let configuration =
        "appendonly yes\nappendfsync no\nenable-debug-command yes"
    private static let always = "appendonly yes\nappendfsync always\nenable-debug-command yes"

    private func increment(_ server: ServerProcess, _ number: Int = 1) -> URL {
        server.file("appendonlydir/appendonly.aof.\(number).incr.aof")
    }

    private func manifest(_ server: ServerProcess) throws -> String {
        try String(
            contentsOf: server.file("appendonlydir/appendonly.aof.manifest"), encoding: .utf8)
    }

    private func crash(_ server: ServerProcess) throws {
        server.kill(SIGKILL)
        try server.waitForEnd()
    }

    private func waitForRewrite(_ server: ServerProcess, _ times: Int = 1) throws {
        try wait("the rewrite ends") {
            server.log.components(separatedBy: "AOF rewrite finished successfully").count > times
        }
    }

    /// Values of every type, in some databases, with and without deadlines.
    private func fill(_ client: Client, _ round: Int = 0) throws {
        for number in 0..<100 {
            try client.run("SET", "string:\(number)", "value \(round)")
            try client.run("RPUSH", "list", "\(number)")
            try client.run("SADD", "set", "member \(number)", "\(number)")
            try client.run("HSET", "hash", "field \(number)", "\(round)")
            try client.run("ZADD", "sorted", "\(number).5", "member \(number)")
            try client.run("XADD", "stream", "*", "field", "\(number)")
            try client.run("INCRBYFLOAT", "sum", "0.1")
        }
        try client.run("SPOP", "set", "20")
        try client.run("XGROUP", "CREATE", "stream", "group\(round)", "0")
        try client.run(
            "XREADGROUP", "GROUP", "group\(round)", "c", "COUNT", "5", "STREAMS", "stream", ">")
        try client.run("SETEX", "leaving", "9999", "v")
        try client.run("SELECT", "3")
        try client.run("SET", "elsewhere", "\(round)")
        try client.run("SELECT", "0")
    }

    // MARK: - Crashes

    @Test func `a killed process loses nothing that was written`() throws {
        let server = try ServerProcess(Self.configuration)
        try fill(try server.connect())
        let digest = try server.connect().run("DEBUG", "DIGEST")
        try crash(server)
        try server.restart()
        #expect(try server.connect().run("DEBUG", "DIGEST") == digest)
        #expect(try server.connect().run("DEBUG", "LOADAOF") == "OK")
        #expect(try server.connect().run("DEBUG", "DIGEST") == digest)
    }

    /// The default user, as whom nobody speaks when the file is loaded, may do nothing.
    @Test(arguments: [
        "user default off\nuser app on nopass ~* &* +@all", "requirepass secret",
        "user default on nopass ~none -@all +auth\nuser app on nopass ~* &* +@all",
        "maxmemory 1\nuser app on nopass ~* &* +@all", "replicaof 127.0.0.1 1",
        "min-replicas-to-write 1\nmaxmemory-clients 1\nproto-max-bulk-len 1mb",
    ])
    func `what a restart restricts is there all the same`(restriction: String) throws {
        let server = try ServerProcess(Self.configuration)
        let client = try server.connect()
        try fill(client)
        try client.run("MULTI")
        try client.run("SET", "in a transaction", "v")
        try client.run("RPUSH", "list", String(repeating: "x", count: 2_000_000))
        try client.run("LPOP", "list")
        try client.run("EXEC")
        let digest = try client.run("DEBUG", "DIGEST")
        try crash(server)
        try server.configure(Self.configuration + "\n" + restriction)
        try server.restart()
        let again = try server.connect()
        if restriction.contains("user app") {
            try again.run("AUTH", "app", "x")
        } else if restriction.hasPrefix("requirepass") {
            try again.run("AUTH", "secret")
        }
        #expect(try again.run("DEBUG", "DIGEST") == digest)
        #expect(!server.log.contains("CRITICAL"))
    }

    @Test func `a file that ends inside a transaction is cut before it`() throws {
        let server = try ServerProcess(Self.configuration)
        let client = try server.connect()
        try client.run("SET", "a", "1")
        try client.run("MULTI")
        try client.run("SET", "b", "2")
        try client.run("SET", "c", "3")
        try client.run("EXEC")
        try crash(server)
        let whole = try Data(contentsOf: increment(server))
        let start = try #require(whole.range(of: Data("*1\r\n$5\r\nMULTI".utf8))).lowerBound
        for length in [whole.count - 1, whole.count - 14, start + 20, start + 15, start + 5] {
            try whole.prefix(length).write(to: increment(server))
            try server.restart()
            let client = try server.connect()
            #expect(try client.run("GET", "a") == "1")
            #expect(try client.run("EXISTS", "b", "c") == 0, "cut to \(length)")
            #expect(server.log.contains("Truncating the AOF"))
            try crash(server)
            #expect(try Data(contentsOf: increment(server)) == whole.prefix(start))
        }
    }

    @Test func `a broken file stops the start and is left as it is`() throws {
        let server = try ServerProcess(Self.configuration + "\naof-load-truncated no")
        try server.connect().run("SET", "a", "1")
        try crash(server)
        let whole = try Data(contentsOf: increment(server))
        for (bytes, complaint) in [
            (whole.dropLast(), "Unexpected end of file reading the append only file"),
            (whole + Data("!!!".utf8), "Bad file format reading the append only file"),
            (whole + Data("*1\r\n$5\r\nBOGUS\r\n".utf8), "Unknown command 'BOGUS'"),
        ] {
            try bytes.write(to: increment(server))
            #expect(throws: Trouble.self) { try server.restart() }
            #expect(server.log.contains(complaint))
            if !complaint.hasPrefix("Unknown") {
                let manifest = server.file("appendonlydir/appendonly.aof.manifest").path
                #expect(server.log.contains("'apus-check-aof --fix \(manifest)'"))
                #expect(server.log.contains(" at offset "))
            }
            #expect(try Data(contentsOf: increment(server)) == bytes)
        }
        try FileManager.default.removeItem(at: increment(server))
        #expect(throws: Trouble.self) { try server.restart() }
    }

    // MARK: - Rewriting

    @Test(arguments: ["yes", "no"])
    func `a rewrite starts from what there is, and loses nothing`(_ preamble: String) throws {
        let server = try ServerProcess(
            Self.configuration + "\naof-use-rdb-preamble \(preamble)\nrdb-key-save-delay 500")
        let client = try server.connect()
        try fill(client)
        #expect(
            try client.run("BGREWRITEAOF") == "Background append only file rewriting started")
        try fill(client, 1)
        try waitForRewrite(server)
        #expect(
            try manifest(server) == """
                file appendonly.aof.2.base.\(preamble == "yes" ? "rdb" : "aof") seq 2 type b
                file appendonly.aof.2.incr.aof seq 2 type i

                """)
        let digest = try client.run("DEBUG", "DIGEST")
        try crash(server)
        try server.restart()
        #expect(try server.connect().run("DEBUG", "DIGEST") == digest)
    }

    /// Long enough for a second thread to read ahead of what is loaded.
    @Test func `requests may follow a long snapshot in one file`() throws {
        var random = SeededRandom.make()
        let server = try ServerProcess(Self.configuration)
        let client = try server.connect()
        for number in 0..<150 {
            let text = (0..<1000).map { _ in String(random.next(), radix: 16) }.joined()
            try client.run("SET", "text:\(number)", text)
        }
        #expect(try client.run("SAVE") == "OK")
        let digest = try client.run("DEBUG", "DIGEST")
        try crash(server)
        var base = try Data(contentsOf: server.file("dump.rdb"))
        #expect(base.count > 3 << 19)
        for word in ["lost", "it"] {
            base.append(contentsOf: Client.bytes(of: ["SET", "behind", word]))
        }
        try base.write(to: server.file("appendonlydir/appendonly.aof.1.base.rdb"))
        try Data().write(to: increment(server))
        try server.restart()
        let again = try server.connect()
        #expect(try again.run("GET", "behind") == "it")
        try again.run("DEL", "behind")
        #expect(try again.run("DEBUG", "DIGEST") == digest)
    }

    @Test func `the file is switched on and off while the server runs`() throws {
        let server = try ServerProcess("enable-debug-command yes")
        let client = try server.connect()
        try fill(client)
        #expect(try client.run("CONFIG", "SET", "appendonly", "yes") == "OK")
        try fill(client, 1)
        try waitForRewrite(server)
        let digest = try client.run("DEBUG", "DIGEST")
        #expect(try client.run("DEBUG", "LOADAOF") == "OK")
        #expect(try client.run("DEBUG", "DIGEST") == digest)
        #expect(try client.run("CONFIG", "SET", "appendonly", "no") == "OK")
        try client.run("SET", "not", "there")
        #expect(try client.run("DEBUG", "LOADAOF") == "OK")
        #expect(try client.run("DEBUG", "DIGEST") == digest)
    }

    @Test func `a child forked right after the start ends`() throws {
        // The background thread is at its first steps then, in which the runtime takes locks.
        for _ in 0..<10 {
            let server = try ServerProcess(Self.always)
            let client = try server.connect()
            try client.run("SET", "k", "v")
            try client.run("BGREWRITEAOF")
            try waitForRewrite(server, 0)
            server.kill(SIGKILL)
            try server.waitForEnd()
        }
    }

    @Test func `a file that has grown is rewritten`() throws {
        let server = try ServerProcess(Self.configuration + "\nauto-aof-rewrite-min-size 20kb")
        let client = try server.connect()
        for _ in 0..<400 { try client.run("SET", "k", String(repeating: "v", count: 100)) }
        try waitForRewrite(server)
        #expect(server.log.contains("Starting automatic rewriting of AOF on"))
        #expect(try client.run("GET", "k") == .text(String(repeating: "v", count: 100)))
    }

    // MARK: - Disks that fail

    @Test(.enabled(if: Strace.isUsable, Strace.absence))
    func `a full disk refuses writes until there is room`() throws {
        let folder = try ServerProcess.freshFolder()
        let path = folder.appending(path: "appendonlydir/appendonly.aof.1.incr.aof").path
        let server = try ServerProcess(
            Self.configuration,
            wrapper: Strace.wrapper(
                "trace=write", "inject=write:error=ENOSPC:when=2..3", file: path), folder: folder)
        let client = try server.connect()
        #expect(try client.run("SET", "a", "1") == "OK")
        try client.run("SET", "b", "2")
        let refusal = Answer.error(
            "MISCONF Errors writing to the AOF file: No space left on device")
        #expect(try client.run("SET", "c", "3") == refusal)
        #expect(try client.run("GET", "b") == "2")
        try wait("there is room") { try client.run("SET", "d", "4") == "OK" }
        let digest = try client.run("DEBUG", "DIGEST")
        #expect(server.log.contains("AOF write error looks solved"))
        try crash(server)
        let again = try ServerProcess(Self.configuration, folder: folder)
        #expect(try again.connect().run("DEBUG", "DIGEST") == digest)
        #expect(!again.log.contains("short read"))
    }

    // MARK: - Older servers

    @Test func `a file of the time before manifests becomes the base`() throws {
        let folder = try ServerProcess.freshFolder()
        let old = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\nold\r\n"
        try Data(old.utf8).write(to: folder.appending(path: "appendonly.aof"))
        let server = try ServerProcess(Self.configuration, folder: folder)
        let client = try server.connect()
        #expect(try client.run("GET", "k") == "old")
        #expect(
            try manifest(server) == """
                file appendonly.aof seq 1 type b
                file appendonly.aof.1.incr.aof seq 1 type i

                """)
        try client.run("SET", "k", "new")
        try crash(server)
        try server.restart()
        #expect(try server.connect().run("GET", "k") == "new")
    }

    @Test func `who waits for a file that is switched off is told so`() throws {
        let server = try ServerProcess("appendonly yes\nappendfsync no")
        let (waiting, other) = (try server.connect(), try server.connect())
        try waiting.run("SET", "k", "v")
        try waiting.send(["WAITAOF", "1", "0", "0"])
        try wait("the client waits") {
            try other.run("INFO", "clients").text?.contains("blocked_clients:1") == true
        }
        #expect(try other.run("CONFIG", "SET", "appendonly", "no") == "OK")
        let text = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
        #expect(try waiting.read() == .error(text))
        #expect(try waiting.run("PING") == "PONG")
    }
}
