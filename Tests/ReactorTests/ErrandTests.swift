import Glibc
import Testing

@testable import Reactor

@Suite struct ErrandTests {
    /// State that nobody can copy, as that of real errands.
    private struct Counter: ~Copyable {
        var value = 0
        var threads: Set<UInt> = []
    }

    @Test func stateChangesHands() throws {
        let errand = try Errand(Counter()) { counter in
            counter.value *= 2
            counter.threads.insert(UInt(pthread_self()))
        }
        for round in 1...50 {
            errand.withState { $0.value += 1 }
            errand.start()
            #expect(errand.isUnderWay)
            errand.finish()
            #expect(errand.isDone && !errand.isUnderWay)
            // 2, 6, 14, …: twice one more than before.
            #expect(errand.withState { $0.value } == (2 << round) - 2)
        }
        let threads = errand.withState { $0.threads }
        #expect(threads.count == 1 && !threads.contains(UInt(pthread_self())))
    }

    @Test func isDoneOnlyWhenTheWorkIs() throws {
        // Ends that block.
        var ends: [Int32] = [-1, -1]
        #expect(pipe(&ends) == 0)
        let (reader, writer) = (ends[0], ends[1])
        defer {
            FileDescriptor.close(reader)
            FileDescriptor.close(writer)
        }
        let errand = try Errand(Counter()) { counter in
            var byte: UInt8 = 0
            counter.value = Glibc.read(reader, &byte, 1)
        }
        errand.start()
        #expect(!errand.isDone)
        var byte: UInt8 = 1
        #expect(Glibc.write(writer, &byte, 1) == 1)
        errand.finish()
        #expect(errand.isDone)
        #expect(errand.withState { $0.value } == 1)
    }

    @Test func workUnderWayIsFinishedAtTheEnd() throws {
        let gate = try SocketPair()
        let (near, far) = (gate.near, gate.far)
        do {
            let errand = try Errand(Counter()) { _ in
                var byte: UInt8 = 7
                _ = Glibc.write(far, &byte, 1)
            }
            errand.start()
        }
        var byte: UInt8 = 0
        #expect(Glibc.read(near, &byte, 1) == 1 && byte == 7)
    }
}
