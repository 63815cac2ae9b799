import Glibc
import Reactor

/// The sockets: poller, listeners and signals.
///
/// Closing and reopening listeners keeps connections.
final class Network {
    /// What a token of the poller belongs to.
    enum Kind: UInt8 {
        case connection, listener, signals, background
    }

    struct Listener {
        let descriptor: Int32
        let address: String
        let isUnix: Bool
    }

    let poller: Poller
    let signals: Signals?
    private(set) var listeners: [Listener] = []
    /// The port in use, also when 0 was asked for.
    private(set) var port = 0
    private var areListenersPaused = false

    init(signals: Signals?) throws(SystemError) {
        poller = try Poller()
        self.signals = signals
        if let signals {
            try poller.add(
                signals.descriptor, Token(kind: Kind.signals.rawValue, generation: 0, index: 0),
                .readable)
        }
    }

    func watch(_ background: Background) throws(SystemError) {
        try poller.add(
            background.descriptor, Token(kind: Kind.background.rawValue, generation: 0, index: 0),
            .readable)
    }

    // MARK: - Listeners

    /// An address the server could not listen on.
    struct ListenFailure: Error {
        let address: String
        let port: Int
        let error: SystemError
    }

    /// Opens the TCP listeners of `settings`; addresses with a leading `-` may be missing.
    func listen(_ settings: Settings, _ log: Log) throws(ListenFailure) {
        guard settings.port != 0 || settings.unixSocketPath == nil || !listeners.isEmpty else {
            return port = 0
        }
        if settings.port == 0 && Self.zeroMeansNone(settings) { return port = 0 }
        var opened: [Listener] = []
        var chosen = settings.port
        for address in settings.bindAddresses {
            let isOptional = address.hasPrefix("-")
            let name = isOptional ? String(address.dropFirst()) : address
            do throws(SystemError) {
                let descriptor = try Socket.listenTCP(
                    address: name, port: chosen, backlog: settings.tcpBacklog)
                if chosen == 0 { chosen = Socket.localPort(descriptor) }
                opened.append(Listener(descriptor: descriptor, address: name, isUnix: false))
            } catch {
                if isOptional && Self.isMissingAddress(error) { continue }
                for listener in opened { FileDescriptor.close(listener.descriptor) }
                throw ListenFailure(address: name, port: chosen, error: error)
            }
        }
        for listener in opened { watch(listener) }
        listeners += opened
        port = chosen
    }

    /// `port 0` switches TCP off, as in Redis.
    private static func zeroMeansNone(_ settings: Settings) -> Bool { settings.port == 0 }

    /// The address is not of this machine, or its family is not spoken here.
    private static func isMissingAddress(_ error: SystemError) -> Bool {
        [EADDRNOTAVAIL, EAFNOSUPPORT, ENOPROTOOPT, EPROTONOSUPPORT, ESOCKTNOSUPPORT]
            .contains(error.code)
    }

    func listenUnix(_ settings: Settings) throws(SystemError) {
        guard let path = settings.unixSocketPath else { return }
        let descriptor = try Socket.listenUnix(
            path: path, permissions: UInt16(truncatingIfNeeded: settings.unixSocketPermissions),
            backlog: settings.tcpBacklog)
        let listener = Listener(descriptor: descriptor, address: path, isUnix: true)
        watch(listener)
        listeners.append(listener)
    }

    private func watch(_ listener: Listener) {
        let token = Token(
            kind: Kind.listener.rawValue, generation: 0, index: UInt32(listener.descriptor))
        try? poller.add(listener.descriptor, token, .readable)
    }

    /// Closes the TCP listeners, for new ones after CONFIG SET.
    func closeTCPListeners() {
        for listener in listeners where !listener.isUnix { close(listener) }
        listeners.removeAll { !$0.isUnix }
    }

    func closeListeners() {
        for listener in listeners { close(listener) }
        listeners = []
    }

    private func close(_ listener: Listener) {
        poller.remove(listener.descriptor)
        FileDescriptor.close(listener.descriptor)
    }

    func listener(_ index: UInt32) -> Listener? {
        listeners.first { $0.descriptor == Int32(index) }
    }

    /// Out of descriptors: a level-triggered listener would report without end, so it is left alone
    /// until something may have been closed.
    func pauseAccepting() {
        guard !areListenersPaused else { return }
        areListenersPaused = true
        for listener in listeners { poller.remove(listener.descriptor) }
    }

    func resumeAccepting() {
        guard areListenersPaused else { return }
        areListenersPaused = false
        for listener in listeners { watch(listener) }
    }

    // MARK: - Connections

    func add(_ connection: Connection) throws(SystemError) {
        try poller.add(connection.transport.descriptor, Self.token(connection), .readable)
    }

    func setInterest(_ connection: Connection, _ interest: Interest) {
        try? poller.change(connection.transport.descriptor, Self.token(connection), interest)
    }

    func remove(_ connection: Connection) {
        poller.remove(connection.transport.descriptor)
    }

    private static func token(_ connection: Connection) -> Token {
        Token(
            kind: Kind.connection.rawValue, generation: connection.generation,
            index: connection.place)
    }
}
