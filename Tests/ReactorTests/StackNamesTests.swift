import Glibc
import Testing

@testable import Reactor

@Suite struct StackNamesTests {
    @Test func `names of Swift are as they are written`() {
        #expect(StackNames.demangled("$s7Reactor10StackNamesO") == "Reactor.StackNames")
        #expect(StackNames.demangled("main") == "main")
        #expect(StackNames.demangled("$sNoSuchName") == "$sNoSuchName")
    }

    @Test func `a stripped file and no file have no table`() throws {
        #expect(SymbolTable([]) == nil)
        #expect(SymbolTable(Array("#!/bin/sh".utf8)) == nil)
        #expect(SymbolTable([0x7F, 0x45, 0x4C, 0x46, 2, 1]) == nil)
        #expect(SymbolTable(try File.readWhole("/bin/true", limit: 1 << 24)) == nil)
    }

    /// Any bytes for headers and symbols: whatever they claim, nothing is read beyond them.
    @Test func `spoiled tables are read without a trap`() throws {
        var seed = UInt64.random(in: 0 ... .max)
        print("StackNamesTests: SEED=\(seed)")
        func next(_ bound: Int) -> Int {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(seed >> 33) % bound
        }
        for _ in 0..<2000 {
            var image: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1] + Array(repeating: 0, count: 394)
            image[0x28] = 64
            (image[0x3A], image[0x3C]) = (64, 3)
            // Three sections: symbols, names, and anything.
            image[64 + 4] = 2
            (image[64 + 0x18], image[64 + 0x20], image[64 + 0x28]) = (0, 144, 1)
            image[64 + 0x19] = 1
            for _ in 0..<next(20) { image[next(image.count)] = UInt8(next(256)) }
            guard let table = SymbolTable(image) else { continue }
            for _ in 0..<5 { _ = table.function(around: UInt64(next(1 << 20))) }
        }
    }
}
