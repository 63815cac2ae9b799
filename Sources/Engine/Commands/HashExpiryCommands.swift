/// Commands of the group "hash" that give fields a time to live.
///
/// Errors are those of Redis 8 in its order: the type of the key, the time, the position and number of
/// the fields, and only then whether the key exists.
enum HashExpiryCommands {
    static var table: [Command] { settingRows + tellingRows + valueRows }

    // swift-format-ignore
    private static var settingRows: [Command] {
        [
            Command(
                "HEXPIRE", .atLeast(6), [.write, .fast], group: .hash,
                keys: [.at(1, .readWrite, [.update])], since: "7.4.0",
                "Sets the time to live of fields in seconds.",
                syntax: "key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
                hexpire),
            Command(
                "HEXPIREAT", .atLeast(6), [.write, .fast], group: .hash,
                keys: [.at(1, .readWrite, [.update])], since: "7.4.0",
                "Sets the moment at which fields expire, in Unix seconds.",
                syntax:
                    "key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
                hexpireat),
            Command(
                "HPERSIST", .atLeast(5), [.write, .fast], group: .hash,
                keys: [.at(1, .readWrite, [.update])], since: "7.4.0",
                "Removes the expiration of fields.",
                syntax: "key FIELDS numfields field [field ...]", hpersist),
            Command(
                "HPEXPIRE", .atLeast(6), [.write, .fast], group: .hash,
                keys: [.at(1, .readWrite, [.update])], since: "7.4.0",
                "Sets the time to live of fields in milliseconds.",
                syntax: "key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
                hpexpire),
            Command(
                "HPEXPIREAT", .atLeast(6), [.write, .fast], group: .hash,
                keys: [.at(1, .readWrite, [.update])], since: "7.4.0",
                "Sets the moment at which fields expire, in Unix milliseconds.",
                syntax:
                    "key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
                hpexpireat),
        ]
    }

    // swift-format-ignore
    private static var tellingRows: [Command] {
        [
            Command(
                "HEXPIRETIME", .atLeast(5), [.readOnly, .fast], group: .hash,
                keys: [.at(1, .readOnly, [.access])], since: "7.4.0",
                "Returns the moment at which fields expire, in Unix seconds.",
                syntax: "key FIELDS numfields field [field ...]", hexpiretime),
            Command(
                "HPEXPIRETIME", .atLeast(5), [.readOnly, .fast], group: .hash,
                keys: [.at(1, .readOnly, [.access])], since: "7.4.0",
                "Returns the moment at which fields expire, in Unix milliseconds.",
                syntax: "key FIELDS numfields field [field ...]", hpexpiretime),
            Command(
                "HPTTL", .atLeast(5), [.readOnly, .fast], group: .hash,
                keys: [.at(1, .readOnly, [.access])], since: "7.4.0",
                "Returns the time to live of fields in milliseconds.",
                syntax: "key FIELDS numfields field [field ...]",
                tips: ["nondeterministic_output"], hpttl),
            Command(
                "HTTL", .atLeast(5), [.readOnly, .fast], group: .hash,
                keys: [.at(1, .readOnly, [.access])], since: "7.4.0",
                "Returns the time to live of fields in seconds.",
                syntax: "key FIELDS numfields field [field ...]",
                tips: ["nondeterministic_output"], httl),
        ]
    }

    // swift-format-ignore
    private static var valueRows: [Command] {
        [
            Command(
                "HGETDEL", .atLeast(5), [.write, .fast], group: .hash,
                keys: [.at(1, .readWrite, [.access, .delete])], since: "9.1.0",
                "Returns the values of fields and deletes the fields.",
                syntax: "key FIELDS numfields field [field ...]", hgetdel),
            Command(
                "HGETEX", .atLeast(5), [.write, .fast], group: .hash,
                keys: [.at(1, .readWrite, [.access, .update])], since: "9.0.0",
                "Returns the values of fields and sets or removes their expiration.",
                syntax:
                    "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | "
                    + "PXAT unix-time-milliseconds | PERSIST] FIELDS numfields field [field ...]",
                hgetex),
            Command(
                "HSETEX", .atLeast(6), [.write, .denyOOM, .fast], group: .hash,
                keys: [.at(1, .readWrite, [.update])], since: "9.0.0",
                "Sets fields of a hash with an expiration, if wanted only new or only existing ones.",
                syntax:
                    "key [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | "
                    + "PXAT unix-time-milliseconds | KEEPTTL] FIELDS numfields field value "
                    + "[field value ...]",
                hsetex),
        ]
    }

    // MARK: - Arguments

    /// The fields of a command: arguments `first` up to the end.
    ///
    /// `index` is where FIELDS must stand; `problem` is said of a count that is none.
    private static func firstField(
        _ call: borrowing Call, _ index: Int, _ problem: StaticString
    ) throws(CommandError) -> Int {
        let arguments = call.arguments
        guard index < arguments.count - 1, arguments[index].equalsIgnoringCase("FIELDS") else {
            throw .text("ERR Mandatory argument FIELDS is missing or not at the right position")
        }
        guard let count = NumberText.integer(arguments[index + 1]), count > 0 else {
            throw .text(problem)
        }
        guard count == arguments.count - index - 2 else {
            throw .text("ERR The `numfields` parameter must match the number of arguments")
        }
        return index + 2
    }

    private static let notPositive: StaticString =
        "ERR Number of fields must be a positive integer"

    /// The wall-clock millisecond that a time argument tells; `start` is now, or 0 for a moment.
    private static func deadline(
        _ text: ByteView, _ unit: TimeUnit, from start: Int64, _ call: inout Call
    ) throws(CommandError) -> Int64 {
        guard let amount = NumberText.integer(text) else { throw .notInteger }
        guard amount >= 0 else { throw .text("ERR invalid expire time, must be >= 0") }
        let factor: Int64 = unit == .seconds ? 1000 : 1
        guard amount <= HashValue.latestDeadline / factor,
            amount * factor <= HashValue.latestDeadline - start
        else {
            throw SetOptions.invalidExpireTime(&call)
        }
        return amount * factor + start
    }

    // MARK: - HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...] and kin

    static func hexpire(_ call: inout Call) throws(CommandError) {
        try expire(&call, .seconds, from: call.now)
    }

    static func hpexpire(_ call: inout Call) throws(CommandError) {
        try expire(&call, .milliseconds, from: call.now)
    }

    static func hexpireat(_ call: inout Call) throws(CommandError) {
        try expire(&call, .seconds, from: 0)
    }

    static func hpexpireat(_ call: inout Call) throws(CommandError) {
        try expire(&call, .milliseconds, from: 0)
    }

    private enum Condition {
        case none, ifAbsent, ifPresent, ifLater, ifEarlier

        /// Whether a field with deadline `old` may get `new`; `never` is later than all.
        func admits(_ old: Int64, _ new: Int64) -> Bool {
            switch self {
            case .none: true
            case .ifAbsent: old == HashValue.never
            case .ifPresent: old != HashValue.never
            case .ifLater: new > old
            case .ifEarlier: new < old
            }
        }
    }

    /// Replies for each field: -2 no such field, 0 not changed, 1 set, 2 deleted at once.
    private static func expire(
        _ call: inout Call, _ unit: TimeUnit, from start: Int64
    ) throws(CommandError) {
        let key = call.key(1)
        let hash = try call.database.hash(key)
        let deadline = try deadline(call.arguments[2], unit, from: start, &call)
        var options = Options(call.arguments, from: 3)
        var condition = Condition.none
        if options.take("NX") {
            condition = .ifAbsent
        } else if options.take("XX") {
            condition = .ifPresent
        } else if options.take("GT") {
            condition = .ifLater
        } else if options.take("LT") {
            condition = .ifEarlier
        }
        let first = try firstField(
            call, options.index, "ERR Parameter `numFields` should be greater than 0")
        call.reply.array(call.arguments.count - first)
        var (changed, deleted) = (0, 0)
        var touched = TouchedFields(call)
        for index in first..<call.arguments.count {
            guard let hash, let field = hash.field(call.arguments[index]) else {
                call.reply.integer(-2)
                continue
            }
            guard condition.admits(field.deadline, deadline) else {
                call.reply.integer(0)
                continue
            }
            touched.add(index)
            if deadline <= call.now {
                _ = hash.remove(call.arguments[index])
                deleted += 1
                call.reply.integer(2)
            } else {
                _ = hash.setDeadline(deadline, of: call.arguments[index])
                changed += 1
                call.reply.integer(1)
            }
        }
        if let hash { tell(&call, hash, key, expired: changed, deleted: deleted) }
        touched.propagate(call, deadline)
    }

    /// The fields that a command has given a deadline, for those who repeat what it did: they get the
    /// moment, and only those fields for which the condition held.
    private struct TouchedFields {
        private let isPropagated: Bool
        private var indexes: [Int] = []

        init(_ call: borrowing Call) { isPropagated = call.isPropagated }

        mutating func add(_ index: Int) { if isPropagated { indexes.append(index) } }

        /// - Parameter deadline: what all of them got, `never` for none; over already: they are gone.
        func propagate(_ call: borrowing Call, _ deadline: Int64) {
            guard !indexes.isEmpty else { return }
            let request: EffectFeed
            if deadline <= call.now {
                request = call.beginPropagated("HDEL", 2 + indexes.count)
                request.add(call.arguments[1])
            } else {
                let isMoment = deadline != HashValue.never
                request = call.beginPropagated(
                    isMoment ? "HPEXPIREAT" : "HPERSIST", (isMoment ? 5 : 4) + indexes.count)
                request.add(call.arguments[1])
                if isMoment { request.add(deadline) }
                request.add("FIELDS")
                request.add(Int64(indexes.count))
            }
            for index in indexes { request.add(call.arguments[index]) }
        }
    }

    /// What everybody hears of deadlines set and fields deleted; the hash goes with its last field.
    private static func tell(
        _ call: inout Call, _ hash: HashValue, _ key: Key, expired: Int, deleted: Int
    ) {
        if expired > 0 {
            call.database.noteFields(of: hash, key)
            call.changed(key, .hashExpire, by: expired)
        }
        if deleted > 0 {
            call.changed(key, .hashDelete, by: deleted)
            call.deleteIfEmpty(hash.count, hash.entry, key)
        }
    }

    // MARK: - HTTL key FIELDS numfields field [field ...] and kin

    static func httl(_ call: inout Call) throws(CommandError) {
        try tellDeadlines(&call, .seconds, from: call.now)
    }

    static func hpttl(_ call: inout Call) throws(CommandError) {
        try tellDeadlines(&call, .milliseconds, from: call.now)
    }

    static func hexpiretime(_ call: inout Call) throws(CommandError) {
        try tellDeadlines(&call, .seconds, from: 0)
    }

    static func hpexpiretime(_ call: inout Call) throws(CommandError) {
        try tellDeadlines(&call, .milliseconds, from: 0)
    }

    /// Replies for each field: -2 no such field, -1 no deadline; a part of a second counts whole.
    private static func tellDeadlines(
        _ call: inout Call, _ unit: TimeUnit, from start: Int64
    ) throws(CommandError) {
        let hash = try call.database.readHash(call.key(1))
        let first = try firstField(call, 2, notPositive)
        call.reply.array(call.arguments.count - first)
        for index in first..<call.arguments.count {
            guard let field = hash?.field(call.arguments[index]) else {
                call.reply.integer(-2)
                continue
            }
            guard field.deadline != HashValue.never else {
                call.reply.integer(-1)
                continue
            }
            let left = max(0, field.deadline - start)
            call.reply.integer(unit == .seconds ? (left + 999) / 1000 : left)
        }
    }

    // MARK: - HPERSIST key FIELDS numfields field [field ...]

    /// Replies for each field: -2 no such field, -1 no deadline, 1 removed.
    static func hpersist(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        let hash = try call.database.hash(key)
        let first = try firstField(call, 2, notPositive)
        call.reply.array(call.arguments.count - first)
        var changed = 0
        for index in first..<call.arguments.count {
            guard let hash, let field = hash.field(call.arguments[index]) else {
                call.reply.integer(-2)
                continue
            }
            guard field.deadline != HashValue.never else {
                call.reply.integer(-1)
                continue
            }
            _ = hash.setDeadline(HashValue.never, of: call.arguments[index])
            changed += 1
            call.reply.integer(1)
        }
        if changed > 0 { call.changed(key, .hashPersist, by: changed) }
    }

    // MARK: - HGETDEL key FIELDS numfields field [field ...]

    static func hgetdel(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        let hash = try call.database.hash(key)
        let first = try firstField(call, 2, notPositive)
        call.reply.array(call.arguments.count - first)
        var deleted = 0
        var touched = TouchedFields(call)
        for index in first..<call.arguments.count {
            guard let hash, let value = hash.value(of: call.arguments[index]) else {
                call.reply.null()
                continue
            }
            call.reply.bulk(value)
            _ = hash.remove(call.arguments[index])
            touched.add(index)
            deleted += 1
        }
        if let hash { tell(&call, hash, key, expired: 0, deleted: deleted) }
        touched.propagate(call, call.now)
    }

    // MARK: - HGETEX key [EX … | PX … | EXAT … | PXAT … | PERSIST] FIELDS numfields field [field ...]

    static func hgetex(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        let hash = try call.database.hash(key)
        var options = Options(call.arguments, from: 2)
        var deadline: Int64?
        if options.take("PERSIST") {
            deadline = HashValue.never
        } else {
            deadline = try takeDeadline(&options, &call)
        }
        let first = try firstField(call, options.index, notPositive)
        call.reply.array(call.arguments.count - first)
        var (expired, persisted, deleted) = (0, 0, 0)
        var touched = TouchedFields(call)
        for index in first..<call.arguments.count {
            guard let hash, let field = hash.field(call.arguments[index]) else {
                call.reply.null()
                continue
            }
            call.reply.bulk(field.value)
            guard let deadline else { continue }
            if deadline != HashValue.never || field.deadline != HashValue.never {
                touched.add(index)
            }
            if deadline <= call.now {
                _ = hash.remove(call.arguments[index])
                deleted += 1
            } else if deadline != HashValue.never {
                _ = hash.setDeadline(deadline, of: call.arguments[index])
                expired += 1
            } else if field.deadline != HashValue.never {
                _ = hash.setDeadline(deadline, of: call.arguments[index])
                persisted += 1
            }
        }
        if persisted > 0 { call.changed(key, .hashPersist, by: persisted) }
        if let hash { tell(&call, hash, key, expired: expired, deleted: deleted) }
        touched.propagate(call, deadline ?? HashValue.never)
    }

    /// Takes EX, PX, EXAT or PXAT with its time, if one is next.
    private static func takeDeadline(
        _ options: inout Options, _ call: inout Call
    ) throws(CommandError) -> Int64? {
        if options.take("EX") {
            return try deadline(try options.next(), .seconds, from: call.now, &call)
        }
        if options.take("PX") {
            return try deadline(try options.next(), .milliseconds, from: call.now, &call)
        }
        if options.take("EXAT") {
            return try deadline(try options.next(), .seconds, from: 0, &call)
        }
        if options.take("PXAT") {
            return try deadline(try options.next(), .milliseconds, from: 0, &call)
        }
        return nil
    }

    // MARK: - HSETEX key [FNX | FXX] [EX … | … | KEEPTTL] FIELDS numfields field value […]

    /// The options of HSETEX, which may come in any order before FIELDS.
    private struct SettingOptions {
        enum Condition {
            case none, ifAbsent, ifPresent
        }
        var condition = Condition.none
        var deadline: Int64?
        var keepsDeadline = false
        var firstField = 0

        init(_ call: inout Call) throws(CommandError) {
            var options = Options(call.arguments, from: 2)
            while firstField == 0 {
                guard options.hasMore else {
                    throw .text("ERR wrong number of arguments for 'hsetex' command")
                }
                if options.take("FNX") {
                    try setCondition(.ifAbsent)
                } else if options.take("FXX") {
                    try setCondition(.ifPresent)
                } else if options.take("KEEPTTL") {
                    try checkSingle()
                    keepsDeadline = true
                } else if options.take("FIELDS") {
                    firstField = try Self.firstPair(&options)
                } else if Self.isTime(options.peek) {
                    try checkSingle()
                    guard options.remaining > 1 else {
                        throw .text("ERR wrong number of arguments for 'hsetex' command")
                    }
                    deadline = try takeDeadline(&options, &call)
                } else {
                    throw call.fail("ERR unknown argument: \(options.peek.string)")
                }
            }
        }

        private mutating func setCondition(_ wanted: Condition) throws(CommandError) {
            guard condition == .none else {
                throw .text("ERR Only one of FXX or FNX arguments can be specified")
            }
            condition = wanted
        }

        private func checkSingle() throws(CommandError) {
            guard deadline == nil, !keepsDeadline else {
                throw .text(
                    "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified")
            }
        }

        private static func isTime(_ word: ByteView) -> Bool {
            word.equalsIgnoringCase("EX") || word.equalsIgnoringCase("PX")
                || word.equalsIgnoringCase("EXAT") || word.equalsIgnoringCase("PXAT")
        }

        /// The pairs must be the rest of the arguments.
        private static func firstPair(_ options: inout Options) throws(CommandError) -> Int {
            guard options.remaining >= 3 else {
                throw .text("ERR wrong number of arguments for 'hsetex' command")
            }
            guard let count = NumberText.integer(try options.next()), count > 0,
                count <= Int32.max
            else { throw .text("ERR invalid number of fields") }
            guard options.remaining == Int(count) * 2 else {
                throw .text("ERR wrong number of arguments for 'hsetex' command")
            }
            return options.index
        }
    }

    /// Replies 1 when all fields were set, 0 when the condition held for not all of them.
    static func hsetex(_ call: inout Call) throws(CommandError) {
        let options = try SettingOptions(&call)
        let key = call.key(1)
        let found = try call.database.hash(key)
        let (first, count) = (options.firstField, call.arguments.count)
        if options.condition != .none {
            let wanted = options.condition == .ifPresent
            for index in stride(from: first, to: count, by: 2)
            where (found?.field(call.arguments[index]) != nil) != wanted {
                return call.reply.integer(0)
            }
        }
        let hash = try call.database.makeHash(key, unless: found)
        let isOver = (options.deadline ?? .max) <= call.now
        do throws(CommandError) {
            for index in stride(from: first, to: count, by: 2) {
                _ = try hash.set(
                    call.arguments[index], call.arguments[index + 1],
                    deadline: isOver ? HashValue.never : options.deadline ?? HashValue.never,
                    keepsDeadline: options.keepsDeadline)
            }
        } catch {
            HashCommands.removeIfEmpty(&call, hash, key)
            throw error
        }
        let pairs = (count - first) / 2
        call.changed(key, .hashSet, by: pairs)
        if isOver {
            for index in stride(from: first, to: count, by: 2) {
                _ = hash.remove(call.arguments[index])
            }
        }
        tell(
            &call, hash, key, expired: options.deadline != nil && !isOver ? pairs : 0,
            deleted: isOver ? pairs : 0)
        if call.isPropagated { propagateSetting(call, options, isOver: isOver) }
        call.reply.integer(1)
    }

    /// A span of time becomes a moment; the condition has held.
    private static func propagateSetting(
        _ call: borrowing Call, _ options: SettingOptions, isOver: Bool
    ) {
        let (first, count) = (options.firstField, call.arguments.count)
        if isOver {
            let request = call.beginPropagated("HDEL", 2 + (count - first) / 2)
            request.add(call.arguments[1])
            for index in stride(from: first, to: count, by: 2) {
                request.add(call.arguments[index])
            }
            return
        }
        let isPlain = options.deadline == nil && !options.keepsDeadline
        let words = isPlain ? 0 : options.keepsDeadline ? 3 : 4
        let request = call.beginPropagated(isPlain ? "HSET" : "HSETEX", 2 + words + count - first)
        request.add(call.arguments[1])
        if let deadline = options.deadline {
            request.add("PXAT")
            request.add(deadline)
        } else if options.keepsDeadline {
            request.add("KEEPTTL")
        }
        if !isPlain {
            request.add("FIELDS")
            request.add(Int64((count - first) / 2))
        }
        for index in first..<count { request.add(call.arguments[index]) }
    }
}
