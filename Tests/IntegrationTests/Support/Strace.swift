import Foundation
import Glibc
import Testing

/// Watches the system calls of a server, or lets them fail or kill, by strace(1).
///
/// Each thread and each forked child counts its own calls, each kind by itself.
final class Strace {
    /// The third `rename` of a thread or child, say.
    struct Call: CustomStringConvertible {
        let name: String
        let number: Int

        var description: String { "\(name) \(number)" }

        /// - Parameter fault: `signal=KILL`, `error=EIO`…
        func rule(_ fault: String) -> String { "inject=\(name):\(fault):when=\(number)" }
    }

    private static let program = "/usr/bin/strace"
    private let process: Int32
    private let folder: URL
    private var hasEnded = false

    static let absence: Comment = "strace is not installed, or may not look at other processes"

    static let isUsable: Bool = {
        guard FileManager.default.isExecutableFile(atPath: program),
            let sleeper = try? ServerProcess.spawn(
                ["sleep", "60"], environment: [:], output: "/dev/null")
        else { return false }
        defer {
            kill(sleeper, SIGKILL)
            var status: Int32 = 0
            waitpid(sleeper, &status, 0)
        }
        return (try? Strace(sleeper, "trace=nanosleep")) != nil
    }()

    /// What to put in front of a command, so that it does what `rules` say from its beginning on.
    ///
    /// - Parameter file: calls that have nothing to do with this file are left alone.
    static func wrapper(_ rules: String..., file: String? = nil) -> [String] {
        [program, "-D", "-f", "-qq", "-o", "/dev/null"] + (file.map { ["-P", $0] } ?? [])
            + rules.flatMap { ["-e", $0] }
    }

    /// Attaches to a process that runs; its threads and later children follow.
    init(_ target: Int32, _ rules: String...) throws {
        folder = try ServerProcess.freshFolder()
        let messages = folder.appending(path: "messages")
        process = try ServerProcess.spawn(
            [Self.program, "-f", "-y", "-o", folder.appending(path: "calls").path]
                + rules.flatMap { ["-e", $0] } + ["-p", "\(target)"],
            environment: [:], output: messages.path)
        try wait("strace attaches") {
            let text = (try? String(contentsOf: messages, encoding: .utf8)) ?? ""
            if text.contains("attached") { return true }
            guard !reap() else { throw Trouble("strace: \(text)") }
            return false
        }
    }

    deinit {
        detach()
        try? FileManager.default.removeItem(at: folder)
    }

    /// What was called so far, in order.
    var lines: [Substring] {
        let text =
            (try? String(contentsOf: folder.appending(path: "calls"), encoding: .utf8)) ?? ""
        return text.split(separator: "\n")
    }

    /// All calls that rules can be made for, as they stood in `lines`.
    var calls: [Call] {
        var counts: [[Substring]: Int] = [:]
        for line in lines {
            // Short numbers of processes are filled up with spaces.
            let process = line.prefix { $0 != " " }
            let rest = line[process.endIndex...].drop { $0 == " " }
            let name = rest.prefix { $0 != "(" }
            guard !name.isEmpty, name.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" })
            else { continue }
            counts[[process, name], default: 0] += 1
        }
        var most: [String: Int] = [:]
        for (call, count) in counts {
            let name = String(call[1])
            most[name] = max(most[name] ?? 0, count)
        }
        return most.sorted { $0.key < $1.key }.flatMap { name, count in
            (1...count).map { Call(name: name, number: $0) }
        }
    }

    /// Waits until the process and all its children are gone.
    func waitForEnd() throws {
        try wait("everything traced has ended") { reap() }
    }

    /// Lets everything traced go on by itself.
    ///
    /// Asked politely strace writes down all it has seen, but waits for ever where a process is just
    /// being killed.
    func detach() {
        guard !hasEnded else { return }
        kill(process, SIGTERM)
        for _ in 0..<1000 {
            if reap() { return }
            usleep(2000)
        }
        kill(process, SIGKILL)
        var status: Int32 = 0
        waitpid(process, &status, 0)
        hasEnded = true
    }

    private func reap() -> Bool {
        var status: Int32 = 0
        if !hasEnded, waitpid(process, &status, WNOHANG) == process { hasEnded = true }
        return hasEnded
    }
}
