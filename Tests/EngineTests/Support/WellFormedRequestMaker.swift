@testable import Engine

/// Makes well-formed requests of any command from what its row says of its syntax, for keys that the
/// test names.
struct WellFormedRequestMaker {
    /// Names for keys, handed out in turn.
    var keyName: (Int) -> String
    private var keys = 0
    private var keysBeforeCount = 0
    private var random: SeededRandom

    init(seed: UInt64, keyName: @escaping (Int) -> String) {
        random = SeededRandom(seed: seed)
        self.keyName = keyName
    }

    /// A request of the command in `row`, with or without each option.
    mutating func request(of row: CommandTable.Row) -> [String] {
        keys = 0
        keysBeforeCount = 0
        var words = row.fullName.split(separator: "|").map { $0.uppercased() }
        for argument in CommandArgument.all(of: row.command) { append(argument, to: &words) }
        // A count of keys is known once they stand there.
        return words.map { $0 == Self.keyCount ? "\(max(1, keys - keysBeforeCount))" : $0 }
    }

    private static let keyCount = "<numkeys>"

    private mutating func append(_ argument: CommandArgument, to words: inout [String]) {
        if argument.isOptional && random.below(2) == 0 { return }
        let times = argument.isMultiple ? 1 + random.below(2) : 1
        for time in 0..<times {
            if let token = argument.token, time == 0 || argument.repeatsToken,
                argument.kind != .pureToken
            {
                words.append(token)
            }
            appendValue(of: argument, to: &words)
        }
    }

    private mutating func appendValue(of argument: CommandArgument, to words: inout [String]) {
        switch argument.kind {
        case .pureToken: words.append(argument.token ?? argument.name)
        case .oneOf: append(argument.members[random.below(argument.members.count)], to: &words)
        case .block:
            for member in argument.members { append(member, to: &words) }
        case .key:
            words.append(keyName(keys))
            keys += 1
        case .integer where argument.name == "numkeys":
            keysBeforeCount = keys
            words.append(Self.keyCount)
        case .integer: words.append("1")
        case .double: words.append("1")
        case .unixTime: words.append("99999999999")
        case .pattern, .string: words.append(value(argument.name))
        }
    }

    private mutating func value(_ name: String) -> String {
        switch name {
        case "operation": "AND"
        case "encoding", "type": "u4"
        case "unit": "m"
        case "min": "-inf"
        case "max": "+inf"
        default: ["1", "x", "a*"][random.below(3)]
        }
    }
}
