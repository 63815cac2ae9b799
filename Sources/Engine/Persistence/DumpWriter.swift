import Reactor

/// Writes the primitives of the RDB format: lengths, strings, numbers; into memory (DUMP) or to a file
/// (a snapshot).
///
/// Promises: every byte written is in the checksum; after an error nothing more reaches the file, and
/// `failure` tells which it was, so that who writes need not look after every byte. Costs: one copy
/// into a buffer, one `write` a quarter of a mebibyte, and what LZF takes where compression is on.
struct DumpWriter: ~Copyable {
    /// Whether strings are compressed (`rdbcompression`).
    let compresses: Bool
    private let checks: Bool
    private let descriptor: Int32?
    private var buffer = ByteBuffer()
    /// Where a string is put together or compressed before its length is known.
    private var room = ByteBuffer()
    private var spare = ByteBuffer()
    private var checksum: UInt64 = 0
    /// Bytes that went to the file already.
    private var flushedBytes = 0
    private var syncedBytes = 0
    private let syncsIncrementally: Bool
    private(set) var failure: SystemError?
    /// How much of the buffer is in the checksum.
    private var checkedBytes = 0

    private static let flushBytes = 256 * 1024
    /// The kernel is asked to write out so many bytes at a time, so that the sync at the end is short.
    private static let syncBytes = 4 << 20

    /// Writes into memory; `takeBytes` gives it away.
    init(compresses: Bool) {
        self.compresses = compresses
        checks = true
        descriptor = nil
        syncsIncrementally = false
    }

    /// Writes to an open file.
    init(
        toFile descriptor: Int32, compresses: Bool, checks: Bool, syncsIncrementally: Bool
    ) {
        self.compresses = compresses
        self.checks = checks
        self.descriptor = descriptor
        self.syncsIncrementally = syncsIncrementally
        buffer.reserve(Self.flushBytes + 4096)
    }

    /// Bytes written so far.
    var count: Int { flushedBytes + buffer.count }

    // MARK: - Numbers

    mutating func byte(_ byte: UInt8) { buffer.append(byte) }

    mutating func raw(_ bytes: ByteView) {
        buffer.append(bytes)
        flushIfLarge()
    }

    mutating func littleEndian(_ number: some FixedWidthInteger) {
        buffer.append(littleEndian: number)
    }

    mutating func bigEndian(_ number: some FixedWidthInteger) { buffer.append(bigEndian: number) }

    mutating func double(_ number: Double) { buffer.append(littleEndian: number.bitPattern) }

    /// A length, a count or an identifier in its shortest form: 6, 14, 32 or 64 bits.
    mutating func length(_ length: UInt64) {
        if length < 1 << 6 {
            byte(UInt8(length))
        } else if length < 1 << 14 {
            buffer.append(bigEndian: UInt16(length) | 0x4000)
        } else if let short = UInt32(exactly: length) {
            byte(DumpFormat.length32)
            buffer.append(bigEndian: short)
        } else {
            byte(DumpFormat.length64)
            buffer.append(bigEndian: length)
        }
    }

    mutating func length(_ length: Int) { self.length(UInt64(length)) }

    // MARK: - Strings

    /// A string in its shortest form: a small integer, compressed, or as it is.
    mutating func string(_ bytes: ByteView) {
        if bytes.count <= DumpFormat.longestIntegerText, let integer = NumberText.integer(bytes),
            let short = Int32(exactly: integer)
        {
            return smallInteger(short)
        }
        if compresses && bytes.count > DumpFormat.shortestCompressed && compressed(bytes) { return }
        length(bytes.count)
        raw(bytes)
    }

    /// A string that is known as a number.
    mutating func string(_ integer: Int64) {
        if let short = Int32(exactly: integer) { return smallInteger(short) }
        NumberText.withText(of: integer) { text in
            length(text.count)
            raw(text)
        }
    }

    private mutating func smallInteger(_ integer: Int32) {
        if let tiny = Int8(exactly: integer) {
            byte(DumpFormat.integer8)
            buffer.append(littleEndian: tiny)
        } else if let short = Int16(exactly: integer) {
            byte(DumpFormat.integer16)
            buffer.append(littleEndian: short)
        } else {
            byte(DumpFormat.integer32)
            buffer.append(littleEndian: integer)
        }
        flushIfLarge()
    }

    /// False, and nothing is written, where compression saves too little.
    private mutating func compressed(_ bytes: ByteView) -> Bool {
        room.removeAll()
        let limit = bytes.count - 4
        guard let target = room.writable(minimum: limit + 1).baseAddress,
            let count = LZF.compress(bytes, to: target, atMost: limit)
        else { return false }
        room.commit(count)
        byte(DumpFormat.compressed)
        length(count)
        length(bytes.count)
        buffer.append(room.view)
        flushIfLarge()
        return true
    }

    /// A string that `fill` puts together in an empty buffer.
    mutating func string(filledBy fill: (inout ByteBuffer) -> Void) {
        var assembled = ByteBuffer()
        swap(&assembled, &spare)
        assembled.removeAll()
        fill(&assembled)
        string(assembled.view)
        swap(&assembled, &spare)
    }

    // MARK: - The end

    /// Writes the checksum of everything so far, or zero where none is wanted.
    mutating func writeChecksum() {
        checkBuffer()
        buffer.append(littleEndian: checks ? checksum : 0)
    }

    /// The bytes written into memory; they live until the writer changes.
    var view: ByteView { buffer.view }

    /// Everything is with the kernel after this, unless `failure` tells otherwise.
    mutating func flush() {
        guard descriptor != nil else { return }
        writeOut()
    }

    @inline(__always)
    private mutating func flushIfLarge() {
        if buffer.count >= Self.flushBytes && descriptor != nil { flushBuffer() }
    }

    @inline(never)
    private mutating func flushBuffer() {
        checkBuffer()
        writeOut()
    }

    /// Takes what has not been yet into the checksum.
    private mutating func checkBuffer() {
        if checks { checksum = CRC64.update(checksum, buffer.view.dropFirst(checkedBytes)) }
        checkedBytes = buffer.count
    }

    private mutating func writeOut() {
        guard let descriptor else { return }
        if failure == nil {
            do throws(SystemError) {
                try File.writeAll(buffer.view.rawBuffer, to: descriptor)
            } catch {
                failure = error
            }
        }
        flushedBytes += buffer.count
        buffer.removeAll()
        checkedBytes = 0
        if syncsIncrementally && flushedBytes - syncedBytes >= Self.syncBytes {
            File.startWriteback(
                of: descriptor, offset: syncedBytes, count: flushedBytes - syncedBytes)
            syncedBytes = flushedBytes
        }
    }
}
