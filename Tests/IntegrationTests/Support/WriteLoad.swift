/// Writes of all types, at random, on few keys, so that they meet: what a replica has to repeat.
///
/// Nothing but commands of Redis 7.0, and among them all whose effect is told in other words than theirs:
/// what depends on the time, on chance, or on somebody who waits. Scores are such as all versions write
/// with the same digits, which go into the digest. FLUSHALL is missing, because it ends a snapshot that
/// is on its way.
struct WriteLoad {
    private var random: SeededRandom
    /// Of the streams whose entries are named here and not by the server.
    private var entry = 0

    init(_ random: SeededRandom) { self.random = random }

    // MARK: - Running

    /// Sends some `count` requests, a batch at a time, with somebody waiting for keys at the same time.
    mutating func run(_ count: Int, on client: Client, waiter: Client) throws {
        for _ in 0..<max(1, count / Self.batchSize) {
            try waiter.send(blocking())
            try client.run(pipeline: batch())
            _ = try waiter.read()
        }
    }

    private static let batchSize = 50

    /// Requests of which some stand in transactions; the first ones serve who waits.
    private mutating func batch() -> [[String]] {
        var requests = [
            ["SELECT", "0"], ["RPUSH", "q:l", member(), member()],
            ["ZADD", "q:z", "\(random.below(100))", member()],
        ]
        while requests.count < Self.batchSize {
            if random.below(8) == 0 { requests.append(["SELECT", "\(random.below(3))"]) }
            guard random.below(10) == 0 else {
                requests.append(next())
                continue
            }
            requests.append(["MULTI"])
            for _ in 0..<random.below(5) { requests.append(next()) }
            requests.append([random.below(8) == 0 ? "DISCARD" : "EXEC"])
        }
        return requests
    }

    /// A request that waits a moment at most.
    private mutating func blocking() -> [String] {
        switch random.below(6) {
        case 0: ["BLPOP", "q:none", "q:l", "0.02"]
        case 1: ["BRPOPLPUSH", "q:l", "l:0", "0.02"]
        case 2: ["BLMOVE", "q:l", "l:1", "LEFT", "RIGHT", "0.02"]
        case 3: ["BLMPOP", "0.02", "2", "q:none", "q:l", "RIGHT", "COUNT", "5"]
        case 4: ["BZPOPMIN", "q:none", "q:z", "0.02"]
        default: ["BZMPOP", "0.02", "1", "q:z", "MAX", "COUNT", "2"]
        }
    }

    // MARK: - Single requests

    private mutating func next() -> [String] {
        switch random.below(24) {
        case 0...4: string()
        case 5...7: list()
        case 8...10: set()
        case 11...13: hash()
        case 14...17: sortedSet()
        case 18...20: stream()
        case 21: bits()
        default: any()
        }
    }

    private mutating func key(_ type: String) -> String { "\(type):\(random.below(6))" }

    private mutating func member() -> String {
        switch random.below(12) {
        case 0: "\(random.below(100))"
        case 1: String(repeating: "x", count: 60 * random.below(4)) + "\(random.below(20))"
        case 2: "é\r\n\0 \(random.below(50))"
        default: "m\(random.below(120))"
        }
    }

    private mutating func number() -> String { "\(random.below(200) - 100)" }

    private mutating func string() -> [String] {
        let key = key("s")
        switch random.below(20) {
        case 0: return ["SET", key, member(), "PX", "\(1 + random.below(60))"]
        case 1: return ["SET", key, member(), "EX", "\(1000 + random.below(100))", "GET"]
        case 2: return ["SETEX", key, "\(1000 + random.below(100))", member()]
        case 3: return ["SET", key, member(), "KEEPTTL"]
        case 4: return ["APPEND", key, member()]
        case 5: return ["SETRANGE", key, "\(random.below(60))", member()]
        case 6: return ["GETDEL", key]
        case 7: return ["GETEX", key, "PX", "\(1 + random.below(60))"]
        case 8: return ["GETEX", key, "PERSIST"]
        case 9: return ["GETSET", key, member()]
        case 10: return ["INCRBYFLOAT", "n:\(random.below(3))", "0.1"]
        case 11: return ["INCRBY", "i:\(random.below(3))", number()]
        case 12: return ["MSET", key, member(), self.key("s"), member()]
        case 13: return ["SETNX", key, member()]
        case 14: return ["PEXPIRE", key, "\(random.below(60))", "NX"]
        case 15: return ["EXPIRE", key, "\(random.below(2000) - 10)", "GT"]
        case 16: return ["PFADD", self.key("p"), member(), member()]
        case 17: return ["PFMERGE", self.key("p"), self.key("p")]
        case 18: return ["PFCOUNT", self.key("p")]
        default: return ["SET", key, member()]
        }
    }

    private mutating func list() -> [String] {
        let key = key("l")
        switch random.below(11) {
        case 0: return ["LPOP", key, "\(random.below(4))"]
        case 1: return ["RPOP", key]
        case 2: return ["LMOVE", key, self.key("l"), "LEFT", "RIGHT"]
        case 3:
            return ["LMPOP", "2", key, self.key("l"), "RIGHT", "COUNT", "\(1 + random.below(9))"]
        case 4: return ["LINSERT", key, "BEFORE", member(), member()]
        case 5: return ["LREM", key, "\(random.below(5) - 2)", member()]
        case 6: return ["LSET", key, "\(random.below(10) - 5)", member()]
        case 7: return ["LTRIM", key, "\(random.below(4))", "60"]
        case 8: return ["LPUSH", key, member()]
        case 9: return ["SORT", key, "ALPHA", "DESC", "STORE", self.key("l")]
        default: return ["RPUSH", key, member(), member(), member()]
        }
    }

    private mutating func set() -> [String] {
        let key = key("t")
        switch random.below(10) {
        case 0: return ["SPOP", key]
        case 1: return ["SPOP", key, "\(random.below(6))"]
        case 2: return ["SPOP", key, "1000"]
        case 3: return ["SMOVE", key, self.key("t"), member()]
        case 4: return ["SREM", key, member(), member()]
        case 5: return ["SUNIONSTORE", key, self.key("t"), self.key("t")]
        case 6: return ["SINTERSTORE", key, self.key("t"), self.key("t")]
        case 7: return ["SADD", key, number(), number()]
        default: return ["SADD", key, member(), member(), member()]
        }
    }

    private mutating func hash() -> [String] {
        let key = key("h")
        switch random.below(8) {
        case 0: return ["HDEL", key, member(), member()]
        case 1: return ["HINCRBY", key, "i", number()]
        case 2: return ["HINCRBYFLOAT", key, "f", "0.7"]
        case 3: return ["HSETNX", key, member(), member()]
        default: return ["HSET", key, member(), member(), member(), member()]
        }
    }

    private mutating func sortedSet() -> [String] {
        let key = key("z")
        switch random.below(14) {
        case 0: return ["ZPOPMIN", key]
        case 1: return ["ZPOPMAX", key, "2"]
        case 2: return ["ZMPOP", "2", key, self.key("z"), "MIN", "COUNT", "3"]
        case 3: return ["ZINCRBY", key, "0.5", member()]
        case 4: return ["ZREM", key, member()]
        case 5: return ["ZREMRANGEBYRANK", key, "0", "\(random.below(3))"]
        case 6: return ["ZUNIONSTORE", key, "2", self.key("z"), self.key("t"), "WEIGHTS", "2", "3"]
        case 7: return ["ZRANGESTORE", key, self.key("z"), "0", "40"]
        case 8: return ["ZADD", key, "GT", "CH", "INCR", number(), member()]
        case 9: return ["GEOADD", self.key("g"), "13.\(random.below(99))", "38.1", member()]
        case 10:
            return [
                "GEOSEARCHSTORE", self.key("g"), self.key("g"), "FROMLONLAT", "13.5", "38",
                "BYRADIUS", "30", "km", "ASC", "COUNT", "20",
            ]
        default: return ["ZADD", key, number(), member(), "\(random.below(9)).25", member()]
        }
    }

    private mutating func stream() -> [String] {
        let (key, group, consumer) = (key("x"), "g\(random.below(2))", "c\(random.below(3))")
        let named = "\(max(1, entry - random.below(30)))-1"
        switch random.below(16) {
        case 0: return ["XGROUP", "CREATE", key, group, "0", "MKSTREAM"]
        case 1: return ["XGROUP", "DELCONSUMER", key, group, consumer]
        case 2: return ["XGROUP", "SETID", key, group, "$"]
        case 3: return ["XADD", key, "MAXLEN", "~", "50", "*", "f", member()]
        case 4: return ["XTRIM", key, "MAXLEN", "~", "20", "LIMIT", "10"]
        case 5: return ["XDEL", "y:0", named]
        case 6: return ["XACK", "y:0", group, named]
        case 7: return ["XCLAIM", "y:0", group, consumer, "0", named, "RETRYCOUNT", "3"]
        case 8: return ["XAUTOCLAIM", key, group, consumer, "0", "0", "COUNT", "5"]
        case 9: return ["XREADGROUP", "GROUP", group, consumer, "NOACK", "STREAMS", key, ">"]
        case 10, 11:
            return [
                "XREADGROUP", "GROUP", group, consumer, "COUNT", "4", "STREAMS", key, "y:0", ">",
                ">",
            ]
        case 12:
            entry += 1
            return ["XADD", "y:0", "MINID", "=", "\(max(0, entry - 80))", "\(entry)-1", "f", "v"]
        case 13: return ["XGROUP", "CREATE", "y:0", group, "0", "MKSTREAM"]
        default: return ["XADD", key, "MAXLEN", "200", "*", "f", member(), member(), member()]
        }
    }

    private mutating func bits() -> [String] {
        let key = key("b")
        switch random.below(4) {
        case 0: return ["BITOP", "XOR", key, self.key("b"), self.key("s")]
        case 1:
            return ["BITFIELD", key, "SET", "u8", "#\(random.below(20))", "\(random.below(256))"]
        default: return ["SETBIT", key, "\(random.below(900))", "\(random.below(2))"]
        }
    }

    private mutating func any() -> [String] {
        let type = ["s", "l", "t", "h", "z", "x", "b", "p", "g"][random.below(9)]
        let key = key(type)
        switch random.below(40) {
        case 0...4: return ["DEL", key]
        case 5, 6: return ["UNLINK", key, self.key(type)]
        case 7...9: return ["PEXPIRE", key, "\(random.below(80))"]
        case 10: return ["PEXPIREAT", key, "1"]
        case 11...13: return ["EXPIRE", key, "\(1000 + random.below(100))"]
        case 14...16: return ["PERSIST", key]
        case 17...20: return ["COPY", key, self.key(type), "REPLACE"]
        case 21...23: return ["RENAME", key, self.key(type)]
        case 24...26: return ["MOVE", key, "\(random.below(3))"]
        case 27...30: return ["PUBLISH", "channel", member()]
        case 31: return ["SWAPDB", "1", "2"]
        case 32 where random.below(10) == 0: return ["FLUSHDB"]
        default: return ["GET", key]
        }
    }
}
