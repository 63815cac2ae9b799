import Testing

@testable import Reactor

@Suite struct TimerQueueTests {
    @Test func expiresInOrder() {
        var timers = TimerQueue<String>()
        #expect(timers.isEmpty && timers.nextDeadline == nil)
        _ = timers.add(at: 30, payload: "c")
        _ = timers.add(at: 10, payload: "a")
        _ = timers.add(at: 20, payload: "b")
        #expect(timers.count == 3)
        #expect(timers.nextDeadline == 10)
        #expect(timers.popExpired(at: 9) == nil)
        #expect(timers.popExpired(at: 20) == "a")
        #expect(timers.popExpired(at: 20) == "b")
        #expect(timers.popExpired(at: 20) == nil)
        #expect(timers.nextDeadline == 30)
    }

    @Test func equalDeadlinesExpireInTheOrderTheyCame() {
        var timers = TimerQueue<Int>()
        for number in 0..<100 { _ = timers.add(at: 5, payload: number) }
        for number in 0..<100 { #expect(timers.popExpired(at: 5) == number) }
    }

    @Test func oldNamesAreHarmless() {
        var timers = TimerQueue<String>()
        let fired = timers.add(at: 1, payload: "fired")
        #expect(timers.popExpired(at: 1) == "fired")
        #expect(timers.cancel(fired) == nil)
        // The slot has a new tenant, whom the old name does not reach.
        let cancelled = timers.add(at: 2, payload: "cancelled")
        #expect(timers.cancel(fired) == nil)
        #expect(timers.cancel(cancelled) == "cancelled")
        #expect(timers.cancel(cancelled) == nil)
        #expect(timers.isEmpty)
    }

    @Test func payloadsAreReleasedWhenTheyLeave() {
        final class Witness {}
        var timers = TimerQueue<Witness>()
        weak var witness: Witness?
        do {
            let payload = Witness()
            witness = payload
            timers.cancel(timers.add(at: 1, payload: payload))
        }
        #expect(witness == nil)
    }

    /// Random adds, cancels and pops beside a list that is searched from end to end.
    @Test func agreesWithAList() {
        struct Model {
            let deadline: Int64
            let payload: Int
            let id: TimerID
        }
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        var timers = TimerQueue<Int>()
        // Sorted by deadline, equal ones in the order they were added.
        var model: [Model] = []
        var former: [TimerID] = []
        var now: Int64 = 0
        var failures = 0

        func expect(_ condition: Bool) { if !condition { failures += 1 } }

        for step in 0..<40_000 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                let deadline = now + Int64.random(in: -5...200, using: &random)
                let id = timers.add(at: deadline, payload: step)
                let place = model.firstIndex { $0.deadline > deadline } ?? model.count
                model.insert(Model(deadline: deadline, payload: step, id: id), at: place)
            case 5..<7:
                guard let place = model.indices.randomElement(using: &random) else { break }
                let gone = model.remove(at: place)
                expect(timers.cancel(gone.id) == gone.payload)
                former.append(gone.id)
            case 7:
                guard let id = former.randomElement(using: &random) else { break }
                expect(timers.cancel(id) == nil)
            default:
                now += Int64.random(in: 0...8, using: &random)
                let due = model.first.flatMap { $0.deadline <= now ? $0 : nil }
                expect(timers.popExpired(at: now) == due?.payload)
                if let due {
                    former.append(due.id)
                    model.removeFirst()
                }
            }
            expect(timers.count == model.count)
            expect(timers.nextDeadline == model.first?.deadline)
        }
        while let payload = timers.popExpired(at: .max) {
            expect(payload == model.removeFirst().payload)
        }
        expect(model.isEmpty)
        #expect(failures == 0, "seed \(seed)")
    }
}
