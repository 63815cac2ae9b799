/// Commands of the documented group "stream" on entries: adding, reading ranges, deleting, trimming.
enum StreamCommands {
    // swift-format-ignore
    static var table: [Command] {
        [
            Command(
                "XADD", .atLeast(5), [.write, .denyOOM, .fast], group: .stream,
                keys: [.at(1, .readWrite, [.update],
                           note: "UPDATE instead of INSERT because of the optional trimming")],
                since: "5.0.0",
                "Appends an entry to a stream; creates the stream when it is missing.",
                syntax: "key [NOMKSTREAM] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] "
                    + "<* | id> field value [field value ...]",
                tips: ["nondeterministic_output"], xadd),
            Command(
                "XLEN", .exactly(2), [.readOnly, .fast], group: .stream,
                keys: [.at(1, .readOnly, [])], since: "5.0.0",
                "Returns the number of entries of a stream.", syntax: "key", xlen),
            Command(
                "XRANGE", .atLeast(4), [.readOnly], group: .stream,
                keys: [.at(1, .readOnly, [.access])], since: "5.0.0",
                "Returns the entries of a stream between two ids.",
                syntax: "key start end [COUNT count]", xrange),
            Command(
                "XREVRANGE", .atLeast(4), [.readOnly], group: .stream,
                keys: [.at(1, .readOnly, [.access])], since: "5.0.0",
                "Returns the entries of a stream between two ids, the last first.",
                syntax: "key end start [COUNT count]", xrevrange),
            Command(
                "XDEL", .atLeast(3), [.write, .fast], group: .stream,
                keys: [.at(1, .readWrite, [.delete])], since: "5.0.0",
                "Deletes entries of a stream.", syntax: "key id [id ...]", xdel),
            Command(
                "XTRIM", .atLeast(4), [.write], group: .stream,
                keys: [.at(1, .readWrite, [.delete])], since: "5.0.0",
                "Deletes the oldest entries of a stream.",
                syntax: "key <MAXLEN | MINID> [= | ~] threshold [LIMIT count]",
                tips: ["nondeterministic_output"], xtrim),
            Command(
                "XSETID", .atLeast(3), [.write, .denyOOM, .fast], group: .stream,
                keys: [.at(1, .readWrite, [.update])], since: "5.0.0",
                "Sets the last id of a stream; for internal use.",
                syntax: "key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]",
                xsetid),
        ]
    }

    // MARK: - XADD key [NOMKSTREAM] [MAXLEN | MINID [= | ~] threshold [LIMIT n]] * | id field value ...

    /// Reply: the id; null where there is no stream and NOMKSTREAM.
    ///
    /// O(1), and O(nodes cut off) where it trims.
    static func xadd(_ call: inout Call) throws(CommandError) {
        let encoding = call.keyspace.encodingLimits
        let options = try StreamTrimOptions(
            call, isAdding: true, nodeEntries: encoding.streamNodeEntries)
        let firstField = options.idArgument + 1
        let rest = call.arguments.count - firstField
        guard rest >= 2, rest % 2 == 0 else {
            throw .text("ERR wrong number of arguments for 'xadd' command")
        }
        if case .whole(let id) = options.newID, id.isZero {
            throw .text("ERR The ID specified in XADD must be greater than 0-0")
        }
        let key = call.key(1)
        let fields = StreamFields(call.arguments, from: firstField)
        guard let stream = try findOrMake(&call, key, fields, options) else {
            return call.reply.null()
        }
        let id = try newID(options.newID, after: stream.lastID, now: call.now)
        guard stream.append(id, fields, StreamValue.Limits(encoding)) else { throw tooLarge }
        call.reply.bulk(id)
        call.changed(key, .streamAdd)
        if let trimming = options.trimming {
            let removed = stream.trim(
                trimming, isApproximate: options.isApproximate, limit: options.limit)
            if removed > 0 { call.notify(key, .streamTrim) }
        }
        if call.isPropagated { propagate(id, of: stream, options, call) }
    }

    private static var tooLarge: CommandError { .text("ERR Elements are too large to be stored") }

    @inline(__always)
    private static func findOrMake(
        _ call: inout Call, _ key: Key, _ fields: StreamFields, _ options: StreamTrimOptions
    ) throws(CommandError) -> StreamValue? {
        if let stream = try call.database.stream(at: key) { return stream }
        guard options.makesStream else { return nil }
        // A stream is not made for an entry that it could not take.
        guard StreamNode.canHold(fields, fields.bytes) else { throw tooLarge }
        return try call.database.makeStream(at: key)
    }

    @inline(__always)
    private static func newID(
        _ wanted: StreamTrimOptions.NewID, after last: StreamID, now: Int64
    ) throws(CommandError) -> StreamID {
        guard let next = last.next else {
            throw .text(
                "ERR The stream has exhausted the last possible ID, unable to add more items")
        }
        var id: StreamID
        switch wanted {
        case .automatic:
            let now = UInt64(max(0, now))
            return now > last.milliseconds ? StreamID(now, 0) : next
        case .open(let milliseconds):
            id = StreamID(milliseconds, 0)
            // Not into the next millisecond, which was not asked for.
            if milliseconds == last.milliseconds && last.sequence != .max { id = next }
        case .whole(let whole): id = whole
        }
        guard last < id else {
            throw .text(
                "ERR The ID specified in XADD is equal or smaller than the target stream top item")
        }
        return id
    }

    /// With the id that was found, and cut exactly to what is left.
    @inline(never)
    private static func propagate(
        _ id: StreamID, of stream: StreamValue, _ options: StreamTrimOptions,
        _ call: borrowing Call
    ) {
        var replacements = trimReplacements(of: stream, options)
        if case .whole = options.newID {
        } else {
            replacements.append((options.idArgument, id.array))
        }
        if !replacements.isEmpty {
            call.propagate(replacing: replacements, dropping: options.limitArguments)
        }
    }

    private static func trimReplacements(
        of stream: StreamValue, _ options: StreamTrimOptions
    ) -> [(index: Int, argument: [UInt8])] {
        guard options.isApproximate, let trimming = options.trimming else { return [] }
        let threshold: [UInt8] =
            switch trimming {
            case .length: Array(String(stream.length).utf8)
            case .from: (stream.firstKeptID() ?? .largest).array
            }
        return [
            (options.thresholdArgument - 1, [UInt8(ascii: "=")]),
            (options.thresholdArgument, threshold),
        ]
    }

    // MARK: - XLEN key

    static func xlen(_ call: inout Call) throws(CommandError) {
        call.reply.integer(try call.database.readStream(call.key(1))?.length ?? 0)
    }

    // MARK: - XRANGE key start end [COUNT count], XREVRANGE key end start [COUNT count]

    /// Reply: the entries.
    ///
    /// O(log nodes) and the entries returned.
    static func xrange(_ call: inout Call) throws(CommandError) {
        try range(&call, isReversed: false)
    }

    static func xrevrange(_ call: inout Call) throws(CommandError) {
        try range(&call, isReversed: true)
    }

    private static func range(_ call: inout Call, isReversed: Bool) throws(CommandError) {
        let start = try StreamID.intervalStart(call.arguments[isReversed ? 3 : 2])
        let end = try StreamID.intervalEnd(call.arguments[isReversed ? 2 : 3])
        var options = Options(call.arguments, from: 4)
        var count: Int64?
        while options.hasMore {
            guard options.remaining > 1, options.take("COUNT") else { throw .syntax }
            count = max(0, try options.integer())
        }
        guard let stream = try call.database.readStream(call.key(1)) else {
            return call.reply.array(0)
        }
        if count == 0 { return call.reply.nullArray() }
        var cursor = stream.cursor(from: start, through: end, isReversed: isReversed)
        call.reply.entries(&cursor, atMost: Int(count ?? .max))
    }

    // MARK: - XDEL key id [id ...]

    /// Reply: how many were there.
    ///
    /// O(log nodes) each, and the entries of a node.
    static func xdel(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        guard let stream = try call.database.stream(at: key) else { return call.reply.integer(0) }
        for index in 2..<call.arguments.count { _ = try StreamID.exactly(call.arguments[index]) }
        var deleted = 0
        for index in 2..<call.arguments.count {
            if stream.delete(try StreamID.exactly(call.arguments[index])) { deleted += 1 }
        }
        if deleted > 0 { call.changed(key, .streamDelete, by: deleted) }
        call.reply.integer(deleted)
    }

    // MARK: - XTRIM key MAXLEN | MINID [= | ~] threshold [LIMIT count]

    /// Reply: how many entries were removed.
    ///
    /// O(nodes cut off).
    static func xtrim(_ call: inout Call) throws(CommandError) {
        let options = try StreamTrimOptions(
            call, isAdding: false, nodeEntries: call.keyspace.encodingLimits.streamNodeEntries)
        let key = call.key(1)
        guard let stream = try call.database.stream(at: key), let trimming = options.trimming
        else { return call.reply.integer(0) }
        let removed = stream.trim(
            trimming, isApproximate: options.isApproximate, limit: options.limit)
        if removed > 0 {
            call.changed(key, .streamTrim, by: removed)
            let replacements = trimReplacements(of: stream, options)
            if call.isPropagated && !replacements.isEmpty {
                call.propagate(replacing: replacements, dropping: options.limitArguments)
            }
        }
        call.reply.integer(removed)
    }

    // MARK: - XSETID key last-id [ENTRIESADDED n] [MAXDELETEDID id]

    static func xsetid(_ call: inout Call) throws(CommandError) {
        let id = try StreamID.exactly(call.arguments[2])
        var largestDeleted = StreamID.zero
        var entriesAdded: Int64?
        var options = Options(call.arguments, from: 3)
        while options.hasMore {
            if options.remaining > 1 && options.take("ENTRIESADDED") {
                entriesAdded = try options.integer()
                guard entriesAdded ?? 0 >= 0 else {
                    throw .text("ERR entries_added must be positive")
                }
            } else if options.remaining > 1 && options.take("MAXDELETEDID") {
                largestDeleted = try StreamID.exactly(try options.next())
                guard !(id < largestDeleted) else {
                    throw .text(
                        """
                        ERR The ID specified in XSETID is smaller than the provided \
                        max_deleted_entry_id
                        """)
                }
            } else {
                throw .syntax
            }
        }
        let key = call.key(1)
        guard let stream = try call.database.stream(at: key) else { throw .noSuchKey }
        if let top = stream.lastEntryID() {
            guard !(id < top) else {
                throw .text(
                    "ERR The ID specified in XSETID is smaller than the target stream top item")
            }
            guard entriesAdded ?? .max >= Int64(stream.length) else {
                throw .text(
                    """
                    ERR The entries_added specified in XSETID is smaller than the target stream \
                    length
                    """)
            }
        }
        stream.lastID = id
        if let entriesAdded { stream.entriesAdded = entriesAdded }
        if !largestDeleted.isZero { stream.largestDeletedID = largestDeleted }
        call.changed(key, .streamSetID)
        call.reply.ok()
    }
}
