/// XCLAIM and XAUTOCLAIM: pending entries change hands.
///
/// Both change what is pending first and write the reply afterwards from what they did, so that a
/// reply tells how far they came before it tells the entries.
enum StreamClaimCommands {
    // MARK: - XCLAIM key group consumer min-idle id [id ...] [option ...]

    private struct ClaimOptions {
        var minIdle: Int64 = 0
        /// One behind the last argument that is an id.
        var idsEnd = 5
        var deliveryTime: Int64?
        var deliveryCount: Int64?
        var isForced = false
        var repliesIDs = false
        var lastID = StreamID.zero

        init(_ call: inout Call) throws(CommandError) {
            guard let minIdle = NumberText.integer(call.arguments[4]) else {
                throw .text("ERR Invalid min-idle-time argument for XCLAIM")
            }
            self.minIdle = max(0, minIdle)
            let count = call.arguments.count
            while idsEnd < count, StreamID(call.arguments[idsEnd]) != nil { idsEnd += 1 }
            var options = Options(call.arguments, from: idsEnd)
            while options.hasMore {
                let hasValue = options.remaining > 1
                if options.take("FORCE") {
                    isForced = true
                } else if options.take("JUSTID") {
                    repliesIDs = true
                } else if hasValue && options.take("IDLE") {
                    let idle = try Self.integer(
                        &options, "ERR Invalid IDLE option argument for XCLAIM")
                    deliveryTime = call.now &- idle
                } else if hasValue && options.take("TIME") {
                    deliveryTime = try Self.integer(
                        &options, "ERR Invalid TIME option argument for XCLAIM")
                } else if hasValue && options.take("RETRYCOUNT") {
                    deliveryCount = try Self.integer(
                        &options, "ERR Invalid RETRYCOUNT option argument for XCLAIM")
                } else if hasValue && options.take("LASTID") {
                    lastID = try StreamID.exactly(try options.next())
                } else {
                    throw call.fail([
                        ByteView("ERR Unrecognized XCLAIM option '"), options.peek, ByteView("'"),
                    ])
                }
            }
            // A time that cannot be is taken for now: clients may count from their own clock.
            if let time = deliveryTime, time < 0 || time > call.now { deliveryTime = call.now }
            if deliveryCount ?? 0 < 0 { deliveryCount = nil }
        }

        private static func integer(
            _ options: inout Options, _ error: StaticString
        ) throws(CommandError) -> Int64 {
            guard let number = NumberText.integer(try options.next()) else { throw .text(error) }
            return number
        }
    }

    /// What both commands work on.
    private struct Claim {
        let stream: StreamValue
        let group: StreamGroup
        let key: Key
        let groupName: ByteView
        private let consumerName: ByteView
        private var found: StreamConsumer?

        init(_ call: inout Call) throws(CommandError) {
            key = call.key(1)
            groupName = call.arguments[2]
            consumerName = call.arguments[3]
            guard let stream = try call.database.readStream(key),
                let group = stream.group(groupName)
            else { throw call.missingGroup(key.bytes, groupName) }
            self.stream = stream
            self.group = group
        }

        /// Moves the group on to `lastID`; false where it is as far already.
        ///
        /// XREADGROUP reaches replicas and the append-only file as claims of one entry each, which
        /// is the next one of the stream and LASTID as well: such an entry counts as read.
        func move(to lastID: StreamID, isDelivery: Bool, _ call: borrowing Call) -> Bool {
            guard group.lastID < lastID else { return false }
            if isDelivery && StreamID(call.arguments[5]) == lastID {
                var cursor = stream.cursor(from: group.lastID.next ?? .largest, through: lastID)
                if cursor.next() && cursor.id == lastID { stream.noteRead(lastID, by: group) }
            }
            group.lastID = lastID
            return true
        }

        /// Sees who claims, even if there will be nothing for it.
        mutating func begin(_ call: inout Call) {
            if call.isPropagated && group.consumer(consumerName) == nil {
                StreamGroupCommands.propagateConsumer(consumerName, key, groupName, call)
            }
            _ = consumer(&call)
        }

        /// Who claims.
        mutating func consumer(_ call: inout Call) -> StreamConsumer {
            if let found { return found }
            let consumer = StreamGroupCommands.consumer(consumerName, of: group, key, &call)
            found = consumer
            return consumer
        }
    }

    /// Reply: the entries claimed, or their ids.
    static func xclaim(_ call: inout Call) throws(CommandError) {
        var claim = try Claim(&call)
        let options = try ClaimOptions(&call)
        var movesLastID = claim.move(to: options.lastID, isDelivery: options.idsEnd == 6, call)
        claim.begin(&call)
        let begin = call.reply.deferLength()
        var claimed = 0
        for index in 5..<options.idsEnd {
            let id = try StreamID.exactly(call.arguments[index])
            switch xclaim(id, &claim, options, &call) {
            case .nothing: continue
            case .dropped: movesLastID = false
            case .claimed:
                movesLastID = false
                reply(id, claim, options.repliesIDs, &call)
                claimed += 1
            }
        }
        if movesLastID {
            call.changedWholesale()
            if call.isPropagated {
                StreamGroupCommands.propagateLastID(
                    of: claim.group, claim.key, claim.groupName, call)
            }
        }
        call.reply.finishArray(begin, claimed)
    }

    private enum Outcome {
        case nothing, claimed
        /// The entry was deleted from the stream; it is not pending any more.
        case dropped
    }

    private static func xclaim(
        _ id: StreamID, _ claim: inout Claim, _ options: ClaimOptions, _ call: inout Call
    ) -> Outcome {
        let pending = claim.group.pendingEntry(id)
        guard claim.stream.contains(id) else {
            guard let pending else { return .nothing }
            drop(pending, id, claim, &call)
            return .dropped
        }
        let entry: PendingEntry
        if let pending {
            if options.minIdle > 0 && pending.idle(at: call.now) < options.minIdle {
                return .nothing
            }
            let consumer = claim.consumer(&call)
            claim.group.give(pending, id, to: consumer)
            entry = pending
        } else if options.isForced {
            let consumer = claim.consumer(&call)
            entry = claim.group.deliver(id, to: consumer, now: call.now)
        } else {
            return .nothing
        }
        entry.deliveryTime = options.deliveryTime ?? call.now
        if let count = options.deliveryCount {
            entry.deliveryCount = count
        } else if !options.repliesIDs {
            entry.deliveryCount &+= 1
        }
        settle(entry, id, &claim, &call)
        return .claimed
    }

    /// What follows from an entry having changed hands.
    private static func settle(
        _ entry: PendingEntry, _ id: StreamID, _ claim: inout Claim, _ call: inout Call
    ) {
        let consumer = claim.consumer(&call)
        consumer.activeTime = call.now
        call.changedWholesale()
        if call.isPropagated {
            StreamGroupCommands.propagate(
                entry, id, consumer, claim.group, claim.key, claim.groupName, call)
        }
    }

    /// Takes an entry that the stream has no more out of what is pending.
    private static func drop(
        _ entry: PendingEntry, _ id: StreamID, _ claim: Claim, _ call: inout Call
    ) {
        call.changedWholesale()
        if call.isPropagated {
            StreamGroupCommands.propagate(
                entry, id, claim.group.consumer(of: entry), claim.group, claim.key,
                claim.groupName, call)
        }
        _ = claim.group.acknowledge(id)
    }

    private static func reply(
        _ id: StreamID, _ claim: Claim, _ onlyID: Bool, _ call: inout Call
    ) {
        if onlyID { return call.reply.bulk(id) }
        var cursor = claim.stream.cursor(from: id, through: id)
        if cursor.next() { call.reply.entry(&cursor) }
    }

    // MARK: - XAUTOCLAIM key group consumer min-idle start [COUNT count] [JUSTID]

    private struct Sweep {
        let minIdle: Int64
        let start: StreamID
        var count = 100
        var repliesIDs = false

        /// So many entries are looked at for each one wanted.
        static let attempts = 10

        init(_ arguments: Arguments) throws(CommandError) {
            guard let minIdle = NumberText.integer(arguments[4]) else {
                throw .text("ERR Invalid min-idle-time argument for XAUTOCLAIM")
            }
            self.minIdle = max(0, minIdle)
            start = try StreamID.intervalStart(arguments[5])
            var options = Options(arguments, from: 6)
            while options.hasMore {
                if options.remaining > 1 && options.take("COUNT") {
                    guard let count = NumberText.integer(try options.next()), count > 0,
                        count <= Int64.max / 16
                    else { throw .text("ERR COUNT must be > 0") }
                    self.count = Int(count)
                } else if options.take("JUSTID") {
                    repliesIDs = true
                } else {
                    throw .syntax
                }
            }
        }
    }

    /// Reply: where to go on (0-0: nowhere), the entries claimed, the ids of those deleted.
    static func xautoclaim(_ call: inout Call) throws(CommandError) {
        let sweep = try Sweep(call.arguments)
        var claim = try Claim(&call)
        let group = claim.group
        claim.begin(&call)
        var claimed: ContiguousArray<StreamID> = []
        var dropped: ContiguousArray<StreamID> = []
        var next: StreamID? = sweep.start
        var attempts = sweep.count * Sweep.attempts
        while attempts > 0, claimed.count + dropped.count < sweep.count, let from = next,
            let position = group.pending.position(atOrAfter: from)
        {
            attempts -= 1
            let id = group.pending.id(at: position)
            next = id.next
            switch take(group.pendingEntry(at: position), id, &claim, sweep, &call) {
            case .nothing: continue
            case .dropped: dropped.append(id)
            case .claimed: claimed.append(id)
            }
        }
        let end = next.flatMap { group.pending.position(atOrAfter: $0) }
        call.reply.array(3)
        call.reply.bulk(end.map { group.pending.id(at: $0) } ?? .zero)
        call.reply.array(claimed.count)
        for id in claimed { reply(id, claim, sweep.repliesIDs, &call) }
        call.reply.array(dropped.count)
        for id in dropped { call.reply.bulk(id) }
    }

    private static func take(
        _ entry: PendingEntry, _ id: StreamID, _ claim: inout Claim, _ sweep: Sweep,
        _ call: inout Call
    ) -> Outcome {
        guard claim.stream.contains(id) else {
            drop(entry, id, claim, &call)
            return .dropped
        }
        if sweep.minIdle > 0 && entry.idle(at: call.now) < sweep.minIdle { return .nothing }
        let consumer = claim.consumer(&call)
        claim.group.give(entry, id, to: consumer)
        entry.deliveryTime = call.now
        if !sweep.repliesIDs { entry.deliveryCount &+= 1 }
        settle(entry, id, &claim, &call)
        return .claimed
    }
}
