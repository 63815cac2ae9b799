/// Why an append-only file cannot be loaded, as the log tells it.
struct AppendOnlyError: Error, Equatable {
    let text: String
}

/// Which files make up the append-only file, and in which order: what everything starts from, then what
/// was done since.
///
///     file appendonly.aof.3.base.rdb seq 3 type b
///     file appendonly.aof.2.base.rdb seq 2 type h
///     file appendonly.aof.7.incr.aof seq 7 type i
///     file appendonly.aof.8.incr.aof seq 8 type i
///
/// One base at most; history is what is to be removed; numbers of increments rise. The format is Redis
/// 7's (aof.c, `aofLoadManifestFromFile`), so that either server continues what the other wrote.
struct AppendOnlyManifest: Equatable {
    struct Part: Equatable {
        var name: String
        var sequence: Int
    }

    private(set) var base: Part?
    private(set) var history: [Part] = []
    private(set) var increments: [Part] = []
    private(set) var lastBase = 0
    private(set) var lastIncrement = 0

    /// Whether there is nothing to load.
    var isEmpty: Bool { base == nil && increments.isEmpty }

    /// What is loaded, in order.
    var parts: [Part] { (base.map { [$0] } ?? []) + increments }

    // MARK: - Changing

    /// The base that follows; not yet part of the manifest.
    func nextBase(of name: String, isSnapshot: Bool) -> Part {
        let sequence = lastBase + 1
        return Part(
            name: "\(name).\(sequence).base.\(isSnapshot ? "rdb" : "aof")", sequence: sequence)
    }

    /// The increment that follows; not yet part of the manifest.
    func nextIncrement(of name: String) -> Part {
        Part(name: "\(name).\(lastIncrement + 1).incr.aof", sequence: lastIncrement + 1)
    }

    mutating func add(increment: Part) {
        increments.append(increment)
        lastIncrement = increment.sequence
    }

    /// Lets everything start from `part`; what it replaces becomes history.
    ///
    /// Without increments their numbers begin anew.
    ///
    /// - Parameter keepsLast: the last increment goes on, from where `part` ends.
    mutating func rebase(on part: Part, keepsLast: Bool) {
        // The latest first, as Redis has it.
        history = increments.dropLast(keepsLast ? 1 : 0) + (base.map { [$0] } ?? []) + history
        increments = increments.suffix(keepsLast ? 1 : 0)
        if increments.isEmpty { lastIncrement = 0 }
        base = part
        lastBase = part.sequence
    }

    mutating func forgetHistory() { history = [] }

    // MARK: - Text

    var text: [UInt8] {
        var lines = ""
        func add(_ part: Part, _ type: String) {
            lines += "file \(Self.quoted(part.name)) seq \(part.sequence) type \(type)\n"
        }
        if let base { add(base, "b") }
        for part in history { add(part, "h") }
        for part in increments { add(part, "i") }
        return Array(lines.utf8)
    }

    private static func quoted(_ name: String) -> String {
        let isPlain = name.utf8.allSatisfy {
            $0 > 32 && $0 != 34 && $0 != 39 && $0 != 92 && $0 < 127
        }
        if isPlain { return name }
        return String(decoding: QuotedWords.quoted(Array(name.utf8)), as: UTF8.self)
    }

    /// So much of a line that is wrong goes into the log.
    private static let shownBytes = 256

    /// No line may be longer, its end included.
    private static let longestLine = 1024

    /// Reads what `text` wrote, or Redis.
    static func parse(_ bytes: [UInt8]) throws(AppendOnlyError) -> AppendOnlyManifest {
        guard !bytes.isEmpty else { throw failure("Found an empty AOF manifest") }
        var manifest = AppendOnlyManifest()
        var rest = bytes[...]
        var number = 0
        while !rest.isEmpty {
            number += 1
            guard let end = rest.firstIndex(of: 10), end - rest.startIndex < longestLine else {
                throw failure("The AOF manifest file contains too long line", number, rest)
            }
            let line = rest[..<end]
            rest = rest[(end + 1)...]
            if line.first == UInt8(ascii: "#") { continue }
            do throws(AppendOnlyError) {
                try manifest.read(line)
            } catch {
                throw failure(error.text, number, line)
            }
        }
        return manifest
    }

    private mutating func read(_ line: ArraySlice<UInt8>) throws(AppendOnlyError) {
        let invalid = AppendOnlyError(text: "Invalid AOF manifest file format")
        let (part, type) = try Self.part(line)
        switch type {
        case "b":
            guard base == nil else {
                throw AppendOnlyError(text: "Found duplicate base file information")
            }
            base = part
            lastBase = part.sequence
        case "h": history.append(part)
        case "i":
            guard part.sequence > lastIncrement else {
                throw AppendOnlyError(text: "Found a non-monotonic sequence number")
            }
            add(increment: part)
        case "": throw invalid
        default: throw AppendOnlyError(text: "Unknown AOF file type")
        }
    }

    /// One line; keys that are not known are passed over.
    private static func part(
        _ line: ArraySlice<UInt8>
    ) throws(AppendOnlyError) -> (Part, type: String) {
        let invalid = AppendOnlyError(text: "Invalid AOF manifest file format")
        guard let split = QuotedWords.split(Array(line)), split.count >= 6, split.count % 2 == 0
        else { throw invalid }
        let words = split.map { String(decoding: $0, as: UTF8.self) }
        var part = Part(name: "", sequence: 0)
        var type = ""
        for index in stride(from: 0, to: words.count, by: 2) {
            switch words[index].withByteView({ $0.lowercasedText }) {
            case "file":
                guard !words[index + 1].contains("/") else {
                    throw AppendOnlyError(text: "File can't be a path, just a filename")
                }
                part.name = words[index + 1]
            case "seq": part.sequence = Int(words[index + 1]) ?? 0
            case "type": type = words[index + 1]
            default: break
            }
        }
        // There must be a number after it.
        guard !part.name.isEmpty, (1..<Int.max).contains(part.sequence) else { throw invalid }
        return (part, type)
    }

    private static func failure(
        _ text: String, _ number: Int = 0, _ line: ArraySlice<UInt8> = []
    ) -> AppendOnlyError {
        guard number > 0 else { return AppendOnlyError(text: text) }
        let shown = String(
            decoding: line.prefix { $0 != 10 }.prefix(shownBytes), as: UTF8.self)
        return AppendOnlyError(text: "Line \(number), '\(shown)': \(text)")
    }
}
