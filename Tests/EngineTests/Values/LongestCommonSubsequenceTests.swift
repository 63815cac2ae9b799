import Testing

@testable import Engine

@Suite struct LongestCommonSubsequenceTests {
    private func find(_ first: String, _ second: String) -> (String, [[Int]])? {
        first.withByteView { left in
            second.withByteView { right in
                guard let found = LongestCommonSubsequence(left, right) else { return nil }
                let matches = found.matches(atLeast: 0).map {
                    [
                        $0.first.lowerBound, $0.first.upperBound, $0.second.lowerBound,
                        $0.second.upperBound,
                    ]
                }
                return (String(decoding: found.bytes, as: UTF8.self), matches)
            }
        }
    }

    @Test func `the example of the documentation`() throws {
        let (text, matches) = try #require(find("ohmytext", "mynewtext"))
        #expect(text == "mytext")
        #expect(matches == [[4, 7, 5, 8], [2, 3, 0, 1]])
    }

    @Test func `nothing in common`() throws {
        let (text, matches) = try #require(find("abc", ""))
        #expect(text.isEmpty && matches.isEmpty)
        #expect(try #require(find("abc", "xyz")).0.isEmpty)
    }

    @Test func `the table of the longest strings has no size`() {
        #expect(LongestCommonSubsequence.tableBytes(3, 4) == 80)
        #expect(LongestCommonSubsequence.tableBytes(1 << 40, 1 << 40) == nil)
    }
}
