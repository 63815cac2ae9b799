/// Who waits for which key, in the order they began to wait.
///
/// Knows clients by number only: who is to be served is asked here, serving is the server's. Waiting
/// costs nothing while nothing happens: a key that appears is looked up once, everything else does
/// not come here. `add` and `remove` are O(keys of the client), the next in line is O(log waiters).
struct BlockedKeys {
    /// A key of one of the databases.
    struct Name: Hashable {
        let database: Int
        let key: [UInt8]
    }

    /// One client's place in the line of one key.
    struct Waiter {
        /// Later comers have larger ones.
        let ticket: UInt64
        /// The number of the client's connection; 0 once it waits no longer.
        fileprivate(set) var client: UInt64
        /// What it can make use of.
        let type: ValueType
        /// Where the key stands among its arguments.
        let argument: Int
        /// Whether it must be told when the key is gone or holds something else.
        let hearsOfLoss: Bool
    }

    fileprivate struct Line {
        /// By ticket; the ones before `head` are gone.
        var waiters: ContiguousArray<Waiter> = []
        var head = 0
        var live = 0
        /// Waiters that hear of a loss.
        var hearing = 0
    }

    private var lines: [Name: Line] = [:]
    private var clients: [UInt64: (ticket: UInt64, names: [Name])] = [:]
    private var nextTicket: UInt64 = 1
    /// Keys that appeared, oldest first; those before `served` are served.
    private var ready: ContiguousArray<Name> = []
    private var served = 0
    private var readyNames: Set<Name> = []

    /// Room that is kept for the keys of one turn.
    private static let mostIdleReady = 1024

    /// Clients that wait.
    var count: Int { clients.count }
    var isEmpty: Bool { clients.isEmpty }
    /// Keys that somebody waits for, and those of them whose loss somebody must be told of.
    ///
    /// The second is O(keys).
    var keyCount: Int { lines.count }
    var keysMissedWhenLost: Int { lines.count { $0.value.hearing > 0 } }

    // MARK: - Waiting

    /// Puts a client into the line of each of `keys`; a key named twice counts once, as its first.
    mutating func add(
        client: UInt64, keys: [(name: Name, argument: Int)], type: ValueType,
        hearsOfLoss: Bool = false
    ) {
        precondition(clients[client] == nil, "a client can wait once")
        let ticket = nextTicket
        nextTicket += 1
        var names: [Name] = []
        for (name, argument) in keys {
            let waiter = Waiter(
                ticket: ticket, client: client, type: type, argument: argument,
                hearsOfLoss: hearsOfLoss)
            if lines[name, default: Line()].add(waiter) { names.append(name) }
        }
        clients[client] = (ticket, names)
    }

    /// Takes a client out of all lines; returns the keys it waited for.
    mutating func remove(client: UInt64) -> [Name] {
        guard let (ticket, names) = clients.removeValue(forKey: client) else { return [] }
        for name in names {
            lines[name]?.remove(ticket)
            if lines[name]?.live == 0 { lines[name] = nil }
        }
        return names
    }

    // MARK: - Serving

    /// Takes note that a key appeared; nothing happens if nobody waits for it.
    mutating func keyAppeared(_ name: Name) {
        if lines[name] != nil && readyNames.insert(name).inserted { ready.append(name) }
    }

    /// Takes note that all keys of a database may have changed.
    mutating func databaseChanged(_ database: Int) {
        let names = lines.filter { $0.key.database == database }
            .sorted { ($0.value.first?.ticket ?? 0) < ($1.value.first?.ticket ?? 0) }
        for (name, _) in names { keyAppeared(name) }
    }

    /// The key to be served next; it counts as served from then on.
    mutating func takeReady() -> Name? {
        guard served < ready.count else { return nil }
        let name = ready[served]
        served += 1
        if served == ready.count {
            ready.removeAll(keepingCapacity: served <= Self.mostIdleReady)
            served = 0
        }
        readyNames.remove(name)
        return name
    }

    /// Whether somebody in the line of `name` must be told when the key is gone.
    func hearsOfLoss(_ name: Name) -> Bool { lines[name]?.hearing ?? 0 > 0 }

    /// The first in the line of `name` whose ticket is later than `ticket`.
    func next(in name: Name, after ticket: UInt64) -> Waiter? { lines[name]?.next(after: ticket) }
}

extension BlockedKeys.Line {
    fileprivate var first: BlockedKeys.Waiter? { next(after: 0) }

    /// The first position whose ticket is later than `ticket`.
    private func position(after ticket: UInt64) -> Int {
        var low = head
        var high = waiters.count
        while low < high {
            let middle = (low + high) / 2
            if waiters[middle].ticket <= ticket { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Puts `waiter` at the end; false if its client stands there already.
    fileprivate mutating func add(_ waiter: BlockedKeys.Waiter) -> Bool {
        if waiters.last?.ticket == waiter.ticket { return false }
        waiters.append(waiter)
        live += 1
        if waiter.hearsOfLoss { hearing += 1 }
        return true
    }

    fileprivate func next(after ticket: UInt64) -> BlockedKeys.Waiter? {
        var place = position(after: ticket)
        while place < waiters.count {
            if waiters[place].client != 0 { return waiters[place] }
            place += 1
        }
        return nil
    }

    /// Takes one out; room is won back when half of it is empty.
    fileprivate mutating func remove(_ ticket: UInt64) {
        let place = position(after: ticket - 1)
        guard place < waiters.count, waiters[place].ticket == ticket else { return }
        waiters[place].client = 0
        live -= 1
        if waiters[place].hearsOfLoss { hearing -= 1 }
        while head < waiters.count && waiters[head].client == 0 { head += 1 }
        if waiters.count > 16 && live < waiters.count / 2 {
            waiters.removeAll { $0.client == 0 }
            head = 0
        }
    }
}
