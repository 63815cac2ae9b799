import Glibc
import Reactor

/// Rewriting the append-only file: a forked child writes a new base from its copy of memory, while what
/// is done meanwhile goes into a new increment.
///
/// The parts change places by one rename of the manifest, so that a crash at any moment leaves the old
/// parts or the new ones, whole. Until then both are there, and nothing of the old ones is removed.
extension Server {
    /// BGREWRITEAOF, or whatever makes a rewrite due: it begins at the end of the turn, so that the
    /// child has what the file has.
    func wantRewrite() {
        appendOnly.isRewriteWanted = true
        appendOnly.nextRewriteTry = 0
    }

    /// Not while a load puts half of the data there, nor beside the load's helper.
    func beginWantedRewrite() {
        guard !hasChild, gate.isDisjoint(with: [.loading, .loadingBeside]),
            clock.monotonicMilliseconds >= appendOnly.nextRewriteTry
        else { return }
        let isRetry = appendOnly.nextRewriteTry != 0 && !appendOnly.isDistrusted
        if isRetry && isRewriteResting() { return }
        appendOnly.isRewriteWanted = false
        do throws(SystemError) {
            try beginRewrite()
        } catch {
            log.warning(
                "Can't rewrite append only file in background: "
                    + FileTrouble(appendOnly.log.folder, error).text)
            noteRewriteFailure()
        }
    }

    private func beginRewrite() throws(SystemError) {
        let log = appendOnly.log
        try File.createFolder(log.folder)
        switch appendOnly.mode {
        case .on:
            // What is not in the old increment yet would be in the base as well as in the new one.
            try log.write(.empty)
            retire(try log.beginIncrement())
        case .starting: try log.beginTemporaryIncrement()
        case .off: break
        }
        followPropagation()
        keyspace.feed.selectAnew()
        let isSnapshot = settings.aofUsesSnapshotPreamble
        appendOnly.rewritesSnapshot = isSnapshot
        try forkChild(.rewrite, title: "apus-aof-rewrite") {
            (reporter: inout ChildReporter) throws(SystemError) in
            try writeBase(
                to: Self.temporaryBase(of: Process.processIdentifier), isSnapshot: isSnapshot,
                &reporter)
        }
        if let child = children.running {
            self.log.notice(
                "Background append only file rewriting started by pid \(child.process)")
        }
    }

    /// Brings an increment that is finished to the disk and closes it.
    private func retire(_ descriptor: Int32) {
        guard descriptor >= 0, let background else { return }
        if settings.appendSync == .everySecond { syncInBackground(descriptor) }
        background.submit(.close(descriptor))
    }

    // MARK: - The base

    private static func temporaryBase(of process: Int32) -> String {
        "temp-rewriteaof-bg-\(process).aof"
    }

    private func writeBase(
        to path: String, isSnapshot: Bool, _ reporter: inout ChildReporter
    ) throws(SystemError) {
        var keys = 0
        try writeBase(to: path, isSnapshot: isSnapshot) { written in
            keys = written
            reporter.tellNowAndThen(keys: written)
        }
        let copied = reporter.tell(keys: keys).copiedBytes
        log.notice("Fork CoW for AOF rewrite: current \(copied >> 20) MB")
    }

    /// Writes all data to a new file, and that to the disk.
    private func writeBase(
        to path: String, isSnapshot: Bool, _ onProgress: (Int) -> Void
    ) throws(SystemError) {
        do throws(SystemError) {
            let file = try File(path, .create)
            if isSnapshot {
                try fillSnapshot(file.descriptor, isAppendOnlyBase: true, onProgress)
            } else {
                let writer = CommandSnapshotWriter(
                    keyspace: keyspace, compresses: settings.snapshotCompression,
                    dialect: dumpDialect,
                    noteSeconds: settings.aofTimestamps ? clock.wallMilliseconds / 1000 : nil,
                    keyDelayMicroseconds: settings.snapshotKeyDelayMicroseconds)
                try writer.write(to: file.descriptor, onProgress: onProgress)
            }
            try file.sync()
        } catch {
            File.removeIfPresent(path)
            log.warning(
                "Failed to write the new base of the AOF \(FileTrouble(path, error).text)")
            throw error
        }
    }

    // MARK: - Afterwards

    /// The child that was rewriting is gone.
    func rewriteEnded(_ child: ForkedChild, _ ending: Child.Ending) {
        appendOnly.lastCopiedBytes = child.report.copiedBytes
        let milliseconds = clock.monotonicMilliseconds - child.startedMilliseconds
        appendOnly.lastSeconds = milliseconds / 1000
        let temporary = Self.temporaryBase(of: child.process)
        switch ending {
        case .exited(status: 0):
            log.notice("Background AOF rewrite terminated with success")
            do throws(SystemError) {
                return try finishRewrite(temporary)
            } catch {
                log.warning(
                    "Error trying to put the rewritten AOF in place: "
                        + FileTrouble(appendOnly.log.folder, error).text)
            }
        case .exited: log.warning("Background AOF rewrite terminated with error")
        case .signalled(let number):
            log.warning("Background AOF rewrite terminated by signal \(number)")
        }
        File.removeIfPresent(temporary)
        noteRewriteFailure()
    }

    private func finishRewrite(_ temporary: String) throws(SystemError) {
        try appendOnly.log.rebase(on: temporary, isSnapshot: appendOnly.rewritesSnapshot)
        if appendOnly.mode == .starting { appendOnly.advance(to: .on) }
        appendOnly.rewrittenBytes = appendOnly.log.totalBytes
        appendOnly.lastSucceeded = true
        appendOnly.rewrites += 1
        appendOnly.consecutiveFailures = 0
        removeHistory()
        if appendOnly.isDistrusted && appendOnly.log.isOpen {
            try appendOnly.log.sync()
            trustFile()
            log.warning("The rewritten AOF is on the disk. The server can write again.")
        }
        log.notice("Background AOF rewrite finished successfully")
    }

    /// Removes what a rewrite has made history, unless it is kept on purpose (`aof-disable-auto-gc`).
    func removeHistory() {
        guard !settings.aofKeepsHistory else { return }
        for path in appendOnly.log.historyPaths {
            log.notice("Removing the history file \(path) in the background")
            if let background, appendOnly.mode != .off {
                background.submit(.unlink(path: Array(path.utf8)))
            } else {
                // The next increment may get the name of one of them.
                File.removeIfPresent(path)
            }
        }
        do throws(SystemError) {
            try appendOnly.log.forgetHistory()
        } catch {
            log.warning("Can't take history files out of the AOF manifest: \(error.message)")
        }
    }

    private func noteRewriteFailure() {
        appendOnly.lastSucceeded = false
        appendOnly.consecutiveFailures += 1
        appendOnly.nextRewriteTry = clock.monotonicMilliseconds + Self.retryMilliseconds
        if appendOnly.mode == .starting { dropTemporaryIncrement() }
        if appendOnly.mode == .starting || appendOnly.isDistrusted {
            appendOnly.isRewriteWanted = true
        }
    }

    private static let retryMilliseconds: Int64 = 1000
    /// Failures in a row after which rewrites that nobody asked for rest.
    private static let toleratedFailures = 3

    /// Whether rewrites rest because they failed again and again: one minute, then two, four, up to an
    /// hour.
    private func isRewriteResting() -> Bool {
        guard appendOnly.consecutiveFailures >= Self.toleratedFailures else {
            (appendOnly.restMinutes, appendOnly.restsUntil) = (0, 0)
            return false
        }
        let now = clock.monotonicMilliseconds
        if appendOnly.restsUntil != 0 {
            if now < appendOnly.restsUntil { return true }
            appendOnly.restsUntil = 0
            return false
        }
        appendOnly.restMinutes = min(60, max(1, appendOnly.restMinutes * 2))
        appendOnly.restsUntil = now + Int64(appendOnly.restMinutes) * 60_000
        log.warning(
            "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in "
                + "\(appendOnly.restMinutes) minutes")
        return true
    }

    private func dropTemporaryIncrement() {
        guard appendOnly.log.isOpen else { return }
        log.notice("Removing the temp incr aof file in the background")
        appendOnly.log.close()
        followPropagation()
    }

    /// Ends the child that is rewriting, if there is one; its file goes with it.
    func stopRewriteChild() {
        guard let child = killChild(at: .rewrite) else { return }
        log.notice("Killing running AOF rewrite child: \(child.process)")
        File.removeIfPresent(Self.temporaryBase(of: child.process))
        if appendOnly.mode == .starting { dropTemporaryIncrement() }
    }

    // MARK: - When it is time

    /// Begins a rewrite when everything has grown by `auto-aof-rewrite-percentage` since the last one.
    func rewriteIfGrown() {
        guard appendOnly.mode == .on, !hasChild, settings.aofRewritePercent > 0 else { return }
        let bytes = appendOnly.log.totalBytes
        guard bytes > settings.aofRewriteMinBytes else { return }
        let base = max(1, appendOnly.rewrittenBytes)
        let growth = (Double(bytes) / Double(base) - 1) * 100
        guard growth >= Double(settings.aofRewritePercent) else { return }
        if isRewriteResting() { return }
        log.notice(
            "Starting automatic rewriting of AOF on \(NumberText.fixed(growth, decimals: 0))% growth"
        )
        wantRewrite()
    }

    // MARK: - At the start

    /// Begins to append, to what was loaded.
    func beginAppending() throws(SystemError) {
        let files = appendOnly.log
        try File.createFolder(files.folder)
        if files.manifest.isEmpty {
            let isSnapshot = settings.aofUsesSnapshotPreamble
            let temporary = "temp-rewriteaof-\(Process.processIdentifier).aof"
            try writeBase(to: temporary, isSnapshot: isSnapshot) { _ in }
            try files.rebase(on: temporary, isSnapshot: isSnapshot)
            log.notice("Creating AOF base file \(files.manifest.base?.name ?? "") on server start")
        }
        let verb = files.manifest.increments.isEmpty ? "Creating" : "Opening"
        try files.openLastIncrement()
        log.notice(
            "\(verb) AOF incr file \(files.manifest.increments.last?.name ?? "") on server start")
        appendOnly.advance(to: .on)
        keyspace.feed.selectAnew()
        followPropagation()
        removeHistory()
    }
}
