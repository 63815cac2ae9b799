import Glibc
import Reactor

/// `maxmemory`: what happens when the data does not fit.
///
/// Before a command runs, keys are given up until the memory in use is below the limit. That stops
/// after a while, which `maxmemory-eviction-tenacity` sets, and goes on between the turns of the
/// loop. Only when nothing is left that the policy may take are commands that need memory refused.
struct Eviction {
    enum Outcome {
        /// The memory in use is below the limit, or eviction has to keep still for now.
        case enough
        /// Above it, but there is more to give up.
        case goesOn
        /// Above it, and nothing may be given up.
        case failed
    }

    fileprivate var pool = EvictionPool()
    fileprivate var measure: EvictionMeasure?
    /// Where a policy of chance goes on, so that all databases have their turn.
    fileprivate var nextDatabase = 0
    fileprivate var isScheduled = false
    /// When the limit was exceeded, in monotonic microseconds; 0: it is not.
    fileprivate var exceededSince: Int64 = 0
    fileprivate var exceededMicroseconds: Int64 = 0

    mutating func resetStatistics() { exceededMicroseconds = 0 }
}

extension Server {
    /// Whether more memory is used than `maxmemory` allows.
    var isOverMemoryLimit: Bool {
        guard settings.maxMemoryBytes > 0 else { return false }
        let used = usedMemory
        return UInt64(used) > settings.maxMemoryBytes
            && UInt64(max(0, used - uncountedMemory)) > settings.maxMemoryBytes
    }

    /// Bytes on their way to the append-only file and to replicas: evicting keys would make them more.
    var uncountedMemory: Int {
        keyspace.feed.memoryBytes + appendOnly.log.pendingBytes + replicaMemory
    }

    /// Evicts keys until the memory in use is below the limit, or for as long as a command may wait.
    @inline(never)
    func makeRoom() -> Eviction.Outcome {
        if clientMemory.isLimited { evictClientsFirst() }
        guard isOverMemoryLimit else {
            noteWithinLimit()
            return .enough
        }
        // Nothing changes while writes are paused, and a replica does as its primary does; what is
        // being loaded is to be there whole.
        let obeys = replication.isReplica && settings.replicaIgnoresMaxMemory
        guard !obeys, gate.isDisjoint(with: [.paused, .loading, .loadingBeside]) else {
            return .enough
        }
        noteExceededLimit()
        guard settings.maxMemoryPolicy != .noEviction else { return .failed }
        let start = Clock.monotonicNanoseconds()
        let outcome = evict(until: start &+ evictionNanoseconds)
        if keyspace.interest.contains(.propagation) { keyspace.feed.endUnit(asTransaction: false) }
        if keyspace.hasEvents { followEvents() }
        noteLatency(.evictionCycle, nanoseconds: Clock.monotonicNanoseconds() - start)
        switch outcome {
        case .enough: noteWithinLimit()
        case .goesOn: scheduleEviction()
        case .failed: break
        }
        return outcome
    }

    /// Clients that take too much go before keys do, with what is on its way to them.
    private func evictClientsFirst() {
        if isOverMemoryLimit {
            replying.forEach { countMemory(of: $0) }
            listening.forEach { countMemory(of: $0) }
        }
        if clientMemory.isExceeded { evictClients() }
    }

    /// Another slice, from the timer.
    func goOnEvicting() {
        eviction.isScheduled = false
        _ = makeRoom()
    }

    func scheduleEviction() {
        guard !eviction.isScheduled else { return }
        eviction.isScheduled = true
        timers.add(at: clock.monotonicMilliseconds, payload: .evict)
    }

    /// How long a command may be held up: at most half a millisecond by default, and 15% more for
    /// every point of tenacity above 10; the last has no bound.
    private var evictionNanoseconds: UInt64 {
        let tenacity = settings.evictionTenacity
        if tenacity >= 100 { return 1 << 62 }
        if tenacity <= 10 { return UInt64(tenacity) * 50_000 }
        return UInt64(500_000 * pow(1.15, Double(tenacity - 10)))
    }

    private func evict(until end: UInt64) -> Eviction.Outcome {
        let onlyExpiring = settings.maxMemoryPolicy.sparesLasting
        var attempts = 0
        while isOverMemoryLimit {
            // What was given up earlier comes first: it is on its way.
            let wasBuried = releaseBuried()
            if !wasBuried {
                guard hasVictims(onlyExpiring: onlyExpiring) else { return .failed }
                evictOne(onlyExpiring: onlyExpiring)
                attempts += 1
            }
            if (wasBuried || attempts & 15 == 0) && Clock.monotonicNanoseconds() > end {
                return .goesOn
            }
        }
        return .enough
    }

    /// Frees some of what was removed and is not freed yet; false when there is nothing.
    private func releaseBuried() -> Bool {
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
    private func evictOne(onlyExpiring: Bool) {
        guard let measure = settings.maxMemoryPolicy.measure else {
            return evictByChance(onlyExpiring: onlyExpiring)
        }
        if eviction.measure != measure {
            eviction.pool.removeAll()
            eviction.measure = measure
        }
        fillPool(by: measure, onlyExpiring: onlyExpiring)
        while let candidate = eviction.pool.takeBest() {
            if evict(candidate, by: measure, onlyExpiring: onlyExpiring) { return }
        }
    }

    /// Removes a candidate unless it has gone, or was used, since it was drawn.

    private func evict(
        _ candidate: EvictionPool.Candidate, by measure: EvictionMeasure, onlyExpiring: Bool
    ) -> Bool {
        guard candidate.database < keyspace.databaseCount else { return false }
        let database = keyspace[candidate.database]
        return candidate.key.withByteView { bytes in
            let key = database.key(bytes)
            guard let entry = database.entryDueOrNot(key), entry.hasDeadline || !onlyExpiring,
                database.rank(of: entry, by: measure) >= candidate.rank
            else { return false }
            database.evict(entry, key, unlinks: settings.lazyEviction)
            return true
        }
    }

    private func fillPool(by measure: EvictionMeasure, onlyExpiring: Bool) {
        for index in 0..<keyspace.databaseCount {
            let database = keyspace[index]
            guard database.hasVictims(onlyExpiring: onlyExpiring) else { continue }
            database.offerKeys(
                to: &eviction.pool, by: measure, onlyExpiring: onlyExpiring,
                atLeast: settings.maxMemorySamples, draw: { random.next() })
        }
    }

    private func hasVictims(onlyExpiring: Bool) -> Bool {
        (0..<keyspace.databaseCount).contains {
            keyspace[$0].hasVictims(onlyExpiring: onlyExpiring)
        }
    }

    private func evictByChance(onlyExpiring: Bool) {
        for _ in 0..<keyspace.databaseCount {
            let database = keyspace[eviction.nextDatabase % keyspace.databaseCount]
            eviction.nextDatabase = (database.index + 1) % keyspace.databaseCount
            if let entry = database.randomVictim(
                onlyExpiring: onlyExpiring, draw: { random.next() })
            {
                let key = Key(bytes: entry.key, hash: keyspace.hasher.hash(entry.key))
                database.evict(entry, key, unlinks: settings.lazyEviction)
                return
            }
        }
    }

    // MARK: - Time above the limit

    private func noteExceededLimit() {
        if eviction.exceededSince == 0 { eviction.exceededSince = monotonicMicroseconds }
    }

    private func noteWithinLimit() {
        guard eviction.exceededSince != 0 else { return }
        eviction.exceededMicroseconds += monotonicMicroseconds - eviction.exceededSince
        eviction.exceededSince = 0
    }

    private var monotonicMicroseconds: Int64 { Int64(Clock.monotonicNanoseconds() / 1000) }

    /// Milliseconds above the limit: since it was exceeded, and altogether.
    var evictionExceeded: (current: Int64, total: Int64) {
        let current =
            eviction.exceededSince == 0 ? 0 : monotonicMicroseconds - eviction.exceededSince
        return (current / 1000, (eviction.exceededMicroseconds + current) / 1000)
    }
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
