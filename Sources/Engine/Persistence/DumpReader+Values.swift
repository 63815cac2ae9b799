/// What a value read from a dump became.
enum LoadedValue {
    /// A string; its bytes are the reader's until the next record.
    case string(DumpReader.Piece)
    /// A collection that hangs off nothing yet.
    case collection(CollectionValue)
    /// A collection without elements, which older servers left behind: there is no such key.
    case nothing

    /// Frees what nobody wants.
    func discard(in keyspace: Keyspace) {
        if case .collection(let value) = self { keyspace.bury(value) }
    }
}

/// Values of the RDB format, of every type and version there has been.
///
/// What is read is checked whatever `sanitize-dump-payload` says: lengths, structure, duplicates. Each
/// collection is built by the verbs that commands use, element by element, so that it has the
/// encoding our settings ask for and nothing in it is trusted.
struct ValueReader {
    private let keyspace: Keyspace
    /// Valkey uses a type number that means something else to Redis.
    private let dialect: DumpDialect
    /// The account of hashes with deadlines until the database takes the value over.
    private let expiringHashes: SharedCount

    init(_ keyspace: Keyspace, _ dialect: DumpDialect, counting expiringHashes: SharedCount) {
        self.keyspace = keyspace
        self.dialect = dialect
        self.expiringHashes = expiringHashes
    }

    /// Reads a value of `type`; what was built before an error is freed.
    func read(_ type: UInt8, from reader: inout DumpReader) throws(DumpError) -> LoadedValue {
        switch type {
        case DumpFormat.string: return .string(try reader.piece())
        case DumpFormat.list, DumpFormat.listZiplist, DumpFormat.listOfZiplists,
            DumpFormat.listOfListpacks:
            return try readList(type, from: &reader)
        case DumpFormat.set, DumpFormat.setIntset, DumpFormat.setListpack:
            return try readSet(type, from: &reader)
        case DumpFormat.sortedSetOfTexts, DumpFormat.sortedSet, DumpFormat.sortedSetZiplist,
            DumpFormat.sortedSetListpack:
            return try readSortedSet(type, from: &reader)
        case DumpFormat.hash, DumpFormat.hashZipmap, DumpFormat.hashZiplist,
            DumpFormat.hashListpack, DumpFormat.hashWithDeadlines22,
            DumpFormat.hashListpackPreview, DumpFormat.hashWithDeadlines,
            DumpFormat.hashListpackWithDeadlines:
            return try readHash(type, from: &reader)
        case DumpFormat.stream1, DumpFormat.stream2, DumpFormat.stream3:
            return try StreamReader(keyspace.arena, type).read(from: &reader, keyspace)
        case DumpFormat.module, DumpFormat.modulePreview:
            throw .unsupported("The RDB file contains module data, and there are no modules here")
        default: throw .corrupt("Unknown RDB encoding type \(type)")
        }
    }

    // MARK: - A home while the value grows

    /// An entry at no key for `value`; `finish` or `discard` ends it.
    private func house(_ value: CollectionValue) throws(DumpError) -> Entry {
        guard let entry = keyspace[0].detachedEntry(for: value) else {
            keyspace.bury(value)
            throw .outOfMemory
        }
        return entry
    }

    /// The value is complete: it leaves its entry.
    private func finish(_ entry: Entry, isEmpty: Bool) -> LoadedValue {
        let value = CollectionValue(of: entry)
        keyspace.arena.free(entry.handle, entry.bytes)
        if isEmpty {
            keyspace.bury(value)
            return .nothing
        }
        return .collection(value)
    }

    /// Fills the value of `entry` and completes it, or frees everything.
    private func build(
        _ entry: Entry, _ fill: () throws(DumpError) -> Int
    ) throws(DumpError) -> LoadedValue {
        do throws(DumpError) {
            let count = try fill()
            return finish(entry, isEmpty: count == 0)
        } catch {
            finish(entry, isEmpty: false).discard(in: keyspace)
            throw error
        }
    }

    /// Runs an operation of a value, whose only failure is want of memory.
    private func adding<Result>(
        _ body: () throws(CommandError) -> Result
    ) throws(DumpError) -> Result {
        do throws(CommandError) {
            return try body()
        } catch {
            throw .outOfMemory
        }
    }

    // MARK: - Lists

    private func readList(
        _ type: UInt8, from reader: inout DumpReader
    ) throws(DumpError) -> LoadedValue {
        let entry = try house(ListValue.makeEmpty(in: keyspace.arena))
        let list = keyspace[0].list(entry)
        return try build(entry) { () throws(DumpError) in
            switch type {
            case DumpFormat.listZiplist:
                reader.beginRecord()
                try append(ziplist: try reader.piece(), of: .list, to: list, &reader)
            default:
                for _ in 0..<(try reader.count()) {
                    reader.beginRecord()
                    try readNode(type, of: list, from: &reader)
                }
            }
            return list.count
        }
    }

    private func readNode(
        _ type: UInt8, of list: ListValue, from reader: inout DumpReader
    ) throws(DumpError) {
        switch type {
        case DumpFormat.list: list.push(reader.view(try reader.piece()), at: .back)
        case DumpFormat.listOfZiplists:
            try append(ziplist: try reader.piece(), of: .node, to: list, &reader)
        default:
            let container = try reader.length()
            let piece = try reader.piece()
            switch container {
            case DumpFormat.plainNode:
                guard piece.count > 0 else { throw .corrupt("a node of a list is empty") }
                list.push(reader.view(piece), at: .back)
            case DumpFormat.packedNode:
                guard var cursor = ListpackCursor(validating: reader.view(piece)) else {
                    throw .corrupt("Listpack integrity check failed.")
                }
                while let value = cursor.next() { value.withText { list.push($0, at: .back) } }
            default: throw .corrupt("Quicklist integrity check failed.")
            }
        }
    }

    private func append(
        ziplist piece: DumpReader.Piece, of owner: ZiplistCursor.Owner, to list: ListValue,
        _ reader: inout DumpReader
    ) throws(DumpError) {
        var cursor = try ZiplistCursor(reader.view(piece), of: owner)
        while let value = try cursor.next() { value.withText { list.push($0, at: .back) } }
    }

    // MARK: - Sets

    private func readSet(
        _ type: UInt8, from reader: inout DumpReader
    ) throws(DumpError) -> LoadedValue {
        let entry = try house(SetValue.make(keyspace.values))
        let set = SetValue(entry, keyspace.values)
        return try build(entry) { () throws(DumpError) in
            switch type {
            case DumpFormat.setIntset: try readIntegers(of: set, from: &reader)
            case DumpFormat.setListpack:
                reader.beginRecord()
                guard var cursor = ListpackCursor(validating: reader.view(try reader.piece()))
                else { throw .corrupt("Set listpack integrity check failed.") }
                while let value = cursor.next() {
                    try value.withText { (text) throws(DumpError) in try insert(text, into: set) }
                }
            default:
                for _ in 0..<(try reader.count()) {
                    reader.beginRecord()
                    try insert(reader.view(try reader.piece()), into: set)
                }
            }
            return set.count
        }
    }

    private func insert(_ member: ByteView, into set: SetValue) throws(DumpError) {
        guard try adding({ () throws(CommandError) in try set.insert(member) }) else {
            throw .corrupt("Duplicate set members detected")
        }
    }

    private func readIntegers(of set: SetValue, from reader: inout DumpReader) throws(DumpError) {
        reader.beginRecord()
        let bytes = reader.view(try reader.piece())
        guard let integers = IntSet(validating: bytes, keyspace.arena) else {
            throw .corrupt("Intset integrity check failed.")
        }
        defer { integers.block.free(in: keyspace.arena) }
        for index in 0..<integers.count {
            let member = SetMember.integer(integers[index])
            _ = try adding { () throws(CommandError) in try set.insert(member) }
        }
    }

    // MARK: - Sorted sets

    private func readSortedSet(
        _ type: UInt8, from reader: inout DumpReader
    ) throws(DumpError) -> LoadedValue {
        var set = SortedSetFiller(SortedSetValue.make(on: keyspace[0].sortedSetGround))
        do throws(DumpError) {
            switch type {
            case DumpFormat.sortedSetListpack:
                reader.beginRecord()
                let piece = try reader.piece()
                set.reserve(packedBytes: reader.view(piece).count)
                try fill(&set, fromListpack: reader.view(piece))
            case DumpFormat.sortedSetZiplist:
                reader.beginRecord()
                let piece = try reader.piece()
                set.reserve(packedBytes: reader.view(piece).count)
                var cursor = try ZiplistCursor(reader.view(piece), of: .sortedSet)
                while let member = try cursor.next() {
                    guard let score = try cursor.next() else {
                        throw .corrupt("Zset ziplist integrity check failed.")
                    }
                    try insert(member, score, into: &set)
                }
            default:
                for _ in 0..<(try reader.count()) {
                    reader.beginRecord()
                    let member = try reader.piece()
                    let score =
                        type == DumpFormat.sortedSet
                        ? try reader.double() : try reader.textDouble()
                    try insert(.bytes(reader.view(member)), score, into: &set)
                }
            }
        } catch {
            keyspace.bury(set.set.collection)
            throw error
        }
        let filled = set.finish()
        guard filled.count > 0 else {
            keyspace.bury(filled.collection)
            return .nothing
        }
        return .collection(filled.collection)
    }

    private func fill(
        _ set: inout SortedSetFiller, fromListpack text: ByteView
    ) throws(DumpError) {
        guard var cursor = ListpackCursor(validating: text) else {
            throw .corrupt("Zset listpack integrity check failed.")
        }
        while let member = cursor.next() {
            guard let score = cursor.next() else {
                throw .corrupt("Zset listpack integrity check failed.")
            }
            try insert(member, score, into: &set)
        }
    }

    private func insert(
        _ member: Listpack.Value, _ score: Listpack.Value, into set: inout SortedSetFiller
    ) throws(DumpError) {
        let number =
            switch score {
            case .integer(let integer): Double(integer)
            case .bytes(let text): NumberText.double(text) ?? .nan
            }
        try insert(member, number, into: &set)
    }

    private func insert(
        _ member: Listpack.Value, _ score: Double, into set: inout SortedSetFiller
    ) throws(DumpError) {
        if score.isNaN { throw .corrupt("Zset with NAN score detected") }
        let isNew = try member.withText { (text) throws(DumpError) in
            do throws(CommandError) {
                return try set.add(text, score)
            } catch {
                throw .outOfMemory
            }
        }
        guard isNew else { throw .corrupt("Duplicate zset fields detected") }
    }

    // MARK: - Hashes

    private func readHash(
        _ type: UInt8, from reader: inout DumpReader
    ) throws(DumpError) -> LoadedValue {
        let entry = try house(HashValue.make(keyspace.arena))
        let hash = HashValue(entry, keyspace.values, counting: expiringHashes)
        return try build(entry) { () throws(DumpError) in
            reader.beginRecord()
            switch type {
            case DumpFormat.hash: try readFields(of: hash, from: &reader)
            case DumpFormat.hashListpack:
                try readListpack(of: hash, withDeadlines: false, from: &reader)
            case DumpFormat.hashListpackPreview:
                try readListpack(of: hash, withDeadlines: true, from: &reader)
            case DumpFormat.hashListpackWithDeadlines:
                _ = try reader.littleEndian(Int64.self)
                try readListpack(of: hash, withDeadlines: true, from: &reader)
            case DumpFormat.hashWithDeadlines:
                let earliest = try reader.littleEndian(Int64.self)
                try readTimedFields(of: hash, earliest, from: &reader)
            case DumpFormat.hashWithDeadlines22:
                if dialect == .valkey {
                    try readValkeyFields(of: hash, from: &reader)
                } else {
                    try readTimedFields(of: hash, nil, from: &reader)
                }
            case DumpFormat.hashZiplist:
                let piece = try reader.piece()
                var cursor = try ZiplistCursor(reader.view(piece), of: .hash)
                while let name = try cursor.next() {
                    guard let value = try cursor.next() else {
                        throw .corrupt("Hash ziplist integrity check failed.")
                    }
                    try set(name, value, of: hash)
                }
            default:
                var cursor = try ZipmapCursor(reader.view(try reader.piece()))
                while let (name, value) = try cursor.next() { try set(name, value, of: hash) }
            }
            return hash.count
        }
    }

    private func readFields(of hash: HashValue, from reader: inout DumpReader) throws(DumpError) {
        for _ in 0..<(try reader.count()) {
            reader.beginRecord()
            let name = try reader.piece()
            let value = try reader.piece()
            try set(reader.view(name), reader.view(value), of: hash)
        }
    }

    /// Deadlines come first, as distances from `earliest` (plus one), or absolute where that is nil.
    private func readTimedFields(
        of hash: HashValue, _ earliest: Int64?, from reader: inout DumpReader
    ) throws(DumpError) {
        for _ in 0..<(try reader.count()) {
            reader.beginRecord()
            let told = try reader.length()
            let name = try reader.piece()
            let value = try reader.piece()
            var deadline = HashValue.never
            if told != 0 {
                let base = earliest.map { $0 &- 1 } ?? 0
                let (sum, isBeyond) = base.addingReportingOverflow(Int64(clamping: told))
                guard !isBeyond else { throw .corrupt("a field's deadline beyond all bounds") }
                deadline = sum
            }
            try set(reader.view(name), reader.view(value), deadline, of: hash)
        }
    }

    private func readValkeyFields(
        of hash: HashValue, from reader: inout DumpReader
    ) throws(DumpError) {
        for _ in 0..<(try reader.count()) {
            reader.beginRecord()
            let name = try reader.piece()
            let value = try reader.piece()
            let deadline = try reader.littleEndian(Int64.self)
            try set(
                reader.view(name), reader.view(value), deadline < 0 ? HashValue.never : deadline,
                of: hash)
        }
    }

    private func readListpack(
        of hash: HashValue, withDeadlines: Bool, from reader: inout DumpReader
    ) throws(DumpError) {
        guard var cursor = ListpackCursor(validating: reader.view(try reader.piece())) else {
            throw .corrupt("Hash listpack integrity check failed.")
        }
        while let name = cursor.next() {
            guard let value = cursor.next() else {
                throw .corrupt("Hash listpack integrity check failed.")
            }
            var deadline = HashValue.never
            if withDeadlines {
                guard case .integer(let told) = cursor.next(), told >= 0 else {
                    throw .corrupt("Hash listpack integrity check failed.")
                }
                if told > 0 { deadline = told }
            }
            try name.withText { (name) throws(DumpError) in
                try value.withText { (value) throws(DumpError) in
                    try set(name, value, deadline, of: hash)
                }
            }
        }
    }

    private func set(
        _ name: Listpack.Value, _ value: Listpack.Value, of hash: HashValue
    ) throws(DumpError) {
        try name.withText { (name) throws(DumpError) in
            try value.withText { (value) throws(DumpError) in try set(name, value, of: hash) }
        }
    }

    private func set(
        _ name: ByteView, _ value: ByteView, _ deadline: Int64 = HashValue.never,
        of hash: HashValue
    ) throws(DumpError) {
        let isNew = try adding { () throws(CommandError) in
            try hash.set(name, value, deadline: deadline)
        }
        guard isNew else { throw .corrupt("Hash integrity check failed: a field comes twice") }
    }
}
