import Reactor

/// Reads the primitives of the RDB format, from memory (RESTORE) or from a file (a snapshot).
///
/// Promises: broken input ends in a `DumpError`, never in a trap, and memory is taken for what has come,
/// not for what is claimed: for a string no more than the file has bytes left, or than the stream has
/// brought and a block; for one that is compressed no more than its bytes make. Costs: one `read` a quarter of a mebibyte; a string
/// that is neither compressed nor a number is not copied. A second thread may read ahead and unpack.
///
/// A string is read as a `Piece`, which stays good until the next `beginRecord`; a view of it only
/// until the next read.
struct DumpReader: ~Copyable {
    /// A string that was read: where it lies.
    struct Piece {
        fileprivate enum Place {
            /// Bytes after the start of the record.
            case input
            /// Unpacked.
            case room
        }

        fileprivate let place: Place
        fileprivate let offset: Int
        let count: Int
    }

    private let descriptor: Int32?
    /// Waits until the descriptor, which does not block, has more.
    private let wait: (() throws(SystemError) -> Void)?
    /// Reads the file where that is another thread's work.
    private var readAhead: SnapshotReadAhead?
    /// What it has unpacked.
    private var unpacked = UnpackedStrings()
    /// What is read from the file and not yet given up.
    private var buffer = ByteBuffer()
    /// The bytes at hand: the input, or the buffer.
    private var input: ByteView
    /// The next byte of `input`.
    private var next = 0
    /// Where the record begins whose pieces must stay.
    private var record = 0
    /// Bytes of the file that are not read yet; it does not grow meanwhile.
    private var bytesBehind = 0
    /// Strings unpacked since `beginRecord`.
    private var room = ByteBuffer()
    private var checksum: UInt64 = 0
    /// Up to where `input` is in the checksum.
    private var checked = 0
    /// Bytes given up before `input`.
    private var droppedBytes = 0
    private let checks: Bool

    private static let blockBytes = 256 * 1024
    private static let keptRoomBytes = 1 << 20
    /// No string is longer, whoever says so.
    private static let longestString: UInt64 = 1 << 40
    /// What claims to unpack to more is measured before memory is taken for it.
    private static let believedBytes = 1 << 20

    /// Reads `bytes`, which must outlive the reader.
    init(_ bytes: ByteView, checks: Bool = false) {
        descriptor = nil
        wait = nil
        readAhead = nil
        input = bytes
        self.checks = checks
    }

    /// Reads an open file of `size` bytes from its beginning.
    ///
    /// - Parameters:
    ///   - withHelp: has a second thread share the work.
    ///   - blockBytes: how much that one reads at a time.
    init(
        file descriptor: Int32, size: Int, checks: Bool, withHelp: Bool = false,
        blockBytes: Int = SnapshotReadAhead.blockBytes
    ) {
        self.descriptor = descriptor
        self.checks = checks
        wait = nil
        readAhead =
            withHelp
            ? SnapshotReadAhead(descriptor, size: size, blockBytes: blockBytes) : nil
        input = .empty
        bytesBehind = size
    }

    /// Reads a snapshot that is still arriving, of which `front` has come already.
    ///
    /// - Parameters:
    ///   - bytes: how long it is; nil where only its own end tells.
    ///   - wait: returns when there is more to read, and throws when there will not be.
    init(
        stream descriptor: Int32, bytes: Int?, behind front: ByteView, checks: Bool,
        wait: @escaping () throws(SystemError) -> Void
    ) {
        self.descriptor = descriptor
        self.checks = checks
        self.wait = wait
        readAhead = nil
        let first = front.prefix(min(front.count, bytes ?? .max))
        buffer.append(first)
        input = buffer.view
        bytesBehind = min(bytes ?? .max, Self.unknownBytes) - first.count
    }

    /// What a snapshot of unknown length is taken for.
    private static let unknownBytes = 1 << 60

    /// How many bytes were read so far.
    var position: Int { droppedBytes + next }

    /// How many bytes follow for certain: those of a file, or those of a stream that have come.
    ///
    /// Tables are made for no more keys than fit in.
    var certainBytes: Int {
        wait == nil ? max(input.count - next + bytesBehind, 0) : input.count - next
    }

    /// Whether nothing follows.
    var isAtEnd: Bool { next == input.count && bytesBehind <= 0 }

    /// The checksum of everything read so far.
    mutating func currentChecksum() -> UInt64 {
        takeIntoChecksum()
        return checksum
    }

    // MARK: - Filling

    /// What was read up to here is not looked at again.
    mutating func beginRecord() {
        record = next
        room.removeAll()
        if room.capacity > Self.keptRoomBytes { room.release() }
    }

    /// Goes back to where the record began, to read it again.
    mutating func rewind() {
        next = record
        room.removeAll()
    }

    /// Sees to it that `count` bytes are at hand.
    @inline(__always)
    private mutating func need(_ count: Int) throws(DumpError) {
        if input.count &- next < count { try fill(count) }
    }

    @inline(never)
    private mutating func fill(_ count: Int) throws(DumpError) {
        guard let descriptor else { throw .truncated }
        let missing = count - (input.count - next)
        guard missing <= bytesBehind else { throw .truncated }
        takeIntoChecksum()
        buffer.drain(record)
        droppedBytes += record
        next -= record
        checked -= record
        record = 0
        var wanted = max(missing, min(bytesBehind, Self.blockBytes))
        let needed = next + count
        while buffer.count < needed {
            // What a stream is to bring may be a lie: room grows with what it has brought.
            if wait != nil { wanted = min(wanted, max(Self.blockBytes, buffer.count)) }
            guard buffer.tryReserve(wanted) else {
                input = buffer.view
                throw .outOfMemory
            }
            do throws(SystemError) {
                let got = try readMore(wanted, from: descriptor)
                guard got > 0 else { throw SystemError("read", code: 0) }
                bytesBehind -= got
                wanted = max(1, needed - buffer.count)
            } catch {
                input = buffer.view
                if error.code == 0 { throw .truncated }
                throw .system(error)
            }
        }
        input = buffer.view
    }

    /// Reads behind what is at hand; 0 where nothing will follow.
    private mutating func readMore(
        _ wanted: Int, from descriptor: Int32
    ) throws(SystemError) -> Int {
        if let readAhead {
            let got = try readAhead.take(into: &buffer, &unpacked)
            if !readAhead.goesOn { self.readAhead = nil }
            return got
        }
        // Of a stream no byte more is taken than belongs to it.
        let target = buffer.writable(minimum: wanted, atMost: max(bytesBehind, 1))
        var got = 0
        if let wait {
            while got == 0 {
                switch Socket.receive(descriptor, into: target) {
                case .bytes(let count): got = count
                case .wouldBlock: try wait()
                case .closed: return 0
                case .failed(let error): throw error
                }
            }
        } else {
            got = try File.read(from: descriptor, into: target)
        }
        buffer.commit(got)
        return got
    }

    private mutating func takeIntoChecksum() {
        guard checks, next > checked else { return }
        checksum = CRC64.update(checksum, input.slice(checked, next))
        checked = next
    }

    // MARK: - Numbers

    mutating func byte() throws(DumpError) -> UInt8 {
        try need(1)
        defer { next &+= 1 }
        return input[next]
    }

    mutating func littleEndian<Number: FixedWidthInteger>(
        _ type: Number.Type
    ) throws(DumpError) -> Number {
        let bytes = MemoryLayout<Number>.size
        try need(bytes)
        defer { next &+= bytes }
        return input.number(at: next, as: type)
    }

    mutating func bigEndian<Number: FixedWidthInteger>(
        _ type: Number.Type
    ) throws(DumpError) -> Number {
        try littleEndian(type).byteSwapped
    }

    mutating func double() throws(DumpError) -> Double {
        Double(bitPattern: try littleEndian(UInt64.self))
    }

    /// A length, a count or an identifier.
    mutating func length() throws(DumpError) -> UInt64 {
        let first = try byte()
        if let length = try length(first) { return length }
        throw .corrupt("Unknown length encoding \(first) in rdbLoadLen()")
    }

    /// A number of things of which each takes at least a byte.
    ///
    /// More than there are bytes left is a lie, which the reading of them finds out.
    mutating func count() throws(DumpError) -> Int {
        let length = try length()
        guard let count = Int(exactly: length) else { throw .corrupt("a count beyond all bounds") }
        return count
    }

    /// Nil for what is no length but the head of a special string.
    @inline(__always)
    private mutating func length(_ first: UInt8) throws(DumpError) -> UInt64? {
        switch first >> 6 {
        case 0: return UInt64(first & 63)
        case 1: return UInt64(first & 63) << 8 | UInt64(try byte())
        case 2:
            if first == DumpFormat.length32 { return UInt64(try bigEndian(UInt32.self)) }
            if first == DumpFormat.length64 { return try bigEndian(UInt64.self) }
            throw .corrupt("Unknown length encoding \(first) in rdbLoadLen()")
        default: return nil
        }
    }

    // MARK: - Strings

    /// The next string, unpacked.
    @inline(__always)
    mutating func piece() throws(DumpError) -> Piece {
        // Most are short, and at hand.
        if next < input.count {
            let count = Int(input[next])
            if count < 64 && count < input.count &- next {
                defer { next &+= count &+ 1 }
                return Piece(place: .input, offset: next &+ 1 &- record, count: count)
            }
        }
        return try anyPiece()
    }

    private mutating func anyPiece() throws(DumpError) -> Piece {
        let first = try byte()
        if let length = try length(first) {
            guard length <= Self.longestString else { throw .truncated }
            return try raw(Int(length))
        }
        switch first {
        case DumpFormat.integer8: return spell(Int64(try littleEndian(Int8.self)))
        case DumpFormat.integer16: return spell(Int64(try littleEndian(Int16.self)))
        case DumpFormat.integer32: return spell(Int64(try littleEndian(Int32.self)))
        case DumpFormat.compressed: return try unpack()
        default: throw .corrupt("Unknown RDB string encoding type \(first & 63)")
        }
    }

    /// `count` bytes as they stand.
    mutating func raw(_ count: Int) throws(DumpError) -> Piece {
        try need(count)
        defer { next &+= count }
        return Piece(place: .input, offset: next &- record, count: count)
    }

    private mutating func spell(_ integer: Int64) -> Piece {
        let start = room.count
        room.append(integer)
        return Piece(place: .room, offset: start, count: room.count - start)
    }

    private mutating func unpack() throws(DumpError) -> Piece {
        let packedBytes = try length()
        let bytes = try length()
        let broken = DumpError.corrupt("Invalid LZF compressed string")
        guard let packedCount = Int(exactly: packedBytes), let count = Int(exactly: bytes),
            LZF.mayUnpack(packedCount, to: count)
        else { throw broken }
        let packed = try raw(packedCount)
        let start = room.count
        let place = position - packedCount
        if let ready = unpacked.take(at: place, packedCount: packedCount, count: count) {
            room.append(ready)
            return Piece(place: .room, offset: start, count: count)
        }
        guard count <= Self.believedBytes || LZF.unpackedCount(view(packed)) == count else {
            throw broken
        }
        guard room.tryReserve(count) else { throw .outOfMemory }
        guard let target = room.writable(minimum: count).baseAddress,
            LZF.decompress(view(packed), to: target, count: count)
        else { throw broken }
        room.commit(count)
        return Piece(place: .room, offset: start, count: count)
    }

    /// The bytes of a piece; valid until the next read.
    @inline(__always)
    func view(_ piece: Piece) -> ByteView {
        switch piece.place {
        case .input:
            let start = record &+ piece.offset
            return input.slice(start, start &+ piece.count)
        case .room: return room.view.slice(piece.offset, piece.offset &+ piece.count)
        }
    }

    /// A double as decimal text behind its length, as versions before 4.0 wrote scores.
    mutating func textDouble() throws(DumpError) -> Double {
        switch try byte() {
        case 253: return .nan
        case 254: return .infinity
        case 255: return -.infinity
        case let count:
            let text = view(try raw(Int(count)))
            guard let value = NumberText.double(text) else {
                throw .corrupt("a score is no number")
            }
            return value
        }
    }
}
