/// Deadlines in order: a binary heap, with the place of every timer known so that it can be
/// cancelled.
///
/// A timer carries a payload and no closure; the loop pops what has expired and decides. Equal
/// deadlines expire in the order they were added. `add`, `cancel` and `popExpired` are O(log n),
/// `nextDeadline` is O(1). A timer costs 40 bytes and its payload; room is reused, not returned.
///
///     heap    nodes (deadline, sequence, slot), each not later than its two children
///     slots   by slot number: where in the heap, and which tenant; the id names both
public struct TimerQueue<Payload> {
    private var heap = DeadlineHeap()
    /// By slot; nil where the slot is free.
    private var payloads: [Payload?] = []

    public init() {}

    public var count: Int { heap.nodes.count }
    public var isEmpty: Bool { heap.nodes.isEmpty }

    /// The earliest deadline, in monotonic milliseconds.
    public var nextDeadline: Int64? { heap.nodes.first?.deadline }

    /// Adds a timer that expires at `deadline`, in monotonic milliseconds.
    @discardableResult
    public mutating func add(at deadline: Int64, payload: Payload) -> TimerID {
        let id = heap.insert(deadline)
        if Int(id.slot) == payloads.count {
            payloads.append(payload)
        } else {
            payloads[Int(id.slot)] = payload
        }
        return id
    }

    /// Forgets a timer.
    ///
    /// - Returns: its payload, nil if it has expired or been cancelled before, which is harmless.
    @discardableResult
    public mutating func cancel(_ id: TimerID) -> Payload? {
        guard let position = heap.position(of: id) else { return nil }
        heap.remove(at: position)
        return takePayload(id.slot)
    }

    /// Takes the earliest timer whose deadline is not after `now`; nil when there is none.
    public mutating func popExpired(at now: Int64) -> Payload? {
        guard let first = heap.nodes.first, first.deadline <= now else { return nil }
        heap.remove(at: 0)
        return takePayload(first.slot)
    }

    private mutating func takePayload(_ slot: UInt32) -> Payload? {
        defer { payloads[Int(slot)] = nil }
        return payloads[Int(slot)]
    }
}

/// Names one timer of one queue; never names a later one.
public struct TimerID: Hashable, Sendable {
    fileprivate let slot: UInt32
    fileprivate let generation: UInt32
}

/// The part of the queue that does not depend on the payload, so that it is compiled once.
private struct DeadlineHeap {
    struct Node {
        let deadline: Int64
        let sequence: UInt64
        let slot: UInt32

        func isBefore(_ other: Node) -> Bool {
            deadline != other.deadline ? deadline < other.deadline : sequence < other.sequence
        }
    }

    private struct Slot {
        /// In `nodes`; -1 while the slot is free.
        var position: Int32
        var generation: UInt32
    }

    private(set) var nodes: [Node] = []
    private var slots: [Slot] = []
    private var freeSlots: [UInt32] = []
    private var nextSequence: UInt64 = 0

    mutating func insert(_ deadline: Int64) -> TimerID {
        let slot = takeSlot()
        nodes.append(Node(deadline: deadline, sequence: nextSequence, slot: slot))
        nextSequence += 1
        raise(from: nodes.count - 1)
        return TimerID(slot: slot, generation: slots[Int(slot)].generation)
    }

    func position(of id: TimerID) -> Int? {
        guard Int(id.slot) < slots.count else { return nil }
        let slot = slots[Int(id.slot)]
        return slot.generation == id.generation && slot.position >= 0 ? Int(slot.position) : nil
    }

    mutating func remove(at position: Int) {
        freeSlot(nodes[position].slot)
        let last = nodes.removeLast()
        guard position < nodes.count else { return }
        // The last node fills the gap; it may belong further up or further down.
        nodes[position] = last
        raise(from: position)
        sink(from: Int(slots[Int(last.slot)].position))
    }

    private mutating func takeSlot() -> UInt32 {
        if let free = freeSlots.popLast() { return free }
        slots.append(Slot(position: -1, generation: 0))
        return UInt32(slots.count - 1)
    }

    private mutating func freeSlot(_ slot: UInt32) {
        slots[Int(slot)].position = -1
        slots[Int(slot)].generation &+= 1
        freeSlots.append(slot)
    }

    /// Moves a node up until its parent is earlier.
    private mutating func raise(from start: Int) {
        let node = nodes[start]
        var position = start
        while position > 0 {
            let parent = (position - 1) / 2
            guard node.isBefore(nodes[parent]) else { break }
            place(nodes[parent], at: position)
            position = parent
        }
        place(node, at: position)
    }

    /// Moves a node down until both its children are later.
    private mutating func sink(from start: Int) {
        let node = nodes[start]
        var position = start
        while true {
            var child = position * 2 + 1
            guard child < nodes.count else { break }
            if child + 1 < nodes.count, nodes[child + 1].isBefore(nodes[child]) { child += 1 }
            guard nodes[child].isBefore(node) else { break }
            place(nodes[child], at: position)
            position = child
        }
        place(node, at: position)
    }

    private mutating func place(_ node: Node, at position: Int) {
        nodes[position] = node
        slots[Int(node.slot)].position = Int32(position)
    }
}
