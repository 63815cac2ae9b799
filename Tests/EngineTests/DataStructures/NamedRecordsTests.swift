import Testing

@testable import Engine

@Suite struct NamedRecordsTests {
    @Test func `are found and walked by name`() {
        var random = SeededRandom.make()
        let arena = Arena.create(rangeBytes: 1 << 28)
        defer { arena.destroy() }
        var records = NamedRecords(word: 0, recordBytes: 40, in: arena)
        var model: Set<String> = []
        for round in 0..<4000 {
            let name = String(random.below(round < 2000 ? 500 : 700), radix: 2)
            let isThere = name.withByteView { records.find($0) != nil }
            #expect(isThere == model.contains(name))
            if random.below(3) == 0 || round > 3000 {
                name.withByteView { records.remove($0) }
                model.remove(name)
            } else if !isThere {
                let record = name.withByteView { records.insert($0) }
                #expect(NamedRecords.name(of: record, in: arena).string == name)
                model.insert(name)
            }
            if round % 500 == 0 {
                let names = (0..<records.count).map {
                    NamedRecords.name(of: records[$0], in: arena).string
                }
                #expect(names == model.sorted())
            }
        }
        #expect(records.memoryBytes == arena.allocatedBytes)
        while records.count > 0 { records.removeLast() }
        #expect(records.word == 0)
        #expect(arena.allocatedBytes == 0)
    }

    @Test func `any bytes are a name`() {
        let arena = Arena.create(rangeBytes: 1 << 28)
        defer { arena.destroy() }
        var records = NamedRecords(word: 0, recordBytes: 40, in: arena)
        let names: [[UInt8]] = [[], [0], [255], Array(repeating: 65, count: 20_000)]
        for name in names { _ = name.withByteView { records.insert($0) } }
        for name in names { #expect(name.withByteView { records.find($0) } != nil) }
        #expect([1].withByteView { records.find($0) } == nil)
        #expect(NamedRecords.name(of: records[0], in: arena).isEmpty)
        while records.count > 0 { records.removeLast() }
        #expect(arena.allocatedBytes == 0)
    }
}
