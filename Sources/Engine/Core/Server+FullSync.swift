import Glibc
import Reactor

/// A snapshot that a child writes and several replicas receive at the same time, without a file.
final class SnapshotTransfer {
    /// What the child writes to; the other end of its pipe.
    let descriptor: Int32
    fileprivate(set) var receivers: ContiguousArray<Connection>
    /// A piece that has come and is not at all receivers yet.
    fileprivate var piece = ByteBuffer()
    fileprivate var isWatched = true
    /// The child has written all it had.
    fileprivate var isAtEnd = false
    /// How the child ended; nil while it lives.
    fileprivate var hasSucceeded: Bool?

    fileprivate static let pieceBytes = 256 * 1024

    init(_ descriptor: Int32, _ receivers: ContiguousArray<Connection>) {
        self.descriptor = descriptor
        self.receivers = receivers
    }
}

/// Giving a replica all data: a snapshot by a child, through a file or straight into the sockets, and then
/// the stream from the moment of the fork on.
extension Server {
    func synchronizeFully(_ connection: Connection, _ replica: Replica) {
        replication.counters.fullSyncs += 1
        list(connection, .waiting)
        if replication.stream == nil {
            if !replication.isReplica {
                renameHistory(remembers: false)
                log.notice(
                    "Replication backlog created, my new replication IDs are '\(replication.id)' and "
                        + "'\(replication.previousID)'")
            }
            keepHistory()
        }
        if let child = child(at: .snapshot) {
            return joinSave(connection, replica, child)
        }
        if isDiskless(replica) && settings.disklessSyncDelaySeconds > 0 {
            return log.notice("Delay next BGSAVE for diskless SYNC")
        }
        guard maySync else {
            return log.notice(
                "No BGSAVE in progress, but another BG operation is active. BGSAVE for replication "
                    + "delayed")
        }
        beginSync()
    }

    private func isDiskless(_ replica: Replica) -> Bool {
        replica.content == .nothing
            || (settings.disklessSync && replica.capabilities.contains(.endMark))
    }

    /// A save is going on; a replica may share its outcome if another one waits for it already.
    private func joinSave(_ connection: Connection, _ replica: Replica, _ child: ForkedChild) {
        guard child.isToFile else {
            return log.notice(
                "Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC")
        }
        let other = replication.replicas.lazy.filter(waitsForFile).compactMap(\.replica).first {
            $0.capabilities.isSubset(of: replica.capabilities)
                && $0.content == replica.content
        }
        guard let other else {
            return log.notice(
                "Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for SYNC")
        }
        beginReceiving(connection, at: other.position)
        log.notice("Waiting for end of BGSAVE for SYNC")
    }

    // MARK: - Beginning

    /// Whether a save for replicas may begin: one at a time, until all of it is sent; and never in the
    /// middle of a transaction.
    private var maySync: Bool {
        !hasChild && replication.transfer == nil && !transactions.isRunning
    }

    /// Whether a replica gets the file that a child is writing.
    func waitsForFile(_ connection: Connection) -> Bool {
        connection.replica?.stage == .saving && !isReceiving(connection)
    }

    /// Begins a save for replicas that have waited long enough.
    func beginWantedSync() {
        guard maySync else { return }
        var waiting = 0
        var longest: Int64 = 0
        var isDiskless = false
        for connection in replication.replicas {
            guard let replica = connection.replica, replica.stage == .waiting else { continue }
            waiting += 1
            longest = max(longest, clock.monotonicMilliseconds - replica.waitsSince)
            if self.isDiskless(replica) { isDiskless = true }
        }
        guard waiting > 0 else { return }
        let isComplete =
            settings.disklessSyncMaxReplicas > 0 && waiting >= settings.disklessSyncMaxReplicas
        let delay = Int64(settings.disklessSyncDelaySeconds) * 1000
        guard !isDiskless || isComplete || longest >= delay else { return }
        beginSync()
    }

    /// Forks a child that saves for the replicas that wait: for as many as want the same.
    private func beginSync() {
        let waiting = ContiguousArray(
            replication.replicas.filter { $0.replica?.stage == .waiting })
        guard let first = waiting.first?.replica else { return }
        let usesSockets = isDiskless(first)
        let alike: ContiguousArray<Connection> = waiting.filter {
            $0.replica.map { $0.content == first.content && isDiskless($0) == usesSockets } ?? false
        }
        handEffectsOver(mayPostpone: false)
        log.notice(
            "Starting BGSAVE for SYNC with target: "
                + (usesSockets ? "replicas sockets" : "disk"))
        // The first request behind the snapshot tells what it applies to.
        keyspace.feed.selectAnew()
        if usesSockets {
            beginTransfer(to: alike, content: first.content)
        } else if saveInBackground(isForReplicas: true) {
            for connection in alike { beginReceiving(connection, at: replication.offset) }
        } else {
            failSync(alike)
        }
    }

    private func failSync(_ waiting: ContiguousArray<Connection>) {
        log.warning("BGSAVE for replication failed")
        for connection in waiting {
            tell(connection, "-ERR BGSAVE failed, replication can't continue\r\n")
            closeSoon(connection)
        }
    }

    /// Tells a replica from where the stream will go on behind the snapshot.
    private func beginReceiving(_ connection: Connection, at offset: Int) {
        guard let replica = connection.replica else { return }
        replica.advance(to: .saving)
        replica.position = offset
        guard !replica.isSilent else { return }
        tell(connection, "+FULLRESYNC \(replication.id) \(offset)\r\n")
    }

    /// Sends a line at once: a command of the connection may be running, with another buffer for its
    /// reply.
    private func tell(_ connection: Connection, _ line: String) {
        connection.withReply { reply in
            replyPool.lend(to: &reply)
            line.withByteView { reply.raw($0) }
        }
        if connection.transport.isOpen { send(connection) }
    }

    // MARK: - Through a file

    /// The snapshot that replicas waited for is written, or was not.
    func snapshotEndedForReplicas(succeeded: Bool) {
        let waiting = replication.replicas.filter(waitsForFile)
        for connection in waiting {
            guard let replica = connection.replica else { continue }
            guard succeeded, let file = try? File(settings.snapshotFileName, .read),
                let size = try? file.size()
            else {
                log.warning("SYNC failed. BGSAVE child returned an error")
                close(connection, "no snapshot")
                continue
            }
            replica.fileBytes = size
            replica.fileOffset = 0
            replica.file = file.release()
            replica.advance(to: .sending)
            tell(connection, "$\(size)\r\n")
            serveReplica(connection)
        }
        beginWantedSync()
    }

    /// Sent to one replica before others get their turn.
    private static let fileBytesPerTurn = 4 << 20

    func sendFile(to connection: Connection) {
        guard let replica = connection.replica else { return }
        let end = min(replica.fileBytes, replica.fileOffset + Self.fileBytesPerTurn)
        while replica.fileOffset < end {
            switch connection.transport.sendFile(
                replica.file, at: replica.fileOffset, count: end - replica.fileOffset)
            {
            case .bytes(0), .closed, .failed:
                log.warning("Sending the snapshot to \(name(of: connection)) failed")
                return closeSoon(connection)
            case .bytes(let count):
                replica.fileOffset += count
                replica.acknowledgedAt = clock.monotonicMilliseconds
                statistics.outputBytes &+= count
                statistics.replicationOutputBytes &+= count
            case .wouldBlock: return waitForRoom(connection)
            }
        }
        if replica.fileOffset < replica.fileBytes { return waitForRoom(connection) }
        FileDescriptor.close(replica.file)
        replica.file = -1
        putOnline(connection)
    }

    // MARK: - Straight into the sockets

    private func beginTransfer(to receivers: ContiguousArray<Connection>, content: Replica.Content)
    {
        do throws(SystemError) {
            let (reading, writing) = try Pipe.open()
            let mark = Self.randomIdentifier()
            do throws(SystemError) {
                try forkChild(
                    .snapshot, title: "apus-rdb-to-slaves", isForReplicas: true, isToFile: false
                ) { (reporter: inout ChildReporter) throws(SystemError) in
                    FileDescriptor.close(reading)
                    try writeSnapshot(to: writing, mark: mark, content, &reporter)
                }
            } catch {
                FileDescriptor.close(reading)
                FileDescriptor.close(writing)
                throw error
            }
            FileDescriptor.close(writing)
            let transfer = SnapshotTransfer(reading, receivers)
            replication.transfer = transfer
            try network?.watchTransfer(reading)
        } catch {
            log.warning("Can't save in background: fork: \(error.message)")
            return failSync(receivers)
        }
        if let child = children.running {
            log.notice("Background RDB transfer started by pid \(child.process)")
        }
        for connection in receivers {
            connection.replica?.pieceSent = 0
            beginReceiving(connection, at: replication.offset)
        }
    }

    private func writeSnapshot(
        to descriptor: Int32, mark: String, _ content: Replica.Content,
        _ reporter: inout ChildReporter
    ) throws(SystemError) {
        var keys = 0
        try File.writeAll(Array("$EOF:\(mark)\r\n".utf8), to: descriptor)
        try fillSnapshot(descriptor, isEmpty: content == .nothing) { written in
            keys = written
            reporter.tellNowAndThen(keys: written)
        }
        try File.writeAll(Array(mark.utf8), to: descriptor)
        _ = reporter.tell(keys: keys)
        // It counts as at work until all was read.
        FileDescriptor.close(descriptor)
        try reporter.waitForLeave()
    }

    private static let piecesPerTurn = 16

    /// The child has written something, or ended.
    func serveTransfer() {
        guard let transfer = replication.transfer else { return }
        // Others get their turn, however fast the child is.
        for _ in 0..<Self.piecesPerTurn where transfer.piece.isEmpty && !transfer.isAtEnd {
            let room = transfer.piece.writable(minimum: SnapshotTransfer.pieceBytes)
            switch Pipe.read(transfer.descriptor, into: room) {
            case .bytes(let count):
                transfer.piece.commit(count)
                for connection in transfer.receivers { connection.replica?.pieceSent = 0 }
                for connection in transfer.receivers { passPieceOn(to: connection) }
                finishPiece()
            case .wouldBlock: return
            case .closed:
                transfer.isAtEnd = true
                log.notice(
                    "Diskless rdb transfer, done reading from pipe, \(transfer.receivers.count) "
                        + "replicas still up.")
                network?.unwatchTransfer(transfer.descriptor)
                transfer.isWatched = false
                giveLeave(toChildAt: .snapshot)
                finishTransfer()
            case .failed(let error):
                log.warning("Diskless rdb transfer, read error: \(error.message)")
                endTransfer(succeeded: false)
            }
            if replication.transfer !== transfer { return }
        }
    }

    /// Sends a receiver what it lacks of the piece.
    func passPieceOn(to connection: Connection) {
        guard let transfer = replication.transfer, let replica = connection.replica,
            connection.reply.isEmpty,
            transfer.receivers.contains(where: { $0 === connection })
        else { return }
        while replica.pieceSent < transfer.piece.count {
            switch connection.transport.send(transfer.piece.view.dropFirst(replica.pieceSent)) {
            case .bytes(let count):
                replica.pieceSent += count
                replica.acknowledgedAt = clock.monotonicMilliseconds
                statistics.outputBytes &+= count
                statistics.replicationOutputBytes &+= count
            case .wouldBlock: return waitForRoom(connection)
            case .closed, .failed:
                log.warning(
                    "Diskless rdb transfer, write error sending DB to replica")
                return closeSoon(connection)
            }
        }
        if !transfer.isWatched { finishPiece() }
    }

    /// Goes on with the next piece once all receivers have this one.
    private func finishPiece() {
        guard let transfer = replication.transfer, !transfer.piece.isEmpty else { return }
        let isEverywhere = transfer.receivers.allSatisfy {
            ($0.replica?.pieceSent ?? .max) >= transfer.piece.count
        }
        guard isEverywhere else {
            guard transfer.isWatched else { return }
            transfer.isWatched = false
            network?.unwatchTransfer(transfer.descriptor)
            return
        }
        transfer.piece.removeAll()
        if transfer.isAtEnd { return finishTransfer() }
        guard !transfer.isWatched else { return }
        transfer.isWatched = true
        try? network?.watchTransfer(transfer.descriptor)
    }

    /// A receiver is gone; without any, the child's work is for nobody.
    func leaveTransfer(_ connection: Connection) {
        guard let transfer = replication.transfer else { return }
        let before = transfer.receivers.count
        transfer.receivers.removeAll { $0 === connection }
        guard transfer.receivers.count < before else { return }
        if !transfer.receivers.isEmpty { return finishPiece() }
        // Another child may be at work by now.
        guard let child = child(at: .snapshot), !child.isToFile else {
            return endTransfer(succeeded: false)
        }
        log.notice("Diskless rdb transfer, last replica dropped, killing fork child.")
        stopSnapshotChild()
    }

    /// The child that wrote to the replicas has ended.
    func transferEnded(_ ending: Child.Ending) {
        switch ending {
        case .exited(status: 0):
            log.notice("Background RDB transfer terminated with success")
            replication.transfer?.hasSucceeded = true
            finishTransfer()
        case .exited:
            log.warning("Background transfer error")
            endTransfer(succeeded: false)
        case .signalled(let number):
            log.warning("Background transfer terminated by signal \(number)")
            endTransfer(succeeded: false)
        }
    }

    private func finishTransfer() {
        guard let transfer = replication.transfer, transfer.isAtEnd, transfer.piece.isEmpty,
            let hasSucceeded = transfer.hasSucceeded
        else { return }
        endTransfer(succeeded: hasSucceeded)
    }

    /// What was sent is whole, and the receivers wait for the stream; or it never will be, and they go.
    func endTransfer(succeeded: Bool) {
        guard let transfer = replication.transfer else { return }
        replication.transfer = nil
        if transfer.isWatched { network?.unwatchTransfer(transfer.descriptor) }
        FileDescriptor.close(transfer.descriptor)
        giveLeave(toChildAt: .snapshot)
        for connection in transfer.receivers {
            guard let replica = connection.replica else { continue }
            guard succeeded else {
                log.warning(
                    "Closing replica \(name(of: connection)): child->replica RDB transfer failed")
                close(connection, "transfer failed")
                continue
            }
            log.notice(
                "Streamed replica with replica \(name(of: connection)) via socket. Waiting for "
                    + "REPLCONF ACK from replica to enable streaming")
            replica.advance(to: .online)
            replica.holdsStreamBack = !replica.isSilent
            replica.acknowledgedAt = clock.monotonicMilliseconds
            if replica.isSilent || replica.wantsSnapshotOnly { putOnline(connection) }
        }
        beginWantedSync()
    }

    /// Ends receivers that take nothing any more.
    func dropStalledReceivers(_ limit: Int64) {
        let now = clock.monotonicMilliseconds
        for connection in replication.replicas {
            guard let replica = connection.replica, now - replica.acknowledgedAt > limit,
                replica.stage == .sending
                    || (replica.stage == .saving && isReceiving(connection)
                        && connection.watchesWritable)
            else { continue }
            log.warning("Disconnecting timedout replica (full sync): \(name(of: connection))")
            close(connection, "timed out")
        }
    }

    private func isReceiving(_ connection: Connection) -> Bool {
        replication.transfer?.receivers.contains { $0 === connection } ?? false
    }
}
