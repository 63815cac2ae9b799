import Testing

@testable import Engine

/// Hashes in all their encodings against dictionaries, with and without deadlines of fields.
struct HashValueTests {
    private static let configuration = """
        hash-max-listpack-entries 16
        hash-max-listpack-value 30
        """

    private struct Content: Equatable {
        var value: String
        var deadline: Int64
    }

    private func field(_ random: inout SeededRandom) -> String {
        random.below(40) == 0
            ? String(repeating: "f", count: [31, 255, 256, 2048, 2049][random.below(5)])
            : "field-\(random.below(30))"
    }

    private func value(_ random: inout SeededRandom) -> String {
        random.below(20) == 0
            ? String(repeating: "v", count: [30, 31, 255, 256, 2048, 5000][random.below(6)])
            : String(random.below(100_000))
    }

    @Test(arguments: [false, true])
    func `a hash behaves as a dictionary through random operations`(expiring: Bool) throws {
        var random = SeededRandom.make()
        let server = TestServer(Self.configuration)
        let keyspace = server.server.keyspace
        let before = keyspace.arena.allocatedBytes
        var model: [String: Content] = [:]
        var encodings: Set<UInt8> = []
        for step in 0..<20_000 {
            if step % 400 == 0 {
                server.run("DEL", "hash")
                model = [:]
            }
            if expiring && random.below(20) == 0 {
                server.advance(milliseconds: Int64(random.below(50)))
                let now = keyspace.now
                model = model.filter { $0.value.deadline >= now }
                if random.below(3) == 0 { server.server.expireDueKeys() }
            }
            try change(server, &model, &random, expiring: expiring)
            if step % 20 == 0 { check(server, model, &encodings) }
        }
        #expect(encodings == (expiring ? [0, 1, 2, 3] : [0, 2]))
        server.run("DEL", "hash")
        #expect(keyspace[0].expiringHashCount == 0)
        while keyspace.freeBuried(entries: .max) {}
        #expect(keyspace.arena.allocatedBytes == before)
    }

    /// One random operation on hash and model.
    private func change(
        _ server: TestServer, _ model: inout [String: Content], _ random: inout SeededRandom,
        expiring: Bool
    ) throws {
        let database = server.server.keyspace[0]
        let (name, value) = (field(&random), value(&random))
        let deadline =
            expiring && random.below(3) == 0
            ? database.keyspace.now + Int64(random.below(400)) : HashValue.never
        let choice = random.below(expiring ? 6 : 4)
        let (nameBytes, valueBytes) = (Array(name.utf8), Array(value.utf8))
        try "hash".withByteView { keyName in
            try nameBytes.withByteView { nameView in
                try valueBytes.withByteView { valueView in
                    let key = database.key(keyName)
                    let hash = try database.makeHash(key, unless: database.hash(key))
                    let old = model[name]
                    switch choice {
                    case 0, 1:
                        let keeps = choice == 0
                        #expect(
                            try hash.set(
                                nameView, valueView, deadline: deadline, keepsDeadline: keeps)
                                == (old == nil))
                        let kept = old?.deadline ?? HashValue.never
                        model[name] = Content(
                            value: value, deadline: keeps ? kept : deadline)
                    case 2:
                        #expect(hash.remove(nameView) == (old != nil))
                        model[name] = nil
                    case 3: #expect(hash.value(of: nameView)?.string == old?.value)
                    default:
                        guard hash.field(nameView) != nil else { break }
                        #expect(hash.setDeadline(deadline, of: nameView))
                        model[name]?.deadline = deadline
                    }
                    database.noteFields(of: hash, key)
                    if hash.count == 0 { database.remove(hash.entry, key) }
                }
            }
        }
    }

    private func check(
        _ server: TestServer, _ model: [String: Content], _ encodings: inout Set<UInt8>
    ) {
        let database = server.server.keyspace[0]
        "hash".withByteView { name in
            let key = database.key(name)
            guard let entry = database.entryDueOrNot(key) else {
                #expect(model.isEmpty)
                #expect(database.expiringHashCount == 0)
                return
            }
            encodings.insert(entry.encoding)
            let hash = database.hashValue(entry)
            hash.checkInvariants()
            var (found, cursor) = ([String: Content](), HashValue.Cursor())
            while let field = hash.next(from: &cursor) {
                found[field.name.string] = Content(
                    value: field.value.string, deadline: field.deadline)
            }
            #expect(found == model)
            #expect(database.expiringHashCount == (hash.expires ? 1 : 0))
            if hash.expires {
                #expect(database.earliestDeadline ?? .max <= hash.earliestDeadline)
            }
        }
    }

    // MARK: - Chance

    @Test(arguments: [(50, 50), (300, 300), (200, 20_000)])
    func `every field is drawn as often, also after many deletions`(count: Int, many: Int) {
        let server = TestServer("hash-max-listpack-entries 100")
        for number in 0..<many { server.run("HSET", "hash", "f:\(number)", "v") }
        for number in count..<max(many, count) { server.run("HDEL", "hash", "f:\(number)") }
        for sample in [nil, "-7", "5", String(count / 2)] {
            var counts = Array(repeating: 0, count: count)
            for _ in 0..<count * 40 {
                let reply =
                    sample.map { server.run("HRANDFIELD", "hash", $0) }
                    ?? server.run("HRANDFIELD", "hash")
                for text in reply.text.map({ [$0] }) ?? reply.elements.compactMap(\.text) {
                    if let number = Int(text.dropFirst(2)) { counts[number] += 1 }
                }
            }
            #expect(
                SetValueTests.chiSquared(counts) < SetValueTests.limit(cells: count),
                "sample \(sample ?? "one")")
        }
    }

    // MARK: - Expiry without access

    @Test(arguments: [10, 5000])
    func `due fields go by the timer alone, and the hash with the last`(count: Int) {
        let server = TestServer()
        for number in 0..<count { server.run("HSET", "hash", "f\(number)", "v") }
        for number in 0..<count {
            server.run("HPEXPIRE", "hash", String(100 + number), "FIELDS", "1", "f\(number)")
        }
        let keyspace = server.server.keyspace
        #expect(keyspace.earliestDeadline <= keyspace.now + 100)
        server.advance(milliseconds: 100 + Int64(count) / 2)
        while keyspace[0].expireOneGroup(now: keyspace.now) {}
        #expect(keyspace.counters.expiredFields == count / 2)
        #expect(server.run("HLEN", "hash") == .integer(Int64(count - count / 2)))
        server.advance(milliseconds: Int64(count))
        while keyspace[0].expireOneGroup(now: keyspace.now) {}
        #expect(keyspace[0].count == 0)
        #expect(keyspace.counters.expiredFields == count)
        #expect(keyspace[0].earliestDeadline == nil)
    }

    @Test func `a field of a large hash takes its block and its place`() {
        let server = TestServer()
        let before = server.server.keyspace.arena.allocatedBytes
        let count = 50_000
        for number in 0..<count {
            server.run(
                "HSET", "hash", "field:" + String(1_000_000_000 + number), "0123456789abcdef")
        }
        let bytes = Double(server.server.keyspace.arena.allocatedBytes - before) / Double(count)
        #expect(bytes < 50, "\(bytes) bytes a field")
    }
}
