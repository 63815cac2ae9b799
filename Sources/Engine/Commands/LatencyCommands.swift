/// LATENCY: what kept the server from serving, and how long commands take.
enum LatencyCommands {
    static var table: [Command] {
        [
            Command(
                "LATENCY", group: .server, since: "2.8.13",
                "Tells what kept the server from serving, and how long commands take.",
                subcommands: subcommands)
        ]
    }

    private static let flags: CommandFlags = [.admin, .noScript, .loading, .stale]
    private static let tips = [
        "nondeterministic_output", "request_policy:all_nodes", "response_policy:special",
    ]

    private static var subcommands: [Command] {
        [
            Command(
                "DOCTOR", .exactly(2), flags, group: .server, since: "2.8.13",
                "Says in words what was observed, and what may help.", tips: tips, doctor),
            Command(
                "GRAPH", .exactly(3), flags, group: .server, since: "2.8.13",
                "Draws the latencies of one cause.", syntax: "event", tips: tips, graph),
            Command(
                "HELP", .exactly(2), [.loading, .stale], group: .server, since: "2.8.13",
                "Explains the subcommands.", help),
            Command(
                "HISTOGRAM", .atLeast(2), flags, group: .server, since: "7.0.0",
                "Returns how many calls of commands took how long.",
                syntax: "[command [command ...]]", tips: tips, histogram),
            Command(
                "HISTORY", .exactly(3), flags, group: .server, since: "2.8.13",
                "Returns the latencies of one cause.", syntax: "event", tips: tips, history),
            Command(
                "LATEST", .exactly(2), flags, group: .server, since: "2.8.13",
                "Returns the last latency of each cause.", tips: tips, latest),
            Command(
                "RESET", .atLeast(2), flags, group: .server, since: "2.8.13",
                "Forgets the latencies of causes.", syntax: "[event [event ...]]",
                tips: ["request_policy:all_nodes", "response_policy:agg_sum"], reset),
        ]
    }

    // MARK: - LATENCY LATEST, HISTORY event, RESET [event ...]

    /// Reply: for each cause its name, the time and length of the last sample, the worst of all.
    static func latest(_ call: inout Call) throws(CommandError) {
        let all = call.server.observation.latency.series
        call.reply.array(all.count)
        for series in all {
            call.reply.array(4)
            call.reply.bulk(series.event)
            call.reply.integer(series.samples.last?.seconds ?? 0)
            call.reply.integer(series.samples.last?.milliseconds ?? 0)
            call.reply.integer(series.worst)
        }
    }

    static func history(_ call: inout Call) throws(CommandError) {
        let event = call.arguments[2].string
        let samples = call.server.observation.latency.series(of: event)?.samples ?? []
        call.reply.array(samples.count)
        for sample in samples {
            call.reply.array(2)
            call.reply.integer(sample.seconds)
            call.reply.integer(sample.milliseconds)
        }
    }

    /// Reply: how many causes were forgotten.
    static func reset(_ call: inout Call) throws(CommandError) {
        let events = (2..<call.arguments.count).map { call.arguments[$0].string }
        call.reply.integer(call.server.observation.latency.reset(events))
    }

    // MARK: - LATENCY GRAPH event, LATENCY DOCTOR

    static func graph(_ call: inout Call) throws(CommandError) {
        let event = call.arguments[2].string
        guard
            let graph = call.server.observation.latency.graph(of: event, now: call.now / 1000)
        else {
            let name = call.arguments[2]
            let text =
                Array("ERR No samples available for event '".utf8)
                + name.prefix(name.firstIndex(of: 0) ?? name.count).array + [UInt8(ascii: "'")]
            text.withByteView { call.reply.error($0) }
            throw .replied
        }
        call.reply.verbatim(graph)
    }

    static func doctor(_ call: inout Call) throws(CommandError) {
        let settings = call.server.settings
        call.reply.verbatim(
            call.server.observation.latency.diagnosis(
                LatencyMonitor.Circumstances(
                    threshold: settings.latencyMonitorMilliseconds,
                    slowLogMicroseconds: settings.slowLogMicroseconds, now: call.now / 1000)))
    }

    // MARK: - LATENCY HISTOGRAM [command ...]

    /// Reply: for each command its calls, and how many of them took at most so many microseconds.
    ///
    /// A container stands for its subcommands; unknown names are left out.
    static func histogram(_ call: inout Call) throws(CommandError) {
        let commands = call.server.commands
        var numbers: [Int32] = []
        if call.arguments.count == 2 {
            numbers = commands.rows.map(\.number)
        } else {
            for index in 2..<call.arguments.count {
                guard let row = commands.row(named: call.arguments[index].string) else { continue }
                numbers += [row.number] + row.subcommands
            }
        }
        let start = call.reply.deferLength()
        var count = 0
        for number in numbers {
            let histogram = call.server.statistics.histogram(Int(number))
            guard histogram.count > 0 else { continue }
            call.reply.bulk(commands[number].fullName)
            reply(&call, histogram)
            count += 1
        }
        call.reply.finishMap(start, count)
    }

    private static func reply(_ call: inout Call, _ histogram: LatencyHistogram) {
        call.reply.map(2)
        call.reply.bulk("calls")
        call.reply.integer(Int64(clamping: histogram.count))
        call.reply.bulk("histogram_usec")
        let start = call.reply.deferLength()
        var count = 0
        var before: UInt64 = 0
        // From a microsecond to about a second; what took longer counts with the last.
        for power in 10...30 {
            let below = UInt64(1) << UInt64(power)
            let calls = power == 30 ? histogram.count : histogram.countUpTo(below - 1)
            if calls > before {
                // Redis names the upper end of the bucket that begins there.
                call.reply.integer(Int64((below + below / 128 - 1) / 1000))
                call.reply.integer(Int64(clamping: calls))
                count += 1
            }
            before = calls
        }
        call.reply.finishMap(start, count)
    }

    // MARK: - LATENCY HELP

    static func help(_ call: inout Call) throws(CommandError) {
        call.replyHelp(
            container: "LATENCY",
            [
                "DOCTOR", "    Return a human readable latency analysis report.",
                "GRAPH <event>", "    Return an ASCII latency graph for the <event> class.",
                "HISTORY <event>", "    Return time-latency samples for the <event> class.",
                "LATEST", "    Return the latest latency samples for all events.",
                "RESET [<event> ...]",
                "    Reset latency data of one or more <event> classes.",
                "    (default: reset all data for all event classes)", "HISTOGRAM [COMMAND ...]",
                "    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
                "    If no commands are specified then all histograms are replied.",
            ])
    }
}
