import Testing

@testable import Engine

/// What a crash report would tell of the request under way, asked for from inside of it.
struct ServerCrashReportTests {
    private final class Told: @unchecked Sendable {
        var arguments: [[Int]] = []
        var clients: [UInt64] = []
    }

    private func server(_ told: Told) -> TestServer {
        TestServer(
            "",
            commands: [
                Command(
                    "PROBE", .atLeast(1), [], group: .server, since: "1.0.0", "Tells.",
                    { (call: inout Call) throws(CommandError) in
                        if let (connection, arguments, _) = call.server.requestUnderWay {
                            told.clients.append(connection.id)
                            told.arguments.append((0..<arguments.count).map { arguments[$0].count })
                        }
                        call.reply.ok()
                    })
            ])
    }

    private func request(_ words: [String]) -> [UInt8] {
        multibulk(words.map { Array($0.utf8) })
    }

    @Test(arguments: [10, 20_000, 100_000])
    func `the request that runs is told, also a large one`(size: Int) {
        let told = Told()
        let test = server(told)
        let client = WireClient(test.server)
        let text = String(repeating: "x", count: size)
        client.send(request(["PING"]) + request(["PROBE", text]) + request(["PING"]))
        client.send(request(["SET", "k", text]) + request(["PROBE", "a", "b"]))
        #expect(told.arguments == [[5, size], [5, 1, 1]])
        #expect(told.clients == [client.connection.id, client.connection.id])
    }

    @Test func `none is told while nobody is served`() {
        let told = Told()
        let test = server(told)
        let client = WireClient(test.server)
        client.send(request(["SET", "k", String(repeating: "x", count: 100_000)]))
        #expect(test.server.requestUnderWay == nil)
        client.send(request(["PROBE"]))
        #expect(test.server.requestUnderWay == nil)
        #expect(told.arguments == [[5]])
    }
}
