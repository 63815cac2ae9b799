import CLinux

/// Numbers to and from ASCII, by Redis's rules and without allocation.
///
/// An integer is accepted only in its one canonical spelling: no blanks, no `+`, no leading zeros,
/// so that a value which looks like an integer can be stored as one and read back unchanged.
enum NumberText {
    /// "-9223372036854775808".
    static let longestInteger = 20

    // MARK: - Integers

    /// The value of `text` if it is the canonical spelling of a signed 64-bit integer.
    @inline(__always)
    static func integer(_ text: ByteView) -> Int64? {
        // Most texts spell none, and the first byte tells.
        guard text.count > 0, text.start.load(as: UInt8.self) <= UInt8(ascii: "9") else {
            return nil
        }
        return parsed(text)
    }

    private static func parsed(_ text: ByteView) -> Int64? {
        let count = text.count
        guard count > 0, count <= longestInteger else { return nil }
        let start = text.start
        var index = 0
        var first = start.load(as: UInt8.self)
        if count == 1 {
            return first >= 0x30 && first <= 0x39 ? Int64(first &- 0x30) : nil
        }
        let negative = first == UInt8(ascii: "-")
        if negative {
            index = 1
            first = start.load(fromByteOffset: 1, as: UInt8.self)
        }
        guard first >= 0x31, first <= 0x39 else { return nil }
        var value: UInt64 = 0
        while index < count {
            let digit = start.load(fromByteOffset: index, as: UInt8.self) &- 0x30
            guard digit <= 9 else { return nil }
            let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = scaled.addingReportingOverflow(UInt64(digit))
            if overflow || carry { return nil }
            value = sum
            index &+= 1
        }
        if negative {
            return value <= UInt64(1) << 63 ? Int64(bitPattern: ~value &+ 1) : nil
        }
        return value <= UInt64(Int64.max) ? Int64(bitPattern: value) : nil
    }

    /// Writes the decimal text of `number` and returns its length, at most `longestInteger`.
    static func write(_ number: Int64, to target: UnsafeMutableRawPointer) -> Int {
        if number >= 0 { return write(magnitude: UInt64(number), to: target) }
        target.storeBytes(of: UInt8(ascii: "-"), as: UInt8.self)
        return write(magnitude: number.magnitude, to: target + 1) &+ 1
    }

    /// Lends the decimal text of `number`, which lives only during the call.
    static func withText<Result, Failure: Error>(
        of number: Int64, _ body: (ByteView) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // Three words hold the longest integer.
        var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
        return try withUnsafeMutableBytes(of: &digits) { (text) throws(Failure) in
            guard let start = text.baseAddress else { return try body(.empty) }
            let count = write(number, to: start)
            return try body(ByteView(start: UnsafeRawPointer(start), count: count))
        }
    }

    /// Lends the text of two unsigned numbers with a byte between them, which lives only during the
    /// call.
    @inline(__always)
    static func withText<Result, Failure: Error>(
        of first: UInt64, _ between: UInt8, _ second: UInt64,
        _ body: (ByteView) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // Six words hold two times twenty digits and what stands between.
        var digits: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0)
        return try withUnsafeMutableBytes(of: &digits) { (text) throws(Failure) in
            guard let start = text.baseAddress else { return try body(.empty) }
            var count = write(magnitude: first, to: start)
            start.storeBytes(of: between, toByteOffset: count, as: UInt8.self)
            count &+= 1
            count &+= write(magnitude: second, to: start + count)
            return try body(ByteView(start: UnsafeRawPointer(start), count: count))
        }
    }

    /// The value of `text` as `strtoull` reads it to its end: leading blanks, a sign and leading
    /// zeros do no harm, a minus wraps around, unless the number is spelled canonically.
    ///
    /// What is too large is none.
    static func lenientUnsigned(_ text: ByteView) -> UInt64? {
        if let number = integer(text) { return number >= 0 ? UInt64(number) : nil }
        var index = 0
        while index < text.count, text[index] == 32 || (9...13).contains(text[index]) {
            index += 1
        }
        let isNegative = index < text.count && text[index] == UInt8(ascii: "-")
        if isNegative || (index < text.count && text[index] == UInt8(ascii: "+")) { index += 1 }
        guard index < text.count else { return nil }
        var value: UInt64 = 0
        while index < text.count {
            let digit = text[index] &- 0x30
            guard digit <= 9 else { return nil }
            let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = scaled.addingReportingOverflow(UInt64(digit))
            if overflow || carry { return nil }
            value = sum
            index += 1
        }
        return isNegative ? 0 &- value : value
    }

    /// Decimal digits of `number`, without sign.
    static func digitCount(_ number: UInt64) -> Int {
        var count = 1
        var rest = number
        while rest >= 10_000 {
            rest /= 10_000
            count &+= 4
        }
        if rest >= 1000 { return count &+ 3 }
        if rest >= 100 { return count &+ 2 }
        return rest >= 10 ? count &+ 1 : count
    }

    /// The digits of 0 to 99, two each.
    @inline(__always)
    private static var digitPairs: UnsafeRawPointer {
        let text: StaticString = """
            00010203040506070809101112131415161718192021222324252627282930313233343536373839\
            40414243444546474849505152535455565758596061626364656667686970717273747576777879\
            8081828384858687888990919293949596979899
            """
        return UnsafeRawPointer(text.utf8Start)
    }

    private static func write(magnitude: UInt64, to target: UnsafeMutableRawPointer) -> Int {
        if magnitude < 10 {
            target.storeBytes(of: UInt8(truncatingIfNeeded: magnitude) &+ 0x30, as: UInt8.self)
            return 1
        }
        let pairs = digitPairs
        let count = digitCount(magnitude)
        var rest = magnitude
        var position = count
        while rest >= 10 {
            let pair = Int(truncatingIfNeeded: rest % 100)
            rest /= 100
            position &-= 2
            let digits = pairs.loadUnaligned(fromByteOffset: 2 &* pair, as: UInt16.self)
            target.storeBytes(of: digits, toByteOffset: position, as: UInt16.self)
        }
        if position == 1 {
            target.storeBytes(of: UInt8(truncatingIfNeeded: rest) &+ 0x30, as: UInt8.self)
        }
        return count
    }

    // MARK: - Floating point

    /// The longest text `increment` produces: a long double of 4933 digits.
    static let longestDecimal = 5120
    /// Room for what `write(double:)` writes: sign, point, 17 digits and an exponent of three.
    static let longestDouble = 40

    /// The value of `text` as a double; infinities by name count, NaN does not.
    static func double(_ text: ByteView) -> Double? {
        if let integer = integer(text) { return Double(integer) }
        var value = 0.0
        let characters = text.start.assumingMemoryBound(to: CChar.self)
        return apus_parse_double(characters, text.count, &value) != 0 ? value : nil
    }

    /// The value of a bound of a range, as `strtod` reads it: leading blanks do no harm, no text at
    /// all is 0, what follows a NUL is not looked at, and what is too large is infinite.
    static func bound(_ text: ByteView) -> Double? {
        if let integer = integer(text) { return Double(integer) }
        var value = 0.0
        let characters = text.start.assumingMemoryBound(to: CChar.self)
        return apus_parse_bound(characters, text.count, &value) != 0 ? value : nil
    }

    /// The text of a double that reads back as the same value, with as few digits as that takes:
    /// integers within 2^62 without a point, `inf`, `-inf`, `nan`, `-0`.
    ///
    /// As Redis since 7.2 writes it, but for the digits of one number in a thousand, which are fewer
    /// here.
    static func write(double value: Double, to target: UnsafeMutableRawPointer) -> Int {
        if let length = write(special: value, to: target) { return length }
        let most = 0x1p62
        if value >= -most, value <= most, value == value.rounded(.towardZero) {
            return write(Int64(value), to: target)
        }
        return Int(apus_format_shortest(value, target.assumingMemoryBound(to: CChar.self)))
    }

    /// The text of a double in 17 digits, as `printf` writes it: where Redis has left it at that.
    static func write(general value: Double, to target: UnsafeMutableRawPointer) -> Int {
        if let length = write(special: value, to: target) { return length }
        let characters = target.assumingMemoryBound(to: CChar.self)
        return Int(apus_format_general(value, 17, characters, longestDouble))
    }

    private static func write(special value: Double, to target: UnsafeMutableRawPointer) -> Int? {
        if value.isNaN { return write("nan", to: target) }
        if value.isInfinite { return write(value < 0 ? "-inf" : "inf", to: target) }
        if value == 0 { return write(value.sign == .minus ? "-0" : "0", to: target) }
        return nil
    }

    /// The text of a double with so many decimals; for cold paths.
    static func fixed(_ value: Double, decimals: Int) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 344) { text in
            guard let start = text.baseAddress else { return "" }
            _ = apus_format_fixed(value, Int32(decimals), start, text.count)
            return String(cString: start)
        }
    }

    private static func write(_ literal: StaticString, to target: UnsafeMutableRawPointer) -> Int {
        let bytes = ByteView(literal)
        bytes.copy(to: target)
        return bytes.count
    }
}
