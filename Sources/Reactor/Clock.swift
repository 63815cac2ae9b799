import Glibc

/// The time of a loop turn: read once, then a value, so that everything within the turn happens at
/// one moment and a test can choose it.
public struct Clock: Sendable {
    /// Since some moment in the past; never goes back.
    ///
    /// For deadlines and durations.
    public private(set) var monotonicNanoseconds: UInt64
    /// Since 1970; goes where the administrator sets it.
    ///
    /// For expiry and the log.
    public private(set) var wallMicroseconds: Int64

    /// The time now.
    public init() {
        self.init(
            monotonicNanoseconds: Self.monotonicNanoseconds(),
            wallMicroseconds: Self.wallMicroseconds())
    }

    /// A time of the caller's choice.
    public init(monotonicNanoseconds: UInt64, wallMicroseconds: Int64) {
        self.monotonicNanoseconds = monotonicNanoseconds
        self.wallMicroseconds = wallMicroseconds
    }

    /// Reads both clocks again; about 40 ns.
    public mutating func refresh() { self = Clock() }

    /// The unit of `TimerQueue`.
    public var monotonicMilliseconds: Int64 { Int64(monotonicNanoseconds / 1_000_000) }
    public var wallMilliseconds: Int64 { wallMicroseconds / 1000 }

    public static func monotonicNanoseconds() -> UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return UInt64(now.tv_sec) &* 1_000_000_000 &+ UInt64(now.tv_nsec)
    }

    public static func wallMicroseconds() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) &* 1_000_000 &+ Int64(now.tv_nsec) / 1000
    }
}

/// A wall time as people write it, in the zone of the process.
public struct CalendarTime: Equatable, Sendable {
    public let year: Int
    /// 1 to 12.
    public let month: Int
    public let day: Int
    public let hour: Int
    public let minute: Int
    public let second: Int
    public let millisecond: Int
    /// How far the zone is ahead of UTC.
    public let secondsEast: Int

    public init(wallMicroseconds: Int64) {
        var seconds = time_t(wallMicroseconds / 1_000_000)
        var fields = tm()
        localtime_r(&seconds, &fields)
        year = Int(fields.tm_year) + 1900
        month = Int(fields.tm_mon) + 1
        day = Int(fields.tm_mday)
        hour = Int(fields.tm_hour)
        minute = Int(fields.tm_min)
        second = Int(fields.tm_sec)
        millisecond = Int(wallMicroseconds / 1000 % 1000)
        secondsEast = Int(fields.tm_gmtoff)
    }
}
