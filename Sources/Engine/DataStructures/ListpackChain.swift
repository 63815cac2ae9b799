import CLinux
import Glibc

/// Either end of a list.
enum ListEnd {
    case front, back

    var other: ListEnd { self == .front ? .back : .front }
}

/// How large the nodes of a chain may become.
struct ChainLimits {
    /// Bytes of entries in a node, and entries in it.
    let bytes: Int
    let count: Int
    /// An element of so many bytes has a node of its own.
    let plainBytes: Int
    /// So many nodes at either end are never compressed; 0: none is.
    let compressDepth: Int

    /// By `list-max-listpack-size`: at most so many elements, or (-1 to -5) 4 to 64 KiB.
    @inline(__always)
    init(nodeSize: Int, plainBytes: Int, compressDepth: Int = 0) {
        if nodeSize < 0 {
            bytes = 2048 << min(-nodeSize, 5)
            count = ChainLimits.mostEntries
        } else {
            bytes = 8192
            count = max(1, min(nodeSize, Int(Int16.max)))
        }
        self.plainBytes = plainBytes
        self.compressDepth = compressDepth
    }

    /// No node holds more, so that its count fits where a listpack keeps it.
    static let mostEntries = 65534
}

/// A long list: nodes of packed entries in a ring of records.
///
///     block:  | count 8 | head 4 | nodes 4 | capacity 4 | - 4 | record | record | …
///     record: | node's block 8 | start 4 | bytes 4 | entries 4, two flags | packed bytes 4 |
///     node:   |   room   | entry | entry | … |   room   |       bytes begin at start
///
/// The entries of a node are those of a listpack, without its header and end, which `Saving` adds:
/// so both ends of a node can move. An element too large for a node is its node's only content,
/// without encoding (a plain node). Push and pop at both ends are O(1): a few stores, a block only
/// once in a few hundred. The middle is found by the counts of the records, which lie in one piece:
/// O(nodes / 2) short steps, then O(entries of a node). Promises: `count` is exact; no node is empty;
/// nodes grow with the list, so that a short one wastes little; the nodes at the ends are never
/// compressed (`ListpackChain+Compression.swift` has those that are).
///
/// A trivial handle over a block that its owner frees and keeps anew after each change.
struct ListpackChain {
    private(set) var block: Block
    let arena: Arena
    /// Where compressed nodes are looked at; without it they can be counted, copied and freed.
    let room: UnpackingRoom?

    private static let headerBytes = 24
    private static let recordBytes = 24

    /// What a chain keeps of a node.
    struct Node {
        var block: Block
        var start: UInt32
        var bytes: UInt32
        var entries: UInt32
        /// What its block holds of a compressed node; 0 of any other.
        var packedBytes: UInt32 = 0

        static let plainFlag: UInt32 = 1 << 31
        /// Compressing it was tried and won nothing.
        static let triedFlag: UInt32 = 1 << 30

        @inline(__always) var isPlain: Bool { entries & Self.plainFlag != 0 }
        @inline(__always) var isPacked: Bool { packedBytes != 0 }
        @inline(__always)
        var count: Int { Int(entries & ~(Self.plainFlag | Self.triedFlag)) }
        /// The bytes of a plain node's element, whose length takes both words.
        var plainBytes: Int { Int(start) << 32 | Int(bytes) }
        /// The bytes of its entries, or of its one element.
        var rawBytes: Int { isPlain ? plainBytes : Int(bytes) }

        init(_ block: Block, start: Int, bytes: Int, count: Int) {
            self.block = block
            self.start = UInt32(truncatingIfNeeded: start)
            self.bytes = UInt32(truncatingIfNeeded: bytes)
            entries = UInt32(truncatingIfNeeded: count)
        }

        init(plain block: Block, bytes: Int) {
            self.block = block
            start = UInt32(truncatingIfNeeded: bytes >> 32)
            self.bytes = UInt32(truncatingIfNeeded: bytes)
            entries = 1 | Self.plainFlag
        }
    }

    // MARK: - Beginning and ending

    @inline(__always)
    init(_ block: Block, in arena: Arena, _ room: UnpackingRoom? = nil) {
        self.block = block
        self.arena = arena
        self.room = room
    }

    /// An empty chain.
    static func create(in arena: Arena, _ room: UnpackingRoom? = nil) -> ListpackChain {
        let capacity = 2
        let chain = ListpackChain(
            Block.allocate(headerBytes + capacity * recordBytes, in: arena), in: arena, room)
        chain.count = 0
        chain.head = 0
        chain.nodeCount = 0
        chain.capacity = capacity
        return chain
    }

    /// A chain of the elements of `listpack`, which is freed.
    static func create(
        from listpack: Listpack, in arena: Arena, _ room: UnpackingRoom? = nil
    ) -> ListpackChain {
        var chain = create(in: arena, room)
        let count = listpack.count
        if count > 0 {
            // Header and end are not needed any more: they become room.
            chain.insertNode(
                Node(
                    listpack.block, start: ListpackFormat.headerBytes,
                    bytes: listpack.bytes - ListpackFormat.emptyBytes, count: count), at: 0)
            chain.count = count
        } else {
            listpack.free()
        }
        return chain
    }

    /// Frees up to `blocks` blocks; true once all are gone.
    func free(blocks: Int) -> Bool {
        var left = blocks
        while nodeCount > 0 && left > 0 {
            let last = nodeCount &- 1
            node(last).pointee.block.free(in: arena)
            nodeCount = last
            left &-= 1
        }
        if nodeCount > 0 { return false }
        block.free(in: arena)
        return true
    }

    /// A copy whose nodes take no more room than they need.
    func copied() -> ListpackChain {
        var copy = ListpackChain.create(in: arena, room)
        for index in 0..<nodeCount {
            let source = node(index).pointee
            let bytes = source.isPacked ? packedContent(of: source) : content(of: source)
            let block = Block.allocate(max(bytes.count, 1), in: arena)
            bytes.copy(to: block.address(in: arena))
            var target = source
            target.block = block
            if !target.isPlain { target.start = 0 }
            copy.insertNode(target, at: index)
        }
        copy.count = count
        return copy
    }

    /// The elements as one listpack, where there is one node of entries; the chain is freed.
    func intoListpack() -> Listpack? {
        guard nodeCount == 1, !node(0).pointee.isPlain else { return nil }
        let source = node(0).pointee
        let entries = content(of: source)
        let total = entries.count + ListpackFormat.emptyBytes
        let target = Block.allocate(total, in: arena)
        let base = target.address(in: arena)
        Saving.writeHeader(entries.count, source.count, to: base)
        entries.copy(to: base + ListpackFormat.headerBytes)
        ListpackFormat.writeEnd(base + (total - 1))
        _ = free(blocks: .max)
        return Listpack(target, in: arena)
    }

    // MARK: - Header

    @inline(__always)
    private var base: UnsafeMutableRawPointer { block.address(in: arena) }

    /// Elements in all.
    private(set) var count: Int {
        @inline(__always) get { base.load(as: Int.self) }
        nonmutating set { base.storeBytes(of: newValue, as: Int.self) }
    }

    @inline(__always)
    private var head: Int {
        get { Int(base.load(fromByteOffset: 8, as: UInt32.self)) }
        nonmutating set {
            base.storeBytes(
                of: UInt32(truncatingIfNeeded: newValue), toByteOffset: 8, as: UInt32.self)
        }
    }

    private(set) var nodeCount: Int {
        @inline(__always) get { Int(base.load(fromByteOffset: 12, as: UInt32.self)) }
        nonmutating set {
            base.storeBytes(
                of: UInt32(truncatingIfNeeded: newValue), toByteOffset: 12, as: UInt32.self)
        }
    }

    /// Records there is room for: a power of two.
    @inline(__always)
    private var capacity: Int {
        get { Int(base.load(fromByteOffset: 16, as: UInt32.self)) }
        nonmutating set {
            base.storeBytes(
                of: UInt32(truncatingIfNeeded: newValue), toByteOffset: 16, as: UInt32.self)
        }
    }

    /// All memory of the chain; O(nodes).
    var memoryBytes: Int {
        var bytes = block.bytes
        for index in 0..<nodeCount { bytes += node(index).pointee.block.bytes }
        return bytes
    }

    // MARK: - The ring of records

    @inline(__always)
    func node(_ index: Int) -> UnsafeMutablePointer<Node> {
        let base = base
        let head = Int(base.load(fromByteOffset: 8, as: UInt32.self))
        let mask = Int(base.load(fromByteOffset: 16, as: UInt32.self)) &- 1
        let slot = (head &+ index) & mask
        return (base + (Self.headerBytes &+ slot &* Self.recordBytes))
            .assumingMemoryBound(to: Node.self)
    }

    /// Puts a record before record `index`, moving those of the shorter side.
    private mutating func insertNode(_ new: Node, at index: Int) {
        if nodeCount == capacity { growRing() }
        let count = nodeCount
        if index < count / 2 {
            head = (head &- 1) & (capacity &- 1)
            for place in 0..<index { node(place).pointee = node(place &+ 1).pointee }
        } else {
            var place = count
            while place > index {
                node(place).pointee = node(place &- 1).pointee
                place &-= 1
            }
        }
        nodeCount = count &+ 1
        node(index).pointee = new
    }

    private mutating func growRing() {
        let old = capacity
        let wrapped = head
        block = block.resized(
            to: Self.headerBytes &+ old &* 2 &* Self.recordBytes, in: arena)
        capacity = old &* 2
        // Records before the old end of the ring came after those behind it.
        let records = base + Self.headerBytes
        memcpy(
            records + old &* Self.recordBytes, records, wrapped &* Self.recordBytes)
    }

    /// Takes `removed` records out from `index` on; their blocks are the caller's.
    private func removeNodes(at index: Int, count removed: Int) {
        let count = nodeCount
        let behind = count &- index &- removed
        if index < behind {
            var place = index &- 1
            while place >= 0 {
                node(place &+ removed).pointee = node(place).pointee
                place &-= 1
            }
            head = (head &+ removed) & (capacity &- 1)
        } else {
            for place in 0..<behind {
                node(index &+ place).pointee = node(index &+ removed &+ place).pointee
            }
        }
        nodeCount = count &- removed
    }

    private func removeNode(_ index: Int) {
        node(index).pointee.block.free(in: arena)
        removeNodes(at: index, count: 1)
    }

    /// Takes out all nodes without entries in one pass.
    private func dropEmptyNodes() {
        var kept = 0
        for index in 0..<nodeCount {
            if node(index).pointee.count == 0 {
                node(index).pointee.block.free(in: arena)
            } else {
                if kept != index { node(kept).pointee = node(index).pointee }
                kept &+= 1
            }
        }
        nodeCount = kept
    }

    // MARK: - Nodes

    /// The entries of a node, or its one plain element; those of a compressed node until the next
    /// one is looked at.
    func content(of node: Node) -> ByteView {
        if node.isPacked { return unpacked(node) }
        let address = UnsafeRawPointer(node.block.address(in: arena))
        return node.isPlain
            ? ByteView(start: address, count: node.plainBytes)
            : ByteView(start: address + Int(node.start), count: Int(node.bytes))
    }

    /// Where the entries of a node begin that is not compressed.
    @inline(__always)
    func entries(of node: Node) -> UnsafeMutableRawPointer {
        node.block.address(in: arena) + Int(node.start)
    }

    private func makePlain(_ element: ByteView) -> Node {
        let block = Block.allocate(max(element.count, 1), in: arena)
        element.copy(to: block.address(in: arena))
        return Node(plain: block, bytes: element.count)
    }

    /// A node with one entry, with room on the side where more will come.
    private func makeNode(_ element: ListpackElement, growing end: ListEnd, _ limits: ChainLimits)
        -> Node
    {
        let size = element.entryBytes
        // A list of a few nodes shall not wait with a whole one empty.
        var wanted = min(limits.bytes, max(512, nodeCount &* 1024))
        if limits.count < ChainLimits.mostEntries { wanted = min(wanted, size &* limits.count) }
        let block = Block.allocate(max(size, wanted), in: arena)
        let start = end == .back ? 0 : block.bytes &- size
        element.write(to: block.address(in: arena) + start)
        return Node(block, start: start, bytes: size, count: 1)
    }

    // MARK: - Both ends

    /// Whether the element has a node of its own.
    @inline(__always)
    private static func isPlain(_ text: ByteView, _ size: Int, _ limits: ChainLimits) -> Bool {
        text.count >= limits.plainBytes || size > limits.bytes
    }

    /// Adds an element at the end told; O(1).
    ///
    /// `text` must not lie in the chain.
    mutating func push(_ text: ByteView, at end: ListEnd, _ limits: ChainLimits) {
        let element = ListpackElement(text)
        let size = element.entryBytes
        let nodes = nodeCount
        count &+= 1
        if nodes > 0 && text.count < limits.plainBytes {
            let last = node(end == .back ? nodes &- 1 : 0)
            let used = Int(last.pointee.bytes)
            if !last.pointee.isPlain && used &+ size <= limits.bytes
                && last.pointee.count < limits.count
            {
                let start = Int(last.pointee.start)
                if end == .back {
                    if start &+ used &+ size <= last.pointee.block.bytes {
                        element.write(to: entries(of: last.pointee) + used)
                        return Self.widen(last, by: size)
                    }
                } else if start >= size {
                    last.pointee.start = UInt32(truncatingIfNeeded: start &- size)
                    element.write(to: entries(of: last.pointee))
                    return Self.widen(last, by: size)
                }
            }
        }
        pushSlowly(text, element, at: end, limits)
        if limits.compressDepth > 0 { packInside(end, limits) }
    }

    @inline(__always)
    private static func widen(_ node: UnsafeMutablePointer<Node>, by size: Int) {
        node.pointee.bytes &+= UInt32(truncatingIfNeeded: size)
        node.pointee.entries &+= 1
    }

    @inline(never)
    private mutating func pushSlowly(
        _ text: ByteView, _ element: ListpackElement, at end: ListEnd, _ limits: ChainLimits
    ) {
        let size = element.entryBytes
        let place = end == .back ? nodeCount : 0
        if Self.isPlain(text, size, limits) {
            return insertNode(makePlain(text), at: place)
        }
        if nodeCount > 0 {
            let last = node(end == .back ? nodeCount &- 1 : 0)
            if fits(last.pointee, size, limits), makeRoom(last, size, at: end, limits) {
                if end == .front { last.pointee.start &-= UInt32(truncatingIfNeeded: size) }
                let offset = end == .back ? Int(last.pointee.bytes) : 0
                element.write(to: entries(of: last.pointee) + offset)
                return Self.widen(last, by: size)
            }
        }
        insertNode(makeNode(element, growing: end, limits), at: place)
    }

    /// Whether `size` bytes more keep the node within the limits.
    private func fits(_ node: Node, _ size: Int, _ limits: ChainLimits) -> Bool {
        !node.isPlain && Int(node.bytes) &+ size <= limits.bytes && node.count < limits.count
    }

    /// Makes room for `size` bytes at one end of a node; false where that would cost too much.
    private func makeRoom(
        _ node: UnsafeMutablePointer<Node>, _ size: Int, at end: ListEnd, _ limits: ChainLimits
    ) -> Bool {
        let used = Int(node.pointee.bytes)
        let capacity = node.pointee.block.bytes
        if used &+ size <= capacity / 2 {
            // Mostly room, but on the wrong side: half of it is won for half of it moved.
            let start = end == .back ? 0 : capacity &- used
            memmove(
                node.pointee.block.address(in: arena) + start, entries(of: node.pointee), used)
            node.pointee.start = UInt32(truncatingIfNeeded: start)
            return true
        }
        guard capacity < limits.bytes else { return false }
        let block = Block.allocate(
            min(limits.bytes, max(capacity &* 2, used &+ size)), in: arena)
        let start = end == .back ? 0 : block.bytes &- used
        memcpy(block.address(in: arena) + start, entries(of: node.pointee), used)
        node.pointee.block.free(in: arena)
        node.pointee.block = block
        node.pointee.start = UInt32(truncatingIfNeeded: start)
        return true
    }

    /// Appends a node of `entries`, which were checked, as they are; false, and nothing is done, where
    /// they are more than a node may hold or too few to be worth one.
    mutating func append(
        entries: ByteView, count added: Int, _ limits: ChainLimits
    ) -> Bool {
        guard added > 0, added <= limits.count, entries.count <= limits.bytes,
            entries.count < limits.plainBytes,
            entries.count > limits.bytes / 8 || added > limits.count / 2
        else { return false }
        let block = Block.allocate(entries.count, in: arena)
        entries.copy(to: block.address(in: arena))
        insertNode(Node(block, start: 0, bytes: entries.count, count: added), at: nodeCount)
        count &+= added
        if limits.compressDepth > 0 { packInside(.back, limits) }
        return true
    }

    /// The element at one end of a chain that is not empty; valid until the next change.
    @inline(__always)
    func value(at end: ListEnd) -> Listpack.Value {
        precondition(nodeCount > 0, "an empty chain has no ends")
        let node = node(end == .back ? nodeCount &- 1 : 0).pointee
        if node.isPlain { return .bytes(content(of: node)) }
        let entries = UnsafeRawPointer(entries(of: node))
        return ListpackFormat.value(
            end == .back ? ListpackFormat.previous(entries + Int(node.bytes)) : entries)
    }

    /// Removes the element at one end of a chain that is not empty; O(1).
    @inline(__always)
    mutating func removeEnd(_ end: ListEnd, _ limits: ChainLimits) {
        let nodes = nodeCount
        precondition(nodes > 0, "an empty chain has no ends")
        let index = end == .back ? nodes &- 1 : 0
        let node = node(index)
        count &-= 1
        if node.pointee.count == 1 {
            removeNode(index)
            return openEnds(limits)
        }
        let entries = UnsafeRawPointer(entries(of: node.pointee))
        let size: Int
        if end == .back {
            let behind = entries + Int(node.pointee.bytes)
            size = behind - ListpackFormat.previous(behind)
        } else {
            size = ListpackFormat.entryBytes(entries)
            node.pointee.start &+= UInt32(truncatingIfNeeded: size)
        }
        node.pointee.bytes &-= UInt32(truncatingIfNeeded: size)
        node.pointee.entries &-= 1
    }

    // MARK: - The middle

    /// Which node holds element `index`, and as which of its entries.
    func locate(_ index: Int) -> (node: Int, entry: Int) {
        precondition(index >= 0 && index < count, "no such element")
        if index < count / 2 {
            var rest = index
            var place = 0
            while true {
                let entries = node(place).pointee.count
                if rest < entries { return (place, rest) }
                rest &-= entries
                place &+= 1
            }
        }
        var behind = count &- index
        var place = nodeCount &- 1
        while true {
            let entries = node(place).pointee.count
            if behind <= entries { return (place, entries &- behind) }
            behind &-= entries
            place &-= 1
        }
    }

    /// Where entry number `index` of a node begins, counted from the first; its count is the end.
    private func offset(of index: Int, in node: Node) -> Int {
        let entries = UnsafeRawPointer(entries(of: node))
        return entry(index, of: node, from: entries) - entries
    }

    /// Entry number `index` of a node whose entries begin at `entries`; its count is the end.
    @inline(__always)
    func entry(
        _ index: Int, of node: Node, from entries: UnsafeRawPointer
    ) -> UnsafeRawPointer {
        ListpackFormat.entry(
            at: index, of: node.count, first: entries, end: entries + Int(node.bytes))
    }

    func value(at index: Int) -> Listpack.Value {
        let (place, entry) = locate(index)
        let node = node(place).pointee
        let content = content(of: node)
        if node.isPlain { return .bytes(content) }
        return ListpackFormat.value(self.entry(entry, of: node, from: content.start))
    }

    /// Puts an element before element `index`, or behind the last at `count`.
    mutating func insert(_ text: ByteView, at index: Int, _ limits: ChainLimits) {
        if index == 0 { return push(text, at: .front, limits) }
        if index == count { return push(text, at: .back, limits) }
        let (place, entry) = locate(index)
        openNode(place)
        insert(text, into: place, before: entry, limits)
        arrange(around: place, limits)
    }

    private mutating func insert(
        _ text: ByteView, into place: Int, before entry: Int, _ limits: ChainLimits
    ) {
        let element = ListpackElement(text)
        let size = element.entryBytes
        count &+= 1
        if Self.isPlain(text, size, limits) {
            return insertNode(makePlain(text), at: divide(place, before: entry))
        }
        if fits(node(place).pointee, size, limits) {
            return write(element, into: place, at: offset(of: entry, in: node(place).pointee), 0)
        }
        let target = divide(place, before: entry)
        if fits(node(target &- 1).pointee, size, limits) {
            openNode(target &- 1)
            return write(element, into: target &- 1, at: Int(node(target &- 1).pointee.bytes), 0)
        }
        insertNode(makeNode(element, growing: .back, limits), at: target)
    }

    /// Writes an entry at `offset` of a node in place of `removing` bytes there, moving what is
    /// behind or in front of it.
    private func write(
        _ element: ListpackElement, into place: Int, at offset: Int, _ removing: Int
    ) {
        let node = node(place)
        let used = Int(node.pointee.bytes)
        let added = element.entryBytes &- removing
        if added > 0 && Int(node.pointee.start) &+ used &+ added > node.pointee.block.bytes {
            makeRoomBehind(node, added)
        }
        let entries = entries(of: node.pointee)
        memmove(
            entries + (offset &+ element.entryBytes), entries + (offset &+ removing),
            used &- offset &- removing)
        element.write(to: entries + offset)
        node.pointee.bytes = UInt32(truncatingIfNeeded: used &+ added)
        if removing == 0 { node.pointee.entries &+= 1 }
    }

    /// Moves the entries to the front of their block, or of a larger one.
    private func makeRoomBehind(_ node: UnsafeMutablePointer<Node>, _ added: Int) {
        let used = Int(node.pointee.bytes)
        if used &+ added <= node.pointee.block.bytes {
            memmove(node.pointee.block.address(in: arena), entries(of: node.pointee), used)
        } else {
            let block = Block.allocate((used &+ added) &* 9 / 8, in: arena)
            memcpy(block.address(in: arena), entries(of: node.pointee), used)
            node.pointee.block.free(in: arena)
            node.pointee.block = block
        }
        node.pointee.start = 0
    }

    /// Makes entry `entry` the first of its node, by dividing it in two if it is not; returns that
    /// node's number.
    private mutating func divide(_ place: Int, before entry: Int) -> Int {
        if entry == 0 { return place }
        let old = node(place).pointee
        precondition(!old.isPlain && entry < old.count, "no such entry")
        let offset = offset(of: entry, in: old)
        let bytes = Int(old.bytes) &- offset
        let block = Block.allocate(bytes, in: arena)
        memcpy(block.address(in: arena), entries(of: old) + offset, bytes)
        node(place).pointee.bytes = UInt32(truncatingIfNeeded: offset)
        node(place).pointee.entries = UInt32(truncatingIfNeeded: entry)
        insertNode(Node(block, start: 0, bytes: bytes, count: old.count &- entry), at: place &+ 1)
        return place &+ 1
    }

    /// Puts `text` in place of element `index`.
    mutating func replace(at index: Int, with text: ByteView, _ limits: ChainLimits) {
        let (place, entry) = locate(index)
        openNode(place)
        defer { arrange(around: place, limits) }
        let old = node(place).pointee
        let element = ListpackElement(text)
        let plain = Self.isPlain(text, element.entryBytes, limits)
        if !plain && !old.isPlain {
            let offset = offset(of: entry, in: old)
            let size = ListpackFormat.entryBytes(entries(of: old) + offset)
            if Int(old.bytes) &- size &+ element.entryBytes <= limits.bytes {
                return write(element, into: place, at: offset, size)
            }
        }
        if old.count == 1 {
            node(place).pointee =
                plain ? makePlain(text) : makeNode(element, growing: .back, limits)
            return old.block.free(in: arena)
        }
        insert(text, at: index, limits)
        remove(from: index &+ 1, count: 1, limits)
    }

    // MARK: - Removing

    /// Removes up to `removed` elements from element `index` on.
    ///
    /// O(nodes).
    mutating func remove(from index: Int, count removed: Int, _ limits: ChainLimits) {
        var left = min(removed, count &- index)
        guard left > 0 else { return }
        var (place, entry) = locate(index)
        let first = place
        count &-= left
        if entry > 0 {
            openNode(place)
            left &-= cut(place, from: entry, count: left)
            place &+= 1
        }
        let firstWhole = place
        while left > 0 && node(place).pointee.count <= left {
            left &-= node(place).pointee.count
            node(place).pointee.block.free(in: arena)
            place &+= 1
        }
        if left > 0 {
            openNode(place)
            _ = cut(place, from: 0, count: left)
        }
        if place > firstWhole { removeNodes(at: firstWhole, count: place &- firstWhole) }
        entry = min(first, nodeCount &- 1)
        guard entry >= 0 else { return }
        mergeIfSmall(entry, limits)
        openEnds(limits)
        arrange(around: entry, limits)
    }

    /// Removes up to `count` entries of one node, not all of them; returns how many.
    private func cut(_ place: Int, from entry: Int, count: Int) -> Int {
        let node = node(place)
        let removed = min(count, node.pointee.count &- entry)
        let entries = entries(of: node.pointee)
        let from = offset(of: entry, in: node.pointee)
        var end = UnsafeRawPointer(entries + from)
        if entry &+ removed == node.pointee.count {
            end = UnsafeRawPointer(entries + Int(node.pointee.bytes))
        } else {
            for _ in 0..<removed { end = ListpackFormat.next(end) }
        }
        let size = end - UnsafeRawPointer(entries + from)
        if from == 0 {
            node.pointee.start &+= UInt32(truncatingIfNeeded: size)
        } else {
            memmove(entries + from, end, Int(node.pointee.bytes) &- from &- size)
        }
        node.pointee.bytes &-= UInt32(truncatingIfNeeded: size)
        node.pointee.entries &-= UInt32(truncatingIfNeeded: removed)
        return removed
    }

    /// Joins a node that has become small with a neighbour, so that removing here and there does
    /// not leave a chain of crumbs.
    private mutating func mergeIfSmall(_ place: Int, _ limits: ChainLimits) {
        let small = Int(node(place).pointee.bytes) <= limits.bytes / 8
        guard small, !node(place).pointee.isPlain, nodeCount > 2 else { return }
        if place &+ 1 < nodeCount && join(place, limits) { return }
        if place > 0 { _ = join(place &- 1, limits) }
    }

    /// Appends the entries of the node behind `place` to it, where both together leave room.
    private mutating func join(_ place: Int, _ limits: ChainLimits) -> Bool {
        let other = node(place &+ 1).pointee
        let node = node(place)
        guard !other.isPlain, !node.pointee.isPlain,
            Int(node.pointee.bytes) &+ Int(other.bytes) <= limits.bytes / 2,
            node.pointee.count &+ other.count <= limits.count
        else { return false }
        openNode(place)
        openNode(place &+ 1)
        return append(place &+ 1, to: node)
    }

    private func append(_ place: Int, to node: UnsafeMutablePointer<Node>) -> Bool {
        let other = self.node(place).pointee
        let used = Int(node.pointee.bytes)
        if Int(node.pointee.start) &+ used &+ Int(other.bytes) > node.pointee.block.bytes {
            makeRoomBehind(node, Int(other.bytes))
        }
        memcpy(entries(of: node.pointee) + used, entries(of: other), Int(other.bytes))
        node.pointee.bytes &+= other.bytes
        node.pointee.entries &+= UInt32(truncatingIfNeeded: other.count)
        removeNode(place)
        return true
    }

    /// Removes up to `most` elements that equal `element`, counted from the end told; returns how
    /// many there were.
    ///
    /// O(n).
    mutating func remove(
        _ text: ByteView, atMost most: Int, from end: ListEnd, _ limits: ChainLimits
    ) -> Int {
        let element = ListpackElement(text)
        var removed = 0
        let nodes = nodeCount
        for step in 0..<nodes where removed < most {
            let place = end == .front ? step : nodes &- 1 &- step
            if node(place).pointee.isPacked {
                guard holds(node(place).pointee, element, text) else { continue }
                openNode(place)
            }
            removed &+= filter(node(place), element, text, most &- removed, from: end)
        }
        count &-= removed
        if removed > 0 {
            dropEmptyNodes()
            openEnds(limits)
            packAll(limits)
        }
        return removed
    }

    /// Whether a node has an entry, or is an element, that equals this one.
    private func holds(_ node: Node, _ element: ListpackElement, _ text: ByteView) -> Bool {
        let content = content(of: node)
        if node.isPlain { return content == text }
        var place = content.start
        for _ in 0..<node.count {
            if element.matches(place) { return true }
            place = ListpackFormat.next(place)
        }
        return false
    }

    private func filter(
        _ node: UnsafeMutablePointer<Node>, _ element: ListpackElement, _ text: ByteView,
        _ most: Int, from end: ListEnd
    ) -> Int {
        if node.pointee.isPlain {
            guard content(of: node.pointee) == text else { return 0 }
            node.pointee.entries = 0
            return 1
        }
        return end == .front
            ? filterForward(node, element, most) : filterBackward(node, element, most)
    }

    /// Keeps the entries that differ, packed to the front.
    private func filterForward(
        _ node: UnsafeMutablePointer<Node>, _ element: ListpackElement, _ most: Int
    ) -> Int {
        let start = entries(of: node.pointee)
        var source = UnsafeRawPointer(start)
        let end = source + Int(node.pointee.bytes)
        var target = start
        var removed = 0
        while source < end && removed < most {
            let size = ListpackFormat.entryBytes(source)
            if element.matches(source) {
                removed &+= 1
            } else {
                if removed > 0 { memmove(target, source, size) }
                target += size
            }
            source += size
        }
        if removed == 0 { return 0 }
        memmove(target, source, end - source)
        node.pointee.bytes &-= UInt32(truncatingIfNeeded: source - UnsafeRawPointer(target))
        node.pointee.entries &-= UInt32(truncatingIfNeeded: removed)
        return removed
    }

    /// Keeps the entries that differ, packed to the back.
    private func filterBackward(
        _ node: UnsafeMutablePointer<Node>, _ element: ListpackElement, _ most: Int
    ) -> Int {
        let start = entries(of: node.pointee)
        var source = UnsafeRawPointer(start + Int(node.pointee.bytes))
        var target = start + Int(node.pointee.bytes)
        var removed = 0
        while source > UnsafeRawPointer(start) && removed < most {
            let entry = ListpackFormat.previous(source)
            if element.matches(entry) {
                removed &+= 1
            } else {
                target -= source - entry
                if removed > 0 { memmove(target, entry, source - entry) }
            }
            source = entry
        }
        if removed == 0 { return 0 }
        let before = source - UnsafeRawPointer(start)
        memmove(target - before, start, before)
        let shift = UInt32(truncatingIfNeeded: UnsafeRawPointer(target) - source)
        node.pointee.start &+= shift
        node.pointee.bytes &-= shift
        node.pointee.entries &-= UInt32(truncatingIfNeeded: removed)
        return removed
    }

    // MARK: - Walking

    /// Walks from element `index` on, or from before it backwards; `count` is the end.
    func cursor(at index: Int) -> ListpackChainCursor {
        precondition(index >= 0 && index <= count, "no such element")
        if index == count {
            return ListpackChainCursor(self, node: nodeCount, entry: 0)
        }
        let (node, entry) = locate(index)
        return ListpackChainCursor(self, node: node, entry: entry)
    }

    // MARK: - Saving

    /// A node as it is saved.
    enum Saving {
        /// One element's bytes.
        case plain(ByteView)
        /// A listpack: this header, these entries, and the end mark.
        case packed(header: UInt64, entries: ByteView)

        static func writeHeader(_ bytes: Int, _ count: Int, to base: UnsafeMutableRawPointer) {
            ListpackFormat.setTotalBytes(base, bytes + ListpackFormat.emptyBytes)
            ListpackFormat.setCount(base, count)
        }
    }

    /// Node `index` as it is saved; the low six bytes of `header`, little-endian, come first.
    func saving(_ index: Int) -> Saving {
        precondition(index >= 0 && index < nodeCount, "no such node")
        let node = node(index).pointee
        if node.isPlain { return .plain(content(of: node)) }
        let total = UInt64(node.bytes) + UInt64(ListpackFormat.emptyBytes)
        return .packed(header: total | UInt64(node.count) << 32, entries: content(of: node))
    }

    /// Stops the process where a count or a length is wrong; for tests.
    func checkInvariants(_ limits: ChainLimits) {
        var total = 0
        for index in 0..<nodeCount {
            let node = node(index).pointee
            total += node.count
            precondition(node.count > 0, "an empty node")
            let distance = min(index, nodeCount - 1 - index)
            precondition(
                distance >= max(limits.compressDepth, 1) || !node.isPacked,
                "a node near an end is compressed")
            if node.isPlain { continue }
            if node.isPacked {
                var place = content(of: node).start
                let end = place + Int(node.bytes)
                for _ in 0..<node.count { place = ListpackFormat.next(place) }
                precondition(place == end, "a wrong length of a compressed node")
                continue
            }
            precondition(Int(node.start) + Int(node.bytes) <= node.block.bytes, "beyond its block")
            var place = UnsafeRawPointer(entries(of: node))
            for _ in 0..<node.count { place = ListpackFormat.next(place) }
            precondition(
                place == UnsafeRawPointer(entries(of: node)) + Int(node.bytes), "a wrong length")
        }
        precondition(total == count, "a wrong count")
    }
}
