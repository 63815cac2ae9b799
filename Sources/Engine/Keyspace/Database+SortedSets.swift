/// Finding and storing sorted sets.
extension Database {
    /// What a sorted set stands on here.
    @inline(__always)
    var sortedSetGround: SortedSetValue.Ground {
        let limits = keyspace.encodingLimits
        return SortedSetValue.Ground(
            arena: keyspace.arena, hasher: keyspace.hasher,
            mostPackedMembers: limits.sortedSetEntries,
            longestPackedMember: limits.sortedSetValueBytes)
    }

    /// The sorted set at `key`, for reading: counts the hit, marks the access; nil when there is
    /// none.
    @inline(__always)
    func readSortedSet(_ key: Key) throws(CommandError) -> SortedSetValue? {
        guard let entry = try read(key, of: .sortedSet) else { return nil }
        return SortedSetValue(of: entry, on: sortedSetGround)
    }

    @inline(__always)
    func sortedSet(of entry: Entry) -> SortedSetValue {
        SortedSetValue(of: entry, on: sortedSetGround)
    }
}
