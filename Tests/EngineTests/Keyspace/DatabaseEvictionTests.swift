import Testing

@testable import Engine

/// Which keys are drawn, and how they rank.
@Suite struct DatabaseEvictionTests {
    @Test func `every key is drawn about as often as the others`() {
        let server = TestServer()
        for index in 0..<500 { server.run("SET", "key:\(index)", "v") }
        let database = server.server.keyspace[0]
        var random = SeededRandom.make()
        var seen: [String: Int] = [:]
        var draws = 0
        while draws < 100_000 {
            var pool = EvictionPool(capacity: 64)
            database.offerKeys(
                to: &pool, by: .moments, onlyExpiring: false, atLeast: 5,
                draw: { random.next() })
            while let candidate = pool.takeBest() {
                seen[String(decoding: candidate.key, as: UTF8.self), default: 0] += 1
                draws += 1
            }
        }
        #expect(seen.count == 500)
        // 200 each; keys of one group come together, which makes the spread somewhat wider.
        #expect(seen.values.allSatisfy { (100...320).contains($0) }, "\(seen.values.sorted())")
    }

    @Test func `only keys with a deadline are drawn where others are spared`() {
        let server = TestServer()
        for index in 0..<2000 { server.run("SET", "lasting:\(index)", "v") }
        for index in 0..<10 { server.run("SET", "leaving:\(index)", "v", "EX", "\(100 + index)") }
        server.run("HSET", "hash", "f", "v")
        server.run("HEXPIRE", "hash", "50", "FIELDS", "1", "f")
        let database = server.server.keyspace[0]
        var random = SeededRandom.make()
        var pool = EvictionPool()
        database.offerKeys(
            to: &pool, by: .deadlines, onlyExpiring: true, atLeast: 64, draw: { random.next() })
        #expect(pool.takeBest()?.key == Array("leaving:0".utf8))
        var found: Set<String> = []
        for _ in 0..<2000 {
            guard let entry = database.randomVictim(onlyExpiring: true, draw: { random.next() })
            else { continue }
            #expect(entry.hasDeadline)
            found.insert(entry.key.string)
        }
        #expect(found.count == 10)
    }

    @Test func `the idle rank above the used, the rare above the frequent`() {
        let server = TestServer()
        server.run("SET", "old", "v")
        server.advance(milliseconds: 5000)
        server.run("SET", "new", "v")
        let keyspace = server.server.keyspace
        func rank(_ name: String, _ measure: EvictionMeasure) -> UInt64? {
            Array(name.utf8).withByteView { bytes in
                keyspace[0].entryDueOrNot(keyspace[0].key(bytes)).map {
                    keyspace[0].rank(of: $0, by: measure)
                }
            }
        }
        #expect(rank("old", .moments) == 5)
        #expect(rank("new", .moments) == 0)
        #expect(rank("old", .deadlines) == UInt64.max - UInt64(Int64.max))
        server.run("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
        server.run("SET", "frequent", "v")
        for _ in 0..<200 { server.run("GET", "frequent") }
        server.run("SET", "rare", "v")
        #expect(rank("rare", .counts) == 250)
        #expect((rank("frequent", .counts) ?? 250) < 249)
    }

    @Test func `nothing is evicted while data is loaded`() {
        let server = TestServer("maxmemory-policy allkeys-random")
        for index in 0..<10 { server.run("SET", "key:\(index)", "v") }
        server.run("CONFIG", "SET", "maxmemory", "1")
        server.server.gate.insert(.loading)
        #expect(server.server.eviction.makeRoom(in: server.server) == .enough)
        #expect(server.server.keyspace[0].count == 10)
        server.server.gate.remove(.loading)
        #expect(server.server.eviction.makeRoom(in: server.server) == .failed)
        #expect(server.server.keyspace[0].count == 0)
    }

    @Test func `OBJECT FREQ and IDLETIME follow RESTORE and time`() {
        let server = TestServer("maxmemory-policy allkeys-lfu")
        server.run("SET", "k", "v")
        #expect(server.run("OBJECT", "FREQ", "k") == 5)
        server.advance(milliseconds: 3 * 60_000)
        #expect(server.run("OBJECT", "FREQ", "k") == 2)
        server.advance(milliseconds: 60 * 60_000)
        #expect(server.run("OBJECT", "FREQ", "k") == 0)
        server.run("CONFIG", "SET", "lfu-decay-time", "0")
        server.run("SET", "still", "v")
        server.advance(milliseconds: 60 * 60_000)
        #expect(server.run("OBJECT", "FREQ", "still") == 5)
    }
}
