import Glibc

// How a directive's text becomes a value and back. Kinds are few and shared by some two hundred
// rows, so a rule of parsing (which numbers are numbers, what `1kb` is) exists once. Values are
// bytes, not strings: a password need not be UTF-8.

/// Why a value was refused, in the words clients know.
struct SettingProblem: Error, Equatable {
    let reason: String

    init(_ reason: String) { self.reason = reason }

    static let argumentCount = SettingProblem("wrong number of arguments")
}

/// Who sets a value: a few directives accumulate in a file and replace in CONFIG SET.
enum SettingOrigin: Sendable {
    case file
    case command
}

/// A typed face of one field of `Settings`.
typealias SettingPath<Value> = any WritableKeyPath<Settings, Value> & Sendable

enum SettingKind: Sendable {
    case flag(SettingPath<Bool>)
    case integer(SettingPath<Int>, ClosedRange<Int>)
    /// Written with a unit: `100mb`.
    case memory(SettingPath<Int>, ClosedRange<Int>)
    /// Memory without a bound, up to 2^64 - 1.
    case wideMemory(SettingPath<UInt64>)
    case memoryOrPercent(SettingPath<ClientMemoryLimit>)
    case octal(SettingPath<Int>, ClosedRange<Int>)
    case text(SettingPath<String>, TextCheck = .none)
    /// Empty text is no value.
    case optionalText(SettingPath<String?>, TextCheck = .none)
    /// Any bytes; empty is no value.
    case secret(SettingPath<[UInt8]?>)
    case special(SpecialSetting)
}

/// A directive with a grammar of its own.
struct SpecialSetting: Sendable {
    let parse: @Sendable (inout Settings, [[UInt8]], SettingOrigin) throws(SettingProblem) -> Void
    let format: @Sendable (Settings) -> String
    /// What follows the directive's name in the file, a line each, and which must be there.
    let lines: @Sendable (Settings) -> [RewriteLine]
}

/// One line CONFIG REWRITE writes for a directive, without the directive's name.
struct RewriteLine: Sendable, Equatable {
    let value: [UInt8]
    /// Whether the line is added when the file has none.
    let isRequired: Bool

    init(_ value: [UInt8], isRequired: Bool) {
        self.value = value
        self.isRequired = isRequired
    }

    init(_ value: String, isRequired: Bool) {
        self.init(Array(value.utf8), isRequired: isRequired)
    }
}

extension ClosedRange<Int> {
    static var natural: ClosedRange { 0...Int.max }
    static var positive: ClosedRange { 1...Int.max }
    static var natural32: ClosedRange { 0...Int(Int32.max) }
    static var positive32: ClosedRange { 1...Int(Int32.max) }
    static var anyInt32: ClosedRange { Int(Int32.min)...Int(Int32.max) }
    static var port: ClosedRange { 0...65_535 }
}

// MARK: - Parsing

extension SettingKind {
    func parse(
        _ arguments: [[UInt8]], into settings: inout Settings, from origin: SettingOrigin
    ) throws(SettingProblem) {
        if case .special(let special) = self {
            return try special.parse(&settings, arguments, origin)
        }
        guard arguments.count == 1 else { throw .argumentCount }
        let value = arguments[0]
        switch self {
        case .flag(let path):
            settings[keyPath: path] = try SettingText.flag(value)
        case .integer(let path, let bounds):
            guard let number = SettingText.integer(value) else {
                throw SettingProblem("argument couldn't be parsed into an integer")
            }
            settings[keyPath: path] = try SettingText.check(number, bounds)
        case .memory(let path, let bounds):
            settings[keyPath: path] = try SettingText.boundedMemory(value, bounds)
        case .wideMemory(let path):
            guard let bytes = SettingText.memory(value) else {
                throw SettingProblem("argument must be a memory value")
            }
            settings[keyPath: path] = bytes
        case .memoryOrPercent(let path):
            settings[keyPath: path] = try SettingText.memoryOrPercent(value)
        case .octal(let path, let bounds):
            settings[keyPath: path] = try SettingText.octal(value, bounds)
        case .text(let path, let check):
            let text = try SettingText.text(value)
            try check.apply(text, settings)
            settings[keyPath: path] = text
        case .optionalText(let path, let check):
            let text = try SettingText.text(value)
            try check.apply(text, settings)
            settings[keyPath: path] = text.isEmpty ? nil : text
        case .secret(let path):
            settings[keyPath: path] = value.isEmpty ? nil : value
        case .special:
            break
        }
    }
}

/// Numbers, amounts and flags as the configuration spells them.
enum SettingText {
    static func flag(_ value: [UInt8]) throws(SettingProblem) -> Bool {
        switch lowercased(value) {
        case "yes": return true
        case "no": return false
        default: throw SettingProblem("argument must be 'yes' or 'no'")
        }
    }

    /// A whole number in its one canonical spelling: no sign `+`, no spaces, no leading zeros.
    static func integer(_ value: some Collection<UInt8>) -> Int? {
        let text = String(decoding: value, as: UTF8.self)
        guard text.utf8.count <= 20, let number = Int(text), String(number) == text else {
            return nil
        }
        return number
    }

    static func check(
        _ number: Int, _ bounds: ClosedRange<Int>
    ) throws(SettingProblem) -> Int {
        guard bounds.contains(number) else {
            throw outside("\(bounds.lowerBound)", "\(bounds.upperBound)")
        }
        return number
    }

    static func outside(_ lower: String, _ upper: String) -> SettingProblem {
        SettingProblem("argument must be between \(lower) and \(upper) inclusive")
    }

    /// Digits and a unit: `k` is 1000, `kb` 1024, and so on for `m` and `g`; `b` or none is bytes.
    ///
    /// As in the peers no digits are zero, and digits beyond 64 bits are the greatest number; a product
    /// beyond that, which wraps there, is none.
    static func memory(_ value: [UInt8]) -> UInt64? {
        let digits = value.prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
        // The peers copy the digits into a buffer of 128 bytes.
        guard digits.count < 128 else { return nil }
        let factor: UInt64
        switch lowercased(value.dropFirst(digits.count)) {
        case "", "b": factor = 1
        case "k": factor = 1000
        case "kb": factor = 1 << 10
        case "m": factor = 1_000_000
        case "mb": factor = 1 << 20
        case "g": factor = 1_000_000_000
        case "gb": factor = 1 << 30
        default: return nil
        }
        var number: UInt64 = 0
        for digit in digits {
            let (tens, tooLarge) = number.multipliedReportingOverflow(by: 10)
            let (sum, carried) = tens.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
            guard !tooLarge && !carried else {
                number = .max
                break
            }
            number = sum
        }
        let (bytes, tooLarge) = number.multipliedReportingOverflow(by: factor)
        return tooLarge ? nil : bytes
    }

    static func boundedMemory(
        _ value: [UInt8], _ bounds: ClosedRange<Int>
    ) throws(SettingProblem) -> Int {
        guard let bytes = memory(value) else {
            throw SettingProblem("argument must be a memory value")
        }
        guard let bytes = Int(exactly: bytes), bounds.contains(bytes) else {
            throw outside("\(bounds.lowerBound)", "\(bounds.upperBound)")
        }
        return bytes
    }

    static func memoryOrPercent(_ value: [UInt8]) throws(SettingProblem) -> ClientMemoryLimit {
        // The peers take the greatest amounts of 64 bits for percentages.
        if let bytes = memory(value), let amount = Int(exactly: bytes) { return .bytes(amount) }
        guard value.last == UInt8(ascii: "%"), let percent = integer(value.dropLast()),
            percent >= 0
        else { throw SettingProblem("argument must be a memory or percent value") }
        guard percent <= 100 else {
            throw SettingProblem("percentage argument must be less or equal to 100")
        }
        return percent == 0 ? .bytes(0) : .percent(percent)
    }

    static func octal(
        _ value: [UInt8], _ bounds: ClosedRange<Int>
    ) throws(SettingProblem) -> Int {
        guard !value.isEmpty, let number = Int(String(decoding: value, as: UTF8.self), radix: 8)
        else {
            throw SettingProblem("argument couldn't be parsed as an octal number")
        }
        guard bounds.contains(number) else {
            throw outside(
                String(bounds.lowerBound, radix: 8), String(bounds.upperBound, radix: 8))
        }
        return number
    }

    /// Refuses what a `String` would silently alter.
    static func text(_ value: [UInt8]) throws(SettingProblem) -> String {
        let text = String(decoding: value, as: UTF8.self)
        guard text.utf8.elementsEqual(value) else {
            throw SettingProblem("argument must be valid UTF-8")
        }
        return text
    }

    /// ASCII only, so that no other letter folds into a keyword.
    static func lowercased(_ value: some Collection<UInt8>) -> String {
        let folded = value.map { byte -> UInt8 in
            byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
        }
        return String(decoding: folded, as: UTF8.self)
    }

    /// As `strtoll` with a full match: leading spaces and a sign are taken.
    static func looseInteger(_ value: [UInt8]) -> Int? {
        var rest = value[...]
        while let byte = rest.first, byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) {
            rest.removeFirst()
        }
        return Int(String(decoding: rest, as: UTF8.self))
    }
}

// MARK: - Formatting

extension SettingKind {
    /// What CONFIG GET prints.
    func format(_ settings: Settings) -> [UInt8] {
        switch self {
        case .secret(let path): return settings[keyPath: path] ?? []
        case .text(let path, _): return Array(settings[keyPath: path].utf8)
        case .optionalText(let path, _): return Array((settings[keyPath: path] ?? "").utf8)
        case .special(let special): return Array(special.format(settings).utf8)
        case .flag(let path): return Array((settings[keyPath: path] ? "yes" : "no").utf8)
        case .integer(let path, _), .memory(let path, _):
            return Array(String(settings[keyPath: path]).utf8)
        case .wideMemory(let path): return Array(String(settings[keyPath: path]).utf8)
        case .octal(let path, _): return Array(String(settings[keyPath: path], radix: 8).utf8)
        case .memoryOrPercent(let path):
            switch settings[keyPath: path] {
            case .bytes(let bytes): return Array(String(bytes).utf8)
            case .percent(let percent): return Array("\(percent)%".utf8)
            }
        }
    }

    /// The lines CONFIG REWRITE writes; none forgets the directive's lines in the file.
    func lines(_ settings: Settings, defaults: Settings) -> [RewriteLine] {
        let isRequired = format(settings) != format(defaults)
        switch self {
        case .special(let special):
            return special.lines(settings)
        case .text(let path, _):
            let value = ConfigFile.quoted(Array(settings[keyPath: path].utf8))
            return [RewriteLine(value, isRequired: isRequired)]
        case .optionalText(let path, _):
            guard let value = settings[keyPath: path] else { return [] }
            return [RewriteLine(ConfigFile.quoted(Array(value.utf8)), isRequired: isRequired)]
        case .secret(let path):
            guard let value = settings[keyPath: path] else { return [] }
            return [RewriteLine(ConfigFile.quoted(value), isRequired: isRequired)]
        case .memory(let path, _):
            let amount = Self.amount(UInt64(settings[keyPath: path]))
            return [RewriteLine(amount, isRequired: isRequired)]
        case .wideMemory(let path):
            return [RewriteLine(Self.amount(settings[keyPath: path]), isRequired: isRequired)]
        case .memoryOrPercent(let path):
            if case .bytes(let bytes) = settings[keyPath: path] {
                return [RewriteLine(Self.amount(UInt64(bytes)), isRequired: isRequired)]
            }
            return [RewriteLine(format(settings), isRequired: isRequired)]
        case .flag, .integer, .octal:
            return [RewriteLine(format(settings), isRequired: isRequired)]
        }
    }

    /// An amount in the greatest unit that divides it.
    static func amount(_ bytes: UInt64) -> String {
        guard bytes > 0 else { return "0" }
        let units: [(UInt64, String)] = [(1 << 30, "gb"), (1 << 20, "mb"), (1 << 10, "kb")]
        for (size, name) in units where bytes % size == 0 {
            return "\(bytes / size)\(name)"
        }
        return String(bytes)
    }
}

// MARK: - What a text must satisfy

enum TextCheck: Sendable {
    case none
    case snapshotFileName
    case appendFileName
    case appendDirectoryName
    case hostname
    case nodeName
    case processTitle

    func apply(_ text: String, _ settings: Settings) throws(SettingProblem) {
        switch self {
        case .none:
            return
        case .snapshotFileName:
            try refusePath(text, "dbfilename can't be a path, just a filename")
        case .appendFileName:
            if text.isEmpty { throw SettingProblem("appendfilename can't be empty") }
            try refusePath(text, "appendfilename can't be a path, just a filename")
        case .appendDirectoryName:
            if text.isEmpty { throw SettingProblem("appenddirname can't be empty") }
            try refusePath(text, "appenddirname can't be a path, just a dirname")
        case .hostname:
            try checkHostname(text)
        case .nodeName:
            try checkNodeName(text)
        case .processTitle:
            guard ProcessTitle.isValid(text, settings) else {
                throw SettingProblem(
                    "template format is invalid or contains unknown variables")
            }
        }
    }

    private func refusePath(_ text: String, _ reason: String) throws(SettingProblem) {
        guard !text.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") })
        else { throw SettingProblem(reason) }
    }

    private func checkHostname(_ text: String) throws(SettingProblem) {
        guard text.utf8.count < 256 else {
            throw SettingProblem("Hostnames must be less than 256 characters")
        }
        guard text.utf8.allSatisfy({ Self.isLetterOrDigit($0) || $0 == 0x2D || $0 == 0x2E })
        else {
            throw SettingProblem(
                "Hostnames may only contain alphanumeric characters, hyphens or dots")
        }
    }

    private func checkNodeName(_ text: String) throws(SettingProblem) {
        guard text.utf8.count < 256 else {
            throw SettingProblem("Node names must be less than 256 characters")
        }
        let forbidden = Array("!#$%&()*+:;<>?@[]^{|}~ \"'/\\=,`".utf8)
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !forbidden.contains($0) }) else {
            throw SettingProblem(
                "Announced human node name contained invalid character")
        }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            return true
        default:
            return false
        }
    }
}

/// The template of what `ps` shows.
enum ProcessTitle {
    /// Known names in closed braces, and something left of it when the title itself is empty.
    static func isValid(_ template: String, _ settings: Settings) -> Bool {
        guard let title = expand(template, title: "", settings) else { return false }
        return title.utf8.contains { $0 != UInt8(ascii: " ") }
    }

    /// The template with its `{names}` replaced; `nil` if one is unknown or left open.
    ///
    /// `{{` is `{`.
    static func expand(_ template: String, title: String, _ settings: Settings) -> String? {
        var result: [UInt8] = []
        var rest = Array(template.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "{") else {
                result.append(byte)
                continue
            }
            if rest.first == UInt8(ascii: "{") {
                rest.removeFirst()
                result.append(byte)
                continue
            }
            guard let close = rest.firstIndex(of: UInt8(ascii: "}")) else { return nil }
            let name = String(decoding: rest[..<close], as: UTF8.self)
            guard let value = value(of: name, title: title, settings) else { return nil }
            result += Array(value.utf8)
            rest = rest[(close + 1)...]
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func value(of name: String, title: String, _ settings: Settings) -> String? {
        switch SettingText.lowercased(name.utf8) {
        case "title": return title
        case "listen-addr": return listenAddress(settings)
        case "server-mode": return settings.clusterEnabled ? "[cluster]" : ""
        case "port": return String(settings.port)
        case "tls-port": return String(settings.tlsPort)
        case "unixsocket": return settings.unixSocketPath ?? ""
        case "config-file": return settings.configFile ?? ""
        default: return nil
        }
    }

    private static func listenAddress(_ settings: Settings) -> String {
        let port = settings.port != 0 ? settings.port : settings.tlsPort
        guard port != 0 else { return settings.unixSocketPath ?? "unixsocket" }
        return "\(settings.bindAddresses.first ?? "*"):\(port)"
    }
}
