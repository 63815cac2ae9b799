import CNettle

/// SHA-1 of bytes in memory, for fingerprints of data that peers compute alike; Nettle's.
///
/// Not for secrets: collisions have been made. A few hundred megabytes a second.
enum SHA1 {
    static func digest(of bytes: ByteView) -> SHA1Digest {
        var context = sha1_ctx()
        nettle_sha1_init(&context)
        let start = bytes.start.assumingMemoryBound(to: UInt8.self)
        nettle_sha1_update(&context, bytes.count, start)
        return SHA1Digest(of: &context)
    }
}

/// The 160 bits that SHA-1 makes of its input.
struct SHA1Digest: Equatable {
    /// Twenty bytes, four in each word as they lie in memory.
    private var words: InlineArray<5, UInt32>

    static let zero = SHA1Digest(words: InlineArray(repeating: 0))

    private init(words: InlineArray<5, UInt32>) { self.words = words }

    fileprivate init(of context: inout sha1_ctx) {
        words = InlineArray(repeating: 0)
        withUnsafeMutableBytes(of: &words) {
            let start = $0.baseAddress?.assumingMemoryBound(to: UInt8.self)
            nettle_sha1_digest(&context, $0.count, start)
        }
    }

    /// The digest of these twenty bytes.
    var rehashed: SHA1Digest {
        withUnsafeBytes(of: words) { SHA1.digest(of: ByteView($0)) }
    }

    static func ^= (left: inout SHA1Digest, right: SHA1Digest) {
        for index in left.words.indices { left.words[index] ^= right.words[index] }
    }

    static func == (left: SHA1Digest, right: SHA1Digest) -> Bool {
        left.words.indices.allSatisfy { left.words[$0] == right.words[$0] }
    }

    /// Forty digits, in small letters.
    var hexadecimal: String {
        words.indices.map { index in
            let digits = String(words[index].bigEndian, radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }.joined()
    }
}
