/// XREAD and XREADGROUP: what is new in one or more streams, waiting for it if need be.
///
/// Both run twice when they have to wait: once as they come, and again when a key they named appears
/// or changes, on that key alone (`Call.appearedKey`).
enum StreamReadCommands {
    // swift-format-ignore
    static var table: [Command] {
        [
            Command(
                "XREAD", .atLeast(4), [.readOnly, .blocking, .movableKeys], group: .stream,
                keys: [KeySpec(.readOnly, [.access], .keyword("STREAMS", startFrom: 1),
                               .range(last: -1, step: 1, limit: 2))],
                keyFinder: keys(false), since: "5.0.0",
                "Returns entries of streams that come after given ids; waits for them if need be.",
                syntax: "[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]",
                xread),
            Command(
                "XREADGROUP", .atLeast(7), [.write, .blocking, .movableKeys], group: .stream,
                keys: [KeySpec(.readOnly, [.access], .keyword("STREAMS", startFrom: 4),
                               .range(last: -1, step: 1, limit: 2))],
                keyFinder: keys(true), since: "5.0.0",
                "Returns entries of streams to a consumer of a group, the ones nobody of it got "
                    + "yet or those that are pending for it; waits for them if need be.",
                syntax: "GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] "
                    + "STREAMS key [key ...] id [id ...]", xreadgroup),
        ]
    }

    /// As the request is executed.
    private static func keys(_ isGroup: Bool) -> KeyFinder {
        { arguments in
            (try? Request(arguments, isGroup: isGroup))?.keys.map {
                KeyPosition(index: $0, access: .readOnly, flags: [.access])
            }
        }
    }

    static func xread(_ call: inout Call) throws(CommandError) {
        try read(&call, try Request(call.arguments, isGroup: false))
    }

    static func xreadgroup(_ call: inout Call) throws(CommandError) {
        try read(&call, try Request(call.arguments, isGroup: true))
    }

    // MARK: - Arguments

    private struct Request {
        let isGroup: Bool
        /// Where the names of the group and the consumer stand.
        var group = 0
        /// Where the keys stand; the id of each is as many arguments behind.
        var keys = 0..<0
        /// 0: without limit.
        var count: Int64 = 0
        var isAcknowledged = false
        /// Nil: does not wait; 0: for ever.
        var wait: Int64?

        init(_ arguments: Arguments, isGroup: Bool) throws(CommandError) {
            self.isGroup = isGroup
            var options = Options(arguments, from: 1)
            while options.hasMore && keys.isEmpty {
                let hasValue = options.remaining > 1
                if hasValue && options.take("BLOCK") {
                    wait = try Self.wait(try options.next())
                } else if hasValue && options.take("COUNT") {
                    count = max(0, try options.integer())
                } else if hasValue && options.take("STREAMS") {
                    guard options.remaining % 2 == 0 else { throw Self.unbalanced }
                    keys = options.index..<(options.index + options.remaining / 2)
                } else if options.remaining > 2 && options.take("GROUP") {
                    guard isGroup else { throw Self.groupInRead }
                    group = options.index
                    _ = try options.next()
                    _ = try options.next()
                } else if options.take("NOACK") {
                    guard isGroup else { throw Self.noAcknowledgementInRead }
                    isAcknowledged = true
                } else {
                    throw .syntax
                }
            }
            guard !keys.isEmpty else { throw .syntax }
            guard !isGroup || group > 0 else {
                throw .text("ERR Missing GROUP option for XREADGROUP")
            }
        }

        private static func wait(_ text: ByteView) throws(CommandError) -> Int64 {
            guard let wait = NumberText.integer(text) else { throw .timeoutNotInteger }
            guard wait >= 0 else { throw .timeoutNegative }
            return wait
        }

        private static var unbalanced: CommandError {
            .text(
                """
                ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be \
                specified.
                """)
        }

        private static var groupInRead: CommandError {
            .text(
                """
                ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.
                """)
        }

        private static var noAcknowledgementInRead: CommandError {
            .text(
                """
                ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.
                """)
        }
    }

    /// From where on a stream is to be read.
    private enum Start {
        /// Behind this id.
        case after(StreamID)
        /// Behind the last there is: `$`.
        case behindLast
        /// The last entry there is: `+`.
        case lastEntry
        /// Behind what the group got: `>`.
        case new
    }

    private static func start(_ text: ByteView, _ request: Request) throws(CommandError) -> Start {
        if text.count == 1 {
            switch text[0] {
            case UInt8(ascii: "$"):
                guard !request.isGroup else {
                    throw .text(
                        """
                        ERR The $ ID is meaningless in the context of XREADGROUP: you want to read \
                        the history of this consumer by specifying a proper ID, or use the > ID to \
                        get new messages. The $ ID would just return an empty result set.
                        """)
                }
                return .behindLast
            case UInt8(ascii: ">"):
                guard request.isGroup else {
                    throw .text(
                        """
                        ERR The > ID can be specified only when calling XREADGROUP using the GROUP \
                        <group> <consumer> option.
                        """)
                }
                return .new
            case UInt8(ascii: "+"):
                if !request.isGroup { return .lastEntry }
            default: break
            }
        }
        let id = try StreamID.exactly(text)
        // Nothing comes after the largest; for a group Redis takes it for `>`.
        return request.isGroup && id == .largest ? .new : .after(id)
    }

    // MARK: - Reading

    private static func read(_ call: inout Call, _ request: Request) throws(CommandError) {
        try check(&call, request)
        let begin = call.reply.deferLength()
        let isAlone = request.keys.count == 1 || call.appearedKey != 0
        var served = 0
        for index in request.keys where call.mayServe(index) {
            let key = call.key(index)
            guard let stream = try call.database.stream(at: key) else { continue }
            let text = call.arguments[index + request.keys.count]
            let start = try start(text, request)
            let isServed =
                request.isGroup
                ? readForGroup(&call, request, stream, key, start, isAlone)
                : readOn(&call, request, stream, key, start, isAlone)
            if isServed { served += 1 }
        }
        if served > 0 {
            if isAlone { return }
            if call.reply.isRESP3 {
                call.reply.finishMap(begin, served)
            } else {
                call.reply.finishArray(begin, served)
            }
            return
        }
        guard let wait = request.wait, call.mayBlock else {
            return call.reply.nullArray()
        }
        try block(&call, request, wait)
    }

    /// Before anything is read all keys, groups and ids must be right, also of a reader that waited:
    /// its stream or group may have gone.
    private static func check(_ call: inout Call, _ request: Request) throws(CommandError) {
        for index in request.keys where call.mayServe(index) {
            let key = call.key(index)
            let stream = try call.database.readStream(key)
            if request.isGroup && stream?.group(call.arguments[request.group]) == nil {
                throw call.missingGroup(
                    key.bytes, call.arguments[request.group],
                    " in XREADGROUP with GROUP option")
            }
            _ = try start(call.arguments[index + request.keys.count], request)
        }
    }

    /// The header of the whole reply where it has one part, and of the part.
    private static func open(_ call: inout Call, _ key: Key, _ isAlone: Bool) {
        if call.reply.isRESP3 {
            if isAlone { call.reply.map(1) }
        } else {
            if isAlone { call.reply.array(1) }
            call.reply.array(2)
        }
        call.reply.bulk(key.bytes)
    }

    /// Reads for nobody in particular; false when there is nothing.
    private static func readOn(
        _ call: inout Call, _ request: Request, _ stream: StreamValue, _ key: Key, _ start: Start,
        _ isAlone: Bool
    ) -> Bool {
        guard let last = stream.lastEntryID() else { return false }
        let first: StreamID
        switch start {
        case .after(let id):
            guard id < last, let next = id.next else { return false }
            first = next
        case .lastEntry: first = last
        case .behindLast, .new: return false
        }
        open(&call, key, isAlone)
        var cursor = stream.cursor(from: first, through: .largest)
        call.reply.entries(&cursor, atMost: request.count == 0 ? .max : Int(request.count))
        return true
    }

    // MARK: - Groups

    /// Reads for a consumer, which is made where it is missing, also when there is nothing for it;
    /// false when there is nothing new.
    private static func readForGroup(
        _ call: inout Call, _ request: Request, _ stream: StreamValue, _ key: Key, _ start: Start,
        _ isAlone: Bool
    ) -> Bool {
        guard let group = stream.group(call.arguments[request.group]) else { return false }
        var hasNew = false
        if case .new = start, let last = stream.lastEntryID() { hasNew = group.lastID < last }
        let name = call.arguments[request.group + 1]
        if call.isPropagated && (!hasNew || request.isAcknowledged) && group.consumer(name) == nil {
            StreamGroupCommands.propagateConsumer(name, key, call.arguments[request.group], call)
        }
        let consumer = StreamGroupCommands.consumer(name, of: group, key, &call)
        if case .new = start, !hasNew { return false }
        switch start {
        case .after(let id):
            open(&call, key, isAlone)
            replayPending(&call, request, stream, consumer, after: id)
        default:
            open(&call, key, isAlone)
            deliver(&call, request, stream, key, group, consumer)
            call.changedWholesale()
        }
        return true
    }

    /// Hands the consumer what nobody of the group has got.
    private static func deliver(
        _ call: inout Call, _ request: Request, _ stream: StreamValue, _ key: Key,
        _ group: StreamGroup, _ consumer: StreamConsumer
    ) {
        let begin = call.reply.deferLength()
        let most = request.count == 0 ? Int.max : Int(request.count)
        var cursor = stream.cursor(from: group.lastID.next ?? .largest, through: .largest)
        var delivered = 0
        let now = call.now
        while delivered < most && cursor.next() {
            let id = cursor.id
            stream.noteRead(id, by: group)
            call.reply.entry(&cursor)
            delivered &+= 1
            if request.isAcknowledged { continue }
            let entry = group.deliver(id, to: consumer, now: now)
            if call.isPropagated {
                StreamGroupCommands.propagate(
                    entry, id, consumer, group, key, call.arguments[request.group], call)
            }
        }
        if !request.isAcknowledged { consumer.activeTime = now }
        call.reply.finishArray(begin, delivered)
        if call.isPropagated && request.isAcknowledged {
            StreamGroupCommands.propagateLastID(
                of: group, key, call.arguments[request.group], call)
        }
    }

    /// Hands the consumer once more what is pending for it, from behind `id` on.
    ///
    /// Of an entry that was deleted only the id is left.
    private static func replayPending(
        _ call: inout Call, _ request: Request, _ stream: StreamValue, _ consumer: StreamConsumer,
        after id: StreamID
    ) {
        let begin = call.reply.deferLength()
        let most = request.count == 0 ? Int.max : Int(request.count)
        let pending = consumer.pending
        var written = 0
        var position = id.next.flatMap { pending.position(atOrAfter: $0) }
        while written < most, let here = position {
            let id = pending.id(at: here)
            var cursor = stream.cursor(from: id, through: id)
            if cursor.next() {
                call.reply.entry(&cursor)
                let entry = PendingEntry(pending.value(at: here), in: stream.arena)
                entry.deliveryTime = call.now
                entry.deliveryCount &+= 1
            } else {
                call.reply.array(2)
                call.reply.bulk(id)
                call.reply.nullArray()
            }
            written &+= 1
            position = pending.position(after: here)
        }
        call.reply.finishArray(begin, written)
    }

    // MARK: - Waiting

    /// Parks the client; `$` stands for what is last now, not when it runs again.
    private static func block(
        _ call: inout Call, _ request: Request, _ wait: Int64
    ) throws(CommandError) {
        let (deadline, overflow) = call.server.clock.monotonicMilliseconds
            .addingReportingOverflow(wait)
        guard !overflow else { throw .timeoutOutOfRange }
        let end = wait == 0 ? nil : deadline
        guard call.appearedKey == 0, !request.isGroup else {
            return call.block(
                on: request.keys, of: .stream, until: end, hearsOfLoss: request.isGroup)
        }
        var arguments = call.arguments.arrays
        for index in request.keys {
            let place = index + request.keys.count
            guard arguments[place] == [UInt8(ascii: "$")] || arguments[place] == [UInt8(ascii: "+")]
            else { continue }
            let stream = try call.database.stream(at: call.key(index))
            arguments[place] = (stream?.lastID ?? .zero).array
        }
        let fixed = OwnedArguments(arguments)
        let given = call.arguments
        call.arguments = fixed.view
        call.block(on: request.keys, of: .stream, until: end)
        call.arguments = given
    }
}
