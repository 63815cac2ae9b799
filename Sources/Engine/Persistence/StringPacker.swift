/// Puts strings of the RDB format behind each other, compressed where that saves something.
///
/// Costs what LZF costs and a copy.
struct StringPacker: ~Copyable {
    /// Where a string is compressed before its length is known.
    private var room = ByteBuffer()

    /// Appends a string: compressed, or as it is where that saves too little.
    mutating func pack(_ bytes: ByteView, into target: inout ByteBuffer) {
        room.removeAll()
        let limit = bytes.count - 4
        guard limit > 0, let place = room.writable(minimum: limit + 1).baseAddress,
            let count = LZF.compress(bytes, to: place, atMost: limit)
        else {
            target.append(dumpString: bytes)
            return
        }
        room.commit(count)
        target.append(DumpFormat.compressed)
        target.append(dumpLength: UInt64(count))
        target.append(dumpLength: UInt64(bytes.count))
        target.append(room.view)
    }
}

extension ByteBuffer {
    /// A length, a count or an identifier in its shortest form: 6, 14, 32 or 64 bits.
    mutating func append(dumpLength length: UInt64) {
        if length < 1 << 6 {
            append(UInt8(length))
        } else if length < 1 << 14 {
            append(bigEndian: UInt16(length) | 0x4000)
        } else if let short = UInt32(exactly: length) {
            append(DumpFormat.length32)
            append(bigEndian: short)
        } else {
            append(DumpFormat.length64)
            append(bigEndian: length)
        }
    }

    /// A string as it is, behind its length.
    mutating func append(dumpString bytes: ByteView) {
        append(dumpLength: UInt64(bytes.count))
        append(bytes)
    }
}
