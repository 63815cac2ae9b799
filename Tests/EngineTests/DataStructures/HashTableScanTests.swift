import Testing

@testable import Engine

@Suite struct HashTableScanTests {
    @Test func aScanOfAnUnchangedTableSeesEachEntryOnce() {
        let sample = SampleTable(seed: 1)
        defer { sample.destroy() }
        for size in [1, 11, 12, 50, 300, 1500, 4000] {
            while sample.table.count < size { sample.insert(sample.table.count) }
            var entries: ContiguousArray<Arena.Handle> = []
            var cursor: UInt64 = 0
            repeat { cursor = sample.table.scan(cursor, &entries) } while cursor != 0
            #expect(entries.count == size)
            #expect(Set(entries.map(sample.number(of:))).count == size)
        }
    }

    /// Numbers below `fixed` stay and must all be seen, however wildly others come and go.
    @Test func entriesThatStayAreSeenUnderGrowthAndShrinkage() {
        var random = SeededRandom.make()
        for _ in 0..<15 {
            let sample = SampleTable(seed: random.next())
            defer { sample.destroy() }
            let fixed = 1 + random.below(300)
            for number in 0..<fixed { sample.insert(number) }
            var moving = fixed
            func resize(to wanted: Int) {
                while moving < wanted {
                    sample.insert(moving)
                    moving += 1
                }
                while moving > max(wanted, fixed) {
                    moving -= 1
                    sample.remove(moving)
                }
            }
            resize(to: random.below(3000))
            var seen: Set<Int> = []
            var (cursor, calls) = (UInt64(0), 0)
            repeat {
                var entries: ContiguousArray<Arena.Handle> = []
                cursor = sample.table.scan(cursor, &entries)
                seen.formUnion(entries.map(sample.number(of:)))
                if random.below(8) == 0 { resize(to: random.below(3000)) }
                calls += 1
            } while cursor != 0 && calls < 100_000
            #expect(cursor == 0 && seen.isSuperset(of: 0..<fixed))
        }
    }

    /// Chi-squared over the entries that are left after most were removed.
    @Test(arguments: [200, 1500]) func randomEntriesAreUniform(kept: Int) {
        var random = SeededRandom.make()
        let sample = SampleTable(seed: random.next())
        defer { sample.destroy() }
        for number in 0..<2000 { sample.insert(number) }
        for number in kept..<2000 { sample.remove(number) }
        let draws = kept * 30
        var drawn = [Int](repeating: 0, count: kept)
        for _ in 0..<draws {
            drawn[sample.number(of: sample.table.randomEntry(seed: random.next()))] += 1
        }
        let chiSquared = drawn.reduce(0.0) { $0 + Double(($1 - 30) * ($1 - 30)) / 30 }
        // Mean kept - 1, deviation the root of twice that; six deviations are allowed.
        #expect(abs(chiSquared - Double(kept - 1)) < 6 * (2 * Double(kept - 1)).squareRoot())
    }
}
