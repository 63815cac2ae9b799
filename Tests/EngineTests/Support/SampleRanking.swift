@testable import Engine

/// A ranked set beside a plain sorted array that must always agree with it.
final class SampleRanking {
    struct Item: Equatable {
        var score: Double
        var member: [UInt8]

        static func < (left: Item, right: Item) -> Bool {
            left.score != right.score
                ? left.score < right.score : left.member.lexicographicallyPrecedes(right.member)
        }
    }

    let arena: Arena
    let set: RankedSet
    private(set) var items: [Item] = []
    private(set) var scores: [[UInt8]: Double] = [:]
    private let emptyBytes: Int

    init(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        arena = Arena.create(unitShift: 3)
        emptyBytes = arena.allocatedBytes
        set = RankedSet.create(arena: arena, hasher: SeededHash(using: &random))
    }

    /// Frees everything; what is left in the arena has leaked.
    func destroy() -> Int {
        set.destroy()
        let leaked = arena.allocatedBytes - emptyBytes
        arena.destroy()
        return leaked
    }

    private func index(of item: Item) -> Int {
        var (low, high) = (0, items.count)
        while low < high {
            let middle = (low + high) / 2
            if items[middle] < item { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func put(_ member: [UInt8], _ score: Double) {
        if let old = scores[member] {
            items.remove(at: index(of: Item(score: old, member: member)))
            set.setScore(score, of: member.withByteView { set.find($0)! })
        } else {
            _ = member.withByteView { set.insert($0, score: score) }
        }
        let item = Item(score: score, member: member)
        items.insert(item, at: index(of: item))
        scores[member] = score
    }

    func remove(_ member: [UInt8]) -> Bool {
        let found = member.withByteView { set.find($0) }
        guard let old = scores.removeValue(forKey: member) else { return found != nil }
        items.remove(at: index(of: Item(score: old, member: member)))
        guard let found else { return false }
        set.remove(found)
        return true
    }

    /// Whether the set, walked both ways, is the array.
    func agrees() -> Bool {
        set.checkInvariants()
        guard set.count == items.count else { return false }
        var walk = set.tree.walk(from: 0)
        for item in items {
            guard let next = walk.next(), next.score == item.score, next.member.array == item.member
            else { return false }
        }
        guard walk.next() == nil else { return false }
        var back = set.tree.walk(from: items.count - 1, isReversed: true)
        for item in items.reversed() {
            guard let next = back.next(), next.member.array == item.member else { return false }
        }
        return back.next() == nil
    }
}
