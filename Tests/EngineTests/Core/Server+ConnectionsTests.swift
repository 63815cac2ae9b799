import Testing

@testable import Engine

@Suite struct ServerConnectionsTests {
    /// The soft limit is in whole seconds, as many as a setting can hold.
    @Test(arguments: [2, Int(Int32.max)])
    func whoReadsTooSlowlyForTooLongIsClosed(_ seconds: Int) {
        let test = TestServer("client-output-buffer-limit normal 0 1000 \(seconds)\n")
        let client = WireClient(test.server)
        for _ in 0..<3 {
            test.server.checkOutputLimit(client.connection, 1000)
            #expect(client.connection.transport.isOpen)
            test.advance(milliseconds: 1000)
        }
        test.server.checkOutputLimit(client.connection, 1000)
        #expect(client.connection.transport.isOpen == (seconds > 2))
    }
}
