import Foundation
import Testing

/// A server among others that replicate: ours, or Redis.
final class ReplicationNode {
    enum Kind: String, CaseIterable {
        case apus, redis

        var program: String { self == .apus ? ServerProcess.binary : peer }

        /// `PEER_BINARY`, or the Redis that is installed.
        private var peer: String {
            ProcessInfo.processInfo.environment["PEER_BINARY"] ?? "/usr/bin/redis-server"
        }

        static let hasRedis = FileManager.default.isExecutableFile(atPath: Kind.redis.program)
    }

    let kind: Kind
    let server: ServerProcess
    private(set) var client: Client

    private static let configuration = """
        enable-debug-command yes
        repl-diskless-sync-delay 0
        repl-ping-replica-period 1
        """

    init(_ kind: Kind, _ configuration: String = "") throws {
        self.kind = kind
        server = try ServerProcess(
            Self.configuration + "\n" + configuration, program: kind.program)
        client = try server.connect()
    }

    // MARK: - Asking

    func field(_ name: String) throws -> String {
        let info = try client.run("INFO", "everything").text ?? ""
        let line = info.split(separator: "\r\n").first { $0.hasPrefix("\(name):") }
        return line.map { String($0.dropFirst(name.count + 1)) } ?? ""
    }

    func number(_ name: String) throws -> Int { Int(try field(name)) ?? -1 }

    /// The end of its history, as a primary or replica.
    var offset: Int { get throws { try number("master_repl_offset") } }

    // MARK: - Changing

    /// Follows the server at `port`, and waits until it has all data.
    func follow(port: Int) throws {
        try client.run("REPLICAOF", "127.0.0.1", "\(port)")
        try waitForLink()
    }

    func follow(_ primary: ReplicationNode) throws { try follow(port: primary.server.port) }

    func waitForLink() throws {
        try wait("\(kind) has a link to its primary") {
            try field("master_link_status") == "up"
        }
    }

    func promote() throws { #expect(try client.run("REPLICAOF", "NO", "ONE") == "OK") }

    /// After the process was started again.
    func reconnect() throws { client = try server.connect() }

    // MARK: - Comparing

    /// Waits until all have done everything that the primary did and have the same data, of which the
    /// last may expire meanwhile.
    func expectSame(_ replicas: [ReplicationNode], _ context: String) throws {
        var difference: String?
        do {
            try wait("all data is the same") {
                difference = try self.difference(replicas)
                return difference == nil
            }
        } catch {
            Issue.record("\(context): \(error): \(difference ?? "")\n\(try differences(replicas))")
        }
    }

    private func difference(_ replicas: [ReplicationNode]) throws -> String? {
        let (end, digest) = (try offset, try client.run("DEBUG", "DIGEST"))
        for replica in replicas {
            if try replica.offset < end { return "\(replica.kind) is behind" }
            if try replica.client.run("DEBUG", "DIGEST") != digest { return "digests" }
        }
        // Through a Redis in the middle only what a Redis knows is passed on.
        let areOurs = kind == .apus && replicas.allSatisfy { $0.kind == .apus }
        for replica in replicas {
            let (mine, theirs) = (
                try details(amongOurs: areOurs), try replica.details(amongOurs: areOurs)
            )
            for (mine, theirs) in zip(mine, theirs) where mine != theirs {
                return "\(kind) has \(mine), \(replica.kind) \(theirs)"
            }
            if mine.count != theirs.count { return "\(mine.count) keys, and \(theirs.count)" }
        }
        return nil
    }

    /// What the digest says nothing of: when keys expire, and the groups of streams.
    ///
    /// Redis does not tell its replicas, depending on the version, how many entries a group has read or
    /// what consumers it has.
    private func details(amongOurs: Bool) throws -> [[String]] {
        var all: [[String]] = []
        for database in 0..<3 {
            try client.run("SELECT", "\(database)")
            let keys = try client.run("KEYS", "*").elements.compactMap(\.text).sorted()
            let types = try client.run(pipeline: keys.map { ["TYPE", $0] })
            let times = try client.run(pipeline: keys.map { ["PEXPIRETIME", $0] })
            for (index, key) in keys.enumerated() {
                all.append(["\(database)", key, "\(types[index])", "\(times[index])"])
                guard types[index] == "stream" else { continue }
                for group in try client.run("XINFO", "GROUPS", key).elements {
                    let name = group.elements[1].text ?? ""
                    let pending = try client.run("XPENDING", key, name)
                    // Name, consumers, pending, last ID, entries read, lag, each behind its name.
                    let told = group.elements[amongOurs ? 0..<12 : 4..<8]
                    all.append([key, name, "\(told)", "\(pending)"])
                }
            }
        }
        return all
    }

    /// The keys that are not the same.
    private func differences(_ replicas: [ReplicationNode]) throws -> String {
        var lines = ["\(kind) at \(try offset)"]
        for replica in replicas {
            lines.append("\(replica.kind) at \(try replica.offset)")
            for database in 0..<3 {
                var values: [[String: Answer]] = []
                for node in [self, replica] {
                    try node.client.run("SELECT", "\(database)")
                    let keys = try node.client.run("KEYS", "*").elements.compactMap(\.text)
                    let digests = try node.client.run(
                        pipeline: keys.map { ["DEBUG", "DIGEST-VALUE", $0] })
                    values.append(Dictionary(uniqueKeysWithValues: zip(keys, digests)))
                }
                let keys = Set(values[0].keys).union(values[1].keys)
                let unlike = keys.filter { values[0][$0] != values[1][$0] }.sorted()
                if !unlike.isEmpty { lines.append("database \(database): \(unlike)") }
            }
        }
        return lines.joined(separator: "\n")
    }
}
