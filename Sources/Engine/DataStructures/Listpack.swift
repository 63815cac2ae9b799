import CLinux
import Glibc

/// A run of short strings and integers in one block, byte for byte as Redis keeps and saves it.
///
///     | total bytes 4 | count 2 | entry | entry | … | 0xFF |      little-endian
///     entry: | encoding and data | back length 1-5 |
///
/// The back length is the size of encoding and data, readable from its end, so that one can walk
/// either way. A count of 65535 means "count them". A string that spells a canonical integer is kept
/// as one. `docs/internals/listpack.md` draws every form.
///
/// A trivial handle over a block that its owner frees: after each change the owner keeps `block`
/// anew. Promises: walking costs a few loads a step and allocates nothing; changing moves the bytes
/// behind the place; `append` costs a copy now and then, because growth leaves an eighth to spare.
/// Positions, cursors and views are dead after the next change. Elements written must not lie in
/// the listpack itself. Bytes from elsewhere pass `validate` first; nothing else checks them.
struct Listpack {
    /// Where an entry begins; only of the listpack it came from, until that changes.
    struct Position: Equatable {
        let offset: Int
        init(offset: Int) { self.offset = offset }
    }

    /// An element as it is stored.
    enum Value {
        case integer(Int64)
        case bytes(ByteView)
    }

    /// The memory; kept by the owner after each change.
    private(set) var block: Block
    private let arena: Arena

    /// A listpack that is already there.
    @inline(__always)
    init(_ block: Block, in arena: Arena) {
        self.block = block
        self.arena = arena
    }

    /// An empty listpack with room for `capacity` bytes in all.
    static func create(in arena: Arena, capacity: Int = 16) -> Listpack {
        let listpack = Listpack(
            Block.allocate(max(capacity, ListpackFormat.emptyBytes), in: arena), in: arena)
        ListpackFormat.writeEmpty(to: listpack.base)
        return listpack
    }

    /// A copy of validated bytes.
    static func create(copying bytes: ByteView, in arena: Arena) -> Listpack {
        precondition(bytes.count >= ListpackFormat.emptyBytes, "too short for a listpack")
        let listpack = Listpack(Block.allocate(bytes.count, in: arena), in: arena)
        bytes.copy(to: listpack.base)
        return listpack
    }

    func copied() -> Listpack { Listpack.create(copying: view, in: arena) }

    func free() { block.free(in: arena) }

    // MARK: - Figures

    @inline(__always)
    private var base: UnsafeMutableRawPointer { block.address(in: arena) }

    /// The bytes in use, header and end included: what is saved.
    @inline(__always)
    var bytes: Int { ListpackFormat.totalBytes(base) }

    /// All of it, as it is saved; valid until the next change.
    var view: ByteView { ByteView(start: UnsafeRawPointer(base), count: bytes) }

    var isEmpty: Bool { bytes == ListpackFormat.emptyBytes }

    /// The number of elements: O(1) up to 65534, O(n) above.
    @inline(__always)
    var count: Int {
        let stored = ListpackFormat.storedCount(base)
        return stored < ListpackFormat.unknownCount ? stored : countEntries()
    }

    @inline(never)
    private func countEntries() -> Int {
        let base = UnsafeRawPointer(base)
        var count = 0
        var entry = base + ListpackFormat.headerBytes
        while !ListpackFormat.isEnd(entry) {
            entry = ListpackFormat.next(entry)
            count &+= 1
        }
        ListpackFormat.setCount(self.base, count)
        return count
    }

    /// Whether `bytes` more keep it within a gibibyte, which Redis allows a listpack.
    func canTake(_ bytes: Int) -> Bool {
        bytes >= 0 && bytes <= ListpackFormat.mostBytes - self.bytes
    }

    // MARK: - Walking

    var first: Position? {
        isEmpty ? nil : Position(offset: ListpackFormat.headerBytes)
    }

    var last: Position? {
        if isEmpty { return nil }
        let base = UnsafeRawPointer(base)
        let end = base + (bytes &- 1)
        return Position(offset: ListpackFormat.previous(end) - base)
    }

    /// Where an appended element would begin.
    var end: Position { Position(offset: bytes &- 1) }

    @inline(__always)
    func position(after position: Position) -> Position? {
        let base = UnsafeRawPointer(base)
        let next = ListpackFormat.next(base + checked(position))
        return ListpackFormat.isEnd(next) ? nil : Position(offset: next - base)
    }

    /// The entry before `position`, which may be `end`.
    @inline(__always)
    func position(before position: Position) -> Position? {
        let offset = position.offset
        precondition(offset >= ListpackFormat.headerBytes && offset < bytes, "outside the listpack")
        if offset == ListpackFormat.headerBytes { return nil }
        let base = UnsafeRawPointer(base)
        return Position(offset: ListpackFormat.previous(base + offset) - base)
    }

    @inline(__always)
    subscript(position: Position) -> Value {
        ListpackFormat.value(UnsafeRawPointer(base) + checked(position))
    }

    @inline(__always)
    private func checked(_ position: Position) -> Int {
        precondition(
            position.offset >= ListpackFormat.headerBytes && position.offset < bytes &- 1,
            "no entry of this listpack")
        return position.offset
    }

    /// The position of element `index`, counted from the end where negative; nil beyond either.
    ///
    /// O(distance to the nearer end).
    func position(at index: Int) -> Position? {
        let count = count
        let index = index < 0 ? index &+ count : index
        guard index >= 0, index < count else { return nil }
        let base = UnsafeRawPointer(base)
        let place = ListpackFormat.entry(
            at: index, of: count, first: base + ListpackFormat.headerBytes,
            end: base + (bytes &- 1))
        return Position(offset: place - base)
    }

    /// The element `index`, counted from the end where negative.
    func value(at index: Int) -> Value? {
        guard let position = position(at: index) else { return nil }
        return self[position]
    }

    /// Walks from `position` (the first element by default) to the end.
    func cursor(from position: Position? = nil) -> ListpackCursor {
        let base = UnsafeRawPointer(base)
        let offset = position?.offset ?? ListpackFormat.headerBytes
        precondition(
            offset >= ListpackFormat.headerBytes && offset < bytes, "outside the listpack")
        return ListpackCursor(place: base + offset, base: base)
    }

    /// Walks backwards, from the element before `position` (from the last element by default).
    func reverseCursor(before position: Position? = nil) -> ListpackCursor {
        cursor(from: position ?? end)
    }

    // MARK: - Finding

    /// The first entry that equals `element`, looking at one and passing over `skip`, in turns.
    ///
    /// `skip` 1 from the second element on: the values of a field-value sequence. O(n).
    func find(
        _ element: ListpackElement, from position: Position? = nil, skip: Int = 0
    ) -> Position? {
        precondition(skip >= 0, "nothing can be skipped backwards")
        guard var place = (position ?? first)?.offset else { return nil }
        _ = checked(Position(offset: place))
        let base = UnsafeRawPointer(base)
        while true {
            if element.matches(base + place) { return Position(offset: place) }
            var passed = 0
            repeat {
                let next = ListpackFormat.next(base + place)
                if ListpackFormat.isEnd(next) { return nil }
                place = next - base
                passed &+= 1
            } while passed <= skip
        }
    }

    // MARK: - Changing

    mutating func append(_ element: ListpackElement) {
        _ = insert(element, at: end)
    }

    mutating func prepend(_ element: ListpackElement) {
        _ = insert(element, at: Position(offset: ListpackFormat.headerBytes))
    }

    mutating func append(_ bytes: ByteView) { append(ListpackElement(bytes)) }
    mutating func append(_ integer: Int64) { append(ListpackElement(integer)) }
    mutating func prepend(_ bytes: ByteView) { prepend(ListpackElement(bytes)) }

    /// Puts `element` before the one at `position` (behind the last at `end`); returns its position,
    /// which is the same.
    mutating func insert(_ element: ListpackElement, at position: Position) -> Position {
        let offset = position.offset
        precondition(offset >= ListpackFormat.headerBytes && offset < bytes, "outside the listpack")
        let target = openGap(at: offset, removing: 0, adding: element.entryBytes)
        element.write(to: target)
        ListpackFormat.addCount(base, 1)
        return position
    }

    mutating func insert(_ bytes: ByteView, at position: Position) -> Position {
        insert(ListpackElement(bytes), at: position)
    }

    /// Puts `element` in place of the one at `position`.
    mutating func replace(at position: Position, with element: ListpackElement) {
        let offset = checked(position)
        let old = ListpackFormat.entryBytes(UnsafeRawPointer(base) + offset)
        let target = openGap(at: offset, removing: old, adding: element.entryBytes)
        element.write(to: target)
    }

    mutating func replace(at position: Position, with bytes: ByteView) {
        replace(at: position, with: ListpackElement(bytes))
    }

    /// Removes the element at `position`; the one that followed it then stands there.
    ///
    /// Returns nil where it was the last.
    @discardableResult
    mutating func remove(at position: Position) -> Position? {
        remove(at: position, count: 1)
    }

    /// Removes up to `count` elements from `position` on; returns what follows them, if anything.
    @discardableResult
    mutating func remove(at position: Position, count: Int) -> Position? {
        precondition(count >= 0, "a negative number of elements")
        let offset = checked(position)
        let start = UnsafeRawPointer(base) + offset
        var place = start
        var removed = 0
        while removed < count && !ListpackFormat.isEnd(place) {
            place = ListpackFormat.next(place)
            removed &+= 1
        }
        _ = openGap(at: offset, removing: place - start, adding: 0)
        ListpackFormat.addCount(base, -removed)
        shrink()
        return offset == bytes &- 1 ? nil : position
    }

    /// Removes `count` elements from element `index` on, as far as there are so many.
    mutating func remove(from index: Int, count: Int) {
        guard count > 0, let position = position(at: index) else { return }
        remove(at: position, count: count)
    }

    mutating func removeAll() {
        ListpackFormat.writeEmpty(to: base)
        shrink()
    }

    /// Room for `bytes` more, so that what follows does not grow the block step by step.
    mutating func reserve(_ bytes: Int) {
        let wanted = self.bytes &+ bytes
        if wanted > block.bytes { block = block.resized(to: wanted, in: arena) }
    }

    /// Gives spare room back.
    mutating func compact() {
        block = block.resized(to: bytes, in: arena)
    }

    // MARK: - Splitting and joining

    /// Cuts the elements from `index` on off into a listpack of their own.
    mutating func split(at index: Int) -> Listpack {
        guard let position = position(at: index) else { return Listpack.create(in: arena) }
        let count = count
        let tailBytes = bytes &- position.offset
        let other = Listpack(
            Block.allocate(ListpackFormat.headerBytes &+ tailBytes, in: arena), in: arena)
        memcpy(other.base + ListpackFormat.headerBytes, base + position.offset, tailBytes)
        ListpackFormat.setTotalBytes(other.base, ListpackFormat.headerBytes &+ tailBytes)
        ListpackFormat.setCount(other.base, count &- index)
        ListpackFormat.writeEnd(base + position.offset)
        ListpackFormat.setTotalBytes(base, position.offset &+ 1)
        ListpackFormat.setCount(base, index)
        shrink()
        return other
    }

    /// Appends the elements of `other`, which is freed.
    mutating func join(_ other: Listpack) {
        let count = count &+ other.count
        let added = other.bytes &- ListpackFormat.emptyBytes
        let target = openGap(at: bytes &- 1, removing: 0, adding: added)
        memcpy(target, other.base + ListpackFormat.headerBytes, added)
        ListpackFormat.setCount(base, count)
        other.free()
    }

    // MARK: - Room

    /// Makes `removing` bytes at `offset` into `adding` bytes, moving what is behind, and keeps the
    /// total; returns where the new bytes belong.
    private mutating func openGap(
        at offset: Int, removing: Int, adding: Int
    ) -> UnsafeMutableRawPointer {
        let total = bytes
        let newTotal = total &+ adding &- removing
        precondition(newTotal <= ListpackFormat.mostBytes, "a listpack of more than a gibibyte")
        if newTotal > block.bytes {
            block = block.resized(to: newTotal &+ min(newTotal >> 3, 1 << 16), in: arena)
        }
        let base = base
        if adding != removing {
            memmove(
                base + (offset &+ adding), base + (offset &+ removing),
                total &- offset &- removing)
            ListpackFormat.setTotalBytes(base, newTotal)
        }
        return base + offset
    }

    /// Gives memory back when less than half of it is in use.
    private mutating func shrink() {
        let total = bytes
        if block.bytes > 64 && total < block.bytes / 2 {
            block = block.resized(to: total &+ total >> 3, in: arena)
        }
    }

    // MARK: - Bytes from elsewhere

    /// Whether `bytes` are a listpack: header and end; with `deep` every entry, its length both
    /// ways, and the count.
    ///
    /// Never reads outside `bytes`, whatever they say. O(n) deep, O(1) else.
    static func validate(_ bytes: ByteView, deep: Bool) -> Bool {
        ListpackFormat.validate(bytes, deep: deep)
    }
}

/// Walks over a listpack, either way; dead after its next change.
struct ListpackCursor {
    private(set) fileprivate var place: UnsafeRawPointer
    private let base: UnsafeRawPointer

    fileprivate init(place: UnsafeRawPointer, base: UnsafeRawPointer) {
        self.place = place
        self.base = base
    }

    /// Walks over bytes that a `ListpackScanner` found whole; nil where not even their frame is.
    init?(checked bytes: ByteView) {
        guard ListpackFormat.hasValidFrame(bytes) else { return nil }
        self.init(place: bytes.start + ListpackFormat.headerBytes, base: bytes.start)
    }

    /// Where the next element of a forward walk begins.
    var position: Listpack.Position { Listpack.Position(offset: place - base) }
    var isAtEnd: Bool { ListpackFormat.isEnd(place) }

    /// The element here, and a step forward; nil at the end.
    @inline(__always)
    mutating func next() -> Listpack.Value? {
        if ListpackFormat.isEnd(place) { return nil }
        let value = ListpackFormat.value(place)
        place = ListpackFormat.next(place)
        return value
    }

    /// A step backward and the element there; nil at the beginning.
    @inline(__always)
    mutating func previous() -> Listpack.Value? {
        if place - base <= ListpackFormat.headerBytes { return nil }
        place = ListpackFormat.previous(place)
        return ListpackFormat.value(place)
    }

    /// A step forward; false at the end.
    @inline(__always)
    mutating func skip() -> Bool {
        if ListpackFormat.isEnd(place) { return false }
        place = ListpackFormat.next(place)
        return true
    }

    /// Whether the element here equals `element`; false at the end.
    @inline(__always)
    func matches(_ element: ListpackElement) -> Bool {
        !ListpackFormat.isEnd(place) && element.matches(place)
    }
}

extension Listpack.Value {
    /// Lends the element's text; an integer is spelled for the purpose.
    @inline(__always)
    func withText<Result, Failure: Error>(
        _ body: (ByteView) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch self {
        case .bytes(let bytes): return try body(bytes)
        case .integer(let number): return try NumberText.withText(of: number, body)
        }
    }

    /// The length of the element's text.
    var textCount: Int {
        switch self {
        case .bytes(let bytes): bytes.count
        case .integer(let number):
            NumberText.digitCount(number.magnitude) &+ (number < 0 ? 1 : 0)
        }
    }

    /// Whether the text is `other`.
    @inline(__always)
    func hasText(_ other: ByteView) -> Bool {
        switch self {
        case .bytes(let bytes): bytes == other
        case .integer(let number): NumberText.integer(other) == number
        }
    }

    /// A copy of the text, for cold paths.
    var array: [UInt8] { withText { $0.array } }
}

/// What is about to be written or looked for: bytes, or the integer they spell, its form chosen.
struct ListpackElement {
    /// Bytes of encoding and data.
    let size: Int
    private let text: ByteView
    private let integer: Int64
    private let isInteger: Bool

    /// Bytes; kept as an integer where they spell one.
    @inline(__always)
    init(_ text: ByteView) {
        self.text = text
        if let integer = NumberText.integer(text) {
            self.integer = integer
            isInteger = true
            size = ListpackFormat.size(integer)
        } else {
            integer = 0
            isInteger = false
            size = ListpackFormat.size(byteCount: text.count)
        }
    }

    @inline(__always)
    init(_ integer: Int64) {
        text = .empty
        self.integer = integer
        isInteger = true
        size = ListpackFormat.size(integer)
    }

    init(_ value: Listpack.Value) {
        switch value {
        case .integer(let integer): self.init(integer)
        case .bytes(let bytes): self.init(bytes)
        }
    }

    /// The whole entry, back length included.
    @inline(__always)
    var entryBytes: Int { size &+ ListpackFormat.backLengthBytes(size) }

    @inline(__always)
    func write(to target: UnsafeMutableRawPointer) {
        if isInteger {
            ListpackFormat.write(integer, size: size, to: target)
        } else {
            ListpackFormat.write(text, to: target)
        }
        ListpackFormat.writeBackLength(size, to: target + size)
    }

    /// Whether the entry at `place` is this element.
    @inline(__always)
    func matches(_ place: UnsafeRawPointer) -> Bool {
        switch ListpackFormat.value(place) {
        case .bytes(let bytes):
            bytes.count == text.count && equalBytes(bytes.start, text.start, count: text.count)
                && !(isInteger && text.isEmpty)
        case .integer(let number): isInteger && number == integer
        }
    }
}

/// The bytes of the format, on trusted memory: nothing here checks anything but `validate`.
enum ListpackFormat {
    static let headerBytes = 6
    /// Header and end.
    static let emptyBytes = 7
    /// The stored count that means "unknown".
    static let unknownCount = 65535
    /// Redis keeps listpacks below this, so that no sum of lengths overflows 32 bits.
    static let mostBytes = 1 << 30

    static let endMark: UInt8 = 0xFF

    // MARK: - Header and end

    @inline(__always)
    static func totalBytes(_ base: UnsafeRawPointer) -> Int {
        Int(UInt32(littleEndian: base.loadUnaligned(as: UInt32.self)))
    }

    @inline(__always)
    static func setTotalBytes(_ base: UnsafeMutableRawPointer, _ bytes: Int) {
        base.storeBytes(of: UInt32(truncatingIfNeeded: bytes).littleEndian, as: UInt32.self)
    }

    @inline(__always)
    static func storedCount(_ base: UnsafeRawPointer) -> Int {
        Int(UInt16(littleEndian: base.loadUnaligned(fromByteOffset: 4, as: UInt16.self)))
    }

    @inline(__always)
    static func setCount(_ base: UnsafeMutableRawPointer, _ count: Int) {
        let stored = UInt16(truncatingIfNeeded: min(count, unknownCount))
        base.storeBytes(of: stored.littleEndian, toByteOffset: 4, as: UInt16.self)
    }

    /// Adds to a known count; an unknown one stays so.
    @inline(__always)
    static func addCount(_ base: UnsafeMutableRawPointer, _ added: Int) {
        let stored = storedCount(base)
        if stored < unknownCount { setCount(base, stored &+ added) }
    }

    static func writeEmpty(to base: UnsafeMutableRawPointer) {
        setTotalBytes(base, emptyBytes)
        setCount(base, 0)
        writeEnd(base + headerBytes)
    }

    @inline(__always)
    static func writeEnd(_ place: UnsafeMutableRawPointer) {
        place.storeBytes(of: endMark, as: UInt8.self)
    }

    @inline(__always)
    static func isEnd(_ place: UnsafeRawPointer) -> Bool {
        place.load(as: UInt8.self) == endMark
    }

    // MARK: - Steps

    /// The size of encoding and data of the entry at `place`.
    @inline(__always)
    static func size(_ place: UnsafeRawPointer) -> Int {
        let first = place.load(as: UInt8.self)
        if first & 0x80 == 0 { return 1 }
        if first & 0xC0 == 0x80 { return 1 &+ Int(first & 0x3F) }
        if first & 0xE0 == 0xC0 { return 2 }
        return rareSize(first, place)
    }

    private static func rareSize(_ first: UInt8, _ place: UnsafeRawPointer) -> Int {
        switch first {
        case 0xE0...0xEF:
            return 2
                &+ (Int(first & 0x0F) << 8 | Int(place.load(fromByteOffset: 1, as: UInt8.self)))
        case 0xF0: return 5 &+ longCount(place)
        case 0xF1: return 3
        case 0xF2: return 4
        case 0xF3: return 5
        case 0xF4: return 9
        default: return 1
        }
    }

    @inline(__always)
    private static func longCount(_ place: UnsafeRawPointer) -> Int {
        Int(UInt32(littleEndian: place.loadUnaligned(fromByteOffset: 1, as: UInt32.self)))
    }

    @inline(__always)
    static func entryBytes(_ place: UnsafeRawPointer) -> Int {
        let size = size(place)
        return size &+ backLengthBytes(size)
    }

    @inline(__always)
    static func next(_ place: UnsafeRawPointer) -> UnsafeRawPointer { place + entryBytes(place) }

    /// The entry that ends right before `place`, which is an entry or the end.
    @inline(__always)
    static func previous(_ place: UnsafeRawPointer) -> UnsafeRawPointer {
        let last = (place - 1).load(as: UInt8.self)
        if last & 0x80 == 0 { return place - (Int(last) &+ 1) }
        var size = Int(last & 0x7F)
        var shift = 7
        var length = 1
        repeat {
            length &+= 1
            let byte = (place - length).load(as: UInt8.self)
            size |= Int(byte & 0x7F) << shift
            shift &+= 7
            if byte & 0x80 == 0 { break }
        } while length < 5
        return place - (size &+ length)
    }

    /// The entry of number `index` among `count`, walking from the nearer end.
    static func entry(
        at index: Int, of count: Int, first: UnsafeRawPointer, end: UnsafeRawPointer
    ) -> UnsafeRawPointer {
        if index <= count / 2 {
            var place = first
            for _ in 0..<index { place = next(place) }
            return place
        }
        var place = end
        for _ in index..<count { place = previous(place) }
        return place
    }

    // MARK: - Values

    @inline(__always)
    static func value(_ place: UnsafeRawPointer) -> Listpack.Value {
        let first = place.load(as: UInt8.self)
        if first & 0xC0 == 0x80 {
            return .bytes(ByteView(start: place + 1, count: Int(first & 0x3F)))
        }
        if first & 0x80 == 0 { return .integer(Int64(first)) }
        return rareValue(first, place)
    }

    private static func rareValue(_ first: UInt8, _ place: UnsafeRawPointer) -> Listpack.Value {
        switch first {
        case 0xC0...0xDF:
            let bits =
                Int64(first & 0x1F) << 8 | Int64(place.load(fromByteOffset: 1, as: UInt8.self))
            return .integer(bits >= 4096 ? bits &- 8192 : bits)
        case 0xE0...0xEF:
            let count =
                Int(first & 0x0F) << 8 | Int(place.load(fromByteOffset: 1, as: UInt8.self))
            return .bytes(ByteView(start: place + 2, count: count))
        case 0xF0: return .bytes(ByteView(start: place + 5, count: longCount(place)))
        case 0xF1:
            return .integer(
                Int64(Int16(littleEndian: place.loadUnaligned(fromByteOffset: 1, as: Int16.self))))
        case 0xF2:
            let low = UInt16(littleEndian: place.loadUnaligned(fromByteOffset: 1, as: UInt16.self))
            let high = place.load(fromByteOffset: 3, as: Int8.self)
            return .integer(Int64(high) << 16 | Int64(low))
        case 0xF3:
            return .integer(
                Int64(Int32(littleEndian: place.loadUnaligned(fromByteOffset: 1, as: Int32.self))))
        default:
            return .integer(
                Int64(littleEndian: place.loadUnaligned(fromByteOffset: 1, as: Int64.self)))
        }
    }

    // MARK: - Writing

    /// The size of encoding and data of an integer.
    @inline(__always)
    static func size(_ integer: Int64) -> Int {
        if integer >= 0 && integer <= 127 { return 1 }
        if integer >= -4096 && integer <= 4095 { return 2 }
        if integer >= -32768 && integer <= 32767 { return 3 }
        if integer >= -8_388_608 && integer <= 8_388_607 { return 4 }
        return integer >= Int64(Int32.min) && integer <= Int64(Int32.max) ? 5 : 9
    }

    /// The size of encoding and data of a string.
    @inline(__always)
    static func size(byteCount: Int) -> Int {
        byteCount < 64 ? 1 &+ byteCount : byteCount < 4096 ? 2 &+ byteCount : 5 &+ byteCount
    }

    static func write(_ integer: Int64, size: Int, to target: UnsafeMutableRawPointer) {
        switch size {
        case 1: target.storeBytes(of: UInt8(truncatingIfNeeded: integer), as: UInt8.self)
        case 2:
            let bits = UInt16(truncatingIfNeeded: integer) & 0x1FFF | 0xC000
            target.storeBytes(of: bits.bigEndian, as: UInt16.self)
        case 3:
            target.storeBytes(of: 0xF1, as: UInt8.self)
            let bits = Int16(truncatingIfNeeded: integer).littleEndian
            target.storeBytes(of: bits, toByteOffset: 1, as: Int16.self)
        case 4:
            let bits = UInt32(truncatingIfNeeded: integer) << 8 | 0xF2
            target.storeBytes(of: bits.littleEndian, as: UInt32.self)
        case 5:
            target.storeBytes(of: 0xF3, as: UInt8.self)
            let bits = Int32(truncatingIfNeeded: integer).littleEndian
            target.storeBytes(of: bits, toByteOffset: 1, as: Int32.self)
        default:
            target.storeBytes(of: 0xF4, as: UInt8.self)
            target.storeBytes(of: integer.littleEndian, toByteOffset: 1, as: Int64.self)
        }
    }

    @inline(__always)
    static func write(_ bytes: ByteView, to target: UnsafeMutableRawPointer) {
        let count = bytes.count
        if count < 64 {
            target.storeBytes(of: 0x80 | UInt8(truncatingIfNeeded: count), as: UInt8.self)
            copyBytes(from: bytes.start, to: target + 1, count: count)
        } else {
            writeLong(bytes, to: target)
        }
    }

    private static func writeLong(_ bytes: ByteView, to target: UnsafeMutableRawPointer) {
        let count = bytes.count
        if count < 4096 {
            let bits = UInt16(truncatingIfNeeded: count) | 0xE000
            target.storeBytes(of: bits.bigEndian, as: UInt16.self)
            memcpy(target + 2, bytes.start, count)
        } else {
            target.storeBytes(of: 0xF0, as: UInt8.self)
            target.storeBytes(
                of: UInt32(truncatingIfNeeded: count).littleEndian, toByteOffset: 1,
                as: UInt32.self)
            memcpy(target + 5, bytes.start, count)
        }
    }

    /// The bytes of the back length for `size`; the bounds are Redis's, one short of what fits.
    @inline(__always)
    static func backLengthBytes(_ size: Int) -> Int {
        if size <= 127 { return 1 }
        return size < 16383 ? 2 : size < 2_097_151 ? 3 : size < 268_435_455 ? 4 : 5
    }

    @inline(__always)
    static func writeBackLength(_ size: Int, to target: UnsafeMutableRawPointer) {
        if size <= 127 {
            target.storeBytes(of: UInt8(truncatingIfNeeded: size), as: UInt8.self)
        } else {
            writeLongBackLength(size, to: target)
        }
    }

    private static func writeLongBackLength(_ size: Int, to target: UnsafeMutableRawPointer) {
        let length = backLengthBytes(size)
        var rest = size
        var index = length &- 1
        while index >= 0 {
            let mark: UInt8 = index == 0 ? 0 : 0x80
            target.storeBytes(
                of: UInt8(truncatingIfNeeded: rest & 0x7F) | mark, toByteOffset: index,
                as: UInt8.self)
            rest >>= 7
            index &-= 1
        }
    }

    // MARK: - Untrusted bytes

    static func validate(_ bytes: ByteView, deep: Bool) -> Bool {
        guard var scanner = ListpackScanner(bytes) else { return false }
        return !deep || scanner.finish()
    }

    /// Whether header and end are those of a listpack of so many bytes.
    static func hasValidFrame(_ bytes: ByteView) -> Bool {
        let total = bytes.count
        return total >= emptyBytes && total <= mostBytes && totalBytes(bytes.start) == total
            && bytes[total - 1] == endMark
    }

    /// The length of the entry at `place` if all of it lies before `end`, the end mark, and its back
    /// length says what it should; else 0, as at the end itself.
    @inline(__always)
    static func validEntryBytes(_ place: UnsafeRawPointer, before end: UnsafeRawPointer) -> Int {
        let first = place.load(as: UInt8.self)
        let size: Int
        if first & 0x80 == 0 {
            size = 1
        } else if first & 0xC0 == 0x80 {
            size = 1 &+ Int(first & 0x3F)
        } else if first & 0xE0 == 0xC0 {
            size = 2
        } else if first >= 0xF1 && first <= 0xF4 {
            size = first == 0xF4 ? 9 : Int(first) &- 0xEE
        } else {
            return validLongEntryBytes(place, before: end)
        }
        // The back length of a short entry is one byte.
        guard size < end - place, Int(place.load(fromByteOffset: size, as: UInt8.self)) == size
        else { return 0 }
        return size &+ 1
    }

    /// The same for strings from 64 bytes on.
    @inline(never)
    private static func validLongEntryBytes(
        _ place: UnsafeRawPointer, before end: UnsafeRawPointer
    ) -> Int {
        let room = end - place
        let encodingBytes: Int
        switch place.load(as: UInt8.self) {
        case 0xE0...0xEF: encodingBytes = 2
        case 0xF0: encodingBytes = 5
        default: return 0
        }
        guard encodingBytes <= room else { return 0 }
        let size = size(place)
        let length = size + backLengthBytes(size)
        guard length <= room else { return 0 }
        return previous(place + length) == place ? length : 0
    }
}
