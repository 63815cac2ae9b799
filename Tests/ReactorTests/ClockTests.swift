import Glibc
import Testing

@testable import Reactor

@Suite struct ClockTests {
    @Test func monotonicTimeNeverGoesBack() {
        var last = Clock.monotonicNanoseconds()
        for _ in 0..<1000 {
            let now = Clock.monotonicNanoseconds()
            #expect(now >= last)
            last = now
        }
    }

    @Test func unitsAgree() {
        let clock = Clock(monotonicNanoseconds: 5_999_999, wallMicroseconds: 1_700_000_000_123_456)
        #expect(clock.monotonicMilliseconds == 5)
        #expect(clock.wallMilliseconds == 1_700_000_000_123)
        #expect(abs(Int(Clock.wallMicroseconds() / 1_000_000) - time(nil)) <= 1)
    }

    @Test func calendarTimeIsWhatTheLibrarySays() {
        let now = CalendarTime(wallMicroseconds: 1_700_000_000_123_456)
        #expect(now.year == 2023 && now.month == 11)
        #expect(now.second == 20 && now.millisecond == 123)
    }

    @Test func ticksBecomeNanoseconds() {
        // The machine may take the processor away between two readings, so one measurement proves
        // nothing; a wrong rate would be wrong every time.
        let agrees = (0..<100).contains { _ in
            let scale = TickScale()
            let startTicks = TickScale.ticks()
            let start = Clock.monotonicNanoseconds()
            while Clock.monotonicNanoseconds() - start < 2_000_000 {}
            let measured = Double(scale.nanoseconds(ticks: TickScale.ticks() - startTicks))
            let elapsed = Double(Clock.monotonicNanoseconds() - start)
            return abs(measured / elapsed - 1) < 0.2
        }
        #expect(agrees)
    }

    @Test func scaleFollowsTheRate() {
        // 2.5 ticks a nanosecond, read once a millisecond for three seconds.
        var scale = TickScale(ticks: 1000, nanoseconds: 5000)
        for turn: UInt64 in 1...3000 {
            scale.refresh(ticks: 1000 + turn * 2_500_000, nanoseconds: 5000 + turn * 1_000_000)
        }
        #expect(
            scale.nanoseconds(ticks: 2_500_000_000) / 100 == 10_000_000 - 1
                || scale.nanoseconds(ticks: 2_500_000_000) / 100 == 10_000_000)
        #expect(scale.nanoseconds(ticks: 0) == 0)
        // A difference of a year neither overflows nor traps.
        #expect(scale.nanoseconds(ticks: 78_840_000_000_000_000) / 1_000_000_000 >= 31_535_000)
    }

    @Test func scaleSurvivesClocksThatJump() {
        var scale = TickScale(ticks: 1_000_000, nanoseconds: 1_000_000)
        scale.refresh(ticks: 5, nanoseconds: 2_000_000)
        scale.refresh(ticks: 5, nanoseconds: 2_000_000)
        scale.refresh(ticks: 2_000_005, nanoseconds: 3_000_000)
        #expect(scale.nanoseconds(ticks: 2_000_000) == 1_000_000)
        scale.refresh(ticks: 3_000_000, nanoseconds: 60_000_000_000)
        scale.refresh(ticks: 7_000_000, nanoseconds: 60_002_000_000)
        #expect(scale.nanoseconds(ticks: 4_000_000) == 2_000_000)
    }
}
