import Reactor

/// Access control at work: what a request needs, who is turned away, and what follows for
/// connections when users change.
///
/// A connection whose user may do everything never comes here. For others a request costs the test
/// of one bit and, if keys or channels are restricted, a match of each against the patterns; nothing
/// is allocated where specifications tell where the keys are.
extension Server {
    // MARK: - Checking

    /// Why `user` may not make this request, nil if it may; also for EXEC and scripts, which check
    /// each request again when it is its turn.
    func denial(
        of number: Int32, _ arguments: Arguments, for user: AccessUser?
    ) -> AccessDenial? {
        guard let user, !user.isUnrestricted else { return nil }
        findKeys(number, arguments, for: user)
        return user.denial(of: accessRequest(number, arguments), keys: access.keys)
    }

    private func accessRequest(_ number: Int32, _ arguments: Arguments) -> AccessRequest {
        let flags = commands.index.flags(number)
        var channels: ChannelUse?
        if !flags.isDisjoint(with: [.firstIsChannel, .allAreChannels, .allAreChannelPatterns]) {
            channels = ChannelUse(
                isOnlyOne: flags.contains(.firstIsChannel),
                arePatterns: flags.contains(.allAreChannelPatterns))
        }
        return AccessRequest(
            command: Int(number), isAlwaysAllowed: flags.contains(.noAuth), arguments: arguments,
            channels: channels)
    }

    /// Puts the keys of a request into `access.keys`, by the extraction that serves COMMAND GETKEYS.
    private func findKeys(_ number: Int32, _ arguments: Arguments, for user: AccessUser) {
        access.keys.removeAll(keepingCapacity: true)
        guard user.checksKeys, commands.keyPlans[Int(number)].hasKeys else { return }
        // Of a request that does not fit its command, what is found is checked: PFMERGE with a
        // destination alone runs, though its sources cannot be found.
        _ = KeyExtraction.find(commands.keyPlans[Int(number)], arguments, into: &foundKeys)
        for key in foundKeys {
            access.keys.append(KeyUse(index: key.index, access: key.flags.neededAccess))
        }
    }

    /// Whether the user of `call` may also read keys that its arguments do not name (SORT BY).
    func mayReadAllKeys(_ call: borrowing Call) -> Bool {
        guard let user = call.connection.session.user, !user.isUnrestricted else { return true }
        findKeys(call.command, call.arguments, for: user)
        return user.allowsWithAllKeys(
            accessRequest(call.command, call.arguments), keys: access.keys)
    }

    /// Whether the user may make this request; if not, the reply says so and ACL LOG tells of it.
    func passesAccess(_ call: inout Call, _ number: Int32) -> Bool {
        guard let denial = denial(of: number, call.arguments, for: call.connection.session.user)
        else { return true }
        call.connection.lastCommand = number
        let isQueueing = call.connection.gate.contains(.queueing)
        noteDenial(denial, of: number, call, isQueueing ? .transaction : .topLevel)
        switch denial {
        case .command:
            call.reply.error(
                "NOPERM this user has no permissions to run the "
                    + "'\(commands[number].fullName)' command")
        case .key:
            call.reply.error(
                "NOPERM this user has no permissions to access one of the keys used as arguments")
        case .channel:
            call.reply.error(
                "NOPERM this user has no permissions to access one of the channels used as "
                    + "arguments")
        }
        return false
    }

    /// Whether a request that was allowed into the queue of a transaction still is; if not, the reply
    /// says so in its place.
    func isStillAllowed(_ call: inout Call) -> Bool {
        guard
            let denial = denial(
                of: call.command, call.arguments, for: call.connection.session.user)
        else { return true }
        call.connection.lastCommand = call.command
        noteDenial(denial, of: call.command, call, .transaction)
        let reason =
            switch denial {
            case .command: "no permission to execute the command or subcommand"
            case .key: "no permission to touch the specified keys"
            case .channel:
                "no permission to access one of the channels used as arguments"
            }
        call.reply.error(
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the "
                + "EXEC call. This command is no longer allowed for the following reason: "
                + reason)
        statistics.countError(call.reply.lastError)
        return false
    }

    // MARK: - Denials

    /// Keeps a refused request in ACL LOG and counts it.
    func noteDenial(
        _ denial: AccessDenial, of number: Int32, _ call: borrowing Call,
        _ context: DenialLog.Context
    ) {
        let name = call.connection.session.user?.name ?? AccessList.defaultName
        switch denial {
        case .command:
            statistics.commandDenials += 1
            note(.command, Array(commands[number].fullName.utf8), name, call, context)
        case .key(let index):
            statistics.keyDenials += 1
            note(.key, call.arguments[index].array, name, call, context)
        case .channel(let index):
            statistics.channelDenials += 1
            note(.channel, call.arguments[index].array, name, call, context)
        }
    }

    /// Keeps a failed AUTH: the word, and who it was meant to be.
    func noteFailedAuthentication(_ call: borrowing Call, as user: ByteView) {
        statistics.authenticationFailures += 1
        note(
            .authentication, call.arguments[0].array, user.array, call,
            call.mayBlock ? .topLevel : .transaction)
    }

    private func note(
        _ reason: DenialLog.Reason, _ object: [UInt8], _ user: [UInt8], _ call: borrowing Call,
        _ context: DenialLog.Context
    ) {
        access.denials.add(
            DenialLog.Entry(
                reason: reason, context: context, object: object, user: user,
                time: clock.wallMilliseconds, client: describe(call.connection)),
            limit: settings.aclLogMaxLength)
    }

    // MARK: - Changes

    /// Gives a user its rules; holds for its connections at once.
    func setUser(_ name: [UInt8], _ rules: AccessRules) {
        follow(access.set(name, rules))
    }

    /// Does for connections what follows from a change of their user.
    private func follow(_ user: AccessUser) {
        for connection in connections.all where connection.session.user === user {
            follow(user, on: connection)
        }
    }

    private func follow(_ user: AccessUser, on connection: Connection) {
        followUser(of: connection)
        if connection.gate.contains(.subscribed) && !mayListen(connection, user) {
            closeSoon(connection)
        }
    }

    /// Whether `user` may use all that a connection of its has subscribed to.
    private func mayListen(_ connection: Connection, _ user: AccessUser) -> Bool {
        for kind in [Subscriptions.Kind.channel, .pattern, .shard] {
            for name in subscriptions[kind].names(of: connection.place) {
                let isAllowed = name.withByteView {
                    user.allows(channel: $0, asPattern: kind == .pattern)
                }
                if !isAllowed { return false }
            }
        }
        return true
    }

    /// Sets the gates of `connection` by what its user may do.
    func followUser(of connection: Connection) {
        let isRestricted = !(connection.session.user?.isUnrestricted ?? true)
        if isRestricted {
            connection.gate.insert(.restricted)
        } else {
            connection.gate.remove(.restricted)
        }
        if connection.session.isAuthenticated || !access.requiresAuthentication {
            connection.gate.remove(.unauthenticated)
        } else {
            connection.gate.insert(.unauthenticated)
        }
        if connection.session.tracking.isOn { forgetCache(of: connection) }
    }

    /// Removes a user and closes its connections; false if there is none.
    func removeUser(_ name: [UInt8], current: Connection) -> Bool {
        guard let user = access.remove(name) else { return false }
        expel(user, current: current)
        return true
    }

    /// Closes the connections of a user who is no more; the one that asked for it gets its reply.
    private func expel(_ user: AccessUser, current: Connection) {
        for connection in connections.all where connection.session.user === user {
            connection.session.user = access.defaultUser
            connection.session.isAuthenticated = false
            followUser(of: connection)
            if connection === current { closeAfterReply(connection) } else { closeSoon(connection) }
        }
    }

    /// The default user needs the password of `requirepass` from now on, or none.
    func requirePassword() {
        access.setDefaultPassword(settings.requiredPassword)
        follow(access.defaultUser)
    }

    // MARK: - Files

    /// Takes in the users of the configuration and of the users' file, once, when the server starts.
    ///
    /// - Throws: why the server cannot start with them.
    func loadUsers() throws(UserLoadFailure) {
        if !settings.aclFile.isEmpty && !settings.userLines.isEmpty {
            throw UserLoadFailure(
                "Configuring Redis with users defined in redis.conf and at the same setting an ACL "
                    + "file path is invalid. This setup is very likely to lead to configuration "
                    + "errors and security holes, please define either an ACL file or declare "
                    + "users directly in your redis.conf, but not both.")
        }
        for line in settings.userLines { try loadUser(line[0], Array(line.dropFirst())) }
        guard !settings.aclFile.isEmpty else { return }
        let (_, problems) = readUsersFile()
        guard problems.isEmpty else {
            throw UserLoadFailure("Aborting Redis startup because of ACL errors: \(problems)")
        }
    }

    private func loadUser(_ name: [UInt8], _ words: [[UInt8]]) throws(UserLoadFailure) {
        let shownName = String(decoding: name, as: UTF8.self)
        if AccessRuleReader.hasBlank(name) {
            throw UserLoadFailure("Spaces not allowed in ACL usernames")
        }
        var rules = AccessRules(allowsAllChannels: access.opensChannels)
        var reader = access.makeReader()
        let joined: [[UInt8]]
        do throws(UnmatchedParenthesis) {
            joined = try AccessRuleReader.joined(words)
        } catch {
            throw UserLoadFailure(
                "Error in user declaration '\(shownName)': Unmatched parenthesis")
        }
        for word in joined {
            do throws(AccessRuleError) {
                try reader.apply(word, to: &rules)
            } catch {
                // A word that is no name of a command could hold a password.
                let blamed =
                    error == .unknownName ? " '\(String(decoding: word, as: UTF8.self))'" : ""
                throw UserLoadFailure(
                    "Error loading ACL rule\(blamed) for the user named '\(shownName)': "
                        + error.text)
            }
        }
        for warning in reader.warnings { log.warning(warning) }
        access.set(name, rules)
        if !rules.isEnabled {
            log.notice(
                "The user '\(shownName)' is disabled (there is no 'on' modifier in the user "
                    + "description). Make sure this is not a configuration error.")
        }
    }

    /// Makes the users of the file all the users there are, if nothing in it is wrong.
    ///
    /// - Returns: who is no more, and what is wrong, empty if nothing is.
    private func readUsersFile() -> (gone: [AccessUser], problems: String) {
        let path = settings.aclFile
        let text: [UInt8]
        do throws(SystemError) {
            text = try File.readWhole(path, limit: Self.mostUserBytes)
        } catch {
            return ([], "Error loading ACLs, opening file \(FileTrouble(path, error).text)")
        }
        let file = AccessFile(text, named: path, for: access)
        guard file.problems.isEmpty else { return ([], file.problems) }
        for warning in file.warnings { log.warning(warning) }
        let gone = access.replaceAll(file.users)
        for connection in connections.all {
            if let user = connection.session.user { follow(user, on: connection) }
        }
        return (gone, "")
    }

    /// No file of users is larger than this.
    private static let mostUserBytes = 64 << 20

    /// ACL LOAD: all or nothing.
    ///
    /// Connections follow the new rules of their user, as after ACL SETUSER;
    /// those of users who are no more, and of subscribers who may no longer listen, are closed.
    ///
    /// - Returns: what is wrong with the file; empty if nothing is.
    func reloadUsers(current: Connection) -> String {
        let (gone, problems) = readUsersFile()
        for user in gone { expel(user, current: current) }
        return problems
    }

    /// ACL SAVE: through a temporary file that is synced and renamed, so that a crash leaves the
    /// old file or the new one.
    ///
    /// Waits for the disk.
    ///
    /// - Returns: false if it failed, for the reason in the log.
    func saveUsers() -> Bool {
        let path = settings.aclFile
        do throws(SystemError) {
            // It holds hashes of passwords: a new one is nobody else's to read.
            try File.writeAtomically(
                path, access.fileText, permissions: File.permissions(path) ?? 0o600)
            return true
        } catch {
            log.warning("Writing ACL file for ACL SAVE: \(FileTrouble(path, error).text)")
            return false
        }
    }
}

/// Why the server cannot start with the users it was given.
struct UserLoadFailure: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}

extension KeySpec.Flags {
    /// What a user must be allowed to do with a key that is used so.
    var neededAccess: AccessSelector.KeyAccess {
        var access: AccessSelector.KeyAccess = []
        if contains(.access) { access.insert(.read) }
        if !isDisjoint(with: [.insert, .delete, .update]) { access.insert(.write) }
        return access
    }
}

extension CommandTable {
    /// The table as access control knows it.
    var accessCatalog: AccessCatalog {
        AccessCatalog(
            rows.map { row in
                AccessCatalog.Command(
                    name: row.fullName, categories: row.categories.rawValue,
                    container: row.container < 0 ? nil : Int(row.container),
                    subcommands: row.subcommands.map(Int.init))
            }, categoryNames: CommandCategories.names)
    }
}
