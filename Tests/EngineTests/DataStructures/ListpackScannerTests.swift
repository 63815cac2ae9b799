import Testing

@testable import Engine

@Suite struct ListpackScannerTests {
    private static func text(_ random: inout SeededRandom) -> [UInt8] {
        switch random.below(8) {
        case 0: Array(String(random.below(128)).utf8)
        case 1: Array(String(random.below(8000) - 4000).utf8)
        case 2: Array(String(random.below(1 << 17) - 1 << 16).utf8)
        case 3: Array(String(random.below(1 << 40) - 1 << 23).utf8)
        case 4: Array(String(Int64(bitPattern: random.next())).utf8)
        case 5: [UInt8](repeating: 0x61, count: 60 + random.below(100))
        case 6: [UInt8](repeating: 0x61, count: 4000 + random.below(200))
        default: [UInt8](repeating: 0x61, count: random.below(40))
        }
    }

    private static func bytes(_ texts: [[UInt8]]) -> [UInt8] {
        let arena = Arena.create(rangeBytes: 1 << 24)
        defer { arena.destroy() }
        var listpack = Listpack.create(in: arena)
        for text in texts { text.withByteView { listpack.append($0) } }
        return listpack.view.array
    }

    @Test func `shows what a trusting cursor shows`() {
        var random = SeededRandom.make()
        for count in [0, 1, 2, 30, 500] {
            let texts = (0..<count).map { _ in Self.text(&random) }
            Self.bytes(texts).withByteView { bytes in
                guard var scanner = ListpackScanner(bytes), var other = ListpackScanner(bytes),
                    var cursor = ListpackCursor(checked: bytes)
                else {
                    Issue.record("a listpack is refused")
                    return
                }
                for text in texts {
                    #expect(!scanner.isAtEnd)
                    let (shown, integer) = (scanner.next(), other.nextInteger())
                    let trusted = cursor.next()
                    #expect(shown?.array == text && trusted?.array == text)
                    #expect(integer == text.withByteView { NumberText.integer($0) })
                }
                #expect(scanner.isAtEnd && scanner.isWhole && scanner.count == count)
                let (next, skipped) = (scanner.next(), scanner.skip())
                #expect(next == nil && !skipped && cursor.isAtEnd)
            }
        }
    }

    /// The length of the entry that begins `bytes`, by the letter of the format; nil: broken.
    private static func slowLength(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard let first = bytes.first else { return nil }
        let head = Array(bytes.prefix(5))
        let size: Int
        switch first {
        case 0x00...0x7F: size = 1
        case 0x80...0xBF: size = 1 + Int(first & 63)
        case 0xC0...0xDF: size = 2
        case 0xE0...0xEF:
            guard head.count >= 2 else { return nil }
            size = 2 + Int(first & 15) << 8 + Int(head[1])
        case 0xF0:
            guard head.count == 5 else { return nil }
            size = 5 + head[1...].reversed().reduce(0) { $0 << 8 | Int($1) }
        case 0xF1: size = 3
        case 0xF2: size = 4
        case 0xF3: size = 5
        case 0xF4: size = 9
        default: return nil
        }
        let backBytes = ListpackFormat.backLengthBytes(size)
        guard size + backBytes <= bytes.count else { return nil }
        var told = 0
        for index in 0..<backBytes {
            let byte = bytes[bytes.startIndex + size + index]
            guard (byte & 0x80 != 0) == (index > 0) else { return nil }
            told = told << 7 | Int(byte & 0x7F)
        }
        return told == size ? size + backBytes : nil
    }

    @Test func `stops where an entry is broken, by the letter of the format`() {
        var random = SeededRandom.make()
        let whole = Self.bytes((0..<30).map { _ in Self.text(&random) }.filter { $0.count < 200 })
        for _ in 0..<2000 {
            var broken = whole
            for _ in 0...random.below(3) {
                broken[6 + random.below(broken.count - 7)] = UInt8(random.below(256))
            }
            var offset = 6
            var count = 0
            while let length = Self.slowLength(broken[offset..<broken.count - 1]) {
                offset += length
                count += 1
            }
            broken.withByteView { bytes in
                guard var scanner = ListpackScanner(bytes) else {
                    Issue.record("header and end are whole")
                    return
                }
                let isWhole = scanner.finish()
                #expect(scanner.count == count)
                #expect(scanner.isAtEnd == (offset == broken.count - 1))
                let stored = Int(broken[4]) | Int(broken[5]) << 8
                #expect(isWhole == (scanner.isAtEnd && stored == count))
            }
        }
    }
}
