import Glibc
import Testing

@testable import Reactor

@Suite struct FileTests {
    @Test func readsBackWhatWasWritten() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("data")
        do {
            let file = try File(path, .create)
            try file.writeAll(Array("hello world".utf8))
            try Array("J".utf8).withUnsafeBufferPointer { bytes in
                try file.writeAll(UnsafeRawBufferPointer(bytes), at: 0)
            }
            try file.syncData()
            #expect(try file.size() == 11)
            try file.truncate(to: 5)
            file.startWriteback(offset: 0, count: 5)
            file.dropCache(offset: 0, count: 0)
        }
        do {
            let file = try File(path, .append)
            try file.writeAll(Array("!".utf8))
        }
        #expect(try File.readWhole(path, limit: 6) == Array("Jello!".utf8))

        let file = try File(path, .read)
        var room = [UInt8](repeating: 0, count: 10)
        let count = try room.withUnsafeMutableBufferPointer { buffer in
            try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: 4)
        }
        #expect(Array(room.prefix(count)) == Array("o!".utf8))
        try file.seek(to: 6)
        let end = try room.withUnsafeMutableBufferPointer { buffer in
            try file.read(into: UnsafeMutableRawBufferPointer(buffer))
        }
        #expect(end == 0)
    }

    @Test func wholeFilesHaveALimit() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("data")
        for size in [0, 1, 4095, 4096, 4097, 100_000] {
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try File.writeAtomically(path, bytes)
            #expect(try File.readWhole(path, limit: size) == bytes)
            if size > 0 {
                #expect(throws: SystemError("read", code: EFBIG)) {
                    try File.readWhole(path, limit: size - 1)
                }
            }
        }
        // A file whose size is not known beforehand.
        #expect(try !File.readWhole("/proc/self/status", limit: 1 << 16).isEmpty)
    }

    @Test func missingFilesAreErrors() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("none")
        #expect(throws: SystemError("open", code: ENOENT)) {
            try File.readWhole(path, limit: 1)
        }
        #expect(throws: SystemError("unlink", code: ENOENT)) { try File.remove(path) }
        #expect(!File.exists(path))
    }

    @Test func newFilesMustBeNew() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("once")
        try File.writeAtomically(path, [1])
        #expect(throws: SystemError("open", code: EEXIST)) {
            _ = try File(path, .createNew)
        }
    }

    @Test func namesComeAndGo() throws {
        let folder = try TemporaryFolder()
        try File.writeAtomically(folder.file("a"), [1])
        try File.writeAtomically(folder.file("b"), [2])
        try File.rename(folder.file("a"), to: folder.file("c"))
        #expect(try File.names(in: folder.path).sorted() == ["b", "c"])
        try File.remove(folder.file("b"))
        #expect(try File.names(in: folder.path) == ["c"])
        #expect(File.isFolder(folder.path) && !File.isFolder(folder.file("c")))

        let inner = folder.file("inner")
        try File.createFolder(inner)
        try File.createFolder(inner)
        rmdir(inner)
        let taken = folder.file("c")
        #expect(throws: SystemError("mkdir", code: EEXIST)) { try File.createFolder(taken) }
    }

    @Test func failedReplacementsLeaveTheOldAndNoTrace() throws {
        let folder = try TemporaryFolder()
        let target = folder.file("target")
        try File.createFolder(target)
        #expect(throws: SystemError("rename", code: EISDIR)) {
            try File.writeAtomically(target, [1, 2, 3])
        }
        #expect(try File.names(in: folder.path) == ["target"])
        rmdir(target)
    }

    @Test func readersSeeTheOldOrTheNewNeverAPart() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("config")
        let old = [UInt8](repeating: 1, count: 50_000)
        let new = [UInt8](repeating: 2, count: 70_000)
        try File.writeAtomically(path, old)
        let background = try Background()
        background.submit(
            .run {
                for _ in 0..<30 {
                    try? File.writeAtomically(path, new)
                    try? File.writeAtomically(path, old)
                }
            })
        while background.pending > 0 {
            let seen = try File.readWhole(path, limit: 100_000)
            try #require(seen == old || seen == new)
        }
        #expect(try File.names(in: folder.path) == ["config"])
    }

    @Test func descriptorsAreClosedOnce() throws {
        let (near, far) = try Socket.pair()
        defer { FileDescriptor.close(near) }
        do {
            let owner = FileDescriptor(owning: far)
            #expect(owner.number == far)
            #expect(owner.release() == far)
        }
        // Released, hence still open.
        #expect(receive(near) == .wouldBlock)
        do { _ = FileDescriptor(owning: far) }
        #expect(receive(near) == .closed)
    }
}
