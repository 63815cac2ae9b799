/// Commands of the documented group "server" that have no container: figures, time, flushing.
enum ServerCommands {
    static var table: [Command] {
        [
            Command(
                "DBSIZE", .exactly(1), [.readOnly, .fast], [.keyspace], group: .server,
                since: "1.0.0", "Tells how many keys the database holds.",
                tips: ["request_policy:all_shards", "response_policy:agg_sum"], dbsize),
            Command(
                "FLUSHALL", .atLeast(1), [.write], [.keyspace, .dangerous], group: .server,
                since: "1.0.0", "Removes all keys of all databases.", syntax: "[ASYNC | SYNC]",
                tips: ["request_policy:all_shards", "response_policy:all_succeeded"], flushall),
            Command(
                "FLUSHDB", .atLeast(1), [.write], [.keyspace, .dangerous], group: .server,
                since: "1.0.0", "Removes all keys of the database.", syntax: "[ASYNC | SYNC]",
                tips: ["request_policy:all_shards", "response_policy:all_succeeded"], flushdb),
            Command(
                "INFO", .atLeast(1), [.loading, .stale], [.dangerous], group: .server,
                since: "1.0.0", "Tells about the server: figures, settings and state.",
                syntax: "[section [section ...]]",
                tips: [
                    "nondeterministic_output", "request_policy:all_shards",
                    "response_policy:special",
                ], info),
            Command(
                "LOLWUT", .atLeast(1), [.readOnly, .fast], group: .server, since: "5.0.0",
                "Shows a picture and the version.", syntax: "[VERSION version]", lolwut),
            Command(
                "MONITOR", .exactly(1), [.admin, .noScript, .loading, .stale], group: .server,
                since: "1.0.0", "Shows every command the server executes.", monitor),
            Command(
                "SWAPDB", .exactly(3), [.write, .fast], [.keyspace, .dangerous], group: .server,
                since: "4.0.0", "Exchanges two databases.", syntax: "index1 index2", swapdb),
            Command(
                "TIME", .exactly(1), [.loading, .stale, .fast], group: .server, since: "2.6.0",
                "Tells the time of the server's clock.", tips: ["nondeterministic_output"], time),
        ]
    }

    // MARK: - INFO [section ...], TIME, DBSIZE

    /// Reply: text.
    ///
    /// The sections come in their own order, each once; unknown ones are left out.
    static func info(_ call: inout Call) throws(CommandError) {
        var sections: Set<Server.InfoSection> = []
        for index in 1..<call.arguments.count {
            sections.formUnion(Server.InfoSection.named(call.arguments[index]))
        }
        if call.arguments.count == 1 { sections = Server.InfoSection.standard }
        call.reply.verbatim(call.server.info(sections))
    }

    /// Reply: seconds, and microseconds of the second.
    static func time(_ call: inout Call) throws(CommandError) {
        let now = call.server.clock.wallMicroseconds
        call.reply.array(2)
        call.reply.bulkInteger(now / 1_000_000)
        call.reply.bulkInteger(now % 1_000_000)
    }

    /// Reply: the number of keys, those whose time is over and who were not met yet included.
    static func dbsize(_ call: inout Call) throws(CommandError) {
        call.reply.integer(call.database.count)
    }

    // MARK: - MONITOR

    /// Nothing is replied to who does it already.
    static func monitor(_ call: inout Call) throws(CommandError) {
        guard call.mayBlock else {
            throw .text("ERR MONITOR isn't allowed for DENY BLOCKING client")
        }
        guard !call.connection.gate.contains(.monitoring) else { return }
        call.server.startMonitoring(call.connection)
        call.reply.ok()
    }

    // MARK: - FLUSHALL and FLUSHDB [ASYNC | SYNC]

    static func flushall(_ call: inout Call) throws(CommandError) {
        let lazily = try isLazy(&call)
        var removed = 0
        for index in 0..<call.keyspace.databaseCount {
            removed += call.keyspace[index].removeAll(lazily: lazily)
        }
        call.changedWholesale(by: removed)
        if call.isPropagated { call.propagateInAnyCase() }
        call.server.dataWasFlushed()
        call.reply.ok()
    }

    static func flushdb(_ call: inout Call) throws(CommandError) {
        let lazily = try isLazy(&call)
        call.changedWholesale(by: call.database.removeAll(lazily: lazily))
        if call.isPropagated { call.propagateInAnyCase() }
        call.reply.ok()
    }

    private static func isLazy(_ call: inout Call) throws(CommandError) -> Bool {
        var options = Options(call.arguments, from: 1)
        guard options.hasMore else { return call.server.settings.lazyUserFlush }
        let isAsynchronous = options.take("ASYNC")
        guard isAsynchronous || options.take("SYNC"), !options.hasMore else { throw .syntax }
        return isAsynchronous
    }

    // MARK: - SWAPDB index1 index2

    static func swapdb(_ call: inout Call) throws(CommandError) {
        guard !call.server.settings.clusterEnabled else {
            throw .text("ERR SWAPDB is not allowed in cluster mode")
        }
        guard let first = index(call.arguments[1]) else {
            throw .text("ERR invalid first DB index")
        }
        guard let second = index(call.arguments[2]) else {
            throw .text("ERR invalid second DB index")
        }
        let existing = 0..<call.keyspace.databaseCount
        guard existing.contains(first), existing.contains(second) else {
            throw .databaseOutOfRange
        }
        if first != second { call.keyspace.swapDatabases(first, second) }
        call.changedWholesale()
        call.reply.ok()
    }

    /// A number that fits the C int in which Redis keeps it.
    private static func index(_ text: ByteView) -> Int? {
        NumberText.integer(text).flatMap { Int32(exactly: $0) }.map { Int($0) }
    }

    // MARK: - LOLWUT [VERSION version] [argument ...]

    static func lolwut(_ call: inout Call) throws(CommandError) {
        var options = Options(call.arguments, from: 1)
        if options.remaining >= 2 && options.take("VERSION") { _ = try options.integer() }
        call.reply.verbatim(swift + "\nApus ver. \(Version.apus), speaks Redis \(Version.redis)\n")
    }

    /// Apus apus in the evening.
    private static let swift = """
         .                                                    .
         '`-._                                            _.-`'
              `-._                                    _.-'
                  `-._                            _.-'
                      `-._          __        _.-'
                          `-.___.-'`  `'-.__-'      .
                                `-.   (  .-'   .
                                   \\   \\/           ~ ~
                                   / /\\ \\       .
                                  '-'  '-'
        """
}
