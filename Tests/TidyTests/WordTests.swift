import Foundation
import Testing

/// Words that need a reason.
///
/// Each exception names its file and says why; one that is no longer needed fails as well, so the
/// lists never rot.
struct WordTests {
    /// Unsafe islands: the pointer is private to the file, its verbs check at the shore.
    static let unsafeIslands: [String: String] = [
        "Sources/Engine/Bytes/ByteBuffer.swift": "a growable run of bytes",
        "Sources/Engine/Bytes/ByteView.swift": "bytes that someone else owns",
        "Sources/Engine/Bytes/Copy.swift": "short copies and compares",
        "Sources/Engine/Bytes/GlobPattern.swift": "walks two views",
        "Sources/Engine/Bytes/NumberText.swift": "digits in place",
        "Sources/Engine/Config/SettingKind+Special.swift": "strtod of a percentile",
        "Sources/Engine/Core/CommandIndex.swift": "rows and names at fixed addresses",
        "Sources/Engine/Core/Connection.swift": "the transport hands memory to the kernel",
        "Sources/Engine/Core/ConnectionList.swift": "connections that something is to be done for",
        "Sources/Engine/Core/InputSlots.swift": "the memory requests are read into",
        "Sources/Engine/Core/ReplyPool.swift": "reply blocks lying ready",
        "Sources/Engine/DataStructures/Arena.swift": "blocks named by handles",
        "Sources/Engine/DataStructures/BPlusTree+Nodes.swift": "leaves and inner nodes",
        "Sources/Engine/DataStructures/BPlusTree.swift": "state and path in one arena block",
        "Sources/Engine/DataStructures/BitOperations.swift": "wide loads",
        "Sources/Engine/DataStructures/Block.swift": "memory in one word",
        "Sources/Engine/DataStructures/DeadlineTree.swift": "levels of minima",
        "Sources/Engine/DataStructures/HashTable.swift": "groups of one cache line",
        "Sources/Engine/DataStructures/HyperLogLog.swift": "registers of six bits",
        "Sources/Engine/DataStructures/HyperLogLogSketch.swift": "sparse runs edited in place",
        "Sources/Engine/DataStructures/IntSet.swift": "sorted integers in a block",
        "Sources/Engine/DataStructures/LZF.swift": "memory that C writes",
        "Sources/Engine/DataStructures/Listpack.swift": "entries of a packed run",
        "Sources/Engine/DataStructures/ListpackChain+Compression.swift": "nodes packed and opened",
        "Sources/Engine/DataStructures/ListpackChain.swift": "nodes with room at both ends",
        "Sources/Engine/DataStructures/ListpackChain+Cursor.swift": "a walk over those nodes",
        "Sources/Engine/DataStructures/ListpackScanner.swift": "entries that nobody vouches for",
        "Sources/Engine/DataStructures/NameTraces.swift": "slots in a borrowed room",
        "Sources/Engine/DataStructures/PackedRecords.swift": "strings one behind the other",
        "Sources/Engine/DataStructures/PackedScores.swift":
            "members and scores one behind the other",
        "Sources/Engine/DataStructures/RankedSet.swift": "state at a fixed address",
        "Sources/Engine/DataStructures/ScoredMember.swift": "a member and its score in one block",
        "Sources/Engine/DataStructures/NamedRecords.swift": "records with their names",
        "Sources/Engine/DataStructures/SeededHash.swift": "unaligned loads",
        "Sources/Engine/DataStructures/StreamIndex.swift": "leaves and inner nodes in arena blocks",
        "Sources/Engine/Keyspace/Database+Strings.swift": "hands heap blocks over",
        "Sources/Engine/Keyspace/Database.swift": "state at a fixed address",
        "Sources/Engine/Keyspace/EffectFeed.swift": "state at a fixed address",
        "Sources/Engine/Keyspace/Keyspace.swift": "state at a fixed address",
        "Sources/Engine/Observability/LatencyHistogram.swift": "an array of buckets",
        "Sources/Engine/Observability/Statistics.swift": "an array a command",
        "Sources/Engine/RESP/Arguments.swift": "views of one request",
        "Sources/Engine/RESP/CommandParser.swift": "words unquoted in place",
        "Sources/Engine/RESP/LargeRequest.swift": "blocks received into",
        "Sources/Engine/DataStructures/SortVector.swift": "texts that C compares",
        "Sources/Engine/RESP/ReplyWriter+Decimals.swift": "digits that C writes",
        "Sources/Engine/RESP/ReplyWriter.swift": "the bytes that are sent",
        "Sources/Engine/RESP/RequestBatch.swift": "requests, views and hashes",
        "Sources/Engine/Transactions/RequestQueue.swift": "copies of arguments and views of them",
        "Sources/Engine/Values/DecimalSum.swift": "a text that C writes",
        "Sources/Engine/Values/Entry.swift": "a key with its value in one block",
        "Sources/Engine/Values/StreamGroup.swift": "records at fixed addresses",
        "Sources/Engine/Values/StreamNode.swift": "entries packed in a listpack",
        "Sources/Engine/Values/StreamValue.swift": "state at a fixed address",
        "Sources/Engine/Values/HashFields.swift": "a field with its value in one block",
        "Sources/Engine/Values/LongestCommonSubsequence.swift": "a table of cells",
        "Sources/Engine/Values/SetMembers.swift": "a member in one block",
        "Sources/Engine/Values/StringValue.swift": "writes into heap strings",
        "Sources/Engine/Values/ValueContext.swift": "state at a fixed address",
        "Sources/Reactor/Background.swift": "blocks to be freed cross the thread",
        "Sources/Reactor/File.swift": "read and write",
        "Sources/Reactor/Pipe.swift": "the memory that is read into",
        "Sources/Reactor/Poller.swift": "the kernel's event array",
        "Sources/Reactor/Process.swift": "argument vectors",
        "Sources/Reactor/Socket.swift": "recv and send",
        "Sources/Reactor/SocketAddress.swift": "the kernel's address structures",
        "Sources/Reactor/SystemError.swift": "the text of an errno",
    ]

    /// Words of `rules` in these files.
    static let exceptions: [String: [String: String]] = [
        "fatalError": [:],
        "try!": [:],
        "as!": [:],
        "nonisolated(unsafe)": [:],
        "@unchecked": [
            "Sources/Reactor/Background.swift": "the box of jobs, behind a lock",
            "Sources/Reactor/Errand.swift": "state that is with one thread at a time",
        ],
        "import Foundation": [:],
    ]

    /// Consecutive tokens that are not to stand in Sources, and what to do instead.
    static let rules: [(word: String, tokens: [String], instead: String)] = [
        ("fatalError", ["fatalError"], "precondition at the shore, or a typed error"),
        ("try!", ["try", "!"], "handle the error"),
        ("as!", ["as", "!"], "a type that needs no cast"),
        ("nonisolated(unsafe)", ["nonisolated", "(", "unsafe", ")"], "no mutable globals"),
        ("@unchecked", ["@", "unchecked"], "plain values across the thread boundary"),
        ("import Foundation", ["import", "Foundation"], "Glibc; Foundation costs size and start"),
    ]

    @Test func `unsafe pointers stay on their islands`() {
        var used: Set<String> = []
        for file in Repository.sources {
            let words = SwiftTokens.read(file.text).filter { $0.text.hasPrefix("Unsafe") }
            guard let first = words.first else { continue }
            used.insert(file.path)
            if Self.unsafeIslands[file.path] == nil {
                Issue.record(
                    "\(file.path):\(first.line): \(first.text) outside WordTests.unsafeIslands")
            }
        }
        for path in Self.unsafeIslands.keys where !used.contains(path) {
            Issue.record("WordTests.unsafeIslands: \(path) needs no entry")
        }
    }

    @Test func `words that need a reason have one`() {
        var used: Set<String> = []
        for file in Repository.sources {
            let tokens = SwiftTokens.read(file.text)
            for rule in Self.rules {
                guard let line = Self.line(of: rule.tokens, in: tokens) else { continue }
                used.insert("\(rule.word) \(file.path)")
                if Self.exceptions[rule.word]?[file.path] == nil {
                    Issue.record("\(file.path):\(line): \(rule.word); rather \(rule.instead)")
                }
            }
        }
        for (word, files) in Self.exceptions {
            for path in files.keys where !used.contains("\(word) \(path)") {
                Issue.record("WordTests.exceptions: \(word) in \(path) needs no entry")
            }
        }
    }

    private static func line(of wanted: [String], in tokens: [SwiftTokens.Token]) -> Int? {
        guard tokens.count >= wanted.count else { return nil }
        for start in 0...(tokens.count - wanted.count)
        where tokens[start].text == wanted[0]
            && wanted.indices.allSatisfy({ tokens[start + $0].text == wanted[$0] })
        {
            return tokens[start].line
        }
        return nil
    }

    @Test func `the rules find what they look for`() {
        for rule in Self.rules {
            let text = "let a = 1\n\(rule.word)(x) // \(rule.word)"
            #expect(Self.line(of: rule.tokens, in: SwiftTokens.read(text)) == 2)
            let quoted = "let a = \"\(rule.word)\" // \(rule.word)"
            #expect(Self.line(of: rule.tokens, in: SwiftTokens.read(quoted)) == nil)
        }
    }

    // MARK: - Raw text: comments and literals count

    /// Absolute paths that the sources must not carry, except in these files.
    static let pathExceptions: [String: String] = [:]

    @Test func `no file names a folder of one machine`() {
        let endings: Set = ["swift", "c", "h", "txt", "conf", "service", "md"]
        let folders = ["/work" + "/", "/tmp" + "/", "/home" + "/"]
        let everywhere = ["Sources", "deploy", "docs"].flatMap {
            Repository.files(under: $0, endings: endings)
        }
        for file in everywhere where Self.pathExceptions[file.path] == nil {
            for (index, line) in file.text.split(separator: "\n", omittingEmptySubsequences: false)
                .enumerated()
            {
                for folder in folders where line.contains(folder) {
                    Issue.record("\(file.path):\(index + 1): names \(folder)")
                }
            }
        }
    }

    @Test func `a note of work to do names its issue`() {
        let note = "TO" + "DO"
        for file in Repository.sources + Repository.tests where file.text.contains(note) {
            for (index, line) in file.text.split(separator: "\n", omittingEmptySubsequences: false)
                .enumerated()
            {
                guard let found = line.range(of: note) else { continue }
                if line[found.upperBound...].prefixMatch(of: /\W{1,2}\d+/) == nil {
                    Issue.record("\(file.path):\(index + 1): \(note) without an issue, as (#12)")
                }
            }
        }
    }
}
