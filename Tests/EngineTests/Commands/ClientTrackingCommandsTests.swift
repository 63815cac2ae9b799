import Testing

@testable import Engine

@Suite struct ClientTrackingCommandsTests {
    private let overlap = "Prefixes for a single client must not overlap."

    @Test(arguments: [
        ("TRACKING x", "ERR syntax error"), ("TRACKING ON x", "ERR syntax error"),
        ("TRACKING ON REDIRECT", "ERR syntax error"), ("TRACKING ON PREFIX", "ERR syntax error"),
        ("TRACKING ON REDIRECT x", "ERR value is not an integer or out of range"),
        ("TRACKING ON REDIRECT 0", "ERR The client ID you want redirect to does not exist"),
        ("TRACKING ON REDIRECT -1", "ERR The client ID you want redirect to does not exist"),
        (
            "TRACKING ON REDIRECT 1 REDIRECT 1",
            "ERR A client can only redirect to a single other client"
        ),
        ("TRACKING ON PREFIX a", "ERR PREFIX option requires BCAST mode to be enabled"),
        ("TRACKING ON BCAST OPTIN", "ERR OPTIN and OPTOUT are not compatible with BCAST"),
        ("TRACKING ON OPTIN OPTOUT", "ERR You can't specify both OPTIN mode and OPTOUT mode"),
        ("TRACKING", "ERR wrong number of arguments for 'client|tracking' command"),
        (
            "CACHING YES",
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN "
                + "or OPTOUT mode enabled"
        ),
        ("CACHING", "ERR wrong number of arguments for 'client|caching' command"),
        ("TRACKINGINFO x", "ERR wrong number of arguments for 'client|trackinginfo' command"),
    ])
    func mistakesAreNamed(_ command: String, _ error: String) {
        let server = TestServer()
        let words = ["CLIENT"] + command.split(separator: " ").map(String.init)
        #expect(server.client.run(words) == .error(error))
        #expect(server.server.tracking.clientCount == 0)
    }

    @Test func prefixesMustNotOverlap() {
        let server = TestServer()
        #expect(
            server.run("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "FOOBAR", "PREFIX", "FOO")
                == .error(
                    "ERR Prefix 'FOOBAR' overlaps with another provided prefix 'FOO'. \(overlap)"))
        #expect(
            server.run(
                "CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "a", "PREFIX", "FOO", "PREFIX", "FO")
                == .error("ERR Prefix 'FOO' overlaps with another provided prefix 'FO'. \(overlap)")
        )
        #expect(server.run("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "FOO") == "OK")
        #expect(
            server.run("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "FO")
                == .error("ERR Prefix 'FO' overlaps with an existing prefix 'FOO'. \(overlap)"))
        #expect(server.run("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "BAR") == "OK")
        #expect(server.server.tracking.prefixCount == 2)
        #expect(server.run("CLIENT", "TRACKING", "OFF") == "OK")
        #expect(server.server.tracking.prefixCount == 0)
    }

    @Test func modesAreNotSwitchedWhileOn() {
        let server = TestServer()
        #expect(server.run("CLIENT", "TRACKING", "ON", "OPTIN") == "OK")
        #expect(
            server.run("CLIENT", "TRACKING", "ON", "BCAST").text?.hasPrefix(
                "ERR You can't switch BCAST mode on/off before") == true)
        #expect(
            server.run("CLIENT", "TRACKING", "ON", "OPTOUT").text?.hasPrefix(
                "ERR You can't switch OPTIN/OPTOUT mode before") == true)
        #expect(
            server.run("CLIENT", "CACHING", "NO")
                == .error(
                    "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."))
        #expect(server.run("CLIENT", "CACHING", "x") == .error("ERR syntax error"))
        #expect(server.run("CLIENT", "CACHING", "YES") == "OK")
        #expect(server.run("CLIENT", "TRACKING", "OFF") == "OK")
        #expect(server.run("CLIENT", "TRACKING", "ON", "OPTOUT") == "OK")
        #expect(
            server.run("CLIENT", "CACHING", "YES")
                == .error(
                    "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."))
    }

    @Test func infoTellsTheMode() {
        let server = TestServer()
        let other = server.connect()
        func info() -> [Reply] { server.run("CLIENT", "TRACKINGINFO").elements }
        #expect(
            info() == [
                .bulk("flags"), .bulks("off"), .bulk("redirect"), -1, .bulk("prefixes"), [],
            ])
        #expect(server.run("CLIENT", "GETREDIR") == -1)
        server.run("CLIENT", "TRACKING", "ON", "OPTIN", "NOLOOP")
        server.run("CLIENT", "CACHING", "YES")
        #expect(info()[1] == .bulks("on", "optin", "caching-yes", "noloop"))
        #expect(server.run("CLIENT", "GETREDIR") == 0)
        server.run("CLIENT", "TRACKING", "OFF")
        server.run("CLIENT", "TRACKING", "ON", "OPTOUT")
        server.run("CLIENT", "CACHING", "NO")
        #expect(info()[1] == .bulks("on", "optout", "caching-no"))
        server.run("CLIENT", "TRACKING", "OFF")
        let id = Int64(other.connection.id)
        server.run(
            "CLIENT", "TRACKING", "ON", "BCAST", "REDIRECT", "\(id)", "PREFIX", "b", "PREFIX", "a")
        #expect(info()[1] == .bulks("on", "bcast"))
        #expect(info()[3] == .integer(id))
        #expect(info()[5] == .bulks("a", "b"))
        #expect(server.run("CLIENT", "GETREDIR") == .integer(id))
        #expect(server.server.flags(of: server.client.connection) == "tB")
        #expect(server.run("CLIENT", "INFO").text?.contains(" redir=\(id) ") == true)
        server.run("HELLO", "3")
        guard case .map(let fields) = server.run("CLIENT", "TRACKINGINFO"),
            case .set = fields[1]
        else {
            Issue.record("RESP3 has a map with a set")
            return
        }
        server.run("RESET")
        #expect(info()[1] == .bulks("off"))
        #expect(server.server.keyspace.interest.isEmpty)
    }
}
