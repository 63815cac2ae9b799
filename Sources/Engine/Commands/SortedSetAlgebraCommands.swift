/// Commands of the group "sorted-set" that combine whole sets: union, intersection, difference.
enum SortedSetAlgebraCommands {
    static var table: [Command] {
        [
            Command(
                "ZDIFF", .atLeast(3), [.readOnly], group: .sortedSet,
                keys: [.counted(at: 1, .readOnly, [.access])], since: "6.2.0",
                "Returns the members of the first set that no other set has.",
                syntax: "numkeys key [key ...] [WITHSCORES]", zdiff),
            Command(
                "ZDIFFSTORE", .atLeast(4), [.write, .denyOOM], group: .sortedSet,
                keys: [
                    .at(1, .overwrite, [.update]), .counted(at: 2, .readOnly, [.access]),
                ], since: "6.2.0",
                "Stores the members of the first set that no other set has.",
                syntax: "destination numkeys key [key ...]", zdiffstore),
            Command(
                "ZINTER", .atLeast(3), [.readOnly], group: .sortedSet,
                keys: [.counted(at: 1, .readOnly, [.access])], since: "6.2.0",
                "Returns the members that all sets have.",
                syntax: """
                    numkeys key [key ...] [WEIGHTS weight [weight ...]] \
                    [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]
                    """, zinter),
            Command(
                "ZINTERCARD", .atLeast(3), [.readOnly], group: .sortedSet,
                keys: [.counted(at: 1, .readOnly, [.access])], since: "7.0.0",
                "Counts the members that all sets have.",
                syntax: "numkeys key [key ...] [LIMIT limit]", zintercard),
            Command(
                "ZINTERSTORE", .atLeast(4), [.write, .denyOOM], group: .sortedSet,
                keys: [
                    .at(1, .overwrite, [.update]), .counted(at: 2, .readOnly, [.access]),
                ], since: "2.0.0", "Stores the members that all sets have.",
                syntax: """
                    destination numkeys key [key ...] [WEIGHTS weight [weight ...]] \
                    [AGGREGATE <SUM | MIN | MAX>]
                    """, zinterstore),
            Command(
                "ZUNION", .atLeast(3), [.readOnly], group: .sortedSet,
                keys: [.counted(at: 1, .readOnly, [.access])], since: "6.2.0",
                "Returns the members that any of the sets has.",
                syntax: """
                    numkeys key [key ...] [WEIGHTS weight [weight ...]] \
                    [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]
                    """, zunion),
            Command(
                "ZUNIONSTORE", .atLeast(4), [.write, .denyOOM], group: .sortedSet,
                keys: [
                    .at(1, .overwrite, [.update]), .counted(at: 2, .readOnly, [.access]),
                ], since: "2.0.0", "Stores the members that any of the sets has.",
                syntax: """
                    destination numkeys key [key ...] [WEIGHTS weight [weight ...]] \
                    [AGGREGATE <SUM | MIN | MAX>]
                    """, zunionstore),
        ]
    }

    // MARK: - The commands

    static func zunion(_ call: inout Call) throws(CommandError) {
        try reply(&call, .union)
    }

    static func zinter(_ call: inout Call) throws(CommandError) {
        try reply(&call, .intersection)
    }

    static func zdiff(_ call: inout Call) throws(CommandError) {
        try reply(&call, .difference)
    }

    static func zunionstore(_ call: inout Call) throws(CommandError) {
        try store(&call, .union, .sortedSetUnionStore)
    }

    static func zinterstore(_ call: inout Call) throws(CommandError) {
        try store(&call, .intersection, .sortedSetIntersectionStore)
    }

    static func zdiffstore(_ call: inout Call) throws(CommandError) {
        try store(&call, .difference, .sortedSetDifferenceStore)
    }

    /// Reply: how many members all sets have, at most LIMIT.
    static func zintercard(_ call: inout Call) throws(CommandError) {
        let request = try AlgebraRequest(&call, .intersection, countIndex: 1, .counts)
        var count = 0
        try forEachCommon(request) { (_, _) throws(CommandError) in
            count += 1
            return request.limit == 0 || count < request.limit
        }
        call.reply.integer(count)
    }

    private static func reply(
        _ call: inout Call, _ operation: Operation
    ) throws(CommandError) {
        let request = try AlgebraRequest(&call, operation, countIndex: 1, .replies)
        let result = try combine(&call, request)
        let isFlat = request.withScores && !call.reply.isRESP3
        call.reply.array(isFlat ? result.count * 2 : result.count)
        var walk = result.walk(from: 0)
        while let element = walk.next() { call.reply.scored(element, request.withScores) }
        call.keyspace.bury(result.collection)
    }

    private static func store(
        _ call: inout Call, _ operation: Operation, _ event: KeyEvent
    ) throws(CommandError) {
        let request = try AlgebraRequest(&call, operation, countIndex: 2, .stores)
        var result = try combine(&call, request)
        result.packIfSmall()
        try SortedSetRangeCommands.store(&call, result, event)
    }

    // MARK: - Requests

    enum Operation {
        case union, intersection, difference
    }

    /// What becomes of the result; it decides which options there are.
    enum Purpose {
        case replies, stores, counts
    }

    enum Aggregate {
        case sum, lowest, highest

        func combine(_ left: Double, _ right: Double) -> Double {
            switch self {
            case .sum:
                // Infinities of both signs make zero, as the peers have it.
                let sum = left + right
                return sum.isNaN ? 0 : sum
            case .lowest: return right < left ? right : left
            case .highest: return right > left ? right : left
            }
        }
    }

    /// The inputs and options of one of the commands.
    private struct AlgebraRequest {
        let operation: Operation
        var inputs: ContiguousArray<ScoredInput> = []
        var aggregate = Aggregate.sum
        var withScores = false
        /// 0: none.
        var limit = 0

        init(
            _ call: inout Call, _ operation: Operation, countIndex: Int, _ purpose: Purpose
        ) throws(CommandError) {
            self.operation = operation
            guard let count = NumberText.integer(call.arguments[countIndex]) else {
                throw .notInteger
            }
            guard count > 0 else {
                throw call.fail(
                    "ERR at least 1 input key is needed for '\(call.row.fullName)' command")
            }
            let first = countIndex + 1
            guard count <= call.arguments.count - first else { throw .syntax }
            for index in first..<first + Int(count) {
                inputs.append(try ScoredInput(call.database, call.key(index)))
            }
            try readOptions(call.arguments, from: first + Int(count), purpose)
        }

        private mutating func readOptions(
            _ arguments: Arguments, from first: Int, _ purpose: Purpose
        ) throws(CommandError) {
            var options = Options(arguments, from: first)
            let weighs = operation != .difference && purpose != .counts
            while options.hasMore {
                if weighs && options.remaining > inputs.count && options.take("WEIGHTS") {
                    for index in inputs.indices {
                        guard let weight = NumberText.double(try options.next()) else {
                            throw .text("ERR weight value is not a float")
                        }
                        inputs[index].weight = weight
                    }
                } else if weighs && options.remaining > 1 && options.take("AGGREGATE") {
                    if options.take("SUM") {
                        aggregate = .sum
                    } else if options.take("MIN") {
                        aggregate = .lowest
                    } else if options.take("MAX") {
                        aggregate = .highest
                    } else {
                        throw .syntax
                    }
                } else if purpose == .replies && options.take("WITHSCORES") {
                    withScores = true
                } else if purpose == .counts && options.remaining > 1 && options.take("LIMIT") {
                    guard let limit = NumberText.integer(try options.next()), limit >= 0 else {
                        throw .text("ERR LIMIT can't be negative")
                    }
                    self.limit = Int(limit)
                } else {
                    throw .syntax
                }
            }
        }
    }

    // MARK: - Combining

    /// The result as a set that hangs off nothing.
    private static func combine(
        _ call: inout Call, _ request: AlgebraRequest
    ) throws(CommandError) -> SortedSetValue {
        // The order of additions is not that of scores, which suits the ranked form better.
        var result = SortedSetValue.makeRanked(on: call.database.sortedSetGround)
        do throws(CommandError) {
            switch request.operation {
            case .union: try unite(request, into: &result)
            case .intersection:
                try forEachCommon(request) { (member, score) throws(CommandError) in
                    var score = score
                    _ = try result.add(member, &score)
                    return true
                }
            case .difference: try subtract(request, into: &result)
            }
        } catch {
            call.keyspace.bury(result.collection)
            throw error
        }
        return result
    }

    /// Smallest inputs first: where a sum depends on the order, it is that of the peers.
    private static func unite(
        _ request: AlgebraRequest, into result: inout SortedSetValue
    ) throws(CommandError) {
        for input in request.inputs.sorted(by: { $0.count < $1.count }) {
            var walk = input.walk()
            while let element = walk.next() {
                try element.member.withText { (member) throws(CommandError) in
                    var score = input.weighted(element.score)
                    if let old = result.score(of: member) {
                        score = request.aggregate.combine(old, score)
                    }
                    _ = try result.add(member, &score, .exactly)
                }
            }
        }
    }

    /// Shows `body` each member that all inputs have with its combined score, until it says false.
    private static func forEachCommon<Failure: Error>(
        _ request: AlgebraRequest, _ body: (ByteView, Double) throws(Failure) -> Bool
    ) throws(Failure) {
        let inputs = request.inputs.sorted { $0.count < $1.count }
        guard let smallest = inputs.first, smallest.count > 0 else { return }
        var walk = smallest.walk()
        var goesOn = true
        while goesOn, let element = walk.next() {
            try element.member.withText { (member) throws(Failure) in
                var score = smallest.weighted(element.score)
                for input in inputs.dropFirst() {
                    guard let other = input.score(of: member) else { return }
                    score = request.aggregate.combine(score, other * input.weight)
                }
                goesOn = try body(member, score)
            }
        }
    }

    private static func subtract(
        _ request: AlgebraRequest, into result: inout SortedSetValue
    ) throws(CommandError) {
        guard let first = request.inputs.first else { return }
        var walk = first.walk()
        while let element = walk.next() {
            try element.member.withText { (member) throws(CommandError) in
                for other in request.inputs.dropFirst() where other.score(of: member) != nil {
                    return
                }
                var score = element.score
                _ = try result.add(member, &score)
            }
        }
    }
}

/// An input of a union, intersection or difference: a sorted set, a set whose members all score 1,
/// or nothing.
struct ScoredInput {
    private var sortedSet: SortedSetValue?
    private var plainSet: SetValue?
    var weight = 1.0

    init(_ database: Database, _ key: Key) throws(CommandError) {
        guard let entry = database.read(key) else { return }
        switch entry.type {
        case .sortedSet: sortedSet = database.sortedSet(of: entry)
        case .set: plainSet = SetValue(entry, database.keyspace.values)
        default: throw .wrongType
        }
    }

    var count: Int { sortedSet?.count ?? plainSet?.count ?? 0 }

    func score(of member: ByteView) -> Double? {
        if let plainSet { return plainSet.contains(member) ? 1 : nil }
        return sortedSet?.score(of: member)
    }

    /// The score times the weight; what is no number counts as nothing.
    func weighted(_ score: Double) -> Double {
        let product = score * weight
        return product.isNaN ? 0 : product
    }

    func walk() -> Walk { Walk(sorted: sortedSet?.walk(from: 0), plain: plainSet) }

    /// A way along the members, in no certain order where they have none.
    struct Walk {
        fileprivate var sorted: SortedSetWalk?
        fileprivate let plain: SetValue?
        private var cursor = SetValue.Cursor()

        fileprivate init(sorted: SortedSetWalk?, plain: SetValue?) {
            self.sorted = sorted
            self.plain = plain
        }

        mutating func next() -> SortedSetElement? {
            guard let plain else { return sorted?.next() }
            switch plain.next(from: &cursor) {
            case .integer(let integer): return SortedSetElement(member: .integer(integer), score: 1)
            case .bytes(let bytes): return SortedSetElement(member: .bytes(bytes), score: 1)
            case nil: return nil
            }
        }
    }
}
