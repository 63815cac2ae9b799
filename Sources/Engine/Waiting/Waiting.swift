import Reactor

/// Clients that wait: for a key, for copies of what they wrote, for the end of a pause or of the server.
///
/// Blocking, from BLPOP to the wake-up:
///
/// 1. The handler of BLPOP finds none of its lists and calls `Call.block`: `begin` copies the request,
///    halts the connection (`Connection.Gate.blocked`: what it sends meanwhile stays unread in its
///    buffer), puts it into the line of each key, and adds one timer if there is a timeout.
/// 2. The keys are marked as expected in the keyspace, so that a write to one of them is recorded as an
///    event even if nothing else listens; all other keys cost the test of one word.
/// 3. After each command the recorded events are handed out (`Server.followEvents`). One that gives life
///    to an expected key marks its line as ready (`note`).
/// 4. `serveNextLine` runs the commands of a ready line again, in the order they began to wait, each on
///    that key alone (`Call.appearedKey`), until the key is gone or the line is empty. What they change
///    may make other lines ready; that goes on until none is.
/// 5. A command that found something this time has replied: its wait is over (`end`), and what its client
///    sent meanwhile is executed in the next turn. One that did not waits on.
///
/// While EXEC runs, lines only become ready: they are served when it is over, as if it were one command.
///
/// WAIT and WAITAOF wait in the same way, without keys: each report of a replica and each sync of the own
/// file is a chance to end (`serveCopies`). SHUTDOWN waits for replicas until it is given up. A request
/// that comes while a pause is in force is not copied: it stays in its buffer and is executed anew.
///
/// There is one record for each waiting client, and one way out of it, whether it is served, its time is
/// over, CLIENT UNBLOCK or a change of roles ends it, or its connection is closed.
final class Waiting {
    /// What a client waits for.
    enum Subject {
        /// One of the keys at these places of its arguments.
        case keys(Range<Int>)
        case copies(CopyWait)
        /// The end of the server, or the news that there will be none.
        case shutdown
        /// That its request may run.
        case pauseEnd

        enum Kind: Int { case keys, copies, shutdown, pauseEnd }

        var kind: Kind {
            switch self {
            case .keys: .keys
            case .copies: .copies
            case .shutdown: .shutdown
            case .pauseEnd: .pauseEnd
            }
        }
    }

    /// How a wait ends before what it is for has come.
    enum Reason {
        /// Its time is over, or CLIENT UNBLOCK says so.
        case timeout
        /// CLIENT UNBLOCK … ERROR.
        case error
        case roleChange
        /// The server does not end after all.
        case noShutdown
        /// The append-only file is switched off.
        case noOwnDisk
    }

    /// One client's wait.
    private final class Wait {
        let subject: Subject
        /// The request, copied; empty where it stays in the connection's buffer.
        let request: OwnedArguments
        let command: Int32
        /// Later waits have larger numbers.
        let number: UInt64
        var timer: TimerID?

        init(_ subject: Subject, _ request: Arguments, command: Int32, number: UInt64) {
            self.subject = subject
            self.request = OwnedArguments(request.arrays)
            self.command = command
            self.number = number
        }
    }

    /// By the id of the client's connection.
    private var waits: [UInt64: Wait] = [:]
    /// The clients of each kind of wait.
    private var clients = Array(repeating: Set<UInt64>(), count: 4)
    private var lines = BlockedKeys()
    private var pauses = Pauses()
    private var pauseTimer: TimerID?
    private var nextNumber: UInt64 = 1

    // MARK: - What there is

    /// Clients that wait for whatever.
    var count: Int { waits.count }
    /// Those of them that wait until a certain time; O(waiting clients).
    var timedCount: Int { waits.count { $0.value.timer != nil } }
    /// Keys that somebody waits for, and those of them whose loss must be told; the second is O(keys).
    var keyCount: Int { lines.keyCount }
    var keysMissedWhenLost: Int { lines.keysMissedWhenLost }
    /// The pause in force.
    var pause: Pauses.Kind { pauses.kind }

    func hasClients(waitingFor kind: Subject.Kind) -> Bool { !clients[kind.rawValue].isEmpty }

    // MARK: - Beginning

    /// Makes the client of `call` wait, its request copied.
    ///
    /// - Parameter deadline: when it has waited enough, in monotonic milliseconds; nil: never.
    func begin(_ subject: Subject, _ call: inout Call, until deadline: Int64?) {
        let (server, connection) = (call.server, call.connection)
        connection.gate.insert(.blocked)
        let wait = add(subject, call.arguments, command: call.command, for: connection)
        if let deadline {
            wait.timer = server.timers.add(
                at: deadline, payload: .waitIsOver(client: connection.id))
        }
    }

    /// Puts the request of a connection off until the pause ends: it stays in its buffer.
    func hold(_ connection: Connection) {
        connection.gate.insert(.paused)
        _ = add(.pauseEnd, .none, command: -1, for: connection)
    }

    private func add(
        _ subject: Subject, _ request: Arguments, command: Int32, for connection: Connection
    ) -> Wait {
        precondition(waits[connection.id] == nil, "a client waits once")
        let wait = Wait(subject, request, command: command, number: nextNumber)
        nextNumber += 1
        waits[connection.id] = wait
        clients[subject.kind.rawValue].insert(connection.id)
        return wait
    }

    /// Makes the client of `call` wait for keys; see `Call.block`.
    func beginForKeys(
        _ keys: Range<Int>, of type: ValueType, _ call: inout Call, until deadline: Int64?,
        hearsOfLoss: Bool
    ) {
        begin(.keys(keys), &call, until: deadline)
        let (server, database) = (call.server, call.database.index)
        lines.add(
            client: call.connection.id,
            keys: keys.map {
                (BlockedKeys.Name(database: database, key: call.arguments[$0].array), $0)
            }, type: type, hearsOfLoss: hearsOfLoss)
        for index in keys { server.keyspace.expect(call.arguments[index]) }
        server.keyspace.interest.insert(.blocked)
    }

    // MARK: - Ending

    /// Ends the wait of `connection`: it may execute again, and what it sent meanwhile is served.
    private func end(_ connection: Connection, in server: Server) {
        forget(connection, in: server)
        connection.gate.subtract([.blocked, .paused])
        server.scheduleReply(connection)
        server.resume(connection)
    }

    /// Takes a connection out of all lists; also when it is closed.
    func forget(_ connection: Connection, in server: Server) {
        guard !connection.gate.isDisjoint(with: [.blocked, .paused]),
            let wait = waits.removeValue(forKey: connection.id)
        else { return }
        clients[wait.subject.kind.rawValue].remove(connection.id)
        if let timer = wait.timer { server.timers.cancel(timer) }
        guard case .keys(let keys) = wait.subject else { return }
        withExtendedLifetime(wait) {
            for index in keys { server.keyspace.expectNoLonger(wait.request.view[index]) }
        }
        _ = lines.remove(client: connection.id)
        if lines.isEmpty { server.keyspace.interest.remove(.blocked) }
    }

    /// Ends the wait of `connection` with the reply that `reason` has.
    ///
    /// False, and nothing happens, if it does not wait, or for something that has no other end.
    func unblock(_ connection: Connection, _ reason: Reason, in server: Server) -> Bool {
        guard let wait = waits[connection.id], Self.hasEnd(wait.subject, reason) else {
            return false
        }
        server.reply(to: connection) { Self.write(reason, of: wait.subject, in: server, to: &$0) }
        if reason != .timeout {
            connection.withReply { server.statistics.countError($0.lastError) }
            server.statistics.countFailed(wait.command)
        }
        end(connection, in: server)
        // What it sent meanwhile was meant for a primary.
        if reason == .roleChange { server.closeAfterReply(connection) }
        return true
    }

    /// A request that a pause holds back is let go only by the end of the pause, SHUTDOWN also by a change
    /// of roles, or when it is given up.
    private static func hasEnd(_ subject: Subject, _ reason: Reason) -> Bool {
        switch subject {
        case .keys, .copies: true
        case .shutdown: reason == .noShutdown || reason == .roleChange
        case .pauseEnd: false
        }
    }

    private static func write(
        _ reason: Reason, of subject: Subject, in server: Server, to reply: inout ReplyWriter
    ) {
        switch reason {
        case .timeout:
            if case .copies(let wait) = subject {
                wait.writeOutcome(in: server, to: &reply)
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

    /// The time of a client that waits is over.
    func timeIsOver(client: UInt64, in server: Server) {
        waits[client]?.timer = nil
        guard let connection = server.connections.find(id: client) else { return }
        _ = unblock(connection, .timeout, in: server)
    }

    /// Ends all waits of some kinds, in the order they began.
    func unblockAll(_ kinds: [Subject.Kind], _ reason: Reason, in server: Server) {
        for connection in connections(kinds, in: server) {
            _ = unblock(connection, reason, in: server)
        }
    }

    private func connections(_ kinds: [Subject.Kind], in server: Server) -> [Connection] {
        kinds.flatMap { clients[$0.rawValue] }
            .sorted { waits[$0]?.number ?? 0 < waits[$1]?.number ?? 0 }
            .compactMap { server.connections.find(id: $0) }
    }

    /// Checks that the record of each client, its lists, its lines and the gates of its connection say
    /// the same; for tests.
    func checkInvariants(in server: Server) {
        precondition(clients.reduce(0) { $0 + $1.count } == waits.count)
        precondition(lines.count == clients[Subject.Kind.keys.rawValue].count)
        precondition(lines.isEmpty != server.keyspace.interest.contains(.blocked))
        precondition(server.gate.contains(.paused) == (pauses.kind != .none))
        for (client, wait) in waits {
            precondition(clients[wait.subject.kind.rawValue].contains(client))
            let gate = server.connections.find(id: client)?.gate ?? []
            precondition(gate.contains(wait.subject.kind == .pauseEnd ? .paused : .blocked))
        }
        for connection in server.connections.all {
            let waits = !connection.gate.isDisjoint(with: [.blocked, .paused])
            precondition(waits == (self.waits[connection.id] != nil))
        }
    }

    // MARK: - Keys

    /// Takes note of an effect that may let somebody go on.
    func note(_ event: RecordedEvent) {
        switch event.event.kind {
        case .new, .stream, .unnamed:
            if event.event == .swapped || event.event == .flushed {
                lines.databaseChanged(event.database)
            } else {
                lines.keyAppeared(BlockedKeys.Name(database: event.database, key: event.key))
            }
        default: break
        }
    }

    /// Serves the line of one key that appeared; false when there is none left.
    func serveNextLine(in server: Server) -> Bool {
        guard let name = lines.takeReady() else { return false }
        server.asClient { serve(name, in: server) }
        return true
    }

    private func serve(_ name: BlockedKeys.Name, in server: Server) {
        let keyspace = server.keyspace
        let database = keyspace[name.database]
        name.key.withByteView { bytes in
            let key = database.key(bytes)
            var ticket: UInt64 = 0
            while let waiter = lines.next(in: name, after: ticket) {
                ticket = waiter.ticket
                let found = database.entry(key)?.type
                // That it expired is nobody's doing.
                if keyspace.interest.contains(.propagation) { keyspace.feed.endUnit() }
                if found == nil && !lines.hearsOfLoss(name) { return }
                guard found == waiter.type || waiter.hearsOfLoss,
                    let wait = waits[waiter.client],
                    let connection = server.connections.find(id: waiter.client)
                else { continue }
                // The command may end the wait itself: it lives as long as its request is read.
                let waitsOn = withExtendedLifetime(wait) {
                    server.runAgain(
                        wait.request.view, command: wait.command, of: connection,
                        onKeyAt: waiter.argument)
                }
                if !waitsOn { end(connection, in: server) }
            }
        }
    }

    // MARK: - Copies

    /// Lets those go on for whom there are enough places now, or one can be there no more.
    func serveCopies(in server: Server) {
        for connection in connections([.copies], in: server) {
            guard case .copies(let copies)? = waits[connection.id]?.subject else { continue }
            if copies.isHopeless(in: server) {
                _ = unblock(connection, .noOwnDisk, in: server)
            } else if copies.isOver(in: server) {
                _ = unblock(connection, .timeout, in: server)
            }
        }
    }

    // MARK: - Pauses

    /// Begins a pause, or makes the one for the same purpose longer and stricter.
    ///
    /// - Parameter until: the monotonic millisecond at which it ends; `.max`: when it is told to.
    func beginPause(
        _ kind: Pauses.Kind, for purpose: Pauses.Purpose, until: Int64, in server: Server
    ) {
        let before = pauses.kind
        pauses.begin(kind, for: purpose, until: until)
        pausesChanged(from: before, in: server)
    }

    func endPause(for purpose: Pauses.Purpose, in server: Server) {
        let before = pauses.kind
        pauses.end(for: purpose)
        pausesChanged(from: before, in: server)
    }

    /// The time of a pause is over.
    func pauseIsOver(in server: Server) {
        pauseTimer = nil
        pausesChanged(from: pauses.kind, in: server)
    }

    /// Puts in force what is left of the pauses; whoever need not wait any more goes on.
    private func pausesChanged(from before: Pauses.Kind, in server: Server) {
        // What is over already holds nobody back, not even until the timer has fired.
        pauses.endThoseOver(at: server.clock.monotonicMilliseconds)
        if let pauseTimer { server.timers.cancel(pauseTimer) }
        pauseTimer = pauses.nextEnd.map { server.timers.add(at: $0, payload: .pauseIsOver) }
        server.setPaused(pauses.kind != .none)
        guard pauses.kind < before else { return }
        server.pauseRelaxed()
        // Some may have to wait again.
        for connection in connections([.pauseEnd], in: server) { end(connection, in: server) }
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
        server.waiting.beginForKeys(
            keys, of: type, &self, until: deadline, hearsOfLoss: hearsOfLoss)
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
