@testable import Engine

/// Spoils payloads where their structure can be spoiled; the checksum is right afterwards.
struct DumpSpoiler {
    var random: SeededRandom

    private static let counts: [UInt64] = [
        0, 1, 2, 127, 128, 255, 1 << 14, 65535, 1 << 31, 1 << 32, 1 << 40, 1 << 63, .max,
    ]
    private static let texts: [[UInt8]] =
        [
            "", "0", "1", "-1", "127", "128", "255", "4095", "-4096", "32768", "8388608",
            "2147483648",
            "9223372036854775807", "-9223372036854775808", "nan", "inf", "-inf", "1e400", "a", "01",
            "70368744177664",
        ].map { Array($0.utf8) } + [[0xFF], Array(repeating: 0x78, count: 70)]

    /// The payload with one or two things wrong, or in a form that nobody writes.
    mutating func spoil(_ whole: DumpTokens) -> [UInt8] {
        var dump = whole
        if random.below(4) == 0 { rearrange(&dump) }
        let type = random.below(12) == 0 ? otherType(of: dump.type) : dump.type
        guard !dump.tokens.isEmpty else { return dump.payload(type: type) }
        let index = random.below(dump.tokens.count)
        let payload = dump.payload(
            replacing: index, with: spoiled(dump.tokens[index]), type: type)
        return random.below(6) == 0 ? spoiledAnywhere(payload) : payload
    }

    private mutating func otherType(of type: UInt8) -> UInt8 {
        random.below(2) == 0 ? type ^ UInt8(1 << random.below(3)) : UInt8(random.below(28))
    }

    /// Takes a token out, exchanges two or repeats one.
    private mutating func rearrange(_ dump: inout DumpTokens) {
        guard dump.tokens.count > 1 else { return }
        let (one, other) = (random.below(dump.tokens.count), random.below(dump.tokens.count))
        switch random.below(3) {
        case 0: dump.tokens.remove(at: one)
        case 1: dump.tokens.swapAt(one, other)
        default: dump.tokens.insert(dump.tokens[one], at: other)
        }
    }

    private mutating func spoiledAnywhere(_ payload: [UInt8]) -> [UInt8] {
        var bytes = Array(payload.dropLast(DumpPayload.footerBytes))
        if random.below(4) == 0 {
            bytes = Array(bytes.prefix(1 + random.below(bytes.count)))
        } else {
            for _ in 0...random.below(3) {
                bytes[random.below(bytes.count)] ^= UInt8(1 << random.below(8))
            }
        }
        return DumpBytes.payload(bytes[0], Array(bytes.dropFirst()))
    }

    // MARK: - Tokens

    private mutating func spoiled(_ token: DumpTokens.Token) -> [UInt8] {
        switch token {
        case .length(let count): spoiledLength(count)
        case .string(let text): spoiledString(text)
        case .listpack(let texts): spoiledListpack(texts)
        case .raw(let bytes): spoiledNumber(bytes)
        }
    }

    private mutating func spoiledLength(_ count: UInt64) -> [UInt8] {
        switch random.below(5) {
        case 0: DumpBytes.length(count &+ 1)
        case 1: DumpBytes.length(count &- 1)
        case 2: [DumpFormat.length64] + DumpBytes.bigEndian(count)
        case 3: [DumpFormat.length32] + DumpBytes.bigEndian(UInt32(truncatingIfNeeded: count))
        default: DumpBytes.length(Self.counts[random.below(Self.counts.count)])
        }
    }

    private mutating func spoiledNumber(_ bytes: [UInt8]) -> [UInt8] {
        switch random.below(4) {
        case 0: return [UInt8](repeating: 0, count: bytes.count)
        case 1: return [UInt8](repeating: 0xFF, count: bytes.count)
        case 2: return [0] + [UInt8](repeating: 0, count: bytes.count - 3) + [0xF8, 0x7F]
        default:
            var bytes = bytes
            bytes[random.below(bytes.count)] ^= UInt8(1 << random.below(8))
            return bytes
        }
    }

    private mutating func spoiledString(_ text: [UInt8]) -> [UInt8] {
        switch random.below(8) {
        case 0: return DumpBytes.length(UInt64(text.count + 1)) + text
        case 1: return spoiledLength(UInt64(text.count)) + text
        case 2: return [DumpFormat.integer8 + UInt8(random.below(3)), 1, 0, 0, 0]
        case 3: return DumpBytes.compressed(text)
        case 4:
            return DumpBytes.compressed(text, telling: Self.counts[random.below(Self.counts.count)])
        case 5: return DumpBytes.string(Self.texts[random.below(Self.texts.count)])
        default:
            var text = text
            guard !text.isEmpty else { return DumpBytes.string("0") }
            text[random.below(text.count)] ^= UInt8(1 << random.below(8))
            return DumpBytes.string(text)
        }
    }

    // MARK: - Listpacks

    private mutating func spoiledListpack(_ texts: [[UInt8]]) -> [UInt8] {
        guard !texts.isEmpty else { return DumpBytes.string(Self.texts[random.below(20)]) }
        var texts = texts
        let index = random.below(texts.count)
        switch random.below(4) {
        case 0: texts[index] = Self.texts[random.below(Self.texts.count)]
        case 1: respell(&texts, index)
        default: break
        }
        var elements = texts.map { DumpBytes.element($0) }
        // Every form there is, of one element or of many.
        let many = random.below(4) == 0
        for (place, text) in texts.enumerated() where place == index || many && random.below(2) == 0
        {
            let form = DumpBytes.Form.allCases[random.below(DumpBytes.Form.allCases.count)]
            elements[place] = DumpBytes.element(text, form) ?? elements[place]
        }
        var bytes = DumpBytes.listpack(elements)
        if random.below(4) == 0 { spoilFrame(&bytes) }
        return random.below(8) == 0 ? DumpBytes.compressed(bytes) : DumpBytes.string(bytes)
    }

    private mutating func respell(_ texts: inout [[UInt8]], _ index: Int) {
        switch random.below(4) {
        case 0: texts.remove(at: index)
        case 1: texts.insert(texts[index], at: random.below(texts.count))
        case 2: texts.swapAt(index, random.below(texts.count))
        default:
            guard let number = Int64(String(decoding: texts[index], as: UTF8.self)) else { return }
            texts[index] = Array(String(number &+ (random.below(2) == 0 ? 1 : -1)).utf8)
        }
        if texts.isEmpty { texts = [Self.texts[0]] }
    }

    /// Total, count, an end mark, or any byte.
    private mutating func spoilFrame(_ bytes: inout [UInt8]) {
        switch random.below(4) {
        case 0: bytes[0] &+= random.below(2) == 0 ? 1 : 255
        case 1: bytes[4] &+= random.below(2) == 0 ? 1 : 255
        case 2: (bytes[4], bytes[5]) = (0xFF, 0xFF)
        default: bytes[random.below(bytes.count)] ^= UInt8(1 << random.below(8))
        }
    }
}

extension DumpBytes {
    /// A string compressed, or said to be; `told` is the length it claims to have.
    static func compressed(_ text: [UInt8], telling told: UInt64? = nil) -> [UInt8] {
        // Runs of literal bytes are what every decompressor takes.
        var packed: [UInt8] = []
        for start in stride(from: 0, to: text.count, by: 32) {
            let run = text[start..<min(start + 32, text.count)]
            packed += [UInt8(run.count - 1)] + run
        }
        return [DumpFormat.compressed] + length(UInt64(packed.count))
            + length(told ?? UInt64(text.count)) + packed
    }
}
