/// Requests worth a second look, newest first: those that took long (SLOWLOG), that were large, or
/// whose reply was large (COMMANDLOG).
///
/// An entry keeps at most 32 arguments of at most 128 bytes, what is secret left out, so that a log
/// of the default length stays small whatever clients send. Adding is O(1), but for the copy of the
/// arguments; nothing is done while nothing is logged.
struct CommandLog {
    enum Kind: Int, CaseIterable {
        case slow, largeRequest, largeReply
    }

    struct Entry {
        /// Counts up from 0 for as long as the server runs.
        let id: Int
        /// Of the wall clock.
        let seconds: Int64
        /// Microseconds or bytes, by the kind of log.
        let amount: Int
        let arguments: [[UInt8]]
        /// Who sent the request, and the name the connection had.
        let address: String
        let name: String
    }

    /// Oldest first from `head` on; what is before it is gone.
    private var entries: ContiguousArray<Entry?> = []
    private var head = 0
    private var nextID = 0

    var count: Int { entries.count - head }

    /// Puts an entry in front; the oldest ones beyond `most` fall off.
    mutating func add(
        seconds: Int64, amount: Int, arguments: [[UInt8]], address: String, name: String, most: Int
    ) {
        entries.append(
            Entry(
                id: nextID, seconds: seconds, amount: amount, arguments: arguments,
                address: address, name: name))
        nextID += 1
        trim(to: most)
    }

    /// Drops the oldest entries beyond `most`.
    mutating func trim(to most: Int) {
        while count > max(most, 0) {
            entries[head] = nil
            head += 1
        }
        if head > 32 && head > entries.count / 2 {
            entries.removeFirst(head)
            head = 0
        }
    }

    mutating func removeAll() {
        entries = []
        head = 0
    }

    /// The newest `most` entries, newest first.
    func newest(_ most: Int) -> [Entry] {
        entries[head...].suffix(max(most, 0)).reversed().compactMap { $0 }
    }
}

// MARK: - What is kept of a request

/// The arguments of a request as others may see them.
enum RequestExcerpt {
    private static let mostArguments = 32
    private static let hidden = Array("(redacted)".utf8)

    /// At most 32 arguments of at most 128 bytes; a word says how much is missing.
    ///
    /// - Parameter secrets: which arguments are replaced by a word.
    /// - Parameter large: the large request they may belong to.
    static func short(
        _ arguments: Arguments, hiding secrets: [Int], of large: LargeRequest?
    ) -> [[UInt8]] {
        let shown = min(arguments.count, mostArguments)
        return (0..<shown).map { index in
            if shown < arguments.count && index == shown - 1 {
                return Array("... (\(arguments.count - shown + 1) more arguments)".utf8)
            }
            return secrets.contains(index) ? hidden : short(arguments[index], of: large)
        }
    }

    private static func short(_ argument: ByteView, of large: LargeRequest?) -> [UInt8] {
        let most = ProtocolLimits.excerptBytes
        // What became a value may have been freed since.
        if argument.count >= ProtocolLimits.ownBlockBytes,
            let beginning = large?.beginning(ofTaken: argument)
        {
            return beginning + missing(argument.count - most)
        }
        if argument.count <= most { return argument.array }
        return argument.prefix(most).array + missing(argument.count - most)
    }

    private static func missing(_ count: Int) -> [UInt8] {
        Array("... (\(count) more bytes)".utf8)
    }

    /// All arguments in quotes, as MONITOR shows them: one line, whatever the bytes.
    static func line(_ arguments: Arguments, hiding secrets: [Int]) -> [UInt8] {
        var line: [UInt8] = []
        for index in 0..<arguments.count {
            if index > 0 { line.append(UInt8(ascii: " ")) }
            line.append(UInt8(ascii: "\""))
            if secrets.contains(index) {
                line += hidden
            } else {
                quote(arguments[index], into: &line)
            }
            line.append(UInt8(ascii: "\""))
        }
        return line
    }

    private static func quote(_ bytes: ByteView, into line: inout [UInt8]) {
        for index in 0..<bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "\\"), UInt8(ascii: "\""): line += [UInt8(ascii: "\\"), byte]
            case 10: line += Array("\\n".utf8)
            case 13: line += Array("\\r".utf8)
            case 9: line += Array("\\t".utf8)
            case 7: line += Array("\\a".utf8)
            case 8: line += Array("\\b".utf8)
            case 0x20...0x7E: line.append(byte)
            default: line += Array("\\x".utf8) + [digit(byte >> 4), digit(byte & 15)]
            }
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    /// Bytes of the request as it came, with counts and line ends.
    static func requestBytes(_ arguments: Arguments) -> Int {
        var bytes = 3 + digits(arguments.count)
        for index in 0..<arguments.count {
            let count = arguments[index].count
            bytes += 5 + digits(count) + count
        }
        return bytes
    }

    private static func digits(_ count: Int) -> Int { NumberText.digitCount(UInt64(count)) }
}
