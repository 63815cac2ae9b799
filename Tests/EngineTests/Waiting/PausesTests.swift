import Testing

@testable import Engine

/// Which pause is in force, and until when.
struct PausesTests {
    @Test func `the strictest is in force, and ends for itself`() {
        var pauses = Pauses()
        pauses.begin(.writes, for: .failover, until: .max)
        pauses.begin(.all, for: .client, until: 100)
        #expect(pauses.kind == .all)
        #expect(pauses.nextEnd == 100)
        pauses.endThoseOver(at: 99)
        #expect(pauses.kind == .all)
        pauses.endThoseOver(at: 100)
        #expect(pauses.kind == .writes)
        #expect(pauses.nextEnd == nil)
        pauses.end(for: .failover)
        #expect(pauses.kind == .none)
    }

    @Test func `one for the same purpose becomes neither shorter nor laxer`() {
        var pauses = Pauses()
        pauses.begin(.all, for: .client, until: 100)
        pauses.begin(.writes, for: .client, until: 50)
        #expect(pauses.kind == .all)
        #expect(pauses.nextEnd == 100)
        pauses.begin(.writes, for: .client, until: 200)
        #expect(pauses.nextEnd == 200)
    }

    @Test func `writes hold back what writes or replicates`() {
        #expect(Pauses.Kind.writes.holds([.write]))
        #expect(Pauses.Kind.writes.holds([.mayReplicate]))
        #expect(!Pauses.Kind.writes.holds([.readOnly]))
        #expect(Pauses.Kind.all.holds([.readOnly]))
        #expect(!Pauses.Kind.none.holds([.write]))
    }
}
