import Glibc

/// Everything that can be configured, as plain fields: the code that obeys a setting reads it
/// here directly, and only CONFIG and the configuration file go through `SettingTable`.
///
/// A field's initial value is the default of its directive. Names carry their unit. Fields whose
/// feature is still to come are stored and reported all the same, so that a configuration file
/// written for a peer is accepted.
struct Settings: Sendable {
    /// Where the configuration was read from: absolute, `nil` without a file.
    var configFile: String?

    /// Why no server can start that does what these settings ask for; nil if one can.
    ///
    /// What would only be slower without is accepted; what would answer wrongly, or in the clear, is not.
    var missingFeature: String? {
        if clusterEnabled {
            return
                "'cluster-enabled' asks for a cluster, and this version knows none: every node would "
                + "serve every key. Remove the line to start a server alone"
        }
        if tlsPort != 0 || tlsReplication || tlsCluster {
            return
                "'tls-port', 'tls-replication' and 'tls-cluster' ask for TLS, which this version does "
                + "not speak. Remove them, and put a proxy that ends TLS in front"
        }
        guard moduleLines.isEmpty else {
            return "'loadmodule' asks for a module, and this version loads none. Remove the line"
        }
        return nil
    }

    // MARK: Network
    /// A leading `-` forgives an address that is not there; `*` is every IPv4 address.
    var bindAddresses: [String] = ["*", "-::*"]
    /// 0 listens on no TCP port.
    var port = 6379
    var tcpBacklog = 511
    /// 0 turns probes off.
    var tcpKeepAliveSeconds = 300
    /// Idle seconds after which a client is closed; 0 never.
    var timeoutSeconds = 0
    var unixSocketPath: String?
    /// The mode of the Unix socket; 0 leaves it to the umask.
    var unixSocketPermissions = 0
    var unixSocketGroup: String?
    var bindSourceAddress: String?
    var isProtectedMode = true
    var maxClients = 10_000
    var maxNewConnectionsPerCycle = 10
    var maxNewTLSConnectionsPerCycle = 1
    var socketMarkID = 0
    var defaultProtocolVersion = 2
    var clientOutputLimits = ClientOutputLimits()
    var clientQueryBufferBytes = 1_073_741_824
    var maxBulkBytes = 536_870_912
    var ioThreads = 1
    var ioThreadsDoReads = false
    var eventsPerIOThread = 2
    var prefetchBatchSize = 16
    var extendedRedisCompatibility = false
    var availabilityZone = ""

    // MARK: Process
    var daemonizes = false
    var pidFile: String?
    var supervision: Supervision = .no
    /// Absolute.
    ///
    /// Whoever applies a change must `chdir` there.
    var directory = currentDirectory()
    var databaseCount = 16
    /// Held within 1...500 by `normalize()`.
    var hz = 10
    var hasDynamicHz = true
    var shutdownTimeoutSeconds = 10
    var shutdownOnInterrupt: ShutdownOptions = []
    var shutdownOnTerminate: ShutdownOptions = []
    var setsProcessTitle = true
    var processTitleTemplate = "{title} {listen-addr} {server-mode}"
    var alwaysShowsLogo = false
    var oomScoreAdjust: OOMScoreMode = .no
    var oomScoreValues = OOMScoreValues()
    var disablesTransparentHugePages = true
    var jemallocBackgroundThread = true
    var serverCPUs: String?
    var backgroundCPUs: String?
    var aofRewriteCPUs: String?
    var backgroundSaveCPUs: String?
    var ignoredWarnings = ""
    var localeCollate = ""
    var protectedConfigAccess: AdminAccess = .no
    var debugCommandAccess: AdminAccess = .no
    var moduleCommandAccess: AdminAccess = .no

    // MARK: Log and crash reports
    var logLevel: LogLevel = .notice
    var logFile = ""
    var logFormat: LogFormat = .text
    var logTimestampFormat: LogTimestampFormat = .legacy
    var hidesUserDataFromLog = false
    var syslogEnabled = false
    var syslogIdentity = "redis"
    var syslogFacility: SyslogFacility = .local0
    var crashLogEnabled = true
    var crashMemoryCheckEnabled = true
    var exitsOnPanic = false
    var watchdogMilliseconds = 0
    var debugAssertEnabled = false
    var debugContext = ""
    var requestResponseLogFile: String?

    // MARK: Memory
    /// 0 is no limit.
    var maxMemoryBytes: UInt64 = 0
    var maxMemoryPolicy: MaxMemoryPolicy = .noEviction
    var maxMemorySamples = 5
    var evictionTenacity = 10
    var maxMemoryClients: ClientMemoryLimit = .bytes(0)
    var lfuLogFactor = 10
    var lfuDecayMinutes = 1
    var activeExpireEffort = 1
    var activeRehashing = true
    var lazyEviction = false
    var lazyExpire = false
    var lazyServerDelete = false
    var lazyUserDelete = false
    var lazyUserFlush = false
    var activeDefragmentation = false
    var defragmentationCycleMaxPercent = 25
    var defragmentationCycleMinPercent = 1
    var defragmentationIgnoredBytes = 104_857_600
    var defragmentationMaxScanFields = 1000
    var defragmentationLowerPercent = 10
    var defragmentationUpperPercent = 100

    // MARK: Encodings
    var hashMaxListpackEntries = 512
    var hashMaxListpackValueBytes = 64
    /// Positive counts entries; -1 to -5 name 4 to 64 kB.
    var listMaxListpackSize = -2
    var listCompressDepth = 0
    var setMaxIntsetEntries = 512
    var setMaxListpackEntries = 128
    var setMaxListpackValueBytes = 64
    var sortedSetMaxListpackEntries = 128
    var sortedSetMaxListpackValueBytes = 64
    var hyperLogLogSparseMaxBytes = 3000
    var streamNodeMaxBytes = 4096
    var streamNodeMaxEntries = 100

    // MARK: Snapshots
    /// Empty saves never.
    var savePoints: [SavePoint] = SavePoint.standard
    var snapshotFileName = "dump.rdb"
    var snapshotCompression = true
    var snapshotChecksum = true
    var deletesSyncFiles = false
    var snapshotIncrementalSync = true
    var snapshotKeyDelayMicroseconds = 0
    var keyLoadDelayMicroseconds = 0
    var loadingEventIntervalBytes = 2_097_152
    var dumpSanitizing: DumpSanitizing = .no
    var stopsWritesOnSaveError = true
    /// Who shall be able to read hashes whose fields have deadlines.
    var fieldDeadlineFormat: FieldDeadlineFormat = .redis

    // MARK: Append-only file
    var appendOnly = false
    var appendSync: AppendSync = .everySecond
    var appendFileName = "appendonly.aof"
    var appendDirectoryName = "appendonlydir"
    var noAppendSyncOnRewrite = false
    var aofRewritePercent = 100
    var aofRewriteMinBytes = 67_108_864
    var aofLoadsTruncated = true
    var aofUsesSnapshotPreamble = true
    var aofTimestamps = false
    var aofRewriteIncrementalSync = true
    var aofKeepsHistory = false

    // MARK: Replication
    /// `nil` is a primary.
    var replicaOf: ReplicaSource?
    var primaryPassword: [UInt8]?
    var primaryUser: [UInt8]?
    var replicaServesStaleData = true
    var replicaReadOnly = true
    var replicaPriority = 100
    var replicaAnnounced = true
    var replicaAnnounceAddress: String?
    var replicaAnnouncePort = 0
    var replicaIgnoresMaxMemory = true
    var replicaIgnoresDiskErrors = false
    var replicaLazyFlush = false
    var disklessSync = true
    var disklessSyncDelaySeconds = 5
    /// 0 waits for the whole delay.
    var disklessSyncMaxReplicas = 0
    var disklessLoad: DisklessLoad = .disabled
    var replicaPingPeriodSeconds = 10
    var replicationTimeoutSeconds = 60
    var replicationDisablesNoDelay = false
    var replicationBacklogBytes = 1_048_576
    var replicationBacklogSeconds = 3600
    var minReplicasToWrite = 0
    var minReplicasMaxLagSeconds = 10
    var dualChannelReplication = false
    var propagationErrorBehavior: PropagationErrorBehavior = .ignore

    // MARK: Access
    /// Bytes, because a password is compared byte for byte; `nil` is no password.
    var requiredPassword: [UInt8]?
    var aclFile = ""
    var aclChannelDefault: ACLChannelDefault = .resetChannels
    var aclLogMaxLength = 128

    // MARK: Observation
    /// -1 turns the slow log off, 0 records every command.
    var slowLogMicroseconds = 10_000
    var slowLogMaxLength = 128
    /// Requests and replies of this many bytes are recorded; -1 turns that off.
    var largeRequestLogBytes = 1 << 20
    var largeRequestLogMaxLength = 128
    var largeReplyLogBytes = 1 << 20
    var largeReplyLogMaxLength = 128
    /// 0 turns the monitor off.
    var latencyMonitorMilliseconds = 0
    var latencyTracking = true
    var latencyPercentiles: [Double] = [50, 99, 99.9]
    /// Empty is off.
    var keyspaceEvents: KeyspaceEvents = []
    var trackingTableMaxKeys = 1_000_000
    /// How long a script runs before others get -BUSY.
    var busyReplyMilliseconds = 5000
    var luaDeprecatedAPI = false

    // MARK: Cluster
    var clusterEnabled = false
    var clusterConfigFile = "nodes.conf"
    var clusterPort = 0
    var clusterNodeTimeoutMilliseconds = 15_000
    var clusterPingIntervalMilliseconds = 0
    var clusterMigrationBarrier = 1
    var clusterReplicaValidityFactor = 10
    var clusterReplicaNoFailover = false
    var clusterRequiresFullCoverage = true
    var clusterAllowsReplicaMigration = true
    var clusterAllowsReadsWhenDown = false
    var clusterAllowsShardPubSubWhenDown = true
    var clusterAnnounceAddress: String?
    var clusterAnnounceClientIPv4: String?
    var clusterAnnounceClientIPv6: String?
    var clusterAnnouncePort = 0
    var clusterAnnounceBusPort = 0
    var clusterAnnounceTLSPort = 0
    var clusterAnnounceHostname: String?
    var clusterAnnounceNodeName: String?
    var clusterPreferredEndpoint: ClusterEndpoint = .ip
    var clusterLinkSendBufferBytes: UInt64 = 0
    var clusterBlacklistSeconds = 60
    var clusterSlotStatistics = false

    // MARK: TLS
    var tlsPort = 0
    var tlsCluster = false
    var tlsReplication = false
    var tlsClientAuthentication: TLSClientAuthentication = .yes
    var tlsCertificateFile: String?
    var tlsKeyFile: String?
    var tlsKeyFilePassword: [UInt8]?
    var tlsClientCertificateFile: String?
    var tlsClientKeyFile: String?
    var tlsClientKeyFilePassword: [UInt8]?
    var tlsDHParametersFile: String?
    var tlsCAFile: String?
    var tlsCADirectory: String?
    var tlsProtocols: String?
    var tlsCiphers: String?
    var tlsCipherSuites: String?
    var tlsPrefersServerCiphers = false
    var tlsSessionCaching = true
    var tlsSessionCacheSize = 20_480
    var tlsSessionCacheSeconds = 300

    // MARK: Lines of the file that belong to features

    /// `user` lines, in order, each split into words: ACL reads them when it starts.
    var userLines: [[[UInt8]]] = []
    /// `rename-command` lines; an empty new name removes the command.
    var renamedCommands: [RenamedCommand] = []
    /// `loadmodule` lines: the path and its arguments.
    var moduleLines: [[[UInt8]]] = []
    /// `name.option value…` lines, which belong to modules.
    var moduleOptions: [[[UInt8]]] = []

    /// Brings values that are accepted but out of reason back into it.
    mutating func normalize() {
        // Below 1 nothing periodic would ever run; above 500 the timer is most of the load.
        hz = min(max(hz, 1), 500)
    }

    /// As `normalize()`, for a change while the server runs.
    mutating func normalize(changedFrom previous: Settings) {
        normalize()
        // A backlog smaller than one read of a replica helps nobody. One from the file keeps its
        // size until it is changed, as in the peers.
        if replicationBacklogBytes != previous.replicationBacklogBytes {
            replicationBacklogBytes = max(replicationBacklogBytes, 16_384)
        }
    }
}

/// One `rename-command old new`.
struct RenamedCommand: Sendable, Equatable {
    let name: String
    let newName: String
}

/// A save is due so many seconds after the last one if so many changes happened.
struct SavePoint: Sendable, Equatable {
    let seconds: Int
    let changes: Int

    static let standard = [
        SavePoint(seconds: 3600, changes: 1), SavePoint(seconds: 300, changes: 100),
        SavePoint(seconds: 60, changes: 10_000),
    ]
}

/// When a client that does not read its replies is cut off; 0 is no limit.
struct OutputLimit: Sendable, Equatable {
    /// Cut at once above this.
    var hardBytes = 0
    /// Cut when above this for `softSeconds` on end.
    var softBytes = 0
    var softSeconds = 0
}

struct ClientOutputLimits: Sendable, Equatable {
    var normal = OutputLimit()
    var replica = OutputLimit(
        hardBytes: 268_435_456, softBytes: 67_108_864, softSeconds: 60)
    var pubsub = OutputLimit(hardBytes: 33_554_432, softBytes: 8_388_608, softSeconds: 60)
}

/// What all clients' buffers together may take.
enum ClientMemoryLimit: Sendable, Equatable {
    /// 0 is no limit.
    case bytes(Int)
    /// Of `maxmemory`, 1 to 100.
    case percent(Int)
}

/// The score of the out-of-memory killer for each role of the process.
struct OOMScoreValues: Sendable, Equatable {
    var primary = 0
    var replica = 200
    var child = 800
}

struct ReplicaSource: Sendable, Equatable {
    let host: String
    let port: Int
}

/// What a signal's shutdown does beyond the default.
struct ShutdownOptions: OptionSet, Sendable {
    let rawValue: Int
    static let save = ShutdownOptions(rawValue: 1)
    static let noSave = ShutdownOptions(rawValue: 2)
    static let now = ShutdownOptions(rawValue: 4)
    static let force = ShutdownOptions(rawValue: 8)
}

/// Which changes of the keyspace are published, and how.
struct KeyspaceEvents: OptionSet, Sendable {
    let rawValue: Int
    /// `K`: on the key's channel.
    static let keyspace = KeyspaceEvents(rawValue: 1 << 0)
    /// `E`: on the event's channel.
    static let keyevent = KeyspaceEvents(rawValue: 1 << 1)
    static let generic = KeyspaceEvents(rawValue: 1 << 2)
    static let string = KeyspaceEvents(rawValue: 1 << 3)
    static let list = KeyspaceEvents(rawValue: 1 << 4)
    static let set = KeyspaceEvents(rawValue: 1 << 5)
    static let hash = KeyspaceEvents(rawValue: 1 << 6)
    static let sortedSet = KeyspaceEvents(rawValue: 1 << 7)
    static let expired = KeyspaceEvents(rawValue: 1 << 8)
    static let evicted = KeyspaceEvents(rawValue: 1 << 9)
    static let stream = KeyspaceEvents(rawValue: 1 << 10)
    static let keyMiss = KeyspaceEvents(rawValue: 1 << 11)
    static let module = KeyspaceEvents(rawValue: 1 << 12)
    static let newKey = KeyspaceEvents(rawValue: 1 << 13)

    /// `A`: all but misses and new keys, which would flood a busy server.
    static let all: KeyspaceEvents = [
        .generic, .string, .list, .set, .hash, .sortedSet, .expired, .evicted, .stream, .module,
    ]
}

// MARK: - Directives with a fixed set of values

/// The values of a directive, spelled as in the file and listed in the order of error texts.
protocol SettingChoice: RawRepresentable<String>, CaseIterable, Sendable {
    /// Spellings that are accepted but not listed.
    static var synonyms: [String: Self] { get }
    /// Values that are accepted but not listed.
    static var unlisted: [String] { get }
}

extension SettingChoice {
    static var synonyms: [String: Self] { [:] }
    static var unlisted: [String] { [] }
}

enum Supervision: String, SettingChoice { case upstart, systemd, auto, no }
enum OOMScoreMode: String, SettingChoice { case no, yes, relative, absolute }
/// Who may do what can take over the machine.
enum AdminAccess: String, SettingChoice { case no, yes, local }

/// Redis 7.4 and Valkey 9 write deadlines of fields in different ways.
enum FieldDeadlineFormat: String, SettingChoice { case redis, valkey }

enum LogLevel: String, SettingChoice {
    case debug, verbose, notice, warning, nothing
    static var unlisted: [String] { ["nothing"] }
}

enum LogFormat: String, SettingChoice {
    case text, json
    static var synonyms: [String: LogFormat] { ["legacy": .text] }
}

enum LogTimestampFormat: String, SettingChoice { case legacy, iso8601, milliseconds }

enum SyslogFacility: String, SettingChoice {
    case user, local0, local1, local2, local3, local4, local5, local6, local7
}

enum MaxMemoryPolicy: String, SettingChoice {
    case volatileLRU = "volatile-lru"
    case volatileLFU = "volatile-lfu"
    case volatileRandom = "volatile-random"
    case volatileTTL = "volatile-ttl"
    case allKeysLRU = "allkeys-lru"
    case allKeysLFU = "allkeys-lfu"
    case allKeysRandom = "allkeys-random"
    case noEviction = "noeviction"
}

enum DumpSanitizing: String, SettingChoice { case no, yes, clients }
/// `no` leaves the moment to the kernel.
enum AppendSync: String, SettingChoice {
    case everySecond = "everysec"
    case always, no
}

enum DisklessLoad: String, SettingChoice {
    case disabled
    case onEmptyDatabase = "on-empty-db"
    case swapDatabase = "swapdb"
    case flushBeforeLoad = "flush-before-load"
    static var unlisted: [String] { ["flush-before-load"] }
}

enum PropagationErrorBehavior: String, SettingChoice {
    case ignore, panic
    case panicOnReplicas = "panic-on-replicas"
}

enum ACLChannelDefault: String, SettingChoice {
    case allChannels = "allchannels"
    case resetChannels = "resetchannels"
}

enum ClusterEndpoint: String, SettingChoice {
    case ip, hostname
    case unknown = "unknown-endpoint"
}

enum TLSClientAuthentication: String, SettingChoice { case no, yes, optional }

// MARK: - The directory

/// Where the process stands, `/` if that was removed under it.
func currentDirectory() -> String {
    guard let path = getcwd(nil, 0) else { return "/" }
    defer { free(path) }
    return String(cString: path)
}
