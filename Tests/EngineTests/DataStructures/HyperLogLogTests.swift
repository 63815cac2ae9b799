import Testing

@testable import Engine

/// Sketches against what Redis 7.0.15 made of the same elements, and against ill will.
@Suite struct HyperLogLogTests {
    /// Elements `element-0` and on: how many, what PFCOUNT said, and how long the sketch was.
    private static let recorded: [(elements: Int, cardinality: UInt64, bytes: Int)] = [
        (0, 0, 18), (1, 1, 21), (2, 2, 24), (3, 3, 27), (5, 5, 33), (10, 10, 48), (20, 20, 77),
        (50, 50, 158), (100, 100, 287), (200, 200, 510), (500, 492, 1022), (1000, 994, 1870),
        (1500, 1495, 2685), (2000, 2002, 12304), (3000, 2991, 12304), (5000, 4972, 12304),
        (10000, 10016, 12304), (20000, 19902, 12304), (50000, 50057, 12304),
        (100_000, 100_917, 12304),
    ]

    @Test func theNumbersAreThoseOfRedis() {
        var sketch = HyperLogLogSketch(longestSparse: 3000)
        var added = 0
        for record in Self.recorded {
            while added < record.elements {
                let place = "element-\(added)".withByteView { HyperLogLog.place(of: $0) }
                _ = sketch.raise(place.register, to: place.value)
                added += 1
            }
            let bytes = sketch.bytes.count
            let cardinality = HyperLogLog.cardinality(sketch.bytes, sketch.encoding)
            #expect(bytes == record.bytes && cardinality == record.cardinality)
        }
    }

    /// PFADD s a b c, before and after PFCOUNT.
    private static let recordedBytes: [UInt8] = [
        0x48, 0x59, 0x4c, 0x4c, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x60, 0xf3, 0x80, 0x50,
        0xb1, 0x84, 0x4b, 0xfb, 0x80, 0x42, 0x5a,
    ]

    @Test func theBytesAreThoseOfRedis() {
        var sketch = HyperLogLogSketch(longestSparse: 3000)
        for element in ["a", "b", "c"] {
            let place = element.withByteView { HyperLogLog.place(of: $0) }
            let first = sketch.raise(place.register, to: place.value)
            let second = sketch.raise(place.register, to: place.value)
            #expect(first && !second)
        }
        let bytes = sketch.bytes.array
        #expect(bytes == Self.recordedBytes)
        Self.recordedBytes.withByteView { bytes in
            #expect(HyperLogLog.encoding(of: bytes) == .sparse)
            #expect(HyperLogLog.cachedCardinality(bytes) == nil)
            #expect(HyperLogLog.isSound(bytes))
        }
        var counted = Self.recordedBytes
        counted.withUnsafeMutableBytes { HyperLogLog.storeCardinality(3, in: $0) }
        #expect(counted.withByteView { HyperLogLog.cachedCardinality($0) } == 3)
    }

    @Test func onlySketchesAreTakenForSketches() {
        func encoding(_ change: (inout [UInt8]) -> Void) -> HyperLogLog.Encoding? {
            var bytes = Self.recordedBytes
            change(&bytes)
            return bytes.withByteView { HyperLogLog.encoding(of: $0) }
        }
        #expect(encoding { _ in } == .sparse)
        #expect(encoding { $0[0] = 0 } == nil)
        #expect(encoding { $0[4] = 2 } == nil)
        #expect(encoding { $0[4] = 0 } == nil)
        #expect(encoding { $0 = Array($0.prefix(15)) } == nil)
        #expect(
            encoding {
                $0 += Array(repeating: 0, count: 12304 - $0.count); $0[4] = 0
            } == .dense)
    }

    @Test func brokenRunsAreRecognised() {
        var random = SeededRandom.make()
        let header = Array(Self.recordedBytes.prefix(16))
        for _ in 0..<10_000 {
            let codes = (0..<random.below(40)).map { _ in UInt8(random.below(256)) }
            let bytes = header + codes
            var covered = 0
            var index = 0
            var isCut = false
            while index < codes.count {
                if codes[index] & 0x80 != 0 {
                    covered += Int(codes[index] & 3) + 1
                } else if codes[index] & 0x40 == 0 {
                    covered += Int(codes[index]) + 1
                } else if index + 1 < codes.count {
                    covered += Int(codes[index] & 63) * 256 + Int(codes[index + 1]) + 1
                    index += 1
                } else {
                    isCut = true
                }
                index += 1
            }
            let isSound = !isCut && covered == 16384
            bytes.withByteView { view in
                #expect(HyperLogLog.isSound(view) == isSound, "seed \(random.seed)")
                #expect((HyperLogLog.cardinality(view, .sparse) != nil) == isSound)
                var union = UnionRegisters()
                let isMerged = union.merge(view, .sparse)
                #expect(isMerged == isSound)
                let isCopied = HyperLogLogSketch(view, .sparse, longestSparse: 3000) != nil
                #expect(isCopied == isSound)
            }
        }
        let tooLong = header + Array(repeating: UInt8(0), count: 40_000)
        #expect(!tooLong.withByteView { HyperLogLog.isSound($0) })
    }

    /// Whatever dense registers say, a number comes out.
    @Test func hostileDenseRegistersGiveANumber() {
        for byte: UInt8 in [0, 1, 0x33, 0x7F, 0xCC, 0xFF] {
            var bytes = Array(Self.recordedBytes.prefix(16))
            bytes[4] = 0
            bytes += Array(repeating: byte, count: 12288)
            let number = bytes.withByteView { HyperLogLog.cardinality($0, .dense) }
            #expect(number != nil)
            if byte == 0 { #expect(number == 0) }
            if byte == 0xFF { #expect(number == 1 << 63) }
        }
    }

    @Test func packingIsTheInverseOfSpreading() {
        var random = SeededRandom.make()
        for _ in 0..<10_000 {
            let packed = random.next() >> 16
            let bytes = HyperLogLog.spread(packed)
            for index in 0..<8 {
                let register = packed >> UInt64(index * 6) & 63
                #expect(bytes >> UInt64(index * 8) & 0xFF == register, "seed \(random.seed)")
            }
            #expect(HyperLogLog.pack(bytes) == packed, "seed \(random.seed)")
        }
    }
}
