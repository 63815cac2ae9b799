import Testing

@testable import Engine

@Suite struct DebugCommandsTests {
    private let server = TestServer("enable-debug-command yes")

    private func unknown(_ name: String) -> Reply {
        .error(
            "ERR unknown subcommand or wrong number of arguments for '\(name)'. Try DEBUG HELP.")
    }

    // MARK: - Who may

    @Test func itMustBeAllowed() {
        let refusal = Reply.error(
            "ERR DEBUG command not allowed. If the enable-debug-command option is set to "
                + "\"local\", you can run it from a local connection, otherwise you need to set "
                + "this option in the configuration file, and then restart the server.")
        let forbidding = TestServer()
        #expect(forbidding.run("DEBUG", "SLEEP", "0") == refusal)
        #expect(
            forbidding.run("DEBUG") == .error("ERR wrong number of arguments for 'debug' command"))
        let number = forbidding.server.commands.row(named: "debug")?.number ?? 0
        #expect(forbidding.server.statistics[Int(number)].calls == 0)
        #expect(forbidding.server.statistics[Int(number)].rejected == 2)
        // A connection without a socket is on this machine.
        #expect(TestServer("enable-debug-command local").run("DEBUG", "SLEEP", "0") == "OK")
    }

    @Test func permissionComesBeforeThePassword() {
        let forbidding = TestServer("requirepass secret")
        #expect(forbidding.run("DEBUG", "SLEEP", "0").text?.hasPrefix("ERR DEBUG command") == true)
        let allowing = TestServer("requirepass secret\nenable-debug-command yes")
        #expect(allowing.run("DEBUG", "SLEEP", "0") == .error("NOAUTH Authentication required."))
    }

    @Test func subcommandsHaveTheirArguments() {
        #expect(server.run("DEBUG", "NONE") == unknown("NONE"))
        #expect(server.run("DEBUG", "OBJECT") == unknown("OBJECT"))
        #expect(server.run("DEBUG", "populate") == unknown("populate"))
        #expect(server.run("DEBUG", "HELP", "x") == unknown("HELP"))
        let help = server.run("DEBUG", "HELP").elements
        #expect(
            help.first == "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
        #expect(help.contains("SLEEP <seconds>"))
    }

    // MARK: - Data

    @Test func objectTellsWhereTheValueIs() throws {
        server.run("SET", "text", "bar")
        server.run("SET", "number", "123")
        server.advance(milliseconds: 3000)
        let text = try #require(server.run("DEBUG", "OBJECT", "text").text)
        #expect(text.hasPrefix("Value at:0x"))
        #expect(text.contains(" refcount:1 encoding:embstr serializedlength:4 lru:"))
        #expect(text.hasSuffix(" lru_seconds_idle:3"))
        #expect(
            server.run("DEBUG", "OBJECT", "number").text?.contains(
                "encoding:int serializedlength:2")
                == true)
        #expect(server.run("DEBUG", "OBJECT", "absent") == .error("ERR no such key"))
        // Changing an integer in place keeps its address.
        func address() -> String {
            String(server.run("DEBUG", "OBJECT", "number").text?.split(separator: " ")[1] ?? "")
        }
        let before = address()
        server.run("INCR", "number")
        #expect(address() == before)
    }

    @Test func stringLengths() {
        server.run("SET", "key", "hello")
        server.run("SET", "number", "1")
        #expect(
            server.run("DEBUG", "SDSLEN", "key").text?.hasPrefix(
                "key_sds_len:3, key_sds_avail:0, key_zmalloc: 3, val_sds_len:5,") == true)
        #expect(
            server.run("DEBUG", "SDSLEN", "number") == .error("ERR Not an sds encoded string."))
        #expect(server.run("DEBUG", "SDSLEN", "absent") == .error("ERR no such key"))
    }

    @Test func populateMakesKeys() {
        server.run("SET", "key:1", "mine")
        #expect(server.run("DEBUG", "POPULATE", "3") == "OK")
        #expect(server.run("DBSIZE") == 3)
        #expect(server.run("GET", "key:0") == .bulk("value:0"))
        #expect(server.run("GET", "key:1") == .bulk("mine"))
        #expect(server.run("DEBUG", "POPULATE", "2", "p", "10") == "OK")
        #expect(server.run("GET", "p:1") == .bulk("value:1\0\0\0"))
        #expect(server.run("DEBUG", "POPULATE", "1", "q", "3") == "OK")
        #expect(server.run("GET", "q:0") == .bulk("val"))
        let outOfRange = Reply.error("ERR value is out of range, must be positive")
        for arguments in [["a"], ["-1"], ["1", "p", "-5"], ["9223372036854775808"]] {
            #expect(server.client.run(["DEBUG", "POPULATE"] + arguments) == outOfRange)
        }
        #expect(server.run("DEBUG", "POPULATE", "1", "r", "9223372036854775807").isError)
    }

    @Test func tablesHaveFigures() {
        #expect(
            server.run("DEBUG", "HTSTATS", "0").text?.contains(
                "[Dictionary HT]\nHash table 0 stats (main hash table):\nNo stats available")
                == true)
        server.run("DEBUG", "POPULATE", "100")
        server.run("PEXPIRE", "key:1", "1000")
        let text = server.run("DEBUG", "HTSTATS", "0", "full").text ?? ""
        #expect(text.contains(" table size: "))
        #expect(text.contains(" number of elements: 100\n"))
        #expect(text.contains("[Expires HT]\n number of elements: 1\n"))
        #expect(text.contains(" Entries of a group:\n"))
        #expect(server.run("DEBUG", "HTSTATS", "16") == .error("ERR Out of range database"))
        #expect(
            server.run("DEBUG", "HTSTATS", "x")
                == .error("ERR value is not an integer or out of range"))
    }

    @Test func `tables that are values have figures`() {
        server.run("SET", "string", "v")
        server.run("RPUSH", "list", "v")
        server.run("XADD", "stream", "*", "f", "v")
        let noTable: Reply = .error(
            "ERR The value stored at the specified key is not represented using an hash table")
        for (key, request) in [("set", ["SADD"]), ("hash", ["HSET"]), ("ranked", ["ZADD"])] {
            server.client.run(request + [key, "1", "m"] + (key == "set" ? ["x"] : []))
            #expect(server.run("DEBUG", "HTSTATS-KEY", key) == noTable)
            for number in 0..<600 {
                server.client.run(request + [key, "\(number)", "m\(number)"])
            }
            let size = server.run(key == "set" ? "SCARD" : key == "hash" ? "HLEN" : "ZCARD", key)
            let text = server.run("DEBUG", "HTSTATS-KEY", key).text ?? ""
            #expect(text.contains(" number of elements: \(size.integer ?? 0)\n"), "\(key): \(text)")
            #expect(!text.contains("Entries of a group"))
            let full = server.run("DEBUG", "HTSTATS-KEY", key, "FULL").text ?? ""
            #expect(full.contains(" Entries of a group:\n"))
        }
        for key in ["string", "list", "stream"] {
            #expect(server.run("DEBUG", "HTSTATS-KEY", key) == noTable)
        }
        #expect(server.run("DEBUG", "HTSTATS-KEY", "none") == .error("ERR no such key"))
    }

    @Test func tablesCanBeKeptFromGrowing() {
        server.run("DEBUG", "DICT-RESIZING", "0")
        server.run("DEBUG", "POPULATE", "200")
        let groups = server.server.keyspace[0].table.groupCount
        server.run("FLUSHALL")
        #expect(!server.server.keyspace[0].table.isResizingAllowed)
        server.run("DEBUG", "DICT-RESIZING", "1")
        server.run("DEBUG", "POPULATE", "200")
        #expect(server.server.keyspace[0].table.groupCount > groups)
    }

    // MARK: - Switches

    @Test func activeExpiryCanBeStopped() {
        server.run("SET", "k", "v", "PX", "10")
        server.run("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        server.advance(milliseconds: 20)
        server.server.expireDueKeys()
        #expect(server.run("DBSIZE") == 1)
        server.run("DEBUG", "SET-ACTIVE-EXPIRE", "1")
        server.server.expireDueKeys()
        #expect(server.run("DBSIZE") == 0)
    }

    @Test func switchesAreKept() {
        #expect(server.run("DEBUG", "PAUSE-CRON", "1") == "OK")
        #expect(server.server.debug.cronPaused)
        #expect(server.run("DEBUG", "REPLYBUFFER", "PEAK-RESET-TIME", "100") == "OK")
        #expect(server.server.debug.replyPeakResetMilliseconds == 100)
        #expect(server.run("DEBUG", "REPLYBUFFER", "PEAK-RESET-TIME", "never") == "OK")
        #expect(server.server.debug.replyPeakResetMilliseconds == -1)
        #expect(server.run("DEBUG", "REPLYBUFFER", "PEAK-RESET-TIME", "reset") == "OK")
        #expect(server.server.debug.replyPeakResetMilliseconds == 5000)
        #expect(server.run("DEBUG", "REPLYBUFFER", "RESIZING", "0") == "OK")
        #expect(!server.server.debug.replyBufferResizing)
        #expect(server.run("DEBUG", "REPLYBUFFER", "a", "b") == unknown("REPLYBUFFER"))
        #expect(server.run("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "100b") == "OK")
        #expect(server.server.debug.packedThresholdBytes == 100)
        for bad in ["xx", "5gb"] {
            #expect(
                server.run("DEBUG", "QUICKLIST-PACKED-THRESHOLD", bad)
                    == .error(
                        "ERR argument must be a memory value bigger than 1 and smaller than 4gb"))
        }
        #expect(server.run("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", "1") == "OK")
        #expect(server.server.debug.skipsChecksums)
        let identifier = server.server.replication.id
        #expect(server.run("DEBUG", "CHANGE-REPL-ID") == "OK")
        #expect(server.server.replication.id != identifier)
        #expect(
            server.run("DEBUG", "CLIENT-EVICTION") == .error("ERR maxmemory-clients is disabled."))
    }

    @Test func sleepTakesAnyNumber() {
        for text in ["0", "0.001", "-5", "nan", "abc"] {
            #expect(server.run("DEBUG", "SLEEP", text) == "OK")
        }
    }

    // MARK: - Replies

    @Test func errorsAndLogLines() {
        #expect(server.run("DEBUG", "ERROR", "CODE two\r\nlines") == .error("CODE two  lines"))
        #expect(server.server.statistics.errorReplies == 0)
        #expect(server.run("DEBUG", "LOG", "hello") == "OK")
        #expect(server.lines.last == "DEBUG LOG: hello")
        #expect(server.run("DEBUG", "LEAK", "x") == "OK")
    }

    @Test func protocolShowsEveryType() {
        func value(_ type: String) -> Reply { server.run("DEBUG", "PROTOCOL", type) }
        #expect(value("string") == .bulk("Hello World"))
        #expect(value("double") == .bulk("3.141"))
        #expect(value("map") == [0, 0, 1, 1, 2, 0])
        #expect(value("null") == nil)
        #expect(value("attrib") == .bulk("Some real reply following the attribute"))
        #expect(value("push") == .error("ERR RESP2 is not supported by this command"))
        #expect(value("none").text?.hasPrefix("ERR Wrong protocol type name.") == true)
        server.client.connection.reply.isRESP3 = true
        #expect(value("integer") == 12345)
        #expect(value("double") == .double("3.141"))
        #expect(value("bignum") == .bigNumber("1234567999999999999999999999999999999"))
        #expect(value("set") == .set([0, 1, 2]))
        #expect(value("map") == .map([0, .boolean(false), 1, .boolean(true), 2, .boolean(false)]))
        #expect(value("true") == .boolean(true))
        #expect(value("verbatim") == .verbatim("txt:This is a verbatim\nstring"))
        #expect(value("push") == .push([.bulk("server-cpu-usage"), 42]))
    }
}
