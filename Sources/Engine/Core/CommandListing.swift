/// The compatibility table: every command and subcommand the server has, as Markdown.
enum CommandListing {
    /// A table sorted by group, then by name: group, command, since, summary.
    static func markdown(_ commands: [Command]) -> String {
        let rows = commands.flatMap { command in
            [line(command, container: nil)]
                + command.subcommands.map { line($0, container: command) }
        }
        let sorted = rows.sorted { ($0.group, $0.name) < ($1.group, $1.name) }
        return "| Group | Command | Since | Summary |\n| --- | --- | --- | --- |\n"
            + sorted.map(\.text).joined()
    }

    private static func line(
        _ command: Command, container: Command?
    ) -> (group: String, name: String, text: String) {
        let name = container.map { "\($0.name) \(command.name)" } ?? command.name
        let summary = command.summary.split(separator: "|").joined(separator: "\\|")
        let note = command.deprecated.map { " (deprecated since \($0.since))" } ?? ""
        return (
            command.group.rawValue, name,
            "| \(command.group.rawValue) | \(name) | \(command.since) | \(summary)\(note) |\n"
        )
    }
}
