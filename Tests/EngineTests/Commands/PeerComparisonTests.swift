import Glibc
import Testing

@testable import Engine

/// A Redis server in a process of its own, spoken to over a socket file.
private final class Peer {
    static let path = "/usr/bin/redis-server"
    static var isInstalled: Bool { access(path, X_OK) == 0 }

    private let folder: String
    private var process: pid_t = 0
    private let descriptor: Int32

    /// Nil when it does not come up within five seconds.
    init?() {
        var template = Array("/tmp/peer-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { return nil }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let words = [
            Self.path, "--port", "0", "--unixsocket", folder + "/s", "--save", "", "--dir", folder,
            "--logfile", folder + "/log",
        ]
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
    func run(_ arguments: [[UInt8]]) -> [UInt8] {
        var request = Array("*\(arguments.count)\r\n".utf8)
        for argument in arguments {
            request += Array("$\(argument.count)\r\n".utf8) + argument + [13, 10]
        }
        var sent = 0
        while sent < request.count {
            let count = request[sent...].withUnsafeBytes {
                write(descriptor, $0.baseAddress, $0.count)
            }
            guard count > 0 else { return [] }
            sent += count
        }
        var reply: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return reply }
            reply += chunk[..<count]
            var reader = ReplyReader(reply)
            if reader.next() != nil && reader.isAtEnd { return reply }
        }
    }
}

/// Random commands to Redis 7.0.15 and to us: every reply must be the same, byte for byte.
@Suite struct PeerComparisonTests {
    /// Makes random requests of the groups string and generic whose replies do not depend on time.
    private struct Requests {
        var random: SeededRandom

        mutating func pick(_ words: [String]) -> String { words[random.below(words.count)] }

        mutating func key() -> String {
            let number = random.below(12)
            return number == 0 ? String(repeating: "k", count: 300) : "k\(number)"
        }

        mutating func value() -> String {
            switch random.below(6) {
            case 0: return String(random.below(20_000))
            case 1: return integer()
            case 2:
                return pick(["", "0", "-0", "3.5", "1e3", " 1", "inf", "nan", "x\u{0}y", "abcab"])
            case 3: return String(repeating: "v", count: 40 + random.below(10))
            case 4: return String(repeating: "w", count: 1700 + random.below(400))
            default: return String(repeating: pick(["ab", "b", "c"]), count: random.below(30))
            }
        }

        mutating func integer() -> String {
            switch random.below(4) {
            case 0: return String(random.below(20) - 10)
            case 1: return String(Int64(bitPattern: random.next()))
            case 2:
                return pick([
                    "9223372036854775807", "-9223372036854775808", "9223372036854775808", "", "x",
                    "01", "+1", "4294967296", "-2147483649",
                ])
            default: return String(random.below(3000))
            }
        }

        /// A moment so far away that nothing expires.
        mutating func moment() -> String { "9\(random.below(10_000))" + "00000000" }

        mutating func options(_ words: [String]) -> [String] {
            (0..<random.below(4)).flatMap { _ in
                let word = pick(words)
                return ["PXAT", "EXAT"].contains(word) ? [word, moment()] : [word]
            }
        }

        mutating func next() -> [String] {
            let setOptions = ["NX", "XX", "GET", "KEEPTTL", "PXAT", "PXAT", "EX", "PERSIST", "y"]
            switch random.below(31) {
            case 0, 1: return ["SET", key(), value()]
            case 2, 3: return ["SET", key(), value()] + options(setOptions)
            case 4: return ["GET", key()]
            case 5: return ["APPEND", key(), value()]
            case 6: return ["SETRANGE", key(), String(random.below(60) - 3), value()]
            case 7: return ["GETRANGE", key(), integer(), integer()]
            case 8: return ["INCRBY", key(), integer()]
            case 9: return ["DECRBY", key(), integer()]
            case 10: return [pick(["INCR", "DECR", "STRLEN", "GETDEL", "PERSIST"]), key()]
            case 11: return ["INCRBYFLOAT", key(), value()]
            case 12: return ["MSET", key(), value(), key(), value()]
            case 13: return ["MSETNX", key(), value(), key(), value()]
            case 14: return ["MGET", key(), key(), key()]
            case 15: return ["GETEX", key()] + options(["PXAT", "PERSIST", "NX", "EXAT"])
            case 16: return ["GETSET", key(), value()]
            case 17: return ["SETNX", key(), value()]
            case 18: return [pick(["DEL", "UNLINK", "EXISTS", "TOUCH"]), key(), key()]
            case 19: return [pick(["RENAME", "RENAMENX"]), key(), key()]
            case 20: return ["COPY", key(), key()] + options(["REPLACE", "DB"])
            case 21: return [pick(["EXPIRE", "PEXPIRE"]), key(), integer()].dropLast() + ["x"]
            case 22: return ["PEXPIREAT", key(), moment()] + options(["NX", "XX", "GT", "LT"])
            case 23: return [pick(["EXPIREAT", "PEXPIREAT"]), key(), pick(["1", "-5", "x"])]
            case 24: return [pick(["EXPIRETIME", "PEXPIRETIME", "TYPE"]), key()]
            case 25: return ["OBJECT", pick(["ENCODING", "FREQ", "x"]), key()]
            case 26: return ["LCS", key(), key()] + options(["LEN", "IDX", "WITHMATCHLEN", "y"])
            case 27: return ["MOVE", key(), pick(["0", "99", "x", "-1"])]
            case 28: return ["SETEX", key(), pick(["0", "x", "9223372036854775807"]), value()]
            case 29: return ["SCAN", pick(["x", "-", "0x"])]
            default: return ["SCAN", "0", "COUNT", pick(["0", "x", "-1"])]
            }
        }
    }

    @Test(.enabled(if: Peer.isInstalled))
    func `random commands are answered as by Redis`() throws {
        let peer = try #require(Peer())
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let server = TestServer(wallMilliseconds: Int64(now.tv_sec) * 1000)
        var requests = Requests(random: SeededRandom.make())
        for round in 0..<10_000 {
            let request = requests.next()
            let bytes = request.map { Array($0.utf8) }
            server.client.send(bytes)
            let ours = server.client.connection.reply.view.array
            server.client.connection.reply.drain(ours.count)
            let theirs = peer.run(bytes)
            if ours != theirs {
                let texts = [ours, theirs].map { String(decoding: $0, as: UTF8.self) }
                Issue.record("request \(round) \(request): we reply \(texts[0]), Redis \(texts[1])")
                return
            }
        }
    }
}
