/// What every change did, as requests that do it again: one run of bytes for all who listen, the
/// append-only file and replicas.
///
///     *2 $6 SELECT $1 0   *3 $3 SET $1 k $1 v   *1 $5 MULTI … *1 $4 EXEC
///     |------------- a unit ----------------|   |------ a unit -------|
///
/// A unit is what one request, one transaction or one waiting client did, and what expired meanwhile.
/// Whoever repeats the units in order has the same data, whatever the time is: no clock, no chance and
/// nobody waiting decides about a request in here. A unit of several requests stands in MULTI and EXEC,
/// so that nobody sees a part of it, and a file that ends inside one is cut before it.
///
/// Bytes are appended once, and taken at the end of the turn by all listeners at the same time; `offset`
/// counts them since the start. A trivial handle to state at a fixed address.
struct EffectFeed {
    private struct State: ~Copyable {
        /// A request has the form of a reply of bulks.
        var bytes = ReplyWriter()
        /// Bytes taken before those in `bytes`.
        var takenBytes = 0
        /// The database that the next request is applied to by whoever reads along; -1: not known.
        var database = -1
        /// Where the first request of the open unit stands, behind a SELECT; nil: the unit is empty.
        var unitStart: Int?
        var unitRequests = 0
        var hasStatement = false
        var unlinksExpired = false
        /// Where in `bytes` requests stand that no file takes.
        var asides: [Range<Int>] = []
        /// The bytes without them, when they are asked for.
        var fileBytes = ReplyWriter()
    }

    private let state: UnsafeMutablePointer<State>

    static func create() -> EffectFeed {
        let state = UnsafeMutablePointer<State>.allocate(capacity: 1)
        state.initialize(to: State())
        return EffectFeed(state: state)
    }

    private init(state: UnsafeMutablePointer<State>) { self.state = state }

    func destroy() {
        state.deinitialize(count: 1)
        state.deallocate()
    }

    // MARK: - Listening

    /// The bytes appended since they were last taken; whole units, between two requests.
    var view: ByteView { state.pointee.bytes.view }
    /// The same without what is for replicas alone.
    var fileView: ByteView {
        if state.pointee.asides.isEmpty { return view }
        state.pointee.fileBytes.drain(state.pointee.fileBytes.count)
        var end = 0
        for aside in state.pointee.asides {
            state.pointee.fileBytes.raw(view.slice(end, aside.lowerBound))
            end = aside.upperBound
        }
        state.pointee.fileBytes.raw(view.dropFirst(end))
        return state.pointee.fileBytes.view
    }

    var isEmpty: Bool { state.pointee.bytes.isEmpty }

    /// Bytes appended since the start.
    var offset: Int { state.pointee.takenBytes &+ state.pointee.bytes.count }

    /// What the buffer takes.
    var memoryBytes: Int { state.pointee.bytes.capacity }

    /// Forgets what all listeners have taken.
    func removeAll() {
        precondition(state.pointee.unitRequests == 0, "taken in the middle of a unit")
        state.pointee.takenBytes &+= state.pointee.bytes.count
        state.pointee.bytes.drain(state.pointee.bytes.count)
        if !state.pointee.asides.isEmpty {
            state.pointee.asides = []
            state.pointee.fileBytes = ReplyWriter()
        }
        if state.pointee.bytes.capacity > Self.keptBytes { state.pointee.bytes = ReplyWriter() }
    }

    /// More room than this is given back after a turn that needed it.
    private static let keptBytes = 1 << 20

    /// The database that the next request is applied to by whoever reads along; -1: it will be told.
    var database: Int { state.pointee.database }

    /// Lets the next request be preceded by a SELECT: somebody begins to read here.
    func selectAnew() { state.pointee.database = -1 }

    // MARK: - Requests as they came

    /// Appends a request as it came, applied to database `database`.
    ///
    /// Written anew from its arguments: between them a client may have sent what a reader of files
    /// would stumble over.
    @inline(__always)
    func append(_ arguments: Arguments, in database: Int) {
        beginRequest(arguments.count, in: database)
        var index = 0
        while index < arguments.count {
            state.pointee.bytes.bulk(arguments[index])
            index &+= 1
        }
    }

    /// The same for replicas alone (PUBLISH).
    func appendAside(_ arguments: Arguments, in database: Int) {
        // A SELECT before it is for all: what follows relies on it.
        if database != state.pointee.database { appendSelect(database) }
        let start = state.pointee.bytes.count
        beginRequest(arguments.count, in: database)
        for index in 0..<arguments.count { state.pointee.bytes.bulk(arguments[index]) }
        state.pointee.asides.append(start..<state.pointee.bytes.count)
    }

    // MARK: - Requests made up

    /// Begins a request of `count` arguments, which are then added one by one.
    func begin(_ count: Int, in database: Int) {
        state.pointee.hasStatement = true
        beginRequest(count, in: database)
    }

    /// Says that what was appended, be it nothing, is all there is to repeat.
    func endStatement() { state.pointee.hasStatement = true }

    func add(_ argument: ByteView) { state.pointee.bytes.bulk(argument) }
    func add(_ word: StaticString) { state.pointee.bytes.bulk(word) }
    func add(_ number: Int64) { state.pointee.bytes.bulkInteger(number) }

    /// Appends that `key` went because its time was over.
    func appendExpiry(of key: ByteView, in database: Int) {
        appendRemoval(of: key, in: database, unlinks: unlinksExpired)
    }

    /// Appends that `key` went without a request.
    func appendRemoval(of key: ByteView, in database: Int, unlinks: Bool) {
        beginRequest(2, in: database)
        add(unlinks ? "UNLINK" : "DEL")
        add(key)
    }

    /// The same of a field of the hash at `key`.
    func appendExpiry(ofField field: ByteView, at key: ByteView, in database: Int) {
        beginRequest(3, in: database)
        add("HDEL")
        add(key)
        add(field)
    }

    /// `lazyfree-lazy-expire`.
    var unlinksExpired: Bool {
        get { state.pointee.unlinksExpired }
        nonmutating set { state.pointee.unlinksExpired = newValue }
    }

    // MARK: - Units

    /// Whether requests were stated since the last call: then the one that came is not appended.
    @inline(__always)
    func takeStatement() -> Bool {
        defer { state.pointee.hasStatement = false }
        return state.pointee.hasStatement
    }

    /// Ends the unit; several requests become a transaction unless they have nothing to do with each
    /// other.
    @inline(__always)
    func endUnit(asTransaction: Bool = true) {
        if state.pointee.unitRequests > 1 && asTransaction { wrapUnit() }
        state.pointee.unitRequests = 0
        state.pointee.unitStart = nil
    }

    /// Costs a move of the unit's bytes.
    @inline(never)
    private func wrapUnit() {
        guard let start = state.pointee.unitStart else { return }
        let opening = ByteView("*1\r\n$5\r\nMULTI\r\n")
        state.pointee.bytes.insert(opening, at: start)
        for index in state.pointee.asides.indices
        where state.pointee.asides[index].lowerBound >= start {
            let aside = state.pointee.asides[index]
            state.pointee.asides[index] =
                aside.lowerBound + opening.count..<aside.upperBound + opening.count
        }
        state.pointee.bytes.raw("*1\r\n$4\r\nEXEC\r\n")
    }

    // MARK: - Pieces

    @inline(__always)
    private func beginRequest(_ count: Int, in database: Int) {
        if database != state.pointee.database { appendSelect(database) }
        if state.pointee.unitRequests == 0 { state.pointee.unitStart = state.pointee.bytes.count }
        state.pointee.unitRequests &+= 1
        state.pointee.bytes.array(count)
    }

    @inline(never)
    private func appendSelect(_ database: Int) {
        state.pointee.database = database
        state.pointee.bytes.array(2)
        add("SELECT")
        add(Int64(database))
    }
}
