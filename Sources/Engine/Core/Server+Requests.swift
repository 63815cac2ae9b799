import CLinux
import Reactor

/// Reading requests and looking ahead: read all ready connections, parse their requests, hash and
/// prefetch the keys, then execute in order. Replies leave at the end of the turn.
extension Server {
    /// Takes a connection that has bytes to read (or kept some) into the set served next.
    ///
    /// At most once in a set: a connection's requests are executed from one place, in order.
    func serveNext(_ connection: Connection, receives: Bool = true) {
        if slots.isFull { serveSlots() }
        guard !connection.gate.contains(.closing) else { return }
        assert(!slots.contains(connection), "a connection is served twice at once")
        if !connection.gate.isDisjoint(with: .halted) {
            if receives { receiveWhileHalted(connection) }
            return
        }
        if let large = connection.large {
            if large.isComplete { return addLarge(connection) }
            if receives { receiveLarge(connection) }
            return
        }
        slots.add(connection, keyspace[connection.session.database])
        let index = slots.count - 1
        if connection.pending.count > 0 {
            connection.withPending {
                slots.fill(index, with: $0.view)
                $0.release()
            }
        }
        // What a pause held back can fill a slot; more is read when that is executed.
        let hasRoom = slots[index].filled < InputSlots.slotBytes
        if receives && hasRoom && !receive(index) && slots[index].filled == 0 {
            slots.dropLast()
        }
    }

    /// Reads into slot `index`; false when nothing came.
    private func receive(_ index: Int) -> Bool {
        let connection = slots[index].connection
        statistics.reads &+= 1
        switch slots.receive(index) {
        case .bytes(let count):
            noteInput(connection, count)
            return true
        case .wouldBlock:
            return false
        case .closed:
            close(connection, "Client closed connection")
            return false
        case .failed(let error):
            close(connection, "Reading from client: \(error.message)")
            return false
        }
    }

    private func noteInput(_ connection: Connection, _ count: Int) {
        connection.lastInteraction = clock.monotonicMilliseconds
        connection.inputBytes &+= count
        statistics.inputBytes &+= count
        noteRequest(connection, count)
    }

    /// Keeps what CLIENT LIST tells of the room that a connection's requests take.
    private func noteRequest(_ connection: Connection, _ bytes: Int) {
        if bytes > connection.inputPeak { connection.inputPeak = bytes }
    }

    /// A blocked or paused connection may go on sending; its bytes wait, up to a slot full.
    private func receiveWhileHalted(_ connection: Connection) {
        defer { if clientMemory.isLimited { clientMemory.count(connection, in: self) } }
        let held = connection.pending.count + (connection.large?.rest.count ?? 0)
        let room = InputSlots.slotBytes - held
        if room <= 0 {
            // Who is not read from can only be reported broken, and would be so without end.
            if !connection.watchesReadable { return close(connection, "Client closed connection") }
            connection.watchesReadable = false
            updateInterest(connection)
            return
        }
        statistics.reads &+= 1
        let transport = connection.transport
        switch connection.withPending({ transport.receive(into: &$0, atMost: room) }) {
        case .bytes(let count): noteInput(connection, count)
        case .wouldBlock: break
        case .closed: close(connection, "Client closed connection")
        case .failed(let error): close(connection, "Reading from client: \(error.message)")
        }
    }

    // MARK: - Large requests

    /// Reads more of a request that is collected piece by piece.
    private func receiveLarge(_ connection: Connection) {
        guard let large = connection.large else { return }
        defer { if clientMemory.isLimited { clientMemory.count(connection, in: self) } }
        statistics.reads &+= 1
        switch connection.transport.receive(into: large) {
        case nil: return failProtocol(connection, text: "ERR out of memory for the request")
        case .bytes(let count): noteInput(connection, count)
        case .wouldBlock: return
        case .closed: return close(connection, "Client closed connection")
        case .failed(let error):
            return close(connection, "Reading from client: \(error.message)")
        }
        if large.heldBytes > settings.clientQueryBufferBytes {
            return closeForQueryBuffer(connection)
        }
        if clientMemory.isLimited {
            clientMemory.count(connection, in: self)
            if clientMemory.isExceeded { clientMemory.evictClients(in: self) }
            if connection.gate.contains(.closing) { return }
        }
        addLarge(connection)
    }

    private func addLarge(_ connection: Connection) {
        slots.add(connection, keyspace[connection.session.database])
        slots[slots.count - 1].isLarge = true
    }

    func closeForQueryBuffer(_ connection: Connection) {
        log.warning(
            "Closing client that reached max query buffer length: \(describeForLog(connection))")
        statistics.queryBufferDisconnections += 1
        close(connection, "query buffer limit")
    }

    // MARK: - A set of slots

    /// Executes what the slots hold, then keeps what is left over.
    func serveSlots() {
        guard slots.count > 0 else { return }
        var call = Call(server: self, connection: slots[0].connection)
        repeat {
            parseSlots()
            if batch.count == 0 { break }
            lookAhead()
            executeBatch(&call)
        } while true
        for index in 0..<slots.count { finishSlot(index) }
        slots.removeAll()
    }

    /// Fills the batch with requests, in the order of the slots.
    private func parseSlots() {
        batch.removeAll()
        var index = 0
        while index < slots.count && !batch.isFull {
            if !slots[index].isDrained { parseSlot(index) }
            index &+= 1
        }
    }

    private func parseSlot(_ index: Int) {
        let connection = slots[index].connection
        if !connection.gate.isDisjoint(with: .halted) || slots[index].isHeldBack {
            // What is not parsed yet is kept, also if the connection may go on within this turn.
            slots[index].isHeldBack = true
            slots[index].isDrained = true
            return
        }
        let isUnauthenticated = mustAuthenticate(connection)
        let parser = CommandParser(
            longestBulk: settings.maxBulkBytes, unauthenticated: isUnauthenticated)
        if slots[index].isLarge { return parseLarge(index, connection, parser) }
        var parsed = slots[index].parsed
        while !batch.isFull {
            batch.beginParse()
            switch parser.parse(slots.bytes(index, from: parsed), into: batch) {
            case .request(let consumed):
                parsed &+= consumed
                if batch.parsedArguments == 0 { continue }
                batch.append(slot: index, command: commandNumber(), inputEnd: parsed)
                // What AUTH allows the next request is known only once it is executed.
                if !isUnauthenticated { continue }
            case .incomplete:
                slots[index].isDrained = true
            case .malformed(let error):
                slots[index].failure = error
                slots[index].isDrained = true
            }
            break
        }
        slots[index].parsed = parsed
    }

    /// The number of the command whose arguments were just parsed.
    @inline(__always)
    private func commandNumber() -> Int32 {
        let number = commands.index.find(batch.parsedName)
        if number >= 0 && commands.index.isContainer(number) && batch.parsedArguments > 1 {
            return commandNumber(in: number, batch.parsedArgument(1))
        }
        return number
    }

    /// The number of a container's subcommand; that of the container if it has none of the name.
    func commandNumber(in container: Int32, _ name: ByteView) -> Int32 {
        let subcommand = commands.findSubcommand(of: container, name)
        return subcommand >= 0 ? subcommand : container
    }

    private func parseLarge(_ index: Int, _ connection: Connection, _ parser: CommandParser) {
        slots[index].isDrained = true
        guard let large = connection.large else { return }
        batch.beginParse()
        switch large.advance(parser, into: batch) {
        case .request:
            if batch.parsedArguments > 0 {
                batch.append(slot: index, command: commandNumber(), inputEnd: 0)
                connection.gate.insert(.large)
                // They are shown, or written to the feed, after the command.
                large.keepsBlocks =
                    !monitors.isEmpty || keyspace.interest.contains(.propagation)
            }
        case .incomplete: break
        case .malformed(let error): slots[index].failure = error
        }
    }

    // MARK: - Looking ahead

    /// Keys hashed ahead for one request; those beyond are hashed when they are used.
    private static let keysAhead = 64

    /// Hashes the keys of the batch and brings their places into the cache: first the lines of the
    /// table, then the entries they lead to.
    private func lookAhead() {
        var (hasElements, hasWholeValues) = (false, false)
        // Requests one after the other are often for the same key.
        var lastKey = ByteView.empty
        var hash: UInt64 = 0
        var index = 0
        while index < batch.count {
            let request = batch[index]
            index &+= 1
            guard request.command >= 0 else { continue }
            let keys = commands.index.keys(request.command)
            guard keys.first > 0 else { continue }
            let element = commands.index.element(request.command)
            if element != 0 {
                if element > 0 { hasElements = true } else { hasWholeValues = true }
            }
            let database = slots[Int(request.slot)].database
            let arguments = batch.arguments(of: request)
            let last = Self.lastKey(keys, arguments.count)
            var key = keys.first
            while key <= last {
                let bytes = arguments[key]
                if hash == 0 || bytes != lastKey {
                    hash = keyspace.hasher.hash(bytes)
                    lastKey = bytes
                    database.prefetchGroup(hash)
                }
                batch.setHash(hash, of: request, argument: key)
                key &+= keys.step
            }
        }
        prefetchEntries()
        if hasElements || hasWholeValues { prefetchElements(isFirstStage: true) }
        if hasElements { prefetchElements(isFirstStage: false) }
    }

    private func prefetchEntries() {
        var lastHash: UInt64 = 0
        var index = 0
        while index < batch.count {
            let request = batch[index]
            index &+= 1
            guard request.command >= 0 else { continue }
            let keys = commands.index.keys(request.command)
            guard keys.first > 0 else { continue }
            let database = slots[Int(request.slot)].database
            let arguments = batch.arguments(of: request)
            let last = Self.lastKey(keys, arguments.count)
            var key = keys.first
            while key <= last {
                let hash = arguments.hash(key)
                if hash != lastHash { database.prefetchEntry(hash) }
                lastHash = hash
                key &+= keys.step
            }
        }
    }

    /// Hashes the elements that requests name and asks for the lines that lead to them in their
    /// keys' values, then for the elements themselves.
    ///
    /// Nothing is found or expired by it that execution would not find; requests for the same key
    /// one after the other look it up once.
    private func prefetchElements(isFirstStage: Bool) {
        var lastHash: UInt64 = 0
        var lastValue: CollectionValue?
        var index = 0
        while index < batch.count {
            let request = batch[index]
            index &+= 1
            guard request.command >= 0 else { continue }
            let element = commands.index.element(request.command)
            let arguments = batch.arguments(of: request)
            let key = commands.index.keys(request.command).first
            // The number of arguments is checked when the request is executed, not before.
            guard element != 0, max(element, key) < arguments.count else { continue }
            let keyHash = arguments.hash(key)
            if keyHash != lastHash {
                let found = slots[Int(request.slot)].database.entryDueOrNot(
                    Key(bytes: arguments[key], hash: keyHash))
                lastHash = keyHash
                lastValue = nil
                if let found, !found.isString { lastValue = CollectionValue(of: found) }
            }
            guard let lastValue else { continue }
            if element == Command.wholeValue {
                if isFirstStage { lastValue.prefetchBeginning(in: keyspace.arena) }
            } else if isFirstStage {
                let hash = keyspace.hasher.hash(arguments[element])
                batch.setHash(hash, of: request, argument: element)
                lastValue.prefetchGroup(hash: hash, in: keyspace.arena)
            } else {
                lastValue.prefetchElement(hash: arguments.hash(element), in: keyspace.arena)
            }
        }
    }

    @inline(__always)
    private static func lastKey(_ keys: (first: Int, last: Int, step: Int), _ count: Int) -> Int {
        let last = keys.last < 0 ? count &+ keys.last : keys.last
        return min(last, count &- 1, keys.first &+ keysAhead &* keys.step)
    }

    // MARK: - Executing

    private func executeBatch(_ call: inout Call) {
        var current = -1
        var index = 0
        while index < batch.count {
            let request = batch[index]
            let slot = Int(request.slot)
            if slot != current {
                if current >= 0 { leave(&call, current) }
                enter(&call, slots[slot].connection)
                current = slot
            }
            // Whoever had to wait may be let go by another's request of this batch: what is behind
            // it keeps its turn all the same, and is executed from the kept bytes.
            if !call.connection.gate.isDisjoint(with: .halted) { slots[slot].isHeldBack = true }
            if !slots[slot].isHeldBack {
                call.arguments = batch.arguments(of: request)
                execute(&call, request.command)
                if call.connection.gate.contains(.paused) {
                    slots[slot].isHeldBack = true
                } else {
                    slots[slot].executed = request.inputEnd
                }
            }
            index &+= 1
        }
        if current >= 0 { leave(&call, current) }
    }

    /// Turns `call` to a connection: its database, and its reply buffer, taken for the time being.
    @inline(__always)
    private func enter(_ call: inout Call, _ connection: Connection) {
        call.connection = connection
        call.database = keyspace[connection.session.database]
        call.endTicks = 0
        takeOutput(&call)
    }

    /// Gives the reply buffer back and puts the connection on the list if there is something to send.
    @inline(__always)
    private func leave(_ call: inout Call, _ slot: Int) {
        // SELECT may have changed what the next keys are looked up in.
        slots[slot].database = call.database
        giveOutputBack(&call)
        scheduleReply(call.connection)
    }

    func scheduleReply(_ connection: Connection) {
        if connection.isInReplyList { return }
        if connection.reply.isEmpty && !connection.closesAfterReply {
            return replyPool.takeBack(connection.reply.takeBlock())
        }
        connection.isInReplyList = true
        replying.append(connection)
    }

    // MARK: - Afterwards

    /// Keeps what the slot holds beyond the requests executed, and reports what was no request.
    private func finishSlot(_ index: Int) {
        let connection = slots[index].connection
        if connection.gate.contains(.closing) { return }
        defer { if clientMemory.isLimited { clientMemory.count(connection, in: self) } }
        if slots[index].isLarge { return finishLarge(index, connection) }
        let isHalted =
            slots[index].isHeldBack || !connection.gate.isDisjoint(with: .halted)
        if let failure = slots[index].failure, !isHalted {
            return failProtocol(connection, failure, slots.bytes(index, from: slots[index].parsed))
        }
        let rest = slots.bytes(index, from: isHalted ? slots[index].executed : slots[index].parsed)
        if rest.isEmpty { return }
        if rest.count >= LargeRequest.threshold && !isHalted
            && rest[0] == UInt8(ascii: "*")
        {
            connection.large = LargeRequest(beginning: rest)
            slots[index].isLarge = true
            // What has come already may be the head of a block to receive into.
            advanceLarge(connection)
            return
        }
        keep(rest, of: connection)
    }

    /// Puts bytes that are not executed yet in front of those that came after them.
    private func keep(_ bytes: ByteView, of connection: Connection) {
        connection.withPending { pending in
            if pending.isEmpty { return pending.append(bytes) }
            var joined = ByteBuffer(capacity: bytes.count + pending.count)
            joined.append(bytes)
            joined.append(pending.view)
            swap(&pending, &joined)
        }
    }

    /// Lets a large request that has just begun take up what is there, so that the next bytes are
    /// received where they belong.
    private func advanceLarge(_ connection: Connection) {
        guard let large = connection.large else { return }
        let parser = CommandParser(
            longestBulk: settings.maxBulkBytes,
            unauthenticated: mustAuthenticate(connection))
        batch.removeAll()
        batch.beginParse()
        if case .malformed(let error) = large.advance(parser, into: batch) {
            failProtocol(connection, error, .empty)
        }
    }

    /// After the turn of a large request: when it was executed, what follows it is served.
    private func finishLarge(_ index: Int, _ connection: Connection) {
        connection.gate.remove(.large)
        guard let large = connection.large else { return }
        if let failure = slots[index].failure {
            return failProtocol(connection, failure, .empty)
        }
        noteRequest(connection, large.requestBytes)
        guard large.isComplete, !slots[index].isHeldBack else { return }
        keep(large.rest, of: connection)
        connection.large = nil
        if connection.pending.count > 0 { resume(connection) }
    }

    /// Serves what a connection has already sent, and reads from it again.
    func resume(_ connection: Connection) {
        if !connection.watchesReadable {
            connection.watchesReadable = true
            updateInterest(connection)
        }
        if connection.isInResumedList { return }
        connection.isInResumedList = true
        resumed.append(connection)
    }

    // MARK: - Protocol errors

    private func failProtocol(_ connection: Connection, _ error: ProtocolError, _ bytes: ByteView) {
        log.verbose(
            "Protocol error (\(error.logText)) from client: \(describeForLog(connection)). "
                + "Query buffer during protocol error: '\(sample(bytes))'")
        error.replyText.withByteView { failProtocol(connection, text: $0) }
    }

    func failProtocol(_ connection: Connection, text: String) {
        text.withByteView { failProtocol(connection, text: $0) }
    }

    private func failProtocol(_ connection: Connection, text: ByteView) {
        let before = connection.reply.count
        connection.withReply {
            $0.error(text)
            statistics.countError($0.lastError)
        }
        if connection.gate.contains(.replyMuted) { connection.reply.truncate(to: before) }
        connection.closesAfterReply = true
        connection.closeReason = "protocol error"
        connection.gate.insert(.closing)
        connection.large = nil
        scheduleReply(connection)
    }

    private func sample(_ bytes: ByteView) -> String {
        if settings.hidesUserDataFromLog { return Self.hidden }
        return bytes.prefix(128).array.map { byte in
            byte >= 32 && byte < 127 ? String(UnicodeScalar(byte)) : "."
        }.joined()
    }
}

extension ProtocolError {
    /// What Redis calls it in the log.
    var logText: String {
        switch self {
        case .tooBigMultibulkHeader: "too big mbulk count string"
        case .tooBigBulkHeader: "too big bulk count string"
        case .tooBigInline: "too big inline request"
        case .invalidMultibulkLength: "invalid mbulk count"
        case .unauthenticatedMultibulk: "unauth mbulk count"
        case .invalidBulkLength: "invalid bulk length"
        case .unauthenticatedBulk: "unauth bulk length"
        case .expectedDollar: "expected $ but got something else"
        case .unbalancedQuotes: "unbalanced quotes in inline request"
        case .invalidLineEnd: "invalid CRLF in request"
        }
    }

    /// What the client is told; bytes, because one of the client's own is quoted.
    var replyText: [UInt8] {
        switch self {
        case .tooBigMultibulkHeader: Self.text("too big mbulk count string")
        case .tooBigBulkHeader: Self.text("too big bulk count string")
        case .tooBigInline: Self.text("too big inline request")
        case .invalidMultibulkLength: Self.text("invalid multibulk length")
        case .unauthenticatedMultibulk: Self.text("unauthenticated multibulk length")
        case .invalidBulkLength: Self.text("invalid bulk length")
        case .unauthenticatedBulk: Self.text("unauthenticated bulk length")
        case .expectedDollar(let byte):
            Self.text("expected '$', got '") + [byte, UInt8(ascii: "'")]
        case .unbalancedQuotes: Self.text("unbalanced quotes in request")
        case .invalidLineEnd: Self.text("invalid CRLF in request")
        }
    }

    private static func text(_ text: String) -> [UInt8] {
        Array("ERR Protocol error: ".utf8) + Array(text.utf8)
    }
}
