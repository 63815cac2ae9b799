import CLinux
import Glibc

/// String values: their bytes wherever these are, and how OBJECT ENCODING calls the place.
extension Entry {
    /// Strings up to this length are "embstr" to OBJECT ENCODING, as in the peers.
    private static let longestEmbedded = 44

    /// The length of a string value as GET replies it.
    var stringCount: Int {
        switch stringEncoding {
        case .inline, .inlineRaw: inlineString.count
        case .integer: NumberText.digitCount(integer.magnitude) &+ (integer < 0 ? 1 : 0)
        case .heap: heapString.count
        }
    }

    /// Lends the bytes of a string value; those of an integer live only during the call.
    func withString<Result: ~Copyable, Failure: Error>(
        _ body: (ByteView) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch stringEncoding {
        case .inline, .inlineRaw: return try body(inlineString)
        case .heap: return try body(heapString)
        case .integer:
            // Three words hold the longest integer.
            var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
            return try withUnsafeMutableBytes(of: &digits) { (text) throws(Failure) in
                guard let start = text.baseAddress else { return try body(.empty) }
                let count = NumberText.write(integer, to: start)
                return try body(ByteView(start: UnsafeRawPointer(start), count: count))
            }
        }
    }

    /// The integer that a string value spells, however it is stored; nil if it spells none.
    @inline(__always)
    var spelledInteger: Int64? {
        switch stringEncoding {
        case .integer: integer
        case .inline, .inlineRaw: NumberText.integer(inlineString)
        case .heap: nil
        }
    }

    func stringEquals(_ bytes: ByteView) -> Bool { withString { $0 == bytes } }

    /// Writes bytes into a string that is no integer; they must lie inside.
    func writeString(_ bytes: ByteView, at offset: Int) {
        guard stringEncoding == .heap else { return writeInline(bytes, at: offset) }
        precondition(
            offset >= 0 && offset &+ bytes.count <= heapString.count, "a write outside the value")
        memcpy(heapBlock + offset, bytes.start, bytes.count)
    }

    /// Lends the bytes of a string that is no integer, to be changed in place.
    func withMutableString<Result>(_ body: (UnsafeMutableRawBufferPointer) -> Result) -> Result {
        precondition(stringEncoding != .integer, "an integer has no bytes to change")
        let bytes = stringEncoding == .heap ? heapString : inlineString
        return body(
            UnsafeMutableRawBufferPointer(
                start: UnsafeMutableRawPointer(mutating: bytes.start), count: bytes.count))
    }

    /// As OBJECT ENCODING calls a string.
    var stringEncodingName: StaticString {
        switch stringEncoding {
        case .integer: "int"
        case .inline: inlineString.count <= Self.longestEmbedded ? "embstr" : "raw"
        case .inlineRaw, .heap: "raw"
        }
    }
}

/// Replying with a string value, wherever its bytes are.
extension ReplyWriter {
    /// A string entry as a bulk.
    @inline(__always)
    mutating func string(_ entry: Entry) {
        switch entry.stringEncoding {
        case .inline, .inlineRaw: bulk(entry.inlineString)
        case .integer: bulkInteger(entry.integer)
        case .heap: bulk(entry.heapString)
        }
    }
}
