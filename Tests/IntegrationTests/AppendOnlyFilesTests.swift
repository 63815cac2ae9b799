import Foundation
import Testing

/// The append-only file of the real server: what was acknowledged is there after a crash, however the
/// disk behaves.
@Suite struct AppendOnlyFilesTests {
    private static let redisServer = "/usr/bin/redis-server"
    private static let strace = "/usr/bin/strace"

    private static func has(_ program: String) -> Bool {
        FileManager.default.isExecutableFile(atPath: program)
    }

    /// Without syncs no write waits for one to end.
    private static let configuration =
        "appendonly yes\nappendfsync no\nenable-debug-command yes"
    private static let everySecond = "appendonly yes\nenable-debug-command yes"
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

    @Test func `with always everything acknowledged is there after kill -9`() throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("kill -9: SEED=\(seed)")
        var random = Steps(state: seed)
        let server = try ServerProcess(Self.always)
        var acknowledged = 0
        for round in 0..<30 {
            let client = try server.connect()
            let killer = try ServerProcess.spawn(
                ["/bin/sh", "-c", "sleep 0.0\(random.below(90) + 10); kill -9 \(server.process)"],
                environment: [:], output: "/dev/null")
            while case .integer(let count)? = try? client.run("RPUSH", "l", "\(acknowledged)") {
                acknowledged += 1
                #expect(count == acknowledged)
            }
            var status: Int32 = 0
            waitpid(killer, &status, 0)
            try server.waitForEnd()
            try server.restart()
            guard case .list(let elements) = try server.connect().run("LRANGE", "l", "0", "-1")
            else {
                Issue.record("no list, seed \(seed), round \(round)")
                return
            }
            // The one that was under way may be there or not.
            #expect(
                elements.count == acknowledged || elements.count == acknowledged + 1,
                "seed \(seed), round \(round)")
            #expect(elements == (0..<elements.count).map { .text("\($0)") })
            acknowledged = elements.count
        }
        #expect(acknowledged > 30)
    }

    private struct Steps {
        var state: UInt64
        mutating func below(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
    }

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

    @Test(.enabled(if: has(strace), "strace is not installed"))
    func `after a failed sync only a rewritten file is trusted`() throws {
        let server = try ServerProcess(
            Self.everySecond,
            wrapper: [
                Self.strace, "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e",
                "inject=fdatasync:error=EIO:when=1",
            ])
        let client = try server.connect()
        try fill(client)
        try wait("the sync fails") { server.log.contains("Fail to fsync the AOF file") }
        try wait("a rewritten file is there") { server.log.contains("The server can write again") }
        try client.run("SET", "after", "1")
        let digest = try client.run("DEBUG", "DIGEST")
        try wait("everything is written") {
            try client.run("INFO", "persistence").text?.contains("aof_buffer_length:0") ?? false
        }
        try crash(server)
        let files = try manifest(server)
        #expect(!files.contains("appendonly.aof.1.base.rdb"), "\(files)")
        let again = try ServerProcess(Self.configuration, folder: server.folder)
        #expect(try again.connect().run("DEBUG", "DIGEST") == digest)
    }

    @Test(.enabled(if: has(strace), "strace is not installed"))
    func `with always a failed sync ends the server before it answers`() throws {
        let server = try ServerProcess(
            Self.always,
            wrapper: [
                Self.strace, "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e",
                "inject=fdatasync:error=EIO:when=2",
            ])
        let client = try server.connect()
        #expect(try client.run("SET", "a", "1") == "OK")
        #expect(throws: (any Error).self) { try client.run("SET", "b", "2") }
        #expect(try server.waitForEnd() == .exited(1))
    }

    @Test(.enabled(if: has(strace), "strace is not installed"))
    func `a full disk refuses writes until there is room`() throws {
        let folder = try ServerProcess.freshFolder()
        let path = folder.appending(path: "appendonlydir/appendonly.aof.1.incr.aof").path
        let server = try ServerProcess(
            Self.configuration,
            wrapper: [
                Self.strace, "-D", "-f", "-qq", "-o", "/dev/null", "-P", path, "-e", "trace=write",
                "-e", "inject=write:error=ENOSPC:when=2..3",
            ], folder: folder)
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

    // MARK: - Redis

    @Test(.enabled(if: has(redisServer), "redis-server is not installed"))
    func `Redis continues our file, and we continue its`() throws {
        let ours = try ServerProcess(Self.everySecond)
        try fill(try ours.connect())
        let digest = try ours.connect().run("DEBUG", "DIGEST")
        try ours.stop()
        let port = try ServerProcess.freePort()
        let output = ours.file("redis.log")
        let process = try ServerProcess.spawn(
            [
                Self.redisServer, "--port", "\(port)", "--dir", ours.folder.path, "--save", "",
                "--enable-debug-command", "yes", "--appendonly", "yes",
            ], environment: [:], output: output.path)
        func end() {
            kill(process, SIGKILL)
            var status: Int32 = 0
            waitpid(process, &status, 0)
        }
        do {
            try wait("Redis is ready") {
                (try? String(contentsOf: output, encoding: .utf8))?
                    .contains("eady to accept connections") ?? false
            }
            let redis = try Client(port: port)
            #expect(try redis.run("DEBUG", "DIGEST") == digest)
            try fill(redis, 1)
            let changed = try redis.run("DEBUG", "DIGEST")
            end()
            try ours.restart()
            #expect(try ours.connect().run("DEBUG", "DIGEST") == changed)
        } catch {
            end()
            throw error
        }
    }

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
}
