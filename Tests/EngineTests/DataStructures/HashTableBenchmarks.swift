import Glibc
import Testing

@testable import Engine

/// Tiny by default, real on request.
///
/// `BENCH=1 swift test -c release -Xswiftc -enable-testing
/// -Xswiftc -cross-module-optimization --filter Benchmarks` prints figures, in nanoseconds of CPU
/// time an operation. Without the last flag the table is not specialised for a policy of another
/// module, and several times slower than it is inside Engine.
@Suite(.serialized) struct HashTableBenchmarks {
    private static var isReal: Bool { getenv("BENCH") != nil }
    static let sizes = isReal ? [1_000_000, 1_500_000, 2_000_000, 3_000_000] : [2000]

    private func measure(_ name: String, _ operations: Int, _ body: () -> Void) {
        var start = timespec()
        var end = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start)
        body()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end)
        let nanoseconds = (end.tv_sec - start.tv_sec) * 1_000_000_000 + end.tv_nsec - start.tv_nsec
        if HashTableBenchmarks.isReal {
            let tenths = nanoseconds * 10 / operations
            print("  \(name): \(tenths / 10).\(tenths % 10) ns")
        }
    }

    @Test(arguments: sizes) func lookupsInsertionsRemovals(size: Int) {
        let sample = SampleTable(seed: 42)
        defer { sample.destroy() }
        if HashTableBenchmarks.isReal { print("\(size) keys") }
        measure("allocate, batches of 64 inserted", size) { insertInBatches(sample, size) }
        report(sample)
        #expect(sample.table.count == size)
        var found = 0
        measure("find, one by one", size) { found = findSingly(sample, size) }
        #expect(found == size)
        measure("find, batches of 64", size) { found = findInBatches(sample, size, base: 0) }
        #expect(found == size)
        measure("find absent, batches of 64", size) {
            found = findInBatches(sample, size, base: size)
        }
        #expect(found == 0)
        measure("random entry", size) { drawEntries(sample, size) }
        measure("walk in group order", size) { found = walk(sample) }
        #expect(found == size)
        measure("remove and allocate and insert", size) { churn(sample, size) }
        report(sample)
        measure("remove and free", size) { removeAll(sample, size) }
        #expect(sample.table.isEmpty)
    }

    private func report(_ sample: SampleTable) {
        guard HashTableBenchmarks.isReal else { return }
        var (touched, histogram) = (0, [Int](repeating: 0, count: 12))
        for index in 0..<sample.table.groupCount {
            var current: TagGroup? = sample.table.group(at: index)
            var depth = 0
            while let group = current {
                depth += 1
                touched += depth * group.usedPlaces.nonzeroBitCount
                current = sample.table.child(of: group)
            }
            histogram[min(depth, 11)] += 1
        }
        let bytes = sample.table.memoryBytes * 100 / sample.table.count
        let groups = touched * 1000 / sample.table.count
        print(
            "  table bytes a key \(Double(bytes) / 100), groups a lookup \(Double(groups) / 1000)")
        print(
            "  chains by length \(histogram.dropFirst().prefix(6)), all in the arena: "
                + "\(Double(sample.arena.allocatedBytes * 100 / sample.table.count) / 100)")
    }

    @inline(never)
    private func insertInBatches(_ sample: SampleTable, _ size: Int) {
        var entries = ContiguousArray(repeating: Arena.Handle.none, count: 64)
        var hashes = ContiguousArray(repeating: UInt64(0), count: 64)
        for start in stride(from: 0, to: size, by: 64) {
            let count = min(64, size - start)
            for index in 0..<count {
                entries[index] = sample.makeEntry(scattered(start + index, size))
                hashes[index] = SampleEntries.hash(of: entries[index], sample.context)
                sample.table.prefetchGroup(hash: hashes[index])
            }
            for index in 0..<count { sample.table.insert(entries[index], hash: hashes[index]) }
        }
    }

    /// A permutation of the numbers below size, so that neighbours in time are not in memory.
    private func scattered(_ number: Int, _ size: Int) -> Int { (number &* 7_368_787) % size }

    @inline(never)
    private func findSingly(_ sample: SampleTable, _ size: Int) -> Int {
        var found = 0
        for number in 0..<size where !sample.find(scattered(number, size)).isNone { found += 1 }
        return found
    }

    /// What the server does with a pipeline: hash all, ask for groups, ask for entries, find.
    @inline(never)
    private func findInBatches(_ sample: SampleTable, _ size: Int, base: Int) -> Int {
        let table = sample.table
        let keys = UnsafeMutablePointer<(UInt64, UInt64)>.allocate(capacity: 64)
        let hashes = UnsafeMutablePointer<UInt64>.allocate(capacity: 64)
        defer { keys.deallocate(); hashes.deallocate() }
        var found = 0
        for start in stride(from: 0, to: size, by: 64) {
            let count = min(64, size - start)
            for index in 0..<count {
                let number = base &+ (start &+ index) &* 7_368_787 % size
                keys[index] = (UInt64(number).bigEndian, 0x6b65_793a)
                let key = ByteView(start: UnsafeRawPointer(keys + index), count: 16)
                hashes[index] = sample.context.hash.hash(key)
                table.prefetchGroup(hash: hashes[index])
            }
            for index in 0..<count { table.prefetchCandidate(hash: hashes[index]) }
            for index in 0..<count {
                let key = ByteView(start: UnsafeRawPointer(keys + index), count: 16)
                if !table.find(key, hash: hashes[index]).isNone { found += 1 }
            }
        }
        return found
    }

    @inline(never)
    private func drawEntries(_ sample: SampleTable, _ size: Int) {
        for seed in 0..<size { _ = sample.table.randomEntry(seed: UInt64(seed) << 20) }
    }

    @inline(never)
    private func walk(_ sample: SampleTable) -> Int {
        var cursor = HashTable<SampleEntries>.Cursor()
        var seen = 0
        while !sample.table.next(from: &cursor).isNone { seen += 1 }
        return seen
    }

    @inline(never)
    private func churn(_ sample: SampleTable, _ size: Int) {
        for number in 0..<size {
            sample.remove(scattered(number, size))
            sample.insert(size + scattered(number, size))
        }
    }

    @inline(never)
    private func removeAll(_ sample: SampleTable, _ size: Int) {
        for number in 0..<size { sample.remove(size + scattered(number, size)) }
    }

    @Test func deadlines() {
        let groups = HashTableBenchmarks.isReal ? 353_000 : 100
        let operations = groups * 8
        let tree = DeadlineTree.create(groupCount: groups)
        defer { tree.destroy() }
        measure("lower a deadline", operations) {
            for index in 0..<operations {
                tree.lower(scattered(index, groups), Int64(scattered(index, 1_000_003)))
            }
        }
        measure("find the earliest group and set it", operations) {
            for _ in 0..<operations {
                guard let group = tree.earliestGroup() else { return }
                tree.set(group, tree.earliest + 1_000_000)
            }
        }
        #expect(!tree.isEmpty)
    }

    @Test func hashing() {
        let operations = HashTableBenchmarks.isReal ? 20_000_000 : 1000
        var random = SeededRandom(seed: 1)
        let hash = SeededHash(using: &random)
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: 2048, alignment: 8)
        defer { buffer.deallocate() }
        for word in 0..<256 {
            buffer.storeBytes(of: random.next(), toByteOffset: word * 8, as: UInt64.self)
        }
        for count in [3, 8, 16, 24, 32, 64, 256] {
            measure("hash of \(count) bytes", operations) {
                #expect(hashMany(hash, buffer, count, operations) != 0)
            }
        }
    }

    @inline(never)
    private func hashMany(
        _ hash: SeededHash, _ buffer: UnsafeMutableRawPointer, _ count: Int, _ operations: Int
    ) -> UInt64 {
        var sum: UInt64 = 0
        for index in 0..<operations {
            sum &+= hash.hash(
                ByteView(start: UnsafeRawPointer(buffer) + (index & 1023), count: count))
        }
        return sum
    }
}
