import Testing

@testable import Engine

@Suite struct ArenaTests {
    @Test func sizesAreRoundedUpToClasses() {
        #expect(Arena.blockBytes(for: 1) == 8)
        #expect(Arena.blockBytes(for: 40) == 40)
        #expect(Arena.blockBytes(for: 512) == 512)
        #expect(Arena.blockBytes(for: 513) == 576)
        #expect(Arena.blockBytes(for: 1024) == 1024)
        #expect(Arena.blockBytes(for: 1025) == 1088)
        #expect(Arena.blockBytes(for: 2432) == 2496)
        #expect(Arena.blockBytes(for: 7233) == 8192)
        #expect(Arena.blockBytes(for: Arena.largestBlock) == Arena.largestBlock)
        for bytes in 1...Arena.largestBlock {
            let block = Arena.blockBytes(for: bytes)
            #expect(block >= bytes && block - bytes < max(8, bytes / 7))
            #expect(Arena.blockBytes(for: block) == block)
        }
    }

    @Test func aSpanHoldsAsManyBlocksAsItCan() {
        for lines in 17...Arena.largestBlock / 64 {
            #expect(
                Arena.spanBytes / Arena.blockBytes(for: lines * 64)
                    == Arena.spanBytes / (lines * 64))
        }
    }

    @Test(arguments: [3, 4, 5]) func blocksOf64AreAligned(unitShift: Int) {
        let arena = Arena.create(unitShift: unitShift)
        defer { arena.destroy() }
        for bytes in stride(from: 64, through: 512, by: 64) {
            for _ in 0..<100 {
                let address = UInt(bitPattern: arena.address(arena.allocate(bytes)))
                #expect(address % 64 == 0)
            }
        }
        arena.checkInvariants()
    }

    @Test func anEmptiedSpanServesAnotherClass() {
        let arena = Arena.create(unitShift: 3)
        defer { arena.destroy() }
        let blocks = (0..<1000).map { _ in arena.allocate(64) }
        let committed = arena.committedBytes
        for block in blocks { arena.free(block, 64) }
        #expect(arena.allocatedBytes == 0)
        #expect(arena.committedBytes == committed && arena.reserveBytes == committed)
        _ = arena.allocate(8192)
        #expect(arena.committedBytes == committed)
        arena.trim()
        #expect(arena.committedBytes == Arena.spanBytes && arena.reserveBytes == 0)
        arena.checkInvariants()
    }

    @Test func pagesGoBackBeyondTheReserve() {
        let arena = Arena.create(unitShift: 3)
        defer { arena.destroy() }
        let blocks = (0..<8 * 200).map { _ in arena.allocate(8192) }
        #expect(arena.committedBytes == 200 * Arena.spanBytes)
        for block in blocks { arena.free(block, 8192) }
        #expect(arena.committedBytes == 200 * Arena.spanBytes && arena.excessSpans == 136)
        arena.returnPages(limit: 100)
        #expect(arena.committedBytes == 100 * Arena.spanBytes && arena.excessSpans == 36)
        arena.returnPages(limit: .max)
        #expect(arena.committedBytes == 64 * Arena.spanBytes && arena.excessSpans == 0)
        for _ in 0..<8 * 200 { #expect(!arena.allocate(8192).isNone) }
        #expect(arena.committedBytes == 200 * Arena.spanBytes)
    }

    @Test func aCopyGivesSpansBackWhoseBlocksAllWere() {
        let arena = Arena.create()
        defer { arena.destroy() }
        let blocks = (0..<24).map { _ in arena.allocate(Arena.largestBlock) }
        for block in blocks { arena.address(block).storeBytes(of: 7, as: UInt64.self) }
        func holds(_ block: Arena.Handle) -> Bool {
            arena.address(block).load(as: UInt64.self) == 7
        }
        // Three spans: of the first all blocks, of the second all but one.
        arena.onlyGivesBack = true
        for block in blocks[0..<15] { arena.free(block, Arena.largestBlock) }
        #expect(blocks[0..<8].allSatisfy { !holds($0) })
        #expect(blocks[8..<24].allSatisfy { holds($0) })
        // What is needed for a moment comes from elsewhere.
        let fresh = arena.allocate(Arena.largestBlock)
        #expect(!blocks.contains(fresh))
        arena.address(fresh).storeBytes(of: 7, as: UInt64.self)
        arena.free(fresh, Arena.largestBlock)
        arena.free(blocks[15], Arena.largestBlock)
        #expect(!holds(fresh) && !holds(blocks[15]) && holds(blocks[16]))
    }

    @Test func anExhaustedRangeAnswersNone() {
        let arena = Arena.create(unitShift: 3, rangeBytes: 64 * Arena.spanBytes)
        defer { arena.destroy() }
        var blocks: [Arena.Handle] = []
        while true {
            let block = arena.allocate(4096)
            if block.isNone { break }
            blocks.append(block)
        }
        // 63 spans of 16 blocks, less a reserve of 4 spans.
        #expect(blocks.count == 59 * 16)
        #expect(!arena.allocateEssential(4096).isNone)
        for block in blocks { arena.free(block, 4096) }
        #expect(!arena.allocate(4096).isNone)
        arena.checkInvariants()
    }

    @Test func knowsItsAddresses() {
        let arena = Arena.create()
        defer { arena.destroy() }
        let block = arena.allocate(100)
        #expect(arena.contains(arena.address(block)))
        #expect(arena.handle(at: arena.address(block)) == block)
        var outside = 0
        withUnsafePointer(to: &outside) { #expect(!arena.contains($0)) }
    }

    /// Random blocks of random sizes, each filled with a pattern of its own that must still be
    /// there when it is freed: overlaps and moves would show.
    @Test(arguments: [3, 4, 5]) func modelOfRandomBlocks(unitShift: Int) {
        var random = SeededRandom.make()
        let arena = Arena.create(unitShift: unitShift)
        defer { arena.destroy() }
        var live: [(handle: Arena.Handle, bytes: Int, pattern: UInt8)] = []
        var expectedBytes = 0
        for step in 0..<20_000 {
            let growing = (step / 2000) % 2 == 0
            if live.isEmpty || random.below(100) < (growing ? 70 : 30) {
                let bytes = 1 + random.below(random.below(10) == 0 ? Arena.largestBlock : 200)
                let pattern = UInt8.random(in: 0...255, using: &random)
                let handle = arena.allocate(bytes)
                let start = arena.address(handle)
                for offset in edges(of: bytes) {
                    start.storeBytes(of: pattern, toByteOffset: offset, as: UInt8.self)
                }
                live.append((handle, bytes, pattern))
                expectedBytes += arena.blockBytes(for: bytes)
            } else {
                let (handle, bytes, pattern) = live.remove(at: random.below(live.count))
                let start = arena.address(handle)
                let kept = edges(of: bytes).allSatisfy {
                    start.load(fromByteOffset: $0, as: UInt8.self) == pattern
                }
                #expect(kept)
                arena.free(handle, bytes)
                expectedBytes -= arena.blockBytes(for: bytes)
            }
            if step % 500 == 0 { arena.checkInvariants() }
        }
        #expect(arena.allocatedBytes == expectedBytes)
        for (handle, bytes, _) in live { arena.free(handle, bytes) }
        #expect(arena.allocatedBytes == 0)
        arena.checkInvariants()
    }

    /// The first and last 16 bytes of a block, which neighbours would overwrite first.
    private func edges(of bytes: Int) -> [Int] {
        bytes <= 32 ? Array(0..<bytes) : Array(0..<16) + Array(bytes - 16..<bytes)
    }

    @Test func aWrongSizeStops() async {
        await #expect(processExitsWith: .failure) {
            let arena = Arena.create(unitShift: 3)
            arena.free(arena.allocate(40), 48)
        }
    }

    @Test func aWriteAfterFreeStops() async {
        await #expect(processExitsWith: .failure) {
            let arena = Arena.create(unitShift: 3)
            let block = arena.allocate(40)
            _ = arena.allocate(40)
            arena.free(block, 40)
            arena.address(block).storeBytes(of: 7, as: UInt64.self)
            _ = arena.allocate(40)
        }
    }
}
