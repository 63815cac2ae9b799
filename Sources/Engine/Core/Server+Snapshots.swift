import Glibc
import Reactor

/// What is known of snapshots: how the last ones went.
struct SnapshotState {
    /// BGSAVE SCHEDULE waits for another child to end.
    var isScheduled = false
    var lastSucceeded = true
    /// Of the last background save; -1 before there was one.
    var lastSeconds: Int64 = -1
    /// When the last one was tried, in monotonic milliseconds.
    var lastTryMilliseconds = -1_000_000 as Int64
    var saves = 0
    /// Bytes that parent and child no longer shared when the last child ended.
    var lastCopiedBytes = 0
    /// Of the last load.
    var loadedKeys = 0
    var expiredKeys = 0
}

/// Snapshots: SAVE, BGSAVE, save points, loading at the start.
///
/// A snapshot is written to a temporary file, synced, and renamed over the old one, so that a crash
/// at any moment leaves the old or the new one whole. In the background a forked child does it from
/// its own copy of memory, page by page copied only where the parent writes meanwhile.
extension Server {
    /// After a failure automatic saves pause for so long.
    private static let retryMilliseconds: Int64 = 5000

    /// Tests have no files of their own unless they ask for them.
    var keepsSnapshots: Bool { network != nil }

    // MARK: - Writing

    /// Writes a snapshot now; the server serves nobody meanwhile.
    ///
    /// - Returns: false if that failed, for the reason in the log.
    func saveSnapshot() -> Bool {
        do throws(SystemError) {
            try writeSnapshot { _ in heedInsistence() }
        } catch {
            log.warning("Error saving the DB on disk: \(error.message)")
            return false
        }
        keyspace.counters.changes = 0
        noteSaved()
        return true
    }

    private func noteSaved() {
        lifecycle.lastSave = clock.wallMilliseconds / 1000
        snapshots.lastSucceeded = true
        snapshots.saves += 1
        gate.remove(.saveFailed)
    }

    /// Writes the file that the settings name, and says so in the log.
    ///
    /// - Throws: what hindered it; the old file stands then.
    private func writeSnapshot(_ onProgress: (Int) -> Void) throws(SystemError) {
        let temporary = Self.temporarySnapshot(of: Process.processIdentifier)
        do throws(SystemError) {
            let file = try File(temporary, .create)
            try fillSnapshot(file.descriptor, onProgress)
            try file.sync()
            try File.rename(temporary, to: settings.snapshotFileName)
        } catch {
            File.removeIfPresent(temporary)
            throw error
        }
        log.notice("DB saved on disk")
    }

    /// Writes a snapshot of all data to an open file.
    func fillSnapshot(
        _ descriptor: Int32, isAppendOnlyBase: Bool = false, _ onProgress: (Int) -> Void
    ) throws(SystemError) {
        var writer = DumpWriter(
            toFile: descriptor, compresses: settings.snapshotCompression,
            checks: settings.snapshotChecksum,
            syncsIncrementally: isAppendOnlyBase
                ? settings.aofRewriteIncrementalSync : settings.snapshotIncrementalSync)
        var facts = snapshotFacts
        facts.isAppendOnlyBase = isAppendOnlyBase
        SnapshotWriter(keyspace: keyspace, facts: facts)
            .write(to: &writer, onProgress: onProgress)
        if let failure = writer.failure { throw failure }
    }

    private var snapshotFacts: SnapshotFacts {
        SnapshotFacts(
            serverVersion: Version.redis, wallMilliseconds: clock.wallMilliseconds,
            usedMemoryBytes: usedMemory,
            keyDelayMicroseconds: settings.snapshotKeyDelayMicroseconds)
    }

    static func temporarySnapshot(of process: Int32) -> String { "temp-\(process).rdb" }

    // MARK: - In the background

    /// Forks a child that writes a snapshot.
    ///
    /// - Returns: false if there is no child, for the reason in the log.
    func saveInBackground() -> Bool {
        guard !hasChild else { return false }
        snapshots.isScheduled = false
        snapshots.lastTryMilliseconds = clock.monotonicMilliseconds
        do throws(SystemError) {
            try forkChild(.snapshot, title: "apus-rdb-bgsave") {
                (reporter: inout ChildReporter) throws(SystemError) in
                try saveAsChild(&reporter)
            }
        } catch {
            noteSaveFailed()
            log.warning("Can't save in background: fork: \(error.message)")
            return false
        }
        if let child = children.running {
            log.notice("Background saving started by pid \(child.process)")
        }
        return true
    }

    private func saveAsChild(_ reporter: inout ChildReporter) throws(SystemError) {
        var keys = 0
        try writeSnapshot { written in
            keys = written
            reporter.tellNowAndThen(keys: written)
        }
        let copied = reporter.tell(keys: keys).copiedBytes
        log.notice(
            "Fork CoW for RDB: current \(copied >> 20) MB, "
                + "peak \(reporter.mostCopiedBytes >> 20) MB")
    }

    /// The child that wrote one is gone.
    func snapshotEnded(_ child: ForkedChild, _ ending: Child.Ending) {
        snapshots.lastCopiedBytes = child.report.copiedBytes
        let milliseconds = clock.monotonicMilliseconds - child.startedMilliseconds
        snapshots.lastSeconds = milliseconds / 1000
        switch ending {
        case .exited(status: 0):
            log.notice("Background saving terminated with success")
            keyspace.counters.changes -= child.changes
            noteSaved()
        case .exited:
            log.warning("Background saving error")
            noteSaveFailed()
        case .signalled(let number):
            log.warning("Background saving terminated by signal \(number)")
            File.removeIfPresent(Self.temporarySnapshot(of: child.process))
            // Whoever sends SIGUSR1 wants the child gone and nothing else.
            if number != SIGUSR1 { noteSaveFailed() }
        }
    }

    private func noteSaveFailed() {
        snapshots.lastSucceeded = false
        gate.insert(.saveFailed)
    }

    /// Ends the child that is writing, if there is one; its file goes with it.
    func stopSnapshotChild() {
        guard let child = killChild(at: .snapshot) else { return }
        log.warning("There was a child saving an .rdb; it was killed.")
        File.removeIfPresent(Self.temporarySnapshot(of: child.process))
    }

    // MARK: - When it is time

    /// Starts what is due: a scheduled save, or that of a save point.
    func saveIfDue() {
        guard keepsSnapshots, !hasChild else { return }
        if snapshots.isScheduled {
            if saveInBackground() { return }
        }
        let since = clock.wallMilliseconds / 1000 - lifecycle.lastSave
        let sinceTry = clock.monotonicMilliseconds - snapshots.lastTryMilliseconds
        for point in settings.savePoints
        where keyspace.counters.changes >= point.changes && since > Int64(point.seconds) {
            guard snapshots.lastSucceeded || sinceTry > Self.retryMilliseconds else { return }
            log.notice(
                "\(point.changes) changes in \(point.seconds) seconds. Saving...")
            _ = saveInBackground()
            return
        }
    }

    /// All data was removed: a child saves what nobody wants any more, and the file would bring it
    /// back after a crash.
    func dataWasFlushed() {
        guard keepsSnapshots else { return }
        stopSnapshotChild()
        guard !settings.savePoints.isEmpty else { return }
        // The flush itself stays a change to be saved.
        let changes = keyspace.counters.changes
        _ = saveSnapshot()
        keyspace.counters.changes = changes
    }

    // MARK: - Loading

    /// Loads the snapshot that the settings name; nothing is loaded where there is none.
    ///
    /// - Throws: what is wrong with it; what was loaded before stays.
    func loadSnapshot(
        _ options: SnapshotReader.Options = SnapshotReader.Options()
    ) throws(DumpError) {
        guard File.exists(settings.snapshotFileName) else { return }
        let file = try openSnapshot()
        let size: Int
        do throws(SystemError) {
            size = try file.size()
        } catch {
            throw .system(error)
        }
        let start = Clock.monotonicNanoseconds()
        var options = options
        options.checks = settings.snapshotChecksum && !debug.skipsChecksums
        gate.insert(.loading)
        defer { gate.remove(.loading) }
        var reader = DumpReader(file: file.descriptor, size: size, checks: options.checks)
        var snapshot = SnapshotReader(into: keyspace, options)
        do throws(DumpError) {
            try snapshot.load(from: &reader)
        } catch {
            log.warning("Internal error in RDB reading offset \(reader.position) -> \(error.text)")
            throw error
        }
        tell(snapshot.report, since: start)
        keyspace.counters.changes = 0
    }

    private func openSnapshot() throws(DumpError) -> File {
        do throws(SystemError) {
            return try File(settings.snapshotFileName, .read)
        } catch {
            throw .system(error)
        }
    }

    private func tell(_ report: SnapshotReport, since start: UInt64) {
        snapshots.loadedKeys = report.loadedKeys
        snapshots.expiredKeys = report.expiredKeys
        if let version = report.fact("redis-ver") ?? report.fact("valkey-ver") {
            log.notice("Loading RDB produced by version \(version)")
        }
        if let created = report.fact("ctime").flatMap(Int64.init) {
            log.notice("RDB age \(max(0, clock.wallMilliseconds / 1000 - created)) seconds")
        }
        if let bytes = report.fact("used-mem").flatMap(Double.init) {
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
