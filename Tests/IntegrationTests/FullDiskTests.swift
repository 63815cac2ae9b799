import Foundation
import Testing

/// A disk of 8 MB that is full: the server says so and refuses writes, loses nothing that it has
/// acknowledged, and takes writes again once there is room.
@Suite(.enabled(if: SmallDisk.isPossible, SmallDisk.absence))
struct FullDiskTests {
    private let disk: SmallDisk

    init() throws { disk = try SmallDisk() }

    private func start(_ configuration: String) throws -> ServerProcess {
        try ServerProcess(
            configuration + "\nenable-debug-command yes\ndir \(disk.path)", wrapper: disk.wrapper)
    }

    private func crash(_ server: ServerProcess) throws {
        server.kill(SIGKILL)
        try server.waitForEnd()
    }

    private static let value = String(repeating: "value ", count: 170)

    /// Sets keys with rising numbers until one is refused.
    ///
    /// - Returns: how many were taken, and why the next one was not; nil if the server went away.
    private func setUntilRefused(_ client: Client) throws -> (taken: Int, refusal: String?) {
        for number in 0..<10_000 {
            do {
                let reply = try client.run("SET", "key \(number)", "\(number) \(Self.value)")
                if reply != "OK" { return (number, reply.text) }
            } catch is Client.Closed {
                return (number, nil)
            }
        }
        throw Trouble("nothing was refused")
    }

    private func expectAll(_ count: Int, _ client: Client) throws {
        for number in 0..<count { try client.send(["GET", "key \(number)"]) }
        for number in 0..<count {
            #expect(try client.read() == .text("\(number) \(Self.value)"))
        }
    }

    // MARK: - The append-only file

    @Test(arguments: ["no", "everysec"])
    func `an append-only file that cannot grow`(sync: String) throws {
        let server = try start("appendonly yes\nappendfsync \(sync)")
        let client = try server.connect()
        try disk.fill(leaving: 256 << 10)
        let (taken, refusal) = try setUntilRefused(client)
        #expect(taken > 100)
        #expect(refusal == "MISCONF Errors writing to the AOF file: No space left on device")
        #expect(try client.run("GET", "key 0") == .text("0 \(Self.value)"))
        #expect(try client.run("DBSIZE") == .integer(taken))
        let info = try client.run("INFO", "persistence").text ?? ""
        #expect(info.contains("aof_last_write_status:err"))
        try disk.makeRoom()
        let freed = ContinuousClock.now
        try wait("writes are taken") { try client.run("SET", "after", "1") == "OK" }
        #expect(ContinuousClock.now - freed < .seconds(4))
        #expect(server.log.contains("AOF write error looks solved"))
        try wait("everything is written") {
            try client.run("INFO", "persistence").text?.contains("aof_buffer_length:0") ?? false
        }
        try crash(server)
        try server.restart()
        #expect(!server.log.contains("short read"))
        let again = try server.connect()
        try expectAll(taken, again)
        #expect(try again.run("GET", "after") == "1")
    }

    @Test func `with always the server ends before it answers`() throws {
        let server = try start("appendonly yes\nappendfsync always")
        try disk.fill(leaving: 256 << 10)
        let (taken, refusal) = try setUntilRefused(try server.connect())
        #expect(taken > 100)
        #expect(refusal == nil)
        #expect(try server.waitForEnd() == .exited(1))
        #expect(server.log.contains("No space left on device"))
        try disk.makeRoom()
        try server.restart()
        let client = try server.connect()
        try expectAll(taken, client)
        #expect(try client.run("EXISTS", "key \(taken)") == 0)
        #expect(try client.run("SET", "after", "1") == "OK")
    }

    // MARK: - Snapshots

    @Test func `a snapshot that finds no room`() throws {
        let server = try start("save 3600 1\nrdbcompression no")
        let client = try server.connect()
        try client.run("SET", "old", "1")
        #expect(try client.run("SAVE") == "OK")
        let digest = try client.run("DEBUG", "DIGEST")
        try client.run("DEBUG", "POPULATE", "2000", "key", "1000")
        try disk.fill(leaving: 512 << 10)
        let names = disk.names
        #expect(try client.run("SAVE") == .error("ERR"))
        #expect(disk.names == names)
        #expect(server.log.contains("Error saving the DB on disk: No space left on device"))
        try client.run("BGSAVE")
        try wait("the child fails") { server.log.contains("Background saving error") }
        #expect(disk.names == names)
        let reply = try client.run("SET", "k", "v")
        #expect(reply.text?.hasPrefix("MISCONF Redis is configured to save RDB snapshots") == true)
        #expect(try client.run("GET", "old") == "1")

        // The old one is whole.
        try crash(server)
        try server.restart()
        let again = try server.connect()
        #expect(try again.run("DEBUG", "DIGEST") == digest)

        try again.run("DEBUG", "POPULATE", "2000", "key", "1000")
        let larger = try again.run("DEBUG", "DIGEST")
        try again.run("BGSAVE")
        try wait("the child fails") { server.log.contains("Background saving error") }
        try disk.makeRoom()
        try again.run("BGSAVE")
        try wait("the child succeeds") {
            server.log.contains("Background saving terminated with success")
        }
        #expect(try again.run("SET", "k", "v") == "OK")
        try crash(server)
        try server.restart()
        #expect(try server.connect().run("DEBUG", "DIGEST") == larger)
    }

    // MARK: - Rewriting

    /// Leaves no room for a new base, and then not even for another manifest.
    @Test func `a rewrite that finds no room`() throws {
        let server = try start("appendonly yes\nrdbcompression no")
        let client = try server.connect()
        for number in 0..<2000 {
            try client.send(["SET", "key \(number)", "\(number) \(Self.value)"])
        }
        for _ in 0..<2000 { #expect(try client.read() == "OK") }
        try disk.fill(leaving: 512 << 10)
        let names = disk.names
        try client.run("BGREWRITEAOF")
        try wait("the child fails") {
            server.log.contains("Background AOF rewrite terminated with error")
        }
        #expect(disk.names == names)
        #expect(try client.run("SET", "between", "1") == "OK")
        try disk.makeRoom()
        try disk.fill()
        try client.run("BGREWRITEAOF")
        try wait("no rewrite begins") {
            server.log.contains("Can't rewrite append only file in background")
        }
        let digest = try client.run("DEBUG", "DIGEST")
        #expect(try client.run("GET", "between") == "1")
        try disk.makeRoom()
        try wait("writes are taken") { try client.run("SET", "k", "v") == "OK" }
        #expect(try client.run("DEL", "k") == 1)
        try crash(server)
        try server.restart()
        let again = try server.connect()
        #expect(try again.run("DEBUG", "DIGEST") == digest)
        try again.run("BGREWRITEAOF")
        try wait("the rewrite ends") {
            server.log.contains("AOF rewrite finished successfully")
        }
        try crash(server)
        try server.restart()
        #expect(try server.connect().run("DEBUG", "DIGEST") == digest)
    }
}
