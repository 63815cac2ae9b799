import Foundation
import Testing

/// Servers killed at moments that nobody chose: what they had acknowledged is there when they come
/// back.
@Suite struct CrashTests {
    /// Kills the server after so many milliseconds.
    private struct Killer {
        private let process: Int32

        init(of server: ServerProcess, afterMilliseconds count: Int) throws {
            let seconds = "\(count / 1000).\(String(1000 + count % 1000).dropFirst())"
            process = try ServerProcess.spawn(
                ["/bin/sh", "-c", "sleep \(seconds); kill -9 \(server.process)"],
                environment: [:], output: "/dev/null")
        }

        /// Waits until it has done so.
        func wait() {
            var status: Int32 = 0
            waitpid(process, &status, 0)
        }
    }

    /// Clients that append rising numbers, each to a list of its own, until the server goes away.
    ///
    /// The first two do it in transactions that count as well.
    private struct Writers {
        private static let count = 5
        private static let inTransactions = 2
        private let clients: [Client]
        /// What each was told is there.
        private(set) var acknowledged = [Int](repeating: 0, count: count)

        init(_ server: ServerProcess) throws {
            clients = try (0..<Self.count).map { _ in try server.connect() }
        }

        mutating func run() {
            while true {
                for (index, client) in clients.enumerated() {
                    guard (try? send(to: client, index)) != nil else { return }
                }
                // Who is cut off first does not keep us from what the others were told.
                let answered = clients.indices.map { (try? read($0)) != nil }
                if answered.contains(false) { return }
            }
        }

        private func send(to client: Client, _ index: Int) throws {
            let push = ["RPUSH", "list \(index)", "\(acknowledged[index])"]
            guard index < Self.inTransactions else { return try client.send(push) }
            for words in [["MULTI"], push, ["INCR", "count \(index)"], ["EXEC"]] {
                try client.send(words)
            }
        }

        private mutating func read(_ index: Int) throws {
            if index < Self.inTransactions { for _ in 0..<3 { _ = try clients[index].read() } }
            let reply = try clients[index].read()
            let length = acknowledged[index] + 1
            let isOne = reply == .integer(length)
            guard isOne || reply == .list([.integer(length), .integer(length)]) else {
                Issue.record("\(reply), not \(length)")
                return
            }
            acknowledged[index] = length
        }

        /// Each list goes on to what was acknowledged, or to the one that was under way.
        func check(_ client: Client, _ round: Comment) throws {
            for (index, acknowledged) in acknowledged.enumerated() {
                let list = try client.run("LRANGE", "list \(index)", "0", "-1").elements
                #expect(
                    list.count == acknowledged || list.count == acknowledged + 1,
                    "\(list.count) of \(acknowledged), \(round)")
                #expect(list == (0..<list.count).map { .text("\($0)") }, round)
                guard index < Self.inTransactions, !list.isEmpty else { continue }
                let count = try client.run("GET", "count \(index)")
                #expect(count == .text("\(list.count)"), round)
            }
        }
    }

    @Test func `with always everything acknowledged is there after kill -9`() throws {
        var random = SeededRandom.make()
        let server = try ServerProcess("appendonly yes\nappendfsync always")
        var acknowledged = 0
        for round in 0..<Torture.rounds(30) {
            try server.connect().run("FLUSHALL")
            var writers = try Writers(server)
            let killer = try Killer(
                of: server, afterMilliseconds: 1 + random.below(Torture.isOn ? 500 : 120))
            // So that some end while the file is rewritten.
            if round % 3 == 0 { _ = try? server.connect().run("BGREWRITEAOF") }
            writers.run()
            killer.wait()
            try server.waitForEnd()
            try server.restart()
            try writers.check(try server.connect(), "seed \(random.seed), round \(round)")
            acknowledged += writers.acknowledged.reduce(0, +)
        }
        #expect(acknowledged > 0)
    }

    /// What `everysec` may lose, and something for the looks of a turn at the clock.
    private static let longestLoss = Duration.seconds(2) + .milliseconds(300)

    @Test(.enabled(if: Strace.isUsable, Strace.absence))
    func `with everysec at most two seconds are lost, and the last ones`() throws {
        var random = SeededRandom.make()
        for round in 0..<min(20, Torture.rounds(3)) {
            // Each sync takes three seconds, and writes wait for it.
            let server = try ServerProcess(
                "appendonly yes",
                wrapper: Strace.wrapper(
                    "trace=fdatasync", "inject=fdatasync:delay_enter=3000000"))
            let client = try server.connect()
            let killer = try Killer(of: server, afterMilliseconds: 100 + random.below(4000))
            var moments: [ContinuousClock.Instant] = []
            while case .integer(let count)? = try? client.run("RPUSH", "l", "\(moments.count)") {
                moments.append(.now)
                #expect(count == moments.count)
            }
            killer.wait()
            try server.waitForEnd()
            let again = try ServerProcess("appendonly yes", folder: server.folder)
            let list = try again.connect().run("LRANGE", "l", "0", "-1").elements
            #expect(list == (0..<list.count).map { .text("\($0)") })
            let seed: Comment = "seed \(random.seed), round \(round)"
            #expect(list.count <= moments.count + 1, seed)
            if list.count < moments.count {
                let lost = moments[moments.count - 1] - moments[list.count]
                #expect(lost < Self.longestLoss, seed)
            }
        }
    }
}
