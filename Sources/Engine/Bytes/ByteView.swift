import CLinux
import Glibc

/// Bytes that someone else owns: where they start and how many there are.
///
/// Trivial and unchecked in its lifetime: a view into a query buffer dies with the call, a view
/// into an entry dies with the next change of the keyspace. Whoever wants to keep bytes copies
/// them. Subscripts are checked.
struct ByteView {
    let start: UnsafeRawPointer
    let count: Int

    init(start: UnsafeRawPointer, count: Int) {
        self.start = start
        self.count = count
    }

    /// The bytes of a literal, which live as long as the program.
    init(_ literal: StaticString) {
        self.init(start: UnsafeRawPointer(literal.utf8Start), count: literal.utf8CodeUnitCount)
    }

    init(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else {
            self = .empty
            return
        }
        self.init(start: start, count: bytes.count)
    }

    /// No bytes, at an address that is valid for zero bytes.
    static var empty: ByteView { ByteView("") }

    var isEmpty: Bool { count == 0 }

    subscript(index: Int) -> UInt8 {
        precondition(index >= 0 && index < count, "byte index outside the view")
        return start.load(fromByteOffset: index, as: UInt8.self)
    }

    /// The bytes from `lower` up to `upper`; both must lie inside.
    func slice(_ lower: Int, _ upper: Int) -> ByteView {
        precondition(lower >= 0 && lower <= upper && upper <= count, "slice outside the view")
        return ByteView(start: start + lower, count: upper - lower)
    }

    func dropFirst(_ dropped: Int) -> ByteView { slice(Swift.min(dropped, count), count) }
    func prefix(_ length: Int) -> ByteView { slice(0, Swift.min(length, count)) }

    /// The number whose bytes stand at `offset`, lowest first; all of them must lie inside.
    func number<Number: FixedWidthInteger>(at offset: Int, as type: Number.Type) -> Number {
        precondition(
            offset >= 0 && offset <= count - MemoryLayout<Number>.size, "a number outside the view")
        return Number(littleEndian: start.loadUnaligned(fromByteOffset: offset, as: type))
    }

    func copy(to destination: UnsafeMutableRawPointer) {
        memcpy(destination, start, count)
    }
}

// MARK: - Comparison

extension ByteView: Equatable {
    static func == (left: ByteView, right: ByteView) -> Bool {
        left.count == right.count && equalBytes(left.start, right.start, count: left.count)
    }

    static func == (left: ByteView, right: StaticString) -> Bool { left == ByteView(right) }

    /// Lexicographic order of unsigned bytes, shorter first: negative, zero or positive.
    func compare(_ other: ByteView) -> Int {
        let order = memcmp(start, other.start, Swift.min(count, other.count))
        return order != 0 ? Int(order) : count - other.count
    }

    /// Equality that folds ASCII letters, for names of commands and options.
    func equalsIgnoringCase(_ other: ByteView) -> Bool {
        count == other.count
            && strncasecmp(
                start.assumingMemoryBound(to: CChar.self),
                other.start.assumingMemoryBound(to: CChar.self), count) == 0
    }

    func equalsIgnoringCase(_ literal: StaticString) -> Bool {
        equalsIgnoringCase(ByteView(literal))
    }

    /// As text, with ASCII letters in lower case and all others as they are.
    ///
    /// A word compared to a keyword must not be folded as a language does: the Kelvin sign has the
    /// small letter k.
    var lowercasedText: String {
        var bytes = array
        for index in bytes.indices where (0x41...0x5A).contains(bytes[index]) {
            bytes[index] |= 0x20
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// As text, with ASCII letters in upper case and all others as they are.
    var uppercasedText: String {
        var bytes = array
        for index in bytes.indices where (0x61...0x7A).contains(bytes[index]) {
            bytes[index] &= ~0x20
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func hasPrefix(_ prefix: ByteView) -> Bool {
        count >= prefix.count && memcmp(start, prefix.start, prefix.count) == 0
    }

    /// The position of the first `byte` at or after `from`.
    func firstIndex(of byte: UInt8, from: Int = 0) -> Int? {
        precondition(from >= 0 && from <= count, "search outside the view")
        guard let found = memchr(start + from, Int32(byte), count - from) else { return nil }
        return UnsafeRawPointer(found) - start
    }
}

// MARK: - Leaving the world of bytes (cold paths only)

extension ByteView {
    /// A Swift string, for log lines and settings; invalid UTF-8 is replaced.
    var string: String {
        String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
    }

    /// For whoever hands the bytes to the kernel.
    var rawBuffer: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

    var array: [UInt8] { Array(UnsafeRawBufferPointer(start: start, count: count)) }
}

extension String {
    /// Lends this string's UTF-8 as a view.
    func withByteView<Result, Failure: Error>(
        _ body: (ByteView) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let bytes = Array(utf8)
        return try bytes.withByteView(body)
    }
}

extension [UInt8] {
    /// Lends this array's bytes as a view.
    func withByteView<Result, Failure: Error>(
        _ body: (ByteView) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withUnsafeBufferPointer { (bytes) throws(Failure) in
            guard let base = bytes.baseAddress else { return try body(.empty) }
            return try body(ByteView(start: UnsafeRawPointer(base), count: bytes.count))
        }
    }
}
