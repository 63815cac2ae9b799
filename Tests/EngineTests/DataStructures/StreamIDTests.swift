import Testing

@testable import Engine

@Suite struct StreamIDTests {
    private func read(_ text: String, missing: UInt64 = 7) -> StreamID.Reading? {
        text.withByteView { StreamID.read($0, missing: missing) }
    }

    @Test func `reads both parts or the first alone`() {
        #expect(read("5-3") == .whole(StreamID(5, 3)))
        #expect(read("5") == .whole(StreamID(5, 7)))
        #expect(read("0-0") == .whole(.zero))
        #expect(read("18446744073709551615-18446744073709551615") == .whole(.largest))
        #expect(read("5-*") == .open(milliseconds: 5))
    }

    @Test func `reads numbers as strtoull does`() {
        #expect(read("007-03") == .whole(StreamID(7, 3)))
        #expect(read(" +5-\t4") == .whole(StreamID(5, 4)))
        #expect(read("5- -1") == .whole(StreamID(5, .max)))
        #expect(read("5-3\u{0}x") == .whole(StreamID(5, 3)))
    }

    @Test func `refuses what is no id`() {
        for text in [
            "", "-", "+", "*", "x", "5-", "-5", "5--1", "5-x", "5-3-1", "5-**",
            "18446744073709551616",
            "5-99999999999999999999", String(repeating: "0", count: 128), "$", ">", "(5", "5 ",
        ] {
            #expect(read(text) == nil, "\(text)")
        }
    }

    @Test func `is written as it is read`() {
        for id in [StreamID.zero, .largest, StreamID(1_700_000_000_000, 0), StreamID(9, 100)] {
            let text = String(decoding: id.array, as: UTF8.self)
            #expect(text == "\(id.milliseconds)-\(id.sequence)")
            #expect(read(text) == .whole(id))
        }
    }

    @Test func `neighbours carry over`() {
        #expect(StreamID(5, 3).next == StreamID(5, 4))
        #expect(StreamID(5, .max).next == StreamID(6, 0))
        #expect(StreamID.largest.next == nil)
        #expect(StreamID(5, 3).previous == StreamID(5, 2))
        #expect(StreamID(5, 0).previous == StreamID(4, .max))
        #expect(StreamID.zero.previous == nil)
    }

    @Test func `orders by both parts`() {
        let ordered = [StreamID.zero, StreamID(0, 1), StreamID(1, 0), StreamID(1, .max), .largest]
        for left in ordered.indices {
            for right in ordered.indices {
                #expect((ordered[left] < ordered[right]) == (left < right))
            }
        }
    }

    @Test func `distances wrap and lead back`() {
        for (from, to) in [
            (StreamID(5, 9), StreamID(6, 0)), (.zero, .largest), (.largest, .zero),
        ] {
            let delta = to.delta(from: from)
            #expect(from.advanced(delta.milliseconds, delta.sequence) == to)
        }
    }
}
