import Testing

@testable import Engine

@Suite struct SortedSetFillerTests {
    /// Members of a sorted set in its order, as ZRANGE shows them.
    private func contents(_ set: SortedSetValue) -> [String] {
        var texts: [String] = []
        var walk = set.walk(from: 0)
        while let element = walk.next() {
            texts.append(element.member.withText { "\($0.string) \(element.score)" })
        }
        return texts
    }

    @Test(arguments: [0, 1, 100, 128, 129, 2000])
    func `a set filled in any order is the set made by adding`(count: Int) throws {
        var random = SeededRandom.make()
        let server = TestServer()
        let ground = server.server.keyspace[0].sortedSetGround
        let keyspace = server.server.keyspace
        for isInOrder in [true, false] {
            var members = (0..<count).map { (name: "m\($0)", score: Double($0 / 3)) }
            members.sort { ($0.score, $0.name) < ($1.score, $1.name) }
            if !isInOrder { members.shuffle(using: &random) }
            // More come than were told now and then.
            var filler = SortedSetFiller(
                SortedSetValue.make(on: ground), members: isInOrder ? count : count / 2,
                in: keyspace.values.unpacking)
            filler.reserve(packedBytes: count * 8)
            var added = SortedSetValue.make(on: ground)
            for member in members {
                try Array(member.name.utf8).withByteView { (name) throws(CommandError) in
                    #expect(try filler.add(name, member.score))
                    var score = member.score
                    _ = try added.add(name, &score)
                }
            }
            // Whoever comes twice is noticed.
            for member in members.prefix(20) {
                try Array(member.name.utf8).withByteView { (name) throws(CommandError) in
                    #expect(try !filler.add(name, member.score))
                }
            }
            let filled = filler.finish()
            #expect(filled.count == count && filled.isRanked == added.isRanked)
            #expect(contents(filled) == contents(added))
            keyspace.bury(filled.collection)
            keyspace.bury(added.collection)
        }
    }
}
