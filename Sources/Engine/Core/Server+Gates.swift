/// What stands between a request and its handler: errors for what is no command, and the gates in order.
///
/// The order of the gates is observable (it decides which error a client sees) and equals that of
/// Redis. While nothing special goes on, all gates together are one test of two words, in `execute`.
extension Server {
    // MARK: - Refusals

    /// No such command, no such subcommand, or the wrong number of arguments.
    ///
    /// Two kinds come here without being refused: the one container that also stands alone
    /// (COMMAND), and protected commands, for which the index accepts no number of arguments.
    @inline(never)
    func reject(_ call: inout Call, _ number: Int32) {
        if number >= 0 && commands[number].accepts(call.arguments.count)
            && commands.index.flags(number).contains(.protected)
        {
            return executeProtected(&call, number)
        }
        if isCrossProtocolAttack(call.arguments[0]) {
            log.warning(
                "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: "
                    + "commands to Redis. This is likely due to an attacker attempting to use Cross "
                    + "Protocol Scripting to compromise your Redis instance. Connection aborted.")
            return closeSoon(call.connection)
        }
        let isAlone = call.arguments.count == 1
        if number >= 0 && isAlone && commands.index.accepts(1, number) {
            if gate.rawValue | call.connection.gate.rawValue == 0 || passesGates(&call, number) {
                run(&call, number)
            }
            return
        }
        let before = call.reply.count
        if number < 0 {
            Self.unknownCommand(call.arguments).withByteView { call.reply.error($0) }
        } else if commands.index.isContainer(number) && !isAlone {
            let text =
                Array("ERR unknown subcommand '".utf8) + Self.quotable(call.arguments[1], 128)
                + Array("'. Try \(commands[number].command.name) HELP.".utf8)
            text.withByteView { call.reply.error($0) }
        } else {
            call.reply.error(
                "ERR wrong number of arguments for '\(commands[number].fullName)' command")
            statistics.countRejected(number)
        }
        finishRefusal(&call, before)
    }

    /// A command that may take over the machine: only if the configuration allows it.
    private func executeProtected(_ call: inout Call, _ number: Int32) {
        let loadsModules = commands.index.flags(number).contains(.loadsModules)
        let access = loadsModules ? settings.moduleCommandAccess : settings.debugCommandAccess
        guard allows(access, for: call.connection) else {
            let name = loadsModules ? "MODULE" : "DEBUG"
            let option = loadsModules ? "enable-module-command" : "enable-debug-command"
            let before = call.reply.count
            call.reply.error(
                "ERR \(name) command not allowed. If the \(option) option is set to \"local\", "
                    + "you can run it from a local connection, otherwise you need to set this "
                    + "option in the configuration file, and then restart the server.")
            statistics.countRejected(number)
            return finishRefusal(&call, before)
        }
        if gate.rawValue | call.connection.gate.rawValue != 0 {
            guard passesGates(&call, number) else { return }
        }
        run(&call, number)
    }

    private func isCrossProtocolAttack(_ name: ByteView) -> Bool {
        name.equalsIgnoringCase("post") || name.equalsIgnoringCase("host:")
    }

    /// Counts an error written by a gate, and mutes it where replies are off.
    ///
    /// A transaction it happens in is aborted.
    private func finishRefusal(_ call: inout Call, _ before: Int) {
        noteRefusal(&call, before)
        statistics.countError(call.reply.lastError)
        beginMuting(call.connection)
        muteReply(&call, before)
    }

    private static func unknownCommand(_ arguments: Arguments) -> [UInt8] {
        var text = Array("ERR unknown command '".utf8) + quotable(arguments[0], 128)
        text += Array("', with args beginning with: ".utf8)
        var written = 0
        for index in 1..<max(1, arguments.count) where written < 128 {
            let shown = quotable(arguments[index], 128 - written)
            text += Array("'".utf8) + shown + Array("' ".utf8)
            written += shown.count + 3
        }
        return text
    }

    /// The beginning of an argument for an error text.
    private static func quotable(_ bytes: ByteView, _ most: Int) -> [UInt8] {
        let text = bytes.prefix(most)
        return text.prefix(text.firstIndex(of: 0) ?? text.count).array
    }

    // MARK: - Gates

    /// The long way: something is special about the server or the connection.
    ///
    /// False: refused or put off.
    @inline(never)
    func passesGates(_ call: inout Call, _ number: Int32) -> Bool {
        if gate.contains(.stopping) { return false }
        if call.connection.gate.contains(.replica) {
            runForReplica(&call, number)
            return false
        }
        let own = commands.index.flags(number)
        let flags = effectiveFlags(own, of: call.connection)
        let before = call.reply.count
        if writesRefusal(&call, number, flags) || refusesWhileListening(&call, flags) {
            statistics.countRejected(number)
            finishRefusal(&call, before)
            return false
        }
        if gate.contains(.paused) && waiting.pause.holds(flags)
            && !call.connection.gate.contains(.monitoring)
        {
            waiting.hold(call.connection)
            return false
        }
        if call.connection.gate.contains(.queueing) && !own.contains(.immediate) {
            beginMuting(call.connection)
            enqueue(&call, number, own)
            muteReply(&call, before)
            return false
        }
        if call.connection.gate.isDisjoint(with: .peculiar) && !gate.contains(.writableReplica) {
            return true
        }
        runPeculiarly(&call, number, before)
        if gate.contains(.writableReplica) { noteOwnDeadlines(call) }
        if call.connection.gate.contains(.large) { logLargeRequest(call, number) }
        return false
    }

    /// Whether the command may not run now; replies why, in Redis's order.
    private func writesRefusal(
        _ call: inout Call, _ number: Int32, _ flags: CommandFlags
    ) -> Bool {
        if mustAuthenticate(call.connection) && !flags.contains(.noAuth) {
            call.reply.error("NOAUTH Authentication required.")
            return true
        }
        if call.connection.gate.contains(.queueing) && flags.contains(.noMulti) {
            call.reply.error("ERR Command not allowed inside a transaction")
            return true
        }
        if call.connection.gate.contains(.restricted) && !passesAccess(&call, number) {
            return true
        }
        if gate.contains(.memoryLimit) && lacksMemory(&call, flags) {
            call.reply.error("OOM command not allowed when used memory > 'maxmemory'.")
            return true
        }
        guard let refusal = refusal(call.connection, flags) else { return false }
        call.reply.error(refusal)
        return true
    }

    /// Makes room before a command; true where there is none for one that needs some.
    private func lacksMemory(_ call: inout Call, _ flags: CommandFlags) -> Bool {
        let outcome = eviction.makeRoom(in: self)
        // What the client hears of evicted keys comes before the reply.
        releaseMessagesAfterCommand(&call)
        // A queue takes memory too, whatever is in it.
        let isQueueing = call.connection.gate.contains(.queueing)
        return outcome == .failed
            && (flags.contains(.denyOOM) || (isQueueing && !flags.contains(.immediate)))
    }

    /// Writes why a subscriber that speaks RESP2 may not send the command; false if it may.
    private func refusesWhileListening(_ call: inout Call, _ flags: CommandFlags) -> Bool {
        let connection = call.connection
        guard connection.gate.contains(.subscribed), connection.session.protocolVersion == 2,
            !flags.contains(.whileSubscribed)
        else { return false }
        call.reply.error(
            "ERR Can't execute '\(call.row.fullName)': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING"
                + " / QUIT / RESET are allowed in this context")
        return true
    }

    /// Why the server cannot run such a command now.
    func refusal(
        _ connection: Connection, _ flags: CommandFlags
    ) -> String? {
        if gate.contains(.saveFailed) && settings.stopsWritesOnSaveError
            && !settings.savePoints.isEmpty
            && !flags.isDisjoint(with: [.write, .refusedUnsaved])
        {
            return """
                MISCONF Redis is configured to save RDB snapshots, but it's currently unable to \
                persist to disk. Commands that may modify the data set are disabled, because this \
                instance is configured to report errors during writes if RDB snapshotting fails \
                (stop-writes-on-bgsave-error option). Please check the Redis logs for details about \
                the RDB error.
                """
        }
        if gate.contains(.appendFailed)
            && !flags.isDisjoint(with: [.write, .refusedUnsaved])
        {
            return appendRefusal
        }
        if gate.contains(.tooFewReplicas) && flags.contains(.write) {
            return "NOREPLICAS Not enough good replicas to write."
        }
        if gate.contains(.readOnlyReplica) && flags.contains(.write) {
            return "READONLY You can't write against a read only replica."
        }
        if gate.contains(.staleReplica) && !flags.contains(.stale) {
            return """
                MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.
                """
        }
        if gate.contains(.loading) && !flags.contains(.loading)
            || gate.contains(.loadingBeside) && flags.contains(.noAsyncLoading)
        {
            return "LOADING Redis is loading the dataset in memory"
        }
        if !connection.gate.isDisjoint(with: [.monitoring, .replica])
            && !flags.isDisjoint(with: [.readOnly, .write, .mayReplicate])
        {
            return "ERR Replica can't interact with the keyspace"
        }
        return nil
    }

    // MARK: - Replicas

    /// A replica is sent the stream: it may tell something, and ask for nothing that has a reply.
    private func runForReplica(_ call: inout Call, _ number: Int32) {
        let before = call.reply.count
        let flags = commands.index.flags(number)
        if !writesRefusal(&call, number, flags) { run(&call, number) }
        guard call.reply.count > before, !call.connection.gate.contains(.closing) else { return }
        if call.reply.errorCount > 0 {
            replication.counters.unexpectedErrors += 1
            log.warning(
                "== CRITICAL == This master is sending an error to its replica: "
                    + "'\(call.reply.lastError.string)' after processing the command "
                    + "'\(commands[number].fullName)'")
        }
        log.warning(
            "Replica generated a reply to command '\(commands[number].fullName)', disconnecting it: "
                + describeForLog(call.connection))
        call.reply.truncate(to: before)
        closeSoon(call.connection)
    }

    // MARK: - CLIENT REPLY and CLIENT NO-TOUCH

    /// Runs without a reply, or with accesses left unmarked, as the connection wishes; what it is
    /// sent besides follows the reply.
    private func runPeculiarly(_ call: inout Call, _ number: Int32, _ before: Int) {
        // TOUCH is there to mark accesses.
        let leavesUntouched =
            call.connection.gate.contains(.noTouch)
            && !commands.index.flags(number).contains(.marksAccess)
        beginMuting(call.connection)
        let mode = call.connection.session.replyMode
        if leavesUntouched { keyspace.leavesAccessUntouched = true }
        run(&call, number)
        if leavesUntouched { keyspace.leavesAccessUntouched = false }
        // What EXEC replied before it switched replies off stands.
        if mode == .off || mode == .skipThis { muteReply(&call, before) }
        if !heldMessages.isEmpty { releaseMessages(&call) }
    }

    private func beginMuting(_ connection: Connection) {
        if connection.session.replyMode == .skipNext { connection.session.replyMode = .skipThis }
    }

    /// Takes back what was written since `before` if the connection wants no reply.
    private func muteReply(_ call: inout Call, _ before: Int) {
        switch call.connection.session.replyMode {
        case .on: return
        case .off: call.reply.truncate(to: min(before, call.reply.count))
        case .skipNext: break
        case .skipThis:
            call.reply.truncate(to: min(before, call.reply.count))
            call.connection.session.replyMode = .on
            call.connection.gate.remove(.replyMuted)
            call.reply.mostBytes = mostReplyBytes(call.connection)
        }
    }
}
