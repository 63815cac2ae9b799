/// Messages: from whoever publishes to all who listen.
///
/// A message is written once and copied into the output of each subscriber, which costs as much as
/// its bytes.
extension Server {
    // MARK: - Publishing

    /// Sends `text` to who listens to `channel`, and to who listens to patterns it matches; returns
    /// how many deliveries that were.
    @discardableResult
    func publish(_ text: ByteView, on channel: ByteView) -> Int {
        var receivers = 0
        if let topic = subscriptions.channels.find(channel) {
            beginMessage("message", 3)
            receivers = finishMessage(
                channel, text, for: subscriptions.channels[topic].subscribers)
        }
        if !subscriptions.patterns.isEmpty { receivers += publishToPatterns(text, channel) }
        return receivers
    }

    private func publishToPatterns(_ text: ByteView, _ channel: ByteView) -> Int {
        var receivers = 0
        for number in 0..<subscriptions.patterns.endOfTopics {
            let topic = subscriptions.patterns[number]
            guard !topic.subscribers.isEmpty else { continue }
            receivers += topic.name.withByteView { pattern in
                guard GlobPattern(pattern).matches(channel) else { return 0 }
                beginMessage("pmessage", 4)
                subscriptions.message.bulk(pattern)
                return finishMessage(channel, text, for: topic.subscribers)
            }
        }
        return receivers
    }

    /// The same for a shard channel, which patterns do not match.
    func publish(_ text: ByteView, onShard channel: ByteView) -> Int {
        guard let topic = subscriptions.shards.find(channel) else { return 0 }
        beginMessage("smessage", 3)
        return finishMessage(channel, text, for: subscriptions.shards[topic].subscribers)
    }

    private func beginMessage(_ kind: StaticString, _ parts: Int) {
        subscriptions.message.truncate(to: 0)
        subscriptions.message.array(parts)
        subscriptions.message.bulk(kind)
    }

    private func finishMessage(
        _ channel: ByteView, _ text: ByteView, for subscribers: ContiguousArray<UInt32>
    ) -> Int {
        subscriptions.message.bulk(channel)
        subscriptions.message.bulk(text)
        let message = subscriptions.message.view
        // Of its own, so that the way to a connection is not counted for each.
        let connections = connections
        for subscriber in subscribers {
            connections.show(Int(subscriber)) { deliver(message, to: $0, isPublication: true) }
        }
        // A large message is not kept.
        if message.count > ReplyBlock.standardCapacity { subscriptions.message = ReplyWriter() }
        return subscribers.count
    }

    // MARK: - Subscribing

    /// Takes note of whether a connection listens to something, and whether anybody does.
    func noteSubscriptions(of connection: Connection) {
        if subscriptions.listensToSomething(connection.place) {
            connection.gate.insert(.subscribed)
        } else {
            connection.gate.remove(.subscribed)
        }
        let place = connection.place
        let count =
            subscriptions.channels.count(of: place) + subscriptions.patterns.count(of: place)
            + subscriptions.shards.count(of: place)
        connection.subscriptionMemory = count * SubscriptionTable.subscriptionBytes
        followSubscribers()
    }

    /// Ends all that a connection listens to, without a word.
    func endSubscriptions(_ connection: Connection) {
        guard connection.gate.contains(.subscribed) else { return }
        for kind in [Subscriptions.Kind.channel, .pattern, .shard] {
            _ = subscriptions[kind].removeAll(of: connection.place)
        }
        noteSubscriptions(of: connection)
    }

    // MARK: - Notifications of keys

    /// Lets the keyspace record what `notify-keyspace-events` asks for, while anybody can hear it.
    func followSubscribers() {
        let events = settings.keyspaceEvents
        keyspace.notifiedKinds = events.isEmpty ? .max : events.kinds
        let isHeard = !subscriptions.channels.isEmpty || !subscriptions.patterns.isEmpty
        if isHeard && !events.isDisjoint(with: [.keyspace, .keyevent]) {
            keyspace.interest.insert(.notifications)
        } else {
            keyspace.interest.remove(.notifications)
        }
    }

    /// Publishes an effect on the channels of its key and of its event.
    func notify(_ event: RecordedEvent) {
        let name = ByteView(event.event.name)
        guard !name.isEmpty, event.event.kind != .unnamed,
            settings.keyspaceEvents.kinds & 1 << UInt32(event.event.kind.rawValue) != 0
        else { return }
        if settings.keyspaceEvents.contains(.keyspace) {
            var channel = ByteBuffer()
            channel.append("__keyspace@")
            channel.append(Int64(event.database))
            channel.append("__:")
            event.key.withByteView { channel.append($0) }
            publish(name, on: channel.view)
        }
        if settings.keyspaceEvents.contains(.keyevent) {
            var channel = ByteBuffer()
            channel.append("__keyevent@")
            channel.append(Int64(event.database))
            channel.append("__:")
            channel.append(name)
            event.key.withByteView { _ = publish($0, on: channel.view) }
        }
    }
}

extension KeyspaceEvents {
    private static let pairs: [(events: KeyspaceEvents, kind: KeyEvent.Class)] = [
        (.generic, .generic), (.string, .string), (.list, .list), (.set, .set), (.hash, .hash),
        (.sortedSet, .sortedSet), (.stream, .stream), (.expired, .expired), (.evicted, .evicted),
        (.newKey, .new), (.keyMiss, .miss), (.module, .module),
    ]

    /// A bit for each class of events that is let pass.
    var kinds: UInt32 {
        Self.pairs.reduce(0) { contains($1.events) ? $0 | 1 << UInt32($1.kind.rawValue) : $0 }
    }
}
