import Testing

@testable import Engine

@Suite struct EffectFeedTests {
    private func text(_ feed: EffectFeed) -> String {
        feed.view.string.replacing("\r\n", with: " ")
    }

    private func set(_ feed: EffectFeed, _ key: StaticString, in database: Int) {
        feed.begin(2, in: database)
        feed.add("SET")
        feed.add(key)
    }

    @Test func `a request is written once, with the database where it differs`() {
        let feed = EffectFeed.create()
        defer { feed.destroy() }
        set(feed, "a", in: 0)
        feed.endUnit()
        #expect(text(feed) == "*2 $6 SELECT $1 0 *2 $3 SET $1 a ")
        feed.removeAll()
        set(feed, "b", in: 0)
        feed.endUnit()
        set(feed, "c", in: 12)
        feed.endUnit()
        #expect(text(feed) == "*2 $3 SET $1 b *2 $6 SELECT $2 12 *2 $3 SET $1 c ")
    }

    @Test func `who begins to read is told the database`() {
        let feed = EffectFeed.create()
        defer { feed.destroy() }
        set(feed, "a", in: 3)
        feed.endUnit()
        feed.removeAll()
        feed.selectAnew()
        set(feed, "a", in: 3)
        #expect(text(feed) == "*2 $6 SELECT $1 3 *2 $3 SET $1 a ")
    }

    @Test func `several requests are a transaction, behind the first SELECT`() {
        let feed = EffectFeed.create()
        defer { feed.destroy() }
        set(feed, "a", in: 0)
        set(feed, "b", in: 0)
        feed.endUnit()
        set(feed, "c", in: 0)
        set(feed, "d", in: 0)
        feed.endUnit(asTransaction: false)
        #expect(
            text(feed) == "*2 $6 SELECT $1 0 *1 $5 MULTI *2 $3 SET $1 a *2 $3 SET $1 b "
                + "*1 $4 EXEC *2 $3 SET $1 c *2 $3 SET $1 d ")
    }

    @Test func `bytes are counted over all turns`() {
        let feed = EffectFeed.create()
        defer { feed.destroy() }
        set(feed, "a", in: 0)
        feed.endUnit()
        let bytes = feed.view.count
        feed.removeAll()
        #expect(feed.isEmpty)
        #expect(feed.offset == bytes)
        set(feed, "a", in: 0)
        feed.endUnit()
        #expect(feed.offset == 2 * bytes - 23)
    }

    @Test func `what was stated is stated once`() {
        let feed = EffectFeed.create()
        defer { feed.destroy() }
        #expect(!feed.takeStatement())
        set(feed, "a", in: 0)
        #expect(feed.takeStatement())
        #expect(!feed.takeStatement())
        feed.appendExpiry(of: ByteView("k"), in: 0)
        #expect(!feed.takeStatement())
        feed.endStatement()
        #expect(feed.takeStatement())
    }

    // MARK: - For replicas alone

    private func appendAside(_ feed: EffectFeed, _ words: String...) {
        let owned = OwnedArguments(words.map { Array($0.utf8) })
        feed.appendAside(owned.view, in: 0)
    }

    private func fileText(_ feed: EffectFeed) -> String {
        feed.fileView.string.replacing("\r\n", with: " ")
    }

    @Test func `an aside reaches replicas and no file, and its SELECT all`() {
        let feed = EffectFeed.create()
        defer { feed.destroy() }
        appendAside(feed, "PUBLISH", "c", "1")
        feed.endUnit()
        set(feed, "a", in: 0)
        feed.endUnit()
        appendAside(feed, "PUBLISH", "c", "2")
        feed.endUnit()
        #expect(
            text(feed) == "*2 $6 SELECT $1 0 *3 $7 PUBLISH $1 c $1 1 *2 $3 SET $1 a "
                + "*3 $7 PUBLISH $1 c $1 2 ")
        #expect(fileText(feed) == "*2 $6 SELECT $1 0 *2 $3 SET $1 a ")
        feed.removeAll()
        set(feed, "b", in: 0)
        feed.endUnit()
        #expect(fileText(feed) == "*2 $3 SET $1 b ")
        #expect(text(feed) == fileText(feed))
    }

    @Test func `an aside in a transaction leaves the rest of it whole`() {
        let feed = EffectFeed.create()
        defer { feed.destroy() }
        set(feed, "x", in: 0)
        feed.endUnit()
        appendAside(feed, "PUBLISH", "c", "0")
        feed.endUnit()
        set(feed, "a", in: 0)
        appendAside(feed, "PUBLISH", "c", "1")
        appendAside(feed, "PUBLISH", "c", "2")
        set(feed, "b", in: 0)
        feed.endUnit()
        let head = "*2 $6 SELECT $1 0 *2 $3 SET $1 x "
        #expect(
            text(feed) == head + "*3 $7 PUBLISH $1 c $1 0 *1 $5 MULTI *2 $3 SET $1 a "
                + "*3 $7 PUBLISH $1 c $1 1 *3 $7 PUBLISH $1 c $1 2 *2 $3 SET $1 b *1 $4 EXEC ")
        #expect(
            fileText(feed) == head + "*1 $5 MULTI *2 $3 SET $1 a *2 $3 SET $1 b *1 $4 EXEC ")
    }
}
