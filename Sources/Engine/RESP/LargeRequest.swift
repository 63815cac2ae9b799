import CLinux

/// A request too large to be parsed anew with each read: collected argument by argument.
///
/// Small arguments gather in one buffer. An argument of `ProtocolLimits.ownBlockBytes` or more is
/// received straight into a block of its own, which a command may take over as the value, so that
/// a large SET copies its bytes once, out of the kernel. A block grows with the bytes that come:
/// what a client only declares costs nothing.
///
/// One exists per connection and only while such a request is under way.
final class LargeRequest {
    /// Unfinished requests from this size on are collected here.
    static let threshold = 16 * 1024
    /// Read at once into the shared buffer, so that what follows the request fits a slot.
    private static let readBytes = 32 * 1024
    /// Smaller arguments in front of a large one that are copied to a buffer of their size.
    private static let smallHead = 512

    private enum Piece {
        case inBuffer(offset: Int, count: Int)
        case block(Int)
    }

    private struct Block {
        var memory: UnsafeMutableRawPointer?
        var length: Int
        var filled = 0
        var capacity = 0
        /// Where it was, and how it began, when it was given away.
        var formerStart: UnsafeRawPointer?
        var beginning: [UInt8] = []
    }

    private var buffer = ByteBuffer()
    /// Bytes of `buffer` that are parsed.
    private var position = 0
    /// Arguments announced; nil until the header has come.
    private var expected: Int?
    private var pieces: [Piece] = []
    private var blocks: [Block] = []
    /// The block that the next bytes belong to.
    private var filling: Int?

    init(beginning bytes: ByteView) {
        buffer.append(bytes)
    }

    deinit {
        for block in blocks { apus_heap_free(block.memory) }
    }

    /// Set while somebody looks at whole requests after they are executed: no block is given away.
    var keepsBlocks = false

    /// What is held for the request, as `client-query-buffer-limit` counts it.
    ///
    /// O(1): arguments with a block of their own no longer count when they are whole, as in Redis,
    /// which has taken them out of its buffer by then.
    var heldBytes: Int {
        buffer.count + (filling.map { blocks[$0].filled } ?? 0)
    }

    /// Bytes that have come and belong to no whole argument yet: `qbuf` of CLIENT LIST.
    var unparsedBytes: Int {
        if let filling { return blocks[filling].filled }
        return buffer.count - position
    }

    /// Bytes of the arguments that are whole.
    var argumentBytes: Int {
        pieces.reduce(0) { sum, piece in
            switch piece {
            case .inBuffer(_, let count): sum + count
            case .block(let number): sum + blocks[number].length
            }
        }
    }

    /// Bytes of the request that have come.
    var requestBytes: Int { position + blocks.reduce(0) { $0 + $1.filled } }

    /// Memory set aside.
    var capacity: Int { buffer.capacity + blocks.reduce(0) { $0 + $1.capacity } }

    // MARK: - Receiving

    /// Lends the place where the next bytes of the connection belong; nil when there is no memory.
    func writable() -> UnsafeMutableRawBufferPointer? {
        guard let filling else {
            let lent = buffer.writable(minimum: Self.readBytes)
            return UnsafeMutableRawBufferPointer(rebasing: lent.prefix(Self.readBytes))
        }
        guard ensureRoom(filling) else { return nil }
        let block = blocks[filling]
        return UnsafeMutableRawBufferPointer(
            start: block.memory.map { $0 + block.filled }, count: block.capacity - block.filled)
    }

    func commit(_ bytes: Int) {
        if let filling {
            blocks[filling].filled += bytes
        } else {
            buffer.commit(bytes)
        }
    }

    /// Doubles the block until it is as long as announced, with the closing line end.
    private func ensureRoom(_ index: Int) -> Bool {
        let whole = blocks[index].length + 2
        if blocks[index].filled < blocks[index].capacity { return true }
        let wanted = min(
            whole, max(ProtocolLimits.firstBlockBytes, blocks[index].capacity * 2))
        guard let memory = apus_heap_try_reallocate(blocks[index].memory, wanted) else {
            return false
        }
        blocks[index].memory = memory
        blocks[index].capacity = wanted
        return true
    }

    // MARK: - Parsing

    /// Takes up what has come since the last call.
    ///
    /// When the request is whole its arguments are committed to `batch`, and stay valid until this
    /// object goes or changes.
    func advance(_ parser: CommandParser, into batch: borrowing RequestBatch) -> ParseOutcome {
        if let filling {
            let block = blocks[filling]
            guard block.filled == block.length + 2 else { return .incomplete }
            guard let memory = block.memory,
                CommandParser.hasLineEnd(UnsafeRawPointer(memory), at: block.length)
            else { return .malformed(.invalidLineEnd) }
            pieces.append(.block(filling))
            self.filling = nil
        }
        if expected == nil {
            if let failure = readHeader(parser) { return failure }
        }
        while pieces.count < expected ?? 0 {
            if let outcome = readArgument(parser) { return outcome }
        }
        commitPieces(into: batch)
        return .request(consumed: position)
    }

    /// Reads `*<count>`; the caller's parser has accepted it once, when the client may have been another.
    private func readHeader(_ parser: CommandParser) -> ParseOutcome? {
        let bytes = buffer.view
        guard bytes[0] == UInt8(ascii: "*") else { return .malformed(.tooBigInline) }
        guard let end = bytes.firstIndex(of: 13), end + 1 < bytes.count else {
            return bytes.count > ProtocolLimits.inlineBytes
                ? .malformed(.tooBigMultibulkHeader) : .incomplete
        }
        guard let count = NumberText.integer(bytes.slice(1, end)) else {
            return .malformed(.invalidMultibulkLength)
        }
        guard bytes[end + 1] == 10 else { return .malformed(.invalidLineEnd) }
        if let error = parser.complaint(aboutArguments: count) { return .malformed(error) }
        expected = Int(count)
        position = end + 2
        return nil
    }

    /// Reads one argument or begins its block; nil means it is whole and the next may follow.
    private func readArgument(_ parser: CommandParser) -> ParseOutcome? {
        let bytes = buffer.view
        var here = position
        switch parser.readBulkHeader(bytes, &here) {
        case .incomplete: return .incomplete
        case .malformed(let error): return .malformed(error)
        case .value(let length):
            if bytes.count - here >= Int(length) + 2 {
                guard CommandParser.hasLineEnd(bytes.start, at: here + Int(length)) else {
                    return .malformed(.invalidLineEnd)
                }
                pieces.append(.inBuffer(offset: here, count: Int(length)))
                position = here + Int(length) + 2
                return nil
            }
            guard length >= ProtocolLimits.ownBlockBytes else { return .incomplete }
            beginBlock(length: Int(length), from: here)
            return .incomplete
        }
    }

    /// Moves what has already come of a large argument out of the buffer into its block.
    private func beginBlock(length: Int, from offset: Int) {
        let beginning = buffer.view.dropFirst(offset)
        var block = Block(memory: nil, length: length)
        block.capacity = min(
            length + 2, max(ProtocolLimits.firstBlockBytes, beginning.count * 2))
        let memory: UnsafeMutableRawPointer = apus_heap_allocate(block.capacity)
        beginning.copy(to: memory)
        block.memory = memory
        block.filled = beginning.count
        filling = blocks.count
        blocks.append(block)
        buffer.truncate(to: offset)
        if offset <= Self.smallHead {
            // The room for what came with it is not needed while the block is filled.
            var head = ByteBuffer(capacity: Self.smallHead)
            head.append(buffer.view)
            swap(&buffer, &head)
        }
        position = offset
    }

    private func commitPieces(into batch: borrowing RequestBatch) {
        let arguments = batch.reserveArguments(pieces.count)
        let bytes = buffer.view
        for (index, piece) in pieces.enumerated() {
            switch piece {
            case .inBuffer(let offset, let count):
                arguments[index] = bytes.slice(offset, offset + count)
            case .block(let number):
                let block = blocks[number]
                arguments[index] =
                    block.memory.map { ByteView(start: UnsafeRawPointer($0), count: block.length) }
                    ?? .empty
            }
        }
        batch.commitArguments(pieces.count)
    }

    // MARK: - Afterwards

    /// Whether every argument is here.
    var isComplete: Bool { expected.map { pieces.count == $0 } ?? false && filling == nil }

    /// Bytes behind the request: the beginning of the next one.
    var rest: ByteView { buffer.view.dropFirst(position) }

    /// Gives away the block that `argument` lies in, if it has one: from now on the caller frees it.
    ///
    /// Its beginning is kept for `beginning(ofTaken:)`.
    func takeBlock(of argument: ByteView) -> UnsafeMutableRawPointer? {
        if keepsBlocks { return nil }
        for index in blocks.indices {
            guard let memory = blocks[index].memory, UnsafeRawPointer(memory) == argument.start
            else { continue }
            blocks[index].memory = nil
            blocks[index].formerStart = argument.start
            blocks[index].beginning = argument.prefix(ProtocolLimits.excerptBytes).array
            return memory
        }
        return nil
    }

    /// The first bytes of an argument whose block was given away; nil if it was not.
    func beginning(ofTaken argument: ByteView) -> [UInt8]? {
        blocks.first { $0.memory == nil && $0.formerStart == argument.start }?.beginning
    }
}
