/// WAIT and WAITAOF: a client that goes on once what it wrote is on so many replicas, or disks.
///
/// Replicas report once a second how far they are; for a client that waits they are asked at once, one
/// question for all who began to wait in a turn.
struct CopyWait {
    /// The end of what the client wrote, in the history of changes.
    let offset: Int
    let replicas: Int
    /// Whether disks are meant, and the own one among them.
    let isOfDisks: Bool
    let wantsOwnDisk: Bool

    /// How many places there are now.
    struct Outcome {
        let isOnOwnDisk: Bool
        let replicas: Int
    }

    func outcome(in server: Server) -> Outcome {
        Outcome(
            isOnOwnDisk: server.isOnOwnDisk(offset),
            replicas: server.copies(of: offset, onDisk: isOfDisks))
    }

    func isOver(in server: Server) -> Bool {
        let outcome = outcome(in: server)
        return (!wantsOwnDisk || outcome.isOnOwnDisk) && outcome.replicas >= replicas
    }

    /// Whether there can be no end to it: the file it asks for is kept no longer.
    func isHopeless(in server: Server) -> Bool { wantsOwnDisk && server.appendOnly.mode == .off }

    /// Replies how many places there are.
    func writeOutcome(in server: Server, to reply: inout ReplyWriter) {
        let outcome = outcome(in: server)
        guard isOfDisks else { return reply.integer(outcome.replicas) }
        reply.array(2)
        reply.integer(outcome.isOnOwnDisk ? 1 : 0)
        reply.integer(outcome.replicas)
    }
}
