/// Commands of the documented group "sorted-set" that name members: adding, asking, removing,
/// popping, drawing and scanning.
///
/// Ranges are in `SortedSetRangeCommands`, whole sets in `SortedSetAlgebraCommands`.
enum SortedSetCommands {
    static var table: [Command] {
        [
            Command(
                "ZADD", .atLeast(4), [.write, .denyOOM, .fast], group: .sortedSet,
                keys: [.at(1, .readWrite, [.update])], since: "1.2.0",
                "Adds members with their scores, or changes the scores of members that are there.",
                syntax: "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]",
                element: 3, zadd),
            Command(
                "ZCARD", .exactly(2), [.readOnly, .fast], group: .sortedSet,
                keys: [.at(1, .readOnly, [])], since: "1.2.0",
                "Returns the number of members.", syntax: "key", zcard),
            Command(
                "ZINCRBY", .exactly(4), [.write, .denyOOM, .fast], group: .sortedSet,
                keys: [.at(1, .readWrite, [.access, .update])], since: "1.2.0",
                "Adds to the score of a member, which is created when missing.",
                syntax: "key increment member", element: 3, zincrby),
            Command(
                "ZMPOP", .atLeast(4), [.write], group: .sortedSet,
                keys: [.counted(at: 1, .readWrite, [.access, .delete])], since: "7.0.0",
                "Removes members of the lowest or highest scores from the first set that has any.",
                syntax: "numkeys key [key ...] <MIN | MAX> [COUNT count]", zmpop),
            Command(
                "ZMSCORE", .atLeast(3), [.readOnly, .fast], group: .sortedSet,
                keys: [.at(1, .readOnly, [.access])], since: "6.2.0",
                "Returns the scores of members.", syntax: "key member [member ...]", element: 2,
                zmscore),
            Command(
                "ZPOPMAX", .atLeast(2), [.write, .fast], group: .sortedSet,
                keys: [.at(1, .readWrite, [.access, .delete])], since: "5.0.0",
                "Removes the members of the highest scores and returns them.",
                syntax: "key [count]", zpopmax),
            Command(
                "ZPOPMIN", .atLeast(2), [.write, .fast], group: .sortedSet,
                keys: [.at(1, .readWrite, [.access, .delete])], since: "5.0.0",
                "Removes the members of the lowest scores and returns them.",
                syntax: "key [count]", zpopmin),
            Command(
                "ZRANDMEMBER", .atLeast(2), [.readOnly], group: .sortedSet,
                keys: [.at(1, .readOnly, [.access])], since: "6.2.0",
                "Returns one or more members drawn at random.",
                syntax: "key [count [WITHSCORES]]", tips: ["nondeterministic_output"],
                zrandmember),
            Command(
                "ZRANK", .atLeast(3), [.readOnly, .fast], group: .sortedSet,
                keys: [.at(1, .readOnly, [.access])], since: "2.0.0",
                "Returns how many members have lower scores than a member.",
                syntax: "key member [WITHSCORE]", element: 2, zrank),
            Command(
                "ZREM", .atLeast(3), [.write, .fast], group: .sortedSet,
                keys: [.at(1, .readWrite, [.delete])], since: "1.2.0",
                "Removes members.", syntax: "key member [member ...]", element: 2, zrem),
            Command(
                "ZREVRANK", .atLeast(3), [.readOnly, .fast], group: .sortedSet,
                keys: [.at(1, .readOnly, [.access])], since: "2.0.0",
                "Returns how many members have higher scores than a member.",
                syntax: "key member [WITHSCORE]", element: 2, zrevrank),
            Command(
                "ZSCAN", .atLeast(3), [.readOnly], group: .sortedSet,
                keys: [.at(1, .readOnly, [.access])], since: "2.8.0",
                "Walks through members and scores, a few at a call.",
                syntax: "key cursor [MATCH pattern] [COUNT count]",
                tips: ["nondeterministic_output"], zscan),
            Command(
                "ZSCORE", .exactly(3), [.readOnly, .fast], group: .sortedSet,
                keys: [.at(1, .readOnly, [.access])], since: "1.2.0",
                "Returns the score of a member.", syntax: "key member", element: 2, zscore),
        ]
    }

    // MARK: - ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]

    /// Reply: how many members were added (with CH: or changed); with INCR the new score, or null
    /// when a condition forbade it.
    static func zadd(_ call: inout Call) throws(CommandError) {
        var options = Options(call.arguments, from: 2)
        var conditions: SortedSetValue.Conditions = []
        var countsChanges = false
        while options.hasMore {
            if options.take("NX") {
                conditions.insert(.onlyNew)
            } else if options.take("XX") {
                conditions.insert(.onlyPresent)
            } else if options.take("GT") {
                conditions.insert(.onlyGreater)
            } else if options.take("LT") {
                conditions.insert(.onlyLess)
            } else if options.take("CH") {
                countsChanges = true
            } else if options.take("INCR") {
                conditions.insert(.increments)
            } else {
                break
            }
        }
        try check(conditions, options.remaining)
        try add(&call, from: options.index, conditions, countsChanges)
    }

    private static func check(
        _ conditions: SortedSetValue.Conditions, _ arguments: Int
    ) throws(CommandError) {
        guard arguments > 0, arguments % 2 == 0 else { throw .syntax }
        if conditions.isSuperset(of: [.onlyNew, .onlyPresent]) {
            throw .text("ERR XX and NX options at the same time are not compatible")
        }
        if conditions.isSuperset(of: [.onlyGreater, .onlyLess])
            || conditions.contains(.onlyNew)
                && !conditions.isDisjoint(with: [.onlyGreater, .onlyLess])
        {
            throw .text("ERR GT, LT, and/or NX options at the same time are not compatible")
        }
        if conditions.contains(.increments) && arguments > 2 {
            throw .text("ERR INCR option supports a single increment-element pair")
        }
    }

    // MARK: - ZINCRBY key increment member

    /// Reply: the new score.
    static func zincrby(_ call: inout Call) throws(CommandError) {
        try add(&call, from: 2, .increments, false)
    }

    private struct Tally {
        var added = 0
        var updated = 0
        var isRefused = false
        var score = 0.0
    }

    /// Adds the pairs from argument `first` on; nothing at all when one of the scores is none.
    private static func add(
        _ call: inout Call, from first: Int, _ conditions: SortedSetValue.Conditions,
        _ countsChanges: Bool
    ) throws(CommandError) {
        let arguments = call.arguments
        var tally = Tally()
        guard let score = NumberText.double(arguments[first]) else { throw .notFloat }
        tally.score = score
        for index in stride(from: first + 2, to: arguments.count, by: 2) {
            guard NumberText.double(arguments[index]) != nil else { throw .notFloat }
        }
        let key = call.key(1)
        if let entry = try call.database.entry(key, of: .sortedSet) {
            var set = call.database.sortedSet(of: entry)
            defer {
                set.save(to: entry)
                announce(&call, key, tally, conditions)
            }
            try add(arguments, from: first, to: &set, conditions, &tally)
        } else if conditions.contains(.onlyPresent) {
            tally.isRefused = true
        } else {
            var set = SortedSetValue.make(
                on: call.database.sortedSetGround, firstMemberBytes: arguments[first + 1].count)
            do throws(CommandError) {
                try add(arguments, from: first, to: &set, conditions, &tally)
            } catch {
                call.keyspace.bury(set.collection)
                throw error
            }
            _ = try call.database.setCollection(key, set.collection)
            announce(&call, key, tally, conditions)
        }
        if !conditions.contains(.increments) {
            call.reply.integer(countsChanges ? tally.added + tally.updated : tally.added)
        } else if tally.isRefused {
            call.reply.null()
        } else {
            call.reply.double(tally.score)
        }
    }

    @inline(__always)
    private static func announce(
        _ call: inout Call, _ key: Key, _ tally: Tally, _ conditions: SortedSetValue.Conditions
    ) {
        let changes = tally.added + tally.updated
        if changes > 0 {
            let event =
                conditions.contains(.increments)
                ? KeyEvent.sortedSetIncrement : KeyEvent.sortedSetAdd
            call.changed(key, event, by: changes)
        }
    }

    @inline(__always)
    private static func add(
        _ arguments: Arguments, from first: Int, to set: inout SortedSetValue,
        _ conditions: SortedSetValue.Conditions, _ tally: inout Tally
    ) throws(CommandError) {
        var index = first
        while true {
            switch try set.add(
                arguments[index + 1], &tally.score, conditions, hash: arguments.hash(index + 1))
            {
            case .added: tally.added += 1
            case .updated: tally.updated += 1
            case .unchanged: break
            case .refused: tally.isRefused = true
            case .notANumber: throw .text("ERR resulting score is not a number (NaN)")
            }
            index += 2
            if index >= arguments.count { return }
            guard let score = NumberText.double(arguments[index]) else { throw .notFloat }
            tally.score = score
        }
    }

    // MARK: - ZCARD key

    static func zcard(_ call: inout Call) throws(CommandError) {
        call.reply.integer(try call.database.readSortedSet(call.key(1))?.count ?? 0)
    }

    // MARK: - ZSCORE key member

    static func zscore(_ call: inout Call) throws(CommandError) {
        guard let set = try call.database.readSortedSet(call.key(1)),
            let score = set.score(of: call.arguments[2], hash: call.arguments.hash(2))
        else { return call.reply.null() }
        call.reply.double(score)
    }

    // MARK: - ZMSCORE key member [member ...]

    static func zmscore(_ call: inout Call) throws(CommandError) {
        let set = try call.database.readSortedSet(call.key(1))
        call.reply.array(call.arguments.count - 2)
        for index in 2..<call.arguments.count {
            if let score = set?.score(of: call.arguments[index]) {
                call.reply.double(score)
            } else {
                call.reply.null()
            }
        }
    }

    // MARK: - ZRANK key member [WITHSCORE]

    static func zrank(_ call: inout Call) throws(CommandError) {
        try replyRank(&call, isReversed: false)
    }

    // MARK: - ZREVRANK key member [WITHSCORE]

    static func zrevrank(_ call: inout Call) throws(CommandError) {
        try replyRank(&call, isReversed: true)
    }

    private static func replyRank(
        _ call: inout Call, isReversed: Bool
    ) throws(CommandError) {
        let withScore = call.arguments.count > 3
        if withScore {
            if call.arguments.count > 4 {
                throw isReversed
                    ? .text("ERR wrong number of arguments for 'zrevrank' command")
                    : .text("ERR wrong number of arguments for 'zrank' command")
            }
            guard call.arguments[3].equalsIgnoringCase("WITHSCORE") else { throw .syntax }
        }
        guard let set = try call.database.readSortedSet(call.key(1)),
            let (rank, score) = set.rank(
                of: call.arguments[2], hash: call.arguments.hash(2))
        else { return withScore ? call.reply.nullArray() : call.reply.null() }
        if withScore { call.reply.array(2) }
        call.reply.integer(isReversed ? set.count - 1 - rank : rank)
        if withScore { call.reply.double(score) }
    }

    // MARK: - ZREM key member [member ...]

    /// Reply: how many members were removed.
    static func zrem(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        guard let entry = try call.database.entry(key, of: .sortedSet) else {
            return call.reply.integer(0)
        }
        var set = call.database.sortedSet(of: entry)
        var removed = 0
        for index in 2..<call.arguments.count
        where set.remove(call.arguments[index], hash: call.arguments.hash(index)) {
            removed += 1
            if set.count == 0 { break }
        }
        set.save(to: entry)
        finishRemoval(&call, key, entry, set, removed, .sortedSetRemove)
        call.reply.integer(removed)
    }

    /// States that members were removed, and removes the key with the last of them.
    static func finishRemoval(
        _ call: inout Call, _ key: Key, _ entry: Entry, _ set: SortedSetValue, _ removed: Int,
        _ event: KeyEvent
    ) {
        guard removed > 0 else { return }
        let isEmpty = set.count == 0
        if isEmpty { call.database.remove(entry, key) }
        call.changed(key, event, by: removed)
        if isEmpty { call.notify(key, .delete) }
    }

    // MARK: - ZPOPMIN key [count]

    static func zpopmin(_ call: inout Call) throws(CommandError) {
        try pop(&call, .lowest)
    }

    // MARK: - ZPOPMAX key [count]

    static func zpopmax(_ call: inout Call) throws(CommandError) {
        try pop(&call, .highest)
    }

    /// Which end of the order members are taken from.
    enum End {
        case lowest, highest

        /// The command that takes from this end of one set, without waiting.
        var popName: StaticString { self == .lowest ? "ZPOPMIN" : "ZPOPMAX" }

        init?(_ word: ByteView) {
            if word.equalsIgnoringCase("MIN") {
                self = .lowest
            } else if word.equalsIgnoringCase("MAX") {
                self = .highest
            } else {
                return nil
            }
        }
    }

    private static func pop(_ call: inout Call, _ end: End) throws(CommandError) {
        guard call.arguments.count <= 3 else { throw .syntax }
        let hasCount = call.arguments.count == 3
        var wanted = 1
        if hasCount {
            guard let count = NumberText.integer(call.arguments[2]), count >= 0 else {
                throw .notPositive
            }
            wanted = Int(count)
        }
        let key = call.key(1)
        guard let entry = try call.database.entry(key, of: .sortedSet), wanted > 0 else {
            return call.reply.array(0)
        }
        let isNested = call.reply.isRESP3 && hasCount
        let count = min(wanted, call.database.sortedSet(of: entry).count)
        call.reply.array(isNested ? count : count * 2)
        take(&call, key, entry, end, count, isNested: isNested)
    }

    /// Removes `count` members, as many as there must be, and writes them out.
    static func take(
        _ call: inout Call, _ key: Key, _ entry: Entry, _ end: End, _ count: Int, isNested: Bool
    ) {
        var set = call.database.sortedSet(of: entry)
        set.pop(count, fromEnd: end == .highest, isNested: isNested, into: &call.reply)
        set.save(to: entry)
        finishRemoval(
            &call, key, entry, set, count,
            end == .lowest ? .sortedSetPopLowest : .sortedSetPopHighest)
    }

    // MARK: - ZMPOP numkeys key [key ...] <MIN | MAX> [COUNT count]

    static func zmpop(_ call: inout Call) throws(CommandError) {
        let request = try PopRequest(call.arguments, countIndex: 1)
        guard try popFirst(&call, request) else { return call.reply.nullArray() }
    }

    /// What ZMPOP and BZMPOP ask for.
    struct PopRequest {
        let keys: Range<Int>
        let end: End
        private(set) var count = 1

        init(_ arguments: Arguments, countIndex: Int) throws(CommandError) {
            guard let keyCount = NumberText.integer(arguments[countIndex]), keyCount > 0 else {
                throw .text("ERR numkeys should be greater than 0")
            }
            guard keyCount < arguments.count - countIndex - 1 else { throw .syntax }
            keys = countIndex + 1..<countIndex + 1 + Int(keyCount)
            guard let end = End(arguments[keys.upperBound]) else { throw .syntax }
            self.end = end
            var options = Options(arguments, from: keys.upperBound + 1)
            var hasCount = false
            while options.hasMore {
                guard !hasCount, options.take("COUNT"), options.hasMore else { throw .syntax }
                hasCount = true
                guard let count = NumberText.integer(try options.next()), count > 0 else {
                    throw .text("ERR count should be greater than 0")
                }
                self.count = Int(count)
            }
        }
    }

    /// Pops from the first key that is a sorted set; false when none is.
    static func popFirst(_ call: inout Call, _ request: PopRequest) throws(CommandError) -> Bool {
        for index in request.keys where call.mayServe(index) {
            let key = call.key(index)
            guard let entry = try call.database.entry(key, of: .sortedSet) else { continue }
            let count = min(request.count, call.database.sortedSet(of: entry).count)
            call.reply.array(2)
            call.reply.bulk(key.bytes)
            call.reply.array(count)
            take(&call, key, entry, request.end, count, isNested: true)
            if call.isPropagated { call.propagate(request.end.popName, key, Int64(count)) }
            return true
        }
        return false
    }

    // MARK: - ZRANDMEMBER key [count [WITHSCORES]]

    /// O(log n) a member asked for, or O(n) where a third of the set or more is.
    static func zrandmember(_ call: inout Call) throws(CommandError) {
        guard call.arguments.count > 2 else {
            guard let set = try call.database.readSortedSet(call.key(1)),
                let position = set.randomPosition(by: call.keyspace.values)
            else { return call.reply.null() }
            return call.reply.member(set.element(at: position).member)
        }
        let request = try SampleRequest(call.arguments, pairedBy: "WITHSCORES")
        let set = try call.database.readSortedSet(call.key(1))
        try call.replySample(request, of: set) { set, position, withScore, reply in
            let element = set.element(at: position)
            reply.member(element.member)
            if withScore { reply.double(element.score) }
        }
    }

    // MARK: - ZSCAN key cursor [MATCH pattern] [COUNT count]

    /// A packed set is shown whole at once, a ranked one by the groups of its hash table, its scores in
    /// 17 digits.
    static func zscan(_ call: inout Call) throws(CommandError) {
        let cursor = try ScanOptions.cursor(call.arguments[2])
        guard let set = try call.database.readSortedSet(call.key(1)) else {
            return call.replyNothingScanned()
        }
        let options = try ScanOptions(call.arguments, from: 3)
        if set.isRanked {
            var handles: ContiguousArray<Arena.Handle> = []
            let next = set.scan(
                cursor, atLeast: options.count, mostSteps: options.mostSteps, into: &handles)
            call.replyScanned(next, handles) { handle, reply in
                show(set.element(handle), options, isRanked: true, &reply)
            }
        } else {
            call.replyScanned(0, set.positions()) { position, reply in
                show(set.element(at: position), options, isRanked: false, &reply)
            }
        }
    }

    /// How many replies that made.
    private static func show(
        _ element: SortedSetElement, _ options: ScanOptions, isRanked: Bool,
        _ reply: inout ReplyWriter
    ) -> Int {
        guard element.member.withText({ options.pattern?.matches($0) ?? true }) else { return 0 }
        reply.member(element.member)
        reply.bulkDouble(element.score, in17Digits: isRanked)
        return 2
    }
}

extension ReplyWriter {
    /// A member, with its score behind it, or in a pair with it in RESP3.
    @inline(__always)
    mutating func scored(_ element: SortedSetElement, _ withScore: Bool) {
        if withScore && isRESP3 { array(2) }
        member(element.member)
        if withScore { double(element.score) }
    }
}

extension KeyEvent {
    static let sortedSetAdd = KeyEvent("zadd", .sortedSet)
    static let sortedSetIncrement = KeyEvent("zincr", .sortedSet)
    static let sortedSetRemove = KeyEvent("zrem", .sortedSet)
    static let sortedSetPopLowest = KeyEvent("zpopmin", .sortedSet)
    static let sortedSetPopHighest = KeyEvent("zpopmax", .sortedSet)
    static let sortedSetRemoveByRank = KeyEvent("zremrangebyrank", .sortedSet)
    static let sortedSetRemoveByScore = KeyEvent("zremrangebyscore", .sortedSet)
    static let sortedSetRemoveByMember = KeyEvent("zremrangebylex", .sortedSet)
    static let sortedSetRangeStore = KeyEvent("zrangestore", .sortedSet)
    static let sortedSetUnionStore = KeyEvent("zunionstore", .sortedSet)
    static let sortedSetIntersectionStore = KeyEvent("zinterstore", .sortedSet)
    static let sortedSetDifferenceStore = KeyEvent("zdiffstore", .sortedSet)
}
