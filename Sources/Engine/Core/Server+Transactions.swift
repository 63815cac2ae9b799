/// Transactions: requests queued after MULTI, run as one by EXEC, unless a watched key changed.
///
/// While nobody watches, a change costs its test of `Keyspace.interest`; while a connection is in no
/// transaction, its requests cost their test of the gates.
struct TransactionState {
    var watched = WatchedKeys()
    /// Set while EXEC runs: its commands look like one, and nobody is served in between.
    var isRunning = false
    /// Transactions at rest, with room for the next client's.
    fileprivate var idle: ContiguousArray<Transaction> = []
    fileprivate static let mostIdle = 16
}

extension Server {
    // MARK: - Queueing

    /// What the client of `connection` has begun; a new one if it has not.
    func openTransaction(_ connection: Connection) -> Transaction {
        if let transaction = connection.transaction { return transaction }
        let transaction = transactions.idle.popLast() ?? Transaction()
        connection.transaction = transaction
        return transaction
    }

    /// MULTI.
    func beginQueueing(_ connection: Connection) {
        _ = openTransaction(connection)
        connection.gate.insert(.queueing)
    }

    /// Puts the request of `call` into the queue of its connection.
    func enqueue(_ call: inout Call, _ number: Int32, _ flags: CommandFlags) {
        guard let transaction = call.connection.transaction else { return }
        guard transaction.append(call.arguments, command: number, flags: flags.rawValue) else {
            transaction.noteFailure()
            call.reply.error(CommandError.outOfMemory)
            return statistics.countError(call.reply.lastError)
        }
        call.reply.raw("+QUEUED\r\n")
    }

    /// The flags by which a request passes the gates: EXEC does what it has queued.
    func effectiveFlags(_ flags: CommandFlags, of connection: Connection) -> CommandFlags {
        guard flags.contains(.runsQueue), let transaction = connection.transaction else {
            return flags
        }
        return flags.union(
            CommandFlags(rawValue: transaction.requests.flags).intersection(Self.inherited)
        )
        .intersection(CommandFlags(rawValue: transaction.requests.commonFlags).union(Self.lent))
    }

    private static let inherited: CommandFlags = [.write, .denyOOM, .mayReplicate]
    /// What EXEC may do whatever it runs: all but to run when most may not.
    private static let lent = CommandFlags(rawValue: ~0).subtracting([.stale, .loading])

    /// Takes back the last `count` requests of the queue; false if there are not so many.
    func undo(_ count: Int, of connection: Connection) -> Bool {
        guard let transaction = connection.transaction, count <= transaction.requests.count else {
            return false
        }
        transaction.undo(count)
        return true
    }

    /// A request was refused inside MULTI, so that EXEC will be; or EXEC was, which ends it all.
    ///
    /// - Parameter before: how much had been replied before the error was written.
    func noteRefusal(_ call: inout Call, _ before: Int) {
        let connection = call.connection
        if connection.gate.contains(.queueing) { connection.transaction?.noteFailure() }
        guard call.command >= 0, commands.index.flags(call.command).contains(.runsQueue) else {
            return
        }
        var reason = call.reply.lastError.array
        if reason.starts(with: Array("ERR ".utf8)) { reason.removeFirst(4) }
        endTransaction(connection)
        call.reply.truncate(to: before)
        let text = Array("EXECABORT Transaction discarded because of: ".utf8) + reason
        text.withByteView { call.reply.error($0) }
    }

    /// Forgets queue and watches of a connection.
    func endTransaction(_ connection: Connection) {
        guard let transaction = connection.transaction else { return }
        connection.gate.remove(.queueing)
        forgetWatches(connection)
        connection.transaction = nil
        transaction.reset()
        if transactions.idle.count < TransactionState.mostIdle {
            transactions.idle.append(transaction)
        }
    }

    // MARK: - Running

    /// Runs what the connection of `call` has queued, as one step: whoever waits for a key is served
    /// afterwards, and no command waits.
    func runQueue(_ call: inout Call) {
        guard let transaction = call.connection.transaction else { return }
        forgetWatches(call.connection)
        let errors = call.reply.errorCount
        let before = call.reply.count
        transactions.isRunning = true
        call.reply.array(transaction.requests.count)
        leaveOutReply(&call, before)
        for index in 0..<transaction.requests.count {
            let start = call.reply.count
            runInside(
                &call, transaction.requests.arguments(at: index),
                command: transaction.requests.command(at: index), for: .queue)
            leaveOutReply(&call, start)
        }
        transactions.isRunning = false
        // What waiting clients do next is not part of it.
        if keyspace.interest.contains(.propagation) {
            keyspace.feed.endUnit()
            call.connection.historyEnd = historyEnd
        }
        call.connection.lastCommand = call.command
        // They are counted where they happened, and are none of EXEC's.
        call.reply.disownErrors(since: errors)
        endTransaction(call.connection)
        // Over its output limit it is to hear nothing, but all was done.
        if call.connection.closesNow { call.reply.truncate(to: 0) }
        if keyspace.interest.contains(.blocked) {
            // Time has gone on for those who waited.
            refreshTime()
            followEvents()
        }
    }

    /// CLIENT REPLY OFF inside a transaction leaves holes in its reply, as in Redis.
    private func leaveOutReply(_ call: inout Call, _ start: Int) {
        guard call.connection.gate.contains(.replyMuted),
            call.connection.session.replyMode == .off
        else { return }
        call.reply.truncate(to: min(start, call.reply.count))
    }

    // MARK: - Watching

    /// Lets a change of `key` break the client's next transaction.
    func watch(_ key: Key, in database: Database, for connection: Connection) {
        _ = openTransaction(connection)
        let name = WatchedKeys.Name(database: database.index, key: key.bytes.array)
        guard transactions.watched.add(client: connection.id, name, presence(of: name)) else {
            return
        }
        connection.transaction?.watchMemory += WatchedKeys.watchBytes + key.bytes.count
        keyspace.expect(key.bytes)
        keyspace.interest.insert(.watchers)
    }

    /// Ends the watches of a connection; what they have seen stands.
    func forgetWatches(_ connection: Connection) {
        guard keyspace.interest.contains(.watchers) else { return }
        for name in transactions.watched.remove(client: connection.id) {
            name.key.withByteView { keyspace.expectNoLonger($0) }
        }
        connection.transaction?.watchMemory = 0
        if transactions.watched.isEmpty { keyspace.interest.remove(.watchers) }
    }

    /// UNWATCH.
    func unwatch(_ connection: Connection) {
        guard connection.gate.contains(.queueing) else { return endTransaction(connection) }
        forgetWatches(connection)
        connection.transaction?.isBroken = false
    }

    /// Whether EXEC must do nothing because a watched key is not what it was.
    func isBroken(_ connection: Connection) -> Bool {
        if connection.transaction?.isBroken ?? false { return true }
        return keyspace.interest.contains(.watchers)
            && transactions.watched.sawExpiry(connection.id, presence)
    }

    /// Breaks the watches that an effect concerns.
    func noteForWatchers(_ event: RecordedEvent) {
        let name = WatchedKeys.Name(database: event.database, key: event.key)
        var broken: [UInt64] = []
        switch event.event.kind {
        case .miss: return
        case .expired: broken = transactions.watched.broken(byExpiryOf: name)
        case .unnamed where event.event == .swapped || event.event == .flushed:
            broken = transactions.watched.broken(byExchangeOf: event.database, presence)
        default: broken = transactions.watched.broken(by: name)
        }
        for client in broken {
            guard let connection = connections.find(id: client) else { continue }
            connection.transaction?.isBroken = true
            forgetWatches(connection)
        }
    }

    private func presence(of name: WatchedKeys.Name) -> WatchedKeys.Presence {
        let database = keyspace[name.database]
        return name.key.withByteView { bytes in
            guard let entry = database.entryDueOrNot(database.key(bytes)) else { return .missing }
            return database.isExpired(entry) ? .due : .present
        }
    }
}
