import Testing

@testable import Engine

/// Active expiry as a whole: tables, index of deadlines and the slices of the loop.
@Suite struct ServerExpiryTests {
    @Test func aStormIsWorkedOffInSlices() {
        let server = TestServer()
        let database = server.server.keyspace[0]
        for number in 0..<100_000 { server.run("SET", "due:\(number)", "v", "PX", "1000") }
        for number in 0..<5000 { server.run("SET", "late:\(number)", "v", "PX", "100000") }
        for number in 0..<5000 { server.run("SET", "stays:\(number)", "v") }
        server.server.expireDueKeys()
        #expect(database.count == 110_000)
        server.advance(milliseconds: 1001)
        var slices = 0
        while database.count > 10_000 && slices < 100_000 {
            let before = database.count
            server.server.expireDueKeys()
            #expect(database.count < before)
            slices += 1
        }
        // One slice of half a millisecond cannot remove them all.
        #expect(slices > 1)
        #expect(server.server.keyspace.counters.expired == 100_000)
        #expect(server.server.keyspace.counters.expiredTimeCapReached > 0)
        for number in 0..<5000 {
            #expect(server.run("EXISTS", "late:\(number)", "stays:\(number)") == 2)
        }
        server.server.expireDueKeys()
        #expect(database.count == 10_000)
    }

    @Test func randomDeadlinesAgreeWithAModel() {
        var random = SeededRandom.make()
        let server = TestServer()
        let database = server.server.keyspace[0]
        var model: [String: Int64?] = [:]
        var now: Int64 = 0
        for step in 0..<20_000 {
            let key = "k\(random.below(2000))"
            switch random.below(8) {
            case 0, 1:
                server.run("SET", key, "v")
                model[key] = .some(nil)
            case 2, 3:
                let life = Int64(1 + random.below(5000))
                server.run("SET", key, "v", "PX", "\(life)")
                model[key] = now + life
            case 4:
                let life = Int64(1 + random.below(5000))
                server.run("PEXPIRE", key, "\(life)")
                if model[key] != nil { model[key] = now + life }
            case 5:
                server.run("PERSIST", key)
                if model[key] != nil { model[key] = .some(nil) }
            case 6:
                server.run("DEL", key)
                model[key] = nil
            default:
                let step = Int64(random.below(40))
                now += step
                server.advance(milliseconds: step)
                model = model.filter { $0.value.map { $0 >= now } ?? true }
                if random.below(2) == 0 { server.server.expireDueKeys() }
            }
            // A key is due once its deadline has passed, not at the moment itself.
            if step % 1000 == 999 {
                while let earliest = database.earliestDeadline, earliest < now + base {
                    server.server.expireDueKeys()
                }
                #expect(database.count == model.count, "seed \(random.seed)")
                #expect(
                    database.expiringCount == model.values.count { $0 != nil },
                    "seed \(random.seed)")
                for (key, deadline) in model {
                    let left = deadline.map { $0 - now } ?? -1
                    #expect(
                        server.run("PTTL", key) == .integer(left), "\(key), seed \(random.seed)")
                }
            }
        }
    }

    /// Where the clock of `TestServer` begins.
    private let base: Int64 = 1_700_000_000_000
}
