import Reactor

/// Looking at commands after they ran: slow log, latency, MONITOR, CLIENT TRACKING.
///
/// The dispatcher compares the time a command took and the replies waiting with two numbers
/// (`attention`); only what exceeds one of them comes here. Whoever wants to see every command sets
/// the first to 0. So all of it together costs two comparisons that were there before: for the
/// clock, which is read anew after a long command, and for the limit of the output.
extension Server {
    /// About a quarter of a millisecond: after such a command the clock is read anew.
    private static let longTicks: UInt64 = 500_000
    /// From here on the limit of the output buffer is looked at while commands run.
    static let largeReplyBytes = 64 * 1024

    // MARK: - What is looked at

    /// Takes over what the settings say about logs, and who watches.
    func followLogSettings() {
        observation[.slow].trim(to: settings.slowLogMaxLength)
        observation[.largeRequest].trim(to: settings.largeRequestLogMaxLength)
        observation[.largeReply].trim(to: settings.largeReplyLogMaxLength)
        var attention = Attention()
        attention.ticks = Self.longTicks
        attention.replyBytes = Self.largeReplyBytes
        if settings.slowLogMicroseconds >= 0 {
            attention.ticks = min(
                attention.ticks, ticks(microseconds: settings.slowLogMicroseconds))
        }
        if settings.latencyMonitorMilliseconds > 0 {
            attention.ticks = min(attention.ticks, ticks(microseconds: 1000))
        }
        if settings.largeReplyLogBytes >= 0 {
            attention.replyBytes = min(attention.replyBytes, settings.largeReplyLogBytes)
        }
        // What fits a slot is not known to be large until it is measured.
        attention.measuresRequests =
            (0...InputSlots.slotBytes).contains(settings.largeRequestLogBytes)
        if attention.measuresRequests || !monitors.isEmpty || tracking.readerCount > 0 {
            attention.ticks = 0
        }
        self.attention = attention
    }

    /// Somewhat fewer ticks than that time has: the scale is measured, and improves.
    private func ticks(microseconds: Int) -> UInt64 {
        // A second is far above all that is compared with it.
        let nanoseconds = UInt64(min(max(microseconds, 0), 1_000_000)) * 1000
        let scale: UInt64 = 1 << 20
        let each = max(statistics.tickScale.nanoseconds(ticks: scale), 1)
        return nanoseconds * scale / each / 8 * 7
    }

    // MARK: - Looking

    /// Looks at a command that took long, or when somebody wants to see every one.
    @inline(never)
    func look(at call: inout Call, _ number: Int32, ticks: UInt64, replyBytes: Int) {
        // What must look like one step has one time.
        if ticks >= Self.longTicks && !transactions.isRunning { refreshTime() }
        let nanoseconds = statistics.tickScale.nanoseconds(ticks: ticks)
        let flags = commands.index.flags(number)
        if settings.latencyMonitorMilliseconds > 0 {
            noteLatency(flags.contains(.fast) ? .fastCommand : .command, nanoseconds: nanoseconds)
        }
        if !call.blocks { logSlow(call, number, nanoseconds) }
        if settings.largeReplyLogBytes >= 0 && replyBytes >= settings.largeReplyLogBytes {
            log(.largeReply, call, number, amount: replyBytes)
        }
        if attention.measuresRequests && !call.connection.gate.contains(.large) {
            logLargeRequest(call, number)
        }
        if !monitors.isEmpty { show(call, number) }
        if call.connection.session.tracking.isOn { rememberReads(call, number) }
        releaseMessagesAfterCommand(&call)
        if call.reply.count > Self.largeReplyBytes { checkOutputLimit(&call) }
    }

    /// Looks at a command that waited, after it was served.
    func lookAgain(_ call: borrowing Call, ticks: UInt64) {
        statistics.recordAgain(call.command, ticks: ticks)
        let nanoseconds = statistics.tickScale.nanoseconds(ticks: ticks)
        noteLatency(.commandUnblocking, nanoseconds: nanoseconds)
        logSlow(call, call.command, nanoseconds)
    }

    /// Takes note of what kept the server from serving, if it took long enough to be noted.
    func noteLatency(_ event: LatencyMonitor.Event, nanoseconds: UInt64) {
        let threshold = settings.latencyMonitorMilliseconds
        let milliseconds = Int(clamping: nanoseconds / 1_000_000)
        guard threshold > 0, milliseconds >= threshold else { return }
        observation.latency.add(
            event, milliseconds: milliseconds, at: clock.wallMilliseconds / 1000)
    }

    // MARK: - Logs

    private func logSlow(_ call: borrowing Call, _ number: Int32, _ nanoseconds: UInt64) {
        let microseconds = Int(clamping: nanoseconds / 1000)
        guard settings.slowLogMicroseconds >= 0, microseconds >= settings.slowLogMicroseconds else {
            return
        }
        log(.slow, call, number, amount: microseconds)
    }

    /// Logs a request by its size, if that is large enough.
    func logLargeRequest(_ call: borrowing Call, _ number: Int32) {
        guard settings.largeRequestLogBytes >= 0 else { return }
        let bytes = RequestExcerpt.requestBytes(call.arguments)
        guard bytes >= settings.largeRequestLogBytes else { return }
        log(.largeRequest, call, number, amount: bytes)
    }

    private func log(
        _ kind: CommandLog.Kind, _ call: borrowing Call, _ number: Int32, amount: Int
    ) {
        guard !commands.index.flags(number).contains(.skipSlowLog) else { return }
        let most =
            switch kind {
            case .slow: settings.slowLogMaxLength
            case .largeRequest: settings.largeRequestLogMaxLength
            case .largeReply: settings.largeReplyLogMaxLength
            }
        let connection = call.connection
        observation[kind].add(
            seconds: clock.wallMilliseconds / 1000, amount: amount,
            arguments: RequestExcerpt.short(
                call.arguments, hiding: secrets(of: call, number), of: connection.large),
            address: connection.peerName, name: connection.session.name, most: most)
    }

    private func secrets(of call: borrowing Call, _ number: Int32) -> [Int] {
        commands[number].command.secrets?(call.arguments) ?? []
    }

    // MARK: - MONITOR

    /// Shows `connection` every command from now on.
    func startMonitoring(_ connection: Connection) {
        guard !connection.gate.contains(.monitoring) else { return }
        connection.gate.insert(.monitoring)
        monitors.append(connection)
        followLogSettings()
    }

    func stopMonitoring(_ connection: Connection) {
        guard connection.gate.contains(.monitoring) else { return }
        connection.gate.remove(.monitoring)
        monitors.removeAll { $0 === connection }
        followLogSettings()
    }

    /// Shows the command to all monitors; what administers the server is nobody else's business.
    private func show(_ call: borrowing Call, _ number: Int32) {
        guard commands.index.flags(number).isDisjoint(with: [.skipMonitor, .admin]),
            !gate.contains(.loading)
        else { return }
        readClock()
        let fraction = String(clock.wallMicroseconds % 1_000_000)
        let sender =
            call.connection.isUnixSocket
            ? "unix:\(settings.unixSocketPath ?? "")" : call.connection.peerName
        let head =
            "+\(clock.wallMicroseconds / 1_000_000)."
            + String(repeating: "0", count: 6 - fraction.count) + fraction
            + " [\(call.database.index) \(sender)] "
        let line =
            Array(head.utf8)
            + RequestExcerpt.line(call.arguments, hiding: secrets(of: call, number)) + [13, 10]
        for monitor in monitors where !monitor.gate.contains(.replyMuted) {
            deliver(line, to: monitor)
        }
    }
}
