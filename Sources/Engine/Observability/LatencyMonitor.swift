/// What kept the server from serving for longer than `latency-monitor-threshold`, by cause: for each
/// the worst case of up to 160 seconds in which it occurred.
///
/// The causes are a few fixed words, so the memory is bounded. Adding a sample is O(causes).
struct LatencyMonitor {
    /// A cause as clients see it.
    enum Event: String {
        case command
        case fastCommand = "fast-command"
        case commandUnblocking = "command-unblocking"
        case expireCycle = "expire-cycle"
        case evictionCycle = "eviction-cycle"
        case fork
        case syncAlways = "aof-fsync-always"
    }

    struct Sample: Equatable {
        let seconds: Int64
        var milliseconds: Int
    }

    /// The samples of one cause, oldest first.
    struct Series {
        static let most = 160
        let event: String
        private(set) var samples: ContiguousArray<Sample> = []
        private(set) var worst = 0

        init(event: String) { self.event = event }

        /// A second has one sample: its worst.
        mutating func add(_ milliseconds: Int, at seconds: Int64) {
            worst = max(worst, milliseconds)
            if let last = samples.last, last.seconds == seconds {
                samples[samples.count - 1].milliseconds = max(last.milliseconds, milliseconds)
                return
            }
            if samples.count == Self.most { samples.removeFirst() }
            samples.append(Sample(seconds: seconds, milliseconds: milliseconds))
        }

        /// Mean, mean deviation, and the seconds between two samples.
        func summary(now: Int64) -> (mean: Int, deviation: Int, period: Double) {
            guard let first = samples.first else { return (0, 0, 0) }
            let count = samples.count
            let mean = samples.reduce(0) { $0 + $1.milliseconds } / count
            let deviation = samples.reduce(0) { $0 + abs($1.milliseconds - mean) } / count
            return (mean, deviation, Double(max(now - first.seconds, 1)) / Double(count))
        }
    }

    /// In the order the causes first occurred.
    private(set) var series: [Series] = []

    func series(of event: String) -> Series? { series.first { $0.event == event } }

    mutating func add(_ event: Event, milliseconds: Int, at seconds: Int64) {
        if let index = series.firstIndex(where: { $0.event == event.rawValue }) {
            series[index].add(milliseconds, at: seconds)
        } else {
            var first = Series(event: event.rawValue)
            first.add(milliseconds, at: seconds)
            series.append(first)
        }
    }

    /// Forgets the causes named so in any case; all if none is named.
    ///
    /// - Returns: how many there were.
    mutating func reset(_ events: [String] = []) -> Int {
        let before = series.count
        let names = Set(events.map { $0.withByteView { $0.lowercasedText } })
        series.removeAll { names.isEmpty || names.contains($0.event) }
        return before - series.count
    }

    // MARK: - For a person to read

    /// A curve of the samples of one cause; nil when there are none.
    func graph(of event: String, now: Int64) -> String? {
        guard let series = series(of: event) else { return nil }
        let times = series.samples.map(\.milliseconds)
        var curve = Sparkline()
        for sample in series.samples {
            curve.samples.append((Double(sample.milliseconds), Self.age(now - sample.seconds)))
        }
        return "\(series.event) - high \(times.max() ?? 0) ms, low \(times.min() ?? 0) ms "
            + "(all time high \(series.worst) ms)\n" + String(repeating: "-", count: 80) + "\n"
            + curve.drawing()
    }

    private static func age(_ seconds: Int64) -> String {
        switch seconds {
        case ..<60: "\(max(seconds, 0))s"
        case ..<3600: "\(seconds / 60)m"
        case ..<86_400: "\(seconds / 3600)h"
        default: "\(seconds / 86_400)d"
        }
    }

    /// What the doctor has to know of the settings.
    struct Circumstances {
        let threshold: Int
        let slowLogMicroseconds: Int
        let now: Int64
    }

    /// What was observed, and what may help.
    func diagnosis(_ circumstances: Circumstances) -> String {
        if series.isEmpty && circumstances.threshold == 0 {
            return "Latency is not being monitored: CONFIG SET latency-monitor-threshold "
                + "<milliseconds> begins with it.\n"
        }
        let advice = advice(circumstances)
        if series.isEmpty && advice.isEmpty {
            return "No latency above \(circumstances.threshold) ms was seen so far.\n"
        }
        var text = series.isEmpty ? "" : "Latency was seen in this server:\n\n"
        for (index, series) in series.enumerated() {
            let summary = series.summary(now: circumstances.now)
            text +=
                "\(index + 1). \(series.event): \(series.samples.count) latency spikes (average "
                + "\(summary.mean)ms, mean deviation \(summary.deviation)ms, period "
                + "\(summary.period.text(places: 2)) sec). Worst all time event "
                + "\(series.worst)ms.\n"
        }
        if advice.isEmpty { return text + "\nThere is no easy remedy.\n" }
        return text + "\nWhat may help:\n\n" + advice.map { "- \($0)\n" }.joined()
    }

    private func advice(_ circumstances: Circumstances) -> [String] {
        var advice: [String] = []
        if series(of: Event.command.rawValue) != nil {
            let microseconds = circumstances.threshold.multipliedReportingOverflow(by: 1000)
            let fitting = microseconds.overflow ? Int.max : microseconds.partialValue
            if circumstances.slowLogMicroseconds < 0
                || circumstances.slowLogMicroseconds > max(fitting, 1)
            {
                advice.append(
                    "The slow log does not show commands this slow yet: CONFIG SET "
                        + "slowlog-log-slower-than \(fitting).")
            }
            advice.append("SLOWLOG GET shows which commands take long, and who sends them.")
            advice.append(
                "Commands on large collections take long: take them in parts (SCAN, HSCAN, ranges) "
                    + "or keep the data in several smaller keys.")
        }
        if series(of: Event.fastCommand.rawValue) != nil {
            advice.append(
                "Even commands that do next to nothing were slow: the machine does not run this "
                    + "process for long whiles. Lower its load, look for a noisy neighbour, or "
                    + "measure with 'redis-cli --intrinsic-latency 100'.")
        }
        if series(of: Event.expireCycle.rawValue) != nil {
            advice.append(
                "Many keys expire at the same moment: spread their times, or lower "
                    + "active-expire-effort.")
        }
        return advice
    }
}
