/// SHUTDOWN: ending the server from a connection.
enum ShutdownCommands {
    static var table: [Command] {
        [
            Command(
                "SHUTDOWN", .atLeast(1),
                [.admin, .noScript, .loading, .stale, .noMulti, .allowBusy], group: .server,
                since: "1.0.0", "Ends the server; it saves first where it is asked to.",
                syntax: "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]", shutDown)
        ]
    }

    // MARK: - SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]

    /// No reply when the server ends: the connection closes.
    ///
    /// Replicas that lag are waited for.
    static func shutDown(_ call: inout Call) throws(CommandError) {
        var options = Options(call.arguments, from: 1)
        var chosen: ShutdownOptions = []
        var aborts = false
        while options.hasMore {
            if options.take("NOSAVE") {
                chosen.insert(.noSave)
            } else if options.take("SAVE") {
                chosen.insert(.save)
            } else if options.take("NOW") {
                chosen.insert(.now)
            } else if options.take("FORCE") {
                chosen.insert(.force)
            } else if options.take("ABORT") {
                aborts = true
            } else {
                throw .syntax
            }
        }
        if aborts && !chosen.isEmpty || chosen.isSuperset(of: [.save, .noSave]) { throw .syntax }
        if aborts {
            guard call.server.abortShutdown() else { throw .text("ERR No shutdown in progress.") }
            return call.reply.ok()
        }
        switch call.server.shutDown(chosen) {
        case .ends: return
        case .fails: throw .text("ERR Errors trying to SHUTDOWN. Check logs.")
        case .waits:
            call.blocks = true
            call.server.waiting.begin(.shutdown, &call, until: nil)
        }
    }
}
