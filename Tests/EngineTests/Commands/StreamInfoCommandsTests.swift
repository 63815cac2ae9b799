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
                == [
                    [
                        .bulk("name"), .bulk("x"), .bulk("pending"), 1, .bulk("idle"), 40,
                        .bulk("inactive"), 40,
                    ]
                ])
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

    @Test func `tells when a consumer was seen and when it was given something`() {
        func consumer() -> [String: Reply] {
            map(server.run("XINFO", "CONSUMERS", "s", "g").elements[0])
        }
        server.run("XADD", "s", "1", "n", "v")
        server.run("XGROUP", "CREATE", "s", "g", "0")
        server.run("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", "0")
        server.advance(milliseconds: 7)
        #expect(consumer()["idle"] == 7 && consumer()["inactive"] == -1)
        server.run("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
        server.advance(milliseconds: 5)
        server.run("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
        server.advance(milliseconds: 3)
        #expect(consumer()["idle"] == 3 && consumer()["inactive"] == 8)
        let group = map(map(server.run("XINFO", "STREAM", "s", "FULL"))["groups"]!.elements[0])
        let full = map(group["consumers"]!.elements[0])
        let now = server.server.keyspace.now
        #expect(full["seen-time"] == .integer(now - 3) && full["active-time"] == .integer(now - 8))
    }

    @Test func `who only acknowledges was given nothing to keep`() {
        server.run("XADD", "s", "1", "n", "v")
        server.run("XGROUP", "CREATE", "s", "g", "0")
        server.run("XREADGROUP", "GROUP", "g", "c", "NOACK", "STREAMS", "s", ">")
        #expect(map(server.run("XINFO", "CONSUMERS", "s", "g").elements[0])["inactive"] == -1)
    }

    /// As in 7.2 and later; and the replicas know of them too.
    @Test func `who claims is seen even if there is nothing for it`() {
        server.listen()
        server.run("XADD", "s", "1", "n", "v")
        server.run("XGROUP", "CREATE", "s", "g", "0")
        server.advance(milliseconds: 7)
        #expect(server.run("XCLAIM", "s", "g", "c", "0", "1") == [])
        #expect(server.run("XAUTOCLAIM", "s", "g", "d", "0", "0").elements[1] == [])
        let consumers = server.run("XINFO", "CONSUMERS", "s", "g").elements.map(map)
        #expect(consumers.compactMap { $0["name"] } == [.bulk("c"), .bulk("d")])
        for consumer in consumers { #expect(consumer["idle"] == 0 && consumer["inactive"] == -1) }
        let fed = String(decoding: server.server.keyspace.feed.fileView.array, as: UTF8.self)
        for name in ["c", "d"] {
            #expect(fed.contains("CREATECONSUMER\r\n$1\r\ns\r\n$1\r\ng\r\n$1\r\n\(name)\r\n"))
        }
    }

    /// A pass over the nodes for each group would be six hundred million steps.
    @Test(.timeLimit(.minutes(1))) func `the lag of many groups takes one pass`() {
        server.run("CONFIG", "SET", "stream-node-max-entries", "1")
        for number in 1...20_000 { server.run("XADD", "s", "\(number)", "n", "v") }
        for group in 0..<3000 {
            server.run("XGROUP", "CREATE", "s", "g\(group)", "1", "ENTRIESREAD", "1")
        }
        let start = ContinuousClock.now
        let groups = server.run("XINFO", "GROUPS", "s").elements
        #expect(map(groups[2999])["lag"] == 19_999)
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    private static let trimmed: [(requests: [[String]], lag: Int64)] = [
        ([["XTRIM", "s", "MAXLEN", "2"], ["XREADGROUP"]], 0),
        ([["XTRIM", "s", "MAXLEN", "2"]], 2),
        ([["XGROUP", "SETID", "s", "g", "2", "ENTRIESREAD", "900"]], 4),
        ([["XGROUP", "SETID", "s", "g", "6", "ENTRIESREAD", "900"]], 0),
        ([["XDEL", "s", "1", "2", "3", "4", "5", "6"]], 0),
    ]

    @Test(arguments: trimmed)
    func `entries that were trimmed wait for nobody`(_ requests: [[String]], lag: Int64) {
        for number in 1...6 { server.run("XADD", "s", "\(number)", "n", "v") }
        server.run("XGROUP", "CREATE", "s", "g", "0")
        server.run("XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "s", ">")
        for request in requests {
            server.client.run(
                request == ["XREADGROUP"]
                    ? ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"] : request)
        }
        #expect(map(server.run("XINFO", "GROUPS", "s").elements[0])["lag"] == .integer(lag))
    }

    @Test func `entries read are never more than were added`() {
        server.run("XADD", "s", "1", "n", "v")
        server.run("XGROUP", "CREATE", "s", "g", "0", "ENTRIESREAD", "900")
        #expect(map(server.run("XINFO", "GROUPS", "s").elements[0])["entries-read"] == 1)
    }

    /// Under anything that may happen to a stream and its groups.
    @Test func `lag is what is left to deliver or unknown`() {
        var random = SeededRandom.make()
        server.run("CONFIG", "SET", "stream-node-max-entries", "5")
        var ids = 0
        func anID() -> String { String(random.below(ids + 3)) }
        for _ in 0..<3000 {
            let group = ["g", "h"][random.below(2)]
            switch random.below(20) {
            case 0..<7:
                ids += 1 + random.below(2)
                server.run("XADD", "s", "\(ids)", "n", "v")
            case 7, 8: server.run("XDEL", "s", anID(), anID())
            case 9: server.run("XTRIM", "s", "MAXLEN", "\(random.below(30))")
            case 10: server.run("XTRIM", "s", "MINID", anID())
            case 11: server.run("XTRIM", "s", "MAXLEN", "~", "\(random.below(30))")
            case 12:
                server.run(
                    "XSETID", "s", "\(ids)", "ENTRIESADDED", "\(random.below(99))", "MAXDELETEDID",
                    anID())
            case 13: server.run("XGROUP", "CREATE", "s", group, anID(), "ENTRIESREAD", anID())
            case 14: server.run("XGROUP", "SETID", "s", group, anID(), "ENTRIESREAD", anID())
            case 15: server.run("XGROUP", "SETID", "s", group, anID())
            default:
                server.run(
                    "XREADGROUP", "GROUP", group, "c", "COUNT", "\(1 + random.below(4))", "STREAMS",
                    "s", ">")
            }
            for group in server.run("XINFO", "GROUPS", "s").elements.map(map) {
                guard let lag = group["lag"]?.integer, let last = group["last-delivered-id"]?.text
                else { continue }
                let left = server.run("XRANGE", "s", "(" + last, "+").elements.count
                #expect(lag == Int64(left))
                guard lag == Int64(left) else { return }
            }
        }
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
