import Testing

@testable import Engine

@Suite struct PasswordHashTests {
    private func digits(_ text: String) -> String {
        String(decoding: PasswordHash(of: Array(text.utf8)).digits, as: UTF8.self)
    }

    /// The examples of FIPS 180-4's appendix, and lengths around a block.
    @Test func knownDigests() {
        #expect(
            digits("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            digits("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            digits("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
                == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        #expect(
            digits(String(repeating: "a", count: 1_000_000))
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    @Test func onlySixtyFourSmallDigitsAreAHash() {
        let good = Array(digits("x").utf8)
        #expect(PasswordHash(digits: good) == PasswordHash(of: Array("x".utf8)))
        #expect(PasswordHash(digits: Array(good.dropLast())) == nil)
        #expect(PasswordHash(digits: good + [UInt8(ascii: "0")]) == nil)
        #expect(PasswordHash(digits: Array(digits("x").uppercased().utf8)) == nil)
        #expect(PasswordHash(digits: Array(good.dropLast()) + [UInt8(ascii: "g")]) == nil)
        #expect(PasswordHash(digits: []) == nil)
    }

    @Test func hashesDifferWhereverTheyDiffer() {
        let good = Array(digits("x").utf8)
        for index in good.indices {
            var other = good
            other[index] = other[index] == UInt8(ascii: "0") ? UInt8(ascii: "1") : UInt8(ascii: "0")
            #expect(PasswordHash(digits: other) != PasswordHash(digits: good))
        }
    }
}
