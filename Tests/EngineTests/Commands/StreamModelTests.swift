import Testing

@testable import Engine

/// What a stream should hold, kept the plainest way.
private struct ModelStream {
    struct Pending: Equatable {
        var consumer: String
        var time: Int64
        var count: Int64
    }

    var entries: [(id: StreamID, words: [String])] = []
    var lastID = StreamID.zero
    var readID = StreamID.zero
    var pending: [StreamID: Pending] = [:]

    func contains(_ id: StreamID) -> Bool { entries.contains { $0.id == id } }

    static func text(_ id: StreamID) -> String { String(decoding: id.array, as: UTF8.self) }

    func reply(_ entry: (id: StreamID, words: [String])) -> Reply {
        .array([.bulk(Self.text(entry.id)), .array(entry.words.map { .bulk($0) })])
    }

    func summary(now: Int64) -> Reply {
        .array(
            pending.sorted { $0.key < $1.key }.map { id, entry in
                [
                    .bulk(Self.text(id)), .bulk(entry.consumer), .integer(now - entry.time),
                    .integer(entry.count),
                ]
            })
    }
}

/// Random operations on a stream and on a model of it.
private final class StreamTrial {
    let server = TestServer("stream-node-max-entries 20\nstream-node-max-bytes 400")
    var random: SeededRandom
    var model = ModelStream()
    let consumers = ["a", "b", "c", "d"]

    init(_ random: SeededRandom) {
        self.random = random
        server.run("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    }

    private func run(_ words: [String]) -> Reply { server.client.run(words) }

    private var now: Int64 { server.server.keyspace.now }

    private func anID() -> StreamID {
        guard !model.entries.isEmpty, random.below(8) > 0 else {
            return StreamID(UInt64(random.below(3000)), UInt64(random.below(3)))
        }
        return model.entries[random.below(model.entries.count)].id
    }

    private func aPendingID() -> StreamID {
        let ids = model.pending.keys.sorted()
        return ids.isEmpty || random.below(10) == 0 ? anID() : ids[random.below(ids.count)]
    }

    func step() {
        server.advance(milliseconds: Int64(random.below(3)))
        switch random.below(20) {
        case 0..<7: add()
        case 7, 8: delete()
        case 9: trim()
        case 10, 11, 12: readForGroup()
        case 13, 14, 15: acknowledge()
        case 16: claim()
        case 17: sweep()
        case 18: range()
        default:
            #expect(run(["XPENDING", "s", "g", "-", "+", "9999"]) == model.summary(now: now))
        }
    }

    private func add() {
        let names = [["x"], ["x"], ["x", "y"], ["z"]][random.below(4)]
        let words = names.flatMap {
            [$0, String(repeating: "v", count: random.below(30) == 0 ? 300 : random.below(9))]
        }
        let id = StreamID(
            model.lastID.milliseconds + UInt64(random.below(3)), model.lastID.sequence + 1)
        #expect(run(["XADD", "s", ModelStream.text(id)] + words) == .bulk(ModelStream.text(id)))
        model.entries.append((id, words))
        model.lastID = id
    }

    private func delete() {
        let id = anID()
        #expect(run(["XDEL", "s", ModelStream.text(id)]) == (model.contains(id) ? 1 : 0))
        model.entries.removeAll { $0.id == id }
    }

    private func trim() {
        let kept = max(0, model.entries.count - random.below(25))
        if random.below(2) == 0 {
            let removed = model.entries.count - kept
            #expect(run(["XTRIM", "s", "MAXLEN", "\(kept)"]) == .integer(Int64(removed)))
            model.entries.removeFirst(removed)
        } else if random.below(2) == 0 {
            let id = anID()
            let removed = model.entries.count { $0.id < id }
            #expect(
                run(["XTRIM", "s", "MINID", ModelStream.text(id)]) == .integer(Int64(removed)))
            model.entries.removeFirst(removed)
        } else {
            let removed = Int(run(["XTRIM", "s", "MAXLEN", "~", "\(kept)"]).integer ?? -1)
            #expect(removed >= 0 && model.entries.count - removed >= kept)
            #expect(model.entries.count - removed < kept + 20)
            model.entries.removeFirst(removed)
        }
    }

    private func readForGroup() {
        let consumer = consumers[random.below(4)]
        let count = 1 + random.below(8)
        let new = model.entries.filter { model.readID < $0.id }.prefix(count)
        let reply = run([
            "XREADGROUP", "GROUP", "g", consumer, "COUNT", "\(count)", "STREAMS", "s", ">",
        ])
        if new.isEmpty {
            #expect(reply == .nullArray)
        } else {
            #expect(reply == [[.bulk("s"), .array(new.map(model.reply))]])
        }
        for entry in new {
            model.readID = entry.id
            model.pending[entry.id] = .init(consumer: consumer, time: now, count: 1)
        }
    }

    private func acknowledge() {
        let ids = (0..<(1 + random.below(4))).map { _ in aPendingID() }
        let before = model.pending.count
        for id in ids { model.pending[id] = nil }
        #expect(
            run(["XACK", "s", "g"] + ids.map(ModelStream.text))
                == .integer(Int64(before - model.pending.count)))
    }

    private func claim() {
        let consumer = consumers[random.below(4)]
        let id = aPendingID()
        let isForced = random.below(4) == 0
        var expected: [Reply] = []
        if let entry = model.entries.first(where: { $0.id == id }) {
            if model.pending[id] != nil || isForced {
                let count = model.pending[id]?.count ?? 1
                model.pending[id] = .init(consumer: consumer, time: now, count: count + 1)
                expected = [model.reply(entry)]
            }
        } else {
            model.pending[id] = nil
        }
        #expect(
            run(
                ["XCLAIM", "s", "g", consumer, "0", ModelStream.text(id)]
                    + (isForced ? ["FORCE"] : [])) == .array(expected))
    }

    private func sweep() {
        let consumer = consumers[random.below(4)]
        let count = 1 + random.below(5)
        let from = aPendingID()
        let ids = model.pending.keys.filter { !($0 < from) }.sorted()
        var claimed: [Reply] = []
        var gone: [Reply] = []
        for id in ids.prefix(count) {
            if model.contains(id) {
                model.pending[id]?.consumer = consumer
                model.pending[id]?.time = now
                claimed.append(.bulk(ModelStream.text(id)))
            } else {
                model.pending[id] = nil
                gone.append(.bulk(ModelStream.text(id)))
            }
        }
        let next = ids.count > count ? ids[count] : .zero
        #expect(
            run([
                "XAUTOCLAIM", "s", "g", consumer, "0", ModelStream.text(from), "COUNT", "\(count)",
                "JUSTID",
            ]) == [.bulk(ModelStream.text(next)), .array(claimed), .array(gone)])
    }

    private func range() {
        let bounds = [anID(), anID()].sorted()
        let found = model.entries.filter { !($0.id < bounds[0]) && !(bounds[1] < $0.id) }
        let texts = bounds.map(ModelStream.text)
        #expect(run(["XRANGE", "s", texts[0], texts[1]]) == .array(found.map(model.reply)))
        #expect(
            run(["XREVRANGE", "s", texts[1], texts[0]])
                == .array(found.reversed().map(model.reply)))
    }

    func check() {
        let key = Array("s".utf8)
        key.withByteView { bytes in
            let database = server.server.keyspace[0]
            guard let entry = database.entry(database.key(bytes)) else {
                Issue.record("the stream is gone")
                return
            }
            StreamValue(entry, in: server.server.keyspace.arena).checkInvariants()
        }
        #expect(run(["XLEN", "s"]) == .integer(Int64(model.entries.count)))
        #expect(run(["XRANGE", "s", "-", "+"]) == .array(model.entries.map(model.reply)))
        let counts = Dictionary(grouping: model.pending.values, by: \.consumer)
        let groups = run(["XPENDING", "s", "g"]).elements[3].elements
        #expect(
            groups
                == counts.sorted { $0.key < $1.key }.map { .bulks($0.key, "\($0.value.count)") })
    }
}

struct StreamModelTests {
    @Test func `ten thousand random operations leave what a plain model holds`() {
        let trial = StreamTrial(SeededRandom.make())
        for round in 0..<10_000 {
            trial.step()
            if round % 500 == 0 { trial.check() }
        }
        trial.check()
    }
}
