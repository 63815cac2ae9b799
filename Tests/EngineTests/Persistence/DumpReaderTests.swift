import Testing

@testable import Engine

/// Values that are built whole from their bytes: the same as commands make, or refused.
struct DumpReaderTests {
    /// Limits at which every type changes its form early.
    private static let configuration = """
        list-max-listpack-size -2
        hash-max-listpack-entries 8
        hash-max-listpack-value 40
        set-max-intset-entries 8
        set-max-listpack-entries 8
        set-max-listpack-value 40
        zset-max-listpack-entries 8
        zset-max-listpack-value 40
        """

    /// The bytes of an element of a listpack: text as text, whatever it spells.
    private static func element(_ text: String) -> [UInt8] {
        precondition(text.utf8.count < 64)
        return [0x80 | UInt8(text.utf8.count)] + Array(text.utf8) + [UInt8(text.utf8.count + 1)]
    }

    /// An element that is a number up to 127.
    private static func element(_ number: UInt8) -> [UInt8] { [number, 1] }

    private static func listpack(_ elements: [[UInt8]]) -> [UInt8] {
        let body = elements.flatMap { $0 }
        let total = UInt32(body.count + 7)
        return (0..<4).map { UInt8(truncatingIfNeeded: total >> ($0 * 8)) }
            + [UInt8(elements.count & 0xFF), UInt8(elements.count >> 8)] + body + [0xFF]
    }

    /// A string of the format.
    private static func string(_ bytes: [UInt8]) -> [UInt8] {
        precondition(bytes.count < 1 << 14)
        return [0x40 | UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes
    }

    private static func string(_ text: String) -> [UInt8] { string(Array(text.utf8)) }

    /// What RESTORE says to a value.
    private static func restore(_ server: TestServer, _ type: UInt8, _ body: [UInt8]) -> Reply {
        var payload = [type] + body + [10, 0]
        let checksum = payload.withByteView { CRC64.update(0, $0) }
        payload += (0..<8).map { UInt8(truncatingIfNeeded: checksum >> UInt64($0 * 8)) }
        return server.client.run(bytes: [
            Array("RESTORE".utf8), Array("k".utf8), Array("0".utf8), payload,
            Array("REPLACE".utf8),
        ])
    }

    // MARK: - Whole values

    private static func text(_ random: inout SeededRandom) -> String {
        switch random.below(12) {
        case 0...2: String(random.below(400) - 200)
        case 3: String(Int64(bitPattern: random.next()))
        case 4: String(repeating: "ab", count: 10 + random.below(12))
        case 5: ""
        default: "text \(random.below(1000))"
        }
    }

    private static func command(
        _ type: Int, _ count: Int, _ random: inout SeededRandom
    ) -> [String] {
        let texts = Set((0..<count).map { _ in text(&random) }).sorted()
        switch type {
        case 0: return ["RPUSH", "k"] + texts
        case 1: return ["SADD", "k"] + texts
        case 2: return ["SADD", "k"] + (0..<count).map { String($0 * 3_000_000_000) }
        case 3: return ["HSET", "k"] + texts.flatMap { [$0, text(&random)] }
        default:
            return ["ZADD", "k"]
                + texts.flatMap { [String(Double(random.below(20)) / 4), $0] }
        }
    }

    @Test(arguments: [1, 2, 7, 8, 9, 12, 100, 1000])
    func `a value comes back in the form that commands give it`(count: Int) {
        var random = SeededRandom.make()
        let server = TestServer(Self.configuration)
        for type in 0..<5 {
            for _ in 0..<(count > 20 ? 2 : 20) {
                server.run("DEL", "k", "copy")
                server.client.run(Self.command(type, count, &random))
                server.client.send([Array("DUMP".utf8), Array("k".utf8)])
                let reply = server.client.connection.reply.view.array
                server.client.connection.reply.drain(reply.count)
                let payload = Array(reply[((reply.firstIndex(of: 10) ?? 0) + 1)...].dropLast(2))
                #expect(
                    server.client.run(bytes: [
                        Array("RESTORE".utf8), Array("copy".utf8), Array("0".utf8), payload,
                    ]) == "OK")
                for question in [["OBJECT", "ENCODING"], ["DEBUG", "DIGEST-VALUE"]] {
                    #expect(
                        server.client.run(question + ["copy"])
                            == server.client.run(question + ["k"]))
                }
            }
        }
    }

    @Test func `elements of a table come in batches of any length`() {
        let server = TestServer(Self.configuration)
        for count in [33, 63, 64, 65, 500] {
            let long = String(repeating: "x", count: count == 500 ? 9000 : 50)
            let names = (0..<count).map { "\(long)\($0)" }
            let members = [UInt8(0x40 | count >> 8), UInt8(count & 0xFF)]
            #expect(
                Self.restore(server, DumpFormat.set, members + names.flatMap(Self.string)) == "OK")
            #expect(server.run("SCARD", "k") == .integer(Int64(count)))
            let fields = names.flatMap { Self.string($0) + Self.string("v" + $0.suffix(3)) }
            #expect(Self.restore(server, DumpFormat.hash, members + fields) == "OK")
            #expect(server.run("HLEN", "k") == .integer(Int64(count)))
            #expect(server.run("HGET", "k", names[32]) == .bulk("v" + names[32].suffix(3)))
            let score: [UInt8] = [3, 0x31, 0x2E, 0x35]
            let scored: [UInt8] = names.reversed().flatMap { Self.string($0) + score }
            #expect(Self.restore(server, DumpFormat.sortedSetOfTexts, members + scored) == "OK")
            #expect(server.run("ZCARD", "k") == .integer(Int64(count)))
            #expect(server.run("ZSCORE", "k", names[32]) == .bulk("1.5"))
            #expect(server.run("ZRANGE", "k", "0", "0") == [.bulk(names.sorted()[0])])
        }
    }

    @Test func `numbers are text or integers, as they like`() {
        let server = TestServer(Self.configuration)
        let pair = Self.listpack([Self.element("12"), Self.element(34)])
        #expect(Self.restore(server, DumpFormat.hashListpack, Self.string(pair)) == "OK")
        #expect(server.run("HGET", "k", "12") == .bulk("34"))
        #expect(Self.restore(server, DumpFormat.setListpack, Self.string(pair)) == "OK")
        #expect(server.run("OBJECT", "ENCODING", "k") == .bulk("intset"))
        let mixed = Self.listpack([Self.element("12"), Self.element(34), Self.element("x")])
        #expect(Self.restore(server, DumpFormat.setListpack, Self.string(mixed)) == "OK")
        #expect(server.run("SMISMEMBER", "k", "12", "34", "x", "y") == [1, 1, 1, 0])
        let list = [1, 2] + Self.string(mixed)
        #expect(Self.restore(server, DumpFormat.listOfListpacks, list) == "OK")
        #expect(server.run("LPOS", "k", "12") == 0)
        #expect(server.run("LREM", "k", "0", "34") == 1)
        #expect(server.run("LRANGE", "k", "0", "-1") == [.bulk("12"), .bulk("x")])
    }

    // MARK: - Nodes of lists

    @Test func `nodes of a list are taken over, joined or divided as our limits want`() {
        let server = TestServer(Self.configuration)
        for (nodes, entries) in [(1, 1), (1, 40), (1, 900), (3, 300), (40, 2), (5, 1000)] {
            var body: [UInt8] = [UInt8(nodes)]
            for node in 0..<nodes {
                let texts = (0..<entries).map { Self.element("e\(node)-\($0)") }
                body += [2] + Self.string(Self.listpack(texts))
            }
            #expect(Self.restore(server, DumpFormat.listOfListpacks, body) == "OK")
            #expect(server.run("LLEN", "k") == .integer(Int64(nodes * entries)))
            #expect(server.run("LINDEX", "k", "-1") == .bulk("e\(nodes - 1)-\(entries - 1)"))
            // What is added goes on in the nodes that came.
            server.run("RPUSH", "k", "last")
            server.run("LPUSH", "k", "first")
            #expect(server.run("LINDEX", "k", "-2") == .bulk("e\(nodes - 1)-\(entries - 1)"))
            #expect(server.run("LRANGE", "k", "0", "1") == [.bulk("first"), .bulk("e0-0")])
        }
    }

    @Test func `nodes of a list are compressed as the setting says`() {
        let server = TestServer(Self.configuration + "\nlist-compress-depth 1")
        var body: [UInt8] = [9]
        for node in 0..<9 {
            let texts = (0..<300).map { Self.element("element \(node)-\($0)") }
            body += [2] + Self.string(Self.listpack(texts))
        }
        #expect(Self.restore(server, DumpFormat.listOfListpacks, body) == "OK")
        #expect(server.run("LINDEX", "k", "1500") == .bulk("element 5-0"))
        guard case .integer(let compressed) = server.run("MEMORY", "USAGE", "k") else {
            Issue.record("no usage")
            return
        }
        #expect(compressed < 9 * 300 * 10)
    }

    // MARK: - What is refused

    private static let refused = Reply.error("ERR Bad data format")

    @Test(arguments: [2, 8, 9, 200])
    func `an element that comes twice is refused`(count: Int) {
        let server = TestServer(Self.configuration)
        let names = (0..<count - 1).map { "n\($0)" }
        for twice in [names[0], names[(count - 2) / 2], names[count - 2]] {
            let all = names + [twice]
            let elements = all.map { Self.element($0) }
            let pairs = elements.flatMap { [$0, Self.element(1)] }
            let count = [UInt8(0x40 | count >> 8), UInt8(count & 0xFF)]
            let members = count + all.flatMap { Self.string($0) }
            let fields = count + all.flatMap { Self.string($0) + Self.string("v") }
            let scored = count + all.flatMap { Self.string($0) + [0, 0, 0, 0, 0, 0, 0, 0] }
            for (type, body) in [
                (DumpFormat.setListpack, Self.string(Self.listpack(elements))),
                (DumpFormat.hashListpack, Self.string(Self.listpack(pairs))),
                (DumpFormat.sortedSetListpack, Self.string(Self.listpack(pairs))),
                (DumpFormat.set, members), (DumpFormat.hash, fields),
                (DumpFormat.sortedSet, scored),
            ] {
                #expect(Self.restore(server, type, body) == Self.refused, "type \(type)")
            }
        }
    }

    @Test func `a number that comes twice in two forms is refused`() {
        let server = TestServer(Self.configuration)
        let twice = [Self.element("12"), Self.element("x"), Self.element(12), Self.element("y")]
        let body = Self.string(Self.listpack(twice))
        #expect(Self.restore(server, DumpFormat.setListpack, body) == Self.refused)
        #expect(Self.restore(server, DumpFormat.hashListpack, body) == Self.refused)
        let scored = twice.filter { $0.count > 2 || $0[0] == 12 }.flatMap { [$0, Self.element(1)] }
        let set = Self.string(Self.listpack(scored))
        #expect(Self.restore(server, DumpFormat.sortedSetListpack, set) == Self.refused)
    }

    @Test func `half a pair, a wrong count and a broken entry are refused`() {
        let server = TestServer(Self.configuration)
        let three = [Self.element("a"), Self.element("b"), Self.element("c")]
        let half = Self.string(Self.listpack(three))
        var lying = Self.listpack(three + three.map { $0.map { $0 == 0x61 ? 0x64 : $0 } })
        lying[4] = 4
        var broken = Self.listpack(three)
        broken[8] = 9
        for type in [
            DumpFormat.hashListpack, DumpFormat.sortedSetListpack, DumpFormat.hashListpackPreview,
        ] {
            if type != DumpFormat.hashListpackPreview {
                #expect(Self.restore(server, type, half) == Self.refused)
            }
            #expect(Self.restore(server, type, Self.string(lying)) == Self.refused)
            #expect(Self.restore(server, type, Self.string(broken)) == Self.refused)
        }
        #expect(Self.restore(server, DumpFormat.setListpack, Self.string(lying)) == Self.refused)
        #expect(Self.restore(server, DumpFormat.setListpack, Self.string(broken)) == Self.refused)
        let node = [1, 2] + Self.string(broken)
        #expect(Self.restore(server, DumpFormat.listOfListpacks, node) == Self.refused)
        // More members than there are bytes for, in either form.
        for told: [UInt8] in [[5], [0x81, 0x7F, 0, 0, 0, 0, 0, 0, 0]] {
            let members = told + Self.string("only")
            #expect(Self.restore(server, DumpFormat.set, members) == Self.refused)
            #expect(Self.restore(server, DumpFormat.hash, members) == Self.refused)
        }
        #expect(server.run("DBSIZE") == 0)
    }

    @Test func `a score that is no number is refused`() {
        let server = TestServer(Self.configuration)
        let name = DumpBytes.string("m")
        let nan = DumpBytes.littleEndian(Double.nan.bitPattern)
        let texts = ["m", "nan"].map { Array($0.utf8) }
        for (type, body) in [
            (DumpFormat.sortedSet, [1] + name + nan),
            (DumpFormat.sortedSetOfTexts, [1] + name + [253]),
            (DumpFormat.sortedSetOfTexts, [1] + name + [3] + Array("nan".utf8)),
            (DumpFormat.sortedSetOfTexts, [1] + name + [1] + Array("x".utf8)),
            (
                DumpFormat.sortedSetListpack,
                DumpBytes.string(DumpBytes.listpack(texts.map { DumpBytes.element($0) }))
            ), (DumpFormat.sortedSetZiplist, DumpBytes.string(DumpBytes.ziplist(texts))),
        ] {
            #expect(server.restore(type, body) == Self.refused, "type \(type)")
            #expect(server.load(file: DumpBytes.file(type, body)) != nil, "type \(type)")
        }
    }

    @Test func `a set of integers out of order, twice or of another length is refused`() {
        let server = TestServer(Self.configuration)
        for width in [2, 4, 8] {
            for (integers, count) in [
                ([2, 1], 2), ([1, 1], 2), ([1, 2], 1), ([1, 2], 3), ([], 0),
            ] {
                let set =
                    DumpBytes.littleEndian(UInt32(width)) + DumpBytes.littleEndian(UInt32(count))
                    + integers.flatMap { DumpBytes.littleEndian(Int64($0)).prefix(width) }
                let body = DumpBytes.string(set)
                #expect(server.restore(DumpFormat.setIntset, body) == Self.refused)
                #expect(server.load(file: DumpBytes.file(DumpFormat.setIntset, body)) != nil)
            }
        }
        let odd = DumpBytes.string([3, 0, 0, 0, 1, 0, 0, 0, 1, 2, 3])
        #expect(server.restore(DumpFormat.setIntset, odd) == Self.refused)
    }

    // MARK: - Deadlines of fields

    @Test func `a field's deadline that no server takes is refused`() {
        let server = TestServer()
        let latest: UInt64 = 1 << 46 - 1
        for (deadline, isTaken) in [
            (latest, true), (latest + 1, false), (1 << 47, false), (UInt64(Int64.max), false),
            (.max, false),
        ] {
            let table =
                DumpBytes.littleEndian(UInt64(1)) + [1] + DumpBytes.length(deadline)
                + DumpBytes.string("f") + DumpBytes.string("v")
            let absolute =
                [1] + DumpBytes.length(deadline) + DumpBytes.string("f") + DumpBytes.string("v")
            let packed = DumpBytes.listpack(
                ["f", "v", String(Int64(clamping: deadline))].map { DumpBytes.element($0) })
            for (type, body) in [
                (DumpFormat.hashWithDeadlines, table), (DumpFormat.hashWithDeadlines22, absolute),
                (DumpFormat.hashListpackPreview, DumpBytes.string(packed)),
                (
                    DumpFormat.hashListpackWithDeadlines,
                    DumpBytes.littleEndian(deadline) + DumpBytes.string(packed)
                ),
            ] {
                #expect(
                    server.restore(type, body) == (isTaken ? "OK" : Self.refused), "type \(type)")
                let error = server.load(file: DumpBytes.file(type, body))
                #expect((error == nil) == isTaken, "type \(type)")
                guard isTaken else { continue }
                let expected = Reply.array([.integer(Int64(latest))])
                #expect(server.run("HPEXPIRETIME", "k", "FIELDS", "1", "f") == expected)
            }
            let valkey =
                [1] + DumpBytes.string("f") + DumpBytes.string("v")
                + DumpBytes.littleEndian(deadline)
            let reply = server.restore(DumpFormat.hashWithDeadlines22, valkey, version: 80)
            // Valkey's -1 is none.
            #expect(reply == (isTaken || deadline == .max ? "OK" : Self.refused))
        }
        let zero =
            DumpBytes.littleEndian(UInt64(0)) + [1, 1] + DumpBytes.string("f")
            + DumpBytes.string("v")
        #expect(server.restore(DumpFormat.hashWithDeadlines, zero) == Self.refused)
    }

    // MARK: - Lengths beyond what has come

    /// Values that claim to be more than they are.
    static let claims: [(UInt8, [UInt8])] = {
        let huge: [UInt64] = [1 << 31, 1 << 32 - 1, 1 << 40, 1 << 62, 1 << 63 - 1, .max]
        let counted = [
            DumpFormat.list, DumpFormat.listOfZiplists, DumpFormat.listOfListpacks, DumpFormat.set,
            DumpFormat.sortedSetOfTexts, DumpFormat.sortedSet, DumpFormat.hash,
            DumpFormat.hashWithDeadlines22, DumpFormat.stream1, DumpFormat.stream2,
            DumpFormat.stream3,
        ]
        var claims: [(UInt8, [UInt8])] = []
        for count in huge {
            let length = DumpBytes.length(count)
            claims.append((DumpFormat.string, length + [1]))
            claims += counted.map { ($0, length) }
            claims += counted.map { ($0, length + [UInt8](repeating: 1, count: 40)) }
            claims.append((DumpFormat.hashWithDeadlines, [0, 0, 0, 0, 0, 0, 0, 0] + length))
            for packed in [10, 5000, 200_000] {
                let zeroes = [UInt8](repeating: 0, count: packed)
                claims.append(
                    (
                        DumpFormat.string,
                        [DumpFormat.compressed] + DumpBytes.length(UInt64(packed)) + length + zeroes
                    ))
                claims.append(
                    (DumpFormat.string, [DumpFormat.compressed] + length + length + zeroes))
            }
            claims.append((DumpFormat.listOfListpacks, [1] + length))
            claims.append((DumpFormat.listOfListpacks, [1, 2] + length))
            for group in [
                length, [1, 1, 0x67, 1, 1, 1] + length, [1, 1, 0x67, 1, 1, 1, 0] + length,
            ] {
                claims.append((DumpFormat.stream2, [0, 0, 1, 1, 0, 0, 0, 0, 0] + group))
            }
        }
        for width: UInt32 in [2, 4, 8] {
            let set = DumpBytes.littleEndian(width) + DumpBytes.littleEndian(UInt32.max) + [1, 0]
            claims.append((DumpFormat.setIntset, DumpBytes.string(set)))
        }
        var listpack = DumpBytes.listpack([DumpBytes.element("a")])
        listpack.replaceSubrange(0..<4, with: [0xFF, 0xFF, 0xFF, 0xFF])
        let long = DumpBytes.listpack([[0xF0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 1]])
        for type in [
            DumpFormat.setListpack, DumpFormat.hashListpack, DumpFormat.sortedSetListpack,
            DumpFormat.hashZiplist, DumpFormat.listZiplist, DumpFormat.sortedSetZiplist,
            DumpFormat.hashZipmap, DumpFormat.hashListpackPreview,
        ] {
            claims += [(type, DumpBytes.string(listpack)), (type, DumpBytes.string(long))]
        }
        return claims
    }()

    @Test func `a claim to be more than has come is refused and takes no memory`() {
        let server = TestServer(Self.configuration)
        for (type, body) in Self.claims {
            #expect(
                server.restore(type, body) == Self.refused, "type \(type): \(body.prefix(30))")
            #expect(server.load(file: DumpBytes.file(type, body)) != nil)
        }
        #expect(server.run("DBSIZE") == 0)
        #expect(server.server.keyspace.arena.allocatedBytes < 1 << 20)
    }
}
