import Foundation
import Testing

/// Replicas of real servers over real sockets: full and partial synchronization, chains, promotion, under
/// writes of all types; in the end all have the same data.
@Suite(.enabled(if: ReplicationNode.Kind.hasRedis, "redis-server is not installed"))
struct ReplicationTests {
    typealias Kind = ReplicationNode.Kind

    /// How a replica gets all data.
    struct Transfer: CustomTestStringConvertible {
        let primary: Kind
        let replica: Kind
        let isDiskless: Bool
        let load: String

        var testDescription: String {
            "\(replica) of \(primary), diskless sync \(isDiskless), diskless load \(load)"
        }

        static let all = [
            (Kind.apus, Kind.redis), (.redis, .apus), (.apus, .apus),
        ].flatMap { primary, replica in
            [(false, "disabled"), (true, "disabled"), (false, "swapdb"), (true, "swapdb")].map {
                Transfer(primary: primary, replica: replica, isDiskless: $0.0, load: $0.1)
            }
        }
    }

    @Test(arguments: Transfer.all)
    func `a replica gets all data, and after a cut what it lacks`(transfer: Transfer) throws {
        var load = WriteLoad(SeededRandom.make())
        let primary = try ReplicationNode(
            transfer.primary, "repl-diskless-sync \(transfer.isDiskless ? "yes" : "no")")
        let replica = try ReplicationNode(transfer.replica, "repl-diskless-load \(transfer.load)")
        let waiter = try primary.server.connect()
        try replica.client.run("SET", "old", "data")
        try load.run(1500, on: primary.client, waiter: waiter)
        try replica.client.run("REPLICAOF", "127.0.0.1", "\(primary.server.port)")
        // The snapshot is on its way, and more is written.
        try load.run(1500, on: primary.client, waiter: waiter)
        try replica.waitForLink()
        try primary.expectSame([replica], "after the full synchronization")
        // What it had of its own it asked to go on with, in vain.
        let refused = try primary.number("sync_partial_err")
        #expect(try primary.number("sync_full") == 1, "\(primary.server.log)\(replica.server.log)")
        let cuts = [(primary, "replica"), (replica, "master"), (primary, "replica")]
        for (index, (server, type)) in cuts.enumerated() {
            #expect(try server.client.run("CLIENT", "KILL", "TYPE", type) == 1)
            try load.run(700, on: primary.client, waiter: waiter)
            try wait("the replica goes on") { try primary.number("sync_partial_ok") > index }
            #expect(
                try primary.number("sync_partial_ok") == index + 1,
                "\(primary.server.log)\(replica.server.log)")
            try replica.waitForLink()
            try load.run(300, on: primary.client, waiter: waiter)
        }
        try primary.expectSame([replica], "after three cuts")
        #expect(try primary.number("sync_full") == 1)
        #expect(try primary.number("sync_partial_err") == refused)
        #expect(try replica.field("master_replid") == primary.field("master_replid"))
    }

    @Test(arguments: [
        [Kind.apus, .apus, .apus], [.redis, .apus, .redis], [.apus, .redis, .apus],
    ])
    func `a replica of a replica has the same, and survives promotions`(kinds: [Kind]) throws {
        var load = WriteLoad(SeededRandom.make())
        // A ping that only the old primary has would be a history of its own.
        let nodes = try kinds.map { try ReplicationNode($0, "repl-ping-replica-period 3600") }
        let (top, middle, leaf) = (nodes[0], nodes[1], nodes[2])
        let waiter = try top.server.connect()
        try load.run(500, on: top.client, waiter: waiter)
        try middle.follow(top)
        try leaf.follow(middle)
        try load.run(1000, on: top.client, waiter: waiter)
        try top.expectSame([middle, leaf], "in a chain")
        // The one in the middle loses its link and goes on; its replica need not notice.
        try top.client.run("CLIENT", "KILL", "TYPE", "replica")
        try load.run(500, on: top.client, waiter: waiter)
        // Nor may a key expire there when nobody follows it any more.
        try top.client.run("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        try top.expectSame([middle, leaf], "after a cut above")
        #expect(try top.number("sync_full") == 1)
        // The middle takes over; the others go on from where they are.
        let old = try top.field("master_replid")
        try middle.promote()
        try wait("the history has a new name") { try middle.field("master_replid") != old }
        #expect(try middle.field("master_replid2") == old)
        try top.follow(middle)
        try top.client.run("DEBUG", "SET-ACTIVE-EXPIRE", "1")
        try leaf.waitForLink()
        let other = try middle.server.connect()
        try load.run(1000, on: middle.client, waiter: other)
        try middle.expectSame([top, leaf], "after the promotion")
        #expect(try middle.number("sync_full") == 1)
        #expect(try middle.number("sync_partial_ok") >= 2)
        // The first one again, by handing over.
        #expect(
            try middle.client.run(
                "FAILOVER", "TO", "127.0.0.1", "\(top.server.port)", "TIMEOUT", "10000") == "OK")
        try wait("the first one is a primary again") { try top.field("role") == "master" }
        try middle.waitForLink()
        try leaf.waitForLink()
        try load.run(500, on: top.client, waiter: waiter)
        try top.expectSame([middle, leaf], "after the failover")
        #expect(try top.number("sync_full") == 1)
    }

    @Test(arguments: [Kind.apus, .redis])
    func `a replica that was restarted goes on`(kind: Kind) throws {
        var load = WriteLoad(SeededRandom.make())
        let primary = try ReplicationNode(.apus)
        let port = primary.server.port
        let replica = try ReplicationNode(kind, "save 3600 1\nreplicaof 127.0.0.1 \(port)")
        let waiter = try primary.server.connect()
        try replica.waitForLink()
        for round in 1...2 {
            try load.run(500, on: primary.client, waiter: waiter)
            #expect(try replica.server.stop() == .exited(0))
            try load.run(500, on: primary.client, waiter: waiter)
            try replica.server.restart()
            try replica.reconnect()
            try replica.waitForLink()
            try primary.expectSame([replica], "after restart \(round)")
            #expect(try primary.number("sync_full") == 1)
            #expect(try primary.number("sync_partial_ok") == round)
        }
    }

    /// A snapshot says where in the history it stands, and to which database what follows applies.
    @Test(arguments: [false, true])
    func `a primary that was killed goes on from its snapshot`(flushes: Bool) throws {
        let primary = try ReplicationNode(.apus, "save 3600 100000")
        let heir = try ReplicationNode(.apus)
        try heir.follow(primary)
        try primary.client.run("SELECT", "3")
        try primary.client.run("SET", "before", "1")
        if flushes {
            try primary.client.run(pipeline: [
                ["MULTI"], ["SET", "a", "1"], ["FLUSHALL"], ["SET", "b", "1"], ["EXEC"],
            ])
        } else {
            try primary.client.run("SAVE")
        }
        try primary.client.run("SET", "after", "2")
        try primary.expectSame([heir], "before the end")
        primary.server.kill(SIGKILL)
        try primary.server.waitForEnd()
        try heir.promote()
        let file = primary.server.configFile
        let configuration = try String(contentsOf: file, encoding: .utf8)
        try Data("\(configuration)replicaof 127.0.0.1 \(heir.server.port)\n".utf8).write(to: file)
        try primary.server.restart()
        try primary.reconnect()
        try primary.waitForLink()
        #expect(try heir.number("sync_partial_ok") == 1)
        #expect(try heir.number("sync_full") == 0)
        try heir.expectSame([primary], "after the restart")
    }

    @Test func `no child saves what a replica is about to replace`() throws {
        let primary = try ReplicationNode(.apus)
        try primary.client.run("SET", "new", "1")
        let replica = try ReplicationNode(
            .apus, "save 3600 100000\nrdb-key-save-delay 100000\nrepl-diskless-sync yes")
        try replica.client.run(pipeline: (0..<50).map { ["SET", "old:\($0)", "1"] })
        // One is sent what a child writes, the other will need a child of its own.
        let (first, second) = (try replica.server.connect(), try replica.server.connect())
        try first.run("REPLCONF", "capa", "eof")
        try first.send(["PSYNC", "?", "-1"])
        try wait("a child is at work") { try replica.number("rdb_bgsave_in_progress") == 1 }
        try second.send(["PSYNC", "?", "-1"])
        try wait("both are there") { try replica.number("connected_slaves") == 2 }
        try replica.follow(primary)
        #expect(try replica.number("rdb_bgsave_in_progress") == 0)
        #expect(try replica.client.run("DBSIZE") == 1)
    }

    @Test func `a replica is told when there can be no child`() throws {
        let primary = try ReplicationNode(.apus, "repl-diskless-sync yes")
        let replica = try primary.server.connect()
        try replica.run("REPLCONF", "capa", "eof")
        let process = primary.server.process
        let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count
        let limited = try ServerProcess.run([
            "prlimit", "--pid", "\(process)", "--nofile=\(open)",
        ])
        #expect(limited.ending == .exited(0))
        try replica.send(["PSYNC", "?", "-1"])
        #expect(
            try replica.read() == .error("ERR BGSAVE failed, replication can't continue"))
        #expect(throws: (any Error).self) { try replica.read() }
        #expect(try primary.client.run("PING") == "PONG")
        #expect(try primary.number("connected_slaves") == 0)
    }

    /// What a client was told is on a replica is not lost with the primary.
    @Test(arguments: [Kind.apus, .redis])
    func `what WAIT has acknowledged outlives the primary`(kind: Kind) throws {
        var random = SeededRandom.make()
        for round in 0..<3 {
            let primary = try ReplicationNode(.apus)
            let replicas = try [ReplicationNode(kind), ReplicationNode(.apus)]
            for replica in replicas { try replica.follow(primary) }
            let writers = try (0..<4).map { _ in try primary.server.connect() }
            var acknowledged: [String] = []
            var count = 0
            let end = 200 + random.below(400)
            var isOver = false
            while !isOver {
                let keys = writers.indices.map { "k:\(count + $0)" }
                count += keys.count
                for (writer, key) in zip(writers, keys) {
                    let requests = [["SET", key, key], ["WAIT", "1", "1000"]]
                    try writer.send(requests.flatMap(Client.bytes))
                }
                // Some of the last ones have heard of it, some have not.
                if count >= end { isOver = true }
                let heard = isOver ? random.below(writers.count) : writers.count
                acknowledged += hear(writers[..<heard], keys)
                if isOver { primary.server.kill(SIGKILL) }
                acknowledged += hear(writers[heard...], Array(keys[heard...]))
            }
            try primary.server.waitForEnd()
            #expect(acknowledged.count > 100, "round \(round)")
            try expectAll(acknowledged, onFurthestOf: replicas, "round \(round)")
        }
    }

    /// Those of the keys that one replica at least has.
    private func hear(_ writers: ArraySlice<Client>, _ keys: [String]) -> [String] {
        zip(writers, keys).filter { writer, _ in
            guard (try? writer.read()) == "OK", case .integer(let copies)? = try? writer.read()
            else { return false }
            return copies > 0
        }.map(\.1)
    }

    /// Promotes the replica that has most, as a sentinel does, and lets the other follow it.
    private func expectAll(
        _ keys: [String], onFurthestOf replicas: [ReplicationNode], _ context: String
    ) throws {
        for replica in replicas {
            try wait("the link is down") { try replica.field("master_link_status") == "down" }
        }
        let isFirst = try replicas[0].offset >= replicas[1].offset
        let (heir, other) = isFirst ? (replicas[0], replicas[1]) : (replicas[1], replicas[0])
        try heir.promote()
        let values = try heir.client.run(pipeline: keys.map { ["GET", $0] })
        let lost = zip(keys, values).filter { $1 != .text($0) }.map(\.0)
        #expect(lost == [], "\(context): \(heir.kind) lacks what was acknowledged")
        try other.follow(heir)
        #expect(try heir.number("sync_full") == 0)
        try heir.expectSame([other], context)
    }
}
