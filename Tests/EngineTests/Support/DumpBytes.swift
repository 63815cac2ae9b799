@testable import Engine

/// Bytes of the RDB format made by hand, also in forms that no server writes.
enum DumpBytes {
    // MARK: - Elements of a listpack

    /// How an element spells what it holds: as integers of so many bits, or as text behind a length of
    /// so many.
    enum Form: CaseIterable {
        case bits7, bits13, bits16, bits24, bits32, bits64, text6, text12, text32
    }

    /// An element with this content in this form; nil where the form cannot hold it.
    static func element(_ text: [UInt8], _ form: Form) -> [UInt8]? {
        let integer = Int64(String(decoding: text, as: UTF8.self))
        guard let body = body(text, integer, form) else { return nil }
        return body + backLength(body.count)
    }

    static func element(_ text: String, _ form: Form) -> [UInt8]? {
        element(Array(text.utf8), form)
    }

    /// The element as every server writes it.
    static func element(_ text: [UInt8]) -> [UInt8] {
        for form in Form.allCases {
            let isInteger = text.withByteView { NumberText.integer($0) != nil }
            if isInteger || [.text6, .text12, .text32].contains(form),
                let element = element(text, form)
            {
                return element
            }
        }
        preconditionFailure("some form holds every text")
    }

    static func element(_ text: String) -> [UInt8] { element(Array(text.utf8)) }
    static func element(_ integer: Int64) -> [UInt8] { element(String(integer)) }

    private static func body(_ text: [UInt8], _ integer: Int64?, _ form: Form) -> [UInt8]? {
        let count = text.count
        switch form {
        case .bits7:
            guard let integer, integer >= 0, integer < 128 else { return nil }
            return [UInt8(integer)]
        case .bits13:
            guard let integer, integer >= -4096, integer < 4096 else { return nil }
            return [
                0xC0 | UInt8(truncatingIfNeeded: integer >> 8) & 0x1F,
                UInt8(truncatingIfNeeded: integer),
            ]
        case .bits16: return wide(integer, 0xF1, bytes: 2)
        case .bits24: return wide(integer, 0xF2, bytes: 3)
        case .bits32: return wide(integer, 0xF3, bytes: 4)
        case .bits64: return wide(integer, 0xF4, bytes: 8)
        case .text6: return count < 64 ? [0x80 | UInt8(count)] + text : nil
        case .text12:
            return count < 4096 ? [0xE0 | UInt8(count >> 8), UInt8(count & 0xFF)] + text : nil
        case .text32: return [0xF0] + littleEndian(UInt32(count)) + text
        }
    }

    private static func wide(_ integer: Int64?, _ mark: UInt8, bytes: Int) -> [UInt8]? {
        guard let integer else { return nil }
        let spare = 64 - 8 * bytes
        let kept = (integer << spare) >> spare
        return kept == integer
            ? [mark] + littleEndian(UInt64(bitPattern: integer)).prefix(bytes) : nil
    }

    /// The length of an element, to be read from its end.
    static func backLength(_ size: Int) -> [UInt8] {
        let count = ListpackFormat.backLengthBytes(size)
        return (0..<count).map { index in
            UInt8(size >> (7 * (count - 1 - index)) & 0x7F) | (index == 0 ? 0 : 0x80)
        }
    }

    static func listpack(_ elements: [[UInt8]]) -> [UInt8] {
        let body = elements.flatMap { $0 }
        return littleEndian(UInt32(body.count + 7))
            + littleEndian(UInt16(min(elements.count, 65535))) + body + [0xFF]
    }

    /// A listpack of these texts as every server writes them, but number `index` in `form`; nil where
    /// the form cannot hold it.
    static func listpack(_ texts: [String], _ index: Int, _ form: Form) -> [UInt8]? {
        guard let special = element(texts[index], form) else { return nil }
        var elements = texts.map { element($0) }
        elements[index] = special
        return listpack(elements)
    }

    // MARK: - Primitives

    static func littleEndian<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> Number($0 * 8)) }
    }

    static func bigEndian<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        littleEndian(number).reversed()
    }

    static func length(_ count: UInt64) -> [UInt8] {
        count < 64 ? [UInt8(count)] : [0x81] + bigEndian(count)
    }

    static func string(_ bytes: [UInt8]) -> [UInt8] { length(UInt64(bytes.count)) + bytes }
    static func string(_ text: String) -> [UInt8] { string(Array(text.utf8)) }

    static func id(_ milliseconds: UInt64, _ sequence: UInt64) -> [UInt8] {
        bigEndian(milliseconds) + bigEndian(sequence)
    }

    // MARK: - Whole things

    /// A payload for RESTORE.
    static func payload(_ type: UInt8, _ body: [UInt8], version: UInt16 = 12) -> [UInt8] {
        sealed([type] + body + littleEndian(version))
    }

    /// A file of one key.
    static func file(_ type: UInt8, _ body: [UInt8], key: String = "k", version: Int = 12)
        -> [UInt8]
    {
        sealed(Array("REDIS00\(version)".utf8) + [type] + string(key) + body + [DumpFormat.end])
    }

    /// The bytes and their checksum.
    static func sealed(_ bytes: [UInt8]) -> [UInt8] {
        bytes + littleEndian(bytes.withByteView { CRC64.update(0, $0) })
    }
}

extension TestServer {
    /// What RESTORE says to a value, which takes the place of the one before.
    func restore(_ type: UInt8, _ body: [UInt8], key: String = "k", version: UInt16 = 12) -> Reply {
        restore(payload: DumpBytes.payload(type, body, version: version), key: key)
    }

    func restore(payload: [UInt8], key: String = "k") -> Reply {
        client.run(bytes: [
            Array("RESTORE".utf8), Array(key.utf8), Array("0".utf8), payload, Array("REPLACE".utf8),
        ])
    }

    /// The payload of a key; nil where there is none.
    func dump(_ key: String) -> [UInt8]? {
        client.send([Array("DUMP".utf8), Array(key.utf8)])
        let reply = client.connection.reply.view.array
        client.connection.reply.drain(reply.count)
        guard reply.count > 5, let end = reply.firstIndex(of: 10) else { return nil }
        return Array(reply[(end + 1)...].dropLast(2))
    }

    /// Loads a file beside what is there; what is wrong with it, nil for nothing.
    func load(
        file bytes: [UInt8], checks: Bool = true, dropsExpired: Bool = true
    ) -> DumpError? {
        bytes.withByteView { view in
            var reader = DumpReader(view, checks: checks)
            var options = SnapshotReader.Options(checks: checks)
            options.replaces = true
            options.dropsExpired = dropsExpired
            var snapshot = SnapshotReader(into: server.keyspace, options)
            do throws(DumpError) {
                try snapshot.load(from: &reader)
                return nil
            } catch {
                return error
            }
        }
    }
}
