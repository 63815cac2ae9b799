/// MIGRATE: keys go to another server, and are removed here once it has them.
///
/// The command waits for the other server, and everybody waits for the command, as with Redis: at
/// most `timeout` for each step. A key is sent as DUMP would return it, by RESTORE.
enum MigrateCommand {
    static var table: [Command] {
        [
            Command(
                "MIGRATE", .atLeast(6), [.write], [.keyspace, .dangerous], group: .generic,
                keys: [
                    .at(3, .readWrite, [.access, .delete]),
                    KeySpec(
                        .readWrite, [.access, .delete, .incomplete],
                        .keyword("KEYS", startFrom: -2), .range(last: -1, step: 1, limit: 0)),
                ], keyFinder: keys, since: "2.6.0",
                "Sends keys to another server and removes them here.",
                syntax: "host port <key | \"\"> destination-db timeout [COPY] [REPLACE] "
                    + "[AUTH password | AUTH2 username password] [KEYS key [key ...]]",
                tips: ["nondeterministic_output"], secrets: secrets, migrate)
        ]
    }

    /// Where options begin.
    private static let firstOption = 6
    /// So many arguments belong to an option.
    private static func arguments(of option: ByteView) -> Int {
        if option.equalsIgnoringCase("AUTH") { return 1 }
        return option.equalsIgnoringCase("AUTH2") ? 2 : 0
    }

    /// As the request is executed.
    private static let keys: KeyFinder = { arguments in
        (try? options(of: arguments))?.keys.map {
            KeyPosition(index: $0, access: .readWrite, flags: [.access, .delete])
        }
    }

    private static let secrets: SecretFinder = { arguments in
        var secrets: [Int] = []
        var index = firstOption
        while index < arguments.count, !arguments[index].equalsIgnoringCase("KEYS") {
            let count = Self.arguments(of: arguments[index])
            secrets += (index + 1..<index + 1 + count).filter { $0 < arguments.count }
            index += 1 + count
        }
        return secrets
    }

    // MARK: - MIGRATE host port key db timeout [COPY] [REPLACE] [AUTH p | AUTH2 u p] [KEYS key ...]

    private static func target(_ arguments: Arguments) throws(CommandError) -> KeyMigration.Target {
        var target = try options(of: arguments)
        guard let timeout = NumberText.integer(arguments[5]),
            let database = NumberText.integer(arguments[4])
        else { throw .notInteger }
        target.port = NumberText.integer(arguments[2]).flatMap { UInt16(exactly: $0) } ?? 0
        target.database = database
        if timeout > 0 { target.timeoutMilliseconds = Int(min(timeout, Int64(Int32.max))) }
        return target
    }

    private static func options(
        of arguments: Arguments
    ) throws(CommandError) -> KeyMigration.Target {
        guard arguments.count > 3 else { throw .syntax }
        var target = KeyMigration.Target(host: arguments[1].string)
        var index = firstOption
        while index < arguments.count {
            let word = arguments[index]
            let following = Self.arguments(of: word)
            if word.equalsIgnoringCase("COPY") {
                target.copies = true
            } else if word.equalsIgnoringCase("REPLACE") {
                target.replaces = true
            } else if following > 0, index + following < arguments.count {
                target.credentials = index + 1..<index + 1 + following
                index += following
            } else if word.equalsIgnoringCase("KEYS") {
                guard arguments[3].count == 0 else {
                    throw .text(
                        """
                        ERR When using MIGRATE KEYS option, the key argument must be set to the \
                        empty string
                        """)
                }
                target.keys = index + 1..<arguments.count
                break
            } else {
                throw .syntax
            }
            index += 1
        }
        return target
    }

    static func migrate(_ call: inout Call) throws(CommandError) {
        // It is recorded as the removal that it ends with.
        guard !call.server.isRepeating else { throw .text("ERR MIGRATE is never repeated") }
        let target = try target(call.arguments)
        let keys = target.keys.filter { call.database.read(call.key($0)) != nil }
        if keys.isEmpty { return call.reply.simple("NOKEY") }
        var migration = KeyMigration(of: keys, to: target)
        let outcome = migration.run(&call)
        if !migration.moved.isEmpty && call.isPropagated {
            call.propagate(
                [Array("DEL".utf8)] + migration.moved.map { call.arguments[$0].array })
        }
        switch outcome {
        case .done: call.reply.ok()
        case .refused(let error):
            throw call.fail("ERR Target instance replied with error: \(error)")
        case .unreachable: throw .text("IOERR error or timeout connecting to the client")
        case .cutOffWhileSending:
            throw .text("IOERR error or timeout writing to target instance")
        case .cutOffWhileReading:
            throw .text("IOERR error or timeout reading from target instance")
        }
    }
}
