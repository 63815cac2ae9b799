/// Finding and making hashes, and the expiry of their fields.
extension Database {
    /// Due fields that an access to their hash removes first; the rest is invisible and waits for the
    /// timer.
    private static let fieldsPurgedOnAccess = 64
    /// Due fields that one step of the timer removes.
    private static let fieldsPurgedAtOnce = 64

    /// The hash a reading command looks at.
    @inline(__always)
    func readHash(_ key: Key) throws(CommandError) -> HashValue? {
        guard let entry = try read(key, of: .hash) else { return nil }
        if HashValue.hasDeadlines(entry) && removeDueFields(entry, key) { return nil }
        return hashValue(entry)
    }

    /// The hash a command is about to change.
    @inline(__always)
    func hash(_ key: Key) throws(CommandError) -> HashValue? {
        guard let entry = try entry(key, of: .hash) else { return nil }
        if HashValue.hasDeadlines(entry) && removeDueFields(entry, key) { return nil }
        return hashValue(entry)
    }

    /// `found`, or an empty hash at a key that does not exist.
    func makeHash(_ key: Key, unless found: HashValue? = nil) throws(CommandError) -> HashValue {
        if let found { return found }
        return hashValue(try setCollection(key, HashValue.make(keyspace.arena)))
    }

    // MARK: - Deadlines of fields

    /// Tells the index of deadlines of those of a hash whose fields have just got some; `entry` may
    /// also be new to this database.
    func indexFields(of entry: Entry, _ key: Key) {
        guard HashValue.hasDeadlines(entry) else { return }
        countExpiringHash(1)
        noteFields(of: hashValue(entry), key)
    }

    /// A field of `hash` has got a deadline.
    func noteFields(of hash: HashValue, _ key: Key) {
        let earliest = hash.earliestDeadline
        if earliest != HashValue.never { indexDeadline(earliest, key.hash) }
    }

    /// Removes fields whose time is over; true if nothing is left and the key went with them.
    @inline(never)
    private func removeDueFields(_ entry: Entry, _ key: Key) -> Bool {
        guard keyspace.expiryPolicy == .remove else { return false }
        let hash = hashValue(entry)
        guard hash.isDue(hash.earliestDeadline) else { return false }
        // Whoever repeats the command that follows must find what it has found: nothing due.
        let isRepeated = keyspace.interest.contains(.propagation)
        return purge(hash, key, limit: isRepeated ? .max : Self.fieldsPurgedOnAccess)
    }

    /// One step of active expiry: removes some due fields of a hash, and the hash with the last.
    func expireFields(_ entry: Entry, _ key: Key) {
        let hash = hashValue(entry)
        if !purge(hash, key, limit: Self.fieldsPurgedAtOnce) { noteFields(of: hash, key) }
    }

    private func purge(_ hash: HashValue, _ key: Key, limit: Int) -> Bool {
        let isPropagated = keyspace.interest.contains(.propagation)
        let removed = hash.purge(limit: limit) { field in
            if isPropagated {
                keyspace.feed.appendExpiry(ofField: field, at: key.bytes, in: index)
            }
        }
        guard removed > 0 else { return false }
        keyspace.counters.expiredFields &+= removed
        if keyspace.interest.isInEvents { keyspace.record(key.bytes, .hashExpired, in: self) }
        guard hash.count == 0 else { return false }
        if keyspace.interest.isInEvents { keyspace.record(key.bytes, .delete, in: self) }
        remove(hash.entry, key)
        return true
    }
}
