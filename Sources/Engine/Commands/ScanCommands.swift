/// SCAN, and what the scanning commands of all types share: cursor and options.
enum ScanCommands {
    // swift-format-ignore
    static var table: [Command] {
        [
            Command(
                "SCAN", .atLeast(2), [.readOnly, .touchesArbitraryKeys], [.keyspace],
                group: .generic, since: "2.8.0",
                "Walks through the keys of the database, a few at a call.",
                syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
                tips: [
                    "nondeterministic_output", "request_policy:special", "response_policy:special",
                ], scan)
        ]
    }

    // MARK: - SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]

    /// Visits about `count` keys, never more than ten times as many groups of the table; expired
    /// keys met are removed.
    static func scan(_ call: inout Call) throws(CommandError) {
        let cursor = try ScanOptions.cursor(call.arguments[1])
        let options = try ScanOptions(call.arguments, from: 2, allowsType: true)
        var handles: ContiguousArray<Arena.Handle> = []
        let database = call.database
        let next = database.scan(
            cursor, atLeast: options.count, mostSteps: options.mostSteps, into: &handles)
        call.replyScanned(next, handles) { handle, reply in
            let entry = database.entry(at: handle)
            guard options.pattern?.matches(entry.key) ?? true, options.admits(entry.type),
                !database.removeIfExpired(entry)
            else { return 0 }
            reply.bulk(entry.key)
            return 1
        }
    }
}

/// The options of SCAN, HSCAN, SSCAN and ZSCAN.
struct ScanOptions {
    /// How many elements a call is to visit at least.
    private(set) var count = 10
    /// Nil when everything matches.
    private(set) var pattern: GlobPattern?
    private var typeName: ByteView?
    /// NOVALUES, which only HSCAN knows.
    private(set) var omitsValues = false

    /// How many steps a call may take: elements can be sparse, but its time is bounded.
    var mostSteps: Int { count > Int.max / 10 ? Int.max : count * 10 }

    init(
        _ arguments: Arguments, from start: Int, allowsType: Bool = false,
        allowsNoValues: Bool = false
    ) throws(CommandError) {
        var options = Options(arguments, from: start)
        while options.hasMore {
            if options.take("COUNT") {
                let count = try options.integer()
                guard count > 0 else { throw .syntax }
                self.count = Int(count)
            } else if options.take("MATCH") {
                let pattern = GlobPattern(try options.next())
                self.pattern = pattern.matchesEverything ? nil : pattern
            } else if allowsType && options.take("TYPE") {
                typeName = try options.next()
            } else if allowsNoValues && options.take("NOVALUES") {
                omitsValues = true
            } else {
                throw .syntax
            }
        }
    }

    /// Whether TYPE lets a value pass; a type that does not exist lets none pass.
    func admits(_ type: ValueType) -> Bool {
        typeName?.equalsIgnoringCase(type.name) ?? true
    }

    /// A cursor as the peers read it, by `strtoul`: a sign and leading zeroes do no harm, and no
    /// digits at all are 0.
    static func cursor(_ text: ByteView) throws(CommandError) -> UInt64 {
        let end = text.firstIndex(of: 0) ?? text.count
        guard end > 0 else { return 0 }
        let isSigned = text[0] == UInt8(ascii: "-") || text[0] == UInt8(ascii: "+")
        var index = isSigned ? 1 : 0
        guard index < end else { throw .invalidCursor }
        var value: UInt64 = 0
        while index < end {
            let digit = text[index] &- UInt8(ascii: "0")
            let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = scaled.addingReportingOverflow(UInt64(digit))
            guard digit <= 9, !overflow, !carry else { throw .invalidCursor }
            value = sum
            index += 1
        }
        return text[0] == UInt8(ascii: "-") ? 0 &- value : value
    }
}
