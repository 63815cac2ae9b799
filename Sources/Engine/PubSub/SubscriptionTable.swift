/// Who listens to which names: one table for channels, one for patterns, one for shard channels.
///
///     slots      [ -1 | 3 | -1 | 0 | … ]     open addressing by the hash of the name
///     topics     [ news: 5 9 12 | … ]        a name and its subscribers
///     members    5: { 0, 3 }                 the topics of one subscriber
///
/// Subscribers are numbers that their owner gives them. Finding, adding and removing are O(1).
/// A list of subscribers got here stays as it is while the table changes.
struct SubscriptionTable {
    struct Topic {
        fileprivate(set) var name: [UInt8]
        fileprivate var hash: UInt64
        fileprivate(set) var subscribers: ContiguousArray<UInt32> = []
        /// Where each subscriber stands, once there are many.
        fileprivate var positions: [UInt32: Int] = [:]
    }

    /// With more subscribers than this a topic notes where each of them stands.
    private static let fewSubscribers = 16
    private static let leastSlots = 16

    private let hasher: SeededHash
    private var slots: ContiguousArray<Int32> = []
    private var topics: ContiguousArray<Topic> = []
    private var freeTopics: ContiguousArray<Int32> = []
    private var members: [UInt32: Set<Int32>] = [:]
    /// Bytes this takes, about.
    private(set) var memoryBytes = 0

    init(hasher: SeededHash) { self.hasher = hasher }

    /// Names that somebody listens to.
    var count: Int { topics.count - freeTopics.count }
    var isEmpty: Bool { count == 0 }
    /// Who listens to something.
    var subscribers: Dictionary<UInt32, Set<Int32>>.Keys { members.keys }

    /// Names that `subscriber` listens to.
    func count(of subscriber: UInt32) -> Int { members[subscriber]?.count ?? 0 }

    func names(of subscriber: UInt32) -> [[UInt8]] {
        (members[subscriber] ?? []).map { topics[Int($0)].name }
    }

    // MARK: - Finding

    /// The number of the topic called `name`, nil if nobody listens to it.
    func find(_ name: ByteView) -> Int? {
        guard !slots.isEmpty else { return nil }
        return slot(of: name, hasher.hash(name)).map { Int(slots[$0]) }
    }

    private func slot(of name: ByteView, _ hash: UInt64) -> Int? {
        var slot = home(hash)
        while slots[slot] >= 0 {
            let number = Int(slots[slot])
            if topics[number].hash == hash && topics[number].name.withByteView({ $0 == name }) {
                return slot
            }
            slot = (slot &+ 1) & (slots.count &- 1)
        }
        return nil
    }

    private func home(_ hash: UInt64) -> Int {
        Int(truncatingIfNeeded: hash) & (slots.count &- 1)
    }

    /// Topic `number`; one that nobody listens to has no subscribers.
    subscript(number: Int) -> Topic { topics[number] }

    /// One more than the largest number of a topic.
    var endOfTopics: Int { topics.count }

    /// The names that somebody listens to.
    var names: [[UInt8]] { topics.filter { !$0.subscribers.isEmpty }.map(\.name) }

    // MARK: - Changing

    /// Lets `subscriber` listen to `name`; false if it does already.
    mutating func add(_ subscriber: UInt32, to name: ByteView) -> Bool {
        let number = find(name) ?? insert(name)
        guard members[subscriber, default: []].insert(Int32(number)).inserted else { return false }
        if topics[number].subscribers.count >= Self.fewSubscribers { notePositions(number) }
        if !topics[number].positions.isEmpty {
            topics[number].positions[subscriber] = topics[number].subscribers.count
        }
        topics[number].subscribers.append(subscriber)
        memoryBytes += Self.subscriptionBytes
        return true
    }

    /// Ends it; false if `subscriber` does not listen to `name`.
    mutating func remove(_ subscriber: UInt32, from name: ByteView) -> Bool {
        guard let number = find(name), members[subscriber]?.remove(Int32(number)) != nil else {
            return false
        }
        if members[subscriber]?.isEmpty ?? false { members[subscriber] = nil }
        remove(subscriber, number)
        return true
    }

    /// Ends all that `subscriber` listens to, and returns the names.
    mutating func removeAll(of subscriber: UInt32) -> [[UInt8]] {
        guard let numbers = members.removeValue(forKey: subscriber) else { return [] }
        return numbers.sorted().map { number in
            let name = topics[Int(number)].name
            remove(subscriber, Int(number))
            return name
        }
    }

    private mutating func remove(_ subscriber: UInt32, _ number: Int) {
        memoryBytes -= Self.subscriptionBytes
        let isIndexed = !topics[number].positions.isEmpty
        let position =
            isIndexed
            ? topics[number].positions.removeValue(forKey: subscriber)
            : topics[number].subscribers.firstIndex(of: subscriber)
        guard let position else { return }
        // The last one takes the place.
        let last = topics[number].subscribers.removeLast()
        if last != subscriber {
            topics[number].subscribers[position] = last
            if isIndexed { topics[number].positions[last] = position }
        }
        if topics[number].subscribers.isEmpty { removeTopic(number) }
    }

    private mutating func notePositions(_ number: Int) {
        guard topics[number].positions.isEmpty else { return }
        for (position, subscriber) in topics[number].subscribers.enumerated() {
            topics[number].positions[subscriber] = position
        }
    }

    // MARK: - Topics

    /// What a topic and a subscription take beside the name, about.
    private static let topicBytes = 160
    static let subscriptionBytes = 64

    private mutating func insert(_ name: ByteView) -> Int {
        if (count + 1) * 2 > slots.count { grow() }
        let topic = Topic(name: name.array, hash: hasher.hash(name))
        memoryBytes += Self.topicBytes + name.count
        let number: Int
        if let free = freeTopics.popLast() {
            number = Int(free)
            topics[number] = topic
        } else {
            number = topics.count
            topics.append(topic)
        }
        place(Int32(number), topic.hash)
        return number
    }

    private mutating func place(_ number: Int32, _ hash: UInt64) {
        var slot = home(hash)
        while slots[slot] >= 0 { slot = (slot &+ 1) & (slots.count &- 1) }
        slots[slot] = number
    }

    private mutating func grow() {
        let old = slots
        slots = ContiguousArray(repeating: -1, count: max(Self.leastSlots, old.count * 2))
        for number in old where number >= 0 { place(number, topics[Int(number)].hash) }
    }

    /// Takes a topic out; those behind it that could stand nearer to their home move up.
    private mutating func removeTopic(_ number: Int) {
        let topic = topics[number]
        memoryBytes -= Self.topicBytes + topic.name.count
        guard var hole = topic.name.withByteView({ slot(of: $0, topic.hash) }) else { return }
        let mask = slots.count &- 1
        var next = (hole &+ 1) & mask
        while slots[next] >= 0 {
            let distance = (next &- home(topics[Int(slots[next])].hash)) & mask
            if distance >= (next &- hole) & mask {
                slots[hole] = slots[next]
                hole = next
            }
            next = (next &+ 1) & mask
        }
        slots[hole] = -1
        topics[number] = Topic(name: [], hash: 0)
        freeTopics.append(Int32(number))
        if isEmpty { (slots, topics, freeTopics) = ([], [], []) }
    }
}
