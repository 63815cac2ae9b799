import Glibc
import Reactor

/// Ending on purpose: SHUTDOWN and the signals that ask for it.
///
/// From the moment it is decided no request is executed any more; the turn is finished, its replies
/// are sent, and the loop ends.
extension Server {
    enum ShutdownOutcome {
        /// After this turn, or not, for the reason in the log.
        case ends, fails
        /// Once the replicas have what was written, or the time for that is over.
        case waits
    }

    /// Ends the server, unless replicas are to be waited for.
    func shutDown(_ options: ShutdownOptions) -> ShutdownOutcome {
        if !options.contains(.now) && settings.shutdownTimeoutSeconds > 0 && !areReplicasInSync {
            waitForReplicas(options)
            return .waits
        }
        return end(options) ? .ends : .fails
    }

    private func end(_ options: ShutdownOptions) -> Bool {
        log.warning("User requested shutdown...")
        lifecycle.service.tellStopping()
        tellOfLaggingReplicas()
        guard finishAppending(force: options.contains(.force)), !mustSave(options) || save(options)
        else {
            log.warning(
                "Errors trying to shut down the server. Check the logs for more information.")
            return false
        }
        stopSnapshotChild()
        gate.insert(.stopping)
        lifecycle.shouldStop = true
        return true
    }

    private func mustSave(_ options: ShutdownOptions) -> Bool {
        if options.contains(.noSave) || gate.contains(.loading) { return false }
        return options.contains(.save) || (keepsSnapshots && !settings.savePoints.isEmpty)
    }

    private func save(_ options: ShutdownOptions) -> Bool {
        stopSnapshotChild()
        log.notice("Saving the final RDB snapshot before exiting.")
        if saveSnapshot() { return true }
        guard options.contains(.force) else {
            log.warning("Error trying to save the DB, can't exit.")
            return false
        }
        log.warning("Error trying to save the DB, but exiting anyway as asked.")
        return true
    }

    // MARK: - Waiting for replicas

    private var areReplicasInSync: Bool {
        replication.replicas.allSatisfy { connection in
            guard let replica = connection.replica, !replica.wantsSnapshotOnly else { return true }
            return replica.acknowledged == historyEnd
        }
    }

    private func waitForReplicas(_ options: ShutdownOptions) {
        guard lifecycle.waitingStop == nil else { return }
        lifecycle.waitingStop = WaitingStop(
            options: options,
            deadline: clock.monotonicMilliseconds + Int64(settings.shutdownTimeoutSeconds) * 1000)
        log.notice("Waiting for replicas before shutting down.")
        waiting.beginPause(.writes, for: .shutdown, until: .max, in: self)
        replication.asksReplicas = true
    }

    /// Ends, now that the replicas have everything or had their time.
    func goOnShuttingDown() {
        guard let stop = lifecycle.waitingStop,
            areReplicasInSync || clock.monotonicMilliseconds >= stop.deadline
        else { return }
        lifecycle.waitingStop = nil
        if end(stop.options) { return }
        giveShutdownUp()
    }

    private func giveShutdownUp() {
        lifecycle.stopRequest = nil
        waiting.endPause(for: .shutdown, in: self)
        waiting.unblockAll([.shutdown], .noShutdown, in: self)
    }

    private func tellOfLaggingReplicas() {
        var inSync = 0
        for connection in replication.replicas {
            guard let replica = connection.replica else { continue }
            if replica.acknowledged == historyEnd {
                inSync += 1
                continue
            }
            let lag = (clock.monotonicMilliseconds - replica.acknowledgedAt) / 1000
            log.notice(
                "Lagging replica \(name(of: connection)) reported offset "
                    + "\(historyEnd - replica.acknowledged) behind master, lag=\(lag), "
                    + "state=\(replica.stateName).")
        }
        guard !replication.replicas.isEmpty else { return }
        log.notice(
            "\(inSync) of \(replication.replicas.count) replicas are in sync when shutting down.")
    }

    // MARK: - Signals

    func handleSignals() {
        while let event = network?.signals?.next() {
            switch event.number {
            case SIGINT: requestStop("SIGINT", settings.shutdownOnInterrupt)
            case SIGTERM: requestStop("SIGTERM", settings.shutdownOnTerminate)
            case SIGCHLD: reapChildren()
            default: break
            }
        }
    }

    /// The first request is obeyed in order; the second ends the server at once.
    private func requestStop(_ name: String, _ options: ShutdownOptions) {
        if lifecycle.stopRequest != nil { endAtOnce() }
        log.warning("Received \(name) scheduling shutdown...")
        lifecycle.stopRequest = options
        if !debug.cronPaused { obeyStopRequest() }
    }

    /// Ends as a signal has asked, if one has; what hinders it is tried again when the next comes.
    func obeyStopRequest() {
        guard let options = lifecycle.stopRequest, !lifecycle.shouldStop else { return }
        guard lifecycle.waitingStop == nil else { return goOnShuttingDown() }
        if shutDown(options) == .fails { lifecycle.stopRequest = nil }
    }

    /// Takes back what a signal has asked for, as long as it has not begun.
    ///
    /// - Returns: false if there is nothing to take back.
    func abortShutdown() -> Bool {
        guard lifecycle.stopRequest != nil || lifecycle.waitingStop != nil, !lifecycle.shouldStop
        else { return false }
        lifecycle.stopRequest = nil
        if lifecycle.waitingStop != nil {
            lifecycle.waitingStop = nil
            giveShutdownUp()
        }
        log.notice("Shutdown manually aborted.")
        return true
    }

    /// Ends at once if that was asked for again while the last snapshot is being written.
    func heedInsistence() {
        guard lifecycle.stopRequest != nil else { return }
        while let event = network?.signals?.next() {
            if event.number == SIGINT || event.number == SIGTERM { endAtOnce() }
        }
    }

    private func endAtOnce() -> Never {
        log.warning("You insist... exiting now.")
        File.removeIfPresent(Self.temporarySnapshot(of: Process.processIdentifier))
        exit(1)
    }
}
