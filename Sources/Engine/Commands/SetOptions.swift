/// What a time argument counts.
enum TimeUnit {
    case seconds, milliseconds
}

/// The options that SET, GETEX and MSETEX share: a condition, a deadline, what to reply.
///
/// Options that contradict each other are a syntax error; the amount of time is judged only by
/// `deadline`, since the peers look at the key (GETEX) or at all options first.
struct SetOptions {
    struct Flags: OptionSet {
        let rawValue: UInt16
        static let ifAbsent = Flags(rawValue: 1)
        static let ifPresent = Flags(rawValue: 2)
        static let ifEqual = Flags(rawValue: 4)
        static let get = Flags(rawValue: 8)
        static let keep = Flags(rawValue: 16)
        static let persist = Flags(rawValue: 32)
        static let seconds = Flags(rawValue: 64)
        static let milliseconds = Flags(rawValue: 128)
        static let atSeconds = Flags(rawValue: 256)
        static let atMilliseconds = Flags(rawValue: 512)

        static let conditions: Flags = [.ifAbsent, .ifPresent, .ifEqual]
        static let times: Flags = [
            .keep, .persist, .seconds, .milliseconds, .atSeconds, .atMilliseconds,
        ]
    }

    private(set) var flags: Flags = []
    /// The text after EX, PX, EXAT or PXAT.
    private var time = ByteView.empty
    /// The value after IFEQ.
    private(set) var comparison = ByteView.empty

    /// Reads all arguments from `start` on; `allowed` names the options besides the four times.
    init(
        _ arguments: Arguments, from start: Int, allowing allowed: Flags
    ) throws(CommandError) {
        var options = Options(arguments, from: start)
        while options.hasMore {
            if options.take("EX") {
                time = try take(.seconds, &options)
            } else if options.take("PX") {
                time = try take(.milliseconds, &options)
            } else if options.take("EXAT") {
                time = try take(.atSeconds, &options)
            } else if options.take("PXAT") {
                time = try take(.atMilliseconds, &options)
            } else {
                try takeWord(&options, allowed)
            }
        }
    }

    private mutating func takeWord(
        _ options: inout Options, _ allowed: Flags
    ) throws(CommandError) {
        let flag: Flags
        if options.take("NX") {
            flag = .ifAbsent
        } else if options.take("XX") {
            flag = .ifPresent
        } else if options.take("GET") {
            flag = .get
        } else if options.take("KEEPTTL") {
            flag = .keep
        } else if options.take("PERSIST") {
            flag = .persist
        } else if options.take("IFEQ") {
            flag = .ifEqual
        } else {
            throw .syntax
        }
        guard allowed.contains(flag) else { throw .syntax }
        try insert(flag)
        if flag == .ifEqual { comparison = try options.next() }
    }

    private mutating func take(
        _ flag: Flags, _ options: inout Options
    ) throws(CommandError) -> ByteView {
        try insert(flag)
        return try options.next()
    }

    /// Only one condition and one kind of time go together; IFEQ stands but once.
    private mutating func insert(_ flag: Flags) throws(CommandError) {
        let group = Flags.times.contains(flag) ? Flags.times : Flags.conditions
        if flag != .get && !flags.intersection(group).subtracting(flag).isEmpty { throw .syntax }
        if flag == .ifEqual && flags.contains(.ifEqual) { throw .syntax }
        flags.insert(flag)
    }

    /// Whether the time is a moment rather than a span.
    var isAbsolute: Bool { !flags.isDisjoint(with: [.atSeconds, .atMilliseconds]) }

    /// The wall-clock millisecond that EX, PX, EXAT or PXAT tell; 0 without them.
    func deadline(_ call: inout Call) throws(CommandError) -> Int64 {
        let start = isAbsolute ? 0 : call.now
        if !flags.isDisjoint(with: [.seconds, .atSeconds]) {
            return try Self.deadline(time, .seconds, from: start, &call)
        }
        if !flags.isDisjoint(with: [.milliseconds, .atMilliseconds]) {
            return try Self.deadline(time, .milliseconds, from: start, &call)
        }
        return 0
    }

    /// `text` units after `start`; it must be positive and within 64 bits.
    @inline(__always)
    static func deadline(
        _ text: ByteView, _ unit: TimeUnit, from start: Int64, _ call: inout Call
    ) throws(CommandError) -> Int64 {
        guard let amount = NumberText.integer(text) else { throw .notInteger }
        let (span, overflow) = amount.multipliedReportingOverflow(by: unit == .seconds ? 1000 : 1)
        let (deadline, carry) = span.addingReportingOverflow(start)
        guard amount > 0, !overflow, !carry else { throw invalidExpireTime(&call) }
        return deadline
    }

    @inline(never)
    static func invalidExpireTime(_ call: inout Call) -> CommandError {
        call.fail("ERR invalid expire time in '\(call.row.fullName)' command")
    }
}
