/// What commands on streams read off their arguments: ids, bounds of intervals, how to trim.
extension StreamID {
    /// An id spelled out; a missing number is `missing`.
    @inline(__always)
    static func exactly(_ text: ByteView, missing: UInt64 = 0) throws(CommandError) -> StreamID {
        guard let id = StreamID(text, missing: missing) else { throw .invalidStreamID }
        return id
    }

    /// An id spelled out, or `-` or `+` for the smallest and the largest.
    static func any(_ text: ByteView, missing: UInt64 = 0) throws(CommandError) -> StreamID {
        if text.count == 1 {
            if text[0] == UInt8(ascii: "-") { return .zero }
            if text[0] == UInt8(ascii: "+") { return .largest }
        }
        return try exactly(text, missing: missing)
    }

    /// The first id of an interval; one after `(` is itself left out.
    static func intervalStart(_ text: ByteView) throws(CommandError) -> StreamID {
        guard text.count > 1, text[0] == UInt8(ascii: "(") else { return try any(text) }
        guard let next = try exactly(text.dropFirst(1)).next else {
            throw .text("ERR invalid start ID for the interval")
        }
        return next
    }

    /// The last id of an interval; one after `(` is itself left out.
    static func intervalEnd(_ text: ByteView) throws(CommandError) -> StreamID {
        guard text.count > 1, text[0] == UInt8(ascii: "(") else {
            return try any(text, missing: .max)
        }
        guard let previous = try exactly(text.dropFirst(1), missing: .max).previous else {
            throw .text("ERR invalid end ID for the interval")
        }
        return previous
    }
}

/// The options of XADD and XTRIM: `[NOMKSTREAM] [MAXLEN | MINID [= | ~] threshold [LIMIT count]]`,
/// and for XADD the id behind them.
struct StreamTrimOptions {
    /// The id of an entry that is added.
    enum NewID {
        case automatic
        /// These milliseconds, and a number that is to be found.
        case open(UInt64)
        case whole(StreamID)
    }

    var newID = NewID.automatic
    /// Where the id stands; behind the arguments where there is none.
    var idArgument = 2
    var makesStream = true
    /// How far to trim; nil: not at all.
    var trimming: StreamValue.Trimming?
    var isApproximate = false
    /// Where the threshold stands; what is before it may be `~` or `=`.
    var thresholdArgument = 0
    /// The most entries to remove; 0: no limit.
    var limit = 0
    /// LIMIT and its count.
    var limitArguments = 0..<0

    private static let most: Int64 = 1_000_000

    init(
        _ call: borrowing Call, isAdding: Bool, nodeEntries: Int
    ) throws(CommandError) {
        // The usual XADD has no options.
        if isAdding && call.arguments[2].count == 1 && call.arguments[2][0] == UInt8(ascii: "*") {
            return
        }
        var options = Options(call.arguments, from: 2)
        var givenLimit: Int64?
        var hasID = false
        while options.hasMore && !hasID {
            if isAdding && options.take("*") {
                hasID = true
            } else if options.remaining > 1 && options.take("MAXLEN") {
                try takeThreshold(&options, isLength: true)
            } else if options.remaining > 1 && options.take("MINID") {
                try takeThreshold(&options, isLength: false)
            } else if options.remaining > 1 && options.take("LIMIT") {
                givenLimit = try options.integer()
                limitArguments = options.index - 2..<options.index
                guard givenLimit ?? 0 >= 0 else {
                    throw .text("ERR The LIMIT argument must be >= 0.")
                }
            } else if isAdding && options.take("NOMKSTREAM") {
                makesStream = false
            } else if isAdding {
                newID = try Self.newID(try options.next())
                hasID = true
            } else {
                throw .syntax
            }
        }
        idArgument = hasID ? options.index - 1 : options.index
        try settleLimit(givenLimit, isAdding: isAdding, nodeEntries: nodeEntries)
    }

    private static func newID(_ text: ByteView) throws(CommandError) -> NewID {
        switch StreamID.read(text, missing: 0) {
        case .whole(let id): return .whole(id)
        case .open(let milliseconds): return .open(milliseconds)
        case nil: throw .invalidStreamID
        }
    }

    private mutating func takeThreshold(
        _ options: inout Options, isLength: Bool
    ) throws(CommandError) {
        guard trimming == nil else {
            throw .text(
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
        }
        isApproximate = false
        if options.remaining > 1 {
            if options.take("~") { isApproximate = true } else { _ = options.take("=") }
        }
        thresholdArgument = options.index
        guard isLength else {
            trimming = .from(try StreamID.exactly(try options.next()))
            return
        }
        let length = try options.integer()
        guard length >= 0 else { throw .text("ERR The MAXLEN argument must be >= 0.") }
        trimming = .length(Int(length))
    }

    private mutating func settleLimit(
        _ given: Int64?, isAdding: Bool, nodeEntries: Int
    ) throws(CommandError) {
        if given ?? 0 != 0 && trimming == nil {
            throw .text(
                "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
        }
        if !isAdding && trimming == nil {
            throw .text("ERR syntax error, XTRIM must be called with a trimming strategy")
        }
        if let given {
            guard isApproximate else {
                throw .text("ERR syntax error, LIMIT cannot be used without the special ~ option")
            }
            limit = Int(given)
        } else if isApproximate {
            // So that one command does not take long: a hundred nodes at most.
            let (hundred, overflow) = Int64(nodeEntries).multipliedReportingOverflow(by: 100)
            limit = overflow ? Int(Self.most) : Int(min(hundred, Self.most))
            if limit <= 0 { limit = 10_000 }
        }
    }
}

extension Call {
    /// The error of a command that needs a group which is not there.
    mutating func missingGroup(
        _ key: ByteView, _ group: ByteView, _ tail: StaticString = ""
    ) -> CommandError {
        fail([
            ByteView("NOGROUP No such key '"), key, ByteView("' or consumer group '"), group,
            ByteView("'"), ByteView(tail),
        ])
    }

    /// Writes an error made of these pieces.
    mutating func fail(_ pieces: [ByteView]) -> CommandError {
        pieces.flatMap(\.array).withByteView { reply.error($0) }
        return .replied
    }
}
