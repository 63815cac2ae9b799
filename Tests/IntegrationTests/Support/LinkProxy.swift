import Foundation
import Glibc
import Synchronization

/// A network between two servers that fails when told to: links are cut, held back, slowed down.
///
///     replica ──> proxy.port ══ bytes, later or never ══> 127.0.0.1:target
///
/// A thread of its own moves the bytes; it ends when the test lets go of the proxy.
final class LinkProxy {
    let port: Int
    private let control: Control

    /// What the test wants, and what the thread tells.
    final class Control: Sendable {
        struct State {
            var target: Int
            var ends = false
            /// Links that stand are to be cut, with or without a goodbye.
            var cuts = false
            var cutsAbruptly = false
            /// New links are not taken up; who connects waits.
            var holdsNew = false
            /// Nothing moves until then.
            var stalledUntil = ContinuousClock.now
            var latency = Duration.zero
            /// Links that were taken up so far.
            var links = 0
        }
        let state: Mutex<State>
        init(target: Int) { state = Mutex(State(target: target)) }
    }

    init(to target: Int) throws {
        let listener = try PortListener()
        port = listener.port
        let control = Control(target: target)
        self.control = control
        Thread.detachNewThread {
            var mover = LinkMover(listener: listener)
            while mover.turn(control) {}
        }
    }

    deinit { control.state.withLock { $0.ends = true } }

    // MARK: - What goes wrong

    /// Cuts all links, with a reset or as if one side had closed.
    func cut(abruptly: Bool = false) {
        control.state.withLock {
            $0.cuts = true
            $0.cutsAbruptly = abruptly
        }
    }

    /// Lets who connects from now on wait, until `admit`.
    func hold() { control.state.withLock { $0.holdsNew = true } }
    func admit() { control.state.withLock { $0.holdsNew = false } }

    func stall(milliseconds: Int) {
        control.state.withLock { $0.stalledUntil = .now + .milliseconds(milliseconds) }
    }

    func setLatency(milliseconds: Int) {
        control.state.withLock { $0.latency = .milliseconds(milliseconds) }
    }

    /// Leads new links to another port.
    func redirect(to target: Int) { control.state.withLock { $0.target = target } }

    var links: Int { control.state.withLock { $0.links } }
}

/// The thread's part: the links, and what of their bytes is on the way.
private struct LinkMover {
    private struct Direction {
        let from: Int32
        let to: Int32
        var pieces: [(time: ContinuousClock.Instant, bytes: ArraySlice<UInt8>)] = []
        var hasRoom: Bool { pieces.count < 16 }
    }

    /// No server that is started later may keep a link open.
    private static let socketType = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    /// Closed when the thread ends.
    private let listener: PortListener
    /// Two directions each.
    private var links: [[Direction]] = []

    init(listener: PortListener) { self.listener = listener }

    /// Waits a few milliseconds at most for something to do, and does it; false at the end.
    mutating func turn(_ control: LinkProxy.Control) -> Bool {
        let state = control.state.withLock { state in
            defer { state.cuts = false }
            return state
        }
        if state.ends || state.cuts {
            for index in links.indices { close(index, abruptly: state.cutsAbruptly) }
            links = []
        }
        guard !state.ends else { return false }
        let now = ContinuousClock.now
        let isStalled = now < state.stalledUntil
        let readable = waitForInput(
            isStalled: isStalled, waits: links.allSatisfy { $0.allSatisfy(\.pieces.isEmpty) },
            accepts: !state.holdsNew)
        if readable.contains(listener.descriptor), open(to: state.target) {
            control.state.withLock { $0.links += 1 }
        }
        guard !isStalled else { return true }
        for index in links.indices.reversed() where !move(index, readable, state.latency) {
            close(index, abruptly: false)
            links.remove(at: index)
        }
        return true
    }

    private func waitForInput(isStalled: Bool, waits: Bool, accepts: Bool) -> Set<Int32> {
        var descriptors: [pollfd] = []
        if accepts {
            descriptors.append(pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0))
        }
        if !isStalled {
            for direction in links.joined() where direction.hasRoom {
                descriptors.append(pollfd(fd: direction.from, events: Int16(POLLIN), revents: 0))
            }
        }
        poll(&descriptors, nfds_t(descriptors.count), waits ? 5 : 1)
        return Set(descriptors.filter { $0.revents != 0 }.map(\.fd))
    }

    /// False if the other side is not there; then this side learns it.
    private mutating func open(to target: Int) -> Bool {
        guard let here = try? listener.accept() else { return false }
        let there = socket(AF_INET, Self.socketType, 0)
        var name = Client.loopback(port: target)
        let result = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(there, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            Glibc.close(here)
            Glibc.close(there)
            return false
        }
        links.append([Direction(from: here, to: there), Direction(from: there, to: here)])
        return true
    }

    /// False once one side has closed.
    private mutating func move(_ index: Int, _ readable: Set<Int32>, _ latency: Duration) -> Bool {
        let now = ContinuousClock.now
        var block = [UInt8](repeating: 0, count: 1 << 16)
        for side in links[index].indices {
            if readable.contains(links[index][side].from) {
                let count = recv(
                    links[index][side].from, &block, block.count, Int32(MSG_DONTWAIT))
                if count == 0 || (count < 0 && errno != EAGAIN) { return false }
                if count > 0 { links[index][side].pieces.append((now + latency, block[..<count])) }
            }
            while let piece = links[index][side].pieces.first, piece.time <= now {
                let count = piece.bytes.withUnsafeBytes {
                    send(
                        links[index][side].to, $0.baseAddress, $0.count,
                        Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
                }
                if count < 0 && errno == EAGAIN { break }
                guard count > 0 else { return false }
                links[index][side].pieces[0].bytes = piece.bytes.dropFirst(count)
                if links[index][side].pieces[0].bytes.isEmpty {
                    links[index][side].pieces.removeFirst()
                }
            }
        }
        return true
    }

    private func close(_ index: Int, abruptly: Bool) {
        for direction in links[index] {
            var reset = linger(l_onoff: abruptly ? 1 : 0, l_linger: 0)
            setsockopt(
                direction.from, SOL_SOCKET, SO_LINGER, &reset,
                socklen_t(MemoryLayout<linger>.size))
            Glibc.close(direction.from)
        }
    }
}
