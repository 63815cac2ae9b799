/// COMMAND and its subcommands: what the server knows of its own commands, all from their rows.
enum CommandCommands {
    static var table: [Command] {
        [
            Command(
                "COMMAND", .atLeast(1), [.loading, .stale], [.connection], group: .server,
                since: "2.8.13", "Describes all commands.",
                tips: ["nondeterministic_output_order"], all, subcommands: subcommands)
        ]
    }

    private static var subcommands: [Command] {
        let flags: CommandFlags = [.loading, .stale]
        return [
            Command(
                "COUNT", .exactly(2), flags, [.connection], group: .server, since: "2.8.13",
                "Returns the number of commands.", count),
            Command(
                "DOCS", .atLeast(2), flags, [.connection], group: .server, since: "7.0.0",
                "Returns the documentation of commands.",
                syntax: "[command-name [command-name ...]]",
                tips: ["nondeterministic_output_order"], docs),
            Command(
                "GETKEYS", .atLeast(3), flags, [.connection], group: .server, since: "2.8.13",
                "Returns the keys of a request.", syntax: "command [arg [arg ...]]", getKeys),
            Command(
                "GETKEYSANDFLAGS", .atLeast(3), flags, [.connection], group: .server,
                since: "7.0.0", "Returns the keys of a request and what is done to them.",
                syntax: "command [arg [arg ...]]", getKeysAndFlags),
            Command(
                "HELP", .exactly(2), flags, [.connection], group: .server, since: "5.0.0",
                "Explains the subcommands.", help),
            Command(
                "INFO", .atLeast(2), flags, [.connection], group: .server, since: "2.8.13",
                "Describes commands.", syntax: "[command-name [command-name ...]]",
                tips: ["nondeterministic_output_order"], info),
            Command(
                "LIST", .atLeast(2), flags, [.connection], group: .server, since: "7.0.0",
                "Returns the names of commands.",
                syntax: "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
                tips: ["nondeterministic_output_order"], list),
        ]
    }

    // MARK: - COMMAND, COMMAND COUNT, COMMAND INFO [name …]

    static func all(_ call: inout Call) throws(CommandError) {
        let commands = call.server.commands
        call.reply.array(commands.topLevel.count)
        for number in commands.topLevel { describe(commands[number], commands, &call.reply) }
    }

    static func count(_ call: inout Call) throws(CommandError) {
        call.reply.integer(call.server.commands.topLevel.count)
    }

    static func info(_ call: inout Call) throws(CommandError) {
        guard call.arguments.count > 2 else { return try all(&call) }
        let commands = call.server.commands
        call.reply.array(call.arguments.count - 2)
        for index in 2..<call.arguments.count {
            if let row = commands.row(named: call.arguments[index].string) {
                describe(row, commands, &call.reply)
            } else {
                call.reply.null()
            }
        }
    }

    private static func describe(
        _ row: CommandTable.Row, _ commands: CommandTable, _ reply: inout ReplyWriter
    ) {
        reply.array(10)
        reply.bulk(row.fullName)
        reply.integer(row.command.arity.number)
        names(CommandFlags.names, of: UInt32(truncatingIfNeeded: row.flags.rawValue), &reply)
        reply.integer(row.firstKey)
        reply.integer(row.lastKey)
        reply.integer(row.keyStep)
        names(CommandCategories.names.map { "@" + $0 }, of: row.categories.rawValue, &reply)
        reply.set(row.command.tips.count)
        for tip in row.command.tips { reply.bulk(tip) }
        reply.set(row.command.keys.count)
        for spec in row.command.keys { describe(spec, &reply) }
        if row.subcommands.isEmpty { return reply.set(0) }
        reply.array(row.subcommands.count)
        for number in row.subcommands { describe(commands[number], commands, &reply) }
    }

    /// The names of the bits set, as a set of simple strings.
    private static func names(_ names: [String], of bits: UInt32, _ reply: inout ReplyWriter) {
        let set = names.indices.filter { bits >> UInt32($0) & 1 == 1 }
        reply.set(set.count)
        for index in set { names[index].withByteView { reply.simple($0) } }
    }

    // MARK: - Key specifications

    private static func describe(_ spec: KeySpec, _ reply: inout ReplyWriter) {
        reply.map(spec.note == nil ? 3 : 4)
        if let note = spec.note {
            reply.bulk("notes")
            reply.bulk(note)
        }
        reply.bulk("flags")
        flags(spec.access, spec.flags, &reply)
        reply.bulk("begin_search")
        describe(spec.begin, &reply)
        reply.bulk("find_keys")
        describe(spec.find, &reply)
    }

    private static func flags(
        _ access: KeySpec.Access, _ flags: KeySpec.Flags, _ reply: inout ReplyWriter
    ) {
        let names = KeySpec.Flags.names
        let set = names.indices.filter { flags.rawValue >> UInt8($0) & 1 == 1 }
        reply.set(set.count + (access == .none ? 0 : 1))
        if access != .none { access.rawValue.withByteView { reply.simple($0) } }
        for index in set { names[index].withByteView { reply.simple($0) } }
    }

    private static func describe(_ begin: KeySpec.Begin, _ reply: inout ReplyWriter) {
        switch begin {
        case .index(let index):
            describe("index", ["index": index], &reply)
        case .keyword(let word, let from):
            head("keyword", &reply)
            reply.map(2)
            reply.bulk("keyword")
            reply.bulk(word)
            reply.bulk("startfrom")
            reply.integer(from)
        case .unknown:
            describe("unknown", [:], &reply)
        }
    }

    private static func describe(_ find: KeySpec.Find, _ reply: inout ReplyWriter) {
        switch find {
        case .range(let last, let step, let limit):
            describe("range", ["lastkey": last, "keystep": step, "limit": limit], &reply)
        case .count(let index, let first, let step):
            describe("keynum", ["keynumidx": index, "firstkey": first, "keystep": step], &reply)
        case .unknown:
            describe("unknown", [:], &reply)
        }
    }

    private static func describe(
        _ type: String, _ numbers: KeyValuePairs<String, Int>, _ reply: inout ReplyWriter
    ) {
        head(type, &reply)
        reply.map(numbers.count)
        for (name, number) in numbers {
            reply.bulk(name)
            reply.integer(number)
        }
    }

    private static func head(_ type: String, _ reply: inout ReplyWriter) {
        reply.map(2)
        reply.bulk("type")
        reply.bulk(type)
        reply.bulk("spec")
    }

    // MARK: - COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]

    static func list(_ call: inout Call) throws(CommandError) {
        var names = Self.names(call.server.commands)
        var options = Options(call.arguments, from: 2)
        if options.hasMore {
            guard options.take("FILTERBY"), options.remaining == 2 else { throw .syntax }
            if options.take("MODULE") {
                names = []
            } else if options.take("ACLCAT") {
                let category = try options.next().lowercasedText
                let bit = CommandCategories.names.firstIndex(of: category)
                names = names.filter { row in
                    bit.map { row.categories.rawValue >> UInt32($0) & 1 == 1 } ?? false
                }
            } else if options.take("PATTERN") {
                let pattern = GlobPattern(try options.next(), ignoringCase: true)
                names = names.filter { row in row.fullName.withByteView { pattern.matches($0) } }
            } else {
                throw .syntax
            }
        }
        call.reply.array(names.count)
        for row in names { call.reply.bulk(row.fullName) }
    }

    /// Every command, with its subcommands behind it.
    private static func names(_ commands: CommandTable) -> [CommandTable.Row] {
        commands.topLevel.flatMap { number in
            [commands[number]] + commands[number].subcommands.map { commands[$0] }
        }
    }

    // MARK: - COMMAND GETKEYS command [arg …], COMMAND GETKEYSANDFLAGS command [arg …]

    static func getKeys(_ call: inout Call) throws(CommandError) {
        let request = call.arguments.dropFirst(2)
        let keys = try findKeys(call, request)
        call.reply.array(keys.count)
        for key in keys { call.reply.bulk(request[key.index]) }
    }

    static func getKeysAndFlags(_ call: inout Call) throws(CommandError) {
        let request = call.arguments.dropFirst(2)
        let keys = try findKeys(call, request)
        call.reply.array(keys.count)
        for key in keys {
            call.reply.array(2)
            call.reply.bulk(request[key.index])
            flags(key.access, key.flags, &call.reply)
        }
    }

    private static func findKeys(
        _ call: borrowing Call, _ request: Arguments
    ) throws(CommandError) -> [KeyPosition] {
        let commands = call.server.commands
        let number = call.server.commandNumber(of: request)
        let isUnknown =
            number < 0 || (commands.index.isContainer(number) && request.count > 1)
        if isUnknown { throw .text("ERR Invalid command specified") }
        let row = commands[number]
        guard KeyExtraction.hasKeys(row) else {
            throw .text("ERR The command has no key arguments")
        }
        guard commands.index.accepts(request.count, number) else {
            throw .text("ERR Invalid number of arguments specified for command")
        }
        if let keys = KeyExtraction.keys(of: row, request), !keys.isEmpty { return keys }
        if row.flags.contains(.noMandatoryKeys) { return [] }
        throw .text("ERR Invalid arguments specified for command")
    }

    // MARK: - COMMAND DOCS [name …]

    static func docs(_ call: inout Call) throws(CommandError) {
        let commands = call.server.commands
        let start = call.reply.deferLength()
        var count = 0
        if call.arguments.count == 2 {
            for number in commands.topLevel {
                document(commands[number], commands, &call.reply)
                count += 1
            }
        }
        for index in 2..<max(2, call.arguments.count) {
            guard let row = commands.row(named: call.arguments[index].string) else { continue }
            document(row, commands, &call.reply)
            count += 1
        }
        call.reply.finishMap(start, count)
    }

    private static func document(
        _ row: CommandTable.Row, _ commands: CommandTable, _ reply: inout ReplyWriter
    ) {
        let command = row.command
        reply.bulk(row.fullName)
        let start = reply.deferLength()
        var fields = 3
        for (name, text) in [
            ("summary", command.summary), ("since", command.since),
            ("group", command.group.rawValue),
        ] {
            reply.bulk(name)
            reply.bulk(text)
        }
        fields += documentFlags(command, &reply)
        let arguments = CommandArgument.all(of: command)
        if !arguments.isEmpty {
            fields += 1
            document(arguments, &reply)
        }
        if !row.subcommands.isEmpty {
            fields += 1
            reply.bulk("subcommands")
            reply.map(row.subcommands.count)
            for number in row.subcommands { document(commands[number], commands, &reply) }
        }
        reply.finishMap(start, fields)
    }

    /// What is special about the command; returns how many fields that took.
    private static func documentFlags(_ command: Command, _ reply: inout ReplyWriter) -> Int {
        var flags: [String] = []
        if command.deprecated != nil { flags.append("deprecated") }
        if command.flags.contains(.systemCommand) { flags.append("syscmd") }
        if flags.isEmpty { return 0 }
        reply.bulk("doc_flags")
        reply.set(flags.count)
        for flag in flags { flag.withByteView { reply.simple($0) } }
        guard let (since, replacement) = command.deprecated else { return 1 }
        reply.bulk("deprecated_since")
        reply.bulk(since)
        reply.bulk("replaced_by")
        reply.bulk(replacement)
        return 3
    }

    private static func document(_ arguments: [CommandArgument], _ reply: inout ReplyWriter) {
        reply.bulk("arguments")
        reply.array(arguments.count)
        for argument in arguments { document(argument, &reply) }
    }

    private static func document(_ argument: CommandArgument, _ reply: inout ReplyWriter) {
        let start = reply.deferLength()
        var fields = [("name", argument.name), ("type", argument.kind.rawValue)]
        if argument.kind != .oneOf && argument.kind != .block {
            fields.append(("display_text", argument.name))
        }
        for (name, text) in fields {
            reply.bulk(name)
            reply.bulk(text)
        }
        var count = fields.count
        if let index = argument.keySpec {
            reply.bulk("key_spec_index")
            reply.integer(index)
            count += 1
        }
        if let token = argument.token {
            reply.bulk("token")
            reply.bulk(token)
            count += 1
        }
        var flags: [String] = []
        if argument.isOptional { flags.append("optional") }
        if argument.isMultiple { flags.append("multiple") }
        if argument.repeatsToken { flags.append("multiple_token") }
        if !flags.isEmpty {
            reply.bulk("flags")
            reply.set(flags.count)
            for flag in flags { flag.withByteView { reply.simple($0) } }
            count += 1
        }
        if !argument.members.isEmpty {
            document(argument.members, &reply)
            count += 1
        }
        reply.finishMap(start, count)
    }

    // MARK: - COMMAND HELP

    static func help(_ call: inout Call) throws(CommandError) {
        call.replyHelp(
            container: "COMMAND",
            [
                "(no subcommand)", "    Describe all commands.",
                "COUNT", "    Return the number of commands.",
                "DOCS [<command-name> ...]",
                "    Return the documentation of the commands named, or of all.",
                "GETKEYS <full-command>", "    Return the keys of a request.",
                "GETKEYSANDFLAGS <full-command>",
                "    Return the keys of a request and what is done to them.",
                "INFO [<command-name> ...]", "    Describe the commands named, or all.",
                "LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]",
                "    Return the names of commands.",
            ])
    }
}
