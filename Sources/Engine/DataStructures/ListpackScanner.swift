/// Walks over bytes that are said to be a listpack and that nobody vouches for, checking each entry as
/// it comes to it.
///
/// Promises: never reads outside the bytes, whatever they say; an entry is shown only where all of it
/// lies before the end and its length is the same read from either side. Who has come to the end asks
/// `isWhole`, which holds then for just the bytes that `Listpack.validate` accepts. Costs: a few
/// compares an entry, so that checking needs no pass of its own.
struct ListpackScanner {
    private let start: UnsafeRawPointer
    /// Where the end mark stands.
    private let end: UnsafeRawPointer
    private var place: UnsafeRawPointer
    /// Elements met so far.
    private(set) var count = 0

    /// Nil where header or end are not those of a listpack.
    init?(_ bytes: ByteView) {
        guard ListpackFormat.hasValidFrame(bytes) else { return nil }
        start = bytes.start
        end = bytes.start + (bytes.count &- 1)
        place = bytes.start + ListpackFormat.headerBytes
    }

    var isAtEnd: Bool { place == end }

    /// Whether every entry was met, and the header counts as many.
    var isWhole: Bool {
        let stored = ListpackFormat.storedCount(start)
        return isAtEnd && (stored == ListpackFormat.unknownCount || stored == count)
    }

    /// Where the next element begins, and a step over it; nil at the end and where it is broken.
    @inline(__always)
    private mutating func step() -> UnsafeRawPointer? {
        let here = place
        let length = ListpackFormat.validEntryBytes(here, before: end)
        if length == 0 { return nil }
        place = here + length
        count &+= 1
        return here
    }

    /// The next element; nil at the end and where it is broken.
    @inline(__always)
    mutating func next() -> Listpack.Value? {
        guard let here = step() else { return nil }
        return ListpackFormat.value(here)
    }

    /// The next element where it is an integer; nil else.
    @inline(__always)
    mutating func nextInteger() -> Int64? {
        guard let here = step() else { return nil }
        let first = here.load(as: UInt8.self)
        if first & 0x80 == 0 { return Int64(first) }
        guard case .integer(let integer) = ListpackFormat.value(here) else { return nil }
        return integer
    }

    /// The next element where it is an integer kept in one byte, which can be changed in place; nil else.
    @inline(__always)
    mutating func nextNarrow() -> UInt8? {
        guard let here = step() else { return nil }
        let first = here.load(as: UInt8.self)
        return first & 0x80 == 0 ? first : nil
    }

    /// A step over the next element; false at the end and where it is broken.
    @inline(__always)
    mutating func skip() -> Bool { step() != nil }

    /// Goes on to the end; whether all of it is whole.
    mutating func finish() -> Bool {
        while skip() {}
        return isWhole
    }
}
