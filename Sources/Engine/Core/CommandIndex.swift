/// What the hot path needs of the command table: lookup by name, arity, flags, keys, handler.
///
/// A trivial handle to arrays at fixed addresses: a lookup folds the name's first 16 bytes to two
/// words, probes an open-addressed table and compares words; a longer name is compared byte by byte.
/// A name is found in any case and in no other form. Built once, never changed afterwards.
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
        /// The name as two words, and in which of their bits the case of letters may differ.
        fileprivate var firstWord: UInt64 = 0
        fileprivate var secondWord: UInt64 = 0
        fileprivate var firstCase: UInt64 = 0
        fileprivate var secondCase: UInt64 = 0
        fileprivate var nameLength = -1
        /// The name in small letters; the row's own memory.
        fileprivate var name = ByteView.empty

        init(
            handler: @escaping Command.Handler, leastArguments: Int, mostArguments: Int,
            flags: CommandFlags, firstKey: Int32, lastKey: Int32, keyStep: Int32,
            isContainer: Bool, element: Int32
        ) {
            self.handler = handler
            self.leastArguments = leastArguments
            self.mostArguments = mostArguments
            self.flags = flags
            self.firstKey = firstKey
            self.lastKey = lastKey
            self.keyStep = keyStep
            self.isContainer = isContainer
            self.element = element
        }
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
        for row in 0..<state.pointee.count where !state.pointee.rows[row].name.isEmpty {
            state.pointee.rows[row].name.start.deallocate()
        }
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

    /// Calls row `number` by `name`: that of a subcommand is looked for in its container only.
    func setName(_ name: ByteView, _ number: Int32) {
        let row = row(number)
        let copy = UnsafeMutableRawPointer.allocate(byteCount: max(name.count, 1), alignment: 1)
        for (index, byte) in name.array.enumerated() {
            copy.storeBytes(of: Self.lowercased(byte), toByteOffset: index, as: UInt8.self)
        }
        row.pointee.name = ByteView(start: UnsafeRawPointer(copy), count: name.count)
    }

    /// Makes `name` lead to row `number`.
    func insert(name: ByteView, _ number: Int32) {
        let row = row(number)
        setName(name, number)
        let (first, second) = Self.words(row.pointee.name)
        row.pointee.firstWord = first
        row.pointee.secondWord = second
        let letters = row.pointee.name.array.map { Self.isLetter($0) ? Self.caseBit : 0 }
        (row.pointee.firstCase, row.pointee.secondCase) = letters.withByteView(Self.words)
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
            if first | row.pointee.firstCase == row.pointee.firstWord
                && second | row.pointee.secondCase == row.pointee.secondWord
                && row.pointee.nameLength == name.count
                && (name.count <= Self.wordBytes || row.pointee.name.equalsIgnoringCase(name))
            {
                return number
            }
            slot = (slot &+ 1) & state.pointee.slotMask
        }
    }

    /// Whether row `number`, a subcommand's, is called `name`.
    func isCalled(_ name: ByteView, _ number: Int32) -> Bool {
        row(number).pointee.name.equalsIgnoringCase(name)
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

    /// What a small letter has and its capital has not.
    private static let caseBit: UInt8 = 0x20
    /// Names of up to so many bytes are told by their words alone.
    private static let wordBytes = 16

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | caseBit)
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        isLetter(byte) ? byte | caseBit : byte
    }

    /// Bytes 0–7 and the last 8, as they are.
    @inline(__always)
    private static func words(_ name: ByteView) -> (UInt64, UInt64) {
        let count = name.count
        if count < 8 { return (shortWord(name), 0) }
        return (
            name.start.loadUnaligned(as: UInt64.self),
            name.start.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
        )
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

    /// Where the search for a name begins: the same in either case, also for what is no letter.
    @inline(__always)
    private static func slot(_ first: UInt64, _ second: UInt64, _ count: Int) -> Int {
        let small: UInt64 = 0x2020_2020_2020_2020
        let mixed =
            (first | small) ^ (second | small) &* 0x9E37_79B9_7F4A_7C15
            ^ UInt64(truncatingIfNeeded: count)
        return Int(truncatingIfNeeded: (mixed &* 0xD6E8_FEB8_6659_FD93) >> 40)
    }
}
