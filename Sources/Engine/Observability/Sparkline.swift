/// A curve drawn with letters: four rows, three heights a row, filled below, each sample's label
/// written downwards under it.
///
///         #
///        o|
///     _  ||
///     |o_||
///
///     1111s
///     2s s
struct Sparkline {
    var samples: [(value: Double, label: String)] = []

    private static let rows = 4
    /// Samples a line; more are drawn below.
    private static let columns = 80
    /// What stands at the top of a column, by the height within its row.
    private static let tops = Array("_o#".utf8)

    func drawing() -> String {
        var pieces: [String] = []
        for start in stride(from: 0, to: samples.count, by: Self.columns) {
            let end = min(start + Self.columns, samples.count)
            pieces.append(draw(start..<end).map { $0 + "\n" }.joined())
        }
        return pieces.joined(separator: "\n")
    }

    private func draw(_ range: Range<Int>) -> [String] {
        let heights = samples[range].map { height(of: $0.value) }
        let curve = (0..<Self.rows).map { row in
            text(
                heights.map { height in
                    let level = height - (Self.rows - row - 1) * Self.tops.count
                    if level < 0 { return UInt8(ascii: " ") }
                    return level < Self.tops.count ? Self.tops[level] : UInt8(ascii: "|")
                })
        }
        let labels = samples[range].map { Array($0.label.utf8) }
        let longest = labels.map(\.count).max() ?? 0
        let below = (0..<longest).map { place in
            text(labels.map { place < $0.count ? $0[place] : UInt8(ascii: " ") })
        }
        return curve + [text(labels.map { _ in UInt8(ascii: " ") })] + below
    }

    /// Steps from the bottom, by where the value lies between the least and the greatest.
    private func height(of value: Double) -> Int {
        let least = samples.map(\.value).min() ?? 0
        let greatest = samples.map(\.value).max() ?? 0
        let steps = Self.rows * Self.tops.count
        let range = greatest > least ? greatest - least : 1
        return min(max(Int((value - least) * Double(steps) / range), 0), steps - 1)
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
