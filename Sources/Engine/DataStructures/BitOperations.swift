import Glibc

/// Strings as rows of bits: counting, searching, combining, and integers of any width inside.
///
/// Bit 0 is the highest bit of the first byte. Everything long goes 32 bytes at a time, in vectors
/// of four words; what is left at the end goes through a vector filled up with zeroes. A string
/// longer than another is as if the other were followed by zeroes.
enum BitOperations {
    private typealias Lane = SIMD4<UInt64>
    private static let laneBytes = 32

    /// The vector at `offset`; the caller has checked that it lies inside.
    @inline(__always)
    private static func lane(_ start: UnsafeRawPointer, _ offset: Int) -> Lane {
        start.loadUnaligned(fromByteOffset: offset, as: Lane.self)
    }

    /// The last bytes of a string, fewer than a vector, followed by zeroes.
    @inline(__always)
    private static func tail(_ start: UnsafeRawPointer, _ offset: Int, _ count: Int) -> Lane {
        var lane = Lane()
        withUnsafeMutableBytes(of: &lane) { bytes in
            guard let target = bytes.baseAddress, count > 0 else { return }
            memcpy(target, start + offset, min(count, laneBytes))
        }
        return lane
    }

    // MARK: - Counting

    /// How many bits are set.
    ///
    /// Eight vectors are added up by half adders before bits are counted (Harley and Seal, in
    /// Warren's "Hacker's Delight", 5-2).
    static func count(_ bytes: ByteView) -> Int {
        let start = bytes.start
        var (ones, twos, fours) = (Lane(), Lane(), Lane())
        var eights = Lane()
        var position = 0
        while bytes.count &- position >= 8 &* laneBytes {
            let (a, b) = (add(&ones, start, position), add(&ones, start, position &+ 64))
            let c = add(&twos, a, b)
            let (d, e) = (add(&ones, start, position &+ 128), add(&ones, start, position &+ 192))
            let f = add(&twos, d, e)
            eights &+= counts(add(&fours, c, f))
            position &+= 8 &* laneBytes
        }
        var total = sum(eights) &* 8 &+ sum(counts(fours)) &* 4
        total &+= sum(counts(twos)) &* 2 &+ sum(counts(ones))
        var rest = Lane()
        while position < bytes.count {
            let left = bytes.count &- position
            let next = left >= laneBytes ? lane(start, position) : tail(start, position, left)
            rest &+= counts(next)
            position &+= laneBytes
        }
        return Int(total &+ sum(rest))
    }

    /// Adds two vectors to the bits of `sum`; the bits carried.
    @inline(__always)
    private static func add(_ sum: inout Lane, _ a: Lane, _ b: Lane) -> Lane {
        let partial = sum ^ a
        let carry = (sum & a) | (partial & b)
        sum = partial ^ b
        return carry
    }

    @inline(__always)
    private static func add(
        _ sum: inout Lane, _ start: UnsafeRawPointer, _ position: Int
    ) -> Lane {
        add(&sum, lane(start, position), lane(start, position &+ laneBytes))
    }

    /// The number of bits set in each word.
    @inline(__always)
    private static func counts(_ lane: Lane) -> Lane {
        let pairs = lane &- ((lane &>> 1) & Lane(repeating: 0x5555_5555_5555_5555))
        let low = Lane(repeating: 0x3333_3333_3333_3333)
        let nibbles = (pairs & low) &+ ((pairs &>> 2) & low)
        let bytes = (nibbles &+ (nibbles &>> 4)) & Lane(repeating: 0x0F0F_0F0F_0F0F_0F0F)
        let halves = bytes &+ (bytes &>> 8)
        let quarters = halves &+ (halves &>> 16)
        return (quarters &+ (quarters &>> 32)) & Lane(repeating: 0xFF)
    }

    @inline(__always)
    private static func sum(_ lane: Lane) -> UInt64 {
        lane[0] &+ lane[1] &+ lane[2] &+ lane[3]
    }

    /// How many of the bits `lower` to `upper`, both counted in, are set; they must lie inside.
    static func count(_ bytes: ByteView, from lower: Int, through upper: Int) -> Int {
        precondition(lower >= 0 && lower <= upper && upper >> 3 < bytes.count, "bits outside")
        let whole = bytes.slice(lower >> 3, upper >> 3 &+ 1)
        let before = bytes[lower >> 3] & ~(0xFF >> UInt8(lower & 7))
        let after = bytes[upper >> 3] & ~(0xFF << UInt8(7 &- upper & 7))
        return count(whole) &- before.nonzeroBitCount &- after.nonzeroBitCount
    }

    // MARK: - Searching

    /// The first bit that is `value`; nil when there is none.
    static func firstIndex(of value: Bool, in bytes: ByteView) -> Int? {
        let start = bytes.start
        let skipped: UInt64 = value ? 0 : ~0
        let skippedLane = Lane(repeating: skipped)
        var position = 0
        while bytes.count &- position >= laneBytes, lane(start, position) == skippedLane {
            position &+= laneBytes
        }
        while bytes.count &- position >= 8 {
            let word = start.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            if word != skipped {
                return position &* 8 &+ (word ^ skipped).bigEndian.leadingZeroBitCount
            }
            position &+= 8
        }
        while position < bytes.count {
            let difference = bytes[position] ^ UInt8(truncatingIfNeeded: skipped)
            if difference != 0 { return position &* 8 &+ difference.leadingZeroBitCount }
            position &+= 1
        }
        return nil
    }

    /// The first of the bits `lower` to `upper`, both counted in, that is `value`.
    ///
    /// Nil when there is none. They must lie inside.
    static func firstIndex(
        of value: Bool, in bytes: ByteView, from lower: Int, through upper: Int
    ) -> Int? {
        precondition(lower >= 0 && lower <= upper && upper >> 3 < bytes.count, "bits outside")
        let first = lower >> 3
        let flip: UInt8 = value ? 0 : 0xFF
        let inFirst = (bytes[first] ^ flip) & (0xFF >> UInt8(lower & 7))
        if inFirst != 0 {
            let found = first &* 8 &+ inFirst.leadingZeroBitCount
            return found <= upper ? found : nil
        }
        guard let rest = firstIndex(of: value, in: bytes.slice(first &+ 1, upper >> 3 &+ 1))
        else { return nil }
        let found = (first &+ 1) &* 8 &+ rest
        return found <= upper ? found : nil
    }

    // MARK: - Combining

    enum Combination {
        case and, or, xor, not
        /// Set in the first and in none of the others.
        case difference
        /// Set in one of the others and not in the first.
        case reverseDifference
        /// Set in the first and in one of the others.
        case andAny
        /// Set in exactly one.
        case one
    }

    /// A piece that stays in the first cache while all sources pass over it.
    private static let pieceBytes = 8192

    /// Writes the combination of `sources` into `target`.
    ///
    /// The target is none of them and has room for `count` bytes, the length of the longest.
    /// O(all bytes).
    static func combine(
        _ combination: Combination, _ sources: ContiguousArray<ByteView>,
        into target: UnsafeMutableRawPointer, count: Int
    ) {
        precondition(!sources.isEmpty, "nothing to combine")
        var position = 0
        while position < count {
            let length = min(pieceBytes, count &- position)
            let piece = UnsafeMutableRawBufferPointer(start: target + position, count: length)
            combine(combination, sources, piece, at: position)
            position &+= length
        }
    }

    private static func combine(
        _ combination: Combination, _ sources: ContiguousArray<ByteView>,
        _ piece: UnsafeMutableRawBufferPointer, at position: Int
    ) {
        switch combination {
        case .and:
            copy(sources[0], piece, position)
            for source in sources.dropFirst() { apply(source, piece, position) { $0 & $1 } }
        case .or:
            copy(sources[0], piece, position)
            for source in sources.dropFirst() { apply(source, piece, position) { $0 | $1 } }
        case .xor:
            copy(sources[0], piece, position)
            for source in sources.dropFirst() { apply(source, piece, position) { $0 ^ $1 } }
        case .not:
            apply(sources[0], piece, position) { ~$1 }
        case .difference:
            copy(sources[0], piece, position)
            for source in sources.dropFirst() { apply(source, piece, position) { $0 & ~$1 } }
        case .reverseDifference, .andAny:
            copy(sources[1], piece, position)
            for source in sources.dropFirst(2) { apply(source, piece, position) { $0 | $1 } }
            if combination == .andAny {
                apply(sources[0], piece, position) { $0 & $1 }
            } else {
                apply(sources[0], piece, position) { $0 & ~$1 }
            }
        case .one:
            combineOne(sources, piece, at: position)
        }
    }

    /// Keeps, beside the bits seen once, those seen more often.
    private static func combineOne(
        _ sources: ContiguousArray<ByteView>, _ piece: UnsafeMutableRawBufferPointer,
        at position: Int
    ) {
        withUnsafeTemporaryAllocation(byteCount: pieceBytes, alignment: 32) { repeated in
            let often = UnsafeMutableRawBufferPointer(rebasing: repeated[..<piece.count])
            often.initializeMemory(as: UInt8.self, repeating: 0)
            copy(sources[0], piece, position)
            for source in sources.dropFirst() {
                // A bit is seen again where it was seen and is there now.
                let seen = ByteView(UnsafeRawBufferPointer(piece))
                accumulateRepeated(seen, source, often, position)
                apply(source, piece, position) { $0 | $1 }
            }
            apply(ByteView(UnsafeRawBufferPointer(often)), piece, 0) { $0 & ~$1 }
        }
    }

    private static func accumulateRepeated(
        _ seen: ByteView, _ source: ByteView, _ often: UnsafeMutableRawBufferPointer,
        _ position: Int
    ) {
        guard let target = often.baseAddress else { return }
        let before = ByteView(UnsafeRawBufferPointer(often))
        var offset = 0
        while offset < often.count {
            let again = padded(seen, offset) & padded(source, position &+ offset)
            store(padded(before, offset) | again, target, offset, often.count)
            offset &+= laneBytes
        }
    }

    /// Replaces each vector of `piece` by what `operation` makes of it and of `source` there.
    @inline(__always)
    private static func apply(
        _ source: ByteView, _ piece: UnsafeMutableRawBufferPointer, _ position: Int,
        _ operation: (Lane, Lane) -> Lane
    ) {
        guard let target = piece.baseAddress else { return }
        let current = UnsafeRawPointer(target)
        let shared = min(piece.count, max(0, source.count &- position)) & ~(laneBytes &- 1)
        var offset = 0
        while offset < shared {
            let result = operation(lane(current, offset), lane(source.start, position &+ offset))
            target.storeBytes(of: result, toByteOffset: offset, as: Lane.self)
            offset &+= laneBytes
        }
        let whole = ByteView(UnsafeRawBufferPointer(piece))
        while offset < piece.count {
            let result = operation(
                padded(whole, offset), padded(source, position &+ offset))
            store(result, target, offset, piece.count)
            offset &+= laneBytes
        }
    }

    /// The vector at `offset` of `bytes`, followed by zeroes where they end.
    @inline(__always)
    private static func padded(_ bytes: ByteView, _ offset: Int) -> Lane {
        let left = bytes.count &- offset
        if left >= laneBytes { return lane(bytes.start, offset) }
        return left > 0 ? tail(bytes.start, offset, left) : Lane()
    }

    /// Stores a vector, or as much of it as lies before `count`.
    @inline(__always)
    private static func store(
        _ lane: Lane, _ target: UnsafeMutableRawPointer, _ offset: Int, _ count: Int
    ) {
        if count &- offset >= laneBytes {
            return target.storeBytes(of: lane, toByteOffset: offset, as: Lane.self)
        }
        withUnsafeBytes(of: lane) { bytes in
            guard let start = bytes.baseAddress else { return }
            _ = memcpy(target + offset, start, count &- offset)
        }
    }

    private static func copy(
        _ source: ByteView, _ piece: UnsafeMutableRawBufferPointer, _ position: Int
    ) {
        guard let target = piece.baseAddress else { return }
        let available = min(piece.count, max(0, source.count &- position))
        if available > 0 { memcpy(target, source.start + position, available) }
        if available < piece.count { memset(target + available, 0, piece.count &- available) }
    }

    // MARK: - Integers inside

    /// The `width` bits from bit `offset` on, 1 to 64 of them; what lies beyond the end is zero.
    static func field(_ bytes: ByteView, at offset: Int, width: Int) -> UInt64 {
        precondition(offset >= 0 && width >= 1 && width <= 64, "a field that cannot be")
        let first = offset >> 3
        // A field touches nine bytes at most.
        var bits: (UInt64, UInt64) = (0, 0)
        if first < bytes.count {
            withUnsafeMutableBytes(of: &bits) { window in
                window.copyMemory(
                    from: UnsafeRawBufferPointer(
                        start: bytes.start + first, count: min(9, bytes.count &- first)))
            }
        }
        let shift = UInt64(offset & 7)
        var value = bits.0.bigEndian << shift
        if shift > 0 { value |= bits.1.bigEndian >> (64 &- shift) }
        return value >> UInt64(64 &- width)
    }

    /// Makes the `width` bits from bit `offset` on the lowest bits of `value`; they must lie inside.
    static func setField(
        _ bytes: UnsafeMutableRawBufferPointer, at offset: Int, width: Int, to value: UInt64
    ) {
        precondition(
            offset >= 0 && width >= 1 && width <= 64 && (offset &+ width &- 1) >> 3 < bytes.count,
            "a field outside the string")
        var position = offset
        var left = width
        while left > 0 {
            let room = 8 &- position & 7
            let taken = min(room, left)
            let mask = UInt8(truncatingIfNeeded: (1 << taken) &- 1) << UInt8(room &- taken)
            let bits = UInt8(truncatingIfNeeded: value >> UInt64(left &- taken))
            let byte = bytes[position >> 3]
            bytes[position >> 3] = byte & ~mask | bits << UInt8(room &- taken) & mask
            position &+= taken
            left &-= taken
        }
    }
}
