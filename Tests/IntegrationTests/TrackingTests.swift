import Foundation
import Testing

/// Caches that clients keep, in a race of processes.
@Suite struct TrackingTests {
    private static func hasPython() -> Bool {
        (try? ServerProcess.run(["/usr/bin/python3", "--version"]).ending) == .exited(0)
    }

    /// Two processes write ever larger numbers while two others read through caches that only
    /// invalidations empty: no number may go back, and when the writers have ended every cache
    /// holds what the server does.
    @Test(.enabled(if: hasPython(), "python3 is not installed"))
    func `no cache is left with a stale value`() throws {
        for mode in ["", "BCAST", "NOLOOP"] {
            let server = try ServerProcess()
            let script = Self.race
                .replacingOccurrences(of: "PORT", with: "\(server.port)")
                .replacingOccurrences(of: "MODE", with: mode)
            let finished = try ServerProcess.run(["/usr/bin/python3", "-c", script])
            #expect(finished.ending == .exited(0), "\(mode): \(finished.errors)")
        }
    }

    private static let race = """
        import multiprocessing, random, socket, sys, time
        KEYS = ['k%d' % i for i in range(20)]

        class Client:
            def __init__(self):
                self.socket = socket.create_connection(('127.0.0.1', PORT))
                self.file = self.socket.makefile('rb')
                self.cache = {}
                self.run('HELLO', '3')
            def send(self, *words):
                text = '*%d\\r\\n' % len(words)
                for word in words: text += '$%d\\r\\n%s\\r\\n' % (len(word), word)
                self.socket.sendall(text.encode())
            def read(self):
                line = self.file.readline()[:-2]
                mark, rest = line[:1], line[1:]
                if mark in b'+:': return rest
                if mark == b'_': return None
                if mark == b'$': return self.file.read(int(rest) + 2)[:-2]
                if mark in b'*>%~':
                    count = int(rest) * (2 if mark == b'%' else 1)
                    parts = [self.read() for _ in range(count)]
                    return (parts,) if mark == b'>' else parts
                raise Exception(line)
            def run(self, *words):
                self.send(*words)
                while True:
                    reply = self.read()
                    if not isinstance(reply, tuple): return reply
                    assert reply[0][0] == b'invalidate', reply
                    if reply[0][1] is None: self.cache = {}
                    else:
                        for key in reply[0][1]: self.cache.pop(key.decode(), None)

        def write(seed, end):
            client, number = Client(), 0
            while time.time() < end:
                number += 1
                key = KEYS[seed::2][random.randrange(10)]
                client.run('SET', key, str(number))
                if number % 50 == 0: client.run('PEXPIRE', key, '1')

        def read(end):
            client, hits, seen = Client(), 0, {}
            client.run('CLIENT', 'TRACKING', 'ON', *'MODE'.split())
            while time.time() < end or hits == 0:
                key = random.choice(KEYS)
                if key in client.cache and random.random() < 0.9:
                    hits += 1
                    client.run('PING')
                    continue
                value = client.run('GET', key)
                if value is not None:
                    assert int(value) >= seen.get(key, 0), (key, value, seen[key])
                    seen[key] = int(value)
                client.cache[key] = value
            time.sleep(0.3)
            client.run('PING')
            plain = Client()
            for key, value in client.cache.items():
                now = plain.run('GET', key)
                assert now == value, (key, now, value)

        end = time.time() + 2
        jobs = [multiprocessing.Process(target=write, args=(i, end - 0.2)) for i in (0, 1)]
        jobs += [multiprocessing.Process(target=read, args=(end,)) for i in (0, 1)]
        for job in jobs: job.start()
        for job in jobs: job.join()
        sys.exit(any(job.exitcode for job in jobs))
        """
}
