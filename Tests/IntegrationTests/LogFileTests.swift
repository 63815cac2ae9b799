import Foundation
import Glibc
import Testing

/// What the server writes down, and where.
@Suite struct LogFileTests {
    @Test func `text lines have Redis's form`() throws {
        let server = try ServerProcess("logfile log")
        let form =
            #/(\d+):[MC] \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3} [.\-*#] \S.*/#
        let lines = server.log.split(separator: "\n")
        #expect(lines.count > 3)
        for line in lines {
            let match = try #require(line.wholeMatch(of: form), "\(line)")
            #expect(match.1 == "\(server.process)")
        }
        #expect(server.output.isEmpty)
    }

    @Test func `json lines are json, whatever a client sends`() throws {
        let server = try ServerProcess("log-format json\nloglevel verbose\nlogfile FOLDER/log")
        let client = try server.connect()
        #expect(try client.run("CONFIG", "SET", "log-timestamp-format", "iso8601") == "OK")
        try client.send(Array("*1\r\n$x\u{1}\"\n\r\n".utf8))
        try wait("the connection's end is logged") { server.log.contains("Accepted") }
        try server.stop()
        struct Line: Decodable {
            let time: String
            let level: String
            let pid: Int32
            let role: String
            let message: String
        }
        let lines = try server.log.split(separator: "\n").map { line in
            try JSONDecoder().decode(Line.self, from: Data(line.utf8))
        }
        #expect(lines.contains { $0.message == "Server initialized" && $0.level == "warning" })
        #expect(lines.allSatisfy { $0.pid == server.process })
        let last = try #require(lines.last)
        #expect(
            last.time.wholeMatch(of: #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+\-]\d\d:\d\d/#) != nil
        )
        #expect(last.role == "primary")
    }

    @Test func `a moved file is begun anew`() throws {
        let server = try ServerProcess("logfile log\nloglevel verbose")
        let old = server.file("log.1")
        try FileManager.default.moveItem(at: server.file("log"), to: old)
        // The server looks for its file once a second.
        try wait("the new file has lines") {
            _ = try server.connect().run("PING")
            return !server.log.isEmpty
        }
        #expect(try String(contentsOf: old, encoding: .utf8).contains("Server initialized"))
        #expect(!server.log.contains("Server initialized"))
    }

    @Test(arguments: [SIGSEGV, SIGILL, SIGTRAP, SIGABRT])
    func `a crash leaves a report and the signal's status`(signal: Int32) throws {
        let server = try ServerProcess("logfile log")
        server.kill(signal)
        #expect(try server.waitForEnd() == .signalled(signal))
        let marks = [
            "=== REDIS BUG REPORT START",
            "Apus 0.1.0 (as Redis 7.4.0) crashed by signal: \(signal)", "STACK TRACE",
            "=== REDIS BUG REPORT END",
        ]
        for mark in marks { #expect(server.log.contains(mark), "\(mark)") }
    }

    @Test func `crash reports can be switched off`() throws {
        let server = try ServerProcess("logfile log")
        #expect(try server.connect().run("CONFIG", "SET", "crash-log-enabled", "no") == "OK")
        server.kill(SIGSEGV)
        #expect(try server.waitForEnd() == .signalled(SIGSEGV))
        #expect(!server.log.contains("BUG REPORT"))
    }
}
