import Glibc
import Testing

@testable import Engine

@Suite struct ConfigFileTests {
    // MARK: - Grammar

    @Test(arguments: [
        (#"a b"#, ["a", "b"]), ("  a\tb  ", ["a", "b"]), (#""a b" c"#, ["a b", "c"]),
        (#""\n\r\t\b\a\\\"\x41\q" x"#, ["\n\r\t\u{8}\u{7}\\\"Aq", "x"]),
        (#"'a b\'c\n'"#, [#"a b'c\n"#]), (#"pre"mid" x"#, ["premid", "x"]), (#""" ''"#, ["", ""]),
        (#""\x4" \x41"#, ["x4", #"\x41"#]), ("", []), ("a\u{0} b", ["a"]),
    ])
    func splitsWords(_ line: String, _ words: [String]) {
        #expect(ConfigFile.words(Array(line.utf8)) == words.map { Array($0.utf8) })
    }

    @Test(arguments: [#""a"#, #""a"b"#, #"'a"#, #"'a'b"#, #"a "b\"#, #""a\"#])
    func refusesOpenQuotes(_ line: String) {
        #expect(ConfigFile.words(Array(line.utf8)) == nil)
    }

    @Test func quotingIsUndoneByReading() {
        let all = (0...255).map { UInt8($0) }
        #expect(ConfigFile.words(ConfigFile.quoted(all)) == [all])
        #expect(ConfigFile.quoted([]) == Array(#""""#.utf8))
        #expect(ConfigFile.quoted(Array("a b\u{1}\"'".utf8)) == Array(#""a b\x01\"'""#.utf8))
    }

    @Test func readsAFile() throws {
        let settings = try parse(
            """
            # a comment
               PORT  7000\r
            maxmemory 100MB
            slave-priority 50

            save "900 1 300 10"
            save 60 5
            client-output-buffer-limit "normal 1 2 3"
            client-output-buffer-limit replica 1mb 2mb 9
            shutdown-on-sigint save force
            requirepass "a b\\x01\\"'"
            list-max-ziplist-entries 3
            bind 127.0.0.1 -::1
            latency-tracking-info-percentiles 50 99.5
            rename-command KEYS ""
            user bob on >x ~* +@all
            user default off
            loadmodule /x.so a "b c"
            foo.bar 1 2
            unixsocketperm 700
            replicaof 127.0.0.1 8888
            hz 1000
            """)
        #expect(settings.port == 7000 && settings.maxMemoryBytes == 104_857_600)
        #expect(settings.replicaPriority == 50 && settings.hz == 500)
        #expect(settings.savePoints.map(\.seconds) == [900, 300, 60])
        #expect(settings.clientOutputLimits.normal.softSeconds == 3)
        #expect(settings.clientOutputLimits.replica.hardBytes == 1_048_576)
        #expect(settings.shutdownOnInterrupt == [.save, .force])
        #expect(settings.requiredPassword == Array("a b\u{1}\"'".utf8))
        #expect(settings.bindAddresses == ["127.0.0.1", "-::1"])
        #expect(settings.latencyPercentiles == [50, 99.5])
        #expect(settings.renamedCommands == [RenamedCommand(name: "KEYS", newName: "")])
        #expect(
            settings.userLines.map { $0.map(ConfigFile.lossy) } == [
                ["bob", "on", ">x", "~*", "+@all"], ["default", "off"],
            ])
        #expect(settings.moduleLines == [["/x.so", "a", "b c"].map { Array($0.utf8) }])
        #expect(settings.moduleOptions.count == 1)
        #expect(settings.unixSocketPermissions == 0o700)
        #expect(settings.replicaOf == ReplicaSource(host: "127.0.0.1", port: 8888))
    }

    @Test func saveLinesAddUp() throws {
        #expect(try parse("").savePoints == SavePoint.standard)
        #expect(try parse("save 1 2").savePoints.count == 1)
        #expect(try parse("save 1 2\nsave 3 4").savePoints.count == 2)
        #expect(try parse("save 1 2\nsave \"\"").savePoints.isEmpty)
        #expect(try parse("save \"\"\nsave 3 4").savePoints.count == 1)
        #expect(try parse("save").savePoints.isEmpty)
    }

    // MARK: - Errors

    @Test(arguments: [
        ("maxclients x", 1, "maxclients x", "argument couldn't be parsed into an integer"),
        (
            "\n# c\n   PORT  70000 \n", 3, "PORT  70000",
            "argument must be between 0 and 65535 inclusive"
        ),
        ("port 1 2", 1, "port 1 2", "wrong number of arguments"),
        ("foo", 1, "foo", "Bad directive or wrong number of arguments"),
        (#"foo "bar"#, 1, #"foo "bar"#, "Unbalanced quotes in configuration line"),
        ("port \"1\\x31\"x", 1, "port \"1\\x31\"x", "Unbalanced quotes in configuration line"),
        ("save \"\"\nsave 1 1 x", 2, "save 1 1 x", "Invalid save parameters"),
        ("slaveof x", 1, "slaveof x", "wrong number of arguments"),
        ("replicaof x 99999", 1, "replicaof x 99999", "Invalid master port"),
        ("dir /nonexist", 1, "dir /nonexist", "No such file or directory"),
        (
            "rename-command get", 1, "rename-command get",
            "Bad directive or wrong number of arguments"
        ),
        ("user", 1, "user", "Bad directive or wrong number of arguments"),
        ("loadmodule", 1, "loadmodule", "Bad directive or wrong number of arguments"),
        ("foo.bar", 1, "foo.bar", "Module config specified without value"),
        ("sentinel x", 1, "sentinel x", "sentinel directive while not in sentinel mode"),
        (
            "list-max-ziplist-entries 1 2", 1, "list-max-ziplist-entries 1 2",
            "Bad directive or wrong number of arguments"
        ),
        (
            "unixsocketperm 9", 1, "unixsocketperm 9",
            "argument couldn't be parsed as an octal number"
        ),
        (
            "unixsocketperm 7777", 1, "unixsocketperm 7777",
            "argument must be between 0 and 777 inclusive"
        ),
        (
            "client-output-buffer-limit \"\"", 1, "client-output-buffer-limit \"\"",
            "Wrong number of arguments in buffer limit configuration."
        ),
        ("oom-score-adj-values 1 2", 1, "oom-score-adj-values 1 2", "wrong number of arguments"),
        (
            "shutdown-on-sigterm", 1, "shutdown-on-sigterm",
            "argument(s) must be one of the following: default, save, nosave, now, force"
        ),
        ("dbfilename a/b", 1, "dbfilename a/b", "dbfilename can't be a path, just a filename"),
        ("appendfilename \"\"", 1, "appendfilename \"\"", "appendfilename can't be empty"),
        (
            "appenddirname a/b", 1, "appenddirname a/b",
            "appenddirname can't be a path, just a dirname"
        ),
        (
            "supervised x", 1, "supervised x",
            "argument(s) must be one of the following: upstart, systemd, auto, no"
        ),
        ("include", 1, "include", "Bad directive or wrong number of arguments"),
    ])
    func tellsTheLine(_ text: String, _ number: Int, _ line: String, _ reason: String) {
        let error = failure(text)
        #expect(
            error == .badLine(file: nil, number: number, line: Array(line.utf8), reason: reason))
        #expect(
            error?.message(server: "Redis 7.0.15") == """

                *** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***
                Reading the configuration file, at line \(number)
                >>> '\(line)'
                \(reason)

                """)
    }

    @Test func tellsWhatDoesNotGoTogether() {
        let error = failure("cluster-enabled yes\nreplicaof 1.1.1.1 3")
        #expect(error == .invalid("replicaof directive not allowed in cluster mode"))
    }

    // MARK: - include

    @Test func includesInPlace() throws {
        let files = memory([
            "a.conf": "port 1\ninclude b.conf\nhz 7", "b.conf": "port 2\nhz 3\ninclude none*",
        ])
        let settings = try ConfigFile.load(path: "a.conf", files: files)
        #expect(settings.port == 2 && settings.hz == 7)
        #expect(settings.configFile?.hasSuffix("/a.conf") == true)
    }

    @Test func includedFilesAreNamedInErrors() {
        let files = memory(["a": "\ninclude b", "b": "port 1\n\nport x", "c": "include gone"])
        #expect(
            failure { () throws(ConfigFileError) in try ConfigFile.load(path: "a", files: files) }
                == .badLine(
                    file: "b", number: 3, line: Array("port x".utf8),
                    reason: "argument couldn't be parsed into an integer"))
        #expect(
            failure { () throws(ConfigFileError) in try ConfigFile.load(path: "c", files: files) }
                == .unreadable(path: "gone", reason: "No such file or directory"))
    }

    @Test func includeOfItselfEnds() {
        let files = memory(["a": "include a"])
        let error = failure { () throws(ConfigFileError) in
            try ConfigFile.load(path: "a", files: files)
        }
        #expect(error?.message(server: "x").hasSuffix("Too many levels of include\n") == true)
    }

    @Test func readsTheDisk() throws {
        var template = Array("/tmp/config-file-tests-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { bytes in
            bytes.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
        }
        let folder = try #require(made)
        defer { for name in ["a.conf", "1.inc", "2.inc", ""] { remove(folder + "/" + name) } }
        write("include \(folder)/*.inc\nport 5\n", to: folder + "/a.conf")
        write("hz 30\nport 4", to: folder + "/1.inc")
        write("hz 40", to: folder + "/2.inc")
        let settings = try ConfigFile.load(path: folder + "/a.conf")
        #expect(settings.hz == 40 && settings.port == 5)
        #expect(
            failure { () throws(ConfigFileError) in try ConfigFile.load(path: folder + "/no") }
                == .unreadable(path: folder + "/no", reason: "No such file or directory"))
        #expect(try parse("dir \(folder)\ndir .").directory == folder)
    }

    @Test func laterPartsWin() throws {
        let files = memory(["a": "port 1\nhz 11\ntimeout 5"])
        let settings = try ConfigFile.load(
            path: "a", standardInput: Array("port 2\nhz 12".utf8),
            options: Array(#"port "3" "#.utf8), files: files)
        #expect(settings.port == 3 && settings.hz == 12 && settings.timeoutSeconds == 5)
    }

    // MARK: - Hostile files

    @Test func anyBytesAreReadWithoutATrap() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("ConfigFileTests seed \(seed)")
        var random = SplitMix(state: seed)
        let names = SettingTable.rows.map(\.name) + ["user", "rename-command", "include", "a.b"]
        let alphabet = Array("\"'\\x4 \t\r\n#0123kmgb%-+{}\u{0}\u{1}é".utf8)
        let files = memory([:])
        for _ in 0..<1000 {
            var text: [UInt8] = []
            for _ in 0..<Int.random(in: 0..<4, using: &random) {
                text += Array((names.randomElement(using: &random) ?? "").utf8) + [0x20]
                text += random.bytes(below: 30, from: alphabet) + [0x0A]
            }
            text += (0..<8).map { _ in UInt8.random(in: 0...255, using: &random) }
            let error = failure { () throws(ConfigFileError) in
                try ConfigFile.parse(text, files: files)
            }
            _ = error?.message(server: "x")
            _ = ConfigRewrite.text(of: Settings(), replacing: text)
        }
    }

    @Test func longLinesAreLines() throws {
        let long = String(repeating: "x", count: 1 << 20)
        #expect(try parse("requirepass \(long)\n# \(long)").requiredPassword?.count == 1 << 20)
        #expect(failure("\"" + String(repeating: "\\", count: 99_999)) != nil)
    }

    // MARK: - Helpers

    private func parse(_ text: String) throws(ConfigFileError) -> Settings {
        try ConfigFile.parse(Array(text.utf8))
    }

    private func failure(_ text: String) -> ConfigFileError? {
        failure { () throws(ConfigFileError) in try parse(text) }
    }

    private func failure(
        _ body: () throws(ConfigFileError) -> Settings
    ) -> ConfigFileError? {
        do throws(ConfigFileError) {
            _ = try body()
            return nil
        } catch {
            return error
        }
    }

    private func memory(_ contents: [String: String]) -> ConfigFile.Files {
        ConfigFile.Files(
            contents: { path throws(ConfigFileError) in
                guard let text = contents[path] else {
                    throw .unreadable(path: path, reason: "No such file or directory")
                }
                return Array(text.utf8)
            },
            matching: { $0.contains("*") ? [] : [$0] })
    }

    private func write(_ text: String, to path: String) {
        guard let file = fopen(path, "w") else { return }
        fputs(text, file)
        fclose(file)
    }
}
