/// What the server's arguments ask for.
///
/// Options become lines behind those of the configuration file, in the peers' way: an option takes
/// the arguments up to the next `--name`, but at least one, so that a value may begin with `--`.
enum CommandLine {
    enum Request: Equatable {
        case start(Start)
        case showHelp
        case showVersion
        /// Reads the configuration and says whether it is right.
        case checkConfig(Start)
        /// Prints the table of commands.
        case listCommands
        /// Not a way to start: `message` goes to standard error, and the process leaves with 1.
        case refuse(message: String)
    }

    /// How to start: the parts of the configuration, in the order in which they count.
    struct Start: Equatable {
        var configFile: String?
        var readsStandardInput = false
        /// Lines of the configuration grammar.
        var options: [UInt8] = []
    }

    /// - Parameter arguments: without the program's own name.
    static func parse(_ arguments: [[UInt8]]) -> Request {
        guard let first = arguments.first else { return .start(Start()) }
        switch (ConfigFile.lossy(first), arguments.count) {
        case ("--help", 1), ("-h", 1):
            return .showHelp
        case ("--version", 1), ("-v", 1):
            return .showVersion
        case ("--list-commands", 1):
            return .listCommands
        case ("--check-config", _):
            guard arguments.count > 1 else {
                return .refuse(message: "Please name the configuration file to check.\n")
            }
            return .checkConfig(start(Array(arguments.dropFirst())))
        case ("--test-memory", _):
            return .refuse(
                message: "This server does not test memory: memtester(8) and memtest86+ do it "
                    + "better.\n")
        case ("--sentinel", _):
            return .refuse(message: "This server has no sentinel mode.\n")
        default:
            return .start(start(arguments))
        }
    }

    private static func start(_ arguments: [[UInt8]]) -> Start {
        var start = Start()
        var arguments = arguments[...]
        if let first = arguments.first, first.first != UInt8(ascii: "-") {
            start.configFile = ConfigFile.lossy(first)
            arguments.removeFirst()
        }
        let dash = Array("-".utf8)
        // An option still waits for its first value: whatever comes is one.
        var awaitsValue = false
        let (firstIndex, lastIndex) = (0, arguments.endIndex - 1)
        for (index, argument) in zip(arguments.indices, arguments) {
            if argument == dash && (index == firstIndex || index == lastIndex) {
                start.readsStandardInput = true
            } else if !awaitsValue && argument.starts(with: dash + dash) {
                let next = index < lastIndex ? arguments[index + 1] : nil
                awaitsValue = append(option: argument, before: next, to: &start.options)
            } else {
                start.options += ConfigFile.quoted(argument) + [UInt8(ascii: " ")]
                awaitsValue = false
            }
        }
        return start
    }

    /// Begins a line; returns whether the option still needs a value.
    private static func append(
        option: [UInt8], before next: [UInt8]?, to options: inout [UInt8]
    ) -> Bool {
        if !options.isEmpty { options.append(ConfigFile.newline) }
        options += option.dropFirst(2) + [UInt8(ascii: " ")]
        // "--port 6380" in one argument has its value already.
        guard ConfigFile.words(option)?.count == 1 else { return false }
        // `--save` alone is `--save ""`, from the days when an option could have no value.
        let endsHere = next.map { $0.starts(with: Array("--".utf8)) } ?? true
        guard endsHere && SettingText.lowercased(option) == "--save" else { return true }
        options += Array("\"\"".utf8)
        return false
    }

    // MARK: - Texts

    /// The text of `--help`.
    ///
    /// - Parameter program: what the binary is called.
    static func help(program: String) -> String {
        """
        Usage: \(program) [/path/to/redis.conf] [options] [-]
               \(program) - (read the configuration from standard input)
               \(program) -v or --version
               \(program) -h or --help
               \(program) --check-config /path/to/redis.conf [options]
               \(program) --list-commands

        Every directive of the configuration file is an option: --name value [value ...].
        What comes later wins: the file, then standard input, then the options.

        Examples:
               \(program) (run the server with the default configuration)
               echo 'maxmemory 128mb' | \(program) -
               \(program) /etc/redis/6379.conf
               \(program) --port 7777
               \(program) --port 7777 --replicaof 127.0.0.1 8888
               \(program) --save "" --appendonly yes
               \(program) /etc/myredis.conf --loglevel verbose -

        """
    }
}
