import Testing

@testable import Engine

@Suite struct DeadlineTreeTests {
    @Test func anEmptyTreeTakesNothingAndKnowsIt() {
        let tree = DeadlineTree.create()
        defer { tree.destroy() }
        let before = tree.memoryBytes
        for _ in 0..<1000 { tree.append() }
        #expect(tree.isEmpty && tree.earliestGroup() == nil && tree.groupCount == 1001)
        #expect(tree.earliest == DeadlineTree.never && tree.memoryBytes == before)
        tree.lower(700, 5)
        #expect(!tree.isEmpty && tree.earliest == 5 && tree.earliestGroup() == 700)
        tree.set(700, DeadlineTree.never)
        #expect(tree.isEmpty)
        tree.removeAll()
        #expect(tree.memoryBytes == before && tree.groupCount == 1)
    }

    @Test func aRandomGroupHasADeadline() {
        var random = SeededRandom.make()
        let tree = DeadlineTree.create(groupCount: 5000)
        defer { tree.destroy() }
        #expect(tree.randomGroup { random.next() } == nil)
        let groups = Set((0..<40).map { $0 * 97 })
        for group in groups { tree.lower(group, Int64(group) + 1) }
        var drawn: Set<Int> = []
        for _ in 0..<4000 {
            if let group = tree.randomGroup({ random.next() }) { drawn.insert(group) }
        }
        #expect(drawn == groups)
    }

    @Test func memoryIsAboutNineBytesAGroup() {
        let tree = DeadlineTree.create(groupCount: 100_000)
        defer { tree.destroy() }
        tree.lower(0, 1)
        #expect(tree.memoryBytes < 100_000 * 93 / 10)
    }

    @Test func modelOfRandomDeadlines() {
        var random = SeededRandom.make()
        let tree = DeadlineTree.create()
        defer { tree.destroy() }
        var model: [Int64] = [DeadlineTree.never]
        for step in 0..<20_000 {
            let group = random.below(model.count)
            let deadline = random.below(8) == 0 ? DeadlineTree.never : Int64(random.below(1000))
            let growing = (step / 4000) % 2 == 0
            switch random.below(4) {
            case 0:
                tree.lower(group, deadline)
                model[group] = min(model[group], deadline)
            case 1:
                tree.set(group, deadline)
                model[group] = deadline
            case 2 where growing:
                tree.append(deadline)
                model.append(deadline)
            default:
                if growing || model.count == 1 { continue }
                tree.removeLast()
                model.removeLast()
            }
            let least = model.min() ?? DeadlineTree.never
            #expect(tree.earliest == least && tree.groupCount == model.count)
            let first = least == DeadlineTree.never ? nil : model.firstIndex(of: least)
            #expect(tree.earliestGroup() == first)
            if step % 20 == 0 { tree.checkInvariants() }
            if step % 5000 == 4999 {
                tree.removeAll()
                model = [DeadlineTree.never]
            }
        }
        for group in model.indices { #expect(tree.deadline(of: group) == model[group]) }
    }
}
