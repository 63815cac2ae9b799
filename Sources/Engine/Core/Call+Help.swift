/// The reply to `HELP` of a container command, in the form that all of them share.
extension Call {
    /// Replies with an array of simple strings: a heading, `lines`, and how HELP describes itself.
    ///
    /// A line of syntax stands flush, its explanation under it is indented by four blanks. Lines
    /// must not hold line ends.
    mutating func replyHelp(container: String, _ lines: [String]) {
        let heading =
            "\(container) <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
        let all = [heading] + lines + ["HELP", "    Prints this help."]
        reply.array(all.count)
        for line in all { line.withByteView { reply.simple($0) } }
    }

    /// The error of a subcommand whose options make no sense.
    mutating func subcommandSyntax(_ container: String) -> CommandError {
        fail(
            "ERR unknown subcommand or wrong number of arguments for "
                + "'\(arguments[1].prefix(128).string)'. Try \(container) HELP.")
    }
}
