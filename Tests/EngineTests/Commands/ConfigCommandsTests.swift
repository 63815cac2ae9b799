import Testing

@testable import Engine

/// CONFIG inside the process; what it does to sockets and folders is tested with a real server.
@Suite struct ConfigCommandsTests {
    @Test func `reads by name and by pattern, each once`() {
        let server = TestServer("timeout 7")
        #expect(server.run("CONFIG", "GET", "timeout") == .array([.bulk("timeout"), .bulk("7")]))
        #expect(
            server.run("CONFIG", "GET", "TimeOut", "timeout")
                == .array([.bulk("TimeOut"), .bulk("7")]))
        #expect(server.run("CONFIG", "GET", "nothing*") == .array([]))
        let slow = server.run("CONFIG", "GET", "slowlog-*", "*log-max-len").elements
        #expect(slow.contains(.bulk("slowlog-max-len")) && slow.contains(.bulk("acllog-max-len")))
        #expect(slow.count == 6)
    }

    @Test func `is a map in RESP3`() {
        let server = TestServer()
        server.client.connection.reply.isRESP3 = true
        #expect(server.run("CONFIG", "GET", "hz") == .map([.bulk("hz"), .bulk("10")]))
    }

    @Test func `sets several or none`() {
        let server = TestServer()
        #expect(server.run("CONFIG", "SET", "hz", "20", "timeout", "30") == "OK")
        #expect(server.server.settings.hz == 20)
        #expect(
            server.run("CONFIG", "SET", "hz", "50", "timeout", "never")
                == .error(
                    "ERR CONFIG SET failed (possibly related to argument 'timeout') - argument "
                        + "couldn't be parsed into an integer"))
        #expect(server.server.settings.hz == 20)
        #expect(
            server.run("CONFIG", "SET", "foo", "bar")
                == .error("ERR Unknown option or number of arguments for CONFIG SET - 'foo'"))
        #expect(server.run("CONFIG", "SET", "hz", "10", "timeout") == .error("ERR syntax error"))
        #expect(
            server.run("CONFIG", "SET", "hz")
                == .error("ERR wrong number of arguments for 'config|set' command"))
    }

    @Test func `a failed effect takes everything back`() {
        let server = TestServer()
        let former = server.server.settings
        #expect(
            server.run(
                "CONFIG", "SET", "loglevel", "debug", "proto-max-bulk-len", "2mb",
                "locale-collate", "xx_NOWHERE")
                == .error(
                    "ERR CONFIG SET failed (possibly related to argument 'locale-collate') - Invalid "
                        + "locale name"))
        #expect(server.server.settings.logLevel == former.logLevel)
        #expect(server.server.log.level == .notice)
        #expect(server.server.keyspace.limits.longestString == former.maxBulkBytes)
    }

    @Test func `settings reach who obeys them`() {
        let server = TestServer()
        #expect(server.run("CONFIG", "SET", "proto-max-bulk-len", "1mb") == "OK")
        #expect(server.server.keyspace.limits.longestString == 1 << 20)
        #expect(server.run("CONFIG", "SET", "latency-tracking", "no") == "OK")
        #expect(!server.server.statistics.tracksLatency)
        #expect(server.run("CONFIG", "SET", "maxmemory", "1") == "OK")
        #expect(server.lines.last?.hasPrefix("WARNING: the new maxmemory value") == true)
        #expect(server.run("SET", "k", "v").text?.hasPrefix("OOM ") == true)
        #expect(server.run("CONFIG", "SET", "maxmemory", "0") == "OK")
        #expect(server.run("SET", "k", "v") == "OK")
    }

    @Test func `a password is for those who come later`() {
        let server = TestServer()
        #expect(server.run("CONFIG", "SET", "requirepass", "secret") == "OK")
        #expect(server.run("PING") == .simple("PONG"))
        let late = server.connect()
        #expect(late.run("GET", "k") == .error("NOAUTH Authentication required."))
        #expect(server.run("CONFIG", "SET", "requirepass", "") == "OK")
        #expect(late.run("GET", "k") == nil)
        #expect(server.run("CONFIG", "SET", "requirepass", "other") == "OK")
        #expect(late.run("GET", "k") == .error("NOAUTH Authentication required."))
    }

    @Test func `encryption is not pretended`() {
        let server = TestServer()
        #expect(server.run("CONFIG", "SET", "tls-ciphers", "DEFAULT") == "OK")
        for name in ["tls-replication", "tls-cluster"] {
            #expect(
                server.run("CONFIG", "SET", name, "yes")
                    == .error(
                        "ERR CONFIG SET failed (possibly related to argument '\(name)') - Unable to "
                            + "update TLS configuration. Check server logs."))
        }
    }

    @Test func `counting begins anew`() {
        let server = TestServer()
        server.run("SET", "k", "v")
        server.run("GET", "k")
        server.run("GET", "nothing")
        let changes = server.server.keyspace.counters.changes
        #expect(server.run("CONFIG", "RESETSTAT") == "OK")
        let counters = server.server.keyspace.counters
        #expect((counters.hits, counters.misses) == (0, 0))
        #expect(counters.changes == changes)
        // RESETSTAT itself is the first that counts.
        #expect(server.server.statistics.commandsTotal == 1)
    }

    @Test func `rewriting needs a file`() {
        let server = TestServer()
        #expect(
            server.run("CONFIG", "REWRITE")
                == .error("ERR The server is running without a config file"))
    }

    @Test func `helps`() {
        let help = TestServer().run("CONFIG", "HELP").elements
        #expect(
            help.first == .simple("CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
        )
        #expect(help.count == 11)
    }
}
