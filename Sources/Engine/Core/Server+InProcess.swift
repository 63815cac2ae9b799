import Reactor

/// Running commands without a socket, as a client would send them: tests.
extension Server {
    /// A connection that no socket stands behind.
    func makeInProcessConnection() -> Connection {
        makeConnection(Transport(descriptor: -1))
    }

    /// Executes one request as if `connection` had sent it; the reply stays in `connection.reply`.
    func perform(_ arguments: borrowing OwnedArguments, on connection: Connection) {
        guard arguments.view.count > 0 else { return }
        var call = Call(server: self, connection: connection)
        call.arguments = arguments.view
        takeOutput(&call)
        execute(&call, commandNumber(of: arguments.view))
        giveOutputBack(&call)
        if tracking.hasBroadcasts { broadcastChanges() }
    }

    /// The number of the command or subcommand that a request names, -1 if there is none.
    func commandNumber(of arguments: Arguments) -> Int32 {
        let number = commands.index.find(arguments[0])
        guard number >= 0, commands.index.isContainer(number), arguments.count > 1 else {
            return number
        }
        return commandNumber(in: number, arguments[1])
    }
}
