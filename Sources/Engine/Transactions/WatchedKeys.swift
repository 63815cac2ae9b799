/// Who watches which key: asked when a key changes, told when a client no longer cares.
///
/// Knows clients by number only. A key that nobody watches does not come here (the keyspace keeps a
/// filter by hash); one that is costs a lookup. `add` and `remove` are O(keys of the client).
///
/// A watch is broken by the first change, so until then the key is as it was when the watch began:
/// there, or missing, or there with its time over, which counts as missing.
struct WatchedKeys {
    /// A key of one of the databases.
    struct Name: Hashable {
        let database: Int
        let key: [UInt8]
    }

    /// What there is at a key.
    enum Presence {
        case present, missing
        /// Its time is over, and it waits for removal.
        case due
    }

    private struct Watch {
        let client: UInt64
        var presence: Presence
    }

    private var watches: [Name: ContiguousArray<Watch>] = [:]
    private var clients: [UInt64: Set<Name>] = [:]
    /// Bytes this takes, about.
    private(set) var memoryBytes = 0
    /// What a watch takes beside the key's bytes, about.
    static let watchBytes = 160

    var isEmpty: Bool { clients.isEmpty }
    /// Clients that watch something, and keys that are watched.
    var clientCount: Int { clients.count }
    var keyCount: Int { watches.count }

    /// Keys that `client` watches.
    func count(of client: UInt64) -> Int { clients[client]?.count ?? 0 }

    // MARK: - Watching

    /// Begins a watch; false if the client watches the key already.
    mutating func add(client: UInt64, _ name: Name, _ presence: Presence) -> Bool {
        guard clients[client, default: []].insert(name).inserted else { return false }
        watches[name, default: []].append(Watch(client: client, presence: presence))
        memoryBytes += Self.watchBytes + name.key.count
        return true
    }

    /// Ends all watches of a client; returns their keys.
    mutating func remove(client: UInt64) -> Set<Name> {
        guard let names = clients.removeValue(forKey: client) else { return [] }
        for name in names {
            watches[name]?.removeAll { $0.client == client }
            memoryBytes -= Self.watchBytes + name.key.count
            if watches[name]?.isEmpty ?? false { watches[name] = nil }
        }
        return names
    }

    // MARK: - Changes

    /// The clients whose watch of `name` a change breaks.
    func broken(by name: Name) -> [UInt64] { watches[name]?.map(\.client) ?? [] }

    /// The same for a key whose time was over and that was removed for it: whoever found it in that
    /// state misses nothing.
    mutating func broken(byExpiryOf name: Name) -> [UInt64] {
        guard var line = watches[name] else { return [] }
        let broken = line.filter { $0.presence == .present }.map(\.client)
        for index in line.indices where line[index].presence == .due {
            line[index].presence = .missing
        }
        watches[name] = line
        return broken
    }

    /// The same for a database that was emptied, or all of whose keys were exchanged for others.
    ///
    /// - Parameter presence: what is there now.
    mutating func broken(
        byExchangeOf database: Int, _ presence: (Name) -> Presence
    ) -> [UInt64] {
        var broken: [UInt64] = []
        for name in watches.keys where name.database == database {
            let now = presence(name)
            for index in watches[name]?.indices ?? 0..<0 {
                guard let watch = watches[name]?[index] else { continue }
                if watch.presence == .present || now == .present {
                    broken.append(watch.client)
                } else {
                    watches[name]?[index].presence = now
                }
            }
        }
        return broken
    }

    /// Whether `client` watches a key whose time came to an end since.
    func sawExpiry(_ client: UInt64, _ presence: (Name) -> Presence) -> Bool {
        for name in clients[client] ?? [] {
            let watch = watches[name]?.first { $0.client == client }
            if watch?.presence != .due && presence(name) == .due { return true }
        }
        return false
    }
}
