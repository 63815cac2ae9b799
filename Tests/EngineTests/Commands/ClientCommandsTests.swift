import Testing

@testable import Engine

@Suite struct ClientCommandsTests {
    private func fields(_ line: String) -> [String: String] {
        var fields: [String: String] = [:]
        for field in line.split(separator: " ") {
            let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            fields[String(parts[0])] = parts.count == 2 ? String(parts[1]) : ""
        }
        return fields
    }

    /// The ids that CLIENT LIST shows.
    private func ids(_ server: TestServer, _ filters: String...) -> [Int] {
        let text = server.client.run(["CLIENT", "LIST"] + filters).text ?? ""
        return text.split(separator: "\n").compactMap {
            fields(String($0))["id"].flatMap { Int($0) }
        }
    }

    @Test func theLineBeginsAsThatOfRedis7() {
        let test = TestServer()
        let client = WireClient(test.server)
        let reply = client.exchange("*2\r\n$6\r\nCLIENT\r\n$4\r\nLIST\r\n")
        let line = reply.split(separator: "\n").first { $0.contains("cmd=client|list") } ?? ""
        let names = line.split(separator: " ").map { $0.prefix { $0 != "=" } }
        #expect(
            names.joined(separator: " ") == """
                id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem \
                multi-mem rbs rbp obl oll omem tot-mem events cmd user redir resp lib-name lib-ver \
                io-thread tot-net-in tot-net-out tot-cmds watch capa
                """)
        let fields = fields(String(line))
        #expect(fields["qbuf"] == "26")
        #expect(fields["argv-mem"] == "10")
        #expect(fields["flags"] == "U")
        #expect(fields["tot-net-in"] == "26")
        #expect(fields["omem"] == "0")
    }

    /// Reply buffers are lent; what is shown is the room that was needed of late.
    @Test func theRoomForRepliesFollowsTheReplies() {
        let test = TestServer()
        let client = WireClient(test.server)
        func room() -> String? { fields(test.server.describe(client.connection))["rbs"] }
        #expect(room() == "1024")
        client.send("SETRANGE k 2999 x\r\nGET k\r\n")
        #expect(room() == "4096")
        client.send("SETRANGE k 39999 x\r\nGET k\r\n")
        #expect(room() == "16384")
        test.server.debug.replyPeakResetMilliseconds = 100
        test.advance(milliseconds: 101)
        for _ in 0..<20 { test.server.cron() }
        #expect(room() == "1024")
    }

    @Test func infoIsOnesOwnLine() {
        let server = TestServer()
        server.connect().run("PING")
        server.run("CLIENT", "SETNAME", "me")
        server.run("SELECT", "7")
        let text = server.run("CLIENT", "INFO").text ?? ""
        #expect(text.hasSuffix("\n"))
        let fields = fields(String(text.dropLast()))
        #expect(fields["name"] == "me")
        #expect(fields["db"] == "7")
        #expect(fields["cmd"] == "client|info")
        #expect(fields["tot-cmds"] == "2")
        server.run("HELLO", "3")
        guard case .verbatim = server.run("CLIENT", "INFO") else {
            Issue.record("not verbatim in RESP3")
            return
        }
    }

    @Test func namesAreOneWord() {
        let server = TestServer()
        #expect(server.run("CLIENT", "GETNAME") == nil)
        #expect(server.run("CLIENT", "SETNAME", "a~!") == "OK")
        #expect(server.run("CLIENT", "GETNAME") == .bulk("a~!"))
        for name in ["a b", "a\n", "\u{7F}", "é"] {
            #expect(
                server.run("CLIENT", "SETNAME", name)
                    == .error(
                        "ERR Client names cannot contain spaces, newlines or special characters."))
        }
        #expect(server.run("CLIENT", "SETNAME", "") == "OK")
        #expect(server.run("CLIENT", "GETNAME") == nil)
        #expect(server.run("CLIENT", "SETINFO", "LIB-NAME", "l(1)") == "OK")
        #expect(server.run("CLIENT", "SETINFO", "lib-ver", "1.2") == "OK")
        #expect(server.client.connection.session.libraryName == "l(1)")
        #expect(server.client.connection.session.libraryVersion == "1.2")
        #expect(
            server.run("CLIENT", "SETINFO", "lib-ver", "1 2")
                == .error("ERR lib-ver cannot contain spaces, newlines or special characters."))
    }

    @Test func filtersOfListAreConditionsThatAllHold() {
        let server = TestServer()
        let other = server.connect()
        let third = server.connect()
        let (one, two, three) = (
            Int(server.client.connection.id), Int(other.connection.id), Int(third.connection.id)
        )
        other.run("CLIENT", "SETNAME", "other")
        other.run("SELECT", "2")
        other.run("CLIENT", "SETINFO", "LIB-NAME", "lib")
        third.run("CLIENT", "CAPA", "redirect")
        third.run("CLIENT", "NO-EVICT", "ON")
        #expect(ids(server) == [one, two, three])
        #expect(ids(server, "ID", "\(two)", "\(three)") == [two, three])
        #expect(ids(server, "ID", "\(two)", "ID", "\(three)") == [two, three])
        #expect(ids(server, "NOT-ID", "\(two)") == [one, three])
        #expect(ids(server, "ID", "\(one)", "\(two)", "SKIPME", "yes") == [two])
        #expect(ids(server, "NAME", "other") == [two])
        #expect(ids(server, "NOT-NAME", "other") == [one, three])
        #expect(ids(server, "DB", "2") == [two])
        #expect(ids(server, "NOT-DB", "2", "NOT-FLAGS", "e") == [one])
        #expect(ids(server, "LIB-NAME", "lib", "TYPE", "normal") == [two])
        #expect(ids(server, "CAPA", "r") == [three])
        #expect(ids(server, "FLAGS", "e") == [three])
        #expect(ids(server, "TYPE", "replica") == [])
        #expect(ids(server, "USER", "default", "IP", "127.0.0.1") == [one, two, three])
        #expect(ids(server, "NOT-IP", "127.0.0.1") == [])
        server.advance(milliseconds: 5000)
        #expect(ids(server, "MAXAGE", "5") == [one, two, three])
        #expect(ids(server, "MAXAGE", "6") == [])
        #expect(ids(server, "IDLE", "5", "NOT-ID", "\(one)") == [two, three])
    }

    @Test(arguments: [
        ("LIST FOO", "ERR syntax error"), ("LIST TYPE", "ERR syntax error"),
        ("LIST TYPE x", "ERR Unknown client type 'x'"), ("LIST ID", "ERR syntax error"),
        ("LIST ID x", "ERR Invalid client ID"), ("LIST ID 1 x", "ERR Invalid client ID"),
        ("LIST SKIPME x", "ERR syntax error"), ("KILL x", "ERR No such client"),
        ("KILL a b c", "ERR syntax error"),
        ("KILL ID x", "ERR client-id should be greater than 0"),
        ("KILL ID 0", "ERR client-id should be greater than 0"),
        ("KILL ID 10 wrong_arg", "ERR syntax error"),
        ("KILL USER x", "ERR No such user 'x'"),
        ("KILL MAXAGE 0", "ERR maxage should be greater than 0"),
        ("KILL MAXAGE x", "ERR maxage is not an integer or out of range"),
        ("KILL IDLE -1", "ERR idle should be greater than 0"),
        ("KILL DB 99", "ERR DB number should be between 0 and 15"),
        ("KILL FLAGS Z", "ERR Unknown flags found in the provided filter: Z"),
        ("KILL NOT-FLAGS !", "ERR Unknown flags found in the NOT-FLAGS filter: !"),
        ("KILL NOT-IDLE 1", "ERR syntax error"),
        ("PAUSE x", "ERR timeout is not an integer or out of range"),
        ("PAUSE -1", "ERR timeout is negative"),
        ("PAUSE 9223372036854775807", "ERR timeout is out of range"),
        ("PAUSE 1 x", "ERR CLIENT PAUSE mode must be WRITE or ALL"),
        (
            "PAUSE 1 ALL x",
            "ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP."
        ),
        ("UNBLOCK x", "ERR value is not an integer or out of range"),
        ("UNBLOCK 1 x", "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),
        ("NO-EVICT x", "ERR syntax error"), ("NO-TOUCH x", "ERR syntax error"),
        ("REPLY x", "ERR syntax error"), ("SETINFO x y", "ERR Unrecognized option 'x'"),
        ("NOPE", "ERR unknown subcommand 'NOPE'. Try CLIENT HELP."),
        ("KILL", "ERR wrong number of arguments for 'client|kill' command"),
    ])
    func mistakesAreNamed(_ command: String, _ error: String) {
        let words = ["CLIENT"] + command.split(separator: " ").map(String.init)
        #expect(TestServer().client.run(words) == .error(error))
    }

    @Test func killingOneselfRepliesFirst() {
        let test = TestServer()
        let client = WireClient(test.server)
        let id = client.connection.id
        #expect(client.exchange("CLIENT KILL ID \(id) SKIPME no\r\nPING\r\n") == ":1\r\n")
        #expect(client.isClosed)
    }

    @Test func othersAreKilledAtOnce() {
        let test = TestServer()
        let client = WireClient(test.server)
        let victims = [WireClient(test.server), WireClient(test.server)]
        #expect(client.exchange("CLIENT KILL SKIPME yes\r\n") == ":3\r\n")
        for victim in victims {
            victim.turn()
            #expect(victim.isClosed)
        }
        #expect(test.server.connections.count == 1)
        let name = client.connection.peerName
        #expect(client.exchange("CLIENT KILL \(name)\r\n") == "+OK\r\n")
        #expect(client.isClosed)
    }

    // MARK: - CLIENT REPLY

    @Test func repliesAreLeftOut() {
        let test = TestServer()
        let client = WireClient(test.server)
        #expect(
            client.exchange(
                "CLIENT REPLY OFF\r\nPING\r\nNOPE\r\nGET\r\nCLIENT REPLY ON\r\nPING\r\n")
                == "+OK\r\n+PONG\r\n")
        #expect(
            client.exchange("PING\r\nCLIENT REPLY SKIP\r\nPING a\r\nPING b\r\n")
                == "+PONG\r\n$1\r\nb\r\n")
        #expect(client.exchange("CLIENT REPLY SKIP\r\nNOPE\r\nPING\r\n") == "+PONG\r\n")
        #expect(
            client.exchange("CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING\r\n")
                == "+OK\r\n+PONG\r\n")
        #expect(
            client.exchange("CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nPING\r\nPING b\r\n")
                == "$1\r\nb\r\n")
        #expect(
            client.exchange("CLIENT REPLY SKIP\r\nCLIENT REPLY OFF\r\nPING\r\nPING\r\n") == "")
        #expect(client.exchange("CLIENT REPLY SKIP\r\nPING\r\nCLIENT REPLY ON\r\n") == "+OK\r\n")
    }

    @Test func protocolErrorsAreRepliesToo() {
        let test = TestServer()
        let client = WireClient(test.server)
        #expect(client.exchange("CLIENT REPLY OFF\r\n*1\r\nx\r\n") == "")
        #expect(client.isClosed)
    }

    // MARK: - CLIENT PAUSE

    @Test func aPausedRequestIsPutOffAndRunLater() {
        let test = TestServer()
        let client = WireClient(test.server)
        let admin = WireClient(test.server)
        #expect(admin.exchange("CLIENT PAUSE 1000 WRITE\r\n") == "+OK\r\n")
        #expect(client.exchange("GET k\r\nSET k \"a\\x41 b\"\r\nGET k\r\n") == "$-1\r\n")
        #expect(test.server.waiting.count == 1)
        #expect(test.server.flags(of: client.connection) == "bU")
        #expect(client.exchange("GET k\r\n") == "")
        test.advance(milliseconds: 999)
        client.turn()
        #expect(client.take() == "")
        test.advance(milliseconds: 1)
        client.turn()
        #expect(client.take() == "+OK\r\n$4\r\naA b\r\n$4\r\naA b\r\n")
        #expect(test.server.waiting.count == 0)
    }

    @Test func aPauseIsExtendedNeverShortened() {
        let test = TestServer()
        let client = WireClient(test.server)
        let admin = WireClient(test.server)
        #expect(
            admin.exchange("CLIENT PAUSE 1000 WRITE\r\nCLIENT PAUSE 10 WRITE\r\n")
                == "+OK\r\n+OK\r\n")
        #expect(client.exchange("SET k 1\r\n") == "")
        test.advance(milliseconds: 500)
        #expect(admin.exchange("CLIENT PAUSE 2000 WRITE\r\n") == "+OK\r\n")
        test.advance(milliseconds: 1999)
        client.turn()
        #expect(client.take() == "")
        test.advance(milliseconds: 1)
        client.turn()
        #expect(client.take() == "+OK\r\n")
    }

    @Test func unpauseLetsAllGoOn() {
        let test = TestServer()
        let client = WireClient(test.server)
        let admin = WireClient(test.server)
        #expect(admin.exchange("CLIENT PAUSE 100000 WRITE\r\n") == "+OK\r\n")
        #expect(client.exchange("SET k 1\r\n") == "")
        #expect(admin.exchange("CLIENT UNBLOCK \(client.connection.id) ERROR\r\n") == ":0\r\n")
        #expect(admin.exchange("CLIENT UNPAUSE\r\n") == "+OK\r\n")
        #expect(client.take() == "+OK\r\n")
    }

    /// What waits is not lost, nor overtaken, when the pause ends before the turn does.
    @Test(arguments: [1, 100, 100_000])
    func unpauseInTheSameTurnLetsAllGoOn(_ length: Int) {
        let test = TestServer()
        let client = WireClient(test.server)
        let admin = WireClient(test.server)
        admin.send("CLIENT PAUSE 100000 WRITE\r\n")
        let value = String(repeating: "x", count: length)
        let set = multibulk("SET", "k", value)
        // The beginning of a large request has to be read before its end.
        client.send(Array(set.dropLast(2)))
        client.post(Array(set.suffix(2)) + multibulk("GET", "k") + multibulk("APPEND", "k", "y"))
        admin.post(Array("CLIENT UNPAUSE\r\n".utf8))
        test.server.serveNext(client.connection)
        test.server.serveNext(admin.connection)
        test.server.serveSlots()
        client.turn()
        client.turn()
        #expect(client.take() == "+OK\r\n$\(length)\r\n\(value)\r\n:\(length + 1)\r\n")
        #expect(admin.take() == "+OK\r\n+OK\r\n")
    }

    /// A pause that is over when it begins holds nobody back, not even in process.
    @Test func aPauseOfNoTimeIsNone() {
        let test = TestServer()
        #expect(test.run("CLIENT", "PAUSE", "0") == "OK")
        #expect(test.run("PING") == "PONG")
        #expect(test.run("CLIENT", "PAUSE", "0", "WRITE") == "OK")
        #expect(test.run("SET", "k", "v") == "OK")
        let client = WireClient(test.server)
        #expect(client.exchange("CLIENT PAUSE 0\r\nPING\r\n") == "+OK\r\n+PONG\r\n")
        #expect(test.server.keyspace.expiryPolicy == .remove)
    }

    @Test(arguments: [Keyspace.ExpiryPolicy.remove, .hide])
    func aPauseLeavesExpiryAsItWas(_ policy: Keyspace.ExpiryPolicy) {
        let test = TestServer()
        if policy == .hide { test.run("REPLICAOF", "10.0.0.1", "7000") }
        #expect(test.server.keyspace.expiryPolicy == policy)
        let client = WireClient(test.server)
        #expect(
            client.exchange("CLIENT PAUSE 100 WRITE\r\nCLIENT PAUSE 200\r\n")
                == "+OK\r\n+OK\r\n")
        #expect(test.server.keyspace.expiryPolicy == .hide)
        test.advance(milliseconds: 199)
        client.turn()
        #expect(test.server.keyspace.expiryPolicy == .hide)
        test.advance(milliseconds: 1)
        client.turn()
        #expect(test.server.keyspace.expiryPolicy == policy)
    }

    @Test func aPauseOfAllStopsAll() {
        let test = TestServer()
        let client = WireClient(test.server)
        #expect(client.exchange("CLIENT PAUSE 100\r\nPING\r\n") == "+OK\r\n")
        #expect(client.exchange("PING\r\n") == "")
        test.advance(milliseconds: 100)
        client.turn()
        #expect(client.take() == "+PONG\r\n+PONG\r\n")
    }

    @Test func aLargeRequestWaitsToo() {
        let test = TestServer()
        let client = WireClient(test.server)
        let admin = WireClient(test.server)
        admin.send("CLIENT PAUSE 100 WRITE\r\n")
        let value = String(repeating: "x", count: 200_000)
        client.send(multibulk("SET", "k", value) + multibulk("PING"))
        client.send(multibulk("PING", "b"))
        #expect(client.take() == "")
        test.advance(milliseconds: 100)
        client.turn()
        client.turn()
        #expect(client.take() == "+OK\r\n+PONG\r\n$1\r\nb\r\n")
        #expect(test.run("GET", "k") == .bulk(value))
    }

    @Test func keysAreHiddenButNotRemovedDuringAPause() {
        let test = TestServer()
        let admin = WireClient(test.server)
        test.run("SET", "k", "v", "PX", "10")
        admin.send("CLIENT PAUSE 1000 WRITE\r\n")
        test.advance(milliseconds: 20)
        #expect(test.run("GET", "k") == nil)
        #expect(test.server.keyspace.counters.expired == 0)
        test.advance(milliseconds: 1000)
        admin.turn()
        #expect(test.run("GET", "k") == nil)
        #expect(test.server.keyspace.counters.expired == 1)
    }

    /// More than fits beside a paused request is left to the socket, and read when it goes on.
    @Test func aFloodDuringAPauseIsServedAfterIt() {
        let test = TestServer()
        let client = WireClient(test.server)
        let admin = WireClient(test.server)
        admin.send("CLIENT PAUSE 100 ALL\r\n")
        let count = 12_000
        client.send(Array(String(repeating: "PING abc\r\n", count: count).utf8))
        #expect(client.take() == "")
        #expect(!client.connection.watchesReadable)
        test.advance(milliseconds: 100)
        for _ in 0..<count where client.received.count < count * 9 { client.turn() }
        #expect(client.take() == String(repeating: "$3\r\nabc\r\n", count: count))
    }

    /// A broken socket is reported in every turn, whether it is read from or not.
    @Test func whoBreaksOffInAPauseIsClosed() {
        let test = TestServer()
        let client = WireClient(test.server)
        client.send("CLIENT PAUSE 100 ALL\r\n")
        client.send(Array(String(repeating: "PING abc\r\n", count: 12_000).utf8))
        #expect(!client.connection.watchesReadable)
        test.server.serveNext(client.connection)
        #expect(!client.connection.transport.isOpen)
        #expect(test.server.waiting.count == 0)
    }

    @Test func whoIsClosedWhilePausedIsForgotten() {
        let test = TestServer()
        let client = WireClient(test.server)
        let admin = WireClient(test.server)
        admin.send("CLIENT PAUSE 100 WRITE\r\n")
        client.send("SET k 1\r\n")
        admin.send("CLIENT KILL ID \(client.connection.id)\r\n")
        #expect(test.server.waiting.count == 0)
        test.advance(milliseconds: 100)
        admin.turn()
        #expect(test.run("GET", "k") == nil)
    }
}
