import Glibc
import Testing

@testable import Reactor

@Suite struct ChildTests {
    /// Runs `body` in a child, which must end by itself.
    ///
    /// The body should do next to nothing, and that for the second time: a fork leaves behind
    /// whatever locks the other tests' threads held. A child that is stuck on one is ended by its
    /// alarm, and another is tried.
    private func ending(of body: () -> Int32) throws -> Child.Ending? {
        try untilNotStuck { patience in
            switch try Child.fork() {
            case .child:
                alarm(patience)
                Child.exit(body())
            case .parent(let pid):
                return Child.wait(for: pid)?.ending
            }
        }
    }

    @Test func statusesComeBack() throws {
        #expect(try ending { 0 } == .exited(status: 0))
        #expect(try ending { 255 } == .exited(status: 255))
    }

    @Test func killedChildrenSayBySignal() throws {
        let (near, far) = try Socket.pair()
        defer { FileDescriptor.close(near) }
        guard case .parent(let pid) = try Child.fork() else {
            alarm(10)
            while true { pause() }
        }
        FileDescriptor.close(far)
        #expect(Child.reap(pid) == nil)
        #expect(Child.signal(pid, SIGUSR1))
        #expect(Child.wait(for: pid) == Child.Reaped(pid: pid, ending: .signalled(number: SIGUSR1)))
        #expect(Child.reap(pid) == nil)
    }

    @Test func childrenSpeakOverAPair() throws {
        var text = ""
        let ending = try untilNotStuck { patience in
            let (near, far) = try Socket.pair()
            defer { FileDescriptor.close(near) }
            guard case .parent(let pid) = try Child.fork() else {
                alarm(patience)
                var byte: UInt8 = 42
                withUnsafeBytes(of: &byte) { _ = Socket.send(far, $0) }
                Child.exit(0)
            }
            FileDescriptor.close(far)
            let ending = Child.wait(for: pid)?.ending
            #expect(try Socket.wait(near, for: .readable, milliseconds: patienceMilliseconds))
            text = receiveText(near) ?? ""
            return ending
        }
        #expect(text == "*")
        #expect(ending == .exited(status: 0))
    }

    /// Loads the unwinder before a child needs it.
    private func loadUnwinder() throws {
        let null = try File("/dev/null", .readWrite)
        Process.logBacktrace(to: null.descriptor)
    }

    @Test(arguments: [SIGSEGV, SIGABRT, SIGTRAP, SIGILL, SIGBUS, SIGFPE])
    func crashesLeaveAReportAndTheirSignal(number: Int32) throws {
        let folder = try TemporaryFolder()
        let log = folder.file("log")
        try loadUnwinder()
        let ending = try ending {
            Process.installCrashHandlers(logPath: log, version: "Redis 7.2.4")
            kill(getpid(), number)
            return 0
        }
        #expect(ending == .signalled(number: number))
        let report = String(decoding: try File.readWhole(log, limit: 1 << 20), as: UTF8.self)
        let lines = [
            "=== REDIS BUG REPORT START: Cut & paste starting from here ===\n",
            "Redis 7.2.4 crashed by signal: \(number), si_code: 0\n",
            "Killed by PID: ", "------ STACK TRACE ------\n", "=== REDIS BUG REPORT END",
        ]
        for line in lines { #expect(report.contains(line)) }
    }

    /// What comes last may crash, or hang: what was told before is there, and so is the end.
    @Test(arguments: [false, true])
    func `details that fail end the report`(hang: Bool) throws {
        let folder = try TemporaryFolder()
        let log = folder.file("log")
        try loadUnwinder()
        let ending = try ending {
            Process.installCrashHandlers(logPath: log, version: "Apus") { write in
                write(Array("told before\n".utf8))
                while hang { pause() }
                kill(getpid(), SIGSEGV)
                write(Array("told behind\n".utf8))
            }
            kill(getpid(), SIGSEGV)
            return 0
        }
        #expect(ending == .signalled(number: SIGSEGV))
        let report = String(decoding: try File.readWhole(log, limit: 1 << 20), as: UTF8.self)
        let parts = [
            "------ REGISTERS ------", "------ STACK TRACE ------", "told before\n",
            "(The rest could not be told.)", "=== REDIS BUG REPORT END",
        ]
        var rest = report[...]
        for part in parts {
            let found = try #require(rest.firstRange(of: part), "\(part) in \(report)")
            rest = rest[found.upperBound...]
        }
        #expect(!report.contains("told behind"))
    }

    @Test func faultsTellTheAddress() throws {
        let folder = try TemporaryFolder()
        let log = folder.file("log")
        try loadUnwinder()
        let ending = try ending {
            Process.installCrashHandlers(logPath: log, version: "Redis")
            let nowhere = UnsafePointer<UInt8>(bitPattern: 0x10)
            return Int32(nowhere?.pointee ?? 0)
        }
        #expect(ending == .signalled(number: SIGSEGV))
        let report = String(decoding: try File.readWhole(log, limit: 1 << 20), as: UTF8.self)
        #expect(report.contains("Redis crashed by signal: 11, si_code: 1\n"))
        #expect(report.contains("Accessing address: 0x10\n"))
        // The handler, the C library's return and at least one frame of ours.
        #expect(report.split(separator: "\n").filter { $0.contains("[0x") }.count >= 3)
    }
}
