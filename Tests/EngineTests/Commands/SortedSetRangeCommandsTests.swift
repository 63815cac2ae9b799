import Testing

@testable import Engine

@Suite struct SortedSetRangeCommandsTests {
    private static let forms = ["", "zset-max-listpack-entries 0"]

    /// a 1, b 2, c 3, d 3, e 4 and ten members of one score.
    private func server(_ configuration: String) -> TestServer {
        let server = TestServer(configuration)
        server.run("ZADD", "k", "1", "a", "2", "b", "3", "c", "3", "d", "4", "e")
        for letter in "abcdefghij" { server.run("ZADD", "lex", "0", "\(letter)") }
        return server
    }

    private func members(_ server: TestServer, _ command: String) -> String {
        let words = command.split(separator: " ").map(String.init)
        return server.client.run(words).elements.compactMap(\.text).joined(separator: " ")
    }

    @Test(arguments: forms)
    func rangesByRank(configuration: String) {
        let server = server(configuration)
        #expect(members(server, "ZRANGE k 0 -1") == "a b c d e")
        #expect(members(server, "ZRANGE k 1 2 WITHSCORES") == "b 2 c 3")
        #expect(members(server, "ZRANGE k -2 9223372036854775807") == "d e")
        #expect(members(server, "ZRANGE k -9223372036854775808 0") == "a")
        #expect(members(server, "ZRANGE k 0 1 REV") == "e d")
        #expect(members(server, "ZREVRANGE k 0 1 WITHSCORES") == "e 4 d 3")
        #expect(members(server, "ZREVRANGE k -1 -1") == "a")
        #expect(members(server, "ZRANGE k 3 1") == "")
        #expect(members(server, "ZRANGE k 5 9") == "")
        #expect(members(server, "ZRANGE none 0 -1") == "")
    }

    @Test(arguments: forms)
    func rangesByScore(configuration: String) {
        let server = server(configuration)
        #expect(members(server, "ZRANGEBYSCORE k 2 3") == "b c d")
        #expect(members(server, "ZRANGEBYSCORE k (2 (4 WITHSCORES") == "c 3 d 3")
        #expect(members(server, "ZRANGEBYSCORE k -inf +inf LIMIT 1 2") == "b c")
        #expect(members(server, "ZRANGEBYSCORE k -inf +inf LIMIT 1 -1") == "b c d e")
        #expect(members(server, "ZRANGEBYSCORE k -inf +inf LIMIT -1 2") == "")
        #expect(members(server, "ZRANGEBYSCORE k -inf inf LIMIT 9223372036854775807 1") == "")
        #expect(members(server, "ZREVRANGEBYSCORE k 3 2") == "d c b")
        #expect(members(server, "ZREVRANGEBYSCORE k +inf -inf LIMIT 1 2") == "d c")
        #expect(members(server, "ZRANGE k 1 (3 BYSCORE") == "a b")
        #expect(members(server, "ZRANGE k (3 1 BYSCORE REV LIMIT 0 1") == "b")
        #expect(server.run("ZCOUNT", "k", "(1", "3") == 3)
        #expect(server.run("ZCOUNT", "k", "3", "1") == 0)
        #expect(server.run("ZCOUNT", "k", "a", "1") == .error("ERR min or max is not a float"))
        #expect(server.run("ZCOUNT", "k", "nan", "1").isError)
    }

    @Test(arguments: forms)
    func rangesByMember(configuration: String) {
        let server = server(configuration)
        #expect(members(server, "ZRANGEBYLEX lex - [c") == "a b c")
        #expect(members(server, "ZRANGEBYLEX lex (b (e") == "c d")
        #expect(members(server, "ZRANGEBYLEX lex - + LIMIT 8 5") == "i j")
        #expect(members(server, "ZREVRANGEBYLEX lex [c -") == "c b a")
        #expect(members(server, "ZRANGEBYLEX lex + -") == "")
        #expect(members(server, "ZRANGE lex + [h BYLEX REV") == "j i h")
        #expect(server.run("ZLEXCOUNT", "lex", "[c", "+") == 8)
        let invalid = Reply.error("ERR min or max not valid string range item")
        #expect(server.run("ZLEXCOUNT", "lex", "c", "+") == invalid)
        #expect(server.run("ZRANGEBYLEX", "lex", "", "+") == invalid)
    }

    @Test func optionsThatContradictEachOther() {
        let server = server("")
        #expect(members(server, "ZRANGE k 0 0 LIMIT 0 -1") == "a")
        for (command, text) in [
            (
                "ZRANGE k 0 1 LIMIT 0 1",
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
            ),
            (
                "ZRANGE k - + BYLEX WITHSCORES",
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
            ),
            ("ZREVRANGE k 0 1 BYSCORE", "ERR syntax error"),
            ("ZRANGE k - + BYLEX REV REV", "ERR syntax error"),
            ("ZRANGE k - + BYLEX BYLEX", "ERR syntax error"),
            ("ZRANGEBYSCORE k 0 1 REV", "ERR syntax error"),
            ("ZRANGE k 0 1 LIMIT 0", "ERR syntax error"),
            ("ZRANGESTORE d k 0 1 WITHSCORES", "ERR syntax error"),
            ("ZRANGE k a 1", "ERR value is not an integer or out of range"),
            ("ZRANGE k 0 1 BYSCORE LIMIT a 1", "ERR value is not an integer or out of range"),
        ] {
            let words = command.split(separator: " ").map(String.init)
            #expect(server.client.run(words) == .error(text), "\(command)")
        }
    }

    @Test(arguments: forms)
    func rangesAreStored(configuration: String) {
        let server = server(configuration)
        #expect(server.run("ZRANGESTORE", "d", "k", "1", "-2") == 3)
        #expect(members(server, "ZRANGE d 0 -1 WITHSCORES") == "b 2 c 3 d 3")
        #expect(server.run("ZRANGESTORE", "k", "k", "0", "1", "REV") == 2)
        #expect(members(server, "ZRANGE k 0 -1") == "d e")
        #expect(server.run("ZRANGESTORE", "d", "k", "9", "10", "BYSCORE") == 0)
        #expect(server.run("EXISTS", "d") == 0)
        #expect(server.run("ZRANGESTORE", "d", "none", "0", "1") == 0)
    }

    @Test(arguments: forms)
    func rangesAreRemoved(configuration: String) {
        let server = server(configuration)
        #expect(server.run("ZREMRANGEBYRANK", "k", "1", "1") == 1)
        #expect(server.run("ZREMRANGEBYSCORE", "k", "(3", "inf") == 1)
        #expect(members(server, "ZRANGE k 0 -1") == "a c d")
        #expect(server.run("ZREMRANGEBYRANK", "k", "5", "9") == 0)
        #expect(server.run("ZREMRANGEBYSCORE", "k", "-inf", "inf") == 3)
        #expect(server.run("EXISTS", "k") == 0)
        #expect(server.run("ZREMRANGEBYLEX", "lex", "[b", "(j") == 8)
        #expect(members(server, "ZRANGE lex 0 -1") == "a j")
        #expect(server.run("ZREMRANGEBYLEX", "none", "-", "+") == 0)
    }
}
