import Glibc
import Reactor

/// Ending on purpose: SHUTDOWN and the signals that ask for it.
///
/// From the moment it is decided no request is executed any more; the turn is finished, its replies
/// are sent, and the loop ends.
extension Server {
    /// Ends the server after this turn.
    ///
    /// - Returns: false if it must not end, for the reason in the log.
    func shutDown(_ options: ShutdownOptions) -> Bool {
        log.warning("User requested shutdown...")
        lifecycle.service.tellStopping()
        if mustSave(options) && !save(options) {
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
        if !shutDown(options) { lifecycle.stopRequest = nil }
    }

    /// Takes back what a signal has asked for, as long as it has not begun.
    ///
    /// - Returns: false if there is nothing to take back.
    func abortShutdown() -> Bool {
        guard lifecycle.stopRequest != nil, !lifecycle.shouldStop else { return false }
        lifecycle.stopRequest = nil
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
