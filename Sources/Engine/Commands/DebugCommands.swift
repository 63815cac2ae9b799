/// DEBUG: what tests need to see and to switch.
///
/// Nothing here is for production. It is one row of the command table, as in Redis; its subcommands
/// are the rows of `verbs`, each with the help it is explained by.
enum DebugCommands {
    static var table: [Command] {
        [
            Command(
                "DEBUG", .atLeast(2),
                [.admin, .noScript, .loading, .stale, .protected, .systemCommand], group: .server,
                since: "1.0.0", "A container for debugging commands.",
                syntax: "subcommand [argument ...]", debug)
        ]
    }

    private struct Verb: Sendable {
        let name: StaticString
        /// Arguments, DEBUG and the name counted.
        let counts: ClosedRange<Int>
        let help: [String]
        let handler: Command.Handler

        init(
            _ name: StaticString, _ counts: ClosedRange<Int>, _ help: [String],
            _ handler: @escaping Command.Handler
        ) {
            self.name = name
            self.counts = counts
            self.help = help
            self.handler = handler
        }
    }

    /// In the order of the help.
    private static let verbs: [Verb] = dataVerbs + switchVerbs + replyVerbs + deadlyVerbs

    static func debug(_ call: inout Call) throws(CommandError) {
        let name = call.arguments[1]
        for verb in verbs where name.equalsIgnoringCase(verb.name) {
            guard verb.counts.contains(call.arguments.count) else { break }
            return try verb.handler(&call)
        }
        if name.equalsIgnoringCase("HELP") && call.arguments.count == 2 { return help(&call) }
        throw unknown(&call)
    }

    private static func unknown(_ call: inout Call) -> CommandError {
        call.fail(
            "ERR unknown subcommand or wrong number of arguments for "
                + "'\(call.arguments[1].prefix(128).string)'. Try DEBUG HELP.")
    }

    private static func help(_ call: inout Call) {
        call.replyHelp(container: "DEBUG", verbs.flatMap { $0.help })
    }

    /// The key at argument 2, its time over or not.
    private static func entry(_ call: inout Call) throws(CommandError) -> Entry {
        guard let entry = call.database.entryDueOrNot(call.key(2)) else { throw .noSuchKey }
        return entry
    }

    /// Argument 2 as C's atoi reads it: the digits at its beginning, 0 without any.
    private static func switchValue(_ call: inout Call, at index: Int = 2) -> Bool {
        let digits = call.arguments[index].array.prefix { $0 >= 48 && $0 <= 57 }
        return digits.contains { $0 != 48 }
    }
}

// MARK: - Looking at data

extension DebugCommands {
    private static let dataVerbs: [Verb] = [
        Verb("DIGEST", 2...2, ["DIGEST", "    Print a fingerprint of all data."], digest),
        Verb(
            "DIGEST-VALUE", 2...Int.max,
            [
                "DIGEST-VALUE <key> [<key> ...]",
                "    Print a fingerprint of the value of each key.",
            ], digestValue),
        Verb(
            "HTSTATS", 3...4,
            ["HTSTATS <dbid> [full]", "    Print figures of the tables of a database."],
            tableStatistics),
        Verb(
            "HTSTATS-KEY", 3...4,
            ["HTSTATS-KEY <key> [full]", "    Print figures of the table that is a key's value."],
            keyTableStatistics),
        Verb(
            "LOADAOF", 2...2,
            ["LOADAOF", "    Write the append-only file, and load the data from it."],
            loadAppendOnly),
        Verb(
            "OBJECT", 3...4,
            ["OBJECT <key>", "    Print where and how the value of a key is stored."], object),
        Verb(
            "POPULATE", 3...5,
            [
                "POPULATE <count> [<prefix>] [<size>]",
                "    Create <count> string keys named <prefix>:<number> ('key' without a prefix).",
                "    Values are filled up with zero bytes to <size>.",
            ], populate),
        Verb(
            "RELOAD", 2...5,
            [
                "RELOAD [option ...]",
                "    Save the data to disk and load it back. Options:",
                "    * MERGE: keys that are there already are overwritten.",
                "    * NOFLUSH: the data in memory is not removed before.",
                "    * NOSAVE: the file is loaded as it is.",
            ], reload),
        Verb(
            "SDSLEN", 3...3,
            ["SDSLEN <key>", "    Print the lengths of a key and of its string."], stringLengths),
        Verb(
            "STRINGMATCH-TEST", 2...2,
            ["STRINGMATCH-TEST", "    Match random patterns with random texts."], matchTest),
        Verb(
            "STRUCTSIZE", 2...2,
            ["STRUCTSIZE", "    Print the sizes of the structures that keys are made of."],
            structureSizes),
    ]

    // MARK: DEBUG LOADAOF

    private static func loadAppendOnly(_ call: inout Call) throws(CommandError) {
        guard !call.server.transactions.isRunning else {
            throw .text("ERR DEBUG LOADAOF is not possible inside a transaction")
        }
        call.server.handEffectsOver(mayPostpone: false)
        for index in 0..<call.keyspace.databaseCount {
            call.keyspace[index].removeAll(lazily: false)
        }
        do throws(AppendOnlyError) {
            _ = try call.server.loadAppendOnly()
        } catch {
            call.server.log.warning(error.text)
            throw .text("ERR Error trying to load the AOF files, check server logs")
        }
        call.server.log.warning("Append Only File loaded by DEBUG LOADAOF")
        call.reply.ok()
    }

    // MARK: DEBUG RELOAD [MERGE] [NOFLUSH] [NOSAVE]

    private static func reload(_ call: inout Call) throws(CommandError) {
        var (merges, flushes, saves) = (false, true, true)
        for index in 2..<call.arguments.count {
            let word = call.arguments[index]
            if word.equalsIgnoringCase("MERGE") {
                merges = true
            } else if word.equalsIgnoringCase("NOFLUSH") {
                flushes = false
            } else if word.equalsIgnoringCase("NOSAVE") {
                saves = false
            } else {
                throw .text("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
            }
        }
        if saves && !call.server.saveSnapshot() { throw .text("ERR") }
        if flushes {
            for index in 0..<call.keyspace.databaseCount {
                call.keyspace[index].removeAll(lazily: false)
            }
        }
        do throws(DumpError) {
            try call.server.loadSnapshot(
                SnapshotReader.Options(dropsExpired: false, replaces: merges))
        } catch {
            call.server.log.warning("DB reloaded by DEBUG RELOAD failed: \(error.text)")
            throw .text("ERR Error trying to load the RDB dump, check server logs")
        }
        call.server.log.warning("DB reloaded by DEBUG RELOAD")
        call.reply.ok()
    }

    private static func digest(_ call: inout Call) throws(CommandError) {
        call.keyspace.digest().hexadecimal.withByteView { call.reply.simple($0) }
    }

    private static func digestValue(_ call: inout Call) throws(CommandError) {
        call.reply.array(call.arguments.count - 2)
        for index in 2..<call.arguments.count {
            var digest = DataDigest()
            if let entry = call.database.entryDueOrNot(call.key(index)) {
                digest.mixValue(of: entry, in: call.database)
            }
            digest.hexadecimal.withByteView { call.reply.simple($0) }
        }
    }

    private static func object(_ call: inout Call) throws(CommandError) {
        let entry = try entry(&call)
        let address = UInt(bitPattern: call.keyspace.arena.address(entry.handle))
        let idle = call.keyspace.presentStamp.idleSeconds(since: entry.access)
        let text =
            "Value at:0x\(String(address, radix: 16)) refcount:1"
            + " encoding:\(GenericCommands.encodingName(of: entry)) serializedlength:\(serializedLength(entry))"
            + " lru:\(entry.access) lru_seconds_idle:\(idle)"
        text.withByteView { call.reply.simple($0) }
    }

    /// What the value takes in an RDB file without compression.
    private static func serializedLength(_ entry: Entry) -> Int {
        guard entry.isString else { return 0 }
        let count: Int
        switch entry.stringEncoding {
        case .inline, .inlineRaw: count = entry.inlineString.count
        case .heap: count = entry.heapString.count
        case .integer:
            if Int8(exactly: entry.integer) != nil { return 2 }
            if Int16(exactly: entry.integer) != nil { return 3 }
            if Int32(exactly: entry.integer) != nil { return 5 }
            return String(entry.integer).utf8.count + 1
        }
        return count + (count < 64 ? 1 : count < 16_384 ? 2 : 5)
    }

    private static func stringLengths(_ call: inout Call) throws(CommandError) {
        let entry = try entry(&call)
        guard entry.isString, entry.stringEncoding != .integer else {
            throw .text("ERR Not an sds encoded string.")
        }
        let isInline = entry.stringEncoding != .heap
        let count = isInline ? entry.inlineString.count : entry.heapString.count
        let text =
            "key_sds_len:\(entry.key.count), key_sds_avail:0, key_zmalloc: \(entry.key.count), "
            + "val_sds_len:\(count), val_sds_avail:0, "
            + "val_zmalloc: \(isInline ? count : entry.heapBytes)"
        text.withByteView { call.reply.simple($0) }
    }

    private static func structureSizes(_ call: inout Call) throws(CommandError) {
        let text =
            "bits:\(Int.bitWidth) entry_header:\(Entry.headerBytes) deadline:8"
            + " table_group:64 table_group_places:12 connection:\(Connection.ownBytes)"
        text.withByteView { call.reply.simple($0) }
    }

    // MARK: Tables

    private static func tableStatistics(_ call: inout Call) throws(CommandError) {
        guard let number = NumberText.integer(call.arguments[2]) else { throw .notInteger }
        guard number >= 0, number < Int64(call.keyspace.databaseCount) else {
            throw .text("ERR Out of range database")
        }
        let isFull = try wantsAll(&call)
        let database = call.keyspace[Int(number)]
        var text = "[Dictionary HT]\n" + database.table.describe(isFull: isFull)
        text += "[Expires HT]\n"
        text +=
            database.expiringCount == 0
            ? "Hash table 0 stats (main hash table):\nNo stats available for empty dictionaries\n"
            : " number of elements: \(database.expiringCount)\n"
                + " index bytes: \(database.deadlineIndexBytes)\n"
                + " next deadline: \(database.earliestDeadline ?? 0)\n"
        call.reply.verbatim(text)
    }

    private static func keyTableStatistics(_ call: inout Call) throws(CommandError) {
        let isFull = try wantsAll(&call)
        let entry = try entry(&call)
        let (database, key) = (call.database, call.key(2))
        let text: String? =
            switch entry.type {
            case .set: try database.readSet(key)?.describeTable(isFull: isFull)
            case .hash: try database.readHash(key)?.describeTable(isFull: isFull)
            case .sortedSet: try database.readSortedSet(key)?.describeTable(isFull: isFull)
            default: nil
            }
        guard let text else {
            throw .text(
                "ERR The value stored at the specified key is not represented using an hash table")
        }
        call.reply.verbatim(text)
    }

    private static func wantsAll(_ call: inout Call) throws(CommandError) -> Bool {
        guard call.arguments.count == 4 else { return false }
        return call.arguments[3].equalsIgnoringCase("full")
    }

    // MARK: Making data

    private static func populate(_ call: inout Call) throws(CommandError) {
        var options = Options(call.arguments, from: 2)
        let count = try positive(&options)
        let prefix = options.hasMore ? try options.next().string : "key"
        let size = options.hasMore ? Int(try positive(&options)) : 0
        guard size <= call.keyspace.limits.longestString else { throw .stringTooLong }
        var value: [UInt8] = []
        for number in 0..<count {
            value.removeAll(keepingCapacity: true)
            value.append(contentsOf: "value:\(number)".utf8)
            if size > 0 {
                value.removeLast(max(0, value.count - size))
                value.append(contentsOf: repeatElement(0, count: size - value.count))
            }
            try add("\(prefix):\(number)", value, &call)
        }
        call.reply.ok()
    }

    private static func positive(_ options: inout Options) throws(CommandError) -> Int64 {
        guard let value = NumberText.integer(try options.next()), value >= 0 else {
            throw .notPositive
        }
        return value
    }

    /// Adds a string unless there is such a key.
    private static func add(
        _ name: String, _ value: [UInt8], _ call: inout Call
    ) throws(CommandError) {
        let database = call.database
        try name.withByteView { (bytes) throws(CommandError) in
            let key = database.key(bytes)
            guard database.entry(key) == nil else { return }
            try value.withByteView { (value) throws(CommandError) in
                _ = try database.setBytes(key, value, deadline: 0, encoding: .inline)
            }
        }
    }

    private static func matchTest(_ call: inout Call) throws(CommandError) {
        var generator = SystemRandomNumberGenerator()
        let letters = Array("ab*?[]-^\\".utf8)
        for _ in 0..<10_000 {
            let pattern = (0..<Int.random(in: 0...32, using: &generator)).map { _ in
                letters[Int.random(in: 0..<letters.count, using: &generator)]
            }
            let text = (0..<Int.random(in: 0...32, using: &generator)).map { _ in
                letters[Int.random(in: 0..<2, using: &generator)]
            }
            pattern.withByteView { pattern in
                text.withByteView { text in _ = GlobPattern(pattern).matches(text) }
            }
        }
        call.reply.simple("Apparently Redis did not crash: test passed")
    }
}

// MARK: - Switches

extension DebugCommands {
    private static let switchVerbs: [Verb] = [
        Verb(
            "AOF-FLUSH-SLEEP", 3...3,
            [
                "AOF-FLUSH-SLEEP <microseconds>",
                "    Sleep before each write of the append-only file.",
            ], appendDelay),
        Verb(
            "CHANGE-REPL-ID", 2...2,
            ["CHANGE-REPL-ID", "    Give the history of changes a new replication ID."],
            changeReplicationID),
        Verb(
            "CLIENT-EVICTION", 2...2,
            ["CLIENT-EVICTION", "    Print the memory of clients by size (maxmemory-clients)."],
            clientEviction),
        Verb(
            "CONFIG-REWRITE-FORCE-ALL", 2...2,
            [
                "CONFIG-REWRITE-FORCE-ALL",
                "    Rewrite the configuration file with all settings, defaults as well.",
            ], rewriteConfiguration),
        Verb(
            "DICT-RESIZING", 3...3,
            ["DICT-RESIZING <0|1>", "    Forbid or allow tables to grow and shrink."],
            tableResizing),
        Verb(
            "REPLICATE", 3...Int.max,
            ["REPLICATE <command> [<argument> ...]", "    Send replicas a command of any kind."],
            replicate),
        Verb(
            "PAUSE-CRON", 3...3,
            ["PAUSE-CRON <0|1>", "    Stop the periodic work, or let it go on."], pauseCron),
        Verb(
            "QUICKLIST-PACKED-THRESHOLD", 3...3,
            [
                "QUICKLIST-PACKED-THRESHOLD <size>",
                "    Give list elements of this size or more nodes of their own; 0: the default.",
            ], packedThreshold),
        Verb(
            "REPLYBUFFER", 4...4,
            [
                "REPLYBUFFER PEAK-RESET-TIME <NEVER|RESET|time>",
                "    Forget the peaks of reply buffers after so many milliseconds.",
                "REPLYBUFFER RESIZING <0|1>",
                "    Forbid or allow reply buffers to shrink.",
            ], replyBuffer),
        Verb(
            "SET-ACTIVE-EXPIRE", 3...3,
            [
                "SET-ACTIVE-EXPIRE <0|1>",
                "    With 0 expired keys are removed only when they are met.",
            ], activeExpire),
        Verb(
            "SET-DISABLE-DENY-SCRIPTS", 3...3,
            ["SET-DISABLE-DENY-SCRIPTS <0|1>", "    With 1 scripts may call any command."],
            denyScripts),
        Verb(
            "SET-SKIP-CHECKSUM-VALIDATION", 3...3,
            [
                "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
                "    With 1 checksums of RDB files and of RESTORE are not looked at.",
            ], skipChecksums),
        Verb(
            "SLEEP", 3...3, ["SLEEP <seconds>", "    Serve nobody for a while; decimals allowed."],
            sleep),
    ]

    private static func replicate(_ call: inout Call) throws(CommandError) {
        call.propagateToReplicas(call.arguments.dropFirst(2))
        call.reply.ok()
    }

    private static func changeReplicationID(_ call: inout Call) throws(CommandError) {
        call.server.changeReplicationID()
        call.reply.ok()
    }

    private static func clientEviction(_ call: inout Call) throws(CommandError) {
        guard call.server.settings.maxMemoryClients != .bytes(0) else {
            throw .text("ERR maxmemory-clients is disabled.")
        }
        var text = ""
        for line in clientSizes(call.server.connections.all.map { $0.memoryBytes }) {
            text += line + "\n"
        }
        call.reply.verbatim(text)
    }

    /// Sizes by powers of two: how many clients, and how much all of them together.
    private static func clientSizes(_ sizes: [Int]) -> [String] {
        let least = 15
        let most = 33
        return (least...most).map { power in
            let lower = power == least ? 0 : 1 << (power - 1)
            let upper = power == most ? Int.max : 1 << power - 1
            let here = sizes.filter { $0 >= lower && $0 <= upper }
            let range = power == most ? "\(lower)+" : "\(lower) - \(upper)"
            return "bucket \(range): tot-mem: \(here.reduce(0, +)), clients: \(here.count)"
        }
    }

    private static func tableResizing(_ call: inout Call) throws(CommandError) {
        call.server.debug.resizesTables = switchValue(&call)
        call.server.shareMemory()
        call.reply.ok()
    }

    private static func appendDelay(_ call: inout Call) throws(CommandError) {
        guard let delay = NumberText.integer(call.arguments[2]) else { throw .notInteger }
        call.server.debug.appendDelayMicroseconds = UInt32(clamping: delay)
        call.reply.ok()
    }

    private static func pauseCron(_ call: inout Call) throws(CommandError) {
        call.server.debug.cronPaused = switchValue(&call)
        call.reply.ok()
    }

    private static func packedThreshold(_ call: inout Call) throws(CommandError) {
        guard let bytes = SettingText.memory(call.arguments[2].array),
            bytes <= (1 << 32) - (1 << 20)
        else {
            throw .text("ERR argument must be a memory value bigger than 1 and smaller than 4gb")
        }
        call.server.debug.packedThresholdBytes = bytes
        call.server.followSettings()
        call.reply.ok()
    }

    private static func replyBuffer(_ call: inout Call) throws(CommandError) {
        var options = Options(call.arguments, from: 2)
        if options.take("RESIZING") {
            call.server.debug.replyBufferResizing = switchValue(&call, at: 3)
        } else if options.take("PEAK-RESET-TIME") {
            let time: Int64
            if options.take("NEVER") {
                time = -1
            } else if options.take("RESET") {
                time = DebugSwitches().replyPeakResetMilliseconds
            } else {
                time = try options.integer()
            }
            call.server.debug.replyPeakResetMilliseconds = time
        } else {
            throw unknown(&call)
        }
        call.reply.ok()
    }

    private static func activeExpire(_ call: inout Call) throws(CommandError) {
        call.server.debug.activeExpire = switchValue(&call)
        call.reply.ok()
    }

    private static func denyScripts(_ call: inout Call) throws(CommandError) {
        call.server.debug.allowsAllInScripts = switchValue(&call)
        call.reply.ok()
    }

    private static func skipChecksums(_ call: inout Call) throws(CommandError) {
        call.server.debug.skipsChecksums = switchValue(&call)
        call.reply.ok()
    }

    private static func rewriteConfiguration(_ call: inout Call) throws(CommandError) {
        try ConfigCommands.rewrite(&call, writesDefaults: true)
    }

    private static func sleep(_ call: inout Call) throws(CommandError) {
        call.server.sleep(seconds: NumberText.double(call.arguments[2]) ?? 0)
        call.reply.ok()
    }
}

// MARK: - Replies and log lines

extension DebugCommands {
    private static let replyVerbs: [Verb] = [
        Verb(
            "ERROR", 3...3, ["ERROR <string>", "    Reply with this error."], error),
        Verb(
            "LOG", 3...3, ["LOG <message>", "    Write a line to the log."], log),
        Verb(
            "PROTOCOL", 3...3,
            [
                "PROTOCOL <type>",
                "    Reply with a value of this type: string, integer, double, bignum, null,",
                "    array, set, map, attrib, push, verbatim, true, false.",
            ], protocolValue),
    ]

    /// The error is not counted: the client asked for it.
    private static func error(_ call: inout Call) throws(CommandError) {
        let text = call.arguments[2].array.map { $0 == 13 || $0 == 10 ? UInt8(32) : $0 }
        call.reply.raw("-")
        text.withByteView { call.reply.raw($0) }
        call.reply.raw("\r\n")
    }

    private static func log(_ call: inout Call) throws(CommandError) {
        let message = call.arguments[2].string
        call.server.log.warning("DEBUG LOG: \(message)")
        call.reply.ok()
    }

    private static func protocolValue(_ call: inout Call) throws(CommandError) {
        switch call.arguments[2].lowercasedText {
        case "string": call.reply.bulk("Hello World")
        case "integer": call.reply.integer(12345)
        case "double": call.reply.double(3.141)
        case "bignum": call.reply.bigNumber(ByteView("1234567999999999999999999999999999999"))
        case "null": call.reply.null()
        case "array":
            call.reply.array(3)
            for number in 0..<3 { call.reply.integer(number) }
        case "set":
            call.reply.set(3)
            for number in 0..<3 { call.reply.integer(number) }
        case "map":
            call.reply.map(3)
            for number in 0..<3 {
                call.reply.integer(number)
                call.reply.boolean(number == 1)
            }
        case "attrib": replyWithAttribute(&call)
        case "push": try replyWithPush(&call)
        case "true": call.reply.boolean(true)
        case "false": call.reply.boolean(false)
        case "verbatim": call.reply.verbatim("This is a verbatim\nstring")
        default:
            throw .text(
                "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"
            )
        }
    }

    /// An attribute is no reply: one follows.
    private static func replyWithAttribute(_ call: inout Call) {
        if call.reply.isRESP3 {
            call.reply.attribute(1)
            call.reply.bulk("key-popularity")
            call.reply.array(2)
            call.reply.bulk("key:123")
            call.reply.integer(90)
        }
        call.reply.bulk("Some real reply following the attribute")
    }

    private static func replyWithPush(_ call: inout Call) throws(CommandError) {
        guard call.reply.isRESP3 else {
            throw .text("ERR RESP2 is not supported by this command")
        }
        call.reply.push(2)
        call.reply.bulk("server-cpu-usage")
        call.reply.integer(42)
        call.reply.bulk("Some real reply following the push reply")
    }
}

// MARK: - Dying

extension DebugCommands {
    private static let deadlyVerbs: [Verb] = [
        Verb("ASSERT", 2...2, ["ASSERT", "    Die by a failed assertion."], assertion),
        Verb("LEAK", 3...3, ["LEAK <string>", "    Lose the memory of a copy."], leak),
        Verb("OOM", 2...2, ["OOM", "    Die by asking for too much memory."], exhaustion),
        Verb("PANIC", 2...2, ["PANIC", "    Die in panic."], panic),
        Verb("SEGFAULT", 2...2, ["SEGFAULT", "    Die by a segmentation fault."], fault),
    ]

    private static func assertion(_ call: inout Call) throws(CommandError) {
        call.server.crashByAssertion()
    }

    private static func leak(_ call: inout Call) throws(CommandError) {
        call.server.leak(call.arguments[2])
        call.reply.ok()
    }

    private static func exhaustion(_ call: inout Call) throws(CommandError) {
        call.server.crashByMemoryExhaustion()
        call.reply.ok()
    }

    private static func panic(_ call: inout Call) throws(CommandError) {
        call.server.crashByPanic()
    }

    private static func fault(_ call: inout Call) throws(CommandError) {
        call.server.crashBySegmentationFault()
    }
}
