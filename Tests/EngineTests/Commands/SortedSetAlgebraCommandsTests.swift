import Testing

@testable import Engine

@Suite struct SortedSetAlgebraCommandsTests {
    private static let forms = ["", "zset-max-listpack-entries 0"]

    private func server(_ configuration: String) -> TestServer {
        let server = TestServer(configuration)
        server.run("ZADD", "x", "1", "a", "2", "b", "3", "c")
        server.run("ZADD", "y", "10", "b", "20", "c", "30", "d")
        return server
    }

    private func members(_ server: TestServer, _ command: String) -> String {
        let words = command.split(separator: " ").map(String.init)
        return server.client.run(words).elements.compactMap(\.text).joined(separator: " ")
    }

    @Test(arguments: forms)
    func setsAreCombined(configuration: String) {
        let server = server(configuration)
        #expect(members(server, "ZUNION 2 x y WITHSCORES") == "a 1 b 12 c 23 d 30")
        #expect(members(server, "ZINTER 2 x y WITHSCORES") == "b 12 c 23")
        #expect(members(server, "ZDIFF 2 x y WITHSCORES") == "a 1")
        #expect(members(server, "ZDIFF 2 none x") == "")
        #expect(members(server, "ZUNION 2 x x WITHSCORES") == "a 2 b 4 c 6")
        #expect(
            members(server, "ZUNION 2 x y WEIGHTS -1 0.5 AGGREGATE MIN WITHSCORES")
                == "c -3 b -2 a -1 d 15")
        #expect(members(server, "ZINTER 2 x y AGGREGATE MAX WITHSCORES") == "b 10 c 20")
        #expect(server.run("ZINTERCARD", "2", "x", "y") == 2)
        #expect(server.run("ZINTERCARD", "2", "x", "y", "LIMIT", "1") == 1)
        #expect(server.run("ZINTERCARD", "2", "x", "none") == 0)
    }

    @Test(arguments: forms)
    func resultsAreStored(configuration: String) {
        let server = server(configuration)
        #expect(server.run("ZUNIONSTORE", "x", "2", "x", "y") == 4)
        #expect(members(server, "ZRANGE x 0 -1 WITHSCORES") == "a 1 b 12 c 23 d 30")
        #expect(server.run("ZINTERSTORE", "i", "2", "x", "y", "WEIGHTS", "1", "0") == 3)
        #expect(members(server, "ZRANGE i 0 -1 WITHSCORES") == "b 12 c 23 d 30")
        #expect(server.run("ZDIFFSTORE", "i", "2", "x", "x") == 0)
        #expect(server.run("EXISTS", "i") == 0)
    }

    @Test(arguments: forms)
    func membersOfPlainSetsScoreOne(configuration: String) {
        let server = server(configuration)
        server.run("SADD", "integers", "1", "2")
        server.run("SADD", "words", "b", "q")
        #expect(
            members(server, "ZUNION 3 x integers words WITHSCORES") == "1 1 2 1 a 1 q 1 b 3 c 3")
        #expect(members(server, "ZINTER 2 words x WEIGHTS 5 1 WITHSCORES") == "b 7")
        #expect(members(server, "ZDIFF 2 x words") == "a c")
        #expect(server.run("ZINTERCARD", "2", "words", "y") == 1)
    }

    @Test func infinitiesAddUpToNothing() {
        let server = TestServer()
        server.run("ZADD", "x", "inf", "a")
        server.run("ZADD", "y", "-inf", "a")
        #expect(members(server, "ZUNION 2 x y WITHSCORES") == "a 0")
        #expect(members(server, "ZINTER 2 x y WITHSCORES") == "a 0")
        #expect(members(server, "ZUNION 1 x WEIGHTS 0 WITHSCORES") == "a 0")
    }

    @Test func argumentsThatLie() {
        let server = server("")
        for (command, text) in [
            ("ZUNION 0 x", "ERR at least 1 input key is needed for 'zunion' command"),
            ("ZINTERCARD -1 x", "ERR at least 1 input key is needed for 'zintercard' command"),
            ("ZDIFFSTORE d 0 x", "ERR at least 1 input key is needed for 'zdiffstore' command"),
            ("ZUNION a x", "ERR value is not an integer or out of range"),
            ("ZUNION 3 x y", "ERR syntax error"),
            ("ZUNION 9223372036854775807 x y", "ERR syntax error"),
            ("ZUNION 2 x y WEIGHTS 1", "ERR syntax error"),
            ("ZUNION 2 x y WEIGHTS 1 nan", "ERR weight value is not a float"),
            ("ZUNION 1 x AGGREGATE AVG", "ERR syntax error"),
            ("ZDIFF 1 x WEIGHTS 1", "ERR syntax error"),
            ("ZUNIONSTORE d 1 x WITHSCORES", "ERR syntax error"),
            ("ZINTERCARD 1 x LIMIT -1", "ERR LIMIT can't be negative"),
            ("ZINTERCARD 1 x WITHSCORES", "ERR syntax error"),
        ] {
            let words = command.split(separator: " ").map(String.init)
            #expect(server.client.run(words) == .error(text), "\(command)")
        }
        server.run("SET", "s", "x")
        #expect(server.run("ZUNION", "2", "x", "s").text?.hasPrefix("WRONGTYPE") == true)
        #expect(server.run("EXISTS", "d") == 0)
    }
}
