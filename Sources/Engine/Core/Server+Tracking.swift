import Reactor

/// Client-side caching: who is told that a key has changed, and how.
///
/// The keys a read command touched come from the one key extraction that serves COMMAND
/// GETKEYSANDFLAGS as well. Changes come as events of the keyspace, which records them only while
/// somebody tracks. RESP3 clients get pushes; a RESP2 client has another one told in its place,
/// which is subscribed or speaks RESP3.
extension Server {
    // MARK: - On and off

    func startTracking(
        _ connection: Connection, _ options: TrackingMode.Options, redirection: Int64,
        prefixes: [[UInt8]]
    ) {
        var mode = connection.session.tracking
        if !mode.isOn {
            tracking.clientCount += 1
            if !options.contains(.broadcast) { tracking.readerCount += 1 }
        }
        mode.isOn = true
        mode.options = options
        mode.redirection = redirection
        mode.isRedirectionBroken = false
        if options.contains(.broadcast) {
            let known = Set(mode.prefixes)
            let added = (prefixes.isEmpty ? [[]] : prefixes).filter { !known.contains($0) }
            for prefix in added { tracking.follow(prefix, by: connection.id) }
            mode.prefixes = (mode.prefixes + added).sorted { $0.lexicographicallyPrecedes($1) }
        }
        connection.session.tracking = mode
        keyspace.interest.insert(.tracking)
        followLogSettings()
        if clientMemory.isLimited { clientMemory.count(connection, in: self) }
    }

    func stopTracking(_ connection: Connection) {
        let mode = connection.session.tracking
        guard mode.isOn else { return }
        for prefix in mode.prefixes { tracking.unfollow(prefix, by: connection.id) }
        tracking.clientCount -= 1
        if !mode.options.contains(.broadcast) { tracking.readerCount -= 1 }
        connection.session.tracking = TrackingMode()
        if tracking.clientCount == 0 {
            keyspace.interest.remove(.tracking)
            // What is in the table is of clients that track no longer.
            tracking.removeAllKeys()
        }
        followLogSettings()
    }

    // MARK: - Reads

    /// Remembers the keys of a command that only reads, if its client wants that.
    func rememberReads(_ call: borrowing Call, _ number: Int32) {
        let connection = call.connection
        let row = commands[number]
        if row.flags.contains(.readOnly) && !row.flags.contains(.pubSub)
            && connection.session.tracking.remembersReads
        {
            for key in KeyExtraction.keys(of: row, call.arguments) ?? [] {
                tracking.read(call.arguments[key.index].array, by: connection.id)
            }
            limitTracking()
        }
        // CLIENT CACHING is for one command, which may be queued; CLIENT itself does not count.
        if connection.session.tracking.makesException && call.mayBlock
            && !connection.gate.contains(.queueing) && !keepsCachingException(row)
        {
            connection.session.tracking.makesException = false
        }
    }

    private func keepsCachingException(_ row: CommandTable.Row) -> Bool {
        row.container >= 0 && commands[row.container].flags.contains(.keepsCachingException)
    }

    /// Forgets keys beyond `tracking-table-max-keys`, a hundred more at each call that does not
    /// suffice; their readers are told as if they had changed.
    func limitTracking() {
        let most = settings.trackingTableMaxKeys
        guard tracking.keyCount > most, most > 0 else {
            tracking.turnsAboveLimit = 0
            return
        }
        tracking.turnsAboveLimit += 1
        for _ in 0..<100 * tracking.turnsAboveLimit {
            guard tracking.keyCount > most, let key = tracking.someKey(random.next()) else { break }
            tellReaders(of: key, by: 0)
        }
    }

    // MARK: - Changes

    /// Takes note of an effect that makes what clients have cached stale.
    func noteForTracking(_ event: RecordedEvent, by client: UInt64) {
        switch event.event.kind {
        case .miss, .new, .unnamed, .module: return
        case .expired, .evicted:
            // Nobody's command did it, also where one met the key.
            tracking.changed(event.key, by: 0)
            tellReaders(of: event.key, by: 0)
        default:
            tracking.changed(event.key, by: client)
            tellReaders(of: event.key, by: client)
        }
    }

    private func tellReaders(of key: [UInt8], by client: UInt64) {
        for reader in tracking.takeReaders(of: key) {
            guard let connection = connections.find(id: reader) else { continue }
            let mode = connection.session.tracking
            guard mode.isOn, !mode.options.contains(.broadcast),
                !(mode.options.contains(.noLoop) && reader == client)
            else { continue }
            invalidate(Self.array([key]), for: connection)
        }
    }

    /// All keys are gone (FLUSHALL), or have changed.
    func invalidateAll() {
        for connection in connections.all where connection.session.tracking.isOn {
            invalidate(Self.all(for: connection), for: connection)
        }
        tracking.removeAllKeys()
    }

    /// Tells the followers of prefixes what changed in this turn.
    func broadcastChanges() {
        for broadcast in tracking.takeBroadcasts() {
            let all = Self.array(broadcast.changes.keys)
            for follower in broadcast.followers {
                guard let connection = connections.find(id: follower) else { continue }
                let skipsOwn = connection.session.tracking.options.contains(.noLoop)
                guard skipsOwn || connection.gate.contains(.restricted) else {
                    invalidate(all, for: connection)
                    continue
                }
                let told = broadcast.changes.filter { key, client in
                    !(skipsOwn && client == follower) && mayHear(of: key, connection)
                }.keys
                if !told.isEmpty { invalidate(Self.array(told), for: connection) }
            }
        }
    }

    /// Whether the user of a connection that follows a prefix may learn that there is such a key.
    ///
    /// It may of one that it may read, as it never asked for it. A key that it has read it knows, and is told
    /// of always: it would keep an old value otherwise. The peers tell of every key with the prefix.
    private func mayHear(of key: [UInt8], _ connection: Connection) -> Bool {
        guard connection.gate.contains(.restricted), let user = connection.session.user else {
            return true
        }
        return key.withByteView { user.allows(key: $0, .read) }
    }

    /// The rights of a connection have changed: of keys that it could not read for a while it was not told.
    func forgetCache(of connection: Connection) {
        guard connection.session.tracking.options.contains(.broadcast) else { return }
        invalidate(Self.all(for: connection), for: connection)
    }

    private static func all(for connection: Connection) -> [UInt8] {
        Array((connection.session.protocolVersion > 2 ? "_\r\n" : "$-1\r\n").utf8)
    }

    // MARK: - Messages

    /// Tells `connection`, or whoever is told in its place, that `keys` are stale: an array of
    /// names, or a null for all.
    private func invalidate(_ keys: [UInt8], for connection: Connection) {
        let mode = connection.session.tracking
        guard mode.redirection != 0 else {
            if connection.session.protocolVersion > 2 {
                deliver(Self.invalidation + keys, to: connection)
            }
            return
        }
        guard let target = connections.find(id: UInt64(bitPattern: mode.redirection)),
            !target.gate.contains(.closing)
        else { return reportBrokenRedirection(connection) }
        if target.session.protocolVersion > 2 {
            deliver(Self.invalidation + keys, to: target)
        } else if target.gate.contains(.subscribed) {
            deliver(Self.publication + keys, to: target)
        }
    }

    private func reportBrokenRedirection(_ connection: Connection) {
        connection.session.tracking.isRedirectionBroken = true
        guard connection.session.protocolVersion > 2 else { return }
        let id = connection.session.tracking.redirection
        deliver(
            Array("*2\r\n$21\r\ntracking-redir-broken\r\n:\(id)\r\n".utf8), to: connection)
    }

    private static let invalidation = Array("*2\r\n$10\r\ninvalidate\r\n".utf8)
    private static let publication =
        Array("*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n".utf8)

    private static func array(_ keys: some Collection<[UInt8]>) -> [UInt8] {
        var bytes = Array("*\(keys.count)\r\n".utf8)
        for key in keys { bytes += Array("$\(key.count)\r\n".utf8) + key + [13, 10] }
        return bytes
    }
}
