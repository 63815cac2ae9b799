import Reactor

/// The next block of a snapshot, read from the file and its strings unpacked, while the one before it
/// is made into values.
///
///     file      [ block 0 ][ block 1 ][ block 2 ]…
///     reader      values of block 0
///     helper        reads and unpacks block 1
///
/// Unpacking takes up to two thirds of a load (that of a list), and reading the longer the colder the
/// file is.
struct SnapshotReadAhead {
    private let errand: Errand<SnapshotBlock>

    static let blockBytes = 512 * 1024

    /// Reads `size` bytes of an open file from where it stands.
    ///
    /// Nil where the file is too small for it, or no thread can be had.
    init?(_ descriptor: Int32, size: Int, blockBytes: Int) {
        let block = SnapshotBlock(descriptor, size, blockBytes)
        guard size > 2 * blockBytes, let errand = try? Errand(block, { $0.readNext() }) else {
            return nil
        }
        self.errand = errand
        errand.start()
    }

    /// Whether another block is on its way.
    ///
    /// Where few strings are compressed none follows: whoever reads goes on alone, and copies less.
    var goesOn: Bool { errand.isUnderWay }

    /// Appends the next block to `buffer`, and its strings take the place of those in `unpacked`.
    ///
    /// - Returns: how many bytes that were; 0 at the end.
    func take(
        into buffer: inout ByteBuffer, _ unpacked: inout UnpackedStrings
    ) throws(SystemError) -> Int {
        let isEarly = !errand.isDone
        errand.finish()
        let (count, pays, failure) = errand.withState { block in
            block.share(readerIsEarly: isEarly)
            block.give(to: &buffer, &unpacked)
            return (block.count, block.pays, block.failure)
        }
        if let failure { throw failure }
        if count > 0 && pays { errand.start() }
        return count
    }
}

/// Strings of a snapshot that were compressed, by their places in it.
struct UnpackedStrings: ~Copyable {
    private struct Item {
        /// Where the compressed bytes begin in the file.
        let position: Int
        let packedCount: Int
        let offset: Int
        let count: Int
    }

    private var items: ContiguousArray<Item> = []
    private var bytes = ByteBuffer()
    private var next = 0

    /// Beyond this strings are left packed.
    private static let mostBytes = 8 << 20

    /// The bytes of the string whose compressed bytes lie at `position`; nil where it is not there.
    ///
    /// Strings are asked for in their order. O(1) but for those that nobody asked for.
    mutating func take(at position: Int, packedCount: Int, count: Int) -> ByteView? {
        while next < items.count && items[next].position < position { next &+= 1 }
        guard next < items.count else { return nil }
        let item = items[next]
        guard item.position == position, item.packedCount == packedCount, item.count == count
        else { return nil }
        return bytes.view.slice(item.offset, item.offset + count)
    }

    /// Unpacks a string; one that is broken is left to whoever reads the value.
    mutating func unpack(_ packed: ByteView, at position: Int, count: Int) {
        guard LZF.mayUnpack(packed.count, to: count), count <= Self.mostBytes - bytes.count,
            let target = bytes.writable(minimum: count).baseAddress,
            LZF.decompress(packed, to: target, count: count)
        else { return }
        items.append(
            Item(
                position: position, packedCount: packed.count, offset: bytes.count, count: count))
        bytes.commit(count)
    }

    mutating func removeAll() {
        items.removeAll(keepingCapacity: true)
        bytes.removeAll()
        next = 0
    }
}

/// What the helper works on.
struct SnapshotBlock: ~Copyable {
    private let descriptor: Int32
    private let blockBytes: Int
    private var bytesBehind: Int
    /// What the scout has not walked over yet, and then the block.
    private var bytes = ByteBuffer()
    /// Where `bytes` begin in the file.
    private var position = 0
    /// How many of `bytes` the scout has passed over; more than there are where a string goes on.
    private var passed = 0
    private var scout = SnapshotScout()
    private var found: ContiguousArray<SnapshotScout.Found> = []
    private var unpacked = UnpackedStrings()
    /// How many sixteenths of the strings are left to the reader, so that neither waits for long.
    private var readersShare = 0
    private(set) var count = 0
    private(set) var failure: SystemError?
    private var readBytes = 0
    private var unpackableBytes = 0

    /// With more at hand that the scout cannot pass over, such as the pending entries of a large stream,
    /// it gives up.
    private static let mostWaiting = 4 << 20
    /// So much is read before it is judged.
    private static let trialBytes = 2 << 20

    init(_ descriptor: Int32, _ size: Int, _ blockBytes: Int) {
        self.descriptor = descriptor
        self.blockBytes = blockBytes
        bytesBehind = size
    }

    /// Whether there is enough to unpack: an eighth of what was read.
    var pays: Bool {
        readBytes < Self.trialBytes || unpackableBytes >= readBytes / 8
    }

    /// Shifts work to whoever was idle.
    mutating func share(readerIsEarly: Bool) {
        readersShare = readerIsEarly ? min(readersShare + 1, 12) : max(readersShare - 1, 0)
    }

    mutating func readNext() {
        forgetPassed()
        read()
        unpack()
    }

    private mutating func forgetPassed() {
        let known = min(passed, bytes.count)
        bytes.drain(known)
        position += known
        passed -= known
    }

    private mutating func read() {
        count = 0
        guard bytesBehind > 0 else { return }
        do throws(SystemError) {
            let target = bytes.writable(
                minimum: blockBytes, atMost: min(bytesBehind, blockBytes))
            count = try File.read(from: descriptor, into: target)
            bytes.commit(count)
            bytesBehind -= count
            readBytes += count
        } catch {
            failure = error
        }
    }

    /// Looks for strings in what is at hand, and unpacks them.
    private mutating func unpack() {
        unpacked.removeAll()
        found.removeAll(keepingCapacity: true)
        guard passed < bytes.count else { return }
        let start = passed
        passed += scout.walk(bytes.view.dropFirst(start), &found)
        let packedBytes = found.reduce(0) { $0 + $1.packedCount }
        unpackableBytes += packedBytes
        var left = packedBytes * readersShare / 16
        for string in found {
            left -= string.packedCount
            if left >= 0 { continue }
            let offset = start + string.offset
            let packed = bytes.view.slice(offset, offset + string.packedCount)
            unpacked.unpack(packed, at: position + offset, count: string.count)
        }
        if bytes.count - passed > Self.mostWaiting { giveUp() }
    }

    private mutating func giveUp() {
        scout.giveUp()
        passed = bytes.count
    }

    /// Hands over what was read and unpacked.
    mutating func give(to buffer: inout ByteBuffer, _ strings: inout UnpackedStrings) {
        buffer.append(bytes.view.dropFirst(bytes.count - count))
        swap(&unpacked, &strings)
    }
}
