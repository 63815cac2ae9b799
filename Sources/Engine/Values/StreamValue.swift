import CLinux

/// A stream as commands see it: entries in packed nodes, found through an index by id; groups.
///
/// Promises: adding at the end, length and last id in O(1); an entry by its id in O(log nodes) and a
/// walk through one node; trimming in O(nodes cut off). The nodes are what is saved, byte for byte.
/// `docs/internals/stream.md` draws it all.
///
///     entry's payload -> state, 120 bytes:
///     | index of nodes | length | last id | first id | largest deleted id | entries added | groups |
///     index: master id of each node -> block of the node
///
/// A trivial handle to state at a fixed address, which the payload is; dead when its key is removed.
struct StreamValue {
    fileprivate struct State {
        // First, so that its address is that of the state.
        var nodes = StreamIndex<UInt64>.State()
        var length = 0
        var lastID = StreamID.zero
        var firstID = StreamID.zero
        var largestDeletedID = StreamID.zero
        var entriesAdded: Int64 = 0
        /// The word of the `NamedRecords` of groups.
        var groups: UInt64 = 0
    }

    private let state: UnsafeMutablePointer<State>
    let arena: Arena

    static let encodingName: StaticString = "stream"

    // MARK: - Creation

    /// What a new stream hangs off its entry.
    static func makeEmpty(in arena: Arena) -> CollectionValue {
        let start = arena.address(arena.allocateEssential(MemoryLayout<State>.size))
        start.bindMemory(to: State.self, capacity: 1).initialize(to: State())
        return CollectionValue(
            type: .stream, encoding: 0, payload: UInt64(UInt(bitPattern: start)))
    }

    @inline(__always)
    init(_ entry: Entry, in arena: Arena) { self.init(payload: entry.payload, in: arena) }

    @inline(__always)
    init(payload: UInt64, in arena: Arena) {
        guard let state = UnsafeMutablePointer<State>(bitPattern: UInt(payload)) else {
            preconditionFailure("a stream without its state")
        }
        self.state = state
        self.arena = arena
    }

    // MARK: - Figures

    /// Entries that are there.
    @inline(__always)
    var length: Int { state.pointee.length }

    /// The largest id an entry has had; whoever sets it keeps it above all entries.
    @inline(__always)
    var lastID: StreamID {
        get { state.pointee.lastID }
        nonmutating set { state.pointee.lastID = newValue }
    }

    /// The first entry that is there; zero when there is none.
    var firstID: StreamID { state.pointee.firstID }

    var largestDeletedID: StreamID {
        get { state.pointee.largestDeletedID }
        nonmutating set { state.pointee.largestDeletedID = newValue }
    }

    /// Entries ever added.
    var entriesAdded: Int64 {
        get { state.pointee.entriesAdded }
        nonmutating set { state.pointee.entriesAdded = newValue }
    }

    @inline(__always)
    fileprivate var nodes: StreamIndex<UInt64> {
        let first = UnsafeMutableRawPointer(state)
            .assumingMemoryBound(to: StreamIndex<UInt64>.State.self)
        return StreamIndex(first, in: arena)
    }

    var nodeCount: Int { nodes.count }
    /// Nodes of the index itself.
    var indexNodeCount: Int { nodes.nodeCount }

    /// The groups, by name; kept anew with `keep` after each change.
    @inline(__always)
    var groups: NamedRecords {
        NamedRecords(
            word: state.pointee.groups, recordBytes: StreamGroup.recordBytes, in: arena)
    }

    func keep(_ groups: NamedRecords) { state.pointee.groups = groups.word }

    // MARK: - Adding

    /// How a node ends: so many bytes, so many entries; 0: without limit.
    struct Limits {
        let bytes: Int
        let entries: Int

        init(_ limits: EncodingLimits) {
            let most = ListpackFormat.mostBytes
            bytes = limits.streamNodeBytes <= 0 ? most : min(limits.streamNodeBytes, most)
            entries = limits.streamNodeEntries <= 0 ? .max : limits.streamNodeEntries
        }
    }

    /// Appends an entry whose `id` is above the last; false when it is too large to be stored.
    @inline(__always)
    func append(_ id: StreamID, _ fields: StreamFields, _ limits: Limits) -> Bool {
        let textBytes = fields.bytes
        guard StreamNode.canHold(fields, textBytes) else { return false }
        let nodes = nodes
        if let last = nodes.last {
            var node = StreamNode(Block(word: nodes.value(at: last)), in: arena)
            let counts = node.counts
            if node.bytes &+ textBytes < limits.bytes && node.canTake(fields, textBytes)
                && counts.live &+ counts.deleted < limits.entries
            {
                let before = node.block
                node.append(id, fields, textBytes: textBytes, master: nodes.id(at: last))
                if node.block != before { nodes.setValue(node.block.word, at: last) }
                count(id)
                return true
            }
        }
        appendNode(id, fields, textBytes)
        count(id)
        return true
    }

    @inline(never)
    private func appendNode(_ id: StreamID, _ fields: StreamFields, _ textBytes: Int) {
        let nodes = nodes
        var capacity = 0
        if let last = nodes.last {
            var node = StreamNode(Block(word: nodes.value(at: last)), in: arena)
            node.close()
            nodes.setValue(node.block.word, at: last)
            capacity = min(node.bytes, Arena.largestBlock)
        }
        let node = StreamNode.create(
            id, fields, textBytes: textBytes, capacity: capacity, in: arena)
        let isNew = nodes.insert(id, node.block.word)
        precondition(isNew, "an id twice")
    }

    @inline(__always)
    private func count(_ id: StreamID) {
        state.pointee.length &+= 1
        state.pointee.entriesAdded &+= 1
        state.pointee.lastID = id
        if state.pointee.length == 1 { state.pointee.firstID = id }
    }

    // MARK: - Finding

    /// Walks over the entries from `start` through `end`, or from `end` down to `start`.
    @inline(__always)
    func cursor(
        from start: StreamID, through end: StreamID, isReversed: Bool = false
    ) -> StreamCursor {
        StreamCursor(self, from: start, through: end, isReversed: isReversed)
    }

    /// Whether there is an entry of this id.
    func contains(_ id: StreamID) -> Bool {
        var cursor = cursor(from: id, through: id)
        return cursor.next()
    }

    /// The last entry that is there.
    func lastEntryID() -> StreamID? {
        guard length > 0 else { return nil }
        var cursor = cursor(from: .zero, through: .largest, isReversed: true)
        return cursor.next() ? cursor.id : nil
    }

    /// The first entry that is there or was deleted in a node that is still kept.
    func firstKeptID() -> StreamID? {
        guard let first = nodes.first else { return nil }
        return nodes.id(at: first)
    }

    /// How many entries come after each of `ids`, the largest of them first.
    ///
    /// One pass: O(nodes after the smallest), and a node for each id.
    func counts(after ids: [StreamID]) -> [Int] {
        var behind = 0
        var position = nodes.last
        return ids.map { id in
            if length == 0 || !(id < lastID) { return 0 }
            if id < firstID { return length }
            while let here = position, id < nodes.id(at: here) {
                behind &+= node(at: here).counts.live
                position = nodes.position(before: here)
            }
            guard let here = position else { return behind }
            var walk = node(at: here).walk(master: nodes.id(at: here))
            var count = behind
            while walk.step() {
                if !walk.isDeleted && id < walk.id { count &+= 1 }
            }
            return count
        }
    }

    private func node(at position: StreamIndex<UInt64>.Position) -> StreamNode {
        StreamNode(Block(word: nodes.value(at: position)), in: arena)
    }

    // MARK: - Deleting

    /// Deletes an entry; false if it is not there.
    func delete(_ id: StreamID) -> Bool {
        guard deleteUncounted(id) else { return false }
        if state.pointee.largestDeletedID < id { state.pointee.largestDeletedID = id }
        if state.pointee.firstID == id || length == 0 { refreshFirst() }
        return true
    }

    private func deleteUncounted(_ id: StreamID) -> Bool {
        let nodes = nodes
        guard let position = nodes.position(atOrBefore: id) else { return false }
        let master = nodes.id(at: position)
        var node = StreamNode(Block(word: nodes.value(at: position)), in: arena)
        var walk = node.walk(master: master)
        // An id may stand behind one like it that was deleted, after XSETID went back.
        repeat {
            guard walk.step() else { return false }
        } while walk.isDeleted || walk.id < id
        guard walk.id == id else { return false }
        state.pointee.length &-= 1
        if node.counts.live == 1 {
            nodes.remove(master)
            node.block.free(in: arena)
            return true
        }
        node.markDeleted(walk)
        node.countDeleted(1)
        nodes.setValue(node.block.word, at: position)
        return true
    }

    private func refreshFirst() {
        state.pointee.firstID = .zero
        guard length > 0 else { return }
        var cursor = cursor(from: .zero, through: .largest)
        if cursor.next() { state.pointee.firstID = cursor.id }
    }

    // MARK: - Trimming

    /// What stays when a stream is trimmed.
    enum Trimming {
        case length(Int)
        case from(StreamID)
    }

    /// Cuts entries off the front; returns how many.
    ///
    /// Only whole nodes where `isApproximate`, and where `limit` is not 0 no node that would make it
    /// more than that many.
    func trim(_ trimming: Trimming, isApproximate: Bool, limit: Int) -> Int {
        let nodes = nodes
        var removed = 0
        while let position = nodes.first {
            if case .length(let kept) = trimming, length <= kept { break }
            let node = StreamNode(Block(word: nodes.value(at: position)), in: arena)
            let master = nodes.id(at: position)
            let live = node.counts.live
            if limit > 0 && removed &+ live > limit { break }
            let isWhole =
                switch trimming {
                case .length(let kept): length &- live >= kept
                case .from(let id): node.lastID(master: master) < id
                }
            guard isWhole else {
                if !isApproximate { removed &+= trimFront(trimming, of: node, at: position) }
                break
            }
            nodes.remove(master)
            node.block.free(in: arena)
            state.pointee.length &-= live
            removed &+= live
        }
        if removed > 0 { refreshFirst() }
        return removed
    }

    /// Marks entries of the first node as deleted; one stays at least.
    private func trimFront(
        _ trimming: Trimming, of node: StreamNode, at position: StreamIndex<UInt64>.Position
    ) -> Int {
        var node = node
        var walk = node.walk(master: nodes.id(at: position))
        var removed = 0
        while walk.step() {
            if walk.isDeleted { continue }
            if isKept(walk.id, trimming) { break }
            node.markDeleted(walk)
            state.pointee.length &-= 1
            removed &+= 1
        }
        guard removed > 0 else { return 0 }
        node.countDeleted(removed)
        nodes.setValue(node.block.word, at: position)
        return removed
    }

    private func isKept(_ id: StreamID, _ trimming: Trimming) -> Bool {
        switch trimming {
        case .length(let kept): length <= kept
        case .from(let first): !(id < first)
        }
    }

    // MARK: - Saving and loading

    /// Hands over each node as it is saved: its master's id and its bytes.
    func eachNode(_ body: (StreamID, ByteView) -> Void) {
        var position = nodes.first
        while let here = position {
            body(
                nodes.id(at: here), StreamNode(Block(word: nodes.value(at: here)), in: arena).view)
            position = nodes.position(after: here)
        }
    }

    /// Takes over a node that was checked; false if there is one with this master already.
    ///
    /// The figures are the caller's to set by `settle`.
    func adopt(_ bytes: ByteView, master: StreamID) -> Bool {
        let node = Listpack.create(copying: bytes, in: arena)
        if nodes.insert(master, node.block.word) { return true }
        node.free()
        return false
    }

    /// Counts the entries of adopted nodes, and finds the first.
    func settle() {
        var live = 0
        var position = nodes.first
        while let here = position {
            live &+= StreamNode(Block(word: nodes.value(at: here)), in: arena).counts.live
            position = nodes.position(after: here)
        }
        state.pointee.length = live
        refreshFirst()
    }

    // MARK: - As a collection

    /// Nodes and pending entries, about.
    static func blockCount(_ payload: UInt64, in arena: Arena) -> Int {
        let stream = StreamValue(payload: payload, in: arena)
        var blocks = stream.nodeCount &+ stream.indexNodeCount &+ 1
        let groups = stream.groups
        for index in 0..<groups.count {
            blocks &+= StreamGroup(groups[index], in: arena).blockCount
        }
        return blocks
    }

    /// Frees about so many blocks; true once all are gone.
    static func free(_ payload: UInt64, blocks: Int, in arena: Arena) -> Bool {
        let stream = StreamValue(payload: payload, in: arena)
        var left = blocks
        while left > 0 {
            let dropped = stream.dropLastNodes()
            if dropped == 0 { break }
            left &-= dropped
        }
        var groups = stream.groups
        while left > 0, groups.count > 0 {
            left &-= StreamGroup(groups[groups.count - 1], in: arena).free(blocks: left)
            if left > 0 { groups.removeLast() }
        }
        stream.keep(groups)
        guard left > 0 else { return false }
        arena.free(arena.handle(at: stream.state), MemoryLayout<State>.size)
        return true
    }

    /// Frees the nodes of the last leaf; returns how many.
    private func dropLastNodes() -> Int {
        let nodes = nodes
        guard let last = nodes.last else { return 0 }
        var position: StreamIndex<UInt64>.Position? = last
        var left = nodes.lastLeafCount
        while left > 0, let here = position {
            Block(word: nodes.value(at: here)).free(in: arena)
            position = nodes.position(before: here)
            left &-= 1
        }
        return nodes.dropLastLeaf()
    }

    /// Every byte behind the payload.
    ///
    /// O(nodes + groups).
    static func memoryBytes(_ payload: UInt64, in arena: Arena) -> Int {
        let stream = StreamValue(payload: payload, in: arena)
        let nodes = stream.nodes
        var bytes = arena.blockBytes(for: MemoryLayout<State>.size) + nodes.memoryBytes
        var position = nodes.first
        while let here = position {
            bytes += Block(word: nodes.value(at: here)).bytes
            position = nodes.position(after: here)
        }
        let groups = stream.groups
        bytes += groups.memoryBytes
        for index in 0..<groups.count {
            bytes += StreamGroup(groups[index], in: arena).memoryBytes
        }
        return bytes
    }

    /// A copy that shares nothing, its nodes without room to spare.
    static func copy(_ payload: UInt64, in arena: Arena) -> UInt64 {
        let source = StreamValue(payload: payload, in: arena)
        let copied = makeEmpty(in: arena).payload
        let target = StreamValue(payload: copied, in: arena)
        let old = source.state.pointee
        target.state.pointee.length = old.length
        target.state.pointee.lastID = old.lastID
        target.state.pointee.firstID = old.firstID
        target.state.pointee.largestDeletedID = old.largestDeletedID
        target.state.pointee.entriesAdded = old.entriesAdded
        let nodes = source.nodes
        var position = nodes.first
        while let here = position {
            let node = StreamNode(Block(word: nodes.value(at: here)), in: arena).copied()
            _ = target.nodes.insert(nodes.id(at: here), node.block.word)
            position = nodes.position(after: here)
        }
        let groups = source.groups
        for index in 0..<groups.count {
            StreamGroup(groups[index], in: arena).copy(into: target)
        }
        return copied
    }

    /// Stops the process where a count is wrong; for tests.
    func checkInvariants() {
        nodes.checkInvariants()
        var live = 0
        var position = nodes.first
        while let here = position {
            let node = StreamNode(Block(word: nodes.value(at: here)), in: arena)
            precondition(Listpack.validate(node.view, deep: true), "not a listpack")
            var walk = node.walk(master: nodes.id(at: here))
            var (found, deleted) = (0, 0)
            while walk.step() {
                if walk.isDeleted { deleted += 1 } else { found += 1 }
            }
            precondition(node.counts == (found, deleted) && found > 0, "wrong counts in a node")
            live += found
            position = nodes.position(after: here)
        }
        precondition(live == length, "a wrong length")
        let groups = groups
        for index in 0..<groups.count {
            StreamGroup(groups[index], in: arena).checkInvariants()
        }
    }
}

/// Walks over the entries of a stream between two ids, either way; dead after its next change.
struct StreamCursor {
    private let nodes: StreamIndex<UInt64>
    private let arena: Arena
    private let start: StreamID
    private let end: StreamID
    private let isReversed: Bool
    /// The node that is walked; nil when there is nothing more.
    private var position: StreamIndex<UInt64>.Position?
    private var walk = StreamNodeWalk.none

    @inline(__always)
    fileprivate init(
        _ stream: StreamValue, from start: StreamID, through end: StreamID, isReversed: Bool
    ) {
        nodes = stream.nodes
        arena = stream.arena
        self.start = start
        self.end = end
        self.isReversed = isReversed
        if end < start { return }
        position =
            isReversed
            ? nodes.position(atOrBefore: end)
            : nodes.position(atOrBefore: start) ?? nodes.first
        enter()
    }

    private mutating func enter() {
        guard let position else { return }
        let node = StreamNode(Block(word: nodes.value(at: position)), in: arena)
        walk = node.walk(master: nodes.id(at: position))
        if isReversed { walk.moveToEnd() }
    }

    /// Meets the next entry that is there; false when there is none.
    @inline(__always)
    mutating func next() -> Bool {
        isReversed ? stepBack() : stepForward()
    }

    @inline(__always)
    private mutating func stepForward() -> Bool {
        while let here = position {
            while walk.step() {
                if walk.isDeleted || walk.id < start { continue }
                if end < walk.id {
                    position = nil
                    return false
                }
                return true
            }
            position = nodes.position(after: here)
            enter()
        }
        return false
    }

    private mutating func stepBack() -> Bool {
        while let here = position {
            while walk.stepBack() {
                if walk.isDeleted || end < walk.id { continue }
                if walk.id < start {
                    position = nil
                    return false
                }
                return true
            }
            position = nodes.position(before: here)
            enter()
        }
        return false
    }

    /// The entry met last.
    @inline(__always)
    var id: StreamID { walk.id }

    /// Its pairs.
    @inline(__always)
    var fieldCount: Int { walk.fieldCount }

    /// Hands over each field and value of the entry just met, once, in order.
    @inline(__always)
    mutating func readPairs(_ body: (Listpack.Value, Listpack.Value) -> Void) {
        walk.readPairs(body)
    }
}
