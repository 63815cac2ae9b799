import CLinux

/// What a hash table of keys has to know of its entries.
struct KeyPolicy: HashTablePolicy {
    typealias Key = ByteView

    struct Context {
        let arena: Arena
        let hasher: SeededHash
        /// Whose table it is; nil once it is cut off and only waits to be freed.
        let database: Database?
    }

    @inline(__always)
    static func hash(of entry: Arena.Handle, _ context: Context) -> UInt64 {
        context.hasher.hash(Entry(entry, context.arena).key)
    }

    @inline(__always)
    static func matches(_ entry: Arena.Handle, _ key: ByteView, _ context: Context) -> Bool {
        Entry(entry, context.arena).hasKey(key)
    }

    /// A block of 40 bytes straddles two cache lines as often as not: both are asked for.
    @inline(__always)
    static func prefetch(_ entry: Arena.Handle, _ context: Context) {
        let block = context.arena.address(entry)
        apus_prefetch(block)
        apus_prefetch(block + 40)
    }

    @inline(__always)
    static func didSplit(_ group: Int, into newGroup: Int, _ context: Context) {
        context.database?.tableDidSplit(group, into: newGroup)
    }

    @inline(__always)
    static func didMerge(_ lastGroup: Int, into group: Int, _ context: Context) {
        context.database?.tableDidMerge(lastGroup, into: group)
    }
}

/// One numbered database: its keys, and the index of their deadlines.
///
/// A trivial handle to state at a fixed address. Lookups see no expired key: one that is met is
/// removed on the spot. An `Entry` got here is dead after the next change of its key.
struct Database {
    private struct State {
        let index: Int
        let keyspace: Keyspace
        var table: HashTable<KeyPolicy>
        var deadlines: DeadlineTree
        /// Keys that have a deadline.
        var expiringCount = 0
        /// Sum of the deadlines of those keys, for the average INFO shows.
        var deadlineSum: Double = 0
        /// Hashes with fields that have a deadline.
        let expiringHashes: SharedCount
    }

    private let state: UnsafeMutablePointer<State>

    static func create(index: Int, in keyspace: Keyspace) -> Database {
        let state = UnsafeMutablePointer<State>.allocate(capacity: 1)
        let database = Database(state: state)
        let context = KeyPolicy.Context(
            arena: keyspace.arena, hasher: keyspace.hasher, database: database)
        state.initialize(
            to: State(
                index: index, keyspace: keyspace,
                table: HashTable.create(arena: keyspace.arena, context: context),
                deadlines: DeadlineTree.create(), expiringHashes: SharedCount.create()))
        return database
    }

    private init(state: UnsafeMutablePointer<State>) { self.state = state }

    /// Frees the keys and the database; for tests.
    func destroy() {
        removeAll(lazily: false)
        table.destroy()
        deadlines.destroy()
        state.pointee.expiringHashes.destroy()
        state.deallocate()
    }

    var index: Int { state.pointee.index }
    @inline(__always) var keyspace: Keyspace { state.pointee.keyspace }
    @inline(__always) var table: HashTable<KeyPolicy> { state.pointee.table }
    @inline(__always) private var arena: Arena { state.pointee.keyspace.arena }
    private var deadlines: DeadlineTree { state.pointee.deadlines }

    /// Keys, including those expired and not yet met.
    var count: Int { table.count }
    var expiringCount: Int { state.pointee.expiringCount }
    /// Hashes with fields that have a deadline.
    var expiringHashCount: Int { state.pointee.expiringHashes.value }
    /// Bytes of the index of deadlines.
    var deadlineIndexBytes: Int { deadlines.memoryBytes }
    /// Every byte that `entry` takes, but for its places in table and index; O(1) for strings.
    func memoryBytes(of entry: Entry) -> Int {
        let bytes = arena.blockBytes(for: entry.bytes) + entry.heapBytes
        return entry.isString ? bytes : bytes + CollectionValue(of: entry).memoryBytes(in: arena)
    }

    // MARK: - Finding

    @inline(__always)
    func key(_ bytes: ByteView) -> Key {
        Key(bytes: bytes, hash: keyspace.hasher.hash(bytes))
    }

    /// The entry at `key`, nil if there is none or its time is over.
    @inline(__always)
    func entry(_ key: Key) -> Entry? {
        #if DEBUG
            keyspace.noteLookup(key)
        #endif
        let handle = table.find(key.bytes, hash: key.hash)
        if handle.isNone { return nil }
        let entry = Entry(handle, arena)
        if entry.hasDeadline && removeIfExpired(entry, key) { return nil }
        return entry
    }

    /// The entry at `key` even if its time is over; nothing is removed.
    ///
    /// For DEBUG and MEMORY.
    func entryDueOrNot(_ key: Key) -> Entry? {
        #if DEBUG
            keyspace.noteLookup(key)
        #endif
        let handle = table.find(key.bytes, hash: key.hash)
        return handle.isNone ? nil : Entry(handle, arena)
    }

    /// As `entry`, and counts the hit or miss and marks the access: what a reading command uses.
    @inline(__always)
    func read(_ key: Key) -> Entry? {
        guard let entry = entry(key) else {
            missed(key)
            return nil
        }
        keyspace.counters.hits &+= 1
        entry.touch(keyspace.accessStamp)
        return entry
    }

    /// As `read`, but leaves no mark of the access: what TTL, TYPE and EXISTS use.
    func readUnmarked(_ key: Key) -> Entry? {
        guard let entry = entry(key) else {
            missed(key)
            return nil
        }
        keyspace.counters.hits &+= 1
        return entry
    }

    /// As `readUnmarked`, but a miss is nobody's news: what OBJECT uses.
    func examine(_ key: Key) -> Entry? {
        guard let entry = entry(key) else {
            keyspace.counters.misses &+= 1
            return nil
        }
        keyspace.counters.hits &+= 1
        return entry
    }

    /// As `read`, and the value must be a string.
    @inline(__always)
    func readString(_ key: Key) throws(CommandError) -> Entry? {
        guard let entry = read(key) else { return nil }
        guard entry.isString else { throw .wrongType }
        return entry
    }

    /// The string entry a command is about to change: counts nothing, marks the access.
    @inline(__always)
    func string(_ key: Key) throws(CommandError) -> Entry? {
        guard let entry = entry(key) else { return nil }
        guard entry.isString else { throw .wrongType }
        entry.touch(keyspace.accessStamp)
        return entry
    }

    @inline(never)
    private func missed(_ key: Key) {
        keyspace.counters.misses &+= 1
        if keyspace.interest.contains(.notifications) {
            keyspace.record(key.bytes, KeyEvent("keymiss", .miss), in: self)
        }
    }

    // MARK: - Making room for a value

    /// An entry for `key` with a value area for what is told; whatever was there before is freed.
    ///
    /// The caller writes the value next; the deadline stands behind it already. `deadline` 0 means
    /// none. An old block of the right size is used again, so that overwriting a value of about the
    /// same length allocates nothing. A key whose time is over expires first.
    @inline(__always)
    func place(
        _ key: Key, type: ValueType, encoding: UInt8, valueBytes: Int, deadline: Int64
    ) -> Entry? {
        let inlineLength = type == .string && encoding < 2 ? valueBytes : 0
        let bytes = Entry.bytes(
            keyLength: key.bytes.count, valueBytes: valueBytes, hasDeadline: deadline != 0)
        #if DEBUG
            keyspace.noteLookup(key)
        #endif
        let position = table.locate(key.bytes, hash: key.hash)
        guard position.isFound else {
            return insert(key, type, encoding, inlineLength, bytes, deadline)
        }
        let old = Entry(table.handle(at: position), arena)
        if old.hasDeadline && expiresFirst(old, key) {
            return insert(key, type, encoding, inlineLength, bytes, deadline)
        }
        if old.isString && old.stringEncoding != .heap
            && Arena.blockBytes(for: old.bytes) == Arena.blockBytes(for: bytes)
        {
            if old.hasDeadline { forgetDeadline(old) }
            old.setValueKind(type: type, encoding: encoding, inlineLength: inlineLength)
            old.removeDeadline()
            old.touch(keyspace.accessStamp)
            if deadline != 0 { attachDeadline(deadline, to: old, hash: key.hash) }
            return old
        }
        return replace(old, key, type, encoding, inlineLength, bytes, deadline, position)
    }

    @inline(never)
    private func insert(
        _ key: Key, _ type: ValueType, _ encoding: UInt8, _ inlineLength: Int, _ bytes: Int,
        _ deadline: Int64
    ) -> Entry? {
        let handle = arena.allocate(bytes)
        if handle.isNone { return nil }
        let entry = Entry(handle, arena)
        entry.initialize(
            key: key.bytes, type: type, encoding: encoding, inlineLength: inlineLength,
            access: keyspace.creationStamp)
        table.insert(handle, hash: key.hash)
        if deadline != 0 { attachDeadline(deadline, to: entry, hash: key.hash) }
        if keyspace.interest.isInEvents {
            keyspace.record(key.bytes, KeyEvent("new", .new), in: self)
        }
        return entry
    }

    /// Puts the new value in a block of its own in the old one's place.
    @inline(never)
    private func replace(
        _ old: Entry, _ key: Key, _ type: ValueType, _ encoding: UInt8, _ inlineLength: Int,
        _ bytes: Int, _ deadline: Int64, _ position: HashTable<KeyPolicy>.Position
    ) -> Entry? {
        let handle = arena.allocate(bytes)
        if handle.isNone { return nil }
        if old.hasDeadline { forgetDeadline(old) }
        if HashValue.hasDeadlines(old) { countExpiringHash(-1) }
        let oldBytes = old.bytes
        let wasStream = old.isOf(.stream)
        keyspace.bury(valueOf: old)
        let entry = Entry(handle, arena)
        entry.inheritKey(from: old)
        entry.setValueKind(type: type, encoding: encoding, inlineLength: inlineLength)
        entry.touch(keyspace.accessStamp)
        arena.free(old.handle, oldBytes)
        table.setHandle(handle, at: position)
        if deadline != 0 { attachDeadline(deadline, to: entry, hash: key.hash) }
        if (type != .string || wasStream) && keyspace.interest.contains(.blocked) {
            keyspace.record(key.bytes, .replaced, in: self)
        }
        return entry
    }

    /// A block of `bytes` for the same key in place of `old`; header and key are copied, the value
    /// is the caller's to copy, and the old block's to give to `finishMove`.
    private func beginMove(_ old: Entry, bytes: Int) -> Entry? {
        let handle = arena.allocate(bytes)
        if handle.isNone { return nil }
        let entry = Entry(handle, arena)
        entry.inheritKey(from: old)
        return entry
    }

    private func finishMove(from old: Entry, oldBytes: Int, to new: Entry, hash: UInt64) {
        table.replace(old.handle, with: new.handle, hash: hash)
        arena.free(old.handle, oldBytes)
    }

    // MARK: - Inline strings that change their length

    /// The same string with an inline value of `count` bytes: the old ones are kept as far as they
    /// reach, the rest is zero.
    ///
    /// The caller has checked that the block stays inline.
    func resizeInline(_ entry: Entry, _ key: Key, to count: Int) -> Entry? {
        let oldCount = entry.inlineString.count
        let deadline = entry.deadline
        let bytes = Entry.bytes(
            keyLength: key.bytes.count, valueBytes: count, hasDeadline: deadline != nil)
        let oldBytes = entry.bytes
        var target = entry
        if Arena.blockBytes(for: oldBytes) != Arena.blockBytes(for: bytes) {
            guard let moved = beginMove(entry, bytes: bytes) else { return nil }
            target = moved
            target.setValueKind(type: .string, encoding: 1, inlineLength: count)
            target.writeInline(entry.inlineString.prefix(min(count, oldCount)), at: 0)
            finishMove(from: entry, oldBytes: oldBytes, to: target, hash: key.hash)
        } else {
            target.removeDeadline()
            target.setValueKind(type: .string, encoding: 1, inlineLength: count)
        }
        if count > oldCount { target.zeroInline(from: oldCount) }
        if let deadline { target.storeDeadline(deadline) }
        target.touch(keyspace.accessStamp)
        return target
    }

    // MARK: - Deadlines

    /// Sets when `entry` expires; false when there is no memory for it.
    @discardableResult
    func setDeadline(_ deadline: Int64, of entry: Entry, _ key: Key) -> Bool {
        if entry.hasDeadline {
            forgetDeadline(entry)
            attachDeadline(deadline, to: entry, hash: key.hash)
            return true
        }
        let oldBytes = entry.bytes
        if Arena.blockBytes(for: oldBytes) == Arena.blockBytes(for: oldBytes + 8) {
            attachDeadline(deadline, to: entry, hash: key.hash)
            return true
        }
        guard let moved = beginMove(entry, bytes: oldBytes + 8) else { return false }
        moved.copyValue(from: entry)
        attachDeadline(deadline, to: moved, hash: key.hash)
        finishMove(from: entry, oldBytes: oldBytes, to: moved, hash: key.hash)
        return true
    }

    /// The key stays from now on; false when there is no memory for that, and nothing is changed.
    ///
    /// Its block is kept or, where that saves memory, moved.
    @discardableResult
    func removeDeadline(of entry: Entry, _ key: Key) -> Bool {
        guard entry.hasDeadline else { return true }
        let oldBytes = entry.bytes
        if Arena.blockBytes(for: oldBytes) == Arena.blockBytes(for: oldBytes - 8) {
            forgetDeadline(entry)
            entry.removeDeadline()
            return true
        }
        guard let moved = beginMove(entry, bytes: oldBytes - 8) else { return false }
        forgetDeadline(entry)
        moved.copyValue(from: entry)
        finishMove(from: entry, oldBytes: oldBytes, to: moved, hash: key.hash)
        return true
    }

    /// Writes the deadline into the block, which has room, and into the index.
    @inline(__always)
    private func attachDeadline(_ deadline: Int64, to entry: Entry, hash: UInt64) {
        entry.storeDeadline(deadline)
        state.pointee.expiringCount &+= 1
        state.pointee.deadlineSum += Double(deadline)
        indexDeadline(deadline, hash)
    }

    /// Takes a deadline out of the counts.
    ///
    /// The index keeps its trace until the group is visited: a visit too many costs less than a
    /// removal each time.
    @inline(__always)
    private func forgetDeadline(_ entry: Entry) {
        state.pointee.expiringCount &-= 1
        state.pointee.deadlineSum -= Double(entry.deadline ?? 0)
        // What rounding left of very distant deadlines ends here.
        if state.pointee.expiringCount == 0 { state.pointee.deadlineSum = 0 }
    }

    @inline(never)
    func indexDeadline(_ deadline: Int64, _ hash: UInt64) {
        deadlines.lower(table.groupIndex(of: hash), deadline)
        keyspace.noteDeadline(deadline)
    }

    /// A hash has got its first field with a deadline (1), or has lost the last one (-1).
    func countExpiringHash(_ change: Int) { state.pointee.expiringHashes.value &+= change }

    @inline(__always)
    func hashValue(_ entry: Entry) -> HashValue {
        HashValue(entry, keyspace.values, counting: state.pointee.expiringHashes)
    }

    /// The moment at which the next key or field may be due; nil when none has a deadline.
    var earliestDeadline: Int64? {
        guard expiringCount &+ expiringHashCount > 0, !deadlines.isEmpty else { return nil }
        let earliest = deadlines.earliest
        return earliest == DeadlineTree.never ? nil : earliest
    }

    /// The mean time to live of the keys that have one, in milliseconds.
    var averageTimeToLive: Int64 {
        guard expiringCount > 0 else { return 0 }
        let mean = min(state.pointee.deadlineSum / Double(expiringCount), 9e18)
        return max(0, Int64(mean) - keyspace.now)
    }

    /// The group in which the next key or field is due, nil where nothing has a deadline.
    ///
    /// The index is put right on the way where a key that it promises has gone.
    func earliestGroup() -> Int? {
        while let group = deadlines.earliestGroup() {
            var entries = DueEntries(arena: arena, now: .min)
            table.visitGroup(group, &entries)
            if entries.nextDeadline == deadlines.deadline(of: group) { return group }
            deadlines.set(group, entries.nextDeadline)
        }
        return nil
    }

    /// A group in which something has a deadline, nil where nothing has.
    func randomExpiringGroup(_ draw: () -> UInt64) -> Int? { deadlines.randomGroup(draw) }

    /// A group was split: both halves may hold its earliest deadline; a visit will tell.
    func tableDidSplit(_ group: Int, into newGroup: Int) {
        deadlines.append(deadlines.deadline(of: group))
    }

    func tableDidMerge(_ lastGroup: Int, into group: Int) {
        deadlines.lower(group, deadlines.deadline(of: lastGroup))
        deadlines.removeLast()
    }

    /// Removes the keys of one due group, and fields of its hashes; false when nothing is due at
    /// `now`.
    ///
    /// O(keys of a group): about nine, and as many times a few fields. The caller repeats it while its time slice lasts.
    func expireOneGroup(now: Int64) -> Bool {
        guard let earliest = earliestDeadline, earliest < now,
            let group = deadlines.earliestGroup()
        else { return false }
        var due = DueEntries(arena: arena, now: now)
        table.visitGroup(group, &due)
        deadlines.set(group, due.nextDeadline)
        for handle in due.hashes {
            let entry = Entry(handle, arena)
            expireFields(entry, Key(bytes: entry.key, hash: keyspace.hasher.hash(entry.key)))
        }
        for index in 0..<due.count {
            let entry = Entry(due[index], arena)
            expire(entry, Key(bytes: entry.key, hash: keyspace.hasher.hash(entry.key)))
        }
        return true
    }

    /// Removes `entry` if its time is over.
    @inline(never)
    private func removeIfExpired(_ entry: Entry, _ key: Key) -> Bool {
        guard let deadline = entry.deadline, keyspace.now > deadline else { return false }
        switch keyspace.expiryPolicy {
        case .remove: expire(entry, key)
        case .hide: break
        case .ignore: return false
        }
        return true
    }

    /// Removes an expired `entry` that is about to be overwritten; one that is only hidden stays.
    @inline(never)
    private func expiresFirst(_ entry: Entry, _ key: Key) -> Bool {
        guard keyspace.expiryPolicy == .remove else { return false }
        return removeIfExpired(entry, key)
    }

    private func expire(_ entry: Entry, _ key: Key) {
        keyspace.counters.expired &+= 1
        if keyspace.interest.isInEvents { keyspace.record(key.bytes, .expired, in: self) }
        if keyspace.interest.contains(.propagation) {
            keyspace.feed.appendExpiry(of: key.bytes, in: index)
        }
        remove(entry, key)
    }

    // MARK: - Removing

    /// Removes the key; false if there is none.
    @discardableResult
    func remove(_ key: Key) -> Bool {
        guard let entry = entry(key) else { return false }
        remove(entry, key)
        return true
    }

    /// Removes an entry just found at `key`.
    ///
    /// Large values are freed later, a slice at a time.
    func remove(_ entry: Entry, _ key: Key) {
        if keyspace.interest.contains(.blocked) { noteLoss(of: entry) }
        _ = table.remove(entry: entry.handle, hash: key.hash)
        if entry.hasDeadline { forgetDeadline(entry) }
        if HashValue.hasDeadlines(entry) { countExpiringHash(-1) }
        let bytes = entry.bytes
        keyspace.bury(valueOf: entry)
        entry.freeLongKey()
        arena.free(entry.handle, bytes)
    }

    /// Tells those who read a stream for a group that it goes.
    @inline(never)
    private func noteLoss(of entry: Entry) {
        if entry.isOf(.stream) { keyspace.record(entry.key, .streamLost, in: self) }
    }

    /// Removes all keys and returns how many there were.
    ///
    /// Lazily, the old table is cut off and freed in slices; otherwise it is freed before the call
    /// returns.
    @discardableResult
    func removeAll(lazily: Bool) -> Int {
        let removed = count
        guard removed > 0 else { return 0 }
        keyspace.recordWholesale(.flushed, index)
        let context = KeyPolicy.Context(
            arena: arena, hasher: keyspace.hasher, database: self)
        let old = state.pointee.table
        state.pointee.table = HashTable.create(arena: arena, context: context)
        state.pointee.expiringCount = 0
        state.pointee.deadlineSum = 0
        state.pointee.expiringHashes.value = 0
        deadlines.removeAll()
        old.context = KeyPolicy.Context(arena: arena, hasher: keyspace.hasher, database: nil)
        keyspace.bury(table: old)
        state.pointee.table.isResizingAllowed = old.isResizingAllowed
        if !lazily {
            // Only what is freed behind the client's back counts as freed lazily.
            let freed = keyspace.freedEntries
            while keyspace.freeBuried(entries: .max) {}
            keyspace.freedEntries = freed
        }
        return removed
    }

    // MARK: - Moving

    /// Exchanges the contents of two databases.
    ///
    /// A table's context names its database, so the tables stay and the deadlines' homes with them:
    /// what is exchanged is everything but the number.
    func swapContents(with other: Database) {
        let mine = state.pointee
        let theirs = other.state.pointee
        state.pointee = State(
            index: mine.index, keyspace: mine.keyspace, table: theirs.table,
            deadlines: theirs.deadlines, expiringCount: theirs.expiringCount,
            deadlineSum: theirs.deadlineSum, expiringHashes: theirs.expiringHashes)
        other.state.pointee = State(
            index: theirs.index, keyspace: theirs.keyspace, table: mine.table,
            deadlines: mine.deadlines, expiringCount: mine.expiringCount,
            deadlineSum: mine.deadlineSum, expiringHashes: mine.expiringHashes)
        state.pointee.table.context = KeyPolicy.Context(
            arena: arena, hasher: keyspace.hasher, database: self)
        other.state.pointee.table.context = KeyPolicy.Context(
            arena: arena, hasher: keyspace.hasher, database: other)
    }

    /// Gives the value of `entry` to `target` under `newKey`, with its deadline; the old key goes.
    ///
    /// `newKey` must not exist in `target`; what is only hidden there goes. False when there is no
    /// memory.
    func move(_ entry: Entry, _ key: Key, to newKey: Key, in target: Database) -> Bool {
        if let hidden = target.entryDueOrNot(newKey) { target.remove(hidden, newKey) }
        let deadline = entry.deadline ?? 0
        let bytes = Entry.bytes(
            keyLength: newKey.bytes.count, valueBytes: entry.valueBytes, hasDeadline: deadline != 0)
        let handle = arena.allocate(bytes)
        if handle.isNone { return false }
        let moved = Entry(handle, arena)
        moved.initialize(
            key: newKey.bytes, type: entry.type, encoding: entry.encoding,
            inlineLength: entry.isString && entry.encoding < 2 ? entry.valueBytes : 0,
            access: entry.access)
        moved.copyValue(from: entry)
        if keyspace.interest.contains(.blocked) { noteLoss(of: entry) }
        _ = table.remove(entry: entry.handle, hash: key.hash)
        if entry.hasDeadline { forgetDeadline(entry) }
        if HashValue.hasDeadlines(entry) { countExpiringHash(-1) }
        let oldBytes = entry.bytes
        entry.freeLongKey()
        arena.free(entry.handle, oldBytes)
        target.table.insert(handle, hash: newKey.hash)
        if deadline != 0 { target.attachDeadline(deadline, to: moved, hash: newKey.hash) }
        if moved.isOf(.hash) { target.indexFields(of: moved, newKey) }
        if keyspace.interest.isInEvents {
            keyspace.record(newKey.bytes, KeyEvent("new", .new), in: target)
        }
        return true
    }

    /// Gives `target` a copy of the value of `entry` under `newKey`, with deadline and access mark.
    ///
    /// `newKey` must not exist there.
    func copy(_ entry: Entry, to newKey: Key, in target: Database) throws(CommandError) {
        if entry.isString {
            try target.copyString(entry, to: newKey).access = entry.access
            return
        }
        let value = try CollectionValue(of: entry).copied(in: arena)
        let copied = try target.setCollection(newKey, value, deadline: entry.deadline ?? 0)
        copied.access = entry.access
    }

    // MARK: - Walking

    /// The next entry of a walk through all, nil after the last.
    ///
    /// Expired ones are among them, and the database must not change on the way.
    func nextEntry(from cursor: inout HashTable<KeyPolicy>.Cursor) -> Entry? {
        let handle = table.next(from: &cursor)
        return handle.isNone ? nil : Entry(handle, arena)
    }

    /// Takes the next entries of a walk into `batch`, as many as it has room for, and asks for their
    /// lines; false at the end.
    func nextEntries(
        from cursor: inout HashTable<KeyPolicy>.Cursor, into batch: inout ContiguousArray<Entry>
    ) -> Bool {
        batch.removeAll(keepingCapacity: true)
        while batch.count < batch.capacity, let entry = nextEntry(from: &cursor) {
            entry.prefetch()
            batch.append(entry)
        }
        return !batch.isEmpty
    }

    /// Makes room in an empty database for so many keys.
    func reserve(_ count: Int) { table.reserve(count) }

    /// A key drawn uniformly, nil when the database is empty.
    ///
    /// Expired keys are passed over.
    func randomEntry(using generator: inout some RandomNumberGenerator) -> Entry? {
        var attempts = 0
        while count > 0 {
            let entry = Entry(table.randomEntry(seed: generator.next()), arena)
            guard let deadline = entry.deadline, keyspace.now > deadline else { return entry }
            let isHidden = keyspace.expiryPolicy != .remove
            attempts += 1
            if isHidden && attempts > 100 { return entry }
            if !isHidden {
                _ = remove(key(ByteView(start: entry.key.start, count: entry.key.count)))
            }
        }
        return nil
    }

    /// A call of SCAN: entries, `wanted` at least if so many steps find them, and the next cursor
    /// (0: done).
    func scan(
        _ cursor: UInt64, atLeast wanted: Int, mostSteps: Int,
        into entries: inout ContiguousArray<Arena.Handle>
    ) -> UInt64 {
        table.scan(cursor, atLeast: wanted, mostSteps: mostSteps, into: &entries)
    }

    func entry(at handle: Arena.Handle) -> Entry { Entry(handle, arena) }

    /// Removes an entry that a walk met if its time is over; true also when it is only hidden.
    func removeIfExpired(_ entry: Entry) -> Bool {
        guard entry.hasDeadline, isExpired(entry) else { return false }
        let bytes = entry.key
        return removeIfExpired(entry, Key(bytes: bytes, hash: keyspace.hasher.hash(bytes)))
    }

    func isExpired(_ entry: Entry) -> Bool {
        guard let deadline = entry.deadline else { return false }
        return keyspace.now > deadline
    }

    // MARK: - Prefetch

    /// Asks for the table's line that leads to `hash`.
    @inline(__always)
    func prefetchGroup(_ hash: UInt64) { table.prefetchGroup(hash: hash) }

    /// Asks for the entry that `hash` probably leads to; the group must be on its way.
    @inline(__always)
    func prefetchEntry(_ hash: UInt64) { table.prefetchCandidate(hash: hash) }
}

/// Collects the due entries of a group and its hashes with due fields, and the earliest deadline of
/// the others.
private struct DueEntries: EntryVisitor {
    let arena: Arena
    let now: Int64
    var nextDeadline = Int64.max
    private var due: ContiguousArray<Arena.Handle> = []
    private(set) var hashes: ContiguousArray<Arena.Handle> = []

    init(arena: Arena, now: Int64) {
        self.arena = arena
        self.now = now
    }

    var count: Int { due.count }
    subscript(index: Int) -> Arena.Handle { due[index] }

    mutating func visit(_ handle: Arena.Handle) {
        let entry = Entry(handle, arena)
        if let deadline = entry.deadline {
            if deadline < now {
                due.append(handle)
                return
            }
            nextDeadline = min(nextDeadline, deadline)
        }
        if HashValue.hasDeadlines(entry) {
            let deadline = HashValue.earliestDeadline(of: entry, arena)
            if deadline < now {
                hashes.append(handle)
            } else {
                nextDeadline = min(nextDeadline, deadline)
            }
        }
    }
}
