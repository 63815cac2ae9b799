/// A user: a name, and what it takes to be that user and what that allows.
///
/// Connections hold their user by reference, so that a change of its rules holds for all of them at
/// once.
final class AccessUser {
    let name: [UInt8]
    /// For CLIENT LIST and the log.
    let shownName: String
    private(set) var rules: AccessRules
    /// May do everything: its connections are not even asked.
    private(set) var isUnrestricted = false
    /// Whether some of its permissions depend on keys.
    private(set) var checksKeys = true

    init(name: [UInt8], rules: AccessRules) {
        self.name = name
        shownName = String(decoding: name, as: UTF8.self)
        self.rules = rules
        adopt(rules)
    }

    func adopt(_ rules: AccessRules) {
        self.rules = rules
        isUnrestricted = rules.selectors.contains { $0.isUnrestricted }
        checksKeys = rules.selectors.contains { !$0.allowsAllKeys }
    }

    /// Why `request` is not allowed; nil if it is.
    ///
    /// - Parameter keys: its keys; need not be found unless `checksKeys`.
    func denial(of request: AccessRequest, keys: [KeyUse]) -> AccessDenial? {
        var told = AccessDenial.command
        for selector in rules.selectors {
            guard let denial = selector.denial(of: request, keys: keys) else { return nil }
            if told.isOutranked(by: denial) { told = denial }
        }
        return told
    }

    /// Whether a selector that allows `request` also allows reading every key there can be.
    func allowsWithAllKeys(_ request: AccessRequest, keys: [KeyUse]) -> Bool {
        rules.selectors.contains {
            $0.allowsReadingAllKeys && $0.denial(of: request, keys: keys) == nil
        }
    }

    /// Whether `key` may be used so by a request that is allowed otherwise.
    func allows(key: ByteView, _ access: AccessSelector.KeyAccess) -> Bool {
        !checksKeys || rules.selectors.contains { $0.allowsAllKeys || $0.allows(key, access) }
    }

    /// Whether `channel` may be used by a request that is allowed otherwise.
    func allows(channel: ByteView, asPattern: Bool) -> Bool {
        rules.selectors.contains { $0.allows(channel: channel, asPattern: asPattern) }
    }

    /// Whether `password` opens this user; a disabled one opens to nobody.
    func accepts(_ password: PasswordHash) -> Bool {
        guard rules.isEnabled else { return false }
        return rules.needsNoPassword || rules.passwords.contains(password)
    }
}

/// All that rules say of a user, as a value: changed in a copy, taken over whole.
struct AccessRules {
    /// What is said about payloads of RESTORE; nil: nothing yet.
    enum PayloadCheck {
        case checked, skipped
    }

    var isEnabled = false
    var needsNoPassword = false
    var payloadCheck: PayloadCheck?
    private(set) var passwords: [PasswordHash] = []
    /// Their digits, so that there may be many; who says a password is never compared with these.
    private var digits: Set<[UInt8]> = []
    /// The first holds what stands outside of parentheses.
    var selectors: [AccessSelector]

    /// Of a new user: disabled, without password or permission.
    init(allowsAllChannels: Bool) {
        selectors = [AccessSelector(allowsAllChannels: allowsAllChannels)]
    }

    // MARK: - Passwords

    mutating func add(_ password: PasswordHash) {
        if digits.insert(password.digits).inserted { passwords.append(password) }
    }

    /// False if there is no such password.
    mutating func remove(_ password: PasswordHash) -> Bool {
        guard digits.remove(password.digits) != nil else { return false }
        passwords.removeAll { $0.digits == password.digits }
        return true
    }

    mutating func setPasswords(_ passwords: [PasswordHash]) {
        self.passwords = []
        digits = []
        for password in passwords { add(password) }
    }

    /// Of the `default` user where nothing else is said: may do everything.
    static var unrestricted: AccessRules {
        var rules = AccessRules(allowsAllChannels: true)
        rules.isEnabled = true
        rules.needsNoPassword = true
        rules.selectors[0].commands = .all
        rules.selectors[0].allowsAllCommands = true
        rules.selectors[0].allowsAllKeys = true
        return rules
    }
}
