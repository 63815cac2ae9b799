import Reactor

/// A replica's link to its primary: from the first attempt to connect until the part changes.
final class PrimaryLink {
    enum State: Equatable {
        /// To be tried at the next occasion.
        case connect
        case connecting
        case handshake
        /// All data is on its way.
        case transfer
        /// All data has come and is being loaded.
        case loading
        case connected

        /// The states that may follow; from each the link may be lost, or given up.
        var next: [State] {
            switch self {
            case .connect: [.connecting, .connect]
            case .connecting: [.handshake, .connect]
            case .handshake: [.transfer, .connected, .connect]
            case .transfer: [.loading, .connect]
            // Back for as long as it takes to lose it, where what came cannot be used.
            case .loading: [.connected, .transfer, .connect]
            case .connected: [.connect]
            }
        }

        /// What ROLE calls it.
        var name: StaticString {
            switch self {
            case .connect: "connect"
            case .connecting: "connecting"
            case .handshake: "handshake"
            case .transfer, .loading: "sync"
            case .connected: "connected"
            }
        }
    }

    /// What the next line of the primary answers.
    enum Question {
        case ping, authentication, port, address, capabilities, version, history
    }

    let primary: ReplicaSource
    private(set) var state = State.connect
    var socket: Int32 = -1
    /// Which of the sockets it had this is.
    var generation: UInt32 = 0
    var input = ByteBuffer()
    var output = ByteBuffer()
    /// What the poller watches the socket for.
    var interest: Interest = []
    /// When something came last, and since when there is no link, in monotonic milliseconds.
    var lastInput: Int64 = 0
    var downSince: Int64 = 0
    var lastNewline: Int64 = 0
    /// What was asked and not answered yet.
    var questions: [Question] = []
    /// Whether the primary is asked to let this server take over (FAILOVER).
    var demands = false

    // The snapshot.
    var snapshot: IncomingSnapshot?

    // The stream.
    /// As whom the primary's requests are executed.
    var connection: Connection?
    let batch = RequestBatch()
    /// Bytes of the input that were executed, but are part of a transaction that is not whole yet.
    var executed = 0
    /// The primary has asked how far this replica is.
    var owesAcknowledgement = false
    /// Given up while its data was being loaded.
    var wasDropped = false
    /// It speaks SYNC only, and wants to hear nothing.
    var isOld = false

    init(_ primary: ReplicaSource) { self.primary = primary }

    /// Goes on to a state that may follow.
    func advance(to next: State) {
        assert(state.next.contains(next), "the link goes from \(state) to \(next)")
        state = next
    }

    /// Takes the next line out of the input, without its end; nil if it is not whole.
    func takeLine() -> String? {
        guard let end = input.view.firstIndex(of: 10) else { return nil }
        var line = input.view.prefix(end)
        if line.count > 0 && line[line.count - 1] == 13 { line = line.prefix(line.count - 1) }
        let text = line.string
        input.drain(end + 1)
        return text
    }

    static let longestLine = 64 * 1024
}

/// A snapshot that is being received.
struct IncomingSnapshot {
    /// Of the history it belongs to, as of its moment.
    var id: String
    var offset: Int
    /// How long it is; nil: until the mark comes.
    var bytes: Int?
    var mark: [UInt8] = []
    /// Whether its first line has come.
    var hasBegun = false
    var receivedBytes = 0
    /// The file it goes into, open; -1: none, it is loaded from the socket.
    var file: Int32 = -1
    var path = ""
    /// The last bytes received, as many as the mark has.
    var tail: [UInt8] = []
    var startedAt: Int64 = 0
}
