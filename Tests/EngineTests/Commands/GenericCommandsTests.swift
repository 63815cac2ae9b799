import Testing

@testable import Engine

/// Expected replies are those of Redis 7.0.15.
@Suite struct GenericCommandsTests {
    private let server = TestServer()
    private let notInteger = Reply.error("ERR value is not an integer or out of range")

    /// What a key of another database holds.
    private func get(_ key: String, in database: Int) -> String? {
        let database = server.server.keyspace[database]
        return key.withByteView { database.entry(database.key($0))?.withString { $0.string } }
    }

    // MARK: - Keys

    @Test func `keys are counted, deleted and typed`() {
        server.run("MSET", "a", "1", "b", "2")
        #expect(server.run("EXISTS", "a", "b", "a", "c") == 3)
        #expect(server.run("TOUCH", "a", "b", "c") == 2)
        #expect(server.run("TYPE", "a") == "string")
        #expect(server.run("DEL", "a", "a", "c") == 1)
        #expect(server.run("UNLINK", "b", "a") == 1)
        #expect(server.run("TYPE", "a") == "none")
    }

    @Test func `COPY takes value and deadline along`() {
        server.run("SET", "a", "v", "EX", "10")
        #expect(server.run("COPY", "a", "b") == 1)
        #expect(server.run("COPY", "a", "b") == 0)
        server.run("SET", "a", "w")
        #expect(server.run("GET", "b") == .bulk("v"))
        #expect(server.run("TTL", "b") == 10)
        #expect(server.run("COPY", "a", "b", "REPLACE") == 1)
        #expect(server.run("TTL", "b") == -1)
        #expect(server.run("COPY", "a", "a", "DB", "3") == 1)
        #expect(get("a", in: 3) == "w")
        #expect(server.run("COPY", "none", "b", "REPLACE") == 0)
        let large = String(repeating: "x", count: 5000)
        server.run("SET", "a", large)
        server.run("COPY", "a", String(repeating: "k", count: 400))
        server.run("DEL", "a")
        #expect(server.run("GET", String(repeating: "k", count: 400)) == .bulk(large))
    }

    @Test func `COPY and MOVE refuse`() {
        server.run("SET", "a", "v")
        let same = Reply.error("ERR source and destination objects are the same")
        let range = Reply.error("ERR DB index is out of range")
        #expect(server.run("COPY", "a", "a") == same)
        #expect(server.run("COPY", "a", "a", "DB", "0") == same)
        #expect(server.run("COPY", "a", "b", "DB") == .error("ERR syntax error"))
        #expect(server.run("COPY", "a", "b", "NX") == .error("ERR syntax error"))
        #expect(server.run("MOVE", "a", "0") == same)
        for number in ["16", "-1"] {
            #expect(server.run("COPY", "a", "b", "DB", number) == range)
            #expect(server.run("MOVE", "a", number) == range)
        }
        for number in ["x", "9223372036854775808"] {
            #expect(server.run("COPY", "a", "b", "DB", number) == notInteger)
            #expect(server.run("MOVE", "a", number) == notInteger)
        }
        #expect(
            server.run("MOVE", "a", "3000000000")
                == .error(
                    "ERR value is out of range, value must between -2147483648 and 2147483647"))
    }

    @Test func `MOVE takes the deadline along`() {
        server.run("SET", "a", "v", "EX", "10")
        #expect(server.run("MOVE", "a", "1") == 1)
        #expect(server.run("EXISTS", "a") == 0)
        #expect(get("a", in: 1) == "v")
        #expect(server.server.keyspace[1].expiringCount == 1)
        #expect(server.server.keyspace[0].expiringCount == 0)
        server.run("SET", "a", "w")
        #expect(server.run("MOVE", "a", "1") == 0)
        #expect(server.run("MOVE", "none", "1") == 0)
    }

    @Test func `RENAME replaces, RENAMENX does not`() {
        server.run("SET", "a", "1", "EX", "10")
        server.run("SET", "b", "2", "EX", "99")
        #expect(server.run("RENAMENX", "a", "b") == 0)
        #expect(server.run("RENAMENX", "a", "a") == 0)
        #expect(server.run("RENAME", "a", "a") == "OK")
        #expect(server.run("RENAME", "a", "b") == "OK")
        #expect(server.run("GET", "b") == .bulk("1"))
        #expect(server.run("TTL", "b") == 10)
        #expect(server.run("RENAMENX", "b", "c") == 1)
        let error = Reply.error("ERR no such key")
        #expect(server.run("RENAME", "b", "c") == error)
        #expect(server.run("RENAME", "b", "b") == error)
        #expect(server.run("RENAMENX", "b", "c") == error)
    }

    @Test func `KEYS hides what has expired`() {
        #expect(server.run("KEYS", "*") == [])
        server.run("MSET", "one", "1", "two", "2", "three", "3")
        server.run("PEXPIRE", "two", "10")
        #expect(Set(server.run("KEYS", "t*").elements.compactMap(\.text)) == ["two", "three"])
        server.advance(milliseconds: 11)
        #expect(server.run("KEYS", "t*") == .bulks("three"))
        #expect(Set(server.run("KEYS", "*").elements.compactMap(\.text)) == ["one", "three"])
        #expect(server.run("KEYS", "x*") == [])
    }

    /// A replica leaves expired keys alone until its primary removes them; they must not stand twice.
    @Test func `RENAME and MOVE replace a key that is hidden`() {
        server.run("PSETEX", "due", "1", "old")
        server.run("RPUSH", "list", "a")
        server.run("SET", "string", "new")
        server.run("SELECT", "1")
        server.run("PSETEX", "string", "1", "old")
        server.run("SELECT", "0")
        server.server.keyspace.expiryPolicy = .hide
        server.advance(milliseconds: 10)
        #expect(server.run("RENAMENX", "list", "due") == 1)
        #expect(server.run("DBSIZE") == 2)
        #expect(server.run("LRANGE", "due", "0", "-1") == .bulks("a"))
        #expect(server.run("MOVE", "string", "1") == 1)
        #expect(get("string", in: 1) == "new")
        #expect(server.server.keyspace[1].count == 1)
        #expect(server.run("DEL", "due") == 1)
        #expect(server.run("EXISTS", "due") == 0)
        #expect(server.server.keyspace[0].expiringCount == 0)
    }

    @Test(arguments: [(50, 50), (200, 20_000)])
    func `RANDOMKEY finds every key as often, also after many deletions`(count: Int, many: Int) {
        for number in 0..<many { server.run("SET", "k\(number)", "v") }
        for number in count..<many { server.run("DEL", "k\(number)") }
        var counts = Array(repeating: 0, count: count)
        for _ in 0..<count * 100 {
            if let number = Int(server.run("RANDOMKEY").text?.dropFirst() ?? "") {
                counts[number] += 1
            }
        }
        #expect(counts.reduce(0, +) == count * 100)
        #expect(SetValueTests.chiSquared(counts) < SetValueTests.limit(cells: count))
    }

    @Test func `RANDOMKEY finds only what is there`() {
        #expect(server.run("RANDOMKEY") == nil)
        server.run("MSET", "a", "1", "b", "2")
        server.run("PEXPIRE", "b", "1")
        server.advance(milliseconds: 2)
        for _ in 0..<20 { #expect(server.run("RANDOMKEY") == .bulk("a")) }
    }

    // MARK: - Expiry

    @Test func `a key is gone after its time`() {
        server.run("SET", "k", "v")
        #expect(server.run("EXPIRE", "k", "2") == 1)
        #expect(server.run("PTTL", "k") == 2000)
        server.advance(milliseconds: 1400)
        #expect(server.run("TTL", "k") == 1)
        #expect(server.run("PTTL", "k") == 600)
        server.advance(milliseconds: 600)
        #expect(server.run("PTTL", "k") == 0)
        server.advance(milliseconds: 1)
        #expect(server.run("GET", "k") == nil)
        #expect(server.run("TTL", "k") == -2)
        #expect(server.run("EXPIRE", "k", "2") == 0)
        #expect(server.run("PERSIST", "k") == 0)
    }

    @Test func `conditions of EXPIRE`() {
        server.run("SET", "k", "v")
        #expect(server.run("EXPIRE", "k", "100", "XX") == 0)
        #expect(server.run("EXPIRE", "k", "100", "GT") == 0)
        #expect(server.run("EXPIRE", "k", "100", "LT") == 1)
        #expect(server.run("EXPIRE", "k", "100", "NX") == 0)
        #expect(server.run("EXPIRE", "k", "100", "GT") == 0)
        #expect(server.run("EXPIRE", "k", "200", "GT") == 1)
        #expect(server.run("EXPIRE", "k", "300", "LT") == 0)
        #expect(server.run("EXPIRE", "k", "300", "XX", "LT") == 0)
        #expect(server.run("EXPIRE", "k", "50", "XX", "LT") == 1)
        #expect(server.run("TTL", "k") == 50)
        #expect(server.run("PERSIST", "k") == 1)
        #expect(server.run("PERSIST", "k") == 0)
        #expect(server.run("EXPIRE", "k", "50", "NX", "NX") == 1)
        let together = Reply.error(
            "ERR NX and XX, GT or LT options at the same time are not compatible")
        #expect(server.run("EXPIRE", "k", "1", "NX", "XX") == together)
        #expect(server.run("EXPIRE", "k", "1", "GT", "NX") == together)
        #expect(
            server.run("EXPIRE", "k", "1", "GT", "LT")
                == .error("ERR GT and LT options at the same time are not compatible"))
        #expect(
            server.run("EXPIRE", "none", "x", "foo") == .error("ERR Unsupported option foo"))
    }

    @Test func `deadlines past delete and deadlines beyond 64 bits are refused`() {
        server.run("SET", "k", "v")
        let refused: [(String, String)] = [
            ("EXPIRE", "9223372036854775807"), ("EXPIRE", "-9223372036854775808"),
            ("EXPIRE", "9223372036854775"), ("PEXPIRE", "9223372036854775807"),
            ("EXPIREAT", "9223372036854776"), ("EXPIREAT", "-9223372036854775808"),
        ]
        for (name, amount) in refused {
            #expect(
                server.run(name, "k", amount)
                    == .error("ERR invalid expire time in '\(name.lowercased())' command"))
            #expect(server.run(name, "k", "x") == notInteger)
        }
        #expect(server.run("PEXPIREAT", "k", "9223372036854775807") == 1)
        #expect(server.run("PEXPIRETIME", "k") == .integer(.max))
        #expect(server.run("EXPIRETIME", "k") == 9_223_372_036_854_776)
        #expect(server.run("PEXPIREAT", "k", "-9223372036854775808") == 1)
        #expect(server.run("EXISTS", "k") == 0)
        for (name, amount) in [("EXPIRE", "0"), ("PEXPIRE", "-1"), ("EXPIREAT", "1")] {
            server.run("SET", "k", "v")
            #expect(server.run(name, "k", amount) == 1)
            #expect(server.run("EXISTS", "k") == 0)
        }
    }

    // MARK: - OBJECT

    @Test func `encodings have the names Redis gives them`() {
        let cases: [(String, String)] = [
            ("12345", "int"), ("-1", "int"), ("012", "embstr"), ("", "embstr"),
            (String(repeating: "x", count: 44), "embstr"),
            (String(repeating: "x", count: 45), "raw"),
            (String(repeating: "1", count: 20), "embstr"),
            (String(repeating: "x", count: 5000), "raw"),
        ]
        for (value, name) in cases {
            server.run("SET", "k", value)
            #expect(server.run("OBJECT", "ENCODING", "k") == .bulk(name))
        }
        #expect(server.run("OBJECT", "ENCODING", "none") == nil)
    }

    @Test func `idle time starts anew with each access but not with a look`() {
        server.run("SET", "k", "v")
        server.advance(milliseconds: 10_000)
        #expect(server.run("OBJECT", "IDLETIME", "k") == 10)
        for look in ["TTL", "TYPE", "EXISTS"] { server.run(look, "k") }
        #expect(server.run("OBJECT", "IDLETIME", "k") == 10)
        server.run("GET", "k")
        #expect(server.run("OBJECT", "IDLETIME", "k") == 0)
        #expect(server.run("OBJECT", "IDLETIME", "none") == nil)
    }

    @Test func `frequencies need an LFU policy`() {
        server.run("SET", "k", "v")
        #expect(server.run("OBJECT", "FREQ", "none") == nil)
        #expect(
            server.run("OBJECT", "FREQ", "k").text?
                .hasPrefix("ERR An LFU maxmemory policy is not selected, access freq") == true)
        let counting = TestServer("maxmemory-policy allkeys-lfu\n")
        counting.run("SET", "k", "v")
        #expect(counting.run("OBJECT", "FREQ", "k").integer != nil)
        #expect(
            counting.run("OBJECT", "IDLETIME", "k").text?
                .hasPrefix("ERR An LFU maxmemory policy is selected, idle time not") == true)
    }

    @Test func `small integers seem to be shared`() {
        server.run("MSET", "a", "9999", "b", "10000", "c", "x")
        #expect(server.run("OBJECT", "REFCOUNT", "a") == 2_147_483_647)
        #expect(server.run("OBJECT", "REFCOUNT", "b") == 1)
        #expect(server.run("OBJECT", "REFCOUNT", "c") == 1)
    }

    @Test func `OBJECT explains itself`() {
        let lines = server.run("OBJECT", "HELP").elements
        #expect(lines.count == 15)
        #expect(lines.first?.text?.hasPrefix("OBJECT <subcommand> [<arg>") == true)
        #expect(
            server.run("OBJECT", "foo", "k")
                == .error("ERR unknown subcommand 'foo'. Try OBJECT HELP."))
    }

    // MARK: - What is told

    @Test func `events are those of Redis`() {
        server.run("MSET", "a", "1", "b", "2")
        #expect(server.events("EXPIRE", "a", "10") == ["expire a"])
        #expect(server.events("EXPIRE", "none", "10") == [])
        #expect(server.events("PERSIST", "a") == ["persist a"])
        #expect(server.events("PERSIST", "a") == [])
        #expect(server.events("RENAME", "a", "b") == ["new b", "rename_from a", "rename_to b"])
        #expect(server.events("RENAME", "b", "b") == [])
        #expect(server.events("RENAMENX", "b", "c") == ["new c", "rename_from b", "rename_to c"])
        #expect(server.events("MOVE", "c", "1") == ["new c@1", "move_from c", "move_to c@1"])
        server.run("SET", "a", "1")
        #expect(server.events("COPY", "a", "b") == ["new b", "copy_to b"])
        #expect(server.events("COPY", "a", "b", "REPLACE") == ["new b", "copy_to b"])
        #expect(server.events("COPY", "a", "b", "DB", "2") == ["new b@2", "copy_to b@2"])
        #expect(server.events("EXPIRE", "a", "-1") == ["del a"])
        #expect(server.events("DEL", "a", "b", "none") == ["del b"])
        #expect(server.events("TTL", "none") == ["keymiss none"])
        #expect(server.events("OBJECT", "ENCODING", "none") == [])
        server.run("SET", "a", "1", "PX", "5")
        server.advance(milliseconds: 6)
        #expect(server.events("UNLINK", "a") == ["expired a"])
    }
}
