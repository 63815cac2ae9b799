import Testing

@testable import Engine

@Suite struct GlobPatternTests {
    private func matches(_ pattern: String, _ text: String, ignoringCase: Bool = false) -> Bool {
        pattern.withByteView { pattern in
            text.withByteView { text in
                GlobPattern(pattern, ignoringCase: ignoringCase).matches(text)
            }
        }
    }

    @Test func agreesWithThePeer() {
        for line in Self.answers.split(separator: "\n", omittingEmptySubsequences: false) {
            let bits = Int(line.prefix(6), radix: 16) ?? -1
            let pattern = String(line.dropFirst(7))
            for (index, text) in Self.texts.enumerated() {
                #expect(
                    matches(pattern, text) == (bits >> index & 1 == 1),
                    "pattern '\(pattern)', text '\(text)'")
            }
        }
    }

    @Test func foldsLettersOnlyWhenAsked() {
        #expect(matches("H?LLO*", "hello", ignoringCase: true))
        #expect(!matches("H?LLO*", "hello"))
        #expect(matches("[A-C]x", "bX", ignoringCase: true))
        #expect(matches("[^A-C]x", "dX", ignoringCase: true))
        // An escaped member of a class keeps its case; an escaped letter outside does not.
        #expect(!matches("[\\A]", "a", ignoringCase: true))
        #expect(matches("\\A", "a", ignoringCase: true))
    }

    @Test func knowsWhatNeedsNoMatching() {
        #expect("*".withByteView { GlobPattern($0).matchesEverything })
        #expect(!"**".withByteView { GlobPattern($0).matchesEverything })
        #expect("maxmemory".withByteView { GlobPattern($0).isLiteral })
        #expect(!"max*".withByteView { GlobPattern($0).isLiteral })
    }

    /// The recursive matchers of old took longer than anyone waits for this.
    @Test func staysQuadratic() {
        let pattern = String(repeating: "a*", count: 200) + "b"
        #expect(!matches(pattern, String(repeating: "a", count: 2000)))
    }

    @Test func survivesAnyBytes() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("GlobPatternTests seed \(seed)")
        var random = SplitMix(state: seed)
        for _ in 0..<20_000 {
            let pattern = random.bytes(below: 12, from: Array("ab*?[]^-\\\u{0}".utf8))
            let text = random.bytes(below: 12, from: Array("ab[]^-\\\u{0}".utf8))
            pattern.withByteView { pattern in
                text.withByteView { text in
                    _ = GlobPattern(pattern, ignoringCase: Bool.random()).matches(text)
                }
            }
        }
    }

    private static let texts = [
        "", "a", "b", "abc", "hello", "hallo", "aaab", "*",
        "[", "\\", "]", "-", "^", "Z", "aaaaaaaaaaaaac", "c-e", "A", "^^-Za", "\\*", "]\\",
        "b\\cca",
    ]

    /// The set of `texts` a pattern matches, as bits, and the pattern: KEYS of Redis 7.0.15.
    // swift-format-ignore
    private static let answers = #"""
        1ffffe *
        013f86 ?
        00404a a*
        120002 *a
        1ffffe **
        000040 a**b
        000006 [abc]
        013f80 [^abc]
        10c04e [a-c]*
        000006 [c-a]
        000000 [
        013f86 [^
        000002 [a
        000802 [a-
        000000 []
        000000 []a]
        013f86 [^]
        000080 \*
        000200 \
        000000 a\
        000200 \\
        000400 [\]]
        000002 [\a]
        000020 h[^e]llo
        000020 h[a-b]llo
        10004c *b*
        000048 *a*b*
        000008 a?c
        001402 [a-]
        000006 [a-c
        000000 *[
        000000 x[a-
        000202 [a\
        000000 a*a*a*a*b
        1ffffe **?
        1ec078 ?*?
        000001
        013f80 [^a-c]
        003702 [Z-a]
        000000 \[a]
        013f06 [--z]
        000806 [a-c-e]
        000000 c]Z
        000004 b
        000000 -b[\a-*
        000000 ]b*b
        000000 ]a\b*
        000000 Z\a\\]
        000800 -
        000000 c?]c-b\
        000000 -Zc
        000000 Z*[b-
        000000 b\a\*^
        000000 -][[^\
        000180 [?*[
        000000 b\
        000000 -^[
        000000 ^?\bb-
        000000 c[[c
        000000 ]aZb
        000000 -\[[[*[
        000000 ^\[^b
        000000 b?^*Zba
        000000 *?Z\Z^
        000000 *]Z
        000000 a^[
        000004 \b
        000000 a*[?
        000000 ]^bc
        000000 ]-?c
        000000 ]-?*][Z
        000000 *cbc
        002000 *Z
        000000 a^
        000000 \c??ac]
        000300 [\\[c
        000000 -\ZZ*a
        002900 [Z[-
        000000 ]]]b
        000000 Z]a*
        000000 cb[\
        000000 -b
        000000 \ab
        000000 *\]cZ?[
        012f82 [^bb^
        000000 ^^?b
        100004 b*
        000000 *?^
        000000 *c-a*-[
        000800 *-
        000000 ?Zb*?
        000180 [c[[*
        000000 -[-[Z
        000100 \[
        000000 [*[*]*[
        000082 [*aa
        000000 ?^?**\[
        000180 [*[[
        041080 *[*^
        000000 \a^Z[
        000000 ZbZb][*
        000000 *^c][Z[
        000000 ]^]*b*
        000000 cc
        000000 c
        000000 ^[Zc\
        000000 \^Z[c--
        000000 aa
        000000 *Zb-*c]
        000000 **a?*?-
        000200 [\
        000000 ?-]
        000000 ca*[^Z\
        000000 -]-c-c-
        000000 a^[c\
        000000 ccc^\*b
        000000 a[Z--
        000000 ^[[b-
        000000 ?a
        000000 b-^-a[b
        000a00 [\-\
        000000 **?^-
        013706 [^-**
        000000 ?-*^c
        000000 b]^[
        002000 Z
        000000 ]b
        000000 Z?
        000000 b[c*ZZ[
        000000 ?c
        000000 **b]
        000000 cZ*c
        000000 ]-][]*
        000084 [b*
        000000 a[-
        000000 ^*a]
        000000 -\?
        000000 bb[*b
        000000 a[c
        000000 [c]
        000000 Z?]c--\
        000044 *[b?
        000000 c]b?aZ
        000000 b\*
        000000 b^a[-]?
        000000 ca-**
        000000 ac*
        000000 Z?-
        000000 *?^-Zc?
        000002 [a?
        000002 a
        000000 -*-^*
        000000 bZZ]
        000000 ^-]-?*
        000000 c][aca
        000000 ?]cabZ
        000000 ]-Z?\**
        000000 a^c
        000000 ?^
        000900 [-[
        000000 a?
        000000 [c
        000000 b^?-
        000000 **-[ab
        000000 bc]
        000000 a]a??
        000000 *b\-[c
        000500 *[\][[
        000000 ^c?*\Z
        000000 Z]**[
        000000 c-[-\
        002182 [aZ\[*Z
        000000 Z*baac
        000000 [b]^-a
        000000 aZ-Z*^
        000000 -bZ-b
        000000 *^?[b?
        000000 ^^]b^Z
        000000 Z*b\c[
        002000 Z**
        000000 \\c
        001000 ^
        000000 Zb*
        000000 Z^
        008000 *-?
        000000 ^^[b
        000000 *?b^a
        000000 ^b-
        000000 ?]**
        000000 -?[c\Z
        000000 ?b*[*
        000000 ^]ac
        000000 ^]?*c]
        000000 ][b
        000000 [a[[[]b
        000000 ??[b]]
        000000 \b[][?a
        000000 baZ
        000000 Zc*
        000000 ]-[
        000100 [[
        000000 ]a[[Z]-
        000000 **ba*
        000000 ^\[c
        000000 ?^a-cc
        000000 ][??
        002000 **Z
        000000 ]Z*
        000000 ^-Z
        000000 bcZc
        012706 [^-*^
        000800 -*
        000000 bc
        000000 -b[
        000000 [?
        000000 \*a*]]]
        000000 -*]?[[
        000000 \[c
        000000 --Z[*b
        000000 *]]
        000000 ^]?aca
        001100 *[[^
        000000 ^ab]-
        000000 ^^*[b*c
        000000 -Z
        000000 Z[^b-[
        000000 c*\aZ*?
        000000 Z]*[b
        000000 -\*
        080000 ?*[\
        000000 ?^?[Z
        000000 *^-*-*a
        000000 *Z?a
        000000 ZZ]b
        000000 *Z]
        000000 *^a
        000000 [*][Z]
        000000 a[
        000000 *-b
        021000 ^*
        000080 [**
        000000 *?[?
        000000 \c*^
        000000 Za\c
        000000 a*a\
        000000 ]a
        000000 ac]^*[
        000000 bbc[*c
        000000 -*^a?Z
        000000 ][[^cb
        000000 b[]
        000000 *][[?[]
        000000 ^*[-^*
        001080 [*^
        002100 *[Z[
        000000 a]a^
        000044 *b
        000300 [[?[\
        120002 **[??a
        002106 [\[Zba
        000000 *b^*^[]
        000000 ?]^c^ca
        044008 *?*[c\*
        013e86 [^[
        000000 [\b-*][
        000400 *]
        000000 -[c]b
        000000 b*b]^
        000000 ^c*c]^
        000000 Z**-[
        000104 [b[???
        040000 ?[?*?
        080000 ?\
        000004 [b
        000000 ?*--
        000000 Z[
        000000 aba^
        000000 *^[a?*b
        000000 \*b[-
        000000 c^\?[[Z
        000000 \*\[*a
        000002 [ca
        000000 *Z*a[
        000000 Z[c\
        100000 b*a
        000000 ^-^b]b[
        000000 Z-cZ
        000000 bZc]*
        000000 ]?Z
        000000 ]a?
        000000 \[]]a[
        000000 [Z*]*]*
        000400 ]
        000000 b]\[^[c
        000000 cZ[]b
        000000 \[*-c
        000000 -c
        000000 ^[[[
        000000 *?ca^[a
        000000 Z]b*\
        000000 cZ[*\]
        000000 *^c\*
        000000 c][bc
        002106 [ZaZ[b]
        000000 ^-Z[?
        000000 ]?\*]]
        012784 [^-^ca
        000000 ^*^[
        012e86 [^c[^
        000000 bbc[
        001104 [b[^
        000000 -ZaaZ
        000880 [*-
        000000 -]Z[cab
        000008 **b*c
        000000 ?[[c
        000384 [**b[\
        000000 ?c[\?^c
        000000 -^*
        000000 ?\-*[
        004008 a*c
        000000 cZ?Z
        000000 ]c[
        000000 ?b[-aZ[
        000000 ^--\*b?
        000000 Z]*[[
        080000 ][\
        000000 b^*c\*a
        000000 -??
        000000 \Z[*a*
        000000 ]]-[ac
        020000 *\Za
        000000 ?b-
        000000 -*]
        000000 ?\c*[
        000000 ^cca[
        004008 *c
        000000 bbZc
        000000 Z[?][?a
        000000 -[\Z\^\
        000000 *^*ca
        000000 a]c*c
        000000 -Z*c]
        000000 -\
        000000 -ZZ]\c
        000000 ?b?Za
        000004 [^*-a]
        000000 ]*^b*Z^
        020000 *Za
        000000 *?*a?Z
        000000 Z]Z[-
        000000 ?Z*
        1ffffe ***
        000000 ][
        000000 *]Z*Z
        """#
}

/// A small generator that can be seeded.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func bytes(below limit: Int, from alphabet: [UInt8]) -> [UInt8] {
        let count = Int.random(in: 0..<limit, using: &self)
        return (0..<count).map { _ in alphabet.randomElement(using: &self) ?? 0 }
    }
}
