/// How much room strings take in a packed set or hash: summed up before the block is made.
struct PackedSize {
    private(set) var strings = 0
    /// The bytes of all, with their lengths.
    private(set) var bytes = 0
    private(set) var longest = 0

    @inline(__always)
    mutating func add(_ textBytes: Int) {
        strings &+= 1
        bytes &+= PackedRecords.bytes(ofLength: textBytes)
        longest = max(longest, textBytes)
    }
}

/// Fills the block of a packed set or hash with records that were measured beforehand.
///
/// Promises: one block of the right size, every record written once, and a name that comes twice is
/// told, whatever else the names are. Costs: a hash, a trace and a copy a record, where adding them
/// one by one looks through all records before each and moves the block as it grows.
struct PackedFiller {
    private var records: PackedRecords
    private var traces: NameTraces
    private let hasher: SeededHash
    private let arena: Arena

    /// An empty block for strings of this size; the room of unpacked values is in use until the end.
    init(_ size: PackedSize, _ shape: PackedRecords.Shape, _ context: ValueContext) {
        arena = context.arena
        hasher = context.hasher
        records = PackedRecords(shape, reserving: size.bytes, arena)
        traces = NameTraces(
            most: shape.hasValues ? size.strings / 2 : size.strings, in: context.unpacking)
    }

    /// Adds a record; false, and nothing is added, where its name is there already.
    @inline(__always)
    mutating func add(_ name: ByteView, _ value: ByteView = .empty) -> Bool {
        if !traces.isNew(hasher.hash(name)) && records.find(name) != nil { return false }
        records.appendReserved(name, value)
        return true
    }

    /// Gives the records away, which the caller owns then.
    func finish() -> Block { records.block }

    /// Frees what was filled so far.
    func discard() { records.block.free(in: arena) }
}
