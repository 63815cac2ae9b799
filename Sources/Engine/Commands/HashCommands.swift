/// Commands of the documented group "hash"; those of field deadlines are in
/// `HashExpiryCommands.swift`.
enum HashCommands {
    static var table: [Command] { readingRows + writingRows + HashExpiryCommands.table }

    // swift-format-ignore
    private static var readingRows: [Command] {
        [
            Command(
                "HEXISTS", .exactly(3), [.readOnly, .fast], group: .hash,
                keys: [.at(1, .readOnly, [])], since: "2.0.0",
                "Tells whether a hash has a field.", syntax: "key field", element: 2, hexists),
            Command(
                "HGET", .exactly(3), [.readOnly, .fast], group: .hash,
                keys: [.at(1, .readOnly, [.access])], since: "2.0.0",
                "Returns the value of a field of a hash.", syntax: "key field", element: 2, hget),
            Command(
                "HGETALL", .exactly(2), [.readOnly], group: .hash,
                keys: [.at(1, .readOnly, [.access])], since: "2.0.0",
                "Returns all fields of a hash with their values.", syntax: "key",
                tips: ["nondeterministic_output_order"], element: Command.wholeValue, hgetall),
            Command(
                "HKEYS", .exactly(2), [.readOnly], group: .hash,
                keys: [.at(1, .readOnly, [.access])], since: "2.0.0",
                "Returns all fields of a hash.", syntax: "key",
                tips: ["nondeterministic_output_order"], element: Command.wholeValue, hkeys),
            Command(
                "HLEN", .exactly(2), [.readOnly, .fast], group: .hash,
                keys: [.at(1, .readOnly, [])], since: "2.0.0",
                "Returns how many fields a hash has.", syntax: "key", hlen),
            Command(
                "HMGET", .atLeast(3), [.readOnly, .fast], group: .hash,
                keys: [.at(1, .readOnly, [.access])], since: "2.0.0",
                "Returns the values of several fields of a hash.",
                syntax: "key field [field ...]", element: 2, hmget),
            Command(
                "HRANDFIELD", .atLeast(2), [.readOnly], group: .hash,
                keys: [.at(1, .readOnly, [.access])], since: "6.2.0",
                "Returns random fields of a hash.", syntax: "key [count [WITHVALUES]]",
                tips: ["nondeterministic_output"], hrandfield),
            Command(
                "HSCAN", .atLeast(3), [.readOnly], group: .hash,
                keys: [.at(1, .readOnly, [.access])], since: "2.8.0",
                "Walks through the fields of a hash, a few at a call.",
                syntax: "key cursor [MATCH pattern] [COUNT count] [NOVALUES]",
                tips: ["nondeterministic_output"], hscan),
            Command(
                "HSTRLEN", .exactly(3), [.readOnly, .fast], group: .hash,
                keys: [.at(1, .readOnly, [])], since: "3.2.0",
                "Returns the length of the value of a field.", syntax: "key field", element: 2, hstrlen),
            Command(
                "HVALS", .exactly(2), [.readOnly], group: .hash,
                keys: [.at(1, .readOnly, [.access])], since: "2.0.0",
                "Returns all values of a hash.", syntax: "key",
                tips: ["nondeterministic_output_order"], element: Command.wholeValue, hvals),
        ]
    }

    // swift-format-ignore
    private static var writingRows: [Command] {
        [
            Command(
                "HDEL", .atLeast(3), [.write, .fast], group: .hash,
                keys: [.at(1, .readWrite, [.delete])], since: "2.0.0",
                "Deletes fields of a hash, and the hash with the last.",
                syntax: "key field [field ...]", element: 2, hdel),
            Command(
                "HINCRBY", .exactly(4), [.write, .denyOOM, .fast], group: .hash,
                keys: [.at(1, .readWrite, [.access, .update])], since: "2.0.0",
                "Adds an integer to the value of a field, which counts as 0 where it is missing.",
                syntax: "key field increment", element: 2, hincrby),
            Command(
                "HINCRBYFLOAT", .exactly(4), [.write, .denyOOM, .fast], group: .hash,
                keys: [.at(1, .readWrite, [.access, .update])], since: "2.6.0",
                "Adds a number to the value of a field, which counts as 0 where it is missing.",
                syntax: "key field increment", element: 2, hincrbyfloat),
            Command(
                "HMSET", .atLeast(4), [.write, .denyOOM, .fast], group: .hash,
                keys: [.at(1, .readWrite, [.update])], since: "2.0.0",
                "Sets fields of a hash.", syntax: "key field value [field value ...]",
                deprecated: ("4.0.0", "`HSET` with multiple field-value pairs"), hmset),
            Command(
                "HSET", .atLeast(4), [.write, .denyOOM, .fast], group: .hash,
                keys: [.at(1, .readWrite, [.update])], since: "2.0.0",
                "Sets fields of a hash, which is created where it does not exist.",
                syntax: "key field value [field value ...]", element: 2, hset),
            Command(
                "HSETNX", .exactly(4), [.write, .denyOOM, .fast], group: .hash,
                keys: [.at(1, .readWrite, [.insert])], since: "2.0.0",
                "Sets a field of a hash that does not have it yet.", syntax: "key field value",
                element: 2, hsetnx),
        ]
    }

    // MARK: - HSET key field value [field value ...], HMSET, HSETNX

    /// O(1) a field.
    static func hset(_ call: inout Call) throws(CommandError) {
        guard call.arguments.count & 1 == 0 else {
            throw .text("ERR wrong number of arguments for 'hset' command")
        }
        call.reply.integer(try setPairs(&call))
    }

    static func hmset(_ call: inout Call) throws(CommandError) {
        guard call.arguments.count & 1 == 0 else {
            throw .text("ERR wrong number of arguments for 'hmset' command")
        }
        _ = try setPairs(&call)
        call.reply.ok()
    }

    /// Sets the fields of arguments 2, 4, …; returns how many are new.
    @inline(__always)
    private static func setPairs(_ call: inout Call) throws(CommandError) -> Int {
        let key = call.key(1)
        let hash = try hashOrNew(&call, key)
        var created = 0
        var index = 2
        do throws(CommandError) {
            while index < call.arguments.count {
                if try hash.set(
                    call.arguments[index], call.arguments[index &+ 1],
                    hash: call.arguments.hash(index))
                {
                    created &+= 1
                }
                index &+= 2
            }
        } catch {
            removeIfEmpty(&call, hash, key)
            throw error
        }
        call.changed(key, .hashSet, by: (call.arguments.count &- 2) / 2)
        return created
    }

    @inline(__always)
    static func hashOrNew(_ call: inout Call, _ key: Key) throws(CommandError) -> HashValue {
        if let hash = try call.database.hash(key) { return hash }
        return try call.database.makeHash(key)
    }

    /// A hash without fields does not stay; nobody has heard of one that was never filled.
    @inline(never)
    static func removeIfEmpty(_ call: inout Call, _ hash: HashValue, _ key: Key) {
        if hash.count == 0 { call.database.remove(hash.entry, key) }
    }

    static func hsetnx(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        let found = try call.database.hash(key)
        if let found, found.field(call.arguments[2]) != nil { return call.reply.integer(0) }
        let hash = try call.database.makeHash(key, unless: found)
        do throws(CommandError) {
            _ = try hash.set(call.arguments[2], call.arguments[3])
        } catch {
            removeIfEmpty(&call, hash, key)
            throw error
        }
        call.changed(key, .hashSet)
        call.reply.integer(1)
    }

    // MARK: - HGET key field, HMGET key field [field ...]

    static func hget(_ call: inout Call) throws(CommandError) {
        guard let hash = try call.database.readHash(call.key(1)),
            let value = hash.value(of: call.arguments[2], hash: call.arguments.hash(2))
        else { return call.reply.null() }
        call.reply.bulk(value)
    }

    /// O(1) a field.
    static func hmget(_ call: inout Call) throws(CommandError) {
        let hash = try call.database.readHash(call.key(1))
        call.reply.array(call.arguments.count &- 2)
        for index in 2..<call.arguments.count {
            if let value = hash?.value(
                of: call.arguments[index], hash: call.arguments.hash(index))
            {
                call.reply.bulk(value)
            } else {
                call.reply.null()
            }
        }
    }

    // MARK: - HEXISTS key field, HSTRLEN key field, HLEN key

    static func hexists(_ call: inout Call) throws(CommandError) {
        let hash = try call.database.readHash(call.key(1))
        call.reply.integer(hash?.field(call.arguments[2]) != nil ? 1 : 0)
    }

    static func hstrlen(_ call: inout Call) throws(CommandError) {
        let hash = try call.database.readHash(call.key(1))
        call.reply.integer(hash?.value(of: call.arguments[2])?.count ?? 0)
    }

    static func hlen(_ call: inout Call) throws(CommandError) {
        call.reply.integer(try call.database.readHash(call.key(1))?.count ?? 0)
    }

    // MARK: - HGETALL key, HKEYS key, HVALS key

    /// O(n).
    static func hgetall(_ call: inout Call) throws(CommandError) {
        guard let hash = try call.database.readHash(call.key(1)) else { return call.reply.map(0) }
        if hash.expires { return replyVisible(&call, hash, names: true, values: true) }
        call.reply.map(hash.count)
        var cursor = HashValue.Cursor()
        while let field = hash.next(from: &cursor) {
            call.reply.bulk(field.name)
            call.reply.bulk(field.value)
        }
    }

    static func hkeys(_ call: inout Call) throws(CommandError) {
        guard let hash = try call.database.readHash(call.key(1)) else {
            return call.reply.array(0)
        }
        replyVisible(&call, hash, names: true, values: false)
    }

    static func hvals(_ call: inout Call) throws(CommandError) {
        guard let hash = try call.database.readHash(call.key(1)) else {
            return call.reply.array(0)
        }
        replyVisible(&call, hash, names: false, values: true)
    }

    /// The fields whose time is not over; how many these are shows on the way.
    private static func replyVisible(
        _ call: inout Call, _ hash: HashValue, names: Bool, values: Bool
    ) {
        let start = call.reply.deferLength()
        var count = 0
        var cursor = HashValue.Cursor()
        while let field = hash.next(from: &cursor) {
            if names { call.reply.bulk(field.name) }
            if values { call.reply.bulk(field.value) }
            count += 1
        }
        if names && values {
            call.reply.finishMap(start, count)
        } else {
            call.reply.finishArray(start, count)
        }
    }

    // MARK: - HDEL key field [field ...]

    /// O(1) a field.
    static func hdel(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        guard let hash = try call.database.hash(key) else { return call.reply.integer(0) }
        var removed = 0
        for index in 2..<call.arguments.count
        where hash.remove(
            call.arguments[index], hash: call.arguments.hash(index))
        {
            removed &+= 1
            if hash.count == 0 { break }
        }
        if removed > 0 {
            call.changed(key, .hashDelete, by: removed)
            call.deleteIfEmpty(hash.count, hash.entry, key)
        }
        call.reply.integer(removed)
    }

    // MARK: - HINCRBY key field increment, HINCRBYFLOAT key field increment

    /// The field keeps its deadline.
    static func hincrby(_ call: inout Call) throws(CommandError) {
        guard let amount = NumberText.integer(call.arguments[3]) else { throw .notInteger }
        let key = call.key(1)
        let found = try call.database.hash(key)
        var sum = amount
        if let value = found?.value(of: call.arguments[2]) {
            guard let old = NumberText.integer(value) else {
                throw .text("ERR hash value is not an integer")
            }
            let (result, overflow) = old.addingReportingOverflow(amount)
            if overflow { throw .text("ERR increment or decrement would overflow") }
            sum = result
        }
        let hash = try call.database.makeHash(key, unless: found)
        let name = call.arguments[2]
        try NumberText.withText(of: sum) { (text) throws(CommandError) in
            try setKeepingDeadline(&call, hash, key, name, text)
        }
        call.changed(key, .hashIncrementBy)
        call.reply.integer(sum)
    }

    static func hincrbyfloat(_ call: inout Call) throws(CommandError) {
        let amount = call.arguments[3]
        var sum = DecimalSum()
        switch sum.add(ByteView("0"), amount) {
        case .sum: break
        case .notANumber: throw .notFloat
        case .notFinite: throw .text("ERR value is NaN or Infinity")
        }
        let key = call.key(1)
        let found = try call.database.hash(key)
        if let value = found?.value(of: call.arguments[2]) {
            switch sum.add(value, amount) {
            case .sum: break
            case .notANumber: throw .text("ERR hash value is not a float")
            case .notFinite: throw .text("ERR increment would produce NaN or Infinity")
            }
        }
        let hash = try call.database.makeHash(key, unless: found)
        let name = call.arguments[2]
        try sum.withText { (text) throws(CommandError) in
            try setKeepingDeadline(&call, hash, key, name, text)
            call.changed(key, .hashIncrementByFloat)
            if call.isPropagated { propagateField(call, hash, key, name, text) }
            call.reply.bulk(text)
        }
    }

    /// A sum of floating-point numbers as its text; HSET would end the field's deadline.
    private static func propagateField(
        _ call: borrowing Call, _ hash: HashValue, _ key: Key, _ name: ByteView, _ text: ByteView
    ) {
        let keeps = hash.field(name).map { $0.deadline != HashValue.never } ?? false
        let request = call.beginPropagated(keeps ? "HSETEX" : "HSET", keeps ? 7 : 4)
        request.add(key.bytes)
        if keeps {
            request.add("KEEPTTL")
            request.add("FIELDS")
            request.add(1)
        }
        request.add(name)
        request.add(text)
    }

    private static func setKeepingDeadline(
        _ call: inout Call, _ hash: HashValue, _ key: Key, _ name: ByteView, _ value: ByteView
    ) throws(CommandError) {
        do throws(CommandError) {
            _ = try hash.set(name, value, keepsDeadline: true)
        } catch {
            removeIfEmpty(&call, hash, key)
            throw error
        }
    }

    // MARK: - HRANDFIELD key [count [WITHVALUES]]

    /// O(1) a field asked for, or O(n) where a third of the hash or more is.
    static func hrandfield(_ call: inout Call) throws(CommandError) {
        guard call.arguments.count > 2 else {
            guard let hash = try call.database.readHash(call.key(1)),
                let position = hash.randomPosition(by: call.keyspace.values)
            else { return call.reply.null() }
            return call.reply.bulk(hash.field(at: position).name)
        }
        let request = try SampleRequest(call.arguments, pairedBy: "WITHVALUES")
        let hash = try call.database.readHash(call.key(1))
        try call.replySample(request, of: hash) { hash, position, withValue, reply in
            let field = hash.field(at: position)
            reply.bulk(field.name)
            if withValue { reply.bulk(field.value) }
        }
    }

    // MARK: - HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]

    /// Shows all fields of a small hash, else those of about `count` places in the table.
    static func hscan(_ call: inout Call) throws(CommandError) {
        let cursor = try ScanOptions.cursor(call.arguments[2])
        guard let hash = try call.database.readHash(call.key(1)) else {
            return call.replyNothingScanned()
        }
        let options = try ScanOptions(call.arguments, from: 3, allowsNoValues: true)
        var positions: ContiguousArray<HashValue.Position> = []
        let next = hash.scan(
            cursor, atLeast: options.count, mostSteps: options.mostSteps, into: &positions)
        call.replyScanned(next, positions) { position, reply in
            let field = hash.field(at: position)
            guard options.pattern?.matches(field.name) ?? true, !hash.isDue(field.deadline) else {
                return 0
            }
            reply.bulk(field.name)
            if options.omitsValues { return 1 }
            reply.bulk(field.value)
            return 2
        }
    }
}
