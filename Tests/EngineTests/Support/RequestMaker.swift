@testable import Engine

/// Makes requests of a command out of the syntax of its own row: well formed ones, and such as are
/// spoiled in one place or another.
struct RequestMaker {
    var random: SeededRandom
    /// Which keys suit commands of a group; the others are used as well, now and then.
    let keys: [CommandGroup: [String]]
    /// How many of something the request has promised to bring, told or lied.
    private var promised: Int?

    init(random: SeededRandom, keys: [CommandGroup: [String]]) {
        self.random = random
        self.keys = keys
    }

    // MARK: - Values

    static let integers = [
        "0", "1", "-1", "2", "3", "10", "100", "9223372036854775807", "-9223372036854775808",
        "-9223372036854775807", "9223372036854775808", "18446744073709551615", "4294967296",
        "2147483647", "-2147483648", "536870912", "1.5", " 1", "1 ", "+1", "01", "", "x", "nan",
    ]
    static let doubles = [
        "0", "-0", "1", "2.5", "-3.25", "100", "1e5", "1e400", "-1e400", "nan", "-nan", "inf",
        "-inf", "+inf", "infinity", "0.0000001", "1e-320", "85.06", "180.5", "-180", "0x10",
        "(1", "(inf", "", "x", "9007199254740993", "1.7976931348623157e308",
    ]
    static let texts: [[UInt8]] =
        [
            "", "a", "b", "c", "m1", "m2", "m3", "f1", "f2", "1", "7", "-5", "[a", "(b", "-", "+",
            "[", "(", "[^", "\\", "*", "a*b*c*d", "absent", "NX", "XX", "LIMIT", "STORE", "COUNT",
            "help", "u8", "i64", "u64", "#1", "HYLL", "Palermo", "m", "km",
        ].map { Array($0.utf8) } + [[0], [0xFF, 0xFE], Array(repeating: 0x61, count: 300)]
    private static let patterns = ["*", "a*", "?", "[", "[^", "\\", "w_*", "*->f1", "#", ""]

    private mutating func pick<Value>(_ values: [Value]) -> Value {
        values[random.below(values.count)]
    }

    private mutating func oneIn(_ number: Int) -> Bool { random.below(number) == 0 }

    private mutating func key(for command: Command) -> String {
        let groups = keys.keys.sorted { $0.rawValue < $1.rawValue }
        let group = oneIn(6) ? pick(groups) : command.group
        return pick(keys[group] ?? keys[pick(groups)] ?? ["absent"])
    }

    private mutating func value(of argument: CommandArgument, for command: Command) -> [UInt8] {
        if ["numkeys", "numfields"].contains(argument.name) { return promise() }
        switch argument.kind {
        case .key: return Array(key(for: command).utf8)
        case .integer: return Array((oneIn(2) ? String(random.below(5)) : pick(Self.integers)).utf8)
        case .double: return Array((oneIn(2) ? String(random.below(50)) : pick(Self.doubles)).utf8)
        case .unixTime: return Array(pick(["1", "x", "99999999999", "9223372036854775807"]).utf8)
        case .pattern: return Array(pick(Self.patterns).utf8)
        default:
            if oneIn(4) { return Array(pick(oneIn(2) ? Self.integers : Self.doubles).utf8) }
            return pick(Self.texts)
        }
    }

    /// A count of what follows, which is a lie in one of three cases.
    private mutating func promise() -> [UInt8] {
        let count = 1 + random.below(3)
        promised = count
        guard oneIn(3) else { return Array(String(count).utf8) }
        return Array(pick([String(count + 1), String(count - 1)] + Self.integers).utf8)
    }

    // MARK: - Requests

    /// A request for `row`, spoiled in one of two cases.
    mutating func request(for row: CommandTable.Row) -> [[UInt8]] {
        promised = nil
        var request = row.fullName.split(separator: "|").map { Array($0.utf8) }
        for argument in CommandArgument.all(of: row.command) {
            add(argument, of: row.command, to: &request)
        }
        if oneIn(2) { spoil(&request, after: row.container < 0 ? 1 : 2) }
        return request
    }

    private mutating func add(
        _ argument: CommandArgument, of command: Command, to request: inout [[UInt8]]
    ) {
        if argument.isOptional && oneIn(2) { return }
        var times = 1
        if argument.isMultiple { times = promised ?? 1 + random.below(3) }
        for time in 0..<times {
            if let token = argument.token, time == 0 || argument.repeatsToken {
                request.append(Array((oneIn(8) ? token.lowercased() : token).utf8))
            }
            switch argument.kind {
            case .pureToken: break
            case .oneOf: add(pick(argument.members), of: command, to: &request)
            case .block:
                for member in argument.members { add(member, of: command, to: &request) }
            default: request.append(value(of: argument, for: command))
            }
        }
    }

    /// Takes something out, puts something in, exchanges or repeats something behind the name.
    private mutating func spoil(_ request: inout [[UInt8]], after names: Int) {
        for _ in 0...random.below(2) {
            let strange = Array(pick(Self.integers + Self.doubles).utf8)
            guard request.count > names else { return request.append(strange) }
            let place = names + random.below(request.count - names)
            switch random.below(5) {
            case 0: request.remove(at: place)
            case 1: request.insert(strange, at: place)
            case 2: request[place] = strange
            case 3: request[place] = pick(Self.texts)
            default: request.append(request[place])
            }
        }
    }
}
