import Glibc
import Reactor

/// Writes all databases as requests that make them, for a base of the append-only file that is to have
/// no snapshot in it: SELECT, then a RESTORE a key.
///
/// Promises: nothing in the keyspace is written to; of a forked child's copy, values that were written
/// are given back. Costs: the serialized form of one key at a time in memory.
struct CommandSnapshotWriter {
    let keyspace: Keyspace
    let compresses: Bool
    let dialect: DumpDialect
    /// The time to note at the beginning, in seconds; nil: none (`aof-timestamp-enabled`).
    let noteSeconds: Int64?
    /// A pause after every key, so that tests catch a rewrite under way.
    let keyDelayMicroseconds: Int

    /// - Throws: what kept the file from being written.
    func write(
        to descriptor: Int32, onProgress: (Int) -> Void
    ) throws(SystemError) {
        var output = ReplyWriter()
        var keys = 0
        if let noteSeconds {
            "#TS:\(noteSeconds)\r\n".withByteView { output.raw($0) }
        }
        for index in 0..<keyspace.databaseCount where keyspace[index].count > 0 {
            output.array(2)
            output.bulk("SELECT" as StaticString)
            output.bulkInteger(Int64(index))
            var cursor = HashTable<KeyPolicy>.Cursor()
            while let entry = keyspace[index].nextEntry(from: &cursor) {
                write(entry, of: keyspace[index], to: &output)
                keyspace.noteWritten(entry)
                keys += 1
                onProgress(keys)
                if output.count >= Self.flushBytes { try flush(&output, to: descriptor) }
                if keyDelayMicroseconds > 0 { usleep(UInt32(keyDelayMicroseconds)) }
            }
        }
        try flush(&output, to: descriptor)
    }

    private static let flushBytes = 256 * 1024

    private func write(_ entry: Entry, of database: Database, to output: inout ReplyWriter) {
        guard !DumpWriter.isEmpty(entry, in: database) else { return }
        let payload = DumpWriter.payload(
            of: entry, in: database, dialect, compresses: compresses)
        output.array(entry.hasDeadline ? 5 : 4)
        output.bulk("RESTORE" as StaticString)
        output.bulk(entry.key)
        output.bulkInteger(entry.deadline ?? 0)
        output.bulk(payload.view)
        if entry.hasDeadline { output.bulk("ABSTTL" as StaticString) }
    }

    private func flush(
        _ output: inout ReplyWriter, to descriptor: Int32
    ) throws(SystemError) {
        let bytes = output.view
        try File.writeAll(bytes.rawBuffer, to: descriptor)
        output.drain(bytes.count)
    }
}
