import Testing

@testable import Engine

@Suite struct LatencyHistogramTests {
    @Test func percentilesAreWithinASixteenth() throws {
        var random = SeededRandom.make()
        var histogram = LatencyHistogram()
        defer { histogram.reset() }
        var times: [UInt64] = []
        for _ in 0..<20_000 {
            // As many short as long ones, over all powers up to a minute.
            let time = random.next() >> UInt64(28 + random.below(36))
            times.append(time)
            histogram.record(time)
        }
        times.sort()
        #expect(histogram.count == 20_000)
        #expect(histogram.longest == times.last)
        for percent in [0.001, 1, 10, 50, 90, 99, 99.9, 99.99, 100] {
            let rank = max(1, Int((percent / 100 * Double(times.count)).rounded(.up)))
            let exact = times[rank - 1]
            let read = histogram.percentile(percent)
            #expect(read >= exact, "\(percent) %, seed \(random.seed)")
            #expect(read <= exact + exact / 16, "\(percent) %, seed \(random.seed)")
        }
    }

    @Test func extremes() {
        var histogram = LatencyHistogram()
        #expect(histogram.percentile(50) == 0)
        #expect(histogram.countUpTo(.max) == 0)
        histogram.record(0)
        #expect(histogram.percentile(100) == 0)
        histogram.record(.max)
        #expect(histogram.percentile(50) == 0)
        #expect(histogram.longest == .max)
        #expect(histogram.percentile(100) == .max)
        histogram.reset()
        #expect(histogram.count == 0)
        #expect(histogram.percentile(100) == 0)
    }

    @Test func countsUpToABound() {
        var histogram = LatencyHistogram()
        defer { histogram.reset() }
        for time in 0..<UInt64(1000) { histogram.record(time) }
        #expect(histogram.countUpTo(15) == 16)
        #expect(histogram.countUpTo(31) == 32)
        #expect(histogram.countUpTo(511) == 512)
        #expect(histogram.countUpTo(.max) == 1000)
    }
}
