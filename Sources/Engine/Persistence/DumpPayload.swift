/// What DUMP returns and RESTORE takes: `| type 1 | value | version 2 | checksum 8 |`.
///
/// Version and checksum have their lowest byte first; the checksum covers all that stands before it.
/// Payloads are those of the peers, either way (`docs/internals/rdb.md`).
enum DumpPayload {
    /// Version and checksum.
    static let footerBytes = 10

    /// Whose payload it is; nil where it is not whole, or too new.
    static func dialect(of payload: ByteView, checks: Bool) -> DumpDialect? {
        guard payload.count >= footerBytes else { return nil }
        let footer = payload.count - footerBytes
        let version = Int(payload.number(at: footer, as: UInt16.self))
        let isValkey = version >= DumpFormat.valkeyVersion
        guard isValkey || version <= DumpFormat.newestVersion else { return nil }
        let stored = payload.number(at: footer + 2, as: UInt64.self)
        if checks && CRC64.update(0, payload.prefix(footer + 2)) != stored { return nil }
        return isValkey ? .valkey : .redis
    }
}

extension DumpWriter {
    /// A writer that holds the payload of a value, in the oldest version that carries it.
    static func payload(
        of entry: Entry, in database: Database, _ dialect: DumpDialect, compresses: Bool
    ) -> DumpWriter {
        let type = type(of: entry, in: database, dialect)
        var writer = DumpWriter(compresses: compresses)
        writer.byte(type)
        writer.value(of: entry, in: database, as: type)
        let hasFieldDeadlines = type > DumpFormat.stream2
        writer.littleEndian(
            UInt16(hasFieldDeadlines ? dialect.versionWithFieldDeadlines : DumpFormat.version))
        writer.writeChecksum()
        return writer
    }
}
