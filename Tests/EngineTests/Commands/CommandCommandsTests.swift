import Testing

@testable import Engine

@Suite struct CommandCommandsTests {
    /// Rows that follow a version after 7.0, and in what.
    private static let newer: [String: String] = [
        "acl|deluser": "has request policies since 7.2",
        "acl|save": "has request policies since 7.2",
        "acl|setuser": "has request policies since 7.2",
        "bzpopmax": "may be called by scripts since 7.2",
        "bzpopmin": "may be called by scripts since 7.2",
        "latency|reset": "sums up its replies since 7.2",
        "psubscribe": "is denied where memory has run out, in Redis 8",
        "ssubscribe": "is denied where memory has run out, in Redis 8",
        "subscribe": "is denied where memory has run out, in Redis 8",
        "command|getkeys": "takes requests of one word since 7.2",
        "command|getkeysandflags": "takes requests of one word since 7.2",
        "client|setname": "has request policies since 7.2",
        "config|resetstat": "has request policies since 7.2",
        "config|rewrite": "has request policies since 7.2",
        "msetnx": "is of one shard since 7.2",
        "randomkey": "has a response policy since 7.2",
        "scan": "has a response policy since 7.2",
        "blmove": "may be called by scripts since 7.2",
        "blpop": "may be called by scripts since 7.2",
        "brpop": "may be called by scripts since 7.2",
        "sinterstore": "is said to overwrite since 7.2",
        "brpoplpush": "may be called by scripts since 7.2",
        "wait": "blocks by its flags, and may be called by scripts, since 7.2",
        "cluster|shards": "may be asked while loading since 7.2",
        "cluster|slots": "may be asked while loading since 7.2",
        "zrank": "takes WITHSCORE since 7.2",
        "zrevrank": "takes WITHSCORE since 7.2",
    ]

    /// Commands are hidden behind long names, as the peers' documentation shows.
    @Test(arguments: [1, 7, 8, 16, 17, 24, 25, 40, 200])
    func aCommandCanBeRenamed(_ length: Int) {
        let name = String(repeating: "b840fc02d524045429941cc15f59e41cb7be6c52", count: 5)
            .prefix(length)
        let server = TestServer("rename-command TIME \(name)\n")
        guard case .array(let time) = server.run(name.uppercased()) else {
            Issue.record("\(name) is unknown")
            return
        }
        #expect(time.count == 2)
        #expect(server.run("TIME").text?.hasPrefix("ERR unknown command") == true)
        #expect(server.run(name.dropLast() + "x").text?.hasPrefix("ERR unknown command") == true)
    }

    @Test func infoIsThatOfRedis7() {
        let server = TestServer()
        server.run("HELLO", "3")
        var compared = 0
        for line in PeerCommands.lines {
            let name = String(line.prefix { $0 != " " })
            guard case .array(let fields)? = server.run("COMMAND", "INFO", name).elements.first
            else { continue }
            compared += 1
            let isSame = Self.line(fields) == String(line)
            if Self.newer[name] == nil {
                #expect(isSame, "\(Self.line(fields)) is not \(line)")
            } else {
                #expect(!isSame, "\(name) needs no exception")
            }
        }
        #expect(compared > 20)
    }

    /// A COMMAND INFO entry in RESP3 as a line of `PeerCommands`.
    private static func line(_ fields: [Reply]) -> String {
        guard fields.count == 10 else { return "\(fields)" }
        func list(_ reply: Reply, _ separator: String = ",") -> String {
            let texts = reply.elements.map { $0.text ?? "?" }
            return texts.isEmpty ? "-" : texts.joined(separator: separator)
        }
        let categories = fields[6].elements.map { ($0.text ?? "?").dropFirst() }
        let specs = fields[8].elements.map(spec).joined(separator: ";")
        let numbers = fields[3...5].map { "\($0.integer ?? 99)" }.joined(separator: " ")
        return "\(fields[0].text ?? "?") \(fields[1].integer ?? 99) \(list(fields[2])) \(numbers)"
            + " \(categories.joined(separator: ",")) \(list(fields[7])) \(specs.isEmpty ? "-" : specs)"
    }

    private static func spec(_ reply: Reply) -> String {
        let fields = reply.elements
        func field(_ name: String) -> Reply {
            guard let index = fields.firstIndex(of: .bulk(name)) else { return .null }
            return fields[index + 1]
        }
        func search(_ name: String) -> String {
            let parts = field(name).elements
            let values = parts[3].elements.enumerated().filter { $0.offset % 2 == 1 }
                .map { $0.element.text ?? "\($0.element.integer ?? 99)" }
            return (parts[1].text ?? "?") + (values.isEmpty ? "" : ":")
                + values.joined(separator: ",")
        }
        let flags = field("flags").elements.map { $0.text ?? "?" }.joined(separator: ",")
        return "\(flags)@\(search("begin_search"))/\(search("find_keys"))"
    }

    @Test func infoInRESP2IsFlat() {
        let server = TestServer()
        #expect(
            server.run("COMMAND", "INFO", "get", "nope", "get|x", "client|nope").elements == [
                .array([
                    .bulk("get"), 2, ["readonly", "fast"], 1, 1, 1, ["@read", "@string", "@fast"],
                    [],
                    [
                        .array([
                            .bulk("flags"), ["RO", "access"], .bulk("begin_search"),
                            [
                                .bulk("type"), .bulk("index"), .bulk("spec"),
                                .array([.bulk("index"), 1]),
                            ],
                            .bulk("find_keys"),
                            [
                                .bulk("type"), .bulk("range"), .bulk("spec"),
                                .array([
                                    .bulk("lastkey"), 0, .bulk("keystep"), 1, .bulk("limit"), 0,
                                ]),
                            ],
                        ])
                    ], [],
                ]), nil, nil, nil,
            ])
    }

    @Test func allCommandsAreDescribedAndCounted() {
        let server = TestServer()
        let all = server.run("COMMAND").elements
        #expect(server.run("COMMAND", "COUNT") == .integer(Int64(all.count)))
        #expect(server.run("COMMAND", "INFO").elements == all)
        #expect(server.run("COMMAND", "DOCS").elements.count == all.count * 2)
    }

    @Test func listFilters() {
        let server = TestServer()
        let all = server.run("COMMAND", "LIST").elements
        #expect(all.contains(.bulk("get")))
        #expect(all.contains(.bulk("client|list")))
        #expect(server.run("COMMAND", "LIST", "FILTERBY", "PATTERN", "GET") == .bulks("get"))
        #expect(
            server.run("COMMAND", "LIST", "filterby", "pattern", "c*|help").elements.contains(
                .bulk("client|help")))
        #expect(server.run("COMMAND", "LIST", "FILTERBY", "MODULE", "x") == [])
        #expect(server.run("COMMAND", "LIST", "FILTERBY", "ACLCAT", "nope") == [])
        let connection = server.run("COMMAND", "LIST", "FILTERBY", "ACLCAT", "CONNECTION").elements
        #expect(connection.contains(.bulk("client|id")))
        #expect(!connection.contains(.bulk("get")))
        for words in [["x"], ["FILTERBY"], ["FILTERBY", "x", "y"], ["FILTERBY", "PATTERN"]] {
            #expect(server.client.run(["COMMAND", "LIST"] + words) == .error("ERR syntax error"))
        }
    }

    @Test func keysOfARequest() {
        let server = TestServer()
        #expect(server.run("COMMAND", "GETKEYS", "GET", "k") == .bulks("k"))
        #expect(server.run("COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2") == .bulks("a", "b"))
        #expect(
            server.run("COMMAND", "GETKEYSANDFLAGS", "MSET", "a", "1") == [
                [.bulk("a"), ["OW", "update"]]
            ])
        #expect(
            server.run("COMMAND", "GETKEYS", "NOPE", "k")
                == .error("ERR Invalid command specified"))
        #expect(
            server.run("COMMAND", "GETKEYS", "CLIENT", "NOPE")
                == .error("ERR Invalid command specified"))
        #expect(
            server.run("COMMAND", "GETKEYS", "CLIENT", "ID")
                == .error("ERR The command has no key arguments"))
        #expect(
            server.run("COMMAND", "GETKEYS", "GET", "a", "b")
                == .error("ERR Invalid number of arguments specified for command"))
    }

    @Test(.enabled(if: Peer.isInstalled)) func `keys are found as by Redis`() throws {
        let peer = try #require(Peer())
        let server = TestServer()
        var compared = 0
        for row in server.server.commands.rows where row.subcommands.isEmpty {
            for request in Self.shortest(row) {
                let asked = ["COMMAND", "GETKEYS"] + request
                let bytes = asked.map { Array($0.utf8) }
                let theirs = String(decoding: peer.run(bytes), as: UTF8.self)
                // A request of one word is none for Redis 7.0, and some commands are newer.
                if theirs.hasPrefix("-ERR wrong number") { continue }
                if theirs.hasPrefix("-ERR Invalid command specified") { continue }
                server.client.send(bytes)
                let ours = server.client.connection.reply.view.string
                server.client.connection.reply.drain(ours.utf8.count)
                compared += 1
                #expect(ours == theirs, "\(request)")
            }
        }
        #expect(compared > 300)
    }

    @Test func `the keys of every command's shortest request are found`() {
        let server = TestServer()
        for row in server.server.commands.rows where row.subcommands.isEmpty {
            guard let request = Self.shortest(row).last else { continue }
            let reply = server.client.run(["COMMAND", "GETKEYS"] + request)
            if !KeyExtraction.hasKeys(row) {
                #expect(reply == .error("ERR The command has no key arguments"), "\(request)")
            } else if row.fullName == "pfmerge" {
                // Runs with a destination alone; the specifications of the peers ask for more.
                #expect(reply == .error("ERR Invalid arguments specified for command"))
            } else {
                #expect(!reply.isError && reply.elements.contains(.bulk("key")), "\(request)")
            }
        }
    }

    /// The shortest requests of a command: as few arguments as it takes, of keys, of counts and of
    /// noughts; and as its syntax has it.
    private static func shortest(_ row: CommandTable.Row) -> [[String]] {
        let words = row.fullName.split(separator: "|").map(String.init)
        let missing = max(0, row.leastArguments - words.count)
        var requests = ["key", "1", "0"].map { words + Array(repeating: $0, count: missing) }
        if missing > 0 {
            requests.append(words + ["key"] + Array(repeating: "0", count: missing - 1))
        }
        var request = words
        for argument in CommandArgument.all(of: row.command) { append(argument, to: &request) }
        return requests + [request]
    }

    private static func append(_ argument: CommandArgument, to request: inout [String]) {
        if argument.isOptional { return }
        if let token = argument.token { request.append(token) }
        switch argument.kind {
        case .pureToken: break
        case .oneOf: append(argument.members[0], to: &request)
        case .block: for member in argument.members { append(member, to: &request) }
        case .key: request.append("key")
        default: request.append("1")
        }
    }

    @Test func docsTellWhatTheRowsSay() {
        let server = TestServer()
        server.run("HELLO", "3")
        let docs = server.run("COMMAND", "DOCS", "quit", "nope").elements
        #expect(docs.count == 2)
        #expect(docs[0] == .bulk("quit"))
        let quit = docs[1].elements
        #expect(
            quit[2...5] == [.bulk("since"), .bulk("1.0.0"), .bulk("group"), .bulk("connection")])
        #expect(quit[6...7] == [.bulk("doc_flags"), .set(["deprecated"])])
        #expect(quit[8...9] == [.bulk("deprecated_since"), .bulk("7.2.0")])
        let client = server.run("COMMAND", "DOCS", "client").elements[1].elements
        guard let index = client.firstIndex(of: .bulk("subcommands")) else {
            Issue.record("no subcommands")
            return
        }
        #expect(client[index + 1].elements.contains(.bulk("client|kill")))
    }

    @Test func aCommandTakenAwayIsNotListed() {
        let server = TestServer("rename-command ECHO \"\"\nrename-command PING pong\n")
        #expect(server.run("ECHO", "a").isError)
        #expect(server.run("PONG") == "PONG")
        #expect(server.run("COMMAND", "INFO", "echo") == [nil])
        #expect(!server.run("COMMAND", "LIST").elements.contains(.bulk("echo")))
    }
}
