/// Commands of the documented group "transactions", and our own UNDO.
enum TransactionCommands {
    private static let plain: CommandFlags = [
        .noScript, .loading, .stale, .fast, .allowBusy, .immediate,
    ]
    private static let framing = plain.union(.framesChanges)

    static var table: [Command] {
        [
            Command(
                "DISCARD", .exactly(1), framing, group: .transactions, since: "2.0.0",
                "Forgets the queued commands and ends the transaction.", discard),
            Command(
                "EXEC", .exactly(1),
                [
                    .noScript, .loading, .stale, .skipSlowLog, .immediate, .runsQueue,
                    .framesChanges,
                ],
                group: .transactions, since: "1.2.0", "Runs the queued commands as one step.", exec),
            Command(
                "MULTI", .exactly(1), framing, group: .transactions, since: "1.2.0",
                "Begins a transaction: commands are queued until EXEC.", multi),
            Command(
                "UNDO", .atLeast(1), plain, group: .transactions, since: Version.apus,
                "Takes the last commands, one or count of them, out of the queue of a transaction "
                    + "and tells how many are left. What could not be queued since the first of "
                    + "them is taken back as well, and no longer aborts the transaction.",
                syntax: "[count]", undo),
            Command(
                "UNWATCH", .exactly(1), plain.subtracting(.immediate), group: .transactions,
                since: "2.2.0", "Ends the watching of keys.", unwatch),
            Command(
                "WATCH", .atLeast(2), plain, group: .transactions,
                keys: [.from(1, last: -1, .readOnly, [])], since: "2.2.0",
                "Lets the next transaction run only if the keys do not change before.",
                syntax: "key [key ...]", watch),
        ]
    }

    // MARK: - MULTI, DISCARD

    static func multi(_ call: inout Call) throws(CommandError) {
        guard !call.connection.gate.contains(.queueing) else {
            throw .text("ERR MULTI calls can not be nested")
        }
        call.server.beginQueueing(call.connection)
        call.reply.ok()
    }

    static func discard(_ call: inout Call) throws(CommandError) {
        guard call.connection.gate.contains(.queueing) else {
            throw .text("ERR DISCARD without MULTI")
        }
        call.server.endTransaction(call.connection)
        call.reply.ok()
    }

    // MARK: - EXEC

    /// Reply: an array of the replies; null if a watched key changed.
    ///
    /// An error of one command does not keep the others from running.
    static func exec(_ call: inout Call) throws(CommandError) {
        guard call.connection.gate.contains(.queueing) else {
            throw .text("ERR EXEC without MULTI")
        }
        let isBroken = call.server.isBroken(call.connection)
        if call.connection.transaction?.isAborted ?? false {
            call.server.endTransaction(call.connection)
            throw .text("EXECABORT Transaction discarded because of previous errors.")
        }
        if isBroken {
            call.server.endTransaction(call.connection)
            return call.reply.nullArray()
        }
        call.server.runQueue(&call)
    }

    // MARK: - UNDO [count]

    /// Reply: how many commands are left in the queue.
    ///
    /// Nothing changes when there are not so many.
    static func undo(_ call: inout Call) throws(CommandError) {
        guard call.connection.gate.contains(.queueing) else {
            throw .text("ERR UNDO without MULTI")
        }
        guard call.arguments.count <= 2 else { throw .syntax }
        var count: Int64 = 1
        if call.arguments.count == 2 {
            guard let number = NumberText.integer(call.arguments[1]) else { throw .notInteger }
            guard number >= 0 else { throw .notPositive }
            count = number
        }
        guard call.server.undo(Int(clamping: count), of: call.connection) else {
            throw .text("ERR UNDO count is larger than the queue")
        }
        call.reply.integer(call.connection.transaction?.requests.count ?? 0)
    }

    // MARK: - WATCH key [key ...], UNWATCH

    static func watch(_ call: inout Call) throws(CommandError) {
        guard !call.connection.gate.contains(.queueing) else {
            throw .text("ERR WATCH inside MULTI is not allowed")
        }
        // One change is enough: there is nothing more to see.
        if !(call.connection.transaction?.isBroken ?? false) {
            for index in 1..<call.arguments.count {
                call.server.watch(call.key(index), in: call.database, for: call.connection)
            }
        }
        call.reply.ok()
    }

    static func unwatch(_ call: inout Call) throws(CommandError) {
        call.server.unwatch(call.connection)
        call.reply.ok()
    }
}
