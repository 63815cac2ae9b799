import Glibc
import Reactor

/// The service manager that started this process, if there is one: systemd's protocol of datagrams
/// (sd_notify), spoken without its library, or upstart's stop signal.
///
/// A message that cannot be delivered is lost, as the manager notices a dead service by itself.
struct ServiceManager {
    private enum Kind { case none, upstart, systemd }

    private let kind: Kind
    /// Where systemd listens; a leading `@` is an abstract name.
    private let address: String
    /// How often systemd wants a sign of life, in milliseconds; `nil` if it does not.
    let watchdogPeriod: Int64?

    /// Nobody.
    init() { (kind, address, watchdogPeriod) = (.none, "", nil) }

    /// Finds the manager that the settings expect, by what it left in the environment.
    init(_ supervision: Supervision, _ log: Log) {
        let isUpstart = Self.environment("UPSTART_JOB") != nil
        let address = Self.environment("NOTIFY_SOCKET") ?? ""
        switch supervision {
        case .no: self.init()
        case .auto where isUpstart, .upstart where isUpstart:
            log.warning("supervised by upstart, will stop to signal readiness.")
            self.init(.upstart, "", nil)
        case .auto where !address.isEmpty, .systemd where !address.isEmpty:
            log.warning(
                "WARNING supervised by systemd - you MUST set appropriate values for "
                    + "TimeoutStartSec and TimeoutStopSec in your service unit.")
            self.init(.systemd, address, Self.watchdogPeriod())
        case .auto: self.init()
        case .upstart:
            log.warning("upstart supervision requested, but UPSTART_JOB not found!")
            self.init()
        case .systemd:
            log.warning(
                "systemd supervision requested or auto-detected, but NOTIFY_SOCKET not found!")
            self.init()
        }
    }

    private init(_ kind: Kind, _ address: String, _ watchdogPeriod: Int64?) {
        self.kind = kind
        self.address = address
        self.watchdogPeriod = watchdogPeriod
    }

    /// Whether the process must stay in the foreground for it.
    var isPresent: Bool { kind != .none }

    // MARK: - Messages

    func tellReady() {
        if kind == .upstart { raise(SIGSTOP) }
        send("STATUS=Ready to accept connections\nREADY=1\n")
    }

    func tellStopping() { send("STOPPING=1\n") }

    /// The sign of life, due every half of `watchdogPeriod`.
    func tellAlive() { send("WATCHDOG=1\n") }

    private func send(_ message: String) {
        guard kind == .systemd else { return }
        Socket.sendDatagram(Array(message.utf8), toUnixPath: address)
    }

    // MARK: - The environment

    private static func environment(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        return String(cString: value)
    }

    private static func watchdogPeriod() -> Int64? {
        guard let text = environment("WATCHDOG_USEC"), let microseconds = Int64(text),
            microseconds > 0
        else { return nil }
        // Meant for another process of the service.
        if let owner = environment("WATCHDOG_PID"), Int32(owner) != Process.processIdentifier {
            return nil
        }
        return max(2, microseconds / 1000)
    }
}
