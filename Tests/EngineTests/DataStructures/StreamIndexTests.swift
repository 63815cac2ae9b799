import Testing

@testable import Engine

/// An index beside a sorted array that holds the same.
private final class SampleIndex {
    let arena = Arena.create(rangeBytes: 1 << 28)
    let index: StreamIndex<UInt32>
    private let state: UnsafeMutablePointer<StreamIndex<UInt32>.State>
    var model: [StreamID: UInt32] = [:]

    init() {
        state = .allocate(capacity: 1)
        state.initialize(to: StreamIndex<UInt32>.State())
        index = StreamIndex(state, in: arena)
    }

    deinit {
        index.removeAll()
        state.deallocate()
        arena.destroy()
    }

    func insert(_ id: StreamID, _ value: UInt32) -> Bool {
        let isNew = model[id] == nil
        if isNew { model[id] = value }
        return index.insert(id, value) == isNew
    }

    func remove(_ id: StreamID) -> Bool {
        let wasThere = model.removeValue(forKey: id) != nil
        return index.remove(id) == wasThere
    }

    var walked: [StreamID] {
        var ids: [StreamID] = []
        var position = index.first
        while let here = position {
            ids.append(index.id(at: here))
            position = index.position(after: here)
        }
        return ids
    }

    var walkedBack: [StreamID] {
        var ids: [StreamID] = []
        var position = index.last
        while let here = position {
            ids.append(index.id(at: here))
            position = index.position(before: here)
        }
        return ids
    }
}

@Suite struct StreamIndexTests {
    @Test func `holds what a plain model holds`() {
        var random = SeededRandom.make()
        let sample = SampleIndex()
        for round in 0..<30_000 {
            // Grows for a while, then shrinks.
            let grows = round % 10_000 < 6000
            let id = StreamID(UInt64(random.below(300)), UInt64(random.below(20)))
            if random.below(10) < (grows ? 8 : 1) {
                #expect(sample.insert(id, UInt32(round)))
            } else {
                #expect(sample.remove(id))
            }
            if round % 1500 == 0 {
                sample.index.checkInvariants()
                let sorted = sample.model.keys.sorted()
                #expect(sample.walked == sorted)
                #expect(sample.walkedBack == sorted.reversed())
            }
            let probe = StreamID(UInt64(random.below(310)), UInt64(random.below(22)))
            #expect(sample.index.find(probe) == sample.model[probe])
        }
        sample.index.checkInvariants()
    }

    @Test func `finds neighbours of what is not there`() {
        let sample = SampleIndex()
        for number in stride(from: 10, to: 5000, by: 10) {
            #expect(sample.insert(StreamID(UInt64(number), 0), UInt32(number)))
        }
        for number in 0..<5010 {
            let id = StreamID(UInt64(number), 0)
            let above = sample.index.position(atOrAfter: id).map { sample.index.id(at: $0) }
            let below = sample.index.position(atOrBefore: id).map { sample.index.id(at: $0) }
            let expectedAbove = max(10, (number + 9) / 10 * 10)
            #expect(above == (expectedAbove < 5000 ? StreamID(UInt64(expectedAbove), 0) : nil))
            let expectedBelow = min(4990, number / 10 * 10)
            #expect(below == (expectedBelow < 10 ? nil : StreamID(UInt64(expectedBelow), 0)))
        }
    }

    @Test func `ids in order leave full leaves`() {
        let sample = SampleIndex()
        for number in 1...50_000 { #expect(sample.insert(StreamID(1, UInt64(number)), 1)) }
        #expect(sample.index.memoryBytes < 50_000 * 22)
        // Taken away from the front, as acknowledgements come.
        for number in 1...49_990 { #expect(sample.remove(StreamID(1, UInt64(number)))) }
        #expect(sample.index.memoryBytes <= 2048)
        for number in 49_991...50_000 { #expect(sample.remove(StreamID(1, UInt64(number)))) }
        #expect(sample.index.memoryBytes == 0)
        #expect(sample.arena.allocatedBytes == 0)
    }

    @Test func `one id takes little`() {
        let sample = SampleIndex()
        #expect(sample.insert(StreamID(1, 1), 1))
        #expect(!sample.index.insert(StreamID(1, 1), 2))
        #expect(sample.index.find(StreamID(1, 1)) == 1)
        #expect(sample.index.memoryBytes <= 56)
    }

    @Test func `is dropped leaf by leaf`() {
        let sample = SampleIndex()
        for number in 1...10_000 { #expect(sample.insert(StreamID(1, UInt64(number)), 1)) }
        var left = 10_000
        while left > 0 {
            #expect(sample.index.lastLeafCount > 0)
            left -= sample.index.dropLastLeaf()
            #expect(sample.index.count == left)
            if left % 7 == 0 { sample.index.checkInvariants() }
        }
        #expect(sample.arena.allocatedBytes == 0)
    }
}
