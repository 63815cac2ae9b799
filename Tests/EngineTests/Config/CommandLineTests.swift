import Testing

@testable import Engine

@Suite struct CommandLineTests {
    @Test(
        arguments: [
            ([], nil, false, ""),
            (["a.conf"], "a.conf", false, ""),
            (["-"], nil, true, ""),
            (["a.conf", "--loglevel", "verbose", "-"], "a.conf", true, #"loglevel "verbose" "#),
            (
                ["--port", "7777", "--replicaof", "127.0.0.1", "8888"], nil, false,
                "port \"7777\" \nreplicaof \"127.0.0.1\" \"8888\" "
            ),
            (["--save", ""], nil, false, #"save "" "#),
            (["--save"], nil, false, #"save """#),
            (["--save", "--port", "1"], nil, false, "save \"\"\nport \"1\" "),
            (["--save", "900", "1", "300", "10"], nil, false, #"save "900" "1" "300" "10" "#),
            (["--port", "--port"], nil, false, #"port "--port" "#),
            (["--port 1", "--hz", "2"], nil, false, "port 1 \nhz \"2\" "),
            (["-x"], nil, false, #""-x" "#),
            (["--port", "79", "-", "--loglevel"], nil, false, "port \"79\" \"-\" \nloglevel "),
            (["-", "-", "-"], nil, true, #""-" "#),
        ] as [([String], String?, Bool, String)])
    func startsWith(
        _ arguments: [String], _ file: String?, _ readsInput: Bool, _ options: String
    ) {
        let start = CommandLine.Start(
            configFile: file, readsStandardInput: readsInput, options: Array(options.utf8))
        #expect(CommandLine.parse(arguments.map { Array($0.utf8) }) == .start(start))
    }

    @Test func knowsWhatIsNotAStart() {
        func parse(_ arguments: String...) -> CommandLine.Request {
            CommandLine.parse(arguments.map { Array($0.utf8) })
        }
        #expect(parse("--help") == .showHelp && parse("-h") == .showHelp)
        #expect(parse("--version") == .showVersion && parse("-v") == .showVersion)
        #expect(parse("--list-commands") == .listCommands)
        #expect(parse("--check-config", "x") == .checkConfig(.init(configFile: "x")))
        for line in [["--check-config"], ["--test-memory", "1"], ["--sentinel"]] {
            guard case .refuse(let message) = CommandLine.parse(line.map { Array($0.utf8) }) else {
                Issue.record("\(line) should be refused")
                continue
            }
            #expect(message.hasSuffix(".\n"))
        }
        #expect(CommandLine.help(program: "server").hasPrefix("Usage: server "))
    }

    /// The peers count the options' lines from 2, even without a file.
    @Test func optionErrorsAreCountedAsThePeersDo() {
        guard
            case .start(let start) = CommandLine.parse(
                ["--port", "x"].map { Array($0.utf8) })
        else { return }
        #expect(
            throws: ConfigFileError.badLine(
                file: nil, number: 2, line: Array(#"port "x""#.utf8),
                reason: "argument couldn't be parsed into an integer")
        ) {
            try ConfigFile.load(path: nil, options: start.options)
        }
    }
}
