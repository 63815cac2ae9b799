/// SAVE, BGSAVE, LASTSAVE: snapshots on demand.
enum SaveCommands {
    static var table: [Command] {
        [
            Command(
                "SAVE", .exactly(1), [.admin, .noScript, .noAsyncLoading, .noMulti],
                group: .server, since: "1.0.0",
                "Writes a snapshot now; nobody is served meanwhile.", save),
            Command(
                "BGSAVE", .atLeast(1), [.admin, .noScript, .noAsyncLoading], group: .server,
                since: "1.0.0", "Writes a snapshot in the background.", syntax: "[SCHEDULE]",
                saveInBackground),
            Command(
                "LASTSAVE", .exactly(1), [.loading, .stale, .fast], [.admin, .dangerous],
                group: .server, since: "1.0.0",
                "Returns when the last snapshot was completed, in Unix seconds.",
                tips: ["nondeterministic_output"], lastSave),
        ]
    }

    // MARK: - SAVE

    static func save(_ call: inout Call) throws(CommandError) {
        if call.server.snapshots.child != nil {
            throw .text("ERR Background save already in progress")
        }
        guard call.server.saveSnapshot() else { throw .text("ERR") }
        call.reply.ok()
    }

    // MARK: - BGSAVE [SCHEDULE]

    static func saveInBackground(_ call: inout Call) throws(CommandError) {
        if call.arguments.count > 1 {
            guard call.arguments.count == 2, call.arguments[1].equalsIgnoringCase("SCHEDULE")
            else { throw .syntax }
        }
        if call.server.snapshots.child != nil {
            throw .text("ERR Background save already in progress")
        }
        guard call.server.saveInBackground() else { throw .text("ERR") }
        call.reply.simple("Background saving started")
    }

    // MARK: - LASTSAVE

    static func lastSave(_ call: inout Call) throws(CommandError) {
        let last = call.server.lifecycle.lastSave
        call.reply.integer(last != 0 ? last : call.server.lifecycle.startedAt / 1000)
    }
}
