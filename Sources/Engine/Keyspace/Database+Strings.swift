import CLinux
import Glibc

/// Writing string values: which of the encodings a value gets, and where it lies.
extension Database {
    /// Makes `bytes` the value of `key`, whatever was there before.
    ///
    /// A canonical integer is stored as one. `deadline` 0 means none.
    @inline(__always)
    func setString(_ key: Key, _ bytes: ByteView, deadline: Int64 = 0) throws(CommandError) {
        if let integer = NumberText.integer(bytes) {
            try setInteger(key, integer, deadline: deadline)
        } else {
            try setBytes(key, bytes, deadline: deadline, encoding: .inline)
        }
    }

    /// Makes an integer the value of `key`.
    @discardableResult
    func setInteger(
        _ key: Key, _ integer: Int64, deadline: Int64
    ) throws(CommandError) -> Entry {
        guard
            let entry = place(
                key, type: .string, encoding: Entry.StringEncoding.integer.rawValue, valueBytes: 8,
                deadline: deadline)
        else { throw .outOfMemory }
        entry.integer = integer
        return entry
    }

    /// Makes `bytes` the value of `key` without looking for an integer in it.
    @inline(__always)
    @discardableResult
    func setBytes(
        _ key: Key, _ bytes: ByteView, deadline: Int64, encoding: Entry.StringEncoding
    ) throws(CommandError) -> Entry {
        guard Self.fitsInline(key, bytes.count) else {
            return try setHeapBytes(key, bytes, deadline: deadline)
        }
        guard
            let entry = place(
                key, type: .string, encoding: encoding.rawValue, valueBytes: bytes.count,
                deadline: deadline)
        else { throw .outOfMemory }
        entry.writeInline(bytes)
        return entry
    }

    /// Whether a value of `count` bytes stands in the key's own block.
    @inline(__always)
    static func fitsInline(_ key: Key, _ count: Int) -> Bool {
        let others = Entry.bytes(keyLength: key.bytes.count, valueBytes: 0, hasDeadline: true)
        return count <= Entry.largestInlineBlock &- others
    }

    @inline(never)
    private func setHeapBytes(
        _ key: Key, _ bytes: ByteView, deadline: Int64
    ) throws(CommandError) -> Entry {
        guard let memory = apus_heap_try_allocate(bytes.count) else { throw .outOfMemory }
        bytes.copy(to: memory)
        return try setHeapBlock(key, memory, count: bytes.count, deadline: deadline)
    }

    /// Makes a block of the counted heap the value of `key`; the block now belongs to the database.
    @discardableResult
    func setHeapBlock(
        _ key: Key, _ memory: UnsafeMutableRawPointer, count: Int, deadline: Int64
    ) throws(CommandError) -> Entry {
        guard
            let entry = place(
                key, type: .string, encoding: Entry.StringEncoding.heap.rawValue, valueBytes: 16,
                deadline: deadline)
        else {
            apus_heap_free(memory)
            throw .outOfMemory
        }
        entry.storeHeapString(memory, count: count)
        return entry
    }

    /// Makes a raw string of `count` bytes, at least one, the value of `key`; `fill` writes all of
    /// it and must not touch the keyspace.
    func setString(
        _ key: Key, count: Int, filledBy fill: (UnsafeMutableRawPointer) -> Void
    ) throws(CommandError) {
        guard let memory = apus_heap_try_allocate(count) else { throw .outOfMemory }
        fill(memory)
        if Self.fitsInline(key, count) {
            defer { apus_heap_free(memory) }
            let bytes = ByteView(start: UnsafeRawPointer(memory), count: count)
            try setBytes(key, bytes, deadline: 0, encoding: .inlineRaw)
        } else {
            try setHeapBlock(key, memory, count: count, deadline: 0)
        }
    }

    /// Makes a copy of a string, from whichever database, the value of `key`.
    func copyString(_ source: Entry, to key: Key) throws(CommandError) -> Entry {
        let deadline = source.deadline ?? 0
        switch source.stringEncoding {
        case .integer:
            return try setInteger(key, source.integer, deadline: deadline)
        case .inline, .inlineRaw:
            return try setBytes(
                key, source.inlineString, deadline: deadline, encoding: source.stringEncoding)
        case .heap:
            return try setBytes(key, source.heapString, deadline: deadline, encoding: .inlineRaw)
        }
    }

    // MARK: - Changing a part

    /// Writes `bytes` into the string at `key`, which `entry` is, or a new one where it is nil.
    ///
    /// A gap before `offset` is filled with zeroes. Returns the new length.
    /// The caller has checked the length against `StringLimits`. The value is no integer afterwards,
    /// whatever it spells. O(bytes + gap) but when a block must move.
    func write(
        _ bytes: ByteView, at offset: Int, of entry: Entry?, _ key: Key
    ) throws(CommandError) -> Int {
        let end = offset &+ bytes.count
        let string = try extendString(entry, key, to: end, zeroingTo: offset)
        string.writeString(bytes, at: offset)
        return string.stringCount
    }

    /// The string at `key`, which `entry` is, or a new one where it is nil, made `count` raw bytes.
    ///
    /// A longer one stays as long. New bytes are zero up to `zeroEnd`, and the caller's to write
    /// beyond it.
    /// A string that outgrows its place gets spare room: as much again, at most a mebibyte.
    func extendString(
        _ entry: Entry?, _ key: Key, to count: Int, zeroingTo zeroEnd: Int
    ) throws(CommandError) -> Entry {
        guard let entry else { return try newString(key, count: count, zeroingTo: zeroEnd) }
        let oldCount = entry.stringCount
        let newCount = max(count, oldCount)
        if entry.stringEncoding == .heap {
            try extendHeapString(entry, from: oldCount, to: newCount, zeroingTo: zeroEnd)
            return entry
        }
        guard Self.fitsInline(key, newCount) else {
            return try moveToHeap(entry, key, count: newCount, zeroingTo: zeroEnd)
        }
        if entry.stringEncoding == .integer {
            let deadline = entry.deadline ?? 0
            _ = try entry.withString { (text) throws(CommandError) in
                try setBytes(key, text, deadline: deadline, encoding: .inlineRaw)
            }
            guard let spelled = self.entry(key) else { throw .outOfMemory }
            return try resized(spelled, key, to: newCount)
        }
        return try resized(entry, key, to: newCount)
    }

    /// Makes `bytes` the raw value of the string at `key`, which `entry` is, or of a new one where
    /// it is nil.
    ///
    /// The deadline stays, and so does the block where it has the size.
    func rewriteString(
        _ entry: Entry?, _ key: Key, _ bytes: ByteView
    ) throws(CommandError) -> Entry {
        if let entry, entry.stringEncoding == .heap {
            let room = apus_heap_size(entry.heapBlock)
            if bytes.count <= room && bytes.count >= room / 2 {
                bytes.copy(to: entry.heapBlock)
                entry.storeHeapString(entry.heapBlock, count: bytes.count)
                return entry
            }
        }
        return try setBytes(
            key, bytes, deadline: entry?.deadline ?? 0, encoding: .inlineRaw)
    }

    private func resized(
        _ entry: Entry, _ key: Key, to count: Int
    ) throws(CommandError) -> Entry {
        guard let resized = resizeInline(entry, key, to: count) else { throw .outOfMemory }
        return resized
    }

    /// A string of `count` bytes without spare room at a key that does not exist.
    private func newString(
        _ key: Key, count: Int, zeroingTo zeroEnd: Int
    ) throws(CommandError) -> Entry {
        if Self.fitsInline(key, count) {
            let encoding = Entry.StringEncoding.inlineRaw.rawValue
            guard
                let entry = place(
                    key, type: .string, encoding: encoding, valueBytes: count, deadline: 0)
            else { throw .outOfMemory }
            entry.zeroInline(from: 0)
            return entry
        }
        guard let memory = apus_heap_try_allocate(count) else { throw .outOfMemory }
        memset(memory, 0, min(zeroEnd, count))
        return try setHeapBlock(key, memory, count: count, deadline: 0)
    }

    @inline(never)
    private func moveToHeap(
        _ entry: Entry, _ key: Key, count: Int, zeroingTo zeroEnd: Int
    ) throws(CommandError) -> Entry {
        guard let memory = apus_heap_try_allocate(Self.roomy(count)) else { throw .outOfMemory }
        let oldCount = entry.withString { text in
            text.copy(to: memory)
            return text.count
        }
        if zeroEnd > oldCount { memset(memory + oldCount, 0, min(zeroEnd, count) - oldCount) }
        return try setHeapBlock(key, memory, count: count, deadline: entry.deadline ?? 0)
    }

    private func extendHeapString(
        _ entry: Entry, from oldCount: Int, to count: Int, zeroingTo zeroEnd: Int
    ) throws(CommandError) {
        guard count > oldCount else { return }
        var memory = entry.heapBlock
        if count > apus_heap_size(memory) {
            guard let moved = apus_heap_try_reallocate(memory, Self.roomy(count)) else {
                throw .outOfMemory
            }
            memory = moved
        }
        if zeroEnd > oldCount { memset(memory + oldCount, 0, min(zeroEnd, count) - oldCount) }
        entry.storeHeapString(memory, count: count)
    }

    /// What is set aside for a string of `count` bytes that is growing.
    private static func roomy(_ count: Int) -> Int {
        count &+ min(count, largestSpareRoom)
    }

    /// A long string grows by steps of this size, so that little of it is idle.
    private static let largestSpareRoom = 1 << 20
}
