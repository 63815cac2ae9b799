/// Elements of a large collection that are stored together: their places in the table are asked for
/// while the next ones are read, so that the misses of many overlap.
///
/// The bytes are the reader's, which must not begin a record until the batch is stored.
struct ElementBatch<Attachment> {
    struct Element {
        let name: DumpReader.Piece
        /// What stands behind the name: a value, a score.
        let attachment: Attachment
        let hash: UInt64
    }

    private(set) var elements: ContiguousArray<Element> = []

    private static var most: Int { 32 }
    /// The reader keeps all bytes of a batch.
    private static var mostBytes: Int { 64 * 1024 }

    init() { elements.reserveCapacity(Self.most) }

    /// Reads the next elements in place of those before, `limit` at most and one at least.
    ///
    /// - Parameters:
    ///   - prefetch: is given the hash of each.
    ///   - attachment: reads what stands behind a name; returns how many bytes it keeps as well.
    @inline(__always)
    mutating func read(
        atMost limit: Int, _ hasher: SeededHash, from reader: inout DumpReader,
        prefetch: (UInt64) -> Void,
        attachment: (inout DumpReader) throws(DumpError) -> (Attachment, bytes: Int)
    ) throws(DumpError) {
        elements.removeAll(keepingCapacity: true)
        reader.beginRecord()
        var bytes = 0
        repeat {
            let name = try reader.piece()
            let hash = hasher.hash(reader.view(name))
            prefetch(hash)
            let (attached, attachedBytes) = try attachment(&reader)
            elements.append(Element(name: name, attachment: attached, hash: hash))
            bytes += name.count + attachedBytes
        } while elements.count < min(limit, Self.most) && bytes < Self.mostBytes
    }
}

extension DumpReader {
    /// Beyond this a table grows when the elements are there.
    private static var mostExpected: Int { 1 << 24 }

    /// How many of `told` elements a table is made for at once: fewer than told where the bytes that
    /// are there cannot make so many.
    func expected(_ told: Int) -> Int { min(told, certainBytes / 4, Self.mostExpected) }
}
