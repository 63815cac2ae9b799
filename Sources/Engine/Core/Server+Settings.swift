import Glibc
import Reactor

/// What follows from settings: once at the start, and again whenever CONFIG SET changes them.
extension Server {
    /// Takes over all that is merely derived from settings.
    ///
    /// Cheap, and cannot fail.
    func followSettings() {
        log.follow(settings)
        followStringLimit()
        keyspace.encodingLimits = encodingLimits
        keyspace.accessRule = accessRule
        keyspace.feed.unlinksExpired = settings.lazyExpire
        statistics.tracksLatency = settings.latencyTracking
        access.opensChannels = settings.aclChannelDefault == .allChannels
        followLogSettings()
        clientMemory.settingsChanged(in: self)
        limitTracking()
        followSubscribers()
        followGates()
        if settings.maxMemoryBytes > 0 {
            gate.insert(.memoryLimit)
            if isOverMemoryLimit { eviction.schedule(in: self) }
        } else {
            gate.remove(.memoryLimit)
        }
    }

    /// What the settings say about marking accesses.
    private var accessRule: AccessRule {
        settings.maxMemoryPolicy.countsFrequency
            ? .counts(
                logFactor: settings.lfuLogFactor, decayMinutes: settings.lfuDecayMinutes)
            : .moments
    }

    /// What the settings say about the forms of collections.
    private var encodingLimits: EncodingLimits {
        let debugThreshold = Int(clamping: debug.packedThresholdBytes)
        return EncodingLimits(
            listNodeSize: Int(settings.listMaxListpackSize),
            listCompressDepth: Int(settings.listCompressDepth),
            listPlainBytes: debugThreshold == 0 ? 1 << 30 : debugThreshold,
            hashEntries: Int(settings.hashMaxListpackEntries),
            hashValueBytes: Int(clamping: settings.hashMaxListpackValueBytes),
            setIntegers: Int(settings.setMaxIntsetEntries),
            setEntries: Int(settings.setMaxListpackEntries),
            setValueBytes: Int(clamping: settings.setMaxListpackValueBytes),
            sortedSetEntries: Int(settings.sortedSetMaxListpackEntries),
            sortedSetValueBytes: Int(clamping: settings.sortedSetMaxListpackValueBytes),
            hyperLogLogSparseBytes: Int(clamping: settings.hyperLogLogSparseMaxBytes),
            streamNodeBytes: Int(clamping: settings.streamNodeMaxBytes),
            streamNodeEntries: Int(settings.streamNodeMaxEntries))
    }

    /// Changes settings while the server runs, all of them or none.
    func configure(
        _ pairs: [(name: String, value: [UInt8])], isLocal: Bool
    ) throws(ConfigError) {
        var changed = settings
        let change = try SettingTable.set(
            pairs, in: &changed, isLocal: isLocal,
            isLoading: !gate.isDisjoint(with: [.loading, .loadingBeside]))
        for name in SettingTable.unobeyed(in: changed)
        where SettingTable.value(of: name, in: changed)
            != SettingTable.value(of: name, in: settings)
        {
            log.warning("'\(name)' is accepted, and not obeyed by this version.")
        }
        settings = changed
        followSettings()
        for (index, (effect, name)) in change.effects.enumerated() {
            do throws(SettingProblem) {
                try apply(effect, blaming: name)
            } catch {
                log.warning(
                    "Failed applying new configuration. Possibly related to new \(name) setting. "
                        + "Restoring previous settings.")
                settings = change.previous
                followSettings()
                for (effect, name) in change.effects[...index] {
                    // What worked before works again, or the log has said why not.
                    try? apply(effect, blaming: name)
                }
                throw .failed(name: name, reason: error.reason)
            }
        }
    }

    /// Does what a changed setting asks for.
    ///
    /// - Parameter name: the directive, where several have the same effect.
    private func apply(_ effect: SettingEffect, blaming name: String) throws(SettingProblem) {
        switch effect {
        case .listeners: try listenAgain(blaming: name)
        case .maxClients: try raiseClientLimit()
        case .directory: try changeDirectory()
        case .oomScore: try changeOutOfMemoryScore()
        case .locale: try Self.setCollation(settings.localeCollate)
        case .processTitle: showTitle()
        case .crashHandlers: installCrashHandlers()
        case .password: requirePassword()
        case .tls: try refuseTLS()
        case .appendOnly: try followAppendOnlySetting()
        case .maxMemory: warnOfSmallMemoryLimit()
        case .replicationBacklog: trimHistory()
        case .watchdog: wind()
        case .none: break
        }
    }

    /// Writes the settings in force into the configuration file, comments and order kept.
    ///
    /// Waits for the disk. A crash leaves the old file or the new one.
    ///
    /// - Parameter writesDefaults: also writes what has its default value.
    /// - Returns: why it failed; `nil` if it did not.
    func rewriteConfiguration(_ path: String, writesDefaults: Bool = false) -> String? {
        do throws(SystemError) {
            let old =
                File.exists(path) ? try File.readWhole(path, limit: Self.mostConfigBytes) : []
            let new = ConfigRewrite.text(
                of: settings, replacing: old,
                userLines: settings.aclFile.isEmpty ? access.configurationLines : [],
                writesDefaults: writesDefaults)
            // A file that only its owner may read holds passwords: it stays that way.
            let permissions = File.permissions(path) ?? 0o644
            try File.writeAtomically(path, new, permissions: permissions)
        } catch {
            log.warning("CONFIG REWRITE failed: \(error.message)")
            return error.message
        }
        log.notice("CONFIG REWRITE executed with success.")
        return nil
    }

    /// No configuration is larger than this.
    private static let mostConfigBytes = 64 << 20

    // MARK: - Network

    private func listenAgain(blaming name: String) throws(SettingProblem) {
        guard let network else { return }
        do throws(Network.ListenFailure) {
            try network.listenTCP(settings)
        } catch {
            log.warning(error.logLine)
            throw SettingProblem(
                name == "bind"
                    ? "Failed to bind to specified addresses."
                    : "Unable to listen on this port. Check server logs.")
        }
        showTitle()
    }

    /// Files and ciphers are taken note of; that something is encrypted is not pretended.
    private func refuseTLS() throws(SettingProblem) {
        guard settings.tlsPort != 0 || settings.tlsCluster || settings.tlsReplication else {
            return
        }
        log.warning("TLS is not part of this version.")
        throw SettingProblem("Unable to update TLS configuration. Check server logs.")
    }

    private func raiseClientLimit() throws(SettingProblem) {
        let possible = DescriptorLimit.fit(clients: settings.maxClients, log) ?? 0
        guard possible < settings.maxClients else { return }
        throw SettingProblem(
            "The operating system is not able to handle the specified number of clients, try with "
                + "\(possible)")
    }

    // MARK: - Process

    private func changeDirectory() throws(SettingProblem) {
        do throws(SystemError) {
            try Process.changeDirectory(settings.directory)
        } catch {
            throw SettingProblem(error.message)
        }
    }

    private func changeOutOfMemoryScore() throws(SettingProblem) {
        guard adjustOutOfMemoryScore() else {
            throw SettingProblem("Failed to set current oom_score_adj. Check server logs.")
        }
    }

    /// - Returns: false if the kernel refused, for the reason in the log.
    @discardableResult
    func adjustOutOfMemoryScore(of role: OutOfMemoryScore.Role = .primary) -> Bool {
        do throws(SystemError) {
            try lifecycle.outOfMemoryScore.apply(settings, to: role)
            return true
        } catch {
            log.warning("Unable to write oom_score_adj: \(error.message)")
            return false
        }
    }

    /// How texts are ordered where a command orders them by language (SORT ALPHA).
    static func setCollation(_ locale: String) throws(SettingProblem) {
        guard setlocale(LC_COLLATE, locale) != nil else {
            throw SettingProblem("Invalid locale name")
        }
    }

    /// Shows the title of `proc-title-template` in ps(1).
    ///
    /// - Parameter program: what stands for the name; nil for that of the command line.
    func showTitle(of program: String? = nil) {
        guard settings.setsProcessTitle, let program = program ?? lifecycle.arguments.first,
            let title = ProcessTitle.expand(
                settings.processTitleTemplate, title: program, settings)
        else { return }
        Process.setTitle(title)
    }

    /// Lets the loop have until the watchdog reports that it is stuck (`watchdog-period`).
    func wind() {
        guard network != nil else { return }
        let least = 2 * Int(cronPeriod)
        Process.setWatchdog(
            milliseconds: settings.watchdogMilliseconds == 0
                ? 0 : max(least, settings.watchdogMilliseconds))
    }

    private func warnOfSmallMemoryLimit() {
        guard isOverMemoryLimit else { return }
        log.warning(
            "WARNING: the new maxmemory value set via CONFIG SET (\(settings.maxMemoryBytes)) is "
                + "smaller than the current memory usage (\(usedMemory)). This will result in key "
                + "eviction and/or the inability to accept new write commands depending on the "
                + "maxmemory-policy.")
    }
}

extension Network.ListenFailure {
    var logLine: String {
        "Warning: Could not create server TCP listening socket \(address):\(port): \(error)"
    }
}
