import Testing

@testable import Engine

@Suite struct MemoryCommandsTests {
    @Test func usageIsWhatTheKeyTakes() {
        let server = TestServer()
        let keyspace = server.server.keyspace
        server.run("SET", "short", "abc")
        server.run("SET", "long", String(repeating: "x", count: 40_000))
        let (small, large) = (
            server.run("MEMORY", "USAGE", "short"), server.run("MEMORY", "USAGE", "long")
        )
        // Header 8, key 5, value 3: a block of 16; and 8 in the table.
        #expect(small == 24)
        #expect((large.integer ?? 0) >= 40_000)
        #expect((large.integer ?? 0) < 42_000)
        #expect(server.run("MEMORY", "USAGE", "absent") == nil)
        let entry = keyspace[0].entryDueOrNot(keyspace[0].key(ByteView("short")))
        #expect(entry?.bytes == 16)
    }

    @Test func usageTakesSamples() {
        let server = TestServer()
        server.run("SET", "k", "v")
        #expect(server.run("MEMORY", "USAGE", "k", "SAMPLES", "0").integer != nil)
        #expect(server.run("MEMORY", "USAGE", "k", "samples", "5").integer != nil)
        #expect(server.run("MEMORY", "USAGE", "k", "SAMPLES") == .error("ERR syntax error"))
        #expect(server.run("MEMORY", "USAGE", "k", "SAMPLES", "-1") == .error("ERR syntax error"))
        #expect(server.run("MEMORY", "USAGE", "k", "WHAT", "1") == .error("ERR syntax error"))
        #expect(
            server.run("MEMORY", "USAGE", "k", "SAMPLES", "x")
                == .error("ERR value is not an integer or out of range"))
        #expect(
            server.run("MEMORY", "USAGE")
                == .error("ERR wrong number of arguments for 'memory|usage' command"))
    }

    @Test func figuresAddUp() throws {
        let server = TestServer("enable-debug-command yes")
        server.run("DEBUG", "POPULATE", "10000", "key", "100")
        server.run("PEXPIRE", "key:1", "5000")
        server.client.connection.reply.isRESP3 = true
        guard case .map(let parts) = server.run("MEMORY", "STATS") else {
            Issue.record("no map")
            return
        }
        var stats: [String: Reply] = [:]
        for index in stride(from: 0, to: parts.count, by: 2) {
            stats[try #require(parts[index].text)] = parts[index + 1]
        }
        func number(_ name: String) throws -> Int64 { try #require(stats[name]?.integer) }
        #expect(try number("peak.allocated") >= number("total.allocated"))
        #expect(try number("keys.count") == 10_000)
        guard case .map(let tables) = try #require(stats["db.0"]) else {
            Issue.record("no figures of database 0")
            return
        }
        #expect(tables.count == 4)
        #expect(
            try number("overhead.db.hashtable.lut")
                == (tables[1].integer ?? 0) + (tables[3].integer ?? 0))
        #expect(
            try number("overhead.total")
                >= number("startup.allocated") + number("overhead.db.hashtable.lut"))
    }

    @Test func reportsAreDivided() {
        var report = MemoryReport()
        (report.startup, report.used, report.peak) = (1000, 11_000, 22_000)
        (report.clients, report.pool) = (300, 200)
        report.tables = [
            MemoryReport.Tables(database: 0, keys: 100, mainBytes: 400, deadlineBytes: 100)
        ]
        #expect(report.overhead == 2000)
        #expect(report.dataset == 9000)
        #expect(report.datasetPercent == 90)
        #expect(report.peakPercent == 50)
        #expect(report.bytesPerKey == 100)
        #expect(MemoryReport().datasetPercent == 0)
        #expect(MemoryReport().bytesPerKey == 0)
    }

    @Test func adviceFollowsTheFigures() {
        let megabyte = 1 << 20
        var report = MemoryReport()
        report.used = megabyte
        #expect(MemoryCommands.advice(report, clients: 1).contains("hardly any data"))
        (report.used, report.peak, report.allocated) = (
            100 * megabyte, 100 * megabyte, 100 * megabyte
        )
        (report.active, report.reserved, report.resident) =
            (100 * megabyte, 100 * megabyte, 100 * megabyte)
        #expect(MemoryCommands.advice(report, clients: 1) == "No trouble with memory was found.\n")
        report.peak = 200 * megabyte
        #expect(MemoryCommands.advice(report, clients: 1).contains(" * Peak:"))
        report.reserved = 180 * megabyte
        #expect(MemoryCommands.advice(report, clients: 1).contains(" * Reserve:"))
        report.clients = 50 * megabyte
        #expect(MemoryCommands.advice(report, clients: 10).contains(" * Clients:"))
        #expect(!MemoryCommands.advice(report, clients: 1000).contains(" * Clients:"))
    }

    @Test func purgeGivesBackWhatLiesReady() {
        let server = TestServer("enable-debug-command yes")
        let arena = server.server.keyspace.arena
        server.run("DEBUG", "POPULATE", "20000")
        server.run("FLUSHALL")
        #expect(arena.reserveBytes > 0)
        #expect(server.run("MEMORY", "PURGE") == "OK")
        #expect(arena.reserveBytes == 0)
    }

    @Test func reportsAreText() {
        let server = TestServer()
        #expect(server.run("MEMORY", "MALLOC-STATS").text?.contains("committed:") == true)
        #expect(server.run("MEMORY", "DOCTOR").text?.isEmpty == false)
        #expect(server.run("MEMORY", "HELP").elements.last == "    Prints this help.")
        #expect(
            server.run("MEMORY", "NONE")
                == .error("ERR unknown subcommand 'NONE'. Try MEMORY HELP."))
    }
}
