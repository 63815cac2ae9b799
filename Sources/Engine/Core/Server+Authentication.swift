/// Who may speak: the password of the configuration, and what a session begins with.
extension Server {
    /// Whether a client has to say who it is.
    var requiresAuthentication: Bool { settings.requiredPassword != nil }

    /// Whether `connection` may only say who it is.
    @inline(__always)
    func mustAuthenticate(_ connection: Connection) -> Bool {
        connection.gate.contains(.unauthenticated) && requiresAuthentication
    }

    /// Makes `connection` speak as `user`; false, and nothing changes, if the password is wrong.
    func authenticate(_ connection: Connection, user: ByteView, password: ByteView) -> Bool {
        guard user == "default", isPassword(password) else {
            statistics.authenticationFailures += 1
            return false
        }
        connection.session.user = "default"
        connection.session.isAuthenticated = true
        connection.gate.remove(.unauthenticated)
        return true
    }

    /// Compares in a time that depends on the lengths alone, so that it tells nothing of how much
    /// of a guess was right.
    private func isPassword(_ guess: ByteView) -> Bool {
        guard let password = settings.requiredPassword else { return true }
        var difference = UInt(bitPattern: password.count ^ guess.count)
        for index in 0..<guess.count {
            let expected = password.isEmpty ? 0 : password[index % password.count]
            difference |= UInt(guess[index] ^ expected)
        }
        return difference == 0
    }

    /// The user and the rights that a connection begins with.
    func beginSession(_ connection: Connection) {
        connection.session.user = "default"
        connection.session.isAuthenticated = !requiresAuthentication
        if connection.session.isAuthenticated {
            connection.gate.remove(.unauthenticated)
        } else {
            connection.gate.insert(.unauthenticated)
        }
    }

    /// RESET: as if the connection had just come, except for its id and what library it uses.
    ///
    /// Tracking and monitoring end here too once there are any.
    func resetSession(_ connection: Connection) {
        endTransaction(connection)
        endSubscriptions(connection)
        let library = (connection.session.libraryName, connection.session.libraryVersion)
        let capabilities = connection.session.capabilities
        connection.session = Session()
        (connection.session.libraryName, connection.session.libraryVersion) = library
        connection.session.capabilities = capabilities
        connection.gate.subtract([.replyMuted, .noTouch])
        beginSession(connection)
    }
}
