/// Commands of the documented group "stream" on consumer groups: making them, acknowledging, looking
/// at what is pending, handing it to others.
enum StreamGroupCommands {
    // swift-format-ignore
    static var table: [Command] {
        [
            Command(
                "XGROUP", [], group: .stream, since: "5.0.0",
                "A container for commands on consumer groups.",
                subcommands: [
                    Command(
                        "CREATE", .atLeast(5), [.write, .denyOOM], group: .stream,
                        keys: [.at(2, .readWrite, [.insert])], since: "5.0.0",
                        "Creates a consumer group.",
                        syntax: "key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]",
                        create),
                    Command(
                        "SETID", .atLeast(5), [.write], group: .stream,
                        keys: [.at(2, .readWrite, [.update])], since: "5.0.0",
                        "Sets the last id that a consumer group was given.",
                        syntax: "key group <id | $> [ENTRIESREAD entries-read]", setID),
                    Command(
                        "DESTROY", .exactly(4), [.write], group: .stream,
                        keys: [.at(2, .readWrite, [.delete])], since: "5.0.0",
                        "Destroys a consumer group.", syntax: "key group", destroy),
                    Command(
                        "CREATECONSUMER", .exactly(5), [.write, .denyOOM], group: .stream,
                        keys: [.at(2, .readWrite, [.insert])], since: "6.2.0",
                        "Creates a consumer in a consumer group.",
                        syntax: "key group consumer", createConsumer),
                    Command(
                        "DELCONSUMER", .exactly(5), [.write], group: .stream,
                        keys: [.at(2, .readWrite, [.delete])], since: "5.0.0",
                        "Deletes a consumer of a consumer group, with what is pending for it.",
                        syntax: "key group consumer", deleteConsumer),
                    Command(
                        "HELP", .exactly(2), [.loading, .stale], group: .stream, since: "5.0.0",
                        "Explains the subcommands.", help),
                ]),
            Command(
                "XACK", .atLeast(4), [.write, .fast], group: .stream,
                keys: [.at(1, .readWrite, [.update])], since: "5.0.0",
                "Acknowledges entries that were delivered to a consumer group.",
                syntax: "key group id [id ...]", xack),
            Command(
                "XPENDING", .atLeast(3), [.readOnly], group: .stream,
                keys: [.at(1, .readOnly, [.access])], since: "5.0.0",
                "Returns what is pending in a consumer group: a summary, or entry by entry.",
                syntax: "key group [[IDLE min-idle-time] start end count [consumer]]",
                tips: ["nondeterministic_output"], xpending),
            Command(
                "XCLAIM", .atLeast(6), [.write, .fast], group: .stream,
                keys: [.at(1, .readWrite, [.update])], since: "5.0.0",
                "Hands pending entries to a consumer as if they had been delivered to it.",
                syntax: "key group consumer min-idle-time id [id ...] [IDLE ms] "
                    + "[TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] "
                    + "[LASTID last-id]",
                tips: ["nondeterministic_output"], StreamClaimCommands.xclaim),
            Command(
                "XAUTOCLAIM", .atLeast(6), [.write, .fast], group: .stream,
                keys: [.at(1, .readWrite, [.delete])], since: "6.2.0",
                "Hands entries that are pending for long to a consumer as if they had been "
                    + "delivered to it.",
                syntax: "key group consumer min-idle-time start [COUNT count] [JUSTID]",
                tips: ["nondeterministic_output"], StreamClaimCommands.xautoclaim),
        ]
    }

    // MARK: - XGROUP CREATE key group id | $ [MKSTREAM] [ENTRIESREAD n]

    static func create(_ call: inout Call) throws(CommandError) {
        let options = try GroupOptions(&call, mayMakeStream: true)
        let key = call.key(2)
        let stream = try call.database.stream(at: key)
        guard stream != nil || options.makesStream else { throw keyIsMissing }
        let text = call.arguments[4]
        let id: StreamID =
            text.count == 1 && text[0] == UInt8(ascii: "$")
            ? stream?.lastID ?? .zero : try StreamID.exactly(text)
        let target: StreamValue
        if let stream {
            target = stream
        } else {
            target = try call.database.makeStream(at: key)
        }
        guard target.group(call.arguments[3]) == nil else {
            throw .text("BUSYGROUP Consumer Group name already exists")
        }
        _ = target.addGroup(
            call.arguments[3], lastID: id,
            entriesRead: min(options.entriesRead, target.entriesAdded))
        call.changed(key, .groupCreate)
        call.reply.ok()
    }

    private static var keyIsMissing: CommandError {
        .text(
            """
            ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want \
            to use the MKSTREAM option to create an empty stream automatically.
            """)
    }

    private struct GroupOptions {
        var makesStream = false
        var entriesRead = StreamGroup.unknown

        init(_ call: inout Call, mayMakeStream: Bool) throws(CommandError) {
            var options = Options(call.arguments, from: 5)
            while options.hasMore {
                if mayMakeStream && options.take("MKSTREAM") {
                    makesStream = true
                } else if options.remaining > 1 && options.take("ENTRIESREAD") {
                    entriesRead = try options.integer()
                    guard entriesRead >= 0 || entriesRead == StreamGroup.unknown else {
                        throw .text("ERR value for ENTRIESREAD must be positive or -1")
                    }
                } else {
                    throw call.subcommandSyntax("XGROUP")
                }
            }
        }
    }

    /// The stream and group of a subcommand that needs both.
    private static func find(
        _ call: inout Call, _ key: Key
    ) throws(CommandError) -> (stream: StreamValue, group: StreamGroup) {
        guard let stream = try call.database.stream(at: key) else { throw keyIsMissing }
        guard let group = stream.group(call.arguments[3]) else {
            throw call.fail([
                ByteView("NOGROUP No such consumer group '"), call.arguments[3],
                ByteView("' for key name '"), key.bytes, ByteView("'"),
            ])
        }
        return (stream, group)
    }

    // MARK: - XGROUP SETID key group id | $ [ENTRIESREAD n]

    static func setID(_ call: inout Call) throws(CommandError) {
        let options = try GroupOptions(&call, mayMakeStream: false)
        let key = call.key(2)
        let (stream, group) = try find(&call, key)
        let text = call.arguments[4]
        group.lastID =
            text.count == 1 && text[0] == UInt8(ascii: "$")
            ? stream.lastID : try StreamID.any(text)
        group.entriesRead = min(options.entriesRead, stream.entriesAdded)
        call.changed(key, .groupSetID)
        call.reply.ok()
    }

    // MARK: - XGROUP DESTROY key group

    /// Reply: whether there was such a group.
    ///
    /// O(pending entries).
    static func destroy(_ call: inout Call) throws(CommandError) {
        let key = call.key(2)
        guard let stream = try call.database.stream(at: key) else { throw keyIsMissing }
        guard let group = stream.group(call.arguments[3]) else { return call.reply.integer(0) }
        stream.remove(group)
        call.changed(key, .groupDestroy)
        call.reply.integer(1)
    }

    // MARK: - XGROUP CREATECONSUMER key group consumer

    /// Reply: whether it is new.
    static func createConsumer(_ call: inout Call) throws(CommandError) {
        let key = call.key(2)
        let (_, group) = try find(&call, key)
        guard group.consumer(call.arguments[4]) == nil else { return call.reply.integer(0) }
        _ = group.addConsumer(call.arguments[4], now: call.now)
        call.changed(key, .consumerCreate)
        call.reply.integer(1)
    }

    // MARK: - XGROUP DELCONSUMER key group consumer

    /// Reply: how many entries were pending for it.
    static func deleteConsumer(_ call: inout Call) throws(CommandError) {
        let key = call.key(2)
        let (_, group) = try find(&call, key)
        guard let consumer = group.consumer(call.arguments[4]) else {
            return call.reply.integer(0)
        }
        let pending = consumer.pending.count
        group.remove(consumer)
        call.changed(key, .consumerDelete)
        call.reply.integer(pending)
    }

    static func help(_ call: inout Call) throws(CommandError) {
        call.replyHelp(
            container: "XGROUP",
            [
                "CREATE <key> <groupname> <id|$> [option]",
                "    Create a new consumer group. Options are:",
                "    * MKSTREAM",
                "      Create the empty stream if it does not exist.",
                "    * ENTRIESREAD entries_read",
                "      Set the group's entries_read counter (internal use).",
                "CREATECONSUMER <key> <groupname> <consumer>",
                "    Create a new consumer in the specified group.",
                "DELCONSUMER <key> <groupname> <consumer>",
                "    Remove the specified consumer.",
                "DESTROY <key> <groupname>",
                "    Remove the specified group.",
                "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
                "    Set the current group ID and entries_read counter.",
            ])
    }

    // MARK: - XACK key group id [id ...]

    /// Reply: how many were pending.
    ///
    /// O(log pending) each.
    static func xack(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        guard let group = try call.database.readStream(key)?.group(call.arguments[2]) else {
            return call.reply.integer(0)
        }
        for index in 3..<call.arguments.count { _ = try StreamID.exactly(call.arguments[index]) }
        var acknowledged = 0
        for index in 3..<call.arguments.count {
            if group.acknowledge(try StreamID.exactly(call.arguments[index])) {
                acknowledged += 1
            }
        }
        if acknowledged > 0 { call.changedWholesale(by: acknowledged) }
        call.reply.integer(acknowledged)
    }

    // MARK: - XPENDING key group [[IDLE ms] start end count [consumer]]

    private struct PendingRange {
        var minIdle: Int64 = 0
        let start: StreamID
        let end: StreamID
        let count: Int64
        /// Where the consumer stands; nil: all of them.
        var consumer: Int?

        init(_ arguments: Arguments) throws(CommandError) {
            var first = 3
            if arguments[3].equalsIgnoringCase("IDLE") {
                guard let idle = NumberText.integer(arguments[4]) else { throw .notInteger }
                guard arguments.count >= 8 else { throw .syntax }
                minIdle = idle
                first = 5
            }
            guard let count = NumberText.integer(arguments[first + 2]) else { throw .notInteger }
            self.count = max(0, count)
            start = try StreamID.intervalStart(arguments[first])
            end = try StreamID.intervalEnd(arguments[first + 1])
            if first + 3 < arguments.count { consumer = first + 3 }
        }
    }

    static func xpending(_ call: inout Call) throws(CommandError) {
        let count = call.arguments.count
        guard count == 3 || (count >= 6 && count <= 9) else { throw .syntax }
        let range = count == 3 ? nil : try PendingRange(call.arguments)
        let key = call.key(1)
        let found = try call.database.readStream(key)?.group(call.arguments[2])
        guard let group = found else { throw call.missingGroup(key.bytes, call.arguments[2]) }
        if let range { replyPending(&call, group, range) } else { replySummary(&call, group) }
    }

    /// Reply: how many, the first and last id, and how many for whom.
    private static func replySummary(_ call: inout Call, _ group: StreamGroup) {
        let pending = group.pending
        call.reply.array(4)
        call.reply.integer(pending.count)
        guard let first = pending.first, let last = pending.last else {
            call.reply.null()
            call.reply.null()
            return call.reply.nullArray()
        }
        call.reply.bulk(pending.id(at: first))
        call.reply.bulk(pending.id(at: last))
        let begin = call.reply.deferLength()
        var written = 0
        let consumers = group.consumers
        for index in 0..<consumers.count {
            let consumer = StreamConsumer(consumers[index], in: call.keyspace.arena)
            guard !consumer.pending.isEmpty else { continue }
            call.reply.array(2)
            call.reply.bulk(consumer.name)
            call.reply.bulkInteger(Int64(consumer.pending.count))
            written += 1
        }
        call.reply.finishArray(begin, written)
    }

    /// Reply: id, consumer, idle milliseconds and deliveries of each.
    private static func replyPending(
        _ call: inout Call, _ group: StreamGroup, _ range: PendingRange
    ) {
        var pending = group.pending
        if let name = range.consumer {
            guard let consumer = group.consumer(call.arguments[name]) else {
                return call.reply.array(0)
            }
            pending = consumer.pending
        }
        let begin = call.reply.deferLength()
        var written: Int64 = 0
        var position = pending.position(atOrAfter: range.start)
        while written < range.count, let here = position, !(range.end < pending.id(at: here)) {
            let entry = PendingEntry(pending.value(at: here), in: call.keyspace.arena)
            let idle = entry.idle(at: call.now)
            if range.minIdle == 0 || idle >= range.minIdle {
                call.reply.array(4)
                call.reply.bulk(pending.id(at: here))
                call.reply.bulk(group.consumer(of: entry).name)
                call.reply.integer(max(0, idle))
                call.reply.integer(entry.deliveryCount)
                written += 1
            }
            position = pending.position(after: here)
        }
        call.reply.finishArray(begin, Int(written))
    }

    // MARK: - Consumers as they come

    /// The consumer of this name, seen now; made where there is none, as replicas do by themselves
    /// when they are told of an entry it claims.
    static func consumer(
        _ name: ByteView, of group: StreamGroup, _ key: Key, _ call: inout Call
    ) -> StreamConsumer {
        if let consumer = group.consumer(name) {
            consumer.seenTime = call.now
            return consumer
        }
        call.changed(key, .consumerCreate)
        return group.addConsumer(name, now: call.now)
    }

    // MARK: - What propagates

    /// A consumer that is about to be made and claims nothing yet.
    static func propagateConsumer(
        _ name: ByteView, _ key: Key, _ groupName: ByteView, _ call: borrowing Call
    ) {
        call.propagate([
            Array("XGROUP".utf8), Array("CREATECONSUMER".utf8), key.bytes.array,
            groupName.array, name.array,
        ])
    }

    /// The delivery as an XCLAIM, which sets the same whenever it is repeated.
    static func propagate(
        _ entry: PendingEntry, _ id: StreamID, _ consumer: StreamConsumer, _ group: StreamGroup,
        _ key: Key, _ groupName: ByteView, _ call: borrowing Call
    ) {
        call.propagate([
            Array("XCLAIM".utf8), key.bytes.array, groupName.array, consumer.name.array,
            Array("0".utf8), id.array, Array("TIME".utf8), Array(String(entry.deliveryTime).utf8),
            Array("RETRYCOUNT".utf8), Array(String(entry.deliveryCount).utf8),
            Array("FORCE".utf8), Array("JUSTID".utf8), Array("LASTID".utf8), group.lastID.array,
        ])
    }

    /// How far the group has read.
    static func propagateLastID(
        of group: StreamGroup, _ key: Key, _ groupName: ByteView, _ call: borrowing Call
    ) {
        call.propagate([
            Array("XGROUP".utf8), Array("SETID".utf8), key.bytes.array, groupName.array,
            group.lastID.array, Array("ENTRIESREAD".utf8), Array(String(group.entriesRead).utf8),
        ])
    }
}
