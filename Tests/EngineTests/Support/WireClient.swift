import Glibc

@testable import Engine

/// A connection through a real socket to a `TestServer`: bytes in, bytes out, a turn of the loop at
/// a time.
///
/// For what `TestClient` goes around: parsing, pipelines, what is kept from turn to turn, closing.
final class WireClient {
    let server: Server
    let connection: Connection
    private let descriptor: Int32
    /// Bytes received and not yet taken.
    private(set) var received: [UInt8] = []
    private(set) var isClosed = false

    init(_ server: Server) {
        var pair: [Int32] = [-1, -1]
        precondition(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
        descriptor = pair[1]
        self.server = server
        connection = server.makeConnection(Transport(descriptor: pair[0]))
    }

    deinit {
        server.close(connection, "")
        Glibc.close(descriptor)
    }

    /// Sends `bytes`, with as many turns as the socket's buffer makes necessary.
    func send(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count && !isClosed {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(
                    descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
            }
            if count > 0 { sent += count }
            turn()
        }
        if bytes.isEmpty { turn() }
    }

    func send(_ text: String) { send(Array(text.utf8)) }

    /// Turns of the loop, in which only this connection has something to say, until it has said all.
    func turn() {
        var read = -1
        while read != connection.inputBytes {
            read = connection.inputBytes
            if connection.transport.isOpen && connection.watchesWritable { server.send(connection) }
            if connection.transport.isOpen && connection.watchesReadable
                && !connection.gate.contains(.closing)
            {
                server.serveNext(connection)
            }
            server.serveSlots()
            server.serveResumed()
            server.runTimers()
            server.serveResumed()
            server.beforeSleep()
            receive()
        }
    }

    private func receive() {
        var buffer = [UInt8](repeating: 0, count: 65536)
        while !isClosed {
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count < 0 && errno == EAGAIN { return }
            if count <= 0 { isClosed = true } else { received += buffer[..<count] }
        }
    }

    /// What has come since the last call, as text.
    func take() -> String {
        receive()
        defer { received = [] }
        return String(decoding: received, as: UTF8.self)
    }

    /// Sends, and returns what comes back in the same turns.
    func exchange(_ text: String) -> String {
        send(text)
        return take()
    }
}

/// A request as clients send it.
func multibulk(_ arguments: [UInt8]...) -> [UInt8] { multibulk(arguments) }

func multibulk(_ arguments: [[UInt8]]) -> [UInt8] {
    arguments.reduce(into: Array("*\(arguments.count)\r\n".utf8)) { bytes, argument in
        bytes += Array("$\(argument.count)\r\n".utf8) + argument + [13, 10]
    }
}

func multibulk(_ arguments: String...) -> [UInt8] { multibulk(arguments.map { Array($0.utf8) }) }
