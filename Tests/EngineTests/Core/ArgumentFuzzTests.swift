import Testing

@testable import Engine

/// Every command of the table with the options of its syntax and with missing, surplus and extreme
/// arguments, on keys of every type: a reply comes, it is well formed, the server stands, and what
/// is answered with an error has changed nothing.
@Suite struct ArgumentFuzzTests {
    /// Commands that end the process on purpose, fork it, write files, pause everyone, or take long.
    private static let deadly: Set<String> = [
        "shutdown", "debug|segfault", "debug|panic", "debug|assert", "debug|oom", "debug|sleep",
        "debug|restart", "debug|crash-and-recover", "debug|reload", "save", "bgsave", "migrate",
        "pfselftest", "client|pause",
    ]

    /// What makes the data, one value of each form of each type.
    private static let data = [
        "SET string text", "SET integer 41", "SET heap \(String(repeating: "h", count: 2000))",
        "SETBIT bits 77 1", "PFADD sketch a b c", "PFADD sketch2 c d e",
        "RPUSH list a b c 1 2 3", "RPUSH longlist \(words("element", 400))",
        "SADD intset 1 2 3 7", "SADD set a b c 1", "SADD bigset \(words("m", 12))",
        "HSET hash f1 v f2 2 f3 1.5", "HSET bighash \(words("f", 12, " 1"))",
        "HSET expiring f1 v f2 2", "HPEXPIREAT expiring 2000000000000 FIELDS 1 f1",
        "ZADD ranking 1 a 2 b 2.5 c", "ZADD bigranking \(scored(12))",
        "GEOADD places 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
        "XADD stream 1-1 f1 a f2 b", "XADD stream 2-1 f1 c f2 7", "XADD stream 3-1 f3 d",
        "XGROUP CREATE stream a 0", "XREADGROUP GROUP a b COUNT 2 STREAMS stream >",
        "SET passing away PXAT 2000000000000",
    ].map { $0.split(separator: " ").map { Array($0.utf8) } }

    private static let keys: [CommandGroup: [String]] = [
        .string: ["string", "integer", "heap", "passing", "absent"],
        .list: ["list", "longlist", "absent", "absent2"],
        .set: ["intset", "set", "bigset", "absent"],
        .hash: ["hash", "bighash", "expiring", "absent"],
        .sortedSet: ["ranking", "bigranking", "absent"],
        .geo: ["places", "ranking", "absent"],
        .hyperLogLog: ["sketch", "sketch2", "string", "absent"],
        .stream: ["stream", "absent"],
        .bitmap: ["bits", "heap", "integer", "absent"],
    ]

    private static func words(_ name: String, _ count: Int, _ tail: String = "") -> String {
        (0..<count).map { "\(name)\($0)\(tail)" }.joined(separator: " ")
    }

    private static func scored(_ count: Int) -> String {
        (0..<count).map { "\($0) m\($0)" }.joined(separator: " ")
    }

    /// Small limits, so that a dozen elements have the large form, and no string can be long.
    private static let configuration = """
        enable-debug-command yes
        proto-max-bulk-len 1mb
        set-max-intset-entries 8
        set-max-listpack-entries 8
        hash-max-listpack-entries 8
        zset-max-listpack-entries 8
        """

    @Test func `every command survives what its syntax allows and forbids`() {
        let server = TestServer(Self.configuration)
        let client = server.connect()
        var maker = RequestMaker(random: SeededRandom.make(), keys: Self.keys)
        Self.restore(server)
        let digest = Self.digest(server)
        var replies = 0
        for row in server.server.commands.rows where !Self.deadly.contains(row.fullName) {
            let mayWrite = !row.flags.contains(.readOnly)
            for _ in 0..<12 {
                let request = maker.request(for: row)
                if Self.isDeadly(request) || Self.isEndless(request) { continue }
                replies += 1
                let isError = check(client, request, maker.random.seed)
                if !mayWrite { continue }
                if !isError {
                    Self.restore(server)
                } else if Self.digest(server) != digest {
                    Issue.record("an error changed data: \(text(request)), \(maker.random.seed)")
                    Self.restore(server)
                }
            }
            // PFCOUNT keeps in the value what it has counted, as Redis does.
            if row.fullName == "pfcount" { Self.restore(server) }
            #expect(Self.digest(server) == digest, "\(row.fullName) changed what it only reads")
        }
        #expect(replies > 1000)
        #expect(server.run("PING") == "PONG")
    }

    private static func restore(_ server: TestServer) {
        server.run("FLUSHALL")
        for request in data {
            let reply = server.client.run(bytes: request)
            #expect(!reply.isError, "\(reply)")
        }
    }

    private static func digest(_ server: TestServer) -> String {
        server.server.keyspace.digest().hexadecimal
    }

    /// DEBUG is one row whose first argument may be deadly.
    private static func isDeadly(_ arguments: [[UInt8]]) -> Bool {
        let words = arguments.prefix(2).map { String(decoding: $0, as: UTF8.self).lowercased() }
        return deadly.contains(words.joined(separator: "|"))
            || words.first == "debug" && words.count > 1 && words[1] == "sleep"
    }

    /// Random elements with repetition are as many as were asked for, thousands of millions too.
    private static func isEndless(_ arguments: [[UInt8]]) -> Bool {
        let name = String(decoding: arguments[0], as: UTF8.self)
        guard ["srandmember", "hrandfield", "zrandmember"].contains(name) else { return false }
        return arguments.dropFirst(2).contains {
            (Int64(String(decoding: $0, as: UTF8.self)) ?? 0) < -1000
        }
    }

    private func text(_ arguments: [[UInt8]]) -> String {
        arguments.map { String(decoding: $0.prefix(60), as: UTF8.self) }.joined(separator: " ")
    }

    /// Whether the request was answered with an error.
    private func check(_ client: TestClient, _ arguments: [[UInt8]], _ seed: UInt64) -> Bool {
        client.connection.reply.isRESP3 = arguments.count % 2 == 0
        client.send(arguments)
        let bytes = client.connection.reply.view.array
        var reader = ReplyReader(bytes)
        while reader.next() != nil {}
        #expect(reader.isAtEnd, "malformed reply to \(text(arguments)), seed \(seed)")
        client.connection.reply.drain(client.connection.reply.count)
        // A client that waits for a key shall go on.
        _ = client.server.unblock(client.connection, .timeout)
        client.connection.reply.drain(client.connection.reply.count)
        // What RESET, QUIT, CLIENT REPLY OFF and the like leave behind is not this test's matter.
        client.connection.session = Session()
        client.connection.session.isAuthenticated = true
        client.connection.gate = []
        client.connection.closesAfterReply = false
        client.connection.reply.isRESP3 = false
        return bytes.first == UInt8(ascii: "-")
    }
}
