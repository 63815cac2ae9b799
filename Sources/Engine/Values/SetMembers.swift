import CLinux

/// A member of a large set, in one block of the arena.
///
///     up to 253 bytes:   | length 1 | bytes |
///     up to 4 KiB:       | 254 | length 2 | bytes |
///     longer:            | 255 | address 8 | length 8 |   the bytes lie in the counted heap
///
/// A trivial handle to memory that the set's table owns.
struct MemberBlock: OwnedElement {
    let handle: Arena.Handle
    private let block: UnsafeMutableRawPointer

    private static let mediumMark: UInt8 = 254
    private static let heapMark: UInt8 = 255
    /// Larger blocks waste more by their size class than the hop to the heap costs.
    private static let longestInline = 4096

    @inline(__always)
    init(_ handle: Arena.Handle, _ arena: Arena) {
        self.handle = handle
        block = arena.address(handle)
    }

    /// A block with these bytes; nil when there is no memory.
    @inline(__always)
    static func make(_ bytes: ByteView, _ arena: Arena) -> MemberBlock? {
        guard bytes.count < Int(mediumMark) else { return makeLong(bytes, arena) }
        let handle = arena.allocate(bytes.count &+ 1)
        if handle.isNone { return nil }
        let member = MemberBlock(handle, arena)
        member.block.storeBytes(of: UInt8(truncatingIfNeeded: bytes.count), as: UInt8.self)
        copyBytes(from: bytes.start, to: member.block + 1, count: bytes.count)
        return member
    }

    @inline(never)
    private static func makeLong(_ bytes: ByteView, _ arena: Arena) -> MemberBlock? {
        let isInline = bytes.count <= longestInline
        let handle = arena.allocate(isInline ? bytes.count + 3 : 17)
        if handle.isNone { return nil }
        let member = MemberBlock(handle, arena)
        if isInline {
            member.block.storeBytes(of: mediumMark, as: UInt8.self)
            member.block.storeBytes(of: UInt16(bytes.count), toByteOffset: 1, as: UInt16.self)
            bytes.copy(to: member.block + 3)
            return member
        }
        guard let memory = apus_heap_try_allocate(bytes.count) else {
            arena.free(handle, 17)
            return nil
        }
        bytes.copy(to: memory)
        member.block.storeBytes(of: heapMark, as: UInt8.self)
        member.block.storeBytes(of: UInt(bitPattern: memory), toByteOffset: 1, as: UInt.self)
        member.block.storeBytes(of: bytes.count, toByteOffset: 9, as: Int.self)
        return member
    }

    @inline(__always)
    var bytes: ByteView {
        let head = block.load(as: UInt8.self)
        guard head < Self.mediumMark else { return longBytes }
        return ByteView(start: UnsafeRawPointer(block + 1), count: Int(head))
    }

    private var longBytes: ByteView {
        if block.load(as: UInt8.self) == Self.mediumMark {
            let count = Int(block.loadUnaligned(fromByteOffset: 1, as: UInt16.self))
            return ByteView(start: UnsafeRawPointer(block + 3), count: count)
        }
        let count = block.loadUnaligned(fromByteOffset: 9, as: Int.self)
        return ByteView(start: UnsafeRawPointer(heapBlock), count: count)
    }

    private var heapBlock: UnsafeMutableRawPointer {
        let bits = block.loadUnaligned(fromByteOffset: 1, as: UInt.self)
        guard let pointer = UnsafeMutableRawPointer(bitPattern: bits) else {
            preconditionFailure("a long member without its bytes")
        }
        return pointer
    }

    /// The size asked of the arena.
    private var blockBytes: Int {
        let head = block.load(as: UInt8.self)
        if head < Self.mediumMark { return Int(head) &+ 1 }
        return head == Self.mediumMark ? longBytes.count + 3 : 17
    }

    /// Every byte taken, exactly.
    func memoryBytes(in arena: Arena) -> Int {
        let isHeap = block.load(as: UInt8.self) == Self.heapMark
        return arena.blockBytes(for: blockBytes) + (isHeap ? apus_heap_size(heapBlock) : 0)
    }

    func free(in arena: Arena) {
        if block.load(as: UInt8.self) == Self.heapMark { apus_heap_free(heapBlock) }
        arena.free(handle, blockBytes)
    }
}

/// What a hash table of set members has to know of its entries.
struct MemberPolicy: OwningTablePolicy {
    typealias Key = ByteView
    typealias Element = MemberBlock

    struct Context {
        let arena: Arena
        let hasher: SeededHash
    }

    @inline(__always)
    static func hash(of entry: Arena.Handle, _ context: Context) -> UInt64 {
        context.hasher.hash(MemberBlock(entry, context.arena).bytes)
    }

    @inline(__always)
    static func matches(_ entry: Arena.Handle, _ key: ByteView, _ context: Context) -> Bool {
        MemberBlock(entry, context.arena).bytes == key
    }

    @inline(__always)
    static func prefetch(_ entry: Arena.Handle, _ context: Context) {
        apus_prefetch(context.arena.address(entry))
    }
}

/// A table of set members that owns them.
typealias MemberTable = HashTable<MemberPolicy>
