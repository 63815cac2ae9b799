import Testing

@testable import Engine

@Suite struct ShutdownCommandsTests {
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

    @Test func `cannot save, and says so`() {
        let server = TestServer()
        #expect(
            server.run("SHUTDOWN", "SAVE")
                == .error("ERR Errors trying to SHUTDOWN. Check logs."))
        #expect(!server.server.lifecycle.shouldStop)
        #expect(server.lines.contains("Error trying to save the DB, can't exit."))
        #expect(server.run("PING") == .simple("PONG"))
    }

    @Test func `warns where save points promise a snapshot`() {
        let warning = "This version cannot save: the data set is lost on exit."
        let (saving, other) = (TestServer("save 60 1"), TestServer("save \"\""))
        for server in [saving, other] { server.client.send([Array("SHUTDOWN".utf8)]) }
        #expect(saving.lines.contains(warning))
        #expect(!other.lines.contains(warning))
    }
}
