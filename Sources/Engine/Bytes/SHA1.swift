/// SHA-1 (FIPS 180-4) of bytes in memory, for fingerprints of data that peers compute alike.
///
/// Not for secrets: collisions have been made. A few hundred megabytes a second.
enum SHA1 {
    static func digest(of bytes: ByteView) -> SHA1Digest {
        var state = SHA1Digest.initial
        var words = InlineArray<16, UInt32>(repeating: 0)
        var offset = 0
        while bytes.count &- offset >= 64 {
            for index in 0..<16 {
                words[index] =
                    bytes.start.loadUnaligned(
                        fromByteOffset: offset &+ index &* 4, as: UInt32.self
                    ).bigEndian
            }
            state.compress(words)
            offset &+= 64
        }
        // The rest, a one bit, zeros, and the length in bits: one block, or two.
        words = InlineArray(repeating: 0)
        let rest = bytes.dropFirst(offset)
        for index in 0..<rest.count { words.place(rest[index], at: index) }
        words.place(0x80, at: rest.count)
        if rest.count >= 56 {
            state.compress(words)
            words = InlineArray(repeating: 0)
        }
        words.placeLength(bytes.count)
        state.compress(words)
        return state
    }
}

/// The 160 bits that SHA-1 makes of its input.
struct SHA1Digest: Equatable {
    private var first: UInt32
    private var second: UInt32
    private var third: UInt32
    private var fourth: UInt32
    private var fifth: UInt32

    static let zero = SHA1Digest(first: 0, second: 0, third: 0, fourth: 0, fifth: 0)

    fileprivate static let initial = SHA1Digest(
        first: 0x6745_2301, second: 0xEFCD_AB89, third: 0x98BA_DCFE, fourth: 0x1032_5476,
        fifth: 0xC3D2_E1F0)

    /// The digest of these twenty bytes.
    var rehashed: SHA1Digest {
        var words = InlineArray<16, UInt32>(repeating: 0)
        words[0] = first
        words[1] = second
        words[2] = third
        words[3] = fourth
        words[4] = fifth
        words[5] = 0x8000_0000
        words.placeLength(20)
        var state = SHA1Digest.initial
        state.compress(words)
        return state
    }

    static func ^= (left: inout SHA1Digest, right: SHA1Digest) {
        left.first ^= right.first
        left.second ^= right.second
        left.third ^= right.third
        left.fourth ^= right.fourth
        left.fifth ^= right.fifth
    }

    /// Forty digits, in small letters.
    var hexadecimal: String {
        [first, second, third, fourth, fifth].map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }.joined()
    }

    fileprivate mutating func compress(_ block: InlineArray<16, UInt32>) {
        var words = block
        var (a, b, c, d, e) = (first, second, third, fourth, fifth)
        for round in 0..<80 {
            let place = round & 15
            if round >= 16 {
                // The schedule needs only the last sixteen words.
                let mixed =
                    words[(round &+ 13) & 15] ^ words[(round &+ 8) & 15]
                    ^ words[(round &+ 2) & 15] ^ words[place]
                words[place] = mixed.rotated(1)
            }
            let mix: UInt32
            switch round / 20 {
            case 0: mix = (b & c | ~b & d) &+ 0x5A82_7999
            case 1: mix = (b ^ c ^ d) &+ 0x6ED9_EBA1
            case 2: mix = (b & c | b & d | c & d) &+ 0x8F1B_BCDC
            default: mix = (b ^ c ^ d) &+ 0xCA62_C1D6
            }
            let sum = a.rotated(5) &+ mix &+ e &+ words[place]
            (a, b, c, d, e) = (sum, a, b.rotated(30), c, d)
        }
        first = first &+ a
        second = second &+ b
        third = third &+ c
        fourth = fourth &+ d
        fifth = fifth &+ e
    }
}

extension InlineArray where Element == UInt32, count == 16 {
    /// Puts a byte into a block of big-endian words.
    fileprivate mutating func place(_ byte: UInt8, at index: Int) {
        self[index / 4] |= UInt32(byte) << UInt32(24 - index % 4 * 8)
    }

    fileprivate mutating func placeLength(_ bytes: Int) {
        let bits = UInt64(bytes) &* 8
        self[14] = UInt32(truncatingIfNeeded: bits >> 32)
        self[15] = UInt32(truncatingIfNeeded: bits)
    }
}

extension UInt32 {
    fileprivate func rotated(_ bits: UInt32) -> UInt32 { self << bits | self >> (32 &- bits) }
}
