import Testing

@testable import Engine

@Suite struct BPlusTreeTests {
    private static let size = 20_000

    private func model(_ order: (Int) -> Int) -> SampleRanking {
        let model = SampleRanking(seed: 3)
        for step in 0..<Self.size {
            let number = order(step)
            let name = Array("element:\(number)".utf8)
            _ = name.withByteView { model.set.insert($0, score: Double(number)) }
        }
        model.set.checkInvariants()
        return model
    }

    @Test func membersInOrderFillTheirLeaves() {
        for order in [{ $0 }, { Self.size - $0 }] as [(Int) -> Int] {
            let model = model(order)
            #expect(model.set.tree.memoryBytes < Self.size * 7)
            #expect(model.destroy() == 0)
        }
    }

    @Test func membersInRandomOrderTakeLittleMore() {
        let model = model { $0 &* 7919 % Self.size }
        #expect(model.set.tree.memoryBytes < Self.size * 9)
        #expect(model.destroy() == 0)
    }

    @Test func aTreeThatEmptiedTakesNoMemory() {
        for rank in [{ _ in 0 }, { $0 - 1 }, { $0 / 2 }] as [(Int) -> Int] {
            let model = model { $0 }
            while !model.set.isEmpty {
                model.set.remove(model.set.tree.element(at: rank(model.set.count)))
                if model.set.count % 1000 == 0 { model.set.checkInvariants() }
                if model.set.count == 1000 { #expect(model.set.tree.memoryBytes < 1000 * 30) }
            }
            #expect(model.destroy() == 0)
        }
    }

    @Test func aScoreThatChangesALittleStaysInItsPlace() {
        let model = model { $0 }
        for rank in stride(from: 0, to: Self.size, by: 3) {
            let element = model.set.tree.element(at: rank)
            model.set.setScore(element.score + 0.5, of: element)
            #expect(model.set.tree.rank(of: element) == rank)
        }
        model.set.checkInvariants()
        #expect(model.destroy() == 0)
    }

    @Test func walksBeginAnywhereAndEndAtTheEnds() {
        let model = model { $0 }
        var walk = model.set.tree.walk(from: Self.size - 2)
        #expect(walk.next()?.score == Double(Self.size - 2))
        #expect(walk.next()?.score == Double(Self.size - 1))
        #expect(walk.next() == nil && walk.next() == nil)
        var back = model.set.tree.walk(from: 100, isReversed: true)
        for score in stride(from: 100, through: 0, by: -1) {
            #expect(back.next()?.score == Double(score))
        }
        #expect(back.next() == nil)
        var none = model.set.tree.walk(from: Self.size)
        #expect(none.next() == nil)
        #expect(model.destroy() == 0)
    }
}
