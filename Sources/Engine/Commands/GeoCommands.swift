/// Commands of the documented group "geo": places as members of a sorted set.
///
/// The score of a member is the hash of its place, so that everything ZSET works on it too; a score
/// that was not made here is read as some place or other.
enum GeoCommands {
    // swift-format-ignore
    static var table: [Command] { placeRows + searchRows }

    // swift-format-ignore
    private static var placeRows: [Command] {
        [
            Command(
                "GEOADD", .atLeast(5), [.write, .denyOOM], group: .geo,
                keys: [.at(1, .readWrite, [.update])], since: "3.2.0",
                "Adds members with their places; creates the set when missing.",
                syntax: "key [NX | XX] [CH] longitude latitude member "
                    + "[longitude latitude member ...]", geoadd),
            Command(
                "GEODIST", .atLeast(4), [.readOnly], group: .geo,
                keys: [.at(1, .readOnly, [.access])], since: "3.2.0",
                "Returns the distance between two members.",
                syntax: "key member1 member2 [M | KM | FT | MI]", geodist),
            Command(
                "GEOHASH", .atLeast(2), [.readOnly], group: .geo,
                keys: [.at(1, .readOnly, [.access])], since: "3.2.0",
                "Returns the places of members as geohash strings.",
                syntax: "key [member [member ...]]", geohash),
            Command(
                "GEOPOS", .atLeast(2), [.readOnly], group: .geo,
                keys: [.at(1, .readOnly, [.access])], since: "3.2.0",
                "Returns the longitudes and latitudes of members.",
                syntax: "key [member [member ...]]", geopos),
        ]
    }

    private static let options =
        "[WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]"
    private static let storing = " [STORE key | STOREDIST key]"

    // swift-format-ignore
    private static var searchRows: [Command] {
        [
            Command(
                "GEORADIUS", .atLeast(6), [.write, .denyOOM], group: .geo,
                keys: [.at(1, .readOnly, [.access])] + storeKeys(from: 6), keyFinder: radiusKeys(from: 6),
                since: "3.2.0", "Finds the members within a distance of a place.",
                syntax: "key longitude latitude radius <M | KM | FT | MI> " + options + storing,
                deprecated: ("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument"),
                georadius),
            Command(
                "GEORADIUSBYMEMBER", .atLeast(5), [.write, .denyOOM], group: .geo,
                keys: [.at(1, .readOnly, [.access])] + storeKeys(from: 5), keyFinder: radiusKeys(from: 5),
                since: "3.2.0", "Finds the members within a distance of a member.",
                syntax: "key member radius <M | KM | FT | MI> " + options + storing,
                deprecated: ("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` "
                    + "and `FROMMEMBER` arguments"), georadiusbymember),
            Command(
                "GEORADIUSBYMEMBER_RO", .atLeast(5), [.readOnly], group: .geo,
                keys: [.at(1, .readOnly, [.access])], since: "3.2.10",
                "Finds the members within a distance of a member, without storing them.",
                syntax: "key member radius <M | KM | FT | MI> " + options,
                deprecated: ("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments"),
                georadiusbymemberReadOnly),
            Command(
                "GEORADIUS_RO", .atLeast(6), [.readOnly], group: .geo,
                keys: [.at(1, .readOnly, [.access])], since: "3.2.10",
                "Finds the members within a distance of a place, without storing them.",
                syntax: "key longitude latitude radius <M | KM | FT | MI> " + options,
                deprecated: ("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument"),
                georadiusReadOnly),
            Command(
                "GEOSEARCH", .atLeast(7), [.readOnly], group: .geo,
                keys: [.at(1, .readOnly, [.access])], since: "6.2.0",
                "Finds the members inside a circle or a box.",
                syntax: "key <FROMMEMBER member | FROMLONLAT longitude latitude> "
                    + "<BYRADIUS radius <M | KM | FT | MI> "
                    + "| BYBOX width height <M | KM | FT | MI>> [ASC | DESC] "
                    + "[COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]", geosearch),
            Command(
                "GEOSEARCHSTORE", .atLeast(8), [.write, .denyOOM], group: .geo,
                keys: [.at(1, .overwrite, [.update]), .at(2, .readOnly, [.access])],
                since: "6.2.0", "Stores the members inside a circle or a box in a sorted set.",
                syntax: "destination source <FROMMEMBER member | FROMLONLAT longitude latitude> "
                    + "<BYRADIUS radius <M | KM | FT | MI> "
                    + "| BYBOX width height <M | KM | FT | MI>> [ASC | DESC] "
                    + "[COUNT count [ANY]] [STOREDIST]", geosearchstore),
        ]
    }

    private static func storeKeys(from start: Int) -> [KeySpec] {
        ["STORE", "STOREDIST"].map {
            KeySpec(
                .overwrite, [.update], .keyword($0, startFrom: start),
                .range(last: 0, step: 1, limit: 0))
        }
    }

    /// As the request is executed: the last STORE or STOREDIST counts.
    private static func radiusKeys(from first: Int) -> KeyFinder {
        { arguments in
            guard arguments.count >= first else { return nil }
            var options = Options(arguments, from: first)
            var query = Query()
            guard (try? readRadiusOptions(&options, mayStore: true, &query)) != nil else {
                return nil
            }
            var keys = [KeyPosition(index: 1, access: .readOnly, flags: [.access])]
            if let stored = query.storeKey {
                keys.append(KeyPosition(index: stored, access: .overwrite, flags: [.update]))
            }
            return keys
        }
    }

    // MARK: - Reading arguments

    /// A pair of degrees on the map.
    private static func point(
        _ call: inout Call, _ longitude: ByteView, _ latitude: ByteView
    ) throws(CommandError) -> GeoPoint {
        guard let east = NumberText.double(longitude), let north = NumberText.double(latitude)
        else { throw .notFloat }
        guard GeoHash.longitudes.contains(east), GeoHash.latitudes.contains(north) else {
            let pair = [east, north].map(sixDecimals).joined(separator: ",")
            throw call.fail("ERR invalid longitude,latitude pair \(pair)")
        }
        return GeoPoint(longitude: east, latitude: north)
    }

    private static func sixDecimals(_ value: Double) -> String {
        NumberText.fixed(value, decimals: 6)
    }

    /// Meters in a unit.
    private static func unit(_ word: ByteView) throws(CommandError) -> Double {
        if word.equalsIgnoringCase("M") { return 1 }
        if word.equalsIgnoringCase("KM") { return 1000 }
        if word.equalsIgnoringCase("FT") { return 0.3048 }
        if word.equalsIgnoringCase("MI") { return 1609.34 }
        throw .text("ERR unsupported unit provided. please use M, KM, FT, MI")
    }

    /// The place of a member that must exist.
    private static func place(
        of member: ByteView, in set: SortedSetValue
    ) throws(CommandError) -> GeoPoint {
        guard let score = set.score(of: member) else {
            throw .text("ERR could not decode requested zset member")
        }
        return GeoHash(score: score).center
    }

    // MARK: - GEOADD key [NX | XX] [CH] longitude latitude member [...]

    private static let addEvent = KeyEvent("zadd", .sortedSet)

    static func geoadd(_ call: inout Call) throws(CommandError) {
        var options = Options(call.arguments, from: 2)
        var conditions: SortedSetValue.Conditions = []
        var countsChanges = false
        while true {
            if options.take("NX") {
                conditions.insert(.onlyNew)
            } else if options.take("XX") {
                conditions.insert(.onlyPresent)
            } else if options.take("CH") {
                countsChanges = true
            } else {
                break
            }
        }
        let first = options.index
        guard options.remaining > 0, options.remaining % 3 == 0,
            !conditions.isSuperset(of: [.onlyNew, .onlyPresent])
        else { throw .syntax }
        for index in stride(from: first, to: call.arguments.count, by: 3) {
            _ = try point(&call, call.arguments[index], call.arguments[index + 1])
        }
        let key = call.key(1)
        guard let home = try entryToAdd(&call, key, first, conditions) else {
            return call.reply.integer(0)
        }
        var set = call.database.sortedSet(of: home)
        let (added, updated) = try add(&call, to: &set, home, from: first, conditions)
        if added + updated > 0 { call.changed(key, addEvent, by: added + updated) }
        call.reply.integer(countsChanges ? added + updated : added)
    }

    /// The entry to add to, a new one where there is none; nil when XX forbids one.
    private static func entryToAdd(
        _ call: inout Call, _ key: Key, _ first: Int, _ conditions: SortedSetValue.Conditions
    ) throws(CommandError) -> Entry? {
        if let entry = try call.database.entry(key, of: .sortedSet) { return entry }
        if conditions.contains(.onlyPresent) { return nil }
        let set = SortedSetValue.make(
            on: call.database.sortedSetGround, firstMemberBytes: call.arguments[first + 2].count)
        return try call.database.setCollection(key, set.collection)
    }

    private static func add(
        _ call: inout Call, to set: inout SortedSetValue, _ home: Entry, from first: Int,
        _ conditions: SortedSetValue.Conditions
    ) throws(CommandError) -> (added: Int, updated: Int) {
        var added = 0
        var updated = 0
        defer { set.save(to: home) }
        for index in stride(from: first, to: call.arguments.count, by: 3) {
            let place = try point(&call, call.arguments[index], call.arguments[index + 1])
            var score = GeoHash(place, step: GeoHash.finestStep).score
            switch try set.add(call.arguments[index + 2], &score, conditions) {
            case .added: added += 1
            case .updated: updated += 1
            default: break
            }
        }
        return (added, updated)
    }

    // MARK: - GEODIST key member1 member2 [unit]

    static func geodist(_ call: inout Call) throws(CommandError) {
        let arguments = call.arguments
        guard arguments.count <= 5 else { throw .syntax }
        let unit = arguments.count == 5 ? try unit(arguments[4]) : 1
        guard let set = try call.database.readSortedSet(call.key(1)),
            let first = set.score(of: arguments[2]), let second = set.score(of: arguments[3])
        else { return call.reply.null() }
        let distance = GeoHash(score: first).center.distance(to: GeoHash(score: second).center)
        call.reply.bulkFourDecimals(distance / unit)
    }

    // MARK: - GEOHASH key [member ...], GEOPOS key [member ...]

    static func geohash(_ call: inout Call) throws(CommandError) {
        let set = try call.database.readSortedSet(call.key(1))
        call.reply.array(call.arguments.count - 2)
        for index in 2..<call.arguments.count {
            if let score = set?.score(of: call.arguments[index]) {
                GeoHash(score: score).text.withByteView { call.reply.bulk($0) }
            } else {
                call.reply.null()
            }
        }
    }

    static func geopos(_ call: inout Call) throws(CommandError) {
        let set = try call.database.readSortedSet(call.key(1))
        call.reply.array(call.arguments.count - 2)
        for index in 2..<call.arguments.count {
            if let score = set?.score(of: call.arguments[index]) {
                reply(GeoHash(score: score).center, &call)
            } else {
                call.reply.nullArray()
            }
        }
    }

    private static func reply(_ place: GeoPoint, _ call: inout Call) {
        call.reply.array(2)
        call.reply.plainDouble(place.longitude)
        call.reply.plainDouble(place.latitude)
    }

    // MARK: - GEORADIUS, GEORADIUSBYMEMBER, GEOSEARCH, GEOSEARCHSTORE

    static func georadius(_ call: inout Call) throws(CommandError) {
        try search(&call, .radius, mayStore: true)
    }

    static func georadiusReadOnly(_ call: inout Call) throws(CommandError) {
        try search(&call, .radius, mayStore: false)
    }

    static func georadiusbymember(_ call: inout Call) throws(CommandError) {
        try search(&call, .radiusByMember, mayStore: true)
    }

    static func georadiusbymemberReadOnly(_ call: inout Call) throws(CommandError) {
        try search(&call, .radiusByMember, mayStore: false)
    }

    static func geosearch(_ call: inout Call) throws(CommandError) {
        try search(&call, .search, mayStore: false)
    }

    static func geosearchstore(_ call: inout Call) throws(CommandError) {
        try search(&call, .searchStore, mayStore: true)
    }

    private enum Form {
        case radius, radiusByMember, search, searchStore

        var isSearch: Bool { self == .search || self == .searchStore }
    }

    /// What a query asks for, beside its shape.
    private struct Query {
        var center: GeoPoint?
        var extent: GeoShape.Extent?
        var unit = 1.0
        /// Whether the center was told, be it by a member of a set that does not exist.
        var hasMember = false
        var withDistance = false
        var withHash = false
        var withPlace = false
        /// 0: all.
        var count = 0
        var isAny = false
        /// Nil: in the order found.
        var isAscending: Bool?
        /// The argument that names where to store.
        var storeKey: Int?
        var storesDistance = false
    }

    private static func search(
        _ call: inout Call, _ form: Form, mayStore: Bool
    ) throws(CommandError) {
        let source = call.key(form == .searchStore ? 2 : 1)
        let set = try call.database.readSortedSet(source)
        var query = Query()
        let first = try readCenter(&call, form, set, &query)
        try readOptions(&call, form, mayStore, set, from: first, &query)
        try check(&call, form, query)
        guard let set else { return replyNothing(&call, query) }
        guard let center = query.center, let extent = query.extent else { throw .syntax }
        if query.count > 0 && query.isAscending == nil && !query.isAny { query.isAscending = true }
        let shape = GeoShape(center: center, extent: extent, unit: query.unit)
        var found = find(shape, in: set, limit: query.isAny ? query.count : 0)
        if let isAscending = query.isAscending {
            found.sort { isAscending ? $0.distance < $1.distance : $0.distance > $1.distance }
        }
        if query.count > 0 && found.count > query.count {
            found.removeLast(found.count - query.count)
        }
        if query.storeKey != nil { return try store(&call, form, query, found) }
        reply(&call, query, found)
    }

    /// Reads what stands before the options of the GEORADIUS forms; returns where options begin.
    private static func readCenter(
        _ call: inout Call, _ form: Form, _ set: SortedSetValue?, _ query: inout Query
    ) throws(CommandError) -> Int {
        let arguments = call.arguments
        switch form {
        case .radius:
            query.center = try point(&call, arguments[2], arguments[3])
            try readRadius(arguments[4], arguments[5], &query)
            return 6
        case .radiusByMember:
            // Without a set there is nothing to be near to, and nothing to complain about.
            guard let set else { return 5 }
            query.center = try place(of: arguments[2], in: set)
            try readRadius(arguments[3], arguments[4], &query)
            return 5
        case .search: return 2
        case .searchStore:
            query.storeKey = 1
            return 3
        }
    }

    private static func readRadius(
        _ radius: ByteView, _ unit: ByteView, _ query: inout Query
    ) throws(CommandError) {
        guard let number = NumberText.double(radius) else {
            throw .text("ERR need numeric radius")
        }
        guard number >= 0 else { throw .text("ERR radius cannot be negative") }
        query.unit = try self.unit(unit)
        query.extent = .radius(number)
    }

    private static func readBox(
        _ width: ByteView, _ height: ByteView, _ unit: ByteView, _ query: inout Query
    ) throws(CommandError) {
        guard let east = NumberText.double(width) else { throw .text("ERR need numeric width") }
        guard let north = NumberText.double(height) else { throw .text("ERR need numeric height") }
        guard east >= 0, north >= 0 else {
            throw .text("ERR height or width cannot be negative")
        }
        query.unit = try self.unit(unit)
        query.extent = .box(width: east, height: north)
    }

    private static func readOptions(
        _ call: inout Call, _ form: Form, _ mayStore: Bool, _ set: SortedSetValue?,
        from first: Int, _ query: inout Query
    ) throws(CommandError) {
        var options = Options(call.arguments, from: first)
        guard form.isSearch else {
            return try readRadiusOptions(&options, mayStore: mayStore, &query)
        }
        while options.hasMore {
            if try readOption(&options, &query) { continue }
            try readShape(&call, form, set, &options, &query)
        }
    }

    /// The options of the GEORADIUS forms; nothing but the arguments decides about them, so that they
    /// tell where the keys are before the request runs.
    private static func readRadiusOptions(
        _ options: inout Options, mayStore: Bool, _ query: inout Query
    ) throws(CommandError) {
        while options.hasMore {
            if try readOption(&options, &query) { continue }
            try readStore(mayStore, &options, &query)
        }
    }

    /// An option that all forms know; false if the next is none.
    private static func readOption(
        _ options: inout Options, _ query: inout Query
    ) throws(CommandError) -> Bool {
        if options.take("WITHDIST") {
            query.withDistance = true
        } else if options.take("WITHHASH") {
            query.withHash = true
        } else if options.take("WITHCOORD") {
            query.withPlace = true
        } else if options.take("ANY") {
            query.isAny = true
        } else if options.take("ASC") {
            query.isAscending = true
        } else if options.take("DESC") {
            query.isAscending = false
        } else if options.remaining > 1, options.take("COUNT") {
            let count = try options.integer()
            guard count > 0 else { throw .text("ERR COUNT must be > 0") }
            query.count = Int(count)
        } else {
            return false
        }
        return true
    }

    private static func readStore(
        _ mayStore: Bool, _ options: inout Options, _ query: inout Query
    ) throws(CommandError) {
        guard mayStore, options.remaining > 1 else { throw .syntax }
        if options.take("STORE") {
            query.storesDistance = false
        } else if options.take("STOREDIST") {
            query.storesDistance = true
        } else {
            throw .syntax
        }
        query.storeKey = options.index
        _ = try options.next()
    }

    private static func readShape(
        _ call: inout Call, _ form: Form, _ set: SortedSetValue?, _ options: inout Options,
        _ query: inout Query
    ) throws(CommandError) {
        let left = options.remaining
        let hasRadius = if case .radius = query.extent { true } else { false }
        let hasBox = if case .box = query.extent { true } else { false }
        if form == .searchStore, options.take("STOREDIST") {
            query.storesDistance = true
        } else if left > 1, query.center == nil || query.hasMember, options.take("FROMMEMBER") {
            let member = try options.next()
            query.hasMember = true
            if let set { query.center = try place(of: member, in: set) }
        } else if left > 2, !query.hasMember, options.take("FROMLONLAT") {
            let longitude = try options.next()
            query.center = try point(&call, longitude, try options.next())
        } else if left > 2, !hasBox, options.take("BYRADIUS") {
            let radius = try options.next()
            try readRadius(radius, try options.next(), &query)
        } else if left > 3, !hasRadius, options.take("BYBOX") {
            let width = try options.next()
            let height = try options.next()
            try readBox(width, height, try options.next(), &query)
        } else {
            throw .syntax
        }
    }

    /// What must go together or must not.
    private static func check(
        _ call: inout Call, _ form: Form, _ query: Query
    ) throws(CommandError) {
        if query.storeKey != nil && (query.withDistance || query.withHash || query.withPlace) {
            let who = form == .searchStore ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS"
            throw call.fail(
                "ERR \(who) is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
        }
        if form.isSearch && query.center == nil && !query.hasMember {
            throw call.fail(
                "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for "
                    + call.arguments[0].string)
        }
        if form.isSearch && query.extent == nil {
            throw call.fail(
                "ERR exactly one of BYRADIUS and BYBOX can be specified for "
                    + call.arguments[0].string)
        }
        if query.isAny && query.count == 0 {
            throw .text("ERR the ANY argument requires COUNT argument")
        }
    }

    // MARK: - Finding

    /// A member inside the shape; it is valid until the set changes.
    private struct Found {
        let member: Listpack.Value
        let score: Double
        let place: GeoPoint
        /// Meters.
        let distance: Double
    }

    /// The members inside `shape`, at most `limit` of them if that is not 0.
    ///
    /// O(log n + members in up to nine cells).
    private static func find(
        _ shape: GeoShape, in set: SortedSetValue, limit: Int
    ) -> ContiguousArray<Found> {
        var found: ContiguousArray<Found> = []
        for cell in shape.cells {
            let (first, end) = cell.scores
            var walk = set.walk(from: set.rank(of: .beforeScore(first)))
            while let element = walk.next(), element.score < end {
                let place = GeoHash(score: element.score).center
                guard let distance = shape.distance(to: place) else { continue }
                found.append(
                    Found(
                        member: element.member, score: element.score, place: place,
                        distance: distance))
                if limit > 0 && found.count >= limit { return found }
            }
        }
        return found
    }

    // MARK: - Answering

    private static func replyNothing(_ call: inout Call, _ query: Query) {
        guard let index = query.storeKey else { return call.reply.array(0) }
        removeStored(&call, call.key(index))
    }

    private static func removeStored(_ call: inout Call, _ key: Key) {
        if call.database.remove(key) { call.changed(key, .delete) }
        call.reply.integer(0)
    }

    private static func reply(
        _ call: inout Call, _ query: Query, _ found: ContiguousArray<Found>
    ) {
        let parts = [query.withDistance, query.withHash, query.withPlace].count { $0 }
        call.reply.array(found.count)
        for one in found {
            if parts > 0 { call.reply.array(parts + 1) }
            call.reply.member(one.member)
            if query.withDistance { call.reply.bulkFourDecimals(one.distance / query.unit) }
            if query.withHash {
                call.reply.integer(Int64(exactly: one.score.rounded(.towardZero)) ?? .min)
            }
            if query.withPlace { reply(one.place, &call) }
        }
    }

    private static func store(
        _ call: inout Call, _ form: Form, _ query: Query, _ found: ContiguousArray<Found>
    ) throws(CommandError) {
        guard let index = query.storeKey else { return }
        let key = call.key(index)
        guard !found.isEmpty else { return removeStored(&call, key) }
        var set = SortedSetValue.make(on: call.database.sortedSetGround)
        for one in found {
            var score = query.storesDistance ? one.distance / query.unit : one.score
            do throws(CommandError) {
                _ = try one.member.withText { (member) throws(CommandError) in
                    try set.add(member, &score)
                }
            } catch {
                call.keyspace.bury(set.collection)
                throw error
            }
        }
        _ = try call.database.setCollection(key, set.collection)
        call.changed(key, form.isSearch ? searchStoreEvent : radiusStoreEvent, by: found.count)
        call.reply.integer(found.count)
    }

    private static let radiusStoreEvent = KeyEvent("georadiusstore", .sortedSet)
    private static let searchStoreEvent = KeyEvent("geosearchstore", .sortedSet)
}
