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
        return Int(elapsed * Double(totalBytes - loadedBytes) / Double(loadedBytes))
    }
}

/// Loading a snapshot: at the start, when clients are told to wait, and for DEBUG RELOAD.
extension Server {
    /// Loads the snapshot that the settings name; nothing is loaded where there is none.
    ///
    /// - Parameter servesMeanwhile: whether clients are answered now and then: most of them that the
    ///   data is not there yet. Only where no request is being served.
    /// - Throws: what is wrong with it; what was loaded before stays.
    func loadSnapshot(
        _ options: SnapshotReader.Options = SnapshotReader.Options(), servesMeanwhile: Bool = false
    ) throws(DumpError) {
        guard File.exists(settings.snapshotFileName) else { return }
        let path = settings.snapshotFileName
        let file = try asking { () throws(SystemError) in try File(path, .read) }
        let size = try asking { () throws(SystemError) in try file.size() }
        let start = Clock.monotonicNanoseconds()
        var options = options
        options.checks = settings.snapshotChecksum && !debug.skipsChecksums
        options.keyDelayMicroseconds = max(0, settings.keyLoadDelayMicroseconds)
        beginLoading(size)
        defer { endLoading() }
        var reader = DumpReader(file: file.descriptor, size: size, checks: options.checks)
        var snapshot = SnapshotReader(into: keyspace, options)
        var nextStop = servesMeanwhile ? settings.loadingEventIntervalBytes : Int.max
        do throws(DumpError) {
            try snapshot.load(from: &reader) { step, position in
                if case .fact(name: "used-mem", let bytes) = step {
                    snapshots.loading?.usedMemoryBytes = Int(bytes) ?? 0
                }
                if position < nextStop { return true }
                nextStop = position + settings.loadingEventIntervalBytes
                return continueLoading(position)
            }
        } catch {
            if case .interrupted = error { throw error }
            log.warning("Internal error in RDB reading offset \(reader.position) -> \(error.text)")
            throw error
        }
        tell(snapshot.report, since: start)
        snapshots.savedChanges = keyspace.counters.changes
    }

    /// Asks something of the system, whose failure ends the load.
    private func asking<Answer: ~Copyable>(
        _ body: () throws(SystemError) -> Answer
    ) throws(DumpError) -> Answer {
        do throws(SystemError) {
            return try body()
        } catch {
            throw .system(error)
        }
    }

    /// From now on clients are told that the data is not there yet.
    func beginLoading(_ bytes: Int) {
        gate.insert(.loading)
        snapshots.loading = LoadProgress(
            startedSeconds: clock.wallMilliseconds / 1000, totalBytes: bytes)
    }

    func endLoading() {
        gate.remove(.loading)
        snapshots.loading = nil
    }

    /// Serves who is ready; false once the server is to end.
    func continueLoading(_ position: Int) -> Bool {
        snapshots.loading?.loadedBytes = position
        serveMeanwhile()
        return !lifecycle.shouldStop
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
        for key in report.emptyKeyNames { log.notice("rdbLoadObject skipping empty key: \(key)") }
        let empty = report.emptyKeys == 0 ? "" : ", empty keys skipped: \(report.emptyKeys)"
        log.notice(
            "Done loading RDB, keys loaded: \(report.loadedKeys), "
                + "keys expired: \(report.expiredKeys)\(empty).")
        let seconds = Double(Clock.monotonicNanoseconds() - start) / 1e9
        log.notice("DB loaded from disk: \(NumberText.fixed(seconds, decimals: 3)) seconds")
    }
}
