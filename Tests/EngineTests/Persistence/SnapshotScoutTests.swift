import Testing

@testable import Engine

/// The compressed strings of a snapshot, found without reading its values.
struct SnapshotScoutTests {
    private typealias Found = SnapshotScout.Found

    /// What a scout finds in a snapshot that comes in pieces of `step` bytes: in each of
    /// its walks it sees what it has not passed yet, and one piece more.
    private static func found(
        _ snapshot: [UInt8], inPiecesOf step: Int
    ) -> (strings: [Found], hasEnded: Bool) {
        var scout = SnapshotScout()
        var strings: [Found] = []
        var (passed, end) = (0, 0)
        while end < snapshot.count {
            end = min(end + step, snapshot.count)
            if passed >= end { continue }
            snapshot.withByteView { bytes in
                var found: ContiguousArray<Found> = []
                let start = passed
                passed += scout.walk(bytes.slice(start, end), &found)
                strings += found.map {
                    Found(
                        offset: start + $0.offset, packedCount: $0.packedCount, count: $0.count)
                }
            }
        }
        return (strings, scout.hasEnded)
    }

    @Test func `finds every compressed string`() {
        let server = TestServer("set-max-listpack-entries 0")
        let text = String(repeating: "ab", count: 25)
        server.run("SET", "string", text)
        server.run("SET", text, "named by a long text")
        server.run("SET", "short", "ab")
        server.run("RPUSH", "list", text, text)
        server.run("HSET", "hash", "f", text, "g", text)
        server.run("ZADD", "zset", "1", "a" + text, "2", "b" + text)
        server.run("SADD", "set", "c" + text, "d" + text)
        server.run("XADD", "stream", "1-1", "f", text)
        server.run("XGROUP", "CREATE", "stream", "group" + text, "0")
        server.run("XREADGROUP", "GROUP", "group" + text, "reader", "STREAMS", "stream", ">")
        server.run("SET", "last", text, "PX", "1000000")
        let snapshot = SnapshotTests.snapshot(server)
        let (strings, hasEnded) = Self.found(snapshot, inPiecesOf: snapshot.count)
        #expect(hasEnded)
        // One a line above, of the set two, and neither of the short string nor of the reader.
        #expect(strings.count == 10)
        snapshot.withByteView { bytes in
            for string in strings {
                let packed = bytes.slice(string.offset, string.offset + string.packedCount)
                var room = ByteBuffer()
                let target = room.writable(minimum: string.count).baseAddress
                #expect(
                    target.map { LZF.decompress(packed, to: $0, count: string.count) } == true)
            }
        }
    }

    @Test(arguments: [DumpDialect.redis, .valkey])
    func `pieces make no difference`(dialect: DumpDialect) {
        var random = SeededRandom.make()
        let server = TestServer(SnapshotTests.configuration)
        SnapshotTests.fill(server, &random)
        let snapshot = SnapshotTests.snapshot(server, dialect)
        let whole = Self.found(snapshot, inPiecesOf: snapshot.count)
        #expect(whole.hasEnded)
        #expect(!whole.strings.isEmpty)
        for step in [1, 3, 50, 777] {
            #expect(Self.found(snapshot, inPiecesOf: step).strings == whole.strings)
        }
    }

    /// A string that is compressed, or says so: five bytes that make thirty.
    private static let string: [UInt8] = [0xC3, 5, 30, 1, 2, 3, 4, 5]

    /// Forms that others write, by hand.
    @Test(arguments: [
        (DumpFormat.list, [3] + string + string + string, 3),
        (DumpFormat.setIntset, string, 1), (DumpFormat.hashZiplist, string, 1),
        (DumpFormat.listOfZiplists, [2] + string + [1, 65], 1),
        (DumpFormat.hashListpackPreview, string, 1),
        (DumpFormat.hashWithDeadlines22, [1, 7] + string + string, 2),
        (DumpFormat.stream1, [0] + [0, 1, 2] + [1] + string + [1, 2, 0, 0], 1),
        (DumpFormat.stream2, [1] + string + string + [UInt8](repeating: 1, count: 8) + [0], 2),
        (DumpFormat.string, [0x81, 0, 0, 0, 0, 0, 0, 0, 2, 1, 1], 0),
    ])
    func `knows what others write`(type: UInt8, body: [UInt8], count: Int) {
        let end: [UInt8] = [0, 1, 65] + Self.string + [0xFF]
        let snapshot = Array("REDIS0011".utf8) + [type, 1, 65] + body + end
        let (strings, hasEnded) = Self.found(snapshot, inPiecesOf: 4)
        #expect(hasEnded)
        #expect(strings.count == count + 1)
    }

    @Test(arguments: [DumpFormat.module, DumpFormat.sortedSetOfTexts, 99])
    func `stops at what it does not know`(type: UInt8) {
        let snapshot =
            Array("REDIS0011".utf8) + [0, 1, 65] + Self.string + [type, 1, 65] + Self.string
        let (strings, hasEnded) = Self.found(snapshot + [0xFF], inPiecesOf: 1000)
        #expect(!hasEnded)
        #expect(strings.count == 1)
    }

    @Test func `believes nothing`() {
        var random = SeededRandom.make()
        let server = TestServer(SnapshotTests.configuration)
        SnapshotTests.fill(server, &random)
        let snapshot = SnapshotTests.snapshot(server)
        for _ in 0..<500 {
            var spoiled = snapshot
            for _ in 0...random.below(4) {
                spoiled[random.below(snapshot.count)] = UInt8(random.below(256))
            }
            let step = 1 + random.below(snapshot.count)
            for string in Self.found(spoiled, inPiecesOf: step).strings {
                #expect(string.offset >= 0 && string.packedCount >= 0)
                #expect(string.offset + string.packedCount <= snapshot.count)
            }
        }
    }
}
