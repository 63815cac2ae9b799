import CLinux

/// The longest common subsequence of two strings, by the table of all their beginnings.
///
/// Time and memory are the product of the lengths, four bytes a cell; the caller bounds it. What is
/// found, and in which order, equals what LCS of Redis finds where several answers are longest.
struct LongestCommonSubsequence: ~Copyable {
    private let first: ByteView
    private let second: ByteView
    private let cells: UnsafeMutablePointer<UInt32>
    private let width: Int

    /// A run that both strings have, and where; bounds are inclusive.
    struct Match: Equatable {
        var first: ClosedRange<Int>
        var second: ClosedRange<Int>
    }

    /// The bytes that the table of two such strings takes, nil beyond 64 bits.
    static func tableBytes(_ firstCount: Int, _ secondCount: Int) -> Int? {
        let (cells, overflow) = (firstCount + 1).multipliedReportingOverflow(by: secondCount + 1)
        let (bytes, carry) = cells.multipliedReportingOverflow(by: 4)
        return overflow || carry ? nil : bytes
    }

    /// The views must outlive this value.
    ///
    /// Nil when there is no memory for the table.
    init?(_ first: ByteView, _ second: ByteView) {
        guard let bytes = Self.tableBytes(first.count, second.count),
            let memory = apus_heap_try_allocate(bytes)
        else { return nil }
        self.first = first
        self.second = second
        width = second.count + 1
        cells = memory.bindMemory(to: UInt32.self, capacity: bytes / 4)
        fill()
    }

    deinit { apus_heap_free(cells) }

    /// Cell (i, j) is the length for the first i and j bytes.
    private func fill() {
        let (firstBytes, secondBytes) = (first.start, second.start)
        for column in 0..<width { cells[column] = 0 }
        var row = 1
        while row <= first.count {
            let above = cells + (row &- 1) &* width
            let current = cells + row &* width
            let byte = firstBytes.load(fromByteOffset: row &- 1, as: UInt8.self)
            current[0] = 0
            var column = 1
            while column < width {
                current[column] =
                    byte == secondBytes.load(fromByteOffset: column &- 1, as: UInt8.self)
                    ? above[column &- 1] &+ 1 : max(above[column], current[column &- 1])
                column &+= 1
            }
            row &+= 1
        }
    }

    private func cell(_ row: Int, _ column: Int) -> UInt32 { cells[row * width + column] }

    var count: Int { Int(cell(first.count, second.count)) }

    /// The subsequence itself.
    var bytes: [UInt8] {
        var result = [UInt8](repeating: 0, count: count)
        var (row, column, left) = (first.count, second.count, count)
        while left > 0 {
            if first[row - 1] == second[column - 1] {
                left -= 1
                result[left] = first[row - 1]
                row -= 1
                column -= 1
            } else {
                step(&row, &column)
            }
        }
        return result
    }

    /// One cell back from where the strings differ.
    private func step(_ row: inout Int, _ column: inout Int) {
        if cell(row - 1, column) > cell(row, column - 1) { row -= 1 } else { column -= 1 }
    }

    /// The runs it consists of, last first, without those shorter than `least`.
    func matches(atLeast least: Int64) -> [Match] {
        var result: [Match] = []
        var (row, column) = (first.count, second.count)
        var run: Match?
        while row > 0 && column > 0 {
            if first[row - 1] == second[column - 1] {
                row -= 1
                column -= 1
                let end = run ?? Match(first: row...row, second: column...column)
                run = Match(
                    first: row...end.first.upperBound, second: column...end.second.upperBound)
            } else {
                step(&row, &column)
                Self.finish(&run, least, &result)
            }
        }
        Self.finish(&run, least, &result)
        return result
    }

    private static func finish(_ run: inout Match?, _ least: Int64, _ result: inout [Match]) {
        if let run, Int64(run.first.count) >= least { result.append(run) }
        run = nil
    }
}
