/// Deadlines of fields: where they stand, and how due ones are found without scanning.
///
/// A packed hash knows a bound on its earliest deadline; a table has a `DeadlineTree` over its own
/// groups, as a database has over its keys. The database in turn keeps the earliest deadline of
/// every hash among those of the hash's group of keys, so that one timer serves keys and fields.
/// Bounds may be too early (a field was removed or given another deadline), never too late.
extension HashValue {
    /// Whether `entry` is a hash of which any field has a deadline.
    @inline(__always)
    static func hasDeadlines(_ entry: Entry) -> Bool {
        entry.isOf(.hash) && entry.encoding & 1 != 0
    }

    /// No field is due before this moment; `never` where none has a deadline.
    var earliestDeadline: Int64 { Self.earliestDeadline(of: entry, arena) }

    static func earliestDeadline(of entry: Entry, _ arena: Arena) -> Int64 {
        guard hasDeadlines(entry) else { return never }
        if entry.encoding & 2 != 0 {
            return table(at: entry.payload, arena).context.deadlines?.earliest ?? never
        }
        return PackedRecords(Block(word: entry.payload), .expiringFields, arena).earliest
    }

    /// Gives a field another deadline, or `never`; false if there is no such field.
    ///
    /// A new deadline is the caller's to tell the database of.
    func setDeadline(_ deadline: Int64, of name: ByteView) -> Bool {
        if deadline != Self.never && !expires { beginExpiring() }
        guard isTable else {
            let packed = self.packed
            guard let record = packed.find(name) else { return false }
            guard packed.shape.hasDeadlines, record.deadline != deadline else { return true }
            packed.setDeadline(of: record, to: deadline)
            if deadline == Self.never { forgetDeadline() }
            return true
        }
        let hash = context.hasher.hash(name)
        let position = table.locate(name, hash: hash)
        guard position.isFound else { return false }
        let old = FieldBlock(table.handle(at: position), arena)
        let hadDeadline = old.hasDeadline
        if deadline != Self.never && hadDeadline {
            old.storeDeadline(deadline)
        } else if deadline != Self.never || hadDeadline {
            guard let block = FieldBlock.make(old.field, old.value, deadline: deadline, arena)
            else { return false }
            table.setHandle(block.handle, at: position)
            old.free(in: arena)
        }
        if deadline != Self.never {
            noteDeadline(deadline, replacing: hadDeadline, hash)
        } else if hadDeadline {
            forgetDeadline()
        }
        return true
    }

    // MARK: - Keeping account

    /// From now on fields of this hash may have deadlines.
    func beginExpiring() {
        if isTable {
            setEncoding(.expiringTable)
            Self.makeDeadlineTree(of: table, expiringCount: 0)
        } else {
            let old = packed
            let new = old.reshaped(.expiringFields)
            old.block.free(in: arena)
            setEncoding(.expiringPacked)
            store(new)
        }
        countExpiringHash(1)
    }

    /// No field has a deadline any more: the memory for them goes.
    private func endExpiring() {
        if isTable {
            table.context.deadlines?.destroy()
            table.context.deadlines = nil
            setEncoding(.table)
        } else {
            let old = packed
            let new = old.reshaped(.fields)
            old.block.free(in: arena)
            setEncoding(.packed)
            store(new)
        }
        countExpiringHash(-1)
    }

    /// A tree that holds the deadlines of all fields of `table`; O(fields).
    static func makeDeadlineTree(of table: FieldTable, expiringCount: Int) {
        let deadlines = DeadlineTree.create(groupCount: table.groupCount)
        table.context.deadlines = deadlines
        table.context.expiringCount = expiringCount
        if expiringCount == 0 { return }
        for group in 0..<table.groupCount {
            var due = DueFields(arena: table.context.arena, now: .min)
            table.visitGroup(group, &due)
            deadlines.lower(group, due.nextDeadline)
        }
    }

    /// A field of a table, whose name has this hash, has got a deadline.
    func noteDeadline(_ deadline: Int64, replacing hadDeadline: Bool, _ hash: UInt64) {
        if !expires { beginExpiring() }
        if !hadDeadline { table.context.expiringCount += 1 }
        table.context.deadlines?.lower(table.groupIndex(of: hash), deadline)
    }

    /// A field has lost its deadline, or went with it.
    func forgetDeadline() {
        if isTable {
            table.context.expiringCount -= 1
            if table.context.expiringCount == 0 { endExpiring() }
        } else if packed.refreshEarliest() == 0 {
            endExpiring()
        }
    }

    // MARK: - Purging

    /// Removes fields whose time is over, about `limit` of them, and returns how many went.
    ///
    /// Afterwards `earliestDeadline` is in the future, or there was more to do. O(fields that go)
    /// in a table, one walk otherwise. An empty hash is the caller's to delete.
    func purge(limit: Int, showing show: (ByteView) -> Void = { _ in }) -> Int {
        guard expires, isDue(earliestDeadline) else { return 0 }
        return isTable ? purgeTable(limit, show) : purgePacked(show)
    }

    private func purgePacked(_ show: (ByteView) -> Void) -> Int {
        var packed = self.packed
        var (offset, removed) = (packed.firstOffset, 0)
        while let record = packed.record(at: offset) {
            if isDue(record.deadline) {
                show(record.name)
                packed.remove(record)
                removed += 1
            } else {
                offset = record.end
            }
        }
        store(packed)
        if packed.refreshEarliest() == 0 { endExpiring() }
        return removed
    }

    private func purgeTable(_ limit: Int, _ show: (ByteView) -> Void) -> Int {
        var (visited, removed) = (0, 0)
        while let deadlines = table.context.deadlines, isDue(deadlines.earliest),
            removed + visited < limit, let group = deadlines.earliestGroup()
        {
            var due = DueFields(arena: arena, now: context.now)
            table.visitGroup(group, &due)
            deadlines.set(group, due.nextDeadline)
            for handle in due.handles {
                let block = FieldBlock(handle, arena)
                show(block.field)
                table.remove(entry: handle, hash: context.hasher.hash(block.field))
                block.free(in: arena)
            }
            removed += due.handles.count
            visited += 1
            table.context.expiringCount -= due.handles.count
            if table.context.expiringCount == 0 { endExpiring() }
        }
        return removed
    }

    /// Stops the process where a promise does not hold; for tests.
    func checkInvariants() {
        guard isTable else {
            packed.checkInvariants()
            precondition(!expires || packed.refreshEarliest() > 0, "a deadline at least")
            return
        }
        table.checkInvariants()
        precondition(expires == (table.context.deadlines != nil), "a tree where fields expire")
        table.context.deadlines?.checkInvariants()
        var expiring = 0
        for group in 0..<table.groupCount {
            var due = DueFields(arena: arena, now: .max)
            table.visitGroup(group, &due)
            expiring += due.handles.count
            for handle in due.handles {
                let bound = table.context.deadlines?.deadline(of: group) ?? .max
                precondition(bound <= FieldBlock(handle, arena).deadline, "none is earlier")
            }
        }
        precondition(expiring == table.context.expiringCount, "deadlines are counted")
    }
}

/// Collects the due fields of a group, and the earliest deadline of the others.
private struct DueFields: EntryVisitor {
    let arena: Arena
    let now: Int64
    var nextDeadline = HashValue.never
    var handles: ContiguousArray<Arena.Handle> = []

    init(arena: Arena, now: Int64) {
        self.arena = arena
        self.now = now
    }

    mutating func visit(_ handle: Arena.Handle) {
        let deadline = FieldBlock(handle, arena).deadline
        if deadline < now {
            handles.append(handle)
        } else {
            nextDeadline = min(nextDeadline, deadline)
        }
    }
}
