import Glibc
import Testing

@testable import Reactor

@Suite struct ProcessTests {
    @Test func tellsAboutItself() throws {
        #expect(Process.processIdentifier == getpid())
        #expect(Process.hostKernel.hasPrefix("Linux "))
        #expect(Process.hostKernel.split(separator: " ").count == 3)
        #expect(File.exists(Process.executablePath))
        #expect(File.isFolder(try Process.currentDirectory()))
        #expect(Process.residentBytes() > 1 << 20)
        #expect(Process.totalSystemMemory() > Process.residentBytes())
        #expect((-1000...1000).contains(try #require(Process.outOfMemoryScore())))
    }

    @Test func processorTimeGrows() {
        let before = Process.cpuUsage(.thread)
        while Process.cpuUsage(.thread).user == before.user {}
        let all = Process.cpuUsage(.process)
        #expect(all.user + all.system > 0)
        #expect(Process.cpuUsage(.children).user >= 0)
    }

    @Test func randomBytesDiffer() {
        #expect(Process.randomBytes(0).isEmpty)
        #expect(Process.randomBytes(600).count == 600)
        #expect(Process.randomBytes(16) != Process.randomBytes(16))
    }

    @Test func descriptorLimitsAreRaisedAsFarAsAllowed() {
        let (soft, hard) = Process.descriptorLimit()
        #expect(soft > 0 && soft <= hard)
        #expect(Process.raiseDescriptorLimit(to: 1) == soft)
        #expect(Process.raiseDescriptorLimit(to: soft) == soft)
        let reached = Process.raiseDescriptorLimit(to: .max)
        #expect(reached >= soft)
        #expect(Process.descriptorLimit().soft == reached)
    }

    @Test func titlesReplaceTheCommandLine() throws {
        // In a child, because other tests read the environment. It does next to nothing: a fork
        // leaves behind whatever locks the other tests' threads held.
        let ending = try untilNotStuck { patience in
            let (near, far) = try Socket.pair()
            defer { FileDescriptor.close(near) }
            guard case .parent(let pid) = try Child.fork() else {
                alarm(patience)
                Process.setTitle("apus-test *:6379")
                FileDescriptor.close(near)
                var byte: UInt8 = 42
                withUnsafeBytes(of: &byte) { _ = Socket.send(far, $0) }
                while getenv("PATH") != nil { pause() }
                Child.exit(1)
            }
            FileDescriptor.close(far)
            guard try Socket.wait(near, for: .readable, milliseconds: patienceMilliseconds),
                receiveText(near) == "*"
            else { return Child.wait(for: pid)?.ending }
            let line = try File.readWhole("/proc/\(pid)/cmdline", limit: 1 << 20)
            #expect(String(decoding: line.prefix { $0 != 0 }, as: UTF8.self) == "apus-test *:6379")
            let name = try File.readWhole("/proc/\(pid)/comm", limit: 100)
            #expect(name == Array("apus-test\n".utf8))
            Child.signal(pid, SIGKILL)
            return Child.wait(for: pid)?.ending
        }
        #expect(ending == .signalled(number: SIGKILL))
    }

    @Test func anotherProgramTakesOver() throws {
        // Refused here first, so that the child finds everything loaded.
        #expect(throws: SystemError("execv", code: ENOENT)) {
            try Process.replace(with: "/nowhere", arguments: ["sh", "-c", "exit 7"])
        }
        let arguments = ["sh", "-c", "exit 7"]
        let ending = try untilNotStuck { patience in
            guard case .parent(let pid) = try Child.fork() else {
                alarm(patience)
                _ = try? Process.replace(with: "/bin/sh", arguments: arguments)
                Child.exit(1)
            }
            return Child.wait(for: pid)?.ending
        }
        #expect(ending == .exited(status: 7))
    }
}
