import Testing

@testable import Engine

struct LZFTests {
    /// What `bytes` become when compressed into at most `limit`; nil where they do not fit.
    private func compressed(_ bytes: [UInt8], atMost limit: Int) -> [UInt8]? {
        var target = [UInt8](repeating: 0, count: max(limit, 1))
        let count = bytes.withByteView { view in
            target.withUnsafeMutableBytes { room in
                room.baseAddress.flatMap { LZF.compress(view, to: $0, atMost: limit) }
            }
        }
        return count.map { Array(target.prefix($0)) }
    }

    private func restored(_ bytes: [UInt8], count: Int) -> [UInt8]? {
        var target = [UInt8](repeating: 0, count: max(count, 1))
        let isWhole = bytes.withByteView { view in
            target.withUnsafeMutableBytes { room in
                room.baseAddress.map { LZF.decompress(view, to: $0, count: count) } ?? false
            }
        }
        return isWhole ? Array(target.prefix(count)) : nil
    }

    @Test func `no more is believed than the bytes can make`() throws {
        for count in [24, 264, 1000, 100_000, 3_000_000] {
            let text = [UInt8](repeating: 7, count: count)
            let packed = try #require(compressed(text, atMost: count - 1))
            #expect(LZF.mayUnpack(packed.count, to: count))
            #expect(packed.withByteView { LZF.unpackedCount($0) } == count)
            #expect(!LZF.mayUnpack(packed.count, to: 90 * packed.count + 265))
            for cut in 1..<min(packed.count, 9) {
                let part = packed.dropLast(cut)
                #expect(Array(part).withByteView { LZF.unpackedCount($0) } <= count)
            }
        }
        #expect(!LZF.mayUnpack(1 << 31, to: 1 << 33))
    }

    @Test func `what was compressed comes back`() throws {
        var random = SeededRandom.make()
        for _ in 0..<200 {
            let words = (0..<1 + random.below(20)).map { "word\($0)-" }
            let count = 20 + random.below(400)
            let text = (0..<count).flatMap { _ in Array(words[random.below(words.count)].utf8) }
            let packed = try #require(compressed(text, atMost: text.count - 1))
            #expect(packed.count < text.count)
            #expect(restored(packed, count: text.count) == text)
            #expect(LZF.mayUnpack(packed.count, to: text.count))
            #expect(packed.withByteView { LZF.unpackedCount($0) } == text.count)
            #expect(restored(packed, count: text.count + 1) == nil)
            #expect(restored(packed, count: text.count - 1) == nil)
        }
    }

    @Test func `what does not fit is refused`() {
        var random = SeededRandom.make()
        let noise = (0..<500).map { _ in UInt8(random.below(256)) }
        #expect(compressed(noise, atMost: 400) == nil)
        #expect(compressed([], atMost: 10) == nil)
        #expect(compressed([1], atMost: 0) == nil)
    }

    @Test func `broken bytes are refused or give what they give`() {
        var random = SeededRandom.make()
        for _ in 0..<2000 {
            let bytes = (0..<1 + random.below(40)).map { _ in UInt8(random.below(256)) }
            let count = 1 + random.below(300)
            if let result = restored(bytes, count: count) { #expect(result.count == count) }
        }
    }

    @Test func `room grows, is used again and goes back`() {
        let arena = Arena.create(rangeBytes: 1 << 26)
        defer { arena.destroy() }
        let room = UnpackingRoom.create(in: arena)
        let small = room.bytes(100)
        #expect(room.bytes(8000) == small)
        let large = room.bytes(5 << 20)
        large.storeBytes(of: 1, toByteOffset: (5 << 20) - 1, as: UInt8.self)
        room.bytes(10).storeBytes(of: 1, as: UInt8.self)
        room.giveBack()
        #expect(arena.allocatedBytes == 0)
        room.destroy()
    }
}
