/// Commands of the documented group "generic": those that work on keys of any type.
///
/// (SCAN, SORT, the dump commands and WAIT have files of their own.)
enum GenericCommands {
    static var table: [Command] { keyRows + expiryRows + [object] }

    // swift-format-ignore
    private static var keyRows: [Command] {
        [
            Command(
                "COPY", .atLeast(3), [.write, .denyOOM], [.keyspace], group: .generic,
                keys: [.at(1, .readOnly, [.access]), .at(2, .overwrite, [.update])],
                since: "6.2.0", "Copies the value of a key to another key.",
                syntax: "source destination [DB destination-db] [REPLACE]", copy),
            Command(
                "DEL", .atLeast(2), [.write], [.keyspace], group: .generic,
                keys: [.from(1, last: -1, step: 1, .remove, [.delete])], since: "1.0.0",
                "Deletes keys.", syntax: "key [key ...]",
                tips: ["request_policy:multi_shard", "response_policy:agg_sum"], delete),
            Command(
                "EXISTS", .atLeast(2), [.readOnly, .fast], [.keyspace], group: .generic,
                keys: [.from(1, last: -1, step: 1, .readOnly, [])], since: "1.0.0",
                "Counts how many of the keys exist.", syntax: "key [key ...]",
                tips: ["request_policy:multi_shard", "response_policy:agg_sum"], exists),
            Command(
                "KEYS", .exactly(2), [.readOnly], [.keyspace, .dangerous], group: .generic,
                since: "1.0.0", "Returns all keys that match a pattern.", syntax: "pattern",
                tips: ["request_policy:all_shards", "nondeterministic_output_order"], keys),
            Command(
                "MOVE", .exactly(3), [.write, .fast], [.keyspace], group: .generic,
                keys: [.at(1, .readWrite, [.access, .update])], since: "1.0.0",
                "Moves a key to another database.", syntax: "key db", move),
            Command(
                "RANDOMKEY", .exactly(1), [.readOnly, .touchesArbitraryKeys], [.keyspace],
                group: .generic, since: "1.0.0", "Returns a random key of the database.",
                tips: [
                    "request_policy:all_shards", "response_policy:special",
                    "nondeterministic_output",
                ], randomkey),
            Command(
                "RENAME", .exactly(3), [.write], [.keyspace], group: .generic,
                keys: [.at(1, .readWrite, [.access, .delete]), .at(2, .overwrite, [.update])],
                since: "1.0.0", "Renames a key, over whatever has the new name.",
                syntax: "key newkey", rename),
            Command(
                "RENAMENX", .exactly(3), [.write, .fast], [.keyspace], group: .generic,
                keys: [.at(1, .readWrite, [.access, .delete]), .at(2, .overwrite, [.insert])],
                since: "1.0.0", "Renames a key if nothing has the new name.",
                syntax: "key newkey", renamenx),
            Command(
                "TOUCH", .atLeast(2), [.readOnly, .fast, .marksAccess], [.keyspace], group: .generic,
                keys: [.from(1, last: -1, step: 1, .readOnly, [])], since: "3.2.1",
                "Marks keys as just accessed and counts those that exist.",
                syntax: "key [key ...]",
                tips: ["request_policy:multi_shard", "response_policy:agg_sum"], touch),
            Command(
                "TYPE", .exactly(2), [.readOnly, .fast], [.keyspace], group: .generic,
                keys: [.at(1, .readOnly, [])], since: "1.0.0",
                "Returns the type of the value of a key.", syntax: "key", type),
            Command(
                "UNLINK", .atLeast(2), [.write, .fast], [.keyspace], group: .generic,
                keys: [.from(1, last: -1, step: 1, .remove, [.delete])], since: "4.0.0",
                "Deletes keys; their memory is freed in the background.",
                syntax: "key [key ...]",
                tips: ["request_policy:multi_shard", "response_policy:agg_sum"], delete),
        ]
    }

    // swift-format-ignore
    private static var expiryRows: [Command] {
        [
            Command(
                "EXPIRE", .atLeast(3), [.write, .fast], [.keyspace], group: .generic,
                keys: [.at(1, .readWrite, [.update])], since: "1.0.0",
                "Sets the time to live of a key in seconds.",
                syntax: "key seconds [NX | XX | GT | LT]", expire),
            Command(
                "EXPIREAT", .atLeast(3), [.write, .fast], [.keyspace], group: .generic,
                keys: [.at(1, .readWrite, [.update])], since: "1.2.0",
                "Sets the moment at which a key expires, in Unix seconds.",
                syntax: "key unix-time-seconds [NX | XX | GT | LT]", expireat),
            Command(
                "EXPIRETIME", .exactly(2), [.readOnly, .fast], [.keyspace], group: .generic,
                keys: [.at(1, .readOnly, [.access])], since: "7.0.0",
                "Returns the moment at which a key expires, in Unix seconds.", syntax: "key",
                expiretime),
            Command(
                "PERSIST", .exactly(2), [.write, .fast], [.keyspace], group: .generic,
                keys: [.at(1, .readWrite, [.update])], since: "2.2.0",
                "Removes the expiration of a key.", syntax: "key", persist),
            Command(
                "PEXPIRE", .atLeast(3), [.write, .fast], [.keyspace], group: .generic,
                keys: [.at(1, .readWrite, [.update])], since: "2.6.0",
                "Sets the time to live of a key in milliseconds.",
                syntax: "key milliseconds [NX | XX | GT | LT]", pexpire),
            Command(
                "PEXPIREAT", .atLeast(3), [.write, .fast], [.keyspace], group: .generic,
                keys: [.at(1, .readWrite, [.update])], since: "2.6.0",
                "Sets the moment at which a key expires, in Unix milliseconds.",
                syntax: "key unix-time-milliseconds [NX | XX | GT | LT]", pexpireat),
            Command(
                "PEXPIRETIME", .exactly(2), [.readOnly, .fast], [.keyspace], group: .generic,
                keys: [.at(1, .readOnly, [.access])], since: "7.0.0",
                "Returns the moment at which a key expires, in Unix milliseconds.",
                syntax: "key", pexpiretime),
            Command(
                "PTTL", .exactly(2), [.readOnly, .fast], [.keyspace], group: .generic,
                keys: [.at(1, .readOnly, [.access])], since: "2.6.0",
                "Returns the time to live of a key in milliseconds.", syntax: "key",
                tips: ["nondeterministic_output"], pttl),
            Command(
                "TTL", .exactly(2), [.readOnly, .fast], [.keyspace], group: .generic,
                keys: [.at(1, .readOnly, [.access])], since: "1.0.0",
                "Returns the time to live of a key in seconds.", syntax: "key",
                tips: ["nondeterministic_output"], ttl),
        ]
    }

    // swift-format-ignore
    private static var object: Command {
        Command(
            "OBJECT", group: .generic, since: "2.2.3", "Commands that look into a value.",
            subcommands: [
                Command(
                    "ENCODING", .exactly(3), [.readOnly], [.keyspace], group: .generic,
                    keys: [.at(2, .readOnly, [])], since: "2.2.3",
                    "Returns how the value of a key is stored.", syntax: "key",
                    tips: ["nondeterministic_output"], objectEncoding),
                Command(
                    "FREQ", .exactly(3), [.readOnly], [.keyspace], group: .generic,
                    keys: [.at(2, .readOnly, [])], since: "4.0.0",
                    "Returns the logarithm of how often a key is accessed.", syntax: "key",
                    tips: ["nondeterministic_output"], objectFreq),
                Command(
                    "HELP", .exactly(2), [.loading, .stale], [.keyspace], group: .generic,
                    since: "6.2.0", "Lists the subcommands.", objectHelp),
                Command(
                    "IDLETIME", .exactly(3), [.readOnly], [.keyspace], group: .generic,
                    keys: [.at(2, .readOnly, [])], since: "2.2.3",
                    "Returns for how many seconds a key has not been accessed.", syntax: "key",
                    tips: ["nondeterministic_output"], objectIdleTime),
                Command(
                    "REFCOUNT", .exactly(3), [.readOnly], [.keyspace], group: .generic,
                    keys: [.at(2, .readOnly, [])], since: "2.2.3",
                    "Returns the number of references to the value of a key.", syntax: "key",
                    tips: ["nondeterministic_output"], objectRefCount),
            ])
    }

    // MARK: - COPY source destination [DB n] [REPLACE]

    /// O(bytes of the value).
    static func copy(_ call: inout Call) throws(CommandError) {
        var target = call.database
        var replaces = false
        var options = Options(call.arguments, from: 3)
        while options.hasMore {
            if options.take("REPLACE") {
                replaces = true
            } else if options.take("DB") {
                target = try database(try options.next(), call.keyspace)
            } else {
                throw .syntax
            }
        }
        let key = call.key(1)
        let newKey = call.key(2)
        if target.index == call.database.index && key.bytes == newKey.bytes { throw .sameObject }
        guard let entry = call.database.read(key) else { return call.reply.integer(0) }
        if let old = target.entry(newKey) {
            guard replaces else { return call.reply.integer(0) }
            target.remove(old, newKey)
        }
        try call.database.copy(entry, to: newKey, in: target)
        call.changed(newKey, .copyTo, in: target)
        call.reply.integer(1)
    }

    /// The database of a number given as an argument.
    static func database(
        _ text: ByteView, _ keyspace: Keyspace
    ) throws(CommandError) -> Database {
        guard let number = NumberText.integer(text) else { throw .notInteger }
        guard number >= Int32.min, number <= Int32.max else {
            throw .text(
                "ERR value is out of range, value must between -2147483648 and 2147483647")
        }
        guard number >= 0, number < keyspace.databaseCount else { throw .databaseOutOfRange }
        return keyspace[Int(number)]
    }

    // MARK: - DEL key [key ...], UNLINK key [key ...]

    /// O(1) a key: what takes long to free is freed later.
    static func delete(_ call: inout Call) throws(CommandError) {
        var deleted = 0
        var index = 1
        while index < call.arguments.count {
            let key = call.key(index)
            if call.database.remove(key) {
                call.changed(key, .delete)
                deleted &+= 1
            }
            index &+= 1
        }
        call.reply.integer(deleted)
    }

    // MARK: - EXISTS key [key ...], TOUCH key [key ...]

    static func exists(_ call: inout Call) throws(CommandError) {
        var found = 0
        for index in 1..<call.arguments.count
        where call.database.readUnmarked(call.key(index)) != nil {
            found &+= 1
        }
        call.reply.integer(found)
    }

    static func touch(_ call: inout Call) throws(CommandError) {
        var found = 0
        for index in 1..<call.arguments.count where call.database.read(call.key(index)) != nil {
            found &+= 1
        }
        call.reply.integer(found)
    }

    // MARK: - KEYS pattern

    /// O(keys); allocates nothing but the reply.
    static func keys(_ call: inout Call) throws(CommandError) {
        let pattern = GlobPattern(call.arguments[1])
        let takesAll = pattern.matchesEverything
        let start = call.reply.deferLength()
        var count = 0
        var cursor = HashTable<KeyPolicy>.Cursor()
        while let entry = call.database.nextEntry(from: &cursor) {
            guard takesAll || pattern.matches(entry.key), !call.database.isExpired(entry) else {
                continue
            }
            call.reply.bulk(entry.key)
            count += 1
        }
        call.reply.finishArray(start, count)
    }

    // MARK: - MOVE key db

    static func move(_ call: inout Call) throws(CommandError) {
        let target = try database(call.arguments[2], call.keyspace)
        if target.index == call.database.index { throw .sameObject }
        let key = call.key(1)
        guard let entry = call.database.entry(key), target.entry(key) == nil else {
            return call.reply.integer(0)
        }
        guard call.database.move(entry, key, to: key, in: target) else { throw .outOfMemory }
        call.changed(key, .moveFrom)
        keyspaceNotify(call, key, .moveTo, in: target)
        call.reply.integer(1)
    }

    /// An event in another database that goes with a change already counted.
    private static func keyspaceNotify(
        _ call: borrowing Call, _ key: Key, _ event: KeyEvent, in database: Database
    ) {
        call.keyspace.changed(key.bytes, event, in: database, by: 0)
    }

    // MARK: - RANDOMKEY

    static func randomkey(_ call: inout Call) throws(CommandError) {
        var random = call.server.random
        guard let entry = call.database.randomEntry(using: &random) else {
            return call.reply.null()
        }
        call.reply.bulk(entry.key)
    }

    // MARK: - RENAME key newkey, RENAMENX key newkey

    static func rename(_ call: inout Call) throws(CommandError) {
        if try rename(&call, replacing: true) { call.reply.ok() }
    }

    static func renamenx(_ call: inout Call) throws(CommandError) {
        call.reply.integer(try rename(&call, replacing: false) ? 1 : 0)
    }

    /// False when the new name is taken and must not be replaced.
    private static func rename(
        _ call: inout Call, replacing: Bool
    ) throws(CommandError) -> Bool {
        let key = call.key(1)
        let newKey = call.key(2)
        guard let entry = call.database.entry(key) else { throw .noSuchKey }
        entry.touch(call.keyspace.accessStamp)
        if key.bytes == newKey.bytes { return replacing }
        if let old = call.database.entry(newKey) {
            guard replacing else { return false }
            call.database.remove(old, newKey)
        }
        guard call.database.move(entry, key, to: newKey, in: call.database) else {
            throw .outOfMemory
        }
        call.changed(key, .renameFrom)
        call.notify(newKey, .renameTo)
        return true
    }

    // MARK: - TYPE key

    static func type(_ call: inout Call) throws(CommandError) {
        call.reply.simple(call.database.readUnmarked(call.key(1))?.type.name ?? "none")
    }

    // MARK: - EXPIRE key seconds [NX | XX | GT | LT], PEXPIRE, EXPIREAT, PEXPIREAT

    private struct ExpireConditions: OptionSet {
        let rawValue: UInt8
        static let ifNone = ExpireConditions(rawValue: 1)
        static let ifSome = ExpireConditions(rawValue: 2)
        static let ifLater = ExpireConditions(rawValue: 4)
        static let ifEarlier = ExpireConditions(rawValue: 8)
    }

    static func expire(_ call: inout Call) throws(CommandError) {
        try expire(&call, .seconds, from: call.now)
    }

    static func pexpire(_ call: inout Call) throws(CommandError) {
        try expire(&call, .milliseconds, from: call.now)
    }

    static func expireat(_ call: inout Call) throws(CommandError) {
        try expire(&call, .seconds, from: 0)
    }

    static func pexpireat(_ call: inout Call) throws(CommandError) {
        try expire(&call, .milliseconds, from: 0)
    }

    /// A moment already past deletes the key.
    @inline(__always)
    private static func expire(
        _ call: inout Call, _ unit: TimeUnit, from start: Int64
    ) throws(CommandError) {
        var conditions: ExpireConditions = []
        if call.arguments.count > 3 { conditions = try expireConditions(&call) }
        guard let amount = NumberText.integer(call.arguments[2]) else { throw .notInteger }
        let (span, overflow) = amount.multipliedReportingOverflow(by: unit == .seconds ? 1000 : 1)
        let (deadline, carry) = span.addingReportingOverflow(start)
        if overflow || carry { throw SetOptions.invalidExpireTime(&call) }
        let key = call.key(1)
        guard let entry = call.database.entry(key) else { return call.reply.integer(0) }
        entry.touch(call.keyspace.accessStamp)
        guard conditions.isEmpty || holds(conditions, entry.deadline, deadline) else {
            return call.reply.integer(0)
        }
        if StringCommands.hasPassed(deadline, call.keyspace) {
            call.database.remove(entry, key)
            call.changed(key, .delete)
            if call.isPropagated { call.propagate("DEL", key) }
            return call.reply.integer(1)
        }
        guard call.database.setDeadline(deadline, of: entry, key) else { throw .outOfMemory }
        call.changed(key, .expire)
        if call.isPropagated { propagateDeadline(call, deadline) }
        call.reply.integer(1)
    }

    /// The moment, with the condition that came with it.
    private static func propagateDeadline(_ call: borrowing Call, _ deadline: Int64) {
        let request = call.beginPropagated("PEXPIREAT", call.arguments.count)
        request.add(call.arguments[1])
        request.add(deadline)
        for index in 3..<max(3, call.arguments.count) { request.add(call.arguments[index]) }
    }

    @inline(never)
    private static func expireConditions(
        _ call: inout Call
    ) throws(CommandError) -> ExpireConditions {
        var conditions: ExpireConditions = []
        var options = Options(call.arguments, from: 3)
        while options.hasMore {
            if options.take("NX") {
                conditions.insert(.ifNone)
            } else if options.take("XX") {
                conditions.insert(.ifSome)
            } else if options.take("GT") {
                conditions.insert(.ifLater)
            } else if options.take("LT") {
                conditions.insert(.ifEarlier)
            } else {
                throw call.fail("ERR Unsupported option \(options.peek.string)")
            }
        }
        if conditions.contains(.ifNone) && conditions != .ifNone {
            throw .text("ERR NX and XX, GT or LT options at the same time are not compatible")
        }
        if conditions.isSuperset(of: [.ifLater, .ifEarlier]) {
            throw .text("ERR GT and LT options at the same time are not compatible")
        }
        return conditions
    }

    /// No deadline counts as one infinitely far away.
    private static func holds(
        _ conditions: ExpireConditions, _ old: Int64?, _ new: Int64
    ) -> Bool {
        guard let old else { return conditions.isDisjoint(with: [.ifSome, .ifLater]) }
        if conditions.contains(.ifNone) { return false }
        if conditions.contains(.ifLater) && new <= old { return false }
        return !(conditions.contains(.ifEarlier) && new >= old)
    }

    // MARK: - TTL key, PTTL key, EXPIRETIME key, PEXPIRETIME key

    static func ttl(_ call: inout Call) throws(CommandError) {
        replyDeadline(&call, .seconds, from: call.now)
    }

    static func pttl(_ call: inout Call) throws(CommandError) {
        replyDeadline(&call, .milliseconds, from: call.now)
    }

    static func expiretime(_ call: inout Call) throws(CommandError) {
        replyDeadline(&call, .seconds, from: 0)
    }

    static func pexpiretime(_ call: inout Call) throws(CommandError) {
        replyDeadline(&call, .milliseconds, from: 0)
    }

    /// Replies -2 where there is no such key, -1 where it has no deadline; seconds are rounded.
    @inline(__always)
    private static func replyDeadline(_ call: inout Call, _ unit: TimeUnit, from start: Int64) {
        guard let entry = call.database.readUnmarked(call.key(1)) else {
            return call.reply.integer(-2)
        }
        guard let deadline = entry.deadline else { return call.reply.integer(-1) }
        let left = UInt64(max(0, deadline &- start))
        call.reply.integer(Int64(unit == .seconds ? (left + 500) / 1000 : left))
    }

    // MARK: - PERSIST key

    static func persist(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        guard let entry = call.database.entry(key) else { return call.reply.integer(0) }
        entry.touch(call.keyspace.accessStamp)
        guard entry.hasDeadline else { return call.reply.integer(0) }
        guard call.database.removeDeadline(of: entry, key) else { throw .outOfMemory }
        call.changed(key, .persist)
        call.reply.integer(1)
    }

    // MARK: - OBJECT ENCODING | FREQ | IDLETIME | REFCOUNT key, OBJECT HELP

    static func objectEncoding(_ call: inout Call) throws(CommandError) {
        guard let entry = call.database.examine(call.key(2)) else { return call.reply.null() }
        call.reply.bulk(encodingName(of: entry))
    }

    static func encodingName(of entry: Entry) -> StaticString {
        entry.isString ? entry.stringEncodingName : CollectionValue(of: entry).encodingName
    }

    static func objectFreq(_ call: inout Call) throws(CommandError) {
        guard let entry = call.database.examine(call.key(2)) else { return call.reply.null() }
        guard call.server.settings.maxMemoryPolicy.countsFrequency else {
            throw .text(
                """
                ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please \
                note that when switching between policies at runtime LRU and LFU data will take \
                some time to adjust.
                """)
        }
        call.reply.integer(Int(call.keyspace.presentStamp.count(in: entry.access)))
    }

    static func objectIdleTime(_ call: inout Call) throws(CommandError) {
        guard let entry = call.database.examine(call.key(2)) else { return call.reply.null() }
        if call.server.settings.maxMemoryPolicy.countsFrequency {
            throw .text(
                """
                ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that \
                when switching between policies at runtime LRU and LFU data will take some time \
                to adjust.
                """)
        }
        call.reply.integer(Int(call.keyspace.presentStamp.idleSeconds(since: entry.access)))
    }

    /// Values are never shared here; small integers seem to be, as clients of Redis see them.
    static func objectRefCount(_ call: inout Call) throws(CommandError) {
        guard let entry = call.database.examine(call.key(2)) else { return call.reply.null() }
        let settings = call.server.settings
        let isShared =
            entry.isString && entry.stringEncoding == .integer
            && (0..<10_000).contains(entry.integer)
            && (settings.maxMemoryBytes == 0 || !settings.maxMemoryPolicy.marksAccess)
        call.reply.integer(isShared ? Int64(Int32.max) : 1)
    }

    static func objectHelp(_ call: inout Call) throws(CommandError) {
        call.replyHelp(
            container: "OBJECT",
            [
                "ENCODING <key>",
                "    Return the kind of internal representation used in order to store the value",
                "    associated with a <key>.",
                "FREQ <key>",
                "    Return the access frequency index of the <key>. The returned integer is",
                "    proportional to the logarithm of the recent access frequency of the key.",
                "IDLETIME <key>",
                "    Return the idle time of the <key>, that is the approximated number of",
                "    seconds elapsed since the last access to the key.",
                "REFCOUNT <key>",
                "    Return the number of references of the value associated with the specified",
                "    <key>.",
            ])
    }
}
