@testable import Engine

/// Keys of every type and form, for tests that throw all commands at them.
enum SampleData {
    /// What makes the data, one value of each form of each type.
    static let requests = [
        "SET string text", "SET integer 41", "SET heap \(String(repeating: "h", count: 2000))",
        "SETBIT bits 77 1", "PFADD sketch a b c", "PFADD sketch2 c d e",
        "RPUSH list a b c 1 2 3", "RPUSH longlist \(words("element", 400))",
        "SADD intset 1 2 3 7", "SADD set a b c 1", "SADD bigset \(words("m", 12))",
        "HSET hash f1 v f2 2 f3 1.5", "HSET bighash \(words("f", 12, " 1"))",
        "HSET expiring f1 v f2 2", "HPEXPIREAT expiring 2000000000000 FIELDS 1 f1",
        "ZADD ranking 1 a 2 b 2.5 c", "ZADD bigranking \(scored(12))",
        "GEOADD places 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
        "XADD stream 1-1 f1 a f2 b", "XADD stream 2-1 f1 c f2 7", "XADD stream 3-1 f3 d",
        "XGROUP CREATE stream a 0", "XREADGROUP GROUP a b COUNT 2 STREAMS stream >",
        "SET passing away PXAT 2000000000000",
    ].map { $0.split(separator: " ").map { Array($0.utf8) } }

    /// Which keys suit the commands of a group.
    static let keys: [CommandGroup: [String]] = [
        .string: ["string", "integer", "heap", "passing", "absent"],
        .list: ["list", "longlist", "absent", "absent2"],
        .set: ["intset", "set", "bigset", "absent"],
        .hash: ["hash", "bighash", "expiring", "absent"],
        .sortedSet: ["ranking", "bigranking", "absent"],
        .geo: ["places", "ranking", "absent"],
        .hyperLogLog: ["sketch", "sketch2", "string", "absent"],
        .stream: ["stream", "absent"],
        .bitmap: ["bits", "heap", "integer", "absent"],
    ]

    private static func words(_ name: String, _ count: Int, _ tail: String = "") -> String {
        (0..<count).map { "\(name)\($0)\(tail)" }.joined(separator: " ")
    }

    private static func scored(_ count: Int) -> String {
        (0..<count).map { "\($0) m\($0)" }.joined(separator: " ")
    }

    /// Small limits, so that a dozen elements have the large form, and no string can be long.
    static let configuration = """
        enable-debug-command yes
        proto-max-bulk-len 1mb
        set-max-intset-entries 8
        set-max-listpack-entries 8
        hash-max-listpack-entries 8
        zset-max-listpack-entries 8
        """
}
