/// The sections of INFO that print what `Statistics` counts.
extension Server {
    func writeStatistics(to info: inout InfoText) {
        info.section("Stats")
        info.field("total_connections_received", statistics.connectionsReceived)
        info.field("total_commands_processed", statistics.commandsTotal)
        info.field("instantaneous_ops_per_sec", Int(sampling.operations.mean))
        writeTraffic(to: &info)
        info.field("rejected_connections", statistics.connectionsRejected)
        info.field("sync_full", replication.counters.fullSyncs)
        info.field("sync_partial_ok", replication.counters.partialSyncs)
        info.field("sync_partial_err", replication.counters.refusedPartialSyncs)
        writeExpiry(to: &info)
        info.field("keyspace_hits", keyspace.counters.hits)
        info.field("keyspace_misses", keyspace.counters.misses)
        info.field("pubsub_channels", subscriptions.channels.count)
        info.field("pubsub_patterns", subscriptions.patterns.count)
        info.field("pubsubshard_channels", subscriptions.shards.count)
        info.field("latest_fork_usec", children.lastForkMicroseconds)
        info.field("total_forks", children.forks)
        info.field("migrate_cached_sockets", migration.count)
        info.field("slave_expires_tracked_keys", replication.ownKeys.count)
        info.field("active_defrag_hits", 0)
        info.field("active_defrag_misses", 0)
        info.field("active_defrag_key_hits", 0)
        info.field("active_defrag_key_misses", 0)
        info.field("total_active_defrag_time", 0)
        info.field("current_active_defrag_time", 0)
        info.field("tracking_total_keys", tracking.keyCount)
        info.field("tracking_total_items", tracking.itemCount)
        info.field("tracking_total_prefixes", tracking.prefixCount)
        info.field("unexpected_error_replies", replication.counters.unexpectedErrors)
        info.field("total_error_replies", statistics.errorReplies)
        info.field("dump_payload_sanitizations", 0)
        writeLoop(to: &info)
        info.field("acl_access_denied_auth", statistics.authenticationFailures)
        info.field("acl_access_denied_cmd", statistics.commandDenials)
        info.field("acl_access_denied_key", statistics.keyDenials)
        info.field("acl_access_denied_channel", statistics.channelDenials)
    }

    private func writeTraffic(to info: inout InfoText) {
        info.field("total_net_input_bytes", statistics.inputBytes)
        info.field("total_net_output_bytes", statistics.outputBytes)
        info.field("total_net_repl_input_bytes", statistics.replicationInputBytes)
        info.field("total_net_repl_output_bytes", statistics.replicationOutputBytes)
        info.field("instantaneous_input_kbps", ratio: sampling.input.mean / 1024)
        info.field("instantaneous_output_kbps", ratio: sampling.output.mean / 1024)
        info.field("instantaneous_input_repl_kbps", ratio: 0)
        info.field("instantaneous_output_repl_kbps", ratio: 0)
    }

    private func writeExpiry(to info: inout InfoText) {
        info.field("expired_subkeys", keyspace.counters.expiredFields)
        info.field("expired_keys", keyspace.counters.expired)
        info.field("expired_stale_perc", ratio: 0)
        info.field("expired_time_cap_reached_count", keyspace.counters.expiredTimeCapReached)
        info.field("expire_cycle_cpu_milliseconds", statistics.expireCycleMicroseconds / 1000)
        info.field("evicted_keys", keyspace.counters.evicted)
        info.field("evicted_clients", statistics.clientsEvicted)
        info.field("evicted_scripts", 0)
        info.field("total_eviction_exceeded_time", eviction.exceeded.total)
        info.field("current_eviction_exceeded_time", eviction.exceeded.current)
    }

    private func writeLoop(to info: inout InfoText) {
        info.field("total_reads_processed", statistics.reads)
        info.field("total_writes_processed", statistics.writes)
        info.field("io_threaded_reads_processed", 0)
        info.field("io_threaded_writes_processed", 0)
        info.field("client_query_buffer_limit_disconnections", statistics.queryBufferDisconnections)
        info.field(
            "client_output_buffer_limit_disconnections", statistics.outputBufferDisconnections)
        info.field("reply_buffer_shrinks", statistics.replyBufferShrinks)
        info.field("reply_buffer_expands", statistics.replyBufferExpands)
        info.field("eventloop_cycles", statistics.loopCycles)
        info.field("eventloop_duration_sum", statistics.loopMicroseconds)
        info.field("eventloop_duration_cmd_sum", statistics.commandMicroseconds)
        info.field("instantaneous_eventloop_cycles_per_sec", Int(sampling.cycles.mean))
        info.field("instantaneous_eventloop_duration_usec", Int(sampling.cycleDuration.mean))
    }

    func writeDebug(to info: inout InfoText) {
        info.section("Debug")
        info.field("eventloop_duration_aof_sum", 0)
        info.field("eventloop_duration_cron_sum", statistics.cronMicroseconds)
        info.field("eventloop_duration_max", statistics.longestLoopMicroseconds)
        info.field("eventloop_cmd_per_cycle_max", statistics.mostCommandsInLoop)
        info.field("allocator_allocated_lua", 0)
        info.field("allocator_active_lua", 0)
        info.field("allocator_resident_lua", 0)
        info.field("allocator_frag_bytes_lua", 0)
    }

    // MARK: - By command and by error

    func writeCommands(to info: inout InfoText) {
        info.section("Commandstats")
        for row in commands.rows {
            let counted = statistics[Int(row.number)]
            guard counted.calls > 0 || counted.failed > 0 || counted.rejected > 0 else { continue }
            let microseconds = statistics.microseconds(counted.ticks)
            let each = counted.calls > 0 ? Double(microseconds) / Double(counted.calls) : 0
            info.field(
                "cmdstat_\(Self.safeName(row.fullName))",
                "calls=\(counted.calls),usec=\(microseconds),"
                    + "usec_per_call=\(each.text(places: 2)),"
                    + "rejected_calls=\(counted.rejected),failed_calls=\(counted.failed)")
        }
    }

    func writeErrors(to info: inout InfoText) {
        info.section("Errorstats")
        for error in statistics.errors.sorted(by: { $0.code < $1.code }) {
            info.field("errorstat_\(Self.safeName(error.code))", "count=\(error.count)")
        }
    }

    func writeLatencies(to info: inout InfoText) {
        info.section("Latencystats")
        guard settings.latencyTracking else { return }
        for row in commands.rows {
            let histogram = statistics.histogram(Int(row.number))
            guard histogram.count > 0 else { continue }
            let values = settings.latencyPercentiles.map { percent in
                let microseconds = Double(histogram.percentile(percent)) / 1000
                return "p\(percent.shortText)=\(microseconds.text(places: 3))"
            }
            info.field(
                "latency_percentiles_usec_\(Self.safeName(row.fullName))",
                values.joined(separator: ","))
        }
    }

    /// A name without the characters that would break a line of INFO.
    private static func safeName(_ name: String) -> String {
        let bytes = name.utf8.map { byte in
            "#:\n\r".utf8.contains(byte) ? UInt8(ascii: "_") : byte
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
