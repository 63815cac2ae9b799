import Reactor

/// What a crash report tells beyond registers and stack: who asked for what, and how the server was.
///
/// Asked for in the handler of a fatal signal. Whatever is read here may be half changed or broken, so
/// the most useful comes first, and a second crash ends the report where it is.
extension Server {
    func installCrashHandlers() {
        guard network != nil else { return }
        guard settings.crashLogEnabled else { return Process.removeCrashHandlers() }
        let commit = Process.commit.isEmpty ? "" : ", commit \(Process.commit)"
        Process.installCrashHandlers(
            logPath: log.path.isEmpty ? nil : log.path,
            version: "Apus \(Version.apus)\(commit) (as Redis \(Version.redis))",
            details: { [unowned self] write in tellCrash(write) })
    }

    /// Each part is written before the next is looked for.
    private func tellCrash(_ write: ([UInt8]) -> Void) {
        if let (connection, arguments, number) = requestUnderWay {
            write(Array("\n------ CURRENT REQUEST ------\n".utf8))
            write(describe(arguments, number))
            write(Array("\n\n------ CURRENT CLIENT ------\n".utf8))
            write(Array("\(describeForLog(connection))\n".utf8))
        }
        write(Array("\n------ FUNCTIONS ON THE STACK ------\n".utf8))
        for line in StackNames.lines() { write(Array((line + "\n").utf8)) }
        write(Array("\n------ INFO OUTPUT ------\n".utf8))
        write(Array(info(InfoSection.all).utf8))
    }

    /// The request of the batch that was begun and not finished; none while the server waits.
    var requestUnderWay: (Connection, Arguments, Int32)? {
        for index in 0..<batch.count {
            let request = batch[index]
            let slot = Int(request.slot)
            guard slot < slots.count, !slots[slot].isHeldBack else { continue }
            // A large request is the only one of its slot, and takes no bytes of it.
            let isUnderWay =
                slots[slot].isLarge
                ? slots[slot].connection.id == speaker : slots[slot].executed < request.inputEnd
            guard isUnderWay else { continue }
            return (slots[slot].connection, batch.arguments(of: request), request.command)
        }
        return nil
    }

    /// The request in quotes, without its secrets; only the name of its command where users' data is
    /// to be hidden.
    private func describe(_ arguments: Arguments, _ number: Int32) -> [UInt8] {
        guard number >= 0 else { return Array("(no command, \(arguments.count) arguments)".utf8) }
        let row = commands[number]
        if settings.hidesUserDataFromLog {
            return Array("\(row.fullName) (\(arguments.count) arguments)".utf8)
        }
        let parts = RequestExcerpt.short(
            arguments, hiding: row.command.secrets?(arguments) ?? [], of: nil)
        return OwnedArguments(parts).line
    }
}

extension OwnedArguments {
    /// All of them in quotes, in one line.
    fileprivate var line: [UInt8] { RequestExcerpt.line(view, hiding: []) }
}
