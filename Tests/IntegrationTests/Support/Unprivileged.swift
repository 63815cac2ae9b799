import Foundation
import Glibc
import Testing

/// A user whom permissions of files hold back, which they do not do with root.
enum Unprivileged {
    static let absence: Comment = "no process of another user can be started here"
    /// What to put in front of a command.
    static let wrapper: [String] =
        geteuid() == 0
        ? ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"] : []

    static let isPossible: Bool = {
        let command = wrapper + [ServerProcess.binary, "--version"]
        return (try? ServerProcess.run(command).ending) == .exited(0)
    }()
}
