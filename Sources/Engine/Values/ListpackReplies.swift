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

    @inline(__always)
    mutating func bulk(_ id: StreamID) { id.withText { bulk($0) } }

    /// The entry a walk has just met: its id, and its fields and values.
    @inline(__always)
    mutating func entry(_ cursor: inout StreamCursor) {
        array(2)
        bulk(cursor.id)
        array(2 &* cursor.fieldCount)
        cursor.readPairs { field, value in
            bulk(field)
            bulk(value)
        }
    }

    /// The next entries of a walk as an array; returns how many there were.
    @discardableResult
    mutating func entries(_ cursor: inout StreamCursor, atMost most: Int) -> Int {
        let start = deferLength()
        var written = 0
        while written < most && cursor.next() {
            entry(&cursor)
            written &+= 1
        }
        finishArray(start, written)
        return written
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
