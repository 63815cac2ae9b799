import Testing

@testable import Engine

struct StreamReadCommandsTests {
    let server = TestServer()

    private func entry(_ id: String, _ words: String...) -> Reply {
        .array([.bulk(id), .array(words.map { .bulk($0) })])
    }

    private func waiting(_ words: String...) -> TestClient {
        let client = server.connect()
        client.send(words.map { Array($0.utf8) })
        #expect(client.takeReplies() == [])
        #expect(client.connection.gate.contains(.blocked))
        return client
    }

    // MARK: - XREAD

    @Test func `reads what comes after the ids told`() {
        for number in 1...3 { server.run("XADD", "s", "\(number)", "n", "\(number)") }
        server.run("XADD", "t", "9", "m", "x")
        #expect(
            server.run("XREAD", "STREAMS", "s", "1")
                == [[.bulk("s"), [entry("2-0", "n", "2"), entry("3-0", "n", "3")]]])
        #expect(
            server.run("XREAD", "COUNT", "1", "STREAMS", "s", "t", "1", "0")
                == [
                    [.bulk("s"), [entry("2-0", "n", "2")]], [.bulk("t"), [entry("9-0", "m", "x")]],
                ])
        #expect(
            server.run("XREAD", "STREAMS", "s", "none", "t", "3", "0", "0-1")
                == [[.bulk("t"), [entry("9-0", "m", "x")]]])
        #expect(server.run("XREAD", "STREAMS", "s", "$") == .nullArray)
        #expect(
            server.run("XREAD", "STREAMS", "s", "+") == [[.bulk("s"), [entry("3-0", "n", "3")]]])
        #expect(server.run("XREAD", "STREAMS", "none", "+") == .nullArray)
        server.run("HELLO", "3")
        #expect(
            server.run("XREAD", "STREAMS", "s", "t", "2", "0")
                == .map([
                    .bulk("s"), [entry("3-0", "n", "3")], .bulk("t"), [entry("9-0", "m", "x")],
                ]))
    }

    @Test func `refuses what makes no sense`() {
        server.run("XADD", "s", "1", "a", "b")
        server.run("XGROUP", "CREATE", "s", "g", "0")
        let syntax = Reply.error("ERR syntax error")
        #expect(server.run("XREAD", "COUNT", "1", "x") == syntax)
        #expect(server.run("XREAD", "STREAM", "s", "0") == syntax)
        #expect(
            server.run("XREAD", "STREAMS", "s", "t", "0")
                == .error(
                    "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be "
                        + "specified."))
        #expect(
            server.run("XREAD", "GROUP", "g", "c", "STREAMS", "s", ">")
                == .error(
                    "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead."
                ))
        #expect(
            server.run("XREAD", "NOACK", "STREAMS", "s", "0")
                == .error(
                    "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead."
                ))
        #expect(
            server.run("XREADGROUP", "NOACK", "COUNT", "1", "STREAMS", "s", ">")
                == .error("ERR Missing GROUP option for XREADGROUP"))
        #expect(server.run("XREAD", "STREAMS", "s", ">").isError)
        #expect(server.run("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", "$").isError)
        #expect(server.run("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", "+").isError)
        #expect(
            server.run("XREAD", "BLOCK", "x", "STREAMS", "s", "$")
                == .error("ERR timeout is not an integer or out of range"))
        #expect(
            server.run("XREAD", "BLOCK", "-1", "STREAMS", "s", "$")
                == .error("ERR timeout is negative"))
        #expect(
            server.run("XREAD", "BLOCK", "9223372036854775807", "STREAMS", "s", "$")
                == .error("ERR timeout is out of range"))
        #expect(
            server.run("XREADGROUP", "GROUP", "x", "c", "STREAMS", "s", ">")
                == .error(
                    "NOGROUP No such key 's' or consumer group 'x' in XREADGROUP with GROUP option")
        )
        server.run("SET", "k", "v")
        #expect(server.run("XREAD", "STREAMS", "s", "k", "0", "0").isError)
    }

    @Test func `waits for what comes after the end`() {
        server.run("XADD", "s", "5", "a", "b")
        let last = waiting("XREAD", "BLOCK", "0", "STREAMS", "s", "t", "$", "$")
        let later = waiting("XREAD", "BLOCK", "0", "STREAMS", "s", "7-0")
        let empty = waiting("XREAD", "BLOCK", "0", "STREAMS", "t", "+")
        server.run("XADD", "s", "6", "a", "c")
        #expect(last.takeReplies() == [[[.bulk("s"), [entry("6-0", "a", "c")]]]])
        #expect(later.takeReplies() == [])
        server.run("XADD", "s", "7", "a", "d")
        #expect(later.takeReplies() == [])
        server.run("XADD", "s", "8", "a", "e")
        #expect(later.takeReplies() == [[[.bulk("s"), [entry("8-0", "a", "e")]]]])
        server.run("XADD", "t", "1", "a", "f")
        #expect(empty.takeReplies() == [[[.bulk("t"), [entry("1-0", "a", "f")]]]])
        #expect(server.server.waiting.keyCount == 0)
        #expect(server.server.keyspace.interest.isEmpty)
    }

    @Test func `gives up when the time is over`() {
        let client = waiting("XREAD", "BLOCK", "100", "STREAMS", "s", "$")
        server.advance(milliseconds: 101)
        server.server.runTimers()
        #expect(client.takeReplies() == [.nullArray])
        #expect(server.server.waiting.keyCount == 0)
    }

    @Test func `XREAD waits on when the key is deleted or is no stream`() {
        server.run("XADD", "s", "5", "a", "b")
        let client = waiting("XREAD", "BLOCK", "0", "STREAMS", "s", "$")
        server.run("DEL", "s")
        server.run("SET", "s", "x")
        server.run("FLUSHALL")
        #expect(client.takeReplies() == [])
        // A stream of that name that begins anew is read from the old end on.
        server.run("XADD", "s", "4", "a", "c")
        #expect(client.takeReplies() == [])
        server.run("XADD", "s", "5-1", "a", "d")
        #expect(client.takeReplies() == [[[.bulk("s"), [entry("5-1", "a", "d")]]]])
    }

    // MARK: - XREADGROUP

    @Test func `hands each entry to one consumer`() {
        for number in 1...5 { server.run("XADD", "s", "\(number)", "n", "v") }
        server.run("XGROUP", "CREATE", "s", "g", "1")
        #expect(
            server.run("XREADGROUP", "GROUP", "g", "a", "COUNT", "2", "STREAMS", "s", ">")
                == [[.bulk("s"), [entry("2-0", "n", "v"), entry("3-0", "n", "v")]]])
        #expect(
            server.run("XREADGROUP", "GROUP", "g", "b", "STREAMS", "s", ">")
                == [[.bulk("s"), [entry("4-0", "n", "v"), entry("5-0", "n", "v")]]])
        #expect(server.run("XREADGROUP", "GROUP", "g", "b", "STREAMS", "s", ">") == .nullArray)
        #expect(
            server.run("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", "2")
                == [[.bulk("s"), [entry("3-0", "n", "v")]]])
        server.run("XDEL", "s", "2")
        #expect(
            server.run("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", "0")
                == [[.bulk("s"), [[.bulk("2-0"), .nullArray], entry("3-0", "n", "v")]]])
        #expect(
            server.run("XREADGROUP", "GROUP", "g", "new", "STREAMS", "s", "0")
                == [[.bulk("s"), []]])
        #expect(server.run("XACK", "s", "g", "2", "3", "9") == 2)
        #expect(server.run("XPENDING", "s", "g").elements[0] == 2)
    }

    @Test func `NOACK leaves nothing pending`() {
        server.run("XADD", "s", "1", "n", "v")
        server.run("XGROUP", "CREATE", "s", "g", "0")
        #expect(
            server.run("XREADGROUP", "GROUP", "g", "a", "NOACK", "STREAMS", "s", ">").elements.count
                == 1)
        #expect(server.run("XPENDING", "s", "g").elements[0] == 0)
    }

    @Test func `an entry read again belongs to who read it last`() {
        server.run("XADD", "s", "1", "n", "v")
        server.run("XGROUP", "CREATE", "s", "g", "0")
        server.run("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", ">")
        server.run("XGROUP", "SETID", "s", "g", "0")
        server.run("XREADGROUP", "GROUP", "g", "b", "STREAMS", "s", ">")
        #expect(
            server.run("XPENDING", "s", "g", "-", "+", "10")
                == [[.bulk("1-0"), .bulk("b"), 0, 1]])
    }

    @Test func `consumers that wait are served in turn`() {
        server.run("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
        let first = waiting(
            "XREADGROUP", "GROUP", "g", "a", "COUNT", "1", "BLOCK", "0", "STREAMS", "s", ">")
        let second = waiting("XREADGROUP", "GROUP", "g", "b", "BLOCK", "0", "STREAMS", "s", ">")
        let reader = waiting("XREAD", "BLOCK", "0", "STREAMS", "s", "$")
        server.run("XADD", "s", "1", "n", "v")
        #expect(first.takeReplies() == [[[.bulk("s"), [entry("1-0", "n", "v")]]]])
        #expect(second.takeReplies() == [])
        #expect(reader.takeReplies() == [[[.bulk("s"), [entry("1-0", "n", "v")]]]])
        server.run("XADD", "s", "2", "n", "v")
        #expect(second.takeReplies() == [[[.bulk("s"), [entry("2-0", "n", "v")]]]])
        #expect(server.run("XPENDING", "s", "g").elements[0] == 2)
    }

    @Test func `who waits for a group hears when it is gone`() {
        func wait() -> TestClient {
            server.run("DEL", "s")
            server.run("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
            return waiting("XREADGROUP", "GROUP", "g", "a", "BLOCK", "0", "STREAMS", "s", ">")
        }
        let noGroup: [Reply] = [
            .error("NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option")
        ]
        let wrongType: [Reply] = [
            .error("WRONGTYPE Operation against a key holding the wrong kind of value")
        ]
        for request in [
            ["DEL", "s"], ["SET", "s", "x"], ["FLUSHDB"], ["FLUSHALL"], ["RENAME", "s", "t"],
            ["SWAPDB", "0", "1"], ["MOVE", "s", "5"], ["SUNIONSTORE", "s", "set"],
            ["XGROUP", "DESTROY", "s", "g"],
        ] {
            server.run("SADD", "set", "x")
            let client = wait()
            server.client.run(request)
            let isOverwritten = ["SET", "SUNIONSTORE"].contains(request[0])
            #expect(client.takeReplies() == (isOverwritten ? wrongType : noGroup), "\(request)")
            server.run("FLUSHALL")
        }
        let replaced = wait()
        server.run("XADD", "u", "1", "a", "b")
        server.run("RENAME", "u", "s")
        #expect(replaced.takeReplies() == noGroup)
        let served = wait()
        server.run("XADD", "u", "1", "a", "b")
        server.run("XGROUP", "CREATE", "u", "g", "0")
        server.run("RENAME", "u", "s")
        #expect(served.takeReplies() == [[[.bulk("s"), [entry("1-0", "a", "b")]]]])
        let expired = wait()
        server.run("PEXPIRE", "s", "10")
        server.advance(milliseconds: 20)
        server.run("EXISTS", "s")
        #expect(expired.takeReplies() == noGroup)
        #expect(server.server.keyspace.interest.isEmpty)
    }

    @Test func `a consumer is made where nothing is to be read`() throws {
        server.run("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
        let client = waiting("XREADGROUP", "GROUP", "g", "waits", "BLOCK", "0", "STREAMS", "s", ">")
        #expect(server.run("XREADGROUP", "GROUP", "g", "reads", "STREAMS", "s", ">") == .nullArray)
        #expect(server.run("XGROUP", "CREATECONSUMER", "s", "g", "waits") == 0)
        #expect(server.run("XGROUP", "CREATECONSUMER", "s", "g", "reads") == 0)
        #expect(client.takeReplies() == [])
    }

    @Test func `waits on while entries come and go`() {
        server.run("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
        let client = waiting("XREADGROUP", "GROUP", "g", "a", "BLOCK", "0", "STREAMS", "s", ">")
        server.run("XADD", "s", "MAXLEN", "0", "1", "n", "v")
        #expect(client.takeReplies() == [])
        server.run("XADD", "s", "2", "n", "v")
        #expect(client.takeReplies().count == 1)
    }

    // MARK: - What propagates

    @Test func `deliveries propagate as claims`() {
        let now = server.server.keyspace.now
        for number in 1...3 { server.run("XADD", "s", "\(number)", "n", "v") }
        server.run("XGROUP", "CREATE", "s", "g", "0")
        #expect(
            server.propagated("XREADGROUP", "GROUP", "g", "a", "COUNT", "2", "STREAMS", "s", ">")
                == [
                    "XCLAIM s g a 0 1-0 TIME \(now) RETRYCOUNT 1 FORCE JUSTID LASTID 1-0",
                    "XCLAIM s g a 0 2-0 TIME \(now) RETRYCOUNT 1 FORCE JUSTID LASTID 2-0",
                ])
        #expect(
            server.propagated("XREADGROUP", "GROUP", "g", "b", "NOACK", "STREAMS", "s", ">")
                == ["XGROUP CREATECONSUMER s g b", "XGROUP SETID s g 3-0 ENTRIESREAD 3"])
        #expect(
            server.propagated("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", "0")
                == ["XGROUP CREATECONSUMER s g c"])
        #expect(
            server.propagated("XREADGROUP", "GROUP", "g", "d", "STREAMS", "s", ">")
                == ["XGROUP CREATECONSUMER s g d"])
        #expect(server.propagated("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", "0") == [])
        #expect(server.propagated("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", ">") == [])
        #expect(server.propagated("XACK", "s", "g", "1") == ["XACK s g 1"])
        #expect(server.propagated("XREAD", "STREAMS", "s", "0") == [])
    }

    @Test func `what propagates makes the same stream`() {
        let replica = TestServer()
        server.listen()
        func run(_ words: String...) {
            server.client.run(words)
            for request in server.takeFeedBytes() { _ = replica.client.run(bytes: request) }
        }
        for _ in 0..<300 { run("XADD", "s", "MAXLEN", "~", "150", "LIMIT", "1000", "*", "a", "b") }
        run("XGROUP", "CREATE", "s", "g", "0")
        run("XREADGROUP", "GROUP", "g", "c", "COUNT", "10", "STREAMS", "s", ">")
        run("XREADGROUP", "GROUP", "g", "d", "COUNT", "5", "STREAMS", "s", ">")
        run("XREADGROUP", "GROUP", "g", "d", "COUNT", "5", "NOACK", "STREAMS", "s", ">")
        run("XGROUP", "CREATE", "empty", "g", "$", "MKSTREAM")
        run("XREADGROUP", "GROUP", "g", "idler", "STREAMS", "empty", ">")
        let waiter = server.connect()
        waiter.send(
            ["XREADGROUP", "GROUP", "g", "waiter", "BLOCK", "0", "STREAMS", "empty", ">"]
                .map { Array($0.utf8) })
        for request in server.takeFeedBytes() { _ = replica.client.run(bytes: request) }
        #expect(waiter.connection.gate.contains(.blocked))
        #expect(replica.run("XGROUP", "CREATECONSUMER", "empty", "g", "idler") == 0)
        #expect(replica.run("XGROUP", "CREATECONSUMER", "empty", "g", "waiter") == 0)
        run("XAUTOCLAIM", "s", "g", "e", "0", "-", "COUNT", "4")
        let id = server.run("XPENDING", "s", "g", "-", "+", "1").elements[0].elements[0].text ?? ""
        run("XDEL", "s", id)
        run("XAUTOCLAIM", "s", "g", "e", "0", "-", "COUNT", "1", "JUSTID")
        run("XGROUP", "DELCONSUMER", "s", "g", "d")
        run("XTRIM", "s", "MAXLEN", "~", "100")
        for request in [
            ["XRANGE", "s", "-", "+"], ["XINFO", "GROUPS", "s"], ["XPENDING", "s", "g"],
        ] {
            #expect(replica.client.run(request) == server.client.run(request))
        }
        let full = ["XPENDING", "s", "g", "-", "+", "100"]
        #expect(replica.client.run(full) == server.client.run(full))
    }
}
