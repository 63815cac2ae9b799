import CLinux

/// Writing string values: which of the encodings a value gets, and where it lies.
extension Database {
    /// Makes `bytes` the value of `key`, whatever was there before.
    ///
    /// A canonical integer is stored as one. `deadline` 0 means none.
    @inline(__always)
    func setString(_ key: Key, _ bytes: ByteView, deadline: Int64 = 0) throws(CommandError) {
        if let integer = NumberText.integer(bytes) {
            return try setInteger(key, integer, deadline: deadline)
        }
        try setBytes(key, bytes, deadline: deadline, encoding: .inline)
    }

    /// Makes an integer the value of `key`.
    func setInteger(_ key: Key, _ integer: Int64, deadline: Int64) throws(CommandError) {
        guard
            let entry = place(
                key, type: .string, encoding: Entry.StringEncoding.integer.rawValue, valueBytes: 8,
                deadline: deadline)
        else { throw .outOfMemory }
        entry.integer = integer
    }

    /// Makes `bytes` the value of `key` without looking for an integer in it.
    @inline(__always)
    func setBytes(
        _ key: Key, _ bytes: ByteView, deadline: Int64, encoding: Entry.StringEncoding
    ) throws(CommandError) {
        guard Self.fitsInline(key, bytes.count) else {
            return try setHeapBytes(key, bytes, deadline: deadline)
        }
        guard
            let entry = place(
                key, type: .string, encoding: encoding.rawValue, valueBytes: bytes.count,
                deadline: deadline)
        else { throw .outOfMemory }
        entry.writeInline(bytes)
    }

    /// Whether a value of `count` bytes stands in the key's own block.
    @inline(__always)
    static func fitsInline(_ key: Key, _ count: Int) -> Bool {
        Entry.bytes(keyLength: key.bytes.count, valueBytes: count, hasDeadline: true)
            <= Entry.largestInlineBlock
    }

    @inline(never)
    private func setHeapBytes(_ key: Key, _ bytes: ByteView, deadline: Int64) throws(CommandError) {
        guard let memory = apus_heap_try_allocate(bytes.count) else { throw .outOfMemory }
        bytes.copy(to: memory)
        try setHeapBlock(key, memory, count: bytes.count, deadline: deadline)
    }

    /// Makes a block of the counted heap the value of `key`; the block now belongs to the database.
    func setHeapBlock(
        _ key: Key, _ memory: UnsafeMutableRawPointer, count: Int, deadline: Int64
    ) throws(CommandError) {
        guard
            let entry = place(
                key, type: .string, encoding: Entry.StringEncoding.heap.rawValue, valueBytes: 16,
                deadline: deadline)
        else {
            apus_heap_free(memory)
            throw .outOfMemory
        }
        entry.storeHeapString(memory, count: count)
    }
}
