import Glibc
import Reactor

/// The program `apus-server`: what its command line asks for, and with which exit status it ends.
public enum ServerProgram {
    /// Does what the process was started for and leaves it.
    public static func main() -> Never {
        let arguments = Process.arguments
        let name = ConfigFile.lossy(arguments.first ?? Array("apus-server".utf8))
        exit(run(as: name, Array(arguments.dropFirst())))
    }

    /// - Parameter name: what the binary was called as, which also chooses what it is.
    /// - Returns: the exit status.
    private static func run(as name: String, _ arguments: [[UInt8]]) -> Int32 {
        let tool = name.split(separator: "/").last ?? ""
        if tool.hasSuffix("check-aof") { return checkAppendOnly(as: name, arguments) }
        if tool.hasSuffix("check-rdb") {
            return SnapshotCheck.run(as: String(tool), arguments.map { ConfigFile.lossy($0) })
        }
        switch CommandLine.parse(arguments) {
        case .showHelp:
            say(CommandLine.help(program: name))
        case .showVersion:
            say("\(versionLine)\n")
        case .listCommands:
            say(commandList)
        case .refuse(let message):
            complain(message)
            return 1
        case .checkConfig(let start):
            return checkConfiguration(start, commandLine: [name])
        case .start(let start):
            guard let settings = settings(of: start) else { return 1 }
            let commandLine = [name] + arguments.map { ConfigFile.lossy($0) }
            var startup = Startup(settings: settings, commandLine: commandLine)
            do throws(Startup.Failure) {
                return try startup.run()
            } catch {
                guard case .badSetting(let reason) = error else { return 1 }
                complain(ConfigFileError.invalid(reason).message(server: product))
                return 1
            }
        }
        return 0
    }

    /// Says whether the server would start, up to the loading of its data.
    private static func checkConfiguration(
        _ start: CommandLine.Start, commandLine: [String]
    ) -> Int32 {
        guard let settings = settings(of: start) else { return 1 }
        for name in SettingTable.unobeyed(in: settings) {
            say("'\(name)' is accepted, and not obeyed by this version\n")
        }
        var startup = Startup(settings: settings, commandLine: commandLine, isTrial: true)
        do throws(Startup.Failure) {
            try startup.check()
        } catch {
            switch error {
            case .badSetting(let reason):
                complain(ConfigFileError.invalid(reason).message(server: product))
            case .refused(let reason): complain("The server would not start: \(reason)\n")
            }
            return 1
        }
        say("Configuration OK\n")
        return 0
    }

    private static func checkAppendOnly(as name: String, _ arguments: [[UInt8]]) -> Int32 {
        let words = arguments.map { ConfigFile.lossy($0) }
        if words == ["--help"] || words == ["-h"] {
            say(AppendOnlyCheck.usage(name))
            return 0
        }
        let check = AppendOnlyCheck(words, say: say) {
            readLine()?.lowercased().hasPrefix("y") ?? false
        }
        guard let check else {
            complain(AppendOnlyCheck.usage(name))
            return 1
        }
        return check.run()
    }

    /// As error messages call it.
    private static let product = "Apus \(Version.apus)"

    private static var versionLine: String {
        "Apus server v=\(Version.apus) redis=\(Version.redis) bits=\(Int.bitWidth)"
    }

    private static var commandList: String {
        CommandListing.markdown(StandardCommands.all)
    }

    /// Reads the configuration; says why not on standard error.
    private static func settings(of start: CommandLine.Start) -> Settings? {
        do throws(ConfigFileError) {
            let settings = try ConfigFile.load(
                path: start.configFile,
                standardInput: start.readsStandardInput ? readStandardInput() : nil,
                options: start.options)
            if let missing = settings.missingFeature { throw .invalid(missing) }
            return settings
        } catch {
            complain(error.message(server: product))
            return nil
        }
    }

    /// No configuration is larger than this.
    private static let mostInputBytes = 64 << 20

    private static func readStandardInput() -> [UInt8] {
        (try? File.readWhole("/dev/stdin", limit: mostInputBytes)) ?? []
    }

    private static func say(_ text: String) {
        try? File.writeAll(Array(text.utf8), to: STDOUT_FILENO)
    }

    private static func complain(_ text: String) {
        try? File.writeAll(Array(text.utf8), to: STDERR_FILENO)
    }
}
