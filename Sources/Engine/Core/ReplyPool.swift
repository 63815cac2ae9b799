/// Reply blocks that are lent while there is something to send.
///
/// Used last, lent first: warm memory. The blocks lie in memory of the pool's own, because a property
/// of an object is guarded at each access, and there are three for each connection and turn.
final class ReplyPool {
    private struct State {
        var count = 0
        /// The fewest that lay ready since the last `shrink`: nobody needed them.
        var leastIdle = 0
    }

    /// As many as one turn of a busy server uses; the rest goes back to the system.
    private static let most = 512

    private let state: UnsafeMutablePointer<State>
    /// Room for `most`, the first `count` of them in use.
    private let blocks: UnsafeMutablePointer<ReplyBlock>

    init() {
        state = .allocate(capacity: 1)
        state.initialize(to: State())
        blocks = .allocate(capacity: Self.most)
    }

    deinit {
        purge()
        blocks.deallocate()
        state.deallocate()
    }

    /// Gives `reply` a block of the standard size if it has none.
    @inline(__always)
    func lend(to reply: inout ReplyWriter) {
        if !reply.hasBlock { reply.adopt(standardBlock()) }
    }

    @inline(__always)
    private func standardBlock() -> ReplyBlock {
        let block = popLast() ?? ReplyBlock.standard()
        let count = state.pointee.count
        if count < state.pointee.leastIdle { state.pointee.leastIdle = count }
        return block
    }

    @inline(__always)
    private func popLast() -> ReplyBlock? {
        guard state.pointee.count > 0 else { return nil }
        state.pointee.count &-= 1
        return blocks[state.pointee.count]
    }

    /// A block for a message of `bytes` bytes: a small one of its own when none lies ready, since many
    /// may be sent the same at once.
    func blockForMessage(_ bytes: Int) -> ReplyBlock {
        if state.pointee.count == 0 && bytes <= ReplyBlock.messageCapacity {
            return ReplyBlock.forMessage()
        }
        return standardBlock()
    }

    /// Takes a block back that nothing is written in any more.
    func takeBack(_ block: ReplyBlock?) {
        guard let block else { return }
        let count = state.pointee.count
        if block.capacity == ReplyBlock.standardCapacity && count < Self.most {
            (blocks + count).initialize(to: block)
            state.pointee.count = count &+ 1
        } else {
            block.free()
        }
    }

    /// Frees what was not needed since the last call; once in a while.
    func shrink() {
        for _ in 0..<state.pointee.leastIdle { popLast()?.free() }
        state.pointee.leastIdle = state.pointee.count
    }

    /// Frees the blocks lying ready.
    func purge() {
        while let block = popLast() { block.free() }
        state.pointee.leastIdle = 0
    }

    /// Bytes lying ready.
    var idleBytes: Int { state.pointee.count * ReplyBlock.standardCapacity }
}
