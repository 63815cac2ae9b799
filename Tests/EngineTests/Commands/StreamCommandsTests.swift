import Testing

@testable import Engine

struct StreamCommandsTests {
    let server = TestServer()

    private func entry(_ id: String, _ words: String...) -> Reply {
        .array([.bulk(id), .array(words.map { .bulk($0) })])
    }

    // MARK: - XADD

    @Test func `adds entries under ids of its own`() {
        let now = server.server.keyspace.now
        #expect(server.run("XADD", "s", "*", "a", "1") == .bulk("\(now)-0"))
        #expect(server.run("XADD", "s", "*", "a", "2") == .bulk("\(now)-1"))
        server.advance(milliseconds: 5)
        #expect(server.run("XADD", "s", "*", "b", "3", "c", "") == .bulk("\(now + 5)-0"))
        #expect(server.run("XLEN", "s") == 3)
        #expect(
            server.run("XRANGE", "s", "-", "+")
                == [
                    entry("\(now)-0", "a", "1"), entry("\(now)-1", "a", "2"),
                    entry("\(now + 5)-0", "b", "3", "c", ""),
                ])
        #expect(server.run("OBJECT", "ENCODING", "s") == .bulk("stream"))
        #expect(server.run("TYPE", "s") == "stream")
    }

    @Test func `ids rise even when the clock goes back`() {
        let later = server.server.keyspace.now + 5000
        server.run("XADD", "s", "\(later)-7", "a", "1")
        #expect(server.run("XADD", "s", "*", "a", "2") == .bulk("\(later)-8"))
        server.advance(milliseconds: 5001)
        #expect(server.run("XADD", "s", "*", "a", "3") == .bulk("\(later + 1)-0"))
        #expect(server.run("XADD", "t", "18446744073709551614-*", "a", "2").text != nil)
        #expect(server.run("XADD", "t", "*", "a", "2") == .bulk("18446744073709551614-1"))
    }

    @Test func `takes ids that are spelled, whole or in part`() {
        #expect(server.run("XADD", "s", "0-*", "a", "1") == .bulk("0-1"))
        #expect(server.run("XADD", "s", "5", "a", "1") == .bulk("5-0"))
        #expect(server.run("XADD", "s", "5-*", "a", "1") == .bulk("5-1"))
        #expect(server.run("XADD", "s", "5-10", "a", "1") == .bulk("5-10"))
        #expect(server.run("XADD", "s", "6-*", "a", "1") == .bulk("6-0"))
        let smaller: Reply = .error(
            "ERR The ID specified in XADD is equal or smaller than the target stream top item")
        for id in ["6-0", "5-*", "5-11", "0-1", "6"] {
            #expect(server.run("XADD", "s", id, "a", "1") == smaller)
        }
        #expect(
            server.run("XADD", "s", "0-0", "a", "1")
                == .error("ERR The ID specified in XADD must be greater than 0-0"))
        for id in ["x", "", "-", "+", "1-x", "1-**"] {
            #expect(
                server.run("XADD", "s", id, "a", "1")
                    == .error("ERR Invalid stream ID specified as stream command argument"))
        }
    }

    @Test func `says when ids are used up`() {
        #expect(
            server.run("XADD", "s", "18446744073709551615-18446744073709551615", "a", "1")
                == .bulk("18446744073709551615-18446744073709551615"))
        #expect(
            server.run("XADD", "s", "*", "a", "1")
                == .error(
                    "ERR The stream has exhausted the last possible ID, unable to add more items"))
        server.run("XADD", "t", "1-18446744073709551615", "a", "1")
        #expect(server.run("XADD", "t", "1-*", "a", "1").isError)
        #expect(server.run("XADD", "t", "2-*", "a", "1") == .bulk("2-0"))
    }

    @Test func `refuses what makes no sense`() {
        let arity: Reply = .error("ERR wrong number of arguments for 'xadd' command")
        #expect(server.run("XADD", "s", "*", "a") == arity)
        #expect(server.run("XADD", "s", "*", "a", "b", "c") == arity)
        #expect(server.run("XADD", "s", "MAXLEN", "5", "*", "a") == arity)
        #expect(
            server.run("XADD", "s", "MAXLEN", "1", "MINID", "1", "*", "a", "b")
                == .error(
                    "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
                ))
        #expect(
            server.run("XADD", "s", "MAXLEN", "-1", "*", "a", "b")
                == .error("ERR The MAXLEN argument must be >= 0."))
        #expect(
            server.run("XADD", "s", "MAXLEN", "x", "*", "a", "b")
                == .error("ERR value is not an integer or out of range"))
        #expect(
            server.run("XADD", "s", "MAXLEN", "=", "1", "LIMIT", "5", "*", "a", "b")
                == .error("ERR syntax error, LIMIT cannot be used without the special ~ option"))
        #expect(
            server.run("XADD", "s", "LIMIT", "5", "*", "a", "b")
                == .error(
                    "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
        )
        #expect(
            server.run("XADD", "s", "MAXLEN", "~", "1", "LIMIT", "-5", "*", "a", "b")
                == .error("ERR The LIMIT argument must be >= 0."))
        #expect(server.run("EXISTS", "s") == 0)
        server.run("SET", "k", "v")
        let wrongType = Reply.error(
            "WRONGTYPE Operation against a key holding the wrong kind of value")
        for request in [
            ["XADD", "k", "*", "a", "b"], ["XLEN", "k"], ["XRANGE", "k", "-", "+"],
            ["XREVRANGE", "k", "+", "-"], ["XDEL", "k", "1"], ["XTRIM", "k", "MAXLEN", "1"],
            ["XSETID", "k", "1-1"],
        ] {
            #expect(server.client.run(request) == wrongType)
        }
    }

    @Test func `makes no stream when told not to`() {
        #expect(server.run("XADD", "s", "NOMKSTREAM", "*", "a", "1") == nil)
        #expect(server.run("EXISTS", "s") == 0)
        #expect(server.run("XADD", "s", "1-1", "a", "1") == .bulk("1-1"))
        #expect(server.run("XADD", "s", "NOMKSTREAM", "1-2", "a", "1") == .bulk("1-2"))
    }

    @Test func `trims while adding`() {
        for number in 1...10 { server.run("XADD", "s", "MAXLEN", "5", "\(number)", "n", "v") }
        #expect(server.run("XLEN", "s") == 5)
        #expect(server.run("XADD", "s", "MINID", "=", "9", "11", "n", "v") == .bulk("11-0"))
        #expect(server.run("XLEN", "s") == 3)
        #expect(server.run("XADD", "s", "MAXLEN", "0", "12", "n", "v") == .bulk("12-0"))
        #expect(server.run("XLEN", "s") == 0)
        #expect(server.run("EXISTS", "s") == 1)
        #expect(server.run("XADD", "s", "12", "n", "v").isError)
    }

    // MARK: - XRANGE, XREVRANGE

    @Test func `returns intervals, either end left out where asked`() {
        for number in 1...5 { server.run("XADD", "s", "\(number)-1", "n", "\(number)") }
        func ids(_ words: String...) -> [String] {
            server.client.run(words).elements.compactMap { $0.elements.first?.text }
        }
        #expect(ids("XRANGE", "s", "2", "4") == ["2-1", "3-1", "4-1"])
        #expect(ids("XRANGE", "s", "2-2", "4-0") == ["3-1"])
        #expect(ids("XRANGE", "s", "(2-1", "(4-1") == ["3-1"])
        #expect(ids("XRANGE", "s", "-", "+", "COUNT", "2") == ["1-1", "2-1"])
        #expect(ids("XREVRANGE", "s", "+", "-", "COUNT", "2") == ["5-1", "4-1"])
        #expect(ids("XREVRANGE", "s", "(4-1", "2") == ["3-1", "2-1"])
        #expect(ids("XRANGE", "s", "4", "2") == [])
        #expect(server.run("XRANGE", "s", "-", "+", "COUNT", "0") == .nullArray)
        #expect(server.run("XRANGE", "s", "-", "+", "COUNT", "-5") == .nullArray)
        #expect(server.run("XRANGE", "none", "-", "+") == [])
        let start = Reply.error("ERR invalid start ID for the interval")
        let end = Reply.error("ERR invalid end ID for the interval")
        let largest = "(18446744073709551615-18446744073709551615"
        #expect(server.run("XRANGE", "s", largest, "+") == start)
        #expect(server.run("XREVRANGE", "s", "+", largest) == start)
        #expect(server.run("XRANGE", "s", "-", "(0-0") == end)
        for bad in ["(-", "(", "x", "(x"] {
            #expect(server.run("XRANGE", "s", bad, "+").isError)
            #expect(server.run("XRANGE", "s", "-", bad).isError)
        }
        #expect(server.run("XRANGE", "s", "-", "+", "COUNT") == .error("ERR syntax error"))
        #expect(server.run("XRANGE", "s", "-", "+", "LIMIT", "2") == .error("ERR syntax error"))
    }

    // MARK: - XDEL, XTRIM

    @Test func `deletes entries and keeps the empty stream`() {
        for number in 1...3 { server.run("XADD", "s", "\(number)", "n", "v") }
        #expect(server.run("XDEL", "s", "2", "2", "9") == 1)
        #expect(server.run("XDEL", "s", "1", "x").isError)
        #expect(server.run("XLEN", "s") == 2)
        #expect(server.run("XDEL", "s", "1", "3") == 2)
        #expect(server.run("EXISTS", "s") == 1)
        #expect(server.run("XRANGE", "s", "-", "+") == [])
        #expect(server.run("XDEL", "none", "1") == 0)
        #expect(server.run("XADD", "s", "3", "n", "v").isError)
    }

    @Test func `cuts whole nodes where it may, entries where it must`() {
        server.run("CONFIG", "SET", "stream-node-max-entries", "10")
        for number in 1...100 { server.run("XADD", "s", "\(number)", "n", "v") }
        #expect(server.run("XTRIM", "s", "MAXLEN", "~", "85") == 10)
        #expect(server.run("XTRIM", "s", "MAXLEN", "~", "85") == 0)
        #expect(server.run("XTRIM", "s", "MAXLEN", "85") == 5)
        #expect(server.run("XTRIM", "s", "MAXLEN", "~", "0", "LIMIT", "30") == 25)
        #expect(server.run("XTRIM", "s", "MINID", "~", "65") == 20)
        #expect(server.run("XTRIM", "s", "MINID", "=", "65") == 4)
        #expect(server.run("XLEN", "s") == 36)
        #expect(server.run("XTRIM", "s", "MAXLEN", "0") == 36)
        #expect(server.run("XTRIM", "none", "MAXLEN", "0") == 0)
        #expect(
            server.run("XTRIM", "s", "LIMIT", "0")
                == .error("ERR syntax error, XTRIM must be called with a trimming strategy"))
        #expect(server.run("XTRIM", "s", "MAXLEN", "1", "NOMKSTREAM") == .error("ERR syntax error"))
    }

    @Test func `an id that was deleted may come again after XSETID`() {
        for number in 1...5 { server.run("XADD", "s", "\(number)", "n", "old") }
        server.run("XDEL", "s", "4", "5")
        #expect(server.run("XSETID", "s", "3") == "OK")
        server.run("XADD", "s", "3-5", "n", "new")
        server.run("XADD", "s", "5", "n", "new")
        #expect(server.run("XRANGE", "s", "5", "+") == [entry("5-0", "n", "new")])
        #expect(server.run("XDEL", "s", "5", "3-5") == 2)
        #expect(server.run("XLEN", "s") == 3)
        #expect(server.run("XREVRANGE", "s", "+", "-", "COUNT", "1") == [entry("3-0", "n", "old")])
    }

    // MARK: - XSETID

    @Test func `sets the last id, never below the top`() {
        server.run("XADD", "s", "5-1", "a", "b")
        #expect(server.run("XSETID", "s", "9-9") == "OK")
        #expect(server.run("XADD", "s", "9-*", "a", "b") == .bulk("9-10"))
        #expect(
            server.run("XSETID", "s", "1-1")
                == .error(
                    "ERR The ID specified in XSETID is smaller than the target stream top item"))
        #expect(server.run("XSETID", "none", "1-1") == .error("ERR no such key"))
        #expect(
            server.run("XSETID", "s", "10-1", "ENTRIESADDED", "1")
                == .error(
                    "ERR The entries_added specified in XSETID is smaller than the target stream "
                        + "length"))
        #expect(
            server.run("XSETID", "s", "10-1", "ENTRIESADDED", "-1")
                == .error("ERR entries_added must be positive"))
        #expect(
            server.run("XSETID", "s", "10-1", "MAXDELETEDID", "11-0")
                == .error(
                    "ERR The ID specified in XSETID is smaller than the provided "
                        + "max_deleted_entry_id"))
        #expect(
            server.run("XSETID", "s", "10-1", "ENTRIESADDED", "77", "MAXDELETEDID", "7-0") == "OK")
        let info = server.run("XINFO", "STREAM", "s").elements
        #expect(info[7] == .bulk("10-1"))
        #expect(info[9] == .bulk("7-0"))
        #expect(info[11] == 77)
    }

    // MARK: - As a value

    @Test func `is copied, renamed, measured and freed`() {
        let before = server.server.keyspace.usedBytes
        server.run("CONFIG", "SET", "stream-node-max-entries", "7")
        for number in 1...500 { server.run("XADD", "s", "\(number)", "n", "\(number)", "m", "x") }
        server.run("XGROUP", "CREATE", "s", "g", "0")
        server.run("XREADGROUP", "GROUP", "g", "alice", "COUNT", "200", "STREAMS", "s", ">")
        server.run("XREADGROUP", "GROUP", "g", "bob", "COUNT", "100", "STREAMS", "s", ">")
        server.run("XDEL", "s", "100", "101")
        #expect(server.run("COPY", "s", "t") == 1)
        #expect(server.run("XRANGE", "t", "-", "+") == server.run("XRANGE", "s", "-", "+"))
        #expect(
            server.run("XINFO", "STREAM", "t", "FULL", "COUNT", "0")
                == server.run("XINFO", "STREAM", "s", "FULL", "COUNT", "0"))
        #expect(server.run("XPENDING", "t", "g").elements.first == 300)
        #expect(server.run("MEMORY", "USAGE", "s").integer ?? 0 > 500 * 8 + 300 * 64)
        #expect(server.run("RENAME", "t", "u") == "OK")
        #expect(server.run("SCAN", "0", "TYPE", "stream").elements[1].elements.count == 2)
        #expect(server.run("DEL", "s") == 1)
        #expect(server.run("XLEN", "u") == 498)
        #expect(server.run("UNLINK", "u") == 1)
        while server.server.keyspace.freeBuried(entries: 100) {}
        #expect(server.server.keyspace.usedBytes - before < 1024)
    }

    @Test func `states its events`() {
        #expect(server.events("XADD", "s", "1", "a", "b") == ["new s", "xadd s"])
        #expect(
            server.events("XADD", "s", "MAXLEN", "1", "2", "a", "b") == ["xadd s", "xtrim s"])
        #expect(server.events("XSETID", "s", "3") == ["xsetid s"])
        #expect(server.events("XDEL", "s", "9") == [])
        #expect(server.events("XTRIM", "s", "MAXLEN", "0") == ["xtrim s"])
        server.run("XADD", "s", "4", "a", "b")
        #expect(server.events("XDEL", "s", "4") == ["xdel s"])
    }

    // MARK: - What propagates

    @Test func `propagates ids as they were found and cuts as they came out`() {
        server.run("CONFIG", "SET", "stream-node-max-entries", "10")
        let now = server.server.keyspace.now
        #expect(server.propagated("XADD", "s", "1-1", "a", "b") == ["XADD s 1-1 a b"])
        #expect(server.propagated("XADD", "s", "1-*", "a", "b") == ["XADD s 1-2 a b"])
        #expect(server.propagated("XADD", "s", "*", "a", "b") == ["XADD s \(now)-0 a b"])
        #expect(server.propagated("XADD", "none", "NOMKSTREAM", "*", "a", "b") == [])
        #expect(server.propagated("XADD", "s", "1-1", "a", "b") == [])
        #expect(
            server.propagated("XADD", "s", "MAXLEN", "=", "9", "\(now)-1", "a", "b")
                == ["XADD s MAXLEN = 9 \(now)-1 a b"])
        for _ in 0..<21 { server.run("XADD", "s", "*", "a", "b") }
        #expect(
            server.propagated("XADD", "s", "MAXLEN", "~", "9", "LIMIT", "10", "*", "a", "b")
                == ["XADD s MAXLEN = 16 \(now)-23 a b"])
        #expect(server.run("XLEN", "s") == 16)
        #expect(
            server.propagated("XTRIM", "s", "MAXLEN", "~", "5", "LIMIT", "10")
                == ["XTRIM s MAXLEN = 6"])
        #expect(server.propagated("XTRIM", "s", "MAXLEN", "~", "5") == [])
        #expect(server.propagated("XTRIM", "s", "MAXLEN", "5") == ["XTRIM s MAXLEN 5"])
        #expect(
            server.propagated("XTRIM", "s", "MINID", "~", "99999999999999")
                == ["XTRIM s MINID = 18446744073709551615-18446744073709551615"])
        #expect(
            server.propagated("XSETID", "s", "99999999999999-1") == ["XSETID s 99999999999999-1"])
        #expect(server.propagated("XDEL", "s", "1-1") == [])
    }
}
