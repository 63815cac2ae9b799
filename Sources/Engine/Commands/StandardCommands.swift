/// The list of all groups: what the server can do.
enum StandardCommands {
    static var all: [Command] {
        StringCommands.table + ConnectionCommands.table + ClientCommands.table
            + CommandCommands.table
    }
}
