/// Strings of a snapshot that are stored together: their places in the table are asked for while the
/// next ones are read, so that the misses of many overlap.
///
/// The bytes are the reader's, which must not begin a record until the batch is stored.
struct StringBatch {
    private struct Waiting {
        let key: DumpReader.Piece
        let value: DumpReader.Piece
        let hash: UInt64
        /// 0: none.
        let deadline: Int64
    }

    private var waiting: ContiguousArray<Waiting> = []
    private var bytes = 0

    private static let most = 32
    /// The reader keeps all bytes of a batch.
    private static let mostBytes = 64 * 1024

    init() { waiting.reserveCapacity(Self.most) }

    var isEmpty: Bool { waiting.isEmpty }
    var isFull: Bool { waiting.count >= Self.most || bytes >= Self.mostBytes }

    mutating func add(
        _ key: DumpReader.Piece, _ value: DumpReader.Piece, deadline: Int64,
        for database: Database, _ reader: borrowing DumpReader
    ) {
        let hash = database.key(reader.view(key)).hash
        database.prefetchGroup(hash)
        waiting.append(Waiting(key: key, value: value, hash: hash, deadline: deadline))
        bytes += key.count + value.count
    }

    /// Stores all of them.
    ///
    /// - Parameter replaces: whether a key that is there already is overwritten; else it is an error.
    /// - Returns: how many there were.
    mutating func store(
        in database: Database, replaces: Bool, from reader: borrowing DumpReader
    ) throws(DumpError) -> Int {
        for string in waiting {
            let key = Key(bytes: reader.view(string.key), hash: string.hash)
            if !replaces && database.entryDueOrNot(key) != nil {
                throw .duplicate(key, in: database)
            }
            do throws(CommandError) {
                try database.setString(key, reader.view(string.value), deadline: string.deadline)
            } catch {
                throw .outOfMemory
            }
        }
        let count = waiting.count
        waiting.removeAll(keepingCapacity: true)
        bytes = 0
        return count
    }
}

extension DumpError {
    static func duplicate(_ key: Key, in database: Database) -> DumpError {
        .corrupt("RDB has duplicated key '\(key.bytes.string)' in DB \(database.index)")
    }
}
