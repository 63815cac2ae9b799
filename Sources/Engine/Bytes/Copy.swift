import Glibc

/// Copies a handful of bytes without a call into the C library.
///
/// Keys and values are mostly under 32 bytes, where two overlapping moves beat `memcpy` through
/// the procedure table. Above that the library's vector code wins.
@inline(__always)
func copyBytes(from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, count: Int) {
    if count >= 8 {
        if count <= 16 {
            let first = source.loadUnaligned(as: UInt64.self)
            let last = source.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
            target.storeBytes(of: first, as: UInt64.self)
            target.storeBytes(of: last, toByteOffset: count &- 8, as: UInt64.self)
        } else if count <= 32 {
            let a = source.loadUnaligned(as: SIMD2<UInt64>.self)
            let b = source.loadUnaligned(fromByteOffset: count &- 16, as: SIMD2<UInt64>.self)
            target.storeBytes(of: a, as: SIMD2<UInt64>.self)
            target.storeBytes(of: b, toByteOffset: count &- 16, as: SIMD2<UInt64>.self)
        } else {
            target.copyMemory(from: source, byteCount: count)
        }
        return
    }
    if count >= 4 {
        let first = source.loadUnaligned(as: UInt32.self)
        let last = source.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
        target.storeBytes(of: first, as: UInt32.self)
        target.storeBytes(of: last, toByteOffset: count &- 4, as: UInt32.self)
        return
    }
    var index = 0
    while index < count {
        target.storeBytes(
            of: source.load(fromByteOffset: index, as: UInt8.self), toByteOffset: index,
            as: UInt8.self)
        index &+= 1
    }
}

/// Equality of two runs of the same length, by overlapping words where they are short.
@inline(__always)
func equalBytes(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, count: Int) -> Bool {
    if count >= 8 {
        if count > 32 { return memcmp(left, right, count) == 0 }
        var offset = 0
        while offset &+ 8 <= count {
            if left.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                != right.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            {
                return false
            }
            offset &+= 8
        }
        return left.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
            == right.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
    }
    var index = 0
    while index < count {
        if left.load(fromByteOffset: index, as: UInt8.self)
            != right.load(fromByteOffset: index, as: UInt8.self)
        {
            return false
        }
        index &+= 1
    }
    return true
}
