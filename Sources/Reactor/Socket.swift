import CLinux
import Glibc

/// What a read or a write came to.
public enum Transfer: Equatable, Sendable {
    /// So many bytes were moved; at least one, unless none were offered to send.
    case bytes(Int)
    /// Nothing can be moved now: wait for the poller.
    case wouldBlock
    /// The peer has closed, in order or not (end of stream, ECONNRESET, EPIPE).
    case closed
    case failed(SystemError)

    fileprivate static func failure(_ operation: StaticString) -> Transfer {
        switch errno {
        case EAGAIN: .wouldBlock
        case ECONNRESET, EPIPE: .closed
        default: .failed(SystemError.last(operation))
        }
    }
}

/// What a listener had to offer.
public enum AcceptResult: Equatable, Sendable {
    /// A non-blocking socket that the caller owns.
    case accepted(Int32)
    case wouldBlock
    /// EMFILE or ENFILE. The peer stays in the queue and the listener readable, so the caller must
    /// free a descriptor or stop listening for a while, or the loop spins.
    case outOfDescriptors
    case failed(SystemError)
}

/// Stream sockets over TCP and Unix paths.
///
/// A socket is its descriptor's number here, because the connection that owns it sits in a table;
/// every one of them is non-blocking and closed on exec.
///
/// A descriptor that is not an open socket is a bug and stops the program (see `SystemError`).
public enum Socket {
    private static let receiveFlags = Int32(MSG_DONTWAIT)
    private static let sendFlags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)

    /// Reads what is there, up to the size of `buffer`, which must not be empty.
    public static func receive(
        _ fd: Int32, into buffer: UnsafeMutableRawBufferPointer
    ) -> Transfer {
        precondition(!buffer.isEmpty, "no room to receive into")
        while true {
            let count = recv(fd, buffer.baseAddress, buffer.count, receiveFlags)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .closed }
            if errno != EINTR { return .failure("recv") }
        }
    }

    /// Hands over as many of `bytes` as the socket has room for.
    ///
    /// Never raises SIGPIPE.
    public static func send(_ fd: Int32, _ bytes: UnsafeRawBufferPointer) -> Transfer {
        while true {
            let count = Glibc.send(fd, bytes.baseAddress, bytes.count, sendFlags)
            if count >= 0 { return .bytes(count) }
            if errno != EINTR { return .failure("send") }
        }
    }

    /// Hands over bytes of an open file without reading them; `.bytes(0)` where the file has ended.
    ///
    /// The process must ignore SIGPIPE.
    public static func sendFile(_ fd: Int32, _ file: Int32, at offset: Int, count: Int) -> Transfer
    {
        while true {
            let sent = apus_send_file(fd, file, Int64(offset), Int64(count))
            if sent >= 0 { return .bytes(Int(sent)) }
            if errno != EINTR { return .failure("sendfile") }
        }
    }

    /// Takes the next connection.
    ///
    /// Peers that gave up while they were queued are passed over.
    public static func accept(_ listener: Int32) -> AcceptResult {
        while true {
            let fd = apus_accept(listener)
            if fd >= 0 { return .accepted(fd) }
            switch errno {
            case EINTR, ECONNABORTED, EPROTO: continue
            case EAGAIN: return .wouldBlock
            case EMFILE, ENFILE: return .outOfDescriptors
            default: return .failed(SystemError.last("accept4"))
            }
        }
    }

    /// Waits until `fd` is ready or broken; for tools, which have no poller.
    ///
    /// - Parameter milliseconds: -1 is for ever.
    /// - Returns: false when the time is over.
    public static func wait(
        _ fd: Int32, for interest: Interest, milliseconds: Int
    ) throws(SystemError) -> Bool {
        var events: Int32 = 0
        if interest.contains(.readable) { events |= POLLIN }
        if interest.contains(.writable) { events |= POLLOUT }
        var watched = pollfd(fd: fd, events: Int16(events), revents: 0)
        let deadline = Deadline(milliseconds: milliseconds)
        return try retrying("poll") { poll(&watched, 1, deadline.remaining) } > 0
    }

    /// Two connected Unix sockets, such as a parent and its child speak over.
    public static func pair() throws(SystemError) -> (Int32, Int32) {
        var ends: [Int32] = [-1, -1]
        try retrying("socketpair") { apus_socket_pair(&ends) }
        return (ends[0], ends[1])
    }

    /// Lets the peer read the end of what was sent; receiving goes on.
    public static func endSending(_ fd: Int32) { _ = shutdown(fd, Int32(SHUT_WR)) }
}

/// A timeout that survives interruptions.
private struct Deadline {
    private let end: UInt64?

    init(milliseconds: Int) {
        end =
            milliseconds < 0
            ? nil : Clock.monotonicNanoseconds() + UInt64(milliseconds) * 1_000_000
    }

    /// Milliseconds, rounded up; -1 is for ever.
    var remaining: Int32 {
        guard let end else { return -1 }
        let now = Clock.monotonicNanoseconds()
        return now >= end ? 0 : Int32(clamping: (end - now + 999_999) / 1_000_000)
    }
}

// MARK: - Listening

extension Socket {
    /// Listens on a numeric address or host name; "*" is every IPv4 address, "::*" every IPv6 one.
    ///
    /// An IPv6 listener takes no IPv4 connections, so both can share a port.
    ///
    /// - Parameter port: 0 lets the kernel choose; see `localPort`.
    /// - Parameter backlog: connections that may wait for `accept`; the kernel caps it.
    /// - Throws: EADDRINUSE, EADDRNOTAVAIL, EACCES, or a negative code of the resolver.
    public static func listenTCP(
        address: String, port: Int, backlog: Int
    ) throws(SystemError) -> Int32 {
        let host =
            switch address {
            case "*": "0.0.0.0"
            case "::*": "::"
            default: address
            }
        var failure = SystemError("getaddrinfo", code: EAI_NONAME)
        for candidate in try SocketAddress.resolve(host, port: port, forListening: true) {
            do throws(SystemError) {
                return try listen(on: candidate, backlog: backlog)
            } catch {
                failure = error
            }
        }
        throw failure
    }

    private static func listen(
        on address: SocketAddress, backlog: Int
    ) throws(SystemError) -> Int32 {
        let socket = try create(family: address.family)
        try set(socket.number, SOL_SOCKET, SO_REUSEADDR, 1)
        if address.family == AF_INET6 {
            try set(socket.number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1)
        }
        try retrying("bind") { address.pass { bind(socket.number, $0, $1) } }
        try retrying("listen") { Glibc.listen(socket.number, Int32(clamping: backlog)) }
        return socket.release()
    }

    /// Listens on a path.
    ///
    /// A socket left there by a former run is removed; any other file is not, and the call fails
    /// with EADDRINUSE.
    ///
    /// - Parameter permissions: the mode of the socket file, 0 to leave it to the umask. The file
    ///   is never wider than asked, not even for a moment: Linux gives it the mode of the unbound
    ///   socket less the umask, so no process-wide umask has to be switched.
    /// - Throws: EADDRINUSE, EACCES, ENOENT, ENAMETOOLONG.
    public static func listenUnix(
        path: String, permissions: UInt16, group: String? = nil, backlog: Int
    ) throws(SystemError) -> Int32 {
        try checkUnix(path: path, group: group)
        let address = try SocketAddress(unixPath: path)
        removeSocketFile(path)
        let socket = try create(family: AF_UNIX)
        let mode = mode_t(permissions)
        if mode != 0 { try retrying("fchmod") { fchmod(socket.number, mode) } }
        try retrying("bind") { address.pass { bind(socket.number, $0, $1) } }
        if mode != 0 { try retrying("chmod") { chmod(path, mode) } }
        if let group = try group.map(number(ofGroup:)) {
            try retrying("chown") { chown(path, uid_t.max, group) }
        }
        try retrying("listen") { Glibc.listen(socket.number, Int32(clamping: backlog)) }
        return socket.release()
    }

    /// Finds out whether `listenUnix` could make its socket; nothing is changed.
    ///
    /// - Throws: as `listenUnix` does.
    public static func checkUnix(path: String, group: String? = nil) throws(SystemError) {
        _ = try SocketAddress(unixPath: path)
        try File.checkWritable(folder: File.folder(of: path))
        var status = stat()
        if lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFSOCK {
            throw SystemError("bind", code: EADDRINUSE)
        }
        if let group { _ = try number(ofGroup: group) }
    }

    private static func number(ofGroup name: String) throws(SystemError) -> gid_t {
        guard let group = getgrnam(name)?.pointee.gr_gid else {
            throw SystemError("getgrnam", code: ENOENT)
        }
        return group
    }

    private static func removeSocketFile(_ path: String) {
        var status = stat()
        if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK { unlink(path) }
    }

    private static func create(family: Int32) throws(SystemError) -> FileDescriptor {
        FileDescriptor(owning: try retrying("socket") { apus_socket(family) })
    }
}

// MARK: - Connecting

extension Socket {
    /// Begins to connect.
    ///
    /// When the poller reports the socket writable or closed, `connectionError` tells how it went.
    /// A host name is resolved first, which blocks.
    ///
    /// - Parameter source: the local address to connect from, nil for any.
    /// - Throws: what the last of the host's addresses refused at once.
    public static func connectTCP(
        address: String, port: Int, from source: String? = nil
    ) throws(SystemError) -> Int32 {
        var failure = SystemError("getaddrinfo", code: EAI_NONAME)
        for candidate in try SocketAddress.resolve(address, port: port, forListening: false) {
            do throws(SystemError) {
                return try start(candidate, from: source).release()
            } catch {
                failure = error
            }
        }
        throw failure
    }

    /// Connects and waits for it; for tools.
    ///
    /// All addresses of the host share the time.
    ///
    /// - Throws: ETIMEDOUT, or what the last of the host's addresses refused.
    public static func connectTCP(
        address: String, port: Int, timeoutMilliseconds: Int
    ) throws(SystemError) -> Int32 {
        let deadline = Deadline(milliseconds: timeoutMilliseconds)
        var failure = SystemError("getaddrinfo", code: EAI_NONAME)
        for candidate in try SocketAddress.resolve(address, port: port, forListening: false) {
            do throws(SystemError) {
                let socket = try start(candidate, from: nil)
                let wait = Int(deadline.remaining)
                guard try self.wait(socket.number, for: .writable, milliseconds: wait) else {
                    throw SystemError("connect", code: ETIMEDOUT)
                }
                if let error = connectionError(socket.number) { throw error }
                return socket.release()
            } catch {
                failure = error
            }
        }
        throw failure
    }

    private static func start(
        _ address: SocketAddress, from source: String?
    ) throws(SystemError) -> FileDescriptor {
        let socket = try create(family: address.family)
        if let source {
            let local = try SocketAddress.resolve(source, port: 0, forListening: true)
            guard let local = local.first(where: { $0.family == address.family }) else {
                throw SystemError("bind", code: EAFNOSUPPORT)
            }
            try retrying("bind") { local.pass { bind(socket.number, $0, $1) } }
        }
        // An interrupted connect goes on by itself, and must not be called again.
        let result = address.pass { connect(socket.number, $0, $1) }
        guard result == 0 || errno == EINPROGRESS || errno == EINTR else {
            throw SystemError.last("connect")
        }
        return socket
    }

    /// Connects to a path, which the kernel does at once or not at all.
    ///
    /// - Throws: ENOENT, ECONNREFUSED, EACCES, EAGAIN if the listener's queue is full.
    public static func connectUnix(path: String) throws(SystemError) -> Int32 {
        try start(SocketAddress(unixPath: path), from: nil).release()
    }

    /// Sends one datagram to a path; a leading "@" is an abstract name.
    ///
    /// A message nobody takes is lost, silently.
    public static func sendDatagram(_ bytes: [UInt8], toUnixPath path: String) {
        guard let address = try? SocketAddress(unixPath: path, allowsAbstract: true),
            let socket = try? FileDescriptor(owning: retrying("socket") { apus_datagram_socket() })
        else { return }
        _ = bytes.withUnsafeBytes { buffer in
            address.pass { name, length in
                Int32(
                    clamping: sendto(
                        socket.number, buffer.baseAddress, buffer.count, sendFlags, name, length))
            }
        }
    }

    /// How a connection that was begun turned out; nil if it stands.
    ///
    /// Asking clears the error.
    public static func connectionError(_ fd: Int32) -> SystemError? {
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        if getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0 { return .last("getsockopt") }
        return code == 0 ? nil : SystemError("connect", code: code)
    }
}

// MARK: - Options

// Wishes, not conditions: a Unix socket knows neither, and the peer may be gone. So none of these
// fails.
extension Socket {
    /// Sends small writes at once (TCP_NODELAY).
    public static func setNoDelay(_ fd: Int32, _ enabled: Bool) {
        try? set(fd, Int32(IPPROTO_TCP), TCP_NODELAY, enabled ? 1 : 0)
    }

    /// Probes a silent peer after `seconds`, then three times a third of that apart: a vanished
    /// peer is noticed after about twice the time.
    public static func setKeepAlive(_ fd: Int32, seconds: Int) {
        let tcp = Int32(IPPROTO_TCP)
        try? set(fd, SOL_SOCKET, SO_KEEPALIVE, 1)
        try? set(fd, tcp, TCP_KEEPIDLE, Int32(clamping: max(1, seconds)))
        try? set(fd, tcp, TCP_KEEPINTVL, Int32(clamping: max(1, seconds / 3)))
        try? set(fd, tcp, TCP_KEEPCNT, 3)
    }

    public static func disableKeepAlive(_ fd: Int32) {
        try? set(fd, SOL_SOCKET, SO_KEEPALIVE, 0)
    }

    private static func set(
        _ fd: Int32, _ level: Int32, _ option: Int32, _ value: Int32
    ) throws(SystemError) {
        var value = value
        let size = socklen_t(MemoryLayout<Int32>.size)
        try retrying("setsockopt") { setsockopt(fd, level, option, &value, size) }
    }
}

// MARK: - Names

extension Socket {
    /// Who is at the other end: "127.0.0.1:1234", "[::1]:1234", "/path:0" with the listener's path
    /// for Unix, "?:0" if the peer is gone.
    public static func peerName(_ fd: Int32) -> String {
        guard let peer = SocketAddress.ofPeer(fd) else { return "?:0" }
        // The connecting end of a Unix socket has no name; the listener's is at this end then.
        if peer.family == AF_UNIX, peer.host.isEmpty { return localName(fd) }
        return peer.name
    }

    /// This end, in the same form.
    public static func localName(_ fd: Int32) -> String {
        guard let local = SocketAddress.ofLocalEnd(fd) else { return "?:0" }
        if local.family == AF_UNIX, local.host.isEmpty {
            return SocketAddress.ofPeer(fd)?.name ?? "?:0"
        }
        return local.name
    }

    /// The peer's address without its port; empty for an unnamed Unix peer, "?" if it is gone.
    public static func peerHost(_ fd: Int32) -> String { SocketAddress.ofPeer(fd)?.host ?? "?" }

    /// The address of this end without its port.
    public static func localHost(_ fd: Int32) -> String {
        SocketAddress.ofLocalEnd(fd)?.host ?? "?"
    }

    public static func peerPort(_ fd: Int32) -> Int { SocketAddress.ofPeer(fd)?.port ?? 0 }

    /// The port of this end, chosen by the kernel where 0 was asked for; 0 for Unix.
    public static func localPort(_ fd: Int32) -> Int { SocketAddress.ofLocalEnd(fd)?.port ?? 0 }

    /// Whether the peer is this host, over TCP.
    ///
    /// False for Unix sockets; see `isUnix`.
    public static func isLoopback(_ fd: Int32) -> Bool {
        SocketAddress.ofPeer(fd)?.isLoopback ?? false
    }

    public static func isUnix(_ fd: Int32) -> Bool {
        SocketAddress.ofLocalEnd(fd)?.family == AF_UNIX
    }
}
