import Testing

@testable import Engine

@Suite struct CommandParserTests {
    /// What the parser makes of `bytes`: the arguments, or why there are none.
    private enum Parsed: Equatable {
        case request([[UInt8]], consumed: Int)
        case incomplete
        case malformed(ProtocolError)
    }

    private func parse(
        _ bytes: [UInt8], longestBulk: Int = 512 << 20, unauthenticated: Bool = false
    ) -> Parsed {
        let batch = RequestBatch()
        batch.beginParse()
        let parser = CommandParser(longestBulk: longestBulk, unauthenticated: unauthenticated)
        // An allocation of exactly this size, so that a sanitizer sees a read beyond it.
        let copy = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(bytes.count, 1), alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: bytes)
        guard let base = copy.baseAddress else { return .incomplete }
        let view = ByteView(start: UnsafeRawPointer(base), count: bytes.count)
        switch parser.parse(view, into: batch) {
        case .request(let consumed):
            let count = batch.parsedArguments
            return .request((0..<count).map { batch.parsedArgument($0).array }, consumed: consumed)
        case .incomplete: return .incomplete
        case .malformed(let error): return .malformed(error)
        }
    }

    private func parse(_ text: String) -> Parsed { parse(Array(text.utf8)) }

    private func request(_ words: String...) -> [[UInt8]] { words.map { Array($0.utf8) } }

    @Test func noSettingLetsALengthOverflow() {
        for length in [Int.max, Int.max - 1, 1 << 47 + 1] {
            #expect(
                parse(Array("*1\r\n$\(length)\r\nx\r\n".utf8), longestBulk: .max)
                    == .malformed(.invalidBulkLength))
        }
        #expect(parse(Array("*1\r\n$\(1 << 47)\r\nx\r\n".utf8), longestBulk: .max) == .incomplete)
    }

    @Test func aRequestIsWholeAtItsLastByteAndNotBefore() {
        for text in [
            "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "*1\r\n$12\r\nabcdefghijkl\r\n", "PING\r\n", "\r\n",
            "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$100\r\n" + String(repeating: "x", count: 100) + "\r\n",
            "SET \"a b\" 'c'\r\n", "*0\r\n", "*-1\r\n",
        ] {
            let bytes = Array(text.utf8)
            for length in 0..<bytes.count {
                #expect(parse(Array(bytes[..<length])) == .incomplete, "\(text) to \(length)")
            }
            guard case .request(_, let consumed) = parse(bytes + Array("*1\r\n".utf8)) else {
                Issue.record("\(text) is no request")
                continue
            }
            #expect(consumed == bytes.count)
        }
    }

    @Test func argumentsAreTheBytesBetween() {
        #expect(
            parse("*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\na\r\nb\r\n")
                == .request(request("SET", "", "a\r\nb"), consumed: 29))
        #expect(parse("*0\r\n") == .request([], consumed: 4))
        #expect(parse("*-10\r\n") == .request([], consumed: 6))
    }

    @Test(arguments: [
        ("*2147483648\r\n", ProtocolError.invalidMultibulkLength),
        ("*3000000000\r\n", .invalidMultibulkLength),
        ("*99999999999999999999\r\n", .invalidMultibulkLength),
        ("*\r\n", .invalidMultibulkLength), ("*a\r\n", .invalidMultibulkLength),
        ("* 1\r\n", .invalidMultibulkLength), ("*+1\r\n", .invalidMultibulkLength),
        ("*01\r\n", .invalidMultibulkLength), ("*1x\r\n", .invalidMultibulkLength),
        ("*1\r\n$-1\r\n", .invalidBulkLength), ("*1\r\n$-10\r\n", .invalidBulkLength),
        ("*1\r\n$\r\n", .invalidBulkLength), ("*1\r\n$04\r\nPING\r\n", .invalidBulkLength),
        ("*1\r\n$999999999999999999999\r\n", .invalidBulkLength),
        ("*1\r\n$9223372036854775807\r\n", .invalidBulkLength),
        ("*1\r\n$536870913\r\n", .invalidBulkLength),
        ("*1\r\nfoo\r\n", .expectedDollar(UInt8(ascii: "f"))),
        ("*1000000\r\nfoo\r\n", .expectedDollar(UInt8(ascii: "f"))),
        ("*2\r\n$1\r\na\r\n:1\r\n", .expectedDollar(UInt8(ascii: ":"))),
        ("set \"a\"b c\r\n", .unbalancedQuotes), ("set \"a\r\n", .unbalancedQuotes),
        ("set 'a\r\n", .unbalancedQuotes),
        ("*1\rx$4\r\nPING\r\n", .invalidLineEnd), ("*10\rx", .invalidLineEnd),
        ("*100\r\r\n", .invalidLineEnd), ("*1\r\n$4\rxPING\r\n", .invalidLineEnd),
        ("*1\r\n$12\r\rPINGPINGPING\r\n", .invalidLineEnd), ("*1\r\n$100\rx", .invalidLineEnd),
        ("*1\r\n$4\r\nPING\rx", .invalidLineEnd), ("*1\r\n$4\r\nPINGx\n", .invalidLineEnd),
        ("*1\r\n$4\r\nPINGPING\r\n", .invalidLineEnd), ("*1\r\n$0\r\nxx", .invalidLineEnd),
    ])
    func hostileHeadersAreRefused(_ text: String, _ error: ProtocolError) {
        #expect(parse(text) == .malformed(error))
    }

    @Test func hugeCountsReserveNothing() {
        #expect(parse("*2147483647\r\n") == .incomplete)
        #expect(parse("*2147483647\r\n$1\r\na\r\n") == .incomplete)
        #expect(parse("*1\r\n$536870912\r\n") == .incomplete)
    }

    @Test func linesWithoutAnEndAreRefusedAt64KiB() {
        let filler = [UInt8](repeating: UInt8(ascii: "1"), count: 64 * 1024 + 1)
        for (start, error) in [
            ("*", ProtocolError.tooBigMultibulkHeader), ("*1\r\n$", .tooBigBulkHeader),
            ("", .tooBigInline),
        ] {
            let bytes = Array(start.utf8) + filler
            #expect(parse(bytes) == .malformed(error))
            #expect(parse(Array(bytes[..<(60 * 1024)])) == .incomplete)
        }
    }

    @Test func limitsAreTighterBeforeAuthentication() {
        func parse(_ text: String) -> Parsed {
            self.parse(Array(text.utf8), unauthenticated: true)
        }
        #expect(parse("*10\r\n") == .incomplete)
        #expect(parse("*11\r\n") == .malformed(.unauthenticatedMultibulk))
        #expect(parse("*1\r\n$16384\r\n") == .incomplete)
        #expect(parse("*1\r\n$16385\r\n") == .malformed(.unauthenticatedBulk))
    }

    @Test func theLongestBulkIsConfigured() {
        let bytes = Array("*1\r\n$5\r\nhello\r\n".utf8)
        #expect(parse(bytes, longestBulk: 5) == .request(request("hello"), consumed: 15))
        #expect(
            parse(Array("*1\r\n$10\r\n".utf8), longestBulk: 9) == .malformed(.invalidBulkLength))
    }

    /// Whatever comes, the parser says something and stays inside.
    @Test func randomBytesNeverTrap() {
        var random = SeededRandom.make()
        let alphabet = Array("*$-0123456789\r\n\r\n\"'\\x aGT:\0".utf8) + [255]
        for _ in 0..<20_000 {
            let bytes = (0..<random.below(40)).map { _ in alphabet[random.below(alphabet.count)] }
            if case .request(_, let consumed) = parse(bytes) {
                #expect(consumed > 0 && consumed <= bytes.count)
            }
        }
    }
}
