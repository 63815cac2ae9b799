import Testing

@testable import Engine

@Suite struct ServerLoadingTests {
    /// How much is to come is what a primary says.
    @Test func `the time that is left has bounds`() {
        var progress = LoadProgress(startedSeconds: 0, totalBytes: .max)
        #expect(progress.remainingSeconds(now: 100) == 1)
        progress.loadedBytes = 1
        #expect(progress.remainingSeconds(now: 0) == 0)
        #expect(progress.remainingSeconds(now: 100) == .max)
        progress = LoadProgress(startedSeconds: 10, totalBytes: 400, loadedBytes: 100)
        #expect(progress.remainingSeconds(now: 15) == 15)
    }

    @Test func `what is broken in a file is named by key and place`() {
        let test = TestServer()
        var listpack = DumpBytes.listpack(["a", "1", "b", "2"].map { DumpBytes.element($0) })
        listpack[4] += 1
        let packed = DumpBytes.string(listpack)
        for (type, body) in [
            (DumpFormat.hashListpack, packed), (DumpFormat.sortedSetListpack, packed),
            (DumpFormat.setListpack, packed), (DumpFormat.listOfListpacks, [1, 2] + packed),
            (DumpFormat.hash, [2] + DumpBytes.string("f") + DumpBytes.string("v")),
            (DumpFormat.string, DumpBytes.length(1 << 40)),
        ] {
            let file = DumpBytes.file(type, body, key: "broken")
            let before = test.lines.count
            file.withByteView { bytes in
                var reader = DumpReader(bytes)
                let report = try? test.server.load(
                    from: &reader, SnapshotReader.Options(), servesMeanwhile: false)
                #expect(report == nil, "type \(type)")
            }
            let line = test.lines.dropFirst(before).joined()
            #expect(line.contains("RDB reading offset "), "\(line)")
            #expect(line.contains(" (value of key 'broken') -> "), "\(line)")
        }
    }
}
