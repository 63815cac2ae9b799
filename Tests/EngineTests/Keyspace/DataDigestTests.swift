import Testing

@testable import Engine

/// The expected values come from DEBUG DIGEST and DEBUG DIGEST-VALUE of Redis 7.0.15.
@Suite struct DataDigestTests {
    @Test func fingerprintsAreThoseOfRedis() {
        let server = TestServer()
        let keyspace = server.server.keyspace
        #expect(keyspace.digest().hexadecimal == String(repeating: "0", count: 40))
        server.run("SET", "a", "1")
        #expect(keyspace.digest().hexadecimal == "943d800368fb9c0e951138f1bc0e313ac769d91f")
        server.run("SET", "b", "hello")
        #expect(keyspace.digest().hexadecimal == "2539797405e828ad7a3aa48c536b3eaf2803a421")
        server.run("SET", "b", "hello", "EX", "100")
        #expect(keyspace.digest().hexadecimal == "669dc7955c0119edb82e7cfeb40ea4a28f89f902")
    }

    @Test func databasesAndOrderOfInsertion() {
        let (first, second) = (TestServer(), TestServer())
        for number in 0..<500 { first.run("SET", "key:\(number)", "value:\(number)") }
        for number in (0..<500).reversed() { second.run("SET", "key:\(number)", "value:\(number)") }
        let whole = first.server.keyspace.digest().hexadecimal
        #expect(second.server.keyspace.digest().hexadecimal == whole)
        second.run("SWAPDB", "0", "1")
        #expect(second.server.keyspace.digest().hexadecimal != whole)
        second.run("SWAPDB", "1", "0")
        #expect(second.server.keyspace.digest().hexadecimal == whole)
        second.run("SET", "key:7", "other")
        #expect(second.server.keyspace.digest().hexadecimal != whole)
    }

    @Test func encodingsDoNotMatter() {
        let server = TestServer("enable-debug-command yes")
        let long = String(repeating: "y", count: 5000)
        server.run("SET", "integer", "12")
        server.run("SET", "raw", "1")
        server.run("APPEND", "raw", "2")
        server.run("SET", "heap", long)
        server.run("SET", "grown", String(long.dropLast()))
        server.run("APPEND", "grown", "y")
        let digests = server.run("DEBUG", "DIGEST-VALUE", "integer", "raw", "heap", "grown", "none")
            .elements
        #expect(digests.count == 5)
        #expect(digests[0] == digests[1])
        #expect(digests[2] == digests[3])
        #expect(digests[0] != digests[2])
        #expect(digests[4] == .simple(String(repeating: "0", count: 40)))
    }

    @Test func `a ranked set with a score of -0 is as the packed one that lost the sign`() {
        let server = TestServer("enable-debug-command yes\nzset-max-listpack-entries 1")
        server.run("ZADD", "packed", "-0", "a")
        server.run("ZADD", "ranked", "1", "b", "2", "c")
        server.run("ZADD", "ranked", "-0", "a")
        server.run("ZREM", "ranked", "b", "c")
        #expect(server.run("ZSCORE", "packed", "a") == .bulk("0"))
        #expect(server.run("ZSCORE", "ranked", "a") == .bulk("-0"))
        let digests = server.run("DEBUG", "DIGEST-VALUE", "packed", "ranked").elements
        #expect(digests[0] == digests[1])
    }
}
