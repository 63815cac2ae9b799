import Testing

@testable import Engine

@Suite struct InfoTextTests {
    @Test func linesAndSections() {
        var info = InfoText()
        info.section("One")
        info.field("a", 1)
        info.field("b", "text")
        info.section("Two")
        info.field("c", ratio: 2.0 / 3)
        info.field("d", percent: 12.5)
        info.bytes("e", 1536)
        #expect(
            info.text
                == "# One\r\na:1\r\nb:text\r\n\r\n# Two\r\nc:0.67\r\nd:12.50%\r\ne:1536\r\n"
                + "e_human:1.50K\r\n")
    }

    @Test(arguments: [
        (0, "0B"), (1023, "1023B"), (1024, "1.00K"), (1_048_575, "1024.00K"), (1 << 20, "1.00M"),
        (25_276_510_208, "23.54G"), (1 << 40, "1.00T"), (Int.max, "8192.00P"),
    ])
    func bytesAreReadable(_ count: Int, _ text: String) {
        #expect(InfoText.readable(bytes: count) == text)
    }

    @Test(arguments: [(50.0, "50"), (99.9, "99.9"), (0.0, "0"), (100.0, "100"), (99.999, "99.999")])
    func percentilesAreShort(_ value: Double, _ text: String) {
        #expect(value.shortText == text)
    }
}
