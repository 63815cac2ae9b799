/// How a connection is described in CLIENT LIST, CLIENT INFO and the log.
///
/// Up to `resp` the line is that of Redis 7.0, field by field, because scripts match on stretches of
/// it; what later versions know follows.
extension Server {
    /// - Parameter argumentBytes: what the arguments take of the request being executed, if
    ///   `connection` sent it.
    func describe(_ connection: Connection, argumentBytes: Int = 0) -> String {
        let session = connection.session
        let age = max(0, clock.wallMilliseconds - connection.createdAt) / 1000
        let command =
            connection.lastCommand >= 0 ? commands[connection.lastCommand].fullName : "NULL"
        let watched = transactions.watched.count(of: connection.id)
        return "id=\(connection.id) addr=\(connection.peerName) laddr=\(connection.localName)"
            + " fd=\(connection.descriptorNumber) name=\(session.name) age=\(age)"
            + " idle=\(idleSeconds(of: connection)) flags=\(flags(of: connection))"
            + " db=\(session.database)\(describeSubscriptions(of: connection))"
            + " multi=\(queued(by: connection))"
            + describeBuffers(of: connection, argumentBytes)
            + " events=\(events(of: connection)) cmd=\(command)"
            + " user=\(session.user?.shownName ?? "(superuser)")"
            + " redir=\(session.tracking.shownRedirection)"
            + " resp=\(session.protocolVersion) lib-name=\(session.libraryName)"
            + " lib-ver=\(session.libraryVersion) io-thread=0"
            + " tot-net-in=\(connection.inputBytes) tot-net-out=\(connection.outputBytes)"
            + " tot-cmds=\(connection.commandCount) watch=\(watched) capa=\(session.capabilities)"
    }

    /// What the log says in place of what users gave, where that is to be hidden.
    static let hidden = "*redacted*"

    /// The same for the log, which may have to hide what the client calls itself.
    func describeForLog(_ connection: Connection) -> String {
        guard settings.hidesUserDataFromLog else { return describe(connection) }
        return "id=\(connection.id) addr=\(connection.peerName) laddr=\(connection.localName)"
            + " fd=\(connection.descriptorNumber) name=\(Self.hidden) user=\(Self.hidden)"
    }

    private func describeSubscriptions(of connection: Connection) -> String {
        let place = connection.place
        return " sub=\(subscriptions.channels.count(of: place))"
            + " psub=\(subscriptions.patterns.count(of: place))"
            + " ssub=\(subscriptions.shards.count(of: place))"
    }

    /// Requests in the queue of a transaction, -1 outside of one.
    private func queued(by connection: Connection) -> Int {
        guard connection.gate.contains(.queueing) else { return -1 }
        return connection.transaction?.requests.count ?? 0
    }

    func idleSeconds(of connection: Connection) -> Int64 {
        max(0, clock.monotonicMilliseconds - connection.lastInteraction) / 1000
    }

    /// What is on its way in and out.
    ///
    /// Buffers are lent while they are used, so what an active connection has free is what it
    /// needed of late.
    private func describeBuffers(of connection: Connection, _ argumentBytes: Int) -> String {
        let query = unexecutedBytes(of: connection)
        let recent = max(connection.inputPeak, connection.inputRoom)
        let room = recent > 0 ? max(recent, Self.leastInputRoom) : 0
        let arguments = argumentBytes + (connection.large?.argumentBytes ?? 0)
        let unsent = connection.reply.count
        let atOnce = min(unsent, ReplyBlock.standardCapacity)
        let blocks =
            (unsent - atOnce + ReplyBlock.standardCapacity - 1) / ReplyBlock.standardCapacity
        let memory = blocks > 0 ? connection.outputMemory : 0
        // Whoever is being served has a reply buffer too, which is lent to the call.
        let total =
            connection.memoryBytes
            + (argumentBytes > 0 ? argumentBytes + ReplyBlock.standardCapacity : 0)
        return " qbuf=\(query) qbuf-free=\(max(0, room - query)) argv-mem=\(arguments)"
            + " multi-mem=\(connection.transactionMemory)"
            + " rbs=\(replyRoom(of: connection)) rbp=\(connection.replyPeak)"
            + " obl=\(atOnce) oll=\(blocks) omem=\(memory) tot-mem=\(total)"
    }

    /// The room for replies that a connection has, or needed of late: 1 KiB to 16 KiB.
    private func replyRoom(of connection: Connection) -> Int {
        let most = ReplyBlock.standardCapacity
        if connection.reply.capacity > 0 { return most }
        var room = 1024
        while room < min(connection.replyPeak, most) { room *= 2 }
        return room
    }

    /// What a connection that sends something is said to have room for.
    private static let leastInputRoom = 20_474

    /// Bytes received and not executed, those of the running request counted.
    private func unexecutedBytes(of connection: Connection) -> Int {
        var bytes = connection.pending.count + (connection.large?.unparsedBytes ?? 0)
        for index in 0..<slots.count where slots[index].connection === connection {
            bytes += slots[index].filled - slots[index].executed
        }
        return bytes
    }

    private func events(of connection: Connection) -> String {
        (connection.watchesReadable ? "r" : "") + (connection.watchesWritable ? "w" : "")
    }

    /// One letter for each peculiarity, `N` for none.
    func flags(of connection: Connection) -> String {
        var flags = ""
        let tracking = connection.session.tracking
        if connection.gate.contains(.replica) { flags += "S" }
        if connection.gate.contains(.primary) { flags += "M" }
        if connection.gate.contains(.monitoring) { flags += "O" }
        if connection.gate.contains(.subscribed) { flags += "P" }
        if connection.gate.contains(.queueing) { flags += "x" }
        if !connection.gate.isDisjoint(with: [.blocked, .paused]) { flags += "b" }
        if tracking.isOn { flags += "t" }
        if tracking.isRedirectionBroken { flags += "R" }
        if tracking.options.contains(.broadcast) { flags += "B" }
        if connection.transaction?.isBroken ?? false { flags += "d" }
        if connection.gate.contains(.closing) {
            flags += connection.closesAfterReply ? "c" : "A"
        }
        if connection.isUnixSocket { flags += "U" }
        if connection.session.isSparedFromEviction { flags += "e" }
        if connection.session.leavesAccessUntouched { flags += "T" }
        return flags.isEmpty ? "N" : flags
    }
}

extension Connection {
    /// The classes that CLIENT LIST and CLIENT KILL tell apart.
    enum Kind {
        case normal, primary, replica, subscriber
    }

    var kind: Kind {
        if gate.contains(.primary) { return .primary }
        if gate.contains(.replica) { return .replica }
        return gate.contains(.subscribed) ? .subscriber : .normal
    }

    /// The address alone of whoever is connected, without port and brackets.
    var peerAddress: String {
        guard let colon = peerName.lastIndex(of: ":") else { return peerName }
        let address = peerName[..<colon]
        return address.hasPrefix("[") ? String(address.dropFirst().dropLast()) : String(address)
    }
}
