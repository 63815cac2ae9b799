/// A sorted set as commands see it, whichever of its two forms it has.
///
/// Packed (`listpack`, as OBJECT ENCODING has to call it): a `PackedScores`, in order, everything
/// O(n) and small. Ranked (`skiplist`): a `RankedSet`. A packed set becomes
/// ranked when it outgrows the limits of its settings and stays so.
///
/// A value that hangs off an entry or off nothing yet; whoever changes it calls `save` afterwards.
struct SortedSetValue: RandomElements {
    /// What a set needs from outside: where it lives, and how long it stays packed.
    struct Ground {
        let arena: Arena
        let hasher: SeededHash
        let mostPackedMembers: Int
        let longestPackedMember: Int
    }

    private static let packed: UInt8 = 0
    private static let ranked: UInt8 = 1

    let ground: Ground
    private(set) var encoding: UInt8
    private var payload: UInt64

    /// The set of an entry.
    @inline(__always)
    init(of entry: Entry, on ground: Ground) {
        self.ground = ground
        encoding = entry.encoding
        payload = entry.payload
    }

    /// An empty set that hangs off nothing; it must get a home or be freed.
    static func make(on ground: Ground, firstMemberBytes: Int = 0) -> SortedSetValue {
        SortedSetValue(
            on: ground,
            isRanked: ground.mostPackedMembers <= 0
                || firstMemberBytes > ground.longestPackedMember)
    }

    /// An empty set for `members` members, ranked at once where they are too many to pack them.
    static func make(on ground: Ground, members: Int) -> SortedSetValue {
        SortedSetValue(on: ground, isRanked: members > ground.mostPackedMembers)
    }

    /// An empty ranked set, for a result whose size is not known; see `packIfSmall`.
    static func makeRanked(on ground: Ground) -> SortedSetValue {
        SortedSetValue(on: ground, isRanked: true)
    }

    private init(on ground: Ground, isRanked: Bool) {
        self.ground = ground
        encoding = isRanked ? Self.ranked : Self.packed
        payload =
            isRanked
            ? RankedSet.create(arena: ground.arena, hasher: ground.hasher).word
            : PackedScores.create(in: ground.arena).block.word
    }

    /// Writes back to its entry where it lies now.
    @inline(__always)
    func save(to entry: Entry) {
        if entry.payload != payload { entry.payload = payload }
        if entry.encoding != encoding { entry.encoding = encoding }
    }

    /// The value as something an entry can be given.
    var collection: CollectionValue {
        CollectionValue(type: .sortedSet, encoding: encoding, payload: payload)
    }

    @inline(__always)
    var isRanked: Bool { encoding == Self.ranked }
    @inline(__always)
    var set: RankedSet { RankedSet(word: payload) }
    @inline(__always)
    private var packed: PackedScores { PackedScores(Block(word: payload), in: ground.arena) }

    // MARK: - Questions

    @inline(__always)
    var count: Int { isRanked ? set.count : packed.count }

    /// The score of `member`; nil when it is none.
    ///
    /// `hash` is that of the member, 0 where it is not known; so in what follows.
    @inline(__always)
    func score(of member: ByteView, hash: UInt64 = 0) -> Double? {
        if isRanked { return set.find(member, hash: hash)?.score }
        return packed.find(member)?.score
    }

    /// How many members stand before `member`, and its score; nil when it is none.
    @inline(__always)
    func rank(of member: ByteView, hash: UInt64 = 0) -> (rank: Int, score: Double)? {
        if isRanked {
            guard let element = set.find(member, hash: hash) else { return nil }
            return (set.tree.rank(of: element), element.score)
        }
        return packed.find(member).map { ($0.rank, $0.score) }
    }

    /// How many members stand before `bound`.
    func rank(of bound: SortedSetBound) -> Int {
        switch bound {
        case .start: return 0
        case .end: return count
        default: return isRanked ? rankedRank(of: bound) : packedRank(of: bound)
        }
    }

    private func rankedRank(of bound: SortedSetBound) -> Int {
        switch bound {
        case .start: 0
        case .end: set.count
        case .beforeScore(let score): set.tree.rank(of: .before(score: score))
        case .afterScore(let score): set.tree.rank(of: .after(score: score))
        case .beforeMember(let member): set.tree.rank(of: .before(member: member))
        case .afterMember(let member): set.tree.rank(of: .after(member: member))
        }
    }

    private func packedRank(of bound: SortedSetBound) -> Int {
        var walk = packed.walk()
        var rank = 0
        while let record = walk.next() {
            if bound.isReached(by: record.member, record.score) { break }
            rank &+= 1
        }
        return rank
    }

    /// A way along the members from `rank` on, up or down; the set must not change meanwhile.
    func walk(from rank: Int, isReversed: Bool = false) -> SortedSetWalk {
        if isRanked {
            return SortedSetWalk(
                ranked: set.tree.walk(from: rank, isReversed: isReversed), packed: nil,
                isReversed: isReversed)
        }
        let packed = packed
        let place = packed.position(at: isReversed ? rank &+ 1 : rank)
        return SortedSetWalk(ranked: nil, packed: packed.walk(from: place), isReversed: isReversed)
    }

    /// A way along all records of a packed set, the lowest first; nil of a ranked one.
    var packedRecords: PackedScores.Walk? { isRanked ? nil : packed.walk() }

    /// The member of this rank, which must exist.
    func element(at rank: Int) -> SortedSetElement {
        var walk = walk(from: rank)
        guard let element = walk.next() else {
            preconditionFailure("there is no member of this rank")
        }
        return element
    }

    /// A call of ZSCAN of a ranked set; a packed one is shown whole by `walk`.
    func scan(
        _ cursor: UInt64, atLeast wanted: Int, mostSteps: Int,
        into handles: inout ContiguousArray<Arena.Handle>
    ) -> UInt64 {
        set.scan(cursor, atLeast: wanted, mostSteps: mostSteps, into: &handles)
    }

    func element(_ handle: Arena.Handle) -> SortedSetElement {
        let element = set.element(handle)
        return SortedSetElement(member: .bytes(element.member), score: element.score)
    }

    // MARK: - At random

    var drawsCheaply: Bool { isRanked }

    /// Names a member while the set does not change: a rank, or where its record lies.
    struct Position: Hashable {
        fileprivate let raw: Int
    }

    func positions() -> ContiguousArray<Position> {
        if isRanked { return ContiguousArray((0..<count).map { Position(raw: $0) }) }
        var positions: ContiguousArray<Position> = []
        var walk = packed.walk()
        while !walk.isAtEnd {
            positions.append(Position(raw: walk.position.offset))
            _ = walk.next()
        }
        return positions
    }

    func randomPosition(by chance: ValueContext) -> Position? {
        let count = self.count
        guard count > 0 else { return nil }
        let rank = chance.random(below: count)
        if isRanked { return Position(raw: rank) }
        return Position(raw: packed.position(at: rank).offset)
    }

    func element(at position: Position) -> SortedSetElement {
        if isRanked { return element(at: position.raw) }
        var walk = packed.walk(from: PackedScores.Position(offset: position.raw))
        guard let record = walk.next() else {
            preconditionFailure("a position beyond the set")
        }
        return SortedSetElement(member: record.member, score: record.score)
    }

    // MARK: - Changes

    /// When `add` may do what.
    struct Conditions: OptionSet {
        let rawValue: UInt8
        static let onlyNew = Conditions(rawValue: 1)
        static let onlyPresent = Conditions(rawValue: 2)
        static let onlyGreater = Conditions(rawValue: 4)
        static let onlyLess = Conditions(rawValue: 8)
        /// The score is to be added to the one there is.
        static let increments = Conditions(rawValue: 16)
        /// A zero of the other sign is another score.
        static let exactly = Conditions(rawValue: 32)
    }

    enum Outcome {
        case added, updated, unchanged
        /// A condition did not hold.
        case refused
        /// The sum is no number.
        case notANumber
    }

    /// Adds `member` or changes its score, as far as `conditions` allow; `score` becomes what the
    /// member has then.
    mutating func add(
        _ member: ByteView, _ score: inout Double, _ conditions: Conditions = [],
        hash: UInt64 = 0
    ) throws(CommandError) -> Outcome {
        if isRanked {
            if let element = set.find(member, hash: hash) {
                let outcome = Self.decide(element.score, &score, conditions)
                if outcome == .updated { set.setScore(score, of: element) }
                return outcome
            }
            if conditions.contains(.onlyPresent) { return .refused }
            guard set.insert(member, score: score, hash: hash) else { throw .outOfMemory }
            return .added
        }
        return try addPacked(member, &score, conditions)
    }

    private mutating func addPacked(
        _ member: ByteView, _ score: inout Double, _ conditions: Conditions
    ) throws(CommandError) -> Outcome {
        if let found = packed.find(member) {
            let outcome = Self.decide(found.score, &score, conditions)
            if outcome == .updated {
                removePacked(at: found.position)
                insertPacked(member, score)
            }
            return outcome
        }
        if conditions.contains(.onlyPresent) { return .refused }
        try addPackedNew(member, score)
        return .added
    }

    /// Adds a member that is known not to be in the packed set, which may become a ranked one.
    mutating func addPackedNew(_ member: ByteView, _ score: Double) throws(CommandError) {
        if count >= ground.mostPackedMembers || member.count > ground.longestPackedMember
            || !packed.canTake(member.count)
        {
            try becomeRanked()
            guard set.insert(member, score: score) else { throw .outOfMemory }
        } else {
            insertPacked(member, score)
        }
    }

    /// Makes the block of a packed set fit for `bytes` bytes, or for what is in it.
    mutating func reservePacked(_ bytes: Int) {
        guard !isRanked else { return }
        var packed = packed
        // Settings may allow as much as there are numbers.
        let longest = ground.longestPackedMember.addingReportingOverflow(16).partialValue
        let (most, isHuge) = ground.mostPackedMembers.multipliedReportingOverflow(by: longest)
        packed.reserve(isHuge || longest < 16 ? bytes : min(bytes, most))
        payload = packed.block.word
    }

    /// What fills the room of a packed set that has no members yet; nil for a ranked one.
    var writer: PackedScores.Writer? {
        isRanked || count > 0
            ? nil
            : packed.writer(
                most: ground.mostPackedMembers, longest: ground.longestPackedMember)
    }

    /// Takes over what `writer` has written.
    func finish(_ writer: PackedScores.Writer) { packed.finish(writer) }

    /// Makes the table of a ranked set fit for so many members.
    func reserveRanked(_ members: Int) { if isRanked { set.reserve(members) } }

    /// Asks the table of a ranked set for the place where a member of this hash belongs.
    @inline(__always)
    func prefetchPlace(_ hash: UInt64) { if isRanked { set.prefetchGroup(hash: hash) } }

    /// What becomes of a member whose score is `old`.
    @inline(__always)
    private static func decide(
        _ old: Double, _ score: inout Double, _ conditions: Conditions
    ) -> Outcome {
        if conditions.contains(.onlyNew) { return .refused }
        var wanted = score
        if conditions.contains(.increments) {
            wanted += old
            if wanted.isNaN { return .notANumber }
        }
        if conditions.contains(.onlyGreater) && wanted <= old { return .refused }
        if conditions.contains(.onlyLess) && wanted >= old { return .refused }
        score = wanted
        if wanted == old {
            let isSame = wanted.bitPattern == old.bitPattern || !conditions.contains(.exactly)
            return isSame ? .unchanged : .updated
        }
        return .updated
    }

    /// Removes `member`; false when it is none.
    mutating func remove(_ member: ByteView, hash: UInt64 = 0) -> Bool {
        if isRanked {
            guard let element = set.find(member, hash: hash) else { return false }
            set.remove(element, hash: hash)
            return true
        }
        guard let position = packed.find(member)?.position else { return false }
        removePacked(at: position)
        return true
    }

    /// Removes `count` members from `rank` on, which must exist; O(count log n).
    mutating func removeRange(from rank: Int, count: Int) {
        if isRanked {
            let set = set
            for _ in 0..<count { set.remove(at: rank) }
            return
        }
        removePacked(at: packed.position(at: rank), count: count)
    }

    /// Removes `count` members, which must exist, from the beginning or from the end backwards, and
    /// replies with each and its score, in an array of their own where `isNested`.
    mutating func pop(
        _ count: Int, fromEnd: Bool, isNested: Bool, into reply: inout ReplyWriter
    ) {
        if isRanked {
            let set = set
            for _ in 0..<count {
                let member = set.pop(isLast: fromEnd)
                if isNested { reply.array(2) }
                reply.bulk(member.member)
                reply.double(member.score)
                set.free(member)
            }
            return
        }
        let last = self.count - 1
        var walk = walk(from: fromEnd ? last : 0, isReversed: fromEnd)
        for _ in 0..<count {
            guard let element = walk.next() else { break }
            if isNested { reply.array(2) }
            reply.member(element.member)
            reply.double(element.score)
        }
        removeRange(from: fromEnd ? last + 1 - count : 0, count: count)
    }

    // MARK: - The packed form

    private mutating func removePacked(at position: PackedScores.Position, count: Int = 1) {
        var packed = packed
        packed.remove(at: position, count: count)
        payload = packed.block.word
    }

    /// Puts a member that is not there where it belongs.
    private mutating func insertPacked(_ member: ByteView, _ score: Double) {
        var packed = packed
        if belongsLast(member, score) {
            packed.append(member, score)
        } else {
            var walk = packed.walk()
            var place = walk.position
            while let other = walk.next(), !Self.belongs(member, score, before: other) {
                place = walk.position
            }
            packed.insert(member, score, at: place)
        }
        payload = packed.block.word
    }

    /// Members come by rising score more often than not.
    private func belongsLast(_ member: ByteView, _ score: Double) -> Bool {
        var walk = packed.walkBack()
        guard let last = walk.previous() else { return true }
        return !Self.belongs(member, score, before: last)
    }

    private static func belongs(
        _ member: ByteView, _ score: Double, before other: PackedScores.Record
    ) -> Bool {
        other.score > score
            || other.score == score && other.member.withText { $0.compare(member) } > 0
    }

    /// Packs a ranked set where its members are few and short enough.
    mutating func packIfSmall() {
        guard isRanked, count <= ground.mostPackedMembers else { return }
        var packed = PackedScores.create(in: ground.arena)
        var walk = set.tree.walk(from: 0)
        while let element = walk.next() {
            let member = element.member
            guard member.count <= ground.longestPackedMember, packed.canTake(member.count)
            else { return packed.free() }
            packed.append(member, element.score)
        }
        set.destroy()
        encoding = Self.packed
        payload = packed.block.word
    }

    private mutating func becomeRanked() throws(CommandError) {
        let new = RankedSet.create(arena: ground.arena, hasher: ground.hasher)
        var walk = packed.walk()
        while let record = walk.next() {
            guard record.member.withText({ new.insert($0, score: record.score) }) else {
                new.destroy()
                throw .outOfMemory
            }
        }
        packed.free()
        encoding = Self.ranked
        payload = new.word
    }
}

/// A member with its score; the member is valid until the set changes.
struct SortedSetElement {
    let member: Listpack.Value
    let score: Double
}

/// A point in the order of a sorted set.
enum SortedSetBound {
    case start, end
    case beforeScore(Double), afterScore(Double)
    /// In a set whose scores are all the same.
    case beforeMember(ByteView), afterMember(ByteView)

    /// Whether the element stands behind the point.
    fileprivate func isReached(by member: Listpack.Value, _ score: Double) -> Bool {
        switch self {
        case .start: true
        case .end: false
        case .beforeScore(let bound): score >= bound
        case .afterScore(let bound): score > bound
        case .beforeMember(let bound): member.withText { $0.compare(bound) } >= 0
        case .afterMember(let bound): member.withText { $0.compare(bound) } > 0
        }
    }
}

/// A way along a sorted set; see `SortedSetValue.walk`.
struct SortedSetWalk {
    fileprivate var ranked: BPlusTree.Walk?
    fileprivate var packed: PackedScores.Walk?
    fileprivate let isReversed: Bool

    /// The next element; nil past the end.
    @inline(__always)
    mutating func next() -> SortedSetElement? {
        if packed != nil { return nextPacked() }
        guard let element = ranked?.next() else { return nil }
        return SortedSetElement(member: .bytes(element.member), score: element.score)
    }

    /// As `next`, `most` times at most, for the members alone.
    @inline(__always)
    mutating func eachMember(atMost most: Int, _ body: (Listpack.Value) -> Void) {
        if var packed {
            var left = most
            while left > 0, let record = isReversed ? packed.previous() : packed.next() {
                body(record.member)
                left &-= 1
            }
            self.packed = packed
        } else if var ranked {
            ranked.each(atMost: most) { body(.bytes($0.member)) }
            self.ranked = ranked
        }
    }

    private mutating func nextPacked() -> SortedSetElement? {
        guard let record = isReversed ? packed?.previous() : packed?.next() else { return nil }
        return SortedSetElement(member: record.member, score: record.score)
    }
}

// MARK: - As a collection

extension SortedSetValue {
    static func encodingName(_ encoding: UInt8) -> StaticString {
        encoding == ranked ? "skiplist" : "listpack"
    }

    static func blockCount(_ encoding: UInt8, _ payload: UInt64, in arena: Arena) -> Int {
        encoding == ranked ? RankedSet(word: payload).count : 1
    }

    static func count(_ encoding: UInt8, _ payload: UInt64, in arena: Arena) -> Int {
        encoding == ranked
            ? RankedSet(word: payload).count : PackedScores(Block(word: payload), in: arena).count
    }

    static func free(
        _ encoding: UInt8, _ payload: UInt64, blocks: Int, in arena: Arena
    ) -> Bool {
        if encoding == ranked { return !RankedSet(word: payload).freeSome(limit: blocks) }
        Block(word: payload).free(in: arena)
        return true
    }

    /// Asks for what leads to the member of this hash, then, when that has arrived, for the member.
    static func prefetchGroup(
        _ encoding: UInt8, _ payload: UInt64, _ hash: UInt64, in arena: Arena
    ) {
        if encoding == ranked { return RankedSet(word: payload).prefetchGroup(hash: hash) }
        Block(word: payload).prefetch(in: arena)
    }

    /// Asks for what a packed set begins with.
    static func prefetchBeginning(_ encoding: UInt8, _ payload: UInt64, in arena: Arena) {
        if encoding == packed { Block(word: payload).prefetch(in: arena, lines: 5) }
    }

    static func prefetchMember(_ encoding: UInt8, _ payload: UInt64, _ hash: UInt64) {
        if encoding == ranked { RankedSet(word: payload).prefetchMember(hash: hash) }
    }

    static func memoryBytes(_ encoding: UInt8, _ payload: UInt64, in arena: Arena) -> Int {
        encoding == ranked ? RankedSet(word: payload).memoryBytes : Block(word: payload).bytes
    }

    static func copy(
        _ encoding: UInt8, _ payload: UInt64, in arena: Arena
    ) throws(CommandError) -> UInt64 {
        if encoding == ranked {
            guard let copy = RankedSet(word: payload).copied() else { throw .outOfMemory }
            return copy.word
        }
        return PackedScores(Block(word: payload), in: arena).copied().block.word
    }
}

extension ReplyWriter {
    /// A member as a bulk.
    @inline(__always)
    mutating func member(_ member: Listpack.Value) {
        switch member {
        case .bytes(let bytes): bulk(bytes)
        case .integer(let integer): bulkInteger(integer)
        }
    }

    /// The next `count` members of a walk as bulks; fewer where it ends before.
    mutating func members(_ walk: inout SortedSetWalk, count: Int) {
        walk.eachMember(atMost: count) { member($0) }
    }
}
