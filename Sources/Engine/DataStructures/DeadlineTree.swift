import CLinux

/// The earliest deadline in every group of a hash table, and the earliest of all at the root.
///
/// Promises: what is due is found without sampling: the root says whether and when, a descent of
/// one step for each factor of 8 says in which group. `lower` is O(1) mostly (a new deadline is
/// rarely the earliest of its neighbours), everything else O(log8 groups). Costs: 8 bytes a group
/// and a seventh more, from the first deadline on; nothing before.
///
///     level 2                     | min |
///     level 1            | min | min | ... one for 8 below |
///     level 0   | group 0 | group 1 | ... Int64 milliseconds, `never` where nothing is due |
///
/// Must stay true: every number above level 0 is the least of its up to 8 below; the last level
/// has one number. A leaf may be earlier than the truth (its entry may have gone), never later:
/// whoever visits a group writes the exact value with `set`. `docs/internals/deadline-tree.md`.
///
/// A handle to state at a fixed address: copies are the same tree.
struct DeadlineTree {
    /// The deadline of a group in which nothing is due.
    static var never: Int64 { .max }

    private static var fanoutShift: Int { 3 }
    private static var fanout: Int { 1 << fanoutShift }
    /// 8^11 groups are more than 32-bit handles can fill.
    private static var maximumLevels: Int { 12 }

    private struct State {
        var groupCount: Int
        /// 0 until the first deadline.
        var levelCount = 0
    }

    private struct Level {
        var deadlines: UnsafeMutablePointer<Int64>?
        var count = 0
        var capacity = 0
    }

    private let state: UnsafeMutablePointer<State>

    /// The levels lie behind the state in the same block.
    private var levels: UnsafeMutablePointer<Level> {
        UnsafeMutableRawPointer(state + 1).assumingMemoryBound(to: Level.self)
    }

    // MARK: - Creation

    /// A tree without deadlines over the groups of a table; it takes 300 bytes.
    static func create(groupCount: Int = 1) -> DeadlineTree {
        precondition(groupCount >= 1, "a hash table has at least one group")
        let bytes = MemoryLayout<State>.stride + maximumLevels * MemoryLayout<Level>.stride
        guard let block = apus_heap_allocate(bytes) else {
            preconditionFailure("the heap returns a block or stops")
        }
        let state = block.bindMemory(to: State.self, capacity: 1)
        state.initialize(to: State(groupCount: groupCount))
        let tree = DeadlineTree(state: state)
        UnsafeMutableRawPointer(state + 1)
            .bindMemory(to: Level.self, capacity: maximumLevels)
            .initialize(repeating: Level(), count: maximumLevels)
        return tree
    }

    func destroy() {
        releaseLevels()
        apus_heap_free(state)
    }

    /// Forgets all deadlines and gives the memory back; from now on there are `groupCount` groups.
    func removeAll(groupCount: Int = 1) {
        precondition(groupCount >= 1, "a hash table has at least one group")
        releaseLevels()
        state.pointee.groupCount = groupCount
    }

    // MARK: - Figures

    /// How many groups the tree covers.
    var groupCount: Int { state.pointee.groupCount }

    /// Whether nothing is due at any time.
    var isEmpty: Bool { earliest == DeadlineTree.never }

    /// Every byte taken, exactly.
    var memoryBytes: Int {
        var bytes = apus_heap_size(state)
        for level in 0..<state.pointee.levelCount {
            bytes += apus_heap_size(levels[level].deadlines)
        }
        return bytes
    }

    // MARK: - Questions

    /// The earliest deadline, or `never`; one load or two.
    var earliest: Int64 {
        let count = state.pointee.levelCount
        return count == 0 ? DeadlineTree.never : deadline(at: 0, level: count &- 1)
    }

    /// A group whose deadline is the earliest, the first of several; nil when nothing is due.
    func earliestGroup() -> Int? {
        let wanted = earliest
        guard wanted != DeadlineTree.never else { return nil }
        var index = 0
        var level = state.pointee.levelCount - 1
        while level > 0 {
            level -= 1
            index <<= DeadlineTree.fanoutShift
            while deadline(at: index, level: level) != wanted { index += 1 }
        }
        return index
    }

    /// A group with a deadline, drawn level by level; nil when there is none.
    ///
    /// Groups have the same chance where they lie equally dense. `draw` gives 64 random bits.
    func randomGroup(_ draw: () -> UInt64) -> Int? {
        guard earliest != DeadlineTree.never else { return nil }
        var index = 0
        var level = state.pointee.levelCount - 1
        while level > 0 {
            level -= 1
            let first = index << DeadlineTree.fanoutShift
            let end = Swift.min(first + DeadlineTree.fanout, levels[level].count)
            let places = (first..<end).filter {
                deadline(at: $0, level: level) != DeadlineTree.never
            }
            // Numbers above never promise what is not below.
            index = places[Int(draw() % UInt64(places.count))]
        }
        return index
    }

    /// The deadline of `group`, or `never`.
    func deadline(of group: Int) -> Int64 {
        precondition(group >= 0 && group < groupCount, "there is no such group")
        return state.pointee.levelCount == 0
            ? DeadlineTree.never : deadline(at: group, level: 0)
    }

    // MARK: - Change

    /// Something in `group` is due at `deadline`: what is later already in the leaf gives way.
    func lower(_ group: Int, _ deadline: Int64) {
        precondition(group >= 0 && group < groupCount, "there is no such group")
        if state.pointee.levelCount == 0 {
            if deadline == DeadlineTree.never { return }
            allocateLevels()
        }
        lowerFrom(0, group, deadline)
    }

    /// The earliest deadline in `group` is exactly this one, or `never`.
    func set(_ group: Int, _ deadline: Int64) {
        precondition(group >= 0 && group < groupCount, "there is no such group")
        guard state.pointee.levelCount > 0 else { return lower(group, deadline) }
        let old = self.deadline(at: group, level: 0)
        if deadline <= old { return lowerFrom(0, group, deadline) }
        write(deadline, at: group, level: 0)
        raiseParents(of: group, old)
    }

    /// The table has one more group, whose earliest deadline is `deadline`, or `never`.
    func append(_ deadline: Int64 = DeadlineTree.never) {
        state.pointee.groupCount += 1
        if state.pointee.levelCount == 0 {
            if deadline != DeadlineTree.never { lower(groupCount - 1, deadline) }
            return
        }
        var index = groupCount - 1
        var level = 0
        // A new number at each level where the group begins a new eight.
        while level < state.pointee.levelCount && index == levels[level].count {
            push(DeadlineTree.never, level)
            index >>= DeadlineTree.fanoutShift
            level += 1
        }
        let top = state.pointee.levelCount - 1
        if levels[top].count > 1 {
            push(
                Swift.min(self.deadline(at: 0, level: top), self.deadline(at: 1, level: top)),
                top + 1)
            state.pointee.levelCount += 1
        }
        lowerFrom(0, groupCount - 1, deadline)
    }

    /// The table's last group is gone; what it held is the caller's to `lower` elsewhere.
    func removeLast() {
        precondition(groupCount > 1, "a hash table has at least one group")
        if state.pointee.levelCount > 0 { popLevels() }
        state.pointee.groupCount -= 1
    }
}

// MARK: - Numbers

extension DeadlineTree {
    private func deadline(at index: Int, level: Int) -> Int64 {
        guard let deadlines = levels[level].deadlines else { return DeadlineTree.never }
        return deadlines[index]
    }

    private func write(_ deadline: Int64, at index: Int, level: Int) {
        precondition(index < levels[level].count, "a number beyond its level")
        levels[level].deadlines?[index] = deadline
    }

    /// Lowers a number and all above that are later; stops at the first that is not.
    private func lowerFrom(_ level: Int, _ index: Int, _ deadline: Int64) {
        var (level, index) = (level, index)
        while level < state.pointee.levelCount && deadline < self.deadline(at: index, level: level)
        {
            write(deadline, at: index, level: level)
            index >>= DeadlineTree.fanoutShift
            level &+= 1
        }
    }

    /// A leaf was `old` and is later now: so are the numbers above that were as early as `old`.
    private func raiseParents(of group: Int, _ old: Int64) {
        var index = group
        var level = 1
        while level < state.pointee.levelCount {
            index >>= DeadlineTree.fanoutShift
            if deadline(at: index, level: level) < old { return }
            let least = leastBelow(index, level)
            if least == deadline(at: index, level: level) { return }
            write(least, at: index, level: level)
            level &+= 1
        }
    }

    private func leastBelow(_ index: Int, _ level: Int) -> Int64 {
        let below = levels[level &- 1]
        guard let deadlines = below.deadlines else { return DeadlineTree.never }
        let first = index << DeadlineTree.fanoutShift
        let end = Swift.min(first &+ DeadlineTree.fanout, below.count)
        var least = DeadlineTree.never
        for index in first..<end where deadlines[index] < least { least = deadlines[index] }
        return least
    }
}

// MARK: - Memory

extension DeadlineTree {
    /// Builds all levels for the groups there are, without a deadline; O(groups), a memory fill.
    @inline(never)
    private func allocateLevels() {
        var count = groupCount
        var level = 0
        while true {
            reserve(count, level)
            levels[level].deadlines?.initialize(repeating: DeadlineTree.never, count: count)
            levels[level].count = count
            level += 1
            if count == 1 { break }
            count = (count + DeadlineTree.fanout - 1) >> DeadlineTree.fanoutShift
        }
        state.pointee.levelCount = level
    }

    /// Takes the last group off level 0, and off each level where an eight ends with it.
    private func popLevels() {
        var level = 0
        levels[0].count -= 1
        while level + 1 < state.pointee.levelCount {
            let parents =
                (levels[level].count + DeadlineTree.fanout - 1) >> DeadlineTree.fanoutShift
            if parents == levels[level + 1].count { break }
            levels[level + 1].count = parents
            level += 1
        }
        // A level above one that has a single number repeats it.
        while state.pointee.levelCount > 1 && levels[state.pointee.levelCount - 2].count == 1 {
            state.pointee.levelCount -= 1
            levels[state.pointee.levelCount].count = 0
        }
        refreshLast(above: level)
        for level in 0..<state.pointee.levelCount { shrinkIfSparse(level) }
    }

    /// Recomputes the last number of each level above `level`, which lost one below it.
    private func refreshLast(above level: Int) {
        var level = level + 1
        while level < state.pointee.levelCount {
            let index = levels[level].count - 1
            let least = leastBelow(index, level)
            if least == deadline(at: index, level: level) { return }
            write(least, at: index, level: level)
            level += 1
        }
    }

    private func push(_ deadline: Int64, _ level: Int) {
        precondition(level < DeadlineTree.maximumLevels, "more groups than a table can have")
        let count = levels[level].count
        if count == levels[level].capacity { grow(level) }
        levels[level].count = count + 1
        write(deadline, at: count, level: level)
    }

    /// Doubles a small level; a large one grows by an eighth, for the system moves it by pages.
    @inline(never)
    private func grow(_ level: Int) {
        let capacity = levels[level].capacity
        reserve(capacity < 1 << 14 ? Swift.max(8, capacity * 2) : capacity + capacity / 8, level)
    }

    private func shrinkIfSparse(_ level: Int) {
        let count = levels[level].count
        if levels[level].capacity > 64 && count < levels[level].capacity / 4 {
            reserve(levels[level].capacity / 2, level)
        }
    }

    private func reserve(_ capacity: Int, _ level: Int) {
        let bytes = capacity * MemoryLayout<Int64>.stride
        guard let moved = apus_heap_reallocate(levels[level].deadlines, bytes) else {
            preconditionFailure("the heap returns a block or stops")
        }
        levels[level].deadlines = moved.bindMemory(to: Int64.self, capacity: capacity)
        levels[level].capacity = capacity
    }

    private func releaseLevels() {
        for level in 0..<DeadlineTree.maximumLevels {
            apus_heap_free(levels[level].deadlines)
            levels[level] = Level()
        }
        state.pointee.levelCount = 0
    }

    /// Stops the process where a promise in the header does not hold; O(groups), for tests.
    func checkInvariants() {
        let top = state.pointee.levelCount
        if top == 0 { return }
        precondition(levels[0].count == groupCount, "a leaf a group")
        precondition(levels[top - 1].count == 1, "one number at the top")
        for level in 1..<Swift.max(1, top) {
            let expected = (levels[level - 1].count + 7) / 8
            precondition(levels[level].count == expected, "a number for eight below")
            for index in 0..<expected {
                precondition(
                    deadline(at: index, level: level) == leastBelow(index, level), "the least of 8")
            }
        }
    }
}
