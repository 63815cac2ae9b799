import Testing

@testable import Engine

@Suite struct ClientTrackingTests {
    /// Against a dictionary of sets.
    @Test func keysAreThoseOfAModel() {
        var random = SeededRandom.make()
        let tracking = ClientTracking()
        var model: [[UInt8]: Set<UInt64>] = [:]
        for _ in 0..<20_000 {
            let key = Array("\(random.below(50))".utf8)
            if random.below(3) > 0 {
                let client = UInt64(random.below(30))
                tracking.read(key, by: client)
                model[key, default: []].insert(client)
            } else if random.below(200) == 0 {
                tracking.removeAllKeys()
                model = [:]
            } else {
                let readers = tracking.takeReaders(of: key)
                #expect(readers == model.removeValue(forKey: key)?.sorted() ?? [])
            }
            #expect(tracking.keyCount == model.count)
            #expect(tracking.itemCount == model.values.reduce(0) { $0 + $1.count })
            let some = tracking.someKey(random.next())
            #expect(some.map { model[$0] != nil } ?? model.isEmpty)
        }
    }

    @Test func changesGoToTheFollowersOfTheirPrefixes() {
        let tracking = ClientTracking()
        tracking.follow(Array("a:".utf8), by: 1)
        tracking.follow([], by: 2)
        tracking.changed(Array("a:1".utf8), by: 7)
        tracking.changed(Array("b".utf8), by: 8)
        tracking.changed(Array("a:1".utf8), by: 9)
        #expect(tracking.hasBroadcasts)
        let broadcasts = tracking.takeBroadcasts().sorted { $0.changes.count < $1.changes.count }
        #expect(broadcasts.map(\.followers) == [[1], [2]])
        #expect(broadcasts.first?.changes == [Array("a:1".utf8): 9])
        #expect(broadcasts.last?.changes.count == 2)
        #expect(!tracking.hasBroadcasts)
        #expect(tracking.takeBroadcasts().isEmpty)
        tracking.unfollow([], by: 2)
        tracking.changed(Array("b".utf8), by: 8)
        #expect(!tracking.hasBroadcasts)
        #expect(tracking.prefixCount == 1)
    }
}
