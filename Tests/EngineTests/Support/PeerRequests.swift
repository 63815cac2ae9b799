@testable import Engine

/// Makes random requests whose replies depend neither on time nor on chance, so that any two servers
/// answer alike.
struct PeerRequests {
    /// What commands a run is about.
    enum Family: String, CaseIterable {
        case strings, lists, sets, hashes, sortedSets, bitmaps, sketches, places, streams
    }

    var random: SeededRandom
    let family: Family
    /// What ids of stream entries rise from.
    var rise = 0

    init(random: SeededRandom, family: Family) {
        self.random = random
        self.family = family
    }

    mutating func next() -> [String] {
        if oneIn(12) { return common() }
        switch family {
        case .strings: return string()
        case .lists: return list()
        case .sets: return set()
        case .hashes: return hash()
        case .sortedSets: return oneIn(3) ? sortedSetAlgebra() : sortedSet()
        case .bitmaps: return bitmap()
        case .sketches: return sketch()
        case .places: return place()
        case .streams: return oneIn(2) ? stream() : group()
        }
    }

    // MARK: - Pieces

    mutating func oneIn(_ number: Int) -> Bool { random.below(number) == 0 }

    mutating func pick(_ words: [String]) -> String { words[random.below(words.count)] }

    /// Few keys, so that they meet; one of another family now and then.
    mutating func key() -> String {
        let number = random.below(10)
        if number == 0 && oneIn(3) { return String(repeating: "k", count: 300) }
        if number == 1 && oneIn(4) { return "other" }
        return "k\(number % 5)"
    }

    mutating func some(_ most: Int, _ make: (inout PeerRequests) -> String) -> [String] {
        (0..<1 + random.below(most)).map { _ in make(&self) }
    }

    mutating func keys(_ most: Int = 3) -> [String] { some(most) { $0.key() } }

    /// A count of keys and the keys; the count is wrong now and then.
    mutating func countedKeys() -> [String] {
        let keys = keys()
        let count = oneIn(10) ? integer() : String(keys.count)
        return [count] + keys
    }

    mutating func value() -> String {
        switch random.below(6) {
        case 0: return String(random.below(20_000))
        case 1: return integer()
        case 2: return pick(["", "0", "-0", "3.5", "1e3", " 1", "inf", "nan", "x\u{0}y", "abcab"])
        case 3: return String(repeating: "v", count: 40 + random.below(10))
        case 4: return String(repeating: "w", count: 1700 + random.below(400))
        default: return String(repeating: pick(["ab", "b", "c"]), count: random.below(30))
        }
    }

    /// One of few elements, of all the forms that packed structures tell apart.
    mutating func element() -> String {
        switch random.below(8) {
        case 0: return String(random.below(12))
        case 1: return pick(["-1", "127", "128", "-4097", "70000", "8388608", "4294967296", "007"])
        case 2: return oneIn(4) ? String(repeating: "e", count: 63 + random.below(4)) : ""
        case 3: return pick(["1.5", "-9223372036854775808", "9223372036854775807", " 1", "x\u{0}"])
        default: return pick(["a", "b", "c", "d", "e", "f", "g", "h"]) + pick(["", "", "1", "2"])
        }
    }

    mutating func integer() -> String {
        switch random.below(4) {
        case 0: return String(random.below(20) - 10)
        case 1: return String(Int64(bitPattern: random.next()))
        case 2:
            return pick([
                "9223372036854775807", "-9223372036854775808", "9223372036854775808", "", "x",
                "01", "+1", "4294967296", "-2147483649",
            ])
        default: return String(random.below(3000))
        }
    }

    /// An index or a count: mostly small, seldom wild.
    mutating func index() -> String { oneIn(12) ? integer() : String(random.below(24) - 8) }

    mutating func score() -> String {
        switch random.below(8) {
        case 0: return pick(["inf", "-inf", "+inf", "nan", "1e400", "x", "", "0x10", "-0"])
        case 1: return pick(["0.1", "-2.5", "3.14159", "1e-7", "1e20", "123456789.125", "1e17"])
        case 2: return String(Double(random.below(1_000_000)) / 997)
        default: return String(random.below(12) - 4)
        }
    }

    /// An end of a range of scores.
    mutating func bound() -> String { oneIn(3) ? "(" + score() : score() }

    /// An end of a range of members.
    mutating func memberBound() -> String {
        oneIn(5) ? pick(["-", "+", "", "a", "("]) : pick(["[", "("]) + element()
    }

    /// A moment so far away that nothing expires, in seconds or in milliseconds.
    mutating func moment() -> String { "9\(1000 + random.below(9000))" + "00000000" }

    mutating func options(_ words: [String]) -> [String] {
        (0..<random.below(4)).flatMap { _ in
            let word = pick(words)
            return ["PXAT", "EXAT"].contains(word) ? [word, moment()] : [word]
        }
    }

    mutating func maybe(_ words: String...) -> [String] { oneIn(2) ? words : [] }

    mutating func limit() -> [String] { oneIn(3) ? ["LIMIT", index(), index()] : [] }

    // MARK: - Every type

    mutating func common() -> [String] {
        switch random.below(8) {
        case 0: return [pick(["DEL", "UNLINK", "EXISTS", "TOUCH"]), key(), key()]
        case 1: return [pick(["RENAME", "RENAMENX"]), key(), key()]
        case 2: return ["COPY", key(), key()] + maybe("REPLACE")
        case 3: return ["TYPE", key()]
        case 4: return ["SET", "other", value()]
        case 5: return ["PEXPIREAT", key(), moment()]
        case 6: return ["DEBUG", "DIGEST-VALUE", key()]
        default: return ["DEL", "other"]
        }
    }

    mutating func string() -> [String] {
        let setOptions = ["NX", "XX", "GET", "KEEPTTL", "PXAT", "PXAT", "EX", "PERSIST", "y"]
        switch random.below(31) {
        case 0, 1: return ["SET", key(), value()]
        case 2, 3: return ["SET", key(), value()] + options(setOptions)
        case 4: return ["GET", key()]
        case 5: return ["APPEND", key(), value()]
        case 6: return ["SETRANGE", key(), String(random.below(60) - 3), value()]
        case 7: return ["GETRANGE", key(), integer(), integer()]
        case 8: return ["INCRBY", key(), integer()]
        case 9: return ["DECRBY", key(), integer()]
        case 10: return [pick(["INCR", "DECR", "STRLEN", "GETDEL", "PERSIST"]), key()]
        case 11: return ["INCRBYFLOAT", key(), value()]
        case 12: return ["MSET", key(), value(), key(), value()]
        case 13: return ["MSETNX", key(), value(), key(), value()]
        case 14: return ["MGET", key(), key(), key()]
        case 15: return ["GETEX", key()] + options(["PXAT", "PERSIST", "NX", "EXAT"])
        case 16: return ["GETSET", key(), value()]
        case 17: return ["SETNX", key(), value()]
        case 18: return [pick(["DEL", "UNLINK", "EXISTS", "TOUCH"]), key(), key()]
        case 19: return [pick(["RENAME", "RENAMENX"]), key(), key()]
        case 20: return ["COPY", key(), key()] + options(["REPLACE", "DB"])
        case 21: return [pick(["EXPIRE", "PEXPIRE"]), key(), "x"]
        case 22: return ["PEXPIREAT", key(), moment()] + options(["NX", "XX", "GT", "LT"])
        case 23: return [pick(["EXPIREAT", "PEXPIREAT"]), key(), pick(["1", "-5", "x"])]
        case 24: return [pick(["EXPIRETIME", "PEXPIRETIME", "TYPE"]), key()]
        case 25: return ["OBJECT", pick(["ENCODING", "FREQ", "x"]), key()]
        case 26: return ["LCS", key(), key()] + options(["LEN", "IDX", "WITHMATCHLEN", "y"])
        case 27: return ["MOVE", key(), pick(["0", "99", "x", "-1"])]
        case 28: return ["SETEX", key(), pick(["0", "x", "9223372036854775807"]), value()]
        case 29: return ["SCAN", pick(["x", "-", "0x"])]
        default: return ["SCAN", "0", "COUNT", pick(["0", "x", "-1"])]
        }
    }

    // MARK: - Lists, sets, hashes

    mutating func list() -> [String] {
        let side = ["LEFT", "RIGHT", "left"]
        switch random.below(22) {
        case 0...4: return [pick(["LPUSH", "RPUSH"]), key()] + some(5) { $0.element() }
        case 5: return [pick(["LPUSHX", "RPUSHX"]), key()] + some(3) { $0.element() }
        case 6: return [pick(["RPUSH", "LPUSH"]), key(), value()]
        case 7, 8: return [pick(["LPOP", "RPOP"]), key()]
        case 9: return [pick(["LPOP", "RPOP"]), key(), index()]
        case 10: return ["LLEN", key()]
        case 11, 12: return ["LRANGE", key(), index(), index()]
        case 13: return ["LINDEX", key(), index()]
        case 14: return ["LSET", key(), index(), element()]
        case 15: return ["LINSERT", key(), pick(["BEFORE", "AFTER", "X"]), element(), element()]
        case 16: return ["LREM", key(), index(), element()]
        case 17: return ["LTRIM", key(), pick(["0", "1", "-20", "2"]), index()]
        case 18: return [pick(["LMOVE"]), key(), key(), pick(side), pick(side + ["X"])]
        case 19: return ["RPOPLPUSH", key(), key()]
        case 20:
            // The smallest rank of all, which Redis 7.0 takes, is out of range since.
            let rank = index()
            return ["LPOS", key(), element()]
                + (oneIn(2) && rank != "\(Int64.min)" ? ["RANK", rank] : [])
                + (oneIn(2) ? ["COUNT", index()] : []) + (oneIn(3) ? ["MAXLEN", index()] : [])
        default:
            return ["LMPOP"] + countedKeys() + [pick(side)] + (oneIn(2) ? ["COUNT", index()] : [])
        }
    }

    mutating func set() -> [String] {
        switch random.below(16) {
        case 0...2: return ["SADD", key()] + some(6) { $0.element() }
        case 3: return ["SADD", key()] + some(6) { String($0.random.below(600)) }
        case 4, 5: return ["SREM", key()] + some(3) { $0.element() }
        case 6: return ["SISMEMBER", key(), element()]
        case 7: return ["SMISMEMBER", key()] + some(4) { $0.element() }
        case 8: return ["SCARD", key()]
        case 9: return ["SMEMBERS", key()]
        case 10: return ["SMOVE", key(), key(), element()]
        case 11: return [pick(["SINTER", "SUNION", "SDIFF"])] + keys()
        case 12, 13: return [pick(["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"]), key()] + keys()
        case 14: return ["SINTERCARD"] + countedKeys() + (oneIn(2) ? ["LIMIT", index()] : [])
        default: return [pick(["SPOP", "SRANDMEMBER"]), key(), pick(["x", "0", "100000"])]
        }
    }

    mutating func hash() -> [String] {
        switch random.below(18) {
        case 0...2: return ["HSET", key()] + some(5) { $0.element() } + [element()]
        case 3, 4: return [pick(["HSET", "HMSET"]), key(), element(), value()]
        case 5: return ["HSETNX", key(), element(), value()]
        case 6: return ["HGET", key(), element()]
        case 7: return ["HMGET", key()] + some(4) { $0.element() }
        case 8: return ["HDEL", key()] + some(3) { $0.element() }
        case 9: return [pick(["HLEN", "HKEYS", "HVALS", "HGETALL"]), key()]
        case 10: return [pick(["HEXISTS", "HSTRLEN"]), key(), element()]
        case 11, 12: return ["HINCRBY", key(), element(), integer()]
        case 13, 14: return ["HINCRBYFLOAT", key(), element(), score()]
        case 15: return ["HSET", key(), element(), String(random.below(100))]
        case 16: return ["HRANDFIELD", key(), pick(["x", "0", "100000", ""])]
        default: return ["HGETALL", key()]
        }
    }

    // MARK: - Sorted sets

    /// A set whose scores are all the same: elsewhere ranges of members are undefined.
    private mutating func levelKey() -> String { pick(["level1", "level2"]) }

    mutating func sortedSet() -> [String] {
        let withScores = maybe("WITHSCORES")
        switch random.below(24) {
        case 0...2: return ["ZADD", key()] + some(3) { $0.score() }.flatMap { [$0, element()] }
        case 3: return ["ZADD", levelKey(), "0", element(), "0", element(), "0", element()]
        case 4:
            return ["ZADD", key()] + options(["NX", "XX", "GT", "LT", "CH", "INCR"])
                + [score(), element()]
        case 5: return ["ZINCRBY", key(), score(), element()]
        case 6: return ["ZREM", key()] + some(2) { $0.element() }
        case 7: return [pick(["ZSCORE", "ZRANK", "ZREVRANK"]), key(), element()]
        case 8: return ["ZMSCORE", key()] + some(3) { $0.element() }
        case 9: return ["ZCARD", key()]
        case 10: return ["ZCOUNT", key(), bound(), bound()]
        case 11: return ["ZLEXCOUNT", levelKey(), memberBound(), memberBound()]
        case 12: return ["ZRANGE", key(), index(), index()] + maybe("REV") + withScores
        case 13:
            return ["ZRANGE", key(), bound(), bound(), "BYSCORE"] + maybe("REV") + limit()
                + withScores
        case 14:
            return ["ZRANGE", levelKey(), memberBound(), memberBound(), "BYLEX"] + maybe("REV")
                + limit()
        case 15: return ["ZREVRANGE", key(), index(), index()] + withScores
        case 16:
            return [pick(["ZRANGEBYSCORE", "ZREVRANGEBYSCORE"]), key(), bound(), bound()]
                + withScores + limit()
        case 17:
            return [pick(["ZRANGEBYLEX", "ZREVRANGEBYLEX"]), levelKey(), memberBound()]
                + [memberBound()] + limit()
        case 18: return ["ZREMRANGEBYRANK", key(), index(), index()]
        case 19: return ["ZREMRANGEBYSCORE", key(), bound(), bound()]
        case 20: return ["ZREMRANGEBYLEX", levelKey(), memberBound(), memberBound()]
        case 21: return [pick(["ZPOPMIN", "ZPOPMAX"]), key()] + (oneIn(2) ? [index()] : [])
        case 22:
            return ["ZMPOP"] + countedKeys() + [pick(["MIN", "MAX", "X"])]
                + (oneIn(2) ? ["COUNT", index()] : [])
        default:
            return ["ZRANGESTORE", key(), key(), bound(), bound()]
                + (oneIn(3) ? [] : ["BYSCORE"]) + limit()
        }
    }

    mutating func sortedSetAlgebra() -> [String] {
        var tail: [String] = []
        if oneIn(3) { tail += ["WEIGHTS"] + some(3) { $0.score() } }
        if oneIn(3) { tail += ["AGGREGATE", pick(["SUM", "MIN", "MAX", "X"])] }
        switch random.below(6) {
        case 0: return [pick(["ZUNION", "ZINTER"])] + countedKeys() + tail + maybe("WITHSCORES")
        case 1: return ["ZDIFF"] + countedKeys() + maybe("WITHSCORES")
        case 2: return ["ZDIFFSTORE", key()] + countedKeys()
        case 3: return ["ZINTERCARD"] + countedKeys() + (oneIn(2) ? ["LIMIT", index()] : [])
        case 4: return ["SADD", "other"] + some(4) { $0.element() }
        default: return [pick(["ZUNIONSTORE", "ZINTERSTORE"]), key()] + countedKeys() + tail
        }
    }

    // MARK: - Bits, sketches, places

    mutating func bitmap() -> [String] {
        let unit = oneIn(2) ? [pick(["BYTE", "BIT", "X"])] : []
        switch random.below(12) {
        case 0, 1: return ["SETBIT", key(), String(random.below(400)), pick(["0", "1", "1", "2"])]
        case 2: return ["GETBIT", key(), oneIn(5) ? integer() : String(random.below(400))]
        case 3: return ["BITCOUNT", key()]
        case 4: return ["BITCOUNT", key(), index(), index()] + unit
        case 5: return ["BITPOS", key(), pick(["0", "1", "2", "x"])]
        case 6: return ["BITPOS", key(), pick(["0", "1"]), index()]
        case 7: return ["BITPOS", key(), pick(["0", "1"]), index(), index()] + unit
        case 8: return ["BITOP", pick(["AND", "OR", "XOR", "NOT", "X"]), key()] + keys()
        case 9: return ["SET", key(), value()]
        case 10: return ["GET", key()]
        default:
            return [oneIn(5) ? "BITFIELD_RO" : "BITFIELD", key()]
                + (0..<1 + random.below(3)).flatMap { _ in bitFieldStep() }
        }
    }

    private mutating func bitFieldStep() -> [String] {
        let bits = oneIn(9) ? pick(["0", "64", "65", "x"]) : String(1 + random.below(63))
        let encoding = pick(["u", "i"]) + bits
        // No extremes after "#": Redis lets its product of number and width overflow.
        let number = String(random.below(60))
        let offset = oneIn(3) ? "#" + number : oneIn(15) ? integer() : number
        switch random.below(4) {
        case 0: return ["GET", encoding, offset]
        case 1: return ["SET", encoding, offset, integer()]
        case 2: return ["INCRBY", encoding, offset, integer()]
        default: return ["OVERFLOW", pick(["WRAP", "SAT", "FAIL", "X"])]
        }
    }

    mutating func sketch() -> [String] {
        switch random.below(8) {
        case 0...2: return ["PFADD", key()] + some(8) { String($0.random.below(5000)) }
        case 3: return ["PFADD", key()] + (oneIn(3) ? [] : some(400) { String($0.random.next()) })
        case 4: return ["PFCOUNT"] + keys()
        case 5: return ["PFMERGE", key()] + keys()
        case 6: return ["GETRANGE", key(), "0", "200"]
        default: return ["STRLEN", key()]
        }
    }

    /// A longitude and a latitude, at most one of them out of the way: the order of members at the
    /// same place is nobody's promise.
    private mutating func point() -> [String] {
        let longitude = String(Double(random.below(360_000)) / 1000 - 180)
        let latitude = String(Double(random.below(170_000)) / 1000 - 85)
        guard oneIn(10) else { return [longitude, latitude] }
        return oneIn(2) ? [score(), latitude] : [longitude, score()]
    }

    private mutating func radius() -> String {
        oneIn(10) ? score() : String(random.below(8000))
    }

    mutating func place() -> [String] {
        let unit = pick(["m", "km", "km", "KM", "ft", "mi", "x"])
        let center =
            oneIn(2) ? ["FROMMEMBER", element()] : ["FROMLONLAT"] + point()
        let shape =
            oneIn(2) ? ["BYRADIUS", radius(), unit] : ["BYBOX", radius(), radius(), unit]
        let order = [pick(["ASC", "DESC"])] + (oneIn(3) ? ["COUNT", index()] : [])
        let with = maybe("WITHDIST") + maybe("WITHCOORD") + maybe("WITHHASH")
        switch random.below(11) {
        case 0...2:
            return ["GEOADD", key()] + (oneIn(5) ? options(["NX", "XX", "CH"]) : [])
                + (0..<1 + random.below(4)).flatMap { _ in point() + [element()] }
        case 3: return ["GEODIST", key(), element(), element()] + (oneIn(2) ? [unit] : [])
        case 4: return [pick(["GEOHASH", "GEOPOS"]), key()] + some(3) { $0.element() }
        case 5, 6: return ["GEOSEARCH", key()] + center + shape + order + with
        case 7:
            // Distances read as places would all lie at nearly the same one.
            guard oneIn(2) else {
                return ["GEOSEARCHSTORE", key(), key()] + center + shape + order
            }
            return ["GEOSEARCHSTORE", "distances", key()] + center + shape + order + ["STOREDIST"]
        case 8:
            return [pick(["GEORADIUS", "GEORADIUS_RO"]), key()] + point()
                + [radius(), unit] + order + with
        case 9:
            return [pick(["GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO"]), key(), element()]
                + [radius(), unit] + order + with
        default: return ["ZRANGE", oneIn(3) ? "distances" : key(), "0", "-1", "WITHSCORES"]
        }
    }
}
