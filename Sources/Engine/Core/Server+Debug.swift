import CLinux
import Glibc

/// What DEBUG does to the process itself, most of it deadly.
extension Server {
    /// Stops serving for a while, as a slow command would.
    func sleep(seconds: Double) {
        // Half a day is more than any test waits; NaN and what is negative wait not at all.
        let bounded = seconds > 0 ? min(seconds, 43_200) : 0
        let microseconds = Int(bounded * 1_000_000)
        var rest = timespec(
            tv_sec: microseconds / 1_000_000, tv_nsec: microseconds % 1_000_000 * 1000)
        var left = timespec()
        while nanosleep(&rest, &left) != 0 && errno == EINTR { rest = left }
    }

    /// Dies by a memory fault, so that the crash report can be seen.
    func crashBySegmentationFault() {
        raise(SIGSEGV)
    }

    func crashByPanic() {
        log.warning("------------------------------------------------")
        log.warning("!!! Software Failure. Press left mouse button to continue")
        log.warning("Guru Meditation: called by Unittest")
        log.warning("------------------------------------------------")
        end()
    }

    func crashByAssertion() {
        log.warning("=== ASSERTION FAILED ===")
        log.warning("==> DEBUG ASSERT '1 == 2' is not true")
        end()
    }

    func crashByMemoryExhaustion() {
        log.warning("Out Of Memory allocating \(Int.max / 2) bytes!")
        apus_heap_free(apus_heap_allocate(Int.max / 2))
    }

    private func end() {
        if settings.exitsOnPanic { exit(1) }
        abort()
    }

    /// Loses a copy of `bytes`, for those who test leak detectors.
    func leak(_ bytes: ByteView) {
        bytes.copy(to: apus_heap_allocate(max(bytes.count, 1)))
    }

    /// A new name for the history of changes.
    func changeReplicationID() { renameHistory(remembers: false) }

    /// Whether a command that `access` guards may run for `connection`.
    func allows(_ access: AdminAccess, for connection: Connection) -> Bool {
        switch access {
        case .yes: true
        case .no: false
        case .local: connection.isLocal
        }
    }
}
