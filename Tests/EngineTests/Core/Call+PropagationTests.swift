import Testing

@testable import Engine

/// What reaches the append-only file and replicas of each command: what was decided by the clock, by
/// chance or by who waits has been decided.
@Suite struct PropagationTests {
    private let now: Int64 = 1_700_000_000_000

    @Test func `a request that changed something is passed on as it came`() {
        let server = TestServer()
        #expect(server.propagated("SET", "k", "v") == ["SET k v"])
        #expect(server.propagated("set", "k", "", "xx") == ["set k  xx"])
        #expect(server.propagated("INCR", "n") == ["INCR n"])
        #expect(server.propagated("LPUSH", "l", "a", "b") == ["LPUSH l a b"])
        #expect(server.propagated("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM").count == 1)
    }

    @Test func `what changed nothing is not passed on`() {
        let server = TestServer()
        server.run("SET", "k", "v")
        for request in [
            ["GET", "k"], ["SETNX", "k", "w"], ["DEL", "none"], ["EXPIRE", "none", "5"],
            ["SET", "k", "w", "NX"], ["INCR", "k"], ["LPUSH", "k", "a"], ["MULTI"], ["EXEC"],
            ["CONFIG", "SET", "hz", "10"], ["PUBLISH", "c", "m"], ["SELECT", "3"],
        ] {
            server.listen()
            server.client.run(request)
            #expect(server.takeFeed() == [], "\(request)")
        }
    }

    @Test func `flushing is passed on even of an empty database`() {
        let server = TestServer()
        #expect(server.propagated("FLUSHALL", "ASYNC") == ["FLUSHALL ASYNC"])
        #expect(server.propagated("FLUSHDB") == ["FLUSHDB"])
        #expect(server.propagated("SWAPDB", "0", "1") == ["SWAPDB 0 1"])
    }

    @Test func `spans of time become moments`() {
        let server = TestServer()
        let soon = now + 10_000
        #expect(server.propagated("SET", "k", "v", "EX", "10") == ["SET k v PXAT \(soon)"])
        #expect(server.propagated("SETEX", "k", "10", "v") == ["SET k v PXAT \(soon)"])
        #expect(server.propagated("PSETEX", "k", "10000", "v") == ["SET k v PXAT \(soon)"])
        #expect(server.propagated("EXPIRE", "k", "10") == ["PEXPIREAT k \(soon)"])
        #expect(server.propagated("EXPIRE", "k", "20", "GT") == ["PEXPIREAT k \(now + 20_000) GT"])
        #expect(server.propagated("GETEX", "k", "PX", "10000") == ["PEXPIREAT k \(soon)"])
        #expect(server.propagated("GETEX", "k", "PERSIST") == ["PERSIST k"])
        #expect(server.propagated("GETEX", "k", "PERSIST") == [])
        #expect(server.propagated("GETEX", "k") == [])
        #expect(server.propagated("EXPIRE", "k", "-1") == ["DEL k"])
        #expect(
            server.propagated("MSETEX", "2", "a", "1", "b", "2", "EX", "10")
                == ["SET a 1 PXAT \(soon)", "SET b 2 PXAT \(soon)"])
        server.run("HSET", "h", "f", "1", "g", "2")
        #expect(
            server.propagated("HEXPIRE", "h", "10", "FIELDS", "2", "f", "none")
                == ["HPEXPIREAT h \(soon) FIELDS 1 f"])
        #expect(server.propagated("HEXPIRE", "h", "9", "GT", "FIELDS", "1", "f") == [])
        #expect(
            server.propagated("HGETEX", "h", "PERSIST", "FIELDS", "2", "f", "g")
                == ["HPERSIST h FIELDS 1 f"])
        #expect(
            server.propagated("HSETEX", "h", "EX", "10", "FIELDS", "1", "f", "3")
                == ["HSETEX h PXAT \(soon) FIELDS 1 f 3"])
        #expect(server.propagated("HEXPIRE", "h", "0", "FIELDS", "1", "f") == ["HDEL h f"])
        #expect(server.propagated("HGETDEL", "h", "FIELDS", "2", "f", "g") == ["HDEL h g"])
    }

    @Test func `what the old value decided is decided`() {
        let server = TestServer()
        #expect(server.propagated("INCRBYFLOAT", "d", "1.5") == ["SET d 1.5 KEEPTTL"])
        #expect(server.propagated("HINCRBYFLOAT", "h", "f", "1.5") == ["HSET h f 1.5"])
        server.run("HPEXPIREAT", "h", "\(now + 5)", "FIELDS", "1", "f")
        #expect(
            server.propagated("HINCRBYFLOAT", "h", "f", "1") == ["HSETEX h KEEPTTL FIELDS 1 f 2.5"])
        #expect(server.propagated("GETSET", "d", "2") == ["SET d 2"])
        #expect(server.propagated("SET", "d", "3", "GET") == ["SET d 3"])
        #expect(server.propagated("SET", "d", "4", "IFEQ", "3") == ["SET d 4"])
        #expect(server.propagated("GETDEL", "d") == ["DEL d"])
        #expect(server.propagated("GETDEL", "d") == [])
    }

    @Test func `chance is told`() {
        let server = TestServer()
        server.run("SADD", "s", "only")
        #expect(server.propagated("SPOP", "s") == ["SREM s only"])
        server.run("SADD", "s", "1", "2", "3")
        #expect(server.propagated("SPOP", "s", "3") == ["DEL s"])
        for member in 0..<2000 { server.run("SADD", "s", "\(member)") }
        let requests = server.propagated("SPOP", "s", "1500")
        #expect(requests.map { $0.split(separator: " ").count - 2 } == [1024, 476])
    }

    @Test func `who waited has popped`() {
        let server = TestServer()
        let waiting = server.connect()
        server.listen()
        waiting.run("BLPOP", "a", "b", "0")
        server.run("RPUSH", "b", "1", "2")
        #expect(server.takeFeed() == ["SELECT 0", "RPUSH b 1 2", "LPOP b"])
        waiting.run("BZMPOP", "0", "1", "z", "MAX", "COUNT", "9")
        server.run("ZADD", "z", "1", "m", "2", "n")
        #expect(server.takeFeed() == ["ZADD z 1 m 2 n", "ZPOPMAX z 2"])
        waiting.run("BLMOVE", "x", "y", "LEFT", "RIGHT", "0")
        server.run("RPUSH", "x", "1")
        #expect(server.takeFeed() == ["RPUSH x 1", "LMOVE x y LEFT RIGHT"])
        server.run("BRPOPLPUSH", "y", "x", "1")
        #expect(server.takeFeed() == ["RPOPLPUSH y x"])
        server.run("LMPOP", "1", "x", "LEFT", "COUNT", "5")
        #expect(server.takeFeed() == ["LPOP x 1"])
    }

    @Test func `a restored time to live is absolute`() {
        let server = TestServer()
        server.run("SET", "k", "v")
        server.client.send([Array("DUMP".utf8), Array("k".utf8)])
        let reply = server.client.connection.reply.view.array
        server.client.connection.reply.drain(reply.count)
        let payload = Array(reply.drop { $0 != 10 }.dropFirst().dropLast(2))
        server.listen()
        server.client.run(bytes: [
            Array("RESTORE".utf8), Array("c".utf8), Array("500".utf8), payload,
        ])
        let requests = server.takeFeedBytes()
        #expect(requests.count == 2)
        #expect(requests.last?[2] == Array("\(now + 500)".utf8))
        #expect(requests.last?.last == Array("ABSTTL".utf8))
    }

    @Test func `what expires is deleted in the feed`() {
        let server = TestServer()
        for key in ["a", "b", "c", "d"] { server.run("PSETEX", key, "10", "v") }
        server.run("HSET", "h", "f", "1", "g", "2")
        server.run("HPEXPIRE", "h", "10", "FIELDS", "1", "f")
        server.listen()
        server.advance(milliseconds: 11)
        server.run("GET", "a")
        #expect(server.takeFeed() == ["SELECT 0", "DEL a"])
        server.run("SET", "b", "w")
        #expect(server.takeFeed() == ["MULTI", "DEL b", "SET b w", "EXEC"])
        server.run("HLEN", "h")
        #expect(server.takeFeed() == ["HDEL h f"])
        server.run("CONFIG", "SET", "lazyfree-lazy-expire", "yes")
        server.server.expireDueKeys()
        #expect(Set(server.takeFeed()) == ["UNLINK c", "UNLINK d"])
    }

    @Test func `a transaction is one unit, and who waits comes after it`() {
        let server = TestServer()
        let waiting = server.connect()
        waiting.run("BLPOP", "l", "0")
        server.listen()
        server.run("MULTI")
        server.run("RPUSH", "l", "1", "2")
        server.run("GET", "k")
        server.run("SELECT", "5")
        server.run("SET", "k", "v")
        server.run("EXEC")
        #expect(
            server.takeFeed() == [
                "SELECT 0", "MULTI", "RPUSH l 1 2", "SELECT 5", "SET k v", "EXEC", "SELECT 0",
                "LPOP l",
            ])
        server.run("MULTI")
        server.run("SET", "k", "w")
        server.run("EXEC")
        #expect(server.takeFeed() == ["SELECT 5", "SET k w"])
    }

    @Test func `commands of all kinds, repeated from the feed, leave the same data`() {
        let first = TestServer(SampleData.configuration)
        let second = TestServer(SampleData.configuration)
        second.server.keyspace.expiryPolicy = .ignore
        let client = first.connect()
        var maker = RequestMaker(random: SeededRandom.make(), keys: SampleData.keys)
        let rows = first.server.commands.rows.filter {
            !$0.flags.isDisjoint(with: [.write, .mayReplicate])
        }
        first.listen()
        for round in 0..<40 {
            for request in SampleData.requests { client.run(bytes: request) }
            for _ in 0..<150 {
                if maker.random.below(20) == 0 { client.run("MULTI") }
                if maker.random.below(10) == 0 { client.run("EXEC") }
                client.run(bytes: maker.request(for: rows[maker.random.below(rows.count)]))
                _ = first.server.waiting.unblock(client.connection, .timeout, in: first.server)
                first.advance(milliseconds: Int64(maker.random.below(3)))
            }
            client.run("EXEC")
            first.advance(milliseconds: 1000)
            first.server.expireDueKeys()
            for request in first.takeFeedBytes() {
                let reply = second.client.run(bytes: request)
                #expect(!reply.isError, "\(reply) to \(text(request)), round \(round)")
            }
            let digests = [first, second].map { $0.server.keyspace.digest().hexadecimal }
            #expect(digests[0] == digests[1], "seed \(maker.random.seed), round \(round)")
            if digests[0] != digests[1] { return }
        }
    }

    private func text(_ request: [[UInt8]]) -> String {
        request.map { String(decoding: $0.prefix(60), as: UTF8.self) }.joined(separator: " ")
    }
}
