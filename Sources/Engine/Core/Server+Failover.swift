import Reactor

/// FAILOVER: the primary waits, with writes held back, until a replica has everything; then it follows that
/// replica, which takes over when asked to.
extension Server {
    func beginFailover(_ failover: Failover) {
        replication.failover = failover
        let wait = failover.deadline.map { $0 - clock.monotonicMilliseconds } ?? 0
        log.notice("FAILOVER requested\(wait > 0 ? " with timeout \(wait)" : "").")
        waiting.beginPause(.writes, for: .failover, until: .max, in: self)
        // What else the turn does, as of a transaction that is running, belongs to what is handed over.
        timers.add(at: clock.monotonicMilliseconds, payload: .failOver)
    }

    /// FAILOVER ABORT; false where there is nothing to abort.
    func abortFailover() -> Bool {
        guard replication.failover != nil else { return false }
        endFailover("Failover manually aborted")
        return true
    }

    private func endFailover(_ reason: String) {
        guard let failover = replication.failover else { return }
        log.notice("Aborting failover: \(reason)")
        replication.failover = nil
        if failover.stage == .inProgress { followNobody() }
        waiting.endPause(for: .failover, in: self)
    }

    /// Goes on once a replica has everything, or gives up when the time is over.
    func goOnFailingOver() {
        guard let failover = replication.failover else { return }
        switch failover.stage {
        case .waitingForSync:
            if let target = readyTarget(failover) { return handOver(to: target) }
            guard let deadline = failover.deadline, clock.monotonicMilliseconds >= deadline else {
                return
            }
            if failover.isForced, let target = failover.target {
                log.notice(
                    "Failover to \(target.host):\(target.port) time out exceeded, failing over.")
                return handOver(to: target)
            }
            endFailover("Replica never caught up before timeout")
        case .inProgress: return
        }
    }

    /// A replica that has everything: the one asked for, or any.
    private func readyTarget(_ failover: Failover) -> ReplicaSource? {
        for connection in replication.replicas {
            guard let replica = connection.replica, replica.stage == .online,
                replica.acknowledged == historyEnd
            else { continue }
            let place = ReplicaSource(
                host: replica.address ?? connection.peerAddress, port: replica.port)
            if failover.target == nil || failover.target == place { return place }
        }
        return nil
    }

    /// Follows the replica, and asks it to take over.
    private func handOver(to target: ReplicaSource) {
        log.notice("Failover target is \(target.host):\(target.port).")
        replication.failover?.stage = .inProgress
        replication.failover?.target = target
        follow(target, demandingTakeover: true)
    }

    /// The other side has answered whether it takes over.
    ///
    /// - Returns: true if it refused and this server is a primary again.
    @discardableResult
    func endDemand(_ link: PrimaryLink, isGranted: Bool) -> Bool {
        guard link.demands else { return false }
        link.demands = false
        guard replication.failover != nil else { return false }
        guard isGranted else {
            log.warning("Failover target rejected psync request")
            endFailover("the target does not take over")
            return true
        }
        log.notice("Failover completed.")
        replication.failover = nil
        waiting.endPause(for: .failover, in: self)
        return false
    }

    /// PSYNC … FAILOVER: a primary asks this replica of it to take over.
    func takeOver(asOf id: String) throws(CommandError) {
        guard replication.isReplica else {
            throw .text("ERR PSYNC FAILOVER can't be sent to a master.")
        }
        guard id == replication.id else {
            throw .text("ERR PSYNC FAILOVER replid must match my replid.")
        }
        log.notice("Failover request was accepted, becoming the primary.")
        followNobody()
    }
}
