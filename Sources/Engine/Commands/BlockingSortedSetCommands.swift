/// Commands of the documented group "sorted-set" that wait for a member.
///
/// Each runs twice when it has to wait: once as it comes, and again when a key it named appears, on
/// that key alone (`Call.appearedKey`).
enum BlockingSortedSetCommands {
    static var table: [Command] {
        let remove = KeySpec.Flags([.access, .delete])
        return [
            Command(
                "BZMPOP", .atLeast(5), [.write, .blocking], group: .sortedSet,
                keys: [.counted(at: 2, .readWrite, remove)], since: "7.0.0",
                """
                Removes members of the lowest or highest scores from the first set that has any; \
                waits for them if need be.
                """, syntax: "timeout numkeys key [key ...] <MIN | MAX> [COUNT count]", bzmpop),
            Command(
                "BZPOPMAX", .atLeast(3), [.write, .blocking, .fast],
                group: .sortedSet,
                keys: [.from(1, last: -2, .readWrite, remove)], since: "5.0.0",
                "Removes the member of the highest score; waits for one if need be.",
                syntax: "key [key ...] timeout", bzpopmax),
            Command(
                "BZPOPMIN", .atLeast(3), [.write, .blocking, .fast],
                group: .sortedSet,
                keys: [.from(1, last: -2, .readWrite, remove)], since: "5.0.0",
                "Removes the member of the lowest score; waits for one if need be.",
                syntax: "key [key ...] timeout", bzpopmin),
        ]
    }

    // MARK: - BZPOPMIN, BZPOPMAX key [key ...] timeout

    /// Reply: key, member and score; a null array when the time is over.
    static func bzpopmin(_ call: inout Call) throws(CommandError) { try pop(&call, .lowest) }
    static func bzpopmax(_ call: inout Call) throws(CommandError) { try pop(&call, .highest) }

    private static func pop(
        _ call: inout Call, _ end: SortedSetCommands.End
    ) throws(CommandError) {
        let last = call.arguments.count - 1
        let deadline = try call.deadline(call.arguments[last])
        for index in 1..<last where call.mayServe(index) {
            let key = call.key(index)
            guard let entry = try call.database.entry(key, of: .sortedSet) else { continue }
            call.reply.array(3)
            call.reply.bulk(key.bytes)
            SortedSetCommands.take(&call, key, entry, end, 1, isNested: false)
            if call.isPropagated { call.propagate(end.popName, key) }
            return
        }
        guard call.mayBlock else { return call.reply.nullArray() }
        call.block(on: 1..<last, of: .sortedSet, until: deadline)
    }

    // MARK: - BZMPOP timeout numkeys key [key ...] MIN | MAX [COUNT count]

    static func bzmpop(_ call: inout Call) throws(CommandError) {
        let request = try SortedSetCommands.PopRequest(call.arguments, countIndex: 2)
        let deadline = try call.deadline(call.arguments[1])
        if try SortedSetCommands.popFirst(&call, request) { return }
        guard call.mayBlock else { return call.reply.nullArray() }
        call.block(on: request.keys, of: .sortedSet, until: deadline)
    }
}
