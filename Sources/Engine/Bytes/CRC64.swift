import CLinux

/// The checksum of snapshots and DUMP payloads: CRC-64 with the polynomial of Jones, reflected, from 0,
/// without a final change (`crc64("123456789") == 0xe9c6d914c4b8d9ca`).
///
/// Long runs are folded into sixteen bytes of the same checksum by multiplication without carries,
/// where the processor has it: some ten bytes a nanosecond. What is left, and everything elsewhere,
/// goes eight bytes a step by eight tables of 256 words ("slicing by 8", Kounavis and Berry 2005):
/// about a nanosecond a step.
enum CRC64 {
    /// `0xad93d23594c935a9` with its bits reversed.
    private static let polynomial: UInt64 = 0x95ac_9329_ac4b_c9b5

    /// Table `k` tells what a byte does to the checksum when `k` more bytes follow it.
    private static let tables: ContiguousArray<UInt64> = {
        var tables = ContiguousArray<UInt64>(repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            tables[byte] = power(8, of: UInt64(byte))
        }
        for index in 256..<8 * 256 {
            let shorter = tables[index - 256]
            tables[index] = tables[Int(shorter & 0xFF)] ^ shorter >> 8
        }
        return tables
    }()

    /// `word` times x to the power told, modulo the polynomial.
    private static func power(_ exponent: Int, of word: UInt64) -> UInt64 {
        var word = word
        for _ in 0..<exponent { word = word & 1 != 0 ? word >> 1 ^ polynomial : word >> 1 }
        return word
    }

    // MARK: - Folding

    /// Fewer bytes are left to the tables.
    private static let leastFolded = 256

    private struct Folding {
        let four: apus_fold_keys
        let one: apus_fold_keys
    }

    /// Nil where the processor cannot.
    private static let folding: Folding? = {
        guard apus_can_fold() != 0 else { return nil }
        return Folding(four: keys(carrying: 512), one: keys(carrying: 128))
    }()

    /// What carries sixteen bytes on by so many bits.
    ///
    /// The first half stands 64 bits before the second; a reflected product is one bit short.
    private static func keys(carrying bits: Int) -> apus_fold_keys {
        let one = UInt64(1) << 63
        return apus_fold_keys(first: power(bits + 63, of: one), second: power(bits - 1, of: one))
    }

    // MARK: - The checksum

    /// The checksum of what `checksum` stands for, followed by `bytes`.
    static func update(_ checksum: UInt64, _ bytes: ByteView) -> UInt64 {
        guard bytes.count >= leastFolded, let folding else {
            return updateByTables(checksum, bytes)
        }
        let folded = bytes.count & ~63
        let sum = apus_fold(bytes.start, folded, checksum, folding.four, folding.one)
        let rest = withUnsafeBytes(of: sum) { updateByTables(0, ByteView($0)) }
        return updateByTables(rest, bytes.dropFirst(folded))
    }

    /// The same without folding.
    static func updateByTables(_ checksum: UInt64, _ bytes: ByteView) -> UInt64 {
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
