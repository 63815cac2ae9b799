import Testing

@testable import Engine

/// Commands run inside another one, and what each origin leaves out.
struct ServerExecutionTests {
    let test = TestServer()

    /// Runs a request inside a PING of the client, for `origin`; returns the reply it left behind.
    private func inside(_ words: String..., for origin: Origin) -> Reply {
        let client = test.client
        let request = OwnedArguments(words.map { Array($0.utf8) })
        let outer = OwnedArguments([Array("PING".utf8)])
        var call = Call(server: test.server, connection: client.connection)
        call.arguments = outer.view
        call.command = test.server.commandNumber(of: outer.view)
        let command = call.command
        test.server.takeOutput(&call)
        test.server.runInside(
            &call, request.view, command: test.server.commandNumber(of: request.view), for: origin)
        let (after, count, mayBlock) = (call.command, call.arguments.count, call.mayBlock)
        #expect(after == command && count == 1 && mayBlock)
        test.server.giveOutputBack(&call)
        return client.takeReplies().first ?? .null
    }

    @Test(arguments: [Origin.queue, .script])
    func `a command runs inside another, and cannot wait`(origin: Origin) {
        #expect(inside("SET", "k", "v", for: origin) == "OK")
        #expect(inside("GET", "k", for: origin) == .bulk("v"))
        #expect(inside("INCR", "k", for: origin).isError)
        if origin == .queue { #expect(inside("BLPOP", "none", "0", for: origin) == .nullArray) }
        #expect(test.server.waiting.count == 0)
        #expect(test.run("GET", "k") == .bulk("v"))
    }

    @Test func `a script may not call what is not for scripts`() {
        let text = Reply.error("ERR This Redis command is not allowed from script")
        for row in test.server.commands.rows
        where row.flags.contains(.noScript) && row.subcommands.isEmpty && row.container < 0 {
            #expect(inside(row.fullName, "a", "b", for: .script) == text, "\(row.fullName)")
        }
        #expect(inside("CLIENT", "ID", for: .script) == text)
        #expect(inside("TYPE", "k", for: .script) == .simple("none"))
    }

    @Test func `a script is refused what its server refuses, a queue was let in before`() {
        test.run("SET", "k", "v")
        test.server.gate.insert(.readOnlyReplica)
        #expect(inside("SET", "k", "w", for: .script).isError)
        #expect(inside("GET", "k", for: .script) == .bulk("v"))
        #expect(inside("SET", "k", "w", for: .queue) == "OK")
        test.server.gate.remove(.readOnlyReplica)
    }

    @Test func `rights are asked again`() {
        test.run("ACL", "SETUSER", "u", "on", "nopass", "~mine:*", "+@all")
        test.run("AUTH", "u", "x")
        #expect(inside("SET", "mine:k", "v", for: .script) == "OK")
        let denied = Reply.error(
            "NOPERM this user has no permissions to access one of the keys used as arguments")
        #expect(inside("SET", "theirs", "v", for: .script) == denied)
        #expect(
            inside("SET", "theirs", "v", for: .queue).description.contains("ACLs rules changed"))
    }

    @Test func `what each origin leaves out`() {
        // Said here once more, so that a change of the table is one of the test as well.
        let whole: Set<Origin> = [.client, .queue, .script, .primary]
        for origin in Origin.allCases {
            test.run("CONFIG", "RESETSTAT")
            test.run("DEL", "k")
            let request = OwnedArguments(["LPUSH", "k", "v"].map { Array($0.utf8) })
            var call = Call(server: test.server, connection: test.client.connection)
            call.arguments = request.view
            call.command = test.server.commandNumber(of: request.view)
            test.server.takeOutput(&call)
            let watcher = test.connect()
            watcher.run("WATCH", "k")
            test.server.run(&call, call.command, for: origin)
            test.server.giveOutputBack(&call)
            #expect(test.client.takeReplies() == [1], "\(origin)")
            let number = call.command
            let counted = test.server.statistics[Int(number)].calls
            #expect(counted == (whole.contains(origin) ? 1 : 0), "\(origin)")
            let isTold = test.server.isBroken(watcher.connection)
            #expect(isTold == whole.contains(origin), "\(origin)")
            watcher.run("UNWATCH")
            test.server.followEvents()
        }
        let fed: [Origin] = Origin.allCases.filter { $0.steps.contains(.propagation) }
        #expect(Set(fed) == whole.union([.woken]))
        let failing: [Origin] = Origin.allCases.filter { $0.steps.contains(.failures) }
        #expect(Set(failing) == whole.union([.woken]))
        let checked: [Origin] = Origin.allCases.filter { $0.steps.contains(.access) }
        #expect(Set(checked) == [.client, .queue, .script, .woken])
    }
}
