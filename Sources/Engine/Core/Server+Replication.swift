import Reactor

/// The part a server plays: primary or replica, and how it changes from one to the other.
extension Server {
    // MARK: - The history

    /// The end of the history as of now, what this turn has done included.
    var historyEnd: Int {
        replication.offset + (replication.isReplica ? 0 : keyspace.feed.view.count)
    }

    /// Hands what a turn has done to the replicas' stream.
    func passOnEffects() {
        guard !replication.isReplica else { return }
        let bytes = keyspace.feed.view
        replication.stream?.append(bytes)
        replication.offset += bytes.count
    }

    /// Puts a request into the stream that no data follows from: the replicas' alone.
    func tellReplicas(_ request: StaticString) {
        guard replication.stream != nil, !replication.isReplica else { return }
        handEffectsOver()
        replication.stream?.append(ByteView(request))
        replication.offset += ByteView(request).count
        feedReplicas()
    }

    /// Begins to keep the history, for the first replica or because this is one.
    func keepHistory() {
        guard replication.stream == nil else { return }
        replication.stream = ReplicationStream(
            at: replication.offset, backlogBytes: settings.replicationBacklogBytes)
        replication.idleSince = clock.monotonicMilliseconds
        keyspace.feed.selectAnew()
        followPropagation()
    }

    /// Keeps no history any more.
    func dropHistory() {
        replication.stream = nil
        followPropagation()
    }

    /// A new name for the history; up to here it is also known by the old one if `remembers`.
    func renameHistory(remembers: Bool) {
        if remembers {
            replication.previousID = replication.id
            replication.previousEnd = replication.offset + 1
        } else {
            replication.previousID = ReplicationState.noID
            replication.previousEnd = -1
        }
        replication.id = Self.randomIdentifier()
        guard remembers else { return }
        log.notice(
            "Setting secondary replication ID to \(replication.previousID), valid up to offset: "
                + "\(replication.previousEnd). New replication ID is \(replication.id)")
    }

    // MARK: - Changing the part

    /// At the start, when the data is there.
    func beginReplication() {
        guard let primary = settings.replicaOf else { return }
        let isKnown = replication.mayContinue
        follow(primary)
        replication.mayContinue = isKnown
    }

    /// Takes up the history of a snapshot that is being loaded at the start.
    ///
    /// A replica goes on in it. A primary begins a new one, which those who followed the old one may
    /// join where that ended; keys that expired since are the first they hear of.
    func adoptHistory(id: String, offset: Int, database: Int) {
        guard id.utf8.count == 40, ReplicationState.isOffset(offset) else { return }
        replication.offset = offset
        replication.database = max(0, database)
        if settings.replicaOf != nil {
            replication.id = id
            replication.mayContinue = true
        } else {
            replication.previousID = id
            replication.previousEnd = offset + 1
            keepHistory()
        }
    }

    /// REPLICAOF: follows another server from now on.
    ///
    /// - Parameter demandingTakeover: asks the other to become a primary first (FAILOVER).
    func follow(_ primary: ReplicaSource, demandingTakeover: Bool = false) {
        let wasPrimary = !replication.isReplica
        if wasPrimary {
            handEffectsOver(mayPostpone: false)
            failWaitingClients()
            // What was written so far may be the beginning of what the new primary has.
            replication.mayContinue = true
        }
        dropLink()
        settings.replicaOf = primary
        let link = PrimaryLink(primary)
        link.downSince = clock.monotonicMilliseconds
        link.demands = demandingTakeover
        replication.link = link
        takePart()
        log.notice("Connecting to MASTER \(primary.host):\(primary.port)")
        connectToPrimary()
    }

    /// REPLICAOF NO ONE: is a primary from now on.
    func followNobody() {
        guard replication.isReplica else { return }
        // What the feed has for a file is part of the old history, and counted there.
        handEffectsOver(mayPostpone: false)
        dropLink()
        replication.link = nil
        settings.replicaOf = nil
        replication.mayContinue = false
        // They learn the new name when they connect again, and go on.
        dropReplicas("the primary has changed")
        renameHistory(remembers: true)
        keyspace.feed.selectAnew()
        replication.idleSince = clock.monotonicMilliseconds
        takePart()
        resumeAppending()
    }

    /// What follows from the part: who may write, what is done with expired keys, who listens to effects.
    func takePart() {
        followGates()
        followExpiryPolicy()
        followPropagation()
        log.role = replication.isReplica ? .replica : .primary
        _ = adjustOutOfMemoryScore(of: replication.isReplica ? .replica : .primary)
        keyspace.refreshEarliestDeadline()
    }

    /// Which requests are refused because of the part played, and the state of the replicas.
    func followGates() {
        let link = replication.link
        set(.readOnlyReplica, link != nil && settings.replicaReadOnly)
        set(.writableReplica, link != nil && !settings.replicaReadOnly)
        if link == nil { replication.ownKeys = [] }
        set(
            .staleReplica,
            link != nil && link?.state != .connected && !settings.replicaServesStaleData)
        countGoodReplicas()
    }

    /// `min-replicas-to-write`: writes need so many replicas that are not far behind.
    func countGoodReplicas() {
        let most = settings.minReplicasMaxLagSeconds
        let asks = settings.minReplicasToWrite > 0 && most > 0
        let now = clock.monotonicMilliseconds
        replication.goodReplicas = replication.replicas.count { connection in
            guard let replica = connection.replica, replica.stage == .online else { return false }
            return (now - replica.acknowledgedAt) / 1000 <= Int64(most)
        }
        set(
            .tooFewReplicas,
            asks && !replication.isReplica
                && replication.goodReplicas < settings.minReplicasToWrite)
    }

    private func set(_ bit: Gate, _ isSet: Bool) {
        if isSet { gate.insert(bit) } else { gate.remove(bit) }
    }

    /// Clients that wait for a key are told that the server's part has changed.
    private func failWaitingClients() {
        waiting.unblockAll([.keys, .copies, .shutdown], .roleChange, in: self)
    }

    // MARK: - Every second

    func replicationCron() {
        replication.cronTurns += 1
        if replication.isReplica {
            watchPrimary()
            expireOwnKeys()
        }
        watchReplicas()
        if replication.failover != nil { goOnFailingOver() }
        guard replication.stream != nil, replication.replicas.isEmpty, !replication.isReplica,
            settings.replicationBacklogSeconds > 0
        else { return }
        let idle = clock.monotonicMilliseconds - replication.idleSince
        guard idle > Int64(settings.replicationBacklogSeconds) * 1000 else { return }
        // What the turn has done is the end of it.
        handEffectsOver()
        // What is done from here on nobody could be told; so the history has another name.
        renameHistory(remembers: false)
        dropHistory()
        log.notice(
            "Replication backlog freed after \(settings.replicationBacklogSeconds) seconds without "
                + "connected replicas.")
    }
}
