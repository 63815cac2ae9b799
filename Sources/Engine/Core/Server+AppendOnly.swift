import Glibc
import Reactor

/// What is known of the append-only file: whether it is on, whether the disk keeps up, and the child
/// that rewrites it.
struct AppendOnlyState {
    enum Mode {
        case off
        /// Switched on; what is done goes into an increment that counts once the first base is there.
        case starting
        case on

        /// The modes that may follow: a start opens what is there, else a rewrite begins it.
        fileprivate var next: [Mode] {
            switch self {
            case .off: [.starting, .on]
            case .starting: [.on, .off]
            case .on: [.off]
            }
        }
    }

    private(set) var mode = Mode.off
    let log: AppendOnlyLog

    // Writing and syncing.
    /// Why writes are refused.
    var failure: SystemError?
    /// A sync failed: what the kernel says of the files from then on proves nothing.
    ///
    /// Only new ones will do.
    var isDistrusted = false
    /// Off for as long as a replica takes over all data.
    var isSuspended = false
    /// When a failed write is tried again, in monotonic milliseconds.
    var nextWriteTry: Int64 = 0
    var isSyncing = false
    var lastSync: Int64 = 0
    /// Up to where the history of changes is on the disk, and will be once the sync has ended.
    var syncedOffset = 0
    var syncingOffset = 0
    /// Since when writes wait for a sync to end.
    var postponedSince: Int64?
    var delayedSyncs = 0

    // Rewriting.
    /// Whether the child writes the new base as a snapshot.
    var rewritesSnapshot = true
    /// To begin at the end of the turn, once there is no other child.
    var isRewriteWanted = false
    /// When a rewrite that failed is tried again, in monotonic milliseconds; 0: at once.
    var nextRewriteTry: Int64 = 0
    /// How long automatic rewrites rest after many failures, and until when; 0: not at the moment.
    var restMinutes = 0
    var restsUntil: Int64 = 0
    var lastSucceeded = true
    var lastSeconds: Int64 = -1
    var rewrites = 0
    var consecutiveFailures = 0
    var lastCopiedBytes = 0
    /// How large everything was after the last rewrite, or at the start.
    var rewrittenBytes = 0

    /// Where in the file that is being loaded clients are answered next.
    var nextLoadStop = Int.max

    init(_ settings: Settings) {
        log = AppendOnlyLog(folder: settings.appendDirectoryName, name: settings.appendFileName)
    }

    /// Goes on to a mode that may follow.
    mutating func advance(to next: Mode) {
        assert(mode.next.contains(next), "the append-only file goes from \(mode) to \(next)")
        mode = next
    }
}

/// The append-only file: what every turn has done is written before its replies leave.
///
/// Promises, by `appendfsync`: *always*, it is on the disk before anybody hears of it, all clients of a
/// turn sharing one sync, and the process ends rather than to break that; *everysec*, at most about two
/// seconds of it are lost, and with the process alone only what waited while the disk was busy; *no*,
/// none with the process. A part of a request is not left in the file. After a failed sync nothing but a
/// newly written file is trusted (the kernel drops what it could not write, and reports it once); until
/// there is one, writes are refused.
extension Server {
    // MARK: - The end of a turn

    /// Hands what the turn has done to all who listen.
    ///
    /// - Parameter mayPostpone: a write may wait in memory while the disk is busy.
    func handEffectsOver(mayPostpone: Bool = true) {
        if keyspace.interest.contains(.propagation) {
            // What a transaction has done so far, where it changes who listens.
            keyspace.feed.endUnit()
            if appendOnly.log.isOpen { writeEffects(mayPostpone: mayPostpone) }
            if !keyspace.feed.isEmpty {
                passOnEffects()
                keyspace.feed.removeAll()
            }
        }
        if replication.asksReplicas { askReplicas() }
        if appendOnly.isRewriteWanted { beginWantedRewrite() }
    }

    /// Whether somebody listens, so that what is done must be put into the feed.
    func followPropagation() {
        let feedsReplicas = replication.stream != nil && !replication.isReplica
        if appendOnly.log.isOpen || feedsReplicas {
            keyspace.interest.insert(.propagation)
        } else {
            keyspace.interest.remove(.propagation)
        }
    }

    private func writeEffects(mayPostpone: Bool) {
        let feed = keyspace.feed.fileView
        let log = appendOnly.log
        let isIdle = feed.isEmpty && log.pendingBytes == 0
        if !isIdle {
            if settings.aofTimestamps && !feed.isEmpty {
                log.noteTime(clock.wallMilliseconds / 1000)
            }
            if mayPostpone && mustPostpone { return log.keep(feed) }
            if debug.appendDelayMicroseconds > 0 { usleep(debug.appendDelayMicroseconds) }
            do throws(SystemError) {
                try log.write(feed)
                noteWritten()
            } catch {
                return noteWriteFailure(error)
            }
        }
        if isIdle && isAllOnDisk {
            // What concerns replicas alone is part of the history too.
            return noteSynced(upTo: historyEnd)
        }
        switch settings.appendSync {
        case .always:
            guard !isIdle else { return }
            syncNow()
            noteSynced(upTo: historyEnd)
        case .everySecond: syncIfDue()
        case .no: break
        }
    }

    /// Whether everything that was written is on the disk, as far as is known.
    private var isAllOnDisk: Bool {
        !appendOnly.log.hasUnsyncedBytes && !appendOnly.isSyncing && appendOnly.failure == nil
    }

    /// A write to a file that is being synced may wait for the disk; so it waits here, a while.
    ///
    /// After a failure it is tried again once a second.
    private var mustPostpone: Bool {
        let now = clock.monotonicMilliseconds
        if appendOnly.failure != nil && !appendOnly.isDistrusted {
            return now < appendOnly.nextWriteTry
        }
        guard appendOnly.isSyncing, settings.appendSync == .everySecond else {
            appendOnly.postponedSince = nil
            return false
        }
        guard let since = appendOnly.postponedSince else {
            appendOnly.postponedSince = now
            return true
        }
        if now - since < Self.longestPostponement { return true }
        appendOnly.postponedSince = nil
        appendOnly.delayedSyncs += 1
        log.notice(
            "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer "
                + "without waiting for fsync to complete, this may slow down the server.")
        return false
    }

    private static let longestPostponement: Int64 = 2000
    private static let syncMilliseconds: Int64 = 1000

    private func noteWritten() {
        guard appendOnly.failure != nil, !appendOnly.isDistrusted else { return }
        log.warning("AOF write error looks solved. The server can write again.")
        trustFile()
    }

    private func noteWriteFailure(_ error: SystemError) {
        if settings.appendSync == .always {
            log.warning(
                "Can't recover from AOF write error when the AOF fsync policy is 'always': "
                    + "\(error.message). Exiting...")
            exit(1)
        }
        if appendOnly.failure == nil {
            log.warning(
                "Error writing to the AOF file \(FileTrouble(appendOnly.log.openPath, error).text). "
                    + "Writes are refused until it can be written again")
        }
        appendOnly.failure = error
        appendOnly.nextWriteTry = clock.monotonicMilliseconds + Self.syncMilliseconds
        gate.insert(.appendFailed)
    }

    /// Writes are taken again.
    func trustFile() {
        appendOnly.failure = nil
        appendOnly.isDistrusted = false
        gate.remove(.appendFailed)
    }

    // MARK: - Syncing

    private func syncNow() {
        let start = Clock.monotonicNanoseconds()
        do throws(SystemError) {
            try appendOnly.log.sync()
        } catch {
            log.warning(
                "Can't persist AOF for fsync error when the AOF fsync policy is 'always': "
                    + "\(error.message). Exiting...")
            exit(1)
        }
        noteLatency(.syncAlways, nanoseconds: Clock.monotonicNanoseconds() - start)
    }

    /// Lets the background thread sync once a second what has been written.
    private func syncIfDue() {
        let log = appendOnly.log
        let now = clock.monotonicMilliseconds
        guard log.hasUnsyncedBytes, !appendOnly.isSyncing,
            now - appendOnly.lastSync >= Self.syncMilliseconds,
            !(settings.noAppendSyncOnRewrite && hasChild)
        else { return }
        guard background != nil else { return }
        appendOnly.lastSync = now
        appendOnly.isSyncing = true
        appendOnly.syncingOffset = historyEnd
        log.noteSyncing()
        syncInBackground(log.descriptor)
    }

    func syncInBackground(_ descriptor: Int32) {
        background?.submit(.fsync(descriptor, tag: Self.syncTag))
    }

    private static let syncTag: UInt64 = 1

    /// The background thread has finished something.
    func backgroundReported() {
        for completion in background?.takeCompletions() ?? [] where completion.tag == Self.syncTag {
            appendOnly.isSyncing = false
            if let error = completion.error {
                noteSyncFailure(error)
            } else {
                noteSynced(upTo: appendOnly.syncingOffset)
            }
        }
    }

    /// The history is on the disk up to `offset`.
    private func noteSynced(upTo offset: Int) {
        appendOnly.syncedOffset = max(appendOnly.syncedOffset, offset)
        if waiting.hasClients(waitingFor: .copies) { waiting.serveCopies(in: self) }
    }

    /// Whether the own file has everything up to `offset` on the disk.
    func isOnOwnDisk(_ offset: Int) -> Bool {
        appendOnly.mode == .on && appendOnly.syncedOffset >= offset
    }

    private func noteSyncFailure(_ error: SystemError) {
        // Nobody relies on the file any more; perhaps it was closed before its turn came.
        guard appendOnly.mode != .off else { return }
        log.warning(
            "Fail to fsync the AOF file: \(error.message). Writes are refused until a rewritten file "
                + "is on the disk.")
        appendOnly.failure = error
        appendOnly.isDistrusted = true
        appendOnly.isRewriteWanted = true
        gate.insert(.appendFailed)
    }

    /// Why a write is refused now.
    var appendRefusal: String {
        "MISCONF Errors writing to the AOF file: \(appendOnly.failure?.message ?? "unknown")"
    }

    // MARK: - Switching on and off

    /// Follows `appendonly`: takes effect at the end of the turn.
    func followAppendOnlySetting() throws(SettingProblem) {
        guard keepsSnapshots else { return }
        if settings.appendOnly && appendOnly.mode == .off {
            do throws(SystemError) {
                try File.createFolder(appendOnly.log.folder)
            } catch {
                log.warning(
                    "Can't create the folder of the AOF "
                        + FileTrouble(appendOnly.log.folder, error).text)
                throw SettingProblem("Unable to turn on AOF. Check server logs.")
            }
            if child(at: .rewrite) != nil {
                log.warning(
                    "AOF was enabled but there is already an AOF rewriting in background. Stopping "
                        + "background AOF and starting a rewrite now.")
                stopRewriteChild()
            }
            appendOnly.advance(to: .starting)
            if hasChild || transactions.isRunning {
                log.warning(
                    "AOF was enabled but there is already another background operation. An AOF "
                        + "background was scheduled to start when possible.")
            }
            wantRewrite()
        } else if !settings.appendOnly && appendOnly.mode != .off {
            stopAppending()
            waiting.serveCopies(in: self)
        }
        if appendOnly.mode == .on { removeHistory() }
    }

    private func stopAppending() {
        log.warning("AOF is switched off.")
        handEffectsOver(mayPostpone: false)
        if appendOnly.mode == .on { syncBeforeClosing() }
        stopRewriteChild()
        appendOnly.isRewriteWanted = false
        appendOnly.advance(to: .off)
        // The next file may belong to another history.
        appendOnly.syncedOffset = 0
        appendOnly.syncingOffset = 0
        appendOnly.log.close()
        trustFile()
        followPropagation()
    }

    /// A replica's data is about to be replaced: what the file has is worth nothing then.
    func suspendAppending() {
        stopAppending()
        appendOnly.isSuspended = true
    }

    /// Begins a new file after that.
    func resumeAppending() {
        guard appendOnly.isSuspended else { return }
        appendOnly.isSuspended = false
        try? followAppendOnlySetting()
    }

    private func syncBeforeClosing() {
        log.notice("Calling fsync() on the AOF file.")
        do throws(SystemError) {
            try appendOnly.log.sync()
        } catch {
            log.warning("Fail to fsync the AOF file: \(error.message)")
        }
    }

    /// What must be done before the process ends on purpose.
    ///
    /// - Returns: false if it must not end yet.
    func finishAppending(force: Bool) -> Bool {
        if appendOnly.mode == .starting {
            guard force else {
                log.warning("Writing initial AOF, can't exit.")
                return false
            }
            log.warning("Writing initial AOF, exit anyway.")
        }
        stopRewriteChild()
        guard appendOnly.mode == .on else { return true }
        handEffectsOver(mayPostpone: false)
        syncBeforeClosing()
        return true
    }

    // MARK: - INFO

    func writeAppendOnly(to info: inout InfoText) {
        let state = appendOnly
        let rewriting = child(at: .rewrite)
        let running = rewriting.map {
            (clock.monotonicMilliseconds - $0.startedMilliseconds) / 1000
        }
        info.field("aof_enabled", state.mode != .off)
        info.field("aof_rewrite_in_progress", rewriting != nil)
        info.field("aof_rewrite_scheduled", state.isRewriteWanted)
        info.field("aof_last_rewrite_time_sec", Int(state.lastSeconds))
        info.field("aof_current_rewrite_time_sec", Int(running ?? -1))
        info.field("aof_last_bgrewrite_status", state.lastSucceeded ? "ok" : "err")
        info.field("aof_rewrites", state.rewrites)
        info.field("aof_rewrites_consecutive_failures", state.consecutiveFailures)
        info.field("aof_last_write_status", state.failure == nil ? "ok" : "err")
        info.field("aof_last_cow_size", state.lastCopiedBytes)
    }

    /// What INFO tells beside while the file is on.
    func writeAppendOnlySizes(to info: inout InfoText) {
        guard appendOnly.mode != .off else { return }
        info.field("aof_current_size", appendOnly.log.totalBytes)
        info.field("aof_base_size", appendOnly.rewrittenBytes)
        info.field("aof_pending_rewrite", 0)
        info.field("aof_buffer_length", appendOnly.log.pendingBytes)
        info.field("aof_pending_bio_fsync", appendOnly.isSyncing)
        info.field("aof_delayed_fsync", appendOnly.delayedSyncs)
    }
}
