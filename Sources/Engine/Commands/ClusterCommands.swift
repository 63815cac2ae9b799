/// CLUSTER and its companions, on a server that belongs to no cluster: clients and tools ask first, and
/// are told so as by a peer where clustering is off.
enum ClusterCommands {
    static var table: [Command] {
        [
            Command(
                "CLUSTER", group: .cluster, since: "3.0.0",
                "Tells of the cluster, and manages it.", subcommands: subcommands),
            Command(
                "ASKING", .exactly(1), [.fast], [.connection], group: .cluster, since: "3.0.0",
                "Lets the next request go to a slot that is being imported.", refuse),
            Command(
                "READONLY", .exactly(1), [.loading, .stale, .fast], [.connection], group: .cluster,
                since: "3.0.0", "Lets the connection read from a replica of the slots it asks for.",
                refuse),
            Command(
                "READWRITE", .exactly(1), [.loading, .stale, .fast], [.connection],
                group: .cluster, since: "3.0.0", "Ends what READONLY began.", refuse),
        ]
    }

    private static let asked: CommandFlags = [.stale]
    private static let whileLoading: CommandFlags = [.loading, .stale]
    private static let administered: CommandFlags = [.admin, .stale]
    private static let changing: CommandFlags = [.admin, .stale, .noAsyncLoading]
    private static let varying = ["nondeterministic_output"]

    private static var subcommands: [Command] {
        slotCommands + nodeCommands + [
            Command(
                "HELP", .exactly(2), whileLoading, group: .cluster, since: "5.0.0",
                "Explains the subcommands.", help)
        ]
    }

    private static var slotCommands: [Command] {
        [
            Command(
                "ADDSLOTS", .atLeast(3), changing, group: .cluster, since: "3.0.0",
                "Makes the node responsible for slots.", syntax: "slot [slot ...]", refuse),
            Command(
                "ADDSLOTSRANGE", .atLeast(4), changing, group: .cluster, since: "7.0.0",
                "Makes the node responsible for ranges of slots.",
                syntax: "start-slot end-slot [start-slot end-slot ...]", refuse),
            Command(
                "COUNTKEYSINSLOT", .exactly(3), asked, group: .cluster, since: "3.0.0",
                "Counts the keys of a slot.", syntax: "slot", refuse),
            Command(
                "DELSLOTS", .atLeast(3), changing, group: .cluster, since: "3.0.0",
                "Makes nobody responsible for slots.", syntax: "slot [slot ...]", refuse),
            Command(
                "DELSLOTSRANGE", .atLeast(4), changing, group: .cluster, since: "7.0.0",
                "Makes nobody responsible for ranges of slots.",
                syntax: "start-slot end-slot [start-slot end-slot ...]", refuse),
            Command(
                "FLUSHSLOTS", .exactly(2), changing, group: .cluster, since: "3.0.0",
                "Makes the node responsible for no slot.", refuse),
            Command(
                "GETKEYSINSLOT", .exactly(4), asked, group: .cluster, since: "3.0.0",
                "Returns keys of a slot.", syntax: "slot count", tips: varying, refuse),
            Command(
                "KEYSLOT", .exactly(3), asked, group: .cluster, since: "3.0.0",
                "Returns the slot of a key.", syntax: "key", refuse),
            Command(
                "SETSLOT", .atLeast(4), changing, group: .cluster, since: "3.0.0",
                "Says who has a slot, or on which way it is.",
                syntax: "slot <IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE>",
                refuse),
            Command(
                "SHARDS", .exactly(2), whileLoading, group: .cluster, since: "7.0.0",
                "Returns the shards with their slots and nodes.", tips: varying, refuse),
            Command(
                "SLOTS", .exactly(2), whileLoading, group: .cluster, since: "3.0.0",
                "Returns which nodes have which slots.", tips: varying,
                deprecated: ("7.0.0", "`CLUSTER SHARDS`"), refuse),
        ]
    }

    private static var nodeCommands: [Command] {
        [
            Command(
                "BUMPEPOCH", .exactly(2), changing, group: .cluster, since: "3.0.0",
                "Advances the epoch of the configuration.", tips: varying, refuse),
            Command(
                "COUNT-FAILURE-REPORTS", .exactly(3), administered, group: .cluster,
                since: "3.0.0", "Counts who reports that a node fails.", syntax: "node-id",
                tips: varying, refuse),
            Command(
                "FAILOVER", .atLeast(2), changing, group: .cluster, since: "3.0.0",
                "Makes the replica that is asked the primary.", syntax: "[FORCE | TAKEOVER]",
                refuse),
            Command(
                "FORGET", .exactly(3), changing, group: .cluster, since: "3.0.0",
                "Removes a node from the table of nodes.", syntax: "node-id", refuse),
            Command(
                "INFO", .exactly(2), asked, group: .cluster, since: "3.0.0",
                "Tells of the state of the node.", tips: varying, refuse),
            Command(
                "LINKS", .exactly(2), asked, group: .cluster, since: "7.0.0",
                "Returns the connections between nodes.", tips: varying, refuse),
            Command(
                "MEET", .atLeast(4), changing, group: .cluster, since: "3.0.0",
                "Joins the cluster of another node.", syntax: "ip port [cluster-bus-port]", refuse),
            Command(
                "MYID", .exactly(2), asked, group: .cluster, since: "3.0.0",
                "Returns the id of the node.", refuse),
            Command(
                "MYSHARDID", .exactly(2), asked, group: .cluster, since: "7.2.0",
                "Returns the id of the node's shard.", tips: varying, refuse),
            Command(
                "NODES", .exactly(2), asked, group: .cluster, since: "3.0.0",
                "Returns the node's view of the cluster.", tips: varying, refuse),
            Command(
                "REPLICAS", .exactly(3), administered, group: .cluster, since: "5.0.0",
                "Returns the replicas of a node.", syntax: "node-id", tips: varying, refuse),
            Command(
                "REPLICATE", .exactly(3), changing, group: .cluster, since: "3.0.0",
                "Makes the node the replica of another.", syntax: "node-id", refuse),
            Command(
                "RESET", .atLeast(2), [.admin, .noScript, .stale], group: .cluster,
                since: "3.0.0", "Makes the node forget the cluster.", syntax: "[HARD | SOFT]",
                refuse),
            Command(
                "SAVECONFIG", .exactly(2), changing, group: .cluster, since: "3.0.0",
                "Writes the file of nodes.", refuse),
            Command(
                "SET-CONFIG-EPOCH", .exactly(3), changing, group: .cluster, since: "3.0.0",
                "Sets the epoch of a new node.", syntax: "config-epoch", refuse),
            Command(
                "SLAVES", .exactly(3), administered, group: .cluster, since: "3.0.0",
                "Returns the replicas of a node.", syntax: "node-id", tips: varying,
                deprecated: ("5.0.0", "`CLUSTER REPLICAS`"), refuse),
        ]
    }

    private static func refuse(_ call: inout Call) throws(CommandError) {
        throw .text("ERR This instance has cluster support disabled")
    }

    private static func help(_ call: inout Call) throws(CommandError) {
        let lines = (slotCommands + nodeCommands).sorted { $0.name < $1.name }.flatMap {
            [$0.syntax.isEmpty ? $0.name : "\($0.name) \($0.syntax)", "    \($0.summary)"]
        }
        call.replyHelp(container: "CLUSTER", lines)
    }
}
