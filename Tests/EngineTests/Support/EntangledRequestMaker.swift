@testable import Engine

/// Makes well-formed requests of a command whose keys and other words may be called like its options, and
/// whose options stand in other places, or more than once.
struct EntangledRequestMaker {
    var random: SeededRandom
    /// Names of keys that suit the commands of a group.
    let names: [CommandGroup: [String]]
    private var tokens: [String] = []
    private var suitable: [String] = []
    /// How many keys the request has promised.
    private var promised: Int?

    init(random: SeededRandom, names: [CommandGroup: [String]]) {
        self.random = random
        self.names = names
    }

    mutating func request(for row: CommandTable.Row) -> [[UInt8]] {
        let arguments = CommandArgument.all(of: row.command)
        tokens = Self.tokens(arguments)
        suitable = names[row.command.group] ?? names[.generic] ?? []
        promised = nil
        var request = row.fullName.split(separator: "|").map(String.init)
        var places: [Int] = []
        for argument in arguments {
            places.append(request.count)
            if !argument.isOptional || random.below(3) == 0 { append(argument, to: &request) }
        }
        places.append(request.count)
        let options = arguments.filter(\.isOptional)
        for _ in 0..<random.below(4) where !options.isEmpty {
            var words: [String] = []
            append(options[random.below(options.count)], to: &words)
            let place = places[random.below(places.count)]
            request.insert(contentsOf: words, at: place)
            places = places.map { $0 > place ? $0 + words.count : $0 }
        }
        return request.map { Array($0.utf8) }
    }

    /// The words by which options are known.
    static func tokens(_ arguments: [CommandArgument]) -> [String] {
        arguments.flatMap { argument in
            (argument.token.map { [$0] } ?? []) + tokens(argument.members)
        }
    }

    private mutating func append(_ argument: CommandArgument, to words: inout [String]) {
        let times = argument.isMultiple ? promised ?? 1 + random.below(2) : 1
        for time in 0..<times {
            if let token = argument.token, time == 0 || argument.repeatsToken {
                words.append(token)
            }
            switch argument.kind {
            case .pureToken: break
            case .oneOf:
                append(argument.members[random.below(argument.members.count)], to: &words)
            case .block: for member in argument.members { append(member, to: &words) }
            default: words.append(value(of: argument))
            }
        }
    }

    private mutating func value(of argument: CommandArgument) -> String {
        switch argument.kind {
        case .key: return pick(random.below(2) == 0 ? tokens : suitable)
        case .integer where argument.name == "numkeys":
            promised = 1 + random.below(2)
            return String(promised ?? 1)
        case .integer, .double: return "1"
        case .unixTime: return "99999999999"
        default: break
        }
        switch argument.name {
        case "operation": return "AND"
        case "encoding", "type": return "u4"
        case "min": return "-inf"
        case "max": return "+inf"
        case "id": return pick(["1", ">", "0"])
        default: return pick(random.below(2) == 0 ? tokens : ["1", "a", "m", "x"])
        }
    }

    private mutating func pick(_ words: [String]) -> String {
        words.isEmpty ? pick(suitable) : words[random.below(words.count)]
    }
}
