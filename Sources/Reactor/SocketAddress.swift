import CLinux
import Glibc

/// An IPv4, IPv6 or Unix address in the form the kernel takes.
struct SocketAddress {
    private var storage = sockaddr_storage()
    private var length = socklen_t(MemoryLayout<sockaddr_storage>.size)

    var family: Int32 { Int32(storage.ss_family) }

    /// A copy of what the resolver found.
    private init(_ found: addrinfo) {
        length = found.ai_addrlen
        withUnsafeMutableBytes(of: &storage) { bytes in
            bytes.copyMemory(from: UnsafeRawBufferPointer(start: found.ai_addr, count: Int(length)))
        }
    }

    /// - Parameter path: a leading "@" stands for the zero byte of an abstract name where
    ///   `allowsAbstract`.
    /// - Throws: ENAMETOOLONG if the path does not fit, with its terminator, into 108 bytes.
    init(unixPath path: String, allowsAbstract: Bool = false) throws(SystemError) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw SystemError("unix socket path", code: ENAMETOOLONG)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        length = socklen_t(MemoryLayout<sockaddr_un>.size)
        if allowsAbstract && bytes[0] == UInt8(ascii: "@") {
            // Here every byte counts, so the name must end where its length says.
            address.sun_path.0 = 0
            length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        }
        withUnsafeMutableBytes(of: &storage) { target in
            withUnsafeBytes(of: address) { target.copyMemory(from: $0) }
        }
    }

    /// Asks getsockname or getpeername; nil if the socket has no such end.
    init?(of fd: Int32, by ask: Question) {
        let answer = withUnsafeMutableBytes(of: &storage) { bytes in
            ask(fd, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
        }
        if answer != 0 { return nil }
    }

    typealias Question = (Int32, UnsafeMutablePointer<sockaddr>?, UnsafeMutablePointer<socklen_t>)
        -> Int32

    static func ofPeer(_ fd: Int32) -> SocketAddress? {
        SocketAddress(of: fd) { getpeername($0, $1, $2) }
    }

    static func ofLocalEnd(_ fd: Int32) -> SocketAddress? {
        SocketAddress(of: fd) { getsockname($0, $1, $2) }
    }

    /// All addresses of a host name or numeric address, in the order to try them.
    ///
    /// A name may wait for the network; a numeric address never does.
    ///
    /// - Throws: a negative code, of getaddrinfo(3), or an errno.
    static func resolve(
        _ host: String, port: Int, forListening: Bool
    ) throws(SystemError) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV | (forListening ? AI_PASSIVE : 0)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        guard code == 0 else {
            throw SystemError("getaddrinfo", code: code == EAI_SYSTEM ? errno : code)
        }
        defer { freeaddrinfo(list) }

        var addresses: [SocketAddress] = []
        var next = list
        while let found = next {
            addresses.append(SocketAddress(found.pointee))
            next = found.pointee.ai_next
        }
        return addresses
    }

    /// Calls bind or connect with this address.
    func pass(to call: (UnsafePointer<sockaddr>?, socklen_t) -> Int32) -> Int32 {
        withUnsafeBytes(of: storage) { bytes in
            call(bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), length)
        }
    }
}

// MARK: - What is in it

extension SocketAddress {
    private func read<Address>(as type: Address.Type) -> Address {
        withUnsafeBytes(of: storage) { $0.load(as: type) }
    }

    /// 0 for Unix addresses.
    var port: Int {
        switch family {
        case AF_INET: Int(UInt16(bigEndian: read(as: sockaddr_in.self).sin_port))
        case AF_INET6: Int(UInt16(bigEndian: read(as: sockaddr_in6.self).sin6_port))
        default: 0
        }
    }

    /// "127.0.0.1", "::1", or the path, empty for an unnamed Unix end.
    var host: String {
        switch family {
        case AF_INET:
            var address = read(as: sockaddr_in.self).sin_addr
            return text(AF_INET, &address)
        case AF_INET6:
            var address = read(as: sockaddr_in6.self).sin6_addr
            return text(AF_INET6, &address)
        case AF_UNIX:
            return unixPath
        default:
            return "?"
        }
    }

    private func text(_ family: Int32, _ address: UnsafeRawPointer) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { room in
            guard let start = room.baseAddress,
                inet_ntop(family, address, start, socklen_t(room.count)) != nil
            else { return "?" }
            return String(cString: start)
        }
    }

    private var unixPath: String {
        withUnsafeBytes(of: storage) { bytes in
            let path = bytes.prefix(Int(length)).dropFirst(MemoryLayout<sa_family_t>.size)
            return String(decoding: path.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    /// "127.0.0.1:1234", "[::1]:1234" or "/path:0".
    var name: String { family == AF_INET6 ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// 127.0.0.0/8, ::1, and the former mapped into IPv6.
    var isLoopback: Bool {
        switch family {
        case AF_INET: host.hasPrefix("127.")
        case AF_INET6: host == "::1" || host.hasPrefix("::ffff:127.")
        default: false
        }
    }
}
