import Testing

@testable import Engine

struct OwnedElementsTests {
    private func makeTable(_ arena: Arena, _ count: Int) -> MemberTable {
        let hasher = SeededHash(seed: 1, 2, 3, 4)
        let table = MemberTable.create(
            arena: arena, context: MemberPolicy.Context(arena: arena, hasher: hasher))
        for number in 0..<count {
            // Some lie in the heap.
            let bytes = Array(repeating: UInt8(number % 256), count: number % 50 == 0 ? 5000 : 10)
            (Array("\(number)".utf8) + bytes).withByteView { name in
                if let block = MemberBlock.make(name, arena) {
                    table.insert(block.handle, hash: hasher.hash(name))
                }
            }
        }
        return table
    }

    @Test func `entries are freed a few at a time, and the table with the last`() {
        let arena = Arena.create(rangeBytes: 1 << 26)
        defer { arena.destroy() }
        let table = makeTable(arena, 1000)
        #expect(table.count == 1000)
        let freed = table.freeElements(about: 300, in: arena)
        #expect(freed >= 300 && freed < 400)
        #expect(table.count == 1000 - freed)
        #expect(!table.free(elements: 300, in: arena))
        #expect(table.free(elements: 500, in: arena))
        #expect(arena.allocatedBytes == 0)
    }

    @Test func `bytes are those the arena and the heap have given`() {
        let arena = Arena.create(rangeBytes: 1 << 26)
        defer { arena.destroy() }
        let table = makeTable(arena, 200)
        let inHeap = table.elementBytes(in: arena) + table.memoryBytes - arena.allocatedBytes
        // Four names of 5,000 bytes and more.
        #expect(inHeap > 4 * 5000 && inHeap < 4 * 6000)
        table.free(elements: .max, in: arena)
        #expect(arena.allocatedBytes == 0)
    }
}
