import Testing

@testable import Engine

@Suite struct ReplyWriterTests {
    /// What `write` writes, in RESP2 and in RESP3.
    private func both(_ write: (inout ReplyWriter) -> Void) -> [String] {
        [false, true].map { isRESP3 in
            var writer = ReplyWriter()
            writer.isRESP3 = isRESP3
            write(&writer)
            return writer.view.string
        }
    }

    @Test func scalars() {
        #expect(both { $0.ok() } == ["+OK\r\n", "+OK\r\n"])
        #expect(both { $0.simple("PONG") } == ["+PONG\r\n", "+PONG\r\n"])
        #expect(both { $0.null() } == ["$-1\r\n", "_\r\n"])
        #expect(both { $0.nullArray() } == ["*-1\r\n", "_\r\n"])
        #expect(both { $0.boolean(true) } == [":1\r\n", "#t\r\n"])
        #expect(both { $0.boolean(false) } == [":0\r\n", "#f\r\n"])
        #expect(both { $0.double(3.25) } == ["$4\r\n3.25\r\n", ",3.25\r\n"])
        #expect(both { $0.double(-.infinity) } == ["$4\r\n-inf\r\n", ",-inf\r\n"])
        #expect(both { $0.bulkDouble(10) } == ["$2\r\n10\r\n", "$2\r\n10\r\n"])
        #expect(
            both { $0.bigNumber(ByteView("123456789012345678901")) }
                == ["$21\r\n123456789012345678901\r\n", "(123456789012345678901\r\n"])
        #expect(both { $0.verbatim("some") } == ["$4\r\nsome\r\n", "=8\r\ntxt:some\r\n"])
    }

    @Test func integersOfAllLengths() {
        for number in [0, 1, 9, 10, 99, 100, -1, -10, Int64.max, Int64.min] {
            let text = String(number)
            #expect(both { $0.integer(number) }[0] == ":\(text)\r\n")
            #expect(both { $0.bulkInteger(number) }[1] == "$\(text.utf8.count)\r\n\(text)\r\n")
        }
    }

    @Test func bulksOfAllLengths() {
        for count in [0, 1, 9, 10, 11, 99, 100, 101, 16_000, 16_384, 100_000] {
            let text = String(repeating: "x", count: count)
            #expect(both { $0.bulk(text) }[0] == "$\(count)\r\n\(text)\r\n")
        }
    }

    @Test func aggregates() {
        #expect(both { $0.array(3) } == ["*3\r\n", "*3\r\n"])
        #expect(both { $0.map(3) } == ["*6\r\n", "%3\r\n"])
        #expect(both { $0.set(0) } == ["*0\r\n", "~0\r\n"])
        #expect(both { $0.push(2) } == ["*2\r\n", ">2\r\n"])
    }

    @Test(arguments: [0, 1, 9, 10, 1000, 123_456])
    func lengthsKnownAtTheEnd(_ count: Int) {
        let body = String(repeating: ":1\r\n", count: count)
        func deferred(
            _ finish: (inout ReplyWriter, ReplyWriter.Deferred) -> Void
        ) -> [String] {
            both { writer in
                writer.ok()
                let start = writer.deferLength()
                for _ in 0..<count { writer.integer(1) }
                finish(&writer, start)
                writer.ok()
            }
        }
        #expect(
            deferred { $0.finishArray($1, count) }
                == ["+OK\r\n*\(count)\r\n\(body)+OK\r\n", "+OK\r\n*\(count)\r\n\(body)+OK\r\n"])
        #expect(
            deferred { $0.finishSet($1, count) }
                == ["+OK\r\n*\(count)\r\n\(body)+OK\r\n", "+OK\r\n~\(count)\r\n\(body)+OK\r\n"])
        #expect(
            deferred { $0.finishMap($1, count) }
                == [
                    "+OK\r\n*\(count * 2)\r\n\(body)+OK\r\n", "+OK\r\n%\(count)\r\n\(body)+OK\r\n",
                ])
    }

    @Test func errorsAreOneLine() {
        #expect(both { $0.error("ERR a\r\nb") }[0] == "-ERR a  b\r\n")
        var writer = ReplyWriter()
        writer.error("ERR one")
        writer.ok()
        let (count, last) = (writer.errorCount, writer.lastError.string)
        #expect(count == 1)
        #expect(last == "ERR one")
    }

    @Test func anErrorIsOneLineAlsoWhereRoomIsMadeForIt() {
        var writer = ReplyWriter()
        writer.bulk(String(repeating: "x", count: 16_000))
        writer.drain(15_500)
        let rest = writer.view.string
        let text = String(repeating: "y", count: 500)
        writer.error("ERR a\r\n\(text)")
        let written = writer.view.string
        #expect(written == "\(rest)-ERR a  \(text)\r\n")
    }

    @Test func whatIsSentMakesRoom() {
        var writer = ReplyWriter()
        for _ in 0..<10_000 {
            writer.bulk("0123456789")
            writer.drain(writer.count / 2)
        }
        writer.drain(writer.count)
        let (isEmpty, capacity) = (writer.isEmpty, writer.capacity)
        #expect(isEmpty)
        #expect(capacity < 1 << 20)
    }

    /// Whatever is written beyond the limit, and whatever places are remembered, nothing is collected.
    @Test func `beyond the limit everything is dropped`() {
        let kinds: [(inout ReplyWriter) -> Void] = [
            { $0.bulk(String(repeating: "x", count: 50)) },
            { $0.bulk(String(repeating: "x", count: 40_000)) },
            { $0.simple(ByteView("some text")) }, { $0.integer(123_456) }, { $0.ok() },
            { $0.double(1.5) }, { $0.error("ERR wrong") }, { $0.map(3) },
            { $0.raw(ByteView("+raw\r\n")) }, { $0.message(ByteView("*1\r\n:1\r\n")) },
            { $0.bulkInteger(-5) }, { $0.verbatim("text") }, { $0.nullArray() },
        ]
        for (number, write) in kinds.enumerated() {
            var writer = ReplyWriter()
            writer.mostBytes = 100_000
            var places: [ReplyWriter.Deferred] = []
            var rounds = 0
            while !writer.isOverLimit {
                #expect(writer.count <= 100_000, "\(number)")
                if rounds % 100 == 0 { places.append(writer.deferLength()) }
                write(&writer)
                rounds += 1
            }
            let length = writer.count
            for _ in 0..<1000 {
                write(&writer)
                if let place = places.popLast() { writer.finishArray(place, 1) }
            }
            writer.truncate(to: 100_000)
            #expect(length < 50_000 && writer.count < 100_000, "\(number)")
            #expect(writer.capacity < 300_000, "\(number)")
            #expect(writer.errorCount > 0 && writer.lastError.isEmpty, "\(number)")
        }
    }
}
