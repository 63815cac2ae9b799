@testable import Engine

/// A reply as tests compare it.
///
/// Literals stand for the usual ones: `"OK"` for a simple string, `1` for an integer, `nil` for a
/// null; `.bulk("v")`, `.error("ERR …")` and `.array` are spelled.
indirect enum Reply: Equatable, CustomStringConvertible {
    case simple(String)
    case error(String)
    case integer(Int64)
    case bulk(String)
    case null
    case nullArray
    case array([Reply])
    case map([Reply])
    case set([Reply])
    case push([Reply])
    case double(String)
    case boolean(Bool)
    case verbatim(String)
    case bigNumber(String)

    var description: String {
        switch self {
        case .simple(let text): "+\(text)"
        case .error(let text): "-\(text)"
        case .integer(let number): ":\(number)"
        case .bulk(let text): "\"\(text)\""
        case .null: "nil"
        case .nullArray: "nil-array"
        case .array(let parts): "\(parts)"
        case .map(let parts): "%\(parts)"
        case .set(let parts): "~\(parts)"
        case .push(let parts): ">\(parts)"
        case .double(let text): ",\(text)"
        case .boolean(let value): "#\(value)"
        case .verbatim(let text): "=\(text)"
        case .bigNumber(let text): "(\(text)"
        }
    }

    /// The parts of an aggregate; none of anything else.
    var elements: [Reply] {
        switch self {
        case .array(let parts), .map(let parts), .set(let parts), .push(let parts): parts
        default: []
        }
    }

    var integer: Int64? {
        if case .integer(let number) = self { return number }
        return nil
    }

    /// The text of whatever has one.
    var text: String? {
        switch self {
        case .simple(let text), .bulk(let text), .error(let text), .double(let text),
            .verbatim(let text), .bigNumber(let text):
            text
        default: nil
        }
    }

    var isError: Bool {
        if case .error = self { return true }
        return false
    }

    /// An array of bulk strings.
    static func bulks(_ texts: String...) -> Reply { .array(texts.map { .bulk($0) }) }
}

extension Reply: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByNilLiteral,
    ExpressibleByArrayLiteral
{
    init(stringLiteral text: String) { self = .simple(text) }
    init(integerLiteral number: Int64) { self = .integer(number) }
    init(nilLiteral: ()) { self = .null }
    init(arrayLiteral parts: Reply...) { self = .array(parts) }
}

/// Reads replies off bytes, RESP2 and RESP3.
struct ReplyReader {
    private let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }

    /// The next reply; nil when the bytes end inside it or are malformed.
    mutating func next() -> Reply? {
        let start = position
        guard let reply = read() else {
            position = start
            return nil
        }
        return reply
    }

    private mutating func read() -> Reply? {
        guard let line = readLine(), let mark = line.first else { return nil }
        let text = String(decoding: line.dropFirst(), as: UTF8.self)
        switch mark {
        case UInt8(ascii: "+"): return .simple(text)
        case UInt8(ascii: "-"): return .error(text)
        case UInt8(ascii: ":"): return Int64(text).map { .integer($0) }
        case UInt8(ascii: ","): return .double(text)
        case UInt8(ascii: "("): return .bigNumber(text)
        case UInt8(ascii: "#"): return .boolean(text == "t")
        case UInt8(ascii: "_"): return .null
        case UInt8(ascii: "$"), UInt8(ascii: "="), UInt8(ascii: "!"):
            return readBlob(mark, Int(text))
        case UInt8(ascii: "*"): return readParts(Int(text), 1).map { .array($0) } ?? absent(text)
        case UInt8(ascii: "%"): return readParts(Int(text), 2).map { .map($0) }
        case UInt8(ascii: "~"): return readParts(Int(text), 1).map { .set($0) }
        case UInt8(ascii: ">"): return readParts(Int(text), 1).map { .push($0) }
        default: return nil
        }
    }

    private func absent(_ text: String) -> Reply? { text == "-1" ? .nullArray : nil }

    private mutating func readLine() -> ArraySlice<UInt8>? {
        var end = position
        while end + 1 < bytes.count {
            if bytes[end] == 13 && bytes[end + 1] == 10 {
                defer { position = end + 2 }
                return bytes[position..<end]
            }
            end += 1
        }
        return nil
    }

    private mutating func readBlob(_ mark: UInt8, _ length: Int?) -> Reply? {
        guard let length else { return nil }
        if length < 0 { return .null }
        guard position + length + 2 <= bytes.count else { return nil }
        let text = String(decoding: bytes[position..<position + length], as: UTF8.self)
        position += length + 2
        switch mark {
        case UInt8(ascii: "="): return .verbatim(text)
        case UInt8(ascii: "!"): return .error(text)
        default: return .bulk(text)
        }
    }

    private mutating func readParts(_ count: Int?, _ factor: Int) -> [Reply]? {
        guard let count, count >= 0 else { return nil }
        var parts: [Reply] = []
        for _ in 0..<count * factor {
            guard let part = next() else { return nil }
            parts.append(part)
        }
        return parts
    }
}
