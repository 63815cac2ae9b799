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
/// What is read is checked whatever `sanitize-dump-payload` says: lengths, structure, duplicates. A
/// collection has the encoding that our settings ask for. Where that is packed, it is built whole
/// (`DumpReader+Packed.swift`, nodes of lists and streams); else by the verbs that commands use, those
/// of a table in batches.
struct ValueReader {
    let keyspace: Keyspace
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
                let text = reader.view(piece)
                guard var scanner = ListpackScanner(text), scanner.finish() else {
                    throw .corrupt("Listpack integrity check failed.")
                }
                list.append(checked: text, count: scanner.count)
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
        switch type {
        case DumpFormat.setListpack: return try readListpackSet(from: &reader)
        case DumpFormat.set:
            let count = try reader.count()
            if let set = try packedSet(of: count, from: &reader) { return .collection(set) }
            return try buildSet { (set) throws(DumpError) in
                try readMembers(count, of: set, from: &reader)
            }
        default:
            return try buildSet { (set) throws(DumpError) in
                try readIntegers(of: set, from: &reader)
            }
        }
    }

    private func buildSet(
        _ fill: (SetValue) throws(DumpError) -> Void
    ) throws(DumpError) -> LoadedValue {
        let entry = try house(SetValue.make(keyspace.values))
        let set = SetValue(entry, keyspace.values)
        return try build(entry) { () throws(DumpError) in
            try fill(set)
            return set.count
        }
    }

    private func readListpackSet(from reader: inout DumpReader) throws(DumpError) -> LoadedValue {
        reader.beginRecord()
        let text = reader.view(try reader.piece())
        guard let size = size(ofListpack: text, step: 1) else {
            throw .corrupt("Set listpack integrity check failed.")
        }
        if let set = try packedSet(text, size) { return .collection(set) }
        return try buildSet { (set) throws(DumpError) in
            guard var cursor = ListpackCursor(checked: text) else { return }
            while let value = cursor.next() {
                try value.withText { (text) throws(DumpError) in try insert(text, into: set) }
            }
        }
    }

    /// One by one until the set is a table, then many at a time.
    private func readMembers(
        _ count: Int, of set: SetValue, from reader: inout DumpReader
    ) throws(DumpError) {
        var left = count
        while left > 0 && set.encoding != .table {
            reader.beginRecord()
            try insert(reader.view(try reader.piece()), into: set)
            left -= 1
        }
        guard left > 0 else { return }
        set.reserve(set.count + reader.expected(left))
        var batch = ElementBatch<Void>()
        while left > 0 {
            try batch.read(
                atMost: left, keyspace.values.hasher, from: &reader,
                prefetch: { set.prefetchPlace($0) }, attachment: { _ in ((), 0) })
            for element in batch.elements {
                try insert(reader.view(element.name), hash: element.hash, into: set)
            }
            left -= batch.elements.count
        }
    }

    private func insert(
        _ member: ByteView, hash: UInt64 = 0, into set: SetValue
    ) throws(DumpError) {
        guard try adding({ () throws(CommandError) in try set.insert(member, hash: hash) }) else {
            throw .duplicateMember
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
        var set: SortedSetFiller
        switch type {
        case DumpFormat.sortedSetListpack, DumpFormat.sortedSetZiplist:
            reader.beginRecord()
            let text = reader.view(try reader.piece())
            // A member and its score take four bytes at least.
            set = filler(members: text.count / 4)
            set.reserve(packedBytes: min(text.count, Self.mostReservedBytes))
            try fill(&set) { (set) throws(DumpError) in
                type == DumpFormat.sortedSetListpack
                    ? try fill(&set, fromListpack: text) : try fill(&set, fromZiplist: text)
            }
        default:
            let count = try reader.count()
            set = filler(members: count)
            try fill(&set) { (set) throws(DumpError) in
                try readScored(count, type, into: &set, from: &reader)
            }
        }
        let filled = set.finish()
        guard filled.count > 0 else {
            keyspace.bury(filled.collection)
            return .nothing
        }
        return .collection(filled.collection)
    }

    /// One by one until the set is a ranked one, then many at a time.
    private func readScored(
        _ count: Int, _ type: UInt8, into set: inout SortedSetFiller,
        from reader: inout DumpReader
    ) throws(DumpError) {
        var left = count
        while left > 0 && !set.isRanked {
            reader.beginRecord()
            let member = try reader.piece()
            let score = try score(type, from: &reader)
            try insert(.bytes(reader.view(member)), score, into: &set)
            left -= 1
        }
        guard left > 0 else { return }
        set.reserve(members: reader.expected(left))
        var batch = ElementBatch<Double>()
        while left > 0 {
            try batch.read(
                atMost: left, keyspace.values.hasher, from: &reader,
                prefetch: { set.prefetchPlace($0) }
            ) { (reader) throws(DumpError) in (try score(type, from: &reader), 0) }
            for element in batch.elements {
                try insert(
                    .bytes(reader.view(element.name)), element.attachment, hash: element.hash,
                    into: &set)
            }
            left -= batch.elements.count
        }
    }

    private func score(
        _ type: UInt8, from reader: inout DumpReader
    ) throws(DumpError) -> Double {
        type == DumpFormat.sortedSet ? try reader.double() : try reader.textDouble()
    }

    /// A packed set that takes more grows as it comes.
    private static let mostReservedBytes = 1 << 20

    private func filler(members: Int) -> SortedSetFiller {
        SortedSetFiller(
            SortedSetValue.make(on: keyspace[0].sortedSetGround), members: members,
            in: keyspace.values.unpacking)
    }

    /// Lets `body` fill the set, and frees it where that fails.
    private func fill(
        _ set: inout SortedSetFiller,
        _ body: (inout SortedSetFiller) throws(DumpError) -> Void
    ) throws(DumpError) {
        do throws(DumpError) {
            try body(&set)
        } catch {
            keyspace.bury(set.finish().collection)
            throw error
        }
    }

    private func fill(
        _ set: inout SortedSetFiller, fromListpack text: ByteView
    ) throws(DumpError) {
        let broken = DumpError.corrupt("Zset listpack integrity check failed.")
        guard var scanner = ListpackScanner(text) else { throw broken }
        while let member = scanner.next() {
            guard let score = scanner.next() else { throw broken }
            try insert(member, score, into: &set)
        }
        guard scanner.isWhole else { throw broken }
    }

    private func fill(
        _ set: inout SortedSetFiller, fromZiplist text: ByteView
    ) throws(DumpError) {
        var cursor = try ZiplistCursor(text, of: .sortedSet)
        while let member = try cursor.next() {
            guard let score = try cursor.next() else {
                throw .corrupt("Zset ziplist integrity check failed.")
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
        _ member: Listpack.Value, _ score: Double, hash: UInt64 = 0,
        into set: inout SortedSetFiller
    ) throws(DumpError) {
        if score.isNaN { throw .corrupt("Zset with NAN score detected") }
        let isNew = try member.withText { (text) throws(DumpError) in
            do throws(CommandError) {
                return try set.add(text, score, hash: hash)
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
        if type == DumpFormat.hashListpack { return try readListpackHash(from: &reader) }
        return try buildHash { (hash) throws(DumpError) in
            reader.beginRecord()
            switch type {
            case DumpFormat.hash: try readFields(of: hash, from: &reader)
            case DumpFormat.hashListpackPreview:
                try readTimedListpack(of: hash, reader.view(try reader.piece()))
            case DumpFormat.hashListpackWithDeadlines:
                _ = try reader.littleEndian(Int64.self)
                try readTimedListpack(of: hash, reader.view(try reader.piece()))
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
        }
    }

    private func buildHash(
        _ fill: (HashValue) throws(DumpError) -> Void
    ) throws(DumpError) -> LoadedValue {
        let entry = try house(HashValue.make(keyspace.arena))
        let hash = HashValue(entry, keyspace.values, counting: expiringHashes)
        return try build(entry) { () throws(DumpError) in
            try fill(hash)
            return hash.count
        }
    }

    private func readListpackHash(
        from reader: inout DumpReader
    ) throws(DumpError) -> LoadedValue {
        reader.beginRecord()
        let text = reader.view(try reader.piece())
        guard let size = size(ofListpack: text, step: 2) else {
            throw .corrupt("Hash listpack integrity check failed.")
        }
        if let hash = try packedHash(text, size) { return .collection(hash) }
        return try buildHash { (hash) throws(DumpError) in
            guard var cursor = ListpackCursor(checked: text) else { return }
            while let name = cursor.next(), let value = cursor.next() {
                try set(name, value, of: hash)
            }
        }
    }

    /// One by one until the hash is a table, then many at a time.
    private func readFields(of hash: HashValue, from reader: inout DumpReader) throws(DumpError) {
        var left = try reader.count()
        while left > 0 && !hash.isTable {
            reader.beginRecord()
            let name = try reader.piece()
            let value = try reader.piece()
            try set(reader.view(name), reader.view(value), of: hash)
            left -= 1
        }
        guard left > 0 else { return }
        hash.reserve(hash.count + reader.expected(left))
        var batch = ElementBatch<DumpReader.Piece>()
        while left > 0 {
            try batch.read(
                atMost: left, keyspace.values.hasher, from: &reader,
                prefetch: { hash.prefetchPlace($0) }
            ) { (reader) throws(DumpError) in
                let value = try reader.piece()
                return (value, value.count)
            }
            for element in batch.elements {
                try set(
                    reader.view(element.name), reader.view(element.attachment), of: hash,
                    hashed: element.hash)
            }
            left -= batch.elements.count
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
                deadline = try checked(base.addingReportingOverflow(Int64(clamping: told)))
            }
            try set(reader.view(name), reader.view(value), deadline, of: hash)
        }
    }

    /// A deadline of a field that it may have: `HashValue.never` is none either.
    private func checked(
        _ deadline: (partialValue: Int64, overflow: Bool)
    ) throws(DumpError) -> Int64 {
        guard !deadline.overflow, deadline.partialValue > 0,
            deadline.partialValue <= HashValue.latestDeadline
        else { throw .corrupt("a field's deadline beyond all bounds") }
        return deadline.partialValue
    }

    private func readValkeyFields(
        of hash: HashValue, from reader: inout DumpReader
    ) throws(DumpError) {
        for _ in 0..<(try reader.count()) {
            reader.beginRecord()
            let name = try reader.piece()
            let value = try reader.piece()
            let told = try reader.littleEndian(Int64.self)
            let deadline = told < 0 ? HashValue.never : try checked((told, false))
            try set(reader.view(name), reader.view(value), deadline, of: hash)
        }
    }

    /// Triples of field, value and deadline; 0 for none.
    private func readTimedListpack(of hash: HashValue, _ text: ByteView) throws(DumpError) {
        let broken = DumpError.corrupt("Hash listpack integrity check failed.")
        guard size(ofListpack: text, step: 3) != nil, var cursor = ListpackCursor(checked: text)
        else { throw broken }
        while let name = cursor.next(), let value = cursor.next() {
            guard case .integer(let told) = cursor.next(), told >= 0 else { throw broken }
            let deadline = told > 0 ? try checked((told, false)) : HashValue.never
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
        of hash: HashValue, hashed word: UInt64 = 0
    ) throws(DumpError) {
        let isNew = try adding { () throws(CommandError) in
            try hash.set(name, value, deadline: deadline, hash: word)
        }
        guard isNew else { throw .duplicateField }
    }
}
