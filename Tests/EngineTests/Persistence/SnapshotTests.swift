import Glibc
import Reactor
import Testing

@testable import Engine

/// Data sets through a snapshot in memory, whole, cut and spoiled.
struct SnapshotTests {
    /// Limits that let encodings change early, so that each has its values.
    static let configuration = """
        list-max-listpack-size 6
        stream-node-max-entries 6
        hash-max-listpack-entries 8
        set-max-intset-entries 8
        set-max-listpack-entries 8
        zset-max-listpack-entries 8
        """

    /// Values of every type and encoding, some with deadlines.
    static func fill(_ server: TestServer, _ random: inout SeededRandom) {
        for number in 0..<60 {
            let key = "k\(number)"
            for _ in 0..<random.below(20) + 1 {
                let text = text(&random)
                switch number % 6 {
                case 0: server.run("SET", key, text)
                case 1: server.run("RPUSH", key, text)
                case 2: server.run("SADD", key, number % 12 == 2 ? String(random.below(99)) : text)
                case 3: server.run("ZADD", key, score(&random), text)
                case 4: server.run("HSET", key, text, Self.text(&random))
                default:
                    server.run("HSET", key, text, "v")
                    server.run("HPEXPIREAT", key, "1900000000000", "FIELDS", "1", text)
                }
            }
            if number % 7 == 0 { server.run("PEXPIREAT", key, "1800000000000") }
        }
        for number in 0..<20 { server.run("XADD", "stream", "\(number + 1)-1", "f", text(&random)) }
        server.run("XGROUP", "CREATE", "stream", "group", "0")
        server.run("XREADGROUP", "GROUP", "group", "reader", "COUNT", "5", "STREAMS", "stream", ">")
        server.run("XDEL", "stream", "3-1", "19-1")
        server.run("SELECT", "9")
        server.run("SET", String(repeating: "long key ", count: 60), "v")
        server.run("SELECT", "0")
    }

    private static func text(_ random: inout SeededRandom) -> String {
        switch random.below(6) {
        case 0: String(random.below(200) - 100)
        case 1: String(Int64(bitPattern: random.next()))
        case 2: String(repeating: "ab", count: 30 + random.below(200))
        case 3: ""
        default: "text \(random.below(1000))"
        }
    }

    private static func score(_ random: inout SeededRandom) -> String {
        switch random.below(4) {
        case 0: "inf"
        case 1: "-1.5e300"
        default: String(Double(random.below(1000)) / 8)
        }
    }

    static func snapshot(
        _ server: TestServer, compresses: Bool = true, _ dialect: DumpDialect = .redis
    ) -> [UInt8] {
        var writer = DumpWriter(compresses: compresses)
        let facts = SnapshotFacts(serverVersion: "7.4.0", dialect: dialect)
        SnapshotWriter(keyspace: server.server.keyspace, facts: facts).write(to: &writer)
        return writer.view.array
    }

    /// What went wrong, nil for nothing.
    private static func load(
        _ bytes: [UInt8], into server: TestServer, checks: Bool = true
    ) -> DumpError? {
        bytes.withByteView { view in
            var reader = DumpReader(view, checks: checks)
            var snapshot = SnapshotReader(
                into: server.server.keyspace, SnapshotReader.Options(checks: checks))
            do throws(DumpError) {
                try snapshot.load(from: &reader)
                return nil
            } catch {
                return error
            }
        }
    }

    private static func digest(_ server: TestServer) -> String {
        server.server.keyspace.digest().hexadecimal
    }

    @Test(arguments: [DumpDialect.redis, .valkey], [true, false])
    func `data comes back the same`(dialect: DumpDialect, compresses: Bool) {
        var random = SeededRandom.make()
        let (from, to) = (TestServer(Self.configuration), TestServer(Self.configuration))
        Self.fill(from, &random)
        let bytes = Self.snapshot(from, compresses: compresses, dialect)
        #expect(Self.load(bytes, into: to) == nil)
        #expect(Self.digest(from) == Self.digest(to))
        for number in 0..<60 {
            let key = "k\(number)"
            #expect(from.run("PEXPIRETIME", key) == to.run("PEXPIRETIME", key))
            let (old, new) = (from.encoding(of: key), to.encoding(of: key))
            // A long value that was overwritten is forgotten.
            #expect(old == new || (old == "hashtable" && new == "listpack"), "\(key)")
        }
        for question in [["STREAM", "stream", "FULL"], ["CONSUMERS", "stream", "group"]] {
            let words = ["XINFO"] + question
            #expect(from.client.run(words) == to.client.run(words))
        }
        #expect(
            to.run("HPEXPIRETIME", "k5", "FIELDS", "1", "nothing") == .array([.integer(-2)]))
    }

    @Test func `fields with deadlines expire after loading`() {
        let (from, to) = (TestServer(), TestServer())
        from.run("HSET", "h", "a", "1", "b", "2")
        from.run("HPEXPIRE", "h", "500", "FIELDS", "1", "a")
        #expect(Self.load(Self.snapshot(from), into: to) == nil)
        #expect(to.run("HLEN", "h") == 2)
        to.advance(milliseconds: 501)
        #expect(to.run("HGETALL", "h") == .array([.bulk("b"), .bulk("2")]))
        to.server.expireDueKeys()
        #expect(to.server.keyspace[0].expiringHashCount == 0)
    }

    @Test func `keys whose time is over stay out`() {
        let (from, to) = (TestServer(), TestServer())
        from.run("SET", "a", "1", "PX", "100")
        from.run("SET", "b", "2")
        let bytes = Self.snapshot(from)
        to.advance(milliseconds: 101)
        #expect(Self.load(bytes, into: to) == nil)
        #expect(to.run("KEYS", "*") == .array([.bulk("b")]))
    }

    @Test func `many strings come back, into a table of the same size`() {
        let (from, to) = (TestServer(), TestServer())
        for number in 0..<5000 {
            let value = String(repeating: "v", count: number % 90)
            from.run("SET", "key:\(number)", value)
            if number % 9 == 0 { from.run("PEXPIREAT", "key:\(number)", "1800000000000") }
        }
        #expect(Self.load(Self.snapshot(from), into: to) == nil)
        #expect(to.run("DBSIZE") == 5000)
        #expect(Self.digest(from) == Self.digest(to))
        let tables = (from.server.keyspace[0].table, to.server.keyspace[0].table)
        #expect(tables.0.groupCount == tables.1.groupCount)
        to.run("FLUSHALL")
        #expect(to.run("DBSIZE") == 0)
    }

    @Test func `a key twice is an error`() {
        let (from, to) = (TestServer(), TestServer())
        from.run("SET", "a", "1")
        to.run("SET", "a", "2")
        guard case .corrupt(let text)? = Self.load(Self.snapshot(from), into: to) else {
            Issue.record("a key was overwritten")
            return
        }
        #expect(text.contains("duplicated key 'a'"))
        #expect(to.run("GET", "a") == .bulk("2"))
    }

    @Test func `a snapshot cut anywhere is refused`() {
        var random = SeededRandom.make()
        let from = TestServer(Self.configuration)
        Self.fill(from, &random)
        let bytes = Self.snapshot(from)
        let to = TestServer(Self.configuration)
        let step = bytes.count / 100 + 1
        for count in Array(stride(from: 0, to: bytes.count, by: step)) + [bytes.count - 1] {
            to.run("FLUSHALL")
            let error = Self.load(Array(bytes.prefix(count)), into: to)
            guard case .truncated? = error else {
                Issue.record("cut at \(count): \(String(describing: error))")
                continue
            }
        }
    }

    @Test func `spoiled bytes are refused by the checksum, and harmless without`() {
        var random = SeededRandom.make()
        let from = TestServer(Self.configuration)
        Self.fill(from, &random)
        let bytes = Self.snapshot(from)
        let to = TestServer(Self.configuration)
        let empty = to.server.keyspace.arena.allocatedBytes
        for _ in 0..<100 {
            var spoiled = bytes
            for _ in 0...random.below(2) {
                spoiled[random.below(bytes.count - 8)] ^= UInt8(1 + random.below(255))
            }
            to.run("FLUSHALL")
            #expect(Self.load(spoiled, into: to) != nil)
            to.run("FLUSHALL")
            _ = Self.load(spoiled, into: to, checks: false)
            _ = Self.digest(to)
        }
        to.run("FLUSHALL")
        #expect(to.server.keyspace.arena.allocatedBytes <= empty + 65_536)
    }

    /// A value of each type and encoding, in few bytes.
    private static func smallSnapshot() -> [UInt8] {
        let server = TestServer("list-max-listpack-size 2\nhash-max-listpack-entries 2")
        server.run("SET", "s", String(repeating: "ab", count: 20), "PX", "90000")
        server.run("RPUSH", "l", "a", "1", "b")
        server.run("SADD", "i", "1", "70000")
        server.run("SADD", "t", "x", "y")
        server.run("ZADD", "z", "1.5", "a", "inf", "b")
        server.run("HSET", "h", "f", "v")
        server.run("HSET", "e", "f", "v", "g", "w")
        server.run("HPEXPIREAT", "e", "1900000000000", "FIELDS", "1", "f")
        server.run("HSET", "m", "a", "1", "b", "2", "c", "3")
        server.run("HPEXPIREAT", "m", "1900000000000", "FIELDS", "1", "a")
        server.run("XADD", "x", "1-1", "f", "v")
        server.run("XADD", "x", "1-2", "g", "v")
        server.run("XGROUP", "CREATE", "x", "group", "0")
        server.run("XREADGROUP", "GROUP", "group", "c", "COUNT", "1", "STREAMS", "x", ">")
        return snapshot(server)
    }

    @Test func `whatever byte is spoiled or missing, it is refused or loaded`() {
        let bytes = Self.smallSnapshot()
        let server = TestServer()
        let empty = server.server.keyspace.arena.allocatedBytes
        func check(_ spoiled: [UInt8]) {
            server.run("FLUSHALL")
            _ = Self.load(spoiled, into: server, checks: false)
            #expect(server.server.keyspace.arena.allocatedBytes < empty + 1 << 20)
            _ = Self.digest(server)
        }
        for index in bytes.indices {
            for mask in [0x01, 0x80, 0xFF] as [UInt8] {
                var spoiled = bytes
                spoiled[index] ^= mask
                check(spoiled)
            }
            check(Array(bytes.prefix(index)))
        }
    }

    @Test func `fields with deadlines are dumped as the setting says`() {
        let server = TestServer("rdb-field-ttl-format valkey")
        server.run("HSET", "h", "f", "v")
        server.run("HPEXPIREAT", "h", "1900000000000", "FIELDS", "1", "f")
        #expect(Self.snapshot(server, server.server.dumpDialect).starts(with: "VALKEY080".utf8))
        server.run("CONFIG", "SET", "rdb-field-ttl-format", "redis")
        #expect(Self.snapshot(server, server.server.dumpDialect).starts(with: "REDIS0012".utf8))
    }

    @Test func `a full disk is told`() throws {
        let server = TestServer()
        let file = try File("/dev/full", .append)
        var writer = DumpWriter(
            toFile: file.descriptor, compresses: true, checks: true, syncsIncrementally: false)
        SnapshotWriter(keyspace: server.server.keyspace, facts: SnapshotFacts()).write(to: &writer)
        #expect(writer.failure?.code == ENOSPC)
    }

    @Test(arguments: [
        ("REDIS0000", "version 0"), ("REDIS0013", "version 13"), ("REDIS00x1", "signature"),
        ("RODIS0010", "signature"), ("VALKEY079", "version 79"),
    ])
    func `foreign files are told`(magic: String, complaint: String) {
        let error = Self.load(Array(magic.utf8) + [255], into: TestServer())
        #expect(error?.text.contains(complaint) == true)
    }
}

extension TestServer {
    fileprivate func encoding(of key: String) -> String? {
        run("OBJECT", "ENCODING", key).text
    }
}
