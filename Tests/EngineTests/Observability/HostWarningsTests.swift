import Testing

@testable import Engine

@Suite struct HostWarningsTests {
    private func lines(
        _ files: [String: String], backlog: Int = 511, avoidsHugePages: Bool = false
    ) -> [String] {
        HostWarnings(
            tcpBacklog: backlog, avoidsHugePages: avoidsHugePages, read: { files[$0] }
        ).lines
    }

    private static let overcommit = "/proc/sys/vm/overcommit_memory"
    private static let pages = "/sys/kernel/mm/transparent_hugepage/enabled"
    private static let backlog = "/proc/sys/net/core/somaxconn"

    @Test func `a host as it should be is not complained of`() {
        #expect(lines([:]).isEmpty)
        let sound = [
            Self.overcommit: "1", Self.pages: "always [madvise] never", Self.backlog: "511",
        ]
        #expect(lines(sound).isEmpty)
        #expect(lines([Self.pages: "always madvise [never]", Self.backlog: "4096"]).isEmpty)
    }

    @Test(arguments: ["0", "2"])
    func `memory that may be refused is named, with the remedy`(mode: String) {
        let told = lines([Self.overcommit: mode])
        #expect(told.count == 1)
        #expect(told[0].hasPrefix("WARNING Memory overcommit must be enabled!"))
        #expect(told[0].contains("'sysctl vm.overcommit_memory=1'"))
    }

    @Test func `huge pages are named where the process takes them`() {
        let files = [Self.pages: "[always] madvise never"]
        #expect(lines(files, avoidsHugePages: true).isEmpty)
        let told = lines(files)
        #expect(told.count == 1)
        #expect(told[0].hasPrefix("WARNING You have Transparent Huge Pages (THP) support enabled"))
        #expect(told[0].contains("'echo madvise > \(Self.pages)'"))
    }

    @Test func `a backlog that the kernel cuts is named`() {
        #expect(lines([Self.backlog: "128"], backlog: 128).isEmpty)
        let told = lines([Self.backlog: "128"], backlog: 129)
        #expect(told.count == 1)
        #expect(
            told[0].hasPrefix(
                "WARNING: The TCP backlog setting of 129 cannot be enforced because "
                    + "\(Self.backlog) is set to the lower value of 128."))
        #expect(told[0].contains("'sysctl net.core.somaxconn=129'"))
    }
}
