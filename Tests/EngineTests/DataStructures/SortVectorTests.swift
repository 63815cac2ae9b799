import Testing

@testable import Engine

@Suite struct SortVectorTests {
    private func texts(_ vector: borrowing SortVector) -> [String] {
        (0..<vector.count).map { vector[$0].string }
    }

    private func vector(_ texts: [String]) -> SortVector {
        var vector = SortVector()
        for text in texts { text.withByteView { vector.append($0) } }
        return vector
    }

    @Test func numbersAreReadAsCReadsThem() {
        let good = [
            "", "0", "-0", " 5", "1e3", "inf", "-Infinity", "0x10", "1.", "12345678901234567890",
        ]
        for text in good {
            var one = vector([text])
            let isNumber = one.setNumber(at: 0)
            #expect(isNumber, "\(text)")
        }
        for text in ["x", "5x", "5 ", "nan", "1e400", "1e-400", "--1"] {
            var one = vector([text])
            let isNumber = one.setNumber(at: 0)
            let isOther = text.withByteView { one.setNumber($0, at: 0) }
            #expect(!isNumber && !isOther, "\(text)")
        }
    }

    @Test func sortingEqualsTheModel() {
        var random = SeededRandom.make()
        for _ in 0..<200 {
            let numbers = (0..<random.below(100)).map { _ in random.below(40) - 20 }
            var numeric = vector(numbers.map(String.init))
            for index in 0..<numeric.count { _ = numeric.setNumber(at: index) }
            let isDescending = random.below(2) == 1
            numeric.sort(by: .numbers, isDescending: isDescending)
            let sorted = numbers.sorted { isDescending ? $0 > $1 : $0 < $1 }.map(String.init)
            let numericTexts = texts(numeric)
            #expect(numericTexts == sorted, "seed \(random.seed)")
            var bytes = vector(numbers.map(String.init))
            bytes.sort(by: .bytes, isDescending: isDescending)
            let byText = numbers.map(String.init).sorted { isDescending ? $0 > $1 : $0 < $1 }
            let bytesTexts = texts(bytes)
            #expect(bytesTexts == byText, "seed \(random.seed)")
        }
    }

    @Test func absentWeightsStandFirstAndEqualOnesKeepTheirOrder() {
        var weighed = vector(["a", "b", "c", "d", "e"])
        weighed.useWeights()
        for (index, weight) in [(0, "z"), (1, "m"), (3, "m")] {
            weight.withByteView { weighed.setWeight($0, at: index) }
        }
        weighed.sort(by: .collation, isDescending: false)
        let weighedTexts = texts(weighed)
        #expect(weighedTexts == ["c", "e", "b", "d", "a"])
        weighed.sort(by: .bytes, isDescending: true)
        let descending = texts(weighed)
        #expect(descending == ["a", "b", "d", "c", "e"])
    }

    @Test func numbersMayComeFromElsewhere() {
        var weighed = vector(["a", "b", "c"])
        for (index, weight) in ["3", "1.5", "-2"].enumerated() {
            let isNumber = weight.withByteView { weighed.setNumber($0, at: index) }
            #expect(isNumber)
        }
        weighed.sort(by: .numbers, isDescending: false)
        let weighedTexts = texts(weighed)
        #expect(weighedTexts == ["c", "b", "a"])
    }
}
