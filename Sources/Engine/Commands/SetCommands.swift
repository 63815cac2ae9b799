/// Commands of the documented group "set".
enum SetCommands {
    static var table: [Command] { memberRows + algebraRows }

    // swift-format-ignore
    private static var memberRows: [Command] {
        [
            Command(
                "SADD", .atLeast(3), [.write, .denyOOM, .fast], group: .set,
                keys: [.at(1, .readWrite, [.insert])], since: "1.0.0",
                "Adds members to a set, which is created where it does not exist.",
                syntax: "key member [member ...]", element: 2, sadd),
            Command(
                "SCARD", .exactly(2), [.readOnly, .fast], group: .set,
                keys: [.at(1, .readOnly, [])], since: "1.0.0",
                "Returns how many members a set has.", syntax: "key", scard),
            Command(
                "SISMEMBER", .exactly(3), [.readOnly, .fast], group: .set,
                keys: [.at(1, .readOnly, [])], since: "1.0.0",
                "Tells whether a set has a member.", syntax: "key member", element: 2, sismember),
            Command(
                "SMEMBERS", .exactly(2), [.readOnly], group: .set,
                keys: [.at(1, .readOnly, [.access])], since: "1.0.0",
                "Returns all members of a set.", syntax: "key",
                tips: ["nondeterministic_output_order"], element: Command.wholeValue, smembers),
            Command(
                "SMISMEMBER", .atLeast(3), [.readOnly, .fast], group: .set,
                keys: [.at(1, .readOnly, [.access])], since: "6.2.0",
                "Tells for each of several members whether a set has it.",
                syntax: "key member [member ...]", element: 2, smismember),
            Command(
                "SMOVE", .exactly(4), [.write, .fast], group: .set,
                keys: [
                    .at(1, .readWrite, [.access, .delete]), .at(2, .readWrite, [.insert]),
                ], since: "1.0.0",
                "Moves a member from one set to another.", syntax: "source destination member",
                smove),
            Command(
                "SPOP", .atLeast(2), [.write, .fast], group: .set,
                keys: [.at(1, .readWrite, [.access, .delete])], since: "1.0.0",
                "Removes random members from a set and returns them.", syntax: "key [count]",
                tips: ["nondeterministic_output"], spop),
            Command(
                "SRANDMEMBER", .atLeast(2), [.readOnly], group: .set,
                keys: [.at(1, .readOnly, [.access])], since: "1.0.0",
                "Returns random members of a set.", syntax: "key [count]",
                tips: ["nondeterministic_output"], srandmember),
            Command(
                "SREM", .atLeast(3), [.write, .fast], group: .set,
                keys: [.at(1, .readWrite, [.delete])], since: "1.0.0",
                "Removes members from a set, and the set with the last.",
                syntax: "key member [member ...]", element: 2, srem),
            Command(
                "SSCAN", .atLeast(3), [.readOnly], group: .set,
                keys: [.at(1, .readOnly, [.access])], since: "2.8.0",
                "Walks through the members of a set, a few at a call.",
                syntax: "key cursor [MATCH pattern] [COUNT count]",
                tips: ["nondeterministic_output"], sscan),
        ]
    }

    // swift-format-ignore
    private static var algebraRows: [Command] {
        [
            Command(
                "SDIFF", .atLeast(2), [.readOnly], group: .set,
                keys: [.from(1, last: -1, step: 1, .readOnly, [.access])], since: "1.0.0",
                "Returns the members of the first set that no other set has.",
                syntax: "key [key ...]", tips: ["nondeterministic_output_order"], sdiff),
            Command(
                "SDIFFSTORE", .atLeast(3), [.write, .denyOOM], group: .set,
                keys: [
                    .at(1, .overwrite, [.update]),
                    .from(2, last: -1, step: 1, .readOnly, [.access]),
                ], since: "1.0.0",
                "Stores the members of the first set that no other set has.",
                syntax: "destination key [key ...]", sdiffstore),
            Command(
                "SINTER", .atLeast(2), [.readOnly], group: .set,
                keys: [.from(1, last: -1, step: 1, .readOnly, [.access])], since: "1.0.0",
                "Returns the members that all of the sets have.", syntax: "key [key ...]",
                tips: ["nondeterministic_output_order"], sinter),
            Command(
                "SINTERCARD", .atLeast(3), [.readOnly], group: .set,
                keys: [.counted(at: 1, step: 1, .readOnly, [.access])], since: "7.0.0",
                "Counts the members that all of the sets have.",
                syntax: "numkeys key [key ...] [LIMIT limit]", sintercard),
            Command(
                "SINTERSTORE", .atLeast(3), [.write, .denyOOM], group: .set,
                keys: [
                    .at(1, .overwrite, [.update]),
                    .from(2, last: -1, step: 1, .readOnly, [.access]),
                ], since: "1.0.0",
                "Stores the members that all of the sets have.",
                syntax: "destination key [key ...]", sinterstore),
            Command(
                "SUNION", .atLeast(2), [.readOnly], group: .set,
                keys: [.from(1, last: -1, step: 1, .readOnly, [.access])], since: "1.0.0",
                "Returns the members that any of the sets has.", syntax: "key [key ...]",
                tips: ["nondeterministic_output_order"], sunion),
            Command(
                "SUNIONSTORE", .atLeast(3), [.write, .denyOOM], group: .set,
                keys: [
                    .at(1, .overwrite, [.update]),
                    .from(2, last: -1, step: 1, .readOnly, [.access]),
                ], since: "1.0.0",
                "Stores the members that any of the sets has.",
                syntax: "destination key [key ...]", sunionstore),
        ]
    }

    // MARK: - SADD key member [member ...]

    /// O(1) a member.
    static func sadd(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        let set: SetValue
        if let found = try call.database.set(key) {
            set = found
        } else {
            set = try call.database.makeSet(key, for: call.arguments[2])
        }
        var added = 0
        do throws(CommandError) {
            for index in 2..<call.arguments.count
            where try set.insert(
                call.arguments[index], hash: call.arguments.hash(index))
            {
                added &+= 1
            }
        } catch {
            // No memory for the first member: the empty set does not stay.
            if set.count == 0 { call.database.remove(set.entry, key) }
            throw error
        }
        if added > 0 { call.changed(key, .setAdd, by: added) }
        call.reply.integer(added)
    }

    // MARK: - SREM key member [member ...]

    /// O(1) a member.
    static func srem(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        guard let set = try call.database.set(key) else { return call.reply.integer(0) }
        var removed = 0
        for index in 2..<call.arguments.count
        where set.remove(
            call.arguments[index], hash: call.arguments.hash(index))
        {
            removed &+= 1
            if set.count == 0 { break }
        }
        if removed > 0 {
            call.changed(key, .setRemove, by: removed)
            call.deleteIfEmpty(set.count, set.entry, key)
        }
        call.reply.integer(removed)
    }

    // MARK: - SMOVE source destination member

    /// O(1).
    static func smove(_ call: inout Call) throws(CommandError) {
        let (sourceKey, targetKey) = (call.key(1), call.key(2))
        let member = call.arguments[3]
        guard let entry = call.database.entry(sourceKey) else { return call.reply.integer(0) }
        guard entry.isOf(.set) else { throw .wrongType }
        let target = try call.database.set(targetKey)
        let source = SetValue(entry, call.keyspace.values)
        entry.touch(call.keyspace.accessStamp)
        if let target, target.entry.handle == entry.handle {
            return call.reply.integer(source.contains(member) ? 1 : 0)
        }
        guard source.remove(member) else { return call.reply.integer(0) }
        call.changed(sourceKey, .setRemove)
        call.deleteIfEmpty(source.count, source.entry, sourceKey)
        let destination: SetValue
        if let target {
            destination = target
        } else {
            destination = try call.database.makeSet(targetKey, for: member)
        }
        if try destination.insert(member) { call.changed(targetKey, .setAdd) }
        call.reply.integer(1)
    }

    // MARK: - SISMEMBER key member, SMISMEMBER key member [member ...], SCARD key

    static func sismember(_ call: inout Call) throws(CommandError) {
        let set = try call.database.readSet(call.key(1))
        call.reply.integer(
            set?.contains(call.arguments[2], hash: call.arguments.hash(2)) ?? false ? 1 : 0)
    }

    /// O(1) a member.
    static func smismember(_ call: inout Call) throws(CommandError) {
        let set = try call.database.readSet(call.key(1))
        call.reply.array(call.arguments.count &- 2)
        for index in 2..<call.arguments.count {
            call.reply.integer(set?.contains(call.arguments[index]) ?? false ? 1 : 0)
        }
    }

    static func scard(_ call: inout Call) throws(CommandError) {
        call.reply.integer(try call.database.readSet(call.key(1))?.count ?? 0)
    }

    // MARK: - SMEMBERS key

    /// O(n).
    static func smembers(_ call: inout Call) throws(CommandError) {
        guard let set = try call.database.readSet(call.key(1)) else { return call.reply.set(0) }
        replyMembers(&call, set)
    }

    private static func replyMembers(_ call: inout Call, _ set: SetValue) {
        call.reply.set(set.count)
        var cursor = SetValue.Cursor()
        while let member = set.next(from: &cursor) { call.reply.bulk(member) }
    }

    // MARK: - SPOP key [count]

    /// O(1) a member.
    static func spop(_ call: inout Call) throws(CommandError) {
        if call.arguments.count > 2 { return try spopSeveral(&call) }
        let key = call.key(1)
        guard let set = try call.database.set(key) else { return call.reply.null() }
        if call.isPropagated { propagateRemoval(call, key, 1) }
        popRandom(set, &call)
        call.changed(key, .setPop)
        call.deleteIfEmpty(set.count, set.entry, key)
    }

    @inline(__always)
    private static func popRandom(_ set: SetValue, _ call: inout Call) {
        let feed: EffectFeed? = call.isPropagated ? call.keyspace.feed : nil
        set.popRandom { member in
            call.reply.bulk(member)
            if let feed { member.withBytes { feed.add($0) } }
        }
    }

    /// Begins a SREM of so many members, which are added as chance picks them.
    private static func propagateRemoval(_ call: borrowing Call, _ key: Key, _ count: Int) {
        call.beginPropagated("SREM", count + 2).add(key.bytes)
    }

    private static func spopSeveral(_ call: inout Call) throws(CommandError) {
        guard call.arguments.count == 3 else { throw .syntax }
        guard let count = NumberText.integer(call.arguments[2]), count >= 0 else {
            throw .notPositive
        }
        let key = call.key(1)
        guard let set = try call.database.set(key), count > 0 else { return call.reply.set(0) }
        let taken = Int(min(count, Int64(set.count)))
        if taken == set.count {
            replyMembers(&call, set)
            call.changed(key, .setPop, by: taken)
            call.database.remove(set.entry, key)
            call.notify(key, .delete)
            if call.isPropagated { call.propagate("DEL", key) }
            return
        }
        call.reply.set(taken)
        for index in 0..<taken {
            if call.isPropagated && index % removedAtOnce == 0 {
                propagateRemoval(call, key, min(removedAtOnce, taken - index))
            }
            popRandom(set, &call)
        }
        call.changed(key, .setPop, by: taken)
    }

    /// Members in one SREM of the feed, as Redis has it.
    private static let removedAtOnce = 1024

    // MARK: - SRANDMEMBER key [count]

    /// O(1) a member asked for, or O(n) where a third of the set or more is.
    static func srandmember(_ call: inout Call) throws(CommandError) {
        guard call.arguments.count > 2 else {
            guard let set = try call.database.readSet(call.key(1)),
                let position = set.randomPosition(by: call.keyspace.values)
            else { return call.reply.null() }
            return call.reply.bulk(set.member(at: position))
        }
        let request = try SampleRequest(call.arguments)
        let set = try call.database.readSet(call.key(1))
        try call.replySample(request, of: set) { set, position, _, reply in
            reply.bulk(set.member(at: position))
        }
    }

    // MARK: - SSCAN key cursor [MATCH pattern] [COUNT count]

    /// Shows all members of a small set, else those of about `count` places in the table.
    static func sscan(_ call: inout Call) throws(CommandError) {
        let cursor = try ScanOptions.cursor(call.arguments[2])
        guard let set = try call.database.readSet(call.key(1)) else {
            return call.replyNothingScanned()
        }
        let options = try ScanOptions(call.arguments, from: 3)
        var positions: ContiguousArray<SetValue.Position> = []
        let next = set.scan(
            cursor, atLeast: options.count, mostSteps: options.mostSteps, into: &positions)
        call.replyScanned(next, positions) { position, reply in
            let member = set.member(at: position)
            guard member.withBytes({ options.pattern?.matches($0) ?? true }) else { return 0 }
            reply.bulk(member)
            return 1
        }
    }
}

// MARK: - Set algebra

extension SetCommands {
    /// The sets of the keys from argument `start` up to `end`, empty ones nil; all types are checked
    /// before anything is done.
    private static func sets(
        _ call: borrowing Call, _ start: Int, _ end: Int
    ) throws(CommandError) -> ContiguousArray<SetValue?> {
        var sets: ContiguousArray<SetValue?> = []
        sets.reserveCapacity(end - start)
        for index in start..<end { sets.append(try call.database.readSet(call.key(index))) }
        return sets
    }

    /// Shows `body` the members that all sets have, until it answers false.
    ///
    /// O(least set × sets).
    private static func intersect(
        _ sets: ContiguousArray<SetValue?>, _ body: (SetMember) throws(CommandError) -> Bool
    ) throws(CommandError) {
        let present = sets.compactMap { $0 }
        guard present.count == sets.count else { return }
        let ordered = present.sorted { $0.count < $1.count }
        var cursor = SetValue.Cursor()
        while let member = ordered[0].next(from: &cursor) {
            let isCommon = ordered.dropFirst().allSatisfy {
                $0.entry.handle == ordered[0].entry.handle || $0.contains(member)
            }
            if isCommon {
                guard try body(member) else { return }
            }
        }
    }

    private enum Operation {
        case intersection, union, difference

        var event: KeyEvent {
            switch self {
            case .intersection: .setInterStore
            case .union: .setUnionStore
            case .difference: .setDiffStore
            }
        }
    }

    /// Puts what the operation gives into a set at no key.
    private static func fill(
        _ result: SetValue, _ operation: Operation, _ sets: ContiguousArray<SetValue?>
    ) throws(CommandError) {
        switch operation {
        case .intersection:
            try intersect(sets) { (member) throws(CommandError) in
                _ = try result.insert(member)
                return true
            }
        case .union:
            for set in sets {
                guard let set else { continue }
                var cursor = SetValue.Cursor()
                while let member = set.next(from: &cursor) { _ = try result.insert(member) }
            }
        case .difference:
            try subtract(sets) { (member) throws(CommandError) in _ = try result.insert(member) }
        }
    }

    /// Shows `body` the members of the first set that no other has.
    ///
    /// O(first set × sets).
    private static func subtract(
        _ sets: ContiguousArray<SetValue?>, _ body: (SetMember) throws(CommandError) -> Void
    ) throws(CommandError) {
        guard let first = sets[0] else { return }
        let others = sets.dropFirst().compactMap { $0 }
        if others.contains(where: { $0.entry.handle == first.entry.handle }) { return }
        var cursor = SetValue.Cursor()
        while let member = first.next(from: &cursor) {
            if !others.contains(where: { $0.contains(member) }) { try body(member) }
        }
    }

    // MARK: - SINTER key [key ...], SINTERSTORE, SINTERCARD

    static func sinter(_ call: inout Call) throws(CommandError) {
        let sets = try sets(call, 1, call.arguments.count)
        if sets.count == 1, let set = sets[0] { return replyMembers(&call, set) }
        let start = call.reply.deferLength()
        var count = 0
        try replyIntersection(&call.reply, sets, &count)
        call.reply.finishSet(start, count)
    }

    private static func replyIntersection(
        _ reply: inout ReplyWriter, _ sets: ContiguousArray<SetValue?>, _ count: inout Int
    ) throws(CommandError) {
        try intersect(sets) { (member) throws(CommandError) in
            reply.bulk(member)
            count += 1
            return true
        }
    }

    static func sinterstore(_ call: inout Call) throws(CommandError) {
        try store(&call, .intersection)
    }

    /// Stops counting at LIMIT.
    static func sintercard(_ call: inout Call) throws(CommandError) {
        guard let keys = NumberText.integer(call.arguments[1]), keys > 0 else {
            throw .text("ERR numkeys should be greater than 0")
        }
        guard keys <= call.arguments.count - 2 else {
            throw .text("ERR Number of keys can't be greater than number of args")
        }
        var limit: Int64 = 0
        var options = Options(call.arguments, from: 2 + Int(keys))
        while options.hasMore {
            guard options.take("LIMIT"), options.hasMore else { throw .syntax }
            guard let number = NumberText.integer(try options.next()), number >= 0 else {
                throw .text("ERR LIMIT can't be negative")
            }
            limit = number
        }
        let sets = try sets(call, 2, 2 + Int(keys))
        var count: Int64 = 0
        try intersect(sets) { (_) throws(CommandError) in
            count += 1
            return count != limit
        }
        call.reply.integer(count)
    }

    // MARK: - SUNION key [key ...], SUNIONSTORE, SDIFF, SDIFFSTORE

    /// O(members of all sets); they meet in a set at no key, so that each is replied once.
    static func sunion(_ call: inout Call) throws(CommandError) {
        let sets = try sets(call, 1, call.arguments.count)
        let present = sets.compactMap { $0 }
        if present.isEmpty { return call.reply.set(0) }
        if present.count == 1 { return replyMembers(&call, present[0]) }
        let result = try call.database.makeDetachedSet()
        do throws(CommandError) {
            try fill(result, .union, sets)
        } catch {
            call.database.discard(result)
            throw error
        }
        replyMembers(&call, result)
        call.database.discard(result)
    }

    static func sunionstore(_ call: inout Call) throws(CommandError) {
        try store(&call, .union)
    }

    static func sdiff(_ call: inout Call) throws(CommandError) {
        let sets = try sets(call, 1, call.arguments.count)
        let start = call.reply.deferLength()
        var count = 0
        try replyDifference(&call.reply, sets, &count)
        call.reply.finishSet(start, count)
    }

    private static func replyDifference(
        _ reply: inout ReplyWriter, _ sets: ContiguousArray<SetValue?>, _ count: inout Int
    ) throws(CommandError) {
        try subtract(sets) { (member) throws(CommandError) in
            reply.bulk(member)
            count += 1
        }
    }

    static func sdiffstore(_ call: inout Call) throws(CommandError) {
        try store(&call, .difference)
    }

    /// The result replaces whatever the destination holds, which may be one of the sources; an empty
    /// result deletes it.
    private static func store(
        _ call: inout Call, _ operation: Operation
    ) throws(CommandError) {
        let sets = try sets(call, 2, call.arguments.count)
        let key = call.key(1)
        let result = try call.database.makeDetachedSet()
        do throws(CommandError) {
            try fill(result, operation, sets)
        } catch {
            call.database.discard(result)
            throw error
        }
        let count = result.count
        if count > 0 {
            try call.database.store(result, at: key)
            call.changed(key, operation.event)
        } else {
            call.database.discard(result)
            if call.database.remove(key) { call.changed(key, .delete) }
        }
        call.reply.integer(count)
    }
}
