/// What the commands of sets, hashes and sorted sets do alike: random samples, scans, and the end of
/// a collection that lost its last element.
extension Call {
    // MARK: - Samples

    /// Replies random elements of `value`, with repetitions where a negative count asks for them;
    /// `show` writes one, and what belongs to it if it is told so.
    ///
    /// Pairs are arrays in RESP3 and lie flat in RESP2.
    mutating func replySample<Value: RandomElements>(
        _ request: SampleRequest, of value: Value?,
        _ show: (Value, Value.Position, _ isPaired: Bool, inout ReplyWriter) -> Void
    ) throws(CommandError) {
        guard let value, request.count != 0 else { return reply.array(0) }
        if request.count > 0 {
            let positions = value.randomPositions(request.count, by: keyspace.values)
            beginSample(positions.count, request)
            for position in positions { showSampled(value, position, request, show) }
            return
        }
        guard mayRepeat(-request.count) else { throw .outOfRange }
        guard value.randomPosition(by: keyspace.values) != nil else { return reply.array(0) }
        beginSample(-request.count, request)
        for index in 0..<(-request.count) {
            if index & 1023 == 1023 && isCutOff() { return }
            guard let position = value.randomPosition(by: keyspace.values) else { return }
            showSampled(value, position, request, show)
        }
    }

    private mutating func beginSample(_ count: Int, _ request: SampleRequest) {
        reply.array(request.isPaired && !reply.isRESP3 ? count &* 2 : count)
    }

    private mutating func showSampled<Value: RandomElements>(
        _ value: Value, _ position: Value.Position, _ request: SampleRequest,
        _ show: (Value, Value.Position, Bool, inout ReplyWriter) -> Void
    ) {
        if request.isPaired && reply.isRESP3 { reply.array(2) }
        show(value, position, request.isPaired, &reply)
    }

    // MARK: - Scans

    /// What a scan of nothing replies: that it is over.
    mutating func replyNothingScanned() {
        reply.array(2)
        reply.bulkInteger(0)
        reply.array(0)
    }

    /// Replies the cursor of the next call and the elements at `places`; `show` writes one and says
    /// how many replies that made.
    mutating func replyScanned<Place>(
        _ cursor: UInt64, _ places: ContiguousArray<Place>,
        _ show: (Place, inout ReplyWriter) -> Int
    ) {
        reply.array(2)
        reply.bulkInteger(Int64(bitPattern: cursor))
        let start = reply.deferLength()
        var count = 0
        for place in places { count += show(place, &reply) }
        reply.finishArray(start, count)
    }

    // MARK: - Ends

    /// A collection that lost its last element goes, and everybody hears of it.
    mutating func deleteIfEmpty(_ count: Int, _ entry: Entry, _ key: Key) {
        guard count == 0 else { return }
        database.remove(entry, key)
        notify(key, .delete)
    }
}

/// How many random elements are asked for, and whether with what belongs to each.
struct SampleRequest {
    /// Negative: so many, with repetitions.
    let count: Int
    let isPaired: Bool

    /// Reads `count [word]` from argument 2 on; where there is no such word, nothing may follow.
    init(_ arguments: Arguments, pairedBy word: StaticString? = nil) throws(CommandError) {
        if word == nil && arguments.count > 3 { throw .syntax }
        guard let count = NumberText.integer(arguments[2]) else { throw .notInteger }
        guard count != .min else {
            throw .text(
                """
                ERR value is out of range, value must between -9223372036854775807 and \
                9223372036854775807
                """)
        }
        self.count = Int(count)
        guard let word, arguments.count > 3 else {
            isPaired = false
            return
        }
        guard arguments.count == 4, arguments[3].equalsIgnoringCase(word) else { throw .syntax }
        guard count >= -(Int64.max / 2), count <= Int64.max / 2 else { throw .outOfRange }
        isPaired = true
    }
}
