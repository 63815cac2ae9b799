import Glibc
import Reactor

/// Taking over all data of a primary: through a file, or straight from the socket.
extension Server {
    // MARK: - Receiving

    func beginReceiving(_ link: PrimaryLink, id: String, offset: Int) {
        link.snapshot = IncomingSnapshot(id: id, offset: offset)
        link.wasDropped = false
        link.advance(to: .transfer)
    }

    func receiveSnapshot(_ link: PrimaryLink) {
        while link.snapshot?.hasBegun == false {
            guard let line = link.takeLine() else {
                if link.input.count > PrimaryLink.longestLine { loseLink() }
                return
            }
            guard begin(link, line) else { return loseLink() }
        }
        guard let snapshot = link.snapshot else { return }
        if snapshot.file < 0 { return wantLoad(link) }
        do throws(SystemError) {
            if try store(link) { wantLoad(link) }
        } catch {
            log.warning(
                "Write error or short write writing to the DB dump file needed for MASTER <-> REPLICA "
                    + "synchronization: \(error.message)")
            loseLink()
        }
    }

    /// The line before the snapshot; false if it is none.
    private func begin(_ link: PrimaryLink, _ line: String) -> Bool {
        if line.isEmpty { return true }
        if line.hasPrefix("-") {
            log.warning("MASTER aborted replication with an error: \(line.dropFirst())")
            return false
        }
        if line.hasPrefix("$EOF:"), line.utf8.count == 45 {
            link.snapshot?.mark = Array(line.utf8.dropFirst(5))
        } else if line.hasPrefix("$"), let bytes = Int(line.dropFirst()), bytes >= 0 {
            link.snapshot?.bytes = bytes
        } else {
            log.warning(
                "Bad protocol from MASTER, the first byte is not '$' (we received '\(line.prefix(128))'), "
                    + "are you sure the host and port are right?")
            return false
        }
        link.snapshot?.hasBegun = true
        link.snapshot?.startedAt = clock.monotonicMilliseconds
        let target = loadsFromSocket ? "parser" : "disk"
        if let bytes = link.snapshot?.bytes {
            log.notice("MASTER <-> REPLICA sync: receiving \(bytes) bytes from master to \(target)")
        } else {
            log.notice(
                "MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to \(target)")
        }
        return loadsFromSocket || openTarget(link)
    }

    /// Whether a snapshot is loaded as it comes.
    private var loadsFromSocket: Bool {
        switch settings.disklessLoad {
        case .disabled: false
        case .swapDatabase, .flushBeforeLoad: true
        case .onEmptyDatabase:
            (0..<keyspace.databaseCount).allSatisfy { keyspace[$0].count == 0 }
        }
    }

    private func openTarget(_ link: PrimaryLink) -> Bool {
        let path = "temp-\(clock.wallMilliseconds / 1000).\(Process.processIdentifier).rdb"
        do throws(SystemError) {
            link.snapshot?.file = try File(path, .create).release()
            link.snapshot?.path = path
            return true
        } catch {
            log.warning(
                "Opening the temp file needed for MASTER <-> REPLICA synchronization: \(error.message)"
            )
            return false
        }
    }

    /// Writes what has come to the file; true once that is whole.
    private func store(_ link: PrimaryLink) throws(SystemError) -> Bool {
        guard var snapshot = link.snapshot else { return false }
        defer { if link.snapshot != nil { link.snapshot = snapshot } }
        let bytes = link.input.view.prefix(
            min(link.input.count, (snapshot.bytes ?? .max) - snapshot.receivedBytes))
        try File.writeAll(bytes.rawBuffer, to: snapshot.file)
        snapshot.receivedBytes += bytes.count
        var isWhole = snapshot.bytes.map { snapshot.receivedBytes >= $0 } ?? false
        if snapshot.bytes == nil {
            snapshot.tail += bytes.dropFirst(max(0, bytes.count - 40)).array
            snapshot.tail.removeFirst(max(0, snapshot.tail.count - 40))
            if snapshot.tail == snapshot.mark {
                isWhole = true
                try File.truncate(snapshot.file, to: snapshot.receivedBytes - 40)
            }
        }
        link.input.drain(bytes.count)
        return isWhole
    }

    /// A snapshot that is given up, or was loaded.
    func dropSnapshot(_ link: PrimaryLink) {
        guard let snapshot = link.snapshot else { return }
        link.snapshot = nil
        if snapshot.file >= 0 {
            FileDescriptor.close(snapshot.file)
            File.removeIfPresent(snapshot.path)
        }
    }

    // MARK: - Loading

    /// Loading serves others meanwhile, so it waits for a moment at which nobody is being served.
    private func wantLoad(_ link: PrimaryLink) {
        guard link.state == .transfer else { return }
        link.advance(to: .loading)
        network?.unwatchPrimary(link)
        timers.add(at: clock.monotonicMilliseconds, payload: .synchronize)
    }

    func loadFromPrimary() {
        guard let link = replication.link, link.state == .loading, let snapshot = link.snapshot
        else { return }
        // What was there before is not the beginning of anything any more.
        replication.mayContinue = false
        dropReplicas("all data is replaced")
        // A child would save what is about to go; with nobody waiting no other one follows it.
        if child(at: .snapshot) != nil { stopSnapshotChild() }
        // A new file begins with the new data.
        if appendOnly.mode != .off { suspendAppending() }
        dropHistory()
        do throws(DumpError) {
            let report =
                snapshot.file >= 0
                ? try loadReceivedFile(link, snapshot) : try loadFromSocket(link, snapshot)
            guard replication.link === link, link.socket >= 0, !lifecycle.shouldStop else { return }
            begin(link, snapshot, report)
        } catch {
            guard replication.link === link else { return }
            log.warning(
                "Failed trying to load the MASTER synchronization DB from "
                    + (snapshot.file >= 0 ? "disk" : "socket")
                    + ": \(error.text), check server logs.")
            if snapshot.file >= 0 { removeOldData() }
            link.advance(to: .transfer)
            loseLink()
        }
    }

    private func begin(
        _ link: PrimaryLink, _ snapshot: IncomingSnapshot, _ report: SnapshotReport
    ) {
        dropSnapshot(link)
        replication.id = snapshot.id
        replication.offset = snapshot.offset
        replication.previousID = ReplicationState.noID
        replication.previousEnd = -1
        replication.database = max(0, report.fact("repl-stream-db").flatMap { Int($0) } ?? 0)
        log.notice("MASTER <-> REPLICA sync: Finished with success")
        try? network?.watchPrimary(link, .readable)
        follow(link)
        if link.state == .connected { advance(link) }
        resumeAppending()
    }

    private func removeOldData() {
        log.notice("MASTER <-> REPLICA sync: Flushing old data")
        for index in 0..<keyspace.databaseCount {
            keyspace[index].removeAll(lazily: settings.replicaLazyFlush)
        }
        if keyspace.interest.contains(.tracking) { invalidateAll() }
        followEvents()
    }

    private func loadReceivedFile(
        _ link: PrimaryLink, _ snapshot: IncomingSnapshot
    ) throws(DumpError) -> SnapshotReport {
        do throws(SystemError) {
            try File(owning: snapshot.file).sync()
            link.snapshot?.file = -1
            try File.rename(snapshot.path, to: settings.snapshotFileName)
        } catch {
            link.snapshot?.file = -1
            File.removeIfPresent(snapshot.path)
            throw .system(error)
        }
        removeOldData()
        log.notice("MASTER <-> REPLICA sync: Loading DB in memory")
        let report = try loadSnapshot(servesMeanwhile: true)
        if settings.deletesSyncFiles && settings.savePoints.isEmpty && !settings.appendOnly {
            log.notice("Removing the RDB file obtained from the master.")
            File.removeIfPresent(settings.snapshotFileName)
        }
        return report ?? SnapshotReport()
    }

    /// Loads what comes over the socket, into databases of their own where the old data is to be served
    /// meanwhile.
    private func loadFromSocket(
        _ link: PrimaryLink, _ snapshot: IncomingSnapshot
    ) throws(DumpError) -> SnapshotReport {
        let swaps = settings.disklessLoad == .swapDatabase
        // Old data of another history must not be mistaken for that of this one.
        let servesOld = swaps && snapshot.id == replication.id
        let shadows = swaps ? keyspace.makeShadows() : []
        defer { keyspace.dropShadows(shadows) }
        if !swaps { removeOldData() }
        var reader = DumpReader(
            stream: link.socket, bytes: snapshot.bytes, behind: link.input.view,
            checks: checksSnapshots
        ) { [self] () throws(SystemError) in try waitForPrimary(link) }
        // The stream may have come right behind it.
        link.input.drain(min(link.input.count, snapshot.bytes ?? .max))
        var options = SnapshotReader.Options()
        options.shadows = shadows
        log.notice("MASTER <-> REPLICA sync: Loading DB in memory")
        do throws(DumpError) {
            beginLoading(snapshot.bytes ?? 0, servesOldData: servesOld)
            defer { endLoading() }
            let report = try load(from: &reader, options, servesMeanwhile: true)
            guard try hasMark(&reader, snapshot.mark) else {
                throw .corrupt("Replication stream EOF marker is broken")
            }
            if swaps {
                log.notice("MASTER <-> REPLICA sync: Discarding old DB in background")
                takeOver(shadows)
            }
            return report
        } catch {
            if !swaps { removeOldData() }
            throw error
        }
    }

    private func hasMark(
        _ reader: inout DumpReader, _ mark: [UInt8]
    ) throws(DumpError) -> Bool {
        if mark.isEmpty { return true }
        reader.beginRecord()
        return reader.view(try reader.raw(mark.count)).array == mark
    }

    private func takeOver(_ shadows: [Database]) {
        for (index, shadow) in shadows.enumerated() {
            keyspace[index].swapContents(with: shadow)
            keyspace.recordWholesale(.swapped, index)
        }
        if keyspace.interest.contains(.tracking) { invalidateAll() }
        followEvents()
    }

    /// Serves others until the primary has sent more.
    private func waitForPrimary(_ link: PrimaryLink) throws(SystemError) {
        let start = Clock.monotonicNanoseconds()
        let limit = UInt64(settings.replicationTimeoutSeconds) * 1_000_000_000
        repeat {
            serveMeanwhile()
            guard replication.link === link, link.socket >= 0, !lifecycle.shouldStop else {
                throw SystemError("recv", code: ECANCELED)
            }
            if try Socket.wait(link.socket, for: .readable, milliseconds: 5) {
                link.lastInput = clock.monotonicMilliseconds
                return
            }
        } while Clock.monotonicNanoseconds() - start < limit
        throw SystemError("recv", code: ETIMEDOUT)
    }
}
