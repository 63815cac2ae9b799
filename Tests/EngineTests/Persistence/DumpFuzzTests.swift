import Glibc
import Testing

@testable import Engine

/// Values of every type, spoiled inside with their checksum mended: refused, or a value that every
/// command of its type can read, change in place, take apart and write again.
///
/// `APUS_FUZZ_SECONDS` makes it long; `SEED`, as each round prints it then, repeats one round first.
@Suite struct DumpFuzzTests {
    /// Small limits, so that a dozen elements have the large form.
    private static let configuration =
        SampleData.configuration + "\nrdbcompression no\nlist-max-listpack-size 6\n"
        + "stream-node-max-entries 4\nlist-compress-depth 1\n"

    /// What makes the data, a value of each form of each type under a key of its own.
    private static let requests = [
        "SET a text", "SET b 41", "SETBIT c 77 1", "PFADD d a b c 1 2 3",
        "RPUSH e a b c 1 2 -3 40000", "RPUSH f \(words(30))", "RPUSH g \(long) a \(long)",
        "SADD h 1 2 3 7", "SADD i 1 70000 -5000000000", "SADD j a b c 1", "SADD k \(words(12))",
        "HSET l f1 v f2 2 f3 1.5 7 300", "HSET m \(words(24))", "HSET n a 1 b 2 c 3",
        "HPEXPIREAT n 2000000000000 FIELDS 2 a b", "HSET o \(words(24))",
        "HPEXPIREAT o 2000000000000 FIELDS 2 a2 a4", "ZADD p 1 a 2 b 2.5 c inf d -7000 7",
        "ZADD q \((0..<12).map { "\($0) m\($0)" }.joined(separator: " "))",
        "GEOADD r 13.361389 38.115556 a 15.087269 37.502669 b",
        "XADD s 1 f1 a f2 b", "XADD s 2 f1 c f2 7", "XADD s 3 f3 d", "XADD s 10 f1 a f2 300",
        "XADD s 100 a a", "XADD s 101 a 200", "XDEL s 10", "XGROUP CREATE s a 0",
        "XGROUP CREATE s b 2", "XREADGROUP GROUP a b COUNT 2 STREAMS s >",
        "XREADGROUP GROUP a c COUNT 2 STREAMS s >", "XADD t 5 a b", "XADD t 9 a b", "XDEL t 9",
        "XSETID t 6", "XADD t 7 a b",
    ]

    private static let long = String(repeating: "x", count: 9000)

    private static func words(_ count: Int) -> String {
        (0..<count).map { "a\($0)" }.joined(separator: " ")
    }

    private static let seconds = getenv("APUS_FUZZ_SECONDS").flatMap { Double(String(cString: $0)) }
    /// Of the commands that fit a type each value meets all in a long run, else so many.
    private static var commandsEach: Int { seconds == nil ? 15 : .max }

    private static func corpus() -> [DumpTokens] {
        let server = TestServer(configuration)
        for request in requests {
            let reply = server.client.run(request.split(separator: " ").map(String.init))
            #expect(!reply.isError, "\(request): \(reply)")
        }
        let whole = server.run("KEYS", "*").elements.compactMap(\.text).sorted()
            .compactMap { server.dump($0) }.map { DumpTokens($0) }
        return whole + whole.flatMap(\.older)
    }

    @Test func `whatever comes in can be read, changed and written again`() {
        let seconds = Self.seconds
        let corpus = Self.corpus()
        let seed = SeededRandom.make().seed
        let deadline = Clock.now() + (seconds ?? 1.5)
        var round = 0
        var accepted = 0
        while Clock.now() < deadline && !hasIssue {
            let random = SeededRandom(seed: seed &+ UInt64(round))
            if seconds != nil { Clock.note("DumpFuzzTests: SEED=\(random.seed)") }
            accepted += self.round(corpus, random, isFirst: round % 50 == 0)
            round += 1
        }
        print("DumpFuzzTests: \(round) rounds, \(accepted) values taken")
        #expect(round < 50 || accepted > round / 50)
    }

    private final class World {
        var server = TestServer(DumpFuzzTests.configuration)
        var hasIssue = false
    }
    private let world = World()
    private var hasIssue: Bool { world.hasIssue }

    /// Spoils some payloads; returns how many were taken.
    private func round(_ corpus: [DumpTokens], _ random: SeededRandom, isFirst: Bool) -> Int {
        // The same round does the same in a server of its own.
        if isFirst { world.server = TestServer(Self.configuration) }
        let server = world.server
        server.run("FLUSHALL")
        var spoiler = DumpSpoiler(random: random)
        var accepted = 0
        for _ in 0..<8 {
            let whole = corpus[spoiler.random.below(corpus.count)]
            let payload = spoiler.spoil(whole)
            guard server.restore(payload: payload) == "OK" else { continue }
            accepted += 1
            check(server, payload, random.seed)
            exercise(server, payload, &spoiler.random, random.seed)
        }
        return accepted
    }

    /// What is kept comes back the same, in every way that it can go.
    private func check(_ server: TestServer, _ payload: [UInt8], _ seed: UInt64) {
        guard server.run("EXISTS", "k") == 1, let again = server.dump("k") else { return }
        let digest = server.run("DEBUG", "DIGEST-VALUE", "k")
        expect(server.restore(payload: again, key: "copy") == "OK", payload, "its dump", seed)
        if server.run("PTTL", "k") == -1 {
            expect(
                server.run("DEBUG", "DIGEST-VALUE", "copy") == digest, payload, "its digest", seed)
        }
        expect(server.run("COPY", "k", "copy", "REPLACE") == 1, payload, "its copy", seed)
        expect(server.run("DEBUG", "DIGEST-VALUE", "copy") == digest, payload, "a copy", seed)
        server.run("OBJECT", "ENCODING", "k")
        server.run("MEMORY", "USAGE", "k")
        server.run("DEL", "copy")
    }

    @Test func `a negative zero may come back as zero`() {
        let server = TestServer("enable-debug-command yes\nzset-max-listpack-entries 0")
        server.run("ZADD", "k", "-0", "b", "0", "a", "1", "c")
        server.run("CONFIG", "SET", "zset-max-listpack-entries", "128")
        check(server, [], 0)
        #expect(!hasIssue)
    }

    private func expect(_ holds: Bool, _ payload: [UInt8], _ what: String, _ seed: UInt64) {
        if holds { return }
        world.hasIssue = true
        let hex = payload.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        Issue.record("\(what), seed \(seed): \(hex)")
    }

    // MARK: - Commands

    /// All commands that fit the type, in any order.
    private func exercise(
        _ server: TestServer, _ payload: [UInt8], _ random: inout SeededRandom, _ seed: UInt64
    ) {
        let groups = Self.groups(server.run("TYPE", "k").text ?? "")
        let rows = server.server.commands.rows.filter {
            groups.contains($0.command.group) && !ArgumentFuzzTests.deadly.contains($0.fullName)
        }.shuffled(using: &random)
        var keys: [CommandGroup: [String]] = [:]
        for group in groups { keys[group] = ["k", "k", "k", "other"] }
        var maker = RequestMaker(random: random, keys: keys)
        let favourites = Self.favourites[server.run("TYPE", "k").text ?? ""] ?? []
        for (index, row) in rows.prefix(Self.commandsEach).enumerated() {
            if server.run("EXISTS", "k") == 0 { _ = server.restore(payload: payload) }
            let favourite = favourites.isEmpty ? "PING" : favourites[index % favourites.count]
            server.client.run(favourite.split(separator: " ").map(String.init))
            let request = maker.request(for: row)
            if ArgumentFuzzTests.isDeadly(request) || ArgumentFuzzTests.isEndless(request) {
                continue
            }
            expect(isAnswered(server, request), payload, "the reply to \(row.fullName)", seed)
            if index % 25 == 24 { check(server, payload, seed) }
        }
        random = maker.random
        check(server, payload, seed)
        server.run("FLUSHALL")
    }

    private func isAnswered(_ server: TestServer, _ request: [[UInt8]]) -> Bool {
        let client = server.client
        client.send(request)
        let bytes = client.connection.reply.view.array
        var reader = ReplyReader(bytes)
        while reader.next() != nil {}
        client.connection.reply.drain(client.connection.reply.count)
        // A client that waits for a key shall go on.
        _ = server.server.waiting.unblock(client.connection, .timeout, in: server.server)
        client.connection.reply.drain(client.connection.reply.count)
        client.connection.closesAfterReply = false
        return reader.isAtEnd
    }

    private static func groups(_ type: String) -> Set<CommandGroup> {
        switch type {
        case "string": [.generic, .string, .bitmap, .hyperLogLog]
        case "list": [.generic, .list]
        case "set": [.generic, .set]
        case "zset": [.generic, .sortedSet, .geo]
        case "hash": [.generic, .hash]
        default: [.generic, .stream]
        }
    }

    /// Requests that hit what is there, which those made by chance seldom do.
    private static let favourites: [String: [String]] = [
        "string": [
            "SETRANGE k 3 x", "APPEND k y", "INCR k", "SETBIT k 5 1", "PFADD k a b c d e f g h i j",
            "PFCOUNT k", "BITFIELD k SET u8 4 77 GET i16 3", "PFMERGE k k", "GETRANGE k 0 -1",
        ],
        "list": [
            "LSET k 0 1", "LSET k -1 300", "LINSERT k BEFORE a z", "LREM k 0 a", "LREM k -1 1",
            "LPOP k", "RPOP k", "LPUSH k 70000", "RPUSH k b", "LRANGE k 0 -1", "LTRIM k 1 -2",
            "LMOVE k k LEFT RIGHT", "LPOS k c",
        ],
        "set": [
            "SADD k 1", "SADD k 9000000000", "SADD k a", "SREM k 2", "SREM k a", "SREM k b",
            "SPOP k",
            "SMEMBERS k", "SMISMEMBER k a 1 -1",
        ],
        "zset": [
            "ZINCRBY k 3 a", "ZADD k 5 b", "ZREM k c", "ZADD k -inf z", "ZPOPMIN k", "ZPOPMAX k",
            "ZRANGE k 0 -1 WITHSCORES", "ZRANK k a", "ZREMRANGEBYSCORE k 2 3",
            "ZRANGESTORE k k 0 3",
        ],
        "hash": [
            "HINCRBY k f2 300", "HSET k f1 70000", "HSET k a 2", "HDEL k f3", "HDEL k a",
            "HINCRBYFLOAT k f3 0.25", "HGETALL k", "HPEXPIRE k 100000 FIELDS 2 b f1",
            "HPERSIST k FIELDS 2 a b", "HSTRLEN k f1", "HGETDEL k FIELDS 1 c",
        ],
        "stream": [
            "XDEL k 1", "XRANGE k - +", "XADD k * f1 x f2 y", "XDEL k 2 3", "XREVRANGE k + -",
            "XTRIM k MAXLEN 3", "XADD k * a b", "XTRIM k MINID 7", "XDEL k 100", "XACK k a 1 2",
            "XREADGROUP GROUP a b STREAMS k >", "XCLAIM k a c 0 1 2 3", "XAUTOCLAIM k a d 0 0",
            "XINFO STREAM k FULL", "XPENDING k a - + 10", "XSETID k 200",
        ],
    ]
}

/// The time outside, and a way to say something at once.
private enum Clock {
    static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    static func note(_ text: String) {
        let line = Array((text + "\n").utf8)
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
