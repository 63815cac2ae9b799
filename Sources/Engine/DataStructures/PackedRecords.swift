import Glibc

/// Small sets and hashes: their strings one behind the other in one block.
///
/// Promises: a record costs its bytes and one more for each string (five from 254 bytes on); every
/// operation is one walk from the front, which for the sizes it is meant for (128 records of up to
/// 64 bytes) beats any index. A listpack would cost as much again for lengths that allow walking
/// backwards, and nobody walks a set backwards; RDB files still carry listpacks.
///
///     | bytes 4 | count 2 | earliest deadline 8, if any | record | record | ...
///     record:  | length | name | length | value, in a hash | deadline 8, if any have one |
///     length:  one byte below 254, else 254 and 4 bytes
///
/// Must stay true: names are unique; `bytes` counts header and records; `earliest` is no later than any deadline. A handle over a block
/// that the caller owns: after a change, `block.word` is what names it.
/// `docs/internals/hash.md` and `set.md` draw it.
struct PackedRecords {
    /// What a record consists of.
    struct Shape: Equatable {
        let hasValues: Bool
        let hasDeadlines: Bool

        static let members = Shape(hasValues: false, hasDeadlines: false)
        static let fields = Shape(hasValues: true, hasDeadlines: false)
        static let expiringFields = Shape(hasValues: true, hasDeadlines: true)
    }

    /// One record as it stands in the block; dead after the next change.
    struct Record {
        let offset: Int
        let end: Int
        let name: ByteView
        let value: ByteView
        /// `PackedRecords.never` without one.
        let deadline: Int64
    }

    static let never = Int64.max
    /// As many records as the header can count.
    static let mostRecords = Int(UInt16.max)
    /// The total a block may reach; far beyond what walking from the front is good for.
    static let largestBlock = 1 << 30

    private(set) var block: Block
    private let arena: Arena
    let shape: Shape

    private static let countOffset = 4
    private static let earliestOffset = 6
    private static let longMark: UInt8 = 254

    @inline(__always)
    init(_ block: Block, _ shape: Shape, _ arena: Arena) {
        self.block = block
        self.shape = shape
        self.arena = arena
    }

    /// No records.
    init(_ shape: Shape, _ arena: Arena) {
        self.init(Block.allocate(shape.hasDeadlines ? 14 : 6, in: arena), shape, arena)
        setHeader(bytes: firstOffset, count: 0)
        if shape.hasDeadlines { earliest = Self.never }
    }

    /// No records, in a block that has room for records of `bytes` bytes in all.
    init(_ shape: Shape, reserving bytes: Int, _ arena: Arena) {
        precondition(!shape.hasDeadlines, "room is reserved for records without deadlines")
        self.init(Block.allocate(6 + bytes, in: arena), shape, arena)
        setHeader(bytes: firstOffset, count: 0)
    }

    @inline(__always)
    private var start: UnsafeMutableRawPointer { block.address(in: arena) }

    // MARK: - Header

    /// Where the first record begins.
    @inline(__always)
    var firstOffset: Int { shape.hasDeadlines ? 14 : 6 }

    /// The end of the last record.
    @inline(__always)
    var bytes: Int { Int(start.loadUnaligned(as: UInt32.self)) }

    @inline(__always)
    var count: Int { Int(start.loadUnaligned(fromByteOffset: Self.countOffset, as: UInt16.self)) }

    private func setHeader(bytes: Int, count: Int) {
        start.storeBytes(of: UInt32(bytes), as: UInt32.self)
        start.storeBytes(of: UInt16(count), toByteOffset: Self.countOffset, as: UInt16.self)
    }

    /// No record is due before this moment; only where records have deadlines.
    var earliest: Int64 {
        get { start.loadUnaligned(fromByteOffset: Self.earliestOffset, as: Int64.self) }
        nonmutating set {
            start.storeBytes(of: newValue, toByteOffset: Self.earliestOffset, as: Int64.self)
        }
    }

    // MARK: - Walking

    /// The record at `offset`, nil at the end; the next one is at its `end`.
    @inline(__always)
    func record(at offset: Int) -> Record? {
        let start = UnsafeRawPointer(self.start)
        let total = Int(start.loadUnaligned(as: UInt32.self))
        guard offset < total else { return nil }
        let name = Self.string(at: offset, start)
        var end = name.end
        var value = ByteView(start: start, count: 0)
        if shape.hasValues {
            let second = Self.string(at: end, start)
            value = second.view
            end = second.end
        }
        var deadline = Self.never
        if shape.hasDeadlines {
            deadline = start.loadUnaligned(fromByteOffset: end, as: Int64.self)
            end &+= 8
        }
        assert(end <= total, "a record ends inside its block")
        return Record(offset: offset, end: end, name: name.view, value: value, deadline: deadline)
    }

    @inline(__always)
    private static func string(
        at offset: Int, _ start: UnsafeRawPointer
    ) -> (view: ByteView, end: Int) {
        let head = start.load(fromByteOffset: offset, as: UInt8.self)
        if head < longMark {
            let count = Int(head)
            return (ByteView(start: start + (offset &+ 1), count: count), offset &+ 1 &+ count)
        }
        let count = Int(start.loadUnaligned(fromByteOffset: offset &+ 1, as: UInt32.self))
        return (ByteView(start: start + (offset &+ 5), count: count), offset &+ 5 &+ count)
    }

    /// The record of this name; O(bytes).
    func find(_ name: ByteView) -> Record? {
        var offset = firstOffset
        while let record = record(at: offset) {
            if record.name == name { return record }
            offset = record.end
        }
        return nil
    }

    /// Record number `index`, counted from 0; O(bytes).
    func record(number index: Int) -> Record? {
        var offset = firstOffset
        var left = index
        while let record = record(at: offset) {
            if left == 0 { return record }
            left -= 1
            offset = record.end
        }
        return nil
    }

    // MARK: - Change

    /// What a string of so many bytes takes in a record.
    @inline(__always)
    static func bytes(ofLength count: Int) -> Int {
        count < Int(longMark) ? count &+ 1 : count &+ 5
    }

    @inline(__always)
    private static func bytes(of string: ByteView) -> Int { bytes(ofLength: string.count) }

    /// Whether another record of this size may be added.
    func hasRoom(for name: ByteView, _ value: ByteView) -> Bool {
        name.count <= Self.largestBlock && value.count <= Self.largestBlock
            && bytes + name.count + value.count + 18 <= Self.largestBlock
            && count < Self.mostRecords
    }

    /// Adds a record, whose name the caller knows to be absent; `hasRoom` must hold.
    mutating func append(
        _ name: ByteView, _ value: ByteView = .empty, deadline: Int64 = never
    ) {
        let (old, oldCount) = (bytes, count)
        let size =
            Self.bytes(of: name) + (shape.hasValues ? Self.bytes(of: value) : 0)
            + (shape.hasDeadlines ? 8 : 0)
        block = block.resized(to: old + size, in: arena)
        setHeader(bytes: old + size, count: oldCount + 1)
        let start = self.start
        var offset = Self.write(name, at: old, start)
        if shape.hasValues { offset = Self.write(value, at: offset, start) }
        if shape.hasDeadlines {
            start.storeBytes(of: deadline, toByteOffset: offset, as: Int64.self)
            if deadline < earliest { earliest = deadline }
        }
    }

    /// The same where the room was reserved, and there are no deadlines: nothing is moved.
    @inline(__always)
    mutating func appendReserved(_ name: ByteView, _ value: ByteView = .empty) {
        let (old, oldCount) = (bytes, count)
        let size = Self.bytes(of: name) &+ (shape.hasValues ? Self.bytes(of: value) : 0)
        precondition(
            !shape.hasDeadlines && size <= block.bytes &- old && oldCount < Self.mostRecords,
            "more records than there is room for")
        let start = self.start
        let offset = Self.write(name, at: old, start)
        if shape.hasValues { _ = Self.write(value, at: offset, start) }
        setHeader(bytes: old &+ size, count: oldCount &+ 1)
    }

    @inline(__always)
    private static func write(
        _ string: ByteView, at offset: Int, _ start: UnsafeMutableRawPointer
    ) -> Int {
        var offset = offset
        if string.count < Int(longMark) {
            start.storeBytes(of: UInt8(string.count), toByteOffset: offset, as: UInt8.self)
            offset += 1
        } else {
            start.storeBytes(of: longMark, toByteOffset: offset, as: UInt8.self)
            start.storeBytes(of: UInt32(string.count), toByteOffset: offset + 1, as: UInt32.self)
            offset += 5
        }
        copyBytes(from: string.start, to: start + offset, count: string.count)
        return offset + string.count
    }

    /// Takes a record just found out.
    mutating func remove(_ record: Record) {
        let (old, oldCount) = (bytes, count)
        let removed = record.end - record.offset
        memmove(start + record.offset, start + record.end, old - record.end)
        setHeader(bytes: old - removed, count: oldCount - 1)
        block = block.resized(to: old - removed, in: arena)
    }

    /// Gives a record just found another value; `hasRoom` must hold.
    ///
    /// The record is dead then.
    mutating func setValue(of record: Record, to value: ByteView) {
        let offset = record.offset + Self.bytes(of: record.name)
        let (before, after) = (Self.bytes(of: record.value), Self.bytes(of: value))
        if before != after {
            let (old, tail) = (bytes, offset + before)
            let new = old - before + after
            if after > before { block = block.resized(to: new, in: arena) }
            memmove(start + (offset + after), start + tail, old - tail)
            setHeader(bytes: new, count: count)
            if after < before { block = block.resized(to: new, in: arena) }
        }
        _ = Self.write(value, at: offset, start)
    }

    /// Gives a record just found another deadline, or `never`; the shape must have deadlines.
    func setDeadline(of record: Record, to deadline: Int64) {
        precondition(shape.hasDeadlines, "records without deadlines")
        start.storeBytes(of: deadline, toByteOffset: record.end - 8, as: Int64.self)
        if deadline < earliest { earliest = deadline }
    }

    /// Finds the earliest deadline anew and returns how many records have one; O(bytes).
    @discardableResult
    func refreshEarliest() -> Int {
        var (offset, least, expiring) = (firstOffset, Self.never, 0)
        while let record = record(at: offset) {
            least = Swift.min(least, record.deadline)
            if record.deadline != Self.never { expiring += 1 }
            offset = record.end
        }
        earliest = least
        return expiring
    }

    /// The same records in another shape, in a block of their own.
    func reshaped(_ shape: Shape) -> PackedRecords {
        var result = PackedRecords(shape, arena)
        var offset = firstOffset
        while let record = record(at: offset) {
            result.append(record.name, record.value, deadline: record.deadline)
            offset = record.end
        }
        return result
    }

    /// Stops the process where a promise in the header does not hold; O(n²), for tests.
    func checkInvariants() {
        var (offset, seen) = (firstOffset, 0)
        while let record = record(at: offset) {
            precondition(find(record.name)?.offset == offset, "names are unique")
            precondition(!shape.hasDeadlines || earliest <= record.deadline, "none is earlier")
            offset = record.end
            seen += 1
        }
        precondition(
            offset == bytes && offset <= block.bytes && seen == count, "the walk ends at the end")
    }
}
