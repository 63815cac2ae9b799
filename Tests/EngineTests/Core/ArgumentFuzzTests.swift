import Testing

@testable import Engine

/// Every command of the table with the options of its syntax and with missing, surplus and extreme
/// arguments, on keys of every type: a reply comes, it is well formed, the server stands, and what
/// is answered with an error has changed nothing.
@Suite struct ArgumentFuzzTests {
    /// Commands that end the process on purpose, fork it, write files, pause everyone, or take long.
    static let deadly: Set<String> = [
        "shutdown", "debug|segfault", "debug|panic", "debug|assert", "debug|oom", "debug|sleep",
        "debug|restart", "debug|crash-and-recover", "debug|reload", "save", "bgsave", "migrate",
        "pfselftest", "client|pause", "psync", "sync", "replicaof", "slaveof",
    ]

    @Test func `every command survives what its syntax allows and forbids`() {
        let server = TestServer(SampleData.configuration)
        let client = server.connect()
        var maker = RequestMaker(random: SeededRandom.make(), keys: SampleData.keys)
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
        for request in SampleData.requests {
            let reply = server.client.run(bytes: request)
            #expect(!reply.isError, "\(reply)")
        }
    }

    private static func digest(_ server: TestServer) -> String {
        server.server.keyspace.digest().hexadecimal
    }

    /// DEBUG is one row whose first argument may be deadly.
    static func isDeadly(_ arguments: [[UInt8]]) -> Bool {
        let words = arguments.prefix(2).map { String(decoding: $0, as: UTF8.self).lowercased() }
        return deadly.contains(words.joined(separator: "|"))
            || words.first == "debug" && words.count > 1 && words[1] == "sleep"
    }

    /// Random elements with repetition are as many as were asked for, thousands of millions too.
    static func isEndless(_ arguments: [[UInt8]]) -> Bool {
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
        _ = client.server.waiting.unblock(client.connection, .timeout, in: client.server)
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
