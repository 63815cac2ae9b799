import Testing

@testable import Engine

/// Packed values of which one element is spelled in a way that no server chooses, though the format
/// has it: after the same commands they are the same as those in the usual form, or were refused.
struct PackedFormsTests {
    private struct Sample {
        let type: UInt8
        /// What stands in front of the listpack.
        var front: [UInt8] = []
        let texts: [String]
        let commands: [String]

        func body(_ listpack: [UInt8]) -> [UInt8] { front + DumpBytes.string(listpack) }
    }

    private static let listCommands = [
        "LLEN k", "LRANGE k 0 -1", "LPOS k 300", "LPOS k -5 RANK -1", "LINSERT k BEFORE 300 z",
        "LINSERT k AFTER a 70000", "LSET k 1 x", "LSET k -2 4000", "LREM k 1 -5", "LREM k -1 70000",
        "LRANGE k 0 -1", "RPUSH k 1 b", "LPUSH k -70000", "LMOVE k k LEFT RIGHT", "LRANGE k -9 -1",
        "LPOP k 2", "RPOP k", "LINDEX k 2", "LTRIM k 1 -2", "LRANGE k 0 -1", "DEBUG DIGEST-VALUE k",
    ]
    private static let hashCommands = [
        "HLEN k", "HGETALL k", "HGET k 7", "HINCRBY k f1 300", "HINCRBY k 7 -1", "HSET k f3 1 9 x",
        "HINCRBYFLOAT k f1 0.5", "HSTRLEN k 7", "HGETALL k", "HPEXPIRE k 100000 FIELDS 2 7 f1",
        "HPTTL k FIELDS 3 7 f1 f3", "HPERSIST k FIELDS 1 7", "HDEL k f1 9", "HGETALL k",
        "DEBUG DIGEST-VALUE k", "HDEL k 7", "HGETALL k",
    ]

    private static let samples = [
        Sample(
            type: DumpFormat.listOfListpacks, front: [1, 2],
            texts: ["a", "1", "-5", "300", "70000", "-9000000", "b", "5000000000", ""],
            commands: listCommands),
        // Long enough for a node of a chain.
        Sample(
            type: DumpFormat.listOfListpacks, front: [1, 2],
            texts: ["a", "1", "-5", "300", "70000"]
                + (0..<50).map { "a text of two dozen bytes \($0)" } + ["-5", "7"],
            commands: listCommands),
        Sample(
            type: DumpFormat.hashListpack, texts: ["f1", "1", "7", "300", "f3", "x", "9", ""],
            commands: hashCommands),
        Sample(
            type: DumpFormat.hashListpackPreview,
            texts: ["f1", "1", "1900000000000", "7", "300", "1800000000000", "f3", "x", "0"],
            commands: hashCommands),
        Sample(
            type: DumpFormat.hashListpackWithDeadlines,
            front: DumpBytes.littleEndian(Int64(1_800_000_000_000)),
            texts: ["7", "300", "1800000000000", "f1", "1", "1900000000000", "f3", "x", "0"],
            commands: hashCommands),
        Sample(
            type: DumpFormat.sortedSetListpack,
            texts: ["a", "-300", "7", "1", "b", "2.5", "c", "70000", "-9", "70000"],
            commands: [
                "ZCARD k", "ZRANGE k 0 -1 WITHSCORES", "ZSCORE k 7", "ZINCRBY k 3 7", "ZADD k 9 a",
                "ZRANK k c", "ZADD k 2.5 1", "ZREM k b", "ZRANGEBYSCORE k 2 90000", "ZPOPMIN k",
                "ZRANGE k 0 -1 WITHSCORES", "DEBUG DIGEST-VALUE k", "ZPOPMAX k", "ZREM k -9",
            ]),
        Sample(
            type: DumpFormat.setListpack, texts: ["a", "1", "-300", "70000", "b", ""],
            commands: [
                "SCARD k", "SMISMEMBER k a 1 -300 70000 2", "SADD k 1 2 c", "SREM k -300 b",
                "SADD k 70000", "SORT k ALPHA", "DEBUG DIGEST-VALUE k", "SREM k 1 2", "SCARD k",
            ]),
        Sample(
            type: DumpFormat.setListpack, texts: ["5", "1", "-300", "70000", "5000000000"],
            commands: [
                "OBJECT ENCODING k", "SMEMBERS k", "SADD k 1 2", "SREM k 70000", "SMEMBERS k",
                "SADD k x", "SCARD k",
            ]),
    ]

    private static func run(_ server: TestServer, _ commands: [String]) -> [Reply] {
        commands.map { server.client.run($0.split(separator: " ").map(String.init)) }
    }

    private static let configuration =
        "enable-debug-command yes\nlist-max-listpack-size -2"

    @Test(arguments: samples.indices)
    func `an element in any other form is refused or read right`(number: Int) {
        let sample = Self.samples[number]
        let server = TestServer(Self.configuration)
        let usual = sample.body(DumpBytes.listpack(sample.texts.map { DumpBytes.element($0) }))
        #expect(server.restore(sample.type, usual) == "OK")
        let expected = Self.run(server, sample.commands)
        #expect(!expected.contains { $0.isError }, "\(expected)")
        var (read, all) = (0, 0)
        for index in sample.texts.indices where index < 9 || index > 50 {
            for form in DumpBytes.Form.allCases {
                guard let listpack = DumpBytes.listpack(sample.texts, index, form) else { continue }
                all += 1
                if expectSame(server, sample, listpack, expected, "\(index) as \(form)") {
                    read += 1
                }
            }
        }
        // Only deadlines that are text are refused.
        let hasDeadlines = sample.texts.contains("1800000000000")
        #expect(hasDeadlines ? read > all / 2 : read == all, "\(read) of \(all)")
    }

    @Test(arguments: samples.indices)
    func `a listpack that does not know how many elements it has is read right`(number: Int) {
        let sample = Self.samples[number]
        let server = TestServer(Self.configuration)
        var listpack = DumpBytes.listpack(sample.texts.map { DumpBytes.element($0) })
        #expect(server.restore(sample.type, sample.body(listpack)) == "OK")
        let expected = Self.run(server, sample.commands)
        listpack.replaceSubrange(4..<6, with: [0xFF, 0xFF])
        let isRead = expectSame(server, sample, listpack, expected, "uncounted")
        #expect(isRead)
    }

    /// Whether the value was taken, either way that it can come.
    private func expectSame(
        _ server: TestServer, _ sample: Sample, _ listpack: [UInt8], _ expected: [Reply],
        _ what: String
    ) -> Bool {
        let body = sample.body(listpack)
        server.run("FLUSHALL")
        let error = server.load(file: DumpBytes.file(sample.type, body))
        if error == nil { #expect(Self.run(server, sample.commands) == expected, "\(what), file") }
        let reply = server.restore(sample.type, body)
        #expect((reply == "OK") == (error == nil), "\(what)")
        guard reply == "OK" else {
            #expect(reply == .error("ERR Bad data format"))
            return false
        }
        #expect(Self.run(server, sample.commands) == expected, "\(what)")
        return true
    }

    // MARK: - Others

    @Test func `integers of a set in wider form than they need are read right`() {
        let server = TestServer(Self.configuration)
        let commands = [
            "SMEMBERS k", "SADD k 5 300", "SREM k -7", "SADD k 70000", "SADD k 5000000000",
            "SMEMBERS k", "SREM k 5000000000 70000 1", "SMEMBERS k", "DEBUG DIGEST-VALUE k",
        ]
        var all: [[Reply]] = []
        for width in [2, 4, 8] {
            let integers = [-7, 1, 44].flatMap { DumpBytes.littleEndian(Int64($0)).prefix(width) }
            let set =
                DumpBytes.littleEndian(UInt32(width)) + DumpBytes.littleEndian(UInt32(3)) + integers
            #expect(server.restore(DumpFormat.setIntset, DumpBytes.string(set)) == "OK")
            all.append(Self.run(server, commands))
        }
        #expect(all[0] == all[1] && all[0] == all[2])
        #expect(all[0][0] == .bulks("-7", "1", "44"))
    }

    @Test func `a string in any form is changed in place like any other`() {
        let server = TestServer(Self.configuration)
        let commands = [
            "GET k", "INCR k", "SETRANGE k 0 9", "APPEND k 1", "BITFIELD k SET u4 4 3 GET i8 0",
            "SETBIT k 3 0", "GET k", "STRLEN k", "DEBUG DIGEST-VALUE k",
        ]
        let forms: [[UInt8]] = [
            DumpBytes.string("12"), [DumpFormat.integer8, 12], [DumpFormat.integer16, 12, 0],
            [DumpFormat.integer32, 12, 0, 0, 0], DumpBytes.compressed(Array("12".utf8)),
            [DumpFormat.length32, 0, 0, 0, 2, 0x31, 0x32], [0x40, 2, 0x31, 0x32],
        ]
        let all = forms.map { form in
            let reply = server.restore(DumpFormat.string, form)
            #expect(reply == "OK", "\(form)")
            return Self.run(server, commands)
        }
        #expect(all.allSatisfy { $0 == all[0] })
        #expect(all[0][0] == .bulk("12"))
    }

    @Test func `sparse sketches in any form count and grow like any other`() {
        let server = TestServer()
        server.run("PFADD", "k", "a", "b", "c")
        let usual = server.run("PFCOUNT", "k")
        // 16384 zeroes: as one run, and as runs of one in two bytes each.
        let head = Array("HYLL\u{1}".utf8) + [UInt8](repeating: 0, count: 10) + [0x80]
        let wide = head + (0..<16384).flatMap { _ in [UInt8(0x40), 0] }
        #expect(server.restore(DumpFormat.string, DumpBytes.string(wide)) == "OK")
        #expect(server.run("PFADD", "k", "a", "b", "c") == 1)
        #expect(server.run("PFADD", "k", "a") == 0)
        #expect(server.run("PFCOUNT", "k") == usual)
        server.run("CONFIG", "SET", "hll-sparse-max-bytes", "0")
        for number in 0..<300 { server.run("PFADD", "k", "\(number)", "x\(number)") }
        #expect(server.run("PFCOUNT", "k").integer.map { $0 > 580 && $0 < 630 } == true)
    }

    /// Products of settings that are as large as numbers are.
    @Test(arguments: ["entries", "value"], ["9223372036854775807", "4611686018427387904"])
    func `a sorted set is read under limits that are none`(name: String, limit: String) throws {
        let test = TestServer("zset-max-listpack-\(name) \(limit)\n")
        _ = test.run("ZADD", "z", "1", "a", "2", "b")
        let payload = try #require(test.dump("z"))
        #expect(test.restore(payload: payload, key: "copy") == "OK")
        #expect(test.run("ZRANGE", "copy", "0", "-1") == .bulks("a", "b"))
    }
}
