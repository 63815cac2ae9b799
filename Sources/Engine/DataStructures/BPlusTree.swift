import CLinux
import Glibc

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
/// A handle to state at a fixed address: copies are the same tree, `destroy` ends them all.
struct BPlusTree {
    typealias Handle = Arena.Handle

    private struct State {
        let arena: Arena
        var root = Handle.none
        /// Levels of inner nodes.
        var height: Int32 = 0
        var count = 0
        var nodeBytes = 0
    }

    /// A node on the way down and the child (in a leaf: the place) that was chosen.
    private struct Step {
        var node: Handle
        var index: Int32
    }

    /// More than 2^32 members need: nodes hold nine children or more on average.
    private static let mostLevels = 12
    /// Below this a node looks for a neighbour to merge with, the two holding at most `mergedMost`:
    /// far from both ends, so that no split follows a merge soon.
    private static let sparse = 16
    private static let mergedMost = 44

    private let state: UnsafeMutablePointer<State>

    /// The last way down, level 0 being the leaf; it lies behind the state in the same block.
    private var path: UnsafeMutablePointer<Step> {
        UnsafeMutableRawPointer(state + 1).assumingMemoryBound(to: Step.self)
    }

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

    private var arena: Arena { state.pointee.arena }
    private var height: Int { Int(state.pointee.height) }

    /// The number of members.
    var count: Int { state.pointee.count }
    var isEmpty: Bool { count == 0 }

    /// Every byte of the nodes and the state, exactly; members are not counted.
    var memoryBytes: Int { state.pointee.nodeBytes + arena.blockBytes(for: Self.stateBytes) }

    // MARK: - Bounds

    /// A point in the order, between members.
    struct Bound {
        fileprivate enum Rule {
            case score, member, memberBelow, memberThrough
        }

        fileprivate let key: UInt64
        fileprivate let member: ByteView
        fileprivate let rule: Rule

        /// Before all members of this score.
        static func before(score: Double) -> Bound {
            Bound(key: ScoredMember.ordered(score), member: .empty, rule: .score)
        }

        /// After all members of this score.
        static func after(score: Double) -> Bound {
            Bound(key: ScoredMember.ordered(score) + 1, member: .empty, rule: .score)
        }

        /// Before this member, in a set whose scores are all the same.
        static func before(member: ByteView) -> Bound {
            Bound(key: 0, member: member, rule: .memberBelow)
        }

        /// After this member, in a set whose scores are all the same.
        static func after(member: ByteView) -> Bound {
            Bound(key: 0, member: member, rule: .memberThrough)
        }

        @inline(__always)
        fileprivate static func at(_ element: ScoredMember) -> Bound {
            Bound(key: element.orderedScore, member: element.member, rule: .member)
        }
    }

    /// Whether an element of this score key and handle stands before the bound, or is its member.
    @inline(__always)
    private func isPassed(_ key: UInt64, _ handle: Handle, by bound: Bound) -> Bool {
        switch bound.rule {
        case .score: return key < bound.key
        case .member:
            if key != bound.key { return key < bound.key }
            return ScoredMember(handle, arena).member.compare(bound.member) <= 0
        case .memberBelow: return ScoredMember(handle, arena).member.compare(bound.member) < 0
        case .memberThrough: return ScoredMember(handle, arena).member.compare(bound.member) <= 0
        }
    }

    /// The child in which `bound` lies: the last one whose first member it passes.
    @inline(__always)
    private func child(of inner: InnerNode, for bound: Bound) -> Int {
        var (low, high) = (1, inner.count)
        if bound.rule == .score || bound.rule == .member {
            low = inner.firstChild(notBelow: bound.key)
            if bound.rule == .score || low == high || inner.key(low) != bound.key {
                return low &- 1
            }
            high = inner.firstChild(notBelow: bound.key &+ 1)
        }
        while low < high {
            let middle = (low &+ high) >> 1
            if isPassed(inner.key(middle), inner.first(middle), by: bound) {
                low = middle &+ 1
            } else {
                high = middle
            }
        }
        return low &- 1
    }

    /// How many members of the leaf stand before `bound`, its own member counted.
    @inline(__always)
    private func position(in leaf: LeafNode, of bound: Bound) -> Int {
        var (low, high) = (0, leaf.count)
        if bound.rule == .score || bound.rule == .member {
            (low, high) = leaf.places(sharingPrefixOf: bound.key)
        }
        while low < high {
            let middle = (low &+ high) >> 1
            let handle = leaf.handle(middle)
            if isPassed(ScoredMember(handle, arena).orderedScore, handle, by: bound) {
                low = middle &+ 1
            } else {
                high = middle
            }
        }
        return low
    }

    // MARK: - Questions

    /// How many members stand before `bound`.
    func rank(of bound: Bound) -> Int {
        if isEmpty { return 0 }
        var node = state.pointee.root
        var rank = 0
        for _ in 0..<height {
            let inner = inner(node)
            let index = child(of: inner, for: bound)
            rank &+= inner.membersBelow(first: index)
            node = inner.child(index)
        }
        return rank &+ position(in: leaf(node), of: bound)
    }

    /// How many members stand before `element`, which must be in the tree.
    func rank(of element: ScoredMember) -> Int {
        let bound = Bound.at(element)
        var node = state.pointee.root
        var rank = 0
        for _ in 0..<height {
            let inner = inner(node)
            let index = child(of: inner, for: bound)
            rank &+= inner.membersBelow(first: index)
            node = inner.child(index)
        }
        return rank &+ leaf(node).index(of: element.handle)
    }

    /// The member before which `rank` others stand; there must be one.
    func element(at rank: Int) -> ScoredMember {
        let (leaf, index) = place(of: rank)
        return ScoredMember(leaf.handle(index), arena)
    }

    private func place(of rank: Int) -> (LeafNode, Int) {
        precondition(rank >= 0 && rank < count, "there is no member of this rank")
        var node = state.pointee.root
        var rest = rank
        for _ in 0..<height {
            let inner = inner(node)
            let index = inner.child(holding: &rest)
            node = inner.child(index)
        }
        return (leaf(node), rest)
    }

    /// A way along the members from one rank on, up or down; the tree must not change meanwhile.
    struct Walk {
        fileprivate let tree: BPlusTree
        fileprivate let isReversed: Bool
        fileprivate var rank: Int
        fileprivate var leaf: LeafNode?
        fileprivate var index = 0

        /// The next member; nil past the end.
        @inline(__always)
        mutating func next() -> ScoredMember? {
            if let leaf, index >= 0, index < leaf.count { return take(leaf) }
            guard rank >= 0, rank < tree.count else { return nil }
            let (leaf, index) = tree.place(of: rank)
            self.leaf = leaf
            self.index = index
            tree.prefetch(leaf, around: index, isReversed)
            return take(leaf)
        }

        @inline(__always)
        private mutating func take(_ leaf: LeafNode) -> ScoredMember {
            let handle = leaf.handle(index)
            let step = isReversed ? -1 : 1
            let ahead = index &+ step &* BPlusTree.lead
            if ahead >= 0, ahead < leaf.count {
                ScoredMember(leaf.handle(ahead), tree.arena).prefetch()
            }
            index &+= step
            rank &+= step
            return ScoredMember(handle, tree.arena)
        }
    }

    /// What a walk has asked for and not yet reached, a few members on; nil where that is another
    /// leaf.
    func upcoming(of walk: Walk) -> ScoredMember? {
        let step = walk.isReversed ? -Self.nearLead : Self.nearLead
        guard let leaf = walk.leaf, walk.index &+ step >= 0, walk.index &+ step < leaf.count
        else { return nil }
        return ScoredMember(leaf.handle(walk.index &+ step), arena)
    }

    /// Near enough to have been asked for by the walks before.
    private static let nearLead = 4

    /// Members asked for ahead of a walk: as many as memory answers at a time.
    private static let lead = 8

    func walk(from rank: Int, isReversed: Bool = false) -> Walk {
        Walk(tree: self, isReversed: isReversed, rank: rank, leaf: nil)
    }

    private func prefetch(_ leaf: LeafNode, around index: Int, _ isReversed: Bool) {
        let low = isReversed ? Swift.max(0, index &- Self.lead) : index
        let high = isReversed ? index : Swift.min(leaf.count, index &+ Self.lead)
        for place in low..<high { ScoredMember(leaf.handle(place), arena).prefetch() }
    }

    // MARK: - Insertion

    /// Enters a member that is not in the tree; its block holds the score.
    func insert(_ element: ScoredMember) {
        if isEmpty { return plant(element) }
        let bound = Bound.at(element)
        descend(to: bound)
        let leaf = leaf(path[0].node)
        path[0].index = Int32(truncatingIfNeeded: position(in: leaf, of: bound))
        addToCounts(1)
        if leaf.count < leaf.capacity {
            leaf.insert(element.handle, bound.key, at: Int(path[0].index))
        } else {
            insertIntoFull(leaf, element.handle, bound.key)
        }
    }

    private func plant(_ element: ScoredMember) {
        let root = makeLeaf(lines: 1)
        root.insert(element.handle, element.orderedScore, at: 0)
        state.pointee.root = handle(of: root)
        state.pointee.count = 1
    }

    /// Walks down to the leaf where `bound` lies and notes the way.
    @inline(__always)
    private func descend(to bound: Bound) {
        var node = state.pointee.root
        var level = height
        while level > 0 {
            let inner = inner(node)
            let index = child(of: inner, for: bound)
            path[level] = Step(node: node, index: Int32(truncatingIfNeeded: index))
            node = inner.child(index)
            level &-= 1
        }
        path[0].node = node
    }

    @inline(__always)
    private func addToCounts(_ change: Int) {
        state.pointee.count &+= change
        for level in stride(from: 1, through: height, by: 1) {
            inner(path[level].node).addMembers(change, below: Int(path[level].index))
        }
    }

    @inline(never)
    private func insertIntoFull(_ full: LeafNode, _ element: Handle, _ key: UInt64) {
        let position = Int(path[0].index)
        if full.lines < LeafNode.mostLines {
            let larger = resize(full, lines: full.lines + 1, at: 0)
            return larger.insert(element, key, at: position)
        }
        let count = full.count
        // In order, what is full stays full; anywhere else both halves get room.
        let middle =
            position == count && isAtEnd(above: 0)
            ? count : position == 0 && isAtStart(above: 0) ? 0 : count / 2
        let right = makeLeaf(lines: LeafNode.lines(for: Swift.max(1, count - middle)))
        full.moveTail(from: middle, to: right)
        let left = resize(full, lines: LeafNode.lines(for: Swift.min(middle + 1, count)), at: 0)
        if position > middle || middle == count {
            let target = roomy(right)
            target.insert(element, key, at: position - middle)
            finishSplit(left, target)
        } else {
            left.insert(element, key, at: position)
            finishSplit(left, right)
        }
    }

    /// A new leaf, not yet in the tree, with room for one more.
    private func roomy(_ leaf: LeafNode) -> LeafNode {
        guard leaf.count == leaf.capacity else { return leaf }
        return copy(leaf, lines: leaf.lines + 1)
    }

    private func finishSplit(_ left: LeafNode, _ right: LeafNode) {
        refine(left)
        refine(right)
        let first = ScoredMember(right.handle(0), arena)
        insertChild(
            handle(of: right), first: first.handle, key: first.orderedScore,
            members: right.count, level: 1)
    }

    /// Gives a leaf finer prefixes where few of the 65536 are in use; reads all its members.
    private func refine(_ leaf: LeafNode) {
        guard leaf.count > 1, leaf.isCoarse else { return }
        for index in 0..<leaf.count { ScoredMember(leaf.handle(index), arena).prefetch() }
        let low = ScoredMember(leaf.handle(0), arena).orderedScore
        let high = ScoredMember(leaf.handle(leaf.count - 1), arena).orderedScore
        leaf.setScale(low: low, high: high)
        for index in 0..<leaf.count {
            leaf.setPrefix(of: ScoredMember(leaf.handle(index), arena).orderedScore, at: index)
        }
    }

    private func isAtEnd(above level: Int) -> Bool {
        for upper in stride(from: level + 1, through: height, by: 1)
        where Int(path[upper].index) != inner(path[upper].node).count - 1 { return false }
        return true
    }

    private func isAtStart(above level: Int) -> Bool {
        for upper in stride(from: level + 1, through: height, by: 1)
        where path[upper].index != 0 { return false }
        return true
    }

    /// Enters a new node of `level` - 1 behind the one the path goes through, from whose count its
    /// members are taken.
    private func insertChild(
        _ child: Handle, first: Handle, key: UInt64, members: Int, level: Int
    ) {
        let new = InnerNode.Child(key: key, first: first, node: child, members: members)
        if level > height { return growRoot(new) }
        var node = inner(path[level].node)
        let index = Int(path[level].index)
        node.addMembers(-members, below: index)
        if node.count == node.capacity && !node.isLargest {
            node = resize(node, kind: node.kind + 1, at: level)
        }
        if node.count < node.capacity { return node.insert(new, at: index + 1) }
        let count = node.count
        let middle = index + 1 == count && isAtEnd(above: level) ? count : count / 2
        let right = makeInner(kind: InnerNode.kind(for: count - middle + 1))
        node.moveTail(from: middle, to: right)
        if index + 1 > middle || middle == count {
            right.insert(new, at: index + 1 - middle)
        } else {
            node.insert(new, at: index + 1)
        }
        insertChild(
            handle(of: right), first: right.first(0), key: right.key(0),
            members: right.membersBelow(first: right.count), level: level + 1)
    }

    private func growRoot(_ new: InnerNode.Child) {
        precondition(height + 2 < Self.mostLevels, "a tree higher than its members can make it")
        let root = makeInner(kind: 0)
        root.insert(
            InnerNode.Child(
                key: 0, first: .none, node: state.pointee.root, members: count - new.members),
            at: 0)
        root.insert(new, at: 1)
        state.pointee.root = handle(of: root)
        state.pointee.height += 1
    }

    // MARK: - Removal

    /// Takes a member out, which must be in the tree; its block is the caller's to free.
    func remove(_ element: ScoredMember) {
        locate(element)
        removeLocated()
    }

    /// Takes the member of this rank out, which must exist, and returns it; no member is compared.
    func remove(at rank: Int) -> ScoredMember {
        precondition(rank >= 0 && rank < count, "there is no member of this rank")
        var node = state.pointee.root
        var rest = rank
        var level = height
        while level > 0 {
            let inner = inner(node)
            let index = inner.child(holding: &rest)
            path[level] = Step(node: node, index: Int32(truncatingIfNeeded: index))
            node = inner.child(index)
            level &-= 1
        }
        path[0] = Step(node: node, index: Int32(truncatingIfNeeded: rest))
        let element = ScoredMember(leaf(node).handle(rest), arena)
        removeLocated()
        return element
    }

    /// Gives a member of the tree another score.
    ///
    /// Where its neighbours in the leaf stay its neighbours, nothing moves.
    func setScore(_ score: Double, of element: ScoredMember) {
        locate(element)
        let leaf = leaf(path[0].node)
        let index = Int(path[0].index)
        let key = ScoredMember.ordered(score)
        if index > 0, index < leaf.count - 1, fits(key, between: leaf, index) {
            element.score = score
            return leaf.setPrefix(of: key, at: index)
        }
        removeLocated()
        element.score = score
        insert(element)
    }

    /// Whether the score lies strictly between those of both neighbours.
    private func fits(_ key: UInt64, between leaf: LeafNode, _ index: Int) -> Bool {
        ScoredMember(leaf.handle(index - 1), arena).orderedScore < key
            && key < ScoredMember(leaf.handle(index + 1), arena).orderedScore
    }

    private func locate(_ element: ScoredMember) {
        precondition(!isEmpty, "an empty tree has no members")
        descend(to: Bound.at(element))
        path[0].index = Int32(truncatingIfNeeded: leaf(path[0].node).index(of: element.handle))
    }

    /// Takes out the member the path leads to.
    private func removeLocated() {
        addToCounts(-1)
        let leaf = leaf(path[0].node)
        let index = Int(path[0].index)
        leaf.remove(at: index)
        if leaf.count == 0 {
            free(leaf)
            removeChild(level: 1)
            return collapseRoot()
        }
        if index == 0 && height > 0 && !isAtStart(above: 0) {
            let first = ScoredMember(leaf.handle(0), arena)
            setFirst(first.handle, first.orderedScore, above: 0)
        }
        if leaf.count < Self.sparse && height > 0 {
            mergeLeaf(leaf)
            collapseRoot()
        } else if leaf.isRoomy {
            _ = resize(leaf, lines: leaf.lines - 1, at: 0)
        }
    }

    /// The first member below the path's node at `level` is another one now.
    private func setFirst(_ first: Handle, _ key: UInt64, above level: Int) {
        for upper in stride(from: level + 1, through: height, by: 1)
        where path[upper].index > 0 {
            return inner(path[upper].node).setFirst(first, key, at: Int(path[upper].index))
        }
    }

    /// The child that the path goes through at `level` is gone.
    private func removeChild(level: Int) {
        if level > height {
            state.pointee.root = .none
            state.pointee.height = 0
            return
        }
        let node = inner(path[level].node)
        let index = Int(path[level].index)
        node.remove(at: index)
        if node.count == 0 {
            free(node)
            return removeChild(level: level + 1)
        }
        if index == 0 { setFirst(node.first(0), node.key(0), above: level) }
        mergeInner(level: level)
    }

    private func mergeLeaf(_ leaf: LeafNode) {
        let parent = inner(path[1].node)
        let index = Int(path[1].index)
        if index + 1 < parent.count {
            let right = self.leaf(parent.child(index + 1))
            if leaf.count + right.count <= Self.mergedMost {
                return merge(leaf, right, parent, index)
            }
        }
        if index > 0 {
            let left = self.leaf(parent.child(index - 1))
            if left.count + leaf.count <= Self.mergedMost {
                return merge(left, leaf, parent, index - 1)
            }
        }
        if leaf.isRoomy { _ = resize(leaf, lines: leaf.lines - 1, at: 0) }
    }

    /// Moves the members of `right` to the end of `left`, which is child `index` of `parent`.
    private func merge(_ left: LeafNode, _ right: LeafNode, _ parent: InnerNode, _ index: Int) {
        var left = left
        let lines = LeafNode.lines(for: left.count + right.count)
        if lines != left.lines {
            left = copy(left, lines: lines)
            parent.setChild(handle(of: left), at: index)
        }
        left.append(right)
        free(right)
        parent.mergeChild(index + 1)
        mergeInner(level: 1)
    }

    /// The path's node at `level` lost a child: it may be merged with a neighbour, or made smaller.
    private func mergeInner(level: Int) {
        let node = inner(path[level].node)
        if level < height && node.count < Self.sparse {
            let parent = inner(path[level + 1].node)
            let index = Int(path[level + 1].index)
            if index + 1 < parent.count {
                let right = inner(parent.child(index + 1))
                if node.count + right.count <= Self.mergedMost {
                    return merge(node, right, parent, index, level)
                }
            }
            if index > 0 {
                let left = inner(parent.child(index - 1))
                if left.count + node.count <= Self.mergedMost {
                    return merge(left, node, parent, index - 1, level)
                }
            }
        }
        if node.isRoomy { _ = resize(node, kind: node.kind - 1, at: level) }
    }

    private func merge(
        _ left: InnerNode, _ right: InnerNode, _ parent: InnerNode, _ index: Int, _ level: Int
    ) {
        var left = left
        right.setFirst(parent.first(index + 1), parent.key(index + 1), at: 0)
        let kind = InnerNode.kind(for: left.count + right.count)
        if kind != left.kind {
            left = copy(left, kind: kind)
            parent.setChild(handle(of: left), at: index)
        }
        right.moveTail(from: 0, to: left)
        free(right)
        parent.mergeChild(index + 1)
        mergeInner(level: level + 1)
    }

    private func collapseRoot() {
        while height > 0 {
            let root = inner(state.pointee.root)
            if root.count > 1 { return }
            state.pointee.root = root.child(0)
            state.pointee.height -= 1
            free(root)
        }
    }

    /// Frees up to about `limit` members' worth of leaves from the end; false once there are none.
    ///
    /// Members are not freed, and the tree may be used for nothing else from the first call on.
    func dropLeaves(limit: Int) -> Bool {
        var left = limit
        while left > 0 && count > 0 {
            var node = state.pointee.root
            for level in stride(from: height, to: 0, by: -1) {
                let inner = inner(node)
                path[level] = Step(node: node, index: Int32(inner.count - 1))
                node = inner.child(inner.count - 1)
            }
            let last = leaf(node)
            let members = last.count
            path[0].node = node
            addToCounts(-members)
            left -= members
            free(last)
            removeChild(level: 1)
            collapseRoot()
        }
        return count > 0
    }
}

// MARK: - Memory of nodes

extension BPlusTree {
    @inline(__always)
    private func leaf(_ handle: Handle) -> LeafNode { LeafNode(at: arena.address(handle)) }

    @inline(__always)
    private func inner(_ handle: Handle) -> InnerNode { InnerNode(at: arena.address(handle)) }

    private func handle(of leaf: LeafNode) -> Handle { arena.handle(at: leaf.start) }
    private func handle(of inner: InnerNode) -> Handle { arena.handle(at: inner.start) }

    private func makeLeaf(lines: Int) -> LeafNode {
        let leaf = leaf(arena.allocateEssential(lines * LeafNode.lineBytes))
        leaf.initialize(lines: lines)
        state.pointee.nodeBytes += arena.blockBytes(for: lines * LeafNode.lineBytes)
        return leaf
    }

    private func free(_ leaf: LeafNode) {
        let bytes = leaf.lines * LeafNode.lineBytes
        state.pointee.nodeBytes -= arena.blockBytes(for: bytes)
        arena.free(handle(of: leaf), bytes)
    }

    /// The same members in a leaf of another size; the old one is freed.
    private func copy(_ leaf: LeafNode, lines: Int) -> LeafNode {
        let new = makeLeaf(lines: lines)
        leaf.moveTail(from: 0, to: new)
        free(leaf)
        return new
    }

    /// As `copy`, for the node of the path at `level`.
    private func resize(_ leaf: LeafNode, lines: Int, at level: Int) -> LeafNode {
        if lines == leaf.lines { return leaf }
        let new = copy(leaf, lines: lines)
        replaceNode(handle(of: new), at: level)
        return new
    }

    private func makeInner(kind: Int) -> InnerNode {
        let node = inner(arena.allocateEssential(InnerNode.bytes(kind: kind)))
        node.initialize(kind: kind)
        state.pointee.nodeBytes += arena.blockBytes(for: InnerNode.bytes(kind: kind))
        return node
    }

    private func free(_ node: InnerNode) {
        let bytes = InnerNode.bytes(kind: node.kind)
        state.pointee.nodeBytes -= arena.blockBytes(for: bytes)
        arena.free(handle(of: node), bytes)
    }

    private func copy(_ node: InnerNode, kind: Int) -> InnerNode {
        let new = makeInner(kind: kind)
        node.moveTail(from: 0, to: new)
        free(node)
        return new
    }

    private func resize(_ node: InnerNode, kind: Int, at level: Int) -> InnerNode {
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

// MARK: - Leaves

/// Up to 61 handles and their prefixes; places count from 0.
private struct LeafNode {
    static let lineBytes = 64
    /// Measured on a million members in random order: more lines move more bytes an insertion, fewer
    /// make a higher tree.
    static let mostLines = 6
    private static let headBytes = 16
    private static let countOffset = 8
    private static let linesOffset = 9
    private static let shiftOffset = 10
    private static let largestPrefix: UInt64 = 0xFFFF
    /// What a leaf is scaled to: half of the prefixes, the rest being room for what comes.
    private static let scaledRange: UInt64 = 0x7FFF
    /// With fewer prefixes in use than this, two of sixty members are likely to share one.
    private static let coarseRange = 1024

    let start: UnsafeMutableRawPointer

    @inline(__always)
    init(at start: UnsafeMutableRawPointer) { self.start = start }

    func initialize(lines: Int) {
        start.storeBytes(of: 0, as: UInt64.self)
        start.storeBytes(of: UInt64(lines) << 8, toByteOffset: 8, as: UInt64.self)
    }

    private static func capacity(lines: Int) -> Int { (lines &* lineBytes &- headBytes) / 6 }

    static func lines(for count: Int) -> Int {
        var lines = 1
        while capacity(lines: lines) < count { lines += 1 }
        return lines
    }

    @inline(__always)
    var count: Int {
        Int(start.load(fromByteOffset: Self.countOffset, as: UInt8.self))
    }

    private func setCount(_ count: Int) {
        precondition(count >= 0 && count <= capacity, "a leaf beyond its room")
        start.storeBytes(
            of: UInt8(truncatingIfNeeded: count), toByteOffset: Self.countOffset, as: UInt8.self)
    }

    @inline(__always)
    var lines: Int { Int(start.load(fromByteOffset: Self.linesOffset, as: UInt8.self)) }
    @inline(__always)
    var capacity: Int { Self.capacity(lines: lines) }

    /// Whether the members would do with a line less, and half a line to spare.
    var isRoomy: Bool { lines > 1 && count + 5 <= Self.capacity(lines: lines - 1) }

    @inline(__always)
    private var base: UInt64 { start.load(as: UInt64.self) }
    @inline(__always)
    private var shift: UInt64 {
        UInt64(start.load(fromByteOffset: Self.shiftOffset, as: UInt8.self))
    }

    private func setScale(base: UInt64, shift: UInt64) {
        start.storeBytes(of: base, as: UInt64.self)
        start.storeBytes(
            of: UInt8(truncatingIfNeeded: shift), toByteOffset: Self.shiftOffset, as: UInt8.self)
    }

    @inline(__always)
    private var prefixes: UnsafeMutablePointer<UInt16> {
        (start + Self.headBytes).assumingMemoryBound(to: UInt16.self)
    }

    @inline(__always)
    private var handles: UnsafeMutablePointer<UInt32> {
        let offset = (Self.headBytes &+ 2 &* capacity &+ 3) & ~3
        return (start + offset).assumingMemoryBound(to: UInt32.self)
    }

    @inline(__always)
    func handle(_ index: Int) -> Arena.Handle {
        precondition(index >= 0 && index < count, "no such place in a leaf")
        return Arena.Handle(raw: handles[index])
    }

    /// The place of a member that is in this leaf.
    @inline(__always)
    func index(of handle: Arena.Handle) -> Int {
        let (handles, count) = (handles, count)
        var index = 0
        while index < count && handles[index] != handle.raw { index &+= 1 }
        precondition(index < count, "the member is not where its score says")
        return index
    }

    // MARK: Prefixes

    /// Before `low` members have smaller prefixes, from `high` on larger ones.
    @inline(__always)
    func places(sharingPrefixOf key: UInt64) -> (low: Int, high: Int) {
        let scaled = key &>> shift
        let base = base
        let count = count
        if scaled < base { return (0, 0) }
        if scaled &- base > Self.largestPrefix { return (count, count) }
        let wanted = UInt16(truncatingIfNeeded: scaled &- base)
        let prefixes = prefixes
        var (low, high): (UInt16, UInt16) = (0, 0)
        for index in 0..<count {
            low &+= prefixes[index] < wanted ? 1 : 0
            high &+= prefixes[index] <= wanted ? 1 : 0
        }
        return (Int(low), Int(high))
    }

    func setPrefix(of key: UInt64, at index: Int) {
        precondition(index >= 0 && index < count, "no such place in a leaf")
        prefixes[index] = UInt16(truncatingIfNeeded: key &>> shift &- base)
    }

    func hasPrefix(of key: UInt64, at index: Int) -> Bool {
        let scaled = key &>> shift
        return scaled >= base && scaled &- base == UInt64(prefixes[index])
    }

    var isCoarse: Bool {
        shift > 0 && Int(prefixes[count - 1]) - Int(prefixes[0]) < Self.coarseRange
    }

    /// The finest scale for keys from `low` to `high`; the prefixes are the caller's to write.
    func setScale(low: UInt64, high: UInt64) {
        let (base, shift) = Self.scale(low, high)
        setScale(base: base, shift: shift)
    }

    /// Base and shift under which `low` to `high` take half the prefixes, in their middle.
    private static func scale(_ low: UInt64, _ high: UInt64) -> (base: UInt64, shift: UInt64) {
        var shift: UInt64 = 0
        while high &>> shift &- low &>> shift > scaledRange { shift += 1 }
        let first = low &>> shift
        let slack = (largestPrefix - (high &>> shift - first)) / 2
        return (first - Swift.min(first, slack), shift)
    }

    /// Coarser prefixes, so that one for `key` exists: exact, without reading a member.
    @inline(never)
    private func widen(for key: UInt64) {
        if count == 0 { return setScale(low: key, high: key) }
        let scaled = key &>> shift
        rescale(
            low: Swift.min(scaled, base + UInt64(prefixes[0])),
            high: Swift.max(scaled, base + UInt64(prefixes[count - 1])))
    }

    /// Prefixes for keys that, at the present shift, are `low` to `high`.
    private func rescale(low: UInt64, high: UInt64) {
        let (oldBase, oldShift) = (base, shift)
        let (newBase, more) = Self.scale(low, high)
        for index in 0..<count {
            let value = (oldBase + UInt64(prefixes[index])) &>> more
            prefixes[index] = UInt16(truncatingIfNeeded: value - newBase)
        }
        setScale(base: newBase, shift: oldShift + more)
    }

    @inline(__always)
    private func covers(_ key: UInt64) -> Bool {
        let scaled = key &>> shift
        return scaled >= base && scaled &- base <= Self.largestPrefix && count > 0
    }

    // MARK: Change

    func insert(_ handle: Arena.Handle, _ key: UInt64, at index: Int) {
        let count = count
        precondition(index >= 0 && index <= count && count < capacity, "no room in a leaf")
        if !covers(key) { widen(for: key) }
        let (prefixes, handles) = (prefixes, handles)
        memmove(prefixes + index + 1, prefixes + index, (count &- index) &* 2)
        memmove(handles + index + 1, handles + index, (count &- index) &* 4)
        setCount(count &+ 1)
        handles[index] = handle.raw
        setPrefix(of: key, at: index)
    }

    func remove(at index: Int) {
        let count = count
        precondition(index >= 0 && index < count, "no such place in a leaf")
        let (prefixes, handles) = (prefixes, handles)
        memmove(prefixes + index, prefixes + index + 1, (count &- index &- 1) &* 2)
        memmove(handles + index, handles + index + 1, (count &- index &- 1) &* 4)
        setCount(count &- 1)
    }

    /// Moves the members from `index` on to `target`, which is empty and gets the same scale.
    func moveTail(from index: Int, to target: LeafNode) {
        let moved = count - index
        precondition(index >= 0 && moved >= 0 && target.count == 0, "moved to a leaf in use")
        target.setCount(moved)
        target.setScale(base: base, shift: shift)
        memcpy(target.prefixes, prefixes + index, moved * 2)
        memcpy(target.handles, handles + index, moved * 4)
        setCount(index)
    }

    /// Copies the members of `other`, all of which come later, behind the ones here.
    func append(_ other: LeafNode) {
        let (here, more) = (count, other.count)
        if other.shift < shift { other.coarsen(to: shift) }
        if shift < other.shift { coarsen(to: other.shift) }
        let high = other.base + UInt64(other.prefixes[more - 1])
        rescale(low: base + UInt64(prefixes[0]), high: high)
        setCount(here + more)
        let rest = shift &- other.shift
        for index in 0..<more {
            handles[here + index] = other.handles[index]
            let value = (other.base + UInt64(other.prefixes[index])) &>> rest
            prefixes[here + index] = UInt16(truncatingIfNeeded: value - base)
        }
    }

    /// Drops the lowest bits of all prefixes.
    private func coarsen(to newShift: UInt64) {
        let more = newShift - shift
        let newBase = base &>> more
        for index in 0..<count {
            let value = (base + UInt64(prefixes[index])) &>> more
            prefixes[index] = UInt16(truncatingIfNeeded: value - newBase)
        }
        setScale(base: newBase, shift: newShift)
    }
}

// MARK: - Inner nodes

/// Up to 63 children, each with its first member and the number of members below it.
private struct InnerNode {
    struct Child {
        let key: UInt64
        let first: Arena.Handle
        let node: Arena.Handle
        let members: Int
    }

    private static let headBytes = 8
    private static let childBytes = 20
    private static let largestKind = 3

    let start: UnsafeMutableRawPointer

    @inline(__always)
    init(at start: UnsafeMutableRawPointer) { self.start = start }

    func initialize(kind: Int) { start.storeBytes(of: UInt64(kind) << 8, as: UInt64.self) }

    @inline(__always)
    static func bytes(kind: Int) -> Int {
        switch kind {
        case 0: 192
        case 1: 384
        case 2: 640
        default: 1280
        }
    }

    @inline(__always)
    private static func capacity(kind: Int) -> Int {
        switch kind {
        case 0: 9
        case 1: 18
        case 2: 31
        default: 63
        }
    }

    static func kind(for count: Int) -> Int {
        var kind = 0
        while capacity(kind: kind) < count { kind += 1 }
        return kind
    }

    @inline(__always)
    var count: Int { Int(start.load(as: UInt8.self)) }
    @inline(__always)
    var kind: Int { Int(start.load(fromByteOffset: 1, as: UInt8.self)) }
    @inline(__always)
    var capacity: Int { Self.capacity(kind: kind) }
    var isLargest: Bool { kind == Self.largestKind }
    var isRoomy: Bool { kind > 0 && count + 2 <= Self.capacity(kind: kind - 1) }

    private func setCount(_ count: Int) {
        precondition(count >= 0 && count <= capacity, "a node beyond its room")
        start.storeBytes(of: UInt8(truncatingIfNeeded: count), as: UInt8.self)
    }

    @inline(__always)
    private var keys: UnsafeMutablePointer<UInt64> {
        (start + Self.headBytes).assumingMemoryBound(to: UInt64.self)
    }

    /// First members, nodes and counts, `capacity` of each.
    @inline(__always)
    private var words: UnsafeMutablePointer<UInt32> {
        (start + Self.headBytes + 8 &* capacity).assumingMemoryBound(to: UInt32.self)
    }

    @inline(__always)
    private func check(_ index: Int) {
        precondition(index >= 0 && index < count, "no such child")
    }

    @inline(__always)
    func key(_ index: Int) -> UInt64 {
        check(index)
        return keys[index]
    }

    @inline(__always)
    func first(_ index: Int) -> Arena.Handle {
        check(index)
        return Arena.Handle(raw: words[index])
    }

    @inline(__always)
    func child(_ index: Int) -> Arena.Handle {
        check(index)
        return Arena.Handle(raw: words[capacity &+ index])
    }

    @inline(__always)
    func members(_ index: Int) -> Int {
        check(index)
        return Int(words[2 &* capacity &+ index])
    }

    /// The first child from 1 on whose first score is `key` or more; `count` if there is none.
    @inline(__always)
    func firstChild(notBelow key: UInt64) -> Int {
        let keys = keys
        var low = 1
        var rest = count &- 1
        while rest > 0 {
            let half = rest >> 1
            let isBelow = keys[low &+ half] < key
            low = isBelow ? low &+ half &+ 1 : low
            rest = isBelow ? rest &- half &- 1 : half
        }
        return low
    }

    /// The members below the first `index` children.
    @inline(__always)
    func membersBelow(first index: Int) -> Int {
        precondition(index >= 0 && index <= count, "no such child")
        let counts = words + 2 &* capacity
        var sum: UInt32 = 0
        for place in 0..<index { sum &+= counts[place] }
        return Int(sum)
    }

    /// The child that holds the member of `rank`, which becomes its rank there.
    @inline(__always)
    func child(holding rank: inout Int) -> Int {
        let counts = words + 2 &* capacity
        var index = 0
        while index < count &- 1 && rank >= Int(counts[index]) {
            rank &-= Int(counts[index])
            index &+= 1
        }
        return index
    }

    // MARK: Change

    @inline(__always)
    func addMembers(_ change: Int, below index: Int) {
        check(index)
        words[2 &* capacity &+ index] &+= UInt32(truncatingIfNeeded: change)
    }

    func setChild(_ node: Arena.Handle, at index: Int) {
        check(index)
        words[capacity + index] = node.raw
    }

    func setFirst(_ first: Arena.Handle, _ key: UInt64, at index: Int) {
        check(index)
        keys[index] = key
        words[index] = first.raw
    }

    func insert(_ child: Child, at index: Int) {
        let count = count
        precondition(index >= 0 && index <= count && count < capacity, "no room in a node")
        memmove(keys + index + 1, keys + index, (count - index) * 8)
        for part in 0..<3 {
            let words = words + part * capacity
            memmove(words + index + 1, words + index, (count - index) * 4)
        }
        setCount(count + 1)
        setFirst(child.first, child.key, at: index)
        setChild(child.node, at: index)
        words[2 * capacity + index] = UInt32(truncatingIfNeeded: child.members)
    }

    func remove(at index: Int) {
        let count = count
        check(index)
        memmove(keys + index, keys + index + 1, (count - index - 1) * 8)
        for part in 0..<3 {
            let words = words + part * capacity
            memmove(words + index, words + index + 1, (count - index - 1) * 4)
        }
        setCount(count - 1)
    }

    /// Child `index` was merged into the one before it.
    func mergeChild(_ index: Int) {
        addMembers(members(index), below: index - 1)
        remove(at: index)
    }

    /// Moves the children from `index` on behind those of `target`.
    func moveTail(from index: Int, to target: InnerNode) {
        let moved = count - index
        let there = target.count
        precondition(index >= 0 && moved >= 0, "no such child")
        target.setCount(there + moved)
        memcpy(target.keys + there, keys + index, moved * 8)
        for part in 0..<3 {
            memcpy(
                target.words + (part * target.capacity + there), words + (part * capacity + index),
                moved * 4)
        }
        setCount(index)
    }
}
