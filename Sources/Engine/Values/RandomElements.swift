/// A collection whose elements can be drawn at random: what SRANDMEMBER, HRANDFIELD and ZRANDMEMBER
/// need of it.
protocol RandomElements {
    /// Names an element while the collection does not change.
    associatedtype Position: Hashable

    var count: Int { get }
    /// Whether drawing one element costs much less than naming all.
    var drawsCheaply: Bool { get }

    /// Where all elements are that can be drawn.
    func positions() -> ContiguousArray<Position>
    /// One of them, every one with the same probability; nil where there is none.
    func randomPosition(by chance: ValueContext) -> Position?
}

extension RandomElements {
    /// `wanted` different elements, every choice with the same probability; all where there are no
    /// more.
    ///
    /// O(n) if that is more than a third of the collection, else O(wanted) where draws are cheap.
    func randomPositions(
        _ wanted: Int, by chance: ValueContext
    ) -> ContiguousArray<Position> {
        if wanted >= count { return positions() }
        if !drawsCheaply || wanted > count / 3 {
            var all = positions()
            all.keepRandom(wanted) { chance.random(below: $0) }
            return all
        }
        var chosen: Set<Position> = []
        var result: ContiguousArray<Position> = []
        while result.count < wanted, let position = randomPosition(by: chance) {
            if chosen.insert(position).inserted { result.append(position) }
        }
        return result
    }
}

extension ContiguousArray {
    /// Keeps `wanted` of the elements, drawn without replacement, in random order.
    fileprivate mutating func keepRandom(_ wanted: Int, _ random: (Int) -> Int) {
        for index in 0..<Swift.min(wanted, count) {
            swapAt(index, index + random(count - index))
        }
        if wanted < count { removeLast(count - wanted) }
    }
}
