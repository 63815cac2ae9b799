import Reactor

/// Writes the primitives of the RDB format: lengths, strings, numbers; into memory (DUMP) or to a file
/// (a snapshot).
///
/// Promises: every byte written is in the checksum; after an error nothing more reaches the file, and
/// `failure` tells which it was, so that who writes need not look after every byte. Costs: one copy
/// into a buffer, one `write` a quarter of a mebibyte, and what LZF takes where compression is on; a
/// second thread may share that, a mebibyte at a time.
struct DumpWriter: ~Copyable {
    /// Whether strings are compressed (`rdbcompression`).
    let compresses: Bool
    /// Nil in memory.
    private var file: DumpFile?
    /// What is not with the file yet.
    private var draft = SnapshotDraft()
    /// Whether strings wait in the draft, to be compressed by `packing`.
    private let defers: Bool
    private var packing = DraftPacking()
    private var packer = StringPacker()
    /// Where a string is put together.
    private var spare = ByteBuffer()

    /// A draft of so many bytes is sent.
    private let fullBytes: Int

    private static let blockBytes = 256 * 1024
    /// What two threads share is more at a time; a string as long is compressed at once.
    private static let deferredBytes = 1 << 20

    /// Writes into memory, for `view`.
    init(compresses: Bool) {
        self.compresses = compresses
        file = nil
        defers = false
        fullBytes = .max
    }

    /// Writes to an open file.
    ///
    /// - Parameter withHelp: has a second thread share the work.
    init(
        toFile descriptor: Int32, compresses: Bool, checks: Bool, syncsIncrementally: Bool,
        withHelp: Bool = false
    ) {
        self.compresses = compresses
        file = DumpFile(descriptor, checks: checks, syncsIncrementally: syncsIncrementally)
        defers = withHelp && compresses
        fullBytes = defers ? Self.deferredBytes : Self.blockBytes
        draft.bytes.reserve(fullBytes + 4096)
    }

    /// What kept bytes from the file.
    var failure: SystemError? { file?.failure }

    // MARK: - Numbers

    mutating func byte(_ byte: UInt8) { draft.bytes.append(byte) }

    mutating func raw(_ bytes: ByteView) {
        draft.bytes.append(bytes)
        flushIfLarge()
    }

    mutating func littleEndian(_ number: some FixedWidthInteger) {
        draft.bytes.append(littleEndian: number)
    }

    mutating func bigEndian(_ number: some FixedWidthInteger) {
        draft.bytes.append(bigEndian: number)
    }

    mutating func double(_ number: Double) { draft.bytes.append(littleEndian: number.bitPattern) }

    /// A length, a count or an identifier, in its shortest form.
    mutating func length(_ length: UInt64) { draft.bytes.append(dumpLength: length) }

    mutating func length(_ length: Int) { self.length(UInt64(length)) }

    // MARK: - Strings

    /// A string in its shortest form: a small integer, compressed, or as it is.
    mutating func string(_ bytes: ByteView) {
        if bytes.count <= DumpFormat.longestIntegerText, let integer = NumberText.integer(bytes),
            let short = Int32(exactly: integer)
        {
            return smallInteger(short)
        }
        if !compresses || bytes.count <= DumpFormat.shortestCompressed {
            draft.bytes.append(dumpString: bytes)
        } else if defers && bytes.count < Self.deferredBytes {
            draft.append(waiting: bytes)
        } else {
            // Behind nothing that waits, so that it is not copied again.
            if defers { sendDraft() }
            packer.pack(bytes, into: &draft.bytes)
        }
        flushIfLarge()
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
            draft.bytes.append(littleEndian: tiny)
        } else if let short = Int16(exactly: integer) {
            byte(DumpFormat.integer16)
            draft.bytes.append(littleEndian: short)
        } else {
            byte(DumpFormat.integer32)
            draft.bytes.append(littleEndian: integer)
        }
        flushIfLarge()
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
        flush()
        let checksum = file?.checksum ?? CRC64.update(0, draft.bytes.view)
        draft.bytes.append(littleEndian: checksum)
    }

    /// The bytes written into memory; they live until the writer changes.
    var view: ByteView { draft.bytes.view }

    /// Everything is with the kernel after this, unless `failure` tells otherwise.
    mutating func flush() {
        sendDraft()
        guard var file else { return }
        packing.collect(into: &file)
        self.file = file
    }

    @inline(__always)
    private mutating func flushIfLarge() {
        if draft.bytes.count >= fullBytes { sendDraft() }
    }

    /// Sees the draft into the file, if there is one.
    @inline(never)
    private mutating func sendDraft() {
        guard var file else { return }
        packing.pack(&draft, into: &file)
        self.file = file
    }
}
