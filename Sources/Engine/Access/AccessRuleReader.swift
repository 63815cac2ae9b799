/// Applies the words of ACL SETUSER, of `user` directives and of the users' file to rules.
///
/// A word that is wrong changes nothing and is told by an `AccessRuleError`; whoever applies several
/// does so to a copy.
struct AccessRuleReader {
    private let catalog: AccessCatalog
    /// `acl-pubsub-default allchannels`.
    private let opensChannels: Bool
    /// Rules that work and should not be used any more; for the log.
    private(set) var warnings: [String] = []

    init(_ catalog: AccessCatalog, opensChannels: Bool) {
        self.catalog = catalog
        self.opensChannels = opensChannels
    }

    /// Applies one word.
    mutating func apply(
        _ rule: [UInt8], to rules: inout AccessRules
    ) throws(AccessRuleError) {
        guard let first = rule.first else { return }
        switch String(decoding: AccessCatalog.folded(rule), as: UTF8.self) {
        case "on": rules.isEnabled = true
        case "off": rules.isEnabled = false
        case "skip-sanitize-payload": rules.payloadCheck = .skipped
        case "sanitize-payload": rules.payloadCheck = .checked
        case "nopass":
            rules.needsNoPassword = true
            rules.setPasswords([])
        case "resetpass":
            rules.needsNoPassword = false
            rules.setPasswords([])
        case "clearselectors": rules.selectors.removeSubrange(1...)
        case "reset":
            rules = AccessRules(allowsAllChannels: opensChannels)
            rules.payloadCheck = .checked
        default:
            let rest = Array(rule.dropFirst())
            switch first {
            case UInt8(ascii: ">"): Self.add(PasswordHash(of: rest), to: &rules)
            case UInt8(ascii: "#"): Self.add(try Self.hash(rest), to: &rules)
            case UInt8(ascii: "<"): try Self.remove(PasswordHash(of: rest), from: &rules)
            case UInt8(ascii: "!"): try Self.remove(try Self.hash(rest), from: &rules)
            case UInt8(ascii: "(") where rule.last == UInt8(ascii: ")"):
                rules.selectors.append(try selector(Array(rest.dropLast())))
            default: try apply(rule, to: &rules.selectors[0])
            }
        }
    }

    // MARK: - Passwords

    private static func hash(_ digits: [UInt8]) throws(AccessRuleError) -> PasswordHash {
        guard let hash = PasswordHash(digits: digits) else { throw .badHash }
        return hash
    }

    private static func add(_ password: PasswordHash, to rules: inout AccessRules) {
        rules.add(password)
        rules.needsNoPassword = false
    }

    private static func remove(
        _ password: PasswordHash, from rules: inout AccessRules
    ) throws(AccessRuleError) {
        guard rules.remove(password) else { throw .noSuchPassword }
    }

    // MARK: - Selectors

    /// What stands between parentheses; words that cannot be told apart allow nothing.
    private mutating func selector(_ text: [UInt8]) throws(AccessRuleError) -> AccessSelector {
        var selector = AccessSelector(allowsAllChannels: opensChannels)
        for word in QuotedWords.split(text) ?? [] {
            // An empty word does nothing to a user, but is no rule of a selector.
            guard !word.isEmpty else { throw .syntax }
            try apply(word, to: &selector)
        }
        return selector
    }

    /// Words joined from each that opens a parenthesis to the next that closes one.
    ///
    /// - Throws: the place of a word that opens one which is never closed.
    static func joined(_ words: [[UInt8]]) throws(UnmatchedParenthesis) -> [[UInt8]] {
        var joined: [[UInt8]] = []
        var open: (place: Int, text: [UInt8])?
        for (place, word) in words.enumerated() {
            let closes = word.last == UInt8(ascii: ")")
            if word.first == UInt8(ascii: "(") && !closes {
                open = (place, word)
            } else if open != nil {
                open?.text.append(UInt8(ascii: " "))
                open?.text.append(contentsOf: word)
                if closes, let whole = open {
                    joined.append(whole.text)
                    open = nil
                }
            } else {
                joined.append(word)
            }
        }
        if let open { throw UnmatchedParenthesis(place: open.place) }
        return joined
    }

    private mutating func apply(
        _ rule: [UInt8], to selector: inout AccessSelector
    ) throws(AccessRuleError) {
        switch String(decoding: AccessCatalog.folded(rule), as: UTF8.self) {
        case "allkeys", "~*":
            selector.allowsAllKeys = true
            selector.forgetKeyPatterns()
        case "resetkeys":
            selector.allowsAllKeys = false
            selector.forgetKeyPatterns()
        case "allchannels", "&*":
            selector.allowsAllChannels = true
            selector.forgetChannelPatterns()
        case "resetchannels":
            selector.allowsAllChannels = false
            selector.forgetChannelPatterns()
        case "allcommands", "+@all": selector.allowAllCommands()
        case "nocommands", "-@all": selector.forbidAllCommands()
        default:
            let rest = rule.dropFirst()
            switch rule.first {
            case UInt8(ascii: "~"): try Self.add(Array(rest), .all, to: &selector)
            case UInt8(ascii: "%"): try Self.addKeys(Array(rest), to: &selector)
            case UInt8(ascii: "&"): try Self.add(channel: Array(rest), to: &selector)
            case UInt8(ascii: "+"), UInt8(ascii: "-"):
                let allows = rule.first == UInt8(ascii: "+")
                if rest.first == UInt8(ascii: "@") {
                    guard let bits = catalog.category(rest.dropFirst()) else { throw .unknownName }
                    selector.setCategory(bits, allows, catalog)
                } else if allows {
                    try allow(Array(rest), in: &selector)
                } else {
                    guard let number = catalog.find(rest) else { throw .unknownName }
                    selector.setCommand(number, false, catalog)
                }
            default: throw .syntax
            }
        }
    }

    // MARK: - Commands

    /// `get`, `config|get`, or `select|0`: a command that is no container, with the one first
    /// argument it may have.
    private mutating func allow(
        _ name: [UInt8], in selector: inout AccessSelector
    ) throws(AccessRuleError) {
        guard let bar = name.lastIndex(of: UInt8(ascii: "|")) else {
            guard let number = catalog.find(name) else { throw .unknownName }
            return selector.setCommand(number, true, catalog)
        }
        let argument = Array(name[(bar + 1)...])
        guard let number = catalog.find(name[..<bar]) else { throw .unknownName }
        guard catalog.commands[number].container == nil else {
            throw .firstArgumentOfSubcommand
        }
        // A blank would make two rules of it in the users' file.
        guard !argument.isEmpty, !Self.hasBlank(argument) else { throw .syntax }
        guard catalog.commands[number].subcommands.isEmpty else {
            guard let subcommand = catalog.find(name) else { throw .unknownName }
            return selector.setCommand(subcommand, true, catalog)
        }
        warnings.append(
            "Deprecation warning: Allowing a first arg of an otherwise blocked command is a misuse "
                + "of ACL and may get disabled in the future (offender: +"
                + "\(String(decoding: name, as: UTF8.self)))")
        let isKnown = selector.firstArguments[number, default: []].contains {
            AccessCatalog.folded($0) == AccessCatalog.folded(argument)
        }
        if !isKnown { selector.firstArguments[number, default: []].append(argument) }
    }

    // MARK: - Patterns

    /// What follows `%`: `R~pattern`, `W~pattern` or `RW~pattern`, letters in any case and order.
    private static func addKeys(
        _ text: [UInt8], to selector: inout AccessSelector
    ) throws(AccessRuleError) {
        if selector.allowsAllKeys { throw .afterAllKeys }
        var access: AccessSelector.KeyAccess = []
        var rest = text[...]
        while let letter = rest.popFirst(), letter != UInt8(ascii: "~") {
            let kind: AccessSelector.KeyAccess
            switch letter | 0x20 {
            case UInt8(ascii: "r"): kind = .read
            case UInt8(ascii: "w"): kind = .write
            default: throw .syntax
            }
            guard access.insert(kind).inserted else { throw .syntax }
        }
        guard !access.isEmpty else { throw .syntax }
        try add(Array(rest), access, to: &selector)
    }

    private static func add(
        _ pattern: [UInt8], _ access: AccessSelector.KeyAccess, to selector: inout AccessSelector
    ) throws(AccessRuleError) {
        if selector.allowsAllKeys { throw .afterAllKeys }
        if hasBlank(pattern) { throw .syntax }
        selector.allowKeys(pattern, access)
    }

    private static func add(
        channel pattern: [UInt8], to selector: inout AccessSelector
    ) throws(AccessRuleError) {
        if selector.allowsAllChannels { throw .afterAllChannels }
        if hasBlank(pattern) { throw .syntax }
        selector.allowChannels(pattern)
    }

    /// Whether a name could not be read back from a line: it holds a blank or a NUL.
    static func hasBlank(_ bytes: some Sequence<UInt8>) -> Bool {
        bytes.contains { $0 == 0 || $0 == 0x20 || ($0 >= 0x09 && $0 <= 0x0D) }
    }
}

/// Why a rule is refused.
enum AccessRuleError: Error {
    case unknownName
    case syntax
    case afterAllKeys
    case afterAllChannels
    case noSuchPassword
    case badHash
    case firstArgumentOfSubcommand

    var text: String {
        switch self {
        case .unknownName: "Unknown command or category name in ACL"
        case .syntax: "Syntax error"
        case .afterAllKeys:
            "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does "
                + "not have any effect. Try 'resetkeys' to start with an empty list of patterns"
        case .afterAllChannels:
            "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and "
                + "does not have any effect. Try 'resetchannels' to start with an empty list of "
                + "channels"
        case .noSuchPassword: "The password you are trying to remove from the user does not exist"
        case .badHash:
            "The password hash must be exactly 64 characters and contain only lowercase "
                + "hexadecimal characters"
        case .firstArgumentOfSubcommand: "Allowing first-arg of a subcommand is not supported"
        }
    }
}

/// A parenthesis that is never closed, by the place of the word that opens it.
struct UnmatchedParenthesis: Error {
    let place: Int
}
