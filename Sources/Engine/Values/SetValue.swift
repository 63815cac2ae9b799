/// One member of a set: an integer where the set stores it as one, else its bytes.
enum SetMember {
    case integer(Int64)
    case bytes(ByteView)

    /// Lends the text of the member; that of an integer lives only during the call.
    @inline(__always)
    func withBytes<Result, Failure: Error>(
        _ body: (ByteView) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch self {
        case .bytes(let bytes): return try body(bytes)
        case .integer(let integer): return try NumberText.withText(of: integer, body)
        }
    }
}

extension ReplyWriter {
    mutating func bulk(_ member: SetMember) {
        switch member {
        case .bytes(let bytes): bulk(bytes)
        case .integer(let integer): bulkInteger(integer)
        }
    }
}

/// A set, whatever its encoding: integers in a sorted array, a few short strings packed in one
/// block, or a hash table with a block a member.
///
/// Promises: `contains`, `insert`, `remove` and a random member are O(1) in a table, O(log n) or one
/// short walk otherwise; a set leaves a compact encoding when it outgrows `EncodingLimits` and
/// never returns. A trivial handle to an entry: dead after the next change of its key.
/// `docs/internals/set.md` draws the encodings.
struct SetValue: RandomElements {
    enum Encoding: UInt8 {
        case integers = 0
        case packed = 1
        case table = 2
    }

    let entry: Entry
    private let context: ValueContext

    @inline(__always)
    init(_ entry: Entry, _ context: ValueContext) {
        self.entry = entry
        self.context = context
    }

    @inline(__always)
    var encoding: Encoding {
        switch entry.encoding {
        case 0: .integers
        case 1: .packed
        default: .table
        }
    }

    /// As OBJECT ENCODING calls it.
    ///
    /// Redis 7.0 has no name for the packed encoding (7.2 calls its like `listpack`) and keeps such
    /// sets in a hash table; clients written for 7.0 look for that name, so it is the one we give.
    static func encodingName(_ encoding: UInt8) -> StaticString {
        encoding == Encoding.integers.rawValue ? "intset" : "hashtable"
    }

    private var arena: Arena { context.arena }

    private var integers: IntSet { IntSet(Block(word: entry.payload), arena) }

    @inline(__always)
    private var packed: PackedRecords {
        PackedRecords(Block(word: entry.payload), .members, arena)
    }

    @inline(__always)
    var table: MemberTable { Self.table(at: entry.payload, arena) }

    // MARK: - Creation

    /// An empty set that hangs off nothing yet, in the encoding that suits `member`.
    static func make(for member: ByteView, _ context: ValueContext) -> CollectionValue {
        let (arena, limits) = (context.arena, context.limits)
        if limits.setIntegers > 0 && NumberText.integer(member) != nil {
            return collection(.integers, IntSet(arena).block.word)
        }
        if limits.setEntries > 0 && member.count <= limits.setValueBytes {
            return collection(.packed, PackedRecords(.members, arena).block.word)
        }
        return collection(.table, payload(of: makeTable(context), arena))
    }

    /// An empty set for results of set algebra, which begin as integers whatever comes.
    static func make(_ context: ValueContext) -> CollectionValue {
        collection(.integers, IntSet(context.arena).block.word)
    }

    /// Whether strings of this size, not all of them integers, are kept packed.
    static func packs(_ size: PackedSize, _ limits: EncodingLimits) -> Bool {
        size.strings <= min(limits.setEntries, PackedRecords.mostRecords)
            && size.longest <= limits.setValueBytes && size.bytes < PackedRecords.largestBlock
    }

    /// A set of what `filler` holds, which hangs off nothing yet.
    static func make(_ filler: PackedFiller) -> CollectionValue {
        collection(.packed, filler.finish().word)
    }

    private static func collection(_ encoding: Encoding, _ payload: UInt64) -> CollectionValue {
        CollectionValue(type: .set, encoding: encoding.rawValue, payload: payload)
    }

    private static func payload(of table: MemberTable, _ arena: Arena) -> UInt64 {
        UInt64(arena.handle(at: table.address).raw)
    }

    private static func table(at payload: UInt64, _ arena: Arena) -> MemberTable {
        MemberTable(at: arena.address(Arena.Handle(raw: UInt32(truncatingIfNeeded: payload))))
    }

    private static func makeTable(_ context: ValueContext) -> MemberTable {
        MemberTable.create(
            arena: context.arena,
            context: MemberPolicy.Context(arena: context.arena, hasher: context.hasher))
    }

    private func use(_ table: MemberTable) {
        entry.encoding = Encoding.table.rawValue
        entry.payload = Self.payload(of: table, arena)
    }

    private func fitsPacked(_ member: ByteView, count: Int) -> Bool {
        let limits = context.limits
        return count < min(limits.setEntries, PackedRecords.mostRecords)
            && member.count <= limits.setValueBytes
    }

    /// The sorted array of integers as it is saved; nil in the other encodings.
    var savedIntegers: ByteView? { encoding == .integers ? integers.bytes : nil }

    // MARK: - Lookup

    var count: Int {
        switch encoding {
        case .integers: integers.count
        case .packed: packed.count
        case .table: table.count
        }
    }

    @inline(__always)
    func contains(_ member: ByteView, hash: UInt64 = 0) -> Bool {
        switch encoding {
        case .table:
            let hash = hash != 0 ? hash : context.hasher.hash(member)
            return !table.find(member, hash: hash).isNone
        case .packed: return packed.find(member) != nil
        case .integers:
            guard let integer = NumberText.integer(member) else { return false }
            return integers.contains(integer)
        }
    }

    func contains(_ member: SetMember) -> Bool {
        if case .integer(let integer) = member, encoding == .integers {
            return integers.contains(integer)
        }
        return member.withBytes { contains($0) }
    }

    // MARK: - Change

    /// Puts `member` in; false if it is there already.
    ///
    /// `hash` is that of the member, 0 where it is not known; so in what follows.
    @inline(__always)
    func insert(_ member: ByteView, hash: UInt64 = 0) throws(CommandError) -> Bool {
        guard encoding == .table else { return try insertCompact(member) }
        let hash = hash != 0 ? hash : context.hasher.hash(member)
        let table = self.table
        guard table.find(member, hash: hash).isNone else { return false }
        guard let block = MemberBlock.make(member, arena) else { throw .outOfMemory }
        table.insert(block.handle, hash: hash)
        return true
    }

    func insert(_ member: SetMember) throws(CommandError) -> Bool {
        if case .integer(let integer) = member, encoding == .integers {
            return try insert(integer: integer)
        }
        return try member.withBytes { (bytes) throws(CommandError) in try insert(bytes) }
    }

    private func insertCompact(_ member: ByteView) throws(CommandError) -> Bool {
        if encoding == .integers {
            if let integer = NumberText.integer(member) { return try insert(integer: integer) }
            try leaveIntegers(for: member)
            return try insert(member)
        }
        var packed = self.packed
        if packed.find(member) != nil { return false }
        guard fitsPacked(member, count: packed.count), packed.hasRoom(for: member, .empty) else {
            try leavePacked()
            return try insert(member)
        }
        packed.append(member)
        entry.payload = packed.block.word
        return true
    }

    private func insert(integer: Int64) throws(CommandError) -> Bool {
        var integers = self.integers
        guard integers.insert(integer) else { return false }
        entry.payload = integers.block.word
        // The peers never let the array pass 2^30, whatever the setting says.
        if integers.count > min(context.limits.setIntegers, 1 << 30) {
            try NumberText.withText(of: integer) { (text) throws(CommandError) in
                try leaveIntegers(for: text, isInside: true)
            }
        }
        return true
    }

    /// Changes from integers to strings: packed where all of them and `member` fit, else a table.
    private func leaveIntegers(
        for member: ByteView, isInside: Bool = false
    ) throws(CommandError) {
        let integers = self.integers
        let limits = context.limits
        let count = integers.count + (isInside ? 0 : 1)
        let longest = max(NumberText.longestInteger, member.count)
        if count <= min(limits.setEntries, PackedRecords.mostRecords),
            longest <= limits.setValueBytes
        {
            var packed = PackedRecords(.members, arena)
            for index in 0..<integers.count {
                NumberText.withText(of: integers[index]) { packed.append($0) }
            }
            entry.encoding = Encoding.packed.rawValue
            entry.payload = packed.block.word
        } else {
            let table = Self.makeTable(context)
            for index in 0..<integers.count {
                try NumberText.withText(of: integers[index]) { (text) throws(CommandError) in
                    try append(text, to: table)
                }
            }
            use(table)
        }
        integers.block.free(in: arena)
    }

    private func leavePacked() throws(CommandError) {
        let packed = self.packed
        let table = Self.makeTable(context)
        var offset = packed.firstOffset
        while let record = packed.record(at: offset) {
            try append(record.name, to: table)
            offset = record.end
        }
        use(table)
        packed.block.free(in: arena)
    }

    /// Adds a member known to be absent to a table not yet in use; frees the table where that fails.
    private func append(_ member: ByteView, to table: MemberTable) throws(CommandError) {
        guard let block = MemberBlock.make(member, arena) else {
            table.free(elements: .max, in: arena)
            throw .outOfMemory
        }
        table.insert(block.handle, hash: context.hasher.hash(member))
    }

    /// Takes `member` out; false if it is not there.
    ///
    /// An empty set is the caller's to delete.
    @inline(__always)
    func remove(_ member: ByteView, hash: UInt64 = 0) -> Bool {
        guard encoding == .table else { return removeCompact(member) }
        let handle = table.remove(member, hash: hash != 0 ? hash : context.hasher.hash(member))
        if handle.isNone { return false }
        MemberBlock(handle, arena).free(in: arena)
        return true
    }

    private func removeCompact(_ member: ByteView) -> Bool {
        if encoding == .integers {
            guard let integer = NumberText.integer(member) else { return false }
            var integers = self.integers
            guard integers.remove(integer) else { return false }
            entry.payload = integers.block.word
            return true
        }
        var packed = self.packed
        guard let record = packed.find(member) else { return false }
        packed.remove(record)
        entry.payload = packed.block.word
        return true
    }

    // MARK: - At random

    var drawsCheaply: Bool { encoding == .table }

    func randomPosition(by chance: ValueContext) -> Position? {
        let count = self.count
        guard count > 0 else { return nil }
        switch encoding {
        case .integers: return Position(raw: chance.random(below: count))
        case .packed:
            let packed = self.packed
            return packed.record(number: chance.random(below: count)).map {
                Position(raw: $0.offset)
            }
        case .table:
            return Position(raw: Int(table.randomEntry(seed: chance.nextRandom()).raw))
        }
    }

    /// Takes a random member out after showing it; the set must not be empty.
    func popRandom(_ body: (SetMember) -> Void) {
        switch encoding {
        case .integers:
            var integers = self.integers
            let index = context.random(below: integers.count)
            body(.integer(integers[index]))
            integers.remove(at: index)
            entry.payload = integers.block.word
        case .packed:
            var packed = self.packed
            guard let record = packed.record(number: context.random(below: packed.count)) else {
                preconditionFailure("a random member of an empty set")
            }
            body(.bytes(record.name))
            packed.remove(record)
            entry.payload = packed.block.word
        case .table:
            let table = self.table
            let member = MemberBlock(table.randomEntry(seed: context.nextRandom()), arena)
            body(.bytes(member.bytes))
            table.remove(entry: member.handle, hash: context.hasher.hash(member.bytes))
            member.free(in: arena)
        }
    }

    /// Names a member while the set does not change: an index, an offset or a handle.
    struct Position: Hashable {
        fileprivate let raw: Int
    }

    /// Where all members are.
    func positions() -> ContiguousArray<Position> {
        var positions: ContiguousArray<Position> = []
        positions.reserveCapacity(count)
        switch encoding {
        case .integers: for index in 0..<integers.count { positions.append(Position(raw: index)) }
        case .packed:
            let packed = self.packed
            var offset = packed.firstOffset
            while let record = packed.record(at: offset) {
                positions.append(Position(raw: offset))
                offset = record.end
            }
        case .table:
            var cursor = MemberTable.Cursor()
            while true {
                let handle = table.next(from: &cursor)
                if handle.isNone { break }
                positions.append(Position(raw: Int(handle.raw)))
            }
        }
        return positions
    }

    func member(at position: Position) -> SetMember {
        switch encoding {
        case .integers: return .integer(integers[position.raw])
        case .packed:
            guard let record = packed.record(at: position.raw) else {
                preconditionFailure("a position beyond the set")
            }
            return .bytes(record.name)
        case .table:
            let handle = Arena.Handle(raw: UInt32(truncatingIfNeeded: position.raw))
            return .bytes(MemberBlock(handle, arena).bytes)
        }
    }

    // MARK: - Walking

    /// How far a walk has come; the set must not change meanwhile.
    struct Cursor {
        fileprivate var place = 0
        fileprivate var table = MemberTable.Cursor()
    }

    /// The next member, nil after the last.
    @inline(__always)
    func next(from cursor: inout Cursor) -> SetMember? {
        switch encoding {
        case .integers:
            guard cursor.place < integers.count else { return nil }
            cursor.place += 1
            return .integer(integers[cursor.place - 1])
        case .packed:
            let packed = self.packed
            guard let record = packed.record(at: max(cursor.place, packed.firstOffset)) else {
                return nil
            }
            cursor.place = record.end
            return .bytes(record.name)
        case .table:
            let handle = table.next(from: &cursor.table)
            return handle.isNone ? nil : .bytes(MemberBlock(handle, arena).bytes)
        }
    }

    /// Shows every member; those of a table are asked for some ahead.
    @inline(__always)
    func eachMember(_ body: (SetMember) -> Void) {
        guard encoding == .table else {
            var cursor = Cursor()
            while let member = next(from: &cursor) { body(member) }
            return
        }
        table.forEach { body(.bytes(MemberBlock($0, arena).bytes)) }
    }

    /// One step of SSCAN: appends where members are and returns the next cursor (0: done).
    ///
    /// A compact set shows all at once, a table those of as many groups as it takes.
    func scan(
        _ cursor: UInt64, atLeast wanted: Int, mostSteps: Int,
        into positions: inout ContiguousArray<Position>
    ) -> UInt64 {
        guard encoding == .table else {
            positions = self.positions()
            return 0
        }
        var handles: ContiguousArray<Arena.Handle> = []
        let next = table.scan(cursor, atLeast: wanted, mostSteps: mostSteps, into: &handles)
        for handle in handles { positions.append(Position(raw: Int(handle.raw))) }
        return next
    }

    // MARK: - Looking ahead

    /// Makes a table fit for so many members; a compact set stays as it is.
    func reserve(_ members: Int) { if encoding == .table { table.reserve(members) } }

    /// Asks a table for the place where a member of this hash belongs.
    @inline(__always)
    func prefetchPlace(_ hash: UInt64) {
        if encoding == .table { table.prefetchGroup(hash: hash) }
    }

    /// Asks for the memory that leads to the member of this hash: first stage.
    static func prefetchGroup(_ encoding: UInt8, _ payload: UInt64, _ hash: UInt64, in arena: Arena)
    {
        if encoding == Encoding.table.rawValue {
            table(at: payload, arena).prefetchGroup(hash: hash)
        } else {
            Block(word: payload).prefetch(in: arena)
        }
    }

    /// Second stage, when the first has arrived.
    static func prefetchMember(
        _ encoding: UInt8, _ payload: UInt64, _ hash: UInt64, in arena: Arena
    ) {
        guard encoding == Encoding.table.rawValue else { return }
        table(at: payload, arena).prefetchCandidate(hash: hash)
    }

    /// Asks for what a packed set begins with.
    static func prefetchBeginning(_ encoding: UInt8, _ payload: UInt64, in arena: Arena) {
        if encoding != Encoding.table.rawValue {
            Block(word: payload).prefetch(in: arena, lines: 5)
        }
    }

    // MARK: - Whole values

    static func blockCount(_ encoding: UInt8, _ payload: UInt64, in arena: Arena) -> Int {
        encoding == Encoding.table.rawValue ? table(at: payload, arena).count : 1
    }

    static func free(
        _ encoding: UInt8, _ payload: UInt64, blocks: Int, in arena: Arena
    ) -> Bool {
        guard encoding == Encoding.table.rawValue else {
            Block(word: payload).free(in: arena)
            return true
        }
        return table(at: payload, arena).free(elements: blocks, in: arena)
    }

    /// Every byte behind the payload; O(n) in a table.
    static func memoryBytes(_ encoding: UInt8, _ payload: UInt64, in arena: Arena) -> Int {
        guard encoding == Encoding.table.rawValue else { return Block(word: payload).bytes }
        let table = table(at: payload, arena)
        return table.memoryBytes + table.elementBytes(in: arena)
    }

    static func copy(
        _ encoding: UInt8, _ payload: UInt64, in arena: Arena
    ) throws(CommandError) -> UInt64 {
        let block = Block(word: payload)
        switch encoding {
        case Encoding.integers.rawValue:
            return IntSet(block, arena).copied().block.word
        case Encoding.packed.rawValue:
            return PackedRecords(block, .members, arena).reshaped(.members).block.word
        default: return try copy(table(at: payload, arena), in: arena)
        }
    }

    private static func copy(
        _ table: MemberTable, in arena: Arena
    ) throws(CommandError) -> UInt64 {
        let copied = MemberTable.create(arena: arena, context: table.context)
        var cursor = MemberTable.Cursor()
        while true {
            let handle = table.next(from: &cursor)
            if handle.isNone { return Self.payload(of: copied, arena) }
            let bytes = MemberBlock(handle, arena).bytes
            guard let block = MemberBlock.make(bytes, arena) else {
                copied.free(elements: .max, in: arena)
                throw .outOfMemory
            }
            copied.insert(block.handle, hash: table.context.hasher.hash(bytes))
        }
    }

    /// Stops the process where a promise does not hold; for tests.
    func checkInvariants() {
        switch encoding {
        case .integers: integers.checkInvariants()
        case .packed: packed.checkInvariants()
        case .table: table.checkInvariants()
        }
    }
}
