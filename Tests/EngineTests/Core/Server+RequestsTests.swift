import Testing

@testable import Engine

/// The way of bytes from a socket through the server and back.
@Suite struct ServerRequestsTests {
    private let pipeline =
        "SET a 1\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n\r\n*0\r\n*-1\r\nGET \"a\"\r\n"
        + "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$12\r\nhello\r\nworld\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n"
        + "SET c 'x y'\r\nGET c\r\nnope 'a b'\r\nPING\r\n*1\r\nx\r\nPING\r\n"
    private let replies =
        "+OK\r\n:2\r\n$1\r\n2\r\n+OK\r\n$12\r\nhello\r\nworld\r\n+OK\r\n$3\r\nx y\r\n"
        + "-ERR unknown command 'nope', with args beginning with: 'a b' \r\n+PONG\r\n"
        + "-ERR Protocol error: expected '$', got 'x'\r\n"

    @Test func aPipelineMayBeCutAtEveryByte() {
        let bytes = Array(pipeline.utf8)
        let test = TestServer()
        for cut in 0...bytes.count {
            let client = WireClient(test.server)
            client.send(Array(bytes[..<cut]))
            client.send(Array(bytes[cut...]))
            #expect(client.take() == replies, "cut at \(cut)")
            #expect(client.isClosed)
            #expect(test.server.connections.count == 1)
            _ = test.run("SET", "a", "0")
        }
    }

    @Test func aPipelineMayComeByteByByte() {
        let test = TestServer()
        let client = WireClient(test.server)
        for byte in Array(pipeline.utf8) { client.send([byte]) }
        #expect(client.take() == replies)
    }

    @Test func connectionsServedTogetherDoNotMix() {
        let test = TestServer()
        let clients = (0..<40).map { _ in WireClient(test.server) }
        for (index, client) in clients.enumerated() {
            client.send("SELECT \(index % 16)\r\nSET k \(index)\r\nGE")
        }
        for client in clients { client.send("T k\r\n") }
        for (index, client) in clients.enumerated() {
            let last = 32 + index % 16 < 40 ? 32 + index % 16 : 16 + index % 16
            #expect(client.take() == "+OK\r\n+OK\r\n$2\r\n\(last)\r\n")
        }
    }

    @Test func anInlineRequestIsAtMost64KiB() {
        let test = TestServer()
        let fits = WireClient(test.server)
        let text = String(repeating: "x", count: 60_000)
        #expect(fits.exchange("ECHO \(text)\r\n") == "$60000\r\n\(text)\r\n")
        let tooLong = WireClient(test.server)
        tooLong.send(Array(String(repeating: "x", count: 70_000).utf8))
        tooLong.turn()
        #expect(tooLong.take() == "-ERR Protocol error: too big inline request\r\n")
        #expect(tooLong.isClosed)
    }

    @Test func whoHasNotSaidWhoTheyAreGetsLittle() {
        for request in ["*11\r\n", "*1\r\n$16385\r\n"] {
            let test = TestServer("requirepass secret\n")
            let client = WireClient(test.server)
            #expect(client.exchange(request).hasPrefix("-ERR Protocol error: unauthenticated "))
            #expect(client.isClosed)
        }
    }

    @Test func authenticationHoldsForWhatFollowsInThePipeline() {
        let test = TestServer("requirepass secret\n")
        let client = WireClient(test.server)
        let many = multibulk(["MSET"] + (0..<20).map { "k\($0 / 2)" })
        client.send(Array("PING\r\nAUTH secret\r\n".utf8) + many)
        #expect(client.take() == "-NOAUTH Authentication required.\r\n+OK\r\n+OK\r\n")
    }

    @Test func aBrowserIsCutOff() {
        let test = TestServer()
        for line in ["POST / HTTP/1.1", "Host: example"] {
            let client = WireClient(test.server)
            #expect(client.exchange("\(line)\r\nSET k 1\r\n") == "")
            #expect(client.isClosed)
        }
        #expect(test.run("GET", "k") == nil)
    }

    @Test func bytesOfTheClientAreQuotedAsTheyAre() {
        let test = TestServer()
        let client = WireClient(test.server)
        client.send(multibulk([[0x66, 0xFF], [0x61, 0x00, 0x62]]))
        #expect(
            client.received
                == Array("-ERR unknown command 'f".utf8) + [0xFF]
                + Array("', with args beginning with: 'a' \r\n".utf8))
        let other = WireClient(test.server)
        other.send(Array("*1\r\n".utf8) + [0xFE, 13, 10])
        #expect(
            other.received
                == Array("-ERR Protocol error: expected '$', got '".utf8) + [0xFE, 0x27, 13, 10])
    }

    @Test func randomBytesNeverTrap() {
        var random = SeededRandom.make()
        let pieces = [
            "*3\r\n", "$3\r\nSET\r\n", "$1\r\nk\r\n", "$5\r\nhello\r\n", "*2\r\n$3\r\nGET\r\n",
            "\r\n", "PING\r\n", "'", "\"", "*", "$", "-1", "\0", "CLIENT REPLY SKIP\r\n",
            "QUIT\r\n",
        ].map { Array($0.utf8) }
        let test = TestServer()
        for _ in 0..<500 {
            let client = WireClient(test.server)
            for _ in 0..<random.below(20) where !client.isClosed {
                client.send(pieces[random.below(pieces.count)])
            }
        }
        #expect(test.run("PING") == "PONG")
        #expect(test.server.connections.count == 1)
    }

    private func multibulk(_ words: [String]) -> [UInt8] {
        EngineTests.multibulk(words.map { Array($0.utf8) })
    }

    private func multibulk(_ arguments: [[UInt8]]) -> [UInt8] { EngineTests.multibulk(arguments) }

    /// One wait ends by its time, the next by a push in the turn that goes on with what was kept, and a
    /// large request that has not come whole stands behind both.
    @Test(arguments: [100, 20_000, 70_000, 85_000, 150_000])
    func `a connection that may go on for two reasons goes on once`(bytes: Int) {
        let test = TestServer()
        let (waiting, pushing) = (WireClient(test.server), WireClient(test.server))
        let large = String(repeating: "v", count: bytes)
        waiting.post(
            request("BLPOP", "none", "0.01") + request("BLPOP", "q", "0.5")
                + request("SET", "k", large)
                + request("INCR", "count") + request("ECHO", "end"))
        waiting.turn()
        test.advance(milliseconds: 20)
        test.server.runTimers()
        pushing.post(request("RPUSH", "q", "x"))
        test.server.serveNext(waiting.connection)
        test.server.serveNext(pushing.connection)
        test.server.serveSlots()
        test.server.serveResumed()
        test.server.beforeSleep()
        waiting.turn()
        let replies = "*-1\r\n*2\r\n$1\r\nq\r\n$1\r\nx\r\n+OK\r\n:1\r\n$3\r\nend\r\n"
        #expect(waiting.take() == replies)
        #expect(test.run("STRLEN", "k") == .integer(Int64(bytes)))
    }

    @Test(arguments: [100, 20_000, 40_000, 100_000], ["\rx", "x\n", "xx", "\n\r"])
    func `an argument that does not end where it says is told of`(bytes: Int, end: String) {
        let test = TestServer()
        let client = WireClient(test.server)
        let text = String(repeating: "v", count: bytes)
        client.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$\(bytes)\r\n\(text)\(end)PING\r\n")
        client.turn()
        #expect(client.take() == "-ERR Protocol error: invalid CRLF in request\r\n")
        #expect(client.isClosed)
        #expect(test.run("EXISTS", "k") == 0)
    }

    /// Taken off the list of those that may go on while the slots are full, and put on it again by what
    /// is executed then.
    @Test func `a held request runs once, however often its pause ends`() {
        let test = TestServer()
        let waiting = (0..<InputSlots.count).map { _ in WireClient(test.server) }
        for (index, client) in waiting.enumerated() {
            let last = index == waiting.count - 1
            client.send(
                request("BLPOP", "none", "0.5")
                    + (last ? request("CLIENT", "UNPAUSE") : request("PING")))
        }
        let (held, control) = (WireClient(test.server), WireClient(test.server))
        control.send(request("CLIENT", "PAUSE", "500", "WRITE"))
        held.send(request("RPUSH", "l", String(repeating: "v", count: 40_000)))
        test.advance(milliseconds: 600)
        test.server.runTimers()
        control.post(request("CLIENT", "PAUSE", "10000", "WRITE"))
        test.server.serveNext(control.connection)
        test.server.serveSlots()
        held.post(request("PING"))
        test.server.serveNext(held.connection)
        test.server.serveSlots()
        test.server.serveResumed()
        test.server.beforeSleep()
        held.turn()
        #expect(held.take() == ":1\r\n+PONG\r\n")
        #expect(test.run("LLEN", "l") == 1)
    }

    /// Whatever writes it: refusals, queueing, refused requests of a subscriber.
    @Test(arguments: ["x", "GET", "MULTI", "SUBSCRIBE"])
    func `who is to be sent too much is closed, not sent a part`(first: String) {
        let test = TestServer(
            "client-output-buffer-limit normal 65536 0 0 pubsub 65536 0 0\n")
        _ = test.run("SET", "big", String(repeating: "v", count: 60_000))
        let client = WireClient(test.server)
        var bytes = first == "MULTI" ? request("GET", "big") : []
        bytes += first == "SUBSCRIBE" ? request("SUBSCRIBE", "c") : request(first)
        let more =
            switch first {
            case "MULTI": request("PING")
            case "SUBSCRIBE": request("GET", "a")
            default: request(first, "a", "b", "c")
            }
        for _ in 0..<3000 { bytes += more }
        client.send(bytes + request("PING"))
        client.turn()
        #expect(client.isClosed)
        #expect(!client.take().hasSuffix("PONG\r\n"))
    }

    @Test(arguments: [["OFF"], ["SKIP"]])
    func `what nobody is to be sent is not too much`(mode: [String]) {
        let test = TestServer("client-output-buffer-limit normal 1000000 0 0\n")
        _ = test.run("SET", "big", String(repeating: "v", count: 2_000_000))
        let client = WireClient(test.server)
        let on = mode == ["OFF"] ? request("CLIENT", "REPLY", "ON") : []
        client.send(
            request("PING") + request("CLIENT", "REPLY", mode[0]) + request("GET", "big") + on
                + request("PING"))
        client.turn()
        #expect(client.take() == "+PONG\r\n" + (on.isEmpty ? "" : "+OK\r\n") + "+PONG\r\n")
        #expect(!client.isClosed)
    }

    @Test func `a request begun with rights is not gone on with without them`() {
        let test = TestServer("requirepass secret\n")
        let client = WireClient(test.server)
        #expect(client.exchange("AUTH secret\r\n") == "+OK\r\n")
        let arguments = (0..<2000).map { _ in "$10\r\naaaaaaaaaa\r\n" }.joined()
        client.send("RESET\r\n*1000000\r\n" + arguments)
        client.turn()
        #expect(client.take().contains("unauthenticated multibulk length"))
        #expect(client.isClosed)
    }

    private func request(_ words: String...) -> [UInt8] {
        EngineTests.multibulk(words.map { Array($0.utf8) })
    }
}
