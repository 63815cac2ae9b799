/// The words and signs of Swift source, without comments and the text of literals.
///
/// Just enough of a lexer for the tidy tests: it knows nested block comments, raw and multi-line
/// strings, and that the code inside an interpolation counts as code. It does not know regex
/// literals, which the sources do not use.
struct SwiftTokens {
    struct Token: Equatable {
        /// An identifier or keyword, or a single sign.
        let text: String
        let line: Int
        /// How many braces are open around it; 0 is the top level of the file.
        let depth: Int
    }

    private(set) var tokens: [Token] = []
    private let bytes: [UInt8]
    private var position = 0
    private var line = 1
    private var depth = 0

    static func read(_ source: String) -> [Token] {
        var lexer = SwiftTokens(bytes: Array(source.utf8))
        lexer.readCode(untilClosingParenthesis: false)
        return lexer.tokens
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func byte(ahead: Int = 0) -> UInt8 {
        position + ahead < bytes.count ? bytes[position + ahead] : 0
    }

    private mutating func advance(_ count: Int = 1) {
        for _ in 0..<count where position < bytes.count {
            if bytes[position] == UInt8(ascii: "\n") { line += 1 }
            position += 1
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...0xFF:
            true
        default: false
        }
    }

    private mutating func readCode(untilClosingParenthesis: Bool) {
        var parentheses = 0
        while position < bytes.count {
            let next = byte()
            if next == UInt8(ascii: "/"), byte(ahead: 1) == UInt8(ascii: "/") {
                while position < bytes.count, byte() != UInt8(ascii: "\n") { advance() }
            } else if next == UInt8(ascii: "/"), byte(ahead: 1) == UInt8(ascii: "*") {
                skipBlockComment()
            } else if next == UInt8(ascii: "\"") {
                readString(hashes: 0)
            } else if next == UInt8(ascii: "#"), let hashes = rawStringHashes() {
                advance(hashes)
                readString(hashes: hashes)
            } else if Self.isWord(next) {
                let start = position
                while position < bytes.count, Self.isWord(byte()) { advance() }
                add(String(decoding: bytes[start..<position], as: UTF8.self))
            } else {
                if next == UInt8(ascii: ")") {
                    if untilClosingParenthesis, parentheses == 0 { return advance() }
                    parentheses -= 1
                }
                if next == UInt8(ascii: "(") { parentheses += 1 }
                if next == UInt8(ascii: "}") { depth -= 1 }
                if next > UInt8(ascii: " ") { add(String(UnicodeScalar(next))) }
                if next == UInt8(ascii: "{") { depth += 1 }
                advance()
            }
        }
    }

    private mutating func add(_ text: String) {
        tokens.append(Token(text: text, line: line, depth: depth))
    }

    private mutating func skipBlockComment() {
        var open = 0
        repeat {
            if byte() == UInt8(ascii: "/"), byte(ahead: 1) == UInt8(ascii: "*") {
                open += 1
                advance(2)
            } else if byte() == UInt8(ascii: "*"), byte(ahead: 1) == UInt8(ascii: "/") {
                open -= 1
                advance(2)
            } else {
                advance()
            }
        } while open > 0 && position < bytes.count
    }

    /// How many `#` stand here before a quotation mark; nil when this is no raw string.
    private func rawStringHashes() -> Int? {
        var count = 0
        while byte(ahead: count) == UInt8(ascii: "#") { count += 1 }
        return byte(ahead: count) == UInt8(ascii: "\"") ? count : nil
    }

    private func hashesFollow(_ count: Int, ahead: Int) -> Bool {
        (0..<count).allSatisfy { byte(ahead: ahead + $0) == UInt8(ascii: "#") }
    }

    /// From an opening quotation mark past the closing one; interpolated code is read as code.
    private mutating func readString(hashes: Int) {
        let quote = UInt8(ascii: "\"")
        let quotes = byte(ahead: 1) == quote && byte(ahead: 2) == quote ? 3 : 1
        advance(quotes)
        while position < bytes.count {
            if byte() == quote, (0..<quotes).allSatisfy({ byte(ahead: $0) == quote }),
                hashesFollow(hashes, ahead: quotes)
            {
                return advance(quotes + hashes)
            }
            if byte() == UInt8(ascii: "\\"), hashesFollow(hashes, ahead: 1) {
                let escaped = byte(ahead: 1 + hashes)
                advance(2 + hashes)
                if escaped == UInt8(ascii: "(") { readCode(untilClosingParenthesis: true) }
            } else {
                advance()
            }
        }
    }
}
