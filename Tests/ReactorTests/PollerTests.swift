import Glibc
import Testing

@testable import Reactor

@Suite struct PollerTests {
    private let token = Token(kind: 1, generation: 7, index: 42)

    @Test func tokensKeepTheirThreeParts() {
        for kind: UInt8 in [0, 1, 0x80, .max] {
            for generation: UInt32 in [0, 1, 0x80_0000, Token.generationMask] {
                for index: UInt32 in [0, 1, 0x8000_0000, .max] {
                    let token = Token(kind: kind, generation: generation, index: index)
                    #expect(token.kind == kind)
                    #expect(token.generation == generation)
                    #expect(token.index == index)
                    #expect(Token(raw: token.raw) == token)
                }
            }
        }
        #expect(Token(kind: 3, generation: 0x1FF_FFFF, index: 0).generation == 0xFF_FFFF)
        #expect(Token(kind: 3, generation: 0x1FF_FFFF, index: 0).kind == 3)
    }

    @Test func tokenPartsChangeAlone() {
        var token = Token(kind: 1, generation: 2, index: 3)
        token.generation = 9
        token.index = 8
        token.kind = 7
        #expect(token == Token(kind: 7, generation: 9, index: 8))
    }

    @Test func silenceIsNoEvent() throws {
        let poller = try Poller()
        let pair = try SocketPair()
        try poller.add(pair.near, token, .readable)
        #expect(try poller.wait(milliseconds: 0) == 0)
    }

    @Test func readableComesWithItsTokenAndStaysUntilRead() throws {
        let poller = try Poller()
        let pair = try SocketPair()
        try poller.add(pair.near, token, .readable)
        #expect(send("hello", to: pair.far) == .bytes(5))
        for _ in 0..<2 {
            #expect(try poller.wait(milliseconds: -1) == 1)
            #expect(poller.event(at: 0).token == token)
            #expect(poller.event(at: 0).readiness == .readable)
        }
        #expect(receiveText(pair.near) == "hello")
        #expect(try poller.wait(milliseconds: 0) == 0)
    }

    @Test func interestAndTokenAreReplaced() throws {
        let poller = try Poller()
        let pair = try SocketPair()
        try poller.add(pair.near, token, .readable)
        let next = Token(kind: 1, generation: 8, index: 42)
        try poller.change(pair.near, next, [.readable, .writable])
        #expect(try poller.wait(milliseconds: -1) == 1)
        #expect(poller.event(at: 0).token.generation == 8)
        #expect(poller.event(at: 0).readiness == .writable)

        try poller.change(pair.near, next, [])
        _ = send("x", to: pair.far)
        #expect(try poller.wait(milliseconds: 0) == 0)
    }

    @Test func removedDescriptorsAreSilent() throws {
        let poller = try Poller()
        let pair = try SocketPair()
        try poller.add(pair.near, token, .writable)
        poller.remove(pair.near)
        poller.remove(pair.near)
        #expect(try poller.wait(milliseconds: 0) == 0)
    }

    @Test func closedComesEvenWithoutInterest() throws {
        let poller = try Poller()
        let (near, far) = try Socket.pair()
        defer { FileDescriptor.close(near) }
        try poller.add(near, token, [])
        _ = send("last words", to: far)
        FileDescriptor.close(far)
        #expect(try poller.wait(milliseconds: -1) == 1)
        #expect(poller.event(at: 0).readiness.contains(.closed))
        #expect(receiveText(near) == "last words")
        #expect(receive(near) == .closed)
    }

    @Test func finishedSendingIsReadableNotClosed() throws {
        let poller = try Poller()
        let pair = try SocketPair()
        try poller.add(pair.near, token, .readable)
        shutdown(pair.far, Int32(SHUT_WR))
        #expect(try poller.wait(milliseconds: -1) == 1)
        #expect(poller.event(at: 0).readiness == .readable)
        #expect(receive(pair.near) == .closed)
        #expect(send("still answered", to: pair.near) == .bytes(14))
    }

    @Test func staleEventsAreKnownByGeneration() throws {
        // Two events of one batch; serving the first closes the second's socket and gives its
        // place in the table to another. The event that is left still names the former tenant.
        let poller = try Poller()
        let first = try SocketPair()
        let second = try SocketPair()
        var generations: [UInt32] = [1, 1]
        try poller.add(first.near, Token(kind: 1, generation: 1, index: 0), .writable)
        try poller.add(second.near, Token(kind: 1, generation: 1, index: 1), .writable)
        #expect(try poller.wait(milliseconds: -1) == 2)
        poller.remove(second.near)
        generations[1] += 1
        let current = (0..<2).map(poller.event(at:)).filter {
            generations[Int($0.token.index)] == $0.token.generation
        }
        #expect(current.map(\.token.index) == [0])
    }

    @Test func batchesAreBounded() throws {
        let poller = try Poller()
        let pair = try SocketPair()
        var copies: [Int32] = []
        defer { for fd in copies { FileDescriptor.close(fd) } }
        for index in 0..<600 {
            let copy = dup(pair.near)
            try #require(copy >= 0)
            copies.append(copy)
            try poller.add(copy, Token(kind: 1, generation: 0, index: UInt32(index)), .writable)
        }
        #expect(try poller.wait(milliseconds: 0) == 512)
        let indexes = Set((0..<512).map { poller.event(at: $0).token.index })
        #expect(indexes.count == 512)
        #expect(indexes.allSatisfy { $0 < 600 })
    }

    @Test func regularFilesCannotBePolled() throws {
        let folder = try TemporaryFolder()
        let poller = try Poller()
        let file = try File(folder.file("plain"), .create)
        let descriptor = file.descriptor
        #expect(throws: SystemError("epoll_ctl", code: EPERM)) {
            try poller.add(descriptor, token, .readable)
        }
        _ = consume file
    }
}
