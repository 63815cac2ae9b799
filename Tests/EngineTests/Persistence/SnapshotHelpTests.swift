import Glibc
import Reactor
import Testing

@testable import Engine

/// Snapshots that a second thread helps to write and to read: the same bytes, the same data.
struct SnapshotHelpTests {
    /// A file that is gone after the test.
    private struct TemporaryFile: ~Copyable {
        let path: String

        init() {
            var template = Array("/tmp/snapshot-XXXXXX".utf8CString)
            FileDescriptor.close(mkstemp(&template))
            path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        }

        deinit { unlink(path) }
    }

    /// More long strings than drafts and blocks hold; some that cannot be compressed, one that is longer
    /// than a draft; packed values, a list and a stream of many nodes.
    private static func fillLarge(_ server: TestServer, _ random: inout SeededRandom) {
        for number in 0..<300 {
            let word = String(random.next(), radix: 36)
            server.run("SET", "text:\(number)", String(repeating: word, count: 300 + number))
            server.run("RPUSH", "list", String(repeating: word, count: 100))
            server.run("HSET", "hash:\(number)", "some field", word, "another field", word + word)
            server.run("ZADD", "zset:\(number)", "1", "member \(word)", "2.5", "member 2 \(word)")
            server.run("XADD", "stream", "\(number + 1)-1", "some field", word, "more", word + word)
            let noise = (0..<3000).map { _ in UInt8(33 + random.below(90)) }
            server.run("SET", "noise:\(number)", String(decoding: noise, as: UTF8.self))
        }
        server.run("XGROUP", "CREATE", "stream", "group", "0")
        server.run("XREADGROUP", "GROUP", "group", "reader", "STREAMS", "stream", ">")
        server.run("SET", "long", String(repeating: "0123456789", count: 300_000))
        let noise = (0..<1_100_000).map { _ in UInt8(33 + random.below(90)) }
        server.run("SET", "long noise", String(decoding: noise, as: UTF8.self))
    }

    private static func write(
        _ server: TestServer, to path: String, withHelp: Bool
    ) throws -> [UInt8] {
        let file = try File(path, .create)
        var writer = DumpWriter(
            toFile: file.descriptor, compresses: true, checks: true, syncsIncrementally: false,
            withHelp: withHelp)
        SnapshotWriter(keyspace: server.server.keyspace, facts: SnapshotFacts()).write(to: &writer)
        #expect(writer.failure == nil)
        return try File.readWhole(path, limit: 1 << 30)
    }

    /// What went wrong, nil for nothing, and what was loaded.
    private static func load(
        _ path: String, withHelp: Bool = true, checks: Bool = true,
        blockBytes: Int = SnapshotReadAhead.blockBytes
    ) throws -> (problem: String?, digest: String) {
        let server = TestServer(SnapshotTests.configuration)
        let file = try File(path, .read)
        var reader = DumpReader(
            file: file.descriptor, size: try file.size(), checks: checks, withHelp: withHelp,
            blockBytes: blockBytes)
        var snapshot = SnapshotReader(
            into: server.server.keyspace, SnapshotReader.Options(checks: checks))
        var problem: String?
        do throws(DumpError) {
            try snapshot.load(from: &reader)
        } catch {
            problem = error.text
        }
        return (problem, server.server.keyspace.digest().hexadecimal)
    }

    @Test func `help changes no byte and no value`() throws {
        var random = SeededRandom.make()
        let server = TestServer(SnapshotTests.configuration)
        Self.fillLarge(server, &random)
        let file = TemporaryFile()
        let alone = try Self.write(server, to: file.path, withHelp: false)
        #expect(alone.count > 3 * SnapshotReadAhead.blockBytes)
        #expect(try Self.write(server, to: file.path, withHelp: true) == alone)
        let loaded = try Self.load(file.path)
        #expect(loaded.problem == nil)
        #expect(loaded.digest == server.server.keyspace.digest().hexadecimal)
    }

    @Test(arguments: [1, 7, 64, 1000])
    func `blocks may end anywhere`(blockBytes: Int) throws {
        var random = SeededRandom.make()
        let server = TestServer(SnapshotTests.configuration)
        SnapshotTests.fill(server, &random)
        let file = TemporaryFile()
        _ = try Self.write(server, to: file.path, withHelp: false)
        let loaded = try Self.load(file.path, blockBytes: blockBytes)
        #expect(loaded.problem == nil)
        #expect(loaded.digest == server.server.keyspace.digest().hexadecimal)
    }

    @Test func `strings of a block come unpacked`() throws {
        var random = SeededRandom.make()
        let server = TestServer(SnapshotTests.configuration)
        SnapshotTests.fill(server, &random)
        let file = TemporaryFile()
        let bytes = try Self.write(server, to: file.path, withHelp: false)
        let size = bytes.count / 3
        let input = try File(file.path, .read)
        let ahead = try #require(
            SnapshotReadAhead(input.descriptor, size: bytes.count, blockBytes: size))
        var buffer = ByteBuffer()
        var unpacked = UnpackedStrings()
        #expect(try ahead.take(into: &buffer, &unpacked) == size)
        #expect(buffer.view.array == Array(bytes.prefix(size)))
        var strings: ContiguousArray<SnapshotScout.Found> = []
        var scout = SnapshotScout()
        _ = scout.walk(buffer.view, &strings)
        #expect(!strings.isEmpty)
        for string in strings {
            let start = string.offset
            var room = ByteBuffer()
            let target = try #require(room.writable(minimum: string.count).baseAddress)
            let packed = buffer.view.slice(start, start + string.packedCount)
            try #require(LZF.decompress(packed, to: target, count: string.count))
            room.commit(string.count)
            #expect(unpacked.take(at: start, packedCount: 1, count: string.count) == nil)
            let ready = unpacked.take(
                at: start, packedCount: string.packedCount, count: string.count)
            #expect(ready?.array == room.view.array)
        }
    }

    @Test func `spoiled files end as they do without help`() throws {
        var random = SeededRandom.make()
        let server = TestServer(SnapshotTests.configuration)
        SnapshotTests.fill(server, &random)
        let file = TemporaryFile()
        let bytes = try Self.write(server, to: file.path, withHelp: false)
        for _ in 0..<60 {
            var spoiled = bytes
            spoiled[random.below(bytes.count)] ^= UInt8(1 << random.below(8))
            if random.below(3) == 0 { spoiled.removeLast(random.below(bytes.count)) }
            try File(file.path, .create).writeAll(spoiled)
            let (checks, blockBytes) = (random.below(4) == 0, 1 + random.below(200))
            let helped = try Self.load(file.path, checks: checks, blockBytes: blockBytes)
            let alone = try Self.load(file.path, withHelp: false, checks: checks)
            #expect(helped.problem == alone.problem)
            #expect(helped.digest == alone.digest)
        }
    }

    @Test func `a file that got shorter, or a load that is ended, is told`() throws {
        var random = SeededRandom.make()
        let server = TestServer(SnapshotTests.configuration)
        SnapshotTests.fill(server, &random)
        let path = TemporaryFile()
        let count = try Self.write(server, to: path.path, withHelp: false).count
        for (missingBytes, mostKeys) in [(100, Int.max), (0, 3)] {
            let file = try File(path.path, .read)
            try File(path.path, .readWrite).truncate(to: count - missingBytes)
            var reader = DumpReader(
                file: file.descriptor, size: count, checks: true, withHelp: true, blockBytes: 100)
            let target = TestServer()
            defer { withExtendedLifetime(target) {} }
            var snapshot = SnapshotReader(into: target.server.keyspace)
            var keys = 0
            let error = #expect(throws: DumpError.self) {
                try snapshot.load(from: &reader) { step, _ in
                    if case .key = step { keys += 1 }
                    return keys < mostKeys
                }
            }
            switch error {
            case .truncated: #expect(missingBytes > 0)
            case .interrupted: #expect(keys == mostKeys)
            default: Issue.record("\(String(describing: error))")
            }
        }
    }

    @Test func `where nothing is compressed the helper goes home`() throws {
        var random = SeededRandom.make()
        let server = TestServer()
        for number in 0..<3000 {
            let noise = (0..<1000).map { _ in UInt8(33 + random.below(90)) }
            server.run("SET", "noise:\(number)", String(decoding: noise, as: UTF8.self))
        }
        server.run("SET", "last", String(repeating: "0123456789", count: 100))
        let file = TemporaryFile()
        let bytes = try Self.write(server, to: file.path, withHelp: true)
        let input = try File(file.path, .read)
        let ahead = try #require(
            SnapshotReadAhead(input.descriptor, size: bytes.count, blockBytes: 1 << 19))
        var buffer = ByteBuffer()
        var unpacked = UnpackedStrings()
        while ahead.goesOn { _ = try ahead.take(into: &buffer, &unpacked) }
        #expect(buffer.view.array == Array(bytes.prefix(2 << 20)))
        let loaded = try Self.load(file.path)
        #expect(loaded.problem == nil)
        #expect(loaded.digest == server.server.keyspace.digest().hexadecimal)
    }

    @Test func `a full disk is told with help as well`() throws {
        var random = SeededRandom.make()
        let server = TestServer()
        Self.fillLarge(server, &random)
        let file = try File("/dev/full", .append)
        var writer = DumpWriter(
            toFile: file.descriptor, compresses: true, checks: true, syncsIncrementally: false,
            withHelp: true)
        SnapshotWriter(keyspace: server.server.keyspace, facts: SnapshotFacts()).write(to: &writer)
        #expect(writer.failure?.code == ENOSPC)
    }
}
