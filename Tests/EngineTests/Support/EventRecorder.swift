@testable import Engine

/// What a command says it did: its events, oldest first, as "sadd key".
///
/// Runs the handler alone, so that nobody takes the events before the test does.
enum EventRecorder {
    static func events(_ server: TestServer, _ command: [String]) -> [String] {
        let keyspace = server.server.keyspace
        let interest = keyspace.interest
        keyspace.interest = .notifications
        defer { keyspace.interest = interest }
        _ = keyspace.takeEvents()
        let owned = OwnedArguments(command.map { Array($0.utf8) })
        var call = Call(server: server.server, connection: server.client.connection)
        call.arguments = owned.view
        call.command = server.server.commandNumber(of: owned.view)
        do throws(CommandError) {
            try server.server.commands.index.run(call.command, &call)
        } catch {
            return ["error: \(error)"]
        }
        return keyspace.takeEvents().map {
            "\($0.event.name) \(String(decoding: $0.key, as: UTF8.self))"
        }
    }
}
