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
