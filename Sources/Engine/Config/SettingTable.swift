import Glibc

/// One directive: what it is called, how its value is read and written, when it may change and
/// what must be done after it did.
struct Setting: Sendable {
    /// The canonical name, which CONFIG REWRITE writes.
    let name: String
    let aliases: [String]
    let kind: SettingKind
    let flags: SettingFlags
    let effect: SettingEffect

    init(
        _ name: String, aliases: [String] = [], _ kind: SettingKind, _ flags: SettingFlags = [],
        effect: SettingEffect = .none
    ) {
        self.name = name
        self.aliases = aliases
        self.kind = kind
        self.flags = flags
        self.effect = effect
    }
}

struct SettingFlags: OptionSet, Sendable {
    let rawValue: Int
    /// The file and the command line only.
    static let immutable = SettingFlags(rawValue: 1 << 0)
    /// CONFIG SET only where `enable-protected-configs` allows.
    static let protected = SettingFlags(rawValue: 1 << 1)
    /// Kept out of the slow log and of MONITOR.
    static let sensitive = SettingFlags(rawValue: 1 << 2)
    /// Several arguments in the file; CONFIG SET splits its value at spaces.
    static let multiArgument = SettingFlags(rawValue: 1 << 3)
    /// CONFIG GET finds it by its whole name only.
    static let hidden = SettingFlags(rawValue: 1 << 4)
    static let denyLoading = SettingFlags(rawValue: 1 << 5)
    /// DEBUG may change how it works: left out of the sanity checks of the peers' suites.
    static let debug = SettingFlags(rawValue: 1 << 6)
    /// Has its effect even when set to what it is: the file it names may have changed.
    static let volatile = SettingFlags(rawValue: 1 << 7)
    /// CONFIG GET finds its aliases by their whole name only.
    static let hiddenAliases = SettingFlags(rawValue: 1 << 8)
    /// Has nothing to do here, or what it asks for is always so: a peer's threads, its allocator.
    static let moot = SettingFlags(rawValue: 1 << 9)
    /// Not obeyed yet; whoever sets it is warned.
    static let unobeyed = SettingFlags(rawValue: 1 << 10)
}

/// What Core does after a directive changed; it may fail, and then the old settings return.
enum SettingEffect: Sendable, Hashable {
    /// Whoever obeys the setting reads it anew each time, or takes it over with all others.
    case none
    case listeners, maxClients, maxMemory
    case directory, processTitle, oomScore, locale
    case crashHandlers, watchdog
    case appendOnly, replicationBacklog
    case password, tls
}

/// A refused CONFIG SET, whose `message` is the reply behind `-`.
enum ConfigError: Error, Equatable {
    case unknownOption(String)
    /// A value or a change was refused; `reason` is empty when none is known.
    case failed(name: String, reason: String)
    /// Not while the data set is being loaded.
    case loading

    var message: String {
        switch self {
        case .unknownOption(let name):
            return "ERR Unknown option or number of arguments for CONFIG SET - '\(name)'"
        case .failed(let name, let reason):
            let argument = "ERR CONFIG SET failed (possibly related to argument '\(name)')"
            return reason.isEmpty ? argument : "\(argument) - \(reason)"
        case .loading:
            return "LOADING Redis is loading the dataset in memory"
        }
    }
}

/// What CONFIG SET changed.
struct SettingChange: Sendable {
    /// One entry an effect, in the order of the arguments, with the directive to blame when
    /// applying it fails: `ConfigError.failed(name:reason:)`.
    let effects: [(effect: SettingEffect, name: String)]
    /// The settings before, for when applying fails.
    let previous: Settings
}

/// All directives, their names and the verbs of CONFIG.
enum SettingTable {
    // MARK: - GET

    /// The directives a CONFIG GET names, each once: `(name, value)` in the table's order for
    /// patterns, under the client's own spelling for whole names.
    static func get(
        matching patterns: [String], in settings: Settings
    ) -> [(name: String, value: [UInt8])] {
        var found: [(name: String, value: [UInt8])] = []
        var seen: Set<String> = []
        for pattern in patterns {
            pattern.withByteView { view in
                let glob = GlobPattern(view, ignoringCase: true)
                if glob.isLiteral {
                    guard let row = row(named: pattern),
                        seen.insert(SettingText.lowercased(pattern.utf8)).inserted
                    else {
                        return
                    }
                    found.append((pattern, row.kind.format(settings)))
                    return
                }
                for (name, row) in names where isListed(name, row) {
                    guard !seen.contains(name), name.withByteView({ glob.matches($0) }) else {
                        continue
                    }
                    seen.insert(name)
                    found.append((name, row.kind.format(settings)))
                }
            }
        }
        return found
    }

    private static func isListed(_ name: String, _ row: Setting) -> Bool {
        !row.flags.contains(.hidden)
            && (name == row.name || !row.flags.contains(.hiddenAliases))
    }

    /// The value of one directive, as CONFIG GET prints it; `nil` if there is none of that name.
    static func value(of name: String, in settings: Settings) -> [UInt8]? {
        row(named: name)?.kind.format(settings)
    }

    /// The directives that were changed and are not obeyed yet.
    static func unobeyed(in settings: Settings) -> [String] {
        let standard = Settings()
        return rows.filter {
            $0.flags.contains(.unobeyed) && $0.kind.format(settings) != $0.kind.format(standard)
        }.map(\.name)
    }

    // MARK: - SET

    /// Sets all pairs or none.
    ///
    /// The caller then applies the effects and, if that fails, takes
    /// `previous` back and applies the same effects again.
    ///
    /// - Parameters:
    ///   - isLocal: whether the client connects from this machine, for protected directives.
    ///   - isLoading: whether the data set is being loaded.
    static func set(
        _ pairs: [(name: String, value: [UInt8])], in settings: inout Settings,
        isLocal: Bool = false, isLoading: Bool = false
    ) throws(ConfigError) -> SettingChange {
        let rows = try rows(of: pairs, settings, isLocal: isLocal, isLoading: isLoading)
        var changed = settings
        for (row, pair) in zip(rows, pairs) {
            do throws(SettingProblem) {
                let arguments =
                    row.flags.contains(.multiArgument)
                    ? ConfigFile.splitAtSpaces(pair.value) : [pair.value]
                try row.kind.parse(arguments, into: &changed, from: .command)
            } catch {
                throw .failed(name: matchedName(pair.name, row), reason: error.reason)
            }
        }
        changed.normalize(changedFrom: settings)

        var effects: [(effect: SettingEffect, name: String)] = []
        for (row, pair) in zip(rows, pairs) where row.effect != .none {
            guard
                row.flags.contains(.volatile)
                    || row.kind.format(changed) != row.kind.format(settings)
            else { continue }
            if !effects.contains(where: { $0.effect == row.effect }) {
                effects.append((row.effect, matchedName(pair.name, row)))
            }
        }
        let previous = settings
        settings = changed
        return SettingChange(effects: effects, previous: previous)
    }

    /// Whether the value of this directive must not be shown: CONFIG SET hides it from logs even
    /// when it fails.
    static func isSensitive(_ name: String) -> Bool {
        row(named: name)?.flags.contains(.sensitive) ?? false
    }

    /// The rows of the pairs, if all may be set.
    ///
    /// An unknown name is told before anything else,
    /// unless something was wrong earlier on the line.
    private static func rows(
        of pairs: [(name: String, value: [UInt8])], _ settings: Settings,
        isLocal: Bool, isLoading: Bool
    ) throws(ConfigError) -> [Setting] {
        var rows: [Setting] = []
        var names: Set<String> = []
        for pair in pairs {
            guard let row = row(named: pair.name) else { throw .unknownOption(pair.name) }
            if row.flags.contains(.immutable) {
                throw .failed(name: pair.name, reason: "can't set immutable config")
            }
            if row.flags.contains(.protected) && !allowsProtected(settings, isLocal: isLocal) {
                throw .failed(name: pair.name, reason: "can't set protected config")
            }
            if isLoading && row.flags.contains(.denyLoading) { throw .loading }
            // Also under two names.
            guard names.insert(row.name).inserted else {
                throw .failed(name: pair.name, reason: "duplicate parameter")
            }
            rows.append(row)
        }
        return rows
    }

    private static func allowsProtected(_ settings: Settings, isLocal: Bool) -> Bool {
        switch settings.protectedConfigAccess {
        case .no: return false
        case .yes: return true
        case .local: return isLocal
        }
    }

    // MARK: - Names

    /// The row of a name or an alias, whatever its case.
    static func row(named name: String) -> Setting? {
        guard let index = indices[SettingText.lowercased(name.utf8)] else { return nil }
        return names[index].row
    }

    /// The name or alias that `spelling` stands for.
    private static func matchedName(_ spelling: String, _ row: Setting) -> String {
        let folded = SettingText.lowercased(spelling.utf8)
        return row.aliases.contains(folded) ? folded : row.name
    }

    /// Every name and alias with its row, in the table's order, an alias behind its name.
    private static let names: [(name: String, row: Setting)] = rows.flatMap { row in
        ([row.name] + row.aliases).map { ($0, row) }
    }

    private static let indices: [String: Int] = Dictionary(
        uniqueKeysWithValues: names.enumerated().map { ($0.element.name, $0.offset) })

    // MARK: - Rows

    static let rows: [Setting] = {
        var rows = networkRows + processRows
        rows += loggingRows + memoryRows
        rows += encodingsRows + snapshotsRows
        rows += appendOnlyRows + replicationRows
        rows += accessRows + observationRows
        rows += clusterRows + tlsRows
        return rows
    }()

    private static let networkRows: [Setting] = [
        Setting("bind", .special(.bindAddresses), [.multiArgument], effect: .listeners),
        Setting("port", .integer(\.port, .port), effect: .listeners),
        Setting("tcp-backlog", .integer(\.tcpBacklog, .natural32), [.immutable]),
        Setting("tcp-keepalive", .integer(\.tcpKeepAliveSeconds, .natural32)),
        Setting("timeout", .integer(\.timeoutSeconds, .natural32)),
        Setting("unixsocket", .optionalText(\.unixSocketPath), [.immutable]),
        Setting("unixsocketperm", .octal(\.unixSocketPermissions, 0...0o777), [.immutable]),
        Setting("unixsocketgroup", .optionalText(\.unixSocketGroup), [.immutable, .hidden]),
        Setting("bind-source-addr", .optionalText(\.bindSourceAddress)),
        Setting("protected-mode", .flag(\.isProtectedMode)),
        Setting("maxclients", .integer(\.maxClients, 1...Int(UInt32.max)), effect: .maxClients),
        Setting("max-new-connections-per-cycle", .integer(\.maxNewConnectionsPerCycle, 1...1000)),
        Setting(
            "max-new-tls-connections-per-cycle",
            .integer(\.maxNewTLSConnectionsPerCycle, 1...1000), [.moot]),
        Setting(
            "socket-mark-id", .integer(\.socketMarkID, 0...Int(UInt32.max)),
            [.immutable, .unobeyed]),
        Setting(
            "client-default-resp",
            .integer(\.defaultProtocolVersion, 2...3), [.immutable, .hidden]),
        Setting(
            "client-output-buffer-limit",
            .special(.clientOutputLimits), [.multiArgument]),
        Setting(
            "client-query-buffer-limit",
            .memory(\.clientQueryBufferBytes, 1_048_576...Int.max), [.debug]),
        Setting("proto-max-bulk-len", .memory(\.maxBulkBytes, 1_048_576...Int.max), [.debug]),
        Setting("io-threads", .integer(\.ioThreads, 1...128), [.debug, .immutable, .moot]),
        Setting("io-threads-do-reads", .flag(\.ioThreadsDoReads), [.debug, .immutable, .moot]),
        Setting("events-per-io-thread", .integer(\.eventsPerIOThread, .natural32), [.moot]),
        Setting("prefetch-batch-max-size", .integer(\.prefetchBatchSize, 0...128), [.moot]),
        Setting("extended-redis-compatibility", .flag(\.extendedRedisCompatibility), [.moot]),
        Setting("availability-zone", .text(\.availabilityZone)),
    ]

    private static let processRows: [Setting] = [
        Setting("daemonize", .flag(\.daemonizes), [.immutable]),
        Setting("pidfile", .optionalText(\.pidFile), [.immutable]),
        Setting("supervised", .choice(\.supervision), [.immutable]),
        Setting("dir", .special(.directory), [.protected, .denyLoading], effect: .directory),
        Setting("databases", .integer(\.databaseCount, .positive32), [.immutable]),
        Setting("hz", .integer(\.hz, .natural32)),
        Setting("dynamic-hz", .flag(\.hasDynamicHz), [.moot]),
        Setting("shutdown-timeout", .integer(\.shutdownTimeoutSeconds, .natural32)),
        Setting(
            "shutdown-on-sigint",
            .special(.shutdownOptions(\.shutdownOnInterrupt)), [.multiArgument]),
        Setting(
            "shutdown-on-sigterm",
            .special(.shutdownOptions(\.shutdownOnTerminate)), [.multiArgument]),
        Setting("set-proc-title", .flag(\.setsProcessTitle), [.immutable], effect: .processTitle),
        Setting(
            "proc-title-template",
            .text(\.processTitleTemplate, .processTitle), effect: .processTitle),
        Setting("always-show-logo", .flag(\.alwaysShowsLogo), [.immutable]),
        Setting("oom-score-adj", .choice(\.oomScoreAdjust), effect: .oomScore),
        Setting(
            "oom-score-adj-values",
            .special(.oomScoreValues), [.multiArgument], effect: .oomScore),
        Setting("disable-thp", .flag(\.disablesTransparentHugePages), [.immutable]),
        Setting("jemalloc-bg-thread", .flag(\.jemallocBackgroundThread), [.moot]),
        Setting(
            "server_cpulist", aliases: ["server-cpulist"],
            .optionalText(\.serverCPUs), [.immutable, .hiddenAliases, .unobeyed]),
        Setting(
            "bio_cpulist", aliases: ["bio-cpulist"],
            .optionalText(\.backgroundCPUs), [.immutable, .hiddenAliases, .unobeyed]),
        Setting(
            "aof_rewrite_cpulist", aliases: ["aof-rewrite-cpulist"],
            .optionalText(\.aofRewriteCPUs), [.immutable, .hiddenAliases, .unobeyed]),
        Setting(
            "bgsave_cpulist", aliases: ["bgsave-cpulist"],
            .optionalText(\.backgroundSaveCPUs), [.immutable, .hiddenAliases, .unobeyed]),
        Setting("ignore-warnings", .text(\.ignoredWarnings), [.moot]),
        Setting("locale-collate", .text(\.localeCollate), effect: .locale),
        Setting("enable-protected-configs", .choice(\.protectedConfigAccess), [.immutable]),
        Setting("enable-debug-command", .choice(\.debugCommandAccess), [.immutable]),
        Setting("enable-module-command", .choice(\.moduleCommandAccess), [.immutable]),
    ]

    private static let loggingRows: [Setting] = [
        Setting("loglevel", .choice(\.logLevel)),
        Setting("logfile", .text(\.logFile), [.immutable]),
        Setting("log-format", .choice(\.logFormat)),
        Setting("log-timestamp-format", .choice(\.logTimestampFormat)),
        Setting("hide-user-data-from-log", .flag(\.hidesUserDataFromLog)),
        Setting("syslog-enabled", .flag(\.syslogEnabled), [.immutable]),
        Setting("syslog-ident", .text(\.syslogIdentity), [.immutable]),
        Setting("syslog-facility", .choice(\.syslogFacility), [.immutable]),
        Setting("crash-log-enabled", .flag(\.crashLogEnabled), effect: .crashHandlers),
        Setting("crash-memcheck-enabled", .flag(\.crashMemoryCheckEnabled), [.moot]),
        Setting("use-exit-on-panic", .flag(\.exitsOnPanic), [.hidden]),
        Setting(
            "watchdog-period",
            .integer(\.watchdogMilliseconds, .natural32), [.hidden], effect: .watchdog),
        Setting("enable-debug-assert", .flag(\.debugAssertEnabled), [.immutable, .hidden, .moot]),
        Setting("debug-context", .text(\.debugContext), [.debug, .hidden, .moot]),
        Setting(
            "req-res-logfile", .optionalText(\.requestResponseLogFile),
            [.immutable, .hidden, .moot]),
    ]

    private static let memoryRows: [Setting] = [
        Setting("maxmemory", .wideMemory(\.maxMemoryBytes), effect: .maxMemory),
        Setting("maxmemory-policy", .choice(\.maxMemoryPolicy), effect: .maxMemory),
        Setting("maxmemory-samples", .integer(\.maxMemorySamples, .positive32)),
        Setting("maxmemory-eviction-tenacity", .integer(\.evictionTenacity, 0...100)),
        Setting(
            "maxmemory-clients",
            .memoryOrPercent(\.maxMemoryClients)),
        Setting("lfu-log-factor", .integer(\.lfuLogFactor, .natural32)),
        Setting("lfu-decay-time", .integer(\.lfuDecayMinutes, .natural32)),
        Setting("active-expire-effort", .integer(\.activeExpireEffort, 1...10)),
        Setting("activerehashing", .flag(\.activeRehashing), [.moot]),
        Setting("lazyfree-lazy-eviction", .flag(\.lazyEviction), [.debug]),
        Setting("lazyfree-lazy-expire", .flag(\.lazyExpire), [.debug]),
        Setting("lazyfree-lazy-server-del", .flag(\.lazyServerDelete), [.debug, .moot]),
        Setting("lazyfree-lazy-user-del", .flag(\.lazyUserDelete), [.debug, .moot]),
        Setting("lazyfree-lazy-user-flush", .flag(\.lazyUserFlush), [.debug]),
        Setting("activedefrag", .special(.activeDefragmentation), [.debug, .moot]),
        Setting(
            "active-defrag-cycle-max", .integer(\.defragmentationCycleMaxPercent, 1...99), [.moot]),
        Setting(
            "active-defrag-cycle-min", .integer(\.defragmentationCycleMinPercent, 1...99), [.moot]),
        Setting(
            "active-defrag-ignore-bytes", .memory(\.defragmentationIgnoredBytes, .positive), [.moot]
        ),
        Setting(
            "active-defrag-max-scan-fields",
            .integer(\.defragmentationMaxScanFields, .positive), [.moot]),
        Setting(
            "active-defrag-threshold-lower", .integer(\.defragmentationLowerPercent, 0...1000),
            [.moot]),
        Setting(
            "active-defrag-threshold-upper", .integer(\.defragmentationUpperPercent, 0...1000),
            [.moot]),
    ]

    private static let encodingsRows: [Setting] = [
        Setting(
            "hash-max-listpack-entries", aliases: ["hash-max-ziplist-entries"],
            .integer(\.hashMaxListpackEntries, .natural)),
        Setting(
            "hash-max-listpack-value", aliases: ["hash-max-ziplist-value"],
            .memory(\.hashMaxListpackValueBytes, .natural)),
        Setting(
            "list-max-listpack-size", aliases: ["list-max-ziplist-size"],
            .integer(\.listMaxListpackSize, .anyInt32)),
        Setting(
            "list-compress-depth",
            .integer(\.listCompressDepth, .natural32), [.debug]),
        Setting(
            "set-max-intset-entries",
            .integer(\.setMaxIntsetEntries, .natural)),
        Setting(
            "set-max-listpack-entries",
            .integer(\.setMaxListpackEntries, .natural)),
        Setting(
            "set-max-listpack-value",
            .integer(\.setMaxListpackValueBytes, .natural)),
        Setting(
            "zset-max-listpack-entries", aliases: ["zset-max-ziplist-entries"],
            .integer(\.sortedSetMaxListpackEntries, .natural)),
        Setting(
            "zset-max-listpack-value", aliases: ["zset-max-ziplist-value"],
            .memory(\.sortedSetMaxListpackValueBytes, .natural)),
        Setting(
            "hll-sparse-max-bytes",
            .memory(\.hyperLogLogSparseMaxBytes, .natural)),
        Setting(
            "stream-node-max-bytes",
            .memory(\.streamNodeMaxBytes, .natural)),
        Setting(
            "stream-node-max-entries",
            .integer(\.streamNodeMaxEntries, .natural)),
    ]

    private static let snapshotsRows: [Setting] = [
        Setting("save", .special(.savePoints), [.multiArgument]),
        Setting("dbfilename", .text(\.snapshotFileName, .snapshotFileName), [.protected]),
        Setting("rdbcompression", .flag(\.snapshotCompression)),
        Setting("rdbchecksum", .flag(\.snapshotChecksum), [.immutable]),
        Setting("rdb-del-sync-files", .flag(\.deletesSyncFiles)),
        Setting("rdb-save-incremental-fsync", .flag(\.snapshotIncrementalSync)),
        Setting(
            "rdb-key-save-delay",
            .integer(\.snapshotKeyDelayMicroseconds, .anyInt32), [.hidden]),
        Setting("key-load-delay", .integer(\.keyLoadDelayMicroseconds, .anyInt32), [.hidden]),
        Setting(
            "loading-process-events-interval-bytes",
            .integer(\.loadingEventIntervalBytes, 1024...Int(Int32.max)), [.hidden]),
        Setting("sanitize-dump-payload", .choice(\.dumpSanitizing), [.debug, .moot]),
        Setting("rdb-field-ttl-format", .choice(\.fieldDeadlineFormat)),
        Setting("stop-writes-on-bgsave-error", .flag(\.stopsWritesOnSaveError)),
    ]

    private static let appendOnlyRows: [Setting] = [
        Setting("appendonly", .flag(\.appendOnly), [.denyLoading], effect: .appendOnly),
        Setting("appendfsync", .choice(\.appendSync)),
        Setting("appendfilename", .text(\.appendFileName, .appendFileName), [.immutable]),
        Setting("appenddirname", .text(\.appendDirectoryName, .appendDirectoryName), [.immutable]),
        Setting("no-appendfsync-on-rewrite", .flag(\.noAppendSyncOnRewrite)),
        Setting("auto-aof-rewrite-percentage", .integer(\.aofRewritePercent, .natural32)),
        Setting("auto-aof-rewrite-min-size", .memory(\.aofRewriteMinBytes, .natural)),
        Setting("aof-load-truncated", .flag(\.aofLoadsTruncated)),
        Setting("aof-use-rdb-preamble", .flag(\.aofUsesSnapshotPreamble)),
        Setting("aof-timestamp-enabled", .flag(\.aofTimestamps)),
        Setting("aof-rewrite-incremental-fsync", .flag(\.aofRewriteIncrementalSync)),
        Setting("aof-disable-auto-gc", .flag(\.aofKeepsHistory), [.hidden], effect: .appendOnly),
    ]

    private static let replicationRows: [Setting] = [
        Setting(
            "replicaof", aliases: ["slaveof"],
            .special(.replicaOf), [.immutable, .multiArgument]),
        Setting("masterauth", aliases: ["primaryauth"], .secret(\.primaryPassword), [.sensitive]),
        Setting("masteruser", aliases: ["primaryuser"], .secret(\.primaryUser), [.sensitive]),
        Setting(
            "replica-serve-stale-data", aliases: ["slave-serve-stale-data"],
            .flag(\.replicaServesStaleData)),
        Setting(
            "replica-read-only", aliases: ["slave-read-only"],
            .flag(\.replicaReadOnly), [.debug]),
        Setting(
            "replica-priority", aliases: ["slave-priority"],
            .integer(\.replicaPriority, .natural32)),
        Setting("replica-announced", .flag(\.replicaAnnounced)),
        Setting(
            "replica-announce-ip", aliases: ["slave-announce-ip"],
            .optionalText(\.replicaAnnounceAddress)),
        Setting(
            "replica-announce-port", aliases: ["slave-announce-port"],
            .integer(\.replicaAnnouncePort, .port)),
        Setting(
            "replica-ignore-maxmemory", aliases: ["slave-ignore-maxmemory"],
            .flag(\.replicaIgnoresMaxMemory)),
        Setting("replica-ignore-disk-write-errors", .flag(\.replicaIgnoresDiskErrors), [.unobeyed]),
        Setting("replica-lazy-flush", aliases: ["slave-lazy-flush"], .flag(\.replicaLazyFlush)),
        Setting("repl-diskless-sync", .flag(\.disklessSync), [.debug]),
        Setting("repl-diskless-sync-delay", .integer(\.disklessSyncDelaySeconds, .natural32)),
        Setting("repl-diskless-sync-max-replicas", .integer(\.disklessSyncMaxReplicas, .natural32)),
        Setting("repl-diskless-load", .choice(\.disklessLoad), [.debug, .denyLoading]),
        Setting(
            "repl-ping-replica-period", aliases: ["repl-ping-slave-period"],
            .integer(\.replicaPingPeriodSeconds, .positive32)),
        Setting("repl-timeout", .integer(\.replicationTimeoutSeconds, .positive32)),
        Setting("repl-disable-tcp-nodelay", .flag(\.replicationDisablesNoDelay)),
        Setting(
            "repl-backlog-size",
            .memory(\.replicationBacklogBytes, .positive), effect: .replicationBacklog),
        Setting("repl-backlog-ttl", .integer(\.replicationBacklogSeconds, .natural)),
        Setting(
            "min-replicas-to-write", aliases: ["min-slaves-to-write"],
            .integer(\.minReplicasToWrite, .natural32)),
        Setting(
            "min-replicas-max-lag", aliases: ["min-slaves-max-lag"],
            .integer(\.minReplicasMaxLagSeconds, .natural32)),
        Setting(
            "dual-channel-replication-enabled", .flag(\.dualChannelReplication), [.debug, .moot]),
        Setting("propagation-error-behavior", .choice(\.propagationErrorBehavior), [.unobeyed]),
    ]

    private static let accessRows: [Setting] = [
        Setting("requirepass", .secret(\.requiredPassword), [.sensitive], effect: .password),
        Setting("aclfile", .text(\.aclFile), [.immutable]),
        Setting("acl-pubsub-default", .choice(\.aclChannelDefault)),
        Setting("acllog-max-len", .integer(\.aclLogMaxLength, .natural)),
    ]

    private static let observationRows: [Setting] = [
        Setting(
            "slowlog-log-slower-than", aliases: ["commandlog-execution-slower-than"],
            .integer(\.slowLogMicroseconds, -1...Int.max)),
        Setting(
            "slowlog-max-len", aliases: ["commandlog-slow-execution-max-len"],
            .integer(\.slowLogMaxLength, .natural)),
        Setting("commandlog-request-larger-than", .integer(\.largeRequestLogBytes, -1...Int.max)),
        Setting("commandlog-large-request-max-len", .integer(\.largeRequestLogMaxLength, .natural)),
        Setting("commandlog-reply-larger-than", .integer(\.largeReplyLogBytes, -1...Int.max)),
        Setting("commandlog-large-reply-max-len", .integer(\.largeReplyLogMaxLength, .natural)),
        Setting("latency-monitor-threshold", .integer(\.latencyMonitorMilliseconds, .natural)),
        Setting("latency-tracking", .flag(\.latencyTracking)),
        Setting(
            "latency-tracking-info-percentiles",
            .special(.latencyPercentiles), [.multiArgument]),
        Setting("notify-keyspace-events", .special(.keyspaceEvents)),
        Setting("tracking-table-max-keys", .integer(\.trackingTableMaxKeys, .natural)),
        Setting(
            "busy-reply-threshold", aliases: ["lua-time-limit"],
            .integer(\.busyReplyMilliseconds, .natural), [.unobeyed]),
        Setting(
            "lua-enable-deprecated-api", .flag(\.luaDeprecatedAPI),
            [.immutable, .hidden, .unobeyed]),
    ]

    private static let clusterRows: [Setting] = [
        Setting("cluster-enabled", .flag(\.clusterEnabled), [.immutable]),
        Setting("cluster-config-file", .text(\.clusterConfigFile), [.immutable, .unobeyed]),
        Setting("cluster-port", .integer(\.clusterPort, .port), [.immutable, .unobeyed]),
        Setting(
            "cluster-node-timeout", .integer(\.clusterNodeTimeoutMilliseconds, .natural),
            [.unobeyed]),
        Setting(
            "cluster-ping-interval",
            .integer(\.clusterPingIntervalMilliseconds, .natural), [.hidden, .unobeyed]),
        Setting(
            "cluster-migration-barrier", .integer(\.clusterMigrationBarrier, .natural32),
            [.unobeyed]),
        Setting(
            "cluster-replica-validity-factor", aliases: ["cluster-slave-validity-factor"],
            .integer(\.clusterReplicaValidityFactor, .natural32), [.unobeyed]),
        Setting(
            "cluster-replica-no-failover", aliases: ["cluster-slave-no-failover"],
            .flag(\.clusterReplicaNoFailover), [.unobeyed]),
        Setting("cluster-require-full-coverage", .flag(\.clusterRequiresFullCoverage), [.unobeyed]),
        Setting(
            "cluster-allow-replica-migration", .flag(\.clusterAllowsReplicaMigration), [.unobeyed]),
        Setting("cluster-allow-reads-when-down", .flag(\.clusterAllowsReadsWhenDown), [.unobeyed]),
        Setting(
            "cluster-allow-pubsubshard-when-down", .flag(\.clusterAllowsShardPubSubWhenDown),
            [.unobeyed]),
        Setting(
            "cluster-announce-ip", .optionalText(\.clusterAnnounceAddress), [.unobeyed]),
        Setting(
            "cluster-announce-client-ipv4",
            .optionalText(\.clusterAnnounceClientIPv4), [.unobeyed]),
        Setting(
            "cluster-announce-client-ipv6",
            .optionalText(\.clusterAnnounceClientIPv6), [.unobeyed]),
        Setting(
            "cluster-announce-port", .integer(\.clusterAnnouncePort, .port), [.unobeyed]),
        Setting(
            "cluster-announce-bus-port",
            .integer(\.clusterAnnounceBusPort, .port), [.unobeyed]),
        Setting(
            "cluster-announce-tls-port",
            .integer(\.clusterAnnounceTLSPort, .port), [.unobeyed]),
        Setting(
            "cluster-announce-hostname",
            .optionalText(\.clusterAnnounceHostname, .hostname), [.unobeyed]),
        Setting(
            "cluster-announce-human-nodename",
            .optionalText(\.clusterAnnounceNodeName, .nodeName), [.unobeyed]),
        Setting(
            "cluster-preferred-endpoint-type", .choice(\.clusterPreferredEndpoint), [.unobeyed]),
        Setting(
            "cluster-link-sendbuf-limit", .wideMemory(\.clusterLinkSendBufferBytes), [.unobeyed]),
        Setting(
            "cluster-blacklist-ttl", .integer(\.clusterBlacklistSeconds, .natural), [.unobeyed]),
        Setting("cluster-slot-stats-enabled", .flag(\.clusterSlotStatistics), [.unobeyed]),
    ]

    private static let tlsRows: [Setting] = [
        Setting("tls-port", .integer(\.tlsPort, .port), effect: .tls),
        Setting("tls-cluster", .flag(\.tlsCluster), effect: .tls),
        Setting("tls-replication", .flag(\.tlsReplication), effect: .tls),
        Setting("tls-auth-clients", .choice(\.tlsClientAuthentication), [.unobeyed]),
        Setting(
            "tls-cert-file", .optionalText(\.tlsCertificateFile), [.volatile, .unobeyed],
            effect: .tls),
        Setting("tls-key-file", .optionalText(\.tlsKeyFile), [.volatile, .unobeyed], effect: .tls),
        Setting(
            "tls-key-file-pass", .secret(\.tlsKeyFilePassword), [.sensitive, .unobeyed],
            effect: .tls),
        Setting(
            "tls-client-cert-file",
            .optionalText(\.tlsClientCertificateFile), [.volatile, .unobeyed], effect: .tls),
        Setting(
            "tls-client-key-file",
            .optionalText(\.tlsClientKeyFile), [.volatile, .unobeyed], effect: .tls),
        Setting(
            "tls-client-key-file-pass",
            .secret(\.tlsClientKeyFilePassword), [.sensitive, .unobeyed], effect: .tls),
        Setting(
            "tls-dh-params-file",
            .optionalText(\.tlsDHParametersFile), [.volatile, .unobeyed], effect: .tls),
        Setting(
            "tls-ca-cert-file", .optionalText(\.tlsCAFile), [.volatile, .unobeyed], effect: .tls),
        Setting(
            "tls-ca-cert-dir", .optionalText(\.tlsCADirectory), [.volatile, .unobeyed], effect: .tls
        ),
        Setting("tls-protocols", .optionalText(\.tlsProtocols), [.unobeyed], effect: .tls),
        Setting("tls-ciphers", .optionalText(\.tlsCiphers), [.unobeyed], effect: .tls),
        Setting("tls-ciphersuites", .optionalText(\.tlsCipherSuites), [.unobeyed], effect: .tls),
        Setting(
            "tls-prefer-server-ciphers", .flag(\.tlsPrefersServerCiphers), [.unobeyed], effect: .tls
        ),
        Setting("tls-session-caching", .flag(\.tlsSessionCaching), [.unobeyed], effect: .tls),
        Setting(
            "tls-session-cache-size",
            .integer(\.tlsSessionCacheSize, .natural32), [.unobeyed], effect: .tls),
        Setting(
            "tls-session-cache-timeout",
            .integer(\.tlsSessionCacheSeconds, .natural32), [.unobeyed], effect: .tls),
    ]
}
