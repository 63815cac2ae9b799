import Glibc
import Reactor

/// What is known of snapshots: how the last ones went.
struct SnapshotState {
    /// BGSAVE SCHEDULE waits for another child to end.
    var isScheduled = false
    /// All data was removed in this turn.
    var isFlushToBeSaved = false
    var lastSucceeded = true
    /// Of the last background save; -1 before there was one.
    var lastSeconds: Int64 = -1
    /// When the last one was tried, in monotonic milliseconds.
    var lastTryMilliseconds = -1_000_000 as Int64
    var saves = 0
    /// Bytes that parent and child no longer shared when the last child ended.
    var lastCopiedBytes = 0
    /// How many of all changes the last snapshot has in it.
    var savedChanges = 0
    /// Of the last load.
    var loadedKeys = 0
    var expiredKeys = 0
    /// Set while a snapshot is being loaded.
    var loading: LoadProgress?
}

/// Snapshots: SAVE, BGSAVE, save points.
///
/// A snapshot is written to a temporary file, synced, and renamed over the old one, so that a crash
/// at any moment leaves the old or the new one whole. In the background a forked child does it from
/// its own copy of memory, page by page copied only where the parent writes meanwhile.
extension Server {
    /// After a failure automatic saves pause for so long.
    private static let retryMilliseconds: Int64 = 5000

    /// Tests have no files of their own unless they ask for them.
    var keepsSnapshots: Bool { network != nil }

    /// Whether a second thread may share in saving and loading, while little else is done: a child that
    /// saves works alone, as its parent serves meanwhile.
    var hasProcessorForHelp: Bool { Process.usableProcessors > 1 }

    // MARK: - Writing

    /// Writes a snapshot now; the server serves nobody meanwhile.
    ///
    /// - Returns: false if that failed, for the reason in the log.
    func saveSnapshot() -> Bool {
        do throws(SystemError) {
            try writeSnapshot(withHelp: hasProcessorForHelp) { _ in heedInsistence() }
        } catch {
            log.warning("Error saving the DB on disk: \(error.message)")
            return false
        }
        noteSaved(keyspace.counters.changes)
        return true
    }

    /// Changes that no snapshot has yet.
    var unsavedChanges: Int { keyspace.counters.changes - snapshots.savedChanges }

    private func noteSaved(_ changes: Int) {
        snapshots.savedChanges = changes
        lifecycle.lastSave = clock.wallMilliseconds / 1000
        snapshots.lastSucceeded = true
        snapshots.saves += 1
        gate.remove(.saveFailed)
    }

    /// Writes the file that the settings name, and says so in the log.
    ///
    /// - Parameters:
    ///   - withHelp: has a second thread share the work.
    ///   - whenOnDisk: is called when all is written, before the file takes its place.
    /// - Throws: what hindered it; the old file stands then.
    private func writeSnapshot(
        withHelp: Bool = false, _ onProgress: (Int) -> Void, whenOnDisk: () -> Void = {}
    ) throws(SystemError) {
        let temporary = Self.temporarySnapshot(of: Process.processIdentifier)
        do throws(SystemError) {
            let file = try File(temporary, .create)
            try fillSnapshot(file.descriptor, withHelp: withHelp, onProgress)
            try file.sync()
            whenOnDisk()
            try File.rename(temporary, to: settings.snapshotFileName)
        } catch {
            File.removeIfPresent(temporary)
            log.warning(
                "Failed to write the snapshot '\(FileTrouble.absolute(settings.snapshotFileName))' "
                    + "by way of \(FileTrouble(temporary, error).text)")
            throw error
        }
        log.notice("DB saved on disk")
    }

    /// Writes a snapshot of all data to an open file.
    ///
    /// - Parameter isEmpty: writes one without any data in its place.
    func fillSnapshot(
        _ descriptor: Int32, isAppendOnlyBase: Bool = false, isEmpty: Bool = false,
        withHelp: Bool = false, _ onProgress: (Int) -> Void
    ) throws(SystemError) {
        var writer = DumpWriter(
            toFile: descriptor, compresses: settings.snapshotCompression,
            checks: settings.snapshotChecksum,
            syncsIncrementally: isAppendOnlyBase
                ? settings.aofRewriteIncrementalSync : settings.snapshotIncrementalSync,
            withHelp: withHelp)
        var facts = snapshotFacts
        facts.isAppendOnlyBase = isAppendOnlyBase
        SnapshotWriter(keyspace: keyspace, facts: facts, isEmpty: isEmpty)
            .write(to: &writer, onProgress: onProgress)
        if let failure = writer.failure { throw failure }
    }

    private var snapshotFacts: SnapshotFacts {
        SnapshotFacts(
            serverVersion: Version.redis, wallMilliseconds: clock.wallMilliseconds,
            usedMemoryBytes: usedMemory, dialect: dumpDialect,
            accessMeasure: settings.maxMemoryPolicy.measure,
            keyDelayMicroseconds: settings.snapshotKeyDelayMicroseconds,
            history: snapshotHistory)
    }

    /// What the history of changes was when the data was as saved; nil where none is kept.
    private var snapshotHistory: SnapshotFacts.History? {
        if replication.isReplica {
            guard replication.mayContinue else { return nil }
            return SnapshotFacts.History(
                id: replication.id, offset: replication.offset, database: replication.database)
        }
        guard replication.stream != nil else { return nil }
        return SnapshotFacts.History(
            id: replication.id, offset: historyEnd, database: max(0, keyspace.feed.database))
    }

    /// How deadlines of fields are written.
    var dumpDialect: DumpDialect {
        switch settings.fieldDeadlineFormat {
        case .redis: .redis
        case .valkey: .valkey
        }
    }

    static func temporarySnapshot(of process: Int32) -> String { "temp-\(process).rdb" }

    // MARK: - In the background

    /// Forks a child that writes a snapshot.
    ///
    /// - Returns: false if there is no child, for the reason in the log.
    func saveInBackground(isForReplicas: Bool = false) -> Bool {
        guard !hasChild else { return false }
        snapshots.isScheduled = false
        snapshots.lastTryMilliseconds = clock.monotonicMilliseconds
        do throws(SystemError) {
            try forkChild(
                .snapshot, title: "apus-rdb-bgsave", isForReplicas: isForReplicas
            ) { (reporter: inout ChildReporter) throws(SystemError) in
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
        var (keys, copied) = (0, 0)
        try writeSnapshot { written in
            keys = written
            reporter.tellNowAndThen(keys: written)
        } whenOnDisk: {
            copied = reporter.tell(keys: keys).copiedBytes
        }
        log.notice(
            "Fork CoW for RDB: current \(copied >> 20) MB, "
                + "peak \(reporter.mostCopiedBytes >> 20) MB")
    }

    /// The child that wrote one is gone.
    func snapshotEnded(_ child: ForkedChild, _ ending: Child.Ending) {
        snapshots.lastCopiedBytes = child.report.copiedBytes
        let milliseconds = clock.monotonicMilliseconds - child.startedMilliseconds
        snapshots.lastSeconds = milliseconds / 1000
        guard child.isToFile else { return transferEnded(ending) }
        defer { snapshotEndedForReplicas(succeeded: ending == .exited(status: 0)) }
        switch ending {
        case .exited(status: 0):
            log.notice("Background saving terminated with success")
            noteSaved(child.changes)
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
        if !child.isToFile { return endTransfer(succeeded: false) }
        snapshotEndedForReplicas(succeeded: false)
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
        where unsavedChanges >= point.changes && since > Int64(point.seconds) {
            guard snapshots.lastSucceeded || sinceTry > Self.retryMilliseconds else { return }
            log.notice(
                "\(point.changes) changes in \(point.seconds) seconds. Saving...")
            _ = saveInBackground()
            return
        }
    }

    /// All data was removed: a child saves what nobody wants any more, and the file would bring it
    /// back after a crash.
    ///
    /// A new one is written before the reply leaves, but not in the middle of a transaction, of which no
    /// snapshot may have a part only.
    func dataWasFlushed() {
        guard keepsSnapshots else { return }
        stopSnapshotChild()
        guard !settings.savePoints.isEmpty, !snapshots.isFlushToBeSaved else { return }
        snapshots.isFlushToBeSaved = true
        timers.add(at: clock.monotonicMilliseconds, payload: .saveFlush)
    }

    func saveFlush() {
        snapshots.isFlushToBeSaved = false
        _ = saveSnapshot()
    }
}
