import Glibc
import Reactor

/// A forked process that writes down the data as it was at one moment.
struct ForkedChild {
    enum Work {
        case snapshot
        /// Of the append-only file.
        case rewrite
    }

    let work: Work
    let process: Int32
    let startedMilliseconds: Int64
    /// Changes counted when it began: they are safe once it has succeeded.
    let changes: Int
    /// Keys that it has to write.
    let keys: Int
    /// Whether replicas wait for it, and whether it writes to a file.
    let isForReplicas: Bool
    let isToFile: Bool
    /// Where it reports.
    fileprivate let reports: Int32
    /// What it told last, and when.
    fileprivate(set) var report = ChildReport()
    fileprivate(set) var reportedMilliseconds: Int64 = 0
    fileprivate(set) var mostCopiedBytes = 0
}

/// How far a child is.
struct ChildReport {
    var keys = 0
    /// Bytes of memory that it no longer shares with its parent.
    var copiedBytes = 0

    fileprivate static let bytes = 16
}

struct ChildState {
    /// There is one at a time: each may come to hold a copy of all memory.
    fileprivate(set) var running: ForkedChild?
    fileprivate(set) var forks = 0
    fileprivate(set) var lastForkMicroseconds = 0
}

/// The child's end of the connection over which it reports.
struct ChildReporter {
    fileprivate let descriptor: Int32
    private var lastNanoseconds: UInt64 = 0
    /// Finding out how much was copied costs the kernel a walk over all pages.
    private var costNanoseconds: UInt64 = 0
    private(set) var mostCopiedBytes = 0

    private static let periodNanoseconds: UInt64 = 1_000_000_000
    /// The walk may take this share of the time.
    private static let costFactor: UInt64 = 100

    fileprivate init(_ descriptor: Int32) {
        self.descriptor = descriptor
        lastNanoseconds = Clock.monotonicNanoseconds()
    }

    /// Tells the parent, unless it was told a moment ago.
    mutating func tellNowAndThen(keys: Int) {
        let now = Clock.monotonicNanoseconds()
        let period = max(Self.periodNanoseconds, costNanoseconds &* Self.costFactor)
        if now &- lastNanoseconds >= period { _ = tell(keys: keys) }
    }

    /// Tells the parent, and ends the process where that is gone: nobody waits for the file, and it
    /// must not take the place of one that a successor of the parent has written.
    ///
    /// - Returns: what was told.
    mutating func tell(keys: Int) -> ChildReport {
        let start = Clock.monotonicNanoseconds()
        let report = ChildReport(keys: keys, copiedBytes: Process.privateDirtyBytes() ?? 0)
        mostCopiedBytes = max(mostCopiedBytes, report.copiedBytes)
        var message = ByteBuffer()
        message.append(littleEndian: report.keys)
        message.append(littleEndian: report.copiedBytes)
        // A parent that does not read misses reports, and nothing else.
        if case .closed = Socket.send(descriptor, message.view.rawBuffer) { Child.exit(1) }
        lastNanoseconds = Clock.monotonicNanoseconds()
        costNanoseconds = lastNanoseconds &- start
        return report
    }

    /// Waits until the parent lets the child go, or is gone.
    func waitForLeave() throws(SystemError) {
        _ = try Socket.wait(descriptor, for: .readable, milliseconds: -1)
    }
}

/// Forked children: how they begin, report and end.
///
/// While one lives nothing moves memory about that it shares: tables keep their size, and what is
/// only read is not marked as used. So the kernel copies the pages that are written to, and no more.
extension Server {
    var hasChild: Bool { children.running != nil }

    /// The child that does `work`, if there is one.
    func child(at work: ForkedChild.Work) -> ForkedChild? {
        children.running.flatMap { $0.work == work ? $0 : nil }
    }

    /// Forks a child that does `body` and ends.
    ///
    /// - Throws: where there can be no other process; nothing has changed then.
    func forkChild(
        _ work: ForkedChild.Work, title: String, isForReplicas: Bool = false,
        isToFile: Bool = true,
        _ body: (inout ChildReporter) throws(SystemError) -> Void
    ) throws(SystemError) {
        precondition(!hasChild, "one child at a time")
        let keys = (0..<keyspace.databaseCount).reduce(0) { $0 + keyspace[$1].count }
        let (here, there) = try Socket.pair()
        let start = Clock.monotonicNanoseconds()
        let process: Int32
        do throws(SystemError) {
            switch try fork() {
            case .child:
                FileDescriptor.close(here)
                live(title, ChildReporter(there), body)
            case .parent(let child): process = child
            }
        } catch {
            FileDescriptor.close(here)
            FileDescriptor.close(there)
            throw error
        }
        FileDescriptor.close(there)
        let nanoseconds = Clock.monotonicNanoseconds() - start
        noteLatency(.fork, nanoseconds: nanoseconds)
        children.forks += 1
        children.lastForkMicroseconds = Int(nanoseconds / 1000)
        children.running = ForkedChild(
            work: work, process: process, startedMilliseconds: clock.monotonicMilliseconds,
            changes: keyspace.counters.changes, keys: keys,
            isForReplicas: isForReplicas, isToFile: isToFile, reports: here)
        shareMemory()
    }

    private func fork() throws(SystemError) -> Child.Side {
        guard let background else { return try Child.fork() }
        return try background.fork()
    }

    /// The life of a child, which ends here: with status 0 for success.
    private func live(
        _ title: String, _ reporter: ChildReporter,
        _ body: (inout ChildReporter) throws(SystemError) -> Void
    ) -> Never {
        var reporter = reporter
        log.role = .child
        keyspace.becomeCopy()
        showTitle(of: title)
        network?.forgetListeners()
        _ = adjustOutOfMemoryScore(of: .child)
        do throws(SystemError) {
            try body(&reporter)
        } catch {
            log.warning("Write error while saving in the background: \(error.message)")
            Child.exit(1)
        }
        Child.exit(0)
    }

    /// Follows whether memory is shared with a child.
    func shareMemory() {
        let mayResize = debug.resizesTables && !hasChild
        for index in 0..<keyspace.databaseCount {
            keyspace[index].table.isResizingAllowed = mayResize
        }
        keyspace.isShared = hasChild
    }

    // MARK: - Reports

    /// Takes note of what the child has told since.
    func readChildReports() {
        guard var child = children.running else { return }
        var messages = ByteBuffer()
        let target = messages.writable(minimum: 4096)
        guard case .bytes(let count) = Socket.receive(child.reports, into: target) else { return }
        messages.commit(count)
        let last = messages.count / ChildReport.bytes * ChildReport.bytes - ChildReport.bytes
        guard last >= 0 else { return }
        child.report.keys = messages.view.number(at: last, as: Int.self)
        child.report.copiedBytes = messages.view.number(at: last + 8, as: Int.self)
        child.mostCopiedBytes = max(child.mostCopiedBytes, child.report.copiedBytes)
        child.reportedMilliseconds = clock.monotonicMilliseconds
        children.running = child
    }

    // MARK: - The end

    /// Lets go of a child that waits for it.
    func giveLeave(toChildAt work: ForkedChild.Work) {
        if let child = child(at: work) { Socket.endSending(child.reports) }
    }

    /// Takes note of children that have ended.
    func reapChildren() {
        while let reaped = Child.reap() {
            guard let process = children.running?.process, process == reaped.pid else { continue }
            guard let child = releaseChild() else { continue }
            switch child.work {
            case .snapshot: snapshotEnded(child, reaped.ending)
            case .rewrite: rewriteEnded(child, reaped.ending)
            }
        }
    }

    /// Kills the child that does `work` and waits for its end.
    ///
    /// - Returns: what it was; nil if there was none.
    func killChild(at work: ForkedChild.Work) -> ForkedChild? {
        guard let child = child(at: work) else { return nil }
        Child.signal(child.process, SIGKILL)
        _ = Child.wait(for: child.process)
        return releaseChild()
    }

    /// The child has ended; its last report is read.
    private func releaseChild() -> ForkedChild? {
        readChildReports()
        guard let child = children.running else { return nil }
        FileDescriptor.close(child.reports)
        children.running = nil
        shareMemory()
        return child
    }
}
