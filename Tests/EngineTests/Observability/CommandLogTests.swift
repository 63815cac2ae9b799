import Testing

@testable import Engine

@Suite struct CommandLogTests {
    private func add(_ log: inout CommandLog, _ amount: Int, most: Int) {
        log.add(
            seconds: 1, amount: amount, arguments: [], address: "a:1", name: "n", most: most)
    }

    @Test func theNewestStandFirstAndTheOldestFallOff() {
        var log = CommandLog()
        for amount in 0..<1000 { add(&log, amount, most: 10) }
        #expect(log.count == 10)
        #expect(log.newest(3).map(\.amount) == [999, 998, 997])
        #expect(log.newest(.max).map(\.id) == Array((990..<1000).reversed()))
        #expect(log.newest(0).isEmpty)
        log.trim(to: 2)
        #expect(log.newest(.max).map(\.amount) == [999, 998])
        log.removeAll()
        #expect(log.count == 0)
        add(&log, 5, most: 10)
        #expect(log.newest(1).map(\.id) == [1000])
        add(&log, 5, most: 0)
        #expect(log.count == 0)
    }

    private func short(_ arguments: [[UInt8]], hiding secrets: [Int] = []) -> [String] {
        let owned = OwnedArguments(arguments)
        return RequestExcerpt.short(owned.view, hiding: secrets, of: nil).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    @Test func longArgumentsAreCut() {
        let fits = [UInt8](repeating: 65, count: 128)
        #expect(short([fits, fits + [66]])[0].count == 128)
        #expect(
            short([fits, fits + [66]])[1] == String(repeating: "A", count: 128)
                + "... (1 more bytes)")
        #expect(short([[]]) == [""])
    }

    @Test func manyArgumentsAreCut() {
        let arguments = (0..<33).map { Array("\($0)".utf8) }
        #expect(short(Array(arguments[..<32])).last == "31")
        let cut = short(arguments)
        #expect(cut.count == 32)
        #expect(cut[30] == "30")
        #expect(cut[31] == "... (2 more arguments)")
        #expect(short(arguments, hiding: [1, 2])[..<4] == ["0", "(redacted)", "(redacted)", "3"])
    }

    @Test func aLineHoldsAnyBytes() {
        let owned = OwnedArguments([
            Array("set".utf8), [0, 7, 8, 9, 10, 13, 27, 34, 92, 127, 255], [], Array("s".utf8),
        ])
        #expect(
            String(decoding: RequestExcerpt.line(owned.view, hiding: [3]), as: UTF8.self)
                == "\"set\" \"\\x00\\a\\b\\t\\n\\r\\x1b\\\"\\\\\\x7f\\xff\" \"\" \"(redacted)\"")
    }

    @Test func requestBytesAreThoseOfTheProtocol() {
        for request in [
            ["get", "a"], ["set", "a", String(repeating: "x", count: 1234)], ["", ""],
        ] {
            let owned = OwnedArguments(request.map { Array($0.utf8) })
            #expect(
                RequestExcerpt.requestBytes(owned.view)
                    == multibulk(request.map { Array($0.utf8) }).count)
        }
    }
}
