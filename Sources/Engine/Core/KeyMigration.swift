import Glibc
import Reactor

/// Keys on their way to another server: all requests are sent, then all replies are read, and what
/// was stored over there is removed here.
struct KeyMigration {
    /// Where to, and how; ranges are places among the arguments of the request.
    struct Target {
        let host: String
        var port: UInt16 = 0
        var database: Int64 = 0
        /// For each step.
        var timeoutMilliseconds = 1000
        var copies = false
        var replaces = false
        /// The arguments of AUTH.
        var credentials: Range<Int>?
        var keys = 3..<4

        init(host: String) { self.host = host }
    }

    enum Outcome {
        case done
        /// The other server replied this error, perhaps to some of the requests only.
        case refused(String)
        case unreachable
        case cutOffWhileSending
        case cutOffWhileReading
    }

    private let target: Target
    private let keys: [Int]
    /// Those whose requests were sent, in order.
    private var sent: [Int] = []
    private var hasSent = false
    private var answered = 0
    /// Those that were removed here.
    private(set) var moved: [Int] = []
    /// The first error the other server replied.
    private var complaint: String?

    /// - Parameter keys: the places of keys that are there.
    init(of keys: [Int], to target: Target) {
        self.keys = keys
        self.target = target
    }

    mutating func run(_ call: inout Call) -> Outcome {
        let outcome = attempt(&call)
        // A connection from before may have been closed over there: then nothing has happened.
        if case .retry = outcome { return final(attempt(&call)) }
        return final(outcome)
    }

    private enum Attempt {
        case ended
        case unreachable
        case cutOff
        case retry
    }

    private func final(_ attempt: Attempt) -> Outcome {
        switch attempt {
        case .ended: complaint.map { .refused($0) } ?? .done
        case .unreachable: .unreachable
        case .cutOff, .retry: hasSent ? .cutOffWhileReading : .cutOffWhileSending
        }
    }

    private mutating func attempt(_ call: inout Call) -> Attempt {
        let server = call.server
        (hasSent, sent) = (false, [])
        guard
            let link = try? server.migration.link(
                host: target.host, port: Int(target.port),
                now: server.clock.monotonicMilliseconds,
                timeoutMilliseconds: target.timeoutMilliseconds)
        else { return .unreachable }
        do throws(SystemError) {
            try send(over: link, call)
            hasSent = true
            try readReplies(link, &call)
            return .ended
        } catch {
            server.migration.drop(link)
            let isOld = error.code != ETIMEDOUT && error.code != EPROTO
            return answered == 0 && isOld ? .retry : .cutOff
        }
    }

    // MARK: - Requests

    private mutating func send(
        over link: MigrationLink, _ call: borrowing Call
    ) throws(SystemError) {
        var text = ByteBuffer()
        if let credentials = target.credentials {
            text.beginRequest("AUTH", arguments: credentials.count)
            for index in credentials { text.appendArgument(call.arguments[index]) }
        }
        if link.database != target.database {
            text.beginRequest("SELECT", arguments: 1)
            String(target.database).withByteView { text.appendArgument($0) }
        }
        for index in keys { append(index, call, to: &text) }
        try link.send(text.view, timeoutMilliseconds: target.timeoutMilliseconds)
    }

    private mutating func append(_ index: Int, _ call: borrowing Call, to text: inout ByteBuffer) {
        guard let entry = call.database.entry(call.key(index)) else { return }
        let remaining = entry.deadline.map { max(1, $0 - call.now) } ?? 0
        let payload = DumpWriter.payload(
            of: entry, in: call.database, call.server.dumpDialect,
            compresses: call.server.settings.snapshotCompression)
        text.beginRequest("RESTORE", arguments: target.replaces ? 4 : 3)
        text.appendArgument(call.arguments[index])
        String(remaining).withByteView { text.appendArgument($0) }
        text.appendArgument(payload.view)
        if target.replaces { text.appendArgument(ByteView("REPLACE")) }
        sent.append(index)
    }

    // MARK: - Replies

    private mutating func readReplies(
        _ link: MigrationLink, _ call: inout Call
    ) throws(SystemError) {
        if target.credentials != nil { _ = try takeReply(link) }
        if link.database != target.database {
            link.database = try takeReply(link) ? target.database : nil
        }
        let isRefused = complaint != nil
        for index in sent {
            let isStored = try takeReply(link)
            answered += 1
            guard isStored, !isRefused, !target.copies else { continue }
            let key = call.key(index)
            if call.database.remove(key) {
                call.changed(key, .delete)
                moved.append(index)
            }
        }
    }

    /// Whether the next reply is OK; the first error is kept.
    ///
    /// - Throws: EPROTO for whatever is neither: a key goes only when it is known to have arrived.
    private mutating func takeReply(_ link: MigrationLink) throws(SystemError) -> Bool {
        let line = try link.line(timeoutMilliseconds: target.timeoutMilliseconds)
        if line == "+OK" { return true }
        guard line.hasPrefix("-") else { throw SystemError("recv", code: EPROTO) }
        if complaint == nil { complaint = String(line.dropFirst()) }
        return false
    }
}
