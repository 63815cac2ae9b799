import Testing

@testable import Engine

/// What a replica does with what its primary sends, whoever that may be.
@Suite struct ServerPrimaryLinkTests {
    let test = TestServer()

    private var replication: ReplicationState { test.server.replication }
    private static let id = String(repeating: "a", count: 40)

    // MARK: - What is repeated

    @Test func `what a primary records is repeated`() {
        let primary = TestPrimary(of: test)
        primary.send(
            "SELECT 2", "SET a 1", "PING", "MULTI", "INCR a", "RPUSH l x y", "EXEC", "MULTI",
            "DEL a",
            "DISCARD", "PUBLISH c m", "SPUBLISH c m", "REPLCONF GETACK *", "SADD s m")
        #expect(replication.counters.unexpectedErrors == 0)
        #expect(replication.database == 2)
        test.run("SELECT", "2")
        #expect(test.run("GET", "a") == .bulk("2"))
        #expect(test.run("LLEN", "l") == 2)
        #expect(test.run("SCARD", "s") == 1)
    }

    /// Each would change more than the data, or end the process.
    @Test(arguments: [
        "REPLICAOF NO ONE", "REPLICAOF 10.0.0.2 7000", "PSYNC ID 1 FAILOVER", "SYNC",
        "FAILOVER", "DEBUG SLEEP 0", "CONFIG SET maxclients 77", "CLIENT PAUSE 100000", "MONITOR",
        "CLIENT KILL TYPE master", "SHUTDOWN NOSAVE NOW", "SUBSCRIBE c", "WATCH k", "RESET", "QUIT",
        "CLIENT REPLY OFF", "HELLO 3", "AUTH x", "ACL SETUSER x", "GET k", "WAIT 1 0", "SAVE",
    ])
    func `what a primary has no reason to send is left out`(request: String) {
        let primary = TestPrimary(of: test)
        test.run("CONFIG", "SET", "slowlog-log-slower-than", "0")
        let settings = test.run("CONFIG", "GET", "*")
        let start = replication.offset
        let foreign = request.replacing("ID", with: replication.id)
        let requests = [
            "SET k v", foreign, "MULTI", "INCR n", foreign, "INCR n", "EXEC", "SET z v",
        ]
        for request in requests { primary.send(request) }
        #expect(replication.counters.unexpectedErrors == 2)
        #expect(replication.link === primary.link)
        #expect(primary.link.state == .connected)
        let length = requests.reduce(0) { $0 + TestPrimary.length($1) }
        #expect(replication.offset == start + length)
        #expect(test.run("MGET", "k", "n", "z") == .bulks("v", "2", "v"))
        #expect(test.run("CONFIG", "GET", "*") == settings)
    }

    /// What comes behind it would be changed in another database.
    @Test(arguments: ["SELECT 16", "SELECT 2000000000", "SELECT -1", "SELECT x"])
    func `a primary with more databases is not followed`(request: String) {
        let primary = TestPrimary(of: test)
        let start = replication.offset
        primary.send("SET k v")
        let before = replication.offset
        #expect(before > start)
        primary.send(request, "SET k other")
        #expect(primary.link.state != .connected)
        #expect(replication.offset == before)
        #expect(test.run("GET", "k") == .bulk("v"))
        let number = request.dropFirst("SELECT ".count)
        let complaint = "The master uses database \(number), and there are only 16 here"
        #expect(test.lines.contains { $0.hasPrefix(complaint) })
    }

    @Test func `a history in a database that is not here is not followed`() {
        let primary = TestPrimary(of: test)
        test.server.loseLink()
        test.server.replication.database = 16
        test.server.follow(primary.link)
        #expect(primary.link.state != .connected)
        #expect(primary.link.connection == nil)
        #expect(test.lines.contains { $0.hasPrefix("The master uses database 16, and there") })
    }

    @Test func `a primary cannot have keys sent elsewhere`() {
        let primary = TestPrimary(of: test)
        primary.send("SET k v", "MIGRATE 127.0.0.1 1 k 0 100")
        #expect(test.lines.contains { $0.contains("'ERR MIGRATE is never repeated'") })
    }

    @Test func `the primary is not on this machine`() {
        let primary = TestPrimary(of: test)
        #expect(primary.link.connection?.isLocal == false)
    }

    // MARK: - Acknowledgements

    @Test func `GETACK is answered with what was done before it`() {
        let primary = TestPrimary(of: test)
        let start = replication.offset
        primary.send("SET a 1", "REPLCONF GETACK *", "SET b 2")
        #expect(primary.take() == ["REPLCONF ACK \(start + TestPrimary.length("SET a 1"))"])
        primary.send("REPLCONF GETACK *")
        let end = replication.offset - TestPrimary.length("REPLCONF GETACK *")
        #expect(primary.take() == ["REPLCONF ACK \(end)"])
        primary.send("MULTI", "INCR n", "REPLCONF GETACK *", "EXEC")
        let multi = TestPrimary.length("MULTI", "INCR n", "REPLCONF GETACK *", "EXEC")
        #expect(primary.take() == ["REPLCONF ACK \(replication.offset - multi)"])
    }

    @Test func `an answer that finds the link down loses and repeats nothing`() {
        let primary = TestPrimary(of: test)
        test.run("CONFIG", "SET", "slowlog-log-slower-than", "0")
        let start = replication.offset
        primary.cut()
        primary.send("SET a 1", "MULTI", "INCR n", "REPLCONF GETACK *", "EXEC", "SET b 2")
        #expect(primary.link.state == .connect)
        let done = TestPrimary.length("SET a 1", "MULTI", "INCR n", "REPLCONF GETACK *", "EXEC")
        #expect(replication.offset == start + done)
        #expect(test.run("MGET", "a", "n", "b") == [.bulk("1"), .bulk("1"), .null])
        #expect(replication.mayContinue)
    }

    // MARK: - Offsets

    @Test func `a history that could not go on is not taken up`() {
        for (offset, isTaken) in [
            (0, true), (Int.max / 2, true), (Int.max / 2 + 1, false), (.max, false), (-1, false),
        ] {
            let primary = TestPrimary(of: test, isUp: false)
            primary.say("+FULLRESYNC \(Self.id) \(offset)\r\n")
            #expect(primary.link.state == (isTaken ? .transfer : .connect), "\(offset)")
        }
        test.run("REPLICAOF", "NO", "ONE")
        let (id, offset) = (replication.id, replication.offset)
        test.server.adoptHistory(id: Self.id, offset: .max, database: 0)
        #expect(replication.previousID != Self.id)
        #expect((replication.id, replication.offset) == (id, offset))
    }

    // MARK: - Time

    @Test func `what clients are not shown wakes nobody`() {
        let primary = TestPrimary(of: test)
        let reader = test.connect()
        primary.send("XADD s 1-1 f v", "PEXPIREAT s 1")
        reader.send(["XREAD", "BLOCK", "0", "STREAMS", "s", "0"].map { Array($0.utf8) })
        primary.send("XADD s 2-1 f v")
        #expect(reader.takeReplies() == [])
        #expect(test.run("EXISTS", "s") == 0)
        primary.send("PERSIST s", "XADD s 3-1 f v")
        #expect(reader.takeReplies().count == 1)
        #expect(test.run("XLEN", "s") == 3)
    }

    @Test func `what is done with expired keys follows from the part and from pauses`() {
        var policy: Keyspace.ExpiryPolicy { test.server.keyspace.expiryPolicy }
        #expect(policy == .remove)
        let primary = TestPrimary(of: test)
        #expect(policy == .hide)
        primary.send("SET a 1")
        #expect(policy == .hide)
        test.run("CLIENT", "PAUSE", "100000", "WRITE")
        primary.send("SET a 2")
        test.run("REPLICAOF", "NO", "ONE")
        #expect(policy == .hide)
        test.run("CLIENT", "UNPAUSE")
        #expect(policy == .remove)
    }

    // MARK: - Promotion

    @Test func `what a replica wrote into its own file is told nobody again`() {
        let primary = TestPrimary(of: test)
        test.listen()
        primary.send("INCR n", "RPUSH l x")
        let end = replication.offset
        #expect(!test.server.keyspace.feed.isEmpty)
        test.run("REPLICAOF", "NO", "ONE")
        test.server.beforeSleep()
        #expect(replication.offset == end)
        #expect(replication.stream?.end == end)
        #expect(replication.previousEnd == end + 1)
        test.run("INCR", "n")
        #expect(test.takeFeed() == ["SELECT 0", "INCR n"])
    }

    @Test func `a replica that follows cannot ask for a takeover as well`() {
        let primary = TestPrimary(of: test)
        primary.send("SET a 1")
        let replica = test.connect()
        let (id, next) = (replication.id, "\(replication.offset + 1)")
        #expect(replica.run("PSYNC", id, next) == "CONTINUE")
        #expect(replica.run("PSYNC", id, next, "FAILOVER") == "<no reply>")
        #expect(replication.isReplica)
        #expect(replication.replicas.count == 1)
        let other = test.connect()
        #expect(other.run("PSYNC", id, next, "FAILOVER") == "CONTINUE")
        #expect(!replication.isReplica)
        #expect(replication.replicas.map(\.id) == [other.connection.id])
    }
}
