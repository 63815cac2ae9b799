import Glibc

// The bytes of a B+tree's nodes: what a leaf and an inner node keep, and how they move it about.
//
// Both are handles to memory the tree owns; every verb checks its places against the count. Which
// node is split, merged or made larger is the tree's to decide.

extension BPlusTree {
    /// Up to 61 handles and their prefixes; places count from 0.
    struct LeafNode {
        static let lineBytes = 64
        /// Measured on a million members in random order: more lines move more bytes an insertion, fewer
        /// make a higher tree.
        static let mostLines = 6
        private static let headBytes = 16
        private static let countOffset = 8
        private static let linesOffset = 9
        private static let shiftOffset = 10
        private static let largestPrefix: UInt64 = 0xFFFF
        /// What a leaf is scaled to: half of the prefixes, the rest being room for what comes.
        private static let scaledRange: UInt64 = 0x7FFF
        /// With fewer prefixes in use than this, two of sixty members are likely to share one.
        private static let coarseRange = 1024

        let start: UnsafeMutableRawPointer

        @inline(__always)
        init(at start: UnsafeMutableRawPointer) { self.start = start }

        func initialize(lines: Int) {
            start.storeBytes(of: 0, as: UInt64.self)
            start.storeBytes(of: UInt64(lines) << 8, toByteOffset: 8, as: UInt64.self)
        }

        private static func capacity(lines: Int) -> Int { (lines &* lineBytes &- headBytes) / 6 }

        static func lines(for count: Int) -> Int {
            var lines = 1
            while capacity(lines: lines) < count { lines += 1 }
            return lines
        }

        @inline(__always)
        var count: Int {
            Int(start.load(fromByteOffset: Self.countOffset, as: UInt8.self))
        }

        private func setCount(_ count: Int) {
            precondition(count >= 0 && count <= capacity, "a leaf beyond its room")
            start.storeBytes(
                of: UInt8(truncatingIfNeeded: count), toByteOffset: Self.countOffset, as: UInt8.self
            )
        }

        @inline(__always)
        var lines: Int { Int(start.load(fromByteOffset: Self.linesOffset, as: UInt8.self)) }
        @inline(__always)
        var capacity: Int { Self.capacity(lines: lines) }

        /// Whether the members would do with a line less, and half a line to spare.
        var isRoomy: Bool { lines > 1 && count + 5 <= Self.capacity(lines: lines - 1) }

        @inline(__always)
        private var base: UInt64 { start.load(as: UInt64.self) }
        @inline(__always)
        private var shift: UInt64 {
            UInt64(start.load(fromByteOffset: Self.shiftOffset, as: UInt8.self))
        }

        private func setScale(base: UInt64, shift: UInt64) {
            start.storeBytes(of: base, as: UInt64.self)
            start.storeBytes(
                of: UInt8(truncatingIfNeeded: shift), toByteOffset: Self.shiftOffset, as: UInt8.self
            )
        }

        @inline(__always)
        private var prefixes: UnsafeMutablePointer<UInt16> {
            (start + Self.headBytes).assumingMemoryBound(to: UInt16.self)
        }

        @inline(__always)
        private var handles: UnsafeMutablePointer<UInt32> {
            let offset = (Self.headBytes &+ 2 &* capacity &+ 3) & ~3
            return (start + offset).assumingMemoryBound(to: UInt32.self)
        }

        @inline(__always)
        func handle(_ index: Int) -> Arena.Handle {
            precondition(index >= 0 && index < count, "no such place in a leaf")
            return Arena.Handle(raw: handles[index])
        }

        /// Shows `run` members from `index` on, up or down by `step`; each is asked for `lead` members
        /// before its turn.
        @inline(__always)
        func each(
            _ run: Int, from index: Int, by step: Int, lead: Int, _ map: Arena.AddressMap,
            _ body: (ScoredMember) -> Void
        ) {
            let (handles, count) = (handles, count)
            let last = index &+ step &* (run &- 1)
            precondition(
                index >= 0 && index < count && last >= 0 && last < count, "beyond a leaf")
            var place = index
            for _ in 0..<run {
                let ahead = place &+ step &* lead
                if ahead >= 0 && ahead < count {
                    ScoredMember(Arena.Handle(raw: handles[ahead]), map).prefetch()
                }
                body(ScoredMember(Arena.Handle(raw: handles[place]), map))
                place &+= step
            }
        }

        /// The place of a member that is in this leaf.
        @inline(__always)
        func index(of handle: Arena.Handle) -> Int {
            let (handles, count) = (handles, count)
            var index = 0
            while index < count && handles[index] != handle.raw { index &+= 1 }
            precondition(index < count, "the member is not where its score says")
            return index
        }

        // MARK: Prefixes

        /// Before `low` members have smaller prefixes, from `high` on larger ones.
        @inline(__always)
        func places(sharingPrefixOf key: UInt64) -> (low: Int, high: Int) {
            let scaled = key &>> shift
            let base = base
            let count = count
            if scaled < base { return (0, 0) }
            if scaled &- base > Self.largestPrefix { return (count, count) }
            let wanted = UInt16(truncatingIfNeeded: scaled &- base)
            let prefixes = prefixes
            var (low, high): (UInt16, UInt16) = (0, 0)
            for index in 0..<count {
                low &+= prefixes[index] < wanted ? 1 : 0
                high &+= prefixes[index] <= wanted ? 1 : 0
            }
            return (Int(low), Int(high))
        }

        func setPrefix(of key: UInt64, at index: Int) {
            precondition(index >= 0 && index < count, "no such place in a leaf")
            prefixes[index] = UInt16(truncatingIfNeeded: key &>> shift &- base)
        }

        func hasPrefix(of key: UInt64, at index: Int) -> Bool {
            let scaled = key &>> shift
            return scaled >= base && scaled &- base == UInt64(prefixes[index])
        }

        var isCoarse: Bool {
            shift > 0 && Int(prefixes[count - 1]) - Int(prefixes[0]) < Self.coarseRange
        }

        /// The finest scale for keys from `low` to `high`; the prefixes are the caller's to write.
        func setScale(low: UInt64, high: UInt64) {
            let (base, shift) = Self.scale(low, high)
            setScale(base: base, shift: shift)
        }

        /// Base and shift under which `low` to `high` take half the prefixes, in their middle.
        private static func scale(_ low: UInt64, _ high: UInt64) -> (base: UInt64, shift: UInt64) {
            var shift: UInt64 = 0
            while high &>> shift &- low &>> shift > scaledRange { shift += 1 }
            let first = low &>> shift
            let slack = (largestPrefix - (high &>> shift - first)) / 2
            return (first - Swift.min(first, slack), shift)
        }

        /// Coarser prefixes, so that one for `key` exists: exact, without reading a member.
        @inline(never)
        private func widen(for key: UInt64) {
            if count == 0 { return setScale(low: key, high: key) }
            let scaled = key &>> shift
            rescale(
                low: Swift.min(scaled, base + UInt64(prefixes[0])),
                high: Swift.max(scaled, base + UInt64(prefixes[count - 1])))
        }

        /// Prefixes for keys that, at the present shift, are `low` to `high`.
        private func rescale(low: UInt64, high: UInt64) {
            let (oldBase, oldShift) = (base, shift)
            let (newBase, more) = Self.scale(low, high)
            for index in 0..<count {
                let value = (oldBase + UInt64(prefixes[index])) &>> more
                prefixes[index] = UInt16(truncatingIfNeeded: value - newBase)
            }
            setScale(base: newBase, shift: oldShift + more)
        }

        @inline(__always)
        private func covers(_ key: UInt64) -> Bool {
            let scaled = key &>> shift
            return scaled >= base && scaled &- base <= Self.largestPrefix && count > 0
        }

        // MARK: Change

        func insert(_ handle: Arena.Handle, _ key: UInt64, at index: Int) {
            let count = count
            precondition(index >= 0 && index <= count && count < capacity, "no room in a leaf")
            if !covers(key) { widen(for: key) }
            let (prefixes, handles) = (prefixes, handles)
            memmove(prefixes + index + 1, prefixes + index, (count &- index) &* 2)
            memmove(handles + index + 1, handles + index, (count &- index) &* 4)
            setCount(count &+ 1)
            handles[index] = handle.raw
            setPrefix(of: key, at: index)
        }

        func remove(at index: Int) {
            let count = count
            precondition(index >= 0 && index < count, "no such place in a leaf")
            let (prefixes, handles) = (prefixes, handles)
            memmove(prefixes + index, prefixes + index + 1, (count &- index &- 1) &* 2)
            memmove(handles + index, handles + index + 1, (count &- index &- 1) &* 4)
            setCount(count &- 1)
        }

        /// Moves the members from `index` on to `target`, which is empty and gets the same scale.
        func moveTail(from index: Int, to target: LeafNode) {
            let moved = count - index
            precondition(index >= 0 && moved >= 0 && target.count == 0, "moved to a leaf in use")
            target.setCount(moved)
            target.setScale(base: base, shift: shift)
            memcpy(target.prefixes, prefixes + index, moved * 2)
            memcpy(target.handles, handles + index, moved * 4)
            setCount(index)
        }

        /// Copies the members of `other`, all of which come later, behind the ones here.
        func append(_ other: LeafNode) {
            let (here, more) = (count, other.count)
            if other.shift < shift { other.coarsen(to: shift) }
            if shift < other.shift { coarsen(to: other.shift) }
            let high = other.base + UInt64(other.prefixes[more - 1])
            rescale(low: base + UInt64(prefixes[0]), high: high)
            setCount(here + more)
            let rest = shift &- other.shift
            for index in 0..<more {
                handles[here + index] = other.handles[index]
                let value = (other.base + UInt64(other.prefixes[index])) &>> rest
                prefixes[here + index] = UInt16(truncatingIfNeeded: value - base)
            }
        }

        /// Drops the lowest bits of all prefixes.
        private func coarsen(to newShift: UInt64) {
            let more = newShift - shift
            let newBase = base &>> more
            for index in 0..<count {
                let value = (base + UInt64(prefixes[index])) &>> more
                prefixes[index] = UInt16(truncatingIfNeeded: value - newBase)
            }
            setScale(base: newBase, shift: newShift)
        }
    }
}

extension BPlusTree {
    /// Up to 63 children, each with its first member and the number of members below it.
    struct InnerNode {
        struct Child {
            let key: UInt64
            let first: Arena.Handle
            let node: Arena.Handle
            let members: Int
        }

        private static let headBytes = 8
        private static let largestKind = 3

        let start: UnsafeMutableRawPointer

        @inline(__always)
        init(at start: UnsafeMutableRawPointer) { self.start = start }

        func initialize(kind: Int) { start.storeBytes(of: UInt64(kind) << 8, as: UInt64.self) }

        @inline(__always)
        static func bytes(kind: Int) -> Int {
            switch kind {
            case 0: 192
            case 1: 384
            case 2: 640
            default: 1280
            }
        }

        @inline(__always)
        private static func capacity(kind: Int) -> Int {
            switch kind {
            case 0: 9
            case 1: 18
            case 2: 31
            default: 63
            }
        }

        static func kind(for count: Int) -> Int {
            var kind = 0
            while capacity(kind: kind) < count { kind += 1 }
            return kind
        }

        @inline(__always)
        var count: Int { Int(start.load(as: UInt8.self)) }
        @inline(__always)
        var kind: Int { Int(start.load(fromByteOffset: 1, as: UInt8.self)) }
        @inline(__always)
        var capacity: Int { Self.capacity(kind: kind) }
        var isLargest: Bool { kind == Self.largestKind }
        var isRoomy: Bool { kind > 0 && count + 2 <= Self.capacity(kind: kind - 1) }

        private func setCount(_ count: Int) {
            precondition(count >= 0 && count <= capacity, "a node beyond its room")
            start.storeBytes(of: UInt8(truncatingIfNeeded: count), as: UInt8.self)
        }

        @inline(__always)
        private var keys: UnsafeMutablePointer<UInt64> {
            (start + Self.headBytes).assumingMemoryBound(to: UInt64.self)
        }

        /// First members, nodes and counts, `capacity` of each.
        @inline(__always)
        private var words: UnsafeMutablePointer<UInt32> {
            (start + Self.headBytes + 8 &* capacity).assumingMemoryBound(to: UInt32.self)
        }

        @inline(__always)
        private func check(_ index: Int) {
            precondition(index >= 0 && index < count, "no such child")
        }

        @inline(__always)
        func key(_ index: Int) -> UInt64 {
            check(index)
            return keys[index]
        }

        @inline(__always)
        func first(_ index: Int) -> Arena.Handle {
            check(index)
            return Arena.Handle(raw: words[index])
        }

        @inline(__always)
        func child(_ index: Int) -> Arena.Handle {
            check(index)
            return Arena.Handle(raw: words[capacity &+ index])
        }

        @inline(__always)
        func members(_ index: Int) -> Int {
            check(index)
            return Int(words[2 &* capacity &+ index])
        }

        /// The first child from 1 on whose first score is `key` or more; `count` if there is none.
        @inline(__always)
        func firstChild(notBelow key: UInt64) -> Int {
            let keys = keys
            var low = 1
            var rest = count &- 1
            while rest > 0 {
                let half = rest >> 1
                let isBelow = keys[low &+ half] < key
                low = isBelow ? low &+ half &+ 1 : low
                rest = isBelow ? rest &- half &- 1 : half
            }
            return low
        }

        /// The members below the first `index` children.
        @inline(__always)
        func membersBelow(first index: Int) -> Int {
            precondition(index >= 0 && index <= count, "no such child")
            let counts = words + 2 &* capacity
            var sum: UInt32 = 0
            for place in 0..<index { sum &+= counts[place] }
            return Int(sum)
        }

        /// The child that holds the member of `rank`, which becomes its rank there.
        @inline(__always)
        func child(holding rank: inout Int) -> Int {
            let counts = words + 2 &* capacity
            var index = 0
            while index < count &- 1 && rank >= Int(counts[index]) {
                rank &-= Int(counts[index])
                index &+= 1
            }
            return index
        }

        // MARK: Change

        @inline(__always)
        func addMembers(_ change: Int, below index: Int) {
            check(index)
            words[2 &* capacity &+ index] &+= UInt32(truncatingIfNeeded: change)
        }

        func setChild(_ node: Arena.Handle, at index: Int) {
            check(index)
            words[capacity + index] = node.raw
        }

        func setFirst(_ first: Arena.Handle, _ key: UInt64, at index: Int) {
            check(index)
            keys[index] = key
            words[index] = first.raw
        }

        func insert(_ child: Child, at index: Int) {
            let count = count
            precondition(index >= 0 && index <= count && count < capacity, "no room in a node")
            memmove(keys + index + 1, keys + index, (count - index) * 8)
            for part in 0..<3 {
                let words = words + part * capacity
                memmove(words + index + 1, words + index, (count - index) * 4)
            }
            setCount(count + 1)
            setFirst(child.first, child.key, at: index)
            setChild(child.node, at: index)
            words[2 * capacity + index] = UInt32(truncatingIfNeeded: child.members)
        }

        func remove(at index: Int) {
            let count = count
            check(index)
            memmove(keys + index, keys + index + 1, (count - index - 1) * 8)
            for part in 0..<3 {
                let words = words + part * capacity
                memmove(words + index, words + index + 1, (count - index - 1) * 4)
            }
            setCount(count - 1)
        }

        /// Child `index` was merged into the one before it.
        func mergeChild(_ index: Int) {
            addMembers(members(index), below: index - 1)
            remove(at: index)
        }

        /// Moves the children from `index` on behind those of `target`.
        func moveTail(from index: Int, to target: InnerNode) {
            let moved = count - index
            let there = target.count
            precondition(index >= 0 && moved >= 0, "no such child")
            target.setCount(there + moved)
            memcpy(target.keys + there, keys + index, moved * 8)
            for part in 0..<3 {
                let place = part * target.capacity + there
                memcpy(target.words + place, words + (part * capacity + index), moved * 4)
            }
            setCount(index)
        }
    }
}
