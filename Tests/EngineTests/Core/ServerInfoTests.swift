import Testing

@testable import Engine

@Suite struct ServerInfoTests {
    /// Sections with their fields, in order.
    private func parse(_ text: String) -> [(title: String, fields: [(name: String, value: String)])]
    {
        var sections: [(title: String, fields: [(name: String, value: String)])] = []
        for line in text.split(separator: "\r\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("# ") {
                sections.append((String(line.dropFirst(2)), []))
            } else if let colon = line.firstIndex(of: ":"), !sections.isEmpty {
                sections[sections.count - 1].fields.append(
                    (String(line[..<colon]), String(line[line.index(after: colon)...])))
            }
        }
        return sections
    }

    private func values(_ server: TestServer, _ section: String) -> [String: String] {
        let fields = parse(server.run("INFO", section).text ?? "").first?.fields ?? []
        return Dictionary(fields.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
    }

    @Test func everyFieldOfRedisIsThereInItsOrder() {
        let server = TestServer()
        let text = (server.run("INFO", "everything", "debug").text ?? "")
        let sections = parse(text)
        #expect(!text.contains("\r\n\r\n\r\n"))
        for (title, expected) in InfoFields.sections {
            let fields = sections.first { $0.title == title }?.fields.map(\.name) ?? []
            let known = fields.filter { !["apus_version", "availability_zone"].contains($0) }
            #expect(known == expected, "section \(title)")
        }
    }

    @Test func identity() {
        let server = TestServer()
        let info = values(server, "server")
        #expect(info["redis_version"] == Version.redis)
        #expect(info["apus_version"] == Version.apus)
        #expect(info["run_id"]?.count == 40)
        #expect(values(server, "replication")["master_replid"]?.count == 40)
        server.advance(milliseconds: 90_061_000)
        #expect(values(server, "server")["uptime_in_seconds"] == "90061")
        #expect(values(server, "server")["uptime_in_days"] == "1")
    }

    @Test func memoryAddsUp() throws {
        let server = TestServer("enable-debug-command yes")
        server.run("DEBUG", "POPULATE", "10000", "k", "200")
        let info = values(server, "memory")
        func number(_ name: String) throws -> Int { try #require(info[name].flatMap { Int($0) }) }
        // Tests that run beside this one share the heap, not the arena.
        #expect(try number("used_memory") >= server.server.keyspace.arena.allocatedBytes)
        #expect(try number("used_memory_peak") >= number("used_memory"))
        #expect(try number("allocator_active") >= number("allocator_allocated"))
        #expect(try number("allocator_resident") >= number("allocator_active"))
        #expect(info["mem_allocator"] == "apus-arena")
    }

    @Test func databasesWithKeysAreListed() {
        let server = TestServer()
        #expect(values(server, "keyspace").isEmpty)
        server.run("SET", "a", "1", "PX", "3000")
        server.run("SET", "b", "2", "PX", "1000")
        server.run("SET", "c", "3")
        server.run("SELECT", "9")
        server.run("SET", "d", "4")
        #expect(
            values(server, "keyspace") == [
                "db0": "keys=3,expires=2,avg_ttl=2000,subexpiry=0",
                "db9": "keys=1,expires=0,avg_ttl=0,subexpiry=0",
            ])
    }

    // MARK: - By command and by error

    @Test func failuresAndRefusalsAreToldApart() {
        let server = TestServer("requirepass secret")
        server.run("SET", "k", "v")  // refused: not authenticated
        server.run("AUTH", "wrong")  // fails
        server.run("AUTH", "secret")
        server.run("SET", "k")  // refused: arguments
        server.run("SET", "k", "v")
        server.run("INCR", "k")  // fails
        server.run("NONE")  // no command
        server.run("OBJECT", "NONE")  // no subcommand
        let commands = values(server, "commandstats")
        func tail(_ name: String) -> String {
            (commands["cmdstat_\(name)"] ?? "").split(separator: ",").suffix(2).joined(
                separator: ",")
        }
        #expect(commands["cmdstat_set"]?.hasPrefix("calls=1,usec=") == true)
        #expect(tail("set") == "rejected_calls=2,failed_calls=0")
        #expect(tail("auth") == "rejected_calls=0,failed_calls=1")
        #expect(tail("incr") == "rejected_calls=0,failed_calls=1")
        #expect(commands["cmdstat_get"] == nil)
        #expect(
            values(server, "errorstats") == [
                "errorstat_ERR": "count=4", "errorstat_NOAUTH": "count=1",
                "errorstat_WRONGPASS": "count=1",
            ])
        #expect(values(server, "stats")["total_error_replies"] == "6")
    }

    @Test func latenciesFollowTheSettings() {
        let server = TestServer("latency-tracking-info-percentiles 0 50 99.9")
        server.run("GET", "k")
        let line = values(server, "latencystats")["latency_percentiles_usec_get"] ?? ""
        let names = line.split(separator: ",").map { $0.split(separator: "=")[0] }
        #expect(names == ["p0", "p50", "p99.9"])
        let silent = TestServer("latency-tracking no")
        silent.run("GET", "k")
        #expect(values(silent, "latencystats").isEmpty)
    }

    // MARK: - Periodic work

    @Test func largeInputIsRememberedForAWhile() {
        let server = TestServer()
        server.client.connection.inputPeak = 20_000
        server.client.connection.lastInteraction = server.server.clock.monotonicMilliseconds
        server.server.cron()
        #expect(values(server, "clients")["client_recent_max_input_buffer"] == "20000")
        for _ in 0..<10 {
            server.advance(milliseconds: 1000)
            server.client.connection.inputPeak = 0
            server.server.cron()
        }
        #expect(values(server, "clients")["client_recent_max_input_buffer"] == "0")
    }

    @Test func idleReplyBlocksAreFreed() {
        let server = TestServer()
        let pool = server.server.replyPool
        let clients = (0..<8).map { _ in server.connect() }
        for client in clients { client.send([Array("PING".utf8)]) }
        for client in clients {
            client.connection.reply.truncate(to: 0)
            pool.takeBack(client.connection.reply.takeBlock())
        }
        #expect(pool.idleBytes == 8 * ReplyBlock.standardCapacity)
        pool.shrink()
        pool.shrink()
        #expect(pool.idleBytes == 0)
    }

    @Test func peakMemoryIsKept() {
        let server = TestServer("enable-debug-command yes")
        server.run("DEBUG", "POPULATE", "5000", "k", "300")
        server.server.cron()
        let peak = server.server.statistics.peakMemory
        server.run("FLUSHALL")
        server.server.cron()
        #expect(server.server.statistics.peakMemory >= peak)
        #expect(peak > 1_500_000)
    }
}
