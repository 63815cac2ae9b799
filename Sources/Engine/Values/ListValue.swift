/// A list as commands see it: one listpack while it is short, a chain of them beyond.
///
/// Push and pop are O(1), the middle is O(nodes / 2). Both forms are called `quicklist`, as Redis 7.0
/// calls them. A trivial handle around an entry; dead when its key changes otherwise. Bytes written
/// must not lie in the list itself.
struct ListValue {
    private enum Encoding {
        static let listpack: UInt8 = 0
        static let chain: UInt8 = 1
    }

    let entry: Entry
    private let arena: Arena
    private let room: UnpackingRoom
    private let limits: ChainLimits

    /// A longer list is a chain: at the front of a listpack all bytes behind must move.
    private static let longestListpack = 1024
    /// A chain of one node with less is a listpack again.
    private static let shortestChain = 256

    static let encodingName: StaticString = "quicklist"

    @inline(__always)
    init(_ entry: Entry, _ context: ValueContext) {
        self.entry = entry
        arena = context.arena
        room = context.unpacking
        let limits = context.limits
        self.limits = ChainLimits(
            nodeSize: limits.listNodeSize, plainBytes: limits.listPlainBytes,
            compressDepth: limits.listCompressDepth)
    }

    /// What a new list hangs off its entry.
    static func makeEmpty(in arena: Arena) -> CollectionValue {
        CollectionValue(
            type: .list, encoding: Encoding.listpack,
            payload: Listpack.create(in: arena, capacity: 24).block.word)
    }

    @inline(__always)
    private var isChain: Bool { entry.encoding == Encoding.chain }

    @inline(__always)
    private var chain: ListpackChain {
        ListpackChain(Block(word: entry.payload), in: arena, room)
    }

    @inline(__always)
    private var listpack: Listpack { Listpack(Block(word: entry.payload), in: arena) }

    @inline(__always)
    private func keep(_ chain: ListpackChain) { entry.payload = chain.block.word }

    private func keep(_ listpack: Listpack) { entry.payload = listpack.block.word }

    // MARK: - Reading

    @inline(__always)
    var count: Int { isChain ? chain.count : listpack.count }

    /// The element at one end of a list that is not empty.
    @inline(__always)
    func value(at end: ListEnd) -> Listpack.Value {
        if isChain { return chain.value(at: end) }
        return shortValue(at: end)
    }

    private func shortValue(at end: ListEnd) -> Listpack.Value {
        let listpack = listpack
        guard let position = end == .front ? listpack.first : listpack.last else {
            preconditionFailure("an empty list has no ends")
        }
        return listpack[position]
    }

    /// Element `index`, which must exist.
    func value(at index: Int) -> Listpack.Value {
        if isChain { return chain.value(at: index) }
        guard index >= 0, let value = listpack.value(at: index) else {
            preconditionFailure("no such element")
        }
        return value
    }

    /// Walks from element `index` on, or from before it backwards; `count` is the end.
    func cursor(at index: Int) -> ListpackChainCursor {
        isChain ? chain.cursor(at: index) : ListpackChainCursor(listpack, at: index)
    }

    // MARK: - Both ends

    /// O(1) but for a new node now and then.
    @inline(__always)
    func push(_ text: ByteView, at end: ListEnd) {
        guard isChain else { return pushShort(text, at: end) }
        var chain = chain
        chain.push(text, at: end, limits)
        keep(chain)
    }

    @inline(never)
    private func pushShort(_ text: ByteView, at end: ListEnd) {
        let element = ListpackElement(text)
        guard fitsListpack(text, element.entryBytes, adding: 1) else {
            becomeChain()
            return push(text, at: end)
        }
        var listpack = listpack
        if end == .back { listpack.append(element) } else { listpack.prepend(element) }
        keep(listpack)
    }

    /// Appends the `count` elements of a listpack that was checked: whole where our limits allow.
    ///
    /// O(bytes).
    func append(checked bytes: ByteView, count: Int) {
        if !isChain && listpack.isEmpty && fitsListpack(bytes, bytes.count, adding: count) {
            listpack.free()
            return keep(Listpack.create(copying: bytes, in: arena))
        }
        if bytes.count > Self.longestListpack {
            if !isChain { becomeChain() }
            var chain = chain
            let entries = bytes.slice(ListpackFormat.headerBytes, bytes.count - 1)
            let isWhole = chain.append(entries: entries, count: count, limits)
            keep(chain)
            if isWhole { return }
        }
        guard var cursor = ListpackCursor(checked: bytes) else {
            preconditionFailure("a listpack that was not checked")
        }
        while let value = cursor.next() { value.withText { push($0, at: .back) } }
    }

    private func fitsListpack(_ text: ByteView, _ bytes: Int, adding entries: Int) -> Bool {
        text.count < limits.plainBytes
            && listpack.bytes &+ bytes <= min(Self.longestListpack, limits.bytes)
            && listpack.count &+ entries <= limits.count
    }

    private func becomeChain() {
        keep(ListpackChain.create(from: listpack, in: arena, room))
        entry.encoding = Encoding.chain
    }

    /// Removes the element at one end of a list that is not empty.
    ///
    /// O(1).
    @inline(__always)
    func removeEnd(_ end: ListEnd) {
        guard isChain else { return removeShortEnd(end) }
        var chain = chain
        chain.removeEnd(end, limits)
        if chain.nodeCount == 1 { settle() }
    }

    @inline(never)
    private func removeShortEnd(_ end: ListEnd) {
        var listpack = listpack
        guard let position = end == .front ? listpack.first : listpack.last else {
            preconditionFailure("an empty list has no ends")
        }
        listpack.remove(at: position)
        keep(listpack)
    }

    /// Takes the element at one end to the same end or the other.
    func rotate(from: ListEnd, to: ListEnd) {
        guard from != to else { return }
        // The bytes must not lie in the list while it changes.
        value(at: from).array.withByteView { push($0, at: to) }
        removeEnd(from)
    }

    /// Turns a chain that has become short into a listpack.
    private func settle() {
        let chain = chain
        guard chain.nodeCount == 1, case .packed(_, let entries) = chain.saving(0),
            entries.count < Self.shortestChain, let listpack = chain.intoListpack()
        else { return }
        keep(listpack)
        entry.encoding = Encoding.listpack
    }

    // MARK: - The middle

    /// Puts `text` before element `index`, or behind the last at `count`.
    func insert(_ text: ByteView, at index: Int) {
        if !isChain {
            let element = ListpackElement(text)
            if fitsListpack(text, element.entryBytes, adding: 1) {
                var listpack = listpack
                _ = listpack.insert(element, at: listpack.position(at: index) ?? listpack.end)
                return keep(listpack)
            }
            becomeChain()
        }
        var chain = chain
        chain.insert(text, at: index, limits)
        keep(chain)
    }

    /// Puts `text` in place of element `index`.
    func replace(at index: Int, with text: ByteView) {
        if !isChain {
            let element = ListpackElement(text)
            if fitsListpack(text, element.entryBytes, adding: 0),
                let position = listpack.position(at: index)
            {
                var listpack = listpack
                listpack.replace(at: position, with: element)
                return keep(listpack)
            }
            becomeChain()
        }
        var chain = chain
        chain.replace(at: index, with: text, limits)
        keep(chain)
    }

    /// Removes up to `count` elements from element `index` on.
    func remove(from index: Int, count: Int) {
        if !isChain {
            var listpack = listpack
            listpack.remove(from: index, count: count)
            return keep(listpack)
        }
        var chain = chain
        chain.remove(from: index, count: count, limits)
        keep(chain)
        settle()
    }

    /// Removes up to `most` elements that equal `text`, from the end told; returns how many.
    ///
    /// O(n).
    func remove(_ text: ByteView, atMost most: Int, from end: ListEnd) -> Int {
        // A chain does it in one pass; a listpack is short enough to become one for it.
        if !isChain {
            guard listpack.find(ListpackElement(text)) != nil else { return 0 }
            becomeChain()
        }
        var chain = chain
        let removed = chain.remove(text, atMost: most, from: end, limits)
        keep(chain)
        settle()
        return removed
    }

    // MARK: - Saving

    /// The nodes that are written: a listpack is one.
    var savedNodeCount: Int { isChain ? chain.nodeCount : 1 }

    func savedNode(_ index: Int) -> ListpackChain.Saving {
        if isChain { return chain.saving(index) }
        let bytes = listpack.view
        return .packed(
            header: UInt64(bytes.number(at: 0, as: UInt32.self))
                | UInt64(bytes.number(at: 4, as: UInt16.self)) << 32,
            entries: bytes.slice(ListpackFormat.headerBytes, bytes.count - 1))
    }

    // MARK: - As a collection

    static func blockCount(_ encoding: UInt8, _ payload: UInt64, in arena: Arena) -> Int {
        guard encoding == Encoding.chain else { return 1 }
        return ListpackChain(Block(word: payload), in: arena).nodeCount &+ 1
    }

    static func free(
        _ encoding: UInt8, _ payload: UInt64, blocks: Int, in arena: Arena
    ) -> Bool {
        guard encoding == Encoding.chain else {
            Block(word: payload).free(in: arena)
            return true
        }
        return ListpackChain(Block(word: payload), in: arena).free(blocks: blocks)
    }

    static func memoryBytes(_ encoding: UInt8, _ payload: UInt64, in arena: Arena) -> Int {
        guard encoding == Encoding.chain else { return Block(word: payload).bytes }
        return ListpackChain(Block(word: payload), in: arena).memoryBytes
    }

    static func copy(_ encoding: UInt8, _ payload: UInt64, in arena: Arena) -> UInt64 {
        guard encoding == Encoding.chain else {
            return Listpack(Block(word: payload), in: arena).copied().block.word
        }
        return ListpackChain(Block(word: payload), in: arena).copied().block.word
    }
}
