import Testing

@testable import Engine

@Suite struct HyperLogLogCommandsTests {
    private static let wrongType: Reply = .error(
        "WRONGTYPE Operation against a key holding the wrong kind of value")
    private static let notASketch: Reply = .error(
        "WRONGTYPE Key is not a valid HyperLogLog string value.")
    private static let corrupted: Reply = .error("INVALIDOBJ Corrupted HLL object detected")

    private func add(_ server: TestServer, _ key: String, _ range: Range<Int>) {
        _ = server.client.run(["PFADD", key] + range.map { "element-\($0)" })
    }

    @Test func elementsAreCounted() {
        let server = TestServer()
        #expect(server.run("PFADD", "h") == 1)
        #expect(server.run("PFADD", "h") == 0)
        #expect(server.run("PFCOUNT", "h") == 0)
        #expect(server.run("PFADD", "h", "a", "b", "c") == 1)
        #expect(server.run("PFADD", "h", "a", "b") == 0)
        #expect(server.run("PFCOUNT", "h") == 3)
        #expect(server.run("PFCOUNT", "absent") == 0)
        #expect(server.run("PFCOUNT", "absent", "h") == 3)
        #expect(server.run("OBJECT", "ENCODING", "h") == .bulk("raw"))
    }

    @Test func sketchesBecomeDense() {
        let server = TestServer()
        add(server, "h", 0..<1500)
        #expect(server.run("PFDEBUG", "ENCODING", "h") == "sparse")
        #expect(server.run("STRLEN", "h") == 2685)
        #expect(server.run("PFCOUNT", "h") == 1495)
        #expect(server.run("PFDEBUG", "TODENSE", "h") == 1)
        #expect(server.run("PFDEBUG", "TODENSE", "h") == 0)
        #expect(server.run("STRLEN", "h") == 12304)
        #expect(server.run("PFCOUNT", "h") == 1495)
        add(server, "h", 1500..<5000)
        #expect(server.run("PFCOUNT", "h") == 4972)
        #expect(server.run("PFADD", "h", "element-7") == 0)
        #expect(server.run("PFDEBUG", "GETREG", "h").elements.count == 16384)
        #expect(
            server.run("PFDEBUG", "DECODE", "h") == .error("ERR HLL encoding is not sparse"))
    }

    @Test func theLimitOfSparseSketchesIsASetting() {
        let server = TestServer("hll-sparse-max-bytes 30")
        add(server, "h", 0..<3)
        #expect(server.run("PFDEBUG", "ENCODING", "h") == "sparse")
        add(server, "h", 3..<20)
        #expect(server.run("PFDEBUG", "ENCODING", "h") == "dense")
        #expect(server.run("PFCOUNT", "h") == 20)
    }

    @Test func runsAreShown() {
        let server = TestServer()
        server.run("PFADD", "s", "a", "b", "c")
        #expect(
            server.run("PFDEBUG", "DECODE", "s")
                == .bulk("Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603"))
        #expect(
            server.run("PFDEBUG", "nothing", "s")
                == .error("ERR Unknown PFDEBUG subcommand 'nothing'"))
        #expect(
            server.run("PFDEBUG", "DECODE", "absent")
                == .error("ERR The specified key does not exist"))
    }

    @Test func sketchesAreMerged() {
        let server = TestServer()
        add(server, "a", 0..<100)
        add(server, "b", 50..<200)
        add(server, "dense", 100..<5000)
        #expect(server.run("PFMERGE", "sum", "a", "b", "absent") == "OK")
        #expect(server.run("PFCOUNT", "sum") == 200)
        #expect(server.run("PFCOUNT", "a", "b") == 200)
        #expect(server.run("PFDEBUG", "ENCODING", "sum") == "sparse")
        #expect(server.run("PFMERGE", "sum", "dense") == "OK")
        #expect(server.run("PFDEBUG", "ENCODING", "sum") == "dense")
        #expect(server.run("PFCOUNT", "sum") == 4972)
        #expect(server.run("PFMERGE", "dense", "a") == "OK")
        #expect(server.run("PFCOUNT", "dense") == 4972)
        #expect(server.run("PFMERGE", "empty") == "OK")
        #expect(server.run("STRLEN", "empty") == 18)
        server.run("EXPIRE", "a", "100")
        server.run("PFMERGE", "a", "b")
        #expect(server.run("TTL", "a") == 100)
    }

    @Test func whatIsNoSketchIsRefused() {
        let server = TestServer()
        server.run("SET", "text", "hello")
        server.run("SET", "number", "12345")
        server.run("RPUSH", "list", "x")
        for key in ["text", "number", "list"] {
            let expected = key == "list" ? Self.wrongType : Self.notASketch
            #expect(server.run("PFADD", key, "a") == expected)
            #expect(server.run("PFCOUNT", key) == expected)
            #expect(server.run("PFCOUNT", "absent", key) == expected)
            #expect(server.run("PFMERGE", "d", key) == expected)
            #expect(server.run("PFMERGE", key) == expected)
            #expect(server.run("PFDEBUG", "GETREG", key) == expected)
        }
        #expect(server.run("EXISTS", "d") == 0)
        #expect(server.run("GET", "number") == .bulk("12345"))
    }

    /// A run more, a run less, or a run that is too long.
    @Test func brokenSketchesAreRefusedAndLeftAlone() {
        let server = TestServer()
        func set(_ codes: [UInt8]) {
            let header = Array("HYLL".utf8) + [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80]
            _ = server.client.run(bytes: [Array("SET".utf8), Array("h".utf8), header + codes])
        }
        let broken: [[UInt8]] = [
            [], [0x7F], [0x7F, 0xFE], [0x7F, 0xFF, 0x00], [0x7F, 0xFF, 0x80],
            [0x7F, 0xFD, 0x81, 0x80],
            [0xFF], Array(repeating: 0x7F, count: 41), Array(repeating: 0, count: 40_000),
        ]
        for codes in broken {
            set(codes)
            let before = server.run("STRLEN", "h")
            #expect(server.run("PFCOUNT", "h") == Self.corrupted)
            #expect(server.run("PFCOUNT", "h", "absent") == Self.corrupted)
            #expect(server.run("PFMERGE", "d", "h") == Self.corrupted)
            #expect(server.run("PFMERGE", "h") == Self.corrupted)
            #expect(server.run("PFDEBUG", "TODENSE", "h") == Self.corrupted)
            #expect(server.run("PFDEBUG", "GETREG", "h") == Self.corrupted)
            // Elements that fall to every part of the registers.
            let added = server.client.run(["PFADD", "h"] + (0..<50).map { "e\($0)" })
            #expect(added == Self.corrupted)
            #expect(!server.run("PFDEBUG", "DECODE", "h").isError)
            #expect(server.run("STRLEN", "h") == before)
        }
        #expect(server.run("EXISTS", "d") == 0)
    }

    @Test func theCachedCardinalityIsUsedAndDropped() {
        let server = TestServer()
        server.run("PFADD", "h", "a")
        let before = server.server.keyspace.counters.changes
        #expect(server.run("PFCOUNT", "h") == 1)
        #expect(server.server.keyspace.counters.changes == before + 1)
        #expect(server.run("PFCOUNT", "h") == 1)
        #expect(server.server.keyspace.counters.changes == before + 1)
        // A number in the cache is believed, as long as it is marked as good.
        server.run("SETRANGE", "h", "8", "\u{5}")
        #expect(server.run("PFCOUNT", "h") == 5)
        server.run("PFADD", "h", "b")
        #expect(server.run("PFCOUNT", "h") == 2)
    }

    @Test func theSelfTestPasses() {
        #expect(TestServer().run("PFSELFTEST") == "OK")
    }
}
