import Reactor

/// CLIENT PAUSE, and the pauses of FAILOVER and SHUTDOWN: requests are put off, not refused, and run when
/// the pause ends.
///
/// Whoever wishes a pause ends only that: in force is the strictest of all that is wished. A connection
/// whose request is held back executes nothing more; what it sends meanwhile waits in its buffer. One
/// timer ends what is over, so waiting costs nothing.
extension Server {
    /// Begins a pause, or makes the one wished for the same purpose longer and stricter; never shorter
    /// or laxer.
    ///
    /// - Parameter until: the monotonic millisecond at which it ends; `.max`: when it is told to.
    func beginPause(_ kind: PauseState.Kind, for purpose: PauseState.Purpose, until: Int64) {
        var wish = pause.wishes[purpose] ?? PauseState.Wish()
        wish.kind = max(wish.kind, kind)
        wish.until = max(wish.until, until)
        pause.wishes[purpose] = wish
        followPauses()
    }

    func endPause(for purpose: PauseState.Purpose) {
        pause.wishes[purpose] = nil
        followPauses()
    }

    /// Puts in force what is wished by now; whoever need not wait any more goes on.
    func followPauses() {
        // What is over already holds nobody back, not even until the timer has fired.
        pause.wishes = pause.wishes.filter { $0.value.until > clock.monotonicMilliseconds }
        if let timer = pause.timer { timers.cancel(timer) }
        let end = pause.wishes.values.map(\.until).min() ?? .max
        pause.timer = end == .max ? nil : timers.add(at: end, payload: .endPause)
        let before = pause.kind
        pause.kind = pause.wishes.values.map(\.kind).max() ?? .none
        if pause.kind == .none { gate.remove(.paused) } else { gate.insert(.paused) }
        // A paused server changes no data, not even by expiry.
        followExpiryPolicy()
        if pause.kind < before { resumePaused() }
    }

    /// Lets the connections that wait go on, in the order they came; some may have to wait again.
    private func resumePaused() {
        if replication.isReplica {
            timers.add(at: clock.monotonicMilliseconds, payload: .repeatStream)
        }
        let waiting = pause.waiting
        pause.waiting = []
        for connection in waiting {
            connection.gate.remove(.paused)
            resume(connection)
        }
    }

    /// Whether a command with `flags` has to wait for the end of the pause.
    func mustWait(_ flags: CommandFlags) -> Bool {
        switch pause.kind {
        case .none: false
        case .all: true
        case .writes: flags.contains(.write) || flags.contains(.mayReplicate)
        }
    }

    /// Puts the request of a connection off until the pause ends.
    func hold(_ connection: Connection) {
        connection.gate.insert(.paused)
        pause.waiting.append(connection)
    }

    /// Connections that wait for a key until a certain time.
    var timedWaiterCount: Int {
        (0..<connections.placeCount).count { connections.at($0)?.parked?.timer != nil }
    }

    /// Connections whose request waits for something: INFO's `blocked_clients`.
    ///
    /// O(connections).
    var blockedCount: Int {
        (0..<connections.placeCount).count {
            !(connections.at($0)?.gate.isDisjoint(with: [.blocked, .paused]) ?? true)
        }
    }
}
