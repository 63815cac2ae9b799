/// Receives entries one by one; a struct of the caller's, so that nothing is captured.
protocol EntryVisitor {
    mutating func visit(_ entry: Arena.Handle)
}

/// The plainest visitor collects.
extension ContiguousArray: EntryVisitor where Element == Arena.Handle {
    mutating func visit(_ entry: Arena.Handle) { append(entry) }
}

// Ways through a whole hash table: by group, in group order, by a cursor that survives growth and
// shrinking, and at random. None of them may change the table between two of its own steps but
// `scan`, whose calls may have anything between them.

extension HashTable {
    // MARK: - By group

    /// Shows `visitor` every entry of group `index`, its children included.
    func visitGroup(_ index: Int, _ visitor: inout some EntryVisitor) {
        var group = group(at: index)
        while true {
            var used = group.usedPlaces
            while used != 0 {
                visitor.visit(group.entry(at: used.trailingZeroBitCount))
                used &= used &- 1
            }
            guard let child = child(of: group) else { return }
            group = child
        }
    }

    /// Asks for the line of group `index`, a few steps before it is visited.
    func prefetchGroup(at index: Int) {
        if index < groupCount { group(at: index).prefetch() }
    }

    // MARK: - In group order

    /// How far a walk in group order has come.
    struct Cursor {
        fileprivate var nextGroup = 0
        fileprivate var group: TagGroup?
        fileprivate var unseen: UInt32 = 0
    }

    /// The next entry, or `.none` after the last; O(1) on average.
    ///
    /// Entries come in group order, and the table must not change meanwhile but through
    /// `setHandle`.
    func next(from cursor: inout Cursor) -> Handle {
        while cursor.unseen == 0 {
            if let group = cursor.group, let child = child(of: group) {
                cursor.group = child
            } else {
                if cursor.nextGroup >= groupCount { return .none }
                cursor.group = group(at: cursor.nextGroup)
                cursor.nextGroup += 1
                prefetchGroup(at: cursor.nextGroup + 1)
            }
            cursor.unseen = cursor.group?.usedPlaces ?? 0
        }
        guard let group = cursor.group else { return .none }
        let place = cursor.unseen.trailingZeroBitCount
        cursor.unseen &= cursor.unseen &- 1
        return group.entry(at: place)
    }

    /// Shows every entry to `body`, which must not change the table.
    ///
    /// Entries are asked for a batch ahead, so that their misses overlap.
    @inline(__always)
    func forEach(_ body: (Handle) -> Void) {
        let ahead = 32
        var cursor = Cursor()
        var batch: ContiguousArray<Handle> = []
        batch.reserveCapacity(ahead)
        repeat {
            batch.removeAll(keepingCapacity: true)
            while batch.count < ahead {
                let entry = next(from: &cursor)
                if entry.isNone { break }
                Policy.prefetch(entry, context)
                batch.append(entry)
            }
            for entry in batch { body(entry) }
        } while !batch.isEmpty
    }

    // MARK: - SCAN

    /// Shows `visitor` the entries of one class of hashes and returns the cursor of the next.
    ///
    /// 0 starts, and 0 is the end. Whatever is inserted, removed, split or merged between calls, an
    /// entry present from the first call to the last is shown at least once.
    ///
    /// Classes are the values of the low L bits of the hash, 2^L <= `groupCount`: a class is group
    /// g, and g + 2^L where that has been split off already. The cursor counts with its bits
    /// reversed (P. Noordhuis's idea in Redis), so that the classes seen at one L are whole
    /// subtrees at any other.
    func scan(_ cursor: UInt64, _ visitor: inout some EntryVisitor) -> UInt64 {
        let classes = 1 << (Int.bitWidth - 1 - groupCount.leadingZeroBitCount)
        let mask = UInt64(classes - 1)
        let group = Int(cursor & mask)
        visitGroup(group, &visitor)
        if group + classes < groupCount { visitGroup(group + classes, &visitor) }
        return HashTable.cursor(after: cursor, mask)
    }

    /// Several steps of a scan: until `wanted` entries were met, or `mostSteps` steps made.
    func scan(
        _ cursor: UInt64, atLeast wanted: Int, mostSteps: Int,
        into entries: inout ContiguousArray<Arena.Handle>
    ) -> UInt64 {
        var (next, steps) = (cursor, mostSteps)
        repeat {
            next = scan(next, &entries)
            steps -= 1
        } while next != 0 && steps > 0 && entries.count < wanted
        return next
    }

    /// Adds one to the bits of the cursor below the mask, highest first.
    private static func cursor(after cursor: UInt64, _ mask: UInt64) -> UInt64 {
        let reversed = HashTable.reversed(cursor | ~mask) &+ 1
        return HashTable.reversed(reversed)
    }

    private static func reversed(_ bits: UInt64) -> UInt64 {
        var bits = bits.byteSwapped
        bits = (bits & 0x0f0f_0f0f_0f0f_0f0f) << 4 | bits >> 4 & 0x0f0f_0f0f_0f0f_0f0f
        bits = (bits & 0x3333_3333_3333_3333) << 2 | bits >> 2 & 0x3333_3333_3333_3333
        return (bits & 0x5555_5555_5555_5555) << 1 | bits >> 1 & 0x5555_5555_5555_5555
    }

    // MARK: - At random

    /// An entry, every one with the same probability, or `.none` from an empty table; `seed` is
    /// random and fresh at each call.
    ///
    /// Draws a group and a place in it as if every chain were as long as the longest, until there
    /// is an entry at that place. As the table shrinks when sparse, that takes 3 to 5 draws mostly
    /// and in the worst case (shrinking forbidden, a quarter of the least load) about 50.
    func randomEntry(seed: UInt64) -> Handle {
        if isEmpty { return .none }
        let places = UInt64(longestChain * TagGroup.places)
        var state = seed
        while true {
            // Four draws at a time, so that their groups arrive together.
            var ahead = state
            for _ in 0..<4 {
                group(at: HashTable.draw(&ahead, below: UInt64(groupCount))).prefetch()
                _ = HashTable.draw(&ahead, below: places)
            }
            for _ in 0..<4 {
                let index = HashTable.draw(&state, below: UInt64(groupCount))
                let place = HashTable.draw(&state, below: places)
                let entry = entry(at: place, ofChain: group(at: index))
                if !entry.isNone { return entry }
            }
        }
    }

    /// What stands at a place counted through a chain, `.none` where that is empty or beyond it.
    private func entry(at place: Int, ofChain root: TagGroup) -> Handle {
        var (group, place) = (root, place)
        while place >= TagGroup.places {
            guard let child = child(of: group) else { return .none }
            group = child
            place &-= TagGroup.places
        }
        return group.tag(at: place) == 0 ? .none : group.entry(at: place)
    }

    /// A number below `bound` from a step of SplitMix64 (Steele, Lea and Flood, 2014); the bias
    /// of the multiplication is under 2^-30 at any size of table.
    private static func draw(_ state: inout UInt64, below bound: UInt64) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ bits >> 27) &* 0x94d0_49bb_1331_11eb
        return Int((bits ^ bits >> 31).multipliedFullWidth(by: bound).high)
    }
}
