/// Small sets and hashes of a dump, built whole: measured in one pass over the bytes, filled in a second.
///
/// What our settings keep in another form is left to the verbs that commands use: nil, and nothing
/// was built.
extension ValueReader {
    /// The size of the strings of a listpack; nil where it is broken, or has no whole number of
    /// `step` elements.
    func size(ofListpack text: ByteView, step: Int) -> PackedSize? {
        guard var scanner = ListpackScanner(text) else { return nil }
        var size = PackedSize()
        while let value = scanner.next() { size.add(value.textCount) }
        return scanner.isWhole && size.strings % step == 0 ? size : nil
    }

    /// A packed hash of a listpack of fields and values, which was measured.
    func packedHash(
        _ text: ByteView, _ size: PackedSize
    ) throws(DumpError) -> CollectionValue? {
        guard size.strings > 0, HashValue.packs(size, keyspace.values.limits),
            var cursor = ListpackCursor(checked: text)
        else { return nil }
        var filler = PackedFiller(size, .fields, keyspace.values)
        while let name = cursor.next(), let value = cursor.next() {
            let isNew = name.withText { name in value.withText { filler.add(name, $0) } }
            guard isNew else {
                filler.discard()
                throw .duplicateField
            }
        }
        return HashValue.make(filler)
    }

    /// A packed set of a listpack of members, which was measured.
    func packedSet(_ text: ByteView, _ size: PackedSize) throws(DumpError) -> CollectionValue? {
        guard SetValue.packs(size, keyspace.values.limits), hasText(text),
            var cursor = ListpackCursor(checked: text)
        else { return nil }
        var filler = PackedFiller(size, .members, keyspace.values)
        while let member = cursor.next() {
            guard member.withText({ filler.add($0) }) else {
                filler.discard()
                throw .duplicateMember
            }
        }
        return SetValue.make(filler)
    }

    /// Whether an element spells no integer.
    private func hasText(_ text: ByteView) -> Bool {
        guard var cursor = ListpackCursor(checked: text) else { return false }
        while let value = cursor.next() {
            if case .bytes(let bytes) = value, NumberText.integer(bytes) == nil { return true }
        }
        return false
    }

    /// A packed set of the next `count` members; nil, and they are still the next, where it is none.
    func packedSet(
        of count: Int, from reader: inout DumpReader
    ) throws(DumpError) -> CollectionValue? {
        let limits = keyspace.values.limits
        reader.beginRecord()
        guard count > 0, count <= limits.setEntries,
            let size = try sizeOfMembers(count, limits.setValueBytes, from: &reader)
        else {
            reader.rewind()
            return nil
        }
        reader.rewind()
        guard SetValue.packs(size, limits) else { return nil }
        var filler = PackedFiller(size, .members, keyspace.values)
        do throws(DumpError) {
            for _ in 0..<count {
                let member = reader.view(try reader.piece())
                guard filler.add(member) else { throw .duplicateMember }
            }
        } catch {
            filler.discard()
            throw error
        }
        return SetValue.make(filler)
    }

    /// The size of the next `count` members; nil where one is longer than `longest`, or all of them
    /// are integers.
    private func sizeOfMembers(
        _ count: Int, _ longest: Int, from reader: inout DumpReader
    ) throws(DumpError) -> PackedSize? {
        var size = PackedSize()
        var hasText = false
        for _ in 0..<count {
            let member = reader.view(try reader.piece())
            guard member.count <= longest else { return nil }
            if !hasText { hasText = NumberText.integer(member) == nil }
            size.add(member.count)
        }
        return hasText ? size : nil
    }
}

extension DumpError {
    static var duplicateMember: DumpError { .corrupt("Duplicate set members detected") }
    static var duplicateField: DumpError {
        .corrupt("Hash integrity check failed: a field comes twice")
    }
}
