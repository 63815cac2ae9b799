import Testing

@testable import Engine

@Suite struct ServerCommandsTests {
    private func changes(_ server: TestServer) -> Int { server.server.keyspace.counters.changes }

    // MARK: - INFO

    @Test func infoChoosesSections() {
        let server = TestServer()
        func info(_ words: String...) -> String {
            server.client.run(["INFO"] + words).text ?? ""
        }
        func titles(_ text: String) -> [String] {
            text.split(separator: "\r\n").filter { $0.hasPrefix("# ") }.map {
                String($0.dropFirst(2))
            }
        }
        let standard = [
            "Server", "Clients", "Memory", "Persistence", "Stats", "Replication", "CPU", "Modules",
            "Errorstats", "Cluster", "Keyspace",
        ]
        #expect(titles(info()) == standard)
        #expect(titles(info("default")) == standard)
        #expect(titles(info("DEFAULT", "cpu")) == standard)
        let all = [
            "Server", "Clients", "Memory", "Persistence", "Stats", "Replication", "CPU", "Modules",
            "Commandstats", "Errorstats", "Latencystats", "Cluster", "Keyspace",
        ]
        #expect(titles(info("all")) == all)
        #expect(titles(info("everything")) == all)
        #expect(titles(info("cpu", "server", "cpu")) == ["Server", "CPU"])
        #expect(titles(info("debug")) == ["Debug"])
        #expect(info("nonsense").isEmpty)
        #expect(titles(info("nonsense", "keyspace")) == ["Keyspace"])
    }

    @Test func infoIsVerbatimInRESP3() {
        let server = TestServer()
        server.client.connection.reply.isRESP3 = true
        #expect(
            server.run("INFO", "cluster") == .verbatim("txt:# Cluster\r\ncluster_enabled:0\r\n"))
    }

    // MARK: - TIME, DBSIZE, ROLE, LOLWUT

    @Test func timeIsThatOfTheClock() {
        let server = TestServer(wallMilliseconds: 1_700_000_000_123)
        #expect(server.run("TIME") == .bulks("1700000000", "123000"))
        #expect(
            server.run("TIME", "x") == .error("ERR wrong number of arguments for 'time' command"))
    }

    @Test func dbsizeCountsKeysOfOneDatabase() {
        let server = TestServer()
        #expect(server.run("DBSIZE") == 0)
        server.run("MSET", "a", "1", "b", "2")
        #expect(server.run("DBSIZE") == 2)
        server.run("SELECT", "3")
        #expect(server.run("DBSIZE") == 0)
    }

    @Test func roleIsThatOfAPrimary() {
        #expect(TestServer().run("ROLE") == .array([.bulk("master"), 0, .array([])]))
    }

    @Test func lolwutEndsWithTheVersion() {
        let server = TestServer()
        for arguments in [[], ["VERSION", "5"], ["VERSION", "6", "1", "2"], ["a", "b"]] {
            let text = server.client.run(["LOLWUT"] + arguments).text ?? ""
            #expect(text.hasSuffix("\nApus ver. 0.1.0, speaks Redis 7.4.0\n"))
        }
        #expect(
            server.run("LOLWUT", "VERSION", "x")
                == .error("ERR value is not an integer or out of range"))
    }

    // MARK: - FLUSHALL, FLUSHDB

    @Test(arguments: [[], ["ASYNC"], ["sync"]])
    func flushingRemovesEverything(_ options: [String]) {
        let server = TestServer()
        server.run("MSET", "a", "1", "b", String(repeating: "x", count: 100_000))
        server.run("SET", "c", "3", "EX", "100")
        server.run("SELECT", "1")
        server.run("SET", "d", "4")
        let before = changes(server)
        #expect(server.client.run(["FLUSHDB"] + options) == "OK")
        #expect(changes(server) == before + 1)
        #expect(server.run("DBSIZE") == 0)
        server.run("SELECT", "0")
        #expect(server.run("DBSIZE") == 3)
        #expect(server.client.run(["FLUSHALL"] + options) == "OK")
        #expect(changes(server) == before + 4)
        #expect(server.run("DBSIZE") == 0)
        #expect(server.run("GET", "a") == nil)
        #expect(server.server.keyspace[0].expiringCount == 0)
        #expect(server.server.keyspace[0].earliestDeadline == nil)
    }

    @Test func flushingTakesOneOption() {
        let server = TestServer()
        for command in ["FLUSHALL", "FLUSHDB"] {
            #expect(server.run(command, "LATER") == .error("ERR syntax error"))
            #expect(server.run(command, "SYNC", "ASYNC") == .error("ERR syntax error"))
        }
    }

    @Test func lazyFlushingFollowsTheSetting() {
        for (configuration, isLazy) in [("", false), ("lazyfree-lazy-user-flush yes", true)] {
            let server = TestServer(configuration)
            server.run("MSET", "a", "1", "b", "2")
            server.run("FLUSHALL")
            let keyspace = server.server.keyspace
            #expect(keyspace.buriedEntries == (isLazy ? 2 : 0))
            while keyspace.freeBuried(entries: 100) {}
            // Only what is freed behind the client's back is counted.
            #expect(keyspace.freedEntries == (isLazy ? 2 : 0))
        }
    }

    @Test func flushingGivesTheMemoryBack() {
        let server = TestServer()
        let keyspace = server.server.keyspace
        let arenaBefore = keyspace.arena.allocatedBytes
        for number in 0..<20_000 { server.run("SET", "key:\(number)", "some value") }
        #expect(keyspace.arena.allocatedBytes > arenaBefore + 20_000 * 24)
        server.run("FLUSHALL")
        #expect(keyspace.arena.allocatedBytes == arenaBefore)
    }

    // MARK: - SWAPDB

    @Test func swappingExchangesKeysAndDeadlines() {
        let server = TestServer()
        server.run("SET", "here", "0", "PX", "1000")
        server.run("SELECT", "1")
        server.run("SET", "there", "1")
        let before = changes(server)
        #expect(server.run("SWAPDB", "0", "1") == "OK")
        #expect(changes(server) == before + 1)
        #expect(server.run("GET", "here") == .bulk("0"))
        #expect(server.run("PTTL", "here") == 1000)
        #expect(server.run("GET", "there") == nil)
        server.advance(milliseconds: 1001)
        server.server.expireDueKeys()
        #expect(server.run("DBSIZE") == 0)
        server.run("SELECT", "0")
        #expect(server.run("GET", "there") == .bulk("1"))
        #expect(server.run("SWAPDB", "0", "0") == "OK")
        #expect(server.run("GET", "there") == .bulk("1"))
    }

    @Test func swappingRefusesWhatIsNoDatabase() {
        let server = TestServer()
        #expect(server.run("SWAPDB", "a", "1") == .error("ERR invalid first DB index"))
        #expect(server.run("SWAPDB", "0", "b") == .error("ERR invalid second DB index"))
        #expect(
            server.run("SWAPDB", "9223372036854775807", "0")
                == .error("ERR invalid first DB index"))
        #expect(server.run("SWAPDB", "0", "16") == .error("ERR DB index is out of range"))
        #expect(server.run("SWAPDB", "-1", "0") == .error("ERR DB index is out of range"))
    }
}
