/// Walks over a chain, either way; dead after its next change.
///
/// An element is valid until the next step: it may lie in a compressed node.
struct ListpackChainCursor {
    private let chain: ListpackChain?
    private var node: Int
    /// The next entry; entries of this node before and after it.
    private var place: UnsafeRawPointer
    private var before: Int
    private var after: Int
    private var isPlain = false
    private var plain = ByteView.empty

    init(_ chain: ListpackChain, node: Int, entry: Int) {
        self.chain = chain
        self.node = node
        place = ByteView.empty.start
        before = 0
        after = 0
        if node < chain.nodeCount {
            enter(node, entry: entry, chain)
        }
    }

    /// Walks over one listpack of `count` entries, from entry number `entry` on.
    init(_ listpack: Listpack, at entry: Int) {
        chain = nil
        node = 0
        let bytes = listpack.view
        let count = listpack.count
        precondition(entry >= 0 && entry <= count, "no such element")
        let first = bytes.start + ListpackFormat.headerBytes
        place = ListpackFormat.entry(
            at: entry, of: count, first: first, end: bytes.start + (bytes.count - 1))
        before = entry
        after = count - entry
    }

    private mutating func enter(_ index: Int, entry: Int, _ chain: ListpackChain) {
        let record = chain.node(index).pointee
        node = index
        before = entry
        after = record.count &- entry
        isPlain = record.isPlain
        if isPlain {
            plain = chain.content(of: record)
            return
        }
        let entries = chain.content(of: record).start
        place = entry == 0 ? entries : chain.entry(entry, of: record, from: entries)
    }

    /// The element here, and a step forward; nil at the end.
    @inline(__always)
    mutating func next() -> Listpack.Value? {
        if after == 0 && !enterNext() { return nil }
        after &-= 1
        before &+= 1
        if isPlain { return .bytes(plain) }
        let value = ListpackFormat.value(place)
        place = ListpackFormat.next(place)
        return value
    }

    /// A step backward and the element there; nil at the beginning.
    @inline(__always)
    mutating func previous() -> Listpack.Value? {
        if before == 0 && !enterPrevious() { return nil }
        after &+= 1
        before &-= 1
        if isPlain { return .bytes(plain) }
        place = ListpackFormat.previous(place)
        return ListpackFormat.value(place)
    }

    @inline(never)
    private mutating func enterNext() -> Bool {
        guard let chain, node &+ 1 < chain.nodeCount else { return false }
        enter(node &+ 1, entry: 0, chain)
        return true
    }

    @inline(never)
    private mutating func enterPrevious() -> Bool {
        guard let chain, node > 0 else { return false }
        let index = node &- 1
        enter(index, entry: chain.node(index).pointee.count, chain)
        return true
    }
}
