import Glibc

/// What loading a snapshot brought.
struct SnapshotReport {
    var loadedKeys = 0
    /// Keys left out because their time was over.
    var expiredKeys = 0
    /// Collections without elements.
    var emptyKeys = 0
    /// The names of the first of them.
    var emptyKeyNames: [String] = []
    /// What the file says of its origin, in its order: as much as anybody writes.
    private(set) var facts: [(name: String, value: String)] = []
    private static let mostFacts = 100
    /// Of a name and of a value so many bytes are kept.
    static let longestFact = 1024

    mutating func note(_ name: String, _ value: String) {
        if facts.count < Self.mostFacts { facts.append((name, value)) }
    }

    mutating func noteEmpty(_ key: ByteView) {
        emptyKeys += 1
        if emptyKeys <= 10 { emptyKeyNames.append(key.prefix(Self.longestFact).string) }
    }

    func fact(_ name: String) -> String? { facts.first { $0.name == name }?.value }
}

/// Reads an RDB file of any version and origin into the databases.
///
/// Promises: a broken file ends in an error that says what is wrong and where, whatever its bytes are;
/// no key is loaded twice; collections get the encodings that our settings ask for.
struct SnapshotReader: ~Copyable {
    private let keyspace: Keyspace
    private let options: Options
    private(set) var report = SnapshotReport()
    private var dialect = DumpDialect.redis
    /// What the records before a key say of it.
    private var traits = KeyTraits()
    private var key = ByteBuffer()
    private var strings = StringBatch()
    /// What is being read, for who asks after an error.
    private(set) var doing = Activity.start
    private(set) var type: UInt8 = 0

    /// Named as the check tool of Redis names them.
    enum Activity: String {
        case start
        case record = "read-type"
        case key = "read-key"
        case value = "read-object-value"
        case checksum = "check-sum"
        case fact = "read-aux"
    }

    /// What was read.
    enum Step {
        case fact(name: String, value: String)
        case database(Int)
        case key(deadline: Int64?)
        /// False: whoever wrote the file wanted none.
        case checksum(Bool)
    }

    var keyText: String { key.view.string }

    /// Which value is being read, for a complaint; empty where it is none.
    ///
    /// - Parameter word: stands for a key that is not to be told.
    func whereabouts(keyAs word: String?) -> String {
        doing == .value ? " (value of key '\(word ?? key.view.prefix(128).string)')" : ""
    }

    struct Options {
        var checks = true
        /// Keys whose time is over are left out: not by a replica, nor from an append-only file.
        var dropsExpired = true
        /// A key that is there already is overwritten, where that is no error.
        var replaces = false
        /// Values are thrown away as soon as they are read.
        var keepsNothing = false
        /// Databases that the data goes into, in place of those of the keyspace; none: into those.
        var shadows: [Database] = []
        /// A pause after every key (`key-load-delay`), so that tests catch a load under way.
        var keyDelayMicroseconds = 0
    }

    private struct KeyTraits {
        var deadline: Int64?
        var idleSeconds: UInt64?
        var frequency: UInt8?

        /// Whether there is nothing but a deadline, if that.
        var isPlain: Bool { idleSeconds == nil && frequency == nil }
    }

    init(into keyspace: Keyspace, _ options: Options = Options()) {
        self.keyspace = keyspace
        self.options = options
    }

    /// Loads all of it; what was loaded before an error stays.
    ///
    /// - Parameter onStep: is told what was read, and how many bytes so far; false ends the load.
    mutating func load(
        from reader: inout DumpReader, onStep: (Step, Int) -> Bool = { _, _ in true }
    ) throws(DumpError) {
        let version = try readMagic(from: &reader)
        let expiringHashes = SharedCount.create()
        defer { expiringHashes.destroy() }
        let values = ValueReader(keyspace, dialect, counting: expiringHashes)
        var database = database(0)
        while true {
            if strings.isEmpty { reader.beginRecord() }
            doing = .record
            let opcode = try reader.byte()
            if !Self.leavesStringsWaiting(opcode) { try storeStrings(in: database, reader) }
            switch opcode {
            case DumpFormat.end: return try finish(version, &reader, onStep)
            case DumpFormat.selectDatabase:
                let index = try reader.length()
                guard index < UInt64(keyspace.databaseCount) else {
                    throw .corrupt(
                        "FATAL: Data file was created with a Redis server configured to handle "
                            + "more than \(keyspace.databaseCount) databases. Exiting")
                }
                database = self.database(Int(index))
                _ = onStep(.database(Int(index)), reader.position)
            case DumpFormat.resize:
                // Each key takes three bytes at least, whatever is told.
                let told = try reader.length()
                let possible = min(reader.certainBytes / 3, Self.mostReserved)
                database.reserve(Int(min(told, UInt64(possible))))
                _ = try reader.length()
            case DumpFormat.auxiliary: try readFact(from: &reader, onStep)
            case 200...: try readTrait(opcode, from: &reader)
            default:
                let deadline = traits.deadline
                if opcode == DumpFormat.string && traits.isPlain && !options.keepsNothing {
                    try readString(into: database, from: &reader)
                } else {
                    try storeStrings(in: database, reader)
                    try readKey(opcode, values, into: database, from: &reader)
                }
                if options.keyDelayMicroseconds > 0 { usleep(UInt32(options.keyDelayMicroseconds)) }
                guard onStep(.key(deadline: deadline), reader.position) else { throw .interrupted }
            }
        }
    }

    /// Beyond this a table grows when the keys are there.
    private static let mostReserved = 1 << 28

    private func database(_ index: Int) -> Database {
        options.shadows.isEmpty ? keyspace[index] : options.shadows[index]
    }

    // MARK: - The frame

    /// `REDIS` and four digits, or `VALKEY` and three.
    @discardableResult
    mutating func readMagic(from reader: inout DumpReader) throws(DumpError) -> Int {
        let bytes = reader.view(try reader.raw(9)).array
        let wrong = DumpError.corrupt("Wrong signature trying to load DB from file")
        let (digits, least, most): (ArraySlice<UInt8>, Int, Int)
        if bytes.starts(with: Array("REDIS".utf8)) {
            (digits, least, most) = (bytes[5...], 1, DumpFormat.newestVersion)
        } else if bytes.starts(with: Array("VALKEY".utf8)) {
            dialect = .valkey
            (digits, least, most) =
                (bytes[6...], DumpFormat.valkeyVersion, DumpFormat.newestValkeyVersion)
        } else {
            throw wrong
        }
        guard digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { throw wrong }
        let version = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        guard version >= least, version <= most else {
            throw .unsupported("Can't handle RDB format version \(version)")
        }
        return version
    }

    private mutating func readFact(
        from reader: inout DumpReader, _ onStep: (Step, Int) -> Bool
    ) throws(DumpError) {
        doing = .fact
        let pieces = (try reader.piece(), try reader.piece())
        let longest = SnapshotReport.longestFact
        let name = reader.view(pieces.0).prefix(longest).string
        let value = reader.view(pieces.1).prefix(longest).string
        report.note(name, value)
        _ = onStep(.fact(name: name, value: value), reader.position)
    }

    private mutating func finish(
        _ version: Int, _ reader: inout DumpReader, _ onStep: (Step, Int) -> Bool
    ) throws(DumpError) {
        guard version >= 5 else { return }
        doing = .checksum
        let computed = reader.currentChecksum()
        let stored = try reader.littleEndian(UInt64.self)
        // Zero: whoever wrote it wanted no checksum.
        if options.checks && stored != 0 && stored != computed {
            throw .corrupt(
                "RDB CRC error: expected \(hex(computed)), but got \(hex(stored))")
        }
        _ = onStep(.checksum(stored != 0), reader.position)
    }

    private func hex(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    // MARK: - Records before a key

    private mutating func readTrait(
        _ opcode: UInt8, from reader: inout DumpReader
    ) throws(DumpError) {
        switch opcode {
        case DumpFormat.deadlineMilliseconds: traits.deadline = try reader.littleEndian(Int64.self)
        case DumpFormat.deadlineSeconds:
            traits.deadline = Int64(try reader.littleEndian(Int32.self)) * 1000
        case DumpFormat.idle: traits.idleSeconds = try reader.length()
        case DumpFormat.frequency: traits.frequency = try reader.byte()
        case DumpFormat.slotInfo:
            for _ in 0..<3 { _ = try reader.length() }
        case DumpFormat.moduleAuxiliary: try skipModuleData(from: &reader)
        case DumpFormat.function, DumpFormat.functionOfPreview:
            throw .unsupported("The RDB file contains functions, and there are none here")
        default: throw .corrupt("Unknown RDB opcode \(opcode)")
        }
    }

    /// Data that a module keeps beside the keys: told where it ends, it can be passed over.
    private func skipModuleData(from reader: inout DumpReader) throws(DumpError) {
        _ = try reader.length()
        guard try reader.length() == 2 else { throw .corrupt("broken module data") }
        _ = try reader.length()
        while true {
            reader.beginRecord()
            switch try reader.length() {
            case 0: return
            case 1, 2: _ = try reader.length()
            case 3: _ = try reader.littleEndian(UInt32.self)
            case 4: _ = try reader.littleEndian(UInt64.self)
            case 5: _ = try reader.piece()
            default: throw .corrupt("broken module data")
            }
        }
    }

    // MARK: - Strings

    /// Whether a record of this kind is read without ending the one that strings wait in.
    private static func leavesStringsWaiting(_ opcode: UInt8) -> Bool {
        switch opcode {
        case DumpFormat.string, DumpFormat.deadlineMilliseconds, DumpFormat.deadlineSeconds: true
        default: false
        }
    }

    /// Strings without peculiarities wait for others, to be stored with them.
    private mutating func readString(
        into database: Database, from reader: inout DumpReader
    ) throws(DumpError) {
        let deadline = traits.deadline
        traits = KeyTraits()
        (doing, type) = (.key, DumpFormat.string)
        let key = try reader.piece()
        let value = try value(of: key, from: &reader)
        if let deadline, options.dropsExpired, deadline < keyspace.now {
            return noteExpired(reader.view(key), in: database)
        }
        strings.add(key, value, deadline: deadline ?? 0, for: database, reader)
        if strings.isFull { try storeStrings(in: database, reader) }
    }

    /// The string behind `key`, which is kept only for who asks after an error.
    @inline(__always)
    private mutating func value(
        of key: DumpReader.Piece, from reader: inout DumpReader
    ) throws(DumpError) -> DumpReader.Piece {
        do throws(DumpError) {
            return try reader.piece()
        } catch {
            doing = .value
            self.key.removeAll()
            self.key.append(reader.view(key))
            throw error
        }
    }

    /// A key is left out because its time is over, which others who have it are to know.
    private mutating func noteExpired(_ key: ByteView, in database: Database) {
        report.expiredKeys += 1
        guard keyspace.interest.contains(.propagation) else { return }
        keyspace.feed.appendExpiry(of: key, in: database.index)
        keyspace.feed.endUnit(asTransaction: false)
    }

    private mutating func storeStrings(
        in database: Database, _ reader: borrowing DumpReader
    ) throws(DumpError) {
        if strings.isEmpty { return }
        report.loadedKeys += try strings.store(
            in: database, replaces: options.replaces, from: reader)
    }

    // MARK: - Keys

    private mutating func readKey(
        _ type: UInt8, _ values: ValueReader, into database: Database,
        from reader: inout DumpReader
    ) throws(DumpError) {
        let traits = self.traits
        self.traits = KeyTraits()
        (doing, self.type) = (.key, type)
        key.removeAll()
        key.append(reader.view(try reader.piece()))
        // Its place arrives while the value is read.
        let hash = database.key(key.view).hash
        if !options.keepsNothing { database.prefetchGroup(hash) }
        reader.beginRecord()
        doing = .value
        let value = try values.read(type, from: &reader)
        if case .nothing = value {
            report.noteEmpty(key.view)
            return
        }
        if options.keepsNothing {
            value.discard(in: keyspace)
            _ = keyspace.freeBuried(entries: .max)
            report.loadedKeys += 1
            return
        }
        if let deadline = traits.deadline, options.dropsExpired, deadline < keyspace.now {
            value.discard(in: keyspace)
            return noteExpired(key.view, in: database)
        }
        let key = Key(bytes: key.view, hash: hash)
        if database.entryDueOrNot(key) != nil && !options.replaces {
            value.discard(in: keyspace)
            throw .duplicate(key, in: database)
        }
        try store(value, at: key, traits, in: database, reader)
        report.loadedKeys += 1
    }

    private func store(
        _ value: LoadedValue, at key: Key, _ traits: KeyTraits, in database: Database,
        _ reader: borrowing DumpReader
    ) throws(DumpError) {
        let entry = try database.store(
            value, at: key, deadline: traits.deadline ?? 0, from: reader)
        if let entry {
            keyspace.mark(
                entry, idleSeconds: traits.idleSeconds.map { Int64(clamping: $0) },
                count: traits.frequency)
        }
    }
}

extension Database {
    /// Makes what a reader brought the value of `key`, whatever was there before; the entry is nil
    /// where that is nothing.
    func store(
        _ value: LoadedValue, at key: Key, deadline: Int64, from reader: borrowing DumpReader
    ) throws(DumpError) -> Entry? {
        do throws(CommandError) {
            switch value {
            case .nothing: return nil
            case .string(let piece):
                try setString(key, reader.view(piece), deadline: deadline)
                return entryDueOrNot(key)
            case .collection(let collection):
                return try setCollection(key, collection, deadline: deadline)
            }
        } catch {
            throw .outOfMemory
        }
    }
}
