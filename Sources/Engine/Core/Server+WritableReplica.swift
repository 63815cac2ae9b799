/// Keys that clients gave a deadline on a replica that lets itself be written to: no primary will ever say
/// that they go, so the replica looks after them itself, once a second.
///
/// While a replica is read-only, or the server a primary, none of this costs anything.
extension Server {
    /// Takes note of keys that a client's command has left with a deadline.
    func noteOwnDeadlines(_ call: borrowing Call) {
        guard call.command >= 0, commands.index.flags(call.command).contains(.write) else { return }
        for position in KeyExtraction.keys(of: call.row, call.arguments) ?? [] {
            let bytes = call.arguments[position.index]
            guard let entry = call.database.entryDueOrNot(call.database.key(bytes)),
                entry.deadline != nil
            else { continue }
            replication.ownKeys.insert(
                WatchedKeys.Name(database: call.database.index, key: bytes.array))
        }
    }

    /// Removes those whose time is over, and forgets those that have none any more.
    func expireOwnKeys() {
        guard !replication.ownKeys.isEmpty else { return }
        keyspace.expiryPolicy = .remove
        defer { followExpiryPolicy() }
        replication.ownKeys = replication.ownKeys.filter { name in
            let database = keyspace[name.database]
            return name.key.withByteView { database.entry(database.key($0))?.deadline != nil }
        }
        if keyspace.interest.contains(.propagation) { keyspace.feed.endUnit(asTransaction: false) }
        if keyspace.hasEvents { followEvents() }
    }
}
