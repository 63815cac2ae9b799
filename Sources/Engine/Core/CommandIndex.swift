/// What the hot path needs of the command table: lookup by name, arity, flags, keys, handler.
///
/// A trivial handle to arrays at fixed addresses: a lookup folds the name's first 16 bytes to two
/// words, probes an open-addressed table and compares words. Built once, never changed afterwards.
struct CommandIndex {
    struct Row {
        let handler: Command.Handler
        let leastArguments: Int
        let mostArguments: Int
        let flags: CommandFlags
        let firstKey: Int32
        let lastKey: Int32
        let keyStep: Int32
        let isContainer: Bool
        /// The argument that names an element of the key's value; 0 where there is none.
        let element: Int32
        var firstWord: UInt64 = 0
        var secondWord: UInt64 = 0
        var nameLength = -1
    }

    private struct State {
        var rows: UnsafeMutablePointer<Row>
        var slots: UnsafeMutablePointer<Int32>
        var count = 0
        let capacity: Int
        let slotMask: Int
    }

    private let state: UnsafeMutablePointer<State>

    static func create(capacity: Int) -> CommandIndex {
        var slots = 1024
        while slots < capacity * 4 { slots *= 2 }
        let state = UnsafeMutablePointer<State>.allocate(capacity: 1)
        state.initialize(
            to: State(
                rows: .allocate(capacity: max(capacity, 1)), slots: .allocate(capacity: slots),
                capacity: capacity, slotMask: slots - 1))
        state.pointee.slots.initialize(repeating: -1, count: slots)
        return CommandIndex(state: state)
    }

    func destroy() {
        state.pointee.rows.deinitialize(count: state.pointee.count)
        state.pointee.rows.deallocate()
        state.pointee.slots.deallocate()
        state.deallocate()
    }

    // MARK: - Building

    func append(_ row: Row) {
        precondition(state.pointee.count < state.pointee.capacity, "more commands than announced")
        (state.pointee.rows + state.pointee.count).initialize(to: row)
        state.pointee.count += 1
    }

    /// Makes `name` lead to row `number`.
    func insert(name: ByteView, _ number: Int32) {
        let row = row(number)
        let (first, second) = Self.words(name)
        row.pointee.firstWord = first
        row.pointee.secondWord = second
        row.pointee.nameLength = name.count
        var slot = Self.slot(first, second, name.count) & state.pointee.slotMask
        while state.pointee.slots[slot] >= 0 { slot = (slot + 1) & state.pointee.slotMask }
        state.pointee.slots[slot] = number
    }

    // MARK: - Lookup

    @inline(__always)
    func find(_ name: ByteView) -> Int32 {
        let (first, second) = Self.words(name)
        var slot = Self.slot(first, second, name.count) & state.pointee.slotMask
        while true {
            let number = state.pointee.slots[slot]
            if number < 0 { return -1 }
            let row = state.pointee.rows + Int(number)
            if row.pointee.firstWord == first && row.pointee.secondWord == second
                && row.pointee.nameLength == name.count
            {
                return number
            }
            slot = (slot &+ 1) & state.pointee.slotMask
        }
    }

    @inline(__always)
    private func row(_ number: Int32) -> UnsafeMutablePointer<Row> {
        precondition(number >= 0 && Int(number) < state.pointee.count, "no such command")
        return state.pointee.rows + Int(number)
    }

    @inline(__always)
    func accepts(_ count: Int, _ number: Int32) -> Bool {
        let row = row(number)
        return count >= row.pointee.leastArguments && count <= row.pointee.mostArguments
    }

    @inline(__always)
    func flags(_ number: Int32) -> CommandFlags { row(number).pointee.flags }

    @inline(__always)
    func isContainer(_ number: Int32) -> Bool { row(number).pointee.isContainer }

    /// The argument that names an element of the key's value, or `Command.wholeValue`; 0 where there
    /// is none.
    @inline(__always)
    func element(_ number: Int32) -> Int { Int(row(number).pointee.element) }

    /// First key, last key and step, as COMMAND INFO shows them; 0 0 0 without keys.
    @inline(__always)
    func keys(_ number: Int32) -> (first: Int, last: Int, step: Int) {
        let row = row(number)
        return (Int(row.pointee.firstKey), Int(row.pointee.lastKey), Int(row.pointee.keyStep))
    }

    @inline(__always)
    func run(_ number: Int32, _ call: inout Call) throws(CommandError) {
        try row(number).pointee.handler(&call)
    }

    // MARK: - Names as words

    /// Bytes 0–7 and the last 8 (of 9 to 16) or bytes 8–23 mixed, with bit 5 set in each byte so
    /// that letters are small.
    ///
    /// Other bytes that fold together (`@` and a backquote) are in no name.
    @inline(__always)
    private static func words(_ name: ByteView) -> (UInt64, UInt64) {
        let lower: UInt64 = 0x2020_2020_2020_2020
        let count = name.count
        if count < 8 {
            return (shortWord(name) | lower, 0)
        }
        let first = name.start.loadUnaligned(as: UInt64.self) | lower
        let last = name.start.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self) | lower
        if count <= 16 { return (first, last) }
        if count > 24 { return longWords(name) }
        let middle = name.start.loadUnaligned(fromByteOffset: 8, as: UInt64.self) | lower
        return (first, last ^ (middle << 23 | middle >> 41))
    }

    /// Names of more than 24 bytes are those that `rename-command` gave to hide a command: every
    /// byte counts, by two hashes (FNV-1a with different primes).
    @inline(never)
    private static func longWords(_ name: ByteView) -> (UInt64, UInt64) {
        var (first, second): (UInt64, UInt64) = (0xCBF2_9CE4_8422_2325, 0x8422_2325_CBF2_9CE4)
        for index in 0..<name.count {
            let byte = UInt64(name[index] | 0x20)
            first = (first ^ byte) &* 0x100_0000_01B3
            second = (second ^ byte) &* 0x9E37_79B9_7F4A_7C15
        }
        return (first, second)
    }

    /// Up to 7 bytes as a word, by two overlapping loads.
    @inline(__always)
    private static func shortWord(_ name: ByteView) -> UInt64 {
        let count = name.count
        if count >= 4 {
            let low = UInt64(name.start.loadUnaligned(as: UInt32.self))
            let high = UInt64(
                name.start.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
            return low | high << 32
        }
        if count == 0 { return 0 }
        let first = UInt64(name.start.load(as: UInt8.self))
        let middle = UInt64(name.start.load(fromByteOffset: count >> 1, as: UInt8.self))
        let last = UInt64(name.start.load(fromByteOffset: count &- 1, as: UInt8.self))
        return first | middle << 8 | last << 16
    }

    @inline(__always)
    private static func slot(_ first: UInt64, _ second: UInt64, _ count: Int) -> Int {
        let mixed = (first ^ second &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(truncatingIfNeeded: count))
        return Int(truncatingIfNeeded: (mixed &* 0xD6E8_FEB8_6659_FD93) >> 40)
    }
}
