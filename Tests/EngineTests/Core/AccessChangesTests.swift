import Testing

@testable import Engine

/// What a change of rules does to what clients have begun before: queued requests, subscriptions.
@Suite struct AccessChangesTests {
    private func setUp(_ server: TestServer, _ rules: String...) -> TestClient {
        server.client.run(["ACL", "SETUSER", "u", "reset", "on", "nopass"] + rules)
        let client = server.connect()
        client.run("AUTH", "u", "")
        return client
    }

    private static let changed =
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC "
        + "call. This command is no longer allowed for the following reason: "

    @Test func queuedRequestsAreCheckedWhenTheyRun() {
        let server = TestServer()
        let client = setUp(server, "+@all", "-ping", "~k*", "&c")
        client.run("MULTI")
        #expect(client.run("SET", "k1", "v") == "QUEUED")
        #expect(client.run("SET", "k2", "v") == "QUEUED")
        #expect(client.run("PUBLISH", "c", "m") == "QUEUED")
        #expect(client.run("INCR", "k1") == "QUEUED")
        server.run("ACL", "SETUSER", "u", "resetkeys", "~k1", "resetchannels", "-incr")
        #expect(
            client.run("EXEC") == [
                "OK", .error(Self.changed + "no permission to touch the specified keys"),
                .error(
                    Self.changed
                        + "no permission to access one of the channels used as arguments"),
                .error(
                    Self.changed + "no permission to execute the command or subcommand"),
            ])
        #expect(server.run("MGET", "k1", "k2") == [.bulk("v"), nil])
        let log = server.run("ACL", "LOG").elements
        #expect(log.count == 3)
        #expect(!log.contains { !$0.elements.contains(.bulk("multi")) })
    }

    @Test func whatIsRefusedInATransactionAbortsIt() {
        let server = TestServer()
        let client = setUp(server, "+@all", "~k")
        client.run("MULTI")
        #expect(client.run("SET", "x", "1").text?.hasPrefix("NOPERM") == true)
        #expect(client.run("EXEC").text?.hasPrefix("EXECABORT") == true)
    }

    @Test func waitersAreCheckedWhenTheirKeyAppears() {
        let server = TestServer()
        let client = setUp(server, "+@all", "~k*")
        client.run("BLPOP", "k1", "k2", "0")
        server.run("ACL", "SETUSER", "u", "resetkeys", "~k1")
        server.run("RPUSH", "k2", "kept")
        #expect(
            client.takeReplies() == [
                .error(
                    "NOPERM this user has no permissions to access one of the keys used as "
                        + "arguments")
            ])
        #expect(server.run("LRANGE", "k2", "0", "-1") == [.bulk("kept")])
        client.run("BLPOP", "k1", "0")
        server.run("ACL", "SETUSER", "u", "-blpop")
        server.run("RPUSH", "k1", "kept")
        #expect(
            client.takeReplies() == [
                .error("NOPERM this user has no permissions to run the 'blpop' command")
            ])
        #expect(server.run("LLEN", "k1") == 1)
        #expect(server.run("ACL", "LOG").elements.count == 2)
        server.run("ACL", "SETUSER", "u", "+blpop")
        #expect(client.run("BLPOP", "k1", "0") == [.bulk("k1"), .bulk("kept")])
        let stats = server.run("INFO", "commandstats").text ?? ""
        #expect(stats.contains("cmdstat_blpop:calls=3,"))
        #expect(stats.contains("rejected_calls=2"))
    }

    @Test func subscribersAreClosedWhenTheirChannelsAreRevoked() {
        for (command, name, rule) in [
            ("SUBSCRIBE", "c1", "&c1"), ("SUBSCRIBE", "c1", "&c*"), ("PSUBSCRIBE", "c*", "&c*"),
            ("SSUBSCRIBE", "c1", "&c1"), ("PSUBSCRIBE", "x", "&*"),
        ] {
            let server = TestServer()
            let client = setUp(server, "+@all", rule)
            #expect(client.run(command, name).elements.count == 3)
            // More, and the same again: pardoned.
            server.run("ACL", "SETUSER", "u", "resetchannels", rule)
            server.run("ACL", "SETUSER", "u", "allchannels")
            server.server.closeMarked()
            #expect(server.server.connections.contains(client.connection), "\(command) \(rule)")
            server.run("ACL", "SETUSER", "u", "resetchannels", "&other")
            server.server.closeMarked()
            #expect(!server.server.connections.contains(client.connection), "\(command) \(rule)")
        }
    }

    @Test func passwordsAreKeptOutOfTheSlowLog() {
        let server = TestServer("slowlog-log-slower-than 0")
        server.run("ACL", "SETUSER", "u", "on", ">hush")
        server.run("ACL", "SETUSER", "u", "<hush2")
        server.connect().run("AUTH", "u", "hush")
        server.connect().run("HELLO", "2", "AUTH", "u", "hush3")
        let log = "\(server.run("SLOWLOG", "GET", "100"))"
        #expect(log.contains("SETUSER") && log.contains("(redacted)"))
        #expect(!log.contains("hush"))
        #expect(!"\(server.run("ACL", "LOG"))".contains("hush"))
        #expect(!server.lines.contains { $0.contains("hush") })
    }
}
