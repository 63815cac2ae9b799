/// CLIENT's subcommands for caches that clients keep: who is told of which changes.
extension ClientCommands {
    static var aboutTracking: [Command] {
        [
            Command(
                "CACHING", .exactly(3), plain, [.connection], group: .connection, since: "6.0.0",
                "Says whether the keys of the next command are tracked.", syntax: "<YES | NO>",
                caching),
            Command(
                "GETREDIR", .exactly(2), plain, [.connection], group: .connection, since: "6.0.0",
                "Returns the id of the client that gets the connection's invalidations.",
                getRedirection),
            Command(
                "TRACKING", .atLeast(3), plain, [.connection], group: .connection, since: "6.0.0",
                "Says whether the connection is told when keys it has read change.",
                syntax: """
                    <ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] \
                    [OPTIN] [OPTOUT] [NOLOOP]
                    """, tracking),
            Command(
                "TRACKINGINFO", .exactly(2), plain, [.connection], group: .connection,
                since: "6.2.0", "Describes the tracking of the connection.", trackingInfo),
        ]
    }

    // MARK: - CLIENT TRACKING <ON | OFF> [options]

    private struct TrackingRequest {
        var redirection: Int64 = 0
        var options: TrackingMode.Options = []
        var prefixes: [[UInt8]] = []
    }

    static func tracking(_ call: inout Call) throws(CommandError) {
        let request = try readTracking(&call)
        if call.arguments[2].equalsIgnoringCase("ON") {
            try check(request, against: call.connection.session.tracking, &call)
            call.server.startTracking(
                call.connection, request.options, redirection: request.redirection,
                prefixes: request.prefixes)
        } else if call.arguments[2].equalsIgnoringCase("OFF") {
            call.server.stopTracking(call.connection)
        } else {
            throw .syntax
        }
        call.reply.ok()
    }

    private static func readTracking(
        _ call: inout Call
    ) throws(CommandError) -> TrackingRequest {
        var options = Options(call.arguments, from: 3)
        var request = TrackingRequest()
        while options.hasMore {
            if options.remaining > 1 && options.take("REDIRECT") {
                guard request.redirection == 0 else {
                    throw .text("ERR A client can only redirect to a single other client")
                }
                request.redirection = try options.integer()
                guard
                    call.server.connections.find(id: UInt64(bitPattern: request.redirection)) != nil
                else {
                    throw .text("ERR The client ID you want redirect to does not exist")
                }
            } else if options.take("BCAST") {
                request.options.insert(.broadcast)
            } else if options.take("OPTIN") {
                request.options.insert(.optIn)
            } else if options.take("OPTOUT") {
                request.options.insert(.optOut)
            } else if options.take("NOLOOP") {
                request.options.insert(.noLoop)
            } else if options.remaining > 1 && options.take("PREFIX") {
                request.prefixes.append(try options.next().array)
            } else {
                throw .syntax
            }
        }
        return request
    }

    /// Whether the options fit each other and what is in force.
    private static func check(
        _ request: TrackingRequest, against mode: TrackingMode, _ call: inout Call
    ) throws(CommandError) {
        let options = request.options
        let isBroadcast = options.contains(.broadcast)
        if !isBroadcast && !request.prefixes.isEmpty {
            throw .text("ERR PREFIX option requires BCAST mode to be enabled")
        }
        if mode.isOn && mode.options.contains(.broadcast) != isBroadcast {
            throw .text(
                """
                ERR You can't switch BCAST mode on/off before disabling tracking for this client, \
                and then re-enabling it with a different mode.
                """)
        }
        if isBroadcast && !options.isDisjoint(with: [.optIn, .optOut]) {
            throw .text("ERR OPTIN and OPTOUT are not compatible with BCAST")
        }
        if options.contains([.optIn, .optOut]) {
            throw .text("ERR You can't specify both OPTIN mode and OPTOUT mode")
        }
        if options.contains(.optIn) && mode.options.contains(.optOut)
            || options.contains(.optOut) && mode.options.contains(.optIn)
        {
            throw .text(
                """
                ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, \
                and then re-enabling it with a different mode.
                """)
        }
        if isBroadcast { try checkOverlaps(request.prefixes, mode.prefixes, &call) }
    }

    /// No key may begin with two of a client's prefixes.
    private static func checkOverlaps(
        _ prefixes: [[UInt8]], _ existing: [[UInt8]], _ call: inout Call
    ) throws(CommandError) {
        let overlapping = overlapping(prefixes + existing)
        guard let index = prefixes.indices.first(where: { overlapping[$0] }) else { return }
        let prefix = prefixes[index]
        for other in existing where overlap(prefix, other) {
            throw fail(prefix, "overlaps with an existing prefix", other, &call)
        }
        for other in prefixes[(index + 1)...] where overlap(prefix, other) {
            throw fail(prefix, "overlaps with another provided prefix", other, &call)
        }
    }

    /// Which of `prefixes` begin with another of them, or another with them; O(n log n).
    ///
    /// In the order of their bytes whatever begins with a prefix stands right behind it.
    private static func overlapping(_ prefixes: [[UInt8]]) -> [Bool] {
        var found = [Bool](repeating: false, count: prefixes.count)
        var beginnings: [Int] = []
        let order = prefixes.indices.sorted {
            prefixes[$0].lexicographicallyPrecedes(prefixes[$1])
        }
        for index in order {
            while let last = beginnings.last, !prefixes[index].starts(with: prefixes[last]) {
                beginnings.removeLast()
            }
            if let last = beginnings.last { (found[index], found[last]) = (true, true) }
            beginnings.append(index)
        }
        return found
    }

    private static func overlap(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        one.starts(with: other) || other.starts(with: one)
    }

    private static func fail(
        _ prefix: [UInt8], _ what: String, _ other: [UInt8], _ call: inout Call
    ) -> CommandError {
        let text =
            Array("ERR Prefix '".utf8) + prefix.prefix { $0 != 0 } + Array("' \(what) '".utf8)
            + other.prefix { $0 != 0 }
            + Array("'. Prefixes for a single client must not overlap.".utf8)
        text.withByteView { call.reply.error($0) }
        return .replied
    }

    // MARK: - CLIENT CACHING <YES | NO>

    static func caching(_ call: inout Call) throws(CommandError) {
        let mode = call.connection.session.tracking
        guard mode.isOn else {
            throw .text(
                """
                ERR CLIENT CACHING can be called only when the client is in tracking mode with \
                OPTIN or OPTOUT mode enabled
                """)
        }
        if call.arguments[2].equalsIgnoringCase("YES") {
            guard mode.options.contains(.optIn) else {
                throw .text(
                    "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
            }
        } else if call.arguments[2].equalsIgnoringCase("NO") {
            guard mode.options.contains(.optOut) else {
                throw .text(
                    "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
            }
        } else {
            throw .syntax
        }
        call.connection.session.tracking.makesException = true
        call.reply.ok()
    }

    // MARK: - CLIENT GETREDIR, CLIENT TRACKINGINFO

    /// Reply: -1 while tracking is off, 0 for the connection itself.
    static func getRedirection(_ call: inout Call) throws(CommandError) {
        call.reply.integer(call.connection.session.tracking.shownRedirection)
    }

    static func trackingInfo(_ call: inout Call) throws(CommandError) {
        let mode = call.connection.session.tracking
        var flags = [mode.isOn ? "on" : "off"]
        if mode.options.contains(.broadcast) { flags.append("bcast") }
        if mode.options.contains(.optIn) {
            flags.append("optin")
            if mode.makesException { flags.append("caching-yes") }
        }
        if mode.options.contains(.optOut) {
            flags.append("optout")
            if mode.makesException { flags.append("caching-no") }
        }
        if mode.options.contains(.noLoop) { flags.append("noloop") }
        if mode.isRedirectionBroken { flags.append("broken_redirect") }
        call.reply.map(3)
        call.reply.bulk("flags")
        call.reply.set(flags.count)
        for flag in flags { call.reply.bulk(flag) }
        call.reply.bulk("redirect")
        call.reply.integer(mode.shownRedirection)
        call.reply.bulk("prefixes")
        call.reply.array(mode.prefixes.count)
        for prefix in mode.prefixes { prefix.withByteView { call.reply.bulk($0) } }
    }
}
