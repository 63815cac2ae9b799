import CLinux
import Glibc

/// A growable run of bytes with one owner, filled at the back and drained at the front.
///
///     +------------------+----------------------+------------------+
///     |     drained      |       readable       |     writable     |
///     +------------------+----------------------+------------------+
///     base          base+head              base+tail      base+capacity
///
/// An empty buffer owns no memory. Growth doubles, through the counted heap; blocks beyond the
/// allocator's mapping threshold grow by page tables and are not copied. Appending is O(1)
/// amortised; `drain` is O(1); room at the front is won back only when the readable part is small.
struct ByteBuffer: ~Copyable {
    private var base: UnsafeMutableRawPointer?
    private var head = 0
    private var tail = 0
    private(set) var capacity = 0

    init() {}

    init(capacity: Int) {
        reserve(capacity)
    }

    deinit { apus_heap_free(base) }

    /// Readable bytes.
    var count: Int { tail &- head }
    var isEmpty: Bool { head == tail }

    /// What the room takes of the counted heap, which rounds up.
    var heapBytes: Int { apus_heap_size(base) }

    /// The readable bytes; valid until the buffer changes.
    var view: ByteView {
        guard let base else { return .empty }
        return ByteView(start: UnsafeRawPointer(base + head), count: count)
    }

    // MARK: - Writing

    /// Room for `bytes` more at the back.
    mutating func reserve(_ bytes: Int) {
        if capacity &- tail < bytes { makeRoom(bytes) }
    }

    /// The same, for so many bytes as others claim to have; false where there is no memory for them.
    mutating func tryReserve(_ bytes: Int) -> Bool {
        if capacity &- tail < bytes && !canCompact(for: bytes) {
            let wanted = grown(by: bytes)
            guard let moved = apus_heap_try_reallocate(base, wanted) else { return false }
            take(moved, wanted)
        }
        reserve(bytes)
        return true
    }

    mutating func append(_ bytes: ByteView) {
        guard bytes.count > 0 else { return }
        reserve(bytes.count)
        copyBytes(from: bytes.start, to: end, count: bytes.count)
        tail &+= bytes.count
    }

    mutating func append(_ literal: StaticString) { append(ByteView(literal)) }

    mutating func append(_ byte: UInt8) {
        reserve(1)
        end.storeBytes(of: byte, as: UInt8.self)
        tail &+= 1
    }

    /// Appends UTF-8; for cold paths.
    mutating func append(_ text: String) {
        text.withByteView { append($0) }
    }

    mutating func append(_ number: Int64) {
        reserve(NumberText.longestInteger)
        tail &+= NumberText.write(number, to: end)
    }

    /// Appends the text of a double that reads back as the same value.
    mutating func append(_ number: Double) {
        reserve(Int(NumberText.longestDouble))
        tail &+= NumberText.write(double: number, to: end)
    }

    /// Appends the bytes of a number, its lowest first.
    mutating func append(littleEndian number: some FixedWidthInteger) {
        let bytes = number.bitWidth / 8
        reserve(bytes)
        end.storeBytes(of: number.littleEndian, as: type(of: number).self)
        tail &+= bytes
    }

    /// Appends the bytes of a number, its highest first.
    mutating func append(bigEndian number: some FixedWidthInteger) {
        append(littleEndian: number.byteSwapped)
    }

    /// Lends at least `minimum` writable bytes to a reader, who tells by `commit` how many it filled.
    mutating func writable(minimum: Int) -> UnsafeMutableRawBufferPointer {
        reserve(minimum)
        return UnsafeMutableRawBufferPointer(start: end, count: capacity &- tail)
    }

    /// The same, but no more than `most`.
    mutating func writable(minimum: Int, atMost most: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: writable(minimum: min(minimum, most)).prefix(most))
    }

    mutating func commit(_ bytes: Int) {
        precondition(bytes >= 0 && bytes <= capacity &- tail, "committed more than was lent")
        tail &+= bytes
    }

    /// Lends the readable bytes for changes in place; there must be some.
    mutating func withBytes(_ body: (UnsafeMutableRawPointer) -> Void) {
        guard let base, count > 0 else { preconditionFailure("an empty buffer has no bytes") }
        body(base + head)
    }

    // MARK: - Reading

    /// Forgets `bytes` at the front.
    mutating func drain(_ bytes: Int) {
        precondition(bytes >= 0 && bytes <= count, "drained more than is there")
        head &+= bytes
        if head == tail {
            head = 0
            tail = 0
        }
    }

    mutating func removeAll() {
        head = 0
        tail = 0
    }

    /// Shortens the readable bytes to the first `length`.
    mutating func truncate(to length: Int) {
        precondition(length >= 0 && length <= count, "truncated beyond the end")
        tail = head &+ length
    }

    /// Gives the memory back; the buffer is empty afterwards.
    mutating func release() {
        apus_heap_free(base)
        base = nil
        head = 0
        tail = 0
        capacity = 0
    }

    /// Gives the readable bytes away as a block of the counted heap; the buffer is empty afterwards.
    mutating func takeBlock() -> UnsafeMutableRawPointer? {
        if head > 0, let base {
            memmove(base, base + head, count)
        }
        defer {
            base = nil
            head = 0
            tail = 0
            capacity = 0
        }
        return base
    }

    // MARK: - Growth

    private var end: UnsafeMutableRawPointer {
        guard let base else { preconditionFailure("an empty buffer has no place to write") }
        return base + tail
    }

    @inline(never)
    private mutating func makeRoom(_ bytes: Int) {
        if canCompact(for: bytes) {
            compact()
        } else {
            let wanted = grown(by: bytes)
            take(apus_heap_reallocate(base, wanted), wanted)
        }
    }

    /// Whether what was drained leaves enough room, and moving what is left pays.
    private func canCompact(for bytes: Int) -> Bool {
        head > 0 && capacity &- count >= bytes && head >= count
    }

    private func grown(by bytes: Int) -> Int {
        precondition(bytes >= 0 && bytes <= Int.max / 4, "a buffer cannot be that large")
        return Swift.max(head + count + bytes, Swift.min(capacity * 2, capacity + 1 << 26))
    }

    private mutating func take(_ moved: UnsafeMutableRawPointer, _ bytes: Int) {
        base = moved
        capacity = bytes
        if head > 0 { compact() }
    }

    private mutating func compact() {
        if let base { memmove(base, base + head, count) }
        tail = count
        head = 0
    }
}
