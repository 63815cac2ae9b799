import CLinux
import Glibc

/// Turns differences of the processor's tick counter into nanoseconds: a multiplication and a shift.
///
/// Timing each command by the kernel's clock costs tens of nanoseconds, by `ticks()` a few. The
/// rate of the counter is measured against CLOCK_MONOTONIC: roughly at the start (0.2 ms, good to
/// about 0.1 %), then over ever longer spans by `refresh`, so that the error falls under a
/// millionth within seconds and a virtual machine that moves to another host is followed.
public struct TickScale: Sendable {
    /// Nanoseconds a tick, times 2^32.
    @usableFromInline private(set) var multiplier: UInt64
    private var baseTicks: UInt64
    private var baseNanoseconds: UInt64
    /// How long after the base the next measurement is due; doubles up to a second.
    private var spanNanoseconds: UInt64

    private static let shortestSpan: UInt64 = 200_000
    private static let longestSpan: UInt64 = 1_000_000_000

    /// Measures for 0.2 ms, busily.
    public init() {
        let ticks = apus_ticks()
        let nanoseconds = Clock.monotonicNanoseconds()
        self.init(ticks: ticks, nanoseconds: nanoseconds)
        var now = nanoseconds
        while now - nanoseconds < Self.shortestSpan { now = Clock.monotonicNanoseconds() }
        refresh(ticks: apus_ticks(), nanoseconds: now)
    }

    /// A scale of one nanosecond a tick until the first `refresh`.
    init(ticks: UInt64, nanoseconds: UInt64) {
        multiplier = 1 << 32
        baseTicks = ticks
        baseNanoseconds = nanoseconds
        spanNanoseconds = Self.shortestSpan
    }

    @inlinable
    public static func ticks() -> UInt64 { apus_ticks() }

    /// How long `ticks`, a difference of two readings, took.
    @inlinable
    public func nanoseconds(ticks: UInt64) -> UInt64 {
        let product = ticks.multipliedFullWidth(by: multiplier)
        return product.high << 32 | product.low >> 32
    }

    /// Improves the scale by one reading of both clocks at the same moment; once a turn is fine,
    /// as most calls are one comparison.
    public mutating func refresh(ticks: UInt64, nanoseconds: UInt64) {
        guard nanoseconds >= baseNanoseconds, ticks > baseTicks else {
            return restart(ticks: ticks, nanoseconds: nanoseconds)
        }
        let elapsed = nanoseconds - baseNanoseconds
        guard elapsed >= spanNanoseconds else { return }
        // Below 2^31 ns the shift cannot overflow; above, the loop slept long and starts anew.
        guard elapsed < 1 << 31 else { return restart(ticks: ticks, nanoseconds: nanoseconds) }
        multiplier = elapsed << 32 / (ticks - baseTicks)
        if elapsed >= Self.longestSpan {
            restart(ticks: ticks, nanoseconds: nanoseconds)
            spanNanoseconds = Self.longestSpan
        } else {
            spanNanoseconds = min(elapsed * 2, Self.longestSpan)
        }
    }

    private mutating func restart(ticks: UInt64, nanoseconds: UInt64) {
        baseTicks = ticks
        baseNanoseconds = nanoseconds
    }
}
