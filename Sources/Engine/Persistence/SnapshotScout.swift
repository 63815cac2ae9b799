/// Finds the compressed strings of a snapshot without reading its values.
///
/// It knows of each kind of record how many lengths, strings and bytes follow, and nothing of what
/// they mean. Promises: it believes nothing it is told, and gives up where it meets what it does not
/// know; whoever reads the values does so on their own, and only finds some strings unpacked already.
/// Costs: a few nanoseconds a string.
struct SnapshotScout {
    /// A compressed string: where its bytes lie in what was walked over, and how many it unpacks to.
    struct Found: Equatable {
        let offset: Int
        let packedCount: Int
        let count: Int
    }

    /// So many lengths, strings and bytes, in this order.
    private struct Unit {
        var lengths = 0
        var strings = 0
        var bytes = 0
    }

    private enum Stop: Error {
        /// The bytes at hand end in the middle of something.
        case short
        /// Something that is not known.
        case lost
    }

    /// What comes next: so many units, then the figures of a stream, or the next record.
    private var unit = Unit()
    private var left: UInt64 = 0
    private var streamType: UInt8?
    /// Nil before the magic.
    private var dialect: DumpDialect?
    /// Whether it has seen the end of the snapshot.
    private(set) var hasEnded = false
    /// Whether it met what it does not know, and finds nothing more.
    private(set) var isLost = false

    private static let magicBytes = 9
    /// Compressed strings beyond are passed over: they would have to be at hand as a whole.
    private static let mostPackedBytes = 2 << 20

    /// Walks over bytes of a snapshot, from its beginning or from where the last walk ended.
    ///
    /// - Returns: how far it came, which may be behind the end; from there the next walk begins.
    mutating func walk(_ bytes: ByteView, _ found: inout ContiguousArray<Found>) -> Int {
        var steps = Steps(bytes)
        var done = 0
        while !hasEnded && !isLost {
            let known = found.count
            do throws(Stop) {
                try step(&steps, &found)
                done = steps.next
            } catch {
                found.removeLast(found.count - known)
                if error == .short { return done }
                isLost = true
            }
        }
        return bytes.count
    }

    /// Finds nothing more.
    mutating func giveUp() { isLost = true }

    /// The next unit, or the next record up to its first unit.
    private mutating func step(
        _ steps: inout Steps, _ found: inout ContiguousArray<Found>
    ) throws(Stop) {
        if dialect == nil {
            let first = try steps.byte()
            try steps.skip(Unit(bytes: Self.magicBytes - 1), &found)
            dialect = first == UInt8(ascii: "V") ? .valkey : .redis
        } else if left > 0 {
            try steps.skip(unit, &found)
            left -= 1
        } else if let type = streamType {
            try steps.skipFigures(ofStream: type, &found)
            streamType = nil
        } else {
            try beginRecord(&steps, &found)
        }
    }

    private mutating func beginRecord(
        _ steps: inout Steps, _ found: inout ContiguousArray<Found>
    ) throws(Stop) {
        let opcode = try steps.byte()
        switch opcode {
        case DumpFormat.end: hasEnded = true
        case DumpFormat.selectDatabase, DumpFormat.idle:
            try steps.skip(Unit(lengths: 1), &found)
        case DumpFormat.resize: try steps.skip(Unit(lengths: 2), &found)
        case DumpFormat.slotInfo: try steps.skip(Unit(lengths: 3), &found)
        case DumpFormat.auxiliary: try steps.skip(Unit(strings: 2), &found)
        case DumpFormat.deadlineMilliseconds: try steps.skip(Unit(bytes: 8), &found)
        case DumpFormat.deadlineSeconds: try steps.skip(Unit(bytes: 4), &found)
        case DumpFormat.frequency: try steps.skip(Unit(bytes: 1), &found)
        default:
            try steps.skip(Unit(strings: 1), &found)
            try beginValue(opcode, &steps, &found)
        }
    }

    private mutating func beginValue(
        _ type: UInt8, _ steps: inout Steps, _ found: inout ContiguousArray<Found>
    ) throws(Stop) {
        switch type {
        case DumpFormat.string, DumpFormat.hashZipmap, DumpFormat.listZiplist,
            DumpFormat.setIntset, DumpFormat.sortedSetZiplist, DumpFormat.hashZiplist,
            DumpFormat.hashListpack, DumpFormat.sortedSetListpack, DumpFormat.setListpack,
            DumpFormat.hashListpackPreview:
            try steps.skip(Unit(strings: 1), &found)
        case DumpFormat.list, DumpFormat.set, DumpFormat.listOfZiplists:
            try begin(Unit(strings: 1), &steps)
        case DumpFormat.hash: try begin(Unit(strings: 2), &steps)
        case DumpFormat.sortedSet: try begin(Unit(strings: 1, bytes: 8), &steps)
        case DumpFormat.listOfListpacks: try begin(Unit(lengths: 1, strings: 1), &steps)
        case DumpFormat.hashWithDeadlines:
            try steps.skip(Unit(bytes: 8), &found)
            try begin(Unit(lengths: 1, strings: 2), &steps)
        case DumpFormat.hashListpackWithDeadlines:
            try steps.skip(Unit(bytes: 8), &found)
            try steps.skip(Unit(strings: 1), &found)
        case DumpFormat.hashWithDeadlines22:
            try begin(
                dialect == .valkey ? Unit(strings: 2, bytes: 8) : Unit(lengths: 1, strings: 2),
                &steps)
        case DumpFormat.stream1, DumpFormat.stream2, DumpFormat.stream3:
            try begin(Unit(strings: 2), &steps)
            streamType = type
        default: throw .lost
        }
    }

    /// A count, and then so many of `unit`.
    private mutating func begin(_ unit: Unit, _ steps: inout Steps) throws(Stop) {
        left = try steps.length()
        self.unit = unit
    }

    // MARK: - Steps

    /// A way through bytes.
    private struct Steps {
        private let bytes: ByteView
        /// May lie behind the end, after a string that does.
        private(set) var next = 0

        /// No string is longer.
        private static let mostBytes: UInt64 = 1 << 40

        init(_ bytes: ByteView) { self.bytes = bytes }

        mutating func byte() throws(Stop) -> UInt8 {
            guard next < bytes.count else { throw .short }
            defer { next &+= 1 }
            return bytes[next]
        }

        private mutating func bigEndian<Number: FixedWidthInteger>(
            _ type: Number.Type
        ) throws(Stop) -> Number {
            let size = MemoryLayout<Number>.size
            guard bytes.count - next >= size else { throw .short }
            defer { next &+= size }
            return bytes.number(at: next, as: type).byteSwapped
        }

        private mutating func length(_ first: UInt8) throws(Stop) -> UInt64 {
            switch first >> 6 {
            case 0: return UInt64(first & 63)
            case 1: return UInt64(first & 63) << 8 | UInt64(try byte())
            default:
                if first == DumpFormat.length32 { return UInt64(try bigEndian(UInt32.self)) }
                if first == DumpFormat.length64 { return try bigEndian(UInt64.self) }
                throw .lost
            }
        }

        mutating func length() throws(Stop) -> UInt64 { try length(try byte()) }

        private mutating func string(_ found: inout ContiguousArray<Found>) throws(Stop) {
            let first = try byte()
            switch first {
            case DumpFormat.integer8: next &+= 1
            case DumpFormat.integer16: next &+= 2
            case DumpFormat.integer32: next &+= 4
            case DumpFormat.compressed: try compressedString(&found)
            default:
                let count = try length(first)
                guard count < Self.mostBytes else { throw .lost }
                next &+= Int(count)
            }
        }

        /// Such a string is of use only where all of it is at hand.
        private mutating func compressedString(
            _ found: inout ContiguousArray<Found>
        ) throws(Stop) {
            let (packedCount, count) = (try length(), try length())
            guard packedCount < Self.mostBytes, count < Self.mostBytes else { throw .lost }
            if packedCount <= SnapshotScout.mostPackedBytes {
                guard bytes.count - next >= Int(packedCount) else { throw .short }
                found.append(
                    Found(offset: next, packedCount: Int(packedCount), count: Int(count)))
            }
            next &+= Int(packedCount)
        }

        mutating func skip(
            _ unit: Unit, _ found: inout ContiguousArray<Found>
        ) throws(Stop) {
            for _ in 0..<unit.lengths { _ = try length() }
            for _ in 0..<unit.strings { try string(&found) }
            next &+= unit.bytes
        }

        /// What follows the nodes: figures, and the groups with their consumers.
        mutating func skipFigures(
            ofStream type: UInt8, _ found: inout ContiguousArray<Found>
        ) throws(Stop) {
            let isFirst = type == DumpFormat.stream1
            try skip(Unit(lengths: isFirst ? 3 : 8), &found)
            var groups = try length()
            while groups > 0 {
                try skip(Unit(strings: 1), &found)
                try skip(Unit(lengths: isFirst ? 2 : 3), &found)
                try skipPending(&found, Unit(bytes: 24), lengths: 1)
                var consumers = try length()
                while consumers > 0 {
                    let times = type == DumpFormat.stream3 ? 16 : 8
                    try skip(Unit(strings: 1, bytes: times), &found)
                    try skipPending(&found, Unit(bytes: 16), lengths: 0)
                    consumers -= 1
                }
                groups -= 1
            }
        }

        /// Entries that wait to be acknowledged.
        private mutating func skipPending(
            _ found: inout ContiguousArray<Found>, _ unit: Unit, lengths: Int
        ) throws(Stop) {
            var entries = try length()
            while entries > 0 {
                try skip(unit, &found)
                for _ in 0..<lengths { _ = try length() }
                // A claim beyond all bounds ends here.
                guard next <= bytes.count else { throw .short }
                entries -= 1
            }
        }
    }
}
