import Foundation
import Testing

/// Replicas behind a network that fails at random: at rest all have the same data, and all data was sent
/// again only where the backlog did not reach.
///
/// A moment among servers of our own; or, with Redis among them, as many seconds for each as
/// `TORTURE_SECONDS` says.
@Suite(.serialized, .enabled(if: ReplicationNode.Kind.hasRedis, "redis-server is not installed"))
struct ReplicationTortureTests {
    typealias Kind = ReplicationNode.Kind

    private static let wantedSeconds =
        ProcessInfo.processInfo.environment["TORTURE_SECONDS"].flatMap { Double($0) }
    private static let seconds = wantedSeconds ?? 1.5

    /// A primary, a replica of it, and a replica of that, with a network in between.
    private struct Chain {
        let nodes: [ReplicationNode]
        let proxies: [LinkProxy]
        var load: WriteLoad
        let waiter: Client

        var primary: ReplicationNode { nodes[0] }
        var replicas: [ReplicationNode] { Array(nodes.dropFirst()) }

        init(_ kinds: [Kind], _ configuration: String, _ random: SeededRandom) throws {
            var random = random
            // A replica with a file of its own feeds that, and its replicas nothing.
            nodes = try kinds.map { kind in
                try ReplicationNode(
                    kind, "\(configuration)\nappendonly \(random.below(2) == 0 ? "yes" : "no")")
            }
            proxies = try nodes.dropLast().map { try LinkProxy(to: $0.server.port) }
            load = WriteLoad(random)
            waiter = try nodes[0].server.connect()
        }

        mutating func write(_ count: Int) throws {
            try load.run(count, on: primary.client, waiter: waiter)
        }

        /// Lets replicas that are much slower than their primary catch up.
        func limitLag() throws {
            let least = try primary.offset - (2 << 20)
            try wait("the replicas keep up") { try replicas.allSatisfy { try $0.offset > least } }
        }

        func follow() throws {
            for (replica, proxy) in zip(replicas, proxies) { try replica.follow(port: proxy.port) }
        }

        /// Something goes wrong, or ends to be slow.
        func trouble(_ random: inout SeededRandom, longestStall: Int) {
            let proxy = proxies[random.below(proxies.count)]
            switch random.below(8) {
            case 0...2: proxy.cut(abruptly: random.below(2) == 0)
            case 3: for proxy in proxies { proxy.cut() }
            case 4: proxy.stall(milliseconds: random.below(longestStall))
            case 5: proxy.setLatency(milliseconds: random.below(40))
            default: proxy.setLatency(milliseconds: 0)
            }
        }

        func calm() {
            for proxy in proxies { proxy.setLatency(milliseconds: 0) }
        }

        /// Lets the first replica take over in the middle of what the primary does.
        func promote(_ context: String) throws {
            let batch = (0..<100).flatMap { _ in Client.bytes(of: ["INCR", "promoted"]) }
            for _ in 0..<100 { try primary.client.send(batch) }
            try replicas[0].promote()
            try replicas[0].expectSame(Array(replicas.dropFirst()), "promoted, \(context)")
        }

        func report(_ figures: String) {
            print("torture of \(nodes.map(\.kind.rawValue).joined(separator: " <- ")): \(figures)")
        }

        func fullSyncs() throws -> [Int] { try nodes.map { try $0.number("sync_full") } }
    }

    private static let kinds: [[Kind]] =
        [[.apus, .apus, .apus]]
        + (wantedSeconds == nil ? [] : [[.redis, .apus, .apus], [.apus, .redis, .apus]])

    @Test(arguments: kinds)
    func `a backlog that reaches makes up for any trouble`(kinds: [Kind]) throws {
        var random = SeededRandom.make()
        var chain = try Chain(kinds, "repl-backlog-size 256mb", random)
        try chain.write(500)
        try chain.follow()
        let deadline = ContinuousClock.now + .seconds(Self.seconds)
        repeat {
            chain.trouble(&random, longestStall: 300)
            try chain.write(50 + random.below(300))
            try chain.limitLag()
        } while try ContinuousClock.now < deadline || chain.primary.number("sync_partial_ok") < 2
        chain.calm()
        try chain.primary.expectSame(chain.replicas, "seed \(random.seed)")
        #expect(try chain.fullSyncs() == [1, 1, 0], "seed \(random.seed)")
        try chain.promote("seed \(random.seed)")
        chain.report("\(chain.proxies.map(\.links)) links")
    }

    @Test(arguments: kinds)
    func `a replica gets all data again only if the backlog does not reach`(kinds: [Kind]) throws {
        var random = SeededRandom.make()
        let configuration = "repl-backlog-size 32kb\nrepl-ping-replica-period 3600"
        var chain = try Chain(Array(kinds.prefix(2)), configuration, random)
        let (primary, replica, proxy) = (chain.primary, chain.replicas[0], chain.proxies[0])
        try chain.follow()
        var seen = [0, 0]
        let deadline = ContinuousClock.now + .seconds(Self.seconds)
        repeat {
            // Nobody follows while this is written.
            proxy.hold()
            proxy.cut(abruptly: random.below(2) == 0)
            try wait("the link is cut") { try primary.number("connected_slaves") == 0 }
            try chain.write(50 * random.below(random.below(2) == 0 ? 10 : 70))
            let first = try primary.number("repl_backlog_first_byte_offset")
            let end = try primary.offset
            #expect(try end - first + 1 >= min(32 << 10, end), "too little is kept")
            let wanted = try replica.number("slave_repl_offset") + 1
            let (full, partial) = (
                try primary.number("sync_full"), try primary.number("sync_partial_ok")
            )
            proxy.admit()
            try replica.waitForLink()
            let reaches = wanted >= first
            seen[reaches ? 1 : 0] += 1
            let context = "\(wanted) of \(first)...\(end), seed \(random.seed)"
            #expect(try primary.number("sync_full") == full + (reaches ? 0 : 1), "\(context)")
            #expect(
                try primary.number("sync_partial_ok") == partial + (reaches ? 1 : 0), "\(context)")
            try primary.expectSame([replica], context)
        } while ContinuousClock.now < deadline || seen.contains(0)
        chain.report("\(seen[0]) full, \(seen[1]) partial")
    }

    @Test(arguments: kinds)
    func `all is the same even if transfers are cut`(kinds: [Kind]) throws {
        var random = SeededRandom.make()
        let configuration = """
            repl-backlog-size 16kb
            repl-timeout 2
            repl-diskless-load \(random.below(2) == 0 ? "swapdb" : "disabled")
            repl-diskless-sync \(random.below(2) == 0 ? "yes" : "no")
            """
        var chain = try Chain(kinds, configuration, random)
        // So much that a transfer takes a moment.
        for index in 0..<200 {
            try chain.primary.client.run(
                "SET", "large:\(index)", String(repeating: "\(index)", count: 10_000))
        }
        try chain.follow()
        let deadline = ContinuousClock.now + .seconds(Self.seconds)
        while ContinuousClock.now < deadline {
            chain.trouble(&random, longestStall: 600)
            try chain.write(50 + random.below(1000))
            try chain.limitLag()
        }
        chain.calm()
        let context = "seed \(random.seed), \(configuration)"
        try chain.primary.expectSame(chain.replicas, context)
        chain.report("full \(try chain.fullSyncs())")
    }
}
