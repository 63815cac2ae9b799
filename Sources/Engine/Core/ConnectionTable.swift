import Reactor

/// Who is connected: places with generations, so that a token or an id of a closed connection is
/// recognised and dropped.
///
/// Finding by place or by id is O(1).
struct ConnectionTable {
    private var places: ContiguousArray<Connection?> = []
    /// The same, without a count of references.
    private var shown: ContiguousArray<Unmanaged<Connection>?> = []
    private var generations: ContiguousArray<UInt32> = []
    private var freePlaces: ContiguousArray<UInt32> = []
    private var placesByID: [UInt64: UInt32] = [:]
    private var nextID: UInt64 = 1
    private(set) var count = 0

    /// A place, generation and id for a new connection.
    mutating func reserve() -> (id: UInt64, place: UInt32, generation: UInt32) {
        let place: UInt32
        if let free = freePlaces.popLast() {
            place = free
        } else {
            place = UInt32(places.count)
            places.append(nil)
            shown.append(nil)
            generations.append(0)
        }
        generations[Int(place)] = (generations[Int(place)] &+ 1) & Token.generationMask
        defer { nextID += 1 }
        return (nextID, place, generations[Int(place)])
    }

    mutating func insert(_ connection: Connection) {
        places[Int(connection.place)] = connection
        shown[Int(connection.place)] = Unmanaged.passUnretained(connection)
        placesByID[connection.id] = connection.place
        count += 1
    }

    mutating func remove(_ connection: Connection) {
        guard find(place: connection.place, generation: connection.generation) != nil else {
            return
        }
        places[Int(connection.place)] = nil
        shown[Int(connection.place)] = nil
        placesByID[connection.id] = nil
        freePlaces.append(connection.place)
        count -= 1
    }

    @inline(__always)
    func find(place: UInt32, generation: UInt32) -> Connection? {
        guard Int(place) < places.count, let connection = places[Int(place)],
            connection.generation == generation
        else { return nil }
        return connection
    }

    func contains(_ connection: Connection) -> Bool {
        find(place: connection.place, generation: connection.generation) != nil
    }

    func find(id: UInt64) -> Connection? {
        guard let place = placesByID[id] else { return nil }
        return places[Int(place)]
    }

    /// All connections, oldest first.
    var all: [Connection] {
        places.compactMap { $0 }.sorted { $0.id < $1.id }
    }

    /// The connection at `place`, if there is one; for walks a few at a time.
    func at(_ place: Int) -> Connection? { place < places.count ? places[place] : nil }
    var placeCount: Int { places.count }

    /// Shows the connection at `place` to `body`, which must not remove it, if there is one.
    ///
    /// Counts no reference, as the table holds one: where a message goes to thousands, that would be
    /// a cache line written for each.
    @inline(__always)
    func show(_ place: Int, to body: (Connection) -> Void) {
        guard place < shown.count, let connection = shown[place] else { return }
        connection._withUnsafeGuaranteedRef(body)
    }
}
