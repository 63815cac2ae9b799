import Reactor

/// How far the load is that is going on.
struct LoadProgress {
    let startedSeconds: Int64
    let totalBytes: Int
    var loadedBytes = 0
    /// What the server that wrote the file used.
    var usedMemoryBytes = 0

    var percent: Double {
        totalBytes == 0 ? 0 : Double(loadedBytes) * 100 / Double(totalBytes)
    }

    /// What is left, at the pace so far; 1 before there is one.
    func remainingSeconds(now: Int64) -> Int {
        guard loadedBytes > 0 else { return 1 }
        let elapsed = Double(now - startedSeconds)
        let seconds = elapsed * Double(totalBytes - loadedBytes) / Double(loadedBytes)
        // How much there is a primary may claim as it likes.
        return Int(exactly: seconds.rounded(.towardZero)) ?? .max
    }
}

/// Loading a snapshot: at the start, when clients are told to wait, and for DEBUG RELOAD.
extension Server {
    /// Loads the snapshot that the settings name; nothing is loaded where there is none.
    ///
    /// - Parameters:
    ///   - adoptsHistory: takes up the history of changes that it is a part of.
    ///   - servesMeanwhile: whether clients are answered now and then: most of them that the data is not
    ///     there yet. Only where no request is being served.
    /// - Returns: what was loaded; nil where there is no file.
    /// - Throws: what is wrong with it; what was loaded before stays.
    @discardableResult
    func loadSnapshot(
        _ options: SnapshotReader.Options = SnapshotReader.Options(), adoptsHistory: Bool = false,
        servesMeanwhile: Bool = false
    ) throws(DumpError) -> SnapshotReport? {
        guard File.exists(settings.snapshotFileName) else { return nil }
        let (file, size) = try openSnapshot()
        let descriptor = FileDescriptor(owning: file)
        var reader = DumpReader(
            file: descriptor.number, size: size, checks: checksSnapshots,
            withHelp: hasProcessorForHelp)
        beginLoading(size)
        defer { endLoading() }
        return try load(
            from: &reader, options, adoptsHistory: adoptsHistory, servesMeanwhile: servesMeanwhile)
    }

    /// Finds out whether the snapshot that the settings name, if there is one, can be read and begins
    /// as one does.
    func checkSnapshot() throws(DumpError) {
        guard File.exists(settings.snapshotFileName) else { return }
        let (file, size) = try openSnapshot()
        let descriptor = FileDescriptor(owning: file)
        var reader = DumpReader(file: descriptor.number, size: size, checks: false)
        var snapshot = SnapshotReader(into: keyspace)
        try snapshot.readMagic(from: &reader)
    }

    /// - Returns: a descriptor that is the caller's to close, and the bytes behind it.
    private func openSnapshot() throws(DumpError) -> (Int32, Int) {
        do throws(SystemError) {
            let file = try File(settings.snapshotFileName, .read)
            let size = try file.size()
            return (file.release(), size)
        } catch {
            throw .system(error)
        }
    }

    /// What the log says where the snapshot of the settings cannot be loaded at the start.
    func fatalText(_ error: DumpError) -> String {
        let head = "Fatal error loading the DB: "
        if case .system(let cause) = error {
            return head + FileTrouble(settings.snapshotFileName, cause).text + ". Exiting."
        }
        let path = FileTrouble.absolute(settings.snapshotFileName)
        return head
            + "\(error.text). The file was left as it is: 'apus-check-rdb \(path)' tells how "
            + "far it is sound. Put a backup in its place to start with that. Exiting."
    }

    /// Whether the checksums of snapshots are compared.
    var checksSnapshots: Bool { settings.snapshotChecksum && !debug.skipsChecksums }

    /// Loads a snapshot, from wherever it comes; between `beginLoading` and `endLoading`.
    func load(
        from reader: inout DumpReader, _ options: SnapshotReader.Options,
        adoptsHistory: Bool = false, servesMeanwhile: Bool
    ) throws(DumpError) -> SnapshotReport {
        let start = Clock.monotonicNanoseconds()
        var options = options
        options.checks = checksSnapshots
        options.keyDelayMicroseconds = max(0, settings.keyLoadDelayMicroseconds)
        // What expired on a replica goes when its primary says so.
        if replication.isReplica || settings.replicaOf != nil { options.dropsExpired = false }
        var snapshot = SnapshotReader(into: keyspace, options)
        var facts: [String: String] = [:]
        var nextStop = servesMeanwhile ? settings.loadingEventIntervalBytes : Int.max
        do throws(DumpError) {
            try snapshot.load(from: &reader) { step, position in
                if case .fact(let name, let value) = step {
                    facts[name] = value
                    if name == "used-mem" {
                        snapshots.loading?.usedMemoryBytes = Int(value) ?? 0
                    } else if name == "repl-offset" && adoptsHistory {
                        adoptHistory(
                            id: facts["repl-id"] ?? "", offset: Int(value) ?? -1,
                            database: facts["repl-stream-db"].flatMap { Int($0) } ?? 0)
                    }
                }
                if position < nextStop { return true }
                nextStop = position + settings.loadingEventIntervalBytes
                return continueLoading(position)
            }
        } catch {
            if case .interrupted = error { throw error }
            log.warning(
                "Internal error in RDB reading offset \(reader.position)"
                    + snapshot.whereabouts(keyAs: settings.hidesUserDataFromLog ? Self.hidden : nil)
                    + " -> \(error.text)")
            throw error
        }
        tell(snapshot.report, since: start)
        snapshots.savedChanges = keyspace.counters.changes
        return snapshot.report
    }

    /// From now on clients are told that the data is not there yet, or served what was there before.
    func beginLoading(_ bytes: Int, servesOldData: Bool = false) {
        gate.insert(servesOldData ? .loadingBeside : .loading)
        snapshots.loading = LoadProgress(
            startedSeconds: clock.wallMilliseconds / 1000, totalBytes: bytes)
    }

    func endLoading() {
        gate.remove([.loading, .loadingBeside])
        snapshots.loading = nil
    }

    /// Serves who is ready; false once the server is to end.
    func continueLoading(_ position: Int) -> Bool {
        snapshots.loading?.loadedBytes = position
        serveMeanwhile()
        sendNewlineToPrimary()
        return !lifecycle.shouldStop && replication.link?.wasDropped != true
    }

    private func tell(_ report: SnapshotReport, since start: UInt64) {
        snapshots.loadedKeys = report.loadedKeys
        snapshots.expiredKeys = report.expiredKeys
        if let version = report.fact("redis-ver") ?? report.fact("valkey-ver") {
            log.notice("Loading RDB produced by version \(version)")
        }
        if let created = report.fact("ctime").flatMap({ Int64($0) }) {
            log.notice("RDB age \(max(0, clock.wallMilliseconds / 1000 - created)) seconds")
        }
        if let bytes = report.fact("used-mem").flatMap({ Double($0) }) {
            let megabytes = NumberText.fixed(bytes / 1_048_576, decimals: 2)
            log.notice("RDB memory usage when created \(megabytes) Mb")
        }
        for key in report.emptyKeyNames {
            let name = settings.hidesUserDataFromLog ? Self.hidden : key
            log.notice("rdbLoadObject skipping empty key: \(name)")
        }
        let empty = report.emptyKeys == 0 ? "" : ", empty keys skipped: \(report.emptyKeys)"
        log.notice(
            "Done loading RDB, keys loaded: \(report.loadedKeys), "
                + "keys expired: \(report.expiredKeys)\(empty).")
        let seconds = Double(Clock.monotonicNanoseconds() - start) / 1e9
        log.notice("DB loaded from disk: \(NumberText.fixed(seconds, decimals: 3)) seconds")
    }
}
