/// What connections are told without having asked: invalidations, and what MONITOR shows.
///
/// It is put aside while commands run, when a connection's reply may be in other hands, and written
/// behind the replies before they are sent. So a client reads the reply that an invalidation takes
/// back before the invalidation.
struct Messages {
    struct Message {
        let connection: Connection
        let bytes: [UInt8]
    }

    private var waiting: ContiguousArray<Message> = []

    var isEmpty: Bool { waiting.isEmpty }

    mutating func add(_ bytes: [UInt8], for connection: Connection) {
        waiting.append(Message(connection: connection, bytes: bytes))
    }

    /// All messages, oldest first; none are left.
    mutating func takeAll() -> ContiguousArray<Message> {
        defer { waiting = [] }
        return waiting
    }
}

extension Server {
    /// Writes what was put aside to those it is for.
    func sendMessages() {
        if tracking.hasBroadcasts { broadcastChanges() }
        guard !messages.isEmpty else { return }
        for message in messages.takeAll() {
            let connection = message.connection
            guard connections.contains(connection), !connection.gate.contains(.closing) else {
                continue
            }
            replyPool.lend(to: &connection.reply)
            message.bytes.withByteView { connection.reply.raw($0) }
            checkOutputLimit(connection, connection.reply.count)
            guard connections.contains(connection) else { continue }
            scheduleReply(connection)
            if clientMemory.isLimited { countMemory(of: connection) }
        }
    }

    /// Writes what a client is told because of its own command, right behind the reply.
    ///
    /// Not inside a transaction, whose reply goes on, nor where the reply is taken back.
    func answerOwnMessages(_ call: inout Call) {
        guard !messages.isEmpty, call.mayBlock, !call.connection.gate.contains(.replyMuted) else {
            return
        }
        for message in messages.takeAll() {
            if message.connection === call.connection {
                message.bytes.withByteView { call.reply.raw($0) }
            } else {
                messages.add(message.bytes, for: message.connection)
            }
        }
    }
}
