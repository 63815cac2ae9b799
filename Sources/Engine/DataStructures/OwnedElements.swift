/// An element of a collection in a block of its own.
protocol OwnedElement {
    init(_ handle: Arena.Handle, _ arena: Arena)
    /// Every byte taken, exactly.
    func memoryBytes(in arena: Arena) -> Int
    func free(in arena: Arena)
}

/// What a hash table that owns its entries has to know of them.
protocol OwningTablePolicy: HashTablePolicy {
    associatedtype Element: OwnedElement
}

extension HashTable where Policy: OwningTablePolicy {
    /// Takes `limit` entries or a few more out, if there are so many, and frees them; returns how
    /// many.
    ///
    /// To be called again, for a large table, while others are served between two calls. With
    /// `.max` all go at once, and of the table hardly anything is written to.
    func freeElements(about limit: Int, in arena: Arena) -> Int {
        if limit == .max {
            let freed = count
            forEach { Policy.Element($0, arena).free(in: arena) }
            removeAll()
            return freed
        }
        var freed = 0
        while freed < limit && !isEmpty {
            var handles: ContiguousArray<Handle> = []
            popEntries(limit: min(limit - freed, 256), into: &handles)
            for handle in handles { Policy.prefetch(handle, context) }
            for handle in handles { Policy.Element(handle, arena).free(in: arena) }
            freed += handles.count
        }
        return freed
    }

    /// Frees about `limit` entries, and the table with the last; true then.
    ///
    /// The table may be used for nothing else from the first call on.
    @discardableResult
    func free(elements limit: Int, in arena: Arena) -> Bool {
        _ = freeElements(about: limit, in: arena)
        guard isEmpty else { return false }
        destroy()
        return true
    }

    /// The bytes of all entries.
    ///
    /// O(n).
    func elementBytes(in arena: Arena) -> Int {
        var bytes = 0
        forEach { bytes += Policy.Element($0, arena).memoryBytes(in: arena) }
        return bytes
    }
}
