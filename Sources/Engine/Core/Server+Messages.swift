/// What clients are sent besides their replies: published messages, invalidations, MONITOR's lines.
///
/// It goes straight into the output of whom it is for, behind the replies to what that client has
/// asked so far, and leaves with them at the end of the turn. Only a client whose own command is
/// running has its output in that call's hands: what it is sent waits until the reply is whole. So a
/// client reads the reply that an invalidation takes back before the invalidation.
extension Server {
    // MARK: - The output of the client whose command runs

    /// Takes the output of the call's connection into the call's hands, for one or more commands.
    @inline(__always)
    func takeOutput(_ call: inout Call) {
        swap(&call.reply, &call.connection.reply)
        replyPool.lend(to: &call.reply)
        call.reply.mostBytes = mostReplyBytes(call.connection)
        speaker = call.connection.id
    }

    /// Gives it back, with what waited.
    @inline(__always)
    func giveOutputBack(_ call: inout Call) {
        if !heldMessages.isEmpty { releaseMessages(&call) }
        if call.reply.isOverLimit { dropReply(&call) }
        // What it is sent otherwise is limited where it is sent.
        call.reply.mostBytes = .max
        swap(&call.reply, &call.connection.reply)
        speaker = 0
    }

    /// Whoever was to be sent more than the limit is closed, whatever wrote it.
    @inline(never)
    private func dropReply(_ call: inout Call) {
        overflow(call.connection)
        call.reply.truncate(to: 0)
    }

    /// Puts what waited for the end of a reply behind it.
    @inline(never)
    func releaseMessages(_ call: inout Call) {
        withHeldMessages { held in
            call.reply.raw(held.view)
            if held.capacity > ReplyBlock.standardCapacity {
                held = ReplyWriter()
            } else {
                held.truncate(to: 0)
            }
        }
    }

    /// Changes them aside (see `Connection.withReply`).
    func withHeldMessages(_ body: (inout ReplyWriter) -> Void) {
        var held = ReplyWriter()
        swap(&held, &heldMessages)
        defer { swap(&held, &heldMessages) }
        body(&held)
    }

    /// The same after a command, unless it is one of EXEC's, whose reply goes on, or its reply will
    /// be taken back.
    func releaseMessagesAfterCommand(_ call: inout Call) {
        guard !heldMessages.isEmpty, call.mayBlock, !call.connection.gate.contains(.replyMuted)
        else { return }
        releaseMessages(&call)
    }

    /// Writes a reply to a client whose command is not running.
    func reply(to connection: Connection, _ body: (inout ReplyWriter) -> Void) {
        let before = connection.reply.count
        connection.withReply {
            replyPool.lend(to: &$0)
            body(&$0)
        }
        if connection.gate.contains(.replyMuted) { connection.reply.truncate(to: before) }
    }

    // MARK: - Delivering

    /// Sends a connection an array as RESP2 has it, which RESP3 marks as pushed, or a line of text.
    ///
    /// Turning replies off does not concern it. Who does not read is cut off by the output limit of
    /// its class, at the end of the turn, so that a delivery never changes who listens.
    ///
    /// A publication leaves after the turn's replies: while it goes out to many, publishers already
    /// send what the next turn takes together. What a cache must forget leaves before the reply to
    /// who changed it, so that nobody who knows of the change reads the old value.
    func deliver(
        _ message: ByteView, to connection: Connection, isPublication: Bool = false
    ) {
        if connection.gate.contains(.closing) { return }
        if connection.id == speaker {
            return withHeldMessages {
                $0.isRESP3 = connection.session.protocolVersion == 3
                $0.message(message)
            }
        }
        if !connection.reply.hasBlock {
            connection.reply.adopt(replyPool.blockForMessage(message.count))
        }
        if !connection.reply.messageIfRoom(message) { connection.withReply { $0.message(message) } }
        if connection.reply.count > ReplyBlock.standardCapacity { limitOutput(of: connection) }
        if isPublication { schedulePublication(connection) } else { scheduleReply(connection) }
    }

    private func schedulePublication(_ connection: Connection) {
        if connection.isInReplyList || connection.isInListenerList { return }
        connection.isInListenerList = true
        listening.append(connection)
    }

    func deliver(_ message: [UInt8], to connection: Connection) {
        message.withByteView { deliver($0, to: connection) }
    }
}
