import CLinux
import Glibc

/// The kinds of value, numbered as in the RDB format.
enum ValueType: UInt8 {
    case string = 0
    case list = 1
    case set = 2
    case sortedSet = 3
    case hash = 4
    case stream = 5

    /// As TYPE and SCAN call it.
    var name: StaticString {
        switch self {
        case .string: "string"
        case .list: "list"
        case .set: "set"
        case .sortedSet: "zset"
        case .hash: "hash"
        case .stream: "stream"
        }
    }
}

/// A key with its value, in one block of the arena.
///
///     byte 0      1      2          5           6              8
///     +---------+-------+----------+-----------+--------------+-------+---------+------------+
///     | kind    | flags | access   | keyLength | valueLength  | key   | value   | deadline   |
///     +---------+-------+----------+-----------+--------------+-------+---------+------------+
///       4 bits    1       3 bytes    1           2              k bytes v bytes   8 if flagged
///       type +
///       4 bits encoding
///
/// A key of more than 255 bytes lies in the heap; `key` is then its address and length (16 bytes).
/// The value area holds the string itself, an integer (8 bytes), or for what lies elsewhere an
/// address and a length (string: 16 bytes) or one word (collections: 8 bytes). The deadline stands
/// last, so that neither key nor value moves when it comes or goes. Fields are read unaligned.
///
/// A handle to memory that its `Database` owns: trivial, and dead after the next change of the key.
struct Entry {
    let handle: Arena.Handle
    private let block: UnsafeMutableRawPointer

    init(_ handle: Arena.Handle, _ arena: Arena) {
        self.handle = handle
        block = arena.address(handle)
    }

    // MARK: - Layout

    static let headerBytes = 8
    /// Longer keys lie in the heap.
    static let longestInlineKey = 255
    /// A block larger than this holds no string inline: rewriting it would cost more than a hop.
    static let largestInlineBlock = 2048

    private static let deadlineFlag: UInt8 = 1
    private static let longKeyFlag: UInt8 = 2

    enum StringEncoding: UInt8 {
        /// The bytes stand in the value area; OBJECT ENCODING says embstr up to 44 of them.
        case inline = 0
        /// The same, after a command that leaves a raw string in Redis (APPEND, SETRANGE, …).
        case inlineRaw = 1
        case integer = 2
        case heap = 3
    }

    /// The bytes a block needs.
    @inline(__always)
    static func bytes(keyLength: Int, valueBytes: Int, hasDeadline: Bool) -> Int {
        headerBytes &+ (keyLength <= longestInlineKey ? keyLength : 16) &+ valueBytes
            &+ (hasDeadline ? 8 : 0)
    }

    /// The bytes of this entry's block, as asked of the arena.
    var bytes: Int {
        valueOffset &+ valueBytes &+ (hasDeadline ? 8 : 0)
    }

    // MARK: - Header

    @inline(__always)
    private var kind: UInt8 {
        get { block.load(as: UInt8.self) }
        nonmutating set { block.storeBytes(of: newValue, as: UInt8.self) }
    }

    @inline(__always)
    private var flags: UInt8 {
        get { block.load(fromByteOffset: 1, as: UInt8.self) }
        nonmutating set { block.storeBytes(of: newValue, toByteOffset: 1, as: UInt8.self) }
    }

    @inline(__always)
    var type: ValueType {
        switch kind & 15 {
        case 0: .string
        case 1: .list
        case 2: .set
        case 3: .sortedSet
        case 4: .hash
        case 5: .stream
        default: preconditionFailure("an entry of no type")
        }
    }

    @inline(__always)
    var isString: Bool { kind & 15 == 0 }

    @inline(__always)
    func isOf(_ type: ValueType) -> Bool { kind & 15 == type.rawValue }

    /// The encoding's number, whose meaning belongs to the type.
    @inline(__always)
    var encoding: UInt8 {
        get { kind >> 4 }
        nonmutating set { kind = kind & 15 | newValue << 4 }
    }

    @inline(__always)
    var stringEncoding: StringEncoding {
        switch encoding {
        case 0: .inline
        case 1: .inlineRaw
        case 2: .integer
        default: .heap
        }
    }

    /// What the last access left, 24 bits; `AccessStamp` says what they mean.
    @inline(__always)
    var access: UInt32 {
        get { block.loadUnaligned(fromByteOffset: 1, as: UInt32.self) >> 8 }
        nonmutating set {
            let flags = UInt32(self.flags)
            block.storeBytes(of: newValue << 8 | flags, toByteOffset: 1, as: UInt32.self)
        }
    }

    /// Marks the access, writing only what changes: a clean cache line stays clean.
    @inline(__always)
    func touch(_ stamp: AccessStamp) {
        guard stamp.isMoment else { return countAccess(stamp) }
        let moment = UInt32(truncatingIfNeeded: stamp.bits)
        if access != moment { access = moment }
    }

    @inline(never)
    private func countAccess(_ stamp: AccessStamp) {
        guard stamp != .untouched else { return }
        let mark = stamp.counted(access, chance: AccessStamp.chance())
        if access != mark { access = mark }
    }

    // MARK: - Key

    @inline(__always)
    private var hasLongKey: Bool { flags & Self.longKeyFlag != 0 }

    @inline(__always)
    private var valueOffset: Int {
        if hasLongKey { return Self.headerBytes &+ 16 }
        return Self.headerBytes &+ Int(block.load(fromByteOffset: 5, as: UInt8.self))
    }

    @inline(__always)
    var key: ByteView {
        if hasLongKey { return longKey }
        let length = Int(block.load(fromByteOffset: 5, as: UInt8.self))
        return ByteView(start: UnsafeRawPointer(block + Self.headerBytes), count: length)
    }

    private var longKey: ByteView {
        ByteView(
            start: UnsafeRawPointer(longKeyBlock),
            count: block.loadUnaligned(fromByteOffset: Self.headerBytes &+ 8, as: Int.self))
    }

    private var longKeyBlock: UnsafeMutableRawPointer {
        let bits = block.loadUnaligned(fromByteOffset: Self.headerBytes, as: UInt.self)
        guard let pointer = UnsafeMutableRawPointer(bitPattern: bits) else {
            preconditionFailure("a long key without its block")
        }
        return pointer
    }

    @inline(__always)
    func hasKey(_ other: ByteView) -> Bool {
        let mine = key
        return mine.count == other.count
            && equalBytes(mine.start, other.start, count: other.count)
    }

    // MARK: - Deadline

    @inline(__always)
    var hasDeadline: Bool { flags & Self.deadlineFlag != 0 }

    /// The wall-clock millisecond after which the key is gone; nil when it stays.
    @inline(__always)
    var deadline: Int64? {
        guard hasDeadline else { return nil }
        return block.loadUnaligned(fromByteOffset: valueOffset &+ valueBytes, as: Int64.self)
    }

    /// Writes the deadline behind the value; the block must have room for it (`bytes` grows by 8).
    @inline(__always)
    func storeDeadline(_ deadline: Int64) {
        flags |= Self.deadlineFlag
        block.storeBytes(of: deadline, toByteOffset: valueOffset &+ valueBytes, as: Int64.self)
    }

    func removeDeadline() { flags &= ~Self.deadlineFlag }

    // MARK: - Value

    /// The size of the value area.
    @inline(__always)
    var valueBytes: Int {
        if isString {
            switch stringEncoding {
            case .inline, .inlineRaw:
                return Int(block.loadUnaligned(fromByteOffset: 6, as: UInt16.self))
            case .integer: return 8
            case .heap: return 16
            }
        }
        return 8
    }

    /// The bytes of a string that stands inline.
    @inline(__always)
    var inlineString: ByteView {
        ByteView(
            start: UnsafeRawPointer(block + valueOffset),
            count: Int(block.loadUnaligned(fromByteOffset: 6, as: UInt16.self)))
    }

    @inline(__always)
    var integer: Int64 {
        get { block.loadUnaligned(fromByteOffset: valueOffset, as: Int64.self) }
        nonmutating set {
            block.storeBytes(of: newValue, toByteOffset: valueOffset, as: Int64.self)
        }
    }

    /// The bytes of a string that lies in the heap.
    var heapString: ByteView {
        ByteView(
            start: UnsafeRawPointer(heapBlock),
            count: block.loadUnaligned(fromByteOffset: valueOffset &+ 8, as: Int.self))
    }

    var heapBlock: UnsafeMutableRawPointer {
        let bits = block.loadUnaligned(fromByteOffset: valueOffset, as: UInt.self)
        guard let pointer = UnsafeMutableRawPointer(bitPattern: bits) else {
            preconditionFailure("a heap value without its block")
        }
        return pointer
    }

    func storeHeapString(_ memory: UnsafeMutableRawPointer, count: Int) {
        block.storeBytes(of: UInt(bitPattern: memory), toByteOffset: valueOffset, as: UInt.self)
        block.storeBytes(of: count, toByteOffset: valueOffset &+ 8, as: Int.self)
    }

    /// The word that leads to a collection.
    var payload: UInt64 {
        get { block.loadUnaligned(fromByteOffset: valueOffset, as: UInt64.self) }
        nonmutating set {
            block.storeBytes(of: newValue, toByteOffset: valueOffset, as: UInt64.self)
        }
    }

    /// Bytes of the inline string, to be written in place.
    func writeInline(_ bytes: ByteView) {
        precondition(bytes.count == valueBytes, "an inline value of another length")
        copyBytes(from: bytes.start, to: block + valueOffset, count: bytes.count)
    }

    func writeInline(_ bytes: ByteView, at offset: Int) {
        precondition(
            offset >= 0 && offset &+ bytes.count <= valueBytes, "a write outside the value")
        memcpy(block + (valueOffset &+ offset), bytes.start, bytes.count)
    }

    /// Zeroes the inline string from `offset` to its end.
    func zeroInline(from offset: Int) {
        precondition(offset >= 0 && offset <= valueBytes, "a write outside the value")
        memset(block + (valueOffset &+ offset), 0, valueBytes &- offset)
    }

    // MARK: - Making and changing

    /// Writes the header and key of a new entry into a fresh block.
    @inline(__always)
    func initialize(
        key: ByteView, type: ValueType, encoding: UInt8, inlineLength: Int, access: UInt32
    ) {
        let isLong = key.count > Self.longestInlineKey
        let keyLength = isLong ? 0 : key.count
        let head =
            UInt64(type.rawValue | encoding << 4)
            | UInt64(isLong ? Self.longKeyFlag : 0) << 8
            | UInt64(access & 0xFF_FFFF) << 16
            | UInt64(keyLength) << 40
            | UInt64(UInt16(truncatingIfNeeded: inlineLength)) << 48
        block.storeBytes(of: head.littleEndian, as: UInt64.self)
        if isLong {
            storeLongKey(key)
        } else {
            copyBytes(from: key.start, to: block + Self.headerBytes, count: key.count)
        }
    }

    @inline(never)
    private func storeLongKey(_ key: ByteView) {
        let memory: UnsafeMutableRawPointer = apus_heap_allocate(key.count)
        key.copy(to: memory)
        block.storeBytes(
            of: UInt(bitPattern: memory), toByteOffset: Self.headerBytes, as: UInt.self)
        block.storeBytes(of: key.count, toByteOffset: Self.headerBytes &+ 8, as: Int.self)
    }

    /// Copies header and key area from `other`, whose long key (if any) now belongs to this entry.
    func inheritKey(from other: Entry) {
        memcpy(block, other.block, other.valueOffset)
        flags &= ~Self.deadlineFlag
    }

    /// Sets what the value area holds from now on; its bytes are the caller's next write.
    @inline(__always)
    func setValueKind(type: ValueType, encoding: UInt8, inlineLength: Int) {
        kind = type.rawValue | encoding << 4
        block.storeBytes(
            of: UInt16(truncatingIfNeeded: inlineLength), toByteOffset: 6, as: UInt16.self)
    }

    /// Copies the value area of `other`, of the same kind.
    func copyValue(from other: Entry) {
        memcpy(block + valueOffset, other.block + other.valueOffset, other.valueBytes)
    }

    /// Frees the heap block of a long key.
    func freeLongKey() {
        if hasLongKey { apus_heap_free(longKeyBlock) }
    }

    /// Heap memory behind this entry, beyond its block and collections: long key and heap string.
    var heapBytes: Int {
        var bytes = hasLongKey ? apus_heap_size(longKeyBlock) : 0
        if isString && stringEncoding == .heap { bytes += apus_heap_size(heapBlock) }
        return bytes
    }

    func prefetch() { apus_prefetch(UnsafeRawPointer(block)) }
}
