import Glibc
import Testing

@testable import Reactor

@Suite struct SignalsTests {
    /// Sent to this thread only: the others of the test process do not block the signal.
    private func raiseHere(_ number: Int32) { pthread_kill(pthread_self(), number) }

    @Test func signalsArriveAsEvents() throws {
        let signals = try Signals()
        defer { Signals.unblockAll() }
        let poller = try Poller()
        try poller.add(signals.descriptor, Token(kind: 9, generation: 0, index: 0), .readable)
        #expect(signals.next() == nil)

        raiseHere(SIGUSR1)
        #expect(try poller.wait(milliseconds: -1) == 1)
        #expect(poller.event(at: 0).token.kind == 9)
        #expect(signals.next() == SignalEvent(number: SIGUSR1, senderPid: getpid()))
        #expect(signals.next() == nil)

        raiseHere(SIGTERM)
        raiseHere(SIGINT)
        let numbers = [signals.next()?.number, signals.next()?.number]
        #expect(Set(numbers) == [SIGTERM, SIGINT])
        #expect(try poller.wait(milliseconds: 0) == 0)
    }

    @Test func hangUpsAndBrokenPipesAreIgnored() throws {
        _ = try Signals()
        defer { Signals.unblockAll() }
        raiseHere(SIGPIPE)
        raiseHere(SIGHUP)
    }
}
