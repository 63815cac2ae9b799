/// Reply blocks that are lent while there is something to send.
///
/// Used last, lent first: warm memory.
final class ReplyPool {
    private var blocks: ContiguousArray<ReplyBlock> = []
    /// As many as one turn of a busy server uses; the rest goes back to the system.
    private static let most = 512
    /// The fewest that lay ready since the last `shrink`: nobody needed them.
    private var leastIdle = 0

    deinit {
        for block in blocks { block.free() }
    }

    /// Gives `reply` a block of the standard size if it has none.
    @inline(__always)
    func lend(to reply: inout ReplyWriter) {
        if reply.hasBlock { return }
        reply.adopt(blocks.popLast() ?? ReplyBlock.standard())
        if blocks.count < leastIdle { leastIdle = blocks.count }
    }

    /// The same for a message of `bytes` bytes: a small block of its own when none lies ready, since
    /// many may be sent the same at once.
    @inline(__always)
    func lendForMessage(_ bytes: Int, to reply: inout ReplyWriter) {
        if reply.hasBlock { return }
        if blocks.isEmpty && bytes <= ReplyBlock.messageCapacity {
            return reply.adopt(ReplyBlock.forMessage())
        }
        lend(to: &reply)
    }

    /// Takes the block of an empty `reply` back.
    func takeBack(from reply: inout ReplyWriter) {
        guard let block = reply.takeBlock() else { return }
        if block.capacity == ReplyBlock.standardCapacity && blocks.count < Self.most {
            blocks.append(block)
        } else {
            block.free()
        }
    }

    /// Frees what was not needed since the last call; once in a while.
    func shrink() {
        for _ in 0..<leastIdle { blocks.popLast()?.free() }
        leastIdle = blocks.count
    }

    /// Frees the blocks lying ready.
    func purge() {
        for block in blocks { block.free() }
        blocks = []
        leastIdle = 0
    }

    /// Bytes lying ready.
    var idleBytes: Int { blocks.count * ReplyBlock.standardCapacity }
}
