/// Scored members in order of score, then of bytes, with their ranks: a B+tree of handles.
///
/// Promises: insert, remove, rank, the member at a rank and the edges of a range in O(log n), with
/// one or two lines of a leaf touched and hardly ever a member's block; walking on costs a line for
/// about forty members. Costs: about 7.5 bytes a member (6 in a leaf that is 90% full). The tree
/// does not own the members: the caller frees them after they were removed.
///
///     leaf, 1 to 6 lines of 64 bytes, as many as its members need:
///     | base 8 | count 1 | lines 1 | shift 1 | - | a prefix of 2 bytes each | a handle of 4 each |
///     inner node, 192, 384, 640 or 1280 bytes for up to 9, 18, 31 or 63 children:
///     | count 1 | kind 1 | - | score 8 each | member 4 each | child 4 each | members below 4 each |
///
/// A prefix is (ordered score >> shift) - base: 16 bits that sort as the scores of the leaf do, so
/// that a member's block is read only where two prefixes are equal. Score and member beside a child
/// are those of its first member; those of a node's child 0 are not kept up, the ones above are.
/// A member is found in its leaf by its handle. `docs/internals/sorted-set.md` draws it.
///
/// Must stay true: no leaf and no inner node is empty; every prefix is the one of its member; counts
/// are exact. Members appended in order (or prepended) leave full leaves behind.
///
/// The nodes' bytes, searching, walking, insertion and removal have a file each.
///
/// A handle to state at a fixed address: copies are the same tree, `destroy` ends them all.
struct BPlusTree {
    typealias Handle = Arena.Handle

    fileprivate struct State {
        let arena: Arena
        var root = Handle.none
        var height: Int32 = 0
        var count = 0
        var nodeBytes = 0
    }

    /// A node on the way down and the child (in a leaf: the place) that was chosen.
    struct Step {
        var node: Handle
        var index: Int32
    }

    /// More than 2^32 members need: nodes hold nine children or more on average.
    static let mostLevels = 12
    /// Below this a node looks for a neighbour to merge with, the two holding at most `mergedMost`:
    /// far from both ends, so that no split follows a merge soon.
    static let sparse = 16
    static let mergedMost = 44

    /// The last way down, level 0 being the leaf; it lies behind the state in the same block.
    struct Path {
        private let steps: UnsafeMutablePointer<Step>

        @inline(__always)
        fileprivate init(behind state: UnsafeMutablePointer<State>) {
            steps = UnsafeMutableRawPointer(state + 1).assumingMemoryBound(to: Step.self)
        }

        /// `level` is at most the height.
        @inline(__always)
        subscript(level: Int) -> Step {
            get { steps[level] }
            nonmutating _modify { yield &steps[level] }
        }
    }

    private let state: UnsafeMutablePointer<State>

    @inline(__always)
    var path: Path { Path(behind: state) }

    // MARK: - Creation

    private static var stateBytes: Int {
        MemoryLayout<State>.stride + mostLevels * MemoryLayout<Step>.stride
    }

    /// An empty tree: one block for its state.
    static func create(arena: Arena) -> BPlusTree {
        let block = arena.address(arena.allocateEssential(stateBytes))
        let state = block.bindMemory(to: State.self, capacity: 1)
        state.initialize(to: State(arena: arena))
        UnsafeMutableRawPointer(state + 1).bindMemory(to: Step.self, capacity: mostLevels)
            .initialize(repeating: Step(node: .none, index: 0), count: mostLevels)
        return BPlusTree(state: state)
    }

    /// The tree whose `address` was kept.
    init(at address: UnsafeMutableRawPointer) {
        state = address.assumingMemoryBound(to: State.self)
    }

    private init(state: UnsafeMutablePointer<State>) { self.state = state }

    /// What `init(at:)` takes; it is the address of an arena block.
    var address: UnsafeMutableRawPointer { UnsafeMutableRawPointer(state) }

    /// Frees the tree but not its members; O(nodes), unless `dropLeaves` was called until it ended.
    func destroy() {
        while dropLeaves(limit: .max) {}
        arena.free(arena.handle(at: state), Self.stateBytes)
    }

    // MARK: - Figures

    @inline(__always)
    var arena: Arena { state.pointee.arena }

    /// The node all ways begin at; none in an empty tree.
    @inline(__always)
    var root: Handle {
        get { state.pointee.root }
        nonmutating set { state.pointee.root = newValue }
    }

    /// Levels of inner nodes.
    @inline(__always)
    var height: Int {
        get { Int(state.pointee.height) }
        nonmutating set { state.pointee.height = Int32(truncatingIfNeeded: newValue) }
    }

    /// The number of members.
    @inline(__always)
    var count: Int {
        get { state.pointee.count }
        nonmutating set { state.pointee.count = newValue }
    }
    var isEmpty: Bool { count == 0 }

    /// Every byte of the nodes and the state, exactly; members are not counted.
    var memoryBytes: Int { state.pointee.nodeBytes + arena.blockBytes(for: Self.stateBytes) }
}

// MARK: - Memory of nodes

extension BPlusTree {
    @inline(__always)
    func leaf(_ handle: Handle) -> LeafNode { LeafNode(at: arena.address(handle)) }

    @inline(__always)
    func inner(_ handle: Handle) -> InnerNode { InnerNode(at: arena.address(handle)) }

    func handle(of leaf: LeafNode) -> Handle { arena.handle(at: leaf.start) }
    func handle(of inner: InnerNode) -> Handle { arena.handle(at: inner.start) }

    func makeLeaf(lines: Int) -> LeafNode {
        let leaf = leaf(arena.allocateEssential(lines * LeafNode.lineBytes))
        leaf.initialize(lines: lines)
        state.pointee.nodeBytes += arena.blockBytes(for: lines * LeafNode.lineBytes)
        return leaf
    }

    func free(_ leaf: LeafNode) {
        let bytes = leaf.lines * LeafNode.lineBytes
        state.pointee.nodeBytes -= arena.blockBytes(for: bytes)
        arena.free(handle(of: leaf), bytes)
    }

    /// The same members in a leaf of another size; the old one is freed.
    func copy(_ leaf: LeafNode, lines: Int) -> LeafNode {
        let new = makeLeaf(lines: lines)
        leaf.moveTail(from: 0, to: new)
        free(leaf)
        return new
    }

    /// As `copy`, for the node of the path at `level`.
    func resize(_ leaf: LeafNode, lines: Int, at level: Int) -> LeafNode {
        if lines == leaf.lines { return leaf }
        let new = copy(leaf, lines: lines)
        replaceNode(handle(of: new), at: level)
        return new
    }

    func makeInner(kind: Int) -> InnerNode {
        let node = inner(arena.allocateEssential(InnerNode.bytes(kind: kind)))
        node.initialize(kind: kind)
        state.pointee.nodeBytes += arena.blockBytes(for: InnerNode.bytes(kind: kind))
        return node
    }

    func free(_ node: InnerNode) {
        let bytes = InnerNode.bytes(kind: node.kind)
        state.pointee.nodeBytes -= arena.blockBytes(for: bytes)
        arena.free(handle(of: node), bytes)
    }

    func copy(_ node: InnerNode, kind: Int) -> InnerNode {
        let new = makeInner(kind: kind)
        node.moveTail(from: 0, to: new)
        free(node)
        return new
    }

    func resize(_ node: InnerNode, kind: Int, at level: Int) -> InnerNode {
        let new = copy(node, kind: kind)
        replaceNode(handle(of: new), at: level)
        return new
    }

    /// The path's node at `level` lies elsewhere now.
    private func replaceNode(_ new: Handle, at level: Int) {
        path[level].node = new
        if level == height {
            state.pointee.root = new
        } else {
            inner(path[level + 1].node).setChild(new, at: Int(path[level + 1].index))
        }
    }
}

// MARK: - Checks

extension BPlusTree {
    /// Stops the process where a promise in the header does not hold; O(members), for tests.
    func checkInvariants() {
        if isEmpty {
            precondition(state.pointee.root.isNone && height == 0, "an empty tree has no node")
            precondition(state.pointee.nodeBytes == 0, "and no memory")
            return
        }
        var last: ScoredMember?
        var bytes = 0
        let members = check(state.pointee.root, height, &last, &bytes)
        precondition(members == count, "the count is exact")
        precondition(bytes == state.pointee.nodeBytes, "the bytes are exact")
    }

    private func check(
        _ node: Handle, _ level: Int, _ last: inout ScoredMember?, _ bytes: inout Int
    ) -> Int {
        if level == 0 { return checkLeaf(leaf(node), &last, &bytes) }
        let inner = inner(node)
        bytes += arena.blockBytes(for: InnerNode.bytes(kind: inner.kind))
        precondition(inner.count > 0 && inner.count <= inner.capacity, "a node has children")
        var members = 0
        for index in 0..<inner.count {
            let expected = inner.members(index)
            let found = check(inner.child(index), level - 1, &last, &bytes)
            precondition(found == expected, "a child's count is exact")
            if index > 0 {
                let first = element(at: members, below: node, level)
                precondition(inner.first(index) == first.handle, "a child's first member")
                precondition(inner.key(index) == first.orderedScore, "and its score")
            }
            members += found
        }
        return members
    }

    private func element(at rank: Int, below node: Handle, _ level: Int) -> ScoredMember {
        var (node, rest) = (node, rank)
        for _ in 0..<level {
            let inner = inner(node)
            node = inner.child(inner.child(holding: &rest))
        }
        return ScoredMember(leaf(node).handle(rest), arena)
    }

    private func checkLeaf(
        _ leaf: LeafNode, _ last: inout ScoredMember?, _ bytes: inout Int
    ) -> Int {
        bytes += arena.blockBytes(for: leaf.lines * LeafNode.lineBytes)
        precondition(leaf.count > 0 && leaf.count <= leaf.capacity, "a leaf has members")
        for index in 0..<leaf.count {
            let element = ScoredMember(leaf.handle(index), arena)
            precondition(leaf.hasPrefix(of: element.orderedScore, at: index), "the right prefix")
            if let last {
                let order = element.member.compare(last.member)
                precondition(
                    last.orderedScore < element.orderedScore
                        || (last.orderedScore == element.orderedScore && order > 0), "sorted")
            }
            last = element
        }
        return leaf.count
    }
}
