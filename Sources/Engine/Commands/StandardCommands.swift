/// The list of all groups: what the server can do.
enum StandardCommands {
    static var all: [Command] {
        [
            StringCommands.table, GenericCommands.table, ScanCommands.table,
            ConnectionCommands.table, ClientCommands.table, ConfigCommands.table,
            ServerCommands.table, MemoryCommands.table, DebugCommands.table,
            ShutdownCommands.table,
            SortedSetCommands.table, SortedSetRangeCommands.table, SortedSetAlgebraCommands.table,
        ].flatMap { $0 }
    }
}
