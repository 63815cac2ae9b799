/// MODULE, on a server that loads none: what is loaded is asked by tools, and is nothing.
enum ModuleCommands {
    static var table: [Command] {
        [
            Command(
                "MODULE", group: .server, since: "4.0.0", "Tells of modules, and loads them.",
                subcommands: subcommands)
        ]
    }

    private static let changing: CommandFlags = [
        .admin, .noScript, .noAsyncLoading, .protected, .loadsModules,
    ]

    private static var subcommands: [Command] {
        [
            Command(
                "HELP", .exactly(2), [.loading, .stale], group: .server, since: "5.0.0",
                "Explains the subcommands.", help),
            Command(
                "LIST", .exactly(2), [.admin, .noScript], group: .server, since: "4.0.0",
                "Returns the modules that are loaded.", tips: ["nondeterministic_output_order"],
                list),
            Command(
                "LOAD", .atLeast(3), changing, group: .server, since: "4.0.0",
                "Loads a module.", syntax: "path [arg [arg ...]]", load),
            Command(
                "LOADEX", .atLeast(3), changing, group: .server, since: "7.0.0",
                "Loads a module with settings of its own.",
                syntax: "path [CONFIG name value [CONFIG name value ...]] [ARGS args [args ...]]",
                load),
            Command(
                "UNLOAD", .exactly(3), changing, group: .server, since: "4.0.0",
                "Unloads a module.", syntax: "name", unload),
        ]
    }

    private static func list(_ call: inout Call) throws(CommandError) { call.reply.array(0) }

    private static func load(_ call: inout Call) throws(CommandError) {
        call.server.log.warning("MODULE LOAD: this server loads no modules.")
        throw .text("ERR Error loading the extension. Please check the server logs.")
    }

    private static func unload(_ call: inout Call) throws(CommandError) {
        throw .text("ERR Error unloading module: no such module with that name")
    }

    private static func help(_ call: inout Call) throws(CommandError) {
        call.replyHelp(
            container: "MODULE",
            [
                "LIST", "    Return the modules that are loaded: none.",
                "LOAD <path> [<arg> ...]", "    This server loads no modules.",
                "LOADEX <path> [[CONFIG NAME VALUE]...] [ARGS ...]",
                "    This server loads no modules.",
                "UNLOAD <name>", "    There is none to be unloaded.",
            ])
    }
}
