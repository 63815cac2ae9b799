import Testing

@testable import Engine

@Suite struct NameTracesTests {
    private func ground() -> (Arena, UnpackingRoom) {
        let arena = Arena.create(rangeBytes: 1 << 24)
        return (arena, UnpackingRoom.create(in: arena))
    }

    @Test(arguments: [0, 1, 8, 100, 128, 5000])
    func `a name that came before is never called new`(most: Int) {
        var random = SeededRandom.make()
        let (arena, room) = ground()
        defer {
            room.destroy()
            arena.destroy()
        }
        // What lay in the room before is no name.
        room.bytes(40_000).initializeMemory(as: UInt8.self, repeating: 0xFF, count: 40_000)
        var traces = NameTraces(most: most, in: room)
        var seen: Set<UInt64> = []
        var doubted = 0
        for _ in 0..<2 * most + 20 {
            // Few values, so that many come twice; some share a slot, some a trace.
            let hash = UInt64(random.below(most + 10)) << 33 | UInt64(random.below(3))
            let isNew = traces.isNew(hash)
            if seen.contains(hash) { #expect(!isNew) }
            if !isNew && !seen.contains(hash) && seen.count < most { doubted += 1 }
            if isNew { seen.insert(hash) }
        }
        #expect(seen.count <= max(most, 8))
        #expect(doubted <= 2 * most)
    }

    @Test func `names of different hashes are new as long as there is room`() {
        var random = SeededRandom.make()
        let (arena, room) = ground()
        defer {
            room.destroy()
            arena.destroy()
        }
        var traces = NameTraces(most: 128, in: room)
        for number in 0..<256 {
            let isNew = traces.isNew(random.next())
            #expect(isNew == (number < 128))
        }
    }
}
