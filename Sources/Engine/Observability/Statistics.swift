import Reactor

/// What INFO counts, apart from what the keyspace counts itself.
///
/// The numbers of each command stand in an array at a fixed address: recording a call is two
/// additions and a bucket of its latency histogram.
final class Statistics {
    struct PerCommand {
        var calls = 0
        /// Time spent, in ticks of the processor's counter.
        var ticks: UInt64 = 0
        var rejected = 0
        var failed = 0
    }

    let commandCount: Int
    private let perCommand: UnsafeMutablePointer<PerCommand>
    private let histograms: UnsafeMutablePointer<LatencyHistogram>
    /// Calls of all commands.
    private(set) var commandsTotal = 0
    /// Whether latencies are collected (`latency-tracking`).
    var tracksLatency = true
    var tickScale = TickScale()

    var connectionsReceived = 0
    var connectionsRejected = 0
    var inputBytes = 0
    var outputBytes = 0
    /// Of these, to and from replicas and the primary.
    var replicationInputBytes = 0
    var replicationOutputBytes = 0
    var reads = 0
    var writes = 0
    var queryBufferDisconnections = 0
    var outputBufferDisconnections = 0
    var clientsEvicted = 0
    var errorReplies = 0
    var authenticationFailures = 0
    /// Requests that access control refused, by what was not allowed.
    var commandDenials = 0
    var keyDenials = 0
    var channelDenials = 0
    var loopCycles = 0
    var loopMicroseconds = 0
    /// The longest turn of the loop, and the most commands in one.
    var longestLoopMicroseconds = 0
    var mostCommandsInLoop = 0
    var cronMicroseconds = 0
    var peakMemory = 0
    var expireCycleMicroseconds = 0
    var replyBufferShrinks = 0
    var replyBufferExpands = 0
    /// Error replies by their code, in the order they first occurred.
    private(set) var errors: [(code: String, count: Int)] = []
    /// No more codes than this are told apart: a client that makes them up must not fill memory.
    static let mostErrorCodes = 128

    init(commandCount: Int) {
        self.commandCount = commandCount
        perCommand = .allocate(capacity: max(commandCount, 1))
        perCommand.initialize(repeating: PerCommand(), count: max(commandCount, 1))
        histograms = .allocate(capacity: max(commandCount, 1))
        histograms.initialize(repeating: LatencyHistogram(), count: max(commandCount, 1))
    }

    deinit {
        for index in 0..<commandCount { histograms[index].reset() }
        perCommand.deallocate()
        histograms.deallocate()
    }

    // MARK: - Commands

    /// Counts a call of command `number` that took `ticks`.
    @inline(__always)
    func record(_ number: Int32, ticks: UInt64) {
        precondition(number >= 0 && Int(number) < commandCount, "no such command")
        commandsTotal &+= 1
        let counted = perCommand + Int(number)
        counted.pointee.calls &+= 1
        counted.pointee.ticks &+= ticks
        if tracksLatency {
            histograms[Int(number)].record(tickScale.nanoseconds(ticks: ticks))
        }
    }

    /// Adds the time of a call that was counted when it began to wait.
    func recordAgain(_ number: Int32, ticks: UInt64) {
        precondition(number >= 0 && Int(number) < commandCount, "no such command")
        perCommand[Int(number)].ticks &+= ticks
    }

    func countRejected(_ number: Int32) { perCommand[Int(number)].rejected += 1 }
    func countFailed(_ number: Int32) { perCommand[Int(number)].failed += 1 }

    subscript(number: Int) -> PerCommand {
        precondition(number >= 0 && number < commandCount, "no such command")
        return perCommand[number]
    }

    /// Time spent in all commands, in microseconds.
    var commandMicroseconds: Int {
        var ticks: UInt64 = 0
        for index in 0..<commandCount { ticks &+= perCommand[index].ticks }
        return microseconds(ticks)
    }

    func microseconds(_ ticks: UInt64) -> Int {
        Int(clamping: tickScale.nanoseconds(ticks: ticks) / 1000)
    }

    func histogram(_ number: Int) -> LatencyHistogram {
        precondition(number >= 0 && number < commandCount, "no such command")
        return histograms[number]
    }

    // MARK: - Errors

    /// Counts an error reply by its first word.
    func countError(_ text: ByteView) {
        errorReplies += 1
        // A text whose first word does not end soon has no code.
        let code = text.prefix(31).firstIndex(of: 32).map { text.prefix($0).string } ?? "ERR"
        if let index = errors.firstIndex(where: { $0.code == code }) {
            errors[index].count += 1
        } else if errors.count < Self.mostErrorCodes {
            errors.append((code, 1))
        }
    }

    // MARK: - Reset

    /// CONFIG RESETSTAT.
    func reset() {
        for index in 0..<commandCount {
            perCommand[index] = PerCommand()
            histograms[index].reset()
        }
        errors = []
        (connectionsReceived, connectionsRejected, commandsTotal) = (0, 0, 0)
        (inputBytes, outputBytes, reads, writes) = (0, 0, 0, 0)
        (replicationInputBytes, replicationOutputBytes) = (0, 0)
        (queryBufferDisconnections, outputBufferDisconnections, clientsEvicted) = (0, 0, 0)
        (errorReplies, authenticationFailures) = (0, 0)
        (commandDenials, keyDenials, channelDenials) = (0, 0, 0)
        (loopCycles, loopMicroseconds, cronMicroseconds) = (0, 0, 0)
        (longestLoopMicroseconds, mostCommandsInLoop) = (0, 0)
        (replyBufferShrinks, replyBufferExpands, expireCycleMicroseconds) = (0, 0, 0)
    }
}
