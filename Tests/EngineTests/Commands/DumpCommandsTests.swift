import Testing

@testable import Engine

struct DumpCommandsTests {
    /// The bytes DUMP replies.
    private func dump(_ server: TestServer, _ key: String) -> [UInt8] {
        server.client.send([Array("DUMP".utf8), Array(key.utf8)])
        let reply = server.client.connection.reply.view.array
        server.client.connection.reply.drain(reply.count)
        guard let end = reply.firstIndex(of: 10) else { return [] }
        return Array(reply[(end + 1)...].dropLast(2))
    }

    private func restore(
        _ server: TestServer, _ key: String, _ ttl: String, _ payload: [UInt8],
        _ options: String...
    ) -> Reply {
        server.client.run(
            bytes: [Array("RESTORE".utf8), Array(key.utf8), Array(ttl.utf8), payload]
                + options.map { Array($0.utf8) })
    }

    @Test func `the bytes are those of Redis`() {
        let server = TestServer()
        server.run("SET", "number", "10")
        server.run("SET", "text", "foo")
        // redis-server 7.0.15: DUMP number, DUMP text.
        #expect(
            dump(server, "number") == [
                0x00, 0xC0, 0x0A, 0x0A, 0x00, 0x6E, 0x9F, 0x57, 0x45, 0x0E, 0xAE, 0x63, 0xBB,
            ])
        #expect(dump(server, "text").prefix(5) == [0, 3, 0x66, 0x6F, 0x6F])
    }

    @Test func `values go from key to key`() {
        let server = TestServer()
        server.run("SET", "s", "value")
        server.run("RPUSH", "l", "a", "1", "")
        server.run("SADD", "i", "1", "2", "70000")
        server.run("SADD", "t", "x", "y")
        server.run("ZADD", "z", "1.5", "a", "-inf", "b")
        server.run("HSET", "h", "f", "v", "1", "2")
        server.run("XADD", "x", "1-1", "f", "v")
        server.run("XGROUP", "CREATE", "x", "g", "$")
        for key in ["s", "l", "i", "t", "z", "h", "x"] {
            let payload = dump(server, key)
            #expect(restore(server, "copy", "0", payload, "REPLACE") == "OK")
            #expect(
                server.run("DEBUG", "DIGEST-VALUE", "copy")
                    == server.run("DEBUG", "DIGEST-VALUE", key))
        }
        #expect(server.run("DUMP", "nothing") == nil)
    }

    @Test func `times to live`() {
        let server = TestServer()
        server.run("SET", "a", "1")
        let payload = dump(server, "a")
        #expect(restore(server, "b", "5000", payload) == "OK")
        #expect(server.run("PTTL", "b") == 5000)
        #expect(restore(server, "c", "1700000009000", payload, "ABSTTL") == "OK")
        #expect(server.run("PTTL", "c") == 9000)
        #expect(restore(server, "d", "1", payload, "ABSTTL") == "OK")
        #expect(server.run("EXISTS", "d") == 0)
        #expect(restore(server, "a", "1", payload, "ABSTTL", "REPLACE") == "OK")
        #expect(server.run("EXISTS", "a") == 0)
        #expect(
            restore(server, "e", "-1", payload) == .error("ERR Invalid TTL value, must be >= 0"))
        #expect(restore(server, "e", "9223372036854775807", payload) == "OK")
    }

    @Test func `what is wrong is told, and changes nothing`() {
        let server = TestServer()
        server.run("SET", "a", "1")
        let payload = dump(server, "a")
        #expect(
            restore(server, "a", "0", payload)
                == .error("BUSYKEY Target key name already exists."))
        let wrong = Reply.error("ERR DUMP payload version or checksum are wrong")
        #expect(restore(server, "b", "0", []) == wrong)
        #expect(restore(server, "b", "0", Array(payload.dropLast())) == wrong)
        for index in payload.indices {
            var spoiled = payload
            spoiled[index] ^= 0x40
            #expect(restore(server, "b", "0", spoiled) == wrong)
        }
        // A whole payload of a type that does not exist.
        var body: [UInt8] = [99, 1, 65, 10, 0]
        let checksum = body.withByteView { CRC64.update(0, $0) }
        body += (0..<8).map { UInt8(truncatingIfNeeded: checksum >> UInt64($0 * 8)) }
        #expect(restore(server, "b", "0", body) == .error("ERR Bad data format"))
        #expect(restore(server, "a", "0", body, "REPLACE") == .error("ERR Bad data format"))
        #expect(server.run("GET", "a") == .bulk("1"))
        #expect(
            restore(server, "b", "x", payload)
                == .error(
                    "ERR value is not an integer or out of range"))
        #expect(restore(server, "b", "0", payload, "NONSENSE") == .error("ERR syntax error"))
        #expect(
            restore(server, "b", "0", payload, "FREQ", "256")
                == .error(
                    "ERR Invalid FREQ value, must be >= 0 and <= 255"))
        #expect(server.run("DBSIZE") == 1)
    }

    @Test func `idle time and frequency are kept`() {
        let server = TestServer()
        server.run("SET", "a", "1")
        let payload = dump(server, "a")
        #expect(restore(server, "b", "0", payload, "IDLETIME", "1000") == "OK")
        #expect(server.run("OBJECT", "IDLETIME", "b") == 1000)
    }
}
