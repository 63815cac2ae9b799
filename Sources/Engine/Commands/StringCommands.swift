/// Commands of the documented group "string".
enum StringCommands {
    static var table: [Command] {
        [
            Command(
                "GET", .exactly(2), [.readOnly, .fast], group: .string,
                keys: [.at(1, .readOnly, .access)], since: "1.0.0",
                "Returns the string value of a key.", syntax: "key", get),
            Command(
                "SET", .atLeast(3), [.write, .denyOOM], group: .string,
                keys: [.at(1, .readWrite, [.access, .update, .insert, .variableFlags])],
                since: "1.0.0",
                "Sets the string value of a key.", syntax: "key value", set),
            Command(
                "INCR", .exactly(2), [.write, .denyOOM, .fast], group: .string,
                keys: [.at(1, .readWrite, [.access, .update])], since: "1.0.0",
                "Adds one to the integer value of a key.", syntax: "key", incr),
            Command(
                "MSET", .atLeast(3), [.write, .denyOOM], group: .string,
                keys: [.from(1, last: -1, step: 2, .overwrite, .update)], since: "1.0.1",
                "Sets several keys.", syntax: "key value [key value ...]", mset),
        ]
    }

    // MARK: - GET key

    static func get(_ call: inout Call) throws(CommandError) {
        guard let entry = try call.database.readString(call.key(1)) else {
            return call.reply.null()
        }
        call.reply.string(entry)
    }

    static func set(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        try call.database.setString(key, call.arguments[2])
        call.changed(key, .set)
        call.reply.ok()
    }

    static func incr(_ call: inout Call) throws(CommandError) {
        let key = call.key(1)
        guard let entry = try call.database.string(key) else {
            try call.database.setInteger(key, 1, deadline: 0)
            call.changed(key, .incrementBy)
            return call.reply.integer(1)
        }
        guard entry.stringEncoding == .integer else { throw .notInteger }
        let (sum, overflow) = entry.integer.addingReportingOverflow(1)
        if overflow { throw .text("ERR increment or decrement would overflow") }
        entry.integer = sum
        call.changed(key, .incrementBy)
        call.reply.integer(sum)
    }

    static func mset(_ call: inout Call) throws(CommandError) {
        guard call.arguments.count % 2 == 1 else {
            throw .text("ERR wrong number of arguments for 'mset' command")
        }
        var index = 1
        while index < call.arguments.count {
            let key = call.key(index)
            try call.database.setString(key, call.arguments[index &+ 1])
            call.changed(key, .set)
            index &+= 2
        }
        call.reply.ok()
    }
}
