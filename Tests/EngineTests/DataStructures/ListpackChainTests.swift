import Testing

@testable import Engine

struct ListpackChainTests {
    /// Node sizes of every kind: by count, by bytes, in the arena and in the heap.
    static let nodeSizes = [1, 3, 128, -1, -2, -5]

    private static func text(_ random: inout SeededRandom) -> [UInt8] {
        switch random.below(10) {
        case 0: Array(String(Int64(bitPattern: random.next())).utf8)
        case 1, 2: Array(String(random.below(300) - 100).utf8)
        case 3: Array(repeating: UInt8(random.below(256)), count: random.below(600))
        case 4 where random.below(20) == 0:
            Array(repeating: UInt8(random.below(256)), count: 3000 + random.below(90_000))
        default: Array("element-\(random.below(30))".utf8)
        }
    }

    private func elements(_ chain: ListpackChain) -> [[UInt8]] {
        var cursor = chain.cursor(at: 0)
        var result: [[UInt8]] = []
        while let value = cursor.next() { result.append(value.array) }
        return result
    }

    private func check(_ chain: ListpackChain, _ model: [[UInt8]], _ limits: ChainLimits) {
        chain.checkInvariants(limits)
        #expect(chain.count == model.count)
        #expect(elements(chain) == model)
        var cursor = chain.cursor(at: chain.count)
        var backward: [[UInt8]] = []
        while let value = cursor.previous() { backward.append(value.array) }
        #expect(backward == model.reversed())
    }

    private func change(
        _ chain: inout ListpackChain, _ model: inout [[UInt8]], _ limits: ChainLimits,
        _ random: inout SeededRandom, growing: Bool
    ) {
        let text = Self.text(&random)
        let index = model.isEmpty ? 0 : random.below(model.count)
        switch random.below(growing ? 14 : 20) {
        case 0...3:
            text.withByteView { chain.push($0, at: .back, limits) }
            model.append(text)
        case 4...7:
            text.withByteView { chain.push($0, at: .front, limits) }
            model.insert(text, at: 0)
        case 8, 9:
            let place = random.below(model.count + 1)
            text.withByteView { chain.insert($0, at: place, limits) }
            model.insert(text, at: place)
        case 10 where !model.isEmpty:
            text.withByteView { chain.replace(at: index, with: $0, limits) }
            model[index] = text
        case 11 where !model.isEmpty:
            let count = random.below(growing ? 3 : 60)
            chain.remove(from: index, count: count, limits)
            model.removeSubrange(index..<min(model.count, index + count))
        case 12 where !model.isEmpty:
            removeEqual(&chain, &model, limits, &random)
        case 13 where !model.isEmpty:
            #expect(chain.value(at: index).array == model[index])
            #expect(chain.value(at: .front).array == model[0])
            #expect(chain.value(at: .back).array == model[model.count - 1])
        case 14...16 where !model.isEmpty:
            chain.removeEnd(.front, limits)
            model.removeFirst()
        case 17... where !model.isEmpty:
            chain.removeEnd(.back, limits)
            model.removeLast()
        default: break
        }
    }

    private func removeEqual(
        _ chain: inout ListpackChain, _ model: inout [[UInt8]], _ limits: ChainLimits,
        _ random: inout SeededRandom
    ) {
        let text = model[random.below(model.count)]
        let most = 1 + random.below(3)
        let end: ListEnd = random.below(2) == 0 ? .front : .back
        let removed = text.withByteView { chain.remove($0, atMost: most, from: end, limits) }
        var places = model.indices.filter { model[$0] == text }
        if end == .back { places.reverse() }
        places = Array(places.prefix(most))
        #expect(removed == places.count)
        for place in places.sorted(by: >) { model.remove(at: place) }
    }

    @Test(arguments: nodeSizes, [0, 1, 3])
    func `behaves as an array does`(nodeSize: Int, compressDepth: Int) {
        var random = SeededRandom.make()
        let arena = Arena.create(rangeBytes: 1 << 27)
        defer { arena.destroy() }
        let room = UnpackingRoom.create(in: arena)
        defer { room.destroy() }
        let limits = ChainLimits(
            nodeSize: nodeSize, plainBytes: nodeSize == 3 ? 300 : 1 << 30,
            compressDepth: compressDepth)
        var chain = ListpackChain.create(in: arena, room)
        var model: [[UInt8]] = []
        var growing = true
        for step in 0..<10_000 {
            change(&chain, &model, limits, &random, growing: growing)
            if step % 64 == 0 || step < 300 { check(chain, model, limits) }
            if model.count > 600 { growing = false }
            if model.count < 5 { growing = true }
        }
        check(chain, model, limits)
        let copy = chain.copied()
        check(copy, model, limits)
        #expect(copy.memoryBytes <= chain.memoryBytes)
        while !copy.free(blocks: 3) {}
        #expect(chain.free(blocks: .max))
        room.giveBack()
        #expect(arena.allocatedBytes == 0)
    }

    /// A chain of compressible elements and the same uncompressed.
    private func filled(
        _ arena: Arena, _ room: UnpackingRoom, _ limits: ChainLimits
    ) -> (chain: ListpackChain, model: [[UInt8]]) {
        var chain = ListpackChain.create(in: arena, room)
        let model = (0..<20_000).map { Array("the element of number \($0 / 10)".utf8) }
        for text in model { text.withByteView { chain.push($0, at: .back, limits) } }
        return (chain, model)
    }

    @Test(arguments: [1, 2, 5])
    func `inner nodes are compressed, those near the ends are not`(depth: Int) {
        let arena = Arena.create(rangeBytes: 1 << 27)
        defer { arena.destroy() }
        let room = UnpackingRoom.create(in: arena)
        defer { room.destroy() }
        let limits = ChainLimits(nodeSize: -2, plainBytes: 1 << 30, compressDepth: depth)
        let plain = ChainLimits(nodeSize: -2, plainBytes: 1 << 30)
        var (chain, model) = filled(arena, room, limits)
        let (other, _) = filled(arena, room, plain)
        #expect(chain.memoryBytes * 3 < other.memoryBytes)
        check(chain, model, limits)
        for place in 0..<chain.nodeCount {
            let isNear = place < depth || place >= chain.nodeCount - depth
            #expect(chain.node(place).pointee.isPacked == !isNear)
        }
        // Looking changes nothing, a change compresses again what it opened.
        let before = chain.memoryBytes
        for index in stride(from: 0, to: model.count, by: 997) {
            #expect(chain.value(at: index).array == model[index])
        }
        #expect(chain.memoryBytes == before)
        Array("another".utf8).withByteView { chain.replace(at: 10_000, with: $0, limits) }
        model[10_000] = Array("another".utf8)
        check(chain, model, limits)
        #expect(chain.memoryBytes < before + 1000)
        // From the ends inwards nodes are opened as they come near.
        while chain.count > 100 {
            chain.removeEnd(.front, limits)
            chain.removeEnd(.back, limits)
        }
        check(chain, Array(model.dropFirst(9950).prefix(100)), limits)
        _ = chain.free(blocks: .max)
        _ = other.free(blocks: .max)
    }

    @Test func `compressed lists go on when the setting is turned off`() {
        let arena = Arena.create(rangeBytes: 1 << 27)
        defer { arena.destroy() }
        let room = UnpackingRoom.create(in: arena)
        defer { room.destroy() }
        let limits = ChainLimits(nodeSize: -2, plainBytes: 1 << 30, compressDepth: 1)
        let off = ChainLimits(nodeSize: -2, plainBytes: 1 << 30)
        var (chain, model) = filled(arena, room, limits)
        let copy = chain.copied()
        #expect(copy.memoryBytes <= chain.memoryBytes)
        check(copy, model, limits)
        for _ in 0..<5000 { chain.removeEnd(.front, off) }
        model.removeFirst(5000)
        check(chain, model, off)
        chain.remove(from: 5000, count: 5000, off)
        model.removeSubrange(5000..<10_000)
        check(chain, model, off)
        let text = model[3000]
        let removed = text.withByteView { chain.remove($0, atMost: 100, from: .front, off) }
        #expect(removed == 10)
        model.removeAll { $0 == text }
        check(chain, model, off)
        _ = chain.free(blocks: .max)
        _ = copy.free(blocks: .max)
    }

    @Test func `a cursor starts anywhere and turns around`() {
        let arena = Arena.create(rangeBytes: 1 << 26)
        defer { arena.destroy() }
        let limits = ChainLimits(nodeSize: 7, plainBytes: 1 << 30)
        var chain = ListpackChain.create(in: arena)
        for number in 0..<100 {
            Array(String(number).utf8).withByteView { chain.push($0, at: .back, limits) }
        }
        for start in 0...100 {
            var cursor = chain.cursor(at: start)
            #expect(cursor.next()?.array == (start < 100 ? Array(String(start).utf8) : nil))
            if start < 100 { #expect(cursor.previous()?.array == Array(String(start).utf8)) }
            #expect(cursor.previous()?.array == (start > 0 ? Array(String(start - 1).utf8) : nil))
        }
        _ = chain.free(blocks: .max)
    }

    @Test func `becomes a listpack and comes from one`() {
        let arena = Arena.create(rangeBytes: 1 << 26)
        defer { arena.destroy() }
        let limits = ChainLimits(nodeSize: -2, plainBytes: 1 << 30)
        var listpack = Listpack.create(in: arena)
        for number in 0..<10 { listpack.append(Int64(number * 1000)) }
        let saved = listpack.view.array
        var chain = ListpackChain.create(from: listpack, in: arena)
        Array("x".utf8).withByteView { chain.push($0, at: .front, limits) }
        chain.removeEnd(.front, limits)
        chain.checkInvariants(limits)
        if case .packed(let header, let entries) = chain.saving(0) {
            let head = (0..<6).map { UInt8(truncatingIfNeeded: header >> ($0 * 8)) }
            #expect(head + entries.array + [0xFF] == saved)
        } else {
            Issue.record("a plain node")
        }
        let back = chain.intoListpack()
        #expect(back?.view.array == saved)
        back?.free()
        #expect(arena.allocatedBytes == 0)
    }

    @Test func `a long list takes little more than its entries`() {
        let arena = Arena.create(rangeBytes: 1 << 27)
        defer { arena.destroy() }
        let limits = ChainLimits(nodeSize: -2, plainBytes: 1 << 30)
        for end in [ListEnd.front, .back] {
            var chain = ListpackChain.create(in: arena)
            let text = Array("sixteen bytes, ok".utf8.prefix(16))
            for _ in 0..<200_000 { text.withByteView { chain.push($0, at: end, limits) } }
            #expect(Double(chain.memoryBytes) / 200_000 < 18.3)
            #expect(arena.allocatedBytes <= chain.memoryBytes)
            _ = chain.free(blocks: .max)
        }
        #expect(arena.allocatedBytes == 0)
    }
}
