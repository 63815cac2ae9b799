import CLinux
import Glibc

/// One thread for what may take the kernel or the allocator long: syncing, closing and unlinking
/// big files, freeing big values.
///
/// The loop hands over plain values and never waits.
///
/// Jobs run one after the other in the order they were submitted, so a `.close` after an `.fsync`
/// of the same descriptor is safe. A job that has a tag reports a `Completion`, announced through
/// `descriptor`. Submitting costs a lock without contention and, if the thread sleeps, one wake-up.
///
/// The thread takes no signals. A forked child has no such thread and must not use this.
public final class Background {
    public enum Job: Sendable {
        /// Closes a descriptor that the job now owns.
        case close(Int32)
        /// Removes a file, whose path is given as bytes without a terminator.
        case unlink(path: [UInt8])
        /// Brings data and size to the disk (fdatasync); reports with `tag`.
        case fsync(Int32, tag: UInt64)
        /// Calls `release` with the address `pointer`; the job owns what is there.
        case free(
            pointer: UInt, release: @Sendable @convention(c) (UnsafeMutableRawPointer?) -> Void)
        /// Runs any work that shares nothing with the loop.
        case run(@Sendable () -> Void)
        /// The same, and reports with `tag`.
        case runReporting(tag: UInt64, @Sendable () -> Void)
    }

    /// A job that is done.
    public struct Completion: Equatable, Sendable {
        public let tag: UInt64
        /// What the kernel refused; nil for `runReporting`.
        public let error: SystemError?
        /// How long the job ran, without its time in the queue.
        public let nanoseconds: UInt64
    }

    private let box: Box
    private var thread = pthread_t()

    /// Starts the thread, with a name of at most 15 bytes.
    ///
    /// - Throws: EMFILE, or EAGAIN where no thread can be had.
    public init(named name: String = "background") throws(SystemError) {
        let announcement = FileDescriptor(owning: try retrying("eventfd") { apus_eventfd() })
        box = Box(descriptor: announcement.release(), name: name)

        var everything = sigset_t()
        var before = sigset_t()
        sigfillset(&everything)
        pthread_sigmask(SIG_SETMASK, &everything, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }

        let retained = Unmanaged.passRetained(box)
        let code = pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().work() }
                return nil
            }, retained.toOpaque())
        guard code == 0 else {
            retained.release()
            throw SystemError("pthread_create", code: code)
        }
    }

    /// Finishes every job, then ends the thread.
    deinit {
        box.stop()
        // Zero only if init failed, when there is no thread to wait for.
        if thread != pthread_t() { pthread_join(thread, nil) }
    }

    /// For the poller: readable once completions wait.
    public var descriptor: Int32 { box.descriptor }

    public func submit(_ job: Job) { box.submit(job) }

    /// What has completed since the last call, oldest first.
    public func takeCompletions() -> [Completion] { box.takeCompletions() }

    /// Jobs submitted and not yet done, of all kinds.
    public var pending: Int { box.locked { $0.pending.all } }
    /// Those of them that are `.fsync`.
    public var pendingSyncs: Int { box.locked { $0.pending.syncs } }
    /// Those of them that are `.free`.
    public var pendingFrees: Int { box.locked { $0.pending.frees } }

    /// Waits until every job submitted so far is done; for shutdown and for `Errand`.
    public func drain() { box.waitUntilIdle() }

    /// Forks while the thread waits, or is in the kernel or the allocator.
    ///
    /// Otherwise it might hold a lock of Swift's runtime (types are made up at their first use), which
    /// the child would find locked for ever. Waits for a job of the kind `run`, for no other.
    public func fork() throws(SystemError) -> Child.Side {
        try box.whileQuiet { () throws(SystemError) in try Child.fork() }
    }
}

/// What the loop and the thread share, and the only object that crosses a thread.
///
/// `@unchecked Sendable` is true because `state` is touched only between `lock` and `unlock`; all
/// else is constant.
private final class Box: @unchecked Sendable {
    struct Pending {
        var all = 0
        var syncs = 0
        var frees = 0

        mutating func count(_ job: Background.Job, by step: Int) {
            all += step
            switch job {
            case .fsync: syncs += step
            case .free: frees += step
            default: break
            }
        }
    }

    struct State {
        var jobs: [Background.Job] = []
        var completions: [Background.Completion] = []
        var pending = Pending()
        var isStopping = false
        /// Whether the thread waits or runs nothing of Swift: it will lock first when it goes on.
        var isQuiet = false
    }

    let descriptor: Int32
    private let name: String
    private var state = State()
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    /// Jobs have come, or the end.
    private let arrival = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// The thread has become quiet.
    private let quiet = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// Nothing is pending.
    private let idle = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init(descriptor: Int32, name: String) {
        self.descriptor = descriptor
        self.name = name
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(arrival, nil)
        pthread_cond_init(idle, nil)
        pthread_cond_init(quiet, nil)
    }

    deinit {
        FileDescriptor.close(descriptor)
        pthread_cond_destroy(idle)
        pthread_cond_destroy(quiet)
        pthread_cond_destroy(arrival)
        pthread_mutex_destroy(mutex)
        idle.deallocate()
        quiet.deallocate()
        arrival.deallocate()
        mutex.deallocate()
    }

    /// Not for a body that waits: the other thread would change what it has borrowed.
    func locked<Result>(_ body: (inout State) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&state)
    }

    // MARK: The loop's side

    func submit(_ job: Background.Job) {
        locked { state in
            state.pending.count(job, by: 1)
            state.jobs.append(job)
            pthread_cond_signal(arrival)
        }
    }

    func takeCompletions() -> [Background.Completion] {
        // Emptied before the list is taken: a later completion then announces itself again.
        var ignored: UInt64 = 0
        _ = read(descriptor, &ignored, MemoryLayout<UInt64>.size)
        return locked { state in
            defer { state.completions = [] }
            return state.completions
        }
    }

    func waitUntilIdle() {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while state.pending.all > 0 { pthread_cond_wait(idle, mutex) }
    }

    /// Calls `body` with the lock, while the thread is quiet and stays so.
    func whileQuiet<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while !state.isQuiet { pthread_cond_wait(quiet, mutex) }
        return try body()
    }

    func stop() {
        locked { state in
            state.isStopping = true
            pthread_cond_signal(arrival)
        }
    }

    // MARK: The thread's side

    func work() {
        apus_name_thread(name)
        while let jobs = nextJobs() {
            for job in jobs { finish(job, perform(job)) }
        }
    }

    /// Sleeps until there are jobs and takes them all; nil at the end.
    private func nextJobs() -> [Background.Job]? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while state.jobs.isEmpty {
            if state.isStopping { return nil }
            becomeQuiet()
            pthread_cond_wait(arrival, mutex)
            state.isQuiet = false
        }
        defer { state.jobs = [] }
        return state.jobs
    }

    private func becomeQuiet() {
        state.isQuiet = true
        pthread_cond_signal(quiet)
    }

    /// Calls what is no Swift: the kernel, or the allocator.
    private func quietly<Result>(_ call: () -> Result) -> Result {
        pthread_mutex_lock(mutex)
        becomeQuiet()
        pthread_mutex_unlock(mutex)
        let result = call()
        locked { $0.isQuiet = false }
        return result
    }

    private func perform(_ job: Background.Job) -> Background.Completion? {
        let start = Clock.monotonicNanoseconds()
        var report: (tag: UInt64, error: SystemError?)?
        switch job {
        case .close(let fd): quietly { FileDescriptor.close(fd) }
        case .unlink(let path):
            let name = path.map(CChar.init(bitPattern:)) + [0]
            _ = quietly { unlink(name) }
        case .fsync(let fd, let tag): report = (tag, quietly { File.syncDataError(fd) })
        case .free(let pointer, let release):
            quietly { release(UnsafeMutableRawPointer(bitPattern: pointer)) }
        case .run(let work): work()
        case .runReporting(let tag, let work):
            work()
            report = (tag, nil)
        }
        guard let report else { return nil }
        return Background.Completion(
            tag: report.tag, error: report.error,
            nanoseconds: Clock.monotonicNanoseconds() - start)
    }

    private func finish(_ job: Background.Job, _ completion: Background.Completion?) {
        locked { state in
            if let completion {
                // Counters of an eventfd add up, so one announcement serves a whole list.
                if state.completions.isEmpty { announce() }
                state.completions.append(completion)
            }
            state.pending.count(job, by: -1)
            if state.pending.all == 0 { pthread_cond_broadcast(idle) }
        }
    }

    private func announce() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
    }
}
