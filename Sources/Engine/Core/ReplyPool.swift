/// Reply blocks that are lent while there is something to send.
///
/// Used last, lent first: warm memory.
final class ReplyPool {
    private var blocks: ContiguousArray<ReplyBlock> = []
    /// As many as one turn of a busy server uses; the rest goes back to the system.
    private static let most = 512

    deinit {
        for block in blocks { block.free() }
    }

    /// Gives `reply` a block of the standard size if it has none.
    @inline(__always)
    func lend(to reply: inout ReplyWriter) {
        if reply.hasBlock { return }
        reply.adopt(blocks.popLast() ?? ReplyBlock.standard())
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

    /// Frees the blocks lying ready.
    func purge() {
        for block in blocks { block.free() }
        blocks = []
    }

    /// Bytes lying ready.
    var idleBytes: Int { blocks.count * ReplyBlock.standardCapacity }
}
