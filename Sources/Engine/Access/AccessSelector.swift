/// One set of permissions: commands, and the keys and channels they may be used on.
///
/// A user has one, and as many more as its rules put in parentheses; a request is allowed if one of
/// them allows all of it. The test of a command is that of one bit; keys and channels are matched
/// against the patterns one by one.
struct AccessSelector {
    /// What is done to a key.
    struct KeyAccess: OptionSet, Sendable {
        let rawValue: UInt8
        static let read = KeyAccess(rawValue: 1)
        static let write = KeyAccess(rawValue: 2)
        static let all: KeyAccess = [.read, .write]
    }

    struct KeyPattern: Equatable {
        let pattern: [UInt8]
        var access: KeyAccess
    }

    var commands = CommandSet()
    /// `+@all` without anything taken away since: nothing is looked up.
    var allowsAllCommands = false
    var allowsAllKeys = false
    var allowsAllChannels: Bool
    /// For commands not in the set: the first arguments with which they are allowed all the same.
    var firstArguments: [Int: [[UInt8]]] = [:]
    private(set) var keyPatterns: [KeyPattern] = []
    private(set) var channelPatterns: [[UInt8]] = []
    /// Where a pattern stands, so that there may be many.
    private var keyPlaces: [[UInt8]: Int] = [:]
    private var channelNames: Set<[UInt8]> = []

    /// Allows nothing.
    ///
    /// - Parameter allowsAllChannels: `acl-pubsub-default`.
    init(allowsAllChannels: Bool) { self.allowsAllChannels = allowsAllChannels }

    var isUnrestricted: Bool { allowsAllCommands && allowsAllKeys && allowsAllChannels }

    // MARK: - Patterns

    /// Allows keys of a pattern; what was allowed of the same one before stays.
    mutating func allowKeys(_ pattern: [UInt8], _ access: KeyAccess) {
        if let place = keyPlaces[pattern] {
            keyPatterns[place].access.formUnion(access)
        } else {
            keyPlaces[pattern] = keyPatterns.count
            keyPatterns.append(KeyPattern(pattern: pattern, access: access))
        }
    }

    mutating func forgetKeyPatterns() {
        keyPatterns = []
        keyPlaces = [:]
    }

    mutating func allowChannels(_ pattern: [UInt8]) {
        if channelNames.insert(pattern).inserted { channelPatterns.append(pattern) }
    }

    mutating func forgetChannelPatterns() {
        channelPatterns = []
        channelNames = []
    }

    // MARK: - Checking

    /// Why this selector alone does not allow `request`; nil if it does.
    func denial(of request: AccessRequest, keys: [KeyUse]) -> AccessDenial? {
        if !allowsAllCommands && !request.isAlwaysAllowed && !commands.contains(request.command)
            && !allowsFirstArgument(request)
        {
            return .command
        }
        if !allowsAllKeys {
            for key in keys where !allows(request.arguments[key.index], key.access) {
                return .key(key.index)
            }
        }
        if !allowsAllChannels, let channels = request.channels {
            let last = channels.isOnlyOne ? 2 : request.arguments.count
            for index in 1..<max(1, min(last, request.arguments.count))
            where !allows(channel: request.arguments[index], asPattern: channels.arePatterns) {
                return .channel(index)
            }
        }
        return nil
    }

    private func allowsFirstArgument(_ request: AccessRequest) -> Bool {
        guard !firstArguments.isEmpty, request.arguments.count > 1,
            let allowed = firstArguments[request.command]
        else { return false }
        return allowed.contains { word in
            word.withByteView { request.arguments[1].equalsIgnoringCase($0) }
        }
    }

    /// Whether `key` may be used so.
    func allows(_ key: ByteView, _ access: KeyAccess) -> Bool {
        for pattern in keyPatterns
        where pattern.access.isSuperset(of: access)
            && pattern.pattern.withByteView({ GlobPattern($0).matches(key) })
        {
            return true
        }
        return false
    }

    /// Whether every key there can be may be read.
    var allowsReadingAllKeys: Bool {
        allowsAllKeys
            || keyPatterns.contains {
                $0.access.contains(.read) && $0.pattern == [UInt8(ascii: "*")]
            }
    }

    /// Whether `channel` may be used; a pattern only if the rules name that very pattern.
    func allows(channel: ByteView, asPattern: Bool) -> Bool {
        if allowsAllChannels { return true }
        for pattern in channelPatterns {
            let isAllowed = pattern.withByteView {
                asPattern ? $0 == channel : GlobPattern($0).matches(channel)
            }
            if isAllowed { return true }
        }
        return false
    }
}

/// A request as access control looks at it.
struct AccessRequest {
    /// The number of its command.
    let command: Int
    /// Of the commands with which a client says who it is.
    let isAlwaysAllowed: Bool
    let arguments: Arguments
    /// Where it names channels; nil if it names none.
    let channels: ChannelUse?
}

/// The arguments of a request that are channels: all behind the name, or the first of them.
struct ChannelUse {
    let isOnlyOne: Bool
    let arePatterns: Bool
}

/// An argument that is a key, and what the request does to it.
struct KeyUse {
    let index: Int
    let access: AccessSelector.KeyAccess
}

/// Why a request is not allowed; the number is that of the argument.
enum AccessDenial: Equatable {
    case command
    case key(Int)
    case channel(Int)

    /// Which of two denials is told: the one that comes later in the check, or in the request.
    private var rank: (Int, Int) {
        switch self {
        case .command: (0, 0)
        case .key(let index): (1, index)
        case .channel(let index): (2, index)
        }
    }

    func isOutranked(by other: AccessDenial) -> Bool { rank < other.rank }
}
