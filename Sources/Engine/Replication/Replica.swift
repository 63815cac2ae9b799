/// What a primary knows of one of its replicas.
final class Replica {
    /// How far it is; from `waiting` on it is listed among the replicas.
    enum Stage {
        /// Has told something of itself and asked for nothing yet.
        case introducing
        /// Needs all data, and waits until a child can be forked.
        case waiting
        /// The child that writes its snapshot is at work.
        case saving
        /// Is sent the file.
        case sending
        /// Has all data; follows the stream.
        case online
        /// Was sent a snapshot and wanted nothing but that.
        case served

        /// The stages that may follow.
        var next: Set<Stage> {
            switch self {
            case .introducing: [.waiting, .online]
            case .waiting: [.saving]
            // Through a file, or straight from the child that writes it.
            case .saving: [.sending, .online]
            case .sending: [.online]
            // Once more when it has told that it has loaded what it was sent.
            case .online: [.online, .served]
            case .served: []
            }
        }
    }

    /// What it can do.
    struct Capabilities: OptionSet {
        let rawValue: UInt8
        /// A snapshot whose length is not known beforehand.
        static let endMark = Capabilities(rawValue: 1)
        /// A history that goes on under another name.
        static let partialSync2 = Capabilities(rawValue: 2)
    }

    /// What its snapshot is to contain.
    enum Content {
        case everything
        /// No data at all, or functions alone (of which there are none): the stream is what is wanted.
        case nothing
    }

    private(set) var stage = Stage.introducing
    var capabilities: Capabilities = []
    var content = Content.everything
    /// Asks for a snapshot only (`redis-cli --rdb`).
    var wantsSnapshotOnly = false
    /// Asked with SYNC: tells nothing of how far it is.
    var isSilent = false
    /// Where it listens, as it tells.
    var port = 0
    var address: String?
    /// Since when it waits, in monotonic milliseconds.
    var waitsSince: Int64 = 0

    // The stream.
    /// The next byte of it to send.
    var position = 0
    /// When what it lacks was first more than the soft limit, in monotonic milliseconds; 0: it is not.
    var softLimitSince: Int64 = 0
    /// Nothing of the stream is sent until it has loaded the snapshot, whose end it finds by a mark.
    var holdsStreamBack = false
    /// How many bytes it has applied, how many of them are on its disk, and when it told, in monotonic
    /// milliseconds.
    var acknowledged = 0
    var synced = 0
    var acknowledgedAt: Int64 = 0

    // The file.
    /// Open while it is sent; -1: none.
    var file: Int32 = -1
    var fileOffset = 0
    var fileBytes = 0
    /// How much of the piece that a child has just written was sent to it.
    var pieceSent = 0

    /// Goes on to a stage that may follow.
    func advance(to next: Stage) {
        assert(stage.next.contains(next), "a replica goes from \(stage) to \(next)")
        stage = next
    }

    /// Whether the server counts it among its replicas.
    var isListed: Bool { stage != .introducing }

    /// Whether bytes of the stream are kept for it.
    var pinsStream: Bool { stage == .saving || stage == .sending || stage == .online }

    /// What INFO calls its stage.
    var stateName: String {
        switch stage {
        case .introducing, .waiting, .saving: "wait_bgsave"
        case .sending: "send_bulk"
        case .online: "online"
        case .served: "rdb_transmitted"
        }
    }
}
