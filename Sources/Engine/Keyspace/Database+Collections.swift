/// Finding and making values that are no strings.
///
/// Each type adds its own lookups on these (`list`, `readList`, …) in a file of its own.
extension Database {
    /// As `read` (counts the hit, marks the access), and the value must be of `type`.
    @inline(__always)
    func read(_ key: Key, of type: ValueType) throws(CommandError) -> Entry? {
        guard let entry = read(key) else { return nil }
        guard entry.isOf(type) else { throw .wrongType }
        return entry
    }

    /// The entry of `type` a command is about to change: counts nothing, marks the access.
    @inline(__always)
    func entry(_ key: Key, of type: ValueType) throws(CommandError) -> Entry? {
        guard let entry = entry(key) else { return nil }
        guard entry.isOf(type) else { throw .wrongType }
        entry.touch(keyspace.accessStamp)
        return entry
    }

    /// Makes `value`, which hangs off nothing, the value of `key`, whatever was there before.
    ///
    /// The value belongs to the database from then on, or is freed where there is no memory for the
    /// entry. `deadline` 0 means none.
    func setCollection(
        _ key: Key, _ value: CollectionValue, deadline: Int64 = 0
    ) throws(CommandError) -> Entry {
        guard
            let entry = place(
                key, type: value.type, encoding: value.encoding, valueBytes: 8, deadline: deadline)
        else {
            keyspace.bury(value)
            throw .outOfMemory
        }
        entry.payload = value.payload
        if value.type == .hash { indexFields(of: entry, key) }
        return entry
    }

    /// An entry at no key, where a value is until it gets its key; nil where there is no memory.
    ///
    /// Whoever takes the value away again frees the entry's block.
    func detachedEntry(for value: CollectionValue) -> Entry? {
        let bytes = Entry.bytes(keyLength: 0, valueBytes: 8, hasDeadline: false)
        let handle = keyspace.arena.allocate(bytes)
        if handle.isNone { return nil }
        let entry = entry(at: handle)
        entry.initialize(
            key: .empty, type: value.type, encoding: value.encoding, inlineLength: 0, access: 0)
        entry.payload = value.payload
        return entry
    }
}
