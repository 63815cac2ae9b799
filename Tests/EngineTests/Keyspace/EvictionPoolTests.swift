import Testing

@testable import Engine

@Suite struct EvictionPoolTests {
    @Test func `the best of many come out, best first`() {
        var pool = EvictionPool()
        var random = SeededRandom.make()
        let ranks = (0..<1000).map { UInt64($0) }.shuffled(using: &random)
        for rank in ranks {
            Array("key \(rank)".utf8).withByteView { pool.offer($0, rank: rank, database: 3) }
        }
        for rank in (984..<1000).reversed() {
            let candidate = pool.takeBest()
            #expect(candidate?.rank == UInt64(rank))
            #expect(candidate?.key == Array("key \(rank)".utf8) && candidate?.database == 3)
        }
        #expect(pool.takeBest() == nil && pool.isEmpty)
    }
}
