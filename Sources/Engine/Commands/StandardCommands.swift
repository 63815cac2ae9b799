/// The list of all groups: what the server can do.
enum StandardCommands {
    static var all: [Command] {
        [
            StringCommands.table,
            SetCommands.table,
            HashCommands.table,
            GenericCommands.table,
            ScanCommands.table,
            ConnectionCommands.table,
            ClientCommands.table,
            CommandCommands.table,
            ConfigCommands.table,
            ServerCommands.table,
            MemoryCommands.table,
            DebugCommands.table,
            ShutdownCommands.table,
            ListCommands.table,
            BlockingListCommands.table,
            BitmapCommands.table,
            HyperLogLogCommands.table,
            SortedSetCommands.table,
            SortedSetRangeCommands.table,
            SortedSetAlgebraCommands.table,
            BlockingSortedSetCommands.table,
            GeoCommands.table,
            SortCommand.table,
            TransactionCommands.table,
            PubSubCommands.table,
        ].flatMap { $0 }
    }
}
