import CLinux
import Glibc

/// A sketch on its own, to be changed: where sparse registers are raised and become dense.
///
/// Raising a sparse register splits the run that covers it and joins equal neighbours, in the same
/// steps as Redis, so that the same elements leave the same bytes. O(bytes) a register.
struct HyperLogLogSketch: ~Copyable {
    private let memory: UnsafeMutableRawPointer
    private var count: Int
    private(set) var encoding: HyperLogLog.Encoding
    /// A sparse sketch that would grow beyond becomes dense (`hll-sparse-max-bytes`).
    private let longestSparse: Int

    /// Room for the longest sound sketch and the bytes that one raise adds.
    private static let capacity = HyperLogLog.longestSparse + 8

    /// An empty sketch, sparse: the header, and one run of all registers.
    init(longestSparse: Int) {
        memory = apus_heap_allocate(Self.capacity)
        self.longestSparse = longestSparse
        encoding = .sparse
        let empty: StaticString = "HYLL\u{1}\0\0\0\0\0\0\0\0\0\0\0"
        ByteView(empty).copy(to: memory)
        memory.storeBytes(of: 0x7F, toByteOffset: 16, as: UInt8.self)
        memory.storeBytes(of: 0xFF, toByteOffset: 17, as: UInt8.self)
        count = 18
    }

    /// A copy of a sketch whose header has been checked; nil when it is sparse and not sound.
    init?(_ bytes: ByteView, _ encoding: HyperLogLog.Encoding, longestSparse: Int) {
        guard encoding == .dense || HyperLogLog.isSound(bytes) else { return nil }
        memory = apus_heap_allocate(Self.capacity)
        bytes.copy(to: memory)
        count = bytes.count
        self.encoding = encoding
        self.longestSparse = longestSparse
    }

    deinit { apus_heap_free(memory) }

    /// The bytes; valid until the sketch changes.
    var bytes: ByteView { ByteView(start: UnsafeRawPointer(memory), count: count) }

    private var mutableBytes: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: memory, count: count)
    }

    func invalidateCardinality() { HyperLogLog.invalidateCardinality(mutableBytes) }

    // MARK: - Dense

    /// Gives every register its six bits; the cached cardinality stays what it was.
    mutating func becomeDense() {
        guard encoding == .sparse else { return }
        var registers = UnionRegisters()
        let isSound = registers.merge(bytes, .sparse)
        precondition(isSound, "a sketch that was checked is not sound")
        count = HyperLogLog.denseBytes
        encoding = .dense
        memory.storeBytes(of: 0, toByteOffset: 4, as: UInt8.self)
        registers.write(to: mutableBytes)
    }

    /// Takes over a union of which this sketch is a part; the sketch must be dense.
    func assign(_ union: borrowing UnionRegisters) {
        union.write(to: mutableBytes)
    }

    // MARK: - Raising

    /// Raises a register; false when it was as high already.
    mutating func raise(_ register: Int, to value: UInt8) -> Bool {
        if encoding == .dense { return HyperLogLog.raise(register, to: value, in: mutableBytes) }
        guard value <= HyperLogLog.largestSparseValue else {
            return raiseDense(register, to: value)
        }
        guard let (position, run) = HyperLogLog.position(of: register, in: bytes) else {
            preconditionFailure("a sketch that was checked is not sound")
        }
        if run.value >= value { return false }
        // A run of one zero may be coded in two bytes by others, and is split like a longer one.
        if run.count == 1 && run.bytes == 1 {
            setRun(at: position.offset, value, 1)
        } else if !split(run, at: position, register, value) {
            return raiseDense(register, to: value)
        }
        joinRuns(from: position.previous ?? HyperLogLog.headerBytes)
        invalidateCardinality()
        return true
    }

    private mutating func raiseDense(_ register: Int, to value: UInt8) -> Bool {
        becomeDense()
        return HyperLogLog.raise(register, to: value, in: mutableBytes)
    }

    private func setRun(at offset: Int, _ value: UInt8, _ length: Int) {
        let code = 0x80 | (value &- 1) << 2 | UInt8(length &- 1)
        memory.storeBytes(of: code, toByteOffset: offset, as: UInt8.self)
    }

    /// Splits a run into what lies before the register, itself, and what lies behind; false when the
    /// sketch would become too long.
    private mutating func split(
        _ run: HyperLogLog.Run, at position: HyperLogLog.Position, _ register: Int, _ value: UInt8
    ) -> Bool {
        let before = register &- position.first
        let after = position.first &+ run.count &- register &- 1
        let length = Self.codeBytes(run.value, before) &+ 1 &+ Self.codeBytes(run.value, after)
        let growth = length &- run.bytes
        if growth > 0 && count &+ growth > longestSparse { return false }
        let rest = position.offset &+ run.bytes
        if growth != 0 { memmove(memory + (rest &+ growth), memory + rest, count &- rest) }
        count &+= growth
        var offset = position.offset
        writeRun(&offset, run.value, before)
        setRun(at: offset, value, 1)
        offset &+= 1
        writeRun(&offset, run.value, after)
        return true
    }

    private static func codeBytes(_ value: UInt8, _ length: Int) -> Int {
        if length == 0 { return 0 }
        return value == 0 && length > 64 ? 2 : 1
    }

    private func writeRun(_ offset: inout Int, _ value: UInt8, _ length: Int) {
        guard length > 0 else { return }
        if value > 0 {
            setRun(at: offset, value, length)
        } else if length <= 64 {
            memory.storeBytes(of: UInt8(length &- 1), toByteOffset: offset, as: UInt8.self)
        } else {
            let number = length &- 1
            memory.storeBytes(of: UInt8(number >> 8) | 0x40, toByteOffset: offset, as: UInt8.self)
            memory.storeBytes(
                of: UInt8(truncatingIfNeeded: number), toByteOffset: offset &+ 1, as: UInt8.self)
            offset &+= 1
        }
        offset &+= 1
    }

    /// Joins neighbours of the same value, looking at five runs.
    private mutating func joinRuns(from start: Int) {
        var offset = start
        var left = 5
        while left > 0, let run = HyperLogLog.run(bytes, at: offset) {
            left &-= 1
            if run.value > 0, let next = HyperLogLog.run(bytes, at: offset &+ 1),
                next.value == run.value, run.count &+ next.count <= 4
            {
                setRun(at: offset, run.value, run.count &+ next.count)
                memmove(
                    memory + (offset &+ 1), memory + (offset &+ 2), count &- offset &- 2)
                count &-= 1
                continue
            }
            offset &+= run.bytes
        }
    }
}
