import Testing

@testable import Engine

/// Waiting for keys, with a clock that is moved by hand.
struct WaitingTests {
    let server = TestServer()

    private func send(_ client: TestClient, _ words: String...) {
        client.send(words.map { Array($0.utf8) })
    }

    private func waiting(_ words: String...) -> TestClient {
        let client = server.connect()
        client.send(words.map { Array($0.utf8) })
        #expect(client.takeReplies() == [])
        #expect(client.connection.gate.contains(.blocked))
        return client
    }

    private func pass(milliseconds: Int64) {
        server.advance(milliseconds: milliseconds)
        server.server.runTimers()
    }

    @Test func `takes at once what is there`() {
        server.run("RPUSH", "b", "1", "2", "3", "4")
        #expect(server.run("BLPOP", "a", "b", "0") == .bulks("b", "1"))
        #expect(server.run("BRPOP", "b", "0") == .bulks("b", "4"))
        #expect(server.run("BLMPOP", "0", "1", "b", "LEFT") == [.bulk("b"), .bulks("2")])
        #expect(server.run("BLMOVE", "b", "c", "LEFT", "LEFT", "0") == .bulk("3"))
        #expect(server.server.waiting.keyCount == 0)
    }

    // MARK: - One record for each wait

    /// Clients that wait for all there is, and everything that ends a wait, at random.
    @Test func `records, lists and gates say the same whatever happens`() {
        var random = SeededRandom.make()
        var clients = (0..<6).map { _ in server.connect() }
        let waits = [
            "BLPOP a b 0", "BLPOP a 0.02", "BZPOPMIN z 0", "XREAD BLOCK 0 STREAMS s $",
            "XREADGROUP GROUP g c BLOCK 30 STREAMS s >", "WAIT 1 0", "WAIT 1 20",
            "BLMOVE a b LEFT LEFT 0",
        ]
        let others = [
            "RPUSH a 1", "RPUSH b 1 2", "DEL a b z s", "ZADD z 1 m", "XADD s * f v", "SET s x",
            "XGROUP CREATE s g $ MKSTREAM", "FLUSHALL", "SWAPDB 0 1", "CLIENT PAUSE 20 ALL",
            "CLIENT PAUSE 30 WRITE", "CLIENT UNPAUSE", "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE",
            "MULTI", "EXEC", "SELECT 1", "SELECT 0", "CLIENT REPLY SKIP",
        ]
        for _ in 0..<3000 {
            let place = random.below(clients.count)
            // A change of roles has let it go.
            if clients[place].connection.gate.contains(.closing) {
                server.server.close(clients[place].connection, "")
                clients[place] = server.connect()
            }
            let client = clients[place]
            let isHalted = !client.connection.gate.isDisjoint(with: .halted)
            switch random.below(10) {
            case 0..<4 where !isHalted:
                client.send(
                    waits[random.below(waits.count)].split(separator: " ").map { Array($0.utf8) })
            case 4..<7 where !isHalted:
                client.send(
                    others[random.below(others.count)].split(separator: " ").map { Array($0.utf8) })
            case 7:
                let reason: Waiting.Reason = random.below(2) == 0 ? .timeout : .error
                _ = server.server.waiting.unblock(client.connection, reason, in: server.server)
            case 8 where random.below(4) == 0:
                server.server.close(client.connection, "")
                clients[place] = server.connect()
            default: pass(milliseconds: Int64(random.below(15)))
            }
            server.server.waiting.checkInvariants(in: server.server)
        }
        for client in clients { server.server.close(client.connection, "") }
        #expect(server.server.waiting.count == 0)
    }

    @Test func `serves in the order of waiting`() {
        let clients = (0..<3).map { _ in waiting("BLPOP", "l", "0") }
        #expect(server.run("INFO", "clients").text?.contains("blocked_clients:3\r\n") == true)
        #expect(server.run("RPUSH", "l", "a", "b") == 2)
        #expect(clients[0].takeReplies() == [.bulks("l", "a")])
        #expect(clients[1].takeReplies() == [.bulks("l", "b")])
        #expect(clients[2].takeReplies() == [])
        #expect(server.run("EXISTS", "l") == 0)
        #expect(server.run("RPUSH", "l", "c", "d") == 2)
        #expect(clients[2].takeReplies() == [.bulks("l", "c")])
        #expect(server.run("LRANGE", "l", "0", "-1") == .bulks("d"))
        #expect(server.server.keyspace.interest.isEmpty)
    }

    @Test func `is served by whichever of its keys appears`() {
        let client = waiting("BRPOP", "a", "b", "c", "0")
        server.run("SET", "a", "string")
        server.run("RPUSH", "b", "1", "2")
        #expect(client.takeReplies() == [.bulks("b", "2")])
        #expect(server.server.waiting.keyCount == 0)
    }

    @Test func `INFO counts the keys that somebody waits for`() {
        func counts() -> [Substring] {
            (server.run("INFO", "clients").text ?? "").split(separator: "\r\n")
                .filter { $0.hasPrefix("total_blocking_keys") }
        }
        let first = waiting("BLPOP", "a", "b", "0")
        _ = waiting("BRPOP", "b", "0")
        #expect(counts() == ["total_blocking_keys:2", "total_blocking_keys_on_nokey:0"])
        server.run("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
        _ = waiting("XREADGROUP", "GROUP", "g", "me", "BLOCK", "0", "STREAMS", "s", ">")
        #expect(counts() == ["total_blocking_keys:3", "total_blocking_keys_on_nokey:1"])
        server.run("RPUSH", "a", "1")
        #expect(first.takeReplies() == [.bulks("a", "1")])
        #expect(counts() == ["total_blocking_keys:2", "total_blocking_keys_on_nokey:1"])
    }

    @Test func `waits on while the key is of another type`() {
        let client = waiting("BLPOP", "k", "0")
        server.run("SET", "k", "v")
        #expect(client.takeReplies() == [])
        server.run("DEL", "k")
        server.run("LPUSH", "k", "e")
        #expect(client.takeReplies() == [.bulks("k", "e")])
    }

    @Test func `one served wakes the next`() {
        let last = waiting("BLPOP", "c", "0")
        let second = waiting("BLMOVE", "b", "c", "LEFT", "RIGHT", "0")
        let first = waiting("BRPOPLPUSH", "a", "b", "0")
        server.run("RPUSH", "a", "x")
        #expect(first.takeReplies() == [.bulk("x")])
        #expect(second.takeReplies() == [.bulk("x")])
        #expect(last.takeReplies() == [.bulks("c", "x")])
        #expect(server.run("DBSIZE") == 0)
    }

    @Test func `a move onto a wrong type fails and takes nothing`() {
        let client = waiting("BLMOVE", "a", "s", "LEFT", "LEFT", "0")
        server.run("SET", "s", "v")
        server.run("RPUSH", "a", "x")
        #expect(client.takeReplies().first?.isError == true)
        #expect(server.run("LRANGE", "a", "0", "-1") == .bulks("x"))
    }

    @Test func `BLMPOP takes several`() {
        let client = waiting("BLMPOP", "0", "2", "a", "b", "RIGHT", "COUNT", "2")
        server.run("RPUSH", "b", "1", "2", "3")
        #expect(client.takeReplies() == [[.bulk("b"), .bulks("3", "2")]])
    }

    @Test func `keys that come by other ways count as well`() {
        let renamed = waiting("BLPOP", "renamed", "0")
        let copied = waiting("BLPOP", "copied", "0")
        server.run("RPUSH", "l", "x")
        server.run("COPY", "l", "copied")
        server.run("RENAME", "l", "renamed")
        #expect(copied.takeReplies() == [.bulks("copied", "x")])
        #expect(renamed.takeReplies() == [.bulks("renamed", "x")])
        let swapped = waiting("BLPOP", "k", "0")
        let other = server.connect()
        other.run("SELECT", "1")
        other.run("RPUSH", "k", "y")
        #expect(swapped.takeReplies() == [])
        server.run("SWAPDB", "0", "1")
        #expect(swapped.takeReplies() == [.bulks("k", "y")])
    }

    @Test func `the time to wait may have a fraction`() {
        let client = waiting("BLPOP", "l", "0.1005")
        pass(milliseconds: 100)
        #expect(client.takeReplies() == [])
        pass(milliseconds: 1)
        #expect(client.takeReplies() == [.nullArray])
        #expect(!client.connection.gate.contains(.blocked))
        #expect(server.server.waiting.keyCount == 0)
        #expect(client.run("PING") == "PONG")
        server.run("RPUSH", "l", "x")
        #expect(client.takeReplies() == [])
    }

    @Test(arguments: [
        ("x", "ERR timeout is not a float or out of range"),
        ("nan", "ERR timeout is not a float or out of range"),
        ("-0.1", "ERR timeout is negative"), ("inf", "ERR timeout is negative"),
        ("9223372036854775807", "ERR timeout is negative"),
    ])
    func `times that are none`(text: String, error: String) {
        #expect(server.run("BLPOP", "l", text) == .error(error))
        #expect(server.run("BLMOVE", "l", "m", "LEFT", "LEFT", text) == .error(error))
        #expect(server.run("BLMPOP", text, "1", "l", "LEFT") == .error(error))
    }

    @Test func `CLIENT UNBLOCK ends the wait`() {
        let client = waiting("BLPOP", "l", "0")
        let other = waiting("BLPOP", "l", "0")
        #expect(server.run("CLIENT", "UNBLOCK", "\(client.connection.id)") == 1)
        #expect(client.takeReplies() == [.nullArray])
        #expect(server.run("CLIENT", "UNBLOCK", "\(client.connection.id)") == 0)
        #expect(server.run("CLIENT", "UNBLOCK", "\(other.connection.id)", "ERROR") == 1)
        #expect(
            other.takeReplies() == [.error("UNBLOCKED client unblocked via CLIENT UNBLOCK")])
        #expect(server.run("CLIENT", "UNBLOCK", "99999") == 0)
    }

    @Test func `inside a transaction nobody waits`() {
        var call = Call(server: server.server, connection: server.client.connection)
        call.mayBlock = false
        let arguments = OwnedArguments(["BLPOP", "l", "0"].map { Array($0.utf8) })
        call.arguments = arguments.view
        #expect(throws: Never.self) { try BlockingListCommands.blpop(&call) }
        #expect(call.reply.view == "*-1\r\n")
        #expect(server.server.waiting.keyCount == 0)
    }

    @Test func `who is held back is served when that is over`() {
        let client = waiting("BLPOP", "l", "0")
        server.server.transactions.isRunning = true
        server.run("RPUSH", "l", "a")
        server.run("RPUSH", "l", "b")
        #expect(client.takeReplies() == [])
        server.server.transactions.isRunning = false
        server.server.followEvents()
        #expect(client.takeReplies() == [.bulks("l", "a")])
    }

    @Test func `a client named twice in a line is served once`() {
        let client = waiting("BLPOP", "l", "l", "0")
        server.run("RPUSH", "l", "a", "b")
        #expect(client.takeReplies() == [.bulks("l", "a")])
        #expect(server.run("LLEN", "l") == 1)
    }

    @Test func `ten thousand waiters`() {
        let clients = (0..<10_000).map { _ in waiting("BLPOP", "l", "0") }
        for index in 0..<100 {
            server.run("RPUSH", "l", "\(index)")
            #expect(clients[index].takeReplies() == [.bulks("l", "\(index)")])
        }
        #expect(server.server.waiting.count == 9900)
        server.run("SET", "other", "x")
        #expect(!server.server.keyspace.hasEvents)
    }
}
