/// Who speaks on a connection: what a session begins with, and how a client says who it is.
extension Server {
    /// Whether `connection` may only say who it is.
    @inline(__always)
    func mustAuthenticate(_ connection: Connection) -> Bool {
        connection.gate.contains(.unauthenticated) && access.requiresAuthentication
    }

    /// Makes the client of `call` speak as `user`; false, and nothing changes, if there is no such
    /// user, it is disabled, or the password is wrong.
    ///
    /// What it costs does not tell which of these it was.
    func authenticate(
        _ call: borrowing Call, as user: ByteView, password: ByteView
    ) -> Bool {
        let hash = PasswordHash(of: password.array)
        guard let known = access.user(user.array), known.accepts(hash) else {
            noteFailedAuthentication(call, as: user)
            return false
        }
        call.connection.session.user = known
        call.connection.session.isAuthenticated = true
        followUser(of: call.connection)
        return true
    }

    /// The user and the rights that a connection begins with.
    func beginSession(_ connection: Connection) {
        var session = connection.session
        session.user = access.defaultUser
        session.isAuthenticated = !access.requiresAuthentication
        session.protocolVersion = settings.defaultProtocolVersion
        swap(&session, &connection.session)
        connection.reply.isRESP3 = connection.session.protocolVersion == 3
        followUser(of: connection)
    }

    /// RESET: as if the connection had just come, except for its id and what library it uses.
    ///
    func resetSession(_ connection: Connection) {
        stopTracking(connection)
        stopMonitoring(connection)
        endTransaction(connection)
        endSubscriptions(connection)
        let library = (connection.session.libraryName, connection.session.libraryVersion)
        let capabilities = connection.session.capabilities
        var session = Session()
        (session.libraryName, session.libraryVersion) = library
        session.capabilities = capabilities
        swap(&session, &connection.session)
        connection.gate.subtract([.replyMuted, .noTouch])
        beginSession(connection)
    }
}
