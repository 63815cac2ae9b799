import CLinux

/// Doubles with a fixed number of decimals, as the replies of GEO commands show them.
extension ReplyWriter {
    /// A double in plain decimals, seventeen behind the point less the zeroes at the end: `,2.5` or
    /// a bulk of the same text in RESP2.
    mutating func plainDouble(_ value: Double) {
        // 309 digits, a sign, a point and the decimals.
        withUnsafeTemporaryAllocation(byteCount: 344, alignment: 8) { buffer in
            guard let start = buffer.baseAddress else { return }
            let text = start.assumingMemoryBound(to: CChar.self)
            var count = Int(apus_format_fixed(value, 17, text, buffer.count))
            if value.isFinite {
                while count > 0, text[count &- 1] == 0x30 { count &-= 1 }
                if count > 0, text[count &- 1] == 0x2E { count &-= 1 }
            }
            var digits = ByteView(start: UnsafeRawPointer(start), count: count)
            if digits == "-0" { digits = digits.dropFirst(1) }
            if isRESP3 { decimalLine(digits) } else { bulk(digits) }
        }
    }

    /// A bulk of a number that is not negative, with four decimals, rounded half to even.
    mutating func bulkFourDecimals(_ value: Double) {
        let scaled = (value * 10_000).rounded(.toNearestOrEven)
        guard scaled >= 0, scaled < 0x1p63 else { return bulkDouble(value) }
        let number = Int64(scaled)
        withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { buffer in
            guard let start = buffer.baseAddress else { return }
            var count = NumberText.write(number / 10_000, to: start)
            // The leading 1 keeps the zeroes; the point takes its place.
            let end = NumberText.write(10_000 + number % 10_000, to: start + count)
            buffer[count] = UInt8(ascii: ".")
            count += end
            bulk(ByteView(start: UnsafeRawPointer(start), count: count))
        }
    }
}
