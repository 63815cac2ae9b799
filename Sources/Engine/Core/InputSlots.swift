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
    /// What one connection may send in one turn; more waits for the next.
    ///
    /// Larger than the longest inline request, so that one that is too long is seen to be.
    static let slotBytes = 80 * 1024

    struct Slot {
        let connection: Connection
        var database: Database
        /// Bytes in the slot, parsed, and executed.
        var filled = 0
        var parsed = 0
        var executed = 0
        /// The request is collected piece by piece in the connection.
        var isLarge = false
        var failure: ProtocolError?
        /// A request was not executed, nor is any behind it: the connection has to wait.
        var isHeldBack = false
        /// Nothing more can be parsed in this turn.
        var isDrained = false
    }

    private struct State {
        let memory: UnsafeMutableRawPointer
        let slots: UnsafeMutablePointer<Slot>
        var count = 0
        /// The most that were in use at a time.
        var mostCount = 0
    }

    private let state: UnsafeMutablePointer<State>

    init() {
        state = .allocate(capacity: 1)
        state.initialize(
            to: State(
                memory: .allocate(byteCount: Self.count * Self.slotBytes, alignment: 64),
                slots: .allocate(capacity: Self.count)))
    }

    deinit {
        removeAll()
        state.pointee.memory.deallocate()
        state.pointee.slots.deallocate()
        state.deallocate()
    }

    var count: Int { state.pointee.count }
    var isFull: Bool { count == Self.count }

    /// Bytes of the slots that were in use so far; the others are not there yet.
    var memoryBytes: Int { state.pointee.mostCount * Self.slotBytes }

    func removeAll() {
        if count > state.pointee.mostCount { state.pointee.mostCount = count }
        state.pointee.slots.deinitialize(count: count)
        state.pointee.count = 0
    }

    func add(_ connection: Connection, _ database: Database) {
        precondition(!isFull, "no slot is free")
        (state.pointee.slots + count).initialize(
            to: Slot(connection: connection, database: database))
        state.pointee.count &+= 1
    }

    /// O(slots in use).
    func contains(_ connection: Connection) -> Bool {
        (0..<count).contains { self[$0].connection === connection }
    }

    func dropLast() {
        precondition(count > 0, "there is no slot")
        state.pointee.count &-= 1
        (state.pointee.slots + count).deinitialize(count: 1)
    }

    subscript(index: Int) -> Slot {
        @inline(__always) unsafeAddress {
            precondition(index >= 0 && index < count, "no such slot")
            return UnsafePointer(state.pointee.slots + index)
        }
        @inline(__always) nonmutating unsafeMutableAddress {
            precondition(index >= 0 && index < count, "no such slot")
            return state.pointee.slots + index
        }
    }

    /// Puts bytes that are already here into the slot.
    func fill(_ index: Int, with bytes: ByteView) {
        precondition(bytes.count <= Self.slotBytes - self[index].filled, "the slot is too small")
        bytes.copy(to: place(index, self[index].filled))
        self[index].filled += bytes.count
    }

    /// Receives into the slot.
    func receive(_ index: Int) -> Transfer {
        let filled = self[index].filled
        let room = UnsafeMutableRawBufferPointer(
            start: place(index, filled), count: Self.slotBytes - filled)
        let transfer = self[index].connection.transport.receive(into: room)
        if case .bytes(let count) = transfer { self[index].filled += count }
        return transfer
    }

    /// The bytes of slot `index` from `offset` on.
    @inline(__always)
    func bytes(_ index: Int, from offset: Int) -> ByteView {
        ByteView(start: UnsafeRawPointer(place(index, offset)), count: self[index].filled &- offset)
    }

    @inline(__always)
    private func place(_ index: Int, _ offset: Int) -> UnsafeMutableRawPointer {
        state.pointee.memory + (index &* Self.slotBytes &+ offset)
    }
}
