import Testing

@testable import Engine

struct ListCommandsTests {
    let server = TestServer("enable-debug-command yes")

    private func range(_ key: String) -> Reply { server.run("LRANGE", key, "0", "-1") }

    // MARK: - Push and pop

    @Test func `pushes at either end`() {
        #expect(server.run("RPUSH", "l", "a", "b") == 2)
        #expect(server.run("LPUSH", "l", "c", "d") == 4)
        #expect(range("l") == .bulks("d", "c", "a", "b"))
        #expect(server.run("TYPE", "l") == "list")
        #expect(server.run("OBJECT", "ENCODING", "l") == .bulk("quicklist"))
        #expect(server.run("LLEN", "l") == 4)
        #expect(server.run("LLEN", "none") == 0)
    }

    @Test func `pushes only onto what exists`() {
        #expect(server.run("LPUSHX", "l", "a") == 0)
        #expect(server.run("EXISTS", "l") == 0)
        server.run("RPUSH", "l", "a")
        #expect(server.run("RPUSHX", "l", "b", "c") == 3)
        #expect(server.run("LPUSHX", "l", "z") == 4)
        #expect(range("l") == .bulks("z", "a", "b", "c"))
    }

    @Test func `pops, and the key goes with the last element`() {
        server.run("RPUSH", "l", "1", "2", "3", "x")
        #expect(server.run("LPOP", "l") == .bulk("1"))
        #expect(server.run("RPOP", "l") == .bulk("x"))
        #expect(server.run("LPOP", "l", "0") == [])
        #expect(server.run("RPOP", "l", "9223372036854775807") == .bulks("3", "2"))
        #expect(server.run("EXISTS", "l") == 0)
        #expect(server.run("LPOP", "l") == nil)
        #expect(server.run("LPOP", "l", "1") == .nullArray)
        #expect(server.run("LPOP", "l", "0") == .nullArray)
    }

    @Test(arguments: ["-1", "x", "", "9223372036854775808"])
    func `a count that is none is refused`(count: String) {
        server.run("RPUSH", "l", "1")
        let error = Reply.error("ERR value is out of range, must be positive")
        #expect(server.run("LPOP", "l", count) == error)
        #expect(server.run("RPOP", "none", count) == error)
        #expect(server.run("LLEN", "l") == 1)
    }

    @Test func `too many arguments`() {
        #expect(
            server.run("RPOP", "l", "1", "2")
                == .error("ERR wrong number of arguments for 'rpop' command"))
    }

    // MARK: - Wrong types

    @Test(arguments: [
        "LPUSH k a", "RPUSH k a", "LPUSHX k a", "RPUSHX k a", "LPOP k", "RPOP k", "LPOP k 1",
        "LLEN k", "LRANGE k 0 1", "LINDEX k 0", "LSET k 0 a", "LREM k 0 a", "LTRIM k 0 1",
        "LINSERT k BEFORE a b", "LPOS k a", "LMOVE k l LEFT LEFT", "LMOVE l k LEFT LEFT",
        "RPOPLPUSH k l", "RPOPLPUSH l k", "LMPOP 2 none k LEFT", "BLPOP k 0", "BRPOP none k 0",
        "BLMOVE k l LEFT LEFT 0", "BLMOVE l k LEFT LEFT 0", "BRPOPLPUSH l k 0",
        "BLMPOP 0 1 k LEFT",
    ])
    func `a string is no list`(command: String) {
        server.run("SET", "k", "v")
        server.run("RPUSH", "l", "e")
        #expect(
            server.client.run(command.split(separator: " ").map(String.init))
                == .error("WRONGTYPE Operation against a key holding the wrong kind of value"))
        #expect(server.run("GET", "k") == .bulk("v"))
        #expect(range("l") == .bulks("e"))
    }

    @Test func `a list is no string`() {
        server.run("RPUSH", "l", "e")
        #expect(server.run("GET", "l").isError)
        #expect(server.run("INCR", "l").isError)
        #expect(server.run("SET", "l", "v") == "OK")
    }

    // MARK: - Reading

    @Test(
        arguments: [
            ("0", "-1", ["a", "b", "c"]), ("-100", "100", ["a", "b", "c"]), ("1", "1", ["b"]),
            ("-2", "-1", ["b", "c"]), ("2", "1", []), ("3", "5", []),
            ("-9223372036854775808", "9223372036854775807", ["a", "b", "c"]),
            ("9223372036854775807", "-9223372036854775808", []),
        ] as [(String, String, [String])])
    func `ranges`(start: String, stop: String, expected: [String]) {
        server.run("RPUSH", "l", "a", "b", "c")
        #expect(
            server.run("LRANGE", "l", start, stop) == .array(expected.map { .bulk($0) }))
    }

    @Test func `indexes`() {
        server.run("RPUSH", "l", "a", "7", "c")
        #expect(server.run("LINDEX", "l", "1") == .bulk("7"))
        #expect(server.run("LINDEX", "l", "-1") == .bulk("c"))
        #expect(server.run("LINDEX", "l", "3") == nil)
        #expect(server.run("LINDEX", "l", "-9223372036854775808") == nil)
        #expect(server.run("LINDEX", "none", "x") == nil)
        #expect(
            server.run("LINDEX", "l", "x")
                == .error("ERR value is not an integer or out of range"))
    }

    @Test(
        arguments: [
            ("", 0), ("RANK 2", 2), ("RANK -1", 6), ("RANK -2", 2), ("COUNT 0", [0, 2, 6]),
            ("COUNT 2", [0, 2]), ("RANK -1 COUNT 2", [6, 2]), ("COUNT 0 MAXLEN 3", [0, 2]),
            ("RANK -1 COUNT 0 MAXLEN 1", [6]), ("RANK 4", nil), ("RANK 4 COUNT 0", []),
            ("RANK 9223372036854775807", nil),
        ] as [(String, Reply)])
    func `positions`(options: String, expected: Reply) {
        server.run("RPUSH", "l", "a", "b", "a", "c", "1", "2", "a")
        let words = options.split(separator: " ").map(String.init)
        #expect(server.client.run(["LPOS", "l", "a"] + words) == expected)
    }

    @Test(arguments: [
        (
            "RANK 0",
            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list"
        ),
        ("COUNT -1", "ERR COUNT can't be negative"), ("MAXLEN -1", "ERR MAXLEN can't be negative"),
        (
            "RANK -9223372036854775808",
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
        ),
        ("RANK x", "ERR value is not an integer or out of range"), ("RANK", "ERR syntax error"),
        ("WHAT 1", "ERR syntax error"),
    ])
    func `positions refuse`(options: String, error: String) {
        let words = options.split(separator: " ").map(String.init)
        #expect(server.client.run(["LPOS", "l", "a"] + words) == .error(error))
    }

    // MARK: - Changing

    @Test func `sets`() {
        server.run("RPUSH", "l", "a", "b")
        #expect(server.run("LSET", "l", "-1", "z") == "OK")
        #expect(range("l") == .bulks("a", "z"))
        #expect(server.run("LSET", "l", "2", "y") == .error("ERR index out of range"))
        #expect(server.run("LSET", "none", "x", "y") == .error("ERR no such key"))
        #expect(
            server.run("LSET", "l", "x", "y")
                == .error("ERR value is not an integer or out of range"))
    }

    @Test func `inserts`() {
        server.run("RPUSH", "l", "a", "b")
        #expect(server.run("LINSERT", "l", "before", "b", "1") == 3)
        #expect(server.run("LINSERT", "l", "AFTER", "b", "2") == 4)
        #expect(server.run("LINSERT", "l", "BEFORE", "a", "0") == 5)
        #expect(range("l") == .bulks("0", "a", "1", "b", "2"))
        #expect(server.run("LINSERT", "l", "BEFORE", "none", "x") == -1)
        #expect(server.run("LINSERT", "none", "BEFORE", "a", "x") == 0)
        #expect(server.run("LINSERT", "l", "beside", "a", "x") == .error("ERR syntax error"))
    }

    @Test(
        arguments: [
            ("0", 3, ["b", "c"]), ("1", 1, ["b", "a", "c", "a"]), ("-1", 1, ["a", "b", "a", "c"]),
            ("-2", 2, ["a", "b", "c"]), ("-9223372036854775808", 3, ["b", "c"]),
        ] as [(String, Int64, [String])])
    func `removes equal ones`(count: String, removed: Int64, rest: [String]) {
        server.run("RPUSH", "l", "a", "b", "a", "c", "a")
        #expect(server.run("LREM", "l", count, "a") == .integer(removed))
        #expect(range("l") == .array(rest.map { .bulk($0) }))
    }

    @Test func `removing all removes the key`() {
        server.run("RPUSH", "l", "a", "a")
        #expect(server.run("LREM", "l", "0", "a") == 2)
        #expect(server.run("EXISTS", "l") == 0)
        server.run("RPUSH", "l", "a", "a")
        #expect(server.run("LTRIM", "l", "5", "9") == "OK")
        #expect(server.run("EXISTS", "l") == 0)
    }

    @Test(
        arguments: [
            ("1", "-2", ["b", "c"]), ("0", "0", ["a"]), ("-1", "-1", ["d"]),
            ("0", "-1", ["a", "b", "c", "d"]),
            ("-9223372036854775808", "1", ["a", "b"]),
        ] as [(String, String, [String])])
    func `trims`(start: String, stop: String, rest: [String]) {
        server.run("RPUSH", "l", "a", "b", "c", "d")
        #expect(server.run("LTRIM", "l", start, stop) == "OK")
        #expect(range("l") == .array(rest.map { .bulk($0) }))
    }

    // MARK: - Moving

    @Test func `moves between lists and within one`() {
        server.run("RPUSH", "l", "a", "b", "c")
        #expect(server.run("LMOVE", "l", "m", "LEFT", "RIGHT") == .bulk("a"))
        #expect(server.run("RPOPLPUSH", "l", "m") == .bulk("c"))
        #expect(range("m") == .bulks("c", "a"))
        #expect(server.run("LMOVE", "m", "m", "left", "right") == .bulk("c"))
        #expect(range("m") == .bulks("a", "c"))
        #expect(server.run("LMOVE", "m", "m", "LEFT", "LEFT") == .bulk("a"))
        #expect(server.run("RPOPLPUSH", "l", "m") == .bulk("b"))
        #expect(server.run("EXISTS", "l") == 0)
        #expect(server.run("RPOPLPUSH", "l", "m") == nil)
        #expect(server.run("LMOVE", "m", "l", "UP", "LEFT") == .error("ERR syntax error"))
    }

    @Test func `pops from the first of several`() {
        server.run("RPUSH", "b", "1", "2", "3")
        #expect(
            server.run("LMPOP", "2", "a", "b", "RIGHT", "COUNT", "2") == [
                .bulk("b"), .bulks("3", "2"),
            ])
        #expect(server.run("LMPOP", "1", "b", "LEFT") == [.bulk("b"), .bulks("1")])
        #expect(server.run("LMPOP", "1", "b", "LEFT") == .nullArray)
    }

    @Test(arguments: [
        ("0 l LEFT", "ERR numkeys should be greater than 0"),
        ("x l LEFT", "ERR numkeys should be greater than 0"),
        ("9223372036854775808 l LEFT", "ERR numkeys should be greater than 0"),
        ("9223372036854775807 l LEFT", "ERR syntax error"), ("2 l LEFT", "ERR syntax error"),
        ("1 l UP", "ERR syntax error"), ("1 l LEFT COUNT", "ERR syntax error"),
        ("1 l LEFT COUNT 0", "ERR count should be greater than 0"),
        ("1 l LEFT COUNT 1 COUNT 1", "ERR syntax error"),
    ])
    func `numbers of keys that lie`(arguments: String, error: String) {
        let words = arguments.split(separator: " ").map(String.init)
        #expect(server.client.run(["LMPOP"] + words) == .error(error))
        #expect(server.client.run(["BLMPOP", "x"] + words) == .error(error))
    }

    // MARK: - Large ones

    @Test func `a long list is copied, measured, trimmed and freed in slices`() {
        for start in stride(from: 0, to: 60_000, by: 100) {
            server.client.run(["RPUSH", "l"] + (start..<start + 100).map { "element:\($0)" })
        }
        let used = server.server.keyspace.arena.allocatedBytes
        #expect(server.run("LLEN", "l") == 60_000)
        #expect(server.run("LINDEX", "l", "31234") == .bulk("element:31234"))
        #expect(server.run("MEMORY", "USAGE", "l").integer ?? 0 > 60_000 * 10)
        #expect(server.run("COPY", "l", "m") == 1)
        #expect(
            server.run("LRANGE", "m", "59998", "-1") == .bulks("element:59998", "element:59999"))
        #expect(
            server.run("DEBUG", "DIGEST-VALUE", "l") == server.run("DEBUG", "DIGEST-VALUE", "m"))
        server.run("UNLINK", "l")
        #expect(server.server.keyspace.hasBuriedWork)
        var slices = 0
        while server.server.keyspace.freeBuried(entries: 16) { slices += 1 }
        #expect(slices > 4)
        #expect(server.server.keyspace.arena.allocatedBytes <= used)
        server.run("LTRIM", "m", "100", "110")
        #expect(server.run("LLEN", "m") == 11)
        server.run("DEL", "m")
        #expect(server.server.keyspace.arena.allocatedBytes < 100_000)
    }

    @Test func `settings decide about nodes at once`() {
        server.run("CONFIG", "SET", "list-max-listpack-size", "2")
        for number in 0..<50 { server.run("RPUSH", "l", "\(number)") }
        server.run("CONFIG", "SET", "list-max-listpack-size", "-1")
        for number in 50..<99 { server.run("RPUSH", "l", "\(number)") }
        server.run("CONFIG", "SET", "list-compress-depth", "3")
        #expect(range("l") == .array((0..<99).map { .bulk("\($0)") }))
    }
}
