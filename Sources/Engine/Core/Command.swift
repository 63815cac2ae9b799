/// The declaration of a command: one row in the table of its group, everything else follows from it.
///
/// Arity check, gates, key extraction, ACL categories, COMMAND INFO and DOCS, `--list-commands` and
/// the compatibility table are all derived from the row.
struct Command: Sendable {
    typealias Handler = @Sendable (inout Call) throws(CommandError) -> Void

    /// In capitals, as documented; a subcommand's own word without its container.
    let name: String
    let arity: Arity
    let flags: CommandFlags
    /// Categories beyond those that `flags` and `group` imply.
    let categories: CommandCategories
    let group: CommandGroup
    let keys: [KeySpec]
    /// The extractor for commands whose keys no specification describes.
    let keyFinder: KeyFinder?
    /// The Redis version that introduced it.
    let since: String
    /// One sentence for COMMAND DOCS, in our own words.
    let summary: String
    /// Arguments as documentation writes them: `key value [NX | XX] [EX seconds | PX milliseconds]`.
    let syntax: String
    let tips: [String]
    /// The argument that names an element of the first key's value, looked ahead at as keys are;
    /// `wholeValue` where all of that value is read, 0 where neither holds.
    let element: Int
    /// Which arguments no log and no MONITOR may show; nil where none is secret.
    let secrets: SecretFinder?
    /// The version that deprecated it, and what replaces it.
    let deprecated: (since: String, replacement: String)?
    let handler: Handler
    let subcommands: [Command]

    /// In place of an element: the command reads the value of its first key from the beginning.
    static let wholeValue = -1

    init(
        _ name: String, _ arity: Arity, _ flags: CommandFlags,
        _ categories: CommandCategories = [], group: CommandGroup, keys: [KeySpec] = [],
        keyFinder: KeyFinder? = nil, since: String, _ summary: String, syntax: String = "",
        tips: [String] = [], deprecated: (since: String, replacement: String)? = nil,
        element: Int = 0, secrets: SecretFinder? = nil, _ handler: @escaping Handler,
        subcommands: [Command] = []
    ) {
        self.name = name
        self.arity = arity
        self.flags = flags
        self.categories = categories
        self.group = group
        self.keys = keys
        self.keyFinder = keyFinder
        self.since = since
        self.summary = summary
        self.syntax = syntax
        self.tips = tips
        self.element = element
        self.secrets = secrets
        self.deprecated = deprecated
        self.handler = handler
        self.subcommands = subcommands
    }

    /// A container: its first argument names the subcommand.
    init(
        _ name: String, _ flags: CommandFlags = [], _ categories: CommandCategories = [],
        group: CommandGroup, since: String, _ summary: String, subcommands: [Command]
    ) {
        self.name = name
        self.arity = .atLeast(2)
        self.flags = flags
        self.categories = categories
        self.group = group
        self.keys = []
        self.keyFinder = nil
        self.since = since
        self.summary = summary
        self.syntax = ""
        self.tips = []
        self.element = 0
        self.secrets = nil
        self.deprecated = nil
        self.handler = Command.container
        self.subcommands = subcommands
    }

    /// Never reached: the dispatcher resolves subcommands before it calls.
    private static func container(_ call: inout Call) throws(CommandError) {
        throw .text("ERR a container command was called without its subcommand")
    }
}

/// How many arguments a command takes, its own name (and its container's) counted.
enum Arity: Sendable, Equatable {
    case exactly(Int)
    case atLeast(Int)

    /// As COMMAND INFO prints it: negative for "at least".
    var number: Int {
        switch self {
        case .exactly(let count): count
        case .atLeast(let count): -count
        }
    }
}

/// What the gates and COMMAND INFO know of a command; bit order is print order.
struct CommandFlags: OptionSet, Sendable {
    let rawValue: UInt64

    static let write = CommandFlags(rawValue: 1 << 0)
    static let readOnly = CommandFlags(rawValue: 1 << 1)
    static let denyOOM = CommandFlags(rawValue: 1 << 2)
    static let module = CommandFlags(rawValue: 1 << 3)
    static let admin = CommandFlags(rawValue: 1 << 4)
    static let pubSub = CommandFlags(rawValue: 1 << 5)
    static let noScript = CommandFlags(rawValue: 1 << 6)
    static let blocking = CommandFlags(rawValue: 1 << 7)
    static let loading = CommandFlags(rawValue: 1 << 8)
    static let stale = CommandFlags(rawValue: 1 << 9)
    static let skipMonitor = CommandFlags(rawValue: 1 << 10)
    static let skipSlowLog = CommandFlags(rawValue: 1 << 11)
    static let asking = CommandFlags(rawValue: 1 << 12)
    static let fast = CommandFlags(rawValue: 1 << 13)
    static let noAuth = CommandFlags(rawValue: 1 << 14)
    static let noMandatoryKeys = CommandFlags(rawValue: 1 << 15)
    static let noAsyncLoading = CommandFlags(rawValue: 1 << 16)
    static let noMulti = CommandFlags(rawValue: 1 << 17)
    static let movableKeys = CommandFlags(rawValue: 1 << 18)
    static let allowBusy = CommandFlags(rawValue: 1 << 19)
    // Not printed.
    /// Stands in what was recorded although it changes no data: it frames changes, or asks how many of
    /// them have been repeated.
    static let framesChanges = CommandFlags(rawValue: 1 << 20)
    /// Channels among the arguments, for access control: the first, all, or all as patterns.
    static let firstIsChannel = CommandFlags(rawValue: 1 << 21)
    static let allAreChannels = CommandFlags(rawValue: 1 << 22)
    static let allAreChannelPatterns = CommandFlags(rawValue: 1 << 23)
    static let mayReplicate = CommandFlags(rawValue: 1 << 24)
    static let protected = CommandFlags(rawValue: 1 << 25)
    static let touchesArbitraryKeys = CommandFlags(rawValue: 1 << 26)
    /// Documented as internal (COMMAND DOCS `syscmd`).
    static let systemCommand = CommandFlags(rawValue: 1 << 27)
    /// Runs at once even inside MULTI, where others are queued.
    static let immediate = CommandFlags(rawValue: 1 << 28)
    /// Does what the transaction has queued: passes the gates as all of that would.
    static let runsQueue = CommandFlags(rawValue: 1 << 29)
    /// May be sent by a subscriber that speaks RESP2.
    static let whileSubscribed = CommandFlags(rawValue: 1 << 30)

    /// Refused as writes are while the data cannot be saved: what monitors servers is to notice.
    static let refusedUnsaved = CommandFlags(rawValue: 1 << 31)
    /// Is there to mark accesses, also for a client that leaves them unmarked.
    static let marksAccess = CommandFlags(rawValue: 1 << 32)
    /// Protected by the setting for modules, not by that for debugging.
    static let loadsModules = CommandFlags(rawValue: 1 << 33)
    /// A container whose subcommands do not use up CLIENT CACHING.
    static let keepsCachingException = CommandFlags(rawValue: 1 << 34)

    /// The names of the printed flags, by bit.
    static let names = [
        "write", "readonly", "denyoom", "module", "admin", "pubsub", "noscript", "blocking",
        "loading", "stale", "skip_monitor", "skip_slowlog", "asking", "fast", "no_auth",
        "no_mandatory_keys", "no_async_loading", "no_multi", "movablekeys", "allow_busy",
    ]
}

/// ACL categories; bit order is print order.
struct CommandCategories: OptionSet, Sendable {
    let rawValue: UInt32

    static let keyspace = CommandCategories(rawValue: 1 << 0)
    static let read = CommandCategories(rawValue: 1 << 1)
    static let write = CommandCategories(rawValue: 1 << 2)
    static let set = CommandCategories(rawValue: 1 << 3)
    static let sortedSet = CommandCategories(rawValue: 1 << 4)
    static let list = CommandCategories(rawValue: 1 << 5)
    static let hash = CommandCategories(rawValue: 1 << 6)
    static let string = CommandCategories(rawValue: 1 << 7)
    static let bitmap = CommandCategories(rawValue: 1 << 8)
    static let hyperLogLog = CommandCategories(rawValue: 1 << 9)
    static let geo = CommandCategories(rawValue: 1 << 10)
    static let stream = CommandCategories(rawValue: 1 << 11)
    static let pubSub = CommandCategories(rawValue: 1 << 12)
    static let admin = CommandCategories(rawValue: 1 << 13)
    static let fast = CommandCategories(rawValue: 1 << 14)
    static let slow = CommandCategories(rawValue: 1 << 15)
    static let blocking = CommandCategories(rawValue: 1 << 16)
    static let dangerous = CommandCategories(rawValue: 1 << 17)
    static let connection = CommandCategories(rawValue: 1 << 18)
    static let transaction = CommandCategories(rawValue: 1 << 19)
    static let scripting = CommandCategories(rawValue: 1 << 20)

    static let names = [
        "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap",
        "hyperloglog", "geo", "stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous",
        "connection", "transaction", "scripting",
    ]
}

/// The group a command is documented in; the file of its row bears the same name.
enum CommandGroup: String, Sendable {
    case generic, string, list, set
    case sortedSet = "sorted-set"
    case hash
    case pubSub = "pubsub"
    case transactions, connection, server, scripting
    case hyperLogLog = "hyperloglog"
    case cluster, geo, stream, bitmap, module

    /// The category that belonging to the group implies; others are named in the row.
    var category: CommandCategories {
        switch self {
        case .string: .string
        case .list: .list
        case .set: .set
        case .sortedSet: .sortedSet
        case .hash: .hash
        case .hyperLogLog: .hyperLogLog
        case .geo: .geo
        case .stream: .stream
        case .bitmap: .bitmap
        case .transactions: .transaction
        default: []
        }
    }
}

/// Where a command's keys are among its arguments, and what is done to them.
struct KeySpec: Sendable {
    enum Access: String, Sendable {
        case readOnly = "RO"
        case readWrite = "RW"
        case overwrite = "OW"
        case remove = "RM"
        case none = ""
    }

    struct Flags: OptionSet, Sendable {
        let rawValue: UInt8
        static let access = Flags(rawValue: 1)
        static let update = Flags(rawValue: 2)
        static let insert = Flags(rawValue: 4)
        static let delete = Flags(rawValue: 8)
        static let notKey = Flags(rawValue: 16)
        static let incomplete = Flags(rawValue: 32)
        static let variableFlags = Flags(rawValue: 64)
        static let names = [
            "access", "update", "insert", "delete", "not_key", "incomplete", "variable_flags",
        ]
    }

    enum Begin: Sendable, Equatable {
        case index(Int)
        case keyword(String, startFrom: Int)
        case unknown
    }

    enum Find: Sendable, Equatable {
        case range(last: Int, step: Int, limit: Int)
        case count(index: Int, first: Int, step: Int)
        case unknown
    }

    let access: Access
    let flags: Flags
    let begin: Begin
    let find: Find
    let note: String?

    init(
        _ access: Access, _ flags: Flags, _ begin: Begin, _ find: Find, note: String? = nil
    ) {
        self.access = access
        self.flags = flags
        self.begin = begin
        self.find = find
        self.note = note
    }

    /// One key, at `index`.
    static func at(_ index: Int, _ access: Access, _ flags: Flags, note: String? = nil) -> KeySpec {
        KeySpec(access, flags, .index(index), .range(last: 0, step: 1, limit: 0), note: note)
    }

    /// Keys from `index` to the end, less `-last - 1` arguments, every `step`.
    static func from(
        _ index: Int, last: Int = -1, step: Int = 1, _ access: Access, _ flags: Flags,
        note: String? = nil
    ) -> KeySpec {
        KeySpec(access, flags, .index(index), .range(last: last, step: step, limit: 0), note: note)
    }

    /// As many keys as the argument at `index` says, behind it.
    static func counted(
        at index: Int, step: Int = 1, _ access: Access, _ flags: Flags, note: String? = nil
    ) -> KeySpec {
        KeySpec(
            access, flags, .index(index), .count(index: 0, first: 1, step: step), note: note)
    }
}

/// A key's position among the arguments and how the command will use it.
struct KeyPosition: Equatable {
    var index: Int
    var access: KeySpec.Access
    var flags: KeySpec.Flags
}

/// Finds the arguments of a request that are secret, also of one whose arguments are invalid.
typealias SecretFinder = @Sendable (Arguments) -> [Int]

/// Finds the keys of a request by hand; nil when its arguments are invalid.
typealias KeyFinder = @Sendable (Arguments) -> [KeyPosition]?
