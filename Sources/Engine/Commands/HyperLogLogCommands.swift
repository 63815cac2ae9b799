/// Commands of the documented group "hyperloglog": how many different elements were seen, about.
///
/// A sketch is an ordinary string, so whoever can write strings can write a broken one: it is
/// recognised, refused, and left as it is.
enum HyperLogLogCommands {
    // swift-format-ignore
    static var table: [Command] {
        [
            Command(
                "PFADD", .atLeast(2), [.write, .denyOOM, .fast], group: .hyperLogLog,
                keys: [.at(1, .readWrite, [.insert])], since: "2.8.9",
                "Adds elements to a HyperLogLog; creates it when missing.",
                syntax: "key [element [element ...]]", pfadd),
            Command(
                "PFCOUNT", .atLeast(2), [.readOnly, .mayReplicate], group: .hyperLogLog,
                keys: [.from(1, last: -1, step: 1, .readWrite, [.access],
                             note: "RW, since the cardinality found is kept in the value")],
                since: "2.8.9", "Estimates how many different elements HyperLogLogs have seen.",
                syntax: "key [key ...]", pfcount),
            Command(
                "PFDEBUG", .exactly(3), [.write, .denyOOM, .admin, .systemCommand],
                group: .hyperLogLog, keys: [.at(2, .readWrite, [.access])], since: "2.8.9",
                "Shows the inside of a HyperLogLog.", syntax: "subcommand key", pfdebug),
            Command(
                "PFMERGE", .atLeast(2), [.write, .denyOOM], group: .hyperLogLog,
                keys: [.at(1, .readWrite, [.access, .insert]),
                       .from(2, last: -1, step: 1, .readOnly, [.access])],
                since: "2.8.9", "Merges HyperLogLogs into one.",
                syntax: "destkey [sourcekey [sourcekey ...]]", pfmerge),
            Command(
                "PFSELFTEST", .exactly(1), [.admin, .systemCommand], group: .hyperLogLog,
                since: "2.8.9", "Tests the HyperLogLog implementation.", pfselftest),
        ]
    }

    private static var corrupted: CommandError {
        .text("INVALIDOBJ Corrupted HLL object detected")
    }

    /// The encoding of the sketch that a string holds; throws when it holds none.
    private static func encoding(
        _ entry: Entry
    ) throws(CommandError) -> HyperLogLog.Encoding {
        guard let encoding = entry.withString({ HyperLogLog.encoding(of: $0) }) else {
            throw .text("WRONGTYPE Key is not a valid HyperLogLog string value.")
        }
        return encoding
    }

    // MARK: - PFADD key [element ...]

    static func pfadd(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        guard let entry = try call.database.string(key) else {
            var sketch = HyperLogLogSketch(longestSparse: longestSparse(call))
            let raised = raise(&sketch, call.arguments)
            return try store(&call, nil, key, sketch, changes: raised + 1)
        }
        let encoding = try encoding(entry)
        if encoding == .dense { return addToDense(&call, entry, key) }
        guard try brings(call.arguments, to: entry) else { return call.reply.integer(0) }
        var sketch = try sketch(entry, encoding, longestSparse: longestSparse(call))
        let raised = raise(&sketch, call.arguments)
        if raised == 0 { return call.reply.integer(0) }
        try store(&call, entry, key, sketch, changes: raised)
    }

    /// A copy of the sketch that `entry` holds.
    private static func sketch(
        _ entry: Entry, _ encoding: HyperLogLog.Encoding, longestSparse: Int
    ) throws(CommandError) -> HyperLogLogSketch {
        try entry.withString { (bytes) throws(CommandError) -> HyperLogLogSketch in
            guard
                let sketch = HyperLogLogSketch(bytes, encoding, longestSparse: longestSparse)
            else { throw corrupted }
            return sketch
        }
    }

    private static func longestSparse(_ call: borrowing Call) -> Int {
        call.keyspace.encodingLimits.hyperLogLogSparseBytes
    }

    /// Raises registers in place, without allocation.
    private static func addToDense(_ call: inout Call, _ entry: Entry, _ key: Key) {
        let arguments = call.arguments
        let changes = entry.withMutableString { bytes in
            var changes = 0
            var index = 2
            while index < arguments.count {
                let (register, value) = HyperLogLog.place(of: arguments[index])
                if HyperLogLog.raise(register, to: value, in: bytes) { changes &+= 1 }
                index &+= 1
            }
            if changes > 0 { HyperLogLog.invalidateCardinality(bytes) }
            return changes
        }
        if changes > 0 { call.changed(key, .addToHyperLogLog, by: changes) }
        call.reply.integer(changes > 0 ? 1 : 0)
    }

    /// Whether one of the elements would raise a register of a sparse sketch: mostly none does.
    private static func brings(
        _ arguments: Arguments, to entry: Entry
    ) throws(CommandError) -> Bool {
        var index = 2
        while index < arguments.count {
            let (register, value) = HyperLogLog.place(of: arguments[index])
            guard let (_, run) = entry.withString({ HyperLogLog.position(of: register, in: $0) })
            else { throw corrupted }
            if run.value < value { return true }
            index &+= 1
        }
        return false
    }

    /// How many of the elements raised a register.
    private static func raise(_ sketch: inout HyperLogLogSketch, _ arguments: Arguments) -> Int {
        var raised = 0
        var index = 2
        while index < arguments.count {
            let (register, value) = HyperLogLog.place(of: arguments[index])
            if sketch.raise(register, to: value) { raised &+= 1 }
            index &+= 1
        }
        return raised
    }

    private static func store(
        _ call: inout Call, _ entry: Entry?, _ key: Key, _ sketch: borrowing HyperLogLogSketch,
        changes: Int
    ) throws(CommandError) {
        sketch.invalidateCardinality()
        _ = try call.database.rewriteString(entry, key, sketch.bytes)
        call.changed(key, .addToHyperLogLog, by: changes)
        call.reply.integer(1)
    }

    // MARK: - PFCOUNT key [key ...]

    static func pfcount(_ call: inout Call) throws(CommandError) {
        if call.arguments.count > 2 {
            let union = try union(&call)
            return call.reply.integer(Int64(bitPattern: union.cardinality))
        }
        let key = call.key(1)
        guard let entry = try call.database.readString(key) else { return call.reply.integer(0) }
        let encoding = try encoding(entry)
        if let cached = entry.withString({ HyperLogLog.cachedCardinality($0) }) {
            return call.reply.integer(Int64(bitPattern: cached))
        }
        guard let cardinality = entry.withString({ HyperLogLog.cardinality($0, encoding) }) else {
            throw corrupted
        }
        entry.withMutableString { HyperLogLog.storeCardinality(cardinality, in: $0) }
        call.changed(key, .silent)
        call.reply.integer(Int64(bitPattern: cardinality))
    }

    /// The union of all sketches named from argument 1 on.
    private static func union(_ call: inout Call) throws(CommandError) -> UnionRegisters {
        var union = UnionRegisters()
        for index in 1..<call.arguments.count {
            guard let entry = try call.database.readString(call.key(index)) else { continue }
            let encoding = try encoding(entry)
            guard entry.withString({ union.merge($0, encoding) }) else { throw corrupted }
        }
        return union
    }

    // MARK: - PFMERGE destkey [sourcekey ...]

    static func pfmerge(_ call: inout Call) throws(CommandError) {
        let union = try union(&call)
        let key = call.key(1)
        let entry = try call.database.string(key)
        if let entry, try encoding(entry) == .dense {
            // The union has at least the registers of its part: it replaces them in place.
            entry.withMutableString {
                union.write(to: $0)
                HyperLogLog.invalidateCardinality($0)
            }
        } else {
            try mergeSparse(&call, entry, key, union)
        }
        call.changed(key, .addToHyperLogLog)
        call.reply.ok()
    }

    private static func mergeSparse(
        _ call: inout Call, _ entry: Entry?, _ key: Key, _ union: borrowing UnionRegisters
    ) throws(CommandError) {
        let limit = longestSparse(call)
        var sketch = HyperLogLogSketch(longestSparse: limit)
        if let entry { sketch = try self.sketch(entry, .sparse, longestSparse: limit) }
        if union.hasDense { sketch.becomeDense() }
        var register = 0
        while register < HyperLogLog.registerCount, sketch.encoding == .sparse {
            let value = union[register]
            if value > 0 { _ = sketch.raise(register, to: value) }
            register &+= 1
        }
        if sketch.encoding == .dense { sketch.assign(union) }
        sketch.invalidateCardinality()
        _ = try call.database.rewriteString(entry, key, sketch.bytes)
    }

    // MARK: - PFDEBUG GETREG | DECODE | ENCODING | TODENSE key

    static func pfdebug(_ call: inout Call) throws(CommandError) {
        let key = call.key(2)
        guard let entry = try call.database.string(key) else {
            throw .text("ERR The specified key does not exist")
        }
        let encoding = try encoding(entry)
        let word = call.arguments[1]
        if word.equalsIgnoringCase("GETREG") {
            if encoding == .sparse { try makeDense(&call, entry, key) }
            try replyRegisters(&call, key)
        } else if word.equalsIgnoringCase("DECODE") {
            guard encoding == .sparse else { throw .text("ERR HLL encoding is not sparse") }
            entry.withString { call.reply.bulk(describeRuns($0)) }
        } else if word.equalsIgnoringCase("ENCODING") {
            call.reply.simple(encoding == .dense ? "dense" : "sparse")
        } else if word.equalsIgnoringCase("TODENSE") {
            if encoding == .sparse { try makeDense(&call, entry, key) }
            call.reply.integer(encoding == .sparse ? 1 : 0)
        } else {
            throw call.fail("ERR Unknown PFDEBUG subcommand '\(word.string)'")
        }
    }

    private static func makeDense(
        _ call: inout Call, _ entry: Entry, _ key: Key
    ) throws(CommandError) {
        var sketch = try sketch(entry, .sparse, longestSparse: 0)
        sketch.becomeDense()
        _ = try call.database.rewriteString(entry, key, sketch.bytes)
        call.changed(key, .silent)
    }

    private static func replyRegisters(_ call: inout Call, _ key: Key) throws(CommandError) {
        guard let entry = try call.database.string(key) else { throw .noSuchKey }
        call.reply.array(HyperLogLog.registerCount)
        entry.withString { sketch in
            for register in 0..<HyperLogLog.registerCount {
                call.reply.integer(Int64(HyperLogLog.denseRegister(sketch, register)))
            }
        }
    }

    /// `z` and `Z` are runs of zeroes, short and long; `v` is a value and how often it stands.
    private static func describeRuns(_ sketch: ByteView) -> String {
        var words: [String] = []
        var offset = HyperLogLog.headerBytes
        while let run = HyperLogLog.run(sketch, at: offset) {
            if run.value > 0 {
                words.append("v:\(run.value),\(run.count)")
            } else {
                words.append((run.bytes == 2 ? "Z:" : "z:") + "\(run.count)")
            }
            offset += run.bytes
        }
        return words.joined(separator: " ")
    }

    // MARK: - PFSELFTEST

    /// Enough to see a broken register or a wrong estimate, and few enough to hold up nobody.
    private static let selfTestElements: UInt64 = 100_000

    static func pfselftest(_ call: inout Call) throws(CommandError) {
        var sparse = HyperLogLogSketch(longestSparse: longestSparse(call))
        var dense = HyperLogLogSketch(longestSparse: 0)
        dense.becomeDense()
        let seed = UInt64.random(in: 0 ... .max)
        var checkpoint: UInt64 = 1
        for number in 1...selfTestElements {
            let (register, value) = withUnsafeBytes(of: (number ^ seed).littleEndian) {
                HyperLogLog.place(of: ByteView($0))
            }
            let isRaised = dense.raise(register, to: value)
            guard isRaised == sparse.raise(register, to: value) else {
                throw .text("ERR TESTFAILED dense/sparse disagree")
            }
            guard number == checkpoint else { continue }
            let count = HyperLogLog.cardinality(dense.bytes, .dense) ?? 0
            guard HyperLogLog.cardinality(sparse.bytes, sparse.encoding) == count else {
                throw .text("ERR TESTFAILED dense/sparse disagree")
            }
            // Six times the standard error, 1.04 / sqrt(16384).
            let allowed = number == 10 ? 1 : Int64((Double(number) * 6 * 1.04 / 128).rounded(.up))
            let error = (Int64(bitPattern: number) - Int64(bitPattern: count)).magnitude
            guard error <= allowed else {
                throw call.fail("ERR TESTFAILED Too big error. card:\(number) abserr:\(error)")
            }
            checkpoint *= 10
        }
        call.reply.ok()
    }
}
