import Testing

@testable import Engine

/// BITFIELD's arithmetic against integers of 128 bits.
@Suite struct BitFieldTests {
    private func random(_ random: inout SeededRandom, within range: ClosedRange<Int128>) -> Int128 {
        let span = UInt128(range.upperBound - range.lowerBound) + 1
        return range.lowerBound + Int128(UInt128(random.next()) % span)
    }

    private func range(_ isSigned: Bool, _ width: Int) -> ClosedRange<Int128> {
        isSigned
            ? -(Int128(1) << (width - 1))...(Int128(1) << (width - 1)) - 1
            : 0...(Int128(1) << width) - 1
    }

    @Test func incrementsEqualTheModel() {
        var random = SeededRandom.make()
        for _ in 0..<20_000 {
            let isSigned = random.below(2) == 1
            let width = 1 + random.below(isSigned ? 64 : 63)
            let range = range(isSigned, width)
            let old = self.random(&random, within: range)
            let amounts = [
                Int64(bitPattern: random.next()), Int64(random.below(9)) - 4, .min, .max,
                Int64(clamping: self.random(&random, within: range)),
            ]
            let amount = amounts[random.below(amounts.count)]
            let sum = old + Int128(amount)
            for overflow in [BitField.Overflow.wrap, .saturate, .fail] {
                let field = BitField(
                    operation: .increment, overflow: overflow, isSigned: isSigned, width: width,
                    offset: 0, operand: amount)
                let bits = UInt64(truncatingIfNeeded: old) & (~0 >> UInt64(64 - width))
                let reply = field.outcome(bits)?.reply
                let fits = range.contains(sum)
                let expected: Int128? =
                    switch overflow {
                    case _ where fits: sum
                    case .wrap: wrapped(sum, range, width)
                    case .saturate: sum > range.upperBound ? range.upperBound : range.lowerBound
                    case .fail: nil
                    }
                #expect(
                    reply.map { Int128($0) } == expected,
                    "\(isSigned) \(width) \(old)+\(amount) \(overflow), seed \(random.seed)")
            }
        }
    }

    private func wrapped(_ sum: Int128, _ range: ClosedRange<Int128>, _ width: Int) -> Int128 {
        let size = Int128(1) << width
        let rest = ((sum - range.lowerBound) % size + size) % size
        return rest + range.lowerBound
    }

    @Test func aValueSetIsFittedIn() {
        func set(_ value: Int64, _ overflow: BitField.Overflow, isSigned: Bool) -> Int64? {
            let field = BitField(
                operation: .set, overflow: overflow, isSigned: isSigned, width: 8, offset: 0,
                operand: value)
            return field.outcome(0).map { field.extended($0.value & 0xFF) }
        }
        #expect(set(255, .wrap, isSigned: false) == 255)
        #expect(set(256, .wrap, isSigned: false) == 0)
        #expect(set(256, .saturate, isSigned: false) == 255)
        #expect(set(256, .fail, isSigned: false) == nil)
        // Negative numbers are huge to an unsigned field.
        #expect(set(-1, .saturate, isSigned: false) == 255)
        #expect(set(128, .wrap, isSigned: true) == -128)
        #expect(set(-129, .saturate, isSigned: true) == -128)
        #expect(set(128, .fail, isSigned: true) == nil)
    }
}
