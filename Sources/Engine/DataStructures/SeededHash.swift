import CLinux

/// A keyed 64-bit hash of bytes: about 2 ns for a short key, 16 bytes a step for a long one.
///
/// The idea is the published one of wyhash and foldhash: multiply two 64-bit words to 128 bits and
/// fold the halves together. Every factor carries a secret word, so that without the seed nobody
/// can choose keys that meet in one group. Not for signatures: it hides nothing from who sees
/// hashes. Both the low bits (they address groups) and the top bits (they are tags) are good.
///
/// A trivial value of four words: copy it freely, keep one seed for the life of what it hashes.
struct SeededHash: Sendable {
    private let first: UInt64
    private let second: UInt64
    private let third: UInt64
    private let fourth: UInt64

    /// A hash of its own; the words must come from a good source and stay secret.
    init(seed first: UInt64, _ second: UInt64, _ third: UInt64, _ fourth: UInt64) {
        self.first = first
        self.second = second
        self.third = third
        self.fourth = fourth
    }

    /// A fresh secret from `generator`, in the server the system's.
    init(using generator: inout some RandomNumberGenerator) {
        self.init(seed: generator.next(), generator.next(), generator.next(), generator.next())
    }

    /// The hash of the bytes; all 64 bits are usable.
    func hash(_ bytes: ByteView) -> UInt64 {
        let (low, high) =
            bytes.count <= 16
            ? SeededHash.shortWords(bytes.start, bytes.count) : longWords(bytes.start, bytes.count)
        let folded = SeededHash.fold(low ^ first, high ^ second)
        return SeededHash.fold(folded ^ third, UInt64(truncatingIfNeeded: bytes.count) ^ fourth)
    }

    /// The hash of one word, for integers.
    func hash(_ word: UInt64) -> UInt64 {
        SeededHash.fold(SeededHash.fold(word ^ first, second) ^ third, 8 ^ fourth)
    }

    /// Two words that hold every byte of up to 16; they overlap where there are fewer.
    @inline(__always)
    private static func shortWords(_ start: UnsafeRawPointer, _ count: Int) -> (UInt64, UInt64) {
        if count >= 8 { return (load8(start), load8(start + (count &- 8))) }
        if count >= 4 { return (load4(start), load4(start + (count &- 4))) }
        if count == 0 { return (0, 0) }
        let middle = UInt64(start.load(fromByteOffset: count >> 1, as: UInt8.self)) << 8
        let last = UInt64(start.load(fromByteOffset: count &- 1, as: UInt8.self))
        return (UInt64(start.load(as: UInt8.self)) << 16 | middle | last, 0)
    }

    /// All but the last 1 to 16 bytes are folded 16 at a time, in two independent lanes while
    /// there are 32, and go into the last 16 as they are read.
    @inline(never)
    private func longWords(_ start: UnsafeRawPointer, _ count: Int) -> (UInt64, UInt64) {
        var (left, right) = (third, fourth)
        var offset = 0
        while count &- offset > 32 {
            let next = start + offset
            left = SeededHash.fold(
                SeededHash.load8(next) ^ left, SeededHash.load8(next + 8) ^ second)
            right = SeededHash.fold(
                SeededHash.load8(next + 16) ^ right, SeededHash.load8(next + 24) ^ first)
            offset &+= 32
        }
        if count &- offset > 16 {
            let next = start + offset
            left = SeededHash.fold(
                SeededHash.load8(next) ^ left, SeededHash.load8(next + 8) ^ second)
        }
        let end = start + count
        return (SeededHash.load8(end - 16) ^ left, SeededHash.load8(end - 8) ^ right)
    }

    @inline(__always)
    private static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }

    @inline(__always)
    private static func load8(_ start: UnsafeRawPointer) -> UInt64 {
        start.loadUnaligned(as: UInt64.self)
    }

    @inline(__always)
    private static func load4(_ start: UnsafeRawPointer) -> UInt64 {
        UInt64(start.loadUnaligned(as: UInt32.self))
    }
}
