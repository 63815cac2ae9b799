import CLinux
import Glibc

/// A piece of memory in one word: a block of the arena up to `Arena.largestBlock` bytes, of the
/// counted heap above.
///
/// Promises: `allocate`, `resized` and `free` keep every figure exact; where the arena's range is
/// used up the heap takes over, so that an allocation never fails (the heap ends the process where
/// the machine has no memory at all). A heap block that grows moves by page tables and is not
/// copied. Costs: the arena's rounding, nothing else.
///
///     arena: | handle 32 | 0 .. | size in steps of 8 bytes, 11 bits << 4 | 0001 |
///     heap:  | address, its low four bits zero                                  |
///     none:  | 0                                                                |
///
/// A trivial handle: whoever holds the word owns the memory, once. The content is not zeroed.
struct Block: Equatable, Sendable {
    /// What an entry's value area keeps.
    let word: UInt64

    init(word: UInt64) { self.word = word }

    /// No memory.
    static var none: Block { Block(word: 0) }
    var isNone: Bool { word == 0 }

    @inline(__always)
    private var isInArena: Bool { word & 1 != 0 }

    private init(_ handle: Arena.Handle, bytes: Int) {
        word = UInt64(handle.raw) << 32 | UInt64(bytes >> 3) << 4 | 1
    }

    private init(heap: UnsafeMutableRawPointer) {
        word = UInt64(UInt(bitPattern: heap))
    }

    @inline(__always)
    private var handle: Arena.Handle {
        Arena.Handle(raw: UInt32(truncatingIfNeeded: word >> 32))
    }

    @inline(__always)
    private var arenaBytes: Int { Int(truncatingIfNeeded: word & 0xFFFF_FFF0) >> 1 }

    private var heapAddress: UnsafeMutableRawPointer {
        guard let address = UnsafeMutableRawPointer(bitPattern: UInt(word)) else {
            preconditionFailure("no block has no address")
        }
        return address
    }

    // MARK: - Allocating

    /// A block of at least `bytes` bytes, more than none.
    static func allocate(_ bytes: Int, in arena: Arena) -> Block {
        precondition(bytes > 0, "a block holds at least a byte")
        if bytes <= Arena.largestBlock {
            let handle = arena.allocate(bytes)
            if !handle.isNone { return Block(handle, bytes: arena.blockBytes(for: bytes)) }
        }
        return Block(heap: apus_heap_allocate(bytes))
    }

    func free(in arena: Arena) {
        if isInArena {
            arena.free(handle, arenaBytes)
        } else if word != 0 {
            apus_heap_free(heapAddress)
        }
    }

    /// A block of at least `bytes` bytes with the same content, as far as it reaches; this one is
    /// gone.
    ///
    /// The same block where it has that size already.
    func resized(to bytes: Int, in arena: Arena) -> Block {
        precondition(bytes > 0, "a block holds at least a byte")
        if isInArena {
            if bytes <= Arena.largestBlock && arena.blockBytes(for: bytes) == arenaBytes {
                return self
            }
        } else if bytes > Arena.largestBlock {
            return Block(heap: apus_heap_reallocate(heapAddress, bytes))
        }
        let moved = Block.allocate(bytes, in: arena)
        memcpy(
            moved.address(in: arena), address(in: arena),
            min(self.bytes, min(moved.bytes, bytes)))
        free(in: arena)
        return moved
    }

    // MARK: - Using

    /// Where the block lies; valid until it is resized or freed.
    @inline(__always)
    func address(in arena: Arena) -> UnsafeMutableRawPointer {
        isInArena ? arena.address(handle) : heapAddress
    }

    /// The bytes really taken, at least what was asked for, and all of them usable.
    @inline(__always)
    var bytes: Int {
        if isInArena { return arenaBytes }
        return word == 0 ? 0 : Int(apus_heap_size(heapAddress))
    }

    /// Asks for the first lines of the block, before it is walked.
    func prefetch(in arena: Arena, lines: Int = 2) {
        if isNone { return }
        let start = address(in: arena)
        let end = min(bytes, lines &* 64)
        var offset = 0
        while offset < end {
            apus_prefetch(start + offset)
            offset &+= 64
        }
    }

    /// The heap memory of a block that lies there, for who frees it on another thread; nil of others.
    var heapMemory: UnsafeMutableRawPointer? { isInArena || word == 0 ? nil : heapAddress }
}
