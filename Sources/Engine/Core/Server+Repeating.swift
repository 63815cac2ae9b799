/// Repeating what was recorded as done: the requests of the append-only file, and those of the primary.
///
/// No gate refuses them and nobody hears what they reply. So they must be what is recorded and no more:
/// changes, what else goes to replicas, and what frames those. Whoever writes the file or plays the
/// primary may change the data, and nothing but the data.
extension Server {
    enum Repetition {
        case done
        /// Its reply was an error, in words; told only where the repetition is observed.
        case failed(String)
        /// No such command, or not with so many arguments.
        case unknown
        /// A command that nobody records; it was not executed.
        case foreign
    }

    /// Executes the request in `call`, or puts it into the queue of the transaction that it is part of.
    ///
    /// - Parameter isObserved: it counts as a command, and others hear of its effects.
    func repeatRecorded(_ call: inout Call, isObserved: Bool) -> Repetition {
        let number = call.command
        guard number >= 0, !commands.index.isContainer(number),
            commands.index.accepts(call.arguments.count, number)
        else { return .unknown }
        let flags = commands.index.flags(number)
        guard !flags.isDisjoint(with: [.write, .mayReplicate, .framesChanges]) else {
            return .foreign
        }
        // EXEC has let the next request wait.
        call.mayBlock = false
        let outer = speaker
        takeOutput(&call)
        if call.connection.gate.contains(.queueing) && !flags.contains(.immediate) {
            enqueue(&call, number, flags)
        } else if isObserved {
            run(&call, number)
        } else {
            try? commands.index.run(number, &call)
        }
        var outcome = Repetition.done
        if isObserved && call.reply.errorCount > 0 {
            outcome = .failed(call.reply.lastError.string)
            call.reply.disownErrors(since: 0)
        }
        call.reply.drain(call.reply.count)
        giveOutputBack(&call)
        speaker = outer
        call.connection.reply.drain(call.connection.reply.count)
        return outcome
    }

    // MARK: - Time

    /// Lets nothing be over from now on: what was there when a request was executed is there when it is
    /// repeated.
    func beginRepeating() {
        isRepeating = true
        followExpiryPolicy()
    }

    func endRepeating() {
        isRepeating = false
        followExpiryPolicy()
    }

    /// What is done with expired keys: nothing while requests are repeated; a replica, and whoever may
    /// change nothing for a while, only hides them.
    func followExpiryPolicy() {
        let isReadOnly = replication.isReplica || gate.contains(.paused)
        keyspace.expiryPolicy = isRepeating ? .ignore : isReadOnly ? .hide : .remove
    }

    /// Does something on behalf of a client while a request is being repeated.
    func asClient<Result>(_ body: () -> Result) -> Result {
        guard isRepeating else { return body() }
        endRepeating()
        defer { beginRepeating() }
        return body()
    }
}
