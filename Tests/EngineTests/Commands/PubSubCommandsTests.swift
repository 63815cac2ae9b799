import Testing

@testable import Engine

struct PubSubCommandsTests {
    let server = TestServer()

    /// Everything a client is told by one command.
    private func all(_ client: TestClient, _ words: String...) -> [Reply] {
        client.send(words.map { Array($0.utf8) })
        return client.takeReplies()
    }

    private func note(_ kind: String, _ name: String, _ count: Int64) -> Reply {
        .array([.bulk(kind), .bulk(name), .integer(count)])
    }

    // MARK: - RESP2

    @Test func `confirms with the number of subscriptions`() {
        let client = server.connect()
        #expect(
            all(client, "SUBSCRIBE", "a", "b", "a") == [
                note("subscribe", "a", 1), note("subscribe", "b", 2), note("subscribe", "a", 2),
            ])
        #expect(all(client, "PSUBSCRIBE", "a*") == [note("psubscribe", "a*", 3)])
        #expect(all(client, "SSUBSCRIBE", "a") == [note("ssubscribe", "a", 1)])
        #expect(
            all(client, "UNSUBSCRIBE", "a", "a", "x") == [
                note("unsubscribe", "a", 2), note("unsubscribe", "a", 2),
                note("unsubscribe", "x", 2),
            ])
        #expect(all(client, "UNSUBSCRIBE") == [note("unsubscribe", "b", 1)])
        #expect(all(client, "PUNSUBSCRIBE") == [note("punsubscribe", "a*", 0)])
        #expect(client.connection.gate.contains(.subscribed))
        #expect(all(client, "SUNSUBSCRIBE") == [note("sunsubscribe", "a", 0)])
        #expect(client.connection.gate == [])
        for word in ["unsubscribe", "punsubscribe", "sunsubscribe"] {
            #expect(all(client, word) == [[.bulk(word), .null, 0]])
        }
    }

    @Test func `all that are left are confirmed one by one`() {
        let client = server.connect()
        _ = all(client, "SUBSCRIBE", "a", "b", "c")
        _ = all(client, "PSUBSCRIBE", "p")
        #expect(
            all(client, "UNSUBSCRIBE") == [
                note("unsubscribe", "a", 3), note("unsubscribe", "b", 2),
                note("unsubscribe", "c", 1),
            ])
    }

    @Test func `a message reaches who listens, and the sender learns how many`() {
        let (first, second) = (server.connect(), server.connect())
        #expect(server.run("PUBLISH", "a", "x") == 0)
        _ = all(first, "SUBSCRIBE", "a")
        _ = all(second, "PSUBSCRIBE", "?", "[ab]", "c*")
        _ = all(second, "SUBSCRIBE", "b")
        #expect(server.run("PUBLISH", "a", "x") == 3)
        #expect(first.takeReplies() == [.bulks("message", "a", "x")])
        #expect(
            second.takeReplies() == [
                .bulks("pmessage", "?", "a", "x"), .bulks("pmessage", "[ab]", "a", "x"),
            ])
        #expect(server.run("PUBLISH", "b", "") == 3)
        #expect(first.takeReplies() == [])
        #expect(second.takeReplies().first == .bulks("message", "b", ""))
        _ = all(first, "SSUBSCRIBE", "b")
        #expect(server.run("SPUBLISH", "b", "s") == 1)
        #expect(first.takeReplies() == [.bulks("smessage", "b", "s")])
        #expect(second.takeReplies() == [])
        #expect(server.run("SPUBLISH", "a", "s") == 0)
    }

    @Test(arguments: [
        ["GET", "a"], ["MULTI"], ["HELLO", "3"], ["AUTH", "x"], ["PUBLISH", "a", "x"],
    ])
    func `a subscriber may do little`(_ words: [String]) {
        let client = server.connect()
        _ = all(client, "SSUBSCRIBE", "a")
        #expect(
            client.run(words)
                == .error(
                    "ERR Can't execute '\(words[0].lowercased())': only (P|S)SUBSCRIBE / "
                        + "(P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"))
        #expect(client.run("PING") == .bulks("pong", ""))
        #expect(client.run("PING", "x") == .bulks("pong", "x"))
        #expect(client.run("PING", "x", "y").isError)
        #expect(client.run("RESET") == "RESET")
        #expect(client.run("PING") == "PONG")
        #expect(server.server.subscriptions.shards.isEmpty)
    }

    @Test func `closing ends all`() {
        let client = server.connect()
        _ = all(client, "SUBSCRIBE", "a", "b")
        _ = all(client, "PSUBSCRIBE", "a")
        _ = all(client, "SSUBSCRIBE", "a")
        server.server.close(client.connection, "")
        #expect(server.run("PUBLISH", "a", "x") == 0)
        #expect(server.server.subscriptions.memoryBytes == 0)
        #expect(server.server.subscriptions.clientCount == 0)
    }

    // MARK: - RESP3

    @Test func `RESP3 gets pushes and may do all`() {
        let client = server.connect()
        _ = client.run("HELLO", "3")
        #expect(
            all(client, "SUBSCRIBE", "a")
                == [.push([.bulk("subscribe"), .bulk("a"), .integer(1)])])
        #expect(client.run("PING") == "PONG")
        #expect(client.run("SET", "k", "v") == "OK")
        #expect(server.run("PUBLISH", "a", "x") == 1)
        #expect(
            client.takeReplies() == [.push([.bulk("message"), .bulk("a"), .bulk("x")])])
        #expect(
            all(client, "UNSUBSCRIBE", "a")
                == [.push([.bulk("unsubscribe"), .bulk("a"), .integer(0)])])
        #expect(all(client, "UNSUBSCRIBE") == [.push([.bulk("unsubscribe"), .null, .integer(0)])])
    }

    @Test func `one's own message stands beside replies, never inside`() {
        let client = server.connect()
        _ = client.run("HELLO", "3")
        _ = all(client, "SUBSCRIBE", "a")
        let message = Reply.push([.bulk("message"), .bulk("a"), .bulk("x")])
        #expect(all(client, "PUBLISH", "a", "x") == [message, 1])
        _ = client.run("MULTI")
        _ = client.run("PUBLISH", "a", "x")
        _ = client.run("PUBLISH", "a", "x")
        #expect(all(client, "EXEC") == [[1, 1], message, message])
        _ = client.run("MULTI")
        _ = client.run("SUBSCRIBE", "b")
        _ = client.run("PUBLISH", "b", "x")
        #expect(all(client, "EXEC").count == 2)
        #expect(client.connection.outputMemory == client.connection.reply.capacity)
    }

    @Test(arguments: [["OFF"], ["SKIP"]])
    func `messages come where replies are off`(_ mode: [String]) {
        for version in ["2", "3"] {
            let client = server.connect()
            _ = client.run("HELLO", version)
            client.send([["CLIENT", "REPLY"], mode].joined().map { Array($0.utf8) })
            #expect(all(client, "SUBSCRIBE", "a").count == 1)
            #expect(server.run("PUBLISH", "a", "x") == 1)
            #expect(client.takeReplies().count == 1)
            server.server.close(client.connection, "")
        }
    }

    @Test func `inside a transaction`() {
        let client = server.connect()
        _ = client.run("MULTI")
        for words in [["SUBSCRIBE", "a"], ["PING"], ["GET", "k"], ["UNSUBSCRIBE"]] {
            #expect(client.run(words) == "QUEUED")
        }
        #expect(
            client.run("EXEC") == [
                note("subscribe", "a", 1), .bulks("pong", ""), nil, note("unsubscribe", "a", 0),
            ])
        #expect(client.run("PING") == "PONG")
    }

    // MARK: - Looking at it

    @Test func `PUBSUB tells who listens`() {
        let (first, second) = (server.connect(), server.connect())
        _ = all(first, "SUBSCRIBE", "news", "sport")
        _ = all(second, "SUBSCRIBE", "news")
        _ = all(first, "PSUBSCRIBE", "a*", "b*")
        _ = all(second, "PSUBSCRIBE", "a*")
        _ = all(second, "SSUBSCRIBE", "shard")
        func texts(_ words: String...) -> Set<String> {
            Set(server.client.run(words).elements.compactMap(\.text))
        }
        #expect(texts("PUBSUB", "CHANNELS") == ["news", "sport"])
        #expect(texts("PUBSUB", "CHANNELS", "n*") == ["news"])
        #expect(texts("PUBSUB", "SHARDCHANNELS", "x*").isEmpty)
        #expect(texts("PUBSUB", "SHARDCHANNELS") == ["shard"])
        #expect(
            server.run("PUBSUB", "NUMSUB", "news", "none") == [.bulk("news"), 2, .bulk("none"), 0])
        #expect(server.run("PUBSUB", "NUMSUB") == [])
        #expect(server.run("PUBSUB", "SHARDNUMSUB", "shard", "news").elements[1] == 1)
        #expect(server.run("PUBSUB", "NUMPAT") == 2)
        #expect(
            server.run("PUBSUB", "CHANNELS", "a", "b")
                == .error(
                    "ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. "
                        + "Try PUBSUB HELP."))
        #expect(server.run("PUBSUB", "HELP").elements.count == 13)
        let stats = server.run("INFO", "stats", "clients").text ?? ""
        for field in [
            "pubsub_channels:2", "pubsub_patterns:2", "pubsubshard_channels:1", "pubsub_clients:2",
        ] { #expect(stats.contains("\(field)\r\n")) }
        let line = server.run("CLIENT", "LIST", "ID", "\(second.connection.id)").text ?? ""
        #expect(line.contains(" flags=P ") && line.contains(" sub=1 psub=1 ssub=1 "))
        #expect(server.run("CLIENT", "KILL", "TYPE", "pubsub") == 2)
        #expect(server.run("PUBSUB", "NUMPAT") == 0)
    }

    // MARK: - Those who do not read

    @Test func `who does not read is cut off and harms nobody`() {
        let server = TestServer("client-output-buffer-limit pubsub 100000 0 0\n")
        let (slow, quick) = (server.connect(), server.connect())
        for client in [slow, quick] { _ = all(client, "SUBSCRIBE", "a") }
        let text = String(repeating: "x", count: 1000)
        var delivered = 0
        for _ in 0..<150 {
            #expect(server.run("PUBLISH", "a", text).integer ?? 0 > 0)
            delivered += quick.takeReplies().count
            server.server.closeMarked()
        }
        #expect(delivered == 150)
        #expect(!server.server.connections.contains(slow.connection))
        #expect(server.server.connections.contains(quick.connection))
        #expect(server.run("PUBLISH", "a", text) == 1)
        #expect(
            server.run("INFO", "stats").text?
                .contains("client_output_buffer_limit_disconnections:1\r\n") == true)
        #expect(server.lines.contains { $0.contains("overcoming of output buffer limits") })
    }

    @Test func `the limit of others is not theirs`() {
        let server = TestServer("client-output-buffer-limit normal 1000 0 0 pubsub 0 0 0\n")
        let slow = server.connect()
        _ = all(slow, "SUBSCRIBE", "a")
        for _ in 0..<100 { server.run("PUBLISH", "a", String(repeating: "x", count: 1000)) }
        #expect(!slow.connection.gate.contains(.closing))
        #expect(slow.takeReplies().count == 100)
    }
}
