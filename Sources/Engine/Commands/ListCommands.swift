/// Commands of the documented group "list" that never wait; those that do are in
/// `BlockingListCommands`.
enum ListCommands {
    static var table: [Command] { pushRows + popRows + readRows + changeRows }

    private static let insert = [KeySpec.at(1, .readWrite, [.insert])]
    private static let remove = [KeySpec.at(1, .readWrite, [.access, .delete])]
    private static let read = [KeySpec.at(1, .readOnly, [.access])]
    private static let move = [
        KeySpec.at(1, .readWrite, [.access, .delete]), .at(2, .readWrite, [.insert]),
    ]

    private static var pushRows: [Command] {
        [
            Command(
                "LPUSH", .atLeast(3), [.write, .denyOOM, .fast], group: .list, keys: insert,
                since: "1.0.0", "Prepends elements to a list; creates it when missing.",
                syntax: "key element [element ...]", lpush),
            Command(
                "RPUSH", .atLeast(3), [.write, .denyOOM, .fast], group: .list, keys: insert,
                since: "1.0.0", "Appends elements to a list; creates it when missing.",
                syntax: "key element [element ...]", rpush),
            Command(
                "LPUSHX", .atLeast(3), [.write, .denyOOM, .fast], group: .list, keys: insert,
                since: "2.2.0", "Prepends elements to a list that exists.",
                syntax: "key element [element ...]", lpushx),
            Command(
                "RPUSHX", .atLeast(3), [.write, .denyOOM, .fast], group: .list, keys: insert,
                since: "2.2.0", "Appends elements to a list that exists.",
                syntax: "key element [element ...]", rpushx),
            Command(
                "LINSERT", .exactly(5), [.write, .denyOOM], group: .list, keys: insert,
                since: "2.2.0",
                "Inserts an element before or after the first one that equals a pivot.",
                syntax: "key <BEFORE | AFTER> pivot element", linsert),
        ]
    }

    private static var popRows: [Command] {
        [
            Command(
                "LPOP", .atLeast(2), [.write, .fast], group: .list, keys: remove, since: "1.0.0",
                "Removes the first elements of a list and returns them.", syntax: "key [count]",
                lpop),
            Command(
                "RPOP", .atLeast(2), [.write, .fast], group: .list, keys: remove, since: "1.0.0",
                "Removes the last elements of a list and returns them.", syntax: "key [count]",
                rpop),
            Command(
                "LMPOP", .atLeast(4), [.write, .movableKeys], group: .list,
                keys: [.counted(at: 1, .readWrite, [.access, .delete])], since: "7.0.0",
                "Removes elements from the first list that has some and returns them.",
                syntax: "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]", lmpop),
            Command(
                "LMOVE", .exactly(5), [.write, .denyOOM], group: .list, keys: move, since: "6.2.0",
                "Moves an element from one end of a list to an end of another.",
                syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT>", lmove),
            Command(
                "RPOPLPUSH", .exactly(3), [.write, .denyOOM], group: .list, keys: move,
                since: "1.2.0", "Moves the last element of a list to the front of another.",
                syntax: "source destination",
                deprecated: ("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments"), rpoplpush),
        ]
    }

    private static var readRows: [Command] {
        [
            Command(
                "LLEN", .exactly(2), [.readOnly, .fast], group: .list,
                keys: [.at(1, .readOnly, [])], since: "1.0.0",
                "Returns the length of a list.", syntax: "key", llen),
            Command(
                "LRANGE", .exactly(4), [.readOnly], group: .list, keys: read, since: "1.0.0",
                "Returns the elements between two indexes.", syntax: "key start stop", lrange),
            Command(
                "LINDEX", .exactly(3), [.readOnly], group: .list, keys: read, since: "1.0.0",
                "Returns the element at an index.", syntax: "key index", lindex),
            Command(
                "LPOS", .atLeast(3), [.readOnly], group: .list, keys: read, since: "6.0.6",
                "Returns the indexes of elements that equal a value.",
                syntax: "key element [RANK rank] [COUNT num-matches] [MAXLEN len]", lpos),
        ]
    }

    private static var changeRows: [Command] {
        [
            Command(
                "LSET", .exactly(4), [.write, .denyOOM], group: .list,
                keys: [.at(1, .readWrite, [.update])], since: "1.0.0",
                "Replaces the element at an index.", syntax: "key index element", lset),
            Command(
                "LREM", .exactly(4), [.write], group: .list,
                keys: [.at(1, .readWrite, [.delete])], since: "1.0.0",
                "Removes elements that equal a value.", syntax: "key count element", lrem),
            Command(
                "LTRIM", .exactly(4), [.write], group: .list,
                keys: [.at(1, .readWrite, [.delete])], since: "1.0.0",
                "Keeps only the elements between two indexes.", syntax: "key start stop", ltrim),
        ]
    }

    // MARK: - LPUSH, RPUSH, LPUSHX, RPUSHX key element [element ...]

    /// Reply: the new length.
    ///
    /// O(1) an element.
    static func lpush(_ call: inout Call) throws(CommandError) {
        try push(&call, at: .front, onlyIfPresent: false)
    }

    static func rpush(_ call: inout Call) throws(CommandError) {
        try push(&call, at: .back, onlyIfPresent: false)
    }

    static func lpushx(_ call: inout Call) throws(CommandError) {
        try push(&call, at: .front, onlyIfPresent: true)
    }

    static func rpushx(_ call: inout Call) throws(CommandError) {
        try push(&call, at: .back, onlyIfPresent: true)
    }

    @inline(__always)
    private static func push(
        _ call: inout Call, at end: ListEnd, onlyIfPresent: Bool
    ) throws(CommandError) {
        let key = call.key(1)
        let list: ListValue
        if onlyIfPresent {
            guard let found = try call.database.list(at: key) else {
                return call.reply.integer(0)
            }
            list = found
        } else {
            list = try listOrNew(at: key, call.database)
        }
        let count = call.arguments.count
        var index = 2
        while index < count {
            list.push(call.arguments[index], at: end)
            index &+= 1
        }
        call.reply.integer(list.count)
        call.changed(key, end.pushEvent, by: count &- 2)
    }

    @inline(__always)
    private static func listOrNew(
        at key: Key, _ database: Database
    ) throws(CommandError) -> ListValue {
        if let list = try database.list(at: key) { return list }
        return try database.makeList(at: key)
    }

    // MARK: - LPOP, RPOP key [count]

    /// Reply: the element or null; with a count an array, or a null array where there is no list.
    static func lpop(_ call: inout Call) throws(CommandError) { try pop(&call, from: .front) }
    static func rpop(_ call: inout Call) throws(CommandError) { try pop(&call, from: .back) }

    @inline(__always)
    private static func pop(_ call: inout Call, from end: ListEnd) throws(CommandError) {
        if call.arguments.count > 2 { return try popSeveral(&call, from: end) }
        let key = call.key(1)
        guard let list = try call.database.list(at: key) else { return call.reply.null() }
        call.reply.bulk(list.value(at: end))
        list.removeEnd(end)
        call.changed(key, end.popEvent)
        if list.count == 0 { removeEmpty(list, key, &call) }
    }

    private static func popSeveral(_ call: inout Call, from end: ListEnd) throws(CommandError) {
        guard call.arguments.count == 3 else {
            let name = end == .front ? "lpop" : "rpop"
            throw call.fail("ERR wrong number of arguments for '\(name)' command")
        }
        guard let count = NumberText.integer(call.arguments[2]), count >= 0 else {
            throw .notPositive
        }
        let key = call.key(1)
        guard let list = try call.database.list(at: key) else { return call.reply.nullArray() }
        if count == 0 { return call.reply.array(0) }
        popElements(Int(count), of: list, key, from: end, &call)
    }

    /// Replies with up to `count` elements in the order they are taken, and removes them.
    static func popElements(
        _ count: Int, of list: ListValue, _ key: Key, from end: ListEnd, _ call: inout Call
    ) {
        let length = list.count
        let taken = min(count, length)
        call.reply.array(taken)
        var cursor = list.cursor(at: end == .front ? 0 : length)
        if end == .front {
            call.reply.bulks(&cursor, count: taken)
        } else {
            for _ in 0..<taken {
                if let value = cursor.previous() { call.reply.bulk(value) }
            }
        }
        if taken < length {
            list.remove(from: end == .front ? 0 : length - taken, count: taken)
            return call.changed(key, end.popEvent, by: taken)
        }
        call.changed(key, end.popEvent, by: taken)
        removeEmpty(list, key, &call)
    }

    /// Removes the key of a list whose last element is gone.
    static func removeEmpty(_ list: ListValue, _ key: Key, _ call: inout Call) {
        call.database.remove(list.entry, key)
        call.notify(key, .delete)
    }

    // MARK: - LMPOP numkeys key [key ...] LEFT | RIGHT [COUNT count]

    /// Reply: the key and its elements, or a null array.
    static func lmpop(_ call: inout Call) throws(CommandError) {
        let request = try MultiPop(&call, from: 1)
        let didPop = try popFirst(request, &call)
        if !didPop { call.reply.nullArray() }
    }

    /// The arguments that LMPOP and BLMPOP share.
    struct MultiPop {
        let keys: Range<Int>
        let end: ListEnd
        let count: Int

        /// - Parameter index: where the number of keys stands.
        init(_ call: inout Call, from index: Int) throws(CommandError) {
            let arguments = call.arguments
            guard let keyCount = NumberText.integer(arguments[index]), keyCount > 0 else {
                throw .text("ERR numkeys should be greater than 0")
            }
            guard keyCount < arguments.count - index - 1 else { throw .syntax }
            keys = index + 1..<index + 1 + Int(keyCount)
            guard let end = ListEnd(arguments[keys.upperBound]) else { throw .syntax }
            self.end = end
            var options = Options(arguments, from: keys.upperBound + 1)
            var given: Int?
            while options.hasMore {
                guard given == nil, options.remaining > 1, options.take("COUNT") else {
                    throw .syntax
                }
                guard let count = NumberText.integer(try options.next()), count > 0 else {
                    throw .text("ERR count should be greater than 0")
                }
                given = Int(count)
            }
            count = given ?? 1
        }
    }

    /// Pops from the first of the keys that holds a list; false when none does.
    static func popFirst(_ request: MultiPop, _ call: inout Call) throws(CommandError) -> Bool {
        for index in request.keys where call.mayServe(index) {
            let key = call.key(index)
            guard let list = try call.database.list(at: key) else { continue }
            call.reply.array(2)
            call.reply.bulk(key.bytes)
            let taken = min(request.count, list.count)
            popElements(taken, of: list, key, from: request.end, &call)
            if call.isPropagated {
                call.propagate(request.end == .front ? "LPOP" : "RPOP", key, Int64(taken))
            }
            return true
        }
        return false
    }

    // MARK: - LMOVE source destination LEFT | RIGHT LEFT | RIGHT, RPOPLPUSH source destination

    /// Reply: the element or null.
    static func lmove(_ call: inout Call) throws(CommandError) {
        guard let from = ListEnd(call.arguments[3]), let to = ListEnd(call.arguments[4]) else {
            throw .syntax
        }
        let didMove = try move(&call, from: from, to: to)
        if !didMove { call.reply.null() }
    }

    static func rpoplpush(_ call: inout Call) throws(CommandError) {
        let didMove = try move(&call, from: .back, to: .front)
        if !didMove { call.reply.null() }
    }

    /// Moves an element between the lists at the first two arguments; false when there is none.
    static func move(
        _ call: inout Call, from: ListEnd, to: ListEnd
    ) throws(CommandError) -> Bool {
        let key = call.key(1)
        let targetKey = call.key(2)
        guard let source = try call.database.list(at: key) else { return false }
        if key.bytes == targetKey.bytes {
            call.reply.bulk(source.value(at: from))
            source.rotate(from: from, to: to)
        } else {
            let target = try listOrNew(at: targetKey, call.database)
            let value = source.value(at: from)
            call.reply.bulk(value)
            value.withText { target.push($0, at: to) }
            source.removeEnd(from)
        }
        call.changed(targetKey, to.pushEvent)
        call.changed(key, from.popEvent)
        if source.count == 0 { removeEmpty(source, key, &call) }
        return true
    }

    // MARK: - LLEN key

    static func llen(_ call: inout Call) throws(CommandError) {
        call.reply.integer(try call.database.readList(call.key(1))?.count ?? 0)
    }

    // MARK: - LRANGE key start stop

    /// Reply: the elements.
    ///
    /// O(nodes / 2 + elements).
    static func lrange(_ call: inout Call) throws(CommandError) {
        guard let start = NumberText.integer(call.arguments[2]),
            let stop = NumberText.integer(call.arguments[3])
        else { throw .notInteger }
        guard let list = try call.database.readList(call.key(1)) else {
            return call.reply.array(0)
        }
        let range = clamp(start, stop, list.count)
        call.reply.array(range.count)
        if range.isEmpty { return }
        var cursor = list.cursor(at: range.lowerBound)
        call.reply.bulks(&cursor, count: range.count)
    }

    /// The indexes from `start` to `stop`, both counted from the end where negative.
    private static func clamp(_ start: Int64, _ stop: Int64, _ count: Int) -> Range<Int> {
        let first = max(0, start < 0 ? Int(start) &+ count : Int(start))
        let last = min(count &- 1, stop < 0 ? Int(stop) &+ count : Int(stop))
        return first <= last ? first..<last &+ 1 : 0..<0
    }

    /// A position counted from the end where negative; nil outside.
    private static func index(_ text: ByteView, _ count: Int) throws(CommandError) -> Int? {
        guard let number = NumberText.integer(text) else { throw .notInteger }
        let index = number < 0 ? Int(number) &+ count : Int(number)
        return index >= 0 && index < count ? index : nil
    }

    // MARK: - LINDEX key index

    static func lindex(_ call: inout Call) throws(CommandError) {
        guard let list = try call.database.readList(call.key(1)) else { return call.reply.null() }
        guard let index = try index(call.arguments[2], list.count) else {
            return call.reply.null()
        }
        call.reply.bulk(list.value(at: index))
    }

    // MARK: - LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]

    private struct PositionSearch {
        var isReversed = false
        /// Matches passed over first.
        var skipped: UInt64 = 0
        /// How many are wanted, all where 0; nil: one, and not in an array.
        var count: Int64?
        /// How many elements are looked at, all where 0.
        var longest: Int64 = 0

        init(_ arguments: Arguments) throws(CommandError) {
            var options = Options(arguments, from: 3)
            while options.hasMore {
                guard options.remaining > 1 else { throw .syntax }
                if options.take("RANK") {
                    let rank = try options.integer()
                    if rank == 0 {
                        throw .text(
                            """
                            ERR RANK can't be zero: use 1 to start from the first match, 2 from the \
                            second ... or use negative to start from the end of the list
                            """)
                    }
                    // The most negative rank has no opposite.
                    if rank == .min {
                        throw .text(
                            """
                            ERR value is out of range, value must between -9223372036854775807 and \
                            9223372036854775807
                            """)
                    }
                    isReversed = rank < 0
                    skipped = rank.magnitude - 1
                } else if options.take("COUNT") {
                    guard let value = NumberText.integer(try options.next()), value >= 0 else {
                        throw .text("ERR COUNT can't be negative")
                    }
                    count = value
                } else if options.take("MAXLEN") {
                    guard let value = NumberText.integer(try options.next()), value >= 0 else {
                        throw .text("ERR MAXLEN can't be negative")
                    }
                    longest = value
                } else {
                    throw .syntax
                }
            }
        }
    }

    /// Reply: an index or null; with COUNT an array of indexes.
    ///
    /// O(n).
    static func lpos(_ call: inout Call) throws(CommandError) {
        let search = try PositionSearch(call.arguments)
        guard let list = try call.database.readList(call.key(1)) else {
            return search.count == nil ? call.reply.null() : call.reply.array(0)
        }
        let length = list.count
        let looked = search.longest == 0 ? length : Int(min(search.longest, Int64(length)))
        let wanted = search.count.map { $0 == 0 ? Int64.max : $0 } ?? 1
        let text = call.arguments[2]
        var cursor = list.cursor(at: search.isReversed ? length : 0)
        let start = call.reply.deferLength()
        var skipped = search.skipped
        var found: Int64 = 0
        for step in 0..<looked where found < wanted {
            let value = search.isReversed ? cursor.previous() : cursor.next()
            guard let value, value.hasText(text) else { continue }
            if skipped > 0 {
                skipped -= 1
                continue
            }
            found += 1
            call.reply.integer(search.isReversed ? length - 1 - step : step)
        }
        if search.count != nil { return call.reply.finishArray(start, Int(found)) }
        if found == 0 { call.reply.null() }
    }

    // MARK: - LSET key index element

    static func lset(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        guard let list = try call.database.list(at: key) else { throw .noSuchKey }
        guard let index = try index(call.arguments[2], list.count) else { throw .indexOutOfRange }
        list.replace(at: index, with: call.arguments[3])
        call.changed(key, .listSet)
        call.reply.ok()
    }

    // MARK: - LINSERT key BEFORE | AFTER pivot element

    /// Reply: the new length, 0 without a list, -1 without the pivot.
    ///
    /// O(n).
    static func linsert(_ call: inout Call) throws(CommandError) {
        let isAfter = call.arguments[2].equalsIgnoringCase("AFTER")
        guard isAfter || call.arguments[2].equalsIgnoringCase("BEFORE") else { throw .syntax }
        let key = call.key(1)
        guard let list = try call.database.list(at: key) else { return call.reply.integer(0) }
        let pivot = call.arguments[3]
        var cursor = list.cursor(at: 0)
        var index = 0
        while let value = cursor.next() {
            if value.hasText(pivot) {
                list.insert(call.arguments[4], at: isAfter ? index + 1 : index)
                call.changed(key, .listInsert)
                return call.reply.integer(list.count)
            }
            index &+= 1
        }
        call.reply.integer(-1)
    }

    // MARK: - LREM key count element

    /// Reply: how many were removed.
    ///
    /// O(n).
    static func lrem(_ call: inout Call) throws(CommandError) {
        guard let count = NumberText.integer(call.arguments[2]) else { throw .notInteger }
        let key = call.key(1)
        guard let list = try call.database.list(at: key) else { return call.reply.integer(0) }
        let most = count == 0 ? Int.max : Int(clamping: count.magnitude)
        let removed = list.remove(
            call.arguments[3], atMost: most, from: count < 0 ? .back : .front)
        if removed > 0 {
            call.changed(key, .listRemove, by: removed)
            if list.count == 0 { removeEmpty(list, key, &call) }
        }
        call.reply.integer(removed)
    }

    // MARK: - LTRIM key start stop

    /// O(nodes removed).
    static func ltrim(_ call: inout Call) throws(CommandError) {
        guard let start = NumberText.integer(call.arguments[2]),
            let stop = NumberText.integer(call.arguments[3])
        else { throw .notInteger }
        let key = call.key(1)
        guard let list = try call.database.list(at: key) else { return call.reply.ok() }
        let length = list.count
        let range = clamp(start, stop, length)
        // What removes nothing is no change: no watch breaks, nobody is told.
        if range.count == length { return call.reply.ok() }
        call.changed(key, .listTrim, by: length - range.count)
        if range.isEmpty {
            removeEmpty(list, key, &call)
        } else {
            list.remove(from: range.upperBound, count: length - range.upperBound)
            list.remove(from: 0, count: range.lowerBound)
        }
        call.reply.ok()
    }
}

extension ListEnd {
    /// LEFT or RIGHT, in any case.
    init?(_ text: ByteView) {
        if text.equalsIgnoringCase("LEFT") {
            self = .front
        } else if text.equalsIgnoringCase("RIGHT") {
            self = .back
        } else {
            return nil
        }
    }

    var pushEvent: KeyEvent { self == .front ? .leftPush : .rightPush }
    var popEvent: KeyEvent { self == .front ? .leftPop : .rightPop }
}
