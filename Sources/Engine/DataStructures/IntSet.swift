import Glibc

/// A sorted set of integers, byte for byte as Redis keeps one and an RDB file carries it.
///
/// Promises: `contains` is O(log n), `insert` and `remove` O(n) by one move of memory; every integer
/// takes as few bytes as the largest of all needs. `docs/internals/intset.md` draws it.
///
///     | width 4: 2, 4 or 8 | count 4 | count integers of that width, ascending |   little-endian
///
/// Must stay true: strictly ascending; the width never shrinks. A handle over a block that the
/// caller owns: after a change, `block.word` is what names it.
struct IntSet {
    private(set) var block: Block
    private let arena: Arena

    private static let headerBytes = 8

    /// The set whose block was kept.
    init(_ block: Block, _ arena: Arena) {
        self.block = block
        self.arena = arena
    }

    /// An empty set.
    init(_ arena: Arena) {
        self.init(Block.allocate(Self.headerBytes, in: arena), arena)
        setHeader(width: 2, count: 0)
    }

    /// A set with these bytes; nil when they are none.
    init?(validating bytes: ByteView, _ arena: Arena) {
        guard Self.isValid(bytes) else { return nil }
        self.init(copying: bytes, arena)
    }

    private init(copying bytes: ByteView, _ arena: Arena) {
        self.init(Block.allocate(bytes.count, in: arena), arena)
        bytes.copy(to: start)
    }

    /// The same integers in a block of their own.
    func copied() -> IntSet { IntSet(copying: bytes, arena) }

    @inline(__always)
    private var start: UnsafeMutableRawPointer { block.address(in: arena) }

    /// The bytes as a file carries them.
    var bytes: ByteView {
        ByteView(start: UnsafeRawPointer(start), count: Self.headerBytes + count * width)
    }

    @inline(__always)
    var count: Int {
        Int(start.load(fromByteOffset: 4, as: UInt32.self))
    }

    /// Bytes an integer.
    @inline(__always)
    var width: Int { Int(start.load(as: UInt32.self)) }

    private func setHeader(width: Int, count: Int) {
        start.storeBytes(of: UInt32(width), as: UInt32.self)
        start.storeBytes(of: UInt32(count), toByteOffset: 4, as: UInt32.self)
    }

    private static func width(of value: Int64) -> Int {
        if value == Int64(Int16(truncatingIfNeeded: value)) { return 2 }
        return value == Int64(Int32(truncatingIfNeeded: value)) ? 4 : 8
    }

    /// The integer at `index`, counted in ascending order.
    subscript(index: Int) -> Int64 {
        precondition(index >= 0 && index < count, "an index outside the set")
        return value(at: index, width: width)
    }

    @inline(__always)
    private func value(at index: Int, width: Int) -> Int64 {
        let offset = Self.headerBytes &+ index &* width
        switch width {
        case 2: return Int64(start.loadUnaligned(fromByteOffset: offset, as: Int16.self))
        case 4: return Int64(start.loadUnaligned(fromByteOffset: offset, as: Int32.self))
        default: return start.loadUnaligned(fromByteOffset: offset, as: Int64.self)
        }
    }

    private func store(_ value: Int64, at index: Int, width: Int) {
        let offset = Self.headerBytes &+ index &* width
        switch width {
        case 2:
            start.storeBytes(
                of: Int16(truncatingIfNeeded: value), toByteOffset: offset, as: Int16.self)
        case 4:
            start.storeBytes(
                of: Int32(truncatingIfNeeded: value), toByteOffset: offset, as: Int32.self)
        default: start.storeBytes(of: value, toByteOffset: offset, as: Int64.self)
        }
    }

    // MARK: - Lookup

    func contains(_ value: Int64) -> Bool { search(value).isFound }

    /// Where `value` is, or would be inserted; O(log n).
    private func search(_ value: Int64) -> (index: Int, isFound: Bool) {
        let width = self.width
        var (low, high) = (0, count)
        while low < high {
            let middle = (low &+ high) >> 1
            let found = self.value(at: middle, width: width)
            if found == value { return (middle, true) }
            if found < value { low = middle &+ 1 } else { high = middle }
        }
        return (low, false)
    }

    // MARK: - Change

    /// Inserts `value` in its place; false if it is there already; O(n).
    mutating func insert(_ value: Int64) -> Bool {
        let (index, isFound) = search(value)
        if isFound { return false }
        if Self.width(of: value) > width {
            widen(for: value)
            return true
        }
        let (width, count) = (self.width, self.count)
        block = block.resized(to: Self.headerBytes + (count + 1) * width, in: arena)
        let place = start + (Self.headerBytes + index * width)
        memmove(place + width, place, (count - index) * width)
        setHeader(width: width, count: count + 1)
        store(value, at: index, width: width)
        return true
    }

    /// Rewrites all integers in the width that `value` needs; it is beyond one of the ends.
    private mutating func widen(for value: Int64) {
        let (oldWidth, count, newWidth) = (width, self.count, Self.width(of: value))
        block = block.resized(to: Self.headerBytes + (count + 1) * newWidth, in: arena)
        let shift = value < 0 ? 1 : 0
        for index in stride(from: count - 1, through: 0, by: -1) {
            store(self.value(at: index, width: oldWidth), at: index + shift, width: newWidth)
        }
        setHeader(width: newWidth, count: count + 1)
        store(value, at: value < 0 ? 0 : count, width: newWidth)
    }

    /// Takes `value` out; false if it is not there.
    mutating func remove(_ value: Int64) -> Bool {
        let (index, isFound) = search(value)
        if isFound { remove(at: index) }
        return isFound
    }

    mutating func remove(at index: Int) {
        let (width, count) = (self.width, self.count)
        precondition(index >= 0 && index < count, "an index outside the set")
        let place = start + (Self.headerBytes + index * width)
        memmove(place, place + width, (count - index - 1) * width)
        setHeader(width: width, count: count - 1)
        block = block.resized(to: Self.headerBytes + (count - 1) * width, in: arena)
    }

    // MARK: - Bytes from outside

    /// Whether `bytes` are an intset: a known width, the length it promises, strictly ascending.
    ///
    /// An empty one is refused, as no key can have it. O(n).
    static func isValid(_ bytes: ByteView) -> Bool {
        guard bytes.count > headerBytes else { return false }
        let width = Int(bytes.start.loadUnaligned(as: UInt32.self))
        let count = Int(bytes.start.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        guard width == 2 || width == 4 || width == 8, count > 0,
            bytes.count == headerBytes + count * width
        else { return false }
        var previous = Int64.min
        for index in 0..<count {
            let at = headerBytes + index * width
            let value: Int64 =
                switch width {
                case 2: Int64(bytes.start.loadUnaligned(fromByteOffset: at, as: Int16.self))
                case 4: Int64(bytes.start.loadUnaligned(fromByteOffset: at, as: Int32.self))
                default: bytes.start.loadUnaligned(fromByteOffset: at, as: Int64.self)
                }
            if index > 0 && value <= previous { return false }
            previous = value
        }
        return true
    }

    /// Stops the process where a promise in the header does not hold; O(n), for tests.
    func checkInvariants() {
        precondition(count == 0 || Self.isValid(bytes), "the bytes are a valid intset")
        precondition(block.bytes >= bytes.count, "the block holds all integers")
    }
}
