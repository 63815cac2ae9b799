import CLinux

/// The names of the functions on the stack, from the program's own table of symbols.
///
/// For crash reports: the C library knows only what a program exports, and ours exports nothing. The
/// table is that of an ELF file of 64 bits (`.symtab`; System V gABI, chapter 4), which stays in a
/// program that is stripped of its debugging information alone.
public enum StackNames {
    /// A line a frame of the caller, the innermost first; empty where the program has no table.
    ///
    /// Reads the program's file: milliseconds, and memory of its size for the time being.
    public static func lines() -> [String] {
        guard let image = try? File.readWhole("/proc/self/exe", limit: 1 << 30),
            let symbols = SymbolTable(image)
        else { return [] }
        var base: UInt = 0
        var addresses = [UInt](repeating: 0, count: 64)
        let count = apus_return_addresses(&addresses, Int32(addresses.count), &base)
        return addresses.prefix(Int(count)).map { address in
            let text = "0x" + String(address, radix: 16)
            guard let found = symbols.function(around: UInt64(address &- base)) else { return text }
            return "\(text) \(demangled(found.name)) + \(found.offset)"
        }
    }

    /// A name of Swift as it is written; any other as it is.
    static func demangled(_ symbol: String) -> String {
        guard symbol.hasPrefix("$s"), let name = apus_demangle(symbol) else { return symbol }
        defer { apus_free_name(name) }
        return String(cString: name)
    }
}

/// The functions of an ELF file by their addresses.
struct SymbolTable {
    private let image: [UInt8]
    private var names = 0..<0
    private var functions: [(start: UInt64, size: UInt64, name: Int)] = []

    /// Nil where the bytes are no such file, or one without a table.
    init?(_ image: [UInt8]) {
        self.image = image
        guard image.starts(with: [0x7F, 0x45, 0x4C, 0x46, 2, 1]) else { return nil }
        let (table, stride, count) = (number(at: 0x28, 8), number(at: 0x3A, 2), number(at: 0x3C, 2))
        guard table > 0, table < image.count, stride >= 64 else { return nil }
        for index in 0..<count {
            let section = table + index * stride
            guard number(at: section + 4, 4) == 2 else { continue }
            let link = table + number(at: section + 0x28, 4) * stride
            guard let symbols = range(of: section), let names = range(of: link) else { return nil }
            self.names = names
            readFunctions(symbols)
            return
        }
        return nil
    }

    /// The bytes that the header of a section at `place` speaks of.
    private func range(of place: Int) -> Range<Int>? {
        let (start, size) = (number(at: place + 0x18, 8), number(at: place + 0x20, 8))
        guard start <= image.count, size <= image.count - start else { return nil }
        return start..<start + size
    }

    private mutating func readFunctions(_ symbols: Range<Int>) {
        for place in stride(from: symbols.lowerBound, to: symbols.upperBound - 23, by: 24) {
            guard image[place + 4] & 0xF == 2 else { continue }
            let start = UInt64(number(at: place + 8, 8))
            guard start > 0 else { continue }
            functions.append((start, UInt64(number(at: place + 16, 8)), number(at: place, 4)))
        }
        functions.sort { $0.start < $1.start }
    }

    /// A little-endian number, as far as it is one of ours: 0 beyond the end, or where it is too large.
    private func number(at place: Int, _ bytes: Int) -> Int {
        guard place >= 0, place <= image.count - bytes else { return 0 }
        let value = image[place..<place + bytes].reversed().reduce(UInt64(0)) {
            $0 << 8 | UInt64($1)
        }
        return value < 1 << 48 ? Int(value) : 0
    }

    /// The function that holds the address, and how far behind its beginning that is.
    func function(around address: UInt64) -> (name: String, offset: UInt64)? {
        var (low, high) = (0, functions.count)
        while low < high {
            let middle = (low + high) / 2
            if functions[middle].start <= address { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return nil }
        let found = functions[low - 1]
        guard address - found.start < max(found.size, 1) else { return nil }
        let start = names.lowerBound + found.name
        guard found.name >= 0, start < names.upperBound else { return nil }
        let text = image[start..<names.upperBound].prefix { $0 != 0 }
        return (String(decoding: text, as: UTF8.self), address - found.start)
    }
}
