/// Walks over a ziplist, the packed list of servers before 7.0, in bytes that nobody vouches for.
///
///     | total 4 | offset of the last entry 4 | count 2 | entry | … | 0xFF |
///     entry: | length of the one before, 1 or 5 | encoding | data |
///
/// Checks every step: an entry that does not lie inside, an unknown encoding or a length that does
/// not agree ends in an error.
struct ZiplistCursor {
    private let bytes: ByteView
    /// What the list is part of, for the complaint.
    private let owner: Owner
    private var offset: Int
    /// Where the entry before begins.
    private var previous: Int?
    private var left: Int?

    enum Owner: String {
        case list = "List"
        case node = "Quicklist"
        case sortedSet = "Zset"
        case hash = "Hash"
    }

    private static let headerBytes = 10
    private static let endMark: UInt8 = 0xFF
    private static let unknownCount: UInt16 = 0xFFFF

    init(_ bytes: ByteView, of owner: Owner) throws(DumpError) {
        self.bytes = bytes
        self.owner = owner
        offset = Self.headerBytes
        guard bytes.count > Self.headerBytes, bytes.number(at: 0, as: UInt32.self) == bytes.count,
            bytes[bytes.count - 1] == Self.endMark
        else { throw broken }
        let count = bytes.number(at: 8, as: UInt16.self)
        left = count == Self.unknownCount ? nil : Int(count)
    }

    private var broken: DumpError {
        .corrupt("\(owner.rawValue) ziplist integrity check failed.")
    }

    /// The next element; nil at the end.
    mutating func next() throws(DumpError) -> Listpack.Value? {
        if bytes[offset] == Self.endMark {
            let last = bytes.number(at: 4, as: UInt32.self)
            guard offset == bytes.count - 1, left == nil || left == 0,
                last == previous ?? Self.headerBytes
            else { throw broken }
            return nil
        }
        let start = offset
        if let left {
            guard left > 0 else { throw broken }
            self.left = left - 1
        }
        guard try lengthBefore() == start - (previous ?? start) else { throw broken }
        let value = try element()
        previous = start
        return value
    }

    /// Takes `count` bytes, before the end mark.
    private mutating func take(_ count: Int) throws(DumpError) -> Int {
        guard count >= 0, count <= bytes.count - 1 - offset else { throw broken }
        defer { offset += count }
        return offset
    }

    private mutating func number<Number: FixedWidthInteger>(
        _ type: Number.Type
    ) throws(DumpError) -> Number {
        bytes.number(at: try take(MemoryLayout<Number>.size), as: type)
    }

    private mutating func lengthBefore() throws(DumpError) -> Int {
        let short = try number(UInt8.self)
        return short < 254 ? Int(short) : Int(try number(UInt32.self))
    }

    private mutating func element() throws(DumpError) -> Listpack.Value {
        let first = try number(UInt8.self)
        switch first {
        case 0..<0x40: return try text(Int(first))
        case 0x40..<0x80: return try text(Int(first & 63) << 8 | Int(try number(UInt8.self)))
        case 0x80: return try text(Int(try number(UInt32.self).byteSwapped))
        case 0xC0: return .integer(Int64(try number(Int16.self)))
        case 0xD0: return .integer(Int64(try number(Int32.self)))
        case 0xE0: return .integer(try number(Int64.self))
        case 0xF0:
            let low = UInt32(try number(UInt16.self))
            let high = UInt32(bitPattern: Int32(try number(Int8.self)))
            return .integer(Int64(Int32(bitPattern: low | high << 16)))
        case 0xFE: return .integer(Int64(try number(Int8.self)))
        case 0xF1...0xFD: return .integer(Int64(first & 15) - 1)
        default: throw broken
        }
    }

    private mutating func text(_ count: Int) throws(DumpError) -> Listpack.Value {
        let start = try take(count)
        return .bytes(bytes.slice(start, start + count))
    }
}

/// Walks over a zipmap, the small hash of servers before 2.6.
///
///     | count 1 | length | field | length | free 1 | value | free bytes | … | 0xFF |
///     length: one byte below 254, else 254 and 4 bytes
struct ZipmapCursor {
    private let bytes: ByteView
    private var offset = 1

    private static let endMark: UInt8 = 0xFF

    init(_ bytes: ByteView) throws(DumpError) {
        // An empty one was never written.
        guard bytes.count > 2 else { throw Self.broken }
        self.bytes = bytes
    }

    private static var broken: DumpError { .corrupt("Zipmap integrity check failed.") }

    /// The next field with its value; nil at the end.
    mutating func next() throws(DumpError) -> (ByteView, ByteView)? {
        guard offset < bytes.count else { throw Self.broken }
        if bytes[offset] == Self.endMark {
            guard offset == bytes.count - 1 else { throw Self.broken }
            return nil
        }
        let name = try take(try length())
        let count = try length()
        let free = try take(1)[0]
        let value = try take(count)
        _ = try take(Int(free))
        return (name, value)
    }

    private mutating func take(_ count: Int) throws(DumpError) -> ByteView {
        guard count <= bytes.count - offset else { throw Self.broken }
        defer { offset += count }
        return bytes.slice(offset, offset + count)
    }

    private mutating func length() throws(DumpError) -> Int {
        let short = try take(1)[0]
        if short < 254 { return Int(short) }
        guard short == 254 else { throw Self.broken }
        return Int(try take(4).number(at: 0, as: UInt32.self))
    }
}
