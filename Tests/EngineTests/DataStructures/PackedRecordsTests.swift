import Testing

@testable import Engine

struct PackedRecordsTests {
    private struct Content: Equatable {
        var value: [UInt8]
        var deadline: Int64
    }

    @Test(arguments: [PackedRecords.Shape.members, .fields, .expiringFields])
    func `records behave as a dictionary through random operations`(shape: PackedRecords.Shape) {
        var random = SeededRandom.make()
        let arena = Arena.create(rangeBytes: 1 << 28)
        defer { arena.destroy() }
        var records = PackedRecords(shape, arena)
        var model: [[UInt8]: Content] = [:]
        for step in 0..<10_000 {
            let name = text(&random, 12, from: 40)
            let content = Content(
                value: shape.hasValues ? text(&random, 300, from: 1000) : [],
                deadline: shape.hasDeadlines && random.below(2) == 0
                    ? Int64(random.below(1000)) : PackedRecords.never)
            let choice = random.below(4)
            name.withByteView { name in
                content.value.withByteView { value in
                    change(&records, choice, name, value, content.deadline)
                }
            }
            change(&model, choice, name, content)
            #expect(records.count == model.count)
            if step % 50 == 0 {
                #expect(contents(of: records) == model)
                records.checkInvariants()
            }
        }
        records.block.free(in: arena)
        #expect(arena.allocatedBytes == 0)
    }

    private func change(
        _ records: inout PackedRecords, _ choice: Int, _ name: ByteView, _ value: ByteView,
        _ deadline: Int64
    ) {
        guard let found = records.find(name) else {
            if choice < 3 { records.append(name, value, deadline: deadline) }
            return
        }
        switch choice {
        case 0: records.remove(found)
        case 1 where records.shape.hasValues: records.setValue(of: found, to: value)
        case 2 where records.shape.hasDeadlines: records.setDeadline(of: found, to: deadline)
        default: break
        }
    }

    private func change(
        _ model: inout [[UInt8]: Content], _ choice: Int, _ name: [UInt8], _ content: Content
    ) {
        guard model[name] != nil else {
            if choice < 3 { model[name] = content }
            return
        }
        switch choice {
        case 0: model[name] = nil
        case 1: model[name]?.value = content.value
        case 2: model[name]?.deadline = content.deadline
        default: break
        }
    }

    private func contents(of records: PackedRecords) -> [[UInt8]: Content] {
        var result: [[UInt8]: Content] = [:]
        var offset = records.firstOffset
        while let record = records.record(at: offset) {
            result[record.name.array] = Content(
                value: records.shape.hasValues ? record.value.array : [],
                deadline: record.deadline)
            offset = record.end
        }
        return result
    }

    /// A string of up to `longest` bytes and a few more, out of `variety` different ones.
    private func text(_ random: inout SeededRandom, _ longest: Int, from variety: Int) -> [UInt8] {
        let number = random.below(variety)
        return Array(repeating: UInt8(number & 0xff), count: number * 7919 % (longest + 1))
            + Array(String(number).utf8)
    }

    @Test func `a small set takes its bytes, a length each and six`() {
        let arena = Arena.create(rangeBytes: 1 << 24)
        defer { arena.destroy() }
        var records = PackedRecords(.members, arena)
        for number in 0..<10 {
            Array("member-\(number)".utf8).withByteView { records.append($0) }
        }
        #expect(records.bytes == 6 + 10 * 9)
        #expect(arena.allocatedBytes == 96)
    }

    @Test func `the earliest deadline is known without a walk and found anew by one`() {
        let arena = Arena.create(rangeBytes: 1 << 24)
        defer { arena.destroy() }
        var records = PackedRecords(.expiringFields, arena)
        #expect(records.earliest == PackedRecords.never)
        for (name, deadline) in [("a", 50), ("b", 20), ("c", 30)] as [(String, Int64)] {
            name.withByteView { records.append($0, $0, deadline: deadline) }
        }
        #expect(records.earliest == 20)
        "b".withByteView { name in
            if let found = records.find(name) { records.remove(found) }
        }
        #expect(records.refreshEarliest() == 2 && records.earliest == 30)
        let plain = records.reshaped(.fields)
        #expect(plain.count == 2 && plain.bytes == records.bytes - 24)
    }
}
