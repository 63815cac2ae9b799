import Glibc
import Reactor

/// How messages tell that a file or folder could not be had: which, why, and what to do about it.
///
/// Names are told whole, as the folder a process works in is not the one its reader is in.
struct FileTrouble {
    /// The absolute name.
    let path: String
    let error: SystemError

    init(_ path: String, _ error: SystemError) {
        self.path = Self.absolute(path)
        self.error = error
    }

    /// The name, the cause, and the next step.
    ///
    ///     '/data/dump.rdb': Permission denied. Let the user…
    var text: String { "'\(path)': \(error.message)" + (advice.map { ". \($0)" } ?? "") }

    /// The name, behind the folder that the process works in where it has none.
    static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        guard let folder = try? Process.currentDirectory() else { return path }
        return path == "." ? folder : folder.hasSuffix("/") ? folder + path : "\(folder)/\(path)"
    }

    /// What somebody can do who can do something; nil where there is nothing to say.
    private var advice: String? {
        switch error.code {
        case EACCES, EPERM:
            "Let the user that the server runs as (uid \(geteuid())) read and write it and its folder"
        case EROFS: "The file system is mounted to be read only: mount it anew, or use another"
        case ENOSPC, EDQUOT: "Make room on the disk"
        case ENOENT: "Make what is missing of it, or name another in the configuration"
        case ENOTDIR: "A part of it is no folder: name another in the configuration"
        case EISDIR: "It is a folder: name another in the configuration"
        case EMFILE, ENFILE: "Allow more open files"
        case ENAMETOOLONG: "Name a shorter one in the configuration"
        default: nil
        }
    }
}
