/// Which connections CLIENT LIST shows and CLIENT KILL closes: those that meet all conditions.
///
/// A condition given twice counts as given last, except that ids add up. Cold: a test of each
/// connection costs a comparison of strings a condition.
struct ConnectionFilter {
    enum Use {
        case list, kill
    }

    private enum Property {
        case ids([Int64])
        case kind(Connection.Kind)
        case address(String)
        case localAddress(String)
        case ip(String)
        case user([UInt8])
        case name(String)
        case libraryName(String)
        case libraryVersion(String)
        case database(Int)
        case flags(String)
        case capabilities(String)
        case age(Int64)
        case idle(Int64)
    }

    private struct Condition {
        let word: String
        let isNegated: Bool
        var property: Property
    }

    private var conditions: [Condition] = []
    private var skipsSelf: Bool

    /// Reads all that is left of `options`; errors are those of the peers.
    init(_ options: inout Options, _ call: inout Call, use: Use) throws(CommandError) {
        skipsSelf = use == .kill
        while options.hasMore {
            guard options.remaining > 1 else { throw .syntax }
            if options.take("SKIPME") {
                skipsSelf = try Self.readYesNo(&options)
                continue
            }
            let word = try options.next().uppercasedText
            let isNegated = word.hasPrefix("NOT-")
            let plain = isNegated ? String(word.dropFirst(4)) : word
            if isNegated && (plain == "MAXAGE" || plain == "IDLE") { throw .syntax }
            add(
                Condition(
                    word: plain, isNegated: isNegated,
                    property: try Self.read(plain, isNegated, &options, &call, use)))
        }
    }

    private mutating func add(_ condition: Condition) {
        let place = conditions.firstIndex {
            $0.word == condition.word && $0.isNegated == condition.isNegated
        }
        guard let place else { return conditions.append(condition) }
        if case .ids(let earlier) = conditions[place].property,
            case .ids(let later) = condition.property
        {
            conditions[place].property = .ids(earlier + later)
        } else {
            conditions[place] = condition
        }
    }

    private static func readYesNo(_ options: inout Options) throws(CommandError) -> Bool {
        if options.take("YES") { return true }
        if options.take("NO") { return false }
        throw .syntax
    }

    // MARK: - Reading

    private static func read(
        _ word: String, _ isNegated: Bool, _ options: inout Options, _ call: inout Call, _ use: Use
    ) throws(CommandError) -> Property {
        switch word {
        case "ID": return .ids(try readIDs(&options, use))
        case "TYPE": return .kind(try readKind(&options, &call))
        case "ADDR": return .address(try options.next().string)
        case "LADDR": return .localAddress(try options.next().string)
        case "IP": return .ip(try options.next().string)
        case "USER": return .user(try readUser(&options, &call))
        case "NAME": return .name(try options.next().string)
        case "LIB-NAME": return .libraryName(try options.next().string)
        case "LIB-VER": return .libraryVersion(try options.next().string)
        case "DB": return .database(try readDatabase(&options, &call))
        case "FLAGS":
            return .flags(
                try readLetters(&options, &call, allowed: flagLetters, "flags", isNegated))
        case "CAPA":
            return .capabilities(try readLetters(&options, &call, allowed: "r", "capa", isNegated))
        case "MAXAGE":
            return .age(
                try readSeconds(
                    &options, "ERR maxage is not an integer or out of range",
                    "ERR maxage should be greater than 0"))
        case "IDLE":
            return .idle(
                try readSeconds(
                    &options, "ERR idle is not an integer or out of range",
                    "ERR idle should be greater than 0"))
        default: throw .syntax
        }
    }

    /// One id or several: as many as there are numbers.
    private static func readIDs(
        _ options: inout Options, _ use: Use
    ) throws(CommandError) -> [Int64] {
        var ids: [Int64] = []
        repeat {
            let text = options.peek
            let id = NumberText.integer(text)
            if id == nil && !ids.isEmpty && (use == .kill || isWord(text)) { return ids }
            guard let id, use == .list || id > 0 else {
                throw use == .list
                    ? .text("ERR Invalid client ID")
                    : .text("ERR client-id should be greater than 0")
            }
            ids.append(id)
            _ = try options.next()
        } while options.hasMore
        return ids
    }

    private static let words: Set<String> = [
        "ID", "TYPE", "ADDR", "LADDR", "IP", "USER", "NAME", "LIB-NAME", "LIB-VER", "DB", "FLAGS",
        "CAPA", "MAXAGE", "IDLE", "SKIPME",
    ]

    private static func isWord(_ text: ByteView) -> Bool {
        let word = text.uppercasedText
        return words.contains(word.hasPrefix("NOT-") ? String(word.dropFirst(4)) : word)
    }

    private static func readKind(
        _ options: inout Options, _ call: inout Call
    ) throws(CommandError) -> Connection.Kind {
        if options.take("NORMAL") { return .normal }
        if options.take("MASTER") || options.take("PRIMARY") { return .primary }
        if options.take("SLAVE") || options.take("REPLICA") { return .replica }
        if options.take("PUBSUB") { return .subscriber }
        throw call.fail("ERR Unknown client type '\(options.peek.string)'")
    }

    private static func readUser(
        _ options: inout Options, _ call: inout Call
    ) throws(CommandError) -> [UInt8] {
        let user = try options.next()
        guard call.server.access.user(user.array) != nil else {
            throw call.fail("ERR No such user '\(user.string)'")
        }
        return user.array
    }

    private static func readDatabase(
        _ options: inout Options, _ call: inout Call
    ) throws(CommandError) -> Int {
        guard let number = NumberText.integer(try options.next()) else {
            throw .text("ERR DB is not an integer or out of range")
        }
        guard number >= 0, number < call.keyspace.databaseCount else {
            throw call.fail(
                "ERR DB number should be between 0 and \(call.keyspace.databaseCount - 1)")
        }
        return Int(number)
    }

    /// The letters that CLIENT LIST can show, and those that peers know besides.
    private static let flagLetters = "ABEIMNOPRSTUbcdeirtux"

    private static func readLetters(
        _ options: inout Options, _ call: inout Call, allowed: String, _ what: String,
        _ isNegated: Bool
    ) throws(CommandError) -> String {
        let letters = try options.next().string
        guard letters.allSatisfy({ allowed.contains($0) }) else {
            let place = isNegated ? "NOT-\(what.uppercased())" : "provided"
            throw call.fail("ERR Unknown \(what) found in the \(place) filter: \(letters)")
        }
        return letters
    }

    private static func readSeconds(
        _ options: inout Options, _ notInteger: StaticString, _ notPositive: StaticString
    ) throws(CommandError) -> Int64 {
        guard let seconds = NumberText.integer(try options.next()) else { throw .text(notInteger) }
        guard seconds > 0 else { throw .text(notPositive) }
        return seconds
    }

    // MARK: - Matching

    func matches(_ connection: Connection, _ call: borrowing Call) -> Bool {
        if skipsSelf && connection === call.connection { return false }
        for condition in conditions
        where Self.has(connection, condition.property, call.server) == condition.isNegated {
            return false
        }
        return true
    }

    private static func has(
        _ connection: Connection, _ property: Property, _ server: Server
    ) -> Bool {
        switch property {
        case .ids(let ids): ids.contains(Int64(connection.id))
        case .kind(let kind): connection.kind == kind
        case .address(let name): connection.peerName == name
        case .localAddress(let name): connection.localName == name
        case .ip(let address): connection.peerAddress == address
        case .user(let user): connection.session.user?.name == user
        case .name(let name): connection.session.name == name
        case .libraryName(let name): connection.session.libraryName == name
        case .libraryVersion(let version): connection.session.libraryVersion == version
        case .database(let number): connection.session.database == number
        case .flags(let letters): contains(server.flags(of: connection), all: letters)
        case .capabilities(let letters): contains(connection.session.capabilities, all: letters)
        case .age(let seconds):
            (server.clock.wallMilliseconds - connection.createdAt) / 1000 >= seconds
        case .idle(let seconds): server.idleSeconds(of: connection) >= seconds
        }
    }

    private static func contains(_ text: String, all letters: String) -> Bool {
        letters.allSatisfy { text.contains($0) }
    }
}
