/// `maxmemory-clients`: what the buffers of all clients may take together.
///
/// While there is a limit, a connection is counted anew whenever its buffers have grown or shrunk,
/// and the sum is compared with the limit once a turn. Without one nothing is counted.
final class ClientMemory {
    /// Bytes; 0: no limit.
    private(set) var limit = 0
    /// What all connections took when each was counted last.
    private(set) var total = 0
    /// False once nobody is left who may be closed.
    private var mayEvict = true

    var isLimited: Bool { limit > 0 }
    var isExceeded: Bool { total >= limit && mayEvict }

    /// Less would leave no room to say anything to the server.
    private static let least = 128 * 1024

    // MARK: - The limit

    /// Takes over what the settings say; O(connections) when that is something new.
    func settingsChanged(in server: Server) {
        mayEvict = true
        let limit = Self.limit(by: server.settings)
        guard limit != self.limit else { return }
        let wasLimited = isLimited
        self.limit = limit
        guard limit > 0, !wasLimited else { return }
        total = 0
        for place in 0..<server.connections.placeCount {
            guard let connection = server.connections.at(place) else { continue }
            connection.countedMemory = 0
            count(connection, in: server)
        }
    }

    private static func limit(by settings: Settings) -> Int {
        var limit = 0
        switch settings.maxMemoryClients {
        case .bytes(let bytes): limit = bytes
        case .percent(let percent):
            // Without a limit for the whole there is nothing to take a share of.
            let share = Double(settings.maxMemoryBytes) * Double(percent) / 100
            limit = share > 0 ? Int(min(share, 0x1p62)) : 0
        }
        return limit > 0 ? max(limit, least) : 0
    }

    /// Clients may be looked through again: a while has passed, or one may be closed that was spared.
    func tryAgain() { mayEvict = true }

    // MARK: - Counting

    /// Counts a connection whose buffers may have changed; to be asked only while there is a limit.
    func count(_ connection: Connection, in server: Server) {
        let bytes = connection.memoryBytes
        guard bytes != connection.countedMemory, server.connections.contains(connection) else {
            return
        }
        total += bytes - connection.countedMemory
        connection.countedMemory = bytes
    }

    func connectionClosed(_ connection: Connection) {
        guard isLimited else { return }
        total -= connection.countedMemory
        connection.countedMemory = 0
    }

    // MARK: - Closing

    /// Closes clients until the others fit the limit: those of the largest size first, by powers of
    /// two, the oldest of them first.
    ///
    /// A client whose command runs is spared until the end of the turn. O(connections log
    /// connections).
    func evictClients(in server: Server) {
        var candidates = server.connections.all.filter { Self.mayEvict($0, in: server) }
        candidates.sort { Self.sizeClass(of: $0) > Self.sizeClass(of: $1) }
        for connection in candidates {
            guard total >= limit else { return }
            server.log.notice("Evicting client: \(server.describeForLog(connection))")
            server.statistics.clientsEvicted += 1
            server.close(connection, "")
        }
        guard total >= limit, server.speaker == 0 else { return }
        server.log.warning("Over client maxmemory after evicting all evictable clients")
        mayEvict = false
    }

    private static func mayEvict(_ connection: Connection, in server: Server) -> Bool {
        !connection.session.isSparedFromEviction && !connection.gate.contains(.monitoring)
            && connection.id != server.speaker
            && (connection.kind == .normal || connection.kind == .subscriber)
    }

    /// 32 KiB and below are one class, 4 GiB and above another.
    private static func sizeClass(of connection: Connection) -> Int {
        let bits = Int.bitWidth - connection.countedMemory.leadingZeroBitCount
        return min(max(bits, 15), 33)
    }
}
