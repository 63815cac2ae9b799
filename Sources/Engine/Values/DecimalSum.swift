import CLinux

/// The sum of two decimal texts, as INCRBYFLOAT and HINCRBYFLOAT define it: by C's `long double`,
/// without an exponent, with at most 17 digits behind the point and no zeroes at the end.
///
/// Owns the text of the result: up to 5 KiB, as the largest numbers are spelled out.
struct DecimalSum: ~Copyable {
    private let text: UnsafeMutablePointer<CChar>
    private var count = 0

    init() {
        let memory: UnsafeMutableRawPointer = apus_heap_allocate(NumberText.longestDecimal)
        text = memory.bindMemory(to: CChar.self, capacity: NumberText.longestDecimal)
    }

    deinit { apus_heap_free(text) }

    enum Outcome {
        case sum, notANumber, notFinite
    }

    /// Makes this `first + second`, if both are numbers and so is their sum.
    mutating func add(_ first: ByteView, _ second: ByteView) -> Outcome {
        let length = apus_increment_text(
            first.start.assumingMemoryBound(to: CChar.self), first.count,
            second.start.assumingMemoryBound(to: CChar.self), second.count, text,
            NumberText.longestDecimal)
        if length == 0 { return .notANumber }
        if length < 0 { return .notFinite }
        count = Int(length)
        return .sum
    }

    /// Lends the result.
    func withText<Failure: Error>(
        _ body: (ByteView) throws(Failure) -> Void
    ) throws(Failure) {
        try body(ByteView(start: UnsafeRawPointer(text), count: count))
    }
}
