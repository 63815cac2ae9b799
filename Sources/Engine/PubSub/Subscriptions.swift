/// All that clients have subscribed to, and the message that is being sent to them.
///
/// A message is written once, whoever gets it: RESP2 and RESP3 differ in its first byte alone.
final class Subscriptions {
    enum Kind {
        case channel, pattern, shard
    }

    var channels: SubscriptionTable
    var patterns: SubscriptionTable
    var shards: SubscriptionTable
    /// The message on its way, as RESP2 has it.
    var message = ReplyWriter()

    init(hasher: SeededHash) {
        channels = SubscriptionTable(hasher: hasher)
        patterns = SubscriptionTable(hasher: hasher)
        shards = SubscriptionTable(hasher: hasher)
    }

    var memoryBytes: Int { channels.memoryBytes + patterns.memoryBytes + shards.memoryBytes }

    /// Clients that listen to something.
    var clientCount: Int {
        Set(channels.subscribers).union(patterns.subscribers).union(shards.subscribers).count
    }

    subscript(kind: Kind) -> SubscriptionTable {
        get {
            switch kind {
            case .channel: channels
            case .pattern: patterns
            case .shard: shards
            }
        }
        _modify {
            switch kind {
            case .channel: yield &channels
            case .pattern: yield &patterns
            case .shard: yield &shards
            }
        }
    }

    /// What a confirmation counts: shard channels by themselves, the others together.
    func count(of subscriber: UInt32, _ kind: Kind) -> Int {
        kind == .shard
            ? shards.count(of: subscriber)
            : channels.count(of: subscriber) + patterns.count(of: subscriber)
    }

    func listensToSomething(_ subscriber: UInt32) -> Bool {
        count(of: subscriber, .channel) + count(of: subscriber, .shard) > 0
    }
}
