/// The checksum of snapshots and DUMP payloads: CRC-64 with the polynomial of Jones, reflected, from 0,
/// without a final change (`crc64("123456789") == 0xe9c6d914c4b8d9ca`).
///
/// Eight bytes a step by eight tables of 256 words ("slicing by 8", Kounavis and Berry 2005): about a
/// nanosecond a step.
enum CRC64 {
    /// `0xad93d23594c935a9` with its bits reversed.
    private static let polynomial: UInt64 = 0x95ac_9329_ac4b_c9b5

    /// Table `k` tells what a byte does to the checksum when `k` more bytes follow it.
    private static let tables: ContiguousArray<UInt64> = {
        var tables = ContiguousArray<UInt64>(repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var word = UInt64(byte)
            for _ in 0..<8 { word = word & 1 != 0 ? word >> 1 ^ polynomial : word >> 1 }
            tables[byte] = word
        }
        for index in 256..<8 * 256 {
            let shorter = tables[index - 256]
            tables[index] = tables[Int(shorter & 0xFF)] ^ shorter >> 8
        }
        return tables
    }()

    /// The checksum of what `checksum` stands for, followed by `bytes`.
    static func update(_ checksum: UInt64, _ bytes: ByteView) -> UInt64 {
        tables.withUnsafeBufferPointer { tables in
            var word = checksum
            var place = bytes.start
            let end = place + bytes.count
            while end - place >= 8 {
                word ^= place.loadUnaligned(as: UInt64.self).littleEndian
                word =
                    tables[7 << 8 | Int(word & 0xFF)]
                    ^ tables[6 << 8 | Int(word >> 8 & 0xFF)]
                    ^ tables[5 << 8 | Int(word >> 16 & 0xFF)]
                    ^ tables[4 << 8 | Int(word >> 24 & 0xFF)]
                    ^ tables[3 << 8 | Int(word >> 32 & 0xFF)]
                    ^ tables[2 << 8 | Int(word >> 40 & 0xFF)]
                    ^ tables[1 << 8 | Int(word >> 48 & 0xFF)]
                    ^ tables[Int(word >> 56)]
                place += 8
            }
            while place < end {
                word = tables[Int((word ^ UInt64(place.load(as: UInt8.self))) & 0xFF)] ^ word >> 8
                place += 1
            }
            return word
        }
    }
}
