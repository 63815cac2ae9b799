/// What INFO and ROLE tell of replication.
extension Server {
    func writeReplication(to info: inout InfoText) {
        info.section("Replication")
        info.field("role", replication.isReplica ? "slave" : "master")
        if let link = replication.link { write(link, to: &info) }
        info.field("connected_slaves", replication.replicas.count)
        if settings.minReplicasToWrite > 0 && settings.minReplicasMaxLagSeconds > 0 {
            info.field("min_slaves_good_slaves", replication.goodReplicas)
        }
        for (index, connection) in replication.replicas.enumerated() {
            guard let replica = connection.replica else { continue }
            info.field(
                "slave\(index)",
                "ip=\(replica.address ?? connection.peerAddress),port=\(replica.port),"
                    + "state=\(replica.stateName),offset=\(replica.acknowledged),"
                    + "lag=\(lagSeconds(of: replica))")
        }
        info.field("master_failover_state", failoverState)
        info.field("master_replid", replication.id)
        info.field("master_replid2", replication.previousID)
        info.field("master_repl_offset", historyEnd)
        info.field("second_repl_offset", replication.previousEnd)
        let stream = replication.stream
        info.field("repl_backlog_active", stream != nil)
        info.field("repl_backlog_size", settings.replicationBacklogBytes)
        info.field("repl_backlog_first_byte_offset", stream.map { $0.start + 1 } ?? 0)
        info.field("repl_backlog_histlen", stream?.count ?? 0)
    }

    private var failoverState: String {
        switch replication.failover?.stage {
        case nil: "no-failover"
        case .waitingForSync: "waiting-for-sync"
        case .inProgress: "failover-in-progress"
        }
    }

    private func lagSeconds(of replica: Replica) -> Int64 {
        replica.stage == .online
            ? (clock.monotonicMilliseconds - replica.acknowledgedAt) / 1000 : 0
    }

    private func write(_ link: PrimaryLink, to info: inout InfoText) {
        let isUp = link.state == .connected
        let isSyncing = link.state == .transfer || link.state == .loading
        let idle = Int(clock.monotonicMilliseconds - link.lastInput) / 1000
        info.field("master_host", link.primary.host)
        info.field("master_port", link.primary.port)
        info.field("master_link_status", isUp ? "up" : "down")
        info.field("master_last_io_seconds_ago", isUp ? idle : -1)
        info.field("master_sync_in_progress", isSyncing)
        info.field(
            "slave_read_repl_offset", replication.offset + (link.input.count - link.executed))
        info.field("slave_repl_offset", replication.offset)
        info.field("replicas_repl_buffer_size", 0)
        info.field("replicas_repl_buffer_peak", 0)
        if isSyncing { writeProgress(of: link, idle, to: &info) }
        if !isUp {
            info.field(
                "master_link_down_since_seconds",
                link.downSince == 0
                    ? -1 : Int(clock.monotonicMilliseconds - link.downSince) / 1000)
        }
        info.field("slave_priority", settings.replicaPriority)
        info.field("slave_read_only", settings.replicaReadOnly)
        info.field("replica_announced", settings.replicaAnnounced)
    }

    private func writeProgress(of link: PrimaryLink, _ idle: Int, to info: inout InfoText) {
        let total = link.snapshot?.bytes ?? 0
        let read = link.snapshot?.receivedBytes ?? 0
        info.field("master_sync_total_bytes", total)
        info.field("master_sync_read_bytes", read)
        info.field("master_sync_left_bytes", total - read)
        info.field(
            "master_sync_perc", ratio: total == 0 ? 0 : Double(read) * 100 / Double(total))
        info.field("master_sync_last_io_seconds_ago", idle)
    }

    // MARK: - Memory

    /// What the history takes beyond the backlog, because replicas lag behind.
    var replicaMemory: Int {
        guard let stream = replication.stream else { return 0 }
        let most = stream.memoryBytes(ofBacklog: settings.replicationBacklogBytes)
        return max(0, stream.memoryBytes - most)
    }

    /// What the backlog takes.
    var backlogMemory: Int { (replication.stream?.memoryBytes ?? 0) - replicaMemory }
}
