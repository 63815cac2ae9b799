// Finding in a B+tree: where a score or a member lies, its rank, and who has a rank.
//
// A search compares scores; a member's block is read only where scores are equal.

extension BPlusTree {
    // MARK: - Bounds

    /// A point in the order, between members.
    struct Bound {
        fileprivate enum Rule {
            case score, member, memberBelow, memberThrough
        }

        let key: UInt64
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
        static func at(_ element: ScoredMember) -> Bound {
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
    func child(of inner: InnerNode, for bound: Bound) -> Int {
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
    func position(in leaf: LeafNode, of bound: Bound) -> Int {
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
        let (leaf, before) = leaf(of: bound)
        return before &+ position(in: leaf, of: bound)
    }

    /// How many members stand before `element`, which must be in the tree.
    func rank(of element: ScoredMember) -> Int {
        precondition(!isEmpty, "an empty tree has no members")
        let (leaf, before) = leaf(of: Bound.at(element))
        return before &+ leaf.index(of: element.handle)
    }

    /// The leaf in which `bound` lies, and how many members stand in the leaves before it.
    @inline(__always)
    private func leaf(of bound: Bound) -> (leaf: LeafNode, before: Int) {
        var node = root
        var before = 0
        for _ in 0..<height {
            let inner = inner(node)
            let index = child(of: inner, for: bound)
            before &+= inner.membersBelow(first: index)
            node = inner.child(index)
        }
        return (leaf(node), before)
    }

    /// The member before which `rank` others stand; there must be one.
    func element(at rank: Int) -> ScoredMember {
        let (leaf, index) = place(of: rank)
        return ScoredMember(leaf.handle(index), arena)
    }

    func place(of rank: Int) -> (LeafNode, Int) {
        precondition(rank >= 0 && rank < count, "there is no member of this rank")
        var node = root
        var rest = rank
        for _ in 0..<height {
            let inner = inner(node)
            let index = inner.child(holding: &rest)
            node = inner.child(index)
        }
        return (leaf(node), rest)
    }
}
