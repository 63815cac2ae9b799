import Testing

@testable import Engine

@Suite struct PackedFillerTests {
    private static func text(_ random: inout SeededRandom) -> [UInt8] {
        let count = random.below(40) == 0 ? 250 + random.below(20) : random.below(30)
        return (0..<count).map { _ in UInt8(97 + random.below(3)) }
    }

    @Test(arguments: [PackedRecords.Shape.members, .fields], [0, 1, 9, 128, 2000])
    func `what is filled is what would have been appended`(
        shape: PackedRecords.Shape, count: Int
    ) {
        var random = SeededRandom.make()
        let server = TestServer()
        let context = server.server.keyspace.values
        var seen: Set<[UInt8]> = []
        let records = (0..<count).map { _ in (Self.text(&random), Self.text(&random)) }
        var size = PackedSize()
        for (name, value) in records {
            size.add(name.count)
            if shape.hasValues { size.add(value.count) }
        }
        var appended = PackedRecords(shape, context.arena)
        var filler = PackedFiller(size, shape, context)
        for (name, value) in records {
            name.withByteView { name in
                value.withByteView { value in
                    let isNew = seen.insert(name.array).inserted
                    let isAdded = filler.add(name, value)
                    #expect(isAdded == isNew)
                    if isNew { appended.append(name, value) }
                }
            }
        }
        let filled = PackedRecords(filler.finish(), shape, context.arena)
        filled.checkInvariants()
        #expect(filled.count == appended.count && filled.bytes == appended.bytes)
        for index in 0..<filled.count {
            #expect(filled.record(number: index)?.name == appended.record(number: index)?.name)
            #expect(filled.record(number: index)?.value == appended.record(number: index)?.value)
        }
        filled.block.free(in: context.arena)
        appended.block.free(in: context.arena)
    }
}
