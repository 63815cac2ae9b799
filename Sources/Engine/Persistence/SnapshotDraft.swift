import Reactor

/// A stretch of a snapshot whose long strings wait to be compressed.
///
///     bytes     …record [raw string] record [raw string] record…
///     strings            ^^^^^^^^^^          ^^^^^^^^^^
///
/// To compress them is most of the work of saving long values, and needs nothing but these bytes: it
/// can be another thread's.
struct SnapshotDraft: ~Copyable {
    var bytes = ByteBuffer()
    /// Where the strings lie that have no head yet, in their order.
    private var strings: ContiguousArray<Range<Int>> = []
    private var stringBytes = 0

    /// Worth sending to another thread.
    private static let longTaskBytes = 64 * 1024
    private static let keptBytes = 4 << 20

    var isLongTask: Bool { stringBytes >= Self.longTaskBytes }
    var isFinal: Bool { strings.isEmpty }

    /// Appends a string to be compressed later.
    mutating func append(waiting string: ByteView) {
        strings.append(bytes.count..<bytes.count + string.count)
        bytes.append(string)
        stringBytes += string.count
    }

    /// Appends what becomes of the draft.
    func pack(into target: inout ByteBuffer, _ packer: inout StringPacker) {
        let draft = bytes.view
        var done = 0
        for string in strings {
            target.append(draft.slice(done, string.lowerBound))
            packer.pack(draft.slice(string.lowerBound, string.upperBound), into: &target)
            done = string.upperBound
        }
        target.append(draft.dropFirst(done))
    }

    mutating func removeAll() {
        bytes.removeAll()
        // After a huge string.
        if bytes.capacity > Self.keptBytes { bytes.release() }
        strings.removeAll(keepingCapacity: true)
        stringBytes = 0
    }
}

/// Packs drafts on two threads and writes what becomes of them to a file, in the order they came.
///
/// While the helper packs one draft the next is filled; when that is full first, it is packed here.
struct DraftPacking: ~Copyable {
    private struct Portion: ~Copyable {
        var draft = SnapshotDraft()
        var packed = ByteBuffer()
        var packer = StringPacker()

        mutating func pack() { draft.pack(into: &packed, &packer) }

        /// Takes a draft and gives an empty one for it.
        mutating func take(_ other: inout SnapshotDraft) {
            swap(&draft, &other)
            other.removeAll()
            packed.removeAll()
        }
    }

    private var own = Portion()
    private var errand: Errand<Portion>?
    private var mayHire = true

    /// Sees a full draft into the file, sooner or later, and empties it.
    mutating func pack(_ draft: inout SnapshotDraft, into file: inout DumpFile) {
        if errand == nil && mayHire && draft.isLongTask { hire() }
        if let errand, draft.isLongTask, errand.isDone {
            collect(into: &file)
            errand.withState { $0.take(&draft) }
            errand.start()
        } else if draft.isFinal {
            collect(into: &file)
            file.write(draft.bytes.view)
            draft.removeAll()
        } else {
            own.take(&draft)
            own.pack()
            collect(into: &file)
            file.write(own.packed.view)
        }
    }

    /// Sees what the helper has into the file.
    mutating func collect(into file: inout DumpFile) {
        guard let errand, errand.isUnderWay else { return }
        errand.finish()
        errand.withState { file.write($0.packed.view) }
    }

    /// Where no thread can be had the work is done here.
    private mutating func hire() {
        errand = try? Errand(Portion()) { $0.pack() }
        mayHire = errand != nil
    }
}
