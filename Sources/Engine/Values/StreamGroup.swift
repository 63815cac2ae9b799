import CLinux

/// A consumer group: how far it has read, who reads, and what was delivered and not acknowledged.
///
/// A pending entry is one record of 24 bytes, which both the group's index and its consumer's lead
/// to, each ordered by id. So an entry delivered and not acknowledged costs 64 bytes and a little,
/// and every change of hands is O(log pending).
///
///     record of a group:    | name 16 | index of pending | last id | entries read | consumers |
///     record of a consumer: | name 16 | index of pending | seen | active |
///     pending entry:        | delivery time 8 | deliveries 8 | consumer 4 |
///
/// A trivial handle; dead when the group is destroyed. Times are wall-clock milliseconds.
struct StreamGroup {
    private struct State {
        // First, so that its address is that of the state.
        var pending = StreamIndex<UInt32>.State()
        var lastID = StreamID.zero
        var entriesRead: Int64 = 0
        /// The word of the `NamedRecords` of consumers.
        var consumers: UInt64 = 0
    }

    static var recordBytes: Int { NamedRecords.headBytes + MemoryLayout<State>.size }

    let record: Arena.Handle
    private let arena: Arena

    @inline(__always)
    init(_ record: Arena.Handle, in arena: Arena) {
        self.record = record
        self.arena = arena
    }

    /// The number of entries read that says it is not known.
    static let unknown: Int64 = -1

    // MARK: - State

    @inline(__always)
    private var state: UnsafeMutablePointer<State> {
        NamedRecords.content(of: record, in: arena).assumingMemoryBound(to: State.self)
    }

    var name: ByteView { NamedRecords.name(of: record, in: arena) }

    /// The last entry delivered to anybody of the group.
    @inline(__always)
    var lastID: StreamID {
        get { state.pointee.lastID }
        nonmutating set { state.pointee.lastID = newValue }
    }

    /// How many entries were added up to the last one delivered; `unknown` where that is.
    var entriesRead: Int64 {
        get { state.pointee.entriesRead }
        nonmutating set { state.pointee.entriesRead = newValue }
    }

    /// What was delivered and not acknowledged, by id; values are records of `PendingEntry`.
    @inline(__always)
    var pending: StreamIndex<UInt32> {
        StreamIndex(
            UnsafeMutableRawPointer(state)
                .assumingMemoryBound(to: StreamIndex<UInt32>.State.self), in: arena)
    }

    // MARK: - Consumers

    /// By name.
    @inline(__always)
    var consumers: NamedRecords {
        NamedRecords(
            word: state.pointee.consumers, recordBytes: StreamConsumer.recordBytes, in: arena)
    }

    @inline(__always)
    func consumer(_ name: ByteView) -> StreamConsumer? {
        guard let record = consumers.find(name) else { return nil }
        return StreamConsumer(record, in: arena)
    }

    func consumer(of entry: PendingEntry) -> StreamConsumer {
        StreamConsumer(entry.consumer, in: arena)
    }

    func addConsumer(_ name: ByteView, now: Int64) -> StreamConsumer {
        var consumers = consumers
        let consumer = StreamConsumer(consumers.insert(name), in: arena)
        state.pointee.consumers = consumers.word
        consumer.seenTime = now
        consumer.activeTime = StreamConsumer.never
        return consumer
    }

    /// Removes a consumer with all that is pending for it; O(pending * log).
    func remove(_ consumer: StreamConsumer) {
        let mine = consumer.pending
        var position = mine.first
        while let here = position {
            pending.remove(mine.id(at: here))
            PendingEntry(mine.value(at: here), in: arena).free()
            position = mine.position(after: here)
        }
        mine.removeAll()
        var consumers = consumers
        consumers.remove(consumer.name)
        state.pointee.consumers = consumers.word
    }

    // MARK: - Pending entries

    @inline(__always)
    func pendingEntry(_ id: StreamID) -> PendingEntry? {
        guard let word = pending.find(id) else { return nil }
        return PendingEntry(word, in: arena)
    }

    func pendingEntry(at position: StreamIndex<UInt32>.Position) -> PendingEntry {
        PendingEntry(pending.value(at: position), in: arena)
    }

    /// The entry `id` was handed to `consumer` for the first time, or again from the beginning.
    @inline(__always)
    func deliver(_ id: StreamID, to consumer: StreamConsumer, now: Int64) -> PendingEntry {
        let entry = PendingEntry.create(consumer.record, now: now, in: arena)
        if pending.insert(id, entry.word) {
            let isNew = consumer.pending.insert(id, entry.word)
            precondition(isNew, "an entry pending for a consumer and not for its group")
            return entry
        }
        entry.free()
        return redeliver(id, to: consumer, now: now)
    }

    private func redeliver(
        _ id: StreamID, to consumer: StreamConsumer, now: Int64
    ) -> PendingEntry {
        guard let entry = pendingEntry(id) else { preconditionFailure("a pending entry is gone") }
        give(entry, id, to: consumer)
        entry.deliveryTime = now
        entry.deliveryCount = 1
        return entry
    }

    /// Makes `consumer` the owner of a pending entry.
    func give(_ entry: PendingEntry, _ id: StreamID, to consumer: StreamConsumer) {
        guard entry.consumer != consumer.record else { return }
        self.consumer(of: entry).pending.remove(id)
        let isNew = consumer.pending.insert(id, entry.word)
        precondition(isNew, "an entry pending for two consumers")
        entry.consumer = consumer.record
    }

    /// Takes an entry out of what is pending; false if it is not.
    func acknowledge(_ id: StreamID) -> Bool {
        guard let entry = pendingEntry(id) else { return false }
        pending.remove(id)
        consumer(of: entry).pending.remove(id)
        entry.free()
        return true
    }

    // MARK: - As part of a collection

    var blockCount: Int {
        var blocks = pending.count + pending.nodeCount
        let consumers = consumers
        for index in 0..<consumers.count {
            blocks += StreamConsumer(consumers[index], in: arena).pending.nodeCount + 1
        }
        return blocks
    }

    /// Frees about so many blocks of what hangs off the record, and returns how many: fewer than
    /// asked once all are gone.
    func free(blocks: Int) -> Int {
        var freed = 0
        while freed < blocks, let last = pending.last {
            var position: StreamIndex<UInt32>.Position? = last
            var left = pending.lastLeafCount
            while left > 0, let here = position {
                pendingEntry(at: here).free()
                position = pending.position(before: here)
                left -= 1
            }
            freed += pending.dropLastLeaf() + 1
        }
        var consumers = consumers
        while freed < blocks, consumers.count > 0 {
            let mine = StreamConsumer(consumers[consumers.count - 1], in: arena).pending
            if mine.dropLastLeaf() == 0 { consumers.removeLast() }
            freed += 1
        }
        state.pointee.consumers = consumers.word
        return freed
    }

    /// Every byte that hangs off the record.
    var memoryBytes: Int {
        var bytes = pending.memoryBytes + pending.count * PendingEntry.bytes(in: arena)
        let consumers = consumers
        bytes += consumers.memoryBytes
        for index in 0..<consumers.count {
            bytes += StreamConsumer(consumers[index], in: arena).pending.memoryBytes
        }
        return bytes
    }

    /// Makes the same group for a stream that has none of the name.
    func copy(into stream: StreamValue) {
        let copy = stream.addGroup(name, lastID: lastID, entriesRead: entriesRead)
        let consumers = consumers
        for index in 0..<consumers.count {
            let old = StreamConsumer(consumers[index], in: arena)
            let new = copy.addConsumer(old.name, now: old.seenTime)
            new.activeTime = old.activeTime
        }
        var position = pending.first
        while let here = position {
            let old = pendingEntry(at: here)
            if let owner = copy.consumer(consumer(of: old).name) {
                let new = copy.deliver(pending.id(at: here), to: owner, now: old.deliveryTime)
                new.deliveryCount = old.deliveryCount
            }
            position = pending.position(after: here)
        }
    }

    func checkInvariants() {
        pending.checkInvariants()
        var owned = 0
        let consumers = consumers
        for index in 0..<consumers.count {
            let consumer = StreamConsumer(consumers[index], in: arena)
            consumer.pending.checkInvariants()
            var position = consumer.pending.first
            while let here = position {
                let id = consumer.pending.id(at: here)
                precondition(
                    pendingEntry(id)?.word == consumer.pending.value(at: here),
                    "group and consumer lead to different records")
                precondition(
                    pendingEntry(id)?.consumer == consumer.record, "pending for somebody else")
                owned += 1
                position = consumer.pending.position(after: here)
            }
        }
        precondition(owned == pending.count, "pending for nobody")
    }
}

/// One who reads for a group.
struct StreamConsumer {
    private struct State {
        // First, so that its address is that of the state.
        var pending = StreamIndex<UInt32>.State()
        var seenTime: Int64 = 0
        var activeTime: Int64 = 0
    }

    static var recordBytes: Int { NamedRecords.headBytes + MemoryLayout<State>.size }
    /// The active time of who never got an entry.
    static let never: Int64 = -1

    let record: Arena.Handle
    private let arena: Arena

    @inline(__always)
    init(_ record: Arena.Handle, in arena: Arena) {
        self.record = record
        self.arena = arena
    }

    @inline(__always)
    private var state: UnsafeMutablePointer<State> {
        NamedRecords.content(of: record, in: arena).assumingMemoryBound(to: State.self)
    }

    var name: ByteView { NamedRecords.name(of: record, in: arena) }

    /// When it last asked for something.
    var seenTime: Int64 {
        get { state.pointee.seenTime }
        nonmutating set { state.pointee.seenTime = newValue }
    }

    /// When it last got an entry, by reading or claiming; kept for the files that hold it.
    var activeTime: Int64 {
        get { state.pointee.activeTime }
        nonmutating set { state.pointee.activeTime = newValue }
    }

    /// What was delivered to it and not acknowledged; the group keeps it in step with its own.
    @inline(__always)
    var pending: StreamIndex<UInt32> {
        StreamIndex(
            UnsafeMutableRawPointer(state)
                .assumingMemoryBound(to: StreamIndex<UInt32>.State.self), in: arena)
    }
}

/// An entry delivered and not acknowledged.
struct PendingEntry {
    private struct State {
        var deliveryTime: Int64
        var deliveryCount: Int64
        var consumer: UInt32
    }

    private let handle: Arena.Handle
    private let arena: Arena

    @inline(__always)
    init(_ word: UInt32, in arena: Arena) {
        handle = Arena.Handle(raw: word)
        self.arena = arena
    }

    /// What the indexes keep.
    @inline(__always)
    var word: UInt32 { handle.raw }

    @inline(__always)
    static func create(_ consumer: Arena.Handle, now: Int64, in arena: Arena) -> PendingEntry {
        let handle = arena.allocateEssential(MemoryLayout<State>.size)
        arena.address(handle).bindMemory(to: State.self, capacity: 1).initialize(
            to: State(deliveryTime: now, deliveryCount: 1, consumer: consumer.raw))
        return PendingEntry(handle.raw, in: arena)
    }

    func free() { arena.free(handle, MemoryLayout<State>.size) }

    static func bytes(in arena: Arena) -> Int {
        arena.blockBytes(for: MemoryLayout<State>.size)
    }

    @inline(__always)
    private var state: UnsafeMutablePointer<State> {
        arena.address(handle).assumingMemoryBound(to: State.self)
    }

    var deliveryTime: Int64 {
        get { state.pointee.deliveryTime }
        nonmutating set { state.pointee.deliveryTime = newValue }
    }

    var deliveryCount: Int64 {
        get { state.pointee.deliveryCount }
        nonmutating set { state.pointee.deliveryCount = newValue }
    }

    fileprivate(set) var consumer: Arena.Handle {
        get { Arena.Handle(raw: state.pointee.consumer) }
        nonmutating set { state.pointee.consumer = newValue.raw }
    }

    /// Milliseconds since the delivery; none where the clock went back.
    func idle(at now: Int64) -> Int64 {
        let (difference, overflow) = now.subtractingReportingOverflow(deliveryTime)
        return overflow ? (deliveryTime < 0 ? .max : .min) : difference
    }
}

// MARK: - Groups of a stream

extension StreamValue {
    @inline(__always)
    func group(_ name: ByteView) -> StreamGroup? {
        guard let record = groups.find(name) else { return nil }
        return StreamGroup(record, in: arena)
    }

    /// A new group; there must be none of the name.
    func addGroup(_ name: ByteView, lastID: StreamID, entriesRead: Int64) -> StreamGroup {
        var groups = groups
        let group = StreamGroup(groups.insert(name), in: arena)
        keep(groups)
        group.lastID = lastID
        group.entriesRead = entriesRead
        return group
    }

    /// Removes a group with its consumers; O(pending).
    func remove(_ group: StreamGroup) {
        _ = group.free(blocks: .max)
        var groups = groups
        groups.remove(group.name)
        keep(groups)
    }

    // MARK: - How far a group has read

    /// Takes note that `id`, later than all before, was delivered to somebody of `group`.
    func noteRead(_ id: StreamID, by group: StreamGroup) {
        if group.entriesRead != StreamGroup.unknown && !(group.lastID < firstID)
            && !hasDeletions(from: group.lastID)
        {
            group.entriesRead &+= 1
        } else if entriesAdded != 0 {
            group.entriesRead = entriesUpTo(id) ?? StreamGroup.unknown
        }
        group.lastID = id
    }

    /// How many entries wait for each of some groups; nil where Redis would have to count them.
    ///
    /// What is told is counted all the same, as `entriesRead` is what a client may have said, and
    /// entries that were trimmed wait for nobody. O(nodes that wait for any of them), and a node for each.
    func lags(of groups: [StreamGroup]) -> [Int64?] {
        let order = groups.indices.sorted { groups[$1].lastID < groups[$0].lastID }
        let counts = counts(after: order.map { groups[$0].lastID })
        var lags = [Int64?](repeating: nil, count: groups.count)
        for (index, count) in zip(order, counts) where knowsLag(of: groups[index]) {
            lags[index] = Int64(count)
        }
        return lags
    }

    private func knowsLag(of group: StreamGroup) -> Bool {
        length == 0 || group.lastID < firstID && largestDeletedID < firstID
            || group.entriesRead != StreamGroup.unknown && !hasDeletions(from: group.lastID)
            || entriesUpTo(group.lastID) != nil
    }

    /// Whether an entry at or after `id` was deleted out of the middle.
    private func hasDeletions(from id: StreamID) -> Bool {
        guard length > 0, !largestDeletedID.isZero, !(largestDeletedID < firstID) else {
            return false
        }
        return !(largestDeletedID < id)
    }

    /// How many entries were added up to `id`, where that is known.
    func entriesUpTo(_ id: StreamID) -> Int64? {
        if entriesAdded == 0 { return 0 }
        if length == 0 && !(lastID < id) { return entriesAdded }
        if id == lastID { return entriesAdded }
        if lastID < id { return nil }
        guard largestDeletedID.isZero || largestDeletedID < firstID else { return nil }
        if id < firstID { return entriesAdded &- Int64(length) }
        return id == firstID ? entriesAdded &- Int64(length) &+ 1 : nil
    }
}
