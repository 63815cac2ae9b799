import CLinux
import Glibc

/// This process as the kernel sees it: its limits, its use of memory and processor, its name.
///
/// Each call asks the kernel anew, a microsecond or a few; nothing is kept.
public enum Process {
    public static var processIdentifier: Int32 { getpid() }

    /// 0 for root.
    public static var userIdentifier: UInt32 { geteuid() }

    /// What the program was started with, its own name first; bytes, as the kernel hands them over.
    public static var arguments: [[UInt8]] {
        (0..<apus_argument_count()).map { index in
            guard let text = apus_argument(index) else { return [] }
            return (0..<strlen(text)).map { UInt8(bitPattern: text[$0]) }
        }
    }

    /// "Linux 6.1.0 x86_64".
    public static var hostKernel: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { room in
            guard let start = room.baseAddress else { return "" }
            apus_host_kernel(start, room.count)
            return String(cString: start)
        }
    }

    /// The absolute path of the running program; empty where /proc is missing.
    public static var executablePath: String {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &path, path.count)
        return String(
            decoding: path.prefix(max(count, 0)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Becomes another program, under the same number and with no descriptor but the standard
    /// three; returns only to throw.
    public static func replace(
        with path: String, arguments: [String]
    ) throws(SystemError) -> Never {
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        pointers.append(nil)
        Signals.unblockAll()
        execv(path, pointers)
        let error = SystemError.last("execv")
        for pointer in pointers { free(pointer) }
        throw error
    }

    /// Fills the buffer with bytes fit for keys and seeds.
    public static func fillRandom(_ buffer: UnsafeMutableRawBufferPointer) {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = getrandom(rest.baseAddress, rest.count, 0)
            precondition(count > 0 || errno == EINTR, "the kernel has no randomness")
            done += max(count, 0)
        }
    }

    public static func randomBytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        bytes.withUnsafeMutableBytes { fillRandom($0) }
        return bytes
    }

    /// Sets the permissions that new files are denied, and answers the former ones.
    @discardableResult
    public static func setUmask(_ mask: UInt16) -> UInt16 {
        UInt16(truncatingIfNeeded: umask(mode_t(mask)))
    }

    /// Whether a descriptor is a terminal.
    public static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }
}

// MARK: - Limits

extension Process {
    /// How many descriptors may be open, and how far that may be raised.
    public static func descriptorLimit() -> (soft: Int, hard: Int) {
        var soft: UInt64 = 0
        var hard: UInt64 = 0
        let result = apus_descriptor_limit(&soft, &hard)
        precondition(result == 0, "getrlimit refused its own limit")
        return (Int(clamping: soft), Int(clamping: hard))
    }

    /// Raises the limit of open descriptors to `wanted`, or as near as the system allows; never
    /// lowers it.
    ///
    /// - Returns: the limit as it is now.
    public static func raiseDescriptorLimit(to wanted: Int) -> Int {
        let (soft, hard) = descriptorLimit()
        if soft >= wanted { return soft }
        // Only root may lift the hard limit, and fs.nr_open bounds even root.
        if apus_set_descriptor_limit(UInt64(wanted), UInt64(max(wanted, hard))) != 0 {
            _ = apus_set_descriptor_limit(UInt64(min(wanted, hard)), UInt64(hard))
        }
        return descriptorLimit().soft
    }

    /// Keeps the kernel from backing this process with huge pages, which make the copies after a
    /// fork 512 times as big; false if it refused.
    public static func disableTransparentHugePages() -> Bool { apus_disable_huge_pages() == 0 }

    /// The process's place in the queue when memory runs out: -1000 (never killed) to 1000.
    ///
    /// - Throws: EACCES if it is lower than allowed without privilege.
    public static func setOutOfMemoryScore(_ score: Int) throws(SystemError) {
        let file = try File("/proc/self/oom_score_adj", .readWrite)
        try file.writeAll(Array(String(score).utf8))
    }

    /// nil where /proc is missing.
    public static func outOfMemoryScore() -> Int? {
        number("/proc/self/oom_score_adj", field: 0)
    }

    /// One field of a file of numbers that blanks separate.
    private static func number(_ path: String, field: Int) -> Int? {
        guard let bytes = try? File.readWhole(path, limit: 4096) else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        let fields = text.split { $0 == " " || $0 == "\n" }
        return field < fields.count ? Int(fields[field]) : nil
    }
}

// MARK: - Use of memory and processor

/// Processor time, in microseconds.
public struct CPUUsage: Equatable, Sendable {
    public let user: Int64
    public let system: Int64

    public enum Owner: Int32, Sendable {
        case process = 0
        /// Children that have ended and been reaped.
        case children = -1
        case thread = 1
    }
}

extension Process {
    /// Bytes of this process in memory; 0 where /proc is missing.
    ///
    /// About 10 µs.
    public static func residentBytes() -> Int {
        (number("/proc/self/statm", field: 1) ?? 0) * sysconf(Int32(_SC_PAGESIZE))
    }

    /// Bytes of memory that this process has to itself and has written to: in a forked child, what
    /// was copied since the fork; nil where /proc is missing.
    public static func privateDirtyBytes() -> Int? {
        guard let bytes = try? File.readWhole("/proc/self/smaps_rollup", limit: 16384) else {
            return nil
        }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        where line.hasPrefix("Private_Dirty:") {
            let kibibytes = line.split(separator: " ").dropFirst().first.flatMap { Int($0) }
            return kibibytes.map { $0 * 1024 }
        }
        return nil
    }

    /// Bytes of memory that this host has.
    public static func totalSystemMemory() -> Int {
        sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    }

    /// How many processors this process may run on.
    public static var usableProcessors: Int { Int(apus_usable_processors()) }

    public static func cpuUsage(_ owner: CPUUsage.Owner) -> CPUUsage {
        var user: Int64 = 0
        var system: Int64 = 0
        let result = apus_cpu_usage(owner.rawValue, &user, &system)
        precondition(result == 0, "getrusage does not know \(owner)")
        return CPUUsage(user: user, system: system)
    }
}

// MARK: - Folder, name and terminal

extension Process {
    /// The folder that relative paths begin in.
    public static func currentDirectory() throws(SystemError) -> String {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        guard getcwd(&path, path.count) != nil else { throw SystemError.last("getcwd") }
        return String(decoding: path.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    public static func changeDirectory(_ path: String) throws(SystemError) {
        try retrying("chdir") { chdir(path) }
    }

    /// What ps(1) shows; its first word becomes the name of the calling thread, so call it on the
    /// first one.
    ///
    /// A title that does not fit where arguments and environment stood is cut.
    public static func setTitle(_ title: String) { apus_set_process_title(title) }

    /// Leaves the terminal: goes on as a child in a session of its own, on /dev/null, while the
    /// calling process exits with status 0.
    ///
    /// Must come before any thread is started.
    ///
    /// - Throws: EAGAIN or ENOMEM if the fork fails; the process is unchanged then.
    public static func daemonize() throws(SystemError) {
        if try retrying("fork", { apus_fork() }) != 0 { Child.exit(0) }
        setsid()
        let null = try File("/dev/null", .readWrite)
        for standard in STDIN_FILENO...STDERR_FILENO where standard != null.descriptor {
            try retrying("dup2") { dup2(null.descriptor, standard) }
        }
        if null.descriptor <= STDERR_FILENO { _ = null.release() }
    }

    /// From here on a fatal signal, a Swift trap among them, writes a report with registers and a stack
    /// trace to the log before it kills the process.
    ///
    /// - Parameters:
    ///   - logPath: appended to; nil is standard output.
    ///   - version: how the report names the program, such as "Redis 7.2.4".
    ///   - details: what else there is to tell, asked for when the rest is written: it may find
    ///     anything, and crash as well. What it has handed over by then is in the report.
    public static func installCrashHandlers(
        logPath: String?, version: String, details: CrashDetails.Teller? = nil
    ) {
        let box = details.map { Unmanaged.passRetained(CrashDetails(tell: $0)).toOpaque() }
        let previous = apus_install_crash_handlers(
            logPath, version,
            box == nil
                ? nil
                : { context, descriptor in
                    guard let context else { return }
                    Unmanaged<CrashDetails>.fromOpaque(context).takeUnretainedValue()
                        .tell { try? File.writeAll($0, to: descriptor) }
                }, box)
        if let previous { Unmanaged<CrashDetails>.fromOpaque(previous).release() }
    }

    /// The commit of the sources that this was built from; empty where the build was not told.
    public static var commit: String { String(cString: apus_commit()) }

    /// Fatal signals kill the process without a report again.
    public static func removeCrashHandlers() { apus_remove_crash_handlers() }

    /// Has the stack written to the crash handlers' log after so many milliseconds, unless this is called
    /// again before; 0 takes it back.
    public static func setWatchdog(milliseconds: Int) {
        apus_set_watchdog(Int32(clamping: milliseconds))
    }

    /// Writes the calling thread's stack, a frame a line.
    public static func logBacktrace(to descriptor: Int32) { apus_log_backtrace(descriptor) }
}

/// What a crash report asks for.
public final class CrashDetails {
    /// Hands over piece by piece what is to be written.
    public typealias Teller = (_ write: ([UInt8]) -> Void) -> Void

    fileprivate let tell: Teller
    fileprivate init(tell: @escaping Teller) { self.tell = tell }
}
