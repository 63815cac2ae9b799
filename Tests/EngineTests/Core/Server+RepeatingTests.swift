import Foundation
import Reactor
import Testing

@testable import Engine

/// What was recorded is repeated whatever a client may do or ask for today, from a file and from a
/// primary; and what fails is told of.
@Suite final class ServerRepeatingTests {
    private let folder = FileManager.default.temporaryDirectory
        .appending(path: "apus-repeating-\(UUID().uuidString)").path

    init() throws { try File.createFolder(folder) }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    // MARK: - Recording

    /// What the commands of a history have left, and how they are repeated.
    private struct Recording {
        let feed: [UInt8]
        let digest: String
        let rows: Set<String>
    }

    /// Every command that is recorded, alone and inside MULTI, each in a database of its own; and values
    /// that small limits refuse.
    private static let recording: Recording = {
        let test = TestServer(SampleData.configuration + "\n" + databases)
        let rows = test.server.commands.rows.filter {
            $0.flags.contains(.write) && $0.subcommands.isEmpty
                && !["migrate", "flushall"].contains($0.fullName)
        }
        var maker = RequestMaker(random: SeededRandom.make(), keys: SampleData.keys)
        var recorded: Set<String> = []
        test.listen()
        for (number, row) in rows.enumerated() {
            test.run("SELECT", "\(number)")
            var done = Set<Bool>()
            for round in 0..<200 where done.count < 2 {
                if round % 5 == 0 { fill(test) }
                let inTransaction = done.contains(false)
                if inTransaction { test.run("MULTI") }
                let before = test.server.keyspace.feed.offset
                test.client.run(bytes: request(for: row, &maker, test))
                _ = test.server.waiting.unblock(test.client.connection, .timeout, in: test.server)
                if inTransaction { test.run("EXEC") }
                if test.server.keyspace.feed.offset > before { done.insert(inTransaction) }
                if inTransaction { test.run("INCR", "alone") }
            }
            if done.count == 2 { recorded.insert(row.fullName) }
        }
        test.run("CONFIG", "SET", "proto-max-bulk-len", "512mb")
        test.run("SELECT", "\(rows.count)")
        for request in large { test.client.run(request) }
        return Recording(
            feed: test.server.keyspace.feed.fileView.array,
            digest: test.server.keyspace.digest().hexadecimal, rows: recorded)
    }()

    private static let databases = "databases 200"

    private static func fill(_ test: TestServer) {
        test.run("FLUSHDB")
        for request in SampleData.requests where request.count < 30 {
            _ = test.client.run(bytes: request)
        }
    }

    private static func request(
        for row: CommandTable.Row, _ maker: inout RequestMaker, _ test: TestServer
    ) -> [[UInt8]] {
        if row.fullName.hasPrefix("restore") {
            return [row.fullName, "restored", "0"].map { Array($0.utf8) } + [payload]
                + [Array("REPLACE".utf8)]
        }
        let known = rare.filter {
            $0.lowercased().hasPrefix(row.fullName.replacing("|", with: " ") + " ")
        }
        if !known.isEmpty && maker.random.below(2) == 0 {
            return words(known[maker.random.below(known.count)])
        }
        return maker.request(for: row)
    }

    /// What chance seldom makes.
    private static let rare = [
        "PFDEBUG TODENSE sketch", "SWAPDB 150 151", "PERSIST passing", "RENAMENX string free",
        "COPY string free",
        "SORT list ALPHA STORE target", "EXPIRE string 100000", "LSET list 0 z",
        "LINSERT list BEFORE a z",
        "MOVE string 160",
        "GEOSEARCHSTORE target places FROMMEMBER Palermo BYRADIUS 500 km", "MOVE heap 161",
        "SMOVE set bigset a", "SREM set a", "ZREM ranking a", "ZREMRANGEBYSCORE ranking -inf +inf",
        "HDEL hash f1", "GETEX string PXAT 2000000000000",
        "HGETEX hash PXAT 2000000000000 FIELDS 1 f1", "HGETDEL hash FIELDS 1 f1",
        "HEXPIRE hash 100000 FIELDS 1 f1", "HPEXPIRE hash 100000000 FIELDS 1 f1",
        "HEXPIREAT hash 2000000000 FIELDS 1 f1", "HPEXPIREAT hash 2000000000000 FIELDS 1 f1",
        "HPERSIST expiring FIELDS 1 f1", "XGROUP DESTROY stream a", "XGROUP SETID stream a 2-1",
        "XGROUP CREATECONSUMER stream a new", "XGROUP DELCONSUMER stream a b", "XSETID stream 9-1",
        "XDEL stream 1-1", "XACK stream a 1-1", "XCLAIM stream a c 0 1-1", "XTRIM stream MAXLEN 1",
        "XAUTOCLAIM stream a c 0 0", "XREADGROUP GROUP a b COUNT 1 STREAMS stream >",
        "ZRANGESTORE target ranking 0 -1", "ZREMRANGEBYLEX ranking - +", "LREM list 0 a",
        "GEORADIUS places 13 38 500 km STORE target",
        "GEORADIUSBYMEMBER places Palermo 500 km STORE target", "BITFIELD bits SET u8 0 7",
        "SETBIT bits 78 1", "DELIFEQ string text",
    ]

    /// What DUMP returns of some string.
    private static let payload: [UInt8] = {
        let test = TestServer()
        test.run("SET", "k", "v")
        test.client.send(words("DUMP k"))
        return Array(
            test.client.connection.reply.view.array.drop { $0 != 10 }.dropFirst().dropLast(2))
    }()

    private static func words(_ text: String) -> [[UInt8]] {
        text.split(separator: " ").map { Array($0.utf8) }
    }

    /// More than a mebibyte of value, of requests in one transaction, and of reply.
    private static let large: [[String]] = {
        let text = String(repeating: "x", count: 700_000)
        return [
            ["SET", "long", text + text], ["APPEND", "long", text],
            ["SETRANGE", "far", "3000000", "x"],
            ["SETBIT", "bit", "30000000", "1"],
            ["BITFIELD", "field", "SET", "u8", "30000000", "7"],
            ["MULTI"], ["SET", "a", text], ["SET", "b", text + text],
            ["SETRANGE", "c", "3000000", "x"],
            ["RPUSH", "l", text, text], ["LPOP", "l", "1"], ["GETSET", "a", "short"],
            ["INCR", "n"], ["EXEC"], ["INCR", "n"],
            // A digest of them takes long; what was not repeated would be told of.
            ["DEL", "long", "far", "bit", "field", "b", "c", "l"],
        ]
    }()

    // MARK: - Repeating

    /// Under each of these a client that has just come could not do, or not have, what was recorded.
    private static let restrictions: [String] = {
        let names = TestServer().server.commands.rows.filter {
            $0.container < 0 && !$0.flags.isDisjoint(with: [.write, .framesChanges])
        }.map(\.fullName)
        return [
            "user default off\nuser app on nopass ~* &* +@all",
            "user default on nopass resetkeys -@all",
            "user default on nopass ~none resetchannels +@all", "requirepass secret", "maxmemory 1",
            "min-replicas-to-write 3", "replicaof 127.0.0.1 1", "proto-max-bulk-len 1mb",
            "maxmemory-clients 1", "client-output-buffer-limit normal 1 1 0",
            "client-query-buffer-limit 1mb", "maxclients 1", "timeout 1", "enable-debug-command no",
            names.map { "rename-command \($0) \"\"" }.joined(separator: "\n"),
            names.map { "rename-command \($0) hidden-\($0)" }.joined(separator: "\n"),
        ]
    }()

    private func load(_ bytes: [UInt8], _ configuration: String) throws -> TestServer {
        try File("\(folder)/appendonly.aof.manifest", .create).writeAll(
            Array("file a.1.incr.aof seq 1 type i\n".utf8))
        try File("\(folder)/a.1.incr.aof", .create).writeAll(bytes)
        let test = TestServer(Self.databases + "\n" + configuration)
        var settings = test.server.settings
        settings.appendDirectoryName = folder
        test.server.appendOnly = AppendOnlyState(settings)
        try test.server.appendOnly.log.readManifest()
        #expect(try test.server.loadAppendOnly())
        return test
    }

    private func expectAll(_ test: TestServer, _ restriction: String) {
        #expect(
            test.server.keyspace.digest().hexadecimal == Self.recording.digest, "\(restriction)")
        #expect(test.server.replication.counters.unexpectedErrors == 0, "\(restriction)")
        #expect(!test.lines.contains { $0.contains("CRITICAL") }, "\(restriction)")
    }

    @Test func `every command that writes is part of the recording`() {
        let commands = TestServer().server.commands
        let rows = commands.rows.filter { $0.flags.contains(.write) && $0.subcommands.isEmpty }
        #expect(
            Set(rows.map(\.fullName)).subtracting(Self.recording.rows) == ["migrate", "flushall"])
    }

    @Test(arguments: restrictions) func `a file is repeated`(restriction: String) throws {
        expectAll(try load(Self.recording.feed, restriction), restriction)
    }

    @Test(arguments: restrictions) func `what a primary sends is repeated`(restriction: String) {
        let test = TestServer(Self.databases + "\n" + restriction)
        let primary = TestPrimary(of: test)
        Self.recording.feed.withByteView { primary.link.input.append($0) }
        test.server.advance(primary.link)
        #expect(primary.link.state == .connected)
        expectAll(test, restriction)
    }

    // MARK: - Failures

    private func bytes(_ requests: String...) -> [UInt8] {
        requests.flatMap { multibulk(Self.words($0)) }
    }

    @Test func `what fails in a file is told of, and the rest is repeated`() throws {
        let test = try load(
            bytes("SET a 1", "LPUSH a x", "MULTI", "LPUSH a y", "INCR a", "EXEC", "EXEC", "INCR a"),
            "")
        #expect(test.run("GET", "a") == .bulk("3"))
        let told = test.lines.filter {
            $0.contains("CRITICAL") && $0.contains("AOF-loading-client")
        }
        #expect(told.filter { $0.contains("'WRONGTYPE") && $0.contains("'lpush'") }.count == 2)
        #expect(told.filter { $0.contains("'ERR EXEC without MULTI'") }.count == 1)
        #expect(test.server.replication.counters.unexpectedErrors == 3)
    }

    @Test func `what fails of a primary's transaction is told of`() {
        let test = TestServer()
        let primary = TestPrimary(of: test)
        primary.send("SET a 1", "LPUSH a x", "MULTI", "LPUSH a y", "INCR a", "EXEC", "INCR a")
        #expect(test.run("GET", "a") == .bulk("3"))
        let told = test.lines.filter { $0.contains("CRITICAL") && $0.contains("This replica") }
        #expect(told.count == 2)
        #expect(test.server.replication.counters.unexpectedErrors == 2)
    }

    @Test func `a file that selects a database there is none of is refused`() throws {
        for requests in [
            bytes("SELECT 3", "SET a 1"), bytes("MULTI", "SET b 1", "SELECT 3", "SET a 1", "EXEC"),
        ] {
            #expect {
                try load(requests, "databases 2")
            } throws: { error in
                (error as? AppendOnlyError)?.text.contains("'databases'") == true
            }
        }
    }

    @Test func `nobody finds the connection that a file is repeated on`() throws {
        let test = TestServer()
        let connection = test.server.makeHiddenConnection()
        defer { test.server.dismiss(connection) }
        #expect(test.run("CLIENT", "KILL", "SKIPME", "no", "TYPE", "master") == 0)
        #expect(test.run("CLIENT", "KILL", "SKIPME", "yes", "ID", "0").isError)
        #expect(!test.run("CLIENT", "LIST").description.contains("id=0 "))
    }
}
