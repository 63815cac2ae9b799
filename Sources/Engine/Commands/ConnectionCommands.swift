/// Commands of the documented group "connection" (CLIENT has a file of its own).
enum ConnectionCommands {
    static var table: [Command] {
        [
            Command(
                "AUTH", .atLeast(2), [.noScript, .loading, .stale, .fast, .noAuth, .allowBusy],
                [.connection], group: .connection, since: "1.0.0",
                "Says who is connected, by password or by user and password.",
                syntax: "[username] password",
                secrets: { arguments in Array(1..<max(arguments.count, 1)) }, auth),
            Command(
                "ECHO", .exactly(2), [.loading, .stale, .fast], [.connection], group: .connection,
                since: "1.0.0", "Replies with the message given.", syntax: "message", echo),
            Command(
                "HELLO", .atLeast(1), [.noScript, .loading, .stale, .fast, .noAuth, .allowBusy],
                [.connection], group: .connection, since: "6.0.0",
                "Chooses the protocol, can authenticate and name the connection, and tells of the "
                    + "server.",
                syntax: "[protover [AUTH username password] [SETNAME clientname]]",
                secrets: helloSecrets, hello),
            Command(
                "PING", .atLeast(1), [.fast, .whileSubscribed, .framesChanges, .refusedUnsaved],
                [.connection],
                group: .connection, since: "1.0.0",
                "Replies PONG, or the message given.", syntax: "[message]",
                tips: ["request_policy:all_shards", "response_policy:all_succeeded"], ping),
            Command(
                "QUIT", .atLeast(1),
                [
                    .noScript, .loading, .stale, .fast, .noAuth, .allowBusy, .immediate,
                    .whileSubscribed,
                ],
                [.connection], group: .connection, since: "1.0.0",
                "Closes the connection once its replies are sent.",
                deprecated: ("7.2.0", "just closing the connection"), quit),
            Command(
                "RESET", .exactly(1),
                [
                    .noScript, .loading, .stale, .fast, .noAuth, .allowBusy, .immediate,
                    .whileSubscribed,
                ],
                [.connection], group: .connection, since: "6.2.0",
                "Brings the connection back to the state it began in.", reset),
            Command(
                "SELECT", .exactly(2), [.loading, .stale, .fast, .framesChanges], [.connection],
                group: .connection, since: "1.0.0", "Chooses the database of the connection.",
                syntax: "index", select),
        ]
    }

    // MARK: - AUTH [username] password

    static func auth(_ call: inout Call) throws(CommandError) {
        guard call.arguments.count <= 3 else { throw .syntax }
        if call.arguments.count == 2 && call.server.access.defaultUser.rules.needsNoPassword {
            throw .text(
                """
                ERR AUTH <password> called without any password configured for the default user. \
                Are you sure your configuration is correct?
                """)
        }
        let password = call.arguments[call.arguments.count - 1]
        let user = call.arguments.count == 3 ? call.arguments[1] : ByteView("default")
        guard call.server.authenticate(call, as: user, password: password) else {
            throw wrongPassword
        }
        call.reply.ok()
    }

    private static var wrongPassword: CommandError {
        .text("WRONGPASS invalid username-password pair or user is disabled.")
    }

    // MARK: - ECHO message

    static func echo(_ call: inout Call) throws(CommandError) {
        call.reply.bulk(call.arguments[1])
    }

    // MARK: - HELLO [protover [AUTH username password] [SETNAME clientname]]

    /// Two words behind each AUTH.
    private static let helloSecrets: SecretFinder = { arguments in
        (1..<max(arguments.count, 1)).flatMap { index in
            arguments[index].equalsIgnoringCase("AUTH")
                ? Array((index + 1)..<max(min(index + 3, arguments.count), index + 1)) : []
        }
    }

    /// Nothing is changed unless all of it can be.
    static func hello(_ call: inout Call) throws(CommandError) {
        var version = call.connection.session.protocolVersion
        if call.arguments.count > 1 {
            guard let asked = NumberText.integer(call.arguments[1]) else {
                throw .text("ERR Protocol version is not an integer or out of range")
            }
            guard asked == 2 || asked == 3 else {
                throw .text("NOPROTO unsupported protocol version")
            }
            version = Int(asked)
        }
        let name = try readHelloOptions(&call)
        guard !call.server.mustAuthenticate(call.connection) else {
            throw .text(
                """
                NOAUTH HELLO must be called with the client already authenticated, otherwise the \
                HELLO AUTH <user> <pass> option can be used to authenticate the client and select \
                the RESP protocol version at the same time
                """)
        }
        if let name { call.connection.session.name = name }
        call.connection.session.protocolVersion = version
        call.reply.isRESP3 = version == 3
        replyHello(&call, version)
    }

    /// Authenticates if that is asked for; returns the name to give, if any.
    private static func readHelloOptions(_ call: inout Call) throws(CommandError) -> String? {
        var options = Options(call.arguments, from: 2)
        var name: String?
        var credentials: (user: ByteView, password: ByteView)?
        while options.hasMore {
            if options.remaining > 2 && options.take("AUTH") {
                credentials = (try options.next(), try options.next())
            } else if options.remaining > 1 && options.take("SETNAME") {
                name = try ClientCommands.name(options.next())
            } else {
                throw call.fail("ERR Syntax error in HELLO option '\(options.peek.string)'")
            }
        }
        if let (user, password) = credentials,
            !call.server.authenticate(call, as: user, password: password)
        {
            throw wrongPassword
        }
        return name
    }

    private static func replyHello(_ call: inout Call, _ version: Int) {
        let settings = call.server.settings
        call.reply.map(settings.availabilityZone.isEmpty ? 7 : 8)
        call.reply.bulk("server")
        call.reply.bulk("redis")
        call.reply.bulk("version")
        call.reply.bulk(Version.redis)
        call.reply.bulk("proto")
        call.reply.integer(version)
        call.reply.bulk("id")
        call.reply.integer(Int64(call.connection.id))
        call.reply.bulk("mode")
        call.reply.bulk(settings.clusterEnabled ? "cluster" : "standalone")
        call.reply.bulk("role")
        call.reply.bulk(!call.server.replication.isReplica ? "master" : "replica")
        call.reply.bulk("modules")
        call.reply.array(0)
        if settings.availabilityZone.isEmpty { return }
        call.reply.bulk("availability_zone")
        call.reply.bulk(settings.availabilityZone)
    }

    // MARK: - PING [message]

    /// A subscriber that speaks RESP2 gets it in the form of a message.
    static func ping(_ call: inout Call) throws(CommandError) {
        let isMessage =
            call.connection.gate.contains(.subscribed)
            && call.connection.session.protocolVersion == 2
        if isMessage && call.arguments.count <= 2 {
            call.reply.array(2)
            call.reply.bulk("pong")
            return call.reply.bulk(call.arguments.count == 2 ? call.arguments[1] : .empty)
        }
        switch call.arguments.count {
        case 1: call.reply.simple("PONG")
        case 2: call.reply.bulk(call.arguments[1])
        default: throw .text("ERR wrong number of arguments for 'ping' command")
        }
    }

    // MARK: - QUIT

    static func quit(_ call: inout Call) throws(CommandError) {
        call.reply.ok()
        call.server.closeAfterReply(call.connection)
    }

    // MARK: - RESET

    static func reset(_ call: inout Call) throws(CommandError) {
        call.server.resetSession(call.connection)
        call.database = call.keyspace[0]
        call.reply.isRESP3 = call.connection.session.protocolVersion == 3
        call.reply.simple("RESET")
    }

    // MARK: - SELECT index

    static func select(_ call: inout Call) throws(CommandError) {
        guard let index = NumberText.integer(call.arguments[1]) else { throw .notInteger }
        guard Int32(exactly: index) != nil else {
            throw .text(
                "ERR value is out of range, value must between -2147483648 and 2147483647")
        }
        if call.server.settings.clusterEnabled && index != 0 {
            throw .text("ERR SELECT is not allowed in cluster mode")
        }
        guard index >= 0, index < call.keyspace.databaseCount else { throw .databaseOutOfRange }
        call.connection.session.database = Int(index)
        call.database = call.keyspace[Int(index)]
        call.reply.ok()
    }
}
