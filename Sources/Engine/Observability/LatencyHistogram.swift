/// How often a command took how long: counts in buckets whose width grows with the time.
///
///     nanoseconds   0 … 15 | 16 … 31 | 32 … 63 | 64 … 127 | …     16 buckets to each power of two
///
/// so that a percentile is read to within 1/16 (HdrHistogram's idea with one significant hex digit).
/// Memory (4 KiB) is taken with the first record. Recording is a shift and an addition.
struct LatencyHistogram {
    private var buckets: UnsafeMutablePointer<UInt64>?
    private(set) var count: UInt64 = 0
    private(set) var longest: UInt64 = 0

    private static let subBuckets = 16
    /// Up to 2^36 ns, over a minute; what takes longer falls into the last bucket.
    private static let powers = 33
    private static let bucketCount = powers * subBuckets

    @inline(__always)
    mutating func record(_ nanoseconds: UInt64) {
        let power = max(0, 59 &- nanoseconds.leadingZeroBitCount)
        let index = min(
            Self.bucketCount &- 1,
            power &* Self.subBuckets &+ Int(truncatingIfNeeded: nanoseconds >> UInt64(power)))
        count &+= 1
        if nanoseconds > longest { longest = nanoseconds }
        if let buckets {
            buckets[index] &+= 1
        } else {
            begin(index)
        }
    }

    @inline(never)
    private mutating func begin(_ index: Int) {
        let fresh = UnsafeMutablePointer<UInt64>.allocate(capacity: Self.bucketCount)
        fresh.initialize(repeating: 0, count: Self.bucketCount)
        fresh[index] = 1
        buckets = fresh
    }

    mutating func reset() {
        buckets?.deallocate()
        buckets = nil
        count = 0
        longest = 0
    }

    /// The time that `percent` of the calls did not exceed, in nanoseconds; 0 without calls.
    func percentile(_ percent: Double) -> UInt64 {
        guard let buckets, count > 0 else { return 0 }
        let wanted = max(1, UInt64((percent / 100 * Double(count)).rounded(.up)))
        var seen: UInt64 = 0
        for index in 0..<Self.bucketCount {
            seen += buckets[index]
            // The last bucket has no upper bound of its own.
            if seen >= wanted && index < Self.bucketCount - 1 {
                return min(longest, Self.upperBound(index))
            }
        }
        return longest
    }

    /// The calls that took at most `nanoseconds`, by whole buckets.
    func countUpTo(_ nanoseconds: UInt64) -> UInt64 {
        guard let buckets else { return 0 }
        var seen: UInt64 = 0
        for index in 0..<Self.bucketCount where Self.upperBound(index) <= nanoseconds {
            seen += buckets[index]
        }
        return seen
    }

    /// The largest number of nanoseconds that falls into bucket `index`.
    private static func upperBound(_ index: Int) -> UInt64 {
        if index < 2 * subBuckets { return UInt64(index) }
        let power = UInt64(index / subBuckets - 1)
        let mantissa = UInt64(index % subBuckets + subBuckets)
        return (mantissa + 1) << power - 1
    }
}
