import CLinux
import Glibc

/// Forked children, which save a snapshot of memory while the parent goes on serving.
///
/// The child has one thread and a copy of everything; it shares the open files. It must not touch
/// the poller or `Background`, and leaves through `exit`, so that nothing of the parent's is
/// flushed or closed twice. `Socket.pair` is the way to speak to it.
///
/// A lock that another thread holds at the moment of the fork stays locked in the child. The C
/// library sees to its allocator; a process with a `Background` forks through that, which sees to
/// the locks of Swift's runtime; while there is an `Errand` nobody forks.
public enum Child {
    public enum Side: Equatable, Sendable {
        /// In the parent, with the child's process number.
        case parent(pid: Int32)
        case child
    }

    public enum Ending: Equatable, Sendable {
        /// It left by itself with this status, 0 to 255.
        case exited(status: Int32)
        case signalled(number: Int32)
    }

    public struct Reaped: Equatable, Sendable {
        public let pid: Int32
        public let ending: Ending
    }

    /// Forks.
    ///
    /// Costs time in proportion to the mapped memory, about 10 ms a GiB.
    ///
    /// In the child every signal is unblocked and has its default action again, but SIGINT is
    /// ignored: a terminal sends it to parent and child alike, and the parent decides.
    ///
    /// - Throws: EAGAIN at the limit of processes, ENOMEM where memory may not be overcommitted.
    public static func fork() throws(SystemError) -> Side {
        let pid = try retrying("fork") { apus_fork() }
        if pid != 0 { return .parent(pid: pid) }
        _ = apus_ignore_signal(SIGINT)
        Signals.unblockAll()
        return .child
    }

    /// Leaves the process at once: no destructors, no exit handlers.
    public static func exit(_ status: Int32) -> Never { _exit(status) }

    /// Takes note of a child that has ended, without waiting.
    ///
    /// - Parameter pid: -1 for any child.
    /// - Returns: nil if none has ended, or there is none.
    public static func reap(_ pid: Int32 = -1) -> Reaped? { collect(pid, options: WNOHANG) }

    /// Waits until the child has ended; nil if there is no such child.
    public static func wait(for pid: Int32) -> Reaped? { collect(pid, options: 0) }

    private static func collect(_ pid: Int32, options: Int32) -> Reaped? {
        var status: Int32 = 0
        var ended = waitpid(pid, &status, options)
        while ended < 0, errno == EINTR { ended = waitpid(pid, &status, options) }
        if ended <= 0 { return nil }
        if apus_was_signalled(status) != 0 {
            return Reaped(pid: ended, ending: .signalled(number: apus_signal_number(status)))
        }
        return Reaped(pid: ended, ending: .exited(status: apus_exit_status(status)))
    }

    /// Sends a signal; false if there is no such process.
    @discardableResult
    public static func signal(_ pid: Int32, _ number: Int32) -> Bool { kill(pid, number) == 0 }
}
