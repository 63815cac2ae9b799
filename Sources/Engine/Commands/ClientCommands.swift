/// Subcommands of CLIENT: who is connected, what a connection is called and how it wants its
/// replies, and bringing others to a halt.
enum ClientCommands {
    static var table: [Command] {
        [
            Command(
                "CLIENT", [.keepsCachingException], group: .connection, since: "2.4.0",
                "Holds the commands about client connections.",
                subcommands: aboutOneself + aboutTracking + aboutOthers)
        ]
    }

    static let plain: CommandFlags = [.noScript, .loading, .stale]
    private static let admin: CommandFlags = [.admin, .noScript, .loading, .stale]
    private static let toAllNodes = [
        "request_policy:all_nodes", "response_policy:all_succeeded",
    ]

    private static var aboutOneself: [Command] {
        [
            Command(
                "CAPA", .atLeast(3), plain, [.connection], group: .connection, since: "8.0.0",
                "Tells the server what the client can do.", syntax: "capability [capability ...]",
                capa),
            Command(
                "GETNAME", .exactly(2), plain, [.connection], group: .connection, since: "2.6.9",
                "Returns the name of the connection.", getName),
            Command(
                "HELP", .exactly(2), [.loading, .stale], [.connection], group: .connection,
                since: "5.0.0", "Explains the subcommands.", help),
            Command(
                "ID", .exactly(2), plain, [.connection], group: .connection, since: "5.0.0",
                "Returns the unique id of the connection.", id),
            Command(
                "INFO", .exactly(2), plain, [.connection], group: .connection, since: "6.2.0",
                "Describes the connection.", tips: ["nondeterministic_output"], info),
            Command(
                "NO-EVICT", .exactly(3), admin, [.connection], group: .connection, since: "7.0.0",
                "Says whether the connection may be closed to save memory.",
                syntax: "ON | OFF", noEvict),
            Command(
                "NO-TOUCH", .exactly(3), plain, [.connection], group: .connection, since: "7.2.0",
                "Says whether the connection's commands leave access times alone.",
                syntax: "ON | OFF", noTouch),
            Command(
                "REPLY", .exactly(3), plain, [.connection], group: .connection, since: "3.2.0",
                "Says whether the server replies to the connection.", syntax: "ON | OFF | SKIP",
                reply),
            Command(
                "SETINFO", .exactly(4), plain, [.connection], group: .connection, since: "7.2.0",
                "Names the client library or its version.",
                syntax: "LIB-NAME libname | LIB-VER libver", tips: toAllNodes, setInfo),
            Command(
                "SETNAME", .exactly(3), plain, [.connection], group: .connection, since: "2.6.9",
                "Names the connection.", syntax: "connection-name", tips: toAllNodes, setName),
        ]
    }

    private static var aboutOthers: [Command] {
        [
            Command(
                "KILL", .atLeast(3), admin, [.connection], group: .connection, since: "2.4.0",
                "Closes connections.", syntax: "ip:port | " + filterSyntax, kill),
            Command(
                "LIST", .atLeast(2), admin, [.connection], group: .connection, since: "2.4.0",
                "Describes the open connections.", syntax: "[" + filterSyntax + "]",
                tips: ["nondeterministic_output"], list),
            Command(
                "PAUSE", .atLeast(3), admin, [.connection], group: .connection, since: "3.0.0",
                "Puts the commands of all clients off for a while.",
                syntax: "timeout [WRITE | ALL]", pause),
            Command(
                "UNBLOCK", .atLeast(3), admin, [.connection], group: .connection, since: "5.0.0",
                "Ends the waiting of a client inside a blocking command.",
                syntax: "client-id [TIMEOUT | ERROR]", unblock),
            Command(
                "UNPAUSE", .exactly(2), admin, [.connection], group: .connection, since: "6.2.0",
                "Lets paused clients go on.", unpause),
        ]
    }

    private static let filterSyntax = """
        [ID client-id [client-id ...]] \
        [TYPE <NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB>] [USER username] \
        [ADDR ip:port] [LADDR ip:port] [SKIPME <YES | NO>] [MAXAGE maxage] [NAME name] \
        [IDLE idle] [FLAGS flags] [LIB-NAME lib-name] [LIB-VER lib-ver] [DB db] [CAPA capa] \
        [IP ip] [NOT-ID client-id [client-id ...]] \
        [NOT-TYPE <NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB>] [NOT-USER username] \
        [NOT-ADDR ip:port] [NOT-LADDR ip:port] [NOT-NAME name] [NOT-FLAGS flags] \
        [NOT-LIB-NAME lib-name] [NOT-LIB-VER lib-ver] [NOT-DB db] [NOT-CAPA capa] [NOT-IP ip]
        """

    // MARK: - Names

    /// A name for a connection, which has to stay one word of CLIENT LIST.
    static func name(_ bytes: ByteView) throws(CommandError) -> String {
        guard isPlain(bytes) else {
            throw .text(
                "ERR Client names cannot contain spaces, newlines or special characters.")
        }
        return bytes.string
    }

    private static func isPlain(_ bytes: ByteView) -> Bool {
        for index in 0..<bytes.count where bytes[index] < 0x21 || bytes[index] > 0x7E {
            return false
        }
        return true
    }

    static func setName(_ call: inout Call) throws(CommandError) {
        call.connection.session.name = try name(call.arguments[2])
        call.reply.ok()
    }

    static func getName(_ call: inout Call) throws(CommandError) {
        let name = call.connection.session.name
        if name.isEmpty { call.reply.null() } else { call.reply.bulk(name) }
    }

    // MARK: - CLIENT SETINFO LIB-NAME name | LIB-VER version

    static func setInfo(_ call: inout Call) throws(CommandError) {
        let value = call.arguments[3]
        if call.arguments[2].equalsIgnoringCase("LIB-NAME") {
            guard isPlain(value) else {
                throw .text(
                    "ERR lib-name cannot contain spaces, newlines or special characters.")
            }
            call.connection.session.libraryName = value.string
        } else if call.arguments[2].equalsIgnoringCase("LIB-VER") {
            guard isPlain(value) else {
                throw .text("ERR lib-ver cannot contain spaces, newlines or special characters.")
            }
            call.connection.session.libraryVersion = value.string
        } else {
            throw call.fail("ERR Unrecognized option '\(call.arguments[2].string)'")
        }
        call.reply.ok()
    }

    // MARK: - CLIENT CAPA capability [capability …]

    /// Unknown capabilities are ignored, so that newer clients can name theirs to older servers.
    static func capa(_ call: inout Call) throws(CommandError) {
        for index in 2..<call.arguments.count
        where call.arguments[index].equalsIgnoringCase("REDIRECT") {
            call.connection.session.capabilities = "r"
        }
        call.reply.ok()
    }

    // MARK: - CLIENT ID, CLIENT INFO

    static func id(_ call: inout Call) throws(CommandError) {
        call.reply.integer(Int64(call.connection.id))
    }

    static func info(_ call: inout Call) throws(CommandError) {
        call.reply.verbatim(describe(call.connection, call) + "\n")
    }

    private static func describe(_ connection: Connection, _ call: borrowing Call) -> String {
        var argumentBytes = 0
        // A large request's arguments are counted where they lie.
        if connection === call.connection && connection.large == nil {
            for index in 0..<call.arguments.count { argumentBytes += call.arguments[index].count }
        }
        return call.server.describe(connection, argumentBytes: argumentBytes)
    }

    // MARK: - CLIENT NO-EVICT ON | OFF, CLIENT NO-TOUCH ON | OFF

    static func noEvict(_ call: inout Call) throws(CommandError) {
        call.connection.session.isSparedFromEviction = try readSwitch(call)
        // There may be somebody to close now.
        call.server.clientMemory.tryAgain()
        call.reply.ok()
    }

    static func noTouch(_ call: inout Call) throws(CommandError) {
        let isOn = try readSwitch(call)
        call.connection.session.leavesAccessUntouched = isOn
        if isOn {
            call.connection.gate.insert(.noTouch)
        } else {
            call.connection.gate.remove(.noTouch)
        }
        call.reply.ok()
    }

    private static func readSwitch(_ call: borrowing Call) throws(CommandError) -> Bool {
        if call.arguments[2].equalsIgnoringCase("ON") { return true }
        if call.arguments[2].equalsIgnoringCase("OFF") { return false }
        throw .syntax
    }

    // MARK: - CLIENT REPLY ON | OFF | SKIP

    static func reply(_ call: inout Call) throws(CommandError) {
        defer { call.reply.mostBytes = call.server.mostReplyBytes(call.connection) }
        let mode = call.arguments[2]
        if mode.equalsIgnoringCase("ON") {
            call.connection.session.replyMode = .on
            call.connection.gate.remove(.replyMuted)
            call.reply.ok()
        } else if mode.equalsIgnoringCase("OFF") {
            call.connection.session.replyMode = .off
            call.connection.gate.insert(.replyMuted)
        } else if mode.equalsIgnoringCase("SKIP") {
            // Where nothing is replied there is nothing to skip.
            if call.connection.session.replyMode == .off { return }
            call.connection.session.replyMode = .skipNext
            call.connection.gate.insert(.replyMuted)
        } else {
            throw .syntax
        }
    }

    // MARK: - CLIENT LIST [filters], CLIENT KILL address | filters

    static func list(_ call: inout Call) throws(CommandError) {
        var options = Options(call.arguments, from: 2)
        let filter = try ConnectionFilter(&options, &call, use: .list)
        var text = ""
        for connection in call.server.connections.all where filter.matches(connection, call) {
            text += describe(connection, call) + "\n"
        }
        call.reply.verbatim(text)
    }

    static func kill(_ call: inout Call) throws(CommandError) {
        if call.arguments.count == 3 {
            let address = call.arguments[2].string
            let found = call.server.connections.all.first { $0.peerName == address }
            guard let found else { throw .text("ERR No such client") }
            call.reply.ok()
            return close([found], call)
        }
        var options = Options(call.arguments, from: 2)
        let filter = try ConnectionFilter(&options, &call, use: .kill)
        let doomed = call.server.connections.all.filter { filter.matches($0, call) }
        call.reply.integer(doomed.count)
        close(doomed, call)
    }

    /// Others at once; oneself after the reply.
    private static func close(_ connections: [Connection], _ call: borrowing Call) {
        for connection in connections {
            if connection === call.connection {
                call.server.closeAfterReply(connection)
            } else {
                call.server.close(connection, "Killed by CLIENT KILL")
            }
        }
    }

    // MARK: - CLIENT PAUSE timeout [WRITE | ALL], CLIENT UNPAUSE

    static func pause(_ call: inout Call) throws(CommandError) {
        guard call.arguments.count <= 4 else { throw wrongUse(&call) }
        var kind = Pauses.Kind.all
        if call.arguments.count == 4 {
            if call.arguments[3].equalsIgnoringCase("WRITE") {
                kind = .writes
            } else if !call.arguments[3].equalsIgnoringCase("ALL") {
                throw .text("ERR CLIENT PAUSE mode must be WRITE or ALL")
            }
        }
        guard let timeout = NumberText.integer(call.arguments[2]) else {
            throw .text("ERR timeout is not an integer or out of range")
        }
        if timeout < 0 { throw .timeoutNegative }
        let (until, overflow) = call.server.clock.monotonicMilliseconds
            .addingReportingOverflow(timeout)
        if overflow { throw .timeoutOutOfRange }
        call.server.waiting.beginPause(kind, for: .client, until: until, in: call.server)
        call.reply.ok()
    }

    private static func wrongUse(_ call: inout Call) -> CommandError {
        call.fail(
            "ERR unknown subcommand or wrong number of arguments for "
                + "'\(call.arguments[1].prefix(128).string)'. Try CLIENT HELP.")
    }

    static func unpause(_ call: inout Call) throws(CommandError) {
        call.server.waiting.endPause(for: .client, in: call.server)
        call.reply.ok()
    }

    // MARK: - CLIENT UNBLOCK client-id [TIMEOUT | ERROR]

    /// Only blocking commands can be ended; clients that wait for the end of a pause cannot.
    static func unblock(_ call: inout Call) throws(CommandError) {
        guard call.arguments.count <= 4 else { throw wrongUse(&call) }
        var how = Waiting.Reason.timeout
        if call.arguments.count == 4 {
            let reason = call.arguments[3]
            guard reason.equalsIgnoringCase("TIMEOUT") || reason.equalsIgnoringCase("ERROR") else {
                throw .text("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
            }
            if reason.equalsIgnoringCase("ERROR") { how = .error }
        }
        guard let id = NumberText.integer(call.arguments[2]) else { throw .notInteger }
        guard let client = call.server.connections.find(id: UInt64(bitPattern: id)),
            call.server.waiting.unblock(client, how, in: call.server)
        else { return call.reply.integer(0) }
        call.reply.integer(1)
    }

    // MARK: - CLIENT HELP

    static func help(_ call: inout Call) throws(CommandError) {
        call.replyHelp(
            container: "CLIENT",
            [
                "CACHING (YES|NO)",
                "    Have the keys of the next command tracked (OPTIN), or not (OPTOUT).",
                "CAPA <capability> [...]", "    Tell the server what the client can do: REDIRECT.",
                "GETNAME", "    Return the name of the connection.",
                "GETREDIR", "    Return the id of the client that gets the invalidations.",
                "ID", "    Return the id of the connection.",
                "INFO", "    Describe the connection.",
                "KILL <ip:port>", "    Close the connection from <ip:port>.",
                "KILL <filter> <value> [<filter> <value> [...]]",
                "    Close the connections that match all filters. Filters are:",
            ] + filterHelp + [
                "    * SKIPME (YES|NO)", "      Spare the current connection (default: yes).",
                "LIST [<filter> <value> [...]]",
                "    Describe the connections that match all filters, which are those of KILL.",
                "NO-EVICT (ON|OFF)", "    Keep the connection from being closed to save memory.",
                "NO-TOUCH (ON|OFF)", "    Leave access times alone.",
                "PAUSE <timeout> [WRITE|ALL]",
                "    Put the commands of all clients, or just writes, off for <timeout> ms.",
                "REPLY (ON|OFF|SKIP)", "    Say whether the server replies to the connection.",
                "SETINFO <option> <value>",
                "    Name the client library (LIB-NAME) or its version (LIB-VER).",
                "SETNAME <name>", "    Name the connection.",
                "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
                "         [OPTIN] [OPTOUT] [NOLOOP]",
                "    Say whether the connection is told when keys it has read change.",
                "TRACKINGINFO", "    Describe the tracking of the connection.",
                "UNBLOCK <client-id> [TIMEOUT|ERROR]",
                "    End the waiting of a client inside a blocking command.",
                "UNPAUSE", "    Let paused clients go on.",
            ])
    }

    private static let filterHelp = [
        "    * ID <client-id> [<client-id> ...]", "    * ADDR <ip:port>", "    * LADDR <ip:port>",
        "    * IP <ip>", "    * TYPE (NORMAL|PRIMARY|REPLICA|PUBSUB)", "    * USER <username>",
        "    * NAME <name>", "    * LIB-NAME <name>", "    * LIB-VER <version>",
        "    * DB <number>",
        "    * FLAGS <letters>", "    * CAPA <letters>", "    * MAXAGE <seconds>",
        "    * IDLE <seconds>", "    All but the last two also with NOT- in front.",
    ]
}
