import Testing

@testable import Engine

/// Expected replies are those of Redis 7.0.15 (DELIFEQ, IFEQ, MSETEX: Valkey 9.1).
@Suite struct StringCommandsTests {
    private let notInteger = Reply.error("ERR value is not an integer or out of range")
    private let syntax = Reply.error("ERR syntax error")
    private let server = TestServer()

    // MARK: - Reading and setting

    @Test func `a value set is read`() {
        #expect(server.run("SET", "k", "v") == "OK")
        #expect(server.run("GET", "k") == .bulk("v"))
        #expect(server.run("GET", "absent") == nil)
        #expect(server.run("SET", "k", "") == "OK")
        #expect(server.run("GET", "k") == .bulk(""))
        #expect(server.run("SET", "k", "-9223372036854775808") == "OK")
        #expect(server.run("GET", "k") == .bulk("-9223372036854775808"))
    }

    @Test func `conditions of SET`() {
        #expect(server.run("SET", "k", "1", "XX") == nil)
        #expect(server.run("SET", "k", "1", "nx") == "OK")
        #expect(server.run("SET", "k", "2", "NX") == nil)
        #expect(server.run("SET", "k", "2", "XX", "GET") == .bulk("1"))
        #expect(server.run("SET", "k", "3", "NX", "GET") == .bulk("2"))
        #expect(server.run("GET", "k") == .bulk("2"))
        #expect(server.run("SET", "k", "9", "IFEQ", "3") == nil)
        #expect(server.run("SET", "k", "9", "IFEQ", "2", "GET") == .bulk("2"))
        #expect(server.run("SET", "absent", "9", "IFEQ", "") == nil)
        #expect(server.run("EXISTS", "absent") == 0)
    }

    @Test(arguments: [
        "NX XX", "XX NX", "EX 1 PX 1", "EX 1 KEEPTTL", "KEEPTTL PXAT 1", "EX", "IFEQ",
        "NX IFEQ 1", "IFEQ 1 XX", "IFEQ 1 IFEQ 1", "PERSIST", "FOO",
    ])
    func `options that do not go together`(options: String) {
        let words = options.split(separator: " ").map(String.init)
        #expect(server.client.run(["SET", "k", "v"] + words) == syntax)
        #expect(server.run("EXISTS", "k") == 0)
    }

    @Test func `deadlines of SET`() {
        #expect(server.run("SET", "k", "v", "EX", "10", "EX", "20") == "OK")
        #expect(server.run("PTTL", "k") == 20_000)
        #expect(server.run("SET", "k", "w", "KEEPTTL") == "OK")
        #expect(server.run("PTTL", "k") == 20_000)
        #expect(server.run("SET", "k", "w", "PXAT", "1700000000500") == "OK")
        #expect(server.run("PTTL", "k") == 500)
        #expect(server.run("SET", "k", "w", "EXAT", "1700000001") == "OK")
        #expect(server.run("PEXPIRETIME", "k") == 1_700_000_001_000)
        #expect(server.run("SET", "k", "w") == "OK")
        #expect(server.run("TTL", "k") == -1)
        #expect(server.run("SET", "k", "w", "EXAT", "1") == "OK")
        #expect(server.run("GET", "k") == nil)
    }

    @Test(arguments: ["0", "-1", "9223372036854775807", "9223372036854775", "-9223372036854775808"])
    func `deadlines that are none`(seconds: String) {
        let error = Reply.error("ERR invalid expire time in 'set' command")
        #expect(server.run("SET", "k", "v", "EX", seconds) == error)
        #expect(
            server.run("SETEX", "k", seconds, "v")
                == .error("ERR invalid expire time in 'setex' command"))
        #expect(server.run("SET", "k", "v", "EX", "abc") == notInteger)
        #expect(
            server.run("PSETEX", "k", "9223372036854775807", "v")
                == .error("ERR invalid expire time in 'psetex' command"))
        #expect(server.run("EXISTS", "k") == 0)
    }

    @Test func `the older ways of setting`() {
        #expect(server.run("SETEX", "k", "10", "v") == "OK")
        #expect(server.run("TTL", "k") == 10)
        #expect(server.run("PSETEX", "k", "10", "v") == "OK")
        #expect(server.run("PTTL", "k") == 10)
        #expect(server.run("SETNX", "k", "w") == 0)
        #expect(server.run("GETSET", "k", "w") == .bulk("v"))
        #expect(server.run("TTL", "k") == -1)
        #expect(server.run("SETNX", "new", "w") == 1)
        #expect(server.run("GETSET", "other", "w") == nil)
    }

    @Test func `GETEX and GETDEL`() {
        server.run("SET", "k", "v")
        #expect(server.run("GETEX", "k", "EX", "10") == .bulk("v"))
        #expect(server.run("TTL", "k") == 10)
        #expect(server.run("GETEX", "k") == .bulk("v"))
        #expect(server.run("TTL", "k") == 10)
        #expect(server.run("GETEX", "k", "PERSIST") == .bulk("v"))
        #expect(server.run("TTL", "k") == -1)
        #expect(server.run("GETEX", "k", "EX", "10", "PERSIST") == syntax)
        #expect(server.run("GETEX", "k", "NX") == syntax)
        #expect(server.run("GETEX", "absent", "EX", "abc") == nil)
        #expect(server.run("GETEX", "k", "EX", "abc") == notInteger)
        #expect(
            server.run("GETEX", "k", "EX", "0")
                == .error("ERR invalid expire time in 'getex' command"))
        #expect(server.run("GETEX", "k", "EXAT", "1") == .bulk("v"))
        #expect(server.run("EXISTS", "k") == 0)
        server.run("SET", "k", "v")
        #expect(server.run("GETDEL", "k") == .bulk("v"))
        #expect(server.run("GETDEL", "k") == nil)
    }

    @Test func `several keys at once`() {
        #expect(server.run("MSET", "a", "1", "b", "2", "a", "3") == "OK")
        #expect(server.run("MGET", "a", "absent", "b") == [.bulk("3"), nil, .bulk("2")])
        #expect(server.run("MSETNX", "c", "1", "a", "9") == 0)
        #expect(server.run("EXISTS", "c") == 0)
        #expect(server.run("MSETNX", "c", "1", "d", "2") == 1)
        for name in ["mset", "msetnx"] {
            #expect(
                server.run(name, "a", "1", "b")
                    == .error("ERR wrong number of arguments for '\(name)' command"))
        }
    }

    @Test func `MSETEX sets all or none`() {
        #expect(server.run("MSETEX", "2", "a", "1", "b", "2", "EX", "10") == 1)
        #expect(server.run("TTL", "b") == 10)
        #expect(server.run("MSETEX", "2", "a", "9", "c", "9", "NX") == 0)
        #expect(server.run("MSETEX", "2", "a", "9", "c", "9", "XX") == 0)
        #expect(server.run("GET", "a") == .bulk("1"))
        #expect(server.run("MSETEX", "2", "a", "9", "b", "9", "XX", "KEEPTTL") == 1)
        #expect(server.run("TTL", "a") == 10)
        #expect(server.run("MSETEX", "3", "a", "9", "b", "9") == syntax)
        #expect(server.run("MSETEX", "1", "a", "9", "GET") == syntax)
        for number in ["0", "-1", "x", "2147483648"] {
            #expect(
                server.run("MSETEX", number, "a", "9")
                    == .error("ERR invalid numkeys value or out of range"))
        }
        #expect(server.run("MSETEX", "2147483647", "a", "9") == syntax)
    }

    // MARK: - Parts

    @Test func `APPEND and STRLEN`() {
        #expect(server.run("APPEND", "k", "12") == 2)
        #expect(server.run("OBJECT", "ENCODING", "k") == .bulk("int"))
        #expect(server.run("APPEND", "k", "3") == 3)
        #expect(server.run("OBJECT", "ENCODING", "k") == .bulk("raw"))
        #expect(server.run("INCR", "k") == 124)
        #expect(server.run("STRLEN", "k") == 3)
        #expect(server.run("STRLEN", "absent") == 0)
        server.run("EXPIRE", "k", "10")
        #expect(server.run("APPEND", "k", "") == 3)
        #expect(server.run("TTL", "k") == 10)
    }

    @Test func `a string grows from a byte to beyond a block`() {
        var expected = ""
        for round in 0..<400 {
            let part = String(repeating: String(round % 10), count: round)
            expected += part
            #expect(server.run("APPEND", "k", part).integer == Int64(expected.utf8.count))
            if round == 100 { server.run("EXPIRE", "k", "100") }
        }
        #expect(server.run("GET", "k") == .bulk(expected))
        #expect(server.run("TTL", "k") == 100)
    }

    @Test func `GETRANGE counts from both ends`() {
        server.run("SET", "k", "Hello World")
        let cases: [(String, String, String)] = [
            ("0", "3", "Hell"), ("0", "-1", "Hello World"), ("-4", "-1", "orld"), ("5", "3", ""),
            ("-1", "-3", ""), ("0", "5000", "Hello World"), ("-5000", "10000", "Hello World"),
            ("5000", "10000", ""), ("-9223372036854775808", "9223372036854775807", "Hello World"),
            ("0", "-100", "H"),
        ]
        for (start, end, expected) in cases {
            #expect(server.run("GETRANGE", "k", start, end) == .bulk(expected))
            #expect(server.run("SUBSTR", "k", start, end) == .bulk(expected))
        }
        server.run("SET", "n", "-12345")
        #expect(server.run("GETRANGE", "n", "0", "2") == .bulk("-12"))
        #expect(server.run("GETRANGE", "absent", "0", "2") == .bulk(""))
        #expect(server.run("GETRANGE", "absent", "a", "2") == notInteger)
    }

    @Test func `SETRANGE fills gaps with zeroes`() {
        #expect(server.run("SETRANGE", "k", "3", "ab") == 5)
        #expect(server.run("GET", "k") == .bulk("\0\0\0ab"))
        #expect(server.run("OBJECT", "ENCODING", "k") == .bulk("raw"))
        #expect(server.run("SETRANGE", "k", "0", "x") == 5)
        #expect(server.run("SETRANGE", "k", "3000", "y") == 3001)
        #expect(server.run("GETRANGE", "k", "2998", "3000") == .bulk("\0\0y"))
        #expect(server.run("SETRANGE", "absent", "10", "") == 0)
        #expect(server.run("EXISTS", "absent") == 0)
        server.run("SET", "n", "1234")
        #expect(server.run("SETRANGE", "n", "1", "9") == 4)
        #expect(server.run("GET", "n") == .bulk("1934"))
        #expect(
            server.run("SETRANGE", "k", "-1", "a") == .error("ERR offset is out of range"))
        #expect(server.run("SETRANGE", "k", "x", "a") == notInteger)
    }

    @Test func `no string becomes longer than the limit`() {
        let error = Reply.error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
        server.server.keyspace.limits.longestString = 1000
        #expect(server.run("SETRANGE", "k", "999", "ab") == error)
        #expect(server.run("SETRANGE", "k", "9223372036854775807", "a") == error)
        #expect(server.run("EXISTS", "k") == 0)
        #expect(server.run("SETRANGE", "k", "999", "a") == 1000)
        #expect(server.run("APPEND", "k", "a") == error)
    }

    // MARK: - Numbers

    @Test func `integers are counted up and down`() {
        #expect(server.run("INCR", "n") == 1)
        #expect(server.run("INCRBY", "n", "41") == 42)
        #expect(server.run("DECR", "n") == 41)
        #expect(server.run("DECRBY", "n", "-9") == 50)
        #expect(server.run("DECRBY", "absent", "5") == -5)
        server.run("SET", "n", "9223372036854775806", "EX", "10")
        #expect(server.run("INCR", "n") == .integer(.max))
        #expect(
            server.run("INCR", "n") == .error("ERR increment or decrement would overflow"))
        #expect(server.run("TTL", "n") == 10)
        #expect(
            server.run("DECRBY", "n", "-9223372036854775808")
                == .error("ERR decrement would overflow"))
        #expect(server.run("INCRBY", "n", "9223372036854775808") == notInteger)
        for text in [" 1", "1 ", "+1", "01", "1.0", "", "a"] {
            server.run("SET", "t", text)
            #expect(server.run("INCR", "t") == notInteger)
        }
    }

    @Test func `floats are added as long doubles`() {
        #expect(server.run("INCRBYFLOAT", "f", "0.1") == .bulk("0.1"))
        #expect(server.run("INCRBYFLOAT", "f", "0.2") == .bulk("0.3"))
        #expect(server.run("INCRBYFLOAT", "f", "-0.3") == .bulk("0"))
        #expect(server.run("INCRBYFLOAT", "f", "5") == .bulk("5"))
        #expect(server.run("OBJECT", "ENCODING", "f") == .bulk("embstr"))
        #expect(server.run("INCR", "f") == 6)
        #expect(server.run("INCRBYFLOAT", "f", "1e2") == .bulk("106"))
        server.run("EXPIRE", "f", "10")
        #expect(server.run("INCRBYFLOAT", "f", "1").text == "107")
        #expect(server.run("TTL", "f") == 10)
        let notFloat = Reply.error("ERR value is not a valid float")
        for text in ["abc", "nan", "", " 1", "1 "] {
            #expect(server.run("INCRBYFLOAT", "f", text) == notFloat)
        }
        #expect(
            server.run("INCRBYFLOAT", "f", "inf")
                == .error("ERR increment would produce NaN or Infinity"))
        server.run("SET", "f", String(repeating: "1", count: 300))
        #expect(server.run("INCRBYFLOAT", "f", "1").text?.hasPrefix("1111111111111111111") == true)
        server.run("SET", "f", String(repeating: "1", count: 6000))
        #expect(server.run("INCRBYFLOAT", "f", "1") == notFloat)
    }

    @Test func `DELIFEQ compares first`() {
        server.run("SET", "k", "10")
        #expect(server.run("DELIFEQ", "k", "010") == 0)
        #expect(server.run("DELIFEQ", "k", "10") == 1)
        #expect(server.run("DELIFEQ", "k", "10") == 0)
    }

    @Test func `LCS in all its forms`() {
        server.run("MSET", "a", "ohmytext", "b", "mynewtext", "n", "12345")
        #expect(server.run("LCS", "a", "b") == .bulk("mytext"))
        #expect(server.run("LCS", "a", "b", "LEN") == 6)
        #expect(server.run("LCS", "a", "absent") == .bulk(""))
        #expect(server.run("LCS", "n", "n", "LEN") == 5)
        #expect(
            server.run("LCS", "a", "b", "IDX", "MINMATCHLEN", "4", "WITHMATCHLEN") == [
                .bulk("matches"), [[[4, 7], [5, 8], 4]], .bulk("len"), 6,
            ])
        #expect(server.run("LCS", "a", "b", "FOO") == syntax)
        #expect(server.run("LCS", "a", "b", "MINMATCHLEN") == syntax)
        #expect(
            server.run("LCS", "a", "b", "LEN", "IDX")
                == .error("ERR If you want both the length and indexes, please just use IDX."))
        server.server.keyspace.limits.longestString = 100
        #expect(
            server.run("LCS", "a", "b")
                == .error(
                    "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"))
    }

    // MARK: - What is told

    @Test func `hits and misses are counted`() {
        server.run("SET", "k", "v")
        let before = server.server.keyspace.counters
        for command in ["GET", "STRLEN", "TTL", "TYPE", "EXISTS", "GETEX"] {
            server.run(command, "k")
            server.run(command, "absent")
        }
        server.run("MGET", "k", "absent")
        server.run("INCR", "absent2")
        let counters = server.server.keyspace.counters
        #expect(counters.hits - before.hits == 7)
        #expect(counters.misses - before.misses == 7)
    }

    @Test func `events are those of Redis`() {
        #expect(server.events("SET", "a", "1") == ["new a", "set a"])
        #expect(server.events("SET", "a", "1", "EX", "9") == ["set a", "expire a"])
        #expect(server.events("SETEX", "a", "9", "1") == ["set a", "expire a"])
        #expect(server.events("SETNX", "a", "1") == [])
        #expect(server.events("SETRANGE", "a", "1", "") == [])
        #expect(server.events("SETRANGE", "a", "1", "x") == ["setrange a"])
        #expect(server.events("GETSET", "a", "5") == ["set a"])
        #expect(server.events("DECRBY", "a", "2") == ["incrby a"])
        #expect(server.events("INCRBYFLOAT", "a", "2") == ["incrbyfloat a"])
        #expect(server.events("APPEND", "a", "2") == ["append a"])
        #expect(
            server.events("MSET", "a", "1", "b", "2") == ["set a", "new b", "set b"])
        #expect(server.events("GETEX", "b", "EX", "9") == ["expire b"])
        #expect(server.events("GETEX", "b", "PERSIST") == ["persist b"])
        #expect(server.events("GETEX", "b", "PERSIST") == [])
        #expect(server.events("GETEX", "b", "PXAT", "1") == ["del b"])
        #expect(server.events("GETDEL", "a") == ["del a"])
        #expect(server.events("GET", "a") == ["keymiss a"])
        server.run("SET", "a", "1", "PX", "10")
        server.advance(milliseconds: 11)
        #expect(
            server.events("SET", "a", "1") == ["expired a", "new a", "set a"])
    }

    @Test func `changes are counted once a key`() {
        let keyspace = server.server.keyspace
        func changes(_ arguments: String...) -> Int {
            let before = keyspace.counters.changes
            _ = server.client.run(arguments)
            return keyspace.counters.changes - before
        }
        #expect(changes("SET", "a", "1", "EX", "10") == 1)
        #expect(changes("MSET", "a", "1", "b", "2") == 2)
        #expect(changes("GET", "a") == 0)
        #expect(changes("RENAME", "a", "c") == 1)
        #expect(changes("MOVE", "c", "1") == 1)
        #expect(changes("DEL", "a", "b", "c") == 1)
    }
}
