/// The history of changes as replicas get it: a run of bytes of which the last part is kept.
///
///     dropped … | block | block | block | block 3/4 full |
///               ^ start                                  ^ end
///
/// Bytes are named by their offset since the history began, by primary and replicas alike. They are
/// appended once; every replica only remembers which it wants next, so that a thousand replicas share one
/// copy, and that copy is also the backlog from which a replica that was away catches up. Blocks have
/// one size, so that an offset leads to its block without a search. Costs: a copy of what is appended.
struct ReplicationStream {
    private final class StreamBlock {
        var bytes: ByteBuffer
        init(capacity: Int) { bytes = ByteBuffer(capacity: capacity) }
    }

    private var blocks: ContiguousArray<StreamBlock> = []
    let blockBytes: Int
    /// The offset of the first byte that is kept.
    private(set) var start: Int
    /// The offset of the next byte that will be appended.
    private(set) var end: Int

    private static let smallestBlock = 1024
    private static let largestBlock = 64 * 1024

    /// An empty history that goes on at `offset`, made for a backlog of `backlogBytes`.
    init(at offset: Int, backlogBytes: Int) {
        start = offset
        end = offset
        blockBytes = min(max(backlogBytes / 16, Self.smallestBlock), Self.largestBlock)
    }

    /// Bytes that are kept.
    var count: Int { end - start }

    var blockCount: Int { blocks.count }

    /// What they take.
    var memoryBytes: Int { blocks.count * bytesPerBlock }

    private var bytesPerBlock: Int { blocks.first?.bytes.heapBytes ?? 0 }

    /// What a backlog of `backlogBytes` takes at most where nobody lags behind it: its blocks, of which
    /// the first and the last need not be full.
    func memoryBytes(ofBacklog backlogBytes: Int) -> Int {
        (backlogBytes / blockBytes + 2) * bytesPerBlock
    }

    mutating func append(_ bytes: ByteView) {
        var rest = bytes
        while !rest.isEmpty {
            let room = blocks.count * blockBytes - count
            if room == 0 { blocks.append(StreamBlock(capacity: blockBytes)) }
            guard let last = blocks.last else { return }
            let taken = rest.prefix(min(rest.count, room == 0 ? blockBytes : room))
            last.bytes.append(taken)
            rest = rest.dropFirst(taken.count)
            end += taken.count
        }
    }

    /// Whether a replica that wants the byte at `offset` next can be served.
    func reaches(_ offset: Int) -> Bool { offset >= start && offset <= end }

    /// The bytes from `offset` on, as far as they lie together; empty at the end.
    ///
    /// Valid until the next change.
    func view(from offset: Int) -> ByteView {
        precondition(reaches(offset), "these bytes are gone, or yet to come")
        let place = offset - start
        guard place < count else { return .empty }
        return blocks[place / blockBytes].bytes.view.dropFirst(place % blockBytes)
    }

    /// Drops what is neither among the last `kept` bytes nor wanted from `wanted` on; whole blocks only.
    mutating func trim(keeping kept: Int, from wanted: Int) {
        var dropped = 0
        while dropped < blocks.count - 1, end - (start + blockBytes) >= kept,
            start + blockBytes <= wanted
        {
            start += blockBytes
            dropped += 1
        }
        if dropped > 0 { blocks.removeFirst(dropped) }
    }
}
