import Testing

@testable import Engine

/// A database against a dictionary: whatever is done, both hold the same, and at the end nothing is
/// left of it in memory.
@Suite struct DatabaseTests {
    private struct Model {
        struct Value: Equatable {
            var bytes: [UInt8]
            var deadline: Int64?
        }
        var databases: [[[UInt8]: Value]]
        var now: Int64

        mutating func value(_ database: Int, _ key: [UInt8]) -> Value? {
            guard let value = databases[database][key] else { return nil }
            if let deadline = value.deadline, deadline < now {
                databases[database][key] = nil
                return nil
            }
            return value
        }
    }

    private struct World {
        let keyspace: Keyspace
        var model: Model
        var random: SeededRandom

        init(_ random: SeededRandom) {
            self.random = random
            keyspace = Keyspace.create(
                databaseCount: 4, seed: (random.seed, 2, 3, 4),
                arena: Arena.create(unitShift: 3, rangeBytes: 1 << 30))
            model = Model(databases: Array(repeating: [:], count: 4), now: 1_000_000)
            keyspace.now = model.now
        }

        /// One of 300 keys; every seventh is too long to stand in its entry.
        mutating func key() -> [UInt8] {
            let number = random.below(300)
            let name = Array("key:\(number)".utf8)
            return number % 7 == 0 ? name + [UInt8](repeating: 0x6b, count: 250 + number) : name
        }

        /// Integers, short texts, texts about the limit of an inline block, and large ones.
        mutating func bytes() -> [UInt8] {
            switch random.below(8) {
            case 0, 1: return Array(String(Int64(bitPattern: random.next())).utf8)
            case 2, 3, 4: return text(random.below(60))
            case 5, 6: return text(1700 + random.below(400))
            default: return text(random.below(40_000))
            }
        }

        private mutating func text(_ count: Int) -> [UInt8] {
            let seed = UInt8(truncatingIfNeeded: random.next())
            return (0..<count).map { UInt8(truncatingIfNeeded: $0) &+ seed }
        }

        mutating func deadline() -> Int64 {
            random.below(3) == 0 ? model.now + Int64(random.below(500)) : 0
        }

        func withKey<Result>(_ bytes: [UInt8], _ body: (Key) -> Result) -> Result {
            bytes.withByteView { body(Key(bytes: $0, hash: keyspace.hasher.hash($0))) }
        }

        // MARK: Operations

        mutating func step() throws {
            let index = random.below(4)
            let database = keyspace[index]
            let key = key()
            switch random.below(16) {
            case 0...3: try set(index, database, key)
            case 4: try append(index, database, key)
            case 5: try setRange(index, database, key)
            case 6...7: remove(index, database, key)
            case 8: expire(index, database, key)
            case 9: persist(index, database, key)
            case 10: try rename(index, database, key, copying: false)
            case 11: try rename(index, database, key, copying: true)
            case 12: advance()
            case 13: expireActively(database)
            default: check(index, database, key)
            }
        }

        private mutating func set(_ index: Int, _ database: Database, _ key: [UInt8]) throws {
            let bytes = bytes()
            let deadline = deadline()
            try bytes.withByteView { view in
                try key.withByteView { name in
                    try database.setString(
                        Key(bytes: name, hash: keyspace.hasher.hash(name)), view,
                        deadline: deadline)
                }
            }
            model.databases[index][key] = Model.Value(
                bytes: bytes, deadline: deadline == 0 ? nil : deadline)
        }

        private mutating func append(
            _ index: Int, _ database: Database, _ key: [UInt8]
        ) throws {
            let bytes = bytes()
            var value = model.value(index, key) ?? Model.Value(bytes: [], deadline: nil)
            try write(bytes, at: value.bytes.count, database, key)
            value.bytes += bytes
            model.databases[index][key] = value
        }

        private mutating func setRange(
            _ index: Int, _ database: Database, _ key: [UInt8]
        ) throws {
            let bytes = bytes()
            let offset = random.below(4) == 0 ? random.below(50_000) : random.below(2500)
            var value = model.value(index, key) ?? Model.Value(bytes: [], deadline: nil)
            try write(bytes, at: offset, database, key)
            let end = offset + bytes.count
            if value.bytes.count < end {
                value.bytes += [UInt8](repeating: 0, count: end - value.bytes.count)
            }
            value.bytes.replaceSubrange(offset..<end, with: bytes)
            model.databases[index][key] = value
        }

        private func write(
            _ bytes: [UInt8], at offset: Int, _ database: Database, _ key: [UInt8]
        ) throws {
            try bytes.withByteView { view in
                try key.withByteView { name in
                    let key = Key(bytes: name, hash: keyspace.hasher.hash(name))
                    let count = try database.write(
                        view, at: offset, of: database.entry(key), key)
                    #expect(count >= offset + bytes.count)
                }
            }
        }

        private mutating func remove(_ index: Int, _ database: Database, _ key: [UInt8]) {
            let expected = model.value(index, key) != nil
            #expect(withKey(key) { database.remove($0) } == expected)
            model.databases[index][key] = nil
        }

        private mutating func expire(_ index: Int, _ database: Database, _ key: [UInt8]) {
            let deadline = model.now + Int64(random.below(2000))
            let didSet = withKey(key) { key in
                database.entry(key).map { database.setDeadline(deadline, of: $0, key) } ?? false
            }
            let value = model.value(index, key)
            #expect(didSet == (value != nil))
            if let value {
                model.databases[index][key] = Model.Value(bytes: value.bytes, deadline: deadline)
            }
        }

        private mutating func persist(_ index: Int, _ database: Database, _ key: [UInt8]) {
            withKey(key) { key in
                if let entry = database.entry(key) { database.removeDeadline(of: entry, key) }
            }
            if let value = model.value(index, key) {
                model.databases[index][key] = Model.Value(bytes: value.bytes, deadline: nil)
            }
        }

        /// RENAME, MOVE or COPY: to another key, in this database or another.
        private mutating func rename(
            _ index: Int, _ database: Database, _ key: [UInt8], copying: Bool
        ) throws {
            let newKey = self.key()
            let newIndex = random.below(4)
            if newKey == key && newIndex == index { return }
            let target = keyspace[newIndex]
            guard let value = model.value(index, key) else { return }
            try key.withByteView { name in
                try newKey.withByteView { newName in
                    let key = Key(bytes: name, hash: keyspace.hasher.hash(name))
                    let newKey = Key(bytes: newName, hash: keyspace.hasher.hash(newName))
                    let entry = try #require(database.entry(key))
                    target.remove(newKey)
                    if copying {
                        try database.copy(entry, to: newKey, in: target)
                    } else {
                        #expect(database.move(entry, key, to: newKey, in: target))
                    }
                }
            }
            if !copying { model.databases[index][key] = nil }
            model.databases[newIndex][newKey] = value
        }

        private mutating func advance() {
            model.now += Int64(random.below(200))
            keyspace.now = model.now
        }

        private func expireActively(_ database: Database) {
            for _ in 0..<random.seed % 4 where !database.expireOneGroup(now: keyspace.now) {}
        }

        // MARK: Comparison

        mutating func check(_ index: Int, _ database: Database, _ key: [UInt8]) {
            let found = withKey(key) { key in
                database.entry(key).map { entry in
                    Model.Value(
                        bytes: entry.withString { $0.array }, deadline: entry.deadline)
                }
            }
            #expect(found == model.value(index, key))
        }

        mutating func checkAll() {
            for index in 0..<4 {
                let database = keyspace[index]
                var walked: Set<[UInt8]> = []
                var cursor = HashTable<KeyPolicy>.Cursor()
                var expiring = 0
                while let entry = database.nextEntry(from: &cursor) {
                    walked.insert(entry.key.array)
                    if entry.hasDeadline { expiring += 1 }
                }
                #expect(walked.count == database.count)
                #expect(expiring == database.expiringCount)
                for key in Array(model.databases[index].keys) { check(index, database, key) }
                while database.expireOneGroup(now: keyspace.now) {}
                #expect(database.count == model.databases[index].count)
            }
        }
    }

    @Test func `random operations agree with a dictionary and leave nothing behind`() throws {
        var world = World(SeededRandom.make())
        let before = world.keyspace.arena.allocatedBytes
        for round in 0..<20_000 {
            try world.step()
            if round % 2000 == 0 { world.checkAll() }
        }
        world.checkAll()
        for index in 0..<4 { world.keyspace[index].removeAll(lazily: index % 2 == 0) }
        while world.keyspace.freeBuried(entries: 100) {}
        #expect(world.keyspace.arena.allocatedBytes == before)
        for index in 0..<4 { #expect(world.keyspace[index].expiringCount == 0) }
        world.keyspace.destroy()
    }

    @Test func `keys are drawn at random without expired ones`() throws {
        let world = World(SeededRandom(seed: 5))
        defer { world.keyspace.destroy() }
        let database = world.keyspace[0]
        try ByteView("v").array.withByteView { value in
            for number in 0..<64 {
                try Array("k\(number)".utf8).withByteView { name in
                    try database.setString(
                        database.key(name), value, deadline: number < 32 ? 1_000_010 : 0)
                }
            }
        }
        world.keyspace.now += 1000
        var random = SeededRandom.make()
        var seen: [String: Int] = [:]
        for _ in 0..<6400 {
            let entry = try #require(database.randomEntry(using: &random))
            seen[entry.key.string, default: 0] += 1
        }
        #expect(seen.count == 32)
        #expect(seen.values.allSatisfy { (100...320).contains($0) })
    }

    @Test func `the mean time to live bears the most distant deadlines`() throws {
        let world = World(SeededRandom(seed: 6))
        defer { world.keyspace.destroy() }
        let database = world.keyspace[0]
        try database.setString(
            database.key(ByteView("k")), ByteView("v"), deadline: Int64.max)
        #expect(database.averageTimeToLive > 1 << 60)
        database.remove(database.key(ByteView("k")))
        #expect(database.averageTimeToLive == 0)
    }
}
