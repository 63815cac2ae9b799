import Foundation
import Glibc
import Testing

/// Sockets of all kinds, and clients that behave badly.
@Suite struct NetworkTests {
    @Test(arguments: [("700", 0o700), ("777", 0o777), ("0", 0o755)])
    func `a Unix socket has the permissions asked for`(setting: String, mode: mode_t) throws {
        let server = try ServerProcess(
            "port 0\nunixsocket FOLDER/socket\nunixsocketperm \(setting)",
            wrapper: ["sh", "-c", "umask 022; exec \"$@\"", "sh"])
        let path = server.file("socket").path
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == mode)
        #expect(try Client(path: path).run("PING") == "PONG")
        #expect(throws: Trouble.self) { try server.connect() }
        #expect(server.output.contains("now ready to accept connections at \(path)"))
    }

    @Test func `clients beyond maxclients are told so`() throws {
        let server = try ServerProcess("maxclients 2")
        var clients = [try server.connect(), try server.connect()]
        for client in clients { #expect(try client.run("PING") == "PONG") }
        #expect(try server.connect().read() == .error("ERR max number of clients reached"))
        clients.removeFirst()
        try wait("a place is free") {
            let client = try server.connect()
            return (try? client.run("PING")) == "PONG"
        }
    }

    /// An address of this machine that is not the loopback's.
    private static let outerAddress: String? = {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return nil }
        defer { freeifaddrs(list) }
        for item in sequence(first: list, next: { $0?.pointee.ifa_next }) {
            guard let address = item?.pointee.ifa_addr,
                address.pointee.sa_family == sa_family_t(AF_INET)
            else { continue }
            let number = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                UInt32(bigEndian: $0.pointee.sin_addr.s_addr)
            }
            if number >> 24 == 127 { continue }
            return [24, 16, 8, 0].map { String(number >> $0 & 255) }.joined(separator: ".")
        }
        return nil
    }()

    @Test(.enabled(if: outerAddress != nil, "this machine has no address but the loopback's"))
    func `protected mode refuses strangers`() throws {
        let address = try #require(Self.outerAddress)
        let server = try ServerProcess("bind 127.0.0.1 \(address)")
        let refusal = try Client(port: server.port, address: address).read().text ?? ""
        #expect(refusal.hasPrefix("DENIED Redis is running in protected mode"))
        let local = try server.connect()
        #expect(try local.run("CONFIG", "SET", "protected-mode", "no") == "OK")
        #expect(try Client(port: server.port, address: address).run("PING") == "PONG")
        #expect(
            try local.run("CONFIG", "SET", "protected-mode", "yes", "requirepass", "secret") == "OK"
        )
        let stranger = try Client(port: server.port, address: address)
        #expect(try stranger.run("GET", "k") == .error("NOAUTH Authentication required."))
        // Who was there before the password stays.
        #expect(try local.run("PING") == "PONG")
    }

    @Test func `a client that never reads is cut off`() throws {
        let server = try ServerProcess("client-output-buffer-limit normal 4mb 0 0")
        let value = String(repeating: "v", count: 1 << 20)
        #expect(try server.connect().run("SET", "k", value) == "OK")
        let before = try memory(of: server.process, "Pss")
        let client = try server.connect()
        // Far more than any socket buffer holds; sending fails once the server has had enough.
        let request = Array(String(repeating: "GET k\r\n", count: 64).utf8)
        #expect(throws: Trouble.self) {
            for _ in 0..<10_000 { try client.send(request) }
        }
        #expect(server.output.contains("scheduled to be closed ASAP for overcoming of output"))
        let growth = try memory(of: server.process, "Pss") - before
        #expect(growth < 64 << 20)
        #expect(try server.connect().run("PING") == "PONG")
    }

    @Test func `running out of descriptors neither spins nor kills`() throws {
        let server = try ServerProcess("maxclients 100")
        let first = try server.connect()
        #expect(try first.run("PING") == "PONG")
        let open = Set(
            try FileManager.default.contentsOfDirectory(atPath: "/proc/\(server.process)/fd"))
        // The limit is one of numbers, and what was inherited may have large ones.
        var (limit, free) = (0, 0)
        while free < 2 {
            if !open.contains("\(limit)") { free += 1 }
            limit += 1
        }
        let limited = try ServerProcess.run([
            "prlimit", "--pid", "\(server.process)", "--nofile=\(limit)",
        ])
        #expect(limited.ending == .exited(0))
        var clients = try (0..<8).map { _ in try server.connect() }
        try wait("it complains") { server.output.contains("Too many open files") }

        let start = try processorTime(of: server.process)
        let end = ContinuousClock.now + .milliseconds(300)
        try wait("some time has passed") {
            let answer = try first.run("PING")
            #expect(answer == "PONG")
            return ContinuousClock.now > end
        }
        let used = try processorTime(of: server.process) - start
        #expect(used < 200)

        // Those in the queue get their turn when others leave.
        for _ in 0..<4 { clients.removeFirst() }
        let last = try #require(clients.first)
        #expect(try last.run("PING") == "PONG")
    }

    private static let descriptors = __rlimit_resource_t(7)

    private static var descriptorLimit: rlimit {
        var limit = rlimit()
        getrlimit(descriptors, &limit)
        return limit
    }

    @Test(
        .enabled(
            if: descriptorLimit.rlim_max >= 11_100, "the hard limit of descriptors is too low"))
    func `ten thousand idle connections cost little`() throws {
        let count = 10_000
        var limit = Self.descriptorLimit
        limit.rlim_cur = limit.rlim_max
        setrlimit(Self.descriptors, &limit)
        let server = try ServerProcess("maxclients 11000\ntcp-backlog 4096")
        #expect(try server.connect().run("PING") == "PONG")
        let before = try memory(of: server.process, "Pss")
        // Each has been served once, as idle connections of applications have.
        let clients = try (0..<count).map { _ in try server.connect() }
        for client in clients { #expect(try client.run("PING") == "PONG") }
        // Under two kilobytes, with everything the allocator keeps for itself.
        let each = (try memory(of: server.process, "Pss") - before) / count
        #expect(each < 2048, "\(each) bytes each")
    }

    // MARK: - What the kernel knows of a process

    /// A row of `smaps_rollup`, in bytes.
    private func memory(of process: Int32, _ name: String) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(process)/smaps_rollup", encoding: .utf8)
        let row = text.split(separator: "\n").first { $0.hasPrefix("\(name):") }
        let kilobytes = row?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return try #require(kilobytes) * 1024
    }

    /// User and system time, in milliseconds.
    private func processorTime(of process: Int32) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        let fields = text.drop { $0 != ")" }.split(separator: " ").compactMap { Int($0) }
        // Behind the state: 11 fields, then utime and stime in hundredths.
        return (fields[10] + fields[11]) * 1000 / sysconf(Int32(_SC_CLK_TCK))
    }
}
