import Foundation
import Testing

/// Disks that fail: each call in turn that saving and rewriting make answers EIO.
///
/// The server says so, loses nothing that it has acknowledged, and once the disk works again so
/// does everything.
@Suite(.serialized, .enabled(if: Strace.isUsable, Strace.absence))
struct FailedCallsTests {
    private static let snapshots = "enable-debug-command yes\n" + SampleKeys.limits
    private static let appending = "appendonly yes\n" + snapshots

    /// Does `work` once to see which calls are made, then once for each of them, which fails.
    ///
    /// - Parameter work: returns whether it succeeded.
    /// - Parameter check: with the disk that works again.
    private func failEachCall(
        of names: String, _ configuration: String,
        work: (ServerProcess, Client) throws -> Bool,
        check: (ServerProcess, Client) throws -> Void
    ) throws {
        var failures = 0
        func play(_ rule: String) throws -> [Strace.Call] {
            let server = try ServerProcess(configuration)
            let client = try server.connect()
            try SampleKeys.few.fill(client)
            let digest = try client.run("DEBUG", "DIGEST")
            let strace = try Strace(server.process, rule)
            if try !work(server, client) { failures += 1 }
            strace.detach()
            #expect(!server.hasEnded)
            #expect(try client.run("DEBUG", "DIGEST") == digest, "\(rule)")
            try check(server, client)
            #expect(try client.run("DEBUG", "DIGEST") == digest, "\(rule)")
            server.kill(SIGKILL)
            try server.waitForEnd()
            try server.restart()
            let again = try server.connect()
            #expect(try again.run("DEBUG", "DIGEST") == digest, "\(rule)")
            return strace.calls
        }
        let calls = try play("trace=\(names)")
        #expect(failures == 0)
        for call in calls {
            // Not all of what goes wrong with it knows it.
            print("\(call) fails")
            _ = try play(call.rule("error=EIO"))
        }
        #expect(failures > 1)
    }

    private func info(_ client: Client, _ field: String) throws -> String? {
        let text = try client.run("INFO", "persistence").text ?? ""
        let line = text.split(separator: "\r\n").first { $0.hasPrefix(field + ":") }
        return line.map { String($0.dropFirst(field.count + 1)) }
    }

    private func waitForChild(_ client: Client) throws {
        try wait("the child ends") {
            try info(client, "rdb_bgsave_in_progress") == "0"
                && info(client, "aof_rewrite_in_progress") == "0"
        }
    }

    private func temporaries(_ server: ServerProcess) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: server.folder.path)
            .filter { $0.contains("temp-") }
    }

    /// What is in the increment that the manifest names last.
    private func lastIncrement(_ server: ServerProcess) throws -> Data {
        let folder = server.file("appendonlydir")
        let manifest = try String(
            contentsOf: folder.appending(path: "appendonly.aof.manifest"), encoding: .utf8)
        let line = try #require(manifest.split(separator: "\n").last)
        let name = line.split(separator: " ")[1]
        return try Data(contentsOf: folder.appending(path: String(name)))
    }

    private static let savingCalls = Torture.isOn ? "openat,fsync,rename" : "fsync,rename"

    @Test func `SAVE`() throws {
        try failEachCall(of: Self.savingCalls, Self.snapshots) { server, client in
            let reply = try client.run("SAVE")
            #expect(reply == "OK" || reply == .error("ERR"))
            #expect(try temporaries(server) == [])
            return reply == "OK"
        } check: { _, client in
            let reply = try client.run("SAVE")
            #expect(reply == "OK")
        }
    }

    @Test func `BGSAVE`() throws {
        let configuration = Self.snapshots + "\nsave 3600 1"
        try failEachCall(of: Self.savingCalls, configuration) { server, client in
            try client.run("BGSAVE")
            try waitForChild(client)
            let succeeded = try info(client, "rdb_last_bgsave_status") == "ok"
            let refused = try client.run("DEL", "nothing").text?.hasPrefix("MISCONF") ?? false
            #expect(refused == !succeeded)
            #expect(try temporaries(server) == [])
            return succeeded
        } check: { _, client in
            try client.run("BGSAVE")
            try waitForChild(client)
            #expect(try client.run("DEL", "nothing") == 0)
        }
    }

    @Test func `BGREWRITEAOF`() throws {
        let calls = Torture.isOn ? "openat,fsync,rename,unlink,mkdir" : "fsync,rename"
        try failEachCall(of: calls, Self.appending + "\nappendfsync always") { server, client in
            try client.run("BGREWRITEAOF")
            try waitForChild(client)
            let succeeded = try info(client, "aof_last_bgrewrite_status") == "ok"
            // In the increment of before or in the new one: it is acknowledged, so it is there.
            #expect(try client.run("SET", "while", "1") == "OK")
            #expect(try lastIncrement(server).range(of: Data("while".utf8)) != nil)
            #expect(try client.run("DEL", "while") == 1)
            #expect(try temporaries(server) == [])
            return succeeded
        } check: { server, client in
            // What the manifest names is all there, and is all that there was.
            let digest = try client.run("DEBUG", "DIGEST")
            #expect(try client.run("DEBUG", "LOADAOF") == "OK")
            #expect(try client.run("DEBUG", "DIGEST") == digest)
            let path = server.file("appendonlydir/appendonly.aof.manifest").path
            let files = try String(contentsOfFile: path, encoding: .utf8)
            let stored = try ServerProcess.freshFolder()
            defer { try? FileManager.default.removeItem(at: stored) }
            let copy = stored.appending(path: "appendonlydir")
            try FileManager.default.copyItem(at: server.file("appendonlydir"), to: copy)
            let other = try ServerProcess(Self.appending + "\ndir \(stored.path)")
            #expect(try other.connect().run("DEBUG", "DIGEST") == digest, "\(files)")
            try client.run("BGREWRITEAOF")
            try waitForChild(client)
            #expect(try info(client, "aof_last_bgrewrite_status") == "ok")
        }
    }

    // MARK: - The sync of the append-only file

    @Test func `after a failed sync only a rewritten file is trusted`() throws {
        let server = try ServerProcess(Self.appending)
        let client = try server.connect()
        try SampleKeys.few.fill(client)
        let strace = try Strace(
            server.process, "trace=fdatasync", "inject=fdatasync:error=EIO:when=1")
        try wait("the sync fails") {
            try client.run("INCR", "count")
            return server.log.contains("Fail to fsync the AOF file")
        }
        strace.detach()
        try wait("a rewritten file is there") { server.log.contains("The server can write again") }
        #expect(try client.run("SET", "after", "1") == "OK")
        let digest = try client.run("DEBUG", "DIGEST")
        try wait("everything is written") { try info(client, "aof_buffer_length") == "0" }
        server.kill(SIGKILL)
        try server.waitForEnd()
        let path = server.file("appendonlydir/appendonly.aof.manifest").path
        let files = try String(contentsOfFile: path, encoding: .utf8)
        #expect(!files.contains("appendonly.aof.1.base.rdb"), "\(files)")
        let again = try ServerProcess(Self.appending, folder: server.folder)
        #expect(try again.connect().run("DEBUG", "DIGEST") == digest)
    }

    /// As long as nothing can be synced nothing is taken, and the server says why.
    @Test func `while syncs fail writes are refused`() throws {
        let server = try ServerProcess(Self.appending)
        let client = try server.connect()
        #expect(try client.run("SET", "k", "1") == "OK")
        let strace = try Strace(
            server.process, "trace=fdatasync,fsync", "inject=fdatasync,fsync:error=EIO")
        let refusal = Answer.error("MISCONF Errors writing to the AOF file: Input/output error")
        var value = 1
        try wait("a write is refused") {
            let reply = try client.run("SET", "k", "\(value + 1)")
            if reply == "OK" { value += 1 }
            return reply == refusal
        }
        #expect(try info(client, "aof_last_write_status") == "err")
        #expect(try client.run("GET", "k") == .text("\(value)"))
        try wait("a rewrite fails") { try info(client, "aof_last_bgrewrite_status") == "err" }
        #expect(try client.run("SET", "k", "0") == refusal)
        strace.detach()
        try wait("writes are taken") { try client.run("SET", "again", "1") == "OK" }
        #expect(try info(client, "aof_last_write_status") == "ok")
        server.kill(SIGKILL)
        try server.waitForEnd()
        try server.restart()
        #expect(try server.connect().run("MGET", "k", "again") == .list([.text("\(value)"), "1"]))
    }

    @Test func `with always a failed sync ends the server before it answers`() throws {
        let server = try ServerProcess(
            Self.appending + "\nappendfsync always",
            wrapper: Strace.wrapper("trace=fdatasync", "inject=fdatasync:error=EIO:when=2"))
        let client = try server.connect()
        #expect(try client.run("SET", "a", "1") == "OK")
        #expect(throws: Client.Closed.self) { try client.run("SET", "b", "2") }
        #expect(try server.waitForEnd() == .exited(1))
        let again = try ServerProcess(Self.appending, folder: server.folder)
        #expect(try again.connect().run("GET", "a") == "1")
    }

    // MARK: - The order of things

    /// What a power cut leaves is what was synced before: so the order of calls is what is promised.
    @Test func `with always nothing is answered before it is on the disk`() throws {
        let server = try ServerProcess(Self.appending + "\nappendfsync always")
        let clients = try (0..<4).map { _ in try server.connect() }
        let strace = try Strace(server.process, "trace=write,fdatasync,sendto")
        for number in 0..<50 {
            for client in clients { try client.send(["INCR", "n"]) }
            for client in clients { _ = try client.read() }
            if number == 20 { try clients[0].run("BGREWRITEAOF") }
        }
        server.kill(SIGKILL)
        try strace.waitForEnd()
        var unsynced: Substring?
        var answers = 0
        for call in strace.lines where call.hasPrefix("\(server.process) ") {
            if call.contains(" write("), call.contains(".incr.aof") { unsynced = call }
            if call.contains(" fdatasync("), call.contains(".incr.aof") { unsynced = nil }
            guard call.contains(" sendto("), call.contains("\":") else { continue }
            answers += 1
            #expect(unsynced == nil, "\(call)")
        }
        #expect(answers > 100)
    }

    /// The file before its name, the name before what it replaces is gone.
    @Test func `files are synced before they get their names`() throws {
        let server = try ServerProcess(Self.appending)
        let client = try server.connect()
        let strace = try Strace(server.process, "trace=fsync,rename")
        try client.run("SAVE")
        try client.run("BGREWRITEAOF")
        try wait("the rewrite ends") { server.log.contains("AOF rewrite finished successfully") }
        server.kill(SIGKILL)
        try strace.waitForEnd()
        var synced: Set<String> = []
        var renamed: String?
        var count = 0
        for call in strace.lines {
            let texts = call.split(separator: "\"", omittingEmptySubsequences: false)
            if call.contains(" fsync("), let path = call.split(separator: "<").dropFirst().first {
                let name = path.split(separator: ">")[0].split(separator: "/").last ?? ""
                synced.insert(String(name))
                if let folder = renamed, folder == name { renamed = nil }
            } else if call.contains(" rename("), texts.count > 3 {
                #expect(renamed == nil, "the folder of \(renamed ?? "") was not synced: \(call)")
                let source = texts[1].split(separator: "/").last ?? ""
                #expect(synced.contains(String(source)), "\(call)")
                let parts = texts[3].split(separator: "/")
                renamed = parts.count > 1 ? String(parts[0]) : server.folder.lastPathComponent
                count += 1
            }
        }
        #expect(renamed == nil)
        #expect(count >= 5)
    }
}
