import Testing

@testable import Engine

@Suite struct ScoredMemberTests {
    @Test(arguments: [0, 1, 20, 253, 254, 255, 8179, 8180, 100_000])
    func membersOfEveryLengthReadBack(length: Int) {
        let arena = Arena.create(rangeBytes: 1 << 28)
        defer { arena.destroy() }
        let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let before = arena.allocatedBytes
        bytes.withByteView { view in
            let element = ScoredMember.make(view, score: -0.5, in: arena)!
            #expect(element.score == -0.5)
            #expect(element.member == view)
            element.score = 3
            #expect(element.member == view && element.score == 3)
            let outside = length > 8179 ? length : 0
            #expect(element.memoryBytes(in: arena) >= arena.allocatedBytes - before + outside)
            element.free(in: arena)
        }
        #expect(arena.allocatedBytes == before)
    }

    @Test func orderedScoresSortAsScoresDo() {
        let scores: [Double] = [
            -.infinity, -.greatestFiniteMagnitude, -1e10, -1.5, -1, -.leastNonzeroMagnitude, 0,
            .leastNonzeroMagnitude, 1, 1.5, 2, 1e10, .greatestFiniteMagnitude, .infinity,
        ]
        for (low, high) in zip(scores, scores.dropFirst()) {
            #expect(ScoredMember.ordered(low) < ScoredMember.ordered(high))
        }
        #expect(ScoredMember.ordered(-0.0) == ScoredMember.ordered(0))
    }
}
