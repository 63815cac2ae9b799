import CLinux

/// The text of INFO as it grows: sections with a heading and lines `name:value`, each ended by
/// CR LF, an empty line between sections.
struct InfoText {
    private(set) var text = ""

    mutating func section(_ title: String) {
        if !text.isEmpty { text += "\r\n" }
        text += "# \(title)\r\n"
    }

    mutating func field(_ name: String, _ value: String) { text += "\(name):\(value)\r\n" }
    mutating func field(_ name: String, _ value: some BinaryInteger) {
        text += "\(name):\(value)\r\n"
    }
    mutating func field(_ name: String, _ value: Bool) { field(name, value ? 1 : 0) }

    /// A number with two decimals.
    mutating func field(_ name: String, ratio value: Double) { field(name, value.text(places: 2)) }

    /// A share of a whole, `12.50%`.
    mutating func field(_ name: String, percent value: Double) {
        field(name, value.text(places: 2) + "%")
    }

    /// A number of bytes as such, and again in units one can read.
    mutating func bytes(_ name: String, _ count: Int) {
        field(name, count)
        field(name + "_human", InfoText.readable(bytes: count))
    }

    /// `512B`, `1.50K`, `2.00G`: powers of 1024 with two decimals.
    static func readable(bytes: Int) -> String {
        if bytes < 1024 { return "\(bytes)B" }
        var value = Double(bytes) / 1024
        for unit in ["K", "M", "G", "T"] {
            if value < 1024 { return value.text(places: 2) + unit }
            value /= 1024
        }
        return value.text(places: 2) + "P"
    }
}

extension Double {
    /// Decimal text with a fixed number of places, rounded as printf(3) does.
    func text(places: Int) -> String { NumberText.fixed(self, decimals: places) }

    /// As `text(places: 6)` without zeros at the end: `99.9`, `50`.
    var shortText: String {
        var text = text(places: 6)
        while text.last == "0" { text.removeLast() }
        if text.last == "." { text.removeLast() }
        return text
    }
}
