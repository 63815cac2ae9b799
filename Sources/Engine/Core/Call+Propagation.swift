/// The form in which an effect reaches replicas and the append-only file.
///
/// A request that has changed something is passed on as it came. Where that would not have the same
/// effect a second time (it depends on the clock, on chance, on what waits), the handler states the
/// requests that do, in order, and these are passed on instead. While nobody listens it costs the one
/// test of `isPropagated`.
extension Call {
    /// Whether anybody wants to know; tested before a form is made up.
    @inline(__always)
    var isPropagated: Bool { keyspace.interest.contains(.propagation) }

    /// Begins the statement of a request of `count` arguments, its name among them; the caller adds
    /// the rest.
    func beginPropagated(_ name: StaticString, _ count: Int) -> EffectFeed {
        keyspace.feed.begin(count, in: database.index)
        keyspace.feed.add(name)
        return keyspace.feed
    }

    /// States that the call has the effect of `name key`.
    func propagate(_ name: StaticString, _ key: Key) {
        beginPropagated(name, 2).add(key.bytes)
    }

    func propagate(_ name: StaticString, _ key: Key, _ argument: ByteView) {
        let request = beginPropagated(name, 3)
        request.add(key.bytes)
        request.add(argument)
    }

    func propagate(_ name: StaticString, _ key: Key, _ number: Int64) {
        let request = beginPropagated(name, 3)
        request.add(key.bytes)
        request.add(number)
    }

    /// States that the call has the effect of this request.
    func propagate(_ arguments: [[UInt8]]) {
        keyspace.feed.begin(arguments.count, in: database.index)
        for argument in arguments { argument.withByteView { keyspace.feed.add($0) } }
    }

    /// The request as it came, with some arguments in place of others and without those of a range.
    @inline(never)
    func propagate(
        replacing replacements: [(index: Int, argument: [UInt8])], dropping dropped: Range<Int>
    ) {
        var arguments = arguments.arrays
        for (index, argument) in replacements { arguments[index] = argument }
        arguments.removeSubrange(dropped)
        propagate(arguments)
    }

    /// States that the request, or the one given, concerns replicas, and no file of changes.
    func propagateToReplicas(_ request: Arguments? = nil) {
        guard server.replication.stream != nil, !server.replication.isReplica else { return }
        keyspace.feed.appendAside(request ?? arguments, in: database.index)
        keyspace.feed.endStatement()
    }

    /// States that the request is passed on as it came even if it has found nothing to change.
    func propagateInAnyCase() {
        keyspace.feed.append(arguments, in: database.index)
        keyspace.feed.endStatement()
    }
}

extension Server {
    /// Puts what a call has done into the feed, as one unit unless it is part of a larger one.
    func propagate(_ call: borrowing Call, changesBefore: Int) {
        let feed = keyspace.feed
        let flags = commands.index.flags(call.command)
        let isStated = feed.takeStatement()
        if !isStated && keyspace.counters.changes != changesBefore
            && !flags.isDisjoint(with: [.write, .mayReplicate])
        {
            feed.append(call.arguments, in: call.database.index)
        }
        defer { call.connection.historyEnd = historyEnd }
        // Keys that were merely met have nothing to do with each other.
        if !transactions.isRunning {
            feed.endUnit(asTransaction: !flags.contains(.touchesArbitraryKeys))
        }
    }
}
