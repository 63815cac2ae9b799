import Glibc
import Testing

@testable import Engine

// Release builds record no lookups.
#if DEBUG
    /// Whatever a request says, each key that is looked up for it is one that access control has seen:
    /// requests come from the table, with options doubled and with keys that are called like options.
    @Suite struct LookupAccessTests {
        private static let names: [CommandGroup: [String]] = [
            .string: ["string", "GET", "NX", "2"], .bitmap: ["string", "GET", "OVERFLOW"],
            .hyperLogLog: ["sketch", "KEYS"], .list: ["list", "STORE", "BY", "COUNT"],
            .generic: ["list", "STORE", "set", "KEYS", "1", "string", "stream", "absent"],
            .set: ["set", "LIMIT", "1"], .hash: ["hash", "FIELDS"],
            .sortedSet: ["ranking", "WEIGHTS", "STOREDIST"],
            .geo: ["places", "STOREDIST", "ASC", "absent", "STORE"],
            .stream: ["stream", "STREAMS", "NOACK", "absent"],
        ]

        private static let requests = [
            "MSET string text GET text NX 1 2 2", "PFADD sketch a", "PFADD KEYS b",
            "RPUSH list 1 2 3", "RPUSH STORE 1 2", "RPUSH BY 3 2 1", "RPUSH COUNT a b",
            "SADD set 1 2", "SADD LIMIT 1 2", "SADD 1 a b", "HSET hash f1 v f2 2",
            "HSET FIELDS f1 v",
            "ZADD ranking 1 a 2 b", "ZADD WEIGHTS 1 a 2 b", "SETBIT OVERFLOW 7 1",
            "GEOADD places 13 38 Palermo", "GEOADD STOREDIST 13 38 Palermo", "GEOADD ASC 13 38 m",
            "XGROUP CREATE stream a 0 MKSTREAM", "XGROUP CREATE STREAMS a 0 MKSTREAM",
            "XGROUP CREATE NOACK a 0 MKSTREAM", "XGROUP CREATE stream STREAMS 0",
            "XADD stream 1-1 f v",
            "XGROUP CREATE STREAMS STREAMS 0", "XADD STREAMS 1-1 f v", "XADD NOACK 1-1 f v",
        ].map { $0.split(separator: " ").map { Array($0.utf8) } }

        /// So many requests of each command; `LOOKUP_ROUNDS` sets another number.
        private static let rounds =
            getenv("LOOKUP_ROUNDS").flatMap { Int(String(cString: $0)) } ?? 60

        /// May use every key, but by a pattern, so that all are checked, and SORT follows none.
        private static func user(of server: TestServer) -> TestClient {
            server.run("ACL", "SETUSER", "u", "on", "nopass", "~?*", "&*", "+@all")
            let client = server.connect()
            client.run("AUTH", "u", "x")
            return client
        }

        @Test func `what is looked up was checked`() {
            let server = TestServer(SampleData.configuration)
            let keyspace = server.server.keyspace
            let client = Self.user(of: server)
            let random = SeededRandom.make()
            var wild = RequestMaker(random: random, keys: Self.names)
            var maker = EntangledRequestMaker(random: random, names: Self.names)
            var lookups = 0
            for row in server.server.commands.rows
            where row.subcommands.isEmpty && !Self.isExempt(row) {
                // A finder means options that stand anywhere.
                let hasFinder = row.command.keyFinder != nil
                for round in 0..<(hasFinder ? 8 : 1) * Self.rounds {
                    if round % 5 == 0 { fill(server) }
                    let isWild = round % 3 == 2
                    let request = isWild ? wild.request(for: row) : maker.request(for: row)
                    if ArgumentFuzzTests.isEndless(request) { continue }
                    let named = names(request, server)
                    keyspace.lookups = []
                    client.send(request)
                    let seen = keyspace.lookups ?? []
                    keyspace.lookups = nil
                    lookups += seen.count
                    #expect(
                        seen.isSubset(of: named),
                        "\(text(request)) looked up \(seen.subtracting(named).map(Self.shown))")
                    settle(client, server)
                }
            }
            #expect(lookups > 1000)
        }

        /// What stops the test, or does not look up what it is told: what runs later, and what names no
        /// keys but may see them all.
        private static func isExempt(_ row: CommandTable.Row) -> Bool {
            ArgumentFuzzTests.deadly.contains(row.fullName) || row.command.group == .transactions
                || row.flags.contains(.touchesArbitraryKeys) || row.flags.contains(.protected)
                || ["keys", "monitor"].contains(row.fullName)
        }

        private func fill(_ server: TestServer) {
            server.run("FLUSHALL")
            for request in Self.requests { _ = server.client.run(bytes: request) }
        }

        /// The keys that access control sees of a request.
        private func names(_ request: [[UInt8]], _ server: TestServer) -> Set<[UInt8]> {
            let owned = OwnedArguments(request)
            let number = server.server.commandNumber(of: owned.view)
            guard number >= 0 else { return [] }
            var found: [KeyPosition] = []
            let plan = server.server.commands.keyPlans[Int(number)]
            _ = KeyExtraction.find(plan, owned.view, into: &found)
            return Set(found.map { request[$0.index] })
        }

        /// Lets a client that waits, or has left, be there for the next request.
        private func settle(_ client: TestClient, _ server: TestServer) {
            _ = server.server.waiting.unblock(client.connection, .timeout, in: server.server)
            client.connection.reply.drain(client.connection.reply.count)
            let user = server.server.access.user(Array("u".utf8))
            client.connection.session = Session()
            client.connection.session.user = user
            client.connection.session.isAuthenticated = true
            client.connection.gate = []
            client.connection.closesAfterReply = false
            client.connection.reply.isRESP3 = false
            server.server.followUser(of: client.connection)
        }

        private static func shown(_ bytes: [UInt8]) -> String {
            String(decoding: bytes, as: UTF8.self)
        }

        private func text(_ request: [[UInt8]]) -> String {
            request.map { Self.shown(Array($0.prefix(60))) }.joined(separator: " ")
        }
    }
#endif

/// Options given twice, and keys called like options: the handler's reading of a request counts.
@Suite struct DoubledOptionTests {
    private static let noKey = Reply.error(
        "NOPERM this user has no permissions to access one of the keys used as arguments")

    private func user(_ server: TestServer, _ rules: String...) -> TestClient {
        server.client.run(["ACL", "SETUSER", "u", "on", "nopass", "+@all"] + rules)
        let client = server.connect()
        client.run("AUTH", "u", "x")
        return client
    }

    private func words(_ request: String) -> [String] {
        request.split(separator: " ").map(String.init)
    }

    @Test(arguments: [
        "GEORADIUS mine:geo 13 38 5 km STORE mine:out STORE theirs",
        "GEORADIUS mine:geo 13 38 5 km STORE mine:out STOREDIST theirs",
        "GEORADIUS mine:geo 13 38 5 km STOREDIST mine:out STORE theirs",
        "GEORADIUS mine:geo 13 38 5 km ASC store mine:out COUNT 1 storedist theirs",
        "GEORADIUSBYMEMBER mine:geo m 5 km STORE mine:out STORE theirs",
        "GEORADIUSBYMEMBER mine:geo m 5 km STOREDIST mine:out STOREDIST theirs",
        "GEORADIUSBYMEMBER mine:geo STORE 5 km STORE theirs",
        "SORT mine:list STORE mine:out STORE theirs",
        "SORT mine:list LIMIT 0 STORE STORE theirs", "SORT mine:list STORE GET STORE theirs",
        "SORT mine:list STORE BY STORE theirs", "SORT mine:list STORE LIMIT STORE theirs",
        "XREADGROUP NOACK GROUP g STREAMS STREAMS theirs >",
        "XREADGROUP GROUP STREAMS c STREAMS theirs >", "XREAD COUNT 1 STREAMS theirs 0",
    ])
    func `the option that counts is the one that is checked`(request: String) {
        let server = TestServer()
        let client = user(server, "~mine:*", "~GET", "~BY", "~LIMIT", "~STREAMS", "~c")
        server.run("GEOADD", "mine:geo", "13", "38", "m", "13", "38", "STORE")
        server.run("RPUSH", "mine:list", "1", "2")
        server.run("XADD", "theirs", "1-1", "f", "v")
        server.run("XGROUP", "CREATE", "theirs", "g", "0")
        server.run("XGROUP", "CREATE", "theirs", "STREAMS", "0")
        let reply = client.run(words(request))
        #expect(
            reply == Self.noKey || reply == .error("ERR value is not an integer or out of range"))
        #expect(server.run("TYPE", "theirs") == "stream")
    }

    @Test(arguments: [
        "GEORADIUS mine:geo 13 38 5 km STORE theirs STORE mine:out",
        "SORT mine:list STORE theirs STORE mine:out", "SORT mine:list STORE GET STORE mine:out",
        "XREADGROUP NOACK GROUP g theirs STREAMS mine:stream >",
    ])
    func `an option that does not count refuses nothing`(request: String) {
        let server = TestServer()
        let client = user(server, "~mine:*")
        server.run("GEOADD", "mine:geo", "13", "38", "m")
        server.run("RPUSH", "mine:list", "1", "2")
        server.run("XADD", "mine:stream", "1-1", "f", "v")
        server.run("XGROUP", "CREATE", "mine:stream", "g", "0")
        let reply = client.run(words(request))
        #expect(!reply.isError, "\(reply)")
    }
}
