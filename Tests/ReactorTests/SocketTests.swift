import CLinux
import Glibc
import Testing

@testable import Reactor

@Suite struct SocketTests {
    // MARK: Transfers

    @Test func emptySocketsWouldBlock() throws {
        let pair = try SocketPair()
        #expect(receive(pair.near) == .wouldBlock)
    }

    @Test func fullSocketsWouldBlockAndTakeMoreLater() throws {
        let pair = try SocketPair()
        let block = [UInt8](repeating: 65, count: 1 << 16)
        var result = Transfer.bytes(0)
        var sent = 0
        while case .bytes(let count) = result {
            sent += count
            result = block.withUnsafeBytes { Socket.send(pair.near, $0) }
        }
        #expect(result == .wouldBlock)
        #expect(sent > 0)

        var received = 0
        while case .bytes(let count) = receive(pair.far) { received += count }
        #expect(received == sent)
        #expect(send("more", to: pair.near) == .bytes(4))
    }

    @Test func closedPeersAreClosedBothWays() throws {
        let (near, far) = try Socket.pair()
        defer { FileDescriptor.close(near) }
        FileDescriptor.close(far)
        #expect(receive(near) == .closed)
        #expect(send("x", to: near) == .closed)
    }

    @Test func resetPeersAreClosed() throws {
        let listener = try Socket.listenTCP(address: "127.0.0.1", port: 0, backlog: 5)
        defer { FileDescriptor.close(listener) }
        let client = try connect(to: listener, host: "127.0.0.1")
        let server = try acceptOne(listener)
        defer { FileDescriptor.close(server) }
        // Lingering for no time makes close send a reset.
        var lingering = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            client, SOL_SOCKET, SO_LINGER, &lingering, socklen_t(MemoryLayout<linger>.size))
        FileDescriptor.close(client)
        #expect(try Socket.wait(server, for: .readable, milliseconds: patienceMilliseconds))
        #expect(receive(server) == .closed)
        #expect(send("x", to: server) == .closed)
    }

    @Test func waitingHasAnEnd() throws {
        let pair = try SocketPair()
        #expect(try !Socket.wait(pair.near, for: .readable, milliseconds: 1))
        #expect(try Socket.wait(pair.near, for: .writable, milliseconds: -1))
    }

    // MARK: TCP

    private func connect(to listener: Int32, host: String) throws -> Int32 {
        try Socket.connectTCP(
            address: host, port: Socket.localPort(listener),
            timeoutMilliseconds: patienceMilliseconds)
    }

    private func checkConversation(_ listener: Int32, host: String, shown: String) throws {
        defer { FileDescriptor.close(listener) }
        #expect(Socket.accept(listener) == .wouldBlock)
        let client = try connect(to: listener, host: host)
        defer { FileDescriptor.close(client) }
        let server = try acceptOne(listener)
        defer { FileDescriptor.close(server) }

        #expect(Socket.peerName(server) == "\(shown):\(Socket.localPort(client))")
        #expect(Socket.localName(server) == "\(shown):\(Socket.localPort(listener))")
        #expect(Socket.peerName(client) == Socket.localName(server))
        #expect(Socket.peerPort(client) == Socket.localPort(listener))
        #expect(Socket.isLoopback(server))
        #expect(!Socket.isUnix(server))
        #expect(fcntl(server, F_GETFL) & O_NONBLOCK != 0)
        #expect(fcntl(server, F_GETFD) & FD_CLOEXEC != 0)

        #expect(send("ping", to: client) == .bytes(4))
        #expect(try Socket.wait(server, for: .readable, milliseconds: patienceMilliseconds))
        #expect(receiveText(server) == "ping")
    }

    @Test(arguments: ["127.0.0.1", "*"]) func listensOnIPv4(address: String) throws {
        let listener = try Socket.listenTCP(address: address, port: 0, backlog: 5)
        #expect(Socket.localPort(listener) > 0)
        try checkConversation(listener, host: "127.0.0.1", shown: "127.0.0.1")
    }

    private static let hasIPv6: Bool = {
        guard let fd = try? Socket.listenTCP(address: "::1", port: 0, backlog: 1) else {
            return false
        }
        FileDescriptor.close(fd)
        return true
    }()

    @Test(.enabled(if: hasIPv6), arguments: ["::1", "::*"])
    func listensOnIPv6(address: String) throws {
        let listener = try Socket.listenTCP(address: address, port: 0, backlog: 5)
        try checkConversation(listener, host: "::1", shown: "[::1]")
    }

    @Test(.enabled(if: hasIPv6)) func bothFamiliesShareAPort() throws {
        let six = try Socket.listenTCP(address: "::*", port: 0, backlog: 5)
        defer { FileDescriptor.close(six) }
        let four = try Socket.listenTCP(
            address: "*", port: Socket.localPort(six), backlog: 5)
        FileDescriptor.close(four)
    }

    @Test func hostNamesAreResolved() throws {
        let listener = try Socket.listenTCP(address: "localhost", port: 0, backlog: 5)
        FileDescriptor.close(listener)
        #expect(throws: SystemError.self) {
            try Socket.listenTCP(address: "no such host", port: 0, backlog: 5)
        }
    }

    @Test func takenPortsAreRefused() throws {
        let first = try Socket.listenTCP(address: "127.0.0.1", port: 0, backlog: 5)
        defer { FileDescriptor.close(first) }
        let port = Socket.localPort(first)
        let error = #expect(throws: SystemError.self) {
            try Socket.listenTCP(address: "127.0.0.1", port: port, backlog: 5)
        }
        #expect(error?.code == EADDRINUSE)
        #expect(error?.message == "Address already in use")
        #expect(error?.description == "bind: Address already in use")
    }

    @Test func connectionsBegunAreReportedByThePoller() throws {
        let listener = try Socket.listenTCP(address: "127.0.0.1", port: 0, backlog: 5)
        defer { FileDescriptor.close(listener) }
        let client = try Socket.connectTCP(
            address: "127.0.0.1", port: Socket.localPort(listener), from: "127.0.0.1")
        defer { FileDescriptor.close(client) }
        let poller = try Poller()
        try poller.add(client, Token(kind: 0, generation: 0, index: 0), .writable)
        #expect(try poller.wait(milliseconds: -1) == 1)
        #expect(Socket.connectionError(client) == nil)
    }

    @Test func refusedConnectionsSayWhy() throws {
        // A port that was free a moment ago: bound, but nobody listens.
        let listener = try Socket.listenTCP(address: "127.0.0.1", port: 0, backlog: 5)
        let port = Socket.localPort(listener)
        FileDescriptor.close(listener)
        let error = #expect(throws: SystemError.self) {
            try Socket.connectTCP(
                address: "127.0.0.1", port: port, timeoutMilliseconds: patienceMilliseconds)
        }
        #expect(error?.code == ECONNREFUSED)
    }

    private func option(_ fd: Int32, _ level: Int32, _ name: Int32) -> Int32 {
        var value: Int32 = -1
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(fd, level, name, &value, &size)
        return value
    }

    @Test func optionsAreSet() throws {
        let fd = try Socket.listenTCP(address: "127.0.0.1", port: 0, backlog: 5)
        defer { FileDescriptor.close(fd) }
        let tcp = Int32(IPPROTO_TCP)
        Socket.setNoDelay(fd, true)
        #expect(option(fd, tcp, TCP_NODELAY) != 0)
        Socket.setNoDelay(fd, false)
        #expect(option(fd, tcp, TCP_NODELAY) == 0)
        Socket.setKeepAlive(fd, seconds: 300)
        #expect(option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1)
        #expect(option(fd, tcp, TCP_KEEPIDLE) == 300)
        #expect(option(fd, tcp, TCP_KEEPINTVL) == 100)
        #expect(option(fd, tcp, TCP_KEEPCNT) == 3)
        Socket.disableKeepAlive(fd)
        #expect(option(fd, SOL_SOCKET, SO_KEEPALIVE) == 0)
    }

    // MARK: Unix

    @Test func unixPathsListenAndNameBothEnds() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("socket")
        let listener = try Socket.listenUnix(path: path, permissions: 0, backlog: 5)
        defer { FileDescriptor.close(listener) }
        let client = try Socket.connectUnix(path: path)
        defer { FileDescriptor.close(client) }
        let server = try acceptOne(listener)
        defer { FileDescriptor.close(server) }
        #expect(Socket.peerName(server) == "\(path):0")
        #expect(Socket.localName(server) == "\(path):0")
        #expect(Socket.peerName(client) == "\(path):0")
        #expect(Socket.isUnix(server) && Socket.isUnix(client))
        #expect(!Socket.isLoopback(server))
        // Options that only TCP knows are passed over.
        Socket.setNoDelay(server, true)
        Socket.setKeepAlive(server, seconds: 1)
        #expect(send("over a path", to: client) == .bytes(11))
        #expect(receiveText(server) == "over a path")
    }

    private func mode(of path: String) -> mode_t {
        var status = stat()
        stat(path, &status)
        return status.st_mode & 0o777
    }

    @Test(arguments: [0o700, 0o600, 0o770, 0o777] as [UInt16])
    func unixSocketsHaveTheirPermissions(permissions: UInt16) throws {
        let folder = try TemporaryFolder()
        let path = folder.file("socket")
        let listener = try Socket.listenUnix(path: path, permissions: permissions, backlog: 5)
        FileDescriptor.close(listener)
        #expect(mode(of: path) == mode_t(permissions))
    }

    @Test func theKernelCreatesSocketFilesWithTheModeOfTheSocket() throws {
        // What listenUnix relies on for the moment between bind and chmod.
        let folder = try TemporaryFolder()
        let path = folder.file("socket")
        let fd = FileDescriptor(owning: apus_socket(AF_UNIX))
        fchmod(fd.number, 0o600)
        let address = try SocketAddress(unixPath: path)
        let number = fd.number
        #expect(address.pass { bind(number, $0, $1) } == 0)
        #expect(mode(of: path) == 0o600)
    }

    @Test func leftoverSocketsAreReplacedAndOtherFilesAreNot() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("socket")
        for _ in 0..<2 {
            FileDescriptor.close(try Socket.listenUnix(path: path, permissions: 0, backlog: 5))
        }
        let other = folder.file("precious")
        try File.writeAtomically(other, [1, 2, 3])
        let error = #expect(throws: SystemError.self) {
            try Socket.listenUnix(path: other, permissions: 0, backlog: 5)
        }
        #expect(error?.code == EADDRINUSE)
        #expect(try File.readWhole(other, limit: 10) == [1, 2, 3])
    }

    @Test func longUnixPathsAreRefused() {
        let path = "/tmp/" + String(repeating: "a", count: 103)
        #expect(throws: SystemError("unix socket path", code: ENAMETOOLONG)) {
            try Socket.listenUnix(path: path, permissions: 0, backlog: 5)
        }
    }

    // MARK: Limits

    @Test func noDescriptorLeftIsAResult() throws {
        let listener = try Socket.listenTCP(address: "127.0.0.1", port: 0, backlog: 5)
        defer { FileDescriptor.close(listener) }
        let client = try connect(to: listener, host: "127.0.0.1")
        defer { FileDescriptor.close(client) }
        #expect(try Socket.wait(listener, for: .readable, milliseconds: patienceMilliseconds))
        // In a child, because the limit is the whole process's.
        switch try Child.fork() {
        case .child:
            alarm(10)
            _ = apus_set_descriptor_limit(3, 3)
            Child.exit(Socket.accept(listener) == .outOfDescriptors ? 0 : 1)
        case .parent(let pid):
            #expect(Child.wait(for: pid)?.ending == .exited(status: 0))
        }
        // The peer has kept its place in the queue.
        FileDescriptor.close(try acceptOne(listener))
    }
}
