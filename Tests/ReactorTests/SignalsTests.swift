import Glibc
import Testing

@testable import Reactor

@Suite struct SignalsTests {
    /// Sent to this thread only: the others of the test process do not block the signal.
    private func raiseHere(_ number: Int32) { pthread_kill(pthread_self(), number) }

    /// The next event, but for children of other tests that end meanwhile.
    private func next(_ signals: Signals) -> SignalEvent? {
        while let event = signals.next() {
            if event.number != SIGCHLD { return event }
        }
        return nil
    }

    @Test func signalsArriveAsEvents() throws {
        let signals = try Signals()
        defer { Signals.unblockAll() }
        let poller = try Poller()
        try poller.add(signals.descriptor, Token(kind: 9, generation: 0, index: 0), .readable)
        #expect(next(signals) == nil)

        raiseHere(SIGUSR1)
        #expect(try poller.wait(milliseconds: -1) == 1)
        #expect(poller.event(at: 0).token.kind == 9)
        #expect(next(signals) == SignalEvent(number: SIGUSR1, senderPid: getpid()))
        #expect(next(signals) == nil)

        raiseHere(SIGTERM)
        raiseHere(SIGINT)
        let numbers = [next(signals)?.number, next(signals)?.number]
        #expect(Set(numbers) == [SIGTERM, SIGINT])
        #expect(next(signals) == nil)
    }

    @Test func hangUpsAndBrokenPipesAreIgnored() throws {
        _ = try Signals()
        defer { Signals.unblockAll() }
        raiseHere(SIGPIPE)
        raiseHere(SIGHUP)
    }
}
