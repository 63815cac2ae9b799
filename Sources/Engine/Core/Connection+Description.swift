/// How a connection is described in CLIENT LIST, CLIENT INFO and the log.
extension Server {
    func describe(_ connection: Connection) -> String {
        let age = max(0, clock.wallMilliseconds - connection.createdAt) / 1000
        let idle = max(0, clock.monotonicMilliseconds - connection.lastInteraction) / 1000
        let command =
            connection.lastCommand >= 0 ? commands[connection.lastCommand].fullName : "NULL"
        let events = connection.watchesWritable ? "rw" : "r"
        let qbuf = connection.pending.count + (connection.large?.heldBytes ?? 0)
        let qbufFree = max(0, connection.inputMemory - qbuf)
        return "id=\(connection.id) addr=\(connection.peerName) laddr=\(connection.localName)"
            + " fd=\(connection.descriptorNumber) name=\(connection.session.name) age=\(age)"
            + " idle=\(idle) flags=\(flags(of: connection)) db=\(connection.session.database)"
            + " sub=0 psub=0 ssub=0 multi=-1 watch=0 qbuf=\(qbuf) qbuf-free=\(qbufFree)"
            + " argv-mem=0 multi-mem=0 rbs=\(max(connection.reply.capacity, 1024))"
            + " rbp=\(connection.replyPeak) obl=\(connection.reply.count) oll=0"
            + " omem=\(connection.outputMemory) tot-mem=\(connection.memoryBytes)"
            + " events=\(events) cmd=\(command) user=\(connection.session.user) redir=-1"
            + " resp=\(connection.session.protocolVersion)"
            + " lib-name=\(connection.session.libraryName)"
            + " lib-ver=\(connection.session.libraryVersion)"
            + " tot-net-in=\(connection.inputBytes) tot-net-out=\(connection.outputBytes)"
            + " tot-cmds=\(connection.commandCount)"
    }

    /// One letter for each peculiarity, `N` for none.
    private func flags(of connection: Connection) -> String {
        var flags = ""
        if connection.gate.contains(.blocked) { flags += "b" }
        if connection.gate.contains(.closing) {
            flags += connection.closesAfterReply ? "c" : "A"
        }
        if connection.isUnixSocket { flags += "U" }
        if connection.session.isSparedFromEviction { flags += "e" }
        if connection.session.leavesAccessUntouched { flags += "T" }
        return flags.isEmpty ? "N" : flags
    }
}
