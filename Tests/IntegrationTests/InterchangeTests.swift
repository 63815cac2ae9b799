import Foundation
import Testing

/// Files that go to another server and come back: everything in them means the same to both.
///
/// With every peer that is at hand: Debian's Redis, and Redis 8 and Valkey 9 where `Scripts/peers` has put
/// them or `APUS_PEERS` says.
@Suite struct InterchangeTests {
    private func configuration(_ peer: PeerProcess.Program) -> String {
        "enable-debug-command yes"
            + (peer.fieldDeadlines.map { "\nrdb-field-ttl-format \($0)" } ?? "")
    }

    /// Digests of all keys, and what they leave out.
    private func state(_ client: Client, _ peer: PeerProcess.Program) throws -> [Answer] {
        var state = [
            try client.run("DBSIZE"), try client.run("PEXPIRETIME", "hash, leaving"),
            try client.run("XINFO", "STREAM", "stream"),
            try client.run("XPENDING", "stream", "group"),
        ]
        guard peer.fieldDeadlines != nil else {
            return state + [try client.run("DEBUG", "DIGEST")]
        }
        // Redis and Valkey do not agree on how a deadline of a field changes a digest.
        for key in try client.run("KEYS", "*").elements.compactMap(\.text).sorted() {
            if key.contains("fields") {
                state.append(try client.run("HPEXPIRETIME", key, "FIELDS", "3", "a", "f0", "f2"))
                let values = try client.run("HGETALL", key).elements.compactMap(\.text)
                state.append(.list(values.sorted().map { .text($0) }))
            } else {
                state.append(try client.run("DEBUG", "DIGEST-VALUE", key))
            }
        }
        return state
    }

    /// Leaves out what says how a server holds its data.
    private func isAlike(_ left: [Answer], _ right: [Answer]) -> Bool {
        func comparable(_ state: [Answer]) -> [Answer] {
            state.map { answer in
                let elements = answer.elements
                guard let index = elements.firstIndex(of: "radix-tree-keys") else { return answer }
                return .list(Array(elements[..<index] + elements[(index + 4)...]))
            }
        }
        return comparable(left) == comparable(right)
    }

    /// We fill, they continue, we take it back.
    @Test(arguments: PeerProcess.programs)
    func `our snapshot`(peer: PeerProcess.Program) throws {
        let server = try ServerProcess(configuration(peer))
        let client = try server.connect()
        try SampleKeys.many.fill(client, fieldDeadlines: peer.fieldDeadlines != nil)
        #expect(try client.run("SAVE") == "OK")
        let ours = try state(client, peer)
        try server.stop()
        let other = try PeerProcess(peer, folder: server.folder)
        let theirs = try other.connect()
        let taken = try state(theirs, peer)
        #expect(isAlike(taken, ours), "\(taken)\n\(ours)")
        #expect(try theirs.run("SAVE") == "OK")
        other.end()
        try server.restart()
        let back = try state(try server.connect(), peer)
        #expect(isAlike(back, ours), "\(back)\n\(ours)")
    }

    /// They fill, we continue, they take it back.
    @Test(arguments: PeerProcess.programs)
    func `their snapshot`(peer: PeerProcess.Program) throws {
        let folder = try ServerProcess.freshFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        var other = try PeerProcess(peer, folder: folder)
        var theirs = try other.connect()
        try SampleKeys.many.fill(theirs, fieldDeadlines: peer.fieldDeadlines != nil)
        #expect(try theirs.run("SAVE") == "OK")
        let expected = try state(theirs, peer)
        other.end()
        let server = try ServerProcess(configuration(peer) + "\ndir \(folder.path)")
        let client = try server.connect()
        let taken = try state(client, peer)
        #expect(isAlike(taken, expected), "\(taken)\n\(expected)")
        #expect(try client.run("SAVE") == "OK")
        try server.stop()
        other = try PeerProcess(peer, folder: folder)
        theirs = try other.connect()
        let back = try state(theirs, peer)
        #expect(isAlike(back, expected), "\(back)\n\(expected)")
    }

    /// The append-only file goes to and fro, base and increments, and each appends to it.
    @Test(arguments: PeerProcess.programs)
    func `the append-only file`(peer: PeerProcess.Program) throws {
        let server = try ServerProcess(configuration(peer) + "\nappendonly yes")
        var client = try server.connect()
        try SampleKeys.many.fill(client, fieldDeadlines: peer.fieldDeadlines != nil)
        let ours = try state(client, peer)
        try server.stop()
        let other = try PeerProcess(peer, folder: server.folder, "--appendonly", "yes")
        let theirs = try other.connect()
        let taken = try state(theirs, peer)
        #expect(isAlike(taken, ours), "\(taken)\n\(ours)")
        try theirs.run("DEL", "stream, leaving")
        try theirs.run("BGREWRITEAOF")
        try wait("they have rewritten it") {
            let info = try theirs.run("INFO", "persistence").text ?? ""
            return info.contains("aof_rewrite_in_progress:0")
                && info.contains("aof_rewrite_scheduled:0")
        }
        try theirs.run("SPOP", "large set", "20")
        try theirs.run("XADD", "stream", "*", "written by", "them")
        let changed = try state(theirs, peer)
        // So that the kernel has it all.
        #expect(throws: Client.Closed.self) { try theirs.run("SHUTDOWN") }
        other.end()
        try server.restart()
        client = try server.connect()
        let back = try state(client, peer)
        #expect(isAlike(back, changed), "\(back)\n\(changed)")
    }
}
