import Testing

@testable import Engine

@Suite struct EntryTests {
    private struct Block: ~Copyable {
        let arena = Arena.create(unitShift: 3, rangeBytes: 1 << 26)
        let bytes: Int
        let entry: Entry

        init(key: String, encoding: Entry.StringEncoding, valueBytes: Int) {
            let key = Array(key.utf8)
            bytes = Entry.bytes(
                keyLength: key.count, valueBytes: valueBytes, hasDeadline: true)
            let entry = Entry(arena.allocate(bytes), arena)
            key.withByteView {
                entry.initialize(
                    key: $0, type: .string, encoding: encoding.rawValue,
                    inlineLength: encoding.rawValue < 2 ? valueBytes : 0, access: 77)
            }
            self.entry = entry
        }

        deinit {
            entry.freeLongKey()
            arena.destroy()
        }
    }

    @Test(arguments: [0, 1, 7, 8, 9, 16, 17, 32, 33, 255, 256, 1000])
    func `a key of any length is kept`(length: Int) {
        let name = String(repeating: "k", count: length)
        let block = Block(key: name, encoding: .inline, valueBytes: 5)
        block.entry.writeInline(ByteView("value"))
        #expect(block.entry.key.string == name)
        #expect(block.entry.hasKey(ByteView("other")) == false)
        #expect(block.entry.inlineString == "value")
        #expect(block.entry.access == 77)
        #expect(block.entry.bytes == block.bytes - 8)
    }

    @Test func `a deadline moves neither key nor value`() {
        let block = Block(key: "key", encoding: .inline, valueBytes: 5)
        block.entry.writeInline(ByteView("value"))
        #expect(block.entry.deadline == nil)
        block.entry.storeDeadline(.max)
        #expect(block.entry.deadline == .max)
        #expect(block.entry.key == "key")
        #expect(block.entry.inlineString == "value")
        #expect(block.entry.bytes == block.bytes)
        block.entry.removeDeadline()
        #expect(block.entry.deadline == nil)
    }

    @Test func `the access mark is 24 bits and touches nothing else`() {
        let block = Block(key: "key", encoding: .integer, valueBytes: 8)
        block.entry.integer = .min
        block.entry.touch(AccessStamp(.moments, seconds: 0xFF_FFFE))
        #expect(block.entry.access == 0xFF_FFFE)
        block.entry.touch(.untouched)
        #expect(block.entry.access == 0xFF_FFFE)
        #expect(block.entry.integer == .min)
        #expect(block.entry.key == "key")
        #expect(block.entry.type == .string)
    }

    @Test(arguments: [0, 9, -1, 10, 99, 100, 12345, Int64.max, .min])
    func `an integer is lent as the text it is`(integer: Int64) {
        let block = Block(key: "key", encoding: .integer, valueBytes: 8)
        block.entry.integer = integer
        #expect(block.entry.withString { $0.string } == String(integer))
        #expect(block.entry.stringCount == String(integer).utf8.count)
        #expect(block.entry.spelledInteger == integer)
        #expect(block.entry.stringEncodingName.description == "int")
    }
}
