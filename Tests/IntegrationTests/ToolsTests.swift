import Foundation
import Testing

/// The peers' own tools and libraries against our server.
@Suite struct ToolsTests {
    private static func hasPython() -> Bool {
        (try? ServerProcess.run(["/usr/bin/python3", "-c", "import redis"]).ending) == .exited(0)
    }

    private static func has(_ program: String) -> Bool {
        (try? ServerProcess.run([program, "--version"]).ending) == .exited(0)
    }

    @Test(.enabled(if: has("redis-cli"), "redis-cli is not installed"))
    func `redis-cli`() throws {
        let server = try ServerProcess()
        let cli = ["redis-cli", "-p", "\(server.port)"]
        #expect(try ServerProcess.run(cli + ["SET", "k", "v w"]).output == "OK\n")
        #expect(try ServerProcess.run(cli + ["GET", "k"]).output == "v w\n")
        let failed = try ServerProcess.run(cli + ["-e", "NONSENSE"])
        #expect(failed.ending == .exited(1))
        let piped = try ServerProcess.run(
            cli + ["--pipe"], input: "SET a 1\r\nINCR a\r\nPING\r\n")
        #expect(piped.output.contains("errors: 0, replies: 3"))
        #expect(try ServerProcess.run(cli + ["GET", "a"]).output == "2\n")
    }

    @Test(.enabled(if: has("redis-benchmark"), "redis-benchmark is not installed"))
    func `redis-benchmark`() throws {
        let server = try ServerProcess()
        let finished = try ServerProcess.run([
            "redis-benchmark", "-p", "\(server.port)", "-t", "set,get,incr,mset,ping", "-n", "2000",
            "-P", "4", "-q",
        ])
        #expect(finished.ending == .exited(0))
        for name in ["SET:", "GET:", "INCR:", "MSET (10 keys):", "PING_INLINE:", "PING_MBULK:"] {
            #expect(finished.output.contains(name), "\(finished.output)\(finished.errors)")
        }
        #expect(!finished.output.contains("WARNING"))
    }

    @Test(.enabled(if: hasPython(), "python3-redis is not installed"))
    func `python3-redis`() throws {
        let server = try ServerProcess()
        let script = """
            import redis
            client = redis.Redis(port=\(server.port))
            assert client.ping()
            assert client.set('k', b'\\x00\\xff') and client.get('k') == b'\\x00\\xff'
            assert client.incr('n') == 1
            assert client.config_get('maxclients')['maxclients'] == '10000'
            pipe = client.pipeline(transaction=False)
            for i in range(1000): pipe.set('key%d' % i, i)
            assert all(pipe.execute())
            assert client.get('key999') == b'999'
            try:
                client.execute_command('NONSENSE')
                assert False
            except redis.ResponseError as error:
                assert 'unknown command' in str(error)
            """
        let finished = try ServerProcess.run(["/usr/bin/python3", "-c", script])
        #expect(finished.ending == .exited(0), "\(finished.errors)")
    }

    /// The Python library of Debian speaks RESP2 only, so the handshake is our own.
    @Test func `RESP3 after HELLO`() throws {
        let client = try ServerProcess()
        let connection = try client.connect()
        let greeting = try connection.run("HELLO", "3").elements
        let index = try #require(greeting.firstIndex(of: "proto"))
        #expect(greeting[index + 1] == 3)
        try connection.send(["GET", "nothing"])
        #expect(try connection.read() == .null)
        #expect(try connection.run("CONFIG", "GET", "port") == ["port", .text("\(client.port)")])
    }
}
