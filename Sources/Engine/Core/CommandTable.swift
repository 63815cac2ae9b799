/// All commands by name, and what the hot path needs to know of each, by number.
///
/// A command's number is its place in the table; subcommands have numbers of their own. Built once;
/// lookup of a name is one probe of a small open-addressed table on its first and last bytes.
final class CommandTable {
    /// A command as a call finds it.
    struct Row {
        let command: Command
        /// Name as INFO and ACL write it: `get`, `config|set`.
        let fullName: String
        /// Number of the container, -1 for a command that stands alone.
        let container: Int32
        let number: Int32
        /// Smallest and largest number of arguments.
        let leastArguments: Int
        let mostArguments: Int
        let flags: CommandFlags
        let categories: CommandCategories
        /// The legacy triple of COMMAND INFO, derived from the key specifications.
        let firstKey: Int
        let lastKey: Int
        let keyStep: Int
        /// Numbers of the subcommands, in documented order.
        var subcommands: [Int32]
        let handler: Command.Handler

        func accepts(_ count: Int) -> Bool { count >= leastArguments && count <= mostArguments }
    }

    private(set) var rows: [Row] = []
    /// Numbers of the top-level commands.
    private(set) var topLevel: [Int32] = []
    /// How the keys of requests are found, by number.
    private(set) var keyPlans: ContiguousArray<KeyExtraction.Plan> = []
    /// What the hot path reads; trivial, and without reference counting.
    private(set) var index: CommandIndex
    /// Commands that a configuration has renamed, by the names they were born with, in lower case.
    private var numbersByBirthName: [String: Int32] = [:]
    /// Names a configuration took away or gave (`rename-command`).
    private var renamed: [(from: String, to: String)] = []

    init(_ commands: [Command], renaming: [(from: String, to: String)] = []) {
        let total = commands.reduce(0) { $0 + 1 + $1.subcommands.count }
        index = CommandIndex.create(capacity: total)
        renamed = renaming
        for command in commands { add(command) }
    }

    deinit { index.destroy() }

    var count: Int { rows.count }

    subscript(number: Int32) -> Row { rows[Int(number)] }

    private func add(_ command: Command) {
        let number = append(command, container: nil)
        let birthName = Self.folded(command.name)
        var name = birthName
        for rename in renamed where !name.isEmpty && Self.folded(rename.from) == name {
            name = Self.folded(rename.to)
        }
        if name != birthName { numbersByBirthName[birthName] = number }
        if !name.isEmpty {
            topLevel.append(number)
            name.withByteView { index.insert(name: $0, number) }
        }
        for subcommand in command.subcommands {
            let subnumber = append(subcommand, container: number)
            rows[Int(number)].subcommands.append(subnumber)
            subcommand.name.withByteView { index.setName($0, subnumber) }
        }
    }

    private func append(_ command: Command, container: Int32?) -> Int32 {
        let number = Int32(rows.count)
        let keys = KeyExtraction.legacyTriple(command.keys)
        var flags = command.flags
        if keys.movable || (command.keyFinder != nil && command.keys.isEmpty) {
            flags.insert(.movableKeys)
        }
        let (least, most) =
            switch command.arity {
            case .exactly(let count): (count, count)
            case .atLeast(let count): (count, Int.max)
            }
        let name = Self.folded(command.name)
        rows.append(
            Row(
                command: command,
                fullName: container.map { rows[Int($0)].fullName + "|" + name } ?? name,
                container: container ?? -1, number: number, leastArguments: least,
                mostArguments: most, flags: flags, categories: Self.categories(command),
                firstKey: keys.first, lastKey: keys.last, keyStep: keys.step, subcommands: [],
                handler: command.handler))
        keyPlans.append(KeyExtraction.Plan(command))
        index.append(
            CommandIndex.Row(
                handler: command.handler, leastArguments: least,
                // A protected command takes the long way, which looks at the configuration.
                mostArguments: flags.contains(.protected) ? -1 : most,
                flags: flags, firstKey: Int32(keys.first), lastKey: Int32(keys.last),
                keyStep: Int32(keys.step), isContainer: !command.subcommands.isEmpty,
                element: Int32(command.element)))
        return number
    }

    /// Explicit categories, and those that flags and group imply; a container is of no group's.
    private static func categories(_ command: Command) -> CommandCategories {
        var categories = command.categories
        if command.subcommands.isEmpty { categories.formUnion(command.group.category) }
        if command.flags.contains(.write) { categories.insert(.write) }
        if command.flags.contains(.readOnly) && !categories.contains(.scripting) {
            categories.insert(.read)
        }
        if command.flags.contains(.admin) { categories.formUnion([.admin, .dangerous]) }
        if command.flags.contains(.pubSub) { categories.insert(.pubSub) }
        if command.flags.contains(.blocking) { categories.insert(.blocking) }
        categories.insert(command.flags.contains(.fast) ? .fast : .slow)
        return categories
    }

    // MARK: - Renaming

    /// What is wrong with the `rename-command` lines of a configuration, obeyed in their order.
    ///
    /// A command that is not there may be renamed or taken away: one that a later version brings.
    static func problem(in renames: [(from: String, to: String)], of names: [String]) -> String? {
        var taken = Set(names.map { folded($0) })
        for rename in renames {
            guard taken.remove(folded(rename.from)) != nil, !rename.to.isEmpty else { continue }
            guard taken.insert(folded(rename.to)).inserted else {
                return
                    "rename-command \(rename.from) \(rename.to): Target command name already exists"
            }
        }
        return nil
    }

    private static func folded(_ name: String) -> String {
        name.withByteView { $0.lowercasedText }
    }

    // MARK: - Lookup

    /// The number of the command called `name` in any case, -1 if there is none.
    @inline(__always)
    func find(_ name: ByteView) -> Int32 { index.find(name) }

    /// The same for a recorded request: a renamed command also goes by the name it was born with.
    func findRecorded(_ name: ByteView) -> Int32 {
        let number = index.find(name)
        guard number < 0, !numbersByBirthName.isEmpty else { return number }
        return numbersByBirthName[name.lowercasedText] ?? -1
    }

    /// The subcommand of `container` called `name`, -1 if there is none.
    func findSubcommand(of container: Int32, _ name: ByteView) -> Int32 {
        for number in rows[Int(container)].subcommands where index.isCalled(name, number) {
            return number
        }
        return -1
    }

    /// The row for `name`, which may be `container|subcommand`.
    func row(named name: String) -> Row? {
        let parts = name.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false)
        let number = String(parts.first ?? "").withByteView { find($0) }
        guard number >= 0 else { return nil }
        if parts.count == 1 { return self[number] }
        let subnumber = String(parts[1]).withByteView { findSubcommand(of: number, $0) }
        return subnumber >= 0 ? self[subnumber] : nil
    }
}
