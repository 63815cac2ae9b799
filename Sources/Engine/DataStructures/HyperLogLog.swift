import CLinux
import Glibc

/// HyperLogLog sketches, byte for byte as Redis keeps them in strings.
///
///     byte 0        4          5          8             16
///     +------------+----------+----------+-------------+-----------------------
///     | "HYLL"     | encoding | 0 0 0    | cardinality | registers
///     +------------+----------+----------+-------------+-----------------------
///                    0 dense               little endian, top bit set: stale
///                    1 sparse
///
/// 16384 registers hold the longest run of zeroes seen in the hashes that fall to them. Dense: six
/// bits each, lowest bits first. Sparse: runs, drawn in docs/internals/hyperloglog.md. Whoever can
/// write strings can write these bytes, so every verb checks what it reads: a sparse sketch is
/// sound when its runs cover the registers exactly. The estimator is Ertl's ("New cardinality
/// estimation algorithms for HyperLogLog sketches", 2017), in the same operations in the same order
/// as Redis, so that the same registers give the same number.
enum HyperLogLog {
    static let registerCount = 16384
    static let headerBytes = 16
    static let denseBytes = headerBytes + registerCount * 6 / 8
    /// No sound sparse sketch is longer: a run covers at least one register and takes two bytes.
    static let longestSparse = headerBytes + registerCount * 2
    /// The largest value a sparse run can hold.
    static let largestSparseValue = 32
    static let largestRegister = 63

    enum Encoding: UInt8 {
        case dense = 0
        case sparse = 1
    }

    // MARK: - The header

    /// The encoding of a string that has the header of a sketch, and the length if it is dense; nil
    /// for any other string.
    static func encoding(of bytes: ByteView) -> Encoding? {
        guard bytes.count >= headerBytes, bytes.prefix(4) == "HYLL",
            let encoding = Encoding(rawValue: bytes[4]),
            encoding == .sparse || bytes.count == denseBytes
        else { return nil }
        return encoding
    }

    /// The cardinality found last, nil when registers have changed since.
    static func cachedCardinality(_ sketch: ByteView) -> UInt64? {
        let value = UInt64(
            littleEndian: sketch.slice(8, 16).start.loadUnaligned(as: UInt64.self))
        return value >> 63 == 0 ? value : nil
    }

    static func storeCardinality(_ value: UInt64, in sketch: UnsafeMutableRawBufferPointer) {
        precondition(sketch.count >= headerBytes, "no sketch")
        sketch.storeBytes(of: value.littleEndian, toByteOffset: 8, as: UInt64.self)
    }

    /// From here on the cached cardinality is stale.
    static func invalidateCardinality(_ sketch: UnsafeMutableRawBufferPointer) {
        sketch[15] |= 0x80
    }

    // MARK: - Elements

    /// The register that an element falls to, and the value it brings.
    static func place(of element: ByteView) -> (register: Int, value: UInt8) {
        let hash = hash(element)
        let rest = hash >> 14 | 1 << 50
        return (
            Int(hash & UInt64(registerCount - 1)), UInt8(rest.trailingZeroBitCount &+ 1)
        )
    }

    /// MurmurHash64A (Appleby) with the seed of Redis.
    static func hash(_ bytes: ByteView) -> UInt64 {
        let factor: UInt64 = 0xc6a4_a793_5bd1_e995
        // The length is a C int there.
        let length = UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: bytes.count)))
        var hash = 0xadc8_3b19 ^ (length &* factor)
        var offset = 0
        while offset &+ 8 <= bytes.count {
            var word = UInt64(
                littleEndian: bytes.start.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            word = word &* factor
            word ^= word >> 47
            hash = (hash ^ (word &* factor)) &* factor
            offset &+= 8
        }
        if offset < bytes.count {
            var shift: UInt64 = 0
            while offset < bytes.count {
                hash ^= UInt64(bytes[offset]) << shift
                shift &+= 8
                offset &+= 1
            }
            hash = hash &* factor
        }
        hash ^= hash >> 47
        hash = hash &* factor
        return hash ^ (hash >> 47)
    }

    // MARK: - Dense registers

    /// The two bytes that hold a dense register, and where it begins in them.
    ///
    /// The last register lies in one byte; the one before is read with it.
    @inline(__always)
    private static func location(_ register: Int) -> (offset: Int, shift: UInt16) {
        precondition(register >= 0 && register < registerCount, "no such register")
        let bit = register &* 6
        let byte = min(bit >> 3, denseBytes - headerBytes - 2)
        return (headerBytes &+ byte, UInt16(bit &- byte &* 8))
    }

    static func denseRegister(_ sketch: ByteView, _ register: Int) -> UInt8 {
        precondition(sketch.count == denseBytes, "not a dense sketch")
        let (offset, shift) = location(register)
        let pair = UInt16(
            littleEndian: sketch.start.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
        return UInt8(pair >> shift & 63)
    }

    /// Raises a dense register; false when it was as high already.
    static func raise(
        _ register: Int, to value: UInt8, in sketch: UnsafeMutableRawBufferPointer
    ) -> Bool {
        precondition(sketch.count == denseBytes, "not a dense sketch")
        let (offset, shift) = location(register)
        let pair = UInt16(
            littleEndian: sketch.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
        guard value > UInt8(pair >> shift & 63) else { return false }
        let changed = pair & ~(63 << shift) | UInt16(value & 63) << shift
        sketch.storeBytes(of: changed.littleEndian, toByteOffset: offset, as: UInt16.self)
        return true
    }

    // MARK: - Sparse runs

    /// A run of registers that have the same value.
    struct Run {
        let value: UInt8
        let count: Int
        /// Bytes of its code: two for a run of more than 64 zeroes.
        let bytes: Int
    }

    /// The run whose code begins at `offset`; nil when the code is cut off.
    @inline(__always)
    static func run(_ sketch: ByteView, at offset: Int) -> Run? {
        guard offset < sketch.count else { return nil }
        let code = sketch[offset]
        if code & 0x80 != 0 {
            return Run(value: code >> 2 & 31 &+ 1, count: Int(code & 3) &+ 1, bytes: 1)
        }
        if code & 0x40 == 0 { return Run(value: 0, count: Int(code) &+ 1, bytes: 1) }
        guard offset &+ 1 < sketch.count else { return nil }
        return Run(value: 0, count: Int(code & 63) << 8 &+ Int(sketch[offset &+ 1]) &+ 1, bytes: 2)
    }

    /// Where the run that covers a register begins, in bytes and registers.
    struct Position {
        var offset = headerBytes
        var first = 0
        /// The offset of the run before; nil at the first.
        var previous: Int?
    }

    /// Finds the run that covers `register`; nil when the sketch ends before.
    static func position(of register: Int, in sketch: ByteView) -> (at: Position, run: Run)? {
        var position = Position()
        while let run = run(sketch, at: position.offset) {
            if register < position.first &+ run.count { return (position, run) }
            position.previous = position.offset
            position.offset &+= run.bytes
            position.first &+= run.count
        }
        return nil
    }

    /// Whether the runs of a sparse sketch cover the registers exactly.
    ///
    /// O(bytes).
    static func isSound(_ sketch: ByteView) -> Bool {
        guard sketch.count <= longestSparse else { return false }
        var covered = 0
        var offset = headerBytes
        while let run = run(sketch, at: offset) {
            covered &+= run.count
            offset &+= run.bytes
            if covered > registerCount { return false }
        }
        return covered == registerCount && offset == sketch.count
    }

    // MARK: - Counting

    /// The estimated cardinality; nil when a sparse sketch is not sound.
    static func cardinality(_ sketch: ByteView, _ encoding: Encoding) -> UInt64? {
        var histogram = RegisterHistogram()
        if encoding == .dense {
            histogram.addDense(sketch)
            return histogram.cardinality
        }
        guard isSound(sketch) else { return nil }
        var offset = headerBytes
        while let run = run(sketch, at: offset) {
            histogram.add(run.value, times: run.count)
            offset &+= run.bytes
        }
        return histogram.cardinality
    }

    /// Eight dense registers, 48 bits, spread over the eight bytes of a word.
    @inline(__always)
    static func spread(_ packed: UInt64) -> UInt64 {
        let halves = packed & 0xFF_FFFF | (packed & 0xFFFF_FF00_0000) << 8
        let quarters = halves & 0x0000_0FFF_0000_0FFF | (halves & 0x00FF_F000_00FF_F000) << 4
        return quarters & 0x003F_003F_003F_003F | (quarters & 0x0FC0_0FC0_0FC0_0FC0) << 2
    }

    /// The inverse of `spread`: eight bytes below 64 packed into 48 bits.
    @inline(__always)
    static func pack(_ bytes: UInt64) -> UInt64 {
        let quarters = bytes & 0x003F_003F_003F_003F | (bytes & 0x3F00_3F00_3F00_3F00) >> 2
        let halves = quarters & 0x0000_0FFF_0000_0FFF | (quarters & 0x0FFF_0000_0FFF_0000) >> 4
        return halves & 0xFF_FFFF | (halves & 0x00FF_FFFF_0000_0000) >> 8
    }

    /// The eight dense registers from `group` times eight on, as bits.
    @inline(__always)
    fileprivate static func packed(_ registers: UnsafeRawPointer, _ group: Int) -> UInt64 {
        let offset = group &* 6
        // The last load would reach beyond the end: it begins two bytes earlier.
        let start = min(offset, denseBytes - headerBytes - 8)
        let word = UInt64(
            littleEndian: registers.loadUnaligned(fromByteOffset: start, as: UInt64.self))
        return word >> UInt64((offset &- start) &* 8)
    }
}

/// How many registers have which value, and the estimate that follows from it.
struct RegisterHistogram {
    private(set) var counts = [Int](repeating: 0, count: HyperLogLog.largestRegister + 1)

    mutating func add(_ value: UInt8, times: Int) { counts[Int(value & 63)] &+= times }

    /// Adds the registers of a dense sketch.
    mutating func addDense(_ sketch: ByteView) {
        precondition(sketch.count == HyperLogLog.denseBytes, "not a dense sketch")
        let registers = sketch.start + HyperLogLog.headerBytes
        addWords { HyperLogLog.spread(HyperLogLog.packed(registers, $0)) }
    }

    /// Adds 16384 registers, eight in a word.
    ///
    /// Four tables take turns, so that equal values one after the other do not wait for each other.
    @inline(__always)
    fileprivate mutating func addWords(_ word: (Int) -> UInt64) {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 256) { tables in
            tables.initialize(repeating: 0)
            guard let table = tables.baseAddress else { return }
            for group in 0..<HyperLogLog.registerCount / 8 {
                var bytes = word(group)
                if bytes == 0 {
                    table[0] &+= 8
                    continue
                }
                for _ in 0..<2 {
                    table[Int(bytes & 63)] &+= 1
                    table[Int(bytes >> 8 & 63) &+ 64] &+= 1
                    table[Int(bytes >> 16 & 63) &+ 128] &+= 1
                    table[Int(bytes >> 24 & 63) &+ 192] &+= 1
                    bytes >>= 32
                }
            }
            for value in 0..<64 {
                counts[value] &+= Int(
                    table[value] &+ table[value &+ 64] &+ table[value &+ 128]
                        &+ table[value &+ 192])
            }
        }
    }

    /// The estimate, rounded; hostile registers give odd numbers, never a trap.
    var cardinality: UInt64 {
        let registers = Double(HyperLogLog.registerCount)
        var sum = registers * Self.tau((registers - Double(counts[51])) / registers)
        for value in stride(from: 50, through: 1, by: -1) {
            sum += Double(counts[value])
            sum *= 0.5
        }
        sum += registers * Self.sigma(Double(counts[0]) / registers)
        let estimate = (0.721347520444481703680 * registers * registers / sum).rounded()
        // Beyond 63 bits C leaves only the top bit.
        return estimate < 0x1p63 ? UInt64(estimate) : 1 << 63
    }

    private static func sigma(_ share: Double) -> Double {
        if share == 1 { return .infinity }
        var (power, factor, sum) = (share, 1.0, share)
        while true {
            power *= power
            let before = sum
            sum += power * factor
            factor += factor
            if before == sum { return sum }
        }
    }

    private static func tau(_ share: Double) -> Double {
        if share == 0 || share == 1 { return 0 }
        var (root, factor, sum) = (share, 1.0, 1 - share)
        while true {
            root = root.squareRoot()
            let before = sum
            factor *= 0.5
            sum -= pow(1 - root, 2) * factor
            if before == sum { return sum / 3 }
        }
    }
}

/// All registers of a union, a byte each.
struct UnionRegisters: ~Copyable {
    private let registers: UnsafeMutableRawPointer
    /// Whether a dense sketch is part of it.
    private(set) var hasDense = false
    private typealias Lane = SIMD4<UInt64>

    init() {
        registers = apus_heap_allocate(HyperLogLog.registerCount)
        memset(registers, 0, HyperLogLog.registerCount)
    }

    deinit { apus_heap_free(registers) }

    subscript(register: Int) -> UInt8 {
        precondition(register >= 0 && register < HyperLogLog.registerCount, "no such register")
        return registers.load(fromByteOffset: register, as: UInt8.self)
    }

    /// Raises every register to that of `sketch`; false when a sparse sketch is not sound.
    mutating func merge(_ sketch: ByteView, _ encoding: HyperLogLog.Encoding) -> Bool {
        if encoding == .dense {
            hasDense = true
            mergeDense(sketch)
            return true
        }
        guard HyperLogLog.isSound(sketch) else { return false }
        var offset = HyperLogLog.headerBytes
        var register = 0
        while let run = HyperLogLog.run(sketch, at: offset) {
            if run.value > 0 {
                for index in register..<register &+ run.count where self[index] < run.value {
                    registers.storeBytes(of: run.value, toByteOffset: index, as: UInt8.self)
                }
            }
            register &+= run.count
            offset &+= run.bytes
        }
        return true
    }

    /// 32 registers at a time; all but the last of them may be loaded with two bytes too many.
    private func mergeDense(_ sketch: ByteView) {
        precondition(sketch.count == HyperLogLog.denseBytes, "not a dense sketch")
        let dense = sketch.start + HyperLogLog.headerBytes
        let last = HyperLogLog.registerCount / 8 - 4
        var group = 0
        while group < last {
            let next = dense + group &* 6
            raise(
                group,
                to: Lane(
                    UInt64(littleEndian: next.loadUnaligned(as: UInt64.self)),
                    UInt64(littleEndian: next.loadUnaligned(fromByteOffset: 6, as: UInt64.self)),
                    UInt64(littleEndian: next.loadUnaligned(fromByteOffset: 12, as: UInt64.self)),
                    UInt64(littleEndian: next.loadUnaligned(fromByteOffset: 18, as: UInt64.self))))
            group &+= 4
        }
        raise(
            last,
            to: Lane(
                HyperLogLog.packed(dense, last), HyperLogLog.packed(dense, last &+ 1),
                HyperLogLog.packed(dense, last &+ 2), HyperLogLog.packed(dense, last &+ 3)))
    }

    /// Raises 32 registers from `group` times eight on to those packed in the vector.
    @inline(__always)
    private func raise(_ group: Int, to packed: Lane) {
        let mine = registers.loadUnaligned(fromByteOffset: group &* 8, as: Lane.self)
        registers.storeBytes(
            of: Self.larger(mine, Self.spread(packed)), toByteOffset: group &* 8, as: Lane.self)
    }

    @inline(__always)
    private static func spread(_ packed: Lane) -> Lane {
        let halves =
            packed & Lane(repeating: 0xFF_FFFF)
            | (packed & Lane(repeating: 0xFFFF_FF00_0000)) &<< 8
        let quarters =
            halves & Lane(repeating: 0x0000_0FFF_0000_0FFF)
            | (halves & Lane(repeating: 0x00FF_F000_00FF_F000)) &<< 4
        return quarters & Lane(repeating: 0x003F_003F_003F_003F)
            | (quarters & Lane(repeating: 0x0FC0_0FC0_0FC0_0FC0)) &<< 2
    }

    /// The larger of each two bytes, all of them below 128.
    @inline(__always)
    private static func larger(_ a: Lane, _ b: Lane) -> Lane {
        let tops = Lane(repeating: 0x8080_8080_8080_8080)
        let isAtLeast = ((a | tops) &- b) & tops
        let mask = isAtLeast | (isAtLeast &- (isAtLeast &>> 7))
        return b ^ ((a ^ b) & mask)
    }

    var cardinality: UInt64 {
        var histogram = RegisterHistogram()
        let words = registers
        histogram.addWords {
            UInt64(littleEndian: words.loadUnaligned(fromByteOffset: $0 &* 8, as: UInt64.self))
        }
        return histogram.cardinality
    }

    /// Writes all registers into a dense sketch.
    func write(to sketch: UnsafeMutableRawBufferPointer) {
        precondition(sketch.count == HyperLogLog.denseBytes, "not a dense sketch")
        for group in 0..<HyperLogLog.registerCount / 8 {
            let bytes = UInt64(
                littleEndian: registers.loadUnaligned(
                    fromByteOffset: group &* 8, as: UInt64.self))
            let packed = HyperLogLog.pack(bytes)
            let offset = HyperLogLog.headerBytes &+ group &* 6
            sketch.storeBytes(
                of: UInt32(truncatingIfNeeded: packed).littleEndian, toByteOffset: offset,
                as: UInt32.self)
            sketch.storeBytes(
                of: UInt16(truncatingIfNeeded: packed >> 32).littleEndian,
                toByteOffset: offset &+ 4, as: UInt16.self)
        }
    }
}
