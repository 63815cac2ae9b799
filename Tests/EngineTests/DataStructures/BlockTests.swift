import CLinux
import Testing

@testable import Engine

struct BlockTests {
    @Test func `a block keeps its content through every change of size`() {
        var random = SeededRandom.make()
        let arena = Arena.create(rangeBytes: 1 << 26)
        defer { arena.destroy() }
        var blocks: [(block: Block, model: [UInt8])] = []
        for step in 0..<10_000 {
            switch random.below(4) {
            case 0 where blocks.count < 40:
                let count = size(&random)
                var block = (Block.allocate(count, in: arena), model: [UInt8]())
                block.model = fill(block.0, count, in: arena, step)
                blocks.append((block: block.0, model: block.model))
            case 1 where !blocks.isEmpty:
                let victim = blocks.remove(at: random.below(blocks.count))
                #expect(content(victim.block, victim.model.count, in: arena) == victim.model)
                victim.block.free(in: arena)
            case _ where !blocks.isEmpty:
                let index = random.below(blocks.count)
                let count = size(&random)
                let old = blocks[index].model
                let block = blocks[index].block.resized(to: count, in: arena)
                let kept = min(count, old.count)
                #expect(content(block, kept, in: arena) == Array(old[..<kept]))
                #expect(block.bytes >= count && !block.isNone)
                blocks[index] = (block, fill(block, count, in: arena, step))
            default: continue
            }
        }
        for (block, model) in blocks {
            #expect(content(block, model.count, in: arena) == model)
            block.free(in: arena)
        }
        #expect(arena.allocatedBytes == 0)
    }

    private func size(_ random: inout SeededRandom) -> Int {
        [1 + random.below(64), 1 + random.below(9000), 1 + random.below(100_000)][random.below(3)]
    }

    private func fill(_ block: Block, _ count: Int, in arena: Arena, _ step: Int) -> [UInt8] {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ step) }
        bytes.withByteView { $0.copy(to: block.address(in: arena)) }
        return bytes
    }

    private func content(_ block: Block, _ count: Int, in arena: Arena) -> [UInt8] {
        ByteView(start: block.address(in: arena), count: count).array
    }

    @Test(arguments: [1, 8, 100, 512, 513, 8192])
    func `small blocks lie in the arena, to the byte`(bytes: Int) {
        let arena = Arena.create(rangeBytes: 1 << 22)
        defer { arena.destroy() }
        let block = Block.allocate(bytes, in: arena)
        #expect(block.bytes == arena.blockBytes(for: bytes))
        #expect(arena.allocatedBytes == block.bytes)
        #expect(block.heapMemory == nil)
        #expect(Block(word: block.word) == block)
        block.free(in: arena)
        #expect(arena.allocatedBytes == 0)
    }

    @Test func `a large block lies in the heap`() {
        let arena = Arena.create(rangeBytes: 1 << 22)
        defer { arena.destroy() }
        let block = Block.allocate(8193, in: arena)
        #expect(arena.allocatedBytes == 0)
        #expect(block.heapMemory != nil)
        #expect(block.bytes >= 8193)
        block.free(in: arena)
    }

    @Test func `a full arena lends from the heap`() {
        let arena = Arena.create(unitShift: 3, rangeBytes: 1 << 18)
        defer { arena.destroy() }
        let blocks = (0..<64).map { _ in Block.allocate(8192, in: arena) }
        #expect(blocks.contains { $0.heapMemory != nil })
        for block in blocks { block.free(in: arena) }
        #expect(arena.allocatedBytes == 0)
    }

    @Test func `no block is none`() {
        #expect(Block.none.isNone)
        #expect(Block.none.bytes == 0)
    }
}
