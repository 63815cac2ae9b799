import Glibc
import Reactor

/// What is known of snapshots: the child that writes one, and how the last ones went.
struct SnapshotState {
    /// The process that writes a snapshot of its copy of memory.
    struct Child {
        let process: Int32
        let startedMilliseconds: Int64
        /// Changes counted when it began: they are safe once it has succeeded.
        let changes: Int
    }

    var child: Child?
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
    var forks = 0
    var lastForkMicroseconds = 0
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
            try writeSnapshot(to: settings.snapshotFileName)
        } catch {
            log.warning("Error saving the DB on disk: \(error.message)")
            return false
        }
        log.notice("DB saved on disk")
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

    private func writeSnapshot(to path: String) throws(SystemError) {
        let temporary = Self.temporarySnapshot(of: Process.processIdentifier)
        do throws(SystemError) {
            let file = try File(temporary, .create)
            try fillSnapshot(file.descriptor)
            try file.sync()
            try File.rename(temporary, to: path)
        } catch {
            File.removeIfPresent(temporary)
            throw error
        }
    }

    private func fillSnapshot(_ descriptor: Int32) throws(SystemError) {
        var writer = DumpWriter(
            toFile: descriptor, compresses: settings.snapshotCompression,
            checks: settings.snapshotChecksum,
            syncsIncrementally: settings.snapshotIncrementalSync)
        SnapshotWriter(keyspace: keyspace, facts: snapshotFacts).write(to: &writer)
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
        guard snapshots.child == nil else { return false }
        snapshots.isScheduled = false
        snapshots.lastTryMilliseconds = clock.monotonicMilliseconds
        let start = Clock.monotonicNanoseconds()
        do throws(SystemError) {
            switch try Child.fork() {
            case .child: saveAsChild()
            case .parent(let process): becomeParent(of: process, since: start)
            }
            return true
        } catch {
            snapshots.lastSucceeded = false
            log.warning("Can't save in background: fork: \(error.message)")
            return false
        }
    }

    private func becomeParent(of process: Int32, since start: UInt64) {
        snapshots.forks += 1
        snapshots.lastForkMicroseconds = Int((Clock.monotonicNanoseconds() - start) / 1000)
        snapshots.child = SnapshotState.Child(
            process: process, startedMilliseconds: clock.monotonicMilliseconds,
            changes: keyspace.counters.changes)
        allowTableResizing(false)
        log.notice("Background saving started by pid \(process)")
    }

    /// The life of the child: it ends here, with status 0 for success.
    private func saveAsChild() -> Never {
        log.role = .child
        do throws(SystemError) {
            try writeSnapshot(to: settings.snapshotFileName)
        } catch {
            log.warning("Write error saving DB on disk: \(error.message)")
            Child.exit(1)
        }
        log.notice("DB saved on disk")
        let copied = Process.privateDirtyBytes() ?? 0
        log.notice("Fork CoW for RDB: current \(copied >> 20) MB, peak \(copied >> 20) MB")
        Child.exit(0)
    }

    /// Growing tables while a child shares their pages would have them copied.
    private func allowTableResizing(_ isAllowed: Bool) {
        for index in 0..<keyspace.databaseCount {
            keyspace[index].table.isResizingAllowed = isAllowed
        }
    }

    /// Takes note of children that have ended.
    func reapChildren() {
        while let reaped = Child.reap() {
            guard let child = snapshots.child, child.process == reaped.pid else { continue }
            snapshotEnded(child, reaped.ending)
        }
    }

    private func snapshotEnded(_ child: SnapshotState.Child, _ ending: Child.Ending) {
        snapshots.child = nil
        allowTableResizing(true)
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
        if settings.stopsWritesOnSaveError && !settings.savePoints.isEmpty {
            gate.insert(.saveFailed)
        }
    }

    /// Ends the child that is writing, if there is one; its file goes with it.
    func stopSnapshotChild() {
        guard let child = snapshots.child else { return }
        log.warning("There is a child saving an .rdb. Killing it!")
        Child.signal(child.process, SIGKILL)
        _ = Child.wait(for: child.process)
        File.removeIfPresent(Self.temporarySnapshot(of: child.process))
        snapshots.child = nil
        allowTableResizing(true)
    }

    // MARK: - When it is time

    /// Starts what is due: a scheduled save, or that of a save point.
    func saveIfDue() {
        guard keepsSnapshots, snapshots.child == nil else { return }
        if snapshots.isScheduled {
            if saveInBackground() { return }
        }
        let since =
            clock.wallMilliseconds / 1000
            - (lifecycle.lastSave != 0 ? lifecycle.lastSave : lifecycle.startedAt / 1000)
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
        try snapshot.load(from: &reader)
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
        let empty = report.emptyKeys == 0 ? "" : ", empty keys skipped: \(report.emptyKeys)"
        log.notice(
            "Done loading RDB, keys loaded: \(report.loadedKeys), "
                + "keys expired: \(report.expiredKeys)\(empty).")
        let seconds = Double(Clock.monotonicNanoseconds() - start) / 1e9
        log.notice("DB loaded from disk: \(NumberText.fixed(seconds, decimals: 3)) seconds")
    }
}
