import Glibc

/// What a snapshot tells of the server it was taken from.
struct SnapshotFacts {
    var serverVersion = ""
    var wallMilliseconds: Int64 = 0
    var usedMemoryBytes = 0
    /// Whether the file opens an append-only file.
    var isAppendOnlyBase = false
    var dialect = DumpDialect.redis
    /// What eviction measures keys by, which is then written with each.
    var accessMeasure: EvictionMeasure?
    /// A pause after every key (`rdb-key-save-delay`), so that tests catch a save under way.
    var keyDelayMicroseconds = 0
    var history: History?

    /// Where the data stands in the history of changes.
    struct History {
        let id: String
        let offset: Int
        /// What the next request of the history applies to.
        let database: Int
    }
}

/// Writes all databases as an RDB file: magic, facts, then each database with its keys, end, checksum.
///
/// The oldest version that carries the data is chosen, so that every peer that can hold the data can
/// read it: 10, unless fields of hashes have deadlines. Promises: nothing in the keyspace is written
/// to; of a forked child's copy, values that were written are given back. Costs: one walk over the
/// tables; no memory but the writer's buffer.
struct SnapshotWriter {
    let keyspace: Keyspace
    let facts: SnapshotFacts
    /// Whether the data is left out.
    var isEmpty = false

    /// Entries are asked for so many at a time before the first of them is written.
    private static let entriesAhead = 16
    /// Keys between two words about progress; after each where there is a pause as well.
    private static let progressKeys = 1024

    /// Writes everything; whether it worked, `writer.failure` tells.
    ///
    /// - Parameter onProgress: is told now and then how many keys were written so far.
    func write(to writer: inout DumpWriter, onProgress: (Int) -> Void = { _ in }) {
        let version = writeMagic(to: &writer)
        writeFacts(to: &writer)
        var keys = 0
        for index in 0..<keyspace.databaseCount where keyspace[index].count > 0 && !isEmpty {
            write(keyspace[index], to: &writer, counting: &keys, onProgress)
            if writer.failure != nil { return }
        }
        writer.byte(DumpFormat.end)
        // Checksums came with version 5.
        if version >= 5 { writer.writeChecksum() }
        writer.flush()
        onProgress(keys)
    }

    private func writeMagic(to writer: inout DumpWriter) -> Int {
        let hasFieldDeadlines = (0..<keyspace.databaseCount).contains {
            keyspace[$0].expiringHashCount > 0
        }
        switch (hasFieldDeadlines, facts.dialect) {
        case (false, _):
            writer.raw(ByteView("REDIS0010"))
            return DumpFormat.version
        case (true, .redis):
            writer.raw(ByteView("REDIS0012"))
            return DumpFormat.versionWithFieldDeadlines
        case (true, .valkey):
            writer.raw(ByteView("VALKEY080"))
            return DumpFormat.valkeyVersion
        }
    }

    private func writeFacts(to writer: inout DumpWriter) {
        func fact(_ name: StaticString, _ value: String) {
            writer.byte(DumpFormat.auxiliary)
            writer.string(ByteView(name))
            value.withByteView { writer.string($0) }
        }
        fact("redis-ver", facts.serverVersion)
        fact("redis-bits", "64")
        fact("ctime", String(facts.wallMilliseconds / 1000))
        fact("used-mem", String(facts.usedMemoryBytes))
        if let history = facts.history {
            fact("repl-stream-db", String(history.database))
            fact("repl-id", history.id)
            fact("repl-offset", String(history.offset))
        }
        fact("aof-base", facts.isAppendOnlyBase ? "1" : "0")
    }

    private func write(
        _ database: Database, to writer: inout DumpWriter, counting keys: inout Int,
        _ onProgress: (Int) -> Void
    ) {
        writer.byte(DumpFormat.selectDatabase)
        writer.length(database.index)
        writer.byte(DumpFormat.resize)
        writer.length(database.count)
        writer.length(database.expiringCount)
        var cursor = HashTable<KeyPolicy>.Cursor()
        var batch: ContiguousArray<Entry> = []
        batch.reserveCapacity(Self.entriesAhead)
        while database.nextEntries(from: &cursor, into: &batch) {
            for entry in batch where !entry.isString {
                CollectionValue(of: entry).prefetchBeginning(in: keyspace.arena)
            }
            for entry in batch {
                write(entry, of: database, to: &writer)
                keyspace.noteWritten(entry)
                keys &+= 1
                tell(keys, onProgress)
            }
            if writer.failure != nil { return }
        }
    }

    private func tell(_ keys: Int, _ onProgress: (Int) -> Void) {
        if facts.keyDelayMicroseconds > 0 {
            usleep(UInt32(facts.keyDelayMicroseconds))
            onProgress(keys)
        } else if keys % Self.progressKeys == 0 {
            onProgress(keys)
        }
    }

    private func write(_ entry: Entry, of database: Database, to writer: inout DumpWriter) {
        if DumpWriter.isEmpty(entry, in: database) { return }
        if let deadline = entry.deadline {
            writer.byte(DumpFormat.deadlineMilliseconds)
            writer.littleEndian(deadline)
        }
        writeAccess(of: entry, to: &writer)
        let type = DumpWriter.type(of: entry, in: database, facts.dialect)
        writer.byte(type)
        writer.string(entry.key)
        writer.value(of: entry, in: database, as: type)
    }

    /// What eviction wants to know of the key, so that it does not begin anew after a restart.
    private func writeAccess(of entry: Entry, to writer: inout DumpWriter) {
        switch facts.accessMeasure {
        case .moments:
            writer.byte(DumpFormat.idle)
            writer.length(Int(keyspace.presentStamp.idleSeconds(since: entry.access)))
        case .counts:
            writer.byte(DumpFormat.frequency)
            writer.byte(UInt8(truncatingIfNeeded: keyspace.presentStamp.count(in: entry.access)))
        case .deadlines, nil: break
        }
    }
}
