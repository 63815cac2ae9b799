/// What is remembered for those who look inside: logs of commands, and what caused latency.
///
/// Empty and untouched while everything is fast and small.
final class Observation {
    /// By `CommandLog.Kind`.
    private var logs = [CommandLog](repeating: CommandLog(), count: CommandLog.Kind.allCases.count)
    var latency = LatencyMonitor()

    subscript(kind: CommandLog.Kind) -> CommandLog {
        get { logs[kind.rawValue] }
        _modify { yield &logs[kind.rawValue] }
    }
}

/// From when on a command is looked at after it ran.
///
/// Two numbers that are compared after each command, whatever is switched on: 0 lets every command
/// be looked at.
struct Attention {
    /// Ticks of the processor's counter.
    var ticks: UInt64 = 500_000
    /// Bytes of replies not yet sent.
    var replyBytes = 64 * 1024
    /// The sizes of all requests are measured, not just of those that were received piece by piece.
    var measuresRequests = false
}
