import Glibc

/// A Redis server in a process of its own, spoken to over a socket file.
final class Peer {
    static let path = "/usr/bin/redis-server"
    static var isInstalled: Bool { access(path, X_OK) == 0 }

    private let folder: String
    private var process: pid_t = 0
    private let descriptor: Int32

    /// Nil when it does not come up within five seconds.
    init?(_ settings: String...) {
        var template = Array("/tmp/peer-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { return nil }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let words =
            [
                Self.path, "--port", "0", "--unixsocket", folder + "/s", "--save", "",
                "--dir", folder, "--logfile", folder + "/log",
            ] + settings
        var arguments = words.map { strdup($0) }
        arguments.append(nil)
        defer { for word in arguments { free(word) } }
        guard posix_spawn(&process, Self.path, nil, nil, arguments, environ) == 0 else {
            return nil
        }
        for _ in 0..<500 {
            if connectSocket() { return }
            usleep(10_000)
        }
        return nil
    }

    deinit {
        close(descriptor)
        if process > 0 {
            kill(process, SIGKILL)
            var status: Int32 = 0
            waitpid(process, &status, 0)
        }
        for name in ["/s", "/log"] { unlink(folder + name) }
        rmdir(folder)
    }

    private func connectSocket() -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { path in
            for (index, byte) in (folder + "/s").utf8.enumerated() { path[index] = byte }
        }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }

    /// The bytes of the reply to one command.
    func run(_ arguments: [[UInt8]]) -> [UInt8] { run(pipeline: [arguments]).first ?? [] }

    /// The bytes of the reply to each of several commands, sent at once; fewer when the server goes
    /// away.
    func run(pipeline requests: [[[UInt8]]]) -> [[UInt8]] {
        var bytes: [UInt8] = []
        for arguments in requests {
            bytes += Array("*\(arguments.count)\r\n".utf8)
            for argument in arguments {
                bytes += Array("$\(argument.count)\r\n".utf8) + argument + [13, 10]
            }
        }
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                write(descriptor, $0.baseAddress, $0.count)
            }
            guard count > 0 else { return [] }
            sent += count
        }
        return readReplies(requests.count)
    }

    private func readReplies(_ wanted: Int) -> [[UInt8]] {
        var replies: [[UInt8]] = []
        var rest: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while replies.count < wanted {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return replies }
            rest += chunk[..<count]
            var reader = ReplyReader(rest)
            var start = 0
            while replies.count < wanted && reader.next() != nil {
                replies.append(Array(rest[start..<reader.position]))
                start = reader.position
            }
            rest.removeFirst(start)
        }
        return replies
    }
}
