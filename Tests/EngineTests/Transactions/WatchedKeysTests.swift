import Testing

@testable import Engine

struct WatchedKeysTests {
    private func name(_ key: String, _ database: Int = 0) -> WatchedKeys.Name {
        WatchedKeys.Name(database: database, key: Array(key.utf8))
    }

    @Test func `a key is watched by whoever asked, once`() {
        var watched = WatchedKeys()
        let added = [
            watched.add(client: 1, name("a"), .present),
            watched.add(client: 1, name("a"), .present),
            watched.add(client: 2, name("a"), .missing),
            watched.add(client: 1, name("a", 1), .missing),
        ]
        #expect(added == [true, false, true, true])
        #expect(watched.broken(by: name("a")) == [1, 2])
        #expect(watched.broken(by: name("b")) == [])
        #expect(watched.count(of: 1) == 2 && watched.keyCount == 2 && watched.clientCount == 2)
        #expect(watched.remove(client: 1) == [name("a"), name("a", 1)])
        #expect(watched.remove(client: 1) == [])
        #expect(watched.broken(by: name("a")) == [2])
        _ = watched.remove(client: 2)
        #expect(watched.isEmpty && watched.keyCount == 0 && watched.memoryBytes == 0)
    }

    @Test func `what was over when the watch began is missed by nobody`() {
        var watched = WatchedKeys()
        _ = watched.add(client: 1, name("a"), .due)
        _ = watched.add(client: 2, name("a"), .present)
        #expect(!watched.sawExpiry(1) { _ in .due })
        #expect(watched.sawExpiry(2) { _ in .due })
        #expect(watched.broken(byExpiryOf: name("a")) == [2])
        #expect(watched.sawExpiry(1) { _ in .due })
    }

    @Test func `an exchange breaks what was there or is there`() {
        var watched = WatchedKeys()
        _ = watched.add(client: 1, name("there"), .present)
        _ = watched.add(client: 2, name("missing"), .missing)
        _ = watched.add(client: 3, name("missing", 1), .missing)
        #expect(watched.broken(byExchangeOf: 0) { _ in .missing } == [1])
        #expect(watched.broken(byExchangeOf: 1) { _ in .due } == [])
        #expect(!watched.sawExpiry(3) { _ in .due })
        #expect(watched.broken(byExchangeOf: 1) { _ in .present } == [3])
    }
}
