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

    /// What finds the keys of one command's requests.
    struct Plan {
        let specs: [KeySpec]
        let finder: KeyFinder?
        /// Whether the command can have keys at all.
        let hasKeys: Bool
        /// Whether the specifications may tell where keys are and what is done to them, of a request that
        /// the finder makes nothing of.
        let trustsSpecs: Bool

        init(_ command: Command) {
            specs = command.keys.filter { !$0.flags.contains(.notKey) }
            finder = command.keyFinder
            hasKeys = finder != nil || !specs.isEmpty
            trustsSpecs =
                !specs.isEmpty && !command.keys.contains { $0.flags.contains(.variableFlags) }
        }
    }

    /// The keys of a request; nil when its arguments do not fit the command.
    static func keys(of row: CommandTable.Row, _ arguments: Arguments) -> [KeyPosition]? {
        var found: [KeyPosition] = []
        return find(Plan(row.command), arguments, into: &found) ? found : nil
    }

    /// Puts the keys of a request into `found`, whose room is used again.
    ///
    /// What a row's own finder says counts, which reads the arguments as the handler does: a specification
    /// takes the first STORE or STREAMS it sees for the option. Allocates nothing where there is none.
    ///
    /// - Returns: false when the arguments do not fit the command; `found` then holds those keys that
    ///   can be told all the same.
    static func find(
        _ plan: Plan, _ arguments: Arguments, into found: inout [KeyPosition]
    ) -> Bool {
        found.removeAll(keepingCapacity: true)
        let isComplete = fromSpecs(plan.specs, arguments, into: &found)
        guard let finder = plan.finder else { return isComplete }
        guard let keys = finder(arguments) else { return isComplete && plan.trustsSpecs }
        found.removeAll(keepingCapacity: true)
        found.append(contentsOf: keys)
        return true
    }

    /// Whether the command can have keys at all.
    static func hasKeys(_ row: CommandTable.Row) -> Bool { Plan(row.command).hasKeys }

    private static func fromSpecs(
        _ specs: [KeySpec], _ arguments: Arguments, into result: inout [KeyPosition]
    ) -> Bool {
        var isComplete = true
        for spec in specs {
            guard let begin = start(of: spec, arguments) else { continue }
            if spec.flags.contains(.incomplete) { isComplete = false }
            guard begin > 0, let range = positions(of: spec, begin, arguments) else {
                isComplete = false
                continue
            }
            for index in range {
                guard index < arguments.count else {
                    isComplete = false
                    break
                }
                result.append(KeyPosition(index: index, access: spec.access, flags: spec.flags))
            }
        }
        return isComplete
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
