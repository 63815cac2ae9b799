import CLinux
import Glibc

/// Signals as ordinary events: blocked, and read from a signalfd(2) that the poller watches.
///
/// There is no handler, hence nothing that could run in the middle of anything else.
///
/// Make it first of all, before any thread, so that every thread inherits the blocked set. SIGPIPE
/// and SIGHUP are ignored for good. SIGCHLD of several children may arrive as one: reap until
/// `Child.reap` answers nil.
public final class Signals {
    private static let watched = [SIGTERM, SIGINT, SIGCHLD, SIGUSR1, SIGUSR2]

    private let file: FileDescriptor

    public init() throws(SystemError) {
        for number in [SIGPIPE, SIGHUP] {
            try retrying("signal") { apus_ignore_signal(number) }
        }
        var set = Self.watchedSet()
        let code = pthread_sigmask(SIG_BLOCK, &set, nil)
        guard code == 0 else { throw SystemError("pthread_sigmask", code: code) }
        file = FileDescriptor(owning: try retrying("signalfd") { apus_signalfd(&set) })
    }

    /// For the poller: readable while a signal waits.
    public var descriptor: Int32 { file.number }

    /// The next signal that has arrived, nil when there is none.
    public func next() -> SignalEvent? {
        var information = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        while read(file.number, &information, size) != size {
            if errno != EINTR { return nil }
        }
        return SignalEvent(
            number: Int32(information.ssi_signo), senderPid: Int32(information.ssi_pid))
    }

    /// Lets this thread's signals act again; a forked child begins with it, as it has no loop.
    static func unblockAll() {
        var set = sigset_t()
        sigfillset(&set)
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }

    private static func watchedSet() -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in watched { sigaddset(&set, number) }
        return set
    }
}

/// A signal and who sent it; the pid is 0 where the kernel did.
public struct SignalEvent: Equatable, Sendable {
    public let number: Int32
    public let senderPid: Int32
}
