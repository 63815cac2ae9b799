/// Which clients hold which keys in caches of their own, so that they can be told when a key
/// changes.
///
/// Two ways: a client is remembered with each key it reads, until the key changes for the first time;
/// or it follows all keys with a prefix, read or not (broadcasting), and the changes of a turn are
/// told together. Clients are known by number; who is gone is found out when a message for it is to
/// be sent.
///
///     keys       name → clients that read it        `read`, `takeReaders`
///     prefixes   prefix → clients, changed keys      `changed`, `takeBroadcasts`
///
/// Remembering and forgetting a key are O(1) for few readers (O(log readers) and a move of their
/// numbers for many), a change is O(lengths that prefixes have, up to that of the key).
final class ClientTracking {
    private struct Entry {
        let key: [UInt8]
        /// In ascending order.
        private(set) var readers: [UInt64]

        /// False if `client` is known to have read it.
        mutating func add(_ client: UInt64) -> Bool {
            var (low, high) = (0, readers.count)
            while low < high {
                let middle = (low + high) / 2
                if readers[middle] < client { low = middle + 1 } else { high = middle }
            }
            if low < readers.count && readers[low] == client { return false }
            readers.insert(client, at: low)
            return true
        }
    }

    private struct Prefix {
        /// In the order they came.
        var followers: [UInt64] = []
        /// Keys changed in this turn, each with the client whose command changed it last.
        var changes: [[UInt8]: UInt64] = [:]
    }

    /// Dense, so that any one can be drawn.
    private var entries: ContiguousArray<Entry> = []
    private var places: [[UInt8]: Int] = [:]
    private var prefixes: [[UInt8]: Prefix] = [:]
    /// How many prefixes have which length.
    private var lengths: [Int: Int] = [:]
    /// Prefixes of keys that changed in this turn.
    private var changedPrefixes: [[UInt8]] = []
    /// Clients in one way or the other, and those whose reads are remembered.
    var clientCount = 0
    var readerCount = 0
    /// Pairs of a key and a client.
    private(set) var itemCount = 0
    /// Whether keys with followers changed in this turn.
    var hasBroadcasts: Bool { !changedPrefixes.isEmpty }
    /// Calls in a row of `Server.limitTracking` that could not keep to the limit.
    var turnsAboveLimit = 0

    var keyCount: Int { entries.count }
    var prefixCount: Int { prefixes.count }

    // MARK: - Keys

    /// Remembers that `client` read `key`.
    func read(_ key: [UInt8], by client: UInt64) {
        if let place = places[key] {
            guard entries[place].add(client) else { return }
        } else {
            places[key] = entries.count
            entries.append(Entry(key: key, readers: [client]))
        }
        itemCount += 1
    }

    /// Forgets `key`, and who has read it.
    func takeReaders(of key: [UInt8]) -> [UInt64] {
        guard let place = places.removeValue(forKey: key) else { return [] }
        let readers = entries[place].readers
        let last = entries.removeLast()
        if place < entries.count {
            entries[place] = last
            places[last.key] = place
        }
        itemCount -= readers.count
        return readers
    }

    /// Some key; nil when there is none.
    func someKey(_ random: UInt64) -> [UInt8]? {
        entries.isEmpty ? nil : entries[Int(random % UInt64(entries.count))].key
    }

    /// Forgets all keys.
    func removeAllKeys() {
        entries = []
        places = [:]
        itemCount = 0
    }

    // MARK: - Prefixes

    func follow(_ prefix: [UInt8], by client: UInt64) {
        if prefixes[prefix] == nil { lengths[prefix.count, default: 0] += 1 }
        prefixes[prefix, default: Prefix()].followers.append(client)
    }

    func unfollow(_ prefix: [UInt8], by client: UInt64) {
        prefixes[prefix]?.followers.removeAll { $0 == client }
        guard prefixes[prefix]?.followers.isEmpty == true else { return }
        prefixes[prefix] = nil
        lengths[prefix.count, default: 1] -= 1
        if lengths[prefix.count] == 0 { lengths[prefix.count] = nil }
    }

    /// Takes note of a change for those who follow a prefix of `key`.
    func changed(_ key: [UInt8], by client: UInt64) {
        guard !prefixes.isEmpty else { return }
        for length in lengths.keys where length <= key.count {
            let prefix = Array(key.prefix(length))
            guard let isFirst = prefixes[prefix]?.changes.isEmpty else { continue }
            if isFirst { changedPrefixes.append(prefix) }
            prefixes[prefix]?.changes[key] = client
        }
    }

    /// Keys that followers of one prefix are to be told of, each with the client that changed it.
    struct Broadcast {
        let followers: [UInt64]
        let changes: [[UInt8]: UInt64]
    }

    /// The changes since the last call.
    func takeBroadcasts() -> [Broadcast] {
        var broadcasts: [Broadcast] = []
        defer { changedPrefixes = [] }
        for prefix in changedPrefixes {
            guard let state = prefixes[prefix], !state.changes.isEmpty else { continue }
            broadcasts.append(Broadcast(followers: state.followers, changes: state.changes))
            prefixes[prefix]?.changes = [:]
        }
        return broadcasts
    }
}

/// What a client asked of CLIENT TRACKING.
struct TrackingMode {
    struct Options: OptionSet {
        let rawValue: UInt8
        static let broadcast = Options(rawValue: 1 << 0)
        static let optIn = Options(rawValue: 1 << 1)
        static let optOut = Options(rawValue: 1 << 2)
        /// Not told of what it changed itself.
        static let noLoop = Options(rawValue: 1 << 3)
    }

    var isOn = false
    var options: Options = []
    /// The client that is told in its place; 0: none.
    var redirection: Int64 = 0
    /// That client was gone when it was to be told.
    var isRedirectionBroken = false
    /// CLIENT CACHING was called: YES with `optIn`, NO with `optOut`.
    var makesException = false
    /// Those it follows, in the order of their bytes.
    var prefixes: [[UInt8]] = [] {
        didSet { bytes = prefixes.reduce(0) { $0 + $1.count + 64 } }
    }
    /// Bytes held for it.
    private(set) var bytes = 0

    /// As CLIENT GETREDIR and CLIENT LIST show it.
    var shownRedirection: Int64 { isOn ? redirection : -1 }

    /// Whether the keys of the next command are to be remembered.
    var remembersReads: Bool {
        guard isOn, !options.contains(.broadcast) else { return false }
        if options.contains(.optIn) { return makesException }
        return !(options.contains(.optOut) && makesException)
    }
}
