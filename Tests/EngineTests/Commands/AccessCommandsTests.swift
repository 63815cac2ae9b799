import Testing

@testable import Engine

@Suite struct AccessCommandsTests {
    private func lines(_ server: TestServer) -> [String] {
        server.run("ACL", "LIST").elements.compactMap(\.text)
    }

    // MARK: - Users

    @Test func thereIsAlwaysTheDefaultUser() {
        let server = TestServer()
        #expect(lines(server) == ["user default on nopass ~* &* +@all"])
        #expect(server.run("ACL", "WHOAMI") == .bulk("default"))
        #expect(
            server.run("ACL", "DELUSER", "x", "default")
                == .error("ERR The 'default' user cannot be removed"))
        #expect(server.run("ACL", "USERS") == .bulks("default"))
    }

    @Test func setUserAppliesAllOrNothing() {
        let server = TestServer()
        #expect(server.run("ACL", "SETUSER", "alice", "on", ">pw", "~a*", "+get") == "OK")
        let before = lines(server)
        #expect(
            server.run("ACL", "SETUSER", "alice", "off", "~b*", "+nope")
                == .error(
                    "ERR Error in ACL SETUSER modifier '+nope': Unknown command or category name in "
                        + "ACL"))
        #expect(
            server.run("ACL", "SETUSER", "alice", "off", "(+get", "~b")
                == .error("ERR Unmatched parenthesis in acl selector starting at '(+get'."))
        #expect(lines(server) == before)
        #expect(server.run("ACL", "SETUSER", "bob", "zzz").isError)
        #expect(server.run("ACL", "GETUSER", "bob") == nil)
        for name in ["a b", "a\u{0}b", "\n"] {
            #expect(
                server.run("ACL", "SETUSER", name)
                    == .error("ERR Usernames can't contain spaces or null characters"))
        }
        #expect(
            server.run("ACL", "SETUSER")
                == .error("ERR wrong number of arguments for 'acl|setuser' command"))
    }

    @Test func getUserTellsRules() {
        let server = TestServer()
        server.run("ACL", "SETUSER", "u", "on", "nopass", "%R~r", "&c", "+get", "(+set ~w)")
        #expect(
            server.run("ACL", "GETUSER", "u")
                == [
                    .bulk("flags"), .bulks("on", "nopass"), .bulk("passwords"), [],
                    .bulk("commands"), .bulk("-@all +get"), .bulk("keys"), .bulk("%R~r"),
                    .bulk("channels"), .bulk("&c"), .bulk("selectors"),
                    [
                        .bulks(
                            "commands", "-@all +set", "keys", "~w", "channels", "")
                    ],
                ])
        server.run("HELLO", "3")
        guard case .map(let fields) = server.run("ACL", "GETUSER", "u") else {
            Issue.record("no map in RESP3")
            return
        }
        #expect(fields[1] == .set([.bulk("on"), .bulk("nopass")]))
        #expect(server.run("ACL", "GETUSER", "nobody") == nil)
    }

    @Test func deletedUsersLoseTheirConnections() {
        let server = TestServer()
        server.run("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~*")
        let (other, own) = (server.connect(), server.connect())
        #expect(other.run("AUTH", "u", "") == "OK")
        #expect(own.run("AUTH", "u", "") == "OK")
        #expect(own.run("ACL", "DELUSER", "u", "nobody", "u") == 1)
        server.server.closeMarked()
        #expect(!server.server.connections.contains(other.connection))
        #expect(own.connection.closesAfterReply)
        #expect(server.run("PING") == "PONG")
        #expect(server.run("ACL", "USERS") == .bulks("default"))
    }

    @Test func namesAreBytes() {
        let server = TestServer()
        let client = server.client
        #expect(client.run(bytes: [Array("ACL".utf8), Array("SETUSER".utf8), [0xFF]]) == "OK")
        #expect(client.run(bytes: [Array("ACL".utf8), Array("SETUSER".utf8), [0xFE]]) == "OK")
        #expect(server.run("ACL", "USERS").elements.count == 3)
        #expect(server.server.access.users.map(\.name).contains([0xFE]))
    }

    // MARK: - Categories

    @Test func categoriesAreThoseOfTheTable() {
        let server = TestServer()
        #expect(
            server.run("ACL", "CAT").elements.compactMap(\.text) == CommandCategories.names)
        for name in CommandCategories.names {
            let listed = server.run("ACL", "CAT", name).elements.compactMap(\.text)
            let filtered = server.run("COMMAND", "LIST", "FILTERBY", "ACLCAT", name)
            #expect(Set(listed) == Set(filtered.elements.compactMap(\.text)), "\(name)")
        }
        #expect(server.run("ACL", "CAT", "GEO") == server.run("ACL", "CAT", "geo"))
        #expect(server.run("ACL", "CAT", "nope") == .error("ERR Unknown category 'nope'"))
        #expect(
            server.run("ACL", "CAT", "a", "b")
                == .error(
                    "ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP."))
    }

    // MARK: - Passwords

    @Test func generatedPasswordsAreAsLongAsAsked() {
        let server = TestServer()
        for (bits, digits) in [("1", 1), ("4", 1), ("5", 2), ("32", 8), ("4096", 1024)] {
            let text = server.run("ACL", "GENPASS", bits).text ?? ""
            #expect(text.count == digits)
            #expect(!text.contains { !$0.isHexDigit })
        }
        let first = server.run("ACL", "GENPASS").text ?? ""
        #expect(first.count == 64)
        #expect(server.run("ACL", "GENPASS").text != first)
        let range = Reply.error(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a "
                + "positive number up to 4096")
        #expect(server.run("ACL", "GENPASS", "0") == range)
        #expect(server.run("ACL", "GENPASS", "-9223372036854775808") == range)
        #expect(server.run("ACL", "GENPASS", "4097") == range)
        #expect(
            server.run("ACL", "GENPASS", "x")
                == .error("ERR value is not an integer or out of range"))
    }

    @Test func passwordsOpenAndCloseUsers() {
        let server = TestServer()
        let wrong = Reply.error(
            "WRONGPASS invalid username-password pair or user is disabled.")
        server.run("ACL", "SETUSER", "u", ">one", ">two", "+acl")
        let client = server.connect()
        #expect(client.run("AUTH", "u", "one") == wrong)
        server.run("ACL", "SETUSER", "u", "on")
        #expect(client.run("AUTH", "u", "one") == "OK")
        #expect(client.run("AUTH", "u", "two") == "OK")
        #expect(client.run("AUTH", "u", "three") == wrong)
        #expect(client.run("ACL", "WHOAMI") == .bulk("u"))
        server.run("ACL", "SETUSER", "u", "<one")
        #expect(client.run("AUTH", "u", "one") == wrong)
        server.run("ACL", "SETUSER", "u", "resetpass")
        #expect(client.run("AUTH", "u", "two") == wrong)
        server.run("ACL", "SETUSER", "u", "nopass")
        #expect(client.run("AUTH", "u", "anything") == "OK")
        #expect(client.run("HELLO", "2", "AUTH", "u", "x").elements.count == 14)
        #expect(client.run("HELLO", "2", "AUTH", "nobody", "x") == wrong)
        #expect(
            server.run("AUTH", "x")
                == .error(
                    "ERR AUTH <password> called without any password configured for the default "
                        + "user. Are you sure your configuration is correct?"))
    }

    @Test func requirePassIsThePasswordOfTheDefaultUser() {
        let server = TestServer("requirepass secret")
        let client = server.connect()
        #expect(client.run("PING") == .error("NOAUTH Authentication required."))
        #expect(client.run("AUTH", "wrong").isError)
        #expect(client.run("AUTH", "secret") == "OK")
        #expect(client.run("PING") == "PONG")
        client.run("ACL", "SETUSER", "default", ">second")
        #expect(server.connect().run("AUTH", "second") == "OK")
        client.run("CONFIG", "SET", "requirepass", "third")
        #expect(server.connect().run("AUTH", "second").isError)
        #expect(server.connect().run("AUTH", "default", "third") == "OK")
        client.run("CONFIG", "SET", "requirepass", "")
        #expect(server.connect().run("PING") == "PONG")
        #expect(client.run("PING") == "PONG")
    }

    @Test func aDisabledDefaultUserLetsNobodyIn() {
        let server = TestServer()
        server.run("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~*")
        server.run("ACL", "SETUSER", "default", "off")
        // Who is in stays in.
        #expect(server.run("PING") == "PONG")
        let client = server.connect()
        #expect(client.run("PING") == .error("NOAUTH Authentication required."))
        #expect(client.run("AUTH", "default", "x").isError)
        #expect(
            client.run("HELLO")
                == .error(
                    "NOAUTH HELLO must be called with the client already authenticated, otherwise "
                        + "the HELLO AUTH <user> <pass> option can be used to authenticate the "
                        + "client and select the RESP protocol version at the same time"))
        #expect(client.run("AUTH", "u", "x") == "OK")
        #expect(client.run("PING") == "PONG")
        client.run("RESET")
        #expect(client.run("PING") == .error("NOAUTH Authentication required."))
    }

    // MARK: - ACL LOG

    private func entry(_ reply: Reply) -> [String: String] {
        var fields: [String: String] = [:]
        let parts = reply.elements
        for index in stride(from: 0, to: parts.count - 1, by: 2) {
            fields[parts[index].text ?? ""] =
                parts[index + 1].text ?? parts[index + 1].integer.map(String.init) ?? ""
        }
        return fields
    }

    @Test func denialsAreLogged() {
        let server = TestServer()
        server.run("ACL", "SETUSER", "u", "on", ">pw", "+set", "+config|get", "~a", "&c")
        let client = server.connect()
        client.run("AUTH", "u", "pw")
        client.run("GET", "a")
        client.run("GET", "a")
        client.run("CONFIG", "SET", "x", "y")
        client.run("SET", "b", "1")
        client.run("AUTH", "u", "guess")
        server.advance(milliseconds: 1500)
        let log = server.run("ACL", "LOG").elements.map(entry)
        #expect(log.map { $0["reason"] } == ["auth", "key", "command", "command"])
        #expect(log.map { $0["object"] } == ["AUTH", "b", "config|set", "get"])
        #expect(log.map { $0["count"] } == ["1", "1", "1", "2"])
        #expect(!log.contains { $0["username"] != "u" || $0["context"] != "toplevel" })
        #expect(log[0]["age-seconds"] == "1.5")
        #expect(log[3]["client-info"]?.contains("cmd=get user=u ") == true)
        #expect(server.run("ACL", "LOG", "2").elements.count == 2)
        #expect(server.run("ACL", "LOG", "-5").elements.isEmpty)
        #expect(server.run("ACL", "LOG", "x").isError)
        let info = server.run("INFO", "stats").text ?? ""
        for field in ["auth:1", "cmd:3", "key:1", "channel:0"] {
            #expect(info.contains("acl_access_denied_\(field)\r\n"), "\(field)")
        }
        #expect(server.run("ACL", "LOG", "reset") == "OK")
        #expect(server.run("ACL", "LOG").elements.isEmpty)
    }

    @Test func theLogHoldsAsManyAsTheSettingSays() {
        let server = TestServer("acllog-max-len 3")
        server.run("ACL", "SETUSER", "u", "on", "nopass", "+set", "~a")
        let client = server.connect()
        client.run("AUTH", "u", "")
        for number in 0..<6 { client.run("SET", "\(number)", "x") }
        #expect(server.run("ACL", "LOG").elements.count == 3)
    }

    // MARK: - ACL DRYRUN

    @Test func dryRunTellsWithoutDoing() {
        let server = TestServer()
        server.run("ACL", "SETUSER", "u", "+get", "+set", "~a", "(+del %W~b)")
        func tried(_ arguments: String...) -> Reply {
            server.client.run(["ACL", "DRYRUN", "u"] + arguments)
        }
        #expect(tried("SET", "a", "1") == "OK")
        #expect(server.run("EXISTS", "a") == 0)
        #expect(
            tried("set", "c", "1")
                == .bulk(
                    "This user has no permissions to access the 'c' key"))
        #expect(tried("del", "b") == "OK")
        #expect(tried("del", "a") == .bulk("This user has no permissions to access the 'a' key"))
        #expect(
            tried("incr", "a") == .bulk("This user has no permissions to run the 'incr' command"))
        #expect(
            tried("config", "get", "x")
                == .bulk("This user has no permissions to run the 'config|get' command"))
        #expect(tried("nope") == .error("ERR Command 'nope' not found"))
        #expect(tried("config", "nope") == .error("ERR Command 'config' not found"))
        #expect(tried("get") == .error("ERR wrong number of arguments for 'get' command"))
        #expect(tried("auth", "x") == "OK")
        #expect(
            server.run("ACL", "DRYRUN", "nobody", "get", "a")
                == .error("ERR User 'nobody' not found"))
    }

    // MARK: - Files and help

    @Test func withoutAFileThereIsNothingToLoad() {
        let server = TestServer()
        for word in ["LOAD", "SAVE"] {
            #expect(
                server.run("ACL", word).text?.hasPrefix(
                    "ERR This Redis instance is not configured to use an ACL file.") == true)
        }
    }

    @Test func usersOfTheConfiguration() {
        let server = TestServer(
            "acl-pubsub-default allchannels\nuser u on nopass ( +get ~a ) +set\n"
                + "user default on >pw ~* +@all")
        let client = server.connect()
        #expect(client.run("PING") == .error("NOAUTH Authentication required."))
        #expect(client.run("AUTH", "pw") == "OK")
        #expect(
            client.run("ACL", "LIST").elements.last?.text
                == "user u on nopass &* -@all +set (~a &* -@all +get)")
        client.run("CONFIG", "SET", "acl-pubsub-default", "resetchannels")
        client.run("ACL", "SETUSER", "v")
        #expect(client.run("ACL", "LIST").elements.last?.text == "user v off resetchannels -@all")
    }

    @Test func clientsAreFoundByTheirUser() {
        let server = TestServer()
        server.run("ACL", "SETUSER", "u", "on", "nopass")
        let client = server.connect()
        client.run("AUTH", "u", "")
        let text = server.run("CLIENT", "LIST", "USER", "u").text ?? ""
        #expect(text.contains(" user=u ") && !text.contains(" user=default "))
        #expect(server.run("CLIENT", "KILL", "USER", "u") == 1)
        #expect(
            server.run("CLIENT", "KILL", "USER", "nobody")
                == .error("ERR No such user 'nobody'"))
    }

    @Test func helpIsThatOfThePeers() {
        let lines = TestServer().run("ACL", "HELP").elements.compactMap(\.text)
        #expect(lines.first == "ACL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
        #expect(lines.count == 29)
        #expect(TestServer().run("ACL", "HELP", "x").isError)
        #expect(
            TestServer().run("ACL", "NOPE")
                == .error("ERR unknown subcommand 'NOPE'. Try ACL HELP."))
    }
}
