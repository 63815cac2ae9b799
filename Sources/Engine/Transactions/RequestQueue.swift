import CLinux

/// Requests kept for later, with copies of their arguments: what MULTI queues.
///
///     requests   [ SET k v | INCR n ]            command, first argument, how many
///     views      [ SET | k | v | INCR | n ]      hashes computed ahead beside them
///     blocks     [ SETkvINCRn……… ] [ … ]         4 KiB, or as much as one request takes
///
/// Blocks never move, so a view stays valid until its request goes. Appending is O(bytes) amortised,
/// taking the last one back O(1), what it costs in memory is known at any time. All memory is of the counted heap.
struct RequestQueue: ~Copyable {
    private struct Kept {
        let command: Int32
        let argumentCount: Int32
        let firstArgument: Int
        /// Where its bytes begin, so that they can be given back.
        let block: Int
        let offset: Int
        /// Flags of commands: of this request and all before it, some have these, all have those.
        let flags: UInt64
        let commonFlags: UInt64
    }

    private struct Block {
        let memory: UnsafeMutableRawPointer
        let capacity: Int
        var used = 0
    }

    /// Enough for the transactions that clients usually make.
    private static let blockBytes = 4096
    private static let leastArguments = 64

    private var requests: ContiguousArray<Kept> = []
    private var blocks: ContiguousArray<Block> = []
    private var views: UnsafeMutablePointer<ByteView>?
    private var hashes: UnsafeMutablePointer<UInt64>?
    private var argumentCount = 0
    private var argumentCapacity = 0
    /// The sum of the blocks' capacities.
    private var blockMemory = 0

    init() {}

    deinit {
        for block in blocks { apus_heap_free(block.memory) }
        apus_heap_free(views)
        apus_heap_free(hashes)
    }

    var count: Int { requests.count }

    /// The union of the flags of what is queued, as a word of the command table.
    var flags: UInt64 { requests.last?.flags ?? 0 }
    /// Their intersection; all of them while nothing is queued.
    var commonFlags: UInt64 { requests.last?.commonFlags ?? .max }

    /// Bytes set aside.
    var memoryBytes: Int {
        blockMemory + argumentCapacity * (Self.viewBytes + 8)
            + requests.capacity * MemoryLayout<Kept>.stride
    }

    private static let viewBytes = MemoryLayout<ByteView>.stride

    // MARK: - Filling

    /// Keeps a copy of a request; false, and nothing happens, where there is no memory for it.
    mutating func append(_ arguments: Arguments, command: Int32, flags: UInt64) -> Bool {
        let count = arguments.count
        var bytes = 0
        for index in 0..<count { bytes &+= arguments[index].count }
        guard reserve(bytes), reserveArguments(count), let views, let hashes else { return false }
        let last = blocks.count - 1
        requests.append(
            Kept(
                command: command, argumentCount: Int32(truncatingIfNeeded: count),
                firstArgument: argumentCount, block: last, offset: blocks[last].used,
                flags: self.flags | flags, commonFlags: commonFlags & flags))
        var target = blocks[last].memory + blocks[last].used
        for index in 0..<count {
            let argument = arguments[index]
            copyBytes(from: argument.start, to: target, count: argument.count)
            (views + (argumentCount &+ index)).initialize(
                to: ByteView(start: UnsafeRawPointer(target), count: argument.count))
            (hashes + (argumentCount &+ index)).initialize(to: arguments.hash(index))
            target += argument.count
        }
        blocks[last].used &+= bytes
        argumentCount &+= count
        return true
    }

    /// Makes sure that the last block has room for `bytes`.
    private mutating func reserve(_ bytes: Int) -> Bool {
        if let last = blocks.last, last.capacity &- last.used >= bytes { return true }
        let capacity = max(bytes, Self.blockBytes)
        guard let memory = apus_heap_try_allocate(capacity) else { return false }
        blocks.append(Block(memory: memory, capacity: capacity))
        blockMemory &+= capacity
        return true
    }

    private mutating func reserveArguments(_ count: Int) -> Bool {
        if argumentCapacity &- argumentCount >= count { return true }
        let wanted = max(argumentCount + count, argumentCapacity * 2, Self.leastArguments)
        guard let views = apus_heap_try_reallocate(views, wanted * Self.viewBytes) else {
            return false
        }
        self.views = views.assumingMemoryBound(to: ByteView.self)
        guard let hashes = apus_heap_try_reallocate(hashes, wanted * 8) else { return false }
        self.hashes = hashes.assumingMemoryBound(to: UInt64.self)
        argumentCapacity = wanted
        return true
    }

    // MARK: - Reading

    func command(at index: Int) -> Int32 { requests[index].command }

    /// The arguments of one request; valid until it goes.
    func arguments(at index: Int) -> Arguments {
        let request = requests[index]
        guard let views, let hashes else { return .none }
        return Arguments(
            views: views + request.firstArgument, hashes: hashes + request.firstArgument,
            count: Int(request.argumentCount))
    }

    // MARK: - Emptying

    /// Forgets the last `count` requests, which must be there.
    mutating func removeLast(_ count: Int) {
        precondition(count >= 0 && count <= requests.count, "more than there are requests")
        guard count > 0 else { return }
        let first = requests[requests.count - count]
        argumentCount = first.firstArgument
        // The first block stays; a later one only while something in it does.
        let kept = first.block > 0 && first.offset == 0 ? first.block : first.block + 1
        while blocks.count > kept { freeLastBlock() }
        if kept > first.block { blocks[first.block].used = first.offset }
        requests.removeLast(count)
    }

    private mutating func freeLastBlock() {
        let block = blocks.removeLast()
        apus_heap_free(block.memory)
        blockMemory &-= block.capacity
    }

    /// Forgets all; room for a small transaction is kept for the next one.
    mutating func removeAll() {
        removeLast(requests.count)
        if let block = blocks.last, block.capacity > Self.blockBytes { freeLastBlock() }
        if argumentCapacity > Self.leastArguments {
            apus_heap_free(views)
            apus_heap_free(hashes)
            (views, hashes, argumentCapacity) = (nil, nil, 0)
            requests = []
        }
    }
}
