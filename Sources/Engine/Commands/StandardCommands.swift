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
            AccessCommands.table,
            CommandCommands.table,
            ConfigCommands.table,
            ServerCommands.table,
            MemoryCommands.table,
            DebugCommands.table,
            ShutdownCommands.table,
            SlowLogCommands.table,
            LatencyCommands.table,
            ListCommands.table,
            BlockingListCommands.table,
            BitmapCommands.table,
            HyperLogLogCommands.table,
            SortedSetCommands.table,
            SortedSetRangeCommands.table,
            SortedSetAlgebraCommands.table,
            BlockingSortedSetCommands.table,
            GeoCommands.table,
            StreamCommands.table,
            StreamReadCommands.table,
            StreamGroupCommands.table,
            StreamInfoCommands.table,
            SortCommand.table,
            TransactionCommands.table,
            PubSubCommands.table,
        ].flatMap { $0 }
    }
}
