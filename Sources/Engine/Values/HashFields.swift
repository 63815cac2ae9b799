import CLinux

/// A field of a large hash with its value, in one block of the arena.
///
///     | flags 1 | field length 1 or 2 | value length 1 or 2 | field | value | deadline 8, if any |
///
/// A string that is too long for its block lies in the counted heap; in its place stand address and
/// length, 16 bytes, and its length is 16. The deadline stands last, so that neither string moves
/// when it comes or goes. Fields are read unaligned.
///
/// A trivial handle to memory that the hash's table owns.
struct FieldBlock: OwnedElement {
    let handle: Arena.Handle
    private let block: UnsafeMutableRawPointer

    private static let deadlineFlag: UInt8 = 1
    private static let wideFieldFlag: UInt8 = 2
    private static let wideValueFlag: UInt8 = 4
    private static let heapFieldFlag: UInt8 = 8
    private static let heapValueFlag: UInt8 = 16
    /// A longer string lies in the heap; two of these and the rest fit the largest block.
    private static let longestInline = 2048
    private static let referenceBytes = 16

    @inline(__always)
    init(_ handle: Arena.Handle, _ arena: Arena) {
        self.handle = handle
        block = arena.address(handle)
    }

    // MARK: - Layout

    @inline(__always)
    private var flags: UInt8 { block.load(as: UInt8.self) }

    /// Lengths as they stand in the block, and where the field begins.
    @inline(__always)
    private var layout: (start: Int, field: Int, value: Int) {
        let flags = self.flags
        if flags & (Self.wideFieldFlag | Self.wideValueFlag) == 0 {
            return (
                3, Int(block.load(fromByteOffset: 1, as: UInt8.self)),
                Int(block.load(fromByteOffset: 2, as: UInt8.self))
            )
        }
        var offset = 1
        let field = length(isWide: flags & Self.wideFieldFlag != 0, &offset)
        let value = length(isWide: flags & Self.wideValueFlag != 0, &offset)
        return (offset, field, value)
    }

    private func length(isWide: Bool, _ offset: inout Int) -> Int {
        defer { offset += isWide ? 2 : 1 }
        return isWide
            ? Int(block.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
            : Int(block.load(fromByteOffset: offset, as: UInt8.self))
    }

    /// The size asked of the arena.
    private var blockBytes: Int {
        let layout = self.layout
        return layout.start &+ layout.field &+ layout.value &+ (hasDeadline ? 8 : 0)
    }

    // MARK: - Reading

    @inline(__always)
    var field: ByteView {
        let layout = self.layout
        if flags & Self.heapFieldFlag != 0 { return reference(at: layout.start) }
        return ByteView(start: UnsafeRawPointer(block + layout.start), count: layout.field)
    }

    @inline(__always)
    var value: ByteView {
        let layout = self.layout
        let offset = layout.start &+ layout.field
        if flags & Self.heapValueFlag != 0 { return reference(at: offset) }
        return ByteView(start: UnsafeRawPointer(block + offset), count: layout.value)
    }

    @inline(__always)
    var hasDeadline: Bool { flags & Self.deadlineFlag != 0 }

    /// `PackedRecords.never` without one.
    @inline(__always)
    var deadline: Int64 {
        guard hasDeadline else { return PackedRecords.never }
        let layout = self.layout
        return block.loadUnaligned(
            fromByteOffset: layout.start &+ layout.field &+ layout.value, as: Int64.self)
    }

    private func reference(at offset: Int) -> ByteView {
        ByteView(
            start: UnsafeRawPointer(heapBlock(at: offset)),
            count: block.loadUnaligned(fromByteOffset: offset + 8, as: Int.self))
    }

    private func heapBlock(at offset: Int) -> UnsafeMutableRawPointer {
        let bits = block.loadUnaligned(fromByteOffset: offset, as: UInt.self)
        guard let pointer = UnsafeMutableRawPointer(bitPattern: bits) else {
            preconditionFailure("a long string without its bytes")
        }
        return pointer
    }

    // MARK: - Making

    /// A block with these strings; `deadline` may be `PackedRecords.never`; nil when there is no
    /// memory.
    @inline(__always)
    static func make(
        _ field: ByteView, _ value: ByteView, deadline: Int64 = PackedRecords.never, _ arena: Arena
    ) -> FieldBlock? {
        guard field.count < 256, value.count < 256, deadline == PackedRecords.never else {
            return makeLong(field, value, deadline, arena)
        }
        let handle = arena.allocate(3 &+ field.count &+ value.count)
        if handle.isNone { return nil }
        let made = FieldBlock(handle, arena)
        made.block.storeBytes(of: 0, as: UInt8.self)
        made.block.storeBytes(
            of: UInt8(truncatingIfNeeded: field.count), toByteOffset: 1, as: UInt8.self)
        made.block.storeBytes(
            of: UInt8(truncatingIfNeeded: value.count), toByteOffset: 2, as: UInt8.self)
        copyBytes(from: field.start, to: made.block + 3, count: field.count)
        copyBytes(from: value.start, to: made.block + (3 &+ field.count), count: value.count)
        return made
    }

    @inline(never)
    private static func makeLong(
        _ field: ByteView, _ value: ByteView, _ deadline: Int64, _ arena: Arena
    ) -> FieldBlock? {
        var flags: UInt8 = deadline == PackedRecords.never ? 0 : deadlineFlag
        if field.count > longestInline { flags |= heapFieldFlag }
        if value.count > longestInline { flags |= heapValueFlag }
        let fieldLength = min(field.count, field.count > longestInline ? referenceBytes : .max)
        let valueLength = min(value.count, value.count > longestInline ? referenceBytes : .max)
        if fieldLength > 255 { flags |= wideFieldFlag }
        if valueLength > 255 { flags |= wideValueFlag }
        let head = 3 + (fieldLength > 255 ? 1 : 0) + (valueLength > 255 ? 1 : 0)
        let total = head + fieldLength + valueLength + (deadline == PackedRecords.never ? 0 : 8)
        let handle = arena.allocate(total)
        if handle.isNone { return nil }
        let made = FieldBlock(handle, arena)
        made.block.storeBytes(of: flags, as: UInt8.self)
        let second = made.storeLength(fieldLength, at: 1)
        _ = made.storeLength(valueLength, at: second)
        guard made.storeString(field, at: head, flags & heapFieldFlag != 0) else {
            arena.free(handle, total)
            return nil
        }
        guard made.storeString(value, at: head + fieldLength, flags & heapValueFlag != 0) else {
            if flags & heapFieldFlag != 0 { apus_heap_free(made.heapBlock(at: head)) }
            arena.free(handle, total)
            return nil
        }
        if deadline != PackedRecords.never { made.storeDeadline(deadline) }
        return made
    }

    private func storeLength(_ length: Int, at offset: Int) -> Int {
        if length > 255 {
            block.storeBytes(of: UInt16(length), toByteOffset: offset, as: UInt16.self)
            return offset + 2
        }
        block.storeBytes(of: UInt8(length), toByteOffset: offset, as: UInt8.self)
        return offset + 1
    }

    private func storeString(_ bytes: ByteView, at offset: Int, _ isLong: Bool) -> Bool {
        guard isLong else {
            bytes.copy(to: block + offset)
            return true
        }
        guard let memory = apus_heap_try_allocate(bytes.count) else { return false }
        bytes.copy(to: memory)
        block.storeBytes(of: UInt(bitPattern: memory), toByteOffset: offset, as: UInt.self)
        block.storeBytes(of: bytes.count, toByteOffset: offset + 8, as: Int.self)
        return true
    }

    // MARK: - Changing in place

    /// Overwrites the value where the block stays as large; false, and nothing changed, where it
    /// does not.
    ///
    /// Only for blocks without a deadline and strings of up to 255 bytes.
    @inline(__always)
    func overwriteValue(_ value: ByteView, _ arena: Arena) -> Bool {
        guard flags == 0, value.count < 256 else { return false }
        let field = Int(block.load(fromByteOffset: 1, as: UInt8.self))
        let old = Int(block.load(fromByteOffset: 2, as: UInt8.self))
        if old != value.count {
            guard
                arena.blockBytes(for: 3 &+ field &+ old)
                    == arena.blockBytes(for: 3 &+ field &+ value.count)
            else { return false }
            block.storeBytes(
                of: UInt8(truncatingIfNeeded: value.count), toByteOffset: 2, as: UInt8.self)
        }
        copyBytes(from: value.start, to: block + (3 &+ field), count: value.count)
        return true
    }

    /// Writes another deadline over the one there is.
    func storeDeadline(_ deadline: Int64) {
        precondition(hasDeadline, "a block without room for a deadline")
        let layout = self.layout
        block.storeBytes(
            of: deadline, toByteOffset: layout.start + layout.field + layout.value, as: Int64.self)
    }

    // MARK: - End

    /// Every byte taken, exactly.
    func memoryBytes(in arena: Arena) -> Int {
        let layout = self.layout
        var bytes = arena.blockBytes(for: blockBytes)
        if flags & Self.heapFieldFlag != 0 {
            bytes += apus_heap_size(heapBlock(at: layout.start))
        }
        if flags & Self.heapValueFlag != 0 {
            bytes += apus_heap_size(heapBlock(at: layout.start + layout.field))
        }
        return bytes
    }

    func free(in arena: Arena) {
        if flags & (Self.heapFieldFlag | Self.heapValueFlag) != 0 { freeLongStrings() }
        arena.free(handle, blockBytes)
    }

    private func freeLongStrings() {
        let layout = self.layout
        if flags & Self.heapFieldFlag != 0 { apus_heap_free(heapBlock(at: layout.start)) }
        if flags & Self.heapValueFlag != 0 {
            apus_heap_free(heapBlock(at: layout.start + layout.field))
        }
    }
}

/// What a hash table of fields has to know of its entries.
struct FieldPolicy: OwningTablePolicy {
    typealias Key = ByteView
    typealias Element = FieldBlock

    struct Context {
        let arena: Arena
        let hasher: SeededHash
        /// The earliest deadline of every group, once a field has one.
        var deadlines: DeadlineTree?
        /// Fields that have a deadline.
        var expiringCount = 0
    }

    @inline(__always)
    static func hash(of entry: Arena.Handle, _ context: Context) -> UInt64 {
        context.hasher.hash(FieldBlock(entry, context.arena).field)
    }

    @inline(__always)
    static func matches(_ entry: Arena.Handle, _ key: ByteView, _ context: Context) -> Bool {
        FieldBlock(entry, context.arena).field == key
    }

    @inline(__always)
    static func prefetch(_ entry: Arena.Handle, _ context: Context) {
        let block = context.arena.address(entry)
        apus_prefetch(block)
        apus_prefetch(block + 40)
    }

    @inline(__always)
    static func didSplit(_ group: Int, into newGroup: Int, _ context: Context) {
        // Both halves may hold the earliest deadline; a visit will tell.
        if let deadlines = context.deadlines { deadlines.append(deadlines.deadline(of: group)) }
    }

    @inline(__always)
    static func didMerge(_ lastGroup: Int, into group: Int, _ context: Context) {
        guard let deadlines = context.deadlines else { return }
        deadlines.lower(group, deadlines.deadline(of: lastGroup))
        deadlines.removeLast()
    }
}

/// A table of hash fields that owns them.
typealias FieldTable = HashTable<FieldPolicy>
