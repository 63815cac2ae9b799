/// Words quoted like a shell's, as lines of configuration and rules of users hold them.
///
/// Blanks divide, quotes hold together, a backslash escapes inside double quotes.
enum QuotedWords {
    /// The words of a line, quotes resolved; `nil` if a quote stays open or is not followed by a
    /// blank.
    ///
    /// A NUL ends the line.
    static func split(_ line: [UInt8]) -> [[UInt8]]? {
        var words: [[UInt8]] = []
        var rest = line[..<(line.firstIndex(of: 0) ?? line.endIndex)]
        while true {
            rest = rest.drop { isSpace($0) }
            guard !rest.isEmpty else { return words }
            guard let word = takeWord(&rest) else { return nil }
            words.append(word)
        }
    }

    /// One word, which may change between bare and quoted until a quote ends it.
    private static func takeWord(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        var word: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case 0x20, 0x0A, 0x0D, 0x09:  // Fewer blanks than between words, as in the peers.
                return word
            case UInt8(ascii: "\""):
                return takeQuoted(&rest, into: word)
            case UInt8(ascii: "'"):
                return takeSingleQuoted(&rest, into: word)
            default:
                word.append(byte)
            }
        }
        return word
    }

    /// Up to the closing `"`, which a blank or the end must follow.
    private static func takeQuoted(
        _ rest: inout ArraySlice<UInt8>, into start: [UInt8]
    ) -> [UInt8]? {
        var word = start
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\"") { return isAtWordEnd(rest) ? word : nil }
            guard byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() else {
                word.append(byte)
                continue
            }
            word.append(unescape(escaped, &rest))
        }
        return nil
    }

    /// Up to the closing `'`; only `\'` is an escape.
    private static func takeSingleQuoted(
        _ rest: inout ArraySlice<UInt8>, into start: [UInt8]
    ) -> [UInt8]? {
        var word = start
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "'") { return isAtWordEnd(rest) ? word : nil }
            if byte == UInt8(ascii: "\\") && rest.first == UInt8(ascii: "'") {
                rest.removeFirst()
                word.append(UInt8(ascii: "'"))
            } else {
                word.append(byte)
            }
        }
        return nil
    }

    /// What `\` and `escaped` stand for; `\xHH` takes its two digits from `rest`.
    private static func unescape(_ escaped: UInt8, _ rest: inout ArraySlice<UInt8>) -> UInt8 {
        switch escaped {
        case UInt8(ascii: "n"): return 0x0A
        case UInt8(ascii: "r"): return 0x0D
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "a"): return 0x07
        case UInt8(ascii: "x"):
            let digits = rest.prefix(2).compactMap(hexadecimal)
            guard digits.count == 2 else { return escaped }
            rest.removeFirst(2)
            return digits[0] << 4 | digits[1]
        default: return escaped
        }
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): return byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): return byte - UInt8(ascii: "A") + 10
        default: return nil
        }
    }

    private static func isAtWordEnd(_ rest: ArraySlice<UInt8>) -> Bool {
        rest.first.map(isSpace) ?? true
    }

    /// As `isspace` in the C locale.
    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (byte >= 0x09 && byte <= 0x0D)
    }

    /// `bytes` in double quotes, such that `split` gives them back.
    static func quoted(_ bytes: [UInt8]) -> [UInt8] {
        var result = [UInt8(ascii: "\"")]
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\\"), UInt8(ascii: "\""): result += [UInt8(ascii: "\\"), byte]
            case 0x0A: result += Array(#"\n"#.utf8)
            case 0x0D: result += Array(#"\r"#.utf8)
            case 0x09: result += Array(#"\t"#.utf8)
            case 0x07: result += Array(#"\a"#.utf8)
            case 0x08: result += Array(#"\b"#.utf8)
            case 0x20...0x7E: result.append(byte)
            default:
                let digits = Array("0123456789abcdef".utf8)
                result += Array(#"\x"#.utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        result.append(UInt8(ascii: "\""))
        return result
    }
}
