import Testing

@testable import Engine

/// `maxmemory-clients`: who is closed when buffers take too much.
@Suite struct ClientMemoryTests {
    /// A client with an unfinished request of `bytes`.
    private func hoarder(_ server: Server, _ bytes: Int) -> WireClient {
        let client = WireClient(server)
        client.send(Array("*2\r\n$\(bytes)\r\n".utf8) + [UInt8](repeating: 120, count: bytes))
        return client
    }

    @Test func theLargestGoFirst() {
        let test = TestServer()
        let clients = [128 << 10, 1 << 20, 3 << 20].map { size in
            (0..<3).map { _ in hoarder(test.server, size) }
        }
        func open() -> [Int] { clients.map { $0.count { !$0.isClosed } } }
        let admin = WireClient(test.server)
        func limit(_ bytes: Int) {
            admin.send("CONFIG SET maxmemory-clients \(bytes)\r\n")
            for client in clients.joined() { client.turn() }
        }
        limit(20 << 20)
        #expect(open() == [3, 3, 3])
        limit(9 << 20)
        #expect(open() == [3, 3, 1])
        limit(3 << 20)
        #expect(open() == [3, 2, 0])
        limit(512 << 10)
        #expect(open() == [3, 0, 0])
        limit(1)
        #expect(open().reduce(0, +) == 0)
        #expect(!admin.isClosed)
        #expect(test.server.statistics.clientsEvicted == 9)
        #expect(test.run("INFO", "stats").text?.contains("evicted_clients:9\r\n") == true)
        #expect(test.lines.contains { $0.contains("Evicting client: id=") })
    }

    @Test func whoIsSparedStays() {
        let test = TestServer("maxmemory-clients 200000\n")
        let spared = WireClient(test.server)
        spared.send("CLIENT NO-EVICT ON\r\n")
        spared.send(Array("*2\r\n$400000\r\n".utf8) + [UInt8](repeating: 120, count: 400_000))
        // After an attempt in vain the next one is the timer's.
        let idle = WireClient(test.server)
        idle.turn()
        #expect(!idle.isClosed)
        test.server.cron()
        idle.turn()
        #expect(!spared.isClosed)
        #expect(idle.isClosed)
        #expect(test.lines.contains { $0.contains("Over client maxmemory") })
        let complaints = test.lines.count
        spared.turn()
        #expect(test.lines.count == complaints)
    }

    @Test func aReplyThatIsNotReadCounts() {
        let test = TestServer("maxmemory-clients 1000000\n")
        test.run("SETRANGE", "k", "3000000", "x")
        let client = WireClient(test.server)
        client.post(multibulk("GET", "k"))
        test.server.serveNext(client.connection)
        test.server.serveSlots()
        test.server.beforeSleep()
        #expect(!client.connection.transport.isOpen)
        #expect(test.server.statistics.clientsEvicted == 1)
    }

    @Test func aPercentageIsOfMaxmemory() {
        func limit(_ configuration: String) -> Int {
            TestServer(configuration).server.clientMemory.limit
        }
        #expect(limit("maxmemory 100mb\nmaxmemory-clients 5%\n") == 5 << 20)
        #expect(limit("maxmemory-clients 5%\n") == 0)
        #expect(limit("maxmemory-clients 1\n") == 128 * 1024)
        #expect(limit("maxmemory 18446744073709551615\nmaxmemory-clients 100%\n") > 0)
        #expect(limit("") == 0)
    }

    /// The sum is that of all connections, however they come, grow and go.
    @Test func theSumIsExact() {
        var random = SeededRandom.make()
        let test = TestServer("maxmemory-clients 1gb\n")
        var clients: [WireClient] = []
        for _ in 0..<300 {
            switch random.below(4) {
            case 0: clients.append(hoarder(test.server, 20_000 + random.below(100_000)))
            case 1: clients.append(WireClient(test.server))
            case 2 where !clients.isEmpty: clients.remove(at: random.below(clients.count))
            default: clients.randomElement(using: &random)?.send("PI")
            }
            let sum = test.server.connections.all.reduce(0) { $0 + $1.memoryBytes }
            #expect(test.server.clientMemory.total == sum)
        }
    }

    /// A reply whose length the client chooses ends where the client is cut off.
    @Test(arguments: [
        ["HRANDFIELD", "h", "-9999999999"], ["SRANDMEMBER", "s", "-9999999999"],
        ["ZRANDMEMBER", "z", "-9999999999"],
    ])
    func endlessRepliesAreCutOff(_ request: [String]) {
        let test = TestServer("client-output-buffer-limit normal 100000 0 0\n")
        test.run("HSET", "h", "f", "v")
        test.run("SADD", "s", "m")
        test.run("ZADD", "z", "1", "m")
        let client = WireClient(test.server)
        client.send(multibulk(request.map { Array($0.utf8) }))
        #expect(client.isClosed)
        #expect(client.take() == "")
        test.run("CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0")
        #expect(test.client.run(request) == .error("ERR value is out of range"))
    }
}
