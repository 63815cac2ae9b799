import Testing

@testable import Engine

@Suite struct SettingTableTests {
    /// Settings that no peer has.
    private static let own: Set<String> = ["rdb-field-ttl-format"]

    // MARK: - Defaults

    @Test func defaultsAreThoseOfTheReference() {
        let settings = Settings()
        var known: Set<String> = []
        for line in PeerAnswers.defaults.split(separator: "\n") {
            let columns = line.split(separator: "\t", omittingEmptySubsequences: false)
            let name = String(columns[0])
            var expected = columns.count > 1 ? String(columns[1]) : ""
            if expected == "(directory)" { expected = currentDirectory() }
            #expect(text(name, settings) == expected, "\(name)")
            known.insert(name)
        }
        for row in SettingTable.rows where !Self.own.contains(row.name) {
            #expect(known.contains(row.name), "\(row.name) is not in the reference")
            #expect(known.isSuperset(of: row.aliases), "an alias of \(row.name)")
        }
    }

    @Test func namesAreLowercaseAndUnique() {
        var seen: Set<String> = []
        for name in SettingTable.rows.flatMap({ [$0.name] + $0.aliases }) {
            #expect(seen.insert(name).inserted, "\(name)")
            #expect(name == name.lowercased())
        }
    }

    // MARK: - GET

    @Test func getFindsNamesAndPatterns() {
        let settings = Settings()
        func names(_ patterns: String...) -> [String] {
            SettingTable.get(matching: patterns, in: settings).map(\.name)
        }
        #expect(names("MAXMEMORY") == ["MAXMEMORY"])
        #expect(names("maxmemory", "maxmem*").count == 5)
        #expect(names("slave-pri*") == ["slave-priority"])
        #expect(names("*-priority") == ["replica-priority", "slave-priority"])
        #expect(names("nonesuch", "no*such") == [])
        #expect(names("key-load-delay") == ["key-load-delay"])
        #expect(names("key-load-d*") == [])
        #expect(names("save", "SAVE", "save") == ["save"])
        #expect(names("*").count == Set(names("*", "s*", "save")).count)
    }

    // MARK: - SET

    @Test func setAnswersAsThePeer() throws {
        for line in PeerAnswers.answers.split(separator: "\n") {
            let columns = line.split(separator: "\t", omittingEmptySubsequences: false)
            let name = String(columns[0])
            var answer = String(columns[1])
            for (index, value) in PeerAnswers.tried.enumerated() {
                if columns[1] == "immutable" {
                    answer = "!can't set immutable config"
                } else if columns[index + 1] != "\"" {
                    answer = String(columns[index + 1])
                }
                #expect(answered(name, value) == answer, "CONFIG SET \(name) '\(value)'")
            }
        }
    }

    /// In the notation of `PeerAnswers.answers`.
    private func answered(_ name: String, _ value: String) -> String {
        var settings = Settings()
        settings.protectedConfigAccess = .yes
        do throws(ConfigError) {
            _ = try SettingTable.set([(name, Array(value.utf8))], in: &settings)
            return "=" + text(name, settings)
        } catch {
            let start = "ERR CONFIG SET failed (possibly related to argument '\(name)') - "
            guard error.message.hasPrefix(start) else { return error.message }
            return "!" + error.message.dropFirst(start.count)
        }
    }

    @Test(arguments: [
        ("foo bar", "ERR Unknown option or number of arguments for CONFIG SET - 'foo'"),
        (
            "maxmemory 1mb foo x daemonize yes",
            "ERR Unknown option or number of arguments for CONFIG SET - 'foo'"
        ),
        (
            "DAEMONIZE yes foo x",
            "ERR CONFIG SET failed (possibly related to argument 'DAEMONIZE') - can't set immutable config"
        ),
        (
            "dbfilename x",
            "ERR CONFIG SET failed (possibly related to argument 'dbfilename') - can't set protected config"
        ),
        (
            "MAXMEMORY x",
            "ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value"
        ),
        (
            "Slave-Priority -1",
            "ERR CONFIG SET failed (possibly related to argument 'slave-priority') - argument must be between 0 and 2147483647 inclusive"
        ),
        (
            "maxmemory 1 MAXMEMORY 2",
            "ERR CONFIG SET failed (possibly related to argument 'MAXMEMORY') - duplicate parameter"
        ),
        (
            "port 70000",
            "ERR CONFIG SET failed (possibly related to argument 'port') - argument must be between 0 and 65535 inclusive"
        ),
    ])
    func setRefuses(_ line: String, _ message: String) {
        let words = line.split(separator: " ").map(String.init)
        let pairs = stride(from: 0, to: words.count, by: 2).map {
            (name: words[$0], value: Array(words[$0 + 1].utf8))
        }
        var settings = Settings()
        #expect(message == failure(pairs, in: &settings)?.message)
    }

    @Test func setIsAllOrNothing() throws {
        var settings = Settings()
        let pairs = [("maxclients", "50"), ("timeout", "7"), ("hz", "x")]
        #expect(failure(bytes(pairs), in: &settings) != nil)
        #expect(settings.maxClients == 10_000 && settings.timeoutSeconds == 0)

        let change = try SettingTable.set(bytes(Array(pairs.dropLast())), in: &settings)
        #expect(settings.maxClients == 50 && settings.timeoutSeconds == 7)
        #expect(change.effects.map(\.effect) == [.maxClients])
        #expect(change.effects.map(\.name) == ["maxclients"])
        #expect(change.previous.maxClients == 10_000)
    }

    @Test func effectsAreOfChangesOnly() throws {
        var settings = Settings()
        func effects(_ name: String, _ value: String) throws -> [SettingEffect] {
            try SettingTable.set(bytes([(name, value)]), in: &settings).effects.map(\.effect)
        }
        #expect(try effects("maxclients", "10000") == [])
        #expect(try effects("maxclients", "20") == [.maxClients])
        #expect(try effects("hz", "20") == [])
        #expect(try effects("tls-cert-file", "a") == [.tls])
        #expect(try effects("tls-cert-file", "a") == [.tls])
        #expect(try effects("repl-backlog-size", "1mb") == [])
        #expect(try effects("repl-backlog-size", "2mb") == [.replicationBacklog])
    }

    @Test func aliasesAreTheSameSetting() throws {
        var settings = Settings()
        _ = try SettingTable.set(bytes([("slave-priority", "2")]), in: &settings)
        #expect(settings.replicaPriority == 2)
        #expect(text("SLAVE-priority", settings) == "2")
        _ = try SettingTable.set(bytes([("primaryauth", "secret")]), in: &settings)
        #expect(text("masterauth", settings) == "secret")
        #expect(SettingTable.isSensitive("MASTERAUTH") && !SettingTable.isSensitive("port"))
    }

    @Test func protectionDependsOnWhoAsks() {
        var settings = Settings()
        settings.protectedConfigAccess = .local
        let pair = bytes([("dbfilename", "x")])
        #expect(throws: ConfigError.self) {
            try SettingTable.set(pair, in: &settings, isLocal: false)
        }
        #expect(throws: Never.self) { try SettingTable.set(pair, in: &settings, isLocal: true) }
        #expect(throws: ConfigError.loading) {
            try SettingTable.set(bytes([("appendonly", "yes")]), in: &settings, isLoading: true)
        }
    }

    // MARK: - Special directives

    @Test(arguments: [
        ("save", "3600 1 10 0", "3600 1 10 0"), ("save", "", ""),
        ("shutdown-on-sigterm", "force now", "now force"),
        ("shutdown-on-sigterm", "default save", "save"),
        (
            "client-output-buffer-limit", "slave 10 10 10 replica 1mb 1k 3",
            "normal 0 0 0 slave 1048576 1000 3 pubsub 33554432 8388608 60"
        ),
        (
            "client-output-buffer-limit", "",
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"
        ),
        ("notify-keyspace-events", "KEA", "AKE"), ("notify-keyspace-events", "KEx", "xKE"),
        ("notify-keyspace-events", "AKEmn", "AKEm"), ("notify-keyspace-events", "mn", "nm"),
        ("notify-keyspace-events", "g$lshzxet", "g$lshzxet"),
        ("notify-keyspace-events", "tdg", "gtd"), ("notify-keyspace-events", "nmKEd$", "$dnKEm"),
        ("latency-tracking-info-percentiles", "50 1.5 100.0 99.99999", "50 1.5 100 99.99999"),
        (
            "latency-tracking-info-percentiles", "0x10 1e1 0.123456789 33.3333333333",
            "16 10 0.123457 33.333333"
        ),
        ("oom-score-adj-values", "500 400 300", "500 400 300"),
        ("bind", "", ""), ("bind", "127.0.0.1 ::1", "127.0.0.1 ::1"),
        ("maxmemory-clients", "5%", "5%"), ("maxmemory-clients", "0%", "0"),
        ("maxmemory", "18446744073709551615", "18446744073709551615"),
        ("maxmemory", "17179869183gb", "18446744072635809792"), ("maxmemory", "k", "0"),
        ("maxmemory", "10GB", "10737418240"), ("hz", "1000", "500"), ("hz", "0", "1"),
        ("log-format", "legacy", "text"), ("loglevel", "nothing", "nothing"),
    ])
    func setThenGet(_ name: String, _ value: String, _ expected: String) throws {
        var settings = Settings()
        _ = try SettingTable.set(bytes([(name, value)]), in: &settings)
        #expect(text(name, settings) == expected)
    }

    @Test(arguments: [
        ("save", "1 1 1", "Invalid save parameters"), ("save", "1  1", "Invalid save parameters"),
        ("save", "0 1", "Invalid save parameters"), ("save", " ", "Invalid save parameters"),
        ("bind", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "Too many bind addresses specified."),
        (
            "shutdown-on-sigterm", "save nosave",
            "shutdown options SAVE and NOSAVE can't be used simultaneously"
        ),
        (
            "shutdown-on-sigint", "",
            "argument(s) must be one of the following: default, save, nosave, now, force"
        ),
        (
            "client-output-buffer-limit", "normal 1 2",
            "Wrong number of arguments in buffer limit configuration."
        ),
        (
            "client-output-buffer-limit", "foo 1 2 3",
            "Invalid client class specified in buffer limit configuration."
        ),
        (
            "client-output-buffer-limit", "normal -1 1 1",
            "Error in hard, soft or soft_seconds setting in buffer limit configuration."
        ),
        (
            "client-output-buffer-limit", "replica 1 1 3x",
            "Error in hard, soft or soft_seconds setting in buffer limit configuration."
        ),
        ("oom-score-adj-values", "1  2 3", "wrong number of arguments"),
        (
            "oom-score-adj-values", "1 2 3000",
            "Invalid oom-score-adj-values, elements must be between -2000 and 2000."
        ),
        (
            "oom-score-adj-values", "1 2 -9223372036854775808",
            "Invalid oom-score-adj-values, elements must be between -2000 and 2000."
        ),
        ("notify-keyspace-events", " ", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
        (
            "latency-tracking-info-percentiles", "1  2",
            "Invalid latency-tracking-info-percentiles parameters"
        ),
        (
            "latency-tracking-info-percentiles", "nan",
            "Invalid latency-tracking-info-percentiles parameters"
        ),
        (
            "latency-tracking-info-percentiles", "inf",
            "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
        ),
        ("maxmemory-clients", "101%", "percentage argument must be less or equal to 100"),
        ("maxmemory-clients", "-5%", "argument must be a memory or percent value"),
        (
            "maxmemory-clients", "18446744073709551515",
            "argument must be a memory or percent value"
        ),
        ("maxmemory", "1 mb", "argument must be a memory value"),
        ("maxmemory", "1.5mb", "argument must be a memory value"),
        ("maxmemory", "+1", "argument must be a memory value"),
        ("timeout", "05", "argument couldn't be parsed into an integer"),
        ("timeout", "+5", "argument couldn't be parsed into an integer"),
        ("timeout", "-0", "argument couldn't be parsed into an integer"),
        ("dir", "", "No such file or directory"), ("dir", "/nonesuch", "No such file or directory"),
        ("dir", "/etc/passwd", "Not a directory"),
        ("dbfilename", "../x", "dbfilename can't be a path, just a filename"),
        (
            "proc-title-template", "{title}",
            "template format is invalid or contains unknown variables"
        ),
        (
            "proc-title-template", "{x} y",
            "template format is invalid or contains unknown variables"
        ),
        (
            "proc-title-template", "{title",
            "template format is invalid or contains unknown variables"
        ),
        (
            "cluster-announce-hostname", "a_b",
            "Hostnames may only contain alphanumeric characters, hyphens or dots"
        ),
    ])
    func setRefusesValue(_ name: String, _ value: String, _ reason: String) {
        var settings = Settings()
        settings.protectedConfigAccess = .yes
        let error = failure(bytes([(name, value)]), in: &settings)
        #expect(error == .failed(name: name, reason: reason))
    }

    @Test func secretsKeepTheirBytes() throws {
        var settings = Settings()
        let secret: [UInt8] = [0xFF, 0, 0x20, 0x80]
        _ = try SettingTable.set([("requirepass", secret)], in: &settings)
        #expect(SettingTable.value(of: "requirepass", in: settings) == secret)
        #expect(failure([("masteruser", [])], in: &settings) == nil)
        #expect(failure([("aclfile", secret)], in: &settings) != nil)
        let error = failure([("cluster-announce-ip", secret)], in: &settings)
        #expect(
            error == .failed(name: "cluster-announce-ip", reason: "argument must be valid UTF-8"))
    }

    /// What CONFIG GET says can be given back to CONFIG SET and changes nothing.
    @Test func everyDefaultCanBeSet() throws {
        for row in SettingTable.rows where !row.flags.contains(.immutable) {
            var settings = Settings()
            settings.protectedConfigAccess = .yes
            let value = row.kind.format(settings)
            let change = try SettingTable.set([(row.name, value)], in: &settings)
            #expect(row.kind.format(settings) == value)
            #expect(change.effects.isEmpty || row.flags.contains(.volatile), "\(row.name)")
        }
    }

    @Test func anyBytesAreAnsweredWithoutATrap() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("SettingTableTests seed \(seed)")
        var random = SplitMix(state: seed)
        let alphabet = Array("0123456789 -+.%kmgbKEA{}aex\u{0}é\n".utf8)
        for row in SettingTable.rows {
            for _ in 0..<40 {
                var settings = Settings()
                let value = random.bytes(below: 24, from: alphabet)
                let words = ConfigFile.splitAtSpaces(value)
                try? row.kind.parse(words, into: &settings, from: .file)
                try? row.kind.parse([value], into: &settings, from: .command)
                _ = row.kind.format(settings)
                _ = row.kind.lines(settings, defaults: .defaults)
            }
        }
    }

    // MARK: - Helpers

    private func text(_ name: String, _ settings: Settings) -> String {
        ConfigFile.lossy(SettingTable.value(of: name, in: settings) ?? Array("(unknown)".utf8))
    }

    private func bytes(_ pairs: [(String, String)]) -> [(name: String, value: [UInt8])] {
        pairs.map { ($0.0, Array($0.1.utf8)) }
    }

    private func failure(
        _ pairs: [(name: String, value: [UInt8])], in settings: inout Settings
    ) -> ConfigError? {
        do throws(ConfigError) {
            _ = try SettingTable.set(pairs, in: &settings)
            return nil
        } catch {
            return error
        }
    }

    /// At and above the largest value of each unit, for every setting that is an amount of memory.
    @Test(arguments: [
        "17179869184gb", "20000000000gb", "18446744073710mb", "17592186044416mb",
        "18446744073709551616kb",
        "18014398509481984kb", "18446744073709552k", "18446744073710g", "99999999999999999999gb",
    ])
    func `an amount of memory beyond 64 bits is none`(_ value: String) {
        var tried = 0
        for row in SettingTable.rows where !row.flags.contains(.immutable) {
            switch row.kind {
            case .memory, .wideMemory, .memoryOrPercent: break
            default: continue
            }
            tried += 1
            let answer = answered(row.name, value)
            #expect(answer.hasPrefix("!argument must be"), "\(row.name): \(answer)")
        }
        #expect(tried > 8)
    }

    /// All pairs of names of one setting.
    @Test func `a setting is set once, also under two names`() {
        var tried = 0
        for row in SettingTable.rows where !row.flags.contains(.immutable) {
            let names = [row.name] + row.aliases
            let value = row.kind.format(Settings())
            for (first, second) in names.flatMap({ name in names.map { (name, $0) } }) {
                var settings = Settings()
                settings.protectedConfigAccess = .yes
                tried += 1
                do throws(ConfigError) {
                    _ = try SettingTable.set([(first, value), (second, value)], in: &settings)
                    Issue.record("\(first) and \(second)")
                } catch {
                    #expect(error.message.contains("duplicate parameter"), "\(first), \(second)")
                }
            }
        }
        #expect(tried > 150)
    }

    @Test func `what is not obeyed yet is known, once it is changed`() throws {
        var settings = Settings()
        #expect(SettingTable.unobeyed(in: settings) == [])
        _ = try SettingTable.set(bytes([("busy-reply-threshold", "100")]), in: &settings)
        #expect(SettingTable.unobeyed(in: settings) == ["busy-reply-threshold"])
        for row in SettingTable.rows {
            let isBoth = row.flags.contains([.moot, .unobeyed])
            #expect(!isBoth, "\(row.name)")
        }
    }

    @Test func `what cannot be done does not start`() throws {
        #expect(Settings().missingFeature == nil)
        for text in [
            "cluster-enabled yes", "tls-port 6380", "tls-replication yes", "loadmodule /m.so",
        ] {
            let name = text.split(separator: " ")[0]
            let settings = try ConfigFile.parse(Array(text.utf8))
            #expect(settings.missingFeature?.contains("'\(name)'") == true, "\(text)")
        }
    }
}
