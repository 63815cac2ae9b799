import Foundation
import Glibc
import Testing

/// What the log of a server that crashed tells.
@Suite struct CrashReportTests {
    private func report(
        of server: ServerProcess, by signal: Int32 = SIGSEGV
    ) throws -> String {
        #expect(try server.waitForEnd() == .signalled(signal))
        let log = server.log
        let begin = try #require(log.range(of: "=== REDIS BUG REPORT START"))
        return String(log[begin.lowerBound...])
    }

    private func expectWhole(_ report: String) {
        for part in [
            "Apus 0.", "crashed by signal: ", "------ REGISTERS ------\n",
            "------ STACK TRACE ------\n",
            "------ FUNCTIONS ON THE STACK ------\n0x",
            "static Engine.ServerProgram.main() -> Swift.Never + ",
            "------ INFO OUTPUT ------\n# Server\r\nredis_version:",
            "# Keyspace\r\ndb0:keys=1,", "------ WHAT TO DO ------\n", "=== REDIS BUG REPORT END",
        ] { #expect(report.contains(part), "\(part)") }
    }

    @Test func `tells the request and its client`() throws {
        let server = try ServerProcess("enable-debug-command yes")
        let client = try server.connect()
        #expect(try client.run("CLIENT", "SETNAME", "culprit") == "OK")
        #expect(try client.run("SET", "k", "v") == "OK")
        try client.send(["GET", "k"])
        try client.send(["DEBUG", "SEGFAULT"])
        let report = try report(of: server)
        expectWhole(report)
        #expect(report.contains("------ CURRENT REQUEST ------\n\"DEBUG\" \"SEGFAULT\"\n"))
        #expect(report.contains(" name=culprit "))
        #expect(report.contains("Engine.Server."))
    }

    @Test func `hides what users gave where that is asked for`() throws {
        let server = try ServerProcess(
            "enable-debug-command yes\nhide-user-data-from-log yes\nsave 1000 1")
        let client = try server.connect()
        #expect(try client.run("CLIENT", "SETNAME", "secret") == "OK")
        #expect(try client.run("SET", "k", "secret") == "OK")
        try client.send(["DEBUG", "SEGFAULT", "secret"])
        // Takes no argument; whatever came before, the next one crashes.
        #expect(throws: Never.self) { _ = try client.read() }
        try client.send(["DEBUG", "SEGFAULT"])
        let report = try report(of: server)
        expectWhole(report)
        #expect(report.contains("------ CURRENT REQUEST ------\ndebug (2 arguments)\n"))
        #expect(!report.contains("secret"))
    }

    @Test(arguments: [SIGABRT, SIGBUS])
    func `tells its figures when it was idle`(_ signal: Int32) throws {
        let server = try ServerProcess()
        #expect(try server.connect().run("SET", "k", "v") == "OK")
        server.kill(signal)
        let report = try report(of: server, by: signal)
        expectWhole(report)
        #expect(report.contains("Killed by PID: \(getpid())"))
        #expect(!report.contains("CURRENT REQUEST"))
    }
}
