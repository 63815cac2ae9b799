import Testing

@testable import Engine

struct StreamInfoCommandsTests {
    let server = TestServer()

    /// The values of a flat map by name.
    private func map(_ reply: Reply) -> [String: Reply] {
        let parts = reply.elements
        return Dictionary(
            uniqueKeysWithValues: stride(from: 0, to: parts.count, by: 2).map {
                (parts[$0].text ?? "", parts[$0 + 1])
            })
    }

    @Test func `describes a stream`() {
        server.run("CONFIG", "SET", "stream-node-max-entries", "4")
        for number in 1...9 { server.run("XADD", "s", "\(number)", "n", "\(number)") }
        server.run("XDEL", "s", "1", "4")
        server.run("XGROUP", "CREATE", "s", "g", "0")
        let info = map(server.run("XINFO", "STREAM", "s"))
        #expect(info.count == 10)
        #expect(info["length"] == 7)
        #expect(info["radix-tree-keys"] == 3)
        #expect(info["radix-tree-nodes"]?.integer ?? 0 >= 2)
        #expect(info["last-generated-id"] == .bulk("9-0"))
        #expect(info["max-deleted-entry-id"] == .bulk("4-0"))
        #expect(info["entries-added"] == 9)
        #expect(info["recorded-first-entry-id"] == .bulk("2-0"))
        #expect(info["groups"] == 1)
        #expect(info["first-entry"] == [.bulk("2-0"), .bulks("n", "2")])
        #expect(info["last-entry"] == [.bulk("9-0"), .bulks("n", "9")])
        server.run("XTRIM", "s", "MAXLEN", "0")
        let empty = map(server.run("XINFO", "STREAM", "s"))
        #expect(empty["first-entry"] == .null)
        #expect(empty["recorded-first-entry-id"] == .bulk("0-0"))
        #expect(empty["radix-tree-keys"] == 0)
    }

    @Test func `describes a stream fully`() {
        for number in 1...20 { server.run("XADD", "s", "\(number)", "n", "v") }
        server.run("XGROUP", "CREATE", "s", "g", "0")
        server.run("XREADGROUP", "GROUP", "g", "a", "COUNT", "12", "STREAMS", "s", ">")
        let now = server.server.keyspace.now
        let info = map(server.run("XINFO", "STREAM", "s", "FULL"))
        #expect(info.count == 9)
        #expect(info["entries"]?.elements.count == 10)
        let group = map(info["groups"]?.elements[0] ?? [])
        #expect(group["last-delivered-id"] == .bulk("12-0"))
        #expect(group["entries-read"] == 12)
        #expect(group["lag"] == 8)
        #expect(group["pel-count"] == 12)
        #expect(group["pending"]?.elements.count == 10)
        #expect(group["pending"]?.elements[0] == [.bulk("1-0"), .bulk("a"), .integer(now), 1])
        let consumer = map(group["consumers"]?.elements[0] ?? [])
        #expect(consumer["seen-time"] == .integer(now))
        #expect(consumer["pending"]?.elements.last == [.bulk("10-0"), .integer(now), 1])
        let few = map(server.run("XINFO", "STREAM", "s", "FULL", "COUNT", "3"))
        #expect(few["entries"]?.elements.count == 3)
        let all = map(server.run("XINFO", "STREAM", "s", "FULL", "COUNT", "0"))
        #expect(all["entries"]?.elements.count == 20)
    }

    @Test func `describes groups and consumers`() {
        server.run("XADD", "s", "1", "n", "v")
        server.run("XGROUP", "CREATE", "s", "b", "$")
        server.run("XGROUP", "CREATE", "s", "a", "0")
        server.run("XREADGROUP", "GROUP", "a", "x", "STREAMS", "s", ">")
        server.advance(milliseconds: 40)
        let groups = server.run("XINFO", "GROUPS", "s").elements.map(map)
        #expect(groups.map { $0["name"] } == [.bulk("a"), .bulk("b")])
        #expect(groups[0]["consumers"] == 1)
        #expect(groups[0]["pending"] == 1)
        #expect(groups[1]["entries-read"] == .null)
        #expect(groups[1]["lag"] == 0)
        #expect(
            server.run("XINFO", "CONSUMERS", "s", "a")
                == [[.bulk("name"), .bulk("x"), .bulk("pending"), 1, .bulk("idle"), 40]])
    }

    @Test func `lag follows deletions as Redis counts them`() {
        for number in 1...5 { server.run("XADD", "s", "\(number)", "n", "v") }
        server.run("XGROUP", "CREATE", "s", "g", "0")
        func lag() -> Reply { map(server.run("XINFO", "GROUPS", "s").elements[0])["lag"] ?? .null }
        #expect(lag() == 5)
        server.run("XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "s", ">")
        #expect(lag() == 4)
        server.run("XDEL", "s", "3")
        #expect(lag() == .null)
        server.run("XREADGROUP", "GROUP", "g", "c", "COUNT", "2", "STREAMS", "s", ">")
        #expect(lag() == .null)
        server.run("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
        #expect(lag() == 0)
    }

    @Test func `refuses what is not there`() {
        for request in [["STREAM", "s"], ["GROUPS", "s"], ["CONSUMERS", "s", "g"]] {
            #expect(server.client.run(["XINFO"] + request) == .error("ERR no such key"))
        }
        server.run("XADD", "s", "1", "n", "v")
        #expect(
            server.run("XINFO", "CONSUMERS", "s", "g")
                == .error("NOGROUP No such consumer group 'g' for key name 's'"))
        for words in [["x"], ["FULL", "COUNT"], ["FULL", "x", "1"]] {
            #expect(
                server.client.run(["XINFO", "STREAM", "s"] + words)
                    == .error(
                        "ERR unknown subcommand or wrong number of arguments for 'STREAM'. "
                            + "Try XINFO HELP."))
        }
        server.run("SET", "k", "v")
        #expect(server.run("XINFO", "STREAM", "k").text?.hasPrefix("WRONGTYPE") == true)
        #expect(server.run("XINFO", "HELP").elements.count == 9)
    }
}
