/// One execution of a command: what it was given, where it replies, and what it did.
///
/// Made once for a batch and refilled for each request, so that what it holds on to is paid for per
/// batch. A handler reaches everything through it, by name; handlers keep nothing of it.
struct Call: ~Copyable {
    let server: Server
    let keyspace: Keyspace
    /// Who sent the request.
    var connection: Connection
    /// The database the session has selected.
    var database: Database
    var arguments: Arguments
    /// The number of the command's row.
    var command: Int32
    var reply: ReplyWriter
    /// When the command before it ended, in ticks, where this one begins with that; 0: it does not.
    var endTicks: UInt64 = 0
    /// Whether a command may make its client wait: not inside a transaction or a script.
    var mayBlock = true
    /// Set when it does.
    var blocks = false
    /// Where the key stands whose appearance let a waiting command run again; 0: it runs for the
    /// first time.
    var appearedKey = 0

    init(server: Server, connection: Connection) {
        self.server = server
        self.connection = connection
        keyspace = server.keyspace
        database = server.keyspace[connection.session.database]
        arguments = Arguments.none
        command = 0
        reply = ReplyWriter()
    }

    /// The wall clock in milliseconds.
    var now: Int64 { keyspace.now }

    var row: CommandTable.Row { server.commands[command] }

    // MARK: - Keys

    /// The key at `index`, hashed; for keys found ahead of execution that has been done already.
    @inline(__always)
    func key(_ index: Int) -> Key {
        let hash = arguments.hash(index)
        let bytes = arguments[index]
        return Key(bytes: bytes, hash: hash != 0 ? hash : keyspace.hasher.hash(bytes))
    }

    // MARK: - Effects

    /// States that this call changed `key`.
    ///
    /// Replication, AOF, WATCH, notifications, tracking and the waking of blocked clients follow
    /// from it.
    @inline(__always)
    func changed(_ key: Key, _ event: KeyEvent, by changes: Int = 1) {
        keyspace.changed(key.bytes, event, in: database, by: changes)
    }

    @inline(__always)
    func changed(_ key: Key, _ event: KeyEvent, in database: Database) {
        keyspace.changed(key.bytes, event, in: database)
    }

    /// States an event that goes with a change already counted, or that changes nothing.
    @inline(__always)
    func notify(_ key: Key, _ event: KeyEvent) {
        keyspace.changed(key.bytes, event, in: database, by: 0)
    }

    /// States that the call changed the data in a way no key event tells (FLUSHALL, SWAPDB).
    func changedWholesale(by changes: Int = 1) {
        keyspace.counters.changes &+= changes
        if keyspace.interest.contains(.tracking) { server.invalidateAll() }
    }

    // MARK: - Limits

    /// Whether the client is closed because more is to be sent to it than it may leave unread: what a
    /// command writes behind that is for nobody.
    ///
    /// For loops whose length the client chooses; to be asked once in a while.
    mutating func isCutOff() -> Bool {
        server.checkOutputLimit(&self)
        return connection.gate.contains(.closing)
    }

    /// Whether so many repetitions may be tried: without a limit of output memory is what would end
    /// them.
    func mayRepeat(_ count: Int) -> Bool {
        count <= Self.mostRepetitions || server.settings.clientOutputLimits.normal.hardBytes > 0
    }

    /// More repetitions would be a reply of gigabytes; the peers try until memory ends.
    private static let mostRepetitions = 100_000_000

    // MARK: - Failing

    /// Writes an error whose text depends on the request: `throw call.fail("ERR …")`.
    mutating func fail(_ text: String) -> CommandError {
        reply.error(text)
        return .replied
    }
}
