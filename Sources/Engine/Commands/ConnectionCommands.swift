/// Commands of the documented group "connection" (CLIENT has a file of its own).
enum ConnectionCommands {
    static var table: [Command] {
        [
            Command(
                "PING", .atLeast(1), [.fast], [.connection], group: .connection, since: "1.0.0",
                "Replies PONG, or the message given.", syntax: "[message]",
                tips: ["request_policy:all_shards", "response_policy:all_succeeded"], ping)
        ]
    }

    // MARK: - PING [message]

    static func ping(_ call: inout Call) throws(CommandError) {
        switch call.arguments.count {
        case 1: call.reply.simple("PONG")
        case 2: call.reply.bulk(call.arguments[1])
        default: throw call.fail("ERR wrong number of arguments for 'ping' command")
        }
    }
}
