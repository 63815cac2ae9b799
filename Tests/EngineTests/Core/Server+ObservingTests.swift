import Testing

@testable import Engine

/// MONITOR, and what a command costs that nobody looks at.
@Suite struct ServerObservingTests {
    /// What a monitor was shown, without the time.
    private func shown(_ client: TestClient) -> [String] {
        client.takeReplies().map { reply in
            let text = reply.text ?? "?"
            return String(text.drop { $0 != "[" })
        }
    }

    private func monitor(_ server: TestServer) -> TestClient {
        let client = server.connect()
        #expect(client.run("MONITOR") == "OK")
        return client
    }

    @Test func aMonitorSeesWhatIsExecuted() {
        let server = TestServer()
        let watcher = monitor(server)
        server.run("SELECT", "3")
        server.run("SET", "k", "a b")
        server.run("NOPE")
        server.run("GET")
        server.run("CONFIG", "GET", "x")
        server.run("CLIENT", "ID")
        #expect(
            shown(watcher) == [
                "[3 127.0.0.1:0] \"SELECT\" \"3\"", "[3 127.0.0.1:0] \"SET\" \"k\" \"a b\"",
                "[3 127.0.0.1:0] \"CLIENT\" \"ID\"",
            ])
        server.run("PING")
        let line = watcher.takeReplies().first?.text ?? ""
        let time = line.prefix { $0 != " " }.split(separator: ".")
        #expect(time.count == 2)
        #expect(time.last?.count == 6)
        #expect(time.first.flatMap { Int($0) } == 1_700_000_000)
    }

    @Test(arguments: [
        (["AUTH", "hunter2"], "\"AUTH\" \"(redacted)\""),
        (["AUTH", "bob", "hunter2"], "\"AUTH\" \"(redacted)\" \"(redacted)\""),
        (
            ["HELLO", "2", "AUTH", "bob", "hunter2", "SETNAME", "n"],
            "\"HELLO\" \"2\" \"AUTH\" \"(redacted)\" \"(redacted)\" \"SETNAME\" \"n\""
        ),
        (
            ["HELLO", "9", "AUTH", "bob", "hunter2"],
            "\"HELLO\" \"9\" \"AUTH\" \"(redacted)\" \"(redacted)\""
        ),
    ])
    func secretsAreNotShown(_ request: [String], _ line: String) {
        let server = TestServer()
        let watcher = monitor(server)
        server.client.send(request.map { Array($0.utf8) })
        #expect(shown(watcher) == ["[0 127.0.0.1:0] \(line)"])
    }

    /// Whatever bytes a client sends, a monitor reads one line.
    @Test func hostileBytesDoNotForgeLines() {
        let server = TestServer()
        let watcher = monitor(server)
        server.client.send([Array("ECHO".utf8), Array("a\r\n+1.0 [0 x] \"FLUSHALL\"\r\n".utf8)])
        #expect(
            shown(watcher) == [
                "[0 127.0.0.1:0] \"ECHO\" \"a\\r\\n+1.0 [0 x] \\\"FLUSHALL\\\"\\r\\n\""
            ])
    }

    @Test func aMonitorMayNotTouchKeysAndSeesItself() {
        let server = TestServer()
        let watcher = monitor(server)
        #expect(
            watcher.run("GET", "k") == .error("ERR Replica can't interact with the keyspace"))
        #expect(
            watcher.run("SET", "k", "v") == .error("ERR Replica can't interact with the keyspace"))
        #expect(watcher.run("MONITOR") == "<no reply>")
        watcher.send([Array("PING".utf8)])
        let replies = watcher.takeReplies()
        #expect(replies.first == "PONG")
        #expect(replies.last?.text?.hasSuffix("\"PING\"") == true)
        #expect(server.server.flags(of: watcher.connection) == "O")
    }

    @Test func monitoringEndsWithResetAndClosing() {
        let server = TestServer()
        let one = monitor(server)
        let two = monitor(server)
        #expect(server.server.monitors.count == 2)
        one.run("RESET")
        server.server.close(two.connection, "")
        #expect(server.server.monitors.isEmpty)
        _ = one.takeReplies()
        server.run("PING")
        #expect(one.takeReplies().isEmpty)
        #expect(one.run("GET", "k") == nil)
        #expect(server.server.attention.ticks > 0)
    }

    @Test func aLargeRequestIsShownWhole() {
        let test = TestServer()
        let watcher = WireClient(test.server)
        #expect(watcher.exchange("MONITOR\r\n") == "+OK\r\n")
        let client = WireClient(test.server)
        let values = ["a", "b"].map { String(repeating: $0, count: 40_000) }
        client.send(multibulk("MSET", "k", values[0], "k", values[1]))
        client.turn()
        for _ in 0..<100 where watcher.received.count < 80_000 { watcher.turn() }
        let line = watcher.take()
        #expect(line.hasSuffix("\"MSET\" \"k\" \"\(values[0])\" \"k\" \"\(values[1])\"\r\n"))
        #expect(test.run("GET", "k") == .bulk(values[1]))
    }

    @Test func aMutedMonitorSeesNothing() {
        let server = TestServer()
        let watcher = monitor(server)
        watcher.send([Array("CLIENT".utf8), Array("REPLY".utf8), Array("OFF".utf8)])
        _ = watcher.takeReplies()
        server.run("PING")
        #expect(watcher.takeReplies().isEmpty)
    }

    // MARK: - Attention

    @Test func onlyWhatIsAskedForIsLookedAt() {
        let server = TestServer().server
        #expect(server.attention.ticks > 0)
        #expect(server.attention.ticks <= 500_000)
        #expect(server.attention.replyBytes == 64 * 1024)
        #expect(!server.attention.measuresRequests)
        #expect(TestServer("slowlog-log-slower-than 0\n").server.attention.ticks == 0)
        #expect(TestServer("slowlog-log-slower-than -1\n").server.attention.ticks == 500_000)
        #expect(
            TestServer("slowlog-log-slower-than 9223372036854775807\n").server.attention.ticks
                == 500_000)
        #expect(TestServer("commandlog-reply-larger-than 0\n").server.attention.replyBytes == 0)
        #expect(TestServer("commandlog-request-larger-than 100\n").server.attention.ticks == 0)
        #expect(TestServer("commandlog-request-larger-than -1\n").server.attention.ticks > 0)
    }

    @Test func anErrorOfUnblockCountsForItsCommand() {
        let server = TestServer()
        let other = server.connect()
        other.send([Array("BLPOP".utf8), Array("l".utf8), Array("0".utf8)])
        server.run("CLIENT", "UNBLOCK", "\(other.connection.id)", "ERROR")
        #expect(
            other.takeReplies() == [.error("UNBLOCKED client unblocked via CLIENT UNBLOCK")])
        let info = server.run("INFO", "commandstats", "errorstats").text ?? ""
        #expect(info.contains("errorstat_UNBLOCKED:count=1"))
        #expect(info.contains("rejected_calls=0,failed_calls=1"))
    }
}
