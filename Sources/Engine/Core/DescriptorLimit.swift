import Reactor

/// How many clients the limit of open descriptors allows, raised as far as the system lets us.
enum DescriptorLimit {
    /// What the server needs beside its clients: log, listeners, files of the data set.
    private static let reserved = 32

    /// Raises the limit so that `clients` can connect.
    ///
    /// - Returns: `clients`, or as many as there can be; `nil` if that is none at all.
    static func fit(clients: Int, _ log: Log) -> Int? {
        let before = Process.descriptorLimit().soft
        let wanted = clients + reserved
        guard before < wanted else { return clients }
        let reached = Process.raiseDescriptorLimit(to: wanted)
        guard reached < wanted else {
            log.notice(
                "Increased maximum number of open files to \(reached) (it was originally set to "
                    + "\(before)).")
            return clients
        }
        guard reached > reserved else {
            log.warning(
                "Your current 'ulimit -n' of \(before) is not enough for the server to start. "
                    + "Please increase your open file limit to at least \(wanted). Exiting.")
            return nil
        }
        log.warning(
            "You requested maxclients of \(clients) requiring at least \(wanted) max file "
                + "descriptors.")
        log.warning(
            "Server can't set maximum open files to \(wanted) because the system forbids it.")
        log.warning(
            "Current maximum open files is \(reached). maxclients has been reduced to "
                + "\(reached - reserved) to compensate for low ulimit. If you need higher maxclients "
                + "increase 'ulimit -n'.")
        return reached - reserved
    }
}
