/// What one client has begun with WATCH or MULTI: the requests it queued, which attempts to queue
/// failed, and whether a key it watches has changed.
///
/// **Failed attempts and UNDO.** A request that could not be queued aborts the transaction. It has no
/// place in the queue, so what is remembered of it is how many requests stood there at the time. UNDO
/// brings the transaction back to the moment before the last request that it takes back was sent:
/// failures from later on never happened, earlier ones stand.
///
/// Belongs to a connection while it needs one, and to a pool otherwise.
final class Transaction {
    private(set) var requests = RequestQueue()
    /// Whether a watched key has changed: EXEC will do nothing.
    var isBroken = false
    /// How many requests stood in the queue when others failed; ascending, each number once.
    private var failures: ContiguousArray<Int> = []

    /// Whether a request failed to be queued and was not taken back.
    var isAborted: Bool { !failures.isEmpty }

    /// What its client's watches take, which are kept elsewhere.
    var watchMemory = 0

    var memoryBytes: Int { requests.memoryBytes + failures.capacity * 8 + watchMemory }

    /// Queues a copy of a request; false where there is no memory for it.
    func append(_ arguments: Arguments, command: Int32, flags: UInt64) -> Bool {
        requests.append(arguments, command: command, flags: flags)
    }

    /// Takes note of a request that could not be queued.
    func noteFailure() {
        if failures.last != requests.count { failures.append(requests.count) }
    }

    /// Takes back the last `count` requests, and the attempts that failed since the first of them.
    func undo(_ count: Int) {
        requests.removeLast(count)
        while let failure = failures.last, failure > requests.count { failures.removeLast() }
    }

    /// As new.
    func reset() {
        requests.removeAll()
        failures = []
        isBroken = false
        watchMemory = 0
    }
}
