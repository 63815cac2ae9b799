import Testing

@testable import Engine

struct TransactionCommandsTests {
    let server = TestServer()

    /// Queues, and expects that to work.
    private func queue(_ words: String...) { #expect(server.client.run(words) == "QUEUED") }

    // MARK: - MULTI, EXEC, DISCARD

    @Test func `queues and runs as one`() {
        #expect(server.run("MULTI") == "OK")
        queue("SET", "a", "1")
        queue("INCR", "a")
        queue("LPUSH", "a", "x")
        queue("GET", "a")
        #expect(server.connect().run("EXISTS", "a") == 0)
        #expect(
            server.run("EXEC") == [
                "OK", 2,
                .error("WRONGTYPE Operation against a key holding the wrong kind of value"),
                .bulk("2"),
            ])
        #expect(server.run("MULTI") == "OK")
        #expect(server.run("EXEC") == [])
        #expect(server.client.connection.transaction == nil)
        #expect(server.client.connection.gate == [])
    }

    @Test func `forgets the queue`() {
        server.run("MULTI")
        queue("SET", "a", "1")
        #expect(server.run("DISCARD") == "OK")
        #expect(server.run("GET", "a") == nil)
    }

    @Test func `says what is out of place`() {
        #expect(server.run("EXEC") == .error("ERR EXEC without MULTI"))
        #expect(server.run("DISCARD") == .error("ERR DISCARD without MULTI"))
        server.run("MULTI")
        #expect(server.run("MULTI") == .error("ERR MULTI calls can not be nested"))
        #expect(server.run("WATCH", "a") == .error("ERR WATCH inside MULTI is not allowed"))
        #expect(server.run("EXEC") == [])
    }

    @Test(arguments: [
        (["FOO"], "ERR unknown command 'FOO', with args beginning with: "),
        (["GET"], "ERR wrong number of arguments for 'get' command"),
        (["CONFIG", "GET"], "ERR wrong number of arguments for 'config|get' command"),
        (["CLIENT", "FOO"], "ERR unknown subcommand 'FOO'. Try CLIENT HELP."),
        (["MULTI", "x"], "ERR wrong number of arguments for 'multi' command"),
        (["SHUTDOWN"], "ERR Command not allowed inside a transaction"),
    ])
    func `is aborted by what cannot be queued`(_ words: [String], _ error: String) {
        server.run("MULTI")
        queue("SET", "a", "1")
        #expect(server.client.run(words) == .error(error))
        queue("SET", "b", "1")
        #expect(
            server.run("EXEC")
                == .error("EXECABORT Transaction discarded because of previous errors."))
        #expect(server.run("EXISTS", "a", "b") == 0)
        #expect(server.run("EXEC") == .error("ERR EXEC without MULTI"))
    }

    @Test func `EXEC itself can be refused`() {
        let text = "wrong number of arguments for 'exec' command"
        server.run("MULTI")
        queue("SET", "a", "1")
        #expect(
            server.run("EXEC", "now")
                == .error("EXECABORT Transaction discarded because of: \(text)"))
        #expect(server.run("EXEC") == .error("ERR EXEC without MULTI"))
        server.run("MULTI")
        queue("SET", "a", "1")
        server.connect().run("CONFIG", "SET", "maxmemory", "1")
        let reason = "OOM command not allowed when used memory > 'maxmemory'."
        #expect(server.run("GET", "a") == .error(reason))
        #expect(
            server.run("EXEC") == .error("EXECABORT Transaction discarded because of: \(reason)"))
        server.run("MULTI")
        #expect(server.run("EXEC") == [])
    }

    @Test func `counts commands and errors where they happen`() {
        server.run("SET", "s", "v")
        server.run("CONFIG", "RESETSTAT")
        server.run("MULTI")
        queue("LPUSH", "s", "x")
        queue("SET", "a", "1")
        _ = server.run("EXEC")
        let text = server.run("INFO", "commandstats", "errorstats").text ?? ""
        #expect(text.contains("errorstat_WRONGTYPE:count=1"))
        func line(_ name: String) -> String {
            text.split(separator: "\r\n").first { $0.hasPrefix("cmdstat_\(name):") }
                .map(String.init) ?? ""
        }
        #expect(line("exec").contains("calls=1,") && line("exec").hasSuffix("failed_calls=0"))
        #expect(line("lpush").contains("calls=1,") && line("lpush").hasSuffix("failed_calls=1"))
        #expect(line("set").contains("calls=1,"))
    }

    @Test func `SELECT and HELLO inside have their effect`() {
        server.run("SET", "a", "0")
        server.run("MULTI")
        queue("SELECT", "1")
        queue("SET", "a", "1")
        queue("GET", "none")
        queue("HELLO", "3")
        queue("GET", "none")
        server.client.send([Array("EXEC".utf8)])
        let text = server.client.connection.reply.view.string
        #expect(text.hasPrefix("*5\r\n+OK\r\n+OK\r\n$-1\r\n%7\r\n") && text.hasSuffix("\r\n_\r\n"))
        _ = server.client.takeReplies()
        #expect(server.run("GET", "a") == .bulk("1"))
    }

    @Test func `commands that wait do not`() {
        server.run("MULTI")
        queue("BLPOP", "l", "0")
        queue("BLMOVE", "l", "m", "LEFT", "LEFT", "0")
        queue("RPUSH", "l", "x")
        queue("BRPOP", "l", "0")
        #expect(server.run("EXEC") == [.nullArray, nil, 1, .bulks("l", "x")])
        #expect(server.server.waiting.keyCount == 0)
    }

    @Test func `those who wait are served afterwards`() {
        let waiter = server.connect()
        waiter.send([Array("BLPOP".utf8), Array("l".utf8), Array("0".utf8)])
        server.run("MULTI")
        queue("RPUSH", "l", "a")
        queue("DEL", "l")
        queue("RPUSH", "l", "b", "c")
        queue("LPOP", "l")
        #expect(server.run("EXEC") == [1, 1, 2, .bulk("b")])
        #expect(waiter.takeReplies() == [.bulks("l", "c")])
        #expect(!server.server.transactions.isRunning)
    }

    @Test func `CLIENT REPLY inside takes effect at once`() {
        server.run("MULTI")
        queue("CLIENT", "REPLY", "OFF")
        queue("SET", "a", "1")
        queue("CLIENT", "REPLY", "ON")
        queue("GET", "a")
        server.client.send([Array("EXEC".utf8)])
        #expect(server.client.connection.reply.view == "*4\r\n+OK\r\n$1\r\n1\r\n")
        server.client.connection.reply.truncate(to: 0)
        server.client.send([Array("CLIENT".utf8), Array("REPLY".utf8), Array("OFF".utf8)])
        server.client.send([Array("MULTI".utf8)])
        server.client.send([Array("INCR".utf8), Array("a".utf8)])
        server.client.send([Array("EXEC".utf8)])
        #expect(server.client.takeReplies() == [])
        #expect(server.connect().run("GET", "a") == .bulk("2"))
    }

    @Test func `is done completely even if nobody can hear it`() {
        let server = TestServer("client-output-buffer-limit normal 100000 0 0\n")
        let client = server.connect()
        _ = client.run("MULTI")
        _ = client.run("SET", "a", "1")
        _ = client.run("ECHO", String(repeating: "x", count: 200_000))
        _ = client.run("SET", "b", "1")
        #expect(client.run("EXEC") == "<no reply>")
        server.server.closeMarked()
        #expect(!server.server.connections.contains(client.connection))
        #expect(server.run("EXISTS", "a", "b") == 2)
    }

    @Test func `RESET and closing end it`() {
        let watcher = server.connect()
        #expect(watcher.run("WATCH", "a") == "OK")
        server.run("MULTI")
        queue("SET", "a", "1")
        #expect(server.run("RESET") == "RESET")
        #expect(server.run("GET", "a") == nil)
        #expect(watcher.run("RESET") == "RESET")
        server.run("WATCH", "a")
        server.run("MULTI")
        server.server.close(server.client.connection, "")
        #expect(server.server.keyspace.interest.isEmpty)
        #expect(server.server.transactions.watched.isEmpty)
    }

    @Test func `is seen in CLIENT LIST and INFO`() {
        let other = server.connect()
        func line() -> String {
            other.run("CLIENT", "LIST", "ID", "\(server.client.connection.id)").text ?? ""
        }
        #expect(line().contains(" multi=-1 ") && line().contains(" watch=0 "))
        server.run("WATCH", "a", "b", "a")
        #expect(line().contains(" watch=2 ") && line().contains(" flags=N "))
        #expect(other.run("INFO", "clients").text?.contains("watching_clients:1\r\n") == true)
        #expect(other.run("INFO", "clients").text?.contains("total_watched_keys:2\r\n") == true)
        server.run("MULTI")
        let used = server.client.connection.memoryBytes
        queue("SET", "k", String(repeating: "v", count: 100_000))
        #expect(server.client.connection.memoryBytes - used > 100_000)
        #expect(line().contains(" flags=x ") && line().contains(" multi=1 "))
        let memory = line().split(separator: " ").first { $0.hasPrefix("multi-mem=") }
        #expect(Int(memory?.dropFirst(10) ?? "") ?? 0 > 100_000)
        other.run("SET", "b", "1")
        #expect(line().contains(" flags=xd ") && line().contains(" watch=0 "))
    }

    // MARK: - UNDO

    @Test func `UNDO takes commands back`() {
        #expect(server.run("UNDO") == .error("ERR UNDO without MULTI"))
        #expect(server.run("UNDO", "x", "y") == .error("ERR UNDO without MULTI"))
        server.run("MULTI")
        let tooMany = Reply.error("ERR UNDO count is larger than the queue")
        #expect(server.run("UNDO") == tooMany)
        for number in 1...5 { queue("RPUSH", "l", "\(number)") }
        #expect(server.run("UNDO") == 4)
        #expect(server.run("UNDO", "2") == 2)
        #expect(server.run("UNDO", "3") == tooMany)
        #expect(server.run("UNDO", "\(Int64.max)") == tooMany)
        #expect(server.run("UNDO", "0") == 2)
        #expect(server.run("UNDO", "-1").isError && server.run("UNDO", "one").isError)
        #expect(server.run("UNDO", "1", "2") == .error("ERR syntax error"))
        queue("RPUSH", "l", "6")
        #expect(server.run("EXEC") == [1, 2, 3])
        #expect(server.run("LRANGE", "l", "0", "-1") == .bulks("1", "2", "6"))
        server.run("MULTI")
        queue("SET", "a", "1")
        #expect(server.run("UNDO", "1") == 0)
        #expect(server.run("EXEC") == [])
    }

    @Test func `UNDO heals what it takes back, and nothing else`() {
        let aborted = Reply.error("EXECABORT Transaction discarded because of previous errors.")
        // Failed between two commands: healed with the first of them.
        server.run("MULTI")
        queue("SET", "a", "1")
        #expect(server.run("FOO").isError)
        queue("SET", "b", "1")
        #expect(server.run("UNDO") == 1)
        #expect(server.run("EXEC") == aborted)
        server.run("MULTI")
        queue("SET", "a", "1")
        #expect(server.run("FOO").isError)
        queue("SET", "b", "1")
        #expect(server.run("UNDO", "2") == 0)
        queue("SET", "c", "1")
        #expect(server.run("EXEC") == ["OK"])
        #expect(server.run("EXISTS", "a", "b") == 0)
        // Failed after the last command: healed with it.
        server.run("MULTI")
        queue("SET", "a", "1")
        queue("SET", "b", "1")
        #expect(server.run("GET").isError && server.run("GET").isError)
        #expect(server.run("UNDO") == 1)
        #expect(server.run("EXEC") == ["OK"])
        // Failed before the first command: nothing that is taken back caused it.
        server.run("MULTI")
        #expect(server.run("FOO").isError)
        queue("SET", "a", "1")
        #expect(server.run("UNDO") == 0)
        #expect(server.run("UNDO").isError)
        #expect(server.run("EXEC") == aborted)
        // A count that is too large heals nothing.
        server.run("MULTI")
        queue("SET", "a", "1")
        #expect(server.run("FOO").isError)
        #expect(server.run("UNDO", "2").isError)
        #expect(server.run("EXEC") == aborted)
    }

    @Test func `UNDO does not heal a broken watch`() {
        server.run("WATCH", "a")
        server.run("MULTI")
        queue("PING")
        server.connect().run("SET", "a", "1")
        #expect(server.run("UNDO") == 0)
        #expect(server.run("EXEC") == .nullArray)
    }

    @Test func `UNDO forgets what the queue was going to do`() {
        server.run("MULTI")
        queue("GET", "a")
        queue("SET", "a", "1")
        #expect(server.run("UNDO") == 1)
        server.connect().run("CONFIG", "SET", "maxmemory", "1")
        // With the SET it would be refused.
        #expect(server.run("EXEC") == [nil])
    }

    /// Against a list of attempts: UNDO rewinds to before the n-th last queued one.
    @Test func `UNDO behaves as a list of attempts does`() {
        var random = SeededRandom.make()
        for _ in 0..<200 {
            var attempts: [Int?] = []
            server.run("DEL", "l")
            server.run("MULTI")
            for _ in 0..<random.below(30) {
                let queued = attempts.compactMap { $0 }
                switch random.below(6) {
                case 0:
                    #expect(server.run("NONSENSE").isError)
                    attempts.append(nil)
                case 1, 2:
                    let count = random.below(5)
                    if count > queued.count {
                        #expect(server.run("UNDO", "\(count)").isError)
                        continue
                    }
                    #expect(server.run("UNDO", "\(count)") == .integer(Int64(queued.count - count)))
                    for _ in 0..<count {
                        while let last = attempts.popLast(), last == nil {}
                    }
                default:
                    let number = random.below(1000)
                    queue("RPUSH", "l", "\(number)")
                    attempts.append(number)
                }
            }
            let queued = attempts.compactMap { $0 }
            let reply = server.run("EXEC")
            if attempts.contains(nil) {
                #expect(reply.text?.hasPrefix("EXECABORT") == true)
            } else {
                #expect(reply.elements.count == queued.count)
                let list = server.run("LRANGE", "l", "0", "-1").elements.compactMap(\.text)
                #expect(list == queued.map { "\($0)" })
            }
        }
    }
}
