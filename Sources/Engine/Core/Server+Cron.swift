import Reactor

/// What is sampled from turn to turn, and where walks through tables have got to.
struct Sampling {
    var expiryTimer: TimerID?
    var expiryDue: Int64 = 0
    var expiryDatabase = 0
    var connectionPlace = 0
    var buffers = BufferPeaks()
    /// Turns of the periodic work since the start.
    var cronTurns = 0
    /// When the lack of descriptors was last complained of.
    var descriptorWarning = -1000 as Int64
    var operations = RateSampler()
    var input = RateSampler()
    var output = RateSampler()
    var cycles = RateSampler()
    var cycleDuration = RateSampler()

    /// Forgets the rates (CONFIG RESETSTAT).
    mutating func resetRates() {
        (operations, input, output) = (RateSampler(), RateSampler(), RateSampler())
        (cycles, cycleDuration) = (RateSampler(), RateSampler())
    }
}

/// The mean rate of a counter over the last sixteen samples (INFO's `instantaneous_…`).
struct RateSampler {
    private var samples: [Double] = Array(repeating: 0, count: 16)
    private var next = 0
    private var lastValue = 0
    private var lastBase = 0

    /// Takes a sample: the growth of `value` per growth of `base`, times `scale`.
    mutating func sample(_ value: Int, per base: Int, scale: Double) {
        if lastBase > 0 && base > lastBase {
            samples[next] = Double(value - lastValue) / Double(base - lastBase) * scale
            next = (next + 1) % samples.count
        }
        lastValue = value
        lastBase = base
    }

    var mean: Double { samples.reduce(0, +) / Double(samples.count) }
}

/// The largest buffers that connections had in the last eight seconds.
struct BufferPeaks {
    private static let seconds = 8
    private var input = [Int](repeating: 0, count: seconds)
    private var output = [Int](repeating: 0, count: seconds)

    var largestInput: Int { input.max() ?? 0 }
    var largestOutput: Int { output.max() ?? 0 }

    /// Forgets what is eight seconds old; at least once a second.
    mutating func begin(second: Int64) {
        let next = place(second &+ 1)
        input[next] = 0
        output[next] = 0
    }

    mutating func note(input inputBytes: Int, output outputBytes: Int, second: Int64) {
        let place = place(second)
        input[place] = max(input[place], inputBytes)
        output[place] = max(output[place], outputBytes)
    }

    private func place(_ second: Int64) -> Int { Int(second & Int64(Self.seconds - 1)) }
}

/// Periodic work, `hz` times a second.
extension Server {
    var cronPeriod: Int64 { Int64(1000 / max(1, min(settings.hz, 500))) }

    func cron() {
        guard !debug.cronPaused else { return }
        let start = Clock.monotonicNanoseconds()
        defer {
            statistics.cronMicroseconds &+= Int((Clock.monotonicNanoseconds() &- start) / 1000)
        }
        if settings.watchdogMilliseconds > 0 { wind() }
        let memory = usedMemory
        if memory > statistics.peakMemory { statistics.peakMemory = memory }
        sampleRates()
        walkConnections()
        obeyStopRequest()
        if lifecycle.waitingStop != nil { goOnShuttingDown() }
        readChildReports()
        migration.closeIdle(now: clock.monotonicMilliseconds)
        saveIfDue()
        rewriteIfGrown()
        limitTracking()
        clientMemory.tryAgain()
        sampling.cronTurns &+= 1
        // About once a second.
        if sampling.cronTurns % max(1, settings.hz) == 0 { replyPool.shrink() }
    }

    private func sampleRates() {
        let milliseconds = Int(clock.monotonicMilliseconds)
        sampling.operations.sample(
            statistics.commandsTotal, per: milliseconds, scale: 1000)
        sampling.input.sample(statistics.inputBytes, per: milliseconds, scale: 1000)
        sampling.output.sample(statistics.outputBytes, per: milliseconds, scale: 1000)
        sampling.cycles.sample(statistics.loopCycles, per: milliseconds, scale: 1000)
        sampling.cycleDuration.sample(
            statistics.loopMicroseconds, per: statistics.loopCycles, scale: 1)
    }

    /// Looks after a share of the connections, so that each is seen about once a second.
    private func walkConnections() {
        sampling.buffers.begin(second: clock.wallMilliseconds / 1000)
        let share = max(5, connections.placeCount / max(1, settings.hz) + 1)
        for _ in 0..<min(share, connections.placeCount) {
            if sampling.connectionPlace >= connections.placeCount { sampling.connectionPlace = 0 }
            let place = sampling.connectionPlace
            sampling.connectionPlace += 1
            guard let connection = connections.at(place) else { continue }
            look(after: connection)
        }
    }

    private func look(after connection: Connection) {
        let idle = clock.monotonicMilliseconds - connection.lastInteraction
        if settings.timeoutSeconds > 0 && idle > Int64(settings.timeoutSeconds) * 1000
            && connection.gate.isDisjoint(with: [.blocked, .paused, .primary, .replica])
        {
            return close(connection, "Closing idle client")
        }
        if connection.reply.count > 0 { checkOutputLimit(connection, connection.reply.count) }
        sampling.buffers.note(
            input: max(connection.inputMemory, connection.inputPeak),
            output: connection.outputMemory, second: clock.wallMilliseconds / 1000)
        connection.inputRoom = idle > 2000 ? 0 : connection.inputPeak
        connection.inputPeak = idle > 2000 ? 0 : min(connection.inputPeak, 1)
        if debug.replyPeakResetMilliseconds >= 0 && idle > debug.replyPeakResetMilliseconds {
            connection.replyPeak = 0
        }
        if clientMemory.isLimited { clientMemory.count(connection, in: self) }
    }
}
