// Taking members out of a B+tree, and changing their scores.
//
// A leaf that has become sparse looks for a neighbour to merge with; so does an inner node.

extension BPlusTree {
    /// Takes a member out, which must be in the tree; its block is the caller's to free.
    func remove(_ element: ScoredMember) {
        locate(element)
        removeLocated()
    }

    /// Takes the member of this rank out, which must exist, and returns it; no member is compared.
    func remove(at rank: Int) -> ScoredMember {
        let element = locate(rank)
        removeLocated()
        return element
    }

    /// Goes to the member of this rank, which must exist, for `removeLocated`.
    func locate(_ rank: Int) -> ScoredMember {
        precondition(rank >= 0 && rank < count, "there is no member of this rank")
        var node = root
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
        return ScoredMember(leaf(node).handle(rest), arena)
    }

    /// The member `distance` places behind the one gone to last, or before it, as far as its leaf and
    /// the one beside it reach; the tree must not have changed since.
    func neighbour(_ distance: Int) -> ScoredMember? {
        let leaf = leaf(path[0].node)
        var place = Int(path[0].index) &+ distance
        if place >= 0 && place < leaf.count { return ScoredMember(leaf.handle(place), arena) }
        guard height > 0 else { return nil }
        let parent = inner(path[1].node)
        let index = Int(path[1].index) &+ (distance < 0 ? -1 : 1)
        guard index >= 0 && index < parent.count else { return nil }
        let other = self.leaf(parent.child(index))
        place = distance < 0 ? other.count &+ place : place &- leaf.count
        guard place >= 0 && place < other.count else { return nil }
        return ScoredMember(other.handle(place), arena)
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

    /// Takes out the member gone to last; the tree must not have changed since.
    func removeLocated() {
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
            root = .none
            height = 0
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
            let top = inner(root)
            if top.count > 1 { return }
            root = top.child(0)
            height -= 1
            free(top)
        }
    }

    /// Frees up to about `limit` members' worth of leaves from the end; false once there are none.
    ///
    /// Members are not freed, and the tree may be used for nothing else from the first call on.
    func dropLeaves(limit: Int) -> Bool {
        var left = limit
        while left > 0 && count > 0 {
            var node = root
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
