import Testing

@testable import Engine

@Suite struct DenialLogTests {
    private func entry(
        _ object: String, reason: DenialLog.Reason = .command,
        context: DenialLog.Context = .topLevel, user: String = "u", at time: Int64 = 0
    ) -> DenialLog.Entry {
        DenialLog.Entry(
            reason: reason, context: context, object: Array(object.utf8), user: Array(user.utf8),
            time: time, client: "client at \(time)")
    }

    @Test func likesAreCounted() {
        var log = DenialLog()
        log.add(entry("get", at: 1000), limit: 128)
        log.add(entry("set", at: 1500), limit: 128)
        log.add(entry("get", at: 2000), limit: 128)
        #expect(log.entries.map(\.count) == [2, 1])
        #expect(log.entries[0].time == 2000)
        #expect(log.entries[0].client == "client at 2000")
    }

    @Test func whatDiffersStandsApart() {
        var log = DenialLog()
        log.add(entry("get"), limit: 128)
        log.add(entry("get", reason: .key), limit: 128)
        log.add(entry("get", context: .transaction), limit: 128)
        log.add(entry("get", user: "v"), limit: 128)
        log.add(entry("get", at: 60_001), limit: 128)
        #expect(log.entries.map(\.count) == [1, 1, 1, 1, 1])
        log.add(entry("get", at: 120_001), limit: 128)
        #expect(log.entries.map(\.count) == [2, 1, 1, 1, 1])
    }

    @Test func onlyTheTenLatestAreLookedAt() {
        var log = DenialLog()
        for number in 0...10 { log.add(entry("\(number)"), limit: 128) }
        log.add(entry("0"), limit: 128)
        #expect(log.entries.count == 12)
        log.add(entry("3"), limit: 128)
        #expect(log.entries.count == 12)
        #expect(log.entries[0].count == 2)
    }

    @Test func theOldestMakeRoom() {
        var log = DenialLog()
        for number in 0..<9 { log.add(entry("\(number)"), limit: 5) }
        #expect(
            log.entries.map { String(decoding: $0.object, as: UTF8.self) }
                == ["8", "7", "6", "5", "4"])
        log.add(entry("x"), limit: 2)
        #expect(log.entries.count == 2)
        log.add(entry("y"), limit: 0)
        #expect(log.entries.isEmpty)
        log.add(entry("z"), limit: 3)
        log.removeAll()
        #expect(log.entries.isEmpty)
    }
}
