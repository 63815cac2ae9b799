/// Rules as text: what ACL LIST shows, and what the users' file and the configuration hold.
///
/// The text makes an equal user when it is read again, whatever patterns hold: what could be taken
/// for a quote or for the end of a selector stands in quotes there.
extension AccessRules {
    /// `on`, `off`, `nopass` and the like, as ACL GETUSER lists them.
    var flags: [String] {
        var flags = [isEnabled ? "on" : "off"]
        if needsNoPassword { flags.append("nopass") }
        switch payloadCheck {
        case .skipped: flags.append("skip-sanitize-payload")
        case .checked: flags.append("sanitize-payload")
        case nil: break
        }
        return flags
    }

    /// The rules from which an equal user can be made; a selector is one word with its parentheses.
    func words(_ catalog: AccessCatalog) -> [[UInt8]] {
        var words = flags.map { Array($0.utf8) }
        words += passwords.map { [UInt8(ascii: "#")] + $0.digits }
        words += selectors[0].words(catalog)
        words += selectors.dropFirst().map { selector in
            let inner = selector.words(catalog).map(Self.safeInside)
            return [UInt8(ascii: "(")] + AccessSelector.line(inner) + [UInt8(ascii: ")")]
        }
        return words
    }

    /// Those rules in one line.
    func text(_ catalog: AccessCatalog) -> [UInt8] { AccessSelector.line(words(catalog)) }

    /// A word as it has to stand inside of parentheses.
    private static func safeInside(_ word: [UInt8]) -> [UInt8] {
        hasQuote(word) || word.last == UInt8(ascii: ")") ? QuotedWords.quoted(word) : word
    }

    /// Whether a line of configuration cannot hold the word as it is.
    static func hasQuote(_ word: [UInt8]) -> Bool {
        word.contains(UInt8(ascii: "\"")) || word.contains(UInt8(ascii: "'"))
    }
}

extension AccessSelector {
    /// Words with a blank between them.
    static func line(_ words: [[UInt8]]) -> [UInt8] {
        Array(words.joined(separator: [UInt8(ascii: " ")]))
    }

    /// The patterns of keys, each with its `~` or `%R~`; `~*` for all.
    var keyRules: [[UInt8]] {
        if allowsAllKeys { return [Array("~*".utf8)] }
        return keyPatterns.map { pattern in
            let mark =
                switch pattern.access {
                case .read: "%R~"
                case .write: "%W~"
                default: "~"
                }
            return Array(mark.utf8) + pattern.pattern
        }
    }

    /// The patterns of channels, each with its `&`; `&*` for all.
    var channelRules: [[UInt8]] {
        if allowsAllChannels { return [Array("&*".utf8)] }
        return channelPatterns.map { [UInt8(ascii: "&")] + $0 }
    }

    fileprivate func words(_ catalog: AccessCatalog) -> [[UInt8]] {
        let reset = allowsAllChannels ? [] : [Array("resetchannels".utf8)]
        return keyRules + reset + channelRules + commandRules(catalog)
    }
}
