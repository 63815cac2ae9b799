import Testing

/// Everything one can wait for, and everything that may happen meanwhile.
///
/// Who waits for what cannot come any more is told, and who is closed waits no longer. The answers are
/// those of Redis 8.6.
@Suite struct WaitingTests {
    private static let waits: [[String]] = [
        ["BLPOP", "k", "0"], ["BRPOP", "k", "0"], ["BLMOVE", "k", "d", "LEFT", "LEFT", "0"],
        ["BRPOPLPUSH", "k", "d", "0"], ["BLMPOP", "0", "1", "k", "LEFT"], ["BZPOPMIN", "k", "0"],
        ["BZPOPMAX", "k", "0"], ["BZMPOP", "0", "1", "k", "MIN"],
        ["XREAD", "BLOCK", "0", "STREAMS", "k", "$"],
        ["XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "s", ">"], ["WAIT", "3", "0"],
        ["WAITAOF", "1", "3", "0"], ["WAITAOF", "0", "1", "0"],
    ]

    private enum Outcome: Equatable {
        case waits
        case closed
        /// An error that begins so.
        case error(String)
        /// A reply that is none.
        case served
    }

    private struct Event {
        /// `<id>` stands for that of the client that waits.
        let requests: [[String]]
        /// What becomes of a wait, by its command, and `*` for all others.
        let outcomes: [String: Outcome]
    }

    private static let events: [Event] = [
        Event(requests: [["CLIENT", "KILL", "ID", "<id>"]], outcomes: ["*": .closed]),
        Event(requests: [["ACL", "DELUSER", "u"]], outcomes: ["*": .closed]),
        Event(requests: [["ACL", "SETUSER", "u", "off"]], outcomes: ["*": .waits]),
        Event(requests: [["CLIENT", "UNBLOCK", "<id>"]], outcomes: ["*": .served]),
        Event(
            requests: [["CLIENT", "UNBLOCK", "<id>", "ERROR"]], outcomes: ["*": .error("UNBLOCKED")]
        ),
        Event(requests: [["REPLICAOF", "127.0.0.1", "1"]], outcomes: ["*": .error("UNBLOCKED")]),
        Event(requests: [["CONFIG", "SET", "timeout", "1"]], outcomes: ["*": .waits]),
        Event(requests: [["CONFIG", "SET", "maxmemory", "1"]], outcomes: ["*": .waits]),
        Event(
            requests: [["CONFIG", "SET", "min-replicas-to-write", "3"]], outcomes: ["*": .waits]),
        Event(
            requests: [["CONFIG", "SET", "appendonly", "no"]],
            outcomes: ["WAITAOF 1": .error("ERR WAITAOF"), "*": .waits]),
        Event(requests: [["FLUSHALL"]], outcomes: ["XREADGROUP": .error("NOGROUP"), "*": .waits]),
        Event(
            requests: [["SWAPDB", "0", "1"]],
            outcomes: ["XREADGROUP": .error("NOGROUP"), "*": .waits]),
        Event(
            requests: [["SET", "k", "v"], ["SET", "s", "v"]],
            outcomes: ["XREADGROUP": .error("WRONGTYPE"), "*": .waits]),
        Event(
            requests: [["RPUSH", "o", "v"], ["RENAME", "o", "k"]],
            outcomes: [
                "BLPOP": .served, "BRPOP": .served, "BLMOVE": .served, "BRPOPLPUSH": .served,
                "BLMPOP": .served, "*": .waits,
            ]),
        Event(
            requests: [["ZADD", "o", "1", "v"], ["COPY", "o", "k"]],
            outcomes: [
                "BZPOPMIN": .served, "BZPOPMAX": .served, "BZMPOP": .served, "*": .waits,
            ]),
        Event(
            requests: [["ACL", "SETUSER", "u", "resetkeys"], ["RPUSH", "k", "v"]],
            outcomes: [
                "BLPOP": .error("NOPERM"), "BRPOP": .error("NOPERM"), "BLMOVE": .error("NOPERM"),
                "BRPOPLPUSH": .error("NOPERM"), "BLMPOP": .error("NOPERM"), "*": .waits,
            ]),
    ]

    @Test func `who waits hears of all that matters to him`() throws {
        let server = try ServerProcess("appendonly yes\nappendfsync no")
        let control = try server.connect()
        for event in Self.events {
            for request in Self.waits {
                try reset(control)
                let client = try server.connect()
                #expect(try client.run("AUTH", "u", "x") == "OK")
                guard case .integer(let id) = try client.run("CLIENT", "ID") else {
                    Issue.record("no id")
                    return
                }
                // Something that no disk and no replica has yet.
                #expect(try client.run("SET", "written", "x") == "OK")
                try client.send(request)
                try waitUntilBlocked(id, control)
                for happening in event.requests {
                    let answer = try run(control, happening.map { $0 == "<id>" ? "\(id)" : $0 })
                    if case .error(let text) = answer { Issue.record("\(happening): \(text)") }
                }
                let special =
                    event.outcomes["\(request[0]) \(request[1])"] ?? event.outcomes[request[0]]
                let expected = special ?? event.outcomes["*"] ?? .waits
                try check(client, id, expected, control, "\(request) \(event.requests)")
            }
        }
    }

    private func reset(_ control: Client) throws {
        for request in [
            ["REPLICAOF", "NO", "ONE"],
            [
                "CONFIG", "SET", "timeout", "0", "maxmemory", "0", "min-replicas-to-write", "0",
                "appendonly", "yes",
            ],
            ["FLUSHALL"], ["ACL", "SETUSER", "u", "reset", "on", "nopass", "~*", "+@all"],
            ["XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"],
        ] { #expect(try run(control, request) == "OK", "\(request)") }
    }

    private func run(_ client: Client, _ words: [String]) throws -> Answer {
        try client.send(words)
        return try client.read()
    }

    private func isBlocked(_ id: Int, _ control: Client) throws -> Bool {
        guard case .text(let line) = try control.run("CLIENT", "LIST", "ID", "\(id)") else {
            return false
        }
        return line.contains(" flags=b ")
    }

    private func waitUntilBlocked(_ id: Int, _ control: Client) throws {
        try wait("the client waits") { try isBlocked(id, control) }
    }

    private func check(
        _ client: Client, _ id: Int, _ expected: Outcome, _ control: Client, _ what: String
    ) throws {
        if expected == .waits {
            return #expect(try isBlocked(id, control), "\(what)")
        }
        do {
            let answer = try client.read()
            if case .error(let text) = answer {
                guard case .error(let begin) = expected, text.hasPrefix(begin) else {
                    Issue.record("\(what): \(text)")
                    return
                }
            } else {
                #expect(expected == .served, "\(what): \(answer)")
            }
            #expect(try !isBlocked(id, control))
        } catch is Client.Closed {
            #expect(expected == .closed, "\(what): closed")
        }
    }
}
