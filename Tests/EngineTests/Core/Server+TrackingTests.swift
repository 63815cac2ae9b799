import Testing

@testable import Engine

/// Invalidations: who is told of which changes, and that nobody is left with a stale value.
@Suite struct ServerTrackingTests {
    private func invalidation(_ keys: String...) -> Reply {
        .push([.bulk("invalidate"), .array(keys.map { .bulk($0) })])
    }

    /// A RESP3 client that tracks.
    private func tracker(_ server: TestServer, _ options: String...) -> TestClient {
        let client = server.connect()
        client.run("HELLO", "3")
        #expect(client.run(["CLIENT", "TRACKING", "ON"] + options) == "OK")
        return client
    }

    @Test func aKeyIsToldOnceAfterItWasRead() {
        let server = TestServer()
        let client = tracker(server)
        server.run("MSET", "a", "1", "b", "2")
        #expect(client.takeReplies() == [])
        #expect(client.run("GET", "a") == .bulk("1"))
        #expect(client.run("MGET", "b", "none").elements.count == 2)
        #expect(server.server.tracking.keyCount == 3)
        server.run("SET", "a", "2")
        server.run("SET", "a", "3")
        server.run("SET", "none", "x")
        #expect(client.takeReplies() == [invalidation("a"), invalidation("none")])
        #expect(server.run("DEL", "b") == 1)
        #expect(client.takeReplies() == [invalidation("b")])
        #expect(server.server.tracking.keyCount == 0)
        #expect(server.server.tracking.itemCount == 0)
    }

    @Test func onesOwnChangesFollowTheReply() {
        let server = TestServer()
        let client = tracker(server)
        client.run("HSET", "h", "f", "1")
        client.run("HGET", "h", "f")
        client.send([Array("HDEL".utf8), Array("h".utf8), Array("f".utf8)])
        #expect(client.takeReplies() == [1, invalidation("h")])
        let silent = tracker(server, "NOLOOP")
        silent.run("GET", "k")
        silent.send([Array("SET".utf8), Array("k".utf8), Array("v".utf8)])
        #expect(silent.takeReplies() == ["OK"])
        silent.run("GET", "k")
        server.run("SET", "k", "w")
        #expect(silent.takeReplies() == [invalidation("k")])
    }

    @Test func writesAreNotRemembered() {
        let server = TestServer()
        let client = tracker(server)
        client.run("INCR", "n")
        client.run("GETDEL", "m")
        #expect(server.server.tracking.keyCount == 0)
    }

    @Test func optionsSayWhichReadsCount() {
        let server = TestServer()
        let optIn = tracker(server, "OPTIN")
        optIn.run("GET", "a")
        optIn.run("CLIENT", "CACHING", "YES")
        optIn.run("CLIENT", "ID")
        optIn.run("GET", "b")
        optIn.run("GET", "c")
        server.run("MSET", "a", "1", "b", "1", "c", "1")
        #expect(optIn.takeReplies() == [invalidation("b")])
        let optOut = tracker(server, "OPTOUT")
        optOut.run("GET", "a")
        optOut.run("CLIENT", "CACHING", "NO")
        optOut.run("GET", "b")
        optOut.run("GET", "c")
        server.run("MSET", "a", "2", "b", "2", "c", "2")
        #expect(optOut.takeReplies() == [invalidation("a"), invalidation("c")])
    }

    @Test func flushesInvalidateEverything() {
        let server = TestServer()
        let client = tracker(server)
        client.run("GET", "a")
        for command in [["FLUSHALL"], ["FLUSHDB"], ["FLUSHALL", "ASYNC"], ["SWAPDB", "0", "1"]] {
            _ = server.client.run(command)
            #expect(client.takeReplies() == [.push([.bulk("invalidate"), .null])])
        }
        #expect(server.server.tracking.keyCount == 0)
        client.send([Array("FLUSHDB".utf8)])
        #expect(client.takeReplies() == ["OK", .push([.bulk("invalidate"), .null])])
    }

    @Test func expiryInvalidates() {
        let server = TestServer()
        let client = tracker(server, "NOLOOP")
        server.run("SET", "active", "v", "PX", "100")
        server.run("SET", "lazy", "v", "PX", "500")
        client.run("MGET", "active", "lazy")
        server.advance(milliseconds: 200)
        server.server.expireDueKeys()
        server.server.broadcastChanges()
        #expect(client.takeReplies() == [invalidation("active")])
        server.advance(milliseconds: 500)
        // Whoever meets it did not change it.
        client.send([Array("GET".utf8), Array("lazy".utf8)])
        #expect(client.takeReplies() == [.null, invalidation("lazy")])
    }

    // MARK: - Broadcasting

    @Test func changesOfATurnAreToldTogether() {
        let server = TestServer()
        let all = tracker(server, "BCAST")
        let some = tracker(server, "BCAST", "PREFIX", "a:", "PREFIX", "b:")
        all.run("GET", "x")
        server.run("MSET", "a:1", "1", "b:1", "1", "c:1", "1", "a:1", "2")
        let told = all.takeReplies()
        #expect(told.count == 1)
        #expect(
            Set(told.first?.elements.last?.elements.compactMap(\.text) ?? []) == [
                "a:1", "b:1", "c:1",
            ])
        let replies = some.takeReplies()
        #expect(replies.count == 2)
        #expect(replies.contains(invalidation("a:1")))
        #expect(replies.contains(invalidation("b:1")))
        let silent = tracker(server, "BCAST", "NOLOOP", "PREFIX", "n")
        silent.send([Array("SET".utf8), Array("n1".utf8), Array("1".utf8)])
        #expect(silent.takeReplies() == ["OK"])
        server.run("SET", "n1", "2")
        #expect(silent.takeReplies() == [invalidation("n1")])
        server.server.close(all.connection, "")
        server.server.close(some.connection, "")
        #expect(server.server.tracking.prefixCount == 1)
    }

    // MARK: - Keys of others

    /// A client that may use keys by `rules` alone.
    private func confined(_ server: TestServer, _ rules: String...) -> TestClient {
        server.client.run(["ACL", "SETUSER", "u", "reset", "on", "nopass", "&*", "+@all"] + rules)
        let client = server.connect()
        client.run("HELLO", "3", "AUTH", "u", "x")
        return client
    }

    @Test(arguments: [[], ["NOLOOP"], ["PREFIX", "theirs:", "PREFIX", "mine:"]])
    func nobodyIsToldOfKeysThatItMayNotRead(options: [String]) {
        let server = TestServer()
        let client = confined(server, "~mine:*", "%W~theirs:*")
        #expect(client.run(["CLIENT", "TRACKING", "ON", "BCAST"] + options) == "OK")
        server.run("SET", "theirs:payroll", "1")
        #expect(client.takeReplies() == [])
        server.run("MSET", "theirs:payroll", "2", "mine:a", "1", "theirs:b", "1")
        #expect(client.takeReplies() == [invalidation("mine:a")])
        server.run("ACL", "SETUSER", "u", "%R~theirs:p*")
        // What it was not told of it must not go on to believe.
        let all = Reply.push([.bulk("invalidate"), .null])
        #expect(client.takeReplies() == [all])
        server.run("MSET", "theirs:payroll", "3", "theirs:b", "2")
        #expect(client.takeReplies() == [invalidation("theirs:payroll")])
        server.run("ACL", "SETUSER", "u", "resetkeys")
        server.run("MSET", "theirs:payroll", "4", "mine:a", "2")
        #expect(client.takeReplies() == [all])
        server.run("FLUSHALL")
        #expect(client.takeReplies() == [all])
    }

    @Test func whoIsToldInsteadLearnsNoMore() {
        let server = TestServer()
        let (client, listener) = (confined(server, "~mine:*"), server.connect())
        listener.run("SUBSCRIBE", "__redis__:invalidate")
        let id = listener.connection.id
        #expect(client.run("CLIENT", "TRACKING", "ON", "BCAST", "REDIRECT", "\(id)") == "OK")
        server.run("MSET", "theirs:payroll", "1", "mine:a", "1")
        #expect(
            listener.takeReplies() == [
                [.bulk("message"), .bulk("__redis__:invalidate"), [.bulk("mine:a")]]
            ])
    }

    /// It would keep an old value otherwise, for whenever it may read again.
    @Test func whatItHasReadItIsToldOfAlsoWhenItMayNotReadItNow() {
        let server = TestServer()
        let client = confined(server, "~mine:*")
        client.run("CLIENT", "TRACKING", "ON")
        client.run("MGET", "mine:a", "mine:b")
        server.run("ACL", "SETUSER", "u", "resetkeys", "~mine:b")
        server.run("MSET", "mine:a", "1", "mine:b", "1")
        #expect(client.takeReplies() == [invalidation("mine:a"), invalidation("mine:b")])
    }

    // MARK: - Redirection

    @Test func anotherClientIsToldInstead() {
        let server = TestServer()
        let target = server.connect()
        target.run("HELLO", "3")
        let client = server.connect()
        client.run("CLIENT", "TRACKING", "ON", "REDIRECT", "\(target.connection.id)")
        client.run("GET", "k")
        server.run("SET", "k", "v")
        #expect(client.takeReplies() == [])
        #expect(target.takeReplies() == [invalidation("k")])
        client.run("GET", "k")
        server.run("FLUSHALL")
        #expect(target.takeReplies() == [.push([.bulk("invalidate"), .null])])
    }

    @Test func aBrokenRedirectionIsReported() {
        let server = TestServer()
        let target = server.connect()
        let id = Int64(target.connection.id)
        let client = tracker(server, "REDIRECT", "\(id)")
        client.run("GET", "k")
        server.server.close(target.connection, "")
        server.run("SET", "k", "v")
        #expect(
            client.takeReplies() == [.push([.bulk("tracking-redir-broken"), .integer(id)])])
        #expect(server.server.flags(of: client.connection) == "tR")
        #expect(
            client.run("CLIENT", "TRACKINGINFO").elements[1]
                == .set([.bulk("on"), .bulk("broken_redirect")]))
    }

    @Test func whoSpeaksRESP2AloneIsToldNothing() {
        let server = TestServer()
        let client = server.connect()
        client.run("CLIENT", "TRACKING", "ON")
        client.run("GET", "k")
        server.run("SET", "k", "v")
        #expect(client.takeReplies() == [])
        #expect(server.server.tracking.keyCount == 0)
    }

    // MARK: - Limits

    @Test func theTableIsHeldToItsLimit() {
        let server = TestServer("tracking-table-max-keys 100\n")
        let client = tracker(server)
        for index in 0..<150 { client.run("GET", "k\(index)") }
        #expect(server.server.tracking.keyCount == 100)
        let told = client.takeReplies()
        #expect(told.count <= 50)
        server.run("CONFIG", "SET", "tracking-table-max-keys", "10")
        #expect(server.server.tracking.keyCount == 10)
        server.run("CONFIG", "SET", "tracking-table-max-keys", "0")
        for index in 0..<150 { client.run("GET", "k\(index)") }
        #expect(server.server.tracking.keyCount >= 150)
    }

    @Test func nothingIsRememberedWhileNobodyTracks() {
        let server = TestServer()
        let client = tracker(server)
        #expect(server.server.attention.ticks == 0)
        client.run("GET", "k")
        client.run("CLIENT", "TRACKING", "OFF")
        #expect(server.server.keyspace.interest.isEmpty)
        #expect(server.server.tracking.keyCount == 0)
        #expect(server.server.attention.ticks > 0)
        #expect(server.run("INFO", "stats").text?.contains("tracking_total_keys:0\r\n") == true)
        let info = server.run("INFO", "clients").text ?? ""
        #expect(info.contains("tracking_clients:0\r\n"))
        _ = tracker(server, "BCAST")
        #expect(server.server.attention.ticks > 0)
        #expect(server.run("INFO", "clients").text?.contains("tracking_clients:1\r\n") == true)
    }

    // MARK: - Random

    /// Clients with caches of their own, kept by the invalidations alone.
    private final class Cache {
        let client: TestClient
        private(set) var values: [String: Reply] = [:]

        init(_ client: TestClient) { self.client = client }

        /// Takes up what the server has sent, in its order: values of `key`, and what is stale.
        func absorb(reading key: String? = nil) {
            for reply in client.takeReplies() {
                guard case .push(let parts) = reply else {
                    if let key { values[key] = reply }
                    continue
                }
                if case .array(let keys) = parts[1] {
                    for key in keys { values[key.text ?? ""] = nil }
                } else {
                    values = [:]
                }
            }
        }

        func read(_ key: String) {
            client.send([Array("GET".utf8), Array(key.utf8)])
            absorb(reading: key)
        }
    }

    private static let writes = [
        "SET %", "SET % PX", "APPEND", "DEL", "RENAME", "COPY", "INCR", "MSET", "EXPIRE", "UNLINK",
        "MOVE", "FLUSHDB", "SWAPDB", "SETRANGE", "GETSET", "GETDEL", "PERSIST", "GETEX",
    ]

    private func write(
        _ server: TestServer, _ client: TestClient, _ random: inout SeededRandom
    ) {
        let key = "k\(random.below(8))"
        let other = "k\(random.below(8))"
        let value = "\(random.below(1000))"
        let command: [String] =
            switch Self.writes[random.below(Self.writes.count)] {
            case "SET %": ["SET", key, value]
            case "SET % PX": ["SET", key, value, "PX", "\(1 + random.below(50))"]
            case "RENAME": ["RENAME", key, other]
            case "COPY": ["COPY", key, other, "REPLACE"]
            case "MSET": ["MSET", key, value, other, value]
            case "EXPIRE": ["PEXPIRE", key, "\(random.below(40) - 5)"]
            case "MOVE": ["MOVE", key, "1"]
            case "FLUSHDB": random.below(10) == 0 ? ["FLUSHDB"] : ["GET", key]
            case "SWAPDB": random.below(10) == 0 ? ["SWAPDB", "0", "1"] : ["GET", key]
            case "SETRANGE": ["SETRANGE", key, "1", value]
            case "GETSET": ["GETSET", key, value]
            case "GETEX": ["GETEX", key, "PX", "30"]
            case let name where name == "APPEND": [name, key, value]
            case let name: [name, key]
            }
        client.send(command.map { Array($0.utf8) })
    }

    /// Whatever is written, in whatever order: what a cache holds is what the server would reply.
    @Test func noCacheHoldsAStaleValue() {
        var random = SeededRandom.make()
        for options in [[], ["NOLOOP"], ["BCAST"]] {
            let server = TestServer(
                random.below(2) == 0 ? "" : "tracking-table-max-keys 4\n")
            let caches = (0..<3).map { _ -> Cache in
                let client = server.connect()
                client.run("HELLO", "3")
                #expect(client.run(["CLIENT", "TRACKING", "ON"] + options) == "OK")
                return Cache(client)
            }
            for step in 0..<4000 {
                switch random.below(6) {
                case 0...2: caches[random.below(3)].read("k\(random.below(8))")
                case 3: server.advance(milliseconds: Int64(random.below(20)))
                case 4:
                    server.server.expireDueKeys()
                    server.server.broadcastChanges()
                default: write(server, server.client, &random)
                }
                _ = server.client.takeReplies()
                for cache in caches {
                    cache.absorb()
                    for (key, value) in cache.values {
                        let database = server.server.keyspace[0]
                        let isDue = key.withByteView { bytes in
                            database.entryDueOrNot(database.key(bytes)).map {
                                database.isExpired($0)
                            } ?? false
                        }
                        // What expired and was not met yet is told when it is.
                        if isDue { continue }
                        let now = server.run("GET", key)
                        #expect(now == value, "\(key) at step \(step) with \(options)")
                    }
                }
            }
        }
    }
}
