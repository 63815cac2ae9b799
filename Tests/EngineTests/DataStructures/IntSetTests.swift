import Testing

@testable import Engine

struct IntSetTests {
    private static let values: [Int64] = [
        0, 1, -1, 32767, 32768, -32768, -32769, 2_147_483_647, 2_147_483_648, -2_147_483_648,
        -2_147_483_649, .max, .min,
    ]

    @Test func `a set behaves as a Swift set through random operations`() {
        var random = SeededRandom.make()
        let arena = Arena.create(rangeBytes: 1 << 26)
        defer { arena.destroy() }
        var (set, model) = (IntSet(arena), Set<Int64>())
        for step in 0..<20_000 {
            if step % 4000 == 3999 {
                set.block.free(in: arena)
                (set, model) = (IntSet(arena), [])
            }
            let value = value(&random, wide: step % 4000 > 1500)
            switch random.below(3) {
            case 0: #expect(set.insert(value) == model.insert(value).inserted)
            case 1: #expect(set.remove(value) == (model.remove(value) != nil))
            default: #expect(set.contains(value) == model.contains(value))
            }
            set.checkInvariants()
            #expect(set.count == model.count)
            if step % 100 == 0 {
                #expect((0..<set.count).map { set[$0] } == model.sorted())
            }
        }
        set.block.free(in: arena)
        #expect(arena.allocatedBytes == 0)
    }

    private func value(_ random: inout SeededRandom, wide: Bool) -> Int64 {
        if wide && random.below(3) == 0 { return Self.values[random.below(Self.values.count)] }
        return Int64(random.below(200)) - 100
    }

    @Test func `the bytes are those of an RDB file`() {
        let arena = Arena.create(rangeBytes: 1 << 24)
        defer { arena.destroy() }
        var set = IntSet(arena)
        for value in [5, -1, 1000] as [Int64] { _ = set.insert(value) }
        #expect(set.bytes.array == [2, 0, 0, 0, 3, 0, 0, 0, 0xff, 0xff, 5, 0, 0xe8, 3])
        _ = set.insert(70_000)
        #expect(
            set.bytes.array == [
                4, 0, 0, 0, 4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 5, 0, 0, 0, 0xe8, 3, 0, 0,
                0x70, 0x11, 1, 0,
            ])
    }

    @Test(
        arguments: [
            [], [2, 0, 0, 0], [2, 0, 0, 0, 0, 0, 0, 0],
            [2, 0, 0, 0, 1, 0, 0, 0, 1], [2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0],
            [3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0], [2, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0],
            [2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 1, 0], [2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 0],
        ] as [[UInt8]])
    func `hostile bytes are refused`(bytes: [UInt8]) {
        #expect(!bytes.withByteView { IntSet.isValid($0) })
    }

    @Test func `random bytes are refused or read, and nothing breaks`() {
        var random = SeededRandom.make()
        let arena = Arena.create(rangeBytes: 1 << 24)
        defer { arena.destroy() }
        var accepted = 0
        for _ in 0..<20_000 {
            let count = random.below(4)
            var bytes: [UInt8] = [[2, 4, 8, 3][random.below(4)], 0, 0, 0]
            bytes += [UInt8(count), 0, 0, 0]
            bytes += (0..<count * Int(bytes[0])).map { _ in UInt8(random.below(256)) }
            if random.below(10) == 0 { bytes.removeLast(min(bytes.count, random.below(9))) }
            bytes.withByteView { view in
                guard var set = IntSet(validating: view, arena) else { return }
                accepted += 1
                set.checkInvariants()
                _ = set.insert(Int64(random.below(100)))
                set.checkInvariants()
                set.block.free(in: arena)
            }
        }
        #expect(accepted > 1000)
        #expect(arena.allocatedBytes == 0)
    }
}
