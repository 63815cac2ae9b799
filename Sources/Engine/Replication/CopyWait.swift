/// A client that waits until its writes are on so many replicas (WAIT), or disks (WAITAOF).
struct CopyWait {
    /// The end of what it wrote.
    let offset: Int
    let replicas: Int
    /// Whether disks are meant, and the own one among them.
    let isOfDisks: Bool
    let wantsOwnDisk: Bool
}

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
