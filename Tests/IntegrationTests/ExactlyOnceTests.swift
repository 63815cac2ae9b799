import Foundation
import Glibc
import Testing

/// Many clients at once, whose pipelines wait, are paused, killed and cut anywhere: every request runs
/// once, and replies come in order.
///
/// `APUS_STRESS_SECONDS=300` runs longer.
@Suite struct ExactlyOnceTests {
    private static var seconds: Double {
        ProcessInfo.processInfo.environment["APUS_STRESS_SECONDS"].flatMap(Double.init) ?? 2
    }

    private static let workers = 40

    /// What is expected of a reply.
    private enum Expected {
        case exactly(Answer)
        /// A reply of `BLPOP`: an element or none.
        case element
        case number
        /// `CLIENT KILL`: anything.
        case any
    }

    /// What the clients share; each has a number of its own.
    private final class Board: @unchecked Sendable {
        private let lock = NSLock()
        private var ids: [Int: Int] = [:]
        private var troubles: [String] = []
        private var counted = 0
        private var gone = 0
        let deadline: ContinuousClock.Instant

        init(seconds: Double) { deadline = .now + .seconds(seconds) }

        func enter(_ number: Int, id: Int) { lock.withLock { ids[number] = id } }
        func id(of number: Int) -> Int { lock.withLock { ids[number] ?? 0 } }
        func report(_ trouble: String) { lock.withLock { troubles.append(trouble) } }
        func leave() { lock.withLock { gone += 1 } }
        var left: Int { lock.withLock { gone } }
        func count(_ requests: Int) { lock.withLock { counted += requests } }
        var result: (requests: Int, troubles: [String]) { lock.withLock { (counted, troubles) } }
        var isOver: Bool { ContinuousClock.now > deadline || !result.troubles.isEmpty }
    }

    private struct Worker {
        let number: Int
        let server: ServerProcess
        let board: Board
        var random: SeededRandom
        var client: Client
        /// Increments known to have run, and sent.
        var counted = 0
        var sent = 0
        var echoes = 0

        init(_ number: Int, _ server: ServerProcess, _ board: Board, seed: UInt64) throws {
            self.number = number
            self.server = server
            self.board = board
            random = SeededRandom(seed: seed &+ UInt64(number))
            client = try server.connect()
            try introduce()
        }

        private mutating func introduce() throws {
            guard case .integer(let id) = try client.run("CLIENT", "ID") else { return }
            board.enter(number, id: id)
        }

        /// One request and what is to come of it; more than one where they belong together.
        private mutating func next() -> [(words: [String], expected: Expected)] {
            switch random.below(20) {
            case 0..<3: return [(["BLPOP", "q", "0.0\(1 + random.below(3))"], .element)]
            case 3: return [(["BLMPOP", "0.01", "2", "none", "q", "LEFT"], .element)]
            case 4..<7: return [(["RPUSH", "q", "x"], .number)] + increment()
            case 7: return [(["DEL", "q"], .number)]
            case 8..<13:
                let text = String(repeating: "v", count: 10 + random.below(90_000))
                return [(["SET", "k\(number)", text], .exactly("OK"))] + increment()
            case 13:
                let text = String(repeating: "e", count: 16_000 + random.below(2000))
                return [(["ECHO", text], .exactly(.text(text)))]
            case 14:
                sent += 1
                return [
                    (["MULTI"], .exactly("OK")),
                    (["INCR", "c\(number)"], .exactly("QUEUED")),
                    (["EXEC"], .exactly(.list([.integer(sent)]))),
                ]
            case 15 where number == 0 && random.below(8) == 0:
                let kind = random.below(2) == 0 ? "ALL" : "WRITE"
                return [(["CLIENT", "PAUSE", "2", kind], .exactly("OK"))]
            case 16 where number == 1:
                let id = board.id(of: 2 + random.below(6))
                return [(["CLIENT", "KILL", "ID", "\(id)"], .any)]
            case 17:
                echoes += 1
                return [(["PING", "\(echoes)"], .exactly(.text("\(echoes)")))]
            default: return increment()
            }
        }

        private mutating func increment() -> [(words: [String], expected: Expected)] {
            sent += 1
            return [(["INCR", "c\(number)"], .exactly(.integer(sent)))]
        }

        /// Sends a pipeline, cut anywhere, and reads all its replies.
        private mutating func round() throws {
            let requests = (0..<(1 + random.below(8))).flatMap { _ in next() }
            let bytes = requests.flatMap { Client.bytes(of: $0.words) }
            var offset = 0
            while offset < bytes.count {
                let piece = random.below(3) == 0 ? 1 + random.below(40) : 1 + random.below(60_000)
                let end = min(offset + piece, bytes.count)
                try client.send(Array(bytes[offset..<end]))
                offset = end
            }
            for request in requests { check(try client.read(), request.words, request.expected) }
            counted = sent
            board.count(requests.count)
        }

        private func check(_ answer: Answer, _ words: [String], _ expected: Expected) {
            let isRight =
                switch expected {
                case .exactly(let wanted): answer == wanted
                case .element: answer == .null || !answer.elements.isEmpty
                case .number: if case .integer = answer { true } else { false }
                case .any: true
                }
            if isRight { return }
            let text = words.map { $0.prefix(30) }.joined(separator: " ")
            board.report("\(number): \(text): \("\(answer)".prefix(200)), wanted \(expected)")
        }

        /// Goes on after the connection was cut: what had been sent ran once or not at all.
        private mutating func comeBack() throws {
            // Requests of the old connection that were received are over when it is gone.
            let value = try total()
            guard case .integer(let ran) = value, (counted...sent).contains(ran) else {
                return board.report("\(number): \(value), of \(counted) to \(sent)")
            }
            (counted, sent) = (ran, ran)
        }

        /// What was counted, over a new connection; it may be killed as well as soon as it is known.
        private mutating func total() throws -> Answer {
            while true {
                do {
                    client = try server.connect()
                    try introduce()
                    return try client.run("INCRBY", "c\(number)", "0")
                } catch  where number > 1 && !server.hasEnded {}
            }
        }

        mutating func work() {
            do {
                while !board.isOver {
                    do {
                        try round()
                    } catch {
                        if server.hasEnded { throw Trouble("the server has ended") }
                        guard number > 1 else { throw error }
                        try comeBack()
                    }
                }
                let value = try total()
                if value != .integer(sent) { board.report("\(number): \(value), sent \(sent)") }
            } catch {
                board.report("\(number): \(error)")
            }
        }
    }

    @Test func `every request runs once and in order`() throws {
        let seed = SeededRandom.make().seed
        let server = try ServerProcess()
        let board = Board(seconds: Self.seconds)
        for number in 0..<Self.workers {
            let box = Box(try Worker(number, server, board, seed: seed))
            Thread.detachNewThread {
                box.value.work()
                board.leave()
            }
        }
        try wait("the clients end", seconds: Int(Self.seconds) + patienceSeconds) {
            board.left == Self.workers
        }
        let (requests, troubles) = board.result
        #expect(troubles.isEmpty, "seed \(seed): \(troubles.prefix(3))")
        #expect(requests > 500)
        #expect(!server.hasEnded, "\(server.output.suffix(2000))")
    }

    /// What one thread alone uses once it has it.
    private final class Box<Value>: @unchecked Sendable {
        var value: Value
        init(_ value: Value) { self.value = value }
    }
}
