/// Reads streams of the RDB format, of all three versions there have been.
///
/// Nodes are checked entry by entry and taken over as they are. Figures that follow from them are
/// counted, not believed: Redis 5 wrote lengths that are too large. An entry that is pending for the
/// group and for no consumer, or the other way round, is an error.
struct StreamReader {
    private let arena: Arena
    private let version: UInt8

    init(_ arena: Arena, _ version: UInt8) {
        self.arena = arena
        self.version = version
    }

    func read(
        from reader: inout DumpReader, _ keyspace: Keyspace
    ) throws(DumpError) -> LoadedValue {
        let value = StreamValue.makeEmpty(in: arena)
        do throws(DumpError) {
            let stream = StreamValue(payload: value.payload, in: arena)
            let last = try readNodes(of: stream, from: &reader)
            try readFigures(of: stream, last, from: &reader)
            for _ in 0..<(try reader.count()) { try readGroup(of: stream, from: &reader) }
            return .collection(value)
        } catch {
            keyspace.bury(value)
            throw error
        }
    }

    private func corrupt(_ what: String) -> DumpError { .corrupt("Stream: \(what)") }

    // MARK: - Nodes

    /// Returns the last entry of all.
    private func readNodes(
        of stream: StreamValue, from reader: inout DumpReader
    ) throws(DumpError) -> StreamID {
        var last = StreamID.zero
        for _ in 0..<(try reader.count()) {
            reader.beginRecord()
            let key = try reader.piece()
            let node = try reader.piece()
            let name = reader.view(key)
            guard name.count == 16 else { throw corrupt("a node's name is no id") }
            let master = StreamID(
                name.number(at: 0, as: UInt64.self).byteSwapped,
                name.number(at: 8, as: UInt64.self).byteSwapped)
            let bytes = reader.view(node)
            guard let check = StreamNodeCheck(bytes, master: master, after: last) else {
                throw .corrupt("Stream listpack integrity check failed.")
            }
            // Redis leaves nodes without an entry behind, when it trims by id what ends with deleted ones.
            guard let end = check.lastID else { continue }
            guard !(master < last) else { throw corrupt("nodes out of order") }
            guard stream.adopt(bytes, master: master) else { throw corrupt("a node comes twice") }
            last = end
        }
        return last
    }

    private func readFigures(
        of stream: StreamValue, _ last: StreamID, from reader: inout DumpReader
    ) throws(DumpError) {
        stream.settle()
        _ = try reader.length()  // Counted from the nodes, as is the first entry below.
        stream.lastID = max(try identifier(&reader), last)
        guard version != DumpFormat.stream1 else {
            stream.entriesAdded = Int64(stream.length)
            return
        }
        _ = try identifier(&reader)
        stream.largestDeletedID = try identifier(&reader)
        let added = Int64(bitPattern: try reader.length())
        stream.entriesAdded = max(added, Int64(stream.length))
    }

    private func identifier(_ reader: inout DumpReader) throws(DumpError) -> StreamID {
        let milliseconds = try reader.length()
        return StreamID(milliseconds, try reader.length())
    }

    private func rawIdentifier(_ reader: inout DumpReader) throws(DumpError) -> StreamID {
        let milliseconds = try reader.bigEndian(UInt64.self)
        return StreamID(milliseconds, try reader.bigEndian(UInt64.self))
    }

    // MARK: - Groups

    private struct Delivery {
        let time: Int64
        let count: Int64
    }

    private func readGroup(
        of stream: StreamValue, from reader: inout DumpReader
    ) throws(DumpError) {
        reader.beginRecord()
        let piece = try reader.piece()
        let lastID = try identifier(&reader)
        var entriesRead = StreamGroup.unknown
        if version != DumpFormat.stream1 {
            entriesRead = max(Int64(bitPattern: try reader.length()), StreamGroup.unknown)
        }
        let name = reader.view(piece)
        guard stream.group(name) == nil else { throw corrupt("a group comes twice") }
        let group = stream.addGroup(name, lastID: lastID, entriesRead: entriesRead)
        if version == DumpFormat.stream1 {
            group.entriesRead = stream.entriesUpTo(lastID) ?? StreamGroup.unknown
        }
        var deliveries: [StreamID: Delivery] = [:]
        for _ in 0..<(try reader.count()) {
            reader.beginRecord()
            let id = try rawIdentifier(&reader)
            let time = try reader.littleEndian(Int64.self)
            let delivery = Delivery(time: time, count: Int64(bitPattern: try reader.length()))
            guard deliveries.updateValue(delivery, forKey: id) == nil else {
                throw corrupt("an entry is pending twice")
            }
        }
        for _ in 0..<(try reader.count()) {
            try readConsumer(of: group, &deliveries, from: &reader)
        }
        guard deliveries.isEmpty else { throw corrupt("an entry is pending for nobody") }
    }

    private func readConsumer(
        of group: StreamGroup, _ deliveries: inout [StreamID: Delivery],
        from reader: inout DumpReader
    ) throws(DumpError) {
        reader.beginRecord()
        let piece = try reader.piece()
        let seen = try reader.littleEndian(Int64.self)
        let active = version == DumpFormat.stream3 ? try reader.littleEndian(Int64.self) : seen
        let name = reader.view(piece)
        guard group.consumer(name) == nil else {
            throw .corrupt("Duplicate stream consumer detected")
        }
        let consumer = group.addConsumer(name, now: seen)
        consumer.activeTime = active
        for _ in 0..<(try reader.count()) {
            reader.beginRecord()
            let id = try rawIdentifier(&reader)
            guard let delivery = deliveries.removeValue(forKey: id) else {
                throw corrupt("an entry is pending for a consumer alone")
            }
            group.deliver(id, to: consumer, now: delivery.time).deliveryCount = delivery.count
        }
    }
}

/// Looks through the bytes of a stream's node: nil unless every entry is whole, in order and counted,
/// and what is changed in place later (the flags) has the form that this assumes.
private struct StreamNodeCheck {
    /// The last entry that is there; nil where all are deleted.
    private(set) var lastID: StreamID?

    /// - Parameter previous: the last entry of the nodes before.
    init?(_ bytes: ByteView, master: StreamID, after previous: StreamID) {
        guard bytes.count <= StreamNode.mostLoadedBytes, var scanner = ListpackScanner(bytes),
            let live = Self.number(&scanner), let deleted = Self.number(&scanner),
            let fields = Self.number(&scanner), live >= 0, deleted >= 0, fields >= 0,
            live <= bytes.count, deleted <= bytes.count, fields <= bytes.count,
            Self.skip(fields, &scanner), Self.number(&scanner) == 0
        else { return nil }
        var found = (live: 0, deleted: 0)
        while !scanner.isAtEnd {
            guard let entry = Self.entry(&scanner, master, fields) else { return nil }
            if entry.isDeleted {
                // Ids go back behind a deleted entry where XSETID did.
                found.deleted += 1
            } else {
                guard !(entry.id < master), lastID ?? previous < entry.id else { return nil }
                lastID = entry.id
                found.live += 1
            }
        }
        guard scanner.isWhole, found.live == live, found.deleted == deleted else { return nil }
    }

    @inline(__always)
    private static func number(_ scanner: inout ListpackScanner) -> Int? {
        scanner.nextInteger().map { Int($0) }
    }

    @inline(__always)
    private static func skip(_ count: Int, _ scanner: inout ListpackScanner) -> Bool {
        var left = count
        while left > 0 {
            guard scanner.skip() else { return false }
            left &-= 1
        }
        return true
    }

    @inline(__always)
    private static func entry(
        _ scanner: inout ListpackScanner, _ master: StreamID, _ fields: Int
    ) -> (id: StreamID, isDeleted: Bool)? {
        guard let flags = scanner.nextNarrow().map({ Int($0) }), flags <= 3,
            let milliseconds = number(&scanner), let sequence = number(&scanner)
        else { return nil }
        var elements = fields &+ 3
        if flags & Int(StreamNode.sameFieldsFlag) != 0 {
            guard skip(fields, &scanner) else { return nil }
        } else {
            guard let pairs = number(&scanner), pairs >= 0, pairs < 1 << 30,
                skip(2 &* pairs, &scanner)
            else { return nil }
            elements = 2 &* pairs &+ 4
        }
        guard number(&scanner) == elements else { return nil }
        let id = master.advanced(Int64(milliseconds), Int64(sequence))
        return (id, flags & Int(StreamNode.deletedFlag) != 0)
    }
}
