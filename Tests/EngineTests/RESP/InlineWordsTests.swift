import Testing

@testable import Engine

@Suite struct InlineWordsTests {
    private func split(_ line: String) -> [[UInt8]]? { split(Array(line.utf8)) }

    private func split(_ bytes: [UInt8]) -> [[UInt8]]? {
        let batch = RequestBatch()
        batch.beginParse()
        let parser = CommandParser(longestBulk: 1 << 20)
        return (bytes + [10]).withByteView { view in
            guard case .request = parser.parse(view, into: batch) else { return nil }
            return (0..<batch.parsedArguments).map { batch.parsedArgument($0).array }
        }
    }

    private func words(_ words: String...) -> [[UInt8]] { words.map { Array($0.utf8) } }

    @Test func blanksDivide() {
        #expect(split("SET  k\tv ") == words("SET", "k", "v"))
        #expect(split("   ") == [])
        #expect(split("") == [])
        #expect(split("a\u{0B}b\u{0C}c\r") == words("a", "b", "c"))
    }

    @Test func quotesHoldTogether() {
        #expect(split(#"SET k "a b""#) == words("SET", "k", "a b"))
        #expect(split("SET k 'a b'") == words("SET", "k", "a b"))
        #expect(split(#""" ''"#) == words("", ""))
        #expect(split(#"a"b c""#) == words("ab c"))
        #expect(split(#""it's" 'say "x"'"#) == words("it's", "say \"x\""))
    }

    @Test func backslashesEscapeInDoubleQuotes() {
        #expect(split(#""\n\r\t\b\a""#) == [[10, 13, 9, 8, 7]])
        #expect(split(#""\x41\xfF\x0g""#) == [[0x41, 0xFF] + Array("x0g".utf8)])
        #expect(split(#""\"\\\q""#) == words("\"\\q"))
        #expect(split(#"a\nb"#) == words("a\\nb"))
    }

    @Test func onlyTheQuoteIsEscapedInSingleQuotes() {
        #expect(split(#"'a\'b\n\\x'"#) == words("a'b\\n\\\\x"))
    }

    @Test(arguments: [#""a"#, "'a", #""a"b"#, "'a'b", #""a\""#, #""""a"""#, #""\"#])
    func unbalancedQuotesAreRefused(_ line: String) {
        #expect(split(line) == nil)
    }

    /// A request that is put off is parsed again from the same bytes.
    @Test func theLineIsLeftAsItIs() {
        let line = Array(#"SET "a\x41b" 'c d'"#.utf8) + [10]
        let batch = RequestBatch()
        batch.beginParse()
        let after = line.withByteView { view in
            _ = CommandParser(longestBulk: 1 << 20).parse(view, into: batch)
            return view.array
        }
        #expect(after == line)
    }

    @Test func randomLinesNeverTrapAndNeverGrow() {
        var random = SeededRandom.make()
        let alphabet = Array("ab \"'\\xn0\0\t".utf8)
        for _ in 0..<20_000 {
            let line = (0..<random.below(30)).map { _ in alphabet[random.below(alphabet.count)] }
            guard let words = split(line) else { continue }
            #expect(words.reduce(0) { $0 + $1.count } <= line.count)
        }
    }
}
