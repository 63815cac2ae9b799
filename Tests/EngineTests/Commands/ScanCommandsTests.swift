import Testing

@testable import Engine

@Suite struct ScanCommandsTests {
    private let server = TestServer()

    /// All keys that a whole walk with these options replies, and in how many calls.
    private func scan(_ options: String...) -> (keys: [String], calls: Int) {
        var keys: [String] = []
        var cursor = "0"
        var calls = 0
        repeat {
            let reply = server.client.run(["SCAN", cursor] + options).elements
            cursor = reply.first?.text ?? "0"
            keys += reply.last?.elements.compactMap(\.text) ?? []
            calls += 1
        } while cursor != "0" && calls < 100_000
        return (keys, calls)
    }

    private func fill(_ count: Int) {
        for number in 0..<count { server.run("SET", "key:\(number)", "v") }
    }

    @Test func `a walk shows every key`() {
        fill(1000)
        let all = Set((0..<1000).map { "key:\($0)" })
        #expect(Set(scan().keys) == all)
        #expect(scan("COUNT", "1000").calls < 20)
        #expect(Set(scan("COUNT", "1").keys) == all)
        #expect(Set(scan("COUNT", "9223372036854775807").keys) == all)
    }

    @Test func `keys that stay are shown whatever comes and goes`() {
        var random = SeededRandom.make()
        fill(300)
        var seen: Set<String> = []
        var cursor = "0"
        repeat {
            let reply = server.run("SCAN", cursor, "COUNT", "5").elements
            cursor = reply[0].text ?? "0"
            seen.formUnion(reply[1].elements.compactMap(\.text))
            for _ in 0..<random.below(20) {
                server.run("SET", "other:\(random.below(2000))", "v")
                server.run("DEL", "other:\(random.below(2000))")
            }
        } while cursor != "0"
        #expect(seen.isSuperset(of: (0..<300).map { "key:\($0)" }))
    }

    @Test func `patterns and types filter`() {
        fill(100)
        #expect(Set(scan("MATCH", "key:1?").keys) == Set((10..<20).map { "key:\($0)" }))
        #expect(scan("MATCH", "*", "TYPE", "STRING").keys.count == 100)
        #expect(scan("TYPE", "list").keys.isEmpty)
        #expect(scan("TYPE", "nonsense").keys.isEmpty)
    }

    @Test func `expired keys are removed, not shown`() {
        fill(100)
        server.run("PEXPIRE", "key:5", "10")
        server.advance(milliseconds: 11)
        #expect(server.server.keyspace[0].count == 100)
        #expect(!scan().keys.contains("key:5"))
        #expect(server.server.keyspace[0].count == 99)
    }

    @Test(arguments: ["-1", "+1", "01", "", "18446744073709551615", "0"])
    func `cursors that strtoul reads`(cursor: String) {
        #expect(server.run("SCAN", cursor) == [.bulk("0"), []])
    }

    @Test(arguments: ["x", "0x1", " 1", "1 ", "-", "18446744073709551616"])
    func `cursors that are none`(cursor: String) {
        #expect(server.run("SCAN", cursor) == .error("ERR invalid cursor"))
    }

    @Test func `options that are none`() {
        let syntax = Reply.error("ERR syntax error")
        for options in [["COUNT", "0"], ["COUNT", "-1"], ["MATCH"], ["TYPE"], ["FOO", "1"]] {
            #expect(server.client.run(["SCAN", "0"] + options) == syntax)
        }
        #expect(
            server.run("SCAN", "0", "COUNT", "x")
                == .error("ERR value is not an integer or out of range"))
    }
}
