import CLinux

/// A member of a large sorted set with its score, in one block of the arena, which every index of
/// the set names by the same 32-bit handle.
///
///     byte 0       8        9
///     +-------+--------+---------------------+
///     | score | length | member              |  length 0 to 253
///     | score | 254    | length 4 | member   |  up to the largest block of the arena
///     | score | 255    | address 8 | length 8|  beyond: the bytes lie in the heap
///     +-------+--------+---------------------+
///
/// A 20-byte member takes 32 bytes. A trivial handle to memory that its set owns: dead as soon as
/// the member is freed. Fields are read unaligned.
struct ScoredMember: OwnedElement {
    let handle: Arena.Handle
    private let block: UnsafeMutableRawPointer

    private static let shortHead = 9
    private static let mediumHead = 13
    private static let longBytes = 25
    private static let mediumMark: UInt8 = 254
    private static let longMark: UInt8 = 255

    @inline(__always)
    init(_ handle: Arena.Handle, _ arena: Arena) {
        self.handle = handle
        block = arena.address(handle)
    }

    /// The same for who reads many in a row.
    @inline(__always)
    init(_ handle: Arena.Handle, _ map: Arena.AddressMap) {
        self.handle = handle
        block = map.address(handle)
    }

    /// A new block for `member`; nil when there is no memory for it.
    static func make(_ member: ByteView, score: Double, in arena: Arena) -> ScoredMember? {
        let head = member.count < Int(mediumMark) ? shortHead : mediumHead
        let isLong = head + member.count > Arena.largestBlock
        let handle = arena.allocate(isLong ? longBytes : head + member.count)
        if handle.isNone { return nil }
        let new = ScoredMember(handle, arena)
        if isLong {
            guard new.storeLong(member) else {
                arena.free(handle, longBytes)
                return nil
            }
        } else {
            new.store(member, head)
        }
        new.score = score
        return new
    }

    /// Gives the block back.
    func free(in arena: Arena) {
        let bytes = blockBytes
        if mark == Self.longMark { apus_heap_free(longBlock) }
        arena.free(handle, bytes)
    }

    // MARK: - Content

    /// The score as it was given: minus zero keeps its sign.
    @inline(__always)
    var score: Double {
        get { Double(bitPattern: block.loadUnaligned(as: UInt64.self)) }
        nonmutating set { block.storeBytes(of: newValue.bitPattern, as: UInt64.self) }
    }

    /// The score as a number that sorts like it.
    @inline(__always)
    var orderedScore: UInt64 { ScoredMember.ordered(score) }

    @inline(__always)
    var member: ByteView {
        if mark < Self.mediumMark {
            return ByteView(start: UnsafeRawPointer(block + Self.shortHead), count: Int(mark))
        }
        return longMember
    }

    /// Maps scores to integers so that both sort alike; both zeroes map to one.
    @inline(__always)
    static func ordered(_ score: Double) -> UInt64 {
        let bits = score == 0 ? 0 : score.bitPattern
        return bits >> 63 == 0 ? bits | 1 << 63 : ~bits
    }

    // MARK: - Memory

    /// The bytes of the block and of what it leads to, exactly.
    func memoryBytes(in arena: Arena) -> Int {
        let outside = mark == Self.longMark ? apus_heap_size(longBlock) : 0
        return arena.blockBytes(for: blockBytes) + outside
    }

    private var blockBytes: Int {
        switch mark {
        case Self.longMark: Self.longBytes
        case Self.mediumMark: Self.mediumHead + longMember.count
        default: Self.shortHead + Int(mark)
        }
    }

    @inline(__always)
    private var mark: UInt8 { block.load(fromByteOffset: 8, as: UInt8.self) }

    private func store(_ member: ByteView, _ head: Int) {
        if head == Self.shortHead {
            block.storeBytes(
                of: UInt8(truncatingIfNeeded: member.count), toByteOffset: 8, as: UInt8.self)
        } else {
            block.storeBytes(of: Self.mediumMark, toByteOffset: 8, as: UInt8.self)
            block.storeBytes(
                of: UInt32(truncatingIfNeeded: member.count), toByteOffset: 9, as: UInt32.self)
        }
        copyBytes(from: member.start, to: block + head, count: member.count)
    }

    private func storeLong(_ member: ByteView) -> Bool {
        guard let memory = apus_heap_try_allocate(member.count) else { return false }
        member.copy(to: memory)
        block.storeBytes(of: Self.longMark, toByteOffset: 8, as: UInt8.self)
        block.storeBytes(of: UInt(bitPattern: memory), toByteOffset: 9, as: UInt.self)
        block.storeBytes(of: member.count, toByteOffset: 17, as: Int.self)
        return true
    }

    private var longMember: ByteView {
        if mark == Self.mediumMark {
            let length = block.loadUnaligned(fromByteOffset: 9, as: UInt32.self)
            return ByteView(start: UnsafeRawPointer(block + Self.mediumHead), count: Int(length))
        }
        return ByteView(
            start: UnsafeRawPointer(longBlock),
            count: block.loadUnaligned(fromByteOffset: 17, as: Int.self))
    }

    private var longBlock: UnsafeMutableRawPointer {
        let bits = block.loadUnaligned(fromByteOffset: 9, as: UInt.self)
        guard let pointer = UnsafeMutableRawPointer(bitPattern: bits) else {
            preconditionFailure("a long member without its block")
        }
        return pointer
    }

    func prefetch() { apus_prefetch(UnsafeRawPointer(block)) }
}
