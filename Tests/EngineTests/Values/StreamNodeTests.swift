import Testing

@testable import Engine

@Suite struct StreamNodeTests {
    /// A node made of these entries, the first being the master.
    private func node(
        _ entries: [(id: StreamID, words: [String])], in arena: Arena
    ) -> StreamNode {
        var node: StreamNode?
        for (id, words) in entries {
            let arguments = OwnedArguments(words.map { Array($0.utf8) })
            let fields = StreamFields(arguments.view, from: 0)
            if node == nil {
                node = StreamNode.create(
                    id, fields, textBytes: fields.bytes, capacity: 0, in: arena)
            } else {
                node?.append(id, fields, textBytes: fields.bytes, master: entries[0].id)
            }
        }
        guard let node else { preconditionFailure("a node has an entry") }
        return node
    }

    private func texts(_ node: StreamNode, master: StreamID) -> [String] {
        var walk = node.walk(master: master)
        var texts: [String] = []
        while walk.step() {
            var text = String(decoding: walk.id.array, as: UTF8.self)
            if walk.isDeleted { text += " gone" }
            walk.readPairs { field, value in
                text += " \(String(decoding: field.array, as: UTF8.self))"
                text += "=\(String(decoding: value.array, as: UTF8.self))"
            }
            texts.append(text)
        }
        return texts
    }

    @Test func `has the bytes of the format`() {
        let arena = Arena.create(rangeBytes: 1 << 28)
        defer { arena.destroy() }
        let node = node(
            [
                (StreamID(5, 1), ["a", "1"]), (StreamID(5, 2), ["a", "x"]),
                (StreamID(7, 0), ["b", "2"]),
            ],
            in: arena)
        let elements: [UInt8] = [
            3, 1, 0, 1, 1, 1, 0x81, 0x61, 2, 0, 1,  // live, deleted, one field: a, end
            2, 1, 0, 1, 0, 1, 1, 1, 4, 1,  // same fields, +0, +0, 1, four elements
            2, 1, 0, 1, 1, 1, 0x81, 0x78, 2, 4, 1,  // same fields, +0, +1, x
            0, 1, 2, 1, 0xDF, 0xFF, 2, 1, 1, 0x81, 0x62, 2, 2, 1, 6, 1,  // +2, -1, one pair: b 2
        ]
        let total = elements.count + 7
        #expect(node.view.array == [UInt8(total), 0, 0, 0, 22, 0] + elements + [0xFF])
        #expect(Listpack.validate(node.view, deep: true))
        #expect(node.counts == (3, 0))
        #expect(
            texts(node, master: StreamID(5, 1)) == ["5-1 a=1", "5-2 a=x", "7-0 b=2"])
        #expect(node.lastID(master: StreamID(5, 1)) == StreamID(7, 0))
        node.block.free(in: arena)
    }

    @Test func `walks either way over entries of any shape`() {
        var random = SeededRandom.make()
        let arena = Arena.create(rangeBytes: 1 << 28)
        defer { arena.destroy() }
        for _ in 0..<50 {
            var entries: [(id: StreamID, words: [String])] = []
            var id = StreamID(random.next() >> UInt64(random.below(64)), random.next())
            for _ in 0..<(1 + random.below(300)) {
                let pairs = 1 + random.below(3)
                let words = (0..<2 * pairs).map { index in
                    index % 2 == 0
                        ? "field\(random.below(2))"
                        : String(repeating: "v", count: random.below(4) == 0 ? 200 : 3)
                }
                entries.append((id, words))
                let step = random.below(3) == 0 ? random.next() >> UInt64(random.below(64)) : 0
                guard step < .max - id.milliseconds, let next = id.next else { break }
                id = step == 0 ? next : StreamID(id.milliseconds + step, random.next())
            }
            var node = node(entries, in: arena)
            #expect(Listpack.validate(node.view, deep: true))
            #expect(node.counts == (entries.count, 0))
            let master = entries[0].id
            var walk = node.walk(master: master)
            walk.moveToEnd()
            var back: [StreamID] = []
            while walk.stepBack() {
                // Whether the content is read makes no difference.
                if random.below(2) == 0 { walk.readPairs { _, _ in } }
                back.append(walk.id)
            }
            #expect(back == entries.map(\.id).reversed())
            let chosen = entries[random.below(entries.count)].id
            walk = node.walk(master: master)
            while walk.step() && walk.id < chosen {}
            #expect(walk.id == chosen)
            node.markDeleted(walk)
            node.countDeleted(1)
            #expect(node.counts == (entries.count - 1, 1))
            #expect(Listpack.validate(node.view, deep: true))
            node.close()
            let copy = node.copied()
            #expect(copy.view == node.view)
            #expect(texts(copy, master: master).count { $0.contains("gone") } == 1)
            node.block.free(in: arena)
            copy.block.free(in: arena)
        }
        #expect(arena.allocatedBytes == 0)
    }
}
