/// DUMP and RESTORE: a value as bytes, from server to server.
enum DumpCommands {
    static var table: [Command] {
        [
            Command(
                "DUMP", .exactly(2), [.readOnly], [.keyspace], group: .generic,
                keys: [.at(1, .readOnly, [.access])], since: "2.6.0",
                "Returns the value of a key as bytes that RESTORE takes.", syntax: "key",
                tips: ["nondeterministic_output"], dump),
            Command(
                "RESTORE", .atLeast(4), [.write, .denyOOM], [.keyspace, .dangerous],
                group: .generic, keys: [.at(1, .overwrite, [.update])], since: "2.6.0",
                "Creates a key from what DUMP returned.",
                syntax: "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] "
                    + "[FREQ frequency]", restore),
            Command(
                "RESTORE-ASKING", .atLeast(4), [.write, .denyOOM, .asking, .systemCommand],
                [.keyspace, .dangerous], group: .server,
                keys: [.at(1, .overwrite, [.update])], since: "3.0.0",
                "What a cluster sends when a key moves to another node.",
                syntax: "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] "
                    + "[FREQ frequency]", restore),
        ]
    }

    // MARK: - DUMP key

    static func dump(_ call: inout Call) throws(CommandError) {
        guard let entry = call.database.read(call.key(1)),
            !DumpWriter.isEmpty(entry, in: call.database)
        else { return call.reply.null() }
        let payload = DumpWriter.payload(
            of: entry, in: call.database, call.server.dumpDialect,
            compresses: call.server.settings.snapshotCompression)
        call.reply.bulk(payload.view)
    }

    // MARK: - RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]

    private struct RestoreOptions {
        var replaces = false
        var isAbsolute = false
        var idleSeconds: Int64?
        var frequency: Int64?

        init(_ arguments: Arguments) throws(CommandError) {
            var index = 4
            while index < arguments.count {
                let word = arguments[index]
                let hasMore = index + 1 < arguments.count
                if word.equalsIgnoringCase("REPLACE") {
                    replaces = true
                } else if word.equalsIgnoringCase("ABSTTL") {
                    isAbsolute = true
                } else if word.equalsIgnoringCase("IDLETIME"), hasMore, frequency == nil {
                    index += 1
                    idleSeconds = try Self.number(
                        arguments[index], 0...Int64.max,
                        "ERR Invalid IDLETIME value, must be >= 0")
                } else if word.equalsIgnoringCase("FREQ"), hasMore, idleSeconds == nil {
                    index += 1
                    frequency = try Self.number(
                        arguments[index], 0...255,
                        "ERR Invalid FREQ value, must be >= 0 and <= 255")
                } else {
                    throw .syntax
                }
                index += 1
            }
        }

        private static func number(
            _ text: ByteView, _ range: ClosedRange<Int64>, _ complaint: StaticString
        ) throws(CommandError) -> Int64 {
            guard let number = NumberText.integer(text) else { throw .notInteger }
            guard range.contains(number) else { throw .text(complaint) }
            return number
        }
    }

    static func restore(_ call: inout Call) throws(CommandError) {
        let options = try RestoreOptions(call.arguments)
        let key = call.key(1)
        if !options.replaces && call.database.entry(key) != nil {
            throw .text("BUSYKEY Target key name already exists.")
        }
        guard let told = NumberText.integer(call.arguments[2]) else { throw .notInteger }
        guard told >= 0 else { throw .text("ERR Invalid TTL value, must be >= 0") }
        var deadline = told
        if told > 0 && !options.isAbsolute {
            let (sum, isBeyond) = told.addingReportingOverflow(call.now)
            deadline = isBeyond ? Int64.max : sum
        }
        let payload = call.arguments[3]
        guard
            let dialect = DumpPayload.dialect(
                of: payload, checks: !call.server.debug.skipsChecksums)
        else { throw .text("ERR DUMP payload version or checksum are wrong") }
        var reader = DumpReader(payload.prefix(payload.count - DumpPayload.footerBytes))
        let value = try read(&reader, dialect, call)
        try store(&call, key, value, deadline, options, reader)
    }

    private static func read(
        _ reader: inout DumpReader, _ dialect: DumpDialect, _ call: borrowing Call
    ) throws(CommandError) -> LoadedValue {
        let expiringHashes = SharedCount.create()
        defer { expiringHashes.destroy() }
        let values = ValueReader(call.keyspace, dialect, counting: expiringHashes)
        do throws(DumpError) {
            let type = try reader.byte()
            let value = try values.read(type, from: &reader)
            if case .nothing = value { throw .corrupt("an empty value") }
            return value
        } catch {
            if case .outOfMemory = error { throw .outOfMemory }
            call.server.log.warning("RESTORE at byte \(reader.position): \(error.text)")
            throw .text("ERR Bad data format")
        }
    }

    private static func store(
        _ call: inout Call, _ key: Key, _ value: LoadedValue, _ deadline: Int64,
        _ options: RestoreOptions, _ reader: borrowing DumpReader
    ) throws(CommandError) {
        let wasThere = options.replaces && call.database.remove(key)
        if deadline != 0 && deadline < call.now {
            value.discard(in: call.keyspace)
            if wasThere {
                call.changed(key, .delete)
                if call.isPropagated { call.propagate("DEL", key) }
            }
            return call.reply.ok()
        }
        let entry: Entry?
        do throws(DumpError) {
            entry = try call.database.store(value, at: key, deadline: deadline, from: reader)
        } catch {
            if wasThere {
                call.changed(key, .delete)
                if call.isPropagated { call.propagate("DEL", key) }
            }
            throw .outOfMemory
        }
        if let idle = options.idleSeconds {
            entry?.access = call.keyspace.creationStamp &- UInt32(clamping: idle) & 0xFF_FFFF
        } else if let frequency = options.frequency {
            entry?.access = UInt32(frequency)
        }
        call.changed(key, .restore)
        if call.isPropagated && deadline != 0 && !options.isAbsolute {
            propagateRestore(call, deadline)
        }
        call.reply.ok()
    }

    private static func propagateRestore(_ call: borrowing Call, _ deadline: Int64) {
        let request = call.beginPropagated("RESTORE", call.arguments.count + 1)
        for index in 1..<call.arguments.count {
            if index == 2 {
                request.add(deadline)
            } else {
                request.add(call.arguments[index])
            }
        }
        request.add("ABSTTL")
    }
}

extension KeyEvent {
    static let restore = KeyEvent("restore", .generic)
}
