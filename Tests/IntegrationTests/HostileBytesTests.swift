import Foundation
import Glibc
import Testing

/// Bytes that are no requests, or want to be too much: the server answers or closes, and stands.
@Suite struct HostileBytesTests {
    /// Pieces that a grammar of requests is made of, good and bad.
    private static let pieces: [[UInt8]] = [
        "*3\r\n", "$3\r\n", "SET\r\n", "$1\r\n", "k\r\n", "GET\r\n", "*2\r\n", "*1\r\n", "$4\r\n",
        "PING\r\n", "*-1\r\n", "*0\r\n", "$-1\r\n", "$0\r\n", "\r\n", "*2147483647\r\n",
        "*99999999999999999999\r\n", "$536870912\r\n", "$9223372036854775807\r\n", "PING", "\"",
        "'",
        "\\x", "\\xff", "set k \"v w\"\r\n", "get k\r\n", "$\r\n", "*\r\n", "*1\n", ":1\r\n",
        "+OK\r\n",
        "%1\r\n", "\0\0\0", "EVAL\r\n", "hello 3\r\n",
        "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n",
    ].map { Array($0.utf8) }

    /// Sends bytes on a connection of their own and reads until the server falls silent or closes.
    private func provoke(_ server: ServerProcess, _ bytes: [UInt8]) throws {
        let client = try server.connect()
        // A server that has had enough may close while we still send.
        try? client.send(bytes)
        shutdown(client.descriptor, Int32(SHUT_WR))
        var block = [UInt8](repeating: 0, count: 1 << 16)
        while recv(client.descriptor, &block, block.count, 0) > 0 {}
    }

    @Test func `random bytes and torn requests leave the server standing`() throws {
        var random = SeededRandom.make()
        let server = try ServerProcess()
        let witness = try server.connect()
        for round in 0..<400 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 1...40, using: &random) {
                if round % 4 == 0 {
                    bytes.append(UInt8.random(in: 0...255, using: &random))
                } else {
                    bytes += Self.pieces.randomElement(using: &random) ?? []
                }
            }
            if round % 3 == 0, !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] ^=
                    1
                    << UInt8.random(
                        in: 0...7, using: &random)
            }
            try provoke(server, bytes)
            if round % 50 == 0 { #expect(try witness.run("PING") == "PONG") }
        }
        #expect(try witness.run("PING") == "PONG", "seed \(random.seed)")
        #expect(!server.hasEnded)
    }

    @Test func `what is only declared costs nothing`() throws {
        let server = try ServerProcess()
        let witness = try server.connect()
        let before = try residentKilobytes(server)
        var clients: [Client] = []
        for _ in 0..<50 {
            let client = try server.connect()
            try client.send(Array("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nbeginning".utf8))
            clients.append(client)
        }
        #expect(try witness.run("PING") == "PONG")
        // Each holds its first block at most, most of it untouched.
        #expect(try residentKilobytes(server) - before < 64 * 1024)
        clients = []
        #expect(try witness.run("PING") == "PONG")
    }

    @Test func `strangers may not make the server hold much`() throws {
        let server = try ServerProcess("requirepass secret")
        for request in [
            "*11\r\n", "*2\r\n$16385\r\n", "*1000000\r\n$3\r\nGET\r\n",
        ] {
            let client = try server.connect()
            try client.send(Array(request.utf8))
            let answer = try client.read()
            #expect(answer.text?.hasPrefix("ERR Protocol error: unauthenticated") == true)
            #expect(throws: Client.Closed.self) { try client.read() }
        }
        let client = try server.connect()
        #expect(try client.run("GET", "k") == .error("NOAUTH Authentication required."))
        #expect(try client.run("AUTH", "secret") == "OK")
        #expect(try client.run("SET", "k", String(repeating: "x", count: 100_000)) == "OK")
    }

    @Test(arguments: [1, 2, 3, 5, 7, 16 * 1024 - 1, 40_000])
    func `a pipeline is answered the same however it is cut`(piece: Int) throws {
        let server = try ServerProcess()
        let client = try server.connect()
        var bytes: [UInt8] = []
        let large = String(repeating: "L", count: piece < 16 ? 300 : 70_000)
        let words = [
            ["SET", "k", "v"], ["GET", "k"], ["SET", "l", large], ["STRLEN", "l"], ["GET", "none"],
        ]
        for command in words + words {
            bytes += Array("*\(command.count)\r\n".utf8)
            for word in command { bytes += Array("$\(word.utf8.count)\r\n\(word)\r\n".utf8) }
        }
        bytes += Array("PING inline\r\nECHO \"a b\"\r\n".utf8)
        var offset = 0
        while offset < bytes.count {
            let end = min(offset + piece, bytes.count)
            try client.send(Array(bytes[offset..<end]))
            offset = end
        }
        for _ in 0..<2 {
            #expect(try client.read() == "OK")
            #expect(try client.read() == "v")
            #expect(try client.read() == "OK")
            #expect(try client.read() == .integer(large.utf8.count))
            #expect(try client.read() == .null)
        }
        #expect(try client.read() == "inline")
        #expect(try client.read() == "a b")
    }

    private func residentKilobytes(_ server: ServerProcess) throws -> Int {
        let text = try server.connect().run("INFO", "memory").text ?? ""
        let line = text.split(separator: "\r\n").first { $0.hasPrefix("used_memory_rss:") }
        let bytes = line?.split(separator: ":").last.flatMap { Int($0) }
        return try #require(bytes) / 1024
    }
}
