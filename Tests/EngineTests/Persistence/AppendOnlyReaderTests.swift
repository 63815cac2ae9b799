import Foundation
import Reactor
import Testing

@testable import Engine

@Suite struct AppendOnlyReaderTests {
    /// What a reader makes of a file with these bytes: the requests, where the last one ends, and how it
    /// ends.
    private func read(
        _ bytes: [UInt8], from offset: Int = 0
    ) throws -> (requests: [[String]], position: Int, ending: String) {
        let path = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        defer { File.removeIfPresent(path) }
        let file = try File(path, .create)
        try file.writeAll(bytes)
        var reader = AppendOnlyReader(file.descriptor, from: offset)
        var requests: [[String]] = []
        while true {
            switch reader.next() {
            case .request(let arguments):
                requests.append(arguments.arrays.map { String(decoding: $0, as: UTF8.self) })
            case .time(let seconds): requests.append(["#", String(seconds)])
            case .end: return (requests, reader.position, "end")
            case .truncated: return (requests, reader.position, "truncated")
            case .malformed: return (requests, reader.position, "malformed")
            case .failed(let error): throw error
            }
        }
    }

    private func request(_ words: String...) -> [UInt8] {
        Array(
            ("*\(words.count)\r\n"
                + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()).utf8)
    }

    @Test func `requests and notes of the time come out in order`() throws {
        let bytes =
            Array("#TS:1700000000\r\n".utf8) + request("SET", "k", "") + Array("#TS:1\r\n".utf8)
            + request("DEL", "k")
        let result = try read(bytes)
        #expect(
            result.requests == [
                ["#", "1700000000"], ["SET", "k", ""], ["#", "1"], ["DEL", "k"],
            ])
        #expect(result.position == bytes.count)
        #expect(result.ending == "end")
        #expect(try read([]).ending == "end")
        #expect(try read(Array("REDIS".utf8) + bytes, from: 5).requests == result.requests)
    }

    @Test func `what is only claimed does not come`() throws {
        for claim in ["*2147483647\r\n", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1099511627776\r\n"] {
            let result = try read(request("SET", "a", "1") + Array((claim + "$1\r\nk\r\n").utf8))
            #expect(result.requests == [["SET", "a", "1"]])
            #expect(result.ending == "truncated")
        }
        let beyond = request("SET", "a", "1") + Array("*9223372036854775807\r\n$1\r\nk\r\n".utf8)
        #expect(try read(beyond).ending == "malformed")
    }

    @Test func `a request may be longer than what is read at once`() throws {
        let long = String(repeating: "x", count: 1_000_000)
        let bytes =
            request("SET", "a", "1") + request("SET", "long", long) + request("SET", "b", "2")
        let result = try read(bytes)
        #expect(
            result.requests == [["SET", "a", "1"], ["SET", "long", long], ["SET", "b", "2"]])
    }

    @Test func `a file cut at any byte ends where its last whole request does`() throws {
        let requests = [
            request("SET", "k", "v"), request("MULTI"), request("LPUSH", "l", "a", "b"),
        ]
        let bytes = Array(requests.joined())
        let ends = [0, requests[0].count, requests[0].count + requests[1].count, bytes.count]
        for cut in 0...bytes.count {
            let result = try read(Array(bytes.prefix(cut)))
            let whole = ends.last { $0 <= cut } ?? 0
            #expect(result.position == whole, "cut at \(cut)")
            #expect(result.ending == (whole == cut ? "end" : "truncated"), "cut at \(cut)")
        }
    }

    @Test func `what is no request is told from a cut`() throws {
        let sound = request("SET", "k", "v")
        for strange in ["!!!", "SET k v\r\n", "*0\r\n", "*x\r\n", "*1\r\n#3\r\n", "*1\r\n$-1\r\n"] {
            let result = try read(sound + Array(strange.utf8) + sound)
            #expect(result.ending == "malformed", "\(strange)")
            #expect(result.position == sound.count, "\(strange)")
        }
    }

    @Test func `no bytes reach a trap`() throws {
        var random = SeededRandom.make()
        let sound = request("SET", "key", "value") + request("HSET", "h", "f", "v")
        for _ in 0..<300 {
            var bytes = sound
            for _ in 0...random.below(3) {
                bytes[random.below(bytes.count)] = UInt8(random.below(256))
            }
            _ = try read(bytes)
        }
    }
}
