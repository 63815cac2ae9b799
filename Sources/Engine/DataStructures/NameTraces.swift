/// Remembers the hashes of the names that came so far, to tell in one step that a name is new.
///
///     slot: a half of a hash, never 0; empty: 0        at least twice as many slots as names
///
/// For who puts a packed set or hash together, where looking for each name among those before it
/// takes a walk: n² / 2 steps in all. Promises: a name that came before is never called new. Costs:
/// a load or two a name; lies in a room that others use later, so it takes no memory of its own.
struct NameTraces {
    private let slots: UnsafeMutablePointer<UInt32>
    private let mask: Int
    /// Names there is room for.
    private var left: Int

    /// No names, room for `most` of them; ends with the next use of `room`.
    init(most: Int, in room: UnpackingRoom) {
        precondition(most >= 0 && most < 1 << 30, "nobody packs so many names")
        left = max(most, 8)
        let slotCount = 1 << (Int.bitWidth - (2 * left - 1).leadingZeroBitCount)
        mask = slotCount - 1
        slots = room.bytes(slotCount * 4).bindMemory(to: UInt32.self, capacity: slotCount)
        slots.initialize(repeating: 0, count: slotCount)
    }

    /// Remembers a name by its hash; false where it may have come before.
    ///
    /// That is so for one pair of names in some billions, and for all beyond those there is room for.
    @inline(__always)
    mutating func isNew(_ hash: UInt64) -> Bool {
        if left == 0 { return false }
        // Half of the hash chooses the slot, the other tells those apart that meet there.
        let trace = UInt32(truncatingIfNeeded: hash >> 32) | 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] != 0 {
            if slots[slot] == trace { return false }
            slot = (slot &+ 1) & mask
        }
        slots[slot] = trace
        left &-= 1
        return true
    }
}
