import CLinux

/// A key as a lookup wants it: its bytes and their hash, computed once.
struct Key {
    let bytes: ByteView
    let hash: UInt64
}

/// What happened to a key: the word in keyspace notifications, and what replication derives from.
struct KeyEvent: Equatable, Sendable {
    /// The letter of `notify-keyspace-events` that lets it pass.
    enum Class: UInt8, Sendable {
        case generic, string, list, set, hash, sortedSet, stream, expired, evicted, new, miss,
            module
        /// For those who follow inside the server; never a notification.
        case unnamed
    }

    let name: StaticString
    let kind: Class

    init(_ name: StaticString, _ kind: Class) {
        self.name = name
        self.kind = kind
    }

    static func == (left: KeyEvent, right: KeyEvent) -> Bool {
        ByteView(left.name) == ByteView(right.name)
    }

    /// A change that no notification tells; its name is empty.
    static let silent = KeyEvent("", .string)

    static let set = KeyEvent("set", .string)
    static let delete = KeyEvent("del", .generic)
    static let expire = KeyEvent("expire", .generic)
    static let persist = KeyEvent("persist", .generic)
    static let expired = KeyEvent("expired", .expired)
    static let evicted = KeyEvent("evicted", .evicted)
    static let renameFrom = KeyEvent("rename_from", .generic)
    static let renameTo = KeyEvent("rename_to", .generic)
    static let moveFrom = KeyEvent("move_from", .generic)
    static let moveTo = KeyEvent("move_to", .generic)
    /// All keys of a database took another's place.
    static let swapped = KeyEvent("swapped", .unnamed)
    /// A stream, which somebody may be reading for a group, is gone.
    static let streamLost = KeyEvent("lost", .unnamed)
    /// All keys of a database are gone.
    static let flushed = KeyEvent("flushed", .unnamed)
    /// A value that is no string took the place of another value, or any that of a stream.
    static let replaced = KeyEvent("replaced", .unnamed)
    static let copyTo = KeyEvent("copy_to", .generic)
    static let append = KeyEvent("append", .string)
    static let setRange = KeyEvent("setrange", .string)
    static let addToHyperLogLog = KeyEvent("pfadd", .string)
    static let setBit = KeyEvent("setbit", .string)
    static let incrementBy = KeyEvent("incrby", .string)
    static let setAdd = KeyEvent("sadd", .set)
    static let setRemove = KeyEvent("srem", .set)
    static let setPop = KeyEvent("spop", .set)
    static let setInterStore = KeyEvent("sinterstore", .set)
    static let setUnionStore = KeyEvent("sunionstore", .set)
    static let setDiffStore = KeyEvent("sdiffstore", .set)
    static let hashSet = KeyEvent("hset", .hash)
    static let hashDelete = KeyEvent("hdel", .hash)
    static let hashIncrementBy = KeyEvent("hincrby", .hash)
    static let hashIncrementByFloat = KeyEvent("hincrbyfloat", .hash)
    static let hashExpire = KeyEvent("hexpire", .hash)
    static let hashExpired = KeyEvent("hexpired", .hash)
    static let hashPersist = KeyEvent("hpersist", .hash)
    static let incrementByFloat = KeyEvent("incrbyfloat", .string)
}

/// One recorded effect, for those who follow the keyspace.
struct RecordedEvent {
    let event: KeyEvent
    let database: Int
    let key: [UInt8]
}

/// Everything the databases share: arena, hash seed, time, counters, and who wants to know of changes.
///
/// A trivial handle to state at a fixed address; created once for the life of the server.
struct Keyspace {
    /// Who follows changes.
    ///
    /// While nobody does, an effect costs one test of this word.
    struct Interest: OptionSet, Sendable {
        let rawValue: UInt32
        static let notifications = Interest(rawValue: 1)
        static let propagation = Interest(rawValue: 2)
        static let watchers = Interest(rawValue: 4)
        static let tracking = Interest(rawValue: 8)
        static let blocked = Interest(rawValue: 16)

        /// Whether anybody wants events; the feed of effects takes none.
        @inline(__always)
        var isInEvents: Bool { rawValue & ~Interest.propagation.rawValue != 0 }
    }

    private struct State {
        let arena: Arena
        let hasher: SeededHash
        var now: Int64
        /// By the wall clock; none yet.
        var seconds: Int64 = -1
        var accessRule = AccessRule.moments
        /// What an access leaves now, if it may, and what it would leave.
        var accessStamp = AccessStamp.untouched
        var presentStamp = AccessStamp.untouched
        var creationStamp: UInt32 = 0
        var interest: Interest
        var counters: Counters
        var databases: UnsafeMutablePointer<Database>
        var databaseCount: Int
        var events: ContiguousArray<RecordedEvent>
        let feed: EffectFeed
        var graveyard: Graveyard
        var limits: StringLimits
        let values: ValueContext
        var expiryPolicy = ExpiryPolicy.remove
        var leavesAccessUntouched = false
        var isShared = false
        var earliestDeadline = Int64.max
        var drawCount: UInt64 = 0
        var expected = ExpectedKeys()
        var notifiedKinds = UInt32.max
        #if DEBUG
            var lookups: Set<[UInt8]>?
        #endif
    }

    #if DEBUG
        /// The names of keys looked up since this was made empty; nil: nobody asks.
        ///
        /// For the test that access control has seen each of them; release builds have no such thing.
        var lookups: Set<[UInt8]>? {
            get { state.pointee.lookups }
            nonmutating set { state.pointee.lookups = newValue }
        }

        func noteLookup(_ key: Key) {
            if state.pointee.lookups != nil { state.pointee.lookups?.insert(key.bytes.array) }
        }
    #endif

    /// What is done with an expired key that is met: a primary removes it; a replica (and whoever
    /// may not write at the moment) only looks away, until its primary removes it; and whoever repeats
    /// what was done in the past sees it, as it was seen then.
    enum ExpiryPolicy {
        case remove, hide, ignore
    }

    /// Counted for INFO.
    struct Counters {
        var hits = 0
        var misses = 0
        var expired = 0
        var expiredTimeCapReached = 0
        /// Fields of hashes.
        var expiredFields = 0
        var evicted = 0
        /// Changes since the last save.
        var changes = 0
    }

    private let state: UnsafeMutablePointer<State>

    /// An empty keyspace of `databaseCount` databases.
    ///
    /// `seed` makes the hashes unpredictable.
    static func create(
        databaseCount: Int, seed: (UInt64, UInt64, UInt64, UInt64), arena: Arena? = nil
    ) -> Keyspace {
        let state = UnsafeMutablePointer<State>.allocate(capacity: 1)
        let keyspace = Keyspace(state: state)
        let databases = UnsafeMutablePointer<Database>.allocate(capacity: databaseCount)
        let arena = arena ?? Arena.create()
        let hasher = SeededHash(seed: seed.0, seed.1, seed.2, seed.3)
        state.initialize(
            to: State(
                arena: arena, hasher: hasher, now: 0,
                interest: [], counters: Counters(), databases: databases,
                databaseCount: databaseCount, events: [], feed: EffectFeed.create(),
                graveyard: Graveyard(),
                limits: StringLimits(),
                values: ValueContext.create(arena: arena, hasher: hasher)))
        for index in 0..<databaseCount {
            (databases + index).initialize(to: Database.create(index: index, in: keyspace))
        }
        return keyspace
    }

    private init(state: UnsafeMutablePointer<State>) { self.state = state }

    /// Frees everything; for tests.
    func destroy() {
        for index in 0..<databaseCount { self[index].destroy() }
        while freeBuried(entries: .max) {}
        state.pointee.databases.deallocate()
        state.pointee.values.destroy()
        state.pointee.feed.destroy()
        state.pointee.arena.destroy()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    @inline(__always) var arena: Arena { state.pointee.arena }
    @inline(__always) var hasher: SeededHash { state.pointee.hasher }

    /// What the values of all databases share.
    @inline(__always) var values: ValueContext { state.pointee.values }

    var databaseCount: Int { state.pointee.databaseCount }

    /// Database number `index`, which must exist.
    subscript(index: Int) -> Database {
        precondition(index >= 0 && index < state.pointee.databaseCount, "no such database")
        return state.pointee.databases[index]
    }

    /// SWAPDB: the contents change places, the handles keep their numbers.
    func swapDatabases(_ first: Int, _ second: Int) {
        self[first].swapContents(with: self[second])
        recordWholesale(.swapped, first)
        recordWholesale(.swapped, second)
    }

    /// Empty databases beside those in use, to be filled and exchanged with them.
    func makeShadows() -> [Database] {
        (0..<databaseCount).map { Database.create(index: $0, in: self) }
    }

    /// Gives shadows up, with what is in them; that is freed little by little.
    func dropShadows(_ shadows: [Database]) {
        for shadow in shadows {
            shadow.removeAll(lazily: true)
            shadow.destroy()
        }
        refreshEarliestDeadline()
    }

    /// Takes note of what happened to all keys of a database, for those inside who follow them.
    func recordWholesale(_ event: KeyEvent, _ database: Int) {
        guard !interest.isDisjoint(with: [.blocked, .watchers, .tracking]) else { return }
        state.pointee.events.append(RecordedEvent(event: event, database: database, key: []))
    }

    // MARK: - Time

    /// The wall clock in milliseconds, as every command of this moment sees it.
    @inline(__always)
    var now: Int64 {
        get { state.pointee.now }
        nonmutating set {
            state.pointee.now = newValue
            tellValuesTime()
        }
    }

    /// Fields of hashes expire by the same policy as keys: before the beginning of time none is due.
    private func tellValuesTime() {
        state.pointee.values.now = expiryPolicy == .ignore ? .min : now
    }

    /// What an access leaves in an entry, `untouched` where it is to leave nothing.
    @inline(__always)
    var accessStamp: AccessStamp { state.pointee.accessStamp }

    /// The stamp of the moment, by which the marks of entries are read.
    var presentStamp: AccessStamp { state.pointee.presentStamp }

    /// What a new entry bears.
    @inline(__always)
    var creationStamp: UInt32 { state.pointee.creationStamp }

    /// Sets the moment of the stamps, by the wall clock.
    func setMoment(seconds: Int64) {
        guard seconds != state.pointee.seconds else { return }
        state.pointee.seconds = seconds
        followAccesses()
    }

    /// How accesses are remembered from now on; older marks keep their bits, as in Redis.
    var accessRule: AccessRule {
        get { state.pointee.accessRule }
        nonmutating set {
            state.pointee.accessRule = newValue
            followAccesses()
        }
    }

    /// Gives a key that came from elsewhere the mark it had there.
    func mark(_ entry: Entry, idleSeconds: Int64?, count: UInt8?) {
        switch (accessRule, idleSeconds, count) {
        case (.counts, _, let count?): entry.access = presentStamp.mark(count: count)
        case (.moments, let idle?, _): entry.access = presentStamp.mark(idleSeconds: idle)
        default: break
        }
    }

    /// Whether accesses leave no mark (CLIENT NO-TOUCH).
    var leavesAccessUntouched: Bool {
        get { state.pointee.leavesAccessUntouched }
        nonmutating set {
            state.pointee.leavesAccessUntouched = newValue
            followAccesses()
        }
    }

    /// Takes note that this is a forked child's copy, there to be written down once, for the rest of
    /// the process.
    func becomeCopy() { arena.onlyGivesBack = true }

    /// Whether a child shares the memory: what is only read is not written to then.
    var isShared: Bool {
        get { state.pointee.isShared }
        nonmutating set {
            state.pointee.isShared = newValue
            followAccesses()
        }
    }

    private func followAccesses() {
        let leaves = state.pointee.leavesAccessUntouched || state.pointee.isShared
        let stamp = AccessStamp(accessRule, seconds: state.pointee.seconds)
        state.pointee.presentStamp = stamp
        state.pointee.creationStamp = stamp.first
        state.pointee.accessStamp = leaves ? .untouched : stamp
    }

    // MARK: - Deadlines

    /// No key of any database is due before this moment; `Int64.max` when none has a deadline.
    var earliestDeadline: Int64 { state.pointee.earliestDeadline }

    /// Takes note of a new deadline.
    @inline(__always)
    func noteDeadline(_ deadline: Int64) {
        if deadline < state.pointee.earliestDeadline { state.pointee.earliestDeadline = deadline }
    }

    /// Finds the bound anew; O(databases).
    func refreshEarliestDeadline() {
        var earliest = Int64.max
        for index in 0..<databaseCount {
            earliest = min(earliest, self[index].earliestDeadline ?? .max)
        }
        state.pointee.earliestDeadline = earliest
    }

    // MARK: - Counters and limits

    /// Begins the counting of accesses and removals anew; changes since the last save stand.
    func resetStatistics() {
        let changes = counters.changes
        counters = Counters()
        counters.changes = changes
        freedEntries = 0
    }

    @inline(__always)
    var counters: Counters {
        get { state.pointee.counters }
        nonmutating _modify { yield &state.pointee.counters }
    }

    /// What strings are held to.
    var limits: StringLimits {
        get { state.pointee.limits }
        nonmutating _modify { yield &state.pointee.limits }
    }

    /// Until when collections keep their compact form.
    var encodingLimits: EncodingLimits {
        get { values.limits }
        nonmutating set { values.limits = newValue }
    }

    var expiryPolicy: ExpiryPolicy {
        get { state.pointee.expiryPolicy }
        nonmutating set {
            state.pointee.expiryPolicy = newValue
            tellValuesTime()
        }
    }

    // MARK: - Effects

    @inline(__always)
    var interest: Interest {
        get { state.pointee.interest }
        nonmutating set { state.pointee.interest = newValue }
    }

    /// Says that `key` changed.
    ///
    /// Counts the change; records it only if somebody follows.
    @inline(__always)
    func changed(_ key: ByteView, _ event: KeyEvent, in database: Database, by changes: Int = 1) {
        state.pointee.counters.changes &+= changes
        if state.pointee.interest.isInEvents { record(key, event, in: database) }
    }

    @inline(never)
    func record(_ key: ByteView, _ event: KeyEvent, in database: Database) {
        guard isFollowed(key, event) else { return }
        state.pointee.events.append(
            RecordedEvent(event: event, database: database.index, key: key.array))
    }

    private func isFollowed(_ key: ByteView, _ event: KeyEvent) -> Bool {
        if interest.contains(.tracking) { return true }
        if interest.contains(.notifications)
            && notifiedKinds & 1 << UInt32(event.kind.rawValue) != 0
        {
            return true
        }
        return isExpected(key, event)
    }

    /// Which classes of events interest those who are notified, a bit each.
    var notifiedKinds: UInt32 {
        get { state.pointee.notifiedKinds }
        nonmutating set { state.pointee.notifiedKinds = newValue }
    }

    /// Whether somebody may wait for what happened to `key`, or watch it.
    private func isExpected(_ key: ByteView, _ event: KeyEvent) -> Bool {
        if interest.contains(.watchers) { return state.pointee.expected.contains(hasher.hash(key)) }
        return switch event.kind {
        case .new, .stream, .unnamed: state.pointee.expected.contains(hasher.hash(key))
        default: false
        }
    }

    /// Somebody waits for `key` to appear or watches it; to be taken back by `expectNoLonger`.
    func expect(_ key: ByteView) { state.pointee.expected.add(hasher.hash(key), 1) }
    func expectNoLonger(_ key: ByteView) { state.pointee.expected.add(hasher.hash(key), -1) }

    /// The events since the last call, oldest first.
    func takeEvents() -> ContiguousArray<RecordedEvent> {
        guard !state.pointee.events.isEmpty else { return [] }
        let events = state.pointee.events
        state.pointee.events = []
        return events
    }

    var hasEvents: Bool { !state.pointee.events.isEmpty }

    /// What was done, for the append-only file and replicas.
    @inline(__always)
    var feed: EffectFeed { state.pointee.feed }

    // MARK: - Memory

    /// Frees what an entry's value holds outside its block, now if that is quick, else later.
    @inline(__always)
    func bury(valueOf entry: Entry) {
        if entry.isString && entry.stringEncoding != .heap { return }
        buryHeapValue(of: entry)
    }

    @inline(never)
    private func buryHeapValue(of entry: Entry) {
        if !entry.isString { return bury(CollectionValue(of: entry)) }
        let block = entry.heapBlock
        if entry.heapString.count < Graveyard.largeBlockBytes {
            apus_heap_free(block)
        } else {
            state.pointee.graveyard.heapBlocks.append(block)
        }
    }

    /// Frees a collection that hangs off no entry any more: at once where that is quick, else in
    /// slices.
    func bury(_ collection: CollectionValue) {
        var collection = collection
        if collection.blockCount(in: arena) <= CollectionValue.blocksFreedAtOnce {
            _ = collection.free(blocks: .max, in: arena)
        } else {
            state.pointee.graveyard.collections.append(collection)
        }
    }

    /// Whoever writes the keyspace down has done so with this entry and needs its value no more.
    ///
    /// A forked child gives the value's pages back to the system, so that the kernel need not copy
    /// them when the parent writes to them. Nothing is freed, and next to nothing written to.
    func noteWritten(_ entry: Entry) {
        guard arena.onlyGivesBack, !entry.isString || entry.stringEncoding == .heap else { return }
        // The writer's own buffers come from the heap, and go back to it.
        apus_heap_only_give_back(1)
        if entry.isString {
            apus_heap_free(entry.heapBlock)
        } else {
            var collection = CollectionValue(of: entry)
            _ = collection.free(blocks: .max, in: arena)
        }
        apus_heap_only_give_back(0)
    }

    func bury(table: HashTable<KeyPolicy>) { state.pointee.graveyard.tables.append(table) }

    /// Frees up to about `entries` entries of buried tables, or blocks of buried collections, and
    /// gives pages that became free back to the system; true while more are waiting.
    func freeBuried(entries: Int) -> Bool {
        arena.returnPages(limit: max(1, entries / Graveyard.entriesPerSpan))
        var left = entries
        while left > 0, var collection = state.pointee.graveyard.collections.popLast() {
            let blocks = min(left, 256)
            if collection.free(blocks: blocks, in: arena) {
                state.pointee.graveyard.freedEntries += 1
            } else {
                state.pointee.graveyard.collections.append(collection)
            }
            left -= blocks
        }
        while left > 0, let table = state.pointee.graveyard.tables.last {
            var handles: ContiguousArray<Arena.Handle> = []
            table.popEntries(limit: min(left, 256), into: &handles)
            for handle in handles { free(Entry(handle, arena)) }
            left -= max(handles.count, 1)
            state.pointee.graveyard.freedEntries += handles.count
            if table.isEmpty {
                table.destroy()
                state.pointee.graveyard.tables.removeLast()
            }
        }
        return hasBuriedWork
    }

    private func free(_ entry: Entry) {
        let bytes = entry.bytes
        bury(valueOf: entry)
        entry.freeLongKey()
        arena.free(entry.handle, bytes)
    }

    /// Whether `freeBuried` has something to do.
    var hasBuriedWork: Bool {
        !state.pointee.graveyard.tables.isEmpty || !state.pointee.graveyard.collections.isEmpty
            || arena.excessSpans > 0
    }
    var hasBuriedBlocks: Bool { !state.pointee.graveyard.heapBlocks.isEmpty }

    /// Entries buried and not yet freed, and freed since the start.
    var buriedEntries: Int {
        let graveyard = state.pointee.graveyard
        return graveyard.tables.reduce(graveyard.heapBlocks.count + graveyard.collections.count) {
            $0 + $1.count
        }
    }
    var freedEntries: Int {
        get { state.pointee.graveyard.freedEntries }
        nonmutating set { state.pointee.graveyard.freedEntries = newValue }
    }

    /// Frees the large heap blocks that wait for it.
    func freeBuriedBlocks() {
        for block in takeBuriedBlocks() {
            freedEntries += 1
            apus_heap_free(block)
        }
    }

    /// Takes the large heap blocks that wait to be freed; the caller frees them, on another thread.
    func takeBuriedBlocks() -> [UnsafeMutableRawPointer] {
        let blocks = state.pointee.graveyard.heapBlocks
        state.pointee.graveyard.heapBlocks = []
        return blocks
    }

    /// Bytes of keys, values, tables and buffers, to the byte.
    var usedBytes: Int { arena.allocatedBytes + Int(apus_heap_bytes()) }
}

/// What was cut off from the keyspace at once and is freed little by little.
struct Graveyard {
    /// Freeing a block of this size or more gives pages back to the system, which takes a while.
    static let largeBlockBytes = 1 << 20
    /// To give the pages of a span back takes as long as to free so many entries.
    static let entriesPerSpan = 64

    var tables: [HashTable<KeyPolicy>] = []
    var collections: [CollectionValue] = []
    var heapBlocks: [UnsafeMutableRawPointer] = []
    var freedEntries = 0
}

/// Which keys somebody waits for or watches, about: counts by a few bits of the hash, so that a key nobody
/// waits for is told apart without a look into a dictionary.
private struct ExpectedKeys {
    private var counts: ContiguousArray<Int32> = []
    private static let slots = 1024

    mutating func add(_ hash: UInt64, _ change: Int32) {
        if counts.isEmpty { counts = ContiguousArray(repeating: 0, count: Self.slots) }
        counts[Int(hash % UInt64(Self.slots))] += change
    }

    func contains(_ hash: UInt64) -> Bool {
        !counts.isEmpty && counts[Int(hash % UInt64(Self.slots))] > 0
    }
}

/// How long strings may become.
struct StringLimits {
    /// `proto-max-bulk-len`.
    var longestString = 512 * 1024 * 1024
}
