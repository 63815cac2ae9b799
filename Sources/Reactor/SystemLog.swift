import CLinux

/// The system's log, syslog(3).
public enum SystemLog {
    /// - Parameter facility: the number that RFC 5424 gives it, such as 16 for `local0`.
    public static func open(identity: String, facility: Int32) {
        apus_open_system_log(identity, facility)
    }

    /// - Parameter level: one of syslog's `LOG_…`.
    public static func write(_ message: String, level: Int32) {
        apus_write_system_log(level, message)
    }
}
