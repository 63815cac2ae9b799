import Testing

@testable import Engine

@Suite struct BitmapCommandsTests {
    private static let wrongType: Reply = .error(
        "WRONGTYPE Operation against a key holding the wrong kind of value")
    private static let badOffset: Reply = .error(
        "ERR bit offset is not an integer or out of range")
    private static let notInteger: Reply = .error("ERR value is not an integer or out of range")
    private static let syntax: Reply = .error("ERR syntax error")

    @Test func bitsAreSetAndRead() {
        let server = TestServer()
        #expect(server.run("SETBIT", "k", "7", "1") == 0)
        #expect(server.run("GET", "k") == .bulk("\u{1}"))
        #expect(server.run("SETBIT", "k", "7", "0") == 1)
        #expect(server.run("SETBIT", "k", "20000", "1") == 0)
        #expect(server.run("STRLEN", "k") == 2501)
        #expect(server.run("GETBIT", "k", "20000") == 1)
        #expect(server.run("GETBIT", "k", "19999") == 0)
        #expect(server.run("GETBIT", "k", "4294967295") == 0)
        #expect(server.run("GETBIT", "absent", "0") == 0)
        server.run("SET", "n", "1")
        #expect(server.run("SETBIT", "n", "6", "1") == 0)
        #expect(server.run("GET", "n") == .bulk("3"))
        #expect(server.run("OBJECT", "ENCODING", "n") == .bulk("raw"))
    }

    @Test func offsetsAndBitsAreChecked() {
        let server = TestServer()
        for offset in ["-1", "x", "", "4294967296", "9223372036854775807", "#1", "01"] {
            #expect(server.run("SETBIT", "k", offset, "1") == Self.badOffset)
            #expect(server.run("GETBIT", "k", offset) == Self.badOffset)
        }
        for bit in ["2", "-1", "x"] {
            #expect(
                server.run("SETBIT", "k", "0", bit)
                    == .error("ERR bit is not an integer or out of range"))
        }
        #expect(server.run("EXISTS", "k") == 0)
    }

    @Test func otherTypesAreRefused() {
        let server = TestServer()
        server.run("RPUSH", "list", "x")
        #expect(server.run("SETBIT", "list", "0", "1") == Self.wrongType)
        #expect(server.run("GETBIT", "list", "0") == Self.wrongType)
        #expect(server.run("BITCOUNT", "list") == Self.wrongType)
        #expect(server.run("BITPOS", "list", "1") == Self.wrongType)
        #expect(server.run("BITFIELD", "list", "GET", "u1", "0") == Self.wrongType)
        #expect(server.run("BITFIELD", "list", "SET", "u1", "0", "1") == Self.wrongType)
        #expect(server.run("BITOP", "AND", "d", "list") == Self.wrongType)
        server.run("SET", "k", "v")
        #expect(server.run("BITOP", "OR", "list", "k") == 1)
        #expect(server.run("TYPE", "list") == "string")
    }

    @Test func bitsAreCounted() {
        let server = TestServer()
        server.run("SET", "k", "foobar")
        #expect(server.run("BITCOUNT", "k") == 26)
        #expect(server.run("BITCOUNT", "k", "0", "0") == 4)
        #expect(server.run("BITCOUNT", "k", "1", "1", "BYTE") == 6)
        #expect(server.run("BITCOUNT", "k", "5", "30", "bit") == 17)
        #expect(server.run("BITCOUNT", "k", "-2", "-1") == 7)
        #expect(server.run("BITCOUNT", "k", "-1", "-2") == 0)
        #expect(server.run("BITCOUNT", "k", "9223372036854775807", "9223372036854775807") == 0)
        #expect(server.run("BITCOUNT", "k", "-9223372036854775808", "9223372036854775807") == 26)
        #expect(server.run("BITCOUNT", "k", "0") == Self.syntax)
        #expect(server.run("BITCOUNT", "k", "0", "x") == Self.notInteger)
        #expect(server.run("BITCOUNT", "k", "0", "1", "hello") == Self.syntax)
        #expect(server.run("BITCOUNT", "absent", "x", "y", "z") == 0)
    }

    @Test func bitsAreFound() {
        let server = TestServer()
        server.client.send([Array("SET".utf8), Array("k".utf8), [0, 0xFF, 0xF0]])
        _ = server.client.takeReplies()
        #expect(server.run("BITPOS", "k", "1") == 8)
        #expect(server.run("BITPOS", "k", "0") == 0)
        #expect(server.run("BITPOS", "k", "1", "2") == 16)
        #expect(server.run("BITPOS", "k", "0", "1", "1") == -1)
        #expect(server.run("BITPOS", "k", "0", "9", "-1", "BIT") == 20)
        #expect(server.run("BITPOS", "k", "1", "1", "7", "BIT") == -1)
        server.client.send([Array("SET".utf8), Array("ones".utf8), [0xFF, 0xFF]])
        _ = server.client.takeReplies()
        #expect(server.run("BITPOS", "ones", "0") == 16)
        #expect(server.run("BITPOS", "ones", "0", "0") == 16)
        #expect(server.run("BITPOS", "ones", "0", "0", "-1") == -1)
        #expect(server.run("BITPOS", "absent", "0") == 0)
        #expect(server.run("BITPOS", "absent", "1") == -1)
        #expect(
            server.run("BITPOS", "k", "2") == .error("ERR The bit argument must be 1 or 0."))
        #expect(server.run("BITPOS", "k", "x") == Self.notInteger)
        #expect(server.run("BITPOS", "k", "1", "0", "1", "BIT", "x") == Self.syntax)
    }

    @Test func stringsAreCombined() {
        let server = TestServer()
        server.run("SET", "a", "abc")
        server.run("SET", "b", "ab")
        server.run("SET", "n", "12")
        #expect(server.run("BITOP", "and", "d", "a", "b") == 3)
        #expect(server.run("GET", "d") == .bulk("ab\0"))
        #expect(server.run("BITOP", "XOR", "d", "a", "b", "absent") == 3)
        #expect(server.run("GET", "d") == .bulk("\0\0c"))
        #expect(server.run("BITOP", "OR", "a", "a", "n") == 3)
        #expect(server.run("GET", "a") == .bulk("qrc"))
        #expect(server.run("BITOP", "NOT", "d", "b") == 2)
        #expect(server.run("BITOP", "NOT", "d", "d") == 2)
        #expect(server.run("GET", "d") == .bulk("ab"))
        server.run("EXPIRE", "d", "100")
        #expect(server.run("BITOP", "ONE", "d", "b", "b", "n") == 2)
        #expect(server.run("TTL", "d") == -1)
        #expect(server.run("GET", "d") == .bulk("\u{10}\u{10}"))
        #expect(server.run("BITOP", "DIFF", "d", "b", "n") == 2)
        #expect(server.run("GET", "d") == .bulk("@@"))
        #expect(server.run("BITOP", "DIFF1", "d", "b", "n") == 2)
        #expect(server.run("GET", "d") == .bulk("\u{10}\u{10}"))
        #expect(server.run("BITOP", "ANDOR", "d", "b", "n", "absent") == 2)
        #expect(server.run("GET", "d") == .bulk("!\""))
        #expect(server.run("BITOP", "OR", "d", "absent") == 0)
        #expect(server.run("EXISTS", "d") == 0)
        #expect(server.run("BITOP", "NAND", "d", "a") == Self.syntax)
        #expect(
            server.run("BITOP", "NOT", "d", "a", "b")
                == .error("ERR BITOP NOT must be called with a single source key."))
        #expect(
            server.run("BITOP", "DIFF", "d", "a")
                == .error("ERR BITOP DIFF must be called with at least two source keys."))
    }

    @Test func fieldsAreReadAndWritten() {
        let server = TestServer()
        #expect(
            server.run(
                "BITFIELD", "k", "SET", "u8", "#1", "255", "GET", "u4", "12", "GET", "i8", "8")
                == [0, 15, -1])
        #expect(server.run("STRLEN", "k") == 2)
        #expect(
            server.run(
                "BITFIELD", "k", "OVERFLOW", "SAT", "INCRBY", "u8", "8", "10", "OVERFLOW", "FAIL",
                "INCRBY", "u8", "8", "1", "OVERFLOW", "WRAP", "INCRBY", "u8", "8", "2")
                == [255, nil, 1])
        #expect(server.run("BITFIELD", "k", "GET", "i64", "1000000") == [0])
        #expect(server.run("BITFIELD", "k") == .array([]))
        #expect(server.run("BITFIELD_RO", "k", "GET", "u8", "#1") == [1])
        #expect(
            server.run("BITFIELD_RO", "k", "SET", "u8", "0", "1")
                == .error("ERR BITFIELD_RO only supports the GET subcommand"))
        #expect(server.run("BITFIELD", "absent", "GET", "u8", "0") == [0])
        // Redis lets this product overflow, and reads at 0.
        #expect(
            server.run("BITFIELD", "k", "GET", "u50", "#-9223372036854775808") == Self.badOffset)
        #expect(server.run("EXISTS", "absent") == 0)
    }

    @Test func fieldArgumentsAreChecked() {
        let server = TestServer()
        let badType: Reply = .error(
            "ERR Invalid bitfield type. Use something like i16 u8. "
                + "Note that u64 is not supported but i64 is.")
        for type in ["u64", "i65", "u0", "i0", "x8", "", "u", "i-1", "u08"] {
            #expect(server.run("BITFIELD", "k", "GET", type, "0") == badType, "\(type)")
        }
        for offset in ["-1", "x", "#-1", "#", "#9223372036854775807", "4294967296"] {
            #expect(server.run("BITFIELD", "k", "SET", "u8", offset, "1") == Self.badOffset)
        }
        #expect(server.run("BITFIELD", "k", "SET", "u8", "0", "x") == Self.notInteger)
        #expect(server.run("BITFIELD", "k", "SET", "u8", "0") == Self.syntax)
        #expect(server.run("BITFIELD", "k", "OVERFLOW") == Self.syntax)
        #expect(
            server.run("BITFIELD", "k", "OVERFLOW", "x")
                == .error("ERR Invalid OVERFLOW type specified"))
        // One that is wrong undoes all: nothing was written.
        #expect(server.run("BITFIELD", "k", "SET", "u8", "0", "1", "GET", "x", "0") == badType)
        #expect(server.run("EXISTS", "k") == 0)
        let most = (1 << 32) - 1
        #expect(server.run("BITFIELD", "k", "GET", "i64", "\(most)") == [0])
    }

    @Test func onlyChangesCount() {
        let server = TestServer()
        func changes(_ arguments: String...) -> Int {
            let before = server.server.keyspace.counters.changes
            _ = server.client.run(arguments)
            return server.server.keyspace.counters.changes - before
        }
        #expect(changes("SETBIT", "k", "3", "0") == 1)
        #expect(changes("SETBIT", "k", "3", "0") == 0)
        #expect(changes("SETBIT", "k", "3", "1") == 1)
        #expect(changes("BITFIELD", "k", "SET", "u1", "3", "1") == 0)
        #expect(changes("BITFIELD", "k", "SET", "u1", "3", "0", "INCRBY", "u2", "4", "1") == 2)
        #expect(changes("BITFIELD", "k", "GET", "u1", "100") == 0)
        #expect(changes("BITOP", "NOT", "d", "absent") == 0)
    }
}
