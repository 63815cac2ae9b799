import Foundation
import Glibc
import Testing

/// A primary, and clients that restore, that claim to have more than they send: the server refuses it,
/// stands, and takes no memory for what has not come.
@Suite struct HostilePrimaryTests {
    /// What the address space may grow by: blocks that are read into, and what allocators keep.
    private static let mostExtraKilobytes = 96 * 1024

    // MARK: - Claims

    private static func bigEndian(_ number: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * UInt64($0))) }
    }

    /// A length of the format.
    private static func length(_ count: UInt64) -> [UInt8] { [0x81] + bigEndian(count) }

    private static let huge: [UInt64] = [25_800_000_000, 1 << 40, 1 << 63 - 1, .max]

    /// Values, each behind its type.
    private static func values(_ count: UInt64) -> [[UInt8]] {
        let length = length(count)
        let some = [UInt8](repeating: 1, count: 100_000)
        let packed = [0xC3, 0x80, 0, 1, 0x86, 0xA0] + length + some
        return [
            [0] + length + some, [0] + packed, [1] + length + some, [2] + length + some,
            [3] + length + some, [4] + length + some, [5] + length + some,
            [18, 1, 2] + length + some,
            [18] + length + some, [19] + length + some, [22] + length + some, [16] + packed,
            [24, 0, 0, 0, 0, 0, 0, 0, 0] + length + some,
        ]
    }

    /// What may stand in a snapshot, behind its magic.
    private static func records(_ count: UInt64) -> [[UInt8]] {
        let length = length(count)
        let key: [UInt8] = [1, 0x6B]
        return values(count).map { [$0[0]] + key + $0.dropFirst() } + [
            // The size of a database; a key; a fact; what is idle; data of a module; a function.
            [0xFB] + length + length + [0] + key + [1, 0x76, 0xFF]
                + [UInt8](repeating: 0, count: 7),
            [0] + length + [1, 2, 3], [0xFA] + length, [0xFA, 1, 0x61] + length,
            [0xF8] + length + [9] + length, [0xF7] + length + [2, 0, 5] + length,
            [0xF5] + length + [1], [0xFE] + length,
        ]
    }

    // MARK: - Measuring

    private static func peakKilobytes(_ server: ServerProcess) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(server.process)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmPeak:") }
        let figure = line?.split(whereSeparator: \.isWhitespace)[1]
        return try #require(figure.flatMap { Int($0) })
    }

    @Test func `RESTORE believes no length that the payload cannot have`() throws {
        let server = try ServerProcess("enable-debug-command yes")
        let client = try server.connect()
        try client.run("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", "1")
        let before = try Self.peakKilobytes(server)
        // Three bytes make 264 at most, and these make a hundredth of that.
        let packed: [UInt8] = [0, 0xC3] + Self.length(5_000_000)
        let zeroes = [UInt8](repeating: 0, count: 5_000_000)
        let compressed = [1_300_000_000, 430_000_000].map { packed + Self.length($0) + zeroes }
        for value in Self.huge.flatMap(Self.values) + compressed {
            let payload = value + [12, 0, 0, 0, 0, 0, 0, 0, 0, 0]
            try client.send(
                Array("*4\r\n$7\r\nRESTORE\r\n$1\r\nk\r\n$1\r\n0\r\n$\(payload.count)\r\n".utf8)
                    + payload + [13, 10])
            #expect(try client.read() == .error("ERR Bad data format"), "\(value.prefix(20))")
        }
        #expect(try client.run("DBSIZE") == .integer(0))
        #expect(try Self.peakKilobytes(server) - before < Self.mostExtraKilobytes)
    }

    // MARK: - A primary

    /// Takes one replica after the other and sends each the next of what there is to say; closes then.
    private final class Primary {
        private let listener: PortListener
        var port: Int { listener.port }

        init() throws { listener = try PortListener(patience: 20) }

        /// Answers a replica up to PSYNC, says `bytes` and hangs up.
        func serve(_ bytes: [UInt8]) throws {
            let replica = try listener.accept()
            defer { close(replica) }
            var heard = ""
            var block = [UInt8](repeating: 0, count: 4096)
            while !heard.contains("PSYNC") {
                let count = recv(replica, &block, block.count, 0)
                guard count > 0 else { throw Trouble("the replica left: \(heard)") }
                let text = String(decoding: block[..<count], as: UTF8.self)
                heard += text
                let requests = text.split(separator: "*").count
                if text.contains("PSYNC") { break }
                for _ in 0..<requests { try say(replica, Array("+PONG\r\n".utf8)) }
            }
            let id = String(repeating: "a", count: 40)
            try say(replica, Array("+FULLRESYNC \(id) 0\r\n".utf8) + bytes)
            shutdown(replica, Int32(SHUT_WR))
            // Until the replica has had enough as well.
            var patience = timeval(tv_sec: 10, tv_usec: 0)
            let size = socklen_t(MemoryLayout<timeval>.size)
            setsockopt(replica, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
            while recv(replica, &block, block.count, 0) > 0 {}
        }

        private func say(_ replica: Int32, _ bytes: [UInt8]) throws {
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes {
                    send(replica, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                // Who is refused need not listen to the end.
                guard count > 0 else { return }
                sent += count
            }
        }
    }

    /// The line before a snapshot of so many bytes, in each form; the last tells more than any has.
    private static func heads(_ bytes: Int) -> [[UInt8]] {
        ["$\(bytes)", "$EOF:" + String(repeating: "e", count: 40), "$9223372036854775807"].map {
            Array("\($0)\r\n".utf8)
        }
    }

    /// Each record in a snapshot behind one of the heads, in turn.
    private static var snapshots: [[UInt8]] {
        let records = records(1 << 40) + records(.max).suffix(8)
        return records.enumerated().map { index, record in
            let bytes = Array("REDIS0012".utf8) + record
            return heads(bytes.count)[index % 3] + bytes
        } + [
            Array("$99999999999999999999\r\n".utf8), Array("$EOF:\r\n".utf8),
            [0x24] + [UInt8](repeating: 0x31, count: 300_000),
        ]
    }

    @Test(arguments: ["swapdb", "on-empty-db", "disabled"])
    func `a replica believes no length of its primary`(load: String) throws {
        let server = try ServerProcess("repl-diskless-load \(load)\nrepl-timeout 5")
        let client = try server.connect()
        let primary = try Primary()
        let before = try Self.peakKilobytes(server)
        try client.run("REPLICAOF", "127.0.0.1", String(primary.port))
        let snapshots = Self.snapshots
        for (index, snapshot) in snapshots.enumerated()
        where index % (load == "swapdb" ? 2 : 6) == 0 {
            try primary.serve(snapshot)
            #expect(!server.hasEnded, "\(snapshot.prefix(40))")
        }
        // What is to be repeated grows with what comes as well.
        let empty = Array("REDIS0012".utf8) + [0xFF] + [UInt8](repeating: 0, count: 8)
        for request in [
            "*1000000000\r\n$3\r\nSET\r\n", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$500000000000\r\nv",
        ] {
            try primary.serve(Self.heads(empty.count)[0] + empty + Array(request.utf8))
        }
        #expect(try client.run("PING") == "PONG")
        #expect(try client.run("DBSIZE") == .integer(0))
        let grown = try Self.peakKilobytes(server) - before
        #expect(grown < Self.mostExtraKilobytes, "\(grown) KB")
    }
}
