import Testing

@testable import Engine

@Suite struct KeyExtractionTests {
    private func keys(_ specs: [KeySpec], _ request: String) -> [Int]? {
        let server = Server(
            settings: Settings(),
            commands: [
                Command(
                    "X", .atLeast(1), [], group: .generic, keys: specs, since: "1.0.0", "",
                    { _ in })
            ], log: Log(), clock: ServerClock(manualWallMilliseconds: 0))
        defer { server.keyspace.destroy() }
        let arguments = OwnedArguments(request.split(separator: " ").map { Array($0.utf8) })
        return KeyExtraction.keys(of: server.commands[0], arguments.view)?.map(\.index)
    }

    @Test func rangesReachToTheEnd() {
        #expect(keys([.at(1, .readOnly, .access)], "X a b") == [1])
        #expect(keys([.from(1, .readOnly, .access)], "X a b c") == [1, 2, 3])
        #expect(keys([.from(1, last: -2, .readOnly, .access)], "X a b 0") == [1, 2])
        #expect(keys([.from(1, step: 2, .readOnly, .access)], "X a 1 b 2") == [1, 3])
        #expect(keys([.at(2, .readOnly, .access)], "X a") == nil)
        #expect(keys([.from(1, last: -2, .readOnly, .access)], "X a") == nil)
    }

    @Test func countedKeysAreAsManyAsTheCountSays() {
        let specs: [KeySpec] = [.counted(at: 1, .readOnly, .access)]
        #expect(keys(specs, "X 2 a b c") == [2, 3])
        for request in [
            "X 0 a", "X -1 a", "X 3 a b", "X x a", "X 9223372036854775807 a",
            "X -9223372036854775808 a", "X",
        ] {
            #expect(keys(specs, request) == nil, "\(request)")
        }
    }

    @Test func keywordsAreSearchedInAnyCase() {
        let forward = KeySpec(
            .readOnly, .access, .keyword("STREAMS", startFrom: 1),
            .range(last: -1, step: 1, limit: 2))
        #expect(keys([forward], "X COUNT 1 streams a b 0 0") == [4, 5])
        #expect(keys([forward], "X COUNT 1") == [])
        #expect(keys([forward], "X STREAMS") == [])
        let backward = KeySpec(
            .readOnly, .access, .keyword("KEYS", startFrom: -2),
            .range(last: -1, step: 1, limit: 0))
        #expect(keys([backward], "X a KEYS b c") == [3, 4])
        #expect(keys([backward], "X KEYS b") == [])
        #expect(keys([backward], "X") == [])
    }

    @Test func whatIsIncompleteIsNotTrusted() {
        let unknown = KeySpec(.overwrite, .update, .unknown, .unknown)
        #expect(keys([.at(1, .readOnly, .access), unknown], "X a") == nil)
        let channel = KeySpec.at(1, .none, .notKey)
        #expect(keys([channel], "X a") == [])
    }
}
