import Foundation
import Testing

/// Servers, or their children, killed at each of the system calls with which they save, rewrite or switch
/// the append-only file: what is found afterwards is the old state or the new one, whole, and nothing
/// needs mending by hand.
///
/// `make torture` takes every call there is, an ordinary run those that change what a crash leaves.
@Suite(.serialized, .enabled(if: Strace.isUsable, Strace.absence))
struct KilledCallsTests {
    private static let snapshots = "enable-debug-command yes\n" + SampleKeys.limits
    private static let appending = "appendonly yes\nappendfsync always\n" + snapshots

    /// What is done, and what must hold afterwards.
    private struct Scene<State> {
        var configuration: String
        /// If it is another when the server is started again.
        var laterConfiguration: String?
        /// What is done before anything can be killed.
        let prepare: (Client) throws -> State
        /// Until it has ended or the server has; connections may close.
        let work: (ServerProcess, Client, inout State) throws -> Void
        /// With the server that was started again on what was left.
        let check: (Client, State) throws -> Void
    }

    /// Plays the scene once to see which calls are made, and then once for each of them.
    ///
    /// - Parameter names: of calls; `make torture` takes all there are.
    private func killAtEachCall<State>(of names: String, _ scene: Scene<State>) throws {
        let names = Torture.isOn ? "all" : names
        let calls = try play(scene, "trace=\(names)")
        #expect(calls.count > 2)
        for call in calls {
            // A failure in what follows does not know it.
            print("killed at \(call)")
            _ = try play(scene, call.rule("signal=KILL"))
        }
    }

    private func play<State>(_ scene: Scene<State>, _ rule: String) throws -> [Strace.Call] {
        let server = try ServerProcess(scene.configuration)
        let client = try server.connect()
        var state = try scene.prepare(client)
        let strace = try Strace(server.process, rule)
        do {
            try scene.work(server, client, &state)
        } catch {
            try server.waitForEnd()
        }
        strace.detach()
        let calls = strace.calls
        server.kill(SIGKILL)
        try server.waitForEnd()
        let again = try ServerProcess(
            scene.laterConfiguration ?? scene.configuration, folder: server.folder)
        try scene.check(try again.connect(), state)
        return calls
    }

    private func digest(_ client: Client) throws -> Answer { try client.run("DEBUG", "DIGEST") }

    // MARK: - Snapshots

    /// The digests of what was saved and of what is to be saved.
    private struct Generations {
        let old: Answer
        let new: Answer
        /// Whether the server has said that it is done.
        var isSaved = false
    }

    private func makeGenerations(_ client: Client) throws -> Generations {
        try SampleKeys.few.fill(client)
        try client.run("SAVE")
        let old = try digest(client)
        try client.run("HSET", "hash", "since", "then")
        try client.run("DEL", "long list")
        return Generations(old: old, new: try digest(client))
    }

    private func check(_ client: Client, _ generations: Generations) throws {
        let found = try digest(client)
        #expect(found == generations.new || (found == generations.old && !generations.isSaved))
        #expect(try client.run("SAVE") == "OK")
    }

    private static let savingCalls = "fsync,rename"

    @Test func `SAVE`() throws {
        let scene = Scene(configuration: Self.snapshots, prepare: makeGenerations) {
            _, client, state in
            state.isSaved = try client.run("SAVE") == "OK"
        } check: { client, state in
            try check(client, state)
        }
        try killAtEachCall(of: Self.savingCalls, scene)
    }

    @Test func `BGSAVE`() throws {
        let scene = Scene(configuration: Self.snapshots, prepare: makeGenerations) {
            server, client, state in
            try client.run("BGSAVE")
            try wait("the child ends") {
                server.hasEnded || server.log.contains("Background saving terminated")
            }
            state.isSaved = server.log.contains("saving terminated with success")
        } check: { client, state in
            try check(client, state)
        }
        try killAtEachCall(of: Self.savingCalls, scene)
    }

    // MARK: - The append-only file

    /// Data that stays, and a list that grows while the file is rewritten.
    private struct Growth {
        let digest: Answer
        var acknowledged = 0
        var isWhole = false
    }

    private func beginGrowth(_ client: Client) throws -> Growth {
        try SampleKeys.few.fill(client)
        return Growth(digest: try digest(client))
    }

    private func grow(_ client: Client, _ state: inout Growth, while goesOn: (Int) -> Bool) throws {
        repeat {
            let length = try client.run("RPUSH", "growing", "\(state.acknowledged)")
            state.acknowledged += 1
            #expect(length == .integer(state.acknowledged))
        } while goesOn(state.acknowledged)
    }

    private func check(_ client: Client, _ state: Growth) throws {
        let list = try client.run("LRANGE", "growing", "0", "-1").elements
        #expect(list.count == state.acknowledged || list.count == state.acknowledged + 1)
        #expect(list == (0..<list.count).map { .text("\($0)") })
        try client.run("DEL", "growing")
        #expect(try digest(client) == state.digest)
    }

    private static let rewritten = "Background AOF rewrite finished successfully"

    /// Whether the child has done its work or was killed.
    private func isRewriteOver(_ server: ServerProcess) -> Bool {
        let log = server.log
        return log.contains(Self.rewritten) || log.contains("AOF rewrite terminated by signal")
    }

    private static let rewritingCalls = "rename,unlink"

    @Test(arguments: Torture.isOn ? ["yes", "no"] : ["yes"])
    func `BGREWRITEAOF`(preamble: String) throws {
        let configuration = Self.appending + "\naof-use-rdb-preamble \(preamble)"
        let scene = Scene(configuration: configuration, prepare: beginGrowth) {
            server, client, state in
            try client.run("BGREWRITEAOF")
            try grow(client, &state) { _ in !isRewriteOver(server) }
        } check: { client, state in
            try check(client, state)
            let reply = try client.run("BGREWRITEAOF")
            #expect(reply == "Background append only file rewriting started")
        }
        try killAtEachCall(of: Self.rewritingCalls, scene)
    }

    @Test func `switching on`() throws {
        var scene = Scene(configuration: Self.snapshots, prepare: beginGrowth) {
            server, client, state in
            try client.run("CONFIG", "SET", "appendfsync", "always")
            try client.run("CONFIG", "SET", "appendonly", "yes")
            // A child that was killed is followed by others, all to be killed.
            try wait("the child ends") {
                server.hasEnded || isRewriteOver(server)
            }
            guard server.log.contains(Self.rewritten) else { return }
            state.isWhole = true
            try grow(client, &state) { $0 < 10 }
        } check: { client, state in
            // Before the first base is whole there is no file.
            if try !state.isWhole && client.run("DBSIZE") == 0 { return }
            try check(client, state)
        }
        scene.laterConfiguration = Self.appending
        try killAtEachCall(of: Self.rewritingCalls, scene)
    }

    // MARK: - The start

    /// With a file of the time before there were manifests, and without any.
    @Test(arguments: [true, false])
    func `the first start`(adopts: Bool) throws {
        let data = try ServerProcess.freshFolder()
        let configuration = "appendonly yes\ndir \(data.path)"
        let request = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\nold\r\n"
        defer { try? FileManager.default.removeItem(at: data) }
        let names = ["mkdir", "rename"] + (Torture.isOn ? ["openat", "write", "fsync"] : [])
        for name in names {
            for number in 1..<1000 {
                try FileManager.default.removeItem(at: data)
                try FileManager.default.createDirectory(
                    at: data, withIntermediateDirectories: false)
                if adopts {
                    try Data(request.utf8).write(to: data.appending(path: "appendonly.aof"))
                }
                let call = Strace.Call(name: name, number: number)
                let killed = try? ServerProcess(
                    configuration,
                    wrapper: Strace.wrapper("trace=\(name)", call.rule("signal=KILL")))
                killed?.kill(SIGKILL)
                try killed?.waitForEnd()
                let again = try ServerProcess(configuration)
                let value = try again.connect().run("GET", "k")
                #expect(value == (adopts ? "old" : .null), "\(call)")
                if killed != nil { break }
            }
        }
    }
}
