import Testing

@testable import Engine

@Suite struct SlowLogCommandsTests {
    /// The arguments of the entries that a log holds, newest first.
    private func requests(_ reply: Reply) -> [[String]] {
        reply.elements.map { entry in entry.elements[3].elements.map { $0.text ?? "?" } }
    }

    @Test func slowCommandsAreLogged() {
        let server = TestServer("slowlog-log-slower-than 0\n")
        server.run("CLIENT", "SETNAME", "me")
        server.run("SET", "k", "v")
        let entries = server.run("SLOWLOG", "GET", "1").elements
        let entry = entries.first?.elements ?? []
        #expect(entry.count == 6)
        #expect(entry[0] == 1)
        #expect(entry[1] == 1_700_000_000)
        #expect((entry[2].integer ?? -1) >= 0)
        #expect(entry[3] == .bulks("SET", "k", "v"))
        #expect(entry[4] == .bulk("127.0.0.1:0"))
        #expect(entry[5] == .bulk("me"))
        #expect(server.run("SLOWLOG", "LEN") == 3)
        #expect(server.run("SLOWLOG", "RESET") == "OK")
        #expect(requests(server.run("SLOWLOG", "GET")) == [["SLOWLOG", "RESET"]])
    }

    @Test func nothingIsLoggedWhenOff() {
        let server = TestServer("slowlog-log-slower-than -1\n")
        for _ in 0..<10 { server.run("PING") }
        #expect(server.run("SLOWLOG", "LEN") == 0)
        server.run("CONFIG", "SET", "slowlog-log-slower-than", "3600000000")
        for _ in 0..<10 { server.run("PING") }
        #expect(server.run("SLOWLOG", "LEN") == 0)
        server.run("CONFIG", "SET", "slowlog-log-slower-than", "0")
        #expect(server.run("SLOWLOG", "LEN") == 1)
    }

    @Test func theLengthIsLimited() {
        let server = TestServer("slowlog-log-slower-than 0\nslowlog-max-len 3\n")
        for index in 0..<10 { server.run("GET", "\(index)") }
        #expect(
            requests(server.run("SLOWLOG", "GET", "-1")) == [
                ["GET", "9"], ["GET", "8"], ["GET", "7"],
            ])
        #expect(server.run("SLOWLOG", "GET", "0") == [])
        server.run("CONFIG", "SET", "slowlog-max-len", "1")
        #expect(server.run("SLOWLOG", "LEN") == 1)
        server.run("CONFIG", "SET", "slowlog-max-len", "0")
        server.run("GET", "1")
        #expect(server.run("SLOWLOG", "LEN") == 0)
    }

    @Test(arguments: [
        ("SLOWLOG GET x", "ERR count should be greater than or equal to -1"),
        ("SLOWLOG GET -2", "ERR count should be greater than or equal to -1"),
        ("SLOWLOG GET 99999999999999999999", "ERR count should be greater than or equal to -1"),
        (
            "SLOWLOG GET 1 2",
            "ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP."
        ),
        ("SLOWLOG LEN x", "ERR wrong number of arguments for 'slowlog|len' command"),
        ("SLOWLOG NOPE", "ERR unknown subcommand 'NOPE'. Try SLOWLOG HELP."),
        ("COMMANDLOG GET 1", "ERR wrong number of arguments for 'commandlog|get' command"),
        (
            "COMMANDLOG GET 1 x",
            "ERR type should be one of the following: slow, large-request, large-reply"
        ),
        ("COMMANDLOG GET x slow", "ERR count should be greater than or equal to -1"),
        (
            "COMMANDLOG LEN x",
            "ERR type should be one of the following: slow, large-request, large-reply"
        ),
        (
            "COMMANDLOG RESET x",
            "ERR type should be one of the following: slow, large-request, large-reply"
        ),
    ])
    func mistakesAreNamed(_ command: String, _ error: String) {
        let server = TestServer()
        #expect(server.client.run(command.split(separator: " ").map(String.init)) == .error(error))
    }

    // MARK: - What may not be seen

    @Test(arguments: [
        (["AUTH", "secret"], ["AUTH", "(redacted)"]),
        (["AUTH", "u", "secret"], ["AUTH", "(redacted)", "(redacted)"]),
        (["AUTH", "u", "secret", "secret"], ["AUTH", "(redacted)", "(redacted)", "(redacted)"]),
        (
            ["HELLO", "2", "AUTH", "secret", "secret", "SETNAME", "n"],
            ["HELLO", "2", "AUTH", "(redacted)", "(redacted)", "SETNAME", "n"]
        ),
        (["HELLO", "x", "auth", "secret"], ["HELLO", "x", "auth", "(redacted)"]),
        (["HELLO", "2", "AUTH"], ["HELLO", "2", "AUTH"]),
        (
            ["CONFIG", "SET", "timeout", "0", "MASTERAUTH", "secret"],
            ["CONFIG", "SET", "timeout", "0", "MASTERAUTH", "(redacted)"]
        ),
        (
            ["CONFIG", "SET", "requirepass", "secret", "nope", "1", "x"],
            ["CONFIG", "SET", "requirepass", "(redacted)", "nope", "1", "x"]
        ),
        (["CONFIG", "SET", "masterauth", ""], ["CONFIG", "SET", "masterauth", "(redacted)"]),
        (
            ["ACL", "SETUSER", "bob", "on", ">secret"],
            ["ACL", "SETUSER", "(redacted)", "(redacted)", "(redacted)"]
        ),
    ])
    func secretsAreHidden(_ request: [String], _ shown: [String]) {
        let server = TestServer("slowlog-log-slower-than 0\n")
        server.client.send(request.map { Array($0.utf8) })
        let log = server.server.observation[.slow].newest(1)
        #expect(
            log.first?.arguments.map { String(decoding: $0, as: UTF8.self) } == shown)
    }

    @Test func hostileBytesAreKeptAsTheyAre() {
        let server = TestServer("slowlog-log-slower-than 0\n")
        let hostile: [UInt8] = [0, 10, 13, 34, 255]
        server.client.send([Array("GET".utf8), hostile])
        let log = server.server.observation[.slow].newest(1)
        #expect(log.first?.arguments.last == hostile)
    }

    // MARK: - By size

    @Test func largeRequestsAndRepliesAreLogged() {
        let server = TestServer("slowlog-log-slower-than -1\n")
        let client = WireClient(server.server)
        let value = String(repeating: "x", count: (1 << 20) - 50)
        client.send(multibulk("SET", "k", value))
        #expect(server.run("COMMANDLOG", "LEN", "large-request") == 0)
        client.send(multibulk("SET", "k", value + value))
        client.send(multibulk("GET", "k"))
        let large = server.run("COMMANDLOG", "GET", "-1", "LARGE-REQUEST").elements
        #expect(large.count == 1)
        #expect(
            large.first?.elements[2]
                == .integer(Int64(multibulk("SET", "k", value + value).count)))
        #expect(
            large.first?.elements[3]
                == .bulks(
                    "SET", "k",
                    String(repeating: "x", count: 128) + "... (\(value.count * 2 - 128) more bytes)"
                ))
        let replies = server.run("COMMANDLOG", "GET", "-1", "large-reply").elements
        #expect(replies.map { $0.elements[3] } == [.bulks("GET", "k")])
        #expect(replies.first?.elements[2] == .integer(Int64(value.count * 2 + 12)))
        #expect(server.run("COMMANDLOG", "LEN", "slow") == 0)
        #expect(server.run("COMMANDLOG", "RESET", "large-reply") == "OK")
        #expect(server.run("COMMANDLOG", "LEN", "large-reply") == 0)
        #expect(server.run("COMMANDLOG", "LEN", "large-request") == 1)
    }

    /// A value may be freed by the command that brought it.
    @Test func anArgumentThatIsGoneIsStillLogged() {
        let server = TestServer("slowlog-log-slower-than 0\n")
        let client = WireClient(server.server)
        let first = String(repeating: "a", count: 40_000)
        let second = String(repeating: "b", count: 40_000)
        client.send(multibulk("MSET", "k", first, "k", second))
        client.turn()
        #expect(client.take() == "+OK\r\n")
        let logged = server.server.observation[.slow].newest(1).first?.arguments ?? []
        #expect(logged.count == 5)
        #expect(logged[2].starts(with: [UInt8](repeating: 97, count: 128)))
        #expect(logged[4].starts(with: [UInt8](repeating: 98, count: 128)))
        #expect(
            String(decoding: logged[4].dropFirst(128), as: UTF8.self) == "... (39872 more bytes)")
    }

    @Test func smallSizesCanBeLoggedToo() {
        let server = TestServer("slowlog-log-slower-than -1\n")
        server.run(
            "CONFIG", "SET", "commandlog-request-larger-than", "20",
            "commandlog-reply-larger-than", "7")
        server.run("COMMANDLOG", "RESET", "large-request")
        server.run("SET", "a", "b")
        server.run("GET", "a")
        server.run("PING")
        #expect(
            requests(server.run("COMMANDLOG", "GET", "-1", "large-request"))
                == [["GET", "a"], ["SET", "a", "b"], ["COMMANDLOG", "RESET", "large-request"]])
        #expect(
            requests(server.run("COMMANDLOG", "GET", "-1", "large-reply")).last == ["PING"]
                || requests(server.run("COMMANDLOG", "GET", "-1", "large-reply")).last
                    == ["GET", "a"]
        )
        server.run(
            "CONFIG", "SET", "commandlog-request-larger-than", "-1",
            "commandlog-reply-larger-than", "-1")
        let before = server.run("COMMANDLOG", "LEN", "large-reply")
        server.run("ECHO", String(repeating: "x", count: 100))
        #expect(server.run("COMMANDLOG", "LEN", "large-reply") == before)
    }

    @Test func directivesHaveTheNamesOfBothPeers() {
        let server = TestServer()
        server.run("CONFIG", "SET", "commandlog-slow-execution-max-len", "5")
        #expect(
            server.run("CONFIG", "GET", "slowlog-max-len") == .bulks("slowlog-max-len", "5"))
        server.run("CONFIG", "SET", "slowlog-log-slower-than", "7")
        #expect(
            server.run("CONFIG", "GET", "commandlog-execution-slower-than")
                == .bulks("commandlog-execution-slower-than", "7"))
    }

    @Test func aCommandThatWaitedIsLoggedOnce() {
        let server = TestServer("slowlog-log-slower-than 0\n")
        let other = server.connect()
        other.send([Array("BLPOP".utf8), Array("l".utf8), Array("0".utf8)])
        #expect(server.server.observation[.slow].count == 0)
        server.run("RPUSH", "l", "x")
        let log = server.server.observation[.slow].newest(.max).map { entry in
            entry.arguments.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
        }
        #expect(log.sorted() == ["BLPOP l 0", "RPUSH l x"])
    }

    @Test func helpIsThatOfRedis() {
        let server = TestServer()
        #expect(server.run("SLOWLOG", "HELP").elements.count == 12)
        #expect(server.run("COMMANDLOG", "HELP").elements.count == 12)
    }
}
