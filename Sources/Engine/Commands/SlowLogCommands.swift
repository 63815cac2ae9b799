/// SLOWLOG and COMMANDLOG: requests that took long, were large, or had large replies.
enum SlowLogCommands {
    static var table: [Command] {
        [
            Command(
                "SLOWLOG", group: .server, since: "2.2.12", "Shows the commands that took long.",
                subcommands: slowLog),
            Command(
                "COMMANDLOG", group: .server, since: "8.1.0",
                "Shows the commands that took long, were large, or had large replies.",
                subcommands: commandLog),
        ]
    }

    private static let flags: CommandFlags = [.admin, .loading, .stale]
    private static let getTips = ["request_policy:all_nodes", "nondeterministic_output"]
    private static let lengthTips = [
        "request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output",
    ]
    private static let resetTips = [
        "request_policy:all_nodes", "response_policy:all_succeeded",
    ]
    private static let kindSyntax = "<SLOW | LARGE-REQUEST | LARGE-REPLY>"

    private static var slowLog: [Command] {
        [
            Command(
                "GET", .atLeast(2), flags, group: .server, since: "2.2.12",
                "Returns the entries of the slow log, newest first.", syntax: "[count]",
                tips: getTips, get),
            Command(
                "HELP", .exactly(2), [.loading, .stale], group: .server, since: "6.2.0",
                "Explains the subcommands.", help),
            Command(
                "LEN", .exactly(2), flags, group: .server, since: "2.2.12",
                "Tells how many entries the slow log has.", tips: lengthTips, length),
            Command(
                "RESET", .exactly(2), flags, group: .server, since: "2.2.12",
                "Empties the slow log.", tips: resetTips, reset),
        ]
    }

    private static var commandLog: [Command] {
        [
            Command(
                "GET", .exactly(4), flags, group: .server, since: "8.1.0",
                "Returns the entries of one of the logs, newest first.",
                syntax: "count \(kindSyntax)", tips: getTips, getOfKind),
            Command(
                "HELP", .exactly(2), [.loading, .stale], group: .server, since: "8.1.0",
                "Explains the subcommands.", helpForCommandLog),
            Command(
                "LEN", .exactly(3), flags, group: .server, since: "8.1.0",
                "Tells how many entries one of the logs has.", syntax: kindSyntax,
                tips: lengthTips, lengthOfKind),
            Command(
                "RESET", .exactly(3), flags, group: .server, since: "8.1.0",
                "Empties one of the logs.", syntax: kindSyntax, tips: resetTips, resetKind),
        ]
    }

    // MARK: - SLOWLOG GET [count], LEN, RESET

    static func get(_ call: inout Call) throws(CommandError) {
        guard call.arguments.count <= 3 else {
            throw call.fail(
                "ERR unknown subcommand or wrong number of arguments for "
                    + "'\(call.arguments[1].prefix(128).string)'. Try SLOWLOG HELP.")
        }
        reply(&call, .slow, most: call.arguments.count == 3 ? try readCount(call) : 10)
    }

    static func length(_ call: inout Call) throws(CommandError) {
        call.reply.integer(call.server.observation[.slow].count)
    }

    static func reset(_ call: inout Call) throws(CommandError) {
        call.server.observation[.slow].removeAll()
        call.reply.ok()
    }

    // MARK: - COMMANDLOG GET count kind, LEN kind, RESET kind

    static func getOfKind(_ call: inout Call) throws(CommandError) {
        let kind = try readKind(call.arguments[3])
        reply(&call, kind, most: try readCount(call))
    }

    static func lengthOfKind(_ call: inout Call) throws(CommandError) {
        call.reply.integer(call.server.observation[try readKind(call.arguments[2])].count)
    }

    static func resetKind(_ call: inout Call) throws(CommandError) {
        call.server.observation[try readKind(call.arguments[2])].removeAll()
        call.reply.ok()
    }

    // MARK: - Reading and replying

    /// -1 stands for all.
    private static func readCount(_ call: borrowing Call) throws(CommandError) -> Int {
        guard let count = NumberText.integer(call.arguments[2]), count >= -1 else {
            throw .text("ERR count should be greater than or equal to -1")
        }
        return count == -1 ? .max : Int(count)
    }

    private static func readKind(_ text: ByteView) throws(CommandError) -> CommandLog.Kind {
        if text.equalsIgnoringCase("slow") { return .slow }
        if text.equalsIgnoringCase("large-request") { return .largeRequest }
        if text.equalsIgnoringCase("large-reply") { return .largeReply }
        throw .text("ERR type should be one of the following: slow, large-request, large-reply")
    }

    private static func reply(_ call: inout Call, _ kind: CommandLog.Kind, most: Int) {
        let entries = call.server.observation[kind].newest(most)
        call.reply.array(entries.count)
        for entry in entries {
            call.reply.array(6)
            call.reply.integer(entry.id)
            call.reply.integer(entry.seconds)
            call.reply.integer(entry.amount)
            call.reply.array(entry.arguments.count)
            for argument in entry.arguments { argument.withByteView { call.reply.bulk($0) } }
            call.reply.bulk(entry.address)
            call.reply.bulk(entry.name)
        }
    }

    // MARK: - HELP

    static func help(_ call: inout Call) throws(CommandError) {
        call.replyHelp(
            container: "SLOWLOG",
            [
                "GET [<count>]",
                "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
                "    Entries are made of:",
                "    id, timestamp, time in microseconds, arguments array, client IP and port,",
                "    client name", "LEN", "    Return the length of the slowlog.", "RESET",
                "    Reset the slowlog.",
            ])
    }

    static func helpForCommandLog(_ call: inout Call) throws(CommandError) {
        call.replyHelp(
            container: "COMMANDLOG",
            [
                "GET <count> <type>",
                "    Return the newest <count> entries of a log (-1: all). <type> is slow,",
                "    large-request or large-reply. An entry is made of:",
                "    id, timestamp, time in microseconds or size in bytes, arguments array,",
                "    client IP and port, client name", "LEN <type>",
                "    Return the length of a log.", "RESET <type>", "    Empty a log.",
            ])
    }
}
