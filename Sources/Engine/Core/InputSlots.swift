import CLinux
import Glibc
import Reactor

/// Where the bytes of the connections served together are read: one slot each.
///
/// All slots are one mapping, of which only what is used becomes resident. The beginning of an
/// unfinished request is copied in front of what is received, so that a request lies in one piece.
struct InputSlots: ~Copyable {
    /// Connections read before any of their requests is executed: enough independent misses to hide
    /// the memory's latency at one request each.
    static let count = 32
    /// What one connection may send in one turn; more waits for the next. Larger than the longest
    /// inline request, so that one that is too long is seen to be.
    static let slotBytes = 80 * 1024

    struct Slot {
        let connection: Connection
        var database: Database
        /// Bytes in the slot, parsed, and executed.
        var filled = 0
        var parsed = 0
        var executed = 0
        /// Requests of this slot in the batch.
        var isLarge = false
        var failure: ProtocolError?
        /// Nothing more can be parsed in this turn.
        var isDrained = false
    }

    private let memory: UnsafeMutableRawPointer
    private(set) var slots: ContiguousArray<Slot> = []

    init() {
        memory = apus_heap_allocate(Self.count * Self.slotBytes)
        slots.reserveCapacity(Self.count)
    }

    deinit { apus_heap_free(memory) }

    var isFull: Bool { slots.count == Self.count }
    var count: Int { slots.count }

    mutating func removeAll() { slots.removeAll(keepingCapacity: true) }

    mutating func add(_ connection: Connection, _ database: Database) {
        precondition(slots.count < Self.count, "no slot is free")
        slots.append(Slot(connection: connection, database: database))
    }

    mutating func dropLast() { slots.removeLast() }

    subscript(index: Int) -> Slot {
        @inline(__always) get { slots[index] }
        @inline(__always) _modify { yield &slots[index] }
    }

    /// Puts bytes that are already here into the slot.
    mutating func fill(_ index: Int, with bytes: ByteView) {
        precondition(bytes.count <= Self.slotBytes - slots[index].filled, "the slot is too small")
        bytes.copy(to: memory + (index * Self.slotBytes + slots[index].filled))
        slots[index].filled += bytes.count
    }

    /// Receives into the slot.
    mutating func receive(_ index: Int) -> Transfer {
        let filled = slots[index].filled
        let room = UnsafeMutableRawBufferPointer(
            start: memory + (index * Self.slotBytes + filled), count: Self.slotBytes - filled)
        let transfer = slots[index].connection.transport.receive(into: room)
        if case .bytes(let count) = transfer { slots[index].filled += count }
        return transfer
    }

    /// The bytes of slot `index` from `offset` on.
    @inline(__always)
    func bytes(_ index: Int, from offset: Int) -> ByteView {
        ByteView(
            start: UnsafeRawPointer(memory + (index &* Self.slotBytes &+ offset)),
            count: slots[index].filled &- offset)
    }
}
