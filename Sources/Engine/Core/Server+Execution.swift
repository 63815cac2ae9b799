import Reactor

/// Running commands: one body, whoever they are run for.
///
/// `Origin` says on whose behalf a command runs and which steps around its handler that takes; the steps
/// follow each other here in the order in which they are visible. A client's requests come in by
/// `execute`, which looks at number of arguments and gates first; what EXEC queued and what a script
/// calls by `runInside`; a client that waited by `runAgain`; what was recorded by
/// `repeatRecorded`.
extension Server {
    /// Executes the request in `call.arguments`; `number` is its command, -1 if there is none.
    @inline(__always)
    func execute(_ call: inout Call, _ number: Int32) {
        call.command = number
        guard number >= 0, !commands.index.isContainer(number),
            commands.index.accepts(call.arguments.count, number)
        else { return reject(&call, number) }
        if gate.rawValue | call.connection.gate.rawValue != 0 {
            guard passesGates(&call, number) else { return }
        }
        run(&call, number)
    }

    /// Runs the command of a client's request and does what follows from it.
    @inline(__always)
    func run(_ call: inout Call, _ number: Int32) {
        perform(&call, number, Origin.client.steps)
    }

    /// Runs a command, with the steps that its origin goes through.
    @inline(never)
    func run(_ call: inout Call, _ number: Int32, for origin: Origin) {
        perform(&call, number, origin.steps)
    }

    /// The one body that runs a command.
    @inline(__always)
    private func perform(_ call: inout Call, _ number: Int32, _ steps: Origin.Steps) {
        let errorsBefore = call.reply.errorCount
        let lengthBefore = call.reply.count
        let changesBefore = keyspace.counters.changes
        if steps.contains(.counting) { call.connection.lastCommand = number }
        // Reading the counter costs as much as a lookup: one command ends where the next begins.
        let start = call.endTicks != 0 ? call.endTicks : TickScale.ticks()
        do throws(CommandError) {
            try commands.index.run(number, &call)
        } catch {
            fail(&call, error, lengthBefore)
        }
        call.endTicks = TickScale.ticks()
        let elapsed = call.endTicks &- start
        if steps.contains(.counting) {
            statistics.record(number, ticks: elapsed)
            call.connection.commandCount &+= 1
        }
        if steps.contains(.failures) && call.reply.errorCount != errorsBefore {
            noteFailure(&call, number)
        }
        if steps.contains(.looking)
            && (elapsed >= attention.ticks || call.reply.count >= attention.replyBytes)
        {
            look(at: &call, number, ticks: elapsed, replyBytes: call.reply.count &- lengthBefore)
            call.endTicks = 0
        }
        if steps.contains(.propagation) && !keyspace.interest.isEmpty {
            followEffects(of: &call, changesBefore: changesBefore, steps)
        }
    }

    // MARK: - Inside another command, and after a wait

    /// Runs a command inside that of `call`, in whose place it stands meanwhile.
    ///
    /// Its reply follows what was replied, or is why it may not run. It cannot wait.
    func runInside(
        _ call: inout Call, _ request: Arguments, command: Int32, for origin: Origin
    ) {
        let outer = (call.arguments, call.command, call.mayBlock)
        (call.arguments, call.command, call.mayBlock) = (request, command, false)
        if mayRun(&call, for: origin) {
            run(&call, command, for: origin)
            if gate.contains(.writableReplica) { noteOwnDeadlines(call) }
        }
        (call.arguments, call.command, call.mayBlock) = outer
    }

    /// Runs a command that waits once more, on one of its keys alone.
    ///
    /// - Returns: whether it waits on.
    func runAgain(
        _ request: Arguments, command: Int32, of connection: Connection, onKeyAt argument: Int
    ) -> Bool {
        var call = Call(server: self, connection: connection)
        call.command = command
        call.arguments = request
        call.appearedKey = argument
        let outer = speaker
        takeOutput(&call)
        let before = call.reply.count
        let start = TickScale.ticks()
        if mayRun(&call, for: .woken) {
            run(&call, command, for: .woken)
            if !call.blocks { lookAgain(call, ticks: call.endTicks &- start) }
        }
        checkOutputLimit(&call)
        if connection.gate.contains(.replyMuted) { call.reply.truncate(to: before) }
        giveOutputBack(&call)
        speaker = outer
        return call.blocks
    }

    /// Whether a command that did not come through the gates may run; if not, the reply says why.
    private func mayRun(_ call: inout Call, for origin: Origin) -> Bool {
        let steps = origin.steps
        if steps.contains(.refusals) && isRefusedInside(&call) { return false }
        guard steps.contains(.access), call.connection.gate.contains(.restricted) else {
            return true
        }
        if origin == .queue { return isStillAllowed(&call) }
        if passesAccess(&call, call.command) { return true }
        statistics.countError(call.reply.lastError)
        statistics.countRejected(call.command)
        return false
    }

    /// Writes why a script may not run the command now; false if it may.
    private func isRefusedInside(_ call: inout Call) -> Bool {
        let flags = commands.index.flags(call.command)
        if flags.contains(.noScript) && !debug.allowsAllInScripts {
            call.reply.error("ERR This Redis command is not allowed from script")
        } else if let refusal = refusal(call.connection, flags) {
            call.reply.error(refusal)
        } else {
            return false
        }
        statistics.countError(call.reply.lastError)
        statistics.countRejected(call.command)
        return true
    }

    // MARK: - What follows from a command

    /// An error stands alone: a reply begun before memory ran out is taken back.
    @inline(never)
    func fail(_ call: inout Call, _ error: CommandError, _ lengthBefore: Int) {
        if case .replied = error { return }
        call.reply.truncate(to: lengthBefore)
        call.reply.error(error)
    }

    @inline(never)
    private func noteFailure(_ call: inout Call, _ number: Int32) {
        if call.reply.isOverLimit { return overflow(call.connection) }
        statistics.countError(call.reply.lastError)
        statistics.countFailed(number)
        // What EXEC runs; its own errors are told of where it was repeated.
        if call.connection.gate.contains(.primary) && transactions.isRunning {
            noteFailedRepetition(call, number)
        }
    }

    /// Hands the effects of a command to whoever follows the keyspace.
    @inline(never)
    private func followEffects(
        of call: inout Call, changesBefore: Int, _ steps: Origin.Steps
    ) {
        if keyspace.interest.contains(.propagation) {
            propagate(call, changesBefore: changesBefore)
        }
        guard steps.contains(.events), keyspace.hasEvents else { return }
        // Others' time is not the next command's.
        call.endTicks = 0
        followEvents()
        releaseMessagesAfterCommand(&call)
    }

    /// Hands over effects that nobody's command had: keys were evicted, which have nothing to do with each
    /// other.
    func handOutEffectsOfNobody() {
        if keyspace.interest.contains(.propagation) { keyspace.feed.endUnit(asTransaction: false) }
        if keyspace.hasEvents { followEvents() }
    }

    /// Hands the recorded effects, those of `speaker` or of nobody, to whoever follows the keyspace.
    func followEvents() {
        repeat {
            for event in keyspace.takeEvents() {
                if keyspace.interest.contains(.blocked) { waiting.note(event) }
                if keyspace.interest.contains(.watchers) { noteForWatchers(event) }
                if keyspace.interest.contains(.tracking) { noteForTracking(event, by: speaker) }
                if keyspace.interest.contains(.notifications) { notify(event) }
            }
            // What EXEC runs is one step: nobody is served in between.
        } while (!transactions.isRunning && waiting.serveNextLine(in: self)) || keyspace.hasEvents
    }
}
