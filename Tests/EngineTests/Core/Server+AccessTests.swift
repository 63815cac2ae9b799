import Testing

@testable import Engine

/// What a user may do with commands, keys and channels.
@Suite struct ServerAccessTests {
    private static let noKey = Reply.error(
        "NOPERM this user has no permissions to access one of the keys used as arguments")

    private static func noCommand(_ name: String) -> Reply {
        .error("NOPERM this user has no permissions to run the '\(name)' command")
    }

    /// A client that speaks as a user with these rules.
    private func client(_ server: TestServer, _ rules: String...) -> TestClient {
        server.client.run(["ACL", "SETUSER", "u", "reset", "on", "nopass"] + rules)
        let client = server.connect()
        client.run("AUTH", "u", "")
        return client
    }

    @Test func commandsAndSubcommands() {
        let server = TestServer()
        let client = client(server, "~*", "+get", "+config|get", "+client", "-client|kill")
        #expect(client.run("GET", "k") == nil)
        #expect(client.run("SET", "k", "v") == Self.noCommand("set"))
        #expect(client.run("CONFIG", "GET", "port").elements.count == 2)
        #expect(client.run("config", "SET", "port", "1") == Self.noCommand("config|set"))
        #expect(client.run("CLIENT", "ID").integer != nil)
        #expect(client.run("CLIENT", "KILL", "ID", "1") == Self.noCommand("client|kill"))
        #expect(client.run("COMMAND") == Self.noCommand("command"))
        // What does not exist, or is called wrongly, is told first.
        #expect(client.run("NOPE").text?.hasPrefix("ERR unknown command 'NOPE'") == true)
        #expect(client.run("SET").text?.hasPrefix("ERR wrong number of arguments") == true)
        #expect(client.run("ACL", "NOPE") == .error("ERR unknown subcommand 'NOPE'. Try ACL HELP."))
        // What says who one is, is always allowed.
        #expect(client.run("HELLO").elements.count == 14)
        #expect(client.run("AUTH", "u", "x") == "OK")
        #expect(client.run("RESET") == "RESET")
    }

    @Test func changesHoldAtOnce() {
        let server = TestServer()
        let client = client(server, "~*", "+get")
        #expect(client.run("SET", "k", "v").isError)
        server.run("ACL", "SETUSER", "u", "+@all", "&*")
        #expect(client.run("SET", "k", "v") == "OK")
        #expect(client.connection.gate.isEmpty)
        server.run("ACL", "SETUSER", "u", "-set")
        #expect(client.run("SET", "k", "v") == Self.noCommand("set"))
        server.run("ACL", "SETUSER", "u", "off")
        #expect(client.run("GET", "k") == .bulk("v"))
        server.run("ACL", "SETUSER", "default", "-ping")
        #expect(server.run("PING") == Self.noCommand("ping"))
        #expect(server.connect().run("PING") == Self.noCommand("ping"))
        #expect(server.run("ACL", "SETUSER", "default", "+@all") == "OK")
        #expect(server.client.connection.gate.isEmpty)
    }

    @Test func firstArguments() {
        let server = TestServer()
        let client = client(server, "+select|0", "+ping|PONG")
        #expect(client.run("SELECT", "0") == "OK")
        #expect(client.run("SELECT", "1") == Self.noCommand("select"))
        #expect(client.run("PING", "pong") == .bulk("pong"))
        #expect(client.run("PING") == Self.noCommand("ping"))
        #expect(server.lines.contains { $0.contains("(offender: +select|0)") })
    }

    @Test func keysByWhatIsDoneToThem() {
        let server = TestServer()
        let client = client(server, "+@all", "~k*", "%R~r*", "%W~w*")
        for (request, isAllowed) in [
            ("SET k v", true), ("SET r v", false), ("GET r", true), ("GET w", false),
            ("SET w v", true), ("SET w v GET", false), ("SET r v GET", false), ("COPY r k", true),
            ("COPY k r", false), ("COPY w k", false), ("EXISTS w", true), ("EXISTS x", false),
            ("EXISTS k r x", false), ("MGET r k", true), ("MGET r w", false),
            ("MSET k 1 w 2", true), ("MSET k 1 r 2", false), ("LPUSH wl 1", true),
            ("RPOP wl", false), ("STRLEN w", true), ("BITFIELD r GET u4 0", true),
            ("BITFIELD r SET u4 0 1", false), ("BITFIELD k SET u4 0 1", true),
            ("GEORADIUS rg 1 2 3 m STORE wg", true), ("GEORADIUS rg 1 2 3 m STORE rg", false),
            ("GEORADIUSBYMEMBER w m 1 km", false), ("SORT rl STORE wl", true),
            ("SORT rl STORE rl", false), ("SORT wl", false), ("ZUNIONSTORE wz 2 r1 r2", true),
            ("ZUNIONSTORE wz 2 r1 w2", false), ("ZUNIONSTORE wz 2 r1 r2 x", true),
            ("SINTERCARD 2 r1 x", false), ("LMPOP 2 k x LEFT", false), ("RENAME k x", false),
            ("OBJECT ENCODING x", false), ("MEMORY USAGE x", false), ("TOUCH x", false),
        ] {
            let reply = client.run(request.split(separator: " ").map(String.init))
            #expect((reply != Self.noKey) == isAllowed, "\(request): \(reply)")
        }
    }

    @Test func selectorsAllowEachByItself() {
        let server = TestServer()
        let client = client(server, "+mget", "~c", "(+get ~a)", "(%R~r +@all)", "(%W~w +@all)")
        #expect(client.run("GET", "a") == nil)
        #expect(client.run("MGET", "c") == [nil])
        #expect(client.run("GET", "c") == Self.noKey)
        #expect(client.run("COPY", "r", "w") == Self.noKey)
        #expect(client.run("GET", "r") == nil)
        // Of all denials the one that goes furthest is told.
        server.run("ACL", "LOG", "RESET")
        client.run("MGET", "c", "a", "b")
        let entry = server.run("ACL", "LOG").elements[0].elements.compactMap(\.text)
        #expect(entry.contains("a"))
    }

    @Test func sortFollowsPatternsOnlyWithAccessToAllKeys() {
        let server = TestServer()
        server.run("RPUSH", "list", "1")
        server.run("SET", "v1", "7")
        let by = Reply.error("ERR BY option of SORT denied due to insufficient ACL permissions.")
        let get = Reply.error("ERR GET option of SORT denied due to insufficient ACL permissions.")
        for rules in [["~list"], ["~list", "~v*"], ["~list", "%W~*"]] {
            let client = client(server)
            server.client.run(["ACL", "SETUSER", "u", "+sort", "+sort_ro"] + rules)
            for command in ["SORT", "SORT_RO"] {
                #expect(client.run(command, "list", "BY", "v*") == by)
                #expect(client.run(command, "list", "GET", "v*") == get)
                #expect(client.run(command, "list", "GET", "#") == get)
                #expect(client.run(command, "list", "BY", "nosort") == .bulks("1"))
            }
        }
        let reader = client(server, "+sort", "~list", "%R~*")
        #expect(reader.run("SORT", "list", "BY", "v*", "GET", "v*") == .bulks("7"))
        // One selector has to allow both.
        let split = client(server, "+sort", "~list", "(%R~* +get)")
        #expect(split.run("SORT", "list", "BY", "v*") == by)
    }

    @Test func channels() {
        let server = TestServer()
        let user = AccessUser(name: [], rules: .unrestricted)
        var rules = AccessRules(allowsAllChannels: false)
        var reader = server.server.access.makeReader()
        for word in ["+@all", "&news:*", "(&chat)"] {
            #expect(throws: Never.self) { try reader.apply(Array(word.utf8), to: &rules) }
        }
        #expect(user.allows(channel: ByteView("x"), asPattern: true))
        user.adopt(rules)
        #expect(user.allows(channel: ByteView("news:1"), asPattern: false))
        #expect(user.allows(channel: ByteView("chat"), asPattern: false))
        #expect(!user.allows(channel: ByteView("chat2"), asPattern: false))
        // A pattern has to be one of the rules'.
        #expect(user.allows(channel: ByteView("news:*"), asPattern: true))
        #expect(!user.allows(channel: ByteView("news:1"), asPattern: true))
        #expect(!user.allows(channel: ByteView("*"), asPattern: true))
        let owned = OwnedArguments(["X", "news:1", "other"].map { Array($0.utf8) })
        func denial(_ use: ChannelUse) -> AccessDenial? {
            user.denial(
                of: AccessRequest(
                    command: 0, isAlwaysAllowed: false, arguments: owned.view, channels: use),
                keys: [])
        }
        #expect(denial(ChannelUse(isOnlyOne: true, arePatterns: false)) == nil)
        #expect(denial(ChannelUse(isOnlyOne: false, arePatterns: false)) == .channel(2))
        #expect(denial(ChannelUse(isOnlyOne: false, arePatterns: true)) == .channel(1))
    }
}
