/// Commands of the documented group "list" that wait for an element.
///
/// Each runs twice when it has to wait: once as it comes, and again when a key it named appears, on
/// that key alone (`Call.appearedKey`).
enum BlockingListCommands {
    static var table: [Command] {
        let remove = KeySpec.Flags([.access, .delete])
        let move = [KeySpec.at(1, .readWrite, remove), .at(2, .readWrite, [.insert])]
        return [
            Command(
                "BLPOP", .atLeast(3), [.write, .blocking], group: .list,
                keys: [.from(1, last: -2, .readWrite, remove)], since: "2.0.0",
                "Removes the first element of the first list that has one; waits for it if need be.",
                syntax: "key [key ...] timeout", blpop),
            Command(
                "BRPOP", .atLeast(3), [.write, .blocking], group: .list,
                keys: [.from(1, last: -2, .readWrite, remove)], since: "2.0.0",
                "Removes the last element of the first list that has one; waits for it if need be.",
                syntax: "key [key ...] timeout", brpop),
            Command(
                "BLMPOP", .atLeast(5), [.write, .blocking, .movableKeys], group: .list,
                keys: [.counted(at: 2, .readWrite, remove)], since: "7.0.0",
                "Removes elements from the first list that has some; waits for them if need be.",
                syntax: "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]", blmpop),
            Command(
                "BLMOVE", .exactly(6), [.write, .denyOOM, .blocking], group: .list, keys: move,
                since: "6.2.0",
                "Moves an element between the ends of two lists; waits for it if need be.",
                syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout", blmove),
            Command(
                "BRPOPLPUSH", .exactly(4), [.write, .denyOOM, .blocking], group: .list, keys: move,
                since: "2.2.0",
                "Moves the last element of a list to the front of another; waits for it if need be.",
                syntax: "source destination timeout",
                deprecated: ("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments"),
                brpoplpush),
        ]
    }

    // MARK: - BLPOP, BRPOP key [key ...] timeout

    /// Reply: the key and the element; a null array when the time is over.
    static func blpop(_ call: inout Call) throws(CommandError) { try pop(&call, from: .front) }
    static func brpop(_ call: inout Call) throws(CommandError) { try pop(&call, from: .back) }

    private static func pop(_ call: inout Call, from end: ListEnd) throws(CommandError) {
        let last = call.arguments.count - 1
        let deadline = try call.deadline(call.arguments[last])
        for index in 1..<last where call.mayServe(index) {
            let key = call.key(index)
            guard let list = try call.database.list(at: key) else { continue }
            call.reply.array(2)
            call.reply.bulk(key.bytes)
            call.reply.bulk(list.value(at: end))
            list.removeEnd(end)
            call.changed(key, end.popEvent)
            if list.count == 0 { ListCommands.removeEmpty(list, key, &call) }
            if call.isPropagated { call.propagate(end == .front ? "LPOP" : "RPOP", key) }
            return
        }
        guard call.mayBlock else { return call.reply.nullArray() }
        call.block(on: 1..<last, of: .list, until: deadline)
    }

    // MARK: - BLMPOP timeout numkeys key [key ...] LEFT | RIGHT [COUNT count]

    static func blmpop(_ call: inout Call) throws(CommandError) {
        let request = try ListCommands.MultiPop(&call, from: 2)
        let deadline = try call.deadline(call.arguments[1])
        if try ListCommands.popFirst(request, &call) { return }
        guard call.mayBlock else { return call.reply.nullArray() }
        call.block(on: request.keys, of: .list, until: deadline)
    }

    // MARK: - BLMOVE source destination LEFT | RIGHT LEFT | RIGHT timeout, BRPOPLPUSH

    static func blmove(_ call: inout Call) throws(CommandError) {
        guard let from = ListEnd(call.arguments[3]), let to = ListEnd(call.arguments[4]) else {
            throw .syntax
        }
        try move(&call, from: from, to: to, timeout: call.arguments[5])
    }

    /// The same move by the command that does not wait, whose name is the same but for the B and
    /// which has no timeout.
    private static func propagateMove(_ call: borrowing Call) {
        let count = call.arguments.count - 1
        let request = call.beginPropagated(count == 5 ? "LMOVE" : "RPOPLPUSH", count)
        for index in 1..<count { request.add(call.arguments[index]) }
    }

    static func brpoplpush(_ call: inout Call) throws(CommandError) {
        try move(&call, from: .back, to: .front, timeout: call.arguments[3])
    }

    private static func move(
        _ call: inout Call, from: ListEnd, to: ListEnd, timeout: ByteView
    ) throws(CommandError) {
        let deadline = try call.deadline(timeout)
        if try ListCommands.move(&call, from: from, to: to) {
            if call.isPropagated { propagateMove(call) }
            return
        }
        guard call.mayBlock else { return call.reply.null() }
        call.block(on: 1..<2, of: .list, until: deadline)
    }
}
