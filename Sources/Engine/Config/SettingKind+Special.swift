import Glibc

// The directives with a grammar of their own, each a `SpecialSetting`: how it is read, what
// CONFIG GET prints, which lines CONFIG REWRITE writes.

extension SettingKind {
    /// One of the values of an enumeration.
    static func choice<Choice: SettingChoice>(_ path: SettingPath<Choice>) -> SettingKind {
        .special(
            SpecialSetting(
                parse: { (settings, arguments, _) throws(SettingProblem) in
                    guard arguments.count == 1 else { throw .argumentCount }
                    settings[keyPath: path] = try parseChoice(arguments[0])
                },
                format: { $0[keyPath: path].rawValue },
                lines: { settings in
                    let value = settings[keyPath: path]
                    let isRequired = value.rawValue != Settings.defaults[keyPath: path].rawValue
                    return [RewriteLine(value.rawValue, isRequired: isRequired)]
                }))
    }

    private static func parseChoice<Choice: SettingChoice>(
        _ value: [UInt8]
    ) throws(SettingProblem) -> Choice {
        let name = SettingText.lowercased(value)
        if let choice = Choice(rawValue: name) ?? Choice.synonyms[name] { return choice }
        let listed = Choice.allCases.map(\.rawValue).filter { !Choice.unlisted.contains($0) }
        throw .notAmong(listed)
    }
}

extension SettingProblem {
    fileprivate static func notAmong(_ names: [String]) -> SettingProblem {
        SettingProblem(
            "argument(s) must be one of the following: " + names.joined(separator: ", "))
    }
}

extension Settings {
    /// What every directive is when nothing sets it.
    static let defaults = Settings()
}

// MARK: - bind

extension SpecialSetting {
    static let bindAddresses = SpecialSetting(
        parse: { (settings, arguments, _) throws(SettingProblem) in
            guard arguments.count <= 16 else {
                throw SettingProblem("Too many bind addresses specified.")
            }
            // A single empty argument listens nowhere.
            guard arguments != [[]] else {
                settings.bindAddresses = []
                return
            }
            var addresses: [String] = []
            for argument in arguments { addresses.append(try SettingText.text(argument)) }
            settings.bindAddresses = addresses
        },
        format: { $0.bindAddresses.joined(separator: " ") },
        lines: { settings in
            guard settings.bindAddresses != Settings.defaults.bindAddresses else { return [] }
            let addresses = settings.bindAddresses.map(ConfigFile.word).joined(separator: " ")
            return [RewriteLine(addresses.isEmpty ? "\"\"" : addresses, isRequired: true)]
        })
}

// MARK: - save

extension SpecialSetting {
    /// Lines of the file add up (whoever reads the file empties the defaults before the first);
    /// CONFIG SET replaces.
    static let savePoints = SpecialSetting(
        parse: { (settings, arguments, origin) throws(SettingProblem) in
            guard arguments != [[]] else {
                settings.savePoints = []
                return
            }
            let points = try parseSavePoints(arguments)
            settings.savePoints = origin == .file ? settings.savePoints + points : points
        },
        format: { settings in
            settings.savePoints.map { "\($0.seconds) \($0.changes)" }.joined(separator: " ")
        },
        lines: { settings in
            guard !settings.savePoints.isEmpty else {
                return [RewriteLine("\"\"", isRequired: true)]
            }
            return settings.savePoints.map {
                RewriteLine("\($0.seconds) \($0.changes)", isRequired: true)
            }
        })

    private static func parseSavePoints(
        _ arguments: [[UInt8]]
    ) throws(SettingProblem) -> [SavePoint] {
        let invalid = SettingProblem("Invalid save parameters")
        guard arguments.count % 2 == 0 else { throw invalid }
        var points: [SavePoint] = []
        for index in stride(from: 0, to: arguments.count, by: 2) {
            guard let seconds = SettingText.looseInteger(arguments[index]), seconds >= 1,
                let changes = SettingText.looseInteger(arguments[index + 1]), changes >= 0
            else { throw invalid }
            points.append(SavePoint(seconds: seconds, changes: changes))
        }
        return points
    }
}

// MARK: - client-output-buffer-limit

extension SpecialSetting {
    static let clientOutputLimits = SpecialSetting(
        parse: { (settings, arguments, _) throws(SettingProblem) in
            guard arguments.count % 4 == 0 else {
                throw SettingProblem("Wrong number of arguments in buffer limit configuration.")
            }
            var limits = settings.clientOutputLimits
            for index in stride(from: 0, to: arguments.count, by: 4) {
                let limit = Result { () throws(SettingProblem) in
                    try parseOutputLimit(arguments[(index + 1)...(index + 3)])
                }
                switch SettingText.lowercased(arguments[index]) {
                case "normal": limits.normal = try limit.get()
                case "slave", "replica": limits.replica = try limit.get()
                case "pubsub": limits.pubsub = try limit.get()
                default:
                    throw SettingProblem(
                        "Invalid client class specified in buffer limit configuration.")
                }
            }
            settings.clientOutputLimits = limits
        },
        format: { settings in
            let limits = settings.clientOutputLimits
            return [
                ("normal", limits.normal), ("slave", limits.replica), ("pubsub", limits.pubsub),
            ]
            .map { "\($0.0) \($0.1.hardBytes) \($0.1.softBytes) \($0.1.softSeconds)" }
            .joined(separator: " ")
        },
        lines: { settings in
            let limits = settings.clientOutputLimits
            let defaults = ClientOutputLimits()
            return [
                outputLine("normal", limits.normal, defaults.normal),
                outputLine("replica", limits.replica, defaults.replica),
                outputLine("pubsub", limits.pubsub, defaults.pubsub),
            ]
        })

    private static func parseOutputLimit(
        _ arguments: ArraySlice<[UInt8]>
    ) throws(SettingProblem) -> OutputLimit {
        let first = arguments.startIndex
        guard let hard = SettingText.memory(arguments[first]),
            let soft = SettingText.memory(arguments[first + 1]),
            let seconds = SettingText.looseInteger(arguments[first + 2]),
            (0...Int(Int32.max)).contains(seconds)
        else {
            throw SettingProblem(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.")
        }
        return OutputLimit(
            hardBytes: Int(clamping: hard), softBytes: Int(clamping: soft), softSeconds: seconds)
    }

    private static func outputLine(
        _ name: String, _ limit: OutputLimit, _ standard: OutputLimit
    ) -> RewriteLine {
        let hard = SettingKind.amount(UInt64(limit.hardBytes))
        let soft = SettingKind.amount(UInt64(limit.softBytes))
        return RewriteLine(
            "\(name) \(hard) \(soft) \(limit.softSeconds)", isRequired: limit != standard)
    }
}

// MARK: - notify-keyspace-events

extension SpecialSetting {
    static let keyspaceEvents = SpecialSetting(
        parse: { (settings, arguments, _) throws(SettingProblem) in
            guard arguments.count == 1 else { throw .argumentCount }
            guard let events = KeyspaceEvents(letters: arguments[0]) else {
                throw SettingProblem(
                    "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
            }
            settings.keyspaceEvents = events
        },
        format: { $0.keyspaceEvents.letters },
        lines: { settings in
            let letters = ConfigFile.quoted(Array(settings.keyspaceEvents.letters.utf8))
            return [RewriteLine(letters, isRequired: !settings.keyspaceEvents.isEmpty)]
        })
}

extension KeyspaceEvents {
    private static let classes: [(letter: String, events: KeyspaceEvents)] = [
        ("g", .generic), ("$", .string), ("l", .list), ("s", .set), ("h", .hash),
        ("z", .sortedSet), ("x", .expired), ("e", .evicted), ("t", .stream), ("d", .module),
        ("n", .newKey),
    ]
    private static let ways: [(letter: String, events: KeyspaceEvents)] = [
        ("K", .keyspace), ("E", .keyevent), ("m", .keyMiss),
    ]

    /// `nil` if a letter means nothing.
    init?(letters: [UInt8]) {
        self = []
        for letter in letters {
            if letter == UInt8(ascii: "A") {
                formUnion(.all)
                continue
            }
            let known = (Self.classes + Self.ways).first { $0.letter.utf8.first == letter }
            guard let known else { return nil }
            formUnion(known.events)
        }
    }

    /// The canonical spelling.
    ///
    /// `n` is lost beside `A`, as in the peers.
    var letters: String {
        let classes =
            isSuperset(of: .all)
            ? "A" : Self.classes.filter { contains($0.events) }.map(\.letter).joined()
        return classes + Self.ways.filter { contains($0.events) }.map(\.letter).joined()
    }
}

// MARK: - shutdown-on-sigint, shutdown-on-sigterm

extension SpecialSetting {
    private static let shutdownNames: [(name: String, option: ShutdownOptions)] = [
        ("default", []), ("save", .save), ("nosave", .noSave), ("now", .now), ("force", .force),
    ]

    static func shutdownOptions(_ path: SettingPath<ShutdownOptions>) -> SpecialSetting {
        SpecialSetting(
            parse: { (settings, arguments, _) throws(SettingProblem) in
                let options = try parseShutdownOptions(arguments)
                guard !options.isSuperset(of: [.save, .noSave]) else {
                    throw SettingProblem(
                        "shutdown options SAVE and NOSAVE can't be used simultaneously")
                }
                settings[keyPath: path] = options
            },
            format: { describe($0[keyPath: path]) },
            lines: { settings in
                let options = settings[keyPath: path]
                return [RewriteLine(describe(options), isRequired: !options.isEmpty)]
            })
    }

    private static func parseShutdownOptions(
        _ arguments: [[UInt8]]
    ) throws(SettingProblem) -> ShutdownOptions {
        var options: ShutdownOptions = []
        let notAmong = SettingProblem.notAmong(shutdownNames.map(\.name))
        guard !arguments.isEmpty else { throw notAmong }
        for argument in arguments {
            let name = SettingText.lowercased(argument)
            guard let known = shutdownNames.first(where: { $0.name == name }) else {
                throw notAmong
            }
            options.formUnion(known.option)
        }
        return options
    }

    private static func describe(_ options: ShutdownOptions) -> String {
        guard !options.isEmpty else { return "default" }
        return shutdownNames.dropFirst().filter { options.contains($0.option) }
            .map(\.name).joined(separator: " ")
    }
}

// MARK: - oom-score-adj-values

extension SpecialSetting {
    static let oomScoreValues = SpecialSetting(
        parse: { (settings, arguments, _) throws(SettingProblem) in
            guard arguments.count == 3 else { throw .argumentCount }
            var scores: [Int] = []
            for argument in arguments {
                guard let score = SettingText.looseInteger(argument),
                    (-2000...2000).contains(score)
                else {
                    throw SettingProblem(
                        "Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
                }
                scores.append(score)
            }
            settings.oomScoreValues = OOMScoreValues(
                primary: scores[0], replica: scores[1], child: scores[2])
        },
        format: { describe($0.oomScoreValues) },
        lines: { settings in
            let isRequired = settings.oomScoreValues != OOMScoreValues()
            return [RewriteLine(describe(settings.oomScoreValues), isRequired: isRequired)]
        })

    private static func describe(_ scores: OOMScoreValues) -> String {
        "\(scores.primary) \(scores.replica) \(scores.child)"
    }
}

// MARK: - latency-tracking-info-percentiles

extension SpecialSetting {
    static let latencyPercentiles = SpecialSetting(
        parse: { (settings, arguments, _) throws(SettingProblem) in
            guard arguments != [[]] else {
                settings.latencyPercentiles = []
                return
            }
            var percentiles: [Double] = []
            for argument in arguments {
                guard let number = parseDouble(argument) else {
                    throw SettingProblem("Invalid latency-tracking-info-percentiles parameters")
                }
                guard number >= 0 && number <= 100 else {
                    throw SettingProblem(
                        "latency-tracking-info-percentiles parameters should sit between "
                            + "[0.0,100.0]")
                }
                percentiles.append(number)
            }
            settings.latencyPercentiles = percentiles
        },
        format: { $0.latencyPercentiles.map(describe).joined(separator: " ") },
        lines: { settings in
            let percentiles = settings.latencyPercentiles
            let text = percentiles.map(describe).joined(separator: " ")
            return [RewriteLine(text.isEmpty ? "\"\"" : text, isRequired: true)]
        })

    /// A whole text that `strtod` reads and that is a number.
    private static func parseDouble(_ text: [UInt8]) -> Double? {
        guard let first = text.first, !isspace(Int32(first)).asBool, !text.contains(0) else {
            return nil
        }
        let number = (text + [0]).withUnsafeBufferPointer { bytes -> Double? in
            bytes.withMemoryRebound(to: CChar.self) { characters in
                guard let start = characters.baseAddress else { return nil }
                var end: UnsafeMutablePointer<CChar>?
                let number = strtod(start, &end)
                return end == UnsafeMutablePointer(mutating: start) + text.count ? number : nil
            }
        }
        guard let number, !number.isNaN else { return nil }
        return number
    }

    /// Six decimals at most, without trailing zeros.
    private static func describe(_ percentile: Double) -> String {
        let millionths = Int((percentile * 1_000_000).rounded(.toNearestOrEven))
        let (whole, rest) = millionths.quotientAndRemainder(dividingBy: 1_000_000)
        guard rest != 0 else { return String(whole) }
        var decimals = String(1_000_000 + rest).dropFirst()
        while decimals.last == "0" { decimals.removeLast() }
        return "\(whole).\(decimals)"
    }
}

extension Int32 {
    fileprivate var asBool: Bool { self != 0 }
}

// MARK: - dir

extension SpecialSetting {
    /// Kept absolute: what it names must not move with the process.
    ///
    /// Nothing is changed here but
    /// the field; that the directory can be entered is checked so that the error is told in time.
    static let directory = SpecialSetting(
        parse: { (settings, arguments, _) throws(SettingProblem) in
            guard arguments.count == 1 else { throw .argumentCount }
            let path = try SettingText.text(arguments[0])
            guard !path.isEmpty, !path.utf8.contains(0) else {
                throw SettingProblem(String(cString: strerror(ENOENT)))
            }
            let full =
                path.utf8.first == UInt8(ascii: "/")
                ? path : settings.directory + "/" + path
            settings.directory = try enterable(full)
        },
        format: { $0.directory },
        lines: { settings in
            [RewriteLine(ConfigFile.quoted(Array(settings.directory.utf8)), isRequired: true)]
        })

    /// The path without links and dots, if the process could enter it.
    private static func enterable(_ path: String) throws(SettingProblem) -> String {
        // The trailing slash makes a plain file fail with the error entering it would.
        guard let resolved = realpath(path + "/", nil) else {
            throw SettingProblem(String(cString: strerror(errno)))
        }
        defer { free(resolved) }
        guard access(resolved, X_OK) == 0 else {
            throw SettingProblem(String(cString: strerror(errno)))
        }
        return String(cString: resolved)
    }
}

// MARK: - replicaof

extension SpecialSetting {
    static let replicaOf = SpecialSetting(
        parse: { (settings, arguments, _) throws(SettingProblem) in
            guard arguments.count == 2 else { throw .argumentCount }
            let host = try SettingText.text(arguments[0])
            if SettingText.lowercased(arguments[0]) == "no"
                && SettingText.lowercased(arguments[1]) == "one"
            {
                settings.replicaOf = nil
                return
            }
            guard let port = SettingText.looseInteger(arguments[1]), (0...65_535).contains(port)
            else { throw SettingProblem("Invalid master port") }
            settings.replicaOf = host.isEmpty ? nil : ReplicaSource(host: host, port: port)
        },
        format: { settings in
            settings.replicaOf.map { "\($0.host) \($0.port)" } ?? ""
        },
        lines: { settings in
            guard let source = settings.replicaOf else { return [] }
            return [
                RewriteLine("\(ConfigFile.word(source.host)) \(source.port)", isRequired: true)
            ]
        })
}

// MARK: - activedefrag

extension SpecialSetting {
    static let activeDefragmentation = SpecialSetting(
        parse: { (settings, arguments, _) throws(SettingProblem) in
            guard arguments.count == 1 else { throw .argumentCount }
            // The peers' words: their suites recognise them, and skip what needs it.
            let isOn = try SettingText.flag(arguments[0])
            guard !isOn else {
                throw SettingProblem(
                    "Active defragmentation cannot be enabled: it requires a Redis server compiled "
                        + "with a modified Jemalloc like the one shipped by default with the Redis "
                        + "source distribution")
            }
            settings.activeDefragmentation = false
        },
        format: { $0.activeDefragmentation ? "yes" : "no" },
        lines: { [RewriteLine($0.activeDefragmentation ? "yes" : "no", isRequired: false)] })
}
