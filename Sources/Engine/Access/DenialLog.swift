/// ACL LOG: who was turned away, latest first.
///
/// What happens again within a minute is counted in the entry there is, if that is among the ten
/// latest. No password gets here: of a failed AUTH the user is kept and the word AUTH.
struct DenialLog {
    enum Reason: String {
        case command, key, channel
        case authentication = "auth"
    }

    enum Context: String {
        case topLevel = "toplevel"
        case transaction = "multi"
        case script = "lua"
    }

    struct Entry {
        var count = 1
        let reason: Reason
        let context: Context
        /// The command, the key or the channel.
        let object: [UInt8]
        let user: [UInt8]
        /// The wall clock in milliseconds when it happened last.
        var time: Int64
        /// As CLIENT INFO describes whoever it was last.
        var client: String
    }

    private(set) var entries: [Entry] = []

    private static let mergedWithinMilliseconds: Int64 = 60_000
    private static let mergedAmongLatest = 10

    /// - Parameter limit: `acllog-max-len`.
    mutating func add(_ entry: Entry, limit: Int) {
        let place = entries.prefix(Self.mergedAmongLatest).firstIndex { known in
            known.reason == entry.reason && known.context == entry.context
                && abs(known.time - entry.time) <= Self.mergedWithinMilliseconds
                && known.object == entry.object && known.user == entry.user
        }
        if let place {
            var known = entries.remove(at: place)
            known.count += 1
            known.time = entry.time
            known.client = entry.client
            entries.insert(known, at: 0)
        } else {
            entries.insert(entry, at: 0)
            if entries.count > limit { entries.removeLast(entries.count - max(0, limit)) }
        }
    }

    mutating func removeAll() { entries = [] }
}
