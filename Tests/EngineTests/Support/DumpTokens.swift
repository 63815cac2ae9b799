@testable import Engine

/// A payload of RESTORE taken apart into what its type is made of, so that one piece can be spoiled and
/// the rest stays whole.
struct DumpTokens {
    enum Token {
        case length(UInt64)
        case string([UInt8])
        /// The texts of a listpack, each in the form that servers choose.
        case listpack([[UInt8]])
        /// Numbers of fixed size.
        case raw([UInt8])

        var bytes: [UInt8] {
            switch self {
            case .length(let count): DumpBytes.length(count)
            case .string(let text): DumpBytes.string(text)
            case .listpack(let texts):
                DumpBytes.string(DumpBytes.listpack(texts.map { DumpBytes.element($0) }))
            case .raw(let bytes): bytes
            }
        }
    }

    let type: UInt8
    var tokens: [Token] = []
    private var rest: ArraySlice<UInt8>

    /// Takes a payload apart that a server made without compressing.
    init(_ payload: [UInt8]) {
        type = payload[0]
        rest = payload.dropFirst().dropLast(DumpPayload.footerBytes)
        switch type {
        case DumpFormat.string, DumpFormat.setIntset: string()
        case DumpFormat.set: repeatedly { $0.string() }
        case DumpFormat.hash:
            repeatedly {
                $0.string()
                $0.string()
            }
        case DumpFormat.hashListpack, DumpFormat.sortedSetListpack, DumpFormat.setListpack:
            listpack()
        case DumpFormat.listOfListpacks:
            repeatedly {
                if $0.length() == DumpFormat.packedNode { $0.listpack() } else { $0.string() }
            }
        case DumpFormat.sortedSet:
            repeatedly {
                $0.string()
                $0.raw(8)
            }
        case DumpFormat.hashListpackWithDeadlines:
            raw(8)
            listpack()
        case DumpFormat.hashWithDeadlines:
            raw(8)
            repeatedly {
                $0.length()
                $0.string()
                $0.string()
            }
        case DumpFormat.stream2: stream()
        default: preconditionFailure("no test makes type \(type)")
        }
        precondition(rest.isEmpty, "a payload of type \(type) goes on")
    }

    init(_ type: UInt8, _ tokens: [Token]) {
        self.type = type
        self.tokens = tokens
        rest = []
    }

    // MARK: - Taking apart

    @discardableResult
    private mutating func length() -> UInt64 {
        let first = rest.removeFirst()
        var count = UInt64(first & 63)
        switch first >> 6 {
        case 0: break
        case 1: count = count << 8 | UInt64(rest.removeFirst())
        default: count = bigEndian(first == DumpFormat.length32 ? 4 : 8)
        }
        tokens.append(.length(count))
        return count
    }

    private mutating func bigEndian(_ bytes: Int) -> UInt64 {
        defer { rest.removeFirst(bytes) }
        return rest.prefix(bytes).reduce(0) { $0 << 8 | UInt64($1) }
    }

    private mutating func repeatedly(_ body: (inout DumpTokens) -> Void) {
        for _ in 0..<length() { body(&self) }
    }

    private mutating func raw(_ bytes: Int) {
        tokens.append(.raw(Array(rest.prefix(bytes))))
        rest.removeFirst(bytes)
    }

    private mutating func text() -> [UInt8] {
        switch rest[rest.startIndex] {
        case DumpFormat.integer8, DumpFormat.integer16, DumpFormat.integer32:
            let bytes = 1 << Int(rest.removeFirst() & 3)
            let number = rest.prefix(bytes).reversed().reduce(0) { $0 << 8 | Int64($1) }
            rest.removeFirst(bytes)
            let spare = 64 - 8 * bytes
            return Array(String((number << spare) >> spare).utf8)
        default:
            let count = Int(length())
            tokens.removeLast()
            defer { rest.removeFirst(count) }
            return Array(rest.prefix(count))
        }
    }

    private mutating func string() { tokens.append(.string(text())) }

    private mutating func listpack() {
        var texts: [[UInt8]] = []
        text().withByteView { bytes in
            guard var cursor = ListpackCursor(checked: bytes) else { return }
            while let value = cursor.next() { texts.append(value.array) }
        }
        tokens.append(.listpack(texts))
    }

    private mutating func stream() {
        repeatedly {
            $0.string()
            $0.listpack()
        }
        for _ in 0..<8 { length() }
        repeatedly { group in
            group.string()
            for _ in 0..<3 { group.length() }
            group.repeatedly {
                $0.raw(24)
                $0.length()
            }
            group.repeatedly { consumer in
                consumer.string()
                consumer.raw(8)
                consumer.repeatedly { $0.raw(16) }
            }
        }
    }

    // MARK: - Putting together

    /// The payload, one token of which may be replaced by other bytes.
    func payload(replacing index: Int = -1, with bytes: [UInt8] = [], type: UInt8? = nil) -> [UInt8]
    {
        var body: [UInt8] = []
        for (place, token) in tokens.enumerated() {
            body += place == index ? bytes : token.bytes
        }
        return DumpBytes.payload(type ?? self.type, body)
    }

    /// The same value as older servers, and others, wrote it.
    var older: [DumpTokens] {
        guard case .listpack(let texts)? = tokens.last, tokens.count <= 3 else {
            return type == DumpFormat.stream2 ? [] : olderTables
        }
        let ziplist = Token.string(DumpBytes.ziplist(texts))
        switch type {
        case DumpFormat.hashListpack:
            return [
                DumpTokens(DumpFormat.hashZiplist, [ziplist]),
                DumpTokens(DumpFormat.hashZipmap, [.string(DumpBytes.zipmap(texts))]),
            ]
        case DumpFormat.sortedSetListpack:
            return [DumpTokens(DumpFormat.sortedSetZiplist, [ziplist])]
        case DumpFormat.listOfListpacks:
            return [
                DumpTokens(DumpFormat.listZiplist, [ziplist]),
                DumpTokens(DumpFormat.listOfZiplists, [.length(1), ziplist]),
                DumpTokens(
                    DumpFormat.list, [.length(UInt64(texts.count))] + texts.map { .string($0) }),
            ]
        case DumpFormat.hashListpackWithDeadlines:
            return [DumpTokens(DumpFormat.hashListpackPreview, [.listpack(texts)])]
        default: return []
        }
    }

    private var olderTables: [DumpTokens] {
        switch type {
        case DumpFormat.set:
            let texts = tokens.compactMap { token -> [UInt8]? in
                if case .string(let text) = token { text } else { nil }
            }
            return [DumpTokens(DumpFormat.setListpack, [.listpack(texts)])]
        case DumpFormat.sortedSet:
            let texts = tokens.map { token -> Token in
                if case .raw = token { .raw([3] + Array("1.5".utf8)) } else { token }
            }
            return [DumpTokens(DumpFormat.sortedSetOfTexts, texts)]
        case DumpFormat.hashWithDeadlines:
            return [DumpTokens(DumpFormat.hashWithDeadlines22, Array(tokens.dropFirst()))]
        default: return []
        }
    }
}

extension DumpBytes {
    /// The packed list of servers before 7.0.
    static func ziplist(_ texts: [[UInt8]]) -> [UInt8] {
        var entries: [UInt8] = []
        var previous = 0
        var last = 10
        for text in texts {
            last = 10 + entries.count
            var entry = previous < 254 ? [UInt8(previous)] : [254] + littleEndian(UInt32(previous))
            entry += ziplistElement(text)
            entries += entry
            previous = entry.count
        }
        return littleEndian(UInt32(entries.count + 11)) + littleEndian(UInt32(last))
            + littleEndian(UInt16(texts.count)) + entries + [0xFF]
    }

    private static func ziplistElement(_ text: [UInt8]) -> [UInt8] {
        if let number = text.withByteView({ NumberText.integer($0) }) {
            if number >= 0 && number <= 12 { return [0xF1 + UInt8(number)] }
            if let small = Int16(exactly: number) { return [0xC0] + littleEndian(small) }
            return [0xE0] + littleEndian(number)
        }
        if text.count < 64 { return [UInt8(text.count)] + text }
        return [0x80] + bigEndian(UInt32(text.count)) + text
    }

    /// The small hash of servers before 2.6.
    static func zipmap(_ texts: [[UInt8]]) -> [UInt8] {
        func length(_ text: [UInt8]) -> [UInt8] {
            text.count < 254 ? [UInt8(text.count)] : [254] + littleEndian(UInt32(text.count))
        }
        var bytes = [UInt8(texts.count / 2)]
        for (index, text) in texts.enumerated() {
            bytes += length(text) + (index % 2 == 1 ? [0] : []) + text
        }
        return bytes + [0xFF]
    }
}
