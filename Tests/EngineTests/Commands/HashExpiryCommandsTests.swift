import Testing

@testable import Engine

/// Deadlines of fields as clients see them; errors and replies are those of Redis 8.
struct HashExpiryCommandsTests {
    private static let limits = ["hash-max-listpack-entries 100", "hash-max-listpack-entries 2"]

    private func makeServer(_ configuration: String = "") -> TestServer {
        let server = TestServer(configuration)
        server.run("HSET", "h", "a", "1", "b", "2", "c", "3")
        return server
    }

    // MARK: - Setting and telling

    @Test(arguments: limits)
    func `a field has a time to live and goes when it is over`(configuration: String) {
        let server = makeServer(configuration)
        #expect(server.run("HEXPIRE", "h", "10", "FIELDS", "2", "a", "x") == [1, -2])
        #expect(server.run("HPEXPIRE", "h", "1500", "FIELDS", "1", "b") == [1])
        #expect(server.run("HTTL", "h", "FIELDS", "4", "a", "b", "c", "x") == [10, 2, -1, -2])
        #expect(server.run("HPTTL", "h", "FIELDS", "2", "a", "b") == [10_000, 1500])
        let now: Int64 = 1_700_000_000_000
        #expect(
            server.run("HPEXPIRETIME", "h", "FIELDS", "1", "b") == [.integer(now + 1500)])
        #expect(
            server.run("HEXPIRETIME", "h", "FIELDS", "1", "b") == [.integer(now / 1000 + 2)])
        server.advance(milliseconds: 1500)
        #expect(server.run("HGET", "h", "b") == .bulk("2"))
        server.advance(milliseconds: 1)
        #expect(server.run("HGET", "h", "b") == nil)
        #expect(server.run("HLEN", "h") == 2)
        #expect(server.run("HKEYS", "h").elements.count == 2)
        #expect(server.server.keyspace.counters.expiredFields == 1)
        server.advance(milliseconds: 10_000)
        #expect(server.run("HGETALL", "h") == .bulks("c", "3"))
        #expect(server.server.keyspace[0].expiringHashCount == 0)
    }

    @Test func `the last field to expire takes the key along`() {
        let server = TestServer()
        server.run("HSET", "h", "a", "1")
        server.run("HEXPIRE", "h", "1", "FIELDS", "1", "a")
        server.advance(milliseconds: 1001)
        #expect(server.run("EXISTS", "h") == 1, "the key is not looked into")
        #expect(server.run("HLEN", "h") == 0)
        #expect(server.run("EXISTS", "h") == 0)
        #expect(server.run("HSET", "h", "a", "1") == 1)
    }

    @Test func `expired fields stay invisible while nothing may be removed`() {
        let server = makeServer()
        server.run("HPEXPIRE", "h", "5", "FIELDS", "2", "a", "b")
        server.server.keyspace.expiryPolicy = .hide
        server.advance(milliseconds: 6)
        #expect(server.run("HGET", "h", "a") == nil)
        #expect(server.run("HGETALL", "h") == .bulks("c", "3"))
        #expect(server.run("HKEYS", "h") == .bulks("c"))
        #expect(server.run("HMGET", "h", "a", "c") == [nil, .bulk("3")])
        #expect(server.run("HRANDFIELD", "h", "-4") == .bulks("c", "c", "c", "c"))
        #expect(server.run("HSCAN", "h", "0") == [.bulk("0"), .bulks("c", "3")])
        #expect(server.run("HTTL", "h", "FIELDS", "1", "a") == [-2])
        #expect(server.run("HLEN", "h") == 3)
        server.server.keyspace.expiryPolicy = .remove
        #expect(server.run("HLEN", "h") == 1)
    }

    @Test(arguments: limits)
    func `conditions compare with the deadline there is`(configuration: String) {
        let server = makeServer(configuration)
        func expire(_ seconds: String, _ condition: String) -> Reply {
            server.run("HEXPIRE", "h", seconds, condition, "FIELDS", "1", "a")
        }
        #expect(expire("100", "XX") == [0])
        #expect(expire("100", "GT") == [0])
        #expect(expire("100", "LT") == [1])
        #expect(expire("50", "NX") == [0])
        #expect(expire("50", "GT") == [0])
        #expect(expire("100", "GT") == [0])
        #expect(expire("150", "gt") == [1])
        #expect(expire("150", "LT") == [0])
        #expect(expire("120", "XX") == [1])
        #expect(server.run("HTTL", "h", "FIELDS", "1", "a") == [120])
        #expect(server.run("HPERSIST", "h", "FIELDS", "3", "a", "b", "x") == [1, -1, -2])
        #expect(expire("10", "NX") == [1])
        #expect(expire("0", "GT") == [0])
        #expect(expire("0", "LT") == [2])
    }

    @Test func `a time that is over deletes at once`() {
        let server = makeServer()
        #expect(server.run("HEXPIRE", "h", "0", "FIELDS", "1", "a") == [2])
        #expect(server.run("HPEXPIREAT", "h", "1", "FIELDS", "1", "b") == [2])
        #expect(server.run("HEXPIREAT", "h", "1", "FIELDS", "2", "c", "c") == [2, -2])
        #expect(server.run("EXISTS", "h") == 0)
    }

    @Test(arguments: limits)
    func `writing a value removes its deadline, counting keeps it`(configuration: String) {
        let server = makeServer(configuration)
        func timeToLive() -> Reply { server.run("HTTL", "h", "FIELDS", "1", "a") }
        server.run("HEXPIRE", "h", "100", "FIELDS", "1", "a")
        server.run("HINCRBY", "h", "a", "5")
        server.run("HINCRBYFLOAT", "h", "a", "0.5")
        server.run("HSETNX", "h", "a", "9")
        #expect(server.run("HGET", "h", "a") == .bulk("6.5"))
        #expect(timeToLive() == [100])
        server.run("HSET", "h", "a", "7")
        #expect(timeToLive() == [-1])
        server.run("HEXPIRE", "h", "100", "FIELDS", "1", "a")
        server.run("HMSET", "h", "a", "8")
        #expect(timeToLive() == [-1])
        #expect(server.server.keyspace[0].expiringHashCount == 0)
    }

    @Test func `the encoding tells of deadlines while there are any`() {
        let server = makeServer()
        func encoding() -> Reply { server.run("OBJECT", "ENCODING", "h") }
        #expect(encoding() == .bulk("listpack"))
        server.run("HEXPIRE", "h", "100", "FIELDS", "1", "a")
        #expect(encoding() == .bulk("listpackex"))
        server.run("HPERSIST", "h", "FIELDS", "1", "a")
        #expect(encoding() == .bulk("listpack"))
        server.run("HEXPIRE", "h", "100", "FIELDS", "1", "a")
        server.run("HSET", "h", "b", String(repeating: "x", count: 100))
        #expect(encoding() == .bulk("hashtable"))
        #expect(server.run("HTTL", "h", "FIELDS", "2", "a", "b") == [100, -1])
    }

    // MARK: - HGETEX, HSETEX, HGETDEL

    @Test func `HGETEX reads and changes deadlines`() {
        let server = makeServer()
        #expect(server.run("HGETEX", "h", "FIELDS", "2", "a", "x") == [.bulk("1"), nil])
        #expect(server.run("HTTL", "h", "FIELDS", "1", "a") == [-1])
        #expect(server.run("HGETEX", "h", "EX", "10", "FIELDS", "1", "a") == .bulks("1"))
        #expect(server.run("HTTL", "h", "FIELDS", "1", "a") == [10])
        #expect(server.run("HGETEX", "h", "PERSIST", "FIELDS", "2", "a", "b") == .bulks("1", "2"))
        #expect(server.run("HTTL", "h", "FIELDS", "1", "a") == [-1])
        #expect(server.run("HGETEX", "h", "PXAT", "1", "FIELDS", "2", "a", "b") == .bulks("1", "2"))
        #expect(server.run("HGETALL", "h") == .bulks("c", "3"))
        #expect(server.run("HGETEX", "h", "EX", "0", "FIELDS", "1", "c") == .bulks("3"))
        #expect(server.run("EXISTS", "h") == 0)
        #expect(server.run("HGETEX", "h", "EX", "10", "FIELDS", "2", "a", "b") == [nil, nil])
    }

    @Test func `HSETEX sets values with a deadline, on conditions`() {
        let server = TestServer()
        #expect(server.run("HSETEX", "h", "FXX", "FIELDS", "1", "a", "1") == 0)
        #expect(server.run("EXISTS", "h") == 0)
        #expect(
            server.run("HSETEX", "h", "FNX", "EX", "10", "FIELDS", "2", "a", "1", "b", "2") == 1)
        #expect(server.run("HTTL", "h", "FIELDS", "2", "a", "b") == [10, 10])
        #expect(server.run("HSETEX", "h", "FNX", "FIELDS", "2", "x", "1", "b", "9") == 0)
        #expect(server.run("HSETEX", "h", "FXX", "FIELDS", "2", "x", "1", "b", "9") == 0)
        #expect(server.run("HSETEX", "h", "KEEPTTL", "FXX", "FIELDS", "1", "b", "3") == 1)
        #expect(server.run("HTTL", "h", "FIELDS", "1", "b") == [10])
        #expect(server.run("HSETEX", "h", "FIELDS", "1", "b", "4") == 1)
        #expect(server.run("HTTL", "h", "FIELDS", "1", "b") == [-1])
        #expect(server.run("HSETEX", "h", "PXAT", "1", "FIELDS", "1", "b", "5") == 1)
        #expect(server.run("HGETALL", "h") == .bulks("a", "1"))
        #expect(server.run("HSETEX", "new", "EX", "0", "FIELDS", "1", "b", "5") == 1)
        #expect(server.run("EXISTS", "new") == 0)
    }

    @Test func `HGETDEL reads and deletes`() {
        let server = makeServer()
        #expect(
            server.run("HGETDEL", "h", "FIELDS", "3", "a", "x", "a") == [.bulk("1"), nil, nil])
        #expect(server.run("HGETDEL", "h", "FIELDS", "2", "b", "c") == .bulks("2", "3"))
        #expect(server.run("EXISTS", "h") == 0)
        #expect(server.run("HGETDEL", "h", "FIELDS", "1", "a") == [nil])
    }

    // MARK: - Errors

    private static let position =
        "ERR Mandatory argument FIELDS is missing or not at the right position"
    private static let mismatch =
        "ERR The `numfields` parameter must match the number of arguments"
    private static let countOfFields = "ERR Number of fields must be a positive integer"
    private static let countOfParameter = "ERR Parameter `numFields` should be greater than 0"
    private static let noInteger = "ERR value is not an integer or out of range"
    private static let negative = "ERR invalid expire time, must be >= 0"

    @Test(arguments: [
        ("HEXPIRE h x FIELDS 1 a", noInteger), ("HEXPIRE h -1 FIELDS 1 a", negative),
        ("HEXPIRE h -9223372036854775808 FIELDS 1 a", negative),
        (
            "HEXPIRE h 9223372036854775807 FIELDS 1 a",
            "ERR invalid expire time in 'hexpire' command"
        ),
        (
            "HPEXPIRE h 70368744177663 FIELDS 1 a",
            "ERR invalid expire time in 'hpexpire' command"
        ),
        (
            "HPEXPIREAT h 70368744177664 FIELDS 1 a",
            "ERR invalid expire time in 'hpexpireat' command"
        ),
        ("HEXPIRE h 1 NX XX FIELDS 1 a", position), ("HEXPIRE h 1 YY FIELDS 1 a", position),
        ("HEXPIRE h 1 FIELD 1 a", position), ("HEXPIRE h 1 FIELDS 0 a", countOfParameter),
        ("HEXPIRE h 1 FIELDS -1 a", countOfParameter),
        ("HEXPIRE h 1 FIELDS x a", countOfParameter), ("HEXPIRE h 1 FIELDS 2 a", mismatch),
        ("HEXPIRE h 1 FIELDS 9223372036854775807 a", mismatch),
        ("HEXPIRE h 1 FIELDS 1 a b", mismatch), ("HTTL h FIELD 1 a", position),
        ("HTTL h FIELDS 0 a", countOfFields), ("HTTL h FIELDS x a", countOfFields),
        ("HTTL h FIELDS 2 a", mismatch), ("HPERSIST h FIELDS 2 a", mismatch),
        ("HGETDEL h FIELDS 0 a", countOfFields), ("HGETDEL h FIELDS 2 a", mismatch),
        ("HGETEX h EX x FIELDS 1 a", noInteger), ("HGETEX h EX -1 FIELDS 1 a", negative),
        ("HGETEX h EX 1 PX 1 FIELDS 1 a", position), ("HGETEX h KEEPTTL FIELDS 1 a", position),
        ("HGETEX h FIELDS 1 a EX 10", mismatch),
        ("HSETEX h FNX FXX FIELDS 1 a 1", "ERR Only one of FXX or FNX arguments can be specified"),
        (
            "HSETEX h EX 1 KEEPTTL FIELDS 1 a 1",
            "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
        ),
        ("HSETEX h NX FIELDS 1 a 1", "ERR unknown argument: NX"),
        ("HSETEX h FIELDS 0 a 1", "ERR invalid number of fields"),
        ("HSETEX h FIELDS 2147483648 a 1", "ERR invalid number of fields"),
        ("HSETEX h FIELDS 2 a 1", "ERR wrong number of arguments for 'hsetex' command"),
        ("HSETEX h FIELDS 1 a 1 EX 1", "ERR wrong number of arguments for 'hsetex' command"),
        ("HSETEX h EX -1 FIELDS 1 a 1", negative),
    ])
    func `wrong arguments are refused and change nothing`(command: String, text: String) {
        let server = makeServer()
        let words = command.split(separator: " ").map(String.init)
        #expect(server.client.run(words) == .error(text))
        #expect(server.run("HGETALL", "h") == .bulks("a", "1", "b", "2", "c", "3"))
        #expect(server.run("HTTL", "h", "FIELDS", "1", "a") == [-1])
    }

    // MARK: - Effects

    @Test func `effects are told in the order of Redis`() {
        let server = makeServer()
        func events(_ command: String) -> [String] {
            EventRecorder.events(server, command.split(separator: " ").map(String.init))
        }
        #expect(events("HEXPIRE h 0 FIELDS 1 a") == ["hdel h"])
        #expect(events("HEXPIRE h 100 FIELDS 2 b c") == ["hexpire h"])
        #expect(events("HEXPIRE h 100 NX FIELDS 1 b") == [])
        #expect(events("HPERSIST h FIELDS 1 b") == ["hpersist h"])
        #expect(events("HPERSIST h FIELDS 1 b") == [])
        #expect(events("HGETEX h EX 10 FIELDS 1 b") == ["hexpire h"])
        #expect(events("HGETEX h PERSIST FIELDS 1 b") == ["hpersist h"])
        #expect(events("HSETEX h EX 10 FIELDS 1 b 1") == ["hset h", "hexpire h"])
        #expect(events("HSETEX n EX 0 FIELDS 1 b 1") == ["new n", "hset n", "hdel n", "del n"])
        #expect(events("HGETDEL h FIELDS 2 b c") == ["hdel h", "del h"])
        server.run("HSET", "h", "a", "1")
        server.run("HPEXPIRE", "h", "5", "FIELDS", "1", "a")
        server.advance(milliseconds: 6)
        #expect(events("HGET h a") == ["hexpired h", "del h"])
    }
}
