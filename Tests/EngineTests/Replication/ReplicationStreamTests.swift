import Testing

@testable import Engine

@Suite struct ReplicationStreamTests {
    private static let blockBytes = 1024

    private func stream(at offset: Int = 0) -> ReplicationStream {
        ReplicationStream(at: offset, backlogBytes: 16 * Self.blockBytes)
    }

    private func bytes(_ range: Range<Int>) -> [UInt8] {
        range.map { UInt8(truncatingIfNeeded: $0 &* 7) }
    }

    /// What a replica gets that wants everything from `offset` on, view by view.
    private func everything(_ stream: ReplicationStream, from offset: Int) -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let piece = stream.view(from: offset + all.count)
            if piece.isEmpty { return all }
            all += piece.array
        }
    }

    // MARK: - Single things

    @Test func `nothing is there at first`() {
        let stream = stream(at: 77)
        #expect(stream.start == 77)
        #expect(stream.end == 77)
        #expect(stream.count == 0)
        #expect(stream.memoryBytes == 0)
        #expect(stream.view(from: 77).isEmpty)
        #expect(stream.reaches(77))
        #expect(!stream.reaches(76))
        #expect(!stream.reaches(78))
    }

    @Test func `a view ends with its block, and the next one goes on`() {
        var stream = stream(at: 5)
        let all = bytes(0..<2500)
        all.withByteView { stream.append($0) }
        #expect(stream.end == 2505)
        #expect(stream.blockCount == 3)
        #expect(stream.view(from: 5).array == Array(all[..<1024]))
        #expect(stream.view(from: 5 + 1023).array == [all[1023]])
        #expect(stream.view(from: 5 + 1024).array == Array(all[1024..<2048]))
        #expect(stream.view(from: 5 + 2048).array == Array(all[2048...]))
        #expect(stream.view(from: 2505).isEmpty)
    }

    @Test func `what exactly fills a block leaves no room and no empty block`() {
        var stream = stream()
        bytes(0..<1024).withByteView { stream.append($0) }
        #expect(stream.blockCount == 1)
        #expect(stream.view(from: 1024).isEmpty)
        bytes(1024..<1025).withByteView { stream.append($0) }
        #expect(stream.blockCount == 2)
        #expect(everything(stream, from: 1000) == bytes(1000..<1025))
    }

    @Test func `whole blocks go that nobody wants`() {
        var stream = stream()
        bytes(0..<10_000).withByteView { stream.append($0) }
        stream.trim(keeping: 5000, from: 10_000)
        // 4 blocks are 4096 bytes; a fifth would leave fewer than 5000.
        #expect(stream.start == 4 * Self.blockBytes)
        #expect(!stream.reaches(4095))
        #expect(everything(stream, from: 4096) == bytes(4096..<10_000))
        stream.trim(keeping: 0, from: 6000)
        #expect(stream.start == 5 * Self.blockBytes)
        stream.trim(keeping: 0, from: 10_000)
        #expect(stream.start == 9 * Self.blockBytes)
        #expect(everything(stream, from: 9216) == bytes(9216..<10_000))
    }

    @Test func `the blocks follow the size of the backlog, within limits`() {
        for (backlog, block) in [(0, 1024), (16_384, 1024), (1 << 20, 65_536), (1 << 40, 65_536)] {
            var stream = ReplicationStream(at: 0, backlogBytes: backlog)
            [UInt8(1)].withByteView { stream.append($0) }
            #expect(stream.blockBytes == block)
            #expect(
                (block..<block + 64).contains(stream.memoryBytes),
                "what the heap rounds up is little")
        }
    }

    // MARK: - Against a model

    /// All bytes that were ever appended, and from where on they are kept.
    private struct Model {
        let base: Int
        var start: Int
        var bytes: [UInt8] = []
        var end: Int { base + bytes.count }

        func bytes(from offset: Int) -> ArraySlice<UInt8> { bytes[(offset - base)...] }
    }

    @Test func `readers see the bytes that were appended, whatever is trimmed`() {
        var random = SeededRandom.make()
        let base = random.below(1_000_000)
        var stream = stream(at: base)
        var model = Model(base: base, start: base)
        // Replicas, by the byte each wants next.
        var readers: [Int] = []
        for _ in 0..<20_000 {
            switch random.below(10) {
            case 0...3:
                let count = [random.below(40), random.below(1200), 1024][random.below(3)]
                let new = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                new.withByteView { stream.append($0) }
                model.bytes += new
            case 4 where readers.count < 6:
                readers.append(model.start + random.below(model.end - model.start + 1))
            case 5 where !readers.isEmpty:
                readers.remove(at: random.below(readers.count))
            case 6:
                let kept = random.below(8000)
                let wanted = readers.min() ?? .max
                stream.trim(keeping: kept, from: wanted)
                expectTrimmed(stream, &model, keeping: kept, from: wanted)
            default:
                guard !readers.isEmpty else { continue }
                let index = random.below(readers.count)
                let piece = stream.view(from: readers[index])
                #expect(piece.isEmpty == (readers[index] == model.end))
                #expect(piece.array[...] == model.bytes(from: readers[index]).prefix(piece.count))
                // A socket takes what it has room for.
                readers[index] += min(piece.count, random.below(1500))
            }
            #expect(stream.start == model.start && stream.end == model.end)
            #expect(stream.count == model.end - model.start)
        }
        #expect(everything(stream, from: model.start)[...] == model.bytes(from: model.start))
        #expect(model.start > base, "nothing was ever dropped")
    }

    /// Nothing went that was to be kept, and less than a block stayed that was not.
    private func expectTrimmed(
        _ stream: ReplicationStream, _ model: inout Model, keeping kept: Int, from wanted: Int
    ) {
        let most = min(model.end - kept, wanted)
        #expect(stream.start >= model.start)
        #expect(stream.start == model.start || stream.start <= most)
        #expect((stream.start - model.base) % Self.blockBytes == 0)
        // The last block stays, in which the next bytes have room.
        let isLastBlock = stream.end - stream.start <= Self.blockBytes
        #expect(isLastBlock || most - stream.start < Self.blockBytes)
        #expect(stream.blockCount * Self.blockBytes - stream.count < Self.blockBytes)
        model.start = stream.start
    }
}
