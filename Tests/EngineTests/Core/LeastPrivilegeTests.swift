import Testing

@testable import Engine

/// With the default user switched off, a user of least privilege cannot read, write, subscribe or
/// inspect outside of its patterns, by any command there is: the attempts come from the table.
@Suite struct LeastPrivilegeTests {
    private static let noKey = Reply.error(
        "NOPERM this user has no permissions to access one of the keys used as arguments")
    private static let noChannel = Reply.error(
        "NOPERM this user has no permissions to access one of the channels used as arguments")

    /// What stands in the values of others, and must never be seen.
    private static let secret = "s3cr3t"

    private struct World {
        let server = TestServer("enable-debug-command yes")
        let root: TestClient
        let user: TestClient

        /// - Parameter rules: of the user, besides `on` and a password.
        init(_ rules: String) {
            root = server.connect()
            user = server.connect()
            server.run("ACL", "SETUSER", "root", "on", ">root", "~*", "&*", "+@all")
            root.run("AUTH", "root", "root")
            server.client.run(
                ["ACL", "SETUSER", "u", "on", ">pw"] + rules.split(separator: " ").map(String.init))
            root.run("ACL", "SETUSER", "default", "off")
            user.run("AUTH", "u", "pw")
            fill()
        }

        static let kinds = ["string", "list", "set", "hash", "sorted"]

        func fill() {
            root.run(["DEL"] + Self.kinds.flatMap { ["theirs:\($0)", "mine:\($0)"] })
            for (owner, text) in [("theirs", LeastPrivilegeTests.secret), ("mine", "open")] {
                root.run("SET", "\(owner):string", text)
                root.run("RPUSH", "\(owner):list", text, "1")
                root.run("SADD", "\(owner):set", text, "1")
                root.run("HSET", "\(owner):hash", "field", text, text, "1")
                root.run("ZADD", "\(owner):sorted", "1", text, "2", "1")
            }
        }

        /// A fingerprint of what belongs to others.
        var theirs: Reply {
            root.run(["DEBUG", "DIGEST-VALUE"] + Self.kinds.map { "theirs:\($0)" })
        }
    }

    /// Commands that take keys and work without them, or whose handlers refuse what no keys are
    /// found in.
    private func keyedRows(_ server: TestServer) -> [CommandTable.Row] {
        server.server.commands.rows.filter {
            KeyExtraction.hasKeys($0) && $0.subcommands.isEmpty
        }
    }

    private func positions(
        _ request: [String], _ row: CommandTable.Row
    ) -> [KeyPosition]? {
        let owned = OwnedArguments(request.map { Array($0.utf8) })
        return KeyExtraction.keys(of: row, owned.view)
    }

    // MARK: - Keys

    @Test func noCommandTouchesKeysOfOthers() {
        let random = SeededRandom.make()
        let world = World("+@all ~mine:*")
        let before = world.root.run("DEBUG", "DIGEST")
        for row in keyedRows(world.server) {
            var attempts = 0
            for round in 0..<40 {
                var maker = WellFormedRequestMaker(seed: random.seed &+ UInt64(round)) {
                    "mine:\($0)"
                }
                let request = maker.request(of: row)
                guard row.accepts(request.count), let keys = positions(request, row) else {
                    continue
                }
                for key in keys {
                    var attempt = request
                    attempt[key.index] = "theirs:string"
                    attempts += 1
                    #expect(world.user.run(attempt) == Self.noKey, "\(attempt)")
                }
            }
            #expect(attempts > 0, "no request of \(row.fullName) was made")
        }
        #expect(world.root.run("DEBUG", "DIGEST") == before)
    }

    /// Permission to read does not let anything be written, nor the other way round.
    @Test(arguments: ["%R", "%W"])
    func halfAPermissionIsNone(kind: String) {
        let random = SeededRandom.make()
        let world = World("+@all ~mine:* \(kind)~theirs:*")
        let missing: AccessSelector.KeyAccess = kind == "%R" ? .write : .read
        let before = world.theirs
        for row in keyedRows(world.server) {
            for round in 0..<20 {
                var maker = WellFormedRequestMaker(seed: random.seed &+ UInt64(round)) {
                    "mine:\($0)"
                }
                let request = maker.request(of: row)
                guard row.accepts(request.count), let keys = positions(request, row) else {
                    continue
                }
                for key in keys where key.flags.neededAccess.contains(missing) {
                    var attempt = request
                    attempt[key.index] = "theirs:\(World.kinds[round % World.kinds.count])"
                    #expect(world.user.run(attempt) == Self.noKey, "\(attempt)")
                }
            }
        }
        if kind == "%R" { #expect(world.theirs == before) }
    }

    /// Where not all keys of a request can be found, what is found is checked; either that refuses
    /// it, or its handler.
    @Test func whereNoKeysAreFoundNothingIsDone() {
        var random = SeededRandom.make()
        let world = World("+@all ~mine:*")
        var unfound = 0
        for row in keyedRows(world.server) {
            for round in 0..<60 {
                var maker = WellFormedRequestMaker(seed: random.next()) { number in
                    "theirs:\(World.kinds[(number + round) % World.kinds.count])"
                }
                var request = maker.request(of: row)
                spoil(&request, &random)
                guard row.accepts(request.count), positions(request, row) == nil else { continue }
                unfound += 1
                let before = world.theirs
                let reply = world.user.run(request)
                #expect(reply.isError, "\(request): \(reply)")
                #expect(world.theirs == before, "\(request)")
            }
        }
        #expect(unfound > 100)
    }

    /// Changes, drops or adds a word behind the name.
    private func spoil(_ request: inout [String], _ random: inout SeededRandom) {
        let words = [
            "0", "-1", "2", "99", "9223372036854775807", "x", "STORE", "GET", "BY", "KEYS",
        ]
        for _ in 0...random.below(2) where request.count > 1 {
            let place = 1 + random.below(request.count - 1)
            switch random.below(3) {
            case 0: request[place] = words[random.below(words.count)]
            case 1: request.remove(at: place)
            default: request.insert(words[random.below(words.count)], at: place)
            }
        }
    }

    // MARK: - Anything at all

    /// Random words, keys of others among them: nothing of theirs is seen or changed.
    @Test func nothingSlipsPast() {
        var random = SeededRandom.make()
        let world = World("~mine:* &mine:* +@all -@dangerous +sort +sort_ro +keys")
        let rows = world.server.server.commands.rows.filter { $0.subcommands.isEmpty }
        let owners = ["mine", "theirs"]
        let tokens = [
            "STORE", "GET", "BY", "COUNT", "LIMIT", "KEYS", "STREAMS", "LEFT", "RIGHT", "WEIGHTS",
            "AGGREGATE", "MAX", "WITHSCORES", "STOREDIST", "theirs:*", "*", "#", "0", "1", "2",
            "-1", "m", "AND", "NOT", "field", "FROMMEMBER", "BYRADIUS", "DB", "REPLACE", "u8",
            "IDX",
            "LEN", "MATCH", "TYPE",
        ]
        let before = world.theirs
        for round in 0..<6000 {
            let row = rows[random.below(rows.count)]
            var request: [String]
            if round % 2 == 0 {
                var maker = WellFormedRequestMaker(seed: random.next()) { number in
                    "\(owners[(number + round / 2) % 2]):\(World.kinds[round % World.kinds.count])"
                }
                request = maker.request(of: row)
                if random.below(3) == 0 { spoil(&request, &random) }
            } else {
                request = row.fullName.split(separator: "|").map(String.init)
                for _ in 0..<random.below(7) {
                    let kind = World.kinds[random.below(World.kinds.count)]
                    request.append(
                        random.below(2) == 0
                            ? "\(owners[random.below(2)]):\(kind)"
                            : tokens[random.below(tokens.count)])
                }
            }
            let text = attempt(request, world)
            #expect(!text.contains(Self.secret), "\(request), seed \(random.seed)")
            if round % 50 == 0 {
                let isUnchanged = world.theirs == before
                #expect(isUnchanged, "seed \(random.seed)")
                world.fill()
            }
        }
        #expect(world.theirs == before)
        #expect(world.server.run("PING").isError == false)
    }

    /// All that the client hears, as text; then it is as it was.
    private func attempt(_ request: [String], _ world: World) -> String {
        let (client, server) = (world.user, world.server.server)
        client.send(request.map { Array($0.utf8) })
        let text = client.connection.reply.view.string
        client.connection.reply.drain(client.connection.reply.count)
        _ = server.waiting.unblock(client.connection, .timeout, in: server)
        client.connection.reply.drain(client.connection.reply.count)
        client.connection.gate.subtract([.closing, .replyMuted, .queueing, .subscribed, .noTouch])
        client.connection.closesAfterReply = false
        client.connection.session = Session()
        client.connection.reply.isRESP3 = false
        client.connection.session.user = server.access.user(Array("u".utf8))
        client.connection.session.isAuthenticated = true
        server.followUser(of: client.connection)
        return text
    }

    /// Whatever a user asks for of its own keys, and whatever happens to keys of others meanwhile, no
    /// reply, error or message names one of those. (SCAN and RANDOMKEY would, as with the peers.)
    @Test func noNameOfOthersIsSeen() {
        let random = SeededRandom.make()
        let world = World("~mine:* &mine:* +@all -@admin -@dangerous -scan -randomkey")
        world.root.run("CONFIG", "SET", "notify-keyspace-events", "KEA")
        let listener = world.server.connect()
        listener.run("HELLO", "3", "AUTH", "u", "pw")
        #expect(listener.run("CLIENT", "TRACKING", "ON", "BCAST") == "OK")
        #expect(listener.run("PSUBSCRIBE", "mine:*").elements.count == 3)
        var heard = ""
        for row in world.server.server.commands.rows where row.subcommands.isEmpty {
            for round in 0..<6 {
                var maker = WellFormedRequestMaker(seed: random.seed &+ UInt64(round)) { number in
                    "mine:\(World.kinds[(number + round) % World.kinds.count])"
                }
                let request = maker.request(of: row)
                let text = attempt(request, world)
                #expect(!text.contains("theirs"), "\(request): \(text)")
            }
            world.fill()
            heard += listener.connection.reply.view.string
            listener.connection.reply.drain(listener.connection.reply.count)
        }
        #expect(heard.contains("mine:list") && !heard.contains("theirs"))
    }

    // MARK: - Channels

    @Test func noCommandUsesChannelsOfOthers() {
        let world = World("+@all ~* resetchannels &mine:*")
        for row in world.server.server.commands.rows {
            let all: CommandFlags = [.allAreChannels, .allAreChannelPatterns]
            guard !row.flags.isDisjoint(with: all.union(.firstIsChannel)) else { continue }
            let name = row.fullName
            let isPattern = row.flags.contains(.allAreChannelPatterns)
            for (channel, isMine) in [
                ("theirs", false), ("*", false), ("mine:1", !isPattern), ("mine:*", true),
            ] {
                let request =
                    row.flags.contains(.firstIsChannel)
                    ? [name, channel, "message"] : [name, "mine:*", channel]
                let allowed = world.root.run(["ACL", "DRYRUN", "u"] + request) == "OK"
                #expect(allowed == isMine, "\(request)")
                if !isMine { #expect(world.user.run(request) == Self.noChannel, "\(request)") }
            }
        }
    }

    // MARK: - The rest

    /// Commands without keys and channels that a user of least privilege may use: none of them
    /// tells or changes anything of others.
    ///
    /// A new command belongs here or has to be refused.
    private static let harmless: Set<String> = [
        "auth", "echo", "hello", "ping", "quit", "reset", "select", "time", "lolwut",
        "acl|cat", "acl|genpass", "acl|help", "acl|whoami",
        "client|caching", "client|capa", "client|getname", "client|getredir", "client|help",
        "client|id", "client|info", "client|no-touch", "client|reply", "client|setinfo",
        "client|setname", "client|tracking", "client|trackinginfo",
        "command", "command|count", "command|docs", "command|getkeys", "command|getkeysandflags",
        "command|help", "command|info", "command|list",
        "config|help", "memory|help", "object|help", "latency|help", "slowlog|help",
        "commandlog|help", "pubsub|help", "xinfo|help", "xgroup|help", "script|help",
        "function|help", "module|help", "cluster|help", "psync", "wait", "waitaof",
        "multi", "exec", "discard", "unwatch", "undo", "unsubscribe", "punsubscribe",
        "sunsubscribe", "asking", "readonly", "readwrite",
        // They only say that there is no cluster.
        "cluster|countkeysinslot", "cluster|getkeysinslot", "cluster|info", "cluster|keyslot",
        "cluster|links", "cluster|myid", "cluster|myshardid", "cluster|nodes", "cluster|shards",
        "cluster|slots",
        // These count, or name at random; whoever minds takes them away as KEYS is.
        "dbsize", "randomkey", "scan",
        // Figures of the whole server.
        "memory|doctor", "memory|malloc-stats", "memory|purge", "memory|stats",
    ]

    @Test func everythingElseIsRefused() {
        let world = World("~mine:* &mine:* +@all -@admin -@dangerous -@scripting -@pubsub")
        let commands = world.server.server.commands
        let user = world.server.server.access.user(Array("u".utf8))
        for row in commands.rows where row.subcommands.isEmpty || row.fullName == "command" {
            let channels: CommandFlags = [
                .allAreChannels, .allAreChannelPatterns, .firstIsChannel,
            ]
            guard !KeyExtraction.hasKeys(row), row.flags.isDisjoint(with: channels) else {
                continue
            }
            let words = row.fullName.split(separator: "|").map { Array($0.utf8) }
            let least = max(row.leastArguments, words.count)
            let owned = OwnedArguments(
                words + Array(repeating: Array("1".utf8), count: least - words.count))
            let isAllowed =
                world.server.server.denial(of: row.number, owned.view, for: user) == nil
            #expect(
                !isAllowed || Self.harmless.contains(row.fullName),
                "\(row.fullName) is allowed and nobody has said that it is harmless")
        }
    }
}
