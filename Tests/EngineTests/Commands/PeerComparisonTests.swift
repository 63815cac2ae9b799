import Glibc
import Testing

@testable import Engine

/// Random commands to Redis 7.0.15 and to us: every reply must be the same, byte for byte, and in the
/// end the data.
@Suite struct PeerComparisonTests {
    /// Replies whose elements have no order.
    private static let unordered: Set<String> = [
        "SMEMBERS", "SINTER", "SUNION", "SDIFF", "SPOP", "SRANDMEMBER", "HKEYS", "HVALS",
        "HRANDFIELD",
    ]

    /// The reply in a form that is the same whatever the order of what has none.
    private static func settled(_ reply: [UInt8], to request: [String]) -> [UInt8] {
        let isMap = request[0] == "HGETALL"
        guard isMap || unordered.contains(request[0]) else { return reply }
        var reader = ReplyReader(reply)
        guard case .array(let parts)? = reader.next() else { return reply }
        var texts = parts.map { $0.description }
        if isMap && texts.count % 2 == 0 {
            texts = stride(from: 0, to: texts.count, by: 2).map { texts[$0] + " " + texts[$0 + 1] }
        }
        return Array(texts.sorted().joined(separator: "\n").utf8)
    }

    /// Whether the replies differ in nothing but how they write doubles, which Redis 7.0 does in 17
    /// digits and its successors and we do in as few as it takes.
    private static func tellsTheSame(_ ours: [UInt8], _ theirs: [UInt8]) -> Bool {
        var (left, right) = (ReplyReader(ours), ReplyReader(theirs))
        guard let left = left.next(), let right = right.next() else { return false }
        return tellsTheSame(left, right)
    }

    private static func tellsTheSame(_ ours: Reply, _ theirs: Reply) -> Bool {
        if ours == theirs { return true }
        switch (ours, theirs) {
        case (.array(let left), .array(let right)):
            return left.count == right.count && zip(left, right).allSatisfy(tellsTheSame)
        case (.bulk(let left), .bulk(let right)):
            return Double(left).map { $0 == Double(right) } ?? false
        default: return false
        }
    }

    /// A score of -0 of a ranked set is 0 in our digest, and not in that of Redis.
    private static func hasMinusZero(_ server: TestServer, _ key: String) -> Bool {
        server.run("ZRANGE", key, "0", "-1", "WITHSCORES").elements.contains(.bulk("-0"))
    }

    @Test(.enabled(if: Peer.isInstalled), arguments: PeerRequests.Family.allCases)
    func `random commands are answered as by Redis`(_ family: PeerRequests.Family) throws {
        let peer = try #require(Peer("--enable-debug-command", "yes"))
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let server = TestServer(
            "enable-debug-command yes", wallMilliseconds: Int64(now.tv_sec) * 1000)
        var requests = PeerRequests(random: SeededRandom.make(), family: family)
        for _ in 0..<(family == .strings ? 100 : 25) {
            let batch = (0..<100).map { _ in requests.next() }
            let replies = peer.run(pipeline: batch.map { $0.map { Array($0.utf8) } })
            try #require(replies.count == batch.count, "Redis has gone")
            for (request, theirs) in zip(batch, replies) {
                server.client.send(request.map { Array($0.utf8) })
                let ours = server.client.connection.reply.view.array
                server.client.connection.reply.drain(ours.count)
                if Self.settled(ours, to: request) == Self.settled(theirs, to: request) { continue }
                let hasScores = family == .sortedSets || family == .places
                if hasScores && Self.tellsTheSame(ours, theirs) { continue }
                if request.starts(with: ["DEBUG", "DIGEST-VALUE"]) {
                    if Self.hasMinusZero(server, request[2]) { continue }
                }
                let texts = [ours, theirs].map { String(decoding: $0, as: UTF8.self) }
                Issue.record("\(request): we reply \(texts[0]), Redis \(texts[1])")
                return
            }
        }
        for case .bulk(let key) in server.run("KEYS", "*").elements
        where Self.hasMinusZero(server, key) {
            server.run("DEL", key)
            _ = peer.run(["DEL", key].map { Array($0.utf8) })
        }
        let digest = ["DEBUG", "DIGEST"].map { Array($0.utf8) }
        server.client.send(digest)
        #expect(server.client.connection.reply.view.array == peer.run(digest))
    }
}
