import Reactor
import Testing

@testable import Engine

/// The commands of replication, with replicas that are played by the test.
@Suite struct ReplicationCommandsTests {
    let server = TestServer()

    private var replication: ReplicationState { server.server.replication }

    /// Lets a history begin: a replica waits for a snapshot, which nobody is in a hurry to write.
    private func beginHistory() {
        let replica = server.connect()
        #expect(replica.run("REPLCONF", "capa", "eof", "capa", "psync2") == "OK")
        #expect(replica.run("PSYNC", "?", "-1") == "<no reply>")
    }

    private func endTurn() { server.server.beforeSleep() }

    /// A replica that has everything up to now.
    private func attach(port: Int, address: String = "10.0.0.1") -> TestClient {
        if replication.stream == nil { beginHistory() }
        endTurn()
        let replica = server.connect()
        #expect(
            replica.run(
                "REPLCONF", "listening-port", "\(port)", "ip-address", address, "capa", "psync2")
                == "OK")
        let (id, next) = (replication.id, replication.offset + 1)
        #expect(replica.run("PSYNC", id, "\(next)") == .simple("CONTINUE \(id)"))
        return replica
    }

    private func acknowledge(_ replica: TestClient, _ offset: Int, synced: Int? = nil) {
        let disk = synced.map { ["FACK", "\($0)"] } ?? []
        replica.send((["REPLCONF", "ACK", "\(offset)"] + disk).map { Array($0.utf8) })
        #expect(replica.takeReplies() == [])
    }

    private func send(_ client: TestClient, _ words: String...) {
        client.send(words.map { Array($0.utf8) })
    }

    private func pass(milliseconds: Int64) {
        server.advance(milliseconds: milliseconds)
        server.server.runTimers()
    }

    // MARK: - What is refused

    /// Requests that a primary without replicas answers, each by itself.
    private static let requests = [
        "PSYNC", "PSYNC x", "PSYNC ? x", "PSYNC ? -1 FAILOVER", "ROLE", "REPLCONF", "REPLCONF a",
        "REPLCONF foo bar", "REPLCONF listening-port x",
        "REPLCONF listening-port 1 foo 2", "REPLCONF listening-port 0 capa unknown",
        "REPLCONF rdb-only 2", "REPLCONF rdb-only x", "REPLCONF rdb-only 0",
        "REPLCONF rdb-filter-only other",
        "REPLCONF rdb-filter-only functions", "PSYNC ? -1", "SYNC", "SYNC x",
        "WAIT x 0", "WAIT 0 x", "WAIT 0 -1", "WAIT 0 0", "WAIT -1 0", "WAIT 0", "WAIT 1 1 1",
        "MULTI", "WAIT 1 0", "EXEC", "MULTI", "PSYNC ? -1", "SYNC", "ROLE", "EXEC",
        "FAILOVER", "FAILOVER ABORT", "FAILOVER TO h 1", "FAILOVER TO h", "FAILOVER TO h x",
        "FAILOVER TO h 99999",
        "FAILOVER TIMEOUT 0", "FAILOVER TIMEOUT x", "FAILOVER TIMEOUT", "FAILOVER FORCE",
        "FAILOVER ABORT x", "FAILOVER FORCE TIMEOUT 1", "FAILOVER TO h 1 TO h 2",
        "FAILOVER TIMEOUT 1 TIMEOUT 2", "FAILOVER FORCE FORCE", "FAILOVER other",
        "REPLICAOF NO ONE", "SLAVEOF no one", "REPLICAOF h x", "REPLICAOF h -1",
        "REPLICAOF h 65536", "SLAVEOF NO TWO", "REPLICAOF h", "REPLICAOF h 1 2",
    ]

    /// Requests that a replica answers whose primary is not there.
    private static let requestsToReplica = [
        "REPLICAOF 127.0.0.1 1", "REPLICAOF 127.0.0.1 1", "WAIT 0 0", "WAIT x 0", "WAIT 0 -1",
        "FAILOVER", "FAILOVER ABORT", "FAILOVER TO h 1", "PSYNC ? -1", "SYNC", "PSYNC x 1 FAILOVER",
        "SET a b", "GET a", "MULTI", "SET a b", "EXEC", "CONFIG SET replica-serve-stale-data no",
        "GET a", "PING", "SET a b", "MULTI", "CONFIG SET replica-serve-stale-data yes", "GET a",
        "REPLICAOF NO ONE", "SET a b", "CONFIG SET min-replicas-to-write 1", "SET a b", "GET a",
        "MULTI", "SET a b", "EXEC",
    ]

    @Test(.enabled(if: Peer.isInstalled)) func `requests are answered as by Redis`() throws {
        let peer = try #require(Peer())
        for text in Self.requests + Self.requestsToReplica {
            let request = text.split(separator: " ").map { Array($0.utf8) }
            let theirs = String(decoding: peer.run(request), as: UTF8.self)
            server.client.send(request)
            let reply = server.client.connection.reply.view.string
            server.client.connection.reply.drain(server.client.connection.reply.count)
            #expect(reply == theirs, "\(text)")
        }
    }

    @Test func `the name of a host may be long`() {
        // Longer than any address: a pod has such a name.
        let name = "apus-0.apus-headless.some-namespace.svc.cluster.local"
        _ = attach(port: 7000, address: name)
        #expect(server.run("ROLE").elements.last == [.bulks(name, "7000", "0")])
        #expect(
            server.run("REPLCONF", "ip-address", String(repeating: "x", count: 256))
                == .error(
                    "ERR REPLCONF ip-address provided by replica instance is too long: 256 bytes"))
    }

    @Test func `an acknowledgement is never answered`() {
        for words in [["ACK", "5"], ["ACK", "x"], ["GETACK", "*"], ["ACK", "5", "FACK", "5"]] {
            #expect(server.client.run(["REPLCONF"] + words) == "<no reply>", "\(words)")
        }
        #expect(replication.replicas.isEmpty)
    }

    // MARK: - ROLE

    @Test func `a primary lists the replicas that follow`() {
        let first = attach(port: 7001)
        _ = attach(port: 7002, address: "replica.test")
        acknowledge(first, 5)
        let end = Int64(server.server.historyEnd)
        #expect(
            server.run("ROLE") == [
                .bulk("master"), .integer(end),
                [.bulks("10.0.0.1", "7001", "5"), .bulks("replica.test", "7002", "0")],
            ])
        server.server.close(first.connection, "gone")
        #expect(
            server.run("ROLE").elements.last == [.bulks("replica.test", "7002", "0")])
    }

    @Test func `a replica without a link has no offset`() {
        #expect(server.run("REPLICAOF", "10.0.0.1", "7000") == "OK")
        #expect(
            server.run("ROLE") == [
                .bulk("slave"), .bulk("10.0.0.1"), 7000, .bulk("connect"), -1,
            ])
    }

    // MARK: - PSYNC

    @Test func `without a history all data is asked for`() {
        beginHistory()
        #expect(replication.counters.fullSyncs == 1)
        #expect(replication.counters.refusedPartialSyncs == 0)
        #expect(server.run("ROLE").elements.last == [])
    }

    @Test func `the history goes on where it is kept, and nowhere else`() {
        beginHistory()
        server.run("SET", "a", "1")
        endTurn()
        let (id, end) = (replication.id, replication.offset)
        for next in [1, 5, end, end + 1] {
            let replica = server.connect()
            #expect(replica.run("PSYNC", id, "\(next)") == "CONTINUE")
        }
        #expect(replication.counters.partialSyncs == 4)
        let unknown = String(repeating: "a", count: 40)
        for (id, next) in [
            (id, 0), (id, -1), (id, end + 2), (id, .max), (id, .min), (unknown, 1), ("x", 1),
        ] {
            let replica = server.connect()
            replica.run("REPLCONF", "capa", "eof")
            #expect(replica.run("PSYNC", id, "\(next)") == "<no reply>", "\(id) \(next)")
        }
        #expect(replication.counters.partialSyncs == 4)
        #expect(replication.counters.refusedPartialSyncs == 7)
        #expect(replication.counters.fullSyncs == 8)
    }

    @Test func `a promoted replica goes on with the old history up to its end, no further`() {
        beginHistory()
        server.run("SET", "a", "1")
        endTurn()
        let (old, end) = (replication.id, replication.offset)
        #expect(server.run("REPLICAOF", "127.0.0.1", "1") == "OK")
        #expect(server.run("REPLICAOF", "NO", "ONE") == "OK")
        #expect(replication.previousID == old)
        #expect(replication.id != old)
        server.run("SET", "b", "2")
        endTurn()
        #expect(replication.offset > end + 2)
        for (id, next, continues) in [
            (old, end + 1, true), (old, end + 2, false), (replication.id, end + 2, true),
        ] {
            let replica = server.connect()
            replica.run("REPLCONF", "capa", "eof", "capa", "psync2")
            let reply = replica.run("PSYNC", id, "\(next)")
            #expect(
                reply == (continues ? .simple("CONTINUE \(replication.id)") : "<no reply>"),
                "\(next)")
        }
        #expect(replication.counters.refusedPartialSyncs == 1)
    }

    @Test func `a replica asks once`() {
        let replica = attach(port: 7000)
        #expect(replica.run("PSYNC", "?", "-1") == "<no reply>")
        #expect(replica.run("SYNC") == "<no reply>")
        #expect(replication.counters.fullSyncs == 1)
        #expect(replica.run("REPLICAOF", "h", "1") == "<no reply>")
        let complaint = "Replica generated a reply to command 'replicaof', disconnecting it: "
        #expect(server.lines.contains { $0.contains(complaint) })
    }

    @Test func `a replica may do no more than its user`() {
        beginHistory()
        server.run("ACL", "SETUSER", "follower", "on", "nopass", "+psync", "+replconf")
        let replica = server.connect()
        replica.run("AUTH", "follower", "x")
        let next = replication.offset + 1
        #expect(replica.run("PSYNC", replication.id, "\(next)") == .simple("CONTINUE"))
        let before = server.run("CONFIG", "GET", "maxclients")
        replica.run("CONFIG", "SET", "maxclients", "1234")
        #expect(server.run("CONFIG", "GET", "maxclients") == before)
        #expect(server.lines.contains { $0.contains("NOPERM") })
    }

    // MARK: - The stream

    private func follow() -> WireClient {
        beginHistory()
        let wire = WireClient(server.server)
        #expect(wire.exchange("PSYNC \(replication.id) 1\r\n") == "+CONTINUE\r\n")
        return wire
    }

    /// What came, without what only counts bytes.
    private func requests(_ wire: WireClient) -> [String] {
        endTurn()
        return RequestReader.requests(in: Array(wire.take().utf8)).map { request in
            request.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
        }
    }

    @Test func `changes and messages are passed on, in transactions too`() {
        let wire = follow()
        server.run("PUBLISH", "c", "0")
        server.run("SET", "a", "1")
        server.run("GET", "a")
        #expect(requests(wire) == ["SELECT 0", "PUBLISH c 0", "SET a 1"])
        for words in [["MULTI"], ["SET", "b", "2"], ["PUBLISH", "c", "1"], ["EXEC"]] {
            server.client.run(words)
        }
        #expect(requests(wire) == ["MULTI", "SET b 2", "PUBLISH c 1", "EXEC"])
        for words in [["MULTI"], ["PUBLISH", "c", "2"], ["EXEC"]] { server.client.run(words) }
        #expect(requests(wire) == ["PUBLISH c 2"])
    }

    @Test func `what a transaction did before the part changes is passed on`() {
        let wire = follow()
        for words in [
            ["MULTI"], ["SET", "a", "1"], ["REPLICAOF", "127.0.0.1", "1"], ["GET", "a"], ["EXEC"],
        ] {
            server.client.run(words)
        }
        #expect(requests(wire) == ["SELECT 0", "SET a 1"])
        #expect(replication.isReplica)
        #expect(replication.stream?.end == replication.offset)
    }

    @Test func `every byte that is sent counts`() {
        let wire = follow()
        let start = replication.offset
        server.run("SET", "a", "1")
        server.server.tellReplicas("*1\r\n$4\r\nPING\r\n")
        endTurn()
        #expect(wire.take().utf8.count == replication.offset - start)
        #expect(replication.stream?.end == replication.offset)
    }

    // MARK: - WAIT

    @Test func `WAIT goes on when enough replicas have acknowledged`() {
        let replicas = (0..<3).map { attach(port: 7000 + $0) }
        let writer = server.connect()
        #expect(writer.run("WAIT", "3", "0") == 3)
        writer.run("SET", "a", "1")
        let end = server.server.historyEnd
        send(writer, "WAIT", "2", "0")
        #expect(writer.takeReplies() == [])
        acknowledge(replicas[0], end - 1)
        acknowledge(replicas[1], end)
        #expect(writer.takeReplies() == [])
        #expect(writer.connection.gate.contains(.blocked))
        acknowledge(replicas[2], end + 100)
        #expect(writer.takeReplies() == [2])
        #expect(writer.run("WAIT", "2", "0") == 2)
        #expect(server.server.waiting.count == 0)
    }

    @Test func `WAIT gives up in time, and tells how many there are`() {
        let replicas = (0..<2).map { attach(port: 7000 + $0) }
        let writer = server.connect()
        writer.run("SET", "a", "1")
        acknowledge(replicas[0], server.server.historyEnd)
        send(writer, "WAIT", "2", "100")
        pass(milliseconds: 99)
        #expect(writer.takeReplies() == [])
        pass(milliseconds: 1)
        #expect(writer.takeReplies() == [1])
        #expect(server.server.waiting.count == 0)
        send(writer, "WAIT", "2", "100")
        send(server.connect(), "CLIENT", "UNBLOCK", "\(writer.connection.id)")
        #expect(writer.takeReplies() == [1])
    }

    @Test func `WAIT asks for what the client wrote, not others`() {
        let replica = attach(port: 7000)
        server.run("SET", "a", "1")
        acknowledge(replica, server.server.historyEnd)
        server.connect().run("SET", "b", "2")
        #expect(server.run("WAIT", "1", "0") == 1)
        #expect(server.connect().run("WAIT", "1", "0") == 1)
    }

    @Test func `WAIT never waits in a transaction`() {
        _ = attach(port: 7000)
        server.run("SET", "a", "1")
        server.run("MULTI")
        server.run("WAIT", "1", "0")
        #expect(server.run("EXEC") == [0])
    }

    @Test func `those who wait ask once a turn`() {
        let wire = follow()
        server.run("SET", "a", "1")
        #expect(requests(wire) == ["SELECT 0", "SET a 1"])
        let writers = (0..<3).map { _ in server.connect() }
        for writer in writers {
            writer.run("SET", "a", "2")
            send(writer, "WAIT", "1", "0")
        }
        #expect(
            requests(wire) == ["SET a 2", "SET a 2", "SET a 2", "REPLCONF GETACK *"])
        #expect(wire.exchange("REPLCONF ACK \(server.server.historyEnd)\r\n") == "")
        for writer in writers { #expect(writer.takeReplies() == [1]) }
    }

    @Test func `those who wait are told when the server becomes a replica`() {
        _ = attach(port: 7000)
        let writer = server.connect()
        writer.run("SET", "a", "1")
        send(writer, "WAIT", "1", "0")
        server.run("REPLICAOF", "127.0.0.1", "1")
        #expect(
            writer.takeReplies() == [
                .error(
                    "UNBLOCKED force unblock from blocking operation, instance state changed "
                        + "(master -> replica?)")
            ])
        // What they have sent meanwhile was meant for a primary.
        #expect(writer.connection.closesAfterReply)
        #expect(writer.connection.gate.contains(.closing))
    }

    // MARK: - WAITAOF

    @Test func `WAITAOF counts disks`() {
        let replica = attach(port: 7000)
        let writer = server.connect()
        #expect(writer.run("WAITAOF", "0", "0", "0") == [0, 1])
        writer.run("SET", "a", "1")
        let end = server.server.historyEnd
        send(writer, "WAITAOF", "0", "1", "0")
        acknowledge(replica, end)
        acknowledge(replica, end, synced: end - 1)
        #expect(writer.takeReplies() == [])
        acknowledge(replica, end, synced: end)
        #expect(writer.takeReplies() == [[0, 1]])
        send(writer, "WAITAOF", "0", "2", "50")
        pass(milliseconds: 50)
        #expect(writer.takeReplies() == [[0, 1]])
    }

    @Test func `WAITAOF refuses what cannot be`() {
        for (local, text) in [
            ("2", "ERR value is out of range, must be between 0 and 1"),
            ("-1", "ERR value is out of range, must be between 0 and 1"),
            (
                "1",
                "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
            ),
        ] {
            #expect(server.run("WAITAOF", local, "0", "0") == .error(text))
        }
        #expect(server.run("WAITAOF", "0", "0", "-1") == .error("ERR timeout is negative"))
        #expect(
            server.run("WAITAOF", "0", "-1", "0")
                == .error("ERR value is out of range, must be positive"))
        server.run("REPLICAOF", "127.0.0.1", "1")
        #expect(
            server.run("WAITAOF", "0", "0", "0")
                == .error("ERR WAITAOF cannot be used with replica instances."))
    }

    // MARK: - FAILOVER

    @Test func `FAILOVER takes a replica that follows`() {
        beginHistory()
        let other = server.connect()
        other.run("REPLCONF", "capa", "eof", "listening-port", "7009", "ip-address", "10.0.0.9")
        other.run("PSYNC", "?", "-1")
        for (words, text) in [
            (["FORCE"], "with force option requires both a timeout and target HOST and IP."),
            (
                ["TO", "h", "1", "FORCE"],
                "with force option requires both a timeout and target HOST and IP."
            ),
            (["TO", "10.0.0.9", "7000"], "target HOST and PORT is not a replica."),
            (["TO", "10.0.0.9", "7009"], "target replica is not online."),
        ] {
            #expect(server.client.run(["FAILOVER"] + words) == .error("ERR FAILOVER \(text)"))
        }
        #expect(server.run("FAILOVER", "ABORT") == .error("ERR No failover in progress."))
    }

    @Test func `writes wait while FAILOVER does, and go on when it is aborted`() {
        let replica = attach(port: 7000)
        server.run("SET", "a", "1")
        #expect(server.run("FAILOVER") == "OK")
        #expect(server.run("FAILOVER") == .error("ERR FAILOVER already in progress."))
        #expect(
            server.run("REPLICAOF", "h", "1")
                == .error("ERR REPLICAOF not allowed while failing over."))
        #expect(
            server.connect().run("PSYNC", "?", "-1")
                == .error("NOMASTERLINK Can't SYNC while failing over"))
        acknowledge(replica, 1)
        #expect(!replication.isReplica)
        #expect(server.run("FAILOVER", "ABORT") == "OK")
        #expect(server.run("SET", "a", "2") == "OK")
        acknowledge(replica, server.server.historyEnd)
        #expect(!replication.isReplica)
    }

    @Test func `FAILOVER hands over to the replica that has everything`() {
        let slow = attach(port: 7001)
        let quick = attach(port: 7002)
        server.run("SET", "a", "1")
        #expect(server.run("FAILOVER", "TIMEOUT", "1000") == "OK")
        endTurn()
        acknowledge(slow, 1)
        #expect(!replication.isReplica)
        acknowledge(quick, replication.offset)
        #expect(replication.link?.primary == ReplicaSource(host: "10.0.0.1", port: 7002))
        #expect(replication.link?.demands == true)
        #expect(server.run("SET", "a", "2").text?.hasPrefix("READONLY") == true)
    }

    @Test func `FAILOVER is over in time, or forced`() {
        let replica = attach(port: 7001)
        server.run("SET", "a", "1")
        #expect(server.run("FAILOVER", "TIMEOUT", "1500") == "OK")
        pass(milliseconds: 1499)
        server.server.replicationCron()
        #expect(replication.failover != nil)
        pass(milliseconds: 2)
        server.server.replicationCron()
        #expect(replication.failover == nil)
        #expect(!replication.isReplica)
        #expect(server.run("SET", "a", "2") == "OK")
        acknowledge(replica, 1)
        #expect(
            server.run("FAILOVER", "TO", "10.0.0.1", "7001", "FORCE", "TIMEOUT", "100") == "OK")
        pass(milliseconds: 101)
        server.server.replicationCron()
        #expect(replication.link?.primary == ReplicaSource(host: "10.0.0.1", port: 7001))
    }

    @Test func `FAILOVER hands over at the end of the turn, and all of a transaction`() {
        let replica = attach(port: 7001)
        server.run("SET", "a", "1")
        endTurn()
        acknowledge(replica, replication.offset)
        #expect(server.client.run(["MULTI"]) == "OK")
        for words in [["FAILOVER"], ["SET", "late", "1"]] { server.client.run(words) }
        #expect(server.run("EXEC") == ["OK", "OK"])
        #expect(replication.failover != nil)
        pass(milliseconds: 0)
        #expect(!replication.isReplica)
        endTurn()
        acknowledge(replica, replication.offset - 1)
        #expect(!replication.isReplica)
        let end = replication.offset
        acknowledge(replica, end)
        #expect(replication.isReplica)
        #expect(replication.offset == end)
        #expect(replication.stream?.end == end)
    }

    @Test func `FAILOVER finds a replica that has everything in the same turn`() {
        let replica = attach(port: 7001)
        acknowledge(replica, replication.offset)
        server.run("FAILOVER")
        #expect(!replication.isReplica)
        pass(milliseconds: 0)
        #expect(replication.isReplica)
    }

    @Test func `FAILOVER does not take what the turn has not passed on for passed on`() {
        let replica = attach(port: 7001)
        server.run("SET", "a", "1")
        server.run("FAILOVER")
        acknowledge(replica, replication.offset)
        pass(milliseconds: 0)
        #expect(!replication.isReplica)
    }

    // MARK: - Pauses

    @Test func `a pause ends only for whom it began`() {
        _ = attach(port: 7001)
        server.run("SET", "a", "1")
        endTurn()
        server.run("FAILOVER")
        server.run("CLIENT", "UNPAUSE")
        #expect(server.server.waiting.pause == .writes)
        server.run("CLIENT", "PAUSE", "100", "WRITE")
        server.run("FAILOVER", "ABORT")
        #expect(server.server.waiting.pause == .writes)
        pass(milliseconds: 99)
        #expect(server.server.waiting.pause == .writes)
        pass(milliseconds: 1)
        #expect(server.server.waiting.pause == .none)
        #expect(server.run("SET", "a", "2") == "OK")
    }

    @Test func `the strictest pause is in force until it ends`() {
        _ = attach(port: 7001)
        server.run("SET", "a", "1")
        server.run("FAILOVER")
        #expect(server.server.waiting.pause.holds([.write]))
        #expect(!server.server.waiting.pause.holds([.readOnly]))
        server.run("CLIENT", "PAUSE", "100", "ALL")
        #expect(server.server.waiting.pause.holds([.readOnly]))
        pass(milliseconds: 100)
        #expect(server.server.waiting.pause.holds([.write]))
        #expect(!server.server.waiting.pause.holds([.readOnly]))
    }

    // MARK: - Slow replicas

    /// It takes something all the time, and never enough.
    @Test func `a replica that lags for too long is cut off however it tries`() {
        let server = TestServer("client-output-buffer-limit replica 0 100kb 3")
        server.connect().run("REPLCONF", "capa", "eof")
        let waiting = server.connect()
        waiting.run("REPLCONF", "capa", "eof")
        waiting.run("PSYNC", "?", "-1")
        let wire = WireClient(server.server)
        let id = server.server.replication.id
        #expect(wire.exchange("PSYNC \(id) 1\r\n") == "+CONTINUE\r\n")
        let value = String(repeating: "v", count: 1 << 20)
        for second in 0...4 {
            #expect(server.server.connections.contains(wire.connection), "after \(second) s")
            server.run("SET", "k", value)
            server.server.beforeSleep()
            #expect(!wire.take().isEmpty)
            server.server.send(wire.connection)
            server.server.serveReplica(wire.connection)
            server.advance(milliseconds: 1000)
        }
        server.server.beforeSleep()
        #expect(!server.server.connections.contains(wire.connection))
    }

    // MARK: - Full synchronization

    @Test func `a second transfer waits until the first is sent`() throws {
        let server = TestServer("repl-diskless-sync yes\nrepl-diskless-sync-delay 0")
        let (reading, writing) = try Pipe.open()
        defer { for end in [reading, writing] { FileDescriptor.close(end) } }
        let transfer = SnapshotTransfer(reading, [server.connect().connection])
        server.server.replication.transfer = transfer
        let replica = server.connect()
        replica.run("REPLCONF", "capa", "eof")
        #expect(replica.run("PSYNC", "?", "-1") == "<no reply>")
        server.server.beginWantedSync()
        #expect(server.server.replication.transfer === transfer)
        #expect(replica.connection.replica?.stage == .waiting)
        #expect(!server.server.hasChild)
    }

    // MARK: - The backlog

    @Test func `what was done when the backlog is given up is not told later`() {
        beginHistory()
        server.server.dropReplicas("gone")
        server.advance(milliseconds: 3_601_000)
        server.run("SET", "a", "1")
        #expect(!server.server.keyspace.feed.isEmpty)
        server.server.replicationCron()
        #expect(replication.stream == nil)
        #expect(server.server.keyspace.feed.isEmpty)
        beginHistory()
        let end = replication.offset
        server.run("SET", "b", "2")
        #expect(server.takeFeed() == ["SELECT 0", "SET b 2"])
        #expect(replication.offset == end)
    }

    // MARK: - min-replicas-to-write

    @Test func `writes need replicas that are not far behind`() {
        let replica = attach(port: 7000)
        server.run("CONFIG", "SET", "min-replicas-to-write", "1", "min-replicas-max-lag", "10")
        #expect(server.run("SET", "a", "1") == "OK")
        pass(milliseconds: 11_001)
        server.server.countGoodReplicas()
        let refusal: Reply = .error("NOREPLICAS Not enough good replicas to write.")
        #expect(server.run("SET", "a", "2") == refusal)
        #expect(server.run("GET", "a") == .bulk("1"))
        acknowledge(replica, 1)
        #expect(server.run("SET", "a", "2") == "OK")
        server.server.close(replica.connection, "gone")
        #expect(server.run("SET", "a", "3") == refusal)
    }
}
