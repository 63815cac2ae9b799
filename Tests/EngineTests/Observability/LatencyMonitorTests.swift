import Testing

@testable import Engine

@Suite struct LatencyMonitorTests {
    @Test func aSecondHasOneSampleItsWorst() {
        var monitor = LatencyMonitor()
        for (milliseconds, second) in [(5, 1), (9, 1), (7, 1), (3, 2)] {
            monitor.add(.command, milliseconds: milliseconds, at: Int64(second))
        }
        let series = monitor.series(of: "command")
        #expect(
            series.map { Array($0.samples) }
                == [.init(seconds: 1, milliseconds: 9), .init(seconds: 2, milliseconds: 3)])
        #expect(series?.worst == 9)
        #expect(monitor.series(of: "fast-command") == nil)
    }

    @Test func theOldestSamplesFallOff() {
        var monitor = LatencyMonitor()
        for second in 1...500 {
            monitor.add(.expireCycle, milliseconds: 1000 - second, at: Int64(second))
        }
        let series = monitor.series(of: "expire-cycle")
        #expect(series?.samples.count == 160)
        #expect(series?.samples.first?.seconds == 341)
        #expect(series?.worst == 999)
    }

    @Test func causesAreForgottenByName() {
        var monitor = LatencyMonitor()
        for event in [LatencyMonitor.Event.command, .fastCommand, .expireCycle] {
            monitor.add(event, milliseconds: 1, at: 1)
        }
        #expect(monitor.reset(["nope", "COMMAND", "command"]) == 1)
        #expect(monitor.series.map(\.event) == ["fast-command", "expire-cycle"])
        #expect(monitor.reset() == 2)
        #expect(monitor.reset() == 0)
    }

    @Test func theSummaryIsOfAllSamples() {
        var monitor = LatencyMonitor()
        for (milliseconds, second) in [(10, 100), (20, 110), (60, 150)] {
            monitor.add(.command, milliseconds: milliseconds, at: Int64(second))
        }
        let summary = monitor.series(of: "command")?.summary(now: 160)
        #expect(summary?.mean == 30)
        #expect(summary?.deviation == 20)
        #expect(summary?.period == 20)
    }

    @Test func theGraphIsThatOfRedis() {
        var monitor = LatencyMonitor()
        for step in 0..<12 {
            monitor.add(.command, milliseconds: 100 + step, at: Int64(1000 + step))
        }
        #expect(
            monitor.graph(of: "command", now: 1012) == """
                command - high 111 ms, low 100 ms (all time high 111 ms)
                \(String(repeating: "-", count: 80))
                         _o#
                      _o#|||
                   _o#||||||
                _o#|||||||||
                            
                111987654321
                210sssssssss
                sss         

                """)
        #expect(monitor.graph(of: "nope", now: 0) == nil)
    }

    @Test func agesAreInTheLargestUnit() {
        var monitor = LatencyMonitor()
        for second in [0, 86_400 * 3, 86_400 * 4 - 7200, 86_400 * 4 - 120] {
            monitor.add(.command, milliseconds: 5, at: Int64(second))
        }
        let graph = monitor.graph(of: "command", now: 86_400 * 4) ?? ""
        #expect(graph.hasSuffix("____\n    \n4122\ndddhm\n") || graph.contains("4122\nddhm"))
    }

    @Test func theDoctorAdvises() {
        var monitor = LatencyMonitor()
        func diagnosis(threshold: Int, slow: Int = 10_000) -> String {
            monitor.diagnosis(.init(threshold: threshold, slowLogMicroseconds: slow, now: 200))
        }
        #expect(diagnosis(threshold: 0).contains("not being monitored"))
        #expect(diagnosis(threshold: 5).contains("No latency above 5 ms"))
        monitor.add(.command, milliseconds: 50, at: 190)
        let text = diagnosis(threshold: 5, slow: -1)
        #expect(
            text.contains(
                "1. command: 1 latency spikes (average 50ms, mean deviation 0ms, period 10.00 sec). "
                    + "Worst all time event 50ms."))
        #expect(text.contains("slowlog-log-slower-than 5000"))
        #expect(!diagnosis(threshold: 5, slow: 1).contains("slowlog-log-slower-than"))
        #expect(!diagnosis(threshold: .max, slow: 1).contains("slowlog-log-slower-than"))
        monitor.add(.fastCommand, milliseconds: 50, at: 190)
        monitor.add(.expireCycle, milliseconds: 50, at: 190)
        #expect(diagnosis(threshold: 5).contains("--intrinsic-latency"))
        #expect(diagnosis(threshold: 5).contains("active-expire-effort"))
    }
}
