import Testing

@testable import Engine

/// Sparse and dense registers against a plain array, through all their changes of form.
@Suite struct HyperLogLogSketchTests {
    private func equals(_ union: borrowing UnionRegisters, _ model: [UInt8]) -> Bool {
        for register in 0..<16384 where union[register] != model[register] { return false }
        return true
    }

    private func expectEqual(
        _ sketch: borrowing HyperLogLogSketch, _ model: [UInt8], _ seed: UInt64
    ) {
        var union = UnionRegisters()
        let isMerged = union.merge(sketch.bytes, sketch.encoding)
        let isEqual = equals(union, model)
        #expect(isMerged && isEqual, "seed \(seed)")
    }

    @Test func raisingEqualsTheModel() {
        var random = SeededRandom.make()
        for round in 0..<8 {
            let limit = [3000, 18, 200, 16_000, 40_000, 3000, 0, 1000][round]
            var sketch = HyperLogLogSketch(longestSparse: limit)
            var model = [UInt8](repeating: 0, count: 16384)
            // Few registers and few values, so that runs meet and join.
            let span = [40, 16384, 100, 3000, 16384, 10, 16384, 500][round]
            for step in 0..<2000 {
                let register = 16384 - span + random.below(span)
                let value = UInt8(1 + random.below(round == 4 && step > 1500 ? 51 : 4))
                let raises = value > model[register]
                model[register] = max(model[register], value)
                let isRaised = sketch.raise(register, to: value)
                #expect(isRaised == raises, "seed \(random.seed)")
                if sketch.encoding == .sparse {
                    let isSound = HyperLogLog.isSound(sketch.bytes)
                    #expect(isSound, "seed \(random.seed)")
                }
                if step % 100 == 0 { expectEqual(sketch, model, random.seed) }
            }
            expectEqual(sketch, model, random.seed)
            sketch.becomeDense()
            let count = sketch.bytes.count
            #expect(count == 12304)
            expectEqual(sketch, model, random.seed)
            for register in [0, 1, 2, 3, 16381, 16382, 16383] {
                let value = HyperLogLog.denseRegister(sketch.bytes, register)
                #expect(value == model[register])
            }
        }
    }

    /// Sparse bytes of runs that cover all registers, each coded in as many bytes as may be.
    private func wideSketch(_ random: inout SeededRandom) -> ([UInt8], [UInt8]) {
        var bytes = Array("HYLL\u{1}".utf8) + [UInt8](repeating: 0, count: 11)
        var model: [UInt8] = []
        while model.count < 16384 {
            let length = min(
                1 + random.below([1, 4, 80, 3000][random.below(4)]), 16384 - model.count)
            if length <= 4 && random.below(3) > 0 {
                let value = UInt8(1 + random.below(4))
                bytes.append(0x80 | (value - 1) << 2 | UInt8(length - 1))
                model += [UInt8](repeating: value, count: length)
            } else {
                bytes += [0x40 | UInt8((length - 1) >> 8), UInt8((length - 1) & 0xFF)]
                model += [UInt8](repeating: 0, count: length)
            }
        }
        return (bytes, model)
    }

    @Test func runsInWiderCodesThanNeededAreRaised() {
        var random = SeededRandom.make()
        for _ in 0..<20 {
            let (bytes, model) = wideSketch(&random)
            bytes.withByteView { expectRaises($0, model, &random) }
        }
    }

    private func expectRaises(_ bytes: ByteView, _ start: [UInt8], _ random: inout SeededRandom) {
        guard var sketch = HyperLogLogSketch(bytes, .sparse, longestSparse: 40_000) else {
            Issue.record("not sound, seed \(random.seed)")
            return
        }
        var model = start
        for _ in 0..<500 {
            let register = random.below(16384)
            let value = UInt8(1 + random.below(6))
            model[register] = max(model[register], value)
            _ = sketch.raise(register, to: value)
            let isSound = HyperLogLog.isSound(sketch.bytes)
            #expect(isSound, "seed \(random.seed)")
            if !isSound { return }
        }
        expectEqual(sketch, model, random.seed)
    }

    @Test func aUnionHasTheLargerRegisters() {
        var random = SeededRandom.make()
        var union = UnionRegisters()
        var model = [UInt8](repeating: 0, count: 16384)
        for round in 0..<6 {
            var sketch = HyperLogLogSketch(longestSparse: round % 2 == 0 ? 40_000 : 0)
            for _ in 0..<3000 {
                let register = random.below(16384)
                let value = UInt8(1 + random.below(round == 5 ? 63 : 32))
                _ = sketch.raise(register, to: value)
                model[register] = max(model[register], value)
            }
            let isMerged = union.merge(sketch.bytes, sketch.encoding)
            let isEqual = equals(union, model)
            #expect(isMerged && isEqual, "seed \(random.seed)")
        }
        let hasDense = union.hasDense
        #expect(hasDense)
        var merged = HyperLogLogSketch(longestSparse: 0)
        merged.becomeDense()
        merged.assign(union)
        expectEqual(merged, model, random.seed)
        let counts = (HyperLogLog.cardinality(merged.bytes, .dense), union.cardinality)
        #expect(counts.0 == counts.1)
    }
}
