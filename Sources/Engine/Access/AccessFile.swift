/// The users' file (`aclfile`): a line for each user, `user name rule rule …`.
///
/// Either all of it is right or nothing of it counts, and then every line that is wrong is told.
struct AccessFile {
    private(set) var users: [(name: [UInt8], rules: AccessRules)] = []
    /// Empty when the file is right.
    private(set) var problems = ""
    private(set) var warnings: [String] = []
    /// As messages call the file.
    private let name: String
    private let list: AccessList

    init(_ text: [UInt8], named name: String, for list: AccessList) {
        self.name = name
        self.list = list
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            read(Self.trimmed(line), number: index + 1)
        }
        if !problems.isEmpty {
            problems +=
                "WARNING: ACL errors detected, no change to the previously active ACL rules was "
                + "performed"
        }
    }

    private mutating func read(_ line: [UInt8], number: Int) {
        guard !line.isEmpty else { return }
        let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            .map(Array.init)
        guard words[0].elementsEqual("user".utf8), words.count > 1 else {
            problems +=
                "\(name):\(number) should start with user keyword followed by the username. "
            return
        }
        let user = words[1]
        let shownUser = String(decoding: user, as: UTF8.self)
        if AccessRuleReader.hasBlank(user) {
            problems +=
                "'\(name):\(number): username '\(shownUser)' contains invalid characters. "
            return
        }
        if users.contains(where: { $0.name == user }) {
            problems += "WARNING: Duplicate user '\(shownUser)' found on line \(number). "
            return
        }
        users.append((user, rules(Array(words.dropFirst(2)), number)))
    }

    /// The rules of one line; all unknown names are told, of other errors the first.
    private mutating func rules(_ words: [[UInt8]], _ number: Int) -> AccessRules {
        var rules = AccessRules(allowsAllChannels: list.opensChannels)
        var reader = list.makeReader()
        let joined: [[UInt8]]
        do throws(UnmatchedParenthesis) {
            joined = try AccessRuleReader.joined(words)
        } catch {
            problems += "\(name):\(number): Unmatched parenthesis in selector definition."
            return rules
        }
        var hasTold = false
        for word in joined {
            do throws(AccessRuleError) {
                try reader.apply(Self.trimmed(word), to: &rules)
            } catch .unknownName {
                problems +=
                    "\(name):\(number): Error in applying operation "
                    + "'\(String(decoding: word, as: UTF8.self))': "
                    + "\(AccessRuleError.unknownName.text). "
            } catch {
                if !hasTold { problems += "\(name):\(number): \(error.text). " }
                hasTold = true
            }
        }
        warnings += reader.warnings
        return rules
    }

    private static func trimmed(_ line: some BidirectionalCollection<UInt8>) -> [UInt8] {
        func isBlank(_ byte: UInt8) -> Bool {
            byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A
        }
        let start = line.firstIndex { !isBlank($0) } ?? line.endIndex
        let end = line.lastIndex { !isBlank($0) }.map { line.index(after: $0) } ?? start
        return Array(line[start..<end])
    }
}
