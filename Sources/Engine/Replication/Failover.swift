/// FAILOVER: the primary waits until a replica has everything, then follows it.
struct Failover {
    enum Stage { case waitingForSync, inProgress }

    var stage = Stage.waitingForSync
    /// Nil: whichever replica is there first.
    var target: ReplicaSource?
    let isForced: Bool
    /// In monotonic milliseconds; nil: waits for ever.
    let deadline: Int64?
}
