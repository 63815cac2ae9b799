/// What DEBUG HTSTATS tells of a hash table: how full it is, and how evenly.
///
/// The head is as Redis words it, which tests look for; what follows is about our groups.
extension HashTable {
    /// O(groups) when full, else O(1).
    func describe(isFull: Bool) -> String {
        guard !isEmpty else {
            return "Hash table 0 stats (main hash table):\n"
                + "No stats available for empty dictionaries\n"
        }
        let places = groupCount * 12
        var text = "Hash table 0 stats (main hash table):\n"
        text += " table size: \(places)\n"
        text += " number of elements: \(count)\n"
        text += " groups: \(groupCount)\n"
        text += " overflow groups: \(childGroupCount)\n"
        text += " max chain length: \(longestChain)\n"
        text += " load: \(NumberText.fixed(Double(count) / Double(places), decimals: 2))\n"
        text += " bytes: \(memoryBytes)\n"
        return isFull ? text + describeGroups() : text
    }

    private func describeGroups() -> String {
        var histogram: [Int: Int] = [:]
        for index in 0..<groupCount {
            var counter = EntryCounter()
            visitGroup(index, &counter)
            histogram[counter.count, default: 0] += 1
        }
        var text = " Entries of a group:\n"
        for (entries, groups) in histogram.sorted(by: { $0.key < $1.key }) {
            let share = NumberText.fixed(Double(groups) * 100 / Double(groupCount), decimals: 2)
            text += "   \(entries): \(groups) (\(share)%)\n"
        }
        return text
    }
}

private struct EntryCounter: EntryVisitor {
    var count = 0
    mutating func visit(_ entry: Arena.Handle) { count += 1 }
}

extension RankedSet {
    func describeTable(isFull: Bool) -> String { table.describe(isFull: isFull) }
}
