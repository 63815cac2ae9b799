import Foundation
import Testing

/// `apus-check-rdb`: the server's binary under another name.
@Suite struct SnapshotCheckTests {
    /// A server's snapshot, and a link to the tool beside it.
    private func prepare() throws -> (server: ServerProcess, tool: String, file: URL) {
        let server = try ServerProcess()
        let client = try server.connect()
        for number in 0..<10 { try client.run("SET", "key:\(number)", "value") }
        try client.run("SET", "leaving", "1", "EX", "1000")
        try client.run("HSET", "hash", "a", "1")
        try client.run("SAVE")
        let tool = server.file("apus-check-rdb")
        try FileManager.default.createSymbolicLink(
            at: tool, withDestinationURL: URL(filePath: ServerProcess.binary))
        return (server, tool.path, server.file("dump.rdb"))
    }

    @Test func `a whole file is praised`() throws {
        let (server, tool, file) = try prepare()
        let finished = try ServerProcess.run([tool, file.path])
        #expect(finished.ending == .exited(0))
        for line in [
            "[offset 0] Checking RDB file \(file.path)", "AUX FIELD redis-bits = '64'",
            "Selecting DB ID 0", "Checksum OK", "\\o/ RDB looks OK! \\o/", "[info] 12 keys read",
            "[info] 1 expires", "[info] 0 already expired",
        ] {
            #expect(finished.output.contains(line), "\(finished.output)")
        }
        try server.stop()
    }

    @Test func `the place of the damage is told`() throws {
        let (server, tool, file) = try prepare()
        var bytes = try Data(contentsOf: file)
        bytes.removeLast(bytes.count / 2)
        try bytes.write(to: file)
        let cut = try ServerProcess.run([tool, file.path])
        #expect(cut.ending == .exited(1))
        #expect(cut.output.contains("--- RDB ERROR DETECTED ---"))
        #expect(cut.output.contains("Unexpected EOF reading RDB file"))
        #expect(cut.output.contains("[additional info] While doing: "))
        try Data("nonsense".utf8).write(to: file)
        #expect(try ServerProcess.run([tool, file.path]).ending == .exited(1))
        #expect(try ServerProcess.run([tool, "/nowhere"]).ending == .exited(1))
        #expect(try ServerProcess.run([tool]).output == "Usage: apus-check-rdb <rdb-file-name>\n")
        try server.stop()
    }
}
