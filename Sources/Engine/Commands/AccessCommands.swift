/// ACL: the users, what they may do, and who was turned away.
enum AccessCommands {
    static var table: [Command] {
        [
            Command(
                "ACL", group: .server, since: "6.0.0", "Controls who may do what.",
                subcommands: queries + changes)
        ]
    }

    private static let openFlags: CommandFlags = [.noScript, .loading, .stale]
    private static let adminFlags: CommandFlags = [.admin, .noScript, .loading, .stale]

    private static var queries: [Command] {
        [
            Command(
                "CAT", .atLeast(2), openFlags, group: .server, since: "6.0.0",
                "Lists the categories of commands, or the commands of one.", syntax: "[category]",
                categories),
            Command(
                "DRYRUN", .atLeast(4), adminFlags, group: .server, since: "7.0.0",
                "Tells whether a user may make a request, without making it.",
                syntax: "username command [arg [arg ...]]", dryRun),
            Command(
                "GENPASS", .atLeast(2), openFlags, group: .server, since: "6.0.0",
                "Makes up a password that nobody guesses.", syntax: "[bits]", generatePassword),
            Command(
                "GETUSER", .exactly(3), adminFlags, group: .server, since: "6.0.0",
                "Tells the rules of a user.", syntax: "username", getUser),
            Command(
                "HELP", .exactly(2), [.loading, .stale], group: .server, since: "6.0.0",
                "Explains the subcommands.", help),
            Command(
                "LIST", .exactly(2), adminFlags, group: .server, since: "6.0.0",
                "Lists all users as lines of the users' file.", list),
            Command(
                "LOG", .atLeast(2), adminFlags, group: .server, since: "6.0.0",
                "Lists who was turned away lately, or forgets it.", syntax: "[count | RESET]", log),
            Command(
                "USERS", .exactly(2), adminFlags, group: .server, since: "6.0.0",
                "Lists the names of all users.", users),
            Command(
                "WHOAMI", .exactly(2), openFlags, group: .server, since: "6.0.0",
                "Returns the user the connection speaks as.", whoAmI),
        ]
    }

    /// A cluster's nodes must know the same users.
    private static var onAllNodes: [String] {
        ["request_policy:all_nodes", "response_policy:all_succeeded"]
    }

    private static var changes: [Command] {
        [
            Command(
                "DELUSER", .atLeast(3), adminFlags, group: .server, since: "6.0.0",
                "Removes users and closes their connections.",
                syntax: "username [username ...]", tips: onAllNodes, deleteUser),
            Command(
                "LOAD", .exactly(2), adminFlags, group: .server, since: "6.0.0",
                "Reads the users' file again, all of it or nothing.", load),
            Command(
                "SAVE", .exactly(2), adminFlags, group: .server, since: "6.0.0",
                "Writes the users into their file.", tips: onAllNodes, save),
            Command(
                "SETUSER", .atLeast(3), adminFlags, group: .server, since: "6.0.0",
                "Creates or changes a user, by all rules or none.",
                syntax: "username [rule [rule ...]]", tips: onAllNodes,
                secrets: { arguments in Array(2..<max(arguments.count, 2)) }, setUser),
        ]
    }

    /// The count that subcommands with one optional argument take at most.
    private static func takeAtMost(
        _ count: Int, _ call: inout Call
    ) throws(CommandError) {
        guard call.arguments.count > count else { return }
        throw call.fail(
            "ERR unknown subcommand or wrong number of arguments for "
                + "'\(call.arguments[1].prefix(128).string)'. Try ACL HELP.")
    }

    // MARK: - ACL SETUSER username [rule [rule ...]]

    static func setUser(_ call: inout Call) throws(CommandError) {
        let name = call.arguments[2].array
        if AccessRuleReader.hasBlank(name) {
            throw .text("ERR Usernames can't contain spaces or null characters")
        }
        let words = (3..<call.arguments.count).map { call.arguments[$0].array }
        let joined: [[UInt8]]
        do throws(UnmatchedParenthesis) {
            joined = try AccessRuleReader.joined(words)
        } catch {
            throw call.fail(
                "ERR Unmatched parenthesis in acl selector starting at '", words[error.place], "'.")
        }
        let access = call.server.access
        var reader = access.makeReader()
        var rules =
            access.user(name)?.rules ?? AccessRules(allowsAllChannels: access.opensChannels)
        for word in joined {
            do throws(AccessRuleError) {
                try reader.apply(word, to: &rules)
            } catch {
                throw call.fail(
                    "ERR Error in ACL SETUSER modifier '", word, "': \(error.text)")
            }
        }
        for warning in reader.warnings { call.server.log.warning(warning) }
        call.server.setUser(name, rules)
        call.reply.ok()
    }

    // MARK: - ACL DELUSER username [username ...]

    static func deleteUser(_ call: inout Call) throws(CommandError) {
        let names = (2..<call.arguments.count).map { call.arguments[$0].array }
        if names.contains(AccessList.defaultName) {
            throw .text("ERR The 'default' user cannot be removed")
        }
        var removed = 0
        for name in names where call.server.removeUser(name, current: call.connection) {
            removed += 1
        }
        call.reply.integer(removed)
    }

    // MARK: - ACL GETUSER username

    static func getUser(_ call: inout Call) throws(CommandError) {
        let access = call.server.access
        guard let user = access.user(call.arguments[2].array) else { return call.reply.null() }
        call.reply.map(6)
        call.reply.bulk("flags")
        let flags = user.rules.flags
        call.reply.set(flags.count)
        for flag in flags { call.reply.bulk(flag) }
        call.reply.bulk("passwords")
        call.reply.array(user.rules.passwords.count)
        for password in user.rules.passwords {
            password.digits.withByteView { call.reply.bulk($0) }
        }
        describe(user.rules.selectors[0], access.catalog, &call.reply)
        call.reply.bulk("selectors")
        call.reply.array(user.rules.selectors.count - 1)
        for selector in user.rules.selectors.dropFirst() {
            call.reply.map(3)
            describe(selector, access.catalog, &call.reply)
        }
    }

    private static func describe(
        _ selector: AccessSelector, _ catalog: AccessCatalog, _ reply: inout ReplyWriter
    ) {
        reply.bulk("commands")
        AccessSelector.line(selector.commandRules(catalog)).withByteView { reply.bulk($0) }
        reply.bulk("keys")
        AccessSelector.line(selector.keyRules).withByteView { reply.bulk($0) }
        reply.bulk("channels")
        AccessSelector.line(selector.channelRules).withByteView { reply.bulk($0) }
    }

    // MARK: - ACL LIST, ACL USERS, ACL WHOAMI

    static func list(_ call: inout Call) throws(CommandError) {
        let lines = call.server.access.lines
        call.reply.array(lines.count)
        for line in lines { line.withByteView { call.reply.bulk($0) } }
    }

    static func users(_ call: inout Call) throws(CommandError) {
        let users = call.server.access.users
        call.reply.array(users.count)
        for user in users { user.name.withByteView { call.reply.bulk($0) } }
    }

    static func whoAmI(_ call: inout Call) throws(CommandError) {
        guard let user = call.connection.session.user else { return call.reply.null() }
        user.name.withByteView { call.reply.bulk($0) }
    }

    // MARK: - ACL CAT [category]

    static func categories(_ call: inout Call) throws(CommandError) {
        try takeAtMost(3, &call)
        let catalog = call.server.access.catalog
        guard call.arguments.count == 3 else {
            call.reply.array(catalog.categoryNames.count)
            for name in catalog.categoryNames { call.reply.bulk(name) }
            return
        }
        guard let bit = catalog.category(call.arguments[2].array) else {
            throw call.fail("ERR Unknown category '\(call.arguments[2].prefix(128).string)'")
        }
        let found = catalog.commands.filter { $0.categories & bit != 0 }
        call.reply.array(found.count)
        for command in found { call.reply.bulk(command.name) }
    }

    // MARK: - ACL GENPASS [bits]

    /// 256 bits are beyond guessing for ever; 4096 are more than anybody has asked for.
    private static let (standardBits, mostBits): (Int64, Int64) = (256, 4096)

    static func generatePassword(_ call: inout Call) throws(CommandError) {
        try takeAtMost(3, &call)
        var bits = standardBits
        if call.arguments.count == 3 {
            guard let asked = NumberText.integer(call.arguments[2]) else { throw .notInteger }
            bits = asked
        }
        guard bits > 0, bits <= mostBits else {
            throw .text(
                """
                ERR ACL GENPASS argument must be the number of bits for the output password, a \
                positive number up to 4096
                """)
        }
        call.reply.bulk(Server.randomDigits(Int(bits + 3) / 4))
    }

    // MARK: - ACL LOG [count | RESET]

    static func log(_ call: inout Call) throws(CommandError) {
        try takeAtMost(3, &call)
        var count: Int64 = 10
        if call.arguments.count == 3 {
            if call.arguments[2].equalsIgnoringCase("RESET") {
                call.server.access.denials.removeAll()
                return call.reply.ok()
            }
            guard let asked = NumberText.integer(call.arguments[2]) else { throw .notInteger }
            count = max(asked, 0)
        }
        let entries = call.server.access.denials.entries.prefix(Int(clamping: count))
        call.reply.array(entries.count)
        for entry in entries { write(entry, &call.reply, now: call.now) }
    }

    private static func write(
        _ entry: DenialLog.Entry, _ reply: inout ReplyWriter, now: Int64
    ) {
        reply.map(7)
        reply.bulk("count")
        reply.integer(entry.count)
        reply.bulk("reason")
        reply.bulk(entry.reason.rawValue)
        reply.bulk("context")
        reply.bulk(entry.context.rawValue)
        reply.bulk("object")
        entry.object.withByteView { reply.bulk($0) }
        reply.bulk("username")
        entry.user.withByteView { reply.bulk($0) }
        reply.bulk("age-seconds")
        reply.double(Double(now - entry.time) / 1000)
        reply.bulk("client-info")
        reply.bulk(entry.client)
    }

    // MARK: - ACL DRYRUN username command [arg [arg ...]]

    static func dryRun(_ call: inout Call) throws(CommandError) {
        let (server, commands) = (call.server, call.server.commands)
        guard let user = server.access.user(call.arguments[2].array) else {
            throw call.fail("ERR User '", call.arguments[2].array, "' not found")
        }
        let request = call.arguments.dropFirst(3)
        let number = server.commandNumber(of: request)
        guard number >= 0, !commands.index.isContainer(number) || request.count == 1 else {
            throw call.fail("ERR Command '", request[0].array, "' not found")
        }
        guard commands[number].accepts(request.count) else {
            throw call.fail(
                "ERR wrong number of arguments for '\(commands[number].fullName)' command")
        }
        switch server.denial(of: number, request, for: user) {
        case nil: call.reply.ok()
        case .command:
            call.reply.bulk(
                "This user has no permissions to run the '\(commands[number].fullName)' command")
        case .key(let index): replyNoAccess(&call, request[index], to: "key")
        case .channel(let index): replyNoAccess(&call, request[index], to: "channel")
        }
    }

    private static func replyNoAccess(_ call: inout Call, _ name: ByteView, to kind: String) {
        let text =
            Array("This user has no permissions to access the '".utf8) + name.array
            + Array("' \(kind)".utf8)
        text.withByteView { call.reply.bulk($0) }
    }

    // MARK: - ACL LOAD, ACL SAVE

    private static func requireFile(_ call: borrowing Call) throws(CommandError) {
        guard call.server.settings.aclFile.isEmpty else { return }
        throw .text(
            """
            ERR This Redis instance is not configured to use an ACL file. You may want to specify \
            users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a \
            Redis configuration file set) in order to store users in the Redis configuration.
            """)
    }

    static func load(_ call: inout Call) throws(CommandError) {
        try requireFile(call)
        let problems = call.server.reloadUsers(current: call.connection)
        guard problems.isEmpty else { throw call.fail("ERR " + problems) }
        call.reply.ok()
    }

    static func save(_ call: inout Call) throws(CommandError) {
        try requireFile(call)
        guard call.server.saveUsers() else {
            throw .text(
                """
                ERR There was an error trying to save the ACLs. Please check the server logs for \
                more information
                """)
        }
        call.reply.ok()
    }

    // MARK: - ACL HELP

    static func help(_ call: inout Call) throws(CommandError) {
        call.replyHelp(
            container: "ACL",
            [
                "CAT [<category>]",
                "    List all commands that belong to <category>, or all command categories",
                "    when no category is specified.",
                "DELUSER <username> [<username> ...]",
                "    Delete a list of users.",
                "DRYRUN <username> <command> [<arg> ...]",
                "    Returns whether the user can execute the given command without executing the "
                    + "command.",
                "GETUSER <username>",
                "    Get the user's details.",
                "GENPASS [<bits>]",
                "    Generate a secure 256-bit user password. The optional `bits` argument can",
                "    be used to specify a different size.",
                "LIST",
                "    Show users details in config file format.",
                "LOAD",
                "    Reload users from the ACL file.",
                "LOG [<count> | RESET]",
                "    Show the ACL log entries.",
                "SAVE",
                "    Save the current config to the ACL file.",
                "SETUSER <username> <attribute> [<attribute> ...]",
                "    Create or modify a user with the specified attributes.",
                "USERS",
                "    List all the registered usernames.",
                "WHOAMI",
                "    Return the current connection username.",
            ])
    }
}

extension Call {
    /// Writes an error that quotes bytes as they are.
    fileprivate mutating func fail(
        _ head: String, _ quoted: [UInt8], _ tail: String
    ) -> CommandError {
        let text = Array(head.utf8) + quoted + Array(tail.utf8)
        text.withByteView { reply.error($0) }
        return .replied
    }
}
