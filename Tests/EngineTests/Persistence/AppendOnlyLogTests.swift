import Foundation
import Reactor
import Testing

@testable import Engine

@Suite final class AppendOnlyLogTests {
    private let folder = FileManager.default.temporaryDirectory
        .appending(path: "apus-log-\(UUID().uuidString)").path

    init() throws { try File.createFolder(folder) }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func text(_ log: AppendOnlyLog, _ name: String) throws -> String {
        String(decoding: try File.readWhole(log.path(name), limit: 1 << 20), as: UTF8.self)
    }

    @Test func `increments follow each other, and a base replaces them`() throws {
        let log = AppendOnlyLog(folder: folder, name: "a")
        #expect(try log.beginIncrement() == -1)
        try log.write(ByteView("one"))
        #expect(log.openBytes == 3)
        #expect(log.hasUnsyncedBytes)
        try log.sync()
        #expect(!log.hasUnsyncedBytes)
        FileDescriptor.close(try log.beginIncrement())
        try log.write(ByteView("three"))
        #expect(log.totalBytes == 8)
        #expect(try text(log, "a.1.incr.aof") == "one")
        #expect(try text(log, "a.2.incr.aof") == "three")

        let base = folder + "/temp"
        try File(base, .create).writeAll(Array("base".utf8))
        try log.rebase(on: base, isSnapshot: true)
        #expect(log.totalBytes == 9)
        #expect(log.manifest.parts.map(\.name) == ["a.1.base.rdb", "a.2.incr.aof"])
        #expect(log.historyPaths == [log.path("a.1.incr.aof")])
        try log.forgetHistory()
        #expect(log.historyPaths == [])

        let again = AppendOnlyLog(folder: folder, name: "a")
        try again.readManifest()
        #expect(again.manifest == log.manifest)
        try again.openLastIncrement()
        try again.write(ByteView("!"))
        #expect(try text(log, "a.2.incr.aof") == "three!")
        #expect(again.totalBytes == 10)
        log.close()
        again.close()
    }

    @Test func `a temporary increment counts once there is a base`() throws {
        let log = AppendOnlyLog(folder: folder, name: "a")
        try log.beginTemporaryIncrement()
        try log.write(ByteView("x"))
        #expect(!File.exists(log.manifestPath))
        let base = folder + "/temp"
        try File(base, .create).writeAll(Array("base".utf8))
        try log.rebase(on: base, isSnapshot: false)
        #expect(log.manifest.parts.map(\.name) == ["a.1.base.aof", "a.1.incr.aof"])
        try log.write(ByteView("y"))
        #expect(try text(log, "a.1.incr.aof") == "xy")
        log.close()
        try log.beginTemporaryIncrement()
        log.close()
        #expect(try File.names(in: folder).filter { $0.hasPrefix("temp") } == [])
    }

    @Test func `what cannot be written waits, in order`() throws {
        let log = AppendOnlyLog(folder: folder, name: "a")
        _ = try log.beginIncrement()
        log.close()
        // A device that is always full.
        let path = log.path("a.1.incr.aof")
        try File.remove(path)
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/dev/full")
        try log.openLastIncrement()
        for word in ["a", "b"] {
            #expect(throws: SystemError.self) { try word.withByteView { try log.write($0) } }
        }
        log.keep(ByteView("c"))
        #expect(log.pendingBytes == 3)
        #expect(log.openBytes == 0)
        log.close()
        try File.remove(path)
        try log.openLastIncrement()
        try log.write(ByteView("d"))
        #expect(log.pendingBytes == 0)
        #expect(try text(log, "a.1.incr.aof") == "abcd")
        log.close()
    }

    @Test func `the time is noted once a second`() throws {
        let log = AppendOnlyLog(folder: folder, name: "a")
        _ = try log.beginIncrement()
        for (seconds, word) in [(5, "a"), (5, "b"), (6, "c")] as [(Int64, String)] {
            log.noteTime(seconds)
            try word.withByteView { try log.write($0) }
        }
        #expect(try text(log, "a.1.incr.aof") == "#TS:5\r\nab#TS:6\r\nc")
        log.close()
    }
}
