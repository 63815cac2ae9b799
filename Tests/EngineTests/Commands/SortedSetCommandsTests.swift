import Testing

@testable import Engine

@Suite struct SortedSetCommandsTests {
    private static let packed = ""
    private static let ranked = "zset-max-listpack-entries 0"

    private func pairs(_ texts: String...) -> Reply { .array(texts.map { .bulk($0) }) }

    // MARK: - ZADD, ZINCRBY

    @Test func `a score may have more digits than a double ever prints`() {
        let server = TestServer()
        let largest = "17976931348623157" + String(repeating: "0", count: 292)
        let long = largest + "." + String(repeating: "0", count: 900)
        #expect(server.run("ZADD", "k", long, "m") == 1)
        #expect(server.run("ZSCORE", "k", "m") == .bulk("1.7976931348623157e+308"))
        #expect(server.run("ZCOUNT", "k", "-inf", String(repeating: "9", count: 5000)) == 1)
        #expect(server.run("ZADD", "k", largest + "0", "m").isError)
        #expect(server.run("ZADD", "k", largest + "x", "m").isError)
    }

    @Test(arguments: [packed, ranked])
    func zaddAddsAndChanges(configuration: String) {
        let server = TestServer(configuration)
        #expect(server.run("ZADD", "k", "2", "b", "1", "a", "2", "c") == 3)
        #expect(server.run("ZADD", "k", "5", "a", "7", "d") == 1)
        #expect(server.run("ZADD", "k", "CH", "6", "a", "7", "d", "8", "e") == 2)
        #expect(server.run("ZADD", "k", "NX", "0", "a", "0", "f") == 1)
        #expect(server.run("ZADD", "k", "XX", "0", "a", "0", "g") == 0)
        #expect(server.run("ZADD", "k", "XX", "GT", "CH", "-1", "a", "3", "b") == 1)
        #expect(server.run("ZADD", "k", "LT", "CH", "9", "b", "-1", "a") == 1)
        #expect(
            server.run("ZRANGE", "k", "0", "-1", "WITHSCORES")
                == pairs("a", "-1", "f", "0", "c", "2", "b", "3", "d", "7", "e", "8"))
        #expect(server.run("ZADD", "k", "INCR", "1.5", "a") == .bulk("0.5"))
        #expect(server.run("ZADD", "k", "NX", "INCR", "1.5", "a") == .null)
        #expect(server.run("ZINCRBY", "k", "-inf", "a") == .bulk("-inf"))
        let nan = Reply.error("ERR resulting score is not a number (NaN)")
        #expect(server.run("ZINCRBY", "k", "inf", "a") == nan)
        #expect(server.run("ZSCORE", "k", "a") == .bulk("-inf"))
        #expect(server.run("ZADD", "none", "XX", "1", "a") == 0)
        #expect(server.run("EXISTS", "none") == 0)
    }

    @Test func zaddRefusesBeforeItChanges() {
        let server = TestServer()
        #expect(server.run("ZADD", "k", "1", "a", "x", "b").isError)
        #expect(server.run("ZADD", "k", "nan", "a") == .error("ERR value is not a valid float"))
        #expect(server.run("ZADD", "k", "1", "a", "2") == .error("ERR syntax error"))
        #expect(server.run("ZADD", "k", "NX", "CH") == .error("ERR syntax error"))
        let both = "ERR XX and NX options at the same time are not compatible"
        #expect(server.run("ZADD", "k", "NX", "XX", "1", "a") == .error(both))
        let conditions = "ERR GT, LT, and/or NX options at the same time are not compatible"
        #expect(server.run("ZADD", "k", "GT", "LT", "1", "a") == .error(conditions))
        #expect(server.run("ZADD", "k", "NX", "GT", "1", "a") == .error(conditions))
        let single = "ERR INCR option supports a single increment-element pair"
        #expect(server.run("ZADD", "k", "INCR", "1", "a", "2", "b") == .error(single))
        #expect(server.run("EXISTS", "k") == 0)
        server.run("SET", "s", "x")
        for name in ["ZCARD", "ZPOPMIN", "ZRANDMEMBER"] {
            #expect(server.run(name, "s").text?.hasPrefix("WRONGTYPE") == true)
        }
        #expect(server.run("ZADD", "s", "1", "a").text?.hasPrefix("WRONGTYPE") == true)
    }

    @Test func setsGrowOutOfTheirPackedForm() {
        let server = TestServer()
        for number in 0..<128 { server.run("ZADD", "many", "\(number)", "m\(number)") }
        #expect(server.run("OBJECT", "ENCODING", "many") == .bulk("listpack"))
        server.run("ZADD", "many", "1.5", "one more")
        #expect(server.run("OBJECT", "ENCODING", "many") == .bulk("skiplist"))
        #expect(server.run("ZRANK", "many", "one more") == 2)
        #expect(server.run("ZCARD", "many") == 129)
        let long = String(repeating: "x", count: 65)
        server.run("ZADD", "long", "1", "a")
        #expect(server.run("OBJECT", "ENCODING", "long") == .bulk("listpack"))
        server.run("ZADD", "long", "1", long)
        #expect(server.run("OBJECT", "ENCODING", "long") == .bulk("skiplist"))
        server.run("ZADD", "first", "1", long)
        #expect(server.run("OBJECT", "ENCODING", "first") == .bulk("skiplist"))
        server.run("COPY", "many", "copy")
        #expect(server.run("ZRANGE", "copy", "0", "-1") == server.run("ZRANGE", "many", "0", "-1"))
        #expect(server.run("ZUNIONSTORE", "small", "1", "first") == 1)
        #expect(server.run("OBJECT", "ENCODING", "small") == .bulk("skiplist"))
        server.run("ZREMRANGEBYRANK", "many", "0", "-3")
        #expect(server.run("OBJECT", "ENCODING", "many") == .bulk("skiplist"))
        #expect(server.run("ZUNIONSTORE", "small", "1", "many") == 2)
        #expect(server.run("OBJECT", "ENCODING", "small") == .bulk("listpack"))
    }

    // MARK: - Questions

    /// A packed set holds integers as such and has no -0; ZSCAN of a ranked one writes 17 digits.
    @Test(arguments: [
        ("123456789012345680", "123456789012345680", "1.2345678901234568e+17"),
        ("-500000000000000000", "-500000000000000000", "-5e+17"),
        ("0.1", "0.1", "0.10000000000000001"), ("-0", "0", "-0"), ("5e18", "5e+18", "5e+18"),
    ])
    func `ZSCAN writes scores by encoding`(_ score: String, _ inPacked: String, _ inRanked: String)
    {
        for (configuration, text) in [(Self.packed, inPacked), (Self.ranked, inRanked)] {
            let server = TestServer(configuration)
            server.run("ZADD", "k", score, "m")
            #expect(
                server.run("ZSCAN", "k", "0")
                    == [.bulk("0"), [.bulk("m"), .bulk(text)]])
        }
    }

    @Test(arguments: [packed, ranked])
    func scoresAndRanks(configuration: String) {
        let server = TestServer(configuration)
        server.run("ZADD", "k", "0.1", "a", "1e20", "b", "inf", "c", "-inf", "d", "3", "7")
        #expect(server.run("ZSCORE", "k", "a") == .bulk("0.1"))
        #expect(
            server.run("ZMSCORE", "k", "b", "x", "c", "d", "7")
                == .array([.bulk("1e+20"), .null, .bulk("inf"), .bulk("-inf"), .bulk("3")]))
        #expect(server.run("ZRANK", "k", "7") == 2)
        #expect(server.run("ZREVRANK", "k", "7") == 2)
        #expect(server.run("ZREVRANK", "k", "d") == 4)
        #expect(server.run("ZRANK", "k", "x") == nil)
        #expect(server.run("ZRANK", "k", "b", "WITHSCORE") == .array([3, .bulk("1e+20")]))
        #expect(server.run("ZRANK", "k", "x", "WITHSCORE") == .nullArray)
        #expect(server.run("ZRANK", "k", "x", "WITHSCORES") == .error("ERR syntax error"))
        #expect(server.run("ZRANK", "k", "x", "WITHSCORE", "y").isError)
        let client = server.connect()
        client.run("HELLO", "3")
        #expect(client.run("ZSCORE", "k", "a") == .double("0.1"))
        #expect(
            client.run("ZRANGE", "k", "0", "0", "WITHSCORES") == [[.bulk("d"), .double("-inf")]])
    }

    @Test func scansMeetEveryMember() {
        for count in [50, 1000] {
            let server = TestServer()
            for number in 0..<count { server.run("ZADD", "k", "\(number)", "m\(number)") }
            var cursor = "0"
            var seen: [String: String] = [:]
            repeat {
                let reply = server.run("ZSCAN", "k", cursor, "COUNT", "20").elements
                cursor = reply.first?.text ?? "0"
                let texts = reply.last?.elements.compactMap(\.text) ?? []
                for index in stride(from: 0, to: texts.count - 1, by: 2) {
                    seen[texts[index]] = texts[index + 1]
                }
            } while cursor != "0"
            #expect(seen.count == count && seen.allSatisfy { "m" + $0.value == $0.key })
            let matched = server.run("ZSCAN", "k", "0", "MATCH", "m4", "COUNT", "5000")
            #expect(matched == [.bulk("0"), pairs("m4", "4")])
        }
    }

    // MARK: - Removing and popping

    @Test(arguments: [packed, ranked])
    func membersGoAndTheKeyWithTheLast(configuration: String) {
        let server = TestServer(configuration)
        server.run("ZADD", "k", "1", "a", "2", "b", "3", "c", "4", "d", "5", "e", "6", "f")
        #expect(server.run("ZREM", "k", "a", "x", "a") == 1)
        #expect(server.run("ZPOPMIN", "k") == pairs("b", "2"))
        #expect(server.run("ZPOPMAX", "k", "2") == pairs("f", "6", "e", "5"))
        #expect(server.run("ZPOPMIN", "k", "0") == .array([]))
        #expect(server.run("ZPOPMIN", "k", "-1").isError)
        #expect(
            server.run("ZMPOP", "2", "none", "k", "MAX")
                == .array([.bulk("k"), .array([pairs("d", "4")])]))
        #expect(
            server.run("ZMPOP", "1", "k", "MIN", "COUNT", "9223372036854775807")
                == .array([.bulk("k"), .array([pairs("c", "3")])]))
        #expect(server.run("EXISTS", "k") == 0)
        #expect(server.run("ZMPOP", "1", "k", "MIN") == .nullArray)
        #expect(server.run("ZPOPMIN", "k") == .array([]))
    }

    @Test func popsRefuseWhatIsNoCount() {
        let server = TestServer()
        let count = Reply.error("ERR numkeys should be greater than 0")
        #expect(server.run("ZMPOP", "0", "k", "MIN") == count)
        #expect(server.run("ZMPOP", "-9223372036854775808", "k", "MIN") == count)
        #expect(server.run("ZMPOP", "9223372036854775807", "k", "MIN").text == "ERR syntax error")
        #expect(server.run("ZMPOP", "2", "k", "MIN").text == "ERR syntax error")
        #expect(server.run("ZMPOP", "1", "k", "MID").text == "ERR syntax error")
        #expect(
            server.run("ZMPOP", "1", "k", "MIN", "COUNT", "0").text
                == "ERR count should be greater than 0")
        #expect(server.run("ZMPOP", "1", "k", "MIN", "COUNT").text == "ERR syntax error")
    }

    // MARK: - Drawing

    @Test(arguments: [(packed, 20, 100), (ranked, 20, 100), (ranked, 200, 20_000)])
    func `every member is drawn as often, also after many deletions`(
        configuration: String, count: Int, many: Int
    ) {
        let server = TestServer(configuration)
        for number in 0..<many { server.run("ZADD", "k", "\(number % 10)", "m\(number)") }
        for number in count..<many { server.run("ZREM", "k", "m\(number)") }
        for sample in [nil, "-7", "5", String(count / 2)] {
            var counts = Array(repeating: 0, count: count)
            for _ in 0..<count * 40 {
                let reply =
                    sample.map { server.run("ZRANDMEMBER", "k", $0) }
                    ?? server.run("ZRANDMEMBER", "k")
                for text in reply.text.map({ [$0] }) ?? reply.elements.compactMap(\.text) {
                    if let number = Int(text.dropFirst()) { counts[number] += 1 }
                }
            }
            #expect(
                SetValueTests.chiSquared(counts) < SetValueTests.limit(cells: count),
                "sample \(sample ?? "one")")
        }
    }

    @Test func drawsOfManyAreDistinct() {
        let server = TestServer()
        for number in 0..<300 { server.run("ZADD", "k", "\(number)", "m\(number)") }
        for (count, expected) in [(5, 5), (200, 200), (300, 300), (1000, 300)] {
            let texts = server.run("ZRANDMEMBER", "k", "\(count)").elements.compactMap(\.text)
            #expect(texts.count == expected && Set(texts).count == expected)
        }
        #expect(server.run("ZRANDMEMBER", "k", "-2", "WITHSCORES").elements.count == 4)
        #expect(server.run("ZRANDMEMBER", "k", "0") == .array([]))
        #expect(server.run("ZRANDMEMBER", "none") == nil)
        #expect(server.run("ZRANDMEMBER", "none", "3") == .array([]))
        #expect(server.run("ZRANDMEMBER", "k", "5", "foo") == .error("ERR syntax error"))
        for count in ["-9223372036854775808", "-9223372036854775807"] {
            #expect(server.run("ZRANDMEMBER", "k", count).text?.contains("out of range") == true)
        }
    }
}
