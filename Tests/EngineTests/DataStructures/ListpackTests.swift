import Testing

@testable import Engine

struct ListpackTests {
    // MARK: - The format

    private func bytes(_ elements: [[UInt8]]) -> [UInt8] {
        let arena = Arena.create(rangeBytes: 1 << 24)
        defer { arena.destroy() }
        var listpack = Listpack.create(in: arena)
        defer { listpack.free() }
        for element in elements { element.withByteView { listpack.append($0) } }
        return listpack.view.array
    }

    @Test func `the empty listpack is seven bytes`() {
        #expect(bytes([]) == [7, 0, 0, 0, 0, 0, 0xFF])
    }

    /// Entries as Redis writes them: encoding and data, without the back length.
    @Test(
        arguments: [
            ("0", [0]), ("127", [127]), ("128", [0xC0, 128]), ("-1", [0xDF, 0xFF]),
            ("4095", [0xCF, 0xFF]), ("-4096", [0xD0, 0]), ("4096", [0xF1, 0, 0x10]),
            ("-32768", [0xF1, 0, 0x80]), ("32768", [0xF2, 0, 0x80, 0]),
            ("-8388608", [0xF2, 0, 0, 0x80]), ("8388608", [0xF3, 0, 0, 0x80, 0]),
            ("2147483648", [0xF4, 0, 0, 0, 0x80, 0, 0, 0, 0]),
            ("-9223372036854775808", [0xF4, 0, 0, 0, 0, 0, 0, 0, 0x80]),
            ("", [0x80]), ("a", [0x81, 0x61]), ("-0", [0x82, 0x2D, 0x30]),
            ("01", [0x82, 0x30, 0x31]),
        ] as [(String, [UInt8])])
    func `entries have the encodings of Redis`(text: String, encoded: [UInt8]) {
        let listpack = bytes([Array(text.utf8)])
        #expect(Array(listpack[6..<6 + encoded.count]) == encoded)
        #expect(listpack[6 + encoded.count] == UInt8(encoded.count))
        #expect(listpack.count == 6 + encoded.count + 2)
    }

    @Test(
        arguments: [
            (63, [0xBF], [64]), (64, [0xE0, 64], [66]), (125, [0xE0, 125], [127]),
            (126, [0xE0, 126], [1, 0x80]), (4095, [0xEF, 0xFF], [0x20, 0x81]),
            (4096, [0xF0, 0, 16, 0, 0], [0x20, 0x85]),
            (16377, [0xF0, 0xF9, 0x3F, 0, 0], [0x7F, 0xFE]),
            (16378, [0xF0, 0xFA, 0x3F, 0, 0], [0, 0xFF, 0xFF]),
            (2_097_145, [0xF0, 0xF9, 0xFF, 0x1F, 0], [0x7F, 0xFF, 0xFE]),
            (2_097_146, [0xF0, 0xFA, 0xFF, 0x1F, 0], [0, 0xFF, 0xFF, 0xFF]),
        ] as [(Int, [UInt8], [UInt8])])
    func `long strings have the lengths of Redis`(
        count: Int, head: [UInt8], backLength: [UInt8]
    ) {
        let listpack = bytes([Array(repeating: 0x78, count: count)])
        #expect(Array(listpack[6..<6 + head.count]) == head)
        #expect(Array(listpack.dropLast().suffix(backLength.count)) == backLength)
        #expect(listpack.withByteView { Listpack.validate($0, deep: true) })
    }

    // MARK: - Against an array

    /// Texts of every encoding, some of them often.
    private static func text(_ random: inout SeededRandom) -> [UInt8] {
        switch random.below(8) {
        case 0: return Array(String(Int64(bitPattern: random.next())).utf8)
        case 1: return Array(String(random.below(300) - 100).utf8)
        case 2: return Array(String(random.below(1 << 24) - 1 << 23).utf8)
        case 3: return Array(repeating: UInt8(random.below(256)), count: random.below(300))
        case 4 where random.below(40) == 0:
            return Array(repeating: UInt8(random.below(256)), count: 4000 + random.below(20_000))
        default: return Array("e\(random.below(50))".utf8)
        }
    }

    private func check(_ listpack: Listpack, _ model: [[UInt8]]) {
        #expect(listpack.count == model.count)
        #expect(Listpack.validate(listpack.view, deep: true))
        var cursor = listpack.cursor()
        var forward: [[UInt8]] = []
        while let value = cursor.next() { forward.append(value.array) }
        #expect(forward == model)
        var reverse = listpack.reverseCursor()
        var backward: [[UInt8]] = []
        while let value = reverse.previous() { backward.append(value.array) }
        #expect(backward == model.reversed())
    }

    private func change(
        _ listpack: inout Listpack, _ model: inout [[UInt8]], _ random: inout SeededRandom
    ) {
        let text = Self.text(&random)
        let index = model.isEmpty ? 0 : random.below(model.count)
        switch random.below(9) {
        case 0, 1:
            text.withByteView { listpack.append($0) }
            model.append(text)
        case 2:
            text.withByteView { listpack.prepend($0) }
            model.insert(text, at: 0)
        case 3:
            let place = listpack.position(at: index) ?? listpack.end
            _ = text.withByteView { listpack.insert($0, at: place) }
            model.insert(text, at: index)
        case 4 where !model.isEmpty:
            guard let place = listpack.position(at: index) else { return }
            text.withByteView { listpack.replace(at: place, with: $0) }
            model[index] = text
        case 5 where !model.isEmpty:
            guard let place = listpack.position(at: index - model.count) else { return }
            let next = listpack.remove(at: place)
            model.remove(at: index)
            #expect((next != nil) == (index < model.count))
        case 6 where !model.isEmpty:
            let count = random.below(4)
            listpack.remove(from: index, count: count)
            model.removeSubrange(index..<min(model.count, index + count))
        case 7 where !model.isEmpty:
            let other = listpack.split(at: index)
            check(other, Array(model[index...]))
            check(listpack, Array(model[..<index]))
            listpack.join(other)
        case 8 where !model.isEmpty:
            let skip = random.below(3)
            let expected = stride(from: 0, to: model.count, by: skip + 1)
                .first { model[$0] == text }
            let found = text.withByteView { listpack.find(ListpackElement($0), skip: skip) }
            #expect(found == expected.flatMap { listpack.position(at: $0) })
        default: break
        }
    }

    @Test func `behaves as an array does`() {
        var random = SeededRandom.make()
        let arena = Arena.create(rangeBytes: 1 << 26)
        defer { arena.destroy() }
        var listpack = Listpack.create(in: arena)
        var model: [[UInt8]] = []
        for step in 0..<12_000 {
            change(&listpack, &model, &random)
            if step % 16 == 0 || step < 500 { check(listpack, model) }
            if !model.isEmpty {
                let index = random.below(model.count)
                #expect(listpack.value(at: index)?.array == model[index])
                #expect(listpack.value(at: index - model.count)?.textCount == model[index].count)
            }
            if model.count > 300 {
                listpack.removeAll()
                model = []
            }
        }
        let copy = listpack.copied()
        check(copy, model)
        copy.free()
        listpack.compact()
        check(listpack, model)
        listpack.free()
        #expect(arena.allocatedBytes == 0)
    }

    @Test func `counts beyond what its header can say`() {
        let arena = Arena.create(rangeBytes: 1 << 26)
        defer { arena.destroy() }
        var listpack = Listpack.create(in: arena)
        for number in 0..<70_000 { listpack.append(Int64(number & 63)) }
        #expect(listpack.count == 70_000)
        #expect(listpack.view[4] == 0xFF && listpack.view[5] == 0xFF)
        #expect(listpack.value(at: 69_999)?.array == Array(String(69_999 & 63).utf8))
        listpack.remove(from: 0, count: 60_000)
        #expect(listpack.count == 10_000)
        #expect(Listpack.validate(listpack.view, deep: true))
        listpack.free()
    }

    @Test func `positions beyond the ends are nil`() {
        let arena = Arena.create(rangeBytes: 1 << 22)
        defer { arena.destroy() }
        var listpack = Listpack.create(in: arena)
        #expect(listpack.first == nil && listpack.last == nil)
        #expect(listpack.value(at: 0) == nil && listpack.value(at: -1) == nil)
        #expect(listpack.value(at: .max) == nil && listpack.value(at: .min) == nil)
        listpack.append(7)
        #expect(listpack.first == listpack.last)
        #expect(listpack.first.flatMap { listpack.position(after: $0) } == nil)
        #expect(listpack.first.flatMap { listpack.position(before: $0) } == nil)
        #expect(listpack.position(before: listpack.end) == listpack.first)
        #expect(!listpack.canTake(1 << 30) && listpack.canTake(1000) && !listpack.canTake(-1))
    }

    // MARK: - Hostile bytes

    @Test func `says no to bytes that are no listpack and never reads beyond them`() {
        var random = SeededRandom.make()
        let whole = bytes((0..<40).map { _ in Self.text(&random) })
        #expect(whole.withByteView { Listpack.validate($0, deep: true) })
        for length in 0..<min(whole.count, 400) {
            #expect(!Array(whole[..<length]).withByteView { Listpack.validate($0, deep: true) })
        }
        for _ in 0..<20_000 {
            var broken = whole
            for _ in 0...random.below(3) {
                broken[random.below(min(broken.count, 200))] = UInt8(random.below(256))
            }
            // Whatever passes can be walked to its end both ways.
            guard broken.withByteView({ Listpack.validate($0, deep: true) }) else { continue }
            let arena = Arena.create(rangeBytes: 1 << 20)
            let listpack = broken.withByteView { Listpack.create(copying: $0, in: arena) }
            var cursor = listpack.cursor()
            var count = 0
            while let value = cursor.next() { count += value.array.isEmpty ? 1 : 1 }
            var reverse = listpack.reverseCursor()
            while reverse.previous() != nil { count -= 1 }
            #expect(count == 0)
            listpack.free()
            arena.destroy()
        }
    }

    @Test(
        arguments: [
            [7, 0, 0, 0, 0, 0, 0], [6, 0, 0, 0, 0, 0], [], [0xFF], [7, 0, 0, 0, 1, 0, 0xFF],
            [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0xFF],
            // A string of 63 bytes that are not there; a 32-bit length of 4 GiB; unknown encodings.
            [9, 0, 0, 0, 1, 0, 0xBF, 1, 0xFF],
            [13, 0, 0, 0, 1, 0, 0xF0, 0xFF, 0xFF, 0xFF, 0xFF, 5, 0xFF],
            [9, 0, 0, 0, 1, 0, 0xF5, 1, 0xFF], [9, 0, 0, 0, 1, 0, 0xFF, 1, 0xFF],
            // A wrong back length, and one that goes on for ever.
            [9, 0, 0, 0, 1, 0, 5, 2, 0xFF], [9, 0, 0, 0, 1, 0, 5, 0x81, 0xFF],
            [9, 0, 0, 0, 2, 0, 5, 1, 0xFF],
        ] as [[UInt8]])
    func `says no to`(bytes: [UInt8]) {
        #expect(!bytes.withByteView { Listpack.validate($0, deep: true) })
    }

    @Test func `a count that says unknown is valid`() {
        let bytes: [UInt8] = [9, 0, 0, 0, 0xFF, 0xFF, 5, 1, 0xFF]
        #expect(bytes.withByteView { Listpack.validate($0, deep: true) })
        #expect(bytes.withByteView { Listpack.validate($0, deep: false) })
    }
}
