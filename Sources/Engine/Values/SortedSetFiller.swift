/// Fills an empty sorted set with members that mostly come in order, as they do from a file.
///
/// A member is looked for only where another has left the same trace in 1024 bits, and its place
/// only where it does not belong behind the last one. So a packed set of a hundred members takes a
/// hundred steps to fill, where adding them one by one takes ten thousand.
struct SortedSetFiller {
    private(set) var set: SortedSetValue
    private var traces = SIMD16<UInt64>()

    init(_ set: SortedSetValue) { self.set = set }

    /// Reserves what the members will take together, or a little more, while they are packed.
    mutating func reserve(packedBytes: Int) { set.reservePacked(packedBytes) }

    /// Adds a member; false when it is there already.
    ///
    /// The score must be a number. O(1) for a packed set and members in order, else as `add`.
    mutating func add(_ member: ByteView, _ score: Double) throws(CommandError) -> Bool {
        guard !set.isRanked else { return try addOneByOne(member, score) }
        let hash = set.ground.hasher.hash(member)
        let (place, bit) = (Int(hash >> 6 & 15), UInt64(1) << (hash & 63))
        if traces[place] & bit != 0 { return try addOneByOne(member, score) }
        traces[place] |= bit
        try set.addPackedNew(member, score)
        return true
    }

    private mutating func addOneByOne(
        _ member: ByteView, _ score: Double
    ) throws(CommandError) -> Bool {
        var score = score
        return try set.add(member, &score) == .added
    }

    /// Gives back what was reserved too much.
    mutating func finish() -> SortedSetValue {
        set.reservePacked(0)
        return set
    }
}
