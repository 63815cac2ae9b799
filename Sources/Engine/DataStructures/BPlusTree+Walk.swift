// Walking along the members of a B+tree, either way, with what comes next already asked for.

extension BPlusTree {
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
            guard let leaf = leafAhead() else { return nil }
            return take(leaf)
        }

        /// Shows the next members to `body`, `most` of them unless there are fewer.
        @inline(__always)
        mutating func each(atMost most: Int, _ body: (ScoredMember) -> Void) {
            let map = tree.arena.addressMap
            let step = isReversed ? -1 : 1
            var left = most
            while left > 0, let leaf = leafAhead() {
                let run = Swift.min(left, isReversed ? index &+ 1 : leaf.count &- index)
                leaf.each(run, from: index, by: step, lead: BPlusTree.lead, map, body)
                index &+= step &* run
                rank &+= step &* run
                left &-= run
            }
        }

        /// The leaf that the next member is in, at `index`; nil past the end.
        @inline(__always)
        private mutating func leafAhead() -> LeafNode? {
            if let leaf, index >= 0, index < leaf.count { return leaf }
            guard rank >= 0, rank < tree.count else { return nil }
            let (leaf, index) = tree.place(of: rank)
            self.leaf = leaf
            self.index = index
            tree.prefetch(leaf, around: index, isReversed)
            return leaf
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
}
