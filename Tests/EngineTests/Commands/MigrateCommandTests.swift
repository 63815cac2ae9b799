import Testing

@testable import Engine

/// What MIGRATE says before it speaks to anybody; the rest is an integration test.
struct MigrateCommandTests {
    @Test(arguments: [
        (["h", "1", "k", "0", "10", "NONSENSE"], "ERR syntax error"),
        (["h", "1", "k", "0", "10", "AUTH"], "ERR syntax error"),
        (["h", "1", "k", "0", "10", "AUTH2", "user"], "ERR syntax error"),
        (["h", "1", "k", "x", "10"], "ERR value is not an integer or out of range"),
        (["h", "1", "k", "0", "x"], "ERR value is not an integer or out of range"),
        (
            ["h", "1", "k", "0", "10", "KEYS", "a"],
            "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
        ),
    ])
    func `refuses what is wrong`(arguments: [String], complaint: String) {
        #expect(TestServer().client.run(["MIGRATE"] + arguments) == .error(complaint))
    }

    @Test func `without keys nobody is called`() {
        let server = TestServer()
        #expect(server.run("MIGRATE", "h", "1", "k", "0", "10") == "NOKEY")
        #expect(server.run("MIGRATE", "h", "1", "", "0", "10", "KEYS", "a", "b") == "NOKEY")
    }

    @Test func `where nobody listens the keys stay`() {
        let server = TestServer()
        server.run("SET", "k", "v")
        #expect(
            server.run("MIGRATE", "127.0.0.1", "1", "k", "0", "100")
                == .error("IOERR error or timeout connecting to the client"))
        #expect(server.run("GET", "k") == .bulk("v"))
    }

    @Test func `keys are found behind KEYS, and passwords are no keys`() {
        let server = TestServer()
        #expect(
            server.run(
                "COMMAND", "GETKEYS", "MIGRATE", "h", "1", "", "0", "10", "AUTH", "KEYS", "KEYS",
                "a", "b") == .array([.bulk("a"), .bulk("b")]))
        #expect(
            server.run("COMMAND", "GETKEYS", "MIGRATE", "h", "1", "k", "0", "10", "COPY")
                == .array([.bulk("k")]))
    }
}
