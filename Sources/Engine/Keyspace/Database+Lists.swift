extension KeyEvent {
    static let leftPush = KeyEvent("lpush", .list)
    static let rightPush = KeyEvent("rpush", .list)
    static let leftPop = KeyEvent("lpop", .list)
    static let rightPop = KeyEvent("rpop", .list)
    static let listSet = KeyEvent("lset", .list)
    static let listInsert = KeyEvent("linsert", .list)
    static let listRemove = KeyEvent("lrem", .list)
    static let listTrim = KeyEvent("ltrim", .list)
}

/// Finding and making lists.
extension Database {
    /// The list to be read at `key`; nil if there is none.
    @inline(__always)
    func readList(_ key: Key) throws(CommandError) -> ListValue? {
        guard let entry = try read(key, of: .list) else { return nil }
        return list(entry)
    }

    /// The list to be changed at `key`; nil if there is none.
    @inline(__always)
    func list(at key: Key) throws(CommandError) -> ListValue? {
        guard let entry = try entry(key, of: .list) else { return nil }
        return list(entry)
    }

    /// A new list at `key`, where nothing is; it must not stay empty.
    func makeList(at key: Key) throws(CommandError) -> ListValue {
        list(try setCollection(key, ListValue.makeEmpty(in: keyspace.arena)))
    }

    @inline(__always)
    func list(_ entry: Entry) -> ListValue {
        ListValue(entry, keyspace.values)
    }
}
