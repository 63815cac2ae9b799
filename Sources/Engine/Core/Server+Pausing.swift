import Reactor

/// CLIENT PAUSE: requests are put off, not refused, and run when the pause ends.
///
/// A connection whose request is held back executes nothing more; what it sends meanwhile waits in
/// its buffer. One timer ends the pause, so waiting costs nothing.
extension Server {
    /// Begins a pause, or makes the one in force longer and stricter; never shorter or laxer.
    ///
    /// - Parameter until: the monotonic millisecond at which it ends.
    func beginPause(_ kind: PauseState.Kind, until: Int64) {
        if !gate.contains(.paused) {
            // What is over already holds nobody back, not even until the timer has fired.
            guard until > clock.monotonicMilliseconds else { return }
            // A paused server changes no data, not even by expiry.
            pause.expiryPolicy = keyspace.expiryPolicy
            keyspace.expiryPolicy = .hide
        }
        pause.kind = max(pause.kind, kind)
        gate.insert(.paused)
        if pause.timer != nil && until <= pause.until { return }
        if let timer = pause.timer { timers.cancel(timer) }
        pause.until = until
        pause.timer = timers.add(at: until, payload: .endPause)
    }

    /// Lets the connections that wait for the end of a pause go on, in the order they came.
    func endPause() {
        guard gate.contains(.paused) else { return }
        pause.kind = .none
        gate.remove(.paused)
        keyspace.expiryPolicy = pause.expiryPolicy
        if let timer = pause.timer { timers.cancel(timer) }
        pause.timer = nil
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
