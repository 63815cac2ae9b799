/// `maxmemory-clients`: what the buffers of all clients may take together.
///
/// While there is a limit, a connection is counted anew whenever its buffers have grown or shrunk,
/// and the sum is compared with the limit once a turn. Without one nothing is counted.
struct ClientMemory {
    /// Bytes; 0: no limit.
    fileprivate(set) var limit = 0
    /// What all connections took when each was counted last.
    fileprivate(set) var total = 0
    /// False once nobody is left who may be closed: clients are looked through again a while later.
    var mayEvict = true

    var isLimited: Bool { limit > 0 }
    var isExceeded: Bool { total >= limit && mayEvict }

    /// Less would leave no room to say anything to the server.
    fileprivate static let least = 128 * 1024
}

extension Server {
    /// Takes over what the settings say; O(connections) when that is something new.
    func followClientMemoryLimit() {
        var limit = 0
        switch settings.maxMemoryClients {
        case .bytes(let bytes): limit = bytes
        case .percent(let percent):
            // Without a limit for the whole there is nothing to take a share of.
            let share = Double(settings.maxMemoryBytes) * Double(percent) / 100
            limit = share > 0 ? Int(min(share, 0x1p62)) : 0
        }
        limit = limit > 0 ? max(limit, ClientMemory.least) : 0
        clientMemory.mayEvict = true
        guard limit != clientMemory.limit else { return }
        let wasLimited = clientMemory.isLimited
        clientMemory.limit = limit
        guard limit > 0, !wasLimited else { return }
        clientMemory.total = 0
        for place in 0..<connections.placeCount {
            guard let connection = connections.at(place) else { continue }
            connection.countedMemory = 0
            countMemory(of: connection)
        }
    }

    /// Counts a connection whose buffers may have changed.
    func countMemory(of connection: Connection) {
        let bytes = connection.memoryBytes
        guard bytes != connection.countedMemory, connections.contains(connection) else { return }
        clientMemory.total += bytes - connection.countedMemory
        connection.countedMemory = bytes
    }

    func forgetMemory(of connection: Connection) {
        guard clientMemory.isLimited else { return }
        clientMemory.total -= connection.countedMemory
        connection.countedMemory = 0
    }

    /// Closes clients until the others fit the limit: those of the largest size first, by powers of
    /// two, the oldest of them first.
    ///
    /// A client whose command runs is spared until the end of the turn. O(connections log
    /// connections).
    func evictClients() {
        var candidates = connections.all.filter { mayEvict($0) }
        candidates.sort { Self.sizeClass(of: $0) > Self.sizeClass(of: $1) }
        for connection in candidates {
            guard clientMemory.total >= clientMemory.limit else { return }
            log.notice("Evicting client: \(describeForLog(connection))")
            statistics.clientsEvicted += 1
            close(connection, "")
        }
        guard clientMemory.total >= clientMemory.limit, speaker == 0 else { return }
        log.warning("Over client maxmemory after evicting all evictable clients")
        clientMemory.mayEvict = false
    }

    private func mayEvict(_ connection: Connection) -> Bool {
        !connection.session.isSparedFromEviction && !connection.gate.contains(.monitoring)
            && connection.id != speaker
            && (connection.kind == .normal || connection.kind == .subscriber)
    }

    /// 32 KiB and below are one class, 4 GiB and above another.
    private static func sizeClass(of connection: Connection) -> Int {
        let bits = Int.bitWidth - connection.countedMemory.leadingZeroBitCount
        return min(max(bits, 15), 33)
    }
}
