import Foundation
import Glibc

/// A small blocking client over TCP or a Unix path, for tests: commands out, typed replies in.
///
/// Waits half a minute at most for a reply.
final class Client {
    let descriptor: Int32
    private var received: [UInt8] = []
    private var position = 0

    init(port: Int, address: String = "127.0.0.1") throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var name = Self.loopback(port: port)
        inet_pton(AF_INET, address, &name.sin_addr)
        try connect(to: &name, as: sockaddr_in.self)
    }

    init(path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var name = Self.unix(path: path)
        try connect(to: &name, as: sockaddr_un.self)
    }

    deinit { close(descriptor) }

    private func connect<Address>(to name: inout Address, as type: Address.Type) throws {
        guard descriptor >= 0 else { throw Trouble("socket: \(String(cString: strerror(errno)))") }
        var patience = timeval(tv_sec: patienceSeconds, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience,
            socklen_t(MemoryLayout<timeval>.size))
        let result = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                Glibc.connect(descriptor, pointer, socklen_t(MemoryLayout<Address>.size))
            }
        }
        guard result == 0 else { throw Trouble("connect: \(String(cString: strerror(errno)))") }
    }

    static func loopback(port: Int) -> sockaddr_in {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = UInt16(port).bigEndian
        inet_pton(AF_INET, "127.0.0.1", &name.sin_addr)
        return name
    }

    static func unix(path: String) -> sockaddr_un {
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        return name
    }

    // MARK: - Commands

    /// Sends one command and waits for its reply.
    @discardableResult
    func run(_ words: String...) throws -> Answer {
        try send(words)
        return try read()
    }

    /// Sends several commands at once and waits for all replies.
    @discardableResult
    func run(pipeline requests: [[String]]) throws -> [Answer] {
        try send(requests.flatMap(Self.bytes))
        return try requests.map { _ in try read() }
    }

    func send(_ words: [String]) throws { try send(Self.bytes(of: words)) }

    static func bytes(of words: [String]) -> [UInt8] {
        words.reduce(into: Array("*\(words.count)\r\n".utf8)) { bytes, word in
            bytes += Array("$\(word.utf8.count)\r\n\(word)\r\n".utf8)
        }
    }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Trouble("send: \(String(cString: strerror(errno)))") }
            sent += count
        }
    }

    // MARK: - Replies

    /// The next reply, in RESP2 or RESP3.
    func read() throws -> Answer {
        let line = try readLine()
        guard let mark = line.first else { throw Trouble("an empty line for a reply") }
        let rest = String(decoding: line.dropFirst(), as: UTF8.self)
        switch Character(Unicode.Scalar(mark)) {
        case "+": return .text(rest)
        case "-": return .error(rest)
        case ":": return .integer(Int(rest) ?? 0)
        case "_": return .null
        case "#": return .integer(rest == "t" ? 1 : 0)
        case ",", "(": return .text(rest)
        case "$", "=":
            guard let count = Int(rest), count >= 0 else { return .null }
            let bytes = try readBytes(count + 2).dropLast(2)
            return .text(String(decoding: bytes, as: UTF8.self))
        case "*", "~", ">": return try readList(Int(rest) ?? -1)
        case "%": return try readList(2 * (Int(rest) ?? 0))
        default: throw Trouble("no reply begins with '\(line)'")
        }
    }

    /// The first byte of the next reply, which is read whole.
    func readMark() throws -> Character {
        while received.count == position { try receive() }
        let mark = Character(Unicode.Scalar(received[position]))
        _ = try read()
        return mark
    }

    private func readList(_ count: Int) throws -> Answer {
        guard count >= 0 else { return .null }
        return .list(try (0..<count).map { _ in try read() })
    }

    private func readLine() throws -> [UInt8] {
        while true {
            if let end = received[position...].firstIndex(of: 10) {
                defer { position = end + 1 }
                return Array(received[position..<(end - 1)])
            }
            try receive()
        }
    }

    private func readBytes(_ count: Int) throws -> ArraySlice<UInt8> {
        while received.count - position < count { try receive() }
        defer { position += count }
        return received[position..<(position + count)]
    }

    private func receive() throws {
        received.removeFirst(position)
        position = 0
        var block = [UInt8](repeating: 0, count: 1 << 16)
        var count = recv(descriptor, &block, block.count, 0)
        // A socket with a time limit is not gone on with by the kernel after a signal.
        while count < 0 && errno == EINTR { count = recv(descriptor, &block, block.count, 0) }
        if count == 0 { throw Closed() }
        if count < 0 && errno == ECONNRESET { throw Closed() }
        guard count > 0 else { throw Trouble("recv: \(String(cString: strerror(errno)))") }
        received += block[..<count]
    }

    /// The server has closed the connection.
    struct Closed: Error {}
}

/// A reply, with the kinds told apart that tests need.
indirect enum Answer: Equatable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    /// A simple string, a bulk string or a number that is no integer.
    case text(String)
    case error(String)
    case integer(Int)
    case null
    /// Any aggregate; a map has its keys and values in turn.
    case list([Answer])

    init(stringLiteral text: String) { self = .text(text) }
    init(integerLiteral number: Int) { self = .integer(number) }

    var text: String? {
        switch self {
        case .text(let text), .error(let text): text
        default: nil
        }
    }

    var elements: [Answer] {
        if case .list(let elements) = self { return elements }
        return []
    }
}
