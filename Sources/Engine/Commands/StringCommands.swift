/// Commands of the documented group "string".
///
/// SET, GET, INCR and their like run without allocation or reference counting; a value that came in
/// a block of its own becomes the value without being copied.
enum StringCommands {
    // swift-format-ignore
    static var table: [Command] { readingRows + settingRows + changingRows }

    // swift-format-ignore
    private static var readingRows: [Command] {
        [
            Command(
                "GET", .exactly(2), [.readOnly, .fast], group: .string,
                keys: [.at(1, .readOnly, [.access])], since: "1.0.0",
                "Returns the string value of a key.", syntax: "key", get),
            Command(
                "GETDEL", .exactly(2), [.write, .fast], group: .string,
                keys: [.at(1, .readWrite, [.access, .delete])], since: "6.2.0",
                "Returns the string value of a key and deletes the key.", syntax: "key", getdel),
            Command(
                "GETEX", .atLeast(2), [.write, .fast], group: .string,
                keys: [.at(1, .readWrite, [.access, .update],
                           note: "RW and UPDATE, since the options change the time to live")],
                since: "6.2.0",
                "Returns the string value of a key and sets or removes its expiration.",
                syntax: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds "
                    + "| PXAT unix-time-milliseconds | PERSIST]", getex),
            Command(
                "GETRANGE", .exactly(4), [.readOnly], group: .string,
                keys: [.at(1, .readOnly, [.access])], since: "2.4.0",
                "Returns a part of a string.", syntax: "key start end", getrange),
            Command(
                "GETSET", .exactly(3), [.write, .denyOOM, .fast], group: .string,
                keys: [.at(1, .readWrite, [.access, .update])], since: "1.0.0",
                "Sets the string value of a key and returns the old one.", syntax: "key value",
                deprecated: ("6.2.0", "`SET` with the `!GET` argument"), getset),
            Command(
                "LCS", .atLeast(3), [.readOnly], group: .string,
                keys: [.from(1, last: 1, step: 1, .readOnly, [.access])], since: "7.0.0",
                "Finds the longest common subsequence of two strings.",
                syntax: "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]", lcs),
            Command(
                "MGET", .atLeast(2), [.readOnly, .fast], group: .string,
                keys: [.from(1, last: -1, step: 1, .readOnly, [.access])], since: "1.0.0",
                "Returns the string values of several keys.", syntax: "key [key ...]",
                tips: ["request_policy:multi_shard"], mget),
            Command(
                "STRLEN", .exactly(2), [.readOnly, .fast], group: .string,
                keys: [.at(1, .readOnly, [])], since: "2.2.0",
                "Returns the length of a string value.", syntax: "key", strlen),
            Command(
                "SUBSTR", .exactly(4), [.readOnly], group: .string,
                keys: [.at(1, .readOnly, [.access])], since: "1.0.0",
                "Returns a part of a string.", syntax: "key start end",
                deprecated: ("2.0.0", "`GETRANGE`"), getrange),
        ]
    }

    // swift-format-ignore
    private static var settingRows: [Command] {
        [
            Command(
                "MSET", .atLeast(3), [.write, .denyOOM], group: .string,
                keys: [.from(1, last: -1, step: 2, .overwrite, [.update])], since: "1.0.1",
                "Sets the string values of several keys.", syntax: "key value [key value ...]",
                tips: ["request_policy:multi_shard", "response_policy:all_succeeded"], mset),
            Command(
                "MSETEX", .atLeast(4), [.write, .denyOOM], group: .string,
                keys: [.counted(at: 1, step: 2, .overwrite, [.update])], since: "9.1.0",
                "Sets the string values of several keys with one expiration, all or none.",
                syntax: "numkeys key value [key value ...] [NX | XX] [EX seconds "
                    + "| PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds "
                    + "| KEEPTTL]",
                tips: ["request_policy:multi_shard", "response_policy:all_succeeded"], msetex),
            Command(
                "MSETNX", .atLeast(3), [.write, .denyOOM], group: .string,
                keys: [.from(1, last: -1, step: 2, .overwrite, [.insert])], since: "1.0.1",
                "Sets the string values of several keys if none of them exists.",
                syntax: "key value [key value ...]", msetnx),
            Command(
                "PSETEX", .exactly(4), [.write, .denyOOM], group: .string,
                keys: [.at(1, .overwrite, [.update])], since: "2.6.0",
                "Sets the string value of a key and its time to live in milliseconds.",
                syntax: "key milliseconds value",
                deprecated: ("2.6.12", "`SET` with the `PX` argument"), psetex),
            Command(
                "SET", .atLeast(3), [.write, .denyOOM], group: .string,
                keys: [.at(1, .readWrite, [.access, .update, .variableFlags],
                           note: "RW and ACCESS, since the option `GET` reads the old value")],
                keyFinder: setKeys, since: "1.0.0",
                "Sets the string value of a key, whatever its type was.",
                syntax: "key value [NX | XX | IFEQ comparison-value] [GET] [EX seconds "
                    + "| PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds "
                    + "| KEEPTTL]", set),
            Command(
                "SETEX", .exactly(4), [.write, .denyOOM], group: .string,
                keys: [.at(1, .overwrite, [.update])], since: "2.0.0",
                "Sets the string value of a key and its time to live in seconds.",
                syntax: "key seconds value",
                deprecated: ("2.6.12", "`SET` with the `EX` argument"), setex),
            Command(
                "SETNX", .exactly(3), [.write, .denyOOM, .fast], group: .string,
                keys: [.at(1, .overwrite, [.insert])], since: "1.0.0",
                "Sets the string value of a key that does not exist.", syntax: "key value",
                deprecated: ("2.6.12", "`SET` with the `NX` argument"), setnx),
        ]
    }

    // swift-format-ignore
    private static var changingRows: [Command] {
        [
            Command(
                "APPEND", .exactly(3), [.write, .denyOOM, .fast], group: .string,
                keys: [.at(1, .readWrite, [.insert])], since: "2.0.0",
                "Appends to the string value of a key; creates it when missing.",
                syntax: "key value", append),
            Command(
                "DECR", .exactly(2), [.write, .denyOOM, .fast], group: .string,
                keys: [.at(1, .readWrite, [.access, .update])], since: "1.0.0",
                "Subtracts one from the integer value of a key.", syntax: "key", decr),
            Command(
                "DECRBY", .exactly(3), [.write, .denyOOM, .fast], group: .string,
                keys: [.at(1, .readWrite, [.access, .update])], since: "1.0.0",
                "Subtracts from the integer value of a key.", syntax: "key decrement", decrby),
            Command(
                "DELIFEQ", .exactly(3), [.write, .fast], group: .string,
                keys: [.at(1, .remove, [.delete])], since: "9.0.0",
                "Deletes a key if its string value is the one given.", syntax: "key value",
                delifeq),
            Command(
                "INCR", .exactly(2), [.write, .denyOOM, .fast], group: .string,
                keys: [.at(1, .readWrite, [.access, .update])], since: "1.0.0",
                "Adds one to the integer value of a key.", syntax: "key", incr),
            Command(
                "INCRBY", .exactly(3), [.write, .denyOOM, .fast], group: .string,
                keys: [.at(1, .readWrite, [.access, .update])], since: "1.0.0",
                "Adds to the integer value of a key.", syntax: "key increment", incrby),
            Command(
                "INCRBYFLOAT", .exactly(3), [.write, .denyOOM, .fast], group: .string,
                keys: [.at(1, .readWrite, [.access, .update])], since: "2.6.0",
                "Adds to the floating-point value of a key.", syntax: "key increment",
                incrbyfloat),
            Command(
                "SETRANGE", .exactly(4), [.write, .denyOOM], group: .string,
                keys: [.at(1, .readWrite, [.update])], since: "2.2.0",
                "Overwrites a part of a string from an offset on; creates it when missing.",
                syntax: "key offset value", setrange),
        ]
    }

    // MARK: - GET key

    static func get(_ call: inout Call) throws(CommandError) {
        guard let entry = try call.database.readString(call.key(1)) else {
            return call.reply.null()
        }
        call.reply.string(entry)
    }

    // MARK: - GETDEL key

    static func getdel(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        guard let entry = try call.database.readString(key) else { return call.reply.null() }
        call.reply.string(entry)
        call.database.remove(entry, key)
        call.changed(key, .delete)
        if call.isPropagated { call.propagate("DEL", key) }
    }

    // MARK: - GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]

    static func getex(_ call: inout Call) throws(CommandError) {
        let options = try SetOptions(call.arguments, from: 2, allowing: [.persist])
        let key = call.key(1)
        guard let entry = try call.database.readString(key) else { return call.reply.null() }
        let deadline = try options.deadline(&call)
        call.reply.string(entry)
        if deadline != 0 {
            if options.isAbsolute && hasPassed(deadline, call.keyspace) {
                call.database.remove(entry, key)
                call.changed(key, .delete)
                if call.isPropagated { call.propagate("DEL", key) }
                return
            }
            guard call.database.setDeadline(deadline, of: entry, key) else { throw .outOfMemory }
            call.changed(key, .expire)
            if call.isPropagated { call.propagate("PEXPIREAT", key, deadline) }
        } else if options.flags.contains(.persist) && entry.hasDeadline {
            guard call.database.removeDeadline(of: entry, key) else { throw .outOfMemory }
            call.changed(key, .persist)
            if call.isPropagated { call.propagate("PERSIST", key) }
        }
    }

    /// Whether a key with this deadline is to be deleted at once rather than to expire.
    ///
    /// A replica leaves that to its primary.
    static func hasPassed(_ deadline: Int64, _ keyspace: Keyspace) -> Bool {
        deadline <= keyspace.now && keyspace.expiryPolicy == .remove
    }

    // MARK: - GETRANGE key start end, SUBSTR key start end

    static func getrange(_ call: inout Call) throws(CommandError) {
        guard let start = NumberText.integer(call.arguments[2]),
            let end = NumberText.integer(call.arguments[3])
        else { throw .notInteger }
        guard let entry = try call.database.readString(call.key(1)) else {
            return call.reply.bulk(ByteView.empty)
        }
        entry.withString { text in
            guard let range = range(start, end, of: text.count) else {
                return call.reply.bulk(ByteView.empty)
            }
            call.reply.bulk(text.slice(range.lowerBound, range.upperBound))
        }
    }

    /// The bytes between two inclusive bounds that may count from the end; nil when there are none.
    private static func range(_ start: Int64, _ end: Int64, of count: Int) -> Range<Int>? {
        if start < 0 && end < 0 && start > end { return nil }
        let length = Int64(count)
        let first = max(0, start < 0 ? start + length : start)
        let last = min(length - 1, max(0, end < 0 ? end + length : end))
        return first <= last ? Int(first)..<Int(last) + 1 : nil
    }

    // MARK: - GETSET key value

    static func getset(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        try replyValue(&call, key)
        try store(&call, key, 2, deadline: 0)
        call.changed(key, .set)
        if call.isPropagated { call.propagate("SET", key, call.arguments[2]) }
    }

    /// Replies the string at `key` or null.
    private static func replyValue(_ call: inout Call, _ key: Key) throws(CommandError) {
        if let entry = try call.database.readString(key) {
            call.reply.string(entry)
        } else {
            call.reply.null()
        }
    }

    // MARK: - MGET key [key ...]

    static func mget(_ call: inout Call) throws(CommandError) {
        call.reply.array(call.arguments.count &- 1)
        var index = 1
        while index < call.arguments.count {
            if let entry = call.database.read(call.key(index)), entry.isString {
                call.reply.string(entry)
            } else {
                call.reply.null()
            }
            index &+= 1
        }
    }

    // MARK: - STRLEN key

    static func strlen(_ call: inout Call) throws(CommandError) {
        call.reply.integer(try call.database.readString(call.key(1))?.stringCount ?? 0)
    }

    // MARK: - Storing

    /// Makes argument `index` the value of `key`; a block of its own is taken over, not copied.
    @inline(__always)
    private static func store(
        _ call: inout Call, _ key: Key, _ index: Int, deadline: Int64
    ) throws(CommandError) {
        let bytes = call.arguments[index]
        if bytes.count >= ProtocolLimits.ownBlockBytes {
            return try storeLarge(&call, key, bytes, deadline: deadline)
        }
        try call.database.setString(key, bytes, deadline: deadline)
    }

    @inline(never)
    private static func storeLarge(
        _ call: inout Call, _ key: Key, _ bytes: ByteView, deadline: Int64
    ) throws(CommandError) {
        if let block = call.connection.large?.takeBlock(of: bytes) {
            try call.database.setHeapBlock(key, block, count: bytes.count, deadline: deadline)
        } else {
            try call.database.setBytes(key, bytes, deadline: deadline, encoding: .inline)
        }
    }

    // MARK: - SET key value [NX | XX | IFEQ value] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]

    static func set(_ call: inout Call) throws(CommandError) {
        if call.arguments.count > 3 { return try setWithOptions(&call) }
        let key = call.key(1)
        try store(&call, key, 2, deadline: 0)
        call.changed(key, .set)
        call.reply.ok()
    }

    private static func setWithOptions(_ call: inout Call) throws(CommandError) {
        let options = try SetOptions(
            call.arguments, from: 3, allowing: [.ifAbsent, .ifPresent, .ifEqual, .keep, .get])
        var deadline = try options.deadline(&call)
        let hasDeadline = deadline != 0
        let key = call.key(1)
        let flags = options.flags
        if flags.contains(.get) { try replyValue(&call, key) }
        if !flags.isDisjoint(with: [.ifAbsent, .ifPresent, .ifEqual, .keep]) {
            let entry = call.database.entry(key)
            guard try isAllowed(options, entry) else {
                if !flags.contains(.get) { call.reply.null() }
                return
            }
            if flags.contains(.keep) { deadline = entry?.deadline ?? 0 }
        }
        try store(&call, key, 2, deadline: deadline)
        call.changed(key, .set)
        if hasDeadline { call.notify(key, .expire) }
        if call.isPropagated { propagateSet(call, options, hasDeadline ? deadline : nil) }
        if !flags.contains(.get) { call.reply.ok() }
    }

    /// A span of time becomes a moment; what the old value decided is decided.
    private static func propagateSet(
        _ call: borrowing Call, _ options: SetOptions, _ deadline: Int64?
    ) {
        let key = call.key(1)
        if let deadline {
            propagateSet(call, key, call.arguments[2], deadline: deadline)
        } else if !options.flags.isDisjoint(with: [.get, .ifEqual]) {
            let keeps = options.flags.contains(.keep)
            let request = call.beginPropagated("SET", keeps ? 4 : 3)
            request.add(key.bytes)
            request.add(call.arguments[2])
            if keeps { request.add("KEEPTTL") }
        }
    }

    private static func propagateSet(
        _ call: borrowing Call, _ key: Key, _ value: ByteView, deadline: Int64
    ) {
        let request = call.beginPropagated("SET", 5)
        request.add(key.bytes)
        request.add(value)
        request.add("PXAT")
        request.add(deadline)
    }

    /// Whether the condition of the options holds for what is at the key.
    private static func isAllowed(
        _ options: SetOptions, _ entry: Entry?
    ) throws(CommandError) -> Bool {
        if options.flags.contains(.ifAbsent) { return entry == nil }
        if options.flags.contains(.ifPresent) { return entry != nil }
        guard options.flags.contains(.ifEqual) else { return true }
        guard let entry else { return false }
        guard entry.isString else { throw .wrongType }
        return entry.stringEquals(options.comparison)
    }

    /// SET reads the old value only with GET.
    private static func setKeys(_ arguments: Arguments) -> [KeyPosition]? {
        guard arguments.count > 1 else { return nil }
        var index = 3
        while index < arguments.count {
            if arguments[index].equalsIgnoringCase("GET") {
                return [KeyPosition(index: 1, access: .readWrite, flags: [.access, .update])]
            }
            index += 1
        }
        return [KeyPosition(index: 1, access: .overwrite, flags: [.update])]
    }

    // MARK: - SETEX key seconds value, PSETEX key milliseconds value

    static func setex(_ call: inout Call) throws(CommandError) {
        try setExpiring(&call, unit: .seconds)
    }

    static func psetex(_ call: inout Call) throws(CommandError) {
        try setExpiring(&call, unit: .milliseconds)
    }

    @inline(__always)
    private static func setExpiring(
        _ call: inout Call, unit: TimeUnit
    ) throws(CommandError) {
        let deadline = try SetOptions.deadline(call.arguments[2], unit, from: call.now, &call)
        let key = call.key(1)
        try store(&call, key, 3, deadline: deadline)
        call.changed(key, .set)
        call.notify(key, .expire)
        if call.isPropagated {
            propagateSet(call, key, call.arguments[3], deadline: deadline)
        }
        call.reply.ok()
    }

    // MARK: - SETNX key value

    static func setnx(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        guard call.database.entry(key) == nil else { return call.reply.integer(0) }
        try store(&call, key, 2, deadline: 0)
        call.changed(key, .set)
        call.reply.integer(1)
    }

    // MARK: - MSET key value [key value ...], MSETNX key value [key value ...]

    static func mset(_ call: inout Call) throws(CommandError) {
        guard call.arguments.count & 1 == 1 else {
            throw .text("ERR wrong number of arguments for 'mset' command")
        }
        try storePairs(&call, 1, call.arguments.count, deadline: 0)
        call.reply.ok()
    }

    static func msetnx(_ call: inout Call) throws(CommandError) {
        guard call.arguments.count & 1 == 1 else {
            throw .text("ERR wrong number of arguments for 'msetnx' command")
        }
        guard existing(call, 1, call.arguments.count) == 0 else { return call.reply.integer(0) }
        try storePairs(&call, 1, call.arguments.count, deadline: 0)
        call.reply.integer(1)
    }

    @inline(__always)
    private static func storePairs(
        _ call: inout Call, _ start: Int, _ end: Int, deadline: Int64
    ) throws(CommandError) {
        var index = start
        while index < end {
            let key = call.key(index)
            try store(&call, key, index &+ 1, deadline: deadline)
            call.changed(key, .set)
            if deadline != 0 {
                call.notify(key, .expire)
                if call.isPropagated {
                    propagateSet(call, key, call.arguments[index &+ 1], deadline: deadline)
                }
            }
            index &+= 2
        }
    }

    /// How many of the keys of key-value pairs exist.
    private static func existing(_ call: borrowing Call, _ start: Int, _ end: Int) -> Int {
        var count = 0
        var index = start
        while index < end {
            if call.database.entry(call.key(index)) != nil { count &+= 1 }
            index &+= 2
        }
        return count
    }

    // MARK: - MSETEX numkeys key value [key value ...] [NX | XX] [EX s | … | KEEPTTL]

    static func msetex(_ call: inout Call) throws(CommandError) {
        guard let keys = NumberText.integer(call.arguments[1]), keys > 0, keys <= Int32.max else {
            throw .text("ERR invalid numkeys value or out of range")
        }
        let end = 2 + Int(keys) * 2
        guard end <= call.arguments.count else { throw .syntax }
        let options = try SetOptions(
            call.arguments, from: end, allowing: [.ifAbsent, .ifPresent, .keep])
        let deadline = try options.deadline(&call)
        if !options.flags.isDisjoint(with: [.ifAbsent, .ifPresent]) {
            let wanted = options.flags.contains(.ifAbsent) ? 0 : Int(keys)
            guard existing(call, 2, end) == wanted else { return call.reply.integer(0) }
        }
        if options.flags.contains(.keep) {
            try storePairsKeepingDeadlines(&call, 2, end)
        } else {
            try storePairs(&call, 2, end, deadline: deadline)
        }
        call.reply.integer(1)
    }

    private static func storePairsKeepingDeadlines(
        _ call: inout Call, _ start: Int, _ end: Int
    ) throws(CommandError) {
        var index = start
        while index < end {
            let key = call.key(index)
            let deadline = call.database.entry(key)?.deadline ?? 0
            try store(&call, key, index + 1, deadline: deadline)
            call.changed(key, .set)
            index += 2
        }
    }

    // MARK: - APPEND key value

    static func append(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        let bytes = call.arguments[2]
        guard let entry = try call.database.string(key) else {
            try store(&call, key, 2, deadline: 0)
            call.changed(key, .append)
            return call.reply.integer(bytes.count)
        }
        let offset = entry.stringCount
        try checkLength(offset, bytes.count, call.keyspace)
        let count = try call.database.write(bytes, at: offset, of: entry, key)
        call.changed(key, .append)
        call.reply.integer(count)
    }

    /// Throws when a string of `count` and `more` bytes would be too long.
    static func checkLength(
        _ count: Int, _ more: Int, _ keyspace: Keyspace
    ) throws(CommandError) {
        let (sum, overflow) = count.addingReportingOverflow(more)
        if overflow || sum > keyspace.limits.longestString { throw .stringTooLong }
    }

    // MARK: - SETRANGE key offset value

    static func setrange(_ call: inout Call) throws(CommandError) {
        guard let offset = NumberText.integer(call.arguments[2]) else { throw .notInteger }
        guard offset >= 0 else { throw .text("ERR offset is out of range") }
        let key = call.key(1)
        let bytes = call.arguments[3]
        let entry = try call.database.string(key)
        if bytes.isEmpty { return call.reply.integer(entry?.stringCount ?? 0) }
        try checkLength(Int(offset), bytes.count, call.keyspace)
        var count = bytes.count
        if entry == nil && offset == 0 && count >= ProtocolLimits.ownBlockBytes {
            try storeLarge(&call, key, bytes, deadline: 0)
        } else {
            count = try call.database.write(bytes, at: Int(offset), of: entry, key)
        }
        call.changed(key, .setRange)
        call.reply.integer(count)
    }

    // MARK: - INCR key, DECR key, INCRBY key increment, DECRBY key decrement

    static func incr(_ call: inout Call) throws(CommandError) {
        try increment(&call, by: 1)
    }

    static func decr(_ call: inout Call) throws(CommandError) {
        try increment(&call, by: -1)
    }

    static func incrby(_ call: inout Call) throws(CommandError) {
        guard let amount = NumberText.integer(call.arguments[2]) else { throw .notInteger }
        try increment(&call, by: amount)
    }

    static func decrby(_ call: inout Call) throws(CommandError) {
        guard let amount = NumberText.integer(call.arguments[2]) else { throw .notInteger }
        guard amount != .min else { throw .text("ERR decrement would overflow") }
        try increment(&call, by: -amount)
    }

    @inline(__always)
    private static func increment(_ call: inout Call, by amount: Int64) throws(CommandError) {
        let key = call.key(1)
        guard let entry = try call.database.string(key) else {
            try call.database.setInteger(key, amount, deadline: 0)
            call.changed(key, .incrementBy)
            return call.reply.integer(amount)
        }
        guard let value = entry.spelledInteger else { throw .notInteger }
        let (sum, overflow) = value.addingReportingOverflow(amount)
        if overflow { throw .text("ERR increment or decrement would overflow") }
        if entry.stringEncoding == .integer {
            entry.integer = sum
        } else {
            try call.database.setInteger(key, sum, deadline: entry.deadline ?? 0)
        }
        call.changed(key, .incrementBy)
        call.reply.integer(sum)
    }

    // MARK: - INCRBYFLOAT key increment

    static func incrbyfloat(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        let entry = try call.database.string(key)
        let amount = call.arguments[2]
        var sum = DecimalSum()
        let outcome =
            entry.map { $0.withString { sum.add($0, amount) } } ?? sum.add(ByteView("0"), amount)
        switch outcome {
        case .sum: break
        case .notANumber: throw .notFloat
        case .notFinite: throw .text("ERR increment would produce NaN or Infinity")
        }
        try sum.withText { (text) throws(CommandError) in
            try call.database.setBytes(
                key, text, deadline: entry?.deadline ?? 0, encoding: .inline)
            call.changed(key, .incrementByFloat)
            if call.isPropagated {
                let request = call.beginPropagated("SET", 4)
                request.add(key.bytes)
                request.add(text)
                request.add("KEEPTTL")
            }
            call.reply.bulk(text)
        }
    }

    // MARK: - DELIFEQ key value

    static func delifeq(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        guard let entry = call.database.entry(key) else { return call.reply.integer(0) }
        guard entry.isString else { throw .wrongType }
        guard entry.stringEquals(call.arguments[2]) else { return call.reply.integer(0) }
        call.database.remove(entry, key)
        call.changed(key, .delete)
        if call.isPropagated { call.propagate("DEL", key) }
        call.reply.integer(1)
    }

    // MARK: - LCS key1 key2 [LEN] [IDX] [MINMATCHLEN n] [WITHMATCHLEN]

    private struct LCSOptions {
        var wantsLength = false
        var wantsMatches = false
        var wantsMatchLengths = false
        var leastMatch: Int64 = 0
    }

    /// O(n × m), in time and in memory, which `proto-max-bulk-len` bounds.
    static func lcs(_ call: inout Call) throws(CommandError) {
        let first = call.database.read(call.key(1))
        let second = call.database.read(call.key(2))
        guard first?.isString ?? true, second?.isString ?? true else {
            throw .text("ERR The specified keys must contain string values")
        }
        let options = try lcsOptions(call.arguments)
        if options.wantsLength && options.wantsMatches {
            throw .text(
                "ERR If you want both the length and indexes, please just use IDX.")
        }
        try withString(first) { (left) throws(CommandError) in
            try withString(second) { (right) throws(CommandError) in
                try replyLCS(&call, left, right, options)
            }
        }
    }

    private static func withString(
        _ entry: Entry?, _ body: (ByteView) throws(CommandError) -> Void
    ) throws(CommandError) {
        guard let entry else { return try body(.empty) }
        try entry.withString(body)
    }

    private static func lcsOptions(_ arguments: Arguments) throws(CommandError) -> LCSOptions {
        var result = LCSOptions()
        var options = Options(arguments, from: 3)
        while options.hasMore {
            if options.take("IDX") {
                result.wantsMatches = true
            } else if options.take("LEN") {
                result.wantsLength = true
            } else if options.take("WITHMATCHLEN") {
                result.wantsMatchLengths = true
            } else if options.take("MINMATCHLEN") {
                result.leastMatch = try options.integer()
            } else {
                throw .syntax
            }
        }
        return result
    }

    private static func replyLCS(
        _ call: inout Call, _ left: ByteView, _ right: ByteView, _ options: LCSOptions
    ) throws(CommandError) {
        let most = Int(UInt32.max) - 1
        guard left.count < most, right.count < most else {
            throw .text("ERR String too long for LCS")
        }
        guard let bytes = LongestCommonSubsequence.tableBytes(left.count, right.count),
            bytes <= call.keyspace.limits.longestString
        else {
            throw .text(
                "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
        }
        guard let found = LongestCommonSubsequence(left, right) else {
            throw .text("ERR Insufficient memory, failed allocating transient memory for LCS")
        }
        if options.wantsMatches {
            replyMatches(&call, found, options)
        } else if options.wantsLength {
            call.reply.integer(found.count)
        } else {
            found.bytes.withByteView { call.reply.bulk($0) }
        }
    }

    private static func replyMatches(
        _ call: inout Call, _ found: borrowing LongestCommonSubsequence, _ options: LCSOptions
    ) {
        let matches = found.matches(atLeast: options.leastMatch)
        call.reply.map(2)
        call.reply.bulk("matches" as StaticString)
        call.reply.array(matches.count)
        for match in matches {
            call.reply.array(options.wantsMatchLengths ? 3 : 2)
            for range in [match.first, match.second] {
                call.reply.array(2)
                call.reply.integer(range.lowerBound)
                call.reply.integer(range.upperBound)
            }
            if options.wantsMatchLengths { call.reply.integer(match.first.count) }
        }
        call.reply.bulk("len" as StaticString)
        call.reply.integer(found.count)
    }
}
