// Entering members into a B+tree: the way down, and the splits on the way up.
//
// A full leaf grows by a line until it has all; then it is split, in half, or so that what comes in
// order leaves full leaves behind.

extension BPlusTree {
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
        let leaf = makeLeaf(lines: 1)
        leaf.insert(element.handle, element.orderedScore, at: 0)
        root = handle(of: leaf)
        count = 1
    }

    /// Walks down to the leaf where `bound` lies and notes the way.
    @inline(__always)
    func descend(to bound: Bound) {
        var node = root
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
    func addToCounts(_ change: Int) {
        count &+= change
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

    func isAtStart(above level: Int) -> Bool {
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
        let top = makeInner(kind: 0)
        top.insert(
            InnerNode.Child(
                key: 0, first: .none, node: root, members: count - new.members),
            at: 0)
        top.insert(new, at: 1)
        root = handle(of: top)
        height += 1
    }
}
