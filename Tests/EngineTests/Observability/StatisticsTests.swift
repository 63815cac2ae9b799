import Testing

@testable import Engine

@Suite struct StatisticsTests {
    private func count(_ statistics: Statistics, _ text: String) {
        text.withByteView { statistics.countError($0) }
    }

    @Test func errorsAreCountedByTheirCode() {
        let statistics = Statistics(commandCount: 1)
        count(statistics, "ERR one")
        count(statistics, "WRONGTYPE two")
        count(statistics, "ERR three")
        // A first word that does not end within 31 bytes is no code.
        count(statistics, "alone")
        count(statistics, String(repeating: "x", count: 31) + " text")
        count(statistics, String(repeating: "x", count: 30) + " text")
        #expect(statistics.errorReplies == 6)
        #expect(
            statistics.errors.map(\.code) == [
                "ERR", "WRONGTYPE", String(repeating: "x", count: 30),
            ])
        #expect(statistics.errors.map(\.count) == [4, 1, 1])
    }

    @Test func madeUpCodesDoNotFillMemory() {
        let statistics = Statistics(commandCount: 1)
        for number in 0..<1000 { count(statistics, "CODE\(number) text") }
        #expect(statistics.errors.count == Statistics.mostErrorCodes)
        #expect(statistics.errorReplies == 1000)
        count(statistics, "CODE1 text")
        #expect(statistics.errors[1].count == 2)
    }

    @Test func callsAndTimesAreKeptByCommand() {
        let statistics = Statistics(commandCount: 3)
        statistics.record(1, ticks: 1000)
        statistics.record(1, ticks: 3000)
        statistics.record(2, ticks: 5)
        statistics.countFailed(1)
        statistics.countRejected(0)
        #expect(statistics.commandsTotal == 3)
        #expect(statistics[1].calls == 2)
        #expect(statistics[1].ticks == 4000)
        #expect(statistics[1].failed == 1)
        #expect(statistics[0].calls == 0)
        #expect(statistics[0].rejected == 1)
        #expect(statistics.histogram(1).count == 2)
        #expect(statistics.histogram(0).count == 0)
        statistics.reset()
        #expect(statistics.commandsTotal == 0)
        #expect(statistics[1].calls == 0)
        #expect(statistics.histogram(1).count == 0)
    }

    @Test func latenciesAreCollectedOnDemand() {
        let statistics = Statistics(commandCount: 1)
        statistics.tracksLatency = false
        statistics.record(0, ticks: 10)
        #expect(statistics[0].calls == 1)
        #expect(statistics.histogram(0).count == 0)
    }
}
