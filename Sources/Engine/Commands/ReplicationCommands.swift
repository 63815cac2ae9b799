/// Commands of the documented groups "server" and "generic" about replication: the part played, the talk
/// between primary and replica, waiting for copies.
enum ReplicationCommands {
    private static let guarded: CommandFlags = [.admin, .noScript, .stale, .noAsyncLoading]
    private static let syncing: CommandFlags = [.admin, .noScript, .noAsyncLoading, .noMulti]

    static var table: [Command] {
        [
            Command(
                "FAILOVER", .atLeast(1), [.admin, .noScript, .stale], group: .server,
                since: "6.2.0", "Hands the part of the primary to a replica that has everything.",
                syntax: "[TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]", failover),
            Command(
                "PSYNC", .atLeast(3), syncing, group: .server, since: "2.8.0",
                "Asks to go on in a history of changes.", syntax: "replicationid offset", psync),
            Command(
                "REPLCONF", .atLeast(1),
                [
                    .admin, .noScript, .loading, .stale, .allowBusy, .systemCommand, .framesChanges,
                ], group: .server, since: "3.0.0",
                "What primary and replica tell each other of themselves.", replconf),
            Command(
                "REPLICAOF", .exactly(3), guarded, group: .server, since: "5.0.0",
                "Makes the server follow another one, or nobody.", syntax: "<host port | NO ONE>",
                replicaof),
            Command(
                "ROLE", .exactly(1), [.noScript, .loading, .stale, .fast], [.admin, .dangerous],
                group: .server, since: "2.8.12", "Tells the part played in replication.", role),
            Command(
                "SLAVEOF", .exactly(3), guarded, group: .server, since: "1.0.0",
                "Makes the server follow another one, or nobody.", syntax: "<host port | NO ONE>",
                deprecated: ("5.0.0", "`REPLICAOF`"), replicaof),
            Command(
                "SYNC", .exactly(1), syncing, group: .server, since: "1.0.0",
                "Asks for all data and what follows.", sync),
            Command(
                "WAIT", .exactly(3), [.blocking], [.connection], group: .generic, since: "3.0.0",
                "Waits until replicas have what was written on this connection.",
                syntax: "numreplicas timeout",
                tips: ["request_policy:all_shards", "response_policy:agg_min"], wait),
            Command(
                "WAITAOF", .exactly(4), [.blocking], [.connection], group: .generic,
                since: "7.2.0",
                "Waits until what was written on this connection is on disks.",
                syntax: "numlocal numreplicas timeout",
                tips: ["request_policy:all_shards", "response_policy:agg_min"], waitaof),
        ]
    }

    // MARK: - REPLICAOF host port, REPLICAOF NO ONE

    static func replicaof(_ call: inout Call) throws(CommandError) {
        let server = call.server
        if server.replication.failover != nil {
            throw .text("ERR REPLICAOF not allowed while failing over.")
        }
        let (host, port) = (call.arguments[1], call.arguments[2])
        if host.equalsIgnoringCase("NO") && port.equalsIgnoringCase("ONE") {
            if server.replication.isReplica {
                server.log.notice(
                    "MASTER MODE enabled (user request from '\(server.describe(call.connection))')")
                server.followNobody()
            }
            return call.reply.ok()
        }
        if call.connection.gate.contains(.replica) {
            throw .text("ERR Command is not valid when client is a replica.")
        }
        let primary = try source(host, port)
        if server.replication.link?.primary == primary {
            server.log.notice(
                "REPLICAOF would result into synchronization with the master we are already "
                    + "connected with. No operation performed.")
            return call.reply.simple("OK Already connected to specified master")
        }
        server.follow(primary)
        server.log.notice(
            "REPLICAOF \(primary.host):\(primary.port) enabled (user request from "
                + "'\(server.describe(call.connection))')")
        call.reply.ok()
    }

    private static func source(
        _ host: ByteView, _ port: ByteView
    ) throws(CommandError) -> ReplicaSource {
        guard let number = NumberText.integer(port), (0...65535).contains(number) else {
            throw .text("ERR Invalid master port")
        }
        return ReplicaSource(host: host.string, port: Int(number))
    }

    // MARK: - ROLE

    /// Reply: of a primary the offset and its replicas; of a replica its primary, the state of the link,
    /// the offset, which is -1 without a link.
    static func role(_ call: inout Call) throws(CommandError) {
        let server = call.server
        guard let link = server.replication.link else {
            let online = server.replication.replicas.filter { $0.replica?.stage == .online }
            call.reply.array(3)
            call.reply.bulk("master")
            call.reply.integer(server.historyEnd)
            call.reply.array(online.count)
            for connection in online {
                guard let replica = connection.replica else { continue }
                call.reply.array(3)
                call.reply.bulk(replica.address ?? connection.peerAddress)
                call.reply.bulk(String(replica.port))
                call.reply.bulk(String(replica.acknowledged))
            }
            return
        }
        call.reply.array(5)
        call.reply.bulk("slave")
        call.reply.bulk(link.primary.host)
        call.reply.integer(link.primary.port)
        call.reply.bulk(link.state.name)
        call.reply.integer(link.state == .connected ? server.replication.offset : -1)
    }

    // MARK: - PSYNC replicationid offset [FAILOVER], SYNC

    static func psync(_ call: inout Call) throws(CommandError) {
        guard let offset = NumberText.integer(call.arguments[2]) else {
            call.server.log.notice(
                "Replica \(call.server.name(of: call.connection)) asks for synchronization but with a "
                    + "wrong offset")
            throw .notInteger
        }
        let demandsTakeover =
            call.arguments.count > 3 && call.arguments[3].equalsIgnoringCase("FAILOVER")
        try call.server.synchronize(
            &call, id: call.arguments[1].string, offset: Int(offset),
            demandsTakeover: demandsTakeover)
    }

    static func sync(_ call: inout Call) throws(CommandError) {
        try call.server.synchronize(&call, id: nil, offset: -1)
    }

    // MARK: - REPLCONF [option value ...]

    /// Reply: OK; none to ACK.
    static func replconf(_ call: inout Call) throws(CommandError) {
        guard call.arguments.count % 2 == 1 else { throw .syntax }
        let server = call.server
        let replica =
            call.connection.gate.contains(.primary) ? nil : server.introduce(call.connection)
        var isAcknowledgement = false
        var acknowledged: Int64?
        var synced: Int64?
        for index in stride(from: 1, to: call.arguments.count, by: 2) {
            let (name, value) = (call.arguments[index], call.arguments[index + 1])
            if name.equalsIgnoringCase("ACK") {
                isAcknowledgement = true
                acknowledged = NumberText.integer(value)
            } else if name.equalsIgnoringCase("FACK") {
                synced = NumberText.integer(value)
            } else if name.equalsIgnoringCase("GETACK") {
                // Told to the primary alone, once this request is done with.
                if call.connection.gate.contains(.primary) {
                    server.replication.link?.owesAcknowledgement = true
                }
                return
            } else if let replica {
                try tell(replica, name, value, &call)
            }
        }
        guard isAcknowledgement else { return call.reply.ok() }
        guard let acknowledged else { return }
        server.noteAcknowledgement(
            call.connection, Int(acknowledged), synced: synced.map { Int($0) })
    }

    private static func number(_ text: ByteView) throws(CommandError) -> Int {
        guard let number = NumberText.integer(text) else { throw .notInteger }
        return Int(number)
    }

    private static func tell(
        _ replica: Replica, _ name: ByteView, _ value: ByteView, _ call: inout Call
    ) throws(CommandError) {
        if name.equalsIgnoringCase("listening-port") {
            replica.port = try number(value)
        } else if name.equalsIgnoringCase("ip-address") {
            guard value.count < longestHost else {
                throw call.fail(
                    "ERR REPLCONF ip-address provided by replica instance is too long: "
                        + "\(value.count) bytes")
            }
            replica.address = value.isEmpty ? nil : value.string
        } else if name.equalsIgnoringCase("capa") {
            if value.equalsIgnoringCase("eof") { replica.capabilities.insert(.endMark) }
            if value.equalsIgnoringCase("psync2") { replica.capabilities.insert(.partialSync2) }
        } else if name.equalsIgnoringCase("rdb-only") {
            let number = try number(value)
            guard number == 0 || number == 1 else {
                throw .text("ERR value is out of range, value must between 0 and 1")
            }
            replica.wantsSnapshotOnly = number == 1
        } else if name.equalsIgnoringCase("rdb-filter-only") {
            try tellFilter(replica, value, &call)
        } else if !isToldBesides(name) {
            throw call.fail("ERR Unrecognized REPLCONF option: \(name.prefix(128).string)")
        }
    }

    /// With room for the end that a name has in C.
    private static let longestHost = 256

    /// What later servers tell, and nothing follows from here.
    private static func isToldBesides(_ name: ByteView) -> Bool {
        name.equalsIgnoringCase("version")
    }

    private static func tellFilter(
        _ replica: Replica, _ value: ByteView, _ call: inout Call
    ) throws(CommandError) {
        for word in value.string.split(separator: " ") where word != "functions" {
            throw call.fail("ERR Unsupported rdb-filter-only option: \(word)")
        }
        replica.content = .nothing
    }

    // MARK: - WAIT numreplicas timeout, WAITAOF numlocal numreplicas timeout

    /// Reply: how many replicas have everything.
    static func wait(_ call: inout Call) throws(CommandError) {
        guard !call.server.replication.isReplica else {
            throw .text(
                """
                ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if \
                a replica is configured to be writable (which is not the default) writes to replicas \
                are just local and are not propagated.
                """)
        }
        let replicas = try count(call.arguments[1])
        let deadline = try timeout(call.arguments[2], call)
        begin(
            &call,
            CopyWait(
                offset: call.connection.historyEnd, replicas: replicas, isOfDisks: false,
                wantsOwnDisk: false), until: deadline)
    }

    /// Reply: whether it is on the own disk, and on those of how many replicas.
    static func waitaof(_ call: inout Call) throws(CommandError) {
        guard let local = NumberText.integer(call.arguments[1]), local == 0 || local == 1 else {
            throw .text("ERR value is out of range, must be between 0 and 1")
        }
        let replicas = try count(call.arguments[2])
        guard replicas >= 0 else { throw .text("ERR value is out of range, must be positive") }
        let deadline = try timeout(call.arguments[3], call)
        guard !call.server.replication.isReplica else {
            throw .text("ERR WAITAOF cannot be used with replica instances.")
        }
        guard local == 0 || call.server.settings.appendOnly else {
            throw .text(
                "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
        }
        begin(
            &call,
            CopyWait(
                offset: call.connection.historyEnd, replicas: replicas, isOfDisks: true,
                wantsOwnDisk: local == 1), until: deadline)
    }

    private static func count(_ text: ByteView) throws(CommandError) -> Int {
        guard let count = NumberText.integer(text) else { throw .notInteger }
        return Int(count)
    }

    private static func timeout(
        _ text: ByteView, _ call: borrowing Call
    ) throws(CommandError) -> Int64? {
        guard let milliseconds = NumberText.integer(text) else {
            throw .text("ERR timeout is not an integer or out of range")
        }
        if milliseconds < 0 { throw .timeoutNegative }
        let (deadline, overflow) = call.server.clock.monotonicMilliseconds
            .addingReportingOverflow(milliseconds)
        if overflow { throw .timeoutOutOfRange }
        return milliseconds == 0 ? nil : deadline
    }

    private static func begin(_ call: inout Call, _ wait: CopyWait, until deadline: Int64?) {
        let server = call.server
        if wait.isOver(in: server) || !call.mayBlock {
            return wait.writeOutcome(in: server, to: &call.reply)
        }
        call.blocks = true
        server.waiting.begin(.copies(wait), &call, until: deadline)
        server.replication.asksReplicas = true
    }

    // MARK: - FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]

    static func failover(_ call: inout Call) throws(CommandError) {
        let server = call.server
        if server.settings.clusterEnabled {
            throw .text("ERR FAILOVER not allowed in cluster mode.")
        }
        if call.arguments.count == 2 && call.arguments[1].equalsIgnoringCase("ABORT") {
            guard server.abortFailover() else { throw .text("ERR No failover in progress.") }
            return call.reply.ok()
        }
        var options = Options(call.arguments, from: 1)
        var target: ReplicaSource?
        var milliseconds: Int64 = 0
        var isForced = false
        while options.hasMore {
            if milliseconds == 0 && options.take("TIMEOUT") {
                guard let number = NumberText.integer(try options.next()) else { throw .notInteger }
                guard number > 0 else { throw .text("ERR FAILOVER timeout must be greater than 0") }
                milliseconds = number
            } else if target == nil && options.take("TO") {
                let host = try options.next().string
                target = ReplicaSource(host: host, port: try Self.number(try options.next()))
            } else if !isForced && options.take("FORCE") {
                isForced = true
            } else {
                throw .syntax
            }
        }
        try refuseFailover(call, target, isForced: isForced, hasTimeout: milliseconds > 0)
        let deadline = milliseconds > 0 ? server.clock.monotonicMilliseconds + milliseconds : nil
        server.beginFailover(
            Failover(target: target, isForced: isForced, deadline: deadline))
        call.reply.ok()
    }

    private static func refuseFailover(
        _ call: borrowing Call, _ target: ReplicaSource?, isForced: Bool, hasTimeout: Bool
    ) throws(CommandError) {
        let server = call.server
        if server.replication.failover != nil { throw .text("ERR FAILOVER already in progress.") }
        if server.replication.isReplica {
            throw .text("ERR FAILOVER is not valid when server is a replica.")
        }
        if server.replication.replicas.isEmpty {
            throw .text("ERR FAILOVER requires connected replicas.")
        }
        if isForced && (!hasTimeout || target == nil) {
            throw .text(
                "ERR FAILOVER with force option requires both a timeout and target HOST and IP.")
        }
        guard let target else { return }
        let replica = server.replication.replicas.first {
            $0.replica?.port == target.port
                && ($0.replica?.address ?? $0.peerAddress) == target.host
        }?.replica
        guard let replica else {
            throw .text("ERR FAILOVER target HOST and PORT is not a replica.")
        }
        guard replica.stage == .online else {
            throw .text("ERR FAILOVER target replica is not online.")
        }
    }
}
