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
        let used = try number("total.allocated")
        #expect(try number("overhead.total") + number("dataset.bytes") == used)
        #expect(try number("keys.count") == 10_000)
        #expect(try number("keys.bytes-per-key") >= 120)
        #expect(try number("peak.allocated") >= used)
        #expect(try number("dataset.bytes") > 10_000 * 110)
        guard case .map(let tables) = try #require(stats["db.0"]) else {
            Issue.record("no figures of database 0")
            return
        }
        #expect(tables.count == 4)
        #expect(
            try number("overhead.db.hashtable.lut")
                == (tables[1].integer ?? 0) + (tables[3].integer ?? 0))
        #expect(stats["dataset.percentage"]?.text.flatMap { Double($0) }.map { $0 <= 100 } == true)
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
        #expect(server.run("MEMORY", "DOCTOR").text?.contains("hardly any data") == true)
        #expect(server.run("MEMORY", "HELP").elements.last == "    Prints this help.")
        #expect(
            server.run("MEMORY", "NONE")
                == .error("ERR unknown subcommand 'NONE'. Try MEMORY HELP."))
    }
}
