import CLinux
import Reactor

/// A socket, the bytes on their way in and out of it, and the session of who speaks on it.
///
/// Buffers are lent, not kept: an idle connection holds none. Input is read into a shared slot and
/// only the beginning of an unfinished request is kept here; the reply block comes from a pool and
/// goes back when the last byte is sent.
final class Connection {
    /// What makes a request take the long way through the dispatcher, or not be executed at all.
    struct Gate: OptionSet {
        let rawValue: UInt32
        static let unauthenticated = Gate(rawValue: 1 << 0)
        /// Inside MULTI.
        static let queueing = Gate(rawValue: 1 << 1)
        /// Listens to channels.
        static let subscribed = Gate(rawValue: 1 << 2)
        /// CLIENT REPLY OFF or SKIP.
        static let replyMuted = Gate(rawValue: 1 << 3)
        /// CLIENT NO-TOUCH.
        static let noTouch = Gate(rawValue: 1 << 4)
        /// MONITOR.
        static let monitoring = Gate(rawValue: 1 << 5)
        /// The request being executed was received piece by piece.
        static let large = Gate(rawValue: 1 << 6)
        /// A replica is at the other end.
        static let replica = Gate(rawValue: 1 << 7)
        /// Executes nothing more: closing, blocked, or held back by CLIENT PAUSE.
        static let closing = Gate(rawValue: 1 << 8)
        static let blocked = Gate(rawValue: 1 << 9)
        static let paused = Gate(rawValue: 1 << 10)
        /// The user may not do everything: each request is checked.
        static let restricted = Gate(rawValue: 1 << 12)
        /// What is recorded is repeated on it, as the primary sends it or a file holds it: no client
        /// speaks on it, and its requests come another way.
        static let primary = Gate(rawValue: 1 << 11)
        static let halted: Gate = [.closing, .blocked, .paused]
        /// What is to be done around a command, however it is allowed to run.
        static let peculiar: Gate = [.queueing, .subscribed, .replyMuted, .noTouch, .large]
    }

    let id: UInt64
    /// The place in the server's table, and which tenant of it this is.
    let place: UInt32
    let generation: UInt32
    var transport: Transport
    let peerName: String
    let localName: String
    let isUnixSocket: Bool
    /// The descriptor's number, for CLIENT LIST; it may be closed already.
    let descriptorNumber: Int32
    let createdAt: Int64
    /// Milliseconds of the monotonic clock at the last request.
    var lastInteraction: Int64
    var session = Session()
    var gate: Gate = []

    /// The beginning of a request that is not whole yet.
    var pending = ByteBuffer()
    /// Such a request when it is large.
    var large: LargeRequest?
    /// Replies not yet sent; taken by `Call` while its requests are executed.
    var reply = ReplyWriter()

    /// Closed as soon as its replies are sent; or at once.
    var closesAfterReply = false
    var closesNow = false
    /// Why, for the log.
    var closeReason = ""
    /// Whether epoll watches for room to write, and for bytes to read.
    var watchesWritable = false
    var watchesReadable = true
    /// In the list of connections with replies to send, and in that of those with publications.
    var isInReplyList = false
    var isInListenerList = false
    /// In the list of connections whose kept requests can go on.
    var isInResumedList = false
    /// When the soft limit of the output buffer was first exceeded; 0: it is not.
    var softLimitSince: Int64 = 0
    /// Its share in the memory that `maxmemory-clients` limits, as counted last.
    var countedMemory = 0
    /// What its subscriptions take.
    var subscriptionMemory = 0

    // Counted for CLIENT LIST.
    var commandCount = 0
    var inputBytes = 0
    var outputBytes = 0
    /// The number of the last command, -1 before the first.
    var lastCommand: Int32 = -1
    /// The largest reply of late; the largest request since `inputRoom` was taken, and the room
    /// that requests took before that.
    var replyPeak = 0
    var inputPeak = 0
    var inputRoom = 0
    /// What it has begun with WATCH or MULTI.
    var transaction: Transaction?
    /// What it has told of itself as a replica.
    var replica: Replica?
    /// Where the history of changes ended after the last one of this client.
    var historyEnd = 0

    init(
        id: UInt64, place: UInt32, generation: UInt32, transport: Transport,
        peerName: String = "127.0.0.1:0", now: Int64, monotonic: Int64
    ) {
        self.id = id
        self.place = place
        self.generation = generation
        if transport.isOpen {
            self.peerName = Socket.peerName(transport.descriptor)
            localName = Socket.localName(transport.descriptor)
            isUnixSocket = Socket.isUnix(transport.descriptor)
        } else {
            (self.peerName, localName, isUnixSocket) = (peerName, "127.0.0.1:0", false)
        }
        descriptorNumber = transport.descriptor
        self.transport = transport
        createdAt = now
        lastInteraction = monotonic
    }

    /// Changes what is to be sent aside: the property is empty meanwhile.
    ///
    /// An access to a property of an object is guarded at run time against another that overlaps it,
    /// unless the compiler sees that none can. It sees that only of properties that nowhere in the
    /// program are accessed across a call it does not know, such as one that allocates.
    @inline(__always)
    func withReply<Result>(_ body: (inout ReplyWriter) -> Result) -> Result {
        var reply = ReplyWriter()
        swap(&reply, &self.reply)
        defer { swap(&reply, &self.reply) }
        return body(&reply)
    }

    /// Changes the beginning of a request aside in the same way.
    @inline(__always)
    func withPending<Result>(_ body: (inout ByteBuffer) -> Result) -> Result {
        var pending = ByteBuffer()
        swap(&pending, &self.pending)
        defer { swap(&pending, &self.pending) }
        return body(&pending)
    }

    func closeTransport() {
        var transport = transport
        self.transport = Transport(descriptor: -1)
        transport.close()
    }

    /// Bytes this connection holds: itself, its input and its output.
    var memoryBytes: Int {
        Self.ownBytes + inputMemory + outputMemory + transactionMemory + subscriptionMemory
            + session.tracking.bytes
    }
    var inputMemory: Int { pending.capacity + (large?.capacity ?? 0) }
    var outputMemory: Int { reply.capacity }
    var transactionMemory: Int { transaction?.memoryBytes ?? 0 }

    /// Whether the client runs on this machine, as far as that can be known; of the primary it is not.
    var isLocal: Bool {
        if gate.contains(.primary) { return false }
        return !transport.isOpen || isUnixSocket || Socket.isLoopback(transport.descriptor)
    }

    /// What the object, its strings and its place take: measured with 9000 connections.
    static let ownBytes = 528
}

/// The one face through which a connection's bytes are read and written: plain sockets today; TLS
/// joins here without touching anything above.
struct Transport {
    /// -1: closed, or never opened (a connection without a socket, in tests).
    private(set) var descriptor: Int32

    var isOpen: Bool { descriptor >= 0 }

    init(descriptor: Int32) { self.descriptor = descriptor }

    func receive(into memory: UnsafeMutableRawBufferPointer) -> Transfer {
        Socket.receive(descriptor, into: memory)
    }

    /// Receives at most `limit` bytes behind those of `buffer`.
    func receive(into buffer: inout ByteBuffer, atMost limit: Int) -> Transfer {
        let lent = buffer.writable(minimum: min(limit, 4096))
        let transfer = receive(into: UnsafeMutableRawBufferPointer(rebasing: lent.prefix(limit)))
        if case .bytes(let count) = transfer { buffer.commit(count) }
        return transfer
    }

    /// Receives where the request's next bytes belong; nil when there is no memory for them.
    func receive(into request: LargeRequest) -> Transfer? {
        guard let lent = request.writable() else { return nil }
        let transfer = receive(into: lent)
        if case .bytes(let count) = transfer { request.commit(count) }
        return transfer
    }

    func send(_ bytes: ByteView) -> Transfer {
        Socket.send(descriptor, UnsafeRawBufferPointer(start: bytes.start, count: bytes.count))
    }

    /// Sends bytes of an open file.
    func sendFile(_ file: Int32, at offset: Int, count: Int) -> Transfer {
        Socket.sendFile(descriptor, file, at: offset, count: count)
    }

    mutating func close() {
        if descriptor >= 0 { FileDescriptor.close(descriptor) }
        descriptor = -1
    }
}
