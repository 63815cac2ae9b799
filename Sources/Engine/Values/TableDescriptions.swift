// What DEBUG HTSTATS-KEY tells of collections that are hash tables.

extension SetValue {
    /// Figures of the table; nil of a set that is none.
    func describeTable(isFull: Bool) -> String? {
        encoding == .table ? table.describe(isFull: isFull) : nil
    }
}

extension HashValue {
    /// Figures of the table; nil of a hash that is packed.
    func describeTable(isFull: Bool) -> String? {
        isTable ? table.describe(isFull: isFull) : nil
    }
}

extension SortedSetValue {
    /// Figures of the table of members; nil of a packed set.
    func describeTable(isFull: Bool) -> String? {
        isRanked ? set.describeTable(isFull: isFull) : nil
    }
}
