/// XINFO: what a stream, its groups and their consumers are like.
enum StreamInfoCommands {
    // swift-format-ignore
    static var table: [Command] {
        [
            Command(
                "XINFO", [], group: .stream, since: "5.0.0",
                "A container for commands that describe streams.",
                subcommands: [
                    Command(
                        "STREAM", .atLeast(3), [.readOnly], group: .stream,
                        keys: [.at(2, .readOnly, [.access])], since: "5.0.0",
                        "Describes a stream.", syntax: "key [FULL [COUNT count]]", stream),
                    Command(
                        "GROUPS", .exactly(3), [.readOnly], group: .stream,
                        keys: [.at(2, .readOnly, [.access])], since: "5.0.0",
                        "Describes the consumer groups of a stream.", syntax: "key", groups),
                    Command(
                        "CONSUMERS", .exactly(4), [.readOnly], group: .stream,
                        keys: [.at(2, .readOnly, [.access])], since: "5.0.0",
                        "Describes the consumers of a group.", syntax: "key group",
                        tips: ["nondeterministic_output"], consumers),
                    Command(
                        "HELP", .exactly(2), [.loading, .stale], group: .stream, since: "5.0.0",
                        "Explains the subcommands.", help),
                ])
        ]
    }

    static func help(_ call: inout Call) throws(CommandError) {
        call.replyHelp(
            container: "XINFO",
            [
                "CONSUMERS <key> <groupname>",
                "    Show consumers of <groupname>.",
                "GROUPS <key>",
                "    Show the stream consumer groups.",
                "STREAM <key> [FULL [COUNT <count>]",
                "    Show information about the stream.",
            ])
    }

    /// The stream to be described, which must be there.
    private static func find(_ call: inout Call) throws(CommandError) -> StreamValue {
        guard let stream = try call.database.readStream(call.key(2)) else { throw .noSuchKey }
        return stream
    }

    // MARK: - XINFO STREAM key [FULL [COUNT count]]

    /// So many entries are shown of each kind unless told otherwise.
    private static let usualCount: Int64 = 10

    static func stream(_ call: inout Call) throws(CommandError) {
        let stream = try find(&call)
        guard call.arguments.count > 3 else { return replyBrief(&call, stream) }
        var options = Options(call.arguments, from: 3)
        guard options.remaining == 1 || options.remaining == 3, options.take("FULL") else {
            throw call.subcommandSyntax("XINFO")
        }
        var count = usualCount
        if options.hasMore {
            guard options.take("COUNT") else { throw call.subcommandSyntax("XINFO") }
            count = try options.integer()
            if count < 0 { count = usualCount }
        }
        replyFull(&call, stream, atMost: count == 0 ? .max : Int(count))
    }

    private static func replyFigures(_ call: inout Call, _ stream: StreamValue) {
        call.reply.bulk("length")
        call.reply.integer(stream.length)
        call.reply.bulk("radix-tree-keys")
        call.reply.integer(stream.nodeCount)
        // Nodes of our index, and what leads to it.
        call.reply.bulk("radix-tree-nodes")
        call.reply.integer(stream.indexNodeCount + 1)
        call.reply.bulk("last-generated-id")
        call.reply.bulk(stream.lastID)
        call.reply.bulk("max-deleted-entry-id")
        call.reply.bulk(stream.largestDeletedID)
        call.reply.bulk("entries-added")
        call.reply.integer(stream.entriesAdded)
        call.reply.bulk("recorded-first-entry-id")
        call.reply.bulk(stream.firstID)
    }

    private static func replyBrief(_ call: inout Call, _ stream: StreamValue) {
        call.reply.map(10)
        replyFigures(&call, stream)
        call.reply.bulk("groups")
        call.reply.integer(stream.groups.count)
        call.reply.bulk("first-entry")
        replyEdge(&call, stream, isLast: false)
        call.reply.bulk("last-entry")
        replyEdge(&call, stream, isLast: true)
    }

    private static func replyEdge(_ call: inout Call, _ stream: StreamValue, isLast: Bool) {
        var cursor = stream.cursor(from: .zero, through: .largest, isReversed: isLast)
        if cursor.next() { call.reply.entry(&cursor) } else { call.reply.null() }
    }

    private static func replyFull(_ call: inout Call, _ stream: StreamValue, atMost most: Int) {
        call.reply.map(9)
        replyFigures(&call, stream)
        call.reply.bulk("entries")
        var cursor = stream.cursor(from: .zero, through: .largest)
        call.reply.entries(&cursor, atMost: most)
        call.reply.bulk("groups")
        let groups = groups(of: stream)
        call.reply.array(groups.count)
        for (group, lag) in zip(groups, stream.lags(of: groups)) {
            call.reply.map(7)
            call.reply.bulk("name")
            call.reply.bulk(group.name)
            replyProgress(&call, group, lag: lag)
            call.reply.bulk("pel-count")
            call.reply.integer(group.pending.count)
            call.reply.bulk("pending")
            replyPending(&call, group.pending, of: group, atMost: most)
            call.reply.bulk("consumers")
            replyConsumers(&call, group, atMost: most)
        }
    }

    private static func groups(of stream: StreamValue) -> [StreamGroup] {
        let groups = stream.groups
        return (0..<groups.count).map { StreamGroup(groups[$0], in: stream.arena) }
    }

    /// How far a group has read.
    private static func replyProgress(
        _ call: inout Call, _ group: StreamGroup, lag: Int64?
    ) {
        call.reply.bulk("last-delivered-id")
        call.reply.bulk(group.lastID)
        call.reply.bulk("entries-read")
        if group.entriesRead == StreamGroup.unknown {
            call.reply.null()
        } else {
            call.reply.integer(group.entriesRead)
        }
        call.reply.bulk("lag")
        if let lag { call.reply.integer(lag) } else { call.reply.null() }
    }

    /// Pending entries; with their consumers where `group` is told.
    private static func replyPending(
        _ call: inout Call, _ pending: StreamIndex<UInt32>, of group: StreamGroup?,
        atMost most: Int
    ) {
        call.reply.array(min(most, pending.count))
        var position = pending.first
        var left = most
        while left > 0, let here = position {
            let entry = PendingEntry(pending.value(at: here), in: call.keyspace.arena)
            call.reply.array(group == nil ? 3 : 4)
            call.reply.bulk(pending.id(at: here))
            if let group { call.reply.bulk(group.consumer(of: entry).name) }
            call.reply.integer(entry.deliveryTime)
            call.reply.integer(entry.deliveryCount)
            left -= 1
            position = pending.position(after: here)
        }
    }

    private static func replyConsumers(_ call: inout Call, _ group: StreamGroup, atMost most: Int) {
        let consumers = group.consumers
        call.reply.array(consumers.count)
        for index in 0..<consumers.count {
            let consumer = StreamConsumer(consumers[index], in: call.keyspace.arena)
            call.reply.map(5)
            call.reply.bulk("name")
            call.reply.bulk(consumer.name)
            call.reply.bulk("seen-time")
            call.reply.integer(consumer.seenTime)
            call.reply.bulk("active-time")
            call.reply.integer(consumer.activeTime)
            call.reply.bulk("pel-count")
            call.reply.integer(consumer.pending.count)
            call.reply.bulk("pending")
            replyPending(&call, consumer.pending, of: nil, atMost: most)
        }
    }

    // MARK: - XINFO GROUPS key

    static func groups(_ call: inout Call) throws(CommandError) {
        let stream = try find(&call)
        let groups = groups(of: stream)
        call.reply.array(groups.count)
        for (group, lag) in zip(groups, stream.lags(of: groups)) {
            call.reply.map(6)
            call.reply.bulk("name")
            call.reply.bulk(group.name)
            call.reply.bulk("consumers")
            call.reply.integer(group.consumers.count)
            call.reply.bulk("pending")
            call.reply.integer(group.pending.count)
            replyProgress(&call, group, lag: lag)
        }
    }

    // MARK: - XINFO CONSUMERS key group

    static func consumers(_ call: inout Call) throws(CommandError) {
        let stream = try find(&call)
        guard let group = stream.group(call.arguments[3]) else {
            throw call.fail([
                ByteView("NOGROUP No such consumer group '"), call.arguments[3],
                ByteView("' for key name '"), call.arguments[2], ByteView("'"),
            ])
        }
        let consumers = group.consumers
        call.reply.array(consumers.count)
        for index in 0..<consumers.count {
            let consumer = StreamConsumer(consumers[index], in: stream.arena)
            call.reply.map(4)
            call.reply.bulk("name")
            call.reply.bulk(consumer.name)
            call.reply.bulk("pending")
            call.reply.integer(consumer.pending.count)
            call.reply.bulk("idle")
            call.reply.integer(max(0, call.now &- consumer.seenTime))
            call.reply.bulk("inactive")
            let active = consumer.activeTime
            call.reply.integer(
                active == StreamConsumer.never ? active : max(0, call.now &- active))
        }
    }
}
