/// Repeating what was recorded as done: the requests of the append-only file, and those of the primary.
///
/// No gate refuses them, no user's rights and no limit on what clients may ask for, and nobody hears what
/// they reply. So they must be what is recorded and no more: changes, what else goes to replicas, and what
/// frames those. Whoever writes the file or plays the primary may change the data, and nothing but the
/// data. What fails is never passed over in silence.
extension Server {
    enum Repetition {
        case done
        /// Its reply was an error, which the log tells of.
        case failed(String)
        /// No such command, or not with so many arguments.
        case unknown
        /// A command that nobody records; it was not executed.
        case foreign
    }

    /// Whether a SELECT that is repeated would fail: what follows it would change another database than
    /// it did.
    func lacksDatabase(of arguments: Arguments) -> Bool {
        guard arguments.count == 2 else { return false }
        let databases = 0..<Int64(keyspace.databaseCount)
        return NumberText.integer(arguments[1]).map { !databases.contains($0) } ?? true
    }

    /// Executes the request in `call`, or puts it into the queue of the transaction that it is part of.
    ///
    /// - Parameter origin: `.primary` or `.file`.
    func repeatRecorded(_ call: inout Call, for origin: Origin) -> Repetition {
        let number = call.command
        guard number >= 0, !commands.index.isContainer(number),
            commands.index.accepts(call.arguments.count, number)
        else { return .unknown }
        let flags = commands.index.flags(number)
        guard !flags.isDisjoint(with: [.write, .mayReplicate, .framesChanges]) else {
            return .foreign
        }
        // What is repeated waits for nothing.
        call.mayBlock = false
        let outer = speaker
        takeOutput(&call)
        let errors = call.reply.errorCount
        if call.connection.gate.contains(.queueing) && !flags.contains(.immediate) {
            enqueue(&call, number, flags)
        } else {
            run(&call, number, for: origin)
        }
        var outcome = Repetition.done
        if call.reply.errorCount != errors {
            outcome = .failed(call.reply.lastError.string)
            noteFailedRepetition(call, number)
            call.reply.disownErrors(since: errors)
        }
        call.reply.drain(call.reply.count)
        giveOutputBack(&call)
        speaker = outer
        call.connection.reply.drain(call.connection.reply.count)
        return outcome
    }

    /// The number of the command that a recorded request names, -1 if there is none: by the name that
    /// clients use for it, or the one it was born with, which is the one that effects are written with.
    func recordedCommandNumber(of arguments: Arguments) -> Int32 {
        let number = commands.findRecorded(arguments[0])
        guard number >= 0, commands.index.isContainer(number), arguments.count > 1 else {
            return number
        }
        return commandNumber(in: number, arguments[1])
    }

    // MARK: - As whom

    /// The session of `connection` becomes the server's own: it may do everything, as whoever did it
    /// first was allowed to.
    func speakForServer(_ connection: Connection, database: Int = 0) {
        connection.gate = [.primary]
        var session = connection.session
        session.user = nil
        session.isAuthenticated = true
        session.database = database
        swap(&session, &connection.session)
    }

    /// A connection to repeat requests on that no client can find, or end.
    func makeHiddenConnection() -> Connection {
        let connection = Connection(
            id: 0, place: .max, generation: 0, transport: Transport(descriptor: -1),
            now: clock.wallMilliseconds, monotonic: clock.monotonicMilliseconds)
        speakForServer(connection)
        return connection
    }

    /// Gives back what a hidden connection has been lent.
    func dismiss(_ connection: Connection) {
        endTransaction(connection)
        replyPool.takeBack(connection.reply.takeBlock())
    }

    // MARK: - Failures

    /// Tells that a recorded request failed: the data is no longer what it was for whoever recorded it.
    func noteFailedRepetition(_ call: borrowing Call, _ number: Int32) {
        noteUnexpected(call.reply.lastError.string, commands[number].fullName, of: call.connection)
    }

    /// - Parameter connection: the one it was repeated on.
    func noteUnexpected(_ error: String, _ command: String, of connection: Connection) {
        replication.counters.unexpectedErrors += 1
        let isFile = connection !== replication.link?.connection
        log.warning(
            "== CRITICAL == This \(isFile ? "AOF-loading-client" : "replica") is sending an error to "
                + "its \(isFile ? "server" : "master"): '\(error)' after processing the command "
                + "'\(command)'")
    }

    // MARK: - Time

    /// Lets nothing be over from now on: what was there when a request was executed is there when it is
    /// repeated.
    func beginRepeating() {
        isRepeating = true
        followExpiryPolicy()
        followStringLimit()
    }

    func endRepeating() {
        isRepeating = false
        followExpiryPolicy()
        followStringLimit()
    }

    /// How long a string may become by a client's request; what was recorded was within the limit then.
    func followStringLimit() {
        keyspace.limits.longestString =
            isRepeating ? Int(ProtocolLimits.bulkBytes) : settings.maxBulkBytes
    }

    /// What is done with expired keys: nothing while requests are repeated; a replica, and whoever may
    /// change nothing for a while, only hides them.
    func followExpiryPolicy() {
        let isReadOnly = replication.isReplica || gate.contains(.paused)
        keyspace.expiryPolicy = isRepeating ? .ignore : isReadOnly ? .hide : .remove
    }

    /// Puts a pause in force, or ends it: a paused server changes no data, not even by expiry.
    func setPaused(_ isPaused: Bool) {
        if isPaused { gate.insert(.paused) } else { gate.remove(.paused) }
        followExpiryPolicy()
    }

    /// Does something on behalf of a client while a request is being repeated.
    func asClient<Result>(_ body: () -> Result) -> Result {
        guard isRepeating else { return body() }
        endRepeating()
        defer { beginRepeating() }
        return body()
    }
}
