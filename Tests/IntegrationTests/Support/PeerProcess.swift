import Foundation
import Glibc

/// A server of somebody else, started in a folder that ours has left or will continue.
final class PeerProcess {
    struct Program: CustomStringConvertible, Sendable {
        let description: String
        let path: String
        /// What `rdb-field-ttl-format` says where our files are for it; nil: it knows no deadlines of
        /// fields.
        let fieldDeadlines: String?
    }

    static let redis = Program(
        description: "Redis 7", path: "/usr/bin/redis-server", fieldDeadlines: nil)

    static var hasRedis: Bool { isThere(redis) }

    /// All that are at hand: Debian's Redis, and what `Scripts/peers` installed.
    static var programs: [Program] {
        let folder = ProcessInfo.processInfo.environment["APUS_PEERS"] ?? ".cache/peers"
        let others = [
            Program(
                description: "Redis 8", path: folder + "/redis-server", fieldDeadlines: "redis"),
            Program(
                description: "Valkey 9", path: folder + "/valkey-server", fieldDeadlines: "valkey"),
        ]
        return ([redis] + others).filter(isThere)
    }

    private static func isThere(_ program: Program) -> Bool {
        FileManager.default.isExecutableFile(atPath: program.path)
    }

    private let process: Int32
    private let port: Int
    private var hasEnded = false

    /// Starts one and waits until it accepts connections.
    init(_ program: Program, folder: URL, _ options: String...) throws {
        port = try ServerProcess.freePort()
        let output = folder.appending(path: "peer.log")
        process = try ServerProcess.spawn(
            [
                program.path, "--port", "\(port)", "--dir", folder.path, "--save", "",
                "--enable-debug-command", "yes",
            ] + options, environment: [:], output: output.path)
        do {
            try wait("\(program) is ready") {
                let text = (try? String(contentsOf: output, encoding: .utf8)) ?? ""
                return text.contains("eady to accept connections")
            }
        } catch {
            let text = (try? String(contentsOf: output, encoding: .utf8)) ?? ""
            end()
            throw Trouble("\(program) did not start:\n\(text)")
        }
    }

    deinit { end() }

    func connect() throws -> Client { try Client(port: port) }

    func end() {
        guard !hasEnded else { return }
        hasEnded = true
        kill(process, SIGKILL)
        var status: Int32 = 0
        waitpid(process, &status, 0)
    }
}
