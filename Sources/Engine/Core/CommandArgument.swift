/// An argument of a command as COMMAND DOCS tells it, for the hints of command-line clients.
struct CommandArgument: Equatable {
    enum Kind: String {
        case string, integer, double, key, pattern
        case unixTime = "unix-time"
        case pureToken = "pure-token"
        case oneOf = "oneof"
        case block
    }

    var name: String
    var kind: Kind
    /// A word that stands in front of the value, or that is all there is of it.
    var token: String?
    /// Which specification finds it, for keys.
    var keySpec: Int?
    var isOptional = false
    var isMultiple = false
    /// Repeated with its token each time.
    var repeatsToken = false
    /// The choices of `oneOf`, the members of `block`.
    var members: [CommandArgument] = []

    /// The arguments that the syntax of `command` describes.
    static func all(of command: Command) -> [CommandArgument] {
        var reader = SyntaxReader(command)
        return reader.read()
    }
}

/// Reads the syntax of a row: `key value [NX | XX] [EX seconds | PX milliseconds]`.
///
/// Brackets hold what is optional, angles what has to be there; bars divide choices; capitals are
/// tokens, which take the values behind them along; `[x ...]` behind an `x` says that it repeats.
private struct SyntaxReader {
    private let command: Command
    private var words: [String]
    private var position = 0
    private var keysSeen = 0

    init(_ command: Command) {
        self.command = command
        var spaced = ""
        for character in command.syntax {
            spaced += "[]<>|".contains(character) ? " \(character) " : String(character)
        }
        words = spaced.split(separator: " ").map(String.init)
    }

    mutating func read() -> [CommandArgument] { readChoices(until: nil) }

    private var next: String? { position < words.count ? words[position] : nil }

    /// Everything up to the closing `end`: one sequence, or several as one choice.
    private mutating func readChoices(until end: String?) -> [CommandArgument] {
        var choices: [[CommandArgument]] = [[]]
        while let word = next, word != end {
            if word == "|" {
                position += 1
                choices.append([])
            } else if let item = readItem(after: choices[choices.count - 1].last) {
                choices[choices.count - 1].append(item)
            } else {
                markRepeated(&choices[choices.count - 1])
            }
        }
        position = min(position + 1, words.count)
        if choices.count == 1 { return choices[0] }
        let members = choices.compactMap { Self.joined($0) }
        let name = members.prefix(2).map(\.name).joined(separator: "-or-")
        return [CommandArgument(name: name, kind: .oneOf, members: members)]
    }

    /// Several arguments as one.
    private static func joined(_ arguments: [CommandArgument], token: String? = nil)
        -> CommandArgument?
    {
        guard let first = arguments.first else { return nil }
        if arguments.count == 1 && (token == nil || first.token == nil) {
            var single = first
            single.token = token ?? first.token
            return single
        }
        let name = token?.lowercased() ?? arguments.prefix(3).map(\.name).joined(separator: "_")
        return CommandArgument(name: name, kind: .block, token: token, members: arguments)
    }

    /// One argument; nil for a group that only repeats what stands before it, which is skipped up
    /// to its dots.
    private mutating func readItem(after last: CommandArgument?) -> CommandArgument? {
        guard let word = next else { return nil }
        position += 1
        switch word {
        case "[":
            if repeatsEarlier() { return nil }
            var item = Self.joined(readChoices(until: "]"))
            item?.isOptional = true
            return item
        case "<": return Self.joined(readChoices(until: ">"))
        case "...": return nil
        default: return Self.isToken(word) ? readToken(word) : value(word)
        }
    }

    private static func isToken(_ word: String) -> Bool {
        word.unicodeScalars.allSatisfy { !($0.value >= 0x61 && $0.value <= 0x7A) }
    }

    /// A token and the values that belong to it.
    private mutating func readToken(_ token: String) -> CommandArgument {
        var values: [CommandArgument] = []
        while let word = next, !["]", ">", "|", "..."].contains(word),
            !Self.isToken(word) || word == "<"
                || (word == "[" && !opensOption)
        {
            if let item = readItem(after: values.last) {
                values.append(item)
            } else {
                markRepeated(&values)
            }
        }
        return Self.joined(values, token: token)
            ?? CommandArgument(name: token.lowercased(), kind: .pureToken, token: token)
    }

    /// Whether the bracket here opens an option of its own rather than something of a value.
    private var opensOption: Bool {
        position + 1 < words.count && Self.isToken(words[position + 1])
            && words[position + 1].unicodeScalars.contains { $0.value >= 0x41 && $0.value <= 0x5A }
    }

    // MARK: - Repetition

    /// How many words are repeated by the group behind the bracket just read: `[key value ...]`.
    private var repeated: (words: ArraySlice<String>, end: Int)? {
        guard let end = words[position...].firstIndex(of: "]"), end > position,
            words[end - 1] == "..."
        else { return nil }
        return (words[position..<end - 1], end)
    }

    private func repeatsEarlier() -> Bool {
        guard let (group, _) = repeated else { return false }
        let start = position - 1 - group.count
        return start >= 0 && (group.isEmpty || Array(words[start..<position - 1]) == Array(group))
    }

    /// Marks the last of `arguments` as repeated: as many as the group, which is then passed over,
    /// has words.
    private mutating func markRepeated(_ arguments: inout [CommandArgument]) {
        guard let (group, end) = repeated, position > 0, words[position - 1] == "[" else {
            if !arguments.isEmpty { arguments[arguments.count - 1].isMultiple = true }
            return
        }
        position = end + 1
        let startsWithToken = group.first.map(Self.isToken) ?? false
        let count =
            startsWithToken || group.isEmpty ? 1 : min(group.count, arguments.count)
        guard count > 0 else { return }
        guard var item = Self.joined(Array(arguments.suffix(count))) else { return }
        item.isMultiple = true
        item.repeatsToken = startsWithToken
        arguments.removeLast(count)
        arguments.append(item)
    }

    // MARK: - Values

    private mutating func value(_ name: String) -> CommandArgument {
        var argument = CommandArgument(name: name, kind: kind(of: name))
        if argument.kind == .key {
            argument.keySpec = min(keysSeen, command.keys.count - 1)
            keysSeen += 1
        }
        return argument
    }

    private func kind(of name: String) -> CommandArgument.Kind {
        if !command.keys.isEmpty && Self.keyNames.contains(name) { return .key }
        if name == "pattern" { return .pattern }
        if name.hasPrefix("unix-time") { return .unixTime }
        if name == "timeout" { return command.flags.contains(.blocking) ? .double : .integer }
        if name == "increment" { return command.name.hasSuffix("FLOAT") ? .double : .integer }
        if Self.integerNames.contains(name) { return .integer }
        return Self.doubleNames.contains(name) ? .double : .string
    }

    private static let keyNames: Set<String> = [
        "key", "key1", "key2", "newkey", "source", "destination", "destkey", "sourcekey",
        "shardchannel", "src", "dst",
    ]
    private static let integerNames: Set<String> = [
        "client-id", "count", "cursor", "db", "decrement", "destination-db", "end", "idle",
        "index", "index1", "index2", "limit", "maxage", "maxlen", "milliseconds", "min-idle-time",
        "numkeys", "numlocal", "numreplicas", "numslaves", "offset", "port", "protover", "rank",
        "seconds", "slot", "start", "stop", "ttl",
    ]
    private static let doubleNames: Set<String> = [
        "height", "latitude", "longitude", "radius", "score", "width",
    ]
}
