/// Rules as text: what ACL LIST shows, and what the users' file and the configuration hold.
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

    /// One line of rules from which an equal user can be made.
    func text(_ catalog: AccessCatalog) -> [UInt8] {
        var words = flags.map { Array($0.utf8) }
        words += passwords.map { [UInt8(ascii: "#")] + $0.digits }
        words.append(selectors[0].text(catalog))
        words += selectors.dropFirst().map {
            [UInt8(ascii: "(")] + $0.text(catalog) + [UInt8(ascii: ")")]
        }
        return Array(words.joined(separator: [UInt8(ascii: " ")]))
    }
}

extension AccessSelector {
    /// The patterns of keys, each with its `~` or `%R~`; `~*` for all.
    var keysText: [UInt8] {
        if allowsAllKeys { return Array("~*".utf8) }
        let words = keyPatterns.map { pattern in
            let mark =
                switch pattern.access {
                case .read: "%R~"
                case .write: "%W~"
                default: "~"
                }
            return Array(mark.utf8) + pattern.pattern
        }
        return Array(words.joined(separator: [UInt8(ascii: " ")]))
    }

    /// The patterns of channels, each with its `&`; `&*` for all.
    var channelsText: [UInt8] {
        if allowsAllChannels { return Array("&*".utf8) }
        let words = channelPatterns.map { [UInt8(ascii: "&")] + $0 }
        return Array(words.joined(separator: [UInt8(ascii: " ")]))
    }

    fileprivate func text(_ catalog: AccessCatalog) -> [UInt8] {
        var words: [[UInt8]] = []
        if allowsAllKeys || !keyPatterns.isEmpty { words.append(keysText) }
        if !allowsAllChannels { words.append(Array("resetchannels".utf8)) }
        if allowsAllChannels || !channelPatterns.isEmpty { words.append(channelsText) }
        words.append(commandRules(catalog))
        return Array(words.joined(separator: [UInt8(ascii: " ")]))
    }
}
