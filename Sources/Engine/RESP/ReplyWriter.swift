import CLinux
import Glibc

/// Writes replies, RESP2 or RESP3, straight into the bytes that will be sent.
///
/// The leaf functions are short and inline: a reply is a few stores and one copy. What RESP2 does
/// not know (maps, sets, doubles, booleans, nulls…) is written the way Redis flattens it.
/// Standing replies (`+OK`, `:0`, nulls) are single stores.
///
/// **Who may not be sent so much.** Beyond `mostBytes` nothing is collected: what was written is
/// dropped, what is written further leads nowhere, and counts as one more error, by which the
/// dispatcher learns of it. Places remembered from before (`count`, `deferLength`) may then lie behind
/// the end; the verbs that take them do nothing.
struct ReplyWriter: ~Copyable {
    private var base: UnsafeMutableRawPointer?
    /// Where unsent bytes begin; those before it went out already.
    private var head = 0
    private var tail = 0
    private(set) var capacity = 0
    /// Whether the connection spoke `HELLO 3`.
    var isRESP3 = false
    /// Error replies written so far: the dispatcher compares before and after a command.
    private(set) var errorCount = 0
    /// Where the last error reply begins, from `head`.
    private(set) var lastErrorStart = 0
    /// How much may wait to be sent before all of it is dropped.
    var mostBytes = Int.max
    private(set) var isOverLimit = false

    init() {}

    deinit { apus_heap_free(base) }

    // MARK: - The bytes

    /// Bytes waiting to be sent.
    var count: Int { tail &- head }
    var isEmpty: Bool { head == tail }

    /// The unsent bytes; valid until the next write.
    var view: ByteView {
        guard let base else { return .empty }
        return ByteView(start: UnsafeRawPointer(base + head), count: count)
    }

    mutating func drain(_ bytes: Int) {
        precondition(bytes >= 0 && bytes <= count, "drained more than is there")
        head &+= bytes
        if head == tail {
            head = 0
            tail = 0
        }
    }

    /// Takes back everything after the first `length` bytes (`CLIENT REPLY OFF`).
    mutating func truncate(to length: Int) {
        if isOverLimit && length > count { return }
        precondition(length >= 0 && length <= count, "truncated beyond the end")
        tail = head &+ length
    }

    /// Gives the block away, empty, to be used again; nil when there is none.
    mutating func takeBlock() -> ReplyBlock? {
        guard let base else { return nil }
        let block = ReplyBlock(memory: base, capacity: capacity)
        self.base = nil
        head = 0
        tail = 0
        capacity = 0
        return block
    }

    /// Takes over a block when there is none yet.
    mutating func adopt(_ block: ReplyBlock) {
        precondition(base == nil, "the writer has a block already")
        base = block.memory
        capacity = block.capacity
    }

    var hasBlock: Bool { base != nil }

    /// A place for at least `bytes` bytes.
    @inline(__always)
    private mutating func room(_ bytes: Int) -> UnsafeMutableRawPointer {
        if let base, capacity &- tail >= bytes { return base + tail }
        return makeRoom(bytes)
    }

    @inline(never)
    private mutating func makeRoom(_ bytes: Int) -> UnsafeMutableRawPointer {
        precondition(bytes >= 0 && bytes <= Int.max / 4, "a reply cannot be that large")
        if count + bytes > mostBytes { dropAll() }
        // Who reads slowly leaves room in front: it is used while that is an eighth of the block, so
        // that a byte is moved seven times at worst.
        if let base, head > 0, capacity - count >= max(bytes, capacity / 8) {
            memmove(base, base + head, count)
            tail = count
            head = 0
            return base + tail
        }
        var wanted = max(
            ReplyBlock.standardCapacity, tail + bytes, min(capacity * 2, capacity + 1 << 26))
        // Not more than may be filled.
        if mostBytes < .max { wanted = min(wanted, tail + max(bytes, mostBytes - count)) }
        let moved: UnsafeMutableRawPointer = apus_heap_reallocate(base, wanted)
        base = moved
        capacity = wanted
        return moved + tail
    }

    // MARK: - The limit

    /// Forgets what was written, and takes note that the limit is passed.
    private mutating func dropAll() {
        head = 0
        tail = 0
        if isOverLimit { return }
        isOverLimit = true
        errorCount &+= 1
        lastErrorStart = 0
    }

    /// Whether so many bytes may be added at all; room for what is to be dropped is not made.
    private mutating func admits(_ bytes: Int) -> Bool {
        if bytes < ReplyBlock.standardCapacity || count + bytes <= mostBytes { return true }
        dropAll()
        return false
    }

    // MARK: - Raw text

    /// Bytes as they are.
    mutating func raw(_ bytes: ByteView) {
        guard admits(bytes.count) else { return }
        let target = room(bytes.count)
        copyBytes(from: bytes.start, to: target, count: bytes.count)
        tail &+= bytes.count
    }

    mutating func raw(_ literal: StaticString) { raw(ByteView(literal)) }

    /// Puts bytes before those from `index` on, which are moved.
    mutating func insert(_ bytes: ByteView, at index: Int) {
        if isOverLimit { return }
        precondition(index >= 0 && index <= count, "inserted outside the bytes")
        let moved = count &- index
        let end = room(bytes.count)
        if isOverLimit { return }
        let place = end - moved
        memmove(place + bytes.count, place, moved)
        copyBytes(from: bytes.start, to: place, count: bytes.count)
        tail &+= bytes.count
    }

    /// A line of text, or an array as RESP2 has it, as this protocol marks what is pushed.
    mutating func message(_ bytes: ByteView) {
        if messageIfRoom(bytes) { return }
        _ = makeRoom(bytes.count)
        _ = messageIfRoom(bytes)
    }

    /// The same if the block has room for it; false: nothing was written.
    @inline(__always)
    mutating func messageIfRoom(_ bytes: ByteView) -> Bool {
        precondition(bytes.count > 0, "a message has a mark")
        guard let base, capacity &- tail >= bytes.count else { return false }
        let target = base + tail
        copyBytes(from: bytes.start, to: target, count: bytes.count)
        if isRESP3 && bytes[0] == UInt8(ascii: "*") {
            target.storeBytes(of: UInt8(ascii: ">"), as: UInt8.self)
        }
        tail &+= bytes.count
        return true
    }

    /// One type byte, a number, and the end of the line: `:1000\r\n`.
    @inline(__always)
    private mutating func header(_ mark: UInt8, _ number: Int64) {
        let target = room(NumberText.longestInteger &+ 3)
        target.storeBytes(of: mark, as: UInt8.self)
        if number >= 0 && number < 10 {
            let text = UInt32(0x000A_0D30) &+ UInt32(truncatingIfNeeded: number)
            target.storeBytes(of: text.littleEndian, toByteOffset: 1, as: UInt32.self)
            tail &+= 4
            return
        }
        if number >= 10 && number < 100 {
            let high = UInt32(truncatingIfNeeded: number / 10)
            let low = UInt32(truncatingIfNeeded: number % 10)
            let text = UInt32(0x0A0D_3030) &+ high &+ low << 8
            target.storeBytes(of: text.littleEndian, toByteOffset: 1, as: UInt32.self)
            tail &+= 5
            return
        }
        let length = NumberText.write(number, to: target + 1)
        target.storeBytes(
            of: UInt16(0x0A0D).littleEndian, toByteOffset: 1 &+ length, as: UInt16.self)
        tail &+= length &+ 3
    }

    /// A type byte, text of one line, and its end.
    private mutating func line(_ mark: UInt8, _ text: ByteView) {
        let target = room(text.count &+ 3)
        target.storeBytes(of: mark, as: UInt8.self)
        copyBytes(from: text.start, to: target + 1, count: text.count)
        target.storeBytes(
            of: UInt16(0x0A0D).littleEndian, toByteOffset: 1 &+ text.count, as: UInt16.self)
        tail &+= text.count &+ 3
    }

    /// `,text`: a double whose digits are written already; only in RESP3.
    mutating func decimalLine(_ text: ByteView) { line(UInt8(ascii: ","), text) }

    // MARK: - Scalars

    /// Writes `+OK`.
    @inline(__always)
    mutating func ok() {
        let target = room(8)
        target.storeBytes(of: UInt64(0x0A_0D4B_4F2B).littleEndian, as: UInt64.self)
        tail &+= 5
    }

    /// `+text`; the text must have no line end.
    mutating func simple(_ text: StaticString) { line(UInt8(ascii: "+"), ByteView(text)) }
    mutating func simple(_ text: ByteView) { line(UInt8(ascii: "+"), text) }

    @inline(__always)
    mutating func integer(_ number: Int64) { header(UInt8(ascii: ":"), number) }
    @inline(__always)
    mutating func integer(_ number: Int) { header(UInt8(ascii: ":"), Int64(number)) }

    /// Writes `$3\r\nabc\r\n`.
    @inline(__always)
    mutating func bulk(_ bytes: ByteView) {
        let count = bytes.count
        if count < 100, capacity &- tail >= count &+ 8, let base {
            // Header, bytes and line end in one piece of room; the header is one store.
            let target = base + tail
            let isShort = count < 10
            let shift = isShort ? 0 : 1
            let digits =
                isShort
                ? UInt64(0x0A0D_3024) &+ UInt64(truncatingIfNeeded: count) << 8
                : UInt64(0x0A_0D30_3024) &+ UInt64(truncatingIfNeeded: count / 10) << 8
                    &+ UInt64(truncatingIfNeeded: count % 10) << 16
            target.storeBytes(of: digits.littleEndian, as: UInt64.self)
            let body = target + (4 &+ shift)
            copyBytes(from: bytes.start, to: body, count: count)
            body.storeBytes(of: UInt16(0x0A0D).littleEndian, toByteOffset: count, as: UInt16.self)
            tail &+= count &+ 6 &+ shift
            return
        }
        longBulk(bytes)
    }

    @inline(never)
    private mutating func longBulk(_ bytes: ByteView) {
        guard admits(bytes.count) else { return }
        header(UInt8(ascii: "$"), Int64(bytes.count))
        let target = room(bytes.count &+ 2)
        copyBytes(from: bytes.start, to: target, count: bytes.count)
        target.storeBytes(
            of: UInt16(0x0A0D).littleEndian, toByteOffset: bytes.count, as: UInt16.self)
        tail &+= bytes.count &+ 2
    }

    mutating func bulk(_ literal: StaticString) { bulk(ByteView(literal)) }

    /// A bulk of UTF-8 text; for cold paths.
    mutating func bulk(_ text: String) { text.withByteView { bulk($0) } }

    /// A bulk that holds the decimal text of an integer.
    @inline(__always)
    mutating func bulkInteger(_ number: Int64) {
        let digits =
            NumberText.digitCount(number.magnitude) &+ (number < 0 ? 1 : 0)
        header(UInt8(ascii: "$"), Int64(digits))
        let target = room(NumberText.longestInteger &+ 2)
        let length = NumberText.write(number, to: target)
        target.storeBytes(of: UInt16(0x0A0D).littleEndian, toByteOffset: length, as: UInt16.self)
        tail &+= length &+ 2
    }

    /// The missing value: `$-1` in RESP2, `_` in RESP3.
    @inline(__always)
    mutating func null() {
        let target = room(8)
        if isRESP3 {
            target.storeBytes(of: UInt32(0x0A0D5F).littleEndian, as: UInt32.self)
            tail &+= 3
        } else {
            target.storeBytes(of: UInt64(0x0A_0D31_2D24).littleEndian, as: UInt64.self)
            tail &+= 5
        }
    }

    /// The missing array: `*-1` in RESP2, `_` in RESP3.
    mutating func nullArray() {
        if isRESP3 { raw("_\r\n") } else { raw("*-1\r\n") }
    }

    /// `#t` or `#f`; 1 or 0 in RESP2.
    mutating func boolean(_ value: Bool) {
        if isRESP3 { raw(value ? "#t\r\n" : "#f\r\n") } else { integer(value ? 1 : 0) }
    }

    /// `,3.25`; a bulk of the same text in RESP2.
    mutating func double(_ value: Double) {
        if !isRESP3 { return bulkDouble(value) }
        let target = room(NumberText.longestDouble &+ 3)
        target.storeBytes(of: UInt8(ascii: ","), as: UInt8.self)
        let length = NumberText.write(double: value, to: target + 1)
        target.storeBytes(
            of: UInt16(0x0A0D).littleEndian, toByteOffset: length &+ 1, as: UInt16.self)
        tail &+= length &+ 3
    }

    /// A bulk that holds the text of a double, in both protocols; in 17 digits where Redis has left it at
    /// that.
    mutating func bulkDouble(_ value: Double, in17Digits isGeneral: Bool = false) {
        withUnsafeTemporaryAllocation(byteCount: NumberText.longestDouble, alignment: 8) { text in
            guard let start = text.baseAddress else { return }
            let length =
                isGeneral
                ? NumberText.write(general: value, to: start)
                : NumberText.write(double: value, to: start)
            bulk(ByteView(start: UnsafeRawPointer(start), count: length))
        }
    }

    /// `(12345…`: an integer too large for 64 bits; a bulk in RESP2.
    mutating func bigNumber(_ digits: ByteView) {
        if isRESP3 { line(UInt8(ascii: "("), digits) } else { bulk(digits) }
    }

    /// `=15\r\ntxt:…`: text with a three-letter format; a bulk in RESP2.
    mutating func verbatim(_ text: ByteView, format: StaticString = "txt") {
        if !isRESP3 { return bulk(text) }
        header(UInt8(ascii: "="), Int64(text.count) + 4)
        raw(format)
        raw(":")
        raw(text)
        raw("\r\n")
    }

    mutating func verbatim(_ text: String) { text.withByteView { verbatim($0) } }

    // MARK: - Aggregates

    @inline(__always)
    mutating func array(_ count: Int) { header(UInt8(ascii: "*"), Int64(count)) }

    /// `%n`; an array of twice as many in RESP2.
    mutating func map(_ count: Int) {
        if isRESP3 { header(UInt8(ascii: "%"), Int64(count)) } else { array(count &* 2) }
    }

    /// `~n`; an array in RESP2.
    mutating func set(_ count: Int) {
        header(isRESP3 ? UInt8(ascii: "~") : UInt8(ascii: "*"), Int64(count))
    }

    /// `>n`: data out of band; an array in RESP2.
    mutating func push(_ count: Int) {
        header(isRESP3 ? UInt8(ascii: ">") : UInt8(ascii: "*"), Int64(count))
    }

    /// `|n`: attributes of the reply that follows; only in RESP3.
    mutating func attribute(_ count: Int) {
        precondition(isRESP3, "RESP2 has no attributes")
        header(UInt8(ascii: "|"), Int64(count))
    }

    /// An aggregate whose length is known only when it is written.
    struct Deferred {
        fileprivate let offset: Int
    }

    /// Begins such an aggregate; `finish` puts its header in front.
    mutating func deferLength() -> Deferred { Deferred(offset: count) }

    mutating func finishArray(_ start: Deferred, _ count: Int) {
        finish(start, UInt8(ascii: "*"), count)
    }

    mutating func finishSet(_ start: Deferred, _ count: Int) {
        finish(start, isRESP3 ? UInt8(ascii: "~") : UInt8(ascii: "*"), count)
    }

    mutating func finishMap(_ start: Deferred, _ count: Int) {
        finish(start, isRESP3 ? UInt8(ascii: "%") : UInt8(ascii: "*"), isRESP3 ? count : count * 2)
    }

    private mutating func finish(_ start: Deferred, _ mark: UInt8, _ number: Int) {
        if isOverLimit { return }
        let length = NumberText.digitCount(UInt64(number)) &+ 3
        let body = count &- start.offset
        _ = room(length &+ NumberText.longestInteger)
        guard let base, !isOverLimit else { return }
        let target = base + (head &+ start.offset)
        memmove(target + length, target, body)
        target.storeBytes(of: mark, as: UInt8.self)
        _ = NumberText.write(Int64(number), to: target + 1)
        target.storeBytes(
            of: UInt16(0x0A0D).littleEndian, toByteOffset: length &- 2, as: UInt16.self)
        tail &+= length
    }

    // MARK: - Errors

    /// `-text`, where text begins with its code: `ERR …`, `WRONGTYPE …`.
    ///
    /// Line ends inside become blanks.
    mutating func error(_ text: ByteView) {
        errorCount &+= 1
        lastErrorStart = count
        line(UInt8(ascii: "-"), text)
        guard let base else { return }
        // Only now: making room may have moved everything to the front.
        let begin = tail &- text.count &- 2
        for index in 0..<text.count {
            let byte = (base + begin + index).load(as: UInt8.self)
            if byte == 13 || byte == 10 {
                (base + begin + index).storeBytes(of: UInt8(ascii: " "), as: UInt8.self)
            }
        }
    }

    /// Counts errors from here as none: whoever wrote them has counted them where they belong.
    mutating func disownErrors(since count: Int) { errorCount = count }

    mutating func error(_ text: StaticString) { error(ByteView(text)) }
    mutating func error(_ text: String) { text.withByteView { error($0) } }

    /// The text of the last error reply, without its mark and line end; empty when it is gone.
    var lastError: ByteView {
        guard errorCount > 0, !isOverLimit, lastErrorStart + 1 < count else { return .empty }
        let rest = view.dropFirst(lastErrorStart + 1)
        return rest.prefix(rest.firstIndex(of: 13) ?? rest.count)
    }
}

/// The memory of a reply writer, on its way between connections.
struct ReplyBlock {
    fileprivate let memory: UnsafeMutableRawPointer
    let capacity: Int

    /// The size of a block as it comes from the pool; most replies of a turn fit.
    static let standardCapacity = 16 * 1024
    /// The size of a block for a message to somebody who has none; a writer that needs more goes on
    /// with a standard one.
    static let messageCapacity = 1024

    fileprivate init(memory: UnsafeMutableRawPointer, capacity: Int) {
        self.memory = memory
        self.capacity = capacity
    }

    static func standard() -> ReplyBlock { allocate(standardCapacity) }

    static func forMessage() -> ReplyBlock { allocate(messageCapacity) }

    private static func allocate(_ capacity: Int) -> ReplyBlock {
        ReplyBlock(memory: apus_heap_allocate(capacity), capacity: capacity)
    }

    func free() { apus_heap_free(memory) }
}
