import CLinux
import Glibc

@testable import Engine

/// Entries for tests of hash tables: 40-byte blocks with an 8-byte head, a key of 16 bytes and 16
/// bytes of nothing, as a short string of a keyspace has them.
enum SampleEntries: HashTablePolicy {
    static let blockBytes = 40
    static let keyBytes = 16

    struct Context {
        let arena: Arena
        let hash: SeededHash
        /// Counts splits and merges: what the hooks said, for tests.
        let groups: UnsafeMutablePointer<Int>
    }

    @inline(__always)
    static func key(of entry: Arena.Handle, _ context: Context) -> ByteView {
        ByteView(start: context.arena.address(entry) + 8, count: keyBytes)
    }

    static func hash(of entry: Arena.Handle, _ context: Context) -> UInt64 {
        context.hash.hash(key(of: entry, context))
    }

    static func matches(_ entry: Arena.Handle, _ wanted: ByteView, _ context: Context) -> Bool {
        key(of: entry, context) == wanted
    }

    static func prefetch(_ entry: Arena.Handle, _ context: Context) {
        apus_prefetch(context.arena.address(entry))
    }

    static func didSplit(_ group: Int, into newGroup: Int, _ context: Context) {
        precondition(newGroup == context.groups.pointee && group < newGroup, "groups come in order")
        context.groups.pointee += 1
    }

    static func didMerge(_ lastGroup: Int, into group: Int, _ context: Context) {
        context.groups.pointee -= 1
        precondition(lastGroup == context.groups.pointee && group < lastGroup, "and go in order")
    }
}

/// A table of sample entries with numbered keys, and what it stands on.
struct SampleTable {
    let arena: Arena
    let context: SampleEntries.Context
    let table: HashTable<SampleEntries>

    init(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        arena = Arena.create(unitShift: 3)
        let groups = UnsafeMutablePointer<Int>.allocate(capacity: 1)
        groups.initialize(to: 1)
        context = SampleEntries.Context(
            arena: arena, hash: SeededHash(using: &random), groups: groups)
        table = HashTable.create(arena: arena, context: context)
    }

    func destroy() {
        arena.destroy()
        context.groups.deallocate()
    }

    /// The key of a number: 16 characters, or 16 bytes that end in zeroes.
    func withKey<Result>(_ number: Int, _ body: (ByteView, UInt64) -> Result) -> Result {
        var words = (UInt64(number).bigEndian, UInt64(0x6b65_793a))
        return withUnsafeBytes(of: &words) { bytes in
            let key = ByteView(start: bytes.baseAddress!, count: SampleEntries.keyBytes)
            return body(key, context.hash.hash(key))
        }
    }

    func makeEntry(_ number: Int) -> Arena.Handle {
        let entry = arena.allocate(SampleEntries.blockBytes)
        withKey(number) { key, _ in key.copy(to: arena.address(entry) + 8) }
        return entry
    }

    func number(of entry: Arena.Handle) -> Int {
        let bits = arena.address(entry).loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        return Int(UInt64(bigEndian: bits))
    }

    @discardableResult
    func insert(_ number: Int) -> Arena.Handle {
        let entry = makeEntry(number)
        withKey(number) { _, hash in table.insert(entry, hash: hash) }
        return entry
    }

    func find(_ number: Int) -> Arena.Handle {
        withKey(number) { key, hash in table.find(key, hash: hash) }
    }

    /// Whether there was one.
    @discardableResult
    func remove(_ number: Int) -> Bool {
        let entry = withKey(number) { key, hash in table.remove(key, hash: hash) }
        if !entry.isNone { arena.free(entry, SampleEntries.blockBytes) }
        return !entry.isNone
    }
}
