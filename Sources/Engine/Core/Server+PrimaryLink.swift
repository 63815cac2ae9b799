import Glibc
import Reactor

/// The replica's side: finding the primary, agreeing where to go on, repeating what it does.
extension Server {
    // MARK: - Connecting

    /// Begins to connect; a failure is tried again within a second.
    func connectToPrimary() {
        guard let link = replication.link, link.state == .connect, let network else { return }
        do throws(SystemError) {
            link.socket = try Socket.connectTCP(
                address: link.primary.host, port: link.primary.port,
                from: settings.bindSourceAddress)
            link.generation &+= 1
            try network.watchPrimary(link, .writable)
        } catch {
            closeSocket(of: link)
            return log.warning("Unable to connect to MASTER: \(error.message)")
        }
        Socket.setNoDelay(link.socket, true)
        link.advance(to: .connecting)
        link.lastInput = clock.monotonicMilliseconds
        log.notice("MASTER <-> REPLICA sync started")
    }

    /// The primary's socket is ready for something.
    func servePrimary(_ event: PollEvent) {
        guard let link = replication.link, link.socket == Int32(event.token.index),
            event.token.generation == link.generation & Token.generationMask
        else { return }
        switch link.state {
        case .connect, .loading: return
        case .connecting: connected(link)
        default:
            if event.readiness.contains(.writable) { flush(link) }
            if link.socket >= 0, !event.readiness.isDisjoint(with: [.readable, .closed]) {
                receive(link)
            }
        }
    }

    private func connected(_ link: PrimaryLink) {
        if let error = Socket.connectionError(link.socket) {
            log.warning("Error condition on socket for SYNC: \(error.message)")
            return loseLink()
        }
        log.notice("Non blocking connect for SYNC fired the event.")
        link.advance(to: .handshake)
        link.questions = [.ping]
        watch(link)
        tell(link, ["PING"])
    }

    private func watch(_ link: PrimaryLink) {
        network?.changePrimary(link, link.output.isEmpty ? .readable : [.readable, .writable])
    }

    // MARK: - Telling

    /// Sends a request.
    func tell(_ link: PrimaryLink, _ words: [String]) {
        link.output.append("*\(words.count)\r\n")
        for word in words { word.withByteView { link.output.appendArgument($0) } }
        flush(link)
    }

    func flush(_ link: PrimaryLink) {
        while !link.output.isEmpty {
            switch Socket.send(link.socket, link.output.view.rawBuffer) {
            case .bytes(let count): link.output.drain(count)
            case .wouldBlock: return watch(link)
            case .closed, .failed: return loseLink()
            }
        }
        if link.state != .loading { watch(link) }
    }

    /// Tells the primary how far this replica is.
    ///
    /// - Parameter offset: nil: to the end of the history as it has it.
    func acknowledge(upTo offset: Int? = nil) {
        guard let link = replication.link, link.state == .connected else { return }
        link.owesAcknowledgement = false
        guard !link.isOld else { return }
        var words = ["REPLCONF", "ACK", String(offset ?? replication.offset)]
        if appendOnly.mode != .off {
            // Until the first file is whole, nothing is safe.
            let synced = appendOnly.mode == .on ? appendOnly.syncedOffset : 0
            words += ["FACK", String(synced)]
        }
        tell(link, words)
    }

    /// A sign of life while this server is busy with something else than the link.
    func sendNewlineToPrimary() {
        guard let link = replication.link, link.socket >= 0,
            clock.monotonicMilliseconds - link.lastNewline >= 1000
        else { return }
        link.lastNewline = clock.monotonicMilliseconds
        _ = Socket.send(link.socket, ByteView("\n").rawBuffer)
    }

    // MARK: - Hearing

    private static let receivedAtOnce = 256 * 1024

    private func receive(_ link: PrimaryLink) {
        let room = link.input.writable(minimum: max(Self.receivedAtOnce, link.input.count))
        switch Socket.receive(link.socket, into: room) {
        case .bytes(let count):
            link.input.commit(count)
            link.lastInput = clock.monotonicMilliseconds
            statistics.inputBytes &+= count
            statistics.replicationInputBytes &+= count
            advance(link)
        case .wouldBlock: return
        case .closed, .failed: loseLink()
        }
    }

    /// Goes on with what has come.
    func advance(_ link: PrimaryLink) {
        while replication.link === link && link.socket >= 0 {
            switch link.state {
            case .handshake:
                guard let line = link.takeLine() else {
                    if link.input.count > PrimaryLink.longestLine { loseLink() }
                    return
                }
                heard(line, link)
            case .transfer: return receiveSnapshot(link)
            case .connected: return repeatStream(link)
            default: return
            }
        }
    }

    /// An answer of the handshake.
    private func heard(_ line: String, _ link: PrimaryLink) {
        guard let question = link.questions.first else { return loseLink() }
        // A sign of life while the primary prepares its answer.
        if line.isEmpty { return }
        link.questions.removeFirst()
        switch question {
        case .ping: heardPong(line, link)
        case .authentication:
            guard line.hasPrefix("-") else { return }
            log.warning("Unable to AUTH to MASTER: \(line)")
            return loseLink()
        case .port: noteRefusal(line, "listening-port")
        case .address: noteRefusal(line, "ip-address")
        case .capabilities: noteRefusal(line, "capa")
        case .version: break  // Redis knows no such option.
        case .history: return heardHistory(line, link)
        }
        if link.state == .handshake && link.questions.isEmpty { askForHistory(link) }
    }

    private func noteRefusal(_ line: String, _ what: String) {
        guard line.hasPrefix("-") else { return }
        log.notice("(Non critical) Master does not understand REPLCONF \(what): \(line)")
    }

    private func heardPong(_ line: String, _ link: PrimaryLink) {
        let isWelcome =
            line.hasPrefix("+") || line.hasPrefix("-NOAUTH") || line.hasPrefix("-NOPERM")
            || line.hasPrefix("-ERR operation not permitted")
        guard isWelcome else {
            log.warning("Error reply to PING from master: '\(line)'")
            return loseLink()
        }
        log.notice("Master replied to PING, replication can continue...")
        introduceMyself(link)
    }

    private func introduceMyself(_ link: PrimaryLink) {
        link.questions = []
        if let password = settings.primaryPassword {
            link.questions.append(.authentication)
            let user = settings.primaryUser.map { [$0] } ?? []
            let words = [Array("AUTH".utf8)] + user + [password]
            link.output.append("*\(words.count)\r\n")
            for word in words { word.withByteView { link.output.appendArgument($0) } }
        }
        link.questions.append(.port)
        let port =
            settings.replicaAnnouncePort != 0 ? settings.replicaAnnouncePort : network?.port ?? 0
        tell(link, ["REPLCONF", "listening-port", String(port)])
        if let address = settings.replicaAnnounceAddress, link.socket >= 0 {
            link.questions.append(.address)
            tell(link, ["REPLCONF", "ip-address", address])
        }
        guard link.socket >= 0 else { return }
        link.questions.append(.capabilities)
        tell(link, ["REPLCONF", "capa", "eof", "capa", "psync2"])
        guard link.socket >= 0 else { return }
        link.questions.append(.version)
        tell(link, ["REPLCONF", "version", Self.snapshotVersion])
    }

    /// The version of Valkey whose snapshots are understood: it leaves nothing out for this replica.
    private static let snapshotVersion = "9.0.0"

    // MARK: - Where to go on

    private func askForHistory(_ link: PrimaryLink) {
        link.questions = [.history]
        var words = ["PSYNC", "?", "-1"]
        if replication.mayContinue {
            words = ["PSYNC", replication.id, String(replication.offset + 1)]
            log.notice(
                "Trying a partial resynchronization (request \(words[1]):\(words[2])).")
        } else {
            log.notice("Partial resynchronization not possible (no cached master)")
        }
        if link.demands { words.append("FAILOVER") }
        tell(link, words)
    }

    private func heardHistory(_ line: String, _ link: PrimaryLink) {
        let words = line.split(separator: " ").map(String.init)
        switch words.first {
        case "+FULLRESYNC":
            guard words.count == 3, words[1].utf8.count == 40, let offset = Int(words[2]),
                ReplicationState.isOffset(offset)
            else {
                log.warning("Master replied with wrong +FULLRESYNC syntax.")
                return loseLink()
            }
            log.notice("Full resync from master: \(words[1]):\(offset)")
            endDemand(link, isGranted: true)
            beginReceiving(link, id: words[1], offset: offset)
        case "+CONTINUE":
            guard replication.mayContinue else { return loseLink() }
            log.notice("Successful partial resynchronization with master.")
            endDemand(link, isGranted: true)
            adopt(historyID: words.count > 1 ? words[1] : replication.id)
            follow(link)
        case "-NOMASTERLINK", "-LOADING":
            log.notice(
                "Master is currently unable to PSYNC but should be in the future: \(line)")
            if endDemand(link, isGranted: false) { return }
            loseLink()
        default:
            if endDemand(link, isGranted: false) { return }
            if line.hasPrefix("-ERR") {
                log.notice("Master does not support PSYNC or is in error state (reply: \(line))")
            } else {
                log.warning("Unexpected reply to PSYNC from master: \(line)")
                return loseLink()
            }
            log.notice("Retrying with SYNC...")
            link.isOld = true
            link.output.append("SYNC\r\n")
            beginReceiving(link, id: Self.randomIdentifier(), offset: 0)
            flush(link)
        }
    }

    /// The primary's history goes on from here, perhaps under a new name.
    private func adopt(historyID id: String) {
        guard id.utf8.count == 40, id != replication.id else { return }
        replication.previousID = replication.id
        replication.previousEnd = replication.offset + 1
        replication.id = id
        log.notice("Master replication ID changed to \(id)")
        // They learn the name when they connect again.
        dropReplicas("the history has a new name")
    }

    // MARK: - Following

    /// From now on repeats what the primary does; where that is impossible, loses the link.
    func follow(_ link: PrimaryLink) {
        guard replication.database < keyspace.databaseCount else {
            return loseLink(forLackOf: String(replication.database))
        }
        let connection = makeConnection(Transport(descriptor: -1), of: link.primary)
        speakForServer(connection, database: replication.database)
        link.connection = connection
        link.executed = 0
        link.advance(to: .connected)
        link.lastInput = clock.monotonicMilliseconds
        replication.mayContinue = true
        keepHistory()
        followGates()
        watch(link)
        acknowledge()
    }

    /// Executes the requests that have come.
    private func repeatStream(_ link: PrimaryLink) {
        guard let connection = link.connection else { return }
        let parser = CommandParser(longestBulk: .max)
        beginRepeating()
        defer { endRepeating() }
        var call = Call(server: self, connection: connection)
        let select = commands.findRecorded(ByteView("SELECT"))
        while link.connection === connection {
            link.batch.removeAll()
            link.batch.beginParse()
            let rest = link.input.view.dropFirst(link.executed)
            if rest.isEmpty { break }
            let consumed: Int
            switch parser.parse(rest, into: link.batch) {
            case .request(let bytes): consumed = bytes
            case .incomplete: return
            case .malformed(let error):
                log.warning("Protocol error (\(error.logText)) from the primary")
                return loseLink()
            }
            if link.batch.parsedArguments > 0 {
                link.batch.append(slot: 0, command: 0, inputEnd: consumed)
                call.arguments = link.batch.arguments(of: link.batch[0])
                call.command = recordedCommandNumber(of: call.arguments)
                if gate.contains(.paused) && isHeldBack(call) { break }
                if call.command == select && lacksDatabase(of: call.arguments) {
                    return loseLink(forLackOf: call.arguments[1].prefix(128).string)
                }
                repeatRequest(&call)
            }
            link.executed += consumed
            guard !connection.gate.contains(.queueing) else { continue }
            let before = replication.offset
            settle(link)
            replication.database = connection.session.database
            // What asked is not counted; and the link may be found to be down.
            if link.owesAcknowledgement { acknowledge(upTo: before) }
        }
    }

    /// What the primary changes there would be changed in another database.
    private func loseLink(forLackOf database: String) {
        log.warning(
            "The master uses database \(database), and there are only \(keyspace.databaseCount) "
                + "here: the link is dropped. Set 'databases' to what the master has, and start again."
        )
        // The load, if that is what comes to its end here, was not dropped.
        if let link = replication.link, link.state == .loading { link.advance(to: .transfer) }
        loseLink(retriesAtOnce: false)
    }

    /// A pause has ended or became laxer: what the primary sends goes on as well.
    func pauseRelaxed() {
        guard replication.isReplica else { return }
        timers.add(at: clock.monotonicMilliseconds, payload: .repeatStream)
    }

    /// Whether a request of the primary has to wait for the end of a pause.
    private func isHeldBack(_ call: borrowing Call) -> Bool {
        guard call.command >= 0 else { return false }
        return waiting.pause.holds(
            effectiveFlags(commands.index.flags(call.command), of: call.connection))
    }

    /// Goes on after a pause.
    func goOnRepeating() {
        if let link = replication.link, link.state == .connected { repeatStream(link) }
    }

    /// What was executed is part of the history now, and goes on to whoever follows this server.
    private func settle(_ link: PrimaryLink) {
        let bytes = link.input.view.prefix(link.executed)
        replication.stream?.append(bytes)
        replication.offset += bytes.count
        link.input.drain(link.executed)
        link.executed = 0
        if link.input.isEmpty && link.input.capacity > Self.keptInputBytes { link.input.release() }
    }

    /// More room than this is given back after a request that needed it.
    private static let keptInputBytes = 1 << 20

    private func repeatRequest(_ call: inout Call) {
        call.connection.lastInteraction = clock.monotonicMilliseconds
        switch repeatRecorded(&call, for: .primary) {
        case .done, .failed: return
        case .unknown:
            noteUnexpected(
                "unknown command or wrong number of arguments",
                call.arguments[0].prefix(128).string, of: call.connection)
        case .foreign:
            noteUnexpected(
                "a primary has no reason to send this", commands[call.command].fullName,
                of: call.connection)
        }
    }

    // MARK: - Losing it

    /// The link is down: tried again, at once where it had stood unless that would be in vain.
    func loseLink(retriesAtOnce: Bool = true) {
        guard let link = replication.link else { return }
        let stood = link.state == .connected
        if stood { log.notice("Connection with master lost.") }
        closeLink(link)
        link.advance(to: .connect)
        if stood {
            link.downSince = clock.monotonicMilliseconds
            log.notice("Caching the disconnected master state.")
        }
        followGates()
        guard stood, retriesAtOnce, !lifecycle.shouldStop else { return }
        log.notice("Reconnecting to MASTER \(link.primary.host):\(link.primary.port)")
        connectToPrimary()
    }

    /// Ends the link for good.
    func dropLink() {
        guard let link = replication.link else { return }
        closeLink(link)
        link.advance(to: .connect)
    }

    private func closeLink(_ link: PrimaryLink) {
        if link.state == .loading { link.wasDropped = true }
        dropSnapshot(link)
        closeSocket(of: link)
        link.input.release()
        link.output.release()
        link.questions = []
        link.executed = 0
        link.isOld = false
        if let connection = link.connection {
            link.connection = nil
            close(connection, "")
        }
    }

    func closeSocket(of link: PrimaryLink) {
        guard link.socket >= 0 else { return }
        network?.unwatchPrimary(link)
        FileDescriptor.close(link.socket)
        link.socket = -1
    }

    /// The connection as whom the primary's requests were executed is closed.
    func forgetPrimary(_ connection: Connection) {
        guard let link = replication.link, link.connection === connection else { return }
        link.connection = nil
        loseLink()
    }

    // MARK: - Every second

    func watchPrimary() {
        guard let link = replication.link else { return }
        let idle = clock.monotonicMilliseconds - link.lastInput
        let isLate = idle > Int64(settings.replicationTimeoutSeconds) * 1000
        switch link.state {
        case .connect: connectToPrimary()
        case .connecting, .handshake:
            guard isLate else { return }
            log.warning("Timeout connecting to the MASTER...")
            loseLink()
        case .transfer:
            guard isLate else { return }
            log.warning(
                "Timeout receiving bulk data from MASTER... If the problem persists try to set the "
                    + "'repl-timeout' parameter in redis.conf to a larger value.")
            loseLink()
        case .loading: return
        case .connected:
            if isLate {
                log.warning("MASTER timeout: no data nor PING received...")
                return loseLink()
            }
            acknowledge()
        }
    }
}
