/// On whose behalf a command runs, and which of the steps around its handler that takes.
///
/// | origin | refusals | access | counting | failures | looking | propagation | events |
/// |---|---|---|---|---|---|---|---|
/// | client | x | x | x | x | x | x | x |
/// | queue | | x | x | x | x | x | x |
/// | script | x | x | x | x | x | x | x |
/// | woken | | x | | x | | x | |
/// | primary | | | x | x | x | x | x |
/// | file | | | | | | | |
enum Origin: CaseIterable {
    /// A client has sent it.
    case client
    /// EXEC runs what its client has queued: the gates were passed then, and by EXEC for all of it.
    case queue
    /// A script calls it.
    case script
    /// It waited, and runs again: it was counted when it began, and whoever serves hands out events.
    case woken
    /// The primary's stream is replayed.
    case primary
    /// The append-only file is replayed: nobody hears of it.
    case file

    struct Steps: OptionSet {
        let rawValue: UInt8
        /// What refuses it by the state of the server.
        static let refusals = Steps(rawValue: 1 << 0)
        /// What its user may do.
        static let access = Steps(rawValue: 1 << 1)
        /// Calls and their time; the last command of its connection.
        static let counting = Steps(rawValue: 1 << 2)
        static let failures = Steps(rawValue: 1 << 3)
        /// Slow log, latency, MONITOR, tracking, limits of output.
        static let looking = Steps(rawValue: 1 << 4)
        /// Its changes go to replicas and the append-only file.
        static let propagation = Steps(rawValue: 1 << 5)
        /// Its effects are handed out as soon as it is over: WATCH, waking, tracking, notifications.
        static let events = Steps(rawValue: 1 << 6)

        static let all = Steps(rawValue: 127)
    }

    @inline(__always)
    var steps: Steps {
        switch self {
        case .client, .script: .all
        case .queue: .all.subtracting(.refusals)
        case .woken: [.access, .failures, .propagation]
        case .primary: .all.subtracting([.refusals, .access])
        case .file: []
        }
    }
}
