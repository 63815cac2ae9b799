import Glibc

/// The configuration file: one directive a line, words quoted like a shell's, `include` in place.
///
/// Reading changes nothing but the `Settings` it returns. The command line's options are lines
/// behind those of the file, so that whatever comes last wins. Bytes are taken as they come: a
/// line that is not UTF-8 is an error only where a directive needs text.
struct ConfigFile {
    private(set) var settings: Settings
    /// Where relative names and `include` lead; tests put a dictionary here.
    private let files: Files
    /// The first `save` of the whole configuration replaces the default ones.
    private var hasSeenSave = false

    /// Reads what `settings` should be when the server starts.
    ///
    /// - Parameters:
    ///   - path: the file, if one was named; its absolute name is kept in `Settings.configFile`.
    ///   - standardInput: the lines piped in for the argument `-`.
    ///   - options: the command line's `--name value` as lines (`CommandLine.Start.options`).
    static func load(
        path: String?, standardInput: [UInt8]? = nil, options: [UInt8] = [],
        files: Files = .system
    ) throws(ConfigFileError) -> Settings {
        var text: [UInt8] = []
        var settings = Settings()
        if let path {
            settings.configFile = absolute(path)
            text = try files.contents(path)
        }
        if let standardInput { text += [newline] + standardInput }
        // The peers put a line end before the options even when nothing stands there: their
        // error messages count it.
        if !options.isEmpty { text += [newline] + options }
        return try parse(text, into: settings, files: files)
    }

    /// Reads a text in one go, as `load` does for its parts together.
    static func parse(
        _ text: [UInt8], into settings: Settings = Settings(), files: Files = .system
    ) throws(ConfigFileError) -> Settings {
        var reader = ConfigFile(settings: settings, files: files)
        try reader.read(text, named: nil, depth: 0)
        if reader.settings.clusterEnabled && reader.settings.replicaOf != nil {
            throw .invalid("replicaof directive not allowed in cluster mode")
        }
        return reader.settings
    }

    // MARK: - Lines

    /// As deep as the peers' own packages nest by far; a file that includes itself ends here.
    private static let greatestDepth = 16

    private init(settings: Settings, files: Files) {
        self.settings = settings
        self.files = files
    }

    private mutating func read(
        _ text: [UInt8], named name: String?, depth: Int
    ) throws(ConfigFileError) {
        var number = 0
        for line in text.split(separator: Self.newline, omittingEmptySubsequences: false) {
            number += 1
            let line = Self.trimmed(line)
            guard let first = line.first, first != UInt8(ascii: "#"), first != 0 else { continue }
            do throws(SettingProblem) {
                guard let words = Self.words(line) else {
                    throw SettingProblem("Unbalanced quotes in configuration line")
                }
                guard !words.isEmpty else { continue }
                if try apply(words) { continue }
                guard depth < Self.greatestDepth else {
                    throw SettingProblem("Too many levels of include")
                }
            } catch {
                throw .badLine(
                    file: name, number: number, line: Array(line), reason: error.reason)
            }
            try include(Self.lossy(Self.words(line)?.last ?? []), depth: depth + 1)
        }
    }

    private mutating func include(_ pattern: String, depth: Int) throws(ConfigFileError) {
        for path in try files.matching(pattern) {
            try read(try files.contents(path), named: path, depth: depth)
        }
    }

    /// Obeys one line; `false` if it is an `include`, which the caller follows.
    private mutating func apply(_ words: [[UInt8]]) throws(SettingProblem) -> Bool {
        let name = SettingText.lowercased(words[0])
        if let row = SettingTable.row(named: name) {
            try set(row, words)
            return true
        }
        switch (name, words.count) {
        case ("include", 2):
            return false
        case ("rename-command", 3):
            settings.renamedCommands.append(
                RenamedCommand(
                    name: try SettingText.text(words[1]), newName: try SettingText.text(words[2])))
        case ("user", 2...):
            guard !settings.userLines.contains(where: { $0[0] == words[1] }) else {
                throw SettingProblem(
                    "Error in user declaration '\(Self.lossy(words[1]))': Duplicate user found. A "
                        + "user can only be defined once in config files")
            }
            settings.userLines.append(Array(words.dropFirst()))
        case ("loadmodule", 2...):
            settings.moduleLines.append(Array(words.dropFirst()))
        case ("sentinel", _):
            throw SettingProblem("sentinel directive while not in sentinel mode")
        case ("list-max-ziplist-entries", 2), ("list-max-ziplist-value", 2),
            ("lua-replicate-commands", 2):
            break  // Of old files; they have no meaning any more.
        case _ where name.utf8.contains(UInt8(ascii: ".")):
            guard words.count > 1 else {
                throw SettingProblem("Module config specified without value")
            }
            settings.moduleOptions.append(words)
        default:
            throw SettingProblem("Bad directive or wrong number of arguments")
        }
        return true
    }

    private mutating func set(_ row: Setting, _ words: [[UInt8]]) throws(SettingProblem) {
        var arguments = Array(words.dropFirst())
        if !row.flags.contains(.multiArgument) {
            guard arguments.count == 1 else { throw .argumentCount }
        } else if arguments.count == 1 {
            // One quoted word may hold them all, as on the command line: `--save "900 1 300 10"`.
            arguments = arguments[0].isEmpty ? arguments : Self.splitAtSpaces(arguments[0])
        }
        if row.name == "save" && !hasSeenSave {
            hasSeenSave = true
            settings.savePoints = []
        }
        try row.kind.parse(arguments, into: &settings, from: .file)
        settings.normalize()
    }

    // MARK: - Words

    static let newline = UInt8(ascii: "\n")

    /// The line without blanks at its ends.
    static func trimmed(_ line: some BidirectionalCollection<UInt8>) -> [UInt8] {
        func isBlank(_ byte: UInt8) -> Bool {
            byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A
        }
        let start = line.firstIndex { !isBlank($0) } ?? line.endIndex
        let end = line.lastIndex { !isBlank($0) }.map { line.index(after: $0) } ?? start
        return Array(line[start..<end])
    }

    /// The words of a line, quotes resolved; `nil` if a quote stays open or is not followed by a
    /// blank.
    ///
    /// A NUL ends the line.
    static func words(_ line: [UInt8]) -> [[UInt8]]? { QuotedWords.split(line) }

    /// A CONFIG SET value's words, as the peers split them: a second space makes an empty word.
    static func splitAtSpaces(_ value: [UInt8]) -> [[UInt8]] {
        guard !value.isEmpty else { return [] }
        return value.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            .map(Array.init)
    }

    /// `bytes` in double quotes, such that `words` gives them back.
    static func quoted(_ bytes: [UInt8]) -> [UInt8] { QuotedWords.quoted(bytes) }

    /// A word as it is, in quotes only if it would not be read back without them.
    static func word(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "\"")
                && byte != UInt8(ascii: "'") && byte != UInt8(ascii: "\\")
        }
        return isPlain && !text.isEmpty ? text : lossy(quoted(Array(text.utf8)))
    }

    /// For names of files and messages.
    static func lossy(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    private static func absolute(_ path: String) -> String {
        path.utf8.first == UInt8(ascii: "/") ? path : currentDirectory() + "/" + path
    }
}

// MARK: - Errors

/// Why the server cannot start with this configuration.
enum ConfigFileError: Error, Equatable {
    /// `file` is `nil` for the main file and the command line.
    case badLine(file: String?, number: Int, line: [UInt8], reason: String)
    /// Every line is right, but not all of them together.
    case invalid(String)
    case unreadable(path: String, reason: String)

    /// What to print on standard error before leaving with status 1.
    ///
    /// - Parameter server: name and version, as in `Redis 7.0.15`.
    func message(server: String) -> String {
        let head = "\n*** FATAL CONFIG FILE ERROR (\(server)) ***\n"
        switch self {
        case .badLine(let file, let number, let line, let reason):
            let place = file.map { "configuration file '\($0)'" } ?? "configuration file"
            return head + "Reading the \(place), at line \(number)\n"
                + ">>> '\(ConfigFile.lossy(line))'\n\(reason)\n"
        case .invalid(let reason):
            return head + reason + "\n"
        case .unreadable(let path, let reason):
            return "Fatal error, can't open config file '\(path)': \(reason)\n"
        }
    }
}

// MARK: - Where files come from

extension ConfigFile {
    /// How a name becomes bytes, so that the grammar can be tested without a disk.
    struct Files {
        let contents: (String) throws(ConfigFileError) -> [UInt8]
        /// The files a name of `include` means, sorted; a pattern may mean none.
        let matching: (String) throws(ConfigFileError) -> [String]

        static var system: Files {
            Files(contents: ConfigFile.readWhole, matching: ConfigFile.expand)
        }
    }

    private static func readWhole(_ path: String) throws(ConfigFileError) -> [UInt8] {
        guard let file = fopen(path, "re") else { throw unreadable(path) }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            bytes += chunk[..<count]
            guard count < chunk.count else { continue }
            guard ferror(file) == 0 else { throw unreadable(path) }
            return bytes
        }
    }

    private static func unreadable(_ path: String) -> ConfigFileError {
        .unreadable(path: path, reason: String(cString: strerror(errno)))
    }

    private static func expand(_ pattern: String) throws(ConfigFileError) -> [String] {
        // A plain name must exist; a pattern may match nothing, as an empty conf.d does.
        let isPattern = pattern.utf8.contains {
            $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "[")
        }
        guard isPattern else { return [pattern] }
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(pattern, 0, nil, &found) == 0, let paths = found.gl_pathv else { return [] }
        return (0..<Int(found.gl_pathc)).compactMap { index in
            paths[index].map { String(cString: $0) }
        }
    }
}
