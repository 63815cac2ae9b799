/// What hangs off the payload of an entry that is no string: which type, in which encoding, where.
///
/// The one place that knows how each type is freed, measured, copied and called; a type joins with
/// a case in each function below and a file of its own. A trivial handle: the memory belongs to the
/// entry it was read from, or to whoever detached it (the graveyard).
struct CollectionValue {
    let type: ValueType
    let encoding: UInt8
    /// Changes while the value is freed in pieces.
    private(set) var payload: UInt64

    init(type: ValueType, encoding: UInt8, payload: UInt64) {
        self.type = type
        self.encoding = encoding
        self.payload = payload
    }

    /// The collection of `entry`, which is no string.
    init(of entry: Entry) {
        precondition(!entry.isString, "a string is no collection")
        self.init(type: entry.type, encoding: entry.encoding, payload: entry.payload)
    }

    // MARK: - Freeing

    /// Freed at once: more than so many blocks would hold others up.
    static let blocksFreedAtOnce = 64

    /// About how many blocks the value consists of.
    ///
    /// O(1).
    func blockCount(in arena: Arena) -> Int {
        switch type {
        case .list: ListValue.blockCount(encoding, payload, in: arena)
        case .set: SetValue.blockCount(encoding, payload, in: arena)
        case .sortedSet: SortedSetValue.blockCount(encoding, payload, in: arena)
        case .hash: HashValue.blockCount(encoding, payload, in: arena)
        case .stream: StreamValue.blockCount(payload, in: arena)
        case .string: preconditionFailure("a string is no collection")
        }
    }

    /// Frees about `blocks` blocks and returns true once all are gone; to be called again until then.
    ///
    /// Nobody may read the value any more.
    mutating func free(blocks: Int, in arena: Arena) -> Bool {
        switch type {
        case .list: return ListValue.free(encoding, payload, blocks: blocks, in: arena)
        case .set: return SetValue.free(encoding, payload, blocks: blocks, in: arena)
        case .sortedSet: return SortedSetValue.free(encoding, payload, blocks: blocks, in: arena)
        case .hash: return HashValue.free(encoding, payload, blocks: blocks, in: arena)
        case .stream: return StreamValue.free(payload, blocks: blocks, in: arena)
        case .string: preconditionFailure("a string is no collection")
        }
    }

    // MARK: - Looking ahead

    /// Asks for the memory that leads to the element of this hash; a type without such elements
    /// does nothing.
    ///
    /// Two stages: `prefetchElement` is for when this has arrived.
    func prefetchGroup(hash: UInt64, in arena: Arena) {
        switch type {
        case .set: SetValue.prefetchGroup(encoding, payload, hash, in: arena)
        case .sortedSet: SortedSetValue.prefetchGroup(encoding, payload, hash, in: arena)
        case .hash: HashValue.prefetchGroup(encoding, payload, hash, in: arena)
        default: break
        }
    }

    func prefetchElement(hash: UInt64, in arena: Arena) {
        switch type {
        case .set: SetValue.prefetchMember(encoding, payload, hash, in: arena)
        case .sortedSet: SortedSetValue.prefetchMember(encoding, payload, hash)
        case .hash: HashValue.prefetchField(encoding, payload, hash, in: arena)
        default: break
        }
    }

    /// Asks for the beginning of a packed value that is about to be read whole.
    func prefetchBeginning(in arena: Arena) {
        switch type {
        case .set: SetValue.prefetchBeginning(encoding, payload, in: arena)
        case .sortedSet: SortedSetValue.prefetchBeginning(encoding, payload, in: arena)
        case .hash: HashValue.prefetchBeginning(encoding, payload, in: arena)
        default: break
        }
    }

    // MARK: - Measuring, copying, naming

    /// Every byte behind the payload.
    ///
    /// O(blocks).
    func memoryBytes(in arena: Arena) -> Int {
        switch type {
        case .list: ListValue.memoryBytes(encoding, payload, in: arena)
        case .set: SetValue.memoryBytes(encoding, payload, in: arena)
        case .sortedSet: SortedSetValue.memoryBytes(encoding, payload, in: arena)
        case .hash: HashValue.memoryBytes(encoding, payload, in: arena)
        case .stream: StreamValue.memoryBytes(payload, in: arena)
        case .string: preconditionFailure("a string is no collection")
        }
    }

    /// A copy that shares nothing.
    ///
    /// O(bytes).
    func copied(in arena: Arena) throws(CommandError) -> CollectionValue {
        let copy: UInt64 =
            switch type {
            case .list: ListValue.copy(encoding, payload, in: arena)
            case .set: try SetValue.copy(encoding, payload, in: arena)
            case .sortedSet: try SortedSetValue.copy(encoding, payload, in: arena)
            case .hash: try HashValue.copy(encoding, payload, in: arena)
            case .stream: StreamValue.copy(payload, in: arena)
            case .string: preconditionFailure("a string is no collection")
            }
        return CollectionValue(type: type, encoding: encoding, payload: copy)
    }

    /// As OBJECT ENCODING calls it.
    var encodingName: StaticString {
        switch type {
        case .list: ListValue.encodingName
        case .set: SetValue.encodingName(encoding)
        case .sortedSet: SortedSetValue.encodingName(encoding)
        case .hash: HashValue.encodingName(encoding)
        case .stream: StreamValue.encodingName
        case .string: type.name
        }
    }
}
