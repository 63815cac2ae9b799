import Glibc

@testable import Engine

/// A primary played by the test, at the other end of a replica's link.
///
///     let primary = TestPrimary(of: server)
///     primary.send("SET a 1", "INCR n")
///     #expect(primary.take() == ["REPLCONF ACK 48"])
final class TestPrimary {
    let server: Server
    let link: PrimaryLink
    private var descriptor: Int32

    /// Makes `test` a replica whose link is up, or one that waits for the answer to PSYNC.
    init(of test: TestServer, isUp: Bool = true) {
        var pair: [Int32] = [-1, -1]
        precondition(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
        descriptor = pair[1]
        server = test.server
        server.follow(ReplicaSource(host: "10.0.0.1", port: 7000))
        guard let link = server.replication.link else { preconditionFailure("not a replica") }
        self.link = link
        link.socket = pair[0]
        link.advance(to: .connecting)
        link.advance(to: .handshake)
        link.questions = [.history]
        guard isUp else { return }
        server.follow(link)
        _ = take()
    }

    deinit {
        server.dropLink()
        cut()
    }

    /// Lets the replica hear something.
    func say(_ text: String) {
        link.input.append(text)
        server.advance(link)
    }

    /// Requests, word by word.
    func send(_ requests: String...) { say(requests.map(Self.encode).joined()) }

    /// How many bytes of the history the requests are.
    static func length(_ requests: String...) -> Int {
        requests.reduce(0) { $0 + encode($1).utf8.count }
    }

    private static func encode(_ request: String) -> String {
        let words = request.split(separator: " ").map(String.init)
        return String(decoding: multibulk(words.map { Array($0.utf8) }), as: UTF8.self)
    }

    /// What the replica has told since the last call.
    func take() -> [String] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return RequestReader.requests(in: bytes).map { request in
            request.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
        }
    }

    /// Is gone, which the replica learns when it tells something.
    func cut() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }
}
