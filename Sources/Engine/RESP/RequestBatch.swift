import CLinux

/// A whole request waiting to be executed: where its arguments lie in the batch, and its bytes in
/// the connection's input.
struct Request {
    var firstArgument: Int32
    var argumentCount: Int32
    /// Which of the batch's connections sent it.
    var slot: Int32
    /// The row of the command table, -1 when there is no such command.
    var command: Int32
    /// The offset behind the request in the slot's input.
    var inputEnd: Int
}

/// Requests parsed ahead of execution, from one or several connections.
///
/// Looking ahead is what hides memory latency: the keys of all requests are hashed and their places
/// in the table prefetched before the first is executed. The arrays are allocated once and grow
/// with the largest request seen.
///
///     requests   [ r0 | r1 | r2 | … ]          at most `capacity`
///     views      [ GET k | SET k v | … ]       r.firstArgument ..< + r.argumentCount
///     hashes     [ 0   h | 0   h 0 | … ]       one beside each view
struct RequestBatch: ~Copyable {
    /// Enough independent misses in flight; more would push the first lines out of the cache again.
    static let capacity = 64

    private struct State {
        var requests: UnsafeMutablePointer<Request>
        var views: UnsafeMutablePointer<ByteView>
        var hashes: UnsafeMutablePointer<UInt64>
        var viewCapacity: Int
        var requestCount = 0
        var viewCount = 0
        var committed = 0
        /// Blocks with the unquoted words of inline requests.
        var texts: [UnsafeMutableRawPointer] = []
    }

    private let state: UnsafeMutablePointer<State>

    init() {
        state = .allocate(capacity: 1)
        let room = 1024
        state.initialize(
            to: State(
                requests: .allocate(capacity: Self.capacity),
                views: .allocate(capacity: room), hashes: .allocate(capacity: room),
                viewCapacity: room))
    }

    deinit {
        freeTexts()
        state.pointee.requests.deallocate()
        state.pointee.views.deallocate()
        state.pointee.hashes.deallocate()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    var count: Int { state.pointee.requestCount }
    var isFull: Bool { state.pointee.requestCount == Self.capacity }

    func removeAll() {
        state.pointee.requestCount = 0
        state.pointee.viewCount = 0
        if state.pointee.viewCapacity > 1 << 16 { shrink() }
        if !state.pointee.texts.isEmpty { freeTexts() }
    }

    // MARK: - Filling

    /// Room for `count` arguments behind those already there.
    ///
    /// A parse that fails leaves no trace.
    @inline(__always)
    func reserveArguments(_ count: Int) -> UnsafeMutablePointer<ByteView> {
        if state.pointee.viewCapacity &- state.pointee.viewCount < count { grow(by: count) }
        return state.pointee.views + state.pointee.viewCount
    }

    /// Room for `count` bytes that live until the batch is emptied.
    func reserveText(_ count: Int) -> UnsafeMutableRawPointer {
        let text = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1), alignment: 1)
        state.pointee.texts.append(text)
        return text
    }

    /// Says how many of the reserved arguments the request just parsed has.
    @inline(__always)
    func commitArguments(_ count: Int) { state.pointee.committed = count }

    /// The number of arguments of the request just parsed; 0 for an empty line.
    @inline(__always)
    var parsedArguments: Int { state.pointee.committed }

    func beginParse() { state.pointee.committed = 0 }

    /// Adds the request whose arguments were just committed.
    @inline(__always)
    func append(slot: Int, command: Int32, inputEnd: Int) {
        precondition(state.pointee.requestCount < Self.capacity, "the batch is full")
        let count = state.pointee.committed
        let first = state.pointee.viewCount
        (state.pointee.hashes + first).update(repeating: 0, count: count)
        state.pointee.requests[state.pointee.requestCount] = Request(
            firstArgument: Int32(truncatingIfNeeded: first),
            argumentCount: Int32(truncatingIfNeeded: count), slot: Int32(truncatingIfNeeded: slot),
            command: command, inputEnd: inputEnd)
        state.pointee.requestCount &+= 1
        state.pointee.viewCount &+= count
    }

    // MARK: - Reading

    subscript(index: Int) -> Request {
        @inline(__always) get {
            precondition(index >= 0 && index < state.pointee.requestCount)
            return state.pointee.requests[index]
        }
    }

    /// The first argument reserved or committed last: the command's name.
    @inline(__always)
    var parsedName: ByteView { state.pointee.views[state.pointee.viewCount] }

    /// Another argument of the request just parsed.
    func parsedArgument(_ index: Int) -> ByteView {
        precondition(index >= 0 && index < state.pointee.committed)
        return state.pointee.views[state.pointee.viewCount &+ index]
    }

    @inline(__always)
    func arguments(of request: Request) -> Arguments {
        Arguments(
            views: state.pointee.views + Int(request.firstArgument),
            hashes: state.pointee.hashes + Int(request.firstArgument),
            count: Int(request.argumentCount))
    }

    @inline(__always)
    func setHash(_ hash: UInt64, of request: Request, argument: Int) {
        precondition(argument >= 0 && argument < Int(request.argumentCount))
        state.pointee.hashes[Int(request.firstArgument) &+ argument] = hash
    }

    // MARK: - Growth

    private func freeTexts() {
        for text in state.pointee.texts { text.deallocate() }
        state.pointee.texts = []
    }

    @inline(never)
    private func grow(by count: Int) {
        let wanted = max(state.pointee.viewCount + count, state.pointee.viewCapacity * 2)
        reallocate(wanted)
    }

    private func shrink() { reallocate(1024) }

    private func reallocate(_ capacity: Int) {
        let views = UnsafeMutablePointer<ByteView>.allocate(capacity: capacity)
        let hashes = UnsafeMutablePointer<UInt64>.allocate(capacity: capacity)
        views.update(from: state.pointee.views, count: state.pointee.viewCount)
        hashes.update(from: state.pointee.hashes, count: state.pointee.viewCount)
        state.pointee.views.deallocate()
        state.pointee.hashes.deallocate()
        state.pointee.views = views
        state.pointee.hashes = hashes
        state.pointee.viewCapacity = capacity
    }
}
