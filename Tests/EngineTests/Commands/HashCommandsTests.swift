import Testing

@testable import Engine

private let wrongType = Reply.error(
    "WRONGTYPE Operation against a key holding the wrong kind of value")

/// The group "hash" as clients see it, but for deadlines of fields.
struct HashCommandsTests {
    private func pairs(_ reply: Reply) -> [String: String] {
        let texts = reply.elements.compactMap(\.text)
        var result: [String: String] = [:]
        for index in stride(from: 0, to: texts.count, by: 2) {
            result[texts[index]] = texts[index + 1]
        }
        return result
    }

    // MARK: - Fields

    @Test func `fields come and go, and the key with the last`() {
        let server = TestServer()
        #expect(server.run("HSET", "h", "a", "1", "b", "2", "a", "3") == 2)
        #expect(server.run("HMSET", "h", "c", "4") == "OK")
        #expect(server.run("HSETNX", "h", "c", "5") == 0)
        #expect(server.run("HSETNX", "h", "d", "5") == 1)
        #expect(server.run("HGET", "h", "a") == .bulk("3"))
        #expect(server.run("HGET", "h", "x") == nil)
        #expect(server.run("HMGET", "h", "b", "x", "c") == [.bulk("2"), nil, .bulk("4")])
        #expect(server.run("HLEN", "h") == 4)
        #expect(server.run("HEXISTS", "h", "a") == 1)
        #expect(server.run("HEXISTS", "h", "x") == 0)
        #expect(server.run("HSTRLEN", "h", "a") == 1)
        #expect(server.run("HSTRLEN", "h", "x") == 0)
        #expect(pairs(server.run("HGETALL", "h")) == ["a": "3", "b": "2", "c": "4", "d": "5"])
        #expect(server.run("HKEYS", "h") == .bulks("a", "b", "c", "d"))
        #expect(server.run("HVALS", "h") == .bulks("3", "2", "4", "5"))
        #expect(server.run("HDEL", "h", "a", "x", "b", "a") == 2)
        #expect(server.run("HDEL", "h", "c", "d", "d") == 2)
        #expect(server.run("EXISTS", "h") == 0)
    }

    @Test func `a missing key is an empty hash`() {
        let server = TestServer()
        #expect(server.run("HGET", "h", "a") == nil)
        #expect(server.run("HMGET", "h", "a", "b") == [nil, nil])
        #expect(server.run("HGETALL", "h") == [])
        #expect(server.run("HLEN", "h") == 0)
        #expect(server.run("HDEL", "h", "a") == 0)
        #expect(server.run("HRANDFIELD", "h") == nil)
        #expect(server.run("HRANDFIELD", "h", "3", "WITHVALUES") == [])
        #expect(server.run("HSCAN", "h", "0", "NONSENSE") == [.bulk("0"), []])
        #expect(server.run("EXISTS", "h") == 0)
    }

    @Test func `encodings follow the limits`() {
        let server = TestServer("hash-max-listpack-entries 3\nhash-max-listpack-value 10")
        func encoding() -> Reply { server.run("OBJECT", "ENCODING", "h") }
        server.run("HSET", "h", "a", "1", "b", "2", "c", "3")
        #expect(encoding() == .bulk("listpack"))
        server.run("HSET", "h", "a", "0123456789")
        #expect(encoding() == .bulk("listpack"))
        server.run("HSET", "h", "d", "4")
        #expect(encoding() == .bulk("hashtable"))
        server.run("HDEL", "h", "b", "c", "d")
        #expect(encoding() == .bulk("hashtable"))
        server.run("DEL", "h")
        server.run("HSET", "h", "a", "0123456789+")
        #expect(encoding() == .bulk("hashtable"))
        server.run("HSET", "g", "a", "1")
        server.run("HSET", "g", "0123456789+", "1")
        #expect(server.run("OBJECT", "ENCODING", "g") == .bulk("hashtable"))
    }

    @Test func `strings of every size class keep their bytes when they are overwritten`() {
        let server = TestServer()
        let sizes = [0, 1, 10, 63, 64, 65, 253, 254, 255, 256, 2047, 2048, 2049, 70_000]
        for entries in ["0", "512"] {
            server.run("CONFIG", "SET", "hash-max-listpack-entries", entries)
            server.run("CONFIG", "SET", "hash-max-listpack-value", "100000")
            for nameSize in sizes {
                let name = String(repeating: "n", count: nameSize)
                for size in sizes + sizes.reversed() {
                    let value = String(repeating: "v", count: size)
                    server.run("HSET", "h", name, value, "other", "x")
                    #expect(server.run("HGET", "h", name) == .bulk(value))
                    #expect(server.run("HSTRLEN", "h", name) == .integer(Int64(size)))
                }
            }
            #expect(server.run("HLEN", "h") == .integer(Int64(sizes.count + 1)))
            server.run("DEL", "h")
        }
    }

    @Test func `pairs must be whole, whatever the key holds`() {
        let server = TestServer()
        server.run("SET", "string", "x")
        for key in ["h", "string"] {
            for command in ["HSET", "HMSET"] {
                let text = "ERR wrong number of arguments for '\(command.lowercased())' command"
                #expect(server.run(command, key, "a") == .error(text))
                #expect(server.run(command, key, "a", "1", "b") == .error(text))
            }
        }
        #expect(server.run("EXISTS", "h") == 0)
    }

    // MARK: - Numbers

    @Test func `HINCRBY counts, and refuses what is no integer or would overflow`() {
        let server = TestServer()
        #expect(server.run("HINCRBY", "h", "n", "5") == 5)
        #expect(server.run("HINCRBY", "h", "n", "-7") == -2)
        #expect(server.run("HGET", "h", "n") == .bulk("-2"))
        #expect(
            server.run("HINCRBY", "h", "n", "-9223372036854775808")
                == .error("ERR increment or decrement would overflow"))
        #expect(server.run("HINCRBY", "h", "n", "9223372036854775807") == 9_223_372_036_854_775_805)
        #expect(
            server.run("HINCRBY", "h", "n", "3")
                == .error("ERR increment or decrement would overflow"))
        server.run("HSET", "h", "t", " 1", "e", "")
        for field in ["t", "e"] {
            #expect(
                server.run("HINCRBY", "h", field, "1")
                    == .error("ERR hash value is not an integer"))
        }
        for amount in ["x", "1.5", "", "9223372036854775808"] {
            #expect(
                server.run("HINCRBY", "none", "n", amount)
                    == .error("ERR value is not an integer or out of range"))
        }
        #expect(server.run("EXISTS", "none") == 0)
    }

    @Test func `HINCRBYFLOAT adds as Redis writes numbers`() {
        let server = TestServer()
        #expect(server.run("HINCRBYFLOAT", "h", "n", "10.50") == .bulk("10.5"))
        #expect(server.run("HINCRBYFLOAT", "h", "n", "0.1") == .bulk("10.6"))
        #expect(server.run("HINCRBYFLOAT", "h", "n", "-5") == .bulk("5.6"))
        server.run("HSET", "h", "e", "5.0e3", "t", "x")
        #expect(server.run("HINCRBYFLOAT", "h", "e", "2.0e2") == .bulk("5200"))
        #expect(
            server.run("HINCRBYFLOAT", "h", "t", "1") == .error("ERR hash value is not a float"))
        for amount in ["nan", "x", "", " 1"] {
            #expect(
                server.run("HINCRBYFLOAT", "none", "n", amount)
                    == .error("ERR value is not a valid float"))
        }
        for amount in ["inf", "-inf"] {
            #expect(
                server.run("HINCRBYFLOAT", "none", "n", amount)
                    == .error("ERR value is NaN or Infinity"))
        }
        #expect(server.run("EXISTS", "none") == 0)
        // The sum of the largest has hundreds of digits and is a number still.
        let first = server.run("HINCRBYFLOAT", "h", "big", "1e400")
        #expect(server.run("HINCRBYFLOAT", "h", "big", "1") == first)
    }

    // MARK: - Chance

    @Test func `HRANDFIELD with counts, with values, and what is wrong with them`() {
        let server = TestServer()
        server.run("SET", "string", "x")
        server.run("HSET", "h", "a", "1", "b", "2")
        #expect(server.run("HRANDFIELD", "h", "0") == [])
        #expect(server.run("HRANDFIELD", "h", "9").elements.count == 2)
        #expect(pairs(server.run("HRANDFIELD", "h", "9", "WITHVALUES")) == ["a": "1", "b": "2"])
        #expect(server.run("HRANDFIELD", "h", "-9").elements.count == 9)
        #expect(server.run("HRANDFIELD", "h", "-9", "withvalues").elements.count == 18)
        let range = Reply.error(
            "ERR value is out of range, value must between -9223372036854775807 and "
                + "9223372036854775807")
        let outOfRange = Reply.error("ERR value is out of range")
        for key in ["h", "string"] {
            #expect(server.run("HRANDFIELD", key, "-9223372036854775808") == range)
            #expect(server.run("HRANDFIELD", key, "1", "x") == .error("ERR syntax error"))
            #expect(
                server.run("HRANDFIELD", key, "1", "WITHVALUES", "x")
                    == .error("ERR syntax error"))
            for count in ["4611686018427387904", "-4611686018427387904"] {
                #expect(server.run("HRANDFIELD", key, count, "WITHVALUES") == outOfRange)
            }
        }
        #expect(server.run("HRANDFIELD", "h", "-9223372036854775807") == outOfRange)
        server.run("HELLO", "3")
        server.run("HDEL", "h", "b")
        #expect(
            server.run("HRANDFIELD", "h", "2", "WITHVALUES")
                == .array([.array([.bulk("a"), .bulk("1")])]))
    }

    // MARK: - Walking

    @Test(arguments: [5, 100, 3000])
    func `HSCAN shows every field that stays`(count: Int) {
        let server = TestServer("hash-max-listpack-entries 50")
        for number in 0..<count { server.run("HSET", "h", "f:\(number)", "v:\(number)") }
        var (seen, cursor, steps) = ([String: String](), "0", 0)
        repeat {
            let reply = server.run("HSCAN", "h", cursor, "COUNT", "7").elements
            cursor = reply[0].text ?? "0"
            seen.merge(pairs(reply[1])) { $1 }
            steps += 1
            if steps % 3 == 0 { server.run("HSET", "h", "new:\(steps)", "v") }
        } while cursor != "0"
        for number in 0..<count { #expect(seen["f:\(number)"] == "v:\(number)") }
        let names = server.run("HSCAN", "h", "0", "COUNT", "100000", "NOVALUES").elements
        #expect(names[1].elements.contains(.bulk("f:4")))
        #expect(!names[1].elements.contains(.bulk("v:4")))
        let matched = server.run("HSCAN", "h", "0", "MATCH", "f:4", "COUNT", "100000").elements
        #expect(matched[1] == .bulks("f:4", "v:4"))
    }

    // MARK: - Types and effects

    @Test(arguments: [
        ["HSET", "k", "a", "1"], ["HMSET", "k", "a", "1"], ["HSETNX", "k", "a", "1"],
        ["HGET", "k", "a"], ["HMGET", "k", "a"], ["HGETALL", "k"], ["HKEYS", "k"],
        ["HVALS", "k"], ["HLEN", "k"], ["HSTRLEN", "k", "a"], ["HEXISTS", "k", "a"],
        ["HDEL", "k", "a"], ["HINCRBY", "k", "a", "1"], ["HINCRBYFLOAT", "k", "a", "1"],
        ["HRANDFIELD", "k"], ["HRANDFIELD", "k", "1"], ["HSCAN", "k", "0"],
        ["HEXPIRE", "k", "1", "FIELDS", "1", "a"], ["HTTL", "k", "FIELDS", "1", "a"],
        ["HPERSIST", "k", "FIELDS", "1", "a"], ["HGETEX", "k", "FIELDS", "1", "a"],
        ["HSETEX", "k", "FIELDS", "1", "a", "1"], ["HGETDEL", "k", "FIELDS", "1", "a"],
    ])
    func `a value of another type is refused and stays`(command: [String]) {
        let server = TestServer()
        server.run("SADD", "k", "member")
        #expect(server.client.run(command) == wrongType)
        #expect(server.run("SMEMBERS", "k") == .bulks("member"))
    }

    @Test func `RESP3 replies maps`() {
        let server = TestServer()
        server.run("HELLO", "3")
        #expect(server.run("HGETALL", "h") == .map([]))
        server.run("HSET", "h", "a", "1")
        #expect(server.run("HGETALL", "h") == .map([.bulk("a"), .bulk("1")]))
        server.run("HEXPIRE", "h", "100", "FIELDS", "1", "a")
        #expect(server.run("HGETALL", "h") == .map([.bulk("a"), .bulk("1")]))
        #expect(server.run("HKEYS", "h") == .array([.bulk("a")]))
        #expect(server.run("HGET", "h", "x") == .null)
    }

    @Test func `effects are told in the order of Redis`() {
        let server = TestServer()
        func events(_ command: String...) -> [String] { EventRecorder.events(server, command) }
        #expect(events("HSET", "h", "a", "1", "b", "2") == ["new h", "hset h"])
        #expect(events("HSETNX", "h", "a", "1") == [])
        #expect(events("HINCRBY", "h", "n", "1") == ["hincrby h"])
        #expect(events("HINCRBYFLOAT", "h", "n", "1") == ["hincrbyfloat h"])
        #expect(events("HDEL", "h", "x") == [])
        #expect(events("HDEL", "h", "a") == ["hdel h"])
        #expect(events("HDEL", "h", "b", "n") == ["hdel h", "del h"])
    }

    @Test func `a copy shares nothing with its original, and keeps deadlines`() {
        let server = TestServer("hash-max-listpack-entries 4")
        for count in [3, 20] {
            for number in 0..<count { server.run("HSET", "h", "f\(number)", "v") }
            server.run("HPEXPIRE", "h", "500", "FIELDS", "1", "f0")
            #expect(server.run("COPY", "h", "copy", "REPLACE") == 1)
            #expect(server.server.keyspace[0].expiringHashCount == 2)
            server.run("DEL", "h")
            #expect(server.run("RENAME", "copy", "other") == "OK")
            #expect(server.run("MOVE", "other", "1") == 1)
            #expect(server.server.keyspace[0].expiringHashCount == 0)
            server.run("SELECT", "1")
            #expect(server.run("HPTTL", "other", "FIELDS", "2", "f0", "f1") == [500, -1])
            server.advance(milliseconds: 501)
            #expect(server.run("HLEN", "other") == .integer(Int64(count - 1)))
            #expect(server.server.keyspace[1].expiringHashCount == 0)
            server.run("FLUSHALL")
            server.run("SELECT", "0")
        }
    }
}
