/// The name of a stream's entry: a moment in milliseconds and a number within it.
///
/// Ordered by both, as 128 bits. Trivial; the text is `milliseconds-number`, without leading zeros.
struct StreamID: Hashable, Comparable, Sendable {
    var milliseconds: UInt64
    var sequence: UInt64

    init(_ milliseconds: UInt64, _ sequence: UInt64) {
        self.milliseconds = milliseconds
        self.sequence = sequence
    }

    /// Stands before all entries; none bears it.
    static var zero: StreamID { StreamID(0, 0) }
    static var largest: StreamID { StreamID(.max, .max) }

    @inline(__always)
    var isZero: Bool { milliseconds | sequence == 0 }

    @inline(__always)
    static func < (left: StreamID, right: StreamID) -> Bool {
        left.milliseconds < right.milliseconds
            || (left.milliseconds == right.milliseconds && left.sequence < right.sequence)
    }

    /// The id that follows; nil after the largest.
    @inline(__always)
    var next: StreamID? {
        if sequence != .max { return StreamID(milliseconds, sequence &+ 1) }
        return milliseconds == .max ? nil : StreamID(milliseconds &+ 1, 0)
    }

    /// The id before; nil before zero.
    var previous: StreamID? {
        if sequence != 0 { return StreamID(milliseconds, sequence &- 1) }
        return milliseconds == 0 ? nil : StreamID(milliseconds &- 1, .max)
    }

    // MARK: - Distance

    /// How far both parts are from those of `master`, wrapped into signed numbers.
    @inline(__always)
    func delta(from master: StreamID) -> (milliseconds: Int64, sequence: Int64) {
        (
            Int64(bitPattern: milliseconds &- master.milliseconds),
            Int64(bitPattern: sequence &- master.sequence)
        )
    }

    /// The id at these distances from this one.
    @inline(__always)
    func advanced(_ milliseconds: Int64, _ sequence: Int64) -> StreamID {
        StreamID(
            self.milliseconds &+ UInt64(bitPattern: milliseconds),
            self.sequence &+ UInt64(bitPattern: sequence))
    }

    // MARK: - Text

    /// Lends the text, which lives only during the call.
    @inline(__always)
    func withText<Result, Failure: Error>(
        _ body: (ByteView) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try NumberText.withText(of: milliseconds, UInt8(ascii: "-"), sequence, body)
    }

    /// A copy of the text, for cold paths.
    var array: [UInt8] { withText { $0.array } }

    /// What a text names.
    enum Reading: Equatable {
        case whole(StreamID)
        /// `milliseconds-*`: the number is to be found.
        case open(milliseconds: UInt64)
    }

    /// Reads `milliseconds`, `milliseconds-number`, or `milliseconds-*`; nil if it is none.
    ///
    /// A number that is missing is `missing`. Numbers are read as Redis reads them: with `strtoull`
    /// where they are not in their shortest spelling.
    static func read(_ text: ByteView, missing: UInt64) -> Reading? {
        guard text.count <= longestReadable else { return nil }
        // Redis looks at C strings: what follows a NUL is not seen.
        let text = text.prefix(text.firstIndex(of: 0) ?? text.count)
        guard let dash = text.firstIndex(of: UInt8(ascii: "-")) else {
            guard let milliseconds = NumberText.lenientUnsigned(text) else { return nil }
            return .whole(StreamID(milliseconds, missing))
        }
        guard let milliseconds = NumberText.lenientUnsigned(text.prefix(dash)) else { return nil }
        let rest = text.dropFirst(dash + 1)
        if rest.count == 1 && rest[0] == UInt8(ascii: "*") {
            return .open(milliseconds: milliseconds)
        }
        guard let sequence = NumberText.lenientUnsigned(rest) else { return nil }
        return .whole(StreamID(milliseconds, sequence))
    }

    /// As `read`, but without the open form.
    @inline(__always)
    init?(_ text: ByteView, missing: UInt64 = 0) {
        guard case .whole(let id)? = StreamID.read(text, missing: missing) else { return nil }
        self = id
    }

    /// A longer text is none, whatever it says.
    private static let longestReadable = 127
}
