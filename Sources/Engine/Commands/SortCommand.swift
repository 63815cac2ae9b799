/// SORT and SORT_RO: the elements of a list, set or sorted set in order, or what they lead to.
///
/// Elements are copied before anything is looked up, so that a pattern may lead back to the key
/// itself. The group is "generic"; one file, since it reaches into every type.
enum SortCommand {
    // swift-format-ignore
    static var table: [Command] {
        [
            Command(
                "SORT", .atLeast(2), [.write, .denyOOM], [.set, .sortedSet, .list, .dangerous],
                group: .generic,
                keys: [.at(1, .readOnly, [.access]),
                       KeySpec(.readOnly, [.access], .unknown, .unknown,
                               note: "For BY and GET: 'unknown', since elements name the keys"),
                       KeySpec(.overwrite, [.update], .unknown, .unknown,
                               note: "For STORE: 'unknown', since it may stand anywhere")],
                keyFinder: keys, since: "1.0.0",
                "Sorts a list, set or sorted set, and may store the result.",
                syntax: "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] "
                    + "[ASC | DESC] [ALPHA] [STORE destination]", sort),
            Command(
                "SORT_RO", .atLeast(2), [.readOnly], [.set, .sortedSet, .list, .dangerous],
                group: .generic,
                keys: [.at(1, .readOnly, [.access]),
                       KeySpec(.readOnly, [.access], .unknown, .unknown,
                               note: "For BY and GET: 'unknown', since elements name the keys")],
                keyFinder: readOnlyKeys, since: "7.0.0", "Sorts a list, set or sorted set.",
                syntax: "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] "
                    + "[ASC | DESC] [ALPHA]", sortReadOnly),
        ]
    }

    private static func readOnlyKeys(_ arguments: Arguments) -> [KeyPosition]? {
        guard arguments.count > 1 else { return nil }
        return [KeyPosition(index: 1, access: .readOnly, flags: [.access])]
    }

    /// As the request is executed: the last STORE counts.
    private static func keys(_ arguments: Arguments) -> [KeyPosition]? {
        guard var keys = readOnlyKeys(arguments) else { return nil }
        let request = try? Request(arguments, mayStore: true, mayFollow: true)
        if let stored = request?.storeKey {
            keys.append(KeyPosition(index: stored, access: .overwrite, flags: [.update]))
        }
        return keys
    }

    // MARK: - SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA] [STORE]

    static func sort(_ call: inout Call) throws(CommandError) {
        let mayFollow = call.server.mayReadAllKeys(call)
        try sort(&call, try Request(call.arguments, mayStore: true, mayFollow: mayFollow))
    }

    static func sortReadOnly(_ call: inout Call) throws(CommandError) {
        let mayFollow = call.server.mayReadAllKeys(call)
        try sort(&call, try Request(call.arguments, mayStore: false, mayFollow: mayFollow))
    }

    private struct Request {
        /// Nil: by the elements themselves.
        var weights: Pattern?
        /// A weight that is the same for all: nothing is sorted.
        var keepsOrder = false
        var isAlphabetic = false
        var isDescending = false
        var offset: Int64 = 0
        var limit: Int64 = -1
        /// The arguments that are patterns of GET.
        var gets: ContiguousArray<Pattern> = []
        var storeKey: Int?

        /// - Parameter mayFollow: patterns may lead to keys that the arguments do not name.
        init(_ arguments: Arguments, mayStore: Bool, mayFollow: Bool) throws(CommandError) {
            var options = Options(arguments, from: 2)
            while options.hasMore {
                if options.take("ASC") {
                    isDescending = false
                } else if options.take("DESC") {
                    isDescending = true
                } else if options.take("ALPHA") {
                    isAlphabetic = true
                } else if options.remaining > 2, options.take("LIMIT") {
                    offset = try options.integer()
                    limit = try options.integer()
                } else if mayStore, options.remaining > 1, options.take("STORE") {
                    storeKey = options.index
                    _ = try options.next()
                } else if options.remaining > 1, options.take("BY") {
                    let pattern = Pattern(try options.next())
                    weights = pattern
                    if pattern.star == nil {
                        keepsOrder = true
                    } else if !mayFollow {
                        throw .text(
                            "ERR BY option of SORT denied due to insufficient ACL permissions.")
                    }
                } else if options.remaining > 1, options.take("GET") {
                    guard mayFollow else {
                        throw .text(
                            "ERR GET option of SORT denied due to insufficient ACL permissions.")
                    }
                    gets.append(Pattern(try options.next()))
                } else {
                    throw .syntax
                }
            }
        }

        /// The elements wanted of so many.
        func range(of count: Int) -> Range<Int> {
            let start = Int(clamping: min(max(offset, 0), Int64(count)))
            guard limit >= 0 else { return start..<count }
            return start..<start + min(Int(clamping: limit), count - start)
        }
    }

    private static func sort(_ call: inout Call, _ request: Request) throws(CommandError) {
        var request = request
        let entry = call.database.read(call.key(1))
        let source = try entry.map { (entry) throws(CommandError) in
            try Source(entry, call.database)
        }
        let count = source?.count ?? 0
        var range = request.range(of: count)
        if case .set? = source, request.keepsOrder, request.storeKey != nil {
            // The order of a set means nothing and must not be stored as if it did.
            request.keepsOrder = false
            request.isAlphabetic = true
            request.weights = nil
        }
        var vector = SortVector()
        if request.keepsOrder {
            source?.appendInOrder(range, isReversed: request.isDescending, to: &vector)
            range = 0..<vector.count
        } else {
            source?.appendAll(to: &vector)
            try order(&call, &vector, request)
        }
        try answer(&call, vector, range, request)
    }

    private static func order(
        _ call: inout Call, _ vector: inout SortVector, _ request: Request
    ) throws(CommandError) {
        var areNumbers = true
        if request.weights != nil { vector.useWeights() }
        for index in 0..<vector.count {
            guard let weights = request.weights else {
                if !request.isAlphabetic, !vector.setNumber(at: index) { areNumbers = false }
                continue
            }
            let isAlphabetic = request.isAlphabetic
            var found = ByteBuffer()
            guard weights.append(to: &found, for: vector[index], call.database) else { continue }
            if isAlphabetic {
                vector.setWeight(found.view, at: index)
            } else if !vector.setNumber(found.view, at: index) {
                areNumbers = false
            }
        }
        guard areNumbers else {
            throw .text("ERR One or more scores can't be converted into double")
        }
        let text: SortVector.Comparison = request.storeKey == nil ? .collation : .bytes
        vector.sort(
            by: request.isAlphabetic ? text : .numbers, isDescending: request.isDescending)
    }

    private static func answer(
        _ call: inout Call, _ vector: borrowing SortVector, _ range: Range<Int>,
        _ request: Request
    ) throws(CommandError) {
        if request.storeKey != nil { return try store(&call, vector, range, request) }
        call.reply.array(range.count * max(request.gets.count, 1))
        for index in range {
            if request.gets.isEmpty { call.reply.bulk(vector[index]) }
            for pattern in request.gets {
                var value = ByteBuffer()
                if pattern.append(to: &value, for: vector[index], call.database) {
                    call.reply.bulk(value.view)
                } else {
                    call.reply.null()
                }
            }
        }
    }

    private static let storeEvent = KeyEvent("sortstore", .list)

    /// Makes the result a list; all of it is looked up before the key is touched.
    private static func store(
        _ call: inout Call, _ vector: borrowing SortVector, _ range: Range<Int>,
        _ request: Request
    ) throws(CommandError) {
        guard let index = request.storeKey else { return }
        let key = call.key(index)
        var values = SortVector()
        for index in range {
            if request.gets.isEmpty { values.append(vector[index]) }
            for pattern in request.gets {
                var value = ByteBuffer()
                _ = pattern.append(to: &value, for: vector[index], call.database)
                values.append(value.view)
            }
        }
        if values.count == 0 {
            if call.database.remove(key) { call.changed(key, .delete) }
        } else {
            let list = try call.database.makeList(at: key)
            for index in 0..<values.count { list.push(values[index], at: .back) }
            call.changed(key, storeEvent, by: values.count)
        }
        call.reply.integer(values.count)
    }

    // MARK: - Patterns

    /// Where an element leads: `weight_*`, `object_*->field`, or `#` for itself.
    private struct Pattern {
        private let text: ByteView
        /// Where the element is put in; nil when nowhere.
        let star: Int?
        /// Where the arrow stands, if the value is a field of a hash.
        private let arrow: Int?

        init(_ text: ByteView) {
            self.text = text
            star = text.firstIndex(of: UInt8(ascii: "*"))
            arrow = star.flatMap { Self.arrow(in: text, from: $0 + 1) }
        }

        /// The first arrow, if a name stands behind it.
        private static func arrow(in text: ByteView, from start: Int) -> Int? {
            var index = start
            while let dash = text.firstIndex(of: UInt8(ascii: "-"), from: index) {
                guard dash + 1 < text.count else { return nil }
                if text[dash + 1] == UInt8(ascii: ">") { return dash + 2 < text.count ? dash : nil }
                index = dash + 1
            }
            return nil
        }

        /// Appends what `element` leads to; false when there is nothing, or something of another
        /// type.
        func append(
            to target: inout ByteBuffer, for element: ByteView, _ database: Database
        ) -> Bool {
            guard let star else {
                guard text == "#" else { return false }
                target.append(element)
                return true
            }
            var name = ByteBuffer()
            name.append(text.prefix(star))
            name.append(element)
            name.append(text.slice(star + 1, arrow ?? text.count))
            guard let entry = database.read(database.key(name.view)) else { return false }
            guard let arrow else {
                guard entry.isString else { return false }
                entry.withString { target.append($0) }
                return true
            }
            guard entry.isOf(.hash),
                let value = database.hashValue(entry).value(of: text.dropFirst(arrow + 2))
            else { return false }
            target.append(value)
            return true
        }
    }

    // MARK: - What is sorted

    /// The value at the key, whichever type it has.
    private enum Source {
        case list(ListValue)
        case set(SetValue)
        case sortedSet(SortedSetValue)

        init(_ entry: Entry, _ database: Database) throws(CommandError) {
            if entry.isOf(.list) {
                self = .list(database.list(entry))
            } else if entry.isOf(.set) {
                self = .set(SetValue(entry, database.keyspace.values))
            } else if entry.isOf(.sortedSet) {
                self = .sortedSet(database.sortedSet(of: entry))
            } else {
                throw .wrongType
            }
        }

        var count: Int {
            switch self {
            case .list(let list): list.count
            case .set(let set): set.count
            case .sortedSet(let set): set.count
            }
        }

        func appendAll(to vector: inout SortVector) {
            appendInOrder(0..<count, isReversed: false, to: &vector)
        }

        /// Appends the elements of these places, counted from the end if reversed.
        func appendInOrder(_ range: Range<Int>, isReversed: Bool, to vector: inout SortVector) {
            switch self {
            case .list(let list):
                var cursor = list.cursor(
                    at: isReversed ? list.count - range.lowerBound : range.lowerBound)
                for _ in range {
                    guard let value = isReversed ? cursor.previous() : cursor.next() else { return }
                    value.withText { vector.append($0) }
                }
            case .set(let set):
                var cursor = SetValue.Cursor()
                var place = 0
                while place < range.upperBound, let member = set.next(from: &cursor) {
                    if place >= range.lowerBound { member.withBytes { vector.append($0) } }
                    place += 1
                }
            case .sortedSet(let set):
                guard !range.isEmpty else { return }
                var walk = set.walk(
                    from: isReversed ? set.count - 1 - range.lowerBound : range.lowerBound,
                    isReversed: isReversed)
                for _ in range {
                    guard let element = walk.next() else { return }
                    element.member.withText { vector.append($0) }
                }
            }
        }
    }
}
