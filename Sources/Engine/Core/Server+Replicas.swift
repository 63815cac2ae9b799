import Glibc
import Reactor

/// The primary's side: replicas come, are given what they lack, and are fed.
extension Server {
    // MARK: - PSYNC and SYNC

    /// A replica asks to go on from `offset` of the history `id`, or for everything.
    ///
    /// - Parameter demandsTakeover: and that this server becomes a primary first (FAILOVER).
    func synchronize(
        _ call: inout Call, id: String?, offset: Int, demandsTakeover: Bool = false
    ) throws(CommandError) {
        let connection = call.connection
        guard connection.replica?.isListed != true, !connection.gate.contains(.primary) else {
            return
        }
        if demandsTakeover, let id { try takeOver(asOf: id) }
        if replication.isReplica && replication.link?.state != .connected {
            throw .text("NOMASTERLINK Can't SYNC while not connected with my master")
        }
        if replication.failover != nil {
            throw .text("NOMASTERLINK Can't SYNC while failing over")
        }
        guard call.reply.isEmpty else {
            throw .text("ERR SYNC and PSYNC are invalid with pending output")
        }
        let replica = introduce(connection)
        if replica.content == .nothing && !replica.capabilities.contains(.endMark) {
            throw .text("ERR Filtered replica requires EOF capability")
        }
        log.notice("Replica \(name(of: connection)) asks for synchronization")
        handEffectsOver()
        if let id {
            if goOn(&call, replica, id: id, offset: offset) { return }
            if id != "?" { replication.counters.refusedPartialSyncs += 1 }
        } else {
            replica.isSilent = true
        }
        synchronizeFully(connection, replica)
    }

    /// What is known of a connection that has told to be a replica.
    func introduce(_ connection: Connection) -> Replica {
        if let replica = connection.replica { return replica }
        let replica = Replica()
        connection.replica = replica
        return replica
    }

    /// How the log names a replica: where it listens.
    func name(of connection: Connection) -> String {
        let port = connection.replica?.port ?? 0
        let address = connection.replica?.address ?? connection.peerAddress
        return port > 0
            ? "\(address):\(port)" : "\(address) (port unknown, client id #\(connection.id))"
    }

    /// Counts a connection among the replicas from now on.
    func list(_ connection: Connection, _ stage: Replica.Stage) {
        guard let replica = connection.replica, connections.contains(connection) else { return }
        replica.advance(to: stage)
        replica.acknowledgedAt = clock.monotonicMilliseconds
        replica.waitsSince = clock.monotonicMilliseconds
        connection.gate.insert(.replica)
        replication.replicas.append(connection)
        if settings.replicationDisablesNoDelay && connection.transport.isOpen {
            Socket.setNoDelay(connection.transport.descriptor, false)
        }
    }

    /// Lets a replica go on where it was; false if what it lacks is not kept.
    private func goOn(
        _ call: inout Call, _ replica: Replica, id: String, offset: Int
    ) -> Bool {
        let isKnown =
            id == replication.id
            || (id == replication.previousID && offset <= replication.previousEnd)
        guard isKnown else {
            if id != "?" { logUnknownHistory(call.connection, id: id, offset: offset) }
            if id == "?" {
                log.notice("Full resync requested by replica \(name(of: call.connection))")
            }
            return false
        }
        guard offset > 0, let stream = replication.stream, stream.reaches(offset - 1) else {
            log.notice(
                "Unable to partial resync with replica \(name(of: call.connection)) for lack of "
                    + "backlog (Replica request was: \(offset)).")
            if let stream = replication.stream, offset > stream.end + 1 {
                log.warning(
                    "Warning: replica \(name(of: call.connection)) tried to PSYNC with an offset "
                        + "that is greater than the master replication offset.")
            }
            return false
        }
        list(call.connection, .online)
        replica.position = offset - 1
        let names = replica.capabilities.contains(.partialSync2)
        let line = names ? "+CONTINUE \(replication.id)\r\n" : "+CONTINUE\r\n"
        line.withByteView { call.reply.raw($0) }
        replication.counters.partialSyncs += 1
        log.notice(
            "Partial resynchronization request from \(name(of: call.connection)) accepted. Sending "
                + "\(stream.end - replica.position) bytes of backlog starting from offset \(offset)."
        )
        countGoodReplicas()
        return true
    }

    private func logUnknownHistory(_ connection: Connection, id: String, offset: Int) {
        if id != replication.previousID {
            log.notice(
                "Partial resynchronization not accepted: Replication ID mismatch (Replica asked for "
                    + "'\(id)', my replication IDs are '\(replication.id)' and "
                    + "'\(replication.previousID)')")
        } else {
            log.notice(
                "Partial resynchronization not accepted: Requested offset for second ID was "
                    + "\(offset), but I can reply up to \(replication.previousEnd)")
        }
    }

    // MARK: - What replicas tell

    /// Replicas that have, or have on their disks, everything up to `offset`.
    func copies(of offset: Int, onDisk: Bool) -> Int {
        replication.replicas.count { connection in
            guard let replica = connection.replica, replica.stage == .online else { return false }
            return (onDisk ? replica.synced : replica.acknowledged) >= offset
        }
    }

    /// Asks all replicas how far they are.
    func askReplicas() {
        replication.asksReplicas = false
        tellReplicas("*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n")
    }

    /// REPLCONF ACK: how much of the history a replica has applied, and has on its disk.
    func noteAcknowledgement(_ connection: Connection, _ offset: Int, synced: Int?) {
        guard let replica = connection.replica, replica.isListed else { return }
        replica.acknowledged = max(replica.acknowledged, offset)
        if let synced { replica.synced = max(replica.synced, synced) }
        replica.acknowledgedAt = clock.monotonicMilliseconds
        if replica.holdsStreamBack && replica.stage == .online { putOnline(connection) }
        if waiting.hasClients(waitingFor: .copies) { waiting.serveCopies(in: self) }
        if gate.contains(.tooFewReplicas) { countGoodReplicas() }
        if replication.failover != nil { goOnFailingOver() }
        if lifecycle.waitingStop != nil { goOnShuttingDown() }
    }

    /// From now on the replica follows the stream.
    func putOnline(_ connection: Connection) {
        guard let replica = connection.replica else { return }
        replica.advance(to: .online)
        replica.holdsStreamBack = false
        replica.acknowledgedAt = clock.monotonicMilliseconds
        if replica.wantsSnapshotOnly {
            log.notice(
                "RDB transfer completed, rdb only replica (\(name(of: connection))) should be "
                    + "disconnected asap")
            replica.advance(to: .served)
            return closeSoon(connection)
        }
        log.notice("Synchronization with replica \(name(of: connection)) succeeded")
        countGoodReplicas()
    }

    // MARK: - Feeding

    /// Sends every replica what the stream has for it, and lets go of what nobody wants any more.
    func feedReplicas() {
        for connection in replication.replicas { feed(connection) }
        trimHistory()
    }

    func trimHistory() {
        var wanted = Int.max
        for connection in replication.replicas {
            guard let replica = connection.replica, replica.pinsStream else { continue }
            wanted = min(wanted, replica.position)
        }
        replication.stream?.trim(
            keeping: settings.replicationBacklogBytes, from: wanted)
    }

    /// Sends one replica what is there for it.
    private func feed(_ connection: Connection) {
        guard let replica = connection.replica, connection.transport.isOpen,
            let stream = replication.stream
        else { return }
        let unsent = replica.pinsStream ? stream.end - replica.position : 0
        if limitStream(of: connection, replica, unsent) { return }
        guard replica.stage == .online, !replica.holdsStreamBack, connection.reply.isEmpty,
            !connection.watchesWritable
        else { return }
        while true {
            let bytes = stream.view(from: replica.position)
            if bytes.isEmpty { return }
            statistics.writes &+= 1
            switch connection.transport.send(bytes) {
            case .bytes(let count):
                replica.position += count
                connection.outputBytes &+= count
                statistics.outputBytes &+= count
                statistics.replicationOutputBytes &+= count
            case .wouldBlock: return waitForRoom(connection)
            case .closed, .failed: return closeSoon(connection)
            }
        }
    }

    /// Cuts off a replica for which too much of the stream is kept.
    private func limitStream(
        of connection: Connection, _ replica: Replica, _ unsent: Int
    ) -> Bool {
        guard !connection.gate.contains(.closing) else { return true }
        guard exceeds(replicaOutputLimit, unsent, since: &replica.softLimitSince) else {
            return false
        }
        overflow(connection)
        return true
    }

    /// A replica has room for more.
    func serveReplica(_ connection: Connection) {
        guard let replica = connection.replica, connection.transport.isOpen,
            connection.reply.isEmpty
        else { return }
        switch replica.stage {
        case .sending: sendFile(to: connection)
        case .saving: passPieceOn(to: connection)
        case .online: feed(connection)
        default: break
        }
    }

    // MARK: - Going

    /// A connection is closed that may be a replica's.
    func forgetReplica(_ connection: Connection) {
        guard let replica = connection.replica else { return }
        let name = name(of: connection)
        connection.replica = nil
        if replica.file >= 0 { FileDescriptor.close(replica.file) }
        guard replica.isListed else { return }
        replication.replicas.removeAll { $0 === connection }
        log.notice("Connection with replica \(name) lost.")
        leaveTransfer(connection)
        endUselessSave()
        if replication.replicas.isEmpty { replication.idleSince = clock.monotonicMilliseconds }
        countGoodReplicas()
        trimHistory()
    }

    /// Ends a child that saves for replicas alone when none of them is there any more.
    private func endUselessSave() {
        guard let child = child(at: .snapshot), child.isForReplicas, child.isToFile,
            settings.savePoints.isEmpty, !replication.replicas.contains(where: waitsForFile)
        else { return }
        log.notice("Killing the child that saves for replicas: none of them waits for it any more.")
        stopSnapshotChild()
    }

    func dropReplicas(_ reason: String) {
        for connection in replication.replicas { close(connection, reason) }
    }

    // MARK: - Every second

    /// Signs of life to replicas; an end to those that give none.
    func watchReplicas() {
        guard !replication.replicas.isEmpty else { return }
        let isPingDue =
            replication.cronTurns % max(1, settings.replicaPingPeriodSeconds) == 0
        let isHandingOver = replication.failover != nil && gate.contains(.paused)
        if isPingDue && !replication.isReplica && !isHandingOver {
            tellReplicas("*1\r\n$4\r\nPING\r\n")
        }
        let limit = Int64(settings.replicationTimeoutSeconds) * 1000
        for connection in replication.replicas {
            guard let replica = connection.replica else { continue }
            switch replica.stage {
            case .waiting, .saving: sendNewline(connection, replica)
            case .online where !replica.isSilent:
                guard clock.monotonicMilliseconds - replica.acknowledgedAt > limit else { continue }
                log.warning(
                    "Disconnecting timedout replica (streaming sync): \(name(of: connection))")
                close(connection, "timed out")
            default: break
            }
        }
        dropStalledReceivers(limit)
        beginWantedSync()
        countGoodReplicas()
    }

    /// An empty line, which means nothing but that this side lives.
    private func sendNewline(_ connection: Connection, _ replica: Replica) {
        // In the middle of a snapshot it would be part of that.
        if replica.stage == .saving && replication.transfer != nil { return }
        guard connection.reply.isEmpty, connection.transport.isOpen else { return }
        _ = connection.transport.send(ByteView("\n"))
    }
}
