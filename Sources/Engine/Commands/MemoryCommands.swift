/// MEMORY: where the memory is, and what can be done about it.
enum MemoryCommands {
    static var table: [Command] {
        let shards = [
            "nondeterministic_output", "request_policy:all_shards", "response_policy:special",
        ]
        return [
            Command(
                "MEMORY", group: .server, since: "4.0.0",
                "A container for memory diagnostics commands.",
                subcommands: [
                    Command(
                        "DOCTOR", .exactly(2), [], group: .server, since: "4.0.0",
                        "Looks for trouble with memory and gives advice.", tips: shards, doctor),
                    Command(
                        "HELP", .exactly(2), [.loading, .stale], group: .server, since: "4.0.0",
                        "Explains the subcommands.", help),
                    Command(
                        "MALLOC-STATS", .exactly(2), [], group: .server, since: "4.0.0",
                        "Tells what the allocators hold.", tips: shards, mallocStats),
                    Command(
                        "PURGE", .exactly(2), [], group: .server, since: "4.0.0",
                        "Gives unused memory back to the system.",
                        tips: ["request_policy:all_shards", "response_policy:all_succeeded"], purge),
                    Command(
                        "STATS", .exactly(2), [], group: .server, since: "4.0.0",
                        "Tells where the memory is.", tips: shards, stats),
                    Command(
                        "USAGE", .atLeast(3), [.readOnly], group: .server,
                        keys: [.at(2, .readOnly, [])], since: "4.0.0",
                        "Tells how many bytes a key and its value take.",
                        syntax: "key [SAMPLES count]", usage),
                ])
        ]
    }

    // MARK: - MEMORY HELP, MALLOC-STATS, PURGE

    static func help(_ call: inout Call) throws(CommandError) {
        call.replyHelp(
            container: "MEMORY",
            [
                "DOCTOR",
                "    Look for trouble with memory and give advice.",
                "MALLOC-STATS",
                "    Tell what the allocators hold.",
                "PURGE",
                "    Give memory that nothing lives in back to the system.",
                "STATS",
                "    Tell where the memory is.",
                "USAGE <key> [SAMPLES <count>]",
                "    Tell how many bytes <key> and its value take. Of a collection <count>",
                "    elements are measured (default: 5, 0 means all).",
            ])
    }

    static func mallocStats(_ call: inout Call) throws(CommandError) {
        call.reply.verbatim(call.server.allocatorReport())
    }

    static func purge(_ call: inout Call) throws(CommandError) {
        call.server.purgeMemory()
        call.reply.ok()
    }

    // MARK: - MEMORY USAGE key [SAMPLES count]

    /// What a key takes in the table of its database: a handle, a tag, and the room kept free.
    private static let placeBytes = 8

    /// Reply: bytes, or null.
    ///
    /// O(1) for strings.
    static func usage(_ call: inout Call) throws(CommandError) {
        var options = Options(call.arguments, from: 3)
        while options.hasMore {
            guard options.remaining >= 2, options.take("SAMPLES") else { throw .syntax }
            guard try options.integer() >= 0 else { throw .syntax }
        }
        guard let entry = call.database.entryDueOrNot(call.key(2)) else {
            return call.reply.null()
        }
        call.reply.integer(call.database.memoryBytes(of: entry) + placeBytes)
    }

    // MARK: - MEMORY STATS

    static func stats(_ call: inout Call) throws(CommandError) {
        let report = call.server.memoryReport()
        let start = call.reply.deferLength()
        var count = 0
        func integer(_ name: StaticString, _ value: Int, _ reply: inout ReplyWriter) {
            reply.bulk(name)
            reply.integer(value)
            count += 1
        }
        func ratio(_ name: StaticString, _ value: Double, _ reply: inout ReplyWriter) {
            reply.bulk(name)
            reply.double(value)
            count += 1
        }
        integer("peak.allocated", report.peak, &call.reply)
        integer("total.allocated", report.used, &call.reply)
        integer("startup.allocated", report.startup, &call.reply)
        integer("replication.backlog", call.server.backlogMemory, &call.reply)
        integer("clients.slaves", call.server.replicaMemory, &call.reply)
        integer("clients.normal", report.clients, &call.reply)
        integer("cluster.links", 0, &call.reply)
        integer("aof.buffer", 0, &call.reply)
        integer("lua.caches", 0, &call.reply)
        integer("functions.caches", 0, &call.reply)
        integer("script.VMs", 0, &call.reply)
        for tables in report.tables {
            call.reply.bulk("db.\(tables.database)")
            call.reply.map(2)
            call.reply.bulk("overhead.hashtable.main")
            call.reply.integer(tables.mainBytes)
            call.reply.bulk("overhead.hashtable.expires")
            call.reply.integer(tables.deadlineBytes)
            count += 1
        }
        integer("overhead.db.hashtable.lut", report.tableBytes, &call.reply)
        integer("overhead.db.hashtable.rehashing", 0, &call.reply)
        integer("overhead.total", report.overhead, &call.reply)
        integer("db.dict.rehashing.count", 0, &call.reply)
        integer("keys.count", report.keys, &call.reply)
        integer("keys.bytes-per-key", report.bytesPerKey, &call.reply)
        integer("dataset.bytes", report.dataset, &call.reply)
        ratio("dataset.percentage", report.datasetPercent, &call.reply)
        ratio("peak.percentage", report.peakPercent, &call.reply)
        integer("allocator.allocated", report.allocated, &call.reply)
        integer("allocator.active", report.active, &call.reply)
        integer("allocator.resident", report.reserved, &call.reply)
        integer("allocator.muzzy", 0, &call.reply)
        ratio("allocator-fragmentation.ratio", report.fragmentation.factor, &call.reply)
        integer("allocator-fragmentation.bytes", report.fragmentation.bytes, &call.reply)
        ratio("allocator-rss.ratio", report.reserve.factor, &call.reply)
        integer("allocator-rss.bytes", report.reserve.bytes, &call.reply)
        ratio("rss-overhead.ratio", report.processOverhead.factor, &call.reply)
        integer("rss-overhead.bytes", report.processOverhead.bytes, &call.reply)
        ratio("fragmentation", report.total.factor, &call.reply)
        integer("fragmentation.bytes", report.total.bytes, &call.reply)
        call.reply.finishMap(start, count)
    }

    // MARK: - MEMORY DOCTOR

    static func doctor(_ call: inout Call) throws(CommandError) {
        let report = call.server.memoryReport()
        call.reply.verbatim(advice(report, clients: call.server.connections.count))
    }

    /// Below this nothing that is found means anything.
    private static let smallInstance = 5 << 20
    /// Less than this is not worth a remedy.
    private static let worthwhile = 10 << 20

    /// What the figures of a server with so many clients suggest.
    static func advice(_ report: MemoryReport, clients: Int) -> String {
        if report.used < smallInstance {
            return "There is hardly any data here (less than 5 MB): nothing can be said about its "
                + "memory yet.\n"
        }
        var findings: [String] = []
        if report.peak > report.used + report.used / 2 {
            findings.append(
                "Peak: at its peak this server used \(InfoText.readable(bytes: report.peak)), more "
                    + "than one and a half times what it uses now. MEMORY PURGE gives back what is "
                    + "left over.")
        }
        if report.total.factor > 1.4 && report.total.bytes > worthwhile {
            findings.append(
                "Resident size: the process takes \(report.total.factor.text(places: 2)) times the "
                    + "memory in use. After a peak that is harmless; otherwise see below.")
        }
        if report.fragmentation.factor > 1.1 && report.fragmentation.bytes > worthwhile {
            findings.append(
                "Fragmentation: \(InfoText.readable(bytes: report.fragmentation.bytes)) are lost "
                    + "between blocks. Values of changing length cause that.")
        }
        if report.reserve.factor > 1.1 && report.reserve.bytes > worthwhile {
            findings.append(
                "Reserve: the allocators keep \(InfoText.readable(bytes: report.reserve.bytes)) for "
                    + "what comes. MEMORY PURGE gives it back.")
        }
        if report.processOverhead.factor > 1.1 && report.processOverhead.bytes > worthwhile {
            findings.append(
                "Process: \(InfoText.readable(bytes: report.processOverhead.bytes)) belong to no "
                    + "allocator.")
        }
        if report.clients / max(clients, 1) > 200 << 10 {
            findings.append(
                "Clients: their buffers hold more than 200 KB each on average. CLIENT LIST shows "
                    + "whose.")
        }
        if findings.isEmpty { return "No trouble with memory was found.\n" }
        return "Found with the memory of this server:\n\n"
            + findings.map { " * \($0)\n\n" }.joined()
    }
}
