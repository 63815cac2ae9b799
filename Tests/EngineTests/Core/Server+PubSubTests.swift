import Testing

@testable import Engine

/// Notifications of keys: who hears what, and what it costs the others.
struct ServerPubSubTests {
    /// A server that notifies, and what a subscriber hears of each command.
    private final class Listener {
        let server: TestServer
        let client: TestClient

        init(_ events: String, _ patterns: String...) {
            server = TestServer("notify-keyspace-events \"\(events)\"\n")
            client = server.connect()
            client.send((["PSUBSCRIBE"] + patterns).map { Array($0.utf8) })
            _ = client.takeReplies()
        }

        /// "channel message" for each message since the last call, the prefix of channels left out.
        func heard() -> [String] {
            client.takeReplies().map { reply in
                let parts = reply.elements.compactMap(\.text)
                return "\(parts[2].dropFirst(6)) \(parts[3])"
            }
        }

        func heard(_ command: String) -> [String] {
            _ = server.client.run(command.split(separator: " ").map(String.init))
            return heard()
        }
    }

    @Test(arguments: [
        ("g", "del"), ("$", "set"), ("l", "lpush"), ("s", "sadd"), ("z", "zadd"), ("h", "hset"),
        ("x", "expired"), ("n", "new"), ("m", "keymiss"),
    ])
    func `a letter lets its class pass`(_ letter: String, _ event: String) {
        let listener = Listener("E" + letter, "__key*")
        var heard: Set<String> = []
        for command in [
            "SET a 1", "DEL a", "LPUSH l x", "SADD s x", "ZADD z 1 x", "HSET h f v", "GET none",
            "SET x 1 PX 1",
        ] { heard.formUnion(listener.heard(command)) }
        listener.server.advance(milliseconds: 2)
        heard.formUnion(listener.heard("GET x"))
        var events = Set(heard.compactMap { $0.split(separator: " ").first })
        // Of the key that is to expire.
        if letter == "g" { events.remove("vent@0__:expire") }
        #expect(events == ["vent@0__:\(event)"], "\(heard)")
    }

    @Test func `on the channel of the key, of the event, or both`() {
        #expect(Listener("Kg$", "__key*").heard("SET a 1") == ["pace@0__:a set"])
        #expect(Listener("E$", "__key*").heard("SET a 1") == ["vent@0__:set a"])
        #expect(
            Listener("KEA", "__key*").heard("SET a 1 EX 10") == [
                "pace@0__:a set", "vent@0__:set a", "pace@0__:a expire", "vent@0__:expire a",
            ])
        #expect(Listener("A", "__key*").heard("SET a 1") == [])
        #expect(Listener("KE", "__key*").heard("SET a 1") == [])
        let listener = Listener("KA", "__keyspace@3__:*")
        #expect(listener.heard("SET a 1") == [])
        _ = listener.heard("SELECT 3")
        #expect(listener.heard("SET a 1") == ["pace@3__:a set"])
    }

    @Test func `follows the setting and who listens`() {
        let listener = Listener("", "__key*")
        let server = listener.server
        #expect(listener.heard("SET a 1") == [] && server.server.keyspace.interest.isEmpty)
        server.run("CONFIG", "SET", "notify-keyspace-events", "EA")
        #expect(server.server.keyspace.interest == .notifications)
        #expect(listener.heard("SET a 1") == ["vent@0__:set a"])
        #expect(listener.heard("GET none") == [])
        _ = listener.client.run("PUNSUBSCRIBE")
        #expect(server.server.keyspace.interest.isEmpty)
    }

    @Test func `what expires by itself is told`() {
        let listener = Listener("Ex", "__key*")
        listener.server.run("SET", "a", "1", "PX", "5")
        listener.server.advance(milliseconds: 6)
        listener.server.server.expireDueKeys()
        #expect(listener.heard() == ["vent@0__:expired a"])
    }

    @Test func `effects of EXEC and of those served after it are told in order`() {
        let listener = Listener("EA", "__key*")
        let waiter = listener.server.connect()
        waiter.send(["BLPOP", "l", "0"].map { Array($0.utf8) })
        #expect(listener.heard("MULTI") == [])
        #expect(listener.heard("SET a 1") == [])
        #expect(listener.heard("RPUSH l x") == [])
        #expect(listener.heard("DEL a") == [])
        #expect(
            listener.heard("EXEC") == [
                "vent@0__:set a", "vent@0__:rpush l", "vent@0__:del a", "vent@0__:lpop l",
                "vent@0__:del l",
            ])
    }

    @Test func `one's own effects are told behind the reply`() {
        let server = TestServer("notify-keyspace-events KA\n")
        _ = server.client.run("HELLO", "3")
        server.run("SUBSCRIBE", "__keyspace@0__:a")
        server.client.send(["SET", "a", "1"].map { Array($0.utf8) })
        #expect(
            server.client.takeReplies()
                == ["OK", .push([.bulk("message"), .bulk("__keyspace@0__:a"), .bulk("set")])])
    }

    @Test func `publications leave after replies, and invalidations before`() {
        let server = TestServer()
        let engine = server.server
        let (listener, both) = (server.connect(), server.connect())
        for client in [listener, both] {
            client.run("HELLO", "3")
            client.run("SUBSCRIBE", "news")
        }
        both.run("CLIENT", "TRACKING", "ON")
        both.run("GET", "key")
        engine.sendReplies()
        func waiting(_ list: borrowing ConnectionList) -> [UInt64] {
            var found: [UInt64] = []
            list.forEach { found.append($0.id) }
            return found
        }
        server.run("PUBLISH", "news", "1")
        server.run("PUBLISH", "news", "2")
        #expect(waiting(engine.replying) == [])
        #expect(waiting(engine.listening) == [listener, both].map(\.connection.id))
        server.run("SET", "key", "new")
        engine.scheduleReply(server.client.connection)
        #expect(waiting(engine.replying).first == both.connection.id)
        server.run("PUBLISH", "news", "3")
        #expect(waiting(engine.listening).count == 2)
        engine.sendReplies()
        #expect(waiting(engine.replying) == [] && waiting(engine.listening) == [])
        server.run("PUBLISH", "news", "4")
        #expect(waiting(engine.listening).count == 2)
    }
}
