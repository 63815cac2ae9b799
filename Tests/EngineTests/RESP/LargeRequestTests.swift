import Testing

@testable import Engine

/// Requests that do not come in one piece, through a socket.
@Suite struct LargeRequestTests {
    private func filler(_ count: Int, _ seed: Int = 0) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ seed) }
    }

    @Test(arguments: [1, 16 * 1024 - 1, 16 * 1024, 32 * 1024, 32 * 1024 + 1, 100_000, 3 << 20])
    func valuesOfAllSizesArrive(_ size: Int) {
        let test = TestServer()
        let client = WireClient(test.server)
        let value = filler(size)
        client.send(multibulk([Array("SET".utf8), Array("k".utf8), value]))
        #expect(client.take() == "+OK\r\n")
        client.send(multibulk("GET", "k"))
        for _ in 0..<1000 where client.received.count < size { client.turn() }
        #expect(client.received == Array("$\(size)\r\n".utf8) + value + [13, 10])
    }

    /// Replies do not depend on where the bytes are cut.
    @Test func aLargeRequestAndItsNeighboursMayBeCutAnywhere() {
        let value = filler(40_000)
        let bytes =
            multibulk("SET", "a", "1") + multibulk([Array("SET".utf8), Array("k".utf8), value])
            + multibulk("INCR", "a") + Array("GET a\r\n".utf8)
        let edges = [1, 20, 30, 31, 60, 70, 16_400, 32_800, 40_060, 40_075, bytes.count - 3]
        for first in edges {
            for second in edges where second > first && second < bytes.count {
                let test = TestServer()
                let client = WireClient(test.server)
                client.send(Array(bytes[..<first]))
                client.send(Array(bytes[first..<second]))
                client.send(Array(bytes[second...]))
                client.turn()
                #expect(
                    client.take() == "+OK\r\n+OK\r\n:2\r\n$1\r\n2\r\n", "cut at \(first), \(second)"
                )
                #expect(test.server.run(client: client, "GET", "k").count == 40_000)
            }
        }
    }

    @Test func manyFatArgumentsArrive() {
        let test = TestServer()
        let client = WireClient(test.server)
        var arguments = [Array("MSET".utf8)]
        for index in 0..<20 {
            arguments += [Array("k\(index)".utf8), filler(20_000 + index, index)]
        }
        client.send(multibulk(arguments))
        client.turn()
        #expect(client.take() == "+OK\r\n")
        for index in 0..<20 {
            #expect(test.server.run(client: client, "GET", "k\(index)") == arguments[index * 2 + 2])
        }
    }

    @Test func errorsInsideAreTold() {
        let test = TestServer()
        let client = WireClient(test.server)
        client.send(
            Array("*3\r\n$3\r\nSET\r\n$20000\r\n".utf8) + filler(20_000) + Array("\r\nfoo\r\n".utf8)
        )
        client.turn()
        #expect(client.take() == "-ERR Protocol error: expected '$', got 'f'\r\n")
        #expect(client.isClosed)
    }

    @Test func whatIsOnlyDeclaredCostsNothing() {
        let test = TestServer()
        let client = WireClient(test.server)
        client.send(
            Array("*2\r\n$20000\r\n".utf8) + filler(20_000) + Array("\r\n$536870912\r\nx".utf8))
        client.turn()
        #expect(client.connection.memoryBytes < 2 << 20)
    }

    @Test func theQueryBufferIsLimited() {
        let test = TestServer("client-query-buffer-limit 1mb\n")
        let client = WireClient(test.server)
        client.send(Array("*2\r\n$3\r\nGET\r\n$5000000\r\n".utf8) + filler(3 << 20))
        #expect(client.isClosed)
        #expect(test.server.statistics.queryBufferDisconnections == 1)
    }

    @Test func clientListTellsHowMuchHasCome() {
        let test = TestServer()
        let client = WireClient(test.server)
        client.send(Array("*1\r\n$50000\r\n".utf8) + filler(40_000))
        #expect(test.server.describe(client.connection).contains(" qbuf=40000 "))
    }
}

extension Server {
    /// The bytes that a GET of `client` returns.
    fileprivate func run(client: WireClient, _ arguments: String...) -> [UInt8] {
        client.send(multibulk(arguments.map { Array($0.utf8) }))
        client.turn()
        let bytes = client.received
        _ = client.take()
        guard let start = bytes.firstIndex(of: 10) else { return [] }
        return Array(bytes[(start + 1)...].dropLast(2))
    }
}
