/// A large sorted set: members found by name in a hash table, and by score and rank in a B+tree.
///
/// Both indexes hold the same 32-bit handles; each member lives once, in its own block. Promises:
/// score of a member in O(1), everything ordered in O(log n), a random member uniformly in
/// O(log n). Costs: member + 9 bytes rounded up to 8, and about 16 for both indexes.
///
/// A handle to state at a fixed address, which `word` gives: copies are the same set.
struct RankedSet {
    private struct State {
        let arena: Arena
        let hasher: SeededHash
        let table: HashTable<RankedMemberPolicy>
        let tree: BPlusTree
        /// Bytes of the members' blocks.
        var memberBytes = 0
    }

    private let state: UnsafeMutablePointer<State>

    // MARK: - Creation

    static func create(arena: Arena, hasher: SeededHash) -> RankedSet {
        let block = arena.address(arena.allocateEssential(MemoryLayout<State>.size))
        let state = block.bindMemory(to: State.self, capacity: 1)
        let context = RankedMemberPolicy.Context(arena: arena, hasher: hasher)
        state.initialize(
            to: State(
                arena: arena, hasher: hasher,
                table: HashTable.create(arena: arena, context: context),
                tree: BPlusTree.create(arena: arena)))
        return RankedSet(state: state)
    }

    /// The set whose `word` was kept.
    @inline(__always)
    init(word: UInt64) {
        guard let state = UnsafeMutablePointer<State>(bitPattern: UInt(word)) else {
            preconditionFailure("no word of a set")
        }
        self.state = state
    }

    private init(state: UnsafeMutablePointer<State>) { self.state = state }

    /// What `init(word:)` takes and an entry keeps.
    @inline(__always)
    var word: UInt64 { UInt64(UInt(bitPattern: state)) }

    /// A copy that shares nothing, its leaves filled; O(n), nil when there is no memory for it.
    func copied() -> RankedSet? {
        let copy = RankedSet.create(arena: arena, hasher: state.pointee.hasher)
        var walk = tree.walk(from: 0)
        while let element = walk.next() {
            guard copy.insert(element.member, score: element.score) else {
                copy.destroy()
                return nil
            }
        }
        return copy
    }

    /// Frees the set and its members; O(n).
    func destroy() {
        while freeSome(limit: .max) {}
    }

    /// Frees up to about `limit` members, and the set itself with the last; true while some are
    /// left.
    ///
    /// The set may be used for nothing else from the first call on.
    func freeSome(limit: Int) -> Bool {
        let (arena, table, tree) = (arena, table, tree)
        let budget = limit - table.freeElements(about: limit, in: arena)
        // A leaf is one block to free for forty members.
        let leaves = budget > Int.max / 16 ? .max : Swift.max(0, budget) * 16
        if !table.isEmpty || tree.dropLeaves(limit: leaves) { return true }
        table.destroy()
        tree.destroy()
        arena.free(arena.handle(at: state), MemoryLayout<State>.size)
        return false
    }

    // MARK: - Figures

    @inline(__always)
    private var arena: Arena { state.pointee.arena }
    @inline(__always)
    var table: HashTable<RankedMemberPolicy> { state.pointee.table }

    /// The members in order.
    @inline(__always)
    var tree: BPlusTree { state.pointee.tree }

    @inline(__always)
    var count: Int { table.count }
    var isEmpty: Bool { count == 0 }

    /// Every byte the set takes, exactly, heap blocks of long members as the allocator counts them.
    var memoryBytes: Int {
        table.memoryBytes + tree.memoryBytes + state.pointee.memberBytes
            + arena.blockBytes(for: MemoryLayout<State>.size)
    }

    // MARK: - Members

    /// The member of this name; nil when there is none.
    ///
    /// `hash` is that of the name, 0 where it is not known; so in what follows.
    @inline(__always)
    func find(_ member: ByteView, hash: UInt64 = 0) -> ScoredMember? {
        let handle = table.find(member, hash: known(hash, member))
        return handle.isNone ? nil : ScoredMember(handle, arena)
    }

    /// Makes the table fit for so many members.
    func reserve(_ members: Int) { table.reserve(members) }

    /// Adds a member the caller knows to be absent; false when there is no memory for it.
    func insert(_ member: ByteView, score: Double, hash: UInt64 = 0) -> Bool {
        guard let new = ScoredMember.make(member, score: score, in: arena) else { return false }
        state.pointee.memberBytes += new.memoryBytes(in: arena)
        table.insert(new.handle, hash: known(hash, member))
        tree.insert(new)
        return true
    }

    /// Gives a member of this set another score.
    func setScore(_ score: Double, of member: ScoredMember) {
        tree.setScore(score, of: member)
    }

    @inline(__always)
    private func known(_ hash: UInt64, _ member: ByteView) -> UInt64 {
        hash != 0 ? hash : state.pointee.hasher.hash(member)
    }

    /// Removes a member of this set and frees it.
    func remove(_ member: ScoredMember, hash: UInt64 = 0) {
        tree.remove(member)
        forget(member, known(hash, member.member))
    }

    /// Removes the member of this rank and frees it.
    func remove(at rank: Int) {
        let member = tree.remove(at: rank)
        forget(member, state.pointee.hasher.hash(member.member))
    }

    /// Removes the first member or the last and returns it: the caller's to `free`.
    ///
    /// Whoever pops one pops more, as a rule: what leads to the next ones is asked for, their blocks
    /// first, and the lines of the table when these have arrived.
    func pop(isLast: Bool) -> ScoredMember {
        let member = tree.locate(isLast ? count - 1 : 0)
        tree.neighbour(isLast ? -Self.blockLead : Self.blockLead)?.prefetch()
        if let next = tree.neighbour(isLast ? -Self.groupLead : Self.groupLead) {
            table.prefetchGroup(hash: state.pointee.hasher.hash(next.member))
        }
        tree.removeLocated()
        detach(member, state.pointee.hasher.hash(member.member))
        return member
    }

    /// How many pops before its own a member's block is asked for, and its place in the table.
    private static let blockLead = 8
    private static let groupLead = 4

    /// Frees a member that is in the set no more.
    func free(_ member: ScoredMember) { member.free(in: arena) }

    private func forget(_ member: ScoredMember, _ hash: UInt64) {
        detach(member, hash)
        member.free(in: arena)
    }

    /// Takes a member that is not in the tree out of the table.
    private func detach(_ member: ScoredMember, _ hash: UInt64) {
        table.remove(entry: member.handle, hash: hash)
        state.pointee.memberBytes -= member.memoryBytes(in: arena)
    }

    // MARK: - Looking ahead

    /// First of two stages: asks for the group where the member of this hash belongs.
    func prefetchGroup(hash: UInt64) { table.prefetchGroup(hash: hash) }

    /// Second stage: asks for the member.
    func prefetchMember(hash: UInt64) { table.prefetchCandidate(hash: hash) }

    // MARK: - Scanning

    /// Members, `wanted` at least if so many steps find them, and the next cursor (0: done).
    func scan(
        _ cursor: UInt64, atLeast wanted: Int, mostSteps: Int,
        into handles: inout ContiguousArray<Arena.Handle>
    ) -> UInt64 {
        table.scan(cursor, atLeast: wanted, mostSteps: mostSteps, into: &handles)
    }

    func element(_ handle: Arena.Handle) -> ScoredMember { ScoredMember(handle, arena) }

    /// Stops the process where a promise does not hold; O(n), for tests.
    func checkInvariants() {
        table.checkInvariants()
        tree.checkInvariants()
        precondition(table.count == tree.count, "both indexes hold the same members")
        var bytes = 0
        var walk = tree.walk(from: 0)
        while let element = walk.next() {
            bytes += element.memoryBytes(in: arena)
            precondition(find(element.member)?.handle == element.handle, "found by its name")
        }
        precondition(bytes == state.pointee.memberBytes, "the bytes are exact")
    }
}

/// What the hash table has to know of scored members.
enum RankedMemberPolicy: OwningTablePolicy {
    typealias Element = ScoredMember

    struct Context {
        let arena: Arena
        let hasher: SeededHash
    }

    @inline(__always)
    static func hash(of entry: Arena.Handle, _ context: Context) -> UInt64 {
        context.hasher.hash(ScoredMember(entry, context.arena).member)
    }

    @inline(__always)
    static func matches(_ entry: Arena.Handle, _ member: ByteView, _ context: Context) -> Bool {
        ScoredMember(entry, context.arena).member == member
    }

    @inline(__always)
    static func prefetch(_ entry: Arena.Handle, _ context: Context) {
        ScoredMember(entry, context.arena).prefetch()
    }
}
