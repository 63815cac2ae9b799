/// The users there are, and what access control remembers of those it turned away.
///
/// There is always one called `default`, as whom connections begin.
final class AccessList {
    let catalog: AccessCatalog
    let defaultUser: AccessUser
    /// `acl-pubsub-default`: new users may use all channels.
    var opensChannels = false
    var denials = DenialLog()
    /// The keys of the request being checked; kept for its room.
    var keys: [KeyUse] = []
    private var usersByName: [[UInt8]: AccessUser]
    /// Whether a new connection has to say who it is.
    private(set) var requiresAuthentication = false

    init(_ catalog: AccessCatalog) {
        self.catalog = catalog
        defaultUser = AccessUser(name: Self.defaultName, rules: .unrestricted)
        usersByName = [Self.defaultName: defaultUser]
    }

    static let defaultName = Array("default".utf8)

    // MARK: - Users

    /// In the order of their names.
    var users: [AccessUser] {
        usersByName.values.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    func user(_ name: [UInt8]) -> AccessUser? { usersByName[name] }

    /// Gives the user called `name` these rules, or makes a user of them.
    @discardableResult
    func set(_ name: [UInt8], _ rules: AccessRules) -> AccessUser {
        let user: AccessUser
        if let known = usersByName[name] {
            user = known
            user.adopt(rules)
        } else {
            user = AccessUser(name: name, rules: rules)
            usersByName[name] = user
        }
        if user === defaultUser {
            requiresAuthentication = !rules.needsNoPassword || !rules.isEnabled
        }
        return user
    }

    /// Forgets a user, who is returned; the default one stays.
    func remove(_ name: [UInt8]) -> AccessUser? {
        name == Self.defaultName ? nil : usersByName.removeValue(forKey: name)
    }

    /// Makes these all the users there are; without a `default` among them that one may do
    /// everything again.
    ///
    /// Who has been there before stays the same user, with these rules.
    ///
    /// - Returns: those who are no more.
    func replaceAll(_ users: [(name: [UInt8], rules: AccessRules)]) -> [AccessUser] {
        let names = Set(users.map(\.name))
        let gone = usersByName.values.filter { $0 !== defaultUser && !names.contains($0.name) }
        for user in gone { usersByName[user.name] = nil }
        if !names.contains(Self.defaultName) { set(Self.defaultName, .unrestricted) }
        for (name, rules) in users { set(name, rules) }
        return gone
    }

    /// `requirepass`: the one password of the default user, or none needed.
    func setDefaultPassword(_ password: [UInt8]?) {
        var rules = defaultUser.rules
        rules.setPasswords(password.map { [PasswordHash(of: $0)] } ?? [])
        rules.needsNoPassword = password == nil
        set(Self.defaultName, rules)
    }

    // MARK: - Text

    /// A line for each user, as the users' file holds them.
    var lines: [[UInt8]] {
        users.map { Array("user ".utf8) + $0.name + [UInt8(ascii: " ")] + $0.rules.text(catalog) }
    }

    /// A line for each user, as the configuration holds them behind the word `user`.
    var configurationLines: [[UInt8]] {
        users.map { user in
            AccessSelector.line(
                ([user.name] + user.rules.words(catalog)).map { word in
                    AccessRules.hasQuote(word) || word.isEmpty ? QuotedWords.quoted(word) : word
                })
        }
    }

    /// What the users' file holds.
    var fileText: [UInt8] { lines.flatMap { $0 + [UInt8(ascii: "\n")] } }

    func makeReader() -> AccessRuleReader {
        AccessRuleReader(catalog, opensChannels: opensChannels)
    }
}
