import Glibc
import Testing

@testable import Reactor

@Suite struct BackgroundTests {
    @Test func completionsAreAnnouncedInOrder() throws {
        let folder = try TemporaryFolder()
        let background = try Background()
        let poller = try Poller()
        try poller.add(background.descriptor, Token(kind: 2, generation: 0, index: 0), .readable)
        let file = try File(folder.file("log"), .append)
        try file.writeAll([1, 2, 3])

        for tag: UInt64 in 1...3 { background.submit(.fsync(file.descriptor, tag: tag)) }
        background.submit(.runReporting(tag: 4) {})
        var tags: [UInt64] = []
        while tags.count < 4 {
            try #require(try poller.wait(milliseconds: patienceMilliseconds) == 1)
            let completions = background.takeCompletions()
            #expect(completions.allSatisfy { $0.error == nil })
            tags += completions.map(\.tag)
        }
        #expect(tags == [1, 2, 3, 4])
        #expect(try poller.wait(milliseconds: 0) == 0)
        #expect(background.takeCompletions().isEmpty)
    }

    @Test func errorsComeBack() throws {
        let background = try Background()
        // A socket cannot be synced.
        let pair = try SocketPair()
        background.submit(.fsync(pair.near, tag: 5))
        background.drain()
        #expect(
            background.takeCompletions().map(\.error) == [SystemError("fdatasync", code: EINVAL)])
    }

    @Test func jobsRunInOrderAndDrainWaitsForAll() throws {
        let folder = try TemporaryFolder()
        let background = try Background()
        let path = folder.file("big")
        let descriptor = try File(path, .create).release()
        let (near, far) = try Socket.pair()
        defer { FileDescriptor.close(near) }

        background.submit(.fsync(descriptor, tag: 1))
        background.submit(.unlink(path: Array(path.utf8)))
        background.submit(.close(descriptor))
        background.submit(.close(far))
        background.drain()
        #expect(background.pending == 0)
        #expect(!File.exists(path))
        #expect(receive(near) == .closed)
    }

    @Test func pendingJobsAreCountedByKind() throws {
        let background = try Background()
        let pair = try SocketPair()
        let far = pair.far
        // Holds the thread until the test has counted.
        background.submit(.run { _ = try? Socket.wait(far, for: .readable, milliseconds: -1) })
        let blocks = (0..<3).compactMap { _ in malloc(64) }
        for block in blocks {
            background.submit(.free(pointer: UInt(bitPattern: block), release: { free($0) }))
        }
        background.submit(.fsync(pair.near, tag: 0))
        #expect(background.pending == 5)
        #expect(background.pendingFrees == 3)
        #expect(background.pendingSyncs == 1)
        _ = send("go", to: pair.near)
        background.drain()
        #expect(background.pending == 0)
        #expect(background.pendingFrees == 0)
        #expect(background.pendingSyncs == 0)
    }

    @Test func theEndFinishesWhatWasSubmitted() throws {
        let (near, far) = try Socket.pair()
        defer { FileDescriptor.close(near) }
        do {
            let background = try Background()
            for _ in 0..<100 {
                background.submit(.run { [UInt8(65)].withUnsafeBytes { _ = Socket.send(far, $0) } })
            }
            background.submit(.close(far))
        }
        var received = 0
        while case .bytes(let count) = receive(near) { received += count }
        #expect(received == 100)
    }
}
