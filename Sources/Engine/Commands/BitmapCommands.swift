/// Commands of the documented group "bitmap": strings as rows of bits.
///
/// Bit 0 is the highest bit of the first byte. A bit beyond the end is 0, and a string that does not
/// exist is empty.
enum BitmapCommands {
    // swift-format-ignore
    static var table: [Command] {
        [
            Command(
                "BITCOUNT", .atLeast(2), [.readOnly], group: .bitmap,
                keys: [.at(1, .readOnly, [.access])], since: "2.6.0",
                "Counts the bits set in a string.", syntax: "key [start end [BYTE | BIT]]",
                bitcount),
            Command(
                "BITFIELD", .atLeast(2), [.write, .denyOOM], group: .bitmap,
                keys: [.at(1, .readWrite, [.access, .update, .variableFlags],
                           note: "RW, since all subcommands but GET write")],
                keyFinder: bitfieldKeys, since: "3.2.0",
                "Reads and writes integers of any width inside a string.",
                syntax: "key [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] "
                    + "<SET encoding offset value | INCRBY encoding offset increment> "
                    + "[GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] "
                    + "<SET encoding offset value | INCRBY encoding offset increment> ...]]",
                bitfield),
            Command(
                "BITFIELD_RO", .atLeast(2), [.readOnly, .fast], group: .bitmap,
                keys: [.at(1, .readOnly, [.access])], since: "6.0.0",
                "Reads integers of any width inside a string.",
                syntax: "key [GET encoding offset [GET encoding offset ...]]", bitfieldReadOnly),
            Command(
                "BITOP", .atLeast(4), [.write, .denyOOM], group: .bitmap,
                keys: [.at(2, .overwrite, [.update]),
                       .from(3, last: -1, step: 1, .readOnly, [.access])],
                since: "2.6.0",
                "Combines strings bit by bit and stores the result.",
                syntax: "<AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key ...]",
                bitop),
            Command(
                "BITPOS", .atLeast(3), [.readOnly], group: .bitmap,
                keys: [.at(1, .readOnly, [.access])], since: "2.8.7",
                "Finds the first bit of a string that is set or clear.",
                syntax: "key bit [start [end [BYTE | BIT]]]", bitpos),
            Command(
                "GETBIT", .exactly(3), [.readOnly, .fast], group: .bitmap,
                keys: [.at(1, .readOnly, [.access])], since: "2.2.0",
                "Returns a bit of a string.", syntax: "key offset", getbit),
            Command(
                "SETBIT", .exactly(4), [.write, .denyOOM], group: .bitmap,
                keys: [.at(1, .readWrite, [.access, .update])], since: "2.2.0",
                "Sets or clears a bit of a string; creates it when missing.",
                syntax: "key offset value", setbit),
        ]
    }

    // MARK: - SETBIT key offset value, GETBIT key offset

    static func setbit(_ call: inout Call) throws(CommandError) {
        let offset = try bitOffset(call.arguments[2], call.keyspace)
        guard let bit = NumberText.integer(call.arguments[3]), bit == 0 || bit == 1 else {
            throw .text("ERR bit is not an integer or out of range")
        }
        let key = call.key(1)
        let entry = try call.database.string(key)
        let oldCount = entry?.stringCount ?? -1
        let count = offset >> 3 + 1
        let string = try call.database.extendString(entry, key, to: count, zeroingTo: count)
        let old = string.withString { BitOperations.field($0, at: offset, width: 1) }
        string.withMutableString {
            BitOperations.setField($0, at: offset, width: 1, to: UInt64(bit))
        }
        if count > oldCount || old != bit { call.changed(key, .setBit) }
        call.reply.integer(Int64(old))
    }

    static func getbit(_ call: inout Call) throws(CommandError) {
        let offset = try bitOffset(call.arguments[2], call.keyspace)
        let entry = try call.database.readString(call.key(1))
        let bit = entry?.withString { BitOperations.field($0, at: offset, width: 1) }
        call.reply.integer(Int64(bit ?? 0))
    }

    private static var badOffset: CommandError {
        .text("ERR bit offset is not an integer or out of range")
    }

    /// The number of a bit inside the longest string there may be; `#n` is the n-th field of `width`.
    private static func bitOffset(
        _ text: ByteView, _ keyspace: Keyspace, fieldsOf width: Int = 0
    ) throws(CommandError) -> Int {
        let isField = width > 0 && !text.isEmpty && text[0] == UInt8(ascii: "#")
        guard let number = NumberText.integer(isField ? text.dropFirst(1) : text) else {
            throw badOffset
        }
        let (offset, overflow) = number.multipliedReportingOverflow(by: isField ? Int64(width) : 1)
        guard !overflow, offset >= 0, offset >> 3 < keyspace.limits.longestString else {
            throw badOffset
        }
        // A field that begins there must end at a number too.
        guard offset <= Int64.max - 64 else { throw badOffset }
        return Int(offset)
    }

    // MARK: - BITCOUNT key [start end [BYTE | BIT]]

    static func bitcount(_ call: inout Call) throws(CommandError) {
        guard let entry = try call.database.readString(call.key(1)) else {
            return call.reply.integer(0)
        }
        let arguments = call.arguments
        guard arguments.count != 3, arguments.count <= 5 else { throw .syntax }
        var start: Int64 = 0
        var end: Int64 = -1
        var countsBits = false
        if arguments.count > 3 {
            guard let first = NumberText.integer(arguments[2]),
                let last = NumberText.integer(arguments[3])
            else { throw .notInteger }
            (start, end) = (first, last)
            if start < 0 && end < 0 && start > end { return call.reply.integer(0) }
            if arguments.count == 5 { countsBits = try isBitUnit(arguments[4]) }
        }
        let count = entry.withString { text in
            guard let bits = bits(start, end, of: text.count, inBits: countsBits) else { return 0 }
            return BitOperations.count(text, from: bits.lowerBound, through: bits.upperBound)
        }
        call.reply.integer(count)
    }

    private static func isBitUnit(_ word: ByteView) throws(CommandError) -> Bool {
        if word.equalsIgnoringCase("BIT") { return true }
        if word.equalsIgnoringCase("BYTE") { return false }
        throw .syntax
    }

    /// The bits between two inclusive bounds, counted in bytes or bits and perhaps from the end, of a
    /// string of `count` bytes; nil when there are none.
    private static func bits(
        _ start: Int64, _ end: Int64, of count: Int, inBits: Bool
    ) -> ClosedRange<Int>? {
        let length = Int64(inBits ? count &* 8 : count)
        let first = max(0, start < 0 ? start + length : start)
        let last = min(length - 1, max(0, end < 0 ? end + length : end))
        guard first <= last else { return nil }
        return inBits ? Int(first)...Int(last) : Int(first) * 8...Int(last) * 8 + 7
    }

    // MARK: - BITPOS key bit [start [end [BYTE | BIT]]]

    static func bitpos(_ call: inout Call) throws(CommandError) {
        let arguments = call.arguments
        guard let wanted = NumberText.integer(arguments[2]) else { throw .notInteger }
        guard wanted == 0 || wanted == 1 else {
            throw .text("ERR The bit argument must be 1 or 0.")
        }
        guard let entry = try call.database.readString(call.key(1)) else {
            return call.reply.integer(wanted == 1 ? -1 : 0)
        }
        guard arguments.count <= 6 else { throw .syntax }
        var start: Int64 = 0
        var end: Int64 = -1
        var countsBits = false
        if arguments.count > 3 {
            guard let first = NumberText.integer(arguments[3]) else { throw .notInteger }
            start = first
        }
        if arguments.count == 6 { countsBits = try isBitUnit(arguments[5]) }
        if arguments.count > 4 {
            guard let last = NumberText.integer(arguments[4]) else { throw .notInteger }
            end = last
        }
        let hasEnd = arguments.count > 4
        let found = entry.withString { text -> Int in
            guard let bits = bits(start, end, of: text.count, inBits: countsBits) else { return -1 }
            let found = BitOperations.firstIndex(
                of: wanted == 1, in: text, from: bits.lowerBound, through: bits.upperBound)
            // Without an end, zeroes follow the string.
            return found ?? (wanted == 1 || hasEnd ? -1 : text.count * 8)
        }
        call.reply.integer(found)
    }

    // MARK: - BITOP operation destkey key [key ...]

    static func bitop(_ call: inout Call) throws(CommandError) {
        let combination = try combination(&call)
        var digits = ByteBuffer(capacity: (call.arguments.count - 3) * NumberText.longestInteger)
        var sources: ContiguousArray<ByteView> = []
        sources.reserveCapacity(call.arguments.count - 3)
        var count = 0
        for index in 3..<call.arguments.count {
            let source = try source(&call, index, &digits)
            sources.append(source)
            count = max(count, source.count)
        }
        let key = call.key(2)
        if count > 0 {
            try call.database.setString(key, count: count) { target in
                BitOperations.combine(combination, sources, into: target, count: count)
            }
            call.changed(key, .set)
        } else if call.database.remove(key) {
            call.changed(key, .delete)
        }
        call.reply.integer(count)
    }

    /// The bytes of the string at argument `index`; those of an integer go into `digits`, which has
    /// room for all, so that views of it stay valid.
    private static func source(
        _ call: inout Call, _ index: Int, _ digits: inout ByteBuffer
    ) throws(CommandError) -> ByteView {
        guard let entry = try call.database.readString(call.key(index)) else { return .empty }
        guard entry.stringEncoding == .integer else { return entry.withString { $0 } }
        let start = digits.count
        digits.append(entry.integer)
        return digits.view.dropFirst(start)
    }

    private static func combination(
        _ call: inout Call
    ) throws(CommandError) -> BitOperations.Combination {
        let name = call.arguments[1]
        let sources = call.arguments.count - 3
        if name.equalsIgnoringCase("AND") { return .and }
        if name.equalsIgnoringCase("OR") { return .or }
        if name.equalsIgnoringCase("XOR") { return .xor }
        if name.equalsIgnoringCase("ONE") { return .one }
        if name.equalsIgnoringCase("NOT") {
            guard sources == 1 else {
                throw .text("ERR BITOP NOT must be called with a single source key.")
            }
            return .not
        }
        if name.equalsIgnoringCase("DIFF") {
            guard sources > 1 else {
                throw .text("ERR BITOP DIFF must be called with at least two source keys.")
            }
            return .difference
        }
        if name.equalsIgnoringCase("DIFF1") {
            guard sources > 1 else {
                throw .text("ERR BITOP DIFF1 must be called with at least two source keys.")
            }
            return .reverseDifference
        }
        guard name.equalsIgnoringCase("ANDOR") else { throw .syntax }
        guard sources > 1 else {
            throw .text("ERR BITOP ANDOR must be called with at least two source keys.")
        }
        return .andAny
    }

    // MARK: - BITFIELD key [GET type offset | [OVERFLOW behavior] SET … | INCRBY …] ...

    static func bitfield(_ call: inout Call) throws(CommandError) {
        let plan = try Fields(call.arguments, call.keyspace).plan()
        guard let end = plan.writeEnd else { return try readFields(&call, plan.count) }
        let key = call.key(1)
        let entry = try call.database.string(key)
        let oldCount = entry?.stringCount ?? -1
        let count = (end - 1) >> 3 + 1
        let string = try call.database.extendString(entry, key, to: count, zeroingTo: count)
        call.reply.array(plan.count)
        var changes = 0
        var fields = Fields(call.arguments, call.keyspace)
        while let field = try fields.next() {
            let old = string.withString {
                BitOperations.field($0, at: field.offset, width: field.width)
            }
            guard let outcome = field.outcome(old) else {
                call.reply.null()
                continue
            }
            call.reply.integer(outcome.reply)
            guard field.operation != .get else { continue }
            string.withMutableString {
                BitOperations.setField(
                    $0, at: field.offset, width: field.width, to: outcome.value)
            }
            if count > oldCount || outcome.changed { changes += 1 }
        }
        if changes > 0 {
            call.changed(key, .setBit, by: changes)
        } else if count > oldCount {
            // Nothing was written, but the string has grown.
            call.changed(key, .silent)
        }
    }

    static func bitfieldReadOnly(_ call: inout Call) throws(CommandError) {
        let plan = try Fields(call.arguments, call.keyspace).plan()
        guard plan.writeEnd == nil else {
            throw .text("ERR BITFIELD_RO only supports the GET subcommand")
        }
        try readFields(&call, plan.count)
    }

    private static func readFields(_ call: inout Call, _ count: Int) throws(CommandError) {
        let entry = try call.database.readString(call.key(1))
        call.reply.array(count)
        var fields = Fields(call.arguments, call.keyspace)
        while let field = try fields.next() {
            let value = entry?.withString {
                BitOperations.field($0, at: field.offset, width: field.width)
            }
            call.reply.integer(field.extended(value ?? 0))
        }
    }

    /// BITFIELD only reads when all it has is GET.
    private static func bitfieldKeys(_ arguments: Arguments) -> [KeyPosition]? {
        guard arguments.count > 1 else { return nil }
        var isReading = true
        var index = 2
        while index < arguments.count, isReading {
            let left = arguments.count - index - 1
            if arguments[index].equalsIgnoringCase("GET") && left >= 2 {
                index += 3
            } else if arguments[index].equalsIgnoringCase("OVERFLOW") && left >= 1 {
                index += 2
            } else {
                isReading = false
            }
        }
        return isReading
            ? [KeyPosition(index: 1, access: .readOnly, flags: [.access])]
            : [KeyPosition(index: 1, access: .readWrite, flags: [.access, .update])]
    }

    /// Reads the operations of BITFIELD off its arguments, one at a time.
    private struct Fields {
        private let arguments: Arguments
        private let keyspace: Keyspace
        private var options: Options
        private var overflow = BitField.Overflow.wrap

        init(_ arguments: Arguments, _ keyspace: Keyspace) {
            self.arguments = arguments
            self.keyspace = keyspace
            options = Options(arguments, from: 2)
        }

        /// How many operations there are, and the bit behind the last one written; throws what is
        /// wrong with them.
        func plan() throws(CommandError) -> (count: Int, writeEnd: Int?) {
            var reader = self
            var count = 0
            var end: Int?
            while let field = try reader.next() {
                count += 1
                if field.operation != .get {
                    end = max(end ?? 0, field.offset + field.width)
                }
            }
            return (count, end)
        }

        mutating func next() throws(CommandError) -> BitField? {
            while options.remaining >= 2, options.take("OVERFLOW") {
                overflow = try Self.overflow(try options.next())
            }
            guard options.hasMore else { return nil }
            let operation: BitField.Operation
            if options.remaining >= 3, options.take("GET") {
                operation = .get
            } else if options.remaining >= 4, options.take("SET") {
                operation = .set
            } else if options.remaining >= 4, options.take("INCRBY") {
                operation = .increment
            } else {
                throw .syntax
            }
            let type = try Self.type(try options.next())
            let offset = try BitmapCommands.bitOffset(
                try options.next(), keyspace, fieldsOf: type.width)
            let operand = operation == .get ? 0 : try options.integer()
            return BitField(
                operation: operation, overflow: overflow, isSigned: type.isSigned,
                width: type.width, offset: offset, operand: operand)
        }

        private static func overflow(_ word: ByteView) throws(CommandError) -> BitField.Overflow {
            if word.equalsIgnoringCase("WRAP") { return .wrap }
            if word.equalsIgnoringCase("SAT") { return .saturate }
            if word.equalsIgnoringCase("FAIL") { return .fail }
            throw .text("ERR Invalid OVERFLOW type specified")
        }

        // swift-format-ignore
        private static var badType: CommandError {
            .text("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")
        }

        /// `i1` to `i64` and `u1` to `u63`.
        private static func type(
            _ text: ByteView
        ) throws(CommandError) -> (isSigned: Bool, width: Int) {
            let isSigned = !text.isEmpty && text[0] == UInt8(ascii: "i")
            let isUnsigned = !text.isEmpty && text[0] == UInt8(ascii: "u")
            guard isSigned || isUnsigned, let width = NumberText.integer(text.dropFirst(1)),
                width >= 1, width <= (isSigned ? 64 : 63)
            else {
                throw badType
            }
            return (isSigned, Int(width))
        }
    }
}
