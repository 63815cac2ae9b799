import Reactor

/// The numbers of the RDB format: opcodes, types, and forms of lengths and strings.
///
/// `docs/internals/rdb.md` draws the format and tells who reads and writes which version.
enum DumpFormat {
    // MARK: - Versions

    /// The oldest version that carries all we have but deadlines of fields; every peer since 7.0
    /// reads it.
    static let version = 10
    /// Redis 7.4 and later: carries deadlines of fields.
    static let versionWithFieldDeadlines = 12
    /// The newest version that is read after the magic of Redis.
    static let newestVersion = 12
    /// Valkey 9, after a magic of its own.
    static let valkeyVersion = 80
    /// A future of Valkey is read as long as no unknown type is met.
    static let newestValkeyVersion = 999

    // MARK: - Opcodes

    static let slotImport: UInt8 = 243
    static let slotInfo: UInt8 = 244
    static let function: UInt8 = 245
    static let functionOfPreview: UInt8 = 246
    static let moduleAuxiliary: UInt8 = 247
    static let idle: UInt8 = 248
    static let frequency: UInt8 = 249
    static let auxiliary: UInt8 = 250
    static let resize: UInt8 = 251
    static let deadlineMilliseconds: UInt8 = 252
    static let deadlineSeconds: UInt8 = 253
    static let selectDatabase: UInt8 = 254
    static let end: UInt8 = 255

    // MARK: - Lengths and strings

    static let length32: UInt8 = 0x80
    static let length64: UInt8 = 0x81
    static let integer8: UInt8 = 0xC0
    static let integer16: UInt8 = 0xC1
    static let integer32: UInt8 = 0xC2
    static let compressed: UInt8 = 0xC3
    /// "-2147483648".
    static let longestIntegerText = 11
    /// Shorter strings are never compressed.
    static let shortestCompressed = 20

    // MARK: - Types

    static let string: UInt8 = 0
    static let list: UInt8 = 1
    static let set: UInt8 = 2
    static let sortedSetOfTexts: UInt8 = 3
    static let hash: UInt8 = 4
    static let sortedSet: UInt8 = 5
    static let modulePreview: UInt8 = 6
    static let module: UInt8 = 7
    static let hashZipmap: UInt8 = 9
    static let listZiplist: UInt8 = 10
    static let setIntset: UInt8 = 11
    static let sortedSetZiplist: UInt8 = 12
    static let hashZiplist: UInt8 = 13
    static let listOfZiplists: UInt8 = 14
    static let stream1: UInt8 = 15
    static let hashListpack: UInt8 = 16
    static let sortedSetListpack: UInt8 = 17
    static let listOfListpacks: UInt8 = 18
    static let stream2: UInt8 = 19
    static let setListpack: UInt8 = 20
    static let stream3: UInt8 = 21
    /// Of Redis's previews after its magic, of Valkey 9 after Valkey's.
    static let hashWithDeadlines22: UInt8 = 22
    static let hashListpackPreview: UInt8 = 23
    static let hashWithDeadlines: UInt8 = 24
    static let hashListpackWithDeadlines: UInt8 = 25

    /// What the check tool calls a type, in Redis's words.
    static func name(ofType type: UInt8) -> String {
        Int(type) < typeNames.count ? typeNames[Int(type)] : "unknown"
    }

    private static let typeNames = [
        "string", "list-linked", "set-hashtable", "zset-v1", "hash-hashtable", "zset-v2",
        "module-pre-release", "module-value", "unknown", "hash-zipmap", "list-ziplist",
        "set-intset", "zset-ziplist", "hash-ziplist", "quicklist", "stream", "hash-listpack",
        "zset-listpack", "quicklist-v2", "stream-v2", "set-listpack", "stream-v3",
        "hash-hashtable-md-pre-release", "hash-listpack-md-pre-release", "hash-hashtable-md",
        "hash-listpack-md",
    ]

    /// Nodes of a list.
    static let plainNode: UInt64 = 1
    static let packedNode: UInt64 = 2
}

/// Why bytes in the RDB format cannot be read.
enum DumpError: Error {
    /// They end in the middle of something.
    case truncated
    /// They break the rules of the format.
    case corrupt(String)
    /// They are whole, but hold what this server does not have.
    case unsupported(String)
    case outOfMemory
    /// The server is to end.
    case interrupted
    case system(SystemError)

    /// For the log and the check tool.
    var text: String {
        switch self {
        case .truncated: "Unexpected EOF reading RDB file"
        case .corrupt(let what): what
        case .unsupported(let what): what
        case .outOfMemory: "out of memory"
        case .interrupted: "stopped on request"
        case .system(let error): error.description
        }
    }
}
