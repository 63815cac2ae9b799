import Testing

@testable import Engine

@Suite struct ShutdownCommandsTests {
    @Test func `CLIENT UNBLOCK does not end the wait for replicas`() {
        let server = TestServer()
        let client = server.connect()
        var call = Call(server: server.server, connection: client.connection)
        server.server.waiting.begin(.shutdown, &call, until: nil)
        #expect(server.run("CLIENT", "UNBLOCK", "\(client.connection.id)") == 0)
        #expect(server.run("CLIENT", "UNBLOCK", "\(client.connection.id)", "ERROR") == 0)
        server.server.waiting.unblockAll([.shutdown], .noShutdown, in: server.server)
        #expect(
            client.takeReplies() == [.error("ERR Errors trying to SHUTDOWN. Check logs.")])
    }

    @Test(arguments: [
        ["FOO"], ["SAVE", "NOSAVE"], ["ABORT", "NOW"], ["NOSAVE", "ABORT"], ["NOW", "FOO"],
    ])
    func `refuses what contradicts itself`(options: [String]) {
        let server = TestServer()
        #expect(server.client.run(["SHUTDOWN"] + options) == .error("ERR syntax error"))
        #expect(!server.server.lifecycle.shouldStop)
    }

    @Test func `there is nothing to abort`() {
        #expect(TestServer().run("SHUTDOWN", "ABORT") == .error("ERR No shutdown in progress."))
    }

    @Test func `what a signal has asked for is taken back while it waits`() {
        let server = TestServer()
        server.server.lifecycle.stopRequest = .noSave
        #expect(server.run("SHUTDOWN", "ABORT") == "OK")
        server.server.obeyStopRequest()
        #expect(!server.server.lifecycle.shouldStop)
        server.server.lifecycle.stopRequest = .noSave
        server.server.obeyStopRequest()
        #expect(server.server.lifecycle.shouldStop)
    }

    @Test(arguments: [[], ["NOSAVE"], ["nosave", "now", "force"], ["SAVE", "FORCE"]])
    func `stops, and executes nothing more`(options: [String]) {
        let server = TestServer()
        server.client.send((["SHUTDOWN"] + options).map { Array($0.utf8) })
        #expect(server.client.takeReplies().isEmpty)
        #expect(server.server.lifecycle.shouldStop)
        server.client.send([Array("SET".utf8), Array("k".utf8), Array("v".utf8)])
        #expect(server.client.takeReplies().isEmpty)
        #expect(server.server.keyspace.counters.changes == 0)
    }

    @Test func `does not end where saving fails, unless forced`() {
        let server = TestServer("dbfilename .")
        #expect(
            server.run("SHUTDOWN", "SAVE")
                == .error("ERR Errors trying to SHUTDOWN. Check logs."))
        #expect(!server.server.lifecycle.shouldStop)
        #expect(server.lines.contains("Error trying to save the DB, can't exit."))
        #expect(server.run("PING") == .simple("PONG"))
        server.client.send(["SHUTDOWN", "SAVE", "FORCE"].map { Array($0.utf8) })
        #expect(server.server.lifecycle.shouldStop)
    }
}
