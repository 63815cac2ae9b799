@testable import Engine

/// A server without sockets and with a clock that stands still: commands in, replies out.
///
///     let server = TestServer()
///     #expect(server.run("SET", "k", "v") == "OK")
///     server.advance(milliseconds: 1001)
///
/// Each instance is a world of its own; tests run side by side.
final class TestServer {
    let server: Server
    /// The client that `run` speaks for.
    let client: TestClient

    /// - Parameters:
    ///   - configuration: lines of a configuration file.
    ///   - commands: rows beside those there are.
    init(
        _ configuration: String = "", wallMilliseconds: Int64 = 1_700_000_000_000,
        commands: [Command] = []
    ) {
        var settings = Settings()
        if !configuration.isEmpty {
            do {
                settings = try ConfigFile.parse(Array(configuration.utf8))
            } catch {
                preconditionFailure("a test's configuration is wrong: \(error)")
            }
        }
        let log = Log()
        log.capturesLines = true
        server = Server(
            settings: settings, commands: StandardCommands.all + commands, log: log,
            clock: ServerClock(manualWallMilliseconds: wallMilliseconds),
            arena: Arena.create(rangeBytes: 1 << 30), freesDataAtEnd: true)
        do throws(UserLoadFailure) {
            try server.loadUsers()
        } catch {
            preconditionFailure("a test's users are wrong: \(error.reason)")
        }
        client = TestClient(server)
    }

    /// Runs one command and returns its reply.
    @discardableResult
    func run(_ arguments: String...) -> Reply { client.run(arguments) }

    /// Another connection to the same server.
    func connect() -> TestClient { TestClient(server) }

    /// Lets time pass; nothing expires actively unless `expireDueKeys` is called.
    func advance(milliseconds: Int64) {
        server.clock.advance(milliseconds: milliseconds)
        server.refreshTime()
    }

    /// The keyspace events that one command leaves behind, as `event key` or `event key@database`.
    ///
    /// The handler is called past the dispatcher, which would hand the events on.
    func events(_ arguments: String...) -> [String] {
        let owned = OwnedArguments(arguments.map { Array($0.utf8) })
        server.keyspace.interest.insert(.notifications)
        defer { server.keyspace.interest.remove(.notifications) }
        var call = Call(server: server, connection: client.connection)
        call.arguments = owned.view
        call.command = server.commandNumber(of: owned.view)
        try? server.commands.index.run(call.command, &call)
        return server.keyspace.takeEvents().map { event in
            let place = event.database == 0 ? "" : "@\(event.database)"
            return "\(event.event.name) \(String(decoding: event.key, as: UTF8.self))\(place)"
        }
    }

    /// The requests that replicas and the append-only file get to see of one command, whatever frames
    /// them left out.
    func propagated(_ arguments: String...) -> [String] {
        listen()
        client.run(arguments)
        let requests = takeFeed()
        server.keyspace.interest.remove(.propagation)
        return requests.filter { !$0.hasPrefix("SELECT ") && $0 != "MULTI" && $0 != "EXEC" }
    }

    /// Lets what is done from now on go into the feed.
    func listen() { server.keyspace.interest.insert(.propagation) }

    /// The requests that went into the feed and were not taken yet.
    func takeFeed() -> [String] {
        takeFeedBytes().map { request in
            request.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
        }
    }

    /// The same, argument by argument.
    func takeFeedBytes() -> [[[UInt8]]] {
        let requests = RequestReader.requests(in: server.keyspace.feed.view.array)
        server.keyspace.feed.removeAll()
        return requests
    }

    var lines: [String] { server.log.lines }
}

/// One connection to a `TestServer`.
final class TestClient {
    let server: Server
    let connection: Connection

    init(_ server: Server) {
        self.server = server
        connection = server.makeInProcessConnection()
    }

    @discardableResult
    func run(_ arguments: String...) -> Reply { run(arguments) }

    @discardableResult
    func run(_ arguments: [String]) -> Reply { run(bytes: arguments.map { Array($0.utf8) }) }

    /// The reply; `.null` stands for a command that replied nothing at all.
    func run(bytes arguments: [[UInt8]]) -> Reply {
        send(arguments)
        return takeReplies().first ?? .simple("<no reply>")
    }

    func send(_ arguments: [[UInt8]]) {
        server.perform(OwnedArguments(arguments), on: connection)
    }

    /// All replies written and not yet taken.
    func takeReplies() -> [Reply] {
        var reader = ReplyReader(connection.reply.view.array)
        connection.reply.drain(connection.reply.count)
        var replies: [Reply] = []
        while let reply = reader.next() { replies.append(reply) }
        return replies
    }
}

/// Takes a run of whole requests apart.
enum RequestReader {
    static func requests(in bytes: [UInt8]) -> [[[UInt8]]] {
        let batch = RequestBatch()
        let parser = CommandParser(longestBulk: 512 << 20)
        var requests: [[[UInt8]]] = []
        bytes.withByteView { all in
            var rest = all
            while !rest.isEmpty {
                batch.removeAll()
                batch.beginParse()
                guard case .request(let consumed) = parser.parse(rest, into: batch) else {
                    preconditionFailure("no whole requests: \(rest.string)")
                }
                batch.append(slot: 0, command: 0, inputEnd: consumed)
                requests.append(batch.arguments(of: batch[0]).arrays)
                rest = rest.dropFirst(consumed)
            }
        }
        return requests
    }
}
