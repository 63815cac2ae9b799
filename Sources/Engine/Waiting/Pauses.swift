/// The pauses in force: CLIENT PAUSE, and those of FAILOVER and SHUTDOWN.
///
/// Each purpose has a pause of its own, with its own end; ending one leaves the others. The strictest of
/// all is in force. Knows neither clients nor timers: `Waiting` holds requests back and lets them go.
struct Pauses {
    /// Which requests are put off.
    enum Kind: Int, Comparable {
        case none, writes, all

        static func < (left: Kind, right: Kind) -> Bool { left.rawValue < right.rawValue }

        /// Whether a command with `flags` has to wait.
        func holds(_ flags: CommandFlags) -> Bool {
            switch self {
            case .none: false
            case .all: true
            case .writes: flags.contains(.write) || flags.contains(.mayReplicate)
            }
        }
    }

    /// On whose behalf requests are put off.
    enum Purpose {
        case client, shutdown, failover
    }

    private struct Pause {
        var kind = Kind.none
        /// The monotonic millisecond at which it ends; `.max`: when it is told to.
        var until: Int64 = 0
    }

    private var pauses: [Purpose: Pause] = [:] {
        didSet { kind = pauses.values.map(\.kind).max() ?? .none }
    }

    /// The strictest that is in force.
    private(set) var kind = Kind.none

    /// When the first of them ends, in monotonic milliseconds; nil: none ends by itself.
    var nextEnd: Int64? {
        let end = pauses.values.map(\.until).min() ?? .max
        return end == .max ? nil : end
    }

    /// Begins a pause, or makes the one for the same purpose longer and stricter; never shorter or
    /// laxer.
    mutating func begin(_ kind: Kind, for purpose: Purpose, until: Int64) {
        var pause = pauses[purpose] ?? Pause()
        pause.kind = max(pause.kind, kind)
        pause.until = max(pause.until, until)
        pauses[purpose] = pause
    }

    mutating func end(for purpose: Purpose) { pauses[purpose] = nil }

    /// Ends those whose time is over.
    mutating func endThoseOver(at now: Int64) { pauses = pauses.filter { $0.value.until > now } }
}
