import Testing

@testable import Engine

/// Sets in all their encodings against Swift sets.
struct SetValueTests {
    /// Limits that let the encodings change often.
    private static let configuration = """
        set-max-intset-entries 12
        set-max-listpack-entries 16
        set-max-listpack-value 30
        """

    private func text(_ random: inout SeededRandom) -> String {
        switch random.below(10) {
        case 0: String(repeating: "x", count: [29, 30, 31, 253, 254, 300][random.below(6)])
        case 1: String(repeating: "y", count: 4000 + random.below(200))
        case 2, 3: "member-\(random.below(40))"
        default: String(random.below(60) - 30)
        }
    }

    @Test func `a set behaves as a Swift set through random operations`() throws {
        var random = SeededRandom.make()
        let server = TestServer(Self.configuration)
        let database = server.server.keyspace[0]
        let before = server.server.keyspace.arena.allocatedBytes
        var model: Set<String> = []
        var encodings: Set<UInt8> = []
        for step in 0..<20_000 {
            let text = text(&random)
            let isFresh = step % 200 == 0
            try text.withByteView { bytes in
                try "set".withByteView { name in
                    let key = database.key(name)
                    if isFresh {
                        database.remove(key)
                        model = []
                    }
                    let set = try database.set(key) ?? database.makeSet(key, for: bytes)
                    switch random.below(isFresh ? 1 : 4) {
                    case 0, 1: #expect(try set.insert(bytes) == model.insert(text).inserted)
                    case 2: #expect(set.remove(bytes) == (model.remove(text) != nil))
                    default: #expect(set.contains(bytes) == model.contains(text))
                    }
                    encodings.insert(set.entry.encoding)
                    #expect(set.count == model.count)
                    if step % 20 == 0 {
                        set.checkInvariants()
                        #expect(Set(members(of: set)) == model)
                    }
                }
            }
        }
        #expect(encodings == [0, 1, 2])
        "set".withByteView { name in _ = database.remove(database.key(name)) }
        while server.server.keyspace.freeBuried(entries: .max) {}
        #expect(server.server.keyspace.arena.allocatedBytes == before)
    }

    private func members(of set: SetValue) -> [String] {
        var result: [String] = []
        var cursor = SetValue.Cursor()
        while let member = set.next(from: &cursor) { result.append(member.withBytes { $0.string }) }
        return result
    }

    // MARK: - Chance

    /// Pearson's statistic over `counts`, which should be equal.
    static func chiSquared(_ counts: [Int]) -> Double {
        let expected = Double(counts.reduce(0, +)) / Double(counts.count)
        return counts.reduce(0) {
            $0 + (Double($1) - expected) * (Double($1) - expected) / expected
        }
    }

    /// With `cells` cells, exceeded by chance once in about a million runs (normal approximation by
    /// Wilson and Hilferty).
    static func limit(cells: Int) -> Double {
        let freedom = Double(cells - 1)
        let term = 1 - 2 / (9 * freedom) + 4.75 * (2 / (9 * freedom)).squareRoot()
        return freedom * term * term * term
    }

    /// A set of `count` members `m:0`… in a table, or fewer after most of many were removed.
    private func makeSet(_ server: TestServer, _ prefix: String, _ count: Int, from many: Int) {
        for number in 0..<many { server.run("SADD", "set", prefix + String(number)) }
        for number in count..<max(many, count) {
            server.run("SREM", "set", prefix + String(number))
        }
        #expect(server.run("SCARD", "set") == .integer(Int64(count)))
    }

    /// What is drawn, by number, in `rounds` draws.
    private func draw(
        _ server: TestServer, _ prefix: String, _ count: Int, _ rounds: Int, _ sample: String?
    ) -> [Int] {
        var counts = Array(repeating: 0, count: count)
        for _ in 0..<rounds {
            let reply =
                sample.map { server.run("SRANDMEMBER", "set", $0) }
                ?? server.run("SRANDMEMBER", "set")
            for text in reply.text.map({ [$0] }) ?? reply.elements.compactMap(\.text) {
                if let number = Int(text.dropFirst(prefix.count)) { counts[number] += 1 }
            }
        }
        return counts
    }

    @Test(arguments: [
        ("", 50, 50), ("m:", 50, 50), ("m:", 300, 300), ("m:", 200, 20_000), ("", 400, 400),
    ])
    func `every member is drawn as often, also after many deletions`(
        prefix: String, count: Int, many: Int
    ) {
        let server = TestServer()
        makeSet(server, prefix, count, from: many)
        for sample in [nil, "-7", "5", String(count / 2)] {
            let counts = draw(server, prefix, count, count * 40, sample)
            #expect(
                Self.chiSquared(counts) < Self.limit(cells: count), "sample \(sample ?? "one")")
        }
    }

    @Test(arguments: [("", 40, 40), ("m:", 40, 40), ("m:", 200, 200), ("m:", 20, 400)])
    func `every member is popped as often, also after many deletions`(
        prefix: String, count: Int, many: Int
    ) {
        let server = TestServer()
        var counts = Array(repeating: 0, count: count)
        for _ in 0..<count * 10 {
            makeSet(server, prefix, count, from: many)
            var replies = [server.run("SPOP", "set")]
            replies += server.run("SPOP", "set", "3").elements
            for text in replies.compactMap(\.text) {
                if let number = Int(text.dropFirst(prefix.count)) { counts[number] += 1 }
            }
        }
        #expect(counts.reduce(0, +) == count * 40)
        #expect(Self.chiSquared(counts) < Self.limit(cells: count))
    }

    // MARK: - Memory

    @Test func `a member of a large set takes its block and its place`() {
        let server = TestServer()
        let before = server.server.keyspace.arena.allocatedBytes
        let count = 50_000
        for number in 0..<count {
            server.run("SADD", "set", "element:" + String(1_000_000_000_000 + number))
        }
        let bytes = Double(server.server.keyspace.arena.allocatedBytes - before) / Double(count)
        #expect(bytes < 34, "\(bytes) bytes a member")
        #expect(server.run("MEMORY", "USAGE", "set").integer ?? 0 > Int64(count) * 30)
    }

    @Test func `a large set is freed in slices and leaves nothing`() {
        let server = TestServer()
        let keyspace = server.server.keyspace
        let before = keyspace.arena.allocatedBytes
        for number in 0..<5000 { server.run("SADD", "set", "m:\(number)") }
        server.run("UNLINK", "set")
        #expect(keyspace.hasBuriedWork)
        var slices = 0
        while keyspace.freeBuried(entries: 512) { slices += 1 }
        #expect(slices >= 8)
        #expect(keyspace.arena.allocatedBytes == before)
    }
}
