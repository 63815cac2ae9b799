import Foundation
import Reactor
import Testing

@testable import Engine

/// Append-only files that are cut somewhere, in process.
@Suite final class ServerAppendOnlyLoadingTests {
    private let folder = FileManager.default.temporaryDirectory
        .appending(path: "apus-loading-\(UUID().uuidString)").path

    init() throws { try File.createFolder(folder) }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// A server whose append-only file is in our folder.
    private func makeServer(_ configuration: String = "") throws -> TestServer {
        let test = TestServer(configuration)
        var settings = test.server.settings
        settings.appendDirectoryName = folder
        test.server.appendOnly = AppendOnlyState(settings)
        return test
    }

    /// Empties the server and lets it load what is in the folder.
    ///
    /// - Returns: why it does not; nil if it does.
    private func load(_ test: TestServer) -> String? {
        test.run("FLUSHALL")
        do throws(AppendOnlyError) {
            try test.server.appendOnly.log.readManifest()
            #expect(try test.server.loadAppendOnly())
            return nil
        } catch {
            return error.text
        }
    }

    private func write(_ name: String, _ bytes: some Sequence<UInt8>) throws {
        try File("\(folder)/\(name)", .create).writeAll(Array(bytes))
    }

    private func read(_ name: String) throws -> [UInt8] {
        try File.readWhole("\(folder)/\(name)", limit: 1 << 20)
    }

    private func digest(_ test: TestServer) -> String { test.server.keyspace.digest().hexadecimal }

    /// What is done together, request by request, as lines of words.
    private static let units = [
        "SET k v", "SELECT 3", "SET long \(String(repeating: "x", count: 40))",
        "MULTI|RPUSH l a b|INCR n|SELECT 0|INCR n|EXEC", "DEL k", "#TS:1700000000",
        "XADD x 1-1 f v", "MULTI|SADD s 1 2 3|SREM s 2|EXEC", "MULTI|EXEC",
        "PEXPIREAT n 4000000000000", "SET n \u{0}\r\n*1\r\n$4\r\nQUIT", "HSET h f v g w",
    ].map { $0.split(separator: "|").map(String.init) }

    private func bytes(_ unit: [String]) -> [UInt8] {
        unit.flatMap { line -> [UInt8] in
            if line.hasPrefix("#") { return Array((line + "\r\n").utf8) }
            let words = line.split(separator: " ")
            let text = words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
            return Array("*\(words.count)\r\n\(text)".utf8)
        }
    }

    /// After each unit: how long the file is and what there is.
    private func stages() -> [(length: Int, digest: String)] {
        let test = TestServer()
        var length = 0
        return [(0, digest(test))]
            + Self.units.map { unit in
                for line in unit where !line.hasPrefix("#") {
                    test.client.run(line.split(separator: " ").map(String.init))
                }
                length += bytes(unit).count
                return (length, digest(test))
            }
    }

    private static let manifest = "file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\n"

    private func writeEmptyBase() throws {
        let writer = try File("\(folder)/a.1.base.rdb", .create)
        try TestServer().server.fillSnapshot(writer.descriptor, isAppendOnlyBase: true) { _ in }
    }

    @Test func `cut at any byte it is loaded up to the last whole unit, or refused`() throws {
        try write("appendonly.aof.manifest", "file a.1.incr.aof seq 1 type i\n".utf8)
        let whole = Self.units.flatMap(bytes)
        let stages = stages()
        let (lenient, strict) = (try makeServer(), try makeServer("aof-load-truncated no"))
        for cut in 0...whole.count {
            let stage = try #require(stages.last { $0.length <= cut })
            try write("a.1.incr.aof", whole.prefix(cut))
            let refusal = load(strict)
            #expect(try read("a.1.incr.aof") == Array(whole.prefix(cut)))
            if stage.length == cut {
                #expect(refusal == nil, "cut at \(cut)")
            } else {
                #expect(refusal?.hasPrefix("Unexpected end of file") == true, "cut at \(cut)")
            }
            #expect(load(lenient) == nil, "cut at \(cut)")
            #expect(digest(lenient) == stage.digest, "cut at \(cut)")
            #expect(try read("a.1.incr.aof") == Array(whole.prefix(stage.length)))
        }
    }

    @Test func `only the last file may be cut`() throws {
        try writeEmptyBase()
        let whole = Self.units.flatMap(bytes)
        try write(
            "appendonly.aof.manifest", (Self.manifest + "file a.2.incr.aof seq 2 type i\n").utf8)
        try write("a.2.incr.aof", [])
        let test = try makeServer()
        let ends = Set(stages().map(\.length))
        for cut in stride(from: 0, through: whole.count, by: 7) {
            try write("a.1.incr.aof", whole.prefix(cut))
            let refusal = load(test)
            #expect((refusal == nil) == ends.contains(cut), "cut at \(cut)")
            #expect(try read("a.1.incr.aof") == Array(whole.prefix(cut)))
        }
    }

    @Test func `a base that was cut is refused`() throws {
        let source = TestServer()
        for words in SampleData.requests { _ = source.client.run(bytes: words) }
        let file = try File("\(folder)/a.1.base.rdb", .create)
        try source.server.fillSnapshot(file.descriptor, isAppendOnlyBase: true) { _ in }
        let whole = try read("a.1.base.rdb")
        try write("appendonly.aof.manifest", Self.manifest.utf8)
        try write("a.1.incr.aof", [])
        let test = try makeServer()
        #expect(load(test) == nil)
        #expect(digest(test) == digest(source))
        for cut in stride(from: 1, to: whole.count, by: whole.count / 150 + 1) {
            try write("a.1.base.rdb", whole.prefix(cut))
            #expect(load(test) != nil, "cut at \(cut)")
            #expect(try read("a.1.base.rdb") == Array(whole.prefix(cut)))
        }
    }

    @Test func `whatever byte is spoiled, it is loaded or refused`() throws {
        var random = SeededRandom.make()
        try writeEmptyBase()
        try write("appendonly.aof.manifest", Self.manifest.utf8)
        let whole = Self.units.flatMap(bytes)
        let test = try makeServer()
        let empty = test.server.keyspace.arena.allocatedBytes
        for place in whole.indices {
            var spoiled = whole
            spoiled[place] ^= UInt8(1 + random.below(255))
            try write("a.1.incr.aof", spoiled)
            _ = load(test)
            #expect(test.server.keyspace.arena.allocatedBytes < empty + 1 << 20, "byte \(place)")
        }
    }
}
