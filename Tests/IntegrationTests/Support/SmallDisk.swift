import Foundation
import Glibc
import Testing

/// A file system of 8 MB in memory, in a mount namespace of its own, so that it can be filled up.
///
/// It lives as long as this object, ten minutes at most; servers come and go in it.
final class SmallDisk {
    /// Where it is, for those inside.
    let path: String
    private let holder: Int32
    private let folder: URL

    /// A user who is not root needs a namespace of users as well.
    private static let namespaces = geteuid() == 0 ? ["-m"] : ["-m", "-U"]

    static let absence: Comment = "no mount namespace may be made here"
    static let isPossible = (try? SmallDisk()) != nil

    init() throws {
        folder = try ServerProcess.freshFolder()
        path = folder.appending(path: "disk").path
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false)
        let output = folder.appending(path: "output")
        let script = "mount -t tmpfs -o size=8m tmpfs \(path) && echo mounted && exec sleep 600"
        holder = try ServerProcess.spawn(
            ["unshare"] + Self.namespaces + (geteuid() == 0 ? [] : ["-r"])
                + ["--propagation", "private", "sh", "-c", script],
            environment: [:], output: output.path)
        try wait("the disk is mounted") {
            let text = (try? String(contentsOf: output, encoding: .utf8)) ?? ""
            if text.contains("mounted") { return true }
            var status: Int32 = 0
            guard waitpid(holder, &status, WNOHANG) == 0 else { throw Trouble(text) }
            return false
        }
    }

    deinit {
        kill(holder, SIGKILL)
        var status: Int32 = 0
        waitpid(holder, &status, 0)
        try? FileManager.default.removeItem(at: folder)
    }

    /// What to put in front of a command, so that it sees the disk.
    var wrapper: [String] {
        ["nsenter", "--target", "\(holder)"] + Self.namespaces
            + (geteuid() == 0 ? [] : ["--preserve-credentials"]) + ["--"]
    }

    /// A file on it, seen from outside.
    func file(_ name: String) -> URL { URL(filePath: "/proc/\(holder)/root\(path)/\(name)") }

    var names: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: file("").path)) ?? []).sorted()
    }

    /// Lets a file take everything but `bytes`, in whole pages.
    func fill(leaving bytes: Int = 0) throws {
        var space = statvfs()
        guard statvfs(file("").path, &space) == 0 else { throw Trouble("statvfs") }
        let excess = Int(space.f_bavail) * Int(space.f_frsize) - bytes
        let descriptor = open(file("filler").path, O_WRONLY | O_CREAT, 0o600)
        defer { close(descriptor) }
        let code = posix_fallocate(descriptor, 0, off_t(excess))
        guard code == 0 else { throw Trouble("fallocate: \(String(cString: strerror(code)))") }
    }

    func makeRoom() throws { try FileManager.default.removeItem(at: file("filler")) }
}
