import Foundation
import Testing

/// `maxmemory` of a whole server, whose memory is nobody else's.
@Suite struct EvictionTests {
    private static let room = 3_000_000

    /// A server with room for some three megabytes of data.
    private func start(_ policy: String, _ lines: String = "") throws -> (ServerProcess, Client) {
        let server = try ServerProcess("maxmemory-policy \(policy)\n\(lines)")
        let client = try server.connect()
        let limit = try number(client, "used_memory") + Self.room
        try client.run("CONFIG", "SET", "maxmemory", "\(limit)")
        return (server, client)
    }

    private func number(_ client: Client, _ field: String) throws -> Int {
        guard case .text(let info) = try client.run("INFO", "everything"),
            let line = info.split(separator: "\r\n").first(where: { $0.hasPrefix("\(field):") }),
            let number = Int(line.dropFirst(field.count + 1))
        else { return -1 }
        return number
    }

    private func isWithinLimit(_ client: Client) throws -> Bool {
        try number(client, "used_memory") <= number(client, "maxmemory")
    }

    private let value = String(repeating: "v", count: 400)

    @Test(arguments: ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
    func `any key may go`(policy: String) throws {
        let (server, client) = try start(policy)
        defer { server.kill(SIGKILL) }
        for index in 0..<20_000 {
            #expect(try client.run("SET", "key:\(index)", value) == "OK")
        }
        try wait("enough is evicted") { try isWithinLimit(client) }
        let kept = try number(client, "evicted_keys")
        #expect(kept > 10_000)
        guard case .integer(let size) = try client.run("DBSIZE") else {
            Issue.record("DBSIZE is no number")
            return
        }
        #expect(Int(size) + kept == 20_000)
        #expect(size > 4000)
    }

    @Test(arguments: ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"])
    func `keys without a deadline stay`(policy: String) throws {
        let (server, client) = try start(policy)
        defer { server.kill(SIGKILL) }
        for index in 0..<3000 { try client.run("SET", "lasting:\(index)", value) }
        for index in 0..<9000 {
            #expect(
                try client.run("SET", "leaving:\(index)", value, "EX", "\(9_000 + index)") == "OK")
        }
        try wait("enough is evicted") { try isWithinLimit(client) }
        let lasting = try (0..<3000).filter {
            try client.run("EXISTS", "lasting:\($0)") == .integer(1)
        }
        #expect(lasting.count == 3000)
        if policy == "volatile-ttl" {
            // What expires first is gone, to the last key.
            let kept = try (0..<9000).filter {
                try client.run("EXISTS", "leaving:\($0)") == .integer(1)
            }
            #expect(kept == Array((9000 - kept.count)..<9000))
        }
        // Nothing is left to take.
        for index in 0..<9000 { try client.run("PERSIST", "leaving:\(index)") }
        var refusal: Answer?
        for index in 0..<9000 where refusal == nil {
            let answer = try client.run("SET", "more:\(index)", value)
            if answer != "OK" { refusal = answer }
        }
        #expect(
            refusal == .error("OOM command not allowed when used memory > 'maxmemory'."))
        #expect(try client.run("GET", "lasting:0") == .text(value))
    }

    @Test func `without a policy writes are refused and reads are not`() throws {
        let (server, client) = try start("noeviction")
        defer { server.kill(SIGKILL) }
        var stored = 0
        while try client.run("SET", "key:\(stored)", value) == "OK" { stored += 1 }
        #expect(stored > 4000)
        #expect(try client.run("GET", "key:0") == .text(value))
        #expect(try client.run("DEL", "key:0", "key:1", "key:2") == .integer(3))
        #expect(try client.run("SET", "key:0", value) == "OK")
        #expect(try number(client, "evicted_keys") == 0)
    }

    @Test func `a lower limit is reached without a further command`() throws {
        let (server, client) = try start("allkeys-lru", "notify-keyspace-events Ee")
        defer { server.kill(SIGKILL) }
        let listener = try server.connect()
        try listener.run("SUBSCRIBE", "__keyevent@0__:evicted")
        for index in 0..<5000 { try client.run("SET", "key:\(index)", value) }
        try client.run("RPUSH", "large", String(repeating: "x", count: 1_000_000))
        let used = try number(client, "used_memory")
        try client.run("CONFIG", "SET", "maxmemory", "\(used - 1_500_000)")
        guard case .list(let message) = try listener.read() else {
            Issue.record("no notification")
            return
        }
        #expect(message.prefix(2) == ["message", "__keyevent@0__:evicted"])
        try wait("enough is evicted") { try isWithinLimit(client) }
    }

    @Test func `the recently used stay`() throws {
        let (server, client) = try start("allkeys-lfu")
        defer { server.kill(SIGKILL) }
        for index in 0..<500 { try client.run("SET", "used:\(index)", value) }
        for _ in 0..<30 {
            for index in 0..<500 { try client.run("GET", "used:\(index)") }
        }
        for index in 0..<20_000 { try client.run("SET", "passing:\(index)", value) }
        let kept = try (0..<500).filter { try client.run("EXISTS", "used:\($0)") == .integer(1) }
        #expect(kept.count > 490)
    }
}
