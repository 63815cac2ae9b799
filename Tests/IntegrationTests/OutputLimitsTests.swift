import Foundation
import Glibc
import Testing

/// What may wait to be sent to one client is bounded while it grows, not only afterwards; and before a
/// client has said who it is hardly anything may wait, be held or be collected for it.
@Suite struct OutputLimitsTests {
    /// The most memory that the server had resident since `forgetPeak`, in kilobytes.
    private func peak(_ server: ServerProcess) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(server.process)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return try #require(line?.split(separator: " ").dropLast().last.flatMap { Int($0) })
    }

    private func forgetPeak(_ server: ServerProcess) throws {
        try "5".write(
            toFile: "/proc/\(server.process)/clear_refs", atomically: false, encoding: .utf8)
    }

    private static let greedy: [[[String]]] = [
        [["MGET"] + (0..<300).map { _ in "big" }],
        [["LRANGE", "list", "0", "-1"]],
        [["HGETALL", "hash"]], [["HVALS", "hash"]],
        [["XRANGE", "stream", "-", "+"]],
        [["XREAD", "STREAMS", "stream", "0"]],
        [["SUNION", "set", "none"]], [["SMEMBERS", "set"]],
        [["ZRANGE", "zset", "0", "-1"]],
        [["SRANDMEMBER", "set", "-1000"]],
        [["MULTI"]] + (0..<200).map { _ in ["GET", "big"] } + [["EXEC"]],
        (0..<200).map { _ in ["GET", "big"] },
        [["HELLO", "3"], ["HGETALL", "hash"]],
        [["HELLO", "3"], ["SUBSCRIBE", "c"], ["LRANGE", "list", "0", "-1"]],
        [["LMPOP", "1", "list", "LEFT", "COUNT", "1000"]],
    ]

    @Test func `a reply beyond the limit is cut while it is written`() throws {
        let server = try ServerProcess(
            """
            client-output-buffer-limit normal 10mb 0 0
            client-output-buffer-limit pubsub 10mb 0 0
            """)
        let witness = try server.connect()
        let text = String(repeating: "v", count: 1_000_000)
        try witness.run("SET", "big", text)
        for number in 0..<100 {
            try witness.run(pipeline: [
                ["RPUSH", "list", text], ["HSET", "hash", "\(number)", text],
                ["XADD", "stream", "*", "f", text], ["SADD", "set", text + "\(number)"],
                ["ZADD", "zset", "1", text + "\(number)"],
            ])
        }
        for (number, requests) in Self.greedy.enumerated() {
            try forgetPeak(server)
            let before = try peak(server)
            let client = try server.connect()
            try client.send(requests.flatMap { Client.bytes(of: $0) })
            #expect(throws: Client.Closed.self, "\(requests[0])") {
                while true { _ = try client.read() }
            }
            let grown = try peak(server) - before
            #expect(grown < 40_000, "\(requests[0]): \(grown) KB")
            let info = try witness.run("INFO", "stats").text ?? ""
            let field = "client_output_buffer_limit_disconnections:\(number + 1)\r\n"
            let isCounted = info.contains(field)
            #expect(isCounted, "\(requests[0])")
        }
        // What fits is answered whole.
        #expect(try witness.run("GET", "big") == .text(text))
        #expect(try witness.run("PING") == "PONG")
    }

    private static func repeated(_ text: String, bytes: Int) -> [UInt8] {
        Array(String(repeating: text, count: bytes / text.utf8.count).utf8)
    }

    /// Requests a stranger can send without end, and the beginnings of such as never end.
    private static let strange: [[UInt8]] = [
        repeated("PING\r\n", bytes: 2 << 20), repeated("HELLO\r\n", bytes: 2 << 20),
        repeated("*1\r\n$5\r\nHELLO\r\n", bytes: 2 << 20),
        repeated("HELLO 3\r\n", bytes: 2 << 20), repeated("RESET\r\n", bytes: 2 << 20),
        repeated("AUTH x\r\n", bytes: 1 << 20), repeated("nonsense\r\n", bytes: 2 << 20),
        repeated("AUTH \(String(repeating: "u", count: 10_000)) p\r\n", bytes: 2 << 20),
        repeated("HELLO 3 SETNAME \(String(repeating: "n", count: 9000))\r\n", bytes: 2 << 20),
        repeated("SUBSCRIBE c\r\n", bytes: 2 << 20), repeated("MONITOR\r\n", bytes: 2 << 20),
        Array("*10\r\n".utf8)
            + repeated(
                "$16384\r\n\(String(repeating: "a", count: 16_384))\r\n",
                bytes: 9 * 16_394),
        repeated("x", bytes: 60_000),
    ]

    @Test func `strangers who never read cost next to nothing`() throws {
        let server = try ServerProcess("requirepass secret")
        let witness = try server.connect()
        try witness.run("AUTH", "secret")
        for bytes in Self.strange {
            try forgetPeak(server)
            let before = try peak(server)
            var clients: [Client] = []
            for _ in 0..<8 {
                let client = try server.connect()
                _ = fcntl(client.descriptor, F_SETFL, O_NONBLOCK)
                clients.append(client)
            }
            var offsets = [Int](repeating: 0, count: clients.count)
            for _ in 0..<200 {
                for (index, client) in clients.enumerated() where offsets[index] < bytes.count {
                    let count = bytes[offsets[index]...].withUnsafeBytes {
                        send(client.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                    }
                    if count > 0 { offsets[index] += count }
                    if count < 0 && errno != EAGAIN { offsets[index] = bytes.count }
                }
                #expect(try witness.run("PING") == "PONG")
            }
            let grown = try peak(server) - before
            let beginning = String(decoding: bytes.prefix(20), as: UTF8.self)
            #expect(grown < 16_000, "\(beginning): \(grown) KB")
        }
    }
}
