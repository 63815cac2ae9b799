import Testing

@testable import Engine

/// Bits against a plain array of Bool.
@Suite struct BitOperationsTests {
    private struct Model {
        var bits: [Bool]

        init(_ bytes: [UInt8]) {
            bits = bytes.flatMap { byte in (0..<8).map { byte >> (7 - UInt8($0)) & 1 == 1 } }
        }

        func padded(to count: Int) -> [Bool] {
            bits + Array(repeating: false, count: count - bits.count)
        }
    }

    private func randomBytes(_ random: inout SeededRandom) -> [UInt8] {
        let lengths = [0, 1, 7, 8, 9, 31, 32, 33, 63, 64, 65, 255, 256, 257, 300, 600, 1100]
        let dense = random.below(4)
        return (0..<lengths[random.below(lengths.count)]).map { _ in
            switch dense {
            case 0: random.below(50) == 0 ? UInt8(random.below(256)) : 0
            case 1: random.below(50) == 0 ? UInt8(random.below(256)) : 255
            default: UInt8(random.below(256))
            }
        }
    }

    @Test func countingAndSearchingEqualTheModel() {
        var random = SeededRandom.make()
        for _ in 0..<10_000 {
            let bytes = randomBytes(&random)
            let model = Model(bytes).bits
            bytes.withByteView { view in
                #expect(BitOperations.count(view) == model.count { $0 }, "seed \(random.seed)")
                for value in [true, false] {
                    let expected = model.firstIndex(of: value)
                    #expect(BitOperations.firstIndex(of: value, in: view) == expected)
                }
                guard !model.isEmpty else { return }
                let ends = [random.below(model.count), random.below(model.count)].sorted()
                let range = ends[0]...ends[1]
                #expect(
                    BitOperations.count(view, from: ends[0], through: ends[1])
                        == model[range].count { $0 }, "seed \(random.seed)")
                let wanted = random.below(2) == 1
                #expect(
                    BitOperations.firstIndex(of: wanted, in: view, from: ends[0], through: ends[1])
                        == model[range].firstIndex(of: wanted), "seed \(random.seed)")
            }
        }
    }

    private static let all: [BitOperations.Combination] = [
        .and, .or, .xor, .not, .difference, .reverseDifference, .andAny, .one,
    ]

    private func expected(_ combination: BitOperations.Combination, _ bits: [Bool]) -> Bool {
        let others = bits.dropFirst()
        switch combination {
        case .and: return bits.allSatisfy { $0 }
        case .or: return bits.contains(true)
        case .xor: return bits.count { $0 } % 2 == 1
        case .not: return !bits[0]
        case .difference: return bits[0] && !others.contains(true)
        case .reverseDifference: return !bits[0] && others.contains(true)
        case .andAny: return bits[0] && others.contains(true)
        case .one: return bits.count { $0 } == 1
        }
    }

    @Test func combinationsEqualTheModel() {
        var random = SeededRandom.make()
        for round in 0..<2000 {
            let combination = Self.all[round % Self.all.count]
            let number = combination == .not ? 1 : 2 + random.below(4)
            let sources = (0..<number).map { _ in randomBytes(&random) }
            let count = sources.map(\.count).max() ?? 0
            guard count > 0 else { continue }
            let models = sources.map { Model($0).padded(to: count * 8) }
            let wanted = (0..<count * 8).map { bit in expected(combination, models.map { $0[bit] })
            }
            #expect(
                Model(combined(combination, sources, count)).bits == wanted, "seed \(random.seed)")
        }
    }

    private func combined(
        _ combination: BitOperations.Combination, _ sources: [[UInt8]], _ count: Int
    ) -> [UInt8] {
        let owned = OwnedArguments(sources)
        let views = ContiguousArray((0..<sources.count).map { owned.view[$0] })
        var result = [UInt8](repeating: 0xA5, count: count)
        result.withUnsafeMutableBytes { bytes in
            guard let target = bytes.baseAddress else { return }
            BitOperations.combine(combination, views, into: target, count: count)
        }
        _ = owned.view.count
        return result
    }

    /// Beyond one piece of the work, where sources end in the middle.
    @Test func longStringsAreCombinedPieceByPiece() {
        let long = [UInt8](repeating: 0xF0, count: 20_001)
        let short = [UInt8](repeating: 0xFF, count: 9_000)
        let result = combined(.xor, [long, short], long.count)
        #expect(result.prefix(9_000).allSatisfy { $0 == 0x0F })
        #expect(result.dropFirst(9_000).allSatisfy { $0 == 0xF0 })
        let once = combined(.one, [long, short, long], long.count)
        #expect(once.prefix(9_000).allSatisfy { $0 == 0x0F })
        #expect(once.dropFirst(9_000).allSatisfy { $0 == 0 })
    }

    @Test func fieldsEqualTheModel() {
        var random = SeededRandom.make()
        var bytes = [UInt8](repeating: 0, count: 40)
        var model = Model(bytes)
        for _ in 0..<10_000 {
            let width = 1 + random.below(64)
            let offset = random.below(320 - width + 1)
            let value = random.next()
            bytes.withUnsafeMutableBytes {
                BitOperations.setField($0, at: offset, width: width, to: value)
            }
            for index in 0..<width {
                model.bits[offset + index] = value >> UInt64(width - 1 - index) & 1 == 1
            }
            #expect(Model(bytes).bits == model.bits, "seed \(random.seed)")
            let place = random.below(340)
            let wide = 1 + random.below(64)
            let expected = (0..<wide).reduce(UInt64(0)) { sum, index in
                let bit = place + index < 320 && model.bits[place + index]
                return sum << 1 | (bit ? 1 : 0)
            }
            let read = bytes.withByteView { BitOperations.field($0, at: place, width: wide) }
            #expect(read == expected, "seed \(random.seed)")
        }
    }
}
