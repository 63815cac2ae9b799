import Glibc
import Reactor

/// The sockets: poller, listeners and signals.
///
/// Closing and reopening listeners keeps connections.
final class Network {
    /// What a token of the poller belongs to.
    enum Kind: UInt8 {
        case connection, listener, signals, background, primary, transfer
    }

    struct Listener {
        let descriptor: Int32
        let address: String
        let isUnix: Bool
    }

    let poller: Poller
    let signals: Signals?
    private(set) var listeners: [Listener] = []
    /// The TCP port in use, 0 for none.
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

    // MARK: - Replication

    func watchPrimary(_ link: PrimaryLink, _ interest: Interest) throws(SystemError) {
        try poller.add(link.socket, Self.token(link), interest)
        link.interest = interest
    }

    /// Costs nothing where nothing changes.
    func changePrimary(_ link: PrimaryLink, _ interest: Interest) {
        guard link.interest != interest else { return }
        link.interest = interest
        try? poller.change(link.socket, Self.token(link), interest)
    }

    func unwatchPrimary(_ link: PrimaryLink) { poller.remove(link.socket) }

    private static func token(_ link: PrimaryLink) -> Token {
        Token(
            kind: Kind.primary.rawValue, generation: link.generation & Token.generationMask,
            index: UInt32(link.socket))
    }

    /// What a child writes for replicas.
    func watchTransfer(_ descriptor: Int32) throws(SystemError) {
        try poller.add(
            descriptor,
            Token(kind: Kind.transfer.rawValue, generation: 0, index: UInt32(descriptor)), .readable
        )
    }

    func unwatchTransfer(_ descriptor: Int32) { poller.remove(descriptor) }

    // MARK: - Listeners

    /// An address the server could not listen on.
    struct ListenFailure: Error {
        let address: String
        let port: Int
        let error: SystemError
    }

    /// Listens on the TCP port and addresses of `settings` instead of those before.
    ///
    /// Port 0 is no TCP at all. Addresses with a leading `-` may be missing. Connections are kept.
    /// After an error there may be no TCP listener: call it again with settings that worked.
    ///
    /// - Parameter isTrial: finds out whether the addresses are there, on ports that the kernel
    ///   chooses, as somebody else may have that of the settings.
    func listenTCP(_ settings: Settings, isTrial: Bool = false) throws(ListenFailure) {
        // Another port can be tried before the old one is given up; the same one cannot.
        if settings.port == port { closeTCPListeners() }
        var opened: [Listener] = []
        for address in settings.port == 0 ? [] : settings.bindAddresses {
            let isOptional = address.hasPrefix("-")
            let name = isOptional ? String(address.dropFirst()) : address
            do throws(SystemError) {
                let descriptor = try Socket.listenTCP(
                    address: name, port: isTrial ? 0 : settings.port,
                    backlog: settings.tcpBacklog)
                opened.append(Listener(descriptor: descriptor, address: name, isUnix: false))
            } catch {
                if isOptional && Self.isMissingAddress(error) { continue }
                for listener in opened { FileDescriptor.close(listener.descriptor) }
                throw ListenFailure(address: name, port: settings.port, error: error)
            }
        }
        closeTCPListeners()
        for listener in opened { watch(listener) }
        listeners += opened
        port = settings.port
    }

    /// The address is not of this machine, or its family is not spoken here.
    private static func isMissingAddress(_ error: SystemError) -> Bool {
        [EADDRNOTAVAIL, EAFNOSUPPORT, ENOPROTOOPT, EPROTONOSUPPORT, ESOCKTNOSUPPORT]
            .contains(error.code)
    }

    func listenUnix(_ settings: Settings) throws(SystemError) {
        guard let path = settings.unixSocketPath else { return }
        let descriptor = try Socket.listenUnix(
            path: path, permissions: UInt16(truncatingIfNeeded: settings.unixSocketPermissions),
            group: settings.unixSocketGroup, backlog: settings.tcpBacklog)
        let listener = Listener(descriptor: descriptor, address: path, isUnix: true)
        watch(listener)
        listeners.append(listener)
    }

    private func watch(_ listener: Listener) {
        if areListenersPaused { return }
        let token = Token(
            kind: Kind.listener.rawValue, generation: 0, index: UInt32(listener.descriptor))
        try? poller.add(listener.descriptor, token, .readable)
    }

    private func closeTCPListeners() {
        for listener in listeners where !listener.isUnix { close(listener) }
        listeners.removeAll { !$0.isUnix }
        port = 0
    }

    func closeListeners() {
        for listener in listeners { close(listener) }
        listeners = []
        port = 0
    }

    /// In a child: the ports are the parent's, even after its end.
    ///
    /// The poller is the parent's too, and is not told.
    func forgetListeners() {
        for listener in listeners { FileDescriptor.close(listener.descriptor) }
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
