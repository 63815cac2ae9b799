/// Replying with elements of packed runs.
extension ReplyWriter {
    /// An element as a bulk.
    @inline(__always)
    mutating func bulk(_ value: Listpack.Value) {
        switch value {
        case .bytes(let bytes): bulk(bytes)
        case .integer(let number): bulkInteger(number)
        }
    }

    /// The next `count` elements of `cursor` as bulks; fewer where it ends before.
    mutating func bulks(_ cursor: inout ListpackCursor, count: Int) {
        var left = count
        while left > 0, let value = cursor.next() {
            bulk(value)
            left &-= 1
        }
    }

    mutating func bulks(_ cursor: inout ListpackChainCursor, count: Int) {
        var left = count
        while left > 0, let value = cursor.next() {
            bulk(value)
            left &-= 1
        }
    }
}
