import Testing

@testable import Engine

/// Every command of the table with missing, surplus and extreme arguments: a reply comes, it is well
/// formed, and the server stands.
@Suite struct ArgumentFuzzTests {
    /// Commands that end the process on purpose, pause everyone, or take long.
    private static let deadly: Set<String> = [
        "shutdown", "debug|segfault", "debug|panic", "debug|assert", "debug|oom", "debug|sleep",
        "debug|restart", "debug|crash-and-recover", "pfselftest", "client|pause",
    ]

    /// What clients send when they mean ill, or have a bug.
    private static let extremes: [[UInt8]] =
        [
            "", "0", "1", "-1", "2", "10", "9223372036854775807", "-9223372036854775808",
            "9223372036854775808", "18446744073709551615", "4294967296", "2147483647",
            "-2147483648",
            "536870912", "1e400", "nan", "inf", "-inf", "0.0000001", "1.5", " 1", "1 ", "+1", "01",
            "k", "string", "integer", "heap", "absent", "*", "[", "[^", "\\", "a*b*c*d", "NX", "XX",
            "GT", "LT",
            "EX", "PX", "EXAT", "PXAT", "KEEPTTL", "GET", "COUNT", "MATCH", "TYPE", "LIMIT",
            "REPLACE",
            "DB", "WITHVALUES", "LEN", "IDX", "MINMATCHLEN", "WITHMATCHLEN", "ASYNC", "SYNC",
            "help",
        ].map { Array($0.utf8) } + [[0], [0xFF, 0xFE], Array(repeating: 0x61, count: 300)]

    @Test func everyCommandSurvivesExtremeArguments() {
        var random = SeededRandom.make()
        let server = TestServer("enable-debug-command yes")
        let client = server.connect()
        var names: [[UInt8]] = []
        for row in server.server.commands.rows where !Self.deadly.contains(row.fullName) {
            let words = row.fullName.split(separator: "|").map { Array($0.utf8) }
            for _ in 0..<60 {
                server.run("SET", "string", "text")
                server.run("SET", "integer", "41")
                server.run("SET", "heap", String(repeating: "h", count: 5000))
                let count = Int.random(in: 0...6, using: &random)
                let arguments =
                    words
                    + (0..<count).map { _ in
                        Self.extremes[Int.random(in: 0..<Self.extremes.count, using: &random)]
                    }
                if isDeadly(arguments) { continue }
                names = arguments
                check(client, arguments, random.seed)
            }
        }
        #expect(!names.isEmpty)
        #expect(server.run("PING") == "PONG")
    }

    /// DEBUG is one row whose first argument may be deadly.
    private func isDeadly(_ arguments: [[UInt8]]) -> Bool {
        let words = arguments.prefix(2).map { String(decoding: $0, as: UTF8.self).lowercased() }
        return Self.deadly.contains(words.joined(separator: "|"))
            || words.first == "debug" && words.count > 1 && words[1] == "sleep"
    }

    private func check(_ client: TestClient, _ arguments: [[UInt8]], _ seed: UInt64) {
        client.send(arguments)
        let bytes = client.connection.reply.view.array
        var reader = ReplyReader(bytes)
        while reader.next() != nil {}
        let text = arguments.map { String(decoding: $0, as: UTF8.self) }
        #expect(reader.isAtEnd, "malformed reply to \(text), seed \(seed)")
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
    }
}
