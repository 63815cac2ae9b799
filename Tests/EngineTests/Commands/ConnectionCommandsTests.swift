import Testing

@testable import Engine

@Suite struct ConnectionCommandsTests {
    private let wrongPassword =
        Reply.error("WRONGPASS invalid username-password pair or user is disabled.")

    @Test func pingAndEchoReturnWhatTheyGet() {
        let server = TestServer()
        #expect(server.run("PING") == "PONG")
        #expect(server.run("PING", "a") == .bulk("a"))
        #expect(
            server.run("PING", "a", "b")
                == .error("ERR wrong number of arguments for 'ping' command"))
        #expect(server.run("ECHO", "") == .bulk(""))
    }

    @Test func aPasswordIsAskedFor() {
        let server = TestServer("requirepass secret\n")
        #expect(server.run("GET", "k") == .error("NOAUTH Authentication required."))
        #expect(server.run("AUTH", "wrong") == wrongPassword)
        #expect(server.run("AUTH", "secre") == wrongPassword)
        #expect(server.run("AUTH", "secretsecret") == wrongPassword)
        #expect(server.run("AUTH", "") == wrongPassword)
        #expect(server.run("AUTH", "other", "secret") == wrongPassword)
        #expect(server.run("AUTH", "a", "b", "c") == .error("ERR syntax error"))
        #expect(server.run("AUTH", "secret") == "OK")
        #expect(server.run("GET", "k") == nil)
        #expect(server.connect().run("AUTH", "default", "secret") == "OK")
        #expect(server.server.statistics.authenticationFailures == 5)
    }

    @Test func unknownCommandsAndWrongCountsAreToldBeforeAuthentication() {
        let server = TestServer("requirepass secret\n")
        #expect(
            server.run("NOPE", "a")
                == .error("ERR unknown command 'NOPE', with args beginning with: 'a' "))
        #expect(
            server.run("GET") == .error("ERR wrong number of arguments for 'get' command"))
    }

    @Test func withoutPasswordThereIsNothingToGuess() {
        let server = TestServer()
        #expect(server.run("AUTH", "x").text?.hasPrefix("ERR AUTH <password> called") == true)
        #expect(server.run("AUTH", "default", "x") == "OK")
        #expect(server.run("AUTH", "nobody", "x") == wrongPassword)
    }

    @Test func takingThePasswordAwayLetsEveryoneIn() {
        let server = TestServer("requirepass secret\n")
        server.server.settings.requiredPassword = nil
        server.server.requirePassword()
        #expect(server.run("GET", "k") == nil)
    }

    @Test func helloChoosesTheProtocol() {
        let server = TestServer()
        let id = Int64(server.client.connection.id)
        let facts: [Reply] = [
            .bulk("server"), .bulk("redis"), .bulk("version"), .bulk("7.4.0"), .bulk("proto"), 3,
            .bulk("id"), .integer(id), .bulk("mode"), .bulk("standalone"), .bulk("role"),
            .bulk("master"), .bulk("modules"), .array([]),
        ]
        #expect(server.run("HELLO", "3") == .map(facts))
        #expect(server.run("HELLO") == .map(facts))
        #expect(server.run("HELLO", "2").elements[5] == 2)
        #expect(server.run("HELLO", "2").elements.count == 14)
    }

    @Test func helloChangesAllOrNothing() {
        let server = TestServer("requirepass secret\n")
        #expect(server.run("HELLO", "3").text?.hasPrefix("NOAUTH HELLO must be called") == true)
        #expect(server.run("HELLO", "3", "AUTH", "default", "wrong") == wrongPassword)
        #expect(
            server.run("HELLO", "3", "AUTH", "default", "secret", "SETNAME", "a b").isError)
        #expect(server.client.connection.session.protocolVersion == 2)
        #expect(!server.client.connection.session.isAuthenticated)
        _ = server.run("HELLO", "3", "SETNAME", "me", "AUTH", "default", "secret")
        #expect(server.client.connection.session.name == "me")
        #expect(server.run("GET", "absent") == nil)
    }

    @Test(arguments: [
        ("HELLO 4", "NOPROTO unsupported protocol version"),
        ("HELLO 1", "NOPROTO unsupported protocol version"),
        ("HELLO -1", "NOPROTO unsupported protocol version"),
        ("HELLO x", "ERR Protocol version is not an integer or out of range"),
        ("HELLO 99999999999999999999", "ERR Protocol version is not an integer or out of range"),
        ("HELLO 2 AUTH a", "ERR Syntax error in HELLO option 'AUTH'"),
        ("HELLO 2 SETNAME", "ERR Syntax error in HELLO option 'SETNAME'"),
        ("HELLO 2 FOO", "ERR Syntax error in HELLO option 'FOO'"),
        ("SELECT x", "ERR value is not an integer or out of range"),
        ("SELECT -1", "ERR DB index is out of range"),
        ("SELECT 16", "ERR DB index is out of range"),
        (
            "SELECT 2147483648",
            "ERR value is out of range, value must between -2147483648 and 2147483647"
        ),
    ])
    func mistakesAreNamed(_ command: String, _ error: String) {
        let words = command.split(separator: " ").map(String.init)
        #expect(TestServer().client.run(words) == .error(error))
    }

    @Test func selectChoosesTheDatabase() {
        let server = TestServer()
        server.run("SET", "k", "0")
        #expect(server.run("SELECT", "15") == "OK")
        #expect(server.run("GET", "k") == nil)
        #expect(server.run("SELECT", "0") == "OK")
        #expect(server.run("GET", "k") == .bulk("0"))
    }

    @Test func resetBringsTheBeginningBack() {
        let server = TestServer("requirepass secret\n")
        server.run("AUTH", "secret")
        for command in [
            ["HELLO", "3"], ["SELECT", "3"], ["CLIENT", "SETNAME", "me"],
            ["CLIENT", "SETINFO", "LIB-NAME", "lib"], ["CLIENT", "NO-TOUCH", "ON"],
            ["CLIENT", "REPLY", "OFF"],
        ] { _ = server.client.run(command) }
        #expect(server.run("RESET") == "RESET")
        let session = server.client.connection.session
        #expect(session.database == 0)
        #expect(session.protocolVersion == 2)
        #expect(session.name == "")
        #expect(session.libraryName == "lib")
        #expect(server.run("GET", "k") == .error("NOAUTH Authentication required."))
        server.run("AUTH", "secret")
        #expect(server.run("GET", "k") == nil)
        #expect(server.client.connection.gate == [])
    }

    @Test func nothingIsExecutedAfterQuit() {
        let test = TestServer()
        let client = WireClient(test.server)
        #expect(client.exchange("SET k 1\r\nQUIT\r\nSET k 2\r\n") == "+OK\r\n+OK\r\n")
        #expect(client.isClosed)
        #expect(test.run("GET", "k") == .bulk("1"))
    }
}
