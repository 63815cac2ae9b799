/// Finding and making sets.
extension Database {
    /// The set a reading command looks at.
    @inline(__always)
    func readSet(_ key: Key) throws(CommandError) -> SetValue? {
        guard let entry = try read(key, of: .set) else { return nil }
        return SetValue(entry, keyspace.values)
    }

    /// The set a command is about to change.
    @inline(__always)
    func set(_ key: Key) throws(CommandError) -> SetValue? {
        guard let entry = try entry(key, of: .set) else { return nil }
        return SetValue(entry, keyspace.values)
    }

    /// An empty set at a key that does not exist, in the encoding that suits `member`.
    func makeSet(_ key: Key, for member: ByteView) throws(CommandError) -> SetValue {
        SetValue(
            try setCollection(key, SetValue.make(for: member, keyspace.values)), keyspace.values)
    }

    // MARK: - Results of set algebra

    /// An empty set at no key; `discard` or `store` ends it.
    func makeDetachedSet() throws(CommandError) -> SetValue {
        guard let entry = detachedEntry(for: SetValue.make(keyspace.values)) else {
            throw .outOfMemory
        }
        return SetValue(entry, keyspace.values)
    }

    /// Frees a set at no key.
    func discard(_ set: SetValue) {
        keyspace.bury(CollectionValue(of: set.entry))
        keyspace.arena.free(set.entry.handle, set.entry.bytes)
    }

    /// Makes a set at no key the value of `key`, whatever was there before.
    func store(_ set: SetValue, at key: Key) throws(CommandError) {
        let value = CollectionValue(of: set.entry)
        keyspace.arena.free(set.entry.handle, set.entry.bytes)
        _ = try setCollection(key, value)
    }
}
