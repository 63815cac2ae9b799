import Reactor

/// Commands that wait for a key: parked, woken, run again.
///
/// A blocking command that finds nothing asks to be parked. When a key appears that somebody waits
/// for, the commands in its line are run again, in the order they began to wait, each on that key
/// alone, until the key is gone or the line is empty. What a command run again changes may wake
/// others; that goes on until nothing is left to serve. One timer a client with a timeout, none
/// else.
extension Server {
    // MARK: - Parking

    /// Makes the client of `call` wait; see `Call.block`.
    func park(
        _ call: inout Call, keys: Range<Int>, type: ValueType, until deadline: Int64?,
        hearsOfLoss: Bool
    ) {
        let connection = call.connection
        let database = call.database.index
        connection.gate.insert(.blocked)
        let parked = ParkedRequest(call.arguments, command: call.command)
        if let deadline {
            parked.timer = timers.add(at: deadline, payload: .unblock(client: connection.id))
        }
        parked.awaited = keys
        connection.parked = parked
        blocked.add(
            client: connection.id,
            keys: keys.map {
                (BlockedKeys.Name(database: database, key: call.arguments[$0].array), $0)
            }, type: type, hearsOfLoss: hearsOfLoss)
        for index in keys { keyspace.expect(call.arguments[index]) }
        keyspace.interest.insert(.blocked)
    }

    /// Ends the wait of a client: it may execute again, and what it sent meanwhile is served.
    func unpark(_ connection: Connection) {
        forgetBlocked(connection)
        connection.gate.remove(.blocked)
        scheduleReply(connection)
        resume(connection)
    }

    /// Takes a client that waits out of all lines; also when it is closed.
    func forgetBlocked(_ connection: Connection) {
        guard let parked = connection.parked else { return }
        connection.parked = nil
        replication.waiters[connection.id] = nil
        if let timer = parked.timer { timers.cancel(timer) }
        for index in parked.awaited { keyspace.expectNoLonger(parked.arguments.view[index]) }
        _ = blocked.remove(client: connection.id)
        if blocked.isEmpty { keyspace.interest.remove(.blocked) }
    }

    /// Ends the wait of `connection` as if its time were over, or with an error (CLIENT UNBLOCK).
    ///
    /// False if it does not wait for a key.
    func unblock(_ connection: Connection, _ reason: Connection.Unblock) -> Bool {
        guard connection.parked != nil else { return false }
        reply(to: connection) { reply in
            switch reason {
            case .timeout:
                if let wait = replication.waiters[connection.id] {
                    write(outcomeOf: wait, to: &reply)
                } else {
                    reply.nullArray()
                }
            case .error: reply.error("UNBLOCKED client unblocked via CLIENT UNBLOCK")
            case .noShutdown: reply.error("ERR Errors trying to SHUTDOWN. Check logs.")
            case .noOwnDisk:
                reply.error(
                    "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
            case .roleChange:
                reply.error(
                    "UNBLOCKED force unblock from blocking operation, instance state changed "
                        + "(master -> replica?)")
            }
        }
        if reason != .timeout {
            connection.withReply { statistics.countError($0.lastError) }
            if let parked = connection.parked { statistics.countFailed(parked.command) }
        }
        unpark(connection)
        return true
    }

    /// The time of a client that waits is over.
    func blockedTooLong(client: UInt64) {
        guard let connection = connections.find(id: client) else { return }
        connection.parked?.timer = nil
        _ = unblock(connection, .timeout)
    }

    private func reply(to connection: Connection, _ body: (inout ReplyWriter) -> Void) {
        let before = connection.reply.count
        connection.withReply {
            replyPool.lend(to: &$0)
            body(&$0)
        }
        if connection.gate.contains(.replyMuted) { connection.reply.truncate(to: before) }
    }

    // MARK: - Waking

    /// Takes note of an effect that may let somebody go on.
    func noteForBlocked(_ event: RecordedEvent) {
        switch event.event.kind {
        case .new, .stream, .unnamed:
            if event.event == .swapped || event.event == .flushed {
                blocked.databaseChanged(event.database)
            } else {
                blocked.keyAppeared(
                    BlockedKeys.Name(database: event.database, key: event.key))
            }
        default: break
        }
    }

    /// Serves the line of one key that appeared; false when there is none left.
    ///
    /// Whoever is in the middle of something that must look like one step (EXEC, a script) sets
    /// `holdsWaitersBack` until it is over, then lets `followEvents` run.
    func serveNextLine() -> Bool {
        guard !holdsWaitersBack, let name = blocked.takeReady() else { return false }
        asClient { serveLine(name) }
        return true
    }

    private func serveLine(_ name: BlockedKeys.Name) {
        let database = keyspace[name.database]
        name.key.withByteView { bytes in
            let key = database.key(bytes)
            var ticket: UInt64 = 0
            while let waiter = blocked.next(in: name, after: ticket) {
                ticket = waiter.ticket
                let found = database.entry(key)?.type
                // That it expired is nobody's doing.
                if keyspace.interest.contains(.propagation) { keyspace.feed.endUnit() }
                if found == nil && !blocked.hearsOfLoss(name) { return }
                guard found == waiter.type || waiter.hearsOfLoss,
                    let connection = connections.find(id: waiter.client)
                else { continue }
                runAgain(connection, onKeyAt: waiter.argument)
            }
        }
    }

    /// Runs the command a client is parked on once more, on one of its keys.
    private func runAgain(_ connection: Connection, onKeyAt argument: Int) {
        guard let parked = connection.parked else { return }
        var call = Call(server: self, connection: connection)
        call.command = parked.command
        call.arguments = parked.arguments.view
        call.appearedKey = argument
        let outer = speaker
        takeOutput(&call)
        let before = call.reply.count
        let changesBefore = keyspace.counters.changes
        let start = TickScale.ticks()
        let mayRun = perform(&call)
        if keyspace.interest.contains(.propagation) {
            propagate(call, changesBefore: changesBefore)
        }
        checkOutputLimit(&call)
        if mayRun && !call.blocks { lookAgain(call, ticks: TickScale.ticks() &- start) }
        if connection.gate.contains(.replyMuted) { call.reply.truncate(to: before) }
        let goesOn = call.blocks
        giveOutputBack(&call)
        speaker = outer
        if !goesOn { unpark(connection) }
    }

    /// Runs the command of `call`; false, and an error, if its user has lost the right to it
    /// meanwhile.
    private func perform(_ call: inout Call) -> Bool {
        if call.connection.gate.contains(.restricted), !passesAccess(&call, call.command) {
            statistics.countError(call.reply.lastError)
            statistics.countRejected(call.command)
            return false
        }
        do throws(CommandError) {
            try commands.index.run(call.command, &call)
        } catch {
            call.reply.error(error)
            statistics.countError(call.reply.lastError)
            statistics.countFailed(call.command)
        }
        return true
    }
}

/// A command that waits, with its arguments copied.
final class ParkedRequest {
    let arguments: OwnedArguments
    let command: Int32
    /// Which of the arguments are keys waited for.
    var awaited: Range<Int> = 0..<0
    var timer: TimerID?

    init(_ arguments: Arguments, command: Int32) {
        self.arguments = OwnedArguments(arguments.arrays)
        self.command = command
    }
}

extension Call {
    /// Whether a blocking command may look at the key at `index`: when it runs again, only at the
    /// one that appeared.
    func mayServe(_ index: Int) -> Bool { appearedKey == 0 || appearedKey == index }

    /// Makes the client wait until one of the keys at `keys` holds a value of `type`; the command
    /// then runs again with `appearedKey` set.
    ///
    /// Nothing is replied until then; a null array when the time is over. `deadline` is in monotonic
    /// milliseconds, nil for ever. With `hearsOfLoss` the command also runs again when the key is gone
    /// or holds something else. The caller has checked `mayBlock`.
    mutating func block(
        on keys: Range<Int>, of type: ValueType, until deadline: Int64?, hearsOfLoss: Bool = false
    ) {
        precondition(mayBlock, "a command inside a transaction or script cannot wait")
        blocks = true
        guard appearedKey == 0 else { return }
        server.park(&self, keys: keys, type: type, until: deadline, hearsOfLoss: hearsOfLoss)
    }

    /// A timeout in seconds, with a fraction, as a deadline of the monotonic clock; nil: none.
    func deadline(_ text: ByteView) throws(CommandError) -> Int64? {
        guard let seconds = NumberText.double(text) else { throw .timeoutNotFloat }
        let milliseconds = (seconds * 1000).rounded(.up)
        // What does not fit wraps to negative in Redis, and is told so.
        guard milliseconds >= 0, milliseconds < 0x1p63 else { throw .timeoutNegative }
        if milliseconds == 0 { return nil }
        let wait = Int64(milliseconds)
        // What lies beyond the end of time is as good as none.
        return server.clock.monotonicMilliseconds + min(wait, Int64.max / 2)
    }
}
