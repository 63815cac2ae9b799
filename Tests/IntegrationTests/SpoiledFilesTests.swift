import Foundation
import Testing

/// Files that something else than us has cut or changed, before the real server: it refuses them or
/// loads them.
///
/// It never crashes, hangs or takes much memory for them.
@Suite struct SpoiledFilesTests {
    // MARK: - Snapshots

    /// What a load may take beyond what a sound file takes.
    private static let mostExtraBytes = 64 << 20
    private static let longestLoad = Duration.seconds(5)

    /// A server with a snapshot of everything, which is loaded again and again.
    private final class Reloading {
        let server: ServerProcess
        let client: Client
        let sound: [UInt8]
        private var loaded = 0
        private var refused = 0

        init() throws {
            server = try ServerProcess("enable-debug-command yes\n" + SampleKeys.limits)
            client = try server.connect()
            try SampleKeys.few.fill(client, fieldDeadlines: true)
            try client.run("SAVE")
            sound = [UInt8](try Data(contentsOf: server.file("dump.rdb")))
        }

        /// - Returns: whether it was loaded.
        @discardableResult
        func load(_ bytes: [UInt8], _ what: @autoclosure () -> String) throws -> Bool {
            try Data(bytes).write(to: server.file("dump.rdb"))
            let start = ContinuousClock.now
            let reply = try answer("DEBUG", "RELOAD", "NOSAVE", what())
            #expect(ContinuousClock.now - start < longestLoad, "\(what())")
            if reply == "OK" {
                // What was taken can be looked at.
                _ = try answer("DEBUG", "DIGEST", "", what())
                loaded += 1
                return true
            }
            #expect(
                reply
                    == .error("ERR Error trying to load the RDB dump, check server logs"))
            refused += 1
            return false
        }

        private func answer(
            _ first: String, _ second: String, _ third: String, _ what: @autoclosure () -> String
        ) throws -> Answer {
            do {
                try client.send([first, second] + (third.isEmpty ? [] : [third]))
                return try client.read()
            } catch {
                throw Trouble("\(what()): \(error)\n\(server.log.suffix(3000))")
            }
        }

        /// The most memory it has had since `forgetPeak`.
        func peakBytes() throws -> Int {
            let status = try String(
                contentsOfFile: "/proc/\(server.process)/status", encoding: .utf8)
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
            let kilobytes = line?.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) }
            return (kilobytes ?? .max >> 10) << 10
        }

        func tell(_ test: String) { print("\(test): \(loaded) loaded, \(refused) refused") }
    }

    @Test(arguments: [true, false])
    func `a snapshot with spoiled bytes`(checks: Bool) throws {
        var random = SeededRandom.make()
        let reloading = try Reloading()
        let sound = reloading.sound
        #expect(try reloading.load(sound, "sound"))
        let before = try reloading.peakBytes()
        try reloading.client.run("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", checks ? "0" : "1")
        let rounds = Torture.isOn ? sound.count : 200
        for round in 0..<rounds {
            let place = Torture.isOn ? round : random.below(sound.count)
            var bytes = sound
            bytes[place] ^= UInt8(1 + random.below(255))
            let isLoaded = try reloading.load(bytes, "byte \(place), seed \(random.seed)")
            if checks && place < sound.count - 8 { #expect(!isLoaded, "byte \(place)") }
        }
        for round in 0..<Torture.rounds(100) {
            var bytes = sound
            let places = (0..<2 + random.below(6)).map { _ in random.below(sound.count) }
            for place in places { bytes[place] ^= UInt8(1 + random.below(255)) }
            try reloading.load(bytes, "bytes \(places), round \(round), seed \(random.seed)")
        }
        #expect(try reloading.peakBytes() < before + Self.mostExtraBytes)
        reloading.tell("checksums \(checks)")
    }

    @Test func `a spoiled snapshot at the start`() throws {
        var random = SeededRandom.make()
        let reloading = try Reloading()
        for _ in 0..<min(100, Torture.rounds(5)) {
            var bytes = reloading.sound
            bytes[random.below(bytes.count - 8)] ^= UInt8(1 + random.below(255))
            let folder = try ServerProcess.freshFolder()
            defer { try? FileManager.default.removeItem(at: folder) }
            try Data(bytes).write(to: folder.appending(path: "dump.rdb"))
            #expect(throws: Trouble.self) { try ServerProcess("dir \(folder.path)") }
            let stored = try Data(contentsOf: folder.appending(path: "dump.rdb"))
            #expect([UInt8](stored) == bytes)
        }
    }

    // MARK: - The append-only file

    private static let appending = "appendonly yes\nappendfsync no\nenable-debug-command yes"

    /// What the real server and the tool make of a cut file is the same, and the same as in
    /// `Server+AppendOnlyLoadingTests`, where every byte has its turn.
    @Test func `an append-only file that was cut`() throws {
        var random = SeededRandom.make()
        let server = try ServerProcess(Self.appending)
        let client = try server.connect()
        for number in 0..<20 { try client.run("RPUSH", "l", "\(number)") }
        try client.run("MULTI")
        for number in 20..<25 { try client.run("RPUSH", "l", "\(number)") }
        try client.run("EXEC")
        server.kill(SIGKILL)
        try server.waitForEnd()
        let file = server.file("appendonlydir/appendonly.aof.1.incr.aof")
        let manifest = server.file("appendonlydir/appendonly.aof.manifest")
        let tool = server.file("apus-check-aof")
        try FileManager.default.createSymbolicLink(
            at: tool, withDestinationURL: URL(filePath: ServerProcess.binary))
        let whole = try Data(contentsOf: file)
        for _ in 0..<Torture.rounds(5) {
            let length = random.below(whole.count)
            try whole.prefix(length).write(to: file)
            let fixed = try ServerProcess.run([tool.path, "--fix", manifest.path], input: "y\n")
            #expect(fixed.ending == .exited(0), "\(fixed.output)")
            let mended = try Data(contentsOf: file)
            #expect(try ServerProcess.run([tool.path, manifest.path]).ending == .exited(0))
            try whole.prefix(length).write(to: file)
            try server.restart()
            let list = try server.connect().run("LRANGE", "l", "0", "-1").elements
            #expect(list == (0..<list.count).map { .text("\($0)") })
            #expect(list.count <= 20 || list.count == 25)
            server.kill(SIGKILL)
            try server.waitForEnd()
            #expect(try Data(contentsOf: file) == mended, "cut to \(length)")
        }
    }
}
