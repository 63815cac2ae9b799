import Testing

@testable import Engine

private let wrongType = Reply.error(
    "WRONGTYPE Operation against a key holding the wrong kind of value")

/// The group "set" as clients see it; algebra is also compared with Swift's.
struct SetCommandsTests {
    private func sorted(_ reply: Reply) -> [String] { reply.elements.compactMap(\.text).sorted() }

    // MARK: - Members

    @Test func `members come and go, and the key with the last`() {
        let server = TestServer()
        #expect(server.run("SADD", "s", "a", "b", "a") == 2)
        #expect(server.run("SADD", "s", "b", "c") == 1)
        #expect(server.run("SCARD", "s") == 3)
        #expect(server.run("SISMEMBER", "s", "a") == 1)
        #expect(server.run("SISMEMBER", "s", "d") == 0)
        #expect(server.run("SMISMEMBER", "s", "a", "d", "c") == [1, 0, 1])
        #expect(sorted(server.run("SMEMBERS", "s")) == ["a", "b", "c"])
        #expect(server.run("SREM", "s", "a", "x", "b") == 2)
        #expect(server.run("SREM", "s", "c", "c") == 1)
        #expect(server.run("EXISTS", "s") == 0)
    }

    @Test func `a missing key is an empty set`() {
        let server = TestServer()
        #expect(server.run("SCARD", "s") == 0)
        #expect(server.run("SREM", "s", "a") == 0)
        #expect(server.run("SMISMEMBER", "s", "a") == [0])
        #expect(server.run("SMEMBERS", "s") == [])
        #expect(server.run("SPOP", "s") == nil)
        #expect(server.run("SPOP", "s", "2") == [])
        #expect(server.run("SRANDMEMBER", "s") == nil)
        #expect(server.run("SRANDMEMBER", "s", "2") == [])
        #expect(server.run("SMOVE", "s", "t", "a") == 0)
        #expect(server.run("SSCAN", "s", "0", "NONSENSE") == [.bulk("0"), []])
        #expect(server.run("EXISTS", "s") == 0)
    }

    @Test func `encodings follow the limits and are called as in Redis 7`() {
        let server = TestServer("set-max-intset-entries 4\nset-max-listpack-entries 6")
        func encoding() -> Reply { server.run("OBJECT", "ENCODING", "s") }
        server.run("SADD", "s", "1", "2", "-9223372036854775808", "9223372036854775807")
        #expect(encoding() == .bulk("intset"))
        server.run("SADD", "s", "5")
        #expect(encoding() == .bulk("hashtable"))
        server.run("DEL", "s")
        server.run("SADD", "s", "1", "01")
        #expect(encoding() == .bulk("hashtable"))
        #expect(sorted(server.run("SMEMBERS", "s")) == ["01", "1"])
        server.run("SREM", "s", "01")
        #expect(encoding() == .bulk("hashtable"))
        for number in 0..<10 { server.run("SADD", "s", "m\(number)") }
        #expect(server.run("SCARD", "s") == 11)
        server.run("CONFIG", "SET", "set-max-intset-entries", "0")
        server.run("SADD", "t", "1")
        #expect(server.run("OBJECT", "ENCODING", "t") == .bulk("hashtable"))
    }

    @Test func `members may be empty, binary and long`() {
        let server = TestServer()
        let members: [[UInt8]] = [
            [], [0], [255, 13, 10, 0], Array(repeating: 7, count: 100_000),
            Array(repeating: 8, count: 4096), Array(repeating: 9, count: 4097),
        ]
        let key = Array("s".utf8)
        for member in members {
            #expect(server.client.run(bytes: [Array("SADD".utf8), key, member]) == 1)
            #expect(server.client.run(bytes: [Array("SADD".utf8), key, member]) == 0)
        }
        for member in members {
            #expect(server.client.run(bytes: [Array("SISMEMBER".utf8), key, member]) == 1)
            #expect(server.client.run(bytes: [Array("SREM".utf8), key, member]) == 1)
        }
        #expect(server.run("EXISTS", "s") == 0)
    }

    @Test func `SMOVE moves between encodings and leaves itself alone`() {
        let server = TestServer()
        server.run("SADD", "a", "1", "2")
        server.run("SADD", "b", "x")
        #expect(server.run("SMOVE", "a", "b", "1") == 1)
        #expect(server.run("SMOVE", "b", "a", "x") == 1)
        #expect(server.run("SMOVE", "a", "a", "x") == 1)
        #expect(server.run("SMOVE", "a", "a", "y") == 0)
        #expect(server.run("SMOVE", "b", "c", "1") == 1)
        #expect(server.run("EXISTS", "b") == 0)
        #expect(sorted(server.run("SMEMBERS", "a")) == ["2", "x"])
        #expect(server.run("SMEMBERS", "c") == .bulks("1"))
    }

    // MARK: - Chance

    @Test(arguments: [["1", "2", "3"], ["a", "b", "c"]])
    func `SPOP takes members out, SRANDMEMBER does not`(members: [String]) {
        let server = TestServer()
        _ = server.client.run(["SADD", "s"] + members)
        #expect(server.run("SRANDMEMBER", "s", "0") == [])
        #expect(sorted(server.run("SRANDMEMBER", "s", "9223372036854775807")) == members)
        #expect(Set(sorted(server.run("SRANDMEMBER", "s", "2"))).count == 2)
        #expect(server.run("SRANDMEMBER", "s", "-50").elements.count == 50)
        #expect(server.run("SPOP", "s", "0") == [])
        let first = server.run("SPOP", "s").text ?? ""
        let rest = sorted(server.run("SPOP", "s", "9223372036854775807"))
        #expect((rest + [first]).sorted() == members)
        #expect(server.run("EXISTS", "s") == 0)
    }

    @Test func `counts are checked before the key`() {
        let server = TestServer()
        server.run("SET", "string", "x")
        server.run("SADD", "s", "a")
        let range = Reply.error(
            "ERR value is out of range, value must between -9223372036854775807 and "
                + "9223372036854775807")
        for key in ["s", "string", "none"] {
            #expect(server.run("SRANDMEMBER", key, "-9223372036854775808") == range)
            #expect(
                server.run("SRANDMEMBER", key, "x")
                    == .error("ERR value is not an integer or out of range"))
            #expect(server.run("SRANDMEMBER", key, "1", "2") == .error("ERR syntax error"))
            #expect(server.run("SPOP", key, "1", "2") == .error("ERR syntax error"))
            for count in ["-1", "x", "9223372036854775808"] {
                #expect(
                    server.run("SPOP", key, count)
                        == .error("ERR value is out of range, must be positive"))
            }
        }
        #expect(
            server.run("SRANDMEMBER", "s", "-9223372036854775807")
                == .error("ERR value is out of range"))
        #expect(server.run("SCARD", "s") == 1)
    }

    // MARK: - Algebra

    @Test func `algebra equals that of Swift sets, over all encodings`() {
        var random = SeededRandom.make()
        let server = TestServer("set-max-intset-entries 10\nset-max-listpack-entries 15")
        for _ in 0..<600 {
            var models: [Set<String>] = []
            for index in 0..<4 {
                server.run("DEL", "k\(index)")
                let prefixes = ["", "", "m", "m", String(repeating: "z", count: 70)]
                var model: Set<String> = []
                for _ in 0..<random.below(25) {
                    let member = prefixes[random.below(5)] + String(random.below(12))
                    server.run("SADD", "k\(index)", member)
                    model.insert(member)
                }
                models.append(model)
            }
            let chosen = (0...random.below(4)).map { _ in random.below(4) }
            check(server, chosen, models, into: "k\(random.below(6))")
        }
    }

    private func check(
        _ server: TestServer, _ chosen: [Int], _ models: [Set<String>], into target: String
    ) {
        let keys = chosen.map { "k\($0)" }
        let sets = chosen.map { models[$0] }
        let common = sets.dropFirst().reduce(sets[0]) { $0.intersection($1) }
        let union = sets.reduce(Set<String>()) { $0.union($1) }
        let rest = sets.dropFirst().reduce(sets[0]) { $0.subtracting($1) }
        #expect(sorted(server.client.run(["SINTER"] + keys)) == common.sorted())
        #expect(sorted(server.client.run(["SUNION"] + keys)) == union.sorted())
        #expect(sorted(server.client.run(["SDIFF"] + keys)) == rest.sorted())
        let count = ["SINTERCARD", String(keys.count)] + keys
        #expect(server.client.run(count) == .integer(Int64(common.count)))
        #expect(
            server.client.run(count + ["LIMIT", "2"]) == .integer(Int64(min(2, common.count))))
        let (command, wanted) = [
            ("SINTERSTORE", common), ("SUNIONSTORE", union), ("SDIFFSTORE", rest),
        ][chosen[0] % 3]
        #expect(
            server.client.run([command, target] + keys) == .integer(Int64(wanted.count)))
        #expect(sorted(server.run("SMEMBERS", target)) == wanted.sorted())
        #expect(server.run("EXISTS", target) == (wanted.isEmpty ? 0 : 1))
    }

    @Test func `a result replaces a value of any type, an empty one deletes it`() {
        let server = TestServer()
        server.run("SADD", "s", "a")
        server.run("SET", "d", "x", "EX", "100")
        #expect(server.run("SUNIONSTORE", "d", "s") == 1)
        #expect(server.run("TTL", "d") == -1)
        #expect(server.run("TYPE", "d") == "set")
        server.run("SET", "d", "x")
        #expect(server.run("SINTERSTORE", "d", "s", "none") == 0)
        #expect(server.run("EXISTS", "d") == 0)
    }

    @Test func `SINTERCARD says what is wrong with its counts`() {
        let server = TestServer()
        server.run("SADD", "s", "a", "b")
        for (arguments, text) in [
            (["0", "s"], "ERR numkeys should be greater than 0"),
            (["x", "s"], "ERR numkeys should be greater than 0"),
            (["-9223372036854775808", "s"], "ERR numkeys should be greater than 0"),
            (["2", "s"], "ERR Number of keys can't be greater than number of args"),
            (
                ["9223372036854775807", "s"],
                "ERR Number of keys can't be greater than number of args"
            ),
            (["1", "s", "LIMIT"], "ERR syntax error"), (["1", "s", "x"], "ERR syntax error"),
            (["1", "s", "LIMIT", "-1"], "ERR LIMIT can't be negative"),
            (["1", "s", "LIMIT", "x"], "ERR LIMIT can't be negative"),
        ] {
            #expect(server.client.run(["SINTERCARD"] + arguments) == .error(text))
        }
        #expect(server.run("SINTERCARD", "1", "s", "LIMIT", "0") == 2)
        #expect(server.run("SINTERCARD", "1", "s", "LIMIT", "1") == 1)
    }

    // MARK: - Walking

    @Test(arguments: [5, 100, 3000])
    func `SSCAN shows every member that stays`(count: Int) {
        let server = TestServer()
        for number in 0..<count { server.run("SADD", "s", "m:\(number)") }
        var (seen, cursor, steps) = (Set<String>(), "0", 0)
        repeat {
            let reply = server.run("SSCAN", "s", cursor, "COUNT", "7").elements
            cursor = reply[0].text ?? "0"
            seen.formUnion(reply[1].elements.compactMap(\.text))
            steps += 1
            if steps % 3 == 0 { server.run("SADD", "s", "new:\(steps)") }
            if steps % 5 == 0 { server.run("SREM", "s", "new:\(steps - 2)") }
        } while cursor != "0"
        #expect(seen.isSuperset(of: (0..<count).map { "m:\($0)" }))
        let matched = server.run("SSCAN", "s", "0", "MATCH", "m:4*", "COUNT", "100000").elements
        #expect(matched[1].elements.compactMap(\.text).allSatisfy { $0.hasPrefix("m:4") })
        #expect(matched[1].elements.contains(.bulk("m:4")))
    }

    @Test func `SSCAN errors come in the order of Redis`() {
        let server = TestServer()
        server.run("SET", "string", "x")
        server.run("SADD", "s", "a")
        #expect(server.run("SSCAN", "string", "x") == .error("ERR invalid cursor"))
        #expect(server.run("SSCAN", "string", "0", "x") == wrongType)
        #expect(server.run("SSCAN", "s", "0", "COUNT", "0") == .error("ERR syntax error"))
        #expect(server.run("SSCAN", "s", "0", "TYPE", "set") == .error("ERR syntax error"))
        #expect(
            server.run("SSCAN", "s", "0", "COUNT", "x")
                == .error("ERR value is not an integer or out of range"))
    }

    // MARK: - Types and effects

    @Test(arguments: [
        ["SADD", "k", "a"], ["SREM", "k", "a"], ["SCARD", "k"], ["SISMEMBER", "k", "a"],
        ["SMISMEMBER", "k", "a"], ["SMEMBERS", "k"], ["SPOP", "k"], ["SPOP", "k", "1"],
        ["SRANDMEMBER", "k"], ["SRANDMEMBER", "k", "1"], ["SMOVE", "k", "s", "a"],
        ["SMOVE", "s", "k", "a"], ["SINTER", "none", "k"], ["SUNION", "s", "k"],
        ["SDIFF", "none", "k"], ["SINTERCARD", "2", "none", "k"], ["SINTERSTORE", "d", "s", "k"],
        ["SUNIONSTORE", "d", "s", "k"], ["SDIFFSTORE", "d", "s", "k"], ["SSCAN", "k", "0"],
    ])
    func `a value of another type is refused and stays`(command: [String]) {
        let server = TestServer()
        server.run("SET", "k", "text")
        server.run("SADD", "s", "a")
        #expect(server.client.run(command) == wrongType)
        #expect(server.run("GET", "k") == .bulk("text"))
        #expect(server.run("SMEMBERS", "s") == .bulks("a"))
        #expect(server.run("EXISTS", "d") == 0)
    }

    @Test func `RESP3 replies sets as sets`() {
        let server = TestServer()
        server.run("HELLO", "3")
        server.run("SADD", "s", "a")
        for command in [["SMEMBERS", "s"], ["SUNION", "s", "s"], ["SINTER", "s", "s"]] {
            #expect(server.client.run(command) == .set([.bulk("a")]))
        }
        #expect(server.run("SDIFF", "none") == .set([]))
        #expect(server.run("SPOP", "none", "1") == .set([]))
        #expect(server.run("SRANDMEMBER", "s", "5") == .array([.bulk("a")]))
        #expect(server.run("SPOP", "s", "5") == .set([.bulk("a")]))
        #expect(server.run("SPOP", "s") == .null)
    }

    @Test func `effects are told in the order of Redis`() {
        let server = TestServer()
        func events(_ command: String...) -> [String] { EventRecorder.events(server, command) }
        #expect(events("SADD", "s", "1", "2", "3") == ["new s", "sadd s"])
        #expect(events("SADD", "s", "1") == [])
        #expect(events("SMOVE", "s", "t", "1") == ["srem s", "new t", "sadd t"])
        #expect(events("SMOVE", "s", "t", "1") == [])
        #expect(events("SPOP", "s") == ["spop s"])
        #expect(events("SPOP", "s", "4") == ["spop s", "del s"])
        #expect(events("SINTERSTORE", "d", "t", "t") == ["new d", "sinterstore d"])
        #expect(events("SDIFFSTORE", "d", "t", "t") == ["del d"])
        #expect(events("SDIFFSTORE", "d", "t", "t") == [])
        #expect(events("SREM", "t", "1", "2") == ["srem t", "del t"])
    }

    @Test func `a copy shares nothing with its original`() {
        let server = TestServer("set-max-intset-entries 4\nset-max-listpack-entries 4")
        for (key, members) in [
            ("integers", ["1", "2"]), ("packed", ["a", "b"]),
            ("table", (0..<20).map { "m\($0)" }),
        ] {
            _ = server.client.run(["SADD", key] + members)
            #expect(server.run("COPY", key, "copy", "REPLACE") == 1)
            server.run("SADD", key, "more")
            #expect(sorted(server.run("SMEMBERS", "copy")) == members.sorted())
            server.run("DEL", key)
            #expect(sorted(server.run("SMEMBERS", "copy")) == members.sorted())
            #expect(server.run("RENAME", "copy", "other") == "OK")
            #expect(sorted(server.run("SMEMBERS", "other")) == members.sorted())
        }
    }
}
