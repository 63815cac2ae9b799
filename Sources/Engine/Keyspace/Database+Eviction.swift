/// Drawing keys that may be given up when memory is short.
extension Database {
    /// How good it is to lose `entry`: the higher, the better.
    func rank(of entry: Entry, by measure: EvictionMeasure) -> UInt64 {
        let stamp = keyspace.presentStamp
        return switch measure {
        case .moments: UInt64(stamp.idleSeconds(since: entry.access))
        case .counts: 255 - UInt64(stamp.count(in: entry.access))
        case .deadlines: UInt64.max - UInt64(clamping: entry.deadline ?? .max)
        }
    }

    /// Offers at least `wanted` keys drawn at random to `pool`, all of them if there are fewer; with
    /// `onlyExpiring` such as have a deadline.
    ///
    /// Keys of one group of the table come together: which these are is as good as drawn. Where
    /// deadlines count, the group in which the next one lies is among them.
    ///
    /// - Parameter draw: gives 64 random bits.
    func offerKeys(
        to pool: inout EvictionPool, by measure: EvictionMeasure, onlyExpiring: Bool,
        atLeast wanted: Int, draw: () -> UInt64
    ) {
        var visitor = SampledEntries(arena: keyspace.arena, onlyExpiring: onlyExpiring)
        if measure == .deadlines, let group = earliestGroup() { table.visitGroup(group, &visitor) }
        // Groups without such keys are rare, but for a database that has hardly any.
        var attempts = wanted * 4
        while visitor.count < wanted && attempts > 0 {
            table.visitGroup(randomGroup(onlyExpiring: onlyExpiring, draw), &visitor)
            attempts -= 1
        }
        for index in 0..<visitor.count {
            let entry = Entry(visitor[index], keyspace.arena)
            pool.offer(entry.key, rank: rank(of: entry, by: measure), database: self.index)
        }
    }

    /// A key drawn at random, expired or not; nil when none was found in a few attempts.
    ///
    /// With `onlyExpiring` it is one that has a deadline.
    func randomVictim(onlyExpiring: Bool, draw: () -> UInt64) -> Entry? {
        guard onlyExpiring else {
            return count > 0 ? Entry(table.randomEntry(seed: draw()), keyspace.arena) : nil
        }
        for _ in 0..<16 where expiringCount > 0 {
            var visitor = SampledEntries(arena: keyspace.arena, onlyExpiring: true)
            table.visitGroup(randomGroup(onlyExpiring: true, draw), &visitor)
            guard visitor.count > 0 else { continue }
            return Entry(visitor[Int(draw() % UInt64(visitor.count))], keyspace.arena)
        }
        return nil
    }

    private func randomGroup(onlyExpiring: Bool, _ draw: () -> UInt64) -> Int {
        if onlyExpiring, let group = randomExpiringGroup(draw) { return group }
        return Int(draw().multipliedFullWidth(by: UInt64(table.groupCount)).high)
    }

    /// Whether there is anything to evict.
    func hasVictims(onlyExpiring: Bool) -> Bool { onlyExpiring ? expiringCount > 0 : count > 0 }

    /// Removes `entry`, found at `key`, for want of memory.
    ///
    /// - Parameter unlinks: `lazyfree-lazy-eviction`, which those who repeat it are told.
    func evict(_ entry: Entry, _ key: Key, unlinks: Bool) {
        keyspace.counters.evicted &+= 1
        if keyspace.interest.isInEvents { keyspace.record(key.bytes, .evicted, in: self) }
        if keyspace.interest.contains(.propagation) {
            keyspace.feed.appendRemoval(of: key.bytes, in: index, unlinks: unlinks)
        }
        remove(entry, key)
    }
}

/// Collects the entries of a group, and asks for the line of each so that they arrive together.
private struct SampledEntries: EntryVisitor {
    let arena: Arena
    let onlyExpiring: Bool
    private var entries: ContiguousArray<Arena.Handle> = []

    init(arena: Arena, onlyExpiring: Bool) {
        self.arena = arena
        self.onlyExpiring = onlyExpiring
    }

    var count: Int { entries.count }
    subscript(index: Int) -> Arena.Handle { entries[index] }

    mutating func visit(_ handle: Arena.Handle) {
        let entry = Entry(handle, arena)
        if onlyExpiring && !entry.hasDeadline { return }
        entry.prefetch()
        entries.append(handle)
    }
}
