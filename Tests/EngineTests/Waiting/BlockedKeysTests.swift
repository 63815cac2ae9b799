import Testing

@testable import Engine

struct BlockedKeysTests {
    private func name(_ key: String, _ database: Int = 0) -> BlockedKeys.Name {
        BlockedKeys.Name(database: database, key: Array(key.utf8))
    }

    private func line(_ blocked: BlockedKeys, _ key: String) -> [UInt64] {
        var clients: [UInt64] = []
        var ticket: UInt64 = 0
        while let waiter = blocked.next(in: name(key), after: ticket) {
            ticket = waiter.ticket
            clients.append(waiter.client)
        }
        return clients
    }

    @Test func `the line is in the order of coming`() {
        var blocked = BlockedKeys()
        for client in 1...50 {
            blocked.add(
                client: UInt64(client), keys: [(name("a"), 1), (name("b"), 2), (name("a"), 3)],
                type: .list)
        }
        #expect(line(blocked, "a") == Array(1...50))
        #expect(blocked.next(in: name("a"), after: 0)?.argument == 1)
        for client in [7, 1, 2, 50] {
            #expect(blocked.remove(client: UInt64(client)) == [name("a"), name("b")])
        }
        #expect(blocked.remove(client: 7) == [])
        #expect(line(blocked, "b") == (3...49).filter { $0 != 7 })
        #expect(blocked.count == 46)
        for client in 3...49 { _ = blocked.remove(client: UInt64(client)) }
        #expect(blocked.isEmpty && line(blocked, "a").isEmpty)
    }

    @Test func `only keys that somebody waits for become ready, each once`() {
        var blocked = BlockedKeys()
        blocked.add(client: 1, keys: [(name("b"), 1)], type: .list)
        blocked.add(client: 2, keys: [(name("a"), 1)], type: .list)
        blocked.add(client: 3, keys: [(name("c", 1), 1)], type: .list)
        for key in ["x", "a", "b", "a"] { blocked.keyAppeared(name(key)) }
        #expect(blocked.takeReady() == name("a"))
        #expect(blocked.takeReady() == name("b"))
        #expect(blocked.takeReady() == nil)
        blocked.databaseChanged(0)
        #expect(blocked.takeReady() == name("b"))
        #expect(blocked.takeReady() == name("a"))
        #expect(blocked.takeReady() == nil)
    }

    @Test func `behaves as a plain array does`() {
        var random = SeededRandom.make()
        var blocked = BlockedKeys()
        var model: [UInt64] = []
        var next: UInt64 = 1
        for step in 0..<10_000 {
            if model.isEmpty || random.below(5) < 3 - step / 5000 {
                blocked.add(client: next, keys: [(name("k"), 1)], type: .list)
                model.append(next)
                next += 1
            } else {
                let place = random.below(3) == 0 ? 0 : random.below(model.count)
                _ = blocked.remove(client: model.remove(at: place))
            }
            if step % 50 == 0 { #expect(line(blocked, "k") == model) }
            #expect(blocked.next(in: name("k"), after: 0)?.client == model.first)
        }
    }

    /// Quadratic work would take minutes.
    @Test(.timeLimit(.minutes(1)))
    func `forty thousand keys are linear work`() {
        var blocked = BlockedKeys()
        let keys = (0..<40_000).map { (name("k\($0)"), $0 + 1) }
        for client in 1...2 { blocked.add(client: UInt64(client), keys: keys, type: .list) }
        for (key, _) in keys { blocked.keyAppeared(key) }
        for (key, _) in keys.prefix(20_000) { #expect(blocked.takeReady() == key) }
        // What comes while others are served stands behind them.
        blocked.keyAppeared(name("k0"))
        for (key, _) in keys.dropFirst(20_000) { #expect(blocked.takeReady() == key) }
        #expect(blocked.takeReady() == name("k0"))
        #expect(blocked.takeReady() == nil)
        #expect(blocked.remove(client: 1).count == 40_000)
        #expect(blocked.remove(client: 2).count == 40_000)
        #expect(blocked.isEmpty && blocked.keyCount == 0)
    }
}
