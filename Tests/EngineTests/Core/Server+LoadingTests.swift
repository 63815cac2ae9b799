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

    @Test(arguments: [true, false])
    func `the time and the age of a key may be anything`(dropsExpired: Bool) {
        for policy in ["allkeys-lru", "allkeys-lfu"] {
            let test = TestServer("maxmemory-policy \(policy)\nmaxmemory 1gb")
            for deadline in [Int64.min, -1, 0, 1, 1 << 46, 1 << 62, .max - 1, .max] {
                for age in [UInt64(0), 1 << 31, 1 << 32, 1 << 63 - 1, .max] {
                    let traits =
                        [DumpFormat.deadlineMilliseconds] + DumpBytes.littleEndian(deadline)
                        + [DumpFormat.idle] + DumpBytes.length(age)
                        + [DumpFormat.frequency, UInt8(truncatingIfNeeded: age)]
                    let keys = [
                        [DumpFormat.string] + DumpBytes.string("s") + DumpBytes.string("v"),
                        [DumpFormat.set, 1, 0x68, 1] + DumpBytes.string("member"),
                    ]
                    let file = keys.reduce(Array("REDIS0012".utf8)) { $0 + traits + $1 }
                    let whole = DumpBytes.sealed(file + [DumpFormat.end])
                    #expect(test.load(file: whole, dropsExpired: dropsExpired) == nil)
                    for key in ["s", "h"] {
                        for words in [
                            ["PTTL"], ["PEXPIRETIME"], ["OBJECT", "IDLETIME"], ["OBJECT", "FREQ"],
                            ["TYPE"], ["TOUCH"], ["DUMP"], ["EXISTS"],
                        ] { test.client.run(words + [key]) }
                    }
                    test.server.expireDueKeys()
                    test.run("FLUSHALL")
                }
            }
        }
    }
}
