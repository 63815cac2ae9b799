import Foundation
import Testing

/// Snapshots of the real server: written, found again, and exchanged with Redis.
@Suite struct SnapshotFilesTests {
    /// Values of every type and of compact and large encodings, some with deadlines.
    private func fill(_ client: Client) throws {
        for number in 0..<300 {
            try client.run(
                "SET", "string:\(number)", String(repeating: "value", count: number % 40))
            try client.run("RPUSH", "list", "element \(number)")
            try client.run("SADD", "set", "member \(number)")
            try client.run("SADD", "integers", "\(number * 7)")
            try client.run("HSET", "hash", "field \(number)", "\(number)")
            try client.run("ZADD", "sorted", "\(number).5", "member \(number)")
        }
        for name in ["a", "b", "", "17", "-9223372036854775808"] {
            try client.run("RPUSH", "small list", name)
            try client.run("SADD", "small set", name)
            try client.run("HSET", "small hash", name, name)
            try client.run("ZADD", "small sorted", "1", name)
        }
        try client.run("RPUSH", "long", String(repeating: "x", count: 70_000))
        try client.run("SET", "integer", "-12345")
        try client.run("SET", "leaving", "v", "PX", "9999999")
        try client.run("SELECT", "3")
        try client.run("SET", "elsewhere", "v")
        try client.run("SELECT", "0")
    }

    @Test func `a snapshot outlives the server`() throws {
        let server = try ServerProcess("dbfilename data.rdb\nenable-debug-command yes")
        var client = try server.connect()
        try fill(client)
        let digest = try client.run("DEBUG", "DIGEST")
        #expect(try client.run("SAVE") == "OK")
        server.kill(SIGKILL)
        try server.waitForEnd()
        try server.restart()
        client = try server.connect()
        #expect(try client.run("DEBUG", "DIGEST") == digest)
        #expect(server.log.contains("DB loaded from disk"))
        #expect(server.log.contains("keys loaded: 313, keys expired: 0."))
    }

    @Test func `a background save leaves the server serving`() throws {
        let server = try ServerProcess("rdb-key-save-delay 1000\nenable-debug-command yes")
        let client = try server.connect()
        try fill(client)
        let digest = try client.run("DEBUG", "DIGEST")
        #expect(try client.run("BGSAVE") == "Background saving started")
        #expect(
            try client.run("BGSAVE") == .error("ERR Background save already in progress"))
        #expect(try client.run("SAVE") == .error("ERR Background save already in progress"))
        try client.run("SET", "later", "not in it")
        try wait("the child succeeds") {
            server.log.contains("Background saving terminated with success")
        }
        #expect(FileManager.default.fileExists(atPath: server.file("dump.rdb").path))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: server.folder.path)
                .filter { $0.hasPrefix("temp-") } == [])
        server.kill(SIGKILL)
        try server.waitForEnd()
        try server.restart()
        let again = try server.connect()
        #expect(try again.run("EXISTS", "later") == 0)
        #expect(try again.run("DEBUG", "DIGEST") == digest)
    }

    /// A field of INFO.
    private func field(_ name: String, _ client: Client) throws -> String {
        guard case .text(let text) = try client.run("INFO", "everything") else { return "" }
        let line = text.split(separator: "\r\n")
            .first { $0.hasPrefix(name + ":") }
        return String(line?.dropFirst(name.count + 1) ?? "")
    }

    @Test func `INFO tells how far the child is, and what it has copied`() throws {
        let server = try ServerProcess("rdb-key-save-delay 20000")
        let client = try server.connect()
        for number in 0..<100 { try client.run("SET", "key:\(number)", "1") }
        #expect(try field("rdb_changes_since_last_save", client) == "100")
        try client.run("BGSAVE")
        #expect(try field("rdb_bgsave_in_progress", client) == "1")
        #expect(try field("current_save_keys_total", client) == "100")
        #expect(try field("latest_fork_usec", client) != "0")
        try wait("the child reports") {
            (try? field("current_save_keys_processed", client)) != "0"
        }
        #expect(try field("current_cow_size", client) != "0")
        try client.run("SET", "after", "1")
        try client.run("CONFIG", "SET", "rdb-key-save-delay", "0")
        try wait("the child succeeds") {
            server.log.contains("Background saving terminated with success")
        }
        #expect(try field("rdb_bgsave_in_progress", client) == "0")
        #expect(try field("rdb_changes_since_last_save", client) == "1")
        #expect(try field("rdb_last_cow_size", client) != "0")
        #expect(try field("current_save_keys_total", client) == "0")
    }

    @Test func `the child gives back what it has written`() throws {
        let server = try ServerProcess("rdb-key-save-delay 20000\nenable-debug-command yes")
        let client = try server.connect()
        let text = String(repeating: "a long text ", count: 200)
        for number in 0..<20 {
            try client.run("SET", "string:\(number)", String(repeating: text, count: 100))
            for element in 0..<100 {
                try client.run("RPUSH", "list:\(number)", text)
                try client.run("HSET", "hash:\(number)", "field:\(element)", text)
                try client.run("ZADD", "zset:\(number)", "\(element)", "\(element) \(text)")
                try client.run("XADD", "stream:\(number)", "*", "field", text)
            }
        }
        let bytes = 5 * 20 * 100 * text.utf8.count
        let digest = try client.run("DEBUG", "DIGEST")
        try client.run("BGSAVE")
        // What the parent has no more is the child's alone, and counts as copied.
        for number in 0..<20 {
            try client.run(
                "DEL", "string:\(number)", "list:\(number)", "hash:\(number)",
                "zset:\(number)", "stream:\(number)")
        }
        #expect(try field("rdb_bgsave_in_progress", client) == "1")
        try wait("the child succeeds") {
            server.log.contains("Background saving terminated with success")
        }
        let copied = try #require(Int(try field("rdb_last_cow_size", client)))
        #expect(copied < bytes / 4)
        server.kill(SIGKILL)
        try server.waitForEnd()
        try server.restart()
        #expect(try server.connect().run("DEBUG", "DIGEST") == digest)
    }

    @Test func `who comes while a snapshot loads is told to wait`() throws {
        let server = try ServerProcess(
            "rdbcompression no\nkey-load-delay 500\nloading-process-events-interval-bytes 1024\n"
                + "enable-debug-command yes")
        var client = try server.connect()
        try client.run("DEBUG", "POPULATE", "20000", "key", "100")
        try client.run("SAVE")
        server.kill(SIGKILL)
        try server.waitForEnd()
        try server.restart(waitingFor: "Server initialized")
        client = try server.connect()
        #expect(try field("loading", client) == "1")
        #expect(
            try client.run("GET", "key:1")
                == .error("LOADING Redis is loading the dataset in memory"))
        #expect(
            try client.run("CONFIG", "SET", "appendonly", "yes")
                == .error("LOADING Redis is loading the dataset in memory"))
        #expect(try field("loading_total_bytes", client) != "0")
        #expect(try field("loading_loaded_bytes", client) != "")
        #expect(try client.run("CONFIG", "SET", "key-load-delay", "0") == "OK")
        server.kill(SIGTERM)
        try server.waitForEnd()
        #expect(!server.log.contains("Ready to accept connections"))
        #expect(FileManager.default.fileExists(atPath: server.file("dump.rdb").path))
    }

    @Test func `a save that fails at the end leaves nothing behind`() throws {
        let server = try ServerProcess("dbfilename taken\nsave 3600 1")
        let client = try server.connect()
        try FileManager.default.createDirectory(
            at: server.file("taken"), withIntermediateDirectories: false)
        try client.run("SET", "key", "1")
        #expect(try client.run("SAVE") == .error("ERR"))
        try client.run("BGSAVE")
        try wait("the child fails") { server.log.contains("Background saving error") }
        guard case .error(let text) = try client.run("SET", "key", "2") else {
            Issue.record("a write went through")
            return
        }
        #expect(text.hasPrefix("MISCONF"))
        try client.run("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
        #expect(try client.run("SET", "key", "2") == "OK")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: server.folder.path)
                .filter { $0.hasPrefix("temp-") } == [])
        try FileManager.default.removeItem(at: server.file("taken"))
        #expect(try client.run("SAVE") == "OK")
        try client.run("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes")
        #expect(try client.run("SET", "key", "3") == "OK")
        try client.run("CONFIG", "SET", "save", "")
    }

    @Test func `SIGTERM is taken back by SHUTDOWN ABORT while it waits`() throws {
        let server = try ServerProcess("enable-debug-command yes")
        let client = try server.connect()
        try client.run("DEBUG", "PAUSE-CRON", "1")
        server.kill(SIGTERM)
        try wait("the signal is taken note of") { server.log.contains("Received SIGTERM") }
        #expect(try client.run("SHUTDOWN", "ABORT") == "OK")
        try client.run("DEBUG", "PAUSE-CRON", "0")
        #expect(try client.run("PING") == "PONG")
    }

    /// A server that saves so many keys in the background, slowly: the child, and the file before.
    private func saving(_ keys: Int) throws -> (server: ServerProcess, child: Int32, before: Data) {
        let server = try ServerProcess("rdb-key-save-delay 100000")
        let client = try server.connect()
        #expect(try client.run("SAVE") == "OK")
        let before = try Data(contentsOf: server.file("dump.rdb"))
        for number in 0..<keys { try client.run("SET", "new:\(number)", "1") }
        try client.run("BGSAVE")
        let line = try #require(
            server.log.split(separator: "\n").last { $0.contains("saving started by pid") })
        let child = try #require(line.split(separator: " ").last.flatMap { Int32($0) })
        return (server, child, before)
    }

    @Test func `a killed child leaves the old snapshot`() throws {
        let (server, child, before) = try saving(50)
        kill(child, SIGKILL)
        try wait("the child's end is noted") {
            server.log.contains("Background saving terminated by signal 9")
        }
        #expect(try Data(contentsOf: server.file("dump.rdb")) == before)
        let info = try ServerProcess.run([
            "redis-cli", "-p", "\(server.port)", "INFO", "persistence",
        ])
        #expect(info.output.contains("rdb_last_bgsave_status:err"))
    }

    /// Few keys are written before the child would report for the first time.
    @Test(arguments: [5, 1000])
    func `a child whose parent is killed ends and leaves the old snapshot`(keys: Int) throws {
        let (server, child, before) = try saving(keys)
        defer { kill(child, SIGKILL) }
        server.kill(SIGKILL)
        try server.waitForEnd()
        try wait("the child ends") {
            let status = try? String(contentsOfFile: "/proc/\(child)/status", encoding: .utf8)
            return status?.contains("State:\tZ") ?? true
        }
        #expect(try Data(contentsOf: server.file("dump.rdb")) == before)
    }

    @Test func `a broken snapshot stops the start`() throws {
        let server = try ServerProcess()
        let client = try server.connect()
        try client.run("SET", "key", "value")
        try client.run("SAVE")
        try server.stop()
        var bytes = try Data(contentsOf: server.file("dump.rdb"))
        bytes[bytes.count / 2] ^= 0xFF
        try bytes.write(to: server.file("dump.rdb"))
        #expect(throws: Trouble.self) { try server.restart() }
        #expect(server.output.contains("Fatal error loading the DB"))
    }

    @Test func `what is wrong with a snapshot is told with its place, and what to do`() throws {
        let server = try ServerProcess()
        let client = try server.connect()
        try client.run("RPUSH", "list of alice", "a", "b")
        try client.run("SAVE")
        try server.stop()
        let file = server.file("dump.rdb")
        let bytes = try Data(contentsOf: file)
        let key = try #require(bytes.range(of: Data("list of alice".utf8)))
        try bytes.prefix(upTo: key.upperBound + 2).write(to: file)
        #expect(throws: Trouble.self) { try server.restart() }
        let place = "Internal error in RDB reading offset "
        #expect(server.output.contains(place))
        #expect(server.output.contains("(value of key 'list of alice') -> Unexpected EOF"))
        #expect(server.output.contains("'apus-check-rdb \(file.path)' tells how far it is sound"))
        try server.configure("hide-user-data-from-log yes")
        #expect(throws: Trouble.self) { try server.restart() }
        #expect(server.output.contains("(value of key '*redacted*') -> Unexpected EOF"))
        #expect(!server.output.contains("alice"))
    }
}
