/// A hash, whatever its encoding: fields and values packed in one block, or a hash table with a block
/// a field.
///
/// Promises: a field is found, set and removed in O(1) in a table and in one short walk otherwise;
/// a hash leaves the packed encoding when it outgrows `EncodingLimits` and never returns. Fields may
/// have deadlines (`HashValue+Deadlines.swift`); one whose time is over is invisible here, though it
/// counts until it is purged. A trivial handle to an entry: dead after the next change of its key.
/// `docs/internals/hash.md` draws the encodings.
struct HashValue: RandomElements {
    /// Odd where a field has a deadline.
    enum Encoding: UInt8 {
        case packed = 0
        case expiringPacked = 1
        case table = 2
        case expiringTable = 3
    }

    /// A field as a walk shows it; dead after the next change.
    struct Field {
        let name: ByteView
        let value: ByteView
        /// `HashValue.never` without one.
        let deadline: Int64
    }

    /// The deadline of a field that stays.
    static var never: Int64 { PackedRecords.never }
    /// Redis keeps deadlines of fields in 46 bits, and ends when it is given a later one.
    static let latestDeadline: Int64 = (1 << 46) - 1

    let entry: Entry
    let context: ValueContext
    /// How many hashes of the database have fields with deadlines.
    private let expiringHashes: SharedCount

    @inline(__always)
    init(_ entry: Entry, _ context: ValueContext, counting expiringHashes: SharedCount) {
        self.entry = entry
        self.context = context
        self.expiringHashes = expiringHashes
    }

    @inline(__always)
    var arena: Arena { context.arena }

    func countExpiringHash(_ change: Int) { expiringHashes.value &+= change }

    @inline(__always)
    var isTable: Bool { entry.encoding & 2 != 0 }

    /// Whether any field has a deadline.
    @inline(__always)
    var expires: Bool { entry.encoding & 1 != 0 }

    func setEncoding(_ encoding: Encoding) { entry.encoding = encoding.rawValue }

    /// As OBJECT ENCODING calls it.
    static func encodingName(_ encoding: UInt8) -> StaticString {
        encoding & 2 != 0 ? "hashtable" : encoding & 1 != 0 ? "listpackex" : "listpack"
    }

    @inline(__always)
    var packed: PackedRecords {
        PackedRecords(
            Block(word: entry.payload), expires ? .expiringFields : .fields, arena)
    }

    func store(_ packed: PackedRecords) { entry.payload = packed.block.word }

    @inline(__always)
    var table: FieldTable { Self.table(at: entry.payload, arena) }

    /// Whether the time of something with this deadline is over.
    @inline(__always)
    func isDue(_ deadline: Int64) -> Bool { deadline < context.now }

    // MARK: - Creation

    /// An empty hash that hangs off nothing yet.
    static func make(_ arena: Arena) -> CollectionValue {
        CollectionValue(
            type: .hash, encoding: Encoding.packed.rawValue,
            payload: PackedRecords(.fields, arena).block.word)
    }

    /// Whether fields and values of this size, one after the other, are kept packed.
    static func packs(_ size: PackedSize, _ limits: EncodingLimits) -> Bool {
        size.strings / 2 <= min(limits.hashEntries, PackedRecords.mostRecords)
            && size.longest <= limits.hashValueBytes && size.bytes < PackedRecords.largestBlock
    }

    /// A hash of what `filler` holds, which hangs off nothing yet.
    static func make(_ filler: PackedFiller) -> CollectionValue {
        CollectionValue(
            type: .hash, encoding: Encoding.packed.rawValue, payload: filler.finish().word)
    }

    private static func payload(of table: FieldTable, _ arena: Arena) -> UInt64 {
        UInt64(arena.handle(at: table.address).raw)
    }

    static func table(at payload: UInt64, _ arena: Arena) -> FieldTable {
        FieldTable(at: arena.address(Arena.Handle(raw: UInt32(truncatingIfNeeded: payload))))
    }

    private static func shape(_ encoding: UInt8) -> PackedRecords.Shape {
        encoding & 1 != 0 ? .expiringFields : .fields
    }

    // MARK: - Lookup

    /// The number of fields, with those whose time is over and that are not purged yet.
    @inline(__always)
    var count: Int { isTable ? table.count : packed.count }

    @inline(__always)
    func value(of name: ByteView, hash: UInt64 = 0) -> ByteView? {
        if isTable {
            let handle = table.find(name, hash: hash != 0 ? hash : context.hasher.hash(name))
            if handle.isNone { return nil }
            let block = FieldBlock(handle, arena)
            if block.hasDeadline && isDue(block.deadline) { return nil }
            return block.value
        }
        guard let record = packed.find(name), !isDue(record.deadline) else { return nil }
        return record.value
    }

    /// The field with its deadline; nil if there is none or its time is over.
    func field(_ name: ByteView) -> Field? {
        let found: Field
        if isTable {
            let handle = table.find(name, hash: context.hasher.hash(name))
            if handle.isNone { return nil }
            found = Self.field(FieldBlock(handle, arena))
        } else {
            guard let record = packed.find(name) else { return nil }
            found = Field(name: record.name, value: record.value, deadline: record.deadline)
        }
        return isDue(found.deadline) ? nil : found
    }

    @inline(__always)
    private static func field(_ block: FieldBlock) -> Field {
        Field(name: block.field, value: block.value, deadline: block.deadline)
    }

    // MARK: - Change

    /// Sets the value of a field; true if the field is new.
    ///
    /// The field's deadline is `deadline` from now on, or, where that is to be kept, whichever it has;
    /// a new field has none then. `hash` is that of the name, 0 where it is not known.
    /// A new deadline is the caller's to tell the database of (`Database.indexFields`).
    @inline(__always)
    func set(
        _ name: ByteView, _ value: ByteView, deadline: Int64 = never, keepsDeadline: Bool = false,
        hash: UInt64 = 0
    ) throws(CommandError) -> Bool {
        let deadline = keepsDeadline ? Self.never : deadline
        if isTable {
            return try setInTable(name, value, deadline, keepsDeadline, hash)
        }
        return try setPacked(name, value, deadline, keepsDeadline)
    }

    private func setPacked(
        _ name: ByteView, _ value: ByteView, _ deadline: Int64, _ keepsDeadline: Bool
    ) throws(CommandError) -> Bool {
        if deadline != Self.never && !expires { beginExpiring() }
        var packed = self.packed
        let limits = context.limits
        let old = packed.find(name)
        guard name.count <= limits.hashValueBytes, value.count <= limits.hashValueBytes,
            packed.hasRoom(for: name, value),
            old != nil || packed.count < min(limits.hashEntries, PackedRecords.mostRecords)
        else {
            try leavePacked()
            return try set(name, value, deadline: deadline, keepsDeadline: keepsDeadline)
        }
        guard let old else {
            packed.append(name, value, deadline: deadline)
            store(packed)
            return true
        }
        packed.setValue(of: old, to: value)
        store(packed)
        let wasDue = isDue(old.deadline)
        let isKept = keepsDeadline && !wasDue
        if expires && !isKept && old.deadline != deadline { _ = setDeadline(deadline, of: name) }
        return wasDue
    }

    @inline(__always)
    private func setInTable(
        _ name: ByteView, _ value: ByteView, _ deadline: Int64, _ keepsDeadline: Bool,
        _ knownHash: UInt64
    ) throws(CommandError) -> Bool {
        let table = self.table
        let hash = knownHash != 0 ? knownHash : context.hasher.hash(name)
        let position = table.locate(name, hash: hash)
        guard position.isFound else {
            guard let block = FieldBlock.make(name, value, deadline: deadline, arena) else {
                throw .outOfMemory
            }
            table.insert(block.handle, hash: hash)
            if deadline != Self.never { noteDeadline(deadline, replacing: false, hash) }
            return true
        }
        let old = FieldBlock(table.handle(at: position), arena)
        if deadline == Self.never && old.overwriteValue(value, arena) { return false }
        return try replace(old, value, deadline, keepsDeadline, position, hash)
    }

    /// Gives a field of a table another block.
    @inline(never)
    private func replace(
        _ old: FieldBlock, _ value: ByteView, _ deadline: Int64, _ keepsDeadline: Bool,
        _ position: FieldTable.Position, _ hash: UInt64
    ) throws(CommandError) -> Bool {
        let hadDeadline = old.hasDeadline
        let wasDue = hadDeadline && isDue(old.deadline)
        let deadline = keepsDeadline && !wasDue ? old.deadline : deadline
        guard let block = FieldBlock.make(old.field, value, deadline: deadline, arena) else {
            throw .outOfMemory
        }
        table.setHandle(block.handle, at: position)
        old.free(in: arena)
        if deadline != Self.never {
            noteDeadline(deadline, replacing: hadDeadline, hash)
        } else if hadDeadline {
            forgetDeadline()
        }
        return wasDue
    }

    /// Takes a field out; false if there is none.
    ///
    /// An empty hash is the caller's to delete.
    func remove(_ name: ByteView, hash: UInt64 = 0) -> Bool {
        guard isTable else {
            var packed = self.packed
            guard let record = packed.find(name) else { return false }
            let (wasDue, hadDeadline) = (isDue(record.deadline), record.deadline != Self.never)
            packed.remove(record)
            store(packed)
            if hadDeadline { forgetDeadline() }
            return !wasDue
        }
        let handle = table.remove(name, hash: hash != 0 ? hash : context.hasher.hash(name))
        if handle.isNone { return false }
        let block = FieldBlock(handle, arena)
        let (wasDue, hadDeadline) = (isDue(block.deadline), block.hasDeadline)
        block.free(in: arena)
        if hadDeadline { forgetDeadline() }
        return !wasDue
    }

    private func leavePacked() throws(CommandError) {
        let packed = self.packed
        let table = FieldTable.create(
            arena: arena, context: FieldPolicy.Context(arena: arena, hasher: context.hasher))
        var offset = packed.firstOffset
        var expiringCount = 0
        while let record = packed.record(at: offset) {
            guard
                let block = FieldBlock.make(
                    record.name, record.value, deadline: record.deadline, arena)
            else {
                table.free(elements: .max, in: arena)
                throw .outOfMemory
            }
            table.insert(block.handle, hash: context.hasher.hash(record.name))
            if record.deadline != Self.never { expiringCount += 1 }
            offset = record.end
        }
        packed.block.free(in: arena)
        setEncoding(expires ? .expiringTable : .table)
        entry.payload = Self.payload(of: table, arena)
        if expires { Self.makeDeadlineTree(of: table, expiringCount: expiringCount) }
    }

    // MARK: - At random

    /// Names a field while the hash does not change: an offset or a handle.
    struct Position: Hashable {
        fileprivate let raw: Int
    }

    /// Where all fields are whose time is not over.
    func positions() -> ContiguousArray<Position> {
        var positions: ContiguousArray<Position> = []
        positions.reserveCapacity(count)
        if isTable {
            var cursor = FieldTable.Cursor()
            while true {
                let handle = table.next(from: &cursor)
                if handle.isNone { return positions }
                if expires && isDue(FieldBlock(handle, arena).deadline) { continue }
                positions.append(Position(raw: Int(handle.raw)))
            }
        }
        let packed = self.packed
        var offset = packed.firstOffset
        while let record = packed.record(at: offset) {
            if !isDue(record.deadline) { positions.append(Position(raw: offset)) }
            offset = record.end
        }
        return positions
    }

    func field(at position: Position) -> Field {
        if isTable {
            let handle = Arena.Handle(raw: UInt32(truncatingIfNeeded: position.raw))
            return Self.field(FieldBlock(handle, arena))
        }
        guard let record = packed.record(at: position.raw) else {
            preconditionFailure("a position beyond the hash")
        }
        return Field(name: record.name, value: record.value, deadline: record.deadline)
    }

    /// Fields whose time is over would have to be drawn again.
    var drawsCheaply: Bool { isTable && !expires }

    /// A field, every one with the same probability; nil when the time of all is over.
    func randomPosition(by chance: ValueContext) -> Position? {
        if isTable {
            // Mostly none is due; where many are, they are counted out instead of drawn again.
            for _ in 0..<(expires ? 100 : 1) where !table.isEmpty {
                let handle = table.randomEntry(seed: chance.nextRandom())
                if !isDue(FieldBlock(handle, arena).deadline) {
                    return Position(raw: Int(handle.raw))
                }
            }
        }
        let all = positions()
        return all.isEmpty ? nil : all[chance.random(below: all.count)]
    }

    // MARK: - Walking

    /// How far a walk has come; the hash must not change meanwhile.
    struct Cursor {
        fileprivate var place = 0
        fileprivate var table = FieldTable.Cursor()
    }

    /// The next field whose time is not over, nil after the last.
    @inline(__always)
    func next(from cursor: inout Cursor) -> Field? {
        if isTable {
            while true {
                let handle = table.next(from: &cursor.table)
                if handle.isNone { return nil }
                let field = Self.field(FieldBlock(handle, arena))
                if !isDue(field.deadline) { return field }
            }
        }
        let packed = self.packed
        while let record = packed.record(at: max(cursor.place, packed.firstOffset)) {
            cursor.place = record.end
            if !isDue(record.deadline) {
                return Field(name: record.name, value: record.value, deadline: record.deadline)
            }
        }
        return nil
    }

    /// Shows every field whose time is not over; those of a table are asked for some ahead.
    @inline(__always)
    func eachField(_ body: (Field) -> Void) {
        guard isTable else {
            var cursor = Cursor()
            while let field = next(from: &cursor) { body(field) }
            return
        }
        table.forEach { handle in
            let field = Self.field(FieldBlock(handle, arena))
            if !isDue(field.deadline) { body(field) }
        }
    }

    /// One step of HSCAN: appends where fields are and returns the next cursor (0: done).
    ///
    /// A packed hash shows all at once, a table those of as many groups as it takes. Fields whose
    /// time is over may be among them.
    func scan(
        _ cursor: UInt64, atLeast wanted: Int, mostSteps: Int,
        into positions: inout ContiguousArray<Position>
    ) -> UInt64 {
        guard isTable else {
            positions = self.positions()
            return 0
        }
        var handles: ContiguousArray<Arena.Handle> = []
        let next = table.scan(cursor, atLeast: wanted, mostSteps: mostSteps, into: &handles)
        for handle in handles { positions.append(Position(raw: Int(handle.raw))) }
        return next
    }

    // MARK: - Looking ahead

    /// Makes a table fit for so many fields; a packed hash stays as it is.
    func reserve(_ fields: Int) { if isTable { table.reserve(fields) } }

    /// Asks a table for the place where a field of this hash belongs.
    @inline(__always)
    func prefetchPlace(_ hash: UInt64) { if isTable { table.prefetchGroup(hash: hash) } }

    /// Asks for the memory that leads to the field of this hash: first stage.
    static func prefetchGroup(_ encoding: UInt8, _ payload: UInt64, _ hash: UInt64, in arena: Arena)
    {
        if encoding & 2 != 0 {
            table(at: payload, arena).prefetchGroup(hash: hash)
        } else {
            Block(word: payload).prefetch(in: arena)
        }
    }

    /// Second stage, when the first has arrived.
    static func prefetchField(
        _ encoding: UInt8, _ payload: UInt64, _ hash: UInt64, in arena: Arena
    ) {
        guard encoding & 2 != 0 else { return }
        table(at: payload, arena).prefetchCandidate(hash: hash)
    }

    /// Asks for what a packed hash begins with.
    static func prefetchBeginning(_ encoding: UInt8, _ payload: UInt64, in arena: Arena) {
        if encoding & 2 == 0 { Block(word: payload).prefetch(in: arena, lines: 5) }
    }

    // MARK: - Whole values

    static func blockCount(_ encoding: UInt8, _ payload: UInt64, in arena: Arena) -> Int {
        encoding & 2 != 0 ? table(at: payload, arena).count : 1
    }

    static func free(
        _ encoding: UInt8, _ payload: UInt64, blocks: Int, in arena: Arena
    ) -> Bool {
        guard encoding & 2 != 0 else {
            Block(word: payload).free(in: arena)
            return true
        }
        let table = table(at: payload, arena)
        table.context.deadlines?.destroy()
        table.context.deadlines = nil
        return table.free(elements: blocks, in: arena)
    }

    /// Every byte behind the payload; O(n) in a table.
    static func memoryBytes(_ encoding: UInt8, _ payload: UInt64, in arena: Arena) -> Int {
        guard encoding & 2 != 0 else { return Block(word: payload).bytes }
        let table = table(at: payload, arena)
        let indexBytes = table.context.deadlines?.memoryBytes ?? 0
        return table.memoryBytes + indexBytes + table.elementBytes(in: arena)
    }

    static func copy(
        _ encoding: UInt8, _ payload: UInt64, in arena: Arena
    ) throws(CommandError) -> UInt64 {
        guard encoding & 2 != 0 else {
            let shape = shape(encoding)
            return PackedRecords(Block(word: payload), shape, arena).reshaped(shape).block.word
        }
        return try copy(table(at: payload, arena), in: arena)
    }

    private static func copy(
        _ table: FieldTable, in arena: Arena
    ) throws(CommandError) -> UInt64 {
        let old = table.context
        let copied = FieldTable.create(
            arena: arena, context: FieldPolicy.Context(arena: arena, hasher: old.hasher))
        var cursor = FieldTable.Cursor()
        while true {
            let handle = table.next(from: &cursor)
            if handle.isNone { break }
            let field = field(FieldBlock(handle, arena))
            guard
                let block = FieldBlock.make(
                    field.name, field.value, deadline: field.deadline, arena)
            else {
                copied.free(elements: .max, in: arena)
                throw .outOfMemory
            }
            copied.insert(block.handle, hash: old.hasher.hash(field.name))
        }
        if old.deadlines != nil {
            makeDeadlineTree(of: copied, expiringCount: old.expiringCount)
        }
        return payload(of: copied, arena)
    }
}
