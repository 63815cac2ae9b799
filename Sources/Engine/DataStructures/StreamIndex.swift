import Glibc

/// Values ordered by stream id: a B+tree of arena blocks.
///
/// Promises: find, insert and remove in O(log n), the first and last in O(1), walking either way at
/// a step each; ids that come in order leave full leaves behind, so that a stream's nodes and the
/// entries a group has read cost 20 bytes each and a little (24 with values of 8 bytes). Values are
/// plain words; what they name belongs to the caller.
///
///     state:      | count 8 | bytes 8 | root 4 | first leaf 4 | last leaf 4 | levels 4 |
///     leaf:       | count 2 | capacity 2 | next 4 | previous 4 | - 4 | id 16 each | value each |
///     inner node: | count 2 | - 6 | id 16 each | child 4 each |      1024 bytes for 50 children
///
/// The id beside a child is not above any id below it, and above all ids of the child before it; that
/// of child 0 is not looked at. A tree of one leaf has one as small as its ids need, a larger tree
/// has leaves of 512 bytes. Must stay true: no node is empty; leaves are linked in order.
///
/// A handle to state that its owner keeps at a fixed address. Positions are dead after a change.
struct StreamIndex<Value: FixedWidthInteger & UnsignedInteger> {
    typealias Handle = Arena.Handle

    /// What the owner keeps; all zero when empty.
    struct State {
        fileprivate(set) var count = 0
        fileprivate var bytes = 0
        fileprivate var root = Handle.none
        fileprivate var firstLeaf = Handle.none
        fileprivate var lastLeaf = Handle.none
        fileprivate var levels: UInt32 = 0
    }

    /// A place in a leaf.
    struct Position {
        fileprivate let leaf: Handle
        fileprivate let index: Int
    }

    private let state: UnsafeMutablePointer<State>
    private let arena: Arena

    /// The index whose state stands at `state`.
    @inline(__always)
    init(_ state: UnsafeMutablePointer<State>, in arena: Arena) {
        self.state = state
        self.arena = arena
    }

    // MARK: - Figures

    @inline(__always)
    var count: Int { state.pointee.count }
    @inline(__always)
    var isEmpty: Bool { state.pointee.count == 0 }

    /// Every byte of the nodes, exactly.
    var memoryBytes: Int { state.pointee.bytes }

    /// Leaves and inner nodes, about: what freeing them takes.
    var nodeCount: Int { (state.pointee.bytes + Self.leafBytes - 1) / Self.leafBytes }

    // MARK: - Layout

    private static var leafBytes: Int { 512 }
    private static var leafHeader: Int { 16 }
    private static var pairBytes: Int { 16 &+ MemoryLayout<Value>.size }
    private static var fullLeaf: Int { (leafBytes &- leafHeader) / pairBytes }
    private static var innerBytes: Int { 1024 }
    private static var innerHeader: Int { 8 }
    private static var fullInner: Int { 50 }
    /// Nodes with fewer look for a neighbour to join.
    private static var sparseLeaf: Int { fullLeaf / 4 }
    private static var sparseInner: Int { fullInner / 4 }

    @inline(__always)
    private func leaf(_ handle: Handle) -> Leaf { Leaf(start: arena.address(handle)) }
    @inline(__always)
    private func inner(_ handle: Handle) -> Inner { Inner(start: arena.address(handle)) }

    /// Sorted ids and their values.
    private struct Leaf {
        let start: UnsafeMutableRawPointer

        @inline(__always)
        var count: Int {
            get { Int(start.load(as: UInt16.self)) }
            nonmutating set {
                start.storeBytes(of: UInt16(truncatingIfNeeded: newValue), as: UInt16.self)
            }
        }
        @inline(__always)
        var capacity: Int {
            get { Int(start.load(fromByteOffset: 2, as: UInt16.self)) }
            nonmutating set {
                start.storeBytes(
                    of: UInt16(truncatingIfNeeded: newValue), toByteOffset: 2, as: UInt16.self)
            }
        }
        @inline(__always)
        var next: Handle {
            get { Handle(raw: start.load(fromByteOffset: 4, as: UInt32.self)) }
            nonmutating set { start.storeBytes(of: newValue.raw, toByteOffset: 4, as: UInt32.self) }
        }
        @inline(__always)
        var previous: Handle {
            get { Handle(raw: start.load(fromByteOffset: 8, as: UInt32.self)) }
            nonmutating set { start.storeBytes(of: newValue.raw, toByteOffset: 8, as: UInt32.self) }
        }
        @inline(__always)
        var ids: UnsafeMutablePointer<StreamID> {
            (start + StreamIndex.leafHeader).assumingMemoryBound(to: StreamID.self)
        }
        @inline(__always)
        var values: UnsafeMutablePointer<Value> {
            (start + (StreamIndex.leafHeader &+ 16 &* capacity))
                .assumingMemoryBound(to: Value.self)
        }

        /// The first place whose id is not below `id`.
        @inline(__always)
        func place(of id: StreamID) -> Int {
            let ids = ids
            var low = 0
            var rest = count
            while rest > 0 {
                let half = rest >> 1
                let isBelow = ids[low &+ half] < id
                low = isBelow ? low &+ half &+ 1 : low
                rest = isBelow ? rest &- half &- 1 : half
            }
            return low
        }

        func insert(_ id: StreamID, _ value: Value, at place: Int) {
            let count = count
            precondition(place >= 0 && place <= count && count < capacity, "no room in a leaf")
            let (ids, values) = (ids, values)
            if place < count {
                memmove(ids + place + 1, ids + place, (count &- place) &* 16)
                memmove(
                    values + place + 1, values + place,
                    (count &- place) &* MemoryLayout<Value>.size)
            }
            ids[place] = id
            values[place] = value
            self.count = count &+ 1
        }

        func remove(at place: Int) {
            let count = count
            precondition(place >= 0 && place < count, "no such place in a leaf")
            let (ids, values) = (ids, values)
            let behind = count &- place &- 1
            memmove(ids + place, ids + place + 1, behind &* 16)
            memmove(values + place, values + place + 1, behind &* MemoryLayout<Value>.size)
            self.count = count &- 1
        }

        /// Moves the pairs from `place` on behind those of `target`.
        func moveTail(from place: Int, to target: Leaf) {
            let moved = count &- place
            let there = target.count
            precondition(moved >= 0 && there &+ moved <= target.capacity, "no room in a leaf")
            memcpy(target.ids + there, ids + place, moved &* 16)
            memcpy(
                target.values + there, values + place, moved &* MemoryLayout<Value>.size)
            target.count = there &+ moved
            count = place
        }
    }

    /// Children and the ids that bound them.
    private struct Inner {
        let start: UnsafeMutableRawPointer

        @inline(__always)
        var count: Int {
            get { Int(start.load(as: UInt16.self)) }
            nonmutating set {
                start.storeBytes(of: UInt16(truncatingIfNeeded: newValue), as: UInt16.self)
            }
        }
        @inline(__always)
        var ids: UnsafeMutablePointer<StreamID> {
            (start + StreamIndex.innerHeader).assumingMemoryBound(to: StreamID.self)
        }
        @inline(__always)
        var children: UnsafeMutablePointer<UInt32> {
            (start + (StreamIndex.innerHeader &+ 16 &* StreamIndex.fullInner))
                .assumingMemoryBound(to: UInt32.self)
        }
        @inline(__always)
        func child(_ index: Int) -> Handle {
            precondition(index >= 0 && index < count, "no such child")
            return Handle(raw: children[index])
        }

        /// The child below which `id` is or belongs.
        @inline(__always)
        func index(for id: StreamID) -> Int {
            let ids = ids
            var low = 1
            var rest = count &- 1
            while rest > 0 {
                let half = rest >> 1
                let isNotAbove = !(id < ids[low &+ half])
                low = isNotAbove ? low &+ half &+ 1 : low
                rest = isNotAbove ? rest &- half &- 1 : half
            }
            return low &- 1
        }

        func insert(_ child: Handle, _ id: StreamID, at place: Int) {
            let count = count
            precondition(
                place >= 0 && place <= count && count < StreamIndex.fullInner, "no room in a node")
            memmove(ids + place + 1, ids + place, (count &- place) &* 16)
            memmove(children + place + 1, children + place, (count &- place) &* 4)
            ids[place] = id
            children[place] = child.raw
            self.count = count &+ 1
        }

        func remove(at place: Int) {
            let count = count
            precondition(place >= 0 && place < count, "no such child")
            memmove(ids + place, ids + place + 1, (count &- place &- 1) &* 16)
            memmove(children + place, children + place + 1, (count &- place &- 1) &* 4)
            self.count = count &- 1
        }

        func moveTail(from place: Int, to target: Inner) {
            let moved = count &- place
            let there = target.count
            precondition(
                moved >= 0 && there &+ moved <= StreamIndex.fullInner, "no room in a node")
            memcpy(target.ids + there, ids + place, moved &* 16)
            memcpy(target.children + there, children + place, moved &* 4)
            target.count = there &+ moved
            count = place
        }
    }

    // MARK: - Nodes

    private func makeLeaf(capacity: Int) -> Handle {
        let bytes = Self.leafHeader &+ capacity &* Self.pairBytes
        let handle = arena.allocateEssential(bytes)
        state.pointee.bytes &+= arena.blockBytes(for: bytes)
        let leaf = leaf(handle)
        leaf.count = 0
        leaf.capacity = capacity
        leaf.next = .none
        leaf.previous = .none
        return handle
    }

    private func freeLeaf(_ handle: Handle) {
        let bytes = Self.leafHeader &+ leaf(handle).capacity &* Self.pairBytes
        state.pointee.bytes &-= arena.blockBytes(for: bytes)
        arena.free(handle, bytes)
    }

    private func makeInner() -> Handle {
        let handle = arena.allocateEssential(Self.innerBytes)
        state.pointee.bytes &+= arena.blockBytes(for: Self.innerBytes)
        inner(handle).count = 0
        return handle
    }

    private func freeInner(_ handle: Handle) {
        state.pointee.bytes &-= arena.blockBytes(for: Self.innerBytes)
        arena.free(handle, Self.innerBytes)
    }

    // MARK: - Finding

    private func leafFor(_ id: StreamID) -> Handle {
        var node = state.pointee.root
        var level = state.pointee.levels
        while level > 0 {
            let inner = inner(node)
            node = inner.child(inner.index(for: id))
            level &-= 1
        }
        return node
    }

    /// The value of `id`; nil if there is none.
    func find(_ id: StreamID) -> Value? {
        guard !isEmpty else { return nil }
        let leaf = leaf(leafFor(id))
        let place = leaf.place(of: id)
        guard place < leaf.count, leaf.ids[place] == id else { return nil }
        return leaf.values[place]
    }

    @inline(__always)
    var first: Position? {
        isEmpty ? nil : Position(leaf: state.pointee.firstLeaf, index: 0)
    }

    @inline(__always)
    var last: Position? {
        guard !isEmpty else { return nil }
        let handle = state.pointee.lastLeaf
        return Position(leaf: handle, index: leaf(handle).count &- 1)
    }

    /// The first whose id is not below `id`.
    func position(atOrAfter id: StreamID) -> Position? {
        guard !isEmpty else { return nil }
        let handle = leafFor(id)
        let leaf = leaf(handle)
        let place = leaf.place(of: id)
        if place < leaf.count { return Position(leaf: handle, index: place) }
        return leaf.next.isNone ? nil : Position(leaf: leaf.next, index: 0)
    }

    /// The last whose id is not above `id`.
    func position(atOrBefore id: StreamID) -> Position? {
        guard !isEmpty else { return nil }
        let handle = leafFor(id)
        let leaf = leaf(handle)
        let place = leaf.place(of: id)
        if place < leaf.count && leaf.ids[place] == id {
            return Position(leaf: handle, index: place)
        }
        return position(before: Position(leaf: handle, index: place))
    }

    @inline(__always)
    func position(after position: Position) -> Position? {
        let leaf = leaf(position.leaf)
        if position.index &+ 1 < leaf.count {
            return Position(leaf: position.leaf, index: position.index &+ 1)
        }
        return leaf.next.isNone ? nil : Position(leaf: leaf.next, index: 0)
    }

    @inline(__always)
    func position(before position: Position) -> Position? {
        if position.index > 0 {
            return Position(leaf: position.leaf, index: position.index &- 1)
        }
        let previous = leaf(position.leaf).previous
        if previous.isNone { return nil }
        return Position(leaf: previous, index: leaf(previous).count &- 1)
    }

    @inline(__always)
    func id(at position: Position) -> StreamID {
        let leaf = leaf(position.leaf)
        precondition(position.index < leaf.count, "no such place in a leaf")
        return leaf.ids[position.index]
    }

    @inline(__always)
    func value(at position: Position) -> Value {
        let leaf = leaf(position.leaf)
        precondition(position.index < leaf.count, "no such place in a leaf")
        return leaf.values[position.index]
    }

    @inline(__always)
    func setValue(_ value: Value, at position: Position) {
        let leaf = leaf(position.leaf)
        precondition(position.index < leaf.count, "no such place in a leaf")
        leaf.values[position.index] = value
    }

    // MARK: - Inserting

    /// A node that came out of a split, and the id that bounds it.
    private struct Sibling {
        let node: Handle
        let id: StreamID
    }

    /// Adds `id`, or returns false when it is there already.
    ///
    /// O(1) at the end, but for a new leaf now and then.
    func insert(_ id: StreamID, _ value: Value) -> Bool {
        if isEmpty { start() }
        let last = leaf(state.pointee.lastLeaf)
        if last.count < last.capacity && (last.count == 0 || last.ids[last.count &- 1] < id) {
            last.insert(id, value, at: last.count)
            state.pointee.count &+= 1
            return true
        }
        let countBefore = count
        let sibling = insert(id, value, below: state.pointee.root, level: state.pointee.levels)
        if let sibling { growRoot(sibling) }
        return count > countBefore
    }

    private func start() {
        let leaf = makeLeaf(capacity: 2)
        state.pointee.root = leaf
        state.pointee.firstLeaf = leaf
        state.pointee.lastLeaf = leaf
        state.pointee.levels = 0
    }

    private func growRoot(_ sibling: Sibling) {
        let root = makeInner()
        inner(root).insert(state.pointee.root, .zero, at: 0)
        inner(root).insert(sibling.node, sibling.id, at: 1)
        state.pointee.root = root
        state.pointee.levels &+= 1
    }

    private func insert(
        _ id: StreamID, _ value: Value, below node: Handle, level: UInt32
    ) -> Sibling? {
        if level == 0 { return insert(id, value, into: node) }
        let inner = inner(node)
        let index = inner.index(for: id)
        guard let new = insert(id, value, below: inner.child(index), level: level &- 1) else {
            return nil
        }
        if inner.count < Self.fullInner {
            inner.insert(new.node, new.id, at: index &+ 1)
            return nil
        }
        // Appended in order, the left node stays as full as it is.
        let half = index &+ 1 == inner.count ? inner.count : inner.count / 2
        let handle = makeInner()
        let right = self.inner(handle)
        let bound = half < inner.count ? inner.ids[half] : new.id
        inner.moveTail(from: half, to: right)
        if index &+ 1 <= half && half < Self.fullInner {
            inner.insert(new.node, new.id, at: index &+ 1)
        } else {
            right.insert(new.node, new.id, at: index &+ 1 &- half)
        }
        return Sibling(node: handle, id: bound)
    }

    private func insert(_ id: StreamID, _ value: Value, into handle: Handle) -> Sibling? {
        var handle = handle
        let place = leaf(handle).place(of: id)
        if place < leaf(handle).count && leaf(handle).ids[place] == id { return nil }
        state.pointee.count &+= 1
        if leaf(handle).count == leaf(handle).capacity {
            guard leaf(handle).capacity < Self.fullLeaf else {
                return split(handle, id, value, at: place)
            }
            handle = enlarge(handle)
        }
        leaf(handle).insert(id, value, at: place)
        return nil
    }

    /// A larger leaf in place of the only one.
    private func enlarge(_ handle: Handle) -> Handle {
        let old = leaf(handle)
        let larger = makeLeaf(capacity: min(Self.fullLeaf, old.capacity &* 3))
        old.moveTail(from: 0, to: leaf(larger))
        freeLeaf(handle)
        state.pointee.root = larger
        state.pointee.firstLeaf = larger
        state.pointee.lastLeaf = larger
        return larger
    }

    private func split(
        _ handle: Handle, _ id: StreamID, _ value: Value, at place: Int
    ) -> Sibling {
        let left = leaf(handle)
        let new = makeLeaf(capacity: Self.fullLeaf)
        let right = leaf(new)
        right.next = left.next
        right.previous = handle
        if left.next.isNone {
            state.pointee.lastLeaf = new
        } else {
            leaf(left.next).previous = new
        }
        left.next = new
        let isAppended = right.next.isNone && place == left.count
        let half = isAppended ? left.count : left.count / 2
        left.moveTail(from: half, to: right)
        if place <= half && !isAppended {
            left.insert(id, value, at: place)
        } else {
            right.insert(id, value, at: place &- half)
        }
        return Sibling(node: new, id: right.ids[0])
    }

    // MARK: - Removing

    /// Takes `id` out; false if it is not there.
    @discardableResult
    func remove(_ id: StreamID) -> Bool {
        guard !isEmpty, remove(id, below: state.pointee.root, level: state.pointee.levels) else {
            return false
        }
        state.pointee.count &-= 1
        settleRoot()
        return true
    }

    /// A root with one child gives way to it; an empty leaf to nothing.
    private func settleRoot() {
        while state.pointee.levels > 0 {
            let root = state.pointee.root
            let inner = inner(root)
            guard inner.count == 1 else { return }
            state.pointee.root = inner.child(0)
            state.pointee.levels &-= 1
            freeInner(root)
        }
        let root = state.pointee.root
        if leaf(root).count == 0 {
            freeLeaf(root)
            state.pointee.root = .none
            state.pointee.firstLeaf = .none
            state.pointee.lastLeaf = .none
        }
    }

    private func remove(_ id: StreamID, below node: Handle, level: UInt32) -> Bool {
        if level == 0 {
            let leaf = leaf(node)
            let place = leaf.place(of: id)
            guard place < leaf.count, leaf.ids[place] == id else { return false }
            leaf.remove(at: place)
            return true
        }
        let inner = inner(node)
        let index = inner.index(for: id)
        guard remove(id, below: inner.child(index), level: level &- 1) else { return false }
        if level == 1 {
            tidyLeaf(index, of: inner)
        } else {
            tidyInner(index, of: inner)
        }
        return true
    }

    /// Drops child `index` where it is empty, joins it with a neighbour where it is sparse.
    private func tidyLeaf(_ index: Int, of parent: Inner) {
        let count = leaf(parent.child(index)).count
        if count == 0 { return dropLeaf(index, of: parent) }
        guard count < Self.sparseLeaf else { return }
        if index &+ 1 < parent.count && joinLeaves(index, of: parent) { return }
        if index > 0 { _ = joinLeaves(index &- 1, of: parent) }
    }

    private func dropLeaf(_ index: Int, of parent: Inner) {
        let handle = parent.child(index)
        let gone = leaf(handle)
        if gone.next.isNone {
            state.pointee.lastLeaf = gone.previous
        } else {
            leaf(gone.next).previous = gone.previous
        }
        if gone.previous.isNone {
            state.pointee.firstLeaf = gone.next
        } else {
            leaf(gone.previous).next = gone.next
        }
        freeLeaf(handle)
        parent.remove(at: index)
    }

    /// Takes the pairs of the leaf behind `index` in, where both together leave room.
    private func joinLeaves(_ index: Int, of parent: Inner) -> Bool {
        let left = leaf(parent.child(index))
        let right = leaf(parent.child(index &+ 1))
        guard left.count &+ right.count <= left.capacity &* 3 / 4 else { return false }
        right.moveTail(from: 0, to: left)
        dropLeaf(index &+ 1, of: parent)
        return true
    }

    private func tidyInner(_ index: Int, of parent: Inner) {
        let handle = parent.child(index)
        let count = inner(handle).count
        if count == 0 {
            freeInner(handle)
            return parent.remove(at: index)
        }
        guard count < Self.sparseInner else { return }
        if index &+ 1 < parent.count && joinInner(index, of: parent) { return }
        if index > 0 { _ = joinInner(index &- 1, of: parent) }
    }

    private func joinInner(_ index: Int, of parent: Inner) -> Bool {
        let left = inner(parent.child(index))
        let handle = parent.child(index &+ 1)
        let right = inner(handle)
        guard left.count &+ right.count <= Self.fullInner &* 3 / 4 else { return false }
        // The id of a child 0 is not kept up; the bound of its parent is.
        right.ids[0] = parent.ids[index &+ 1]
        right.moveTail(from: 0, to: left)
        freeInner(handle)
        parent.remove(at: index &+ 1)
        return true
    }

    // MARK: - Ending

    /// The pairs of the last leaf: what `dropLastLeaf` takes away.
    var lastLeafCount: Int { (last?.index ?? -1) + 1 }

    /// Frees the last leaf and returns how many pairs it held; to be called until nothing is left.
    ///
    /// For who frees a large index in slices.
    func dropLastLeaf() -> Int {
        guard let last else { return 0 }
        let dropped = last.index &+ 1
        state.pointee.count &-= dropped
        dropLast(below: state.pointee.root, level: state.pointee.levels)
        settleRoot()
        return dropped
    }

    private func dropLast(below node: Handle, level: UInt32) {
        if level == 0 {
            leaf(node).count = 0
            return
        }
        let inner = inner(node)
        let index = inner.count &- 1
        dropLast(below: inner.child(index), level: level &- 1)
        if level == 1 {
            dropLeaf(index, of: inner)
        } else if self.inner(inner.child(index)).count == 0 {
            freeInner(inner.child(index))
            inner.remove(at: index)
        }
    }

    /// Frees all nodes.
    ///
    /// O(nodes).
    func removeAll() {
        while dropLastLeaf() > 0 {}
    }

    // MARK: - Checking

    /// Stops the process where order, counts or links are wrong; for tests.
    func checkInvariants() {
        var walked = 0
        var position = first
        var before: StreamID?
        while let here = position {
            let id = id(at: here)
            if let before { precondition(before < id, "out of order") }
            precondition(find(id) != nil, "an id that is not found")
            before = id
            walked += 1
            position = self.position(after: here)
        }
        precondition(walked == count, "a wrong count")
        precondition(!isEmpty || memoryBytes == 0, "nodes without ids")
        if let last { precondition(before == id(at: last), "a wrong last leaf") }
    }
}
