import Glibc

/// Records with a name, ordered by it: a sorted array of handles.
///
/// Promises: found by name in O(log n) compares, walked in order of name, changed in O(n) short
/// moves; four bytes each beside the record. For the groups of a stream and the consumers of a
/// group, which are few and stay long.
///
///     block:  | count 4 | - 4 | handle 4 each |
///     record: | name's block 8 | name's length 8 | what the owner keeps … |
///
/// A value whose `word` the owner keeps anew after each change; 0 is the empty one. Records and
/// names are allocated and freed here, what else they hold is the owner's.
struct NamedRecords {
    typealias Handle = Arena.Handle

    /// What stands before the owner's part of a record.
    static var headBytes: Int { 16 }
    private static var headerBytes: Int { 8 }

    private var block: Block
    private let arena: Arena
    /// The size of a record, head included.
    private let recordBytes: Int

    @inline(__always)
    init(word: UInt64, recordBytes: Int, in arena: Arena) {
        block = Block(word: word)
        self.recordBytes = recordBytes
        self.arena = arena
    }

    @inline(__always)
    var word: UInt64 { block.word }

    @inline(__always)
    var count: Int {
        block.isNone ? 0 : Int(block.address(in: arena).load(as: UInt32.self))
    }

    private var handles: UnsafeMutablePointer<UInt32> {
        (block.address(in: arena) + Self.headerBytes).assumingMemoryBound(to: UInt32.self)
    }

    /// Record `index` in order of name.
    subscript(index: Int) -> Handle {
        precondition(index >= 0 && index < count, "no such record")
        return Handle(raw: handles[index])
    }

    /// The name of a record.
    @inline(__always)
    static func name(of record: Handle, in arena: Arena) -> ByteView {
        let start = arena.address(record)
        let name = Block(word: start.load(as: UInt64.self))
        let length = start.load(fromByteOffset: 8, as: Int.self)
        return ByteView(start: UnsafeRawPointer(name.address(in: arena)), count: length)
    }

    /// Where the owner's part begins.
    @inline(__always)
    static func content(of record: Handle, in arena: Arena) -> UnsafeMutableRawPointer {
        arena.address(record) + headBytes
    }

    // MARK: - Finding

    @inline(__always)
    func find(_ name: ByteView) -> Handle? {
        let (index, isFound) = place(of: name)
        return isFound ? self[index] : nil
    }

    private func place(of name: ByteView) -> (index: Int, isFound: Bool) {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            let order = Self.name(of: self[middle], in: arena).compare(name)
            if order == 0 { return (middle, true) }
            if order < 0 { low = middle + 1 } else { high = middle }
        }
        return (low, false)
    }

    // MARK: - Changing

    /// A new record of this name, which must not be there; the owner's part is zero.
    mutating func insert(_ name: ByteView) -> Handle {
        let (index, isFound) = place(of: name)
        precondition(!isFound, "a name twice")
        makeRoom()
        let record = arena.allocateEssential(recordBytes)
        let start = arena.address(record)
        memset(start, 0, recordBytes)
        let text = Block.allocate(max(name.count, 1), in: arena)
        name.copy(to: text.address(in: arena))
        start.storeBytes(of: text.word, as: UInt64.self)
        start.storeBytes(of: name.count, toByteOffset: 8, as: Int.self)
        let count = count
        let handles = handles
        memmove(handles + index + 1, handles + index, (count - index) * 4)
        handles[index] = record.raw
        setCount(count + 1)
        return record
    }

    /// Takes the record of this name out and frees it; what the owner's part leads to must be gone.
    mutating func remove(_ name: ByteView) {
        let (index, isFound) = place(of: name)
        guard isFound else { return }
        free(self[index])
        let count = count - 1
        let handles = handles
        memmove(handles + index, handles + index + 1, (count - index) * 4)
        setCount(count)
        if count == 0 { drop() }
    }

    /// Takes the last record out and frees it, as `remove` does.
    mutating func removeLast() {
        let count = count - 1
        free(self[count])
        setCount(count)
        if count == 0 { drop() }
    }

    private mutating func drop() {
        block.free(in: arena)
        block = .none
    }

    private func free(_ record: Handle) {
        Block(word: arena.address(record).load(as: UInt64.self)).free(in: arena)
        arena.free(record, recordBytes)
    }

    private func setCount(_ count: Int) {
        block.address(in: arena).storeBytes(of: UInt32(truncatingIfNeeded: count), as: UInt32.self)
    }

    private mutating func makeRoom() {
        if block.isNone {
            block = Block.allocate(Self.headerBytes + 4 * 2, in: arena)
            setCount(0)
        }
        let wanted = Self.headerBytes + 4 * (count + 1)
        if wanted > block.bytes { block = block.resized(to: wanted + wanted / 2, in: arena) }
    }

    // MARK: - Figures

    /// Every byte of the array, the records and their names.
    var memoryBytes: Int {
        var bytes = block.bytes
        for index in 0..<count {
            bytes += arena.blockBytes(for: recordBytes)
            bytes += Block(word: arena.address(self[index]).load(as: UInt64.self)).bytes
        }
        return bytes
    }
}
