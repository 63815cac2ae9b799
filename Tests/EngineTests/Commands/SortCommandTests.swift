import Testing

@testable import Engine

@Suite struct SortCommandTests {
    private func server() -> TestServer {
        let server = TestServer()
        server.run("RPUSH", "list", "3", "1", "2", "10")
        server.run("SADD", "set", "3", "1", "2", "10")
        server.run("ZADD", "ranked", "1", "3", "2", "1", "3", "2", "4", "10")
        server.run("MSET", "w_1", "30", "w_2", "20", "w_3", "10", "w_10", "0")
        for member in ["1", "2", "3"] {
            server.run("HSET", "h_\(member)", "name", "n\(member)", "weight", "-\(member)")
        }
        return server
    }

    @Test func everyTypeIsSorted() {
        let server = server()
        for key in ["list", "set", "ranked"] {
            #expect(server.run("SORT", key) == .bulks("1", "2", "3", "10"))
            #expect(server.run("SORT_RO", key, "DESC") == .bulks("10", "3", "2", "1"))
            #expect(server.run("SORT", key, "ALPHA") == .bulks("1", "10", "2", "3"))
            #expect(server.run("SORT", key, "BY", "w_*") == .bulks("10", "3", "2", "1"))
            #expect(server.run("SORT", key, "LIMIT", "1", "2") == .bulks("2", "3"))
        }
        #expect(server.run("SORT", "absent") == .array([]))
    }

    @Test func constantWeightsKeepTheOrder() {
        let server = server()
        #expect(server.run("SORT", "list", "BY", "no") == .bulks("3", "1", "2", "10"))
        #expect(
            server.run("SORT", "list", "BY", "no", "DESC", "LIMIT", "1", "2") == .bulks("2", "1"))
        #expect(server.run("SORT", "ranked", "BY", "no", "DESC") == .bulks("10", "2", "1", "3"))
        #expect(
            server.run("SORT", "ranked", "BY", "no", "LIMIT", "2", "100") == .bulks("2", "10"))
        // A set has no order: what is stored is sorted all the same.
        #expect(server.run("SORT", "set", "BY", "no", "STORE", "d") == 4)
        #expect(server.run("LRANGE", "d", "0", "-1") == .bulks("1", "10", "2", "3"))
    }

    @Test func patternsLeadElsewhere() {
        let server = server()
        #expect(
            server.run(
                "SORT", "list", "GET", "#", "GET", "w_*", "GET", "h_*->name", "LIMIT", "2", "2")
                == [.bulk("3"), .bulk("10"), .bulk("n3"), .bulk("10"), .bulk("0"), nil])
        #expect(
            server.run("SORT", "list", "BY", "h_*->weight", "LIMIT", "0", "2") == .bulks("3", "2"))
        #expect(server.run("SORT", "list", "GET", "w_1", "LIMIT", "0", "1") == [nil])
        #expect(server.run("SORT", "list", "GET", "h_*", "LIMIT", "0", "1") == [nil])
        #expect(server.run("SORT", "list", "GET", "w_*->name", "LIMIT", "0", "1") == [nil])
        #expect(server.run("SORT", "list", "GET", "w_*->", "LIMIT", "0", "1") == [nil])
    }

    @Test func limitsAreClamped() {
        let server = server()
        func sorted(_ offset: String, _ count: String) -> Reply {
            server.run("SORT", "list", "LIMIT", offset, count)
        }
        #expect(sorted("-5", "2") == .bulks("1", "2"))
        #expect(sorted("3", "-1") == .bulks("10"))
        #expect(sorted("4", "1") == .array([]))
        #expect(sorted("0", "0") == .array([]))
        #expect(sorted("9223372036854775807", "9223372036854775807") == .array([]))
        #expect(sorted("-9223372036854775808", "-9223372036854775808").elements.count == 4)
        #expect(sorted("1", "9223372036854775807").elements.count == 3)
    }

    @Test func resultsAreStored() {
        let server = server()
        server.run("SET", "d", "text", "EX", "100")
        #expect(server.run("SORT", "list", "GET", "h_*->name", "GET", "#", "STORE", "d") == 8)
        #expect(server.run("TTL", "d") == -1)
        #expect(
            server.run("LRANGE", "d", "0", "-1")
                == .bulks("n1", "1", "n2", "2", "n3", "3", "", "10"))
        #expect(server.run("SORT", "list", "STORE", "list") == 4)
        #expect(server.run("LRANGE", "list", "0", "-1") == .bulks("1", "2", "3", "10"))
        #expect(server.run("SORT", "absent", "STORE", "d") == 0)
        #expect(server.run("EXISTS", "d") == 0)
    }

    @Test func errors() {
        let server = server()
        let syntax: Reply = .error("ERR syntax error")
        server.run("SET", "text", "v")
        let wrongType: Reply = .error(
            "WRONGTYPE Operation against a key holding the wrong kind of value")
        #expect(server.run("SORT", "text") == wrongType)
        #expect(server.run("SORT", "h_1") == wrongType)
        for options in [["BY"], ["GET"], ["STORE"], ["LIMIT", "1"], ["bad"]] {
            #expect(server.client.run(["SORT", "list"] + options) == syntax)
        }
        #expect(server.run("SORT_RO", "list", "STORE", "d") == syntax)
        #expect(
            server.run("SORT", "list", "LIMIT", "x", "1")
                == .error("ERR value is not an integer or out of range"))
        server.run("RPUSH", "list", "word")
        let notNumbers: Reply = .error("ERR One or more scores can't be converted into double")
        #expect(server.run("SORT", "list") == notNumbers)
        #expect(server.run("SORT", "list", "STORE", "d") == notNumbers)
        #expect(server.run("EXISTS", "d") == 0)
        #expect(server.run("SORT", "list", "ALPHA", "DESC", "LIMIT", "0", "1") == .bulks("word"))
    }

    @Test func theKeysAreFound() {
        let server = TestServer()
        func keys(_ words: String...) -> [Int] {
            let owned = OwnedArguments(words.map { Array($0.utf8) })
            let row = server.server.commands.rows.first { $0.command.name == words[0] }
            return row?.command.keyFinder?(owned.view)?.map(\.index) ?? []
        }
        #expect(
            keys("SORT", "k", "BY", "STORE", "GET", "STORE", "STORE", "a", "STORE", "b") == [1, 9])
        #expect(keys("SORT", "k", "LIMIT", "STORE", "x", "STORE") == [1])
        #expect(keys("SORT_RO", "k", "GET", "x") == [1])
    }

    /// A long list that is sorted every way takes no deep stack and stays whole.
    @Test func longListsAreSorted() {
        let server = TestServer()
        for start in stride(from: 0, to: 20_000, by: 1000) {
            _ = server.client.run(
                ["RPUSH", "k"] + (start..<start + 1000).map { "\($0 * 7919 % 20_000)" })
        }
        #expect(server.run("SORT", "k", "STORE", "d") == 20_000)
        #expect(server.run("LRANGE", "d", "0", "2") == .bulks("0", "1", "2"))
        #expect(server.run("LINDEX", "d", "19999") == .bulk("19999"))
        #expect(server.run("SORT", "d", "DESC", "LIMIT", "0", "1") == .bulks("19999"))
    }
}
