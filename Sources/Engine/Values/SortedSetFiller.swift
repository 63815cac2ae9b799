/// Fills an empty sorted set with members that mostly come in order, as they do from a file.
///
/// A member is looked for only where the hash of another has left the same trace, and its place only
/// where it does not belong behind the last one. So a packed set of a hundred members takes a
/// hundred steps to fill, where adding them one by one takes ten thousand.
struct SortedSetFiller {
    /// What was filled, but for what `writer` holds.
    private var set: SortedSetValue
    /// As long as everything comes in order and into the room that was reserved.
    private var writer: PackedScores.Writer?
    private var traces: NameTraces

    /// Those beyond are looked for.
    private static let mostTraced = 1 << 20

    /// Fills `set`, probably with so many members; the room of unpacked values is in use until the
    /// end.
    init(_ set: SortedSetValue, members: Int, in room: UnpackingRoom) {
        self.set = set
        let most = set.isRanked ? 0 : set.ground.mostPackedMembers
        traces = NameTraces(most: max(0, min(members, most, Self.mostTraced)), in: room)
    }

    /// Reserves what the members will take together, or a little more, while they are packed; to be
    /// called before the first is added.
    mutating func reserve(packedBytes: Int) {
        set.reservePacked(packedBytes)
        writer = set.writer
    }

    /// Whether no more members are packed.
    @inline(__always)
    var isRanked: Bool { self.set.isRanked }

    /// Makes a ranked set fit for so many members more.
    func reserve(members: Int) { set.reserveRanked(set.count + members) }

    /// Asks a ranked set for the place of a member of this hash.
    @inline(__always)
    func prefetchPlace(_ hash: UInt64) { set.prefetchPlace(hash) }

    /// Adds a member; false when it is there already.
    ///
    /// The score must be a number; `hash` is that of the member, 0 where it is not known. O(1) for a
    /// packed set and members in order, else as `add`.
    @inline(__always)
    mutating func add(
        _ member: ByteView, _ score: Double, hash: UInt64 = 0
    ) throws(CommandError) -> Bool {
        if set.isRanked { return try addOneByOne(member, score, hash) }
        let hash = hash != 0 ? hash : set.ground.hasher.hash(member)
        let isNew = traces.isNew(hash)
        if isNew && writer?.append(member, score) ?? false { return true }
        settle()
        guard isNew else { return try addOneByOne(member, score, hash) }
        try set.addPackedNew(member, score)
        return true
    }

    private mutating func addOneByOne(
        _ member: ByteView, _ score: Double, _ hash: UInt64
    ) throws(CommandError) -> Bool {
        var score = score
        return try set.add(member, &score, hash: hash) == .added
    }

    /// What was written belongs to the set from now on.
    private mutating func settle() {
        if let writer { set.finish(writer) }
        writer = nil
    }

    /// Gives the set away, without what was reserved too much.
    mutating func finish() -> SortedSetValue {
        settle()
        set.reservePacked(0)
        return set
    }
}
