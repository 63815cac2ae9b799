import Testing

@testable import Engine

/// What breaks a watch and what does not.
struct ServerTransactionsTests {
    let server = TestServer()

    /// Whether a transaction of `server.client` comes to nothing.
    private func isBroken() -> Bool {
        server.run("MULTI")
        server.run("PING")
        return server.run("EXEC") == .nullArray
    }

    private func prepare() {
        for (key, words) in [
            ("s", ["SET", "s", "1"]), ("l", ["RPUSH", "l", "a", "b"]),
            ("z", ["ZADD", "z", "1", "a"]),
            ("set", ["SADD", "set", "a", "b"]), ("h", ["HSET", "h", "f", "1"]),
            ("ttl", ["SET", "ttl", "1", "EX", "100"]), ("hll", ["PFADD", "hll", "a"]),
            ("st", ["XADD", "st", "1-1", "f", "v"]), ("st", ["XGROUP", "CREATE", "st", "g", "$"]),
            ("st", ["XGROUP", "CREATECONSUMER", "st", "g", "c"]),
        ] {
            _ = server.client.run(words)
            #expect(server.run("EXISTS", key) == 1)
        }
    }

    @Test(arguments: [
        "SET s 1", "APPEND s x", "INCR s", "SETRANGE s 0 x", "SETBIT s 0 1", "GETDEL s", "DEL s",
        "UNLINK s", "EXPIRE s 100", "PERSIST ttl", "GETEX ttl PERSIST", "GETEX s EX 10",
        "RENAME s x", "RENAME l s", "MOVE s 1", "COPY l s REPLACE", "COPY s new", "MSET s 1",
        "LPUSH l x", "LPOP l", "LSET l 0 x", "LTRIM l 0 0", "LREM l 0 a", "LINSERT l BEFORE a x",
        "LMOVE l x LEFT LEFT", "SADD set c", "SREM set a", "SPOP set", "SMOVE set set2 a",
        "SUNIONSTORE s set", "HSET h f 1", "HDEL h f", "HINCRBY h f 1", "ZADD z 2 a",
        "ZINCRBY z 1 a", "ZREM z a", "ZPOPMIN z", "ZRANGESTORE s z 0 -1", "GEOADD z 1 1 b",
        "PFADD hll b", "SORT l ALPHA STORE s", "BITFIELD s SET u8 0 1", "BITOP NOT s s",
        "FLUSHDB", "FLUSHALL", "SWAPDB 0 1", "SET new 1", "EXPIRE s -1", "EXPIREAT s 1",
    ])
    func `a change breaks it`(_ command: String) {
        prepare()
        for key in ["s", "l", "z", "set", "h", "ttl", "hll", "new"] { server.run("WATCH", key) }
        _ = server.connect().run(command.split(separator: " ").map(String.init))
        #expect(isBroken(), "\(command)")
        #expect(!isBroken())
        #expect(server.server.keyspace.interest.isEmpty)
    }

    @Test(arguments: [
        "GET s", "DEL none", "SADD set a", "SREM set none", "HDEL h none", "ZADD z 1 a",
        "ZREM z none",
        "SETNX s 2", "SET s 2 NX", "SET none 2 XX", "EXPIRE none 10", "PERSIST s", "LREM l 0 none",
        "LINSERT l BEFORE none x", "RENAMENX s l", "COPY l s", "MOVE none 1", "HSETNX h f 2",
        "EXPIRE ttl 10 NX", "SWAPDB 2 3", "SMOVE set s2 none", "PFADD hll a", "LPUSHX none a",
        "TOUCH s", "OBJECT ENCODING s", "RANDOMKEY", "SCAN 0", "SET other 1", "INCR l", "LPUSH s x",
        "ZADD z NX 5 a", "GETEX s", "APPEND l x", "LRANGE l 0 -1", "SORT l ALPHA", "DBSIZE",
        "LTRIM l 0 -1", "LTRIM l -100 100", "LTRIM none 1 0", "ZREMRANGEBYRANK z 5 9",
        "ZREMRANGEBYSCORE z 8 9", "ZREMRANGEBYLEX z [x [y", "SPOP none", "SPOP set 0", "LPOP none",
        "LPOP l 0", "RPOP none 3", "ZPOPMIN none", "ZPOPMAX z 0", "GETDEL none", "DELIFEQ s nope",
        "LMPOP 1 none LEFT", "ZMPOP 1 none MIN", "RPOPLPUSH none l", "LMOVE none l LEFT LEFT",
        "HPERSIST h FIELDS 1 f", "HEXPIRE h 10 FIELDS 1 none", "HEXPIRE h 10 XX FIELDS 1 f",
        "HGETDEL h FIELDS 1 none", "HGETEX h FIELDS 1 f", "XDEL st 9-9", "XTRIM st MAXLEN 100",
        "XTRIM st MINID 0", "XACK st g 1-1", "XCLAIM st g c 0 1-1", "XADD none NOMKSTREAM * f v",
        "XGROUP DESTROY st none", "XGROUP DELCONSUMER st g none", "SINTERSTORE none x y",
        "SUNIONSTORE none x", "SDIFFSTORE none x s2", "ZUNIONSTORE none 1 x",
        "ZRANGESTORE none x 0 1",
        "BITOP NOT none x", "SORT x STORE none",
        "GEOSEARCHSTORE none x FROMLONLAT 1 1 BYRADIUS 1 m",
        "MSETNX s 1 x 2", "RENAME s s", "RENAMENX s s", "SMOVE set set a", "ZADD z XX 1 none",
        "ZADD z GT 0 a", "ZADD z INCR 0 a", "EXPIRE ttl 10 GT", "EXPIRE s 10 XX", "PFADD hll",
        "RPUSHX none a", "COPY none s REPLACE", "RESTORE s 0 x", "BITFIELD s GET u8 0",
        "GETRANGE s 0 1",
        "HSETEX h FXX FIELDS 1 none 1", "HSETEX h FNX FIELDS 1 f 2",
        "BITFIELD s OVERFLOW FAIL INCRBY u2 0 9",
        "DEL none none2", "UNLINK none", "FLUSHDB none", "LINSERT none BEFORE a b", "SETNX ttl 1",
    ])
    func `what changes nothing does not break it`(_ command: String) {
        prepare()
        let keys = ["s", "l", "z", "set", "h", "ttl", "hll", "st", "none"]
        for key in keys { server.run("WATCH", key) }
        _ = server.connect().run(command.split(separator: " ").map(String.init))
        #expect(!isBroken(), "\(command)")
    }

    @Test func `one's own change counts, one in another database does not`() {
        server.run("WATCH", "a")
        server.run("SET", "a", "1")
        #expect(isBroken())
        server.run("WATCH", "a")
        let other = server.connect()
        _ = other.run("SELECT", "1")
        _ = other.run("SET", "a", "1")
        #expect(!isBroken())
        server.run("WATCH", "a")
        server.run("SELECT", "1")
        _ = other.run("SET", "a", "2")
        #expect(!isBroken())
    }

    @Test func `UNWATCH, DISCARD and EXEC end it`() {
        let other = server.connect()
        server.run("WATCH", "a")
        _ = other.run("SET", "a", "1")
        #expect(server.run("UNWATCH") == "OK")
        #expect(!isBroken())
        server.run("WATCH", "a")
        server.run("MULTI")
        server.run("DISCARD")
        _ = other.run("SET", "a", "2")
        #expect(!isBroken())
        server.run("WATCH", "a")
        server.run("MULTI")
        #expect(server.run("UNWATCH") == "QUEUED")
        _ = other.run("SET", "a", "3")
        #expect(server.run("EXEC") == .nullArray)
    }

    @Test func `RESP3 has one null`() {
        _ = server.client.run("HELLO", "3")
        server.run("WATCH", "a")
        server.run("SET", "a", "1")
        server.run("MULTI")
        #expect(server.run("EXEC") == .null)
    }

    // MARK: - Expiry

    @Test(arguments: [false, true])
    func `expiry breaks it, met or not`(_ isMet: Bool) {
        server.run("SET", "a", "1", "PX", "10")
        server.run("WATCH", "a")
        server.advance(milliseconds: 11)
        if isMet { server.server.expireDueKeys() }
        #expect(isBroken())
    }

    @Test func `what was over before is missed by nobody`() {
        server.run("SET", "a", "1", "PX", "10")
        server.advance(milliseconds: 11)
        server.run("WATCH", "a")
        server.server.expireDueKeys()
        #expect(!isBroken())
        server.run("SET", "a", "1", "PX", "10")
        server.advance(milliseconds: 11)
        server.run("WATCH", "a")
        server.connect().run("DEL", "a")
        #expect(!isBroken())
        server.run("SET", "a", "1", "PX", "10")
        server.advance(milliseconds: 11)
        server.run("WATCH", "a")
        server.connect().run("SET", "a", "2")
        #expect(isBroken())
    }

    @Test func `a key that is over and comes with SWAPDB is as good as none`() {
        let other = server.connect()
        _ = other.run("SELECT", "1")
        _ = other.run("SET", "a", "1", "PX", "10")
        server.run("WATCH", "a")
        server.advance(milliseconds: 11)
        _ = other.run("SWAPDB", "0", "1")
        #expect(!isBroken())
        _ = other.run("SET", "b", "1")
        server.run("WATCH", "b")
        _ = other.run("SWAPDB", "0", "1")
        #expect(isBroken())
    }

    // MARK: - Against a model

    /// Which keys exist and until when; a change breaks the watches of whoever watches the key.
    private struct Model {
        var keys: [String: Int64] = [:]
        var watches: [Int: Set<String>] = [:]
        var broken: Set<Int> = []

        mutating func touch(_ key: String) {
            for (client, keys) in watches where keys.contains(key) { broken.insert(client) }
        }

        mutating func expire(_ now: Int64) {
            for (key, deadline) in keys where now > deadline {
                keys[key] = nil
                touch(key)
            }
        }

        mutating func exchange(_ names: [String]) {
            for name in names {
                let (first, second) = ("0" + name, "1" + name)
                let (one, other) = (keys[first], keys[second])
                keys[first] = other
                keys[second] = one
                if one == nil && other == nil { continue }
                touch(first)
                touch(second)
            }
        }
    }

    private let names = ["a", "b", "c", "d"]

    private func change(
        _ model: inout Model, _ client: TestClient, _ database: Int, _ random: inout SeededRandom
    ) {
        let name = names[random.below(names.count)]
        let key = "\(database)\(name)"
        switch random.below(9) {
        case 0:
            _ = client.run("SET", name, "1")
            model.keys[key] = .max
            model.touch(key)
        case 1:
            let wait = Int64(random.below(50) + 1)
            _ = client.run("SET", name, "1", "PX", "\(wait)")
            model.keys[key] = server.server.clock.wallMilliseconds + wait
            model.touch(key)
        case 2:
            _ = client.run("DEL", name)
            if model.keys.removeValue(forKey: key) != nil { model.touch(key) }
        case 3:
            _ = client.run("PERSIST", name)
            if let deadline = model.keys[key], deadline != .max {
                model.keys[key] = .max
                model.touch(key)
            }
        case 4:
            _ = client.run("RENAME", name, "a")
            if name != "a", let deadline = model.keys.removeValue(forKey: key) {
                model.keys["\(database)a"] = deadline
                model.touch(key)
                model.touch("\(database)a")
            }
        case 5 where random.below(4) == 0:
            _ = client.run("FLUSHDB")
            for name in names where model.keys.removeValue(forKey: "\(database)\(name)") != nil {
                model.touch("\(database)\(name)")
            }
        case 6 where random.below(4) == 0:
            _ = client.run("SWAPDB", "0", "1")
            model.exchange(names)
        default: _ = client.run("GET", name)
        }
    }

    @Test func `watches break as the model says`() {
        var random = SeededRandom.make()
        var model = Model()
        let clients = (0..<4).map { _ in server.connect() }
        var outcomes: [Bool: Int] = [:]
        for _ in 0..<20_000 {
            let number = random.below(clients.count)
            let client = clients[number]
            let database = random.below(2)
            _ = client.run("SELECT", "\(database)")
            switch random.below(8) {
            case 0, 1:
                let name = names[random.below(names.count)]
                _ = client.run("WATCH", name)
                model.watches[number, default: []].insert("\(database)\(name)")
            case 2:
                server.advance(milliseconds: Int64(random.below(30)))
                model.expire(server.server.clock.wallMilliseconds)
                if random.below(2) == 0 { server.server.expireDueKeys() }
            case 3:
                _ = client.run("MULTI")
                _ = client.run("PING")
                let isBroken = model.broken.remove(number) != nil
                model.watches[number] = nil
                #expect(client.run("EXEC") == (isBroken ? .nullArray : ["PONG"]))
                outcomes[isBroken, default: 0] += 1
            default: change(&model, client, database, &random)
            }
        }
        #expect(outcomes[true] ?? 0 > 100 && outcomes[false] ?? 0 > 100)
    }
}
