import Foundation
import Glibc
import Testing

/// The protocol of systemd's notification socket, with a socket of ours in the manager's place.
@Suite struct ServiceManagerTests {
    /// Where a service sends its state.
    private final class Listener {
        let descriptor: Int32

        init(path: String) throws {
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
            var patience = timeval(tv_sec: 30, tv_usec: 0)
            let size = socklen_t(MemoryLayout<timeval>.size)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
            var name = Client.unix(path: path)
            var length = socklen_t(MemoryLayout<sockaddr_un>.size)
            if path.hasPrefix("@") {
                name.sun_path.0 = 0
                length = socklen_t(MemoryLayout<sa_family_t>.size + path.utf8.count)
            }
            let result = withUnsafePointer(to: &name) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, length)
                }
            }
            guard result == 0 else { throw Trouble("bind: \(String(cString: strerror(errno)))") }
        }

        deinit { close(descriptor) }

        func next() throws -> String {
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = recv(descriptor, &bytes, bytes.count, 0)
            guard count >= 0 else { throw Trouble("no message came") }
            return String(decoding: bytes[..<count], as: UTF8.self)
        }
    }

    @Test(arguments: ["systemd", "auto"])
    func `tells when it is ready and when it stops`(supervision: String) throws {
        let folder = try ServerProcess.freshFolder()
        let path = folder.appending(path: "notify").path
        let listener = try Listener(path: path)
        // Supervised, it stays in the foreground whatever `daemonize` says.
        let server = try ServerProcess(
            "supervised \(supervision)\ndaemonize  yes", environment: ["NOTIFY_SOCKET": path],
            folder: folder)
        #expect(try listener.next() == "STATUS=Ready to accept connections\nREADY=1\n")
        #expect(try server.connect().run("PING") == "PONG")
        #expect(try server.stop() == .exited(0))
        #expect(try listener.next() == "STOPPING=1\n")
    }

    @Test func `gives signs of life as often as wanted, to an abstract name`() throws {
        let path = "@apus-\(UUID().uuidString)"
        let listener = try Listener(path: path)
        // Signs that are read late are read all the sooner one after the other: only the whole has a
        // shortest time.
        let start = ContinuousClock.now
        let server = try ServerProcess(
            "supervised systemd",
            environment: ["NOTIFY_SOCKET": path, "WATCHDOG_USEC": "40000"])
        #expect(try listener.next().hasSuffix("READY=1\n"))
        for _ in 0..<11 { #expect(try listener.next() == "WATCHDOG=1\n") }
        // The first at once, ten more twenty milliseconds apart.
        #expect(ContinuousClock.now - start >= .milliseconds(200))
        server.kill(SIGKILL)
        try server.waitForEnd()
    }

    @Test func `says so when nobody supervises it`() throws {
        let server = try ServerProcess(
            "supervised systemd", environment: ["NOTIFY_SOCKET": ""])
        #expect(server.output.contains("NOTIFY_SOCKET not found!"))
    }
}
