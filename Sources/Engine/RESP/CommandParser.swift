import Glibc

/// Why a connection's bytes are no request.
///
/// The text goes to the client after `-ERR Protocol error: `.
enum ProtocolError: Error, Equatable {
    case tooBigMultibulkHeader
    case tooBigBulkHeader
    case tooBigInline
    case invalidMultibulkLength
    case unauthenticatedMultibulk
    case invalidBulkLength
    case unauthenticatedBulk
    case expectedDollar(UInt8)
    case unbalancedQuotes
    /// Something else where `\r\n` has to be: the client has miscounted, and what follows is not what
    /// it means.
    case invalidLineEnd
}

/// What the parser found at the front of the bytes it was given.
enum ParseOutcome {
    /// A whole request, which took this many bytes. Its arguments are in the batch; a request of no
    /// arguments (an empty line, `*0`) adds none and is skipped.
    case request(consumed: Int)
    /// The bytes end inside a request.
    case incomplete
    case malformed(ProtocolError)
}

/// Reads requests, multibulk or inline, from the front of a run of bytes.
///
/// It keeps nothing between calls: a request that is not whole is parsed again from its start when
/// more bytes have come, unless it is large; `LargeRequest` then collects it piece by piece.
/// Arguments are views into the bytes, which are never changed: a request that has to wait is parsed
/// again. Only what stands in quotes in an inline request is copied, into the batch.
struct CommandParser {
    /// `proto-max-bulk-len`, as far as there can be memory for it.
    private let longestBulk: Int64
    /// Whether the tighter limits before authentication hold.
    private let unauthenticated: Bool

    init(longestBulk: Int, unauthenticated: Bool = false) {
        self.longestBulk = min(Int64(longestBulk), ProtocolLimits.bulkBytes)
        self.unauthenticated = unauthenticated
    }

    /// Parses one request at the front of `bytes`, appending its arguments to `batch`.
    @inline(__always)
    func parse(_ bytes: ByteView, into batch: borrowing RequestBatch) -> ParseOutcome {
        guard bytes.count > 0 else { return .incomplete }
        if bytes.start.load(as: UInt8.self) == UInt8(ascii: "*") {
            return parseMultibulk(bytes, into: batch)
        }
        return parseInline(bytes, into: batch)
    }

    // MARK: - Multibulk: *2\r\n$3\r\nGET\r\n$1\r\nk\r\n

    private func parseMultibulk(_ bytes: ByteView, into batch: borrowing RequestBatch)
        -> ParseOutcome
    {
        var position = 1
        let count: Int64
        switch Self.readLength(bytes, &position, longest: ProtocolLimits.argumentCount) {
        case .value(let value): count = value
        case .incomplete:
            return bytes.count > ProtocolLimits.inlineBytes
                ? .malformed(.tooBigMultibulkHeader) : .incomplete
        case .invalid: return .malformed(.invalidMultibulkLength)
        case .notEnded: return .malformed(.invalidLineEnd)
        }
        if let error = complaint(aboutArguments: count) { return .malformed(error) }
        if count <= 0 { return .request(consumed: position) }
        // Only what is really there makes the batch grow: six bytes are the shortest argument.
        guard count <= Int64((bytes.count &- position) / 5 &+ 1) else {
            return checkHeaders(bytes, position, count)
        }
        let arguments = batch.reserveArguments(Int(count))
        var index = 0
        while index < Int(count) {
            switch readBulk(bytes, &position) {
            case .value(let argument): arguments[index] = argument
            case .incomplete: return .incomplete
            case .malformed(let error): return .malformed(error)
            }
            index &+= 1
        }
        batch.commitArguments(Int(count))
        return .request(consumed: position)
    }

    /// Why the client may not send so many arguments.
    @inline(__always)
    func complaint(aboutArguments count: Int64) -> ProtocolError? {
        unauthenticated && count > ProtocolLimits.unauthenticatedArguments
            ? .unauthenticatedMultibulk : nil
    }

    /// Errors in the part that has come are told at once, also when the whole cannot be there yet.
    private func checkHeaders(_ bytes: ByteView, _ start: Int, _ count: Int64) -> ParseOutcome {
        var position = start
        for _ in 0..<count {
            switch readBulk(bytes, &position) {
            case .value: continue
            case .incomplete: return .incomplete
            case .malformed(let error): return .malformed(error)
            }
        }
        return .incomplete
    }

    enum Bulk {
        case value(ByteView)
        case incomplete
        case malformed(ProtocolError)
    }

    /// Reads `$<length>\r\n<bytes>\r\n` at `position`, which moves behind it when it is whole.
    @inline(__always)
    func readBulk(_ bytes: ByteView, _ position: inout Int) -> Bulk {
        var here = position
        switch readBulkHeader(bytes, &here) {
        case .value(let length):
            guard bytes.count &- here >= Int(length) &+ 2 else { return .incomplete }
            guard Self.hasLineEnd(bytes.start, at: here &+ Int(length)) else {
                return .malformed(.invalidLineEnd)
            }
            let argument = ByteView(start: bytes.start + here, count: Int(length))
            position = here &+ Int(length) &+ 2
            return .value(argument)
        case .incomplete: return .incomplete
        case .malformed(let error): return .malformed(error)
        }
    }

    enum Header {
        case value(Int64)
        case incomplete
        case malformed(ProtocolError)
    }

    @inline(__always)
    func readBulkHeader(_ bytes: ByteView, _ position: inout Int) -> Header {
        guard position < bytes.count else { return .incomplete }
        let mark = bytes.start.load(fromByteOffset: position, as: UInt8.self)
        guard mark == UInt8(ascii: "$") else {
            // Redis looks for the end of the line first, and only then at its first byte.
            return bytes.firstIndex(of: 13, from: position) == nil
                ? tooLongHeader(bytes, position) : .malformed(.expectedDollar(mark))
        }
        var here = position &+ 1
        switch Self.readLength(bytes, &here, longest: longestBulk) {
        case .value(let length):
            if length < 0 { return .malformed(.invalidBulkLength) }
            if unauthenticated && length > ProtocolLimits.unauthenticatedBulkBytes {
                return .malformed(.unauthenticatedBulk)
            }
            position = here
            return .value(length)
        case .incomplete: return tooLongHeader(bytes, position)
        case .invalid: return .malformed(.invalidBulkLength)
        case .notEnded: return .malformed(.invalidLineEnd)
        }
    }

    /// Whether `\r\n` stands at `offset`, where there are two bytes.
    @inline(__always)
    static func hasLineEnd(_ start: UnsafeRawPointer, at offset: Int) -> Bool {
        UInt16(littleEndian: start.loadUnaligned(fromByteOffset: offset, as: UInt16.self)) == 0x0A0D
    }

    private func tooLongHeader(_ bytes: ByteView, _ position: Int) -> Header {
        bytes.count &- position > ProtocolLimits.inlineBytes
            ? .malformed(.tooBigBulkHeader) : .incomplete
    }

    private enum Length {
        case value(Int64)
        case incomplete
        case invalid
        /// A carriage return and something else behind the digits.
        case notEnded
    }

    /// Reads `<integer>\r\n`.
    ///
    /// One and two digits, nearly all there is, take the short way.
    @inline(__always)
    private static func readLength(
        _ bytes: ByteView, _ position: inout Int, longest: Int64
    ) -> Length {
        let start = bytes.start + position
        if bytes.count &- position >= 4 {
            let first = start.load(as: UInt8.self) &- 0x30
            let second = start.load(fromByteOffset: 1, as: UInt8.self)
            if first <= 9 && hasLineEnd(start, at: 1) {
                position &+= 3
                return .value(Int64(first))
            }
            if first &- 1 <= 8 && second &- 0x30 <= 9 && hasLineEnd(start, at: 2) {
                position &+= 4
                return Int64(first) * 10 + Int64(second &- 0x30) <= longest
                    ? .value(Int64(first) * 10 + Int64(second &- 0x30)) : .invalid
            }
        }
        return readLongLength(bytes, &position, longest: longest)
    }

    @inline(never)
    private static func readLongLength(
        _ bytes: ByteView, _ position: inout Int, longest: Int64
    ) -> Length {
        guard position < bytes.count, let end = bytes.firstIndex(of: 13, from: position),
            end + 1 < bytes.count
        else { return .incomplete }
        guard let value = NumberText.integer(bytes.slice(position, end)), value <= longest
        else { return .invalid }
        guard bytes[end + 1] == 10 else { return .notEnded }
        position = end + 2
        return .value(value)
    }

    // MARK: - Inline: GET "a key"\r\n

    private func parseInline(_ bytes: ByteView, into batch: borrowing RequestBatch) -> ParseOutcome
    {
        guard let newline = bytes.firstIndex(of: 10) else {
            return bytes.count > ProtocolLimits.inlineBytes
                ? .malformed(.tooBigInline) : .incomplete
        }
        var end = newline
        if end > 0 && bytes[end - 1] == 13 { end -= 1 }
        let line = bytes.slice(0, end)
        let arguments = batch.reserveArguments(line.count / 2 + 1)
        let hasQuotes =
            line.firstIndex(of: UInt8(ascii: "\"")) != nil
            || line.firstIndex(of: UInt8(ascii: "'")) != nil
        let text = hasQuotes ? batch.reserveText(line.count) : nil
        guard let count = InlineWords.split(line, into: arguments, unquotedTo: text) else {
            return .malformed(.unbalancedQuotes)
        }
        batch.commitArguments(count)
        return .request(consumed: newline + 1)
    }
}

/// The words of an inline request or of a line of configuration: blanks divide, quotes hold
/// together, a backslash escapes inside double quotes (`\n \r \t \b \a \xHH`).
enum InlineWords {
    /// Splits `line` and returns how many words there are; nil when quotes are not closed, or closed
    /// in front of something that is not a blank.
    ///
    /// - Parameters:
    ///   - words: room for one word every two bytes.
    ///   - text: room for as many bytes as the line has; nil when the line has no quotes.
    static func split(
        _ line: ByteView, into words: UnsafeMutablePointer<ByteView>,
        unquotedTo text: UnsafeMutableRawPointer?
    ) -> Int? {
        var index = 0
        var count = 0
        while true {
            while index < line.count && isBlank(line[index]) { index += 1 }
            if index >= line.count { return count }
            let start = index
            if let text {
                // Unquoting never makes a word longer, so its own place in the copy suffices.
                var length = 0
                guard readWord(line, &index, text + start, &length) else { return nil }
                words[count] = ByteView(start: UnsafeRawPointer(text + start), count: length)
            } else {
                while index < line.count && !isBlank(line[index]) { index += 1 }
                words[count] = line.slice(start, index)
            }
            count += 1
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 32 || (byte >= 9 && byte <= 13) || byte == 0
    }

    /// Reads one word from `index`, writing its plain bytes to `target`, which never overtakes.
    private static func readWord(
        _ line: ByteView, _ index: inout Int, _ target: UnsafeMutableRawPointer,
        _ length: inout Int
    ) -> Bool {
        func put(_ byte: UInt8, _ length: inout Int) {
            target.storeBytes(of: byte, toByteOffset: length, as: UInt8.self)
            length += 1
        }
        while index < line.count {
            let byte = line[index]
            if isBlank(byte) { return true }
            index += 1
            guard byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") else {
                put(byte, &length)
                continue
            }
            guard readQuoted(byte, line, &index, { put($0, &length) }) else { return false }
            // A closing quote ends the word.
            return index >= line.count || isBlank(line[index])
        }
        return true
    }

    /// Reads up to the closing `quote`; false when there is none.
    private static func readQuoted(
        _ quote: UInt8, _ line: ByteView, _ index: inout Int, _ put: (UInt8) -> Void
    ) -> Bool {
        while index < line.count {
            let byte = line[index]
            index += 1
            if byte == quote { return true }
            guard byte == UInt8(ascii: "\\"), index < line.count else {
                put(byte)
                continue
            }
            if quote == UInt8(ascii: "'") {
                // Inside single quotes only the quote itself can be escaped.
                if line[index] == quote { index += 1 }
                put(line[index - 1])
                continue
            }
            put(readEscape(line, &index))
        }
        return false
    }

    private static func readEscape(_ line: ByteView, _ index: inout Int) -> UInt8 {
        let byte = line[index]
        index += 1
        if byte == UInt8(ascii: "x"), index + 1 < line.count,
            let high = hexDigit(line[index]), let low = hexDigit(line[index + 1])
        {
            index += 2
            return high << 4 | low
        }
        switch byte {
        case UInt8(ascii: "n"): return 10
        case UInt8(ascii: "r"): return 13
        case UInt8(ascii: "t"): return 9
        case UInt8(ascii: "b"): return 8
        case UInt8(ascii: "a"): return 7
        default: return byte
        }
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
