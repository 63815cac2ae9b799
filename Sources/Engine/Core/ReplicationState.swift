/// Which part the server plays in replication, and what the history of its data is called.
///
/// A history is a name and an offset: whoever has the same of both has the same data. A server that
/// becomes a primary begins a new history, and remembers up to where it is the same as the old one, so
/// that those who followed that can go on without a new copy of all data.
struct ReplicationState {
    /// The name of the history, and the one it had up to `previousEnd`.
    var id = Server.randomIdentifier()
    var previousID = ReplicationState.noID
    var previousEnd = -1
    /// Bytes of the history: handed to the stream by a primary, applied by a replica.
    var offset = 0
    /// The database that a replica's stream applies to; kept while the link is down.
    var database = 0
    /// Whether a link may ask to go on from `id` and `offset`.
    var mayContinue = false

    // As a primary, and as a replica with replicas of its own.
    /// Kept from the first replica on.
    var stream: ReplicationStream?
    var replicas: ContiguousArray<Connection> = []
    /// When the last replica went, in monotonic milliseconds.
    var idleSince: Int64 = 0
    /// The snapshot that is on its way to several replicas at once.
    var transfer: SnapshotTransfer?
    /// The replicas are asked at the end of the turn how far they are.
    var asksReplicas = false
    var goodReplicas = 0
    var failover: Failover?

    // As a replica.
    /// What is known of the primary; nil: this is one.
    var link: PrimaryLink?
    /// Keys with deadlines that are its own, because it lets itself be written to.
    var ownKeys: Set<WatchedKeys.Name> = []

    // The rest.
    var cronTurns = 0
    var counters = Counters()

    struct Counters {
        var fullSyncs = 0
        var partialSyncs = 0
        var refusedPartialSyncs = 0
        var unexpectedErrors = 0
    }

    /// Whether a history can be at `offset` and go on: no server has come halfway to the largest number.
    static func isOffset(_ offset: Int) -> Bool { (0...Int.max / 2).contains(offset) }

    static let noID = String(repeating: "0", count: 40)

    var isReplica: Bool { link != nil }
}
