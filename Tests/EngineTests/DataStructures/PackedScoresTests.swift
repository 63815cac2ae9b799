import Testing

@testable import Engine

struct PackedScoresTests {
    private struct Content: Equatable {
        let member: [UInt8]
        let score: Double
    }

    /// Scores and members on both sides of every boundary of their forms.
    private static let scores: [Double] =
        [0, .infinity, -.infinity, 0.1, -2.5, 1e300, .leastNonzeroMagnitude]
        + (0..<63).flatMap { bit in
            let power = Double(UInt64(1) << UInt64(bit))
            return [power - 1, power, power + 1, -power - 1, -power, 1 - power]
        }
    private static let members: [[UInt8]] =
        ["", "a", "-", "-0", "01", "0", "7", "127", "128", "-128", "-129", "member:000001"]
        .map { Array($0.utf8) }
        + ["9223372036854775807", "-9223372036854775808", "9223372036854775808"].map {
            Array($0.utf8)
        }
        + (0..<8).flatMap { bytes in
            let power = Int64(1) << Int64(8 * bytes)
            return [power, power / 2, -power / 2 - 1].map { Array(String($0).utf8) }
        }
        + [239, 240, 254, 255, 70_000].map { Array(repeating: UInt8(ascii: "x"), count: $0) }

    @Test func `every score and every member comes back`() {
        let arena = Arena.create(rangeBytes: 1 << 28)
        defer { arena.destroy() }
        for score in Self.scores {
            var packed = PackedScores.create(in: arena)
            "m".withByteView { packed.append($0, score) }
            #expect(contents(of: packed) == [Content(member: Array("m".utf8), score: score)])
            packed.checkInvariants()
            packed.free()
        }
        for member in Self.members {
            var packed = PackedScores.create(in: arena)
            member.withByteView { packed.append($0, 1) }
            #expect(contents(of: packed) == [Content(member: member, score: 1)])
            for other in Self.members {
                let found = other.withByteView { packed.find($0) }
                #expect((found != nil) == (other == member))
            }
            packed.checkInvariants()
            packed.free()
        }
        #expect(arena.allocatedBytes == 0)
    }

    @Test func `minus zero becomes zero`() {
        let arena = Arena.create(rangeBytes: 1 << 24)
        defer { arena.destroy() }
        var packed = PackedScores.create(in: arena)
        "m".withByteView { packed.append($0, -0.0) }
        #expect(contents(of: packed).first?.score.sign == .plus)
    }

    @Test func `records behave as an array through random operations`() {
        var random = SeededRandom.make()
        let arena = Arena.create(rangeBytes: 1 << 28)
        defer { arena.destroy() }
        var packed = PackedScores.create(in: arena)
        var model: [Content] = []
        for step in 0..<10_000 {
            let place = random.below(model.count + 1)
            if random.below(100) < (step / 1000 % 2 == 0 ? 70 : 40) {
                let content = Content(
                    member: Self.members[random.below(Self.members.count)],
                    score: Self.scores[random.below(Self.scores.count)])
                let position = packed.position(at: place)
                content.member.withByteView { packed.insert($0, content.score, at: position) }
                model.insert(content, at: place)
            } else {
                let count = random.below(4)
                packed.remove(at: packed.position(at: place), count: count)
                model.removeSubrange(place..<min(place + count, model.count))
            }
            #expect(packed.count == model.count)
            if step % 100 == 0 { check(packed, against: model, &random) }
            if model.count > 300 {
                packed.remove(at: packed.position(at: 0), count: .max)
                model = []
            }
        }
        let copy = packed.copied()
        packed.free()
        check(copy, against: model, &random)
        copy.free()
        #expect(arena.allocatedBytes == 0)
    }

    private func check(
        _ packed: PackedScores, against model: [Content], _ random: inout SeededRandom
    ) {
        packed.checkInvariants()
        #expect(contents(of: packed) == model)
        var walk = packed.walk(from: packed.position(at: model.count))
        var reversed: [Content] = []
        while let record = walk.previous() {
            reversed.append(Content(member: record.member.array, score: record.score))
        }
        #expect(reversed == model.reversed())
        guard !model.isEmpty else { return }
        let rank = random.below(model.count)
        let first = model.firstIndex { $0.member == model[rank].member }
        let found = model[rank].member.withByteView { packed.find($0) }
        #expect(found?.rank == first && found?.score == first.map { model[$0].score })
        #expect(found?.position == first.map { packed.position(at: $0) })
    }

    private func contents(of packed: PackedScores) -> [Content] {
        var result: [Content] = []
        var walk = packed.walk()
        while let record = walk.next() {
            result.append(Content(member: record.member.array, score: record.score))
        }
        return result
    }

    @Test func `a hundred members take their bytes and five each`() {
        let arena = Arena.create(rangeBytes: 1 << 24)
        defer { arena.destroy() }
        var packed = PackedScores.create(in: arena)
        for number in 0..<100 {
            "member:\(number + 100)".withByteView { packed.append($0, Double(900_000 + number)) }
        }
        #expect(arena.allocatedBytes == Arena.blockBytes(for: 8 + 100 * (10 + 5)))
    }

    @Test func `a writer takes what comes in order, as far as there is room`() {
        var random = SeededRandom.make()
        let arena = Arena.create(rangeBytes: 1 << 24)
        defer { arena.destroy() }
        for room in [32, 100, 1000, 20_000] {
            var written = PackedScores.create(in: arena)
            var inserted = PackedScores.create(in: arena)
            written.reserve(room)
            var writer = written.writer(most: 300, longest: 250)
            var (score, number, isFull) = (-1e300, 0, false)
            while !isFull && number < 400 {
                number += 1
                if random.below(3) > 0 { score = max(score, -1000) + Double(random.below(300)) / 2 }
                // Numbers grow longer, and so stay in order as texts.
                let text = random.below(4) == 0 ? "9\(number + 1000)" : "9\(number + 1000)x"
                Array(text.utf8).withByteView { member in
                    let isTaken = writer.append(member, score)
                    isFull = !isTaken
                    guard isTaken else { return }
                    inserted.append(member, score)
                    let (again, before) = (
                        writer.append(member, score), writer.append(member, score.nextDown)
                    )
                    #expect(!again && !before)
                }
            }
            Array(repeating: UInt8(0x7A), count: 251).withByteView {
                let isTooLong = writer.append($0, .infinity)
                #expect(!isTooLong)
            }
            #expect(isFull)
            written.finish(writer)
            written.checkInvariants()
            #expect(written.count == inserted.count && written.count <= 300)
            var (left, right) = (written.walk(), inserted.walk())
            while let record = left.next(), let other = right.next() {
                #expect(record.member.array == other.member.array && record.score == other.score)
            }
            written.free()
            inserted.free()
        }
    }
}
