import Testing

@testable import Engine

/// Streams of others' making: whatever form a node is in, it is read right or refused; and what
/// follows from the nodes is counted, whatever the figures beside them say.
struct StreamReaderTests {
    // MARK: - Made by hand

    /// A node of three entries of one field, the last of which is deleted:
    /// live, deleted, fields, name, end, and then (flags, ms, seq, value, elements) an entry.
    private static let node = [
        "2", "1", "1", "f", "0", "2", "0", "0", "a", "4", "2", "1", "0", "b", "4", "3", "2", "0",
        "c",
        "4",
    ]
    /// Where in it stand numbers that commands read or change.
    private static let numbers = node.indices.filter { Int(node[$0]) != nil }

    private struct Figures {
        var length: UInt64 = 2
        var lastID: UInt64 = 12
        var firstID: UInt64 = 10
        var largestDeletedID: UInt64 = 12
        var entriesAdded: UInt64 = 3
    }

    /// A stream of nodes with these masters.
    private static func stream(
        _ nodes: [(UInt64, [UInt8])], _ figures: Figures = Figures(), groups: [UInt8] = [0]
    ) -> [UInt8] {
        var body = DumpBytes.length(UInt64(nodes.count))
        for (master, node) in nodes {
            body += DumpBytes.string(DumpBytes.id(master, 0)) + DumpBytes.string(node)
        }
        body += DumpBytes.length(figures.length)
        for id in [figures.lastID, figures.firstID, figures.largestDeletedID] {
            body += DumpBytes.length(id) + [0]
        }
        return body + DumpBytes.length(figures.entriesAdded) + groups
    }

    private static func listpack(_ texts: [String]) -> [UInt8] {
        DumpBytes.listpack(texts.map { DumpBytes.element($0) })
    }

    private static let whole = stream([(10, listpack(node))])

    /// What a stream is asked and made to do: entries, and every change in place.
    private static func exercise(_ server: TestServer) -> [Reply] {
        [
            ["XLEN", "k"], ["XRANGE", "k", "-", "+"], ["XDEL", "k", "10-0"],
            ["XRANGE", "k", "-", "+"], ["XREVRANGE", "k", "+", "-"],
            ["XADD", "k", "20-0", "f", "d"], ["XADD", "k", "21-0", "g", "e"],
            ["XTRIM", "k", "MAXLEN", "1"], ["XRANGE", "k", "-", "+"],
            ["XREVRANGE", "k", "+", "-"], ["DEBUG", "DIGEST-VALUE", "k"], ["XDEL", "k", "21-0"],
            ["XLEN", "k"],
        ].map { server.client.run($0) }
    }

    private static let refused = Reply.error("ERR Bad data format")

    // MARK: - Forms

    @Test func `a node with a number in any other form is refused or read right`() {
        let server = TestServer(SampleData.configuration)
        #expect(server.restore(DumpFormat.stream2, Self.whole) == "OK")
        let expected = Self.exercise(server)
        #expect(expected[1].elements.count == 2)
        var read = 0
        for index in Self.numbers {
            for form in DumpBytes.Form.allCases {
                guard let node = DumpBytes.listpack(Self.node, index, form) else { continue }
                let body = Self.stream([(10, node)])
                server.run("FLUSHALL")
                let reply = server.restore(DumpFormat.stream2, body)
                let error = server.load(file: DumpBytes.file(DumpFormat.stream2, body))
                #expect((reply == "OK") == (error == nil), "number \(index) as \(form)")
                if error != nil {
                    #expect(reply == Self.refused && server.run("EXISTS", "k") == 0)
                    continue
                }
                read += 1
                #expect(Self.exercise(server) == expected, "number \(index) as \(form), file")
                #expect(server.restore(DumpFormat.stream2, body) == "OK")
                #expect(Self.exercise(server) == expected, "number \(index) as \(form)")
            }
        }
        #expect(read > Self.numbers.count)
    }

    @Test func `counts in wide forms are written anew when they change`() {
        let server = TestServer()
        for form in [DumpBytes.Form.bits13, .bits16, .bits24, .bits32, .bits64] {
            var elements = Self.node.map { DumpBytes.element($0) }
            for index in 0..<2 {
                elements[index] = DumpBytes.element(Self.node[index], form) ?? []
            }
            let body = Self.stream([(10, DumpBytes.listpack(elements))])
            #expect(server.restore(DumpFormat.stream2, body) == "OK")
            #expect(server.run("XDEL", "k", "10-0") == 1)
            #expect(server.run("XRANGE", "k", "-", "+").elements.count == 1)
            #expect(server.dump("k").map { server.restore(payload: $0) } == "OK")
            #expect(server.run("XLEN", "k") == 1)
        }
    }

    @Test func `flags in another form than one byte are refused`() {
        let server = TestServer()
        for form in DumpBytes.Form.allCases where form != .bits7 {
            for index in [5, 10, 15] {
                guard let node = DumpBytes.listpack(Self.node, index, form) else { continue }
                #expect(
                    server.restore(DumpFormat.stream2, Self.stream([(10, node)])) == Self.refused)
            }
        }
    }

    // MARK: - Figures

    @Test func `figures that follow from the nodes are counted anew`() {
        let server = TestServer(SampleData.configuration)
        for change in [-1, 1, 2] {
            for figure in [
                \Figures.length, \.lastID, \.firstID, \.largestDeletedID, \.entriesAdded,
            ] {
                var figures = Figures()
                figures[keyPath: figure] = UInt64(Int(figures[keyPath: figure]) + change)
                let body = Self.stream([(10, Self.listpack(Self.node))], figures)
                #expect(server.load(file: DumpBytes.file(DumpFormat.stream2, body)) == nil)
                #expect(server.restore(DumpFormat.stream2, body) == "OK")
                #expect(server.run("XLEN", "k") == 2)
                let info = server.run("XINFO", "STREAM", "k").elements
                #expect(info[1] == 2 && info[13] == .bulk("10-0"))
                #expect(server.run("XADD", "k", "11-0", "f", "v").isError)
                #expect(server.run("XADD", "k", "*", "f", "v").text != nil)
            }
        }
    }

    @Test func `the last id is not below the greatest entry, nor fewer added than are there`() {
        let server = TestServer()
        let figures = Figures(
            length: 77, lastID: 0, firstID: 99, largestDeletedID: 0, entriesAdded: .max)
        let body = Self.stream([(10, Self.listpack(Self.node))], figures)
        #expect(server.restore(DumpFormat.stream2, body) == "OK")
        let info = server.run("XINFO", "STREAM", "k").elements
        #expect(info[1] == 2)
        #expect(info[7] == .bulk("11-0"))
        #expect(info[11] == 2)
        #expect(info[13] == .bulk("10-0"))
    }

    @Test func `the length that Redis 5 wrote too large is no error`() {
        let server = TestServer()
        let node = Self.listpack(Self.node)
        let body =
            [1] + DumpBytes.string(DumpBytes.id(10, 0)) + DumpBytes.string(node) + [5, 12, 0, 0]
        #expect(server.load(file: DumpBytes.file(DumpFormat.stream1, body)) == nil)
        #expect(server.run("XLEN", "k") == 2)
        #expect(server.run("XRANGE", "k", "-", "+").elements.count == 2)
    }

    // MARK: - What Redis leaves behind

    private static let deletedNode = listpack([
        "0", "2", "1", "f", "0", "3", "0", "0", "a", "4", "3", "1", "0", "b", "4",
    ])

    @Test func `a node without an entry that is there is left out`() {
        let server = TestServer()
        let nodes = [(UInt64(5), Self.deletedNode), (10, Self.listpack(Self.node))]
        for nodes in [[nodes[0]], nodes] {
            let body = Self.stream(nodes)
            #expect(server.load(file: DumpBytes.file(DumpFormat.stream2, body)) == nil)
            #expect(server.run("XLEN", "k") == .integer(nodes.count == 1 ? 0 : 2))
            #expect(server.run("XADD", "k", "10-0", "f", "v").isError)
            #expect(server.run("XADD", "k", "12-1", "f", "v") == .bulk("12-1"))
        }
    }

    @Test func `a stream trimmed up to a deleted entry comes back`() {
        let server = TestServer()
        for number in 1...5 { server.run("XADD", "k", "\(number)-1", "f", "v") }
        server.run("XDEL", "k", "5-1")
        #expect(server.run("XTRIM", "k", "MINID", "5-1") == 4)
        #expect(server.run("XLEN", "k") == 0)
        #expect(server.dump("k").map { server.restore(payload: $0) } == "OK")
        #expect(server.run("XLEN", "k") == 0)
        #expect(server.run("XSETID", "k", "0-5") == "OK")
        server.run("CONFIG", "SET", "stream-node-max-entries", "1")
        #expect(server.run("XADD", "k", "1-1", "f", "v") == .bulk("1-1"))
    }

    @Test func `a stream whose ids went back behind a deleted one comes back`() {
        let server = TestServer()
        for number in [1, 5] { server.run("XADD", "k", "\(number)-1", "f", "v") }
        server.run("XDEL", "k", "5-1")
        server.run("XSETID", "k", "2-1")
        for number in [3, 4] { server.run("XADD", "k", "\(number)-1", "f", "v") }
        #expect(server.dump("k").map { server.restore(payload: $0) } == "OK")
        #expect(server.run("XLEN", "k") == 3)
        // Behind the deleted one entries are found that go.
        #expect(server.run("XTRIM", "k", "MINID", "4-1") == 2)
        #expect(server.run("XRANGE", "k", "-", "+").elements.count == 1)
    }
}
