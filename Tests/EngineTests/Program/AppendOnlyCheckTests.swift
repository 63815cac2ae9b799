import Foundation
import Reactor
import Testing

@testable import Engine

/// `apus-check-aof`, on files that are whole, cut, and made up by somebody who means us ill.
@Suite final class AppendOnlyCheckTests {
    private let folder = FileManager.default.temporaryDirectory
        .appending(path: "apus-check-\(UUID().uuidString)").path

    init() throws { try File.createFolder(folder) }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func path(_ name: String) -> String { "\(folder)/\(name)" }

    private func write(_ name: String, _ bytes: some Sequence<UInt8>) throws {
        try File(path(name), .create).writeAll(Array(bytes))
    }

    private func read(_ name: String) throws -> [UInt8] {
        try File.readWhole(path(name), limit: 1 << 20)
    }

    /// What was said, and how it ended; nil status: the arguments make no sense.
    private func check(
        _ arguments: String..., answering answer: Bool = true
    ) -> (status: Int32?, said: String) {
        final class Said { var text = "" }
        let said = Said()
        let check = AppendOnlyCheck(arguments, say: { said.text += $0 }, confirm: { answer })
        return (check?.run(), said.text)
    }

    private func request(_ line: String) -> [UInt8] {
        let words = line.split(separator: " ")
        let text = words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
        return Array("*\(words.count)\r\n\(text)".utf8)
    }

    private func requests(_ lines: String...) -> [UInt8] { lines.flatMap(request) }

    private func note(_ seconds: Int) -> [UInt8] { Array("#TS:\(seconds)\r\n".utf8) }

    private func snapshot() throws -> [UInt8] {
        let source = TestServer()
        for words in SampleData.requests { _ = source.client.run(bytes: words) }
        let file = try File(path("snapshot"), .create)
        try source.server.fillSnapshot(file.descriptor, isAppendOnlyBase: true) { _ in }
        return try read("snapshot")
    }

    @Test func `an argument that its line does not end with is none`() throws {
        let sound = requests("SET k v", "PING")
        let spoiled = [UInt8]("*2\r\n$4\r\nECHO\r\n$2\r\n\r\nxx".utf8)
        for (bytes, isSound) in [
            (sound + request("ECHO a") + sound, true), (sound + spoiled, false),
        ] {
            try write("a.aof", bytes)
            let (status, said) = check(path("a.aof"))
            #expect(status == (isSound ? 0 : 1))
            #expect(said.contains("ok_up_to=\(isSound ? bytes.count : sound.count),"))
        }
    }

    private static let manifest = """
        file a.1.base.rdb seq 1 type b
        file a.1.incr.aof seq 1 type i
        file a.2.incr.aof seq 2 type i

        """

    private func writeParts(_ first: [UInt8], _ last: [UInt8]) throws {
        try write("a.manifest", Self.manifest.utf8)
        try write("a.1.base.rdb", try snapshot())
        try write("a.1.incr.aof", first)
        try write("a.2.incr.aof", last)
    }

    // MARK: - Arguments

    @Test func `arguments that make no sense`() {
        #expect(check().status == nil)
        #expect(check("--fix").status == 1)
        #expect(check("--fix", "a", "b").status == nil)
        #expect(check("--bogus", "a").status == nil)
        #expect(check("--truncate-to-timestamp", "x", "a").status == nil)
        #expect(check("--truncate-to-timestamp", "9").status == nil)
        #expect(AppendOnlyCheck.usage("x").hasPrefix("Usage: x [--fix|--truncate-to-timestamp"))
        let missing = check(path("nothing"))
        #expect(missing.status == 1)
        #expect(missing.said.contains("Cannot open file"))
        #expect(check(folder).status == 1)
    }

    // MARK: - Checking

    @Test func `whole files are praised`() throws {
        try writeParts(requests("SET a 1"), [])
        let parts = check(path("a.manifest"))
        #expect(parts.status == 0)
        for line in [
            "Start checking Multi Part AOF", "Start to check BASE AOF (RDB format).",
            "RDB preamble is OK, proceeding with AOF tail...", "Start to check INCR files.",
            "INCR AOF \(path("a.2.incr.aof")) is empty", "All AOF files and manifest are valid",
        ] {
            #expect(parts.said.contains(line), "\(parts.said)")
        }
        try write("old", try snapshot() + requests("MULTI", "SET a 1", "EXEC"))
        let old = check(path("old"))
        #expect(old.status == 0)
        #expect(old.said.contains("Start checking Old-Style AOF"))
        #expect(old.said.contains("diff=0"))
    }

    @Test func `what is wrong is told, and nothing is changed`() throws {
        let sound = requests("SET a 1", "SET b 2")
        for (tail, complaint) in [
            (Array(request("SET c 3").dropLast()), "Unexpected end of file behind offset 54"),
            (Array("!!".utf8), "Bad file format at offset 54"),
            (requests("MULTI", "SET c 3"), "Reached EOF before reading EXEC for MULTI"),
            (requests("EXEC"), "Unexpected EXEC in AOF"),
            (requests("MULTI", "MULTI"), "Unexpected MULTI in AOF"),
        ] {
            try write("old", sound + tail)
            let result = check(path("old"))
            #expect(result.status == 1)
            #expect(result.said.contains(complaint), "\(result.said)")
            #expect(
                result.said.contains(
                    "size=\(54 + tail.count), ok_up_to=54, ok_up_to_line=15, diff=\(tail.count)"),
                "\(result.said)")
            #expect(result.said.contains("Use the --fix option"))
            #expect(try read("old") == sound + tail)
        }
    }

    // MARK: - Fixing

    @Test func `fixing keeps the whole units, wherever the file was cut`() throws {
        let units = [
            requests("SELECT 0"), requests("SET a 1"), note(1_700_000_000),
            requests("MULTI", "SET b 2", "RPUSH l x", "EXEC"), requests("DEL a"),
        ]
        let whole = Array(units.joined())
        var ends = [0]
        for unit in units { ends.append(ends[ends.count - 1] + unit.count) }
        try write("a.manifest", "file a.2.incr.aof seq 2 type i\n".utf8)
        for cut in 0..<whole.count {
            let kept = try #require(ends.last { $0 <= cut })
            try write("a.2.incr.aof", whole.prefix(cut))
            if kept != cut {
                #expect(check("--fix", path("a.manifest"), answering: false).status == 1)
                #expect(try read("a.2.incr.aof").count == cut)
            }
            let result = check("--fix", path("a.manifest"))
            #expect(result.status == 0, "cut at \(cut): \(result.said)")
            #expect(result.said.contains("Successfully truncated AOF") == (kept != cut))
            #expect(try read("a.2.incr.aof") == Array(whole.prefix(kept)), "cut at \(cut)")
            #expect(check(path("a.manifest")).status == 0, "cut at \(cut)")
        }
    }

    @Test func `only the last file is cut`() throws {
        let cut = Array(requests("SET a 1").dropLast())
        try writeParts(cut, requests("SET b 1"))
        let result = check("--fix", path("a.manifest"))
        #expect(result.status == 1)
        #expect(result.said.contains("because it is not the last file"))
        #expect(try read("a.1.incr.aof") == cut)
    }

    @Test func `a broken snapshot is left as it is`() throws {
        let snapshot = try snapshot()
        try write("old", snapshot.dropLast(9) + requests("SET a 1"))
        let broken = try read("old")
        let result = check("--fix", path("old"))
        #expect(result.status == 1)
        #expect(result.said.contains("RDB preamble of AOF file is not sane, aborting."))
        #expect(try read("old") == broken)
    }

    // MARK: - A moment

    @Test func `what came after a moment is cut off`() throws {
        let parts = [
            note(100), requests("SET a 1"), note(101),
            requests("MULTI", "SET b 2") + note(102) + requests("EXEC"), note(103),
            requests("SET c 3"),
        ]
        let whole = Array(parts.joined())
        func length(_ count: Int) -> Int { parts.prefix(count).joined().count }
        // A transaction that began in time is kept whole.
        for (moment, kept) in [(100, 2), (101, 4), (102, 4), (103, 6), (9999, 6)] {
            try writeParts([], whole)
            let result = check("--truncate-to-timestamp", "\(moment)", path("a.manifest"))
            #expect(result.status == 0, "\(result.said)")
            #expect(try read("a.2.incr.aof") == Array(whole.prefix(length(kept))), "\(moment)")
        }
        try writeParts([], whole)
        let nothing = check("--truncate-to-timestamp", "99", path("a.manifest"))
        #expect(nothing.status == 1)
        #expect(nothing.said.contains("has nothing before timestamp 99"))
        #expect(try read("a.2.incr.aof") == whole)
        try writeParts(whole, [])
        let early = check("--truncate-to-timestamp", "101", path("a.manifest"))
        #expect(early.status == 1)
        #expect(early.said.contains("because it is not the last file"))
        #expect(try read("a.1.incr.aof") == whole)
    }

    // MARK: - Hostile files

    @Test func `manifests that lead elsewhere are refused`() throws {
        try write("victim", requests("SET a 1").dropLast())
        try write("long", repeatElement(UInt8(ascii: "x"), count: 5000))
        for manifest in [
            "file ../\(folder.split(separator: "/").last ?? "")/victim seq 1 type b\n",
            "file \(path("victim")) seq 1 type b\n", "file victim seq 1 type b",
            "file \(String(repeating: "x", count: 2000)) seq 1 type b\n",
            "file victim seq 1 type b\nfile victim seq 99999999999999999999 type i\n",
            "file \"victim seq 1 type b\n", "file nothing seq 1 type i\n",
        ] {
            try write("a.manifest", manifest.utf8)
            #expect(check("--fix", path("a.manifest")).status == 1, "\(manifest)")
            #expect(try read("victim") == requests("SET a 1").dropLast())
        }
        #expect(check("--fix", path("long"), answering: false).status == 1)
    }

    @Test func `requests that promise too much are refused`() throws {
        for text in [
            "*9223372036854775807\r\n", "*2147483647\r\n$1\r\na\r\n", "*-1\r\n", "*0\r\n",
            "*1\r\n$9223372036854775807\r\n", "*1\r\n$99999999999999999999\r\n", "*1\r\n$-5\r\n",
            "*1\r\n$3\r\nabc", "*\r\n", "*1", "#TS", "#TS:\r\n*", "REDIS", "REDIS0011\u{ff}",
            "VALKEY", "VALKEY080", String(repeating: "*", count: 100_000),
        ] {
            try write("old", text.utf8)
            let result = check(path("old"))
            #expect(result.status == 1, "\(text.prefix(40)): \(result.said)")
            _ = check("--fix", path("old"))
            _ = check("--truncate-to-timestamp", "\(Int64.max)", path("old"))
        }
    }

    @Test func `no bytes reach a trap`() throws {
        var random = SeededRandom.make()
        let sound =
            try snapshot() + note(5) + requests("SET a 1", "MULTI", "SET b 2", "EXEC", "DEL a")
        let manifest = Array(Self.manifest.utf8)
        func spoiled(_ bytes: [UInt8]) -> [UInt8] {
            var bytes = bytes
            for _ in 0...random.below(4) {
                bytes[random.below(bytes.count)] = UInt8(random.below(256))
            }
            return random.below(3) == 0 ? Array(bytes.prefix(random.below(bytes.count))) : bytes
        }
        try writeParts(sound, sound)
        for round in 0..<150 {
            let target = ["a.manifest", "a.2.incr.aof", "old"][round % 3]
            try write(target, spoiled(round % 3 == 0 ? manifest : sound))
            let file = path(round % 3 == 2 ? "old" : "a.manifest")
            if check("--fix", file).status == 0 {
                #expect(check(file).status == 0, "round \(round), seed \(random.seed)")
            }
            _ = check("--truncate-to-timestamp", "\(random.below(9))", file)
            if round % 3 == 0 { try write("a.manifest", manifest) }
        }
    }
}
