import Testing

@testable import Engine

struct StreamGroupCommandsTests {
    let server = TestServer()

    /// A stream of entries 1-0 to 9-0 with a group, entries 1 to 4 being pending for two consumers.
    private func prepare() {
        for number in 1...9 { server.run("XADD", "s", "\(number)", "n", "v") }
        server.run("XGROUP", "CREATE", "s", "g", "0")
        server.run("XREADGROUP", "GROUP", "g", "bob", "COUNT", "1", "STREAMS", "s", ">")
        server.run("XREADGROUP", "GROUP", "g", "alice", "COUNT", "3", "STREAMS", "s", ">")
    }

    private let noGroup = Reply.error("NOGROUP No such key 's' or consumer group 'x'")

    // MARK: - XGROUP

    @Test func `groups are made once, on streams`() {
        let missing = Reply.error(
            "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want "
                + "to use the MKSTREAM option to create an empty stream automatically.")
        #expect(server.run("XGROUP", "CREATE", "s", "g", "$") == missing)
        for request in [
            ["SETID", "s", "g", "0"], ["DESTROY", "s", "g"], ["CREATECONSUMER", "s", "g", "c"],
            ["DELCONSUMER", "s", "g", "c"],
        ] {
            #expect(server.client.run(["XGROUP"] + request) == missing)
        }
        #expect(server.run("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM") == "OK")
        #expect(
            server.run("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
                == .error("BUSYGROUP Consumer Group name already exists"))
        #expect(server.run("XGROUP", "CREATE", "s", "h", "x").isError)
        #expect(
            server.run("XGROUP", "CREATE", "s", "h", "0", "ENTRIESREAD", "-2")
                == .error("ERR value for ENTRIESREAD must be positive or -1"))
        #expect(
            server.run("XGROUP", "CREATE", "s", "h", "0", "x")
                == .error(
                    "ERR unknown subcommand or wrong number of arguments for 'CREATE'. "
                        + "Try XGROUP HELP."))
        #expect(
            server.run("XGROUP", "SETID", "s", "x", "0")
                == .error("NOGROUP No such consumer group 'x' for key name 's'"))
        server.run("SET", "k", "v")
        #expect(server.run("XGROUP", "CREATE", "k", "g", "0").text?.hasPrefix("WRONGTYPE") == true)
        #expect(server.run("XGROUP", "HELP").elements.count == 17)
    }

    @Test func `consumers come and go`() {
        prepare()
        #expect(server.run("XGROUP", "CREATECONSUMER", "s", "g", "carol") == 1)
        #expect(server.run("XGROUP", "CREATECONSUMER", "s", "g", "carol") == 0)
        #expect(server.run("XGROUP", "DELCONSUMER", "s", "g", "alice") == 3)
        #expect(server.run("XGROUP", "DELCONSUMER", "s", "g", "alice") == 0)
        #expect(server.run("XPENDING", "s", "g").elements[0] == 1)
        #expect(
            server.run("XINFO", "CONSUMERS", "s", "g").elements.map { $0.elements[1] }
                == [.bulk("bob"), .bulk("carol")])
        #expect(server.run("XGROUP", "DESTROY", "s", "g") == 1)
        #expect(server.run("XGROUP", "DESTROY", "s", "g") == 0)
        #expect(server.run("XINFO", "GROUPS", "s") == [])
    }

    @Test func `states its events`() {
        #expect(
            server.events("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
                == ["new s", "xgroup-create s"])
        #expect(server.events("XGROUP", "SETID", "s", "g", "0") == ["xgroup-setid s"])
        #expect(
            server.events("XGROUP", "CREATECONSUMER", "s", "g", "c")
                == ["xgroup-createconsumer s"])
        #expect(
            server.events("XREADGROUP", "GROUP", "g", "d", "STREAMS", "s", "0")
                == ["xgroup-createconsumer s"])
        func read() -> [String] {
            server.events("XREADGROUP", "GROUP", "g", "e", "STREAMS", "s", ">")
        }
        #expect(read() == ["xgroup-createconsumer s"])
        #expect(read() == [])
        #expect(server.events("XGROUP", "DELCONSUMER", "s", "g", "c") == ["xgroup-delconsumer s"])
        #expect(server.events("XGROUP", "DESTROY", "s", "g") == ["xgroup-destroy s"])
        #expect(server.events("XGROUP", "DESTROY", "s", "g") == [])
    }

    // MARK: - XACK, XPENDING

    @Test func `acknowledges what is pending, all ids being right`() {
        prepare()
        #expect(server.run("XACK", "s", "g", "1", "x").isError)
        #expect(server.run("XACK", "s", "g", "1", "1", "2", "9") == 2)
        #expect(server.run("XACK", "s", "x", "1") == 0)
        #expect(server.run("XACK", "none", "g", "1") == 0)
        #expect(server.run("XPENDING", "s", "g").elements[0] == 2)
    }

    @Test func `tells what is pending`() {
        prepare()
        #expect(
            server.run("XPENDING", "s", "g")
                == [
                    4, .bulk("1-0"), .bulk("4-0"),
                    [.bulks("alice", "3"), .bulks("bob", "1")],
                ])
        server.advance(milliseconds: 50)
        #expect(
            server.run("XPENDING", "s", "g", "-", "+", "2")
                == [
                    [.bulk("1-0"), .bulk("bob"), 50, 1], [.bulk("2-0"), .bulk("alice"), 50, 1],
                ])
        #expect(
            server.run("XPENDING", "s", "g", "(2", "+", "9", "alice").elements.map {
                $0.elements[0]
            }
                == [.bulk("3-0"), .bulk("4-0")])
        #expect(server.run("XPENDING", "s", "g", "-", "+", "9", "nobody") == [])
        #expect(server.run("XPENDING", "s", "g", "IDLE", "51", "-", "+", "9") == [])
        #expect(
            server.run("XPENDING", "s", "g", "IDLE", "50", "-", "+", "9", "bob").elements.count == 1
        )
        #expect(server.run("XPENDING", "s", "g", "-", "+", "-1") == [])
        let syntax = Reply.error("ERR syntax error")
        #expect(server.run("XPENDING", "s", "g", "-", "+") == syntax)
        #expect(server.run("XPENDING", "s", "g", "IDLE", "5", "-", "+") == syntax)
        #expect(server.run("XPENDING", "s", "g", "-", "+", "x").isError)
        #expect(server.run("XPENDING", "s", "x") == noGroup)
        server.run("XACK", "s", "g", "1", "2", "3", "4")
        #expect(server.run("XPENDING", "s", "g") == [0, nil, nil, .nullArray])
    }

    // MARK: - XCLAIM

    @Test func `claims what is idle for long enough`() {
        prepare()
        server.advance(milliseconds: 100)
        #expect(server.run("XCLAIM", "s", "g", "carol", "101", "1", "2") == [])
        #expect(
            server.run("XCLAIM", "s", "g", "carol", "100", "1", "2", "7")
                == [
                    [.bulk("1-0"), .bulks("n", "v")], [.bulk("2-0"), .bulks("n", "v")],
                ])
        #expect(server.run("XCLAIM", "s", "g", "dave", "0", "3", "JUSTID") == .bulks("3-0"))
        #expect(
            server.run("XPENDING", "s", "g", "-", "+", "9")
                == [
                    [.bulk("1-0"), .bulk("carol"), 0, 2], [.bulk("2-0"), .bulk("carol"), 0, 2],
                    [.bulk("3-0"), .bulk("dave"), 0, 1], [.bulk("4-0"), .bulk("alice"), 100, 1],
                ])
    }

    @Test func `claims with times and counts told`() {
        prepare()
        let now = server.server.keyspace.now
        server.run("XCLAIM", "s", "g", "c", "0", "1", "IDLE", "70", "RETRYCOUNT", "9")
        server.run("XCLAIM", "s", "g", "c", "0", "2", "TIME", "\(now - 30)")
        server.run("XCLAIM", "s", "g", "c", "0", "3", "TIME", "\(now + 30)")
        server.run("XCLAIM", "s", "g", "c", "0", "8", "FORCE", "JUSTID", "LASTID", "8")
        server.run("XCLAIM", "s", "g", "c", "0", "99", "FORCE")
        #expect(
            server.run("XPENDING", "s", "g", "-", "+", "9").elements.map {
                Array($0.elements[2...])
            }
                == [[70, 9], [30, 2], [0, 2], [0, 1], [0, 1]])
        #expect(server.run("XINFO", "GROUPS", "s").elements[0].elements[7] == .bulk("8-0"))
        #expect(
            server.run("XCLAIM", "s", "g", "c", "x", "1")
                == .error("ERR Invalid min-idle-time argument for XCLAIM"))
        #expect(
            server.run("XCLAIM", "s", "g", "c", "0", "1", "zz")
                == .error("ERR Unrecognized XCLAIM option 'zz'"))
        #expect(
            server.run("XCLAIM", "s", "g", "c", "0", "1", "RETRYCOUNT", "x")
                == .error("ERR Invalid RETRYCOUNT option argument for XCLAIM"))
        #expect(server.run("XCLAIM", "s", "x", "c", "0", "1") == noGroup)
    }

    @Test func `entries deleted from the stream are dropped when they are claimed`() {
        prepare()
        server.run("XDEL", "s", "1", "2")
        #expect(server.run("XCLAIM", "s", "g", "c", "0", "1", "3").elements.count == 1)
        #expect(
            server.run("XAUTOCLAIM", "s", "g", "c", "0", "-", "JUSTID")
                == [.bulk("0-0"), .bulks("3-0", "4-0"), .bulks("2-0")])
        #expect(server.run("XPENDING", "s", "g").elements[0] == 2)
    }

    // MARK: - XAUTOCLAIM

    @Test func `sweeps over what is pending`() {
        prepare()
        server.advance(milliseconds: 10)
        #expect(
            server.run("XAUTOCLAIM", "s", "g", "c", "10", "-", "COUNT", "2", "JUSTID")
                == [.bulk("3-0"), .bulks("1-0", "2-0"), []])
        #expect(
            server.run("XAUTOCLAIM", "s", "g", "c", "10", "3-0", "COUNT", "2")
                == [
                    .bulk("0-0"),
                    [[.bulk("3-0"), .bulks("n", "v")], [.bulk("4-0"), .bulks("n", "v")]], [],
                ])
        #expect(server.run("XAUTOCLAIM", "s", "g", "c", "10", "-") == [.bulk("0-0"), [], []])
        let count = Reply.error("ERR COUNT must be > 0")
        for bad in ["0", "-1", "9223372036854775807"] {
            #expect(server.run("XAUTOCLAIM", "s", "g", "c", "0", "-", "COUNT", bad) == count)
        }
        #expect(
            server.run("XAUTOCLAIM", "s", "g", "c", "x", "-")
                == .error("ERR Invalid min-idle-time argument for XAUTOCLAIM"))
        #expect(
            server.run("XAUTOCLAIM", "s", "g", "c", "0", "-", "x") == .error("ERR syntax error"))
        #expect(server.run("XAUTOCLAIM", "s", "x", "c", "0", "-") == noGroup)
    }

    // MARK: - What propagates

    @Test func `claims propagate one by one`() {
        prepare()
        let now = server.server.keyspace.now
        server.run("XGROUP", "CREATECONSUMER", "s", "g", "c")
        #expect(
            server.propagated("XCLAIM", "s", "g", "c", "0", "1", "2", "IDLE", "5")
                == [
                    "XCLAIM s g c 0 1-0 TIME \(now - 5) RETRYCOUNT 2 FORCE JUSTID LASTID 4-0",
                    "XCLAIM s g c 0 2-0 TIME \(now - 5) RETRYCOUNT 2 FORCE JUSTID LASTID 4-0",
                ])
        #expect(
            server.propagated("XCLAIM", "s", "g", "c", "0", "9", "LASTID", "6")
                == ["XGROUP SETID s g 6-0 ENTRIESREAD 4"])
        server.run("XDEL", "s", "3")
        #expect(
            server.propagated("XAUTOCLAIM", "s", "g", "c", "0", "3", "JUSTID")
                == [
                    "XCLAIM s g alice 0 3-0 TIME \(now) RETRYCOUNT 1 FORCE JUSTID LASTID 6-0",
                    "XCLAIM s g c 0 4-0 TIME \(now) RETRYCOUNT 1 FORCE JUSTID LASTID 6-0",
                ])
        #expect(server.propagated("XCLAIM", "s", "g", "c", "0", "9") == [])
    }
}
