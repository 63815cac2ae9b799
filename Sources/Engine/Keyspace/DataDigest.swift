/// A fingerprint of data, the same as Redis computes: equal data have equal fingerprints on either
/// server, whatever the encodings and the order of keys.
///
/// What has an order is mixed in (`digest = SHA1(digest ^ SHA1(part))`), what has none is added
/// (`digest ^= SHA1(part)`). Each value begins with its type and ends with a mark if it expires.
/// A score of -0 counts as 0, as only a ranked set keeps its sign; Redis tells the two apart there.
struct DataDigest {
    private(set) var value = SHA1Digest.zero

    var hexadecimal: String { value.hexadecimal }

    /// Takes in a part whose place matters.
    mutating func mix(_ bytes: ByteView) {
        value ^= SHA1.digest(of: bytes)
        value = value.rehashed
    }

    /// Takes in a part whose place does not matter.
    mutating func add(_ bytes: ByteView) { value ^= SHA1.digest(of: bytes) }

    mutating func add(_ other: DataDigest) { value ^= other.value.rehashed }

    /// Takes in a number, its highest byte first.
    mutating func mix(_ number: UInt32) {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> UInt32(24 - $0 * 8)) }
            .withByteView { mix($0) }
    }

    // MARK: - Values

    /// Takes in the type, value and transience of `entry`, but not its key.
    mutating func mixValue(of entry: Entry, in database: Database) {
        mix(Self.typeNumber(entry.type))
        switch entry.type {
        case .string: mixString(entry)
        case .list: mixList(database.list(entry))
        case .set: addMembers(SetValue(entry, database.keyspace.values))
        case .hash: addFields(database.hashValue(entry))
        case .sortedSet: addScored(database.sortedSet(of: entry))
        case .stream: mixEntries(StreamValue(entry, in: database.keyspace.arena))
        }
        if entry.hasDeadline { add(ByteView("!!expire!!")) }
    }

    /// Redis numbers modules before streams.
    private static func typeNumber(_ type: ValueType) -> UInt32 {
        type == .stream ? 6 : UInt32(type.rawValue)
    }

    private mutating func mixEntries(_ stream: StreamValue) {
        var cursor = stream.cursor(from: .zero, through: .largest)
        while cursor.next() {
            let id = cursor.id
            NumberText.withText(of: id.milliseconds, UInt8(ascii: "."), id.sequence) { mix($0) }
            cursor.readPairs { field, value in
                field.withText { mix($0) }
                value.withText { mix($0) }
            }
        }
    }

    private mutating func mixList(_ list: ListValue) {
        var cursor = list.cursor(at: 0)
        while let value = cursor.next() { value.withText { mix($0) } }
    }

    private mutating func addMembers(_ set: SetValue) {
        var cursor = SetValue.Cursor()
        while let member = set.next(from: &cursor) { member.withBytes { add($0) } }
    }

    private mutating func addScored(_ set: SortedSetValue) {
        var walk = set.walk(from: 0)
        while let element = walk.next() {
            var one = DataDigest()
            element.member.withText { one.mix($0) }
            withUnsafeTemporaryAllocation(byteCount: NumberText.longestDouble, alignment: 8) {
                guard let start = $0.baseAddress else { return }
                let score = element.score == 0 ? 0 : element.score
                let length = NumberText.write(general: score, to: start)
                one.mix(ByteView(start: start, count: length))
            }
            add(one)
        }
    }

    private mutating func addFields(_ hash: HashValue) {
        var cursor = HashValue.Cursor()
        while let field = hash.next(from: &cursor) {
            var one = DataDigest()
            one.mix(field.name)
            one.mix(field.value)
            if field.deadline != HashValue.never { one.add(ByteView("!!hexpire!!")) }
            add(one)
        }
    }

    private mutating func mixString(_ entry: Entry) {
        switch entry.stringEncoding {
        case .inline, .inlineRaw: mix(entry.inlineString)
        case .integer: String(entry.integer).withByteView { mix($0) }
        case .heap: mix(entry.heapString)
        }
    }
}

extension Keyspace {
    /// The fingerprint of all databases; O(bytes of all keys and values).
    func digest() -> DataDigest {
        var digest = DataDigest()
        for index in 0..<databaseCount where self[index].count > 0 {
            let database = self[index]
            digest.mix(UInt32(index))
            var cursor = HashTable<KeyPolicy>.Cursor()
            while true {
                let handle = database.table.next(from: &cursor)
                if handle.isNone { break }
                let entry = database.entry(at: handle)
                var one = DataDigest()
                one.mix(entry.key)
                one.mixValue(of: entry, in: database)
                digest.add(one)
            }
        }
        return digest
    }
}
