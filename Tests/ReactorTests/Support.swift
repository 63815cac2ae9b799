import Glibc
import Testing

@testable import Reactor

/// A folder of its own for one test, gone with everything in it when the test is over.
struct TemporaryFolder: ~Copyable {
    let path: String

    init() throws {
        var template = Array("/tmp/reactor-test-XXXXXX".utf8CString)
        let made = try #require(
            template.withUnsafeMutableBufferPointer { buffer in
                buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
            })
        path = made
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    deinit {
        for name in (try? File.names(in: path)) ?? [] { unlink("\(path)/\(name)") }
        rmdir(path)
    }
}

/// Two connected sockets, closed when the test is over.
struct SocketPair: ~Copyable {
    let near: Int32
    let far: Int32

    init() throws { (near, far) = try Socket.pair() }

    deinit {
        FileDescriptor.close(near)
        FileDescriptor.close(far)
    }
}

/// Longer than any event here can take; a test that waits so long has failed.
let patienceMilliseconds = 10_000

func send(_ text: String, to fd: Int32) -> Transfer {
    Array(text.utf8).withUnsafeBytes { Socket.send(fd, $0) }
}

func receiveText(_ fd: Int32) -> String? {
    var room = [UInt8](repeating: 0, count: 256)
    let result = room.withUnsafeMutableBytes { Socket.receive(fd, into: $0) }
    guard case .bytes(let count) = result else { return nil }
    return String(decoding: room.prefix(count), as: UTF8.self)
}

func receive(_ fd: Int32) -> Transfer {
    var room = [UInt8](repeating: 0, count: 256)
    return room.withUnsafeMutableBytes { Socket.receive(fd, into: $0) }
}

/// The connection that the listener must have by now or soon.
func acceptOne(_ listener: Int32) throws -> Int32 {
    #expect(try Socket.wait(listener, for: .readable, milliseconds: patienceMilliseconds))
    guard case .accepted(let fd) = Socket.accept(listener) else {
        throw SystemError("accept", code: EAGAIN)
    }
    return fd
}

/// SplitMix64: the same numbers for the same seed everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Runs a test of a forked child again while the child ended by its alarm: it inherited a lock that
/// another test's thread held, and would have waited for ever.
///
/// `attempt` gets the seconds its child may take, and says how it ended.
func untilNotStuck(_ attempt: (UInt32) throws -> Child.Ending?) throws -> Child.Ending? {
    for _ in 0..<4 {
        let ending = try attempt(3)
        if ending != .signalled(number: SIGALRM) { return ending }
    }
    return try attempt(30)
}
