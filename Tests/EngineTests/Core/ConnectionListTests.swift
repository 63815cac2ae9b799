import Testing

@testable import Engine

/// Connections that something is to be done for.
@Suite struct ConnectionListTests {
    private func connection(_ id: UInt64) -> Connection {
        Connection(
            id: id, place: UInt32(id), generation: 1, transport: Transport(descriptor: -1), now: 0,
            monotonic: 0)
    }

    @Test func `gives them back in the order they came`() {
        let list = ConnectionList()
        #expect(list.next() == nil)
        for id in 1...3 { list.append(connection(UInt64(id))) }
        var seen: [UInt64] = []
        list.forEach { seen.append($0.id) }
        #expect(seen == [1, 2, 3])
        #expect(list.next()?.id == 1)
        list.append(connection(4))
        while let next = list.next() { seen.append(next.id) }
        #expect(seen == [1, 2, 3, 2, 3, 4])
        let isEmpty = list.isEmpty
        #expect(isEmpty)
    }

    @Test func `grows while it is half taken out`() {
        let list = ConnectionList()
        var expected: [UInt64] = []
        var seen: [UInt64] = []
        for id in 0..<1000 {
            list.append(connection(UInt64(id)))
            expected.append(UInt64(id))
            if id % 3 == 0, let next = list.next() { seen.append(next.id) }
        }
        while let next = list.next() { seen.append(next.id) }
        #expect(seen == expected)
    }

    @Test func `lets go of what it holds`() {
        weak var taken: Connection?
        weak var left: Connection?
        do {
            let list = ConnectionList()
            let (first, second) = (connection(1), connection(2))
            (taken, left) = (first, second)
            list.append(first)
            list.append(second)
            #expect(list.next() === first)
        }
        #expect(taken == nil && left == nil)
    }
}
