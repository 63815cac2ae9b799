/// Commands of the documented group "pubsub".
enum PubSubCommands {
    private static let listening: CommandFlags = [
        .pubSub, .noScript, .loading, .stale, .whileSubscribed,
    ]
    private static let telling: CommandFlags = [.pubSub, .loading, .stale]
    private static let sending: CommandFlags = [.pubSub, .loading, .stale, .fast, .mayReplicate]

    static var table: [Command] {
        listeningTable + [
            Command(
                "PUBLISH", .exactly(3), sending.union(.firstIsChannel), group: .pubSub,
                since: "2.0.0",
                "Sends a message to who listens to a channel.", syntax: "channel message", publish),
            Command(
                "SPUBLISH", .exactly(3), sending.union(.firstIsChannel), group: .pubSub,
                keys: [.at(1, .none, [.notKey])], since: "7.0.0",
                "Sends a message to who listens to a shard channel.",
                syntax: "shardchannel message", spublish),
            Command(
                "PUBSUB", group: .pubSub, since: "2.8.0",
                "Holds the commands that tell who listens.", subcommands: subcommands),
        ]
    }

    private static var listeningTable: [Command] {
        let shardChannels = [KeySpec.from(1, last: -1, .none, [.notKey])]
        return [
            Command(
                "PSUBSCRIBE", .atLeast(2), listening.union([.denyOOM, .allAreChannelPatterns]),
                group: .pubSub, since: "2.0.0",
                "Listens to channels that match patterns.", syntax: "pattern [pattern ...]",
                psubscribe),
            Command(
                "PUNSUBSCRIBE", .atLeast(1), listening, group: .pubSub, since: "2.0.0",
                "Listens no longer to patterns, those named or all.",
                syntax: "[pattern [pattern ...]]", punsubscribe),
            Command(
                "SSUBSCRIBE", .atLeast(2), listening.union([.denyOOM, .allAreChannels]),
                group: .pubSub,
                keys: shardChannels, since: "7.0.0", "Listens to shard channels.",
                syntax: "shardchannel [shardchannel ...]", ssubscribe),
            Command(
                "SUBSCRIBE", .atLeast(2), listening.union([.denyOOM, .allAreChannels]),
                group: .pubSub,
                since: "2.0.0", "Listens to channels.", syntax: "channel [channel ...]", subscribe),
            Command(
                "SUNSUBSCRIBE", .atLeast(1), listening, group: .pubSub, keys: shardChannels,
                since: "7.0.0", "Listens no longer to shard channels, those named or all.",
                syntax: "[shardchannel [shardchannel ...]]", sunsubscribe),
            Command(
                "UNSUBSCRIBE", .atLeast(1), listening, group: .pubSub, since: "2.0.0",
                "Listens no longer to channels, those named or all.",
                syntax: "[channel [channel ...]]", unsubscribe),
        ]
    }

    private static var subcommands: [Command] {
        [
            Command(
                "CHANNELS", .atLeast(2), telling, group: .pubSub, since: "2.8.0",
                "Names the channels somebody listens to.", syntax: "[pattern]", channels),
            Command(
                "HELP", .exactly(2), [.loading, .stale], group: .pubSub, since: "6.2.0",
                "Explains the subcommands.", help),
            Command(
                "NUMPAT", .exactly(2), telling, group: .pubSub, since: "2.8.0",
                "Counts the patterns somebody listens to.", numpat),
            Command(
                "NUMSUB", .atLeast(2), telling, group: .pubSub, since: "2.8.0",
                "Counts who listens to each channel.", syntax: "[channel [channel ...]]", numsub),
            Command(
                "SHARDCHANNELS", .atLeast(2), telling, group: .pubSub, since: "7.0.0",
                "Names the shard channels somebody listens to.", syntax: "[pattern]",
                shardchannels),
            Command(
                "SHARDNUMSUB", .atLeast(2), telling, group: .pubSub, since: "7.0.0",
                "Counts who listens to each shard channel.",
                syntax: "[shardchannel [shardchannel ...]]", shardnumsub),
        ]
    }

    // MARK: - SUBSCRIBE channel [channel ...], PSUBSCRIBE, SSUBSCRIBE

    /// Reply: for each name a push of the command's word, the name, and how many there are now.
    static func subscribe(_ call: inout Call) throws(CommandError) {
        listen(&call, .channel, "subscribe")
    }

    static func psubscribe(_ call: inout Call) throws(CommandError) {
        listen(&call, .pattern, "psubscribe")
    }

    static func ssubscribe(_ call: inout Call) throws(CommandError) {
        listen(&call, .shard, "ssubscribe")
    }

    private static func listen(
        _ call: inout Call, _ kind: Subscriptions.Kind, _ word: StaticString
    ) {
        let before = call.reply.count
        for index in 1..<call.arguments.count {
            let name = call.arguments[index]
            _ = call.server.subscriptions[kind].add(call.connection.place, to: name)
            confirm(&call, kind, word, name)
        }
        finish(&call, before)
    }

    // MARK: - UNSUBSCRIBE [channel [channel ...]], PUNSUBSCRIBE, SUNSUBSCRIBE

    /// Reply: as for SUBSCRIBE; one push with a null where there was nothing to end.
    static func unsubscribe(_ call: inout Call) throws(CommandError) {
        listenNoLonger(&call, .channel, "unsubscribe")
    }

    static func punsubscribe(_ call: inout Call) throws(CommandError) {
        listenNoLonger(&call, .pattern, "punsubscribe")
    }

    static func sunsubscribe(_ call: inout Call) throws(CommandError) {
        listenNoLonger(&call, .shard, "sunsubscribe")
    }

    private static func listenNoLonger(
        _ call: inout Call, _ kind: Subscriptions.Kind, _ word: StaticString
    ) {
        let before = call.reply.count
        let place = call.connection.place
        if call.arguments.count > 1 {
            for index in 1..<call.arguments.count {
                let name = call.arguments[index]
                _ = call.server.subscriptions[kind].remove(place, from: name)
                confirm(&call, kind, word, name)
            }
        } else {
            let names = call.server.subscriptions[kind].removeAll(of: place)
            if names.isEmpty { confirm(&call, kind, word, nil) }
            for (index, name) in names.enumerated() {
                name.withByteView { confirm(&call, kind, word, $0, names.count - 1 - index) }
            }
        }
        finish(&call, before)
    }

    /// - Parameter others: names that are to be confirmed after this one.
    private static func confirm(
        _ call: inout Call, _ kind: Subscriptions.Kind, _ word: StaticString, _ name: ByteView?,
        _ others: Int = 0
    ) {
        call.reply.push(3)
        call.reply.bulk(word)
        if let name { call.reply.bulk(name) } else { call.reply.null() }
        call.reply.integer(
            call.server.subscriptions.count(of: call.connection.place, kind) + others)
    }

    /// Confirmations come even where replies are off.
    private static func finish(_ call: inout Call, _ before: Int) {
        call.server.noteSubscriptions(of: call.connection)
        call.reply.mostBytes = call.server.mostReplyBytes(call.connection)
        guard call.connection.gate.contains(.replyMuted) else { return }
        call.server.withHeldMessages { $0.raw(call.reply.view.dropFirst(before)) }
        call.reply.truncate(to: before)
    }

    // MARK: - PUBLISH channel message, SPUBLISH shardchannel message

    /// Reply: how many clients got it.
    static func publish(_ call: inout Call) throws(CommandError) {
        let server = call.server
        let receivers = server.publish(call.arguments[2], on: call.arguments[1])
        reply(&call, receivers)
    }

    static func spublish(_ call: inout Call) throws(CommandError) {
        let server = call.server
        let receivers = server.publish(call.arguments[2], onShard: call.arguments[1])
        reply(&call, receivers)
    }

    /// One's own message comes before the reply, but not into the middle of that of EXEC.
    private static func reply(_ call: inout Call, _ receivers: Int) {
        if call.isPropagated { call.propagateToReplicas() }
        call.server.releaseMessagesAfterCommand(&call)
        call.reply.integer(receivers)
    }

    // MARK: - PUBSUB CHANNELS [pattern], PUBSUB SHARDCHANNELS [pattern]

    static func channels(_ call: inout Call) throws(CommandError) {
        try list(&call, call.server.subscriptions.channels)
    }

    static func shardchannels(_ call: inout Call) throws(CommandError) {
        try list(&call, call.server.subscriptions.shards)
    }

    private static func list(
        _ call: inout Call, _ table: SubscriptionTable
    ) throws(CommandError) {
        guard call.arguments.count <= 3 else {
            throw call.fail(
                "ERR unknown subcommand or wrong number of arguments for "
                    + "'\(call.arguments[1].prefix(128).string)'. Try PUBSUB HELP.")
        }
        let pattern = call.arguments.count == 3 ? GlobPattern(call.arguments[2]) : nil
        let names = table.names.filter { name in
            name.withByteView { pattern?.matches($0) ?? true }
        }
        call.reply.array(names.count)
        for name in names { name.withByteView { call.reply.bulk($0) } }
    }

    // MARK: - PUBSUB NUMSUB [channel ...], PUBSUB SHARDNUMSUB [shardchannel ...], PUBSUB NUMPAT

    static func numsub(_ call: inout Call) throws(CommandError) {
        count(&call, call.server.subscriptions.channels)
    }

    static func shardnumsub(_ call: inout Call) throws(CommandError) {
        count(&call, call.server.subscriptions.shards)
    }

    /// Reply: each name and how many listen to it.
    private static func count(_ call: inout Call, _ table: SubscriptionTable) {
        call.reply.array((call.arguments.count - 2) * 2)
        for index in 2..<call.arguments.count {
            let name = call.arguments[index]
            call.reply.bulk(name)
            call.reply.integer(table.find(name).map { table[$0].subscribers.count } ?? 0)
        }
    }

    static func numpat(_ call: inout Call) throws(CommandError) {
        call.reply.integer(call.server.subscriptions.patterns.count)
    }

    // MARK: - PUBSUB HELP

    static func help(_ call: inout Call) throws(CommandError) {
        call.replyHelp(
            container: "PUBSUB",
            [
                "CHANNELS [<pattern>]",
                "    Name the channels somebody listens to, those that match <pattern> or all.",
                "NUMPAT", "    Count the patterns somebody listens to.",
                "NUMSUB [<channel> ...]",
                "    Count who listens to each channel; patterns do not count.",
                "SHARDCHANNELS [<pattern>]",
                "    Name the shard channels somebody listens to.",
                "SHARDNUMSUB [<shardchannel> ...]",
                "    Count who listens to each shard channel.",
            ])
    }
}
