import Testing

@testable import Engine

struct CRC64Tests {
    @Test func `the check value of the polynomial`() {
        #expect(CRC64.update(0, ByteView("123456789")) == 0xe9c6_d914_c4b8_d9ca)
        #expect(CRC64.update(0, .empty) == 0)
    }

    /// Bit by bit, as the polynomial is defined.
    private static func slow(_ bytes: [UInt8]) -> UInt64 {
        var word: UInt64 = 0
        for byte in bytes {
            word ^= UInt64(byte)
            for _ in 0..<8 { word = word & 1 != 0 ? word >> 1 ^ 0x95ac_9329_ac4b_c9b5 : word >> 1 }
        }
        return word
    }

    @Test func `every length, in one piece and in two`() {
        let bytes = (0..<100).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }
        for count in 0...bytes.count {
            let expected = Self.slow(Array(bytes.prefix(count)))
            bytes.withByteView { all in
                let view = all.prefix(count)
                #expect(CRC64.update(0, view) == expected)
                for cut in 0...count {
                    let first = CRC64.update(0, view.prefix(cut))
                    #expect(CRC64.update(first, view.dropFirst(cut)) == expected)
                }
            }
        }
    }

    @Test func `folding long runs changes nothing`() {
        var random = SeededRandom.make()
        let bytes = (0..<3000).map { _ in UInt8(random.below(256)) }
        for count in Array(250...400) + [511, 512, 575, 576, 1000, 3000] {
            let before = random.next()
            bytes.withByteView { all in
                let view = all.dropFirst(all.count - count)
                #expect(CRC64.update(before, view) == CRC64.updateByTables(before, view))
            }
        }
    }
}
