import Reactor

/// WAIT and WAITAOF: clients that go on once what they wrote is in several places.
///
/// Replicas tell once a second how far they are; somebody who waits has them asked at once, one question
/// for all who began to wait in a turn. Every answer is a chance to go on; one timer a client ends the
/// wait.
extension Server {
    /// Makes the client of `call` wait until enough places have what it wrote.
    ///
    /// - Parameter deadline: in monotonic milliseconds; nil: for ever.
    func park(_ call: inout Call, _ wait: CopyWait, until deadline: Int64?) {
        let connection = call.connection
        connection.gate.insert(.blocked)
        let parked = ParkedRequest(call.arguments, command: call.command)
        if let deadline {
            parked.timer = timers.add(at: deadline, payload: .unblock(client: connection.id))
        }
        connection.parked = parked
        replication.waiters[connection.id] = wait
        replication.asksReplicas = true
    }

    /// Replicas that have, or have on their disks, everything up to `offset`.
    func copies(of offset: Int, onDisk: Bool) -> Int {
        replication.replicas.count { connection in
            guard let replica = connection.replica, replica.stage == .online else { return false }
            return (onDisk ? replica.synced : replica.acknowledged) >= offset
        }
    }

    /// Whether the own file has everything up to `offset` on the disk.
    func isOnOwnDisk(_ offset: Int) -> Bool {
        appendOnly.mode == .on && appendOnly.syncedOffset >= offset
    }

    func isOver(_ wait: CopyWait) -> Bool {
        (!wait.wantsOwnDisk || isOnOwnDisk(wait.offset))
            && copies(of: wait.offset, onDisk: wait.isOfDisks) >= wait.replicas
    }

    /// Replies how many places there are by now.
    func write(outcomeOf wait: CopyWait, to reply: inout ReplyWriter) {
        let copies = copies(of: wait.offset, onDisk: wait.isOfDisks)
        guard wait.isOfDisks else { return reply.integer(copies) }
        reply.array(2)
        reply.integer(isOnOwnDisk(wait.offset) ? 1 : 0)
        reply.integer(copies)
    }

    /// Asks all replicas how far they are.
    func askReplicas() {
        replication.asksReplicas = false
        tellReplicas("*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n")
    }

    /// Lets those go on for whom there are enough places now, or one can be there no more.
    func serveCopyWaiters() {
        for (client, wait) in replication.waiters.sorted(by: { $0.key < $1.key }) {
            let isHopeless = wait.wantsOwnDisk && appendOnly.mode == .off
            guard isHopeless || isOver(wait), let connection = connections.find(id: client)
            else { continue }
            _ = unblock(connection, isHopeless ? .noOwnDisk : .timeout)
        }
    }
}
