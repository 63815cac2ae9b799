/// What of the host's settings will hurt, as the log tells it at the start, with what to do.
///
/// Begins as Redis does, as monitoring looks for it.
struct HostWarnings {
    let tcpBacklog: Int
    /// Whether the process takes no transparent huge pages, whatever the host's setting is.
    let avoidsHugePages: Bool
    /// The first line of a file of the kernel; nil where there is no such file.
    let read: (String) -> String?

    var lines: [String] { [overcommit, hugePages, backlog].compactMap(\.self) }

    private var overcommit: String? {
        guard let mode = read("/proc/sys/vm/overcommit_memory"), Int(mode) != 1 else { return nil }
        return "WARNING Memory overcommit must be enabled! Without it, a background save or "
            + "replication may fail under low memory condition. To fix this issue add "
            + "'vm.overcommit_memory = 1' to /etc/sysctl.conf and then reboot or run the command "
            + "'sysctl vm.overcommit_memory=1' for this to take effect."
    }

    private var hugePages: String? {
        let path = "/sys/kernel/mm/transparent_hugepage/enabled"
        guard !avoidsHugePages, read(path)?.hasPrefix("[always]") == true else {
            return nil
        }
        return "WARNING You have Transparent Huge Pages (THP) support enabled in your kernel. This "
            + "will create latency and memory usage issues while a snapshot is written. To fix this "
            + "issue set 'disable-thp yes', or run the command 'echo madvise > \(path)' as root, and "
            + "add it to your /etc/rc.local in order to retain the setting after a reboot. The server "
            + "must be restarted after THP is disabled."
    }

    private var backlog: String? {
        let path = "/proc/sys/net/core/somaxconn"
        guard let most = read(path).flatMap({ Int($0) }), most > 0, most < tcpBacklog else {
            return nil
        }
        return "WARNING: The TCP backlog setting of \(tcpBacklog) cannot be enforced because "
            + "\(path) is set to the lower value of \(most). To fix this issue run the command "
            + "'sysctl net.core.somaxconn=\(tcpBacklog)' as root and restart, or lower 'tcp-backlog'."
    }
}
