import Testing

@testable import Engine

@Suite struct LatencyCommandsTests {
    private func withSamples() -> TestServer {
        let server = TestServer("latency-monitor-threshold 5\n")
        server.server.noteLatency(.command, nanoseconds: 4_999_999)
        server.server.noteLatency(.command, nanoseconds: 5_000_000)
        server.advance(milliseconds: 1000)
        server.server.noteLatency(.command, nanoseconds: 12_900_000)
        server.server.noteLatency(.expireCycle, nanoseconds: 7_000_000)
        return server
    }

    @Test func samplesAreShown() {
        let server = withSamples()
        #expect(
            server.run("LATENCY", "LATEST") == [
                [.bulk("command"), 1_700_000_001, 12, 12],
                [.bulk("expire-cycle"), 1_700_000_001, 7, 7],
            ])
        #expect(
            server.run("LATENCY", "HISTORY", "command") == [
                [1_700_000_000, 5], [1_700_000_001, 12],
            ])
        #expect(server.run("LATENCY", "HISTORY", "nope") == [])
        #expect(server.run("LATENCY", "RESET", "nope", "command") == 1)
        #expect(server.run("LATENCY", "RESET") == 1)
        #expect(server.run("LATENCY", "LATEST") == [])
    }

    @Test func theGraphIsText() {
        let server = withSamples()
        server.run("HELLO", "3")
        guard case .verbatim(let text) = server.run("LATENCY", "GRAPH", "command") else {
            Issue.record("not verbatim")
            return
        }
        #expect(text.hasPrefix("txt:command - high 12 ms, low 5 ms (all time high 12 ms)\n----"))
        #expect(
            server.run("LATENCY", "GRAPH", "x\n")
                == .error("ERR No samples available for event 'x '"))
        #expect(server.run("LATENCY", "DOCTOR").text?.contains("expire-cycle") == true)
    }

    @Test func nothingIsSampledWhileOff() {
        let server = TestServer()
        server.server.noteLatency(.command, nanoseconds: .max)
        #expect(server.run("LATENCY", "LATEST") == [])
    }

    /// A command that sleeps longer than the threshold leaves a sample.
    @Test func commandsLeaveSamples() {
        let server = TestServer("latency-monitor-threshold 1\nenable-debug-command yes\n")
        server.run("DEBUG", "SLEEP", "0.002")
        #expect(server.run("LATENCY", "HISTORY", "command").elements.count == 1)
    }

    // MARK: - LATENCY HISTOGRAM

    /// Calls by command.
    private func calls(_ reply: Reply) -> [String: Int64] {
        var calls: [String: Int64] = [:]
        for index in stride(from: 0, to: reply.elements.count, by: 2) {
            calls[reply.elements[index].text ?? "?"] =
                reply.elements[index + 1].elements[1].integer ?? -1
        }
        return calls
    }

    @Test func histogramsAreByCommand() {
        let server = TestServer()
        server.run("SET", "a", "b")
        server.run("SET", "a", "b")
        server.run("CLIENT", "ID")
        server.run("CLIENT", "LIST")
        #expect(
            calls(server.run("LATENCY", "HISTOGRAM")) == [
                "set": 2, "client|id": 1, "client|list": 1,
            ])
        #expect(
            calls(server.run("LATENCY", "HISTOGRAM", "client"))
                == ["client|id": 1, "client|list": 1])
        #expect(
            calls(server.run("LATENCY", "HISTOGRAM", "nope", "SET", "client|id", "get"))
                == ["set": 2, "client|id": 1])
        #expect(server.run("LATENCY", "HISTOGRAM", "nope") == [])
        server.run("CONFIG", "RESETSTAT")
        #expect(calls(server.run("LATENCY", "HISTOGRAM")) == ["config|resetstat": 1])
    }

    @Test func countsAddUpAndLabelsAreThoseOfRedis() {
        let server = TestServer()
        let number = server.server.commands.find(ByteView("get"))
        // Nanoseconds are about ticks only by the scale; what matters is the sum.
        for power in 0..<40 { server.server.statistics.record(number, ticks: 1 << UInt64(power)) }
        server.run("HELLO", "3")
        guard case .map(let commands) = server.run("LATENCY", "HISTOGRAM", "get"),
            case .map(let fields)? = commands.last, case .map(let buckets)? = fields.last
        else {
            Issue.record("not maps")
            return
        }
        let labels = stride(from: 0, to: buckets.count, by: 2).map { buckets[$0].integer ?? -1 }
        let counts = stride(from: 1, to: buckets.count, by: 2).map { buckets[$0].integer ?? -1 }
        #expect(counts.last == 40)
        #expect(counts == counts.sorted())
        let known: Set<Int64> = [
            1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056, 2113, 4227, 8454, 16_908, 33_816, 67_633,
            135_266, 270_532, 541_065, 1_082_130,
        ]
        #expect(known.isSuperset(of: labels))
    }

    @Test func mistakesAreNamed() {
        let server = TestServer()
        #expect(
            server.run("LATENCY", "HELP", "x")
                == .error("ERR wrong number of arguments for 'latency|help' command"))
        #expect(
            server.run("LATENCY", "NOPE")
                == .error("ERR unknown subcommand 'NOPE'. Try LATENCY HELP."))
        #expect(server.run("LATENCY", "HELP").elements.count == 17)
    }
}
