import CLinux

/// Which of the forms that differ between servers a value is written in.
///
/// Everything but deadlines of fields has a form that all of them read.
enum DumpDialect: Sendable {
    /// Deadlines of fields as Redis 7.4 and later write them.
    case redis
    /// As Valkey 9 does.
    case valkey

    /// The version of the format that has deadlines of fields.
    var versionWithFieldDeadlines: Int {
        switch self {
        case .redis: DumpFormat.versionWithFieldDeadlines
        case .valkey: DumpFormat.valkeyVersion
        }
    }
}

/// Values in the RDB format: one type byte, one layout a type.
///
/// A new type joins with a case in `type` and in `value`.
extension DumpWriter {
    /// The number that tells how the value of `entry` is laid out.
    static func type(of entry: Entry, in database: Database, _ dialect: DumpDialect) -> UInt8 {
        switch entry.type {
        case .string: DumpFormat.string
        case .list: DumpFormat.listOfListpacks
        case .set:
            SetValue(entry, database.keyspace.values).encoding == .integers
                ? DumpFormat.setIntset : DumpFormat.set
        case .sortedSet:
            database.sortedSet(of: entry).isRanked
                ? DumpFormat.sortedSet : DumpFormat.sortedSetListpack
        case .hash: hashType(database.hashValue(entry), dialect)
        case .stream: DumpFormat.stream2
        }
    }

    private static func hashType(_ hash: HashValue, _ dialect: DumpDialect) -> UInt8 {
        switch (hash.expires, dialect, hash.isTable) {
        case (false, _, true): DumpFormat.hash
        case (false, _, false): DumpFormat.hashListpack
        case (true, .valkey, _): DumpFormat.hashWithDeadlines22
        case (true, .redis, true): DumpFormat.hashWithDeadlines
        case (true, .redis, false): DumpFormat.hashListpackWithDeadlines
        }
    }

    /// Whether `entry` holds nothing that could be saved: a hash whose fields are all due.
    static func isEmpty(_ entry: Entry, in database: Database) -> Bool {
        guard HashValue.hasDeadlines(entry) else { return false }
        var cursor = HashValue.Cursor()
        return database.hashValue(entry).next(from: &cursor) == nil
    }

    /// The value of `entry`, laid out as `type` says.
    mutating func value(of entry: Entry, in database: Database, as type: UInt8) {
        switch entry.type {
        case .string: text(of: entry)
        case .list: list(database.list(entry))
        case .set: set(SetValue(entry, database.keyspace.values))
        case .sortedSet: sortedSet(database.sortedSet(of: entry))
        case .hash: hash(database.hashValue(entry), as: type)
        case .stream: stream(StreamValue(entry, in: database.keyspace.arena))
        }
    }

    // MARK: - Strings and lists

    private mutating func text(of entry: Entry) {
        switch entry.stringEncoding {
        case .integer: string(entry.integer)
        case .inline, .inlineRaw: string(entry.inlineString)
        case .heap: string(entry.heapString)
        }
    }

    /// A list is written node by node: `| nodes | (container, blob) … |`.
    private mutating func list(_ list: ListValue) {
        length(list.savedNodeCount)
        for index in 0..<list.savedNodeCount {
            switch list.savedNode(index) {
            case .plain(let bytes):
                length(DumpFormat.plainNode)
                string(bytes)
            case .packed(let header, let entries):
                length(DumpFormat.packedNode)
                string { blob in
                    blob.append(littleEndian: UInt32(truncatingIfNeeded: header))
                    blob.append(littleEndian: UInt16(truncatingIfNeeded: header >> 32))
                    blob.append(entries)
                    blob.append(ListpackFormat.endMark)
                }
            }
        }
    }

    // MARK: - Sets and sorted sets

    private mutating func set(_ set: SetValue) {
        if let bytes = set.savedIntegers { return string(bytes) }
        length(set.count)
        set.eachMember { member in
            switch member {
            case .integer(let integer): string(integer)
            case .bytes(let bytes): string(bytes)
            }
        }
    }

    /// From the highest score to the lowest, so that a reader inserts at the front.
    private mutating func sortedSet(_ set: SortedSetValue) {
        if let records = set.packedRecords { return packedSortedSet(records) }
        length(set.count)
        var walk = set.walk(from: set.count - 1, isReversed: true)
        while let element = walk.next() {
            element.member.withText { string($0) }
            double(element.score)
        }
    }

    /// A listpack of members and scores, the lowest first; a score is an integer where it is one.
    private mutating func packedSortedSet(_ records: PackedScores.Walk) {
        var text = ByteBuffer()
        string { blob in
            var listpack = ListpackText(in: &blob)
            var walk = records
            while let record = walk.next() {
                listpack.append(ListpackElement(record.member), to: &blob)
                if let integer = Int64(exactly: record.score) {
                    listpack.append(ListpackElement(integer), to: &blob)
                } else {
                    text.removeAll()
                    text.append(record.score)
                    listpack.append(ListpackElement(text.view), to: &blob)
                }
            }
            listpack.finish(in: &blob)
        }
    }

    // MARK: - Hashes

    private mutating func hash(_ hash: HashValue, as type: UInt8) {
        switch type {
        case DumpFormat.hashListpack: packedHash(hash)
        case DumpFormat.hashListpackWithDeadlines: packedHashWithDeadlines(hash)
        case DumpFormat.hash:
            length(hash.count)
            hash.eachField { field in
                string(field.name)
                string(field.value)
            }
        case DumpFormat.hashWithDeadlines: hashWithDeadlines(hash)
        default: valkeyHash(hash)
        }
    }

    private mutating func packedHash(_ hash: HashValue) {
        string { blob in
            var listpack = ListpackText(in: &blob)
            hash.eachField { field in
                listpack.append(ListpackElement(field.name), to: &blob)
                listpack.append(ListpackElement(field.value), to: &blob)
            }
            listpack.finish(in: &blob)
        }
    }

    /// Triples of field, value and deadline; the earliest first, those without (0) last.
    private mutating func packedHashWithDeadlines(_ hash: HashValue) {
        var fields = visibleFields(of: hash)
        fields.sort { $0.deadline < $1.deadline }
        littleEndian(earliestDeadline(of: fields))
        string { blob in
            var listpack = ListpackText(in: &blob)
            for field in fields {
                listpack.append(ListpackElement(field.name), to: &blob)
                listpack.append(ListpackElement(field.value), to: &blob)
                let deadline = field.deadline == HashValue.never ? 0 : field.deadline
                listpack.append(ListpackElement(deadline), to: &blob)
            }
            listpack.finish(in: &blob)
        }
    }

    /// `| earliest 8 | count | (deadline - earliest + 1 or 0, field, value) … |`.
    private mutating func hashWithDeadlines(_ hash: HashValue) {
        let fields = visibleFields(of: hash)
        let earliest = earliestDeadline(of: fields)
        littleEndian(earliest)
        length(fields.count)
        for field in fields {
            length(field.deadline == HashValue.never ? 0 : UInt64(field.deadline - earliest + 1))
            string(field.name)
            string(field.value)
        }
    }

    /// `| count | (field, value, deadline 8 or -1) … |`.
    private mutating func valkeyHash(_ hash: HashValue) {
        let fields = visibleFields(of: hash)
        length(fields.count)
        for field in fields {
            string(field.name)
            string(field.value)
            littleEndian(field.deadline == HashValue.never ? -1 : field.deadline)
        }
    }

    private func visibleFields(of hash: HashValue) -> ContiguousArray<HashValue.Field> {
        var fields: ContiguousArray<HashValue.Field> = []
        fields.reserveCapacity(hash.count)
        hash.eachField { fields.append($0) }
        return fields
    }

    private func earliestDeadline(of fields: ContiguousArray<HashValue.Field>) -> Int64 {
        let earliest = fields.reduce(HashValue.never) { min($0, $1.deadline) }
        return earliest == HashValue.never ? 0 : earliest
    }
}

/// Puts a listpack together in a buffer: header first, filled in at the end.
private struct ListpackText {
    private var count = 0

    init(in buffer: inout ByteBuffer) {
        for _ in 0..<ListpackFormat.headerBytes { buffer.append(UInt8(0)) }
    }

    @inline(__always)
    mutating func append(_ element: ListpackElement, to buffer: inout ByteBuffer) {
        let bytes = element.entryBytes
        guard let target = buffer.writable(minimum: bytes).baseAddress else { return }
        element.write(to: target)
        buffer.commit(bytes)
        count += 1
    }

    func finish(in buffer: inout ByteBuffer) {
        buffer.append(ListpackFormat.endMark)
        let total = buffer.count
        buffer.withBytes { base in
            ListpackFormat.setTotalBytes(base, total)
            ListpackFormat.setCount(base, count)
        }
    }
}
