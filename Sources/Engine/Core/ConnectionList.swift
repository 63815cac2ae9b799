/// Connections that something is to be done for, in the order they were added.
///
/// The list lies in memory of its own, because a property of an object is guarded at each access,
/// and each request is put on one and taken off (docs/ARCHITECTURE.md, "The path of one command").
struct ConnectionList: ~Copyable {
    private struct State {
        var places: UnsafeMutablePointer<Connection>
        var capacity: Int
        /// Taken out already; then those that are there.
        var head = 0
        var tail = 0
    }

    private static let smallest = 64

    private let state: UnsafeMutablePointer<State>

    init() {
        state = .allocate(capacity: 1)
        state.initialize(
            to: State(places: .allocate(capacity: Self.smallest), capacity: Self.smallest))
    }

    deinit {
        while next() != nil {}
        state.pointee.places.deallocate()
        state.deallocate()
    }

    var isEmpty: Bool { state.pointee.head == state.pointee.tail }

    /// Adds one at the end, also one that is on the list already.
    ///
    /// O(1), amortised.
    func append(_ connection: Connection) {
        if state.pointee.tail == state.pointee.capacity { grow() }
        (state.pointee.places + state.pointee.tail).initialize(to: connection)
        state.pointee.tail &+= 1
    }

    /// Takes the first out; those added meanwhile come last.
    func next() -> Connection? {
        guard state.pointee.head < state.pointee.tail else { return nil }
        let connection = (state.pointee.places + state.pointee.head).move()
        state.pointee.head &+= 1
        if isEmpty { (state.pointee.head, state.pointee.tail) = (0, 0) }
        return connection
    }

    /// Shows each to `body`, which must not change the list.
    func forEach(_ body: (Connection) -> Void) {
        for place in state.pointee.head..<state.pointee.tail { body(state.pointee.places[place]) }
    }

    @inline(never)
    private func grow() {
        let count = state.pointee.tail - state.pointee.head
        let capacity = max(Self.smallest, count * 2)
        let larger = UnsafeMutablePointer<Connection>.allocate(capacity: capacity)
        larger.moveInitialize(from: state.pointee.places + state.pointee.head, count: count)
        state.pointee.places.deallocate()
        state.pointee = State(places: larger, capacity: capacity, head: 0, tail: count)
    }
}
