/// Streams in the RDB format: nodes as they lie in memory, then figures, groups and consumers.
extension DumpWriter {
    mutating func stream(_ stream: StreamValue) {
        length(stream.nodeCount)
        // The walk lends each node's bytes, which stay where they are meanwhile.
        var nodes: ContiguousArray<(StreamID, ByteView)> = []
        stream.eachNode { nodes.append(($0, $1)) }
        for (master, bytes) in nodes {
            string { key in
                key.append(bigEndian: master.milliseconds)
                key.append(bigEndian: master.sequence)
            }
            string(bytes)
        }
        length(stream.length)
        identifier(stream.lastID)
        identifier(stream.firstID)
        identifier(stream.largestDeletedID)
        length(UInt64(bitPattern: stream.entriesAdded))
        let groups = stream.groups
        length(groups.count)
        for index in 0..<groups.count {
            group(StreamGroup(groups[index], in: stream.arena), stream)
        }
    }

    private mutating func identifier(_ id: StreamID) {
        length(id.milliseconds)
        length(id.sequence)
    }

    private mutating func group(_ group: StreamGroup, _ stream: StreamValue) {
        string(group.name)
        identifier(group.lastID)
        length(UInt64(bitPattern: group.entriesRead))
        let pending = group.pending
        length(pending.count)
        var position = pending.first
        while let here = position {
            let entry = group.pendingEntry(at: here)
            rawIdentifier(pending.id(at: here))
            littleEndian(entry.deliveryTime)
            length(UInt64(bitPattern: entry.deliveryCount))
            position = pending.position(after: here)
        }
        let consumers = group.consumers
        length(consumers.count)
        for index in 0..<consumers.count {
            consumer(StreamConsumer(consumers[index], in: stream.arena))
        }
    }

    private mutating func consumer(_ consumer: StreamConsumer) {
        string(consumer.name)
        littleEndian(consumer.seenTime)
        let pending = consumer.pending
        length(pending.count)
        var position = pending.first
        while let here = position {
            rawIdentifier(pending.id(at: here))
            position = pending.position(after: here)
        }
    }

    private mutating func rawIdentifier(_ id: StreamID) {
        bigEndian(id.milliseconds)
        bigEndian(id.sequence)
        // Long lists of pending entries must not pile up.
        raw(.empty)
    }
}
