/// SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE: writing to disk on demand.
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
                "BGREWRITEAOF", .exactly(1), [.admin, .noScript, .noAsyncLoading], group: .server,
                since: "1.0.0", "Writes a new base of the append-only file in the background.",
                rewriteInBackground),
            Command(
                "LASTSAVE", .exactly(1), [.loading, .stale, .fast], [.admin, .dangerous],
                group: .server, since: "1.0.0",
                "Returns when the last snapshot was completed, in Unix seconds.",
                tips: ["nondeterministic_output"], lastSave),
        ]
    }

    // MARK: - SAVE

    static func save(_ call: inout Call) throws(CommandError) {
        try refuseWhileSaving(call)
        guard call.server.saveSnapshot() else { throw .text("ERR") }
        call.reply.ok()
    }

    // MARK: - BGSAVE [SCHEDULE]

    static func saveInBackground(_ call: inout Call) throws(CommandError) {
        let schedules = call.arguments.count > 1
        if schedules {
            guard call.arguments.count == 2, call.arguments[1].equalsIgnoringCase("SCHEDULE")
            else { throw .syntax }
        }
        try refuseWhileSaving(call)
        let server = call.server
        // What a transaction changes is saved whole or not at all.
        if server.hasChild || server.transactions.isRunning {
            guard schedules || server.transactions.isRunning else {
                throw .text(
                    """
                    ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE \
                    SCHEDULE in order to schedule a BGSAVE whenever possible.
                    """)
            }
            server.snapshots.isScheduled = true
            return call.reply.simple("Background saving scheduled")
        }
        guard call.server.saveInBackground() else { throw .text("ERR") }
        call.reply.simple("Background saving started")
    }

    private static func refuseWhileSaving(_ call: borrowing Call) throws(CommandError) {
        if call.server.child(at: .snapshot) != nil {
            throw .text("ERR Background save already in progress")
        }
    }

    // MARK: - BGREWRITEAOF

    /// It begins at the end of the turn, or when the child that works now has ended.
    static func rewriteInBackground(_ call: inout Call) throws(CommandError) {
        if call.server.child(at: .rewrite) != nil {
            throw .text("ERR Background append only file rewriting already in progress")
        }
        let waits = call.server.hasChild || call.server.transactions.isRunning
        call.server.wantRewrite()
        call.reply.simple(
            waits
                ? "Background append only file rewriting scheduled"
                : "Background append only file rewriting started")
    }

    // MARK: - LASTSAVE

    static func lastSave(_ call: inout Call) throws(CommandError) {
        call.reply.integer(call.server.lifecycle.lastSave)
    }
}
