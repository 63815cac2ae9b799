import CLinux

/// How accesses to keys are remembered: 24 bits in each entry.
enum AccessRule: Equatable, Sendable {
    /// The second of the last access; it wraps after half a year. For LRU, and for whoever asks.
    case moments
    /// How often, for LFU: 8 bits that grow with the logarithm of the number of accesses and shrink
    /// with time, below the 16 bits of the minute in which they last did.
    case counts(logFactor: Int, decayMinutes: Int)
}

/// What an access leaves in an entry.
///
/// One word, so that the common case (a moment) costs one comparison and a store:
///
///     bits 0-23   the moment, or the minute of a count in bits 8-23
///     bit  24     set where accesses are counted
///     bits 25-39  minutes after which a count is one less, 0: never
///     bits 40-62  the factor by which the counting slows down
///
/// The counting is that of Redis (`lfu-log-factor`, `lfu-decay-time`), so that OBJECT FREQ tells the
/// same: https://redis.io/docs/latest/develop/reference/eviction/
struct AccessStamp: Equatable, Sendable {
    let bits: UInt64

    /// Leaves entries as they are.
    static let untouched = AccessStamp(bits: .max)
    /// The count a new key begins with: it is to live long enough to show what it is worth.
    static let firstCount: UInt32 = 5

    private static let countsFlag: UInt64 = 1 << 24
    private static let mostDecayMinutes = 0x7FFF
    private static let mostLogFactor = 0x7F_FFFF

    private init(bits: UInt64) { self.bits = bits }

    /// The stamp of an access at `seconds`.
    init(_ rule: AccessRule, seconds: Int64) {
        switch rule {
        case .moments: bits = UInt64(Self.moment(seconds))
        case .counts(let logFactor, let decayMinutes):
            let decay = UInt64(min(max(decayMinutes, 0), Self.mostDecayMinutes))
            let factor = UInt64(min(max(logFactor, 0), Self.mostLogFactor))
            bits = UInt64(Self.minute(seconds)) << 8 | Self.countsFlag | decay << 25 | factor << 40
        }
    }

    private static func moment(_ seconds: Int64) -> UInt32 {
        UInt32(truncatingIfNeeded: seconds) & 0xFF_FFFF
    }

    private static func minute(_ seconds: Int64) -> UInt32 {
        UInt32(truncatingIfNeeded: seconds / 60) & 0xFFFF
    }

    /// Whether a mark is the lower 24 bits themselves.
    @inline(__always)
    var isMoment: Bool { bits <= 0xFF_FFFF }

    /// The mark of a key that is created now.
    var first: UInt32 {
        isMoment ? UInt32(truncatingIfNeeded: bits) : minutes << 8 | Self.firstCount
    }

    private var minutes: UInt32 { UInt32(truncatingIfNeeded: bits >> 8) & 0xFFFF }
    private var decayMinutes: UInt32 { UInt32(truncatingIfNeeded: bits >> 25) & 0x7FFF }
    private var logFactor: UInt64 { bits >> 40 & 0x7F_FFFF }

    // MARK: - Counting

    /// The count of an entry marked `mark`, less what the time since then takes from it.
    func count(in mark: UInt32) -> UInt32 {
        let count = mark & 0xFF
        guard decayMinutes > 0 else { return count }
        let periods = (minutes &- mark >> 8) & 0xFFFF / decayMinutes
        return count > periods ? count - periods : 0
    }

    /// The mark after one more access to an entry marked `mark`.
    ///
    /// - Parameter chance: any 32 bits; the higher a count, the fewer of them make it grow.
    func counted(_ mark: UInt32, chance: UInt32) -> UInt32 {
        let count = count(in: mark)
        let above = UInt64(count > Self.firstCount ? count - Self.firstCount : 0)
        let grows = count < 0xFF && UInt64(chance) * (above * logFactor + 1) < 1 << 32
        return minutes << 8 | (grows ? count + 1 : count)
    }

    /// The mark of a key that came with a count of its own.
    func mark(count: UInt8) -> UInt32 { minutes << 8 | UInt32(count) }

    // MARK: - Time

    /// Seconds since the access that left `mark`.
    func idleSeconds(since mark: UInt32) -> UInt32 {
        (UInt32(truncatingIfNeeded: bits) &- mark) & 0xFF_FFFF
    }

    /// The mark of a key that came with the time since its last access.
    func mark(idleSeconds: Int64) -> UInt32 {
        UInt32(truncatingIfNeeded: Int64(bits & 0xFF_FFFF) &- idleSeconds) & 0xFF_FFFF
    }

    /// Bits by chance, from the processor's clock: good enough for a counter's growth.
    static func chance() -> UInt32 {
        UInt32(truncatingIfNeeded: (apus_ticks() &* 0x9E37_79B9_7F4A_7C15) >> 32)
    }
}
