import CLinux
import Reactor

/// The life of the process: wait, serve what is ready, run what is due, send what was said.
extension Server {
    func run() throws(SystemError) {
        guard let network else { preconditionFailure("a server without sockets has no loop") }
        timers.add(at: clock.monotonicMilliseconds + cronPeriod, payload: .cron)
        timers.add(at: clock.monotonicMilliseconds + 1000, payload: .replication)
        reportToService()
        while !lifecycle.shouldStop {
            beforeSleep()
            let ready = try network.poller.wait(milliseconds: waitingTime)
            refreshTime()
            let start = clock.monotonicNanoseconds
            let commandsBefore = statistics.commandsTotal
            for index in 0..<ready { dispatch(network.poller.event(at: index)) }
            serveSlots()
            serveResumed()
            runTimers()
            noteCycle(since: start, commandsBefore)
        }
        beforeSleep()
    }

    /// Serves who is ready and waits for nobody: for a long load to call now and then.
    ///
    /// What happens once in a while, and removing what is due, waits.
    func serveMeanwhile() {
        guard let network, let ready = try? network.poller.wait(milliseconds: 0) else { return }
        refreshTime()
        for index in 0..<ready { dispatch(network.poller.event(at: index)) }
        serveSlots()
        serveResumed()
        beforeSleep()
    }

    private func dispatch(_ event: PollEvent) {
        switch Network.Kind(rawValue: event.token.kind) {
        case .connection: serve(event)
        case .listener: acceptConnections(event.token.index)
        case .signals: handleSignals()
        case .background: backgroundReported()
        case .primary: servePrimary(event)
        case .transfer: serveTransfer()
        case nil: break
        }
    }

    /// A connection has bytes, or room for some.
    ///
    /// An event for one that was closed earlier in the turn, and whose place may have a new tenant,
    /// is dropped by its generation.
    @inline(__always)
    private func serve(_ event: PollEvent) {
        guard
            let connection = connections.find(
                place: event.token.index, generation: event.token.generation)
        else { return }
        if event.readiness.contains(.writable) {
            // Among the replies may be one to what this turn has done.
            if !keyspace.feed.isEmpty { handEffectsOver() }
            send(connection)
            if connection.gate.contains(.replica) { serveReplica(connection) }
        }
        if event.readiness.contains(.readable) || event.readiness.contains(.closed) {
            if connection.gate.contains(.closing) {
                if event.readiness.contains(.closed) {
                    close(connection, "Client closed connection")
                }
                return
            }
            serveNext(connection)
        }
    }

    /// Serves connections whose requests had to wait for something other than bytes.
    func serveResumed() {
        while !resumed.isEmpty {
            while !resumed.isEmpty {
                // Nothing is executed between taking one off the list and giving it a slot: it might put
                // it on the list again.
                if slots.isFull { serveSlots() }
                guard let connection = resumed.next() else { break }
                connection.isInResumedList = false
                if connection.transport.isOpen { serveNext(connection, receives: false) }
            }
            serveSlots()
        }
    }

    /// What is done before the loop may sleep, in this order: replies leave last.
    func beforeSleep() {
        handEffectsOver()
        if tracking.hasBroadcasts { broadcastChanges() }
        if replication.stream != nil { feedReplicas() }
        sendReplies()
        closeMarked()
        if clientMemory.isLimited && clientMemory.isExceeded { clientMemory.evictClients(in: self) }
        handBuriedBlocksOver()
        scheduleExpiry()
    }

    /// How long the poller may wait: until the next timer, not at all while a slice of work waits.
    private var waitingTime: Int {
        if !resumed.isEmpty || keyspace.hasBuriedWork { return 0 }
        guard let next = timers.nextDeadline else { return -1 }
        return Int(max(0, next - Int64(Clock.monotonicNanoseconds() / 1_000_000)))
    }

    func runTimers() {
        if keyspace.hasBuriedWork { freeBuried() }
        while let timer = timers.popExpired(at: clock.monotonicMilliseconds) { run(timer) }
    }

    private func run(_ timer: ServerTimer) {
        switch timer {
        case .cron:
            cron()
            timers.add(at: clock.monotonicMilliseconds + cronPeriod, payload: .cron)
        case .expire:
            sampling.expiryTimer = nil
            expireDueKeys()
        case .evict: eviction.goOn(in: self)
        case .resumeAccepting: network?.resumeAccepting()
        case .waitIsOver(let client): waiting.timeIsOver(client: client, in: self)
        case .pauseIsOver: waiting.pauseIsOver(in: self)
        case .service: reportToService()
        case .replication:
            replicationCron()
            timers.add(at: clock.monotonicMilliseconds + 1000, payload: .replication)
        case .synchronize: loadFromPrimary()
        case .repeatStream: goOnRepeating()
        case .failOver: goOnFailingOver()
        case .saveFlush: saveFlush()
        }
    }

    /// A loop that is stuck reports nothing, and the service manager restarts it.
    private func reportToService() {
        guard let period = lifecycle.service.watchdogPeriod else { return }
        lifecycle.service.tellAlive()
        timers.add(at: clock.monotonicMilliseconds + period / 2, payload: .service)
    }

    private func noteCycle(since start: UInt64, _ commandsBefore: Int) {
        let elapsed = Int(truncatingIfNeeded: (Clock.monotonicNanoseconds() &- start) / 1000)
        statistics.loopCycles &+= 1
        statistics.loopMicroseconds &+= elapsed
        if elapsed > statistics.longestLoopMicroseconds {
            statistics.longestLoopMicroseconds = elapsed
        }
        let commands = statistics.commandsTotal &- commandsBefore
        if commands > statistics.mostCommandsInLoop { statistics.mostCommandsInLoop = commands }
    }

    // MARK: - Work in slices

    /// A slice of freeing on the loop: who asks waits for one of them at most, and a turn without
    /// requests costs a hundredth of it (`Scripts/bench-deletion`).
    private static let freeingNanoseconds: UInt64 = 100_000
    /// Between two looks at the clock: some ten microseconds, more where every block is a miss.
    private static let freedAtOnce = 64

    private func freeBuried() {
        let end = Clock.monotonicNanoseconds() + Self.freeingNanoseconds
        repeat {
            guard keyspace.freeBuried(entries: Self.freedAtOnce) else { return }
        } while Clock.monotonicNanoseconds() < end
    }

    /// Large heap blocks are freed by the background thread: giving pages back takes a while.
    private func handBuriedBlocksOver() {
        guard keyspace.hasBuriedBlocks else { return }
        guard let background else { return keyspace.freeBuriedBlocks() }
        for block in keyspace.takeBuriedBlocks() {
            keyspace.freedEntries += 1
            background.submit(.free(pointer: UInt(bitPattern: block), release: apus_heap_free))
        }
    }

    // MARK: - Expiry

    /// A slice of expiry: short enough that nobody waits noticeably.
    private static let expiryNanoseconds: UInt64 = 500_000
    /// Between two slices of a storm others have this long, in milliseconds.
    private static let expiryPause: Int64 = 1

    /// Sets the timer to the next deadline of any database; usually two comparisons.
    func scheduleExpiry() {
        let earliest = keyspace.earliestDeadline
        guard earliest != .max, debug.activeExpire, keyspace.expiryPolicy == .remove else { return }
        let wait = max(Self.expiryPause, earliest - clock.wallMilliseconds + 1)
        let due = clock.monotonicMilliseconds &+ min(wait, 1 << 40)
        if let timer = sampling.expiryTimer {
            if sampling.expiryDue <= due + 1 { return }
            timers.cancel(timer)
        }
        sampling.expiryDue = due
        sampling.expiryTimer = timers.add(at: due, payload: .expire)
    }

    /// Removes due keys for one slice of time.
    func expireDueKeys() {
        guard debug.activeExpire, keyspace.expiryPolicy == .remove else { return }
        let start = Clock.monotonicNanoseconds()
        let effort = UInt64(settings.activeExpireEffort)
        let end = start + Self.expiryNanoseconds + effort * 50_000
        var groups = 0
        var didReachCap = false
        for offset in 0..<keyspace.databaseCount {
            let database = keyspace[(sampling.expiryDatabase + offset) % keyspace.databaseCount]
            while database.expireOneGroup(now: keyspace.now) {
                groups += 1
                if groups & 7 == 0 && Clock.monotonicNanoseconds() > end {
                    didReachCap = true
                    break
                }
            }
            if didReachCap {
                sampling.expiryDatabase = database.index
                break
            }
        }
        keyspace.refreshEarliestDeadline()
        if didReachCap { keyspace.counters.expiredTimeCapReached += 1 }
        // Keys that expire by themselves have nothing to do with each other.
        if keyspace.interest.contains(.propagation) { keyspace.feed.endUnit(asTransaction: false) }
        if keyspace.hasEvents { followEvents() }
        let elapsed = Clock.monotonicNanoseconds() - start
        statistics.expireCycleMicroseconds += Int(elapsed / 1000)
        noteLatency(.expireCycle, nanoseconds: elapsed)
    }
}
