import Testing

@testable import Engine

@Suite struct HashTableTests {
    @Test func aSmallTableIsSmall() {
        let sample = SampleTable(seed: 1)
        defer { sample.destroy() }
        let state = sample.table.memoryBytes
        #expect(state <= 128)
        for number in 0..<10 { sample.insert(number) }
        #expect(sample.table.memoryBytes == state + 64)
        for number in 0..<10 { sample.remove(number) }
        #expect(sample.table.memoryBytes == state && sample.table.groupCount == 1)
        sample.table.destroy()
        #expect(sample.arena.allocatedBytes == 0)
    }

    @Test func anEmptyTableAnswers() {
        let sample = SampleTable(seed: 2)
        defer { sample.destroy() }
        #expect(sample.find(1).isNone && !sample.remove(1) && sample.table.isEmpty)
        #expect(sample.table.randomEntry(seed: 1).isNone)
        var entries: ContiguousArray<Arena.Handle> = []
        #expect(sample.table.scan(0, &entries) == 0 && entries.isEmpty)
        sample.table.popEntries(limit: 5, into: &entries)
        var cursor = HashTable<SampleEntries>.Cursor()
        #expect(sample.table.next(from: &cursor).isNone && entries.isEmpty)
    }

    @Test func positionsAndReplacements() {
        let sample = SampleTable(seed: 3)
        defer { sample.destroy() }
        for number in 0..<500 { sample.insert(number) }
        for number in 0..<500 {
            let moved = sample.makeEntry(number)
            let old = sample.find(number)
            sample.withKey(number) { key, hash in
                let position = sample.table.locate(key, hash: hash)
                #expect(position.isFound && sample.table.handle(at: position) == old)
                sample.table.prefetchGroup(hash: hash)
                sample.table.prefetchCandidate(hash: hash)
                if number % 2 == 0 {
                    sample.table.setHandle(moved, at: position)
                } else {
                    sample.table.replace(old, with: moved, hash: hash)
                }
                #expect(!sample.table.remove(entry: old, hash: hash))
            }
            #expect(sample.find(number) == moved)
        }
        sample.table.checkInvariants()
    }

    /// Random insertions, removals and lookups against a dictionary, in phases that grow and
    /// phases that shrink, with resizing forbidden in some of them.
    @Test func modelOfRandomChanges() {
        var random = SeededRandom.make()
        let sample = SampleTable(seed: random.next())
        defer { sample.destroy() }
        let table = sample.table
        var model: [Int: Arena.Handle] = [:]
        for step in 0..<40_000 {
            let growing = (step / 5000) % 2 == 0
            if step % 2500 == 0 { table.isResizingAllowed = random.below(3) != 0 }
            let number = random.below(6000)
            let known = model[number] ?? .none
            #expect(sample.find(number) == known)
            if known.isNone, random.below(100) < (growing ? 90 : 15) {
                model[number] = sample.insert(number)
            } else if !known.isNone, random.below(100) < (growing ? 10 : 90) {
                #expect(sample.remove(number))
                model[number] = nil
            }
            #expect(table.count == model.count && sample.context.groups.pointee == table.groupCount)
            if step % 250 == 0 { table.checkInvariants() }
        }
        for number in 0..<6000 { #expect(sample.find(number) == model[number] ?? .none) }
        expectContents(of: sample, Set(model.keys))
        for number in model.keys { #expect(sample.remove(number)) }
        #expect(table.isEmpty && table.groupCount == 1 && table.childGroupCount == 0)
        table.checkInvariants()
        sample.arena.checkInvariants()
    }

    /// The ordinary iterator and the walk by groups see each number once.
    private func expectContents(of sample: SampleTable, _ numbers: Set<Int>) {
        var seen: [Int] = []
        var cursor = HashTable<SampleEntries>.Cursor()
        while true {
            let entry = sample.table.next(from: &cursor)
            if entry.isNone { break }
            seen.append(sample.number(of: entry))
        }
        #expect(seen.count == numbers.count && Set(seen) == numbers)
        var entries: ContiguousArray<Arena.Handle> = []
        for group in 0..<sample.table.groupCount { sample.table.visitGroup(group, &entries) }
        #expect(entries.map(sample.number(of:)) == seen)
    }

    @Test func smallTablesAtEverySize() {
        var random = SeededRandom.make()
        for size in 1...60 {
            let sample = SampleTable(seed: random.next())
            defer { sample.destroy() }
            for number in 0..<size {
                sample.insert(number)
                sample.table.checkInvariants()
            }
            expectContents(of: sample, Set(0..<size))
            for number in (0..<size).shuffled(using: &random) {
                #expect(sample.remove(number))
                sample.table.checkInvariants()
            }
            sample.table.destroy()
            #expect(sample.arena.allocatedBytes == 0)
        }
    }

    @Test func forbiddenResizingIsCaughtUp() {
        let sample = SampleTable(seed: 5)
        defer { sample.destroy() }
        let table = sample.table
        for number in 0..<1000 { sample.insert(number) }
        let groups = table.groupCount
        table.isResizingAllowed = false
        for number in 1000..<2500 { sample.insert(number) }
        #expect(table.groupCount == groups)
        for number in 2500..<10_000 { sample.insert(number) }
        #expect(table.groupCount > groups && table.groupCount < groups * 5)
        table.checkInvariants()
        let before = table.groupCount
        table.isResizingAllowed = true
        sample.insert(10_000)
        #expect(table.groupCount == before + 4)
        for number in 10_001..<10_800 { sample.insert(number) }
        #expect(abs(table.groupCount - 10_800 * 2 / 17) <= 2)
        table.isResizingAllowed = false
        let full = table.groupCount
        for number in 0..<8500 { sample.remove(number) }
        #expect(table.groupCount == full)
        for number in 8500..<10_799 { sample.remove(number) }
        #expect(table.groupCount < 4)
        table.checkInvariants()
    }

    @Test func noOscillation() {
        let sample = SampleTable(seed: 6)
        defer { sample.destroy() }
        for size in [12, 13, 100, 1000, 1088, 1089, 1100] {
            while sample.table.count < size { sample.insert(sample.table.count) }
            sample.remove(size - 1)
            sample.insert(size - 1)
            let groups = sample.table.groupCount
            for _ in 0..<100 {
                sample.remove(size - 1)
                sample.insert(size - 1)
                #expect(sample.table.groupCount == groups)
            }
        }
    }

    @Test func poppingFreesInSlices() {
        let sample = SampleTable(seed: 7)
        defer { sample.destroy() }
        let size = 5000
        for number in 0..<size { sample.insert(number) }
        var entries: ContiguousArray<Arena.Handle> = []
        var popped: Set<Int> = []
        while !sample.table.isEmpty {
            entries.removeAll(keepingCapacity: true)
            sample.table.popEntries(limit: 100, into: &entries)
            #expect(entries.count < 200)
            for entry in entries { #expect(popped.insert(sample.number(of: entry)).inserted) }
            sample.table.checkInvariants()
        }
        #expect(popped.count == size && sample.context.groups.pointee == 1)
        sample.insert(1)
        #expect(!sample.find(1).isNone && sample.find(2).isNone)
        sample.table.removeAll()
        #expect(sample.table.isEmpty && sample.find(1).isNone)
    }

    @Test func removingAllForgetsChildren() {
        let sample = SampleTable(seed: 8)
        defer { sample.destroy() }
        sample.table.isResizingAllowed = false
        for number in 0..<2000 { sample.insert(number) }
        let entryBytes = 2000 * SampleEntries.blockBytes
        #expect(sample.arena.allocatedBytes - entryBytes <= sample.table.memoryBytes)
        sample.table.destroy()
        #expect(sample.arena.allocatedBytes == entryBytes)
    }
}
