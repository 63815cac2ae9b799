import Glibc
import Reactor

/// `maxmemory`: what happens when the data does not fit.
///
/// Before a command runs, keys are given up until the memory in use is below the limit. That stops
/// after a while, which `maxmemory-eviction-tenacity` sets, and goes on between the turns of the
/// loop. Only when nothing is left that the policy may take are commands that need memory refused.
final class Eviction {
    enum Outcome {
        /// The memory in use is below the limit, or eviction has to keep still for now.
        case enough
        /// Above it, but there is more to give up.
        case goesOn
        /// Above it, and nothing may be given up.
        case failed
    }

    private var pool = EvictionPool()
    private var measure: EvictionMeasure?
    /// Where a policy of chance goes on, so that all databases have their turn.
    private var nextDatabase = 0
    private var isScheduled = false
    /// When the limit was exceeded, in monotonic microseconds; 0: it is not.
    private var exceededSince: Int64 = 0
    private var exceededMicroseconds: Int64 = 0

    // MARK: - Making room

    /// Evicts keys until the memory in use is below the limit, or for as long as a command may wait.
    @inline(never)
    func makeRoom(in server: Server) -> Outcome {
        if server.clientMemory.isLimited { evictClientsFirst(in: server) }
        guard server.isOverMemoryLimit else {
            noteWithinLimit()
            return .enough
        }
        // Nothing changes while writes are paused, and a replica does as its primary does; what is
        // being loaded is to be there whole.
        let obeys = server.replication.isReplica && server.settings.replicaIgnoresMaxMemory
        guard !obeys, server.gate.isDisjoint(with: [.paused, .loading, .loadingBeside]) else {
            return .enough
        }
        noteExceededLimit()
        guard server.settings.maxMemoryPolicy != .noEviction else { return .failed }
        let start = Clock.monotonicNanoseconds()
        let outcome = evict(
            until: start &+ Self.nanoseconds(tenacity: server.settings.evictionTenacity), in: server
        )
        server.handOutEffectsOfNobody()
        server.noteLatency(.evictionCycle, nanoseconds: Clock.monotonicNanoseconds() - start)
        switch outcome {
        case .enough: noteWithinLimit()
        case .goesOn: schedule(in: server)
        case .failed: break
        }
        return outcome
    }

    /// Clients that take too much go before keys do, with what is on its way to them.
    private func evictClientsFirst(in server: Server) {
        let clientMemory = server.clientMemory
        if server.isOverMemoryLimit {
            server.replying.forEach { clientMemory.count($0, in: server) }
            server.listening.forEach { clientMemory.count($0, in: server) }
        }
        if clientMemory.isExceeded { clientMemory.evictClients(in: server) }
    }

    /// Another slice, from the timer.
    func goOn(in server: Server) {
        isScheduled = false
        _ = makeRoom(in: server)
    }

    /// Lets a slice follow in the next turn.
    func schedule(in server: Server) {
        guard !isScheduled else { return }
        isScheduled = true
        server.timers.add(at: server.clock.monotonicMilliseconds, payload: .evict)
    }

    /// How long a command may be held up: at most half a millisecond by default, and 15% more for
    /// every point of tenacity above 10; the last has no bound.
    private static func nanoseconds(tenacity: Int) -> UInt64 {
        if tenacity >= 100 { return 1 << 62 }
        if tenacity <= 10 { return UInt64(tenacity) * 50_000 }
        return UInt64(500_000 * pow(1.15, Double(tenacity - 10)))
    }

    private func evict(until end: UInt64, in server: Server) -> Outcome {
        let onlyExpiring = server.settings.maxMemoryPolicy.sparesLasting
        var attempts = 0
        while server.isOverMemoryLimit {
            // What was given up earlier comes first: it is on its way.
            let wasBuried = Self.releaseBuried(in: server.keyspace)
            if !wasBuried {
                guard Self.hasVictims(in: server.keyspace, onlyExpiring: onlyExpiring) else {
                    return .failed
                }
                evictOne(onlyExpiring: onlyExpiring, in: server)
                attempts += 1
            }
            if (wasBuried || attempts & 15 == 0) && Clock.monotonicNanoseconds() > end {
                return .goesOn
            }
        }
        return .enough
    }

    /// Frees some of what was removed and is not freed yet; false when there is nothing.
    private static func releaseBuried(in keyspace: Keyspace) -> Bool {
        if keyspace.hasBuriedBlocks {
            keyspace.freeBuriedBlocks()
            return true
        }
        guard keyspace.hasBuriedWork else { return false }
        _ = keyspace.freeBuried(entries: 256)
        return true
    }

    // MARK: - Choosing

    /// Removes the key that is best to lose, if one is found among those drawn.
    private func evictOne(onlyExpiring: Bool, in server: Server) {
        guard let measure = server.settings.maxMemoryPolicy.measure else {
            return evictByChance(onlyExpiring: onlyExpiring, in: server)
        }
        if self.measure != measure {
            pool.removeAll()
            self.measure = measure
        }
        fillPool(by: measure, onlyExpiring: onlyExpiring, in: server)
        while let candidate = pool.takeBest() {
            if Self.evict(candidate, by: measure, onlyExpiring: onlyExpiring, in: server) { return }
        }
    }

    /// Removes a candidate unless it has gone, or was used, since it was drawn.
    private static func evict(
        _ candidate: EvictionPool.Candidate, by measure: EvictionMeasure, onlyExpiring: Bool,
        in server: Server
    ) -> Bool {
        guard candidate.database < server.keyspace.databaseCount else { return false }
        let database = server.keyspace[candidate.database]
        return candidate.key.withByteView { bytes in
            let key = database.key(bytes)
            guard let entry = database.entryDueOrNot(key), entry.hasDeadline || !onlyExpiring,
                database.rank(of: entry, by: measure) >= candidate.rank
            else { return false }
            database.evict(entry, key, unlinks: server.settings.lazyEviction)
            return true
        }
    }

    private func fillPool(by measure: EvictionMeasure, onlyExpiring: Bool, in server: Server) {
        for index in 0..<server.keyspace.databaseCount {
            let database = server.keyspace[index]
            guard database.hasVictims(onlyExpiring: onlyExpiring) else { continue }
            database.offerKeys(
                to: &pool, by: measure, onlyExpiring: onlyExpiring,
                atLeast: server.settings.maxMemorySamples, draw: { server.random.next() })
        }
    }

    private static func hasVictims(in keyspace: Keyspace, onlyExpiring: Bool) -> Bool {
        (0..<keyspace.databaseCount).contains {
            keyspace[$0].hasVictims(onlyExpiring: onlyExpiring)
        }
    }

    private func evictByChance(onlyExpiring: Bool, in server: Server) {
        let keyspace = server.keyspace
        for _ in 0..<keyspace.databaseCount {
            let database = keyspace[nextDatabase % keyspace.databaseCount]
            nextDatabase = (database.index + 1) % keyspace.databaseCount
            if let entry = database.randomVictim(
                onlyExpiring: onlyExpiring, draw: { server.random.next() })
            {
                let key = Key(bytes: entry.key, hash: keyspace.hasher.hash(entry.key))
                database.evict(entry, key, unlinks: server.settings.lazyEviction)
                return
            }
        }
    }

    // MARK: - Time above the limit

    private func noteExceededLimit() {
        if exceededSince == 0 { exceededSince = Self.monotonicMicroseconds }
    }

    private func noteWithinLimit() {
        guard exceededSince != 0 else { return }
        exceededMicroseconds += Self.monotonicMicroseconds - exceededSince
        exceededSince = 0
    }

    private static var monotonicMicroseconds: Int64 { Int64(Clock.monotonicNanoseconds() / 1000) }

    /// Milliseconds above the limit: since it was exceeded, and altogether.
    var exceeded: (current: Int64, total: Int64) {
        let current = exceededSince == 0 ? 0 : Self.monotonicMicroseconds - exceededSince
        return (current / 1000, (exceededMicroseconds + current) / 1000)
    }

    func resetStatistics() { exceededMicroseconds = 0 }
}

extension MaxMemoryPolicy {
    /// What keys are compared by; nil where chance decides, or nothing goes.
    var measure: EvictionMeasure? {
        switch self {
        case .allKeysLRU, .volatileLRU: .moments
        case .allKeysLFU, .volatileLFU: .counts
        case .volatileTTL: .deadlines
        case .allKeysRandom, .volatileRandom, .noEviction: nil
        }
    }

    /// Whether keys without a deadline stay.
    var sparesLasting: Bool {
        switch self {
        case .volatileLRU, .volatileLFU, .volatileRandom, .volatileTTL: true
        case .allKeysLRU, .allKeysLFU, .allKeysRandom, .noEviction: false
        }
    }

    /// Whether accesses are counted (LFU), so that idle times are not known.
    var countsFrequency: Bool { measure == .counts }

    /// Whether eviction looks at the accesses of each value, which then cannot be shared.
    var marksAccess: Bool { measure == .counts || measure == .moments }
}
