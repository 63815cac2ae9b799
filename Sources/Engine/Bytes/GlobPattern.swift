import Glibc

/// The glob of KEYS, SCAN, PSUBSCRIBE and CONFIG GET: `*`, `?`, `[a-z]`, `[^x]`, `\x`.
///
/// Costs O(pattern × text) at worst and nothing on the heap. Every element but `*` takes exactly
/// one byte, so after a mismatch only the latest `*` need be retried: an earlier one could not
/// reach further. That makes the matcher a loop with one place to go back to, and the exponential
/// patterns of recursive matchers (`a*a*a*…b`) quadratic.
///
/// Two habits of the peers are kept because clients see them: a class that is never closed ends
/// with the pattern, and an empty text matches an empty pattern only, not `*`.
struct GlobPattern {
    private let pattern: ByteView
    private let ignoresCase: Bool

    /// The view must outlive the pattern.
    init(_ pattern: ByteView, ignoringCase: Bool = false) {
        self.pattern = pattern
        ignoresCase = ignoringCase
    }

    /// Whether every key matches, so that a scan need not ask.
    var matchesEverything: Bool { pattern.count == 1 && pattern[0] == UInt8(ascii: "*") }

    /// Whether a name must equal the text: CONFIG GET then looks it up.
    var isLiteral: Bool {
        for index in 0..<pattern.count {
            switch pattern[index] {
            case UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "["): return false
            default: continue
            }
        }
        return true
    }

    func matches(_ text: ByteView) -> Bool {
        guard text.count > 0 else { return pattern.isEmpty }
        let texts = text.start.assumingMemoryBound(to: UInt8.self)
        let patterns = pattern.start.assumingMemoryBound(to: UInt8.self)
        let (textEnd, patternEnd) = (text.count, pattern.count)
        var (at, textAt) = (0, 0)
        // Where to go on after a mismatch: behind the latest star, one byte of text further.
        var (afterStar, starText) = (-1, 0)

        while textAt < textEnd {
            if at < patternEnd {
                if patterns[at] == UInt8(ascii: "*") {
                    at &+= 1
                    if at == patternEnd { return true }
                    afterStar = at
                    starText = textAt
                    continue
                }
                let next = elementEnd(patterns, patternEnd, at, texts[textAt])
                if next > 0 {
                    at = next
                    textAt &+= 1
                    continue
                }
            }
            guard afterStar >= 0 else { return false }
            starText &+= 1
            at = afterStar
            textAt = starText
        }
        while at < patternEnd && patterns[at] == UInt8(ascii: "*") { at &+= 1 }
        return at == patternEnd
    }

    /// The index behind the element at `at` if it takes `byte`; 0 if it does not.
    @inline(__always)
    private func elementEnd(
        _ patterns: UnsafePointer<UInt8>, _ end: Int, _ at: Int, _ byte: UInt8
    ) -> Int {
        switch patterns[at] {
        case UInt8(ascii: "?"):
            return at &+ 1
        case UInt8(ascii: "["):
            return classEnd(patterns, end, at &+ 1, byte)
        case UInt8(ascii: "\\") where at &+ 1 < end:
            return folded(patterns[at &+ 1]) == folded(byte) ? at &+ 2 : 0
        default:
            return folded(patterns[at]) == folded(byte) ? at &+ 1 : 0
        }
    }

    /// As `elementEnd`, from the first byte behind `[`.
    private func classEnd(
        _ patterns: UnsafePointer<UInt8>, _ end: Int, _ start: Int, _ byte: UInt8
    ) -> Int {
        var at = start
        let isNegated = at < end && patterns[at] == UInt8(ascii: "^")
        if isNegated { at &+= 1 }
        var found = false
        while at < end && patterns[at] != UInt8(ascii: "]") {
            if patterns[at] == UInt8(ascii: "\\") && at &+ 1 < end {
                // Escaped members keep their case, even in a pattern that folds it.
                found = found || patterns[at &+ 1] == byte
                at &+= 2
            } else if at &+ 2 < end && patterns[at &+ 1] == UInt8(ascii: "-") {
                let low = folded(min(patterns[at], patterns[at &+ 2]))
                let high = folded(max(patterns[at], patterns[at &+ 2]))
                found = found || (folded(byte) >= low && folded(byte) <= high)
                at &+= 3
            } else {
                found = found || folded(patterns[at]) == folded(byte)
                at &+= 1
            }
        }
        guard found != isNegated else { return 0 }
        return min(at &+ 1, end)
    }

    @inline(__always)
    private func folded(_ byte: UInt8) -> UInt8 {
        ignoresCase && byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }
}
