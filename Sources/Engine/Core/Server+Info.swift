import Reactor

/// INFO: each section asks its feature for the figures and prints them in Redis's order.
extension Server {
    /// A section of INFO; the order is that of the reply.
    enum InfoSection: String, CaseIterable {
        case server, clients, memory, persistence, stats, replication, cpu, modules
        case commandstats, errorstats, latencystats, cluster, keyspace, debug

        /// Shown without being asked for.
        static let standard: Set<InfoSection> = [
            .server, .clients, .memory, .persistence, .stats, .replication, .cpu, .modules,
            .errorstats, .cluster, .keyspace,
        ]
        /// Shown by `all` and `everything`; who wants `debug` names it.
        static let all = Set(allCases).subtracting([.debug])

        /// What an argument of INFO stands for; nothing for an unknown word.
        static func named(_ word: ByteView) -> Set<InfoSection> {
            switch word.lowercasedText {
            case "default": standard
            case "all", "everything": all
            case "module_list": [.modules]
            case let name: InfoSection(rawValue: name).map { [$0] } ?? []
            }
        }
    }

    /// The text of these sections.
    func info(_ sections: Set<InfoSection>) -> String {
        var info = InfoText()
        for section in InfoSection.allCases where sections.contains(section) {
            write(section, to: &info)
        }
        return info.text
    }

    private func write(_ section: InfoSection, to info: inout InfoText) {
        switch section {
        case .server: writeServer(to: &info)
        case .clients: writeClients(to: &info)
        case .memory: writeMemory(to: &info)
        case .persistence: writePersistence(to: &info)
        case .stats: writeStatistics(to: &info)
        case .replication: writeReplication(to: &info)
        case .cpu: writeProcessorTime(to: &info)
        case .modules: info.section("Modules")
        case .commandstats: writeCommands(to: &info)
        case .errorstats: writeErrors(to: &info)
        case .latencystats: writeLatencies(to: &info)
        case .cluster:
            info.section("Cluster")
            info.field("cluster_enabled", settings.clusterEnabled)
        case .keyspace: writeKeyspace(to: &info)
        case .debug: writeDebug(to: &info)
        }
    }

    // MARK: - Server and clients

    private func writeServer(to info: inout InfoText) {
        let uptime = max(0, clock.wallMilliseconds - lifecycle.startedAt) / 1000
        info.section("Server")
        info.field("redis_version", Version.redis)
        info.field("apus_version", Version.apus)
        info.field("redis_git_sha1", Process.commit.isEmpty ? "00000000" : Process.commit)
        info.field("redis_git_dirty", 0)
        info.field("redis_build_id", "0")
        info.field("redis_mode", settings.clusterEnabled ? "cluster" : "standalone")
        info.field("os", Process.hostKernel)
        info.field("arch_bits", Int.bitWidth)
        info.field("monotonic_clock", "POSIX clock_gettime")
        info.field("multiplexing_api", "epoll")
        info.field("atomicvar_api", "c11-builtin")
        info.field("gcc_version", "0.0.0")
        info.field("process_id", Process.processIdentifier)
        info.field("process_supervised", settings.supervision.rawValue)
        info.field("run_id", lifecycle.runID)
        info.field("tcp_port", network?.port ?? settings.port)
        info.field("server_time_usec", clock.wallMicroseconds)
        info.field("uptime_in_seconds", uptime)
        info.field("uptime_in_days", uptime / 86_400)
        info.field("hz", settings.hz)
        info.field("configured_hz", settings.hz)
        info.field("lru_clock", keyspace.creationStamp)
        info.field("executable", lifecycle.executable)
        info.field("config_file", settings.configFile ?? "")
        info.field("io_threads_active", 0)
        info.field("availability_zone", settings.availabilityZone)
        if let waiting = lifecycle.waitingStop {
            info.field(
                "shutdown_in_milliseconds",
                Int(max(0, waiting.deadline - clock.monotonicMilliseconds)))
        }
        writeListeners(to: &info)
    }

    private func writeListeners(to info: inout InfoText) {
        if let port = network?.port, port != 0 {
            let addresses = settings.bindAddresses.map { ",bind=\($0)" }.joined()
            info.field("listener0", "name=tcp\(addresses),port=\(port)")
        }
        if let path = settings.unixSocketPath { info.field("listener1", "name=unix,bind=\(path)") }
    }

    private func writeClients(to info: inout InfoText) {
        info.section("Clients")
        info.field("connected_clients", connections.count - replication.replicas.count)
        info.field("cluster_connections", 0)
        info.field("maxclients", settings.maxClients)
        info.field("client_recent_max_input_buffer", sampling.buffers.largestInput)
        info.field("client_recent_max_output_buffer", sampling.buffers.largestOutput)
        info.field("blocked_clients", waiting.count)
        info.field("tracking_clients", tracking.clientCount)
        info.field("pubsub_clients", subscriptions.clientCount)
        info.field("watching_clients", transactions.watched.clientCount)
        info.field("clients_in_timeout_table", waiting.timedCount)
        info.field("total_watched_keys", transactions.watched.keyCount)
        info.field("total_blocking_keys", waiting.keyCount)
        info.field("total_blocking_keys_on_nokey", waiting.keysMissedWhenLost)
    }

    // MARK: - Memory

    private func writeMemory(to info: inout InfoText) {
        let memory = memoryReport()
        info.section("Memory")
        info.bytes("used_memory", memory.used)
        info.bytes("used_memory_rss", memory.resident)
        info.bytes("used_memory_peak", memory.peak)
        info.field("used_memory_peak_perc", percent: memory.peakPercent)
        info.field("used_memory_overhead", memory.overhead)
        info.field("used_memory_startup", memory.startup)
        info.field("used_memory_dataset", memory.dataset)
        info.field("used_memory_dataset_perc", percent: memory.datasetPercent)
        info.field("allocator_allocated", memory.allocated)
        info.field("allocator_active", memory.active)
        info.field("allocator_resident", memory.reserved)
        info.field("allocator_muzzy", 0)
        info.bytes("total_system_memory", Process.totalSystemMemory())
        writeScriptMemory(to: &info)
        info.bytes("maxmemory", Int(clamping: settings.maxMemoryBytes))
        info.field("maxmemory_policy", settings.maxMemoryPolicy.rawValue)
        write(memory.fragmentation, "allocator_frag", to: &info)
        write(memory.reserve, "allocator_rss", to: &info)
        write(memory.processOverhead, "rss_overhead", to: &info)
        write(memory.total, "mem_fragmentation", to: &info)
        info.field("mem_not_counted_for_evict", uncountedMemory)
        info.field("mem_replication_backlog", backlogMemory)
        info.field("mem_total_replication_buffers", replication.stream?.memoryBytes ?? 0)
        info.field("mem_clients_slaves", replicaMemory)
        info.field("mem_clients_normal", memory.clients)
        info.field("mem_cluster_links", 0)
        info.field("mem_aof_buffer", appendOnly.log.pendingBytes)
        info.field("mem_allocator", "apus-arena")
        info.field("mem_overhead_db_hashtable_rehashing", 0)
        info.field("active_defrag_running", 0)
        info.field("lazyfree_pending_objects", keyspace.buriedEntries)
        info.field("lazyfreed_objects", keyspace.freedEntries)
    }

    private func write(_ ratio: MemoryReport.Ratio, _ name: String, to info: inout InfoText) {
        info.field(name + "_ratio", ratio: ratio.factor)
        info.field(name + "_bytes", ratio.bytes)
    }

    private func writeScriptMemory(to info: inout InfoText) {
        info.field("used_memory_lua", 0)
        info.field("used_memory_vm_eval", 0)
        info.field("used_memory_lua_human", InfoText.readable(bytes: 0))
        info.field("used_memory_scripts_eval", 0)
        info.field("number_of_cached_scripts", 0)
        info.field("number_of_functions", 0)
        info.field("number_of_libraries", 0)
        info.field("used_memory_vm_functions", 0)
        info.bytes("used_memory_vm_total", 0)
        info.field("used_memory_functions", 0)
        info.bytes("used_memory_scripts", 0)
    }

    // MARK: - Persistence and replication

    private func writePersistence(to info: inout InfoText) {
        readChildReports()
        let child = children.running
        let saving = self.child(at: .snapshot)
        info.section("Persistence")
        info.field("loading", gate.contains(.loading))
        info.field("async_loading", gate.contains(.loadingBeside))
        info.field("current_cow_peak", child?.mostCopiedBytes ?? 0)
        info.field("current_cow_size", child?.report.copiedBytes ?? 0)
        info.field("current_cow_size_age", child.map(reportAgeSeconds) ?? 0)
        info.field("current_fork_perc", ratio: child.map(percentSaved) ?? 0)
        info.field("current_save_keys_processed", child?.report.keys ?? 0)
        info.field("current_save_keys_total", child?.keys ?? 0)
        info.field("rdb_changes_since_last_save", unsavedChanges)
        info.field("rdb_bgsave_in_progress", saving != nil)
        info.field("rdb_last_save_time", lifecycle.lastSave)
        info.field("rdb_last_bgsave_status", snapshots.lastSucceeded ? "ok" : "err")
        info.field("rdb_last_bgsave_time_sec", Int(snapshots.lastSeconds))
        info.field("rdb_current_bgsave_time_sec", saving.map(ageSeconds) ?? -1)
        info.field("rdb_saves", snapshots.saves)
        info.field("rdb_last_cow_size", snapshots.lastCopiedBytes)
        info.field("rdb_last_load_keys_expired", snapshots.expiredKeys)
        info.field("rdb_last_load_keys_loaded", snapshots.loadedKeys)
        writeAppendOnly(to: &info)
        info.field("module_fork_in_progress", 0)
        info.field("module_fork_last_cow_size", 0)
        writeAppendOnlySizes(to: &info)
        if let progress = snapshots.loading { writeLoading(progress, to: &info) }
    }

    /// Told only while something is being loaded.
    private func writeLoading(_ progress: LoadProgress, to info: inout InfoText) {
        let now = clock.wallMilliseconds / 1000
        info.field("loading_start_time", progress.startedSeconds)
        info.field("loading_total_bytes", progress.totalBytes)
        info.field("loading_rdb_used_mem", progress.usedMemoryBytes)
        info.field("loading_loaded_bytes", progress.loadedBytes)
        info.field("loading_loaded_perc", ratio: progress.percent)
        info.field("loading_eta_seconds", progress.remainingSeconds(now: now))
    }

    private func ageSeconds(_ child: ForkedChild) -> Int {
        Int(clock.monotonicMilliseconds - child.startedMilliseconds) / 1000
    }

    private func reportAgeSeconds(_ child: ForkedChild) -> Int {
        guard child.reportedMilliseconds > 0 else { return 0 }
        return Int(clock.monotonicMilliseconds - child.reportedMilliseconds) / 1000
    }

    private func percentSaved(_ child: ForkedChild) -> Double {
        child.keys == 0 ? 0 : Double(child.report.keys) * 100 / Double(child.keys)
    }

    // MARK: - Processor time and databases

    private func writeProcessorTime(to info: inout InfoText) {
        let process = Process.cpuUsage(.process)
        let children = Process.cpuUsage(.children)
        let thread = Process.cpuUsage(.thread)
        info.section("CPU")
        for (name, microseconds) in [
            ("used_cpu_sys", process.system), ("used_cpu_user", process.user),
            ("used_cpu_sys_children", children.system),
            ("used_cpu_user_children", children.user),
            ("used_cpu_sys_main_thread", thread.system),
            ("used_cpu_user_main_thread", thread.user),
        ] {
            info.field(name, (Double(microseconds) / 1_000_000).text(places: 6))
        }
    }

    private func writeKeyspace(to info: inout InfoText) {
        info.section("Keyspace")
        for index in 0..<keyspace.databaseCount where keyspace[index].count > 0 {
            let database = keyspace[index]
            info.field(
                "db\(index)",
                "keys=\(database.count),expires=\(database.expiringCount),"
                    + "avg_ttl=\(database.averageTimeToLive),"
                    + "subexpiry=\(database.expiringHashCount)")
        }
    }
}
