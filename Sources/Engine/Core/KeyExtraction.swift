/// Where the keys of a request are: from the specifications of its command's row.
///
/// One extraction serves COMMAND GETKEYS, access control, cluster routing, tracking and prefetch, so
/// that nothing can slip past one of them. Rules: docs of COMMAND, "key specifications".
enum KeyExtraction {
    /// First key, last key and step as COMMAND INFO shows them, and whether they are not the whole
    /// truth.
    ///
    /// Specifications that continue each other with step 1 are merged.
    static func legacyTriple(
        _ specs: [KeySpec]
    ) -> (first: Int, last: Int, step: Int, movable: Bool) {
        var ranges: [(first: Int, last: Int, step: Int)] = []
        var movable = false
        for spec in specs {
            guard case .index(let index) = spec.begin,
                case .range(let last, let step, _) = spec.find
            else {
                movable = true
                continue
            }
            ranges.append((index, last >= 0 ? index + last : last, step))
        }
        if specs.contains(where: { $0.flags.contains(.incomplete) }) { movable = true }
        guard var merged = ranges.first else { return (0, 0, 0, movable) }
        if specs.count == 1 { return (merged.first, merged.last, merged.step, movable) }
        for next in ranges.dropFirst() {
            guard merged.step == 1, next.step == 1, merged.last == next.first - 1 else {
                movable = true
                continue
            }
            merged.last = next.last
        }
        return (merged.first, merged.last, merged.step, movable)
    }

    /// The keys of a request; nil when its arguments do not fit the command.
    static func keys(of row: CommandTable.Row, _ arguments: Arguments) -> [KeyPosition]? {
        let specs = row.command.keys
        let usable =
            specs.contains { !$0.flags.contains(.notKey) }
            && !specs.contains { $0.flags.contains(.variableFlags) }
        if usable, let found = fromSpecs(specs, arguments) { return found }
        if let finder = row.command.keyFinder { return finder(arguments) }
        return usable ? nil : fromSpecs(specs, arguments)
    }

    /// Whether the command can have keys at all.
    static func hasKeys(_ row: CommandTable.Row) -> Bool {
        row.command.keyFinder != nil
            || row.command.keys.contains { !$0.flags.contains(.notKey) }
    }

    private static func fromSpecs(_ specs: [KeySpec], _ arguments: Arguments) -> [KeyPosition]? {
        var result: [KeyPosition] = []
        var isComplete = true
        for spec in specs where !spec.flags.contains(.notKey) {
            guard let begin = start(of: spec, arguments) else { continue }
            guard begin > 0, let range = positions(of: spec, begin, arguments) else { return nil }
            for index in range {
                guard index < arguments.count else { return nil }
                result.append(KeyPosition(index: index, access: spec.access, flags: spec.flags))
            }
            if spec.flags.contains(.incomplete) { isComplete = false }
        }
        return isComplete ? result : nil
    }

    /// Where the keys of `spec` begin; nil when its keyword is absent, 0 when it cannot be known.
    private static func start(of spec: KeySpec, _ arguments: Arguments) -> Int? {
        switch spec.begin {
        case .unknown: return 0
        case .index(let index): return index < arguments.count ? index : 0
        case .keyword(let word, let from):
            if from >= 0 {
                var index = from
                while index < arguments.count - 1 {
                    if word.withByteView({ arguments[index].equalsIgnoringCase($0) }) {
                        return index + 1
                    }
                    index += 1
                }
            } else {
                var index = arguments.count + from
                while index > 1 {
                    if word.withByteView({ arguments[index].equalsIgnoringCase($0) }) {
                        return index + 1
                    }
                    index -= 1
                }
            }
            return nil
        }
    }

    private static func positions(
        of spec: KeySpec, _ begin: Int, _ arguments: Arguments
    ) -> StrideTo<Int>? {
        switch spec.find {
        case .unknown: return nil
        case .range(let last, let step, let limit):
            var end = begin + last
            if last < 0 {
                end =
                    limit == 0
                    ? arguments.count + last : begin + (arguments.count - begin) / limit + last
            }
            guard end < arguments.count, end >= begin else { return nil }
            return stride(from: begin, to: end + 1, by: step)
        case .count(let countIndex, let first, let step):
            let countPosition = begin + countIndex
            guard countPosition < arguments.count,
                let count = NumberText.integer(arguments[countPosition]), count >= 1,
                count <= Int64(arguments.count)
            else { return nil }
            let start = begin + first
            let end = start + Int(count) * step
            guard end - step < arguments.count else { return nil }
            return stride(from: start, to: end, by: step)
        }
    }
}
