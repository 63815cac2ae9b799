import Foundation
import Glibc
import Testing

/// Every command with too few, enough and too many arguments, over a socket.
///
/// What only a socket reaches comes before a command is run, or between two: looking ahead at the keys
/// of requests that nobody has checked yet, requests that are collected piece by piece, requests kept
/// while a connection waits. `ArgumentFuzzTests` calls the dispatcher and passes all of it by.
@Suite struct EveryCommandTests {
    /// Commands that end or stop the server, or everybody's connections, when they are allowed to run.
    private static let deadly: Set<String> = [
        "shutdown", "debug", "client|kill", "client|pause", "replicaof", "slaveof", "failover",
        "flushall", "flushdb", "sync", "psync", "bgsave", "bgrewriteaof", "save", "acl|load",
        "config|rewrite", "config|resetstat", "migrate", "pfselftest",
    ]

    private struct Row {
        let words: [String]
        let arity: Int
        var name: String { words.joined(separator: "|") }
    }

    private func rows(_ client: Client) throws -> [Row] {
        try client.run("COMMAND").elements.flatMap { (command: Answer) -> [Row] in
            guard let row = Self.row(command.elements, in: []) else { return [] }
            let inside = command.elements.last?.elements ?? []
            return [row] + inside.compactMap { Self.row($0.elements, in: row.words) }
        }
    }

    private static func row(_ fields: [Answer], in container: [String]) -> Row? {
        guard fields.count > 2, let name = fields[0].text, case .integer(let arity) = fields[1]
        else { return nil }
        let word = name.split(separator: "|").last.map(String.init) ?? name
        return Row(words: container + [word], arity: arity)
    }

    /// The row's name alone up to one argument more than it has to have.
    private func requests(_ row: Row) -> [[String]] {
        (row.words.count...(abs(row.arity) + 1)).map { count in
            row.words + (row.words.count..<max(count, row.words.count)).map { _ in "x" }
        }
    }

    /// Sends bytes on a connection of their own and reads to its end.
    private func exchange(_ server: ServerProcess, _ bytes: [UInt8]) throws -> Int {
        let client = try server.connect()
        try? client.send(bytes)
        shutdown(client.descriptor, Int32(SHUT_WR))
        var (block, total) = ([UInt8](repeating: 0, count: 1 << 16), 0)
        while true {
            let count = recv(client.descriptor, &block, block.count, 0)
            guard count > 0 else { return total }
            total += count
        }
    }

    private func inline(_ requests: [[String]]) -> [UInt8] {
        Array(requests.map { $0.joined(separator: " ") + "\r\n" }.joined().utf8)
    }

    private func bytes(_ requests: [[String]]) -> [UInt8] { requests.flatMap(Client.bytes) }

    /// Makes `x` a value of its own structure, so that looking ahead goes all the way.
    private func fill(_ client: Client, _ type: String) throws {
        let numbers = (0..<600).map { "m\($0)" }
        try client.run("DEL", "x")
        switch type {
        case "hash": try client.run(pipeline: [["HSET", "x"] + numbers])
        case "set": try client.run(pipeline: [["SADD", "x"] + numbers])
        case "list": try client.run(pipeline: [["RPUSH", "x"] + numbers])
        default: try client.run(pipeline: [["ZADD", "x"] + numbers.flatMap { ["1", $0] }])
        }
    }

    @Test(arguments: ["hash", "set", "list", "zset"])
    func `with any number of arguments a command is answered or refused`(type: String) throws {
        let server = try ServerProcess()
        let witness = try server.connect()
        var tried = 0
        for row in try rows(witness) where !Self.deadly.contains(row.words[0]) {
            if Self.deadly.contains(row.name) { continue }
            let requests = requests(row)
            try fill(witness, type)
            let ways = [
                bytes(Array(requests.prefix(1))), bytes(requests), inline(requests),
                bytes([["MULTI"]] + requests + [["EXEC"]]),
                inline([["WATCH", "x"], ["MULTI"]] + requests + [["EXEC"]]),
                // An argument that makes the request a large one.
                bytes([requests[requests.count - 1] + [String(repeating: "y", count: 20_000)]]),
            ]
            for way in ways {
                let answered = try exchange(server, way)
                tried += 1
                if row.words[0] != "client" { #expect(answered > 0, "\(row.name)") }
            }
            #expect(try witness.run("PING") == "PONG", "\(row.name)")
            guard !server.hasEnded else { throw Trouble("\(row.name) ended the server") }
        }
        #expect(tried > 1500)
    }

    @Test func `a stranger may ask for anything and gets nothing`() throws {
        let server = try ServerProcess("requirepass secret")
        let witness = try server.connect()
        try witness.run("AUTH", "secret")
        try fill(witness, "hash")
        for row in try rows(witness) {
            let requests = requests(row)
            for way in [bytes(Array(requests.prefix(1))), bytes(requests), inline(requests)] {
                _ = try exchange(server, way)
            }
            #expect(try witness.run("HLEN", "x") == 300, "\(row.name)")
            guard !server.hasEnded else { throw Trouble("\(row.name) ended the server") }
        }
    }

    /// Everything that differs from a name in one byte is unknown, but for the case of its letters.
    @Test func `a name is known in any case and in no other form`() throws {
        let server = try ServerProcess()
        let client = try server.connect()
        let all = try rows(client)
        for row in all {
            let name = Array(row.words[row.words.count - 1].utf8)
            var requests: [[UInt8]] = []
            for place in name.indices {
                for bit in 0..<8 {
                    var other = name
                    other[place] ^= 1 << UInt8(bit)
                    let isLetter = (0x61...0x7A).contains(name[place])
                    if bit == 5 && isLetter { continue }
                    requests.append(other)
                }
            }
            let beside = all.filter { $0.words.dropLast() == row.words.dropLast() }
            let known = Set(beside.compactMap(\.words.last))
            requests.removeAll { known.contains(String(decoding: $0, as: UTF8.self).lowercased()) }
            let front = row.words.count == 1 ? [] : [Array(row.words[0].utf8)]
            try client.send(requests.flatMap { request(front + [$0]) })
            for other in requests {
                let answer = try client.read().text ?? ""
                let isUnknown = answer.hasPrefix("ERR unknown")
                #expect(isUnknown, "\(row.name) as \(other): \(answer)")
                if !isUnknown { return }
            }
        }
        // The Kelvin sign is a capital of k to Unicode.
        let kelvin = try client.run("CLIENT", "\u{212A}ILL", "ID", "1")
        #expect(kelvin.text?.hasPrefix("ERR unknown subcommand") == true)
    }

    private func request(_ words: [[UInt8]]) -> [UInt8] {
        words.reduce(into: Array("*\(words.count)\r\n".utf8)) { bytes, word in
            bytes += Array("$\(word.count)\r\n".utf8) + word + [13, 10]
        }
    }
}
