import Testing

@testable import Engine

@Suite struct AccessStampTests {
    private let day: Int64 = 86_400

    @Test func `moments wrap after half a year and still tell how long ago`() {
        let before = AccessStamp(.moments, seconds: 0xFF_FFF0)
        let after = AccessStamp(.moments, seconds: 0xFF_FFF0 + 100)
        #expect(before.isMoment && before.first == 0xFF_FFF0)
        #expect(after.idleSeconds(since: before.first) == 100)
        #expect(after.mark(idleSeconds: 100) == before.first)
    }

    @Test func `a count begins at five and loses one a period`() {
        let rule = AccessRule.counts(logFactor: 10, decayMinutes: 2)
        let start = AccessStamp(rule, seconds: 1_700_000_000)
        #expect(!start.isMoment)
        #expect(start.count(in: start.first) == 5)
        let mark = start.mark(count: 200)
        #expect(AccessStamp(rule, seconds: 1_700_000_000 + 20 * 60).count(in: mark) == 190)
        #expect(AccessStamp(rule, seconds: 1_700_000_000 + day).count(in: mark) == 0)
        let still = AccessRule.counts(logFactor: 10, decayMinutes: 0)
        #expect(AccessStamp(still, seconds: 1_700_000_000 + day).count(in: mark) == 200)
    }

    @Test func `a count grows as the table of Redis's documentation says`() {
        // https://redis.io/docs/latest/develop/reference/eviction/: counts after so many hits.
        let table: [(factor: Int, hits: Int, count: ClosedRange<UInt32>)] = [
            (0, 100, 100...106), (1, 1000, 35...65), (10, 1000, 12...24), (10, 100_000, 120...165),
            (100, 1000, 6...16), (100, 100_000, 35...65),
        ]
        var random = SeededRandom.make()
        for line in table {
            let rule = AccessRule.counts(logFactor: line.factor, decayMinutes: 1)
            let stamp = AccessStamp(rule, seconds: 1_700_000_000)
            var mark = stamp.first
            for _ in 0..<line.hits {
                mark = stamp.counted(mark, chance: UInt32(truncatingIfNeeded: random.next()))
            }
            #expect(line.count.contains(stamp.count(in: mark)), "\(line)")
        }
    }

    @Test func `extremes are held to what fits, and full counts stay`() {
        let rule = AccessRule.counts(logFactor: .max, decayMinutes: .max)
        let stamp = AccessStamp(rule, seconds: .max)
        #expect(stamp != .untouched)
        let full = stamp.mark(count: 255)
        #expect(stamp.count(in: stamp.counted(full, chance: 0)) == 255)
        #expect(stamp.count(in: stamp.counted(stamp.first, chance: .max)) == 6)
        let negative = AccessStamp(.counts(logFactor: -1, decayMinutes: -1), seconds: -1)
        #expect(negative.count(in: negative.mark(count: 9)) == 9)
    }
}
