import Foundation
import Testing

/// Failover by the real sentinels, with the example we ship: `Tests/Sentinel/failover` says what
/// must hold.
@Suite struct SentinelTests {
    private static func hasPythonAndSentinel() -> Bool {
        let commands = [
            ["/usr/bin/python3", "-c", "import redis"], ["redis-sentinel", "--version"],
            ["redis-cli", "--version"],
        ]
        return commands.allSatisfy {
            (try? ServerProcess.run($0).ending) == .exited(0)
        }
    }

    private func failOver(_ how: String) throws {
        let repository = URL(filePath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let finished = try ServerProcess.run(
            ["/usr/bin/python3", repository.appending(path: "Tests/Sentinel/failover").path, how],
            environment: ["APUS_BINARY": ServerProcess.binary], within: 180)
        #expect(finished.ending == .exited(0), "\(finished.output)\(finished.errors)")
    }

    @Test(.enabled(if: hasPythonAndSentinel(), "redis-sentinel or python3-redis is not installed"))
    func `a client goes on when the primary is killed`() throws {
        try failOver("kill")
    }

    @Test(.enabled(if: hasPythonAndSentinel(), "redis-sentinel or python3-redis is not installed"))
    func `a client goes on when the primary is stopped, and comes back`() throws {
        try failOver("stop")
    }
}
