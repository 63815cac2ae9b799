import CLinux
import Glibc

/// Blocks of up to 8 KiB named by 32-bit handles, without a header and counted to the byte.
///
/// Promises: `allocate` and `free` are O(1); a block never moves; blocks whose size is a multiple
/// of 64 are aligned to 64; `allocatedBytes` is exact; memory no longer used goes back to the
/// system, 64 KiB at a time, when the owner has the time for it (`returnPages`). Costs: the round-up
/// to a size class (see `blockBytes`), one 16-byte record a span, and nothing a block. Not for
/// threads.
///
///     reserved range, 2^32 units of 8 (16, 32) bytes; a handle counts units from its start
///     | span 0: never used, so that handle 0 is none | span 1 | span 2 | ... 64 KiB each
///     records (elsewhere, so that counting does not dirty a span's pages after a fork):
///     | free head 2 | bump 2 | live 2 | block size 2 | next span 4 | previous span 4 |
///
/// Must stay true: a span holds blocks of one class only; the spans of a class that have room, and
/// only those, are on the list of that class; a span without a live block is in the pool.
/// `docs/internals/arena.md` draws it.
struct Arena {
    /// Names a block: its distance from the start of the range, in units.
    struct Handle: Equatable, Sendable {
        let raw: UInt32
        /// No block.
        static var none: Handle { Handle(raw: 0) }
        var isNone: Bool { raw == 0 }
    }

    /// The largest block; whatever is larger belongs to the system allocator.
    static var largestBlock: Int { 8192 }
    /// Small enough that an emptied span is likely, large enough that its record weighs nothing.
    static var spanBytes: Int { 1 << spanShift }

    fileprivate static var spanShift: Int { 16 }
    /// 64 classes of 8 bytes, 8 of 64, then one for every number of blocks a span can hold, from 63
    /// down to 8; class 0 unused.
    private static var classCount: Int { 129 }
    /// Free spans that keep their pages, so that a working set which breathes costs no page faults.
    private static var residentSpanReserve: Int { 64 }
    /// How much of the range is opened for writing at a time: a system call each 4 MiB.
    private static var spansPerOpening: Int { 64 }
    /// The end of a span's list of free blocks.
    fileprivate static var noBlock: UInt16 { .max }

    private struct State {
        let base: UnsafeMutableRawPointer
        let reservation: UnsafeMutableRawPointer
        let reservedBytes: Int
        let records: UnsafeMutablePointer<SpanRecord>
        let recordBytes: Int
        /// The first span with room of every class, 0 where there is none.
        let firstWithRoom: UnsafeMutablePointer<UInt32>
        let unitShift: Int
        let spanLimit: UInt32
        /// Spans that only `allocateEssential` may take.
        let essentialSpans: UInt32
        var allocatedBytes = 0
        /// Spans from here on were never used; the ones below `openedSpan` are writable.
        var freshSpan: UInt32 = 1
        var openedSpan: UInt32 = 1
        /// Lists of free spans: with pages, and without.
        var residentSpan: UInt32 = 0
        var returnedSpan: UInt32 = 0
        var residentSpanCount = 0
        var returnedSpanCount = 0
        /// See `onlyGivesBack`.
        var onlyGivesBack = false
    }

    /// What is known of a span; all zero but `next`: never used, or in a pool.
    private struct SpanRecord {
        /// Offsets in 8-byte steps from the start of the span.
        var freeBlock: UInt16 = 0
        var bump: UInt16 = 0
        var live: UInt16 = 0
        /// The size of every block here, in 8-byte steps; 0 while the span is free.
        var steps: UInt16 = 0
        var next: UInt32 = 0
        var previous: UInt32 = 0

        var isFull: Bool {
            freeBlock == Arena.noBlock && Int(bump) &+ Int(steps) > Arena.spanBytes >> 3
        }
    }

    private let state: UnsafeMutablePointer<State>

    // MARK: - Creation

    /// Reserves the range.
    ///
    /// The unit is 8 bytes where that can name all the machine's memory
    /// (32 GiB), else 16 or 32 bytes; `unitShift` and `rangeBytes` say otherwise, for tests.
    static func create(unitShift: Int? = nil, rangeBytes: Int? = nil) -> Arena {
        let shift = unitShift ?? unitShiftForThisMachine()
        precondition(shift >= 3 && shift <= 5, "an arena's unit is 8, 16 or 32 bytes")
        var bytes = Swift.min(rangeBytes ?? .max, 1 << (32 + shift))
        precondition(bytes >= 2 * spanBytes, "an arena needs at least two spans")
        var reservation = map(bytes + spanBytes, PROT_NONE)
        // A limit on address space (ulimit -v) may forbid the whole range; take what there is.
        while reservation == nil && rangeBytes == nil && bytes > 1 << 28 {
            bytes >>= 1
            reservation = map(bytes + spanBytes, PROT_NONE)
        }
        // One record for every span a 32-bit handle can name, so that none can miss the table.
        let recordBytes = MemoryLayout<SpanRecord>.stride << (32 + shift - spanShift)
        guard let reservation, let records = map(recordBytes, PROT_READ | PROT_WRITE) else {
            preconditionFailure("the system refuses address space for the arena")
        }
        let aligned = (UInt(bitPattern: reservation) + UInt(spanBytes - 1)) & ~UInt(spanBytes - 1)
        let first = apus_heap_allocate(classCount * 4).bindMemory(
            to: UInt32.self, capacity: classCount)
        first.initialize(repeating: 0, count: classCount)
        let spanLimit = UInt32(bytes >> spanShift)
        let state = apus_heap_allocate(MemoryLayout<State>.size)
            .bindMemory(to: State.self, capacity: 1)
        state.initialize(
            to: State(
                base: reservation + Int(aligned - UInt(bitPattern: reservation)),
                reservation: reservation, reservedBytes: bytes + spanBytes,
                records: records.bindMemory(
                    to: SpanRecord.self, capacity: recordBytes / MemoryLayout<SpanRecord>.stride),
                recordBytes: recordBytes, firstWithRoom: first, unitShift: shift,
                spanLimit: spanLimit, essentialSpans: Swift.min(1024, spanLimit / 16)))
        return Arena(state: state)
    }

    /// Gives everything back; no handle or address of this arena may be used afterwards.
    func destroy() {
        munmap(state.pointee.reservation, state.pointee.reservedBytes)
        munmap(state.pointee.records, state.pointee.recordBytes)
        apus_heap_free(state.pointee.firstWithRoom)
        apus_heap_free(state)
    }

    private static func unitShiftForThisMachine() -> Int {
        let memory = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
        return memory <= 1 << 35 ? 3 : memory <= 1 << 36 ? 4 : 5
    }

    /// Address space without memory: nothing is charged before it is written.
    private static func map(_ bytes: Int, _ protection: Int32) -> UnsafeMutableRawPointer? {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let start = mmap(nil, bytes, protection, flags, -1, 0)
        return start == UnsafeMutableRawPointer(bitPattern: -1) ? nil : start
    }

    // MARK: - Allocation

    /// A block of at least `bytes` (1 to `largestBlock`), or `.none` when the range is used up.
    ///
    /// The caller then answers its client that there is no memory. The content is undefined.
    func allocate(_ bytes: Int) -> Handle {
        let (steps, index) = sizeClass(of: bytes)
        let span = state.pointee.firstWithRoom[index]
        guard span != 0 else { return allocateInNewSpan(steps, index, essential: false) }
        return take(from: span, index)
    }

    /// As `allocate`, with the last 64 MiB of the range to draw on: for blocks without which a
    /// structure cannot stay whole.
    ///
    /// Stops the process where even they are gone.
    func allocateEssential(_ bytes: Int) -> Handle {
        let (steps, index) = sizeClass(of: bytes)
        let span = state.pointee.firstWithRoom[index]
        guard span == 0 else { return take(from: span, index) }
        let handle = allocateInNewSpan(steps, index, essential: true)
        precondition(!handle.isNone, "the arena is exhausted to its last reserve")
        return handle
    }

    /// Takes back the block; `bytes` is what was asked for, or what `blockBytes` made of it.
    func free(_ handle: Handle, _ bytes: Int) {
        let (steps, index) = sizeClass(of: bytes)
        let shift = state.pointee.unitShift
        let span = handle.raw &>> UInt32(truncatingIfNeeded: Arena.spanShift &- shift)
        let record = state.pointee.records + Int(span)
        precondition(Int(record.pointee.steps) == steps, "a block is freed with a wrong size")
        let block = address(handle)
        let offset = UInt16(truncatingIfNeeded: Int(bitPattern: block) >> 3) & 0x1fff
        assert(Int(offset) % steps == 0 && offset < record.pointee.bump, "not the start of a block")
        let wasFull = record.pointee.isFull
        if state.pointee.onlyGivesBack { return giveBack(span, index) }
        #if DEBUG
            let word = block.load(as: UInt64.self)
            precondition(word >> 16 != Arena.mark(of: block), "a block is freed twice")
        #endif
        block.storeBytes(
            of: UInt64(record.pointee.freeBlock) | Arena.mark(of: block) << 16, as: UInt64.self)
        record.pointee.freeBlock = offset
        record.pointee.live -= 1
        state.pointee.allocatedBytes &-= steps << 3
        if record.pointee.live == 0 {
            release(span, index)
        } else if wasFull {
            link(span, index)
        }
    }

    /// Where the block lies; valid until it is freed.
    func address(_ handle: Handle) -> UnsafeMutableRawPointer {
        assert(!handle.isNone, "no block has no address")
        // `&<<` here and elsewhere: the plain operator asks whether the shift is too far.
        return state.pointee.base + Int(handle.raw) &<< state.pointee.unitShift
    }

    /// Where blocks lie, as `address` says it, without a look into the arena for each.
    struct AddressMap {
        fileprivate let base: UnsafeMutableRawPointer
        fileprivate let shift: Int

        @inline(__always)
        func address(_ handle: Handle) -> UnsafeMutableRawPointer {
            base + Int(handle.raw) &<< shift
        }
    }

    var addressMap: AddressMap {
        AddressMap(base: state.pointee.base, shift: state.pointee.unitShift)
    }

    /// The handle of the block that starts at `address`.
    func handle(at address: UnsafeRawPointer) -> Handle {
        precondition(contains(address), "the address lies outside the arena")
        let distance = address - UnsafeRawPointer(state.pointee.base)
        return Handle(raw: UInt32(truncatingIfNeeded: distance &>> state.pointee.unitShift))
    }

    /// Whether `address` lies in a part of the range that was handed out at some time.
    func contains(_ address: UnsafeRawPointer) -> Bool {
        let distance = address - UnsafeRawPointer(state.pointee.base)
        return distance >= Arena.spanBytes && distance >> Arena.spanShift < state.pointee.freshSpan
    }

    // MARK: - Sizes

    /// The bytes really taken for `bytes`: a multiple of 8 up to 512, of 64 up to 1024, and beyond
    /// as much as leaves a span with as many blocks (at most a seventh more, 2% on average at
    /// 2 KiB); at most `largestBlock`.
    static func blockBytes(for bytes: Int) -> Int { sizeClass(of: bytes, unitMask: 7).steps << 3 }

    /// As the static one, and exact also where this arena's unit is larger than 8 bytes.
    func blockBytes(for bytes: Int) -> Int { sizeClass(of: bytes).steps << 3 }

    private func sizeClass(of bytes: Int) -> (steps: Int, index: Int) {
        Arena.sizeClass(of: bytes, unitMask: 1 &<< state.pointee.unitShift &- 1)
    }

    /// The size in 8-byte steps and the number of the class.
    ///
    /// Every class above 512 bytes is a multiple of 64, so that a larger unit only thins out the
    /// classes up to 512.
    private static func sizeClass(of bytes: Int, unitMask: Int) -> (steps: Int, index: Int) {
        precondition(bytes > 0 && bytes <= largestBlock, "no block of this size in an arena")
        if bytes <= 512 {
            let steps = ((bytes &+ unitMask) & ~unitMask) >> 3
            return (steps, steps)
        }
        let lines = (bytes &+ 63) >> 6
        if lines <= 16 { return (lines << 3, 56 &+ lines) }
        // A smaller block would not make room for one more.
        let blocks = (spanBytes >> 6) / lines
        return (((spanBytes >> 6) / blocks) << 3, 136 &- blocks)
    }

    // MARK: - Figures

    /// The sum of the sizes of the live blocks, exactly.
    var allocatedBytes: Int { state.pointee.allocatedBytes }

    /// The spans that hold blocks or keep pages for the next ones: an upper bound of resident size.
    var committedBytes: Int {
        (Int(state.pointee.freshSpan) - 1 - state.pointee.returnedSpanCount) << Arena.spanShift
    }

    /// The spans in the pool that still have their pages.
    var reserveBytes: Int { state.pointee.residentSpanCount << Arena.spanShift }

    /// The most that could ever be allocated.
    var capacityBytes: Int { (Int(state.pointee.spanLimit) - 1) << Arena.spanShift }

    /// Free spans with pages beyond those kept for the next blocks.
    @inline(__always)
    var excessSpans: Int {
        Swift.max(0, state.pointee.residentSpanCount &- Arena.residentSpanReserve)
    }

    /// Gives the pages of up to `limit` free spans back to the system, as long as there are more
    /// than are kept; a system call of some ten microseconds each.
    func returnPages(limit: Int) {
        for _ in 0..<Swift.min(limit, excessSpans) { returnPagesOfOneSpan() }
    }

    /// Whether `free` frees nothing, but gives the pages of a span back to the system once it was
    /// called for all its blocks.
    ///
    /// For a forked child, whose memory is a copy, and to its end: no page is written to, which would
    /// be one more to copy, and none is used again. What `checkInvariants` asks of spans without a
    /// live block does not hold from then on.
    var onlyGivesBack: Bool {
        get { state.pointee.onlyGivesBack }
        nonmutating set { state.pointee.onlyGivesBack = newValue }
    }

    @inline(never)
    private func giveBack(_ span: UInt32, _ index: Int) {
        let record = state.pointee.records + Int(span)
        record.pointee.live -= 1
        guard record.pointee.live == 0 else { return }
        if !record.pointee.isFull { unlink(span, index) }
        madvise(start(of: span), Arena.spanBytes, MADV_DONTNEED)
    }

    /// Gives the pages of all free spans back to the system; O(free spans), a system call each.
    func trim() {
        while state.pointee.residentSpan != 0 { returnPagesOfOneSpan() }
    }
}

// MARK: - Blocks of a span

extension Arena {
    /// Tells a free block from a live one: hard to write by accident, different at each address.
    private static func mark(of block: UnsafeMutableRawPointer) -> UInt64 {
        (UInt64(UInt(bitPattern: block)) ^ 0xa5c3_96e1_78d2) & 0xffff_ffff_ffff
    }

    private func start(of span: UInt32) -> UnsafeMutableRawPointer {
        state.pointee.base + Int(span) << Arena.spanShift
    }

    /// The block freed last, else the first one never used.
    private func take(from span: UInt32, _ index: Int) -> Handle {
        let record = state.pointee.records + Int(span)
        let offset: UInt16
        if record.pointee.freeBlock != Arena.noBlock {
            offset = record.pointee.freeBlock
            let block = start(of: span) + Int(offset) << 3
            let word = block.load(as: UInt64.self)
            precondition(
                word >> 16 == Arena.mark(of: block), "a block was written to after its end")
            record.pointee.freeBlock = UInt16(truncatingIfNeeded: word)
        } else {
            offset = record.pointee.bump
            record.pointee.bump = offset &+ record.pointee.steps
        }
        #if DEBUG
            // No live block may look free, not even with what its span held in an earlier life.
            (start(of: span) + Int(offset) << 3).storeBytes(of: 0, as: UInt64.self)
        #endif
        record.pointee.live &+= 1
        state.pointee.allocatedBytes &+= Int(record.pointee.steps) << 3
        if record.pointee.isFull { unlink(span, index) }
        let distance = Int(span) << Arena.spanShift | Int(offset) << 3
        return Handle(raw: UInt32(truncatingIfNeeded: distance &>> state.pointee.unitShift))
    }

    @inline(never)
    private func allocateInNewSpan(_ steps: Int, _ index: Int, essential: Bool) -> Handle {
        guard let span = takeSpan(essential: essential) else { return .none }
        state.pointee.records[Int(span)] = SpanRecord(
            freeBlock: Arena.noBlock, steps: UInt16(steps))
        link(span, index)
        return take(from: span, index)
    }

    /// Puts a span with room on the list of its class, second: the first one goes on being filled,
    /// and spans that have had room for long are left alone, so that they can empty.
    private func link(_ span: UInt32, _ index: Int) {
        let records = state.pointee.records
        let first = state.pointee.firstWithRoom[index]
        let second = first == 0 ? 0 : records[Int(first)].next
        records[Int(span)].previous = first
        records[Int(span)].next = second
        if first == 0 {
            state.pointee.firstWithRoom[index] = span
        } else {
            records[Int(first)].next = span
        }
        if second != 0 { records[Int(second)].previous = span }
    }

    private func unlink(_ span: UInt32, _ index: Int) {
        let records = state.pointee.records
        let (next, previous) = (records[Int(span)].next, records[Int(span)].previous)
        if previous == 0 {
            state.pointee.firstWithRoom[index] = next
        } else {
            records[Int(previous)].next = next
        }
        if next != 0 { records[Int(next)].previous = previous }
    }
}

// MARK: - The pool of spans

extension Arena {
    /// A span without blocks: one with pages, one without, or the next one never used.
    private func takeSpan(essential: Bool) -> UInt32? {
        if state.pointee.residentSpan != 0 {
            let span = state.pointee.residentSpan
            state.pointee.residentSpan = state.pointee.records[Int(span)].next
            state.pointee.residentSpanCount -= 1
            return span
        }
        let reserve = essential ? 0 : Int(state.pointee.essentialSpans)
        let fresh = Int(state.pointee.spanLimit - state.pointee.freshSpan)
        guard fresh + state.pointee.returnedSpanCount > reserve else { return nil }
        if state.pointee.returnedSpan != 0 {
            let span = state.pointee.returnedSpan
            state.pointee.returnedSpan = state.pointee.records[Int(span)].next
            state.pointee.returnedSpanCount -= 1
            return span
        }
        let span = state.pointee.freshSpan
        if span >= state.pointee.openedSpan && !openSpans() { return nil }
        state.pointee.freshSpan += 1
        return span
    }

    /// Makes the next part of the range writable; false where the system's limit on memory is met.
    private func openSpans() -> Bool {
        let first = state.pointee.openedSpan
        let count = Swift.min(UInt32(Arena.spansPerOpening), state.pointee.spanLimit - first)
        let bytes = Int(count) << Arena.spanShift
        guard mprotect(start(of: first), bytes, PROT_READ | PROT_WRITE) == 0 else { return false }
        state.pointee.openedSpan = first + count
        return true
    }

    /// The last block of `span` is gone.
    ///
    /// Its pages stay: blocks freed in the order of a hash empty thousands of spans within the last
    /// few of them, and the system takes longer for one span than this for a hundred blocks.
    @inline(never)
    private func release(_ span: UInt32, _ index: Int) {
        unlink(span, index)
        state.pointee.records[Int(span)] = SpanRecord(next: state.pointee.residentSpan)
        state.pointee.residentSpan = span
        state.pointee.residentSpanCount += 1
    }

    private func returnPagesOfOneSpan() {
        let span = state.pointee.residentSpan
        state.pointee.residentSpan = state.pointee.records[Int(span)].next
        state.pointee.residentSpanCount -= 1
        madvise(start(of: span), Arena.spanBytes, MADV_DONTNEED)
        state.pointee.records[Int(span)] = SpanRecord(next: state.pointee.returnedSpan)
        state.pointee.returnedSpan = span
        state.pointee.returnedSpanCount += 1
    }
}

// MARK: - Checks

extension Arena {
    /// Stops the process where a promise in the header does not hold; O(spans), for tests.
    func checkInvariants() {
        var bytes = 0
        var withRoom = 0
        for span in 1..<Int(state.pointee.freshSpan) {
            let record = state.pointee.records[span]
            precondition((record.steps == 0) == (record.live == 0), "a span is empty or in use")
            bytes += Int(record.live) * Int(record.steps) * 8
            if record.steps != 0 && !record.isFull { withRoom += 1 }
        }
        precondition(bytes == state.pointee.allocatedBytes, "allocated bytes are exact")
        for index in 0..<Arena.classCount {
            var (previous, span) = (UInt32(0), state.pointee.firstWithRoom[index])
            while span != 0 {
                let record = state.pointee.records[Int(span)]
                precondition(record.previous == previous, "lists of spans are linked both ways")
                precondition(!record.isFull, "a listed span has room")
                precondition(
                    sizeClass(of: Int(record.steps) * 8).index == index, "one class a list")
                withRoom -= 1
                (previous, span) = (span, record.next)
            }
        }
        precondition(withRoom == 0, "every span with room is listed")
    }
}
