import Glibc
import Reactor

/// Connections come, are written to, and go.
extension Server {
    // MARK: - Accepting

    /// Takes new connections from one listener, so many before others get their turn.
    func acceptConnections(_ index: UInt32) {
        guard let network, let listener = network.listener(index) else { return }
        for _ in 0..<settings.maxNewConnectionsPerCycle {
            switch Socket.accept(listener.descriptor) {
            case .accepted(let descriptor): admit(descriptor, isUnix: listener.isUnix)
            case .wouldBlock: return
            case .outOfDescriptors:
                warnOfDescriptors()
                network.pauseAccepting()
                timers.add(
                    at: clock.monotonicMilliseconds + 100, payload: .resumeAccepting)
                return
            case .failed(let error):
                log.warning("Error accepting a client connection: \(error.message)")
                return
            }
        }
    }

    /// At most once a second: the peers stay in the queue, and are tried again and again.
    private func warnOfDescriptors() {
        let now = clock.monotonicMilliseconds
        guard now - sampling.descriptorWarning >= 1000 else { return }
        sampling.descriptorWarning = now
        log.warning("Error accepting a client connection: Too many open files")
    }

    /// Takes a fresh socket in, or turns it away with a word.
    private func admit(_ descriptor: Int32, isUnix: Bool) {
        if connections.count >= settings.maxClients {
            statistics.connectionsRejected += 1
            return turnAway(descriptor, "-ERR max number of clients reached\r\n")
        }
        if settings.isProtectedMode && access.defaultUser.rules.needsNoPassword && !isUnix
            && !Socket.isLoopback(descriptor)
        {
            statistics.connectionsRejected += 1
            return turnAway(descriptor, Self.protectedModeText)
        }
        if !isUnix {
            Socket.setNoDelay(descriptor, true)
            if settings.tcpKeepAliveSeconds > 0 {
                Socket.setKeepAlive(descriptor, seconds: settings.tcpKeepAliveSeconds)
            }
        }
        let connection = makeConnection(Transport(descriptor: descriptor))
        do throws(SystemError) {
            try network?.add(connection)
        } catch {
            log.warning("Error registering a client connection: \(error.message)")
            return close(connection, "not registered")
        }
        log.verbose("Accepted \(connection.peerName)")
    }

    /// A connection in the table, with the session a new client begins with.
    func makeConnection(_ transport: Transport, of primary: ReplicaSource? = nil) -> Connection {
        let (id, place, generation) = withConnections { $0.reserve() }
        let connection = Connection(
            id: id, place: place, generation: generation, transport: transport,
            peerName: primary.map { "\($0.host):\($0.port)" } ?? "127.0.0.1:0",
            now: clock.wallMilliseconds, monotonic: clock.monotonicMilliseconds)
        beginSession(connection)
        withConnections { $0.insert(connection) }
        if clientMemory.isLimited { clientMemory.count(connection, in: self) }
        statistics.connectionsReceived += 1
        return connection
    }

    /// Changes the table aside (see `Connection.withReply`).
    private func withConnections<Result>(_ body: (inout ConnectionTable) -> Result) -> Result {
        var table = ConnectionTable()
        swap(&table, &connections)
        defer { swap(&table, &connections) }
        return body(&table)
    }

    private func turnAway(_ descriptor: Int32, _ text: StaticString) {
        var transport = Transport(descriptor: descriptor)
        _ = transport.send(ByteView(text))
        transport.close()
    }

    private static let protectedModeText: StaticString =
        "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside.\r\n"

    // MARK: - Sending

    /// Sends what the turn produced; what the kernel does not take waits for room.
    @inline(never)
    func sendReplies() {
        while let connection = replying.next() {
            connection.isInReplyList = false
            if connection.transport.isOpen { send(connection) }
        }
        if !listening.isEmpty { sendPublications() }
    }

    /// Sends what was published to those who had no reply to be sent with it.
    @inline(never)
    private func sendPublications() {
        while let connection = listening.next() {
            connection.isInListenerList = false
            if connection.transport.isOpen && !connection.reply.isEmpty { send(connection) }
        }
    }

    /// Sent to one connection before the others get their turn, when there is much.
    private static let bytesPerTurn = 4 << 20

    func send(_ connection: Connection) {
        var sent = 0
        while connection.reply.count > 0 && sent < Self.bytesPerTurn {
            statistics.writes &+= 1
            switch connection.transport.send(connection.reply.view) {
            case .bytes(let count):
                connection.reply.drain(count)
                sent += count
            case .wouldBlock:
                noteOutput(connection, sent)
                return waitForRoom(connection)
            case .closed:
                return close(connection, "Client closed connection")
            case .failed(let error):
                log.verbose("Error writing to client: \(error.message)")
                return close(connection, "Error writing to client")
            }
        }
        noteOutput(connection, sent)
        if connection.reply.count > 0 { return waitForRoom(connection) }
        if connection.closesAfterReply { return close(connection, connection.closeReason) }
        replyPool.takeBack(connection.reply.takeBlock())
        connection.softLimitSince = 0
        if connection.watchesWritable { stopWaitingForRoom(connection) }
    }

    /// Everything is sent that had to wait.
    @inline(never)
    private func stopWaitingForRoom(_ connection: Connection) {
        connection.watchesWritable = false
        updateInterest(connection)
        if clientMemory.isLimited { clientMemory.count(connection, in: self) }
    }

    private func noteOutput(_ connection: Connection, _ count: Int) {
        connection.outputBytes &+= count
        statistics.outputBytes &+= count
        if count > connection.replyPeak { connection.replyPeak = count }
    }

    func waitForRoom(_ connection: Connection) {
        checkOutputLimit(connection, connection.reply.count)
        guard connection.transport.isOpen else { return }
        if clientMemory.isLimited { clientMemory.count(connection, in: self) }
        // Who is to be closed is not read from: bytes that keep coming must not wake the loop.
        let watchesReadable =
            connection.watchesReadable && !connection.gate.contains(.closing)
        if connection.watchesWritable && watchesReadable == connection.watchesReadable { return }
        connection.watchesReadable = watchesReadable
        connection.watchesWritable = true
        updateInterest(connection)
    }

    func updateInterest(_ connection: Connection) {
        var interest: Interest = connection.watchesReadable ? .readable : []
        if connection.watchesWritable { interest.insert(.writable) }
        network?.setInterest(connection, interest)
    }

    // MARK: - Output limits

    /// What may wait for a client that has not said who it is yet, beyond what the kernel has taken.
    private static let mostUnauthenticatedBytes = 1024

    /// Checks while a command of the connection is still executing.
    func checkOutputLimit(_ call: inout Call) {
        // Replies that are switched off are taken back at once.
        if call.connection.gate.contains(.replyMuted) { return }
        guard call.reply.isOverLimit || exceedsOutputLimit(call.connection, call.reply.count)
        else { return }
        overflow(call.connection)
        call.reply.truncate(to: 0)
    }

    /// Checks what a connection is sent besides its replies: one that is over the limit gets nothing
    /// more and is closed at the end of the turn.
    func limitOutput(of connection: Connection) {
        guard exceedsOutputLimit(connection, connection.reply.count) else { return }
        overflow(connection)
        connection.reply.truncate(to: 0)
    }

    func checkOutputLimit(_ connection: Connection, _ bytes: Int) {
        guard exceedsOutputLimit(connection, bytes) else { return }
        overflow(connection)
        close(connection, "output buffer limits")
    }

    /// How much is collected for a connection while its requests are executed: what is more is dropped
    /// as it comes, and the connection is closed.
    @inline(__always)
    func mostReplyBytes(_ connection: Connection) -> Int {
        let special: Connection.Gate = [
            .subscribed, .replyMuted, .replica, .primary, .unauthenticated,
        ]
        if !connection.gate.isDisjoint(with: special) { return specialLimit(of: connection) }
        let most = settings.clientOutputLimits.normal.hardBytes
        return most == 0 ? .max : max(most, Self.largeReplyBytes)
    }

    @inline(never)
    private func specialLimit(of connection: Connection) -> Int {
        // Whoever asks for more than a block without saying who he is does not read it.
        if mustAuthenticate(connection) { return ReplyBlock.standardCapacity }
        if connection.gate.contains(.replyMuted) { return .max }
        let most =
            switch connection.kind {
            case .normal: settings.clientOutputLimits.normal.hardBytes
            case .subscriber: settings.clientOutputLimits.pubsub.hardBytes
            case .replica, .primary: 0
            }
        return most == 0 ? .max : max(most, Self.largeReplyBytes)
    }

    /// Whether the unsent bytes are over the hard limit, or have been over the soft one for too long.
    func exceedsOutputLimit(_ connection: Connection, _ bytes: Int) -> Bool {
        if mustAuthenticate(connection) && bytes > Self.mostUnauthenticatedBytes { return true }
        let limit =
            switch connection.kind {
            case .subscriber: settings.clientOutputLimits.pubsub
            case .normal: settings.clientOutputLimits.normal
            case .replica: replicaOutputLimit
            // What its requests reply nobody hears.
            case .primary: OutputLimit()
            }
        var since = connection.softLimitSince
        defer { connection.softLimitSince = since }
        return exceeds(limit, bytes, since: &since)
    }

    /// - Parameter since: when the soft limit was first exceeded, in monotonic milliseconds; 0: it is
    ///   not.
    func exceeds(_ limit: OutputLimit, _ bytes: Int, since: inout Int64) -> Bool {
        if limit.hardBytes > 0 && bytes >= limit.hardBytes { return true }
        guard limit.softBytes > 0, bytes >= limit.softBytes else {
            since = 0
            return false
        }
        if since == 0 {
            since = clock.monotonicMilliseconds
            return false
        }
        return (clock.monotonicMilliseconds - since) / 1000
            > Int64(limit.softSeconds)
    }

    /// What a replica lags behind is kept for it; to cut it off for less than what is kept anyway would
    /// only make it come again.
    var replicaOutputLimit: OutputLimit {
        var limit = settings.clientOutputLimits.replica
        if limit.hardBytes > 0 {
            limit.hardBytes = max(limit.hardBytes, settings.replicationBacklogBytes)
        }
        return limit
    }

    func overflow(_ connection: Connection) {
        if connection.closesNow { return }
        log.warning(
            "Client \(describeForLog(connection)) scheduled to be closed ASAP for overcoming of output "
                + "buffer limits.")
        statistics.outputBufferDisconnections += 1
        connection.gate.insert(.closing)
        closeSoon(connection)
    }

    // MARK: - Closing

    /// Executes nothing more for `connection` and closes it when its replies are sent.
    func closeAfterReply(_ connection: Connection) {
        connection.closesAfterReply = true
        connection.gate.insert(.closing)
    }

    /// Closes at the end of the turn: safe also for a connection whose command is running.
    func closeSoon(_ connection: Connection) {
        connection.gate.insert(.closing)
        if connection.closesNow { return }
        connection.closesNow = true
        closing.append(connection)
    }

    func closeMarked() {
        while let connection = closing.next() { close(connection, connection.closeReason) }
    }

    /// Tells all who may know a connection that it is being closed; only the link to a primary hears of it
    /// when it is gone from the table, as it may connect anew at once.
    private func tellOfClosing(_ connection: Connection) {
        waiting.forget(connection, in: self)
        clientMemory.connectionClosed(connection)
        stopTracking(connection)
        stopMonitoring(connection)
        endTransaction(connection)
        endSubscriptions(connection)
        forgetReplica(connection)
    }

    /// Ends a connection: its descriptor, its place, what waits for it.
    func close(_ connection: Connection, _ reason: String) {
        guard connections.contains(connection) else { return }
        if !reason.isEmpty {
            log.verbose("\(reason) id=\(connection.id) addr=\(connection.peerName)")
        }
        connection.gate.insert(.closing)
        if connection.transport.isOpen { network?.remove(connection) }
        connection.closeTransport()
        connection.large = nil
        tellOfClosing(connection)
        connection.withPending { $0.release() }
        connection.reply.truncate(to: 0)
        replyPool.takeBack(connection.reply.takeBlock())
        withConnections { $0.remove(connection) }
        forgetPrimary(connection)
        if network != nil { network?.resumeAccepting() }
    }
}
