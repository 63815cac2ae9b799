import Glibc

/// A small sorted set: members with their scores, in the order of whoever enters them, in one block.
///
/// Promises: a record costs the bytes of its member, one to nine for the score and two more; every
/// operation is one walk, from the front or from the back. A listpack, which Redis packs such a set
/// in and RDB files carry, takes two to twelve bytes more a member, and spells out a score that is
/// no integer.
///
///     | bytes 4 | count 4 | record | record | ...                              little-endian
///     record:  | score 1 to 9 | member | size of both 1 to 5, as behind an entry of a listpack |
///     score:   an integer of 7, 14, ... 56 bits after as many ones and a zero as it has bytes more,
///              big-endian, its sign in the lowest bit; or FF and the double
///     member:  | length below F0 | bytes |, | F0 | length 4 | bytes |,
///              or | F0 + n | n bytes |, an integer that the member spells
///
/// Must stay true: `bytes` counts header and records. The header is as long as a word, so that a
/// word may be read that ends where a score or an integer does. A handle over a block that the
/// caller owns: after a change, `block.word` is what names it. Members written must not lie in the
/// block itself. `docs/internals/sorted-set.md` draws it.
struct PackedScores {
    /// Where a record begins; only of the block it came from, until that changes.
    struct Position: Hashable {
        let offset: Int
    }

    /// One record; dead after the next change.
    struct Record {
        let member: Listpack.Value
        let score: Double
    }

    private(set) var block: Block
    private let arena: Arena

    private static let headerBytes = 8
    private static let countOffset = 4

    @inline(__always)
    init(_ block: Block, in arena: Arena) {
        self.block = block
        self.arena = arena
    }

    /// No records.
    static func create(in arena: Arena) -> PackedScores {
        let new = PackedScores(Block.allocate(32, in: arena), in: arena)
        new.setHeader(bytes: headerBytes, count: 0)
        return new
    }

    func free() { block.free(in: arena) }

    func copied() -> PackedScores {
        let copy = PackedScores(Block.allocate(bytes, in: arena), in: arena)
        ByteView(start: UnsafeRawPointer(start), count: bytes).copy(to: copy.start)
        return copy
    }

    // MARK: - Header

    @inline(__always)
    private var start: UnsafeMutableRawPointer { block.address(in: arena) }

    /// The end of the last record.
    @inline(__always)
    private var bytes: Int { Int(start.load(as: UInt32.self)) }

    @inline(__always)
    var count: Int { Int(start.load(fromByteOffset: Self.countOffset, as: UInt32.self)) }

    private func setHeader(bytes: Int, count: Int) {
        start.storeBytes(of: UInt32(truncatingIfNeeded: bytes), as: UInt32.self)
        start.storeBytes(
            of: UInt32(truncatingIfNeeded: count), toByteOffset: Self.countOffset, as: UInt32.self)
    }

    /// Whether a member of so many bytes may be added: the block stays within a gibibyte.
    func canTake(_ memberBytes: Int) -> Bool {
        memberBytes <= ListpackFormat.mostBytes - bytes - 64
    }

    // MARK: - Walking

    /// Walks from `position` (the first record by default) on, or from before it backwards.
    @inline(__always)
    func walk(from position: Position? = nil) -> Walk {
        let offset = position?.offset ?? Self.headerBytes
        precondition(offset >= Self.headerBytes && offset <= bytes, "outside the records")
        return Walk(UnsafeRawPointer(start), bytes, at: offset)
    }

    /// Walks from behind the last record backwards.
    func walkBack() -> Walk { walk(from: Position(offset: bytes)) }

    /// The record of number `index`, or the end at `count`; O(distance to the nearer end).
    func position(at index: Int) -> Position {
        let count = count
        precondition(index >= 0 && index <= count, "no such record")
        if index <= count / 2 {
            var walk = walk()
            for _ in 0..<index { walk.skip() }
            return walk.position
        }
        var walk = walk(from: Position(offset: bytes))
        for _ in index..<count { walk.skipBack() }
        return walk.position
    }

    /// The record of this member and how many stand before it.
    func find(_ member: ByteView) -> (position: Position, rank: Int, score: Double)? {
        let wanted = PackedMember(member)
        var walk = walk()
        var rank = 0
        while !walk.isAtEnd {
            if wanted.matches(walk.memberPlace) { return (walk.position, rank, walk.score) }
            walk.skip()
            rank &+= 1
        }
        return nil
    }

    // MARK: - Change

    /// Puts a record before the one at `position`, or behind the last; `canTake` must hold.
    mutating func insert(_ member: ByteView, _ score: Double, at position: Position) {
        let (old, offset) = (bytes, position.offset)
        precondition(offset >= Self.headerBytes && offset <= old, "outside the records")
        let packed = PackedMember(member)
        let packedScore = PackedScore(score)
        let size = packedScore.bytes &+ packed.bytes
        let added = size &+ ListpackFormat.backLengthBytes(size)
        grow(to: old &+ added)
        let place = start + offset
        if offset < old { memmove(place + added, place, old &- offset) }
        packedScore.write(to: place)
        packed.write(to: place + packedScore.bytes)
        ListpackFormat.writeBackLength(size, to: place + size)
        setHeader(bytes: old &+ added, count: count &+ 1)
    }

    /// Puts a record behind the last; `canTake` must hold.
    mutating func append(_ member: ByteView, _ score: Double) {
        insert(member, score, at: Position(offset: bytes))
    }

    /// Writes records into the room of an empty block, which must not change until `finish`.
    func writer(most: Int, longest: Int) -> Writer {
        precondition(count == 0, "only an empty block is written")
        return Writer(start + Self.headerBytes, block.bytes - Self.headerBytes, most, longest)
    }

    /// Takes over what was written into this block.
    func finish(_ writer: Writer) {
        precondition(
            count == 0 && writer.start == start + Self.headerBytes, "a writer of another block")
        setHeader(bytes: Self.headerBytes + writer.bytes, count: writer.count)
    }

    /// Takes up to `count` records out from `position` on.
    mutating func remove(at position: Position, count removed: Int = 1) {
        let old = bytes
        var walk = walk(from: position)
        var left = removed
        while left > 0 && !walk.isAtEnd {
            walk.skip()
            left &-= 1
        }
        let end = walk.position.offset
        memmove(start + position.offset, start + end, old &- end)
        let new = old &- (end &- position.offset)
        setHeader(bytes: new, count: count &- (removed &- left))
        if new < block.bytes / 2 { block = block.resized(to: new, in: arena) }
    }

    /// Makes the block fit for `bytes` bytes, or for the records there are where they take more.
    mutating func reserve(_ bytes: Int) {
        block = block.resized(to: max(bytes, self.bytes), in: arena)
    }

    /// To the next size of a block: an insertion walks half of the records anyway, so that copying
    /// them now and then weighs little, and spare room would weigh in every set.
    private mutating func grow(to bytes: Int) {
        if bytes <= block.bytes { return }
        let spare = bytes > Arena.largestBlock ? bytes >> 3 : 0
        block = block.resized(to: bytes &+ spare, in: arena)
    }

    /// Stops the process where a promise in the header does not hold; for tests.
    func checkInvariants() {
        precondition(bytes <= block.bytes, "the records lie in their block")
        var (walk, seen) = (walk(), 0)
        while !walk.isAtEnd {
            let before = walk.position
            walk.skip()
            var back = walk
            back.skipBack()
            precondition(back.position == before, "both ways lead along the same records")
            seen += 1
        }
        precondition(walk.position.offset == bytes && seen == count, "the walk ends at the end")
    }

    /// Writes records that come in order: a few stores each.
    struct Writer {
        fileprivate let start: UnsafeMutableRawPointer
        private let end: UnsafeMutableRawPointer
        private var place: UnsafeMutableRawPointer
        private let most: Int
        private let longest: Int
        fileprivate var count = 0
        private var lastMember: UnsafeRawPointer?
        private var lastScore = -Double.infinity

        fileprivate init(
            _ start: UnsafeMutableRawPointer, _ room: Int, _ most: Int, _ longest: Int
        ) {
            self.start = start
            end = start + room
            place = start
            self.most = most
            self.longest = longest
        }

        fileprivate var bytes: Int { place - start }

        /// Puts a record behind the last; false, and nothing is done, where it does not belong there
        /// or is beyond room and limits.
        @inline(__always)
        mutating func append(_ member: ByteView, _ score: Double) -> Bool {
            guard count < most, member.count <= longest,
                score > lastScore || score == lastScore && follows(member)
            else { return false }
            let packed = PackedMember(member)
            let packedScore = PackedScore(score)
            let size = packedScore.bytes &+ packed.bytes
            let added = size &+ ListpackFormat.backLengthBytes(size)
            guard added <= end - place else { return false }
            let target = place + packedScore.bytes
            packedScore.write(to: place)
            packed.write(to: target)
            ListpackFormat.writeBackLength(size, to: place + size)
            lastMember = UnsafeRawPointer(target)
            lastScore = score
            place += added
            count &+= 1
            return true
        }

        /// Whether `member` stands behind the last one, whose score it has.
        private func follows(_ member: ByteView) -> Bool {
            guard let lastMember else { return true }
            return PackedMember.value(lastMember).withText { $0.compare(member) } < 0
        }
    }

    /// Steps over records, either way; dead after the next change.
    struct Walk {
        private let start: UnsafeRawPointer
        private let end: UnsafeRawPointer
        private var place: UnsafeRawPointer

        @inline(__always)
        fileprivate init(_ start: UnsafeRawPointer, _ bytes: Int, at offset: Int) {
            self.start = start
            end = start + bytes
            place = start + offset
        }

        /// Where a forward walk goes on.
        var position: Position { Position(offset: place - start) }
        @inline(__always)
        var isAtEnd: Bool { place >= end }

        /// The score of the record here; there must be one.
        @inline(__always)
        fileprivate var score: Double { PackedScore.score(place) }
        @inline(__always)
        fileprivate var memberPlace: UnsafeRawPointer { place + PackedScore.bytes(place) }

        @inline(__always)
        fileprivate mutating func skip() {
            let size = PackedScore.bytes(place) &+ PackedMember.bytes(memberPlace)
            place += size &+ ListpackFormat.backLengthBytes(size)
        }

        @inline(__always)
        fileprivate mutating func skipBack() { place = ListpackFormat.previous(place) }

        /// The record here, and a step forward; nil at the end.
        @inline(__always)
        mutating func next() -> Record? {
            if isAtEnd { return nil }
            let member = memberPlace
            let record = Record(member: PackedMember.value(member), score: score)
            let size = member - place &+ PackedMember.bytes(member)
            place += size &+ ListpackFormat.backLengthBytes(size)
            return record
        }

        /// A step backward and the record there; nil at the beginning.
        @inline(__always)
        mutating func previous() -> Record? {
            if place - start <= PackedScores.headerBytes { return nil }
            skipBack()
            return Record(member: PackedMember.value(memberPlace), score: score)
        }
    }
}

/// The bytes of a score that is written, short for integers, whole for others; and of those that were.
private struct PackedScore {
    /// The first byte of a double.
    private static let doubleMark: UInt8 = 0xFF

    private let score: Double
    /// The integer with its sign in the lowest bit, where `bytes` is not that of a double.
    private let folded: UInt64
    let bytes: Int

    /// 56 bits hold most integers; minus zero becomes zero, as in Redis.
    @inline(__always)
    init(_ score: Double) {
        self.score = score
        if score > -0x1p55, score < 0x1p55, Double(Int64(score)) == score {
            let integer = Int64(score)
            folded = UInt64(bitPattern: integer << 1 ^ integer >> 63)
            bytes = (63 &- (folded | 1).leadingZeroBitCount) / 7 &+ 1
        } else {
            folded = 0
            bytes = 9
        }
    }

    @inline(__always)
    func write(to place: UnsafeMutableRawPointer) {
        if bytes > 8 {
            place.storeBytes(of: Self.doubleMark, as: UInt8.self)
            return place.storeBytes(of: score.bitPattern, toByteOffset: 1, as: UInt64.self)
        }
        let width = UInt64(truncatingIfNeeded: bytes)
        let marks = (1 &<< (width &- 1) &- 1) &<< (7 &* width &+ 1)
        let word = ((folded | marks) &<< (64 &- 8 &* width)).bigEndian
        withUnsafeBytes(of: word) { text in
            guard let start = text.baseAddress else { return }
            copyBytes(from: start, to: place, count: bytes)
        }
    }

    // MARK: - Written ones

    /// How many bytes the score at `place` takes.
    @inline(__always)
    static func bytes(_ place: UnsafeRawPointer) -> Int {
        (~place.load(as: UInt8.self)).leadingZeroBitCount &+ 1
    }

    /// The score at `place`, before which a word can be read.
    @inline(__always)
    static func score(_ place: UnsafeRawPointer) -> Double {
        let size = bytes(place)
        if size > 8 {
            return Double(bitPattern: place.loadUnaligned(fromByteOffset: 1, as: UInt64.self))
        }
        let word = UInt64(
            bigEndian: place.loadUnaligned(fromByteOffset: size &- 8, as: UInt64.self))
        let folded = word & (1 &<< (7 &* UInt64(truncatingIfNeeded: size)) &- 1)
        return Double(Int64(bitPattern: folded >> 1) ^ -Int64(bitPattern: folded & 1))
    }
}

/// A member that is written or looked for, and the bytes of those that were: text, or the integer it
/// spells.
private struct PackedMember {
    private static let longMark: UInt8 = 0xF0
    private static let integerMask: UInt8 = 0x0F

    private let text: ByteView
    private let integer: Int64
    /// The bytes of the integer; 0 where the member spells none.
    private let width: Int

    @inline(__always)
    init(_ text: ByteView) {
        self.text = text
        if let integer = NumberText.integer(text) {
            self.integer = integer
            let magnitude = UInt64(bitPattern: integer ^ integer >> 63)
            width = (64 &- magnitude.leadingZeroBitCount) >> 3 &+ 1
        } else {
            integer = 0
            width = 0
        }
    }

    @inline(__always)
    var bytes: Int {
        if width > 0 { return 1 &+ width }
        return text.count < Int(Self.longMark) ? 1 &+ text.count : 5 &+ text.count
    }

    @inline(__always)
    func write(to place: UnsafeMutableRawPointer) {
        if width > 0 {
            place.storeBytes(
                of: Self.longMark | UInt8(truncatingIfNeeded: width), as: UInt8.self)
            withUnsafeBytes(of: integer.littleEndian) { bytes in
                for index in 0..<width {
                    place.storeBytes(of: bytes[index], toByteOffset: index &+ 1, as: UInt8.self)
                }
            }
        } else if text.count < Int(Self.longMark) {
            place.storeBytes(of: UInt8(truncatingIfNeeded: text.count), as: UInt8.self)
            copyBytes(from: text.start, to: place + 1, count: text.count)
        } else {
            place.storeBytes(of: Self.longMark, as: UInt8.self)
            place.storeBytes(
                of: UInt32(truncatingIfNeeded: text.count), toByteOffset: 1, as: UInt32.self)
            text.copy(to: place + 5)
        }
    }

    /// Whether the member at `place` is this one.
    @inline(__always)
    func matches(_ place: UnsafeRawPointer) -> Bool {
        let head = place.load(as: UInt8.self)
        if width > 0 {
            return Int(head) == Int(Self.longMark) &+ width
                && Self.integer(place + 1, width: width) == integer
        }
        if head < Self.longMark {
            return Int(head) == text.count
                && equalBytes(place + 1, text.start, count: text.count)
        }
        return head == Self.longMark && Self.longText(place) == text
    }

    @inline(__always)
    static func bytes(_ place: UnsafeRawPointer) -> Int {
        let head = place.load(as: UInt8.self)
        if head < longMark { return 1 &+ Int(head) }
        if head > longMark { return 1 &+ Int(head & integerMask) }
        return 5 &+ longText(place).count
    }

    /// The member at `place`, before which a word can be read.
    @inline(__always)
    static func value(_ place: UnsafeRawPointer) -> Listpack.Value {
        let head = place.load(as: UInt8.self)
        if head < longMark { return .bytes(ByteView(start: place + 1, count: Int(head))) }
        if head > longMark {
            return .integer(integer(place + 1, width: Int(head & integerMask)))
        }
        return .bytes(longText(place))
    }

    private static func longText(_ place: UnsafeRawPointer) -> ByteView {
        let count = place.loadUnaligned(fromByteOffset: 1, as: UInt32.self)
        return ByteView(start: place + 5, count: Int(count))
    }

    /// The integer of `width` bytes at `place`: a word that ends there, its sign drawn down.
    @inline(__always)
    private static func integer(_ place: UnsafeRawPointer, width: Int) -> Int64 {
        let word = place.loadUnaligned(fromByteOffset: width &- 8, as: UInt64.self)
        return Int64(bitPattern: UInt64(littleEndian: word)) &>> Int64(64 &- 8 &* width)
    }
}
