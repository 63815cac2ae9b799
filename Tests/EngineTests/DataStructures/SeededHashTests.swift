import Testing

@testable import Engine

@Suite struct SeededHashTests {
    @Test func everyByteAndTheLengthCount() {
        var random = SeededRandom.make()
        let hash = SeededHash(using: &random)
        for count in 0...200 {
            var key = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            let whole = key.withByteView { hash.hash($0) }
            #expect(key.withByteView { hash.hash($0) } == whole)
            #expect((key + [0]).withByteView { hash.hash($0) } != whole)
            for index in 0..<count {
                key[index] ^= 1
                #expect(key.withByteView { hash.hash($0) } != whole)
                key[index] ^= 1
            }
        }
    }

    @Test func theSeedCounts() {
        let one = SeededHash(seed: 1, 2, 3, 4)
        let other = SeededHash(seed: 1, 2, 3, 5)
        #expect(one.hash(ByteView("key")) != other.hash(ByteView("key")))
        #expect(one.hash(7) != other.hash(7))
    }

    /// One bit flipped in the key flips each bit of the hash about every second time.
    @Test(arguments: [1, 4, 8, 12, 16, 20, 33, 100]) func avalanche(count: Int) {
        var random = SeededRandom.make()
        var hash = SeededHash(using: &random)
        let rounds = 2000
        var flips = [Int](repeating: 0, count: 64)
        for round in 0..<rounds {
            // A byte has only 256 values: one seed alone would not make a fair sample.
            if round % 20 == 0 { hash = SeededHash(using: &random) }
            var key = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            let before = key.withByteView { hash.hash($0) }
            key[random.below(count)] ^= 1 << UInt8(random.below(8))
            let changed = before ^ key.withByteView { hash.hash($0) }
            for bit in 0..<64 where changed >> UInt64(bit) & 1 == 1 { flips[bit] += 1 }
        }
        for bit in 0..<64 {
            #expect(flips[bit] > rounds * 43 / 100 && flips[bit] < rounds * 57 / 100, "bit \(bit)")
        }
    }

    /// Sequential keys spread over low and top bits as random ones would: chi-squared over 256
    /// buckets has mean 255 and deviation 22.6; six deviations are allowed.
    @Test func sequentialKeysSpread() {
        var random = SeededRandom.make()
        let hash = SeededHash(using: &random)
        let total = 25_600
        var (low, top) = ([Int](repeating: 0, count: 256), [Int](repeating: 0, count: 256))
        for number in 0..<total {
            let digits = String(number)
            let key = Array(
                ("key:" + String(repeating: "0", count: 12 - digits.count) + digits).utf8)
            let value = key.withByteView { hash.hash($0) }
            low[Int(value & 255)] += 1
            top[Int(value >> 56)] += 1
        }
        for buckets in [low, top] {
            let chiSquared = buckets.reduce(0.0) { sum, count in
                sum + Double((count - total / 256) * (count - total / 256)) / Double(total / 256)
            }
            #expect(chiSquared > 120 && chiSquared < 391)
        }
    }
}
