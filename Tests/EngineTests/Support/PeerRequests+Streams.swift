@testable import Engine

/// Requests on streams and their groups whose replies tell no time.
extension PeerRequests {
    private mutating func id() -> String {
        switch random.below(12) {
        case 0: return String(random.below(60))
        case 1:
            return pick([
                "0", "0-0", "-", "+", "$", ">", "(5", "x", "", "1-", "-1", "1--1", "007-3", "+5-1",
                " 5-2", "18446744073709551615-18446744073709551615", "18446744073709551616", "5-x",
                "5-*", "(0-0", "(-", "(18446744073709551615-18446744073709551615",
            ])
        default: return "\(random.below(60))-\(random.below(4))"
        }
    }

    /// An id that rises, so that most entries can be added.
    private mutating func newID() -> String {
        if oneIn(4) { return id() }
        rise += random.below(3)
        return oneIn(2) ? "\(rise / 10)-\(rise % 10)" : "\(rise / 10)-*"
    }

    private mutating func idBound(_ all: String) -> String {
        oneIn(2) ? all : (oneIn(3) ? "(" : "") + id()
    }

    private mutating func groupName() -> String { pick(["g", "g", "h", "", "none"]) }

    private mutating func consumerName() -> String { pick(["a", "b", "c", ""]) }

    private mutating func count() -> [String] {
        oneIn(2) ? ["COUNT", pick(["0", "1", "2", "5", "-1", "x", "100"])] : []
    }

    private mutating func trimming() -> [String] {
        [pick(["MAXLEN", "MINID", "maxlen"])] + (oneIn(2) ? [pick(["~", "="])] : [])
            + [oneIn(4) ? id() : String(random.below(40))]
            + (oneIn(5) ? ["LIMIT", pick(["0", "5", "-1", "x"])] : [])
    }

    private mutating func pairs() -> [String] {
        let names = pick(["a b c", "a b c", "x y 12"]).split(separator: " ").map(String.init)
        return (0..<1 + random.below(3)).flatMap { [names[$0], value()] }
    }

    mutating func stream() -> [String] {
        switch random.below(18) {
        case 0...8:
            return ["XADD", key()] + (oneIn(10) ? ["NOMKSTREAM"] : [])
                + (oneIn(5) ? trimming() : []) + [newID()] + pairs() + (oneIn(40) ? ["odd"] : [])
        case 9: return ["XLEN", key()]
        case 10: return ["XRANGE", key(), idBound("-"), idBound("+")] + count()
        case 11: return ["XREVRANGE", key(), idBound("+"), idBound("-")] + count()
        case 12: return ["XDEL", key()] + some(3) { $0.id() }
        case 13: return ["XTRIM", key()] + trimming()
        case 14:
            return ["XSETID", key(), id()]
                + (oneIn(3) ? ["ENTRIESADDED", pick(["5", "-1", "100", "x"])] : [])
                + (oneIn(3) ? ["MAXDELETEDID", id()] : [])
        case 15: return ["XREAD"] + count() + ["STREAMS", key(), pick(["0", "5", "$", "x"])]
        case 16: return ["XREAD"] + count() + ["STREAMS", key(), key(), "0", "20-1"]
        default: return ["CONFIG", "SET", "stream-node-max-entries", pick(["0", "1", "3", "100"])]
        }
    }

    // Redis 7.0 makes no consumer where there is nothing to read, and tells a lag that is not what
    // waits: XINFO GROUPS and XGROUP CREATECONSUMER are compared elsewhere.
    mutating func group() -> [String] {
        switch random.below(16) {
        case 0, 1:
            return ["XGROUP", "CREATE", key(), groupName(), pick(["0", "$", "5-1", "x"])]
                + maybe("MKSTREAM")
                + (oneIn(5) ? ["ENTRIESREAD", pick(["1", "-1", "-2", "x"])] : [])
        case 2...6:
            return ["XREADGROUP", "GROUP", groupName(), consumerName()] + count()
                + (oneIn(5) ? ["NOACK"] : [])
                + ["STREAMS", key(), oneIn(4) ? id() : ">"]
        case 7: return ["XACK", key(), groupName()] + some(4) { $0.id() }
        case 9:
            // LASTID beside a single id means a delivery here, which counts as read.
            let lastID = oneIn(8) ? [id(), "LASTID", id()] : []
            return ["XCLAIM", key(), groupName(), consumerName()] + [
                pick(["0", "0", "100000", "x"])
            ]
                + lastID.prefix(1)
                + some(3) { $0.id() } + (oneIn(4) ? ["FORCE"] : []) + maybe("JUSTID")
                + (oneIn(4) ? ["TIME", "1000"] : []) + (oneIn(5) ? ["RETRYCOUNT", "3"] : [])
                + lastID.dropFirst()
        case 10:
            return ["XAUTOCLAIM", key(), groupName(), consumerName()]
                + [pick(["0", "0", "100000", "x"]), idBound("-")] + count() + maybe("JUSTID")
        case 11:
            return ["XGROUP", "SETID", key(), groupName(), oneIn(2) ? id() : "$"]
                + (oneIn(3) ? ["ENTRIESREAD", pick(["1", "-1", "-2", "x"])] : [])
        case 12, 13:
            return oneIn(4)
                ? ["XGROUP", "DESTROY", key(), groupName()]
                : ["XGROUP", "DELCONSUMER", key(), groupName(), consumerName()]
        default: return ["XPENDING", key(), groupName()]
        }
    }
}
