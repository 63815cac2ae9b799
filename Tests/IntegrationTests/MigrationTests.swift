import Foundation
import Glibc
import Testing

/// Keys that go from one server to another.
@Suite struct MigrationTests {
    @Test func `keys arrive with their deadlines, and are gone here`() throws {
        let (here, there) = (try ServerProcess(), try ServerProcess())
        let (from, to) = (try here.connect(), try there.connect())
        try from.run("SET", "plain", "1")
        try from.run("SET", "leaving", "2", "EX", "1000")
        try from.run("RPUSH", "list", "a", "b")
        let port = String(there.port)
        #expect(
            try from.run(
                "MIGRATE", "127.0.0.1", port, "", "2", "5000", "KEYS", "plain", "none", "leaving",
                "list") == "OK")
        #expect(try from.run("DBSIZE") == 0)
        try to.run("SELECT", "2")
        #expect(try to.run("GET", "plain") == "1")
        #expect(try to.run("LRANGE", "list", "0", "-1") == .list(["a", "b"]))
        guard case .integer(let seconds) = try to.run("TTL", "leaving") else {
            Issue.record("no time to live")
            return
        }
        #expect((990...1000).contains(seconds))
    }

    @Test func `what is there already stays, unless it is to be replaced`() throws {
        let (here, there) = (try ServerProcess(), try ServerProcess())
        let (from, to) = (try here.connect(), try there.connect())
        for key in ["a", "b"] { try from.run("SET", key, "new") }
        try to.run("SET", "b", "old")
        let port = String(there.port)
        #expect(
            try from.run("MIGRATE", "127.0.0.1", port, "", "0", "5000", "KEYS", "a", "b")
                == .error(
                    "ERR Target instance replied with error: BUSYKEY Target key name already exists."
                ))
        #expect(try from.run("EXISTS", "a", "b") == 1)
        #expect(
            try from.run("MIGRATE", "127.0.0.1", port, "b", "0", "5000", "COPY", "REPLACE") == "OK")
        #expect(try from.run("EXISTS", "b") == 1)
        #expect(try to.run("GET", "b") == "new")
    }

    @Test func `a password is asked for, and a closed connection is opened again`() throws {
        let (here, there) = (try ServerProcess(), try ServerProcess("requirepass secret"))
        let from = try here.connect()
        let port = String(there.port)
        try from.run("SET", "key", "1")
        guard
            case .error(let text) = try from.run(
                "MIGRATE", "127.0.0.1", port, "key", "0", "5000", "AUTH", "wrong")
        else {
            Issue.record("a wrong password was taken")
            return
        }
        #expect(text.contains("WRONGPASS"))
        #expect(try from.run("EXISTS", "key") == 1)
        #expect(
            try from.run(
                "MIGRATE", "127.0.0.1", port, "key", "0", "5000", "AUTH2", "default", "secret")
                == "OK")
        there.kill(SIGKILL)
        try there.waitForEnd()
        try there.restart()
        try from.run("SET", "key", "2")
        #expect(
            try from.run("MIGRATE", "127.0.0.1", port, "key", "0", "5000", "AUTH", "secret")
                == "OK")
    }

    /// Whatever is neither OK nor an error says nothing of where the key is.
    @Test(arguments: [
        "+PONG\r\n", "+OKAY\r\n", "+ok\r\n", ":1\r\n", "$2\r\nOK\r\n", "junk\r\n", "\r\n", "_\r\n",
        String(repeating: "x", count: 256) + "\n", String(repeating: "x", count: 256),
    ])
    func `a key stays unless the other server says OK`(answer: String) throws {
        let server = try ServerProcess()
        let client = try server.connect()
        try client.run("SET", "k", "v")
        let listener = try PortListener()
        try client.send(["MIGRATE", "127.0.0.1", String(listener.port), "k", "0", "500"])
        let other = try listener.accept()
        defer { close(other) }
        // To SELECT, or to RESTORE behind an OK.
        _ = answer.withCString { send(other, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
        let reply = try client.read()
        #expect(reply.text?.hasPrefix("IOERR") == true, "\(reply)")
        #expect(try client.run("GET", "k") == "v")
    }
}
