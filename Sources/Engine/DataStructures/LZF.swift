import CLZF

/// LZF, the compression of the inner nodes of long lists (and of strings in Redis's files).
///
/// Promises: what was compressed comes back the same, and broken input is refused, never followed out
/// of its bounds. Costs: compressing reads some hundred megabytes a second, decompressing a thousand.
enum LZF {
    /// Lengths are 32 bits wide.
    static let mostBytes = Int(UInt32.max)

    /// Compresses `bytes` into at most `limit` bytes at `target`; nil, and `target` is undefined,
    /// where it does not fit.
    static func compress(
        _ bytes: ByteView, to target: UnsafeMutableRawPointer, atMost limit: Int
    ) -> Int? {
        guard bytes.count > 0, bytes.count <= mostBytes, limit > 0 else { return nil }
        let written = lzf_compress(
            bytes.start, UInt32(bytes.count), target, UInt32(min(limit, mostBytes)))
        return written == 0 ? nil : Int(written)
    }

    /// Three bytes stand for so many at most: a copy of what came before.
    private static let longestCopy = 264

    /// Whether so many bytes can be the compressed form of `count`.
    static func mayUnpack(_ packedCount: Int, to count: Int) -> Bool {
        packedCount > 0 && packedCount <= mostBytes && count > 0 && count <= mostBytes
            && count <= (packedCount / 3 + 1) * longestCopy
    }

    /// How many bytes the compressed `bytes` make, if they are sound; more than they do make else, or
    /// fewer, but no more than `mayUnpack` allows.
    ///
    /// O(copies and runs), a tenth of what decompressing takes.
    static func unpackedCount(_ bytes: ByteView) -> Int {
        var (count, offset) = (0, 0)
        while offset < bytes.count {
            let code = Int(bytes[offset])
            if code < 32 {
                // A run of bytes as they are.
                count &+= code &+ 1
                offset &+= code &+ 2
            } else if code < 224 {
                count &+= code >> 5 &+ 2
                offset &+= 2
            } else {
                guard offset &+ 1 < bytes.count else { return count }
                count &+= Int(bytes[offset &+ 1]) &+ 9
                offset &+= 3
            }
        }
        return count
    }

    /// Restores exactly `count` bytes at `target`; false where `bytes` do not make so many.
    static func decompress(
        _ bytes: ByteView, to target: UnsafeMutableRawPointer, count: Int
    ) -> Bool {
        guard bytes.count > 0, bytes.count <= mostBytes, count > 0, count <= mostBytes else {
            return false
        }
        let written = lzf_decompress(bytes.start, UInt32(bytes.count), target, UInt32(count))
        return Int(written) == count
    }
}

/// Room for one piece of data that is looked at decompressed: the next use of it ends the last one.
///
/// A trivial handle to state at a fixed address. Room of more than a mebibyte is given back at the
/// next use that needs less.
struct UnpackingRoom {
    private struct State {
        let arena: Arena
        var block = Block.none
    }

    private let state: UnsafeMutablePointer<State>
    private static let keptBytes = 1 << 20

    static func create(in arena: Arena) -> UnpackingRoom {
        let state = UnsafeMutablePointer<State>.allocate(capacity: 1)
        state.initialize(to: State(arena: arena))
        return UnpackingRoom(state: state)
    }

    private init(state: UnsafeMutablePointer<State>) { self.state = state }

    func destroy() {
        giveBack()
        state.deallocate()
    }

    /// Gives the memory back; the next use takes it anew.
    func giveBack() {
        state.pointee.block.free(in: state.pointee.arena)
        state.pointee.block = .none
    }

    /// `count` bytes of undefined content, valid until the next call.
    func bytes(_ count: Int) -> UnsafeMutableRawPointer {
        let held = state.pointee.block.bytes
        if held < count || (held > Self.keptBytes && count <= Self.keptBytes) {
            giveBack()
            state.pointee.block = Block.allocate(max(count, 8192), in: state.pointee.arena)
        }
        return state.pointee.block.address(in: state.pointee.arena)
    }
}
