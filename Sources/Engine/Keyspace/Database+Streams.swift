extension KeyEvent {
    static let streamAdd = KeyEvent("xadd", .stream)
    static let streamDelete = KeyEvent("xdel", .stream)
    static let streamTrim = KeyEvent("xtrim", .stream)
    static let streamSetID = KeyEvent("xsetid", .stream)
    static let groupCreate = KeyEvent("xgroup-create", .stream)
    static let groupSetID = KeyEvent("xgroup-setid", .stream)
    static let groupDestroy = KeyEvent("xgroup-destroy", .stream)
    static let consumerCreate = KeyEvent("xgroup-createconsumer", .stream)
    static let consumerDelete = KeyEvent("xgroup-delconsumer", .stream)
}

/// Finding and making streams.
extension Database {
    /// The stream to be read at `key`; nil if there is none.
    @inline(__always)
    func readStream(_ key: Key) throws(CommandError) -> StreamValue? {
        guard let entry = try read(key, of: .stream) else { return nil }
        return StreamValue(entry, in: keyspace.arena)
    }

    /// The stream to be changed at `key`; nil if there is none.
    @inline(__always)
    func stream(at key: Key) throws(CommandError) -> StreamValue? {
        guard let entry = try entry(key, of: .stream) else { return nil }
        return StreamValue(entry, in: keyspace.arena)
    }

    /// A new stream at `key`, where nothing is; it may stay empty.
    func makeStream(at key: Key) throws(CommandError) -> StreamValue {
        let entry = try setCollection(key, StreamValue.makeEmpty(in: keyspace.arena))
        return StreamValue(entry, in: keyspace.arena)
    }
}
