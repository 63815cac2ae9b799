import Glibc
import Reactor

/// A connection to another server over which MIGRATE sends keys: it waits, as the command does.
final class MigrationLink {
    let address: String
    /// The database chosen over there; nil when that is not known.
    var database: Int64?
    fileprivate var lastUse: Int64 = 0
    private let socket: Int32
    private var input = ByteBuffer()

    /// A longer reply is no reply.
    private static let longestLine = 64 * 1024

    /// Connects.
    ///
    /// - Throws: ETIMEDOUT, or what the other side refused.
    init(host: String, port: Int, timeoutMilliseconds: Int) throws(SystemError) {
        address = "\(host):\(port)"
        socket = try Socket.connectTCP(
            address: host, port: port, timeoutMilliseconds: timeoutMilliseconds)
        Socket.setNoDelay(socket, true)
    }

    deinit { FileDescriptor.close(socket) }

    /// Sends all of `bytes`, and waits for room at most so long at a time.
    func send(_ bytes: ByteView, timeoutMilliseconds: Int) throws(SystemError) {
        var rest = bytes
        while rest.count > 0 {
            switch Socket.send(socket, rest.rawBuffer) {
            case .bytes(let count): rest = rest.dropFirst(count)
            case .wouldBlock: try wait(for: .writable, timeoutMilliseconds)
            case .closed: throw SystemError("send", code: ECONNRESET)
            case .failed(let error): throw error
            }
        }
    }

    /// The next line, without its end.
    func line(timeoutMilliseconds: Int) throws(SystemError) -> String {
        var searched = 0
        while true {
            let view = input.view
            while searched < view.count {
                if view[searched] == 10 {
                    let line = view.prefix(searched).string
                    input.drain(searched + 1)
                    return line.hasSuffix("\r") ? String(line.dropLast()) : line
                }
                searched += 1
            }
            if searched > Self.longestLine { throw SystemError("recv", code: EPROTO) }
            try receive(timeoutMilliseconds)
        }
    }

    private func receive(_ timeoutMilliseconds: Int) throws(SystemError) {
        let target = input.writable(minimum: 4096)
        switch Socket.receive(socket, into: target) {
        case .bytes(let count): input.commit(count)
        case .wouldBlock: try wait(for: .readable, timeoutMilliseconds)
        case .closed: throw SystemError("recv", code: ECONNRESET)
        case .failed(let error): throw error
        }
    }

    private func wait(for interest: Interest, _ timeoutMilliseconds: Int) throws(SystemError) {
        guard try Socket.wait(socket, for: interest, milliseconds: timeoutMilliseconds) else {
            throw SystemError("poll", code: ETIMEDOUT)
        }
    }
}

/// Connections of MIGRATE that may be used again soon.
struct MigrationLinks {
    private var links: [String: MigrationLink] = [:]

    private static let most = 64
    private static let idleMilliseconds: Int64 = 10_000

    var count: Int { links.count }

    /// The connection to a server: one from before, or a new one.
    mutating func link(
        host: String, port: Int, now: Int64, timeoutMilliseconds: Int
    ) throws(SystemError) -> MigrationLink {
        let address = "\(host):\(port)"
        if let link = links[address] {
            link.lastUse = now
            return link
        }
        let link = try MigrationLink(
            host: host, port: port, timeoutMilliseconds: timeoutMilliseconds)
        if links.count >= Self.most, let any = links.keys.first { links[any] = nil }
        link.lastUse = now
        links[address] = link
        return link
    }

    mutating func drop(_ link: MigrationLink) { links[link.address] = nil }

    /// Closes what was not used for ten seconds.
    mutating func closeIdle(now: Int64) {
        if links.isEmpty { return }
        links = links.filter { now - $0.value.lastUse <= Self.idleMilliseconds }
    }
}
