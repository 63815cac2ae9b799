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

    private func request(_ words: String...) -> [UInt8] {
        EngineTests.multibulk(words.map { Array($0.utf8) })
    }
}
