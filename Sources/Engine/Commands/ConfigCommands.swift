/// CONFIG: reading and changing settings while the server runs.
enum ConfigCommands {
    static var table: [Command] {
        [
            Command(
                "CONFIG", group: .server, since: "2.0.0", "Reads and changes the configuration.",
                subcommands: [
                    Command(
                        "GET", .atLeast(3), adminFlags, group: .server, since: "2.0.0",
                        "Returns the directives that patterns name, and their values.",
                        syntax: "parameter [parameter ...]", get),
                    Command(
                        "HELP", .exactly(2), [.loading, .stale], group: .server, since: "5.0.0",
                        "Explains the subcommands.", help),
                    Command(
                        "RESETSTAT", .exactly(2), adminFlags, group: .server, since: "2.0.0",
                        "Begins the counting of statistics anew.", tips: everyNode, resetStatistics),
                    Command(
                        "REWRITE", .exactly(2), adminFlags, group: .server, since: "2.8.0",
                        "Writes the settings in force into the configuration file.",
                        tips: everyNode, rewrite),
                    Command(
                        "SET", .atLeast(4), adminFlags, group: .server, since: "2.0.0",
                        "Changes directives, all of them or none.",
                        syntax: "parameter value [parameter value ...]", tips: everyNode,
                        secrets: secretValues, set),
                ])
        ]
    }

    private static let adminFlags: CommandFlags = [.admin, .noScript, .loading, .stale]
    private static let everyNode = [
        "request_policy:all_nodes", "response_policy:all_succeeded",
    ]

    // MARK: - CONFIG GET parameter [parameter ...]

    static func get(_ call: inout Call) throws(CommandError) {
        let patterns = (2..<call.arguments.count).map { call.arguments[$0].string }
        let found = SettingTable.get(matching: patterns, in: call.server.settings)
        call.reply.map(found.count)
        for (name, value) in found {
            call.reply.bulk(name)
            value.withByteView { call.reply.bulk($0) }
        }
    }

    // MARK: - CONFIG SET parameter value [parameter value ...]

    private static let secretValues: SecretFinder = { arguments in
        stride(from: 3, to: arguments.count, by: 2).filter {
            SettingTable.isSensitive(arguments[$0 - 1].string)
        }
    }

    static func set(_ call: inout Call) throws(CommandError) {
        guard call.arguments.count % 2 == 0 else { throw .syntax }
        let pairs = stride(from: 2, to: call.arguments.count, by: 2).map { index in
            (name: call.arguments[index].string, value: call.arguments[index + 1].array)
        }
        do throws(ConfigError) {
            try call.server.configure(pairs, isLocal: call.connection.isLocal)
        } catch {
            throw call.fail(error.message)
        }
        call.reply.ok()
    }

    // MARK: - CONFIG REWRITE

    static func rewrite(_ call: inout Call) throws(CommandError) {
        try rewrite(&call, writesDefaults: false)
    }

    static func rewrite(_ call: inout Call, writesDefaults: Bool) throws(CommandError) {
        guard let path = call.server.settings.configFile else {
            throw .text("ERR The server is running without a config file")
        }
        if let reason = call.server.rewriteConfiguration(
            path, writesDefaults: writesDefaults)
        {
            throw call.fail("ERR Rewriting config file: \(reason)")
        }
        call.reply.ok()
    }

    // MARK: - CONFIG RESETSTAT

    static func resetStatistics(_ call: inout Call) throws(CommandError) {
        call.server.statistics.reset()
        call.keyspace.resetStatistics()
        call.server.sampling.resetRates()
        call.server.eviction.resetStatistics()
        call.server.replication.counters = ReplicationState.Counters()
        call.reply.ok()
    }

    // MARK: - CONFIG HELP

    static func help(_ call: inout Call) throws(CommandError) {
        call.replyHelp(
            container: "CONFIG",
            [
                "GET <pattern>",
                "    Return parameters matching the glob-like <pattern> and their values.",
                "SET <directive> <value>",
                "    Set the configuration <directive> to <value>.",
                "RESETSTAT",
                "    Reset statistics reported by the INFO command.",
                "REWRITE",
                "    Rewrite the configuration file.",
            ])
    }
}
