import CLinux
import Glibc
import Reactor

/// The server: what there is, and who reaches what through it.
///
/// What it does is in its extensions.
///
/// One thread owns it. A server without `network` has no sockets: tests drive it by `run(…)` with a
/// clock of their own.
final class Server {
    // What it is made of.
    let commands: CommandTable
    let keyspace: Keyspace
    let statistics: Statistics
    let access: AccessList
    /// Where the keys of a request are found when access to them is checked; kept for its room.
    var foundKeys: [KeyPosition] = []
    let log: Log
    let replyPool = ReplyPool()
    let background: Background?
    var settings: Settings
    var network: Network?
    var connections = ConnectionTable()
    var timers = TimerQueue<ServerTimer>()
    var clock: ServerClock
    var random: SystemRandomNumberGenerator

    /// Whether the data is freed with the server; a process that ends leaves that to the system.
    private let freesDataAtEnd: Bool

    // What is going on.
    var gate: Gate = []
    let batch = RequestBatch()
    let slots = InputSlots()
    /// Connections with replies to send at the end of the turn.
    let replying = ConnectionList()
    /// Connections that only hear what others published; sent to after those.
    let listening = ConnectionList()
    /// Connections to close at the end of the turn.
    let closing = ConnectionList()
    /// Connections whose kept requests can go on.
    let resumed = ConnectionList()
    let waiting = Waiting()
    /// Set while requests are repeated that were recorded.
    var isRepeating = false
    var transactions = TransactionState()
    /// Who listens to what.
    let subscriptions: Subscriptions
    var lifecycle = Lifecycle()
    /// The forked process that saves, if there is one.
    var children = ChildState()
    var snapshots = SnapshotState()
    var appendOnly: AppendOnlyState
    var replication = ReplicationState()
    /// Connections of MIGRATE.
    var migration = MigrationLinks()
    var sampling = Sampling()
    /// What DEBUG switched.
    var debug = DebugSwitches()
    let observation = Observation()
    /// Who is shown every command (MONITOR).
    var monitors: ContiguousArray<Connection> = []
    var attention = Attention()
    /// Whose keys are remembered for CLIENT TRACKING.
    let tracking = ClientTracking()
    /// The id of the client whose command runs, its output in the call's hands; 0: nobody's.
    var speaker: UInt64 = 0
    /// What the speaker is sent besides, while its reply is not whole.
    var heldMessages = ReplyWriter()
    /// `maxmemory`.
    let eviction = Eviction()
    /// `maxmemory-clients`.
    let clientMemory = ClientMemory()

    /// What makes every request take the long way through the dispatcher.
    struct Gate: OptionSet {
        let rawValue: UInt32
        static let loading = Gate(rawValue: 1 << 0)
        static let paused = Gate(rawValue: 1 << 1)
        static let memoryLimit = Gate(rawValue: 1 << 2)
        /// The last snapshot failed; writes are refused for it where the settings say so.
        static let saveFailed = Gate(rawValue: 1 << 4)
        /// The append-only file cannot be written or is not trusted, and writes are refused for it.
        static let appendFailed = Gate(rawValue: 1 << 5)
        /// A replica that only its primary may write to.
        static let readOnlyReplica = Gate(rawValue: 1 << 6)
        /// A replica that is out of touch, and tells nothing then.
        static let staleReplica = Gate(rawValue: 1 << 7)
        /// A replica that anybody may write to.
        static let writableReplica = Gate(rawValue: 1 << 10)
        /// Too few replicas follow closely enough for writes to be safe.
        static let tooFewReplicas = Gate(rawValue: 1 << 8)
        /// Data is being loaded that will take the place of what is served.
        static let loadingBeside = Gate(rawValue: 1 << 9)
        /// About to end: nothing is executed any more.
        static let stopping = Gate(rawValue: 1 << 16)
    }

    init(
        settings: Settings, commands: [Command], log: Log, clock: ServerClock = ServerClock(),
        background: Background? = nil, arena: Arena? = nil, freesDataAtEnd: Bool = false
    ) {
        self.settings = settings
        appendOnly = AppendOnlyState(settings)
        self.freesDataAtEnd = freesDataAtEnd
        self.log = log
        self.clock = clock
        self.background = background
        self.commands = CommandTable(
            commands,
            renaming: settings.renamedCommands.map { ($0.name, $0.newName) })
        statistics = Statistics(commandCount: self.commands.count)
        access = AccessList(self.commands.accessCatalog)
        access.setDefaultPassword(settings.requiredPassword)
        random = SystemRandomNumberGenerator()
        keyspace = Keyspace.create(
            databaseCount: settings.databaseCount,
            seed: (random.next(), random.next(), random.next(), random.next()), arena: arena)
        subscriptions = Subscriptions(hasher: keyspace.hasher)
        lifecycle.startedAt = clock.wallMilliseconds
        lifecycle.lastSave = clock.wallMilliseconds / 1000
        lifecycle.runID = Self.randomIdentifier()
        followSettings()
        refreshTime()
        lifecycle.startupMemory = usedMemory
        lifecycle.processBaseMemory = max(0, Process.residentBytes() - usedMemory)
    }

    /// Forty random hexadecimal digits.
    static func randomIdentifier() -> String { randomDigits(40) }

    /// So many hexadecimal digits, from the system's generator: fit for passwords.
    static func randomDigits(_ count: Int) -> String {
        let text = Process.randomBytes((count + 1) / 2).map { byte in
            let text = String(byte, radix: 16)
            return byte < 16 ? "0" + text : text
        }.joined()
        return String(text.prefix(count))
    }

    deinit {
        if freesDataAtEnd { keyspace.destroy() }
    }

    /// Takes over what the clock says; once a turn, and after a command that took long.
    func refreshTime() {
        readClock()
        keyspace.now = clock.wallMilliseconds
        keyspace.setMoment(seconds: clock.wallMilliseconds / 1000)
        statistics.tickScale = clock.scale
    }

    func readClock() {
        var clock = clock
        clock.refresh()
        self.clock = clock
    }

    /// Bytes in use: data, tables, buffers, and the objects of the connections.
    var usedMemory: Int {
        keyspace.usedBytes + connections.count * Connection.ownBytes + subscriptions.memoryBytes
            + transactions.watched.memoryBytes + slots.memoryBytes + Self.fixedBytes
    }

    /// What the program holds besides, measured once: tables of commands and settings, runtime.
    static let fixedBytes = 352 * 1024
}

/// What a timer of the loop is for.
enum ServerTimer {
    case cron
    case expire
    /// More has to be given up for want of memory.
    case evict
    case resumeAccepting
    case pauseIsOver
    /// The time of a client that waits is over.
    case waitIsOver(client: UInt64)
    /// The sign of life for the service manager.
    case service
    /// What replication does once a second.
    case replication
    /// All data of a primary has come.
    case synchronize
    /// Its requests may be repeated again.
    case repeatStream
    /// A replica may have everything.
    case failOver
    /// All data was removed.
    case saveFlush
}

/// Since when, under which id, and whether it is about to end.
struct Lifecycle {
    var startedAt: Int64 = 0
    var runID = ""
    var startupMemory = 0
    var processBaseMemory = 0
    var executable = ""
    var arguments: [String] = []
    var shouldStop = false
    /// How to end, once SIGTERM or SIGINT has come; the second one ends at once.
    var stopRequest: ShutdownOptions?
    /// How to end, once replicas have what was written.
    var waitingStop: WaitingStop?
    var exitStatus: Int32 = 0
    /// When a snapshot was last completed, or the start; in seconds.
    var lastSave: Int64 = 0
    var service = ServiceManager()
    var outOfMemoryScore = OutOfMemoryScore()
}

/// A shutdown that waits for replicas.
struct WaitingStop {
    let options: ShutdownOptions
    /// In monotonic milliseconds.
    let deadline: Int64
}

struct DebugSwitches {
    /// DEBUG SET-ACTIVE-EXPIRE.
    var activeExpire = true
    /// DEBUG PAUSE-CRON.
    var cronPaused = false
    /// DEBUG DICT-RESIZING.
    var resizesTables = true
    /// DEBUG REPLYBUFFER PEAK-RESET-TIME, in milliseconds.
    var replyPeakResetMilliseconds: Int64 = 5000
    var replyBufferResizing = true
    /// DEBUG AOF-FLUSH-SLEEP, in microseconds: before each write of the append-only file.
    var appendDelayMicroseconds: UInt32 = 0
    /// DEBUG SET-SKIP-CHECKSUM-VALIDATION.
    var skipsChecksums = false
    /// DEBUG SET-DISABLE-DENY-SCRIPTS.
    var allowsAllInScripts = false
    /// DEBUG QUICKLIST-PACKED-THRESHOLD: a longer list element gets a node of its own; 0: the default.
    var packedThresholdBytes: UInt64 = 0
}

/// The clocks as the loop sees them: read once a turn; or set by hand, in a test.
struct ServerClock {
    private(set) var clock: Clock
    private(set) var scale = TickScale()
    private let isManual: Bool

    init() {
        clock = Clock()
        isManual = false
    }

    /// A clock that stands still until `advance`.
    init(manualWallMilliseconds: Int64) {
        clock = Clock(
            monotonicNanoseconds: 1_000_000_000, wallMicroseconds: manualWallMilliseconds * 1000)
        isManual = true
    }

    var wallMilliseconds: Int64 { clock.wallMilliseconds }
    var wallMicroseconds: Int64 { clock.wallMicroseconds }
    var monotonicMilliseconds: Int64 { clock.monotonicMilliseconds }
    var monotonicNanoseconds: UInt64 { clock.monotonicNanoseconds }

    mutating func refresh() {
        if isManual { return }
        clock.refresh()
        scale.refresh(ticks: TickScale.ticks(), nanoseconds: clock.monotonicNanoseconds)
    }

    mutating func advance(milliseconds: Int64) {
        precondition(isManual, "only a manual clock can be advanced")
        clock = Clock(
            monotonicNanoseconds: clock.monotonicNanoseconds + UInt64(milliseconds) * 1_000_000,
            wallMicroseconds: clock.wallMicroseconds + milliseconds * 1000)
    }
}
