import Testing

@testable import Engine

struct SubscriptionTableTests {
    private func view<Result>(_ name: Int, _ body: (ByteView) -> Result) -> Result {
        "channel:\(name)".withByteView(body)
    }

    @Test func `behaves as a dictionary of sets does`() {
        var random = SeededRandom.make()
        var table = SubscriptionTable(hasher: SeededHash(using: &random))
        var model: [Int: Set<UInt32>] = [:]
        for step in 0..<20_000 {
            // Few names with many subscribers, and many with few; emptied from time to time.
            let name = random.below(2) == 0 ? random.below(3) : random.below(400)
            let subscriber = UInt32(random.below(60))
            switch random.below(step / 5000 % 2 == 0 ? 5 : 3) {
            case 0:
                let isGone = model[name]?.remove(subscriber) != nil
                if model[name]?.isEmpty ?? false { model[name] = nil }
                #expect(view(name) { table.remove(subscriber, from: $0) } == isGone)
            case 1 where random.below(10) == 0:
                let names = model.filter { $0.value.contains(subscriber) }.keys
                for name in names {
                    model[name]?.remove(subscriber)
                    if model[name]?.isEmpty ?? false { model[name] = nil }
                }
                let removed = table.removeAll(of: subscriber)
                    .map { String(decoding: $0, as: UTF8.self) }
                #expect(Set(removed) == Set(names.map { "channel:\($0)" }))
            default:
                let isNew = model[name, default: []].insert(subscriber).inserted
                #expect(view(name) { table.add(subscriber, to: $0) } == isNew)
            }
            #expect(table.count == model.count)
            if step % 100 == 0 { compare(table, model) }
        }
        for subscriber in 0..<60 { _ = table.removeAll(of: UInt32(subscriber)) }
        #expect(table.isEmpty && table.memoryBytes == 0 && table.names.isEmpty)
    }

    private func compare(_ table: SubscriptionTable, _ model: [Int: Set<UInt32>]) {
        for name in 0..<400 {
            let found = view(name) { table.find($0) }.map { table[$0].subscribers }
            #expect(Set(found ?? []) == model[name] ?? [])
            #expect(found?.count ?? 0 == model[name]?.count ?? 0)
        }
        for subscriber in 0..<60 as Range<UInt32> {
            let names = model.values.filter { $0.contains(subscriber) }
            #expect(table.count(of: subscriber) == names.count)
        }
    }
}
