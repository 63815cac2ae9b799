/// Commands of the group "sorted-set" that speak of ranges: by rank, by score, by member.
///
/// A range of any kind is turned into two ranks first, O(log n) in a ranked set; what follows
/// (LIMIT, the order, counting, copying, removing) is arithmetic on ranks.
enum SortedSetRangeCommands {
    static var table: [Command] {
        [
            Command(
                "ZCOUNT", .exactly(4), [.readOnly, .fast], group: .sortedSet,
                keys: [.at(1, .readOnly, [.access])], since: "2.0.0",
                "Counts the members whose scores are within a range.", syntax: "key min max",
                zcount),
            Command(
                "ZLEXCOUNT", .exactly(4), [.readOnly, .fast], group: .sortedSet,
                keys: [.at(1, .readOnly, [.access])], since: "2.8.9",
                "Counts the members within a range of members.", syntax: "key min max",
                zlexcount),
            Command(
                "ZRANGE", .atLeast(4), [.readOnly], group: .sortedSet,
                keys: [.at(1, .readOnly, [.access])], since: "1.2.0",
                "Returns the members within a range of ranks, scores or members.",
                syntax: """
                    key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]
                    """, zrange),
            Command(
                "ZRANGEBYLEX", .atLeast(4), [.readOnly], group: .sortedSet,
                keys: [.at(1, .readOnly, [.access])], since: "2.8.9",
                "Returns the members within a range of members.",
                syntax: "key min max [LIMIT offset count]",
                deprecated: ("6.2.0", "`ZRANGE` with the `BYLEX` argument"), zrangebylex),
            Command(
                "ZRANGEBYSCORE", .atLeast(4), [.readOnly], group: .sortedSet,
                keys: [.at(1, .readOnly, [.access])], since: "1.0.5",
                "Returns the members within a range of scores.",
                syntax: "key min max [WITHSCORES] [LIMIT offset count]",
                deprecated: ("6.2.0", "`ZRANGE` with the `BYSCORE` argument"), zrangebyscore),
            Command(
                "ZRANGESTORE", .atLeast(5), [.write, .denyOOM], group: .sortedSet,
                keys: [.at(1, .overwrite, [.update]), .at(2, .readOnly, [.access])],
                since: "6.2.0", "Stores a range of a sorted set in another key.",
                syntax: "dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
                zrangestore),
            Command(
                "ZREMRANGEBYLEX", .exactly(4), [.write], group: .sortedSet,
                keys: [.at(1, .readWrite, [.delete])], since: "2.8.9",
                "Removes the members within a range of members.", syntax: "key min max",
                zremrangebylex),
            Command(
                "ZREMRANGEBYRANK", .exactly(4), [.write], group: .sortedSet,
                keys: [.at(1, .readWrite, [.delete])], since: "2.0.0",
                "Removes the members within a range of ranks.", syntax: "key start stop",
                zremrangebyrank),
            Command(
                "ZREMRANGEBYSCORE", .exactly(4), [.write], group: .sortedSet,
                keys: [.at(1, .readWrite, [.delete])], since: "1.2.0",
                "Removes the members within a range of scores.", syntax: "key min max",
                zremrangebyscore),
            Command(
                "ZREVRANGE", .atLeast(4), [.readOnly], group: .sortedSet,
                keys: [.at(1, .readOnly, [.access])], since: "1.2.0",
                "Returns the members within a range of ranks, highest scores first.",
                syntax: "key start stop [WITHSCORES]",
                deprecated: ("6.2.0", "`ZRANGE` with the `REV` argument"), zrevrange),
            Command(
                "ZREVRANGEBYLEX", .atLeast(4), [.readOnly], group: .sortedSet,
                keys: [.at(1, .readOnly, [.access])], since: "2.8.9",
                "Returns the members within a range of members, the last ones first.",
                syntax: "key max min [LIMIT offset count]",
                deprecated: ("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments"),
                zrevrangebylex),
            Command(
                "ZREVRANGEBYSCORE", .atLeast(4), [.readOnly], group: .sortedSet,
                keys: [.at(1, .readOnly, [.access])], since: "2.2.0",
                "Returns the members within a range of scores, highest scores first.",
                syntax: "key max min [WITHSCORES] [LIMIT offset count]",
                deprecated: ("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments"),
                zrevrangebyscore),
        ]
    }

    // MARK: - Reading ranges

    /// What a range is counted in.
    enum Kind {
        case rank, score, member
    }

    /// A range before it meets a set.
    enum Interval {
        case ranks(Int64, Int64)
        case bounds(SortedSetBound, SortedSetBound)

        init(_ kind: Kind, _ low: ByteView, _ high: ByteView) throws(CommandError) {
            switch kind {
            case .rank:
                guard let first = NumberText.integer(low), let last = NumberText.integer(high)
                else { throw .notInteger }
                self = .ranks(first, last)
            case .score:
                guard let low = Self.score(low, isLow: true),
                    let high = Self.score(high, isLow: false)
                else { throw .text("ERR min or max is not a float") }
                self = .bounds(low, high)
            case .member:
                guard let low = Self.member(low, isLow: true),
                    let high = Self.member(high, isLow: false)
                else { throw .text("ERR min or max not valid string range item") }
                self = .bounds(low, high)
            }
        }

        /// `1.5`, or `(1.5` where the score itself is outside.
        private static func score(_ text: ByteView, isLow: Bool) -> SortedSetBound? {
            let isOpen = !text.isEmpty && text[0] == UInt8(ascii: "(")
            guard let score = NumberText.bound(isOpen ? text.dropFirst(1) : text) else {
                return nil
            }
            return isLow == isOpen ? .afterScore(score) : .beforeScore(score)
        }

        /// `[a`, or `(a` where the member itself is outside, or `-` and `+` for the ends.
        private static func member(_ text: ByteView, isLow: Bool) -> SortedSetBound? {
            guard !text.isEmpty else { return nil }
            switch text[0] {
            case UInt8(ascii: "-"): return text.count == 1 ? .start : nil
            case UInt8(ascii: "+"): return text.count == 1 ? .end : nil
            case UInt8(ascii: "["):
                let member = text.dropFirst(1)
                return isLow ? .beforeMember(member) : .afterMember(member)
            case UInt8(ascii: "("):
                let member = text.dropFirst(1)
                return isLow ? .afterMember(member) : .beforeMember(member)
            default: return nil
            }
        }

        /// The ranks of `set` that it covers; counted from the other end where reversed ranks.
        func ranks(in set: SortedSetValue, isReversed: Bool = false) -> Range<Int> {
            switch self {
            case .ranks(let first, let last):
                let count = Int64(set.count)
                let low = first < 0 ? max(0, first + count) : first
                let high = last < 0 ? last + count : min(last, count - 1)
                guard low <= high, low < count else { return 0..<0 }
                return isReversed
                    ? Int(count - 1 - high)..<Int(count - low) : Int(low)..<Int(high + 1)
            case .bounds(let first, let last):
                let low = set.rank(of: first)
                return low..<max(low, set.rank(of: last))
            }
        }
    }

    /// What ZRANGE and its older kin ask for.
    struct RangeRequest {
        private(set) var kind = Kind.rank
        private(set) var isReversed = false
        private(set) var withScores = false
        private(set) var offset: Int64 = 0
        private(set) var limit: Int64 = -1
        let interval: Interval

        /// Reads the range at argument `first` and the options behind it; `kind` and `isReversed`
        /// are nil where options may choose them.
        init(
            _ arguments: Arguments, from first: Int, _ kind: Kind?, isReversed: Bool?,
            stores: Bool = false
        ) throws(CommandError) {
            var options = Options(arguments, from: first + 2)
            var (chosenKind, chosenOrder) = (kind, isReversed)
            while options.hasMore {
                if !stores && options.take("WITHSCORES") {
                    withScores = true
                } else if options.remaining > 2 && options.take("LIMIT") {
                    offset = try options.integer()
                    limit = try options.integer()
                } else if chosenOrder == nil && options.take("REV") {
                    chosenOrder = true
                } else if chosenKind == nil && options.take("BYLEX") {
                    chosenKind = .member
                } else if chosenKind == nil && options.take("BYSCORE") {
                    chosenKind = .score
                } else {
                    throw .syntax
                }
            }
            self.kind = chosenKind ?? .rank
            self.isReversed = chosenOrder ?? false
            if limit != -1 && self.kind == .rank {
                throw .text(
                    """
                    ERR syntax error, LIMIT is only supported in combination with either BYSCORE \
                    or BYLEX
                    """)
            }
            if withScores && self.kind == .member {
                throw .text(
                    "ERR syntax error, WITHSCORES not supported in combination with BYLEX")
            }
            let isSwapped = self.isReversed && self.kind != .rank
            interval = try Interval(
                self.kind, arguments[isSwapped ? first + 1 : first],
                arguments[isSwapped ? first : first + 1])
        }

        /// The ranks of `set` that are meant, LIMIT included.
        func ranks(in set: SortedSetValue) -> Range<Int> {
            let ranks = interval.ranks(in: set, isReversed: isReversed)
            guard kind != .rank else { return ranks }
            guard offset >= 0, offset < ranks.count else { return 0..<0 }
            let left = ranks.count - Int(offset)
            let count = limit < 0 ? left : Int(min(limit, Int64(left)))
            if isReversed {
                let high = ranks.upperBound - Int(offset)
                return high - count..<high
            }
            let low = ranks.lowerBound + Int(offset)
            return low..<low + count
        }
    }

    // MARK: - ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]

    static func zrange(_ call: inout Call) throws(CommandError) {
        try reply(&call, try RangeRequest(call.arguments, from: 2, nil, isReversed: nil))
    }

    // MARK: - ZREVRANGE key start stop [WITHSCORES]

    static func zrevrange(_ call: inout Call) throws(CommandError) {
        try reply(&call, try RangeRequest(call.arguments, from: 2, .rank, isReversed: true))
    }

    // MARK: - ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]

    static func zrangebyscore(_ call: inout Call) throws(CommandError) {
        try reply(&call, try RangeRequest(call.arguments, from: 2, .score, isReversed: false))
    }

    // MARK: - ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]

    static func zrevrangebyscore(_ call: inout Call) throws(CommandError) {
        try reply(&call, try RangeRequest(call.arguments, from: 2, .score, isReversed: true))
    }

    // MARK: - ZRANGEBYLEX key min max [LIMIT offset count]

    static func zrangebylex(_ call: inout Call) throws(CommandError) {
        try reply(&call, try RangeRequest(call.arguments, from: 2, .member, isReversed: false))
    }

    // MARK: - ZREVRANGEBYLEX key max min [LIMIT offset count]

    static func zrevrangebylex(_ call: inout Call) throws(CommandError) {
        try reply(&call, try RangeRequest(call.arguments, from: 2, .member, isReversed: true))
    }

    private static func reply(
        _ call: inout Call, _ request: RangeRequest
    ) throws(CommandError) {
        guard let set = try call.database.readSortedSet(call.key(1)) else {
            return call.reply.array(0)
        }
        let ranks = request.ranks(in: set)
        let isFlat = request.withScores && !call.reply.isRESP3
        call.reply.array(isFlat ? ranks.count * 2 : ranks.count)
        guard !ranks.isEmpty else { return }
        var walk = set.walk(
            from: request.isReversed ? ranks.upperBound - 1 : ranks.lowerBound,
            isReversed: request.isReversed)
        guard request.withScores else { return call.reply.members(&walk, count: ranks.count) }
        for _ in ranks {
            guard let element = walk.next() else { break }
            call.reply.scored(element, true)
        }
    }

    // MARK: - ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]

    /// Reply: how many members were stored.
    static func zrangestore(_ call: inout Call) throws(CommandError) {
        let request = try RangeRequest(
            call.arguments, from: 3, nil, isReversed: nil, stores: true)
        var copy: SortedSetValue?
        if let source = try call.database.readSortedSet(call.key(2)) {
            let ranks = request.ranks(in: source)
            if !ranks.isEmpty {
                copy = try copied(source, ranks, call.keyspace, on: call.database.sortedSetGround)
            }
        }
        try store(&call, copy, .sortedSetRangeStore)
    }

    private static func copied(
        _ source: SortedSetValue, _ ranks: Range<Int>, _ keyspace: Keyspace,
        on ground: SortedSetValue.Ground
    ) throws(CommandError) -> SortedSetValue {
        var copy = SortedSetValue.make(on: ground, members: ranks.count)
        var walk = source.walk(from: ranks.lowerBound)
        do throws(CommandError) {
            for _ in ranks {
                guard let element = walk.next() else { break }
                var score = element.score
                _ = try element.member.withText { (member) throws(CommandError) in
                    try copy.add(member, &score)
                }
            }
        } catch {
            keyspace.bury(copy.collection)
            throw error
        }
        return copy
    }

    /// Makes `result` the value of the key at argument 1, or removes that key where it is nil or
    /// empty; replies with the number of members.
    static func store(
        _ call: inout Call, _ result: SortedSetValue?, _ event: KeyEvent
    ) throws(CommandError) {
        let key = call.key(1)
        guard let result, result.count > 0 else {
            if let result { call.keyspace.bury(result.collection) }
            if call.database.remove(key) { call.changed(key, .delete) }
            return call.reply.integer(0)
        }
        _ = try call.database.setCollection(key, result.collection)
        call.changed(key, event)
        call.reply.integer(result.count)
    }

    // MARK: - ZCOUNT key min max

    static func zcount(_ call: inout Call) throws(CommandError) { try count(&call, .score) }

    // MARK: - ZLEXCOUNT key min max

    static func zlexcount(_ call: inout Call) throws(CommandError) { try count(&call, .member) }

    private static func count(_ call: inout Call, _ kind: Kind) throws(CommandError) {
        let interval = try Interval(kind, call.arguments[2], call.arguments[3])
        let set = try call.database.readSortedSet(call.key(1))
        call.reply.integer(set.map { interval.ranks(in: $0).count } ?? 0)
    }

    // MARK: - ZREMRANGEBYRANK key start stop

    static func zremrangebyrank(_ call: inout Call) throws(CommandError) {
        try remove(&call, .rank, .sortedSetRemoveByRank)
    }

    // MARK: - ZREMRANGEBYSCORE key min max

    static func zremrangebyscore(_ call: inout Call) throws(CommandError) {
        try remove(&call, .score, .sortedSetRemoveByScore)
    }

    // MARK: - ZREMRANGEBYLEX key min max

    static func zremrangebylex(_ call: inout Call) throws(CommandError) {
        try remove(&call, .member, .sortedSetRemoveByMember)
    }

    /// Reply: how many members were removed.
    private static func remove(
        _ call: inout Call, _ kind: Kind, _ event: KeyEvent
    ) throws(CommandError) {
        let interval = try Interval(kind, call.arguments[2], call.arguments[3])
        let key = call.key(1)
        guard let entry = try call.database.entry(key, of: .sortedSet) else {
            return call.reply.integer(0)
        }
        var set = call.database.sortedSet(of: entry)
        let ranks = interval.ranks(in: set)
        call.reply.integer(ranks.count)
        if ranks.count == set.count {
            // The whole set goes with its key, which is freed in slices.
            call.database.remove(entry, key)
            call.changed(key, event, by: ranks.count)
            return call.notify(key, .delete)
        }
        set.removeRange(from: ranks.lowerBound, count: ranks.count)
        set.save(to: entry)
        SortedSetCommands.finishRemoval(&call, key, entry, set, ranks.count, event)
    }
}
