import Testing

@testable import Engine

@Suite struct BlockingSortedSetCommandsTests {
    private func bytes(_ words: String...) -> [[UInt8]] { words.map { Array($0.utf8) } }

    @Test func aMemberThatIsThereIsTakenAtOnce() {
        let server = TestServer()
        server.run("ZADD", "k", "1", "a", "2", "b", "3", "c")
        #expect(server.run("BZPOPMIN", "none", "k", "0") == .bulks("k", "a", "1"))
        #expect(server.run("BZPOPMAX", "k", "0") == .bulks("k", "c", "3"))
        #expect(
            server.run("BZMPOP", "0", "2", "none", "k", "MIN", "COUNT", "9")
                == .array([.bulk("k"), .array([.bulks("b", "2")])]))
        #expect(server.run("EXISTS", "k") == 0)
    }

    @Test func waitersAreServedInTheirOrder() {
        let server = TestServer()
        let (first, second, third) = (server.connect(), server.connect(), server.connect())
        first.send(bytes("BZPOPMIN", "k", "0"))
        second.send(bytes("BZMPOP", "0", "2", "other", "k", "MAX"))
        third.send(bytes("BZPOPMAX", "k", "5"))
        #expect(first.takeReplies().isEmpty && second.takeReplies().isEmpty)
        server.run("LPUSH", "other", "x")
        #expect(second.takeReplies().isEmpty)
        server.run("ZADD", "k", "1", "a", "2", "b")
        #expect(first.takeReplies() == [.bulks("k", "a", "1")])
        #expect(second.takeReplies() == [.array([.bulk("k"), .array([.bulks("b", "2")])])])
        #expect(third.takeReplies().isEmpty)
        #expect(server.run("EXISTS", "k") == 0)
        server.run("ZUNIONSTORE", "k", "1", "none")
        #expect(third.takeReplies().isEmpty)
        server.run("ZADD", "source", "7", "z")
        server.run("ZUNIONSTORE", "k", "1", "source")
        #expect(third.takeReplies() == [.bulks("k", "z", "7")])
    }

    @Test func argumentsThatMakeNoSense() {
        let server = TestServer()
        server.run("SET", "s", "x")
        #expect(server.run("BZPOPMIN", "s", "0").text?.hasPrefix("WRONGTYPE") == true)
        #expect(server.run("BZPOPMIN", "k", "-1") == .error("ERR timeout is negative"))
        #expect(
            server.run("BZPOPMIN", "k", "x").text == "ERR timeout is not a float or out of range")
        #expect(
            server.run("BZMPOP", "0", "0", "k", "MIN")
                == .error("ERR numkeys should be greater than 0"))
        #expect(server.run("BZMPOP", "0", "9", "k", "MIN") == .error("ERR syntax error"))
    }
}
