/// Why a command was refused: the client's fault, told by one line of text.
///
/// Every standing text is spelled once, here, as Redis 7 spells it (clients match on them).
/// A text that depends on the request is written by the handler itself: `throw call.fail("…")`.
enum CommandError: Error {
    case wrongType
    case syntax
    case notInteger
    case notFloat
    case outOfRange
    case indexOutOfRange
    case noSuchKey
    case sameObject
    case stringTooLong
    case databaseOutOfRange
    case invalidCursor
    case notPositive
    case timeoutNotFloat
    case timeoutNegative
    case timeoutOutOfRange
    case timeoutNotInteger
    case invalidStreamID
    case outOfMemory
    /// A text of one command alone, with its code in front.
    case text(StaticString)
    /// The handler has written the reply.
    case replied

    var text: StaticString {
        switch self {
        case .wrongType: "WRONGTYPE Operation against a key holding the wrong kind of value"
        case .syntax: "ERR syntax error"
        case .notInteger: "ERR value is not an integer or out of range"
        case .notFloat: "ERR value is not a valid float"
        case .outOfRange: "ERR value is out of range"
        case .indexOutOfRange: "ERR index out of range"
        case .noSuchKey: "ERR no such key"
        case .sameObject: "ERR source and destination objects are the same"
        case .stringTooLong: "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
        case .databaseOutOfRange: "ERR DB index is out of range"
        case .invalidCursor: "ERR invalid cursor"
        case .notPositive: "ERR value is out of range, must be positive"
        case .timeoutNotFloat: "ERR timeout is not a float or out of range"
        case .timeoutNegative: "ERR timeout is negative"
        case .timeoutOutOfRange: "ERR timeout is out of range"
        case .timeoutNotInteger: "ERR timeout is not an integer or out of range"
        case .invalidStreamID: "ERR Invalid stream ID specified as stream command argument"
        case .outOfMemory: "OOM command not allowed when used memory > 'maxmemory'."
        case .text(let text): text
        case .replied: ""
        }
    }
}

extension ReplyWriter {
    mutating func error(_ error: CommandError) {
        if case .replied = error { return }
        self.error(ByteView(error.text))
    }
}
