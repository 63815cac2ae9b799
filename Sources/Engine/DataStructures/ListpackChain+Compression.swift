/// Compression of the inner nodes of a chain (`list-compress-depth`).
///
/// Whoever works at the ends of a long list never meets a compressed node; in the middle one is
/// decompressed when it is looked at or changed. A node is looked at in the room that all lists
/// share, and stays compressed; to be changed it is opened, and compressed again when the change is
/// done. One that compressing does not make smaller is marked, and tried again when it has changed.
///
///     compressed node: | LZF of its entries, or of its one element |    packed bytes of it
///
/// Must stay true: no node within the depth from an end is compressed, nor are the ends themselves,
/// whatever the depth. Changes of the setting take hold of nodes as they are touched.
extension ListpackChain {
    /// Less is not worth a try, and a try that saves less is not kept; as in Redis.
    private static let leastBytes = 48
    private static let leastSaving = 8

    // MARK: - Looking at a compressed node

    /// What the block of a compressed node holds.
    func packedContent(of node: Node) -> ByteView {
        ByteView(
            start: UnsafeRawPointer(node.block.address(in: arena)), count: Int(node.packedBytes))
    }

    /// The entries of a compressed node, until the next one is looked at.
    func unpacked(_ node: Node) -> ByteView {
        guard let room else { preconditionFailure("no room to look at a compressed node") }
        let target = room.bytes(node.rawBytes)
        restore(node, to: target)
        return ByteView(start: UnsafeRawPointer(target), count: node.rawBytes)
    }

    private func restore(_ node: Node, to target: UnsafeMutableRawPointer) {
        let isWhole = LZF.decompress(packedContent(of: node), to: target, count: node.rawBytes)
        precondition(isWhole, "a compressed node does not give back its entries")
    }

    // MARK: - Opening and packing

    /// Readies a node for a change.
    func openNode(_ place: Int) {
        let node = node(place)
        node.pointee.entries &= ~Node.triedFlag
        guard node.pointee.isPacked else { return }
        let block = Block.allocate(node.pointee.rawBytes, in: arena)
        restore(node.pointee, to: block.address(in: arena))
        node.pointee.block.free(in: arena)
        node.pointee.block = block
        node.pointee.packedBytes = 0
    }

    /// Compresses a node that lies between the depths, unless that was tried in vain.
    private func pack(_ place: Int, _ limits: ChainLimits) {
        let depth = limits.compressDepth
        guard let room, place >= depth, place < nodeCount &- depth else { return }
        let node = node(place)
        guard !node.pointee.isPacked, node.pointee.entries & Node.triedFlag == 0 else { return }
        node.pointee.entries |= Node.triedFlag
        let content = content(of: node.pointee)
        guard content.count >= Self.leastBytes, content.count <= LZF.mostBytes else { return }
        let target = room.bytes(content.count)
        guard
            let packed = LZF.compress(
                content, to: target, atMost: content.count &- Self.leastSaving)
        else { return }
        let block = Block.allocate(packed, in: arena)
        ByteView(start: UnsafeRawPointer(target), count: packed)
            .copy(to: block.address(in: arena))
        node.pointee.block.free(in: arena)
        node.pointee.block = block
        node.pointee.packedBytes = UInt32(truncatingIfNeeded: packed)
        if !node.pointee.isPlain { node.pointee.start = 0 }
    }

    // MARK: - After a change

    /// A node was added at `end`: the one that is no longer within the depth may be compressed.
    func packInside(_ end: ListEnd, _ limits: ChainLimits) {
        let depth = limits.compressDepth
        pack(end == .front ? depth : nodeCount &- 1 &- depth, limits)
    }

    /// Nodes came closer to the ends: those within the depth are opened.
    ///
    /// O(depth).
    func openEnds(_ limits: ChainLimits) {
        let nodes = nodeCount
        for distance in 0..<min(max(limits.compressDepth, 1), nodes) {
            openIfPacked(distance)
            openIfPacked(nodes &- 1 &- distance)
        }
    }

    @inline(__always)
    private func openIfPacked(_ place: Int) {
        if node(place).pointee.isPacked { openNode(place) }
    }

    /// Something changed about node `place`: it and those beside it are compressed again, and those
    /// that it moved away from the ends.
    func arrange(around place: Int, _ limits: ChainLimits) {
        let depth = limits.compressDepth
        guard depth > 0, nodeCount > 2 &* depth else { return openEnds(limits) }
        for near in max(place &- 2, 0)...(place &+ 2) { pack(near, limits) }
        for moved in 0...1 {
            pack(depth &+ moved, limits)
            pack(nodeCount &- 1 &- depth &- moved, limits)
        }
    }

    /// Something changed all over the chain.
    func packAll(_ limits: ChainLimits) {
        guard limits.compressDepth > 0 else { return }
        for place in 0..<nodeCount { pack(place, limits) }
    }
}
