/// Keys of every type and encoding, each without a deadline and with one.
struct SampleKeys {
    /// As many as change the encoding where nothing is configured; of their kind few are enough where
    /// `limits` are.
    static let many = SampleKeys(elements: 700)
    static let few = SampleKeys(elements: 12)

    /// Lines of a configuration.
    static let limits = """
        list-max-listpack-size 6
        stream-node-max-entries 6
        hash-max-listpack-entries 8
        set-max-intset-entries 8
        set-max-listpack-entries 8
        zset-max-listpack-entries 8
        """

    let elements: Int

    private static let deadline = "4000000000000"

    /// Commands of Redis 7.0, their words apart.
    private var requests: [[String]] {
        [
            ["SET", "integer", "-9223372036854775808"], ["SET", "short", "text"],
            ["SET", "empty", ""], ["SET", "long", String(repeating: "long ", count: elements)],
            ["SETBIT", "bits", "7777", "1"], ["APPEND", "raw", "grown"],
            ["PFADD", "sparse", "a", "b", "c"], ["PFADD", "dense"] + numbers("element", 5),
            ["RPUSH", "list", "a", "", "-1", "65536"], ["RPUSH", "long list"] + numbers("e"),
            ["RPUSH", "list of long", String(repeating: "x", count: elements * 100), "short"],
            ["SADD", "bytes", "1", "-128", "127"], ["SADD", "words", "1", "40000"],
            ["SADD", "longs", "1", "9223372036854775807"],
            ["SADD", "set", "a", "", "1"], ["SADD", "large set"] + numbers("m"),
            ["SADD", "large integers"] + numbers(""),
            ["HSET", "hash", "a", "1", "", "", "long", String(repeating: "v", count: 60)],
            ["HSET", "large hash"] + numbers("f", 2),
            ["HSET", "hash of long", "f", String(repeating: "v", count: 300)],
            ["ZADD", "ranking", "-inf", "low", "1.5", "a", "1.5", "b", "inf", "high"],
            ["ZADD", "large ranking"]
                + (0..<elements).flatMap { ["\(Double($0) / 8)", "m\($0)"] },
            ["GEOADD", "places", "13.361389", "38.115556", "Palermo"],
        ]
            + (1...max(elements / 5, 9)).map {
                ["XADD", "stream", "\($0)-1", "field", "value \($0)", "other", "v"]
            }
            + [
                ["XDEL", "stream", "3-1", "9-1"], ["XGROUP", "CREATE", "stream", "group", "1-1"],
                ["XREADGROUP", "GROUP", "group", "reader", "COUNT", "4", "STREAMS", "stream", ">"],
                ["XACK", "stream", "group", "4-1"],
                ["XGROUP", "CREATECONSUMER", "stream", "group", "idle"],
                ["XADD", "empty stream", "9-9", "f", "v"],
                ["XTRIM", "empty stream", "MAXLEN", "0"],
            ]
    }

    private func numbers(_ name: String, _ times: Int = 1) -> [String] {
        (0..<elements * times).map { "\(name)\($0)" }
    }

    /// Fields that leave at a moment of their own, which came with Redis 7.4 and Valkey 9.
    private var fieldDeadlines: [[String]] {
        [
            ["HSET", "fields", "a", "1", "b", "2"],
            ["HPEXPIREAT", "fields", Self.deadline, "FIELDS", "1", "a"],
            ["HSET", "many fields"] + numbers("f", 2),
            ["HPEXPIREAT", "many fields", Self.deadline, "FIELDS", "2", "f0", "f2"],
        ]
    }

    /// Puts them into database 0, and one into database 5.
    func fill(_ client: Client, fieldDeadlines: Bool = false) throws {
        let requests = requests + (fieldDeadlines ? self.fieldDeadlines : [])
        try run(requests, client)
        var keys: Set<String> = []
        for words in requests where words[0] != "XGROUP" && words[0] != "XREADGROUP" {
            keys.insert(words[1])
        }
        let copies = keys.sorted().flatMap { key in
            [
                ["COPY", key, "\(key), leaving"], ["PEXPIREAT", "\(key), leaving", Self.deadline],
            ]
        }
        let elsewhere = [["SELECT", "5"], ["SET", "elsewhere", "v"], ["SELECT", "0"]]
        try run(copies + elsewhere, client)
    }

    /// At once, and none may fail.
    private func run(_ requests: [[String]], _ client: Client) throws {
        for words in requests { try client.send(words) }
        for words in requests {
            if case .error(let text) = try client.read() {
                throw Trouble("\(words.prefix(3)): \(text)")
            }
        }
    }
}
