import CLinux

/// What a hash table has to know of its entries; all static, so that it specialises to nothing.
protocol HashTablePolicy {
    /// What entries are looked up by; trivial.
    associatedtype Key
    /// What is needed to reach an entry from its handle: an arena, a hash seed; trivial.
    associatedtype Context
    static func hash(of entry: Arena.Handle, _ context: Context) -> UInt64
    static func matches(_ entry: Arena.Handle, _ key: Key, _ context: Context) -> Bool
    /// Asks for the entry's first cache line; must not read it.
    static func prefetch(_ entry: Arena.Handle, _ context: Context)
    /// `newGroup`, the last one, now exists; it took part of the entries of `group`.
    static func didSplit(_ group: Int, into newGroup: Int, _ context: Context)
    /// `lastGroup` is gone; what it held is now in `group`, which was its origin.
    static func didMerge(_ lastGroup: Int, into group: Int, _ context: Context)
}

extension HashTablePolicy {
    @inline(__always)
    static func didSplit(_ group: Int, into newGroup: Int, _ context: Context) {}
    @inline(__always)
    static func didMerge(_ lastGroup: Int, into group: Int, _ context: Context) {}
}

/// A table of 32-bit entry handles found by key, which grows and shrinks one group at a time.
///
/// Linear hashing (W. Litwin, 1980) over groups of one cache line. Promises: a lookup touches one
/// line of the table and, but for 1 tag in 256, only the right entry; no operation moves more than
/// a few groups, so that there is neither a pause nor a second table while it grows; no tombstones.
/// Costs: about 8 bytes an entry. The table does not own its entries: the caller frees them.
///
///     group, 64 bytes:  | 12 tags | child 4 | 12 entry handles, 4 bytes each |
///     directory -> segments of 128 groups (8 KiB); a small table has one, of 1, 2, 4 ... groups
///     group of a hash:  h & mask, or h & (mask >> 1) where that group does not exist yet
///     tag of a hash:    its top 8 bits, 0 made 1; tag 0 is an empty place
///
/// Must stay true: every group of a chain but the last is full; a child is never empty; an entry's
/// hash leads to its group. Groups 0 ..< `groupCount` exist, and an empty table has one group,
/// which takes no memory. `docs/internals/hash-table.md` draws it and gives the figures.
///
/// A handle to state at a fixed address: copies are the same table, `destroy` ends them all.
struct HashTable<Policy: HashTablePolicy> {
    typealias Handle = Arena.Handle

    private struct State {
        /// First, so that its address is known: the whole directory of a table of one segment.
        var onlySegment: UnsafeMutableRawPointer
        /// Segment addresses, at `onlySegment` or on the heap.
        var directory: UnsafeMutablePointer<UnsafeMutableRawPointer>
        let arena: Arena
        var context: Policy.Context
        var count = 0
        /// With more entries than this a group is split, with fewer than that one is merged.
        var growLimit = 0
        var shrinkLimit = 0
        var groupCount: UInt32 = 1
        var mask: UInt32 = 0
        /// Groups there is memory for; 0 while the table is empty.
        var groupCapacity: UInt32 = 0
        var directoryCapacity: UInt32 = 1
        var childCount: UInt32 = 0
        /// No chain was ever longer than this since the table was last empty.
        var longestChain: UInt16 = 1
        var isResizingAllowed = true
    }

    private let state: UnsafeMutablePointer<State>

    // MARK: - Creation

    /// An empty table: one block for its state, nothing else.
    static func create(arena: Arena, context: Policy.Context) -> HashTable {
        let block = arena.address(arena.allocateEssential(MemoryLayout<State>.size))
        let state = block.bindMemory(to: State.self, capacity: 1)
        let table = HashTable(state: state)
        state.initialize(
            to: State(
                onlySegment: apus_empty_group(), directory: table.onlySegmentField,
                arena: arena, context: context))
        table.setLimits()
        return table
    }

    /// The table whose `address` was kept, in an entry for instance.
    init(at address: UnsafeMutableRawPointer) {
        state = address.assumingMemoryBound(to: State.self)
    }

    private init(state: UnsafeMutablePointer<State>) { self.state = state }

    /// What `init(at:)` takes; it is the address of an arena block.
    var address: UnsafeMutableRawPointer { UnsafeMutableRawPointer(state) }

    /// Frees the table but not its entries; O(groups) unless it is empty, see `popEntries`.
    func destroy() {
        let arena = state.pointee.arena
        removeAll()
        arena.free(arena.handle(at: state), MemoryLayout<State>.size)
    }

    /// Forgets all entries without freeing them and gives the groups back; O(groups).
    func removeAll() {
        if state.pointee.childCount > 0 {
            for index in 0..<groupCount { freeChildren(of: group(at: index)) }
        }
        releaseGroups()
    }

    // MARK: - Figures

    /// What the policy is given; an owner that moves a table to another place tells it here.
    var context: Policy.Context {
        get { state.pointee.context }
        nonmutating set { state.pointee.context = newValue }
    }

    /// The number of entries.
    var count: Int { state.pointee.count }
    var isEmpty: Bool { count == 0 }
    /// The number of groups that hashes are spread over; at least 1.
    var groupCount: Int { Int(state.pointee.groupCount) }
    /// A bound on the length of every chain, in groups.
    var longestChain: Int { Int(state.pointee.longestChain) }
    var childGroupCount: Int { Int(state.pointee.childCount) }

    /// Every byte the table itself takes, exactly; entries are not counted.
    var memoryBytes: Int {
        let directory = state.pointee.directory
        let directoryBytes = directory == onlySegmentField ? 0 : apus_heap_size(directory)
        return state.pointee.arena.blockBytes(for: MemoryLayout<State>.size) + directoryBytes
            + (Int(state.pointee.groupCapacity) + childGroupCount) * TagGroup.bytes
    }

    /// While false the table neither grows nor shrinks, so that a forked child's pages stay shared,
    /// until three times too full or a quarter as full as it may be.
    ///
    /// Once allowed again, every
    /// insertion or removal catches up by up to four groups.
    var isResizingAllowed: Bool {
        get { state.pointee.isResizingAllowed }
        nonmutating set { state.pointee.isResizingAllowed = newValue }
    }

    // MARK: - Lookup

    /// The entry that matches `key`, or `.none`.
    func find(_ key: Policy.Key, hash: UInt64) -> Handle {
        var group = root(of: hash)
        let tag = TagGroup.tag(of: hash)
        while true {
            var candidates = group.places(tagged: tag)
            while candidates != 0 {
                let entry = group.entry(at: candidates.trailingZeroBitCount)
                if Policy.matches(entry, key, state.pointee.context) { return entry }
                candidates &= candidates &- 1
            }
            let child = group.child
            if child.isNone { return .none }
            group = TagGroup(at: state.pointee.arena.address(child))
        }
    }

    /// Where an entry stands; valid until the next insertion or removal.
    struct Position {
        fileprivate let group: TagGroup
        fileprivate let root: TagGroup
        /// -1: there is no such entry.
        fileprivate let place: Int
        var isFound: Bool { place >= 0 }
    }

    /// As `find`, but answers with the place, so that what follows need not probe again.
    func locate(_ key: Policy.Key, hash: UInt64) -> Position {
        let root = root(of: hash)
        let tag = TagGroup.tag(of: hash)
        var group = root
        while true {
            var candidates = group.places(tagged: tag)
            while candidates != 0 {
                let place = candidates.trailingZeroBitCount
                if Policy.matches(group.entry(at: place), key, state.pointee.context) {
                    return Position(group: group, root: root, place: place)
                }
                candidates &= candidates &- 1
            }
            let child = group.child
            if child.isNone { return Position(group: group, root: root, place: -1) }
            group = TagGroup(at: state.pointee.arena.address(child))
        }
    }

    /// The place of this very entry, found by its handle alone: no entry is read.
    func locate(entry: Handle, hash: UInt64) -> Position {
        let root = root(of: hash)
        let tag = TagGroup.tag(of: hash)
        var group = root
        while true {
            var candidates = group.places(tagged: tag)
            while candidates != 0 {
                let place = candidates.trailingZeroBitCount
                if group.entry(at: place) == entry {
                    return Position(group: group, root: root, place: place)
                }
                candidates &= candidates &- 1
            }
            let child = group.child
            if child.isNone { return Position(group: group, root: root, place: -1) }
            group = TagGroup(at: state.pointee.arena.address(child))
        }
    }

    func handle(at position: Position) -> Handle {
        precondition(position.isFound, "there is no entry at this position")
        return position.group.entry(at: position.place)
    }

    // MARK: - Change

    /// Enters `entry`, whose key the caller knows to be absent; splits at most a few groups.
    func insert(_ entry: Handle, hash: UInt64) {
        if state.pointee.groupCapacity == 0 { allocateFirstGroup() }
        append(entry.raw, TagGroup.tag(of: hash), to: root(of: hash))
        state.pointee.count &+= 1
        if state.pointee.count > state.pointee.growLimit { grow() }
    }

    /// The block of the entry at `position` moved: same key, new handle.
    func setHandle(_ entry: Handle, at position: Position) {
        precondition(position.isFound, "there is no entry at this position")
        position.group.setEntry(entry.raw, at: position.place)
    }

    /// The block of `old` moved to `new`, same key; `old` must be in the table.
    func replace(_ old: Handle, with new: Handle, hash: UInt64) {
        setHandle(new, at: locate(entry: old, hash: hash))
    }

    /// Takes the entry that matches `key` out and returns it, or `.none`; may merge groups.
    func remove(_ key: Policy.Key, hash: UInt64) -> Handle {
        let position = locate(key, hash: hash)
        return position.isFound ? removeEntry(at: position) : .none
    }

    /// Takes this very entry out; false where it is not in the table.
    @discardableResult
    func remove(entry: Handle, hash: UInt64) -> Bool {
        let position = locate(entry: entry, hash: hash)
        if position.isFound { removeEntry(at: position) }
        return position.isFound
    }

    /// Takes the entry at `position` out.
    ///
    /// An entry of the chain's last group fills the place, so that there are no holes to search.
    @discardableResult
    func removeEntry(at position: Position) -> Handle {
        precondition(position.isFound, "there is no entry at this position")
        let entry = position.group.entry(at: position.place)
        if position.root.child.isNone {
            position.group.clear(place: position.place)
        } else {
            removeFromChain(position)
        }
        state.pointee.count &-= 1
        if state.pointee.count < state.pointee.shrinkLimit { shrink() }
        return entry
    }

    /// Takes out at least `limit` entries, or all there are, and appends them to `entries`; whole
    /// groups from the last one down, so that a large table can be freed in slices.
    func popEntries(limit: Int, into entries: inout ContiguousArray<Handle>) {
        var popped = 0
        while popped < limit && count > 0 {
            let last = groupCount - 1
            let group = group(at: last)
            let before = entries.count
            visitGroup(last, &entries)
            freeChildren(of: group)
            group.clear()
            popped += entries.count - before
            state.pointee.count -= entries.count - before
            if count == 0 {
                dropRemainingGroups()
            } else if last > 0 {
                dropLastGroup()
            }
        }
    }

    // MARK: - Batches

    /// First of two stages: asks for the line of the group where `hash` belongs.
    func prefetchGroup(hash: UInt64) { root(of: hash).prefetch() }

    /// Second stage, when the group has arrived: asks for the entries that may match, or for the
    /// next group of the chain where none does.
    func prefetchCandidate(hash: UInt64) {
        let group = root(of: hash)
        var candidates = group.places(tagged: TagGroup.tag(of: hash))
        if candidates == 0 {
            let child = group.child
            if !child.isNone { TagGroup(at: state.pointee.arena.address(child)).prefetch() }
            return
        }
        repeat {
            let entry = group.entry(at: candidates.trailingZeroBitCount)
            Policy.prefetch(entry, state.pointee.context)
            candidates &= candidates &- 1
        } while candidates != 0
    }

    // MARK: - Groups, for walks in HashTableScan

    func group(at index: Int) -> TagGroup {
        precondition(index >= 0 && index < groupCount, "there is no such group")
        return group(UInt32(truncatingIfNeeded: index))
    }

    func child(of group: TagGroup) -> TagGroup? {
        let child = group.child
        return child.isNone ? nil : TagGroup(at: state.pointee.arena.address(child))
    }
}

// MARK: - Places

extension HashTable {
    private static var segmentShift: UInt32 { 7 }
    /// As many groups as fill the largest block of an arena, so that a segment is one.
    private static var segmentGroups: UInt32 { 1 << segmentShift }

    private var onlySegmentField: UnsafeMutablePointer<UnsafeMutableRawPointer> {
        UnsafeMutableRawPointer(state).assumingMemoryBound(to: UnsafeMutableRawPointer.self)
    }

    @inline(__always)
    private func group(_ index: UInt32) -> TagGroup {
        let segment = state.pointee.directory[Int(index >> HashTable.segmentShift)]
        return TagGroup(at: segment + Int(index & (HashTable.segmentGroups &- 1)) << 6)
    }

    @inline(__always)
    private func root(of hash: UInt64) -> TagGroup { group(rootIndex(of: hash)) }

    @inline(__always)
    private func rootIndex(of hash: UInt64) -> UInt32 {
        let mask = state.pointee.mask
        let index = UInt32(truncatingIfNeeded: hash) & mask
        return index < state.pointee.groupCount ? index : index & (mask >> 1)
    }

    /// The number of the group that `hash` leads to, below `groupCount`.
    func groupIndex(of hash: UInt64) -> Int { Int(rootIndex(of: hash)) }

    /// Puts an entry into the first empty place of the chain that starts at `root`.
    private func append(_ entry: UInt32, _ tag: UInt8, to root: TagGroup) {
        var group = root
        var empty = group.places(tagged: 0)
        if empty == 0 {
            group = lastGroupWithRoom(of: root)
            empty = group.places(tagged: 0)
        }
        group.set(entry, tag, at: empty.trailingZeroBitCount)
    }

    /// The last group of a chain whose first one is full; a new child where the last one is, too.
    private func lastGroupWithRoom(of root: TagGroup) -> TagGroup {
        var group = root
        var length = 1
        while let child = child(of: group) {
            group = child
            length &+= 1
        }
        if group.places(tagged: 0) != 0 { return group }
        let handle = state.pointee.arena.allocateEssential(TagGroup.bytes)
        let child = TagGroup(at: state.pointee.arena.address(handle))
        child.clear()
        group.setChild(handle)
        state.pointee.childCount += 1
        state.pointee.longestChain = Swift.max(
            state.pointee.longestChain, UInt16(clamping: length &+ 1))
        return child
    }

    @inline(never)
    private func removeFromChain(_ position: Position) {
        var (last, beforeLast) = (position.root, position.root)
        while let child = child(of: last) { (beforeLast, last) = (last, child) }
        let filler = last.usedPlaces.trailingZeroBitCount
        if last != position.group {
            position.group.copy(last, filler, to: position.place)
            last.clear(place: filler)
        } else {
            last.clear(place: position.place)
        }
        if last.usedPlaces == 0 && last != position.root { freeChildren(of: beforeLast) }
    }

    /// Frees the rest of the chain after `group`.
    private func freeChildren(of group: TagGroup) {
        let arena = state.pointee.arena
        var child = group.child
        if child.isNone { return }
        group.setChild(.none)
        while !child.isNone {
            let next = TagGroup(at: arena.address(child)).child
            arena.free(child, TagGroup.bytes)
            state.pointee.childCount -= 1
            child = next
        }
    }
}

// MARK: - Growing and shrinking

extension HashTable {
    /// Entries a group on average, in sixteenths, beyond which a group is split: measured best at
    /// 8.5 of 12 places, see `docs/internals/hash-table.md`.
    private static var targetLoad: Int { 136 }
    /// Groups an operation may split or merge when the table has fallen behind.
    private static var catchUpGroups: Int { 4 }
    /// Below this many groups the entries are near, and asking for them beforehand is in vain.
    private static var preparedGroups: UInt32 { 1024 }
    /// Insertions between asking and splitting: a batch makes them faster than memory answers.
    private static var preparationLead: Int { 6 }

    private func setLimits() {
        let groups = groupCount
        // One group is filled to the last place but one before there are two.
        state.pointee.growLimit =
            groups == 1 ? TagGroup.places - 1 : (groups * HashTable.targetLoad) >> 4
        // A third of the load to grow at: after a merge, the entries must double to cause a split.
        state.pointee.shrinkLimit = groups == 1 ? 1 : groups * HashTable.targetLoad / 48
    }

    /// Splits the group whose turn it is: one for each 8.5 insertions.
    ///
    /// The hashes of its entries are needed and each would cost a miss, so an insertion shortly
    /// before asks for them.
    @inline(never)
    private func grow() {
        let excess = state.pointee.count &- state.pointee.growLimit
        if !isResizingAllowed && excess <= 2 &* state.pointee.growLimit { return }
        if state.pointee.groupCount >= HashTable.preparedGroups {
            if excess == 1 { return prepareSplit() }
            if excess < HashTable.preparationLead { return }
        }
        var budget = HashTable.catchUpGroups
        while budget > 0 && state.pointee.count > state.pointee.growLimit && split() {
            budget -= 1
        }
    }

    /// Splits groups until `expected` entries fit, so that those that come are not moved.
    ///
    /// O(groups), for an empty table or one of a few entries.
    func reserve(_ expected: Int) {
        guard expected > count else { return }
        if state.pointee.groupCapacity == 0 { allocateFirstGroup() }
        while state.pointee.growLimit < expected && split() {}
    }

    /// The group that `groupCount` will be split from.
    private var splitOrigin: UInt32 {
        let new = state.pointee.groupCount
        let mask = new > state.pointee.mask ? state.pointee.mask : state.pointee.mask >> 1
        return new & mask
    }

    private func prepareSplit() {
        var group = group(splitOrigin)
        while true {
            prefetchEntries(of: group)
            guard let child = child(of: group) else { return }
            group = child
        }
    }

    private func prefetchEntries(of group: TagGroup) {
        var used = group.usedPlaces
        while used != 0 {
            Policy.prefetch(group.entry(at: used.trailingZeroBitCount), state.pointee.context)
            used &= used &- 1
        }
    }

    /// Adds a group and moves there what belongs there; false when there is no memory for it, and
    /// then the table goes on, fuller than it should be.
    private func split() -> Bool {
        let new = state.pointee.groupCount
        let origin = splitOrigin
        guard makeRoom(for: new) else { return false }
        if new > state.pointee.mask { state.pointee.mask = state.pointee.mask << 1 | 1 }
        state.pointee.groupCount = new &+ 1
        let source = group(origin)
        let target = group(new)
        target.clear()
        distribute(source, target, UInt64(state.pointee.mask) ^ UInt64(state.pointee.mask >> 1))
        setLimits()
        group(splitOrigin).prefetch()
        Policy.didSplit(Int(origin), into: Int(new), state.pointee.context)
        return true
    }

    /// Moves the entries whose hash has `bit` to `target`; those that stay move up in their chain.
    private func distribute(_ source: TagGroup, _ target: TagGroup, _ bit: UInt64) {
        let context = state.pointee.context
        var (reader, writer) = (source, source)
        var (writerPlace, more) = (0, true)
        while more {
            prefetchEntries(of: reader)
            var used = reader.usedPlaces
            while used != 0 {
                let place = used.trailingZeroBitCount
                used &= used &- 1
                let entry = reader.entry(at: place)
                if Policy.hash(of: entry, context) & bit != 0 {
                    append(entry.raw, reader.tag(at: place), to: target)
                    continue
                }
                if writerPlace == TagGroup.places {
                    writer = child(of: writer) ?? reader
                    writerPlace = 0
                }
                writer.copy(reader, place, to: writerPlace)
                writerPlace &+= 1
            }
            if let next = child(of: reader) { reader = next } else { more = false }
        }
        writer.clear(from: writerPlace)
        freeChildren(of: writer)
    }

    /// Merges groups, the last one into the one it came from: at most one for each 2.8 removals.
    @inline(never)
    private func shrink() {
        if count == 0 { return dropRemainingGroups() }
        if !isResizingAllowed && count >= state.pointee.shrinkLimit >> 2 { return }
        var budget = HashTable.catchUpGroups
        while budget > 0 && groupCount > 1 && count < state.pointee.shrinkLimit {
            mergeLast()
            budget -= 1
        }
    }

    private func mergeLast() {
        let index = state.pointee.groupCount &- 1
        let last = group(index)
        let target = group(index & (state.pointee.mask >> 1))
        var group = last
        while true {
            var used = group.usedPlaces
            while used != 0 {
                let place = used.trailingZeroBitCount
                append(group.entry(at: place).raw, group.tag(at: place), to: target)
                used &= used &- 1
            }
            guard let child = child(of: group) else { break }
            group = child
        }
        freeChildren(of: last)
        dropLastGroup()
    }

    /// Forgets the last group, which holds nothing any more.
    private func dropLastGroup() {
        let last = state.pointee.groupCount &- 1
        let origin = last & (state.pointee.mask >> 1)
        state.pointee.groupCount = last
        if last == (state.pointee.mask >> 1) &+ 1 { state.pointee.mask >>= 1 }
        setLimits()
        releaseRoom(beyond: last)
        Policy.didMerge(Int(last), into: Int(origin), state.pointee.context)
    }

    /// The last entry is gone: all memory goes, and the groups with it, the caller being told.
    private func dropRemainingGroups() {
        while groupCount > 1 { dropLastGroup() }
        releaseGroups()
    }
}

// MARK: - Memory of groups

extension HashTable {
    @inline(never)
    private func allocateFirstGroup() {
        let block = state.pointee.arena.allocateEssential(TagGroup.bytes)
        state.pointee.onlySegment = state.pointee.arena.address(block)
        state.pointee.groupCapacity = 1
        group(UInt32(0)).clear()
    }

    /// Sees to it that there is memory for group `index`, the one after the last.
    ///
    /// Within the first segment capacity doubles and groups move; from then on it grows a segment
    /// at a time.
    private func makeRoom(for index: UInt32) -> Bool {
        let capacity = state.pointee.groupCapacity
        if index < capacity { return true }
        if capacity < HashTable.segmentGroups { return resizeOnlySegment(to: capacity &* 2) }
        let segment = index >> HashTable.segmentShift
        if segment == state.pointee.directoryCapacity { growDirectory() }
        let block = state.pointee.arena.allocate(Int(HashTable.segmentGroups) * TagGroup.bytes)
        if block.isNone { return false }
        state.pointee.directory[Int(segment)] = state.pointee.arena.address(block)
        state.pointee.groupCapacity += HashTable.segmentGroups
        return true
    }

    /// Gives back memory beyond the first `groups` groups, by halves or whole segments.
    private func releaseRoom(beyond groups: UInt32) {
        let capacity = state.pointee.groupCapacity
        if capacity > HashTable.segmentGroups {
            let rest = capacity &- HashTable.segmentGroups
            if groups > rest { return }
            freeSegment(Int(rest >> HashTable.segmentShift), groups: HashTable.segmentGroups)
            state.pointee.groupCapacity = rest
            if rest == HashTable.segmentGroups { releaseDirectory() }
        } else if groups <= capacity >> 1 && groups > 0 {
            _ = resizeOnlySegment(to: capacity >> 1)
        }
    }

    private func resizeOnlySegment(to capacity: UInt32) -> Bool {
        let block = state.pointee.arena.allocate(Int(capacity) * TagGroup.bytes)
        if block.isNone { return false }
        let kept = Swift.min(capacity, state.pointee.groupCapacity)
        let segment = state.pointee.arena.address(block)
        segment.copyMemory(
            from: state.pointee.onlySegment, byteCount: Int(kept) * TagGroup.bytes)
        freeSegment(0, groups: state.pointee.groupCapacity)
        state.pointee.onlySegment = segment
        state.pointee.groupCapacity = capacity
        return true
    }

    private func freeSegment(_ index: Int, groups: UInt32) {
        let arena = state.pointee.arena
        arena.free(arena.handle(at: state.pointee.directory[index]), Int(groups) * TagGroup.bytes)
    }

    /// Doubles the directory: 8 bytes for 8 KiB of groups, so that even its move is short.
    private func growDirectory() {
        let old = state.pointee.directory
        let isFirst = old == onlySegmentField
        let capacity = isFirst ? 8 : Int(state.pointee.directoryCapacity) * 2
        let moved = apus_heap_reallocate(isFirst ? nil : UnsafeMutableRawPointer(old), capacity * 8)
        guard let moved else { preconditionFailure("the heap returns a block or stops") }
        let new = moved.bindMemory(to: UnsafeMutableRawPointer.self, capacity: capacity)
        if isFirst { new[0] = state.pointee.onlySegment }
        state.pointee.directory = new
        state.pointee.directoryCapacity = UInt32(capacity)
    }

    private func releaseDirectory() {
        let directory = state.pointee.directory
        if directory == onlySegmentField { return }
        state.pointee.onlySegment = directory[0]
        apus_heap_free(directory)
        state.pointee.directory = onlySegmentField
        state.pointee.directoryCapacity = 1
    }

    /// Back to the state of a new table; children must be freed already.
    private func releaseGroups() {
        var capacity = state.pointee.groupCapacity
        while capacity > 0 {
            let groups = Swift.min(capacity, HashTable.segmentGroups)
            capacity -= groups
            freeSegment(Int(capacity >> HashTable.segmentShift), groups: groups)
        }
        releaseDirectory()
        state.pointee.onlySegment = apus_empty_group()
        state.pointee.groupCapacity = 0
        state.pointee.groupCount = 1
        state.pointee.mask = 0
        state.pointee.count = 0
        state.pointee.longestChain = 1
        setLimits()
    }
}

// MARK: - Checks

extension HashTable {
    /// Stops the process where a promise in the header does not hold; O(entries), for tests.
    func checkInvariants() {
        precondition(MemoryLayout<State>.offset(of: \State.onlySegment) == 0, "first in the state")
        var (entries, children) = (0, 0)
        for index in 0..<groupCount {
            var current: TagGroup? = group(at: index)
            var length = 0
            while let group = current {
                length += 1
                entries += group.usedPlaces.nonzeroBitCount
                checkEntries(of: group, index)
                current = child(of: group)
                precondition(current == nil || group.places(tagged: 0) == 0, "a hole in a chain")
                precondition(length == 1 || group.usedPlaces != 0, "a child is never empty")
            }
            children += length - 1
            precondition(length <= longestChain, "a chain is longer than known")
        }
        precondition(entries == count && children == childGroupCount, "counts are exact")
        precondition(state.pointee.groupCapacity >= groupCount || count == 0, "groups have memory")
        precondition(UInt32(groupCount - 1) <= state.pointee.mask, "the mask covers all groups")
        precondition(
            groupCount == 1 || UInt32(groupCount - 1) > state.pointee.mask >> 1, "tight mask")
    }

    private func checkEntries(of group: TagGroup, _ index: Int) {
        for place in 0..<TagGroup.places where group.usedPlaces >> UInt32(place) & 1 == 1 {
            let hash = Policy.hash(of: group.entry(at: place), state.pointee.context)
            precondition(group.tag(at: place) == TagGroup.tag(of: hash), "a tag is of its hash")
            precondition(root(of: hash) == self.group(at: index), "an entry is where it belongs")
        }
    }
}

// MARK: - One group

/// One cache line of a hash table: 12 tags, the handle of the next group, 12 entry handles.
///
/// Places are 0 to 11 and sets of places are bit masks. A place is used where its tag is not 0;
/// what an unused place holds besides is undefined.
struct TagGroup: Equatable {
    static var bytes: Int { 64 }
    static var places: Int { 12 }
    private static var childOffset: Int { 12 }
    private static var entriesOffset: Int { 16 }

    private let start: UnsafeMutableRawPointer

    init(at start: UnsafeMutableRawPointer) { self.start = start }

    /// The top bits, because the low ones are the same throughout a group.
    @inline(__always)
    static func tag(of hash: UInt64) -> UInt8 {
        let top = UInt8(truncatingIfNeeded: hash >> 56)
        return top == 0 ? 1 : top
    }

    @inline(__always)
    func places(tagged tag: UInt8) -> UInt32 { apus_tags_equal(start, tag) }

    var usedPlaces: UInt32 { ~places(tagged: 0) & 0xfff }

    var child: Arena.Handle {
        Arena.Handle(raw: start.load(fromByteOffset: TagGroup.childOffset, as: UInt32.self))
    }

    func setChild(_ child: Arena.Handle) {
        start.storeBytes(of: child.raw, toByteOffset: TagGroup.childOffset, as: UInt32.self)
    }

    func tag(at place: Int) -> UInt8 {
        assert(place >= 0 && place < TagGroup.places, "no such place")
        return start.load(fromByteOffset: place, as: UInt8.self)
    }

    @inline(__always)
    func entry(at place: Int) -> Arena.Handle {
        assert(place >= 0 && place < TagGroup.places, "no such place")
        return Arena.Handle(
            raw: start.load(fromByteOffset: TagGroup.entriesOffset &+ place &* 4, as: UInt32.self))
    }

    func setEntry(_ entry: UInt32, at place: Int) {
        assert(place >= 0 && place < TagGroup.places, "no such place")
        start.storeBytes(
            of: entry, toByteOffset: TagGroup.entriesOffset &+ place &* 4, as: UInt32.self)
    }

    func set(_ entry: UInt32, _ tag: UInt8, at place: Int) {
        setEntry(entry, at: place)
        start.storeBytes(of: tag, toByteOffset: place, as: UInt8.self)
    }

    func copy(_ group: TagGroup, _ source: Int, to place: Int) {
        set(group.entry(at: source).raw, group.tag(at: source), at: place)
    }

    func clear(place: Int) {
        assert(place >= 0 && place < TagGroup.places, "no such place")
        start.storeBytes(of: 0, toByteOffset: place, as: UInt8.self)
    }

    /// Empties `place` and all after it.
    func clear(from place: Int) {
        for place in place..<TagGroup.places { clear(place: place) }
    }

    /// No entries, no child.
    func clear() { start.initializeMemory(as: UInt64.self, repeating: 0, count: 2) }

    func prefetch() { apus_prefetch(start) }
}
