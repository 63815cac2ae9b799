import Glibc

/// Listens on a port of its own, for a test that plays a server; closed with the last reference.
///
/// No process that is started meanwhile inherits it.
final class PortListener: Sendable {
    let descriptor: Int32
    let port: Int

    /// - Parameter seconds: how long `accept` waits for somebody.
    init(patience seconds: Int = patienceSeconds) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var name = Client.loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) | listen(listener, 16)
                    | getsockname(listener, $0, &length)
            }
        }
        descriptor = listener
        port = Int(UInt16(bigEndian: name.sin_port))
        guard descriptor >= 0, result == 0 else {
            throw Trouble("listen: \(String(cString: strerror(errno)))")
        }
        var patience = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience,
            socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// The next connection, which the caller closes.
    func accept() throws -> Int32 {
        let connection = Glibc.accept(descriptor, nil, nil)
        guard connection >= 0 else {
            throw Trouble("nobody connects: \(String(cString: strerror(errno)))")
        }
        _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
        return connection
    }
}
