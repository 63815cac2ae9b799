import CLinux
import Glibc

/// The field-value pairs of a new entry: some of a request's arguments.
struct StreamFields {
    private let arguments: Arguments
    private let start: Int
    /// Pairs.
    let count: Int

    init(_ arguments: Arguments, from start: Int) {
        self.arguments = arguments
        self.start = start
        count = max(0, arguments.count - start) / 2
    }

    @inline(__always)
    func field(_ index: Int) -> ByteView { arguments[start &+ 2 &* index] }
    @inline(__always)
    func value(_ index: Int) -> ByteView { arguments[start &+ 2 &* index &+ 1] }

    /// Bytes of all names and values.
    var bytes: Int {
        var sum = 0
        for index in start..<(start + 2 * count) { sum += arguments[index].count }
        return sum
    }
}

/// Entries of a stream packed into one listpack, byte for byte as Redis keeps and saves them.
///
///     | live | deleted | F | field … F of them | 0 |  entry | entry | …
///     entry: | flags | ms - master's | seq - master's | value … F of them         | elements |
///     or:    | flags | ms - master's | seq - master's | n | field | value | … n pairs | elements |
///
/// The master is the id of the first entry ever put here; its fields stand in front, and an entry
/// with the same ones (flag 2) leaves them out. A deleted entry (flag 1) stays where it is. The last
/// element of an entry is the number of those before it, for walking backwards.
///
/// Costs: appending is a compare of the field names and a copy of the values; growth doubles up to
/// what the node before took. A handle over a block that the index keeps anew after each change.
struct StreamNode {
    static let deletedFlag: Int64 = 1
    static let sameFieldsFlag: Int64 = 2

    private(set) var block: Block
    private let arena: Arena

    @inline(__always)
    init(_ block: Block, in arena: Arena) {
        self.block = block
        self.arena = arena
    }

    // MARK: - Figures

    @inline(__always)
    private var base: UnsafeMutableRawPointer { block.address(in: arena) }

    /// The bytes in use: what is saved.
    @inline(__always)
    var bytes: Int { ListpackFormat.totalBytes(base) }

    /// All of it, as it is saved; valid until the next change.
    var view: ByteView { ByteView(start: UnsafeRawPointer(base), count: bytes) }

    /// The entries that are there, and the deleted ones among them.
    var counts: (live: Int, deleted: Int) {
        let first = UnsafeRawPointer(base + ListpackFormat.headerBytes)
        return (
            StreamElements.count(first), StreamElements.count(ListpackFormat.next(first))
        )
    }

    // MARK: - Making

    /// An element takes at most so many bytes beyond its text: encoding and back length.
    private static let elementOverhead = 10
    /// What an entry takes beyond its fields and values, and what the front of a node takes.
    private static let entryOverhead = 64
    private static let frontOverhead = 64

    /// The most an entry can take.
    @inline(__always)
    private static func room(for fields: StreamFields, _ textBytes: Int) -> Int {
        textBytes &+ 2 &* fields.count &* elementOverhead &+ entryOverhead
    }

    /// A node of more bytes is not loaded: its counts must have room to grow.
    static let mostLoadedBytes = ListpackFormat.mostBytes - frontOverhead
    /// A node grows to no more, so that it can be loaded again after its counts have grown.
    private static let mostBytes = mostLoadedBytes - frontOverhead

    /// Whether a node can hold an entry of so many bytes.
    static func canHold(_ fields: StreamFields, _ textBytes: Int) -> Bool {
        room(for: fields, textBytes) + frontOverhead <= mostBytes
    }

    /// Whether this node can take another entry of so many bytes.
    @inline(__always)
    func canTake(_ fields: StreamFields, _ textBytes: Int) -> Bool {
        bytes &+ Self.room(for: fields, textBytes) <= Self.mostBytes
    }

    /// A node whose master and first entry is `id`.
    ///
    /// `capacity`: what it will probably grow to.
    static func create(
        _ id: StreamID, _ fields: StreamFields, textBytes: Int, capacity: Int, in arena: Arena
    ) -> StreamNode {
        // The names stand in front, the values in the entry.
        let needed = room(for: fields, textBytes) + frontOverhead
        let block = Block.allocate(max(needed, capacity), in: arena)
        let node = StreamNode(block, in: arena)
        let base = node.base
        ListpackFormat.writeEmpty(to: base)
        var place = base + ListpackFormat.headerBytes
        // The entry itself is counted when it is appended.
        StreamElements.put(0, at: &place)
        StreamElements.put(0, at: &place)
        StreamElements.put(Int64(fields.count), at: &place)
        for index in 0..<fields.count { StreamElements.put(fields.field(index), at: &place) }
        StreamElements.put(0, at: &place)
        node.finish(at: place, adding: fields.count &+ 4)
        var filled = node
        filled.write(id, fields, master: id)
        return filled
    }

    @inline(__always)
    private func finish(at end: UnsafeMutableRawPointer, adding elements: Int) {
        ListpackFormat.writeEnd(end)
        let base = base
        ListpackFormat.setTotalBytes(base, end - base &+ 1)
        ListpackFormat.addCount(base, elements)
    }

    /// Appends an entry, which must be later than all here; `textBytes` is `fields.bytes`.
    @inline(__always)
    mutating func append(
        _ id: StreamID, _ fields: StreamFields, textBytes: Int, master: StreamID
    ) {
        let used = bytes
        let needed = used &+ Self.room(for: fields, textBytes)
        if needed > block.bytes { grow(to: needed, used) }
        write(id, fields, master: master)
    }

    /// Writes an entry behind the last, where there is room for it.
    private mutating func write(_ id: StreamID, _ fields: StreamFields, master: StreamID) {
        let isSame = hasSameFields(fields)
        var place = base + (bytes &- 1)
        let delta = id.delta(from: master)
        StreamElements.put(isSame ? Self.sameFieldsFlag : 0, at: &place)
        StreamElements.put(delta.milliseconds, at: &place)
        StreamElements.put(delta.sequence, at: &place)
        let elements: Int
        if isSame {
            for index in 0..<fields.count { StreamElements.put(fields.value(index), at: &place) }
            elements = fields.count &+ 3
        } else {
            StreamElements.put(Int64(fields.count), at: &place)
            for index in 0..<fields.count {
                StreamElements.put(fields.field(index), at: &place)
                StreamElements.put(fields.value(index), at: &place)
            }
            elements = 2 &* fields.count &+ 4
        }
        StreamElements.put(Int64(elements), at: &place)
        finish(at: place, adding: elements &+ 1)
        addCounts(live: 1, deleted: 0)
    }

    @inline(never)
    private mutating func grow(to needed: Int, _ used: Int) {
        // Twice as much up to a page or so: a node ends at 4096 bytes by default.
        block = block.resized(to: max(needed, min(2 &* used, used &+ 4096)), in: arena)
    }

    @inline(__always)
    private func hasSameFields(_ fields: StreamFields) -> Bool {
        var place = StreamElements.masterFieldCount(base)
        guard StreamElements.count(place) == fields.count else { return false }
        for index in 0..<fields.count {
            place = ListpackFormat.next(place)
            guard ListpackFormat.value(place).hasText(fields.field(index)) else { return false }
        }
        return true
    }

    /// Adds to the counts in front: in place where they are elements of one byte and stay so.
    ///
    /// A node that was loaded may spell a small number in a wide form, which is written anew.
    private mutating func addCounts(live: Int, deleted: Int) {
        let counts = counts
        let first = base + ListpackFormat.headerBytes
        if counts.live &+ live < 128 && counts.deleted &+ deleted < 128
            && StreamElements.isNarrow(first) && StreamElements.isNarrow(first + 2)
        {
            // Behind either stands a back length of one byte.
            first.storeBytes(of: UInt8(truncatingIfNeeded: counts.live &+ live), as: UInt8.self)
            first.storeBytes(
                of: UInt8(truncatingIfNeeded: counts.deleted &+ deleted), toByteOffset: 2,
                as: UInt8.self)
            return
        }
        setCounts(live: counts.live &+ live, deleted: counts.deleted &+ deleted)
    }

    @inline(never)
    private mutating func setCounts(live: Int, deleted: Int) {
        var listpack = Listpack(block, in: arena)
        guard let first = listpack.first else { return }
        listpack.replace(at: first, with: ListpackElement(Int64(live)))
        if let second = listpack.position(after: first) {
            listpack.replace(at: second, with: ListpackElement(Int64(deleted)))
        }
        block = listpack.block
    }

    /// Gives spare room back: nothing is appended any more.
    mutating func close() { block = block.resized(to: bytes, in: arena) }

    func copied() -> StreamNode {
        let bytes = view
        let block = Block.allocate(bytes.count, in: arena)
        bytes.copy(to: block.address(in: arena))
        return StreamNode(block, in: arena)
    }

    // MARK: - Deleting

    /// Marks the entry a walk has just met as deleted; to be counted with `countDeleted`, which ends
    /// all walks.
    func markDeleted(_ walk: StreamNodeWalk) {
        let flags = base + walk.entryOffset
        // `StreamReader` takes no node over whose flags are spelled otherwise.
        precondition(StreamElements.isNarrow(flags), "flags in a wide form")
        flags.storeBytes(
            of: flags.load(as: UInt8.self) | UInt8(Self.deletedFlag), as: UInt8.self)
    }

    mutating func countDeleted(_ count: Int) { addCounts(live: -count, deleted: count) }

    // MARK: - Walking

    @inline(__always)
    func walk(master: StreamID) -> StreamNodeWalk { StreamNodeWalk(base, master) }

    /// The id of the last entry that is there.
    func lastID(master: StreamID) -> StreamID {
        var walk = walk(master: master)
        walk.moveToEnd()
        while walk.stepBack() {
            if !walk.isDeleted { return walk.id }
        }
        return master
    }
}

/// Steps over the elements of a node.
private enum StreamElements {
    @inline(__always)
    static func put(_ integer: Int64, at place: inout UnsafeMutableRawPointer) {
        if integer >= 0 && integer <= 127 {
            let bits = UInt16(truncatingIfNeeded: integer) | 0x0100
            place.storeBytes(of: bits.littleEndian, as: UInt16.self)
            place += 2
            return
        }
        let size = ListpackFormat.size(integer)
        ListpackFormat.write(integer, size: size, to: place)
        ListpackFormat.writeBackLength(size, to: place + size)
        place += size &+ 1
    }

    @inline(__always)
    static func put(_ text: ByteView, at place: inout UnsafeMutableRawPointer) {
        let element = ListpackElement(text)
        element.write(to: place)
        place += element.entryBytes
    }

    /// Whether an integer of one byte stands at `place`.
    @inline(__always)
    static func isNarrow(_ place: UnsafeRawPointer) -> Bool {
        place.load(as: UInt8.self) & 0x80 == 0
    }

    /// The integer at `place`; 0 where it is none.
    @inline(__always)
    static func integer(_ place: UnsafeRawPointer) -> Int64 {
        let first = place.load(as: UInt8.self)
        if first & 0x80 == 0 { return Int64(first) }
        if case .integer(let number) = ListpackFormat.value(place) { return number }
        return 0
    }

    @inline(__always)
    static func count(_ place: UnsafeRawPointer) -> Int {
        Int(truncatingIfNeeded: integer(place))
    }

    /// Where the number of the master's fields stands.
    @inline(__always)
    static func masterFieldCount(_ base: UnsafeRawPointer) -> UnsafeRawPointer {
        let first = base + ListpackFormat.headerBytes
        return ListpackFormat.next(ListpackFormat.next(first))
    }

    @inline(__always)
    static func skip(_ place: UnsafeRawPointer, _ elements: Int) -> UnsafeRawPointer {
        var place = place
        var left = elements
        while left > 0 {
            place = ListpackFormat.next(place)
            left &-= 1
        }
        return place
    }
}

/// Walks over the entries of a node, deleted ones included, either way; dead after its next change.
struct StreamNodeWalk {
    private let base: UnsafeRawPointer
    private let master: StreamID
    private let masterFields: UnsafeRawPointer
    private let masterFieldCount: Int
    /// The content of the entry just met while `isInside`; else where the next entry begins.
    private var place: UnsafeRawPointer
    private let firstEntry: UnsafeRawPointer
    /// Whether the content of the entry just met was not passed yet.
    private var isInside = false
    /// The entry met last, before which a walk backwards goes on.
    private var entry: UnsafeRawPointer
    /// The entry met last.
    private(set) var id: StreamID
    private var flags: Int64 = 0
    /// The pairs of the entry met last.
    private(set) var fieldCount = 0

    /// Walks over nothing.
    static var none: StreamNodeWalk { StreamNodeWalk() }

    private init() {
        base = ByteView.empty.start
        master = .zero
        masterFields = base
        masterFieldCount = 0
        firstEntry = base
        place = base
        entry = base
        id = .zero
    }

    fileprivate init(_ start: UnsafeMutableRawPointer, _ master: StreamID) {
        base = UnsafeRawPointer(start)
        self.master = master
        let count = StreamElements.masterFieldCount(base)
        masterFieldCount = StreamElements.count(count)
        masterFields = ListpackFormat.next(count)
        firstEntry = ListpackFormat.next(StreamElements.skip(masterFields, masterFieldCount))
        place = firstEntry
        entry = firstEntry
        id = master
    }

    @inline(__always)
    var isDeleted: Bool { flags & StreamNode.deletedFlag != 0 }
    @inline(__always)
    private var hasSameFields: Bool { flags & StreamNode.sameFieldsFlag != 0 }
    fileprivate var entryOffset: Int { entry - base }

    /// Begins anew behind the last entry, to walk backwards from there on.
    mutating func moveToEnd() {
        entry = base + (ListpackFormat.totalBytes(base) &- 1)
        place = entry
        isInside = false
    }

    /// Meets the entry that follows; false at the end.
    @inline(__always)
    mutating func step() -> Bool {
        if isInside { passContent() }
        if ListpackFormat.isEnd(place) { return false }
        entry = place
        readHead()
        isInside = true
        return true
    }

    /// Meets the entry before; false at the beginning.
    mutating func stepBack() -> Bool {
        if entry <= firstEntry { return false }
        let count = ListpackFormat.previous(entry)
        var start = count
        var left = StreamElements.count(count)
        while left > 0 && start > firstEntry {
            start = ListpackFormat.previous(start)
            left &-= 1
        }
        entry = start
        readHead()
        isInside = true
        return true
    }

    /// Reads flags, id and number of pairs; `place` is then where the content begins.
    @inline(__always)
    private mutating func readHead() {
        flags = StreamElements.integer(entry)
        let milliseconds = ListpackFormat.next(entry)
        let sequence = ListpackFormat.next(milliseconds)
        id = master.advanced(
            StreamElements.integer(milliseconds), StreamElements.integer(sequence))
        place = ListpackFormat.next(sequence)
        if hasSameFields {
            fieldCount = masterFieldCount
        } else {
            fieldCount = StreamElements.count(place)
            place = ListpackFormat.next(place)
        }
    }

    private mutating func passContent() {
        let elements = hasSameFields ? fieldCount : 2 &* fieldCount
        place = StreamElements.skip(place, elements &+ 1)
        isInside = false
    }

    /// Hands over each field and value of the entry just met, once, in order.
    @inline(__always)
    mutating func readPairs(_ body: (Listpack.Value, Listpack.Value) -> Void) {
        precondition(isInside, "an entry can be read once")
        isInside = false
        var place = place
        var left = fieldCount
        if hasSameFields {
            var field = masterFields
            while left > 0 {
                body(ListpackFormat.value(field), ListpackFormat.value(place))
                field = ListpackFormat.next(field)
                place = ListpackFormat.next(place)
                left &-= 1
            }
        } else {
            while left > 0 {
                let value = ListpackFormat.next(place)
                body(ListpackFormat.value(place), ListpackFormat.value(value))
                place = ListpackFormat.next(value)
                left &-= 1
            }
        }
        self.place = ListpackFormat.next(place)
    }
}
