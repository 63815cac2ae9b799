import Foundation
import Testing

/// Several real clients at once: transactions that race, messages, and a subscriber that sleeps.
@Suite struct SharedClientsTests {
    private static func hasPython() -> Bool {
        (try? ServerProcess.run(["/usr/bin/python3", "-c", "import redis"]).ending) == .exited(0)
    }

    private func run(_ script: String) throws {
        let finished = try ServerProcess.run(["/usr/bin/python3", "-c", script])
        #expect(finished.ending == .exited(0), "\(finished.output)\(finished.errors)")
    }

    @Test(.enabled(if: hasPython(), "python3-redis is not installed"))
    func `eight processes lose no increment`() throws {
        let server = try ServerProcess()
        try run(
            """
            import multiprocessing, redis
            def work(_):
                client = redis.Redis(port=\(server.port))
                retries = 0
                for _ in range(100):
                    with client.pipeline() as pipe:
                        while True:
                            try:
                                pipe.watch('counter')
                                value = int(pipe.get('counter') or 0)
                                pipe.multi()
                                pipe.set('counter', value + 1)
                                pipe.rpush('log', value)
                                pipe.execute()
                                break
                            except redis.WatchError:
                                retries += 1
                return retries
            with multiprocessing.Pool(8) as pool:
                retries = sum(pool.map(work, range(8)))
            client = redis.Redis(port=\(server.port))
            assert client.get('counter') == b'800', client.get('counter')
            assert client.lrange('log', 0, -1) == [b'%d' % i for i in range(800)]
            assert retries > 0, 'nobody met anybody'
            """)
    }

    @Test(.enabled(if: hasPython(), "python3-redis is not installed"))
    func `python3-redis publishes and listens`() throws {
        let server = try ServerProcess()
        try run(
            """
            import redis
            client = redis.Redis(port=\(server.port))
            client.config_set('notify-keyspace-events', 'KEA')
            listener = client.pubsub()
            listener.subscribe('news')
            listener.psubscribe('n*', '__keyevent@0__:*')
            assert [listener.get_message(timeout=5)['type'] for _ in range(3)] == [
                'subscribe', 'psubscribe', 'psubscribe']
            assert client.publish('news', b'\\x00\\xff') == 2
            first, second = listener.get_message(timeout=5), listener.get_message(timeout=5)
            assert (first['type'], first['data']) == ('message', b'\\x00\\xff'), first
            assert (second['type'], second['pattern']) == ('pmessage', b'n*'), second
            client.set('k', 'v')
            event = listener.get_message(timeout=5)
            assert (event['channel'], event['data']) == (b'__keyevent@0__:set', b'k'), event
            assert client.pubsub_numsub('news', 'x') == [(b'news', 1), (b'x', 0)]
            assert client.pubsub_numpat() == 2
            listener.unsubscribe()
            listener.punsubscribe()
            assert [listener.get_message(timeout=5)['type'] for _ in range(3)] == [
                'unsubscribe', 'punsubscribe', 'punsubscribe']
            assert client.publish('news', 'x') == 0
            """)
    }

    @Test(.enabled(if: hasPython(), "python3-redis is not installed"))
    func `a subscriber that sleeps is cut off`() throws {
        let server = try ServerProcess("client-output-buffer-limit pubsub 1mb 0 0")
        try run(
            """
            import redis, socket
            client = redis.Redis(port=\(server.port))
            slow = socket.socket()
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(('127.0.0.1', \(server.port)))
            slow.sendall(b'SUBSCRIBE news\\r\\n')
            assert slow.recv(100).startswith(b'*3')
            quick = client.pubsub()
            quick.subscribe('news')
            assert quick.get_message(timeout=5)['type'] == 'subscribe'
            text, rounds = b'x' * 10000, 0
            while client.publish('news', text) == 2:
                assert quick.get_message(timeout=5)['data'] == text
                rounds += 1
                assert rounds < 5000, 'the slow one is still there'
            assert rounds > 20
            assert quick.get_message(timeout=5)['data'] == text
            assert client.info('stats')['client_output_buffer_limit_disconnections'] == 1
            assert client.info('memory')['used_memory'] < 5000000
            """)
    }
}
