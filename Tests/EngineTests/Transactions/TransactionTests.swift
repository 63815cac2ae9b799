import Testing

@testable import Engine

struct TransactionTests {
    private func texts(_ arguments: Arguments) -> [String] {
        (0..<arguments.count).map { arguments[$0].string }
    }

    /// Against an array of arrays: what is in the queue stays readable while it grows and shrinks.
    @Test func `a queue behaves as a plain array does`() {
        var random = SeededRandom.make()
        var queue = RequestQueue()
        var model: [[String]] = []
        var flags: [UInt64] = []
        for step in 0..<4000 {
            switch random.below(10) {
            case 0 where !model.isEmpty:
                let count = random.below(min(model.count, 5) + 1)
                queue.removeLast(count)
                model.removeLast(count)
                flags.removeLast(count)
            case 1 where step % 50 == 0:
                queue.removeAll()
                (model, flags) = ([], [])
            default:
                let longest = random.below(20) == 0 ? 20_000 : 30
                let words = (0...random.below(6)).map { _ in
                    String(repeating: "\(random.below(10))", count: random.below(longest))
                }
                let owned = OwnedArguments(words.map { Array($0.utf8) })
                flags.append(UInt64(truncatingIfNeeded: random.next()) | 1)
                let isKept = queue.append(
                    owned.view, command: Int32(step), flags: flags[flags.count - 1])
                #expect(isKept)
                model.append(words)
            }
            #expect(queue.count == model.count)
            #expect(queue.flags == flags.reduce(0, |))
            #expect(queue.commonFlags == flags.reduce(.max, &))
            if step % 20 == 0 {
                for (index, words) in model.enumerated() {
                    #expect(texts(queue.arguments(at: index)) == words)
                }
            }
        }
    }

    @Test func `memory goes back with what is taken back`() {
        var queue = RequestQueue()
        let large = OwnedArguments([[UInt8](repeating: 1, count: 100_000)])
        for _ in 0..<10 { _ = queue.append(large.view, command: 1, flags: 1) }
        #expect(queue.count == 10)
        #expect(queue.memoryBytes >= 1_000_000)
        queue.removeLast(9)
        #expect(queue.memoryBytes < 200_000)
        queue.removeAll()
        #expect(queue.memoryBytes < 10_000)
    }

    @Test func `failures are remembered by the length of the queue`() {
        let transaction = Transaction()
        let request = OwnedArguments([Array("PING".utf8)])
        for _ in 0..<3 { _ = transaction.append(request.view, command: 0, flags: 1) }
        for _ in 0..<1000 { transaction.noteFailure() }
        #expect(transaction.isAborted && transaction.memoryBytes < 10_000)
        _ = transaction.append(request.view, command: 0, flags: 2)
        transaction.undo(1)
        #expect(transaction.isAborted)
        transaction.undo(1)
        #expect(!transaction.isAborted && transaction.requests.count == 2)
        transaction.reset()
        transaction.noteFailure()
        transaction.undo(0)
        #expect(transaction.isAborted)
    }
}
