import Testing

@testable import Engine

@Suite struct RankedSetTests {
    /// How scores are drawn: the tree is worked on where they are all different, mostly the same,
    /// far apart in size, and at the ends of what a double can be.
    enum Scores: CaseIterable, Sendable {
        case distinct, few, same, wide, extreme

        func draw(_ random: inout SeededRandom) -> Double {
            switch self {
            case .distinct: return Double(random.below(1 << 40)) / 1024 - 1e8
            case .few: return Double(random.below(10)) - 5
            case .same: return 1
            case .wide:
                let bits = random.next()
                let value = Double(bitPattern: bits)
                return value.isNaN ? 0 : value
            case .extreme:
                return [-.infinity, -1, -0.0, 0, 1, .infinity, 1e300, 5e-324][random.below(8)]
            }
        }
    }

    @Test(arguments: Scores.allCases)
    func anyMixOfOperationsAgreesWithASortedArray(scores: Scores) {
        var random = SeededRandom.make()
        let model = SampleRanking(seed: random.next())
        // Growing, shrinking, growing again, down to nothing.
        for (rounds, insertions) in [(6000, 9), (4000, 3), (2000, 7), (3000, 1)] {
            for step in 0..<rounds {
                if random.below(10) < insertions {
                    model.put(name(&random), scores.draw(&random))
                } else if !model.items.isEmpty, random.below(2) == 0 {
                    let end = [0, model.items.count - 1, random.below(model.items.count)]
                    #expect(model.remove(model.items[end[random.below(3)]].member))
                } else {
                    let name = name(&random)
                    #expect(model.remove(name) == false || model.scores[name] == nil)
                }
                if step % 50 == 0 { ask(model, &random, scores) }
                if step % 500 == 0 { #expect(model.agrees(), "seed \(random.seed)") }
            }
            #expect(model.agrees(), "seed \(random.seed)")
        }
        while let item = model.items.first { #expect(model.remove(item.member)) }
        #expect(model.agrees())
        #expect(model.destroy() == 0, "seed \(random.seed)")
    }

    private func name(_ random: inout SeededRandom) -> [UInt8] {
        var name = Array("member:\(random.below(5000))".utf8)
        if name.last == UInt8(ascii: "7") { name += Array(repeating: 0x78, count: 300) }
        return name
    }

    /// Ranks and bounds against the array.
    private func ask(_ model: SampleRanking, _ random: inout SeededRandom, _ scores: Scores) {
        let tree = model.set.tree
        let score = scores.draw(&random)
        let below = model.items.count { $0.score < score }
        let through = model.items.count { $0.score <= score }
        #expect(tree.rank(of: .before(score: score)) == below, "seed \(random.seed)")
        #expect(tree.rank(of: .after(score: score)) == through, "seed \(random.seed)")
        guard !model.items.isEmpty else { return }
        let rank = random.below(model.items.count)
        let element = tree.element(at: rank)
        #expect(element.member.array == model.items[rank].member, "seed \(random.seed)")
        #expect(tree.rank(of: element) == rank, "seed \(random.seed)")
        if scores == .same {
            let name = name(&random)
            let before = model.items.count { $0.member.lexicographicallyPrecedes(name) }
            let here = model.scores[name] == nil ? 0 : 1
            name.withByteView {
                #expect(tree.rank(of: .before(member: $0)) == before)
                #expect(tree.rank(of: .after(member: $0)) == before + here)
            }
        }
    }

    @Test func aSetIsFreedInSlices() {
        let model = SampleRanking(seed: 1)
        for number in 0..<20_000 {
            let name = Array("member:\(number)".utf8)
            _ = name.withByteView { model.set.insert($0, score: Double(number % 777)) }
        }
        var slices = 1
        while model.set.freeSome(limit: 500) { slices += 1 }
        #expect(slices >= 40 && slices < 60)
        #expect(model.arena.allocatedBytes == 0)
        model.arena.destroy()
    }

    @Test func aScanMeetsEveryMember() {
        let model = SampleRanking(seed: 2)
        for number in 0..<3000 { model.put(Array("m\(number)".utf8), Double(number)) }
        var seen: ContiguousArray<Arena.Handle> = []
        var cursor: UInt64 = 0
        repeat {
            cursor = model.set.scan(cursor, atLeast: 10, mostSteps: 3, into: &seen)
        } while cursor != 0
        #expect(Set(seen.map { model.set.element($0).member.array }).count == 3000)
        #expect(model.destroy() == 0)
    }
}
