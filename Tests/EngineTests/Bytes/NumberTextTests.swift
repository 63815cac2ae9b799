import Testing

@testable import Engine

@Suite struct NumberTextTests {
    private func text(_ number: Double) -> String {
        withUnsafeTemporaryAllocation(byteCount: NumberText.longestDouble, alignment: 8) { room in
            let length = NumberText.write(double: number, to: room.baseAddress!)
            return String(decoding: room[..<length], as: UTF8.self)
        }
    }

    /// What Redis 8.6 and Valkey 9.1 reply to ZSCORE.
    @Test(arguments: [
        (0.1, "0.1"), (1e-7, "1e-7"), (5e-324, "5e-324"), (1e100, "1e+100"), (1e21, "1e+21"),
        (123_456_789.125, "123456789.125"), (1.7976931348623157e308, "1.7976931348623157e+308"),
        (123456789012345680, "123456789012345680"), (-5e17, "-500000000000000000"),
        (9007199254740993, "9007199254740992"), (0x1p62, "4611686018427387904"),
        (-0x1p62, "-4611686018427387904"), (0x1p63, "9223372036854776000"), (5e18, "5e+18"),
        (1e17, "100000000000000000"), (0, "0"), (-0.0, "-0"), (.infinity, "inf"),
        (-.infinity, "-inf"), (0.001234, "0.001234"), (-0.00001234, "-1.234e-5"),
        (1.5e-9, "1.5e-9"), (1234567.5, "1234567.5"), (1e-5, "0.00001"), (12345e-12, "1.2345e-8"),
    ])
    func `doubles have the text of Redis 7_2`(_ number: Double, _ expected: String) {
        #expect(text(number) == expected)
    }

    /// Any bits: the same number comes back, from no more digits than Swift's own shortest text.
    @Test func `doubles are read back from the fewest digits`() {
        var random = SeededRandom.make()
        func digits(_ text: String) -> Int {
            let mantissa = text.prefix { $0 != "e" }.filter(\.isNumber)
            return mantissa.drop { $0 == "0" }.reversed().drop { $0 == "0" }.count
        }
        for _ in 0..<20_000 {
            let bits =
                random.below(2) == 0
                ? random.next()
                : Double(random.below(1 << 40)).bitPattern &- 8 &* random.next() % 99
            let number = Double(bitPattern: bits)
            guard number.isFinite else { continue }
            let written = text(number)
            #expect(Double(written)?.bitPattern == number.bitPattern, "\(number)")
            #expect(written.utf8.count <= 25)
            // Integers within 2^62 are written in full.
            if number.magnitude > 0x1p62 || number != number.rounded() {
                #expect(digits(written) == digits(number.description), "\(written) \(number)")
            }
        }
    }
}
