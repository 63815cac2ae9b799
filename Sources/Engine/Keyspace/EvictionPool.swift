/// What eviction measures keys by.
enum EvictionMeasure {
    /// The longer ago the last access, the better to lose.
    case moments
    /// The fewer accesses.
    case counts
    /// The sooner it expires.
    case deadlines
}

/// The keys met so far that are best to lose, of all databases.
///
/// Exact LRU would take a list through all keys. A few keys drawn at each eviction, of which the
/// best are remembered for the next ones, come close to it: the way of Redis
/// (https://redis.io/docs/latest/develop/reference/eviction/), with the pool of 16 it has.
struct EvictionPool {
    struct Candidate {
        /// The higher, the sooner it goes.
        let rank: UInt64
        let key: [UInt8]
        let database: Int
    }

    private let capacity: Int

    /// A pool for so many; 16 are what Redis keeps.
    init(capacity: Int = 16) { self.capacity = capacity }

    /// By rising rank.
    private var candidates: ContiguousArray<Candidate> = []

    var isEmpty: Bool { candidates.isEmpty }

    /// Takes a key in if there is room, or in the place of one that is not better to lose.
    mutating func offer(_ key: ByteView, rank: UInt64, database: Int) {
        if candidates.count == capacity {
            guard rank >= candidates[0].rank else { return }
            candidates.removeFirst()
        }
        let place = candidates.firstIndex { $0.rank > rank } ?? candidates.endIndex
        candidates.insert(Candidate(rank: rank, key: key.array, database: database), at: place)
    }

    /// The best to lose, which the pool forgets; nil when it is empty.
    mutating func takeBest() -> Candidate? { candidates.popLast() }

    mutating func removeAll() { candidates.removeAll(keepingCapacity: true) }
}
