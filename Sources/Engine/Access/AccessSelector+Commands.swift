/// Changing which commands a selector allows, and telling it in as few rules as will do.
extension AccessSelector {
    mutating func allowAllCommands() {
        commands = .all
        allowsAllCommands = true
        firstArguments = [:]
    }

    mutating func forbidAllCommands() {
        commands = CommandSet()
        allowsAllCommands = false
        firstArguments = [:]
    }

    /// Allows or forbids a command, and with a container all it contains.
    mutating func setCommand(_ number: Int, _ allows: Bool, _ catalog: AccessCatalog) {
        commands.set(number, allows)
        if !allows { allowsAllCommands = false }
        firstArguments[number] = nil
        for subcommand in catalog.commands[number].subcommands { commands.set(subcommand, allows) }
    }

    /// Does so with all commands of a category.
    mutating func setCategory(_ bits: UInt32, _ allows: Bool, _ catalog: AccessCatalog) {
        for (number, command) in catalog.commands.enumerated()
        where command.categories & bits != 0 {
            setCommand(number, allows, catalog)
        }
    }

    // MARK: - Telling

    /// The rules that make such a selector, as short as a greedy search finds them.
    ///
    /// As Redis 7.0 tells them: `+@all` or `-@all`, the categories that describe most of the rest,
    /// each chosen for the fewest commands it gets wrong, then single commands.
    func commandRules(_ catalog: AccessCatalog) -> [[UInt8]] {
        let adds = !commands.contains(CommandSet.future)
        var told = AccessSelector(allowsAllChannels: false)
        if !adds { told.allowAllCommands() }
        var rules = [Array((adds ? "-@all" : "+@all").utf8)]
        var left = self
        var unused = Set(catalog.categoryNames.indices)
        while let best = left.bestCategory(among: unused, adds: adds, catalog) {
            unused.remove(best)
            told.setCategory(1 << UInt32(best), adds, catalog)
            left.setCategory(1 << UInt32(best), !adds, catalog)
            rules.append(Array(((adds ? "+@" : "-@") + catalog.categoryNames[best]).utf8))
        }
        for number in catalog.topLevel { tell(number, &told, &rules, catalog) }
        return rules
    }

    /// The category that says most about the commands left, if it says more right than wrong.
    private func bestCategory(
        among candidates: Set<Int>, adds: Bool, _ catalog: AccessCatalog
    ) -> Int? {
        var best: (category: Int, wrong: Int, right: Int)?
        for category in candidates.sorted() {
            var (right, wrong) = (0, 0)
            for (number, command) in catalog.commands.enumerated()
            where command.categories >> UInt32(category) & 1 != 0 {
                if commands.contains(number) == adds { right += 1 } else { wrong += 1 }
            }
            guard right > wrong else { continue }
            if let known = best, (wrong, -right) >= (known.wrong, -known.right) { continue }
            best = (category, wrong, right)
        }
        return best?.category
    }

    /// Tells what the rules so far get wrong about one command and what it contains.
    private func tell(
        _ number: Int, _ told: inout AccessSelector, _ rules: inout [[UInt8]],
        _ catalog: AccessCatalog
    ) {
        let command = catalog.commands[number]
        let isAllowed = commands.contains(number)
        if told.commands.contains(number) != isAllowed {
            rules.append(Array(((isAllowed ? "+" : "-") + command.name).utf8))
            told.setCommand(number, isAllowed, catalog)
        }
        for subcommand in command.subcommands { tell(subcommand, &told, &rules, catalog) }
        guard !isAllowed else { return }
        for argument in firstArguments[number] ?? [] {
            rules.append(Array("+\(command.name)|".utf8) + argument)
        }
    }
}
