import Glibc

/// Elements on their way through SORT: copies of their texts, what they are weighed by, their order.
///
/// All texts lie in one buffer, each with a zero behind it, since C collates them. Sorting is
/// O(n log n) and stable, without recursion deeper than log n.
struct SortVector: ~Copyable {
    /// How two elements are compared.
    enum Comparison {
        /// By number, equal ones by their bytes.
        case numbers
        /// By bytes, as it is needed where the same order must come out on another machine.
        case bytes
        /// By the rules of the locale.
        case collation
    }

    /// A text in the buffer.
    private struct Span {
        var start: Int
        var count: Int
    }

    private struct Element {
        let text: Span
        var number = 0.0
        /// What it is compared by instead of its text; nil where there is nothing.
        var weight: Span?
    }

    private var buffer = ByteBuffer()
    private var elements: ContiguousArray<Element> = []
    /// Whether elements are compared by weights, present or not.
    private var hasWeights = false

    var count: Int { elements.count }

    private mutating func keep(_ text: ByteView) -> Span {
        let start = buffer.count
        buffer.append(text)
        buffer.append(UInt8(0))
        return Span(start: start, count: text.count)
    }

    private func view(_ span: Span) -> ByteView {
        buffer.view.slice(span.start, span.start + span.count)
    }

    mutating func append(_ text: ByteView) {
        let span = keep(text)
        elements.append(Element(text: span))
    }

    /// The text of an element; valid until the next change.
    subscript(index: Int) -> ByteView { view(elements[index].text) }

    // MARK: - Weighing

    /// Compares by weights from here on; those not told are absent and stand first.
    mutating func useWeights() { hasWeights = true }

    mutating func setWeight(_ text: ByteView, at index: Int) {
        elements[index].weight = keep(text)
    }

    /// Makes the number that a text spells what the element is compared by; false if it is none.
    mutating func setNumber(_ text: ByteView, at index: Int) -> Bool {
        if let integer = NumberText.integer(text) {
            elements[index].number = Double(integer)
            return true
        }
        let mark = buffer.count
        let span = keep(text)
        let number = Self.number(view(span))
        buffer.truncate(to: mark)
        elements[index].number = number ?? 0
        return number != nil
    }

    /// As `setNumber`, of the element's own text.
    mutating func setNumber(at index: Int) -> Bool {
        let text = self[index]
        let number = NumberText.integer(text).map { Double($0) } ?? Self.number(text)
        elements[index].number = number ?? 0
        return number != nil
    }

    /// What `strtod` reads.
    ///
    /// The text has a zero behind it; no text at all is 0.
    private static func number(_ text: ByteView) -> Double? {
        let start = text.start.assumingMemoryBound(to: CChar.self)
        var end: UnsafeMutablePointer<CChar>?
        errno = 0
        let value = strtod(start, &end)
        guard let end, end.pointee == 0, errno != ERANGE, !value.isNaN else { return nil }
        return value
    }

    // MARK: - Sorting

    mutating func sort(by comparison: Comparison, isDescending: Bool) {
        let sorted = elements.sorted { left, right in
            let order = order(left, right, comparison)
            return isDescending ? order > 0 : order < 0
        }
        elements = ContiguousArray(sorted)
    }

    private func order(_ left: Element, _ right: Element, _ comparison: Comparison) -> Int {
        guard comparison == .numbers else {
            guard hasWeights else { return order(left.text, right.text, comparison) }
            switch (left.weight, right.weight) {
            case (nil, nil): return 0
            case (nil, _): return -1
            case (_, nil): return 1
            case (let mine?, let theirs?): return order(mine, theirs, comparison)
            }
        }
        if left.number != right.number { return left.number < right.number ? -1 : 1 }
        return view(left.text).compare(view(right.text))
    }

    private func order(_ left: Span, _ right: Span, _ comparison: Comparison) -> Int {
        let (mine, theirs) = (view(left), view(right))
        if comparison == .bytes { return mine.compare(theirs) }
        return Int(
            strcoll(
                mine.start.assumingMemoryBound(to: CChar.self),
                theirs.start.assumingMemoryBound(to: CChar.self)))
    }
}
